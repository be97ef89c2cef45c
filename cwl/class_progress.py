"""The progress bar of a 2D classification."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any


@contextmanager
def class_ticker(text: str, quiet: bool) -> Iterator[Callable[[Mapping[str, Any]], None]]:
    """Give a function to call after each iteration of a classification with what it did.

    The bar shows the iteration, how many classes live, and the resolution of their averages.
    """
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[said]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(text, total=None, said="")

        def tick(line: Mapping[str, Any]) -> None:
            """Show one iteration."""
            resolution = line.get("resolution_a")
            fine = "" if resolution is None else f", averages {resolution:.1f} Å"
            start = line.get("start") or 1
            begun = f" (beginning {start})" if start > 1 else ""
            said = f"{line.get('alive', '?')} classes{fine}{begun}"
            progress.update(task, completed=line["number"], total=line.get("total"), said=said)

        yield tick
