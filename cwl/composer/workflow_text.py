"""A workflow's document as the text of a CWL file that a person can read."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from cryoverdict.cwl.composer.workflow_document import Document

SHEBANG = "#!/usr/bin/env cwl-runner\n"
LAYOUT = {"sbg": "https://www.sevenbridges.com/"}
FIRST = ("cwlVersion", "class", "id", "label", "doc", "$namespaces", "requirements", "hints")
BODY = ("inputs", "steps", "outputs")
STEP = ("id", "label", "doc", "run", "scatter", "scatterMethod", "in", "out")
PARAMETER = ("id", "type", "default", "label", "doc", "outputSource")
# Requirements that follow from what the steps are, as CWL asks for them.
FOLLOWING = (
    "ScatterFeatureRequirement",
    "SubworkflowFeatureRequirement",
    "MultipleInputFeatureRequirement",
)
WIDTH = 100


def write_text(document: Document, sub_workflows: Collection[str] = ()) -> str:
    """Return the CWL text of a document: entries in a fixed order, a blank line between parts.

    ``sub_workflows`` names the steps whose file is a workflow.
    """
    import yaml

    class Dumper(yaml.SafeDumper):
        """Writes texts of several lines as blocks, and short lists of names in one line."""

        def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
            """Set the items of a list in, as the shipped files do."""
            super().increase_indent(flow, False)

        def ignore_aliases(self, data: Any) -> bool:
            """Write a value that occurs twice twice."""
            return True

    def text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
        style = "|" if "\n" in value else None
        return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)

    def listed(dumper: yaml.SafeDumper, value: list[Any]) -> yaml.Node:
        flow = bool(value) and all(isinstance(one, str) and "/" not in one for one in value)
        return dumper.represent_sequence("tag:yaml.org,2002:seq", value, flow_style=flow)

    Dumper.add_representer(str, text)
    Dumper.add_representer(list, listed)

    def write(part: Document) -> str:
        return yaml.dump(part, Dumper=Dumper, sort_keys=False, allow_unicode=True, width=WIDTH)

    whole = tidied(document, sub_workflows)
    head = {name: value for name, value in whole.items() if name not in BODY}
    return SHEBANG + "\n".join([write(head), *(write({name: whole[name]}) for name in BODY)])


def tidied(document: Document, sub_workflows: Collection[str] = ()) -> Document:
    """Return a document in the order of the shipped files, with the requirements it has need of."""
    steps = [_step(step, document) for step in document["steps"]]
    body = {
        "inputs": [_ordered(_placed(one), PARAMETER) for one in document["inputs"]],
        "steps": steps,
        "outputs": [_ordered(_placed(one), PARAMETER) for one in document["outputs"]],
    }
    whole = {**document, **body}
    whole["requirements"] = _requirements(document, sub_workflows)
    if not whole["requirements"]:
        del whole["requirements"]
    whole["$namespaces"] = {**document.get("$namespaces", {}), **LAYOUT}
    rest = [name for name in whole if name not in (*FIRST, *BODY)]
    return {name: whole[name] for name in (*FIRST, *rest, *BODY) if name in whole}


def _step(step: Document, document: Document) -> Document:
    """Return a step with its entries in order, naming only the outputs that something takes."""
    taken = set(_sources(document))
    kept = {
        **_placed(step),
        "in": [_ordered(one, ("id",)) for one in step["in"] if len(one) > 1],
        "out": [name for name in step["out"] if f"{step['id']}/{name}" in taken],
    }
    match kept.get("scatter"):
        case [str(only)]:
            kept["scatter"] = only
        case [] | None:
            kept.pop("scatter", None)
            kept.pop("scatterMethod", None)
    return _ordered(kept, STEP)


def _sources(document: Document) -> list[str]:
    """Return every source that a step or an output of the workflow takes."""
    said = [one.get("source") for step in document["steps"] for one in step["in"]]
    said += [one.get("outputSource") for one in document["outputs"]]
    found = []
    for source in said:
        found += source if isinstance(source, list) else [source] if source else []
    return found


def _requirements(document: Document, sub_workflows: Collection[str]) -> list[Document]:
    """Return the requirements that a person wrote, after those that follow from the steps."""
    steps = document["steps"]
    takes = [one for step in steps for one in step["in"]] + [
        {"source": one.get("outputSource"), **one} for one in document["outputs"]
    ]
    needed = {
        "ScatterFeatureRequirement": any(step.get("scatter") for step in steps),
        "SubworkflowFeatureRequirement": any(
            step["id"] in sub_workflows or _embeds_workflow(step) for step in steps
        ),
        "MultipleInputFeatureRequirement": any(
            isinstance(one.get("source"), list) and (len(one["source"]) > 1 or "linkMerge" in one)
            for one in takes
        ),
    }
    others = [one for one in document.get("requirements", []) if one["class"] not in FOLLOWING]
    return [{"class": name} for name in FOLLOWING if needed[name]] + others


def _embeds_workflow(step: Document) -> bool:
    """Return whether a step holds a workflow of its own."""
    run = step["run"]
    return isinstance(run, dict) and run.get("class") == "Workflow"


def _placed(entry: Document) -> Document:
    """Return an entry with its place in whole numbers."""
    kept = dict(entry)
    for name in ("sbg:x", "sbg:y"):
        if isinstance(kept.get(name), int | float):
            kept[name] = round(kept[name])
    return kept


def _ordered(entry: Document, first: tuple[str, ...]) -> Document:
    """Return an entry with known names first, its place on the drawing last."""
    last = [name for name in ("sbg:x", "sbg:y") if name in entry]
    rest = [name for name in entry if name not in (*first, *last)]
    return {name: entry[name] for name in (*first, *rest, *last) if name in entry}
