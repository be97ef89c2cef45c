"""The page of one `classify-again` run: its rounds, and why there were no more."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cryoverdict.engine.class_selection.further_rounds import FurtherRound, RoundsDone
from cryoverdict.engine.judge import Judge
from cryoverdict.engine.parameter_file import ParameterFile
from cryoverdict.reports.class_report import report_classes
from cryoverdict.reports.classification_report import report_run
from cryoverdict.reports.frame import PAGE, write_folder
from cryoverdict.reports.index_page import PageLink, write_index
from cryoverdict.reports.number import write_number


def report_round(one: FurtherRound, *, judge: Judge, file: ParameterFile) -> None:
    """Write the pages of one round into its folders."""
    report_run(one.classified_folder, one.classified, one.lists, file)
    report_classes(one.selected_folder, selection=one.selection, judge=judge, ledger=one.ledger)


def report_rounds(output: Path, done: RoundsDone) -> Path:
    """Write ``output/report``, which links the pages of the rounds, and return its first page."""
    links = [link for one in done.rounds for link in _links(one)]

    def write(part: Path) -> Path:
        """Write the page into a new folder."""
        return write_index(part, links, title="Further rounds of 2D classes", notes=done.notes)

    return write_folder(output / "report", write)


def _links(one: FurtherRound) -> Sequence[PageLink]:
    """Return the links to the two pages of a round."""
    result, name = one.result, one.folder.name
    particles = f"{write_number(result.kept + result.rejected)} particles"
    return (
        PageLink(
            address=f"../{name}/{one.classified_folder.name}/report/{PAGE}",
            step="classify",
            title=f"The classes of {result.subject}",
            lines=(particles,),
        ),
        PageLink(
            address=f"../{name}/{one.selected_folder.name}/report/{PAGE}",
            step="decide-classes",
            title=f"Which classes of {result.subject}?",
            lines=(particles,),
            bins=(("kept", result.kept), ("rejected", result.rejected)),
        ),
    )
