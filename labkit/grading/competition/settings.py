"""A course's competition, as course.toml describes it in its table [kaggle]."""

from dataclasses import dataclass, fields
from datetime import datetime, timezone
from pathlib import Path

from labkit.course import Course
from labkit.errors import LabkitError

EXAMPLE = "points = [[0.60, 1], [0.80, 2]]"


@dataclass(frozen=True)
class Competition:
    """What decides a class's leaderboard, and the points that scores earn.

    lab, cell: where the points go, a manually graded cell. truth: the true classes.
    submissions: names of the files in submitted/<student>/<lab>/. public: the public share
    of the test pictures. deadline: None for none. per_day: None for any number. points:
    (least private score in 0..1, points), by rising score.
    """

    lab: str = "06_simpsons_kaggle"
    cell: str = "leaderboard"
    truth: Path | None = None
    submissions: str = "submission*.csv"
    public: float = 0.3
    deadline: datetime | None = None
    per_day: int | None = None
    points: tuple[tuple[float, float], ...] = ()

    def earned(self, score: float) -> float:
        """The points for a score in 0..1; 0 below the first threshold."""
        return max(
            (points for least, points in self.points if score >= least), default=0
        )

    def threshold(self, score: float) -> float | None:
        """The highest threshold that a score reaches, None below the first."""
        return max((least for least, _ in self.points if score >= least), default=None)


def competition(course: Course) -> Competition:
    """Read [kaggle] of course.toml; raises LabkitError where a value makes no sense."""
    found, path = course.settings("kaggle"), course.settings_file
    known = [field.name for field in fields(Competition)]
    for name, value in found.items():
        if name not in known:
            raise _wrong(path, name, value, f"one of {', '.join(known)}")
        if name in ("lab", "cell", "truth", "submissions") and not isinstance(
            value, str
        ):
            raise _wrong(path, name, value, "a text")
    values = dict(found)
    if "truth" in values:
        values["truth"] = path.parent / values["truth"]
    if "deadline" in values:
        values["deadline"] = _moment(path, values["deadline"])
    if "public" in values and not _is_share(values["public"]):
        raise _wrong(path, "public", values["public"], "a share between 0 and 1")
    per_day = values.get("per_day", 1)
    if not isinstance(per_day, int) or per_day < 1:
        raise _wrong(path, "per_day", per_day, "a whole number above 0")
    values["points"] = _points(path, values.get("points", []))
    return Competition(**values)


def moment(text: str) -> datetime:
    """Return a point in time, `2030-01-31T23:59` or with a zone; without one it is UTC."""
    try:
        found = datetime.fromisoformat(text.strip().replace("Z", "+00:00"))
    except ValueError:
        raise LabkitError(
            f"{text!r} is no point in time; expected one such as 2030-01-31T23:59"
        ) from None
    return found if found.tzinfo else found.replace(tzinfo=timezone.utc)


def _moment(path: Path, value) -> datetime:
    if isinstance(value, datetime):
        return value if value.tzinfo else value.replace(tzinfo=timezone.utc)
    try:
        return moment(str(value))
    except LabkitError:
        expected = "a date and time such as 2030-01-31T23:59:00Z"
        raise _wrong(path, "deadline", value, expected) from None


def _points(path: Path, value) -> tuple[tuple[float, float], ...]:
    """Return the thresholds by rising score; more score never earns fewer points."""
    pairs = isinstance(value, list) and all(
        isinstance(pair, list)
        and len(pair) == 2
        and all(isinstance(number, (int, float)) for number in pair)
        for pair in value
    )
    if not pairs:
        raise _wrong(path, "points", value, f"pairs of score and points: {EXAMPLE}")
    table = tuple(sorted((float(least), float(points)) for least, points in value))
    earned = [points for _, points in table]
    if not all(0 <= least <= 1 for least, _ in table):
        raise _wrong(path, "points", value, f"scores from 0 to 1: {EXAMPLE}")
    if earned != sorted(earned) or any(points < 0 for points in earned):
        raise _wrong(path, "points", value, f"more points for more score: {EXAMPLE}")
    return table


def _is_share(value) -> bool:
    return isinstance(value, float) and 0 < value < 1


def _wrong(path: Path, name: str, value, expected: str) -> LabkitError:
    return LabkitError(f"{path}: [kaggle] has {name} = {value!r}; expected {expected}.")
