"""Python's text as a tree, from several threads."""

import ast
import threading

_alone = threading.Lock()


def parse(source: str) -> ast.Module:
    """`ast.parse`, by one thread at a time.

    Python 3.11, at least up to 3.11.7, counts the depth of a tree for all threads together:
    of two that parse at once, one can end with a SystemError (python/cpython#106905).
    """
    with _alone:
        return ast.parse(source)
