"""Hand a submission in through the official `kaggle` package, and wait for its score.

Credentials are found by that package, in its own ways; they are never read, printed or
stored here.
"""

import contextlib
import io
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from labkit.errors import LabkitError, require_library
from labkit.formatting import counted
from labkit.kaggle.faults import SubmissionError
from labkit.kaggle.submission import check

ANSWER_SECONDS = 60
SCORE_SECONDS = 600
PAUSE_SECONDS = 3
CREDENTIALS = (
    "Kaggle knows you by a token: on kaggle.com open Settings, API, Create New Token, and"
    " store it as that page says (in ~/.kaggle/, or in the variable KAGGLE_API_TOKEN)"
)


@dataclass(frozen=True)
class Submitted:
    """A submission at Kaggle.

    Attributes
    ----------
    ref : int
        Its number.
    status : str
        "complete" where it is scored, else "pending".
    score : str
        The public score as Kaggle writes it, "" where it is not known.
    remaining : int or None
        How many more may be handed in today; None where Kaggle does not say.
    """

    ref: int
    status: str
    score: str
    remaining: int | None

    def __str__(self) -> str:
        left = "" if self.remaining is None else f" {_remaining(self.remaining)}"
        if self.status == "complete":
            return (
                f"public score {self.score or 'not shown by this competition'}.{left}"
            )
        return (
            f"handed in, number {self.ref}; Kaggle has not scored it yet."
            f" Look at the competition's page, My Submissions.{left}"
        )


def submit(
    path: Path | str,
    competition: str,
    message: str,
    sample: Path | str | None = None,
    *,
    wait: float = SCORE_SECONDS,
    announce: Callable[[str], None] = lambda text: None,
) -> Submitted:
    """Check a submission, hand it in, wait for the score.

    Parameters
    ----------
    path : path
        The submission.
    competition : str
        Its name in the address, kaggle.com/competitions/<name>.
    message : str
        What changed, for your list at Kaggle.
    sample : path, optional
        As in `check`.
    wait : float
        Seconds to wait for the score.
    announce : callable
        Is told each step.

    Returns
    -------
    submitted : Submitted
        With the public score, if it came in time.

    Raises
    ------
    SubmissionError
        The file has faults; nothing is sent then.
    LabkitError
        Kaggle refuses, or does not answer within a minute.

    Examples
    --------
    A file with a fault never reaches Kaggle:

    >>> from pathlib import Path
    >>> from labkit import kaggle
    >>> size = Path("spoilt.csv").write_text("id,character\\n1,bart\\n2,\\n")
    >>> kaggle.submit("spoilt.csv", "the-simpsons", "one empty class")
    Traceback (most recent call last):
    labkit.kaggle.faults.SubmissionError: spoilt.csv: 1 fault in 2 rows
      fault: line 3: empty class
    """
    path = Path(path)
    report = check(path, sample)
    if not report.ok:
        raise SubmissionError(report)
    announce(str(report))
    kaggle = _Kaggle(competition)
    left = kaggle.remaining()
    if left is not None:
        announce(_remaining(left))
        if left <= 0:
            raise LabkitError(
                f"{competition}: no submission is left today. A new day begins at 00:00 UTC."
            )
    ref = kaggle.hand_in(path, message)
    announce("handed in; waiting for the score")
    status, score = kaggle.wait_for_score(ref, wait)
    return Submitted(ref, status, score, kaggle.remaining())


def _remaining(count: int) -> str:
    return f"{counted(count, 'submission')} left today."


