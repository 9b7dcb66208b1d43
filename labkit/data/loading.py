"""`load`: real data where it can be had, else the stand-in, and never in silence."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from labkit import profile
from labkit.data import download, hashes, layouts, registry, sources, standins
from labkit.data.dataset import Dataset
from labkit.data.errors import DataError
from labkit.data.notices import say
from labkit.data.registry import Entry
from labkit.files import content_hash

# What is larger is downloaded only where somebody asks for it.
UNASKED = 250 * 10**6


def load(name: str, size: int | None = None) -> Dataset:
    """Return a data set by name.

    Looks in the folder LABKIT_DATA, in the cache, and on the network (not where LABKIT_OFFLINE=1), and gives
    the offline stand-in where it finds none; that is printed, and `stand_in` is True. Under the profile
    "grading" it is always the stand-in.

    Parameters
    ----------
    name : str
        "mnist", "fashion_mnist", "cifar10", "simpsons", "cats_dogs", or a stand-in's: "digits", "garments",
        "shapes", "faces", "pets".
    size : int, optional
        The side of the square pictures in pixels, for those that come as files of any size: "simpsons" and
        "faces" (28 where None), "cats_dogs" and "pets" (32).

    Returns
    -------
    dataset : Dataset
        Training and test images, uint8, and their labels.

    Raises
    ------
    DataError
        The name is unknown, or a file in LABKIT_DATA is missing, damaged or not the published one.
    ValueError
        `size` is below 1, or the data set's images have one size.

    Examples
    --------
    >>> from labkit import data
    >>> d = data.load("digits")
    >>> d.train_images.shape, d.train_labels.dtype, d.stand_in
    ((1437, 28, 28), dtype('int64'), True)
    >>> data.load("mnits")  # doctest: +ELLIPSIS
    Traceback (most recent call last):
    ...
    labkit.data.errors.DataError: There is no data set 'mnits'; expected one of mnist, ... Did you mean 'mnist'?
    """
    if name not in standins.NAMES:
        entry = registry.entry(name)
        _check_size(size, entry.size > 0, name)
        if profile.name() != "grading":
            return _load_real(entry, size) or standins.make(entry.stand_in, size)
        name = entry.stand_in
    _check_size(size, name in standins.SIZES, name)
    return standins.make(name, size)


def load_folder(path: str | Path, size: int = 32, *, training: float = 0.8) -> Dataset:
    """Return your own pictures, from a folder or a zip file, as RGB squares of `size` pixels.

    A picture's class is its folder's name (cat/1.jpg), or what its own name begins with where all lie in one
    folder (cat.1.jpg). Which files are pictures their content decides; damaged ones, and files that are none,
    are left out and listed in .damaged. The first load decodes on all cores into the cache; later ones map its
    file into memory.

    Parameters
    ----------
    path : path
        The folder or zip file.
    size : int
        The side in pixels that each picture is stretched to.
    training : float
        The share of the pictures, shuffled always in the same way, that is for training, 0..1; the rest is
        the test set.

    Returns
    -------
    dataset : Dataset
        With the classes that were found, sorted.

    Raises
    ------
    DataError
        The path holds no such pictures.
    ValueError
        `size` or `training` is out of range.

    Examples
    --------
    >>> from pathlib import Path
    >>> from PIL import Image
    >>> from labkit import data
    >>> for name in ("cat", "dog"):
    ...     Path("pictures", name).mkdir(parents=True, exist_ok=True)
    ...     for number in range(5):
    ...         Image.new("RGB", (40, 30)).save(f"pictures/{name}/{number}.png")
    >>> d = data.load_folder("pictures", size=16)
    >>> d.class_names, d.train_images.shape, d.test_images.shape
    (('cat', 'dog'), (8, 16, 16, 3), (2, 16, 16, 3))
    """
    path = Path(path).expanduser()
    if size < 1:
        raise ValueError(f"size is {size}; expected at least 1 pixel")
    if not 0 <= training <= 1:
        raise ValueError(f"training is {training}; expected a share from 0 to 1")
    if not path.exists():
        raise DataError(
            f"{path} does not exist; expected a folder or a zip file of pictures."
        )
    # one place in the cache for each folder, so that what is outdated is removed
    kept_as = f"folder-{content_hash(str(path.resolve()))[:12]}"
    fields = layouts.labelled(kept_as, path, size, training=training)
    return Dataset(name=path.stem, source=str(path), **fields)


def _check_size(size: int | None, adjustable: bool, name: str) -> None:
    if size is not None and not adjustable:
        raise ValueError(f"the images of {name!r} have one size; leave out size={size}")
    if size is not None and size < 1:
        raise ValueError(f"size is {size}; expected at least 1 pixel")


def _load_real(entry: Entry, size: int | None) -> Dataset | None:
    """Return the data itself, or None after saying why the stand-in is used."""
    problems = []
    found = sources.find(entry)
    root = sources.data_folder()
    if root and not any(source.origin == sources.CONFIGURED for source in found):
        problems.append(f"LABKIT_DATA ({root}) does not hold it")
    for source in found:
        try:
            return _with_remarks(source.load(size), problems)
        except DataError as error:
            # what somebody chose is never replaced behind their back; a spoilt cache may be
            if source.origin == sources.CONFIGURED:
                raise
            problems.append(str(error))
    try:
        return _with_remarks(_download(entry), problems)
    except DataError as error:
        problems.append(str(error))
    because = " ".join("; ".join(problems).split())
    say(f"Stand-in data: {entry.stand_in} in place of {entry.title}, because {because}")
    return None


def _with_remarks(dataset: Dataset, problems: list[str]) -> Dataset:
    if problems:
        say(f"{dataset.name}: {'; '.join(problems)}. Loaded from the {dataset.source}.")
    return dataset


def _download(entry: Entry) -> Dataset:
    """Return the data set from the network; DataError, quickly, where there is none, or it is large."""
    size = sum(file.size for file in entry.files)
    if not entry.files or size > UNASKED:
        raise DataError(
            f"it is not on this machine. For the real data type `labkit data fetch {entry.name}`"
            + (f" ({size / 1e6:,.0f} MB)." if size else f". Or: {entry.manual}")
        )
    if not download.offline() and not download.reachable(entry):
        raise DataError(
            "no server that has it can be reached. For the real data type "
            f"`labkit data fetch {entry.name}` where there is a network."
        )
    download.fetch(entry.name)
    return next(s for s in sources.find(entry) if s.origin == sources.CACHED).load()


@dataclass(frozen=True)
class Item:
    """One data set of the inventory.

    Attributes
    ----------
    name, title, licence, stand_in : str
        Of the data set, and the name of the stand-in that takes its place.
    present : str
        Where it is, "" where it is not.
    size : int
        Bytes on disk, or to be downloaded; 0 where that is not known.
    missing : tuple of str
        The files that are not there, where others are.
    partial : bool
        Whether some of its files are here, but not all.
    lacks : str
        Why it cannot be used, in words.
    """

    name: str
    title: str
    present: str
    size: int
    licence: str
    stand_in: str
    missing: tuple[str, ...] = ()

    @property
    def partial(self) -> bool:
        """Whether some files are missing."""
        return bool(self.missing)

    @property
    def lacks(self) -> str:
        """Return "absent", or which files are missing."""
        if not self.missing:
            return "absent"
        return f"incomplete: lacks {', '.join(self.missing)}"


def inventory() -> list[Item]:
    """Return every data set of the registry and where it is on this machine.

    Returns
    -------
    items : list of Item
        In the registry's order.

    Raises
    ------
    DataError
        LABKIT_DATA names no folder.

    Examples
    --------
    >>> from labkit import data
    >>> [item.name for item in data.inventory()]
    ['mnist', 'fashion_mnist', 'cifar10', 'simpsons', 'cats_dogs']
    """
    return [_item(entry) for entry in registry.entries().values()]


def _item(entry: Entry) -> Item:
    found = sources.find(entry)
    whole = [source for source in found if not source.missing()]
    return Item(
        name=entry.name,
        title=entry.title,
        present=f"{whole[0].origin}: {whole[0].folder}" if whole else "",
        size=whole[0].bytes_on_disk()
        if whole
        else sum(file.size for file in entry.files),
        licence=entry.licence,
        stand_in=entry.stand_in,
        missing=tuple(found[0].missing()) if found and not whole else (),
    )


def verify(name: str) -> list[hashes.FileCheck]:
    """Check each file of a data set, in LABKIT_DATA and in the cache.

    Parameters
    ----------
    name : str
        As in `load`, but not a stand-in's: those have no files.

    Returns
    -------
    checks : list of FileCheck
        Each with `ok`: True, False, or None where no hash is published.

    Raises
    ------
    DataError
        The name is unknown, or there is no file.

    Examples
    --------
    A file that was cut short:

    >>> import os
    >>> from pathlib import Path
    >>> from labkit import data
    >>> Path("course_data/mnist").mkdir(parents=True)
    >>> Path("course_data/mnist/t10k-labels-idx1-ubyte.gz").write_bytes(b"1f8b")
    4
    >>> os.environ["LABKIT_DATA"] = "course_data"
    >>> {check.file.name: check.found[:14] for check in data.verify("mnist")}["t10k-labels-idx1-ubyte.gz"]
    'sha256:bee6870'
    """
    entry = registry.entry(name)
    found = sources.find(entry)
    if not found:
        get = entry.manual or f"Type `labkit data fetch {entry.name}`."
        raise DataError(
            f"{entry.title} is neither in LABKIT_DATA nor in the cache. {get}"
        )
    return [result for source in found for result in source.checks()]


def photograph(name: str = "china") -> np.ndarray:
    """Return one of scikit-learn's photographs.

    Parameters
    ----------
    name : str
        "china" or "flower".

    Returns
    -------
    photograph : array (427, 640, 3), uint8
        RGB.

    Raises
    ------
    DataError
        There is no photograph of that name.

    Examples
    --------
    >>> from labkit import data
    >>> data.photograph("flower").shape
    (427, 640, 3)
    """
    from sklearn.datasets import load_sample_images

    sample = load_sample_images()
    photographs = dict(
        zip((Path(f).stem for f in sample.filenames), sample.images, strict=True)
    )
    if name not in photographs:
        raise DataError(
            f"There is no photograph {name!r}; expected one of {', '.join(photographs)}."
        )
    return photographs[name]
