"""What the report says in sentences: like with like, on few seeds, at the end of training, of a regression."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from rounds_on_disk import write_branch, write_run, write_training
from ticketlab.analysis.confidence import quoted_seeds
from ticketlab.analysis.report.findings import findings
from ticketlab.analysis.report.training_findings import per_update
from ticketlab.analysis.results import measure
from ticketlab.analysis.runs import read_runs
from ticketlab.data.dataset import DataFacts


def sentences(*folders):
    results, _ = measure(read_runs(folders)[0])
    return [text for _, text in findings(results, folders[0].name)]


def test_a_half_finished_run_is_compared_with_its_own_seeds(tmp_path):
    """Seed 0 stops at 200 and 100, the others at 1000 and 500; round 1 is there of seed 0 and 1, round 0 of 0 and 2."""

    def stop(facts):
        return {"early_stop_iteration": (1000 if facts["seed"] else 200) // (1 + facts["round"])}

    run = write_run(tmp_path / "mine", 3, 2, change=stop)
    (run / "seed_2" / "round_01.h5").unlink()
    (run / "seed_1" / "round_00.h5").unlink()
    learning = sentences(run)[1]
    assert "at iteration 100 at density" in learning
    assert "at 200 in the dense network (seeds: 1): 0.50 times" in learning
    assert "nan" not in " ".join(sentences(run))


def test_one_missing_round_leaves_the_cost_of_the_other_seeds(tmp_path):
    run = write_training(tmp_path / "mine", seeds=4)
    (run / "seed_3" / "round_02.h5").unlink()
    costs = next(line for line in sentences(run) if line.startswith("Floating"))
    assert costs.endswith("(seeds: 3).")
    assert "nan" not in costs


def test_two_seeds_are_told_one_by_one(tmp_path):
    accuracy = sentences(write_run(tmp_path / "mine", 2))[0]
    assert "reaches 91.00, 91.10 % test accuracy at early stop (seeds: 2)" in accuracy
    assert "±" not in accuracy


@pytest.mark.parametrize(
    ("values", "bounds", "text"),
    [
        ([99.0, 99.5, 100.0], (0, 100), "99.5 (98.3 to 100.0)"),
        ([0.0, 1.0, 5.0], (0, np.inf), "2.0 (0.0 to 8.6)"),
        ([50.0, 51.0, 52.0], (0, 100), "51.0 ± 2.5"),
        ([-3.0], (-np.inf, np.inf), "−3.0"),
    ],
)
def test_intervals_stay_inside_what_a_quantity_can_be(values, bounds, text):
    assert quoted_seeds(values, 1, bounds) == text


def test_the_best_round_is_chosen_by_validation(tmp_path):
    """Test accuracy is best in round 1, validation in round 2."""

    def lucky(facts):
        return {"early_stop_test_accuracy": 0.9 + (0.05 if facts["round"] == 1 else 0.01 * facts["round"])}

    accuracy = sentences(write_run(tmp_path / "mine", change=lucky))[0]
    assert "of 2 pruned rounds, validation finds round 2 best" in accuracy
    assert "it has 92.00 ± 0.00 %, seed by seed 2.00 ± 0.00 percentage points above" in accuracy


def test_early_stops_at_the_end_are_bounds_and_make_no_ratio(tmp_path):
    def late(facts):
        return {"early_stop_iteration": 60 if facts["seed"] == 1 else 40}

    run = write_run(tmp_path / "mine", 4, change=late)
    write_branch(run, "random_reinit", seeds=4, change=lambda facts: {"early_stop_iteration": 60})
    found = sentences(run)
    assert "at iteration ≥ 45 ± 16 at density" in found[1]
    assert "1.00 ± 0.00 times the dense network's iterations" in found[1]
    assert found[1].endswith("(1 seed left out, whose early stop is a lower bound).")
    assert "early stop after ≥ 60 ± 0 iterations" in found[2]
    assert "times" not in found[2]


def test_a_regression_has_r2_and_no_percent(tmp_path):
    run = write_run(tmp_path / "mine", change=lambda facts: {"task": "regression"})
    write_branch(run, "random_reinit", change=lambda facts: {"task": "regression"})
    accuracy, _, controls, *_ = sentences(run)
    assert "reaches 0.9110 ± 0.0025 test R² at early stop" in accuracy
    assert "%" not in accuracy
    assert "difference of test R² there 0.0000 ± 0.0000 of R²" in controls
    training = write_training(tmp_path / "sparse", change=lambda facts: {"task": "regression"})
    assert " test R² (seeds: 3)" in sentences(training)[0]


def test_what_an_update_keeps_does_not_depend_on_how_often_is_saved():
    """Updates before 10, 20 and 30 keep .9 each; nothing changes after."""
    updates, kept = [10, 20, 30], {0: 1.0, 10: 1.0, 20: 0.9, 30: 0.81, 40: 0.729, 80: 0.729}

    def between(saves):
        rows = [
            {"seed_a": 0, "round_a": a, "round_b": b, "persistence": kept[saves[b]] / kept[saves[a]]}
            for a in range(len(saves))
            for b in range(a + 1, len(saves))
        ]
        return per_update(pd.DataFrame(rows), dict(enumerate(saves)), updates)

    often, seldom = between([0, 10, 20, 30, 40, 80]), between([0, 40, 80])
    assert often[["updates", "kept"]].to_numpy().tolist() == [[1, pytest.approx(0.9)]] * 3
    assert seldom[["updates", "kept"]].to_numpy().tolist() == [[3, pytest.approx(0.9)]]


def test_the_share_per_update_is_told_of_a_training(tmp_path):
    often = write_training(tmp_path / "often", update_every=10, update_until=40)
    assert "; of each mask, an update keeps " in sentences(often)[2]
    seldom = write_training(tmp_path / "seldom", update_every=5, update_until=40)
    assert "an update keeps about " in sentences(seldom)[2]
    unknown = write_training(tmp_path / "unknown", update_every=0, update_until=40)
    assert "update" not in sentences(unknown)[2]


def test_the_test_samples_own_error_is_told_where_their_number_is_known(tmp_path):
    run = write_run(tmp_path / "mine")
    assert "binomial" not in " ".join(sentences(run))
    facts = DataFacts("d", None, "classification", "table", test_samples=300)
    results, _ = measure([replace(read_runs([run])[0][0], kept_data=facts)])
    # √(.9 · .1 / 300) = .0173
    text = dict(findings(results, "mine"))["test samples"]
    assert "the same 300 test samples, by whose choice alone 90.0 % is uncertain by ± 3.39 points" in text
