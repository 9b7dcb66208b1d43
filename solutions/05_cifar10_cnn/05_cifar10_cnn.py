# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "5 · Colour pictures"
#     summary: Build and train a CNN of your own for CIFAR-10, and look inside it.
#     minutes: 210
#     run_seconds: [129, 189]
#     sample_mistakes: [plain_reshape]
# ---

# %% [markdown]
# # 5 · Colour pictures: CIFAR-10
#
# The digits of lab 04 were easy: grey, centred, on black. Now come cats and
# trucks, in colour, from any side, on any ground. At the end of this lab a
# network that **you** designed recognises three of four or four of five, by
# how fast your machine is, after two or three minutes of training.
#
# **You will be able to**
#
# - read, standardise, shuffle and augment colour pictures;
# - work out a network's shapes and parameters before you build it;
# - train with a changing learning rate, early stopping, weight decay and
#   gradient clipping, and say what each is for;
# - normalise a batch and drop units by hand, and say why it helps;
# - look inside a trained network: its filters, its feature maps, its errors,
#   and the places that its answer hangs on.
#
# **Time**: about three and a half hours, in two sittings: sections 1 to 6,
# then 7 to 13. (25 minutes of reading, 5 to 10 for each exercise, as long as
# you like for your own network.) The longest training takes three minutes at
# most, on any machine that has little else to do.
#
# **Builds on** lab 02 (convolution), lab 03 (pooling, shapes), lab 04
# (softmax, cross-entropy, Keras).

# %%
import json
import time
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from labkit import check, data, models, plots, profile, training
from labkit.data import cache
from labkit.widgets.layers import explore_layer_sizes

plt.rcParams.update(plots.STYLE)

# %%
import keras
from keras import layers

keras.utils.set_random_seed(5)

# %% [markdown]
# ## 1. The pictures
#
# CIFAR-10 has 60,000 colour pictures of 32x32 pixels in ten classes, 6,000 of
# each: 50,000 to train with, 10,000 to test with. Alex Krizhevsky, Vinod Nair
# and Geoffrey Hinton collected them; they came out in 2009. Networks are
# compared on them to this day.

# %%
d = data.load("cifar10")
d

# %%
of_class = [np.flatnonzero(d.train_labels == label)[:3] for label in range(10)]
three_of_each = np.transpose(of_class).ravel()
plots.image_grid(
    d.train_images[three_of_each],
    d.train_labels[three_of_each],
    d.class_names,
    columns=10,
    title=d.title("Three pictures of each class"),
)

# %% [markdown]
# ### From a row of numbers to a picture
#
# The official files hold each picture as **one row of 3,072 numbers**: first
# the 32·32 = 1,024 red values, then the 1,024 green, then the 1,024 blue.
# Each of these three *planes* is stored row by row, from the top. Here is one
# picture's row, the planes in it, and the picture that they make:

# %% tags=["folded"]
# Draws a picture's row, its three planes, and the picture.
picture = d.train_images[three_of_each[1]]
fig, axes = plt.subplot_mosaic(
    [["row"] * 4, ["red", "green", "blue", "picture"]],
    figsize=(9, 3.4),
    height_ratios=[1, 4],
    layout="constrained",
)
strip = np.zeros((1, 3 * 1024, 3), "uint8")
for channel, name in enumerate(("red", "green", "blue")):
    tinted = np.zeros_like(picture)
    tinted[..., channel] = picture[..., channel]
    start = 1024 * channel
    strip[0, start : start + 1024] = tinted.reshape(1024, 3)
    axes[name].imshow(tinted)
    axes[name].set(title=f"{name}: {start} to {start + 1023}", xticks=[], yticks=[])
axes["row"].imshow(strip, aspect="auto", interpolation="nearest")
axes["row"].set(
    title="one row of the file: 3,072 numbers",
    xticks=[0, 1024, 2048, 3071],
    yticks=[],
)
axes["picture"].imshow(picture)
axes["picture"].set(title="(32, 32, 3)", xticks=[], yticks=[])
fig.suptitle(d.title("From a row to a picture"))
plt.show()

# %% [markdown]
# Keras wants *channels last*: the shape $(N, 32, 32, 3)$, where the three
# colours of one pixel stand side by side.<sup>[1](#Footnotes)</sup>
#
# The next cell makes such rows, and shows what goes wrong if you only call
# `rows.reshape(-1, 32, 32, 3)`.

# %%
pictures = d.train_images[three_of_each[:5]]
planes = [pictures[..., colour].reshape(len(pictures), 1024) for colour in range(3)]
rows = np.concatenate(planes, axis=1)
print("shape of the rows:", rows.shape)
plots.image_grid(
    rows.reshape(-1, 32, 32, 3), title=d.title("The rows after a plain reshape")
)

# %% [markdown]
# Each "picture" shows nine little ones: three neighbours of one plane became
# one pixel, so a plane of 32 columns shrank to a third of the width.
#
# ### Exercise: `to_images`
#
# Write `to_images`. Two NumPy methods are enough: `reshape`
# splits an axis into several, `transpose` puts the axes in another order.


# %% solution="to_images"
def to_images(rows):
    """Turn rows as CIFAR-10's files hold them into pictures.

    rows: array (N, 3072) of any dtype. A row holds the 1,024 red values of
    a picture, then the green, then the blue ones, each row by row.
    Returns an array (N, 32, 32, 3) of the same values and dtype.
    """
    ### BEGIN SOLUTION
    planes = rows.reshape(len(rows), 3, 32, 32)
    return planes.transpose(0, 2, 3, 1)
    ### END SOLUTION


# %% check="to_images" points=2
def pixels(rows):
    return np.asarray(to_images(rows))


counted = np.arange(2 * 3072).reshape(2, 3072)
check("two rows become two pictures", pixels(counted).shape)
check("the top left pixel of each", pixels(counted)[:, 0, 0])
check("the pixels beside and below it", pixels(counted)[0, [0, 1], [1, 0]])
### BEGIN HIDDEN TESTS
check("one row, row 20, columns 3 to 5", pixels(counted[1:])[0, 20, 3:6])
check("the last pixel of each", pixels(counted)[:, -1, -1])
check("uint8 stays uint8", pixels(counted.astype("uint8")).dtype.name)
rng = check.rng()
bright = rng.integers(0, 256, (3, 3072)).astype("uint8")
check("part of three pictures", pixels(bright)[:, 10:13, 29:])
### END HIDDEN TESTS


# %% mistakes="to_images"
def plain_reshape(rows):
    """You reshape to (N, 32, 32, 3) at once. That takes three neighbours of one
    plane for the three colours of a pixel. First split off the planes."""
    return rows.reshape(-1, 32, 32, 3)


def stops_at_the_planes(rows):
    """Your result has the channels in front: (N, 3, 32, 32). Move them to the end."""
    return rows.reshape(-1, 3, 32, 32)


def lies_on_its_side(rows):
    """Your pictures are mirrored along the diagonal: rows and columns changed
    places. Look at the order of the axes in your transpose."""
    return rows.reshape(-1, 3, 32, 32).transpose(0, 3, 2, 1)


def blue_comes_first(rows):
    """Red and blue have changed places. The first plane is red."""
    return rows.reshape(-1, 3, 32, 32)[:, ::-1].transpose(0, 2, 3, 1)


# %%
plots.image_grid(to_images(rows), title=d.title("The same rows through to_images"))

# %% [markdown]
# ## 2. Preparing the numbers
#
# ### Standardise
#
# A network learns best where its inputs have mean 0 and deviation 1: then no
# channel shouts louder than another, and the usual learning rates fit. For
# each channel $c$, with the mean $\mu_c$ and the standard deviation
# $\sigma_c$ over all pictures and all pixels,
#
# $$x'_c = \frac{x_c - \mu_c}{\sigma_c}$$
#
# One rule is easily broken: **$\mu$ and $\sigma$ come from the training
# pictures alone.** The validation and the test pictures are shifted and
# scaled by these same numbers. They play the pictures that nobody has seen
# yet, and of those you know no mean.

# %% tags=["folded"]
# Draws how often each pixel value occurs, channel by channel.
fig, axes = plt.subplots(1, 3, figsize=(9, 2.2), sharey=True, layout="constrained")
for axis, channel, colour in zip(axes, range(3), ("red", "green", "blue"), strict=True):
    values = d.train_images[:2000, ..., channel]
    axis.hist(values.ravel(), bins=64, color=colour, alpha=0.6)
    axis.set_title(f"{colour}: mean {values.mean():.0f}, deviation {values.std():.0f}")
    axis.set_yticks([])
fig.suptitle(d.title("Pixel values of 2,000 training pictures"))
plt.show()

# %% [markdown]
# ### Exercise: `standardise`
#
# Write `standardise`. It takes the training pictures and any
# number of other sets (`*others` collects them in a tuple), and returns all
# of them standardised, in one tuple. Mind a channel that never changes: its
# deviation is 0 (of decimal numbers not quite, because their mean is rounded).
# Such a channel only loses its mean.


# %% solution="standardise"
def standardise(train, *others):
    """Shift and scale each channel by the training set's mean and deviation.

    train: array (N, H, W, C), uint8 or float. others: any number of arrays
    (M, H, W, C); they are scaled by the numbers of `train`. None is changed.
    Returns a tuple of float32 arrays, one for each argument, in order. Where
    a channel of `train` is constant, its mean is taken off and no more.
    """
    ### BEGIN SOLUTION
    axes = (0, 1, 2)
    # Added up in float64: a float32 sum of millions of pixels loses digits.
    mean = train.mean(axes, dtype="float64")
    deviation = train.std(axes, dtype="float64")
    # Of equal decimal numbers the deviation is not quite 0, since their mean is rounded.
    constant = train.min(axes) == train.max(axes)
    deviation = np.where(constant, 1, deviation)
    return tuple(
        ((images - mean) / deviation).astype("float32") for images in (train, *others)
    )
    ### END SOLUTION


# %% check="standardise" points=3
rng = np.random.default_rng(7)
train = rng.integers(0, 256, (4, 3, 3, 3)).astype("uint8")
test = rng.integers(100, 200, (2, 3, 3, 3)).astype("uint8")
check("the training pictures", standardise(train)[0])
check("training and test pictures", standardise(train, test))
check("mean of each channel", np.mean(standardise(train)[0], axis=(0, 1, 2)), atol=1e-5)
### BEGIN HIDDEN TESTS
check(
    "the number of arrays",
    [len(standardise(train)), len(standardise(test, train, test))],
)
check("one picture with one channel", standardise(test[:1, ..., :1] / 7.0)[0])
check("the argument keeps its values", (standardise(train, test)[1], train))
rng = check.rng()
first = rng.integers(0, 256, (3, 4, 4, 3)).astype("uint8")
second = rng.integers(50, 150, (2, 4, 4, 3)).astype("uint8")
many = rng.random((int(rng.integers(5, 90)), 4, 4, 3))
made = [np.asarray(array) for array in standardise(first, many)]
sizes = [(array.shape, array.nbytes) for array in made]
check("the results are float32: their shapes and bytes", sizes)
flat = first.copy()
flat[..., 1] = 80
check("a channel that never changes", standardise(flat, second), rtol=1e-3)
check("other pictures, alone", standardise(first)[0])
check("pixels from 0 to 1", standardise(first / 255, second / 255))
check("faint pictures", standardise(first / 2e4)[0], rtol=1e-2, atol=1e-2)
check("three sets, the last one", standardise(second, first, first[:2])[2])
### END HIDDEN TESTS


# %% mistakes="standardise"
def _scaled(images, mean, deviation):
    return ((images - mean) / np.where(deviation == 0, 1, deviation)).astype("float32")


def each_set_by_its_own(train, *others):
    """You scale each set by its own mean and deviation. All of them must use the
    numbers of the training set."""
    axes = (0, 1, 2)
    return tuple(_scaled(s, s.mean(axes), s.std(axes)) for s in (train, *others))


def all_sets_together(train, *others):
    """Your mean and deviation come from all sets together. The other sets must not
    have a say: use the training set alone."""
    pool, axes = np.concatenate([train, *others]), (0, 1, 2)
    return tuple(_scaled(s, pool.mean(axes), pool.std(axes)) for s in (train, *others))


def one_mean_for_all_channels(train, *others):
    """You use one mean and one deviation for all channels. Each channel has its own:
    average over the axes 0, 1 and 2, not over the last one."""
    return tuple(_scaled(s, train.mean(), train.std()) for s in (train, *others))


def each_pixel_on_its_own(train, *others):
    """You average over the pictures only, so each place in the picture gets a mean of
    its own. Average over the rows and columns too."""
    return tuple(_scaled(s, train.mean(0), train.std(0)) for s in (train, *others))


def divides_by_the_variance(train, *others):
    """You divide by the variance. Divide by its square root, the standard deviation."""
    axes = (0, 1, 2)
    return tuple(
        _scaled(s, train.mean(axes), train.var(axes)) for s in (train, *others)
    )


def only_the_mean(train, *others):
    """You take off the mean but do not divide by the standard deviation."""
    mean = train.mean(axis=(0, 1, 2))
    return tuple((s - mean).astype("float32") for s in (train, *others))


def divides_by_next_to_nothing(train, *others):
    """Where a channel never changes you divide by a tiny number, so that other sets get
    huge values there. Divide by 1."""
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    return tuple(_scaled(s, mean, deviation + 1e-7) for s in (train, *others))


def gives_float64(train, *others):
    """Your results are float64, which take twice the memory. Make them float32."""
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    deviation = np.where(deviation == 0, 1, deviation)
    return tuple((s - mean) / deviation for s in (train, *others))


def never_divides_by_less_than_one(train, *others):
    """Where the deviation is below 1 you divide by 1, so pixels from 0 to 1 are not scaled
    at all. Divide by 1 only where a channel never changes: its deviation is 0."""
    axes = (0, 1, 2)
    deviation = np.maximum(train.std(axes), 1)
    return tuple(_scaled(s, train.mean(axes), deviation) for s in (train, *others))


def divides_by_zero(train, *others):
    """Where a channel never changes you divide by 0, which gives nan. Divide by 1 there."""
    mean, deviation = train.mean(axis=(0, 1, 2)), train.std(axis=(0, 1, 2))
    with np.errstate(all="ignore"):
        return tuple(
            ((s - mean) / deviation).astype("float32") for s in (train, *others)
        )


# %% [markdown]
# ### A question on honest numbers
#
# A friend standardises training and test pictures *together*,
# "so that both fit". Another tries 30 networks, reads the **test** accuracy
# of each, and reports the best of them. What have both mistakes in common?
# Which of the two distorts the reported accuracy more on CIFAR-10, and why?
# What should the second friend do instead?

# %% [markdown] manual="leakage" points=3
# **Rubric**
#
# - 1 point: both let the test pictures influence the system that is then
#   measured on them (*leakage*), so that the measured accuracy no longer says
#   how well unseen pictures are recognised.
# - 1 point: the second distorts more. With 50,000 and 10,000 pictures from
#   one source the means hardly differ, so the first costs next to nothing
#   here (it is still wrong, and matters for small or unlike sets). The best
#   of 30 noisy measurements is too high by selection: one test accuracy of
#   80 % has a standard error of 0.4 percentage points, and the best of 30
#   equally good networks lies about two of them above the truth.
# - 1 point: choose by a validation set, split off the training pictures;
#   measure on the test pictures once, at the end.
#
# **Model answer.** Both use the test pictures to build or to choose what is
# then measured with them. The shared mean hardly moves anything; choosing the
# best of 30 picks out lucky numbers too. Keep some training pictures aside,
# choose the network on those, and look at the test pictures a single time.

# %% [markdown]
# ### Batches
#
# Gradient descent takes one step for each [*batch*](../glossary.md#batch) of
# some dozens of pictures: a gradient over all 50,000 would be more exact, but
# you would get one step for the price of 400. One pass over all pictures is
# an [*epoch*](../glossary.md#epoch). Each epoch takes the pictures in a new
# random order.
#
# ### Exercise: `batches`
#
# Write the generator `batches` for one epoch. A generator is
# a function that hands out its results one by one, with `yield`:


# %%
def countdown(start):
    """Yield start, start - 1, ... 1."""
    while start > 0:
        yield start
        start -= 1


list(countdown(3))


# %% solution="batches"
def batches(x, y, size, seed):
    """Yield one epoch's batches (x_batch, y_batch) in a random order.

    x: array (N, ...), y: array (N,). size: samples a batch. seed: an int;
    the same seed gives the same order, another seed another one.
    Every sample comes exactly once, with its own label, and may come in any
    batch. Where `size` does not divide N, the last batch is shorter. x and y
    are not changed.
    """
    ### BEGIN SOLUTION
    order = np.random.default_rng(seed).permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]
    ### END SOLUTION