class _Kaggle:
    """What is asked of Kaggle, with its refusals told apart."""

    def __init__(self, competition: str) -> None:
        self._competition = competition
        self._api = self._ask(_authenticated)

    def remaining(self) -> int | None:
        """How many more submissions count today; None where Kaggle does not say."""
        limits = self._ask(
            lambda: self._api.competition_get_submission_limits(self._competition)
        )
        return getattr(limits, "num_allowed_now", None)

    def hand_in(self, path: Path, message: str) -> int:
        """Upload the file and enter it; returns its number."""
        submitted = self._ask(
            lambda: self._api.competition_submit(
                str(path), message, self._competition, quiet=True
            ),
            unsure=True,
        )
        if not submitted.ref:
            raise LabkitError(
                f"{self._competition}: Kaggle did not take {path.name}:"
                f" {submitted.message or 'no reason given'}"
            )
        return submitted.ref

    def wait_for_score(self, ref: int, seconds: float) -> tuple[str, str]:
        """Ask until the submission is scored, at most so long; returns status and score."""
        end = time.monotonic() + seconds
        while True:
            own = next((one for one in self._submissions() if one.ref == ref), None)
            status = own.status.name.lower() if own else "pending"
            if own and status == "error":
                raise LabkitError(
                    f"{self._competition}: Kaggle could not score the file:"
                    f" {own.error_description or 'no reason given'}"
                )
            if status == "complete" or time.monotonic() + PAUSE_SECONDS > end:
                return status, (own.public_score or "") if own else ""
            time.sleep(PAUSE_SECONDS)

    def _submissions(self) -> list[Any]:
        found = self._ask(lambda: self._api.competition_submissions(self._competition))
        return [one for one in found or () if one is not None]

    def _ask(self, question: Callable[[], Any], unsure: bool = False) -> Any:
        """Return Kaggle's answer; raise LabkitError with what to do where there is none."""
        import requests

        try:
            return _within(ANSWER_SECONDS, question)
        except requests.HTTPError as error:
            raise LabkitError(_refusal(error, self._competition)) from None
        except (TimeoutError, requests.Timeout):
            doubt = (
                " It may have arrived: look at My Submissions on the competition's page"
                " before you send it again."
            )
            raise LabkitError(
                f"Kaggle did not answer within {ANSWER_SECONDS:g} seconds."
                + (doubt if unsure else " Nothing was sent. Try again later.")
            ) from None
        except requests.RequestException as error:
            reason = type(error).__name__
            raise LabkitError(
                f"Kaggle cannot be reached ({reason}). Is this machine on the network?"
            ) from None


def _authenticated() -> Any:
    """Return the official package's client, with the user's credentials."""
    if sys.version_info < (3, 11):
        raise LabkitError(
            "The official kaggle package needs Python 3.11 or later. Upload the file on the"
            " competition's page, or make an environment with a later Python."
        )
    api = require_library("kaggle.api.kaggle_api_extended").KaggleApi()
    try:
        api.authenticate()
    except SystemExit:  # it ends the program where there are no credentials
        raise LabkitError(
            f"There are no valid credentials for Kaggle. {CREDENTIALS}."
        ) from None
    return api


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keep off the screen what the package prints: advice, retries, errors told here."""
    with (
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        yield


def _within(seconds: float, question: Callable[[], Any]) -> Any:
    """Return `question()`; raise TimeoutError after so long, as the package itself never does."""
    answers: list[Any] = []

    def ask() -> None:
        try:
            answers.append((question(), None))
        except BaseException as error:
            answers.append((None, error))

    # A daemon: a call that hangs does not keep the program from ending.
    thread = threading.Thread(target=ask, daemon=True)
    with _quiet():
        thread.start()
        thread.join(seconds)
    if not answers:
        raise TimeoutError
    answer, error = answers[0]
    if error is not None:
        raise error
    return answer


def _refusal(error: Any, competition: str) -> str:
    """Say what an HTTP error means and what to do about it."""
    response = error.response
    code = response.status_code
    page = f"https://www.kaggle.com/competitions/{competition}"
    said = _reason(response)
    told = {
        401: f"Kaggle does not accept your credentials (401{said}). {CREDENTIALS}.",
        403: f"Kaggle refuses (403{said}). Join the competition and accept its rules at"
        f" {page}/rules; then try again.",
        404: f"There is no competition {competition!r} (404{said}). Its name is the last"
        " part of its address, kaggle.com/competitions/<name>.",
        429: f"Too many requests, or no submission left today (429{said})."
        f" {_retry(response)}",
    }
    if code >= 500:
        return f"Kaggle has a fault of its own ({code}{said}). Try again later."
    return told.get(code, f"Kaggle refuses ({code}{said}).")


def _reason(response: Any) -> str:
    """Return what Kaggle itself says, one short line."""
    try:
        text = str(response.json().get("message", ""))
    except (ValueError, AttributeError):
        return ""
    text = " ".join(text.split())[:300].rstrip(".")
    return f": {text}" if text else ""


def _retry(response: Any) -> str:
    seconds = response.headers.get("Retry-After", "")
    when = f"in {int(seconds):,} seconds" if seconds.isdecimal() else "later"
    return f"Try again {when}."
