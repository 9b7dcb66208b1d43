"""As many kernels side by side as there is memory for, and always one."""

import threading
from types import SimpleNamespace

import pytest

from labkit.execution import memory_gate
from labkit.execution.memory_gate import MemoryGate

PATIENCE = 60  # seconds, for what comes at once on an idle machine


@pytest.fixture
def free(monkeypatch):
    """The free memory of the machine, in GiB, to be set."""
    machine = SimpleNamespace(gib=8.0)
    monkeypatch.setattr(
        memory_gate.psutil,
        "virtual_memory",
        lambda: SimpleNamespace(available=int(machine.gib * 2**30)),
    )
    monkeypatch.setattr(memory_gate, "_LOOK_SECONDS", 0.01)
    return machine


def enter(gate, inside, leave):
    with gate.room_for_one(threading.Event()):
        inside.release()
        leave.wait(PATIENCE)


def test_a_second_one_waits_until_there_is_room(free):
    gate, inside, leave = MemoryGate(), threading.Semaphore(0), threading.Event()
    gate.saw(3 * 2**30)
    free.gib = 2.0
    runs = [threading.Thread(target=enter, args=(gate, inside, leave)) for _ in "ab"]
    for run in runs:
        run.start()
    assert inside.acquire(timeout=PATIENCE)  # one may always run
    assert not inside.acquire(timeout=0.2)
    free.gib = 4.0
    assert inside.acquire(timeout=PATIENCE)
    leave.set()
    for run in runs:
        run.join()


def test_who_waits_goes_when_all_is_over(free):
    gate, inside, leave = MemoryGate(), threading.Semaphore(0), threading.Event()
    free.gib = 0.1
    first = threading.Thread(target=enter, args=(gate, inside, leave))
    first.start()
    assert inside.acquire(timeout=PATIENCE)
    over = threading.Event()
    over.set()
    with gate.room_for_one(over):
        pass
    leave.set()
    first.join()
