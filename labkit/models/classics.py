"""The classics as their papers have them: LeNet-5 and AlexNet."""

from __future__ import annotations

from typing import Any

import keras
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

    Examples
    --------
    >>> from labkit import models
    >>> models.alexnet(groups=1).count_params()
    62378344
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
