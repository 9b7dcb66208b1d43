# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "1 · A neuron learns"
#     summary: Build one neuron and teach it; then add a hidden layer for what it cannot learn.
#     minutes: 150
#     grading_seconds: 10
#     sample_mistakes: [overflows, forgets_the_half, climbs, changes_w_in_place]
# ---

# %% [markdown]
# # 1 · A neuron learns
#
# A network that tells cats from dogs is made of one small part, repeated many
# thousand times: the artificial neuron. In this lab you build that part and
# teach it. Nothing is hidden in a library: every line of the learning is
# yours.
#
# **You will be able to**
#
# - compute what a neuron answers, and how wrong the answer is;
# - find the direction in which each weight should change, in two ways, and
#   use one way to test the other;
# - write gradient descent, and see a neuron learn;
# - say what one neuron can never learn, and why;
# - send the error back through a hidden layer, and see it learn just that;
# - choose a learning rate and an activation function, and see from a curve
#   that you chose badly;
# - count the parameters of a layer, which is the reason why the next lab is
#   about convolution.
#
# **Time**: about two and a half hours: 25 minutes of reading, 5 to 10 for
# most of the twelve exercises, 20 for the hardest (`backward_two`), 5 for each
# question. Sections 1 to 5 belong together; then is a good moment for a
# break.
#
# **You need** Python functions and NumPy arrays: `a * b`, `a @ b`, `a.sum()`,
# `a.shape`. A derivative is a slope; you need no more than that.
#
# **How it works.** Write your code where it says `# YOUR CODE HERE`, then run
# the check cell below it. When the lab is graded, hidden checks run too: the
# same functions, other inputs.

# %%
import warnings

import matplotlib.pyplot as plt
import numpy as np

from labkit import check, plots
from labkit.widgets.neuron import explore_learning_rate, explore_neuron

plt.rcParams.update(plots.STYLE)

# %% [markdown]
# ## 1. One neuron
#
# A [**neuron**](../glossary.md#neuron) gets some numbers, its **inputs**
# $x_1, x_2, \dots, x_D$. It has one [**weight**](../glossary.md#weight) for
# each input, and one [**bias**](../glossary.md#bias). It does two things: it
# adds up, and it decides.
#
# ![A neuron: weighted sum of the inputs, then the activation](neuron.svg)
#
# $$z = w_1 x_1 + w_2 x_2 + \dots + w_D x_D + b = \mathbf{w} \cdot \mathbf{x} + b
# \qquad\qquad a = f(z)$$
#
# A large positive weight says "this input speaks for it", a negative one
# "this input speaks against it", zero says "I do not care". The bias is
# added once. It says how easily the neuron
# agrees.<sup>[1](#Footnotes)</sup>
#
# The function $f$ is the [**activation
# function**](../glossary.md#activation-function). The oldest one is a step: 0
# for a negative $z$, else 1. A step cannot learn: it is flat everywhere
# except for one jump. If the answer is wrong and you change a weight a
# little, the answer stays the same, so nothing tells you in which direction
# to go. And in the jump itself it has no slope at all. The remedy is a smooth
# step, the [**sigmoid**](../glossary.md#sigmoid):
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}}$$
#
# The sigmoid has a slope everywhere;<sup>[2](#Footnotes)</sup> its own
# weakness is section 3's question, and section 7 compares it with others.

# %% tags=["folded"]
# Draws the step and the sigmoid.
z = np.linspace(-6, 6, 241)
fig, axes = plt.subplots(1, 2, figsize=(8, 2.4), sharey=True, layout="constrained")
axes[0].plot(z, np.where(z < 0, 0, 1), color=plots.BLUE, lw=2.5)
axes[0].set_title("the step: flat, flat, a jump")
axes[1].plot(z, 1 / (1 + np.exp(-z)), color=plots.BLUE, lw=2.5)
axes[1].set_title("the sigmoid: uphill everywhere")
for ax in axes:
    ax.set_xlabel("z")
    ax.grid(True)
plt.show()

# %% [markdown]
# ### Exercise: `sigmoid`
#
# The formula is one line. But a computer's numbers end somewhere: try
# `np.exp(1000.0)` in an empty cell. It gives `inf` and a warning, because
# doubles end near $e^{709}$. A neuron's $z$ does get that large when training
# goes wrong, so do it properly from the start. The same function can be
# written in two ways:
#
# $$\sigma(z) = \frac{1}{1 + e^{-z}} = \frac{e^{z}}{1 + e^{z}}$$
#
# The first is safe where $z \ge 0$, the second where $z < 0$: then the
# exponent is never positive, and $e$ to it never larger than 1.
#
# <details><summary>A nudge</summary>
#
# `np.where(condition, a, b)` picks from two arrays, but it computes *both*
# arrays first, for all elements. So make one array that is safe for all:
# `np.exp(-np.abs(z))`. Both formulas can be written with it.
# </details>


# %% solution="sigmoid"
def sigmoid(z):
    """The logistic function 1 / (1 + exp(-z)), for each element.

    z: array of decimal numbers, of any shape.
    Returns an array of the same shape. There is no warning and no nan, also
    where z is -1000 or 1000.
    """
    ### BEGIN SOLUTION
    small = np.exp(-np.abs(z))  # never above 1, so it cannot overflow
    return np.where(z >= 0, 1, small) / (1 + small)
    ### END SOLUTION


# %% check="sigmoid" points=2
def warnings_of(function, *arguments):
    """The texts of the warnings that a call gives, and what it returns."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = function(*arguments)
    return [str(warning.message) for warning in caught], result


check("zero gives one half", sigmoid(np.array([0.0])))
check("small numbers", sigmoid(np.array([-2.0, -1.0, 1.0, 2.0])))
check("no warning at -1000 and 1000", warnings_of(sigmoid, np.array([-1000.0, 1000.0])))
### BEGIN HIDDEN TESTS


def without_warning(function, *arguments):
    """What a call returns; the texts of its warnings where it gives some."""
    texts, result = warnings_of(function, *arguments)
    return texts or result


rng = check.rng()
far = np.array([[800.0, -3.0], [2.0, -800.0]]) + rng.uniform(-1, 1, size=(2, 2))
check("no warning in rows", without_warning(sigmoid, far))
check("other small numbers", sigmoid(rng.uniform(-4, 4, size=5)))
check("three rows of four", sigmoid(rng.uniform(-4, 4, size=(3, 4))))
### END HIDDEN TESTS


# %% mistakes="sigmoid"
def forgets_the_minus(z):
    """Your curve falls where it should rise. Look at the sign of the exponent."""
    return 1 / (1 + np.exp(z))


def overflows(z):
    """The formula is right, but exp overflows for one sign of z. Which of the two forms
    above is safe for which sign?
    """
    return 1 / (1 + np.exp(-z))


def where_computes_both(z):
    """You chose the right form for each sign, but np.where computes both forms for all
    elements before it picks.
    """
    return np.where(z >= 0, 1 / (1 + np.exp(-z)), np.exp(z) / (1 + np.exp(z)))


def cuts_a_straight_line(z):
    """Yours is a straight line, cut off at 0 and 1. The sigmoid bends, and reaches neither."""
    return np.clip(0.5 + z / 4, 0, 1)


def forgets_the_one(z):
    """The values grow beyond 1. Look at what stands under the fraction line."""
    return np.exp(-np.abs(z)) ** np.where(z >= 0, -1, 1)


# %% [markdown]
# ### Exercise: `forward`
#
# A neuron rarely sees one sample alone. Put $N$ samples in the rows of a
# table `x` with one column for each of the $D$ inputs: the shape is $(N, D)$.
# Then `x @ w` makes all $N$ weighted sums at once. Sending inputs through to
# the output is called the [**forward pass**](../glossary.md#forward-pass).


# %% solution="forward"
def forward(x, w, b):
    """What a sigmoid neuron answers for N samples.

    x: inputs (N, D), one sample a row. w: weights (D,). b: the bias, a number.
    Returns the outputs (N,), each between 0 and 1.
    """
    ### BEGIN SOLUTION
    return sigmoid(x @ w + b)
    ### END SOLUTION


# %% check="forward" points=2
check(
    "three samples of two inputs",
    forward(
        np.array([[1.0, 2.0], [0.0, -1.0], [3.0, 0.5]]), np.array([0.5, -1.0]), 0.25
    ),
)
check("inputs of zero", forward(np.zeros((2, 3)), np.array([1.0, 2.0, 3.0]), -1.0))
### BEGIN HIDDEN TESTS
rng = check.rng()
check(
    "one sample of four inputs",
    forward(rng.uniform(-1, 1, size=(1, 4)), rng.uniform(-1, 1, size=4), 0.4),
)
check(
    "as many samples as inputs",
    forward(rng.uniform(-1, 1, size=(3, 3)), rng.uniform(-1, 1, size=3), -0.5),
)
### END HIDDEN TESTS


# %% mistakes="forward"
def forgets_the_bias(x, w, b):
    """Where all inputs are zero, your neuron says 0.5 whatever its bias is. Look at z
    again.
    """
    return sigmoid(x @ w)


def forgets_the_activation(x, w, b):
    """That is z, the weighted sum. The neuron's answer comes after the activation."""
    return x @ w + b


def adds_the_bias_last(x, w, b):
    """The bias belongs to the sum z. You added it after the activation, so the output
    can leave 0 to 1.
    """
    return sigmoid(x @ w) + b


def does_not_add_up(x, w, b):
    """You have one number for each input; there should be one for each sample. What
    does the Σ in the picture do?
    """
    return sigmoid(x * w + b)


# %% [markdown]
# ### Play with it
#
# Below is a neuron with two inputs. On the left: its output over all inputs,
# red for 0, blue for 1, white where it cannot decide. On the right: its
# activation, the slope of it, and where the four corners lie on the curve.
#
# Try to find out, before you read on:
#
# 1. What does the black line do when you change only the bias? Only `w1`?
# 2. Multiply both weights and the bias by two. What changes, what does not?
# 3. Set the four corners right for OR: output below 0.5 at (0, 0), above 0.5
#    at the three others. Then for AND: above 0.5 at (1, 1) only.
# 4. Now above 0.5 at (0, 1) and (1, 0), and below at the other two. Give up
#    when you have had enough; section 4 comes back to it.

# %%
explore_neuron(activation="sigmoid", w=(2.0, 1.0), b=-1.0)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# The line is where $z = 0$. The bias shifts it; the weights turn it: it
# stands at a right angle to $(w_1, w_2)$. Twice the weights and bias leave the
# line where it is, but the change from red to blue gets steeper. On the curve
# the corners move outwards, to where it is flat; only a corner on the line
# stays where it is.
# </details>

# %% [markdown]
# ## 2. How wrong is it?
#
# To learn, the neuron needs one number that says how wrong it is: the
# [**error**](../glossary.md#error), also called loss or cost. For each output
# take its distance from the [**target**](../glossary.md#target), the answer
# it should have given. Square it, so that distances in both directions count
# and large ones count more. Add up, take half:
#
# $$E = \frac12 \sum_n (t_n - a_n)^2$$
#
# The half changes nothing about which weights are best. It is there because
# the slope of $x^2$ is $2x$: the half and this 2 cancel.
#
# **Example.** A network looks at a photograph of a boat. It has four outputs,
# for dog, cat, boat and bird, so the target is `[0, 0, 1, 0]`. Before
# training it answers `[0.2, 0.4, 0.1, 0.3]`. The differences are 0.2, 0.4,
# 0.9 and 0.3; their squares 0.04, 0.16, 0.81 and 0.09 make 1.10; the error is
# 0.55. After one round of training it answers `[0.1, 0.1, 0.7, 0.1]`. Work
# out the new error by hand before you run the check.

# %% [markdown]
# ### Exercise: `squared_error`


