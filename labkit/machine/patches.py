"""What other projects do as they are imported, and is changed here.

All that this package changes in others, and what of their private parts it calls, stands
here, in the list at the end, and in `grading/gradebook/patches.py`: that one needs nbgrader
and SQLAlchemy, which no notebook loads, and this one is part of every `import labkit`. What
is handed to a project through a setting stands where it is used.

TensorFlow (`install`): its C++ code writes lines on processors and plugins straight to
the process's standard error while it is imported, before any setting is read;
TF_CPP_MIN_LOG_LEVEL comes too late for them. Without the patch they stand in red in a
student's first cell, who takes them for a mistake.

jsonschema (`skip_address_grammar`): as it is imported it imports rfc3987_syntax, where
there is one, which compiles grammars of internationalised web addresses. Its issue 1428
asks for a later import. Without the patch each command that reads a notebook begins
half a second to two seconds later.

What needs a room above this one stands there, each with its reason and the issue there is
upstream for it:

matplotlib (`plots/style.py`, `show_in_notebooks`): its Figure gets `_repr_mimebundle_`, so
that pyplot's figures come into a notebook as ours do, sharp and with their alternative text.
IPython's formatter finds it at the class, also in a kernel that was forked before it had a
shell. What Jupyter's backend for pyplot has registered there for figures is taken away: it
would come first. None filed.

TensorFlow (`training/machine.py`, at its import): a filter of its logger drops warnings of
"retracing", which several small networks provoke and which no student can mend. Its issue
42441 is closed, and 43555 was to take it further.

Keras (`training/budget.py`, `_timed`): `_eval_epoch_iterator` of a model is set to None,
since Keras leaves there what an interrupted fit evaluated on. Its issue 18653, mended for
the next fit alone.

IPython (`checks/waiting.py`, `Waiting.show`): its `_showtraceback` shows the frames that we
have chosen; there is no public call that takes them. None filed.

nbclient (`execution/client.py`): `_async_check_alive` ends the wait for a kernel that died
as it started. (`execution/execute.py`): `_cleanup_kernel` is taken out of atexit, where
nbclient leaves it if a kernel did not start. None filed.
"""

import importlib.abc
import importlib.util
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from types import ModuleType

STDERR = 2


def skip_address_grammar() -> None:
    """Keep rfc3987_syntax from being imported in this process, if it is still to come.

    No schema of nbformat or nbgrader asks for what it checks. An entry of None is how
    Python is told that there is no such module.
    """
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]


class QuietImport(importlib.abc.MetaPathFinder):
    """Import `tensorflow` with the process's standard error closed, once."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,
        target: ModuleType | None = None,
    ) -> ModuleSpec | None:
        """Where TensorFlow is, to be imported by a quiet loader; None for all else."""
        if fullname != "tensorflow":
            return None
        sys.meta_path.remove(self)
        spec = importlib.util.find_spec(fullname)
        if spec is not None and spec.loader is not None:
            spec.loader = _QuietLoader(spec.loader)
        return spec


class _QuietLoader(importlib.abc.Loader):
    """Runs a module with standard error closed, then gives its place to its own loader."""

    def __init__(self, loader: importlib.abc.Loader) -> None:
        self._loader = loader

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        return self._loader.create_module(spec)

    def exec_module(self, module: ModuleType) -> None:
        module.__loader__ = self._loader
        if module.__spec__ is not None:
            module.__spec__.loader = self._loader
        with without_stderr():
            self._loader.exec_module(module)
        limit_gpu_memory()


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
