"""Watches a confined kernel from outside, and ends it where it takes too much."""

import threading
import time
from typing import Protocol

from labkit.kernels.confinement import MIB, Policy
from labkit.kernels.processes import memory, tree

_LOOK_SECONDS = 0.2


class Process(Protocol):
    """A kernel as its provisioner holds it."""

    pid: int

    def poll(self) -> int | None: ...

    def kill(self) -> None: ...


class Watchdog(threading.Thread):
    """Ends a kernel whose processes take too much memory, are too many, or too slow.

    `reason` then says why, in plain words. `peak` is the most memory it took, in bytes.
    """

    def __init__(self, process: Process, policy: Policy, seconds: float) -> None:
        super().__init__(name="labkit-watchdog", daemon=True)
        self.reason = ""
        self.peak = 0
        self._process = process
        self._policy = policy
        self._seconds = seconds
        self._over = threading.Event()

    def run(self) -> None:
        """Look, until the kernel ends or `stop` is called."""
        end = time.monotonic() + self._seconds
        while not self._over.wait(_LOOK_SECONDS) and self._process.poll() is None:
            self.reason = self._problem(time.monotonic() > end)
            if self.reason:
                self._process.kill()
                return

    def stop(self) -> None:
        """Look no more."""
        self._over.set()
        self.join()

    def _problem(self, late: bool) -> str:
        if late:
            return (
                f"The notebook ran for more than {self._seconds:.0f} s and was ended."
            )
        pids = tree(self._process.pid)
        if len(pids) > self._policy.processes:
            return f"The notebook started more than {self._policy.processes} processes and was ended."
        limit = self._policy.memory
        taken = memory(pids, limit)
        self.peak = max(self.peak, taken)
        if taken > limit:
            return f"The notebook took more than {limit // MIB} MiB of memory and was ended."
        return ""
