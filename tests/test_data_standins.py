"""The stand-ins: whole, always alike, fair, and never silent."""

import hashlib
import io
import multiprocessing
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.linear_model import RidgeClassifier

from labkit import data
from labkit.data import DamagedPicture, standins
from labkit.data.pictures import read_picture
from labkit.data.standins import faces, garments, pets, shapes


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """No network, no real data."""
    monkeypatch.setenv("LABKIT_OFFLINE", "1")
    monkeypatch.delenv("LABKIT_DATA", raising=False)
    monkeypatch.delenv("LABKIT_PROFILE", raising=False)


def test_a_stand_in_says_so_in_the_notebook_and_in_titles(capsys):
    shapes = data.load("cifar10")
    out, err = capsys.readouterr()
    assert "Stand-in data: shapes in place of CIFAR-10" in out and not err
    assert (
        shapes.stand_in and shapes.title("Test images") == "Test images (stand-in data)"
    )
    assert "STAND-IN" in str(shapes) and "stand-in data" in shapes._repr_html_()


def test_without_simpsons_the_notice_says_how_to_get_them(capsys, monkeypatch):
    data.load("simpsons")
    out = capsys.readouterr().out
    assert (
        "kaggle.com" in out and "LABKIT_DATA" in out and "sampleSubmission.csv" in out
    )


def digest(dataset):
    parts = (
        dataset.train_images,
        dataset.train_labels,
        dataset.test_images,
        dataset.test_labels,
    )
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


@pytest.mark.parametrize(
    "name, train, test",
    [
        ("digits", 1437, 360),
        ("garments", 600, 200),
        ("shapes", 600, 200),
        ("pets", 600, 200),
        ("faces", 498, 240),
    ],
)
def test_stand_ins_are_whole_and_always_alike(
    name, train, test, monkeypatch, tmp_path, capsys
):
    monkeypatch.setenv("LABKIT_PROFILE", "grading")
    first = data.load(name)
    assert first.stand_in and first.name == name
    assert len(first.class_names) == (2 if name == "pets" else 10)
    assert len(first.train_images) == len(first.train_labels) == train
    assert len(first.test_images) == len(first.test_labels) == test
    assert first.train_images.dtype == np.uint8 and first.train_labels.dtype == np.int64
    assert first.train_images.min() < 30 and first.train_images.max() > 220
    assert np.bincount(first.train_labels, minlength=2).min() >= 10
    cached = data.load(name)
    monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "other"))
    assert digest(first) == digest(cached) == digest(data.load(name))
    assert capsys.readouterr() == ("", "")


def test_digits_are_balanced_and_mixed():
    digits = data.load("digits")
    assert np.bincount(digits.test_labels).tolist() == [36] * 10
    assert np.bincount(digits.train_labels[:300]).min() > 15
    assert (digits.train_images[:, :4] == 0).all()


@pytest.mark.parametrize("module", [shapes, garments, pets])
def test_a_smaller_set_is_the_beginning_of_a_larger(module):
    small, labels = module.draw(1, 150)
    large, more = module.draw(1, 450)
    np.testing.assert_array_equal(small, large[:150])
    np.testing.assert_array_equal(labels, more[:150])
    assert (module.draw(2, 150)[0] != small).any()


def test_classes_can_be_told_apart_but_not_by_their_mean():
    images, labels = shapes.draw(1, 2000)
    test, truth = shapes.draw(2, 400)
    means = np.stack([images[labels == c].mean(0) for c in range(10)]).reshape(10, -1)
    guess = [
        np.argmin(((means - image) ** 2).sum(1)) for image in test.reshape(400, -1)
    ]
    assert 0.15 < np.mean(np.array(guess) == truth) < 0.6


def test_cats_and_dogs_differ_by_shape_alone():
    images, labels = pets.draw(1, 2000)
    colours = images.reshape(len(images), -1, 3).mean(1)
    apart = colours[labels == 0].mean(0) - colours[labels == 1].mean(0)
    assert np.abs(apart).max() < 8
    large, same = pets.draw(1, 200, 64)
    assert large.shape == (200, 64, 64, 3) and (same == labels[:200]).all()


def test_digits_to_grade_are_in_no_other_set_and_the_same_once_more():
    images, labels = standins.draw_tests("digits", 5)
    again, same = standins.draw_tests("digits", 5)
    others, _ = standins.draw_tests("digits", 6)
    assert (images == again).all() and (labels == same).all()
    assert np.bincount(labels).tolist() == [36] * 10
    digits = standins.make("digits")
    known = [digits.train_images, digits.test_images, others]
    seen = {image.tobytes() for images in known for image in images}
    assert not seen & {image.tobytes() for image in images}


