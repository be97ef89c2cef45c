"""The CTF of micrographs, or of their stored power spectra, as a step of its own."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cryoverdict.engine.parallel import each
from cryoverdict.features.ctf_fit import CtfFit, fit_ctf
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.micrograph_list import MicrographList
from cryoverdict.features.optics import Optics

# Columns of a list that describe the fit it came with, and that a new fit does not fill: they would
# stand beside its numbers as if they belonged to it. The power spectrum is the image's, and stays.
OLD_FIT = (
    "rlnCtfImage",
    "rlnPhaseShift",
    "rlnCtfBfactor",
    "rlnCtfScalefactor",
    "rlnCtfValidationScore",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfEstimate:
    """The fit of one micrograph and the optics it was made with, or why there is none.

    ``given_a`` is the mean defocus (Å) that came with the list, to compare with.
    """

    subject: str
    given_a: float | None = None
    phase_plate: bool = False
    fit: CtfFit | None = None
    optics: Optics | None = None
    error: str = ""

    def columns(self) -> dict[str, Any]:
        """Return the estimate under RELION's labels, as CTFFIND jobs write them."""
        if self.fit is None:
            return {}
        ctf, fit = self.fit.ctf, self.fit
        shift = {"rlnPhaseShift": ctf.phase_shift_deg} if self.phase_plate else {}
        return shift | {
            "rlnDefocusU": ctf.defocus_u_a,
            "rlnDefocusV": ctf.defocus_v_a,
            "rlnCtfAstigmatism": ctf.astigmatism_a,
            "rlnDefocusAngle": ctf.defocus_angle_deg,
            "rlnCtfFigureOfMerit": fit.score,
            "rlnCtfMaxResolution": fit.resolution_a,
            "cryoverdictDefocusError": fit.defocus_error_a,
            "cryoverdictDefocusDifference": (
                None if self.given_a is None else ctf.mean_defocus_a - self.given_a
            ),
            "cryoverdictThonRingsSeen": int(fit.rings_seen),
        }


def old_fit_columns(micrographs: MicrographList, *, phase_plate: bool) -> tuple[str, ...]:
    """Return the columns of a list that describe the fit which a new one takes the place of."""
    given = {label for s in micrographs.sources if s.table for label in s.table.columns}
    if any(m.given_ctf and m.given_ctf.phase_shift_deg for m in micrographs.micrographs):
        given.add("rlnPhaseShift")
    replaced = {"rlnPhaseShift"} if phase_plate else set()
    return tuple(label for label in OLD_FIT if label in given - replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """One micrograph, and whether its stored power spectrum is to be used."""

    micrograph: Micrograph
    stored: bool
    phase_plate: bool


def estimate_all(
    micrographs: Sequence[Micrograph], *, stored: bool, phase_plate: bool, threads: int
) -> Iterator[CtfEstimate]:
    """Yield the estimate of each micrograph in order.

    ``stored`` takes the power spectrum that the list names (``rlnCtfPowerSpectrum``), or the file
    itself as one; its own header says its sampling, which is not the micrograph's.
    """
    tasks = (_Task(micrograph=m, stored=stored, phase_plate=phase_plate) for m in micrographs)
    yield from each(_estimate, tasks, threads=min(threads, max(1, len(micrographs) // 2)))


def _estimate(task: _Task) -> CtfEstimate:
    """Estimate one CTF in a worker; a fault of the file becomes an answer."""
    from cryoverdict.features.micrograph_list import check_pixel_size
    from cryoverdict.features.prepare import prepare
    from cryoverdict.features.read_image import read_image
    from cryoverdict.features.stored_spectrum import read_stored_spectrum

    micrograph = task.micrograph
    try:
        if task.stored:
            optics = micrograph.optics
            spectrum = read_stored_spectrum(micrograph.power_spectrum or micrograph.path)
        else:
            image = read_image(micrograph.path)
            optics = check_pixel_size(micrograph, image)
            spectrum = prepare(micrograph, image, optics).spectrum
        fit = fit_ctf(spectrum, optics, phase_plate=task.phase_plate)
    except (InputError, OSError) as error:
        return CtfEstimate(subject=micrograph.subject, error=str(error))
    given = micrograph.given_ctf
    return CtfEstimate(
        subject=micrograph.subject,
        fit=fit,
        optics=optics,
        phase_plate=task.phase_plate,
        given_a=None if given is None else (given.defocus_u_a + given.defocus_v_a) / 2.0,
    )
