"""Reading class averages, and measuring what is painted on them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from cryoverdict.features.class_average import ClassAverage, ClassSet
from cryoverdict.features.class_average_list import read_class_run, read_classes
from cryoverdict.features.class_families import class_features, measure_classes, plain_features
from cryoverdict.features.class_view import RADIUS_PX, prepare_classes
from cryoverdict.features.cryosparc_classes import read_cryosparc_classes
from cryoverdict.features.feature import SUFFIXES
from cryoverdict.features.image_stack import read_stack
from cryoverdict.features.input_error import InputError
from cryoverdict.features.relion_classes import read_relion_classes
from cryoverdict.features.table import FeatureTable
from tests import painted_classes as painted


def set_of(images: list[painted.Image], **known: float) -> ClassSet:
    averages = tuple(
        ClassAverage(
            subject=f"{i:06d}@a.mrcs", number=i, pixels=im, pixel_size_a=known.get("pixel", 4.0)
        )
        for i, im in enumerate(images, start=1)
    )
    return ClassSet(flavour="images", averages=averages)


@pytest.fixture(scope="module")
def mixed() -> FeatureTable:
    return measure_classes(set_of(painted.mixed_images()[0]))


def test_features_are_named_by_their_units_and_told_once() -> None:
    names = [f.name for f in class_features()]
    assert len(names) == len(set(names)) >= 75
    for f in class_features():
        assert f.name.endswith(SUFFIXES.get(f.unit, "")), f.name
        assert f.meaning.endswith(".")
        assert f.source
    assert not any(f.name.endswith(("_a", "_deg")) for f in class_features() if f.unit == "1")


def test_what_is_painted_is_what_is_measured(mixed: FeatureTable) -> None:
    edge, nothing, two = 8, 9, 10
    good = slice(0, 8)

    def column(name: str) -> np.ndarray:
        return mixed.column(name)

    assert (
        column("straight_edge_score")[edge] > 0.75 > 0.1 > column("straight_edge_score")[good].max()
    )
    assert column("plane_share")[edge] > 0.35 > column("plane_share")[good].max()
    assert column("second_object_ratio")[two] > 0.6
    assert column("second_object_ratio")[good].max() == 0.0
    assert column("object_offset")[good].max() < 0.12
    assert column("middle_centre_edge")[good].min() > 0.8 > column("middle_centre_edge")[nothing]
    assert column("shown_share")[11] == 0.0
    assert column("shown_share")[good].min() > 0.95
    assert column("object_contrast")[good].min() > 5 > column("object_contrast")[nothing]


def test_a_blank_average_gives_reasons_and_no_numbers(mixed: FeatureTable) -> None:
    blank = mixed.subjects[11]
    assert mixed.row(blank) == {"shown_share": 0.0}
    assert mixed.absent[blank, "round_share"] == "the average holds nothing"


@pytest.mark.parametrize("change", ["gain", "offset", "inverted", "turned", "larger box", "8 bit"])
def test_measurements_do_not_depend_on_how_an_average_is_stored(
    mixed: FeatureTable, change: str
) -> None:
    images = painted.mixed_images()[0]
    changes: dict[str, Callable[[painted.Image], painted.Image]] = {
        "gain": lambda im: 37.0 * im,
        "offset": lambda im: im + np.float32(5.0),
        "inverted": lambda im: -im,
        "turned": lambda im: np.roll(np.rot90(im), (1, 0), (0, 1)),
        "larger box": lambda im: np.pad(im, 8),
        "8 bit": lambda im: np.rint(255 * (im - im.min()) / max(float(np.ptp(im)), 1e-9)),
    }
    changed = changes[change]
    again = measure_classes(set_of([changed(im).astype(np.float32) for im in images]))
    # The common grid has whole pixels: a box of another size is off by up to 1.5 %.
    tolerance = {"turned": 0.06, "8 bit": 0.06, "larger box": 0.12}.get(change, 2e-3)
    loose = {"object_compactness", "object_solidity", "neighbour_correlation", "lattice_score"}
    for feature in plain_features():
        if change in ("turned", "8 bit", "larger box") and feature.name in loose | {
            "amplitude_ratio", "streak_score", "symmetry_fold", "beyond_centre_edge",
            "fine_centre_edge", "centre_edge_20_10", "centre_edge_below_10", "edge_unevenness",
            "grey_kurtosis", "object_offset", "shown_share",
        }:  # fmt: skip
            continue
        if change == "offset" and feature.name == "shown_share":
            continue
        a, b = mixed.column(feature.name)[:8], again.column(feature.name)[:8]
        assert np.allclose(a, b, rtol=tolerance, atol=tolerance, equal_nan=True), feature.name


def test_noise_round_the_particle_is_told_from_structure() -> None:
    images = [painted.particle(i) for i in range(8)] + [painted.overfitted(9)]
    table = measure_classes(set_of(images))
    assert table.column("overfit_score")[8] > 3 * table.column("overfit_score")[:8].max()
    assert table.column("overfit_score_z")[8] == 8.0
    assert table.column("beyond_power_share")[8] > 10 * table.column("beyond_power_share")[:8].max()


def test_the_mask_is_found_in_the_images() -> None:
    view = prepare_classes(set_of([painted.particle(i) for i in range(4)]))[0]
    assert view.native_radius_px == pytest.approx(painted.RADIUS, abs=1.0)
    assert view.pixels.shape == (80, 80)
    assert RADIUS_PX == 32


def test_likeness_sees_through_turns_and_mirrors() -> None:
    one = painted.particle(3)
    mirrored = np.roll(one[:, ::-1], 1, 1)
    turned = np.roll(np.rot90(one), (1, 0), (0, 1))
    table = measure_classes(set_of([one, mirrored, turned, painted.film_edge(1), painted.empty(4)]))
    assert table.column("nearest_likeness")[:3].min() > 0.97
    assert table.column("nearest_likeness")[3:].max() < 0.8


def test_relion_run_is_read_with_everything_it_says(tmp_path: Path) -> None:
    images, members = painted.mixed_images()
    run = painted.write_run(tmp_path / "job", images, members)
    classes = read_relion_classes(run.model)
    first, last = classes.averages[0], classes.averages[-1]
    assert first.subject == "000001@run_it025_classes.mrcs"
    assert (first.members, first.resolution_a, first.rotation_accuracy_deg) == (90, 12.1, 4.5)
    assert (first.shift_accuracy_a, first.pixel_size_a, first.mask_diameter_a) == (2.0, 4.0, 208.0)
    assert first.share == pytest.approx(90 / sum(members), abs=1e-6)
    assert (last.members, last.resolution_a, last.rotation_accuracy_deg) == (0, None, None)
    assert np.array_equal(first.pixels, run.images[0])
    assert classes.assignments is not None
    assert np.bincount(classes.assignments.number)[1:].tolist() == list(members[:11])
    assert read_class_run(tmp_path / "job").source == run.model


def test_accuracy_before_relion_31_is_in_pixels(tmp_path: Path) -> None:
    run = painted.write_run(tmp_path, [painted.particle(1)] * 2, (40, 40), version="3.0")
    assert read_relion_classes(run.model).averages[0].shift_accuracy_a == 8.0


def test_the_newest_iteration_of_a_folder_is_taken(tmp_path: Path) -> None:
    run = painted.write_run(tmp_path, [painted.particle(1)], (40,))
    older = tmp_path / "run_it009_model.star"
    older.write_bytes(run.model.read_bytes())
    assert read_class_run(tmp_path).source == run.model
    with pytest.raises(InputError, match="neither run_itNNN_model"):
        read_class_run(tmp_path.parent / "nothing")


def test_cryosparc_job_is_read_with_its_passthrough(tmp_path: Path) -> None:
    images, members = painted.mixed_images()
    paths = painted.write_cryosparc(tmp_path / "J7", images, members)
    classes = read_cryosparc_classes(paths[::-1])
    assert [a.members for a in classes.averages] == list(members)
    assert classes.averages[3].resolution_a == 12.0
    assert classes.averages[3].subject == "000004@J7_020_class_averages.mrc"
    assert classes.assignments is not None
    # The passthrough file has another order; its rows are matched by uid.
    assert classes.assignments.defocus_a is not None
    assert classes.assignments.defocus_a[0] == 9000 + sum(members) - 1
    assert classes.assignments.names[0] == "10000"
    folder = read_class_run(tmp_path / "J7")
    assert folder.assignments is not None
    assert len(folder.assignments) == sum(members)


def test_pictures_have_no_metadata_and_keep_their_order(tmp_path: Path) -> None:
    from PIL import Image

    for name in ("1.png", "2.png", "10.png"):
        grey = np.rint(60 * painted.particle(int(name[:-4])) + 50).astype(np.uint8)
        Image.fromarray(grey).convert("RGB").save(tmp_path / name)
    (tmp_path / "note.txt").write_text("no image")
    (tmp_path / "11.png").write_bytes(b"\x89PNG broken")
    classes = read_classes([tmp_path])
    assert [Path(a.subject).name for a in classes.averages] == ["1.png", "2.png", "10.png"]
    assert list(classes.unreadable) == [str(tmp_path / "11.png")]
    table = measure_classes(classes)
    assert np.isnan(table.column("particle_number")).all()
    assert table.absent[classes.averages[0].subject, "amplitude_ratio"].startswith(
        "the grey values"
    )


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda run: run.model.write_text("data_model_general\n_rlnPixelSize 4\n"), "no classes"),
        (lambda run: (run.model.parent / "run_it025_classes.mrcs").unlink(), "is not there"),
        (
            lambda run: run.model.write_text(run.model.read_text().replace("4.5", "good")),
            "accepted is a number",
        ),
        (
            lambda run: run.data.write_text(
                run.data.read_text().replace("rlnClassNumber", "rlnOther")
            ),
            "no column _rlnClassNumber",
        ),
    ],
)
def test_faults_name_the_file_and_what_is_accepted(
    tmp_path: Path, spoil: object, words: str
) -> None:
    run = painted.write_run(tmp_path, [painted.particle(1)] * 2, (40, 40))
    spoil(run)  # type: ignore[operator]
    with pytest.raises(InputError, match=words) as caught:
        read_relion_classes(run.model)
    assert str(caught.value).startswith(str(tmp_path))


def test_a_truncated_stack_is_refused(tmp_path: Path) -> None:
    run = painted.write_run(tmp_path, [painted.particle(1)] * 2, (40, 40))
    stack = tmp_path / "run_it025_classes.mrcs"
    assert read_stack(stack)[0].shape == (2, 64, 64)
    stack.write_bytes(stack.read_bytes()[:-100])
    with pytest.raises(InputError, match="2 images of 64 x 64 px in the header, 1 in the file"):
        read_relion_classes(run.model)


def test_the_sign_is_one_for_the_whole_run() -> None:
    images = [-painted.particle(i) for i in range(5)] + [painted.film_edge(2)]
    views = prepare_classes(set_of(images))
    assert views[0].run.inverted
    assert float(views[0].pixels[40, 40]) > 0


def test_measuring_changes_nothing_given(mixed: FeatureTable) -> None:
    classes = set_of(painted.mixed_images()[0])
    again = measure_classes(replace(classes, averages=classes.averages))
    assert again.digest == mixed.digest
