"""The small convolutional network that turns a micrograph's pictures into an embedding.

It runs on numpy alone, so that a micrograph has its embedding wherever it can be measured; only
its training needs PyTorch. Batch normalisation is folded into the weights when training ends.

Two trunks of convolutions, each followed by max(x, 0): the field's, of stride 2 each, and the
spectrum's, whose first axis is a direction and closes on itself. The field is described by mean and
deviation of every channel of every layer but the first (texture statistics at four scales, any
shape of micrograph) and the greatest value of each channel of the last two (single objects, edges);
the spectrum by mean and deviation over directions at every radius.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.embedding_pictures import ANGLES, RADII, NetworkPictures
from cryoverdict.features.weights_file import Weights, check_shapes, weights_digest

FIELD_CHANNELS = (12, 24, 48, 96, 128)
FIELD_KERNELS = (5, 3, 3, 3, 3)
# The greatest values are told of so many of the last layers.
PEAK_LAYERS = 2
SPECTRUM_CHANNELS = (16, 32, 64)
SPECTRUM_KERNELS = ((3, 5), (3, 5), (3, 3))
FIELD_WIDTH, SPECTRUM_WIDTH, EMBEDDING_WIDTH = 96, 64, 48
# What the network was asked first: linear in the embedding, and so directions that mean something.
ANSWERS = (
    "bad",
    "contamination",
    "film",
    "empty_no_ice",
    "empty_vitreous_ice",
    "crystalline_ice",
    "thick_ice",
    "drift",
    "bad_ctf",
    "broken_exposure",
    "low_dose",
)
# Frequencies (1/Å) are shown to the network in units of this.
FREQUENCY_UNIT_PER_A = 0.25
_EPSILON = 1e-5
_Array = NDArray[np.float32]


def weight_shapes() -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every array of the network."""
    shapes: dict[str, tuple[int, ...]] = {}
    before = 1
    for i, (channels, k) in enumerate(zip(FIELD_CHANNELS, FIELD_KERNELS, strict=True)):
        shapes[f"field.{i}.kernel"] = (channels, before, k, k)
        shapes[f"field.{i}.bias"] = (channels,)
        before = channels
    before = 3
    for i, (channels, (ky, kx)) in enumerate(zip(SPECTRUM_CHANNELS, SPECTRUM_KERNELS, strict=True)):
        shapes[f"spectrum.{i}.kernel"] = (channels, before, ky, kx)
        shapes[f"spectrum.{i}.bias"] = (channels,)
        before = channels
    radii = RADII // 2 ** len(SPECTRUM_CHANNELS)
    for name, wide, narrow in (
        ("field_out", field_statistics(), FIELD_WIDTH),
        ("spectrum_out", 2 * SPECTRUM_CHANNELS[-1] * radii, SPECTRUM_WIDTH),
        ("embedding", FIELD_WIDTH + SPECTRUM_WIDTH, EMBEDDING_WIDTH),
        ("answers", EMBEDDING_WIDTH, len(ANSWERS)),
    ):
        shapes[f"{name}.matrix"] = (narrow, wide)
        shapes[f"{name}.bias"] = (narrow,)
    return shapes


def field_statistics() -> int:
    """Return how many numbers describe a field before they are weighed."""
    return 2 * sum(FIELD_CHANNELS[1:]) + sum(FIELD_CHANNELS[-PEAK_LAYERS:])


def field_input(field: NDArray[np.uint8]) -> _Array:
    """Return a field as the network takes it, ``(1, y, x)``."""
    return ((field.astype(np.float32) - 128.0) / 32.0)[None]


