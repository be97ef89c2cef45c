"""The CTF of a micrograph as measurements: defocus, astigmatism, phase, agreement."""

from __future__ import annotations

from math import hypot

from cryoverdict.features.ctf import Ctf
from cryoverdict.features.ctf_fit import CtfFit, evaluate_ctf, fit_ctf
from cryoverdict.features.feature import Absent, Answer, Given, feature
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics, electron_wavelength_a
from cryoverdict.features.power_spectrum import PowerSpectrum
from cryoverdict.features.view import View

# With fewer rings below Nyquist than this, any defocus fits as well as another.
FEWEST_RINGS = 1.5
# An underfocus that every session has; where its rings lie beyond Nyquist, none need be seen.
USUAL_DEFOCUS_A = 10_000.0
_CTFFIND = "Rohou & Grigorieff 2015 (CTFFIND4)"
_NO_RINGS = "no Thon rings stand out of the noise, so there is no CTF to speak of"


def fitted(view: View) -> CtfFit | Absent:
    """Return the fit of a view, or of the CTF that came with it; use as ``view.once(fitted)``.

    A given CTF is only scored against the spectrum; nothing is searched for then.
    """
    try:
        if view.micrograph.given_ctf is None:
            return view.once(own_fit)
        missing = _missing(view)
        if missing:
            return Absent(missing)
        given = Ctf.of(view.micrograph.given_ctf, view.optics)
        return evaluate_ctf(view.once(spectrum_of), view.optics, given)
    except InputError as error:
        return Absent(str(error))


def own_fit(view: View) -> CtfFit | Absent:
    """Return the fit of a view, whether or not a CTF came with it; ``view.once(own_fit)``.

    A phase shift is searched for where the list has one.
    """
    missing = _missing(view)
    if missing:
        return Absent(missing)
    given = view.micrograph.given_ctf
    spectrum = view.once(spectrum_of)
    fit = fit_ctf(spectrum, view.optics, phase_plate=bool(given and given.phase_shift_deg))
    if fit.rings_to_nyquist < FEWEST_RINGS:
        return Absent("the pixel size is too large: fewer than two Thon rings lie below Nyquist")
    if not fit.rings_seen:
        limit_a = _invisible_below_a(spectrum, view.optics)
        if limit_a > USUAL_DEFOCUS_A:
            return Absent(
                "no Thon rings are seen, and at this pixel size they need not be: those of an "
                f"underfocus below {limit_a / 1e4:.1f} µm lie beyond Nyquist"
            )
        if not view.grey.has_counts:
            return Absent(
                "no Thon rings are seen, but in a picture of 8 or 16 bits they may have been lost "
                "by stretching, denoising or compression"
            )
    return fit


def spectrum_of(view: View) -> PowerSpectrum:
    """Return the spectrum to fit: the stored one where the list names it, or else the view's own.

    A stored spectrum is of single frames and shows the rings better than their sum does. Its pixel
    size is its header's: RELION resamples spectra to about 1.4 Å.
    """
    from cryoverdict.features.stored_spectrum import read_stored_spectrum

    path = view.micrograph.power_spectrum
    if path is not None:
        try:
            return read_stored_spectrum(path)
        except (InputError, OSError):
            return view.spectrum
    return view.spectrum


def _missing(view: View) -> str | None:
    """Return what the CTF cannot be computed without, in words."""
    names = [name.rsplit("_", 1)[0] for name in view.optics.missing_for_ctf]
    words = [
        "amplitude contrast" if name.startswith("amplitude") else name.replace("_", " ")
        for name in names
    ]
    if not words:
        return None
    verb = "is" if len(words) == 1 else "are"
    return f"the {' and the '.join(words)} {verb} unknown, and no CTF can be computed without"


def _invisible_below_a(spectrum: PowerSpectrum, optics: Optics) -> float:
    """Return the underfocus (Å) that has just 1.5 rings below Nyquist."""
    pixel_size_a = spectrum.pixel_size_a or optics.pixel_size_a
    if pixel_size_a is None or optics.voltage_kv is None:
        return 0.0
    wavelength = electron_wavelength_a(optics.voltage_kv)
    return FEWEST_RINGS * (2.0 * pixel_size_a) ** 2 / wavelength


def _seen(view: View) -> CtfFit | Absent:
    """Return the fit where its defocus means something: rings are seen, or it was given."""
    fit = view.once(fitted)
    if isinstance(fit, CtfFit) and not fit.given and not fit.rings_seen:
        return Absent(_NO_RINGS)
    return fit


def _given(view: View) -> GivenCtf | None:
    """Return the CTF that came with the list."""
    return view.micrograph.given_ctf


@feature(unit="A", better="neither", source=_CTFFIND)
def ctf_defocus_a(view: View) -> Answer:
    """Mean underfocus; negative for overfocus."""
    given = _given(view)
    if given is not None:
        return Given((given.defocus_u_a + given.defocus_v_a) / 2.0)
    fit = _seen(view)
    return fit if isinstance(fit, Absent) else fit.ctf.mean_defocus_a


@feature(unit="A", better="lower", source="clustered sandwich covariance of the likelihood fit")
def ctf_defocus_error_a(view: View) -> Answer:
    """Half width of the 95 % confidence interval of the mean underfocus."""
    if _given(view) is not None:
        return Absent("the CTF was given, not fitted, and the list has no error of it")
    fit = _seen(view)
    if isinstance(fit, Absent):
        return fit
    return Absent("not fitted") if fit.defocus_error_a is None else fit.defocus_error_a


