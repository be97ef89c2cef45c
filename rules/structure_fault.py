"""From pydantic's findings to faults with a place and a sentence that says what to do."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cryoverdict.rules.nearest import suggestion
from cryoverdict.rules.rule_error import Fault
from cryoverdict.rules.rule_file import OverrideEntry, RuleEntry
from cryoverdict.rules.yaml_document import Key, YamlDocument

EFFECTS = (
    "reject, flag, {log_odds: NUMBER}, and {set: …}, {at_least: …} or {at_most: …} with parameter, "
    "value and unit"
)


def read_entry(document: YamlDocument, faults: list[Fault]) -> RuleEntry | OverrideEntry | None:
    """Return the entry of a file; else note each fault of its structure and return ``None``."""
    model = OverrideEntry if "override" in document.data else RuleEntry
    try:
        return model.model_validate(dict(document.data))
    except ValidationError as error:
        details = error.errors(include_url=False)
        faults += dict.fromkeys(_fault(document, model, detail) for detail in details)
        return None


def _fault(document: YamlDocument, model: type[BaseModel], detail: ErrorDetails) -> Fault:
    """Return one finding of pydantic as a fault."""
    kind, found = detail["type"], detail["input"]
    path = _path(document.data, detail["loc"])
    name = str(detail["loc"][-1]) if detail["loc"] else ""
    where = ".".join(str(step) for step in path) or "the rule"
    if kind == "extra_forbidden":
        return document.key_fault(path, f"the key {name}{suggestion(name, _keys(model, path))}")
    if kind == "missing":
        return document.key_fault(path, f"{where} lacks the key {name}, which it needs")
    if name == "[key]":
        msg = f"the name {path[-1]!r}; accepted are lower-case letters, digits and _"
        return document.key_fault(path, msg)
    return document.fault(path, f"{where} is {_shown(found)}; accepted is {_accepted(detail)}")


def _path(data: Any, location: tuple[int | str, ...]) -> Key:
    """Return the part of pydantic's location that is in the data; it also names union members."""
    path: list[int | str] = []
    for step in location:
        in_list = isinstance(data, list) and isinstance(step, int) and step < len(data)
        if in_list or (isinstance(data, dict) and step in data):
            data = data[step]
            path.append(step)
    return tuple(path)


def _keys(model: type[BaseModel], path: Key) -> list[str]:
    """Return the keys that are accepted beside the last one of a path."""
    root: Any = model.model_json_schema()

    def forms(schema: Any) -> list[Any]:
        """Return the schemas that one stands for: what it refers to, or its alternatives."""
        if "$ref" in schema:
            return forms(root["$defs"][schema["$ref"].rsplit("/", 1)[-1]])
        alternatives = schema.get("oneOf", schema.get("anyOf"))
        return [f for one in alternatives for f in forms(one)] if alternatives else [schema]

    reached = [root]
    for step in path[:-1]:
        below = []
        for schema in reached:
            if isinstance(step, int):
                inner = schema.get("items")
            else:
                named = schema.get("patternProperties", {}).values()
                others = next(iter(named), schema.get("additionalProperties"))
                inner = schema.get("properties", {}).get(step, others)
            below += forms(inner) if isinstance(inner, dict) else []
        reached = below
    return list(dict.fromkeys(key for schema in reached for key in schema.get("properties", {})))


def _shown(found: Any) -> str:
    """Return a found value, shortened, as YAML would write it."""
    if isinstance(found, dict):
        return "a mapping"
    if isinstance(found, list):
        return "a list" if found else "an empty list"
    words = {None: "empty", True: "true", False: "false"}
    if found is None or isinstance(found, bool):
        return words[found]
    shown = repr(found)
    return shown if len(shown) <= 60 else shown[:57] + "…'"


def _accepted(detail: ErrorDetails) -> str:
    """Return what would have been accepted, in words."""
    context = detail.get("ctx", {})
    if detail["loc"] == ("effect", "word"):
        return EFFECTS
    match detail["type"]:
        case "union_tag_invalid" | "union_tag_not_found":
            return EFFECTS
        case "string_type":
            return "text (in quotes where YAML would read it as something else)"
        case "string_too_short":
            return "text that is not empty"
        case "string_pattern_mismatch":
            hyphens = "-" in str(context.get("pattern"))
            return "a name in " + ("kebab-case" if hyphens else "snake_case")
        case "float_type" | "finite_number":
            return "a number, such as 12, 0.5 or 1.0e-3 (YAML reads 1e-3 as text)"
        case "literal_error":
            quoted = ' ("1" in quotes)' if detail["input"] == 1 else ""
            return f"{context['expected']}{quoted}"
        case "bool_type":
            return "true or false"
        case "list_type":
            return "a list"
        case "dict_type" | "model_type":
            return "a mapping"
        case "too_short":
            return f"at least {context['min_length']} entry"
        case _:
            return detail["msg"][:1].lower() + detail["msg"][1:]
