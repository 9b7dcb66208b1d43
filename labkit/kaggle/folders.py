"""Split and predict as commands do it: from folders and zip files to CSV files."""

import csv
import io
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import numpy as np

from labkit import files
from labkit.data.collection import Pictures
from labkit.data.notices import say_left_out
from labkit.errors import LabkitError
from labkit.kaggle.faults import Report
from labkit.kaggle.prediction import Predictions, predict
from labkit.kaggle.splitting import Split, split
from labkit.kaggle.submission import form_of, write

if TYPE_CHECKING:
    import keras

SIDE = 32  # pixels: what the perceptual hash shrinks a picture to


def split_folder(
    pictures: Path, out: Path, test: Path | None, *, share: float, seed: int
) -> tuple[Split, int]:
    """Split the pictures <class>/<picture> of a folder or zip; write a row a picture to `out`.

    Damaged pictures are left out, and said. Returns the split and the number of rows.
    """
    names, images = _read(pictures)
    folders = [PurePosixPath(name).parent.name for name in names]
    labels = np.unique(folders, return_inverse=True)[1]
    if len(set(folders)) < 2:
        raise LabkitError(
            f"{pictures}: all pictures are in one folder; expected one for each class."
        )
    tests = None if test is None else _read(test)[1]
    try:
        parts = split(images, labels, tests, share=share, seed=seed)
    except ValueError as error:
        raise LabkitError(str(error)) from None
    part = np.full(len(names), "train", dtype="<U8")
    part[parts.new], part[parts.copies] = "new", "copy"
    stream = io.StringIO(newline="")
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["picture", "group", "part"])
    writer.writerows(sorted(zip(names, parts.groups.tolist(), part, strict=True)))
    files.write_text(out, stream.getvalue())
    return parts, len(names)


def _read(path: Path) -> tuple[list[str], np.ndarray]:
    """Return the names and thumbnails (N, 32, 32, 3) of all pictures that can be read."""
    if not path.exists():
        raise LabkitError(f"{path}: no such folder or zip file.")
    with Pictures(path) as found:
        images, damaged = found.decode(found.names, SIDE, path.name)
        names = found.names
        bad = {names[place]: reason for place, reason in damaged.items()}
        say_left_out({**bad, **found.others})
    keep = np.setdiff1d(np.arange(len(names)), list(damaged))
    if not len(keep):
        raise LabkitError(f"{path}: holds no picture that can be read.")
    return [names[place] for place in keep], images[keep]


def predict_folder(
    model: Path,
    pictures: Path,
    sample: Path,
    out: Path,
    most_frequent: str | None,
    probabilities: bool,
) -> tuple[Predictions, Report]:
    """Predict a folder or zip with a stored model and write the submission."""
    form = form_of(sample)
    names = form.header[1:] if form.probabilities else form.class_names
    if names is None:
        raise LabkitError(
            f"{sample.parent}: no character_name.lst beside {sample.name}. It lists the"
            " classes, one a line, in the order of the model's outputs."
        )
    if not pictures.exists():
        raise LabkitError(f"{pictures}: no such folder or zip file.")
    try:
        found = predict(_load(model), pictures, names, fallback=most_frequent)
    except ValueError as error:
        raise LabkitError(f"{model}: {error}") from None
    wanted = form.probabilities or probabilities
    answers = found.probabilities if wanted else found.labels
    return found, write(found.ids.tolist(), answers, out, sample, names)


def _load(path: Path) -> "keras.Model":
    """Read a Keras model; one that brings code of its own is refused."""
    if not path.is_file():
        raise LabkitError(f"{path}: no such file. Give a model that model.save wrote.")
    import keras

    try:
        return keras.saving.load_model(path, compile=False, safe_mode=True)
    except Exception as error:
        reason = str(error).strip().splitlines()[0][:200]
        raise LabkitError(f"{path}: not a model that can be read: {reason}") from None
