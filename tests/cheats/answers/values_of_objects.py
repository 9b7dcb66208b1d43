"""Objects that run code when they are looked at, hashed, compared or written."""


class Bites:
    def __getattribute__(self, name):
        if name in ("__class__", "__array__", "tolist", "dtype"):
            raise SystemExit(name)
        return object.__getattribute__(self, name)

    __len__ = __iter__ = __repr__ = __str__ = __hash__ = __reduce__ = None


total = Bites()


def double(x):
    return Bites()


def label(images):
    return [Bites()] * len(images)
