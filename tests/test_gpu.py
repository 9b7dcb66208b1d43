"""GPUs: every known cause told apart on any machine, the kernel that finds one, several students on one."""

import json
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import start_new_kernel

from labkit.errors import LabkitError
from labkit.kernels import kernelspec
from labkit.machine import facts as facts_of
from labkit.machine import gpu_memory
from labkit.machine.diagnosis import diagnose
from labkit.machine.facts import Facts, Gpu, Holder

H200 = Gpu(0, "NVIDIA H200", 143_771, 143_000, (9, 0))
READY = Facts(
    hardware=True,
    driver=(570, 124, 6),
    gpus=(H200,),
    package="tensorflow 2.21.0",
    cuda=12,
    seen=1,
)
FULL = replace(H200, free=300)
OURS = Holder(4242, 100_000, 0, "anna", "the notebook 05_cifar10_cnn.ipynb", True)
OTHERS = Holder(77, 42_000, 0, "ben", "python train.py", False)


# ---- the diagnosis: facts in, cause and advice out


@pytest.mark.parametrize(
    "changes, cause, found, advice",
    [
        ({}, "ready", "Keras sees 1 GPU: NVIDIA H200, 140 GiB", ""),
        (
            {"hardware": False, "driver": (), "gpus": (), "seen": 0},
            "no gpu",
            "enough for every lab",
            "",
        ),
        (
            {"hardware": None, "driver": (), "gpus": (), "seen": 0},
            "no gpu",
            "on the CPU",
            "",
        ),
        (
            {"driver": (), "gpus": (), "seen": 0},
            "no driver",
            "no driver for it",
            "ubuntu-drivers install",
        ),
        (
            {"driver": (), "gpus": (), "seen": 0, "system": "Windows"},
            "no driver",
            "no driver for it",
            "wsl --install",
        ),
        (
            {"complaint": "Driver/library version mismatch", "driver": (), "seen": 0},
            "driver broken",
            "version mismatch",
            "reboot",
        ),
        (
            {"driver": (470, 256, 2), "seen": 0},
            "driver too old",
            "470.256.2 is too old for CUDA 12.*525.60 or newer",
            "ubuntu-drivers",
        ),
        (
            {"driver": (570, 124, 6), "cuda": 13, "seen": 0},
            "driver too old",
            "CUDA 13",
            "drivers",
        ),
        (
            {"package": "", "cuda": 0, "seen": 0},
            "backend for cpu",
            "tensorflow is made for the CPU only",
            r"pip install -e .*\[gpu\]",
        ),
        (
            {"absent": ("nvidia-cudnn-cu12", "nvidia-cublas-cu12"), "seen": 0},
            "packages absent",
            "lacks its CUDA packages: nvidia-cudnn-cu12",
            "pip install nvidia-cudnn-cu12 nvidia-cublas-cu12",
        ),
        (
            {"seen": 0, "hidden": "-1"},
            "hidden",
            "hides every GPU",
            "unset CUDA_VISIBLE_DEVICES",
        ),
        (
            {"seen": 0},
            "not found",
            "the driver sees 1 GPU, tensorflow 2.21.0 sees none",
            "labkit kernel install --gpu",
        ),
        (
            {"gpus": (FULL,), "holders": (OTHERS, OURS)},
            "memory held",
            "300 of 143,771 MiB free: process 4242 of anna .*05_cifar10.*100,000 MiB; process 77 of ben",
            "Running Terminals and Kernels.*kill 4242",
        ),
        (
            {"gpus": (FULL,), "holders": (OTHERS,)},
            "memory held",
            "python train.py",
            "Ask who holds it.*--memory",
        ),
        ({"gpus": (FULL,)}, "memory held", "not shown", "Ask"),
        ({"gpus": (FULL, replace(H200, index=1))}, "ready", "Keras sees", ""),
    ],
)
def test_each_cause_has_a_name_and_something_to_type(changes, cause, found, advice):
    import re

    diagnosis = diagnose(replace(READY, **changes))
    assert diagnosis.cause == cause
    assert re.search(found, diagnosis.found)
    assert re.search(advice, diagnosis.advice)
    assert diagnosis.good == (cause in ("ready", "no gpu")) == (not diagnosis.advice)


# ---- the facts: from an nvidia-smi that plays each part


