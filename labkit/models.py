"""The course's networks by name, uncompiled: two classics, and those that labs give or compare.

Those that a student builds are not among them: what can be imported is no exercise.
Every network takes raw pictures, uint8 or float from 0 to 255, shape (N, H, W, C), and
gives class probabilities (N, classes). Those that the labs train scale the pixels in
their own first layer, so training and prediction cannot disagree about it.
"""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
from keras import layers


def lenet5() -> keras.Model:
    """LeNet-5 for 32x32 grey pictures and 10 classes: 61,706 parameters.

    LeCun et al. 1998, as it is usually built today: every map of C3 sees all six maps of
    S2, plain average pooling, softmax instead of radial basis functions.

    Returns
    -------
    keras.Model

    Examples
    --------
    >>> from labkit import models
    >>> models.lenet5().count_params()
    61706
    """
    return keras.Sequential(
        [
            layers.Input((32, 32, 1)),
            layers.Conv2D(6, 5, activation="tanh", name="c1"),
            layers.AveragePooling2D(2, name="s2"),
            layers.Conv2D(16, 5, activation="tanh", name="c3"),
            layers.AveragePooling2D(2, name="s4"),
            layers.Flatten(),
            layers.Dense(120, activation="tanh", name="c5"),
            layers.Dense(84, activation="tanh", name="f6"),
            layers.Dense(10, activation="softmax", name="output"),
        ],
        name="lenet5",
    )


def alexnet(groups: int = 2) -> keras.Model:
    """AlexNet for 227x227 colour pictures and 1,000 classes: 60,965,224 parameters.

    Krizhevsky et al. 2012. Their network ran on two GPUs; `groups=2` in the second, fourth
    and fifth convolution says the same on one device.

    Parameters
    ----------
    groups : int
        Parts of these three convolutions: 2 as in the paper. With 1 every filter sees all
        maps, which makes 62,378,344 parameters.

    Returns
    -------
    keras.Model
    """

    # Not a layer of the module: it could be imported as an answer to an exercise.
    @keras.saving.register_keras_serializable("labkit")
    class LocalResponseNormalization(layers.Layer):
        """Divide each value by (2 + 1e-4 * sum of squares over 5 channels) ** 0.75.

        Section 3.3 of the paper, with its constants; the channels are the value's own
        and two on each side.
        """

        def call(self, inputs):
            channels = inputs.shape[-1]
            squares = keras.ops.pad(keras.ops.square(inputs), [(0, 0)] * 3 + [(2, 2)])
            total = sum(squares[..., i : i + channels] for i in range(5))
            return inputs / (2 + 1e-4 * total) ** 0.75

    def conv(
        filters: int, kernel_size: int, name: str, **options: Any
    ) -> layers.Conv2D:
        return layers.Conv2D(
            filters, kernel_size, activation="relu", name=name, **options
        )

    return keras.Sequential(
        [
            layers.Input((227, 227, 3)),
            conv(96, 11, "conv1", strides=4),
            LocalResponseNormalization(name="norm1"),
            layers.MaxPooling2D(3, 2, name="pool1"),
            conv(256, 5, "conv2", padding="same", groups=groups),
            LocalResponseNormalization(name="norm2"),
            layers.MaxPooling2D(3, 2, name="pool2"),
            conv(384, 3, "conv3", padding="same"),
            conv(384, 3, "conv4", padding="same", groups=groups),
            conv(256, 3, "conv5", padding="same", groups=groups),
            layers.MaxPooling2D(3, 2, name="pool5"),
            layers.Flatten(),
            layers.Dense(4096, activation="relu", name="fc6"),
            layers.Dropout(0.5),
            layers.Dense(4096, activation="relu", name="fc7"),
            layers.Dropout(0.5),
            layers.Dense(1000, activation="softmax", name="fc8"),
        ],
        name="alexnet",
    )


def _block(filters: int, pool: bool = False) -> list:
    """3x3 convolution, 2x2 max-pooling where asked for, batch normalisation, ReLU."""
    # Pooling first leaves normalisation a quarter of the values to work on. A bias before
    # normalisation, and a scale between it and the next one, would do nothing. Its running
    # mean follows within some tens of steps, since these trainings are short.
    return [
        layers.Conv2D(filters, 3, padding="same", use_bias=False),
        *([layers.MaxPooling2D(2)] if pool else []),
        layers.BatchNormalization(momentum=0.9, scale=False),
        layers.ReLU(),
    ]


