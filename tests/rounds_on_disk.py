from pathlib import Path

import numpy as np

from ticketlab.storage import Record, write_file


def write_round(folder: Path, seed: int, round: int, **groups: dict[str, np.ndarray]) -> Record:
    path = folder / f"seed_{seed}_round_{round:02d}.h5"
    write_file(path, {"seed": seed, "round": round}, groups)
    return Record(path)
