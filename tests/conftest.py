"""Shared fixtures: a course folder of its own for each test, and no network."""

import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import absl.logging
import psutil
import pytest
from traitlets.config import Application

from labkit.authoring.release import release
from labkit.course import Course
from labkit.machine.cores import cores
from tests.grading_data import share_grading_data

# Tables as wide as a screen; rich asks once, as a test module imports `labkit.cli`.
os.environ["COLUMNS"] = "200"
# Keras's absl closes the stream that it found, a test's, where logging is set up anew.
absl.logging.get_absl_handler().python_handler.stream = sys.__stderr__
ROOT = Path(__file__).parent.parent
BIN = Path(sys.executable).parent


# The longest first, so that no core waits for them at the end.
LONG = (
    "test_demo.py",
    "test_cheats.py",
    "test_labs.py",
    "test_run_all.py",
    "test_site.py",
    "test_study.py",
    "test_training.py",
    "test_training_budget.py",
    "test_training_checkpoint.py",
    "test_translation.py",
    "test_try.py",
    "test_walk.py",
    "test_wheel.py",
)


def pytest_xdist_auto_num_workers():
    """Three workers for two cores, as tests wait for kernels nearly half of their time."""
    by_memory = psutil.virtual_memory().total // (3 * 2**30)
    return max(1, min(3 * cores() // 2, by_memory))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport():
    """Let what was logged travel from a worker: names that are not UTF-8 cannot."""
    report = yield
    report.sections = [
        (title, text.encode(errors="backslashreplace").decode())
        for title, text in report.sections
    ]
    return report


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.name not in LONG)


@pytest.fixture(scope="session", autouse=True)
def environment(tmp_path_factory):
    """Stand-ins only, in a cache of this run's own; commands of this environment first."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LABKIT_OFFLINE", "1")
        patch.setenv("LABKIT_SEED", "the seed of the tests")
        if "LABKIT_TEST_CACHE" in os.environ:
            patch.setenv("LABKIT_CACHE", os.environ["LABKIT_TEST_CACHE"])
        else:
            cache = tmp_path_factory.mktemp("cache")
            patch.setenv("LABKIT_CACHE", str(cache))
            if "PYTEST_XDIST_WORKER" in os.environ:
                # How fast this machine trains is measured once for all workers.
                shared = tmp_path_factory.getbasetemp().parent / "speed"
                shared.mkdir(exist_ok=True)
                (cache / "speed").symlink_to(shared)
        patch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")
        patch.delenv("LABKIT_PROFILE", raising=False)
        # What this run was asked for is not asked of one that a test starts.
        patch.delenv("PYTEST_ADDOPTS", raising=False)
        patch.delenv("LABKIT_EXPECTED", raising=False)
        # nbgrader and Jupyter keep state below the home folder.
        for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "IPYTHONDIR"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


def make_course(folder: Path) -> Course:
    """A course with one tiny lab, as an instructor's folder is laid out."""
    folder.mkdir(exist_ok=True)
    shutil.copy(ROOT / "nbgrader_config.py", folder)
    shutil.copytree(ROOT / "tests" / "labs", folder / "solutions")
    return share_grading_data(Course.at(folder))


@pytest.fixture
def course(tmp_path) -> Course:
    return make_course(tmp_path)


@pytest.fixture(scope="session")
def released_once(environment, tmp_path_factory) -> Course:
    """That course with its lab released: made once, to be copied, never changed."""
    course = make_course(tmp_path_factory.mktemp("released"))
    release(course)
    return course


@pytest.fixture
def released_course(released_once, tmp_path) -> Course:
    """That course with its lab released, and nothing handed in."""
    shutil.copytree(released_once.root, tmp_path, symlinks=True, dirs_exist_ok=True)
    return Course.at(tmp_path)


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Take this machine for one that is so many times slower than the reference."""

    from labkit.execution import speed
    from labkit.execution.execute import grading_environment

    def slower(times):
        monkeypatch.setenv("LABKIT_CACHE", str(tmp_path / "cache"))
        kept = {"pictures_per_cpu_second": speed.REFERENCE / times}
        speed.place(grading_environment()).write_text(json.dumps(kept))

    return slower


@pytest.fixture
def warned(recwarn):
    """Return a function: the warnings so far, without those of what other tests left open.

    Those come in whichever test runs as Python collects what is left.
    """
    others = (ResourceWarning, pytest.PytestWarning)
    return lambda: [
        str(warning.message)
        for warning in recwarn
        if not issubclass(warning.category, others)
    ]


@pytest.fixture
def no_warning(warned):
    """Fail where the test itself has warned."""
    yield
    assert warned() == []


@pytest.fixture
def assert_accessible():
    """Fail on what axe-core finds in a page on a phone, in light and in dark colours."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no Chromium or Chrome on this machine")
    from axe_playwright_python.sync_playwright import Axe
    from playwright.sync_api import Browser, sync_playwright

    def check(browser: Browser, path: Path, colours: str) -> None:
        page = browser.new_page(
            viewport={"width": 390, "height": 844}, color_scheme=colours
        )
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.goto(path.resolve().as_uri())
        width = page.evaluate("document.documentElement.scrollWidth")
        found = Axe().run(page)
        page.close()
        assert found.violations_count == 0, found.generate_report()
        assert width <= 390, f"{path} is {width} pixels wide on a phone"
        assert len(asked) == 1, f"{path} asks for {asked[1:]}"

    def check_both(path: Path) -> None:
        with sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=chromium, args=["--no-sandbox"]
            )
            for colours in ("light", "dark"):
                check(browser, path, colours)
            browser.close()

    return check_both


@pytest.fixture(scope="session")
def run_command():
    """Run a command in a folder; returns the finished process with its texts.

    `labkit` and `nbgrader` run in this process, which has imported everything already and
    has kernels' parents warm; with `apart` they get one of their own, as in a terminal: how
    a configuration stops nbgrader as it starts is seen there alone.
    """

    def run(
        *words: str,
        folder: Path,
        timeout: int = 300,
        apart: bool = False,
        **environment: str,
    ) -> subprocess.CompletedProcess:
        words = [str(word) for word in words]
        if words[0] in ("labkit", "nbgrader") and not apart:
            return _in_this_process(words, folder, environment)
        return subprocess.run(
            words,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=timeout,
            env={**os.environ, **environment},
        )

    return run


def _in_this_process(
    words: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.CompletedProcess:
    (script,) = entry_points(group="console_scripts", name=words[0])
    main = script.load()
    out, err = io.StringIO(), io.StringIO()
    with (
        pytest.MonkeyPatch.context() as patch,
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        pytest.raises(SystemExit) as ended,
    ):
        patch.chdir(folder)
        patch.setattr(sys, "argv", words)
        # PATH too, so that what `main` adds to it is taken away again.
        for name, value in {"PATH": os.environ["PATH"], **environment}.items():
            patch.setenv(name, value)
        try:
            sys.exit(main())
        finally:
            _forget_application()
    code = ended.value.code or 0
    return subprocess.CompletedProcess(words, code, out.getvalue(), err.getvalue())


def _forget_application() -> None:
    """nbgrader's command keeps itself as the only one of its process, and there is a next."""
    if Application.initialized():
        type(Application.instance()).clear_instance()
