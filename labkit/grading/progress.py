"""What grading and the demo tell of how far they are."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from labkit.grading.submissions import Submission


class Progress:
    """What a caller may show meanwhile. This one shows nothing."""

    def announce(self, text: str) -> None:
        """A step without a known length begins."""

    def step(self, title: str) -> None:
        """One of the demo's steps begins."""

    def cell(self, lab: str, number: int, count: int, heading: str) -> None:
        """A cell of a solution begins."""

    def ran(self, lab: str, seconds: float) -> None:
        """A solution has run."""

    def start(self, total: int, unchanged: int) -> None:
        """`total` submissions are graded now; `unchanged` ones are graded already."""

    def running(self, submission: "Submission") -> None:
        """A submission begins to run."""

    def done(self, submission: "Submission", reason: str) -> None:
        """A submission is in the gradebook; `reason` says why it could not be read."""
