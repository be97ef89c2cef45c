"""What the documents say is what the code does."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import click
import pytest
import yaml

from cryoverdict.cwl.cli import COMMANDS
from cryoverdict.engine.kinds.reject_micrographs import REJECT_MICROGRAPHS
from cryoverdict.rules.rule_loader import load_rules

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
QUOTED = re.findall(r"```sh\n(.*?)```|`([^`\n]+)`", README, re.DOTALL)
CODE = "\n".join("".join(found) for found in QUOTED).replace("\\\n", " ")
CALLS = sorted(set(re.findall(r"cryoverdict ([a-z][a-z-]*(?: [a-z]+)?)([^\n#]*)", CODE)))


def command_of(words: str) -> click.Command:
    """Return the command that a line of the README calls."""
    name, *rest = words.split()
    (found,) = [c for c in COMMANDS if c.name == name]
    if isinstance(found, click.Group) and rest and rest[0] in found.commands:
        return found.commands[rest[0]]
    return found


@pytest.mark.parametrize(("words", "arguments"), CALLS, ids=lambda x: str(x).strip() or "plain")
def test_every_call_in_the_readme_exists(words: str, arguments: str) -> None:
    known = {o for p in command_of(words).params for o in p.opts}
    assert set(re.findall(r"--[a-z-]+", arguments)) <= known


def test_every_command_is_in_the_changelog_or_readme() -> None:
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    for command in COMMANDS:
        assert f"cryoverdict {command.name}" in changelog + README


def test_the_two_commands_are_targets_and_ci_calls_the_second() -> None:
    assert re.search(r"^demo:", MAKEFILE, re.MULTILINE)
    assert re.search(r"^test:", MAKEFILE, re.MULTILINE)
    assert "make demo" in README
    assert "make test" in README
    calls = (ROOT / ".ci" / "run").read_text().splitlines()[-2:]
    assert calls == ["make test", ".ci/cluster"]


def test_the_override_in_the_readme_works(tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n# site-rules/[^\n]*\n(.*?)```", README, re.DOTALL)
    (tmp_path / "site.yaml").write_text(text)
    wanted = yaml.safe_load(text)
    rules = load_rules(REJECT_MICROGRAPHS.id, [tmp_path], features=REJECT_MICROGRAPHS.units())
    changed = rules.rule(wanted["override"])
    for name, value in wanted["thresholds"].items():
        assert changed.thresholds[name].value == value


def test_links_lead_somewhere() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        assert (ROOT / target).exists(), target


def test_outputs_named_in_the_readme_are_written() -> None:
    source = "".join(
        p.read_text(encoding="utf-8")
        for room in ("engine", "cwl", "reports")
        for p in (ROOT / room).rglob("*.py")
    )
    for name in ("decisions.jsonl", "features.parquet", "ledger.json", "usable_area", "index.html"):
        assert name in README
        assert name in source


def test_version_is_said_once() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_readme_has_its_results() -> None:
    assert "RESULTS" not in README
