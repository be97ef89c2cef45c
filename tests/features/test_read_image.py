"""Reading images: each format and number type to the value, each refusal to the word."""

from __future__ import annotations

import bz2
import gzip
import os
import struct
from pathlib import Path
from typing import Any, Literal

import numpy as np
import PIL.Image
import pytest
import tifffile
from numpy.typing import NDArray

from cryoverdict.features.input_error import InputError
from cryoverdict.features.read_image import read_image

ROWS, COLUMNS = 66, 80
MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}


def ramp(dtype: str) -> NDArray[Any]:
    """Return ``(66, 80)`` values that differ between rows and columns and use the sign."""
    y, x = np.mgrid[:ROWS, :COLUMNS]
    low = 0 if dtype.lstrip("<>")[0] == "u" else -60
    return np.asarray(low + y + x // 2).astype(dtype)


def mrc(
    pixels: NDArray[Any],
    *,
    mode: int = 2,
    order: Literal["<", ">"] = "<",
    extended: bytes = b"",
    cell_a: tuple[float, float] = (1.5 * COLUMNS, 1.5 * ROWS),
    stamp: bytes | None = None,
    mark: bytes = b"MAP ",
    imod: tuple[int, int] = (0, 0),
    **fields: int,
) -> bytes:
    """Return the bytes of an MRC file, built by the definition and not by a library."""
    head = bytearray(1024)
    sides = {"nx": pixels.shape[-1], "ny": pixels.shape[-2], "nz": 1, "mode": mode}
    sides |= {"mx": sides["nx"], "my": sides["ny"], "mz": 1, "nsymbt": len(extended)} | fields
    places = {"nx": 0, "ny": 4, "nz": 8, "mode": 12, "mx": 28, "my": 32, "mz": 36, "nsymbt": 92}
    for name, place in places.items():
        struct.pack_into(f"{order}i", head, place, sides[name])
    struct.pack_into(f"{order}3f", head, 40, *cell_a, 1.0)
    struct.pack_into(f"{order}ii", head, 152, *imod)
    head[208:212] = mark
    head[212:216] = stamp or (b"\x44\x44\0\0" if order == "<" else b"\x11\x11\0\0")
    return bytes(head) + extended + pixels.astype(pixels.dtype.newbyteorder(order)).tobytes()


def refusal(path: Path) -> str:
    """Return the message of a refused file, which begins with the file and is one line."""
    with pytest.raises(InputError) as caught:
        read_image(path)
    text = str(caught.value)
    assert text.startswith(str(path))
    assert "\n" not in text
    return text.removeprefix(str(path))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", MODES)
def test_mrc_values_are_those_stored(tmp_path: Path, mode: int, order: Literal["<", ">"]) -> None:
    """Catches a wrong number type, byte order, offset, orientation, or saturation level."""
    pixels = ramp(MODES[mode])
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc(pixels, mode=mode, order=order, extended=b"FEI1" * 300))
    image = read_image(path)
    assert image.pixels.dtype == np.float32
    assert image.pixels.flags.writeable
    np.testing.assert_array_equal(image.pixels, pixels.astype("f4"))
    assert image.pixel_size_a == 1.5
    levels = {0: 127.0, 1: 32767.0, 6: 65535.0}
    assert image.saturation_level == levels.get(mode)
    assert image.has_counts == (mode != 0)


@pytest.mark.parametrize(("flags", "values"), [(0, [200, 250]), (1, [-56, -6])])
def test_mode_0_is_unsigned_only_where_imod_says_so(
    tmp_path: Path, flags: int, values: list[int]
) -> None:
    pixels = np.full((ROWS, COLUMNS), 200, "u1")
    pixels[0, 1] = 250
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc(pixels, mode=0, imod=(1146047817, flags)))
    assert read_image(path).pixels[0, :2].tolist() == values


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("mode", [0, 2])
@pytest.mark.parametrize(
    ("stamp", "mark"),
    [(b"\x11\x11\0\0", b"MAP "), (b"\x44\x41\0\0", b"MAP "), (b"\0\0\0\0", b"\0\0\0\0")],
)
def test_a_wrong_or_missing_stamp_is_tolerated(
    tmp_path: Path, mode: int, order: Literal["<", ">"], stamp: bytes, mark: bytes
) -> None:
    """Catches a reader that trusts the stamp against the plain sense of the sizes."""
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc(ramp(MODES[mode]), mode=mode, order=order, stamp=stamp, mark=mark))
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, ramp("f4"))
    assert image.pixel_size_a == 1.5


