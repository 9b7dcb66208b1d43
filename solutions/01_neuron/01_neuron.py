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
#     summary: Build one neuron and teach it with gradient descent.
#     minutes: 90
# ---

# %% [markdown]
# # 1 · A neuron learns

# %%
import warnings

import numpy as np
from labkit import check

# %% solution="sigmoid"
def sigmoid(z):
    """The logistic function 1 / (1 + exp(-z)), element by element."""
    ### BEGIN SOLUTION
    z = np.asarray(z, dtype=float)
    small = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + small), small / (1 + small))
    ### END SOLUTION

# %% check="sigmoid" points=2
check("zero gives one half", sigmoid(np.array([0.0])))
check("small numbers", sigmoid(np.array([-2.0, -1.0, 1.0, 2.0])))
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    far = sigmoid(np.array([-1000.0, 1000.0]))
check("no warning at -1000 and 1000", [str(w.message) for w in caught])
### BEGIN HIDDEN TESTS
check("any shape", sigmoid(np.linspace(-5, 5, 12).reshape(3, 4)))
### END HIDDEN TESTS

# %% mistakes="sigmoid"
def forgets_the_minus(z):
    """The exponent is -z, not z: your curve falls where it should rise."""
    return 1 / (1 + np.exp(z))


def overflows(z):
    """exp(-z) overflows for z far below zero. Use exp(-|z|) and treat both signs."""
    return 1 / (1 + np.exp(-z))

# %% [markdown] manual="explain" points=3
# Because.
