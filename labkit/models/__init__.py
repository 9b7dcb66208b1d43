"""The course's networks by name, uncompiled: two classics, and those that labs give or compare.

Those that a student builds are not among them: what can be imported is no exercise.
Every network takes raw pictures, uint8 or float from 0 to 255, shape (N, H, W, C), and
gives class probabilities (N, classes). Those that the labs train scale the pixels in
their own first layer, so training and prediction cannot disagree about it.
"""

from labkit.models.classics import alexnet, lenet5
from labkit.models.fast_cifar10 import (
    FastBias,
    PassOn,
    fast_cifar10_cnn,
    whitening_filters,
)
from labkit.models.small import fashion_mnist_cnn, simpsons_cnn

__all__ = [
    "FastBias",
    "PassOn",
    "alexnet",
    "fashion_mnist_cnn",
    "fast_cifar10_cnn",
    "lenet5",
    "simpsons_cnn",
    "whitening_filters",
]
