"""The estimation of the CTF from a power spectrum."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import degrees, hypot, pi, radians

import numpy as np

from cryoverdict.features.ctf import Ctf, astigmatic
from cryoverdict.features.ctf_agreement import Agreement, CtfProfile, agree, sampling_limit
from cryoverdict.features.ctf_background import WhiteSpectrum, whiten
from cryoverdict.features.ctf_polar import average_sectors
from cryoverdict.features.ctf_refine import Refined, refine
from cryoverdict.features.ctf_rings import RingModel
from cryoverdict.features.ctf_search import Candidate, search_defocus
from cryoverdict.features.input_error import InputError
from cryoverdict.features.optics import Optics
from cryoverdict.features.power_spectrum import PowerSpectrum

LOWEST_FREQUENCY = 1.0 / 30.0
HIGHEST_FREQUENCY = 1.0 / 2.2
LEAST_CELLS = 20

RINGS_SEEN = 20.0
"""Log-likelihood gain from which rings count as seen; noise alone stays below 17 in 160 trials."""

LEAST_SCORE = 0.02
LEAST_RING_COUNT = 1.5
"""Rings that no cell agrees with, or fewer than this, are structure of another kind."""

OVERFOCUS_GAIN, OVERFOCUS_RATIO, OVERFOCUS_RINGS = 12.0, 1.05, 5.0
"""Overfocus is believed where it explains this much more than underfocus, and over enough rings:
the two differ by spherical aberration and amplitude contrast only."""

_QUANTILE_95 = 2.07  # Student's t with 23 degrees of freedom: the residuals of 24 sectors


@dataclass(frozen=True, slots=True, kw_only=True)
class CtfFit:
    """A CTF with what the spectrum says of it.

    ``ctf`` has a negative defocus where overfocus explains the rings better. ``given`` is true
    where the CTF was not searched for but handed over. ``score`` is the correlation of the cells
    with the rings, ``gain`` the rise in log-likelihood over no rings, ``rings_seen`` whether that
    is more than noise gives: without it the defocus means nothing. ``resolution_a`` is the limit of
    agreement, ``sampling_limit_a`` the finest at which this spectrum could have shown rings.
    ``defocus_error_a`` and ``astigmatism_error_a`` are half widths of the 95 % intervals, ``None``
    for a given CTF. ``directional_blur_a`` is the length of an even drift that would take the rings
    away in one direction as much as is seen.
    """

    ctf: Ctf
    given: bool
    score: float
    gain: float
    rings_seen: bool
    resolution_a: float
    sampling_limit_a: float
    ring_count: float
    rings_to_nyquist: float
    defocus_error_a: float | None
    astigmatism_error_a: float | None
    directional_blur_a: float
    profile: CtfProfile


@dataclass(frozen=True, slots=True)
class _Setting:
    """Known optics and the frequency range of a spectrum."""

    pixel_size_a: float
    voltage_kv: float
    cs_mm: float
    amplitude_contrast: float
    low: float
    high: float


def fit_ctf(spectrum: PowerSpectrum, optics: Optics, *, phase_plate: bool = False) -> CtfFit:
    """Estimate the CTF of a micrograph from its power spectrum.

    Underfocus of 0.2 to 9 µm is searched, astigmatism up to 2,000 Å, and with ``phase_plate`` a
    phase shift of 0 to 180°. The spectrum's own pixel size goes before that of the optics. Raises
    `InputError` where pixel size, voltage, Cs or amplitude contrast is unknown.
    """
    setting = _setting(spectrum, optics)
    white = _white(spectrum, setting)
    model = _model(white, setting)
    candidates = search_defocus(
        white,
        voltage_kv=setting.voltage_kv,
        cs_mm=setting.cs_mm,
        amplitude_contrast=setting.amplitude_contrast,
        phase_plate=phase_plate,
    )
    least = min(0.8 * candidates[0].score, candidates[0].score - 20.0)
    tried = [refine(model, c, phase_plate=phase_plate) for c in candidates if c.score >= least]
    best = max(tried, key=lambda r: r.posterior)
    fit = _fit(spectrum, setting, white, _ctf(best, setting), best, given=False)
    if phase_plate or not fit.rings_seen:
        return fit
    over = refine(model, _start(-best.mean_a, best.vector_a), steps=4)
    if over.posterior > 0.9 * best.posterior:
        over = refine(model, _start(over.mean_a, over.vector_a))
    if over.posterior > OVERFOCUS_RATIO * best.posterior + OVERFOCUS_GAIN:
        other = _fit(spectrum, setting, white, _ctf(over, setting), over, given=False)
        if other.rings_seen and other.ring_count >= OVERFOCUS_RINGS:
            return other
    return fit


def evaluate_ctf(spectrum: PowerSpectrum, optics: Optics, given: Ctf) -> CtfFit:
    """Score a CTF against a spectrum without searching for a better one.

    The pixel size is the spectrum's, or else that of ``optics``; raises `InputError` where unknown.
    """
    setting = replace(
        _setting(
            spectrum,
            Optics(
                voltage_kv=given.voltage_kv,
                cs_mm=given.cs_mm,
                amplitude_contrast=abs(given.amplitude_contrast),
            ).completed(optics),
        ),
        amplitude_contrast=given.amplitude_contrast,
    )
    white = _white(spectrum, setting)
    start = _start(given.mean_defocus_a, given.astigmatism_vector_a, radians(given.phase_shift_deg))
    refined = refine(_model(white, setting), start, hold=True)
    return _fit(spectrum, setting, white, given, refined, given=True)


def _start(
    mean_a: float, vector_a: tuple[float, float] = (0.0, 0.0), phase_shift: float = 0.0
) -> Candidate:
    """Return a CTF to start from or to evaluate."""
    return Candidate(mean_a=mean_a, vector_a=vector_a, phase_shift=phase_shift, score=0.0)


def _setting(spectrum: PowerSpectrum, optics: Optics) -> _Setting:
    """Return the optics, all known, with the range of frequencies to be looked at."""
    known = Optics(pixel_size_a=spectrum.pixel_size_a).completed(optics)
    pixel_size_a, voltage_kv = known.pixel_size_a, known.voltage_kv
    cs_mm, contrast = known.cs_mm, known.amplitude_contrast
    if pixel_size_a is None or voltage_kv is None or cs_mm is None or contrast is None:
        missing = ", ".join(known.missing_for_ctf)
        msg = f"CTF: {missing} unknown; accepted are optics that name them"
        raise InputError(msg)
    nyquist = 0.5 / pixel_size_a
    return _Setting(
        pixel_size_a=pixel_size_a,
        voltage_kv=voltage_kv,
        cs_mm=cs_mm,
        amplitude_contrast=contrast,
        low=min(LOWEST_FREQUENCY, 0.2 * nyquist),
        high=min(HIGHEST_FREQUENCY, 0.97 * nyquist),
    )


def _white(spectrum: PowerSpectrum, setting: _Setting) -> WhiteSpectrum:
    """Return the spectrum in sectors, divided by its background.

    Raises `InputError` where the range of frequencies spans too few cells.
    """
    high = min(setting.high, 0.25)
    cells = round((high - setting.low) * spectrum.box * setting.pixel_size_a)
    if cells < LEAST_CELLS:
        msg = (
            f"CTF: the spectrum has {cells} cells from {1.0 / setting.low:.0f} to "
            f"{1.0 / high:.1f} Å; accepted are at least {LEAST_CELLS}, from a larger image"
        )
        raise InputError(msg)
    return whiten(average_sectors(spectrum, setting.pixel_size_a, setting.low, setting.high))


def _model(white: WhiteSpectrum, setting: _Setting) -> RingModel:
    """Return the model of the rings for one spectrum."""
    return RingModel.of(
        white,
        voltage_kv=setting.voltage_kv,
        cs_mm=setting.cs_mm,
        amplitude_contrast=setting.amplitude_contrast,
    )


def _ctf(refined: Refined, setting: _Setting) -> Ctf:
    """Return a refined point as a CTF."""
    u, v, angle = astigmatic(refined.mean_a, refined.vector_a)
    return Ctf(
        defocus_u_a=u,
        defocus_v_a=v,
        defocus_angle_deg=angle,
        phase_shift_deg=degrees(refined.phase_shift) % 180.0,
        voltage_kv=setting.voltage_kv,
        cs_mm=setting.cs_mm,
        amplitude_contrast=setting.amplitude_contrast,
    )


def _fit(
    spectrum: PowerSpectrum,
    setting: _Setting,
    white: WhiteSpectrum,
    ctf: Ctf,
    refined: Refined,
    *,
    given: bool,
) -> CtfFit:
    """Return the fit with its agreement, rings and errors."""
    agreement: Agreement = agree(white, ctf, refined)
    cell = 1.0 / (spectrum.box * setting.pixel_size_a)
    lowest = float(white.polar.frequency[0])
    seen = (
        refined.posterior >= RINGS_SEEN
        and agreement.score >= LEAST_SCORE
        and ctf.ring_count(agreement.limit) >= LEAST_RING_COUNT
        and agreement.limit > lowest
    )
    limit = agreement.limit if seen else lowest
    deviation = np.sqrt(np.diag(refined.covariance))
    return CtfFit(
        ctf=ctf,
        given=given,
        score=agreement.score,
        gain=refined.gain,
        rings_seen=seen,
        resolution_a=1.0 / limit,
        sampling_limit_a=1.0 / sampling_limit(ctf, cell, setting.high),
        ring_count=ctf.ring_count(limit) if seen else 0.0,
        rings_to_nyquist=ctf.ring_count(0.5 / setting.pixel_size_a),
        defocus_error_a=None if given else _QUANTILE_95 * float(deviation[0]),
        astigmatism_error_a=None if given else _QUANTILE_95 * float(max(deviation[1:3])),
        directional_blur_a=12.0**0.5 * hypot(*refined.blur_a2) ** 0.5 / (2.0 * pi),
        profile=agreement.profile,
    )
