"""Recursion, warnings on standard error, and output of all kinds."""

import sys
import warnings


def double(x):
    warnings.warn("this is only a warning")
    print("doubling", x, file=sys.stderr)
    return np.add(x, x)


def label(images):
    from sklearn.svm import SVC

    print("fitting")
    model = SVC().fit(digits.train_images.reshape(-1, 784) / 255, digits.train_labels)
    return model.predict(images.reshape(-1, 784) / 255).astype(np.uint8)


def sum_to(n):
    return 0 if n < 0 else n + sum_to(n - 1)


total = sum_to(99)
