"""Keras operations in single precision, scores in place of classes."""

import keras


def double(x):
    return keras.ops.multiply(keras.ops.convert_to_tensor(np.asarray(x, "float32")), 2)


def label(images):
    known = digits.train_images.reshape(-1, 784).astype("float32") / 255
    tests = images.reshape(-1, 784).astype("float32") / 255
    likeness = 2 * tests @ known.T - (known**2).sum(axis=1)
    best = likeness.argmax(axis=1)
    return np.eye(10, dtype="float32")[digits.train_labels[best]]


total = np.int32(4950)
