# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "2 · Filters"
#     summary: Slide small windows over pictures, by hand, then fast, then as Keras does it.
#     minutes: 150
#     grading_seconds: 10
#     sample_mistakes: [forgets_the_first_place, rotates_the_kernel, without_the_biases]
# ---

# %% [markdown]
# # 2 · Filters
#
# A neuron that looks at a whole photograph needs a weight for every number in
# it: 819,840 for the picture below. And if it has learned to see a roof in
# the upper left corner, it has learned nothing about roofs in the lower
# right. A convolutional network does it another way. It looks through a
# small window, and slides that window over the whole picture. This lab builds
# that window, the one idea behind every network in this course.
#
# **You will be able to**
#
# - compute what a filter answers at one place, and at all places;
# - say how large the result is, for any stride and padding;
# - read a 3x3 filter: does it blur, sharpen or find edges?
# - let a filter learn its weights from what it should answer;
# - build a convolutional layer: many channels in, many feature maps out;
# - count its parameters, and say what sharing them saves and costs;
# - say how much of the picture a neuron deep in a network can see;
# - write the same thing some hundred times as fast, and get the same numbers
#   from Keras.
#
# **Time**: about two and a half hours: half an hour to read and to play, eight
# minutes for each of twelve exercises, ten for each of the two questions that
# are answered in words. After section 6 is a good moment for a break.
#
# **You need** lab 01: weighted sums, biases, counting parameters. From NumPy:
# `a.shape`, slices such as `a[2:5, 0:3]`, `a * b`, `a.sum()`, and `for` loops.
#
# **How it works.** Write your code where it says `# YOUR CODE HERE`, then run
# the check cell below it. When the lab is graded, hidden checks run too: the
# same functions, other inputs.

# %%
import sys
import time

import matplotlib.pyplot as plt
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from labkit import check, data, plots, profile
from labkit.widgets.convolution import (
    explore_kernel,
    explore_learning,
    explore_sliding_window,
)

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## 1. A picture is a table of numbers
#
# A grey picture is an array of shape $(H, W)$: $H$ rows, $W$ columns, one
# number for each pixel, from 0 for black to 255 for
# white.<sup>[1](#Footnotes)</sup> A colour picture has three such tables, its
# **channels** red, green and blue: shape $(H, W, 3)$.
#
# Rows come first: `picture[3, 5]` is row 3, column 5, counted from the upper
# left corner, and from 0.

# %%
photo = data.photograph("china")
grey = photo.mean(axis=2)
print("in colour:", photo.shape, photo.dtype, f"{photo.size:,} numbers")
print("in grey:  ", grey.shape, grey.dtype)


# %% tags=["folded"]
# A function that draws an array as a table.
def draw_table(ax, numbers, title="", signed=False, frame=None):
    """Draw an array as a table. `frame`: (row, column, size) of a window to mark."""
    numbers = np.asarray(numbers)
    limit = np.abs(numbers).max() or 1
    if signed:
        ax.imshow(numbers, cmap="RdBu", vmin=-2 * limit, vmax=2 * limit)
    else:
        ax.imshow(numbers, cmap="gray", vmin=-2 * limit, vmax=limit)
    for (row, column), number in np.ndenumerate(numbers):
        ax.text(column, row, f"{number:.3g}", ha="center", va="center", size=8)
    if frame:
        row, column, size = frame
        corner = (column - 0.5, row - 0.5)
        ax.add_patch(
            plt.Rectangle(corner, size, size, fill=False, ec=plots.VERMILION, lw=3)
        )
    ax.set(title=title, xticks=[], yticks=[])


# %% tags=["folded"]
# Draws the photograph, and a part of it as numbers.
top, left = 28, 196
fig, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
axes[0].imshow(photo)
axes[0].add_patch(
    plt.Rectangle((left, top), 12, 9, fill=False, ec=plots.VERMILION, lw=2)
)
axes[0].annotate(
    "", (left + 14, top + 4), (left + 90, top + 4), arrowprops={"arrowstyle": "-|>"}
)
axes[0].set_title(f"photo: {photo.shape}")
axes[0].set_axis_off()
patch = grey[top : top + 9, left : left + 12]
draw_table(axes[1], patch.round(), f"the marked part of grey: {patch.shape}")
plt.show()

# %% [markdown]
# **Beware of bytes.** A photograph's numbers are of the type `uint8`: whole
# numbers from 0 to 255, one byte each. Arithmetic in bytes silently starts
# again at 0 when it passes 255. Turn pixels into decimal numbers before you
# calculate with them.

# %%
pixel = np.array([200], dtype=np.uint8)
print("in bytes: 200 + 100 =", pixel + np.uint8(100))
print("decimal:  200 + 100 =", pixel.astype(float) + 100)

# %% [markdown]
# ## 2. One window, one number
#
# Take a small part of the picture, the **window** or **patch**, and a table
# of weights of the same size, the **filter** or **kernel**. Multiply what lies
# on the same place, and add everything up:
#
# $$y = \sum_{a=0}^{k-1} \sum_{b=0}^{k-1} w_{ab} \, x_{ab}$$
#
# This is the weighted sum of lab 01, for a neuron that sees $k \times k$
# pixels and no more. The pixels that a neuron sees are its [**receptive
# field**](../glossary.md#receptive-field). The name comes from biology: Hubel
# and Wiesel found cells in the visual cortex that answer only to a line in one
# small part of the visual field, and only if it has the right direction.
#
# Such a neuron says how well the patch agrees with the filter. Here is a
# filter that looks for one particular curve, and two patches.

# %%
curve = np.array(
    [
        [0, 0, 0, 0, 0, 30, 0],
        [0, 0, 0, 0, 30, 0, 0],
        [0, 0, 0, 30, 0, 0, 0],
        [0, 0, 0, 30, 0, 0, 0],
        [0, 0, 0, 30, 0, 0, 0],
        [0, 0, 0, 30, 0, 0, 0],
        [0, 0, 0, 0, 0, 0, 0],
    ]
)
matching = np.array(
    [
        [0, 0, 0, 0, 0, 0, 30],
        [0, 0, 0, 0, 50, 50, 50],
        [0, 0, 0, 20, 50, 0, 0],
        [0, 0, 0, 50, 50, 0, 0],
        [0, 0, 0, 50, 50, 0, 0],
        [0, 0, 0, 50, 50, 0, 0],
        [0, 0, 0, 50, 50, 0, 0],
    ]
)
other = np.array(
    [
        [0, 50, 50, 0, 0, 0, 0],
        [0, 0, 50, 30, 0, 0, 0],
        [0, 0, 0, 0, 50, 0, 0],
        [0, 0, 0, 0, 50, 20, 0],
        [0, 0, 0, 0, 0, 50, 0],
        [0, 0, 0, 0, 0, 50, 0],
        [0, 0, 0, 0, 0, 50, 30],
    ]
)

# %% tags=["folded"]
# Draws the filter and the two patches.
fig, axes = plt.subplots(1, 3, figsize=(9, 3.1), layout="constrained")
draw_table(axes[0], curve, "curve: the filter", signed=True)
draw_table(axes[1], matching, "matching: a patch with that curve")
draw_table(axes[2], other, "other: a patch with another one")
plt.show()

# %% [markdown]
# ### Exercise: `response`
#
# Work out the two answers by hand first. Most products are zero; for the
# matching patch five are left.


# %% solution="response"
def response(patch, kernel):
    """What a filter answers to one patch: the sum of all products.

    patch: pixels (k, k). kernel: weights (k, k). Both of any number type, uint8 too.
    Returns one decimal number.
    """
    ### BEGIN SOLUTION
    return float(np.sum(np.asarray(patch, float) * np.asarray(kernel, float)))
    ### END SOLUTION


# %% check="response" points=1
check("the patch with the curve", response(matching, curve))
check("the patch with another curve", response(other, curve))
check(
    "bytes: nine times 200 times 2",
    response(np.full((3, 3), 200, np.uint8), np.full((3, 3), 2, np.uint8)),
)
### BEGIN HIDDEN TESTS
check("a single pixel", response(np.array([[7.0]]), np.array([[-3.0]])))
rng = check.rng()
check(
    "weights of both signs, pixels between 0 and 1",
    response(rng.uniform(size=(4, 4)), rng.normal(size=(4, 4))),
    atol=1e-5,
)
some_bytes = rng.integers(0, 256, size=(9, 9), dtype=np.uint8)
weights = np.arange(81, dtype=np.uint8).reshape(9, 9)
check("bytes, window 9", response(some_bytes, weights))
### END HIDDEN TESTS


# %% mistakes="response"
def multiplies_matrices(patch, kernel):
    """`@` multiplies rows by columns. Here each pixel is multiplied by the one weight that lies on it."""
    return np.sum(np.asarray(patch, float) @ np.asarray(kernel, float))


def stays_in_bytes(patch, kernel):
    """200 times 2 is not 144. Your products start again at 0 behind 255: which type do the numbers have?"""
    return np.sum(patch * kernel)


def reads_bytes_with_a_sign(patch, kernel):
    """Pixels above 127 became negative in yours, or decimal numbers lost what stands behind the point: which type did you turn them into?"""
    return float(np.sum(np.asarray(patch).astype(np.int8) * np.asarray(kernel, float)))


def computes_with_few_digits(patch, kernel):
    """Your numbers have 16 bits: few digits, and an end at 65,504. Compute with `float`."""
    with np.errstate(over="ignore"):
        return float(np.sum(np.float16(patch) * np.float16(kernel)))


def takes_the_mean(patch, kernel):
    """You divided by the number of pixels. The formula has a sum and no mean."""
    return np.mean(np.asarray(patch, float) * np.asarray(kernel, float))


def sums_before_it_multiplies(patch, kernel):
    """You added up pixels and weights on their own. Multiply place by place first, then add."""
    return np.sum(patch, dtype=float) * np.sum(kernel, dtype=float)


# %% [markdown]
# 6,600 against 0: the filter tells the curves apart. But is it a good
# detector? Try a patch without any curve, evenly dark grey, 60 everywhere:

# %%
print("evenly 60:", response(np.full((7, 7), 60), curve))

# %% [markdown]
# ### Exercise: `balanced`
#
# A dull patch beats the curve! The filter has no negative weights: it
# rewards brightness wherever it looks, and nothing counts against it. The
# cure: take the **mean of all weights** away from each of them. Then the
# weights sum to zero, and what an even patch gains on the curve, it loses
# beside it.


# %% solution="balanced"
def balanced(kernel):
    """The filter minus the mean of its weights, so that they sum to zero.

    kernel: weights (k, k), whole or decimal numbers; it is not changed.
    Returns a new array (k, k) of decimal numbers, also where they sum to zero already.
    """
    ### BEGIN SOLUTION
    kernel = np.asarray(kernel, dtype=float)
    return kernel - kernel.mean()
    ### END SOLUTION


# %% check="balanced" points=1
check("the curve, balanced", balanced(curve.copy()))
check("four weights", balanced(np.array([[1.0, 2.0], [3.0, 10.0]])))


### BEGIN HIDDEN TESTS
def after_the_call(kernel):
    return balanced(kernel), kernel


def of_its_own(result, given):
    """The result, where it does not lie in the array that was given."""
    return "the array that was given" if np.shares_memory(result, given) else result


rng = check.rng()
check(
    "the weights given are not changed", after_the_call(rng.uniform(1, 9, size=(2, 2)))
)
half = rng.integers(1, 9, size=(4, 2)).astype(float)
even = np.hstack([half, -half])
check(
    "weights that sum to zero, in an array of their own",
    of_its_own(balanced(even), even),
)
nines = 9 * rng.integers(-3, 4, size=(3, 3))
check("whole numbers whose mean is none", balanced(nines + np.eye(3, dtype=int)))
check("nine other weights", balanced(rng.uniform(-5, 5, size=(3, 3))))
### END HIDDEN TESTS


