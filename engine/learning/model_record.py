"""The file that says what a learnt model is, read without loading what it speaks of."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.record_fault import record_fault

MODEL = "model.json"
REFERENCES, NETWORKS = "references.safetensors", "networks.safetensors"
FORMAT = 1


def read_model_record(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's ``model.json``; raises `EngineError` for anything else."""
    path = folder / MODEL
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            msg = f"{path}: model format {record['format']}; accepted is {FORMAT}: learn anew"
            raise EngineError(msg)
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a folder of `learn`"
        raise EngineError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path}: {record_fault(error)}; accepted is a folder that `learn` wrote"
        raise EngineError(msg) from error
    return record


def model_digest(folder: Path) -> str:
    """Return the digest of all that decides about particles in a model's folder."""
    sha = hashlib.sha256()
    for name in (MODEL, REFERENCES, NETWORKS):
        sha.update((folder / name).read_bytes())
    return sha.hexdigest()
