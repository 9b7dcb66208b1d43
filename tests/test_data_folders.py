"""Folders and zip files of pictures: loaded in parallel, mapped from the cache, bad ones left out."""

import io
import os
import stat
import subprocess
import sys
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from labkit import data
from labkit.data import collection, registry


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No network, no real data, an empty cache."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    for name in ("LABKIT_DATA", "LABKIT_PROFILE"):
        monkeypatch.delenv(name, raising=False)


def picture(colour, size=(20, 16), form="JPEG", mode="RGB", **options):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).convert(mode).save(stream, form, **options)
    return stream.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def zipped(path, files):
    path.parent.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def pets(form):
    """Ten red cats, ten blue dogs; as Microsoft or as Kaggle lays them out."""
    colours = {"cat": "red", "dog": "blue"}
    return {
        form.format(kind, kind.title(), number=i): picture(colour)
        for kind, colour in colours.items()
        for i in range(10)
    }


FOLDERS, NAMES = "PetImages/{1}/{number}.jpg", "train/{0}.{number}.jpg"


# ---- what loads


@pytest.mark.parametrize("form", [FOLDERS, NAMES])
@pytest.mark.parametrize("packed", [False, True])
def test_classes_come_from_folders_or_from_names(tmp_path, form, packed):
    files = pets(form)
    path = tmp_path / "pets.zip"
    path = zipped(path, files) if packed else write(tmp_path / "pets", files)
    loaded = data.load_folder(path, 8)
    assert [name.lower() for name in loaded.class_names] == ["cat", "dog"]
    assert loaded.train_images.shape == (16, 8, 8, 3) and len(loaded.test_images) == 4
    for images, labels, names in (
        (loaded.train_images, loaded.train_labels, loaded.train_names),
        (loaded.test_images, loaded.test_labels, loaded.test_names),
    ):
        for image, label, name in zip(images, labels, names, strict=True):
            assert loaded.class_names[label].lower() in name.lower()
            assert image[0, 0, 0 if label == 0 else 2] > 200
    assert loaded.damaged == () and not loaded.stand_in


def test_the_share_for_training_is_yours(tmp_path):
    folder = write(tmp_path / "pets", pets(FOLDERS))
    assert len(data.load_folder(folder, 4, training=1).test_images) == 0
    assert len(data.load_folder(folder, 4, training=0.5).test_images) == 10
    with pytest.raises(ValueError, match="from 0 to 1"):
        data.load_folder(folder, 4, training=80)


@pytest.mark.parametrize(
    "files, text",
    [
        ({}, "holds no pictures; expected a folder for each class"),
        ({"a.jpg": b"", "b.jpg": b""}, r"names that begin with the class"),
        ({"cat/1.jpg": b"x", "dog/1.jpg": b""}, "not one of 2 pictures can be read"),
    ],
)
def test_a_folder_without_labelled_pictures_is_refused(tmp_path, files, text):
    folder = write(tmp_path / "pets", files)
    folder.mkdir(exist_ok=True)
    with pytest.raises(data.DataError, match=text):
        data.load_folder(folder)
    assert not list((tmp_path / "cache" / "arrays").iterdir())


def test_a_folder_that_is_not_there(tmp_path):
    with pytest.raises(data.DataError, match="does not exist; expected a folder"):
        data.load_folder(tmp_path / "none")


# ---- one bad picture never ends a load


def exif_turned():
    exif = Image.Exif()
    exif[0x0112] = 6
    return picture("red", exif=exif)


def animation():
    frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "lime")]
    stream = io.BytesIO()
    frames[0].save(stream, "GIF", save_all=True, append_images=frames[1:])
    return stream.getvalue()


def sixteen_bit():
    stream = io.BytesIO()
    Image.fromarray(np.full((9, 9), 40_000, np.uint16)).save(stream, "PNG")
    return stream.getvalue()


@pytest.fixture(scope="module")
def good():
    return {
        "grey.jpg": picture("red", mode="L"),
        "palette.png": picture("red", form="PNG", mode="P"),
        "rgba.png": picture("red", form="PNG", mode="RGBA"),
        "cmyk.jpg": picture("red", mode="CMYK"),
        "sixteen.png": sixteen_bit(),
        "animated.gif": animation(),
        "turned.jpg": exif_turned(),
        "one.png": picture("red", (1, 1), "PNG"),
        "enormous.png": picture("red", (6500, 6500), "PNG", compress_level=1),
    }


