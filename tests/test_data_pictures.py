"""Pictures of every mode and damage, and the cache."""

import contextlib
import io
import struct
import zipfile
import zlib

import numpy as np
import pytest
from PIL import Image

from labkit import data
from labkit.data import cache
from labkit.data.collection import Pictures
from labkit.data.notices import progress


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No network, no real data, an empty cache."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LABKIT_DATA", raising=False)
    monkeypatch.delenv("LABKIT_PROFILE", raising=False)


def encoded(image, form="PNG", **options):
    stream = io.BytesIO()
    image.save(stream, form, **options)
    return stream.getvalue()


def halves():
    """Return 40 x 20 pixels, left half red, right half blue."""
    image = Image.new("RGB", (40, 20), (200, 0, 0))
    image.paste((0, 0, 200), (20, 0, 40, 20))
    return image


def test_a_picture_is_stretched_to_a_square_or_kept():
    assert data.read_picture(encoded(halves()), 8).shape == (8, 8, 3)
    own = data.read_picture(encoded(halves()))
    assert own.shape == (20, 40, 3) and own.dtype == np.uint8
    assert own[5, 5].tolist() == [200, 0, 0] and own[5, 30].tolist() == [0, 0, 200]


def test_a_path_a_string_bytes_and_a_stream(tmp_path):
    path = tmp_path / "picture.png"
    path.write_bytes(encoded(halves()))
    expected = data.read_picture(path, 10)
    for source in (str(path), path.read_bytes(), io.BytesIO(path.read_bytes())):
        np.testing.assert_array_equal(data.read_picture(source, 10), expected)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA"])
@pytest.mark.parametrize("form", ["PNG", "TIFF"])
def test_every_mode_becomes_rgb(mode, form):
    image = Image.new("RGB", (12, 12), (255, 255, 255)).convert(mode)
    got = data.read_picture(encoded(image, form), 6)
    assert got.shape == (6, 6, 3) and (got == 255).all()


@pytest.mark.parametrize("form", ["JPEG", "TIFF"])
def test_cmyk_keeps_its_colours(form):
    image = Image.new("CMYK", (16, 16), (0, 255, 255, 0))  # no cyan: red
    assert (
        np.abs(
            data.read_picture(encoded(image, form), 4).astype(int) - (255, 0, 0)
        ).max()
        < 6
    )


def test_transparent_pixels_lie_on_white():
    image = Image.new("RGBA", (10, 10), (255, 0, 0, 0))
    image.paste((0, 0, 0, 255), (0, 0, 5, 10))
    got = data.read_picture(encoded(image))
    assert got[0, 0].tolist() == [0, 0, 0] and got[0, 9].tolist() == [255, 255, 255]
    palette = Image.new("P", (4, 4), 1)
    palette.putpalette([9, 9, 9, 200, 0, 0])
    assert (data.read_picture(encoded(palette, transparency=1)) == 255).all()


def test_sixteen_bits_become_eight():
    ramp = (np.arange(4, dtype=np.uint16) * 257 * 80)[None].repeat(4, 0)
    for form in ("PNG", "TIFF"):
        got = data.read_picture(encoded(Image.fromarray(ramp), form))
        assert got[0, :, 0].tolist() == [0, 80, 160, 240]
    floats = Image.fromarray(np.array([[0, 0.5, 1]], np.float32))
    assert data.read_picture(encoded(floats, "TIFF"))[0, :, 0].tolist() == [0, 127, 255]


RAMP = np.linspace(0, 1, 64)[None].repeat(4, 0)


@pytest.mark.parametrize("form", ["PNG", "TIFF"])
@pytest.mark.parametrize("bits", [8, 12, 16])
def test_sixteen_bit_files_are_as_bright_as_the_bits_in_use(form, bits):
    levels = (RAMP * (2**bits - 1)).astype(np.uint16)
    got = data.read_picture(encoded(Image.fromarray(levels), form))
    assert got[0, :, 0].tolist() == (levels[0] >> (bits - 8)).tolist()


