"""Kernels for Jupyter's clients, forked from a warm parent where the system can.

`WarmProvisioner` is known to jupyter_client as "labkit-warm"; a kernelspec names it.
`kernel_manager` is for our own runs, which may confine the kernel.
"""

import asyncio
import os
import shutil
import socket
import sys
import tempfile
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import zmq
from jupyter_client.asynchronous import AsyncKernelClient
from jupyter_client.connect import KernelConnectionInfo
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from jupyter_client.provisioning import LocalProvisioner

from labkit.files import copy_files
from labkit.kernels.child import Request
from labkit.kernels.owner import ParentLost, await_report, warm_parent
from labkit.sandbox import bubblewrap
from labkit.sandbox.confinement import can_fork, strength
from labkit.sandbox.policy import MESSAGE_BYTES, MIB, Policy
from labkit.sandbox.relay import Relay

CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
# How many messages of a kernel wait to be read: with their size it bounds our memory.
_MESSAGES_WAITING = 8
_ARGUMENTS = ["-m", "ipykernel_launcher", "-f", "{connection_file}"]


class WarmProvisioner(LocalProvisioner):
    """Starts a kernel by forking the warm parent, or a plain one where it cannot.

    `excess` says in plain words why a kernel was ended here; usually nothing.
    """

    excess = ""
    process: Any = None  # a WarmKernel or a subprocess.Popen
    _relay: Relay | None = None

    async def launch_kernel(
        self, cmd: list[str], **kwargs: Any
    ) -> KernelConnectionInfo:
        """Start the kernel that `cmd` names, confined where its manager has a policy."""
        policy: Policy | None = getattr(self.parent, "policy", None)
        ours = cmd[:3] == [sys.executable, "-m", "ipykernel_launcher"]
        if os.name == "nt" or not ours or (policy is None and not can_fork()):
            return await super().launch_kernel(cmd, **kwargs)
        self.cwd = kwargs.get("cwd") or Path.cwd()
        file = cmd.index("-f") + 1
        request = Request(
            folder=str(self.cwd),
            environment=dict(kwargs["env"]),
            connection_file=cmd[file],
            arguments=cmd[file + 1 :],
            policy=policy,
            place=str(getattr(self.parent, "place", "")),
            connection=_plain(dict(self.connection_info)),
            imports=getattr(self.parent, "imports", None),
        )
        if policy is not None:
            request = replace(request, strength=strength().name)
        with ExitStack() as sockets:
            listening = self._listen(sockets, policy is not None)
            if policy and (request.strength == "bubblewrap" or not can_fork()):
                await self._launch_cold(request, policy, listening, kwargs)
            else:
                # Not in this thread: the parent may still be importing Keras.
                await asyncio.to_thread(self._fork, request, listening)
        self.pid = self.process.pid
        return self.connection_info

    def _fork(self, request: Request, listening: list[int]) -> None:
        placed = _in_place(request)
        try:
            self.process = warm_parent(request.environment).start(placed, listening)
        except ParentLost:  # since it was asked for; the next one is another
            self.process = warm_parent(request.environment).start(placed, listening)

    async def _launch_cold(
        self, request: Request, policy: Policy, listening: list[int], kwargs: dict
    ) -> None:
        """Start a confined kernel from its command; interrupts go to it as messages."""
        self.kernel_spec.interrupt_mode = "message"
        before = (
            bubblewrap.command(Path(request.folder), policy)
            if request.strength == "bubblewrap"
            else []
        )
        reading, writing = os.pipe()
        with tempfile.TemporaryFile() as asked:
            asked.write(_in_place(request).to_json().encode())
            asked.seek(0)
            files = [asked.fileno(), writing, *listening]
            words = ["-m", "labkit.kernels.cold", *map(str, files)]
            kwargs |= {"pass_fds": files, "env": request.environment, "cwd": "/"}
            await super().launch_kernel([*before, sys.executable, *words], **kwargs)
        os.close(writing)
        problem = await asyncio.to_thread(await_report, reading)
        if problem:
            await self.kill()
            raise RuntimeError(f"The kernel did not start: {problem}")

    def _listen(self, kept: ExitStack, confined: bool) -> list[int]:
        """The kernel's sockets, bound here: it needs no folder in common with us.

        A confined kernel gets others, and a relay between the two.
        """
        info: dict[str, Any] = dict(self.connection_info)
        if info["transport"] != "ipc":
            return []
        paths = [Path(f"{info['ip']}-{info[f'{name}_port']}") for name in CHANNELS]
        sockets = [_listening(path) for path in paths]
        if confined:
            inner = [path.with_name(f"inner-{path.name}") for path in paths]
            self._relay = Relay(
                dict(zip(sockets, inner, strict=True)), MESSAGE_BYTES, self._cut_off
            )
            sockets = [_listening(path) for path in inner]
        for one in sockets:
            kept.callback(one.close)
        return [one.fileno() for one in sockets]

    def _cut_off(self) -> None:
        limit = MESSAGE_BYTES // MIB
        self.excess = f"The notebook sent more than {limit} MiB in one message."
        self.process.kill()

    async def cleanup(self, restart: bool = False) -> None:
        """Let go of what belonged to the kernel."""
        if self._relay is not None:
            self._relay.close()
            self._relay = None
        await super().cleanup(restart)


