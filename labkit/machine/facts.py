"""What a machine says about its NVIDIA GPUs; nothing here is judged."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

SECONDS = 20
NVIDIA = "0x10de"
CUDA_VERSIONS = (11, 12, 13)
_CUDA_PACKAGE = re.compile(r"nvidia-[\w-]+")


@dataclass(frozen=True)
class Holder:
    """A process that holds GPU memory; user and what ("" where they cannot be seen)."""

    pid: int
    mib: int
    gpu: int = 0
    user: str = ""
    what: str = ""
    ours: bool = False

    def __str__(self) -> str:
        user = f" of {self.user}" if self.user else ""
        what = f" ({self.what})" if self.what else ""
        return f"process {self.pid}{user}{what} holds {self.mib:,} MiB"


@dataclass(frozen=True)
class Gpu:
    """A GPU as the driver sees it; memory in MiB, capability such as (9, 0)."""

    index: int
    name: str
    total: int
    free: int
    capability: tuple[int, ...] = ()


@dataclass(frozen=True)
class Facts:
    """What a machine says about its GPUs.

    hardware: whether there is an NVIDIA GPU at all; None where that cannot be seen. driver: its version, (570,
    124); () where there is none. complaint: what nvidia-smi says where it fails. package, cuda: the backend's
    package, and the major CUDA version that it was built for (0: for the CPU only). absent: CUDA packages that
    belong to it and are not installed. seen: how many GPUs Keras sees; hidden: CUDA_VISIBLE_DEVICES, None where
    it is not set.
    """

    system: str = "Linux"
    hardware: bool | None = None
    driver: tuple[int, ...] = ()
    complaint: str = ""
    gpus: tuple[Gpu, ...] = ()
    holders: tuple[Holder, ...] = ()
    backend: str = "tensorflow"
    package: str = ""
    cuda: int = 0
    absent: tuple[str, ...] = ()
    seen: int = 0
    hidden: str | None = None


def gather(backend: str | None = None) -> Facts:
    """Return what this machine says; Keras is imported, and raises what it raises where it cannot be."""
    backend = backend or os.environ.get("KERAS_BACKEND", "tensorflow")
    facts = replace(
        driver_facts(),
        system=platform.system(),
        hardware=_hardware(),
        backend=backend,
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
    )
    seen = _seen()
    if not facts.driver:
        return replace(facts, seen=seen)
    package, cuda, absent = _packages(backend)
    return replace(facts, package=package, cuda=cuda, absent=absent, seen=seen)


def driver_facts() -> Facts:
    """Return the part that nvidia-smi knows: driver, GPUs and who holds their memory."""
    if shutil.which("nvidia-smi") is None:
        return Facts()
    try:
        rows = list(
            _ask(
                "gpu",
                "index,uuid,name,driver_version,memory.total,memory.free,compute_cap",
            )
        )
    except (OSError, ValueError, subprocess.SubprocessError) as error:
        return Facts(complaint=_complaint(error))
    gpus = tuple(
        Gpu(int(row[0]), row[2], _number(row[4]), _number(row[5]), _version(row[6]))
        for row in rows
    )
    driver = _version(rows[0][3]) if rows else ()
    return Facts(
        driver=driver, gpus=gpus, holders=tuple(_holders([r[1] for r in rows]))
    )


def _ask(kind: str, fields: str) -> Iterator[list[str]]:
    command = [
        "nvidia-smi",
        f"--query-{kind}={fields}",
        "--format=csv,noheader,nounits",
    ]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS, check=True
    )
    width = fields.count(",") + 1
    for line in done.stdout.splitlines():
        row = [part.strip() for part in line.split(",")]
        if len(row) == width:
            yield row


def _complaint(error: Exception) -> str:
    said = getattr(error, "stdout", "") or getattr(error, "stderr", "") or str(error)
    said = said.decode(errors="replace") if isinstance(said, bytes) else said
    return " ".join(said.split())[:200]


def _number(text: str) -> int:
    """Return a count; 0 for [N/A], which nvidia-smi writes for what it may not see."""
    found = re.match(r"\d+", text)
    return int(found[0]) if found else 0


def _version(text: str) -> tuple[int, ...]:
    return tuple(int(part) for part in re.findall(r"\d+", text))


def _holders(uuids: list[str]) -> Iterator[Holder]:
    try:
        rows = list(_ask("compute-apps", "pid,gpu_uuid,used_memory"))
    except (OSError, ValueError, subprocess.SubprocessError):
        return
    for pid, uuid, mib in rows:
        user, what, ours = _process(int(pid))
        gpu = uuids.index(uuid) if uuid in uuids else 0
        yield Holder(int(pid), _number(mib), gpu, user, what, ours)


def _process(pid: int) -> tuple[str, str, bool]:
    """Return a process's user, what it runs, and whether it is this user's."""
    import psutil

    try:
        process = psutil.Process(pid)
        user, words = process.username(), process.cmdline()
        ours = user == psutil.Process().username()
    except psutil.Error:
        return "", "", False
    try:
        # Jupyter's server names the notebook there
        notebook = process.environ().get("JPY_SESSION_NAME", "")
    except psutil.Error:
        notebook = ""
    if notebook:
        return user, f"the notebook {Path(notebook).name}", ours
    return user, " ".join(words)[:60], ours


def _hardware() -> bool | None:
    """Return whether a display controller of NVIDIA is on the PCI bus; None where Linux does not say."""
    devices = Path("/sys/bus/pci/devices")
    if not devices.is_dir():
        return None
    return any(_is_gpu(device) for device in devices.iterdir())


def _is_gpu(device: Path) -> bool:
    try:
        vendor = (device / "vendor").read_text().strip()
        kind = (device / "class").read_text().strip()
    except OSError:
        return False
    return vendor == NVIDIA and kind.startswith("0x03")


def _packages(backend: str) -> tuple[str, int, tuple[str, ...]]:
    """Return the backend's package with its version, its major CUDA version, and what of CUDA is absent."""
    extras = {"tensorflow": ("tensorflow", "and-cuda"), "torch": ("torch", "")}
    package, extra = extras.get(backend, (backend, ""))
    try:
        version = importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "", 0, ()
    wanted = sorted(_cuda_packages(package, extra))
    absent = tuple(name for name in wanted if not _installed(name))
    return f"{package} {version}", _cuda_version(backend, wanted), absent


def _cuda_packages(package: str, extra: str) -> Iterator[str]:
    for line in importlib.metadata.requires(package) or ():
        name = _CUDA_PACKAGE.match(line)
        condition = line.partition(";")[2]
        if name and (f'"{extra}"' in condition or "extra" not in condition):
            yield name[0]


def _cuda_version(backend: str, packages: list[str]) -> int:
    if backend == "tensorflow":
        import tensorflow as tf

        built = tf.sysconfig.get_build_info()
        return int(str(built.get("cuda_version", "0")).partition(".")[0] or 0)
    if backend == "torch":
        import torch

        return int((torch.version.cuda or "0").partition(".")[0])
    plugins = (f"jax-cuda{major}-plugin" for major in CUDA_VERSIONS)
    return next((int(_version(name)[0]) for name in plugins if _installed(name)), 0)


def _installed(name: str) -> bool:
    try:
        importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return False
    return True


def _seen() -> int:
    import keras

    return len(keras.distribution.list_devices("gpu"))
