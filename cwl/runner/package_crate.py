"""The shipped tools and workflows described as a Workflow RO-Crate, for registries.

``python -m cryoverdict.cwl.runner.package_crate`` writes ``cwl/ro-crate-metadata.json`` anew, after
a tool, or an input or output of a workflow, has changed; a test holds the file to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib.metadata import version
from os.path import normpath
from pathlib import Path
from typing import Any

from cryoverdict.cwl.runner.crate import CRATE, CWL, LICENCE, PROFILES, Thing, write_crate
from cryoverdict.cwl.runner.workflow_file import WORKFLOWS, read_process

MAIN = "workflows/preprocess.cwl"
SOFTWARE = ("File", "SoftwareSourceCode")
# Types of CWL as Bioschemas' FormalParameter names them.
TYPES: Mapping[str, str] = {
    "int": "Integer",
    "float": "Float",
    "string": "Text",
    "File": "File",
    "Directory": "Dataset",
    "boolean": "Boolean",
}


def package_crate(folder: Path) -> Thing:
    """Return the metadata of the CWL files under a folder."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.cwl"))
    about: Thing = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [{"@id": "https://w3id.org/ro/crate/1.1"}, {"@id": PROFILES[-1]}],
    }
    here: Thing = {
        "@id": "./",
        "@type": "Dataset",
        "name": "cryoverdict: explained decisions for cryo-EM single-particle processing",
        "description": "Workflows and tools that take motion-corrected micrographs to a good "
        "particle stack; every choice is decided by statistics and rules, and explained.",
        "version": version("cryoverdict"),
        "license": {"@id": LICENCE},
        "mainEntity": {"@id": MAIN},
        "hasPart": [{"@id": name} for name in names],
    }
    things = [thing for name in names for thing in _things(name, read_process(folder / name))]
    return {
        "@context": "https://w3id.org/ro/crate/1.1/context",
        "@graph": [about, here, CWL, *things],
    }


def _things(name: str, process: Mapping[str, Any]) -> Iterator[Thing]:
    """Yield what is said of one file, and of its inputs and outputs where it is a workflow."""
    thing: Thing = {
        "@id": name,
        "@type": list(SOFTWARE),
        "name": process["label"],
        "description": _line(process["doc"]),
        "programmingLanguage": {"@id": CWL["@id"]},
    }
    if process["class"] == "Workflow":
        beside = Path(name).parent
        runs = dict.fromkeys(normpath(beside / step["run"]) for step in process["steps"])
        thing["@type"] = [*SOFTWARE, "ComputationalWorkflow"]
        thing["hasPart"] = [{"@id": run} for run in runs]
        for role in ("input", "output"):
            parameters = [_parameter(process["id"], one, role) for one in process[f"{role}s"]]
            thing[role] = [{"@id": one["@id"]} for one in parameters]
            yield from parameters
    yield thing


def _parameter(workflow: str, one: Mapping[str, Any], role: str) -> Thing:
    """Return what is said of an input or output of a workflow."""
    kind = one["type"]
    parts = kind if isinstance(kind, list) else [kind]
    optional = "null" in parts or any(str(part).endswith("?") for part in parts)
    parameter: Thing = {
        "@id": f"#{workflow}#{one['id']}",
        "@type": "FormalParameter",
        "name": one["id"],
        "additionalType": TYPES[_item(kind)],
        "description": _line(one.get("doc", one["label"])),
    }
    if any("[]" in str(p) or (isinstance(p, dict) and p["type"] == "array") for p in parts):
        parameter["multipleValues"] = True
    if role == "input":
        parameter["valueRequired"] = not optional and "default" not in one
        if "default" in one:
            parameter["defaultValue"] = one["default"]
    return parameter


def _item(kind: Any) -> str:
    """Return the name of a type, or of its items; an enum is text."""
    if isinstance(kind, list):
        return _item(next(part for part in kind if part != "null"))
    if isinstance(kind, dict):
        return _item(kind["items"]) if kind["type"] == "array" else "string"
    return str(kind).removesuffix("?").removesuffix("[]")


def _line(text: str) -> str:
    """Return a text as one line."""
    return " ".join(str(text).split())


if __name__ == "__main__":
    write_crate(WORKFLOWS.parent, package_crate(WORKFLOWS.parent))
