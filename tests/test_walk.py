"""What a student does, in a real JupyterLab and a real browser: a mistake, its hint, the
correction, a rescue, a submission, a restart."""

import re
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from labkit.labs.answers import mistake, solve
from labkit.labs.cells import mistake_functions
from labkit.labs.lab import Lab, read_lab
from tests.conftest import ROOT

sys.path.append(str(ROOT / "docs" / "site"))
browser = import_module("browser")
pytestmark = pytest.mark.skipif(
    browser.CHROMIUM is None, reason="no Chromium or Chrome on this machine"
)


def lab(number: str) -> Lab:
    (path,) = (ROOT / "solutions").glob(f"{number}*/{number}*.py")
    return read_lab(path)


@pytest.fixture(scope="module")
def work(environment, tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("walk") / "work"


@pytest.fixture(scope="module")
def server(work) -> Iterator:
    with browser.jupyterlab(ROOT, work) as found:
        yield found


@pytest.fixture(scope="module")
def page(server) -> Iterator:
    with browser.browser() as chromium:
        yield server.begin(chromium.new_page())


@pytest.fixture(scope="module")
def second(page) -> Lab:
    """Lab 02, whose blank notebook has run from its first cell to its last."""
    found = lab("02")
    page.open(f"{found.name}/{found.name}.ipynb")
    page.menu("Run", "Run All Cells")
    page.settle()
    assert page.errors() == []
    assert "not written yet" in page.shown("check-output_size")
    page.save()
    page.close_all()
    return found


@pytest.fixture
def jupyterlab(page):
    """JupyterLab as a student finds it: in light colours, the start page open."""
    page.page.set_viewport_size({"width": 1200, "height": 800})
    page.theme("JupyterLab Light")
    page.open_anew("start.md")
    yield page
    page.close_all()


# The texts of outputs that are wider than the notebook gives them room.
CUT_OFF = """[...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')]
    .filter(output => output.scrollWidth > output.clientWidth + 1)
    .map(output => output.innerText.slice(0, 80))"""


def bars(jupyterlab) -> dict[str, str]:
    """The start page's words on each lab's points, by the lab's number."""
    jupyterlab.open_anew("start.md")
    rows = jupyterlab.page.locator(".jp-MarkdownViewer tbody tr")
    rows.first.wait_for()
    texts = (row.replace("\u00a0", " ") for row in rows.all_inner_texts())
    return {text.split(" ")[0]: text.split()[-3] for text in texts}


def barriers(jupyterlab, *parts: str) -> str:
    """What axe finds by WCAG 2.1, A and AA, in these parts of the notebook; "" for nothing."""
    from axe_playwright_python.sync_playwright import Axe

    where = {"include": [[f".jp-Notebook {part}"] for part in parts]}
    asked = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}
    found = Axe().run(jupyterlab.page, where, asked)
    return found.generate_report() if found.violations_count else ""


def test_what_is_ours_on_a_notebook_s_page_is_accessible(second, jupyterlab):
    """Checks that passed, failed, wait; hints; figures; the prose, also where it is narrow."""
    jupyterlab.open(f"{second.name}/{second.name}.ipynb")
    wrong = "def output_size(size, *rest, **more):\n    return 3"
    jupyterlab.write("output_size", wrong)
    jupyterlab.run("output_size", "check-output_size")
    assert not jupyterlab.page.locator("#jp-left-stack").is_visible()
    for theme, width in (("Light", 1200), ("Dark", 900)):
        jupyterlab.page.set_viewport_size({"width": width, "height": 800})
        jupyterlab.theme(f"JupyterLab {theme}")
        for cell in ("check-output_size", "check-convolve", "check-response"):
            jupyterlab.select(cell)
            assert not barriers(
                jupyterlab, ".jp-RenderedHTMLCommon", ".jp-RenderedImage"
            )
            assert jupyterlab.page.evaluate(CUT_OFF) == []
    figures = jupyterlab.page.locator(".jp-Notebook img.labkit-figure")
    assert figures.count() > 3
    assert all(len(one.get_attribute("alt")) > 20 for one in figures.all())
    # What is printed breaks between words.
    printed = jupyterlab.page.locator(".jp-OutputArea-output pre").first
    assert printed.evaluate("one => getComputedStyle(one).wordBreak") == "normal"


def test_a_lab_from_the_first_mistake_to_points_on_the_start_page(
    second, jupyterlab, work
):
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
    jupyterlab.write_below("convolve", 'check.rescue("convolve")')
    jupyterlab.run("check-convolve")
    assert "(rescued)" in jupyterlab.shown("check-convolve")
    assert bars(jupyterlab)["2"] == before


EXPLORERS = """
import numpy as np
from labkit import data
from labkit.widgets import convolution, layers, neuron, optimisers, pooling, softmax
from IPython.display import display

photo = data.photograph()[200:260, 300:360]
steps = [np.full((3, 3), step) for step in (0.1, 0.2)]
for explorer in (
    neuron.explore_neuron(),
    neuron.explore_learning_rate(),
    convolution.explore_sliding_window(np.eye(5), np.ones((3, 3))),
    convolution.explore_kernel(photo, {"blur": np.ones((3, 3)) / 9}, "blur"),
    convolution.explore_learning(photo[..., 0] / 255, steps, [0.2, 0.1]),
    pooling.explore_pooling(photo),
    softmax.explore_softmax(),
    optimisers.explore_optimisers(),
    layers.explore_layer_sizes(),
):
    display(explorer)
"""


def test_every_explorer_is_accessible(jupyterlab, work):
    cell = nbformat.v4.new_code_cell(EXPLORERS, id="explorers")
    python = {"kernelspec": {"name": "python3", "display_name": "Python 3"}}
    notebook = nbformat.v4.new_notebook(cells=[cell], metadata=python)
    nbformat.write(notebook, work / "explorers.ipynb")
    jupyterlab.open("explorers.ipynb")
    jupyterlab.run("explorers")
    assert jupyterlab.errors() == []
    page = jupyterlab.page
    # Lab 02, which may be open behind it, has explorers of its own.
    shown = page.locator(".jp-NotebookPanel:not(.lm-mod-hidden)")
    assert shown.locator(".jupyter-widgets img").count() == 9
    shown.get_by_role("slider", name="window").press("ArrowRight")
    shown.get_by_text("Window 2 of 9").wait_for()
    shown.get_by_role("button", name="Play").first.press("Enter")
    shown.get_by_text("Row 0, column 1: ").wait_for()
    for theme in ("Light", "Dark"):
        jupyterlab.theme(f"JupyterLab {theme}")
        assert not barriers(jupyterlab, ".jp-OutputArea-output")


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
