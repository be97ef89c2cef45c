"""The failure of an outside program."""

from __future__ import annotations

from cryoverdict.engine.engine_error import EngineError


class ProgramError(EngineError):
    """An outside program is absent or failed; the message quotes its own last words."""
