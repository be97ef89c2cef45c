"""Micrographs of a few pixels, and a measurement of them that takes no time."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
from PIL import Image

from cryoverdict.engine.catalogue.database import Catalogue
from cryoverdict.engine.catalogue.entry import Entry
from cryoverdict.engine.catalogue.import_plan import Sayings, plan_import
from cryoverdict.engine.catalogue.importing import import_entries
from cryoverdict.engine.catalogue.recording import Recorded
from cryoverdict.engine.measurement_store import Measurement
from cryoverdict.features.feature import Absent, Feature
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.read_image import read_image

FEATURES = tuple(
    Feature(
        name=name,
        unit="1",
        better="neither",
        meaning="A number.",
        source="this test",
        function=lambda _: 0.0,
    )
    for name in ("mean_grey", "never_there")
)


def write_image(path: Path, seed: int) -> Path:
    """Write a small picture that no other seed has."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = np.random.default_rng(seed).integers(0, 255, (64, 80)).astype(np.uint8)
    Image.fromarray(pixels).save(path)
    return path


def write_classes(folder: Path, classes: dict[str, int], seed: int = 0) -> Path:
    """Write a folder of class folders with some pictures in each."""
    for name, count in classes.items():
        for _ in range(count):
            seed += 1
            write_image(folder / name / f"mic_{seed:03d}.png", seed)
    return folder


def measure(micrograph: Micrograph) -> Measurement:
    """Return a measurement that depends on the image and its optics."""
    pixels = read_image(micrograph.path).pixels
    picture = pixels[:8, :8].astype(np.uint8)
    return Measurement(
        answers={"mean_grey": float(pixels.mean()), "never_there": Absent("it never is")},
        optics=micrograph.optics,
        notes=(f"measured with {micrograph.optics.pixel_size_a} Å a pixel",),
        pictures={"thumbnail": picture, "spectrum": picture.T, "area": picture > 100},
    )


def measure_slowly(micrograph: Micrograph) -> Measurement:
    """Return the same after a while, so that there is time to be killed in."""
    time.sleep(float(os.environ.get("STAND_IN_SECONDS", "0.05")))
    return measure(micrograph)


def measure_never(micrograph: Micrograph) -> Measurement:
    """Fail: nothing was to be measured."""
    raise AssertionError(micrograph.subject)


def enter(catalogue: Catalogue, *entries: Entry, how: object = measure) -> list[Recorded]:
    """Import entries in this process."""
    return list(import_entries(catalogue, entries, threads=1, measure=how))  # type: ignore[arg-type]


def bring(
    catalogue: Catalogue, *inputs: Path, how: object = measure, **said: object
) -> list[Recorded]:
    """Plan and import some inputs in this process."""
    plan = plan_import([str(one) for one in inputs], Sayings(**said))  # type: ignore[arg-type]
    return enter(catalogue, *plan.entries, how=how)


def main() -> None:
    """Import a folder, for tests that run this file as a program: URL, folder, processes."""
    import sys

    from cryoverdict.engine.catalogue.database import open_catalogue

    url, folder, threads = sys.argv[1:]
    plan = plan_import([folder], Sayings(rater="a"))
    for done in import_entries(
        open_catalogue(url), plan.entries, threads=int(threads), measure=measure_slowly
    ):
        print(done.state, done.error, flush=True)


if __name__ == "__main__":
    # The workers of a program import its functions by name, not from __main__.
    from importlib import import_module

    import_module("stand_in").main()
