"""What a page says when it cannot be written."""

from __future__ import annotations


class ReportError(Exception):
    """Something given to a page is not what pages are made of; the message says place and cure."""
