"""A sentence with places for values, which a report prints where a rule says yes."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from math import isnan

from cryoverdict.rules.dimension import quantity

_PLACE = re.compile(r"\{([^{}]*)\}")
PERCENT = ":%"
# The unit of a robust z in a sentence; beyond so many the number itself tells a reader nothing.
DEVIATIONS = "robust deviations"
MOST_DEVIATIONS = 50.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """A place for a value: the expression whose value it shows, as a percentage or with its unit.

    ``at`` is its offset in the template.
    """

    expression: str
    percent: bool
    at: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sentence:
    """Text with places such as ``{ctf_resolution_a}`` or ``{film_fraction:%}``."""

    template: str

    @property
    def places(self) -> tuple[Place, ...]:
        """The places for values, from left to right."""
        found = []
        for match in _PLACE.finditer(self.template):
            inner = match.group(1)
            percent = inner.endswith(PERCENT)
            expression = (inner.removesuffix(PERCENT) if percent else inner).strip()
            found.append(Place(expression=expression, percent=percent, at=match.start(1)))
        return tuple(found)

    @property
    def without_places(self) -> str:
        """The words alone, in which no brace may be left."""
        return _PLACE.sub("", self.template)

    def filled(self, value: Callable[[str], tuple[float, str]]) -> str:
        """Return the sentence with each place filled; ``value`` gives value and unit."""
        places = iter(self.places)

        def fill(_: re.Match[str]) -> str:
            """Return the words for the next place."""
            place = next(places)
            number, unit = value(place.expression)
            if isnan(number):
                return "an unknown value"
            if place.percent:
                return f"{100 * number:.3g} %"
            if unit == DEVIATIONS:
                return told_deviations(number)
            return quantity(number, unit)

        return _PLACE.sub(fill, self.template)


def told_deviations(count: float, form: str = ".3g") -> str:
    """Return a number of robust deviations in words, clipped where it says no more.

    >>> told_deviations(4.049), told_deviations(21600.0), told_deviations(-80.0)
    ('4.05', 'more than 50', 'less than -50')
    """
    if abs(count) > MOST_DEVIATIONS:
        return f"more than {MOST_DEVIATIONS:g}" if count > 0 else f"less than {-MOST_DEVIATIONS:g}"
    return format(count, form)
