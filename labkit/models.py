"""The course's networks by name, uncompiled: two classics and three trained in the labs.

Every network takes raw pictures, uint8 or float from 0 to 255, shape (N, H, W, C), and
gives class probabilities (N, classes). The three that the labs train scale the pixels in
their own first layer, so training and prediction cannot disagree about it.
"""

from __future__ import annotations

import keras
from keras import layers


class LocalResponseNormalization(layers.Layer):
    """Divide each value by (k + alpha * sum of squares over n neighbouring channels) ** beta.

    Takes and gives (N, H, W, C). Krizhevsky et al. 2012, section 3.3, with their constants.
    """

    def __init__(self, n=5, k=2.0, alpha=1e-4, beta=0.75, **kwargs):
        super().__init__(**kwargs)
        self.n, self.k, self.alpha, self.beta = n, k, alpha, beta

    def call(self, inputs):
        channels, half = inputs.shape[-1], self.n // 2
        squares = keras.ops.pad(keras.ops.square(inputs), [(0, 0)] * 3 + [(half, half)])
        total = sum(squares[..., i : i + channels] for i in range(self.n))
        return inputs / (self.k + self.alpha * total) ** self.beta

    def get_config(self):
        own = {"n": self.n, "k": self.k, "alpha": self.alpha, "beta": self.beta}
        return super().get_config() | own


def lenet5() -> keras.Model:
    """LeNet-5 for 32x32 grey pictures and 10 classes: 61,706 parameters.

    LeCun et al. 1998, as it is usually built today: every map of C3 sees all six maps of
    S2, plain average pooling, softmax instead of radial basis functions.
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


def alexnet() -> keras.Model:
    """AlexNet for 227x227 colour pictures and 1,000 classes: 60,965,224 parameters.

    Krizhevsky et al. 2012. Their network ran on two GPUs; `groups=2` in the second, fourth
    and fifth convolution says the same on one device.
    """

    def conv(filters, kernel_size, name, **options):
        return layers.Conv2D(
            filters, kernel_size, activation="relu", name=name, **options
        )

    return keras.Sequential(
        [
            layers.Input((227, 227, 3)),
            conv(96, 11, "conv1", strides=4),
            LocalResponseNormalization(name="norm1"),
            layers.MaxPooling2D(3, 2, name="pool1"),
            conv(256, 5, "conv2", padding="same", groups=2),
            LocalResponseNormalization(name="norm2"),
            layers.MaxPooling2D(3, 2, name="pool2"),
            conv(384, 3, "conv3", padding="same"),
            conv(384, 3, "conv4", padding="same", groups=2),
            conv(256, 3, "conv5", padding="same", groups=2),
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


def _block(filters: int, kernel_size: int = 3, pool: bool = False) -> list:
    """Convolution, 2x2 max-pooling where asked for, batch normalisation, ReLU."""
    # Pooling first leaves normalisation a quarter of the values to work on. A bias before
    # normalisation, and a scale between it and the next one, would do nothing. Its running
    # mean follows within some tens of steps, since these trainings are short.
    return [
        layers.Conv2D(filters, kernel_size, padding="same", use_bias=False),
        *([layers.MaxPooling2D(2)] if pool else []),
        layers.BatchNormalization(momentum=0.9, scale=False),
        layers.ReLU(),
    ]


def mnist_cnn() -> keras.Model:
    """Lab 04's network for 28x28 grey digits: 23,450 parameters, 192 of them not trained."""
    return keras.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *_block(16, kernel_size=5, pool=True),
            *_block(32, pool=True),
            *_block(48, pool=True),
            layers.Flatten(),
            layers.Dense(10, activation="softmax"),
        ],
        name="mnist_cnn",
    )


def cifar10_cnn() -> keras.Model:
    """Lab 05's network for 32x32 colour pictures: 391,946 parameters, 960 not trained."""
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Rescaling(1 / 127.5, offset=-1),
            *_block(32, pool=True),
            *_block(64, pool=True),
            *_block(128, pool=True),
            *_block(256),
            layers.GlobalAveragePooling2D(),
            layers.Dense(10, activation="softmax"),
        ],
        name="cifar10_cnn",
    )


def simpsons_cnn(size: int = 28, classes: int = 10) -> keras.Model:
    """Lab 06's network for square colour pictures of `size` pixels, 8 or more.

    279,882 parameters for 10 classes, 832 of them not trained; 129 more for each further
    class. The mean over each feature map makes the number independent of `size`.
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
