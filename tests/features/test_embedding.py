"""The network's pictures, its arithmetic, its weights on disk, and embeddings in a table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from cryoverdict.features import embedding as embedding_module
from cryoverdict.features.embedding import embedding
from cryoverdict.features.embedding_network import (
    EmbeddingNetwork,
    field_input,
    spectrum_input,
    weight_shapes,
)
from cryoverdict.features.embedding_pictures import (
    ANGLES,
    RADII,
    NetworkPictures,
    network_pictures,
)
from cryoverdict.features.feature import Absent
from cryoverdict.features.image import Image
from cryoverdict.features.input_error import InputError
from cryoverdict.features.micrograph import Micrograph
from cryoverdict.features.optics import Optics
from cryoverdict.features.prepare import prepare
from cryoverdict.features.table import FeatureTable
from cryoverdict.features.view import View
from cryoverdict.features.weights_file import Weights, read_weights, weights_digest, write_weights


def view_of(pixels: NDArray[np.floating], pixel_size_a: float | None = None) -> View:
    optics = Optics(pixel_size_a=pixel_size_a)
    micrograph = Micrograph(subject="a", path=Path("a.mrc"), optics=optics)
    return prepare(micrograph, Image(pixels=np.asarray(pixels, np.float32)), optics)


def blobs(shape: tuple[int, int]) -> NDArray[np.float32]:
    """Return noise with dark blobs and a tilted wave, nothing symmetric about it."""
    rng = np.random.default_rng(3)
    y, x = np.mgrid[: shape[0], : shape[1]]
    image = rng.standard_normal(shape) + 0.5 * np.cos(2 * np.pi * (0.2 * x + 0.07 * y))
    for at_y, at_x in rng.uniform(0.1, 0.9, (12, 2)) * shape:
        image -= 3.0 * np.exp(-((y - at_y) ** 2 + (x - at_x) ** 2) / 60.0)
    return np.asarray(image, np.float32)


def random_weights(seed: int = 0) -> Weights:
    rng = np.random.default_rng(seed)
    return {
        name: (rng.normal(size=shape) / np.sqrt(np.prod(shape[1:]))).astype(np.float32)
        for name, shape in weight_shapes().items()
    }


@pytest.mark.parametrize(
    ("shape", "pixel", "side"),
    [
        ((1024, 1024), 4.0, 384),  # 4096 Å wide: more than 384 pixels of 8 Å
        ((1024, 800), 2.0, 256),  # 2048 Å wide
        ((1024, 1024), 1.0, 192),  # 1024 Å wide: finer than 8 Å a pixel
        ((600, 500), None, 384),  # unknown: taken for 4000 Å
        ((40, 36), 5.0, 40),  # nothing is made larger
    ],
)
def test_field_is_shown_at_eight_angstrom_within_limits(
    shape: tuple[int, int], pixel: float | None, side: int
) -> None:
    shown = network_pictures(view_of(blobs(shape), pixel))
    assert max(shown.field.shape) == side
    assert shown.field.shape[1] == pytest.approx(side * shape[1] / shape[0], abs=1)
    assert shown.spectrum.shape == (2, ANGLES, RADII)
    assert shown.nyquist_per_a == (None if pixel is None else 0.5 / pixel)


@pytest.mark.parametrize("change", ["gain", "sign"])
def test_pictures_do_not_depend_on(change: str) -> None:
    image = blobs((700, 640))
    before = network_pictures(view_of(image, 2.0))
    after = network_pictures(view_of(image * (37.0 if change == "gain" else -1.0) + 5.0, 2.0))
    for name in ("field", "spectrum"):
        off = getattr(after, name).astype(int) - getattr(before, name).astype(int)
        assert np.abs(off).max() <= 1
        assert (off != 0).mean() < 0.01


def test_pictures_turn_with_the_micrograph() -> None:
    image = blobs((640, 640))
    before = network_pictures(view_of(image, 2.0))
    after = network_pictures(view_of(np.rot90(image), 2.0))
    assert np.abs(np.rot90(before.field).astype(int) - after.field).max() <= 1
    turned = np.roll(before.spectrum, ANGLES // 2, axis=1).astype(int)
    # Cells on the border between two directions may fall to either.
    assert np.abs(turned - after.spectrum)[:, :, 16:].mean() < 2.0
    assert np.abs(before.spectrum.astype(int) - after.spectrum)[:, :, 16:].mean() > 2.0


def test_spectrum_shows_a_wave_where_it_is() -> None:
    y, x = np.mgrid[:512, :512]
    wave = 0.05 * np.cos(2 * np.pi * (0.25 * x + 0.06 * y))
    noise = np.random.default_rng(0).standard_normal((512, 512))
    flat = network_pictures(view_of(noise + wave)).spectrum[1]
    direction, ring = np.unravel_index(int(flat.argmax()), flat.shape)
    assert ring == int(np.hypot(0.25, 0.06) / 0.5 * RADII)
    assert direction == int((np.arctan2(0.06, 0.25) / np.pi + 0.5) * ANGLES)


def test_network_computes_what_its_layers_say() -> None:
    """One layer against `scipy.signal`, and the first axis of a spectrum goes round."""
    from scipy.signal import correlate2d

    network = EmbeddingNetwork.of(random_weights(), "here")
    rng = np.random.default_rng(1)
    image = rng.standard_normal((3, ANGLES, RADII)).astype(np.float32)
    kernel = network.weights["spectrum.0.kernel"]
    found = network._convolved(image, "spectrum.0", wrap=True)
    padded = np.pad(np.pad(image, ((0, 0), (1, 1), (0, 0)), "wrap"), ((0, 0), (0, 0), (2, 2)))
    for channel in (0, 7):
        whole = sum(correlate2d(padded[c], kernel[channel, c], "valid") for c in range(3))
        expected = np.maximum(whole + network.weights["spectrum.0.bias"][channel], 0.0)[::2, ::2]
        np.testing.assert_allclose(found[channel], expected, atol=1e-5)


def test_embedding_sees_field_spectrum_and_pixel_size() -> None:
    network = EmbeddingNetwork.of(random_weights(), "here")
    rng = np.random.default_rng(2)
    field = rng.integers(0, 256, (100, 130), np.uint8)
    spectrum = rng.integers(0, 256, (2, ANGLES, RADII), np.uint8)
    seen = NetworkPictures(field=field, spectrum=spectrum, nyquist_per_a=0.25)
    first = network.embedding(seen)
    others = (
        NetworkPictures(field=255 - field, spectrum=spectrum, nyquist_per_a=0.25),
        NetworkPictures(field=field, spectrum=255 - spectrum, nyquist_per_a=0.25),
        NetworkPictures(field=field, spectrum=spectrum, nyquist_per_a=None),
    )
    assert first.shape == weight_shapes()["embedding.bias"]
    for other in others:
        assert np.abs(network.embedding(other) - first).max() > 1e-4


def test_inputs_of_the_network_are_centred() -> None:
    assert field_input(np.full((4, 4), 128, np.uint8)).max() == 0.0
    grey = np.full((2, ANGLES, RADII), 160, np.uint8)
    taken = spectrum_input(grey, 0.25)
    assert taken[:2].min() == taken[:2].max() == 1.0
    assert taken[2, 0, -1] == pytest.approx((RADII - 0.5) / RADII)
    assert spectrum_input(grey, None)[2].max() == 0.0


def test_weights_come_back_and_are_refused_where_they_differ(tmp_path: Path) -> None:
    weights = random_weights()
    path = tmp_path / "w.safetensors"
    write_weights(path, weights)
    content = path.read_bytes()
    back = read_weights(content, "w")
    assert back.keys() == weights.keys()
    assert all((back[name] == weights[name]).all() for name in weights)
    write_weights(path, dict(reversed(weights.items())))
    assert path.read_bytes() == content
    assert weights_digest(back) == weights_digest(weights) != weights_digest(random_weights(1))
    del back["field.0.bias"]
    with pytest.raises(InputError, match=r"here: not this version's network \(field.0.bias"):
        EmbeddingNetwork.of(back, "here")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff" * 20,
        (2).to_bytes(8, "little") + b"[]",
        (1 << 40).to_bytes(8, "little") + b"{}",
    ],
)
def test_what_is_no_weights_file_is_an_input_error(content: bytes) -> None:
    with pytest.raises(InputError, match="w: not network weights"):
        read_weights(content, "w")


@pytest.mark.parametrize(
    "entry",
    [
        {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]},
        {"dtype": "F32", "shape": [2], "data_offsets": [4, 12]},
        {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]},
        {"dtype": "I64", "shape": [1], "data_offsets": [0, 8]},
        {"dtype": "F32", "shape": [2]},
    ],
)
def test_dishonest_headers_are_refused(entry: dict[str, object]) -> None:
    head = json.dumps({"a": entry}).encode()
    with pytest.raises(InputError, match="w: not network weights"):
        read_weights(len(head).to_bytes(8, "little") + head + bytes(8), "w")


def test_without_a_network_the_embedding_is_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedding_module, "installed_network", lambda: None)
    assert embedding(view_of(blobs((64, 64)))) == Absent("no embedding network is installed")
    assert embedding_module.embedding_name() is None
    network = EmbeddingNetwork.of(random_weights(), "here")
    monkeypatch.setattr(embedding_module, "installed_network", lambda: network)
    seen = embedding(view_of(blobs((64, 64))))
    assert isinstance(seen, np.ndarray)
    assert np.isfinite(seen).all()


def table() -> FeatureTable:
    gap = np.array([[1.0, 2.0], [np.nan, np.nan], [3.0, 4.0]], np.float32)
    return FeatureTable(
        subjects=("a", "b", "c"),
        features=("x",),
        units={"x": "1"},
        values=np.array([[1.0], [2.0], [3.0]]),
        absent={},
        embeddings={"cnn-1": gap},
    )


def test_table_keeps_embeddings_and_their_gaps(tmp_path: Path) -> None:
    table().write(tmp_path / "features.parquet")
    back = FeatureTable.read(tmp_path / "features.parquet")
    assert back.features == ("x",)
    np.testing.assert_array_equal(back.embeddings["cnn-1"], table().embeddings["cnn-1"])
    assert back.digest == table().digest
    np.testing.assert_array_equal(back.select(["c", "a"]).embeddings["cnn-1"], [[3, 4], [1, 2]])
    varied = back.varied("c", np.array([[9.0], [np.nan]]))
    np.testing.assert_array_equal(varied.embeddings["cnn-1"], [[3, 4], [3, 4]])
    assert varied.absent == {("1", "x"): "absent"}


def test_embeddings_are_part_of_the_digest_and_have_a_row_a_subject() -> None:
    one = table()
    one.embeddings["cnn-1"][0, 0] = 1.5
    assert one.digest != table().digest
    with pytest.raises(InputError, match=r"embeddings n are \(1, 2\); accepted are 2 rows"):
        FeatureTable(
            subjects=("a", "b"),
            features=(),
            units={},
            values=np.empty((2, 0)),
            absent={},
            embeddings={"n": np.zeros((1, 2), np.float32)},
        )


def test_table_of_answers_takes_vectors_of_some_subjects() -> None:
    made = FeatureTable.of(
        {"a": {}, "b": {}}, (), {"n": {"b": np.array([1, 2], np.float32)}, "none": {}}
    )
    assert list(made.embeddings) == ["n"]
    np.testing.assert_array_equal(made.embeddings["n"], [[np.nan, np.nan], [1, 2]])
