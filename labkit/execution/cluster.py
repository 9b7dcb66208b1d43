"""Run submissions on the workers of a Dask scheduler: bytes travel, no disk is shared."""

import asyncio
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.course import Course
from labkit.data.standins import GRADING_DATA
from labkit.errors import LabkitError, require_library
from labkit.execution.grading_data import submission_environment
from labkit.execution.job import Job, pack_data, run_job_elsewhere
from labkit.execution.keys import package_hash
from labkit.sandbox.confinement import require_full

if TYPE_CHECKING:
    from distributed import Client, Future

CONNECT_SECONDS = 10
# How often a job is tried again that has raised an error on a worker, and one that was
# lost with the data it needs. (One whose worker died is tried again by Dask itself.)
RETRIES = 2


class _OnWorkers:
    """Data that lies on the workers, and is sent anew where those that held it have died."""

    def __init__(self, client: "Client", data: bytes) -> None:
        self._client = client
        self._data = data
        self._lock = threading.Lock()
        self._refused: LabkitError | None = None
        self._future = self._sent()

    def now(self) -> "Future":
        """The data as they lie there now; LabkitError where there is no worker any more."""
        with self._lock:
            if self._refused is not None:
                raise self._refused
            # Dask keeps no second copy of what is not needed twice at the moment.
            if self._future.cancelled():
                self._future = self._sent()
            return self._future

    def _sent(self) -> "Future":
        deadline = time.monotonic() + CONNECT_SECONDS
        while True:
            left = deadline - time.monotonic()
            try:
                # A key of its own: one that Dask has just lost is not taken for it.
                return self._client.scatter(
                    self._data, broadcast=True, hash=False, timeout=max(1, left)
                )
            except (OSError, asyncio.TimeoutError) as error:
                # Such as a worker that is dead, and still listed.
                if left <= 0:
                    address = self._client.scheduler.address
                    self._refused = LabkitError(
                        f"The grading data cannot be sent to the workers of {address}: "
                        f"{error}. Start workers with: dask worker {address}. "
                        "Then type the command again"
                    )
                    raise self._refused from None
            time.sleep(0.2)


@contextmanager
def cluster_runner(
    address: str, course: Course, confined: bool = False
) -> Iterator[tuple[Callable[[Job], str], int]]:
    """Yield what runs a job on the cluster, and how many jobs keep it busy.

    Raises LabkitError where there is no scheduler at the address, no worker, or no Dask,
    and where submissions must be `confined` and a worker cannot do that.
    """
    distributed = require_library("distributed")
    try:
        client = distributed.Client(address, timeout=CONNECT_SECONDS)
    except (OSError, ValueError) as error:
        raise LabkitError(
            f"No Dask scheduler at {address}: {error}. Start one with: dask scheduler"
        ) from None
    with client:
        slots = sum(client.nthreads().values())
        if not slots:
            raise LabkitError(
                f"The scheduler at {address} has no workers. Start one with: dask worker {address}"
            )
        if confined:
            _require_full(client)
        course.create_seed()
        environment = submission_environment(course.build, course.seed)
        data = _OnWorkers(client, pack_data(Path(environment[GRADING_DATA])))
        package = package_hash()

        def submitted(job: Job) -> str:
            future = client.submit(
                run_job_elsewhere,
                job,
                data.now(),
                package,
                confined,
                pure=False,
                retries=RETRIES,
            )
            return future.result()

        def run(job: Job) -> str:
            for _ in range(RETRIES):
                with suppress(distributed.client.FutureCancelledError):
                    return submitted(job)
            return submitted(job)

        # A few more than can run, so that no worker waits for the next one.
        yield run, slots + 2


def _require_full(client: "Client") -> None:
    """Ask every worker that there is; one that comes later is asked with each job."""
    # An error of a worker's is handed back, with the worker that it comes from.
    found = client.run(require_full, on_error="return")
    for worker, refusal in found.items():
        if refusal is not None:
            raise LabkitError(f"The worker {worker}: {refusal}")
