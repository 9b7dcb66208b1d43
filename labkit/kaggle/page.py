"""A team's HTML page, with everything it did."""

from pathlib import Path

import numpy as np

from labkit import pages
from labkit.formatting import counted
from labkit.kaggle.evidence import Evidence
from labkit.kaggle.scoring import Measures, Score
from labkit.pages import Picture, embedded

PAGE_MISTAKES = 12


def report(
    evidence: Evidence,
    path: Path | str,
    team: str = "",
    submission: Score | None = None,
) -> Path:
    """Write a team's page: score, curves, matrix, filters, worst mistakes, model.

    Parameters
    ----------
    evidence : Evidence
        The trained network on its held-out pictures.
    path : path
        The HTML file to write; it needs no other.
    team : str
        The page's title; by default the evidence's own.
    submission : Score, optional
        Of what was handed in, where its truth is known.

    Returns
    -------
    path : Path
        The file.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import kaggle, models
    >>> model = models.simpsons_cnn(32)
    >>> pictures = np.zeros((4, 32, 32, 3), np.uint8)
    >>> evidence = kaggle.Evidence.of(
    ...     model,
    ...     pictures,
    ...     labels=[0, 1, 0, 1],
    ...     probabilities=np.tile([0.8, 0.2], (4, 1)),
    ...     class_names=["bart", "marge"],
    ...     history={"loss": [0.7, 0.6]},
    ... )
    >>> kaggle.report(evidence, "team.html", team="Springfield").name
    'team.html'
    """
    path = Path(path)
    pages.write(
        path,
        "team.html",
        team=team or evidence.team or "Our team",
        evidence=evidence,
        measures=_measures(evidence),
        submission=submission,
        figures=_figures(evidence),
    )
    return path


def _measures(evidence: Evidence) -> list[tuple[str, str]]:
    labels, shares = evidence.labels, evidence.probabilities
    likelihoods = shares[np.arange(len(labels)), labels]
    found = Measures.of(labels, shares.argmax(axis=1), likelihoods)
    count = min(5, shares.shape[1])
    best = np.argsort(-shares, axis=1)[:, :count]
    top = np.mean(np.any(best == labels[:, None], axis=1))
    return [
        ("held-out pictures", f"{found.rows:,}"),
        ("accuracy", f"{found.accuracy:.2%}"),
        ("macro F1", f"{found.macro_f1:.4f}"),
        (f"right within {counted(count, 'guess', 'guesses')}", f"{top:.2%}"),
        ("log loss", f"{found.log_loss:.4f}"),
    ]


def _figures(evidence: Evidence) -> dict[str, Picture]:
    from sklearn.metrics import confusion_matrix

    from labkit import plots

    names, shares = evidence.class_names, evidence.probabilities
    labels, said = evidence.labels, shares.argmax(axis=1)
    matrix = confusion_matrix(labels, said, labels=range(len(names)))
    before, after = plots.one_scale(evidence.filters_before, evidence.filters_after)
    drawn = {
        "recall": plots.confusion_matrix(
            matrix,
            names,
            normalise="true",
            order="similarity",
            title="Of each character's pictures, who is named",
        ),
        "precision": plots.confusion_matrix(
            matrix,
            names,
            normalise="predicted",
            order="similarity",
            title="Of each name given, who it is",
        ),
        "counts": plots.confusion_matrix(matrix, names, title="Counts, by class"),
        "hue": plots.filters(after, before, sort="hue", title="First-layer filters"),
        "orientation": plots.filters(
            after, before, sort="orientation", title="First-layer filters"
        ),
    }
    if evidence.history:
        drawn["curves"] = plots.curves(evidence.history, title="Training")
    if len(evidence.mistakes):
        drawn["mistakes"] = plots.top_k(
            evidence.pictures[:PAGE_MISTAKES],
            shares[evidence.mistakes[:PAGE_MISTAKES]],
            names,
            labels[evidence.mistakes[:PAGE_MISTAKES]],
            count=PAGE_MISTAKES,
            title="The surest mistakes, and the five likeliest names for each",
        )
    return {name: embedded(figure, form="png") for name, figure in drawn.items()}
