"""What a command says when it is done."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import click

# More notes than this tell a reader no more; the ledger has them all.
MOST_NOTES = 10


def say(facts: Mapping[str, Any], *, notes: Iterable[str] = (), quiet: bool, as_json: bool) -> None:
    """Print the facts, as aligned lines or as one JSON object, and the notes on standard error."""
    told = list(notes)
    if as_json:
        click.echo(json.dumps({**facts, "notes": told}, sort_keys=True))
        return
    if quiet:
        return
    for note in told[:MOST_NOTES]:
        click.echo(f"note: {note}", err=True)
    if len(told) > MOST_NOTES:
        click.echo(f"note: … and {len(told) - MOST_NOTES} more", err=True)
    width = max((len(name) for name in facts), default=0)
    for name, value in facts.items():
        click.echo(f"{name.replace('_', ' '):<{width}}  {_told(value)}")


def _told(value: object) -> str:
    """Return a fact as a line shows it; a mapping of names to counts as "name count, …"."""
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {count}" for name, count in value.items()) or "none"
    return str(value)
