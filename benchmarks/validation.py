"""How far a held-out score is from the leaderboard's: random split, whole groups, ours.

    LABKIT_DATA=<folder> python benchmarks/validation.py [--seeds 3] [--epochs 12]

The real test labels are hidden, so a fifth of the training pictures plays the hidden test
set: drawn at random, as the real one is (as many of it are near-duplicates of training
pictures), and in whole groups, as if it came from other films. On the rest a network is
trained behind each split and scored on its own held-out pictures and on that test set.
"""

from __future__ import annotations

from typing import Annotated

# First of all, so that it can keep TensorFlow's start-up lines away.
from labkit import data, kaggle, models, training
from labkit.kaggle.duplicates import near_duplicates

# isort: split
import keras
import numpy as np
import typer
from sklearn.model_selection import GroupShuffleSplit, train_test_split


def main(
    seeds: Annotated[int, typer.Option(help="Hidden tests drawn of each kind.")] = 3,
    epochs: Annotated[int, typer.Option(help="Of each training.")] = 12,
) -> None:
    """Print by how much each way of holding pictures out misses the hidden score."""
    d = data.load("simpsons")
    print(d.source, "STAND-IN DATA" if d.stand_in else "", flush=True)
    x, y = d.train_images, d.train_labels
    groups = near_duplicates(x)
    print("held-out score minus the score on the hidden test, in percentage points")
    for kind in ("random", "other scenes"):
        missed = {}
        for seed in range(seeds):
            rest, hidden = divide(kind, groups, seed)
            for name, miss in misses(x, y, rest, hidden, epochs, seed):
                missed.setdefault(name, []).append(100 * miss)
                print(f"  test: {kind:12} seed {seed} {name:24} {100 * miss:+.1f}")
        for name, values in missed.items():
            typical = np.mean(np.abs(values))
            print(
                f"test: {kind:12} {name:24} mean {np.mean(values):+.1f}, typical {typical:.1f}",
                flush=True,
            )


def divide(kind, groups, seed):
    """Indices (rest, hidden): a fifth hidden, at random or in whole groups."""
    if kind == "random":
        return train_test_split(
            np.arange(len(groups)), test_size=0.2, random_state=seed
        )
    splitter = GroupShuffleSplit(1, test_size=0.2, random_state=seed)
    return next(splitter.split(groups, groups=groups))


def misses(x, y, rest, hidden, epochs, seed):
    """Yield (split, held-out score minus the hidden test's), the same network for each pair."""
    train, held_out = train_test_split(rest, test_size=0.2, random_state=seed)
    right = answers(x, y, train, epochs, seed)
    yield "random split", np.mean(right(held_out)) - np.mean(right(hidden))
    parts = kaggle.split(x[rest], y[rest], x[hidden], seed=seed)
    right = answers(x, y, rest[parts.train], epochs, seed)
    new, copies = right(rest[parts.new]), right(rest[parts.copies])
    leaderboard = np.mean(right(hidden))
    yield "whole groups", np.mean(new) - leaderboard
    foretold = parts.foretell(new, copies)
    yield "groups and copies (ours)", foretold.accuracy - leaderboard


def answers(x, y, train, epochs, seed):
    """Train a network; returns a function: indices -> which of them it gets right."""
    keras.utils.set_random_seed(seed)
    network = models.simpsons_cnn(x.shape[1], int(y.max()) + 1)
    training.fit(
        network,
        x[train],
        y[train],
        epochs=epochs,
        batch_size=64,
        learning_rate=3e-3,
        weight_decay=0.01,
        label_smoothing=0.1,
        augment=lambda images, rng: training.random_flip(
            training.random_shift(images, rng), rng
        ),
        progress="none",
        seed=seed,
    )
    return lambda some: (
        training.predict(network, x[some], flips=True).argmax(axis=1) == y[some]
    )


if __name__ == "__main__":
    typer.run(main)
