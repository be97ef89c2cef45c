"""From folders of YAML files to the rules of a decision: a site's layers over the shipped ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path

from cryoverdict.rules.effect import LogOdds
from cryoverdict.rules.expression import Name
from cryoverdict.rules.nearest import suggestion
from cryoverdict.rules.physical_sense import fraction_fault, override_fault
from cryoverdict.rules.rule import DECISION_KINDS, DecisionKind, Rule
from cryoverdict.rules.rule_checker import compile_rule
from cryoverdict.rules.rule_error import Fault, RuleError
from cryoverdict.rules.rule_file import OverrideEntry, RuleEntry
from cryoverdict.rules.rule_set import RuleSet
from cryoverdict.rules.structure_fault import read_entry
from cryoverdict.rules.yaml_document import YamlDocument, read_yaml


def load_rules(
    decision: DecisionKind, layers: Sequence[Path] = (), *, features: Mapping[str, str]
) -> RuleSet:
    """Return the shipped rules of a decision with a site's ``layers`` laid over them, in order.

    ``features`` gives the unit of each feature that may be named. A layer is a folder of YAML
    files; each adds a rule, replaces one (``replaces: ID``) or changes one (``override: ID``).
    Files that speak of rules of other decisions are checked for their structure and left aside.
    Raises `RuleError` with all faults of all files.
    """
    faults: list[Fault] = []
    shelf = _Shelf(decision=decision, features=features, faults=faults, rules={}, seen={})
    for kind in DECISION_KINDS:
        folder = shipped_folder(kind)
        if kind == decision and folder.is_dir():
            shelf.lay(_entries(folder, faults))
        elif folder.is_dir():
            shelf.seen |= {path.stem: str(path) for path in _yaml_files(folder)}
    for layer in layers:
        if not _yaml_files(layer):
            msg = "no rule files; accepted is a folder with .yaml files"
            faults.append(Fault(file=str(layer), message=msg))
        shelf.lay(_entries(layer, faults))
    if faults:
        raise RuleError(faults)
    rules = sorted(shelf.rules.values(), key=lambda shelved: shelved.rule.id)
    active = [s.rule for s in rules if s.enabled and s.rule.status != "deprecated"]
    idle = [s.rule for s in rules if not s.enabled or s.rule.status == "deprecated"]
    return RuleSet(decision=decision, rules=tuple(active), idle=tuple(idle))


def shipped_folder(decision: DecisionKind) -> Path:
    """Return the folder of the shipped rules of a decision, which need not exist."""
    return Path(str(files("cryoverdict.rules"))) / decision


def _yaml_files(folder: Path) -> list[Path]:
    """Return the rule files below a folder, in the order of their names."""
    return sorted(p for p in folder.rglob("*") if p.suffix in (".yaml", ".yml") and p.is_file())


def _entries(folder: Path, faults: list[Fault]) -> list[_Filed]:
    """Return the entries of a folder whose structure is sound."""
    filed = []
    for path in _yaml_files(folder):
        document = read_yaml(path, faults)
        entry = document and read_entry(document, faults)
        if document and entry:
            filed.append(_Filed(entry=entry, document=document))
    return filed


@dataclass(frozen=True, slots=True, kw_only=True)
class _Filed:
    """An entry with the file it stands in."""

    entry: RuleEntry | OverrideEntry
    document: YamlDocument


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shelved:
    """A rule that later layers may still change or switch off."""

    rule: Rule
    enabled: bool = True


@dataclass(slots=True, kw_only=True)
class _Shelf:
    """The rules while layer after layer is laid on.

    ``seen`` says where each id was defined, those of other decisions and faulty ones too, so that
    one mistake is not reported as two.
    """

    decision: DecisionKind
    features: Mapping[str, str]
    faults: list[Fault]
    rules: dict[str, _Shelved]
    seen: dict[str, str]

    def lay(self, layer: Sequence[_Filed]) -> None:
        """Lay on one layer: its rules first, then its overrides, each rule overridden once."""
        for filed in layer:
            if isinstance(filed.entry, RuleEntry):
                self.add(filed.entry, filed.document)
        overridden: dict[str, str] = {}
        for filed in layer:
            if isinstance(filed.entry, OverrideEntry):
                first = overridden.setdefault(filed.entry.override, filed.document.file)
                if first != filed.document.file:
                    msg = f"{filed.entry.override} is overridden in {first} too; join the two"
                    self.faults.append(filed.document.fault(("override",), msg))
                else:
                    self.override(filed.entry, filed.document)

    def add(self, entry: RuleEntry, document: YamlDocument) -> None:
        """Add a rule, or put it in the place of the one it replaces."""
        replaced = entry.replaces
        if replaced is not None and replaced not in self.seen:
            hint = suggestion(replaced, sorted(self.seen))
            msg = f"replaces {replaced}, which is no rule{hint}"
            self.faults.append(document.fault(("replaces",), msg))
        elif replaced is not None:
            del self.seen[replaced]
            self.rules.pop(replaced, None)
        if entry.id in self.seen:
            msg = (
                f"the rule {entry.id} is defined already in {self.seen[entry.id]}; to change it "
                f"write override: {entry.id}, to take its place replaces: {entry.id}"
            )
            self.faults.append(document.fault(("id",), msg))
            return
        self.seen[entry.id] = document.file
        if entry.decision == self.decision:
            rule = compile_rule(entry, document, self.features, self.faults)
            if rule is not None:
                for name, number in rule.numbers.items():
                    if fault := fraction_fault(rule, name, number):
                        path = ("thresholds", name, "value")
                        self.faults.append(document.fault(path, fault))
                self.rules[rule.id] = _Shelved(rule=rule)

    def override(self, entry: OverrideEntry, document: YamlDocument) -> None:
        """Change a rule, or note why it cannot be changed so."""
        if entry.override not in self.seen:
            msg = (
                f"there is no rule {entry.override}{suggestion(entry.override, sorted(self.seen))}"
            )
            self.faults.append(document.fault(("override",), msg))
            return
        shelved = self.rules.get(entry.override)
        if shelved is None:
            return
        if entry.enabled is None and not entry.thresholds and entry.log_odds is None:
            msg = "changes nothing; accepted are enabled, thresholds and log_odds"
            self.faults.append(document.fault((), msg))
        self.rules[entry.override] = self.changed(shelved, entry, document)

    def changed(self, shelved: _Shelved, entry: OverrideEntry, document: YamlDocument) -> _Shelved:
        """Return a rule with an override applied."""
        rule, changes = shelved.rule, list(shelved.rule.changes)
        thresholds, effect = dict(rule.thresholds), rule.effect
        why = f" ({entry.reason})" if entry.reason else ""
        for name, value in entry.thresholds.items():
            if name not in thresholds:
                hint = suggestion(name, thresholds)
                msg = f"{rule.id} has no threshold {name}{hint}"
                self.faults.append(document.key_fault(("thresholds", name), msg))
                continue
            fault = override_fault(rule, name, value)
            if not 0 <= value <= 1 and name in _fractions(rule):
                fault = f"the fraction {name} is {value:g}; accepted is 0 to 1"
            if fault:
                self.faults.append(document.fault(("thresholds", name), fault))
            changes.append(f"{name} is {value:g} instead of {thresholds[name].value:g}{why}")
            thresholds[name] = replace(thresholds[name], value=float(value))
        if entry.log_odds == 0:
            msg = "log-odds 0 say nothing; to switch the rule off write enabled: false"
            self.faults.append(document.fault(("log_odds",), msg))
        if entry.log_odds is not None:
            if not isinstance(effect, LogOdds):
                msg = f"{rule.id} has no log_odds to change; replace the rule to change its effect"
                self.faults.append(document.key_fault(("log_odds",), msg))
            else:
                changes.append(f"log-odds are {entry.log_odds:g} instead of {effect.value:g}{why}")
                effect = LogOdds(entry.log_odds)
        enabled = shelved.enabled if entry.enabled is None else entry.enabled
        changed = replace(rule, thresholds=thresholds, effect=effect, changes=tuple(changes))
        return _Shelved(rule=changed, enabled=enabled)


def _fractions(rule: Rule) -> set[str]:
    """Return the thresholds that are the fraction of a quantile."""
    return {s.fraction.name for s in rule.statistics if isinstance(s.fraction, Name)}
