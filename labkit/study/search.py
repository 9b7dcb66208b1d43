"""Four ways to look for good settings, on one budget: by hand, grid, random, and a sampler that learns."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import product
from math import prod
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from labkit.errors import LabkitError
from labkit.files import content_hash

if TYPE_CHECKING:  # slow to import
    import optuna

Settings = dict[str, Any]


@dataclass(frozen=True)
class Trial:
    """One set of settings that was tried, and its score."""

    settings: Settings
    score: float


def search(
    objective: Callable[[Settings], float],
    space: Mapping[str, tuple[float, float]],
    *,
    by_hand: Sequence[Settings],
    grid: Mapping[str, Sequence[float]],
    path: str | Path,
    seed: int = 0,
) -> dict[str, list[Trial]]:
    """Try as many settings by hand, on a grid, at random, and by Optuna's default sampler.

    The budget is the number of settings tried by hand. All trials are in one file, so a
    search that was interrupted goes on, and ends as if nothing had happened.

    Parameters
    ----------
    objective : function
        `objective(settings)` -> score, the higher the better. It must never look at the
        test pictures.
    space : mapping of a name to (low, high)
        Where random search and the sampler draw from, log-uniformly; both above 0.
    by_hand : list of dict
        What somebody would try, in order.
    grid : mapping of a name to values
        All their combinations are tried.
    path : path
        Optuna's journal. A file that was begun with other settings has to be removed first.
    seed : int
        Of random search and the sampler.

    Returns
    -------
    dict of "by hand", "grid", "random" and "sampler" to lists of Trial

    Raises
    ------
    LabkitError
        The grid has more or fewer combinations than there are settings by hand, names
        differ, or the file is of another search.

    Examples
    --------
    >>> from labkit import study
    >>> hand = [{"x": 1.0}, {"x": 3.0}, {"x": 9.0}]
    >>> found = study.search(
    ...     lambda settings: -abs(settings["x"] - 4),
    ...     {"x": (1.0, 10.0)}, by_hand=hand, grid={"x": [1.0, 5.0, 10.0]}, path="x.log",
    ... )
    >>> max(found["grid"], key=lambda trial: trial.score)
    Trial(settings={'x': 5.0}, score=-1.0)
    """
    import optuna

    _require_fit(space, by_hand, grid)
    budget = len(by_hand)
    on_grid = [
        dict(zip(grid, values, strict=True)) for values in product(*grid.values())
    ]
    distributions: dict[str, Any] = {
        name: optuna.distributions.FloatDistribution(low, high, log=True)
        for name, (low, high) in space.items()
    }

    def given(settings: Sequence[Settings], kept: optuna.Study, number: int) -> None:
        score = float(objective(dict(settings[number])))
        trial = optuna.create_trial(
            params=dict(settings[number]), distributions=distributions, value=score
        )
        kept.add_trial(trial)

    def drawn(sampler: Callable[..., Any], kept: optuna.Study, number: int) -> None:
        # A sampler of its own for each trial: one that goes on with the seed that it began
        # with would draw the same numbers again.
        kept.sampler = sampler(seed=_seed(seed, number))
        trial = kept.ask(distributions)
        kept.tell(trial, float(objective(dict(trial.params))))

    # By itself it begins with ten random trials, which may be the whole budget.
    learning = partial(optuna.samplers.TPESampler, n_startup_trials=max(1, budget // 3))
    ways: dict[str, Callable[[optuna.Study, int], None]] = {
        "by hand": partial(given, by_hand),
        "grid": partial(given, on_grid),
        "random": partial(drawn, optuna.samplers.RandomSampler),
        "sampler": partial(drawn, learning),
    }
    identity = [seed, sorted(space.items()), list(by_hand), sorted(grid.items())]
    with _journal(Path(path), content_hash(json.dumps(identity))) as open_way:
        return {
            way: _completed(open_way(way), attempt, budget)
            for way, attempt in ways.items()
        }


@contextlib.contextmanager
def _journal(path: Path, identity: str) -> Iterator[Callable[[str], optuna.Study]]:
    """Yield what opens a way's trials in the file; Optuna is quiet meanwhile."""
    import optuna
    from optuna.storages.journal import JournalFileBackend

    path.parent.mkdir(parents=True, exist_ok=True)
    storage = optuna.storages.JournalStorage(JournalFileBackend(str(path)))

    def open_way(way: str) -> optuna.Study:
        kept = optuna.create_study(
            storage=storage, study_name=way, direction="maximize", load_if_exists=True
        )
        if kept.user_attrs.get("identity", identity) != identity:
            raise LabkitError(
                f"{path} was begun by a search with other settings. Remove it, or give"
                " another path."
            )
        kept.set_user_attr("identity", identity)
        return kept

    before = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    try:
        yield open_way
    finally:
        optuna.logging.set_verbosity(before)


def _completed(
    kept: optuna.Study,
    attempt: Callable[[optuna.Study, int], None],
    budget: int,
) -> list[Trial]:
    """Try what the budget leaves, and return all of a way's trials."""
    from optuna.trial import TrialState

    for cut_off in kept.get_trials(states=(TrialState.RUNNING,)):
        kept.tell(cut_off.number, state=TrialState.FAIL)  # its process was ended
    for number in range(len(_trials(kept)), budget):
        attempt(kept, number)
    return _trials(kept)


def _trials(kept: optuna.Study) -> list[Trial]:
    from optuna.trial import TrialState

    return [
        Trial(dict(trial.params), trial.value)
        for trial in kept.get_trials(states=(TrialState.COMPLETE,))
        if trial.value is not None
    ]


def _seed(seed: int, number: int) -> int:
    """Return a trial's own seed."""
    return int(np.random.SeedSequence([seed, number]).generate_state(1)[0])


def _require_fit(
    space: Mapping[str, tuple[float, float]],
    by_hand: Sequence[Settings],
    grid: Mapping[str, Sequence[float]],
) -> None:
    """Raise LabkitError where the four ways have not one budget and the same names."""
    combinations = prod(len(values) for values in grid.values())
    if combinations != len(by_hand):
        raise LabkitError(
            f"by hand there are {len(by_hand)} sets of settings, on the grid {combinations};"
            " expected as many: the four ways share one budget."
        )
    for what, names in [("grid", grid), *(("by_hand", one) for one in by_hand)]:
        if set(names) != set(space):
            raise LabkitError(
                f"{what} has the settings {', '.join(names)}; expected those of the"
                f" space: {', '.join(space)}."
            )
    tried = [(name, value) for one in by_hand for name, value in one.items()]
    tried += [(name, value) for name, values in grid.items() for value in values]
    for name, value in tried:
        low, high = space[name]
        if not 0 < low <= value <= high:
            raise LabkitError(
                f"{name} is to be tried at {value:g}; expected a number from {low:g} to"
                f" {high:g}, the ends of the space, both above 0."
            )
