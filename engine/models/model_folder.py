"""Where promoted models are: a folder of the user's, or the one that the environment names."""

from __future__ import annotations

import os
from pathlib import Path

from cryoverdict.engine.catalogue.location import data_folder

FOLDER = "models"
ENVIRONMENT = "CRYOVERDICT_MODELS"


def models_folder() -> Path:
    """Return the folder of promoted models: the environment's, else the user's own."""
    given = os.environ.get(ENVIRONMENT, "")
    return Path(given) if given else data_folder() / FOLDER


def promoted_path(kind: str) -> Path | None:
    """Return the promoted model of a kind, ``None`` where none was promoted."""
    path = models_folder() / f"{kind}.json"
    return path if path.is_file() else None
