"""JupyterLab on the labs, used in a real browser by its keys and menus."""

import contextlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
PATIENCE = 120_000  # milliseconds: only a machine that hangs takes as long
NOTEBOOK = "jupyterapp.shell.currentWidget.content"


@contextlib.contextmanager
def browser() -> Iterator[Browser]:
    """Chromium, as long as it is used."""
    with sync_playwright() as driver:
        found = driver.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield found
        found.close()


@contextlib.contextmanager
def jupyterlab(course: Path, work: Path) -> Iterator["Server"]:
    """`labkit lab` in a course, on a working copy, with settings of its own."""
    with tempfile.TemporaryDirectory() as folder, socket.socket() as free:
        exposed = {"LabApp": {"expose_app_in_browser": True}}
        Path(folder, "jupyter_server_config.json").write_text(json.dumps(exposed))
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        free.close()
        command = [sys.executable, "-m", "labkit", "lab", "--no-browser"]
        log = Path(folder, "log")
        with log.open("w") as file:
            jupyter = subprocess.Popen(
                [*command, "--dir", str(work), "--port", str(port)],
                cwd=course,
                env={
                    **os.environ,
                    "JUPYTER_CONFIG_PATH": folder,
                    "JUPYTERLAB_SETTINGS_DIR": folder,
                },
                stdout=file,
                stderr=file,
            )
        try:
            while (found := re.search(r"token=(\w+)", log.read_text())) is None:
                if jupyter.poll() is not None:
                    raise RuntimeError(log.read_text())
                time.sleep(0.2)
            yield Server(f"http://127.0.0.1:{port}", found[1])
        finally:
            jupyter.terminate()
            jupyter.wait()


@dataclass(frozen=True)
class Server:
    """Where a JupyterLab listens, and the token that it asks for."""

    address: str
    token: str

    def begin(self, page: Page) -> "JupyterLab":
        """Open the start page as `labkit lab` does."""
        page.goto(f"{self.address}/lab/tree/start.md?token={self.token}")
        page.wait_for_selector(".jp-MarkdownViewer h1")
        return JupyterLab(page, self.address)


class JupyterLab:
    """A page of the browser, used by its keys and menus as a student uses it."""

    def __init__(self, page: Page, address: str) -> None:
        self.page, self.address = page, address
        page.set_default_timeout(PATIENCE)

    def open(self, path: str) -> None:
        """Open a notebook, as a link to it does, and wait until its kernel is there."""
        # Not before what was open the last time is open again, and one of it in front.
        self.page.evaluate(
            """path => jupyterapp.restored.then(() =>
                void jupyterapp.commands.execute('docmanager:open', { path }))""",
            path,
        )
        self.wait(
            f"jupyterapp.shell.currentWidget?.context?.path === '{path}' &&"
            " jupyterapp.shell.currentWidget.sessionContext.session?.kernel?.status"
            " === 'idle'"
        )

    def open_anew(self, path: str) -> None:
        """Open a page of Markdown as it is on the disk now."""
        self.page.evaluate(
            """async path => {
                const factory = 'Markdown Preview';
                const open = () =>
                    jupyterapp.commands.execute('docmanager:open', { path, factory });
                await jupyterapp.restored;
                (await open()).dispose();
                await open();
            }""",
            path,
        )

    def close_all(self) -> None:
        """Close what is open, saved or not; its kernels go on."""
        self.page.evaluate(
            "[...jupyterapp.shell.widgets('main')].forEach(widget => widget.dispose())"
        )

    def wait(self, condition: str) -> None:
        # Not at each frame, as by default: that would keep the page drawing.
        self.page.wait_for_function(
            f"() => {{ {self.app} return {condition} }}", polling=100
        )

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

    def theme(self, name: str) -> None:
        """Change to another theme, and wait until it is there."""
        self.page.evaluate(
            "theme => jupyterapp.commands.execute('apputils:change-theme', { theme })",
            name,
        )
        body = f"body[data-jp-theme-name='{name}']"
        self.page.wait_for_selector(body, state="attached")

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
