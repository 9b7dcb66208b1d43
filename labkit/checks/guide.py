"""What a lab tells its student: its tasks, its exercises, where names are made, its time.

It ships in `expected.json`, beside the visible values; the release writes it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Task:
    """Something that earns points: a check cell, or a question answered in words.

    `cell` is its id in the notebook, `title` what students call it.
    """

    cell: str
    title: str
    points: float
    in_words: bool = False


@dataclass(frozen=True)
class Exercise:
    """What one cell asks to be written: the names it defines, the cells that check them.

    `rescue` tells that later cells use them, so that there is a working version to take,
    `value` that they are values, which are not there before it is written.
    """

    names: tuple[str, ...]
    checks: tuple[str, ...]
    rescue: bool = False
    value: bool = False


@dataclass(frozen=True)
class Guide:
    """The tasks and the exercises of a lab, and the heading under which a name is made.

    `version` is that of the labkit which released the lab; empty for labs released
    before there were guides. `run_seconds` is what its solution takes on the fast and on
    the laptop class of machine, where training takes time worth telling.
    """

    version: str = ""
    tasks: tuple[Task, ...] = ()
    exercises: Mapping[str, Exercise] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    run_seconds: tuple[float, float] | None = None

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> "Guide":
        """The guide that `to_json` wrote; an empty one for what older labs have."""
        exercises = {
            name: Exercise(
                **{**one, "names": tuple(one["names"]), "checks": tuple(one["checks"])}
            )
            for name, one in data.get("exercises", {}).items()
        }
        tasks = tuple(Task(**one) for one in data.get("tasks", ()))
        places = dict(data.get("places", {}))
        run_seconds = None
        if told := data.get("run_seconds"):
            fast, slow = map(float, told)
            run_seconds = fast, slow
        return cls(data.get("version", ""), tasks, exercises, places, run_seconds)

    def to_json(self) -> dict[str, Any]:
        """The guide as JSON-ready data; without a time where it tells none."""
        return {name: v for name, v in asdict(self).items() if v is not None}

    def exercise_of(self, name: str) -> str | None:
        """The exercise that a name belongs to; None for any other name."""
        for exercise, one in self.exercises.items():
            if name in one.names:
                return exercise
        return None

    def place_of(self, name: str) -> str | None:
        """The heading of the cell that makes a name; None for one that no cell makes."""
        return self.places.get(name)

    def task(self, cell: str) -> Task | None:
        """The task of a cell, by its id; None for one that the guide does not know."""
        return next((task for task in self.tasks if task.cell == cell), None)

    def checks_of(self, exercise: str) -> tuple[str, ...]:
        """The cells that check an exercise; none for one that is not known."""
        known = self.exercises.get(exercise)
        return known.checks if known else ()

    def price(self, exercise: str) -> float:
        """The points of an exercise: what a rescue of it costs."""
        checks = self.checks_of(exercise)
        return sum(task.points for task in self.tasks if task.cell in checks)
