# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "9 · AlexNet in miniature"
#     summary: Rebuild the ideas of 2012 by hand, and measure what each of them brings.
#     minutes: 150
#     study:
#       dataset: cifar10
#       networks: [whole, no_response, plain_pooling, no_dropout, no_crops, no_colour,
#         half_width, four_conv, batch_norm, relu_low, relu_middle, relu_high, tanh_low,
#         tanh_middle, tanh_high]
#       seeds: [0, 1, 2, 3, 4]
#       epochs: 25
#       pictures: 9000
#       held_out: 0.05
#       own:
#         whole: {augment: &all [random_shift, random_flip, random_colour], views: 2}
#         no_response: {augment: *all}
#         plain_pooling: {augment: *all}
#         no_dropout: {augment: *all}
#         no_crops: {builds: whole, augment: random_colour}
#         no_colour: {builds: whole, augment: [random_shift, random_flip]}
#         half_width: {augment: *all}
#         four_conv: {augment: *all}
#         batch_norm: {augment: *all}
#         relu_low: &race {builds: relu, optimizer: sgd, schedule: constant, epochs: 20, learning_rate: 0.01}
#         relu_middle: {builds: relu, <<: *race, learning_rate: 0.02}
#         relu_high: {builds: relu, <<: *race, learning_rate: 0.04}
#         tanh_low: {builds: tanh, <<: *race, learning_rate: 0.02}
#         tanh_middle: {builds: tanh, <<: *race, learning_rate: 0.04}
#         tanh_high: {builds: tanh, <<: *race, learning_rate: 0.08}
# ---

# %% [markdown]
# # 9 · AlexNet in miniature

# %%
import numpy as np

from labkit import data

d = data.load("cifar10")

# %% [markdown]
# ## 2. The network in miniature

# %%
import keras
from keras import layers


def response_norm(maps):
    """Response normalisation of a batch of maps (N, H, W, C), as a Keras network takes it.

    Squares of pixels from -1 to 1 are 127.5**2 times smaller than the paper's, and
    alpha is as many times larger: the same division.
    """
    channel = np.arange(maps.shape[-1])
    near = np.abs(channel[:, np.newaxis] - channel) <= 2
    total = keras.ops.matmul(keras.ops.square(maps), keras.ops.cast(near, maps.dtype))
    root = keras.ops.rsqrt(2 + 127.5**2 * 1e-4 * total)  # of power -1/2; and -3/4:
    return maps * root * keras.ops.sqrt(root)


def miniature(
    name,
    filters=(16, 32, 48, 48, 32),
    response=True,
    pool_size=3,
    dropout=0.5,
    batch_norm=False,
):
    """A small network of the paper's kind for pictures (N, 32, 32, 3) from 0 to 255.

    It sees the middle 28x28 pixels, as AlexNet saw 224x224 of 256x256.
    filters: of each convolution. response: response normalisation behind the first
    two. pool_size: of a pooling with stride 2. batch_norm: behind each convolution.
    """
    stack = [layers.Input((32, 32, 3)), layers.Cropping2D(2)]
    stack += [layers.Rescaling(1 / 127.5, offset=-1)]
    for place, width in enumerate(filters):
        stack.append(
            layers.Conv2D(
                width,
                5 if place < 2 else 3,
                padding="same",
                use_bias=not batch_norm,
                kernel_initializer="he_normal",
            )
        )
        if batch_norm:
            stack.append(layers.BatchNormalization(momentum=0.9))
        stack.append(layers.ReLU())
        if response and place < 2:
            stack.append(layers.Lambda(response_norm))
        if place in (0, 1, len(filters) - 1):
            stack.append(layers.MaxPooling2D(pool_size, 2, padding="same"))
    stack.append(layers.Flatten())
    for _ in range(2):
        dense = layers.Dense(256, activation="relu", kernel_initializer="he_normal")
        stack += [dense, layers.Dropout(dropout)]
    return keras.Sequential([*stack, layers.Dense(10, activation="softmax")], name=name)


def build_whole():
    """All ideas of 2012."""
    return miniature("whole")


def build_no_response():
    """Without response normalisation."""
    return miniature("no_response", response=False)


def build_plain_pooling():
    """With 2x2 pooling, which does not overlap."""
    return miniature("plain_pooling", pool_size=2)


def build_no_dropout():
    """Without dropout."""
    return miniature("no_dropout", dropout=0.0)


def build_half_width():
    """Half as many filters in each convolution: what one of the two GPUs held."""
    return miniature("half_width", filters=(8, 16, 24, 24, 16))


def build_four_conv():
    """Without the fourth convolution."""
    return miniature("four_conv", filters=(16, 32, 48, 32))


def build_batch_norm():
    """Today's answer: batch normalisation in place of response normalisation."""
    return miniature("batch_norm", response=False, batch_norm=True)


def four_layer(activation):
    """Three convolutions and a dense layer, as the paper's figure 1 has four layers."""
    stack = [layers.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, offset=-1)]
    for width in (16, 16, 32):
        stack.append(layers.Conv2D(width, 5, padding="same", activation=activation))
        stack.append(layers.MaxPooling2D(3, 2, padding="same"))
    end = [layers.Flatten(), layers.Dense(10, activation="softmax")]
    return keras.Sequential([*stack, *end], name=activation)


def build_relu():
    """The four-layer network with ReLU."""
    return four_layer("relu")


def build_tanh():
    """The four-layer network with tanh."""
    return four_layer("tanh")
