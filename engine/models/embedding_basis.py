"""The few directions of an embedding that models learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.table import FeatureTable

COMPONENTS = 16
# Decimals of what is written down.
DIGITS = 7
PREFIX = "embedding_"


@dataclass(frozen=True, slots=True, kw_only=True)
class EmbeddingBasis:
    """Directions of the embeddings by one network: its answers, then principal components.

    ``centre`` is ``(d,)``, the training data's mean; ``directions`` ``(k, d)`` have the ``names``
    and are divided by the training data's deviation along each.
    """

    network: str
    names: tuple[str, ...]
    centre: NDArray[np.float64]
    directions: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        network: str,
        rows: NDArray[np.floating],
        answers: Mapping[str, NDArray[np.floating]] | None = None,
    ) -> EmbeddingBasis | None:
        """Return the basis of embeddings ``(n, d)``; ``None`` where too few rows have one.

        ``answers`` are directions by name in which the network itself answers questions.
        """
        present = np.asarray(rows, np.float64)[~np.isnan(rows).any(axis=1)]
        if len(present) <= COMPONENTS:
            return None
        centre = present.mean(axis=0)
        covariance = np.cov((present - centre).T)
        variances, axes = np.linalg.eigh(covariance)
        count = int(min(COMPONENTS, (variances > 1e-9 * variances[-1]).sum()))
        chosen = axes.T[::-1][:count]
        # An axis has no sign: its largest part is taken as positive.
        largest = np.abs(chosen).argmax(axis=1)
        chosen = chosen * np.sign(chosen[np.arange(count), largest])[:, None]
        named = answers or {}
        directions = np.vstack([*(np.asarray(a, np.float64)[None] for a in named.values()), chosen])
        deviations = np.sqrt(np.einsum("kd,de,ke->k", directions, covariance, directions))
        return cls(
            network=network,
            names=(
                *(PREFIX + name for name in named),
                *(f"{PREFIX}{i:02d}" for i in range(1, count + 1)),
            ),
            centre=np.round(centre, DIGITS),
            directions=np.round(directions / np.maximum(deviations, 1e-9)[:, None], DIGITS),
        )

    @property
    def answers(self) -> tuple[str, ...]:
        """The names of the directions that are answers of the network."""
        return tuple(n for n in self.names if not n.removeprefix(PREFIX).isdigit())

    def project(self, table: FeatureTable) -> NDArray[np.float64]:
        """Return ``(subjects, k)``, NaN for those without an embedding by this network."""
        rows = table.embeddings.get(self.network)
        if rows is None or rows.shape[1] != len(self.centre):
            return np.full((len(table.subjects), len(self.directions)), np.nan)
        return (rows.astype(np.float64) - self.centre) @ self.directions.T

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready form."""
        return {
            "network": self.network,
            "names": list(self.names),
            "centre": self.centre.tolist(),
            "directions": self.directions.tolist(),
        }

    @classmethod
    def from_dict(cls, record: dict[str, Any]) -> EmbeddingBasis:
        """Return what `to_dict` wrote."""
        return cls(
            network=record["network"],
            names=tuple(record["names"]),
            centre=np.array(record["centre"]),
            directions=np.array(record["directions"]),
        )


def is_component(name: str) -> bool:
    """Say whether a model's feature is a direction of an embedding."""
    return name.startswith(PREFIX)