def test_digits_to_grade_can_still_be_read():
    digits = standins.make("digits")
    flat = digits.train_images.reshape(-1, 784) / 255
    model = RidgeClassifier(alpha=10).fit(flat, digits.train_labels)
    images, labels = standins.draw_tests("digits", 5)
    assert model.score(images.reshape(-1, 784) / 255, labels) > 0.85


def test_faces_come_in_files_as_kaggle_gives_them(tmp_path):
    folder = faces.folder(300, 60)
    names = (folder / "character_name.lst").read_text().split()
    assert names == sorted(names) and len(names) == 10
    with zipfile.ZipFile(folder / "train.zip") as train:
        members = train.namelist()
        assert len(members) == 300
        assert {m.split("/")[1] for m in members} == set(names)
        modes, sizes = set(), set()
        for member in members:
            with Image.open(io.BytesIO(train.read(member))) as picture:
                modes.add(picture.mode)
                sizes.add(picture.size)
    assert modes == {"RGB", "L", "RGBA", "CMYK", "P"}
    assert len(sizes) > 20 and min(map(min, sizes)) >= 20 and max(map(max, sizes)) <= 60
    with zipfile.ZipFile(folder / "test.zip") as test:
        assert sorted(test.namelist()) == sorted(f"test/{i}.jpg" for i in range(1, 61))
    rows = (folder / "sampleSubmission.csv").read_text().split()
    assert rows[0] == "id,character" and [r.split(",")[0] for r in rows[1:]] == [
        str(i) for i in range(1, 61)
    ]


def test_faces_hold_damage_imbalance_and_near_duplicates(monkeypatch):
    characters = data.load("faces")
    assert len(characters.train_images) == 1998 and len(characters.damaged) == 3
    assert all("cut short" in reason for _, reason in characters.damaged)
    counts = np.bincount(characters.train_labels)
    assert counts.max() > 2 * counts.min() > 100
    assert len(characters.test_labels) == 500 == len(characters.test_ids)
    order = np.argsort(characters.train_names)
    images = characters.train_images[order].astype(float)
    step = np.abs(np.diff(images, axis=0)).mean((1, 2, 3))
    assert (
        np.median(step) < 25 < np.percentile(step, 95)
    )  # frames of a scene, then the next scene
    lost = int(
        next(f for f, _ in characters.damaged if f.startswith("test")).split("/")[1][
            :-4
        ]
    )
    assert (characters.test_images[lost - 1] == 128).all()


def test_faces_of_another_size():
    small = data.load("faces", size=16)
    assert small.train_images.shape[1:] == (16, 16, 3)


def test_portraits_are_easier():
    def right(portraits):
        folder = faces.folder(400, 150, portraits)
        with zipfile.ZipFile(folder / "train.zip") as train:
            names = train.namelist()
            labels = [name.split("/")[1] for name in names]
            known = _pixels(train, names)
        with zipfile.ZipFile(folder / "test.zip") as test:
            asked = _pixels(test, [f"test/{i}.jpg" for i in range(1, 151)])
        truth = [r.split(",")[1] for r in (folder / "truth.csv").read_text().split()]
        return RidgeClassifier(alpha=10).fit(known, labels).score(asked, truth[1:])

    assert right(portraits=True) > right(portraits=False) + 0.05


def _pixels(archive, names):
    pictures = []
    for name in names:
        try:
            pictures.append(read_picture(archive.read(name), 16))
        except DamagedPicture:
            pictures.append(np.full((16, 16, 3), 128, np.uint8))
    return np.stack(pictures).reshape(len(names), -1) / 255


def _draw_faces(folder):
    os.environ["LABKIT_CACHE"] = folder
    path = faces.folder(40, 20)
    return hashlib.sha256((path / "train.zip").read_bytes()).hexdigest()


def test_two_processes_draw_at_once(tmp_path):
    with multiprocessing.get_context("spawn").Pool(2) as pool:
        hashes = pool.map(_draw_faces, [str(tmp_path / "shared")] * 2)
    assert len(set(hashes)) == 1
    assert len(list((tmp_path / "shared" / "faces").iterdir())) == 1


def test_photographs():
    china = data.photograph()
    assert china.shape == (427, 640, 3) and china.dtype == np.uint8
    assert (china != data.photograph("flower")).any()
    with pytest.raises(data.DataError, match="'cat'; expected one of china, flower"):
        data.photograph("cat")


def test_nothing_reaches_standard_error_and_imports_stay_light():
    code = (
        "import sys; from labkit import data; "
        "heavy = {'tensorflow', 'keras', 'matplotlib', 'sklearn', 'PIL', 'pooch'} & set(sys.modules); "
        "assert not heavy, heavy; data.load('mnist'); data.load('simpsons')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True,
                          cwd=Path(data.__file__).parents[2], check=False)  # fmt: skip
    assert done.returncode == 0 and done.stderr == ""
    assert done.stdout.count("Stand-in data") == 2
