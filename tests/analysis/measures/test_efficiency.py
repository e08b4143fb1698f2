"""What rounds cost, by hand."""

import numpy as np
import pytest

from rounds_on_disk import write_branch, write_run, write_training
from ticketlab.analysis.measures import MEASURES
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs

SHAPES = {"a": (4, 3), "b": (3, 2)}  # 18 weights, 5 units: 2·18 + 5 = 41 operations, 60 iterations of 10 samples
ONCE = 3 * 41 * 600


def table(*folders):
    results, problems = measure(read_runs(folders)[0])
    found = results.tables["efficiency"]
    assert list(found) == ["run", "seed", "round", *MEASURES["operations (FLOPs)"].columns]
    return found, [line for line in problems if "FLOPs" in line]


def kept(folder, round, seed=0):
    (run,), _ = read_runs([folder])
    (record,) = (each for each in run.records if (each.attributes["round"], each.attributes["seed"]) == (round, seed))
    return sum(np.count_nonzero(mask) for mask in record.masks.values())


def test_a_chain_adds_up_and_older_files_are_counted_from_their_masks(tmp_path):
    found, problems = table(folder := write_run(tmp_path / "mine", 1, 3, SHAPES))
    assert problems == []
    inference = [2 * kept(folder, round) + 5 for round in range(3)]
    assert inference[0] == 41
    assert found["inference_flops"].tolist() == inference
    assert found["training_flops"].tolist() == [3 * each * 600 for each in inference]
    assert found["total_training_flops"].tolist() == [3 * each * 600 for each in np.cumsum(inference)]
    assert found["inference_ratio"].tolist() == pytest.approx([each / 41 for each in inference])
    assert found["total_training_ratio"].tolist() == pytest.approx([each / 41 for each in np.cumsum(inference)])


def test_pruned_rounds_begin_where_they_rewind_to(tmp_path):
    found, _ = table(folder := write_run(tmp_path / "mine", 1, 2, SHAPES, rewind_iteration=20))
    assert found["training_flops"].tolist() == [ONCE, 3 * (2 * kept(folder, 1) + 5) * 400]


def test_what_files_say_is_taken(tmp_path):
    said = {"inference_flops": 7, "training_flops": 100.0}
    found, _ = table(write_run(tmp_path / "mine", 2, 3, SHAPES, change=lambda _: said))
    assert found["inference_flops"].eq(7).all()
    assert found["total_training_flops"].tolist() == [100, 200, 300] * 2
    assert found["total_training_ratio"].iloc[-1] == pytest.approx(300 / ONCE)


def test_the_papers_count_stands_beside_where_files_say_it(tmp_path):
    said = {"inference_flops": 7, "training_flops": 100.0, "training_flops_paper": 120.0}
    found, _ = table(write_training(tmp_path / "mine", seeds=1, rounds=3, shapes=SHAPES, change=lambda _: said))
    assert found["total_training_ratio"].tolist() == pytest.approx([each / ONCE for each in (100, 200, 300)])
    assert found["total_training_ratio_paper"].tolist() == pytest.approx([each / ONCE for each in (120, 240, 360)])
    plain, _ = table(write_run(tmp_path / "tickets", 1, 3, SHAPES))
    assert plain["total_training_ratio_paper"].equals(plain["total_training_ratio"])


def test_a_training_adds_up_but_rounds_that_rest_on_no_others_do_not(tmp_path):
    said = {"inference_flops": 7, "training_flops": 100.0}
    run = write_run(tmp_path / "tickets", 1, 3, SHAPES)
    folders = [
        write_training(tmp_path / "mine", seeds=1, rounds=3, shapes=SHAPES, change=lambda _: said),
        write_run(tmp_path / "before", 1, 3, SHAPES, kind="before_training", change=lambda _: said),
        write_branch(run, "one_shot", seeds=1, shapes=SHAPES, change=lambda _: said),
    ]
    found, _ = table(*folders)
    totals = found.groupby("run")["total_training_flops"].apply(list).to_dict()
    assert totals == {"mine": [100, 200, 300], "before": [100] * 3, "tickets-one_shot": [100] * 2}


def test_a_lost_round_leaves_the_sum_unknown(tmp_path):
    found, _ = table(write_run(tmp_path / "mine", 1, 4, SHAPES, only=(0, 1, 3)))
    assert found["total_training_flops"].isna().tolist() == [False, False, True]


def test_masks_of_convolutions_do_not_tell(tmp_path):
    shapes = {"conv_1/kernel": (3, 3, 2, 4), "dense_1/kernel": (4, 3)}
    runs = write_run(tmp_path / "old", 1, 2, shapes), write_training(tmp_path / "sparse", seeds=1, shapes=shapes)
    said = write_run(
        tmp_path / "new",
        1,
        2,
        shapes,
        change=lambda facts: {
            "inference_flops": 9 - facts["round"],
            "dense_inference_flops": 9,
            "training_flops": 1.0,
        },
    )
    found, problems = table(*runs, said)
    assert set(found["run"]) == {"new"}
    assert found["inference_ratio"].tolist() == pytest.approx([1, 8 / 9])
    assert [line.split(":")[0] for line in problems] == ["old", "sparse"]
