"""`classify-again` as a user calls it: rounds that really classify, their pages and their sums."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cryoverdict.cwl.cli import run
from cryoverdict.cwl.exit_code import ExitCode
from cryoverdict.engine.ledger import Count, Ledger, read_ledger
from cryoverdict.features.star import read_star, table_of, write_star

COUNT, GOOD = 150, 250
PARAMETERS = {
    "classes": 2.0,
    "mask_diameter_a": 170.0,
    "resolution_limit_a": 30.0,
    "iterations": 3.0,
    "prior_strength": 1.0,
    "offset_range_a": 14.0,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two batches of particles, parameters, and a selection of most."""
    pytest.importorskip("torch")
    pytest.importorskip("xgboost")
    from cryoverdict.engine.classification.simulated_particles import (
        simulated_particles,
        write_particles,
    )

    folder = tmp_path_factory.mktemp("again")
    rows, optics = [], None
    for seed in (1, 2):
        truth = simulated_particles(
            seed=seed,
            count=COUNT,
            species=("barrel",),
            junk_share=0.0,
            contrast=3.0,
            box=24,
            pixel_size_a=9.0,
        )
        batch = folder / f"batch_{seed}"
        write_particles(truth, batch)
        # Batches of one session have stacks of their own, by the micrograph's name.
        (batch / "particles.mrcs").rename(batch / f"m{seed}.mrcs")
        blocks = read_star(batch / "particles.star")
        optics, table = blocks["optics"], blocks["particles"]
        own = [dict(zip(table.columns, row, strict=True)) for row in table.rows]
        for row in own:
            row["rlnImageName"] = row["rlnImageName"].replace("@particles.", f"@m{seed}.")
        rows += own
        write_star(batch / "particles.star", {"optics": optics, "particles": table_of(own)})
    assert optics is not None
    record = {"kind": "classification", "parameters": PARAMETERS}
    (folder / "classification.json").write_text(json.dumps(record))
    for name, rejected in (("much", COUNT * 2 - GOOD), ("little", 10)):
        classes = folder / name
        classes.mkdir()
        good = {"optics": optics, "particles": table_of(rows[:GOOD])}
        write_star(classes / "particles_good.star", good)
        counts = Count(bin="kept", number=GOOD), Count(bin="rejected", number=rejected)
        Ledger(step="decide-classes", entries=(), counts=counts).write(classes / "ledger.json")
    return folder


def again(place: Path, classes: str, output: Path) -> int:
    batches = [word for n in (1, 2) for word in ("--particles", str(place / f"batch_{n}"))]
    return run(
        [
            *("classify-again", str(place / classes), *batches),
            *("--parameters", str(place / "classification.json"), "--output", str(output)),
            *("--device", "cpu", "--threads", "1", "--json"),
        ]
    )


def test_a_further_round_has_its_pages_and_the_sums_hold(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert again(place, "much", tmp_path) == ExitCode.DONE
    said = json.loads(capsys.readouterr().out)
    assert said["further_rounds"] >= 1
    assert said["kept"] + said["rejected"] == GOOD
    assert read_ledger(tmp_path / "ledger.json").bins["kept"] == said["kept"]
    kept = read_star(tmp_path / "particles_good.star")["particles"]
    assert len(kept.rows) == said["kept"]
    index = (tmp_path / "report" / "index.html").read_text()
    for page in ("round_2/classified/report/index.html", "round_2/classes/report/index.html"):
        assert (tmp_path / page).is_file()
        assert f"../{page}" in index
    assert "Round 1 rejected 50 of 300 particles: another round follows." in index


def test_where_little_was_rejected_the_particles_pass_as_they_are(
    place: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert again(place, "little", tmp_path) == ExitCode.DONE
    assert json.loads(capsys.readouterr().out)["further_rounds"] == 0
    passed, given = (f / "particles_good.star" for f in (tmp_path, place / "little"))
    assert passed.read_bytes() == given.read_bytes()
    assert (
        "Round 1 rejected 10 of 260 particles: no other round follows."
        in (tmp_path / "report" / "index.html").read_text()
    )
