"""The one exception of this room: every fault found, each with its place."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Fault:
    """One thing that is wrong in a rule file; line and column count from 1, 0 says the whole file.

    ``message`` says what was found, what is accepted and what to do, in one line.
    """

    file: str
    line: int = 0
    column: int = 0
    message: str

    def __str__(self) -> str:
        """Return ``file:line:column: message``."""
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        return f"{place}: {self.message}"


class RuleError(Exception):
    """Rules cannot be used; ``faults`` holds all that was found, in the order of the files."""

    def __init__(self, faults: Iterable[Fault]) -> None:
        """Keep the faults sorted by place, each once."""
        self.faults: tuple[Fault, ...] = tuple(sorted(set(faults)))
        super().__init__(self.faults)

    def __str__(self) -> str:
        """Return one line a fault."""
        return "\n".join(str(fault) for fault in self.faults)
