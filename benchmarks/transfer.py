"""Lab 08's ways to tell cats from dogs, over several splits: right answers, with intervals.

    LABKIT_DATA=<folder> python benchmarks/transfer.py best_cnn.keras
    LABKIT_DATA=<folder> python benchmarks/transfer.py best_cnn.keras --ways frozen --seeds 6
    LABKIT_DATA=<folder> python benchmarks/transfer.py best_cnn.keras --ways imagenet
    LABKIT_DATA=<folder> python benchmarks/transfer.py best_cnn.keras --ways imagenet_own

best_cnn.keras is a network for CIFAR-10, such as lab 05 keeps in the cache. Each way learns
from 800 of 1,000 pictures and is tested with the other 200, groups of near-duplicates on
one side; each seed is another split and another training. The functions are the lab's own.
What is done is kept in a file: the same command goes on where it was interrupted.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

from labkit import data, kaggle, training
from labkit.labs.functions import lab_functions
from labkit.labs.lab import find_labs, read_lab
from labkit.models import pretrained

# isort: split
import keras
import numpy as np
import typer
from scipy import stats

SOLUTIONS = Path(__file__).resolve().parents[1] / "solutions"
KEPT = SOLUTIONS.parent / "build" / "transfer.json"
# Where CIFAR-10 has cats and dogs.
PAIR = [3, 5]
SIZES = (25, 50, 100, 200, 400, 800)
DRAWS = 5


@dataclass
class Task:
    """A split of the thousand pictures, the lab's functions, and the network to build on."""

    lab: dict[str, Callable[..., Any]]
    known: keras.Model
    seed: int

    def __post_init__(self) -> None:
        self.pictures, self.labels = thousand(32)
        split = kaggle.split(self.pictures, self.labels, share=0.2, seed=self.seed)
        self.test = split.new
        self.train = np.setdiff1d(np.arange(len(self.labels)), self.test)
        keras.utils.set_random_seed(self.seed)

    def right(self, probabilities: np.ndarray) -> list[float]:
        """How many of the test pictures are right, and of how many."""
        hits = probabilities.argmax(axis=1) == self.labels[self.test]
        return [int(hits.sum()), len(hits)]

    def judged(self, table: np.ndarray, some: np.ndarray | None = None) -> list[float]:
        """The same, of a regression on some of the training pictures' features."""
        some = self.train if some is None else some
        regression = self.lab["judge"]().fit(table[some], self.labels[some])
        return self.right(regression.predict_proba(table[self.test]))


def thousand(size: int) -> tuple[np.ndarray, np.ndarray]:
    """The lab's pictures and labels."""
    found = data.load("cats_dogs", size=size)
    parts = [found.train_images[:1000], found.test_images[:1000]]
    pictures = np.concatenate(parts)[:1000]
    return pictures, np.concatenate([found.train_labels, found.test_labels])[:1000]


def scratch(size: int) -> Callable[[Task], list[float]]:
    """The sound model, from nothing."""

    def way(task: Task) -> list[float]:
        pictures, labels = thousand(size)
        network, _ = task.lab["trained_sound"](
            pictures[task.train], labels[task.train], seed=task.seed, progress="text"
        )
        return task.right(task.lab["looked_at"](network, pictures[task.test]))

    return way


def own_outputs(task: Task) -> list[float]:
    """The network's outputs for cat and dog, without a training."""
    shown = task.pictures[task.test]
    return task.right(training.predict(task.known, shown, flips=True)[:, PAIR])


def frozen(task: Task) -> list[float]:
    """A regression on frozen features."""
    return task.judged(task.lab["both_sides"](task.pictures))


def few(task: Task) -> list[float]:
    """The regression's mean accuracy for each of `SIZES`, over some draws of so many."""
    table = task.lab["both_sides"](task.pictures)
    rng = np.random.default_rng(task.seed)
    means = []
    for size in SIZES:
        shares = []
        for _ in range(DRAWS if size < len(task.train) else 1):
            labels = task.labels[task.train]
            some = task.lab["split"](labels, min(1, size / len(labels)), rng)[1]
            hits, count = task.judged(table, task.train[some])
            shares.append(hits / count)
        means.append(float(np.mean(shares)))
    return means


