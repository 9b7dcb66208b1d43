"""Keep TensorFlow's start-up lines out of the notebook.

Its C++ code writes them straight to the process's standard error while it is
imported, before any setting is read. A student would take them for a mistake.
"""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

STDERR = 2


class QuietImport(importlib.abc.MetaPathFinder):
    """Import `tensorflow` with the process's standard error closed, once."""

    def find_spec(self, name: str, path=None, target=None):
        if name != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.loader is not None:
            run = spec.loader.exec_module

            def quietly(module) -> None:
                with without_stderr():
                    run(module)
                limit_gpu_memory()

            # The loader itself stays in place: packages find their data files through it.
            spec.loader.exec_module = quietly  # type: ignore[method-assign]
        return spec


def limit_gpu_memory() -> None:
    """Apply the limit of GPU memory, if there is one, before anything runs there."""
    if os.environ.get("LABKIT_GPU_MEMORY"):
        from labkit.machine.gpu_memory import apply_limit

        apply_limit(os.environ.get("KERAS_BACKEND", "tensorflow"))


@contextmanager
def without_stderr() -> Iterator[None]:
    """Drop what the process itself writes to standard error; Python's own is not touched."""
    try:
        kept = os.dup(STDERR)
    except OSError:  # there is none, as under pythonw
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, STDERR)
        yield
    finally:
        os.dup2(kept, STDERR)
        os.close(nowhere)
        os.close(kept)


def install() -> None:
    """Make the next import of TensorFlow quiet, if it is still to come."""
    known = any(isinstance(finder, QuietImport) for finder in sys.meta_path)
    if "tensorflow" not in sys.modules and not known:
        sys.meta_path.insert(0, QuietImport())
    if os.environ.get("KERAS_BACKEND") != "tensorflow" or "tensorflow" in sys.modules:
        limit_gpu_memory()
