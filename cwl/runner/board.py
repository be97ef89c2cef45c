"""Progress by step and batch: bars on a terminal, one line a finished step elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

import click

from cryoverdict.cwl.runner.cwltool_log import JobEvent


@contextmanager
def board(totals: Mapping[str, int], quiet: bool) -> Iterator[Callable[[JobEvent], None]]:
    """Give a function that shows an event; ``totals`` is how many jobs a step has, where known."""
    if quiet:
        yield lambda _: None
    elif sys.stderr.isatty():
        with _bars(totals) as show:
            yield show
    else:
        yield _lines(totals)


def _lines(totals: Mapping[str, int]) -> Callable[[JobEvent], None]:
    """Return a function that writes a line for every job that ended."""
    ended: dict[str, int] = {}

    def show(event: JobEvent) -> None:
        """Write what became of a job; nothing of its beginning."""
        if event.state not in ("done", "cached", "failed"):
            return
        ended[event.step] = ended.get(event.step, 0) + 1
        of = f" of {totals[event.step]}" if event.step in totals else ""
        word = {"done": "", "cached": ", kept", "failed": ", failed"}[event.state]
        click.echo(f"{event.step} {ended[event.step]}{of}{word}", err=True)

    return show


@contextmanager
def _bars(totals: Mapping[str, int]) -> Iterator[Callable[[JobEvent], None]]:
    """Give a function that moves one bar a step."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TaskID,
        TextColumn,
        TimeElapsedColumn,
    )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, TimeElapsedColumn(), console=Console(stderr=True)) as progress:
        tasks: dict[str, tuple[TaskID, set[str]]] = {}

        def show(event: JobEvent) -> None:
            """Move the bar of the event's step, which begins with its first job."""
            if event.step not in tasks:
                total = totals.get(event.step, 0)
                tasks[event.step] = (progress.add_task(event.step, total=total), set())
            number, jobs = tasks[event.step]
            jobs.add(event.job)
            progress.update(number, total=max(totals.get(event.step, 0), len(jobs)))
            if event.state in ("done", "cached"):
                progress.advance(number)

        yield show
