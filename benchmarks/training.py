"""The labs' recipes on real data: accuracy, seconds and parameters, beside a plain network.

    LABKIT_DATA=<folder> python benchmarks/training.py                    # all tasks
    LABKIT_DATA=<folder> python benchmarks/training.py simpsons --seeds 1
    LABKIT_DATA=<folder> python benchmarks/training.py --ablate lab05     # what each idea is worth
    LABKIT_DATA=<folder> python benchmarks/training.py --ablate fast
    LABKIT_DATA=<folder> python benchmarks/training.py --input-path       # what pictures cost
    LABKIT_DATA=<folder> python benchmarks/training.py --layers simpsons  # what each block costs

A CPU without fast bfloat16 has shorter recipes and aims of its own (`Laptop`). A server
can be held to what a laptop's CPU can do: set ONEDNN_MAX_CPU_ISA=AVX2.

The plain reference is what a user would first write: Keras's `compile` and `fit` as they
are, Adam, pictures divided by 255; for CIFAR-10 the network of the TensorFlow tutorial.
Accuracies are of the test pictures, by which nothing in a run is chosen. Seconds are of
training, compilation included; so are the pictures a CPU second, each epoch's counted.
"""

from __future__ import annotations

import multiprocessing
import os
import platform
import re
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, Literal

# First of all, so that it can keep TensorFlow's start-up lines away.
from labkit import data, kaggle, models, training
from labkit.training.machine import arithmetic

# isort: split
import keras
import numpy as np
import typer
from keras import layers

# What stands behind a network's last block.
ENDS = (layers.Flatten, layers.GlobalAveragePooling2D, layers.GlobalMaxPooling2D)
Build = Callable[[np.ndarray], keras.Model]


@dataclass(frozen=True)
class Plain:
    """A reference: a network, trained as Keras does by itself."""

    name: str
    dataset: str
    build: Build
    epochs: int


@dataclass(frozen=True)
class Laptop:
    """What a recipe should reach on two cores with AVX2 only, and its settings there."""

    target: str = ""
    settings: dict[str, Any] = field(default_factory=dict)
    small: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """A recipe, what it learns from, what it should reach, and what it is compared with.

    target: on two cores that are fast in bfloat16. small: the settings of a training on
    pictures at half their size, which goes first where they are given.
    laptop: what is otherwise on a slower CPU, where there is an aim for it.
    networks: how many are trained, each with a seed of its own; their answers are averaged.
    """

    name: str
    dataset: str
    target: str
    build: Build
    settings: dict[str, Any]
    small: dict[str, Any] = field(default_factory=dict)
    looks: dict[str, Any] = field(default_factory=dict)
    laptop: Laptop = Laptop()
    networks: int = 1
    plain: tuple[Plain, ...] = ()


@dataclass(frozen=True)
class Result:
    """One training: test accuracy, seconds of the clock and of all cores, parameters.

    pictures: how many were learned from, each as often as there were epochs.
    by_epoch: (seconds, test accuracy) after each epoch, where that was asked for.
    """

    accuracy: float
    wall: float
    cpu: float
    parameters: int
    pictures: int
    by_epoch: list[tuple[float, float]] = field(default_factory=list)


def in_two_sizes(target: str, small_epochs: int, **settings: Any) -> Laptop:
    """Small pictures first, at a rate that rises and falls; then whole ones, falling only."""
    small = {"epochs": small_epochs, "schedule": "triangular"}
    return Laptop(target, settings | {"schedule": "cosine"}, small)


def on_this_machine(task: Task, here: training.Device) -> Task:
    """Return the recipe as it is here: a CPU without fast bfloat16 has its own."""
    if here.bfloat16 or here.kind == "GPU":
        return task
    there = task.laptop
    return replace(
        task,
        target=there.target,
        settings=task.settings | there.settings,
        small=task.settings | there.small if there.small else {},
    )


