"""How JupyterLab looks when `labkit lab` opens it: soft figures in the dark, no side bar."""

import json
from pathlib import Path
from typing import Any

WORKSPACES = (
    ".jupyterlab"  # in the student's folder: what JupyterLab keeps of its layout
)
CLOSED = {
    "data": {
        "layout-restorer:data": {
            "left": {"collapsed": True, "visible": True, "current": "filebrowser"}
        }
    },
    "metadata": {"id": "default"},
}


def workspaces(folder: Path) -> Path:
    """The folder of JupyterLab's layouts; the first one begins with the side bar closed.

    It would take a third of a narrow window, and the start page links every lab.
    """
    from jupyterlab_server.workspaces_handler import WorkspacesManager

    place = folder.resolve() / WORKSPACES
    if not place.exists():
        WorkspacesManager(str(place)).save("default", json.dumps(CLOSED))
    return place


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Let JupyterLab find our style sheet; one of the user's own comes before it."""
    server.static_custom_path.insert(1, str(Path(__file__).parent / "jupyter/custom"))
