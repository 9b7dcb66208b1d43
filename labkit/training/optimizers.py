"""Keras's Adam and SGD, each variable's step one operation where TensorFlow has one for it.

Keras writes a step as some fifteen operations for each variable. For small networks and
batches they take longer than the arithmetic, and TensorFlow has to trace and to optimise
them all before the first step.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras


class _OneOperation(keras.optimizers.Optimizer):
    """Steps of one operation on TensorFlow; Keras's own where that has none.

    (On other backends, on several devices, and where a gradient is sparse.)
    """

    def _backend_update_step(
        self, grads: Sequence[Any], trainable_variables: Sequence[Any], rate: Any
    ) -> None:
        if not _on_one_tensorflow_device() or not all(map(_is_dense, grads)):
            super()._backend_update_step(grads, trainable_variables, rate)
            return
        self._step(grads, trainable_variables, rate)

    def _step(self, grads: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        raise NotImplementedError

    def _apply_weight_decay(self, variables: Sequence[Any]) -> None:
        if not _on_one_tensorflow_device():
            super()._apply_weight_decay(variables)
        elif self.weight_decay is not None:
            # Asked once, and not for each variable.
            share = self.learning_rate * self.weight_decay
            for variable in variables:
                if self._use_weight_decay(variable):
                    tensor = variable.value
                    tensor.assign_sub(tensor * keras.ops.cast(share, tensor.dtype))


@keras.saving.register_keras_serializable("labkit")
class Adam(_OneOperation, keras.optimizers.Adam):
    """`keras.optimizers.Adam`, but for rounding (Kingma and Ba 2015)."""

    def _step(self, grads: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        import tensorflow as tf

        step = keras.ops.cast(self.iterations + 1, "float32")
        powers = [keras.ops.power(beta, step) for beta in (self.beta_1, self.beta_2)]
        for gradient, variable in zip(grads, variables, strict=True):
            dtype = variable.dtype
            number = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyAdam(
                var=variable.value.handle,
                m=self._momentums[number].value.handle,
                v=self._velocities[number].value.handle,
                beta1_power=keras.ops.cast(powers[0], dtype),
                beta2_power=keras.ops.cast(powers[1], dtype),
                lr=keras.ops.cast(rate, dtype),
                beta1=self.beta_1,
                beta2=self.beta_2,
                epsilon=self.epsilon,
                grad=keras.ops.cast(gradient, dtype),
            )


@keras.saving.register_keras_serializable("labkit")
class SGD(_OneOperation, keras.optimizers.SGD):
    """`keras.optimizers.SGD` with momentum (Sutskever and others 2013)."""

    def _step(self, grads: Sequence[Any], variables: Sequence[Any], rate: Any) -> None:
        import tensorflow as tf

        for gradient, variable in zip(grads, variables, strict=True):
            number = self._get_variable_index(variable)
            tf.raw_ops.ResourceApplyKerasMomentum(
                var=variable.value.handle,
                accum=self.momentums[number].value.handle,
                lr=keras.ops.cast(rate, variable.dtype),
                grad=keras.ops.cast(gradient, variable.dtype),
                momentum=self.momentum,
                use_nesterov=self.nesterov,
            )


def _on_one_tensorflow_device() -> bool:
    if keras.backend.backend() != "tensorflow":
        return False
    import tensorflow as tf

    return not tf.distribute.has_strategy()


def _is_dense(gradient: Any) -> bool:
    import tensorflow as tf

    return isinstance(gradient, tf.Tensor)
