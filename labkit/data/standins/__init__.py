"""The offline stand-ins by name: what each shows, how many images, and where they come from."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np

from labkit import profile
from labkit.data import cache
from labkit.data.dataset import Dataset
from labkit.data.layouts import Fields, competition
from labkit.data.standins import drawing, garments, pets, shapes

TRAIN_SEED, TEST_SEED = 1, 2
# training pictures, test pictures, and whether they are portraits
FACES_TO_GRADE = 500, 240, True
DRAWN_TO_GRADE = 600, 200
# How far the digits to grade are turned (degrees), moved (pixels), and how noisy.
TURN, MOVE, NOISE = 6.0, 0.7, 8.0
# The environment variable that names the folder of the test data that a grader chose.
GRADING_DATA = "LABKIT_GRADING_DATA"


def make(name: str, size: int | None = None) -> Dataset:
    """Return the stand-in `name`, one of NAMES; the profile decides how many images.

    size: of the pictures of "faces" and "pets", in pixels.
    """
    size = size or SIZES.get(name, 0)
    chosen = os.environ.get(GRADING_DATA) if profile.name() == "grading" else None
    if chosen:
        return _with_tests_of(name, size, Path(chosen))
    return _made(name, size)


def _made(name: str, size: int) -> Dataset:
    return _MAKERS[name](size) if name in SIZES else _MAKERS[name]()


def draw_tests(name: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return test images and labels of a stand-in that nobody has seen before."""
    if name == "digits":
        digits = _digit_arrays()
        images, labels = digits["test_images"], digits["test_labels"]
        rng = np.random.default_rng(seed)
        order = rng.permutation(len(labels))
        return _disturbed(images[order], rng), labels[order]
    return _DRAWN_TO_GRADE[name](seed, DRAWN_TO_GRADE[1])


