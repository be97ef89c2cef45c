"""The embedding's network as PyTorch trains it, with the questions it is trained on.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

from cryoverdict.features.embedding_network import (
    ANSWERS,
    EMBEDDING_WIDTH,
    FIELD_CHANNELS,
    FIELD_KERNELS,
    FIELD_WIDTH,
    PEAK_LAYERS,
    SPECTRUM_CHANNELS,
    SPECTRUM_KERNELS,
    SPECTRUM_WIDTH,
    field_statistics,
)
from cryoverdict.features.embedding_pictures import RADII
from cryoverdict.features.weights_file import Weights

DROPOUT = 0.1
_EPSILON = 1e-5


class TrainableNetwork(nn.Module):
    """`EmbeddingNetwork` with batch normalisation, and one linear answer to each question."""

    def __init__(self, questions: int, quantities: int) -> None:
        """Build the layers with random weights."""
        super().__init__()
        field, before = [], 1
        for channels, kernel in zip(FIELD_CHANNELS, FIELD_KERNELS, strict=True):
            layer = nn.Conv2d(before, channels, kernel, 2, kernel // 2, bias=False)
            field.append(nn.Sequential(layer, nn.BatchNorm2d(channels)))
            before = channels
        self.field = nn.ModuleList(field)
        self.spectrum = polar_layers(3, SPECTRUM_CHANNELS, SPECTRUM_KERNELS)
        radii = RADII // 2 ** len(SPECTRUM_CHANNELS)
        self.field_out = nn.Linear(field_statistics(), FIELD_WIDTH)
        self.spectrum_out = nn.Linear(2 * SPECTRUM_CHANNELS[-1] * radii, SPECTRUM_WIDTH)
        self.embedding = nn.Linear(FIELD_WIDTH + SPECTRUM_WIDTH, EMBEDDING_WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.yes = nn.Linear(EMBEDDING_WIDTH, questions)
        self.numbers = nn.Linear(EMBEDDING_WIDTH, quantities)

    def embed(self, fields: Tensor, spectra: Tensor) -> Tensor:
        """Return embeddings ``(n, 48)`` of fields ``(n, 1, y, x)``, spectra ``(n, 3, 32, r)``."""
        said = []
        for i, layer in enumerate(self.field):
            fields = functional.relu(layer(fields))
            if i:
                said.append(_statistics(fields.flatten(2)))
            if i >= len(FIELD_CHANNELS) - PEAK_LAYERS:
                said.append(fields.flatten(2).amax(dim=2))
        seen = functional.relu(self.field_out(torch.cat(said, dim=1)))
        heard = functional.relu(self.spectrum_out(around_statistics(self.spectrum, spectra)))
        embedded: Tensor = self.embedding(self.dropout(torch.cat([seen, heard], dim=1)))
        return embedded

    def forward(self, fields: Tensor, spectra: Tensor) -> tuple[Tensor, Tensor]:
        """Return the answers: log-odds of each question, and the standardised quantities."""
        embedded = self.embed(fields, spectra)
        return self.yes(embedded), self.numbers(embedded)

    def folded(self) -> Weights:
        """Return the weights of `EmbeddingNetwork`, batch normalisation folded into them."""
        return {
            **folded_layers("field", self.field),
            **folded_layers("spectrum", self.spectrum),
            **linear_weights("field_out", self.field_out),
            **linear_weights("spectrum_out", self.spectrum_out),
            **linear_weights("embedding", self.embedding),
            **linear_weights("answers", self.yes, len(ANSWERS)),
        }


def polar_layers(
    before: int, channels: Sequence[int], kernels: Sequence[tuple[int, int]]
) -> nn.ModuleList:
    """Return random layers for pictures of ``before`` channels whose first axis goes round."""
    layers = []
    for after, (ky, kx) in zip(channels, kernels, strict=True):
        layer = nn.Conv2d(before, after, (ky, kx), 2, (0, kx // 2), bias=False)
        layers.append(nn.Sequential(layer, nn.BatchNorm2d(after)))
        before = after
    return nn.ModuleList(layers)


def around_statistics(layers: Iterable[nn.Module], pictures: Tensor) -> Tensor:
    """Return what `polar_layers` say of pictures, by channel and radius over the directions."""
    for layer in layers:
        assert isinstance(layer, nn.Sequential)
        assert isinstance(layer[0], nn.Conv2d)
        pad = layer[0].kernel_size[0] // 2
        around = functional.pad(pictures, (0, 0, pad, pad), mode="circular")
        pictures = functional.relu(layer(around))
    return _statistics(pictures.transpose(2, 3).flatten(1, 2))


def folded_layers(trunk: str, layers: Iterable[nn.Module]) -> Weights:
    """Return kernels and biases of a trunk's layers, batch normalisation folded into them."""
    weights: Weights = {}
    for i, layer in enumerate(layers):
        assert isinstance(layer, nn.Sequential)
        convolution, normal = layer[0], layer[1]
        assert isinstance(convolution, nn.Conv2d)
        assert isinstance(normal, nn.BatchNorm2d)
        mean, variance = normal.running_mean, normal.running_var
        assert mean is not None
        assert variance is not None
        gain = normal.weight / torch.sqrt(variance + normal.eps)
        kernel = convolution.weight * gain[:, None, None, None]
        bias = normal.bias - mean * gain
        weights[f"{trunk}.{i}.kernel"] = kernel.detach().cpu().numpy()
        weights[f"{trunk}.{i}.bias"] = bias.detach().cpu().numpy()
    return weights


def linear_weights(name: str, layer: nn.Linear, rows: int | None = None) -> Weights:
    """Return the matrix and bias of a linear layer, or their first rows."""
    return {
        f"{name}.matrix": layer.weight.detach().cpu().numpy()[:rows],
        f"{name}.bias": layer.bias.detach().cpu().numpy()[:rows],
    }


def _statistics(values: Tensor) -> Tensor:
    """Return ``(n, 2 channels)``: the means, then the deviations, along the last axis."""
    mean = values.mean(dim=-1)
    variance = ((values - mean[..., None]) ** 2).mean(dim=-1)
    return torch.cat([mean, torch.sqrt(variance + _EPSILON)], dim=1)