# %% solution="squared_error"
def squared_error(target, output):
    """Half the sum of the squared differences.

    target, output: arrays of the same shape, any shape.
    Returns one number.
    """
    ### BEGIN SOLUTION
    return np.sum((target - output) ** 2) / 2
    ### END SOLUTION


# %% check="squared_error" points=1
boat = np.array([0, 0, 1, 0])
check("the boat before training", squared_error(boat, np.array([0.2, 0.4, 0.1, 0.3])))
check("the boat after a round", squared_error(boat, np.array([0.1, 0.1, 0.7, 0.1])))
### BEGIN HIDDEN TESTS
rng = check.rng()
check("the boat, other outputs", squared_error(boat, rng.uniform(0.1, 0.9, size=4)))
check("a table of outputs", squared_error(np.eye(3), rng.uniform(size=(3, 3))))
### END HIDDEN TESTS


# %% mistakes="squared_error"
def forgets_the_half(target, output):
    """Twice as much as it should be. Look at what stands before the sum."""
    return np.sum((target - output) ** 2)


def takes_the_mean(target, output):
    """You took the mean of the squares. The formula has a sum."""
    return np.mean((target - output) ** 2) / 2


def squares_the_sum(target, output):
    """Differences of opposite sign cancel in your error. Which comes first, the square
    or the sum?
    """
    return np.sum(target - output) ** 2 / 2


def takes_absolute_values(target, output):
    """You added the distances themselves. The formula squares each of them first."""
    return np.sum(np.abs(target - output)) / 2


# %% [markdown]
# ## 3. Which way is down?
#
# The error depends on the weights. Change one weight, and the error goes up
# or down. Learning means: **find out for each weight which direction is
# down, and go a little that way.** Here is the error of a neuron that should
# learn OR, drawn over its first weight, with the other weight and the bias
# held still.

# %%
corners = np.array([[0, 0], [0, 1], [1, 0], [1, 1]], dtype=float)
target_or = np.array([0, 1, 1, 1], dtype=float)
w, b = np.array([-1.5, 1.0]), 0.0


def error_of(w):
    """The error of the neuron on the four corners, as a function of its weights."""
    return squared_error(target_or, forward(corners, w, b))


# %% tags=["folded"]
# Draws the error over the first weight, and where the neuron stands.
def draw_error(slope=None):
    """The error over the first weight; with `slope`, the straight line along it."""
    first = np.linspace(-6, 6, 121)
    fig, ax = plt.subplots(figsize=(6.5, 2.8), layout="constrained")
    ax.plot(
        first, [error_of(np.array([v, w[1]])) for v in first], color=plots.BLUE, lw=2
    )
    if slope is not None:
        near = w[0] + np.array([-2.5, 2.5])
        line = error_of(w) + slope * (near - w[0])
        ax.plot(near, line, color=plots.VERMILION, lw=2, label=f"slope {slope:.3f}")
        ax.legend()
    ax.plot(w[0], error_of(w), "o", color=plots.INK, ms=8)
    ax.set(
        xlabel="first weight", title="the error of the neuron (it stands at the dot)"
    )
    ax.grid(True)
    plt.show()


draw_error()

# %% [markdown]
# ### Exercise: `numeric_gradient`
#
# The plainest way to find a slope: go a small step $h$ to the right, a small
# step to the left, and compare.
#
# $$\frac{\partial f}{\partial w_i} \approx
# \frac{f(w_1, \dots, w_i + h, \dots, w_D) - f(w_1, \dots, w_i - h, \dots, w_D)}{2h}$$
#
# Do so for each weight **alone**, while the others stay where they are. The
# list of all slopes is the [**gradient**](../glossary.md#gradient). It points
# where the error rises most steeply; down is the other way. Looking both ways
# is called a *central difference*. Looking one way only, $(f(w + h) -
# f(w))/h$, would be off by an amount that shrinks with $h$; with the central
# difference it shrinks with $h^2$.


# %% solution="numeric_gradient"
def numeric_gradient(f, w, step=1e-5):
    """The gradient of f at w, by central differences.

    f: a function that takes an array like w and returns a number.
    w: array of decimal numbers (D,); it is left as it was.
    step: how far to go to each side.
    Returns the D slopes, an array (D,).
    """
    ### BEGIN SOLUTION
    gradient = np.zeros_like(w)
    for i in np.ndindex(w.shape):
        right, left = w.copy(), w.copy()
        right[i] += step
        left[i] -= step
        gradient[i] = (f(right) - f(left)) / (2 * step)
    return gradient
    ### END SOLUTION


# %% check="numeric_gradient" points=3
def cubes(w):
    return np.sum(w**3)


def mixed(w):
    return w[0] * w[1] + np.sin(w[2])


def afterwards(w):
    """The gradient at w, and the array w after it was taken."""
    return numeric_gradient(cubes, w, step=0.5), w


check("the slopes of cubes", numeric_gradient(cubes, np.array([1.0, -2.0, 0.5])))
check("a step of 0.1", numeric_gradient(cubes, np.array([1.0, -2.0, 0.5]), step=0.1))
check("w stays as it was", afterwards(np.array([1.0, -2.0, 0.5])))
### BEGIN HIDDEN TESTS
rng = check.rng()
check("weights that meet", numeric_gradient(mixed, rng.uniform(-2, 2, size=3)))
check("one weight, a step of 0.5, and w", afterwards(rng.uniform(0.2, 1, size=1)))
### END HIDDEN TESTS


# %% mistakes="numeric_gradient"
def looks_to_the_right_only(f, w, step=1e-5):
    """You compared with f(w) itself. A central difference looks to both sides."""
    each = np.eye(len(w)) * step
    return np.array([(f(w + e) - f(w)) / step for e in each])


def divides_by_one_step(f, w, step=1e-5):
    """Your slopes are twice too steep. How far are the two points apart?"""
    each = np.eye(len(w)) * step
    return np.array([(f(w + e) - f(w - e)) / step for e in each])


def moves_all_at_once(f, w, step=1e-5):
    """You moved all the weights together. Each slope belongs to one weight, with the
    others at rest.
    """
    return np.full(len(w), (f(w + step) - f(w - step)) / (2 * step))


def leaves_w_changed(f, w, step=1e-5):
    """Your w is not the same afterwards: put each weight back, or work on a copy. (An
    assignment of an array makes no copy.)
    """
    gradient = np.zeros(len(w))
    for i in range(len(w)):
        w[i] += step
        above = f(w)
        w[i] -= 2 * step
        gradient[i] = (above - f(w)) / (2 * step)
    return gradient


def ignores_the_step(f, w, step=1e-5):
    """The argument step changes nothing in your function."""
    each = np.eye(len(w)) * 1e-5
    return np.array([(f(w + e) - f(w - e)) / 2e-5 for e in each])


# %% [markdown]
# The slope at the dot, from your function. Is its sign what you expect? In
# which direction should the first weight go?

# %%
draw_error(slope=numeric_gradient(error_of, w)[0])

# %% [markdown]
# ### The gradient by formula
#
# Wiggling each weight is simple and safe, but slow: two forward passes for
# *each* weight. AlexNet has 60 million of them. Luckily the same slopes
# follow from a formula, in one go. Ask in three steps how a weight acts on
# the error of one sample:
#
# 1. The weight changes $z$: by $x_i$ for each unit of $w_i$.
# 2. $z$ changes the output $a$: by the slope of the activation, $\sigma'(z)$.
# 3. The output changes the error $\frac12 (t - a)^2$: by $-(t - a) = a - t$.
#
# Slopes in a row multiply (the chain rule):
#
# $$\frac{\partial E}{\partial w_i} =
# \underbrace{(a - t)}_{\text{how wrong}} \cdot
# \underbrace{\sigma'(z)}_{\text{how easily moved}} \cdot
# \underbrace{x_i}_{\text{how much it was used}}$$
#
# With several samples, add this up over all of them. For the bias, $x_i$ is
# replaced by 1. In a network of many layers the same rule is applied layer
# after layer, from the output back to the input: section 5 does so.
#
# The sigmoid has a beautiful slope. It can be had from the output alone:
#
# $$\sigma'(z) = a\,(1 - a) \quad\text{with}\quad a = \sigma(z)$$
#
# The forward pass has already computed $a$, so the slope costs almost nothing.
# It is largest, 0.25, where the neuron is undecided ($a = 0.5$), and nearly
# zero where it is sure ($a$ near 0 or 1).
#
# Now the step of learning. Move each weight a little *against* its slope. The
# [**learning rate**](../glossary.md#learning-rate) $\eta$ (`lr`) says how
# little:
#
# $$w_i \leftarrow w_i - \eta\,\frac{\partial E}{\partial w_i}
# \qquad\qquad b \leftarrow b - \eta\,\frac{\partial E}{\partial b}$$
#
# It helps to compute the part that all weights share first, one number for
# each sample: $\delta_n = (a_n - t_n)\,a_n (1 - a_n)$. Then
#
# $$\frac{\partial E}{\partial w_i} = \sum_n \delta_n\, x_{n,i} \qquad\qquad
# \frac{\partial E}{\partial b} = \sum_n \delta_n$$
#
# ### Exercise: `sigmoid_slope`, `update`
#
# Write both; `update` uses `sigmoid_slope`. Each has its own check cell.
#
# **Mind the slope.** It belongs to the place on the curve where the neuron
# stands, so it is taken at the neuron's output.<sup>[3](#Footnotes)</sup>


# %% solution="update"
def sigmoid_slope(a):
    """The slope of the sigmoid, from its output.

    a: array of any shape: what sigmoid(z) gave.
    Returns an array of the same shape: the slopes at those z.
    """
    ### BEGIN SOLUTION
    return a * (1 - a)
    ### END SOLUTION


def update(x, target, w, b, lr):
    """One step of gradient descent on the squared error of all N samples.

    x: inputs (N, D). target: the right answers (N,).
    w: weights (D,); the array itself is left as it was. b: the bias, a number.
    lr: the learning rate, a number.
    Returns the new weights (D,) and the new bias (a number): a tuple (w, b).
    """
    ### BEGIN SOLUTION
    output = forward(x, w, b)
    delta = (output - target) * sigmoid_slope(output)
    return w - lr * delta @ x, b - lr * delta.sum()
    ### END SOLUTION


# %% check="sigmoid_slope" points=1
check("an undecided neuron", sigmoid_slope(np.array([0.5])))
check("from unsure to sure", sigmoid_slope(np.array([0.1, 0.4, 0.9, 1.0])))
### BEGIN HIDDEN TESTS
rng = check.rng()
check("slopes of four outputs", sigmoid_slope(rng.uniform(0.05, 0.95, size=4)))
check("slopes of a table", sigmoid_slope(rng.uniform(0.05, 0.95, size=(2, 3))))
### END HIDDEN TESTS


# %% mistakes="sigmoid_slope"
def takes_a_for_z(a):
    """You sent a through the sigmoid once more. But a is already the sigmoid's output."""
    return sigmoid(a) * (1 - sigmoid(a))


def multiplies_matrices(a):
    """There should be one slope for each element. `@` adds products up; `*` works on
    each element.
    """
    return a @ (1 - a).T


def adds_where_it_subtracts(a):
    """A sure neuron (a near 1) should have a slope near 0. Yours is at its steepest
    there.
    """
    return a * (1 + a)


# %% check="update" points=4
def weights_after_update(w):
    """The step from w, and the array w after it was computed."""
    return update(np.array([[1.0, -1.0]]), np.array([0.0]), w, 0.5, lr=2.0), w


