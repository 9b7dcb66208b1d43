"""What a study trains: networks, with and without augmentation, over seeds."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from labkit.errors import LabkitError
from labkit.training.schedule import SCHEDULES


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
    """What a study trains: networks with the same pictures, epochs and settings, or their own.

    Attributes
    ----------
    dataset : str
        A name that `data.load` knows.
    networks : tuple of str
        Their names, in the order of the tables.
    augment : str or tuple of str
        Functions of `labkit.training`, one after the other: each network is trained without
        and with them. "" for without alone.
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
        The peak of the schedule.
    optimizer, schedule : str
        As in `training.fit`.
    views : int
        Above 0, the test pictures are measured once more: the mean over ten views, each
        picture where it is, moved by so many pixels to its four corners, and mirrored.
    own : dict of a network's name to a dict
        What is other for this network: `epochs`, `batch_size`, `learning_rate`, `optimizer`,
        `schedule` or `views`; `augment`, with which alone it is then trained ("" for without);
        `builds`, the network that it is, where several names stand for one.

    Examples
    --------
    >>> from labkit import study
    >>> plan = study.Plan("garments", ("two_layer", "vgg"), seeds=(0, 1), epochs=3)
    >>> [str(training) for training in plan.trainings()][:2]
    ['two_layer, plain, seed 0', 'vgg, plain, seed 0']
    """

    dataset: str
    networks: tuple[str, ...]
    augment: str | tuple[str, ...] = ""
    seeds: tuple[int, ...] = (0,)
    epochs: int = 10
    minutes: float | None = None
    pictures: int | None = None
    held_out: float = 1 / 12
    batch_size: int = 128
    learning_rate: float = 1e-3
    optimizer: str = "adam"
    schedule: str = "one-cycle"
    views: int = 0
    own: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @classmethod
    def of(cls, settings: Mapping[str, Any], where: str) -> Plan:
        """Return the plan that a mapping of these fields describes, such as a header's.

        Raises LabkitError, which begins with `where`, where a field is missing, unknown or
        no such value.
        """
        for name in ("dataset", "networks"):
            if name not in settings:
                raise LabkitError(
                    f"{where} has no {name}; expected {_EXPECTED[name][1]}"
                )
        _require_known(settings, [one.name for one in fields(cls)], where)
        own = settings.get("own", {})
        for name, changes in own.items():
            if name not in settings["networks"]:
                raise LabkitError(
                    f"{where} has settings of {name!r}'s own, which is none of its networks."
                )
            _require_known(changes, OWN, f"{where}, own {name},")
        values = _tuples(settings)
        return cls(
            **values | {"own": {name: _tuples(one) for name, one in own.items()}}
        )

    def of_network(self, network: str) -> Plan:
        """Return the plan with a network's own settings for those of all."""
        changes = {k: v for k, v in self.own.get(network, {}).items() if k != "builds"}
        return replace(self, **changes, own={})

    def builds(self, network: str) -> str:
        """Return the name of what builds a network."""
        return str(self.own.get(network, {}).get("builds", network))

    def kinds(self, network: str) -> tuple[bool, ...]:
        """Return whether a network is trained augmented: False, True or both, in this order."""
        if "augment" in self.own.get(network, {}):
            return (bool(self.own[network]["augment"]),)
        return (False, True) if self.augment else (False,)

    def trainings(self) -> Iterator[Training]:
        """Yield them, a seed after the other: what is there of a study cut short is balanced."""
        for seed in self.seeds:
            for augmented in (False, True):
                for network in self.networks:
                    if augmented in self.kinds(network):
                        yield Training(network, augmented, seed)


OWN = (
    "builds",
    "augment",
    "epochs",
    "batch_size",
    "learning_rate",
    "optimizer",
    "schedule",
    "views",
)


def _require_known(
    settings: Mapping[str, Any], known: Sequence[str], where: str
) -> None:
    """Raise LabkitError where a setting is unknown or has no such value."""
    for name, value in settings.items():
        if name not in known:
            near = difflib.get_close_matches(str(name), known, n=1)
            meant = f"; do you mean {near[0]}?" if near else "."
            raise LabkitError(
                f"{where} has an unknown field {name!r}{meant}"
                f" The fields: {', '.join(known)}"
            )
        fits, expected = _EXPECTED[name]
        if not fits(value):
            raise LabkitError(f"{where} has {name}: {value!r}; expected {expected}")


def _tuples(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings, each list a tuple."""
    return {
        name: tuple(value) if isinstance(value, list) else value
        for name, value in settings.items()
    }


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
        lambda v: isinstance(v, str) or _distinct(v, str),
        "functions of labkit.training, such as random_shift",
    ),
    "seeds": (lambda v: _distinct(v, int), "whole numbers, each once, as [0, 1, 2]"),
    "epochs": (_whole, "a whole number above 0"),
    "minutes": (_positive, "a number above 0"),
    "pictures": (_whole, "a whole number above 0"),
    "held_out": (lambda v: _positive(v) and v < 1, "a share between 0 and 1"),
    "batch_size": (_whole, "a whole number above 0"),
    "learning_rate": (_positive, "a number above 0"),
    "optimizer": (lambda v: v in ("adam", "sgd"), "adam or sgd"),
    "schedule": (lambda v: v in SCHEDULES, f"one of {', '.join(SCHEDULES)}"),
    "views": (lambda v: v == 0 or _whole(v), "a whole number of pixels"),
    "builds": (lambda v: isinstance(v, str), "the name of a network"),
    "own": (
        lambda v: (
            isinstance(v, dict) and all(isinstance(one, dict) for one in v.values())
        ),
        "settings by a network's name, such as {vgg: {learning_rate: 0.01}}",
    ),
}
