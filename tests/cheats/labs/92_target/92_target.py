# ---
# jupyter:
#   jupytext:
#     notebook_metadata_filter: labkit
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
#   labkit:
#     title: "A lab to cheat in"
#     summary: One exercise of each kind.
#     minutes: 10
# ---

# %% [markdown]
# # A lab to cheat in

# %%
import numpy as np

from labkit import check, data

digits = data.load("mnist")


# %% solution="double"
def double(x):
    """Twice x, a number or an array."""
    ### BEGIN SOLUTION
    return 2.0 * np.asarray(x)
    ### END SOLUTION


# %% check="double" points=4
check("a number", double(2.5))
check("an array", double(np.arange(4.0)))
### BEGIN HIDDEN TESTS
check("numbers below zero", double(np.array([-1.5, -0.25])), weight=0.5)
rng = check.rng()
check("a table", double(rng.normal(size=(2, 3))), weight=2)
### END HIDDEN TESTS


# %% mistakes="double"
def squares(x):
    """You squared it."""
    return np.asarray(x) ** 2


# %% solution="label"
def label(images):
    """The digit on each image (N, 28, 28): whole numbers (N,)."""
    ### BEGIN SOLUTION
    from sklearn.neighbors import KNeighborsClassifier

    model = KNeighborsClassifier(1)
    model.fit(digits.train_images.reshape(-1, 784), digits.train_labels)
    return model.predict(images.reshape(-1, 784))
    ### END SOLUTION


# %% check="label" points=4
found = label(digits.test_images)
check.predictions("half right", found, digits.test_labels, at_least=0.5)
### BEGIN HIDDEN TESTS
check.predictions("nearly all right", found, digits.test_labels, at_least=0.9)
### END HIDDEN TESTS

# %% solution="total"
### BEGIN SOLUTION
total = sum(range(100))
### END SOLUTION

# %% check="total" points=2
### BEGIN HIDDEN TESTS
check("the sum of 0 to 99", total)
### END HIDDEN TESTS


# %% mistakes="total"
def forgets_the_last():
    """You left out the last number."""
    return sum(range(99))
