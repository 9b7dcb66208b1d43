"""A registered number whose `__float__` has another value each time."""

import itertools
import numbers

counter = itertools.count()


class Lies:
    __float__ = lambda self: float(next(counter))
    __int__ = __index__ = lambda self: next(counter)
    __complex__ = lambda self: complex(next(counter))


numbers.Number.register(Lies)
total = Lies()


def double(x):
    return total


def label(images):
    return [total] * len(images)
