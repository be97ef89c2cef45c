"""Stored power spectra: every layout people have, and what is refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.ctf import Ctf
from cryoverdict.features.ctf_fit import evaluate_ctf, fit_ctf
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics
from cryoverdict.features.stored_spectrum import read_stored_spectrum

if TYPE_CHECKING:
    from tests.features.conftest import Drawn

    Draw = Callable[..., Drawn]

REAL = Optics(voltage_kv=200.0, cs_mm=1.4, amplitude_contrast=0.1)


def full(drawn: Drawn) -> NDArray[np.float64]:
    """Return the amplitudes ``(n, n)`` with the origin in the corner."""
    power = drawn.spectrum.power.astype(np.float64)
    mirrored = np.roll(power[:, -2:0:-1][::-1], 1, axis=0)
    return np.asarray(np.sqrt(np.concatenate([power, mirrored], axis=1)))


def write(path: Path, values: NDArray[np.float64], pixel_size_a: float = 0.0) -> Path:
    with mrcfile.new(path) as stream:
        stream.set_data(values.astype(np.float32))
        if pixel_size_a:
            stream.voxel_size = pixel_size_a
    return path


LAYOUTS: dict[str, Callable[[NDArray[np.float64]], NDArray[np.float64]]] = {
    "middle": lambda a: np.asarray(np.fft.fftshift(a)),
    "corner": lambda a: a,
    "half, corner": lambda a: a[:, : a.shape[0] // 2 + 1],
    "half, middle": lambda a: np.asarray(np.fft.fftshift(a, axes=0))[:, : a.shape[0] // 2 + 1],
    "logarithms": lambda a: np.asarray(np.fft.fftshift(np.log(a))) - 3.0,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same_spectrum(draw: Draw, tmp_path: Path, layout: str) -> None:
    drawn = draw(1, box=256)
    path = write(tmp_path / "a_PS.mrc", LAYOUTS[layout](full(drawn)), 1.5)
    spectrum = read_stored_spectrum(path)
    ratio = spectrum.power / drawn.spectrum.power
    assert spectrum.power.shape == (256, 129)
    assert spectrum.power.dtype == np.float32
    assert float(ratio.max() / ratio.min()) == pytest.approx(1.0, abs=1e-3)
    assert spectrum.pixel_size_a == pytest.approx(1.5)


@pytest.mark.parametrize("samples", [4, 16, 64])
def test_samples_are_told_from_the_scatter(draw: Draw, tmp_path: Path, samples: int) -> None:
    drawn = draw(2, box=256, samples=samples)
    path = write(tmp_path / "a_PS.mrc", full(drawn), 1.5)
    assert read_stored_spectrum(path).samples == pytest.approx(samples, rel=0.15)


def test_what_is_given_goes_before_the_header(draw: Draw, tmp_path: Path) -> None:
    amplitudes = full(draw(3, box=64))
    told = write(tmp_path / "told_PS.mrc", amplitudes, 1.4)
    silent = write(tmp_path / "silent_PS.mrc", amplitudes)
    assert read_stored_spectrum(told).pixel_size_a == pytest.approx(1.4)
    assert read_stored_spectrum(told, 1.5).pixel_size_a == pytest.approx(1.5)
    assert read_stored_spectrum(silent, 1.5).pixel_size_a == pytest.approx(1.5)
    assert read_stored_spectrum(silent).pixel_size_a is None


def test_what_is_no_spectrum_is_refused(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(96, 128))
    with pytest.raises(InputError, match="96 × 128"):
        read_stored_spectrum(write(tmp_path / "oblong.mrc", noise))
    with pytest.raises(InputError, match="give the micrograph itself"):
        read_stored_spectrum(write(tmp_path / "micrograph.mrc", rng.normal(size=(128, 128))))
    with pytest.raises(InputError, match="constant"):
        read_stored_spectrum(write(tmp_path / "flat.mrc", np.ones((128, 128))))


@pytest.mark.real_data
def test_real_spectra_agree_with_ctffind(shared_data: Path) -> None:
    """Another public run of the same spectra came out at 3.2 to 5.0 µm."""
    folder = shared_data / "power_spectra"
    with (folder / "reference_ctf.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 6
    for row in rows:
        listed = GivenCtf(
            defocus_u_a=float(row["rlnDefocusU"]),
            defocus_v_a=float(row["rlnDefocusV"]),
            defocus_angle_deg=float(row["rlnDefocusAngle"]),
        )
        reference = Ctf.of(listed, REAL)
        spectrum = read_stored_spectrum(folder / f"{row['stem']}_PS.mrc")
        fit = fit_ctf(spectrum, REAL)
        (x, y), (other_x, other_y) = fit.ctf.astigmatism_vector_a, reference.astigmatism_vector_a
        assert fit.ctf.mean_defocus_a == pytest.approx(reference.mean_defocus_a, abs=80.0)
        assert np.hypot(x - other_x, y - other_y) < 100.0
        # Their own CTF is scored alike, and its resolution is theirs.
        resolution = evaluate_ctf(spectrum, REAL, reference).resolution_a
        assert resolution == pytest.approx(float(row["rlnCtfMaxResolution"]), rel=0.1)
        assert fit.resolution_a <= resolution * 1.02