def fashion_mnist_cnn(size: int = 28) -> keras.Model:
    """A network for Fashion-MNIST's grey pictures: 391,370 parameters, 960 of them not trained.

    Parameters
    ----------
    size : int
        Pixels of a side, 8 or more; the number of parameters does not depend on it.

    Returns
    -------
    keras.Model

    Examples
    --------
    >>> from labkit import models
    >>> models.fashion_mnist_cnn().count_params()
    391370
    """
    return keras.Sequential(
        [
            layers.Input((size, size, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *_block(32, pool=True),
            *_block(64, pool=True),
            *_block(128, pool=True),
            *_block(256),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ],
        name="fashion_mnist_cnn",
    )


def simpsons_cnn(size: int, classes: int = 10) -> keras.Model:
    """A network for cartoon characters, square colour pictures.

    279,882 parameters for 10 classes, 832 of them not trained; 129 more for each further
    class. The mean over each feature map makes the number independent of `size`.

    Parameters
    ----------
    size : int
        Pixels of a side, 8 or more.
    classes : int
        How many characters there are.

    Returns
    -------
    keras.Model

    Examples
    --------
    >>> from labkit import models
    >>> models.simpsons_cnn(size=64, classes=20).count_params()
    281172
    """
    return keras.Sequential(
        [
            layers.Input((size, size, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *_block(32, pool=True),
            *_block(64),
            *_block(64, pool=True),
            *_block(128),
            *_block(128, pool=True),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.3),
            layers.Dense(classes, activation="softmax"),
        ],
        name="simpsons_cnn",
    )


def whitening_filters(images: np.ndarray) -> np.ndarray:
    """Return filters whose answers to these pictures have no correlation, and equal variance.

    Parameters
    ----------
    images : array (N, H, W, C)
        Any number type; a few thousand are enough.

    Returns
    -------
    float32 array (2, 2, C, 8 * C)
        The directions of a principal component analysis of all patches, each divided by its
        standard deviation, and then all of them negated.

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import models
    >>> images = np.random.default_rng(0).random((10, 8, 8, 3))
    >>> models.whitening_filters(images).shape
    (2, 2, 3, 24)
    """
    size = 2  # pixels of a filter's side
    views = np.lib.stride_tricks.sliding_window_view(images, (size, size), axis=(1, 2))
    patches = np.moveaxis(views, 3, -1).reshape(-1, size * size * images.shape[-1])
    covariance = np.cov(patches.astype("float32"), rowvar=False)
    variances, directions = np.linalg.eigh(covariance)
    # From the widest direction to the narrowest, which is mostly noise: not without bounds.
    filters = (directions / np.sqrt(variances + 1e-4 * variances.max()))[:, ::-1]
    filters = filters.reshape(size, size, images.shape[-1], -1)
    return np.concatenate([filters, -filters], axis=-1).astype("float32")


@keras.saving.register_keras_serializable("labkit")
class PassOn(keras.initializers.Initializer):
    """Starts a convolution so that its first filters pass their input channels on unchanged.

    The others start as He et al. 2015 say. Zagoruyko and Komodakis 2017 ("Dirac").
    """

    def __call__(self, shape, dtype=None):
        kernel = np.array(keras.initializers.HeUniform()(shape))
        height, width, channels, filters = shape
        kept = min(channels, filters)
        kernel[..., :kept] = 0
        kernel[height // 2, width // 2, range(kept), range(kept)] = 1
        return keras.ops.convert_to_tensor(kernel, dtype)

    @classmethod
    def from_config(cls, config):
        return cls()  # a file of an earlier version names how the others start


@keras.saving.register_keras_serializable("labkit")
class FastBias(layers.Layer):
    """Adds a bias to each channel that learns `speed` times as fast as other weights.

    Under gradient descent a factor f before a weight makes it learn f * f times as fast.
    """

    def __init__(self, speed: float = 64.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.speed = speed

    def build(self, input_shape):
        self.bias = self.add_weight(shape=(input_shape[-1],), initializer="zeros")

    def call(self, inputs):
        return inputs + keras.ops.cast(self.speed**0.5 * self.bias, inputs.dtype)

    def get_config(self):
        return super().get_config() | {"speed": self.speed}


def fast_cifar10_cnn(
    images: np.ndarray, widths: tuple[int, int, int] = (64, 256, 256)
) -> keras.Model:
    """A network that learns CIFAR-10 in few steps; 1,973,944 parameters at full width.

    Built as K. Jordan's paper describes it (2024, arXiv 2404.00498): a first layer that is
    never trained and takes the correlations out of 2x2 patches; pooling early; convolutions
    that begin by passing their input on; biases that learn faster than kernels;
    probabilities from scores divided by 9.

    Parameters
    ----------
    images : uint8 array (N, 32, 32, 3)
        The training pictures, whose correlations the first layer takes out.
    widths : (int, int, int)
        Filters of the convolutions in each of the three blocks.

    Returns
    -------
    keras.Model

    Examples
    --------
    >>> import numpy as np
    >>> from labkit import models
    >>> images = np.random.default_rng(0).integers(0, 256, (10, 32, 32, 3), "uint8")
    >>> models.fast_cifar10_cnn(images, widths=(8, 8, 8)).output_shape
    (None, 10)
    """
    mean, deviation = images.mean((0, 1, 2)), images.std((0, 1, 2))
    scaled = (images[:5000] - mean) / deviation
    first = layers.Conv2D(24, 2, use_bias=False, trainable=False, name="whitening")
    stack = [
        layers.Input((32, 32, 3)),
        layers.Normalization(mean=mean.tolist(), variance=(deviation**2).tolist()),
        first,
        FastBias(),
        layers.Activation("gelu"),
    ]
    for width in widths:
        for pool in (True, False):
            stack += [
                layers.Conv2D(
                    width,
                    3,
                    padding="same",
                    use_bias=False,
                    kernel_initializer=PassOn(),
                ),
                *([layers.MaxPooling2D(2)] if pool else []),
                layers.BatchNormalization(momentum=0.6, center=False, scale=False),
                FastBias(),
                layers.Activation("gelu"),
            ]
    stack += [
        layers.GlobalMaxPooling2D(),
        layers.Rescaling(1 / 9),
        layers.Dense(10, use_bias=False),
        layers.Softmax(dtype="float32"),
    ]
    network = keras.Sequential(stack, name="fast_cifar10_cnn")
    first.set_weights([whitening_filters(scaled)])
    return network
