"""Our extension of JupyterLab's server: its style sheet, and kernels that start warm."""

import os
from pathlib import Path
from typing import Any

from labkit.sandbox.confinement import can_fork

STYLE_FOLDER = Path(__file__).parent / "jupyter" / "custom"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Let JupyterLab find our style sheet; one of the user's own comes before it.

    The warm parent starts with the server, not with the first kernel.
    """
    from labkit.kernels.owner import warm_parent

    server.static_custom_path.insert(1, str(STYLE_FOLDER))
    if can_fork():
        warm_parent(dict(os.environ)).load(None)
