"""The kernel kills itself."""

import os


def double(x):
    os.kill(os.getpid(), 9)


def label(images):
    os.kill(os.getpid(), 9)
