"""Run submissions on the workers of a Dask scheduler: bytes travel, no disk is shared."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
    from distributed import Client

CONNECT_SECONDS = 20
# How often a job is tried again that has raised an error on a worker. (One whose worker
# died is tried again by Dask itself.)
RETRIES = 2


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
        packed = pack_data(Path(environment[GRADING_DATA]))
        data = client.scatter(packed, broadcast=True)
        package = package_hash()

        def run(job: Job) -> str:
            future = client.submit(
                run_job_elsewhere,
                job,
                data,
                package,
                confined,
                pure=False,
                retries=RETRIES,
            )
            return future.result()

        # A few more than can run, so that no worker waits for the next one.
        yield run, slots + 2


def _require_full(client: "Client") -> None:
    """Ask every worker that there is; one that comes later is asked with each job."""
    # An error of a worker's is handed back, with the worker that it comes from.
    found = client.run(require_full, on_error="return")
    for worker, refusal in found.items():
        if refusal is not None:
            raise LabkitError(f"The worker {worker}: {refusal}")
