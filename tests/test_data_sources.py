"""Reading data sets: official formats, other people's copies, verification, and what load says."""

import gzip
import io
import os
import pickle
import struct
import tarfile
import zipfile
from dataclasses import replace
from hashlib import md5, sha256
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
from PIL import Image

from labkit import data
from labkit.data import download, loading, readers, registry

REAL = Path(os.environ.get("LABKIT_DATA", "/nonexistent"))


def needs(*parts):
    there = REAL.joinpath(*parts).exists()
    reason = f"LABKIT_DATA does not name a folder with {'/'.join(parts)}"
    skip = pytest.mark.skipif(not there, reason=reason)
    return lambda test: pytest.mark.datasets(skip(test))


@pytest.fixture(autouse=True)
def _alone(monkeypatch, tmp_path):
    """No network, no real data, an empty cache."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("LABKIT_DATA", raising=False)
    monkeypatch.delenv("LABKIT_PROFILE", raising=False)


def idx(array):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    return head + array.astype(np.uint8).tobytes()


def sha(content):
    return f"sha256:{sha256(content).hexdigest()}"


@pytest.fixture
def tiny_mnist(monkeypatch):
    """Return {file name: uncompressed bytes} of a tiny MNIST that the registry takes for the real one."""
    rng = np.random.default_rng(0)
    contents = {
        "train-images-idx3-ubyte.gz": idx(rng.integers(0, 256, (20, 28, 28))),
        "train-labels-idx1-ubyte.gz": idx(np.arange(20) % 10),
        "t10k-images-idx3-ubyte.gz": idx(rng.integers(0, 256, (10, 28, 28))),
        "t10k-labels-idx1-ubyte.gz": idx(np.arange(10)),
    }
    entries = dict(registry.entries())
    files = tuple(
        replace(f, content=sha(contents[f.name])) for f in entries["mnist"].files
    )
    entries["mnist"] = replace(entries["mnist"], files=files, images=(20, 10))
    monkeypatch.setattr(registry, "entries", lambda: entries)
    return contents


def write_all(folder, contents, form="{}", pack=gzip.compress):
    folder.mkdir(parents=True)
    for name, content in contents.items():
        (folder / form.format(name.removesuffix(".gz"))).write_bytes(pack(content))


def plain(content):
    return content


# ---- the registry


def test_registry_has_the_facts_of_each_data_set():
    for entry in registry.entries().values():
        assert (
            entry.title
            and entry.licence
            and entry.citation
            and entry.homepage.startswith("http")
        )
        assert entry.stand_in in loading.standins.NAMES
        assert entry.files or entry.manual
        for file in entry.files:
            algorithm, _, digits = file.hash.partition(":")
            assert algorithm == "sha256" and len(digits) == 64 and int(digits, 16)
            assert file.urls and file.size > 0


def test_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(
        data.DataError, match=r"'MNST'; expected one of mnist.*mean 'mnist'"
    ):
        data.load("MNST")


# ---- IDX


def test_idx_of_other_types_and_shapes():
    header = bytes([0, 0, 13, 2]) + struct.pack(">2I", 2, 3)
    values = np.arange(6, dtype=">f4")
    array = readers.read_idx(header + values.tobytes(), "x")
    assert array.shape == (2, 3) and array.dtype == np.float32 and array.dtype.isnative
    np.testing.assert_array_equal(array.ravel(), np.arange(6))


@pytest.mark.parametrize(
    "content, text",
    [
        (b"", "not an IDX file"),
        (b"\x89PNG....", "not an IDX file"),
        (idx(np.zeros((3, 4)))[:-1], "holds 23 bytes; its header asks for 24"),
        (bytes([0, 0, 8, 3]) + struct.pack(">3I", *[2**32 - 1] * 3), "header asks for"),
        (bytes([0, 0, 8, 255]) + b"\0\0", "holds 6 bytes"),
    ],
)
def test_broken_idx_is_refused(content, text):
    with pytest.raises(data.DataError, match=text):
        readers.read_idx(content, "labels")


@pytest.mark.parametrize(
    "place, form, pack",
    [
        ("mnist", "{}.gz", gzip.compress),
        ("mnist", "{}", plain),
        ("MNIST/raw", "{}", plain),
        ("", "{}.gz", gzip.compress),
    ],
)
def test_mnist_from_every_layout(
    tiny_mnist, tmp_path, monkeypatch, capsys, place, form, pack
):
    root = tmp_path / "data"
    write_all(root / place, tiny_mnist, form, pack)
    monkeypatch.setenv("LABKIT_DATA", str(root))
    mnist = data.load("mnist")
    assert (
        mnist.train_images.shape == (20, 28, 28)
        and mnist.train_images.dtype == np.uint8
    )
    assert mnist.train_labels.dtype == np.int64 and mnist.test_labels.tolist() == list(
        range(10)
    )
    assert idx(mnist.train_images) == tiny_mnist["train-images-idx3-ubyte.gz"]
    assert not mnist.stand_in and mnist.title("Digits") == "Digits"
    assert "LABKIT_DATA" in mnist.source and "verified" in mnist.source
    assert capsys.readouterr() == ("", "")


def test_dotted_names_of_the_uncompressed_files(tiny_mnist, tmp_path, monkeypatch):
    folder = tmp_path / "data" / "mnist"
    folder.mkdir(parents=True)
    for name, content in tiny_mnist.items():
        (folder / name.removesuffix(".gz").replace("-idx", ".idx")).write_bytes(content)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    assert data.load("mnist").name == "mnist"


def test_a_copy_compressed_again_verifies(tiny_mnist, tmp_path, monkeypatch):
    write_all(
        tmp_path / "mnist", tiny_mnist, "{}.gz", lambda c: gzip.compress(c, 1, mtime=7)
    )
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    assert all(check.ok for check in data.verify("mnist"))


def test_a_changed_file_in_labkit_data_is_named_with_both_hashes(
    tiny_mnist, tmp_path, monkeypatch
):
    write_all(tmp_path / "mnist", tiny_mnist, "{}.gz")
    changed = bytearray(tiny_mnist["t10k-labels-idx1-ubyte.gz"])
    changed[-1] ^= 1
    path = tmp_path / "mnist" / "t10k-labels-idx1-ubyte.gz"
    path.write_bytes(gzip.compress(bytes(changed)))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(data.DataError) as caught:
        data.load("mnist")
    text = str(caught.value)
    assert str(path) in text and "not used" in text
    assert sha(bytes(changed)) in text and sha(tiny_mnist[path.name]) in text
    bad = [check for check in data.verify("mnist") if not check.ok]
    assert [check.file for check in bad] == [path] and sha(bytes(changed)) in str(
        bad[0]
    )


def test_a_cut_gz_is_named_with_the_hashes_of_the_file(
    tiny_mnist, tmp_path, monkeypatch
):
    write_all(tmp_path / "mnist", tiny_mnist, "{}.gz")
    path = tmp_path / "mnist" / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-30])
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    published = registry.entries()["mnist"].files[0].hash
    with pytest.raises(
        data.DataError, match=f"{sha(path.read_bytes())}, expected {published}"
    ):
        data.load("mnist")


def test_a_missing_file_in_labkit_data_is_named(tiny_mnist, tmp_path, monkeypatch):
    write_all(tmp_path / "mnist", tiny_mnist, "{}.gz")
    (tmp_path / "mnist" / "t10k-images-idx3-ubyte.gz").unlink()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=r"lacks t10k-images-idx3-ubyte\.gz"):
        data.load("mnist")
    assert "no file" in [check.found for check in data.verify("mnist")]


def test_mnist_files_in_the_root_are_not_taken_for_fashion(
    tiny_mnist, tmp_path, monkeypatch
):
    write_all(tmp_path / "data", tiny_mnist, "{}.gz")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    present = {item.name: item.present for item in data.inventory()}
    assert present["mnist"] and not present["fashion_mnist"]


# ---- LABKIT_DATA, cache, stand-in


def test_labkit_data_that_does_not_exist_is_an_error(monkeypatch, tmp_path):
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(
        data.DataError, match=r"LABKIT_DATA is .*nowhere'.*no such folder"
    ):
        data.load("mnist")


def test_labkit_data_without_the_set_falls_through_to_the_cache(
    tiny_mnist, tmp_path, monkeypatch, capsys
):
    write_all(tmp_path / "cache" / "datasets" / "mnist", tiny_mnist, "{}.gz")
    (tmp_path / "data").mkdir()
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    mnist = data.load("mnist")
    assert not mnist.stand_in and mnist.source.startswith("cache")
    out, err = capsys.readouterr()
    assert (
        "does not hold it" in out
        and "cache" in out
        and out.count("\n") == 1
        and not err
    )


def test_a_spoilt_cache_is_named_and_the_stand_in_used(
    tiny_mnist, tmp_path, monkeypatch, capsys
):
    folder = tmp_path / "cache" / "datasets" / "mnist"
    write_all(folder, tiny_mnist, "{}.gz")
    (folder / "train-labels-idx1-ubyte.gz").write_bytes(
        gzip.compress(idx(np.zeros(20)))
    )
    digits = data.load("mnist")
    out, err = capsys.readouterr()
    assert digits.stand_in and digits.name == "digits" and not err
    assert out.count("\n") == 1 and out.startswith("Stand-in data: digits")
    assert (
        sha(idx(np.zeros(20))) in out
        and sha(tiny_mnist["train-labels-idx1-ubyte.gz"]) in out
    )


def test_grading_takes_the_stand_in_without_a_word(
    tiny_mnist, tmp_path, monkeypatch, capsys
):
    write_all(tmp_path / "mnist", tiny_mnist, "{}.gz")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    assert data.load("mnist").name == "digits"
    assert capsys.readouterr() == ("", "")


def test_no_network_is_found_out_once(tiny_mnist, monkeypatch, capsys):
    monkeypatch.delenv("LABKIT_OFFLINE")
    asked = []
    monkeypatch.setattr(download, "_answers_one", lambda url: bool(asked.append(url)))
    download._answers.cache_clear()
    assert data.load("mnist").stand_in and data.load("mnist").stand_in
    assert len(asked) == len(registry.entry("mnist").files[0].urls)
    assert capsys.readouterr().out.count("no server that has it can be reached") == 2
    download._answers.cache_clear()


def test_inventory_says_where_things_are(tiny_mnist, tmp_path, monkeypatch):
    write_all(tmp_path / "mnist", tiny_mnist, "{}.gz")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    items = {item.name: item for item in data.inventory()}
    assert items["mnist"].present == f"LABKIT_DATA: {tmp_path / 'mnist'}"
    assert items["mnist"].size == sum(
        f.stat().st_size for f in (tmp_path / "mnist").iterdir()
    )
    assert items["cifar10"].present == "" and items["cifar10"].size == 170498071
    assert items["simpsons"].stand_in == "faces"


def test_verify_of_an_absent_set_says_what_to_type():
    with pytest.raises(data.DataError, match="labkit data fetch mnist"):
        data.verify("mnist")


def test_size_is_for_pictures_of_any_size_only():
    with pytest.raises(ValueError, match="one size"):
        data.load("mnist", size=32)
    with pytest.raises(ValueError, match="at least 1"):
        data.load("faces", size=0)


# ---- CIFAR-10


def batch(seed, count=20, **changes):
    rng = np.random.default_rng(seed)
    rows = rng.integers(0, 256, (count, 3072), dtype=np.uint8)
    content = {b"data": rows, b"labels": [i % 10 for i in range(count)]} | changes
    return rows, pickle.dumps(content, protocol=4)


@pytest.fixture
def tiny_cifar(monkeypatch):
    """Return {member: bytes} of a tiny CIFAR-10, and its tar, which the registry takes for the real ones."""
    names = [f"data_batch_{n}" for n in range(1, 6)] + ["test_batch"]
    contents = {name: batch(n)[1] for n, name in enumerate(names)}
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(f"cifar-10-batches-py/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    packed = stream.getvalue()
    entries = dict(registry.entries())
    cifar = entries["cifar10"]
    entries["cifar10"] = replace(
        cifar,
        files=(replace(cifar.files[0], hash=sha(packed), size=len(packed)),),
        members=tuple(
            (name, f"md5:{md5(c).hexdigest()}") for name, c in contents.items()
        ),
        images=(100, 20),
    )
    monkeypatch.setattr(registry, "entries", lambda: entries)
    return contents, packed


@pytest.mark.parametrize("layout", ["tar", "folder", "flat"])
def test_cifar_batches(tiny_cifar, tmp_path, monkeypatch, layout):
    contents, packed = tiny_cifar
    folder = tmp_path / "cifar10"
    folder.mkdir()
    if layout == "tar":
        (folder / "cifar-10-python.tar.gz").write_bytes(packed)
    else:
        batches = folder / "cifar-10-batches-py" if layout == "folder" else folder
        batches.mkdir(exist_ok=True)
        for name, content in contents.items():
            (batches / name).write_bytes(content)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    for _ in range(2):  # the second time from the cache
        cifar = data.load("cifar10")
        assert cifar.train_images.shape == (
            100,
            32,
            32,
            3,
        ) and cifar.test_images.shape == (20, 32, 32, 3)
        rows = batch(0)[0]
        np.testing.assert_array_equal(
            cifar.train_images[3, :, :, 1].ravel(), rows[3, 1024:2048]
        )
        assert cifar.train_labels[:12].tolist() == [*range(10), 0, 1]
        assert "verified" in cifar.source


def test_a_changed_batch_is_refused_before_it_is_unpickled(
    tiny_cifar, tmp_path, monkeypatch
):
    contents, _ = tiny_cifar
    for name, content in contents.items():
        (tmp_path / name).write_bytes(content)
    (tmp_path / "data_batch_3").write_bytes(batch(99)[1])
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(
        data.DataError, match=r"data_batch_3 does not verify.*md5:.*expected md5:"
    ):
        data.load("cifar10")


class Python2Pickler(pickle._Pickler):
    """Writes byte strings and names as Python 2 did, which wrote the official files."""

    dispatch: ClassVar = dict(pickle._Pickler.dispatch)

    def save_string(self, obj):
        content = obj.encode("latin1") if isinstance(obj, str) else obj
        self.write(pickle.BINSTRING + struct.pack("<i", len(content)) + content)
        self.memoize(obj)

    dispatch[bytes] = dispatch[str] = save_string


def test_a_batch_written_by_python_2(warned):
    rows = np.random.default_rng(0).integers(0, 256, (4, 3072), dtype=np.uint8)
    stream = io.BytesIO()
    content = {"data": rows, "labels": [3, 1, 4, 1], "filenames": ["a.png"] * 4}
    Python2Pickler(stream, protocol=2).dump(content)
    written = stream.getvalue().replace(b"numpy._core.", b"numpy.core.")
    assert b"numpy.core.multiarray" in written
    images, labels = readers.read_cifar_batch(written, "data_batch_1")
    np.testing.assert_array_equal(images.transpose(0, 3, 1, 2).reshape(4, -1), rows)
    assert labels.tolist() == [3, 1, 4, 1] and warned() == []


class Evil:
    def __reduce__(self):
        return os.system, ("touch pwned",)


def test_a_batch_runs_nothing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(data.DataError, match=r"asks for .*system"):
        readers.read_cifar_batch(batch(0, **{"x": Evil()})[1], "data_batch_1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "content, text",
    [
        (b"no pickle", "not a CIFAR-10 batch"),
        (batch(0, **{})[1][:200], "not a CIFAR-10 batch"),
    ],
)
def test_broken_batches(content, text):
    with pytest.raises(data.DataError, match=text):
        readers.read_cifar_batch(content, "data_batch_1")


def test_a_batch_with_too_few_labels():
    broken = pickle.dumps({b"data": np.zeros((3, 3072), np.uint8), b"labels": [1, 2]})
    with pytest.raises(data.DataError, match="3 images and 2 labels"):
        readers.read_cifar_batch(broken, "data_batch_1")


def picture(colour, size=(32, 32), form="PNG"):
    stream = io.BytesIO()
    Image.new("RGB", size, colour).save(stream, form)
    return stream.getvalue()


def cifar_pictures(write, classes):
    for part, count in (("train", 6), ("test", 2)):
        for number, name in enumerate(classes):
            for i in range(count):
                write(f"{part}/{name}/{i:04d}.png", picture((10 * number, i, 0)))


@pytest.mark.parametrize("layout", ["zip", "folder"])
def test_cifar_from_pictures_is_shuffled_always_alike(tmp_path, monkeypatch, layout):
    entries = dict(registry.entries())
    entries["cifar10"] = replace(entries["cifar10"], images=(60, 20))
    monkeypatch.setattr(registry, "entries", lambda: entries)
    folder = tmp_path / "cifar10"
    folder.mkdir()
    classes = entries["cifar10"].class_names
    if layout == "zip":
        with zipfile.ZipFile(folder / "cifar10-png.zip", "w") as archive:
            cifar_pictures(archive.writestr, classes)
    else:

        def write(name, content):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content)

        cifar_pictures(write, classes)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    first = data.load("cifar10")
    np.testing.assert_array_equal(
        first.train_images[:, 0, 0, 0], 10 * first.train_labels
    )
    assert len(set(first.train_labels[:20].tolist())) > 5
    assert np.bincount(first.train_labels).tolist() == [6] * 10
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "other"))
    np.testing.assert_array_equal(data.load("cifar10").train_images, first.train_images)
    assert "no published hash" in first.source


def test_an_incomplete_picture_zip_is_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "cifar10.zip", "w") as archive:
        cifar_pictures(archive.writestr, registry.entry("cifar10").class_names)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(
        data.DataError, match="60 training and 20 test images; CIFAR-10 has 50,000"
    ):
        data.load("cifar10")


# ---- the competition


def competition(folder, train, test, sample=None, characters=("homer", "marge")):
    folder.mkdir(parents=True, exist_ok=True)
    for part, files in (("train", train), ("test", test)):
        with zipfile.ZipFile(folder / f"{part}.zip", "w") as archive:
            for name, content in files.items():
                archive.writestr(f"{part}/{name}", content)
    ids = sample or [name.split(".")[0] for name in test]
    (folder / "sampleSubmission.csv").write_text(
        "id,character\n" + "".join(f"{i},homer\n" for i in ids)
    )
    (folder / "character_name.lst").write_text(
        "".join(f"{name}\n" for name in characters)
    )


def a_competition(folder, **changes):
    train = {
        f"homer/pic_{i:04d}.jpg": picture((i, 0, 0), (30, 50), "JPEG") for i in range(6)
    }
    train |= {
        f"marge/pic_{i:04d}.jpg": picture((0, 0, i), (90, 20), "JPEG") for i in range(3)
    }
    test = {f"{i}.jpg": picture((0, 20 * i, 0), (40, 40), "JPEG") for i in range(1, 12)}
    competition(
        folder,
        train | changes.pop("train", {}),
        test | changes.pop("test", {}),
        **changes,
    )


def test_simpsons_as_kaggle_gives_them(tmp_path, monkeypatch):
    a_competition(tmp_path / "simpsons")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    simpsons = data.load("simpsons", size=20)
    assert simpsons.class_names == ("homer", "marge") and simpsons.test_labels is None
    assert simpsons.train_images.shape == (9, 20, 20, 3) and not simpsons.stand_in
    assert np.bincount(simpsons.train_labels).tolist() == [6, 3]
    for name, label in zip(simpsons.train_names, simpsons.train_labels, strict=True):
        assert name.split("/")[1] == simpsons.class_names[label]
    assert simpsons.test_ids.tolist() == list(range(1, 12))
    assert abs(simpsons.test_images[9, 5, 5, 1].astype(int) - 200) < 4
    assert simpsons.test_names[9] == "test/10.jpg"
    assert simpsons.sample_submission.read_text().startswith("id,character")
    assert simpsons.damaged == ()
    assert data.load("simpsons").train_images.shape == (9, 28, 28, 3)


def test_damaged_pictures_are_left_out_or_keep_their_place(tmp_path, monkeypatch):
    cut = picture((1, 2, 3), (60, 60), "JPEG")[:400]
    a_competition(
        tmp_path / "simpsons",
        train={"homer/pic_0002.jpg": cut, "marge/pic_0001.jpg": b""},
        test={"4.jpg": b"<html>"},
    )
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    simpsons = data.load("simpsons")
    assert (
        len(simpsons.train_images)
        == len(simpsons.train_labels)
        == len(simpsons.train_names)
        == 7
    )
    assert "train/homer/pic_0002.jpg" not in simpsons.train_names
    assert simpsons.test_ids.tolist() == list(range(1, 12))
    assert (simpsons.test_images[3] == 128).all() and (
        simpsons.test_images[4] != 128
    ).any()
    reasons = dict(simpsons.damaged)
    assert set(reasons) == {
        "train/homer/pic_0002.jpg",
        "train/marge/pic_0001.jpg",
        "test/4.jpg",
    }
    assert "cut short" in reasons["train/homer/pic_0002.jpg"]
    assert (
        "empty" in reasons["train/marge/pic_0001.jpg"]
        and "mid-grey" in reasons["test/4.jpg"]
    )


def test_a_folder_is_read_like_a_zip(tmp_path, monkeypatch):
    a_competition(tmp_path / "simpsons")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    zipped = data.load("simpsons")
    for part in ("train", "test"):
        with zipfile.ZipFile(tmp_path / "simpsons" / f"{part}.zip") as archive:
            archive.extractall(tmp_path / "simpsons")
        (tmp_path / "simpsons" / f"{part}.zip").unlink()
    unpacked = data.load("simpsons")
    assert sorted(name.removeprefix("train/") for name in zipped.train_names) == sorted(
        unpacked.train_names
    )
    np.testing.assert_array_equal(zipped.test_images, unpacked.test_images)


@pytest.mark.parametrize(
    "name",
    ["../evil.jpg", "/evil.jpg", "train/../../evil.jpg", "C:/evil.jpg", r"..\evil.jpg"],
)
def test_a_zip_that_leads_out_is_refused(tmp_path, monkeypatch, name):
    a_competition(tmp_path / "data" / "simpsons")
    path = tmp_path / "data" / "simpsons" / "train.zip"
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(name, picture("red"))
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path / "data"))
    with pytest.raises(data.DataError, match="leads out of the archive"):
        data.load("simpsons")
    assert not list(tmp_path.rglob("evil*"))


@pytest.mark.parametrize(
    "changes, text",
    [
        ({"sample": [1, 2, 3]}, "do not belong together: the id '10'"),
        ({"characters": ["homer"]}, "folder 'marge' that is no class; expected homer"),
        ({"test": {"seven.jpg": picture("red")}}, "'seven'; expected 1.jpg"),
        ({"test": {"01.jpg": picture("red")}}, "two pictures of the same number"),
    ],
)
def test_what_does_not_belong_together_is_refused(tmp_path, monkeypatch, changes, text):
    a_competition(tmp_path / "simpsons", **changes)
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=text):
        data.load("simpsons")


def test_a_zip_that_is_none(tmp_path, monkeypatch):
    a_competition(tmp_path / "simpsons")
    (tmp_path / "simpsons" / "test.zip").write_bytes(b"<html>Sign in</html>")
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match=r"test\.zip is not a readable zip file"):
        data.load("simpsons")


def test_not_one_readable_picture(tmp_path, monkeypatch):
    competition(
        tmp_path / "simpsons", {"homer/pic_0.jpg": b"x"}, {"1.jpg": picture("red")}
    )
    monkeypatch.setenv("LABKIT_DATA", str(tmp_path))
    with pytest.raises(data.DataError, match="not one of 1 picture can be read"):
        data.load("simpsons")


# ---- the real ones


@pytest.fixture
def real(monkeypatch):
    monkeypatch.setenv("LABKIT_DATA", str(REAL))


@needs("mnist")
def test_real_mnist(real):
    mnist = data.load("mnist")
    assert mnist.train_images.shape == (60000, 28, 28) and mnist.test_images.shape == (
        10000,
        28,
        28,
    )
    assert mnist.train_labels[:5].tolist() == [5, 0, 4, 1, 9]
    assert mnist.train_images.mean() == pytest.approx(33.318, abs=1e-3)


@needs("fashion_mnist")
def test_real_fashion_mnist(real):
    fashion = data.load("fashion_mnist")
    assert np.bincount(fashion.test_labels).tolist() == [1000] * 10
    assert fashion.class_names[fashion.train_labels[0]] == "Ankle boot"


@needs("cifar10")
def test_real_cifar10(real):
    cifar = data.load("cifar10")
    assert cifar.train_images.shape == (50000, 32, 32, 3)
    assert np.bincount(cifar.train_labels).tolist() == [5000] * 10
    assert np.bincount(cifar.train_labels[:1000]).min() > 60
    mean = cifar.train_images.reshape(-1, 3).mean(0)
    np.testing.assert_allclose(
        mean, [125.3, 123.0, 113.9], atol=0.5
    )  # the published means


@needs("simpsons")
def test_real_simpsons(real):
    simpsons = data.load("simpsons")
    assert (
        len(simpsons.train_images) == len(simpsons.train_names)
        and not simpsons.stand_in
    )
    assert simpsons.test_labels is None and (np.diff(simpsons.test_ids) == 1).all()
    assert all(label == simpsons.class_names.index(n.split("/")[1]) for n, label in
               zip(simpsons.train_names[:50], simpsons.train_labels[:50], strict=True))  # fmt: skip


@needs("cats_dogs")
def test_real_cats_and_dogs(real):
    pets = data.load("cats_dogs", 24)
    assert len(pets.train_images) == 4 * len(pets.test_images) and not pets.damaged
    assert abs(pets.train_labels.mean() - 0.5) < 0.05
    for name, label in zip(pets.test_names, pets.test_labels, strict=True):
        assert name.startswith(f"train/{pets.class_names[label]}.")
    again = data.load("cats_dogs", 24)
    np.testing.assert_array_equal(again.test_images, pets.test_images)
