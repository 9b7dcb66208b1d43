"""What a student does, in a real JupyterLab and a real browser: a mistake, its hint, the
correction, a rescue, a submission, a restart."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest

from labkit.labs.answers import mistake, solve
from labkit.labs.cells import mistake_functions
from labkit.labs.lab import Lab, read_lab
from tests.conftest import ROOT

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
PATIENCE = 120_000  # milliseconds: only a machine that hangs takes as long
NOTEBOOK = "jupyterapp.shell.currentWidget.content"


def lab(number: str) -> Lab:
    (path,) = (ROOT / "solutions").glob(f"{number}*/{number}*.py")
    return read_lab(path)


class JupyterLab:
    """A page of the browser, used by its keys and menus as a student uses it."""

    def __init__(self, page, address: str) -> None:
        self.page, self.address = page, address
        page.set_default_timeout(PATIENCE)

    def open(self, path: str) -> None:
        """Open a notebook, and wait until its kernel is there."""
        self.page.goto(f"{self.address}/lab/tree/{path}")
        self.wait(
            f"jupyterapp.shell.currentWidget?.context?.path === '{path}' &&"
            " jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
            " === 'idle'"
        )

    def wait(self, condition: str) -> None:
        self.page.wait_for_function(f"() => {{ {self.app} return {condition} }}")

    # Only there once JupyterLab is.
    app = "if (!window.jupyterapp?.shell?.currentWidget) return false;"

    def select(self, cell: str) -> None:
        """Go to a cell by its id, out of its editor."""
        self.page.evaluate(
            f"""async cell => {{
                const notebook = {NOTEBOOK};
                const index = notebook.widgets.findIndex(w => w.model.id === cell);
                notebook.mode = 'command';
                notebook.activeCellIndex = index;
                notebook.deselectAll();
                await notebook.scrollToItem(index);
                notebook.activate();
            }}""",
            cell,
        )

    def write(self, cell: str, text: str) -> None:
        """Put other text into a cell."""
        self.select(cell)
        self._type_over(text)

    def write_below(self, cell: str, text: str) -> str:
        """Insert a cell below another one, and run it; returns its id."""
        self.select(cell)
        self.page.keyboard.press("b")
        new = self.page.evaluate(f"{NOTEBOOK}.activeCell.model.id")
        self._type_over(text)
        self.run(new)
        return new

    def _type_over(self, text: str) -> None:
        self.page.keyboard.press("Enter")
        self.page.keyboard.press("Control+a")
        self.page.keyboard.insert_text(text)
        self.page.keyboard.press("Escape")

    def run(self, *cells: str) -> None:
        """Run cells by their ids, each with Shift+Enter."""
        for cell in cells:
            self.select(cell)
            self.page.keyboard.press("Shift+Enter")
            self.settle()

    def save(self) -> None:
        self.page.keyboard.press("Control+s")
        self.wait("!jupyterapp.shell.currentWidget.context.model.dirty")

    def menu(self, *items: str) -> None:
        """Choose an item of a menu; its key may stand behind its name."""
        for item in items:
            name = re.compile(rf"^{re.escape(item)}($|\s*\W?[A-Z0-9])")
            self.page.get_by_role("menuitem", name=name).first.click()

    def settle(self) -> None:
        """Wait until no cell is running or waits for one that is."""
        self.wait(
            f"{NOTEBOOK}.widgets.every(w => !w.model.executionState ||"
            " w.model.executionState === 'idle')"
        )

    def shown(self, cell: str) -> str:
        """What stands below a cell, as a student reads it."""
        self.select(cell)
        output = self.page.locator(".jp-Notebook .jp-mod-active .jp-OutputArea")
        return "\n".join(output.all_inner_texts())

    def errors(self) -> list[str]:
        """The tracebacks of the whole notebook, in view or not."""
        return self.page.evaluate(
            f"""{NOTEBOOK}.widgets.flatMap(w => w.model.outputs?.toJSON() ?? [])
                .filter(o => o.output_type === 'error').map(o => o.ename)"""
        )


@pytest.fixture(scope="module")
def work(environment, tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("walk") / "work"


@pytest.fixture(scope="module")
def server(work, tmp_path_factory) -> Iterator[str]:
    """`labkit lab` on a working copy; the address that it says."""
    config = tmp_path_factory.mktemp("config")
    exposed = {"LabApp": {"expose_app_in_browser": True}}
    (config / "jupyter_server_config.json").write_text(json.dumps(exposed))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "labkit", "lab", "--no-browser"]
    log = config / "log"
    with log.open("w") as file:
        jupyter = subprocess.Popen(
            [*command, "--dir", str(work), "--port", str(port)],
            cwd=ROOT,
            env={**os.environ, "JUPYTER_CONFIG_PATH": str(config)},
            stdout=file,
            stderr=file,
        )
    try:
        while (found := re.search(r"token=(\w+)", log.read_text())) is None:
            assert jupyter.poll() is None, log.read_text()
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port} {found[1]}"
    finally:
        jupyter.terminate()
        jupyter.wait()


@pytest.fixture(scope="module")
def browser() -> Iterator:
    from playwright.sync_api import sync_playwright

    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@pytest.fixture
def jupyterlab(server, browser) -> Iterator[JupyterLab]:
    address, token = server.split()
    page = browser.new_page(viewport={"width": 1200, "height": 800})
    page.goto(f"{address}/lab/tree/start.md?token={token}")
    page.wait_for_selector(".jp-RenderedMarkdown h1")
    yield JupyterLab(page, address)
    page.close()


def bars(jupyterlab: JupyterLab) -> dict[str, str]:
    """The start page's words on each lab's points, by the lab's number."""
    jupyterlab.page.goto(f"{jupyterlab.address}/lab/tree/start.md")
    rows = jupyterlab.page.locator(".jp-MarkdownViewer tbody tr")
    rows.first.wait_for()
    texts = (row.replace("\u00a0", " ") for row in rows.all_inner_texts())
    return {text.split(" ")[0]: text.split()[-3] for text in texts}


