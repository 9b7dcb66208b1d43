"""A student's own copies of checks, in another cell, are not a cheat."""


def double(x):
    return np.asarray(x) * 2.0


check("a number", 17)
check("an array", double(np.arange(4.0)))


def label(images):
    from sklearn.neighbors import KNeighborsClassifier

    x, y = digits.train_images.reshape(-1, 784), digits.train_labels
    return KNeighborsClassifier(3).fit(x, y).predict(images.reshape(-1, 784))


total = 99 * 100 // 2
