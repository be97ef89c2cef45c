"""Reading particles from STAR and MRC stacks."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from cryoverdict.engine.classification.mrcs import write_mrcs
from cryoverdict.engine.classification.particle_stack import open_stack
from cryoverdict.features.input_error import InputError

OPTICS = """data_optics
loop_
_rlnOpticsGroup #1
_rlnOpticsGroupName #2
_rlnVoltage #3
_rlnSphericalAberration #4
_rlnAmplitudeContrast #5
_rlnImagePixelSize #6
1 first 300 2.7 0.1 {size_1}
2 second 200 1.4 0.07 {size_2}

data_particles
loop_
_rlnImageName #1
_rlnOpticsGroup #2
_rlnDefocusU #3
_rlnDefocusV #4
_rlnDefocusAngle #5
"""


@pytest.fixture
def images() -> np.ndarray:
    return np.random.default_rng(3).standard_normal((5, 8, 8)).astype(np.float32)


def write(folder: Path, rows: str, size_2: str = "3.5") -> Path:
    star = folder / "particles.star"
    star.write_text(OPTICS.format(size_1="3.5", size_2=size_2) + rows)
    return star


def test_images_come_in_the_order_of_the_list(tmp_path: Path, images: np.ndarray) -> None:
    write_mrcs(tmp_path / "a.mrcs", images, 3.5)
    write_mrcs(tmp_path / "b.mrcs", images[::-1].astype(np.float16), 3.5)
    rows = [
        "4@a.mrcs 1 100 90 7",
        "2@b.mrcs 2 200 190 8",
        "3@a.mrcs 1 300 290 9",
        "5@a.mrcs 2 4 3 1",
    ]
    stack = open_stack(write(tmp_path, "\n".join(rows) + "\n"))
    assert (len(stack), stack.box, stack.pixel_size_a) == (4, 8, 3.5)
    read = stack.read(np.array([3, 1, 0, 2]))
    assert np.array_equal(read[[0, 2, 3]], images[[4, 3, 2]])
    assert np.array_equal(read[1], images[3].astype(np.float16).astype(np.float32))
    assert stack.group.tolist() == [0, 1, 0, 1]
    assert stack.optics[1].voltage_kv == 200.0
    assert stack.defocus_a is not None
    assert stack.defocus_a[1].tolist() == [200.0, 190.0]
    assert stack.defocus_angle_deg.tolist() == [7.0, 8.0, 9.0, 1.0]


def test_a_big_endian_stack_is_read(tmp_path: Path, images: np.ndarray) -> None:
    write_mrcs(tmp_path / "a.mrcs", images, 3.5)
    content = (tmp_path / "a.mrcs").read_bytes()
    head = bytearray(np.frombuffer(content[:1024], "<i4").astype(">i4").tobytes())
    head[208:216] = b"MAP \x11\x11\x00\x00"
    (tmp_path / "a.mrcs").write_bytes(bytes(head) + images.astype(">f4").tobytes())
    stack = open_stack(write(tmp_path, "5@a.mrcs 1 100 90 7\n"))
    assert np.array_equal(stack.read(np.array([0]))[0], images[4])


@pytest.mark.parametrize(
    ("rows", "size_2", "words"),
    [
        ("6@a.mrcs 1 1 1 1\n", "3.5", "holds 1 to 5"),
        ("1@c.mrcs 1 1 1 1\n", "3.5", "c.mrcs is not there"),
        ("1@a.mrcs 3 1 1 1\n", "3.5", "optics group 3 is not described"),
        ("1@a.mrcs 1 x 1 1\n", "3.5", "_rlnDefocusU is 'x'"),
        ("1@a.mrcs 1 1 1 1\n", "2.0", "accepted is one size"),
    ],
)
def test_what_contradicts_itself_is_named(
    tmp_path: Path, images: np.ndarray, rows: str, size_2: str, words: str
) -> None:
    write_mrcs(tmp_path / "a.mrcs", images, 3.5)
    with pytest.raises(InputError, match=words):
        open_stack(write(tmp_path, rows, size_2))


def test_a_truncated_stack_is_refused(tmp_path: Path, images: np.ndarray) -> None:
    write_mrcs(tmp_path / "a.mrcs", images, 3.5)
    content = (tmp_path / "a.mrcs").read_bytes()
    (tmp_path / "a.mrcs").write_bytes(content[:-1])
    with pytest.raises(InputError, match="5 images of 8 x 8 px in the header, 4 in the file"):
        open_stack(write(tmp_path, "1@a.mrcs 1 1 1 1\n"))


def test_a_written_stack_is_what_mrcfile_reads(tmp_path: Path, images: np.ndarray) -> None:
    import mrcfile

    write_mrcs(tmp_path / "a.mrcs", images, 3.5)
    assert mrcfile.validate(tmp_path / "a.mrcs")
    with mrcfile.open(tmp_path / "a.mrcs") as stream:
        assert stream.is_image_stack()
        assert np.array_equal(stream.data, images)
        assert float(stream.voxel_size.x) == 3.5