@pytest.mark.parametrize("name", ["a.mrc", "a.MRC", "a.mrcs", "a.map", "a.mrc.gz", "a.mrc.bz2"])
def test_suffixes_and_packings_of_mrc(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    content = mrc(ramp("f4"), extended=bytes(2000)) + b"bytes after the pixels"
    packed = {".gz": gzip.compress(content), ".bz2": bz2.compress(content)}
    path.write_bytes(packed.get(path.suffix, content))
    np.testing.assert_array_equal(read_image(path).pixels, ramp("f4"))


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, 1.5),
        ({"cell_a": (0.0, 0.0)}, None),
        ({"cell_a": (1.5 * COLUMNS, 1.6 * ROWS)}, None),
        ({"mx": 8 * COLUMNS, "my": 8 * ROWS}, None),
        ({"mx": 0, "my": 0}, None),
        ({"cell_a": (float("nan"), 2.0)}, None),
        ({"cell_a": (-1.5 * COLUMNS, -1.5 * ROWS)}, -1.5),
    ],
)
def test_the_header_says_a_pixel_size_only_beyond_doubt(
    tmp_path: Path, fields: dict[str, Any], expected: float | None
) -> None:
    """Catches the header of a binned image whose interval count is still the unbinned one's."""
    path = tmp_path / "a.mrc"
    path.write_bytes(mrc(ramp("f4"), **fields))
    assert read_image(path).pixel_size_a == expected


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "empty"),
        (b"short", "truncated, 5 of the 1024 bytes of its header"),
        (mrc(ramp("f4"))[:-4], "truncated, 21116 of the 21120 bytes of its pixels"),
        (mrc(ramp("f4"), nsymbt=10**7), "truncated, 0 of the 21120 bytes"),
        (mrc(ramp("f4"), nsymbt=-4), "extended header of -4 bytes"),
        (mrc(ramp("f4"), mode=4), "MRC mode 4 holds complex numbers"),
        (mrc(ramp("f4"), mode=101), "packed 4-bit counts"),
        (mrc(ramp("f4"), mode=77), "MRC mode 77 holds no known kind"),
        (mrc(ramp("f4"), nz=40), "holds 40 sections"),
        (mrc(ramp("f4"), nx=0), "impossible size"),
        (mrc(ramp("f4"), ny=-5), "impossible size"),
        (mrc(ramp("f4"), nx=60000, ny=60000), "at most 268435456 pixels"),
        (mrc(ramp("f4")[:, :63]), "63 x 66 pixels; accepted are at least 64"),
        (mrc(ramp("f4")[:1]), "80 x 1 pixels"),
        (mrc(np.zeros((ROWS, COLUMNS), "f4")), "every pixel is 0;"),
        (mrc(np.where(ramp("f4") == 0, np.nan, ramp("f4"))), " of 5280 pixels are NaN or infinite"),
        (mrc(np.where(ramp("f4") == 44, np.inf, ramp("f4"))), "2 of 5280 pixels are NaN"),
        (mrc(np.where(ramp("f4") == -60, -np.inf, ramp("f4"))), "2 of 5280 pixels are NaN"),
    ],
)
def test_refused_mrc_files_say_why(tmp_path: Path, content: bytes, words: str) -> None:
    path = tmp_path / "a.mrc"
    path.write_bytes(content)
    assert words in refusal(path)


def test_a_packed_file_is_checked_to_its_end(tmp_path: Path) -> None:
    """Catches a reader that stops at the last pixel, before the checksum."""
    path = tmp_path / "a.mrc.gz"
    packed = gzip.compress(mrc(ramp("f4")))
    path.write_bytes(packed[:-8] + bytes(8))
    assert "damaged" in refusal(path)
    path.write_bytes(packed[:-8])
    assert "truncated" in refusal(path)
    path.write_bytes(b"no gzip at all" * 100)
    assert "damaged" in refusal(path)


def test_a_bomb_is_not_unpacked(tmp_path: Path) -> None:
    """A few kilobytes that unpack to gigabytes are refused by their header."""
    path = tmp_path / "a.mrc.gz"
    path.write_bytes(gzip.compress(mrc(ramp("f4"), nx=60000, ny=60000) + bytes(2**24)))
    assert "at most" in refusal(path)
    picture = tmp_path / "a.png"
    PIL.Image.new("1", (20000, 20000)).save(picture)
    assert "too large a picture" in refusal(picture)


@pytest.mark.parametrize("dtype", ["u1", "u2", "i2", "f4", "f8"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_tiff(tmp_path: Path, dtype: str, compression: str | None) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, ramp(dtype), compression=compression)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, ramp(dtype).astype("f4"))
    assert image.has_counts == (dtype != "u1")
    levels = {"u1": 255.0, "u2": 65535.0, "i2": 32767.0}
    assert image.saturation_level == levels.get(dtype)


