"""A competition: split, predict, write and check a submission, score, rank, upload, report."""

from labkit.kaggle.duplicates import near_duplicates
from labkit.kaggle.evidence import Evidence
from labkit.kaggle.faults import Fault, Report, SubmissionError
from labkit.kaggle.page import report
from labkit.kaggle.prediction import Predictions, predict
from labkit.kaggle.ranking import Leaderboard, leaderboard
from labkit.kaggle.scoring import Score, score
from labkit.kaggle.splitting import Foretold, Split, split
from labkit.kaggle.submission import check, write
from labkit.kaggle.upload import Submitted, submit

__all__ = [
    "Evidence",
    "Fault",
    "Foretold",
    "Leaderboard",
    "Predictions",
    "Report",
    "Score",
    "Split",
    "SubmissionError",
    "Submitted",
    "check",
    "leaderboard",
    "near_duplicates",
    "predict",
    "report",
    "score",
    "split",
    "submit",
    "write",
]
