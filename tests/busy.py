"""Busy processes beside a test, as other work on the machine."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator

import psutil

# Until whoever started it is gone.
_COMPUTE = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"


@contextlib.contextmanager
def crowded_core(count: int) -> Iterator[int]:
    """Hold this process and its own to one core, which so many busy ones share.

    Yields the core. What it starts in the block is held to the core as well; the tests
    that run beside this one have the others.
    """
    before = os.sched_getaffinity(0)
    core = min(before)
    # Those that it has started too: kernels are forked from a process that is there.
    this = psutil.Process()
    held = [this, *this.children(recursive=True)]
    _hold(held, [core])
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
        _hold(held, sorted(before))


def _hold(processes: list[psutil.Process], cores: list[int]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.cpu_affinity(cores)
