"""Put a workflow's outputs where a person looks for them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cryoverdict.engine.engine_error import EngineError

# From this size on a file is linked to the kept result instead of copied: a stack is not to be
# there twice.
LINKED_FROM_BYTES = 1 << 20


def place_outputs(outputs: dict[str, Any], folder: Path) -> tuple[Path, ...]:
    """Put the files and folders of an output object into ``folder``; return where they are.

    Each goes to a temporary name first and is then moved into place, over what an earlier run left
    there. Raises `EngineError` where two outputs have one name.
    """
    part = folder / ".part"
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    placed: dict[str, Path] = {}
    for value in _things(outputs):
        name, source = str(value["basename"]), Path(str(value["path"]))
        if name in placed:
            msg = f"{folder / name}: two outputs of the workflow have this name; rename one"
            raise EngineError(msg)
        if value["class"] == "Directory":
            shutil.copytree(source, part / name, copy_function=_link_or_copy)
        else:
            _link_or_copy(str(source), str(part / name))
        placed[name] = folder / name
    for name, target in placed.items():
        if target.is_dir():
            shutil.rmtree(target)
        elif target.exists():
            # Renaming one name of a file to another of its names does nothing.
            target.unlink()
        (part / name).rename(target)
    part.rmdir()
    return tuple(placed.values())


def _things(value: Any) -> Iterator[dict[str, Any]]:
    """Yield the files and folders of an output object that are not inside another."""
    if isinstance(value, list):
        for one in value:
            yield from _things(one)
    elif isinstance(value, dict) and value.get("class") in ("File", "Directory"):
        yield value
    elif isinstance(value, dict):
        for one in value.values():
            yield from _things(one)


def _link_or_copy(source: str, target: str) -> str:
    """Give a large file a second name, where the file system can; copy a small one."""
    if os.stat(source).st_size >= LINKED_FROM_BYTES:  # noqa: PTH116 (shutil hands over text)
        try:
            os.link(source, target)
        except OSError:
            return shutil.copyfile(source, target)
        return target
    return shutil.copyfile(source, target)
