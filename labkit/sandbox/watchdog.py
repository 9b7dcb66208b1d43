"""Watches a kernel from outside: what it takes, and where that is too much, its end."""

import threading
from collections.abc import Callable
from functools import cache
from typing import Protocol

from labkit.sandbox.meter import LOOK_SECONDS, Meter
from labkit.sandbox.policy import MIB, Policy
from labkit.sandbox.processes import memory, tree


class Process(Protocol):
    """A kernel as its provisioner holds it."""

    pid: int

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...


class Watchdog(threading.Thread):
    """Measures a kernel, and ends one whose processes take too much of its policy.

    It is ended after `seconds` on the clock, too, whatever else is done about its time.
    On a slower machine these are `stretch()` times as many; it is asked once they have
    passed. `reason` then says why, in plain words. `meter` counts the time that it takes,
    `peak` is the most memory it took, in bytes. Without a policy it is measured alone.
    """

    def __init__(
        self,
        process: Process,
        policy: Policy | None,
        seconds: float,
        stretch: Callable[[], float],
    ) -> None:
        super().__init__(name="labkit-watchdog", daemon=True)
        self.reason = ""
        self.peak = 0
        self.meter = Meter(tree(process.pid))
        self._process = process
        self._policy = policy
        self._seconds = seconds
        self._stretch = cache(stretch)  # it may take a while to find out
        self._over = threading.Event()

    def run(self) -> None:
        """Look, until the kernel ends or `stop` is called."""
        while not self._over.wait(LOOK_SECONDS) and self._process.poll() is None:
            pids = tree(self._process.pid)
            self.meter.look(pids)
            if self._policy is not None:
                self.reason = self._problem(pids, self._policy)
            if self.reason:
                self._process.kill()
                return

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    def _late(self) -> bool:
        clock = self.meter.taken.clock
        return clock > self._seconds and clock > self._seconds * self._stretch()

    def _problem(self, pids: list[int], policy: Policy) -> str:
        if self._late():
            return f"The notebook was not done after {self._seconds * self._stretch():.0f} s on the clock and was ended."
        if len(pids) > policy.processes:
            return f"The notebook started more than {policy.processes} processes and was ended."
        taken = memory(pids, policy.memory)
        self.peak = max(self.peak, taken)
        if taken > policy.memory:
            return f"The notebook took more than {policy.memory // MIB} MiB of memory and was ended."
        return ""
