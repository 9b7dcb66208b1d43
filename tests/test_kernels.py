"""Kernels forked from a warm parent: as quick as promised, as fresh as started ones."""

import asyncio
import os
import platform
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import KernelProvisionerFactory
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from labkit.errors import LabkitError
from labkit.execution.execute import execute, grading_environment
from labkit.kernels import owner
from labkit.kernels.jupyter import PROVISIONER, provisioner_environment
from labkit.kernels.owner import parent_environment, warm_parent
from labkit.kernels.provisioner import kernel_manager
from labkit.sandbox import confinement
from labkit.sandbox.processes import children, memory
from tests.hostile import run
from tests.test_confinement import gone

pytestmark = pytest.mark.skipif(
    not confinement.can_fork(), reason="needs Linux, to fork kernels"
)


def run_here(*sources: str, folder: Path, environment: dict | None = None) -> list[str]:
    """The texts that cells give in a kernel that is not confined."""
    notebook = new_notebook(cells=[new_code_cell(source) for source in sources])
    done = execute(notebook, folder, environment or grading_environment())
    shown = [out for cell in done.cells for out in cell.outputs]
    return [out.get("text", out.get("data", {}).get("text/plain")) for out in shown]


LOADED = "import sys\nsorted({'keras', 'tensorflow', 'matplotlib.pyplot'} & set(sys.modules))"
ALL = "['keras', 'matplotlib.pyplot', 'tensorflow']"
IMPORTS = "from matplotlib import (\n    pyplot,\n)\nif True:\n    from labkit import training"


def test_a_kernel_has_imported_what_the_notebook_will_import(tmp_path):
    assert run_here(LOADED, IMPORTS, folder=tmp_path) == [ALL]


def test_so_has_a_confined_one():
    if not confinement.strength().full:
        pytest.skip("needs namespaces and Landlock")
    assert run(LOADED, IMPORTS).texts[0] == ALL


def test_a_notebook_that_trains_nothing_does_not_wait_for_keras(tmp_path):
    environment = {**grading_environment(), "OMP_NUM_THREADS": "4"}
    text = "# no line of these imports keras\nimport numpy"
    assert run_here(LOADED, text, folder=tmp_path, environment=environment) == ["[]"]
    # Nor does the parent lose its way where a later one does, or where it is no Python.
    assert run_here(LOADED, IMPORTS, folder=tmp_path, environment=environment) == [ALL]
    shown = run_here(LOADED, "import (", folder=tmp_path, environment=environment)
    assert shown[0] == ALL
    warm_parent(environment).close()


def test_nbclient_takes_our_manager(tmp_path):
    (tmp_path / "numbers.txt").write_text("1 2")
    notebook = new_notebook(cells=[new_code_cell("open('numbers.txt').read()")])
    manager = kernel_manager(grading_environment(), tmp_path)
    NotebookClient(notebook, km=manager).execute(cleanup_kc=True)
    assert notebook.cells[0].outputs[0].data["text/plain"] == "'1 2'"
    assert not manager.place.exists()


