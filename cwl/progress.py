"""Progress bars on a terminal, silence elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

Item = TypeVar("Item")


@contextmanager
def ticker(text: str, total: int, quiet: bool) -> Iterator[Callable[[object], None]]:
    """Give a function to call after each of ``total`` items; it moves a bar on standard error."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True)) as progress:
        task = progress.add_task(text, total=total)
        yield lambda _: progress.advance(task)


def tracker(quiet: bool) -> Callable[[Iterable[Item], str, int], Iterator[Item]]:
    """Return a function that yields items and draws a bar on standard error, if it may."""

    def tracked(items: Iterable[Item], text: str, total: int) -> Iterator[Item]:
        with ticker(text, total, quiet) as tick:
            for item in items:
                yield item
                tick(item)

    return tracked
