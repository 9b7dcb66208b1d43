"""JupyterLab's part: the warm parent starts with the server, not with the first kernel."""

import os
from importlib.metadata import entry_points
from typing import Any

from labkit.sandbox.confinement import can_fork

PROVISIONER = "labkit-warm"


def provisioner_environment() -> dict[str, str]:
    """What makes Jupyter start its kernels warm; nothing where it cannot."""
    group = "jupyter_client.kernel_provisioners"
    # A checkout that was set up before there was one has not registered it.
    known = entry_points(group=group, name=PROVISIONER)
    if not (can_fork() and known):
        return {}
    return {"JUPYTER_DEFAULT_PROVISIONER_NAME": PROVISIONER}


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    from labkit.kernels.owner import warm_parent

    if can_fork():
        warm_parent(dict(os.environ))
