"""What a study found: one table, the curves, the errors that all share, every pair compared."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from sklearn.metrics import f1_score, log_loss, roc_auc_score

from labkit.data import Dataset
from labkit.files import replacing, write_text
from labkit.formatting import counted, interval, p_value
from labkit.study.plan import Plan, Training
from labkit.study.statistics import holm

if TYPE_CHECKING:  # a second to import
    import pandas as pd

    from labkit.plots import Figure

MEASURES = (
    "accuracy",
    "log loss",
    "macro F1",
    "macro AUC",
    "calibration error",
    "seconds",
)
PICTURES = 24  # of the errors that all share, so many are drawn


@dataclass(frozen=True, eq=False)
class Outcome:
    """What one training gave.

    Attributes
    ----------
    training : Training
    parameters : int
    seconds : float
    rows : list of dict
        One an epoch, as in `training.History`.
    labels, held_out_labels : array (N,)
        Of the test pictures, and of those that may be chosen by.
    probabilities, held_out_probabilities : float array (N, C)
        The network's, for the same pictures.
    views_probabilities : float array (N, C), optional
        The mean over ten views of each test picture, where the plan asks for views.
    """

    training: Training
    parameters: int
    seconds: float
    rows: list[dict[str, float]]
    labels: np.ndarray
    probabilities: np.ndarray
    held_out_labels: np.ndarray
    held_out_probabilities: np.ndarray
    views_probabilities: np.ndarray | None = None

    @cached_property
    def right(self) -> np.ndarray:
        """Which test pictures it gets right, booleans (N,)."""
        return self.probabilities.argmax(axis=1) == self.labels

    @property
    def accuracy(self) -> float:
        """The share of the test pictures that it gets right."""
        return float(self.right.mean())

    @property
    def views_accuracy(self) -> float | None:
        """The share that it gets right by ten views of each; None where it was not asked."""
        if self.views_probabilities is None:
            return None
        return float(np.mean(self.views_probabilities.argmax(axis=1) == self.labels))

    @property
    def held_out_accuracy(self) -> float:
        """The share of the held-out training pictures that it gets right."""
        said = self.held_out_probabilities.argmax(axis=1)
        return float(np.mean(said == self.held_out_labels))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return Wilson's interval for the accuracy, from 0 to 1.

        It holds what pictures were drawn for the test, not what another training would give.
        `level` is how often such intervals cover the truth.
        """
        share = stats.binomtest(int(self.right.sum()), len(self.right))
        ends = share.proportion_ci(level, method="wilson")
        return float(ends.low), float(ends.high)

    def mcnemar(self, other: Outcome) -> float:
        """Return McNemar's exact two-sided p-value for two trainings and the same pictures.

        Only the pictures on which one is right and the other wrong say anything: were both
        equally good, each of these would fall to either side like a coin. 1.0 where there
        are none. ValueError where the test pictures are not as many.
        """
        if self.right.shape != other.right.shape:
            raise ValueError(
                f"mcnemar compares the same pictures; found {len(self.right)} and"
                f" {len(other.right)}."
            )
        better = int(np.sum(self.right & ~other.right))
        differ = int(np.sum(self.right != other.right))
        return float(stats.binomtest(better, differ).pvalue) if differ else 1.0

    def calibration_error(self, bins: int = 10) -> float:
        """Return how far the highest probabilities lie from the shares right: the ECE.

        Guo and others 2017: bins of equal width, weighted by their pictures. The first is
        [0, 1/bins], each other one (low, high].
        """
        confidence = self.probabilities.max(axis=1)
        edges = np.linspace(0, 1, bins + 1)[1:-1]
        place = np.digitize(confidence, edges, right=True)
        gaps = np.bincount(place, weights=self.right - confidence, minlength=bins)
        return float(np.abs(gaps).sum() / len(confidence))

    @cached_property
    def measures(self) -> dict[str, float]:
        """Every number of MEASURES, on the test pictures."""
        # Rows of float32 are 1 in sum to seven digits only, and scikit-learn minds.
        shares = self.probabilities.astype(float)
        shares /= shares.sum(axis=1, keepdims=True)
        classes, labels = range(shares.shape[1]), self.labels
        one_hot = np.eye(len(classes), dtype=int)[labels]
        said = shares.argmax(axis=1)
        values = (
            self.accuracy,
            log_loss(labels, shares, labels=classes),
            f1_score(labels, said, labels=classes, average="macro", zero_division=0),
            roc_auc_score(one_hot, shares, average="macro"),
            self.calibration_error(),
            self.seconds,
        )
        return dict(zip(MEASURES, map(float, values), strict=True))


