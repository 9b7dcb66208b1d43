"""A study: several networks, trained alike over several seeds, and what their differences are worth.

`run` trains what is not trained yet and gives `Results`: one table with intervals, the
learning curves on one sheet, the errors that all share, and every two networks compared by
a paired test. `search` looks for good settings by four methods on one budget. What
scikit-learn and SciPy compute is theirs.
"""

from labkit.study.plan import Plan, Training
from labkit.study.results import Outcome, Results, readable
from labkit.study.runner import run
from labkit.study.search import Trial, search
from labkit.study.statistics import holm

__all__ = [
    "Outcome",
    "Plan",
    "Results",
    "Training",
    "Trial",
    "holm",
    "readable",
    "run",
    "search",
]
