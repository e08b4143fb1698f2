"""Large arrays of a job: in memory once, whole in every worker, and nobody's to change."""

import json
import os

import numpy as np

from ticketlab.execution import local_pool
from ticketlab.experiments.events import Noted

ARRAYS = {
    "small": np.arange(3, dtype=np.uint8),
    "large": np.arange(100_000, dtype=np.int32),
    "not contiguous": np.arange(200_000, dtype=np.float32).reshape(-1, 2).T[:, ::2],
    "bytes": np.ones((300, 300), np.uint8),
}


def facts(arrays):
    return {name: [str(each.dtype), list(each.shape), float(each.sum())] for name, each in arrays.items()}


def prepare(arrays, folder, function):
    """Tell what has arrived; the first worker with seed 1 ends without a word, so that another is started later."""

    def replicate(seed, report):
        if seed == 1 and not (folder / "tried").exists():
            (folder / "tried").touch()
            os._exit(3)
        writeable = [name for name, each in arrays.items() if each.flags.writeable]
        report(Noted(json.dumps([facts(arrays), writeable, function(seed)])))

    return replicate


def test_every_worker_has_the_job_s_arrays_those_started_later_too(tmp_path):
    said = {}
    job = local_pool.Job(prepare, (ARRAYS, tmp_path, lambda seed: seed * 2))
    failures = local_pool.run(job, [0, 1, 2], 2, lambda seed, event: said.setdefault((seed, type(event)), event))
    assert failures == {}
    for seed in (0, 1, 2):
        assert json.loads(said[seed, Noted].message) == [facts(ARRAYS), ["small"], seed * 2]
