"""The offline stand-ins by name: what each shows, how many images, and where they come from."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np

from labkit import profile
from labkit.data import cache, drawing, garments, shapes, sources
from labkit.data.dataset import Dataset

TRAIN_SEED, TEST_SEED = 1, 2


def make(name: str, size: int | None = None) -> Dataset:
    """Return the stand-in `name`, one of NAMES; the profile decides how many images.

    size: of the pictures of "faces", in pixels.
    """
    return _faces(size or sources.PICTURE_SIZE) if name == "faces" else _MAKERS[name]()


def _digits() -> Dataset:
    arrays = cache.arrays("digits", _version(), _enlarged_digits)
    return Dataset(
        name="digits",
        class_names=tuple("0123456789"),
        source="scikit-learn's handwritten digits (8x8, enlarged to 28x28)",
        stand_in=True,
        licence="CC BY 4.0",
        citation="E. Alpaydin, C. Kaynak: Optical Recognition of Handwritten Digits, UCI, 1998.",
        **arrays,
    )


def _enlarged_digits() -> cache.Arrays:
    """Return 1,437 training and 360 test digits, 36 of each class in the test set."""
    from PIL import Image
    from sklearn.datasets import load_digits

    pixels, labels = load_digits(return_X_y=True)
    # like MNIST: the digit fills 20x20 of the 28x28 pixels
    small = np.rint(pixels.reshape(-1, 8, 8) * (255 / 16)).astype(np.uint8)
    images = np.zeros((len(small), 28, 28), np.uint8)
    for image, digit in zip(images, small, strict=True):
        image[4:24, 4:24] = Image.fromarray(digit).resize(
            (20, 20), Image.Resampling.BICUBIC
        )
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


def _drawn(module: ModuleType, what: str) -> Dataset:
    """Return the stand-in of a module with draw(seed, count) and CLASS_NAMES."""
    name = module.__name__.rpartition(".")[2]
    train, test = profile.pick(
        quick=(5000, 1000), full=(5000, 1000), grading=(600, 200)
    )

    def build() -> cache.Arrays:
        images, labels = module.draw(TRAIN_SEED, train)
        test_images, test_labels = module.draw(TEST_SEED, test)
        return {
            "train_images": images,
            "train_labels": labels,
            "test_images": test_images,
            "test_labels": test_labels,
        }

    return Dataset(
        name=name,
        class_names=module.CLASS_NAMES,
        source=f"{what}, drawn by labkit",
        stand_in=True,
        licence="BSD-3-Clause",
        **cache.arrays(f"{name}-{train}", _version(module), build),
    )


def _faces(size: int) -> Dataset:
    from labkit.data import faces

    folder = faces.folder(
        *profile.pick(quick=(2000, 500), full=(2000, 500), grading=(500, 60))
    )
    fields = sources.competition("faces", folder, size)
    names = fields["class_names"]
    rows = (folder / "truth.csv").read_text().split()[1:]
    truth = np.array([names.index(row.split(",")[1]) for row in rows], np.int64)
    return Dataset(
        name="faces",
        source="ten invented cartoon characters, drawn by labkit",
        stand_in=True,
        licence="BSD-3-Clause",
        **fields | {"test_labels": truth},
    )


def _version(*modules: ModuleType) -> str:
    """Return a key that changes with the drawing code, so that no cache outlives it."""
    files = [__file__, drawing.__file__, *(module.__file__ for module in modules)]
    return cache.fingerprint(*(Path(file).read_bytes() for file in files))


_MAKERS: dict[str, Callable[[], Dataset]] = {
    "digits": _digits,
    "garments": lambda: _drawn(garments, "ten kinds of clothes"),
    "shapes": lambda: _drawn(shapes, "ten kinds of shape on clutter"),
}
NAMES = (*_MAKERS, "faces")