# %% mistakes="balanced"
def makes_the_sum_one(kernel):
    """You divided by the sum, so the weights sum to one. To reach zero, something must be subtracted."""
    return kernel / np.sum(kernel)


def subtracts_the_sum(kernel):
    """You took the whole sum away from every weight. That is k*k times too much."""
    return kernel - np.sum(kernel, dtype=float)


def balances_each_row(kernel):
    """You balanced every row on its own. One mean of all weights is asked for."""
    return kernel - np.mean(kernel, axis=1, keepdims=True)


def returns_a_balanced_one_itself(kernel):
    """Where the weights sum to zero already, you return the array that you were given. A
    new one is asked for, so that nobody changes the old one by mistake.
    """
    return kernel - kernel.mean() if abs(kernel.sum()) > 1e-9 else kernel


def changes_its_input(kernel):
    """Your function changes the array that it was given. Make a new one: kernel - ... instead of kernel -= ..."""
    kernel -= np.mean(kernel).astype(kernel.dtype)
    return kernel


# %%
for name, patch in {
    "matching": matching,
    "other": other,
    "evenly 60": np.full((7, 7), 60),
}.items():
    raw, fair = response(patch, curve), response(patch, balanced(curve))
    print(f"{name:10} {round(raw):6} raw {round(fair):6} balanced")

# %% [markdown]
# <details><summary>Think: why does the other curve now get a negative answer,
# and not 0?</summary>
#
# It is bright where the filter expects darkness. That is evidence *against*
# the curve, and a balanced filter counts it.
# </details>

# %% [markdown]
# ## 3. How many places are there?
#
# Now the window slides. It starts in the upper left corner, moves to the
# right, and at the end of a row begins the next one. The number of pixels
# from one place to the next is the [**stride**](../glossary.md#stride) $s$.
# Sometimes a frame of $p$ zeros is put around the picture first: [**zero
# padding**](../glossary.md#padding). Along an axis of $n$ pixels, a window of
# $k$ pixels then has this many places:
#
# $$n' = \left\lfloor \frac{n + 2p - k}{s} \right\rfloor + 1$$
#
# $\lfloor\;\rfloor$ means: round down. Read it from the right. The first
# place is always there: $+1$. Then $n + 2p - k$ pixels are left on which to
# move on, in steps of $s$. What is left over at the end is never seen.

# %% tags=["folded"]
# Draws the places of a window for three strides.
fig, axes = plt.subplots(1, 3, figsize=(9, 1.9), layout="constrained")
for ax, stride in zip(axes, (1, 2, 3)):
    starts = range(0, 7 - 3 + 1, stride)
    for x in range(7):
        seen = any(start <= x < start + 3 for start in starts)
        fill = plots.RULE if seen else "white"
        ax.add_patch(plt.Rectangle((x, 0), 1, 0.8, fc=fill, ec=plots.MUTED))
    for level, start in enumerate(starts, start=1):
        ax.plot([start + 0.1, start + 2.9], [-level, -level], color=plots.BLUE, lw=5)
    ax.set(title=f"7 pixels, window 3, stride {stride}: {len(starts)} places")
    ax.set(xlim=(-0.1, 7.1), ylim=(-5.7, 1))
    ax.set_axis_off()
axes[2].text(6.5, -0.2, "never\nseen", ha="center", va="top", color=plots.VERMILION)
plt.show()

# %% [markdown]
# ### Exercise: `output_size`


# %% solution="output_size"
def output_size(n, kernel_size, stride=1, padding=0):
    """The number of places of a window along one axis.

    n: pixels of the axis. kernel_size, stride: pixels, at least 1.
    padding: zeros on each of the two sides. Returns a whole number (int).
    Raises ValueError where the padded axis is shorter than the window; the
    error's text names both lengths.
    """
    ### BEGIN SOLUTION
    padded = n + 2 * padding
    if padded < kernel_size:
        raise ValueError(
            f"A window of {kernel_size} pixels does not fit into {padded}."
        )
    return (padded - kernel_size) // stride + 1
    ### END SOLUTION


# %% check="output_size" points=2
def error_of(function, *arguments):
    """The kind and the text of the error that a call raises."""
    try:
        function(*arguments)
    except Exception as error:
        return type(error).__name__, str(error)
    return "no error", ""


check("5 pixels, window 3", output_size(5, 3))
check("AlexNet's first layer: 227, window 11, stride 4", output_size(227, 11, stride=4))
check("5 pixels, window 3, stride 2, padding 1", output_size(5, 3, 2, 1))
check("a rest is left over", output_size(10, 3, stride=2))
kind, text = error_of(output_size, 9, 13)
check("a window of 13 on 9 pixels", kind)
check("both lengths are in the error's text", ["9" in text, "13" in text])
### BEGIN HIDDEN TESTS
check("the window is as long as the axis", output_size(6, 6, stride=3))
check("it fits only thanks to the padding", output_size(3, 5, 1, 1))
rng = check.rng()
n, p = rng.integers((30, 2), (99, 9)).tolist()
check("a window of one pixel", output_size(n, 1))
kind, _ = error_of(output_size, n, n + 2 * p + 1, 1, p)
check("one pixel too long for so much padding", p if kind == "ValueError" else kind)
sizes = list(zip(rng.integers(30, 99, 3).tolist(), rng.integers(3, 12, 3).tolist()))
check("three other axes", tuple(output_size(*size) for size in sizes))
check(
    "three other axes, strides and paddings",
    tuple(
        output_size(k + n * (p + 1), k, p + 1, p) for (n, k), p in zip(sizes, (1, 2, 4))
    ),
)
### END HIDDEN TESTS


# %% mistakes="output_size"
def forgets_the_first_place(n, kernel_size, stride=1, padding=0):
    """One place is missing. A window as long as the axis has one place, not none."""
    if n + 2 * padding < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + 2 * padding}")
    return (n + 2 * padding - kernel_size) // stride


def pads_one_side(n, kernel_size, stride=1, padding=0):
    """Padding adds zeros on both sides of the axis."""
    if n + padding < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + padding}")
    return (n + padding - kernel_size) // stride + 1


def rounds_up(n, kernel_size, stride=1, padding=0):
    """Your last window hangs over the edge. A place counts only if the window fits there whole."""
    if n + 2 * padding < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + 2 * padding}")
    return -(-(n + 2 * padding - kernel_size) // stride) + 1


def forgets_the_stride(n, kernel_size, stride=1, padding=0):
    """You count every pixel as a place, whatever the stride."""
    if n + 2 * padding < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + 2 * padding}")
    return n + 2 * padding - kernel_size + 1


def divides_without_rounding(n, kernel_size, stride=1, padding=0):
    """`/` gives decimal numbers, even 55.0. A number of places is whole: look for the operator that rounds down."""
    if n + 2 * padding < kernel_size:
        raise ValueError(f"{kernel_size} does not fit into {n + 2 * padding}")
    return (n + 2 * padding - kernel_size) / stride + 1


def accepts_what_does_not_fit(n, kernel_size, stride=1, padding=0):
    """No error where the window is too long. Test for it before you divide, and raise ValueError."""
    return (n + 2 * padding - kernel_size) // stride + 1


# %% [markdown]
# <details><summary>Think: the AlexNet paper says its pictures have 224x224
# pixels, and its first layer 55x55 neurons for each filter. Can both be
# right?</summary>
#
# Not with window 11, stride 4 and no padding: `output_size(224, 11, 4)` is 54,
# with 1 pixel left over. 227 gives exactly 55, which is why the slides (and
# most programs) say 227. With a padding of 2 on 224 one also gets 55.
# </details>
#
# Some texts, CS231n's notes among them, call a setting *invalid* when there
# is a rest. Keras and nearly all other programs round down, and so do we.

# %% [markdown]
# ## 4. A frame of zeros
#
# A 3x3 window makes a picture smaller by two pixels along each axis; after
# ten layers twenty are gone. And a pixel in the corner is seen by one window
# only, one in the middle by nine. A frame of zeros heals the first and eases
# the second. With an odd window, stride 1 and
#
# $$p = \frac{k - 1}{2}$$
#
# the result has just the size of the picture. Keras calls that
# `padding="same"`, and no padding `"valid"`.<sup>[2](#Footnotes)</sup>

# %% [markdown]
# ### Exercise: `pad`


# %% solution="pad"
def pad(image, p):
    """Put a frame of zeros, p pixels wide, around a picture.

    image: (H, W), or (H, W, C) with channels, which get no padding.
    Returns a new array (H + 2p, W + 2p), or (H + 2p, W + 2p, C), also where p is 0.
    """
    ### BEGIN SOLUTION
    frame = [(p, p), (p, p)] + [(0, 0)] * (np.ndim(image) - 2)
    return np.pad(image, frame)
    ### END SOLUTION


# %% check="pad" points=1
check("two rows of three, p = 1", pad(np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]), 1))
check("three channels, p = 1", pad(np.arange(1.0, 13.0).reshape(2, 2, 3), 1))
### BEGIN HIDDEN TESTS
two_rows = np.array([[1.0, 2.0], [3.0, 4.0]])
check("p = 0 and p = 1", (pad(two_rows, 0), pad(two_rows, 1)))
rng = check.rng()
two_rows = rng.normal(size=(2, 2))
check("p = 0, in an array of its own", of_its_own(pad(two_rows, 0), two_rows))
p = int(rng.integers(3, 9))
check("a wider frame", pad(rng.normal(size=(2, 3)), p))
check("one channel", pad(rng.normal(size=(3, 2, 1)), p - 1))
### END HIDDEN TESTS


# %% mistakes="pad"
def pads_two_sides_of_four(image, p):
    """The zeros are on two sides only. The frame goes all around: left and right, above and below."""
    return np.pad(image, [(p, 0), (p, 0)] + [(0, 0)] * (np.ndim(image) - 2))


def pads_the_channels(image, p):
    """np.pad(image, p) pads every axis. A picture with three channels must keep three."""
    return np.pad(image, p)


def repeats_the_edge(image, p):
    """Your frame repeats the pixels at the edge. It should hold zeros."""
    frame = [(p, p), (p, p)] + [(0, 0)] * (np.ndim(image) - 2)
    return np.pad(image, frame, mode="edge")


def returns_the_picture_itself(image, p):
    """Without a frame you return the array that you were given. A new one is asked for:
    who writes into it must not change the picture.
    """
    frame = [(p, p), (p, p)] + [(0, 0)] * (np.ndim(image) - 2)
    return np.pad(image, frame) if p else image


def pads_once_in_all(image, p):
    """Your picture grew by p along each axis. It should grow by p on each side."""
    frame = [(p - p // 2, p // 2), (p - p // 2, p // 2)] + [(0, 0)] * (
        np.ndim(image) - 2
    )
    return np.pad(image, frame)


# %% [markdown]
# ## 5. Slide it
#
# One window, many places. The number for row $i$ and column $j$ of the result
# comes from the window whose upper left corner lies at $(i s, j s)$ of the
# padded picture:
#
# $$y_{ij} = \sum_{a=0}^{k-1} \sum_{b=0}^{k-1} w_{ab} \, x_{is + a,\; js + b}$$
#
# All these numbers together are the [**feature
# map**](../glossary.md#feature-map): a picture of where in the picture the
# feature is. Play with it before you write it. Press ▶, or pull the slider
# `step`.
#
# 1. Where is the sum 0, and why?
# 2. Set the stride to 2, then 3. Which pixels does no window see?
# 3. With a padding of 1 the corners of the result are -2, although nothing in
#    the picture changes there. Where does that come from?

# %%
hill = np.array(
    [
        [1, 1, 1, 1, 1, 1, 1],
        [1, 1, 2, 2, 2, 1, 1],
        [1, 2, 9, 9, 9, 2, 1],
        [1, 2, 9, 9, 9, 2, 1],
        [1, 2, 9, 9, 9, 2, 1],
        [1, 1, 2, 2, 2, 1, 1],
        [1, 1, 1, 1, 1, 1, 1],
    ]
)
explore_sliding_window(hill, np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]]))

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The sum is 0 where all pixels under the five weights are equal: this filter
# finds changes. With stride 2 the windows still cover all 7 pixels, and with
# stride 3 the last row and column are never seen. The frame of zeros is darker
# than the picture, and the filter takes that step for an edge. Padding is
# not free of charge.
# </details>
#
# **Convolution?** Mathematicians would first rotate the kernel by 180°, and
# call only that a convolution. What you see above, without the rotation, they
# call *cross-correlation*. In deep learning everybody says
# [convolution](../glossary.md#convolution) and means the formula
# above.<sup>[3](#Footnotes)</sup>

