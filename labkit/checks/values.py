"""Values as JSON: how a checked value travels and how references are kept.

Arrays travel as .npy bytes with pickle off, so that reading a value can never
run code. What cannot be expressed is kept as the name of its type.
"""

import base64
import io
import math
import numbers
import re
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

# A value as JSON-ready data.
Encoded = dict[str, Any]

MAX_BYTES = 8_000_000
MAX_ITEMS = 10_000
MAX_DEPTH = 8
ARRAY_KINDS = "biufcU"
_MAGIC = b"\x93NUMPY\x01\x00"
_HEADER = re.compile(
    r"\{'descr': '(?P<dtype>[<>|=]?[a-zA-Z]\d*)', 'fortran_order': (?P<order>True|False), "
    r"'shape': \((?P<shape>[\d, ]{0,400})\), \}[ ]*\n"
)


@dataclass(frozen=True)
class Opaque:
    """A value that cannot be compared: only the name of its type is known."""

    type_name: str


def encode(value: Any, depth: int = 0) -> Encoded:
    """Return `value` as JSON-ready data: numbers and arrays, text, nested lists."""
    if depth > MAX_DEPTH:
        return _opaque("a structure nested too deeply")
    if hasattr(value, "as_list"):  # the shape of a TensorFlow tensor, which is no tuple
        value = tuple(value.as_list())
    if value is None or isinstance(value, str):
        plain = value if value is None else value[:MAX_BYTES]
        return {"kind": "plain", "value": plain}
    if isinstance(value, (list, tuple)):
        return _encode_sequence(value, depth)
    if isinstance(value, dict):
        return _encode_dict(value, depth)
    array = _as_array(value)
    return _opaque(type(value).__name__) if array is None else _encode_array(array)


def decode(data: Any) -> Any:
    """Return the value that `encode` wrote; raises ValueError on anything else."""
    try:
        return _decode(data)
    except Exception as error:
        # A student's code can send anything, and NumPy answers it with any error.
        raise ValueError(f"not an encoded value: {error!r:.200}") from None


def _decode(data: Any, depth: int = 0) -> Any:
    kind = data["kind"]
    if depth > MAX_DEPTH + 1:
        raise ValueError("nested too deeply")
    if kind == "plain" and (data["value"] is None or isinstance(data["value"], str)):
        return data["value"]
    if kind == "array":
        return _decode_array(data["npy"])
    if kind == "items":
        return [_decode(item, depth + 1) for item in data["items"][:MAX_ITEMS]]
    if kind == "dict":
        items = data["items"][:MAX_ITEMS]
        return {str(key): _decode(item, depth + 1) for key, item in items}
    if kind == "other":
        return Opaque(str(data["type"])[:200])
    raise ValueError(f"kind {kind!r}")


def _encode_sequence(value: list[Any] | tuple[Any, ...], depth: int) -> Encoded:
    # A list of numbers means what the array of them means. A tuple stays a
    # tuple: (weights, bias) is two values even where their shapes agree.
    if isinstance(value, list) and value:
        array = _as_array(value)
        if array is not None:
            return _encode_array(array)
    if len(value) > MAX_ITEMS:
        return _opaque(f"{type(value).__name__} of {len(value)} items (too many)")
    return {"kind": "items", "items": [encode(item, depth + 1) for item in value]}


def _encode_dict(value: dict[Any, Any], depth: int) -> Encoded:
    if len(value) > MAX_ITEMS:
        return _opaque(f"dict of {len(value)} items (too many)")
    items = [[str(key), encode(item, depth + 1)] for key, item in value.items()]
    return {"kind": "dict", "items": items}


def _as_array(value: Any) -> np.ndarray | None:
    """The value as an array of numbers, truths or texts; None where it is none."""
    if (
        isinstance(value, numbers.Number)
        or hasattr(value, "__array__")
        or isinstance(value, list)
    ):
        convert = value
    else:
        return None
    array: np.ndarray | None
    try:
        array = np.asarray(convert)
    except Exception:
        array = _from_backend(value)
    if array is None or type(array) is not np.ndarray:
        return None
    if array.dtype.name == "bfloat16":
        array = array.astype(np.float32)
    return array if array.dtype.kind in ARRAY_KINDS else None


def _from_backend(value: Any) -> np.ndarray | None:
    """Tensors that NumPy cannot read directly (on a GPU, or with gradients)."""
    if "keras" not in sys.modules:
        return None
    try:
        return np.asarray(sys.modules["keras"].ops.convert_to_numpy(value))
    except Exception:
        return None


def _encode_array(array: np.ndarray) -> Encoded:
    if array.nbytes > MAX_BYTES:
        return _opaque(f"array of shape {array.shape} (too large to check)")
    buffer = io.BytesIO()
    np.save(
        buffer, np.ascontiguousarray(array).reshape(array.shape), allow_pickle=False
    )
    return {"kind": "array", "npy": base64.b64encode(buffer.getvalue()).decode("ascii")}


def _decode_array(text: str) -> np.ndarray:
    raw = base64.b64decode(text, validate=True)
    if len(raw) > MAX_BYTES + 4096:
        raise ValueError(f"an array of {len(raw)} bytes is too large")
    begin = len(_MAGIC) + 2
    if raw[: len(_MAGIC)] != _MAGIC or len(raw) < begin:
        raise ValueError("an array that is not in .npy version 1.0")
    end = begin + int.from_bytes(raw[len(_MAGIC) : begin], "little")
    # Not NumPy's own reader: it parses the header as Python, which several threads at a
    # time cannot do in Python 3.11, and which takes most of the time for a small array.
    header = _HEADER.fullmatch(raw[begin:end].decode("latin1"))
    if header is None:
        raise ValueError("an array with an unknown header")
    dtype = np.dtype(header["dtype"])
    shape = tuple(int(n) for n in header["shape"].replace(",", " ").split())
    # The header is checked first: a lying one could ask for any amount of memory.
    size = math.prod(shape) * dtype.itemsize
    if dtype.kind not in ARRAY_KINDS or size > MAX_BYTES:
        raise ValueError(f"an array of dtype {dtype} and shape {shape}")
    if size == 0:
        return np.empty(shape, dtype)
    array = np.frombuffer(raw, dtype, math.prod(shape), end)
    return array.reshape(shape, order="F" if header["order"] == "True" else "C")


def _opaque(type_name: str) -> Encoded:
    return {"kind": "other", "type": type_name}
