"""From the entry of a file to a rule: every name known, every unit sound, every number used."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryoverdict.rules.dimension import symbol
from cryoverdict.rules.effect import (
    AtLeast,
    AtMost,
    Effect,
    Flag,
    LogOdds,
    ParameterEffect,
    Reject,
    Set,
)
from cryoverdict.rules.example_checker import compile_examples, origin_of
from cryoverdict.rules.expression import (
    Compare,
    Condition,
    Expression,
    Name,
    Node,
    Number,
    Statistic,
    comparisons,
    names,
    statistics,
    text,
    walk,
)
from cryoverdict.rules.expression_parser import (
    ExpressionFault,
    parse_condition,
    parse_expression,
)
from cryoverdict.rules.nearest import suggestion
from cryoverdict.rules.rule import DEFECTS, Example, Rule, Threshold
from cryoverdict.rules.rule_error import Fault
from cryoverdict.rules.rule_file import (
    AtLeastEntry,
    AtMostEntry,
    LogOddsEntry,
    ParameterEntry,
    RuleEntry,
    SetEntry,
)
from cryoverdict.rules.sentence import Sentence
from cryoverdict.rules.unit_check import check_units, dimension_of
from cryoverdict.rules.yaml_document import Key, YamlDocument

PARAMETER_DECISIONS = ("picking", "classification")
_MIRRORED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "=="}
_OPPOSITE = {"<": ">=", ">": "<="}
Parsed = TypeVar("Parsed")


def compile_rule(
    entry: RuleEntry, document: YamlDocument, features: Mapping[str, str], faults: list[Fault]
) -> Rule | None:
    """Return the rule of an entry; else note each fault and return ``None``.

    ``features`` gives the unit of each feature that the decision has.
    """
    before = len(faults)
    checker = _Checker(entry=entry, document=document, features=features, faults=faults)
    condition = checker.parsed(("when",), entry.when, parse_condition)
    effect = checker.effect()
    checker.thresholds()
    nodes: list[Node] = []
    if condition is not None:
        checker.condition(condition)
        nodes.append(condition)
    if isinstance(effect, ParameterEffect):
        nodes.append(effect.value)
    shown = checker.sentence(nodes)
    if not checker.unreadable:
        checker.unused([*nodes, *shown])
    checker.defects(effect)
    examples: tuple[Example, ...] = ()
    if not checker.unreadable:
        examples = compile_examples(entry, document, nodes, features, faults)
    if condition is None or effect is None or len(faults) > before:
        return None
    used = names_of([*nodes, *shown])
    thresholds = {name: _threshold(entry, name) for name in sorted(entry.thresholds)}
    return Rule(
        id=entry.id,
        title=entry.title,
        decision=entry.decision,
        status=entry.status,
        thresholds=thresholds,
        condition=condition,
        effect=effect,
        units={name: features[name] for name in used if name in features},
        because=Sentence(template=entry.because),
        references=tuple(entry.references),
        false_alarms=tuple(entry.false_alarms),
        points_to=tuple(entry.points_to),
        examples=examples,
        authored={name: threshold.value for name, threshold in thresholds.items()},
        origin=origin_of(document, ("id",)),
    )


def names_of(nodes: Sequence[Node]) -> tuple[str, ...]:
    """Return the names in several nodes, each once."""
    return tuple(dict.fromkeys(name for node in nodes for name in names(node)))


def _threshold(entry: RuleEntry, name: str) -> Threshold:
    """Return a threshold of an entry."""
    given = entry.thresholds[name]
    spread = (given.spread,) if isinstance(given.spread, str) else tuple(given.spread)
    return Threshold(value=given.value, unit=given.unit, spread=spread, source=given.source)


@dataclass(slots=True, kw_only=True)
class _Checker:
    """Checks the parts of one entry and notes what is wrong.

    ``unreadable`` says that an expression could not be taken over, so that what it names cannot
    be held against the rest of the file.
    """

    entry: RuleEntry
    document: YamlDocument
    features: Mapping[str, str]
    faults: list[Fault]
    units: dict[str, str] = field(init=False)
    unreadable: bool = False

    def __post_init__(self) -> None:
        """Join the units of features and thresholds."""
        own = {name: threshold.unit for name, threshold in self.entry.thresholds.items()}
        self.units = {**self.features, **own}

    def note(self, path: Key, message: str, *, at: int | None = None) -> None:
        """Note a fault at a value."""
        self.faults.append(self.document.fault(path, message, at=at))

    def parsed(self, path: Key, source: str, parse: Callable[[str], Parsed]) -> Parsed | None:
        """Return the tree of an expression, or note why there is none."""
        try:
            return parse(source)
        except ExpressionFault as fault:
            self.note(path, fault.message, at=fault.at)
            self.unreadable = True
            return None

    def thresholds(self) -> None:
        """Refuse a threshold that is called like a feature."""
        for name in self.entry.thresholds:
            if name in self.features:
                msg = f"the threshold {name} is called like a feature; give it another name"
                self.faults.append(self.document.key_fault(("thresholds", name), msg))

    def names(self, path: Key, node: Node, shift: int = 0) -> None:
        """Refuse names that are neither a feature nor a threshold, and statistics of no feature."""
        for inner in walk(node):
            if isinstance(inner, Name) and inner.name not in self.units:
                hint = suggestion(inner.name, [*self.entry.thresholds, *self.features])
                msg = f"{inner.name} is neither a feature nor a threshold of the rule{hint}"
                self.note(path, msg, at=inner.at + shift)
                self.unreadable = True
            if isinstance(inner, Statistic):
                self.statistic(path, inner, shift)

    def statistic(self, path: Key, node: Statistic, shift: int) -> None:
        """Refuse a statistic of anything but features, and a fraction outside 0 to 1."""
        inner = node.argument
        if inner is not None and (
            statistics(inner) or not names(inner) or set(names(inner)) & set(self.entry.thresholds)
        ):
            msg = f"{node.function} of {text(inner)}; accepted are features and arithmetic of them"
            self.note(path, msg, at=inner.at + shift)
        value = None
        if isinstance(node.fraction, Name) and node.fraction.name in self.entry.thresholds:
            value = self.entry.thresholds[node.fraction.name].value
        elif isinstance(node.fraction, Name) and node.fraction.name in self.features:
            value = 2.0
        elif isinstance(node.fraction, Number):
            value = node.fraction.value
        if node.fraction is not None and value is not None and not 0 <= value <= 1:
            msg = (
                f"the fraction {text(node.fraction)} of a quantile; accepted is a threshold, 0 to 1"
            )
            self.note(path, msg, at=node.fraction.at + shift)

    def condition(self, condition: Condition) -> None:
        """Check names, units, and that each comparison says something, once."""
        path: Key = ("when",)
        self.names(path, condition)
        check_units(condition, self.units, lambda at, message: self.note(path, message, at=at))
        seen: set[tuple[str, str, str]] = set()
        for compared in comparisons(condition):
            self.comparison(path, compared)
            form = _canonical(compared)
            if form in seen:
                msg = f"{text(compared)} is asked twice (or its opposite is); write it once"
                self.note(path, msg, at=compared.at)
            seen.add(form)

    def comparison(self, path: Key, compared: Compare) -> None:
        """Refuse a comparison of no feature, and one with a number that has no name."""
        known = self.units.keys()
        counts = any(s.argument is None for s in statistics(compared))
        fixed = all(name in self.entry.thresholds for name in names(compared))
        if fixed and not counts and known:
            msg = f"{text(compared)} looks at no feature; its answer never changes"
            self.note(path, msg, at=compared.at)
        for side in (compared.left, compared.right):
            bare = [n for n in walk(side) if isinstance(n, Number)]
            if bare and not names(side) and not statistics(side) and any(n.value for n in bare):
                msg = f"the bare number {text(side)}; only 0 needs no name: put it under thresholds"
                self.note(path, msg, at=side.at)

    def effect(self) -> Effect | None:
        """Return the effect, checked against the kind of decision."""
        given, decision = self.entry.effect, self.entry.decision
        path: Key = ("effect",)
        effect: Effect | None
        match given:
            case "reject":
                effect = Reject()
            case "flag":
                effect = Flag()
            case LogOddsEntry():
                effect = LogOdds(given.log_odds)
            case SetEntry():
                effect = self.parameter(given.set, "set", Set)
            case AtLeastEntry():
                effect = self.parameter(given.at_least, "at_least", AtLeast)
            case AtMostEntry():
                effect = self.parameter(given.at_most, "at_most", AtMost)
        settles = isinstance(given, SetEntry | AtLeastEntry | AtMostEntry)
        if not isinstance(effect, Flag) and settles != (decision in PARAMETER_DECISIONS):
            wanted = "set, at_least, at_most" if not settles else "reject, log_odds"
            self.note(
                path, f"an effect that {decision} has no use for; accepted are {wanted}, flag"
            )
        if isinstance(effect, LogOdds) and effect.value == 0:
            self.note(path, "log-odds 0 say nothing; accepted is any other number, or flag")
        if isinstance(effect, Reject) and self.entry.status == "experimental":
            msg = "an experimental rule decides alone; accepted are log_odds and flag until stable"
            self.note(path, msg)
        return effect

    def parameter(
        self, entry: ParameterEntry, key: str, make: type[Set] | type[AtLeast] | type[AtMost]
    ) -> Effect | None:
        """Return a parameter effect with its value parsed and its unit checked."""
        path: Key = ("effect", key, "value")
        value = self.parsed(path, entry.value, parse_expression)
        if value is None:
            return None
        self.names(path, value)

        def report(at: int, message: str) -> None:
            """Note a mismatch of units."""
            self.note(path, message, at=at)

        dimension = dimension_of(value, self.units, report)
        if dimension is not None and dimension.unit != entry.unit:
            found = symbol(dimension.unit) or 'pure ("1")'
            self.note(path, f"{text(value)} is in {found}, {entry.parameter} in {entry.unit}")
        return make(parameter=entry.parameter, value=value, unit=entry.unit)

    def sentence(self, nodes: Sequence[Node]) -> list[Expression]:
        """Check the places of the sentence, and return what they show."""
        path: Key = ("because",)
        template = self.entry.because
        if any(brace in "{}" for brace in Sentence(template=template).without_places):
            self.note(path, "a brace without its partner; accepted are places such as {feature}")
        asked = {s for node in nodes for s in statistics(node)}
        shown = []
        for place in Sentence(template=template).places:
            try:
                node = parse_expression(place.expression)
            except ExpressionFault as fault:
                self.note(path, fault.message, at=place.at + fault.at)
                continue
            self.names(path, node, shift=place.at)
            if not set(statistics(node)) <= asked:
                msg = f"{place.expression} is not in the condition; show only what the rule asks"
                self.note(path, msg, at=place.at)
            shown.append(node)
        return shown

    def unused(self, nodes: Sequence[Node]) -> None:
        """Refuse thresholds that nothing reads."""
        for name in self.entry.thresholds:
            if name not in names_of(nodes) and name not in self.features:
                msg = f"the threshold {name} is not used; use it in the condition or take it out"
                self.faults.append(self.document.key_fault(("thresholds", name), msg))

    def defects(self, effect: Effect | None) -> None:
        """Refuse defects that the decision does not know, and defects of a rule that praises."""
        accepted = DEFECTS.get(self.entry.decision, ())
        for i, name in enumerate(self.entry.points_to):
            if name not in accepted or name in self.entry.points_to[:i]:
                problem = (
                    "twice" if name in accepted else "as a defect" + suggestion(name, accepted)
                )
                self.note(("points_to", i), f"{name} {problem}")
        if isinstance(effect, LogOdds) and effect.value > 0 and self.entry.points_to:
            msg = "the rule speaks for the subject and points to a defect; accepted is one of both"
            self.note(("points_to",), msg)


def _canonical(compared: Compare) -> tuple[str, str, str]:
    """Return one form for a comparison, its mirror image and its opposite."""
    left, operator, right = text(compared.left), compared.operator, text(compared.right)
    if left > right:
        left, operator, right = right, _MIRRORED[operator], left
    return left, _OPPOSITE.get(operator, operator), right