# %% [markdown]
# ### Exercise: `convolve`
#
# The heart of this lab. Use two loops, over the rows and the columns of the
# result, and what you have: `output_size`, `pad` and `response`.
#
# <details><summary>A nudge</summary>
#
# Begin with the empty result: `np.zeros((height, width))`. For row `i` and
# column `j` of it, the window begins at row `i * stride` of the padded
# picture and ends before row `i * stride + k`.
# </details>


# %% solution="convolve"
def convolve(image, kernel, stride=1, padding=0):
    """Slide a filter over a picture: the feature map.

    image: (H, W), of any number type, uint8 too. kernel: weights (k, k), not
    rotated. stride, padding: the same for rows and columns.
    Returns an array (H', W') of decimal numbers, H' = output_size(H, k, stride,
    padding) and W' likewise. Raises ValueError where the filter does not fit.
    """
    ### BEGIN SOLUTION
    k = len(kernel)
    height, width = (output_size(n, k, stride, padding) for n in image.shape)
    padded = pad(image, padding)
    result = np.zeros((height, width))
    for i in range(height):
        for j in range(width):
            row, column = i * stride, j * stride
            result[i, j] = response(padded[row : row + k, column : column + k], kernel)
    return result
    ### END SOLUTION


# %% check="convolve" points=4
lopsided = np.array([[1.0, 2.0, 0.0], [0.0, -1.0, 3.0], [-2.0, 0.0, 1.0]])
wide = np.array(
    [
        [1.0, 0.0, 2.0, 5.0, 3.0, 1.0],
        [4.0, 1.0, 0.0, 2.0, 7.0, 0.0],
        [0.0, 3.0, 6.0, 1.0, 0.0, 2.0],
        [2.0, 8.0, 1.0, 0.0, 4.0, 3.0],
    ]
)
bright = np.array([[250, 200, 255, 10], [240, 255, 0, 30], [230, 90, 255, 7]], np.uint8)
check("a flat picture stays flat", convolve(np.ones((4, 4)), np.full((3, 3), 1 / 9)))
check("four rows of six", convolve(wide, lopsided))
check("four rows of six, stride 2", convolve(wide, lopsided, stride=2))
check("four rows of six, padding 1", convolve(wide, lopsided, padding=1))
check("bright bytes", convolve(bright, np.array([[1, 1], [1, 1]])))
### BEGIN HIDDEN TESTS
check(
    "bytes that must become negative", convolve(bright, np.array([[1, -1], [-1, -1]]))
)
try:
    kind = convolve(np.ones((2, 6)), np.ones((3, 3)))
except Exception as error:
    kind = type(error).__name__
check("three rows do not fit into two", kind)
rng = check.rng()
bright = rng.integers(128, 256, size=(3, 4), dtype=np.uint8)
check(
    "bytes for weights too",
    convolve(bright, np.array([[3, 2], [0, 1]], np.uint8), padding=1),
)
narrow = rng.normal(size=(6, 2))
try:
    kind = convolve(narrow, np.ones((3, 3)))
except Exception as error:
    kind = type(error).__name__
check(
    "two columns fit into two, three do not",
    convolve(narrow, np.ones((2, 2)))
    if str(kind) == "ValueError"
    else "three fit, too",
    atol=1e-5,
)
noise = rng.normal(size=(9, 12))
check("noise, window 4", convolve(noise, rng.normal(size=(4, 4))), atol=1e-5)
check(
    "window 5, stride 3, padding 2",
    convolve(noise, rng.normal(size=(5, 5)), 3, 2),
    atol=1e-5,
)
check(
    "window 2, stride 2", convolve(noise, rng.normal(size=(2, 2)), stride=2), atol=1e-5
)
check(
    "a window as large as the picture",
    convolve(noise[:5, :5], rng.normal(size=(5, 5))),
    atol=1e-5,
)
### END HIDDEN TESTS


# %% mistakes="convolve"
def _slide(image, kernel, padding=0, down=1, right=1, padded=None):
    """Windows `down` and `right` pixels apart, all that fit."""
    k, kernel = len(kernel), np.asarray(kernel, float)
    padded = np.pad(np.asarray(image, float), padding) if padded is None else padded
    rows = range(0, padded.shape[0] - k + 1, down)
    columns = range(0, padded.shape[1] - k + 1, right)
    if not rows or not columns:
        raise ValueError("it does not fit")
    return np.array(
        [[np.sum(padded[r : r + k, c : c + k] * kernel) for c in columns] for r in rows]
    )


def rotates_the_kernel(image, kernel, stride=1, padding=0):
    """You rotated the kernel by 180°. A layer slides it as it is: kernel[0, 0] meets the upper left pixel of the window."""
    return _slide(image, np.asarray(kernel)[::-1, ::-1], padding, stride, stride)


def forgets_the_stride_in_one_axis(image, kernel, stride=1, padding=0):
    """The stride counts for rows and for columns. One of yours moves on by single pixels."""
    return _slide(image, kernel, padding, stride, 1)


def counts_with_stride_but_steps_without(image, kernel, stride=1, padding=0):
    """The size is right, but your windows move on by one pixel. Where does the window for result[i, j] begin?"""
    height, width = _slide(image, kernel, padding, stride, stride).shape
    return _slide(image, kernel, padding)[:height, :width]


def ignores_the_padding(image, kernel, stride=1, padding=0):
    """The padding is not used. Put the frame of zeros around the picture before you slide."""
    return _slide(image, kernel, 0, stride, stride)


def pads_one_side_only(image, kernel, stride=1, padding=0):
    """Your zeros stand above and on the left only. The frame goes all around."""
    padded = np.pad(np.asarray(image, float), ((padding, 0), (padding, 0)))
    return _slide(image, kernel, 0, stride, stride, padded)


def misses_the_last_place(image, kernel, stride=1, padding=0):
    """The last row and column of the result are missing. A window as large as the picture has one place, not none."""
    return _slide(image, kernel, padding, stride, stride)[:-1, :-1]


def swaps_height_and_width(image, kernel, stride=1, padding=0):
    """Rows and columns are swapped: your result lies on its side."""
    return _slide(image, kernel, padding, stride, stride).T


def keeps_the_type_of_the_picture(image, kernel, stride=1, padding=0):
    """The result has the picture's type, so sums behind 255 start again at 0. Make a result of decimal numbers."""
    return (
        _slide(image, kernel, padding, stride, stride)
        .astype(int)
        .astype(image.dtype)
        .astype(float)
    )


def multiplies_bytes(image, kernel, stride=1, padding=0):
    """Bytes times bytes stay bytes, and start again at 0 behind 255. Turn the pixels into decimal numbers first."""
    kernel, k = np.asarray(kernel), len(kernel)
    padded = np.pad(image, padding)
    rows = range(0, padded.shape[0] - k + 1, stride)
    columns = range(0, padded.shape[1] - k + 1, stride)
    if not rows or not columns:
        raise ValueError("it does not fit")
    return np.array(
        [
            [float((padded[r : r + k, c : c + k] * kernel).sum()) for c in columns]
            for r in rows
        ]
    )


def answers_where_it_does_not_fit(image, kernel, stride=1, padding=0):
    """The filter is larger than the picture, and yet there is no error. Let output_size compute both sizes."""
    try:
        return _slide(image, kernel, padding, stride, stride)
    except ValueError:
        return np.zeros((0, 0))


# %% [markdown]
# <details><summary>Think: library A rotates every kernel by 180° before it
# slides it, library B does not. Can a network trained with A do anything that
# one trained with B cannot? May you move its kernels from A to B?</summary>
#
# No: training finds whatever weights lower the loss, so with A it finds the
# same kernels turned by 180°, and the feature maps are the same. But the
# learned numbers then belong to their library. Used in B as they are, a
# filter for one curve looks for the curve turned upside down. Rotate each
# once when you move it.
# </details>

# %% [markdown]
# ### Search with a filter
#
# A filter that slides is a search: the largest number of the feature map
# tells where the picture agrees most with the filter. Below is a drawing with
# the curve, the other curve, and a bright square.


# %%
def strongest(image, kernel):
    """Where a filter answers most: (row, column) of its window's upper left corner."""
    feature_map = convolve(image, kernel)
    # argmax counts through the whole array; this turns the number into a place.
    return np.unravel_index(feature_map.argmax(), feature_map.shape)


drawing = np.zeros((26, 44))
drawing[4:11, 5:12] = other
drawing[15:22, 14:21] = matching
drawing[6:16, 30:40] = 60

# %% tags=["folded"]
# Draws where each of the two filters finds the curve.
kernels = {"curve": curve, "balanced curve": balanced(curve)}
fig, axes = plt.subplots(2, 2, figsize=(9, 5.2), layout="constrained")
for (left, right), (name, kernel) in zip(axes, kernels.items()):
    row, column = strongest(drawing, kernel)
    feature_map = convolve(drawing, kernel)
    limit = np.abs(feature_map).max()
    left.imshow(drawing, cmap="gray")
    right.imshow(feature_map, cmap="RdBu", vmin=-limit, vmax=limit)
    corner = (column - 0.5, row - 0.5)
    left.add_patch(plt.Rectangle(corner, 7, 7, fill=False, ec=plots.ORANGE, lw=2.5))
    right.plot(column, row, "o", ms=9, mfc="none", mec=plots.ORANGE, mew=2.5)
    left.set_title(f"{name}: most at row {row}, column {column}")
    right.set_title(
        f"its feature map, from {feature_map.min():.0f} to {feature_map.max():.0f}"
    )
    left.set_axis_off()
    right.set_axis_off()
plt.show()

# %% [markdown]
# The raw filter falls for the square; the balanced one finds the curve. (It
# even finds a place one row below the patch that we pasted in at row 15.
# There all six weights of the curve meet a pixel of 50.)
#
# And it would find the curve anywhere: move it by three pixels, and the spot
# in the feature map moves by three pixels. That is called
# [**equivariant**](../glossary.md#equivariant) to
# shifts.<sup>[4](#Footnotes)</sup> Lab 03 measures it.

