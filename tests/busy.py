"""Busy processes beside a test, as other work on the machine."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

# Until whoever started it is gone.
_COMPUTE = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"


@contextlib.contextmanager
def crowded_core(count: int) -> Iterator[int]:
    """Hold this process to one core, which so many busy ones share; yields the core.

    What it starts in the block is held to the core as well; the tests that run beside
    this one have the others.
    """
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})
    started = []
    try:
        for _ in range(count):
            # A session each: some systems share a core out by sessions.
            words = [sys.executable, "-c", _COMPUTE, str(os.getpid())]
            started.append(subprocess.Popen(words, start_new_session=True))
        yield core
    finally:
        for process in started:
            process.kill()
            process.wait()
        os.sched_setaffinity(0, before)
