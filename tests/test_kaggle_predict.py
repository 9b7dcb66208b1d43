"""Pictures predicted in a stream, splits that foretell, and the commands for both."""

import csv
import io
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image

from labkit import kaggle
from labkit.data import DataError
from tests.test_duplicates import scenes

NAMES = ("blue", "green", "red")
COLOURS = {"red": (220, 30, 30), "green": (30, 200, 40), "blue": (20, 40, 230)}


def by_colour(images):
    """A model: the share of each colour, blue, green, red."""
    means = images.reshape(len(images), -1, 3).mean(axis=1)[:, ::-1]
    return means / means.sum(axis=1, keepdims=True)


def picture(name, size=(40, 30), mode="RGB", form="JPEG", **options):
    stream = io.BytesIO()
    Image.new("RGB", size, COLOURS[name]).convert(mode).save(stream, form, **options)
    return stream.getvalue()


@pytest.fixture
def pictures(tmp_path):
    """A zip of test pictures of every kind, with two that no one can read."""
    path = tmp_path / "test.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("test/1.jpg", picture("red"))
        archive.writestr("test/2.jpg", picture("green", (300, 20), "CMYK"))
        archive.writestr("test/3.png", picture("blue", (9, 70), "RGBA", "PNG"))
        archive.writestr("test/4.png", picture("red", mode="P", form="PNG"))
        archive.writestr("test/5.jpg", b"<html>404</html>")
        archive.writestr("test/6.jpg", picture("green")[:-200])
        archive.writestr("test/10.jfif", picture("red", (1, 1)))
        archive.writestr("test/notes.txt", b"taken in spring")
    return path


def test_pictures_of_every_size_and_mode_are_predicted_by_increasing_id(
    pictures, monkeypatch
):
    monkeypatch.setattr("labkit.kaggle.prediction.BATCH", 2)
    found = kaggle.predict(by_colour, pictures, NAMES, size=28)
    assert found.ids.tolist() == [1, 2, 3, 4, 5, 6, 10]
    assert found.labels == ["red", "green", "blue", "red", "red", "red", "red"]
    assert found.probabilities.shape == (7, 3)


def test_damaged_pictures_are_the_most_frequent_class_and_listed(pictures, capsys):
    found = kaggle.predict(by_colour, pictures, NAMES, size=28)
    assert [name for name, _ in found.damaged] == ["test/5.jpg", "test/6.jpg"]
    assert found.probabilities[4:6].tolist() == [[0, 0, 1]] * 2
    assert "2 damaged, predicted as red:\n  test/5.jpg: not a picture" in str(found)
    said = capsys.readouterr().out
    assert "2 damaged pictures, predicted as red" in said
    assert "left out, 1 of the files:\n  test/notes.txt: not a picture" in said
    named = kaggle.predict(by_colour, pictures, NAMES, size=28, fallback="blue")
    assert named.labels[4:6] == ["blue", "blue"] and named.labels[6] == "red"


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"fallback": "moe"}, "fallback is 'moe'; expected one of blue, green, red"),
        ({"class_names": ("a", "b")}, r"gave \(7, 3\) for 7 pictures; expected \(7, 2\)"),
        ({"size": None}, "Pass size="),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_told(pictures, options, told):
    arguments = {"class_names": NAMES, "size": 28, **options}
    with pytest.raises(ValueError, match=told):
        kaggle.predict(by_colour, pictures, **arguments)


def test_no_pictures_and_double_ids_are_refused(tmp_path):
    folder = tmp_path / "test"
    folder.mkdir()
    with pytest.raises(DataError, match="holds no pictures"):
        kaggle.predict(by_colour, folder, NAMES, size=28)
    (folder / "1.jpg").write_bytes(picture("red"))
    (folder / "01.png").write_bytes(picture("red", form="PNG"))
    with pytest.raises(DataError, match="two pictures with the id 1"):
        kaggle.predict(by_colour, folder, NAMES, size=28)


