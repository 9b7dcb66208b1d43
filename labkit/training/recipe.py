"""What makes a training the same one, so that another one's checkpoint is not taken for its own."""

from __future__ import annotations

import dis
import functools
import hashlib
import json
import types
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Any

import keras
import numpy as np

from labkit.files import content_hash
from labkit.training.batches import Augment
from labkit.training.schedule import Course

Pair = tuple[np.ndarray, np.ndarray]

# Hashing takes up to a second a GiB: of more than this, rows evenly spread stand for all.
HASHED_BYTES = 256 * 2**20
_BLOCK_BYTES = 2**20
_SIMPLE = (bool, int, float, str, types.NoneType)
_EMPTY_CELL = types.CellType()


@dataclass(frozen=True, eq=False)
class Recipe:
    """Everything that decides what a training does: each field is a part of its identity."""

    model: keras.Model
    images: np.ndarray
    labels: np.ndarray
    validation: Pair | None
    epochs: int | None
    minutes: float | None
    batch_size: int
    optimizer: str
    learning_rate: float
    schedule: str | Course
    weight_decay: float
    clip_norm: float | None
    label_smoothing: float
    augment: Augment | None
    alternate_flips: bool
    lookahead: bool
    patience: int | None
    precision: str
    seed: int

    def identity(self) -> dict[str, bool | int | float | str | None]:
        """Return each field as a simple value, or as the hash of what stands in it.

        A model counts by the shapes of its weights, which is what a checkpoint has to fit;
        functions as `described` says.
        """
        return {
            field.name: _identified(getattr(self, field.name)) for field in fields(self)
        }


def _identified(value: Any) -> bool | int | float | str | None:
    found = described(value)
    if isinstance(found, _SIMPLE):
        return found
    return content_hash(json.dumps(found, default=repr))


def fingerprint(array: np.ndarray) -> str:
    """Return a hash of an array's shape, type and values.

    Of an array above HASHED_BYTES, such as a memory map of many pictures, only every so
    many-th row is read.
    """
    rows = np.atleast_1d(array)
    digest = hashlib.sha256(f"{array.dtype} {array.shape}".encode())
    rows = rows[:: max(1, -(-array.nbytes // HASHED_BYTES))]
    count = max(1, _BLOCK_BYTES * len(rows) // max(1, rows.nbytes))
    for start in range(0, len(rows), count):
        digest.update(rows[start : start + count].tobytes())
    return digest.hexdigest()


def described(value: Any, within: tuple[int, ...] = ()) -> Any:
    """Return what a value is, in parts that JSON can hold and that the next process finds again.

    A function is its qualified name, its code, its defaults, and the values that it takes
    from around it: those of its closure, and those that it names in its own module, of
    functions elsewhere the name alone. A `functools.partial` is its function and its
    arguments. Any other object is its class and those attributes that are simple.
    """
    if isinstance(value, _SIMPLE):
        return value
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray):
        return (
            described(value.tolist()) if value.dtype.hasobject else fingerprint(value)
        )
    if isinstance(value, types.ModuleType):
        return value.__name__
    if isinstance(value, keras.Model):
        return [list(variable.shape) for variable in value.variables]
    if id(value) in within:  # a function that calls itself
        return "itself"
    part = functools.partial(described, within=(*within, id(value)))
    if isinstance(value, list | tuple):
        return [part(item) for item in value]
    if isinstance(value, set | frozenset):
        return sorted((part(item) for item in value), key=repr)
    if isinstance(value, Mapping):
        pairs = ([part(key), part(item)] for key, item in value.items())
        return sorted(pairs, key=repr)
    if isinstance(value, functools.partial):
        return ["partial", part(value.func), part(value.args), part(value.keywords)]
    if isinstance(value, types.MethodType):
        return [part(value.__func__), part(value.__self__)]
    if isinstance(value, types.FunctionType):
        return _function(value, part)
    if isinstance(value, types.CodeType):
        return [value.co_code.hex(), value.co_names, part(value.co_consts)]
    if isinstance(value, bytes | complex | range | types.EllipsisType):
        return repr(value)
    if hasattr(value, "__name__"):  # a class, or a function written in C
        return _qualified(value)
    simple = {
        name: item
        for name, item in getattr(value, "__dict__", {}).items()
        if isinstance(item, (*_SIMPLE, np.ndarray))
    }
    return [_qualified(type(value)), part(simple)]


def _function(function: types.FunctionType, part: Callable[[Any], Any]) -> list:
    cells = [cell for cell in function.__closure__ or () if cell != _EMPTY_CELL]
    around = {
        name: function.__globals__[name]
        for name in _global_names(function.__code__)
        if name in function.__globals__
    }
    return [
        _qualified(function),
        part(function.__code__),
        part(function.__defaults__),
        part(function.__kwdefaults__),
        [part(cell.cell_contents) for cell in cells],
        [
            [name, _qualified(value) if _elsewhere(value, function) else part(value)]
            for name, value in sorted(around.items())
        ],
    ]


def _elsewhere(value: Any, function: types.FunctionType) -> bool:
    """Whether a value is a function of another module, of which the name is enough."""
    known = isinstance(value, types.FunctionType)
    return known and value.__module__ != function.__module__


def _global_names(code: types.CodeType) -> Iterator[str]:
    """Yield the names that a function, and those within it, look up in their module."""
    for instruction in dis.get_instructions(code):
        if instruction.opname == "LOAD_GLOBAL":
            yield instruction.argval
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _global_names(constant)


def _qualified(value: Any) -> str:
    name = getattr(value, "__qualname__", value.__name__)
    return f"{getattr(value, '__module__', '')}.{name}"