@pytest.fixture(scope="module")
def bad():
    """Their contents, and what is said of each."""
    return {
        "truncated.jpg": (picture("red", (90, 90))[:500], "cut short"),
        "text.jpg": (b"404 not found", "not a picture"),
        "empty.jpg": (b"", "empty"),
        "too_large.png": (
            picture("red", (9000, 9000), "PNG", "1"),
            "at most 50,000,000",
        ),
    }


@pytest.mark.parametrize("packed", [False, True])
def test_every_odd_picture_is_read_and_every_bad_one_listed(
    tmp_path, packed, capfd, good, bad
):
    files = {f"odd/{name}": content for name, content in good.items()}
    files |= {f"bad/{name}": content for name, (content, _) in bad.items()}
    files |= {f"plain/{i}.jpg": picture("blue") for i in range(5)}
    path = tmp_path / "pets.zip"
    path = zipped(path, files) if packed else write(tmp_path / "pets", files)
    loaded = data.load_folder(path, 16, training=1)
    assert len(loaded.train_images) == len(good) + 5
    damaged = dict(loaded.damaged)
    assert set(damaged) == {f"bad/{name}" for name in bad}
    for name, (_, reason) in bad.items():
        assert reason in damaged[f"bad/{name}"] and "left out" in damaged[f"bad/{name}"]
    kept = dict(zip(loaded.train_names, loaded.train_images, strict=True))
    assert (kept["plain/0.jpg"][..., 2] > 240).all()
    assert (kept["odd/enormous.png"][..., 0] > 240).all()
    assert (kept["odd/sixteen.png"] == 156).all()
    assert capfd.readouterr().err == ""
    again = data.load_folder(path, 16, training=1)
    np.testing.assert_array_equal(again.train_images, loaded.train_images)
    assert again.train_names == loaded.train_names and again.damaged == loaded.damaged


@pytest.mark.skipif(os.name == "nt", reason="links and pipes need POSIX")
def test_links_and_pipes_in_a_folder_end_nothing(tmp_path):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))
    (folder / "cat" / "dangling.jpg").symlink_to(tmp_path / "nowhere.jpg")
    (folder / "cat" / "circle").symlink_to(folder, target_is_directory=True)
    os.mkfifo(folder / "dog" / "pipe.jpg")
    loaded = data.load_folder(folder, 8)
    assert len(loaded.train_images) + len(loaded.test_images) == 20
    reasons = dict(loaded.damaged)
    assert "no such file" in reasons["cat/dangling.jpg"]
    assert "a pipe" in reasons["dog/pipe.jpg"]
    assert "a link to a folder" in reasons["cat/circle"] and len(reasons) == 3


@pytest.mark.parametrize("packed", [False, True])
def test_the_content_decides_and_what_is_left_out_is_listed(tmp_path, packed):
    endings = {
        "browser": "{}.jfif",
        "telephone": "{}.avif",
        "none": "{}",
        "odd": "{}.x",
    }
    files = {
        f"{kind}/{form.format(i)}": picture("red", form="AVIF" if i % 2 else "PNG")
        for kind, form in endings.items()
        for i in range(4)
    }
    left_out = {
        "odd/9.heic": (b"\0\0\0\x18ftypheic", "not a picture in a known format"),
        "none/9": (picture("red", (90, 90))[:700], "cut short"),
        "readme.txt": (b"Read me.", "not a picture in a known format"),
        "odd/labels.csv": (b"", "the file is empty"),
    }
    files |= {name: content for name, (content, _) in left_out.items()}
    for name in ("Thumbs.db", "desktop.ini", ".DS_Store", "._1.jpg"):
        files[f"odd/{name}"] = b"\0\0\0\1Bud1"
    path = tmp_path / "pets.zip"
    path = zipped(path, files) if packed else write(tmp_path / "pets", files)
    loaded = data.load_folder(path, 8, training=1)
    assert loaded.class_names == tuple(sorted(endings))
    assert np.bincount(loaded.train_labels).tolist() == [4] * 4
    assert set(dict(loaded.damaged)) == set(left_out)
    for name, reason in loaded.damaged:
        assert left_out[name][1] in reason
    assert "damaged   4 files, listed in .damaged" in str(loaded)