def test_memory_does_not_grow_with_the_number_of_pictures(tmp_path, monkeypatch):
    monkeypatch.setattr("labkit.kaggle.prediction.BATCH", 50)
    path, content = tmp_path / "test.zip", picture("green", (64, 64))
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(2000):
            archive.writestr(f"test/{number}.jpg", content)
    whole = 2000 * 64 * 64 * 3
    kaggle.predict(by_colour, path, NAMES, size=64)  # what it imports is not meant
    tracemalloc.start()
    found = kaggle.predict(by_colour, path, NAMES, size=64)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert set(found.labels) == {"green"}
    assert peak < whole / 3


def test_the_command_predicts_with_a_stored_model(pictures, tmp_path, run_command):
    import keras

    model = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax", kernel_initializer="zeros"),
        ]
    )
    model.layers[-1].set_weights([np.eye(3)[::-1] / 100, np.zeros(3)])
    model.save(tmp_path / "model.keras")
    (tmp_path / "character_name.lst").write_text("\n".join(NAMES))
    sample = tmp_path / "sampleSubmission.csv"
    rows = "".join(f"{i},red\n" for i in (1, 2, 3, 4, 5, 6, 10))
    sample.write_text("id,character\n" + rows)
    command = ["labkit", "kaggle", "predict", "model.keras", "test.zip", "--sample"]
    done = run_command(*command, sample.name, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "2 damaged, predicted as red" in done.stdout
    assert "submission.csv: fine, 7 rows" in done.stdout
    lines = (tmp_path / "submission.csv").read_text().splitlines()
    assert lines[1:4] == ["1,red", "2,green", "3,blue"]
    done = run_command("labkit", "kaggle", "check", "submission.csv", folder=tmp_path)
    assert done.returncode == 0 and "Only the form" not in done.stdout
    done = run_command(*command[:3], "test.zip", *command[4:], "x", folder=tmp_path)
    assert done.returncode == 2 and len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("scale", "told"), [("none", True), ("layer", False), ("operation", False)]
)
def test_a_model_that_rescales_nothing_is_remarked_on(pictures, capsys, scale, told):
    import keras

    given = keras.Input((8, 8, 3))
    scaled = {
        "none": lambda: given,
        "layer": lambda: keras.layers.Rescaling(1 / 255)(given),
        "operation": lambda: given / 255,
    }[scale]()
    shares = keras.layers.Dense(3, "softmax")(keras.layers.Flatten()(scaled))
    # one in another, as with a network that was trained elsewhere
    model = keras.Sequential([keras.Input((8, 8, 3)), keras.Model(given, shares)])
    kaggle.predict(model, pictures, NAMES, flips=False)
    said = capsys.readouterr().out
    assert ("put keras.layers.Rescaling(1 / 255) in front of it" in said) == told


# ---------------------------------------------------------------- split


def film(scene_count, frames, seed=0):
    """Scenes of several frames that differ by noise, shuffled: images and class numbers."""
    rng = np.random.default_rng(seed)
    images, labels = [], []
    for number, scene in enumerate(scenes(scene_count, seed=seed)):
        for _ in range(frames):
            noise = rng.normal(0, 6, scene.shape)
            images.append(np.clip(scene + noise, 0, 255).astype(np.uint8))
            labels.append(number % 4)
    order = rng.permutation(len(images))
    return np.array(images)[order], np.array(labels)[order]


def test_no_scene_is_on_both_sides_and_every_picture_once():
    images, labels = film(80, 4)
    parts = kaggle.split(images, labels, seed=1)
    everything = np.concatenate([parts.train, parts.new, parts.copies])
    assert sorted(everything) == list(range(320))
    groups = parts.groups
    assert not set(groups[parts.new]) & set(
        groups[np.append(parts.train, parts.copies)]
    )
    assert set(groups[parts.copies]) <= set(groups[parts.train])
    assert len(parts.new) == pytest.approx(64, abs=12)
    counts = np.bincount(labels[parts.new])
    assert counts.min() > 0.6 * counts.max()