check(
    "one sample",
    update(np.array([[1.0, 2.0]]), np.array([1.0]), np.array([0.5, -0.5]), 0.1, lr=1.0),
)
check(
    "three samples",
    update(
        np.array([[0.5, -1.0], [2.0, 0.0], [-1.5, 1.0]]),
        np.array([1.0, 0.0, 1.0]),
        np.array([0.2, -0.4]),
        0.1,
        lr=0.5,
    ),
)
check("the old weights stay as they were", weights_after_update(np.array([3.0, -2.0])))
### BEGIN HIDDEN TESTS
check(
    "inputs of zero move the bias alone",
    update(np.zeros((4, 2)), np.ones(4), np.array([1.0, -1.0]), -0.5, lr=3.0),
)
rng = check.rng()
check(
    "three other samples",
    update(
        rng.normal(size=(3, 2)), np.array([1.0, 0.0, 1.0]), rng.normal(size=2), 0.1, 0.7
    ),
)
check(
    "a single sample of four inputs",
    update(rng.normal(size=(1, 4)), np.ones(1), rng.uniform(-1, 1, size=4), -0.2, 1.5),
)
check("other old weights", weights_after_update(rng.uniform(-1, 1, size=2)))
### END HIDDEN TESTS


# %% mistakes="update"
def climbs(x, target, w, b, lr):
    """Your step goes uphill: the error grows. Look at the sign of the step, and at
    which way round you subtract.
    """
    output = forward(x, w, b)
    delta = (target - output) * sigmoid_slope(output)
    return w - lr * delta @ x, b - lr * delta.sum()


def forgets_the_slope(x, target, w, b, lr):
    """Your step has 'how wrong' and 'how much it was used'. The chain has three links."""
    delta = forward(x, w, b) - target
    return w - lr * delta @ x, b - lr * delta.sum()


def forgets_to_move_the_bias(x, target, w, b, lr):
    """The weights are right, but your bias never learns."""
    output = forward(x, w, b)
    delta = (output - target) * sigmoid_slope(output)
    return w - lr * delta @ x, b


def changes_w_in_place(x, target, w, b, lr):
    """The array that was passed as w has changed. `w -= ...` changes the array itself;
    `w = w - ...` makes a new one.
    """
    output = forward(x, w, b)
    delta = (output - target) * sigmoid_slope(output)
    w -= lr * delta @ x
    return w, b - lr * delta.sum()


def takes_the_slope_of_the_error(x, target, w, b, lr):
    """You computed the slope at the error. It belongs to the place on the curve where
    the neuron stands: read 'Mind the slope' again.
    """
    error = forward(x, w, b) - target
    delta = error * sigmoid_slope(error)
    return w - lr * delta @ x, b - lr * delta.sum()


def takes_the_slope_at_z(x, target, w, b, lr):
    """You gave z to sigmoid_slope. It wants the output a."""
    delta = (forward(x, w, b) - target) * sigmoid_slope(x @ w + b)
    return w - lr * delta @ x, b - lr * delta.sum()


def takes_the_mean_over_samples(x, target, w, b, lr):
    """With one sample you are right, with several your step is too small. The error is
    a sum over the samples.
    """
    output = forward(x, w, b)
    delta = (output - target) * sigmoid_slope(output)
    return w - lr * delta @ x / len(x), b - lr * delta.mean()


def moves_the_weights_first(x, target, w, b, lr):
    """The weights are right, but you computed the bias's step after the weights had
    moved. Take both from the same forward pass.
    """
    output = forward(x, w, b)
    w = w - lr * ((output - target) * sigmoid_slope(output)) @ x
    output = forward(x, w, b)
    return w, b - lr * ((output - target) * sigmoid_slope(output)).sum()


def ignores_the_learning_rate(x, target, w, b, lr):
    """Your step is the whole gradient. What is lr for?"""
    output = forward(x, w, b)
    delta = (output - target) * sigmoid_slope(output)
    return w - delta @ x, b - delta.sum()


# %% [markdown]
# ### Test the formula by wiggling
#
# Whoever derives a gradient makes mistakes, and a wrong one often learns a
# little all the same, so you may not notice. Therefore people compare it with
# the numeric gradient. With `lr=1`, `update` subtracts exactly the gradient.

# %%
new_w, new_b = update(corners, target_or, w, b, lr=1.0)
print("by formula :", w - new_w)
print("by wiggling:", numeric_gradient(error_of, w))

# %% [markdown]
# The two agree to about ten digits. Keep this habit: in the labs on
# convolution and pooling you will test every gradient in this way.
#
# ### A question on sure neurons
#
# A neuron has one input, the weight 10 and the bias 0. It sees $x = 1$. The
# target is 0.
#
# 1. What is its output, and what is the slope there? By how much does one
#    `update` with `lr=1` move the weight? (Numbers, please. Use your
#    functions.)
# 2. The answer could not be more wrong. Explain in a sentence or two why the
#    neuron learns so little from it.
# 3. Name one thing that could be done about it.

# %% [markdown] manual="sure_but_wrong" points=3
# **1 point** for the numbers: output 0.99995, slope 4.5e-5, and a move of the
# weight of about 4.5e-5 (from 10 to 9.99995).
#
# **1 point** for the reason: the step is the product of how wrong the neuron
# is (nearly 1), the input (1) and the slope of the activation. The last is
# nearly zero, because the neuron stands where its sigmoid is flat: it is
# saturated. The product is nearly zero, however wrong the answer.
#
# **1 point** for one remedy that works, such as: begin with small random
# weights and scale the inputs, so that z begins near 0; an activation that
# does not go flat (ReLU and its relatives); another error function, whose
# gradient does not contain the slope (cross-entropy with the sigmoid); a
# penalty on large weights. "A larger learning rate" earns half a point: it
# would have to be some ten thousand times larger, and then every sample that
# is not saturated would throw the weights away.
#
# **Model answer.** The output is 0.99995 and its slope 0.000045, so one step
# with the rate 1 moves the weight by 0.000045 only. The neuron is saturated:
# at z = 10 the sigmoid is flat, so a small change of the weight does not
# change the output, and the gradient, which contains that slope, is almost
# zero although the error is as large as it can be. Starting with small
# weights keeps z near 0, where the slope is 0.25.

# %% [markdown]
# ## 4. Learning
#
# Now repeat. One pass over all samples is called an
# [**epoch**](../glossary.md#epoch). Here every epoch is one `update` with all
# of them, which is called *full-batch* gradient descent.
#
# Where do the first weights come from? From chance. In a layer of many
# neurons, equal weights would get equal gradients for ever, so they must
# differ from the start. A [**seed**](../glossary.md#seed) makes chance
# repeatable: the same seed, the same numbers, on your machine and on
# everyone's.
#
# ### Exercise: `train`


# %% solution="train"
def train(x, target, epochs, lr, seed):
    """Teach a sigmoid neuron by gradient descent.

    x: inputs (N, D). target: the right answers (N,).
    epochs: how many times to update, also where nothing is left to learn.
    lr: the learning rate. seed: for the first weights. Draw them with
    rng = np.random.default_rng(seed) and rng.normal(size=D). Begin with b = 0.0.
    In each epoch, take the squared error first, then do one update.
    Returns a tuple (w, b, losses): weights (D,), bias, and the errors (epochs,),
    so that losses[0] is the error of the first weights.
    """
    ### BEGIN SOLUTION
    w = np.random.default_rng(seed).normal(size=x.shape[1])
    b = 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)
    ### END SOLUTION


# %% check="train" points=3
def trained_answers(target, epochs=300):
    """What a neuron that was trained on the four corners says: true above 0.5."""
    x = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    w, b, _ = train(x, np.array(target), epochs=epochs, lr=1.0, seed=1)
    return x @ w + b > 0


four = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
check("OR is learnt", trained_answers([0.0, 1.0, 1.0, 1.0]))
check(
    "the error of the first weights",
    train(four, np.ones(4), epochs=3, lr=0.5, seed=2)[2][0],
)
check(
    "three epochs",
    train(four, np.array([0.0, 1.0, 1.0, 1.0]), epochs=3, lr=0.5, seed=0),
)


### BEGIN HIDDEN TESTS
def all_right(target):
    return np.array_equal(trained_answers(target), np.array(target) > 0.5)


check("AND is learnt", trained_answers([0.0, 0.0, 0.0, 1.0]))
check(
    "the error of every hundredth epoch",
    train(four, np.array([0.0, 1.0, 1.0, 1.0]), epochs=401, lr=1.0, seed=4)[2][::100],
    rtol=1e-3,
)
check(
    "OR and XOR: all four right?",
    [all_right([0.0, 1.0, 1.0, 1.0]), all_right([0.0, 1.0, 1.0, 0.0])],
)
rng = check.rng()
seed = int(rng.integers(10, 1000))
# Zeros teach the weights nothing, and such targets the bias neither.
halves = 0.5 + rng.uniform(0.02, 0.1) * np.array([1, -1, 1, -1])
check(
    "nothing to learn, 40 epochs",
    train(np.zeros((4, 2)), halves, epochs=40, lr=1.0, seed=seed),
)
check(
    "the error of other first weights",
    train(rng.normal(size=(5, 2)), np.ones(5), epochs=1, lr=1.0, seed=seed)[2][0],
)
two_samples = rng.uniform(0.2, 1, size=(2, 3))
check(
    "three inputs, then little to learn: weights and bias",
    (
        train(two_samples, np.array([1.0, 0.0]), 10, 2.0, seed + 1)[:2],
        train(np.zeros((4, 2)), np.full(4, rng.uniform(0.4, 0.45)), 40, 1.0, 1)[:2],
    ),
    atol=1e-5,
)
### END HIDDEN TESTS


# %% mistakes="train"
def never_updates(x, target, epochs, lr, seed):
    """The errors do not fall: the new weights get lost. What do you do with what
    `update` returns?
    """
    w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        update(x, target, w, b, lr)
    return w, b, np.array(losses)


def takes_the_error_after_the_step(x, target, epochs, lr, seed):
    """Your errors are one step late: losses[0] should be the error of the first
    weights.
    """
    w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        w, b = update(x, target, w, b, lr)
        losses.append(squared_error(target, forward(x, w, b)))
    return w, b, np.array(losses)


def starts_at_zero(x, target, epochs, lr, seed):
    """Your first weights are zero. The function's description says how to draw them."""
    w, b = np.zeros(x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)


def draws_in_every_epoch(x, target, epochs, lr, seed):
    """You begin anew in every epoch. The first weights are drawn once, before the loop."""
    losses = []
    for _ in range(epochs):
        w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
        losses.append(squared_error(target, forward(x, w, b)))
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)


def updates_after_each_sample(x, target, epochs, lr, seed):
    """You do an update after each sample. Here an epoch is one update with all of them."""
    w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        for one in range(len(x)):
            w, b = update(x[one : one + 1], target[one : one + 1], w, b, lr)
    return w, b, np.array(losses)


def returns_only_the_last_error(x, target, epochs, lr, seed):
    """There should be one error for each epoch; you return the last one only."""
    w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
    for _ in range(epochs):
        loss = squared_error(target, forward(x, w, b))
        w, b = update(x, target, w, b, lr)
    return w, b, loss


def stops_early(x, target, epochs, lr, seed):
    """You stop before all epochs are done. There is an update and an error for each of
    them, also where the error hardly falls any more.
    """
    w, b = np.random.default_rng(seed).normal(size=x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        if losses[-1] < 0.05:
            break
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)


def ignores_the_seed(x, target, epochs, lr, seed):
    """Another seed should give other first weights; yours are always the same."""
    w, b = np.random.default_rng(0).normal(size=x.shape[1]), 0.0
    losses = []
    for _ in range(epochs):
        losses.append(squared_error(target, forward(x, w, b)))
        w, b = update(x, target, w, b, lr)
    return w, b, np.array(losses)


# %% [markdown]
# ### See it learn
#
# The neuron learns OR and AND. Then it tries XOR, which is 1 where exactly
# one input is 1, twice: from two different starts.

# %%
problems = [
    ("OR", [0, 1, 1, 1], 0),
    ("AND", [0, 0, 0, 1], 0),
    ("XOR", [0, 1, 1, 0], 0),
    ("XOR again", [0, 1, 1, 0], 3),
]
learnt = [
    train(corners, np.array(target), epochs=2000, lr=1.0, seed=seed)
    for _, target, seed in problems
]


