"""Arrays that are pickled objects, that lie about their size, that are cut short."""

import base64
import io
import os
import pickle

from IPython.display import publish_display_data

from labkit.checks.protocol import MIME


class Owned:
    def __reduce__(self):
        return os.system, ("touch /tmp/labkit-owned",)


def npy(header, data=b""):
    text = repr(header).encode().ljust(117) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text + data


buffer = io.BytesIO()
np.save(buffer, np.array([Owned()], dtype=object), allow_pickle=True)
BYTES = [
    buffer.getvalue(),
    pickle.dumps(Owned()),
    npy({"descr": "<f8", "fortran_order": False, "shape": (10**12,)}),
    npy({"descr": "<f8", "fortran_order": False, "shape": (-1, 10**30)}),
    npy({"descr": "|O", "fortran_order": False, "shape": (1,)}, pickle.dumps(Owned())),
    npy({"descr": "<f8", "fortran_order": False, "shape": (2, 3)}, b"short"),
    b"\x93NUMPY\x03\x00" + b"\xff" * 100,
    npy("__import__('os').system('touch /tmp/labkit-owned')"),
    b"",
]
NAMES = [
    "a number",
    "an array",
    "numbers below zero",
    "a table",
    "half right",
    "nearly all right",
]


def double(x):
    for name, data in zip(NAMES, BYTES):
        text = base64.b64encode(data).decode()
        publish_display_data(
            {MIME: {"name": name, "value": {"kind": "array", "npy": text}}}
        )
    raise SystemExit


def label(images):
    for name, data in zip(reversed(NAMES), reversed(BYTES)):
        text = base64.b64encode(data).decode()
        publish_display_data(
            {MIME: {"name": name, "value": {"kind": "array", "npy": text}}}
        )
    raise SystemExit
