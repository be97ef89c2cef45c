"""Reading cryoSPARC exposures, to the value and without ever unpickling."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features.cryosparc import read_exposures
from cryoverdict.features.input_error import InputError
from cryoverdict.features.list_source import Flavour
from cryoverdict.features.micrograph import GivenCtf
from cryoverdict.features.optics import Optics

MICROGRAPH = [
    ("uid", "<u8"),
    ("micrograph_blob/path", "S40"),
    ("micrograph_blob/shape", "<u4", (2,)),
    ("micrograph_blob/psize_A", "<f4"),
    ("mscope_params/accel_kv", "<f4"),
    ("mscope_params/cs_mm", "<f4"),
]
CTF = [
    ("ctf/type", "S9"),
    ("ctf/accel_kv", "<f4"),
    ("ctf/cs_mm", "<f4"),
    ("ctf/amp_contrast", "<f4"),
    ("ctf/df1_A", "<f4"),
    ("ctf/df2_A", "<f4"),
    ("ctf/df_angle_rad", "<f4"),
    ("ctf/phase_shift_rad", "<f4"),
    ("ctf/cross_corr_ctffind4", "<f4"),
    ("ctf/ctf_fit_to_A", "<f4"),
]
OPTICS = Optics(pixel_size_a=0.885, voltage_kv=200, cs_mm=1.4, amplitude_contrast=0.1)
FITTED = GivenCtf(
    defocus_u_a=10865.01,
    defocus_v_a=10571.5,
    defocus_angle_deg=45.0,
    phase_shift_deg=90.0,
    fit_score=0.132,
    resolution_a=4.84,
)


def micrographs() -> NDArray[Any]:
    """Return two records without CTF."""
    return np.array(
        [
            (2**63 + 7, b">J1/imported/a.mrc", (3710, 3838), 0.885, 200.0, 1.4),
            (12, b"J1/imported/b.mrc", (3710, 3838), 0.885, 200.0, 1.4),
        ],
        dtype=MICROGRAPH,
    )


def fits(uids: list[int]) -> NDArray[Any]:
    """Return a fitted record and one whose slot is not filled, for two uids."""
    fitted = (b"ctffind4", 200.0, 1.4, 0.1, 10865.01, 10571.5, np.pi / 4, np.pi / 2, 0.132, 4.84)
    empty = (b"", 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0)
    rows = [(uids[0], *fitted), (uids[1], *empty)]
    return np.array(rows, dtype=[("uid", "<u8"), *CTF])


def save(path: Path, array: NDArray[Any]) -> Path:
    """Write records as cryoSPARC does: a numpy file of another name."""
    with path.open("wb") as file:
        np.save(file, array)
    return path


def test_exposures_without_ctf(tmp_path: Path) -> None:
    path = save(tmp_path / "exposures.cs", micrographs())
    (source,) = read_exposures([path])
    first, second = source.entries
    assert (source.flavour, source.path) == (Flavour.CRYOSPARC, path)
    assert (first.name, second.name) == ("J1/imported/a.mrc", "J1/imported/b.mrc")
    assert (first.uid, second.uid) == (2**63 + 7, 12)
    assert first.optics == Optics(pixel_size_a=0.885, voltage_kv=200, cs_mm=1.4)
    assert first.given_ctf is None


def test_results_and_passthrough_are_joined_by_uid(tmp_path: Path) -> None:
    """Catches a join by row, and unfilled slots read as numbers."""
    blobs = save(tmp_path / "J4_passthrough_exposures.cs", micrographs())
    results = save(tmp_path / "exposures_ctf_estimated.cs", fits([2**63 + 7, 12])[::-1])
    (source,) = read_exposures([results, blobs])
    assert source.path == blobs
    first, second = source.entries
    assert first.given_ctf == FITTED
    assert first.optics == OPTICS
    assert second.given_ctf is None
    assert second.optics == Optics(pixel_size_a=0.885, voltage_kv=200, cs_mm=1.4)
    assert source.exposures is not None
    assert source.exposures["ctf/df1_A"].tolist() == pytest.approx([10865.01, 0.0])


def test_patch_ctf_statistics_win_over_the_older_fields(tmp_path: Path) -> None:
    array = fits([1, 2])
    names = [*MICROGRAPH, *CTF, ("ctf_stats/cross_corr", "<f4"), ("ctf_stats/ctf_fit_to_A", "<f4")]
    whole = np.zeros(2, dtype=names)
    for name in array.dtype.names or ():
        whole[name] = array[name]
    whole["micrograph_blob/psize_A"] = 1.0
    whole["ctf_stats/ctf_fit_to_A"] = [3.5, 0.0]
    (source,) = read_exposures([save(tmp_path / "a.cs", whole)])
    ctf = source.entries[0].given_ctf
    assert ctf is not None
    assert (ctf.resolution_a, ctf.fit_score) == (3.5, 0.132)
    # A microscope slot that was never filled is unknown, not 0 kV; the CTF's own is used.
    assert source.entries[0].optics.voltage_kv == 200.0
    assert source.entries[1].optics.voltage_kv is None


@pytest.mark.parametrize("value", [0.0, -1.0, 1e4])
def test_an_absurd_pixel_size_names_the_row(tmp_path: Path, value: float) -> None:
    array = micrographs()
    array["micrograph_blob/psize_A"][1] = value
    with pytest.raises(InputError, match=r"a\.cs: row 2: pixel_size_a is .*accepted is 0.05"):
        read_exposures([save(tmp_path / "a.cs", array)])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "no cryoSPARC file .it does not begin as one.; accepted is the .cs file of a job"),
        (b"\x94CSDAT1234", "transfer format"),
        (b"data_micrographs\n", "no cryoSPARC file"),
        (b"\x80\x04\x95\x10\x00", "no cryoSPARC file"),
        (b"\x93NUMPY\x01\x00\x10\x00{'descr': [(((((", "damaged, truncated or no table of numbers"),
        (b"\x93NUMPY\x09\x09", "damaged, truncated or no table of numbers"),
    ],
)
def test_other_files_are_refused(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.cs"
    path.write_bytes(content)
    with pytest.raises(InputError, match=words) as caught:
        read_exposures([path])
    assert "pickle" not in str(caught.value)


def test_nothing_is_ever_unpickled(tmp_path: Path) -> None:
    path = save(tmp_path / "a.cs", np.array([{"uid": 1}], dtype=object))
    with pytest.raises(InputError, match=r"a\.cs: damaged, truncated or no table of numbers"):
        read_exposures([path])
    save(path, np.arange(4.0))
    with pytest.raises(InputError, match="no table of named fields"):
        read_exposures([path])


def test_movies_and_strangers_are_named(tmp_path: Path) -> None:
    movies = np.zeros(1, dtype=[("uid", "<u8"), ("movie_blob/path", "S9")])
    with pytest.raises(InputError, match=r"lists movies, .*fields uid, movie_blob/path"):
        read_exposures([save(tmp_path / "a.cs", movies)])
    # A results file of another job shares no uid: it is not joined in silence.
    blobs = save(tmp_path / "b.cs", micrographs())
    with pytest.raises(InputError, match=r"c\.cs: lists no micrographs"):
        read_exposures([blobs, save(tmp_path / "c.cs", fits([1, 2]))])


@pytest.mark.real_data
@pytest.mark.parametrize(
    "name",
    [
        "cryosparc_J2_particles_exported.cs",
        "cryosparc_P12_J24_001_particles.cs",
        "empiar_10076_7.cs",
    ],
)
def test_real_particle_files_are_named_as_such(shared_data: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"lists particles \(found the fields uid, blob/path"):
        read_exposures([shared_data / "cs" / name])