def test_a_class_of_which_nothing_is_a_picture_is_named(tmp_path):
    files = {f"cat/{i}.jpg": picture("red") for i in range(3)}
    folder = write(tmp_path / "pets", files | {"dog/1.mp4": b"video", "dog/2": b""})
    with pytest.raises(data.DataError, match=r"2 other files such as dog/1\.mp4 \(not"):
        data.load_folder(folder)


# ---- zip files that are not what they seem


def test_a_link_in_a_zip_is_left_out(tmp_path):
    path = zipped(tmp_path / "pets.zip", pets("{0}/{number}.jpg"))
    with zipfile.ZipFile(path, "a") as archive:
        link = zipfile.ZipInfo("cat/passwd.jpg")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    loaded = data.load_folder(path, 8)
    assert dict(loaded.damaged)["cat/passwd.jpg"].startswith("a link;")


@pytest.mark.parametrize("size", [20 * 2**20, 65 * 2**20])
def test_a_bomb_in_a_zip_is_never_unpacked(tmp_path, size):
    files = pets("{0}/{number}.jpg") | {"cat/bomb.bmp": bytes(size)}
    path = zipped(tmp_path / "pets.zip", files)
    tracemalloc.start()
    try:
        loaded = data.load_folder(path, 8)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 8 * 2**20
    assert f"{size:,}" in dict(loaded.damaged)["cat/bomb.bmp"]


def test_members_that_overlap_are_refused(tmp_path):
    path = zipped(tmp_path / "pets.zip", pets("{0}/{number}.jpg"))
    content = bytearray(path.read_bytes())
    # every entry of the directory claims the same 40,000 bytes
    at = content.find(b"PK\1\2")
    while at >= 0:
        content[at + 20 : at + 24] = (40_000).to_bytes(4, "little")
        at = content.find(b"PK\1\2", at + 1)
    path.write_bytes(bytes(content))
    with pytest.raises(data.DataError, match="overlap, as zip bombs do"):
        data.load_folder(path, 8)


def test_a_member_that_lies_about_its_size_costs_one_picture(tmp_path):
    files = pets("{0}/{number}.jpg") | {"cat/zz.bmp": bytes(10**6)}
    path = zipped(tmp_path / "pets.zip", files)
    content = bytearray(path.read_bytes())
    at = content.rfind(b"PK\1\2")
    content[at + 24 : at + 28] = (100).to_bytes(4, "little")
    path.write_bytes(bytes(content))
    loaded = data.load_folder(path, 8)
    assert set(dict(loaded.damaged)) == {"cat/zz.bmp"}


# ---- the cache file


def test_the_second_load_maps_the_file_and_reads_no_picture(tmp_path, monkeypatch):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))
    first = data.load_folder(folder, 200)
    monkeypatch.setattr(collection.Pictures, "read", lambda *_: 1 / 0)
    second = data.load_folder(folder, 200)
    np.testing.assert_array_equal(first.train_images, second.train_images)
    assert type(second.train_images) is np.ndarray
    base = second.train_images
    while isinstance(base.base, np.ndarray):
        base = base.base
    assert isinstance(base, np.memmap)


def test_what_a_user_changes_does_not_reach_the_cache(tmp_path):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))
    data.load_folder(folder, 200).train_images[:] = 7
    assert (data.load_folder(folder, 200).train_images != 7).any()


def test_a_changed_folder_is_read_again_and_the_old_arrays_removed(tmp_path):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))
    data.load_folder(folder, 8)
    write(folder, {"cat/new.jpg": picture("red"), "dog/0.jpg": b"spoilt"})
    loaded = data.load_folder(folder, 8)
    assert "cat/new.jpg" in loaded.train_names + loaded.test_names
    assert set(dict(loaded.damaged)) == {"dog/0.jpg"}
    assert len(list((tmp_path / "cache" / "arrays").iterdir())) == 1


