"""A kernel without a warm parent: `python -m labkit.kernels.cold REQUEST REPORT SOCKET...`.

The numbers are those of open files: the first holds the request.
"""

import sys
from pathlib import Path

from labkit.files import copy_files
from labkit.kernels.child import Request, confined, run_kernel
from labkit.sandbox import bubblewrap
from labkit.sandbox.policy import FOLDER, Policy


def main() -> None:
    """Read the request, raise the walls that the machine has, and be the kernel."""
    asked, report, *listening = map(int, sys.argv[1:])
    request = Request.from_json(Path(f"/dev/fd/{asked}").read_text())
    if request.strength == "bubblewrap":
        copy_files(bubblewrap.SOURCE, FOLDER)
    # It is started where there is a policy alone; without one, the usual must do.
    policy = request.policy or Policy()
    run_kernel(confined(request, policy), report, listening)


if __name__ == "__main__":
    main()
