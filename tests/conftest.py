"""Shared fixtures: a course folder of its own for each test, and no network."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.course import Course

ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory):
    """Stand-ins only, in a cache of this run's own; commands of this environment first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_OFFLINE", "1")
        patch.setenv("LABKIT_SEED", "the seed of the tests")
        if "LABKIT_TEST_CACHE" in os.environ:
            patch.setenv("LABKIT_CACHE", os.environ["LABKIT_TEST_CACHE"])
        else:
            patch.setenv("LABKIT_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("LABKIT_PROFILE", raising=False)
        patch.delenv("LABKIT_EXPECTED", raising=False)
        # nbgrader and Jupyter keep state below the home folder.
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture
def course(tmp_path) -> Course:
    """A course with one tiny lab, as an instructor's folder is laid out."""
    shutil.copy(ROOT / "nbgrader_config.py", tmp_path)
    shutil.copytree(ROOT / "tests" / "labs", tmp_path / "solutions")
    return Course.at(tmp_path)


@pytest.fixture
def run_command():
    """Run a command in a folder; returns the finished process with its texts."""

    def run(
        *words: str, folder: Path, **environment: str
    ) -> subprocess.CompletedProcess:
        return subprocess.run(
            [str(word) for word in words],
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=300,
            env={**os.environ, "COLUMNS": "200", **environment},
        )

    return run
