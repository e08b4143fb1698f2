"""Differences seed by seed, the summary of runs, and how far masks move: by hand, on runs that lack rounds."""

import numpy as np
import pytest

from rounds_on_disk import SHAPES, write_branch, write_run, write_training
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs


def measured(*folders):
    return measure(read_runs(folders)[0])[0]


def better(by):
    """Add to each accuracy at the end, so that seeds differ: seed 0 by `by`, seed 1 by twice that, …"""
    return lambda facts: {"test_accuracy": facts["test_accuracy"] + by * (facts["seed"] + 1)}


def test_a_ticket_minus_the_dense_network_is_taken_seed_by_seed(tmp_path):
    def growing(facts):
        return {"test_accuracy": 0.5 * facts["seed"] + facts["round"] * 0.01 * (1 + facts["seed"])}

    run = write_run(tmp_path / "mine", 4, 3, change=growing)
    (run / "seed_3" / "round_00.h5").unlink()
    results = measured(run)
    paired = results.tables["paired"].query("metric == 'test_accuracy'").set_index("round")
    assert list(results.tables["paired"]) == [
        *("run", "against", "metric", "round", "density", "iteration", "seeds", "mean", "interval", "censored")
    ]
    assert paired["against"].tolist() == ["dense"] * 2
    assert paired["seeds"].tolist() == [3, 3], "of seed 3, nothing is known of the dense network"
    assert paired["mean"].tolist() == pytest.approx([0.02, 0.04])
    assert paired["interval"].tolist() == pytest.approx([0.01 * 2.48414, 0.02 * 2.48414], rel=1e-4)
    seeds = results.tables["paired_seeds"].query("metric == 'test_accuracy' and round == 1")
    assert seeds.set_index("seed")["value"].to_dict() == pytest.approx({0: 0.01, 1: 0.02, 2: 0.03})


def test_a_ticket_minus_its_control_and_untrained_ones_have_no_early_stop(tmp_path):
    run = write_run(tmp_path / "mine")
    write_branch(run, "random_reinit", change=better(-0.01))
    write_branch(run, "supermask", change=better(-0.1))
    paired = measured(run).tables["paired"].query("round == 2").set_index(["run", "against", "metric"])
    assert paired.loc[("mine", "mine-random_reinit", "test_accuracy"), "mean"] == pytest.approx(0.02)
    assert paired.loc[("mine-random_reinit", "dense", "test_accuracy"), "mean"] == pytest.approx(0.02 - 0.02)
    assert ("mine", "mine-random_reinit", "early_stop_iteration") in paired.index
    assert ("mine", "mine-supermask", "early_stop_iteration") not in paired.index


def test_two_seeds_have_no_interval(tmp_path):
    paired = measured(write_run(tmp_path / "mine", 2)).tables["paired"]
    assert paired["interval"].isna().all()
    assert paired["mean"].notna().all()


def test_a_difference_of_early_stops_at_the_end_is_marked(tmp_path):
    def late(facts):
        return {"early_stop_iteration": 60 if facts["round"] == 2 and facts["seed"] == 1 else 40}

    paired = measured(write_run(tmp_path / "mine", change=late)).tables["paired"].set_index(["metric", "round"])
    assert not paired.loc[("early_stop_iteration", 1), "censored"]
    assert paired.loc[("early_stop_iteration", 2), "censored"]
    assert not paired.loc[("test_accuracy", 2), "censored"]


def test_a_sparse_training_is_compared_with_the_dense_one_of_equal_settings(tmp_path):
    folders = [
        write_training(tmp_path / "mine", "rigl", change=better(-0.02)),
        write_training(tmp_path / "dense", "dense"),
        write_training(tmp_path / "other", "set", batch_size=20),
    ]
    paired = measured(*folders).tables["paired"].query("metric == 'test_accuracy'")
    assert set(paired["run"]) == {"mine"}
    assert paired["iteration"].tolist() == [0, 10, 20, 30, 40, 50]
    assert paired["mean"].tolist() == pytest.approx([-0.04] * 6)


def test_the_summary_has_a_row_per_run(tmp_path):
    run = write_run(tmp_path / "mine", 4, 3)
    (run / "seed_3" / "round_02.h5").unlink()
    (run / "seed_2" / "round_01.h5").unlink()
    write_branch(run, "random_reinit")
    results = measured(run)
    summary = results.tables["summary"].set_index("run")
    assert summary["kind"].tolist() == ["imp", "random_reinit"]
    assert summary["label"].tolist() == ["ticket", "random reinitialisation"]
    mine = summary.loc["mine"]
    assert mine[["seeds", "round"]].tolist() == [3, 2]
    assert mine["test_accuracy"] == pytest.approx(0.92)
    assert mine["difference_to_dense"] == pytest.approx(0.02)
    assert mine["seconds"] == 4.5, "three rounds of 1.5 s, of the seeds that have all of them"
    assert mine["mask_bytes"] == (16 * 12) / 8 + (12 * 6) / 8 + 3
    (own,) = read_runs([run])[0]
    kept = [sum(map(np.count_nonzero, each.masks.values())) for each in own.records if each.attributes["round"] == 2]
    begins = sum(rows + 1 for rows, _ in SHAPES.values())
    assert mine["compressed_weight_bytes"] == pytest.approx(np.mean(kept) * 6 + begins * 4)


def test_overlap_of_nested_masks_is_whole_and_nothing_is_explored(tmp_path):
    tables = measured(write_run(tmp_path / "mine", 2, 3)).tables
    assert tables["overlap"]["overlap"].eq(1).all()
    assert tables["overlap"][["seed", "round_a", "round_b"]].to_numpy().tolist() == [
        [seed, *rounds] for seed in (0, 1) for rounds in ((0, 1), (0, 2), (1, 2))
    ]
    assert tables["exploration"].empty


def test_what_was_ever_kept_adds_up(tmp_path):
    folder = write_training(tmp_path / "mine", "set", 2, 4)
    (folder / "seed_1" / "round_02.h5").unlink()
    explored = measured(folder).tables["exploration"]
    assert explored[["seed", "round"]].to_numpy().tolist() == [[0, 0], [0, 1], [0, 2], [0, 3], [1, 0], [1, 1]]
    (run,) = read_runs([folder])[0]
    masks = [np.concatenate([mask.ravel() for mask in each.masks.values()]) for each in run.records[:4]]
    expected = [np.logical_or.reduce(masks[: number + 1]).mean() for number in range(4)]
    assert explored.query("seed == 0")["share_ever_kept"].tolist() == pytest.approx(expected)
