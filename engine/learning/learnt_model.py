"""What was learnt, as a folder: averages, networks, models, and a card that says it all.

JSON, safetensors and MRC only: nothing in the folder can run.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError
from cryoverdict.engine.learning.learnt_references import Geometry, LearntReferences
from cryoverdict.engine.learning.model_record import (
    FORMAT,
    MODEL,
    NETWORKS,
    REFERENCES,
    read_model_record,
)
from cryoverdict.engine.learning.particle_measuring import Eyes
from cryoverdict.engine.learning.particle_model import ParticleModel
from cryoverdict.engine.learning.particle_network import ParticleNetwork
from cryoverdict.engine.learning.yield_model import YieldModel
from cryoverdict.engine.record_fault import record_fault
from cryoverdict.features.weights_file import Weights, read_weights, write_weights


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
        weights: Weights = {}
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
