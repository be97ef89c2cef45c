"""What the installed network sees in a class average: numbers without names, for models to learn.

The network is shown the average on rings and angles, and convolves around them as the micrographs'
network does with the directions of a spectrum, so that a turn of the average is a shift. It has
seen simulated classifications only, none of those that models learn from. Its weights and card
ship as ``features/networks/class_embedding.{safetensors,json}``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.class_average import FloatArray
from cryoverdict.features.class_profile import RINGS, polar_image
from cryoverdict.features.class_view import ClassView
from cryoverdict.features.embedding_network import EmbeddingNetwork
from cryoverdict.features.feature import Absent
from cryoverdict.features.weights_file import Weights, check_shapes, read_weights, weights_digest

WEIGHTS = "class_embedding.safetensors"
CARD = "class_embedding.json"
CHANNELS = (16, 32, 48)
KERNELS = (5, 3, 3)
TRUNK_WIDTH, EMBEDDING_WIDTH = 32, 24
# What the network was asked first: linear in the embedding, and so directions that mean something.
ANSWERS = (
    "junk",
    "empty",
    "noise",
    "edge",
    "clipped",
    "off_centre",
    "neighbours",
    "fuzzy",
    "overfit",
    "ice",
    "contamination",
)
# The layers halve the angles each, so turns by parts of so many are looked at one by one.
TURNS = 1 << len(CHANNELS)


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every array of the network of class averages."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = 1
    for i, (channels, k) in enumerate(zip(CHANNELS, KERNELS, strict=True)):
        shapes[f"spectrum.{i}.kernel"] = (channels, before, k, k)
        shapes[f"spectrum.{i}.bias"] = (channels,)
        before = channels
    for name, wide, narrow in (
        ("spectrum_out", trunk_statistics(), TRUNK_WIDTH),
        ("embedding", TRUNK_WIDTH, EMBEDDING_WIDTH),
        ("answers", EMBEDDING_WIDTH, len(ANSWERS)),
    ):
        shapes[f"{name}.matrix"] = (narrow, wide)
        shapes[f"{name}.bias"] = (narrow,)
    return shapes


def trunk_statistics() -> int:
    """Return how many numbers describe an average: mean and deviation, by channel and radius."""
    return 2 * CHANNELS[-1] * -(-RINGS // (1 << len(CHANNELS)))


def network_input(polar: FloatArray) -> FloatArray:
    """Return a polar image ``(30, 64)`` as the network takes it, ``(1, 64, 30)``."""
    return np.ascontiguousarray(polar.T)[None]


@dataclass(frozen=True, slots=True, kw_only=True)
class ClassNetwork(EmbeddingNetwork):
    """A trained network of class averages: that of micrographs without its trunk for the field."""

    @classmethod
    def of(cls, weights: Weights, place: str) -> ClassNetwork:
        """Return the network of some weights; raises `InputError` naming ``place`` for others."""
        check_shapes(weights, weight_shapes(), place)
        return cls(weights=weights, name=f"cnn-{weights_digest(weights)[:12]}")

    @property
    def answers(self) -> dict[str, FloatArray]:
        """The directions ``(24,)`` of the embedding in which the network answers its questions."""
        return dict(zip(ANSWERS, self.weights["answers.matrix"], strict=True))

    def embedding(self, pictures: FloatArray) -> FloatArray:  # type: ignore[override]
        """Return the embedding ``(24,)`` of a polar image, the mean over turns and mirror images.

        A turn by angles of the polar image changes nothing, other turns little.
        """
        shown = network_input(pictures)
        seen = [
            self._spectrum(np.roll(image, turn, axis=1))
            for image in (shown, shown[:, ::-1])
            for turn in range(TURNS)
        ]
        return self._linear("embedding", np.mean(seen, axis=0))


@cache
def installed_class_network() -> ClassNetwork | None:
    """Return the network that came with the package, or ``None`` where there is none."""
    place = files("cryoverdict.features").joinpath("networks").joinpath(WEIGHTS)
    if not place.is_file():
        return None
    return ClassNetwork.of(read_weights(place.read_bytes(), WEIGHTS), WEIGHTS)


def class_embedding(view: ClassView) -> NDArray[np.float32] | Absent:
    """Return the embedding of a class average ``(24,)``; call it as ``view.once(…)``."""
    if view.blank:
        return Absent("the average holds nothing")
    network = installed_class_network()
    if network is None:
        return Absent("no embedding network is installed")
    return network.embedding(view.once(polar_image))
