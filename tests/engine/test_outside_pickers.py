"""Outside pickers: what they are asked, what becomes of their failure, and the real RELION."""

from __future__ import annotations

import shutil
import stat
import subprocess
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import mrcfile
import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.cwl.commands.pick import PICKERS as CHOICES
from cryoverdict.engine.adapters import PICKERS
from cryoverdict.engine.adapters.linked_micrographs import link_micrographs
from cryoverdict.engine.adapters.outside_picker import PickingOrder
from cryoverdict.engine.adapters.relion_autopick import RELION, relion_arguments
from cryoverdict.engine.adapters.topaz import TOPAZ, downscale, extract_arguments
from cryoverdict.engine.picking.picking_parameters import PickingParameters
from cryoverdict.engine.picking.picking_subject import PickingMicrograph
from cryoverdict.engine.picking.picks import Picks
from cryoverdict.engine.picking.templates import Templates
from cryoverdict.engine.picking_files.pick_folder import write_pick_folder
from cryoverdict.engine.program_error import ProgramError
from cryoverdict.features.micrograph import GivenCtf, Micrograph
from cryoverdict.features.micrograph_list import read_micrograph_list
from cryoverdict.features.optics import Optics

OPTICS = Optics(pixel_size_a=4.0, voltage_kv=300.0, cs_mm=2.7, amplitude_contrast=0.1)
PARAMETERS = PickingParameters(
    diameter_a=160.0,
    diameter_min_a=120.0,
    diameter_max_a=200.0,
    contrast_sign=-1.0,
    lowpass_a=20.0,
    picking_pixel_size_a=8.0,
    spacing_a=112.0,
    edge_margin_a=80.0,
    false_discovery_rate=0.1,
    score_threshold=3.0,
    score_ceiling=999.0,
    most_per_micrograph=1000,
    trial_particles=1000,
)
SHAPE = (400, 560)
CENTRES = np.array([(80.0, 70.0), (300.0, 90.0), (150.0, 300.0), (470.0, 250.0), (330.0, 210.0)])


def discs() -> NDArray[np.float32]:
    """Return a noisy micrograph with dark discs of 160 Å at `CENTRES` (x, y)."""
    y, x = np.mgrid[: SHAPE[0], : SHAPE[1]]
    pixels = np.random.default_rng(3).normal(0, 1, SHAPE)
    for cx, cy in CENTRES:
        pixels -= 1.5 * (np.hypot(x - cx, y - cy) < 20)
    return pixels.astype(np.float32)


@pytest.fixture
def subjects(tmp_path: Path) -> list[PickingMicrograph]:
    """Return the same field as MRC and as 16-bit TIFF, and one that cannot be read."""
    import tifffile

    mrcfile.write(tmp_path / "o'dd name.mrc", discs(), voxel_size=4.0)
    tifffile.imwrite(tmp_path / "b.tif", np.rint(1000 + 100 * discs()).astype(np.uint16))
    (tmp_path / "broken.mrc").write_bytes(b"no")
    ctf = GivenCtf(defocus_u_a=15000.0, defocus_v_a=15000.0, defocus_angle_deg=0.0)
    return [
        PickingMicrograph(
            micrograph=Micrograph(subject=n, path=tmp_path / n, optics=OPTICS, given_ctf=ctf)
        )
        for n in ("o'dd name.mrc", "b.tif", "broken.mrc")
    ]