@feature(unit="A", better="lower", source=_CTFFIND)
def ctf_astigmatism_a(view: View) -> Answer:
    """Astigmatism: the difference between the largest and the smallest underfocus."""
    given = _given(view)
    if given is not None:
        return Given(abs(given.defocus_u_a - given.defocus_v_a))
    fit = _seen(view)
    return fit if isinstance(fit, Absent) else fit.ctf.astigmatism_a


@feature(unit="deg", better="neither", source=_CTFFIND)
def ctf_astigmatism_angle_deg(view: View) -> Answer:
    """Direction of the largest underfocus, counted as CTFFIND and RELION do."""
    given = _given(view)
    if given is not None:
        return Given(given.defocus_angle_deg)
    fit = _seen(view)
    return fit if isinstance(fit, Absent) else fit.ctf.defocus_angle_deg


@feature(better="lower", source="Xmipp ctf_consensus: at most 10 %")
def ctf_astigmatism_ratio(view: View) -> Answer:
    """Astigmatism as a fraction of the mean underfocus."""
    given = _given(view)
    if given is not None:
        mean = abs(given.defocus_u_a + given.defocus_v_a) / 2.0
        if not mean:
            return Absent("the given defocus is zero")
        return Given(abs(given.defocus_u_a - given.defocus_v_a) / mean)
    fit = _seen(view)
    if isinstance(fit, Absent):
        return fit
    return fit.ctf.astigmatism_a / max(abs(fit.ctf.mean_defocus_a), 1.0)


@feature(unit="deg", better="neither", source=_CTFFIND)
def ctf_phase_shift_deg(view: View) -> Answer:
    """Additional phase shift, of a phase plate."""
    given = _given(view)
    if given is None or given.phase_shift_deg is None:
        return Absent("no phase plate is known of")
    return Given(given.phase_shift_deg)


@feature(better="higher", source=_CTFFIND)
def ctf_fit_score(view: View) -> Answer:
    """Correlation of the spectrum with the Thon rings of the CTF."""
    given = _given(view)
    if given is not None and given.fit_score is not None:
        return Given(given.fit_score)
    fit = view.once(fitted)
    return fit if isinstance(fit, Absent) else fit.score


@feature(
    unit="A", better="lower", source="local agreement of rings and fit, as in CTFFIND4 and Gctf"
)
def ctf_resolution_a(view: View) -> Answer:
    """Resolution up to which the Thon rings agree with the CTF."""
    given = _given(view)
    if given is not None and given.resolution_a is not None:
        return Given(given.resolution_a)
    fit = view.once(fitted)
    return fit if isinstance(fit, Absent) else fit.resolution_a


@feature(better="lower", source="resolution of the rings over twice the pixel size")
def ctf_nyquist_ratio(view: View) -> Answer:
    """How many times coarser the rings end than the pixels would allow."""
    resolution = ctf_resolution_a.measure(view)
    pixel = view.optics.pixel_size_a
    match resolution:
        case Absent():
            return resolution
        case _ if pixel is None:
            return Absent("the pixel size is unknown")
        case Given(value):
            return Given(value / (2.0 * pixel))
        case value:
            return value / (2.0 * pixel)


@feature(better="higher", source="zeros of the fitted CTF up to its resolution")
def ctf_thon_ring_count(view: View) -> Answer:
    """How many Thon rings agree with the CTF."""
    fit = view.once(fitted)
    return fit if isinstance(fit, Absent) else fit.ring_count


@feature(unit="A", better="lower", source="B-factor of the rings by direction, fitted with the CTF")
def ctf_directional_blur_a(view: View) -> Answer:
    """Length of an even drift that would weaken the Thon rings in one direction as is seen."""
    fit = view.once(fitted)
    if isinstance(fit, CtfFit) and not fit.rings_seen:
        return Absent(_NO_RINGS)
    return fit if isinstance(fit, Absent) else fit.directional_blur_a


@feature(unit="A", better="lower", source="own fit against the CTF of the list")
def ctf_given_difference_a(view: View) -> Answer:
    """How far the given CTF lies from the own fit, in defocus or astigmatism, the larger."""
    given = _given(view)
    if given is None:
        return Absent("no CTF came with the list")
    fit = view.once(own_fit)
    if isinstance(fit, Absent):
        return fit
    if not fit.rings_seen:
        return Absent(_NO_RINGS)
    listed = Ctf.of(given, view.optics)
    (x, y), (listed_x, listed_y) = fit.ctf.astigmatism_vector_a, listed.astigmatism_vector_a
    return max(
        abs(fit.ctf.mean_defocus_a - listed.mean_defocus_a), hypot(x - listed_x, y - listed_y)
    )


FEATURES = (
    ctf_defocus_a,
    ctf_defocus_error_a,
    ctf_astigmatism_a,
    ctf_astigmatism_angle_deg,
    ctf_astigmatism_ratio,
    ctf_phase_shift_deg,
    ctf_fit_score,
    ctf_resolution_a,
    ctf_nyquist_ratio,
    ctf_thon_ring_count,
    ctf_directional_blur_a,
)

# It costs a search that a given CTF otherwise saves, so it is measured only when asked for.
ON_REQUEST = (ctf_given_difference_a,)
