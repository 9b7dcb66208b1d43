"""How long a training may be in so many minutes: a few steps are timed, then undone."""

from __future__ import annotations

import itertools
import math
import time
from dataclasses import dataclass, replace
from statistics import median

import keras
import psutil

from labkit import profile
from labkit.formatting import counted
from labkit.machine.cores import cores
from labkit.training.batches import Batches, EpochOrder
from labkit.training.machine import would_help

# At grading no clock counts: a call that gives minutes alone trains so many epochs there.
GRADING_EPOCHS = 10
# What is timed: epochs of so few steps, for so many seconds, after one that compiles.
STEPS, SECONDS = 4, 1.0
VALIDATION_BATCH = 500
# A machine that gets warm, or something else to do, becomes slower than it was timed.
USED = 0.9


@dataclass(frozen=True)
class Plan:
    """A training of so many epochs of so many steps, and the line that says why."""

    epochs: int
    steps: int
    line: str = ""

    @property
    def total(self) -> int:
        """The steps of all epochs."""
        return self.epochs * self.steps


def settled(
    epochs: int | None, minutes: float | None
) -> tuple[int | None, float | None]:
    """Return epochs and minutes as they count here: at grading there are epochs alone.

    Raises ValueError where both are missing, or leave no time to train.
    """
    if epochs is None and minutes is None:
        raise ValueError(
            "how long shall it train? Pass epochs=10, or minutes=2, or both: "
            "10 epochs, or as many as fit into 2 minutes."
        )
    if epochs is not None and epochs < 1:
        raise ValueError(f"epochs is {epochs}; expected 1 or more.")
    if minutes is not None and not 0 < minutes < math.inf:
        raise ValueError(f"minutes is {minutes}; expected a number above 0.")
    if minutes is not None and profile.name() == "grading":
        return epochs or GRADING_EPOCHS, None
    return epochs, minutes


def planned(
    model: keras.Model,
    batches: Batches,
    validation: tuple | None,
    callbacks: list[keras.callbacks.Callback],
    *,
    epochs: int | None,
    minutes: float,
    began: float,
) -> Plan:
    """Time a compiled model and return the training that fits; the model stays as it was.

    validation: (images, targets). callbacks: what else takes time in the training.
    epochs: the most that is wanted. began: when the minutes began, of perf_counter.
    """
    pace = _timed(model, batches, validation, callbacks)
    left = USED * 60 * minutes - (time.perf_counter() - began)
    plan = Plan(*pace.fitting(left, len(batches), epochs))
    return replace(plan, line=_line(plan, pace, batches, epochs, minutes, left))


def _line(
    plan: Plan,
    pace: Pace,
    batches: Batches,
    epochs: int | None,
    minutes: float,
    left: float,
) -> str:
    """Return what fits, and what would help where it is less than was wanted."""
    pictures = len(batches.images)
    batch = min(batches.batch_size, pictures)
    speed = f"This machine learns {_rounded(batch / pace.step)} pictures a second"
    time_given = f"in {60 * minutes:.0f} s"
    whole = plan.steps == len(batches)
    if whole and plan.epochs == epochs:
        takes = _about(plan.epochs * pace.epoch(plan.steps))
        return f"{speed}: {_epochs(plan.epochs)} will take {takes}."
    if whole and epochs is None:
        return f"{speed}: {_epochs(plan.epochs)} {time_given}."
    wanted = epochs or 1
    if whole:
        fits = f"{plan.epochs} of {_epochs(wanted)}"
    else:
        fits = f"{plan.steps * batch:,} of the {pictures:,} pictures, once,"
    missing = wanted * pace.epoch(len(batches)) - left
    enough = math.ceil(2 * (minutes + missing / 60 / USED)) / 2
    helps = [f"minutes={enough:g}, for {_epochs(wanted)}", *would_help()]
    if pace.others > 0.2:
        share = f"{pace.others:.0%} of the processor"
        helps.append(f"closing other programs: they take {share}")
    return f"{speed}: {fits} {time_given}. What would help: {'; '.join(helps)}."