def _listening(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    one = socket.socket(socket.AF_UNIX)
    one.bind(str(path))
    one.listen()
    return one


def _plain(info: dict) -> dict:
    key = info["key"]
    return {**info, "key": key.decode() if isinstance(key, bytes) else key}


def _in_place(request: Request) -> Request:
    """A plain kernel has no file system of its own: it gets a copy of the files."""
    if request.strength != "plain":
        return request
    home = Path(request.place, "home")
    (home / "tmp").mkdir(parents=True, mode=0o700)
    copy_files(Path(request.folder), home / "lab")
    return replace(request, folder=str(home / "lab"), home=str(home))


class LabKernelManager(AsyncKernelManager):
    """A manager of one kernel in a folder and environment, confined if it has a policy."""

    provisioner: WarmProvisioner

    def __init__(
        self,
        environment: dict[str, str],
        folder: Path,
        policy: Policy | None,
        imports: list[str] | None,
    ) -> None:
        self.place = Path(tempfile.mkdtemp(prefix="labkit-"))
        sockets = {"transport": "ipc", "ip": f"{self.place}/kernel"}
        super().__init__(
            connection_file=str(self.place / "connection.json"),
            **({} if os.name == "nt" else sockets),
        )
        self.policy = policy
        self.imports = imports
        self._start = {"env": environment, "cwd": str(folder)}
        self._kernel_spec = KernelSpec(
            argv=[sys.executable, *_ARGUMENTS], language="python"
        )
        self.provisioner = WarmProvisioner(
            kernel_id="", kernel_spec=self._kernel_spec, parent=self
        )
        _bound(self.context)

    async def _async_pre_start_kernel(self, **kw: Any) -> tuple[list[str], dict]:
        return await super()._async_pre_start_kernel(**{**self._start, **kw})

    # The type is AsyncKernelManager's own, whose base has another.
    def client(self, **kwargs: Any) -> AsyncKernelClient:  # type: ignore[override]
        """A client that takes no more from the kernel at once than is good for us."""
        client = super().client(**kwargs)
        _bound(client.context)
        return client

    async def _async_cleanup_resources(self, restart: bool = False) -> None:
        await super()._async_cleanup_resources(restart=restart)
        if not restart:
            self.forget()

    cleanup_resources = _async_cleanup_resources

    def forget(self) -> None:
        """Remove the files of a kernel that has ended or never started."""
        shutil.rmtree(self.place, ignore_errors=True)


def _bound(context: zmq.Context) -> None:
    """Bound every socket that will be made in the context."""
    context.setsockopt(zmq.MAXMSGSIZE, MESSAGE_BYTES)
    context.setsockopt(zmq.RCVHWM, _MESSAGES_WAITING)


def kernel_manager(
    environment: dict[str, str],
    folder: Path,
    policy: Policy | None = None,
    imports: list[str] | None = None,
) -> LabKernelManager:
    """A manager whose kernel starts in `folder`; give it to nbclient or start it.

    With a policy the kernel is confined, as well as this machine can
    (`confinement.strength`), and works on a copy of the folder. `imports` are the words of
    the import lines that it will run, where they are known: those libraries are warm.
    """
    return LabKernelManager(environment, folder, policy, imports)