def _disturbed(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return digits a little moved and turned, with noise.

    As they are they stand in scikit-learn, where each is found again by its pixels.
    """
    from PIL import Image

    angles = rng.uniform(-TURN, TURN, len(images))
    moves = rng.uniform(-MOVE, MOVE, (len(images), 2)).tolist()
    turned = [
        np.asarray(
            Image.fromarray(image).rotate(
                angle, Image.Resampling.BICUBIC, translate=tuple(move)
            )
        )
        for image, angle, move in zip(images, angles, moves, strict=True)
    ]
    noisy = np.stack(turned) + rng.normal(0, NOISE, images.shape)
    return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)


def draw_faces(folder: Path, seed: int) -> np.ndarray:
    """Write the pictures of "faces" into a new folder with test pictures of that seed.

    Returns the labels of the test pictures (N,). Their file is not left in the folder.
    """
    from labkit.data.standins import faces

    faces.write(folder, *FACES_TO_GRADE, test_seed=seed)
    names = [who.name for who in faces.CHARACTERS]
    labels = _true_labels(folder, names)
    (folder / "truth.csv").unlink()
    return labels


def grading_pictures(chosen: Path) -> Path:
    """Return the folder of pictures that belongs to a folder of labels."""
    return chosen.parent / "faces"


def _with_tests_of(name: str, size: int, chosen: Path) -> Dataset:
    """Return a stand-in with the test data of a grader's folder."""
    with np.load(chosen / f"{name}.npz", allow_pickle=False) as tests:
        kept: Fields = {key: tests[key] for key in tests.files}
    if name == "faces":
        return _competition("graded faces", grading_pictures(chosen), size, **kept)
    return replace(_made(name, size), **kept)


def _digits() -> Dataset:
    arrays: Fields = dict(_digit_arrays())
    return Dataset(
        name="digits",
        class_names=tuple("0123456789"),
        source="scikit-learn's handwritten digits (8x8, enlarged to 28x28)",
        stand_in=True,
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998.",
        **arrays,
    )


def _digit_arrays() -> cache.Arrays:
    return cache.arrays("digits", _version(), _enlarged_digits)


def _enlarged_digits(_: cache.Allocate) -> cache.Arrays:
    """Return 1,437 training and 360 test digits, 36 of each class in the test set."""
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # like MNIST: the digit fills 20x20 of the 28x28 pixels
    small = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.zeros((len(small), 28, 28), np.uint8)
    for image, digit in zip(images, small, strict=True):
        larger = Image.fromarray(digit).resize((20, 20), Image.Resampling.BICUBIC)
        image[4:24, 4:24] = np.asarray(larger)
    labels = labels.astype(np.int64)
    rng = np.random.default_rng(0)
    test = np.concatenate(
        [rng.choice(np.flatnonzero(labels == c), 36, False) for c in range(10)]
    )
    train = rng.permutation(np.setdiff1d(np.arange(len(labels)), test))
    test = rng.permutation(test)
    return {
        "train_images": images[train],
        "train_labels": labels[train],
        "test_images": images[test],
        "test_labels": labels[test],
    }


def _drawn(module: ModuleType, what: str, *size: int) -> Dataset:
    """Return the stand-in of a module with draw(seed, count[, size]) and CLASS_NAMES."""
    name = module.__name__.rpartition(".")[2]
    train, test = profile.pick(
        quick=(5000, 1000), full=(5000, 1000), grading=DRAWN_TO_GRADE
    )

    draw = profile.pick(
        quick=module.draw, full=module.draw, grading=_DRAWN_TO_GRADE[name]
    )

    def build(_: cache.Allocate) -> cache.Arrays:
        images, labels = draw(TRAIN_SEED, train, *size)
        test_images, test_labels = draw(TEST_SEED, test, *size)
        return {
            "train_images": images,
            "train_labels": labels,
            "test_images": test_images,
            "test_labels": test_labels,
        }

    kept_as = "-".join(map(str, (name, train, *size)))
    arrays: Fields = dict(cache.arrays(kept_as, _version(module), build))
    return Dataset(
        name=name,
        class_names=module.CLASS_NAMES,
        source=f"{what}, drawn by labkit",
        stand_in=True,
        licence="BSD-3-Clause",
        **arrays,
    )


def _faces(size: int) -> Dataset:
    from labkit.data.standins import faces

    folder = faces.folder(
        *profile.pick(quick=(2000, 500), full=(2000, 500), grading=FACES_TO_GRADE)
    )
    truth = _true_labels(folder, [who.name for who in faces.CHARACTERS])
    return _competition("faces", folder, size, test_labels=truth)


def _competition(
    cached_as: str, folder: Path, size: int, test_labels: np.ndarray
) -> Dataset:
    fields = competition(cached_as, folder, size)
    return Dataset(
        name="faces",
        source="ten invented cartoon characters, drawn by labkit",
        stand_in=True,
        licence="BSD-3-Clause",
        **fields | {"test_labels": test_labels},
    )


def _true_labels(folder: Path, names: list[str]) -> np.ndarray:
    rows = (folder / "truth.csv").read_text().split()[1:]
    return np.array([names.index(row.split(",")[1]) for row in rows], np.int64)


def _version(*modules: ModuleType) -> str:
    """Return a key that changes with the drawing code, so that no cache outlives it."""
    own = Path(__file__).read_bytes()
    return cache.fingerprint(own, *cache.code(drawing, *modules))


_DRAWN_TO_GRADE = {
    "garments": garments.draw,
    "shapes": shapes.draw_easy,
    "pets": pets.draw,
}
_MAKERS: dict[str, Callable[..., Dataset]] = {
    "digits": _digits,
    "garments": lambda: _drawn(garments, "ten kinds of clothes"),
    "shapes": lambda: _drawn(shapes, "ten kinds of shape on clutter"),
    "pets": lambda size: _drawn(pets, "heads of cats and dogs on clutter", size),
    "faces": _faces,
}
NAMES = tuple(_MAKERS)
# Those that come at any size, with the side in pixels where none is asked for.
SIZES = {"faces": 28, "pets": pets.SIZE}