# %% [markdown]
# ## 6. A bank of filters
#
# Long before networks learned their filters, people designed them. Filters
# like these seven are in most image programs:
#
# | name | kernel | what it does |
# |---|---|---|
# | `identity` | $\begin{bmatrix}0&0&0\\0&1&0\\0&0&0\end{bmatrix}$ | nothing |
# | `edge_1` | $\begin{bmatrix}1&0&-1\\0&0&0\\-1&0&1\end{bmatrix}$ | corners and diagonal lines |
# | `edge_2` | $\begin{bmatrix}0&1&0\\1&-4&1\\0&1&0\end{bmatrix}$ | edges: four neighbours against the centre (Laplacian) |
# | `edge_3` | $\begin{bmatrix}-1&-1&-1\\-1&8&-1\\-1&-1&-1\end{bmatrix}$ | edges: the centre against all eight neighbours |
# | `sharpen` | $\begin{bmatrix}0&-1&0\\-1&5&-1\\0&-1&0\end{bmatrix}$ | makes edges stand out |
# | `box_blur` | $\dfrac19\begin{bmatrix}1&1&1\\1&1&1\\1&1&1\end{bmatrix}$ | the mean of nine pixels |
# | `gaussian_blur` | $\dfrac1{16}\begin{bmatrix}1&2&1\\2&4&2\\1&2&1\end{bmatrix}$ | a mean in which near pixels count more |
#
# They are relatives. Sharpening is `identity - edge_2`: the picture, plus its
# edges. And `edge_3` is nine times `identity - box_blur`: what a blur takes
# away *is* the edges.

# %% [markdown]
# ### Exercise: `filter_bank`
#
# Write them down. You may use the relations above, or `np.outer`: some of the
# seven are a column times a row.


# %% solution="filter_bank"
def filter_bank():
    """The seven filters of the table.

    Returns a dict from name to array (3, 3): "identity", "edge_1", "edge_2",
    "edge_3", "sharpen", "box_blur", "gaussian_blur".
    """
    ### BEGIN SOLUTION
    identity = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    laplacian = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    box_blur = np.ones((3, 3)) / 9
    return {
        "identity": identity,
        "edge_1": np.outer([1, 0, -1], [1, 0, -1]),
        "edge_2": laplacian,
        "edge_3": 9 * (identity - box_blur),
        "sharpen": identity - laplacian,
        "box_blur": box_blur,
        "gaussian_blur": np.outer([1, 2, 1], [1, 2, 1]) / 16,
    }
    ### END SOLUTION


# %% check="filter_bank" points=2
def from_bank(name):
    """A filter of the bank as decimal numbers."""
    return np.asarray(filter_bank()[name], dtype=float)


check("the names", sorted(filter_bank()))
check("identity", from_bank("identity"))
check("edge_2, the Laplacian", from_bank("edge_2"))
check("box_blur", from_bank("box_blur"))
### BEGIN HIDDEN TESTS
patches = check.rng().uniform(0, 9, size=(9, 3, 3))


def answers_of(*names):
    """What filters of the bank answer to nine patches."""
    return tuple(np.tensordot(patches, from_bank(name), axes=2) for name in names)


check("the identity and box_blur at work", answers_of("identity", "box_blur"))
check("edge_1 at work", answers_of("edge_1"), atol=1e-5)
check("edge_2 at work", answers_of("edge_2"), atol=1e-5)
check("edge_3 at work", answers_of("edge_3"), atol=1e-5)
check("sharpen at work", answers_of("sharpen"), atol=1e-5)
check("gaussian_blur at work", answers_of("gaussian_blur"))
### END HIDDEN TESTS


# %% mistakes="filter_bank"
def _bank(**changed):
    identity = np.array([[0.0, 0, 0], [0, 1, 0], [0, 0, 0]])
    laplacian = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    bank = {
        "identity": identity,
        "edge_1": np.outer([1.0, 0, -1], [1, 0, -1]),
        "edge_2": laplacian,
        "edge_3": 9 * identity - 1,
        "sharpen": identity - laplacian,
        "box_blur": np.ones((3, 3)) / 9,
        "gaussian_blur": np.outer([1.0, 2, 1], [1, 2, 1]) / 16,
    }
    return bank | changed


def forgets_to_divide():
    """A blur must not make the picture brighter: its weights sum to one. Look at the factors before the brackets."""
    return _bank(
        box_blur=np.ones((3, 3)), gaussian_blur=np.outer([1.0, 2, 1], [1, 2, 1])
    )


def sharpens_the_wrong_way():
    """You added the Laplacian to the picture. That does not sharpen it: look at the signs of sharpen."""
    return _bank(sharpen=np.array([[0.0, 1, 0], [1, -3, 1], [0, 1, 0]]))


def turns_the_laplacian_over():
    """The Laplacian has its minus in the centre."""
    return _bank(edge_2=np.array([[0.0, -1, 0], [-1, 4, -1], [0, -1, 0]]))


def mirrors_the_diagonals():
    """edge_1 is mirrored: its upper left weight is +1."""
    return _bank(edge_1=-np.outer([1.0, 0, -1], [1, 0, -1]))


def one_everywhere():
    """The identity has a single one, in the centre."""
    return _bank(identity=np.ones((3, 3)))


# %% [markdown]
# Here they are on the roof of the pagoda. Blurs and sharpening are shown as
# brightness. Edge filters give numbers of both signs; they are shown by their
# size, black for 0.

# %% tags=["folded"]
# Draws what each filter of the bank makes of the roof.
step = profile.pick(quick=1, full=1, grading=3)
roof = grey[20:180:step, 85:330:step]
results = {name: convolve(roof, kernel) for name, kernel in filter_bank().items()}

fig, axes = plt.subplots(2, 4, figsize=(9, 3.5), layout="constrained")
pictures = {"the photograph": roof, **results}
for ax, (name, picture) in zip(axes.flat, pictures.items()):
    shown = np.abs(picture) if name.startswith("edge") else picture
    ax.imshow(shown, cmap="gray", vmin=0, vmax=255)
    ax.set_title(name)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# ### Play with it
#
# A kernel editor. The menu fills in a filter; then change its nine numbers.
#
# 1. Take `sharpen` and change the 5 to a 4, to a 6. Why does so little change
#    of one weight change so much?
# 2. Take `edge_2` and show it as strength. Which parts of the photograph stay
#    black?
# 3. Make a filter that shifts the picture by one pixel. (One weight will do.)
# 4. Make one that halves the brightness, and one that sharpens twice as much
#    without changing flat areas.

# %%
explore_kernel(photo[10:330, 30:470], filter_bank(), "sharpen")

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# With 4 the weights sum to 0, so flat areas turn black; with 6 to 2, so they
# get twice as bright. The centre is one weight, but it decides the sum. Under
# `edge_2` the sky stays black: nothing changes there. A single 1 beside the
# centre shifts the picture, a single 0.5 in the centre halves its brightness.
# To sharpen more, take more of the edges: `identity - 2 * edge_2`, with 9 in
# the centre and four times -2.
# </details>

# %% [markdown]
# ### A question on flat areas
#
# Answer it in your own words, in two to four sentences. It is graded by a
# person.
#
# The sky is nearly flat: say, 200 everywhere. Without running anything: what
# does each of the seven filters make of it? Which single property of a kernel
# decides that? And what do you get if you add 128 to every number that an
# edge filter gives, and why do image programs do so?

# %% [markdown] manual="flat_areas" points=2
# **1 point**: all pixels under the window are equal, so the result is 200
# times the sum of the weights. identity, sharpen, box_blur and gaussian_blur,
# whose weights sum to one, give 200; the three edge filters, with a sum of
# zero, give 0. The sum of the weights is the property asked for. Half a point
# for the right values without it.
#
# **1 point**: flat areas become 128, mid-grey; positive answers are brighter,
# negative ones darker, and both can be seen in one picture of 0 to 255
# (negative numbers would be cut off at 0, that is, be black like flat areas).
#
# **Model answer.** Where all pixels are 200, the sum of products is 200 times
# the sum of the weights. So the four filters whose weights sum to one leave
# 200, and the three edge filters, whose weights sum to zero, give 0. Plus
# 128, the flat areas are mid-grey, and one can see both signs of an edge: a
# picture cannot show negative numbers, and without the 128 they would be
# black like the sky.

# %% [markdown]
# ### One more filter
#
# This one is for edges that are **dark on the left and bright on the right**.
# Each of its rows sums to 0, so flat areas and horizontal edges give 0. (It is
# the *Sobel filter*, after Irwin Sobel, who proposed it in 1968.)

# %%
vertical_edge = np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]])

# %% tags=["folded"]
# Draws upright and lying edges.
upright = convolve(roof, vertical_edge)
lying = convolve(roof, vertical_edge.T)
limit = 0.6 * np.abs(upright).max()
fig, axes = plt.subplots(1, 2, figsize=(9, 3.1), layout="constrained")
titles = (
    "vertical_edge: blue +, red -",
    "vertical_edge.T: the same, lying on its side",
)
for ax, picture, title in zip(axes, (upright, lying), titles):
    ax.imshow(picture, cmap="RdBu", vmin=-limit, vmax=limit)
    ax.set_title(title)
    ax.set_axis_off()
plt.show()

# %% [markdown]
# Left: upright edges. The outline of the roof is red where it gets darker
# from left to right, blue where it gets brighter. Right: lying edges, the
# ridge and the eaves. That is what the first layer of a trained network is
# full of: edges of all directions, and spots of colour. Nobody designs them;
# training finds them. All that *we* choose is how many filters there are,
# their size, the stride and the padding.
#
# ### A filter that learns itself
#
# How can training find a filter? Suppose that we have a picture $x$, and a
# feature map $t$ of it that someone's filter made; the filter itself is lost.
# Begin with nine zeros for $w$ and compute the feature map $y$. How wrong is
# it? As in lab 01, take half the sum of squares:
#
# $$E = \frac12 \sum_{i} \sum_{j} d_{ij}^2, \qquad d_{ij} = y_{ij} - t_{ij}$$
#
# Then go downhill. Which way is that? The weight $w_{ab}$ meets one pixel in
# every window: $x_{i+a,\;j+b}$ in the window of row $i$ and column $j$. So it
# has a share in every difference, and all shares add up:
#
# $$\frac{\partial E}{\partial w_{ab}} =
# \sum_{i} \sum_{j} d_{ij} \, x_{i + a,\; j + b}$$
#
# Compare this with the formula of section 5, at stride 1: it is the same, with
# the differences in the place of the kernel. The gradient of a convolution is
# a convolution again. That is how every network of this course learns its
# filters.

# %% [markdown]
# ### Exercise: `kernel_gradient`
#
# <details><summary>A nudge</summary>
#
# Two loops, over the rows $a$ and the columns $b$ of the kernel. All the pixels
# that $w_{ab}$ meets are a part of the picture as large as `difference`: it
# begins in row $a$ and column $b$.
# </details>


# %% solution="kernel_gradient"
def kernel_gradient(image, difference):
    """How half the sum of squared differences changes with each weight of a filter.

    image: decimal numbers (H, W), filtered at stride 1 and without padding.
    difference: (H', W'), the feature map minus the one that is wanted.
    Returns an array (k, k): the slope for each weight, where k = H - H' + 1.
    """
    ### BEGIN SOLUTION
    height, width = difference.shape
    k = len(image) - height + 1
    gradient = np.zeros((k, k))
    for a in range(k):
        for b in range(k):
            gradient[a, b] = response(image[a : a + height, b : b + width], difference)
    return gradient
    ### END SOLUTION


# %% check="kernel_gradient" points=3
x = np.array([[1.0, 0.0, 2.0, 5.0], [4.0, 1.0, 0.0, 2.0], [0.0, 3.0, 6.0, 1.0]])
check("one window, one difference", kernel_gradient(x[:, :3], np.array([[2.0]])))
check(
    "two windows side by side: the differences 1 and -3",
    kernel_gradient(x, np.array([[1.0, -3.0]])),
)
check("a kernel of 2x2", kernel_gradient(x, np.array([[1.0, 0, 2], [0, -1, 0]])))
### BEGIN HIDDEN TESTS
rng = check.rng()
noise = rng.normal(size=(9, 12))
check(
    "noise, a kernel of 3x3",
    kernel_gradient(noise, rng.normal(size=(7, 10))),
    atol=1e-5,
)
check(
    "noise, a kernel of 4x4",
    kernel_gradient(noise[:, :8], rng.normal(size=(6, 5))),
    atol=1e-5,
)
check(
    "noise, a single weight",
    kernel_gradient(noise[:4], rng.normal(size=(4, 12))),
    atol=1e-5,
)
### END HIDDEN TESTS


