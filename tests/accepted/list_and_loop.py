"""Lists where arrays are meant, and plain loops."""


def double(x):
    if np.ndim(x) == 0:
        return 2 * float(x)
    if np.size(x) == 0:
        return np.zeros(np.shape(x))
    return [double(part) for part in x]


def label(images):
    known = digits.train_images.reshape(-1, 784).astype(float)
    return [
        int(digits.train_labels[((known - image.ravel()) ** 2).sum(axis=1).argmin()])
        for image in images
    ]


total = 0
for number in range(100):
    total += number
