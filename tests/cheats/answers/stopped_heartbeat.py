"""The kernel's heartbeat and its control channel are stopped."""

import threading

from ipykernel.kernelapp import IPKernelApp

app = IPKernelApp.instance()
app.heartbeat.socket.close()
app.heartbeat.context.destroy(linger=0)
for thread in threading.enumerate():
    loop = getattr(thread, "io_loop", None)
    if loop is not None and thread is not threading.main_thread():
        loop.add_callback(loop.stop)
