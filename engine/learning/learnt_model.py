"""What was learnt, as a folder: averages, networks, models, and a card that says it all.

JSON, safetensors and MRC only: nothing in the folder can run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.learnt_references import Geometry, LearntReferences
from cryoverdict.engine.learning.particle_measuring import Eyes
from cryoverdict.engine.learning.particle_model import ParticleModel
from cryoverdict.engine.learning.particle_network import ParticleNetwork
from cryoverdict.engine.learning.yield_model import YieldModel
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.weights_file import read_weights, write_weights

MODEL = "model.json"
REFERENCES, NETWORKS = "references.safetensors", "networks.safetensors"
FORMAT = 1


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class LearntModel:
    """The particle classifier, the yield of micrographs, and what both learnt from.

    ``yields`` is ``None`` where there were too few micrographs; ``card`` says what was learnt from
    what, how good it is, and what the guards said.
    """

    eyes: Eyes
    particles: ParticleModel
    yields: YieldModel | None
    card: Mapping[str, Any]

    def write(self, folder: Path) -> None:
        """Write the model into a folder, the card last; the same model gives the same bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        self.eyes.references.write(folder / REFERENCES)
        weights = {}
        for number, network in enumerate(self.eyes.networks):
            weights |= network.weights(f"{number}.")
        write_weights(folder / NETWORKS, weights)
        record = {
            "format": FORMAT,
            "geometry": asdict(self.eyes.geometry),
            "networks": len(self.eyes.networks),
            "particles": self.particles.to_dict(),
            "yields": self.yields and self.yields.to_dict(),
            "card": dict(self.card),
        }
        temporary = folder / (MODEL + ".part")
        text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")
        temporary.replace(folder / MODEL)


def read_learnt_model(folder: Path) -> LearntModel:
    """Return the model in a folder that `learn` wrote; raises `EngineError` for anything else."""
    record = read_model_record(folder)
    try:
        weights = read_weights((folder / NETWORKS).read_bytes(), str(folder / NETWORKS))
        networks = tuple(
            ParticleNetwork.of(weights, f"{number}.") for number in range(record["networks"])
        )
        return LearntModel(
            eyes=Eyes(
                geometry=Geometry(**record["geometry"]),
                references=LearntReferences.read(folder / REFERENCES),
                networks=networks,
            ),
            particles=ParticleModel.from_dict(record["particles"]),
            yields=record["yields"] and YieldModel.from_dict(record["yields"]),
            card=record["card"],
        )
    except (KeyError, TypeError, ValueError, RuntimeError) as error:
        msg = f"{folder / MODEL}: not a learnt model: {record_fault(error)}; learn anew"
        raise EngineError(msg) from error


def read_model_record(folder: Path) -> dict[str, Any]:
    """Return the content of a folder's ``model.json``, without loading what it speaks of."""
    path = folder / MODEL
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if record["format"] != FORMAT:
            msg = f"{path}: model format {record['format']}; accepted is {FORMAT}: learn anew"
            raise EngineError(msg)
    except (OSError, ValueError, KeyError, TypeError) as error:
        msg = f"{path}: {record_fault(error)}; accepted is a folder that `learn` wrote"
        raise EngineError(msg) from error
    return record


def model_digest(folder: Path) -> str:
    """Return the digest of all that decides about particles in a model's folder."""
    sha = hashlib.sha256()
    for name in (MODEL, REFERENCES, NETWORKS):
        sha.update((folder / name).read_bytes())
    return sha.hexdigest()
