"""What a measurement is called, in which unit it counts, and what it means."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeVar, get_args

Unit = Literal["1", "A", "um", "deg", "px", "count"]
Better = Literal["higher", "lower", "neither"]

UNITS: tuple[Unit, ...] = get_args(Unit)
# What a function of measurement looks at: the view of a micrograph, or of a class average.
Seen = TypeVar("Seen")
SUFFIXES: dict[Unit, str] = {"A": "_a", "um": "_um", "deg": "_deg", "px": "_px", "count": "_count"}


@dataclass(frozen=True, slots=True)
class Absent:
    """The answer of a measurement that could not be made, with the reason in words."""

    reason: str


@dataclass(frozen=True, slots=True)
class Given:
    """A value that came with the list and was taken over instead of measured."""

    value: float


Answer = float | Given | Absent


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One measurement of one subject: a name with its unit, a direction, a meaning, a source.

    ``better`` says whether a higher or a lower value speaks for the subject; models take it as a
    monotone constraint, so ``neither`` is the honest answer for what has its optimum inside.
    """

    name: str
    unit: Unit
    better: Better
    meaning: str
    source: str
    function: Callable[[Any], Answer]

    def measure(self, view: Any) -> Answer:
        """Return the value in ``unit``, measured or given, or why there is none."""
        return self.function(view)


def feature(
    *, unit: Unit = "1", better: Better = "neither", source: str
) -> Callable[[Callable[[Seen], Answer]], Feature]:
    """Turn a function of a view into a `Feature`: its name, and its docstring's first line.

    ``source`` is a paper, an equation or the program whose behaviour is followed.
    """

    def wrap(function: Callable[[Seen], Answer]) -> Feature:
        meaning = (function.__doc__ or "").strip().splitlines()[0]
        return Feature(
            name=function.__name__,
            unit=unit,
            better=better,
            meaning=meaning,
            source=source,
            function=function,
        )

    return wrap
