"""The network of class averages as PyTorch trains it, with the questions it is trained on.

Imported late: it loads PyTorch.
"""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional

from cryoverdict.engine.network_training.trainable_network import (
    DROPOUT,
    around_statistics,
    folded_layers,
    linear_weights,
    polar_layers,
)
from cryoverdict.features.class_embedding import (
    ANSWERS,
    CHANNELS,
    EMBEDDING_WIDTH,
    KERNELS,
    TRUNK_WIDTH,
    trunk_statistics,
)
from cryoverdict.features.weights_file import Weights


class TrainableClassNetwork(nn.Module):
    """`ClassNetwork` with batch normalisation, and one linear answer to each question."""

    def __init__(self, quantities: int) -> None:
        """Build the layers with random weights."""
        super().__init__()
        self.layers = polar_layers(1, CHANNELS, [(k, k) for k in KERNELS])
        self.out = nn.Linear(trunk_statistics(), TRUNK_WIDTH)
        self.embedding = nn.Linear(TRUNK_WIDTH, EMBEDDING_WIDTH)
        self.dropout = nn.Dropout(DROPOUT)
        self.yes = nn.Linear(EMBEDDING_WIDTH, len(ANSWERS))
        self.numbers = nn.Linear(EMBEDDING_WIDTH, quantities)

    def forward(self, pictures: Tensor) -> tuple[Tensor, Tensor]:
        """Return the answers of pictures ``(n, 1, 64, 30)``: log-odds of questions, numbers."""
        said = self.dropout(around_statistics(self.layers, pictures))
        embedded = self.embedding(self.dropout(functional.relu(self.out(said))))
        return self.yes(embedded), self.numbers(embedded)

    def folded(self) -> Weights:
        """Return the weights of `ClassNetwork`, batch normalisation folded into them."""
        return {
            **folded_layers("spectrum", self.layers),
            **linear_weights("spectrum_out", self.out),
            **linear_weights("embedding", self.embedding),
            **linear_weights("answers", self.yes),
        }
