"""What one rule says of one subject, with the comparisons it made."""

from __future__ import annotations

from dataclasses import dataclass

from cryoverdict.rules.rule import Rule


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two values that were compared, and the answer; ``None`` is what could not be known."""

    text: str
    left: float | None
    operator: str
    right: float | None
    unit: str
    answer: bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The answer of a rule for a subject.

    ``fired`` is ``None`` where the rule could not say; then ``missing`` names the features and
    statistics that kept it from doing so, and only those that could have turned the answer.
    ``value`` is the number that a parameter rule gives where it fired.
    """

    rule: Rule
    fired: bool | None
    comparisons: tuple[Comparison, ...]
    missing: tuple[str, ...]
    sentence: str
    value: float | None = None
