"""Reading plain values from a pickle without unpickling: nothing in the file is ever called.

A pickle is a program. Its instructions are listed by `pickletools.genops`, which runs none of them;
here those that build dictionaries, lists, words and numbers are followed, and numpy's numbers and
arrays and file paths are recognised by name and rebuilt by code of this module. Anything else that
a pickle can ask for is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from pickletools import genops
from types import MappingProxyType
from typing import Any, NoReturn

import numpy as np

from cryoverdict.engine.engine_error import EngineError

MOST_BYTES = 256 * 2**20
PLAIN_KINDS = "biufUS"
PATHS = ("PosixPath", "PurePosixPath", "WindowsPath", "PureWindowsPath", "Path", "PurePath")


@dataclass(frozen=True, slots=True)
class _Named:
    """A name that a pickle imports; one of `NAMES`, and never imported."""

    name: str


@dataclass(slots=True, kw_only=True)
class _Dtype:
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
class _Array:
    """An array while its state is not told yet; its values as nested lists afterwards."""

    values: list[Any] = field(default_factory=list)


_MARK = object()


def read_plain_pickle(path: Path) -> Any:
    """Return the plain value that a pickle file holds: dict, list, tuple, str, bytes, number.

    Arrays become lists, paths become words. Raises `EngineError`, one line, for a file that asks
    for anything else or is no pickle.
    """
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            msg = f"{path}: {size} bytes; accepted is a pickle of labels of at most {MOST_BYTES}"
            raise EngineError(msg)
        content = path.read_bytes()
    except OSError as error:
        msg = f"{path}: cannot be read ({error.strerror}); accepted is a pickle of labels"
        raise EngineError(msg) from error
    try:
        return _follow(content)
    except _Refused as refusal:
        msg = (
            f"{path}: this pickle asks for {refusal}, which is never followed; accepted are only "
            "dictionaries, lists, words, numbers, numpy arrays of these, and paths"
        )
        raise EngineError(msg) from None
    except (
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
        struct.error,
    ) as error:
        reason = " ".join(str(error).split())[:120] or type(error).__name__
        msg = f"{path}: not a pickle of plain values ({reason}); accepted is one of labels"
        raise EngineError(msg) from None


class _Refused(Exception):
    """A pickle asks for something that could do harm."""


def _refuse(what: str) -> NoReturn:
    """Raise `_Refused`."""
    raise _Refused(what)


def _follow(content: bytes) -> Any:
    """Follow the harmless instructions of a pickle and return its value."""
    stack: list[Any] = []
    memo: dict[int, Any] = {}
    for opcode, argument, _ in genops(content):
        name = opcode.name
        if name in LITERALS:
            stack.append(argument)
        elif name in CONSTANTS:
            stack.append(CONSTANTS[name]())
        elif name in STEPS:
            STEPS[name](stack)
        elif name in ("PUT", "BINPUT", "LONG_BINPUT"):
            memo[int(argument or 0)] = stack[-1]
        elif name == "MEMOIZE":
            memo[len(memo)] = stack[-1]
        elif name in ("GET", "BINGET", "LONG_BINGET"):
            stack.append(memo[int(argument or 0)])
        elif name == "GLOBAL":
            module, _, item = str(argument).partition(" ")
            stack.append(_named(module, item))
        elif name == "STOP":
            value = stack.pop()
            if stack:
                msg = "values are left over"
                raise ValueError(msg)
            return _told(value)
        elif name not in ("PROTO", "FRAME"):
            _refuse(name)
    msg = "it has no end"
    raise ValueError(msg)


def _told(value: Any) -> Any:
    """Return a finished value; raises `_Refused` for a bare name or an unfinished one."""
    if isinstance(value, _Array):
        return value.values
    if isinstance(value, tuple):
        for part in value:
            _refuse_unfinished(part)
    _refuse_unfinished(value)
    return value


def _refuse_unfinished(value: Any) -> None:
    """Raise `_Refused` for what is no value by itself: a bare name, a number type, a mark."""
    if isinstance(value, (_Named, _Dtype)) or value is _MARK:
        _refuse(f"the bare name {getattr(value, 'name', 'of a number type')}")


def _marked(stack: list[Any]) -> list[Any]:
    """Take and return the values above the last mark."""
    start = max(i for i, value in enumerate(stack) if value is _MARK)
    values = [_told_or_type(value) for value in stack[start + 1 :]]
    del stack[start:]
    return values


def _told_or_type(value: Any) -> Any:
    """Return a value that may stand in a tuple of arguments: also a name or a number type."""
    return value if isinstance(value, (_Named, _Dtype)) else _told(value)


def _put_items(stack: list[Any], items: list[Any]) -> None:
    """Put keys and values into the dictionary on top of the stack."""
    target = stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        msg = "keys without a dictionary"
        raise ValueError(msg)
    for key, value in zip(items[::2], items[1::2], strict=True):
        target[_told(key)] = _told(value)


def _append(stack: list[Any], values: list[Any]) -> None:
    """Put values into the list on top of the stack."""
    if not isinstance(stack[-1], list):
        msg = "values without a list"
        raise ValueError(msg)
    stack[-1].extend(_told(v) for v in values)


def _set_item(stack: list[Any]) -> None:
    """Put one key and value."""
    value, key = stack.pop(), stack.pop()
    _put_items(stack, [key, value])


def _append_one(stack: list[Any]) -> None:
    """Put one value."""
    value = stack.pop()
    _append(stack, [value])


def _dict_of(stack: list[Any]) -> None:
    """Make a dictionary of what is above the mark."""
    items = _marked(stack)
    stack.append({})
    _put_items(stack, items)


def _last(count: int) -> Callable[[list[Any]], None]:
    """Return a step that makes a tuple of the last few values."""

    def step(stack: list[Any]) -> None:
        if len(stack) < count:
            msg = "a value is missing"
            raise ValueError(msg)
        values = tuple(_told_or_type(v) for v in stack[-count:])
        del stack[-count:]
        stack.append(values)

    return step


def _named(module: str, item: str) -> _Named:
    """Return a name that is known to be harmless; raises `_Refused` for any other."""
    known = NAMES.get((module, item))
    if known is None:
        _refuse(f"{module}.{item}"[:80])
    return _Named(known)


def _stack_global(stack: list[Any]) -> None:
    """Take a module's and an object's name from the stack."""
    item, module = stack.pop(), stack.pop()
    stack.append(_named(str(module), str(item)))


def _reduce(stack: list[Any]) -> None:
    """Rebuild what a known name makes of its arguments."""
    arguments, named = stack.pop(), stack.pop()
    if not isinstance(named, _Named) or not isinstance(arguments, tuple):
        _refuse("a call")
    stack.append(REBUILT[named.name](*arguments))


def _new_object(stack: list[Any]) -> None:
    """Refuse `NEWOBJ`, which makes an object of a class."""
    arguments, named = stack.pop(), stack.pop()
    del arguments
    _refuse(f"an object of {getattr(named, 'name', 'a class')}")


def _build(stack: list[Any]) -> None:
    """Tell an array or a number type its state."""
    state = stack.pop()
    target = stack[-1]
    if not isinstance(state, tuple):
        _refuse("the state of an object")
    if isinstance(target, _Dtype):
        target.order = str(state[1])
    elif isinstance(target, _Array):
        _, shape, kind, columns_first, data = state
        flat = np.frombuffer(_bytes(data), kind.numpy())
        # Fortran's order is that of the transposed array.
        plain = flat.reshape(shape[::-1]).T if columns_first else flat.reshape(shape)
        target.values = plain.tolist()
    else:
        _refuse("the state of an object")


def _scalar(kind: _Dtype, data: Any) -> Any:
    """Return a numpy number as a number."""
    return np.frombuffer(_bytes(data), kind.numpy(), count=1)[0].item()


def _empty_array(named: _Named, *_: Any) -> _Array:
    """Return an array whose state follows."""
    if named != _Named("ndarray"):
        _refuse("an array of a class")
    return _Array()


def _dtype(code: Any, *_: Any) -> _Dtype:
    """Return a number type by its code."""
    return _Dtype(code=str(code))


def _encoded(text: str, encoding: str) -> bytes:
    """Return the bytes that old protocols write as Latin-1 text."""
    if encoding != "latin1":
        _refuse(f"the encoding {encoding[:20]}")
    return text.encode("latin-1")


def _path(*parts: str) -> str:
    """Return a path as its words."""
    if not all(isinstance(part, str) for part in parts):
        _refuse("a path of other than words")
    return str(Path(*parts))


def _bytes(data: Any) -> bytes:
    """Return the bytes of an array; text is how old protocols write them."""
    return data.encode("latin-1") if isinstance(data, str) else bytes(memoryview(data))


def _drop_marked(stack: list[Any]) -> None:
    """Forget the values above the mark."""
    _marked(stack)


def _put_items_above(stack: list[Any]) -> None:
    """Put the keys and values above the mark into the dictionary below it."""
    items = _marked(stack)
    _put_items(stack, items)


def _append_above(stack: list[Any]) -> None:
    """Put the values above the mark into the list below it."""
    values = _marked(stack)
    _append(stack, values)


LITERALS = frozenset(
    {
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "BINUNICODE8"),
        *("SHORT_BINUNICODE", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    }
)
CONSTANTS: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        "NONE": lambda: None,
        "NEWTRUE": lambda: True,
        "NEWFALSE": lambda: False,
        "EMPTY_DICT": dict,
        "EMPTY_LIST": list,
        "EMPTY_TUPLE": tuple,
        "MARK": lambda: _MARK,
    }
)
STEPS: Mapping[str, Callable[[list[Any]], None]] = MappingProxyType(
    {
        "DICT": _dict_of,
        "LIST": lambda stack: stack.append([_told(v) for v in _marked(stack)]),
        "TUPLE": lambda stack: stack.append(tuple(_marked(stack))),
        "TUPLE1": _last(1),
        "TUPLE2": _last(2),
        "TUPLE3": _last(3),
        "SETITEM": _set_item,
        "SETITEMS": _put_items_above,
        "APPEND": _append_one,
        "APPENDS": _append_above,
        "POP": lambda stack: stack.__delitem__(-1),
        "POP_MARK": _drop_marked,
        "DUP": lambda stack: stack.append(stack[-1]),
        "STACK_GLOBAL": _stack_global,
        "REDUCE": _reduce,
        "NEWOBJ": _new_object,
        "BUILD": _build,
    }
)
_NUMPY = ("numpy.core.multiarray", "numpy._core.multiarray")
NAMES: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        **{(module, "scalar"): "scalar" for module in _NUMPY},
        **{(module, "_reconstruct"): "array" for module in _NUMPY},
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
        "dtype": _dtype,
        "encode": _encoded,
        "path": _path,
        "dict": lambda: {},
    }
)
