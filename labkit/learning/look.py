"""How JupyterLab looks when `labkit lab` opens it: a style sheet of the kit's own."""

from pathlib import Path
from typing import Any

STYLE_FOLDER = Path(__file__).parent / "jupyter" / "custom"


def _jupyter_server_extension_points() -> list[dict[str, str]]:
    return [{"module": __name__}]


def _load_jupyter_server_extension(server: Any) -> None:
    """Let JupyterLab find our style sheet; one of the user's own comes before it."""
    server.static_custom_path.insert(1, str(STYLE_FOLDER))
