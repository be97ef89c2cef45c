"""Several lists of particles as one: optics groups, names, duplicates, what cannot be read."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.classification.mrcs import write_mrcs, write_mrcs_in_parts
from cryoverdict.engine.classification.particle_lists import read_particle_lists
from cryoverdict.features.input_error import InputError
from cryoverdict.features.star import table_of, write_star

IMAGES = np.random.default_rng(3).standard_normal((4, 8, 8)).astype(np.float32)


def write_list(
    folder: Path,
    images: list[str],
    *,
    group: str = "session",
    voltage: str = "300",
    cs: str = "2.7",
) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    optics = {
        "rlnOpticsGroupName": group,
        "rlnOpticsGroup": "1",
        "rlnVoltage": voltage,
        "rlnSphericalAberration": cs,
        "rlnAmplitudeContrast": "0.1",
        "rlnImagePixelSize": "3.5",
    }
    rows = [{"rlnImageName": name, "rlnOpticsGroup": "1", "rlnDefocusU": "9000"} for name in images]
    star = folder / "particles.star"
    write_star(star, {"optics": table_of([optics]), "particles": table_of(rows)})
    return star


def test_batches_of_one_session_share_an_optics_group(tmp_path: Path) -> None:
    for name, half in (("one", IMAGES[:2]), ("two", IMAGES[2:])):
        (tmp_path / name / "particles").mkdir(parents=True)
        write_mrcs(tmp_path / name / "particles" / "m.mrcs", half, 3.5)
        write_list(tmp_path / name, ["1@particles/m.mrcs", "2@particles/m.mrcs"])
    write_list(tmp_path / "two", ["2@particles/m.mrcs"], voltage="300.000")
    found = read_particle_lists([tmp_path / "one", tmp_path / "two"])
    assert found.names == (
        "1@one/particles/m.mrcs",
        "2@one/particles/m.mrcs",
        "2@two/particles/m.mrcs",
    )
    assert found.stack.optics_table is not None
    assert found.stack.optics_table.column("rlnOpticsGroupName") == ("session",)
    assert found.stack.particles.column("rlnOpticsGroup") == ("1", "1", "1")
    assert np.array_equal(found.stack.read(np.arange(3)), IMAGES[[0, 1, 3]])


def test_batches_with_stacks_of_their_own_keep_their_names(tmp_path: Path) -> None:
    """The result does not say where the batches lay, which differs between workflow runners."""
    for name, half in (("one", IMAGES[:2]), ("two", IMAGES[2:])):
        (tmp_path / name / "particles").mkdir(parents=True)
        write_mrcs(tmp_path / name / "particles" / f"{name}.mrcs", half, 3.5)
        write_list(tmp_path / name, [f"1@particles/{name}.mrcs"])
    found = read_particle_lists([tmp_path / "one", tmp_path / "two"])
    assert found.names == ("1@particles/one.mrcs", "1@particles/two.mrcs")
    assert np.array_equal(found.stack.read(np.arange(2)), IMAGES[[0, 2]])


def test_groups_of_one_name_and_other_settings_stay_apart(tmp_path: Path) -> None:
    write_mrcs(tmp_path / "m.mrcs", IMAGES, 3.5)
    lists = [
        write_list(tmp_path / "a", ["1@m.mrcs"], cs="2.7"),
        write_list(tmp_path / "b", ["2@m.mrcs"], cs="1.4"),
        write_list(tmp_path / "c", ["3@m.mrcs"], group="other", cs="1.4"),
    ]
    found = read_particle_lists(lists)
    assert found.stack.optics_table is not None
    names = found.stack.optics_table.column("rlnOpticsGroupName")
    assert names == ("session", "session_2", "other")
    cs_mm = [found.stack.optics[g].cs_mm for g in found.stack.group]
    assert cs_mm == pytest.approx([2.7, 1.4, 1.4])
    assert found.names == ("1@m.mrcs", "2@m.mrcs", "3@m.mrcs")  # not beside the lists: as given
    assert "session_2" in found.notes[0]


def test_one_list_stays_as_it_was_written(tmp_path: Path) -> None:
    write_mrcs(tmp_path / "m.mrcs", IMAGES, 3.5)
    star = write_list(tmp_path, ["2@m.mrcs", "1@m.mrcs"], voltage="300.0")
    found = read_particle_lists([star])
    assert found.stack.optics_table is not None
    assert found.stack.optics_table.column("rlnVoltage") == ("300.0",)
    assert found.names == ("2@m.mrcs", "1@m.mrcs")
    assert not found.errors


def test_a_list_given_twice_counts_each_image_once(tmp_path: Path) -> None:
    write_mrcs(tmp_path / "m.mrcs", IMAGES, 3.5)
    star = write_list(tmp_path, ["1@m.mrcs", "2@m.mrcs"])
    found = read_particle_lists([star, tmp_path])
    assert len(found.stack) == 2
    assert len(found.duplicates) == 2
    assert all("the same image as" in why for why in found.duplicates.values())


def test_unreadable_stacks_cost_only_their_particles(tmp_path: Path) -> None:
    write_mrcs(tmp_path / "m.mrcs", IMAGES, 3.5)
    (tmp_path / "short.mrcs").write_bytes(b"no stack")
    names = ["1@m.mrcs", "1@gone.mrcs", "9@m.mrcs", "1@short.mrcs", "3@m.mrcs"]
    found = read_particle_lists([write_list(tmp_path, names)])
    assert found.names == ("1@m.mrcs", "3@m.mrcs")
    assert set(found.errors) == {"1@gone.mrcs", "9@m.mrcs", "1@short.mrcs"}
    assert "it holds 1 to 4" in found.errors["9@m.mrcs"]
    assert np.array_equal(found.stack.read(np.arange(2)), IMAGES[[0, 2]])


def test_nothing_to_read_is_refused(tmp_path: Path) -> None:
    star = write_list(tmp_path, ["1@gone.mrcs"])
    with pytest.raises(InputError, match=r"none of 1 particles can be read; the first: .*gone"):
        read_particle_lists([star])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"holds no particles\.star"):
        read_particle_lists([tmp_path / "empty"])


def test_a_stack_written_in_parts_has_the_same_images(tmp_path: Path) -> None:
    write_mrcs(tmp_path / "whole.mrcs", IMAGES, 3.5)
    write_mrcs_in_parts(tmp_path / "parts.mrcs", iter((IMAGES[:3], IMAGES[3:])), (4, 8, 8), 3.5)
    whole, parts = (tmp_path / f"{n}.mrcs" for n in ("whole", "parts"))
    assert parts.read_bytes()[1024:] == whole.read_bytes()[1024:]
    assert parts.read_bytes()[:76] == whole.read_bytes()[:76]
