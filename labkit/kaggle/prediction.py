"""Predict the pictures of a folder or a zip file in a stream: it may be larger than memory."""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from labkit.data.collection import MID_GREY, Pictures
from labkit.data.errors import DamagedPicture, DataError
from labkit.data.notices import progress, say, say_left_out
from labkit.data.pictures import decode, no_warnings
from labkit.formatting import counted

BATCH = 256
WORKERS = 4
AHEAD = 2  # batches that are decoded while one is predicted
UNSCALED = (
    "The model rescales nothing, and gets pictures as they are, 0 to 255. Was it trained on"
    " 0 to 1? Then put keras.layers.Rescaling(1 / 255) in front of it."
)

Predictor = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True, eq=False, repr=False)
class Predictions:
    """What a model says of each picture, by increasing id.

    Attributes
    ----------
    ids : array (N,)
        File names without their ending; int64 where all are numbers.
    probabilities : array (N, C), float32
        Columns in the order of `class_names`.
    class_names : tuple of str
        The C classes.
    damaged : tuple of (str, str)
        File name and reason of each picture that could not be read; it counts as the
        class `fallback`, with probability 1.
    fallback : str
        That class.
    labels : list of str
        The likeliest class's name for each picture.
    """

    ids: np.ndarray
    probabilities: np.ndarray
    class_names: tuple[str, ...]
    damaged: tuple[tuple[str, str], ...]
    fallback: str

    @property
    def labels(self) -> list[str]:
        """The likeliest class's name for each picture."""
        return [self.class_names[c] for c in self.probabilities.argmax(axis=1)]

    def __str__(self) -> str:
        counts = Counter(self.labels).most_common()
        lines = [f"{counted(len(self.ids), 'picture')} predicted"]
        lines += [f"  {count:7,}  {name}" for name, count in counts]
        if self.damaged:
            lines.append(f"{len(self.damaged)} damaged, predicted as {self.fallback}:")
            lines += [f"  {name}: {reason}" for name, reason in self.damaged]
        return "\n".join(lines)

    __repr__ = __str__


def predict(
    model: Any,
    pictures: Path | str,
    class_names: Sequence[str],
    *,
    size: int | None = None,
    flips: bool = True,
    fallback: str | None = None,
) -> Predictions:
    """Predict every picture of a folder or zip file, of any size and mode, with progress.

    Memory holds a few batches only.

    Parameters
    ----------
    model : keras.Model or callable
        A model for (N, size, size, 3) uint8, or a function from such a batch to
        probabilities (N, C). It rescales the pictures itself; a remark is printed where
        no layer of a model does.
    pictures : path
        The folder or zip file. A picture's id is its file name without the ending.
    class_names : sequence of str
        The C classes, in the order of the model's outputs.
    size : int, optional
        The side of the pictures in pixels; by default the model's.
    flips : bool
        Whether a model's answer is the mean over each picture and its mirror image.
    fallback : str, optional
        The class of a damaged picture. Give the most frequent one of the training
        pictures; by default it is that of the predictions.

    Returns
    -------
    predictions : Predictions
        By increasing id.

    Raises
    ------
    DataError
        There is no picture, or two have one id.
    ValueError
        The model's size is not known, it gives no probability for each class, or
        `fallback` is no class.

    Examples
    --------
    A model that sees bright pictures and dark ones, as a function:

    >>> import numpy as np
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from labkit import kaggle
    >>> Path("test").mkdir(exist_ok=True)
    >>> for number, grey in ((1, 20), (2, 210)):
    ...     Image.new("L", (40, 30), grey).save(f"test/{number}.png")
    >>> def model(images):
    ...     bright = images.mean(axis=(1, 2, 3)) / 255
    ...     return np.stack([1 - bright, bright], axis=1)
    >>> kaggle.predict(model, "test", ["dark", "bright"], size=8).labels
    ['dark', 'bright']
    """
    predictor, size = _predictor(model, flips), size or _input_size(model)
    with Pictures(Path(pictures)) as found:
        say_left_out(found.others)
        names = sorted(found.names, key=_by_id)
        ids = _ids(names, found.path)
        damaged: dict[int, str] = {}
        rows = np.zeros((len(names), len(class_names)), np.float32)
        bar = progress(total=len(names), desc="predicting", unit=" pictures")
        with bar, no_warnings():
            for start, images, bad in _decoded(found, names, size):
                rows[start : start + len(images)] = _checked(
                    predictor(images), len(images), len(class_names)
                )
                damaged |= {start + place: reason for place, reason in bad.items()}
                bar.update(len(images))
    label = _fallback(rows, damaged, class_names, fallback)
    rows[list(damaged)] = np.eye(len(class_names), dtype=np.float32)[label]
    told = tuple((names[place], reason) for place, reason in damaged.items())
    if told:
        shown = "; ".join(f"{name}: {reason}" for name, reason in told[:5])
        say(f"{len(told)} damaged pictures, predicted as {class_names[label]}: {shown}")
    return Predictions(ids, rows, tuple(class_names), told, class_names[label])


