"""What a team's report is made of, in one file without code: arrays and texts."""

import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np

from labkit import files
from labkit.errors import LabkitError

MISTAKES = 24
LARGEST = 256 * 2**20  # bytes, unpacked
RUN_FILE = "run.npz"
_TEXTS = ("team", "data", "summary", "foretold")
_NUMBERS = {"labels": 1, "probabilities": 2, "mistakes": 1, "pictures": 4}
_KERNELS = ("filters_before", "filters_after")


@dataclass(frozen=True, eq=False, repr=False)
class Evidence:
    """A trained network on its N held-out pictures.

    Attributes
    ----------
    class_names : tuple of str
        The C classes.
    labels, probabilities : array (N,), array (N, C)
        The true class numbers, and what the network says.
    mistakes, pictures : array (K,), array (K, H, W, 3) uint8
        Indices of the surest wrong answers, and their pictures.
    history : dict
        Name -> one value an epoch.
    filters_before, filters_after : array (F, k, k, 3), float32
        The first layer's weights, before and after the training.
    summary, foretold, data, team : str
        The model's layers, what score is expected, where the data came from, whose it is.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray
    probabilities: np.ndarray
    mistakes: np.ndarray
    pictures: np.ndarray
    history: dict[str, list[float]]
    filters_before: np.ndarray
    filters_after: np.ndarray
    summary: str = ""
    foretold: str = ""
    data: str = ""
    team: str = ""

    @classmethod
    def of(
        cls,
        model: Any,
        images: np.ndarray,
        labels: np.ndarray,
        probabilities: np.ndarray,
        class_names: Sequence[str],
        *,
        history: Mapping[str, Sequence[float]],
        filters_before: np.ndarray | None = None,
        **texts: str,
    ) -> "Evidence":
        """Gather what a report needs from a trained Keras model and its held-out pictures.

        Parameters
        ----------
        model : keras.Model
            With a convolution layer.
        images, labels, probabilities, class_names
            The N held-out pictures, their class numbers, and what the model says of them.
        history : mapping
            Name -> one value an epoch.
        filters_before : array, optional
            `first_layer(model)` from before the training.
        **texts : str
            foretold, data, team.

        Raises
        ------
        LabkitError
            The model has no convolution layer.
        """
        labels, probabilities = np.asarray(labels), np.asarray(probabilities)
        said, sure = probabilities.argmax(axis=1), probabilities.max(axis=1)
        wrong = np.flatnonzero(said != labels)
        worst = wrong[np.argsort(-sure[wrong], kind="stable")][:MISTAKES]
        after = first_layer(model)
        return cls(
            class_names=tuple(class_names),
            labels=labels,
            probabilities=probabilities.astype(np.float32),
            mistakes=worst,
            pictures=np.asarray(images)[worst],
            history={name: [float(v) for v in row] for name, row in history.items()},
            filters_before=after if filters_before is None else filters_before,
            filters_after=after,
            summary=_summary(model),
            **{name: str(text) for name, text in texts.items()},
        )

    def save(self, path: Path | str = RUN_FILE) -> Path:
        """Write everything into one .npz file, in one step; returns its path."""
        texts = {name: getattr(self, name) for name in _TEXTS}
        texts |= {"class_names": self.class_names, "history": self.history}
        arrays = {name: getattr(self, name) for name in (*_NUMBERS, *_KERNELS)}
        stream = BytesIO()
        np.savez_compressed(stream, texts=np.array(json.dumps(texts)), **arrays)
        files.write_bytes(Path(path), stream.getvalue())
        return Path(path)

    @classmethod
    def load(cls, path: Path | str) -> "Evidence":
        """Read what `save` wrote; raises LabkitError for anything else. Runs no code."""
        path = Path(path)
        try:
            _check_size(path)
            with np.load(path, allow_pickle=False) as stored:
                found = {name: stored[name] for name in (*_NUMBERS, *_KERNELS)}
                texts = json.loads(str(stored["texts"]))
            return _checked(cls(**found, **_texts(texts)))
        except LabkitError:
            raise
        except FileNotFoundError:
            raise LabkitError(
                f"{path}: no such file. The competition's lab writes it, in its last section."
            ) from None
        # A student's file: it may be broken in any way, and none of them is ours.
        except Exception as error:
            raise LabkitError(
                f"{path}: not what `kaggle.Evidence.save` writes"
                f" ({type(error).__name__}: {str(error)[:100]}). Run the lab again."
            ) from None


def first_layer(model: Any) -> np.ndarray:
    """Return the weights of a model's first convolution layer, float32 (F, k, k, C)."""
    import keras

    for layer in model.layers:
        if isinstance(layer, keras.layers.Conv2D):
            return np.moveaxis(np.asarray(layer.get_weights()[0]), -1, 0)
    raise LabkitError(
        f"{model.name} has no Conv2D layer, so it has no filters to draw."
    )


def _summary(model: Any) -> str:
    """Keras's table of a model's layers."""
    from IPython.utils.capture import capture_output

    lines: list[str] = []
    # In a notebook Rich, which draws it, also shows what is left to print: an empty output.
    with capture_output():
        model.summary(print_fn=lambda text, **_: lines.append(text), line_length=80)
    return "\n".join(lines)


def _check_size(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > LARGEST:
        raise LabkitError(f"{path}: {size:,} bytes unpacked; at most {LARGEST:,}.")


def _texts(texts: dict) -> dict:
    known = {field.name for field in fields(Evidence)}
    history = {
        str(name): [float(value) for value in row]
        for name, row in texts.pop("history").items()
    }
    names = tuple(str(name) for name in texts.pop("class_names"))
    plain = {name: str(text) for name, text in texts.items() if name in known}
    return {"class_names": names, "history": history, **plain}


def _checked(found: Evidence) -> Evidence:
    count, classes = len(found.labels), len(found.class_names)
    for name, dimensions in _NUMBERS.items():
        if getattr(found, name).ndim != dimensions:
            raise ValueError(f"{name} has {getattr(found, name).ndim} dimensions")
    right = (
        count > 0
        and found.probabilities.shape == (count, classes)
        and np.isfinite(found.probabilities).all()
        and 0 <= found.labels.min() <= found.labels.max() < classes
        and len(found.pictures) == len(found.mistakes)
        and (not len(found.mistakes) or found.mistakes.min() >= 0)
        and (not len(found.mistakes) or found.mistakes.max() < count)
        and found.pictures.dtype == np.uint8
        and found.filters_before.shape == found.filters_after.shape
    )
    if not right:
        raise ValueError("its arrays do not belong together")
    return found
