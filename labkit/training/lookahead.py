"""Weights that are drawn back to the mean of their own past."""

from __future__ import annotations

import keras

EVERY, MEMORY = 5, 0.95


class Lookahead(keras.callbacks.Callback):
    """Every `EVERY` steps, and after each epoch, replaces the weights by a mean with their past.

    The past's share grows with the third power of the time, up to MEMORY**EVERY: early
    steps go their own way, late ones are averaged. Zhang, Lucas, Ba, Hinton 2019; the
    growing share is Jordan's, 2024 (arXiv 2404.00498).
    """

    def __init__(self, steps: int) -> None:
        super().__init__()
        self.steps = steps

    def on_train_begin(self, logs=None):
        self.step = int(self.model.optimizer.iterations)
        self.past = [_apart(weight.value) for weight in self.model.weights]

    def on_train_batch_end(self, batch, logs=None):
        self.step += 1
        if self.step % EVERY == 0:
            self._draw_back()

    def on_epoch_end(self, epoch, logs=None):
        # A run that was interrupted begins here: now the weights are all there is to know.
        self._draw_back()

    def _draw_back(self):
        share = MEMORY**EVERY * min(1.0, self.step / self.steps) ** 3
        for number, weight in enumerate(self.model.weights):
            if not keras.backend.is_float_dtype(weight.dtype):
                continue
            past = share * self.past[number] + (1 - share) * weight.value
            self.past[number] = _apart(past)
            weight.assign(past)


def _apart(tensor):
    """Return a copy that the next step neither overwrites (JAX) nor remembers the way to (PyTorch)."""
    return keras.ops.copy(keras.ops.stop_gradient(tensor))