# %% check="batches" points=3
y = np.arange(10)
x = np.stack([y, 10 * y], axis=1)
check("lengths for 10 samples, size 4", [len(part) for _, part in batches(x, y, 4, 1)])
seen = [part for _, part in batches(x, y, 4, 1)]
check("every sample once", np.sort(np.concatenate(seen)))
together = [bool(np.all(a[:, 1] == 10 * b)) for a, b in batches(x, y, 4, 1)]
check("each sample has its own label", together)
### BEGIN HIDDEN TESTS
check("a size above the number", [len(part) for part, _ in batches(x, y, 64, 2)])
cube = np.arange(6 * 2 * 2 * 3).reshape(6, 2, 2, 3)
check("pictures keep their shape", [a.shape for a, _ in batches(cube, y[:6], 4, 3)])
rng = check.rng()
size = int(rng.integers(20, 90))
many = np.arange(6 * size)
orders = [
    np.concatenate([b for _, b in batches(many, many, size, seed)])
    for seed in (1, 1, 2)
]
number = len(orders[0])
check(
    "the order is shuffled",
    number if (orders[0] != many).any() else "as they are stored",
    weight=3,
)
ends = [
    len(b) if np.ptp(b) >= 2 * size else "neighbours"
    for _, b in batches(many, many, size, 4)
]
check("each batch comes from everywhere", ends, weight=2)
check(
    "the same seed gives the same order",
    number if (orders[0] == orders[1]).all() else "another order",
)
check(
    "another seed gives another order",
    number if (orders[0] != orders[2]).any() else "the same order",
    weight=2,
)
made = batches(many, many, size, 1)
check(
    "it yields one by one",
    len(next(iter(made))[1]) if hasattr(made, "__next__") else "all at once",
)
count = 7 * int(rng.integers(4, 9)) + int(rng.integers(1, 7))
table, kinds = rng.normal(size=(count, 2)), rng.integers(0, 10, count)
check(
    "x and y keep their order",
    (len(list(batches(table, kinds, 7, 5))), table, kinds),
)
parts = list(batches(table, kinds, 7, 3))
check("lengths for another number, size 7", [len(part) for part, _ in parts])
joined = np.concatenate([np.column_stack(part) for part in parts])
check("all of them once, each with its label", joined[joined[:, 0].argsort()])
### END HIDDEN TESTS


# %% mistakes="batches"
def drops_the_last(x, y, size, seed):
    """The last, shorter batch is missing: in each epoch some samples never come."""
    order = np.random.default_rng(seed).permutation(len(x))
    for start in range(0, len(x) - size + 1, size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


def shuffles_them_apart(x, y, size, seed):
    """x and y are shuffled in two different orders, so the labels are wrong. Draw one
    order and use it for both."""
    rng = np.random.default_rng(seed)
    x, y = rng.permutation(x), rng.permutation(y)
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def never_shuffles(x, y, size, seed):
    """The samples come in the order in which they are stored. Shuffle them first."""
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def shuffles_within_the_batches(x, y, size, seed):
    """Each of your batches holds samples that are stored side by side, in another order. In a
    sorted set it would see one class alone. Shuffle all of them, then cut."""
    rng = np.random.default_rng(seed)
    for start in range(0, len(x), size):
        chosen = start + rng.permutation(min(size, len(x) - start))
        yield x[chosen], y[chosen]


def draws_with_replacement(x, y, size, seed):
    """You draw each batch afresh, so some samples come twice and others never. Shuffle
    all of them once, then cut the order into pieces."""
    rng = np.random.default_rng(seed)
    for start in range(0, len(x), size):
        chosen = rng.integers(0, len(x), min(size, len(x) - start))
        yield x[chosen], y[chosen]


def forgets_the_seed(x, y, size, seed):
    """The order does not depend on `seed`. Make a generator from it with
    np.random.default_rng(seed)."""
    order = np.random.default_rng().permutation(len(x))
    for start in range(0, len(x), size):
        chosen = order[start : start + size]
        yield x[chosen], y[chosen]


def shuffles_in_place(x, y, size, seed):
    """You shuffle x and y themselves: after your function they have another order
    everywhere. Shuffle the indices instead."""
    np.random.default_rng(seed).shuffle(x)
    np.random.default_rng(seed).shuffle(y)
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def gives_a_list(x, y, size, seed):
    """You return a list, which holds all batches at once. Hand them out one by one
    with `yield`."""
    order = np.random.default_rng(seed).permutation(len(x))
    parts = [order[i : i + size] for i in range(0, len(x), size)]
    return [(x[part], y[part]) for part in parts]


# %% [markdown]
# ## 3. More pictures from the same pictures
#
# A cat that moves three pixels to the left stays a cat. So does its mirror
# image, and a cat in the shade. [*Augmentation*](../glossary.md#augmentation)
# shows the network such variants, new ones in every epoch. It then cannot
# learn the pictures by heart, and must learn what they have in common. You
# will build it from two parts whose result is exactly known, and then add
# chance.
#
# ### Part one: a window for each picture
#
# To move a picture by up to 4 pixels, add a border of 4 on each side (filled
# with the picture's own mirror image, so that no black edge gives the move
# away), and cut a 32x32 window out of the 40x40 pixels.
#
# ### Exercise: `crop`
#
# Write `crop`: each picture has its own window. Python's
# slices count like this: rows `top` to `top + size`, the end excluded.


# %% solution="crop"
def crop(images, tops, lefts, size):
    """Cut a square window out of each picture.

    images: array (N, H, W, C). tops, lefts: int arrays (N,), the row and the
    column of each window's top left pixel. size: side of the window; it fits.
    Returns an array (N, size, size, C) of the same dtype.
    """
    ### BEGIN SOLUTION
    picture = np.arange(len(images))[:, None, None]
    rows = (np.asarray(tops)[:, None] + np.arange(size))[:, :, None]
    columns = (np.asarray(lefts)[:, None] + np.arange(size))[:, None, :]
    return images[picture, rows, columns]
    ### END SOLUTION


# %% check="crop" points=2
grid = np.arange(2 * 5 * 6).reshape(2, 5, 6, 1)
check("a 2x2 window in each", crop(grid, np.array([0, 3]), np.array([1, 4]), 2)[..., 0])
check("the shape", np.shape(crop(grid, np.array([1, 1]), np.array([0, 2]), 3)))
### BEGIN HIDDEN TESTS
check("the whole height", crop(grid, np.array([0, 0]), np.array([0, 1]), 5)[..., 0])
check("a 1x1 window", crop(grid, np.array([4, 2]), np.array([5, 0]), 1))
small = crop(grid.astype("uint8"), np.array([1, 1]), np.array([0, 2]), 3)
check("the dtype stays", np.asarray(small).dtype.name)
rng = check.rng()
coloured = rng.integers(0, 256, (4, 12, 12, 3)).astype("uint8")
corners = rng.permutation(8).reshape(2, 4)
check("four pictures in colour", crop(coloured, *corners, 4))
### END HIDDEN TESTS


# %% mistakes="crop"
def _windows(images, tops, lefts, size):
    return np.stack(
        [
            image[top : top + size, left : left + size]
            for image, top, left in zip(images, tops, lefts, strict=True)
        ]
    )


def one_window_for_all(images, tops, lefts, size):
    """All your windows lie where the first one does. Each picture has its own."""
    return images[:, tops[0] : tops[0] + size, lefts[0] : lefts[0] + size]


def swaps_top_and_left(images, tops, lefts, size):
    """Your windows lie at column `top` and row `left`. Rows come first: axis 1 of
    `images` is the height."""
    wide = np.pad(images, ((0, 0), (0, 9), (0, 9), (0, 0)))
    return _windows(wide, lefts, tops, size)


def one_pixel_too_many(images, tops, lefts, size):
    """Your windows are one pixel too large. The end of a slice does not count."""
    wide = np.pad(images, ((0, 0), (0, 1), (0, 1), (0, 0)))
    return _windows(wide, tops, lefts, size + 1)


def window_around_the_point(images, tops, lefts, size):
    """Your windows lie around the point (top, left). It is their top left pixel."""
    wide = np.pad(images, ((0, 0), (size, size), (size, size), (0, 0)))
    shift = size - size // 2
    return _windows(wide, tops + shift, lefts + shift, size)


# %% [markdown]
# ### Part two: light
#
# The *brightness* $b$ multiplies all pixels: $b = 1.2$ is a fifth more light.
# The *contrast* $c$ stretches them about the picture's own mean $m$ (one
# number: over its rows, columns and channels). A pixel $p$ becomes
#
# $$p' = b \cdot \bigl(m + c \, (p - m)\bigr)$$
#
# and must still be a pixel: rounded, and kept within 0 and 255. Beware of
# `uint8`: it holds 0 to 255 and no minus sign, and where a result does not
# fit, it silently starts again from 0.

# %%
with np.errstate(over="ignore"):
    print("200 + 100 in uint8 is", np.uint8([200]) + np.uint8([100]))

# %% [markdown]
# ### Exercise: `adjust`
#
# Write `adjust`. Compute with `float32`, then clip, and only
# then go back to the pictures' dtype.


# %% solution="adjust"
def adjust(images, brightness, contrast):
    """Change brightness and contrast, each picture by its own two numbers.

    images: array (N, H, W, C), pixels from 0 to 255. brightness, contrast:
    float arrays (N,); where both are 1, the picture stays as it is.
    The arrays that you are given are not changed. Returns an array of the
    same shape and dtype: b * (m + c * (p - m)) with the picture's mean m,
    rounded where the dtype is an integer one, clipped to 0..255.
    """
    ### BEGIN SOLUTION
    pixels = images.astype("float32")
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    brightness = np.reshape(brightness, (-1, 1, 1, 1))
    contrast = np.reshape(contrast, (-1, 1, 1, 1))
    changed = brightness * (mean + contrast * (pixels - mean))
    if images.dtype.kind in "iu":
        changed = np.rint(changed)
    return np.clip(changed, 0, 255).astype(images.dtype)
    ### END SOLUTION


# %% check="adjust" points=2
two = np.array([[[10, 20], [30, 40]], [[100, 150], [200, 250]]], "uint8")[..., None]
same, more, less = np.ones(2), np.array([1.2, 1.5]), np.array([0.5, 0.8])
check("brightness only", adjust(two, more, same)[..., 0], atol=1)
check("contrast only", adjust(two, same, less)[..., 0], atol=1)
check("one and one change nothing", adjust(two, same, same)[..., 0], atol=1)
### BEGIN HIDDEN TESTS
check("both, the values are kept within 0 to 255", adjust(two, more, 3 * more), atol=1)
check("uint8 comes back as uint8", np.asarray(adjust(two, more, less)).dtype.name)
decimal = adjust(two.astype("float32"), more, less)
check("float32 comes back as float32", np.asarray(decimal).dtype.name)
check("a contrast of zero", adjust(two, same, 0 * same)[..., 0], atol=1)
check("the pictures are left as they were", (adjust(two, more, less), two), atol=1)
rng = check.rng()
# A dark, a middling and a bright picture, each rather blue; factors well off 1.
levels = np.array([0, 60, 140])[:, None, None, None] + np.array([0, 15, 30])
patch = (levels + rng.integers(0, 80, (3, 4, 4, 3))).astype("uint8")
factors = 1 + rng.choice([-1, 1], (2, 3)) * rng.uniform(0.2, 0.4, (2, 3))
check("three pictures in colour, adjusted", adjust(patch, *factors), atol=1)
# 13, 33 ... 173 in any order: times 1.05, all of them end in .65.
dark = (13 + 20 * rng.permutation(9)).reshape(1, 3, 3, 1).astype("uint8")
check("whole numbers are rounded", adjust(dark, np.array([1.05]), np.ones(1)))
thin = dark.astype("float32")
check("decimal numbers are not", adjust(thin, np.array([1.05]), np.ones(1)))
check(
    "decimal numbers are kept within 0 to 255",
    adjust(thin, np.array([4.1]), np.array([1.3])),
)
### END HIDDEN TESTS


# %% mistakes="adjust"
def _light(images, brightness, contrast, mean):
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    return b * (mean + c * (images.astype("float32") - mean))


def _mean(images):
    return images.mean(axis=(1, 2, 3), keepdims=True)


def wraps_around(images, brightness, contrast):
    """Values above 255 start again from 0: bright spots turn black. Clip to 0..255
    before you go back to uint8."""
    changed = _light(images, brightness, contrast, _mean(images))
    return np.rint(changed).astype("int64").astype(images.dtype)


def one_mean_for_the_batch(images, brightness, contrast):
    """You use the mean of all pictures together. Each picture has its own mean: leave
    axis 0 out of it."""
    changed = _light(images, brightness, contrast, images.mean())
    return np.clip(np.rint(changed), 0, 255).astype(images.dtype)


def contrast_about_zero(images, brightness, contrast):
    """Your contrast multiplies the pixels themselves, which is brightness again. It
    stretches their distance from the picture's mean."""
    changed = _light(images, brightness, contrast, 0.0)
    return np.clip(np.rint(changed), 0, 255).astype(images.dtype)


def one_mean_a_channel(images, brightness, contrast):
    """You take a mean for each channel. The text's m is one number a picture: the mean
    over the channels too. In yours a picture keeps its tint at any contrast."""
    changed = _light(
        images, brightness, contrast, images.mean(axis=(1, 2), keepdims=True)
    )
    return np.clip(np.rint(changed), 0, 255).astype(images.dtype)


def contrast_last(images, brightness, contrast):
    """You stretch about the old mean after you have changed the brightness. First
    the contrast about m, then multiply by b."""
    mean = _mean(images)
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    changed = mean + c * (b * images.astype("float32") - mean)
    return np.clip(np.rint(changed), 0, 255).astype(images.dtype)


def cuts_off_what_is_behind_the_point(images, brightness, contrast):
    """Your whole numbers are not rounded: astype cuts off what is behind the point, so 13.65
    becomes 13 and the picture too dark. np.rint rounds."""
    changed = _light(images, brightness, contrast, _mean(images))
    return np.clip(changed, 0, 255).astype(images.dtype)


def rounds_decimal_numbers_too(images, brightness, contrast):
    """You round pictures of decimal numbers, too. Round only where the dtype is an integer
    one."""
    changed = _light(images, brightness, contrast, _mean(images))
    return np.clip(np.rint(changed), 0, 255).astype(images.dtype)


def clips_whole_numbers_only(images, brightness, contrast):
    """Pictures of decimal numbers leave 0 to 255 in yours. Clip those, too."""
    changed = _light(images, brightness, contrast, _mean(images))
    if images.dtype.kind in "iu":
        changed = np.clip(np.rint(changed), 0, 255)
    return changed.astype(images.dtype)


def gives_floats(images, brightness, contrast):
    """Your pictures come back as decimal numbers. Return the dtype that came in."""
    return np.clip(_light(images, brightness, contrast, _mean(images)), 0, 255)


# %% [markdown]
# ### Both, by chance
#
# ### Exercise: `augment`
#
# Write `augment`. Every picture draws its own five numbers from the generator
# `rng`, and none of them depends on another one:
#
# 1. add the mirrored border: `np.pad(images, ((0, 0), (4, 4), (4, 4), (0,
#    0)), mode="reflect")`, and `crop` the old size at random: 0 to 8 pixels
#    from the top, 0 to 8 from the left;
# 2. mirror it left to right with probability ½;
# 3. `adjust` it with a brightness and a contrast, each between 0.8 and 1.2.
#
# `rng.integers(0, 9, N)`, `rng.random(N) < 0.5` and `rng.uniform(0.8, 1.2,
# N)` draw one number for each of N pictures.


# %% solution="augment"
def augment(images, rng):
    """Return a random variant of each picture: moved, mirrored, other light.

    images: array (N, S, S, C), pixels from 0 to 255; it is not changed.
    rng: a NumPy generator, the only source of chance: an equal one gives
    equal variants. Returns an array of the same shape and dtype.
    """
    ### BEGIN SOLUTION
    count, size = images.shape[:2]
    padded = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode="reflect")
    moved = crop(padded, rng.integers(0, 9, count), rng.integers(0, 9, count), size)
    mirrored = rng.random(count) < 0.5
    moved[mirrored] = moved[mirrored, :, ::-1]
    return adjust(moved, rng.uniform(0.8, 1.2, count), rng.uniform(0.8, 1.2, count))
    ### END SOLUTION


# %% check="augment" points=3
pictures = np.random.default_rng(7).integers(0, 256, (5, 32, 32, 3)).astype("uint8")
given = pictures.copy()
made = np.asarray(augment(given, np.random.default_rng(1)))
changed = not np.array_equal(made, pictures)
facts = {"shape": str(made.shape), "dtype": made.dtype.name, "changed": changed}
check("shape and dtype of the variants, and whether they changed", facts)
again = augment(pictures.copy(), np.random.default_rng(1))
check("an equal rng gives equal variants", changed and np.array_equal(made, again))
check("the pictures themselves stay", changed and np.array_equal(given, pictures))
### BEGIN HIDDEN TESTS
# Dark left and top, bright right and bottom: whatever happens to it can be read off.
steps = np.full((64, 32, 32, 3), 60, "uint8")
steps[:, :, 16:] += 60
steps[:, 16:] += 60


def read_off(variants):
    """The row and the column of each one's steps."""
    rows = np.abs(np.diff(variants.mean((2, 3)), axis=1))[:, 8:24].argmax(1)
    columns = np.abs(np.diff(variants.mean((1, 3)), axis=1))[:, 8:24].argmax(1)
    return rows, columns