@pytest.mark.parametrize("dtype", ["u1", "u2"])
def test_tiff_that_tifffile_alone_cannot_unpack(tmp_path: Path, dtype: str) -> None:
    """SerialEM and EPU write LZW, which tifffile leaves to another package."""
    path = tmp_path / "a.tiff"
    PIL.Image.fromarray(ramp(dtype)).save(path, compression="tiff_lzw")
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, ramp(dtype).astype("f4"))
    assert image.has_counts == (dtype == "u2")


def test_tiff_movies_and_colours(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.stack([ramp("u2")] * 3), photometric="minisblack")
    assert "holds 3 x 66 x 80 values (a movie" in refusal(path)
    colours = np.stack([ramp("u2"), ramp("u2") * 2, ramp("u2") * 0], axis=-1)
    tifffile.imwrite(path, colours, photometric="rgb")
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, ramp("f8") * 0 + ramp("u2") * (0.299 + 2 * 0.587))
    assert not image.has_counts
    path.write_bytes(path.read_bytes()[:300])
    assert "TIFF" in refusal(path)


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_16_bit_pictures_keep_their_levels(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    PIL.Image.fromarray(ramp("u2") * 300).save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, (ramp("u2") * 300).astype("f4"))
    assert image.saturation_level == 65535.0
    assert image.has_counts == (name == "a.tif")


@pytest.mark.parametrize("mode", ["L", "RGB", "RGBA", "LA", "P"])
def test_pictures_become_grey_and_lose_their_transparency(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.png"
    picture = PIL.Image.fromarray(ramp("u1")).convert(mode)
    if mode in ("RGBA", "LA"):
        picture.putalpha(7)
    picture.save(path)
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, ramp("u1").astype("f4"))
    assert (image.has_counts, image.saturation_level, image.pixel_size_a) == (False, 255.0, None)
    assert image.pixels.flags.writeable


def test_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "a.JPEG"
    PIL.Image.fromarray(ramp("u1")).save(path, quality=95)
    image = read_image(path)
    np.testing.assert_allclose(image.pixels, ramp("f4") + 60, atol=4)
    assert not image.has_counts
    path.write_bytes(path.read_bytes()[:400])
    assert "truncated" in refusal(path)
    path.write_bytes(b"no picture")
    assert "not an image" in refusal(path)


def test_what_is_no_image_file(tmp_path: Path) -> None:
    assert "file not found" in refusal(tmp_path / "a.mrc")
    assert "accepted are .mrc" in refusal(tmp_path / "a.dm4")
    (tmp_path / "folder.mrc").mkdir()
    assert "not a regular file" in refusal(tmp_path / "folder.mrc")
    os.mkfifo(tmp_path / "pipe.mrc")
    assert "not a regular file" in refusal(tmp_path / "pipe.mrc")
    (tmp_path / "null.mrc").symlink_to("/dev/zero")
    assert "not a regular file" in refusal(tmp_path / "null.mrc")
    with pytest.raises(InputError, match="null"):
        read_image(Path("a\0.mrc"))


@pytest.mark.real_data
def test_real_micrographs(shared_data: Path) -> None:
    import mrcfile

    folder = shared_data / "micrographs"
    path = folder / "contaminated" / "micrograph_float32.mrc"
    image = read_image(path)
    np.testing.assert_array_equal(image.pixels, mrcfile.read(path))
    assert (image.pixels.shape, image.pixel_size_a) == ((927, 959), 1.0)
    # 512 pixels of 6.32 Å under a header that still counts the 4096 of 0.79 Å.
    assert read_image(folder / "apoferritin_float32" / "24dec03a_ds8.mrc").pixel_size_a is None
    image = read_image(folder / "apoferritin" / "May08_03.13.02.bin_avg.png")
    assert (image.pixels.shape, image.saturation_level) == ((1200, 1240), 65535.0)
    assert not image.has_counts


@pytest.mark.parametrize(
    ("values", "counts"),
    [
        (np.linspace(0.0, 1.0, 64 * 64), False),  # normalised by some program
        (np.linspace(0.0, 1.01, 64 * 64), True),
        (np.linspace(-0.01, 1.0, 64 * 64), True),
        (np.arange(64 * 64) % 2, True),  # a sparse exposure: electrons there or not
    ],
)
def test_real_numbers_from_0_to_1_are_no_counts(
    tmp_path: Path, values: NDArray[np.float64], counts: bool
) -> None:
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, values.reshape(64, 64).astype(np.float32))
    assert read_image(path).has_counts is counts
