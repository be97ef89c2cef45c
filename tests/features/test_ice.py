"""Ice: rings, spots and texture on images made so that the answer is known."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import ice
from cryoverdict.features.feature import Absent
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.view import View

SPECTRAL = (ice.ice_ring_ratio, ice.ice_spot_excess, ice.ice_hexagonal_ratio, ice.water_ring_ratio)


def view_of(pixels: NDArray[Any], pixel_size_a: float | None = 1.0) -> View:
    micrograph = Micrograph(subject="a", path=Path("a.mrc"))
    image = Image(pixels=pixels.astype(np.float32))
    return prepare(micrograph, image, Optics(pixel_size_a=pixel_size_a))


def per_a(shape: tuple[int, int], pixel_size_a: float) -> NDArray[np.float64]:
    fy, fx = np.fft.fftfreq(shape[0])[:, None], np.fft.rfftfreq(shape[1])[None, :]
    return np.asarray(np.hypot(fy, fx) / pixel_size_a)


def ringed(
    at_a: float,
    gain: float,
    width: float = 0.002,
    *,
    pixel_size_a: float = 1.0,
    fall: float = 3.0,
    seed: int = 0,
) -> View:
    """Return noise with falling power and a ring ``gain`` times stronger at ``at_a`` Å."""
    shape = (900, 1100)
    frequency = per_a(shape, pixel_size_a)
    power = np.exp(-fall * frequency) * (
        1 + (gain - 1) * np.exp(-(((frequency - 1 / at_a) / width) ** 2) / 2)
    )
    noise = np.random.default_rng(seed).standard_normal(shape)
    return view_of(np.fft.irfft2(np.fft.rfft2(noise) * np.sqrt(power), s=shape), pixel_size_a)


def value(answer: object) -> float:
    assert isinstance(answer, float)
    return answer


@pytest.mark.parametrize("fall", [0.0, 12.0])
@pytest.mark.parametrize("pixel_size_a", [0.6, 1.0, 1.5])
def test_without_a_ring_all_ratios_are_one(pixel_size_a: float, fall: float) -> None:
    view = ringed(3.7, 1.0, pixel_size_a=pixel_size_a, fall=fall)
    assert value(ice.ice_ring_ratio.measure(view)) == pytest.approx(1.0, abs=0.03)
    assert value(ice.water_ring_ratio.measure(view)) == pytest.approx(1.0, abs=0.03)
    assert value(ice.ice_hexagonal_ratio.measure(view)) == pytest.approx(1.0, abs=0.1)
    assert value(ice.ice_spot_excess.measure(view)) < 8


def test_a_sharp_ring_raises_the_ring_ratio_by_its_share_of_the_band() -> None:
    view = ringed(3.67, 5.0)
    expected = 1 + 4 * 0.002 * np.sqrt(2 * np.pi) / (1 / 3.5 - 1 / 3.9)
    assert value(ice.ice_ring_ratio.measure(view)) == pytest.approx(expected, rel=0.05)


def test_a_ring_outside_the_band_does_not() -> None:
    for at_a in (7.0, 2.6):
        assert value(ice.ice_ring_ratio.measure(ringed(at_a, 5.0))) == pytest.approx(1.0, abs=0.04)


def test_hexagonal_and_cubic_ice_are_told_apart() -> None:
    assert value(ice.ice_hexagonal_ratio.measure(ringed(3.90, 4.0))) > 1.8
    assert value(ice.ice_hexagonal_ratio.measure(ringed(3.67, 4.0))) < 0.6


def test_the_broad_water_ring_is_measured_as_its_strength() -> None:
    view = ringed(3.73, 1.5, width=0.014)
    assert 1.2 < value(ice.water_ring_ratio.measure(view)) < 1.5


def test_spots_stand_out() -> None:
    shape = (900, 900)
    y, x = np.mgrid[: shape[0], : shape[1]]
    pixels = np.random.default_rng(1).standard_normal(shape)
    plain = value(ice.ice_spot_excess.measure(view_of(pixels)))
    for degrees in (10, 70, 130):
        a = np.deg2rad(degrees)
        pixels += 0.1 * np.cos(2 * np.pi / 3.67 * (x * np.cos(a) + y * np.sin(a)))
    view = view_of(pixels)
    assert value(ice.ice_spot_excess.measure(view)) > 4 * plain


@pytest.mark.parametrize("lines", [(600, 1), (1, 600)])
def test_detector_lines_are_no_ice(lines: tuple[int, int]) -> None:
    pixels = np.random.default_rng(1).standard_normal((600, 600))
    pixels += 3 * np.random.default_rng(2).standard_normal(lines)
    view = view_of(pixels)
    assert value(ice.ice_ring_ratio.measure(view)) == pytest.approx(1.0, abs=0.15)
    assert value(ice.ice_spot_excess.measure(view)) < 10


def test_rings_beyond_nyquist_cannot_be_measured() -> None:
    for feature in SPECTRAL:
        assert feature.measure(ringed(7, 1, pixel_size_a=1.76)) == Absent(
            "3.5 Å lies beyond Nyquist (3.52 Å); this needs 1.75 Å a pixel or finer"
        )
        assert isinstance(feature.measure(ringed(7, 1, pixel_size_a=1.75)), float)


def test_without_a_pixel_size_only_texture_is_measured() -> None:
    view = view_of(np.random.default_rng(0).standard_normal((512, 512)), None)
    for feature in ice.FEATURES:
        answer = feature.measure(view)
        if feature in SPECTRAL:
            assert answer == Absent("the pixel size is unknown")
        else:
            assert isinstance(answer, float)


def blotched(strength: float, *, isolated: bool = False) -> View:
    """Return noise with blotches of about 16 pixels, all over the field or in one corner."""
    from scipy import ndimage

    rng = np.random.default_rng(3)
    field = ndimage.gaussian_filter(rng.standard_normal((512, 480)), 10.0)
    field = np.exp(field / field.std())
    if isolated:
        field[100:] = 0.0
    return view_of(rng.standard_normal((512, 480)) - strength * field)


def test_mottle_all_over_the_field_is_crystalline_texture() -> None:
    plain, mottled = blotched(0.0), blotched(0.5)
    for feature in (ice.crystalline_texture_mottle, ice.crystalline_texture_slope):
        assert value(feature.measure(mottled)) > value(feature.measure(plain)) + 1.5


def test_blotches_in_one_corner_count_little() -> None:
    plain, everywhere = blotched(0.0), blotched(1.0)
    corner = blotched(1.0, isolated=True)
    for feature in (ice.crystalline_texture_mottle, ice.crystalline_texture_slope):
        rise = value(feature.measure(everywhere)) - value(feature.measure(plain))
        assert value(feature.measure(corner)) - value(feature.measure(plain)) < rise / 3
    unevenness = ice.crystalline_texture_patchiness
    assert value(unevenness.measure(corner)) > value(unevenness.measure(plain)) + 0.1


def test_coherence_and_edges_of_noise_and_of_stripes() -> None:
    plain = blotched(0.0)
    assert value(ice.crystalline_texture_edges.measure(plain)) == pytest.approx(2.4, abs=0.2)
    stripes = np.random.default_rng(0).standard_normal((512, 480))
    stripes += 3 * np.sin(np.arange(480) / 8.0)
    coherence = ice.crystalline_texture_coherence
    assert value(coherence.measure(plain)) < 0.3
    assert value(coherence.measure(view_of(stripes))) > 0.9


@pytest.mark.real_data
def test_real_crystalline_ice_is_more_mottled_than_any_good_micrograph(shared_data: Path) -> None:
    from PIL import Image as Picture

    folder = shared_data / "micrographs" / "quality"
    mottle: dict[str, list[float]] = {"good": [], "crystalline_ice": []}
    with (folder / "labels.csv").open() as table:
        for row in csv.DictReader(table):
            name = row["label"] if row["label"] in mottle else row["verdict"]
            if name not in mottle:
                continue
            pixels = np.asarray(Picture.open(folder / row["file"]).convert("F"))
            view = view_of(pixels, None)
            mottle[name].append(value(ice.crystalline_texture_mottle.measure(view)))
    assert len(mottle["crystalline_ice"]) >= 2
    assert min(mottle["crystalline_ice"]) > max(mottle["good"]) + 0.5
