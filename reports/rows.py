"""The list of a page: one row a subject, kept by columns so that 20,000 rows open at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

from cryoverdict.reports.report_error import ReportError

Outcome = Literal["keep", "reject", "error"]
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
# The bin of the ledger in which each outcome ends.
BIN_OF: Mapping[Outcome, str] = {"keep": "kept", "reject": "rejected", "error": "error"}
# Sources of evidence that are rules; the third source is the model.
RULE_SOURCES = ("rule", "gate")


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """What the list shows of one subject.

    ``favourable`` is the probability of keeping it, ``None`` where it could not be read;
    ``reason`` the one sentence that weighed most; ``fired`` the rules that spoke; ``pictured``
    whether there is a thumbnail.
    """

    subject: str
    outcome: Outcome
    favourable: float | None = None
    grade: str | None = None
    defects: tuple[str, ...] = ()
    review: bool = False
    reason: str = ""
    fired: tuple[str, ...] = ()
    pictured: bool = False


def row_of(decision: Mapping[str, Any], *, pictured: bool) -> Row:
    """Return the row of one decision record (an object of ``decisions.jsonl``).

    Raises `ReportError` for an outcome that is neither keep nor reject.
    """
    outcome = decision["outcome"]
    if outcome not in ("keep", "reject"):
        msg = f"{decision['subject']}: its outcome is {outcome}; accepted is keep or reject"
        raise ReportError(msg)
    fired = [e["name"] for e in decision["evidence"] if e["source"] in RULE_SOURCES]
    return Row(
        subject=decision["subject"],
        outcome=outcome,
        favourable=decision["favourable_probability"],
        grade=decision["grade"],
        defects=tuple(d["name"] for d in decision["defects"]),
        review=decision["review"],
        reason=main_reason(decision),
        fired=tuple(dict.fromkeys(fired)),
        pictured=pictured,
    )


def main_reason(decision: Mapping[str, Any]) -> str:
    """Return the sentence of the first gate, else of the strongest evidence for the outcome."""
    gates = [e["text"] for e in decision["evidence"] if e["source"] == "gate"]
    if gates:
        return str(gates[0])
    direction = 1.0 if decision["outcome"] == "keep" else -1.0
    weighed = [(direction * e["log_odds"], e["text"]) for e in decision["evidence"]]
    speaking = [(weight, text) for weight, text in weighed if weight > 0]
    return str(max(speaking, key=lambda pair: pair[0])[1]) if speaking else ""


def unreadable_rows(ledger: Mapping[str, Any]) -> list[Row]:
    """Return a row with its error sentence for each item of the ledger's error bin."""
    return [
        Row(subject=entry["item"], outcome="error", reason=entry["reason"])
        for entry in ledger["items"]
        if entry["bin"] == "error"
    ]


def check_ledger(rows: Sequence[Row], ledger: Mapping[str, Any]) -> None:
    """Raise `ReportError` where the numbers of the ledger are not those of the rows."""
    shown = Counter(row.outcome for row in rows)
    for outcome, bin_ in BIN_OF.items():
        stated = ledger["bins"].get(bin_, 0)
        if stated != shown[outcome]:
            found = f"the ledger counts {stated} as {bin_}, the decisions {shown[outcome]}"
            msg = f"report: {found}; accepted are a ledger and decisions of the same run"
            raise ReportError(msg)


def columns_of(rows: Sequence[Row], *, defects: Sequence[str], rules: Sequence[str]) -> Any:
    """Return the rows by columns, names of defects and rules as places in their lists."""
    defect_place = {name: k for k, name in enumerate(defects)}
    rule_place = {name: k for k, name in enumerate(rules)}
    return {
        "subject": [row.subject for row in rows],
        "outcome": [OUTCOMES.index(row.outcome) for row in rows],
        "favourable": [row.favourable for row in rows],
        "grade": [row.grade for row in rows],
        "defects": [[defect_place[name] for name in row.defects] for row in rows],
        "review": [int(row.review) for row in rows],
        "reason": [row.reason for row in rows],
        "fired": [[rule_place[name] for name in row.fired] for row in rows],
        "pictured": [int(row.pictured) for row in rows],
    }


def defect_counts(rows: Sequence[Row]) -> dict[str, int]:
    """Return how many rows name each defect, the most frequent first, ties by name."""
    counts = Counter(name for row in rows for name in row.defects)
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