def order(subjects: list[PickingMicrograph], folder: Path, **changes: object) -> PickingOrder:
    """Return an order to pick some micrographs."""
    folder.mkdir(exist_ok=True)
    plain = PickingOrder(
        subjects=subjects, parameters=PARAMETERS, templates=None, folder=folder, threads=2
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def missed(picks: Picks) -> float:
    """Return how far, in pixels, the worst found centre is from its nearest pick."""
    found = np.column_stack([picks.x_px, picks.y_px])
    return max(float(np.hypot(*(found - c).T).min()) for c in CENTRES)


def program(folder: Path, name: str, script: str) -> None:
    """Put a program on the disk that runs a Python script."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/usr/bin/env python3\n{script}")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


def test_the_command_offers_the_registered_pickers() -> None:
    assert ("builtin", *(p.name for p in PICKERS)) == CHOICES


@pytest.mark.parametrize("picker", PICKERS, ids=lambda p: str(p.name))
def test_an_absent_program_says_what_to_do(
    picker: object,
    subjects: list[PickingMicrograph],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ProgramError, match=r"is not on the PATH; install .* --picker builtin"):
        picker.pick(order(subjects, tmp_path / "work"))  # type: ignore[attr-defined]


def test_a_failing_program_is_quoted(
    subjects: list[PickingMicrograph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program(tmp_path / "bin", "relion_autopick", "print('no memory'); raise SystemExit(7)")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    with pytest.raises(ProgramError, match=r"relion_autopick failed \(exit code 7\): no memory"):
        RELION.pick(order(subjects, tmp_path / "work"))


def test_micrographs_are_laid_out_under_plain_names(
    subjects: list[PickingMicrograph], tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    linked = link_micrographs(subjects, work)
    assert [m.subject.subject for m in linked] == ["o'dd name.mrc", "b.tif"]
    assert (work / "mics" / "000001.mrc").is_symlink()
    with mrcfile.open(work / "mics" / "000002.mrc") as file:
        pixels = np.asarray(file.data)
    assert pixels.dtype == np.float32
    # The rows stand as this package reads them, so that coordinates need no turning.
    assert np.corrcoef(pixels.ravel(), discs().ravel())[0, 1] > 0.99


def test_relion_is_asked_for_what_was_decided() -> None:
    log = relion_arguments(PARAMETERS, "x.star", template_size_a=None, ctf=True)
    asked = dict(pairwise(log))
    assert (asked["--LoG_diam_min"], asked["--LoG_diam_max"]) == ("120", "200")
    assert asked["--LoG_neighbour"] == "80"
    assert "--Log_invert" not in log
    light = replace(PARAMETERS, contrast_sign=1.0)
    assert "--Log_invert" in relion_arguments(light, "x.star", template_size_a=None, ctf=True)
    match = relion_arguments(PARAMETERS, "x.star", template_size_a=8.0, ctf=True)
    assert {"--invert", "--ctf", "--ref"} <= set(match)
    assert dict(pairwise(match))["--min_distance"] == "112"
    plain = relion_arguments(light, "x.star", template_size_a=8.0, ctf=False)
    assert not {"--invert", "--ctf"} & set(plain)


def test_topaz_is_asked_in_binned_pixels_and_answers_in_full_ones(
    subjects: list[PickingMicrograph], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert downscale(PARAMETERS, 1.0) == 5
    assert downscale(replace(PARAMETERS, diameter_a=60.0), 0.8) == 4
    assert downscale(PARAMETERS, 8.0) == 2
    asked = extract_arguments(PARAMETERS, 1.0, 5, "out.txt", 2)
    assert asked[asked.index("-r") + 1] == "11"
    assert asked[asked.index("-x") + 1] == "5"
    program(
        tmp_path / "bin",
        "topaz",
        "import sys\n"
        "a = sys.argv[1:]\n"
        "if a[0] == 'extract':\n"
        "    names = [n.split('/')[-1][:-4] for n in a if n.endswith('.mrc')]\n"
        "    with open(a[a.index('-o') + 1], 'w') as f:\n"
        "        f.write('image_name\\tx_coord\\ty_coord\\tscore\\n')\n"
        "        for n in names: f.write(f'{n}\\t{int(n)}\\t20\\t1.5\\n')\n",
    )
    monkeypatch.setenv("PATH", str(tmp_path / "bin"), prepend=":")
    found = TOPAZ.pick(order(subjects, tmp_path / "work"))
    assert {s: p.x_px.tolist() for s, p in found.items()} == {
        "o'dd name.mrc": [1.0],
        "b.tif": [2.0],
    }
    assert found["b.tif"].subject == "b.tif"


@pytest.mark.skipif(shutil.which("topaz") is None, reason="Topaz is not installed")
def test_the_real_topaz_finds_the_discs(subjects: list[PickingMicrograph], tmp_path: Path) -> None:
    found = TOPAZ.pick(order(subjects, tmp_path / "work"))
    assert missed(found["o'dd name.mrc"]) < 15


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_autopick") is None, reason="RELION is not installed")
def test_the_real_relion_finds_the_discs_where_they_are(
    subjects: list[PickingMicrograph], tmp_path: Path
) -> None:
    found = RELION.pick(order(subjects, tmp_path / "work"))
    assert set(found) == {"o'dd name.mrc", "b.tif"}
    assert missed(found["o'dd name.mrc"]) < 8
    assert missed(found["b.tif"]) < 8
    assert np.isfinite(found["b.tif"].score).all()


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_autopick") is None, reason="RELION is not installed")
def test_the_real_relion_finds_the_discs_by_templates(
    subjects: list[PickingMicrograph], tmp_path: Path
) -> None:
    y, x = np.mgrid[:32, :32] - 16
    disc = (np.hypot(x, y) < 10).astype(np.float32)[np.newaxis]
    templates = Templates(images=disc, pixel_size_a=8.0, weights=np.ones(1))
    # The discs are drawn without a CTF, so the list must not promise one.
    plain = replace(subjects[0], micrograph=replace(subjects[0].micrograph, given_ctf=None))
    found = RELION.pick(order([plain], tmp_path / "work", templates=templates, threads=1))
    assert missed(found["o'dd name.mrc"]) < 8


@pytest.mark.relion
@pytest.mark.skipif(shutil.which("relion_preprocess") is None, reason="RELION is not installed")
def test_relion_extracts_the_pixels_that_the_coordinates_mean(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # RELION cuts the fraction of a coordinate off; the pixel stands at box/2 of the window.
    monkeypatch.chdir(tmp_path)
    pixels = np.random.default_rng(0).normal(0, 1, (300, 420)).astype(np.float32)
    mrcfile.write("a.mrc", pixels, voxel_size=1.0)
    places = np.array([(100.0, 60.0), (200.4, 150.5), (300.6, 200.49), (51.0, 99.0)])
    picks = Picks(
        subject="a.mrc",
        x_px=places[:, 0],
        y_px=places[:, 1],
        score=np.array([4.0, 3.0, 2.0, 1.0]),
        diameter_a=np.full(4, 30.0),
    )
    optics = replace(OPTICS, pixel_size_a=1.0)
    listed = read_micrograph_list(["a.mrc"], optics)
    write_pick_folder(Path(), listed, ["a.mrc"], lambda _: picks, optics={})
    Path("cut").mkdir()
    arguments = ["--i", "micrographs.star", "--coord_dir", "coordinates/"]
    arguments += ["--coord_suffix", "_autopick.star", "--extract", "--extract_size", "32"]
    arguments += ["--part_dir", "cut/", "--part_star", "cut/particles.star"]
    subprocess.run(["relion_preprocess", *arguments], check=True, capture_output=True)
    with mrcfile.open("cut/a.mrcs", permissive=True) as file:
        cut = np.asarray(file.data)
    assert len(cut) == 4
    for window, (x, y) in zip(cut, places.astype(int), strict=True):
        mine = pixels[y - 16 : y + 16, x - 16 : x + 16]
        assert np.array_equal(window, mine)
