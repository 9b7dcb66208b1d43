"""Keeps kernels from being started where there is no memory left for one more."""

import contextlib
import threading
from collections.abc import Iterator

import psutil

# What a kernel takes that trains a small network, until larger ones have been seen.
USUAL_BYTES = 2**30
_LOOK_SECONDS = 0.5


class MemoryGate:
    """Lets a kernel begin when the machine has memory for it; one may always run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._running = 0
        self._largest = USUAL_BYTES

    @contextlib.contextmanager
    def room_for_one(self, over: threading.Event) -> Iterator[None]:
        """Wait for room, at most until `over` is set; measure what the kernels take."""
        while not (self._enter() or over.wait(_LOOK_SECONDS)):
            pass
        try:
            yield
        finally:
            with self._lock:
                self._running -= 1

    def saw(self, size: int) -> None:
        """A kernel has taken `size` bytes at its largest."""
        with self._lock:
            self._largest = max(self._largest, size)

    def _enter(self) -> bool:
        with self._lock:
            free = psutil.virtual_memory().available
            if self._running and free < self._largest:
                return False
            self._running += 1
            return True
