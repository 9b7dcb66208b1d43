"""All messages are forged by threads that go on while the checks run."""

import threading
import time


def keep_on():
    for _ in range(20):
        forge()
        time.sleep(0.02)


threading.Thread(target=keep_on).start()


def double(x):
    # A thread answers for the cell that started it.
    threading.Thread(target=keep_on).start()
    time.sleep(0.2)
    raise KeyboardInterrupt
