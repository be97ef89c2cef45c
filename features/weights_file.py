"""Network weights in the safetensors format, read and written without a library.

The format (Hugging Face, safetensors 0.4): eight bytes with the header's length as a little-endian
number, the header as JSON (name → dtype, shape, place in the data), then the data. Nothing in it
can run.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError

# A header longer than this is no header of ours.
_LONGEST_HEADER = 1 << 20
_METADATA = "__metadata__"

Weights = dict[str, NDArray[np.float32]]


def write_weights(path: Path, weights: Mapping[str, NDArray[np.float32]]) -> None:
    """Write float32 arrays, in the order of their names; the same arrays give the same bytes."""
    header: dict[str, object] = {}
    blocks = []
    start = 0
    for name in sorted(weights):
        block = np.ascontiguousarray(weights[name], "<f4").tobytes()
        header[name] = {
            "dtype": "F32",
            "shape": list(weights[name].shape),
            "data_offsets": [start, start + len(block)],
        }
        blocks.append(block)
        start += len(block)
    head = json.dumps(header, separators=(",", ":"), sort_keys=True).encode()
    head += b" " * (-len(head) % 8)
    temporary = path.with_name(path.name + ".part")
    temporary.write_bytes(len(head).to_bytes(8, "little") + head + b"".join(blocks))
    temporary.replace(path)


def read_weights(content: bytes, place: str) -> Weights:
    """Return the float32 arrays in a safetensors file's ``content``.

    Raises `InputError` naming ``place`` for anything else, also for other number types.
    """
    try:
        length = int.from_bytes(content[:8], "little")
        if len(content) < 8 or length > min(_LONGEST_HEADER, len(content) - 8):
            msg = "its header is cut short"
            raise ValueError(msg)
        header = json.loads(content[8 : 8 + length])
        data = memoryview(content)[8 + length :]
        weights: Weights = {}
        for name, entry in header.items():
            if name == _METADATA:
                continue
            weights[name] = _array(data, entry)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        msg = f"{place}: not network weights ({error}); accepted is a safetensors file of float32"
        raise InputError(msg) from error
    return weights


def _array(data: memoryview, entry: Mapping[str, Any]) -> NDArray[np.float32]:
    """Return one array of the data; raises `ValueError` where its entry is not honest."""
    first, last = (int(n) for n in entry["data_offsets"])
    shape = [int(n) for n in entry["shape"]]
    size = int(np.prod(shape, dtype=np.int64))
    if entry["dtype"] != "F32" or min([*shape, 0]) < 0:
        msg = f"dtype {entry['dtype']}, shape {shape}"
        raise ValueError(msg)
    if not 0 <= first <= last <= len(data) or last - first != 4 * size:
        msg = f"data from {first} to {last} for {size} numbers"
        raise ValueError(msg)
    return np.frombuffer(data[first:last], "<f4").reshape(shape).astype(np.float32)


def weights_digest(weights: Mapping[str, NDArray[np.float32]]) -> str:
    """Return the hexadecimal SHA-256 of names, shapes and values."""
    sha = hashlib.sha256()
    for name in sorted(weights):
        sha.update(json.dumps([name, list(weights[name].shape)]).encode())
        sha.update(np.ascontiguousarray(weights[name], "<f4").tobytes())
    return sha.hexdigest()


def check_shapes(weights: Weights, expected: Mapping[str, tuple[int, ...]], place: str) -> None:
    """Raise `InputError` naming ``place`` unless the weights are arrays of these shapes."""
    found = {name: array.shape for name, array in weights.items()}
    if found != dict(expected):
        odd = sorted(set(found.items()) ^ set(expected.items()))[0]
        msg = f"{place}: not this version's network ({odd[0]} {odd[1]} differs); train it anew"
        raise InputError(msg)
