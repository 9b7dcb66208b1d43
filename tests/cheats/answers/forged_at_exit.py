"""All messages are forged when the kernel ends."""

import atexit
import signal

atexit.register(forge)
signal.signal(signal.SIGTERM, lambda *args: forge())
get_ipython().events.register("post_execute", forge)