# %% tags=["folded"]
# Draws each neuron's error while it learns, and its output at the end.
def draw_plane(ax, w, b, target):
    """A neuron's output over its two inputs: red 0, white 0.5, blue 1."""
    edge = np.linspace(-0.4, 1.4, 91)
    plane = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
    output = forward(plane, w, b).reshape(len(edge), len(edge))
    ax.imshow(
        output,
        extent=(-0.4, 1.4, -0.4, 1.4),
        origin="lower",
        cmap="RdBu",
        vmin=0,
        vmax=1,
    )
    label = {"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85}
    for corner, right, answer in zip(corners, target, forward(corners, w, b)):
        colour, rim = ("white", plots.INK) if right else (plots.INK, "white")
        ax.plot(*corner, "o", ms=10, color=colour, mec=rim, mew=1.5)
        ax.text(
            corner[0],
            corner[1] + 0.13,
            f"{answer:.2f}",
            ha="center",
            size=8,
            bbox=label,
        )
    ax.set(xticks=[0, 1], yticks=[0, 1], xlabel="$x_1$", ylabel="$x_2$")


fig, axes = plt.subplots(
    2, 4, figsize=(9, 4.6), height_ratios=[1, 1.25], layout="constrained"
)
for (name, target, _), (w_end, b_end, losses), above, below in zip(
    problems, learnt, *axes
):
    above.plot(losses, color=plots.BLUE, lw=2)
    above.set(title=f"{name}: error {losses[-1]:.3f}", ylim=(0, 0.8), xlabel="epoch")
    above.grid(True)
    draw_plane(below, w_end, b_end, target)
fig.suptitle("White discs should be blue (1), black discs red (0)", x=0.01, ha="left")
plt.show()

# %% [markdown]
# ### Why XOR cannot be learnt
#
# A neuron says 1 where $w_1 x_1 + w_2 x_2 + b > 0$. Where this is zero, there
# is a **straight line**, and the neuron says 1 on one side of it and 0 on the
# other. That is all it can do: draw one line. For XOR, (0, 1) and (1, 0) would
# have to lie on one side, and (0, 0) and (1, 1) on the other. No line does
# that. So gradient descent finds the best of what there is. From one start it
# ends with 0.5 for everything, from the other with three of four right.
#
# No learning rate, no patience and no other seed helps. Two more neurons do,
# and the next section adds them.
#
# ### A question on XOR
#
# You may give the neuron **one more input**, computed from $x_1$ and $x_2$
# by any formula you like. Which one would you choose so that it *can* learn
# XOR? Give weights and a bias that get all four corners right, and say why
# the argument with the line no longer holds. (You can try it: `train` takes
# any number of columns.)

# %% [markdown] manual="xor_with_one_more" points=3
# **1 point** for an input that works, such as x1·x2, |x1 - x2|,
# (x1 - x2)², max(x1, x2) or min(x1, x2). An input that is itself a weighted
# sum of x1 and x2, such as x1 + x2, does not work: 0 points for the question
# unless the answer finds that out.
#
# **1 point** for weights and a bias that get all four right. For x1·x2:
# w = (1, 1, -2), b = -0.5 gives z = -0.5, 0.5, 0.5, -0.5.
#
# **1 point** for the reason: with the third input the samples lie in space
# and no longer in one plane, and the neuron now separates them by a plane in
# space. Seen in the plane of x1 and x2 its border is bent. Equally good: the
# new input is not a weighted sum of the old ones.
#
# **Model answer.** I add x3 = x1·x2, which is 1 for (1, 1) only. With
# w = (1, 1, -2) and b = -0.5, z is -0.5 for (0, 0), 0.5 for (0, 1) and
# (1, 0), and 1 + 1 - 2 - 0.5 = -0.5 for (1, 1): all four are right. The
# corner (1, 1) is lifted out of the plane, so a plane in space can separate
# what no line in the plane could. A hidden layer learns such inputs by
# itself.

# %% [markdown]
# ## 5. A hidden layer
#
# One line cannot separate XOR. Two lines can: a first neuron says "at least
# one input is 1", a second one "both are", and a third puts the two answers
# together. Neurons whose answers go to other neurons form a [**hidden
# layer**](../glossary.md#hidden-layer): nobody tells them what to answer.
# Here is a network with $D = 2$ inputs and $H = 3$ hidden neurons. The blue
# arrows are the forward pass.
#
# ![Two inputs are connected to each of three hidden neurons by the weights
# W1, and these to one output neuron by the weights w2. Blue arrows run from
# the inputs to the output a, and orange ones back from the error: delta at the
# output, epsilon at each hidden neuron](hidden_layer.svg)
#
# $$\mathbf{h} = \sigma(\mathbf{x}\,W_1 + \mathbf{b}_1) \qquad\qquad
# a = \sigma(\mathbf{h} \cdot \mathbf{w}_2 + b_2)$$
#
# Column $j$ of the matrix $W_1$ holds the weights of hidden neuron $j$, so
# its shape is $(D, H)$, and each hidden neuron has a bias of its own.
#
# ### Exercise: `forward_two`
#
# It is `forward` twice. As before, `x` has $N$ samples in its rows, so the
# hidden answers are a table, too: $(N, H)$.


# %% solution="forward_two"
def forward_two(x, w1, b1, w2, b2):
    """What a network of one hidden layer answers for N samples. Sigmoid in both layers.

    x: inputs (N, D), one sample a row.
    w1: weights (D, H), one column for each hidden neuron. b1: their biases (H,).
    w2: weights of the output neuron (H,). b2: its bias, a number.
    Returns a tuple: the hidden answers (N, H) and the outputs (N,).
    """
    ### BEGIN SOLUTION
    hidden = sigmoid(x @ w1 + b1)
    return hidden, sigmoid(hidden @ w2 + b2)
    ### END SOLUTION


# %% check="forward_two" points=2
two_lines = np.array([[4.0, 4.0], [4.0, 4.0]]), np.array([-2.0, -6.0])
check(
    "XOR by hand: two hidden neurons, four corners",
    forward_two(
        np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
        *two_lines,
        np.array([6.0, -6.0]),
        -3.0,
    ),
)
check(
    "one sample, three hidden neurons",
    forward_two(
        np.array([[1.0, -1.0]]),
        np.array([[0.5, -1.0, 0.0], [1.0, 0.5, -0.5]]),
        np.array([0.1, 0.2, -0.3]),
        np.array([1.0, -2.0, 0.5]),
        0.25,
    ),
)
### BEGIN HIDDEN TESTS
rng = check.rng()
check(
    "five samples, two inputs, three hidden neurons",
    forward_two(
        rng.uniform(-1, 1, size=(5, 2)),
        rng.uniform(-2, 2, size=(2, 3)),
        rng.uniform(0.3, 1, size=3),
        rng.uniform(-2, 2, size=3),
        rng.uniform(0.3, 1),
    ),
)
check(
    "as many samples as inputs and hidden neurons",
    forward_two(
        rng.uniform(-1, 1, size=(3, 3)),
        rng.uniform(-2, 2, size=(3, 3)),
        rng.uniform(0.3, 1, size=3),
        rng.uniform(-2, 2, size=3),
        rng.uniform(-1, -0.3),
    ),
)
### END HIDDEN TESTS


# %% mistakes="forward_two"
def hidden_layer_without_activation(x, w1, b1, w2, b2):
    """Your hidden neurons give their sums. Without an activation the two layers are no
    more than one: a sum of sums is a sum.
    """
    hidden = x @ w1 + b1
    return hidden, sigmoid(hidden @ w2 + b2)


def output_without_activation(x, w1, b1, w2, b2):
    """Your outputs leave 0 to 1. The output neuron has a sigmoid, too."""
    hidden = sigmoid(x @ w1 + b1)
    return hidden, hidden @ w2 + b2


def forgets_the_hidden_biases(x, w1, b1, w2, b2):
    """Your hidden neurons have no bias. Each adds its own number of b1."""
    hidden = sigmoid(x @ w1)
    return hidden, sigmoid(hidden @ w2 + b2)


def forgets_the_output_bias(x, w1, b1, w2, b2):
    """The hidden answers are right. The output neuron has a bias, too."""
    hidden = sigmoid(x @ w1 + b1)
    return hidden, sigmoid(hidden @ w2)


def gives_the_output_alone(x, w1, b1, w2, b2):
    """You return the outputs alone. The way back needs the hidden answers as well: return
    both, the hidden ones first.
    """
    return sigmoid(sigmoid(x @ w1 + b1) @ w2 + b2)


def output_comes_first(x, w1, b1, w2, b2):
    """Both are there, but the other way round: first the hidden answers, then the outputs."""
    hidden = sigmoid(x @ w1 + b1)
    return sigmoid(hidden @ w2 + b2), hidden


def turns_the_weights(x, w1, b1, w2, b2):
    """You transposed w1. Its columns are the hidden neurons already, so x @ w1 fits."""
    square = w1.T if w1.shape[0] == w1.shape[1] else w1
    hidden = sigmoid(x @ square + b1)
    return hidden, sigmoid(hidden @ w2 + b2)


# %% [markdown]
# ### Back through two layers
#
# Now the famous step. For the output neuron nothing is new: it is a neuron
# whose inputs are the hidden answers. With its $\delta_n = (a_n - t_n)\,
# a_n (1 - a_n)$,
#
# $$\frac{\partial E}{\partial w_{2,j}} = \sum_n \delta_n\, h_{n,j}
# \qquad\qquad \frac{\partial E}{\partial b_2} = \sum_n \delta_n$$
#
# And the hidden neurons? They have no target, so nobody says how wrong they
# are. But the chain goes on. A change of $h_j$ changes the output's sum by
# $w_{2,j}$, so the output's $\delta$ comes back along the same weight, the
# orange arrows of the picture. It then meets the hidden neuron's own slope:
#
# $$\varepsilon_{n,j} =
# \underbrace{\delta_n \cdot w_{2,j}}_{\text{how wrong, sent back}} \cdot
# \underbrace{h_{n,j} (1 - h_{n,j})}_{\text{how easily moved}}$$
#
# From there it is the rule that you know: times how much each weight was
# used, added up over the samples.
#
# $$\frac{\partial E}{\partial W_{1,ij}} = \sum_n \varepsilon_{n,j}\, x_{n,i}
# \qquad\qquad \frac{\partial E}{\partial b_{1,j}} = \sum_n \varepsilon_{n,j}$$
#
# This is [**backpropagation**](../glossary.md#backpropagation). However many
# layers a network has, each gets its $\varepsilon$ from the next one in the
# same way.
#
# ### Exercise: `backward_two`
#
# Return the four gradients; take no step yet. A gradient has the shape of
# what it belongs to, which tells you what to transpose.
#
# <details><summary>A nudge</summary>
#
# `delta` has the shape (N,), `w2` the shape (H,). `np.outer(delta, w2)`, or
# `delta[:, None] * w2`, has a row for each sample and a column for each
# hidden neuron. A sum over samples of products is a matrix product:
# `hidden.T @ delta`.
# </details>


# %% solution="backward_two"
def backward_two(x, target, w1, b1, w2, b2):
    """The gradients of half the sum of squares of all N samples, for both layers.

    x: inputs (N, D). target: the right answers (N,).
    w1: weights (D, H). b1: biases (H,). w2: weights (H,). b2: a bias, a number.
    No array is changed.
    Returns a tuple (gw1, gb1, gw2, gb2), each of the shape of its parameter:
    (D, H), (H,), (H,) and a number.
    """
    ### BEGIN SOLUTION
    hidden, output = forward_two(x, w1, b1, w2, b2)
    delta = (output - target) * sigmoid_slope(output)
    epsilon = np.outer(delta, w2) * sigmoid_slope(hidden)
    return x.T @ epsilon, epsilon.sum(axis=0), hidden.T @ delta, delta.sum()
    ### END SOLUTION


# %% check="backward_two" points=4
check(
    "one sample, two hidden neurons",
    backward_two(
        np.array([[1.0, 2.0]]),
        np.array([1.0]),
        np.array([[0.5, -0.5], [0.25, 1.0]]),
        np.array([0.1, -0.2]),
        np.array([1.0, -1.5]),
        0.3,
    ),
)
check(
    "four samples, three hidden neurons",
    backward_two(
        np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]),
        np.array([0.0, 1.0, 1.0, 0.0]),
        np.array([[1.0, -1.0, 0.5], [0.5, 2.0, -1.0]]),
        np.array([0.2, -0.4, 0.6]),
        np.array([1.5, -1.0, 0.5]),
        -0.25,
    ),
)
### BEGIN HIDDEN TESTS


