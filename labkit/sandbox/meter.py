"""What a kernel takes of the time that a submission is given.

What counts are the CPU seconds of all its processes, ended ones included, and the
seconds in which none of them has anything to compute, where that lasts: one that
sleeps for ever must end, too. Not counted are seconds in which it waits for a CPU or
for the disk because other programs use them: a grader that is busy takes no marks.
Where the system does not tell who waits, whoever gets next to no CPU is taken to
sleep. A kernel that grades trains on one thread, so on an idle machine what counts is
the time on the clock.
"""

import time
from dataclasses import dataclass

from labkit.sandbox import processes

LOOK_SECONDS = 0.2
# A shorter pause may be one of the grader's, which takes the kernel's messages.
_PAUSE_SECONDS = 1.0
# Where the system does not tell who waits: even beside a hundred programs whoever waits
# gets more than this share of a CPU, over so many seconds. A kernel that sleeps takes less.
_RESTING_SHARE = 0.003
_SHARE_SECONDS = 3.0
# So many times a limit on the clock end it as well, whatever the kernel waits for.
BACKSTOP = 10


@dataclass(frozen=True)
class Taken:
    """What was taken, in seconds: of computing, of idling, and on the clock meanwhile."""

    computing: float = 0.0
    idle: float = 0.0
    clock: float = 0.0

    def since(self, earlier: "Taken") -> "Taken":
        """What of it was taken since then."""
        return Taken(
            self.computing - earlier.computing,
            self.idle - earlier.idle,
            self.clock - earlier.clock,
        )

    def excess(self, seconds: float, stretch: float = 1.0) -> str:
        """How it exceeds a limit of so many seconds, in words; empty where it does not.

        `stretch`: how many times the limit counts on this machine, that on the clock too.
        """
        seconds *= stretch
        if self.computing + self.idle > seconds:
            limit = f"took more than {seconds:.0f} s"
            if self.idle > self.computing:
                return f"{limit}, most of them waiting and not computing"
            return f"{limit} of computing"
        if self.clock > seconds * BACKSTOP:
            return f"was not done after {seconds * BACKSTOP:.0f} s on the clock"
        return ""


class Meter:
    """Sums up what the processes of a kernel take, from one look at them to the next.

    `asked`: whether a cell runs. Between cells it is the grader whom the kernel waits
    for, so it does not idle then.
    """

    def __init__(self, pids: list[int]) -> None:
        self.taken = Taken()
        self.asked = False
        self._still = 0.0
        self._share = 1.0
        self._at = time.monotonic()
        self._cpu = processes.cpu_seconds(pids)

    def look(self, pids: list[int]) -> None:
        """Count what was taken since the last look; `pids` has parents first."""
        now, cpu = time.monotonic(), processes.cpu_seconds(pids)
        if cpu < self._cpu:  # one has ended after its parent, which inherits, was read
            cpu = processes.cpu_seconds(pids)
        passed = now - self._at
        computed, idle = max(0.0, cpu - self._cpu), 0.0
        if self.asked and self._rests(computed, passed, pids):
            # A look that comes late, because this process waited, charges no more.
            still = min(passed, LOOK_SECONDS)
            self._still += still
            idle = still if self._still > _PAUSE_SECONDS else 0.0
        else:
            self._still = 0.0
        before = self.taken
        self.taken = Taken(
            before.computing + computed, before.idle + idle, before.clock + passed
        )
        self._at, self._cpu = now, cpu

    def _rests(self, computed: float, passed: float, pids: list[int]) -> bool:
        """Whether none of them has anything to compute."""
        if processes.KNOWN:
            return computed < passed / 10 and not processes.wanting(pids)
        # A mean in which what is longer ago counts less and less.
        self._share += (computed - self._share * passed) / max(passed, _SHARE_SECONDS)
        return self._share < _RESTING_SHARE