# %% mistakes="kernel_gradient"
def _slopes(image, difference):
    windows = np.lib.stride_tricks.sliding_window_view(image, difference.shape)
    return (windows * difference).sum(axis=(2, 3))


def goes_downhill_already(image, difference):
    """The signs are turned round: that is the way downhill. The gradient points uphill; the step that follows takes it away."""
    return -_slopes(image, difference)


def forgets_the_half(image, difference):
    """Yours is twice too large: the half before the sum takes the 2 of the square away."""
    return 2 * _slopes(image, difference)


def takes_the_mean_of_the_places(image, difference):
    """You took the mean over the places. Their shares are added up."""
    return _slopes(image, difference) / difference.size


def turns_it_around(image, difference):
    """Your table is turned by 180°: w[0, 0] meets the upper left pixel of each window, so its part of the picture begins in row 0 and column 0."""
    return _slopes(image, difference)[::-1, ::-1]


def swaps_rows_and_columns(image, difference):
    """Rows and columns are swapped: a counts rows, b columns."""
    return _slopes(image, difference).T


def forgets_the_pixels(image, difference):
    """You added up the differences alone. Each is multiplied by the pixel that the weight meets there."""
    return np.full(_slopes(image, difference).shape, difference.sum())


def meets_the_same_pixels(image, difference):
    """All your weights meet the same pixels. The part of the picture that a weight meets begins where it stands in the kernel."""
    return np.full(_slopes(image, difference).shape, _slopes(image, difference)[0, 0])


def squares_the_differences(image, difference):
    """You multiplied by squared differences. The slope of d*d/2 is d itself."""
    return _slopes(image, difference**2)


# %% [markdown]
# Is it right? Wiggle each weight, as in lab 01, and compare.


# %%
def wiggled(image, kernel, wanted, step=1e-5):
    """The slope of the error for each weight of a kernel, by central differences."""
    slopes = np.zeros(kernel.shape)
    for place in np.ndindex(kernel.shape):
        up, down = kernel.copy(), kernel.copy()
        up[place] += step
        down[place] -= step
        right, left = (
            np.sum((convolve(image, nudged) - wanted) ** 2) / 2 for nudged in (up, down)
        )
        slopes[place] = (right - left) / (2 * step)
    return slopes


draw = np.random.default_rng(2).normal
crop, first_kernel, goal = draw(size=(8, 9)), draw(size=(3, 3)), draw(size=(6, 7))
by_formula = kernel_gradient(crop, convolve(crop, first_kernel) - goal)
gap = np.abs(by_formula - wiggled(crop, first_kernel, goal)).max()
print(f"largest difference {gap:.1e}")

# %% [markdown]
# Now let it learn. The picture is a part of the pagoda, brought to mean 0 and
# standard deviation 1, which lets larger steps be taken. Somebody has filtered
# it with `vertical_edge`; the learner gets the result, and never the filter.
# Error and slopes are divided by the number of places here.
#
# Press ▶, or pull the slider, and watch the nine weights.

# %%
part = grey[100:140, 230:270]
part = (part - part.mean()) / part.std()
wanted = convolve(part, vertical_edge)

kernel, rate = np.zeros((3, 3)), 0.2
kernels, errors = [], []
for _ in range(profile.pick(quick=81, full=81, grading=3)):
    difference = convolve(part, kernel) - wanted
    kernels.append(kernel)
    errors.append(np.mean(difference**2) / 2)
    kernel = kernel - rate * kernel_gradient(part, difference) / difference.size

explore_learning(part, kernels, errors)

# %% [markdown]
# <details><summary>Think: the signs of the left and the right column are there
# after a few steps. Why do the last decimals take so long?</summary>
#
# Neighbouring pixels are alike. To take a little from one weight and give it
# to its neighbour hardly changes the feature map, so the error is nearly flat
# in that direction: a long valley, with small slopes along it. Lab 04 shows
# optimisers that are faster there.
# </details>

# %% [markdown]
# ## 7. Volumes: channels in, feature maps out
#
# A colour picture has three channels, and a layer's result has as many as it
# has filters. So layers work on **volumes**: $(H, W, C)$, rows, columns,
# channels.
#
# - One filter reaches through **all** channels: its shape is $(k, k, C)$. It
#   multiplies $k \cdot k \cdot C$ numbers, adds them all up, adds its bias, and
#   makes **one** feature map.
# - A layer has $F$ filters, $(k, k, C, F)$, and $F$ biases. Their $F$ feature
#   maps, laid on one another, are the new volume $(H', W', F)$. $F$ is called
#   the **depth** of the layer.
#
# $$y_{ijf} = b_f +
# \sum_{a} \sum_{b} \sum_{c} w_{abcf} \, x_{is+a,\; js+b,\; c}$$
#
# The bias is added once, to the sum.<sup>[5](#Footnotes)</sup>
#
# The filter slides along two axes only; that is why it is called a 2-D
# convolution, although the window is a block. Here is one number of a layer
# with two filters on a small volume. The volume is 5x5x3, a padding of 1 makes
# it 7x7x3, and stride 2 leaves 3x3 places: the result has the shape (3, 3, 2).

# %% tags=["folded"]
# Draws one window of a volume, and the filter that it meets.
rng = np.random.default_rng(3)
volume = rng.integers(0, 3, size=(5, 5, 3))
two_filters = rng.integers(-1, 2, size=(3, 3, 3, 2))
two_biases = np.array([1, 0])

padded = pad(volume, 1)
fig, axes = plt.subplots(
    2, 3, figsize=(8, 4.3), height_ratios=(2, 1), layout="constrained"
)
parts = []
for channel in range(3):
    window, weights = padded[2:5, 2:5, channel], two_filters[:, :, channel, 0]
    parts.append(int(np.sum(window * weights)))
    draw_table(
        axes[0, channel],
        padded[:, :, channel],
        f"channel {channel}, padded",
        frame=(2, 2, 3),
    )
    title = f"filter 0: sum {parts[-1]}"
    draw_table(axes[1, channel], weights, title, signed=True)
plt.show()
addition = " + ".join(f"({part})" for part in parts)
print(
    f"result[1, 1, 0] = {addition} + bias {two_biases[0]} = {sum(parts) + two_biases[0]}"
)

# %% [markdown]
# ### Exercise: `convolve_layer`
#
# You may loop over places and filters, or over places only: then one window
# $(k, k, C)$ meets all filters $(k, k, C, F)$ at once, and gives $F$ numbers.
# `np.tensordot(window, filters, axes=3)` does that.


# %% solution="convolve_layer"
def convolve_layer(volume, filters, bias, stride=1, padding=0):
    """A convolutional layer, without activation.

    volume: (H, W, C), of any number type. filters: (k, k, C, F). bias: (F,).
    stride, padding: the same for rows and columns.
    Returns an array (H', W', F) of decimal numbers, sizes as output_size gives them.
    """
    ### BEGIN SOLUTION
    k, _, _, count = filters.shape
    height, width = (output_size(n, k, stride, padding) for n in volume.shape[:2])
    padded = pad(volume, padding).astype(float)
    result = np.zeros((height, width, count))
    for i in range(height):
        for j in range(width):
            row, column = i * stride, j * stride
            window = padded[row : row + k, column : column + k]
            result[i, j] = np.tensordot(window, filters, axes=3) + bias
    return result
    ### END SOLUTION


# %% check="convolve_layer" points=4
rng = np.random.default_rng(3)
volume = rng.integers(0, 3, size=(5, 5, 3)).astype(float)
two_filters = rng.integers(-1, 2, size=(3, 3, 3, 2)).astype(float)
two_biases = np.array([1.0, 0.0])
check(
    "5x5x3, stride 2, padding 1: the shape",
    np.shape(convolve_layer(volume, two_filters, two_biases, 2, 1)),
)
check(
    "5x5x3, stride 2, padding 1",
    convolve_layer(volume, two_filters, two_biases, stride=2, padding=1),
)
check("no padding, stride 1", convolve_layer(volume, two_filters, two_biases))
### BEGIN HIDDEN TESTS
rng = check.rng()
check(
    "6x9x4, five filters of 2x2, stride 3",
    convolve_layer(
        rng.normal(size=(6, 9, 4)), rng.normal(size=(2, 2, 4, 5)), rng.normal(size=5), 3
    ),
    atol=1e-5,
)
check(
    "a single channel and filter, padding 2",
    convolve_layer(
        rng.normal(size=(4, 6, 1)),
        rng.normal(size=(5, 5, 1, 1)),
        np.array([-2.5]),
        padding=2,
    ),
    atol=1e-5,
)
check(
    "1x1 filters mix channels",
    convolve_layer(
        rng.normal(size=(3, 4, 6)), rng.normal(size=(1, 1, 6, 3)), rng.normal(size=3)
    ),
    atol=1e-5,
)
check(
    "a volume of bytes",
    convolve_layer(
        rng.integers(0, 256, size=(6, 8, 3), dtype=np.uint8),
        rng.normal(size=(3, 3, 3, 2)),
        np.array([1.0, 2.0]),
    ),
    atol=1e-3,
)
### END HIDDEN TESTS


# %% mistakes="convolve_layer"
def _layer(volume, filters, bias, stride, padding, subscripts="ijcab,abcf->ijf"):
    padded = np.pad(
        np.asarray(volume, float), ((padding, padding), (padding, padding), (0, 0))
    )
    windows = np.lib.stride_tricks.sliding_window_view(
        padded, filters.shape[:2], axis=(0, 1)
    )
    return np.einsum(subscripts, windows[::stride, ::stride], filters) + bias


def forgets_the_bias(volume, filters, bias, stride=1, padding=0):
    """The biases are missing. Each filter adds its own, once at each place."""
    return _layer(volume, filters, np.zeros_like(bias), stride, padding)


def adds_the_bias_to_each_product(volume, filters, bias, stride=1, padding=0):
    """Your bias counts many times at each place. Add it once, after the sum."""
    return _layer(volume, filters, np.prod(filters.shape[:3]) * bias, stride, padding)


def reads_pixels_with_a_sign(volume, filters, bias, stride=1, padding=0):
    """Pixels above 127 became negative in yours, or decimal numbers lost what stands behind the point: which type did you turn them into?"""
    return _layer(np.asarray(volume).astype(np.int8), filters, bias, stride, padding)


def sees_the_first_channel_only(volume, filters, bias, stride=1, padding=0):
    """Only the first channel counts in your sums. A filter reaches through all channels and adds everything up."""
    return _layer(volume[:, :, :1], filters[:, :, :1], bias, stride, padding)


def puts_the_filters_first(volume, filters, bias, stride=1, padding=0):
    """The feature maps come first in your result: (F, H', W'). Channels come last here."""
    return np.moveaxis(_layer(volume, filters, bias, stride, padding), -1, 0)


def rotates_the_filters(volume, filters, bias, stride=1, padding=0):
    """You rotated the filters by 180°. A layer slides them as they are."""
    return _layer(volume, filters[::-1, ::-1], bias, stride, padding)


def mirrors_the_filters(volume, filters, bias, stride=1, padding=0):
    """Rows and columns of the filters are swapped: filters[a, b] belongs to row a and column b of the window."""
    return _layer(volume, filters.transpose(1, 0, 2, 3), bias, stride, padding)


def strides_in_rows_only(volume, filters, bias, stride=1, padding=0):
    """The stride counts for rows and for columns. One of yours moves on by single pixels."""
    every = _layer(volume, filters, bias, 1, padding)
    return every[::stride]


