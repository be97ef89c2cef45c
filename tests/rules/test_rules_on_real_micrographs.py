"""Shipped gates on real micrographs: none of the good ones may be rejected by a rule alone."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from cryoverdict.features.families import measure, micrograph_features
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.read_image import read_image
from cryoverdict.features.table import FeatureTable
from cryoverdict.rules.effect import Reject
from cryoverdict.rules.rule_loader import load_rules

# A few of each kind, so that the test stays quick: thumbnails without optics and with, plain
# frame sums, a denoised picture at full size, binned counts.
THUMBNAILS = 2
KNOWN = (
    ("apoferritin/May08_07.10.35.bin_avg.png", Optics(pixel_size_a=1.5, cs_mm=2.7)),
    ("beta_galactosidase/Falcon_2012_06_12-15_36_26_0.jpg", Optics(pixel_size_a=1.77, cs_mm=2.0)),
    ("apoferritin_float32/24dec03a_ds8.mrc", Optics(pixel_size_a=6.32, cs_mm=2.7)),
)
REST = Optics(voltage_kv=300.0, amplitude_contrast=0.1)


def good_micrographs(folder: Path) -> list[tuple[Path, Optics]]:
    """Return good micrographs with what is known of their optics."""
    quality = folder / "quality"
    with (quality / "labels.csv").open(encoding="utf-8") as lines:
        rows = [row for row in csv.DictReader(lines) if row["verdict"] == "good"]
    known = [row for row in rows if row["pixel_size_A"]][:1]
    chosen = [*[row for row in rows if not row["pixel_size_A"]][:THUMBNAILS], *known]
    found = []
    for row in chosen:
        optics = Optics()
        if row["pixel_size_A"]:
            optics = Optics(
                pixel_size_a=float(row["pixel_size_A"]),
                voltage_kv=200.0,
                cs_mm=2.7,
                amplitude_contrast=0.1,
            )
        found.append((quality / row["file"], optics))
    return found + [(folder / name, optics.completed(REST)) for name, optics in KNOWN]


@pytest.mark.real_data
def test_no_good_real_micrograph_is_rejected_by_a_gate(shared_data: Path) -> None:
    features = micrograph_features()
    rules = load_rules("reject-micrographs", features={f.name: f.unit for f in features})
    answers = {}
    for path, optics in good_micrographs(shared_data / "micrographs"):
        micrograph = Micrograph(subject=path.name, path=path, optics=optics)
        answers[path.name] = measure(prepare(micrograph, read_image(path), optics))
    assert len(answers) == THUMBNAILS + 1 + len(KNOWN)
    findings = rules.findings(FeatureTable.of(answers, features))
    gated = {
        subject: [f.sentence for f in found if f.fired and isinstance(f.rule.effect, Reject)]
        for subject, found in findings.items()
    }
    assert gated == {subject: [] for subject in answers}
