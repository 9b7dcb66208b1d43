"""Stands between a confined kernel and us, and lets no endless message through.

ZeroMQ bounds each part of a message and keeps the parts until the last has come: a
kernel could send parts until this process's memory is full. The relay counts them.
"""

import selectors
import socket
import struct
import threading
from collections.abc import Callable
from pathlib import Path

_CHUNK = 2**18
_GREETING_BYTES = 64
_MORE, _LONG = 1, 2
_PART_BYTES = 64  # what a part takes besides its content


class TooLong(Exception):
    """A message is longer than allowed."""


class MessageMeter:
    """Follows a stream of ZeroMQ's protocol (ZMTP 3.1) and measures its messages."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._skip = _GREETING_BYTES
        self._header = b""
        self._message = 0

    def feed(self, data: bytes) -> None:
        """Take the next bytes; raises TooLong where a message has more than the limit."""
        at = 0
        while at < len(data):
            if self._skip:
                step = min(self._skip, len(data) - at)
                self._skip -= step
            else:
                step = min(self._missing(), len(data) - at)
                self._header += data[at : at + step]
                if self._missing() == 0:
                    self._begin_part()
            at += step

    def _missing(self) -> int:
        """Bytes that the header of the next part lacks."""
        if not self._header:
            return 1
        return (9 if self._header[0] & _LONG else 2) - len(self._header)

    def _begin_part(self) -> None:
        flags, length = self._header[0], self._header[1:]
        self._skip = struct.unpack(">Q" if flags & _LONG else "B", length)[0]
        self._header = b""
        self._message += self._skip + _PART_BYTES
        if self._message > self._limit:
            raise TooLong
        if not flags & _MORE:
            self._message = 0


class Relay:
    """Passes what arrives at some sockets on to others, in both directions.

    `routes`: for each listening socket the path of the Unix socket to connect to.
    `too_long()` is called where the other side sends a message above `limit` bytes.
    """

    def __init__(
        self,
        routes: dict[socket.socket, Path],
        limit: int,
        too_long: Callable[[], None],
    ) -> None:
        self._routes = routes
        self._limit = limit
        self._too_long = too_long
        self._ends: list[socket.socket] = []
        self._awake, self._wake = socket.socketpair()
        self._accepting = threading.Thread(target=self._accept, daemon=True)
        self._accepting.start()

    def close(self) -> None:
        """Close every socket; what waits is lost."""
        self._wake.close()
        self._accepting.join()
        for end in (*self._routes, *self._ends, self._awake):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:  # the other side was first
                continue
            finally:
                end.close()

    def _accept(self) -> None:
        waiting = selectors.DefaultSelector()
        for listening in (self._awake, *self._routes):
            waiting.register(listening, selectors.EVENT_READ, listening)
        while True:
            ready = [key.data for key, _ in waiting.select()]
            if self._awake in ready:
                waiting.close()
                return
            for listening in ready:
                self._connect(listening.accept()[0], self._routes[listening])

    def _connect(self, ours: socket.socket, path: Path) -> None:
        theirs = socket.socket(socket.AF_UNIX)
        self._ends += [ours, theirs]
        try:
            theirs.connect(str(path))
        except OSError:  # the kernel has ended
            ours.close()
            return
        meter = MessageMeter(self._limit)
        for target in (
            lambda: self._pass_on(ours, theirs, lambda _: None),
            lambda: self._pass_on(theirs, ours, meter.feed),
        ):
            threading.Thread(target=target, daemon=True).start()

    def _pass_on(
        self,
        source: socket.socket,
        target: socket.socket,
        look: Callable[[bytes], None],
    ) -> None:
        try:
            while data := source.recv(_CHUNK):
                look(data)
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)
        except TooLong:
            self._too_long()
        except OSError:  # closed, here or there
            return