def layers_of(rng, inputs, hidden, bias=1.0):
    """Weights and biases of two layers, not too small: w1, b1, w2, b2."""
    signs = rng.choice([-1, 1], size=hidden)
    return (
        rng.uniform(-1.5, 1.5, size=(inputs, hidden)),
        bias * rng.uniform(0.3, 0.9, size=hidden),
        signs * rng.uniform(0.8, 1.6, size=hidden),
        bias * rng.uniform(0.3, 0.9),
    )


def left_alone(x, target, *parameters):
    """The first gradient, and all arrays as they are afterwards."""
    gradient = backward_two(x, target, *parameters)[0]
    return gradient, x, target, *parameters


rng = check.rng()
check(
    "five samples, two inputs, three hidden neurons: their gradients",
    backward_two(rng.normal(size=(5, 2)), np.eye(5)[0], *layers_of(rng, 2, 3)),
)
check(
    "one sample of four inputs, two hidden neurons",
    backward_two(rng.normal(size=(1, 4)), np.ones(1), *layers_of(rng, 4, 2)),
)
check(
    "as many samples as inputs and hidden neurons: their gradients",
    backward_two(rng.normal(size=(3, 3)), np.eye(3)[1], *layers_of(rng, 3, 3)),
)
check(
    "biases of zero",
    backward_two(rng.normal(size=(4, 2)), np.eye(4)[2], *layers_of(rng, 2, 3, bias=0)),
)
check(
    "what was given stays as it was",
    left_alone(rng.normal(size=(3, 2)), np.eye(3)[0], *layers_of(rng, 2, 2)),
)
### END HIDDEN TESTS


# %% mistakes="backward_two"
def _back(x, target, w1, b1, w2, b2, way_back=None, hidden_slope=None, delta=None):
    """The right gradients, with one part in another's place."""
    hidden = sigmoid(x @ w1 + b1)
    output = sigmoid(hidden @ w2 + b2)
    if delta is None:
        delta = (output - target) * output * (1 - output)
    if hidden_slope is None:
        hidden_slope = hidden * (1 - hidden)
    epsilon = np.outer(delta, w2 if way_back is None else way_back) * hidden_slope
    return x.T @ epsilon, epsilon.sum(axis=0), hidden.T @ delta, delta.sum()


def forgets_the_hidden_slope(x, target, w1, b1, w2, b2):
    """The output's gradients are right. On the way back, a hidden neuron's own slope,
    h (1 - h), is missing.
    """
    return _back(x, target, w1, b1, w2, b2, hidden_slope=1.0)


def forgets_the_output_slope(x, target, w1, b1, w2, b2):
    """Your delta says how wrong the output is, and not how easily it moves: its slope,
    a (1 - a), is missing.
    """
    output = sigmoid(sigmoid(x @ w1 + b1) @ w2 + b2)
    return _back(x, target, w1, b1, w2, b2, delta=output - target)


def sends_back_the_change_of_w2(x, target, w1, b1, w2, b2):
    """You sent delta back along the gradient of w2. It comes back along the weights w2
    themselves.
    """
    change = _back(x, target, w1, b1, w2, b2)[2]
    return _back(x, target, w1, b1, w2, b2, way_back=change)


def moves_w2_first(x, target, w1, b1, w2, b2):
    """You changed w2 before you went on to the hidden layer. All four gradients belong to
    the same weights: compute all of them first, then step.
    """
    change = _back(x, target, w1, b1, w2, b2)[2]
    return _back(x, target, w1, b1, w2, b2, way_back=w2 - change)


def forgets_w2_on_the_way_back(x, target, w1, b1, w2, b2):
    """On the way back, delta is multiplied by the weight that it comes along, w2. Yours
    reaches all hidden neurons alike.
    """
    return _back(x, target, w1, b1, w2, b2, way_back=np.ones_like(w2))


def takes_the_mean_of_the_samples(x, target, w1, b1, w2, b2):
    """With one sample you are right, with several your gradients are too small. The error
    is a sum over the samples, not a mean.
    """
    return tuple(part / len(x) for part in _back(x, target, w1, b1, w2, b2))


def takes_the_hidden_slope_at_the_sum(x, target, w1, b1, w2, b2):
    """You took the hidden slope from the sums. sigmoid_slope wants the answers h."""
    sums = x @ w1 + b1
    return _back(x, target, w1, b1, w2, b2, hidden_slope=sums * (1 - sums))


def points_uphill(x, target, w1, b1, w2, b2):
    """All your gradients have the wrong sign. 'How wrong' means output minus target here,
    since a step goes against the gradient.
    """
    return tuple(-part for part in _back(x, target, w1, b1, w2, b2))


def one_bias_for_all_hidden_neurons(x, target, w1, b1, w2, b2):
    """You added up the hidden biases' gradients. Each hidden neuron has its own: add over
    the samples only.
    """
    gw1, gb1, gw2, gb2 = _back(x, target, w1, b1, w2, b2)
    return gw1, np.full_like(gb1, gb1.sum()), gw2, gb2


def turns_the_first_gradient(x, target, w1, b1, w2, b2):
    """Your gradient of w1 has rows and columns exchanged: its row i belongs to input i."""
    gw1, gb1, gw2, gb2 = _back(x, target, w1, b1, w2, b2)
    return gw1.T, gb1, gw2, gb2


def changes_w2_in_place(x, target, w1, b1, w2, b2):
    """The gradients are right, but your function changed w2 itself. It computes; the step
    comes later.
    """
    gradients = _back(x, target, w1, b1, w2, b2)
    w2 -= gradients[2]
    return gradients


# %% [markdown]
# ### Test it by wiggling
#
# Four gradients, four places for a slip. `numeric_gradient` finds them: lay
# all numbers of `w1` in a row, wiggle each, and compare.

# %%
rng = np.random.default_rng(3)
w1, b1, w2, b2 = rng.normal(size=(2, 3)), np.zeros(3), rng.normal(size=3), 0.0
target_xor = np.array([0, 1, 1, 0], dtype=float)


def error_of_w1(flat):
    """The network's error on XOR, as a function of the six numbers of w1."""
    _, output = forward_two(corners, flat.reshape(2, 3), b1, w2, b2)
    return squared_error(target_xor, output)


print("by formula :", backward_two(corners, target_xor, w1, b1, w2, b2)[0].ravel())
print("by wiggling:", numeric_gradient(error_of_w1, w1.ravel()))

# %% [markdown]
# ### XOR, learnt
#
# Gradient descent, as before: all four parameters take a step against their
# gradients. Four networks try. The black lines are where a hidden neuron
# cannot decide.


# %%
def train_two(x, target, hidden, epochs, lr, seed, alike=False):
    """Teach a network of one hidden layer; alike: all first weights are equal."""
    rng = np.random.default_rng(seed)
    w1, w2 = rng.normal(size=(x.shape[1], hidden)), rng.normal(size=hidden)
    if alike:
        w1, w2 = np.full_like(w1, 0.5), np.full_like(w2, 0.5)
    parameters, losses = [w1, np.zeros(hidden), w2, 0.0], []
    for _ in range(epochs):
        losses.append(squared_error(target, forward_two(x, *parameters)[1]))
        gradients = backward_two(x, target, *parameters)
        parameters = [p - lr * g for p, g in zip(parameters, gradients)]
    return parameters, losses


# %%
tries = {
    "2 hidden neurons": dict(hidden=2, seed=0),
    "2, another start": dict(hidden=2, seed=5),
    "4, the same seed": dict(hidden=4, seed=5),
    "4, all alike": dict(hidden=4, seed=5, alike=True),
}
networks = {
    name: train_two(corners, target_xor, epochs=3000, lr=1.0, **setting)
    for name, setting in tries.items()
}

# %% tags=["folded"]
# Draws each network's error while it learns, and its output at the end.
edge = np.linspace(-0.4, 1.4, 91)
plane = np.stack(np.meshgrid(edge, edge), axis=-1).reshape(-1, 2)
fig, axes = plt.subplots(
    2, 4, figsize=(9, 4.6), height_ratios=[1, 1.25], layout="constrained"
)
for (name, (parameters, losses)), above, below in zip(networks.items(), *axes):
    above.plot(losses, color=plots.BLUE, lw=2)
    above.set(title=f"{name}: {losses[-1]:.3f}", ylim=(0, 0.8), xlabel="epoch")
    above.title.set_size(8)
    above.grid(True)
    hidden, output = (
        part.reshape(91, 91, -1) for part in forward_two(plane, *parameters)
    )
    below.imshow(
        output[..., 0],
        extent=(-0.4, 1.4, -0.4, 1.4),
        origin="lower",
        cmap="RdBu",
        vmin=0,
        vmax=1,
    )
    for one in np.moveaxis(hidden, -1, 0):
        below.contour(edge, edge, one, levels=[0.5], colors=plots.INK, linewidths=1)
    for corner, right in zip(corners, target_xor):
        colour, rim = ("white", plots.INK) if right else (plots.INK, "white")
        below.plot(*corner, "o", ms=10, color=colour, mec=rim, mew=1.5)
    below.set(xticks=[0, 1], yticks=[0, 1], xlabel="$x_1$", ylabel="$x_2$")
fig.suptitle("White discs should be blue (1), black discs red (0)", x=0.01, ha="left")
plt.show()

# %% [markdown]
# The first network has drawn two lines, and the output neuron says 0 between
# them and 1 outside. The second one has the same form and starts elsewhere,
# and it is stuck: gradient descent finds *a* valley. With more hidden neurons
# than are needed, the same seed succeeds. That is one reason why networks are
# made larger than their task asks for.
#
# **Think.** The fourth network has four hidden neurons, and all its first
# weights are equal. Why does it draw one line only, as one neuron does?
#
# <details><summary>One answer</summary>
#
# Equal weights give equal answers $h_j$, hence equal $\varepsilon_j$, hence
# equal gradients. So the four neurons stay alike for ever, and four equal
# neurons are one. Chance at the start makes them different.
# </details>

# %% [markdown]
# ## 6. How large a step?
#
# The gradient says where down is. It does not say how far to go. That is the
# learning rate, and it is the setting that decides most often whether a
# network learns at all. Here is a loss over two weights, seen from above:
# dark is low. The orange path is gradient descent.
#
# 1. Start with the *long valley*. Find a rate that is too small, one that is
#    right and one that diverges. How far apart are the last two?
# 2. In the valley the path leaps across, long before it diverges. Which of
#    the two weights leaps, and why that one?
# 3. Choose *two hollows*. Where does the path end with a rate of 0.1? With
#    0.6?

# %%
explore_learning_rate(surface="long valley", lr=0.01)

# %% [markdown]
# <details><summary>What you should have seen</summary>
#
# In the valley, 0.18 is fine and anything above 0.2 diverges: the best rates
# live close to the cliff. The steep direction, `w2`, sets the limit; the flat
# one, `w1`, then has to wait. An input with large numbers makes the direction
# of its weight steep, so it pays to bring all inputs to the same scale.
#
# With two hollows, a small rate ends in the nearer, shallower one: gradient
# descent goes downhill from where it starts, and does not look for the lowest
# point of all.<sup>[4](#Footnotes)</sup> A larger rate at the beginning may
# jump over a ridge, by luck.
# </details>
#
# ### A question on flat curves
#
# Three neurons learn OR from the same start, with the rates 0.0002, 3 and 100.
# Here are their errors, in an order that is not told.