def shift_and_flip(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved by up to 2 pixels, half of them mirrored."""
    return training.random_flip(training.random_shift(images, rng), rng)


def shift_flip_cover(images: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Moved, mirrored and covered, as in lab 06."""
    return training.random_cover(shift_and_flip(images, rng), rng)


def softmax_regression(images: np.ndarray) -> keras.Model:
    """One dense layer on the pixels."""
    return keras.Sequential(
        [
            layers.Input(images.shape[1:]),
            layers.Rescaling(1 / 255),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def first_cnn(images: np.ndarray) -> keras.Model:
    """The small network that introductions to Keras begin with."""
    channels = 3 if images.ndim == 4 else 1
    return keras.Sequential(
        [
            layers.Input((*images.shape[1:3], channels)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 3, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def tutorial_cnn(images: np.ndarray) -> keras.Model:
    """The network of TensorFlow's CIFAR-10 tutorial, as in lab 05: 797,962 parameters."""
    return keras.Sequential(
        [
            layers.Input(images.shape[1:]),
            layers.Rescaling(1 / 255),
            layers.Conv2D(64, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(64, 5, activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(384, activation="relu"),
            layers.Dense(192, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


def block(filters: int, kernel_size: int = 3, pool: bool = False) -> list[layers.Layer]:
    """Convolution, 2x2 max-pooling where asked for, batch normalisation, ReLU."""
    return [
        layers.Conv2D(filters, kernel_size, padding="same", use_bias=False),
        *([layers.MaxPooling2D(2)] if pool else []),
        layers.BatchNormalization(momentum=0.9, scale=False),
        layers.ReLU(),
    ]


def mnist_cnn() -> keras.Model:
    """A small network for 28x28 grey digits: 23,450 parameters."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *block(16, kernel_size=5, pool=True),
            *block(32, pool=True),
            *block(48, pool=True),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def cifar10_cnn(size: int = 32) -> keras.Model:
    """Lab 05's network for CIFAR-10, with pictures of any size: 391,946 parameters."""
    return keras.Sequential(
        [
            layers.Input((size, size, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *block(32, pool=True),
            *block(64, pool=True),
            *block(128, pool=True),
            *block(256),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


def six_convolutions(width: int = 1) -> keras.Model:
    """For 28x28 grey pictures: 156,682 parameters, and 594,058 where it is twice as wide.

    The first convolution is never wider: at full size it costs most, and sees 9 numbers.
    """
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *block(32, pool=True),
            *block(48 * width),
            *block(48 * width, pool=True),
            *block(64 * width),
            *block(64 * width, pool=True),
            *block(96 * width),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ]
    )


# Lab 05's, and what else is learned in few epochs.
SHORT = {
    "batch_size": 256,
    "learning_rate": 0.01,
    "weight_decay": 0.02,
    "label_smoothing": 0.1,
    "augment": shift_and_flip,
}
# For Fashion-MNIST's many pictures that are hard to tell apart.
AT_LENGTH = SHORT | {"epochs": 30, "batch_size": 128, "augment": shift_flip_cover}
PLAIN_SOFTMAX = Plain("MNIST, softmax regression", "mnist", softmax_regression, 5)
PLAIN_MNIST = Plain("MNIST, a first CNN", "mnist", first_cnn, 5)
PLAIN_FASHION = Plain("Fashion-MNIST, a first CNN", "fashion_mnist", first_cnn, 10)
PLAIN_CIFAR = Plain("CIFAR-10, the tutorial's CNN", "cifar10", tutorial_cnn, 10)
# The network without the recipe.
PLAIN_LAB05 = Plain("CIFAR-10, lab 05's CNN", "cifar10", lambda _: cifar10_cnn(), 10)
PLAIN_SIMPSONS = Plain("Simpsons, a first CNN", "simpsons", first_cnn, 20)
TASKS = [
    Task(
        "MNIST, softmax regression",
        "mnist",
        "92.5 % in 5 s",
        softmax_regression,
        {"epochs": 8, "batch_size": 256, "learning_rate": 0.01},
        plain=(PLAIN_SOFTMAX,),
    ),
    Task(
        "MNIST, CNN of lab 04",
        "mnist",
        "99.4 % in 60 s",
        lambda _: mnist_cnn(),
        {"epochs": 8, "learning_rate": 0.005, "augment": training.random_shift},
        laptop=Laptop("99.3 % in 75 s", {"epochs": 4}),
        plain=(PLAIN_MNIST,),
    ),
    Task(
        "Fashion-MNIST",
        "fashion_mnist",
        "92.5 % in 180 s",
        lambda images: models.fashion_mnist_cnn(images.shape[1]),
        SHORT | {"epochs": 8},
        looks={"flips": True},
        laptop=Laptop(
            "92 % in 240 s",
            {"epochs": 3, "batch_size": 128, "augment": training.random_flip},
        ),
        plain=(PLAIN_FASHION,),
    ),
    Task(
        "Fashion-MNIST, few parameters",
        "fashion_mnist",
        "94 % with at most 174,000 parameters",
        lambda _: six_convolutions(),
        AT_LENGTH,
        looks={"flips": True, "shifts": 1},
        plain=(PLAIN_FASHION,),
    ),
    Task(
        "Fashion-MNIST, at length",
        "fashion_mnist",
        "95 % in 3,600 s",
        lambda _: six_convolutions(width=2),
        AT_LENGTH | {"epochs": 40},
        looks={"flips": True, "shifts": 1},
        networks=2,
        plain=(PLAIN_FASHION,),
    ),
    Task(
        "CIFAR-10, 75 %",
        "cifar10",
        "75 % in a quarter of the plain time",
        lambda images: cifar10_cnn(images.shape[1]),
        SHORT | {"epochs": 2, "batch_size": 128, "augment": training.random_flip},
        looks={"flips": True},
        laptop=in_two_sizes("75 % in 120 s", 2, epochs=1, learning_rate=0.005),
        plain=(PLAIN_CIFAR, PLAIN_LAB05),
    ),
    Task(
        "CIFAR-10, lab 05",
        "cifar10",
        "81 % in 180 s",
        lambda images: cifar10_cnn(images.shape[1]),
        SHORT | {"epochs": 6},
        looks={"flips": True},
        laptop=in_two_sizes("80 % in 300 s", 4, epochs=3, learning_rate=0.005),
        plain=(PLAIN_CIFAR, PLAIN_LAB05),
    ),
    Task(
        "CIFAR-10, at length",
        "cifar10",
        "90 % in 1,200 s",
        models.fast_cifar10_cnn,
        {
            "epochs": 12,
            "batch_size": 512,
            "optimizer": "sgd",
            "learning_rate": 0.5,
            "schedule": "triangular",
            "weight_decay": 0.01,
            "label_smoothing": 0.2,
            "augment": training.random_shift,
            "alternate_flips": True,
            "lookahead": True,
        },
        looks={"flips": True, "shifts": 1},
        plain=(PLAIN_CIFAR, PLAIN_LAB05),
    ),
    Task(
        "Simpsons, lab 06",
        "simpsons",
        "88 % in 300 s",
        lambda images: models.simpsons_cnn(images.shape[1]),
        {
            "epochs": 80,
            "batch_size": 64,
            "learning_rate": 3e-3,
            "weight_decay": 0.01,
            "label_smoothing": 0.1,
            "augment": shift_flip_cover,
        },
        looks={"flips": True, "shifts": 1},
        laptop=in_two_sizes("90 % in 300 s", 30, epochs=16),
        plain=(PLAIN_SIMPSONS,),
    ),
]


def without(kind: type[layers.Layer]) -> Build:
    """Lab 05's network without its layers of one kind; its convolutions get a bias instead."""

    def build(_: np.ndarray) -> keras.Model:
        stack: list[layers.Layer] = [layers.Input((32, 32, 3))]
        for layer in cifar10_cnn().layers:
            config = layer.get_config()
            if kind is layers.BatchNormalization and isinstance(layer, layers.Conv2D):
                config["use_bias"] = True
            if not isinstance(layer, kind):
                stack.append(type(layer).from_config(config))
        return keras.Sequential(stack)

    return build


def but(whole: Task, name: str, build: Build | None = None, **settings: Any) -> Task:
    """Return a task with another network or other settings."""
    settings = whole.settings | settings
    return replace(whole, name=name, build=build or whole.build, settings=settings)


def lab05_ablations() -> list[Task]:
    """Lab 05's recipe, and the same without one of its ideas each."""
    whole = next(task for task in TASKS if task.name == "CIFAR-10, lab 05")
    return [
        replace(whole, name="all of it"),
        but(whole, "pixels from 0 to 255", without(layers.Rescaling)),
        but(
            whole,
            "no batch normalisation (peak rate 0.001)",
            without(layers.BatchNormalization),
            learning_rate=0.001,
        ),
        but(
            whole,
            "one rate for all steps (0.001)",
            schedule="constant",
            learning_rate=0.001,
        ),
        but(whole, "no weight decay", weight_decay=0.0),
        but(whole, "neither moved nor mirrored", augment=None),
        but(whole, "no label smoothing", label_smoothing=0.0),
        but(whole, "float32 arithmetic", precision="float32"),
        replace(whole, name="one look at each test picture", looks={}),
    ]


def narrow_fast_cnn(
    whitened: bool = True,
    passed_on: bool = True,
    speed: float = 64.0,
    pooled_early: bool = True,
) -> Build:
    """Return a narrow `fast_cifar10_cnn`, without some of its ideas."""

    def changed(layer: layers.Layer) -> layers.Layer:
        config = layer.get_config()
        if layer.name == "whitening":
            config["trainable"] = not whitened
        elif isinstance(layer, layers.Conv2D) and not passed_on:
            config["kernel_initializer"] = "he_uniform"
        elif isinstance(layer, models.FastBias):
            config["speed"] = speed
        return type(layer).from_config(config)

    def build(images: np.ndarray) -> keras.Model:
        whole = models.fast_cifar10_cnn(images, widths=(32, 64, 64))
        stack = [changed(layer) for layer in whole.layers]
        pools = [
            number
            for number, layer in enumerate(stack)
            if isinstance(layer, layers.MaxPooling2D) and not pooled_early
        ]
        for number in pools:
            # Behind the other seven layers of its block.
            stack.insert(number + 7, stack.pop(number))
        model = keras.Sequential([layers.Input(images.shape[1:]), *stack])
        if whitened:
            weights = whole.get_layer("whitening").get_weights()
            model.get_layer("whitening").set_weights(weights)
        return model

    return build


def fast_ablations() -> list[Task]:
    """The recipe at length on a narrow network for two epochs, without one idea each."""
    whole = next(task for task in TASKS if task.name == "CIFAR-10, at length")
    whole = but(
        whole,
        "all of it",
        narrow_fast_cnn(),
        epochs=2,
        batch_size=256,
        learning_rate=0.4,
    )
    return [
        whole,
        but(
            whole, "first layer trained, not whitening", narrow_fast_cnn(whitened=False)
        ),
        but(whole, "convolutions begin at random", narrow_fast_cnn(passed_on=False)),
        but(
            whole, "pooling at the end of a block", narrow_fast_cnn(pooled_early=False)
        ),
        but(whole, "biases no faster than kernels", narrow_fast_cnn(speed=1.0)),
        but(
            whole,
            "flips by chance, not in turns",
            alternate_flips=False,
            augment=shift_and_flip,
        ),
        but(whole, "no lookahead", lookahead=False),
        but(
            whole,
            "one rate for all steps (0.1)",
            schedule="constant",
            learning_rate=0.1,
        ),
        but(whole, "no label smoothing", label_smoothing=0.0),
        replace(whole, name="one look at each test picture", looks={}),
    ]


ABLATIONS = {"lab05": lab05_ablations, "fast": fast_ablations}


def pictures(dataset: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training pictures and labels, and those that accuracy is measured on.

    Of the Simpsons these are held out by whole groups of near-duplicates, as in lab 06.
    """
    d = data.load(dataset)
    if d.stand_in:
        raise SystemExit(
            f"{dataset} is not here. Set LABKIT_DATA to the folder with it, or type: "
            f"labkit data fetch {dataset}"
        )
    x, y = d.train_images, d.train_labels
    if dataset != "simpsons":
        return x, y, d.test_images, d.test_labels
    parts = kaggle.split(x, y, d.test_images)
    return x[parts.train], y[parts.train], x[parts.new], y[parts.new]


def trained(task: Task, x: np.ndarray, y: np.ndarray, seed: int) -> keras.Model:
    """Return the recipe's network, trained as it says."""
    keras.utils.set_random_seed(seed)
    model = task.build(x)
    if task.small:
        halves = training.halved(x)
        first = task.build(halves)
        training.fit(first, halves, y, seed=seed, progress="none", **task.small)
        model.set_weights(first.get_weights())
    training.fit(model, x, y, seed=seed, progress="none", **task.settings)
    return model


def by_recipe(task: Task, seed: int) -> Result:
    """Train as the recipe says; the parameters are those of all its networks."""
    x, y, test_x, test_y = pictures(task.dataset)
    wall, cpu = time.perf_counter(), time.process_time()
    seeds = range(seed * task.networks, (seed + 1) * task.networks)
    networks = [trained(task, x, y, one) for one in seeds]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    answers = sum(training.predict(one, test_x, **task.looks) for one in networks)
    right = np.argmax(answers, axis=1) == test_y
    epochs = task.small.get("epochs", 0) + task.settings["epochs"]
    parameters = sum(one.count_params() for one in networks)
    seen = epochs * len(x) * task.networks
    return Result(float(right.mean()), wall, cpu, parameters, seen)


def by_itself(plain: Plain, seed: int) -> Result:
    """Train a plain reference; its test accuracy is looked at after each epoch, off the clock."""
    x, y, test_x, test_y = pictures(plain.dataset)
    keras.utils.set_random_seed(seed)
    wall, cpu = time.perf_counter(), time.process_time()
    model = plain.build(x)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    by_epoch = []
    for _ in range(plain.epochs):
        model.fit(x, y, verbose=0)
        looked = time.perf_counter(), time.process_time()
        right = training.predict(model, test_x).argmax(axis=1) == test_y
        by_epoch.append((looked[0] - wall, float(right.mean())))
        wall += time.perf_counter() - looked[0]
        cpu += time.process_time() - looked[1]
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    seen = plain.epochs * len(x)
    return Result(by_epoch[-1][1], wall, cpu, model.count_params(), seen, by_epoch)


class Repeated(keras.utils.PyDataset):
    """As many batches, all of them the first one, which is there already."""

    def __init__(self, batches: training.Batches) -> None:
        super().__init__(workers=batches.workers)
        self.batch, self.steps = batches[0], len(batches)

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        return self.batch


def precision() -> str:
    """What training computes in here."""
    return "bfloat16" if training.device().bfloat16 else "float32"


def cpu_name(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """What Linux calls the CPU; elsewhere, what Python does."""
    try:
        found = re.search(r"^model name\s*: (.*)$", cpuinfo.read_text(), re.MULTILINE)
    except OSError:
        found = None
    return found[1] if found else platform.processor()


def machine() -> str:
    """The heading of a table: what its seconds depend on."""
    onednn = {"1": "on", "0": "off"}.get(os.environ.get("TF_ENABLE_ONEDNN_OPTS", ""))
    held = os.environ.get("ONEDNN_MAX_CPU_ISA")
    return (
        f"{cpu_name()}: {training.device()}, in {precision()}; "
        f"oneDNN {onednn or 'as it comes'}{f', held to {held}' if held else ''}; "
        f"Keras {keras.version()} on {keras.backend.backend()}"
    )


def cut_off(model: keras.Model, convolutions: int) -> keras.Model:
    """The network up to its next convolution after so many, with a last layer of its own."""
    stack: list[layers.Layer] = [layers.Input(model.input_shape[1:])]
    for layer in model.layers:
        convolutions -= isinstance(layer, layers.Conv2D)
        if convolutions < 0 or isinstance(layer, ENDS):
            break
        stack.append(type(layer).from_config(layer.get_config()))
    end = [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([*stack, *end])


def cost_of_blocks(task: Task, count: int = 10_000) -> str:
    """Return how fast the network learns if it ends after each of its convolutions."""
    x, y, _, _ = pictures(task.dataset)
    x, y = x[:count], keras.utils.to_categorical(y[:count])
    batches = training.Batches(x, y, task.settings.get("batch_size", 128))
    whole = task.build(x)
    blocks = sum(isinstance(layer, layers.Conv2D) for layer in whole.layers)
    models_cut = {f"{number}": cut_off(whole, number) for number in range(1, blocks)}
    rows = [f"{task.name}, pictures a CPU second up to convolution"]
    for name, model in (models_cut | {"all": whole}).items():
        with arithmetic(model, precision()):
            model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
            model.fit(Repeated(batches), shuffle=False, verbose=0)  # compiles
            began = time.process_time()
            model.fit(Repeated(batches), shuffle=False, verbose=0)
            rows.append(f"{name:>7} {len(x) / (time.process_time() - began):8,.0f}")
    return "\n".join(rows)


def cost_of_batches(task: Task, pairs: int = 5) -> str:
    """Return how much of the speed is left where batches must be made."""
    x, y, _, _ = pictures(task.dataset)
    settings = task.settings
    batches = training.Batches(
        x, keras.utils.to_categorical(y), settings["batch_size"], settings["augment"]
    )
    model = task.build(x)

    def seconds(kind: keras.utils.PyDataset) -> float:
        began = time.perf_counter()
        model.fit(kind, shuffle=False, verbose=0)
        return time.perf_counter() - began

    with arithmetic(model, precision()):
        model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
        seconds(batches)  # compiles
        found = [(seconds(batches), seconds(Repeated(batches))) for _ in range(pairs)]
    made, repeated = (statistics.median(column) for column in zip(*found, strict=True))
    share = statistics.median(same / new for new, same in found)
    return (
        f"{task.name:26} an epoch {made:5.1f} s, of one batch again and again "
        f"{repeated:5.1f} s: {share:.0%} of its speed"
    )


def in_a_process(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function in a new process, as a user's notebook would be one."""
    # Forked, so that functions without a name can be handed over; nothing has run yet.
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(
        target=lambda: theirs.send(function(*arguments)), daemon=True
    )
    process.start()
    theirs.close()
    try:
        return ours.recv()
    except EOFError:
        raise SystemExit("The training ended without a result; see above.") from None
    finally:
        process.join()


def line(name: str, results: list[Result], note: str = "") -> str:
    """One row of the table: the accuracies' mean and ends, the medians of the seconds."""
    accuracies = [100 * result.accuracy for result in results]
    wall = statistics.median(result.wall for result in results)
    cpu = statistics.median(result.cpu for result in results)
    return (
        f"{name:42} {statistics.mean(accuracies):6.2f} % "
        f"({min(accuracies):.2f} to {max(accuracies):.2f}) {wall:7.1f} s "
        f"{cpu:7.1f} CPU s {results[0].pictures / cpu:7,.0f} pictures/CPU s "
        f"{results[0].parameters:10,}  {note}"
    )


def named(name: str, tasks: list[Task]) -> list[Task]:
    """Return the task of this name, or those whose name holds it."""
    exact = [task for task in tasks if task.name.lower() == name.lower()]
    return exact or [task for task in tasks if name.lower() in task.name.lower()]


def main(
    names: Annotated[
        list[str] | None,
        typer.Argument(help="Tasks by name, or by a part of it; default all."),
    ] = None,
    seeds: Annotated[int, typer.Option(help="Trainings of each recipe.")] = 3,
    plain: Annotated[
        bool, typer.Option(help="The plain networks beside the recipes, too.")
    ] = True,
    ablate: Annotated[
        Literal["lab05", "fast"] | None,
        typer.Option(help="This recipe of CIFAR-10, without one of its ideas each."),
    ] = None,
    input_path: Annotated[
        bool, typer.Option(help="What making the batches costs in labs 05 and 06.")
    ] = False,
    by_layers: Annotated[
        bool, typer.Option("--layers", help="What each block of the networks costs.")
    ] = False,
) -> None:
    """Train, and print what was reached, in how long."""
    os.environ["LABKIT_OFFLINE"] = "1"
    tasks = ABLATIONS[ablate]() if ablate else TASKS
    chosen = [
        task
        for task in tasks
        if not names or any(task in named(name, tasks) for name in names)
    ]
    if not chosen:
        known = "; ".join(task.name for task in tasks)
        raise SystemExit(f"No task is named so. There are: {known}.")
    print(in_a_process(machine), flush=True)
    if by_layers:
        for task in chosen:
            print(in_a_process(cost_of_blocks, task), flush=True)
        return
    if input_path:
        for task in TASKS:
            if task.name in ("CIFAR-10, lab 05", "Simpsons, lab 06"):
                print(in_a_process(cost_of_batches, task), flush=True)
        return
    if not ablate:
        here = in_a_process(training.device)
        chosen = [on_this_machine(task, here) for task in chosen]
    compared: set[Plain] = set()
    for task in chosen:
        for reference in task.plain if plain and not ablate else ():
            if reference not in compared:
                compared.add(reference)
                result = in_a_process(by_itself, reference, 0)
                print(line(f"plain: {reference.name}", [result]), flush=True)
                for number, (seconds, accuracy) in enumerate(result.by_epoch, start=1):
                    print(f"    epoch {number}: {accuracy:.2%} after {seconds:.1f} s")
        results = []
        for seed in range(seeds):
            results.append(in_a_process(by_recipe, task, seed))
            last = line(f"{task.name}, seed {seed}", results[-1:])
            print(last, file=sys.stderr, flush=True)
        print(line(task.name, results, "" if ablate else task.target), flush=True)


if __name__ == "__main__":
    typer.run(main)