@pytest.fixture
def smi(tmp_path, monkeypatch):
    """Put an `nvidia-smi` on the PATH that runs the given shell lines."""

    def write(lines):
        path = tmp_path / "bin" / "nvidia-smi"
        path.parent.mkdir()
        path.write_text(f"#!/bin/sh\n{lines}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", f"{path.parent}{os.pathsep}{os.environ['PATH']}")

    return write


ONE_GPU = """case "$1" in
--query-gpu=*) echo "0, GPU-aa, NVIDIA H200, 570.124.06, 143771, 300, 9.0" ;;
--query-compute-apps=*) echo "%d, GPU-aa, 7000"; echo "999999999, GPU-aa, [N/A]" ;;
esac"""


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_the_holder_of_the_memory_is_named_with_its_notebook(smi):
    script = "import time; time.sleep(60)"
    environment = {**os.environ, "JPY_SESSION_NAME": "/home/anna/labs/04_mnist.ipynb"}
    with subprocess.Popen([sys.executable, "-c", script], env=environment) as kernel:
        try:
            smi(ONE_GPU % kernel.pid)
            found = facts_of.driver_facts()
        finally:
            kernel.kill()
    assert found.driver == (570, 124, 6)
    assert found.gpus == (Gpu(0, "NVIDIA H200", 143_771, 300, (9, 0)),)
    mine, gone = found.holders
    assert (mine.pid, mine.mib, mine.ours) == (kernel.pid, 7000, True)
    assert mine.what == "the notebook 04_mnist.ipynb" and mine.user
    assert (gone.user, gone.what, gone.mib, gone.ours) == ("", "", 0, False)


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_driver_that_does_not_answer(smi, run_command, tmp_path, machine):
    machine(1)
    smi("echo Failed to initialize NVML: Driver/library version mismatch; exit 18")
    found = facts_of.driver_facts()
    assert found.driver == () and "version mismatch" in found.complaint
    done = run_command("labkit", "doctor", folder=tmp_path)
    assert "version mismatch" in done.stdout and "sudo reboot" in done.stdout
    assert done.returncode == 0


@pytest.mark.skipif(os.name == "nt", reason="the stand-in is a shell script")
def test_a_driver_without_a_gpu_for_keras_is_told_apart(smi):
    smi(ONE_GPU % 1)
    found = facts_of.gather()
    if found.seen:
        pytest.skip("this machine has a GPU")
    expected = ("not found", "packages absent") if found.cuda else ("backend for cpu",)
    assert diagnose(found).cause in expected and found.driver == (570, 124, 6)


def test_without_nvidia_smi_there_is_no_driver(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert facts_of.driver_facts() == Facts()


# ---- the kernel


@pytest.fixture
def cuda_packages(tmp_path, monkeypatch):
    """CUDA's packages as pip lays them out, as far as we look at them."""
    root = tmp_path / "site" / "nvidia"
    for file in (
        "cudnn/lib/libcudnn.so.9",
        "cublas/lib/libcublas.so.12",
        "cuda_nvcc/bin/ptxas",
        "cuda_nvcc/nvvm/libdevice/libdevice.10.bc",
    ):
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).write_bytes(b"")
    monkeypatch.setattr(kernelspec, "_cuda_roots", lambda: [root])
    return root


def test_the_gpu_kernel_finds_what_pip_installed(cuda_packages):
    spec = kernelspec.kernelspec(gpu=True, backend="tensorflow", memory=4000)
    found = spec["env"]
    folders = found["LD_LIBRARY_PATH"].split(os.pathsep)
    assert folders == [
        str(cuda_packages / "cublas" / "lib"),
        str(cuda_packages / "cudnn" / "lib"),
        "${LD_LIBRARY_PATH}",
    ]
    assert str(cuda_packages / "cuda_nvcc" / "bin") in found["PATH"]
    assert found["XLA_FLAGS"].endswith(str(cuda_packages / "cuda_nvcc"))
    assert found["TF_FORCE_GPU_ALLOW_GROWTH"] == "true"
    assert found["XLA_PYTHON_CLIENT_PREALLOCATE"] == "false"
    assert found["LABKIT_GPU_MEMORY"] == "4000" and found["LABKIT_PROFILE"] == "full"
    assert (
        spec["metadata"]["kernel_provisioner"]["provisioner_name"]
        == "local-provisioner"
    )
    plain = kernelspec.kernelspec(gpu=False, backend="tensorflow", memory=None)
    assert plain["env"]["CUDA_VISIBLE_DEVICES"] == "-1"


