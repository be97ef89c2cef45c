"""What the installed network sees in a micrograph: numbers without names, for models to learn from.

The network has seen simulated micrographs only. Its weights and the card that says how it was
trained ship as ``features/networks/micrograph_embedding.{safetensors,json}``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.embedding_network import EmbeddingNetwork
from cryoverdict.features.embedding_pictures import network_pictures
from cryoverdict.features.feature import Absent
from cryoverdict.features.view import View
from cryoverdict.features.weights_file import read_weights

WEIGHTS = "micrograph_embedding.safetensors"
CARD = "micrograph_embedding.json"


@cache
def installed_network() -> EmbeddingNetwork | None:
    """Return the network that came with the package, or ``None`` where there is none."""
    place = files("cryoverdict.features").joinpath("networks").joinpath(WEIGHTS)
    if not place.is_file():
        return None
    return EmbeddingNetwork.of(read_weights(place.read_bytes(), WEIGHTS), WEIGHTS)


@cache
def network_card() -> Mapping[str, Any]:
    """Return what the installed network's card says; nothing where there is no network."""
    place = files("cryoverdict.features").joinpath("networks").joinpath(CARD)
    card: dict[str, Any] = json.loads(place.read_text("utf-8")) if place.is_file() else {}
    return card


def taught_by() -> frozenset[str]:
    """Return the names of the data sets that the installed network learnt from."""
    return frozenset(network_card().get("sessions", ()))


def embedding_name() -> str | None:
    """Return the name of the installed network's embeddings, ``None`` without a network."""
    network = installed_network()
    return None if network is None else network.name


def embedding(view: View) -> NDArray[np.float32] | Absent:
    """Return the embedding of a view ``(48,)``; call it as ``view.once(embedding)``."""
    network = installed_network()
    if network is None:
        return Absent("no embedding network is installed")
    return network.embedding(view.once(network_pictures))
