"""Why Keras has no GPU here, from the facts alone, so that every cause can be tried on any machine."""

from __future__ import annotations

from dataclasses import dataclass

from labkit.errors import install_command
from labkit.machine.facts import Facts, Gpu, Holder

# The oldest Linux driver of each CUDA version.
# Source: NVIDIA, CUDA Compatibility, "minimum required driver version" (minor version compatibility).
OLDEST_DRIVER = {11: (450, 80), 12: (525, 60), 13: (580, 65)}
# TensorFlow alone takes about this much for its own code on a GPU before the first array.
NEEDED_MIB = 1500


@dataclass(frozen=True)
class Diagnosis:
    """What is found, whether that is as good as this machine can do, and what to type.

    cause: "no gpu", "no driver", "driver broken", "driver too old", "backend for cpu", "packages absent",
    "hidden", "not found", "memory held" or "ready".
    """

    cause: str
    found: str
    good: bool
    advice: str = ""


# The new environment does not have this package yet.
GPU_SETUP = f"python3 -m venv .venv-gpu && .venv-gpu/bin/{install_command('gpu')}"
RESTART = "Restart the machine; nothing is to be installed: sudo reboot"


def diagnose(facts: Facts) -> Diagnosis:
    """Return the first known cause why Keras has no GPU here, or that it has one."""
    causes = (_no_driver, _old_driver, _backend, _visible, _memory)
    for cause in causes:
        found = cause(facts)
        if found:
            return found
    names = ", ".join(f"{gpu.name}, {gpu.total / 1024:.0f} GiB" for gpu in facts.gpus)
    named = f": {names}" if names else ""
    return Diagnosis("ready", f"Keras sees {facts.seen} GPU{named}", True)


def _no_driver(facts: Facts) -> Diagnosis | None:
    if facts.complaint:
        return Diagnosis(
            "driver broken",
            f"the NVIDIA driver does not answer: {facts.complaint}",
            False,
            f"Most often it was updated since the machine was started. {RESTART}",
        )
    if facts.driver or facts.seen:
        return None
    if facts.hardware:
        advice = {
            "Linux": "On Ubuntu type: sudo ubuntu-drivers install && sudo reboot. Elsewhere: "
            "https://www.nvidia.com/drivers",
            "Windows": "TensorFlow uses a GPU on Windows only inside WSL 2. Type in PowerShell: wsl --install",
        }
        return Diagnosis(
            "no driver",
            "there is an NVIDIA GPU, but no driver for it",
            False,
            advice.get(facts.system, "See https://www.nvidia.com/drivers"),
        )
    return Diagnosis(
        "no gpu", "none: Keras runs on the CPU, which is enough for every lab", True
    )


def _old_driver(facts: Facts) -> Diagnosis | None:
    oldest = OLDEST_DRIVER.get(facts.cuda)
    if not oldest or not facts.driver or facts.driver >= oldest:
        return None
    return Diagnosis(
        "driver too old",
        f"the NVIDIA driver {_dotted(facts.driver)} is too old for CUDA {facts.cuda}, which {facts.package} "
        f"was built for; it takes {_dotted(oldest)} or newer",
        False,
        "On Ubuntu type: sudo ubuntu-drivers install && sudo reboot. Elsewhere: https://www.nvidia.com/drivers",
    )


def _dotted(version: tuple[int, ...]) -> str:
    return ".".join(str(part) for part in version)


def _backend(facts: Facts) -> Diagnosis | None:
    if facts.seen:
        return None
    if not facts.cuda:
        return Diagnosis(
            "backend for cpu",
            f"there is a GPU, but {facts.package or facts.backend} is made for the CPU only",
            False,
            f"Set up an environment of its own: {GPU_SETUP}",
        )
    if facts.absent:
        return Diagnosis(
            "packages absent",
            f"{facts.package} lacks its CUDA packages: {', '.join(facts.absent)}",
            False,
            f"Type: pip install {' '.join(facts.absent)}",
        )
    return None


def _visible(facts: Facts) -> Diagnosis | None:
    if facts.seen:
        return None
    if facts.hidden is not None and facts.hidden.strip() in ("", "-1"):
        return Diagnosis(
            "hidden",
            f"CUDA_VISIBLE_DEVICES is {facts.hidden!r}, which hides every GPU",
            False,
            "Type: unset CUDA_VISIBLE_DEVICES",
        )
    return Diagnosis(
        "not found",
        f"the driver sees {len(facts.gpus)} GPU, {facts.package} sees none: it does not find the CUDA libraries "
        "that pip installed",
        False,
        "Type: labkit kernel install --gpu, and choose that kernel in JupyterLab",
    )


def _memory(facts: Facts) -> Diagnosis | None:
    if not facts.gpus or any(gpu.free >= NEEDED_MIB for gpu in facts.gpus):
        return None
    return Diagnosis(
        "memory held",
        memory_message(facts.gpus, facts.holders),
        False,
        _release(facts.holders),
    )


def memory_message(gpus: tuple[Gpu, ...], holders: tuple[Holder, ...]) -> str:
    """Return in words how much GPU memory is free, and who holds the rest, the largest first."""
    parts = []
    for gpu in gpus:
        own = sorted((h for h in holders if h.gpu == gpu.index), key=lambda h: -h.mib)
        who = "; ".join(str(holder) for holder in own) or "who holds it is not shown"
        parts.append(
            f"GPU {gpu.index} ({gpu.name}) has {gpu.free:,} of {gpu.total:,} MiB free: {who}"
        )
    return ". ".join(parts)


def _release(holders: tuple[Holder, ...]) -> str:
    ours = max((h for h in holders if h.ours), key=lambda h: h.mib, default=None)
    if ours:
        return (
            "Shut its kernel down in JupyterLab (Running Terminals and Kernels), "
            f"or type: kill {ours.pid}"
        )
    return "Ask who holds it, or wait. To share a GPU type: labkit kernel install --gpu --memory 4000"