@pytest.mark.parametrize("brightest", [255, 4095, 65535])
@pytest.mark.parametrize("kind", [np.int32, np.float32])
def test_so_are_files_of_32_bits(kind, brightest):
    picture = encoded(Image.fromarray((RAMP * brightest).astype(kind)), "TIFF")
    got = data.read_picture(picture)[0, :, 0].astype(int)
    assert np.abs(got - 255 * RAMP[0]).max() <= 2


def test_what_is_no_number_does_not_darken_the_others():
    levels = RAMP.astype(np.float32)
    levels[0, :3] = np.nan, np.inf, -np.inf
    got = data.read_picture(encoded(Image.fromarray(levels), "TIFF"))
    assert got[0, :3].max() == 0 and got[0, 63, 0] == 255


def test_a_pgm_is_as_bright_as_its_header_says():
    levels = (RAMP * 4095).astype(">u2")
    got = data.read_picture(b"P5 64 4 4095\n" + levels.tobytes())
    assert got[0, 0, 0] == 0 and got[0, 63, 0] == 255


@pytest.mark.parametrize("form", ["AVIF", "PPM", "MPO"])
def test_formats_that_telephones_and_old_data_sets_have(form):
    got = data.read_picture(encoded(halves(), form)).astype(int)
    assert np.abs(got[10, 5] - (200, 0, 0)).max() < 9


def wide_png(levels):
    """Return a PNG of 16 bits a colour, (H, W, 3), which Pillow reads but does not write."""
    height, width, _ = levels.shape
    rows = b"".join(b"\0" + row.tobytes() for row in levels.astype(">u2"))
    header = struct.pack(">2I5B", width, height, 16, 2, 0, 0, 0)
    parts = (b"IHDR", header), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def test_sixteen_bit_colours_are_read_or_it_is_said_that_they_would_be_black():
    colours = np.stack([RAMP * 65535] * 3, axis=-1)
    assert data.read_picture(wide_png(colours)).max() == 255
    with pytest.raises(data.DamagedPicture, match="would be black; save it with 8"):
        data.read_picture(wide_png(colours / 16))


def test_exif_says_how_the_picture_is_turned():
    exif = Image.Exif()
    exif[0x0112] = 6  # a quarter clockwise: the left half comes to the top
    got = data.read_picture(encoded(halves(), "JPEG", exif=exif, quality=95))
    assert got.shape == (40, 20, 3)
    assert got[5, 10, 0] > 150 and got[35, 10, 2] > 150


def test_broken_exif_does_not_lose_the_picture(warned, capsys):
    picture = encoded(halves(), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\xff")
    assert data.read_picture(picture).shape == (20, 40, 3)
    assert warned() == [] and capsys.readouterr().err == ""


def test_of_an_animation_the_first_frame():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime", "blue")]
    gif = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert data.read_picture(gif)[0, 0].tolist() == [255, 0, 0]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "the file is empty"),
        (b"<html>not found</html>", "not a picture in a known format"),
        (
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n",
            "not a picture in a known format",
        ),
        (encoded(Image.effect_noise((60, 60), 90), "JPEG")[:900], "cut short"),
        (encoded(Image.effect_noise((60, 60), 90))[:900], "cut short"),
    ],
)
def test_damage_is_named_with_file_and_reason(tmp_path, content, reason):
    path = tmp_path / "pic_0001.jpg"
    path.write_bytes(content)
    with pytest.raises(data.DamagedPicture, match=reason) as caught:
        data.read_picture(path, 28)
    assert str(path) in str(caught.value) and reason in caught.value.reason


def test_a_missing_picture_and_a_wrong_size(tmp_path):
    with pytest.raises(data.DamagedPicture, match="no such file"):
        data.read_picture(tmp_path / "none.jpg")
    with pytest.raises(ValueError, match="at least 1 pixel"):
        data.read_picture(encoded(halves()), 0)


def chunk(kind, body):
    """Return a part of a PNG file."""
    checksum = struct.pack(">I", zlib.crc32(kind + body))
    return struct.pack(">I", len(body)) + kind + body + checksum


def test_too_many_pixels_are_refused_before_they_are_decoded(warned):
    header = struct.pack(">2I5B", 12_000, 12_000, 8, 2, 0, 0, 0)
    bomb = (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(b""))
    )
    with pytest.raises(
        data.DamagedPicture, match="12000 x 12000 pixels; at most 50,000,000"
    ):
        data.read_picture(bomb + chunk(b"IEND", b""), 28)
    assert warned() == []


