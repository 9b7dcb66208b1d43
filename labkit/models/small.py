"""The small networks that labs give or compare with."""

from __future__ import annotations

import keras
from keras import layers


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
