"""What no measurement of a micrograph may depend on: the contract of every registered feature."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.engine.simulation.micrograph import simulate_micrograph
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec
from cryoverdict.engine.simulation.thumbnail import stretch
from cryoverdict.features.families import measure, micrograph_features
from cryoverdict.features.feature import Absent, Answer
from cryoverdict.features.image import Image
from cryoverdict.features.micrograph import GivenMotion, Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare

Pixels = NDArray[np.float32]

# Brightness is what these two measure, and it is compared within a data set only, where robust z
# takes gain and offset out again (tested in test_grey.py).
FOLLOW_GAIN = {"grey_mean_count"}
FOLLOW_OFFSET = {"grey_mean_count", "equivalent_dose_count"}


@cache
def micrographs() -> dict[str, Pixels]:
    """Return small micrographs, none of them square."""
    spec = MicrographSpec(shape=(608, 736), pixel_size_a=1.5, defocus_a=14000.0, coverage=0.25)
    film = MicrographSpec(
        shape=(640, 544),
        pixel_size_a=1.5,
        defocus_a=18000.0,
        defects=(Defect(mechanism="carbon", strength=0.5),),
    )
    ice = MicrographSpec(
        shape=(481, 600),
        pixel_size_a=1.5,
        defects=(Defect(mechanism="crystalline-ice", strength=0.8),),
    )
    drawn = {"particles": spec, "film": film, "crystals": ice}
    taken = {
        name: simulate_micrograph(drawn[name], seed=seed).pixels for seed, name in enumerate(drawn)
    }
    return {**taken, "thumbnail": stretch(taken["particles"], "sigma").astype(np.float32)}


def answers(pixels: NDArray[np.floating], name: str) -> dict[str, Answer]:
    micrograph = Micrograph(
        subject="a.mrc",
        path=Path("a.mrc"),
        given_motion=GivenMotion(total_a=20.0, early_a=5.0, late_a=15.0),
    )
    if name == "thumbnail":
        return measure(prepare(micrograph, Image(pixels=pixels, has_counts=False), Optics()))
    optics = Optics(pixel_size_a=1.5, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
    return measure(prepare(micrograph, Image(pixels=pixels), optics))


@cache
def reference(name: str) -> dict[str, Answer]:
    return answers(micrographs()[name], name)


def hot(pixels: Pixels) -> Pixels:
    out = pixels.copy()
    out[pixels.shape[0] // 3, pixels.shape[1] // 5] += 2000.0 * np.float32(pixels.std())
    return out


CHANGES: dict[str, Callable[[Pixels], NDArray[np.floating]]] = {
    "byte order": lambda a: a.astype(">f4"),
    "sign": lambda a: -a,
    "gain": lambda a: a * np.float32(37.0),
    "offset": lambda a: a + np.float32(a.mean()) * 8,
    "rotation by 90°": lambda a: np.ascontiguousarray(np.rot90(a)),
    "rotation by 180°": lambda a: np.ascontiguousarray(np.rot90(a, 2)),
    "a hot pixel": hot,
}
EXEMPT = {"gain": FOLLOW_GAIN, "offset": FOLLOW_OFFSET}


def alike(name: str, before: Answer, after: Answer, turned_deg: float) -> bool:
    """Return whether two answers are the same to rounding; directions turn with the picture."""
    if isinstance(before, Absent) or isinstance(after, Absent):
        return type(before) is type(after)
    if not (isinstance(before, float) and isinstance(after, float)):
        return before == after
    if name.endswith("_deg") and turned_deg:
        off = (after - before - turned_deg + 90.0) % 180.0 - 90.0
        return abs(off) < 0.5
    return abs(after - before) <= 2e-3 * max(abs(before), abs(after)) + 2e-3


@pytest.mark.parametrize("name", ["particles", "film", "crystals", "thumbnail"])
@pytest.mark.parametrize("change", CHANGES)
def test_features_do_not_depend_on(change: str, name: str) -> None:
    before = reference(name)
    after = answers(CHANGES[change](micrographs()[name]), name)
    turned = 90.0 if change == "rotation by 90°" else 0.0
    exempt = EXEMPT.get(change, set())
    differing = {
        feature: (before[feature], after[feature])
        for feature in before
        if feature not in exempt and not alike(feature, before[feature], after[feature], turned)
    }
    assert not differing


def test_exempt_features_are_registered_and_do_differ() -> None:
    """An exemption that is no longer needed, or misspelt, must go."""
    before = reference("particles")
    assert {f.name for f in micrograph_features()} >= FOLLOW_GAIN | FOLLOW_OFFSET
    for change, exempt in EXEMPT.items():
        after = answers(CHANGES[change](micrographs()["particles"]), "particles")
        for feature in exempt:
            assert not alike(feature, before[feature], after[feature], 0.0), (change, feature)


def odd_images() -> dict[str, Pixels]:
    """Return images that no microscope takes, but somebody's disk holds."""
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((300, 280), dtype=np.float32)
    levels, dead, stripes = np.zeros_like(noise), np.zeros_like(noise), noise.copy()
    levels[:, :140] = 1.0
    dead[100:200, 100:200] = noise[100:200, 100:200]
    stripes[::2] = 0.0
    return {
        "small": noise[:64, :64],
        "thin": np.tile(noise[:64], (1, 3)),
        "two levels": levels,
        "mostly dead": dead,
        "stripes": stripes,
        "ramp": np.tile(np.arange(280, dtype=np.float32), (300, 1)),
        "wave": np.sin(np.arange(noise.size) / 7.0).reshape(noise.shape).astype(np.float32),
        "sparse counts": rng.poisson(0.01, noise.shape).astype(np.float32),
        "huge": noise * np.float32(1e30),
        "tiny": noise * np.float32(1e-30),
    }


@pytest.mark.parametrize("kind", odd_images())
def test_odd_images_get_an_answer_from_every_feature(kind: str) -> None:
    told = answers(odd_images()[kind], kind)
    assert set(told) == {f.name for f in micrograph_features()}
    assert all(a.reason for a in told.values() if isinstance(a, Absent))
