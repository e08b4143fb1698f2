"""What the benchmarks of training share: the process, the plain alternatives in Keras, and the turns.

NumPy and TensorFlow are imported inside the functions, after `start` has said how many threads they get.
"""

import os
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from ticketlab import tensorflow_setup

if TYPE_CHECKING:
    import keras
    import numpy as np

Turn = Callable[[], object]


def start(threads: int) -> None:
    """Bind this process to as many cores as threads and load TensorFlow; its other settings stay its defaults."""
    os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = str(threads)
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    tensorflow_setup.load_tensorflow()
    import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)


def fit(
    model: "keras.Model", optimizer: "keras.Optimizer", x: "np.ndarray", y: "np.ndarray", batch: int, **settings: Any
) -> Turn:
    """Return the turn of `model.fit` without masks or evaluation: one pass over the samples in their order."""
    import keras

    model.compile(optimizer, keras.losses.SparseCategoricalCrossentropy(from_logits=True), **settings)
    return lambda: model.fit(x, y, batch_size=batch, shuffle=False, verbose=0)


def plain_step(model: "keras.Model", optimizer: "keras.Optimizer") -> Callable:
    """Return one step of training as tutorials write it: a function of a batch's inputs and labels to its loss."""
    import keras
    import tensorflow as tf

    loss_of = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    optimizer.build(model.trainable_variables)

    def step(x: tf.Tensor, y: tf.Tensor) -> Any:
        with tf.GradientTape() as tape:
            loss = loss_of(y, model(x, training=True))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step


def milliseconds(turn: Turn, iterations: int) -> float:
    """Time a turn and return what an iteration takes."""
    began = time.perf_counter()
    turn()
    return (time.perf_counter() - began) / iterations * 1000
