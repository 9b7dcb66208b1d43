"""A competition: split, predict, write and check a submission, score, rank, upload, report.

Each name is loaded with its room when it is first used.
"""

import importlib

_ROOMS = {
    "Fault": "faults",
    "Report": "faults",
    "SubmissionError": "faults",
    "check": "submission",
    "write": "submission",
    "Predictions": "prediction",
    "predict": "prediction",
    "Foretold": "splitting",
    "Split": "splitting",
    "split": "splitting",
    "near_duplicates": "duplicates",
    "Score": "scoring",
    "score": "scoring",
    "Leaderboard": "ranking",
    "leaderboard": "ranking",
    "Submitted": "upload",
    "submit": "upload",
    "Evidence": "evidence",
    "report": "page",
}
__all__ = list(_ROOMS)


def __getattr__(name: str):
    if name not in _ROOMS:
        raise AttributeError(f"module 'labkit.kaggle' has no attribute {name!r}")
    room = importlib.import_module(f"labkit.kaggle.{_ROOMS[name]}")
    return getattr(room, name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
