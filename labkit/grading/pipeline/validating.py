"""An IPython extension for the kernels of `nbgrader validate`: a warning fails no check.

nbgrader counts a check cell that writes to standard error as failed. At grading, where
our own part judges, it is not; validating has no place for such a part, but its kernel
takes extensions.
"""

import os
import sys


def load_ipython_extension(shell) -> None:
    """Send what is written to standard error where standard output goes."""
    sys.stderr = sys.stdout
    if sys.__stdout__ and sys.__stderr__:  # libraries written in C
        os.dup2(sys.__stdout__.fileno(), sys.__stderr__.fileno())
