"""A student's first cell in JupyterLab, in a real browser: kernels cold and warm.

In both, JupyterLab is started as `make lab` does it, a notebook is opened in headless
Chromium, and its first cell, `import keras`, is run. Cold means Jupyter's own kernels,
warm those forked from a parent that has imported Keras already. Printed are the medians.
"""

import contextlib
import json
import secrets
import shutil
import socket
import statistics
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import nbformat
import typer
from playwright.sync_api import Page, sync_playwright

from labkit.labs.source import KERNELSPEC
from labkit.learning.jupyterlab import lab_command, lab_environment

SECONDS = 60
IDLE = ".jp-Notebook-ExecutionIndicator[data-status='idle']"
CELL = "import keras\nprint('it has', 'run')"
DONE = ".jp-OutputArea-output:has-text('it has run')"


@dataclass
class Opened:
    """Seconds until the notebook's kernel was ready, and then for its first cell."""

    ready: float
    first_cell: float


def main(
    times: Annotated[int, typer.Option(help="Notebooks opened of each kind.")] = 5,
) -> None:
    """Measure, and print seconds and their ratio."""
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        raise SystemExit("No Chromium or Chrome here. On Debian: apt install chromium")
    warm = lab_environment()
    cold = {k: v for k, v in warm.items() if not k.startswith("JUPYTER_DEFAULT_PROV")}
    medians = {}
    for what, environment in (("cold", cold), ("warm", warm)):
        with _jupyterlab(environment, times) as address, sync_playwright() as driver:
            browser = driver.chromium.launch(
                executable_path=chromium, args=["--no-sandbox", "--disable-gpu"]
            )
            # The first one warms the browser and the server up.
            found = [_open(browser.new_page(), address, n) for n in range(times + 1)]
            browser.close()
        medians[what] = Opened(
            statistics.median(one.ready for one in found[1:]),
            statistics.median(one.first_cell for one in found[1:]),
        )
        print(
            f"{what}: kernel ready {medians[what].ready:.2f} s after the notebook was "
            f"opened, its first cell {medians[what].first_cell:.2f} s",
            flush=True,
        )
    ratio = medians["cold"].first_cell / medians["warm"].first_cell
    print(f"The first cell is {ratio:.0f} times as fast on a warm kernel.")


@contextlib.contextmanager
def _jupyterlab(environment: dict[str, str], times: int) -> Iterator[str]:
    """A server on new notebooks; yields its address, with {} for a notebook's number."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(CELL)], metadata={"kernelspec": KERNELSPEC}
    )
    with tempfile.TemporaryDirectory(prefix="labkit-benchmark-") as root:
        for number in range(times + 1):
            nbformat.write(notebook, Path(root, f"{number}.ipynb"))
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        token = secrets.token_hex(16)
        command = lab_command(Path(root), browser=False, port=port)
        process = subprocess.Popen(
            [*command, f"--IdentityProvider.token={token}"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            base = f"http://127.0.0.1:{port}"
            _wait_for(f"{base}/api/status?token={token}")
            time.sleep(10)  # for the parent of warm kernels, in either case
            yield f"{base}/lab/workspaces/w{{0}}/tree/{{0}}.ipynb?token={token}"
        finally:
            process.terminate()
            process.wait()


def _wait_for(address: str) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with contextlib.suppress(OSError), urllib.request.urlopen(address) as answer:
            if json.load(answer):
                return
        time.sleep(0.2)
    raise SystemExit(f"JupyterLab did not answer within {SECONDS} s.")


def _open(page: Page, address: str, number: int) -> Opened:
    page.set_default_timeout(1000 * SECONDS)
    begun = time.perf_counter()
    page.goto(address.format(number))
    page.wait_for_selector(IDLE)
    ready = time.perf_counter()
    page.click(".jp-CodeCell .cm-content")
    pressed = time.perf_counter()
    page.keyboard.press("Shift+Enter")
    page.wait_for_selector(DONE)
    done = time.perf_counter()
    page.close()
    return Opened(ready - begun, done - pressed)


if __name__ == "__main__":
    typer.run(main)
