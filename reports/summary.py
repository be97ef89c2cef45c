"""The head of a page: how many of each outcome, and what was wrong with the rejected."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryoverdict.reports.number import write_number, write_share
from cryoverdict.reports.rows import Row


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts over all subjects, and one sentence that says them.

    ``defects`` and ``grades`` are pairs of name and count, the most frequent first.
    """

    total: int
    kept: int
    rejected: int
    unreadable: int
    review: int
    defects: tuple[tuple[str, int], ...]
    grades: tuple[tuple[str, int], ...]
    sentence: str

    @property
    def outcomes(self) -> tuple[tuple[str, str, int], ...]:
        """Return outcome, word and count of each of the three bins."""
        return (
            ("keep", "kept", self.kept),
            ("reject", "rejected", self.rejected),
            ("error", "error", self.unreadable),
        )


def summary_of(rows: Sequence[Row], defects: Mapping[str, int]) -> Summary:
    """Return the summary of the rows of a page; ``defects`` are counts, most frequent first."""
    outcomes = Counter(row.outcome for row in rows)
    grades = Counter(row.grade for row in rows if row.grade is not None)
    kept, rejected, unreadable = outcomes["keep"], outcomes["reject"], outcomes["error"]
    review = sum(row.review for row in rows)
    return Summary(
        total=len(rows),
        kept=kept,
        rejected=rejected,
        unreadable=unreadable,
        review=review,
        defects=tuple(defects.items()),
        grades=tuple(sorted(grades.items(), key=lambda pair: (-pair[1], pair[0]))),
        sentence=_sentence(len(rows), kept, rejected, unreadable, review, defects),
    )


def _sentence(
    total: int, kept: int, rejected: int, unreadable: int, review: int, defects: Mapping[str, int]
) -> str:
    """Return the outcome of a data set as a person would say it."""
    if total == 0:
        return "There was no micrograph to judge."
    share = f" ({write_share(kept, total)})" if total > 1 else ""
    parts = [f"{write_number(kept)} of {_counted(total, 'micrograph')} kept{share}"]
    if rejected:
        often = "; ".join(f"{name} {write_number(n)}" for name, n in list(defects.items())[:3])
        parts.append(f"{write_number(rejected)} rejected" + (f" ({often})" if often else ""))
    if unreadable:
        parts.append(f"{write_number(unreadable)} could not be read")
    if review:
        parts.append(f"{write_number(review)} flagged for review")
    return ", ".join(parts) + "."


def _counted(number: int, noun: str) -> str:
    """Return a number with its noun in the right form."""
    return f"{write_number(number)} {noun}{'' if number == 1 else 's'}"
