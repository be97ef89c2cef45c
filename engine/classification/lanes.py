"""Sharing out work over threads so that the result does not depend on their number.

The particles go into a few fixed lanes; each lane is worked through in its order by one thread with
single-threaded arithmetic, and the lanes' sums are added in order. That threads never wait for each
other within an operation also keeps them fast where other programs use the cores.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

MOST_LANES = 8
# A GPU is parallel in itself, and wants few large pieces.
GPU_LANES = 4
# Particles that a lane takes at once, at most.
BLOCK = 256
# Memory (bytes) that all lanes' sums may take together.
LANE_BYTES = 512 * 2**20
Result = TypeVar("Result")


def lane_count(each_bytes: int, device: torch.device) -> int:
    """Return how many lanes there are where each needs so much memory: 8, 4 or 2.

    At most `GPU_LANES` on a GPU.
    """
    lanes = MOST_LANES if device.type == "cpu" else GPU_LANES
    while lanes > 2 and lanes * each_bytes > LANE_BYTES:
        lanes //= 2
    return lanes


def laid_out(indices: NDArray[np.int64], lanes: int) -> list[list[NDArray[np.int64]]]:
    """Return the blocks of each lane: neighbouring blocks lie in neighbouring lanes.

    >>> [[b.tolist() for b in lane] for lane in laid_out(np.arange(5), 2)]
    [[[0, 1, 2]], [[3, 4]]]
    """
    size = int(np.clip(-(-len(indices) // lanes), 1, BLOCK))
    blocks = [indices[start : start + size] for start in range(0, len(indices), size)]
    return [blocks[lane::lanes] for lane in range(lanes)]


def each_lane(
    work: Callable[[int], Result], lanes: int, threads: int, device: torch.device
) -> Sequence[Result]:
    """Return ``work(lane)`` of every lane in order, several at once on a CPU."""
    if threads <= 1 or device.type != "cpu":
        return [work(lane) for lane in range(lanes)]
    from concurrent.futures import ThreadPoolExecutor

    def single(lane: int) -> Result:
        """Work on one lane in a thread of the pool, which has settings of its own."""
        torch.set_num_threads(1)
        with torch.inference_mode():
            return work(lane)

    with ThreadPoolExecutor(min(threads, lanes)) as pool:
        return list(pool.map(single, range(lanes)))
