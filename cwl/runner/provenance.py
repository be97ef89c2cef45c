"""What a run was made of: inputs, knowledge, programs, commands."""

from __future__ import annotations

import hashlib
import json
import platform
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PROVENANCE = "provenance.json"
# Up to this much data the digest of every input is taken; beyond it, reading all would take hours.
DIGESTED_UP_TO_BYTES = 4 << 30
PACKAGES = (
    "cryoverdict",
    "cwltool",
    "mrcfile",
    "numpy",
    "pyarrow",
    "scipy",
    "statsmodels",
    "torch",
    "xgboost-cpu",
)
PROGRAMS = ("relion_refine", "relion_autopick", "topaz")


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def input_records(paths: Sequence[Path]) -> list[dict[str, Any]]:
    """Return size, time of change and digest of each input; no digests for very large sets."""
    states = [(path, path.stat()) for path in paths if path.is_file()]
    digested = sum(state.st_size for _, state in states) <= DIGESTED_UP_TO_BYTES
    return [
        {
            "path": str(path),
            "bytes": state.st_size,
            "changed_ns": state.st_mtime_ns,
            "sha256": file_digest(path) if digested else None,
        }
        for path, state in states
    ]


def knowledge_digests(rule_layers: Sequence[Path], models: Iterable[Path]) -> dict[str, Any]:
    """Return the digests of the rules of every decision, as laid over, and of the models.

    Of models the files are digested, which says the same as `KindModel.digest`, and sooner.
    """
    from cryoverdict.engine.kinds import EVIDENCE_KINDS, KINDS, PARAMETER_KINDS
    from cryoverdict.engine.models.kind_model import shipped_text
    from cryoverdict.rules.rule_loader import load_rules

    units = {
        **{kind.id: kind.units() for kind in KINDS},
        **{kind.id: kind.units() for kind in PARAMETER_KINDS},
        **{kind.id: kind.units() for kind in EVIDENCE_KINDS},
    }
    texts = [path.read_text(encoding="utf-8") for path in models]
    given = {json.loads(text)["kind"]: _text_digest(text) for text in texts}
    return {
        "rules": {
            kind: load_rules(kind, rule_layers, features=known).digest
            for kind, known in units.items()
        },
        "models": {
            kind.id: given.get(kind.id) or _text_digest(shipped_text(kind.id)) for kind in KINDS
        },
        "models_given": sorted(given),
    }


def _text_digest(text: str) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(text.encode()).hexdigest()


def versions() -> dict[str, str | None]:
    """Return the versions of Python, of the packages that compute, and where programs lie."""
    found: dict[str, str | None] = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found | {name: shutil.which(name) for name in PROGRAMS}


def package_digest() -> str:
    """Return a digest of the installed package: results of other code are not taken for its own."""
    root = Path(__file__).resolve().parents[2]
    sha = hashlib.sha256()
    for room in ("features", "rules", "engine", "reports", "cwl"):
        for path in sorted((root / room).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                sha.update(str(path.relative_to(root)).encode() + b"\0")
                sha.update(path.read_bytes())
    return sha.hexdigest()


def write_provenance(folder: Path, record: Mapping[str, Any]) -> Path:
    """Write ``folder/provenance.json``, moved into place when it is whole."""
    path = folder / PROVENANCE
    temporary = path.with_name(path.name + ".part")
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    temporary.write_text(text + "\n", encoding="utf-8")
    temporary.replace(path)
    return path