def test_a_lab_from_the_first_mistake_to_points_on_the_start_page(jupyterlab, work):
    second = lab("02")
    blank = nbformat.read(work / second.name / f"{second.name}.ipynb", as_version=4)
    solved = solve(blank, second)
    sources = {cell.id: cell.source for cell in solved.cells}
    name, exercise = next(
        (name, exercise)
        for name, exercise in second.mistakes.items()
        if exercise == "output_size"
    )
    wrong = mistake(solved, second, exercise, name)
    jupyterlab.page.get_by_role("link", name="2 · Filters").click()
    jupyterlab.open(f"{second.name}/{second.name}.ipynb")

    jupyterlab.menu("Run", "Run All Cells")
    jupyterlab.settle()
    assert jupyterlab.errors() == []
    assert "not written yet" in jupyterlab.shown("check-output_size")

    text = next(cell.source for cell in wrong.cells if cell.id == "output_size")
    jupyterlab.write("output_size", text)
    jupyterlab.run("output_size", "check-output_size")
    said = jupyterlab.shown("check-output_size")
    hint = next(
        hint
        for cell in second.cells("mistakes")
        for one, hint in mistake_functions(cell)
        if one == name
    )
    assert "✗" in said and hint in " ".join(said.split())

    jupyterlab.write("output_size", sources["output_size"])
    jupyterlab.run("output_size", "check-output_size")
    said = jupyterlab.shown("check-output_size")
    assert "✗" not in said and re.search(r"(\d) of \1 points? here", said)
    jupyterlab.save()
    before = bars(jupyterlab)["2"]
    assert float(before) > 0

    jupyterlab.open(f"{second.name}/{second.name}.ipynb")
    jupyterlab.menu("Run", "Run All Cells")
    jupyterlab.settle()
    jupyterlab.write_below("convolve", 'check.rescue("convolve")')
    jupyterlab.run("check-convolve")
    assert "(rescued)" in jupyterlab.shown("check-convolve")
    assert bars(jupyterlab)["2"] == before


def test_lab_06_ends_with_a_submission_and_a_restart_keeps_the_points(
    jupyterlab, work, run_command
):
    sixth = lab("06")
    place = work / sixth.name / f"{sixth.name}.ipynb"
    solved = solve(nbformat.read(place, as_version=4), sixth)
    # It trains for seconds, where points are not kept; then as at home.
    seconds = nbformat.v4.new_code_cell("%env LABKIT_PROFILE=grading", id="seconds")
    solved.cells.insert(1, seconds)
    check = next(c.id for c in solved.cells if c.id.startswith("check-"))
    nbformat.write(solved, place)
    path = f"{sixth.name}/{sixth.name}.ipynb"
    jupyterlab.open(path)
    jupyterlab.menu("Run", "Run All Cells")
    jupyterlab.settle()
    assert jupyterlab.errors() == []
    done = run_command(
        "labkit", "kaggle", "check", "submission.csv", folder=place.parent
    )
    assert done.returncode == 0, done.stdout + done.stderr
    jupyterlab.write_below("seconds", "%env LABKIT_PROFILE=quick")
    jupyterlab.run(check)
    jupyterlab.save()
    before = bars(jupyterlab)["6"]
    assert float(before) > 0

    jupyterlab.open(path)
    jupyterlab.menu("Kernel", "Restart Kernel…")
    jupyterlab.page.get_by_role("button", name="Confirm Kernel Restart").click()
    jupyterlab.wait(
        "jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status === 'idle'"
    )
    told = jupyterlab.write_below("seconds", "from labkit import check\ncheck.points()")
    assert re.search(rf"\b{before} of", jupyterlab.shown(told))
    assert bars(jupyterlab)["6"] == before
