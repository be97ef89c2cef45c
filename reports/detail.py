"""Everything a page shows of one subject when it is opened."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import fsum
from typing import Any

from cryoverdict.engine.explanation import logistic
from cryoverdict.features.table import FeatureTable
from cryoverdict.reports.script_data import finite

# Subjects a detail script holds: few enough to load within a frame or two, many enough that
# 20,000 subjects make 200 files.
CHUNK = 100


@dataclass(frozen=True, slots=True, kw_only=True)
class TableIndex:
    """A feature table that answers for one subject without searching."""

    table: FeatureTable
    row: Mapping[str, int]

    @classmethod
    def of(cls, table: FeatureTable) -> TableIndex:
        """Return the index of a table."""
        return cls(table=table, row={subject: i for i, subject in enumerate(table.subjects)})

    def measured(self, subject: str) -> dict[str, Any]:
        """Return values by feature place, reasons of absent ones, and places of given ones."""
        if subject not in self.row:
            return {"values": [], "absent": {}, "given": []}
        table = self.table
        return {
            "values": finite(table.values[self.row[subject]]),
            "absent": {
                str(j): table.absent[subject, name]
                for j, name in enumerate(table.features)
                if (subject, name) in table.absent
            },
            "given": [j for j, n in enumerate(table.features) if (subject, n) in table.given],
        }


def detail_of(decision: Mapping[str, Any], index: TableIndex) -> dict[str, Any]:
    """Return what the detail script says of one decision record, without its pictures.

    ``log_odds`` is prior + Σ evidence and ``log_odds_probability`` its probability: the page shows
    the addition itself, and says so where the stored probability is another one.
    """
    evidence = [
        {key: e.get(key) for key in ("source", "name", "log_odds", "value", "unit", "text")}
        for e in decision["evidence"]
    ]
    log_odds = fsum([decision["prior_log_odds"], *(e["log_odds"] for e in evidence)])
    return {
        "probability": decision["probability"],
        "favourable_probability": decision["favourable_probability"],
        "prior_log_odds": decision["prior_log_odds"],
        "log_odds": log_odds,
        "log_odds_probability": logistic(log_odds),
        "evidence": evidence,
        "gates": list(decision["gates"]),
        "defects": [dict(d) for d in decision["defects"]],
        "review_reasons": list(decision.get("review_reasons", ())),
        "could_not_say": [
            {"rule": c["rule"], "missing": list(c["missing"]), "text": c.get("text")}
            for c in decision["could_not_say"]
        ],
        "counterfactual": decision["counterfactual"],
        "digests": dict(decision["digests"]),
        "version": decision["version"],
        **index.measured(decision["subject"]),
    }