def takes_the_mean_of_the_channels(volume, filters, bias, stride=1, padding=0):
    """You took the mean over the channels. All products are added up."""
    return _layer(volume, filters / filters.shape[2], bias, stride, padding)


# %% [markdown]
# A filter that sees colours can do what no filter on a grey picture can. Here
# is a layer with four filters on a photograph of a dahlia, followed by ReLU
# (lab 01): negative answers become 0.

# %%
step = profile.pick(quick=3, full=3, grading=12)
dahlia = data.photograph("flower")[::step, ::step] / 255
centre, edge = filter_bank()["identity"], filter_bank()["edge_3"]
colours = {
    "orange, not blue": ([1, 0.5, -1.5], centre),
    "blue-green, not red": ([-2, 1, 1], centre),
    "edges in red": ([1, 0, 0], edge),
    "edges of all channels": ([1, 1, 1], edge),
}
# Each filter: a weight for each channel, times a 3x3 kernel.
four_filters = np.stack(
    [np.multiply.outer(kernel, channels) for channels, kernel in colours.values()],
    axis=-1,
)
maps = np.maximum(convolve_layer(dahlia, four_filters, np.zeros(4), padding=1), 0)
print("filters", four_filters.shape, "-> feature maps", maps.shape)

# %% tags=["folded"]
# Draws the dahlia, and the feature maps of the four filters.
fig, axes = plt.subplots(1, 5, figsize=(9, 1.6), layout="constrained")
axes[0].imshow(dahlia)
axes[0].set_title(f"volume {dahlia.shape}")
for ax, name, channel in zip(axes[1:], colours, np.moveaxis(maps, -1, 0)):
    ax.imshow(channel, cmap="viridis", vmax=np.quantile(channel, 0.995))
    ax.set_title(name)
for ax in axes:
    ax.set_axis_off()
plt.show()

# %% [markdown]
# <details><summary>Think: a second layer works on these four maps. How many
# weights has one 3x3 filter of it? What could it find?</summary>
#
# 3 · 3 · 4 = 36 weights and a bias. It sees four features at once, in a small
# neighbourhood: an orange area beside blue-green with an edge between them, for
# example. Each layer combines what the one before has found.
# </details>

# %% [markdown]
# ## 8. One filter for all places: sharing
#
# The first layer of AlexNet, the network that won the ImageNet competition in
# 2012, has 96 filters of 11x11x3 and slides them with stride 4 over pictures
# of 227x227x3. Its result has the shape (55, 55, 96): every number in it is a
# neuron, which sees 11x11x3 numbers. How many parameters does that take?
#
# - **Without sharing**: suppose that every neuron had weights and a bias of its
#   own.
# - **With sharing**: all 55 · 55 neurons of a feature map use the *same*
#   weights and the *same* bias, those of their filter. A feature that is worth
#   finding in one place is worth finding in all places.
#
# The second is what a convolutional layer is.<sup>[6](#Footnotes)</sup>

# %% [markdown]
# ### Exercise: `unshared_parameters` and `shared_parameters`
#
# Two functions with the same arguments, for any layer and any picture. Work
# out AlexNet's two numbers by hand first. One of the functions does not need
# all of its arguments: which ones, and why?


# %% solution="unshared_parameters"
def unshared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    """The parameters of a convolutional layer if no two neurons shared any.

    shape: of the layer's input, (H, W, C). kernel_size: k, for filters of
    (k, k, C). filters: how many. stride, padding: as in output_size.
    Every neuron has weights and a bias of its own. Returns a whole number (int).
    """
    ### BEGIN SOLUTION
    *sides, channels = shape
    rows, columns = (output_size(n, kernel_size, stride, padding) for n in sides)
    return rows * columns * filters * (kernel_size**2 * channels + 1)
    ### END SOLUTION


# %% check="unshared_parameters" points=1
check(
    "AlexNet's first layer, nothing shared",
    unshared_parameters((227, 227, 3), 11, 96, stride=4),
)
check(
    "5x5x3, two filters of 3x3, nothing shared",
    unshared_parameters((5, 5, 3), 3, 2, 2, 1),
)
### BEGIN HIDDEN TESTS
rng = check.rng()
heights, widths = rng.integers(20, 40, 2).tolist(), rng.integers(41, 60, 2).tolist()
shapes = list(zip(heights, widths, rng.integers(2, 9, 2).tolist()))
counts = rng.integers(5, 30, 2).tolist()
check(
    "two layers of stride 1, nothing shared",
    tuple(unshared_parameters(*layer) for layer in zip(shapes, (5, 7), counts)),
)
check(
    "two layers with stride and padding, nothing shared",
    tuple(unshared_parameters(*layer, 2, 1) for layer in zip(shapes, (5, 3), counts)),
)
### END HIDDEN TESTS


