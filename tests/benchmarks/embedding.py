"""How long the embedding of a 4096² micrograph takes on one thread, beside measuring it.

``python tests/benchmarks/embedding.py``: CPU seconds, best of five, after the image has been read.
Data: *simulated* (noise with blobs). Where no network is installed, random weights are timed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from threadpoolctl import threadpool_limits

from cryoverdict.features.embedding import installed_network
from cryoverdict.features.embedding_network import EmbeddingNetwork, weight_shapes
from cryoverdict.features.embedding_pictures import network_pictures
from cryoverdict.features.families import measure
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare

SIDE_PX = 4096


def best(work: Callable[[], object], times: int = 5) -> float:
    """Return the least CPU seconds that ``work`` took."""
    taken = []
    for _ in range(times):
        start = time.process_time()
        work()
        taken.append(time.process_time() - start)
    return min(taken)


def main() -> None:
    """Print one line a step."""
    rng = np.random.default_rng(0)
    pixels = rng.standard_normal((SIDE_PX, SIDE_PX), dtype=np.float32)
    optics = Optics(pixel_size_a=1.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    micrograph = Micrograph(subject="noise", path=Path("noise.mrc"), optics=optics)
    network = installed_network()
    if network is None:
        weights = {n: rng.normal(0, 0.1, s).astype(np.float32) for n, s in weight_shapes().items()}
        network = EmbeddingNetwork.of(weights, "random weights")
    with threadpool_limits(1):
        view = prepare(micrograph, Image(pixels=pixels.copy()), optics)
        shown = network_pictures(view)
        print(f"network {network.name}, field {shown.field.shape}")
        print(f"pictures  {best(lambda: network_pictures(view)):.4f} s")
        print(f"network   {best(lambda: network.embedding(shown)):.4f} s")
        image = Image(pixels=pixels.copy())
        print(f"prepare   {best(lambda: prepare(micrograph, image, optics), 2):.4f} s")
        start = time.process_time()
        measure(view)
        print(f"measure   {time.process_time() - start:.4f} s (once)")


if __name__ == "__main__":
    main()
