"""What a study trains: networks, with and without augmentation, over seeds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

from labkit.errors import LabkitError


@dataclass(frozen=True)
class Training:
    """One training of a study: a network's name, augmented or not, and its seed."""

    network: str
    augmented: bool
    seed: int

    def __str__(self) -> str:
        how = "augmented" if self.augmented else "plain"
        return f"{self.network}, {how}, seed {self.seed}"

    @property
    def file_name(self) -> str:
        """What its files are called, without a suffix."""
        return (
            f"{self.network}-{'augmented' if self.augmented else 'plain'}-{self.seed}"
        )


@dataclass(frozen=True)
class Plan:
    """What a study trains. All its networks get the same pictures, epochs and settings.

    Attributes
    ----------
    dataset : str
        A name that `data.load` knows.
    networks : tuple of str
        Their names, in the order of the tables.
    augment : str
        A function of `labkit.training`: each network is trained without and with it. ""
        for without alone.
    seeds : tuple of int
        Each network is trained once with each.
    epochs : int
    minutes : float, optional
        The most that one training takes, as in `training.fit`; a network then trains fewer
        epochs on a slow machine.
    pictures : int, optional
        How many training pictures are used, the first ones; all where None.
    held_out : float
        The share of them, the last ones, that is only measured: what may be chosen by.
    batch_size : int
    learning_rate : float
        The peak of a one-cycle schedule.

    Examples
    --------
    >>> from labkit import study
    >>> plan = study.Plan("garments", ("two_layer", "vgg"), seeds=(0, 1), epochs=3)
    >>> [str(training) for training in plan.trainings()][:2]
    ['two_layer, plain, seed 0', 'vgg, plain, seed 0']
    """

    dataset: str
    networks: tuple[str, ...]
    augment: str = ""
    seeds: tuple[int, ...] = (0,)
    epochs: int = 10
    minutes: float | None = None
    pictures: int | None = None
    held_out: float = 1 / 12
    batch_size: int = 128
    learning_rate: float = 1e-3

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str) -> Plan:
        """Return the plan that a mapping of these fields describes, such as a header's.

        Raises LabkitError, which begins with `where`, where a field is missing, unknown or
        no such value.
        """
        known = {field.name: field for field in fields(cls)}
        for name in settings:
            if name not in known:
                near = difflib.get_close_matches(str(name), known, n=1)
                meant = f"; do you mean {near[0]}?" if near else "."
                raise LabkitError(
                    f"{where} has an unknown field {name!r}{meant}"
                    f" The fields: {', '.join(known)}"
                )
        for name, (fits, expected) in _EXPECTED.items():
            if name not in settings and name in ("dataset", "networks"):
                raise LabkitError(f"{where} has no {name}; expected {expected}")
            if name in settings and not fits(settings[name]):
                raise LabkitError(
                    f"{where} has {name}: {settings[name]!r}; expected {expected}"
                )
        values: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in settings.items()
        }
        return cls(**values)

    def trainings(self) -> Iterator[Training]:
        """Yield them, a seed after the other: what is there of a study cut short is balanced."""
        for seed in self.seeds:
            for augmented in (False, True) if self.augment else (False,):
                for network in self.networks:
                    yield Training(network, augmented, seed)


def _whole(value: Any) -> bool:
    return type(value) is int and value >= 1


def _positive(value: Any) -> bool:
    return type(value) in (int, float) and 0 < value < float("inf")


def _distinct(value: Any, kind: type) -> bool:
    return (
        isinstance(value, list)
        and len(value) == len(set(map(str, value))) > 0
        and all(type(one) is kind for one in value)
    )


_EXPECTED = {
    "dataset": (lambda v: isinstance(v, str), "a data set, such as mnist"),
    "networks": (
        lambda v: _distinct(v, str),
        "names, each once, such as [two_layer, vgg]",
    ),
    "augment": (
        lambda v: isinstance(v, str),
        "a function of labkit.training, such as random_shift",
    ),
    "seeds": (lambda v: _distinct(v, int), "whole numbers, each once, as [0, 1, 2]"),
    "epochs": (_whole, "a whole number above 0"),
    "minutes": (_positive, "a number above 0"),
    "pictures": (_whole, "a whole number above 0"),
    "held_out": (lambda v: _positive(v) and v < 1, "a share between 0 and 1"),
    "batch_size": (_whole, "a whole number above 0"),
    "learning_rate": (_positive, "a number above 0"),
}