variants = np.asarray(augment(steps, np.random.default_rng(4))).astype(float)
rows_of_step, columns_of_step = read_off(variants)
top, bottom = variants[:, 6:10, 6:26], variants[:, 22:26, 6:26]
upright = top.mean((1, 2, 3)) < bottom.mean((1, 2, 3))
check("none stands on its head", changed and bool(upright.all()))
check("they move up and down", bool(len(set(rows_of_step)) >= 5))
check("they move left and right", bool(len(set(columns_of_step)) >= 5))
levels = augment(np.full((64, 32, 32, 3), 250, "uint8"), np.random.default_rng(5))
levels = np.asarray(levels)[:, 8:24, 8:24].astype(float)
check("the brightness differs", bool(len(set(levels.mean((1, 2, 3)))) > 10))
check("bright pixels do not turn dark", changed and bool(levels.min() >= 150))
chess = (80 + 80 * (np.indices((32, 32)).sum(0) % 2)).astype("uint8")
chess = augment(
    np.tile(chess[None, :, :, None], (64, 1, 1, 3)), np.random.default_rng(8)
)
inner = np.asarray(chess)[:, 8:24, 8:24].astype(float)
ratio = inner.std((1, 2, 3)) / inner.mean((1, 2, 3))
check("the contrast differs", bool(ratio.std() > 0.01))
rng = check.rng()
# A bright spot, high up on the left, in the same place of all 300 pictures: once in
# each of three places.
spots, grey = rng.integers(6, 12, (3, 2)), rng.integers(60, 180, 3)
count = int(rng.integers(60, 150))
fresh = rng.integers(0, 256, (count, 32, 32, 3)).astype("uint8")
one, equal, other = [
    np.asarray(augment(fresh.copy(), np.random.default_rng(seed))) for seed in (2, 2, 3)
]
other_variants = not np.array_equal(one, other)
repeated = changed and np.array_equal(one, equal)
check(
    "another rng gives other variants, an equal one does not",
    len(one) if other_variants and repeated else (other_variants, repeated),
)
small = fresh[:, :16, :16, :1].copy()
check(
    "the shape of small grey variants; the pictures stay",
    (
        np.shape(augment(small, np.random.default_rng(6))),
        small.sum(axis=(1, 2, 3)) if changed else "nothing changes",
    ),
    rtol=0,
)
below = np.asarray(augment(steps[:1].repeat(count, axis=0), rng)).astype(float)
edge = below[:, 0].mean((1, 2)) <= below[:, 8].mean((1, 2)) + 1
check(
    "what leaves below does not come back above",
    len(edge) if changed and edge.all() else "not so",
)


def where_it_lies(row, column):
    """Of 300 variants: the spot's rows and columns, the light and the contrast."""
    spotted = np.full((300, 32, 32, 3), 90, "uint8")
    spotted[:, row, column] = 160
    made = np.asarray(augment(spotted, rng))[..., 0].reshape(300, -1).astype(float)
    found, light = made.argmax(1), np.median(made, axis=1)
    return found // 32, found % 32, light, made.max(1) / light


def ends(places):
    """The first and the last place; how many there are where these are fewer than 5."""
    count = len(set(places))
    return [int(min(places)), int(max(places))] if count >= 5 else f"{count} places"


def tied(rows, columns, light, contrast):
    """Which two of the five draws go together, in words; nothing where none do."""
    draws = {
        "up or down": rows,
        "left or right": np.minimum(columns, 31 - columns),
        "mirrored": columns > 15,
        "brightness": light,
        "contrast": contrast,
    }
    with np.errstate(all="ignore"):  # a draw that is always the same
        together = np.corrcoef(np.array(list(draws.values()), float))
    pairs = np.argwhere(np.triu(np.abs(together) > 0.3, 1))
    names = list(draws)
    return ", ".join(f"{names[one]} with {names[other]}" for one, other in pairs)


def share_of(truths):
    """How many of them are true, in words."""
    share = np.mean(truths)
    words = "none" if share == 0 else "all" if share == 1 else "some"
    return "half" if 0.35 <= share <= 0.65 else words


lies = [where_it_lies(*spot) for spot in spots]
heights = [ends(rows) for rows, *_ in lies]
check("a spot moves up and down, by four pixels at most", heights)
widths = [ends(np.minimum(columns, 31 - columns)) for _, columns, *_ in lies]
turned = [share_of(columns > 15) for _, columns, *_ in lies]
sides = [w if t == "half" else (t, w) for w, t in zip(widths, turned, strict=True)]
check("a spot moves to the sides, and to the other one", sides)
check(
    "the five draws of a picture have nothing to do with each other",
    [tied(*one) or ends(one[0]) for one in lies],
)
shades = [
    np.mean(augment(np.full((300, 16, 16, 1), shade, "uint8"), rng), axis=(1, 2, 3))
    for shade in grey
]
lights = [[shade.mean(), shade.min(), shade.max()] for shade in shades]
check("the mean, the darkest and the brightest light", lights, rtol=0.04)
edges = [
    np.asarray(augment(np.full((200, 16, 16, 1), shade, "uint8"), rng))[:, [0, -1]]
    for shade in grey
]
check(
    "the darkest and the brightest pixel of an even grey, at its edges",
    [[edge.min(), edge.max()] for edge in edges],
    rtol=0.04,
)
### END HIDDEN TESTS


# %% mistakes="augment"
def _variants(
    images, tops, lefts, mirrored, brightness, contrast, axis=2, border="reflect"
):
    size = images.shape[1]
    wide = np.pad(images, ((0, 0), (4, 4), (4, 4), (0, 0)), mode=border)
    moved = np.stack(
        [
            image[row : row + size, column : column + size]
            for image, row, column in zip(wide, tops, lefts, strict=True)
        ]
    )
    moved[mirrored] = np.flip(moved, axis)[mirrored]
    pixels = moved.astype("float32")
    mean = pixels.mean(axis=(1, 2, 3), keepdims=True)
    b, c = (np.reshape(v, (-1, 1, 1, 1)) for v in (brightness, contrast))
    changed = np.rint(b * (mean + c * (pixels - mean)))
    return np.clip(changed, 0, 255).astype(images.dtype)


def _draws(rng, count):
    places = rng.integers(0, 9, (2, count))
    return (*places, rng.random(count) < 0.5, *rng.uniform(0.8, 1.2, (2, count)))


def one_draw_for_all(images, rng):
    """All pictures of the batch move, turn and brighten alike. Draw N numbers of each
    kind, one for each picture."""
    draws = [np.repeat(value, len(images)) for value in _draws(rng, 1)]
    return _variants(images, *draws)


def turns_upside_down(images, rng):
    """You mirror top to bottom: your horses stand on their heads. Left and right are
    axis 2 of the batch."""
    return _variants(images, *_draws(rng, len(images)), axis=1)


def mirrors_all(images, rng):
    """You mirror every picture. Half of them, chosen by chance, are to stay as they are."""
    tops, lefts, mirrored, b, c = _draws(rng, len(images))
    return _variants(images, tops, lefts, mirrored | True, b, c)


def never_mirrors(images, rng):
    """None of your pictures is mirrored. Mirror each with probability one half."""
    tops, lefts, mirrored, b, c = _draws(rng, len(images))
    return _variants(images, tops, lefts, mirrored & False, b, c)


def never_moves(images, rng):
    """Your pictures never move: the window always lies in the middle of the border."""
    tops, lefts, mirrored, b, c = _draws(rng, len(images))
    return _variants(images, 4 + 0 * tops, 4 + 0 * lefts, mirrored, b, c)


def rolls_around(images, rng):
    """np.roll brings back on one side what leaves on the other. Add the mirrored border
    and crop."""
    tops, lefts, mirrored, b, c = _draws(rng, len(images))
    rolled = [
        np.roll(image, (row - 4, column - 4), (0, 1))
        for image, row, column in zip(images, tops, lefts, strict=True)
    ]
    return _variants(np.stack(rolled), 4 + 0 * tops, 4 + 0 * lefts, mirrored, b, c)


def leaves_the_light(images, rng):
    """Brightness and contrast stay the same. Draw both between 0.8 and 1.2 and use `adjust`."""
    tops, lefts, mirrored, b, c = _draws(rng, len(images))
    return _variants(images, tops, lefts, mirrored, 1 + 0 * b, 1 + 0 * c)


def uses_another_generator(images, rng):
    """Your numbers do not come from `rng`, so nobody can repeat your training. Draw all
    of them from the generator that is handed in."""
    return _variants(images, *_draws(np.random.default_rng(), len(images)))


def fills_the_border_with_black(images, rng):
    """Your border is black, so a dark edge gives each move away, and the network sees edges
    that no picture has. Fill it with the mirrored picture: mode="reflect"."""
    return _variants(images, *_draws(rng, len(images)), border="constant")


def never_moves_up_by_four(images, rng):
    """Your windows begin at 0 to 7, so a picture moves further to one side than to the
    other. rng.integers(0, 9, N) leaves out its end, 9."""
    tops, lefts, *others = _draws(rng, len(images))
    return _variants(images, np.minimum(tops, 7), np.minimum(lefts, 7), *others)


def one_draw_for_the_light(images, rng):
    """Brightness and contrast are the same number: no dark picture has a strong contrast.
    Draw one for each."""
    tops, lefts, mirrored, b, _ = _draws(rng, len(images))
    return _variants(images, tops, lefts, mirrored, b, b)


def moves_along_the_diagonal(images, rng):
    """Your windows lie on the diagonal: as many pixels from the top as from the left. Draw
    the two apart."""
    tops, _, *others = _draws(rng, len(images))
    return _variants(images, tops, tops, *others)


def mirrors_what_moved_left(images, rng):
    """Whether a picture is mirrored depends on how it moved. Toss a coin of its own for
    that."""
    tops, lefts, _, *light = _draws(rng, len(images))
    return _variants(images, tops, lefts, lefts > 4, *light)


def changes_its_argument(images, rng):
    """You write into `images`: the originals are gone after one epoch. Work on a copy."""
    images[:] = _variants(images, *_draws(rng, len(images)))
    return images


# %%
rng = np.random.default_rng(1)
tiles = []
for index in three_of_each[[3, 7, 9]]:
    picture = d.train_images[index]
    tiles += [picture, *augment(np.stack([picture] * 9), rng)]
plots.image_grid(
    tiles,
    columns=10,
    title=d.title("Left the picture, beside it nine variants"),
)

# %% [markdown]
# **Look and judge:** could *you* still name each of them? That is the test
# for any augmentation: it must not change the answer. Mirroring is right for
# cats and wrong for the digits of lab 04, where a mirrored 2 is no digit.
# Only training pictures are augmented; what you measure with stays as it is.

# %% [markdown]
# ## 4. A classic, and the riddle of the 1,600
#
# TensorFlow's first CIFAR-10 tutorial made a network known that many courses
# copied, ours too. Here are its variables as the course's deck prints them:
#
# | layer | weights | biases |
# |---|---|---|
# | `conv1` | (5, 5, 3, 64) | (64,) |
# | `conv2` | (5, 5, 64, 64) | (64,) |
# | `fc3` | (1600, 384) | (384,) |
# | `fc4` | (384, 192) | (192,) |
# | `fc5` | (192, 10) | (10,) |
#
# Read them as in lab 02: `conv1` has 64 filters of 5x5 over 3 channels;
# `fc3` ("fully connected") takes 1,600 numbers and gives 384. After each
# convolution comes 2x2 max-pooling, which has no variables. But **where do
# the 1,600 come from?** They are what is left of the picture when `fc3` gets
# it: height · width · 64 channels. So $1600 = 5 \cdot 5 \cdot 64$: the last
# map must be 5x5. Recall from lab 03 how sizes change:
#
# $$\text{convolution, valid:}\; n - k + 1 \qquad
# \text{convolution, same:}\; n \qquad
# \text{2x2 pooling:}\; \lfloor n / 2 \rfloor$$
#
# The tutorial itself cuts its pictures down to 24x24 and pads its
# convolutions (*same*). The explorer starts there. Does that give 1,600?
# **Find the settings with 2x2 pooling that do.**

# %%
explore_layer_sizes(size=24, padding="same")

# %% [markdown]
# <details><summary><b>The answer</b></summary>
#
# 24x24 with padding goes 24 → 24 → 12 → 12 → 6, and 6 · 6 · 64 = 2,304:
# that is what the tutorial's own code comes to. The deck's 1,600 fit the
# **whole picture without padding**: 32 → 28 → 14 → 10 → 5. (A 20x20 crop with
# padding ends at 5x5 too, and so does 24x24 with padding and 3x3 pooling of
# stride 2. Shapes of variables alone cannot tell these apart: a convolution
# has the same weights at any picture size. Only the first dense layer feels
# it.)
# </details>
#
# ### Exercise: `flat_size`
#
# Write `flat_size`, which works out this number.


