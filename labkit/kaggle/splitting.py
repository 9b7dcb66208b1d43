"""A validation split whose score foretells the leaderboard.

Frames of one scene are near-duplicates. A split that tears such groups measures memory;
one that keeps them whole measures pictures that are new. A test set may hold both: how
many of its pictures have a near-duplicate among the training pictures can be counted
without its labels.
"""

from dataclasses import dataclass

import numpy as np

from labkit.formatting import counted
from labkit.kaggle.duplicates import Images, has_near_duplicate, near_duplicates

Z95 = 1.96  # standard errors to each side of a 95 % interval


@dataclass(frozen=True, eq=False, repr=False)
class Split:
    """Indices of the training pictures in three parts, and what is known of the test set.

    Attributes
    ----------
    train : array, int64
        To train on.
    new : array, int64
        Held out; no near-duplicate of theirs is in `train`.
    copies : array, int64
        Held out, each with a near-duplicate in `train`.
    groups : array (N,), int64
        As `near_duplicates`.
    copied : float or None
        Share of the test pictures with a near-duplicate in `train`, 0..1; None where no
        test pictures were given.
    """

    train: np.ndarray
    new: np.ndarray
    copies: np.ndarray
    groups: np.ndarray
    copied: float | None = None

    def __str__(self) -> str:
        lines = [
            f"{counted(len(self.groups), 'picture')} in"
            f" {counted(len(np.unique(self.groups)), 'group')} of near-duplicates",
            f"  {len(self.train):6,} to train on",
            f"  {len(self.new):6,} held out, new: nothing like them is trained on",
            f"  {len(self.copies):6,} held out, copies: a near-duplicate is trained on",
        ]
        if self.copied is not None:
            lines.append(
                f"{self.copied:.1%} of the test pictures have a near-duplicate to train on"
            )
        return "\n".join(lines)

    __repr__ = __str__

    def foretell(self, new_right: np.ndarray, copies_right: np.ndarray) -> "Foretold":
        """Say what score to expect, from which held-out pictures a model gets right.

        Parameters
        ----------
        new_right, copies_right : array of bool
            One for each index of `new`, and of `copies`.

        Returns
        -------
        foretold : Foretold
            The accuracy to expect, with its interval.

        Raises
        ------
        ValueError
            There are more or fewer answers than pictures.
        """
        if len(new_right) != len(self.new) or len(copies_right) != len(self.copies):
            raise ValueError(
                f"{counted(len(new_right), 'answer')} for"
                f" {counted(len(self.new), 'new picture')} and {len(copies_right)} for"
                f" {counted(len(self.copies), 'copy', 'copies')}; expected one each."
            )
        new = _mean(new_right)
        copies = _mean(copies_right) if len(copies_right) else (new[0], 0.0)
        share = (self.copied or 0.0) if len(copies_right) else 0.0
        variance = ((1 - share) * new[1]) ** 2 + (share * copies[1]) ** 2
        return Foretold(
            (1 - share) * new[0] + share * copies[0],
            Z95 * float(np.sqrt(variance)),
            new[0],
            copies[0],
            share,
        )


@dataclass(frozen=True)
class Foretold:
    """The accuracy to expect of the test set, and its 95 % interval.

    The mean of the accuracies on new pictures and on copies, weighted by the share of
    copies in the test set. The interval holds the chance of the held-out pictures only.

    Attributes
    ----------
    accuracy, margin : float
        The accuracy, 0..1, and half the width of its interval.
    new, copies : float
        The accuracies on new pictures and on copies.
    share : float
        The share of copies in the test set.
    """

    accuracy: float
    margin: float
    new: float
    copies: float
    share: float

    def __str__(self) -> str:
        return (
            f"foretold: {self.accuracy:.1%} ± {self.margin:.1%}"
            f" ({self.new:.1%} of new pictures, {self.copies:.1%} of copies,"
            f" which are {self.share:.1%} of the test set)"
        )


def split(
    images: Images,
    labels: np.ndarray,
    test_images: Images | None = None,
    *,
    share: float = 0.2,
    seed: int = 0,
) -> Split:
    """Hold out a share of the pictures, whole groups of near-duplicates with their classes even.

    From groups that remain, one picture each is held out too, as copies, an eighth as many
    at most.

    Parameters
    ----------
    images : array or sequence of arrays
        N pictures as `near_duplicates` takes them.
    labels : array (N,)
        Class numbers.
    test_images : array or sequence of arrays, optional
        The test pictures: how many of them are copies?
    share : float
        The share to hold out as new, above 0 and up to 0.5.
    seed : int
        The same seed gives the same split.

    Returns
    -------
    parts : Split
        Indices of the pictures.

    Raises
    ------
    ValueError
        `share` is out of range, or there are fewer groups than parts to split them into.

    Examples
    --------
    Forty scenes of three frames each, of two classes:

    >>> import numpy as np
    >>> from labkit import data, kaggle
    >>> flower = data.photograph("flower")
    >>> scenes = [flower[y : y + 96, x : x + 96] for y in range(0, 300, 64) for x in range(0, 512, 64)]
    >>> frames = [scene[n : n + 90, n : n + 90] for scene in scenes for n in range(3)]
    >>> kaggle.split(frames, np.arange(120) // 3 % 2)
    120 pictures in 40 groups of near-duplicates
          93 to train on
          24 held out, new: nothing like them is trained on
           3 held out, copies: a near-duplicate is trained on
    """
    from sklearn.model_selection import StratifiedGroupKFold

    if not 0 < share <= 0.5:
        raise ValueError(f"share is {share}; expected more than 0, up to 0.5.")
    groups = near_duplicates(images)
    folds = StratifiedGroupKFold(round(1 / share), shuffle=True, random_state=seed)
    rest, new = next(folds.split(groups, labels, groups))
    copies = _copies(groups, rest, round(share * len(labels) / 8), seed)
    train, copied = np.setdiff1d(rest, copies), None
    if test_images is not None:
        known = [images[place] for place in train]
        copied = float(has_near_duplicate(test_images, known).mean())
    return Split(train, new, copies, groups, copied)


def _copies(groups: np.ndarray, rest: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Choose one picture of each of some groups of several, at most `most` in all."""
    shuffled = np.random.default_rng(seed).permutation(rest)
    _, first, sizes = np.unique(groups[shuffled], return_index=True, return_counts=True)
    return np.sort(shuffled[np.sort(first[sizes > 1])[:most]])


def _mean(right: np.ndarray) -> tuple[float, float]:
    """Return the mean of right answers and its standard error.

    Agresti & Coull, 1998: two right and two wrong answers more, so that a sample without
    an error does not seem certain.
    """
    count = len(right)
    share = (np.sum(right) + 2) / (count + 4)
    return float(np.mean(right)), float(np.sqrt(share * (1 - share) / (count + 4)))