@dataclass(frozen=True)
class Pace:
    """What training takes on a machine, in seconds.

    step: a batch. ending: what an epoch takes besides its batches, such as validation.
    compiling: the first step, where it is not yet compiled. others: the share of the
    processor that other programs had meanwhile.
    """

    step: float
    ending: float
    compiling: float
    others: float = 0.0

    def epoch(self, steps: int) -> float:
        """Return the seconds of an epoch of so many steps."""
        return steps * self.step + self.ending

    def fitting(self, left: float, steps: int, most: int | None) -> tuple[int, int]:
        """Return how many epochs fit into the seconds left, at most `most`, and their steps.

        Where not even one fits, it is the part of one that does, and never nothing.
        """
        if most is not None and most * self.epoch(steps) <= left:
            return most, steps
        # Another number of steps is another schedule, and has to be compiled anew.
        left -= self.compiling
        if left >= self.epoch(steps):
            return int(left / self.epoch(steps)), steps
        return 1, min(steps, max(1, int((left - self.ending) / self.step)))


def _timed(
    model: keras.Model,
    batches: Batches,
    validation: tuple | None,
    callbacks: list[keras.callbacks.Callback],
) -> Pace:
    """Train for some seconds on the real batches, then put everything back."""
    before = [keras.ops.copy(variable.value) for variable in model.variables]
    part = validation and tuple(values[:VALIDATION_BATCH] for values in validation)
    watch, first = _Watch(), batches.first(STEPS)
    try:
        model.fit(
            first.read_ahead(),
            epochs=10**6,  # the watch ends it
            shuffle=False,
            validation_data=part,
            validation_batch_size=VALIDATION_BATCH,
            callbacks=[EpochOrder(first), *callbacks, watch],
            verbose=0,
        )
    finally:
        model._eval_epoch_iterator = None  # Keras leaves it where fit is interrupted
        for variable, value in zip(model.variables, before, strict=True):
            variable.assign(value)
        for variable in model.optimizer.variables:  # all of them begin at zero
            variable.assign(keras.ops.zeros_like(variable))
    tests = -(-len(validation[0]) // VALIDATION_BATCH) if validation else 0
    return watch.pace(tests)


class _Watch(keras.callbacks.Callback):
    """Times the parts of some short epochs, the first of which compiles, and ends them."""

    def __init__(self) -> None:
        super().__init__()
        self.gaps: list[float] = []
        self.tests: list[float] = []
        self.rests: list[float] = []
        self.wholes: list[float] = []

    def on_train_begin(self, logs=None):
        self.processor = time.perf_counter(), time.process_time(), _busy()

    def on_epoch_begin(self, epoch, logs=None):
        self.began, self.ends, self.testing = time.perf_counter(), [], 0.0

    def on_train_batch_end(self, batch, logs=None):
        float(logs["loss"])  # a GPU answers before it is done: wait for the number
        self.ends.append(time.perf_counter())

    def on_test_begin(self, logs=None):
        self.testing = -time.perf_counter()

    def on_test_end(self, logs=None):
        self.testing += time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        now = time.perf_counter()
        self.wholes.append(now - self.began)
        if epoch == 0:
            self.warm = now
            return
        gaps = [b - a for a, b in itertools.pairwise(self.ends)]
        gaps = gaps or [self.ends[0] - self.began]  # an epoch of a single batch
        self.gaps += gaps
        self.tests.append(self.testing)
        # The first batch too has to be made before there is a step.
        steps = len(self.ends) * median(gaps)
        self.rests.append(max(0.0, self.wholes[-1] - self.testing - steps))
        self.model.stop_training = now - self.warm >= SECONDS

    def pace(self, tests: int) -> Pace:
        """Return what was seen, for epochs that end with so many batches of validation."""
        wall, own, busy = (
            after - before
            for after, before in zip(
                (time.perf_counter(), time.process_time(), _busy()),
                self.processor,
                strict=True,
            )
        )
        # Where only some of its cores are ours, the rest of the machine says nothing.
        alone = psutil.cpu_count() != cores()
        return Pace(
            step=median(self.gaps),
            ending=median(self.rests) + tests * median(self.tests),
            compiling=max(0.0, self.wholes[0] - median(self.wholes[1:])),
            others=0.0 if alone else max(0.0, (busy - own) / (wall * cores())),
        )


def _busy() -> float:
    """Return the seconds that the cores of this machine have worked, for anybody."""
    times = psutil.cpu_times()
    return times.user + times.system + getattr(times, "nice", 0.0)


def _epochs(number: int) -> str:
    return counted(number, "epoch")


def _rounded(number: float) -> str:
    """Return a number with two digits that count: 2,100; 37; 0.52."""
    exact = float(f"{number:.2g}")
    return f"{exact:,.0f}" if exact >= 10 else f"{exact:g}"


def _about(seconds: float) -> str:
    return f"about {seconds:.0f} s" if seconds >= 1 else "less than a second"
