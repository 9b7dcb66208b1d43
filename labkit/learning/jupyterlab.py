"""A student's working copy of the labs, and JupyterLab on it."""

import json
import os
import shutil
import sys
from pathlib import Path

from jupyterlab_server.workspaces_handler import WorkspacesManager

from labkit.checks.earned_points import KERNEL_FOLDER, START_PAGE, refresh
from labkit.checks.released import released_labs
from labkit.course import Course
from labkit.errors import LabkitError
from labkit.kernels.jupyter import provisioner_environment
from labkit.profile import ALT_TEXT

_LAYOUT = "layout"  # the folder in which JupyterLab keeps what is open, and how wide


def labs_here() -> Path:
    """The released labs of the course here; outside a course, those of the package."""
    try:
        return Course.here().notebooks
    except LabkitError:
        return released_labs()


def copy_labs(notebooks: Path, folder: Path) -> int:
    """Copy the released files that `folder` does not have yet; returns how many.

    What a student has there is never overwritten, but for the start page, which gets the
    bars of what is in so far, and what else comes with a lab: it is not theirs to edit.
    """
    if not (notebooks / START_PAGE).is_file():
        raise LabkitError(f"No released labs in {notebooks}. Type: labkit release")
    new = 0
    for source in sorted(p for p in notebooks.rglob("*") if p.is_file()):
        target = folder / source.relative_to(notebooks)
        if {".ipynb_checkpoints", KERNEL_FOLDER} & set(source.parts) or (
            target.exists() and source.suffix == ".ipynb"
        ):
            continue
        new += not target.exists()
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)
    refresh(folder)
    return new


def lab_environment() -> dict[str, str]:
    """This environment, with ours for JupyterLab: pages shown, no news, warm kernels,
    figures with their alternative text."""
    paths = [
        str(Path(__file__).parent / "jupyter"),
        os.environ.get("JUPYTER_CONFIG_PATH", ""),
    ]
    return {
        **os.environ,
        "JUPYTER_CONFIG_PATH": os.pathsep.join(filter(None, paths)),
        **provisioner_environment(),
        ALT_TEXT: "1",
    }


def begin_layout(folder: Path) -> None:
    """Let JupyterLab open a new working copy with the side bar closed.

    On a narrow screen a lab needs the whole width, and the start page leads to every lab.
    What a student opens or closes from then on stays so.
    """
    place = folder / KERNEL_FOLDER / _LAYOUT
    if not place.is_dir():
        closed = {"left": {"collapsed": True, "visible": True}}
        layout = {
            "data": {"layout-restorer:data": closed},
            "metadata": {"id": "default"},
        }
        WorkspacesManager(str(place)).save("default", json.dumps(layout))


def lab_command(folder: Path, *, browser: bool, port: int) -> list[str]:
    """The command that opens JupyterLab on a folder, at the start page."""
    command = [
        sys.executable,
        "-m",
        "jupyterlab",
        f"--ServerApp.root_dir={folder.resolve()}",
        f"--LabApp.default_url=/lab/tree/{START_PAGE}",
        f"--LabApp.workspaces_dir={folder.resolve() / KERNEL_FOLDER / _LAYOUT}",
        "--LabApp.custom_css=True",
        f"--ServerApp.port={port}",
        "--ServerApp.ip=127.0.0.1",
    ]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        # In a container one often is root; the server listens on this machine alone.
        command.append("--allow-root")
    return command if browser else [*command, "--no-browser"]