# %%
rates = np.random.default_rng(4).permutation([0.0002, 3.0, 100.0])
trained = {
    name: train(corners, target_or, 200, lr, seed=0) for name, lr in zip("ABC", rates)
}

# %% tags=["folded"]
# Draws the errors of the three neurons.
fig, axes = plt.subplots(1, 3, figsize=(9, 2.5), sharey=True, layout="constrained")
for ax, (name, (_, _, losses)) in zip(axes, trained.items()):
    ax.plot(losses, color=plots.BLUE, lw=2)
    ax.set(title=f"neuron {name}", xlabel="epoch", ylim=(0, 0.6))
    ax.grid(True)
axes[0].set_ylabel("error")
plt.show()

# %% [markdown]
# Two curves are flat. One of these neurons goes too slowly, the other went
# too fast in its very first step.
#
# 1. Which is which? Look into them: `trained["A"]` is what `train` returned.
#    Name the numbers that told you.
# 2. A sigmoid neuron with a rate that is far too large does not give an
#    ever growing error, as the valley did. Why not?
# 3. Someone shows you a flat curve. What do you look at first, before you
#    change the rate?

# %% [markdown] manual="flat_curves" points=3
# **1 point**: B is right (rate 3), A is too slow (0.0002), C too fast (100),
# told from the weights, the outputs or the slopes: C's weights and bias are
# about 25, from a start near 0, its outputs are all 1.00 and their slopes
# below 1e-10; A's weights (0.14 and -0.12) are almost those of the start, its
# outputs lie between 0.47 and 0.54, where the slope is nearly 0.25.
#
# **1 point**: the outputs of a sigmoid lie between 0 and 1, so the error of
# four samples can never exceed 2. After one huge step the neuron is
# saturated, its slopes are almost zero, and it stays where it is.
#
# **1 point** for a test that tells the two cases apart: the outputs or slopes
# (saturated or not), the size of the weights, the size of the gradient, how
# far the weights moved since the start. "Try a smaller rate and see" alone
# earns half a point.
#
# **Model answer.** C's outputs are all 1.00 and its weights are about 25: its
# first step threw it far out, where the sigmoid is flat, so it cannot come
# back. A's weights have hardly moved and its outputs are near 0.5. The error
# cannot grow without end because each output stays between 0 and 1: one wrong
# of four gives at most 0.5. Before I change the rate, I look at the outputs
# and their slopes: if they are saturated, the rate (or the start) was too
# large; if they are near 0.5 and the weights hardly move, it is too small.

# %% [markdown]
# ### Exercise: `decayed`
#
# Large steps are good at the start, small ones at the end. So the learning
# rate is made smaller while the training goes on: **learning-rate decay**.
# Each time `every` steps are done it is multiplied by `rate`, a number below 1:
#
# $$\eta(s) = \eta_0 \cdot r^{\lfloor s / k \rfloor} \;\text{(staircase)}
# \qquad\qquad \eta(s) = \eta_0 \cdot r^{\,s / k} \;\text{(exponential)}$$
#
# with the first rate $\eta_0$, the step $s$, and $k$ for `every`. The brackets
# $\lfloor\ \rfloor$ mean: leave out what stands behind the decimal point. The
# staircase holds the rate for `every` steps, then drops; the exponential form
# falls a little in each step. They meet at every edge of a stair. GoogLeNet
# was trained with a staircase: 4 % less every 8 epochs.


# %% solution="decayed"
def decayed(lr, rate, step, every, staircase=True):
    """The learning rate at a step.

    lr: the first learning rate. rate: what it is multiplied by every `every` steps.
    step: the number of the step, from 0, a whole number. every: a whole number.
    staircase: True to drop at every `every`-th step only; False to fall smoothly.
    Returns a number.
    """
    ### BEGIN SOLUTION
    times = step // every if staircase else step / every
    return lr * rate**times
    ### END SOLUTION


# %% check="decayed" points=2
check("4 % less after 8 epochs", decayed(0.01, 0.96, 8, 8))
check("in the middle of a stair", decayed(1.0, 0.5, 15, 10))
check("in the middle, smoothly", decayed(1.0, 0.5, 15, 10, staircase=False))
### BEGIN HIDDEN TESTS
check("the fourth stair", decayed(2.0, 0.5, 300, 100))
rng = check.rng()
lr, rate, every = rng.uniform(0.1, 1), rng.uniform(0.6, 0.9), int(rng.integers(5, 20))
check(
    "the last step of the third stair",
    decayed(lr, rate, 3 * every - 1, every, staircase=True),
)
check(
    "smoothly, in the second stair",
    decayed(lr, rate, int(rng.integers(120, 180)), 100, staircase=False),
)
check(
    "the first step, and one of the next stair",
    (decayed(lr, rate, 0, every), decayed(lr, rate, every, every)),
)
### END HIDDEN TESTS


# %% mistakes="decayed"
def always_smooth(lr, rate, step, every, staircase=True):
    """On each stair, from one drop to the next, the rate must stay the same."""
    return lr * rate ** (step / every)


