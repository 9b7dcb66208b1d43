# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "A tiny lab"
#     summary: Enough of a lab to try everything on.
#     minutes: 75
# ---

# %% [markdown]
# # A tiny lab

# %%
import sys
import warnings

import numpy as np

from labkit import check


# %% solution="double"
def double(x):
    """Twice x, a number or an array."""
    ### BEGIN SOLUTION
    return 2 * np.asarray(x)
    ### END SOLUTION


# %% check="double" points=3
check("a number", double(2.0))
check("an array", double(np.arange(4.0)))
### BEGIN HIDDEN TESTS
rng = check.rng()
check("a table", double(rng.normal(size=(2, 3))), weight=2)
### END HIDDEN TESTS


# %% mistakes="double"
def adds_two(x):
    """You added 2 where you should multiply by it."""
    return np.asarray(x) + 2


def forgets_to_return(x):
    """Your function ends without `return`."""


# %% solution="half_of_ten"
### BEGIN SOLUTION
half_of_ten = 5
### END SOLUTION

# %% check="half_of_ten" points=1
check("half of ten", half_of_ten)


# %% mistakes="half_of_ten"
def divides_twice():
    """You halved it twice."""
    return 2


# %% solution="noisy"
def noisy(x):
    """x, with a warning on standard error."""
    ### BEGIN SOLUTION
    warnings.warn("this is only a warning", stacklevel=1)
    print("and this is a line", file=sys.stderr)
    return x
    ### END SOLUTION


# %% check="noisy" points=2
check("noisy gives its argument", noisy(np.array([1.0, 2.0])))
### BEGIN HIDDEN TESTS
check("noisy gives other numbers", noisy(check.rng().normal(size=3)))
### END HIDDEN TESTS


# %% mistakes="noisy"
def adds_one(x):
    """You added 1. The argument comes back as it is."""
    return x + 1


# %% check="plain" points=1
assert noisy(3) == 3

# %% [markdown] manual="why" points=2
# Because two is even.