def test_a_kernel_runs_in_this_environment_without_activating_it(
    run_command, tmp_path, monkeypatch
):
    monkeypatch.setenv("JUPYTER_DATA_DIR", str(tmp_path / "jupyter"))
    done = run_command("labkit", "kernel", "install", folder=tmp_path)
    assert done.returncode == 0 and "CNN labs: " in done.stdout
    # another environment's programs first, as in a JupyterLab of a whole department
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    spec = KernelSpecManager().get_kernel_spec("cnn-labs")
    assert spec.display_name == "CNN labs" and spec.env["KERAS_BACKEND"] == "tensorflow"
    manager, client = start_new_kernel(kernel_name="cnn-labs", cwd=str(tmp_path))
    try:
        said = []
        client.execute_interactive(
            "import labkit, shutil, sys, os\n"
            "print(sys.executable, shutil.which('labkit'), os.environ['KERAS_BACKEND'])",
            timeout=60,
            output_hook=lambda message: said.append(message["content"].get("text", "")),
        )
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    executable, command, backend = "".join(said).split()
    assert Path(executable).parent == Path(sys.executable).parent
    assert Path(command).parent == Path(sys.executable).parent
    assert backend == "tensorflow"


def test_a_kernel_for_everyone_in_an_environment(run_command, tmp_path):
    words = ["kernel", "install", "--backend", "jax", "--prefix", str(tmp_path / "env")]
    done = run_command("labkit", *words, folder=tmp_path)
    assert done.returncode == 0
    file = (
        tmp_path
        / "env"
        / "share"
        / "jupyter"
        / "kernels"
        / "cnn-labs-jax"
        / "kernel.json"
    )
    spec = json.loads(file.read_text())
    assert (
        spec["display_name"] == "CNN labs (jax)"
        and spec["env"]["KERAS_BACKEND"] == "jax"
    )


def test_without_a_gpu_the_gpu_kernel_is_written_and_the_cause_said(
    run_command, tmp_path
):
    done = run_command(
        "labkit",
        "kernel",
        "install",
        "--gpu",
        folder=tmp_path,
        JUPYTER_DATA_DIR=str(tmp_path),
    )
    if done.returncode == 0:
        pytest.skip("this machine has a GPU")
    assert done.returncode == 1 and "accelerator:" in done.stdout
    assert (tmp_path / "kernels" / "cnn-labs-gpu" / "kernel.json").is_file()


@pytest.mark.parametrize(
    "words, text",
    [
        (["--backend", "theano"], "no backend 'theano'; expected one of tensorflow"),
        (["--memory", "4000"], "is for a GPU, with --gpu"),
        (["--gpu", "--memory", "4"], "at least 1024 MiB"),
    ],
)
def test_mistakes_are_answered_with_one_line(run_command, tmp_path, words, text):
    done = run_command("labkit", "kernel", "install", *words, folder=tmp_path)
    assert done.returncode == 2 and text in done.stderr
    assert done.stderr.count("\n") == 1


# ---- several students on one GPU


def test_a_limit_that_is_no_number_is_said(monkeypatch):
    monkeypatch.setenv("LABKIT_GPU_MEMORY", "4 GB")
    with pytest.raises(LabkitError, match=r"is '4 GB'; expected MiB.*unset"):
        gpu_memory.limit()


def test_the_limit_is_applied_before_anything_runs():
    """TensorFlow takes a limit only before its first operation; a CPU stands for the GPU."""
    script = (
        "import tensorflow.config as config; asked = []\n"
        "config.list_physical_devices = lambda kind: ['GPU:0', 'GPU:1']\n"
        "config.set_logical_device_configuration = lambda gpu, parts: "
        "asked.append((gpu, parts[0].memory_limit))\n"
        "import labkit; print(asked)"
    )
    environment = {**os.environ, "LABKIT_GPU_MEMORY": "4000"}
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.stdout.strip() == "[('GPU:0', 4000), ('GPU:1', 4000)]", done.stderr


