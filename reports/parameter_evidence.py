"""A parameter decision as the table in which a reader sees who settled what, and why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryoverdict.reports.number import write_quantity

# A unit sign behind a bare count or switch would say nothing.
SETTLERS: Mapping[str, str] = {
    "statistics": "measured",
    "rule": "rule",
    "given": "given",
    "none": "not settled",
}
DOES: Mapping[str, str] = {
    "estimate": "measured",
    "choose": "given",
    "set": "sets",
    "at_least": "at least",
    "at_most": "at most",
}
# The strip of a parameter spans the values that were said, and this share of their range beside.
MARGIN = 0.08
STRIP_WIDTH = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class EvidenceLine:
    """What one source says of a parameter: word, value, grounds, and whether it decided."""

    source: str
    name: str
    does: str
    value: str
    text: str
    decided: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Strip:
    """Where estimate, interval, given and settled value lie on one line of `STRIP_WIDTH` units.

    Each is a place from the left; ``None`` where it does not exist, or a bound is far off.
    """

    value: float
    estimate: float | None
    low: float | None
    high: float | None
    given: float | None
    at_least: float | None
    at_most: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterRow:
    """One parameter of a decision as the page shows it."""

    name: str
    meaning: str
    value: str
    settled_by: str
    interval: str
    given: str
    evidence: tuple[EvidenceLine, ...]
    contradictions: tuple[str, ...]
    could_not_say: tuple[str, ...]
    strip: Strip | None


def parameter_rows(decision: Mapping[str, Any]) -> tuple[ParameterRow, ...]:
    """Return the rows of one parameter decision record of ``decisions.jsonl``.

    Templates include them by ``{% include "parameters.html" %}`` with ``parameters`` in the
    context; the styles are those of ``assets/parameters.css``.
    """
    return tuple(_row(p) for p in decision["parameters"])


def _row(record: Mapping[str, Any]) -> ParameterRow:
    """Return the row of one parameter."""
    unit, said = record["unit"], record["estimate"]
    interval = ""
    if said and said["low"] is not None and said["high"] is not None:
        ends = f"{write_quantity(said['low'], '1', 3)} to {write_quantity(said['high'], unit, 3)}"
        interval = f"95 %: {ends}"
    return ParameterRow(
        name=record["name"],
        meaning=record["meaning"],
        value=write_quantity(record["value"], unit),
        settled_by=SETTLERS.get(record["settled_by"], record["settled_by"]),
        interval=interval,
        given="" if record["given"] is None else write_quantity(record["given"], unit),
        evidence=tuple(
            EvidenceLine(
                source=e["source"],
                name=e["name"],
                does=DOES.get(e["does"], e["does"]),
                value=write_quantity(e["value"], e["unit"]),
                text=e["text"],
                decided=e["decided"],
            )
            for e in record["evidence"]
        ),
        contradictions=tuple(record["contradictions"]),
        could_not_say=tuple(record["could_not_say"]),
        strip=_strip(record),
    )


def _strip(record: Mapping[str, Any]) -> Strip | None:
    """Return the places on a line, or ``None`` where there is nothing to compare."""
    said = record["estimate"] or {}
    marks: dict[str, float | None] = {
        "value": record["value"],
        "estimate": said.get("value"),
        "low": said.get("low"),
        "high": said.get("high"),
        "given": record["given"],
    }
    known = [v for v in marks.values() if v is not None]
    bounds = {
        "at_least": _bound(record["evidence"], "at_least", max),
        "at_most": _bound(record["evidence"], "at_most", min),
    }
    span = max(known, default=0.0) - min(known, default=0.0)
    if record["value"] is None or span == 0.0:
        return None
    # A bound far from everything that was said would only squeeze the rest.
    near = [v for v in bounds.values() if v is not None and _near(v, known, span)]
    low, high = min(known + near), max(known + near)
    start, width = low - MARGIN * (high - low), (high - low) * (1 + 2 * MARGIN)

    def place(value: float | None) -> float | None:
        """Return how far from the left a value stands."""
        return None if value is None else round(STRIP_WIDTH * (value - start) / width, 2)

    drawn = {n: v if v in near else None for n, v in bounds.items()}
    value = place(record["value"])
    assert value is not None
    return Strip(
        value=value,
        estimate=place(marks["estimate"]),
        low=place(marks["low"]),
        high=place(marks["high"]),
        given=place(marks["given"]),
        at_least=place(drawn["at_least"]),
        at_most=place(drawn["at_most"]),
    )


def _near(value: float, known: Sequence[float], span: float) -> bool:
    """Say whether a bound lies among what was said, or no farther off than that reaches."""
    return min(known) - span <= value <= max(known) + span


def _bound(evidence: Sequence[Mapping[str, Any]], does: str, choose: Any) -> float | None:
    """Return the tightest bound of one kind, where any was named."""
    found = [float(e["value"]) for e in evidence if e["does"] == does]
    return float(choose(found)) if found else None
