"""The one exception of this room."""

from __future__ import annotations


class InputError(Exception):
    """An input cannot be used; the message names the file, what was found and what is accepted."""