def always_stairs(lr, rate, step, every, staircase=True):
    """With staircase=False the rate falls in each step."""
    return lr * rate ** (step // every)


def multiplies_instead_of_powers(lr, rate, step, every, staircase=True):
    """Three times half is not half of half of half. How often is lr multiplied by rate?"""
    times = step // every if staircase else step / every
    return lr * rate * times


def takes_rate_as_the_loss(lr, rate, step, every, staircase=True):
    """`rate` is what is left each time, not what is taken off."""
    times = step // every if staircase else step / every
    return lr * (1 - rate) ** times


def rounds_to_the_nearest(lr, rate, step, every, staircase=True):
    """Your stairs drop in the middle. Leave out what stands behind the decimal point;
    do not round.
    """
    times = np.floor(step / every + 0.5) if staircase else step / every
    return lr * rate**times


def starts_one_stair_down(lr, rate, step, every, staircase=True):
    """At step 0 the rate should be lr itself."""
    times = step // every + 1 if staircase else step / every
    return lr * rate**times


# %% tags=["folded"]
# Draws the learning rate over the epochs, for both forms.
steps = range(0, 48)
fig, ax = plt.subplots(figsize=(6.5, 2.6), layout="constrained")
ax.step(
    steps,
    [decayed(0.01, 0.96, s, 8) for s in steps],
    where="post",
    color=plots.BLUE,
    lw=2,
    label="staircase",
)
ax.plot(
    steps,
    [decayed(0.01, 0.96, s, 8, staircase=False) for s in steps],
    color=plots.VERMILION,
    lw=2,
    label="exponential",
)
ax.set(xlabel="epoch", title="learning rate: 4 % less every 8 epochs")
ax.legend()
ax.grid(True)
plt.show()

# %% [markdown]
# ## 7. Other activations
#
# The sigmoid goes flat on both sides: it
# [**saturates**](../glossary.md#saturated), and a saturated neuron hardly
# learns. In a network it gets worse. Backpropagation multiplies slopes layer
# after layer, and the sigmoid's slope is 0.25 at its very best. Through ten
# layers, what is left of the gradient is at most

# %%
print(f"{0.25**10:.1e}")

# %% [markdown]
# This is the [**vanishing gradient**](../glossary.md#vanishing-gradient). It
# kept networks shallow for years. The remedy was to change the activation
# function. Three others are in use:
#
# The **hyperbolic tangent** is the sigmoid, stretched to run from -1 to 1.
# Its outputs lie around zero, which helps the next layer, and its slope is up
# to 1. But it saturates, too.
#
# $$\tanh(z) = 2\,\sigma(2z) - 1$$
#
# The [**rectified linear unit**](../glossary.md#ReLU) lets positive values
# pass and makes negative ones zero. Its slope is 1 for all positive $z$,
# however large: there it never saturates, and it costs next to nothing. A
# four-layer network with ReLU reached 25 % training error on CIFAR-10 six
# times faster than the same network with tanh (Krizhevsky and others, 2012).
# Most networks for images use it, or one of its relatives.
#
# $$\mathrm{ReLU}(z) = \max(0, z)$$
#
# ReLU saturates on the left: for negative $z$ its slope is exactly 0. The
# **leaky ReLU** keeps a small slope $s$ there, so that something always comes
# through. Its $s$ is a setting; 0.01 is that of the paper that proposed it
# (Maas and others, 2013).
#
# $$\mathrm{leaky}(z) = \begin{cases} z & z > 0 \\ s \cdot z & z \le 0
# \end{cases}$$
#
# Where the ground is grey, the slope is below 0.02: there the unit saturates.
# The leaky ReLU is drawn with $s = 0.1$, so that you can see it.

# %% tags=["folded"]
# Draws four activation functions and their slopes.
curves = {
    "sigmoid": lambda z: 1 / (1 + np.exp(-z)),
    "tanh": np.tanh,
    "ReLU": lambda z: np.interp(z, [-7, 0, 7], [0, 0, 7]),
    "leaky ReLU": lambda z: np.interp(z, [-7, 0, 7], [-0.7, 0, 7]),
}
z = np.linspace(-6, 6, 601)
fig, axes = plt.subplots(1, 4, figsize=(9, 2.5), sharex=True, layout="constrained")
for ax, (name, function) in zip(axes, curves.items()):
    slopes = (function(z + 1e-4) - function(z - 1e-4)) / 2e-4
    ax.fill_between(
        z,
        0,
        1,
        where=slopes**2 < 0.02**2,
        color="#e5e8eb",
        transform=ax.get_xaxis_transform(),
    )
    ax.plot(z, function(z), color=plots.BLUE, lw=2, label="f(z)")
    ax.plot(z, slopes, color=plots.VERMILION, lw=1.5, label="slope")
    ax.set(title=name, ylim=(-1.3, 3.2), xlabel="z")
    ax.grid(True)
axes[0].legend(loc="upper left")
plt.show()

# %% [markdown]
# A ReLU that gets a negative $z$ answers 0, and its slope is 0: from that
# sample it learns nothing. No harm, as long as other samples get through. But
# if **every** sample gives 0, its weights never change again. The unit is
# [**dead**](../glossary.md#dead-unit). One step with too large a rate can
# kill many units at once.
#
# ### Exercise: `tanh`, `relu`, `leaky_relu`, `dead_units`
#
# Four short ones. Write `tanh` with your `sigmoid`. (NumPy has `np.tanh`, with
# which you can compare.) For `dead_units`, `z` holds the weighted sums of a
# layer: one row for each of the $N$ samples, one column for each of the $H$
# units. Find the dead columns. Each has a check cell of its own below.


# %% solution="dead_units"
def tanh(z):
    """The hyperbolic tangent, for each element.

    z: array of decimal numbers, of any shape.
    Returns an array of the same shape, between -1 and 1; no nan, also where z is
    -1000 or 1000.
    """
    ### BEGIN SOLUTION
    return 2 * sigmoid(2 * z) - 1
    ### END SOLUTION


def relu(z):
    """The larger of 0 and z, for each element.

    z: array of decimal numbers, of any shape; it is left as it was.
    Returns an array of the same shape.
    """
    ### BEGIN SOLUTION
    return np.maximum(z, 0)
    ### END SOLUTION


def leaky_relu(z, slope=0.01):
    """z where it is positive, slope * z where it is not, for each element.

    z: array of decimal numbers, of any shape; it is left as it was.
    slope: a number between 0 and 1.
    Returns an array of the same shape.
    """
    ### BEGIN SOLUTION
    return np.where(z > 0, z, slope * z)
    ### END SOLUTION


def dead_units(z):
    """Which ReLU units of a layer are dead: their output is 0 for every sample.

    z: the weighted sums (N, H), one row a sample, one column a unit.
    Returns H truth values, an array (H,): True for a dead unit. However little a unit
    answers, it lives.
    """
    ### BEGIN SOLUTION
    return np.all(relu(z) == 0, axis=0)
    ### END SOLUTION


# %% check="tanh" points=1
check("tanh around zero", tanh(np.array([-1.0, 0.0, 0.5, 2.0])))
### BEGIN HIDDEN TESTS
check("tanh of a table with far ends", tanh(np.array([[-500.0, 0.1], [-0.3, 500.0]])))
rng = check.rng()
few = rng.uniform(-2, 2, size=3)
check("tanh of a thousand", tanh(rng.permutation([-1000.0, *few, 1000.0])))
check("tanh of other numbers", tanh(rng.uniform(-2, 2, size=5)))
### END HIDDEN TESTS


# %% mistakes="tanh"
def does_not_double_z(z):
    """It runs from -1 to 1, but not steeply enough. Look at what goes into the sigmoid."""
    return 2 * sigmoid(z) - 1


def divides_infinity_by_infinity(z):
    """The formula is right, but for large z it is inf / inf, which is nan. Your sigmoid
    has no such trouble.
    """
    with np.errstate(all="ignore"):
        return (np.exp(z) - np.exp(-z)) / (np.exp(z) + np.exp(-z))


def does_not_stretch(z):
    """At zero it should be zero. The sigmoid's values must be stretched and moved."""
    return sigmoid(2 * z)


# %% check="relu" points=1
def z_after_relu(z):
    """What relu gives for z, and the array z afterwards."""
    return relu(z), z


check("both signs", relu(np.array([-2.0, -0.1, 0.0, 0.1, 3.0])))
check("z stays as it was", z_after_relu(np.array([-1.0, 2.0])))
### BEGIN HIDDEN TESTS
rng = check.rng()
signs = rng.permutation([1.0, -1.0, -1.0, 1.0])
check("other numbers of both signs", relu(rng.uniform(0.1, 5, size=4) * signs))
check("large numbers", relu(rng.uniform(10, 900, size=4) * signs))
table = rng.uniform(0.1, 5, size=(3, 4)) * signs
check("a table of both signs, and z", z_after_relu(table))
### END HIDDEN TESTS


# %% mistakes="relu"
def takes_the_largest_of_all(z):
    """np.max gives the largest element of one array. You need the larger of two
    numbers, for each element.
    """
    return np.max(z, 0)


def turns_the_sign(z):
    """Negative values should become zero; yours become positive."""
    return np.abs(z)


def stops_at_six(z):
    """Positive values should pass, however large; yours end at 6. (That is another
    function, called ReLU6.)
    """
    return np.clip(z, 0, 6)


def changes_z_itself(z):
    """The array that was passed has changed. Make a new one."""
    z[z < 0] = 0
    return z


def drops_the_negative_ones(z):
    """The shape has changed. Negative values become zero; they do not vanish."""
    return z[z >= 0]


# %% check="leaky_relu" points=1
check("a leak of 0.01", leaky_relu(np.array([-2.0, -0.1, 0.0, 0.1, 3.0])))
check("a leak of 0.1", leaky_relu(np.array([-2.0, -0.1, 0.0, 0.1, 3.0]), slope=0.1))
### BEGIN HIDDEN TESTS
rng = check.rng()
leak, signs = rng.uniform(0.2, 0.6), np.array([1.0, -1.0, -1.0, 1.0])
near, far = rng.uniform(0.1, 5, size=4) * signs, rng.uniform(10, 900, size=4) * signs
check("z after another leak", (leaky_relu(near, leak), near))
check("large numbers leak, too", leaky_relu(far, leak))
check("another leak", leaky_relu(rng.uniform(0.1, 5, size=4) * signs, slope=leak))
check(
    "another leak, in a table",
    leaky_relu(rng.uniform(0.1, 5, size=(3, 4)) * signs, leak),
)
### END HIDDEN TESTS


# %% mistakes="leaky_relu"
def changes_the_z_given(z, slope=0.01):
    """The array that was passed has changed. Make a new one; an assignment makes no copy."""
    z[z < 0] *= slope
    return z


def ends_at_six(z, slope=0.01):
    """Positive values should pass, however large; yours end at 6."""
    return np.minimum(np.where(z > 0, z, slope * z), 6)


def ignores_the_slope(z, slope=0.01):
    """The argument slope changes nothing in your function."""
    return np.where(z > 0, z, 0.01 * z)


def leaks_on_the_wrong_side(z, slope=0.01):
    """Positive values should pass unchanged; yours are made small. On which side do you
    want z, on which slope * z?
    """
    return np.where(z > 0, slope * z, z)


def leaks_a_constant(z, slope=0.01):
    """Your negative side is flat, so its slope is zero again. It should fall with z."""
    return np.where(z > 0, z, -slope)


def leaks_upwards(z, slope=0.01):
    """Your negative values come out positive. They become small, but they keep their
    sign.
    """
    return np.where(z > 0, z, -slope * z)


# %% check="dead_units" points=2
check(
    "four units, three samples",
    dead_units(
        np.array(
            [[1.0, -1.0, -2.0, 0.0], [2.0, -3.0, 0.5, -1.0], [0.1, -0.2, -9.0, -2.0]]
        )
    ),
)
### BEGIN HIDDEN TESTS
check(
    "one lively sample among negative ones",
    dead_units(
        np.array(
            [
                [-9.0, -9.0, -9.0],
                [-8.0, 0.1, -8.0],
                [-7.0, -7.0, 0.0],
                [-1.0, -1.0, -1.0],
            ]
        )
    ),
)
check("one sample alone", dead_units(np.array([[-1.0, 2.0, -3.0, 4.0]])))
rng = check.rng()
faint = rng.permutation([1e-5] * 4 + [0.0] * 4 + [-1.0] * 4)
check("a faint answer", dead_units(np.array([faint, np.full(12, -2.0)])))
layer, lively = rng.uniform(-9, -1, size=(5, 12)), rng.permutation(12)[:6]
layer[:, lively[:4]] *= -1
layer[0, lively[2:4]], layer[1, lively[4:]] = -0.5, 0.5
check("twelve units, five samples", dead_units(layer))
### END HIDDEN TESTS


# %% mistakes="dead_units"
def one_zero_is_enough(z):
    """A unit that is silent for one sample is not dead. It must be silent for all."""
    return np.any(relu(z) == 0, axis=0)


def looks_along_the_rows(z):
    """You have one answer for each sample. Units are columns; think about the axis."""
    return np.all(relu(z) == 0, axis=1)


def looks_at_the_mean(z):
    """A unit with a negative mean can be lively: one positive sample is enough."""
    return z.mean(axis=0) < 0


def takes_little_for_nothing(z):
    """A unit with small answers lives: it learns as fast as one with large answers.
    Compare with 0 itself.
    """
    return relu(z).max(axis=0) < 1e-3


def does_not_count_zero(z):
    """What does ReLU give for a z of exactly 0? That sample teaches nothing, too."""
    return np.all(z < 0, axis=0)


def finds_the_living(z):
    """You found the units that are alive. True should mean dead."""
    return np.any(z > 0, axis=0)


# %% [markdown]
# Here is the explorer once more, with a ReLU. Kill it with the bias alone.
# Then choose the leaky ReLU: what is different on the flat side?

# %%
explore_neuron(activation="ReLU", w=(2.0, -1.0), b=0.5)

# %% [markdown]
# ## 8. Weights that stay small
#
# Large weights make a neuron steep: the output jumps where the input changes
# a little. Such a neuron fits every accident of its training samples. So one
# adds a price for large weights to the error, the **weight penalty**:
#
# $$C = E + \frac{\lambda}{2} \sum_i w_i^2$$
#
# The learner now minimises $C$. The number $\lambda$ (`lam`) says how dear
# weights are. The slope of the new part is $\lambda w_i$, so each step also
# pulls each weight towards zero; hence the other name, [**weight
# decay**](../glossary.md#weight-decay).
#
# At the minimum of $C$ its slope is zero, $\partial E / \partial w_i + \lambda
# w_i = 0$, so
#
# $$w_i = -\frac{1}{\lambda}\,\frac{\partial E}{\partial w_i}$$
#
# Read it aloud: a weight may be large only where the error depends on it
# strongly. A weight that does nothing goes to zero. The bias is usually not
# penalised: it moves the curve but does not make it steep.

# %% [markdown]
# ### Exercise: `penalised`


# %% solution="penalised"
def penalised(error, w, lam):
    """The error with a penalty on large weights: C = E + lam/2 * sum of w squared.

    error: a number, E. w: weights, an array of any shape. lam: a number, 0 or more.
    Returns one number, C.
    """
    ### BEGIN SOLUTION
    return error + lam / 2 * np.sum(w**2)
    ### END SOLUTION


# %% check="penalised" points=2
check("the price of 3 and -4", penalised(0.5, np.array([3.0, -4.0]), lam=0.1))
check("no price", penalised(0.7, np.array([10.0, 20.0]), lam=0.0))
### BEGIN HIDDEN TESTS
check("half on each", penalised(0.0, np.array([1.0, 1.0]), lam=1.0))
rng = check.rng()
check("the price of four weights", penalised(0.5, rng.uniform(-3, 3, size=4), lam=0.4))
check("weights of a layer", penalised(1.0, rng.uniform(-3, 3, size=(2, 3)), lam=3.0))
### END HIDDEN TESTS


# %% mistakes="penalised"
def penalises_twice_as_much(error, w, lam):
    """Your price is twice too high. Look at what stands before the sum."""
    return error + lam * np.sum(w**2)


def adds_the_weights_up(error, w, lam):
    """Weights of opposite sign cancel in your price. Which comes first, the square or
    the sum?
    """
    return error + lam / 2 * np.sum(w) ** 2


def takes_absolute_weights(error, w, lam):
    """You added the weights' sizes. (That is a penalty, too, called L1.) The formula
    squares them.
    """
    return error + lam / 2 * np.sum(np.abs(w))


def takes_the_length(error, w, lam):
    """You took the length of w. The formula has no square root."""
    return error + lam / 2 * np.sqrt(np.sum(w**2))


def takes_the_mean_square(error, w, lam):
    """You took the mean of the squares. The formula has a sum."""
    return error + lam / 2 * np.mean(w**2)


# %% [markdown]
# ### What the penalty prefers
#
# Suppose two inputs are always the same, as neighbouring pixels often nearly
# are. Then only the sum of their weights matters for the error: (2, 0) and
# (1, 1) give the same output. The penalty chooses: it puts half the weight on
# each, and not everything on one.

# %% tags=["folded"]
# Draws the error over two weights, without the penalty and with it.
w1, w2 = np.meshgrid(np.linspace(-0.5, 2.5, 61), np.linspace(-0.5, 2.5, 61))
fig, axes = plt.subplots(1, 2, figsize=(8, 3.6), sharey=True, layout="constrained")
for ax, lam in zip(axes, [0.0, 1.0]):
    cost = [
        penalised(0.5 * (a + b - 2) ** 2, np.array([a, b]), lam)
        for a, b in zip(w1.ravel(), w2.ravel())
    ]
    ax.contourf(w1, w2, np.array(cost).reshape(w1.shape), levels=20, cmap="Blues_r")
    ax.set(
        title=f"error with the penalty, lam = {lam:.0f} (dark is low)",
        xlabel="$w_1$",
        aspect="equal",
    )
    ax.plot([2, 1], [0, 1], "o", color="white", mec=plots.INK, ms=8)
    for w_1, w_2 in [(2, 0), (1, 1)]:
        price = penalised(0.0, np.array([w_1, w_2], dtype=float), lam)
        ax.text(
            w_1, w_2 + 0.14, f"({w_1}, {w_2}): {price:.0f}", color="white", ha="center"
        )
axes[0].set_ylabel("$w_2$")
axes[1].plot(2 / 3, 2 / 3, "*", color=plots.ORANGE, mec=plots.INK, ms=16)
plt.show()

# %% [markdown]
# Without the penalty, every point of the valley is as good as any other. With
# it there is one best point, the star. It lies on the diagonal, and it is a
# little too small: (2/3, 2/3) in place of (1, 1). That is the price of the
# price.
#
# <details><summary>Can you derive the star?</summary>
#
# With $E = \frac12 (w_1 + w_2 - 2)^2$, both slopes of $E$ are
# $w_1 + w_2 - 2$. The rule above says $w_i = -(w_1 + w_2 - 2)/\lambda$. So
# both weights are equal, and with $\lambda = 1$: $w = -(2w - 2)$, hence
# $w = 2/3$.
# </details>

# %% [markdown]
# ## 9. Counting weights
#
# In a [**fully connected**](../glossary.md#fully-connected) (dense) layer,
# each unit has one weight for each input, and a bias. A picture is many
# inputs: for a colour picture of 32x32, one single unit has $32 \cdot 32
# \cdot 3 = 3{,}072$ weights. For 200x200 pixels it has 120,000, and a layer
# has hundreds of units.
#
# The next lab's idea: let a unit look at a small patch only, and let all
# units share **the same** weights. One such set of weights is a
# [**filter**](../glossary.md#filter). Below, nine inputs (a 3x3 picture) and
# four outputs. On the left each output is connected to each input. On the
# right a 2x2 filter visits the four places where it fits; lines of one colour
# are one and the same weight.

# %% tags=["folded"]
# Draws the connections of a fully connected layer, and those of a filter.
colours = [plots.BLUE, plots.VERMILION, plots.GREEN, plots.ORANGE]
fig, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for out in range(4):
    row, column = divmod(out, 2)
    for pixel in range(9):
        axes[0].plot([0, 1], [-pixel, -2 * out - 1], color=plots.MUTED, lw=0.8)
    for place in range(4):
        pixel = 3 * (row + place // 2) + column + place % 2
        axes[1].plot([0, 1], [-pixel, -2 * out - 1], color=colours[place], lw=1.8)
for ax, title in zip(
    axes, ["fully connected: 36 weights", "one 2x2 filter: 4 weights, used 16 times"]
):
    for x, ys in [(0, -np.arange(9)), (1, -2 * np.arange(4) - 1)]:
        ax.plot(np.full(len(ys), x), ys, "o", color="white", mec=plots.INK, ms=11)
    ax.set(
        title=title,
        xticks=[0, 1],
        xticklabels=["9 inputs", "4 outputs"],
        yticks=[],
        xlim=(-0.15, 1.15),
    )
    ax.spines[:].set_visible(False)
plt.show()

# %% [markdown]
# ### Exercise: `dense_parameters`, `conv_parameters`
#
# Weights and biases together are called
# [**parameters**](../glossary.md#parameters): all that is learnt.
#
# In a colour picture, a filter of size $k$ covers a $k \times k$ patch in
# **all** channels at once, so it has $k \cdot k \cdot \text{channels}$
# weights, and one bias. A convolutional layer has several filters. The size
# of the picture does not matter at all.


# %% solution="conv_parameters"
def dense_parameters(inputs, units, bias=True):
    """The number of parameters of a fully connected layer.

    inputs, units: whole numbers. bias: whether each unit has a bias.
    Returns a whole number.
    """
    ### BEGIN SOLUTION
    return (inputs + bool(bias)) * units
    ### END SOLUTION


def conv_parameters(kernel_size, channels, filters, bias=True):
    """The number of parameters of a convolutional layer.

    kernel_size: k, for filters of k x k. channels: how many the input has.
    filters: how many the layer has. bias: whether each filter has a bias.
    All are whole numbers. Returns a whole number.
    """
    ### BEGIN SOLUTION
    return (kernel_size**2 * channels + bool(bias)) * filters
    ### END SOLUTION


# %% check="dense_parameters" points=1
check("9 inputs, 4 units, weights alone", dense_parameters(9, 4, bias=False))
check(
    "one unit for a 32x32 colour picture", dense_parameters(32 * 32 * 3, 1, bias=False)
)
check("784 inputs, 10 units", dense_parameters(784, 10))
### BEGIN HIDDEN TESTS
check(
    "one unit for a 200x200 colour picture",
    dense_parameters(200 * 200 * 3, 1, bias=False),
)
rng = check.rng()
layers = list(zip(rng.integers(20, 900, 2).tolist(), rng.integers(3, 20, 2).tolist()))
check(
    "two layers, weights alone", tuple(dense_parameters(*n, bias=False) for n in layers)
)
check("two layers, with the biases", tuple(dense_parameters(*n) for n in layers))
### END HIDDEN TESTS


# %% mistakes="dense_parameters"
def forgets_the_biases(inputs, units, bias=True):
    """You counted the weights alone. With bias=True there is more to learn."""
    return inputs * units


def counts_one_bias_for_all(inputs, units, bias=True):
    """You counted one bias for the whole layer. Each unit has its own."""
    return inputs * units + bool(bias)


def gives_inputs_a_bias(inputs, units, bias=True):
    """You counted a bias for each input. Biases belong to units."""
    return inputs * units + inputs * bool(bias)


def always_counts_biases(inputs, units, bias=True):
    """With bias=False there are weights alone."""
    return (inputs + 1) * units


# %% check="conv_parameters" points=2
check(
    "one 2x2 filter, one channel, weights alone", conv_parameters(2, 1, 1, bias=False)
)
check("the first layer of AlexNet", conv_parameters(11, 3, 96))
### BEGIN HIDDEN TESTS
check("1x1 filters", conv_parameters(1, 8, 3, bias=True))
rng = check.rng()
layers = [(3, *rng.integers(5, 90, 2).tolist()), (7, *rng.integers(5, 90, 2).tolist())]
check("filters of 3x3 and of 7x7", tuple(conv_parameters(*layer) for layer in layers))
check(
    "filters of 3x3 and of 7x7, weights alone",
    tuple(conv_parameters(*layer, bias=False) for layer in layers),
)
### END HIDDEN TESTS


# %% mistakes="conv_parameters"
def forgets_the_channels(kernel_size, channels, filters, bias=True):
    """A filter reaches through all channels of its input."""
    return (kernel_size**2 + bool(bias)) * filters


def forgets_the_filters(kernel_size, channels, filters, bias=True):
    """You counted one filter. The layer has several."""
    return kernel_size**2 * channels + bool(bias)


def does_not_square_the_size(kernel_size, channels, filters, bias=True):
    """A filter of size k has k rows and k columns."""
    return (kernel_size * channels + bool(bias)) * filters


def gives_channels_a_bias(kernel_size, channels, filters, bias=True):
    """You counted a bias for each channel of each filter. A filter adds its channels up
    and has one bias.
    """
    return (kernel_size**2 + bool(bias)) * channels * filters


def leaves_the_biases_out(kernel_size, channels, filters, bias=True):
    """You counted the weights alone. With bias=True each filter has one more."""
    return kernel_size**2 * channels * filters


def counts_biases_always(kernel_size, channels, filters, bias=True):
    """With bias=False there are weights alone."""
    return (kernel_size**2 * channels + 1) * filters


# %% [markdown]
# ### What sharing saves

# %%
print(f"{'picture':>10} {'96 dense units':>16} {'96 filters of 11x11':>20}")
for side in [32, 200, 227]:
    dense = dense_parameters(side * side * 3, 96)
    print(f"{side:>4} x {side:<3} {dense:>16,} {conv_parameters(11, 3, 96):>20,}")

# %% [markdown]
# **Think.** Filters save weights. What do they take for granted about
# pictures, so that this does no harm? When would it do harm?
#
# <details><summary>One answer</summary>
#
# That what is worth finding is small, and that it looks the same wherever in
# the picture it is: an edge is an edge, top left or bottom right. It would do
# harm where the place itself matters, for instance in pictures of centred
# faces, where eyes are always in the same spot. The next lab starts here.
# </details>

# %% [markdown]
# ## Summary
#
# - A neuron computes $a = f(\mathbf{w} \cdot \mathbf{x} + b)$: a weighted
#   sum, then an activation function.
# - The error is one number. Its gradient says how it changes with each
#   weight; learning is a small step against it, over and over.
# - The gradient is a product along the chain: how wrong, how easily moved,
#   how much it was used. If one factor is zero, nothing is learnt.
# - A formula for a gradient is tested against central differences.
# - One neuron draws one straight line. XOR needs a hidden layer, or another
#   kind of unit.
# - Backpropagation: a hidden neuron's share of the error comes back along its
#   weight and is multiplied by its own slope. First weights must differ.
# - Too small a learning rate crawls, too large a one diverges or saturates;
#   both can give a flat curve. Decay starts large and ends small.
# - Sigmoid and tanh saturate on both sides, ReLU on one, leaky ReLU on none.
# - The weight penalty keeps weights small unless the error needs them.
# - Shared weights make a layer small: that is convolution, and the next lab.
#
# ## Going further
#
# - Derive `update` for tanh, whose slope is $1 - a^2$. Test it with
#   `numeric_gradient`.
# - Add the penalty's slope to `update`, train OR with it, and watch the
#   weights. Without it they grow for ever. Why?
# - A **maxout** unit answers with the larger of two weighted sums, so it never
#   saturates; its price is twice as many weights. Write `maxout(a, b)`, and
#   find two sums of $x_1$ and $x_2$ whose maxout is XOR: one unit, no layer.
# - Give the hidden layer a ReLU in place of its sigmoid. Which factor of
#   `backward_two` changes? How many of 20 starts learn XOR now?
# - Replace the squared error by the cross-entropy
#   $-t \log a - (1 - t) \log(1 - a)$ and derive $\delta$. What happens to the
#   slope? Lab 4 uses it.
#
# ## Footnotes
#
# Where this lab and the course's slides differ:
#
# 1. One slide puts the bias inside the sum, as a factor of each product. It is
#    added once.
# 2. The slides list "does not tell the direction" and "not differentiable"
#    under the sigmoid. Both are faults of the step.
# 3. One slide takes the sigmoid's slope *of the error*. (It also writes the
#    error as target minus output and then *adds* the step. That is right: both
#    signs are turned. Its learning rate is 1.)
# 4. The slides speak of finding the *global* minimum, the lowest point of all.
#    Gradient descent promises no such thing.
#
# ## Sources
#
# - W. McCulloch and W. Pitts, "A logical calculus of the ideas immanent in
#   nervous activity", 1943: the neuron with a step.
# - F. Rosenblatt, "The perceptron", 1958; M. Minsky and S. Papert,
#   *Perceptrons*, 1969: what one neuron can learn, and XOR.
# - D. Rumelhart, G. Hinton and R. Williams, "Learning representations by
#   back-propagating errors", *Nature* 323, 1986.
# - A. Krogh and J. Hertz, "A simple weight decay can improve generalization",
#   NIPS 1991.
# - Y. LeCun and others, "Efficient BackProp", 1998: scaled inputs, tanh,
#   learning rates.
# - V. Nair and G. Hinton, "Rectified linear units improve restricted
#   Boltzmann machines", ICML 2010; A. Maas, A. Hannun and A. Ng, "Rectifier
#   nonlinearities improve neural network acoustic models", ICML 2013; I.
#   Goodfellow and others, "Maxout networks", ICML 2013.
# - A. Krizhevsky, I. Sutskever and G. Hinton, "ImageNet classification with
#   deep convolutional neural networks", NIPS 2012: six times faster; the
#   numbers of AlexNet.
# - C. Szegedy and others, "Going deeper with convolutions", CVPR 2015: 4 %
#   less every 8 epochs.
# - The course's lecture slides (the boat, the order of ideas, the counts of
#   weights), and the notes of Stanford's CS231n,
#   [neural networks](https://cs231n.github.io/neural-networks-1/) and
#   [convolutional networks](https://cs231n.github.io/convolutional-networks/).
