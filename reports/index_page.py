"""The first page of a run: one line of links to the pages of its steps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryoverdict.reports.frame import write_page

# The bins of a ledger and the outcome whose colour each is drawn in.
COLOUR_OF = {"kept": "keep", "rejected": "reject", "error": "error"}


@dataclass(frozen=True, slots=True, kw_only=True)
class PageLink:
    """One step's page as the index shows it.

    ``address`` is relative to the index (``micrographs/index.html``); ``step`` is the step's
    command name; ``lines`` are sentences of summary; ``bins`` the counts of its ledger, if any.
    """

    address: str
    step: str
    title: str
    lines: tuple[str, ...] = ()
    bins: tuple[tuple[str, int], ...] = ()

    @property
    def outcomes(self) -> tuple[tuple[str, str, int], ...]:
        """Return outcome (as colours are named), word and count of each bin."""
        return tuple((COLOUR_OF.get(word, "neutral"), word, n) for word, n in self.bins)


def write_index(
    folder: Path, pages: Sequence[PageLink], *, title: str = "Run", notes: Sequence[str] = ()
) -> Path:
    """Write ``folder/index.html``, which links the pages in the order given; return its path."""
    context = {"title": title, "pages": pages, "notes": tuple(notes)}
    return write_page(folder, "index.html", context, ("index.css",))