@dataclass(frozen=True, eq=False)
class Results:
    """What a study found: its plan, its pictures, and an outcome for each training.

    Attributes
    ----------
    plan : Plan
    dataset : Dataset
    outcomes : list of Outcome
        In the plan's order.
    """

    plan: Plan
    dataset: Dataset
    outcomes: list[Outcome]

    def of(self, network: str, augmented: bool = False) -> list[Outcome]:
        """Return a network's outcomes, one a seed."""
        return [
            one
            for one in self.outcomes
            if (one.training.network, one.training.augmented) == (network, augmented)
        ]

    def _kinds(self) -> Iterator[tuple[str, bool]]:
        """Yield what the seeds repeat: each network, without and with augmentation."""
        for network in self.plan.networks:
            for augmented in self.plan.kinds(network):
                yield network, augmented

    def table(self) -> pd.DataFrame:
        """Return a row for each network, without and with augmentation.

        Each measure is a mean over the seeds, with the ends `low` and `high` of its 95 %
        interval by Student's t beside it. With a single seed nothing is known of other
        trainings: there accuracy has Wilson's interval, which holds the draw of the test
        pictures alone, and the others have none (NaN).
        """
        import pandas as pd

        rows = []
        for network, augmented in self._kinds():
            found = self.of(network, augmented)
            row: dict[str, str | bool | int | float] = {
                "network": network,
                "augmented": augmented,
                "seeds": len(found),
                "parameters": found[0].parameters,
            }
            for name in MEASURES:
                values = [one.measures[name] for one in found]
                low, high = np.nan, np.nan
                if len(values) > 1:
                    low, high = stats.t.interval(
                        0.95, len(values) - 1, np.mean(values), stats.sem(values)
                    )
                elif name == "accuracy":
                    low, high = found[0].interval()
                row |= {name: float(np.mean(values))}
                row |= {f"{name} low": low, f"{name} high": high}
            rows.append(row)
        return pd.DataFrame(rows)

    def trainings(self) -> pd.DataFrame:
        """Return a row for each training, so that whoever has the table can compare them.

        `errors` holds the share that it got wrong while it learned, epoch by epoch, with
        spaces between.
        """
        import pandas as pd

        rows = []
        for one in self.outcomes:
            plan = self.plan.of_network(one.training.network)
            errors = [f"{1 - row['accuracy']:.4f}" for row in one.rows]
            rows.append(
                {
                    "network": one.training.network,
                    "augmented": one.training.augmented,
                    "seed": one.training.seed,
                    "learning_rate": plan.learning_rate,
                    "parameters": one.parameters,
                    "pictures": plan.pictures or len(self.dataset.train_images),
                    "accuracy": one.accuracy,
                    "views": one.views_accuracy,
                    "log loss": one.measures["log loss"],
                    "seconds": round(one.seconds, 1),
                    "errors": " ".join(errors),
                }
            )
        return pd.DataFrame(rows)

    def summary(self) -> pd.DataFrame:
        """Return the table as one reads it: see `readable`."""
        return readable(self.table())

    def pairs(self) -> pd.DataFrame:
        """Return a row for every two that the study compares: is their difference real?

        Compared are every two networks, without and with augmentation, and each network
        without and with it. `p` is McNemar's on the same test pictures; of several seeds the
        largest, and 1 where the seeds disagree which is better: the difference has to be
        there with every seed. `corrected` is by Holm's method for the number of pairs in
        the same `family`.
        """
        import pandas as pd

        families: dict[str, list[tuple]] = {
            "plain": [],
            "augmented": [],
            "augmentation": [],
        }
        for first, second in combinations(self._kinds(), 2):
            if first[1] == second[1]:
                name = "augmented" if first[1] else "plain"
            elif first[0] == second[0]:
                name = "augmentation"
            else:
                continue
            families[name].append((first, second))
        rows = []
        for name, pairs in families.items():
            found = [self._compared(*pair) for pair in pairs]
            corrected = holm([p for _, p in found])
            for (first, second), (gain, p), adjusted in zip(
                pairs, found, corrected, strict=True
            ):
                rows.append(
                    {
                        "family": name,
                        "first": _named(*first),
                        "second": _named(*second),
                        "gain": gain,
                        "p": p,
                        "corrected": adjusted,
                        "real": bool(adjusted < 0.05),
                    }
                )
        return pd.DataFrame(rows)

    def _compared(
        self, first: tuple[str, bool], second: tuple[str, bool]
    ) -> tuple[float, float]:
        """Return how much more the second gets right, in mean, and the p-value."""
        sides = list(zip(self.of(*first), self.of(*second), strict=True))
        gains = np.array([b.accuracy - a.accuracy for a, b in sides])
        p_values = [a.mcnemar(b) for a, b in sides]
        agree = np.all(gains >= 0) or np.all(gains <= 0)
        return float(gains.mean()), max(p_values) if agree else 1.0

    def shared_errors(self) -> np.ndarray:
        """Return which test pictures every training gets wrong: their places, increasing."""
        wrong = np.logical_and.reduce([~one.right for one in self.outcomes])
        return np.flatnonzero(wrong)

    def curves(self) -> Figure:
        """Draw the learning curves of all networks on one sheet."""
        from labkit import plots

        panels = {
            network: {
                "augmented" if augmented else "plain": [
                    [row["val_accuracy"] for row in one.rows]
                    for one in self.of(network, augmented)
                ]
                for kind, augmented in self._kinds()
                if kind == network
            }
            for network in self.plan.networks
        }
        title = self.dataset.title("Accuracy on held-out pictures")
        return plots.curve_sheet(panels, title=title)

    def shared_errors_figure(self) -> Figure:
        """Draw those errors that all share and are surest of: the label, and what is said."""
        from labkit import plots

        wrong, names = self.shared_errors(), self.dataset.class_names
        mean = np.mean([one.probabilities[wrong] for one in self.outcomes], axis=0)
        shown = np.argsort(-mean.max(axis=1), kind="stable")[:PICTURES]
        labels = self.outcomes[0].labels[wrong]
        captions = [f"{names[labels[i]]} → {names[mean[i].argmax()]}" for i in shown]
        trainings = counted(len(self.outcomes), "training")
        title = f"Wrong in all {trainings}: {counted(len(wrong), 'picture')}"
        images = list(self.dataset.test_images[wrong[shown]])
        return plots.image_grid(
            images, captions, title=self.dataset.title(title), columns=8
        )

    def write(self, folder: str | Path) -> list[Path]:
        """Write the tables and figures into a folder; return their paths."""
        folder = Path(folder)
        frames = {
            "table": self.table(),
            "pairs": self.pairs(),
            "trainings": self.trainings(),
        }
        paths = [folder / f"{name}.csv" for name in frames]
        for path, frame in zip(paths, frames.values(), strict=True):
            frame.insert(0, "data", self.dataset.title(self.dataset.name))
            write_text(path, frame.to_csv(index=False))
        figures = {
            "curves.png": self.curves(),
            "shared_errors.png": self.shared_errors_figure(),
        }
        for name, figure in figures.items():
            with replacing(folder / name) as temporary:
                figure.savefig(temporary, format="png", dpi=150)
            paths.append(folder / name)
        return paths


