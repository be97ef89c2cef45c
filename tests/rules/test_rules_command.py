"""``cryoverdict rules``: what its sub-commands print, and that faults reach the caller."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result

from cryoverdict.cwl.commands.rules import DECISIONS, command
from cryoverdict.features.families import micrograph_features
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.rule_error import RuleError


def run(*arguments: str) -> Result:
    """Run a sub-command and return what it did."""
    return CliRunner().invoke(command, list(arguments))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Return a folder that changes one threshold."""
    folder = tmp_path / "site"
    folder.mkdir()
    (folder / "ours.yaml").write_text(
        "override: motion-early\nthresholds: {much: 8}\nreason: we polish\n"
    )
    return folder


def test_check_counts_the_rules(site: Path) -> None:
    listed = json.loads(run("list", "--json").output)
    result = run("check", str(site))
    first, *others = result.output.splitlines()
    assert first == f"reject-micrographs: {len(listed)} rules in use, no faults"
    assert [line.split(":")[0] for line in others] == list(DECISIONS[1:])
    assert result.exit_code == 0
    summary = json.loads(run("check", "--rules", str(site), "--json").output)
    assert summary["reject-micrographs"]["rules"] == len(listed)
    shipped = json.loads(run("check", "--json").output)
    assert summary["reject-micrographs"]["digest"] != shipped["reject-micrographs"]["digest"]


def test_check_says_which_rules_are_switched_off(site: Path) -> None:
    (site / "off.yaml").write_text("override: motion-late\nenabled: false\n")
    first = run("check", str(site)).output.splitlines()[0]
    assert first.endswith("rules in use, 1 switched off by your files, no faults")
    summary = json.loads(run("check", str(site), "--json").output)["reject-micrographs"]
    assert (summary["switched_off"], summary["deprecated"]) == (["motion-late"], [])
    assert "motion-late" in run("list", "--rules", str(site)).output
    states = run("list", "--rules", str(site)).output.splitlines()
    (line,) = (one for one in states if one.startswith("motion-late "))
    assert line.split(maxsplit=1)[1].startswith("switched off")


def test_the_test_says_what_an_override_changes(site: Path) -> None:
    # Of its examples 5.05 Å fires, 5 Å does not, and one could not be said; with 8 Å none fires.
    told = run("test", "--rules", str(site)).output.splitlines()
    assert told[1] == "motion-early, overridden: much is 8 instead of 5 (we polish)"
    assert told[2].strip().startswith("1 of its 3 examples are answered otherwise")
    (record,) = json.loads(run("test", "--rules", str(site), "--json").output)["overrides"]
    assert (record["rule"], record["examples"], record["changed"]) == ("motion-early", 3, 1)
    assert len(run("test").output.splitlines()) == 1


def test_check_hands_on_every_fault(site: Path, tmp_path: Path) -> None:
    (site / "ours.yaml").write_text("override: no-such-rule\nenabled: maybe\nx: 1\n")
    (site / "more.yaml").write_text("override: no-such-rule\nenabled: false\n")
    error = run("check", str(site)).exception
    assert isinstance(error, RuleError)
    assert [(Path(f.file).name, f.line) for f in error.faults] == [
        ("more.yaml", 1),
        ("ours.yaml", 2),
        ("ours.yaml", 3),
    ]
    absent = run("check", str(tmp_path / "nowhere")).exception
    assert isinstance(absent, RuleError)
    assert "no such folder" in str(absent)


def test_explain_tells_the_change_and_the_spread(site: Path) -> None:
    told = run("explain", "motion-early", "--rules", str(site)).output
    assert "much is 8 instead of 5 (we polish)" in told
    assert "much = 8 Å" in told
    assert "others: " in told
    record = json.loads(run("explain", "motion-early", "--json").output)
    assert record["thresholds"]["much"]["value"] == 5
    unknown = run("explain", "motion-erly").exception
    assert isinstance(unknown, RuleError)
    assert str(unknown).endswith("did you mean motion-early?")


def test_list_shows_effect_and_title() -> None:
    lines = run("list").output.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("motion-extreme "))
    assert "reject, on its own" in lines[at]


def test_test_runs_examples_and_tells_a_weak_one(site: Path) -> None:
    (site / "ours.yaml").write_text(
        "id: weak\ntitle: Weak\ndecision: reject-micrographs\nstatus: stable\n"
        "thresholds: {far: {value: 40, unit: A, spread: x, source: y}}\n"
        "when: motion_total_a > far\neffect: flag\nbecause: Moved.\nreferences: [x]\n"
        "false_alarms: [x]\n"
        "examples: {fires: [{motion_total_a: 50}], silent: [{motion_total_a: 30}]}\n"
    )
    error = run("test", "--rules", str(site)).exception
    assert isinstance(error, RuleError)
    assert {f.message for f in error.faults} == {
        "no example of weak notices when: motion_total_a >= far; add one that does",
        "no example of weak notices far: 39.2; add one that does",
        "no example of weak notices far: 40.8; add one that does",
    }


def test_diff_tells_how_many_findings_an_edit_changes(site: Path, tmp_path: Path) -> None:
    features = micrograph_features()
    values = np.full((3, len(features)), np.nan)
    names = [feature.name for feature in features]
    values[:, names.index("motion_early_a")] = [4.0, 7.0, 9.0]
    subjects = ("a", "b", "c")
    table = FeatureTable(
        subjects=subjects,
        features=tuple(names),
        units={feature.name: feature.unit for feature in features},
        values=values,
        absent={(subjects[i], names[j]): "not measured" for i, j in np.argwhere(np.isnan(values))},
    )
    path = tmp_path / "features.parquet"
    table.write(path)
    told = run("diff", "--features", str(path), "--rules", str(site)).output
    assert told == (
        "this edit changes 1 findings on 1 micrographs\n"
        "  motion-early: fires on 0 more, on 1 no longer, 0 reweighed\n"
    )
    (record,) = json.loads(
        run("diff", "--features", str(path), "--rules", str(site), "--json").output
    )
    assert (record["subject"], record["before"], record["after"]) == ("b", True, False)


def test_schema_is_the_published_one() -> None:
    from importlib.resources import files

    published = (files("cryoverdict.rules") / "rule.schema.json").read_text(encoding="utf-8")
    assert run("schema").output == published
