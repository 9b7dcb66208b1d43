"""Busy processes beside a test, as other work on the machine."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator


@contextlib.contextmanager
def busy_processes(count: int, core: int | None = None) -> Iterator[None]:
    """Let so many processes compute during the block, on one core or on all."""
    started = []
    try:
        for _ in range(count):
            # A session each: some systems share a core out by sessions.
            process = subprocess.Popen(
                [sys.executable, "-c", "while True: pass"], start_new_session=True
            )
            started.append(process)
            if core is not None:
                os.sched_setaffinity(process.pid, {core})
        yield
    finally:
        for process in started:
            process.kill()
            process.wait()
