"""Functions of the iteration: the learning rate, and when a training is evaluated.

A learning-rate schedule is a function ``(iterations, settings) -> factors``; to add one, write it and add its entry to
`SCHEDULES`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class ScheduleSettings:
    """The settings on which a schedule may depend.

    Attributes:
        length: number of iterations of the whole training, warm-up included.
        warmup: number of iterations of the warm-up.
        steps: iterations at which the schedule "step" multiplies the rate.
        factor: factor by which the schedule "step" multiplies the rate.
    """

    length: int
    warmup: int = 0
    steps: tuple[int, ...] = ()
    factor: float = 0.1


def constant(iterations: np.ndarray, settings: ScheduleSettings) -> np.ndarray:
    """Keep the rate constant."""
    return np.ones(iterations.shape)


def step(iterations: np.ndarray, settings: ScheduleSettings) -> np.ndarray:
    """Multiply the rate at some iterations, as in He et al. 2016 (arXiv 1512.03385, section 4.2)."""
    return settings.factor ** np.searchsorted(settings.steps, iterations, side="right").astype(float)


def cosine(iterations: np.ndarray, settings: ScheduleSettings) -> np.ndarray:
    """Let the rate fall to 0 along half a cosine after the warm-up (Loshchilov & Hutter 2017, arXiv 1608.03983)."""
    share = (iterations - settings.warmup) / max(1, settings.length - settings.warmup)
    return (1 + np.cos(np.pi * np.clip(share, 0, 1))) / 2


SCHEDULES: dict[str, Callable[[np.ndarray, ScheduleSettings], np.ndarray]] = {
    "constant": constant,
    "step": step,
    "cosine": cosine,
}


def learning_rates(schedule: str, rate: float, settings: ScheduleSettings, start: int, stop: int) -> np.ndarray:
    """Return the learning rates of the iterations from `start` to `stop`.

    A warm-up of w iterations rises in equal steps: iteration i, counted from 0, has (i + 1)/w of the schedule's rate
    (Goyal et al. 2017, arXiv 1706.02677, section 2.2).

    Returns:
        (stop − start,) float32

    >>> learning_rates("step", 1.0, ScheduleSettings(6, warmup=2, steps=(3, 5)), 0, 6)
    array([0.5 , 1.  , 1.  , 0.1 , 0.1 , 0.01], dtype=float32)
    """
    iterations = np.arange(start, stop)
    factors = SCHEDULES[schedule](iterations, settings)
    climbing = np.minimum(1, (iterations + 1) / settings.warmup) if settings.warmup else 1.0
    return (rate * factors * climbing).astype(np.float32)


def evaluation_iterations(start: int, stop: int, every: int) -> list[int]:
    """List the iterations at which a training from `start` to `stop` is evaluated: multiples of `every`, and the end.

    >>> evaluation_iterations(0, 250, 100), evaluation_iterations(100, 300, 100), evaluation_iterations(7, 7, 5)
    ([100, 200, 250], [200, 300], [7])
    """
    regular = range(start - start % every + every, stop + 1, every)
    return sorted({*regular, stop})
