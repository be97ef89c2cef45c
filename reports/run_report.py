"""The first page of a run: what became of its micrographs and particles, and where to read why."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from cryoverdict.engine.run_ledger import CHAINS, RunLedger, Unit, accounts
from cryoverdict.reports.frame import PAGE, write_folder
from cryoverdict.reports.index_page import PageLink, write_index

CONFIRM = "confirm-particles"
TITLES: Mapping[str, str] = {
    "decide-micrographs": "Which micrographs?",
    "decide-picking": "How to pick?",
    "pick": "The picks",
    "decide-classification": "How to classify?",
    "classify": "The classes",
    "decide-classes": "Which classes?",
    "classify-particles": "Which particles, by what was learnt?",
    CONFIRM: "Does 2D classification agree?",
    "classify-again": "Further rounds of classes",
}
NOUNS: Mapping[Unit, str] = {"micrographs": "micrographs", "particles": "picks"}
ROUND_ONE = "Round one: "


def report_run(
    folder: Path, ledger: RunLedger, *, folders: Sequence[Path], earlier: Sequence[Path] = ()
) -> Path:
    """Write ``folder`` with a page that links the pages of the steps, and return it.

    The step folders are linked as neighbours of ``folder``: that is where a run puts them.
    """
    links = [link for one in folders if (link := _link(one, "")) is not None]
    links += [link for one in earlier if (link := _link(one, ROUND_ONE)) is not None]
    notes = [note for unit in CHAINS if (note := _sentence(unit, ledger))]

    def write(part: Path) -> Path:
        """Write the page into a new folder."""
        return write_index(part, links, title="Run", notes=notes)

    return write_folder(folder, write)


def _link(folder: Path, prefix: str) -> PageLink | None:
    """Return the link to a step's page, if it has one.

    A step that sorts something out shows its bins; one that settles parameters, from what.
    """
    if not (folder / "report" / PAGE).is_file():
        return None
    (account,) = accounts([folder])
    unit = next((unit for unit, chain in CHAINS.items() if account.step in chain), None)
    picks = "" if account.picks is None else f", {account.picks} picks"
    line = f"{account.inputs} {unit}{picks}"
    if account.step == CONFIRM:
        line = f"a sample of {account.inputs} particles, classified to confirm what was learnt"
    elif unit is None:
        line = f"decided from {account.inputs} micrographs"
    return PageLink(
        address=f"../{folder.name}/report/{PAGE}",
        step=account.step,
        title=prefix + TITLES.get(account.step, account.step),
        lines=(line,),
        bins=tuple((str(word), n) for word, n in account.bins.items() if n) if unit else (),
    )


def _sentence(unit: Unit, ledger: RunLedger) -> str:
    """Return in words where all items of a kind ended; empty for a run without them."""
    total = ledger.total(unit)
    if total is None:
        return ""
    kept = f"{total['bins']['kept']} of {total['inputs']} {NOUNS[unit]} kept"
    lost = "; ".join(
        f"{one['number']} not, by {one['step']}: {one['reason'] or one['bin']}"
        for one in total["lost"]
    )
    return f"{kept}; {lost}." if lost else f"{kept}."
