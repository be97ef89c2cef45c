"""The one exception of this room."""

from __future__ import annotations


class EngineError(Exception):
    """A decision or step cannot be done; the message says where, what was found, what to do."""
