"""Drift: Thon rings made weaker in one direction, and what must not be taken for it."""

from __future__ import annotations

import csv
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import drift
from cryoverdict.features.feature import Absent
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View


@cache
def drifted(
    *,
    drift_a: float = 0.0,
    direction_deg: float = 30.0,
    defocus_u_a: float = 12000.0,
    defocus_v_a: float = 12000.0,
    angle_deg: float = 20.0,
    signal: float = 3.0,
    jump_px: tuple[int, int] | None = None,
    shape: tuple[int, int] = (1024, 1200),
    seed: int = 0,
) -> View:
    """Return the view of thin carbon at 1 Å a pixel, 300 kV, drifted evenly during exposure."""
    rng = np.random.default_rng(seed)
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    square, angle = fx * fx + fy * fy, np.arctan2(-fy, fx)
    defocus = (defocus_u_a + defocus_v_a) / 2 + (defocus_u_a - defocus_v_a) / 2 * np.cos(
        2 * (angle - np.deg2rad(angle_deg))
    )
    ctf = np.sin(np.pi * 0.0197 * defocus * square - 0.5 * np.pi * 2.7e7 * 0.0197**3 * square**2)
    envelope = np.exp(-15 * square) / np.sqrt(1 + 400 * square)
    scene = np.fft.rfft2(rng.standard_normal(shape)) * ctf * envelope * signal
    a = np.deg2rad(direction_deg)
    scene = scene * np.sinc((fx * np.cos(a) - fy * np.sin(a)) * drift_a)
    if jump_px is not None:
        scene = scene * (1 + np.exp(2j * np.pi * (fy * jump_px[0] + fx * jump_px[1]))) / 2
    pixels = np.fft.irfft2(scene, s=shape) + rng.standard_normal(shape)
    micrograph = Micrograph(subject="a", path=Path("a.mrc"))
    return prepare(micrograph, Image(pixels=pixels.astype(np.float32)), Optics(pixel_size_a=1.0))


def measured(view: View) -> dict[str, Any]:
    return {f.name: f.measure(view) for f in drift.FEATURES}


@pytest.mark.parametrize(
    ("drift_a", "least", "most"), [(4.0, 0.15, 0.5), (8.0, 0.3, 0.9), (20.0, 0.6, 1.0)]
)
def test_drift_is_found_with_its_direction(drift_a: float, least: float, most: float) -> None:
    told = measured(drifted(drift_a=drift_a))
    assert least < told["drift_ring_anisotropy"] < most
    assert told["drift_significance"] > 5
    assert told["drift_direction_deg"] == pytest.approx(30.0, abs=6.0)
    assert told["drift_cutoff_ratio"] < 0.95


@pytest.mark.parametrize("direction_deg", [0.0, 75.0, 90.0, 140.0])
def test_direction_is_counted_from_the_rows_counter_clockwise(direction_deg: float) -> None:
    told = measured(drifted(drift_a=8.0, direction_deg=direction_deg, seed=2))
    off = (told["drift_direction_deg"] - direction_deg + 90.0) % 180.0 - 90.0
    assert abs(off) < 5.0


@pytest.mark.parametrize(
    ("u", "v", "angle"),
    [(12000.0, 12000.0, 0.0), (14000.0, 10000.0, 20.0), (17000.0, 9000.0, 65.0)],
)
def test_astigmatism_is_no_drift(u: float, v: float, angle: float) -> None:
    told = measured(drifted(defocus_u_a=u, defocus_v_a=v, angle_deg=angle, seed=1))
    assert told["drift_ring_anisotropy"] < 0.15
    assert told["drift_significance"] < 5
    assert told["drift_direction_deg"] == Absent(
        "the Thon rings are about equally strong in all directions"
    )
    assert told["drift_cutoff_ratio"] > 0.85


def test_drift_is_found_under_astigmatism() -> None:
    told = measured(
        drifted(drift_a=8.0, direction_deg=110.0, defocus_u_a=14000.0, defocus_v_a=11000.0)
    )
    assert told["drift_direction_deg"] == pytest.approx(110.0, abs=6.0)


def test_without_thon_rings_nothing_is_said() -> None:
    told = measured(drifted(signal=0.0))
    for name in (
        "drift_ring_anisotropy",
        "drift_significance",
        "drift_direction_deg",
        "drift_cutoff_ratio",
    ):
        assert isinstance(told[name], Absent)
        assert "no Thon rings" in told[name].reason


@pytest.mark.parametrize("slope", [0.0, 0.4])
def test_a_strong_edge_is_no_drift_and_no_double_image(slope: float) -> None:
    y, x = np.mgrid[:600, :600]
    noise = np.random.default_rng(0).standard_normal((600, 600))
    edge = np.where(x + slope * y < 250, 30.0, 0.0) + noise
    view = prepare(
        Micrograph(subject="a", path=Path("a.mrc")),
        Image(pixels=edge.astype(np.float32)),
        Optics(),
    )
    told = measured(view)
    assert isinstance(told["drift_ring_anisotropy"], Absent)
    peak = told["double_image_peak"]
    assert isinstance(peak, Absent) or peak < 0.03


def test_spectrum_anisotropy_is_that_put_in() -> None:
    rng = np.random.default_rng(4)
    shape = (512, 512)
    angle = np.arctan2(-np.fft.fftfreq(512)[:, None], np.fft.rfftfreq(512)[None, :])
    power = 1 + 0.3 * np.cos(2 * (angle - 0.4))
    pixels = np.fft.irfft2(np.fft.rfft2(rng.standard_normal(shape)) * np.sqrt(power), s=shape)
    view = prepare(
        Micrograph(subject="a", path=Path("a.mrc")),
        Image(pixels=pixels.astype(np.float32)),
        Optics(),
    )
    told = measured(view)
    assert told["spectrum_anisotropy_low"] == pytest.approx(0.15, abs=0.02)
    assert told["spectrum_anisotropy_high"] == pytest.approx(0.15, abs=0.01)
    assert measured(drifted())["spectrum_anisotropy_high"] < 0.01


@pytest.mark.parametrize("jump_px", [(0, 60), (100, -40)])
def test_a_double_image_has_a_second_peak(jump_px: tuple[int, int]) -> None:
    told = measured(drifted(jump_px=jump_px, seed=3))
    assert 0.06 < told["double_image_peak"] < 0.5
    assert measured(drifted())["double_image_peak"] < 0.03


@pytest.mark.real_data
def test_ctffind_rings_are_seen_in_real_spectra(shared_data: Path) -> None:
    """The spectra are of motion-corrected micrographs: rings in each, and drift in none."""
    import dataclasses

    import mrcfile

    from cryoverdict.features.power_spectrum import PowerSpectrum

    folder = shared_data / "power_spectra"
    with (folder / "reference_ctf.csv").open() as table:
        stems = [row["stem"] for row in csv.DictReader(table)]
    assert stems
    for stem in stems:
        with mrcfile.open(folder / f"{stem}_PS.mrc", permissive=True) as file:
            centred: NDArray[np.float32] = np.squeeze(np.asarray(file.data, np.float32))
        power = np.ascontiguousarray(np.fft.ifftshift(centred)[:, : centred.shape[0] // 2 + 1])
        spectrum = PowerSpectrum(power=power, pixel_size_a=1.4, samples=40.0)
        told = measured(dataclasses.replace(drifted(), spectrum=spectrum, _memory={}))
        assert told["drift_ring_anisotropy"] < 0.3, stem