# %% solution="flat_size"
def flat_size(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    """Numbers that reach the first dense layer after some stages.

    A stage is one convolution with `filters` filters of side `kernel_size`
    (stride 1) and one max-pooling with windows of side `pool` and stride
    `pool`; what does not fill a whole window is dropped.
    size: side of the square picture. padding: "valid" or "same", of the
    convolutions. Returns an int, height * width * filters.
    """
    ### BEGIN SOLUTION
    for _ in range(stages):
        if padding == "valid":
            size = size - kernel_size + 1
        size = size // pool
    return size * size * filters
    ### END SOLUTION


# %% check="flat_size" points=1
check("the deck's network on 32x32", flat_size(32, "valid"))
check("the tutorial's 24x24 with padding", flat_size(24, "same"))
### BEGIN HIDDEN TESTS
check("3x3 filters, three stages", flat_size(28, "valid", kernel_size=3, stages=3))
check(
    "windows of 3 on an odd size, 16 filters",
    flat_size(31, "same", 3, pool=3, filters=16),
)
rng = check.rng()
sides = int(rng.integers(33, 90)) + np.arange(4)
without = [flat_size(int(side), "valid") for side in sides]
check("four sizes in a row without padding", without)
check("and with padding", [flat_size(int(side), "same") for side in sides])
### END HIDDEN TESTS


# %% mistakes="flat_size"
def forgets_a_stage(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    """You count one stage only. The picture goes through `stages` of them."""
    size = (size - kernel_size + 1 if padding == "valid" else size) // pool
    return size * size * filters


def loses_one_pixel_too_many(
    size, padding, kernel_size=5, pool=2, stages=2, filters=64
):
    """You take the whole filter off the size. A filter of side k fits in n - k + 1 places."""
    for _ in range(stages):
        size = (size - kernel_size if padding == "valid" else size) // pool
    return size * size * filters


def ignores_the_padding(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    """You shrink the picture with padding "same" too. There a convolution keeps the size."""
    for _ in range(stages):
        size = (size - kernel_size + 1) // pool
    return size * size * filters


def forgets_the_filters(size, padding, kernel_size=5, pool=2, stages=2, filters=64):
    """You count the places of one map. There is a map for each filter."""
    for _ in range(stages):
        size = (size - kernel_size + 1 if padding == "valid" else size) // pool
    return size * size


# %% [markdown]
# ### Exercise: `build_tutorial_cnn`
#
# Build the network with `keras.Sequential`. The deck's
# convolutions and its first two dense layers are followed by ReLU, the last
# layer by softmax. Give the layers the deck's names (`name="conv1"`). If your
# shapes are right, the count below is 797,962. The names let you ask for a
# layer: `network.get_layer("fc3")`.


# %% solution="build_tutorial_cnn"
def build_tutorial_cnn():
    """Build the network of the table, uncompiled.

    Input: standardised pictures (N, 32, 32, 3), float32; nothing is scaled
    inside. Twice: a 5x5 convolution with 64 filters, without padding, with
    ReLU, then 2x2 max-pooling. Then dense layers of 384 and 192 neurons
    with ReLU, and one of 10 with softmax. All have biases. The layers that have
    weights are called conv1, conv2, fc3, fc4, fc5.
    Returns a keras.Model; its output is (N, 10), each row adds up to 1.
    """
    ### BEGIN SOLUTION
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(64, 5, activation="relu", name="conv1"),
            layers.MaxPooling2D(2, name="pool1"),
            layers.Conv2D(64, 5, activation="relu", name="conv2"),
            layers.MaxPooling2D(2, name="pool2"),
            layers.Flatten(),
            layers.Dense(384, activation="relu", name="fc3"),
            layers.Dense(192, activation="relu", name="fc4"),
            layers.Dense(10, activation="softmax", name="fc5"),
        ],
        name="tutorial_cnn",
    )
    ### END SOLUTION


# %% check="build_tutorial_cnn" points=3
network = build_tutorial_cnn()
shapes = [tuple(weight.shape) for weight in network.trainable_weights]
check("shapes of the variables", shapes)
check("number of parameters", network.count_params())
check("shape of the output", tuple(network.output_shape))
### BEGIN HIDDEN TESTS
draw = np.random.default_rng(7)
answer = network(draw.standard_normal((3, 32, 32, 3)).astype("float32"), training=False)
answer = keras.ops.convert_to_numpy(answer)
check("each row adds up to one", answer.sum(axis=1), rtol=1e-3)
draw = check.rng()
for weight in network.trainable_weights:
    scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
    weight.assign(scale * draw.standard_normal(tuple(weight.shape)))
answer = network(draw.standard_normal((3, 32, 32, 3)).astype("float32"), training=False)
answer = keras.ops.convert_to_numpy(answer)
check("its answer with given weights", answer, rtol=1e-2, atol=1e-4)


def layers_by_name(model):
    """The mean weight of each layer that the table names; what is called otherwise."""
    names = [layer.name for layer in model.layers if layer.weights]
    if names != ["conv1", "conv2", "fc3", "fc4", "fc5"]:
        return names
    return [np.abs(model.get_layer(name).get_weights()[0]).mean() for name in names]


check("its layers by their names, with given weights", layers_by_name(network))
### END HIDDEN TESTS


# %% mistakes="build_tutorial_cnn"
def _tutorial(
    size=32, padding="valid", activation="relu", last="softmax", pool=None, **dense
):
    pool = pool or layers.MaxPooling2D
    return keras.Sequential(
        [
            layers.Input((size, size, 3)),
            layers.Conv2D(64, 5, padding=padding, activation=activation, name="conv1"),
            pool(2),
            layers.Conv2D(64, 5, padding=padding, activation=activation, name="conv2"),
            pool(2),
            layers.Flatten(),
            layers.Dense(384, activation=activation, name="fc3"),
            layers.Dense(192, activation=activation, name="fc4", **dense),
            layers.Dense(10, activation=last, name="fc5"),
        ]
    )


def pads_its_convolutions():
    """Your convolutions keep the size, so 8x8x64 = 4,096 numbers reach the dense layer.
    Keras's padding="valid" (its default) adds no border."""
    return _tutorial(padding="same")


def takes_small_crops():
    """Your network takes 24x24 pictures, as the tutorial's own does. The table's takes
    the whole 32x32."""
    return _tutorial(size=24, padding="same")


def forgets_softmax():
    """Your last layer gives raw scores: the rows do not add up to 1. Give it
    activation="softmax"."""
    return _tutorial(last=None)


def forgets_relu():
    """There is no ReLU between your layers, so the whole network is one linear map. Give
    each layer but the last activation="relu"."""
    return _tutorial(activation=None)


def uses_tanh():
    """Your layers use another activation than ReLU."""
    return _tutorial(activation="tanh")


def pools_by_the_average():
    """You pool by the average. The table's network takes the maximum."""
    return _tutorial(pool=layers.AveragePooling2D)


def forgets_a_bias():
    """A dense layer has no bias: see the shapes of the variables."""
    return _tutorial(use_bias=False)


def leaves_the_names_to_keras():
    """Your layers have the names that Keras gave them. Call them as the table does:
    name="conv1" and so on."""
    network = _tutorial()
    settings = network.get_config()
    for layer in settings["layers"]:
        name = layer["config"]["name"]
        layer["config"]["name"] = f"{name}_of_mine"
    return keras.Sequential.from_config(settings)


# %%
tutorial = build_tutorial_cnn()
tutorial.summary()

# %% [markdown]
# ## 5. Deeper: the SimpleCNN
#
# The course asks for a second network. Two 3x3 filters one after the other
# see 5x5 pixels, like one 5x5 filter, with fewer weights (per pair of
# channels 18 for 25) and one ReLU more. So modern networks stack 3x3 filters:
#
# | block | layers | map after it |
# |---|---|---|
# | 1 | Conv3x3-64, Conv3x3-64, max-pool | 16x16x64 |
# | 2 | Conv3x3-128, Conv3x3-128, Conv3x3-128, max-pool | 8x8x128 |
# | 3 | FC-1024, FC-1024, FC-10 | 10 |
#
# Count the layers that have weights: 2 + 3 + 3 =
# **8**.<sup>[2](#Footnotes)</sup>
#
# ### Exercise: `build_simple_cnn`
#
# Build it, with *same* padding.


# %% solution="build_simple_cnn"
def build_simple_cnn():
    """Build the SimpleCNN of the table, uncompiled.

    Input: standardised pictures (N, 32, 32, 3), float32; nothing is scaled
    inside. All convolutions are 3x3 with padding "same", all poolings 2x2
    maxima. ReLU after each layer with weights, softmax after the last.
    All have biases. Returns a keras.Model; its output is (N, 10).
    """
    ### BEGIN SOLUTION
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.Conv2D(64, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.Conv2D(128, 3, padding="same", activation="relu"),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dense(1024, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ],
        name="simple_cnn",
    )
    ### END SOLUTION


# %% check="build_simple_cnn" points=2
network = build_simple_cnn()
weights = [tuple(w.shape) for w in network.trainable_weights if len(w.shape) > 1]
check("layers that have weights", len(weights))
check("shapes of their weights", weights)
### BEGIN HIDDEN TESTS
check("its number of parameters", network.count_params())
draw = check.rng()
for weight in network.trainable_weights:
    scale = np.sqrt(2 / np.prod(weight.shape[:-1])) if len(weight.shape) > 1 else 0.1
    weight.assign(scale * draw.standard_normal(tuple(weight.shape), dtype="float32"))
answer = network(draw.standard_normal((2, 32, 32, 3)).astype("float32"), training=False)
answer = keras.ops.convert_to_numpy(answer)
check("SimpleCNN's answer with given weights", answer, rtol=1e-2, atol=1e-4)
### END HIDDEN TESTS


# %% mistakes="build_simple_cnn"
def _simple(
    convolutions=(2, 3), padding="same", activation="relu", last="softmax", dense=2
):
    stack = [layers.Input((32, 32, 3))]
    for filters, count in zip((64, 128), convolutions, strict=True):
        for _ in range(count):
            stack.append(
                layers.Conv2D(filters, 3, padding=padding, activation=activation)
            )
        stack.append(layers.MaxPooling2D(2))
    stack.append(layers.Flatten())
    stack += [layers.Dense(1024, activation=activation) for _ in range(dense)]
    return keras.Sequential([*stack, layers.Dense(10, activation=last)])


def makes_it_nine():
    """You have a dense layer too many. Build the eight layers of the table."""
    return _simple(dense=3)


def two_and_two():
    """The second block has three convolutions."""
    return _simple(convolutions=(2, 2))


def without_padding():
    """Your maps shrink at every convolution. Use padding="same"."""
    return _simple(padding="valid")


def without_softmax():
    """Your last layer gives raw scores. Give it activation="softmax"."""
    return _simple(last=None)


def without_relu():
    """Layers without an activation melt into one linear map. Give each but the last
    activation="relu"."""
    return _simple(activation=None)


# %% [markdown]
# ### What does a network cost?
#
# Two different things: **parameters** take memory, and training data to set
# them; **multiplications** take time. A dense layer uses each weight once a
# picture, a convolution uses it at every place of its map.


# %%
def multiplications(model):
    """Multiplications for one picture, layer by layer: {name: (parameters, count)}."""
    found = {}
    for layer in model.layers:
        if isinstance(layer, (layers.Conv2D, layers.Dense)):
            places = np.prod(layer.output.shape[1:-1], dtype=int)
            count = places * np.prod(layer.kernel.shape, dtype=int)
            found[layer.name] = (layer.count_params(), int(count))
    return found


simple = build_simple_cnn()
costs = [(model.name, multiplications(model)) for model in (tutorial, simple)]

# %% tags=["folded"]
# Draws where each network's parameters and multiplications are.
fig, axes = plt.subplots(1, 2, figsize=(9, 2.4), layout="constrained")
for row, (_, of_layers) in enumerate(costs):
    for axis, values in zip(axes, np.array(list(of_layers.values())).T, strict=True):
        left = 0
        for number, value in enumerate(values):
            kind = plots.BLUE if number < len(values) - 3 else plots.ORANGE
            axis.barh(row, value, left=left, color=kind, edgecolor="white")
            left += value
        axis.text(left, row, f" {left / 1e6:.1f} million", va="center")
for axis, title in zip(axes, ("parameters", "multiplications a picture"), strict=True):
    axis.set(title=title, xticks=[], yticks=range(len(costs)))
    axis.set_yticklabels([name for name, _ in costs])
    axis.spines[:].set_visible(False)
    axis.margins(x=0.25)
fig.suptitle("Blue: convolutions. Orange: dense layers. One box a layer.")
plt.show()

# %% [markdown]
# Most parameters sit in one dense layer, the first: 8,192 · 1,024 in the
# SimpleCNN. Nearly all of the time goes into convolutions. Keep both in
# mind for your own network.
#
# And what does that mean in minutes? Let us time one training step of each.


# %%
def seconds_a_picture(model):
    """Time one training step, after one that also compiles the network."""
    size = profile.pick(quick=64, full=256, grading=4)
    x = np.zeros((size, 32, 32, 3), "float32")
    y = np.zeros(size, "int64")
    model.compile(optimizer="sgd", loss="sparse_categorical_crossentropy")
    model.train_on_batch(x, y)
    start = time.perf_counter()
    model.train_on_batch(x, y)
    return (time.perf_counter() - start) / size


for model in (tutorial, simple):
    minutes = 50_000 * seconds_a_picture(model) / 60
    print(
        f"{model.name:14} one epoch of 50,000 pictures: about {minutes:.1f} minutes here"
    )

# %% [markdown]
# The tutorial's own text promises about 86 % of the test pictures after 100,000
# steps, hours on a GPU of its day. The course's deck let it run on a laptop's
# CPU for 15 hours, and stopped at **79.3 %** (7,932 of 10,000). You will not
# wait that long.
#
# ## 6. Learning by heart, and when to stop
#
# Before the big training, an experiment: the tutorial's network, with its
# 797,962 parameters, on a few hundred pictures. Watch the two curves: the
# training pictures it learns, and the
# [*validation*](../glossary.md#validation-set) pictures, which it never
# trains on.
#
# `training.fit` calls Keras's `compile` and `fit` for you and draws the
# curves while it trains. Its options are explained as we need them; its
# docstring lists them all (`training.fit?`).

# %%
count, extra = profile.pick(quick=(600, 300), full=(2000, 1000), grading=(40, 20))
few, others = d.train_images[:count], d.train_images[count : count + extra]
few, others = (np.asarray(images) for images in standardise(few, others))
few_labels = d.train_labels[:count]
other_labels = d.train_labels[count : count + extra]

by_heart = training.fit(
    build_tutorial_cnn(),
    few,
    few_labels,
    validation=(others, other_labels),
    epochs=profile.pick(quick=14, full=30, grading=2),
    minutes=profile.pick(quick=1, full=None),
    batch_size=32,
    learning_rate=1e-3,
    schedule="constant",
    title=d.title(f"The tutorial's network on {count} pictures"),
)

# %% [markdown]
# The training loss falls and falls, and the training accuracy climbs towards
# 100 %. The validation loss turns round after some epochs and **rises**: from
# there on the network learns these few pictures by heart. That is
# [*overfitting*](../glossary.md#overfitting). What helps:
#
# - **more pictures**, real ones or augmented ones;
# - **fewer parameters**, above all in the dense layers;
# - [**weight decay**](../glossary.md#weight-decay): take a small share off
#   every weight at every step, so that only weights which the data keep
#   needing stay large;
# - [**early stopping**](../glossary.md#early-stopping): stop when the
#   validation loss no longer falls, and go back to the weights it was lowest
#   with.
#
# The [*patience*](../glossary.md#patience) says how many epochs in a row
# without a new lowest loss we bear: the loss jitters, and one bad epoch
# proves nothing.
#
# ### Exercise: `early_stop`
#
# Write `early_stop`: where would training stop, and which epoch's weights
# would be kept? `training.fit(..., patience=3)` does this.


# %% solution="early_stop"
def early_stop(losses, patience):
    """Say when early stopping ends a training, and which epoch it keeps.

    losses: the validation loss after each epoch, a list or array (E,), E > 0.
    Training stops after `patience` epochs in a row whose loss is not lower
    than the lowest so far, be it by ever so little; it never lasts longer than E epochs.
    Returns (stop, best): the number of epochs that are trained, and the epoch
    with the lowest loss among them (the first of them if several are equal).
    Both are ints and count from 1.
    """
    ### BEGIN SOLUTION
    best = 1
    for epoch in range(1, len(losses) + 1):
        if losses[epoch - 1] < losses[best - 1]:
            best = epoch
        if epoch - best == patience:
            return epoch, best
    return len(losses), best
    ### END SOLUTION


# %% check="early_stop" points=2
check("a valley, patience 2", early_stop([3.0, 2.0, 1.0, 1.5, 1.6, 0.5], 2))
check("it falls to the end", early_stop([3.0, 2.0, 1.0], 2))
### BEGIN HIDDEN TESTS
jitter = [5.0, 4.0, 4.5, 3.0, 3.5, 3.2, 3.1, 2.0]
check("a jittering loss, patience 3", early_stop(jitter, 3))
check("a jittering loss in an array", early_stop(np.array(jitter), 4))
check(
    "lower than the last one, but not than the lowest",
    early_stop([2.0, 4.0, 3.5, 3.0, 1.0], 3),
)
check("one epoch", early_stop([0.7], 5))
slow = [0.9, 0.899, 0.898, 0.897, 0.896, 0.895, 0.896, 0.897]
check("it falls by little, patience 2", early_stop(slow, 2))
check("it falls by next to nothing", early_stop([0.5 - 1e-6 * n for n in range(6)], 3))
rng = check.rng()
# Five losses that fall for a while and then rise, all of them with jitter.
valleys = np.abs(np.linspace(-1, 1, 15)) + rng.uniform(0, 0.5, (5, 15))
check("five valleys, patience 2", [early_stop(list(valley), 2) for valley in valleys])
check("five valleys, patience 4", [early_stop(list(valley), 4) for valley in valleys])
falling = np.arange(rng.integers(2, 90), 0.0, -1)
check("equal is not lower", early_stop([*falling, 1.0, 1.0, 1.0, 0.5], 2))
check("it falls by little for long", early_stop(list(0.9 + 1e-4 * falling), 2))
### END HIDDEN TESTS


# %% mistakes="early_stop"
def counts_from_zero(losses, patience):
    """Your epochs count from 0. The first epoch is number 1."""
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best == patience:
            return epoch, best
    return len(losses) - 1, best


def one_epoch_late(losses, patience):
    """You stop one epoch late: after `patience` epochs without a new lowest loss it is over."""
    best = 1
    for epoch in range(1, len(losses) + 1):
        best = epoch if losses[epoch - 1] < losses[best - 1] else best
        if epoch - best > patience:
            return epoch, best
    return len(losses), best


def never_forgives(losses, patience):
    """You count all bad epochs. A new lowest loss starts the count again from 0."""
    best, bad = 1, 0
    for epoch in range(1, len(losses) + 1):
        if epoch > 1 and losses[epoch - 1] >= losses[best - 1]:
            bad += 1
        else:
            best = epoch
        if bad == patience:
            return epoch, best
    return len(losses), best


def compares_with_the_last(losses, patience):
    """You compare each loss with the one before it. Compare it with the lowest so far."""
    bad = 0
    for epoch in range(2, len(losses) + 1):
        bad = 0 if losses[epoch - 1] < losses[epoch - 2] else bad + 1
        if bad == patience:
            return epoch, int(np.argmin(losses[:epoch])) + 1
    return len(losses), int(np.argmin(losses)) + 1


def equal_counts_as_better(losses, patience):
    """You take an equal loss for a better one. Only a lower one counts."""
    best = 1
    for epoch in range(1, len(losses) + 1):
        best = epoch if losses[epoch - 1] <= losses[best - 1] else best
        if epoch - best == patience:
            return epoch, best
    return len(losses), best


def wants_more_than_a_little(losses, patience):
    """You want a loss that is lower by a certain amount. Any lower loss is a new lowest one."""
    best = 1
    for epoch in range(1, len(losses) + 1):
        best = epoch if losses[epoch - 1] < losses[best - 1] - 0.01 else best
        if epoch - best == patience:
            return epoch, best
    return len(losses), best


def looks_ahead(losses, patience):
    """You keep the epoch with the lowest loss of all. Those after the stop are never
    trained: look at the ones before it."""
    best = 1
    for epoch in range(1, len(losses) + 1):
        best = epoch if losses[epoch - 1] < losses[best - 1] else best
        if epoch - best == patience:
            return epoch, int(np.argmin(losses)) + 1
    return len(losses), best


def keeps_the_last_epoch(losses, patience):
    """You keep the weights of the last epoch. Keep those of the lowest loss."""
    best = 1
    for epoch in range(1, len(losses) + 1):
        best = epoch if losses[epoch - 1] < losses[best - 1] else best
        if epoch - best == patience:
            return epoch, epoch
    return len(losses), len(losses)


# %%
stop, best_epoch = early_stop(by_heart.column("val_loss"), 3)
print(f"With patience 3 this training would have ended after epoch {stop},")
print(f"and we would have kept the weights of epoch {best_epoch}.")

# %% [markdown]
# ## 7. The size of the steps
#
# ### A learning rate that rises and falls
#
# Lab 01 showed both sides: large steps get far, small steps get it exact. So
# let the [**learning rate**](../glossary.md#learning-rate) change while you
# train. It should *fall* at the end (*learning-rate decay*), so that the
# weights settle. And in short trainings it should *rise* at the beginning
# (*warm-up*): a fresh network's gradients point in wild directions, and a
# large step there does lasting harm. The simplest curve with both is a
# triangle over the $S$ steps of the training. With $t = \mathit{step} / S$,
# the peak $\eta$ and the share $r$ of the rise,
#
# $$\eta(t) = \begin{cases} \eta \, t / r & t \le r \\
# \eta \, (1 - t) / (1 - r) & t > r \end{cases}$$
#
# ### Exercise: `learning_rate`
#
# Write it so that `step` may be one number or a whole array of them.


# %% solution="learning_rate"
def learning_rate(step, steps, peak, rise=0.2):
    """The triangular learning rate: up from 0 to the peak, down to 0.

    step: a number or an array of them, from 0 to `steps`. steps: the length
    of the training in steps. peak: the largest rate, at step rise * steps.
    rise: the share of the steps that go up, between 0 and 1.
    Returns the rate, or an array of rates of the shape of `step`.
    """
    ### BEGIN SOLUTION
    return np.interp(np.asarray(step) / steps, [0, rise, 1], [0, peak, 0])
    ### END SOLUTION


# %% check="learning_rate" points=2
check("start, peak and end", [learning_rate(s, 100, 0.5) for s in (0.0, 20.0, 100.0)])
check("half way up, half way down", [learning_rate(s, 100, 0.5) for s in (10.0, 60.0)])
### BEGIN HIDDEN TESTS
check("an array of steps", learning_rate(np.arange(0.0, 11.0), 10, 1.0))
check("whole steps", learning_rate(np.arange(8), 7, 0.1, rise=0.25))
rng = check.rng()
places = [*rng.uniform(1, 19, 3), *rng.uniform(25, 99, 3)]
check("six steps, one by one", [learning_rate(s, 100, 0.5) for s in places])
both_sides = np.append(rng.uniform(3, 27, 3), rng.uniform(33, 57, 3))
check("another rise", learning_rate(both_sides, 60, 0.02, rise=0.5))
### END HIDDEN TESTS


# %% mistakes="learning_rate"
def only_falls(step, steps, peak, rise=0.2):
    """Your rate starts at the peak. It first rises from 0."""
    return peak * (1 - np.asarray(step) / steps)


def falls_too_fast(step, steps, peak, rise=0.2):
    """On its way down your rate uses t / (1 - r). It is (1 - t) / (1 - r), which is 1 at
    the peak and 0 at the end."""
    t = np.asarray(step) / steps
    return peak * np.where(t <= rise, t / rise, 1 - t / (1 - rise))


def jumps_at_the_peak(step, steps, peak, rise=0.2):
    """Your rate jumps at the peak: divide what is left, 1 - t, by 1 - r."""
    t = np.asarray(step) / steps
    return peak * np.where(t <= rise, t / rise, 1 - t)


def decides_once_for_all_steps(step, steps, peak, rise=0.2):
    """In an array of steps some go up and some go down. Yours takes one side for all of
    them: np.where or np.interp decides for each."""
    t = np.asarray(step) / steps
    return peak * t / rise if np.all(t <= rise) else peak * (1 - t) / (1 - rise)


def rise_is_fixed(step, steps, peak, rise=0.2):
    """Your peak lies at a fifth whatever `rise` says. Use the argument."""
    return np.interp(np.asarray(step) / steps, [0, 0.2, 1], [0, peak, 0])


# %% tags=["folded"]
# Draws your rate beside two others.
steps = np.arange(0.0, 1001)
fig, axes = plt.subplots(figsize=(9, 2.4), layout="constrained")
axes.plot(
    steps, learning_rate(steps, 1000, 0.01), color=plots.BLUE, lw=2.5, label="triangle"
)
one_cycle = training.learning_rates("one-cycle", 1000, 0.01)
axes.plot(one_cycle, color=plots.VERMILION, label="one-cycle (training.fit's own)")
staircase = 0.01 * 0.5 ** (steps // 250)
axes.plot(steps, staircase, color=plots.MUTED, label="staircase (lab 01)")
axes.set(xlabel="step", ylabel="learning rate")
axes.legend()
axes.grid(True)
plt.show()

# %% [markdown]
# *One-cycle* is your triangle with rounded corners. It rises for longer and
# stays near the peak for longer; both end at 0. In section 9 you train with
# your own.
#
# ### A gradient that is too long
#
# Now and then a batch has a very long gradient: a few odd pictures, a network
# still far from any answer. One such step can throw away what a hundred had
# built, or make every weight `nan`. [**Gradient
# clipping**](../glossary.md#clipping) keeps the direction and shortens the
# step. All gradients together are one long vector; its length is the *global
# norm*
#
# $$\lVert g \rVert = \sqrt{\textstyle\sum_i g_i^2}
# \quad\text{over all entries of all arrays.}$$
#
# Where it is above the limit $L$, **all** arrays are multiplied by
# $L / \lVert g \rVert$. Shorter ones stay as they are.
#
# ### Exercise: `clip`
#
# A network has one gradient array for each of its variables, so `clip` takes
# and returns a list of arrays.


# %% solution="clip"
def clip(gradients, longest):
    """Shorten gradients whose global norm is above a limit.

    gradients: a list of float arrays of any shapes; they are not changed.
    longest: the largest norm allowed, over all arrays together, above 0.
    Returns a list of arrays of the same shapes. Where the norm is at most
    `longest`, also where it is 0, their values are the old ones.
    """
    ### BEGIN SOLUTION
    norm = np.sqrt(sum(np.sum(np.square(gradient)) for gradient in gradients))
    scale = longest / max(norm, longest)
    return [gradient * scale for gradient in gradients]
    ### END SOLUTION


# %% check="clip" points=2
long = [np.array([[3.0, 0.0], [0.0, 0.0]]), np.array([4.0])]
check("norm 5 clipped to 1", tuple(clip(long, 1.0)))
check("norm 5 with limit 10", tuple(clip(long, 10.0)))
### BEGIN HIDDEN TESTS
check("zero gradients", tuple(clip([np.zeros(2), np.zeros((1, 2))], 1.0)))
check("the gradients are left alone", (*clip(long, 0.1), *long))
rng = check.rng()
three = [rng.normal(size=(2, 3)), rng.normal(size=4), rng.normal(size=(2, 2, 2))]
longer = 1.2 * np.linalg.norm(np.concatenate([part.ravel() for part in three]))
check("three arrays clipped to 0.5", tuple(clip(three, 0.5)))
check(
    "three arrays, a limit just above their norm, then half of it",
    (*clip(three, longer), *clip(three, longer / 2)),
)
### END HIDDEN TESTS


# %% mistakes="clip"
def _norm(arrays):
    return np.sqrt(sum(np.sum(array**2) for array in arrays))


def each_on_its_own(gradients, longest):
    """You clip each array by its own norm. That turns the direction of the whole step:
    use one norm and one factor for all."""
    return [g * longest / max(_norm([g]), longest) for g in gradients]


def clips_each_value(gradients, longest):
    """You clip each value on its own (np.clip), which turns the step. Scale all of them
    by one factor."""
    return [np.clip(g, -longest, longest) for g in gradients]


def lengthens_short_ones(gradients, longest):
    """You scale every gradient to the limit, short ones too. Near the goal gradients get
    short, and must be allowed to."""
    norm = _norm(gradients)
    return [g * longest / (norm or 1) for g in gradients]


def forgets_the_root(gradients, longest):
    """Your norm is the sum of the squares. Take its square root."""
    norm = _norm(gradients) ** 2
    return [g * longest / max(norm, longest) for g in gradients]


def sums_the_norms(gradients, longest):
    """You add up the norms of the arrays. Add up their squares, then take the root."""
    norm = sum(_norm([g]) for g in gradients)
    return [g * longest / max(norm, longest) for g in gradients]


def scales_in_place(gradients, longest):
    """You change the arrays that you were given. Return new ones."""
    factor = longest / max(_norm(gradients), longest)
    for gradient in gradients:
        gradient *= factor
    return gradients


# %% [markdown]
# Keras does this where you give the optimiser `global_clipnorm=L`, and
# `training.fit` where you give it `clip_norm=L`. Is it the same? A step with
# the rate 1 from weights of 0 shows the gradient that was used:


# %%
def clipped_by_keras(gradients, longest):
    """What Keras makes of gradients, shown by a step from weights of 0."""
    at_zero = [keras.Variable(np.zeros(part.shape, "float32")) for part in gradients]
    sgd = keras.optimizers.SGD(1.0, global_clipnorm=longest)
    sgd.apply([keras.ops.convert_to_tensor(part) for part in gradients], at_zero)
    return [0 - keras.ops.convert_to_numpy(part) for part in at_zero]


gradients = [np.array([[3.0, 0.0]], "float32"), np.array([4.0], "float32")]
print("Keras's:", *clipped_by_keras(gradients, 1.0))
print("yours  :", *clip(gradients, 1.0))

# %% [markdown]
# Does it help? Here the same network gets the same batches twice, with a
# learning rate that is too large for it.


# %%
def losses_with(longest):
    """The loss at each step of a short training with a bold learning rate."""
    steps = profile.pick(quick=50, full=50, grading=6)
    keras.utils.set_random_seed(2)
    model = build_tutorial_cnn()
    sgd = keras.optimizers.SGD(0.1, momentum=0.9, global_clipnorm=longest)
    model.compile(optimizer=sgd, loss="sparse_categorical_crossentropy")
    losses = []
    for epoch in range(steps):
        for x, y in batches(few, few_labels, 32, seed=epoch):
            model.reset_metrics()  # else some versions give the mean since the start
            losses.append(float(model.train_on_batch(x, y)))
            if len(losses) == steps:
                return losses


twice = {"as it comes": losses_with(None), "clipped to 0.5": losses_with(0.5)}


# %% tags=["folded"]
# Draws the losses of both trainings.
def running_mean(values, width=5):
    """The mean of each value and those up to `width` - 1 before it."""
    return [np.mean(values[max(0, i - width + 1) : i + 1]) for i in range(len(values))]


fig, axes = plt.subplots(figsize=(9, 2.8), layout="constrained")
for (label, losses), colour in zip(twice.items(), (plots.VERMILION, plots.BLUE)):
    axes.plot(losses, color=colour, alpha=0.3)
    axes.plot(running_mean(losses), color=colour, lw=2.5, label=label)
axes.axhline(np.log(10), color=plots.INK, ls=":", label="guessing: ln 10 = 2.30")
axes.set(xlabel="step", ylabel="loss (bold: mean of five)", ylim=(1.2, 4))
axes.set_title(d.title("A learning rate that is too large, with and without clipping"))
axes.legend(loc="upper right", ncols=3)
axes.grid(True)
plt.show()

# %% [markdown]
# As it comes, some long steps throw the network to where most of its ReLUs
# are silent (the dead units of lab 01), and it ends up guessing. Clipped to
# 0.5, the same steps stay short enough to learn from.

# %% [markdown]
# ### Weight decay
#
# Lab 01 added a penalty $\frac{\lambda}{2} \sum w^2$ to the error, whose
# gradient is $\lambda w$: every step takes a small share off every weight.
# Optimisers such as Adam divide each gradient by its usual size, and would
# divide the penalty's share along with it. So today the share is taken off
# directly, beside the gradient's step:
#
# $$w \leftarrow w - \eta \, \hat g - \eta \lambda w$$
#
# with the optimiser's step $\hat g$ and the learning rate $\eta$. That is
# *decoupled weight decay*: `weight_decay` in Keras and in `training.fit`.
# Biases scale nothing, so `training.fit` leaves them out. (Keras's own
# optimisers take them along unless you call `exclude_from_weight_decay`.)
#
# ## 8. Two layers that know whether they train
#
# ### Sums that stay in range
#
# `standardise` brings the pixels to mean 0 and deviation 1. But the second
# layer gets what the first one makes of them, the third what the second one
# makes, and so on. Here are ten layers of 100 ReLU neurons with three sizes of
# random weights, which look much alike: 0.07, 0.14 and 0.28.


# %%
def spreads(size, normalise=lambda sums: sums):
    """The deviation of the sums in ten layers of ReLU neurons, for weights of one size."""
    rng = np.random.default_rng(0)
    x, found = rng.normal(size=(200, 100)), []
    for _ in range(10):
        sums = normalise(x @ rng.normal(0, size, (100, 100)))
        found.append(np.std(sums))
        x = np.maximum(sums, 0)
    return found


as_they_come = {size: spreads(size) for size in (0.28, 0.14, 0.07)}


# %% tags=["folded"]
# Draws the deviation in each layer, a line for each size of weights.
def draw_spreads(of_sizes):
    """Draw the deviations in ten layers, given as {size of weights: deviations}."""
    fig, axes = plt.subplots(figsize=(9, 2.6), layout="constrained")
    colours = plots.VERMILION, plots.GREEN, plots.BLUE
    for (size, found), colour in zip(of_sizes.items(), colours, strict=True):
        axes.plot(range(1, 11), found, "o-", color=colour, label=f"weights of {size}")
    axes.set(
        xlabel="layer", ylabel="deviation of its sums", yscale="log", ylim=(5e-4, 2e3)
    )
    axes.legend(ncols=3, loc="upper left")
    axes.grid(True)
    plt.show()


draw_spreads(as_they_come)

# %% [markdown]
# Each layer multiplies the spread by about the same factor. Twice the weights
# is a thousand times the sums after ten layers, and the gradients, which come
# back through the same weights, explode or vanish alike. Only one size of
# weights is right, and training moves away from it.
#
# [**Batch normalisation**](../glossary.md#batch-normalisation) standardises
# the sums of *each neuron*, in each layer, in each step, with the mean $\mu$
# and the variance $\sigma^2$ over the $N$ samples **of the batch**. Then it
# gives the neuron a deviation $\gamma$ and a mean $\beta$ of its own, which
# are learned like weights:
#
# $$\mu = \frac1N \sum_n x_n \qquad
# \sigma^2 = \frac1N \sum_n (x_n - \mu)^2 \qquad
# y_n = \gamma\, \frac{x_n - \mu}{\sqrt{\sigma^2 + \epsilon}} + \beta$$
#
# The small $\epsilon$ keeps the fraction finite where all $x_n$ are equal.
#
# A single picture to be predicted has no batch. So while training, the layer
# keeps a **running mean** of $\mu$ (and one of $\sigma^2$ in the same way): in
# each step most of the old value, the *momentum* $m$, and a little of the new
# one. In prediction these take the places of $\mu$ and $\sigma^2$:
#
# $$\bar\mu \leftarrow m\, \bar\mu + (1 - m)\, \mu$$
#
# ### Exercise: `batch_norm`, `running`


# %% solution="running"
def batch_norm(x, gamma, beta, eps=1e-5):
    """Batch normalisation of N samples, as in training.

    x: float array (N, D), one sample a row, one neuron a column. gamma, beta:
    arrays (D,), each neuron's new deviation and mean. eps: a small number, added
    to the variance. No argument is changed.
    Returns an array (N, D): each column by its own mean and its own variance
    (divided by N), then times gamma, plus beta.
    """
    ### BEGIN SOLUTION
    deviation = np.sqrt(x.var(axis=0) + eps)
    return gamma * (x - x.mean(axis=0)) / deviation + beta
    ### END SOLUTION


def running(mean, batch_mean, momentum=0.9):
    """One step of the running mean that is used in prediction.

    mean: the running mean so far, (D,). batch_mean: that of this batch, (D,).
    momentum: the share of the old one. No argument is changed.
    Returns the new running mean (D,).
    """
    ### BEGIN SOLUTION
    return momentum * mean + (1 - momentum) * batch_mean
    ### END SOLUTION


# %% check="batch_norm" points=3
four = np.array(
    [[1.0, 10.0, 5.0], [2.0, 30.0, 5.0], [3.0, 20.0, 5.0], [6.0, 40.0, 5.0]]
)
ones, zeros = np.ones(3), np.zeros(3)
check(
    "four samples, three neurons, the third is constant", batch_norm(four, ones, zeros)
)
check(
    "another deviation and mean",
    batch_norm(four, np.array([2.0, 0.5, 1.0]), np.array([0.0, 1.0, -3.0])),
)
check("a large eps", batch_norm(four, ones, zeros, eps=1.0))
### BEGIN HIDDEN TESTS
rng = check.rng()
sums = rng.normal(rng.uniform(-3, 3, 4), rng.uniform(0.5, 3, 4), (6, 4))
wide, high = rng.uniform(0.5, 2, 4), rng.uniform(0.5, 2, 4)
check("six samples, four neurons", batch_norm(sums, wide, high))
check("as many samples as neurons", batch_norm(sums[:4], wide, high))
faint = rng.normal(0, 0.01, (5, 2))
check("faint sums, another eps", batch_norm(faint, wide[:2], high[:2], eps=1e-3))
normal = batch_norm(sums, wide, high)
check("the sums, gamma and beta stay", (normal, sums, wide, high))
### END HIDDEN TESTS


# %% mistakes="batch_norm"
def normalises_each_sample(x, gamma, beta, eps=1e-5):
    """You normalise each sample over its neurons. Normalise each neuron, a column, over the
    samples of the batch: axis 0."""
    mean, variance = x.mean(axis=1, keepdims=True), x.var(axis=1, keepdims=True)
    return gamma * (x - mean) / np.sqrt(variance + eps) + beta


def one_mean_for_all_neurons(x, gamma, beta, eps=1e-5):
    """You use one mean and one variance for all neurons. Each column has its own."""
    return gamma * (x - x.mean()) / np.sqrt(x.var() + eps) + beta


def divides_by_n_minus_one(x, gamma, beta, eps=1e-5):
    """Your variance is divided by N - 1. Here it is divided by N."""
    return gamma * (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0, ddof=1) + eps) + beta


def forgets_the_root_of_the_variance(x, gamma, beta, eps=1e-5):
    """You divide by the variance. Divide by its square root."""
    return gamma * (x - x.mean(axis=0)) / (x.var(axis=0) + eps) + beta


def adds_eps_to_the_deviation(x, gamma, beta, eps=1e-5):
    """You add eps to the deviation. It belongs under the root, to the variance."""
    return gamma * (x - x.mean(axis=0)) / (x.std(axis=0) + eps) + beta


def ignores_eps(x, gamma, beta, eps=1e-5):
    """The argument eps changes nothing in your function, so a neuron that never changes
    gives 0/0."""
    with np.errstate(all="ignore"):
        return gamma * (x - x.mean(axis=0)) / x.std(axis=0) + beta


def forgets_gamma_and_beta(x, gamma, beta, eps=1e-5):
    """The sums are standardised. Then each neuron gets its own deviation gamma and mean
    beta."""
    return (x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + 0 * beta


def scales_beta_too(x, gamma, beta, eps=1e-5):
    """You add beta first and then multiply. gamma comes first, beta last."""
    return gamma * ((x - x.mean(axis=0)) / np.sqrt(x.var(axis=0) + eps) + beta)


def normalises_in_place(x, gamma, beta, eps=1e-5):
    """You changed the sums that you were given. Make a new array."""
    deviation = np.sqrt(x.var(axis=0) + eps)
    x -= x.mean(axis=0)
    x *= gamma / deviation
    x += beta
    return x


# %% check="running" points=1
check("a step with momentum 0.9", running(np.array([1.0, 2.0]), np.array([3.0, -2.0])))
check("a step with momentum 0.5", running(np.ones(2), np.array([3.0, 0.0]), 0.5))
### BEGIN HIDDEN TESTS
rng = check.rng()
so_far, of_batch = rng.normal(size=(2, 5))
check("a step from chance, and what was given", (running(so_far, of_batch), so_far))
check("another momentum", running(so_far, of_batch, momentum=rng.uniform(0.6, 0.8)))
### END HIDDEN TESTS


# %% mistakes="running"
def swaps_the_shares(mean, batch_mean, momentum=0.9):
    """You take most of the new mean and little of the old one. The momentum is the share of
    the old one."""
    return (1 - momentum) * mean + momentum * batch_mean


def takes_the_plain_mean(mean, batch_mean, momentum=0.9):
    """You take half of each, whatever the momentum says."""
    return (mean + batch_mean) / 2


def ignores_the_momentum(mean, batch_mean, momentum=0.9):
    """The argument momentum changes nothing in your function."""
    return 0.9 * mean + 0.1 * batch_mean


def adds_the_whole_new_mean(mean, batch_mean, momentum=0.9):
    """You add the new mean as a whole. The two shares add up to 1."""
    return momentum * mean + batch_mean


def moves_the_old_mean(mean, batch_mean, momentum=0.9):
    """You changed the old mean itself. Return a new array."""
    mean *= momentum
    mean += (1 - momentum) * batch_mean
    return mean


# %% [markdown]
# The ten layers once more, each with your `batch_norm`. All three lines lie on
# one another: the size of the weights no longer matters.


# %%
def normalised(sums):
    """The sums through batch normalisation, each neuron to mean 0 and deviation 1."""
    return batch_norm(sums, np.ones(100), np.zeros(100))


draw_spreads({size: spreads(size, normalised) for size in as_they_come})

# %% [markdown]
# This is why batch normalisation stands in the recipe below. With it the
# learning rate may be ten times larger, because a step that doubles all
# weights of a neuron changes nothing. Leaving it out costs our network 18
# points. (Why it helps as much as it does is still debated.) And does Keras
# compute the same?

# %%
sums = np.random.default_rng(1).normal(2, 3, (64, 5)).astype("float32")
layer = layers.BatchNormalization(momentum=0.9, epsilon=1e-5)
by_keras = keras.ops.convert_to_numpy(layer(sums, training=True))
by_hand = batch_norm(sums, np.ones(5), np.zeros(5))
print("largest difference of the outputs:", np.abs(by_keras - by_hand).max())
kept = keras.ops.convert_to_numpy(layer.moving_mean)
print("Keras's running mean:", kept)
print("yours               :", running(np.zeros(5), sums.mean(axis=0)))

# %% [markdown]
# ### Neurons that are left out
#
# [**Dropout**](../glossary.md#dropout) is a remedy against learning by heart.
# In each training step every neuron is silenced with the probability `rate`,
# by chance. So no neuron can rely on one particular other one, and each has
# to be of use on its own. What is left is multiplied by $1 / (1 -
# \text{rate})$: the next layer then gets, on average, the sum that it gets
# with all neurons. In prediction nothing is left out.
#
# ### Exercise: `dropout`


# %% solution="dropout"
def dropout(x, rate, rng):
    """Dropout as in training: some elements become 0, the others grow.

    x: float array of any shape; it is not changed. rate: the probability of
    becoming 0, at least 0 and below 1. rng: a NumPy generator. Keep an element
    where `rng.random(x.shape) >= rate`, and multiply it by 1 / (1 - rate).
    Returns an array of the shape of x.
    """
    ### BEGIN SOLUTION
    kept = rng.random(x.shape) >= rate
    return x * kept / (1 - rate)
    ### END SOLUTION


# %% check="dropout" points=2
def dropped(x, rate, seed):
    return dropout(x, rate, np.random.default_rng(seed))


ten = np.arange(1.0, 11.0)
check("one in four is dropped, of ten", dropped(ten, 0.25, seed=1))
check("a rate of zero", dropped(ten, 0.0, seed=1))
### BEGIN HIDDEN TESTS
rng = check.rng()
seed, table = int(rng.integers(10, 10_000)), rng.uniform(1, 2, (8, 12))
check("a table, a rate of 0.3", dropped(table, 0.3, seed))
check(
    "more is dropped, of a cube, and x stays", (dropped(table[None], 0.7, seed), table)
)
### END HIDDEN TESTS


# %% mistakes="dropout"
def does_not_scale(x, rate, rng):
    """What you keep stays as it was, so the next layer gets less while training than in
    prediction. Multiply it by 1 / (1 - rate)."""
    return x * (rng.random(x.shape) >= rate)


def keeps_what_should_go(x, rate, rng):
    """You keep what should be dropped: `rate` is the share that becomes 0."""
    return x * (rng.random(x.shape) < rate) / (1 - rate)


def divides_by_the_rate(x, rate, rng):
    """You divide by the rate. Divide by the share that is kept, 1 - rate."""
    return x * (rng.random(x.shape) >= rate) / (rate or 1)


def multiplies_by_what_is_kept(x, rate, rng):
    """You make what is kept smaller. The next layer gets fewer numbers, so they must grow."""
    return x * (rng.random(x.shape) >= rate) * (1 - rate)


def one_draw_for_a_column(x, rate, rng):
    """You drop whole columns. Draw a number for each element: rng.random(x.shape)."""
    return x * (rng.random(x.shape[-1]) >= rate) / (1 - rate)


def draws_elsewhere(x, rate, rng):
    """Your numbers do not come from `rng`, so nobody can repeat what you did."""
    return x * (np.random.default_rng(0).random(x.shape) >= rate) / (1 - rate)


def drops_in_place(x, rate, rng):
    """You changed the array that you were given. Make a new one."""
    x[rng.random(x.shape) < rate] = 0
    x /= 1 - rate
    return x


# %% tags=["folded"]
# Draws what dropout leaves, and how much the next layer's sum scatters.
rng = np.random.default_rng(3)
answers_of_100 = rng.uniform(0, 1, 100)
fig, axes = plt.subplots(1, 2, figsize=(9, 2.6), layout="constrained")
axes[0].imshow(dropout(np.ones((12, 30)), 0.5, rng), cmap="gray", vmin=0, vmax=2)
axes[0].set(title="360 ones, rate 0.5: black is 0, white is 2", xticks=[], yticks=[])
for rate, colour in ((0.5, plots.VERMILION), (0.2, plots.BLUE)):
    totals = [np.sum(dropout(answers_of_100, rate, rng)) for _ in range(1000)]
    axes[1].hist(totals, bins=30, color=colour, alpha=0.6, label=f"rate {rate}")
axes[1].axvline(answers_of_100.sum(), color=plots.INK, label="nothing dropped")
axes[1].set(title="what the next layer gets, 1,000 times", yticks=[])
axes[1].legend()
plt.show()

# %% [markdown]
# The mean is right and the noise is large: dropout trades speed for honesty.
# Our own network below does without. Six epochs are too few to learn anything
# by heart, and a batch's mean brings some noise already. In a training of
# thirty epochs, or in front of large dense layers, dropout is worth a try.
#
# **Think.** Both layers behave otherwise in prediction than in training. What
# would go wrong if they did not?
#
# <details><summary>One answer</summary>
#
# With batch normalisation a picture's answer would depend on which pictures
# happen to be in the same batch, and a batch of one would always give
# $\beta$. With dropout the same picture would get another answer each time. So
# the layers have to be told: Keras passes `training=True` in `fit` and `False`
# in `predict`.
# </details>
#
# ## 9. Your network
#
# Now build your own, and train it on all pictures. Here are ingredients that
# have proved themselves; each answers to something you have seen above.
#
# | ingredient | in Keras | why |
# |---|---|---|
# | pixels scaled inside | `Rescaling(1 / 127.5, offset=-1)` | takes raw pictures: training and use cannot disagree |
# | 3x3 filters, padded | `Conv2D(f, 3, padding="same", use_bias=False)` | see section 5 |
# | batch normalisation | `BatchNormalization(momentum=0.9)` | section 8; larger steps, faster |
# | ReLU | `ReLU()` | after the normalisation |
# | pool early | `MaxPooling2D(2)` | a quarter of the places, a quarter of the time |
# | more filters as maps shrink | 32, 64, 128 | the time stays even, the features get richer |
# | mean of each map | `GlobalAveragePooling2D()` | in place of the huge first dense layer |
# | dropout | `Dropout(0.2)` | section 8; before the last layer, where the training is long |
# | softmax | `Dense(10, activation="softmax")` | ten probabilities |
#
# In a convolutional layer, batch normalisation works on each channel: over
# all pictures of the batch and all places of the map. Its offset $\beta$ makes
# the convolution's bias superfluous (`use_bias=False`).
#
# Conv, pooling, normalisation, ReLU, in this order, make one *block*. Three
# to six blocks are plenty. Not each of them needs its pooling: 32 pixels can
# be halved five times at most.
#
# ### Exercise: `build_best`
#
# The exercise is graded by what your trained network recognises in pictures
# that it has never seen. You may try as much as you like; choose by the
# **validation** accuracy.
#
# | what | points | at home: validation pictures | at grading: 200 drawn shapes |
# |---|---|---|---|
# | a network of the right form | 2 | | |
# | the 1st step | 1.2 | 50 % | 30 % |
# | the 2nd step | 1.2 | 60 % | 40 % |
# | the 3rd step | 1.2 | 70 % | 50 % |
# | the 4th step | 1.2 | 75 % | 57 % |
# | the 5th step: past the deck's run | 1.2 | 79.3 % | 70 % |
#
# At grading the whole notebook runs with a small set of drawn pictures, so
# that it takes seconds. There your network must learn from 540 pictures:
# batch normalisation and few parameters help with that too.


# %% solution="build_best"
def build_best():
    """Build your own network for CIFAR-10, uncompiled.

    Input: raw pictures (N, 32, 32, 3), uint8 or float from 0 to 255; the
    network's first layer scales them. Output: (N, 10) probabilities.
    At most 2,000,000 parameters, so that two cores can train it.
    Returns a new, untrained keras.Model at each call.
    """
    ### BEGIN SOLUTION
    stack = [layers.Input((32, 32, 3)), layers.Rescaling(1 / 127.5, offset=-1)]
    for filters, pooled in ((32, True), (64, True), (128, True), (256, False)):
        stack.append(layers.Conv2D(filters, 3, padding="same", use_bias=False))
        if pooled:
            stack.append(layers.MaxPooling2D(2))
        stack.append(layers.BatchNormalization(momentum=0.9, scale=False))
        stack.append(layers.ReLU())
    stack += [layers.GlobalAveragePooling2D(), layers.Dense(10, activation="softmax")]
    return keras.Sequential(stack, name="best_cnn")
    ### END SOLUTION


# %% [markdown]
# ### Training it
#
# The settings below are our recommendation: they were tuned so that two cores
# of a fast machine get the most out of two minutes. They are yours to change.
# With `minutes=3` the training takes as many of the `epochs` as fit into three
# minutes, draws the rate's course over just these, and says how many. If you
# build a network **without** batch normalisation, begin with a learning rate
# ten times smaller.
#
# What you have built is used. Your `learning_rate` is the schedule, your `crop`
# moves the pictures, your `augment` varies them in the long training of the
# profile `full` (section 12 says how to start that), and your `early_stop`
# judges the result. `clip_norm` does what your `clip` does; behind the training
# you see it. (Where one of the first three does not work yet, or gives what
# does not fit, the kit's own takes its place, and a line says so.)
#
# [*Label smoothing*](../glossary.md#label-smoothing) takes a tenth of each
# target and spreads it over all ten classes. So the network is asked for 91 %
# certainty of the right class and 1 % of each other one, and need not push
# its weights to extremes.
#
# [**bfloat16**](../glossary.md#bfloat16) is what the first line may say. A
# usual number, *float32*, takes 32 bits: one for the sign, 8 for the
# exponent, 23 for the digits. bfloat16 keeps the sign and the 8 bits of the
# exponent, so it reaches as far, and cuts the digits down to 7 bits. That
# leaves two to three decimal digits: 1.00 and 1.01 differ, 1.001 is 1. Newer
# processors multiply twice as many of these at a time, and half as much has
# to come from memory. The network's sums are noisy anyway, so rounding them
# does no harm. Its weights stay float32: a step of a thousandth of a weight
# would be rounded away.
#
# What our network reaches on the test pictures of CIFAR-10:
#
# | epochs | one look | where |
# |---|---|---|
# | 6 | 81 % | under two minutes where the first line says *in bfloat16*: past the deck's run |
# | 3 | 77 % | three minutes on two idle cores without bfloat16 |
# | 2 | 74 % | what may be left where other programs share the processor |
#
# There, more minutes buy the missing points: the line under the first one says
# how many all epochs need. (Measured with the one-cycle rate and no clipping.)


# %%
print("in bfloat16:", *(float(keras.ops.cast(v, "bfloat16")) for v in (1.01, 1.001)))

# %% [markdown]
# Augmentation is a light one here: moves by up to two pixels, and mirror
# images. In a training as short as this one a network has no time to learn
# from stronger variants. Put `augment` in its place for a longer one; the
# profile `full` does so.


# %%
def working(mine, ours, fits):
    """`mine` where what it gives fits, else `ours`, with a line about it."""
    try:
        why = "" if fits(mine) else "what it gives does not fit"
    except Exception as error:
        why = type(error).__name__
    if why:
        print(f"{mine.__name__}: {why}; the kit's own is used instead")
    return ours if why else mine


def gives_pictures(function):
    """Whether pictures come back in the shape and dtype in which they came."""
    some = d.train_images[:64]
    made = np.asarray(function(some.copy(), np.random.default_rng(1)))
    return made.shape == some.shape and made.dtype == some.dtype


def gives_rates(function):
    """Whether it gives a rate from 0 to the peak in the middle of each step."""
    rates = [function(step + 0.5, 200, 0.01) for step in range(200)]
    rates = np.array([np.asarray(rate, float).item() for rate in rates])
    return bool(np.all(rates >= 0)) and 0.001 < rates.max() <= 0.0101


def light_augment(images, rng):
    """Move each picture by up to 2 pixels with `crop`, mirror half of them."""
    count, size = images.shape[:2]
    padded = np.pad(images, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="reflect")
    moved = crop(padded, rng.integers(0, 5, count), rng.integers(0, 5, count), size)
    return training.random_flip(np.asarray(moved), rng)


def given_augment(images, rng):
    """The same from the kit."""
    return training.random_flip(training.random_shift(images, rng), rng)


epochs, batch_size = profile.pick(quick=(6, 256), full=(40, 256), grading=(12, 32))
if d.stand_in and profile.name() != "grading":
    epochs, batch_size = 4, 64  # few pictures, easily learned: small batches

# %%
light = working(light_augment, given_augment, gives_pictures)
varied = light
if profile.name() == "full":
    varied = working(augment, light, gives_pictures)
settings = dict(
    epochs=epochs,
    minutes=profile.pick(quick=3, full=None),  # fewer epochs where they take longer
    batch_size=batch_size,
    optimizer="adam",
    learning_rate=0.01,
    schedule=working(learning_rate, "one-cycle", gives_rates),
    clip_norm=1.0,
    weight_decay=0.02,
    label_smoothing=0.1,
    augment=varied,
)

# %%
keras.utils.set_random_seed(5)
order = np.random.default_rng(5).permutation(len(d.train_images))
share = profile.pick(quick=50, full=50, grading=10)
held_out, taught = np.split(order, [len(order) // share])  # one in 50 for validation

best = build_best()
history = training.fit(
    best,
    d.train_images[taught],
    d.train_labels[taught],
    validation=(d.train_images[held_out], d.train_labels[held_out]),
    title=d.title("Your network"),
    **settings,
)
history

# %% [markdown]
# Read the curves. Is the validation accuracy still rising at the end? Then
# more epochs, or a larger network, would help. Is the training accuracy far
# above it? Then it learns by heart: stronger augmentation, more weight decay,
# fewer parameters. Note that the training accuracy is measured on augmented
# pictures *while* the network still changes, so it may well be the lower one.
# And what says your `early_stop`?

# %%
stop, best_epoch = early_stop(history.column("val_loss"), 3)
print(
    f"With patience 3: {stop} of {len(history.rows)} epochs, the best is {best_epoch}"
)

# %% [markdown]
# Where the rate falls to 0 at the end, the last epochs are nearly always the
# best, and stopping early would throw them away. Patience is for trainings at
# a constant rate, and for those that learn by heart.
#
# And your `clip`? Here are the gradients of one batch, for your network as it
# begins and as it is now. Where their global norm is above 1, `clip_norm=1.0`
# has shortened such gradients. Does yours make the same of them?


# %%
def gradients_of(model, pictures, labels):
    """The gradients of a batch, shown by a step of a copy with the rate 1."""
    copy = keras.models.clone_model(model)
    copy.set_weights(model.get_weights())
    sgd = keras.optimizers.SGD(1.0)
    copy.compile(optimizer=sgd, loss="sparse_categorical_crossentropy")
    before = [keras.ops.convert_to_numpy(v).copy() for v in copy.trainable_variables]
    copy.train_on_batch(pictures, labels)
    after = [keras.ops.convert_to_numpy(v) for v in copy.trainable_variables]
    return [old - new for old, new in zip(before, after, strict=True)]


def agree(mine, theirs):
    """Whether two lists hold the same arrays, but for rounding."""
    try:
        pairs = zip(mine, theirs, strict=True)
        return all(np.allclose(one, other, atol=1e-5) for one, other in pairs)
    except (TypeError, ValueError):
        return False


one_batch = d.train_images[taught[:batch_size]], d.train_labels[taught[:batch_size]]
for when, network_then in (("untrained", build_best()), ("trained", best)):
    found = gradients_of(network_then, *one_batch)
    norm = np.sqrt(sum(np.sum(np.square(part)) for part in found))
    same = agree(clip(found, 1.0), clipped_by_keras(found, 1.0))
    print(f"{when:9}  global norm {norm:.2f}, yours clips it as Keras does: {same}")

# %% [markdown]
# From here on, look at the **validation** pictures as often as you like. The
# test pictures wait until section 13.

# %%
judged, truth = d.train_images[held_out], d.train_labels[held_out]
probabilities = training.predict(best, judged)
both = training.predict(best, judged, flips=True)
print(d.title("Validation accuracy"))
for looks, said in (("one look", probabilities), ("with the mirror image", both)):
    print(f"  {looks:24} {np.mean(said.argmax(axis=1) == truth):.1%}")

# %% [markdown]
# The second line is a free gift: the network sees each picture and its mirror
# image, and the two answers are averaged. Their errors differ a little, and
# partly cancel out.

# %% check="build_best" points=8
fresh = build_best()
raw = np.random.default_rng(7).integers(0, 256, (3, 32, 32, 3)).astype("uint8")
answer = keras.ops.convert_to_numpy(fresh(raw, training=False))
check("ten numbers for each picture", np.shape(answer))
check("they add up to one", np.sum(answer, axis=1), rtol=1e-3)
check("at most 2,000,000 parameters", fresh.count_params() <= 2_000_000)
# At home on validation pictures, so that you can look as often as you like.
at_home = d.train_images[held_out], d.train_labels[held_out]
shown, answers = profile.pick(
    quick=at_home, full=at_home, grading=(d.test_images, d.test_labels)
)
predicted = training.predict(best, shown)
check.predictions(
    "accuracy, 1st step",
    predicted,
    answers,
    at_least=profile.pick(quick=0.50, full=0.50, grading=0.30),
    weight=3,
)
check.predictions(
    "accuracy, 3rd step",
    predicted,
    answers,
    at_least=profile.pick(quick=0.70, full=0.70, grading=0.50),
    weight=3,
)
### BEGIN HIDDEN TESTS
check("a new network at each call", build_best() is not build_best())
check.predictions(
    "accuracy, 2nd step",
    predicted,
    answers,
    at_least=profile.pick(quick=0.60, full=0.60, grading=0.40),
    weight=3,
)
check.predictions(
    "accuracy, 4th step",
    predicted,
    answers,
    at_least=profile.pick(quick=0.75, full=0.75, grading=0.57),
    weight=3,
)
check.predictions(
    "accuracy, 5th step",
    predicted,
    answers,
    at_least=profile.pick(quick=0.793, full=0.793, grading=0.70),
    weight=3,
)
rng = check.rng()
whole = rng.integers(0, 256, (int(rng.integers(3, 90)), 32, 32, 3)).astype("uint8")
answer, dim = [
    keras.ops.convert_to_numpy(fresh(pictures, training=False))
    for pictures in (whole, whole.astype("float32"))
]
alike = bool(np.allclose(dim, answer, atol=1e-3))
small_enough = bool(fresh.count_params() <= 2_000_000)
form = (np.shape(answer)[1:], np.sum(answer, axis=1), small_enough, alike)
check(
    "its form with other pictures; decimal numbers from 0 to 255 give the same",
    np.sum(answer, axis=1)
    if np.shape(answer)[1:] == (10,) and small_enough and alike
    else form,
    rtol=1e-3,
)
### END HIDDEN TESTS


# %% mistakes="build_best"
def raw_scores():
    """Your network's outputs do not add up to 1: its last layer needs activation="softmax"."""
    return keras.Sequential(
        [layers.Input((32, 32, 3)), layers.GlobalAveragePooling2D(), layers.Dense(10)]
    )


def hundred_classes():
    """CIFAR-10 has ten classes; your last layer has another number of outputs."""
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.GlobalAveragePooling2D(),
            layers.Dense(100, activation="softmax"),
        ]
    )


def too_large():
    """Your network has more than 2,000,000 parameters. Most of them sit in the first dense
    layer: use GlobalAveragePooling2D instead of Flatten."""
    return keras.Sequential(
        [
            layers.Input((32, 32, 3)),
            layers.Flatten(),
            layers.Dense(1024, activation="relu"),
            layers.Dense(10, activation="softmax"),
        ]
    )


# %% [markdown]
# ### What each idea is worth
#
# We trained our network on CIFAR-10 with the recipe above, and then left out
# one idea at a time. Each row is one training of six epochs with the same
# seed, the accuracy that of the mean over each test picture and its mirror
# image:
#
# | left out | test accuracy |
# |---|---|
# | nothing | 82.2 % |
# | batch normalisation (and a peak rate of 0.001, as advised above) | 64.3 % |
# | the changing rate (0.001 for all steps) | 77.4 % |
# | the mirror images of test pictures | 81.1 % |
# | label smoothing | 81.5 % |
# | moves and mirror images in the training | 81.7 % |
# | scaling (pixels from 0 to 255) | 82.0 % |
# | weight decay | 82.2 % |
# | bfloat16 (float32 in its place) | 82.3 %, in 1.4 times the time |
#
# (These trainings had the one-cycle rate, and no clipping.) An accuracy on
# 10,000 test pictures has a standard error of 0.4 points, the difference of two
# such accuracies one of about 0.55, and another seed moves each of them too. So
# the last five rows, with differences of 0.7 points or less, may be chance.
# That is no reason to leave these ideas out for good. A training of six epochs
# has no time to learn by heart, which moves, weight decay and label smoothing
# work against; batch normalisation makes up for pixels that are not scaled.
# That batch normalisation and the changing rate are worth so much is why a
# short training works at all.
#
# ### A question on your design
#
# Describe your network and how you came to it: the first version, **one**
# change that you tried, what you expected of it, and what the validation
# accuracy said, with numbers. Name the loss or accuracy curves' part that
# made you decide.

# %% [markdown] manual="design" points=3
# **Rubric**
#
# - 1 point: network described so that it could be built anew (layers, sizes),
#   and not simply a network of `labkit.models` or a copy of section 4 or 5.
# - 1 point: one change at a time, with a reason that follows from this lab
#   (gap between the curves, cost, receptive field ...), and validation
#   numbers before and after.
# - 1 point: a sound conclusion: says whether the difference is larger than
#   chance (1,000 validation pictures at 80 % have a standard error of 1.3
#   percentage points; another seed also moves the result), and did not choose
#   by the test pictures.
#
# **Model answer.** I began with three blocks of 32, 64 and 128 filters, each
# with pooling. To save time I compared after two epochs: validation accuracy
# 65.1 % and 67.5 % with two seeds, training accuracy the same. So it learned
# nothing by heart, and I expected that it was too small. I added one block of
# 256 filters without pooling: 72.0 % and 70.3 %. All four were measured on
# the same 1,000 pictures; chance is about 1.5 points, and both new values lie
# above both old ones, by some five points on average. I kept the block, and
# trained it for seven epochs: 81.4 %.

# %% [markdown]
# ## 10. What does it confuse?
#
# One number hides a lot. A network with 80 % may know 95 % of the ships and
# 60 % of the cats.
#
# ### Exercise: `class_accuracy`
#
# For each class: what share of **its** pictures is recognised?


# %% solution="class_accuracy"
def class_accuracy(labels, predicted, classes):
    """The share of each class's pictures that is recognised.

    labels, predicted: int arrays (N,), the true and the predicted classes.
    classes: their number C. Returns a float array (C,), from 0 to 1; nan for
    a class that has no pictures, without a warning.
    """
    ### BEGIN SOLUTION
    labels, predicted = np.asarray(labels), np.asarray(predicted)
    total = np.bincount(labels, minlength=classes)
    right = np.bincount(labels[labels == predicted], minlength=classes)
    return np.where(total > 0, right / np.maximum(total, 1), np.nan)
    ### END SOLUTION


# %% check="class_accuracy" points=2
true = np.array([0, 0, 0, 1, 1, 2])
said = np.array([0, 0, 1, 1, 2, 2])
check("accuracy of three classes", class_accuracy(true, said, 3))
check("nothing is right", class_accuracy(np.array([0, 1]), np.array([1, 0]), 2))
### BEGIN HIDDEN TESTS
check("a class without pictures", class_accuracy(np.array([0, 2]), np.array([0, 0]), 4))
rng = check.rng()
true, said = rng.integers(0, 5, (2, 200))
said = np.where(rng.random(200) < 0.6, true, said)
check("five classes", class_accuracy(true, said, 5))
numbers = rng.permutation(7)  # two of them have no pictures
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    shares = class_accuracy(numbers[true], numbers[said], 7)
texts = [str(warning.message) for warning in caught]
check("no warning for an empty class", (texts, shares) if texts else shares)
### END HIDDEN TESTS


# %% mistakes="class_accuracy"
def of_the_predicted(labels, predicted, classes):
    """You divide by how often each class was predicted. That is its precision; divide by
    how many pictures the class has."""
    total = np.bincount(predicted, minlength=classes)
    right = np.bincount(labels[labels == predicted], minlength=classes)
    return np.where(total > 0, right / np.maximum(total, 1), np.nan)


def of_all_pictures(labels, predicted, classes):
    """You divide by the number of all pictures. Divide by those of the class."""
    return np.bincount(labels[labels == predicted], minlength=classes) / len(labels)


def right_or_wrong_anywhere(labels, predicted, classes):
    """You count a picture of another class as right where neither label nor answer is
    this class. Look at the class's own pictures only."""
    return np.array(
        [np.mean((labels == c) == (predicted == c)) for c in range(classes)]
    )


def empty_counts_as_zero(labels, predicted, classes):
    """A class without pictures gets 0, as if all its pictures were wrong. Nobody knows:
    it is nan."""
    total = np.maximum(np.bincount(labels, minlength=classes), 1)
    return np.bincount(labels[labels == predicted], minlength=classes) / total


def counts_not_shares(labels, predicted, classes):
    """You return how many are right. Divide by the number of the class's pictures."""
    return np.bincount(labels[labels == predicted], minlength=classes).astype(float)


def divides_by_nothing(labels, predicted, classes):
    """For a class without pictures you compute the mean of nothing, which warns. Ask for
    the number first."""
    return np.array([np.mean(predicted[labels == c] == c) for c in range(classes)])


# %%
predicted = both.argmax(axis=1)
shares = np.array(class_accuracy(truth, predicted, len(d.class_names)))

# %% tags=["folded"]
# Draws the accuracy of each class.
ranking = np.argsort(shares)
fig, axes = plt.subplots(figsize=(9, 3), layout="constrained")
bars = axes.barh(np.array(d.class_names)[ranking], shares[ranking], color=plots.BLUE)
axes.bar_label(
    bars,
    labels=[f"{share:.0%}" for share in shares[ranking]],
    padding=3,
    bbox={"facecolor": "white", "edgecolor": "none", "pad": 1},  # over the line
)
axes.axvline(
    shares.mean(), color=plots.VERMILION, zorder=0, label="mean of the classes"
)
axes.set(title=d.title("Accuracy of each class"), xlim=(0, 1.08), xticks=[])
axes.legend(loc="lower left", bbox_to_anchor=(0.7, 1))
plt.show()

# %%
counts = np.zeros((10, 10), int)
np.add.at(counts, (truth, predicted), 1)
plots.confusion_matrix(
    counts, d.class_names, normalise=True, title=d.title("What is taken for what")
)

# %%
plots.misclassified(
    judged,
    truth,
    both,
    d.class_names,
    title=d.title("The surest mistakes"),
)

# %% [markdown]
# With CIFAR-10, look closely at the first few: who is right, the network or
# the label? Some labels in this famous data set are wrong.
#
# ### A question on errors
#
# Look at the three figures. Which pair of classes is confused most, and in
# which direction more often? Look at some of the pictures: what do the two
# have in common **for a network that sees 32x32 pixels**? Propose one change
# (to the data, the network or the training) that could separate this pair
# better, and say how you would find out whether it did.

# %% [markdown] manual="errors" points=2
# **Rubric**
#
# - 1 point: names the pair from the matrix, with both numbers, and a reason
#   that fits the pictures: shape and pose, ground and colour, or detail lost
#   at this resolution; not only "they look alike".
# - 1 point: a change with a mechanism (for example less pooling early, so
#   that small detail survives; more training pictures of the two classes;
#   larger pictures), and a test: same seed and settings, this pair's cells on
#   validation pictures, several seeds.
#
# **Model answer.** Cat and dog: 13 % of the cats are called dogs and 13 % of
# the dogs cats. Both are furry, four-legged, brown, grey or white, in the
# same rooms; what tells them apart, muzzle and ears, is some five pixels
# large. I would pool after the second convolution instead of the first, so
# that more filters see the full resolution, train both versions with three
# seeds, and compare the two cells on the validation pictures.

# %% [markdown]
# ## 11. A look inside
#
# ### The first filters
#
# The filters of the first layer work on colours, so they can be drawn as
# colour pictures. (Deeper filters have 32 or more channels and cannot.) Each
# is stretched to the full range of colours.


# %%
def first_convolution(model):
    """The model's first convolution layer."""
    return next(layer for layer in model.layers if isinstance(layer, layers.Conv2D))


kernels = keras.ops.convert_to_numpy(first_convolution(best).kernel)  # (k, k, 3, F)
kernels = np.moveaxis(kernels, -1, 0)
lowest = kernels.min(axis=(1, 2, 3), keepdims=True)
highest = kernels.max(axis=(1, 2, 3), keepdims=True)
plots.filters(
    (kernels - lowest) / (highest - lowest),
    title=d.title("The filters of the first layer"),
)

# %% [markdown]
# You may find edges in several directions, and spots of one colour against
# its opposite. Nobody put them there: lab 02's edge filters, learned.
#
# ### The feature maps
#
# What does a layer make of a picture? To see it, build a second model with
# the same input, the same layers and the same weights, whose **output** is
# the layer you want:
#
# ```python
# keras.Model(model.inputs[0], model.get_layer("pool1").output)
# ```
#
# It computes nothing that the first one did not; it only stops earlier.
# (`model.inputs` is a list; our networks have one input.) Call it as a
# function, `part(images, training=False)`, and turn the answer into a NumPy
# array with `keras.ops.convert_to_numpy`; or use its `predict` method, which
# does both.
#
# ### Exercise: `activations`


# %% solution="activations"
def activations(model, images, layer):
    """What a layer of a model puts out for some pictures.

    model: a keras.Model. images: array (N, H, W, C), as the model takes them.
    layer: the layer's name. Returns the layer's output as a NumPy array, as
    in prediction (not in training): (N, ...). The model is not changed.
    """
    ### BEGIN SOLUTION
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    return keras.ops.convert_to_numpy(part(images, training=False))
    ### END SOLUTION


# %% check="activations" points=2
little = keras.Sequential(
    [
        layers.Input((6, 6, 1)),
        layers.Conv2D(2, 3, activation="relu", name="first"),
        layers.BatchNormalization(name="norm"),
        layers.MaxPooling2D(2, name="pooled"),
        layers.Conv2D(3, 2, name="second"),
        layers.GlobalAveragePooling2D(name="means"),
    ]
)
draw = np.random.default_rng(7)
little.set_weights(
    [draw.uniform(0.5, 1.5, w.shape) - (len(w.shape) > 1) for w in little.weights]
)
pictures = draw.normal(size=(2, 6, 6, 1)).astype("float32")
check("the first layer", activations(little, pictures, "first"), rtol=1e-3, atol=1e-5)
check("shape after pooling", np.shape(activations(little, pictures, "pooled")))
### BEGIN HIDDEN TESTS
check(
    "a layer in the middle", activations(little, pictures, "norm"), rtol=1e-3, atol=1e-5
)
check("the last layer", activations(little, pictures, "means"), rtol=1e-3, atol=1e-5)
check("it is a NumPy array", type(activations(little, pictures, "first")).__name__)
means = activations(little, pictures, "means")
after = keras.ops.convert_to_numpy(little(pictures, training=False))
check("the model gives the same as before", (means, after), rtol=1e-3, atol=1e-5)
rng = check.rng()
fresh = rng.normal(size=(2, 6, 6, 1)).astype("float32")
check(
    "other pictures after pooling",
    activations(little, fresh, "pooled"),
    rtol=1e-3,
    atol=1e-5,
)
check(
    "the first layer of other pictures",
    activations(little, fresh, "first"),
    rtol=1e-3,
    atol=1e-5,
)
check("a deep layer", activations(little, fresh, "second"), rtol=1e-3, atol=1e-5)
### END HIDDEN TESTS


# %% mistakes="activations"
def output_of_the_model(model, images, layer):
    """You return what the whole model puts out. Stop at the layer that was asked for."""
    return keras.ops.convert_to_numpy(model(images, training=False))


def weights_of_the_layer(model, images, layer):
    """You return the layer's weights. They are the same for every picture; wanted is what
    the layer makes of these pictures."""
    found = model.get_layer(layer).get_weights()
    return found[0] if found else None


def layer_without_those_before(model, images, layer):
    """You give the pictures straight to the layer. They first go through all layers
    before it."""
    return keras.ops.convert_to_numpy(model.get_layer(layer)(images))


def one_layer_early(model, images, layer):
    """You return the layer's input, one layer early."""
    part = keras.Model(model.inputs[0], model.get_layer(layer).input)
    return keras.ops.convert_to_numpy(part(images, training=False))


def as_in_training(model, images, layer):
    """You run the model with training=True: batch normalisation then uses the mean of
    these pictures, and changes its running means."""
    part = keras.Model(model.inputs[0], model.get_layer(layer).output)
    return keras.ops.convert_to_numpy(part(images, training=True))


# %%
index = np.argmax(both.max(axis=1) * (predicted == truth))  # a sure one
picture = judged[index]
name = d.class_names[truth[index]]
mapped = [layer.name for layer in best.layers if len(layer.output.shape) == 4]
maps = activations(best, picture[None], first_convolution(best).name)[0]
plots.feature_maps(maps, picture, title=d.title(f"{name}: after the first convolution"))

# %%
maps = activations(best, picture[None], mapped[-1])[0]
plots.feature_maps(
    maps[..., :32], picture, title=d.title(f"{name}: 32 of the last maps")
)

# %% [markdown]
# The first maps still show the picture: its edges, its light and dark, its
# colours. The last ones are coarse: each of their few places sees a large
# part of the picture, and says where something was found, no longer what it
# looked like. That is the way from pixels to meaning.

# %% [markdown]
# ### Where does it look?
#
# Feature maps show what a network *makes* of a picture. On what does its answer
# hang? The plainest way to find out: hide a part, and see what the answer
# loses. That is called [**occlusion**](../glossary.md#occlusion). Lay a grey
# square over one tile of the picture after the other. Where the label's
# probability falls, the network has seen something that speaks for the label;
# where it rises, something that spoke against it.
#
# $$\text{map}_{ij} = p(\text{label} \mid \text{picture}) -
# p(\text{label} \mid \text{picture with tile } i, j \text{ hidden})$$
#
# ### Exercise: `occlusion`


# %% solution="occlusion"
def occlusion(model, image, label, size):
    """How much a label's probability falls where a grey square hides the picture.

    model: a keras.Model that gives probabilities for a batch of pictures.
    image: (H, W, C), pixels from 0 to 255; it is not changed.
    label: the number of a class. size: the side of the square in pixels. The
    squares, 128 in all channels, lie side by side like tiles from the top left
    corner on. At the right and lower edge they end where the picture ends.
    Returns decimal numbers, one for each tile, rows of tiles from the top: the
    probability of `label` for the whole picture minus that with the tile hidden,
    as in prediction (not in training).
    """
    ### BEGIN SOLUTION
    height, width = image.shape[:2]
    tops, lefts = range(0, height, size), range(0, width, size)
    views = [image]
    for top in tops:
        for left in lefts:
            view = image.copy()
            view[top : top + size, left : left + size] = 128
            views.append(view)
    said = keras.ops.convert_to_numpy(model(np.stack(views), training=False))
    return (said[0, label] - said[1:, label]).reshape(len(tops), len(lefts))
    ### END SOLUTION


# %% check="occlusion" points=3
def onlooker(draw, height, width):
    """A small network for pictures of this size, with weights by chance.

    They are small, so that it is sure of no class: else hiding a tile changes nothing.
    """
    model = keras.Sequential(
        [
            layers.Input((height, width, 3)),
            layers.Rescaling(1 / 255),
            layers.Conv2D(3, 2, activation="relu"),
            layers.BatchNormalization(),
            layers.Flatten(),
            layers.Dense(3, activation="softmax"),
        ]
    )
    for weight in model.weights:
        shape = tuple(weight.shape)
        thin, spread = len(shape) < 2, 1 / np.sqrt(np.prod(shape[:-1]))
        weight.assign(
            draw.uniform(0.5, 1.5, shape) if thin else draw.normal(0, spread, shape)
        )
    return model


draw = np.random.default_rng(7)
small, picture = onlooker(draw, 6, 9), draw.integers(0, 256, (6, 9, 3)).astype("uint8")
check("tiles of 3 on 6x9 pixels", occlusion(small, picture, 1, 3), rtol=1e-2, atol=1e-4)
check("shape, tiles of 2", np.shape(occlusion(small, picture, 1, 2)))
### BEGIN HIDDEN TESTS
draw = check.rng()
small, fresh = (
    onlooker(draw, 7, 10),
    draw.integers(0, 256, (7, 10, 3)).astype("float32"),
)
maps = [occlusion(small, fresh, label, 3) for label in range(3)]
check("tiles of 3 on 7x10 pixels, for each label", maps, rtol=1e-2, atol=1e-4)
check(
    "smaller tiles, and the picture as it was",
    (occlusion(small, fresh, 2, 2), fresh),
    rtol=1e-2,
    atol=1e-4,
)
### END HIDDEN TESTS


# %% mistakes="occlusion"
def _hidden(model, image, size, grey=128, mend=True):
    """Probabilities of the picture and of each view, and the shape of the map."""
    height, width = image.shape[:2]
    tops, lefts = range(0, height, size), range(0, width, size)
    views, view = [image], image.copy()
    for top in tops:
        for left in lefts:
            view = image.copy() if mend else view.copy()
            view[top : top + size, left : left + size] = grey
            views.append(view)
    said = keras.ops.convert_to_numpy(model(np.stack(views), training=False))
    return said, (len(tops), len(lefts))


def rises_where_it_should_fall(model, image, label, size):
    """Your map has the wrong sign: it should be positive where hiding costs probability."""
    said, shape = _hidden(model, image, size)
    return (said[1:, label] - said[0, label]).reshape(shape)


def gives_what_is_left(model, image, label, size):
    """You give the probability that is left. Asked is how much it falls: the whole picture's
    minus that."""
    said, shape = _hidden(model, image, size)
    return said[1:, label].reshape(shape)


def hides_with_black(model, image, label, size):
    """Your square is black. Grey, 128, is neither dark nor bright, so it adds least of its
    own."""
    said, shape = _hidden(model, image, size, grey=0)
    return (said[0, label] - said[1:, label]).reshape(shape)


def hides_more_and_more(model, image, label, size):
    """Your squares stay where they were, so more and more is hidden. Begin with the whole
    picture for each tile."""
    said, shape = _hidden(model, image, size, mend=False)
    return (said[0, label] - said[1:, label]).reshape(shape)


def asks_for_the_likeliest(model, image, label, size):
    """You look at the class that the network names. Look at the one that was asked for."""
    said, shape = _hidden(model, image, size)
    best = said[0].argmax()
    return (said[0, best] - said[1:, best]).reshape(shape)


def fills_column_by_column(model, image, label, size):
    """Your tiles stand in the wrong places: the first row of the map comes first, from left
    to right."""
    said, shape = _hidden(model, image, size)
    return (said[0, label] - said[1:, label]).reshape(shape[::-1]).T


def leaves_the_rest_unhidden(model, image, label, size):
    """You left out the tiles that end at the edge. They are smaller, and count."""
    said, shape = _hidden(model, image, size)
    falls = (said[0, label] - said[1:, label]).reshape(shape)
    return falls[: image.shape[0] // size, : image.shape[1] // size]


def paints_on_the_picture(model, image, label, size):
    """The picture itself is grey afterwards. Work on a copy."""
    said, shape = _hidden(model, image, size)
    image[:] = 128
    return (said[0, label] - said[1:, label]).reshape(shape)


# %% tags=["folded"]
# Draws four right answers and four wrong ones, and what hiding each tile costs.
sure = both.max(axis=1)
surest = np.argsort(-sure, kind="stable")
right_ones = surest[(predicted == truth)[surest]][:4]
wrong_ones = surest[(predicted != truth)[surest]][:4]
looked_at = [*right_ones, *wrong_ones]
fig, axes = plt.subplots(2, 8, figsize=(9, 2.9), layout="constrained")
for axis in axes[:, len(looked_at) :].flat:  # fewer than four wrong answers
    axis.set_axis_off()
for (above, below), one in zip(axes.T, looked_at):
    falls = occlusion(best, judged[one], predicted[one], 4)
    reach = max(np.abs(falls).max(), 0.05)
    above.imshow(judged[one])
    below.imshow(falls, cmap="RdBu_r", vmin=-reach, vmax=reach)
    above.set_title(d.class_names[predicted[one]], size=8)
    for axis in (above, below):
        axis.set(xticks=[], yticks=[])
fig.suptitle(
    d.title(
        "First right answers, then wrong ones. Red: hiding it costs the answer most"
    )
)
plt.show()

# %% [markdown]
# Does red lie on the animal, or on the ground behind it? A ship that is
# recognised by its water is right for the wrong reason, and a bird on the
# water will be called a ship. Look at the wrong answers with this in mind. Each
# map is stretched to its own largest value, but at least to 0.05. So in a pale
# one no tile costs even that much: where many places speak for the answer, no
# single one is needed. Lab 06 finds the same by the gradient, in one pass.

# %% [markdown]
# ## 12. Extra: at full speed
#
# How soon can a network recognise 94 of 100 pictures, about as many as Andrej
# Karpathy got right by eye in 2011? In 2024 Keller Jordan got it below four
# seconds, on one large GPU. His network has no new kind of layer. It is a
# collection of small ideas, each of which saves some of the steps:
#
# | idea | why |
# |---|---|
# | **whitening**: the first layer is computed from the pictures and never trained | neighbouring pixels say nearly the same; the layer takes that out at once instead of learning to |
# | convolutions that begin by **passing on** their input | a deep network then starts as a shallow one, and each layer gets a useful gradient from the first step |
# | pooling right after the first convolution of a block | the others compute a quarter as much |
# | **biases 64 times as fast** as kernels | they are few, and settle soon |
# | **flips in turns** | tossing a coin shows many pictures the same way twice in a row; in turns, any two epochs in a row show both sides |
# | **lookahead** | late in the training the weights jitter around their course; their mean lies nearer to it |
# | a triangular rate, label smoothing | sections 7 and 9 |
# | **many looks** at a test picture | mirrored and moved by a pixel, then averaged, as in section 9 |
#
# What does each bring? A narrow version, trained once for two epochs, reached
# 78.3 %. Without passing on it reached 75.8 %, at one rate for all steps
# 76.1 %, with one look at each test picture 77.0 %. Pooling later changed
# little, and took 2.4 times the computing. Leaving out one of the others
# changed 0.6 points or less, which is chance in so short a training.
#
# `models.fast_cifar10_cnn` is this network, written from his paper. Look at
# the first idea. The left picture shows how alike the 12 numbers of a 2x2
# patch are (four pixels, three colours each; 1 means that one tells the
# other). The right one shows the same for the first layer's answers.

# %%
fast = models.fast_cifar10_cnn(d.train_images)
print(f"{fast.count_params():,} parameters")

# %% tags=["folded"]
# Draws how alike the numbers of a patch are, and how alike the answers to it.
(standard,) = standardise(d.train_images[:500])
kernel = fast.get_layer("whitening").get_weights()[0]
patches = np.lib.stride_tricks.sliding_window_view(standard, (2, 2), axis=(1, 2))
patches = np.moveaxis(patches, 3, -1).reshape(-1, 12)
answers = patches @ kernel[..., :12].reshape(12, 12)
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for axis, numbers, what in zip(
    axes, (patches, answers), ("numbers of a patch", "answers to it"), strict=True
):
    alike = np.corrcoef(numbers, rowvar=False)
    shown = axis.imshow(alike, cmap="RdBu_r", vmin=-1, vmax=1)
    axis.set(title=f"12 {what}", xticks=[], yticks=[])
fig.colorbar(shown, ax=axes, label="correlation")
fig.suptitle(d.title("What the first layer takes out"))
plt.show()

# %% [markdown]
# Training it takes a while: on two cores, twelve epochs took sixteen minutes
# and reached 90.8 % (three trainings: 90.7 to 90.8 %). A large GPU needs
# seconds. The next cell does it if you start the lab with
# `LABKIT_PROFILE=full`.

# %%
if profile.name() == "full":
    keras.utils.set_random_seed(5)
    fast_history = training.fit(
        fast,
        d.train_images,
        d.train_labels,
        epochs=12,
        batch_size=512,
        optimizer="sgd",
        learning_rate=0.5,
        schedule="triangular",
        weight_decay=0.01,
        label_smoothing=0.2,
        augment=training.random_shift,
        alternate_flips=True,
        lookahead=True,
        title=d.title("The fast network"),
    )
    looks = training.predict(fast, d.test_images, flips=True, shifts=1)
    right = np.mean(looks.argmax(axis=1) == d.test_labels)
    print(d.title(f"{right:.2%} after {fast_history.seconds:.0f} s"))


# %% [markdown]
# ## 13. Measure once
#
# You have looked at the validation pictures again and again, and chosen by
# them. So the best of your networks looks a little better there than it is.
# The test pictures are for one measurement, of the one network that you keep.
# Whoever goes on changing things afterwards and measures anew has made them
# validation pictures, too: what is known of them has got into the choice. That
# is [*leakage*](../glossary.md#leakage), the common mistake of the two friends
# in section 2. (The figures of section 9 break this rule: some of our settings
# were tried out on the test pictures. So expect a little less.)
#
# When you will change nothing more, put `True` here and run the next two
# cells.

# %%
finished = profile.name() == "grading"  # True, once you are

# %%
scores = {}
if finished:
    looks = {"test accuracy": False, "accuracy with mirror images": True}
    for kind, flips in looks.items():
        said = training.predict(best, d.test_images, flips=flips)
        scores[kind] = float(np.mean(said.argmax(axis=1) == d.test_labels))
        print(d.title(f"{kind}: {scores[kind]:.2%}"))
    if not d.stand_in:
        print("the tutorial's network after 15 hours, in the course's deck: 79.32%")
else:
    print("The test pictures have not been looked at yet.")

# %% [markdown]
# ## Keep your results
#
# The next cell writes down what your network reached. It keeps the network, too:
# lab 08 goes on with it.

# %%
scores |= {
    "validation accuracy with mirror images": float(np.mean(predicted == truth)),
    "seconds": round(history.seconds, 1),
    "parameters": best.count_params(),
    "data": d.source,
    "stand_in": d.stand_in,
}
Path("scores.json").write_text(json.dumps(scores, indent=1), encoding="utf-8")
if profile.name() != "grading":
    best.save(cache.place("networks", f"{d.name}-own.keras"))
scores

# %% [markdown]
# ## Summary
#
# - Pictures come as numbers in some order. Look at a few before you train.
# - Standardise with the training set's numbers; choose by validation
#   pictures; measure on the test pictures once.
# - Augmentation shows variants that do not change the answer.
# - Shapes decide everything: 5 · 5 · 64 = 1,600. Dense layers cost
#   parameters, convolutions cost time.
# - Training and validation curves tell you what to do next. Early stopping,
#   weight decay, fewer parameters and augmentation work against learning by
#   heart.
# - A learning rate that rises and falls, and batch normalisation, turn hours
#   into minutes. Batch normalisation and dropout know whether they train: in
#   prediction neither the neighbours in the batch nor chance has a say.
# - One accuracy hides ten classes. Look at the confusions, and inside.
#
# ## Going further
#
# - Train with your own `augment` in place of `light_augment`, once for 12 and
#   once for 30 epochs. When does the stronger one pay? And `Dropout(0.2)`
#   before the last layer?
# - Make the network wider (64, 128, 256) and train for 30 epochs: more than
#   90 % is within reach of a GPU.
# - Add a *shortcut* around two convolutions, `layers.add([x, y])`: that is
#   the idea of residual networks.
# - Label a hundred test pictures by hand. How good are you?
#
# ## Footnotes
#
# Where this lab and the course's slides differ:
#
# 1. One deck calls the order "channel, width, height". The rows come first, so
#    it is channel, **height**, width. A picture read the deck's way lies on its
#    side.
# 2. The deck's title says "9 weight layers". Pooling has no weights, and its
#    list has no ninth layer.
#
# ## Sources
#
# - A. Krizhevsky: *Learning multiple layers of features from tiny images*,
#   2009 (CIFAR-10).
# - TensorFlow: *Convolutional Neural Networks*, tutorial of release 0.11,
#   2016: the network of section 4, and the 86 %; the 79.3 % and the network's
#   variables are those of the course's decks.
# - K. Simonyan, A. Zisserman: *Very deep convolutional networks*, 2015 (stacks
#   of 3x3 filters).
# - M. Lin, Q. Chen, S. Yan: *Network in network*, 2014 (global average
#   pooling).
# - S. Ioffe, C. Szegedy: *Batch normalization*, 2015; N. Srivastava and others:
#   *Dropout: a simple way to prevent neural networks from overfitting*, 2014.
# - M. Zeiler, R. Fergus: *Visualizing and understanding convolutional
#   networks*, 2014 (occlusion).
# - C. Szegedy and others: *Rethinking the Inception architecture*, 2016
#   (label smoothing).
# - L. Prechelt: *Early stopping: but when?*, 1998.
# - R. Pascanu, T. Mikolov, Y. Bengio: *On the difficulty of training recurrent
#   neural networks*, 2013 (clipping the norm).
# - A. Krogh, J. Hertz: *A simple weight decay can improve generalization*,
#   1992; I. Loshchilov, F. Hutter: *Decoupled weight decay
#   regularization*, 2019.
# - L. Smith: *A disciplined approach to neural network hyper-parameters*, 2018
#   (rates that rise and fall).
# - A. Karpathy: *Lessons learned from manually classifying CIFAR-10*, 2011
#   (94 % by eye).
# - K. Jordan: *94 % on CIFAR-10 in 3.29 seconds on a single GPU*, 2024
#   (section 12); M. Zhang and others: *Lookahead optimizer*, 2019.
