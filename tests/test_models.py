"""The course's networks: parameter counts from the literature, shapes, plain arithmetic."""

import keras
import numpy as np
import pytest

from labkit import models


def size(weights) -> int:
    return sum(int(np.prod(weight.shape)) for weight in weights)


def test_lenet5_has_the_counts_of_the_literature():
    model = models.lenet5()
    counts = {
        layer.name: layer.count_params() for layer in model.layers if layer.weights
    }
    assert counts == {"c1": 156, "c3": 2416, "c5": 48120, "f6": 10164, "output": 850}
    assert model.count_params() == 61_706
    assert model.output_shape == (None, 10)


def test_alexnet_has_the_counts_of_the_two_gpu_original():
    model = models.alexnet()
    counts = {
        layer.name: layer.count_params() for layer in model.layers if layer.weights
    }
    assert counts == {
        "conv1": 34_944,
        "conv2": 307_456,
        "conv3": 885_120,
        "conv4": 663_936,
        "conv5": 442_624,
        "fc6": 37_752_832,
        "fc7": 16_781_312,
        "fc8": 4_097_000,
    }
    assert model.count_params() == 60_965_224
    assert model.get_layer("conv1").output.shape == (None, 55, 55, 96)
    assert model.get_layer("pool5").output.shape == (None, 6, 6, 256)
    answer = keras.ops.convert_to_numpy(model(np.zeros((1, 227, 227, 3), "uint8")))
    assert answer.shape == (1, 1000)
    assert answer.sum() == pytest.approx(1, abs=1e-4)


def test_alexnet_in_one_piece_has_more_weights():
    assert models.alexnet(groups=1).count_params() == 62_378_344


def test_the_network_for_fashion_mnist():
    model = models.fashion_mnist_cnn()
    assert model.count_params() == 391_370
    assert size(model.trainable_weights) == 391_370 - 960
    shape = (4, *model.input_shape[1:])
    pictures = np.random.default_rng(0).integers(0, 256, shape, dtype="uint8")
    answer = keras.ops.convert_to_numpy(model(pictures, training=False))
    assert answer.shape == (4, 10)
    np.testing.assert_allclose(answer.sum(axis=1), 1, rtol=1e-4)
    as_float = keras.ops.convert_to_numpy(model(pictures.astype("float32")))
    np.testing.assert_allclose(answer, as_float, rtol=1e-5)


@pytest.mark.parametrize("build", [models.fashion_mnist_cnn, models.simpsons_cnn])
def test_what_is_learned_from_small_pictures_fits_larger_ones(build):
    small, large = build(8), build(16)
    large.set_weights(small.get_weights())
    assert small.input_shape[1:3] == (8, 8) and large.input_shape[1:3] == (16, 16)
    assert small.output_shape == large.output_shape == (None, 10)


def test_simpsons_network_takes_any_size_and_number_of_characters():
    assert models.simpsons_cnn(size=28).count_params() == 279_882
    larger = models.simpsons_cnn(size=64, classes=20)
    assert larger.input_shape == (None, 64, 64, 3)
    assert larger.output_shape == (None, 20)
    assert larger.count_params() == 279_882 + 10 * 129


def test_local_response_normalization_follows_the_formula():
    rng = np.random.default_rng(1)
    volume = rng.normal(size=(2, 3, 4, 7)).astype("float32") * 50
    expected = np.empty_like(volume)
    for i in range(7):
        window = volume[..., max(0, i - 2) : i + 3]
        expected[..., i] = (
            volume[..., i] / (2 + 1e-4 * (window**2).sum(axis=-1)) ** 0.75
        )
    layer = type(models.alexnet().get_layer("norm1"))()
    found = keras.ops.convert_to_numpy(layer(volume))
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_whitened_patches_have_no_correlation():
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(60, 12, 12, 3))
    images = noise + np.roll(noise, 1, axis=1) + np.roll(noise, 1, axis=2)
    images[..., 1] += images[..., 0]
    filters = models.whitening_filters(images)
    assert filters.shape == (2, 2, 3, 24) and filters.dtype == np.float32
    np.testing.assert_array_equal(filters[..., 12:], -filters[..., :12])
    answers = keras.ops.conv(images.astype("float32"), filters[..., :12])
    answers = keras.ops.convert_to_numpy(answers).reshape(-1, 12)
    np.testing.assert_allclose(np.cov(answers.T), np.eye(12), atol=0.02)


def test_pass_on_lets_the_input_through():
    rng = np.random.default_rng(0)
    images = rng.normal(size=(2, 6, 6, 4)).astype("float32")
    for filters in (3, 4, 7):
        conv = keras.layers.Conv2D(
            filters, 3, padding="same", kernel_initializer=models.PassOn()
        )
        answers = keras.ops.convert_to_numpy(conv(images))
        kept = min(filters, 4)
        np.testing.assert_allclose(answers[..., :kept], images[..., :kept], atol=1e-5)
        assert filters <= 4 or np.abs(answers[..., 4:]).max() > 0.1


def test_a_fast_bias_learns_as_many_times_as_fast():
    moved = []
    for speed in (1.0, 64.0):
        model = keras.Sequential([keras.Input((3,)), models.FastBias(speed)])
        model.compile(keras.optimizers.SGD(0.001), "mse")
        model.fit(np.zeros((4, 3)), np.ones((4, 3)), epochs=1, verbose=0)
        moved.append(keras.ops.convert_to_numpy(model(np.zeros((1, 3))))[0, 0])
    assert moved[1] / moved[0] == pytest.approx(64, rel=1e-3)


def test_the_fast_network_is_as_the_paper_says():
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (300, 32, 32, 3)).astype("uint8")
    model = models.fast_cifar10_cnn(images)
    trained = size(model.trainable_weights)
    assert trained == size(model.weights) - 24 * 12 - 4 * 256 * 2 - 2 * 64 * 2
    assert [layer.output.shape[1] for layer in model.layers if "conv2d" in layer.name][
        ::2
    ] == [31, 15, 7]
    answers = keras.ops.convert_to_numpy(model(images[:5]))
    assert answers.shape == (5, 10)
    np.testing.assert_allclose(answers.sum(axis=1), 1, rtol=1e-4)
    small = models.fast_cifar10_cnn(images, widths=(16, 32, 32))
    assert size(small.trainable_weights) < trained / 30


@pytest.mark.parametrize(
    "build",
    [
        lambda images: models.fast_cifar10_cnn(images, widths=(16, 32, 32)),
        lambda _: keras.Sequential(
            [keras.Input((32, 32, 3)), type(models.alexnet().get_layer("norm1"))()]
        ),
    ],
)
def test_a_saved_model_is_loaded_as_it_was(build, tmp_path):
    images = np.random.default_rng(0).integers(0, 256, (50, 32, 32, 3)).astype("uint8")
    model = build(images)
    model.save(tmp_path / "model.keras")
    again = keras.saving.load_model(tmp_path / "model.keras")
    found, expected = (
        keras.ops.convert_to_numpy(one(images[:5])) for one in (again, model)
    )
    np.testing.assert_array_equal(found, expected)