def spectrum_input(spectrum: NDArray[np.uint8], nyquist_per_a: float | None) -> _Array:
    """Return a spectrum as the network takes it, ``(3, 32, 160)``.

    The third channel is the frequency, so that a ring of ice has its place whatever the pixel
    size is; 0 where the pixel size is unknown.
    """
    taken = np.zeros((3, ANGLES, RADII), np.float32)
    taken[:2] = (spectrum.astype(np.float32) - 128.0) / 32.0
    if nyquist_per_a is not None:
        radii = (np.arange(RADII, dtype=np.float32) + 0.5) / RADII
        taken[2] = np.minimum(radii * np.float32(nyquist_per_a / FREQUENCY_UNIT_PER_A), 4.0)
    return taken


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingNetwork:
    """A trained network; ``name`` tells its embeddings from another network's."""

    weights: Weights
    name: str

    @classmethod
    def of(cls, weights: Weights, place: str) -> EmbeddingNetwork:
        """Return the network of some weights; raises `InputError` naming ``place`` for others."""
        check_shapes(weights, weight_shapes(), place)
        return cls(weights=weights, name=f"cnn-{weights_digest(weights)[:12]}")

    @property
    def answers(self) -> dict[str, _Array]:
        """The directions ``(48,)`` of the embedding in which the network answers its questions."""
        return dict(zip(ANSWERS, self.weights["answers.matrix"], strict=True))

    def embedding(self, pictures: NetworkPictures) -> _Array:
        """Return the embedding ``(48,)`` of a micrograph's pictures."""
        seen = [self._field(field_input(pictures.field))]
        spectrum = spectrum_input(pictures.spectrum, pictures.nyquist_per_a)
        seen.append(self._spectrum(spectrum))
        return self._linear("embedding", np.concatenate(seen))

    def _field(self, image: _Array) -> _Array:
        """Return what the field's trunk says."""
        said = []
        for i in range(len(FIELD_CHANNELS)):
            image = self._convolved(image, f"field.{i}", wrap=False)
            flat = image.reshape(len(image), -1)
            if i:
                said.append(_statistics(flat))
            if i >= len(FIELD_CHANNELS) - PEAK_LAYERS:
                said.append(flat.max(axis=1))
        return np.maximum(self._linear("field_out", np.concatenate(said)), 0.0)

    def _spectrum(self, image: _Array) -> _Array:
        """Return what the spectrum's trunk says."""
        for i in range(len(SPECTRUM_CHANNELS)):
            image = self._convolved(image, f"spectrum.{i}", wrap=True)
        by_radius = image.transpose(0, 2, 1).reshape(-1, image.shape[1])
        return np.maximum(self._linear("spectrum_out", _statistics(by_radius)), 0.0)

    def _convolved(self, image: _Array, name: str, *, wrap: bool) -> _Array:
        """Return max(convolution, 0) ``(channels, y / 2, x / 2)``, the border padded.

        The first axis of a spectrum is padded by going round, all else by zeros.
        """
        kernel, bias = self.weights[f"{name}.kernel"], self.weights[f"{name}.bias"]
        pad_y, pad_x = kernel.shape[2] // 2, kernel.shape[3] // 2
        padded = np.pad(image, ((0, 0), (pad_y, pad_y), (0, 0)), "wrap" if wrap else "constant")
        padded = np.pad(padded, ((0, 0), (0, 0), (pad_x, pad_x)))
        windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape[2:], axis=(1, 2))
        windows = windows[:, ::2, ::2].transpose(0, 3, 4, 1, 2)
        rows, columns = windows.shape[3:]
        columns_matrix = np.ascontiguousarray(windows).reshape(-1, rows * columns)
        out = kernel.reshape(len(kernel), -1) @ columns_matrix
        out += bias[:, None]
        np.maximum(out, 0.0, out=out)
        convolved: _Array = out.reshape(-1, rows, columns)
        return convolved

    def _linear(self, name: str, values: _Array) -> _Array:
        """Return a matrix times values plus a bias."""
        product = self.weights[f"{name}.matrix"] @ values + self.weights[f"{name}.bias"]
        return np.asarray(product, np.float32)


def _statistics(values: _Array) -> _Array:
    """Return the means, then the deviations, along the last axis."""
    mean = values.mean(axis=-1)
    variance = np.square(values - mean[:, None]).mean(axis=-1)
    return np.concatenate([mean, np.sqrt(variance + np.float32(_EPSILON))])