def test_left_out_rows_take_no_room_in_the_file(tmp_path):
    files = pets("{0}/{number}.jpg") | {f"cat/x{i}.jpg": b"" for i in range(30)}
    loaded = data.load_folder(write(tmp_path / "pets", files), 150)
    assert len(loaded.damaged) == 30
    (images,) = (tmp_path / "cache" / "arrays").glob("*/images.npy")
    assert images.stat().st_size < 21 * 150 * 150 * 3


def test_a_full_disk_costs_only_the_next_run_time(tmp_path, monkeypatch):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))

    def full(*_):
        raise OSError("No space left on device")

    for name in ("_reserve", "_keep"):
        monkeypatch.setattr(f"labkit.data.cache.{name}", full)
    assert len(data.load_folder(folder, 200).train_images) == 16
    monkeypatch.undo()


def test_a_load_that_was_killed_leaves_nothing_for_long(tmp_path):
    folder = write(tmp_path / "pets", pets("{0}/{number}.jpg"))
    script = (
        "import os, sys; from labkit import data; from labkit.data import collection;"
        "collection.Pictures.read = lambda *_: os._exit(9); data.load_folder(sys.argv[1])"
    )
    done = subprocess.run([sys.executable, "-c", script, folder])
    arrays = tmp_path / "cache" / "arrays"
    assert done.returncode == 9 and len(list(arrays.iterdir())) == 1
    assert len(data.load_folder(folder).train_images) == 16
    (kept,) = arrays.iterdir()
    assert not kept.name.startswith(".")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_is_bounded_by_the_result(tmp_path):
    """Threads decode large pictures one at a time; eight at once took 860 MB here, in turn 360."""
    folder = write(tmp_path, {"one.png": picture("red", (3000, 3000), "PNG")})
    script = (
        "import re, sys; from concurrent.futures import ThreadPoolExecutor;"
        "from labkit import data;"
        "peak = lambda: int(re.findall('VmHWM: *(.*) kB', open('/proc/self/status').read())[0]);"
        "data.read_picture(sys.argv[1], 16); before = peak();"
        "list(ThreadPoolExecutor(8).map(lambda _: data.read_picture(sys.argv[1], 16), range(16)));"
        "print(peak() - before)"
    )
    command = [sys.executable, "-c", script, folder / "one.png"]
    done = subprocess.run(command, capture_output=True, check=True)
    assert int(done.stdout) < 550_000  # KiB


# ---- cats and dogs


@pytest.mark.parametrize(
    "folder, name, form",
    [
        ("cats_dogs", "train.zip", NAMES),
        ("dogs-vs-cats", "train", "{0}.{number}.jpg"),
        ("cats_dogs", "PetImages", "{1}/{number}.jpg"),
        (".", "PetImages", "{1}/{number}.jpg"),
    ],
)
def test_cats_and_dogs_from_every_layout(tmp_path, monkeypatch, folder, name, form):
    place = tmp_path / "data" / folder / name
    zipped(place, pets(form)) if place.suffix else write(place, pets(form))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    loaded = data.load("cats_dogs")
    assert loaded.class_names == ("cat", "dog") and not loaded.stand_in
    assert loaded.train_images.shape == (16, 32, 32, 3) and len(loaded.test_labels) == 4
    assert data.load("cats_dogs", 48).train_images.shape == (16, 48, 48, 3)
    assert "no published hash" in loaded.source


def test_the_official_archive_is_verified_before_it_is_read(tmp_path, monkeypatch):
    name = registry.entry("cats_dogs").files[0].name
    zipped(tmp_path / "data" / "cats_dogs" / name, pets(FOLDERS))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    with pytest.raises(
        data.DataError, match=r"does not verify.*expected sha256:b7974b"
    ):
        data.load("cats_dogs")


def test_cats_and_dogs_do_not_take_the_pictures_of_another_set(tmp_path, monkeypatch):
    zipped(tmp_path / "data" / "train.zip", {"homer/1.jpg": picture("red")})
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    items = {item.name: item for item in data.inventory()}
    assert items["cats_dogs"].present == "" and items["cats_dogs"].stand_in == "pets"
