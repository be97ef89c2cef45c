"""From the examples of a rule file to examples that name only what the rule reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from cryoverdict.rules.expression import ALWAYS, Node, Statistic, names, statistics, text
from cryoverdict.rules.expression_parser import ExpressionFault, parse_expression
from cryoverdict.rules.nearest import suggestion
from cryoverdict.rules.rule import Example, Origin
from cryoverdict.rules.rule_error import Fault
from cryoverdict.rules.rule_file import ExampleEntry, RuleEntry
from cryoverdict.rules.yaml_document import Key, YamlDocument

ANSWERS = (("fires", True), ("silent", False), ("could_not_say", None))


def origin_of(document: YamlDocument, path: Key) -> Origin:
    """Return where a value stands."""
    fault = document.fault(path, "")
    return Origin(file=fault.file, line=fault.line, column=fault.column)


def compile_examples(
    entry: RuleEntry,
    document: YamlDocument,
    nodes: Sequence[Node],
    features: Mapping[str, str],
    faults: list[Fault],
) -> tuple[Example, ...]:
    """Return the examples of an entry, and note values that the rule, its ``nodes``, never reads.

    Such a value would make an example look as if it tested something.
    """
    given = entry.examples
    if nodes and nodes[0] != ALWAYS and not given.silent:
        msg = "no example under silent; a rule needs one that fires and one that does not"
        faults.append(document.fault(("examples",), msg))
    read = {name for node in nodes for name in names(node) if name in features}
    asked = {text(s): s for node in nodes for s in statistics(node)}
    examples = []
    for key, answer in ANSWERS:
        for i, example in enumerate(getattr(given, key)):
            path: Key = ("examples", key, i)
            examples.append(_example(document, path, example, answer, read, asked, faults))
    return tuple(examples)


def _example(
    document: YamlDocument,
    path: Key,
    entry: ExampleEntry,
    answer: bool | None,
    read: set[str],
    asked: Mapping[str, Statistic],
    faults: list[Fault],
) -> Example:
    """Return one example; ``read`` are the features of the rule, ``asked`` its statistics."""
    values, given = {}, {}
    for name, value in (entry.__pydantic_extra__ or {}).items():
        key = _canonical_name(name)
        if key in read:
            values[key] = float(value)
        elif key in asked:
            given[key] = float(value)
        else:
            msg = f"the rule does not read {name}{suggestion(name, [*sorted(read), *asked])}"
            faults.append(document.key_fault((*path, name), msg))
    within = {name for node in asked.values() for name in names(node)} & read
    for name in entry.data_set:
        if name not in within:
            msg = f"no statistic of the rule reads {name}{suggestion(name, sorted(within))}"
            faults.append(document.key_fault((*path, "data_set", name), msg))
    if len({len(column) for column in entry.data_set.values()}) > 1:
        msg = "columns of different lengths; accepted is one length"
        faults.append(document.fault((*path, "data_set"), msg))
    return Example(
        answer=answer,
        values=values,
        statistics=given,
        data_set={name: tuple(column) for name, column in entry.data_set.items()},
        expected_value=entry.expected_value,
        note=entry.note,
        origin=origin_of(document, path),
    )


def _canonical_name(name: str) -> str:
    """Return the canonical text of a feature or statistic, or the name itself."""
    try:
        return text(parse_expression(name))
    except ExpressionFault:
        return name