class ResourceExhaustedError(Exception):
    """As TensorFlow's: told by its name and text, not by its class."""


@pytest.mark.parametrize(
    "error, out",
    [
        (ResourceExhaustedError("OOM when allocating tensor with shape[512]"), True),
        (RuntimeError("CUDA out of memory. Tried to allocate 2 GiB"), True),
        (RuntimeError("RESOURCE_EXHAUSTED: Out of memory while trying"), True),
        (ValueError("shapes do not match"), False),
    ],
)
def test_errors_of_every_backend_are_known(error, out):
    assert gpu_memory.is_out_of_memory(error) == out


@pytest.fixture
def small_cnn():
    import keras

    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            keras.layers.Conv2D(64, 3, padding="same", activation="relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )


def test_out_of_memory_names_the_holder_and_a_batch_that_fits(small_cnn, monkeypatch):
    full = replace(READY, gpus=(FULL,), holders=(OURS,))
    monkeypatch.setattr(gpu_memory, "driver_facts", lambda: full)
    with (
        pytest.raises(gpu_memory.OutOfGpuMemory) as caught,
        gpu_memory.explained(small_cnn, batch_size=4096),
    ):
        raise ResourceExhaustedError("OOM when allocating tensor")
    text = str(caught.value)
    assert "batches of 4096" in text and "process 4242 of anna" in text
    assert "Try batch_size=256," in text
    with pytest.raises(ValueError, match="other"), gpu_memory.explained(small_cnn, 8):
        raise ValueError("other")


def test_training_and_prediction_say_it_too(small_cnn, monkeypatch):
    from labkit import training

    def full(*_, **__):
        raise ResourceExhaustedError("OOM when allocating tensor")

    monkeypatch.setattr(small_cnn, "fit", full)
    monkeypatch.setattr(small_cnn, "predict", full)
    images = np.zeros((8, 32, 32, 3), "uint8")
    with pytest.raises(gpu_memory.OutOfGpuMemory, match="batches of 128"):
        training.fit(small_cnn, images, np.arange(8), epochs=1, progress="none")
    with pytest.raises(gpu_memory.OutOfGpuMemory, match="batches of 500"):
        training.predict(small_cnn, images)


def test_the_batch_that_fits_grows_with_the_memory(small_cnn):
    sizes = [
        gpu_memory.batch_that_fits(small_cnn, mib) for mib in (0, 1, 100, 1000, 10_000)
    ]
    assert sizes[:2] == [0, 1] and sizes == sorted(sizes)
    # 32 x 32 x 64 floats, forward and backward: 0.52 MB a picture, and 70 % of 1,000 MiB
    assert sizes[3] == 1024


# ---- several devices


DISTRIBUTED = """
import sys
import tensorflow as tf
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
import keras, numpy as np
from labkit import training

rng = np.random.default_rng(0)
x = rng.normal(size=(256, 8)).astype("float32")
y = (x.sum(1) > 0).astype("int32")

def train():
    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)])
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.5), loss)
    model.fit(x, y, batch_size=64, epochs=3, shuffle=False, verbose=0)
    return model.get_weights()[0]

def fit():
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [keras.Input((8,)), keras.layers.Dense(2, activation="softmax")]
    )
    history = training.fit(
        model, x, y, epochs=2, validation=(x, y), batch_size=64, progress="none"
    )
    return np.array([[row["loss"], row["val_accuracy"]] for row in history.rows])

alone = train(), fit()
with training.distribute(["CPU:0", "CPU:1"]) as strategy:
    print(strategy.num_replicas_in_sync)
    together = train(), fit()
for one, other in zip(alone, together):
    print(float(np.abs(one - other).max()))
"""


def test_two_devices_learn_what_one_learns():
    done = subprocess.run(
        [sys.executable, "-c", DISTRIBUTED], capture_output=True, text=True, timeout=200
    )
    replicas, *apart = done.stdout.split()[-3:]
    assert replicas == "2", done.stderr
    assert max(map(float, apart)) < 1e-5


def test_a_backend_that_distributes_nothing_says_so(monkeypatch):
    import keras

    from labkit import training

    monkeypatch.setattr(keras.backend, "backend", lambda: "torch")
    with pytest.raises(LabkitError, match="not with torch"), training.distribute():
        pass
