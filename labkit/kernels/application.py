"""IPython's kernel, on sockets that are open already and in messages that fit."""

from typing import Any

import zmq
from ipykernel import heartbeat, iostream, kernelapp
from jupyter_client.session import Session

from labkit.sandbox.policy import MESSAGE_BYTES

_TEXT_CHARACTERS = 2**18
_CHANNELS = ("shell", "iopub", "stdin", "hb", "control")
_sockets: dict[int, int] = {}


class KernelApplication(kernelapp.IPKernelApp):
    """A kernel that somebody else watches, and whose owner has bound its sockets."""

    outstream_class = f"{__name__}.Stream"
    # "1": nobody to look after, and how to reach this kernel need not be printed.
    parent_handle = 1
    confined = False

    def _session_default(self) -> Session:
        return ShortSession(parent=self)

    def _try_bind_socket(self, s: zmq.Socket, port: int) -> Any:
        _take_over(s, port)
        return super()._try_bind_socket(s, port)

    def init_iopub(self, context: zmq.Context) -> None:
        """Make the channel of outputs, as IPython does.

        Where confined, without the TCP port for what forked processes print: ZeroMQ ends
        a process that may not ask for the machine's addresses.
        """
        if not self.confined:
            super().init_iopub(context)
            return
        socket = self.iopub_socket = context.socket(zmq.XPUB)
        socket.linger = 1000
        self.iopub_port = self._bind_socket(socket, self.iopub_port)
        self.configure_tornado_logger()
        self.iopub_thread = iostream.IOPubThread(socket, pipe=False)
        self.iopub_thread.session = self.session  # which welcomes who subscribes
        self.iopub_thread.start()
        self.iopub_socket = self.iopub_thread.background_socket

    def init_heartbeat(self) -> None:
        """Start to answer whether this kernel is alive."""
        if self.hb_port not in _sockets:
            super().init_heartbeat()
            return
        address = (self.transport, self.ip, self.hb_port)
        self.heartbeat = Heartbeat(zmq.Context(), address)
        self.heartbeat.start()


class Heartbeat(heartbeat.Heartbeat):
    """The kernel's heartbeat, on a socket that is open already."""

    def _try_bind_socket(self) -> Any:
        _take_over(self.socket, self.port)
        return super()._try_bind_socket()


class Stream(iostream.OutStream):
    """Standard output that is sent in pieces, and waits where the reader is slow."""

    _unsent = 0

    def write(self, string: str) -> int:
        """Write text; as print does."""
        for start in range(0, len(string), _TEXT_CHARACTERS):
            piece = string[start : start + _TEXT_CHARACTERS]
            super().write(piece)
            self._unsent += len(piece)
            if self._unsent >= _TEXT_CHARACTERS:
                self._unsent = 0
                self.flush()
        return len(string)


class ShortSession(Session):
    """Messages, of which those that are too long for the grader say so instead."""

    def serialize(self, msg: dict, ident: Any = None) -> list[bytes]:
        """The parts of a message to send."""
        parts = super().serialize(msg, ident)
        fits = not _sockets or sum(map(len, parts)) <= MESSAGE_BYTES
        if fits or "data" not in msg["content"]:
            return parts
        text = f"[not shown: more than {MESSAGE_BYTES // 2**20} MiB]"
        content = {**msg["content"], "data": {"text/plain": text}, "metadata": {}}
        return super().serialize({**msg, "content": content}, ident)


def _take_over(socket: zmq.Socket, port: int) -> None:
    if port in _sockets:
        socket.setsockopt(zmq.USE_FD, _sockets[port])
        if socket.type == zmq.XPUB:
            # Wait for a slow reader: what a check sends must not get lost.
            socket.setsockopt(zmq.XPUB_NODROP, 1)


def start_application(
    arguments: list[str],
    connection: dict[str, Any],
    listening: list[int],
    *,
    confined: bool,
) -> KernelApplication:
    """The kernel, initialised; what it is sent waits in its sockets until it starts."""
    ports = [connection[f"{name}_port"] for name in _CHANNELS]
    _sockets.update(zip(ports, listening, strict=False))
    app = KernelApplication.instance()
    app.confined = confined
    app.initialize(arguments)
    return app
