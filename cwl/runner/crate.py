"""A run described as a Workflow Run RO-Crate: metadata alone, no copy of any data.

Follows the profiles Process Run Crate, Workflow Run Crate and Workflow RO-Crate, as
``ro-crate-metadata.json`` beside the outputs. Files of the run are named relative to it,
micrographs by their place on the disk.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

CRATE = "ro-crate-metadata.json"
PROFILES = (
    "https://w3id.org/ro/wfrun/process/0.5",
    "https://w3id.org/ro/wfrun/workflow/0.5",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0",
)
LICENCE = "https://spdx.org/licenses/Apache-2.0"
CWL = {
    "@id": "#cwl",
    "@type": "ComputerLanguage",
    "name": "Common Workflow Language",
    "version": "v1.0",
    "url": {"@id": "https://www.commonwl.org/"},
    "identifier": {"@id": "https://w3id.org/cwl/v1.0/"},
}

Thing = dict[str, Any]


def crate_of(
    *,
    workflow: str,
    parts: Sequence[str],
    title: str,
    job: Mapping[str, Any],
    micrographs: Sequence[Path],
    outputs: Sequence[Path],
    root: Path,
    version: str,
) -> Thing:
    """Return the metadata of a run whose files lie under ``root``.

    ``workflow`` is the main workflow's path and ``parts`` those of the files it is made of, both
    relative to ``root``; ``job`` the values of its inputs.
    """
    program = {
        "@id": "#cryoverdict",
        "@type": "SoftwareApplication",
        "name": "cryoverdict",
        "version": version,
    }
    tools = [{"@id": part, "@type": ["File", "SoftwareSourceCode"], "name": part} for part in parts]
    main: Thing = {
        "@id": workflow,
        "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
        "name": title,
        "programmingLanguage": {"@id": CWL["@id"]},
        "hasPart": [{"@id": tool["@id"]} for tool in tools],
    }
    settings: list[Thing] = [
        {"@id": f"#{name}", "@type": "PropertyValue", "name": name, "value": value}
        for name, value in sorted(job.items())
        if isinstance(value, str | int | float)
    ]
    images: list[Thing] = [
        {"@id": path.absolute().as_uri(), "@type": "File", "name": path.name}
        for path in micrographs
    ]
    results: list[Thing] = [_result(path, root) for path in outputs]
    action: Thing = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": title,
        "instrument": {"@id": main["@id"]},
        "object": [{"@id": one["@id"]} for one in (*images, *settings)],
        "result": [{"@id": one["@id"]} for one in results],
        "actionStatus": {"@id": "http://schema.org/CompletedActionStatus"},
    }
    here: Thing = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "conformsTo": [{"@id": profile} for profile in PROFILES],
        "license": {"@id": LICENCE},
        "mainEntity": {"@id": main["@id"]},
        "hasPart": [{"@id": one["@id"]} for one in (main, *tools, *images, *results)],
        "mentions": [{"@id": action["@id"]}],
    }
    about: Thing = {
        "@id": CRATE,
        "@type": "CreativeWork",
        "about": {"@id": "./"},
        "conformsTo": [
            {"@id": "https://w3id.org/ro/crate/1.1"},
            {"@id": PROFILES[-1]},
        ],
    }
    profiles: list[Thing] = [
        {"@id": profile, "@type": "CreativeWork", "name": profile.rsplit("/", 2)[-2]}
        for profile in PROFILES
    ]
    graph = [about, here, main, *tools, CWL, program, *profiles, action, *settings, *images]
    return {"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": [*graph, *results]}


def write_crate(folder: Path, crate: Thing) -> Path:
    """Write ``folder/ro-crate-metadata.json``, moved into place when it is whole."""
    path = folder / CRATE
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(crate, indent=1, sort_keys=True, ensure_ascii=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
    return path


def _result(path: Path, root: Path) -> Thing:
    """Return a file or folder of the run."""
    name = path.relative_to(root).as_posix()
    if path.is_dir():
        return {"@id": f"{name}/", "@type": "Dataset", "name": name}
    return {"@id": name, "@type": "File", "name": name, "contentSize": str(path.stat().st_size)}
