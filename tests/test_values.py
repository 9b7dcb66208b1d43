"""Values survive the way out of a kernel, and nothing else comes through."""

import base64
import io
import json

import numpy as np
import pytest

from labkit.checks.values import MAX_BYTES, Opaque, decode, encode


def round_trip(value):
    return decode(json.loads(json.dumps(encode(value))))


@pytest.mark.parametrize(
    "value",
    [
        np.arange(6).reshape(2, 3),
        np.float32(0.5),
        np.array(True),
        np.array([1 + 2j]),
        np.array(["a", "b"]),
        np.zeros((0, 3)),
        np.arange(12).reshape(3, 4).T,
        np.array([np.nan, np.inf]),
    ],
)
def test_arrays_keep_shape_dtype_and_values(value):
    found = round_trip(value)
    assert found.dtype == np.asarray(value).dtype
    assert found.shape == np.shape(value)
    np.testing.assert_array_equal(found, value)


def test_the_shape_of_a_tensor_is_a_shape():
    from tensorflow import zeros

    assert round_trip(np.shape(zeros((2, 3)))) == [2, 3]


def test_plain_values_and_structures():
    assert round_trip(None) is None
    assert round_trip("text") == "text"
    assert round_trip(3).dtype.kind == "i"
    assert round_trip(True).dtype.kind == "b"
    assert round_trip([]) == []
    weights, bias = round_trip((np.ones(2), 0.5))
    assert weights.shape == (2,)
    assert bias.shape == ()
    assert round_trip({"a": 1, "b": [1.0, 2.0]})["b"].tolist() == [1.0, 2.0]


def test_a_list_of_numbers_is_the_array_of_them_but_a_tuple_stays_a_tuple():
    assert round_trip([1.0, 2.0]).tolist() == [1.0, 2.0]
    assert [item.tolist() for item in round_trip((1.0, 2.0))] == [1.0, 2.0]


def cyclic():
    items = []
    items.append(items)
    return items


class Liar:
    shape = (2,)

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("no")

    def __eq__(self, other):
        return True


@pytest.mark.parametrize(
    "value",
    [
        (n for n in range(3)),
        lambda: 1,
        object(),
        np.array([object()], dtype=object),
        Liar(),
        np.zeros(MAX_BYTES // 8 + 1),
        {1, 2},
    ],
)
def test_what_cannot_be_compared_is_known_by_its_type_alone(value):
    assert isinstance(round_trip(value), Opaque)


def test_a_cyclic_list_ends():
    assert encode(cyclic())["kind"] == "items"


def test_a_pickled_array_is_refused():
    buffer = io.BytesIO()
    np.save(buffer, np.array([{"a": 1}], dtype=object), allow_pickle=True)
    with pytest.raises(ValueError, match="dtype object"):
        decode({"kind": "array", "npy": base64.b64encode(buffer.getvalue()).decode()})


def test_a_header_that_asks_for_all_memory_is_refused():
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        buffer, {"descr": "<f8", "fortran_order": False, "shape": (10**9, 10**3)}
    )
    with pytest.raises(ValueError, match="shape"):
        decode({"kind": "array", "npy": base64.b64encode(buffer.getvalue()).decode()})


@pytest.mark.parametrize(
    "data",
    [None, [], {}, {"kind": "array"}, {"kind": "plain", "value": 3}, {"kind": "x"}],
)
def test_anything_else_is_refused(data):
    with pytest.raises(ValueError):
        decode(data)
