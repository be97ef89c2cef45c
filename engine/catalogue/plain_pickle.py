"""Reading plain values from a pickle without unpickling: nothing in the file is ever called.

A pickle is a program. Its instructions are listed by `pickletools.genops`, which runs none of them;
here those that build dictionaries, lists, words and numbers are followed, and numpy's numbers and
arrays and file paths are recognised by name and rebuilt by `cryoverdict.engine.catalogue.
pickle_names`. Anything else that a pickle can ask for is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from pathlib import Path
from pickletools import genops
from types import MappingProxyType
from typing import Any

from cryoverdict.engine.catalogue.pickle_names import (
    Array,
    Dtype,
    Named,
    Refused,
    known_name,
    rebuild,
    refuse,
    tell_state,
)
from cryoverdict.engine.engine_error import EngineError

MOST_BYTES = 64 * 2**20
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
    except Refused as refusal:
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
            stack.append(known_name(module, item))
        elif name == "STOP":
            value = stack.pop()
            if stack:
                msg = "values are left over"
                raise ValueError(msg)
            return _told(value)
        elif name not in ("PROTO", "FRAME"):
            refuse(name)
    msg = "it has no end"
    raise ValueError(msg)


def _told(value: Any) -> Any:
    """Return a finished value; raises `Refused` for a bare name or an unfinished one."""
    if isinstance(value, Array):
        return value.values
    if isinstance(value, tuple):
        for part in value:
            _refuse_unfinished(part)
    _refuse_unfinished(value)
    return value


def _refuse_unfinished(value: Any) -> None:
    """Raise `Refused` for what is no value by itself: a bare name, a number type, a mark."""
    if isinstance(value, (Named, Dtype)) or value is _MARK:
        refuse(f"the bare name {getattr(value, 'name', 'of a number type')}")


def _marked(stack: list[Any]) -> list[Any]:
    """Take and return the values above the last mark."""
    start = max(i for i, value in enumerate(stack) if value is _MARK)
    values = [_told_or_type(value) for value in stack[start + 1 :]]
    del stack[start:]
    return values


def _told_or_type(value: Any) -> Any:
    """Return a value that may stand in a tuple of arguments: also a name or a number type."""
    return value if isinstance(value, (Named, Dtype)) else _told(value)


def _put_items(stack: list[Any], items: list[Any]) -> None:
    """Put keys and values into the dictionary on top of the stack."""
    target = stack[-1]
    if not isinstance(target, dict) or len(items) % 2:
        msg = "keys without a dictionary"
        raise ValueError(msg)
    for key, value in zip(items[::2], items[1::2], strict=True):
        # The hash of a tuple in a tuple, a million deep, would end the whole program.
        if isinstance(key, (tuple, Array)):
            msg = "a key that is no word or number"
            raise TypeError(msg)
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


def _stack_global(stack: list[Any]) -> None:
    """Take a module's and an object's name from the stack."""
    item, module = stack.pop(), stack.pop()
    stack.append(known_name(str(module), str(item)))


def _reduce(stack: list[Any]) -> None:
    """Rebuild what a known name makes of its arguments."""
    arguments, named = stack.pop(), stack.pop()
    stack.append(rebuild(named, arguments))


def _build(stack: list[Any]) -> None:
    """Tell an array or a number type its state."""
    state = stack.pop()
    tell_state(stack[-1], state)


def _new_object(stack: list[Any]) -> None:
    """Refuse `NEWOBJ`, which makes an object of a class."""
    arguments, named = stack.pop(), stack.pop()
    del arguments
    refuse(f"an object of {getattr(named, 'name', 'a class')}")


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
