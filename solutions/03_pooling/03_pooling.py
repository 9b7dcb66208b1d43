# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "3 · Pooling and normalisation"
#     summary: Shrink feature maps, normalise them, and count all of AlexNet.
#     minutes: 150
#     grading_seconds: 10
#     sample_mistakes: [ignores_the_stride, pads_with_zeros]
# ---

# %% [markdown]
# # 3 · Pooling and normalisation
#
# A convolution finds patterns. This lab is about the layers between the
# convolutions: **pooling** makes the maps smaller, **normalisation** keeps
# their values in check. At the end you trace two famous networks, layer by
# layer, down to the last parameter: LeNet-5 has 61,706, AlexNet 60,965,224.
#
# **You will be able to**
#
# - pool a picture, a stack of feature maps and a whole batch;
# - say what the gradient does on its way back through a pooling layer;
# - tell *equivariant* from *invariant*, and measure both;
# - write a normalisation layer, and say what it keeps and what it drops;
# - compute every shape and every parameter of LeNet-5 and AlexNet by hand,
#   and find the same numbers in Keras.
#
# **Time**: about two and a half hours: half an hour to read and to play, eight
# minutes for each of twelve exercises, ten for each of the three questions
# that are answered in words. **Builds on** lab 02 (convolution, stride, padding,
# output size) and, for the gradients, lab 01.
#
# No data set and no GPU is needed: numbers, and a photograph that comes with
# scikit-learn.

# %%
import math
import time

import matplotlib.pyplot as plt
import numpy as np
from scipy.signal import correlate2d
from sklearn.datasets import load_sample_image

from labkit import check, plots, profile
from labkit.widgets.pooling import explore_pooling

plt.rcParams.update(plots.STYLE)

photo = load_sample_image("china.jpg")[24:280, 80:336] / 255
print("photo:", photo.shape, "values from", photo.min(), "to", photo.max())

# %% [markdown]
# ## 1. Smaller maps
#
# The first convolution of AlexNet turns a picture of 227x227x3 into 96
# feature maps of 55x55: from 154,587 numbers to 290,400. More layers follow.
# Without a brake the maps would eat all memory and all time.
#
# [**Pooling**](../glossary.md#pooling) is the brake. A window slides over a
# map, as in a convolution, but it has no weights: it replaces the values it
# sees by *one*, their largest, their average or their sum. The course's
# slides also call it *subsampling* or *downsampling*. It keeps what was found
# and roughly where, and drops exactly where.
#
# Move the sliders. Then try to answer:
#
# - When are numbers of the 7x7 picture never looked at (marked x)?
# - When do windows overlap?
# - Which mode lets a single bright pixel survive, which one blurs?

# %%
explore_pooling(photo)

# %% [markdown]
# ### How many windows fit?
#
# Only windows that fit whole count. The first one starts at 0, the next at
# `stride`, and so on. Along one side of $n$ pixels there are
#
# $$n' = \left\lfloor \frac{n - \text{size}}{\text{stride}} \right\rfloor + 1$$
#
# windows. $\lfloor\cdot\rfloor$ rounds down. In Python, `//` does that for
# whole numbers.
#
# ### Exercise: `pooled_size`
#
# If no stride is given, it is the size: the windows then lie side by side,
# without a gap and without an overlap. Keras has the same convention:
# `MaxPooling2D(pool_size=(2, 2), strides=None)`.


# %% solution="pooled_size"
def pooled_size(n, size=2, stride=None):
    """How many pooling windows fit along a side of n pixels.

    n: the side, a whole number, at least `size`.
    size: the window's side. stride: pixels from one window to the next;
    None means `size`.
    Returns a whole number (int).
    """
    ### BEGIN SOLUTION
    if stride is None:
        stride = size
    return (n - size) // stride + 1
    ### END SOLUTION


# %% check="pooled_size" points=1
check("LeNet-5: 28 pixels, windows of 2", pooled_size(28))
check("AlexNet: 55 pixels, windows of 3, stride 2", pooled_size(55, 3, 2))
check("7 pixels, windows of 2: one pixel is left over", pooled_size(7, 2))
check("8 pixels, windows of 3, stride 1", pooled_size(8, 3, stride=1))
### BEGIN HIDDEN TESTS
check("a gap between windows: size 2, stride 5", pooled_size(14, 2, 5))
check("one window as large as the side", pooled_size(6, 6))
sides = check.rng().integers(30, 99, size=4).tolist()
check("windows of 3 side by side", tuple(pooled_size(n, 3) for n in sides))
check("windows of 4, stride 2", tuple(pooled_size(n, size=4, stride=2) for n in sides))
### END HIDDEN TESTS


# %% mistakes="pooled_size"
def forgets_the_first_window(n, size=2, stride=None):
    """You count the steps between windows. The first window needs no step."""
    return (n - size) // (size if stride is None else stride)


