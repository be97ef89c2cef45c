"""The few objects that a pickle may name, each rebuilt here without the object being called.

They are numpy's numbers and arrays of plain values, file paths, ordered dictionaries, and the bytes
of old protocols. `rebuild` and `tell_state` do what a pickle's REDUCE and BUILD would.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

PLAIN_KINDS = "biufUS"
PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath")


class Refused(Exception):
    """A pickle asks for something that could do harm."""


def refuse(what: str) -> NoReturn:
    """Raise `Refused`."""
    raise Refused(what)


@dataclass(frozen=True, slots=True)
class Named:
    """A name that a pickle imports; one of `NAMES`, and never imported."""

    name: str


@dataclass(slots=True, kw_only=True)
class Dtype:
    """A number type while its state is not told yet."""

    code: str
    order: str = "="

    def numpy(self) -> np.dtype[Any]:
        """Return the type; raises ``ValueError`` unless it is one of plain numbers or words."""
        order = self.order if self.order in "<>=" else "="
        kind = np.dtype(order + self.code)
        if kind.kind not in PLAIN_KINDS or kind.names is not None:
            msg = f"arrays of {self.code[:20]}"
            raise ValueError(msg)
        return kind


@dataclass(slots=True)
class Array:
    """An array while its state is not told yet; its values as nested lists afterwards."""

    values: list[Any] = field(default_factory=list)


def known_name(module: str, item: str) -> Named:
    """Return a name that is known to be harmless; raises `Refused` for any other."""
    known = NAMES.get((module, item))
    if known is None:
        refuse(f"{module}.{item}"[:80])
    return Named(known)


def rebuild(named: Any, arguments: Any) -> Any:
    """Return what a known name makes of its arguments; raises `Refused` for anything else."""
    if not isinstance(named, Named) or not isinstance(arguments, tuple):
        refuse("a call")
    return REBUILT[named.name](*arguments)


def tell_state(target: Any, state: Any) -> None:
    """Tell an array or a number type its state; raises `Refused` for any other object."""
    if isinstance(target, Dtype) and isinstance(state, tuple):
        target.order = str(state[1])
    elif isinstance(target, Array) and isinstance(state, tuple):
        _, shape, kind, columns_first, data = state
        target.values = _values(data, kind, shape, columns_first=bool(columns_first))
    else:
        refuse("the state of an object")


def _values(data: Any, kind: Dtype, shape: tuple[int, ...], *, columns_first: bool) -> list[Any]:
    """Return the values of an array as nested lists."""
    flat = np.frombuffer(_bytes(data), kind.numpy())
    # Fortran's order is that of the transposed array.
    plain = flat.reshape(shape[::-1]).T if columns_first else flat.reshape(shape)
    values: list[Any] = plain.tolist()
    return values


def _from_buffer(data: Any, kind: Dtype, shape: tuple[int, ...], order: str, *_: Any) -> Array:
    """Return the array that the newest protocol describes at once."""
    return Array(_values(data, kind, shape, columns_first=order == "F"))


def _scalar(kind: Dtype, data: Any) -> Any:
    """Return a numpy number as a number."""
    return np.frombuffer(_bytes(data), kind.numpy(), count=1)[0].item()


def _empty_array(named: Named, *_: Any) -> Array:
    """Return an array whose state follows."""
    if named != Named("ndarray"):
        refuse("an array of a class")
    return Array()


def _dtype(code: Any, *_: Any) -> Dtype:
    """Return a number type by its code."""
    return Dtype(code=str(code))


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that old protocols write as Latin-1 text."""
    if encoding != "latin1":
        refuse(f"the encoding {encoding[:20]}")
    return text.encode("latin-1")


def _path(*parts: str) -> str:
    """Return a path as its words."""
    if not all(isinstance(part, str) for part in parts):
        refuse("a path of other than words")
    return str(Path(*parts))


def _bytes(data: Any) -> bytes:
    """Return the bytes of an array; text is how old protocols write them."""
    return data.encode("latin-1") if isinstance(data, str) else bytes(memoryview(data))


_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
NAMES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{(module, "scalar"): "scalar" for module in _NUMPY},
        **{(module, "_reconstruct"): "array" for module in _NUMPY},
        ("numpy.core.numeric", "_frombuffer"): "buffer",
        ("numpy._core.numeric", "_frombuffer"): "buffer",
        ("numpy", "ndarray"): "ndarray",
        ("numpy", "dtype"): "dtype",
        ("_codecs", "encode"): "encode",
        **{(m, p): "path" for m in ("pathlib", "pathlib._local") for p in PATHS},
        ("collections", "OrderedDict"): "dict",
    }
)
REBUILT: Mapping[str, Callable[..., Any]] = MappingProxyType(
    {
        "scalar": _scalar,
        "array": _empty_array,
        "buffer": _from_buffer,
        "dtype": _dtype,
        "encode": _encoded,
        "path": _path,
        "dict": lambda: {},
    }
)