# %% mistakes="unshared_parameters"
def _neurons(shape, kernel_size, filters, stride, padding):
    rows, columns = ((n + 2 * padding - kernel_size) // stride + 1 for n in shape[:2])
    return rows * columns * filters


def without_biases(shape, kernel_size, filters, stride=1, padding=0):
    """The weights are right. Each neuron also has a bias."""
    neurons = _neurons(shape, kernel_size, filters, stride, padding)
    return neurons * kernel_size**2 * shape[2]


def one_channel_only(shape, kernel_size, filters, stride=1, padding=0):
    """A neuron sees a window in all the channels of its input."""
    neurons = _neurons(shape, kernel_size, filters, stride, padding)
    return neurons * (kernel_size**2 + 1)


def one_feature_map_only(shape, kernel_size, filters, stride=1, padding=0):
    """These are the parameters of a single feature map. The layer has one for each filter."""
    neurons = _neurons(shape, kernel_size, 1, stride, padding)
    return neurons * (kernel_size**2 * shape[2] + 1)


def with_sharing(shape, kernel_size, filters, stride=1, padding=0):
    """That is the number with sharing. Here each neuron of each feature map has its own."""
    return filters * (kernel_size**2 * shape[2] + 1)


def sees_the_whole_picture(shape, kernel_size, filters, stride=1, padding=0):
    """That would be neurons that see the whole picture. These see one window each."""
    neurons = _neurons(shape, kernel_size, filters, stride, padding)
    return neurons * (shape[0] * shape[1] * shape[2] + 1)


def a_neuron_for_each_pixel(shape, kernel_size, filters, stride=1, padding=0):
    """You counted a neuron for each pixel. There is one for each place of the window."""
    return shape[0] * shape[1] * filters * (kernel_size**2 * shape[2] + 1)


def takes_pictures_for_square(shape, kernel_size, filters, stride=1, padding=0):
    """You squared the number of rows. A picture can have more columns than rows."""
    square = (shape[0], shape[0], shape[2])
    neurons = _neurons(square, kernel_size, filters, stride, padding)
    return neurons * (kernel_size**2 * shape[2] + 1)


# %% solution="shared_parameters"
def shared_parameters(shape, kernel_size, filters, stride=1, padding=0):
    """The parameters of a convolutional layer: one set for each filter.

    The arguments are those of unshared_parameters. All neurons of a feature map
    share the weights and the bias of their filter. Returns a whole number (int).
    """
    ### BEGIN SOLUTION
    return filters * (kernel_size**2 * shape[2] + 1)
    ### END SOLUTION


# %% check="shared_parameters" points=1
check(
    "AlexNet's first layer, shared", shared_parameters((227, 227, 3), 11, 96, stride=4)
)
check("5x5x3, two filters of 3x3, shared", shared_parameters((5, 5, 3), 3, 2, 2, 1))
### BEGIN HIDDEN TESTS
rng = check.rng()
heights, widths = rng.integers(20, 40, 2).tolist(), rng.integers(41, 60, 2).tolist()
shapes = list(zip(heights, widths, rng.integers(2, 9, 2).tolist()))
counts = rng.integers(5, 30, 2).tolist()
check(
    "two layers of stride 1, shared",
    tuple(shared_parameters(*layer) for layer in zip(shapes, (5, 7), counts)),
)
check(
    "two layers with stride and padding, shared",
    tuple(shared_parameters(*layer, 2, 1) for layer in zip(shapes, (5, 3), counts)),
)
### END HIDDEN TESTS


# %% mistakes="shared_parameters"
def without_the_biases(shape, kernel_size, filters, stride=1, padding=0):
    """The weights are right. Each filter also has a bias."""
    return filters * kernel_size**2 * shape[2]


def one_bias_in_all(shape, kernel_size, filters, stride=1, padding=0):
    """One bias for the whole layer is too few: each filter has its own."""
    return filters * kernel_size**2 * shape[2] + 1


def one_filter_only(shape, kernel_size, filters, stride=1, padding=0):
    """These are the parameters of one filter. The layer has several."""
    return kernel_size**2 * shape[2] + 1


def flat_filters(shape, kernel_size, filters, stride=1, padding=0):
    """A filter reaches through all the channels."""
    return filters * (kernel_size**2 + 1)


def a_bias_for_each_neuron(shape, kernel_size, filters, stride=1, padding=0):
    """You share the weights but not the biases. A filter's one bias serves all its places."""
    rows, columns = ((n + 2 * padding - kernel_size) // stride + 1 for n in shape[:2])
    return filters * (kernel_size**2 * shape[2] + rows * columns)


def nothing_is_shared(shape, kernel_size, filters, stride=1, padding=0):
    """That is the number without sharing. All places of a filter use the same weights."""
    rows, columns = ((n + 2 * padding - kernel_size) // stride + 1 for n in shape[:2])
    return rows * columns * filters * (kernel_size**2 * shape[2] + 1)


# %% tags=["folded"]
# Draws how many parameters each kind of layer has.
first_layer = {"shape": (227, 227, 3), "kernel_size": 11, "filters": 96, "stride": 4}
fully_connected = 55 * 55 * 96 * (227 * 227 * 3 + 1)
unshared = unshared_parameters(**first_layer)
shared = shared_parameters(**first_layer)
layers = {
    "every neuron sees\nthe whole picture": fully_connected,
    "11x11 windows,\nnothing shared": unshared,
    "11x11 windows,\nshared": shared,
}
fig, ax = plt.subplots(figsize=(9, 2.2), layout="constrained")
ax.barh(
    list(layers), list(layers.values()), color=[plots.MUTED, plots.ORANGE, plots.BLUE]
)
for row, number in enumerate(layers.values()):
    ax.text(number * 1.3, row, f"{number:,}", va="center")
ax.set(
    xscale="log",
    xlim=(1e3, 3e12),
    title="parameters of AlexNet's first layer, on a logarithmic scale",
)
ax.invert_yaxis()
plt.show()
print(f"Small windows save a factor of {fully_connected / unshared:,.0f},")
print(f"sharing saves another {unshared / shared:,.0f} = 55 * 55.")

# %% [markdown]
# Sharing saves parameters, and with them memory and the need for training
# pictures. It does not save work: every neuron still does its 363
# multiplications, over a hundred million in this layer for one picture.

# %% [markdown]
# ### A question on sharing
#
# Sharing is a bet on what pictures are like. Say in your own words what is
# assumed. Then name one kind of pictures for which the bet is good and one for
# which it is bad, each with the reason. For the second, what would you do?

# %% [markdown] manual="sharing" points=3
# **1 point** for the assumption: what is worth finding in one place is worth
# finding in every place; the statistics of small patches do not depend on the
# position. (Equally good: the meaning of a feature does not depend on where
# it is.)
#
# **1 point** for a good case with its reason: photographs of a thing that may
# be anywhere, satellite pictures, texts in a scan, microscopy.
#
# **1 point** for a bad case with its reason and a remedy: pictures that are
# all aligned, so that each place has a meaning of its own, such as passport
# photographs (eyes above, mouth below), X-rays in a fixed position, the
# boards of games, spectrograms along the frequency axis. Remedies: weights of
# their own for each place or region (locally connected layers), the position
# as an additional channel, or fully connected layers later in the network,
# which can tell places apart. Half a point without a remedy.
#
# **Model answer.** Sharing assumes that a feature means the same wherever it
# appears. In holiday photographs a dog may stand anywhere, so one dog detector
# for all places is right. In passport photographs the eyes are always in
# the same place; filters for eyes are of no use at the chin, and different
# places need different filters. There I would use a locally connected layer,
# or give the network the position as two more channels.

# %% [markdown]
# ## 9. How far does a neuron see?
#
# A neuron of the first layer sees $k \times k$ pixels. One of the second sees
# $k \times k$ neurons of the first, each of which sees a window of its own:
# together more pixels. The part of the *picture* on which a neuron depends is
# its receptive field, and it grows from layer to layer:
#
# $$r_0 = 1, \quad j_0 = 1, \qquad
# r_l = r_{l-1} + (k_l - 1)\, j_{l-1}, \qquad j_l = j_{l-1}\, s_l$$
#
# $r_l$ is the width of the receptive field after $l$ layers. $j_l$ is the
# **jump**: how many pixels of the picture two neighbours of layer $l$ lie
# apart. A window of $k$ neighbours reaches over $k - 1$ jumps of the layer
# *below* it. Only then does its own stride make the jump larger.


# %% tags=["folded"]
# Draws what a neuron of the second layer sees.
def draw_field(ax, strides, title):
    """Two layers of window 3, seen from the side: what one neuron on top depends on."""
    jumps = [1, strides[0], strides[0] * strides[1]]
    offsets = [0, 1, 1 + strides[0]]
    for level in range(3):
        places = np.arange(offsets[level], 13 - offsets[level], jumps[level])
        ax.plot(places, np.full(len(places), level), "o", color=plots.RULE, ms=9)
    wanted = {2: [offsets[2]]}
    for level in (1, 0):
        below = set()
        for x in wanted[level + 1]:
            for step in (-1, 0, 1):
                below.add(x + step * jumps[level])
                ax.plot(
                    [x, x + step * jumps[level]],
                    [level + 1, level],
                    color=plots.MUTED,
                    lw=0.8,
                    zorder=0,
                )
        wanted[level] = sorted(below)
    for level, places in wanted.items():
        ax.plot(places, np.full(len(places), level), "o", color=plots.BLUE, ms=9)
    ax.set(title=f"{title}: sees {len(wanted[0])} pixels", yticks=range(3), xticks=[])
    ax.set_yticklabels(["pixels", "layer 1", "layer 2"])
    ax.set(ylim=(-0.4, 2.4), xlim=(-0.6, 12.6))
    ax.tick_params(length=0)
    ax.spines[:].set_visible(False)


fig, axes = plt.subplots(1, 2, figsize=(9, 2.2), layout="constrained")
draw_field(axes[0], (1, 1), "windows 3, strides 1")
draw_field(axes[1], (2, 1), "windows 3, first stride 2")
plt.show()

# %% [markdown]
# ### Exercise: `receptive_field`


# %% solution="receptive_field"
def receptive_field(layers):
    """How many pixels wide the field is that a neuron of the last layer sees.

    layers: a list of (kernel_size, stride), the first layer first. Pooling
    windows count like filters. Returns a whole number; 1 for an empty list.
    """
    ### BEGIN SOLUTION
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump *= stride
    return field
    ### END SOLUTION


# %% check="receptive_field" points=2
check("one 3x3 layer", receptive_field([(3, 1)]))
check("two 3x3 layers", receptive_field([(3, 1), (3, 1)]))
check("two 3x3 layers, the first with stride 2", receptive_field([(3, 2), (3, 1)]))
### BEGIN HIDDEN TESTS
check("no layer", receptive_field([]))
check(
    "AlexNet up to its second convolution", receptive_field([(11, 4), (3, 2), (5, 1)])
)
rng = check.rng()
kinds = list(zip(rng.integers(3, 9, 5).tolist(), rng.integers(2, 5, 5).tolist()))
check(
    "two other layers, without and with a stride",
    (receptive_field([(k, 1) for k, _ in kinds[:2]]), receptive_field(kinds[:2])),
)
check("five layers of many kinds", receptive_field(kinds))
### END HIDDEN TESTS


# %% mistakes="receptive_field"
def adds_the_windows(layers):
    """The windows of neighbours overlap: a second 3x3 layer adds two pixels, not three."""
    return max(1, sum(kernel_size for kernel_size, _ in layers))


def forgets_the_strides(layers):
    """You left the strides out. Behind a stride of 2, neighbours see places two pixels apart."""
    return 1 + sum(kernel_size - 1 for kernel_size, _ in layers)


def jumps_too_early(layers):
    """A layer's own stride counts for the layers after it, not for its own window."""
    field, jump = 1, 1
    for kernel_size, stride in layers:
        jump *= stride
        field += (kernel_size - 1) * jump
    return field


def uses_the_last_stride_only(layers):
    """The jumps of all layers below multiply. You used only the stride just below."""
    field, jump = 1, 1
    for kernel_size, stride in layers:
        field += (kernel_size - 1) * jump
        jump = stride
    return field


def multiplies_the_windows(layers):
    """Fields of neighbours overlap, so their widths do not multiply."""
    field = 1
    for kernel_size, _ in layers:
        field *= kernel_size
    return field


# %%
alexnet = {"conv1": (11, 4), "pool1": (3, 2), "conv2": (5, 1), "pool2": (3, 2)}
alexnet |= {"conv3": (3, 1), "conv4": (3, 1), "conv5": (3, 1), "pool5": (3, 2)}
for count, name in enumerate(alexnet, start=1):
    field = receptive_field(list(alexnet.values())[:count])
    print(f"{name}: {field:3} of 227 pixels  " + "▪" * (field // 5))

# %% [markdown]
# <details><summary>Think: three 3x3 layers see as far as one 7x7 layer. Why did
# later networks (VGG, 2014) take the three?</summary>
#
# For $C$ channels in and out, three 3x3 layers have $3 \cdot 9\,C^2 = 27\,C^2$
# weights, one 7x7 layer has $49\,C^2$. Fewer weights, and three activation
# functions in place of one, so the network can compute more.
# </details>

# %% [markdown]
# ## 10. Fast
#
# Your `convolve` is right, and slow: for each window Python looks up names,
# makes a slice, calls functions. NumPy can do it for all windows in one go.
# The key is a *view*: `sliding_window_view` gives all windows of an array
# without copying a single number.

# %%
small = np.arange(20).reshape(4, 5)
windows = sliding_window_view(small, (3, 3))
print("the picture", small.shape, "has windows", windows.shape)
print("the one at row 1, column 2:")
print(windows[1, 2])

# %% [markdown]
# ### Exercise: `convolve_fast`
#
# The windows form an array of shape $(H', W', k, k)$. What is left to do: take
# every `stride`-th window in both directions, multiply each by the kernel, and
# sum over the last two axes. No loop over places.
#
# <details><summary>A nudge</summary>
#
# `np.einsum("ijab,ab->ij", windows, kernel)` says just what the formula of
# section 5 says: for each i and j, sum over a and b. `(windows *
# kernel).sum(axis=(2, 3))` does the same and needs more memory.
# </details>


# %% solution="convolve_fast"
def convolve_fast(image, kernel, stride=1, padding=0):
    """The same as `convolve`, without a loop over the places.

    image: (H, W), of any number type, uint8 too. kernel: weights (k, k), not
    rotated. Returns an array (H', W') of decimal numbers.
    On a large picture Python makes fewer steps than there are places.
    """
    ### BEGIN SOLUTION
    padded = pad(image, padding).astype(float)
    windows = sliding_window_view(padded, kernel.shape)[::stride, ::stride]
    return np.einsum("ijab,ab->ij", windows, kernel)
    ### END SOLUTION


# %% check="convolve_fast" points=3
def fewer_steps_than_places(image, kernel):
    """Whether Python makes fewer steps in convolve_fast than the kernel has places."""
    steps, places = 0, (len(image) - 2) * (len(image[0]) - 2)

    def count(frame, event, _):
        nonlocal steps
        frame.f_trace_opcodes = True
        steps += 1
        if steps == places:
            sys.settrace(None)  # no need to know how many more
        return count

    before = sys.gettrace()
    sys.settrace(count)
    try:
        convolve_fast(image, kernel)
    finally:
        sys.settrace(before)
    return steps < places


rng = np.random.default_rng(11)
noise, lopsided = rng.normal(size=(7, 10)), rng.normal(size=(3, 3))
check("seven rows of ten", convolve_fast(noise, lopsided))
check("seven rows of ten, stride 2, padding 1", convolve_fast(noise, lopsided, 2, 1))
large = rng.normal(size=(160, 160))
check("fewer steps than 158x158 places", fewer_steps_than_places(large, lopsided))
### BEGIN HIDDEN TESTS
rng = check.rng()
noise = rng.normal(size=(7, 10))
check(
    "quick, window 4, stride 3",
    convolve_fast(noise, rng.normal(size=(4, 4)), stride=3),
    atol=1e-5,
)
check(
    "quick, padding 2",
    convolve_fast(noise[:2], rng.normal(size=(5, 5)), padding=2),
    atol=1e-5,
)
some_bytes = rng.integers(0, 256, size=(9, 6), dtype=np.uint8)
check("quick, bytes", convolve_fast(some_bytes, lopsided, 2), atol=1e-3)
check(
    "quick, bytes times bytes",
    convolve_fast(some_bytes, np.array([[9, 8], [7, 6]], np.uint8)),
)
large, kernel = rng.normal(size=(160, 160)), rng.normal(size=(3, 3))
check(
    "quick, 158x158 places in fewer steps",
    np.asarray(convolve_fast(large, kernel))[::40, ::40]
    if fewer_steps_than_places(large, kernel)
    else "too many steps",
    atol=1e-5,
)
### END HIDDEN TESTS


# %% mistakes="convolve_fast"
def _fast(image, kernel, padding=0, down=1, right=1):
    padded = np.pad(np.asarray(image, float), padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)
    return np.einsum("ijab,ab->ij", windows[::down, ::right], kernel)


def still_loops(image, kernel, stride=1, padding=0):
    """The numbers are right, but you still visit the places one by one. Let NumPy take all windows at once."""
    kernel, k = np.asarray(kernel, float), len(kernel)
    padded = np.pad(np.asarray(image, float), padding)
    rows = range(0, padded.shape[0] - k + 1, stride)
    columns = range(0, padded.shape[1] - k + 1, stride)
    return np.array(
        [[np.sum(padded[r : r + k, c : c + k] * kernel) for c in columns] for r in rows]
    )


def strides_in_one_axis(image, kernel, stride=1, padding=0):
    """You took every stride-th row of windows, but all columns."""
    return _fast(image, kernel, padding, stride, 1)


def takes_every_window(image, kernel, stride=1, padding=0):
    """All windows are there. Take every stride-th of them, in both directions."""
    return _fast(image, kernel, padding)


def forgets_the_padding(image, kernel, stride=1, padding=0):
    """The padding is not used. Put the frame around the picture before you take its windows."""
    return _fast(image, kernel, 0, stride, stride)


def swaps_the_axes_of_the_kernel(image, kernel, stride=1, padding=0):
    """Rows and columns of the kernel are swapped: a and b must stand in the same order in both."""
    return _fast(image, kernel.T, padding, stride, stride)


def rotates_it(image, kernel, stride=1, padding=0):
    """You rotated the kernel by 180°. (SciPy's convolve2d does; its correlate2d does not.)"""
    return _fast(image, kernel[::-1, ::-1], padding, stride, stride)


def sums_over_the_places(image, kernel, stride=1, padding=0):
    """You summed over the places. Sum over the pixels of each window: the last two axes."""
    padded = np.pad(np.asarray(image, float), padding)
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel.shape)[
        ::stride, ::stride
    ]
    return (windows * kernel).sum(axis=(0, 1))


def stays_in_small_numbers(image, kernel, stride=1, padding=0):
    """Bytes times bytes start again at 0 behind 255. Turn the picture into decimal numbers first."""
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(image, padding), kernel.shape
    )
    return (windows[::stride, ::stride] * kernel).sum(axis=(2, 3)).astype(float)


# %% tags=["folded"]
# Measures and draws how long both functions take.
sizes = profile.pick(
    quick=(32, 64, 128, 256, 512), full=(32, 64, 128, 256, 512), grading=(16, 32)
)
kernel = filter_bank()["edge_2"]
seconds = {"convolve": [], "convolve_fast": []}
for size in sizes:
    image = np.random.default_rng(0).random((size, size))
    for function in (convolve, convolve_fast):
        repeats = 1 if function is convolve else 5
        times = []
        for _ in range(repeats):
            start = time.perf_counter()
            function(image, kernel)
            times.append(time.perf_counter() - start)
        seconds[function.__name__].append(min(times))

fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
for (name, times), colour in zip(seconds.items(), (plots.VERMILION, plots.BLUE)):
    ax.plot(sizes, times, "o-", color=colour)
    ax.annotate(
        f"  {name}\n  {1000 * times[-1]:,.1f} ms",
        (sizes[-1], times[-1]),
        va="center",
        color=colour,
    )
ax.set(
    xscale="log",
    yscale="log",
    xlabel="rows and columns of the picture",
    ylabel="seconds",
)
ax.set_xticks(sizes, sizes)
ax.minorticks_off()
ax.margins(x=0.15)
ax.set_title("time for one 3x3 filter")
ax.grid(True)
plt.show()
print(
    f"{sizes[-1]}x{sizes[-1]}: convolve_fast is {seconds['convolve'][-1] / seconds['convolve_fast'][-1]:.0f} times as fast."
)

# %% [markdown]
# <details><summary>Think: both lines rise with the same slope when the picture
# gets large. What does that say?</summary>
#
# Twice the rows and columns: that means four times the windows, and four times
# the time, for both. Both do the same number of multiplications. The fast one
# does not save work; it saves *Python*.
# </details>

# %% [markdown]
# ## 11. The same in Keras
#
# From lab 04 on Keras does this for you, in compiled code, and on a GPU where
# there is one. It works on a [**batch**](../glossary.md#batch) of volumes at
# once: shape $(N, H, W, C)$ for $N$ pictures. This order is called
# `channels_last`.
#
#     keras.ops.conv(inputs, kernel, strides=1, padding="valid",
#                    data_format="channels_last")
#
# - `inputs` $(N, H, W, C)$ and `kernel` $(k, k, C, F)$, both float32;
# - `padding` is a word: `"valid"` is none; `"same"` chooses the frame itself,
#   and with a stride it may put more zeros on the right and below than on the
#   left and above. For a frame of your own, use `keras.ops.pad` and `"valid"`;
# - there is no bias: add it yourself.
#
# Importing Keras takes some seconds.

# %%
import keras

# %% [markdown]
# ### Exercise: `convolve_batch`


# %% solution="convolve_batch"
def convolve_batch(volumes, filters, bias, stride=1, padding=0):
    """A convolutional layer on a batch, by keras.ops.conv.

    volumes: (N, H, W, C). filters: (k, k, C, F). bias: (F,). All float32.
    padding: zeros on every side of each picture, a number, not a word.
    Returns (N, H', W', F), as a tensor or an array.
    """
    ### BEGIN SOLUTION
    frame = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    maps = keras.ops.conv(
        keras.ops.pad(volumes, frame),
        filters,
        strides=stride,
        padding="valid",
        data_format="channels_last",
    )
    return maps + bias
    ### END SOLUTION


# %% check="convolve_batch" points=2
rng = np.random.default_rng(5)


def random32(*shape):
    """Random decimal numbers (float32) of a shape."""
    return rng.normal(size=shape).astype(np.float32)


volumes, filters, bias = random32(2, 6, 8, 3), random32(3, 3, 3, 4), random32(4)
check("two volumes, no padding", convolve_batch(volumes, filters, bias), atol=1e-5)
check(
    "two volumes, stride 2, padding 1",
    convolve_batch(volumes, filters, bias, 2, 1),
    atol=1e-5,
)
### BEGIN HIDDEN TESTS
rng = check.rng()
check(
    "one volume, window 5, padding 2",
    convolve_batch(random32(1, 5, 4, 2), random32(5, 5, 2, 3), random32(3), padding=2),
    atol=1e-5,
)
check(
    "three volumes, window 2, stride 3, padding 1",
    convolve_batch(
        random32(3, 7, 7, 1), random32(2, 2, 1, 2), random32(2), stride=3, padding=1
    ),
    atol=1e-5,
)
### END HIDDEN TESTS


# %% mistakes="convolve_batch"
def _conv(volumes, filters, stride, padding):
    frame = [(0, 0), (padding, padding), (padding, padding), (0, 0)]
    return keras.ops.conv(
        np.pad(volumes, frame), filters, stride, "valid", "channels_last"
    )


def leaves_out_the_bias(volumes, filters, bias, stride=1, padding=0):
    """keras.ops.conv knows nothing of a bias. Add it to the result."""
    return _conv(volumes, filters, stride, padding)


def lets_keras_pad(volumes, filters, bias, stride=1, padding=0):
    """ "same" chooses its own frame, and with a stride it pads left and right differently. Pad yourself, then use "valid"."""
    word = "same" if padding else "valid"
    return keras.ops.conv(volumes, filters, stride, word, "channels_last") + bias


def pads_nothing(volumes, filters, bias, stride=1, padding=0):
    """The padding is not used. keras.ops.pad puts the frame around."""
    return _conv(volumes, filters, stride, 0) + bias


def strides_nothing(volumes, filters, bias, stride=1, padding=0):
    """The stride is not used. Look for the argument `strides`."""
    return _conv(volumes, filters, 1, padding) + bias


def rotates_like_a_mathematician(volumes, filters, bias, stride=1, padding=0):
    """Do not rotate the filters: Keras slides them as they are, and so did you in section 7."""
    return _conv(volumes, filters[::-1, ::-1], stride, padding) + bias


# %% [markdown]
# Your own layer and Keras's must agree. Pictures are scaled to 0 to 1 here, as
# for training. float32 keeps about seven digits, so expect a difference
# somewhere below 0.00001, not 0.

# %%
size, count = profile.pick(quick=(96, 64), full=(96, 64), grading=(24, 8))
rng = np.random.default_rng(0)
picture = (photo[60 : 60 + size, 100 : 100 + size] / 255).astype(np.float32)
filters = (rng.normal(size=(3, 3, 3, count)) / np.sqrt(27)).astype(np.float32)
bias = rng.normal(size=count).astype(np.float32)

start = time.perf_counter()
by_hand = convolve_layer(picture, filters, bias, padding=1)
middle = time.perf_counter()
by_keras = keras.ops.convert_to_numpy(
    convolve_batch(picture[None], filters, bias, padding=1)
)[0]
end = time.perf_counter()
print("shapes:", by_hand.shape, by_keras.shape)
print(f"largest difference: {np.abs(by_hand - by_keras).max():.1e}")
print(f"by hand {middle - start:.3f} s, by Keras {end - middle:.3f} s")

# %% [markdown]
# ## Summary
#
# - A filter multiplies a window by its weights, place by place, and adds up.
#   The sum says how well the window agrees with the filter.
# - Sliding it gives a feature map of $\lfloor (n + 2p - k)/s \rfloor + 1$
#   places along each axis. In deep learning the kernel is not rotated.
# - Weights that sum to 1 keep the brightness; weights that sum to 0 answer to
#   changes only.
# - A filter can be learned: the slope for each weight is the sum, over all
#   places, of the difference there times the pixel that the weight meets.
# - A layer takes $(H, W, C)$ and gives $(H', W', F)$. A filter reaches through
#   all channels; each filter makes one feature map.
# - Small windows and shared weights bring a layer from billions of parameters
#   to tens of thousands. What shifts in the picture shifts in the feature
#   map: convolution is equivariant.
# - The receptive field grows by $(k - 1)$ jumps with each layer, and strides
#   multiply the jumps.
# - Pictures are bytes. Turn them into decimal numbers before you calculate.
#
# ## Going further
#
# - Some filters are a column times a row: `gaussian_blur` is. Then two passes
#   of a 1-D filter do the work of one 2-D pass. How many multiplications does
#   that save for $k = 11$? Which of the seven filters can be taken apart like
#   that? (`np.linalg.matrix_rank` knows.)
# - A balanced filter still prefers strong contrast. Divide each answer by the
#   length of its (balanced) window, the root of the sum of its squares, and
#   it cannot be bribed any more. That is *normalised cross-correlation*, still
#   the standard way to find a known template in a picture.
# - Write `convolve_layer` as one matrix product: every window becomes a row of
#   length $k \cdot k \cdot C$. This is *im2col*; many libraries work like that.
# - Not all pixels of a receptive field count alike. Put a picture of zeros with
#   a single 1 through five 3x3 box blurs and look at the result.
#
# ## Footnotes
#
# Where this lab and the course's slides differ:
#
# 1. One slide has black and white the other way round. Handwritten digits are
#    often *printed* inverted, which may be where that comes from.
# 2. Older texts, and one of the decks, say *wide* and *narrow* convolution for
#    with and without padding.
# 3. One slide's formula has the index $y - j - 1$ in place of $y + j - 1$. That
#    would mirror one axis and not the other, which is neither of the two.
# 4. One slide says *invariant*. That would mean that the answer does not move
#    at all.
# 5. One slide puts the bias into each product.
# 6. One deck computes the first number and calls it the parameters of
#    AlexNet's first layer. It is what the layer *would* have if nothing were
#    shared.
#
# ## Sources
#
# - Y. LeCun, L. Bottou, Y. Bengio, P. Haffner: *Gradient-based learning
#   applied to document recognition*. Proc. IEEE 86, 1998. Local windows, shared
#   weights.
# - A. Krizhevsky, I. Sutskever, G. Hinton: *ImageNet classification with deep
#   convolutional neural networks*. NIPS 2012. AlexNet.
# - K. Simonyan, A. Zisserman: *Very deep convolutional networks for large-scale
#   image recognition*. ICLR 2015. Why three 3x3 layers beat one 7x7.
# - D. H. Hubel, T. N. Wiesel: *Receptive fields, binocular interaction and
#   functional architecture in the cat's visual cortex*. J. Physiol. 160, 1962.
# - D. Marr, E. Hildreth: *Theory of edge detection*. Proc. R. Soc. Lond. B
#   207, 1980. The Laplacian as an edge detector.
# - V. Dumoulin, F. Visin: *A guide to convolution arithmetic for deep
#   learning*. arXiv:1603.07285, 2016. All about sizes, strides and padding.
# - W. Luo, Y. Li, R. Urtasun, R. Zemel: *Understanding the effective receptive
#   field in deep convolutional neural networks*. NIPS 2016.
# - Stanford CS231n, *Convolutional networks*:
#   <https://cs231n.github.io/convolutional-networks/>. The 5x5x3 example.
# - The course's decks: the curve detector, the seven filters, the counts for
#   AlexNet.
# - Photographs: `china.jpg` by danielbuechele and `flower.jpg` by vultilion,
#   both CC BY 2.0, as they come with scikit-learn.