def counts_windows_that_stick_out(n, size=2, stride=None):
    """You round up and so count a window that does not fit whole."""
    stride = size if stride is None else stride
    return -((size - n) // stride) + 1


def divides_by_the_stride_only(n, size=2, stride=None):
    """You only divide n by the stride. How far to the right can the last window start?"""
    return n // (size if stride is None else stride)


def steps_by_one_by_default(n, size=2, stride=None):
    """Without a stride you move the window by one pixel. Look up the default again."""
    return (n - size) // (1 if stride is None else stride) + 1


# %% [markdown]
# ### Pool a picture
#
# Window $(i, j)$ starts at row $i \cdot \text{stride}$ and column
# $j \cdot \text{stride}$. Call its set of values $W_{ij}$. Then the output is
#
# $$y_{ij} = \max W_{ij}
# \qquad\text{or}\qquad
# y_{ij} = \frac{1}{\text{size}^2} \sum_{x \in W_{ij}} x
# \qquad\text{or}\qquad
# y_{ij} = \sum_{x \in W_{ij}} x$$
#
# for the modes `"max"`, `"average"` and `"sum"`.
#
# ### Exercise: `pool`
#
# Two loops and one slice of the picture do it. Mind that feature maps can be
# negative.


# %% solution="pool"
def pool(image, size=2, stride=None, mode="max"):
    """Pool one map with square windows; windows that do not fit whole are left out.

    image: (H, W) floats, negative ones too. It is left unchanged.
    size: the window's side. stride: pixels from one window to the next, down
    and to the right; None means `size`.
    mode: "max", "average" or "sum".
    Returns an array of floats (H', W'), where H' = pooled_size(H, size, stride)
    and W' likewise.
    """
    ### BEGIN SOLUTION
    stride = size if stride is None else stride
    reduce = {"max": np.max, "average": np.mean, "sum": np.sum}[mode]
    height, width = (pooled_size(n, size, stride) for n in image.shape)
    output = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            top, left = i * stride, j * stride
            output[i, j] = reduce(image[top : top + size, left : left + size])
    return output
    ### END SOLUTION


# %% check="pool" points=4
tiles = np.array(
    [
        [2.0, 7.0, 1.0, 0.0, 5.0],
        [4.0, 3.0, 8.0, 6.0, 9.0],
        [0.0, 1.0, 5.0, 2.0, 3.0],
        [9.0, 2.0, 4.0, 4.0, 7.0],
        [6.0, 5.0, 3.0, 8.0, 1.0],
    ]
)
check("a 4x4 picture, max", pool(tiles[:4, :4]))
check("a 4x4 picture, average", pool(tiles[:4, :4], mode="average"))
check("a 4x4 picture, sum", pool(tiles[:4, :4], mode="sum"))
check("5x5: the last row and column do not fit", pool(tiles))
check("windows of 3, stride 2 overlap", pool(tiles, size=3, stride=2))
check("negative values, 5x5", pool(tiles - 10))
### BEGIN HIDDEN TESTS
kept = tiles.copy()
check("the image is left unchanged", (pool(kept, 2), kept))
check("windows of one pixel, then of four", (pool(tiles, 1), pool(tiles, 4)))
rng = check.rng()
far = 2.0**40 * rng.integers(-9, 0, size=(5, 5))
check(
    "values far below zero: those of the maxima that are among them",
    np.where(np.isin(found := pool(far), far), found, 0),
)
wide = rng.normal(size=(8, 11))
check("a wide map, windows of 3", pool(wide, 3))
check("a wide map, windows of 3, stride 2, average", pool(wide, 3, 2, "average"))
check("stride 1, sum", pool(wide, 2, 1, "sum"), atol=1e-5)
check("a gap between the windows", pool(wide, size=2, stride=3))
check("one window for the whole map", pool(wide[:, :8], 8, mode="average"))
check("a map of negative values, stride 4", pool(wide - 9, 3, stride=4))
### END HIDDEN TESTS


# %% mistakes="pool"
def _pool(image, size, row_stride, column_stride, reduce):
    rows = range(0, image.shape[0] - size + 1, row_stride)
    columns = range(0, image.shape[1] - size + 1, column_stride)
    return np.array(
        [[reduce(image[r : r + size, c : c + size]) for c in columns] for r in rows],
        dtype=float,
    )


_modes = {"max": np.max, "average": np.mean, "sum": np.sum}


def ignores_the_stride(image, size=2, stride=None, mode="max"):
    """You move the window by its size, whatever the stride says."""
    return _pool(image, size, size, size, _modes[mode])


def steps_by_one_without_a_stride(image, size=2, stride=None, mode="max"):
    """Without a stride you move the window by one pixel; then it should move by its size."""
    stride = 1 if stride is None else stride
    return _pool(image, size, stride, stride, _modes[mode])


def forgets_the_stride_sideways(image, size=2, stride=None, mode="max"):
    """You use the stride down the rows, but not along the columns."""
    stride = size if stride is None else stride
    return _pool(image, size, stride, size, _modes[mode])


def takes_the_whole_image(image, size=2, stride=None, mode="max"):
    """Your average is that of the whole image. Take the window's values only."""
    stride = size if stride is None else stride
    if mode == "average":
        return _pool(image, size, stride, stride, lambda window: image.mean())
    return _pool(image, size, stride, stride, _modes[mode])


def divides_by_the_side(image, size=2, stride=None, mode="max"):
    """Your average is too large: how many values does a window of this size hold?"""
    stride = size if stride is None else stride
    if mode == "average":
        return _pool(image, size, stride, stride, lambda window: window.sum() / size)
    return _pool(image, size, stride, stride, _modes[mode])


def pads_with_zeros(image, size=2, stride=None, mode="max"):
    """You fill up the edge with zeros so that one more window fits. Leave it out instead: where all values are negative, a zero would even win."""
    stride = size if stride is None else stride
    more = [-(n - size) % stride for n in image.shape]
    padded = np.pad(image, [(0, more[0]), (0, more[1])])
    return _pool(padded, size, stride, stride, _modes[mode])


def starts_the_maximum_at_zero(image, size=2, stride=None, mode="max"):
    """Your search for the maximum starts at 0, so windows of negative values give 0."""
    stride = size if stride is None else stride
    if mode == "max":
        return _pool(image, size, stride, stride, lambda w: max(0.0, w.max()))
    return _pool(image, size, stride, stride, _modes[mode])


def starts_the_maximum_too_high(image, size=2, stride=None, mode="max"):
    """Your search for the maximum starts at a number that is larger than some values. Start at the window's first value, or at -np.inf."""
    stride = size if stride is None else stride
    if mode == "max":
        return _pool(image, size, stride, stride, lambda w: max(-1e9, w.max()))
    return _pool(image, size, stride, stride, _modes[mode])


def starts_windows_at_their_number(image, size=2, stride=None, mode="max"):
    """Window (i, j) does not start at row i and column j. Where does the stride come in?"""
    stride = size if stride is None else stride
    found = _pool(image, size, 1, 1, _modes[mode])
    height, width = _pool(image, size, stride, stride, _modes[mode]).shape
    return found[:height, :width]


# %% [markdown]
# ### What is kept, what is lost
#
# Here is the photograph, 64 times smaller: once by keeping every eighth pixel
# of every eighth row, once by max-pooling, once by average pooling. (The sum
# is the average times 64: the same picture on another scale.)

# %%
grey = photo.mean(axis=2)
smaller = {
    "the photograph": grey,
    "every 8th pixel": grey[::8, ::8],
    "max-pooling, 8x8": pool(grey, 8),
    "average pooling, 8x8": pool(grey, 8, mode="average"),
}

# %% tags=["folded"]
# Draws the photograph, and what each of the three ways leaves of it.
figure, places = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for axes, (title, picture) in zip(places, smaller.items(), strict=True):
    axes.imshow(picture, cmap="gray", vmin=0, vmax=1)
    axes.set_title(f"{title}\n{picture.shape[0]}x{picture.shape[1]}")
    axes.set_axis_off()
plt.show()

# %% [markdown]
# Keeping every eighth pixel is a lottery: a thin railing is there or gone, as
# chance has it. The maximum keeps whatever is bright and makes it thicker.
# The average keeps the overall brightness and blurs.
#
# In a feature map a large value means *the pattern is here*. Its maximum says
# *the pattern is somewhere in this window*; its average says *how much of
# the window shows it*. On pictures of objects, max-pooling clearly beat an
# average with a trained factor (Scherer et al. 2010). That is a matter of
# experience, not a law: LeNet-5 averages, and so do the last layers of many
# networks of today.
#
# ### A question on thin lines
#
# A white line, one pixel wide, runs straight across a black map. On another
# map a black line, one pixel wide, runs straight across white. Both are
# pooled with 4x4 windows, side by side. White is 1 and black is 0. Which
# values do the windows on the line give, for max-pooling and for average
# pooling? Which of the two maps should a layer give to max-pooling, and why?

# %% [markdown] manual="thin_lines" points=2
# **Rubric**
#
# - 1 point: the four values 1, 0.25, 1, 0.75 (half a point for two or three
#   of them; a straight line, horizontal or vertical, is enough).
# - 1 point: white on black, with the reason that max-pooling keeps large
#   values and forgets small ones, so that the pattern must be the large one.
#
# **Model answer.** White on black: each window on the line holds 4 ones and
# 12 zeros. Max-pooling gives 1: the line survives at full strength, four
# times as thick. Average pooling gives 4/16 = 0.25: it survives, pale. Black
# on white: max-pooling gives 1, as everywhere, so the line is gone; average
# pooling gives 12/16 = 0.75. Give max-pooling the map in which *large means
# found*, white on black. That is what convolution and ReLU deliver: 0 where
# there is nothing.

# %% [markdown]
# ### Every channel on its own
#
# A layer of a network gives a *volume*: H x W positions with C channels, one
# channel for each filter. Pooling works on each channel by itself and never
# mixes them. The height and the width shrink, the depth stays.
#
# ### Exercise: `pool_volume`


# %% solution="pool_volume"
def pool_volume(volume, size=2, stride=None, mode="max"):
    """Pool each channel of a volume on its own.

    volume: (H, W, C) floats, with any number of channels C.
    size, stride, mode: as in `pool`.
    Returns an array of floats (H', W', C).
    """
    ### BEGIN SOLUTION
    channels = [
        pool(volume[:, :, c], size, stride, mode) for c in range(volume.shape[2])
    ]
    return np.stack(channels, axis=2)
    ### END SOLUTION


# %% check="pool_volume" points=2
ramp = np.arange(96.0).reshape(4, 6, 4) % 17
check("4 channels, max", pool_volume(ramp))
check("4 channels, windows of 3, stride 1, sum", pool_volume(ramp, 3, 1, "sum"))
### BEGIN HIDDEN TESTS
deep = check.rng().normal(size=(7, 9, 5)) - 1
check("5 channels, average", pool_volume(deep, mode="average"))
check("5 channels, windows of 3, stride 2", pool_volume(deep, size=3, stride=2))
check("a single channel stays one", pool_volume(deep[:, :, :1], 3))
check("as many channels as rows, stride 1", pool_volume(deep[:5, :5], 2, 1))
### END HIDDEN TESTS


# %% mistakes="pool_volume"
def pools_across_channels(volume, size=2, stride=None, mode="max"):
    """You mix the channels: each of them gets an output map of its own."""
    flat = volume.max(axis=2) if mode == "max" else volume.sum(axis=2)
    return pool(flat, size, stride, mode)


def puts_channels_first(volume, size=2, stride=None, mode="max"):
    """The channels belong on the last axis of the result; you have them on the first."""
    return np.stack([pool(c, size, stride, mode) for c in np.moveaxis(volume, 2, 0)])


def assumes_three_channels(volume, size=2, stride=None, mode="max"):
    """You pool three channels. A feature volume has as many as its layer has filters."""
    maps = [
        pool(volume[..., c % volume.shape[2]], size, stride, mode) for c in range(3)
    ]
    return np.stack(maps, axis=2)


def does_not_pass_the_mode_on(volume, size=2, stride=None, mode="max"):
    """You take the maximum in every mode. Hand `mode` on to `pool`."""
    return np.stack([pool(c, size, stride) for c in np.moveaxis(volume, 2, 0)], axis=2)


def does_not_pass_the_stride_on(volume, size=2, stride=None, mode="max"):
    """Your windows always lie side by side. Hand `stride` on to `pool`."""
    maps = [pool(c, size, mode=mode) for c in np.moveaxis(volume, 2, 0)]
    return np.stack(maps, axis=2)


# %% [markdown]
# ### Overlapping pooling
#
# AlexNet pools with windows of 3 at stride 2. Neighbours then overlap by one
# row or one column. On maps of 55x55, plain pooling (2, stride 2) and this one
# both give 27x27, so the comparison is fair. With overlap, the paper reports
# a top-1 error that is lower by 0.4 percentage points and a top-5 error lower
# by 0.3. (Scherer et al., on other data, found no significant gain. Results
# like these need not carry over.)
#
# The left two panels count in how many windows each pixel lies.

# %% tags=["folded"]
# Draws plain and overlapping windows.
schemes = {
    "plain: 2, stride 2": {"size": 2, "stride": 2},
    "overlapping: 3, stride 2": {"size": 3, "stride": 2},
}


def windows_that_see(side, size, stride):
    """How many windows each pixel of a square map lies in: (side, side)."""
    along = np.zeros(side, dtype=int)
    for start in range(0, side - size + 1, stride):
        along[start : start + size] += 1
    return np.outer(along, along)


figure, places = plt.subplots(1, 4, figsize=(9, 2.6), layout="constrained")
for column, (name, options) in enumerate(schemes.items()):
    seen = windows_that_see(9, **options)
    pooled = pool_volume(photo[96:160, 60:124], **options)
    places[column].imshow(seen, cmap="Blues", vmin=0, vmax=6)
    places[column].set_title(f"{name}\nwindows that see a pixel")
    for place, count in np.ndenumerate(seen):
        places[column].text(*place[::-1], count, ha="center", va="center", size=8)
    places[column + 2].imshow(pooled)
    places[column + 2].set_title(f"{name}\n{pooled.shape[0]}x{pooled.shape[1]}")
    print(f"{name:25} a side of 55 gives {pooled_size(55, **options)}")
for axes in places:
    axes.set_axis_off()
plt.show()

# %% [markdown]
# *Think:* plain pooling of a 9x9 map never looks at its last row and column.
# Does overlapping pooling lose any pixel of 9x9? Of 10x10?

# %% [markdown]
# ### The largest window: global average pooling
#
# Let the window be as large as the map. Each channel then becomes a single
# number: how much of this pattern is in the picture, wherever it is. Lin et
# al. (2013) put this between the last feature maps and the classes, in place
# of large dense layers. Lab 05 does the same; lab 04 flattens its maps, and
# proposes that you try this instead.
#
# ### Exercise: `global_average`


# %% solution="global_average"
def global_average(volume):
    """The mean of each channel.

    volume: (H, W, C) floats. Returns an array of floats (C,).
    """
    ### BEGIN SOLUTION
    return volume.mean(axis=(0, 1))
    ### END SOLUTION


# %% check="global_average" points=1
corner = np.zeros((2, 3, 4))
corner[0, 1] = [6.0, 12.0, -3.0, 0.0]
check("one bright pixel, 4 channels", global_average(corner))
### BEGIN HIDDEN TESTS
check("a volume of 1x1", global_average(np.array([[[3.0, -1.0]]])))
check("random values, 5 channels", global_average(check.rng().normal(size=(6, 4, 5))))
### END HIDDEN TESTS


# %% mistakes="global_average"
def averages_everything(volume):
    """You get a single number. Each channel keeps its own."""
    return volume.mean()


def averages_the_channels(volume):
    """You average over the channels. Average over the positions, rows and columns."""
    return volume.mean(axis=2)


def sums_instead(volume):
    """That is the sum over all positions, not their mean."""
    return volume.sum(axis=(0, 1))


# %% [markdown]
# ### Without loops
#
# Loops in Python are slow. For windows side by side there is a short way,
# without any loop: `reshape`. On one row,
#
# ```python
# row = np.array([3, 8, 1, 4, 9, 2])
# row.reshape(3, 2)              # [[3, 8], [1, 4], [9, 2]]: a window a line
# row.reshape(3, 2).max(axis=1)  # [8, 4, 9]
# ```
#
# On a picture, split both sides in the same way: (H, W) becomes
# (H', size, W', size). The next figure shows it for (4, 6) and windows of 2.
# Axes 1 and 3 run *inside* a window.

# %% tags=["folded"]
# Draws how reshape splits the two axes of a picture.
numbers = np.array(
    [[3, 8, 1, 4, 9, 2], [5, 0, 7, 6, 1, 3], [2, 6, 4, 9, 0, 5], [7, 1, 8, 2, 4, 6]]
)
figure, (axes, small) = plt.subplots(
    1, 2, figsize=(9, 3.4), width_ratios=(3, 1.3), layout="constrained"
)
for picture, place in ((numbers, axes), (pool(numbers.astype(float)), small)):
    place.imshow(np.zeros_like(picture), cmap="Greys", vmin=0, vmax=1)
    for (row, column), number in np.ndenumerate(picture):
        place.text(column, row, f"{number:.0f}", ha="center", va="center", size=12)
    place.set_axis_off()
frame = {"fill": False, "ec": plots.BLUE, "lw": 2.5, "clip_on": False}
for row, column in np.ndindex(2, 3):
    corner = (2 * column - 0.5, 2 * row - 0.5)
    axes.add_patch(plt.Rectangle(corner, 2, 2, **frame))
    corner = (column - 0.5, row - 0.5)
    small.add_patch(plt.Rectangle(corner, 1, 1, **frame))
for row in range(4):
    outer, inner = divmod(row, 2)
    axes.text(-1.9, row, outer, color=plots.BLUE, ha="center", va="center")
    axes.text(-0.95, row, inner, color=plots.VERMILION, ha="center", va="center")
for column in range(6):
    outer, inner = divmod(column, 2)
    axes.text(column, -1.25, outer, color=plots.BLUE, ha="center", va="center")
    axes.text(column, -0.8, inner, color=plots.VERMILION, ha="center", va="center")
axes.text(-1.9, -0.8, "axis 0", color=plots.BLUE, ha="center", va="center")
axes.text(-0.95, -0.8, "axis 1", color=plots.VERMILION, ha="center", va="center")
axes.text(5.7, -1.25, "axis 2: which window", color=plots.BLUE, va="center")
axes.text(5.7, -0.8, "axis 3: inside", color=plots.VERMILION, va="center")
axes.set(xlim=(-2.4, 8), ylim=(3.6, -1.6), title="reshape(2, 2, 3, 2) of a (4, 6)")
small.set(ylim=(2.3, -1.9), title="its max over axes 1 and 3")
plt.show()

# %% [markdown]
# ### Exercise: `pool_fast`
#
# Real layers work on a *batch* of N volumes at once: (N, H, W, C). This is the
# shape that Keras uses everywhere.
#
# Cut off first what does not fill a window, or `reshape` refuses.
#
# Without a loop means: Python takes as many steps for a large batch as for a
# small one, however many pictures, channels and windows there are. The checks
# count them.


# %% solution="pool_fast"
def pool_fast(images, size=2):
    """Max-pool a batch with windows side by side (stride = size), without a loop.

    images: (N, H, W, C) floats. Rows and columns at the lower and right edge
    that do not fill a window are left out.
    Returns an array of floats (N, H // size, W // size, C).
    """
    ### BEGIN SOLUTION
    count, height, width, channels = images.shape
    rows, columns = height // size, width // size
    whole = images[:, : rows * size, : columns * size]
    windows = whole.reshape(count, rows, size, columns, size, channels)
    return windows.max(axis=(2, 4))
    ### END SOLUTION


# %% check="pool_fast" points=3
batch = np.random.default_rng(3).normal(size=(2, 4, 6, 3))
check("two pictures of 4x6x3", pool_fast(batch))
check("windows of 3 on 4x6: a row is left over", pool_fast(batch, 3))
### BEGIN HIDDEN TESTS
import sys


def python_steps(function, *arguments):
    """How many steps Python takes for a call. What NumPy does inside is none."""
    steps = 0

    def count(frame, event, _):
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += event == "opcode"
        return count

    function(*arguments)  # the first call may prepare something
    before = sys.gettrace()
    sys.settrace(count)
    try:
        function(*arguments)
    finally:
        sys.settrace(before)
    return steps


rng = check.rng()
small, large = rng.normal(size=(2, 4, 2, 1)), rng.normal(size=(8, 16, 16, 4))
check(
    "a small batch, in as many steps as a large one",
    pool_fast(small)
    if python_steps(pool_fast, large) <= 1.3 * python_steps(pool_fast, small)
    else "a large one takes more steps",
)
batch = rng.normal(size=(3, 9, 11, 4)) - 2
check("nothing left over, two channels", pool_fast(rng.normal(size=(2, 6, 8, 2))))
check("odd sides, 4 channels", pool_fast(batch))
check("windows of 4, odd sides", pool_fast(batch, size=4))
check("a batch of one, one channel", pool_fast(batch[:1, :, :, :1], 5))
### END HIDDEN TESTS


# %% mistakes="pool_fast"
def _cut(images, size):
    rows, columns = images.shape[1] // size, images.shape[2] // size
    return images[:, : rows * size, : columns * size], rows, columns


def pools_one_by_one(images, size=2):
    """The numbers are right, but you still go through pictures, channels or windows one by one. Let `reshape` make the windows of all of them at once."""
    return np.stack([pool_volume(volume, size) for volume in images])


def splits_the_wrong_way_round(images, size=2):
    """Your windows hold pixels that are far apart. In (H', size, W', size) the size comes after the number of windows."""
    whole, rows, columns = _cut(images, size)
    n, c = len(images), images.shape[3]
    return whole.reshape(n, size, rows, size, columns, c).max(axis=(1, 3))


def reshapes_rows_and_columns_at_once(images, size=2):
    """A plain reshape to (H', W', size, size) cuts the rows into strips, not the picture into windows."""
    whole, rows, columns = _cut(images, size)
    n, c = len(images), images.shape[3]
    return whole.reshape(n, rows, columns, size, size, c).max(axis=(3, 4))


def cuts_at_the_wrong_end(images, size=2):
    """You cut off the first rows and columns. The windows start at the top left."""
    rows, columns = images.shape[1] // size, images.shape[2] // size
    n, c = len(images), images.shape[3]
    whole = images[:, -rows * size :, -columns * size :]
    return whole.reshape(n, rows, size, columns, size, c).max(axis=(2, 4))


def pools_rows_only(images, size=2):
    """You took the maximum down the rows of a window, but not along its columns."""
    whole, rows, columns = _cut(images, size)
    n, c = len(images), images.shape[3]
    return whole.reshape(n, rows, size, columns * size, c).max(axis=2)


def averages_instead(images, size=2):
    """That is the average of each window. Its maximum is asked for."""
    whole, rows, columns = _cut(images, size)
    n, c = len(images), images.shape[3]
    return whole.reshape(n, rows, size, columns, size, c).mean(axis=(2, 4))


# %% [markdown]
# How much faster is it on your machine?


# %%
def seconds(function, *arguments):
    """The best of three runs: other programs only ever make a run slower."""
    times = []
    for _ in range(3):
        start = time.perf_counter()
        function(*arguments)
        times.append(time.perf_counter() - start)
    return min(times)


slow, fast = seconds(pool_volume, photo), seconds(pool_fast, photo[np.newaxis])
print(f"with loops   {1000 * slow:8.2f} ms")
print(f"with reshape {1000 * fast:8.2f} ms: {slow / fast:.0f} times as fast")

# %% [markdown]
# ## 2. The way back: gradients through a pooling layer
#
# A pooling layer has nothing to learn. But the layers *before* it learn, and
# their gradients must come back through it. In backpropagation each layer is
# told how the error $E$ changes with each of its outputs. We call that the
# *upstream* gradient $\partial E / \partial y_{ij}$. From it the layer
# computes how $E$ changes with each of its inputs.
#
# **Maximum.** If you nudge the largest value of a window, the output moves
# with it. If you nudge any other value a little, nothing happens. So the
# whole gradient goes to the winner, and the others get 0:
#
# $$\frac{\partial E}{\partial x} =
# \begin{cases}
# \dfrac{\partial E}{\partial y_{ij}} & \text{if } x \text{ is the winner of
# window } (i, j)\\[1ex]
# 0 & \text{otherwise}
# \end{cases}$$
#
# ### Exercise: `max_pool_gradient`
#
# **Ties.** If several values share the maximum, exactly *one* of them wins: the
# first in reading order, row by row from the top, each from left to right.
# `np.argmax` has the same rule.
#
# An example with windows of 2:
#
# ```
#    image          upstream        gradient
#    2 7 | 1 0                      0 5 | 0 0
#    4 3 | 8 6        5 | 3         0 0 | 3 0
#    ----+----       ---+---        ----+----
#    9 1 | 5 5        2 | 4         2 0 | 4 0      the first 5 wins
#    0 2 | 5 2                      0 0 | 0 0
# ```


# %% solution="max_pool_gradient"
def max_pool_gradient(image, upstream, size=2):
    """The gradient with respect to the input of max-pooling, windows side by side.

    image: (H, W) floats, the input of the layer.
    upstream: (H // size, W // size) floats, dE/dy for each output.
    In each window the whole of dE/dy goes to the maximum; among equal values
    to the first in reading order. All other pixels get 0, also those at the
    lower and right edge that lie in no window.
    Returns an array of floats (H, W).
    """
    ### BEGIN SOLUTION
    gradient = np.zeros(image.shape)
    for (i, j), value in np.ndenumerate(upstream):
        top, left = i * size, j * size
        window = image[top : top + size, left : left + size]
        row, column = np.unravel_index(window.argmax(), window.shape)
        gradient[top + row, left + column] = value
    return gradient
    ### END SOLUTION


# %% check="max_pool_gradient" points=3
image = np.array(
    [
        [2.0, 7.0, 1.0, 0.0],
        [4.0, 3.0, 8.0, 6.0],
        [9.0, 1.0, 5.0, 5.0],
        [0.0, 2.0, 5.0, 2.0],
    ]
)
upstream = np.array([[5.0, 3.0], [2.0, 4.0]])
check("the example above", max_pool_gradient(image, upstream))
check("the example, upstream with signs", max_pool_gradient(image, -upstream[::-1]))
check("a flat image: ties everywhere", max_pool_gradient(np.ones((4, 4)), upstream))
### BEGIN HIDDEN TESTS
rng = check.rng()
ties = rng.integers(2, 4, size=(12, 12)).astype(float)
check("whole numbers with ties", max_pool_gradient(ties, rng.normal(size=(6, 6))))
far = 1e12 * (rng.permutation(16).reshape(4, 4) - 20.0)
check("an image far below zero", max_pool_gradient(far, rng.uniform(1, 5, size=(2, 2))))
image, upstream = rng.normal(size=(7, 8)) - 3, rng.normal(size=(2, 2))
check("windows of 2", max_pool_gradient(image[:4, :4], upstream))
check("windows of 3, pixels left over", max_pool_gradient(image, upstream, 3))
check("a single window", max_pool_gradient(image[:4, :4], np.array([[2.5]]), size=4))
### END HIDDEN TESTS


# %% mistakes="max_pool_gradient"
def _each_window(image, upstream, size, share):
    gradient = np.zeros(image.shape)
    for (i, j), value in np.ndenumerate(upstream):
        place = np.s_[i * size : (i + 1) * size, j * size : (j + 1) * size]
        gradient[place] = value * share(image[place])
    return gradient


def _one_hot(window, index):
    return (np.arange(window.size) == index).reshape(window.shape)


def rewards_every_maximum(image, upstream, size=2):
    """Where values tie, you give the gradient to each of them. Only the first in reading order wins."""
    return _each_window(image, upstream, size, lambda w: w == w.max())


def rewards_the_last_maximum(image, upstream, size=2):
    """Among equal values you take the last; the first in reading order wins."""
    return _each_window(
        image,
        upstream,
        size,
        lambda w: _one_hot(w, w.size - 1 - w.ravel()[::-1].argmax()),
    )


def splits_among_ties(image, upstream, size=2):
    """You share the gradient among equal values. The first in reading order gets all of it."""
    return _each_window(
        image, upstream, size, lambda w: (w == w.max()) / (w == w.max()).sum()
    )


def spreads_evenly(image, upstream, size=2):
    """You share the gradient among all values of the window: that is average pooling."""
    return _each_window(image, upstream, size, lambda w: np.full(w.shape, 1 / w.size))


def searches_from_too_high(image, upstream, size=2):
    """Your search for the maximum starts at a number that is larger than some values, so their windows have no winner. Start at the first value, or at -np.inf."""
    return _each_window(
        image,
        upstream,
        size,
        lambda w: _one_hot(w, w.argmax() if w.max() > -1e9 else -1),
    )


def always_top_left(image, upstream, size=2):
    """The gradient lands at the top left of each window. It belongs where the maximum is."""
    return _each_window(image, upstream, size, lambda w: _one_hot(w, 0))


def forgets_the_upstream(image, upstream, size=2):
    """You mark the winners with 1. How much does the error change with this window's output?"""
    return _each_window(
        image, np.ones(upstream.shape), size, lambda w: _one_hot(w, w.argmax())
    )


def multiplies_by_the_value(image, upstream, size=2):
    """You multiply by the winning value. If it grows by 1, by how much does the output grow?"""
    return _each_window(
        image, upstream, size, lambda w: w.max() * _one_hot(w, w.argmax())
    )


# %% [markdown]
# ### Is it true? Nudge and see
#
# In lab 01 you tested a gradient by nudging each number up and down a little
# and watching the error. The same works here. Let the error be
# $E = \sum_{ij} u_{ij}\, y_{ij}$; then the upstream gradient is $u$.


# %%
def nudged(mode, image, upstream, size, step=1e-5):
    """The gradient of sum(upstream * pool(image)) by central differences: (H, W)."""
    gradient = np.zeros(image.shape)
    for place in np.ndindex(image.shape):
        up, down = image.copy(), image.copy()
        up[place] += step
        down[place] -= step
        change = pool(up, size, mode=mode) - pool(down, size, mode=mode)
        gradient[place] = (upstream * change).sum() / (2 * step)
    return gradient


rng = np.random.default_rng(5)
image, upstream = rng.normal(size=(7, 7)), rng.normal(size=(3, 3))
gap = max_pool_gradient(image, upstream, 2) - nudged("max", image, upstream, 2)
print(f"largest difference {np.abs(gap).max():.1e}")

# %% [markdown]
# **Average.** In average pooling every value of a window counts, each with the
# weight $1/\text{size}^2$, so each gets that share of the gradient:
#
# $$\frac{\partial E}{\partial x} = \frac{1}{\text{size}^2}
# \frac{\partial E}{\partial y_{ij}}
# \qquad\text{for each } x \text{ in window } (i, j)$$
#
# Here it is measured, beside your gradient of the maximum.

# %% tags=["folded"]
# Draws an input, an upstream gradient, and both gradients.
figure, places = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
pictures = {
    "input": image,
    "upstream gradient": upstream,
    "back through the maximum": max_pool_gradient(image, upstream),
    "back through the average": nudged("average", image, upstream, 2),
}
for axes, (title, picture) in zip(places, pictures.items(), strict=True):
    limit = np.abs(upstream if "back" in title else picture).max()
    axes.imshow(picture, cmap="RdBu", vmin=-limit, vmax=limit)
    if picture.shape == (7, 7):
        axes.hlines([1.5, 3.5, 5.5], -0.5, 5.5, color="0.4", lw=0.8)
        axes.vlines([1.5, 3.5, 5.5], -0.5, 5.5, color="0.4", lw=0.8)
    axes.set_title(title)
    axes.set_axis_off()
plt.show()

# %% [markdown]
# Red is negative, blue is positive; the lines are the windows. The last row
# and column lie in no window: no gradient reaches them.
#
# *Think:* after a 2x2 max-pooling, three of four values get no gradient. Are
# they lost to learning for ever? (Another picture has other winners.)

# %% [markdown]
# ## 3. Does it matter where?
#
# Two words are often mixed up.<sup>[1](#Footnotes)</sup>
#
# - A layer $f$ is **equivariant** to a shift if its output shifts along:
#   $f(\text{shift}(x)) = \text{shift}(f(x))$.
# - It is **invariant** to a shift if its output does not change at all:
#   $f(\text{shift}(x)) = f(x)$.
#
# A convolution is *equivariant*: move the cat, and the map of cat's ears moves
# along, exactly. Pooling adds a *little invariance*: if the winner moves
# inside its window and still wins there, the output stays as it is. How
# little, you will measure. And neither convolution nor pooling gives you
# either for *scale*.
#
# To shift a photograph without inventing pixels at its edge, take two views
# of the same picture, one column apart: `grey[:, :-1]` and `grey[:, 1:]`.
# Both have the same size. In the second, everything sits one pixel further
# to the left.

# %%
edges = np.array([[-1.0, -1.0, -1.0], [-1.0, 8.0, -1.0], [-1.0, -1.0, -1.0]])


def convolve(image, kernel):
    """The convolution of lab 02 with stride 1 and no padding."""
    return correlate2d(image, kernel, mode="valid")


def relu(z):
    """max(0, z), element by element."""
    return np.maximum(z, 0)


# %%
print("shift   convolution, moved back   2x2 max-pooling, moved back")
for shift in (1, 2, 3, 4):
    first = relu(convolve(grey[:, :-shift], edges))
    second = relu(convolve(grey[:, shift:], edges))
    gap = np.abs(first[:, shift:] - second[:, :-shift]).max()
    a, b = pool(first), pool(second)
    cells = shift // 2
    pooled_gap = np.abs(a[:, cells:] - b[:, : b.shape[1] - cells]).max()
    print(f"{shift:4}{gap:20.2f}{pooled_gap:28.2f}")

# %% [markdown]
# The convolution is exactly equivariant: moved back, the second map equals the
# first. Pooling at stride 2 is equivariant only to shifts by 2, 4, ...: a
# shift by 1 would have to move its output by half a cell. So the stride
# costs some equivariance (Zhang 2019). What does it buy?
#
# ### Measure the change
#
# Take two maps $a$ and $b$ of the same shape with no negative values. We
# measure how much they differ by
#
# $$\text{change}(a, b) = \frac{\sum |a - b|}{\sum (a + b)}$$
#
# It is 0 if the maps are equal, and 1 if they are nowhere active at the same
# place. If both maps are zero everywhere, nothing has changed: it is 0.
#
# ### Exercise: `shift_response`


# %% solution="shift_response"
def shift_response(image, kernel, size=2, shift=1):
    """How much a feature map changes under a shift, without and with max-pooling.

    image: (H, W) floats. kernel: (k, k) floats. size: the pooling window.
    shift: by how many columns the picture moves, 1 or more.

    1. Two views, all rows: `image` without its last `shift` columns, and
       `image` without its first `shift` columns.
    2. The feature map of each: relu(convolve(view, kernel)).
    3. The pooled map of each: pool(feature map, size), so stride = size.
    4. change(first, second), as defined above, of the two feature maps and of
       the two pooled maps; 0 where both maps are zero everywhere.

    Returns two floats: (change of the feature maps, change of the pooled maps).
    """

    ### BEGIN SOLUTION
    def change(a, b):
        total = (a + b).sum()
        return float(np.abs(a - b).sum() / total) if total > 0 else 0.0

    views = image[:, :-shift], image[:, shift:]
    first, second = (relu(convolve(view, kernel)) for view in views)
    return change(first, second), change(pool(first, size), pool(second, size))
    ### END SOLUTION


# %% check="shift_response" points=3
dots = np.zeros((12, 12))
dots[[2, 5, 9], [3, 8, 5]] = 1
blur = np.ones((2, 2)) / 4
check("three dots, one column", shift_response(dots, blur))
check("three dots, windows of 3, two columns", shift_response(dots, blur, 3, shift=2))
check("an empty picture", shift_response(np.zeros((9, 9)), blur))
noise = np.random.default_rng(7).normal(size=(20, 23))
sobel = np.array([[1.0, 0.0, -1.0], [2.0, 0.0, -2.0], [1.0, 0.0, -1.0]])
check("noise and a filter of both signs", shift_response(noise, sobel))
### BEGIN HIDDEN TESTS
stripes = np.outer(np.arange(9.0), np.ones(9))
check(
    "stripes along the shift, then across it",
    (shift_response(stripes, blur), shift_response(stripes.T, blur)),
)
rng = check.rng()
noise = rng.normal(size=(20, 23))
faint_and_none = rng.permutation([0.0, 0.0, 1e-6, 1e-6, 1e-6])
check(
    "faint noise, or none",
    [shift_response(strength * noise, sobel) for strength in faint_and_none],
    rtol=1e-2,
)
check("other noise, without pooling", shift_response(noise, sobel)[0])
check("noise, windows of 4, shift 3", shift_response(noise, sobel, size=4, shift=3))
### END HIDDEN TESTS


# %% mistakes="shift_response"
def leaves_zero_over_zero(image, kernel, size=2, shift=1):
    """Two maps that are zero everywhere give 0/0. What is their change by definition?"""

    def change(a, b):
        with np.errstate(invalid="ignore"):
            return float(np.abs(a - b).sum() / (a + b).sum())

    views = image[:, :-shift], image[:, shift:]
    first, second = (relu(convolve(view, kernel)) for view in views)
    return change(first, second), change(pool(first, size), pool(second, size))


def _change(a, b):
    total = (a + b).sum()
    return float(np.abs(a - b).sum() / total) if total > 0 else 0.0


def _responses(first, second, kernel, size):
    first, second = (relu(convolve(view, kernel)) for view in (first, second))
    return _change(first, second), _change(pool(first, size), pool(second, size))


def takes_faint_maps_for_empty(image, kernel, size=2, shift=1):
    """A map of small values is not empty: its change is as large as that of a bright one. Compare the sum with 0 itself."""
    views = image[:, :-shift], image[:, shift:]
    first, second = (relu(convolve(view, kernel)) for view in views)
    pairs = (first, second), (pool(first, size), pool(second, size))
    return tuple(_change(*p) if p[0].sum() + p[1].sum() > 1e-2 else 0.0 for p in pairs)


def rolls_the_picture(image, kernel, size=2, shift=1):
    """With np.roll, what leaves on one side comes in on the other. Take two views of the picture instead."""
    return _responses(image, np.roll(image, -shift, axis=1), kernel, size)


def shifts_the_rows(image, kernel, size=2, shift=1):
    """You move the picture up. It moves by columns, to the left."""
    return _responses(image[:-shift], image[shift:], kernel, size)


def pools_the_picture(image, kernel, size=2, shift=1):
    """You pool the picture and then convolve. Pool the feature maps."""
    first, second = image[:, :-shift], image[:, shift:]
    plain = _responses(first, second, kernel, size)[0]
    maps = [relu(convolve(pool(view, size), kernel)) for view in (first, second)]
    return plain, _change(*maps)


def forgets_the_relu(image, kernel, size=2, shift=1):
    """Your maps have negative values. Is the ReLU missing?"""
    maps = [convolve(view, kernel) for view in (image[:, :-shift], image[:, shift:])]
    return _change(*maps), _change(*(pool(m, size) for m in maps))


def gives_them_the_wrong_way_round(image, kernel, size=2, shift=1):
    """The change without pooling comes first, the one with pooling second."""
    return _responses(image[:, :-shift], image[:, shift:], kernel, size)[::-1]


def moves_the_map_back(image, kernel, size=2, shift=1):
    """You move the second map back before you compare: that tests equivariance. Here the maps are compared in place."""
    first, second = (
        relu(convolve(v, kernel)) for v in (image[:, :-shift], image[:, shift:])
    )
    pools = pool(first, size), pool(second, size)
    return _change(first[:, shift:], second[:, :-shift]), _change(*pools)


def divides_by_one_map(image, kernel, size=2, shift=1):
    """You divide by the sum of the first map. The sum of both maps is below the line."""
    first, second = (
        relu(convolve(v, kernel)) for v in (image[:, :-shift], image[:, shift:])
    )

    def change(a, b):
        return float(np.abs(a - b).sum() / a.sum()) if a.sum() > 0 else 0.0

    return change(first, second), change(pool(first, size), pool(second, size))


def forgets_the_absolute_value(image, kernel, size=2, shift=1):
    """Differences of both signs cancel. Which bars does the formula have above the line?"""
    first, second = (
        relu(convolve(v, kernel)) for v in (image[:, :-shift], image[:, shift:])
    )

    def change(a, b):
        return float((a - b).sum() / (a + b).sum()) if (a + b).sum() > 0 else 0.0

    return change(first, second), change(pool(first, size), pool(second, size))


# %% [markdown]
# Now on the photograph. First the maps under a shift by one pixel (a detail,
# so that you can see something), then the change for shifts up to 8 pixels.

# %% tags=["folded"]
# Draws the maps before and after a shift by one pixel.
views = grey[:, :-1], grey[:, 1:]
maps = [relu(convolve(view, edges)) for view in views]
figure, places = plt.subplots(2, 3, figsize=(9, 5.6), layout="constrained")
for row, (name, size) in zip(
    places, (("feature map", 1), ("pooled 4x4", 4)), strict=True
):
    first, second = (pool(m[64:128, 64:128], size) for m in maps)
    panels = (
        (name, first),
        (f"{name}, shift 1", second),
        ("difference", np.abs(first - second)),
    )
    for axes, (title, picture) in zip(row, panels, strict=True):
        axes.imshow(picture, cmap="magma", vmin=0, vmax=first.max())
        axes.set_title(title)
        axes.set_axis_off()
plt.show()

# %% tags=["folded"]
# Draws how much the maps change for shifts up to 8 pixels.
crop, shifts = grey[:128, :192], range(1, 9)
figure, axes = plt.subplots(figsize=(6.5, 3.2), layout="constrained")
for size, colour in ((2, plots.ORANGE), (4, plots.GREEN), (8, plots.VERMILION)):
    changes = np.array([shift_response(crop, edges, size, shift) for shift in shifts])
    axes.plot(
        shifts, changes[:, 1], "o-", color=colour, label=f"max-pooled {size}x{size}"
    )
axes.plot(shifts, changes[:, 0], "o-", color=plots.BLUE, label="not pooled")
axes.set(xlabel="shift in pixels", ylabel="change", ylim=(0, 1))
axes.set_title("An edge map, when the photograph moves")
axes.grid(axis="y")
axes.legend(ncols=2)
plt.show()
before, after = shift_response(crop, edges)
print(f"One pixel: the map changes by {before:.0%}, pooled 2x2 by {after:.0%}.")

# %% [markdown]
# One pixel is enough to change most of a fine edge map. (The dip at 3 is the
# roof: its tiles repeat every three to four pixels.) The larger the window,
# the smaller the change, and it grows with the shift. *A little invariant* is
# the right expression. And global average pooling? It has a single window:
# whatever moves inside it changes nothing.
#
# ### A question on two words
#
# A friend read three sentences on slides. Correct each of them in one or two
# sentences, and use your plot or your table as evidence where you can.
#
# 1. "Pooling makes the network invariant to translations."
# 2. "The patterns that a convolution layer learns are translation invariant."
# 3. "Pooling gives an almost scale invariant representation; the exact term
#    is equivariant."

# %% [markdown] manual="two_words" points=3
# **Rubric**
#
# 1 point for each sentence: half for the right word with its meaning, half
# for evidence (a number from the plot or the table) or, for sentence 3, for
# seeing that scale is not a shift.
#
# **Model answer.**
#
# 1. Only a little, and only to small shifts: under a shift by one pixel the
#    2x2-pooled edge map still changes by more than a fifth, and the change
#    grows with the shift; it is much less than without pooling.
# 2. The *detection* is equivariant: the same filter is used everywhere, so
#    the map shifts along with the picture (the table shows a gap of 0). The
#    output itself does change, so it is not invariant.
# 3. Invariant and equivariant are two different properties (same output, or
#    output that moves along). Convolution is equivariant to *shifts*, pooling
#    a little invariant to *shifts*. Neither holds for scale: a filter for a
#    3-pixel edge does not answer in the same way to the picture at twice the
#    size.

# %% [markdown]
# ## 4. Normalisation layers
#
# The networks of the course have one more kind of layer: the *norm* layer. It
# has no weights and leaves the shape alone. For each position it looks at the
# vector of the C channels and rescales it.
#
# ### Unit length
#
# The simplest norm layer divides the vector by its length. For a colour
# $(R, G, B)$ that vector has three numbers. For C channels, the new value of
# channel $i$ at the position $(x, y)$ is
#
# $$b^i_{x,y} = \frac{a^i_{x,y}}{\sqrt{\sum_{j=1}^{C} (a^j_{x,y})^2}}$$
#
# What remains is the *direction*: which channels are strong compared with the
# others. How strong they are altogether is gone.
#
# ### Exercise: `unit_norm`
#
# A pixel that is zero in all channels has no direction: it stays zero. Take
# care that it does not become `nan`, which is what 0/0 gives.


# %% solution="unit_norm"
def unit_norm(volume):
    """Divide each pixel's channel vector by its length (root of the sum of squares).

    volume: (H, W, C) floats, with any number of channels C. It is left unchanged.
    A pixel that is zero in all channels stays zero: no nan.
    Returns a new array of floats (H, W, C).
    """
    ### BEGIN SOLUTION
    length = np.sqrt((volume**2).sum(axis=2, keepdims=True))
    return volume / np.where(length > 0, length, 1)
    ### END SOLUTION


# %% check="unit_norm" points=2
colours = np.array(
    [[[3.0, 4.0, 0.0], [0.0, 0.0, 0.0]], [[1.0, 2.0, -2.0], [0.1, 0.1, 0.1]]]
)
check("four colours, one of them black", unit_norm(colours))
check("ten times as bright", unit_norm(10 * colours))
kept = colours.copy()
check("the volume is left unchanged", (unit_norm(kept), kept))
### BEGIN HIDDEN TESTS
spots = np.arange(24.0).reshape(2, 3, 4) - 9
spots[1, 1:] = 0
check("every length", np.sqrt((unit_norm(spots) ** 2).sum(axis=2)))
rng = check.rng()
spots = rng.normal(size=(6, 4))
spots[:2] = 0
spots = rng.permutation(spots).reshape(2, 3, 4)
check("four channels, two black pixels", unit_norm(spots))
check("faint colours", unit_norm(rng.uniform(1e-3, 3e-3, size=(2, 2, 3))), rtol=1e-2)
volume = rng.normal(size=(4, 3, 6))
check("six channels, both signs", unit_norm(volume))
check("two channels", unit_norm(volume[:, :, :2]))
check("another volume is left unchanged", (unit_norm(volume), volume))
### END HIDDEN TESTS


# %% mistakes="unit_norm"
def _safe(length):
    return np.where(length > 0, length, 1)


def divides_zero_by_zero(volume):
    """A pixel that is zero in all channels gives 0/0. What should it stay?"""
    with np.errstate(invalid="ignore"):
        return volume / np.sqrt((volume**2).sum(axis=2, keepdims=True))


def divides_in_place(volume):
    """The numbers are right, but your function changes the volume that it was given: `/=` writes into it, and the photograph is spoilt for all that follows. Make a new array: volume / ..."""
    volume /= _safe(np.sqrt((volume**2).sum(axis=2, keepdims=True)))
    return volume


def squares_in_place(volume):
    """Your function changes the volume that it was given: `**=` or `*=` writes into it. Compute the squares in an array of their own."""
    given = volume.copy()
    volume *= volume
    return given / _safe(np.sqrt(volume.sum(axis=2, keepdims=True)))


def takes_faint_for_black(volume):
    """A faint pixel has a direction, too. Only one that is exactly zero in all channels stays zero."""
    length = np.sqrt((volume**2).sum(axis=2, keepdims=True))
    return np.where(length > 1e-2, volume / _safe(length), 0)


def divides_by_the_sum(volume):
    """You divide by the sum of the absolute values. The length is the root of the sum of squares."""
    return volume / _safe(np.abs(volume).sum(axis=2, keepdims=True))


def forgets_the_root(volume):
    """You divide by the squared length. Is the root missing?"""
    return volume / _safe((volume**2).sum(axis=2, keepdims=True))


def takes_the_whole_volume(volume):
    """You use one length for the whole volume. Each pixel has its own."""
    return volume / _safe(np.sqrt((volume**2).sum()))


def takes_each_channel(volume):
    """You measure the length of each channel over all pixels. Measure that of each pixel over its channels."""
    return volume / _safe(np.sqrt((volume**2).sum(axis=(0, 1), keepdims=True)))


def takes_three_channels(volume):
    """Your length counts the first three channels only; a volume can have more or fewer."""
    return volume / _safe(np.sqrt((volume[..., :3] ** 2).sum(axis=2, keepdims=True)))


# %% [markdown]
# What is it good for? Put half of the photograph into the shade. The
# normalised pictures look alike: brightness is gone, colour is left. (In a
# network this is done to feature maps, where *colour* is the mix of patterns.)

# %% tags=["folded"]
# Draws the photograph in the shade, before and after.
shaded = photo.copy()
shaded[:, 128:] *= 0.35
pictures = {
    "photograph": photo,
    "right half in the shade": shaded,
    "photograph, unit length": unit_norm(photo),
    "shade, unit length": unit_norm(shaded),
}
figure, places = plt.subplots(1, 4, figsize=(9, 2.5), layout="constrained")
for axes, (title, picture) in zip(places, pictures.items(), strict=True):
    axes.imshow(picture)
    axes.set_title(title)
    axes.set_axis_off()
plt.show()
gap = np.abs(unit_norm(photo) - unit_norm(shaded)).max()
print(f"largest difference between the last two: {gap:.1e}")

# %% [markdown]
# AlexNet has a gentler norm layer after its first two convolutions, *local
# response normalisation*: each value is divided by a number that grows with
# the activity of its neighbouring channels at the same position. Lab 09 builds
# it, and measures what it brings. Does anyone still use it? Hardly. The VGG
# paper (2014) found no gain from it, and *batch normalisation* (2015), which
# learns its scale, took its place. You will meet it in labs 04 and 05.
#
# ### The same from the library
#
# Your pooling layers and their gradient have counterparts. Keras pools a
# batch, (N, H, W, C): `volume[None]` makes a batch of one. TensorFlow finds
# the gradient by itself. To load it takes a few seconds, once.

# %%
import keras
import tensorflow as tf

rng = np.random.default_rng(2)
volume = rng.normal(size=(12, 15, 8)).astype("float32")
upstream = rng.normal(size=(6, 7)).astype("float32")

batch = tf.constant(volume[None, :, :, :1])
with tf.GradientTape() as tape:
    tape.watch(batch)
    pooled = tf.nn.max_pool2d(batch, 2, 2, "VALID")
    error = tf.reduce_sum(pooled[0, :, :, 0] * upstream)

pairs = {
    "max-pooling, 3, stride 2": (
        pool_volume(volume, 3, 2),
        keras.ops.max_pool(volume[None], 3, strides=2)[0],
    ),
    "average pooling, 2": (
        pool_volume(volume, mode="average"),
        keras.ops.average_pool(volume[None], 2)[0],
    ),
    "gradient of max-pooling": (
        max_pool_gradient(volume[:, :, 0], upstream),
        tape.gradient(error, batch)[0, :, :, 0],
    ),
}
for name, (yours, theirs) in pairs.items():
    gap = np.abs(yours - np.asarray(theirs)).max()
    print(f"{name:26} largest difference {gap:.1e}")

# %% [markdown]
# ## 5. Two famous networks, layer by layer
#
# You now know every layer of the classic networks. How large are they? We
# write a network as a list of layers, each a tuple. Nothing is left out, so
# nothing has a default:
#
# | layer | meaning |
# |---|---|
# | `("conv", filters, kernel_size, stride, padding, groups)` | `padding` zeros on every side; each filter has a bias |
# | `("pool", size, stride)` | maximum or average: all the same here |
# | `("norm",)` | local response normalisation |
# | `("flatten",)` | (H, W, C) becomes one long vector |
# | `("dense", units)` | every unit sees the whole vector; each has a bias |
#
# **Groups** come from AlexNet. It was trained on two graphics cards, and in
# some layers each card saw only its own half of the channels. With
# `groups = 2`, half of the filters look at the first half of the channels, the
# other half at the second. So each filter covers C / groups channels.
#
# ### Shapes
#
# | layer | input | output |
# |---|---|---|
# | conv | (H, W, C) | (H', W', filters), see below |
# | pool | (H, W, C) | (H', W', C), see `pooled_size` |
# | norm | any | unchanged |
# | flatten | (H, W, C) | (H · W · C,) |
# | dense | (n,) | (units,) |
#
# ### Exercise: `output_shape`
#
# The filters of a convolution fit as in lab 02; W' goes likewise:
#
# $$H' = \left\lfloor \frac{H + 2\,\text{padding} -
# \text{kernel size}}{\text{stride}} \right\rfloor + 1$$


# %% solution="output_shape"
def output_shape(layer, shape):
    """The shape that a layer makes of its input's shape.

    layer: a tuple as in the table above, such as ("pool", 3, 2).
    shape: (H, W, C), or (n,) before a dense layer; whole numbers, no batch axis.
    Returns a tuple of whole numbers: (H', W', C') or (n,).
    """
    ### BEGIN SOLUTION
    kind, *numbers = layer
    if kind == "conv":
        filters, kernel_size, stride, padding, _ = numbers
        sides = [(n + 2 * padding - kernel_size) // stride + 1 for n in shape[:2]]
        return (*sides, filters)
    if kind == "pool":
        return (*(pooled_size(n, *numbers) for n in shape[:2]), shape[2])
    if kind == "flatten":
        return (int(np.prod(shape)),)
    if kind == "dense":
        return (numbers[0],)
    return shape
    ### END SOLUTION


# %% check="output_shape" points=2
check("AlexNet's first layer", output_shape(("conv", 96, 11, 4, 0, 1), (227, 227, 3)))
check("AlexNet's first pooling", output_shape(("pool", 3, 2), (55, 55, 96)))
check("padding 2, two groups", output_shape(("conv", 256, 5, 1, 2, 2), (27, 27, 96)))
check("pooling a map that is not square", output_shape(("pool", 2, 2), (9, 14, 7)))
check("normalisation keeps the shape", output_shape(("norm",), (27, 27, 96)))
check("flatten 6x6x256", output_shape(("flatten",), (6, 6, 256)))
check("dense", output_shape(("dense", 4096), (9216,)))
### BEGIN HIDDEN TESTS
rng = check.rng()
shape = (*rng.integers((20, 41), (40, 60)).tolist(), 2 * int(rng.integers(2, 5)))
filters = 2 * int(rng.integers(5, 30))
check(
    "not square, stride 2, padding 2, two groups",
    output_shape(("conv", filters, 3, 2, 2, 2), shape),
)
check("overlapping windows, not square", output_shape(("pool", 3, 2), shape))
check("flatten a map that is not square", output_shape(("flatten",), shape))
### END HIDDEN TESTS


# %% mistakes="output_shape"
_right_output_shape = output_shape


def pads_one_side(layer, shape):
    """Padding adds zeros on both sides of the picture."""
    if layer[0] == "conv":
        _, filters, size, stride, padding, _ = layer
        return (*((n + padding - size) // stride + 1 for n in shape[:2]), filters)
    return _right_output_shape(layer, shape)


def forgets_the_padding(layer, shape):
    """Your convolution ignores the padding."""
    if layer[0] == "conv":
        layer = (*layer[:4], 0, layer[5])
    return _right_output_shape(layer, shape)


def keeps_the_depth(layer, shape):
    """A convolution gives one map for each filter: its output is as deep as it has filters."""
    found = _right_output_shape(layer, shape)
    return (*found[:2], shape[2]) if layer[0] == "conv" else found


def divides_the_filters(layer, shape):
    """Groups change how many channels a filter sees, not how many maps come out."""
    found = _right_output_shape(layer, shape)
    return (*found[:2], found[2] // layer[5]) if layer[0] == "conv" else found


def pools_side_by_side(layer, shape):
    """Your pooling windows lie side by side. Here they have a stride of their own."""
    return _right_output_shape(
        ("pool", layer[1], layer[1]) if layer[0] == "pool" else layer, shape
    )


def takes_maps_for_square(layer, shape):
    """You compute one side and use it twice. Height and width can differ."""
    found = _right_output_shape(layer, shape)
    return (found[0], found[0], found[2]) if len(found) == 3 else found


# %% [markdown]
# ### Parameters
#
# A filter of a convolution has kernel_size² · C / groups weights and one
# bias. It has them *once*, however often it is used: that is parameter
# sharing. A unit of a dense layer has one weight for each number of the vector
# and one bias. All other layers of the table have no parameters at all.
#
# ### Exercise: `parameters`


# %% solution="parameters"
def parameters(layer, shape):
    """How many parameters (weights and biases) a layer has.

    layer: a tuple as in the table above. shape: the shape of its *input*.
    Returns a whole number (int); 0 for pool, norm and flatten.
    """
    ### BEGIN SOLUTION
    kind, *numbers = layer
    if kind == "conv":
        filters, kernel_size, _, _, groups = numbers
        return filters * (kernel_size**2 * shape[2] // groups + 1)
    if kind == "dense":
        return numbers[0] * (shape[0] + 1)
    return 0
    ### END SOLUTION


# %% check="parameters" points=2
check("LeNet-5's first layer", parameters(("conv", 6, 5, 1, 0, 1), (32, 32, 1)))
check(
    "AlexNet's first layer, parameters",
    parameters(("conv", 96, 11, 4, 0, 1), (227, 227, 3)),
)
check("two groups", parameters(("conv", 256, 5, 1, 2, 2), (27, 27, 96)))
check("a dense layer", parameters(("dense", 10), (84,)))
check("pooling has none", parameters(("pool", 2, 2), (28, 28, 6)))
### BEGIN HIDDEN TESTS
rng = check.rng()
filters, channels, units = rng.integers((10, 3, 20), (60, 9, 90)).tolist()
layers = [("norm",), ("flatten",), ("pool", 3, 2), ("conv", filters, 1, 1, 0, 1)]
order = [0, 1, *rng.permutation([2, 3, 3, 3])]
check(
    "norm, flatten, pool and filters of one pixel",
    [parameters(layers[i], (6, 6, channels)) for i in order],
)
check(
    "a convolution, not square",
    parameters(("conv", filters, 5, 1, 2, 1), (9, 14, channels)),
)
check(
    "four groups, not square",
    parameters(("conv", 4 * filters, 3, 2, 1, 4), (9, 14, 4 * channels)),
)
check("another dense layer", parameters(("dense", units), (filters * channels,)))
### END HIDDEN TESTS


# %% mistakes="parameters"
_right_parameters = parameters


def forgets_the_biases(layer, shape):
    """The biases are missing: one for each filter, one for each unit."""
    found = _right_parameters(layer, shape)
    return found - layer[1] if found else 0


def ignores_the_groups(layer, shape):
    """Your filters see all channels. With groups each sees only its share."""
    return _right_parameters((*layer[:5], 1) if layer[0] == "conv" else layer, shape)


def counts_every_position(layer, shape):
    """You count a filter anew at every position. All positions share its weights and its bias."""
    found = _right_parameters(layer, shape)
    if layer[0] == "conv":
        height, width, _ = output_shape(layer, shape)
        return found * height * width
    return found


def forgets_the_channels(layer, shape):
    """Your filter is flat. It reaches through all the channels of its group."""
    return _right_parameters(
        layer, (*shape[:2], layer[5]) if layer[0] == "conv" else shape
    )


def shares_one_bias(layer, shape):
    """You count one bias for the whole layer. Each filter and each unit has its own."""
    found = _right_parameters(layer, shape)
    return found - layer[1] + 1 if found else 0


def gives_pooling_weights(layer, shape):
    """Pooling only picks or averages: there is nothing in it to learn."""
    return layer[1] ** 2 if layer[0] == "pool" else _right_parameters(layer, shape)


# %% [markdown]
# ### Trace a whole network
#
# The output of one layer is the input of the next.
#
# ### Exercise: `trace`
#
# Walk down the list, and carry the shape along.


# %% solution="trace"
def trace(layers, input_shape):
    """Follow the shape through a network and count its parameters.

    layers: a list of layer tuples as in the table above.
    input_shape: the shape of the network's input, such as (227, 227, 3).
    Returns a list with one row for each layer, in order:
    (name, output shape, parameters), where the name is the tuple's first item.
    """
    ### BEGIN SOLUTION
    rows, shape = [], input_shape
    for layer in layers:
        count = parameters(layer, shape)
        shape = output_shape(layer, shape)
        rows.append((layer[0], shape, count))
    return rows
    ### END SOLUTION


# %% [markdown]
# The two networks. LeNet-5 (1998) read digits on cheques; today it is usually
# built as below. AlexNet (2012) won the ImageNet competition. Its layers
# come from the paper; the input is 227x227, as the slides have it, since the
# paper's 224 does not fit its own first layer.

# %%
LENET5 = [
    ("conv", 6, 5, 1, 0, 1),
    ("pool", 2, 2),
    ("conv", 16, 5, 1, 0, 1),
    ("pool", 2, 2),
    ("flatten",),
    ("dense", 120),
    ("dense", 84),
    ("dense", 10),
]
ALEXNET = [
    ("conv", 96, 11, 4, 0, 1),
    ("norm",),
    ("pool", 3, 2),
    ("conv", 256, 5, 1, 2, 2),
    ("norm",),
    ("pool", 3, 2),
    ("conv", 384, 3, 1, 1, 1),
    ("conv", 384, 3, 1, 1, 2),
    ("conv", 256, 3, 1, 1, 2),
    ("pool", 3, 2),
    ("flatten",),
    ("dense", 4096),
    ("dense", 4096),
    ("dense", 1000),
]


# %% check="trace" points=3
def names(layers, input_shape):
    return [row[0] for row in trace(layers, input_shape)]


def shapes(layers, input_shape):
    return tuple(np.array(row[1]) for row in trace(layers, input_shape))


def counts(layers, input_shape):
    return [row[2] for row in trace(layers, input_shape)]


lenet5 = [("conv", 6, 5, 1, 0, 1), ("pool", 2, 2), ("conv", 16, 5, 1, 0, 1)]
lenet5 += [("pool", 2, 2), ("flatten",), ("dense", 120), ("dense", 84), ("dense", 10)]
check("LeNet-5: names", names(lenet5, (32, 32, 1)))
check("LeNet-5: shapes", shapes(lenet5, (32, 32, 1)))
check("LeNet-5: parameters", counts(lenet5, (32, 32, 1)))

from labkit import models

check(
    "LeNet-5: your count less Keras's",
    sum(counts(lenet5, (32, 32, 1))) - models.lenet5().count_params(),
)
### BEGIN HIDDEN TESTS
alexnet = [("conv", 96, 11, 4, 0, 1), ("norm",), ("pool", 3, 2)]
alexnet += [("conv", 256, 5, 1, 2, 2), ("norm",), ("pool", 3, 2)]
alexnet += [("conv", 384, 3, 1, 1, 1), ("conv", 384, 3, 1, 1, 2)]
alexnet += [("conv", 256, 3, 1, 1, 2), ("pool", 3, 2), ("flatten",)]
alexnet += [("dense", 4096), ("dense", 4096), ("dense", 1000)]
check("AlexNet: shapes", shapes(alexnet, (227, 227, 3)))
check("AlexNet: parameters", counts(alexnet, (227, 227, 3)))
dense = [("dense", 7), ("dense", 3)]
check(
    "two dense layers: names, parameters", (names(dense, (20,)), counts(dense, (20,)))
)
rng = check.rng()
few, more, units = rng.integers((3, 10, 50), (9, 30, 90)).tolist()
side = (*rng.integers((12, 31), (30, 50)).tolist(), 3)
small = [("conv", few, 3, 1, 0, 1), ("pool", 2, 2), ("conv", more, 3, 2, 1, 1)]
small += [("flatten",), ("dense", units)]
check("a map that is not square: shapes", shapes(small, side))
check("a map that is not square: parameters", counts(small, side))
dense = [("dense", units), ("dense", few)]
check("dense layers only: parameters", counts(dense, (more,)))
### END HIDDEN TESTS


# %% mistakes="trace"
_right_trace = trace


def does_not_carry_the_shape(layers, input_shape):
    """Every layer of yours sees the network's input. It should see the output of the layer before."""
    shapes = [input_shape] * len(layers)
    for index, layer in enumerate(layers):
        usable = len(shapes[index]) == (1 if layer[0] == "dense" else 3)
        if not usable:
            shapes[index] = (int(np.prod(input_shape)),)
    return [
        (layer[0], output_shape(layer, shape), parameters(layer, shape))
        for layer, shape in zip(layers, shapes, strict=True)
    ]


def counts_with_the_output(layers, input_shape):
    """You count a layer's parameters with its output's shape. They depend on its input."""
    rows, shape = [], input_shape
    for layer in layers:
        shape = output_shape(layer, shape)
        rows.append((layer[0], shape, parameters(layer, shape)))
    return rows


def adds_up_as_it_goes(layers, input_shape):
    """Your counts add up from row to row. Each row holds its own layer's parameters."""
    rows = _right_trace(layers, input_shape)
    return [
        (*row[:2], int(total))
        for row, total in zip(rows, np.cumsum([r[2] for r in rows]), strict=True)
    ]


def leaves_out_layers_without_parameters(layers, input_shape):
    """You leave out the layers that have no parameters. Every layer has a row."""
    return [row for row in _right_trace(layers, input_shape) if row[2]]


def gives_the_input_shapes(layers, input_shape):
    """Your rows hold the shape that goes into each layer. The one that comes out is asked for."""
    rows = _right_trace(layers, input_shape)
    shapes = [input_shape, *(row[1] for row in rows)]
    return [
        (name, shape, count)
        for (name, _, count), shape in zip(rows, shapes, strict=False)
    ]


# %% [markdown]
# Here are their volumes, from your trace: a block is as high as its maps and
# as wide as their number.


# %% tags=["folded"]
# Draws the volumes of both networks.
def draw_network(axes, title, layers, input_shape):
    """Draw the volumes of a network in a row: height for the side, width for the depth."""
    rows = [("input", input_shape, 0), *trace(layers, input_shape)]
    volumes = [row for row in rows if len(row[1]) == 3 and row[0] != "norm"]
    widest = max(shape[2] for _, shape, _ in volumes)
    left = 0.0
    for name, (height, width, channels), _ in volumes:
        colour = {"input": "0.5", "conv": plots.BLUE, "pool": plots.ORANGE}[name]
        share = max(channels / widest, 0.02)
        axes.bar(left, height, share, color=colour, align="edge")
        text = f"{name}\n{height}x{width}\n{channels}"
        axes.text(left, height + 0.02 * input_shape[0], text, size=8, va="bottom")
        left += share + 0.45
    axes.set(title=title, ylim=(0, 1.4 * input_shape[0]))
    axes.set_axis_off()


figure, places = plt.subplots(2, 1, figsize=(9, 5), layout="constrained")
draw_network(places[0], "LeNet-5", LENET5, (32, 32, 1))
draw_network(places[1], "AlexNet", ALEXNET, (227, 227, 3))
plt.show()

# %% [markdown]
# ### The same from Keras
#
# `labkit.models` holds both networks as Keras models. Does Keras count as you
# do, layer by layer? First its own summary of LeNet-5, then both networks next
# to yours. (Building AlexNet fills 60 million weights with random numbers.
# Dropout layers, which Keras lists too, change neither shape nor count.)

# %%
from labkit import models

models.lenet5().summary()


# %%
def compare(layers, input_shape, model):
    """Print your trace of a network beside Keras's layers."""
    known = [layer for layer in model.layers if "dropout" not in layer.name]
    rows = trace(layers, input_shape)
    print(f"\n{model.name:10}{'your shape':>16}{'parameters':>14}{'Keras':>14}")
    for (name, shape, count), layer in zip(rows, known, strict=True):
        equal = count == layer.count_params() and tuple(shape) == layer.output.shape[1:]
        mark = "✓" if equal else f"✗ {layer.output.shape[1:]}"
        text = " x ".join(map(str, shape))
        print(f"{name:10}{text:>16}{count:>14,}{layer.count_params():>14,} {mark}")
    print(
        f"{'all':10}{'':16}{sum(row[2] for row in rows):>14,}{model.count_params():>14,}"
    )


compare(LENET5, (32, 32, 1), models.lenet5())
if profile.pick(quick=True, full=True, grading=False):
    compare(ALEXNET, (227, 227, 3), models.alexnet())

# %% [markdown]
# ### Where are the parameters, and where is the work?
#
# Memory is one cost, time is another. To compute one output of a convolution,
# each weight of a filter is multiplied once and added once: a
# *multiply-add*. Biases are only added; we do not count them. A filter is
# used at every position, a dense unit once:
#
# $$\text{multiply-adds} = (\text{parameters} - \text{biases}) \times
# \text{positions}$$
#
# ### Exercise: `multiply_adds`
#
# A row of your trace tells all of it. The last number of the output shape is
# the number of filters or units, and each has one bias. The numbers before it
# are the height and the width of the map; a dense layer has none, and 1
# position. (`math.prod` multiplies the items of a tuple; of an empty one it
# makes 1.)


# %% solution="multiply_adds"
def multiply_adds(row):
    """How many multiply-adds a layer needs for one picture.

    row: (name, output shape, parameters), as `trace` gives them.
    Returns a whole number (int); 0 for a layer without parameters.
    """
    ### BEGIN SOLUTION
    _, shape, count = row
    if count == 0:
        return 0
    return (count - shape[-1]) * math.prod(shape[:-1])
    ### END SOLUTION


# %% check="multiply_adds" points=2
check("LeNet-5's first layer, 28x28x6", multiply_adds(("conv", (28, 28, 6), 156)))
check("a dense layer of 10 units", multiply_adds(("dense", (10,), 850)))
check("a pooling layer", multiply_adds(("pool", (14, 14, 6), 0)))
### BEGIN HIDDEN TESTS
rng = check.rng()
height, width, weights = rng.integers((10, 20, 20), (20, 40, 90)).tolist()
filters, units = rng.integers(5, 60, size=2).tolist()
rows = [("conv", (width, width, filters), filters * (weights + 1))]
rows += [("flatten", (width * width * filters,), 0)]
check(
    "flatten, and some square maps",
    [multiply_adds(rows[i]) for i in rng.permutation([0, 0, 0, 1])],
)
rows = [("conv", (height, width, filters), filters * (weights + 1))]
rows += [("conv", (width, height, units), units * (weights + 1))]
check("maps that are not square", tuple(multiply_adds(row) for row in rows))
rows = [("dense", (n,), n * (weights + 1)) for n in (filters, units)]
check("two dense layers", tuple(multiply_adds(row) for row in rows))
### END HIDDEN TESTS


# %% mistakes="multiply_adds"
def counts_the_biases(row):
    """You multiply with the biases too. They are only added."""
    return row[2] * int(np.prod(row[1][:-1]))


def forgets_the_positions(row):
    """Those are the weights. How often is a filter used on one picture?"""
    return row[2] - row[1][-1] if row[2] else 0


def subtracts_biases_that_are_not_there(row):
    """A layer without parameters comes out negative: it has no biases either."""
    return (row[2] - row[1][-1]) * int(np.prod(row[1][:-1]))


def counts_the_filters_twice(row):
    """The parameters of the row are those of all filters. You multiply by the number of filters once more."""
    return (row[2] - row[1][-1]) * int(np.prod(row[1])) if row[2] else 0


# %% tags=["folded"]
# Draws where AlexNet's parameters are, and where its work is.
rows = [row for row in trace(ALEXNET, (227, 227, 3)) if row[2]]
names = [f"{row[0]} {number}" for number, row in enumerate(rows, start=1)]
memory = np.array([row[2] for row in rows])
work = np.array([multiply_adds(row) for row in rows])
colours = [plots.BLUE if row[0] == "conv" else plots.ORANGE for row in rows]

figure, places = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
totals = {"parameters": memory, "multiply-adds": work}
for axes, (title, values) in zip(places, totals.items(), strict=True):
    bars = axes.barh(names, values / values.sum(), color=colours)
    axes.bar_label(bars, [f"{value:,}" for value in values], padding=3, size=8)
    axes.set(title=f"AlexNet: {values.sum():,} {title}", xlim=(0, 0.85))
    axes.xaxis.set_major_formatter(lambda share, _: f"{share:.0%}")
    axes.grid(axis="x")
places[0].invert_yaxis()
plt.show()

conv = np.array([row[0] == "conv" for row in rows])
neurons = sum(int(np.prod(row[1])) for row in rows)
print(
    f"The convolutions hold {memory[conv].sum() / memory.sum():.1%} of the parameters"
)
print(f"and do {work[conv].sum() / work.sum():.1%} of the multiply-adds.")
print(f"Neurons (outputs of these layers): {neurons:,}")

# %% [markdown]
# The paper sums AlexNet up as "60 million parameters and 650,000
# neurons",<sup>[2](#Footnotes)</sup> in seven hidden layers with weights: five
# convolutions and two dense ones; the output layer is the eighth. Your
# parameters agree. The 650,000 are the neurons of the convolutions, 650,080;
# the dense layers add 9,192.
#
# ### A question on pooling and parameters
#
# It is often said that pooling "reduces the number of parameters". It has none
# itself. So how can that be?
#
# Leave out AlexNet's last pooling layer: the first dense layer then sees
# 13x13x256 numbers, not 6x6x256. How many parameters does that dense layer
# have with, and how many without the pooling? And with *global average
# pooling* in the place of the pooling and the flattening? Which layers of a
# network save parameters through pooling, and which do not?

# %% [markdown] manual="where_parameters" points=2
# **Rubric**
#
# - 1 point: the three counts (half a point for two of them; leaving out the
#   biases, 37,748,736, 177,209,344 and 1,048,576, is fine).
# - 1 point: the dense layer after the flattening, not the convolutions
#   (half), with the reason that a filter's size does not depend on the map's
#   (half).
#
# **Model answer.** With pooling: 4096 · (6·6·256 + 1) = 37,752,832. Without:
# 4096 · (13·13·256 + 1) = 177,213,440, nearly five times as many. With global
# average pooling: 4096 · (256 + 1) = 1,052,672. Only the first dense layer
# after the flattening saves parameters, since each of its units has a weight
# for each number. The convolutions after a pooling layer keep the same
# number: their filters do not depend on the size of the map. They save time,
# because there are fewer positions.

# %% [markdown]
# ## Summary
#
# - Pooling replaces each window by its maximum, average or sum. Channels stay
#   apart. Of $n$ pixels in a row it makes
#   $\lfloor (n - \text{size})/\text{stride} \rfloor + 1$.
# - It has no parameters. It saves memory and time in the convolutions that
#   follow, and parameters in the first dense layer.
# - Back through the maximum, the gradient goes to the winner alone; back
#   through the average, to all in equal shares.
# - Convolution is *equivariant* to shifts. Pooling makes the output *a little
#   invariant*, at the price of some equivariance.
# - Norm layers rescale each position's channels, for example to unit length.
# - In AlexNet the convolutions do nine tenths of the work; the dense layers
#   hold more than nine tenths of the parameters.
#
# ## Going further
#
# - Is pooling needed at all? A convolution with stride 2 shrinks maps too, and
#   learns how. The slides end on this trend. Springenberg et al. (2014) build
#   networks of convolutions alone. Replace a pooling layer in lab 05 and see.
# - Blur before you skip: Zhang (2019) shows that a small blur before each
#   stride gives back much of the lost shift-equivariance. Add a box filter to
#   `shift_response` and plot it.
# - Write `average_pool_gradient(image, upstream, size=2)`, and test it with
#   `nudged`. No loop is needed: `np.kron` repeats each number of a table.
# - Extend `max_pool_gradient` to overlapping windows. A pixel can then win
#   several times: its gradients add up.
# - The original LeNet-5 differs from ours: its pooling layers *had* a trained
#   factor and a bias for each map, and its second convolution did not connect
#   all maps. Look up the numbers in the paper and count again.
#
# ## Footnotes
#
# Where this lab and the course's slides differ:
#
# 1. One slide says that a small distortion of the input *will not* change the
#    output of pooling; that is too strong. Another calls a representation
#    "almost scale invariant (the exact term is equivariant)": these are two
#    different things.
# 2. The slides add "630M connections". The layers as the paper prints them give
#    724 million multiply-adds.
#
# ## Sources
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: *Gradient-based learning applied
#   to document recognition.* Proc. IEEE 86, 1998. (LeNet-5)
# - A. Krizhevsky, I. Sutskever, G. Hinton: *ImageNet classification with deep
#   convolutional neural networks.* NIPS 2012. (AlexNet; overlapping pooling in
#   section 3.4, local response normalisation in 3.3)
# - D. Scherer, A. Müller, S. Behnke: *Evaluation of pooling operations in
#   convolutional architectures for object recognition.* ICANN 2010.
# - M. Lin, Q. Chen, S. Yan: *Network in network.* arXiv:1312.4400, 2013.
# - K. Simonyan, A. Zisserman: *Very deep convolutional networks for large-scale
#   image recognition.* arXiv:1409.1556, 2014.
# - J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller: *Striving for
#   simplicity: the all convolutional net.* arXiv:1412.6806, 2014.
# - S. Ioffe, C. Szegedy: *Batch normalization.* ICML 2015.
# - R. Zhang: *Making convolutional networks shift-invariant again.* ICML 2019.
# - Stanford course CS231n, notes on convolutional networks:
#   <https://cs231n.github.io/convolutional-networks/>
# - The course's slides: on CNN basics (kinds of pooling, what it is said to be
#   good for), on the cats-and-dogs network (unit-length norm layer) and on the
#   ImageNet network (overlapping pooling, counts).
# - Photograph: `china.jpg` of scikit-learn's sample images.