def fine_tuned(task: Task) -> list[float]:
    """The network trained on, its first layer frozen."""
    tuned, _ = task.lab["fine_tuned"](
        task.pictures[task.train],
        task.labels[task.train],
        seed=task.seed,
        progress="text",
    )
    return task.right(task.lab["looked_at"](tuned, task.pictures[task.test]))


def imagenet_own(task: Task) -> list[float]:
    """All cats' probabilities against all dogs', of a network that learned ImageNet."""
    shown = thousand(160)[0][task.test]
    said = pretrained.imagenet(160).predict(shown, batch_size=50, verbose=0)
    kinds = [said[:, kind].sum(axis=1) for kind in (pretrained.CATS, pretrained.DOGS)]
    return task.right(np.stack(kinds, axis=1))


def imagenet(task: Task) -> list[float]:
    """A regression on the features of a network that learned ImageNet."""
    network = pretrained.imagenet(160)
    part = keras.Model(network.inputs[0], network.layers[-2].output)
    return task.judged(part.predict(thousand(160)[0], batch_size=50, verbose=0))


WAYS: dict[str, Callable[[Task], list[float]]] = {
    "scratch32": scratch(32),
    "scratch64": scratch(64),
    "own": own_outputs,
    "frozen": frozen,
    "tuned": fine_tuned,
    "imagenet_own": imagenet_own,
    "imagenet": imagenet,
    "few": few,
}


def main(
    known: Annotated[Path, typer.Argument(help="A network for CIFAR-10.")],
    ways: Annotated[
        list[str] | None, typer.Option(help="All, or of " + ", ".join(WAYS))
    ] = None,
    seeds: Annotated[int, typer.Option(help="How many splits.")] = 3,
    kept: Annotated[Path, typer.Option(help="Where what is done is kept.")] = KEPT,
) -> None:
    """Train what is not there yet; print each split, the mean and its interval."""
    os.environ["LABKIT_OFFLINE"] = "1"
    lab = lab_functions(read_lab(find_labs(SOLUTIONS, ["08"])[0]))
    network = keras.models.load_model(known)
    lab["both_sides"].__globals__.update(known=network, pair=PAIR)
    done = json.loads(kept.read_text()) if kept.is_file() else {}
    for way in ways or WAYS:
        for seed in range(seeds):
            key = f"{way} {seed}"
            if key in done:
                continue
            begun = time.process_time()
            result = WAYS[way](Task(lab, network, seed))
            done[key] = {"result": result, "cpu": time.process_time() - begun}
            kept.parent.mkdir(parents=True, exist_ok=True)
            kept.write_text(json.dumps(done, indent=1))
        print(line(way, [done[f"{way} {seed}"] for seed in range(seeds)]))


def line(way: str, found: list[dict[str, Any]]) -> str:
    """A row of the table: each split with Wilson's interval, the mean with Student's."""
    results = [one["result"] for one in found]
    cpu = f"{np.median([one['cpu'] for one in found]):.0f} s CPU"
    if way == "few":
        means = np.mean(results, axis=0)
        cells = [f"{size}: {mean:.1%}" for size, mean in zip(SIZES, means, strict=True)]
        return " | ".join([way, *cells, cpu])
    cells = []
    for hits, count in results:
        low, high = stats.binomtest(hits, count).proportion_ci(0.95, method="wilson")
        cells.append(f"{hits / count:.1%} ({low:.0%} to {high:.0%})")
    shares = [hits / count for hits, count in results]
    mean = np.mean(shares)
    half = stats.t.ppf(0.975, len(shares) - 1) * stats.sem(shares)
    return " | ".join([way, *cells, f"{mean:.1%} ± {half:.1%}", cpu])


if __name__ == "__main__":
    typer.run(main)
