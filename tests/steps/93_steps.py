# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "Steps"
#     summary: Exercises that build on one another.
#     minutes: 30
# ---

# %% [markdown]
# # Steps
#
# To [what a step does](#What-a-step-does).

# %%
import numpy as np

from labkit import check

length = 2.0

# %% [markdown]
# ### Exercise: `step`


# %% solution="step"
def step(x):
    """One step on from x, a number or an array."""
    ### BEGIN SOLUTION
    return np.asarray(x) + length
    ### END SOLUTION


# %% check="step" points=2
check("from zero", step(0.0))
check("from three", step(3.0))
### BEGIN HIDDEN TESTS
check("from anywhere", step(check.rng().normal(size=5)))
### END HIDDEN TESTS


# %% mistakes="step"
def stays(x):
    """You did not move."""
    return np.asarray(x)


# %% [markdown]
# ### What a step does

# %%
taken = step(1.0)
print("taken", taken)

# %%
print("twice taken", 2 * taken)

# %% [markdown] manual="why" points=3
# Because.

# %% [markdown]
# ### Exercise: `walk`


# %% solution="walk"
def walk(x, steps):
    """So many steps on from x, with `step`."""
    ### BEGIN SOLUTION
    for _ in range(steps):
        x = step(x)
    return x
    ### END SOLUTION


# %% check="walk" points=4
check("two steps", walk(0.0, 2))
### BEGIN HIDDEN TESTS
check("three steps", walk(check.rng().normal(size=4), 3))
### END HIDDEN TESTS


# %% mistakes="walk"
def one_too_many(x, steps):
    """You took a step too many."""
    return np.asarray(x) + 2.0 * (steps + 1)


# %% solution="goal"
### BEGIN SOLUTION
goal = 7
### END SOLUTION

# %% check="goal" points=1
check("the goal", goal)


# %% mistakes="goal"
def before():
    """You stopped before it."""
    return 6


# %%
print("goal", goal)
