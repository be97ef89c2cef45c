"""The network of class averages: what it may not depend on, and where it is absent."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import rotate

from cryoverdict.features import class_embedding as module
from cryoverdict.features import class_families
from cryoverdict.features.class_average import ClassAverage, ClassSet, FloatArray
from cryoverdict.features.class_embedding import (
    ANSWERS,
    EMBEDDING_WIDTH,
    WEIGHTS,
    ClassNetwork,
    class_embedding,
    weight_shapes,
)
from cryoverdict.features.class_families import measure_classes
from cryoverdict.features.class_view import prepare_classes
from cryoverdict.features.feature import Absent
from cryoverdict.features.input_error import InputError
from cryoverdict.features.weights_file import Weights, read_weights, write_weights
from tests import painted_classes as painted


def random_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        for name, shape in weight_shapes().items()
    }


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> ClassNetwork:
    """Random weights, installed, so that no test depends on what the shipped ones learnt."""
    made = ClassNetwork.of(random_weights(), "here")
    for place in (module, class_families):
        monkeypatch.setattr(place, "installed_class_network", lambda: made)
    return made


def run_of(images: list[painted.Image]) -> ClassSet:
    averages = tuple(
        ClassAverage(subject=str(i), number=i, pixels=image, pixel_size_a=4.0)
        for i, image in enumerate(images, start=1)
    )
    return ClassSet(flavour="images", averages=averages)


def embedded(images: list[painted.Image]) -> list[FloatArray]:
    found = [class_embedding(view) for view in prepare_classes(run_of(images))]
    return [vector for vector in found if not isinstance(vector, Absent)]


def test_turns_and_mirror_images_are_embedded_alike(network: ClassNetwork) -> None:
    one, other = painted.particle(3), painted.film_edge(2)
    mirrored = np.roll(one[:, ::-1], 1, 1)
    quarter = np.roll(np.rot90(one), (1, 0), (0, 1))
    free = np.asarray(rotate(np.pad(one, (0, 1)), 37.0, reshape=False, order=3)[:-1, :-1])
    first, second, third, fourth, different = embedded([one, mirrored, quarter, free, other])
    away = np.linalg.norm(first - different)
    assert np.linalg.norm(first - second) < 1e-4 * away
    assert np.linalg.norm(first - third) < 1e-4 * away
    assert np.linalg.norm(first - fourth) < 0.05 * away


def test_every_angle_of_the_polar_image_counts_alike(network: ClassNetwork) -> None:
    polar = np.random.default_rng(0).standard_normal((30, 64)).astype(np.float32)
    first = network.embedding(polar)
    for changed in (np.roll(polar, 1, axis=1), np.roll(polar, 29, axis=1), polar[:, ::-1]):
        np.testing.assert_allclose(network.embedding(changed), first, atol=1e-5)
    assert np.abs(network.embedding(np.roll(polar, 1, axis=0)) - first).max() > 1e-3


def test_gain_and_sign_of_a_run_do_not_matter(network: ClassNetwork) -> None:
    images = [painted.particle(i) for i in range(4)]
    before, after = embedded(images), embedded([-3.0 * image + 7.0 for image in images])
    np.testing.assert_allclose(after, before, atol=1e-3)


def test_the_table_has_a_vector_of_every_average_that_shows_something(
    network: ClassNetwork,
) -> None:
    blank = np.zeros((painted.BOX, painted.BOX), np.float32)
    classes = run_of([painted.particle(0), blank, painted.film_edge(1)])
    table = measure_classes(classes)
    rows = table.embeddings[network.name]
    assert rows.shape == (3, EMBEDDING_WIDTH)
    assert np.isnan(rows).all(axis=1).tolist() == [False, True, False]
    views = prepare_classes(classes)
    np.testing.assert_array_equal(rows[0], class_embedding(views[0]))
    assert class_embedding(views[1]) == Absent("the average holds nothing")
    assert list(network.answers) == list(ANSWERS)


def test_without_a_network_the_embedding_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    for place in (module, class_families):
        monkeypatch.setattr(place, "installed_class_network", lambda: None)
    classes = run_of([painted.particle(0), painted.film_edge(1)])
    view = prepare_classes(classes)[0]
    assert class_embedding(view) == Absent("no embedding network is installed")
    assert measure_classes(classes).embeddings == {}


def test_weights_come_back_and_others_are_refused(tmp_path: Path) -> None:
    weights = random_weights()
    write_weights(tmp_path / WEIGHTS, weights)
    back = read_weights((tmp_path / WEIGHTS).read_bytes(), WEIGHTS)
    assert ClassNetwork.of(back, WEIGHTS).name == ClassNetwork.of(weights, WEIGHTS).name
    assert (tmp_path / WEIGHTS).stat().st_size < 200_000
    del back["spectrum.0.bias"]
    with pytest.raises(InputError, match=r"w: not this version's network \(spectrum.0.bias"):
        ClassNetwork.of(back, "w")