def test_the_seed_decides():
    images, labels = film(40, 3)
    first, again, other = (kaggle.split(images, labels, seed=s).new for s in (0, 0, 1))
    assert np.array_equal(first, again) and not np.array_equal(first, other)


def test_the_test_sets_share_of_copies_weights_what_is_foretold():
    images, labels = film(80, 4)
    strangers = scenes(30, seed=99)
    known = images[kaggle.split(images, labels).train[:10]]
    parts = kaggle.split(images, labels, [*known, *strangers])
    assert parts.copied == 0.25
    new = np.arange(len(parts.new)) % 2 == 0
    told = parts.foretell(new, np.ones(len(parts.copies), bool))
    assert told.accuracy == pytest.approx(0.25 + 0.75 * new.mean())
    error = 1.96 * 0.75 * np.sqrt(new.mean() * (1 - new.mean()) / len(new))
    # The copies' own uncertainty adds to it, although all of them are right.
    assert error < told.margin < 1.3 * error
    assert "copies, which are 25.0% of the test set" in str(told)
    with pytest.raises(ValueError, match="answers for"):
        parts.foretell(new[:-1], np.ones(len(parts.copies), bool))


def test_ours_foretells_where_a_random_split_flatters():
    """One who knows every scene by heart: its score on the hidden test is chance."""
    images, labels = film(100, 5)
    hidden, hidden_labels = film(60, 1, seed=7)

    def by_heart(known, asked):
        flat = images[known].reshape(len(known), -1).astype(float)
        apart = [np.abs(flat - image.ravel()).sum(axis=1).argmin() for image in asked]
        return labels[known][apart]

    parts = kaggle.split(images, labels, hidden)
    ours = parts.foretell(
        by_heart(parts.train, images[parts.new]) == labels[parts.new],
        by_heart(parts.train, images[parts.copies]) == labels[parts.copies],
    ).accuracy
    order = np.random.default_rng(0).permutation(len(images))
    held, known = order[:100], order[100:]
    random = np.mean(by_heart(known, images[held]) == labels[held])
    leaderboard = np.mean(by_heart(parts.train, hidden) == hidden_labels)
    assert random > 0.95
    assert abs(ours - leaderboard) < 0.25 < random - leaderboard


@pytest.mark.parametrize("share", [0, 0.7])
def test_a_share_that_makes_no_sense_is_refused(share):
    with pytest.raises(ValueError, match="share is"):
        kaggle.split(*film(4, 2), share=share)


def test_the_command_writes_a_row_a_picture(tmp_path, run_command):
    images, labels = film(40, 3)
    with zipfile.ZipFile(tmp_path / "train.zip", "w") as archive:
        for number, (image, label) in enumerate(zip(images, labels, strict=True)):
            stream = io.BytesIO()
            Image.fromarray(image).save(stream, "PNG")
            archive.writestr(f"train/{label}/{number}.png", stream.getvalue())
        archive.writestr("train/0/broken.png", b"")
        archive.writestr("train/notes.txt", b"taken in spring")
    words = ["labkit", "kaggle", "split", "train.zip", "--test", "train.zip"]
    done = run_command(*words, folder=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "% of the test pictures have a near-duplicate to train on" in done.stdout
    assert "train/0/broken.png: the file is empty" in done.stdout
    assert "train/notes.txt: not a picture in a known format" in done.stdout
    with (tmp_path / "split.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 120
    held = {row["group"] for row in rows if row["part"] == "new"}
    assert not held & {row["group"] for row in rows if row["part"] != "new"}
    done = run_command(*words[:3], "nothing.zip", folder=tmp_path)
    assert done.returncode == 2 and "no such folder or zip" in done.stderr