def test_a_picture_cut_anywhere_is_read_or_reported():
    for form in ("JPEG", "PNG", "GIF", "BMP", "TIFF", "WEBP"):
        whole = encoded(halves(), form)
        for length in range(0, len(whole), 7):
            try:
                assert data.read_picture(whole[:length], 4).shape == (4, 4, 3)
            except data.DamagedPicture as damage:
                assert damage.reason


@pytest.mark.parametrize("packing", ["tiff_lzw", "tiff_adobe_deflate", "group4"])
def test_a_damaged_tiff_is_reported_and_writes_nothing_itself(packing, capfd):
    noise = Image.effect_noise((60, 60), 90)
    whole = encoded(noise.convert("1"), "TIFF", compression=packing)
    for start in range(20, len(whole), 40):
        spoilt = whole[:start] + b"\xff" * 30 + whole[start + 30 :]
        with contextlib.suppress(data.DamagedPicture):
            data.read_picture(spoilt)
    assert capfd.readouterr().err == ""


def test_wrong_checksums_and_encryption_in_a_zip_cost_one_picture(tmp_path):
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("a", "b", "c"):
            archive.writestr(f"{name}.png", encoded(halves()))
        archive.writestr("__MACOSX/._a.png", b"junk")
        archive.writestr("readme.txt", b"hello")
    content = bytearray(path.read_bytes())
    content[60] ^= 255  # inside a.png
    second = content.find(b"PK\1\2", content.find(b"PK\1\2") + 4)
    content[second + 8] |= 1  # b.png: encrypted
    path.write_bytes(bytes(content))
    with Pictures(path) as pictures:
        assert pictures.names == ["a.png", "b.png", "c.png"]
        assert list(pictures.others) == ["readme.txt"]
        images, damaged = pictures.decode(pictures.names, 8, "test")
    assert set(damaged) == {0, 1} and "encrypted" in damaged[1]
    assert (images[:2] == 128).all() and (images[2] != 128).any()


# ---- the cache


def test_a_cut_cache_file_is_built_again(tmp_path):
    build = lambda _: {"a": np.arange(1000)}  # noqa: E731
    cache.arrays("numbers", "0" * 16, build)
    path = tmp_path / "cache" / "arrays" / f"numbers-{'0' * 16}" / "a.npy"
    path.write_bytes(path.read_bytes()[:500])
    assert cache.arrays("numbers", "0" * 16, build)["a"][-1] == 999
    assert cache.arrays("numbers", "0" * 16, lambda _: 1 / 0)["a"][-1] == 999


def test_outdated_arrays_are_removed(tmp_path):
    for key in ("0" * 16, "f" * 16):
        cache.arrays("numbers", key, lambda _: {"a": np.arange(3)})
    cache.arrays("numbers-28", "0" * 16, lambda _: {"a": np.arange(3)})
    names = sorted(path.name for path in (tmp_path / "cache" / "arrays").iterdir())
    assert names == ["numbers-28-0000000000000000", "numbers-ffffffffffffffff"]


def test_a_cache_that_cannot_be_written_is_replaced_for_the_process(
    tmp_path, monkeypatch
):
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "file" / "cache"))
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    characters = data.load("faces")
    assert characters.sample_submission.exists()
    assert tmp_path not in characters.sample_submission.parents


@pytest.mark.parametrize("terminal", [True, False])
def test_a_bar_leaves_no_empty_line(terminal, monkeypatch):
    screen = io.StringIO()
    screen.isatty = lambda: terminal
    monkeypatch.setattr("sys.stdout", screen)
    for _ in progress(range(3), desc="reading", delay=0, mininterval=0):
        pass
    last = screen.getvalue().rstrip("\n").split("\r")[-1]
    if terminal:  # wiped, and what comes next is written over it
        assert last == "" and not screen.getvalue().endswith("\n")
    else:
        assert last.startswith("reading: 100%")
    assert "\n" not in screen.getvalue()[:-1]


def test_work_that_is_done_at_once_shows_no_bar(capsys):
    assert list(progress(range(3))) == [0, 1, 2]
    assert capsys.readouterr().out == ""
