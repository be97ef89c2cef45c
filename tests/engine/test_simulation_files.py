"""Simulated sessions: drawn, written, and described in YAML."""

from __future__ import annotations

import csv
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import mrcfile
import numpy as np
import pytest
import starfile
from PIL import Image

from cryoverdict.engine.simulation.data_set import (
    USUAL_MIX,
    DataSetSpec,
    demonstration,
    draw_micrographs,
    random_data_set,
)
from cryoverdict.engine.simulation.data_set_files import (
    COLUMNS,
    iterate_data_set,
    write_data_set,
)
from cryoverdict.engine.simulation.defects import MECHANISMS
from cryoverdict.engine.simulation.micrograph_spec import Defect, MicrographSpec, ParticleSpec
from cryoverdict.engine.simulation.spec_file import read_spec
from cryoverdict.engine.simulation.thumbnail import STRETCHES, bin_image, stretch
from cryoverdict.features.input_error import InputError

SMALL = DataSetSpec(
    name="small",
    micrographs=3,
    base=MicrographSpec(
        shape=(256, 320),
        pixel_size_a=6.0,
        detector_binning=4.0,
        particle=ParticleSpec(name="shell"),
    ),
    bad_fraction=0.34,
    mix=(("carbon", 1.0),),
)


def bytes_of(folder: Path) -> dict[str, bytes]:
    """Return the bytes of every file in a folder, by relative name."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_a_written_session_says_what_is_true(tmp_path: Path) -> None:
    names: list[str] = []
    written = write_data_set(SMALL, tmp_path, seed=4, masks=True, on_done=names.append)
    assert sorted(names) == [path.name for path in written.micrographs]
    assert names[0] == "small_0000.mrc"
    with (tmp_path / "truth_micrographs.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert tuple(rows[0]) == COLUMNS
    particles = starfile.read(tmp_path / "truth_particles.star")
    assert particles["optics"]["rlnMicrographPixelSize"].tolist() == [6.0]
    for row, truth, path in zip(rows, written.truths, written.micrographs, strict=True):
        assert row["name"] == path.name
        assert (row["verdict"], row["grade"]) == (truth.verdict, truth.grade or "")
        assert [d for d in row["defects"].split(";") if d] == list(truth.defects)
        assert float(row["film"]) == pytest.approx(truth.defects.get("film", 0.0), abs=1e-3)
        mean = 0.5 * (float(row["defocus_u_a"]) + float(row["defocus_v_a"]))
        assert SMALL.defocus_range_a[0] <= mean <= SMALL.defocus_range_a[1]
        mine = particles["particles"].query("rlnMicrographName == @path.name")
        np.testing.assert_allclose(
            mine[["rlnCoordinateX", "rlnCoordinateY"]], truth.centres_px, atol=1e-3
        )
        angles = mine[["rlnAngleRot", "rlnAngleTilt", "rlnAnglePsi"]]
        np.testing.assert_allclose(angles, truth.angles_deg, atol=1e-3)
        assert len(mine) == int(row["particles"]) > 0
        with mrcfile.open(path) as stream:
            assert stream.data.shape == (256, 320)
            assert stream.data.dtype == np.float32
            assert float(stream.voxel_size.x) == pytest.approx(6.0)
        mask = np.asarray(Image.open(tmp_path / "truth_masks" / f"{path.stem}.png"))
        np.testing.assert_array_equal(mask == 255, truth.usable)
    assert [t.verdict for t in written.truths].count("bad") == 1


def test_two_threads_write_the_same_bytes_as_one(tmp_path: Path) -> None:
    write_data_set(SMALL, tmp_path / "one", seed=4, threads=1)
    write_data_set(SMALL, tmp_path / "two", seed=4, threads=2)
    write_data_set(SMALL, tmp_path / "other", seed=5, threads=2)
    one = bytes_of(tmp_path / "one")
    assert one == bytes_of(tmp_path / "two")
    assert one.keys() == bytes_of(tmp_path / "other").keys()
    assert one["small_0000.mrc"] != bytes_of(tmp_path / "other")["small_0000.mrc"]


def test_thumbnails_are_binned_and_their_coordinates_too(tmp_path: Path) -> None:
    spec = replace(SMALL, thumbnail_binning=2.0, micrographs=1, bad_fraction=0.0)
    written = write_data_set(spec, tmp_path, seed=4)
    assert written.micrographs[0].suffix == ".png"
    grey = np.asarray(Image.open(written.micrographs[0]))
    assert grey.dtype == np.uint8
    assert grey.shape == (128, 160)
    assert (int(grey.min()), int(grey.max())) == (0, 255)
    star = starfile.read(tmp_path / "truth_particles.star")
    np.testing.assert_allclose(
        star["particles"]["rlnCoordinateX"], written.truths[0].centres_px[:, 0] / 2.0, atol=1e-3
    )
    assert star["optics"]["rlnMicrographPixelSize"].tolist() == [12.0]


@pytest.mark.relion
def test_relion_reads_the_true_particles(tmp_path: Path) -> None:
    if shutil.which("relion_star_handler") is None:
        pytest.skip("RELION is not installed")
    written = write_data_set(SMALL, tmp_path, seed=4)
    select = ["--select", "rlnCoordinateX", "--minval", "100", "--maxval", "200"]
    subprocess.run(
        ["relion_star_handler", "--i", "truth_particles.star", "--o", "some.star", *select],
        cwd=tmp_path,
        capture_output=True,
        check=True,
    )
    x = np.concatenate([t.centres_px for t in written.truths])[:, 0]
    chosen = starfile.read(tmp_path / "some.star")["particles"]["rlnCoordinateX"]
    np.testing.assert_allclose(chosen, x[(x >= 100) & (x <= 200)], atol=2e-3)


def test_the_demonstration_is_mixed_and_of_one_particle() -> None:
    session = demonstration()
    specs = draw_micrographs(session, 1)
    assert len(specs) == 24
    assert {s.particle for s in specs} == {session.base.particle}
    strong = [d.mechanism for s in specs for d in s.defects[:1] if d.strength > 0.5]
    assert len(strong) == 10
    assert len(set(strong)) >= 9
    assert max(session.base.shape) <= 1536


def test_the_usual_mix_names_every_mechanism_once() -> None:
    assert sorted(name for name, _ in USUAL_MIX) == sorted(MECHANISMS)


def test_random_sessions_differ_and_repeat() -> None:
    sessions = [random_data_set(seed) for seed in range(40)]
    assert sessions[3] == random_data_set(3)
    assert {s.base.voltage_kv for s in sessions} == {120.0, 200.0, 300.0}
    assert len({s.base.particle.name for s in sessions}) >= 8
    assert len({s.base.detector for s in sessions}) >= 5
    assert all(0.6 <= s.base.pixel_size_a <= 8.0 for s in sessions)
    assert len({s.thumbnail_stretch for s in sessions}) == len(STRETCHES)
    assert draw_micrographs(replace(sessions[3], micrographs=5), 9) == draw_micrographs(
        replace(sessions[3], micrographs=5), 9
    )


def test_every_kind_of_particle_is_drawn_into_a_micrograph() -> None:
    first = next(iterate_data_set(replace(SMALL, bad_fraction=0.0), 2))
    assert len(first.truth.centres_px) > 20
    assert first.truth.verdict == "good"


def test_a_yaml_spec_is_read(tmp_path: Path) -> None:
    path = tmp_path / "session.yaml"
    path.write_text(
        "name: mine\nmicrographs: 5\nmix: {carbon: 1, drift: 2.5}\n"
        "defocus_range_a: [8000, 12000]\n"
        "base:\n  shape: [512, 640]\n  pixel_size_a: 2\n  detector: k3\n"
        "  particle: {name: spike, contrast: 0.6}\n"
        "  defects: [{mechanism: tilt, strength: 0.4}]\n"
    )
    spec = read_spec(path)
    assert spec == DataSetSpec(
        name="mine",
        micrographs=5,
        mix=(("carbon", 1.0), ("drift", 2.5)),
        defocus_range_a=(8000.0, 12000.0),
        base=MicrographSpec(
            shape=(512, 640),
            pixel_size_a=2.0,
            detector="k3",
            particle=ParticleSpec(name="spike", contrast=0.6),
            defects=(Defect(mechanism="tilt", strength=0.4),),
        ),
    )
    (tmp_path / "empty.yaml").write_text("")
    assert read_spec(tmp_path / "empty.yaml") == DataSetSpec()


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("base: {pixel: 2}", "base.pixel is no setting"),
        ("micrographs: many", "micrographs is 'many'; accepted is a whole number"),
        ("micrographs: true", "micrographs is True"),
        ("base: {pixel_size_a: -1}", "base.pixel_size_a is -1; accepted is 0.4 to 16"),
        ("base: {detector: film}", "base.detector names 'film'; accepted are k2"),
        ("base: {particle: {name: cat}}", "base.particle.name names 'cat'"),
        ("mix: {earthquake: 1}", "mix names 'earthquake'"),
        ("mix: {carbon: 0}", "mix has a negative weight or none above 0"),
        ("base: {shape: [1, 2, 3]}", "base.shape is [1, 2, 3]; accepted is a list"),
        ("defocus_range_a: [9000, .nan]", ":1:25: .nan is not a plain decimal number"),
        ("name: a\nmicrographs: 2\nname: b", ":3:1: the key name stands twice, first in line 1"),
        ("base:\n  seed: 1\n  pixel_size_a: 1\n  pixel_size_a: 2", ":4:3: the key pixel_size_a"),
        ("ice_range_a: [500, 200]", "ice_range_a is 500 to 200; accepted is the lower"),
        ("base: {defects: [{mechanism: drift, strength: 2}]}", "strength of drift is 2"),
        ("[1, 2]", ":1:1: not a mapping; accepted is one mapping of settings"),
        ("a: [", "not YAML"),
        ("!!python/object/apply:os.system ['true']", "not a mapping"),
        ("name: !!python/object/apply:os.system ['true']", "the tag tag:yaml.org,2002:python"),
    ],
)
def test_a_wrong_spec_is_refused_in_one_line(tmp_path: Path, text: str, found: str) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text(text)
    with pytest.raises(InputError) as caught:
        read_spec(path)
    assert str(caught.value).startswith(f"{path}:")
    assert found in str(caught.value)
    assert "\n" not in str(caught.value)


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    path = tmp_path / "wrong.yaml"
    path.write_text("colour: blue\nmicrographs: 2.5\n")
    with pytest.raises(InputError, match=r"colour is no setting.*; micrographs is 2\.5"):
        read_spec(path)


def test_binning_keeps_the_mean_and_the_long_waves() -> None:
    y, x = np.indices((120, 180), dtype=np.float32)
    long = np.cos(2 * np.pi * 4 * y / 120)
    image = (5.0 + long + np.cos(2 * np.pi * 80 * x / 180)).astype(np.float32)
    small = bin_image(image, 3.0)
    assert small.shape == (40, 60)
    np.testing.assert_allclose(small, 5.0 + long[::3, ::3], atol=1e-4)
    assert bin_image(image, 1.0) is image


def test_stretches_reach_as_far_as_they_say() -> None:
    image = np.random.default_rng(0).normal(0.0, 1.0, (400, 400)).astype(np.float32)
    image[0, 0] = 60.0
    cut = {how: float((stretch(image, how) == 255).mean()) for how in STRETCHES}
    assert cut["min-max"] == 1 / 160000
    assert cut["hard"] == pytest.approx(0.015, abs=0.002)
    assert cut["percentile"] == pytest.approx(0.001, abs=0.0005)
    assert float(np.mean(stretch(image, "min-max"))) < 40
