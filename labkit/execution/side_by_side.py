"""Runs of several notebooks, one beside the other."""

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import CancelledError, ThreadPoolExecutor
from typing import TypeVar

from labkit.execution.execute import end_runs
from labkit.execution.memory_gate import MemoryGate
from labkit.machine.cores import cores

Item = TypeVar("Item")
Result = TypeVar("Result")


def side_by_side(
    work: Callable[[Item], Result], items: Iterable[Item], jobs: int | None = None
) -> list[Result]:
    """What `work`, which executes a notebook, returns for each item, in their order.

    So many `jobs` at a time (None: as many as there are cores), and no more than there is
    memory for. What one of them raises is raised here, and ends the others; so does an
    interrupt.
    """
    over, gate = threading.Event(), MemoryGate()

    def one(item: Item) -> Result:
        with gate.room_for_one(over):
            if over.is_set():
                raise CancelledError
            return work(item)

    pool = ThreadPoolExecutor(jobs or cores())
    try:
        return [run.result() for run in [pool.submit(one, item) for item in items]]
    finally:
        over.set()
        pool.shutdown(wait=False, cancel_futures=True)
        end_runs()  # what still runs: the interpreter waits for its threads
