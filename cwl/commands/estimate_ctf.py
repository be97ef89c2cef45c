"""Estimate the CTF of micrographs."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from cryoverdict.cwl import options
from cryoverdict.cwl.exit_code import exit_code_of
from cryoverdict.cwl.progress import tracker
from cryoverdict.cwl.summary import say

if TYPE_CHECKING:
    from cryoverdict.features.optics import Optics


@click.command("estimate-ctf")
@options.micrographs_argument
@click.option(
    "--power-spectra",
    is_flag=True,
    help="Use stored power spectra: MICS are *_PS.mrc, or a list that names them.",
)
@click.option("--phase-plate", is_flag=True, help="Search for a phase shift too.")
@options.output_option
@options.optics_options
@options.threads_option
@options.quiet_option
@options.json_option
def command(
    micrographs: tuple[str, ...],
    power_spectra: bool,
    phase_plate: bool,
    output: Path,
    optics: Optics,
    threads: int | None,
    quiet: bool,
    as_json: bool,
) -> int:
    """Estimate defocus, astigmatism and resolution from the Thon rings.

    A CTF that the list has already is not used, but compared: this is the own fit, and its mean
    defocus less the list's stands beside it (cryoverdictDefocusDifference, Å). Columns that
    describe the list's fit alone, such as rlnCtfImage, are left out.
    Writes micrographs_ctf.star and ledger.json.
    """
    from cryoverdict.engine.ctf_estimation import estimate_all, old_fit_columns
    from cryoverdict.engine.ledger import Entry, Ledger
    from cryoverdict.engine.output_folder import writing_into
    from cryoverdict.features.micrograph_list import read_micrograph_list
    from cryoverdict.features.write_micrographs import write_micrograph_star

    listed = read_micrograph_list(micrographs, optics)
    work = estimate_all(
        listed.micrographs,
        stored=power_spectra,
        phase_plate=phase_plate,
        threads=options.thread_count(threads),
    )
    estimates = list(tracker(quiet)(work, "estimating the CTF", len(listed.micrographs)))
    done = {e.subject: e for e in estimates if e.fit is not None}
    errors = dict(listed.unreadable) | {e.subject: e.error for e in estimates if e.fit is None}
    star = output / "micrographs_ctf.star"
    entries = [Entry(item=s, bin="kept") for s in done]
    entries += [Entry(item=s, bin="error", reason=why) for s, why in errors.items()]
    stale = old_fit_columns(listed, phase_plate=phase_plate)
    told = [f"left out, as they describe the list's own fit: {', '.join(stale)}"] if stale else []
    if "rlnPhaseShift" in stale:
        told.append("the list has phase shifts and this fit none; give --phase-plate to fit them")
    with writing_into(output):
        write_micrograph_star(
            star,
            listed,
            done,
            {s: e.columns() for s, e in done.items()},
            {s: e.optics for s, e in done.items() if e.optics is not None},
            stale=stale,
        )
        Ledger(step="estimate-ctf", entries=tuple(entries)).write(output / "ledger.json")
    say(
        {"estimated": len(done), "unreadable": len(errors), "list": str(star)},
        notes=(*listed.notes, *told, *errors.values()),
        quiet=quiet,
        as_json=as_json,
    )
    return exit_code_of(len(done), len(errors))