def test_a_kernel_has_the_environment_it_was_given_and_no_other(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET_TOKEN", "open-sesame")
    monkeypatch.setenv("LABKIT_DATA", "/somewhere")
    told = {**grading_environment(), "LABKIT_PROFILE": "full", "TZ": "Asia/Tokyo"}
    texts = run_here(
        "import os, time; from labkit import profile\n"
        "[os.environ.get(n) for n in ('SECRET_TOKEN', 'LABKIT_DATA')], profile.name(), time.tzname[0]",
        "print(os.getcwd(), '' in __import__('sys').path, '/' in __import__('sys').path)",
        folder=tmp_path,
        environment=told,
    )
    assert texts[0] == "([None, None], 'full', 'JST')"
    assert texts[1].split() == [str(tmp_path), "True", "False"], texts


@pytest.mark.skipif(
    platform.machine() not in ("x86_64", "AMD64"), reason="oneDNN's gain is on x86"
)
@pytest.mark.parametrize(("chosen", "found"), [(None, "1"), ("0", "0")])
def test_onednn_is_on_in_kernels_unless_somebody_turned_it_off(
    tmp_path, monkeypatch, chosen, found
):
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS", raising=False)
    told = grading_environment()
    if chosen is not None:
        told["TF_ENABLE_ONEDNN_OPTS"] = chosen
    asked = "import os, labkit\nos.environ['TF_ENABLE_ONEDNN_OPTS']"
    assert run_here(asked, folder=tmp_path, environment=told) == [f"'{found}'"]


def test_nothing_secret_reaches_the_parent(monkeypatch):
    monkeypatch.setenv("LABKIT_TOKEN", "open-sesame")
    monkeypatch.setenv("SECRET_TOKEN", "open-sesame")
    given = parent_environment({**os.environ, "OMP_NUM_THREADS": "1"})
    assert "open-sesame" not in given.values()
    assert given["OMP_NUM_THREADS"] == "1"


def test_kernels_of_one_parent_draw_different_numbers(tmp_path):
    code = "import random, numpy, keras\nrandom.random(), numpy.random.rand(), float(keras.random.normal(()))"
    one, other = run_here(code, folder=tmp_path), run_here(code, folder=tmp_path)
    assert not set(one[0].split(", ")) & set(other[0].split(", "))


def test_figures_appear_and_checks_run_cell_by_cell(tmp_path):
    texts = run_here(
        "from labkit import check\nimport matplotlib.pyplot as plt\nplt.plot([1, 2]); plt.show()",
        "check('one', 1 / 0)\ncheck('two', 2)",
        folder=tmp_path,
    )
    assert texts[0] == "line from 1 at 0 to 2 at 1."
    # Each check sends a message, also after one whose value raised an error.
    assert len(texts) == 4


def test_a_thread_environment_has_a_parent_of_its_own():
    plain = grading_environment()
    assert warm_parent(plain) is warm_parent({**plain, "LABKIT_PROFILE": "quick"})
    other = warm_parent({**plain, "OMP_NUM_THREADS": "2"})
    assert other is not warm_parent(plain)
    other.close()


def test_a_parent_of_changed_code_is_replaced_and_ends(monkeypatch):
    environment = {**grading_environment(), "OMP_NUM_THREADS": "3"}
    before = warm_parent(environment)
    monkeypatch.setattr(owner, "_stamp", lambda: "other code")
    after = warm_parent(environment)
    assert after is not before
    assert gone(lambda: before.alive, 60)
    assert after.alive
    after.close()


@pytest.fixture
def jupyter(monkeypatch):
    """Jupyter's own managers, told to start kernels warm as `labkit lab` tells them."""
    told = provisioner_environment()
    if not told:
        pytest.skip(f"{PROVISIONER} is not registered: install this package again")
    monkeypatch.setenv(*next(iter(told.items())))
    KernelProvisionerFactory.clear_instance()
    yield
    KernelProvisionerFactory.clear_instance()


def test_jupyter_interrupts_and_restarts_a_warm_kernel(jupyter):
    async def session() -> None:
        manager = AsyncKernelManager(kernel_name="python3")
        await manager.start_kernel()
        first = manager.provisioner.process
        assert isinstance(first, owner.WarmKernel)
        client = manager.client()
        client.start_channels()
        await client.wait_for_ready(timeout=60)
        client.execute("while True: pass")
        await asyncio.sleep(0.5)
        await manager.interrupt_kernel()
        reply = await client.get_shell_msg(timeout=10)
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        await manager.restart_kernel()
        await client.wait_for_ready(timeout=60)
        assert first.poll() is not None
        assert manager.provisioner.process.poll() is None
        client.stop_channels()
        await manager.shutdown_kernel()
        assert not await manager.is_alive()

    asyncio.run(session())


def test_an_extra_kernel_takes_little_memory(tmp_path):
    parent = warm_parent(grading_environment())
    text = "import keras, os\nprint(os.getpid())\nprint(open('/proc/self/smaps_rollup').read())"
    shown = run_here(text, folder=tmp_path)[0]
    own = [int(line.split()[1]) for line in shown.splitlines() if "Private" in line]
    assert sum(own) < 150_000  # kB; a cold kernel takes 600,000
    assert memory([parent._process.pid], 0) > 0


def test_kernels_end_with_their_owner(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(
        "from pathlib import Path\nfrom tests.test_kernels import run_here\n"
        "if __name__ == '__main__':\n"
        '    run_here(\'import time; open("up", "w"); time.sleep(60)\', folder=Path.cwd())\n'
    )
    root = Path(__file__).parents[1]
    given = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, script], cwd=tmp_path, env=given) as started:
        end = time.monotonic() + 60
        while not (tmp_path / "up").exists() and time.monotonic() < end:
            time.sleep(0.1)
        (parent,) = children()[started.pid]
        (kernel,) = children()[parent]
        started.send_signal(signal.SIGKILL)
    assert gone(
        lambda: Path(f"/proc/{kernel}").exists() or Path(f"/proc/{parent}").exists()
    )
    assert not list(tmp_path.glob("labkit-*"))


def test_a_run_whose_parent_was_killed_blames_nobody(tmp_path):
    up = tmp_path / "up"
    run_here("1", folder=tmp_path)
    parent = warm_parent(grading_environment())

    def kill_it():
        while not up.exists():
            time.sleep(0.05)
        os.kill(parent._process.pid, signal.SIGKILL)

    killer = threading.Thread(target=kill_it)
    killer.start()
    with pytest.raises(LabkitError, match="was ended from outside"):
        run_here(
            f"import time; open({str(up)!r}, 'w'); time.sleep(60)", folder=tmp_path
        )
    killer.join()


def test_a_parent_that_dies_as_it_is_asked_is_replaced(tmp_path, monkeypatch):
    run_here("1", folder=tmp_path)
    parent = warm_parent(grading_environment())
    ask = owner.WarmParent._ask

    def killed_first(self, message, files=()):
        if self is parent and message["do"] == "start":
            os.kill(parent._process.pid, signal.SIGKILL)
            parent._process.wait()
        return ask(self, message, files)

    monkeypatch.setattr(owner.WarmParent, "_ask", killed_first)
    assert run_here("1 + 1", folder=tmp_path) == ["2"]


def test_a_kernel_is_started_anew_where_the_parent_was_killed(tmp_path):
    run_here("1", folder=tmp_path)
    parent = warm_parent(grading_environment())
    os.kill(parent._process.pid, signal.SIGKILL)
    parent._process.wait()
    assert run_here("1 + 1", folder=tmp_path) == ["2"]
