"""A page of sentences and tables, for what is told in few numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.reports.frame import write_folder, write_page


@dataclass(frozen=True, slots=True, kw_only=True)
class TablePart:
    """One panel: a title, sentences, and a table whose rows begin with what they are of."""

    title: str
    sentences: tuple[str, ...] = ()
    head: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


def write_table_page(folder: Path, title: str, parts: Sequence[TablePart]) -> Path:
    """Write ``folder/index.html`` with one panel a part; return its path."""

    def write(part: Path) -> Path:
        """Write the page into a new folder."""
        return write_page(
            part, "tables.html", {"title": title, "parts": tuple(parts)}, ("tables.css",)
        )

    return write_folder(folder, write)