def _named(network: str, augmented: bool) -> str:
    return f"{network}, augmented" if augmented else network


def readable(table: pd.DataFrame) -> pd.DataFrame:
    """Return a study's table as one reads it: means, in brackets their intervals' ends.

    Parameters
    ----------
    table : pandas.DataFrame
        As `Results.table` or `Results.pairs` gives it, whole or in part, or read from the
        table.csv or the pairs.csv that a study wrote.

    Returns
    -------
    pandas.DataFrame
        The same rows; all but the seeds is text.

    Examples
    --------
    >>> import pandas as pd
    >>> from labkit import study
    >>> pair = {"first": "vgg", "second": "one_conv", "gain": -0.0123, "p": 2e-9}
    >>> study.readable(pd.DataFrame([pair | {"real": True}])).loc[0].tolist()
    ['vgg', 'one_conv', '-1.23%', '<\xa00.001', 'yes']
    """
    names = [
        name
        for name in table
        if name != "data" and not name.endswith((" low", " high"))
    ]
    shown = table[names].copy()
    for name in names:
        if f"{name} low" in table:
            ends = table[[name, f"{name} low", f"{name} high"]]
            form = _FORMS.get(name, ".4f")
            shown[name] = [
                _with_ends(mean, low, high, form)
                for mean, low, high in ends.itertuples(index=False)
            ]
        elif name in ("p", "corrected"):
            shown[name] = table[name].map(p_value)
        elif name in _FORMS:
            shown[name] = [format(value, _FORMS[name]) for value in table[name]]
        elif table[name].dtype == bool:
            shown[name] = ["yes" if value else "no" for value in table[name]]
    return shown


_FORMS = {"accuracy": ".2%", "seconds": ".0f", "parameters": ",", "gain": "+.2%"}


def _with_ends(mean: float, low: float, high: float, form: str) -> str:
    if not np.isfinite(low):
        return f"{mean:{form}}"
    return f"{mean:{form}} ({interval(low, high, form)})"
