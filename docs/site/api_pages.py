"""What notebooks import, a page a module, from its docstrings."""

import importlib
import inspect
from collections.abc import Iterator
from types import ModuleType

MODULES = (
    "labkit.data",
    "labkit.plots",
    "labkit.profile",
    "labkit.models",
    "labkit.models.pretrained",
    "labkit.training",
    "labkit.study",
    "labkit.kaggle",
    "labkit.widgets.convolution",
    "labkit.widgets.layers",
    "labkit.widgets.neuron",
    "labkit.widgets.optimisers",
    "labkit.widgets.pooling",
    "labkit.widgets.softmax",
)
INDEX = """\
# What notebooks import

The functions and classes of the package that labs use. `check` is what check cells
call; each module has a page.

```{{toctree}}
:maxdepth: 1

{names}
```

## labkit.check

```{{eval-rst}}
.. autoclass:: labkit.checks.cell.Check
   :members:
   :special-members: __call__
```
"""


def index_page() -> str:
    return INDEX.format(names="\n".join(MODULES))


def module_page(name: str) -> str:
    """A module's page: its own text, then each function and class that it offers."""
    module = importlib.import_module(name)
    parts = [f"# {name}", inspect.getdoc(module) or ""]
    for one, value in offered(module):
        kind = "autoclass" if inspect.isclass(value) else "autofunction"
        members = "\n   :members:\n   :exclude-members: set" * inspect.isclass(value)
        parts += [
            f"## {one}",
            f"```{{eval-rst}}\n.. {kind}:: {name}.{one}{members}\n```",
        ]
    return "\n\n".join(parts) + "\n"


def offered(module: ModuleType) -> Iterator[tuple[str, object]]:
    """The functions and classes of ours that a module offers, by name."""
    names = getattr(module, "__all__", None) or [
        one
        for one, value in vars(module).items()
        if not one.startswith("_")
        and getattr(value, "__module__", "") == module.__name__
    ]
    for one in names:
        value = inspect.unwrap(getattr(module, one))
        ours = str(getattr(value, "__module__", "")).startswith("labkit")
        if ours and (inspect.isfunction(value) or inspect.isclass(value)):
            yield one, value
