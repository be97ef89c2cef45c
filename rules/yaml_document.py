"""A YAML file as plain data, with the place of every value in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from cryoverdict.rules.rule_error import Fault

Key = tuple[str | int, ...]
LARGEST = 1_000_000
DEEPEST = 20
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+)([eE][-+][0-9]+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class YamlDocument:
    """The data of one file; ``keys`` and ``nodes`` say where each key and value stands.

    A place in the data is a path such as ``("thresholds", "limit", "value")``.
    """

    file: str
    source: str
    data: Mapping[str, Any]
    keys: Mapping[Key, yaml.Node]
    nodes: Mapping[Key, yaml.Node]

    def fault(self, path: Key, message: str, *, at: int | None = None) -> Fault:
        """Return a fault at a value; ``at`` is an offset in its text."""
        while path and path not in self.nodes:
            path = path[:-1]
        node = self.nodes[path]
        line, column = node.start_mark.line, node.start_mark.column
        if at is not None and isinstance(node, yaml.ScalarNode):
            line, column = self._place_in(node, at)
        return Fault(file=self.file, line=line + 1, column=column + 1, message=message)

    def key_fault(self, path: Key, message: str) -> Fault:
        """Return a fault at the key under which a value stands."""
        if path not in self.keys:
            return self.fault(path, message)
        mark = self.keys[path].start_mark
        return Fault(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message)

    def _place_in(self, node: yaml.ScalarNode, at: int) -> tuple[int, int]:
        """Return line and column from 0 of a character of a scalar, however it is folded.

        Blanks may differ between file and value, all else stands in the same order; where it
        does not (escapes in double quotes), the start of the scalar is near enough.
        """
        start, end = node.start_mark.index, node.end_mark.index
        position = start
        if node.style in ("|", ">"):
            position = self.source.find("\n", start) + 1
        elif node.style in ("'", '"'):
            position = start + 1
        wanted = [c for c in node.value[:at] if not c.isspace()]
        for character in wanted:
            position = self.source.find(character, position, end) + 1
            if position == 0:
                return node.start_mark.line, node.start_mark.column
        while position < end - 1 and self.source[position].isspace():
            position += 1
        before = self.source[:position]
        return before.count("\n"), position - (before.rfind("\n") + 1)


@dataclass(slots=True)
class _Builder:
    """Turns nodes into data, and collects what is refused."""

    file: str
    faults: list[Fault]
    keys: dict[Key, yaml.Node] = field(default_factory=dict)
    nodes: dict[Key, yaml.Node] = field(default_factory=dict)
    seen: set[int] = field(default_factory=set)

    def refuse(self, node: yaml.Node, message: str) -> None:
        """Note a fault at the start of a node."""
        mark = node.start_mark
        fault = Fault(file=self.file, line=mark.line + 1, column=mark.column + 1, message=message)
        self.faults.append(fault)

    def build(self, node: yaml.Node, path: Key) -> Any:
        """Return the data of a node."""
        self.nodes[path] = node
        if id(node) in self.seen:
            self.refuse(node, "an anchor is used again by an alias; write the content out")
            return None
        self.seen.add(id(node))
        tag = node.tag.removeprefix(_TAG)
        if isinstance(node, yaml.MappingNode) and tag == "map":
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode) and tag == "seq":
            return [self.build(item, (*path, i)) for i, item in enumerate(node.value)]
        if isinstance(node, yaml.ScalarNode):
            return self._scalar(node, tag)
        self.refuse(node, _refused_tag(node.tag))
        return None

    def _mapping(self, node: yaml.MappingNode, path: Key) -> dict[str, Any]:
        """Return a mapping; a key that stands twice is refused where it stands again."""
        data: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode) or key_node.tag != f"{_TAG}str":
                self.refuse(key_node, "a key that is not plain text; accepted are names")
                continue
            key = key_node.value
            if key in data:
                first = self.keys[*path, key].start_mark.line + 1
                self.refuse(key_node, f"the key {key} stands twice, first in line {first}")
                continue
            self.keys[*path, key] = key_node
            data[key] = self.build(value_node, (*path, key))
        return data

    def _scalar(self, node: yaml.ScalarNode, tag: str) -> Any:
        """Return text, a number, true or false, or nothing."""
        value: str = node.value
        match tag:
            case "str" | "timestamp":
                return value
            case "null":
                return None
            case "bool":
                return value.lower() in ("yes", "true", "on")
            case "int" if _INTEGER.fullmatch(value):
                return int(value)
            case "float" if _FLOAT.fullmatch(value):
                return float(value)
            case "int" | "float":
                self.refuse(
                    node, f"{value} is not a plain decimal number; accepted is 12, 0.5 or 1.0e-3"
                )
            case _:
                self.refuse(node, _refused_tag(node.tag))
        return None


def _refused_tag(tag: str) -> str:
    """Return the sentence for a tag that would make something else than data."""
    return f"the tag {tag}; accepted are text, numbers, true and false, lists and mappings"


def read_yaml(path: Path, faults: list[Fault], *, settings: bool = False) -> YamlDocument | None:
    """Return the data of a file that holds one mapping; else note why not and return ``None``.

    ``settings`` says that the file holds settings, not a rule: it may be empty. Nothing is
    constructed but text, numbers, booleans, lists and mappings. Numbers are decimal: the octal
    and base-60 numbers of YAML 1.1 are refused instead of silently read.
    """
    file = str(path)
    try:
        source = path.read_text(encoding="utf-8")
        if len(source) > LARGEST:
            msg = f"{len(source)} characters; accepted is a file of at most {LARGEST}"
            faults.append(Fault(file=file, message=msg))
            return None
        if deep := _too_deep(file, source):
            faults.append(deep)
            return None
        root = yaml.compose(source, Loader=_LOADER)
        if root is None and settings:
            root = yaml.compose("{}", Loader=_LOADER)
    except (OSError, UnicodeDecodeError, RecursionError) as error:
        msg = f"cannot be read ({error}); accepted is YAML in UTF-8"
        faults.append(Fault(file=file, message=" ".join(msg.split())))
        return None
    except yaml.YAMLError as error:
        faults.append(_syntax_fault(file, error))
        return None
    if not isinstance(root, yaml.MappingNode):
        msg = "not a rule; accepted is one mapping with the keys of a rule or an override"
        if settings:
            msg = "not a mapping; accepted is one mapping of settings"
        faults.append(Fault(file=file, line=1, column=1, message=msg))
        return None
    builder = _Builder(file=file, faults=faults)
    before = len(faults)
    data = builder.build(root, ())
    if len(faults) > before or not isinstance(data, dict):
        return None
    return YamlDocument(file=file, source=source, data=data, keys=builder.keys, nodes=builder.nodes)


def _too_deep(file: str, source: str) -> Fault | None:
    """Return the fault of a file that nests deeper than any rule, which could exhaust the stack."""
    depth = 0
    for event in yaml.parse(source, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 0
            msg = f"nested too deeply; accepted are {DEEPEST} levels"
            return Fault(file=file, line=line, column=1, message=msg)
    return None


def _syntax_fault(file: str, error: yaml.YAMLError) -> Fault:
    """Return what the YAML reader could not read, and where."""
    mark = getattr(error, "problem_mark", None)
    problem = " ".join(str(getattr(error, "problem", None) or error).split())
    line, column = (mark.line + 1, mark.column + 1) if mark else (0, 0)
    message = f"not YAML ({problem}); accepted is one YAML mapping"
    return Fault(file=file, line=line, column=column, message=message)
