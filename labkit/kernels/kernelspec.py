"""A Jupyter kernel for this environment that finds the CPU or the GPU without activating anything."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from string import Template

from labkit.errors import LabkitError
from labkit.kernels.jupyter import provisioner_environment
from labkit.machine.gpu_memory import LIMIT

BACKENDS = ("tensorflow", "jax", "torch")
WARM, PLAIN = "labkit-warm", "local-provisioner"


def install(
    *,
    gpu: bool = False,
    backend: str = "tensorflow",
    memory: int | None = None,
    prefix: Path | None = None,
) -> tuple[Path, dict]:
    """Write the kernelspec "cnn-labs" or "cnn-labs-gpu" for Jupyter; returns its folder and content.

    memory: MiB of each GPU that a kernel may take; it grows as needed, without a limit, where None. prefix: an
    environment's folder, for all who use it; where None, for this user alone. Raises LabkitError where the
    backend is none of Keras's, or the limit is for no GPU or too small.
    """
    from jupyter_client.kernelspec import KernelSpecManager

    if backend not in BACKENDS:
        raise LabkitError(
            f"Keras has no backend {backend!r}; expected one of {', '.join(BACKENDS)}."
        )
    if memory is not None and (not gpu or memory < 1024):
        raise LabkitError(
            f"--memory {memory} is for a GPU, with --gpu, and at least 1024 MiB."
        )
    name = "-".join(
        [
            "cnn-labs",
            *(["gpu"] if gpu else []),
            *([backend] if backend != "tensorflow" else []),
        ]
    )
    spec = kernelspec(gpu=gpu, backend=backend, memory=memory)
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "kernel.json").write_text(json.dumps(spec, indent=2) + "\n")
        written = KernelSpecManager().install_kernel_spec(
            folder, name, user=prefix is None, prefix=str(prefix) if prefix else None
        )
    return Path(written), spec


def kernelspec(*, gpu: bool, backend: str, memory: int | None) -> dict:
    """Return the content of kernel.json."""
    kinds = [*(["GPU"] if gpu else []), *([backend] if backend != "tensorflow" else [])]
    title = f"CNN labs ({', '.join(kinds)})" if kinds else "CNN labs"
    # A GPU's libraries must be on the path before the process starts.
    warm = not gpu and bool(provisioner_environment())
    return {
        "argv": [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}"],
        "display_name": title,
        "language": "python",
        "interrupt_mode": "signal",
        "env": environment(gpu=gpu, backend=backend, memory=memory),
        "metadata": {
            "debugger": True,
            "kernel_provisioner": {"provisioner_name": WARM if warm else PLAIN},
        },
    }


def environment(
    *, gpu: bool, backend: str, memory: int | None = None
) -> dict[str, str]:
    """Return what a kernel needs in its environment; "${NAME}" is what Jupyter has there already."""
    found = {"KERAS_BACKEND": backend, "PATH": _joined(tool_folders(), "PATH")}
    if not gpu:
        # one more variable would cost a warm parent of its own
        return found | ({"CUDA_VISIBLE_DEVICES": "-1"} if library_folders() else {})
    found |= {
        "LABKIT_PROFILE": "full",
        # each library takes the whole GPU at its start, unless told not to
        "TF_FORCE_GPU_ALLOW_GROWTH": "true",
        "XLA_PYTHON_CLIENT_PREALLOCATE": "false",
        "PYTORCH_CUDA_ALLOC_CONF": "expandable_segments:True",
    }
    folders, data = library_folders(), _cuda_data()
    if folders:
        found["LD_LIBRARY_PATH"] = _joined(folders, "LD_LIBRARY_PATH")
    if data:
        found["XLA_FLAGS"] = f"--xla_gpu_cuda_data_dir={data}"
    if memory:
        found[LIMIT] = str(memory)
    return found


def gpus_seen(spec: dict) -> int:
    """Return how many GPUs Keras sees in a process that is started as the kernel would be."""
    values = {
        name: Template(text).safe_substitute(os.environ)
        for name, text in spec["env"].items()
    }
    script = "import keras; print(len(keras.distribution.list_devices('gpu')))"
    done = subprocess.run(
        [spec["argv"][0], "-c", script],
        env={**os.environ, **values},
        capture_output=True,
        text=True,
    )
    return int(done.stdout.split()[-1]) if done.returncode == 0 else 0


def _joined(folders: list[Path], name: str) -> str:
    return os.pathsep.join([*map(str, folders), f"${{{name}}}"])


def _cuda_roots() -> list[Path]:
    """Return where pip puts NVIDIA's packages."""
    spec = importlib.util.find_spec("nvidia")
    places = spec.submodule_search_locations if spec else None
    return [Path(root) for root in places or ()]


def library_folders() -> list[Path]:
    """Return the folders of the CUDA libraries that pip installed, for LD_LIBRARY_PATH."""
    found = {
        lib
        for root in _cuda_roots()
        for lib in root.glob("**/lib")
        if any(lib.glob("*.so*"))
    }
    return sorted(found)


def tool_folders() -> list[Path]:
    """Return the folders of CUDA's programs (ptxas) that pip installed, and this environment's own."""
    found = {
        tool.parent for root in _cuda_roots() for tool in root.glob("**/bin/ptxas")
    }
    return [Path(sys.executable).parent, *sorted(found)]


def _cuda_data() -> Path | None:
    """Return the folder with nvvm/libdevice, which XLA compiles with."""
    found = (
        path.parents[2]
        for root in _cuda_roots()
        for path in root.glob("**/libdevice/*.bc")
    )
    return next(found, None)