def _predictor(model: Any, flips: bool) -> Predictor:
    import keras

    if not isinstance(model, keras.Model):
        return model
    from labkit import training

    if not _rescales(model):
        say(UNSCALED)
    return lambda images: training.predict(model, images, flips=flips)


def _rescales(model: Any) -> bool:
    """Return whether a step of the model may bring pictures to another range of values."""
    import keras

    layers = keras.layers
    scaling = (layers.Rescaling, layers.Normalization, layers.Lambda)
    steps = getattr(model, "operations", model.layers)  # x / 255 is no layer
    return any(
        isinstance(step, scaling)
        or type(step).__name__ in ("Divide", "TrueDivide", "Multiply")
        or (isinstance(step, keras.Model) and _rescales(step))
        for step in steps
    )


def _input_size(model: Any) -> int:
    """Return the side of the square pictures that a model takes."""
    shape: Sequence[int | None] = getattr(model, "input_shape", None) or ()
    side = shape[1] if len(shape) == 4 and shape[3] == 3 else None
    if not side or side != shape[2]:
        raise ValueError(
            f"the model takes {shape or 'pictures of an unknown size'}; expected"
            " (None, size, size, 3). Pass size=..., the side of the pictures in pixels."
        )
    return side


def _by_id(name: str) -> tuple:
    stem = PurePosixPath(name).stem
    return (0, int(stem), name) if stem.isdecimal() else (1, 0, name)


def _ids(names: Sequence[str], path: Path) -> np.ndarray:
    """Return the pictures' ids, or say why they are none."""
    stems = [PurePosixPath(name).stem for name in names]
    if not stems:
        raise DataError(f"{path} holds no pictures.")
    numbers = all(stem.isdecimal() for stem in stems)
    ids = np.array(stems, dtype=np.int64 if numbers else np.str_)
    if len(np.unique(ids)) < len(ids):
        double = Counter(ids.tolist()).most_common(1)[0][0]
        raise DataError(f"{path} holds two pictures with the id {double}.")
    return ids


def _decoded(
    pictures: Pictures, names: Sequence[str], size: int
) -> Iterator[tuple[int, np.ndarray, dict[int, str]]]:
    """Yield (start, images, damaged) batch by batch, the next ones decoded meanwhile."""

    def decode_batch(start: int) -> tuple[int, np.ndarray, dict[int, str]]:
        part = names[start : start + BATCH]
        images = np.full((len(part), size, size, 3), MID_GREY, np.uint8)
        bad: dict[int, str] = {}
        for place, name in enumerate(part):
            try:
                images[place] = decode(pictures.read(name), name, size)
            except DamagedPicture as error:
                bad[place] = error.reason
        return start, images, bad

    with ThreadPoolExecutor(WORKERS) as pool:
        yield from _ahead(pool, decode_batch, range(0, len(names), BATCH))


def _ahead(pool: ThreadPoolExecutor, work: Callable, items: Iterable) -> Iterator:
    """Yield `work(item)` in order, with only a few results waiting."""
    waiting: deque = deque()
    for item in items:
        waiting.append(pool.submit(work, item))
        if len(waiting) > AHEAD:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


def _checked(rows: np.ndarray, count: int, classes: int) -> np.ndarray:
    rows = np.asarray(rows)
    if rows.shape != (count, classes):
        raise ValueError(
            f"the model gave {rows.shape} for {counted(count, 'picture')}; expected"
            f" ({count}, {classes}), a probability for each of the class names."
        )
    return rows


def _fallback(
    rows: np.ndarray,
    damaged: dict[int, str],
    class_names: Sequence[str],
    named: str | None,
) -> int:
    """Return the class number that damaged pictures get."""
    if named is not None:
        if named not in class_names:
            raise ValueError(
                f"fallback is {named!r}; expected one of {', '.join(class_names)}."
            )
        return list(class_names).index(named)
    sound = np.delete(rows.argmax(axis=1), list(damaged))
    return int(np.bincount(sound, minlength=len(class_names)).argmax())
