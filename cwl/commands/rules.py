"""``cryoverdict rules``: check, test, list, explain and compare the rules of the experts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, cast

import click

from cryoverdict.cwl.options import json_option, rules_option

if TYPE_CHECKING:
    from cryoverdict.engine.parameter_kind import Fact, Parameter
    from cryoverdict.features.feature import Feature
    from cryoverdict.rules.rule import DecisionKind, Rule
    from cryoverdict.rules.rule_set import RuleSet

# The registered kinds of decision and evidence (engine/kinds; a test compares). Written out,
# as importing them would make every command start slowly.
DECISIONS = (
    "reject-micrographs",
    "select-classes",
    "picking",
    "classification",
    "micrograph-yield",
    "keep-particles",
    "further-round",
    "learning",
)

decision_option = click.option(
    "--decision",
    type=click.Choice(DECISIONS),
    default=DECISIONS[0],
    show_default=True,
    help="The kind of decision whose rules are meant.",
)


@click.group("rules")
def command() -> None:
    """Check, test, list, explain and compare expert rules.

    Your own rules and overrides are YAML files in a folder, laid over the shipped ones with
    --rules DIR; a later folder wins.
    """


@command.command()
@click.argument("folders", nargs=-1, metavar="[DIR]...", type=click.Path(path_type=Path))
@rules_option
@json_option
def check(folders: tuple[Path, ...], rule_layers: tuple[Path, ...], as_json: bool) -> None:
    """Check the shipped rules with the folders laid over them; print all faults at once."""
    from cryoverdict.rules.rule_error import Fault, RuleError

    absent = [folder for folder in folders if not folder.is_dir()]
    if absent:
        msg = "no such folder; accepted is a folder with .yaml files"
        raise RuleError(Fault(file=str(folder), message=msg) for folder in absent)
    found = {kind: _load(kind, (*folders, *rule_layers)) for kind in DECISIONS}
    summary = {
        kind: {
            "rules": len(rules.rules),
            "idle": len(rules.idle),
            "switched_off": [r.id for r in rules.idle if r.status != "deprecated"],
            "deprecated": [r.id for r in rules.idle if r.status == "deprecated"],
            "digest": rules.digest,
        }
        for kind, rules in found.items()
    }
    if as_json:
        click.echo(json.dumps(summary, sort_keys=True))
        return
    for kind, rules in found.items():
        click.echo(f"{kind}: {_count(rules)}, no faults")


@command.command()
@decision_option
@rules_option
@json_option
def test(decision: str, rule_layers: tuple[Path, ...], as_json: bool) -> None:
    """Ask every rule its own examples, and whether they would notice a changed comparison.

    Of a rule that you override it also says how many examples it answers otherwise now.
    """
    from cryoverdict.rules.rule_error import RuleError
    from cryoverdict.rules.self_test import self_test

    done = self_test(_load(decision, rule_layers))
    if done.faults:
        raise RuleError(done.faults)
    if as_json:
        summary = {
            "rules": done.rules,
            "examples": done.examples,
            "changes": done.changes,
            "overrides": [asdict(override) for override in done.overrides],
        }
        click.echo(json.dumps(summary, sort_keys=True, ensure_ascii=False))
        return
    click.echo(
        f"{done.rules} rules answer their {done.examples} examples, which notice all of "
        f"{done.changes} changes"
    )
    for override in done.overrides:
        click.echo(f"{override.rule}, overridden: {'; '.join(override.changes)}")
        click.echo(
            f"  {override.changed} of its {override.examples} examples are answered otherwise than "
            "with the shipped numbers"
        )


@command.command("list")
@decision_option
@rules_option
@json_option
def list_rules(decision: str, rule_layers: tuple[Path, ...], as_json: bool) -> None:
    """List the rules of a decision: id, status, effect, title."""
    from cryoverdict.rules.effect import describe_effect

    rules = _load(decision, rule_layers)
    if as_json:
        records = [{**r.record(), "idle": r in rules.idle} for r in _all(rules)]
        click.echo(json.dumps(records, sort_keys=True, ensure_ascii=False))
        return
    width = max((len(rule.id) for rule in _all(rules)), default=0)
    for rule in _all(rules):
        switched_off = rule in rules.idle and rule.status != "deprecated"
        state = "switched off" if switched_off else rule.status
        changed = " (changed)" if rule.changes else ""
        click.echo(f"{rule.id:{width}}  {state:12}  {describe_effect(rule.effect)}{changed}")
        click.echo(f"{'':{width}}  {rule.title}")


@command.command()
@click.argument("rule_id", metavar="ID")
@decision_option
@rules_option
@json_option
def explain(rule_id: str, decision: str, rule_layers: tuple[Path, ...], as_json: bool) -> None:
    """Tell one rule in plain language, with its numbers and where they come from."""
    from cryoverdict.rules.plain_language import explain as told

    rule = _load(decision, rule_layers).rule(rule_id)
    if as_json:
        click.echo(json.dumps(rule.record(), sort_keys=True, ensure_ascii=False))
        return
    click.echo(told(rule, {f.name: f.meaning for f in _features(decision)}))


@command.command()
@click.option(
    "--features",
    "table_path",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The features.parquet on which the rules are compared.",
)
@decision_option
@rules_option
@json_option
def diff(table_path: Path, decision: str, rule_layers: tuple[Path, ...], as_json: bool) -> None:
    """Say which findings your rules change on a data set, against the shipped rules."""
    from cryoverdict.features.table import FeatureTable
    from cryoverdict.rules.difference import diff as differences

    changes = differences(
        _load(decision, ()), _load(decision, rule_layers), FeatureTable.read(table_path)
    )
    if as_json:
        records = [
            {
                "rule": c.rule,
                "subject": c.subject,
                "before": c.before,
                "after": c.after,
                "reweighed": c.reweighed,
            }
            for c in changes
        ]
        click.echo(json.dumps(records, sort_keys=True, ensure_ascii=False))
        return
    subjects = {change.subject for change in changes}
    click.echo(f"this edit changes {len(changes)} findings on {len(subjects)} micrographs")
    for rule_id in dict.fromkeys(change.rule for change in changes):
        mine = [change for change in changes if change.rule == rule_id]
        fires = sum(c.after is True and c.before is not True for c in mine)
        stops = sum(c.before is True and c.after is not True for c in mine)
        weighs = sum(c.reweighed for c in mine)
        click.echo(f"  {rule_id}: fires on {fires} more, on {stops} no longer, {weighs} reweighed")


@command.command()
def schema() -> None:
    """Print the JSON Schema of a rule file, for editors that complete and check YAML."""
    from cryoverdict.rules.rule_file import rule_schema

    click.echo(json.dumps(rule_schema(), indent=2, sort_keys=True, ensure_ascii=False))


def _count(rules: RuleSet) -> str:
    """Return how many rules take part, and how many do not and why."""
    deprecated = sum(rule.status == "deprecated" for rule in rules.idle)
    off = len(rules.idle) - deprecated
    words = [f"{len(rules.rules)} rules in use"]
    words += [f"{off} switched off by your files"] if off else []
    words += [f"{deprecated} deprecated and no longer asked"] if deprecated else []
    return ", ".join(words)


def _features(decision: str) -> Sequence[Feature | Fact | Parameter]:
    """Return what rules of a decision may name: measurements, or facts and parameters."""
    from cryoverdict.engine.kinds import EVIDENCE_KINDS, KINDS, PARAMETER_KINDS

    known: dict[str, Sequence[Feature | Fact | Parameter]] = {
        **{kind.id: kind.features() for kind in KINDS},
        **{kind.id: (*kind.facts, *kind.parameters) for kind in PARAMETER_KINDS},
        **{kind.id: kind.facts for kind in EVIDENCE_KINDS},
    }
    return known[decision]


def _load(decision: str, layers: Sequence[Path]) -> RuleSet:
    """Return the rules of a decision with layers laid over them."""
    from cryoverdict.rules.rule_loader import load_rules

    units = {feature.name: feature.unit for feature in _features(decision)}
    return load_rules(cast("DecisionKind", decision), layers, features=units)


def _all(rules: RuleSet) -> tuple[Rule, ...]:
    """Return active and idle rules in the order of their ids."""
    return tuple(sorted((*rules.rules, *rules.idle), key=lambda rule: rule.id))
