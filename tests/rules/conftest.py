"""A small decision of its own: a few features, a folder of shipped rules, a folder of a site."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent

import numpy as np
import pytest

from cryoverdict.features.table import FeatureTable
from cryoverdict.rules import rule_loader
from cryoverdict.rules.rule_error import RuleError
from cryoverdict.rules.rule_loader import load_rules
from cryoverdict.rules.rule_set import RuleSet

UNITS: Mapping[str, str] = {
    "resolution_a": "A",
    "defocus_a": "A",
    "score": "1",
    "angle_deg": "deg",
    "brightness_count": "count",
}


def rule_text(
    *,
    rule_id: str = "poor-resolution",
    when: str = "resolution_a > limit",
    effect: str = "{log_odds: -1.5}",
    thresholds: str = "limit: {value: 6, unit: A, spread: '4 to 10', source: a paper}",
    examples: str = "fires: [{resolution_a: 6.05}]\nsilent: [{resolution_a: 6}]",
    because: str = "The resolution is {resolution_a}, worse than {limit}.",
    decision: str = "reject-micrographs",
    status: str = "stable",
    more: str = "",
) -> str:
    """Return the text of a rule file with some parts of one's own."""
    return "\n".join(
        [
            f"id: {rule_id}",
            "title: Poor resolution",
            f"decision: {decision}",
            f"status: {status}",
            "thresholds:",
            indent(thresholds, "  ") if thresholds else "  {}",
            f"when: {when}",
            f"effect: {effect}",
            f"because: '{because}'",
            "references: [a paper]",
            "false_alarms: [tilted specimens]",
            "examples:",
            indent(examples, "  "),
            more,
        ]
    )


def table_of(**columns: list[float | None]) -> FeatureTable:
    """Return a table of the columns given, subjects a, b, c …; the other features are absent."""
    size = len(next(iter(columns.values())))
    subjects = tuple(chr(ord("a") + i) if size <= 26 else f"s{i}" for i in range(size))
    rows = [columns.get(name, [None] * size) for name in UNITS]
    values = np.array([[np.nan if v is None else v for v in row] for row in rows], float).T
    absent = {
        (subject, name): f"no {name}"
        for i, subject in enumerate(subjects)
        for j, name in enumerate(UNITS)
        if np.isnan(values[i, j])
    }
    return FeatureTable(
        subjects=subjects, features=tuple(UNITS), units=UNITS, values=values, absent=absent
    )


@dataclass(frozen=True)
class Shelf:
    """Two folders of rule files, the writing and loading of them, and tables to ask about."""

    shipped: Path
    site: Path

    units = UNITS
    text = staticmethod(rule_text)
    table = staticmethod(table_of)

    def ship(self, name: str, content: str) -> Path:
        """Write a shipped rule file."""
        path = self.shipped / "reject-micrographs" / f"{name}.yaml"
        path.write_text(dedent(content), encoding="utf-8")
        return path

    def lay(self, name: str, content: str) -> Path:
        """Write a file of the site."""
        path = self.site / f"{name}.yaml"
        path.write_text(dedent(content), encoding="utf-8")
        return path

    def load(self, *layers: Path) -> RuleSet:
        """Return the rules, the site's layer by default where it has files."""
        chosen = layers or ((self.site,) if any(self.site.iterdir()) else ())
        return load_rules("reject-micrographs", chosen, features=UNITS)

    def faults(self, *layers: Path) -> list[str]:
        """Return the faults with their file's bare name; fail where there are none."""
        with pytest.raises(RuleError) as caught:
            self.load(*layers)
        folders = (f"{self.shipped / 'reject-micrographs'}/", f"{self.site}/")
        lines = str(caught.value).splitlines()
        for folder in folders:
            lines = [line.replace(folder, "") for line in lines]
        return lines


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    """Return empty folders in the place of the shipped rules."""
    shipped, site = tmp_path / "shipped", tmp_path / "site"
    (shipped / "reject-micrographs").mkdir(parents=True)
    site.mkdir()
    monkeypatch.setattr(rule_loader, "shipped_folder", lambda decision: shipped / decision)
    return Shelf(shipped, site)
