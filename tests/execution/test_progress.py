"""What the person sees: plain lines without a terminal, rows that move on one, problems on stderr."""

import io

import pytest
from rich.console import Console

from rounds_on_disk import write_run, write_training
from ticketlab.execution import progress
from ticketlab.execution.progress import Display
from ticketlab.experiments.events import Begun, Completed, Evaluated, Retried, RoundDone, SetAside
from ticketlab.runs.folder import Run

ROUND = {"round": 3, "density": 0.5128, "early_stop_iteration": 1900, "seconds": 12.34}
ROUND |= {"early_stop_test_accuracy": 0.98091, "test_accuracy": 0.97999}


def evaluation(number, iteration, task="classification"):
    return Evaluated(number, iteration, iteration / 100, density=0.8, loss=0.3, score=0.9, task=task)


def done(number, new=True):
    return RoundDone(number, new, {**ROUND, "round": number})


def test_without_a_terminal_each_finished_round_is_a_line(capsys):
    out = io.StringIO()
    with Display([0, 1], 3, Console(file=out, width=60)) as display:
        display.event(0, Begun((0, 1, 2, 3)))
        display.event(0, done(2, new=False))
        display.event(0, evaluation(3, 50))
        display.event(0, SetAside("round_01.h5 cannot be read"))
        display.event(0, done(3))
        display.event(0, Completed())
    assert out.getvalue() == (
        "seed  0  round  3  density 0.5128  early stop   1900  test accuracy there 0.9809, at the end 0.9800  12.3 s\n"
    )
    assert capsys.readouterr().err == "seed 0: round_01.h5 cannot be read\n"


def test_in_a_notebook_a_replicate_prints_now_and_then_and_at_its_end(monkeypatch):
    clock = {"now": 0.0}
    monkeypatch.setattr(progress.time, "monotonic", lambda: clock["now"])
    out = io.StringIO()
    with Display([0], 5, Console(file=out, width=60), pause=10) as display:
        display.event(0, Begun(tuple(range(6))))
        for round, clock["now"] in enumerate((1.0, 11.0, 12.0, 20.0, 21.5, 21.6)):
            display.event(0, done(round))
        assert out.getvalue().count("\n") == 2
        display.event(0, Completed())
        display.event(0, Completed())
    assert [int(line.split()[3]) for line in out.getvalue().splitlines()] == [1, 4, 5]


def test_lines_move_on_a_terminal_alone_whatever_the_environment_says(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # as notebooks' kernels set it
    monkeypatch.setattr(progress.sys, "stdout", out := io.StringIO())
    with Display([0], 3, console := progress.screen()) as display:
        display.event(0, Begun((0, 1, 2, 3)))
        display.event(0, evaluation(3, 50))
        display.event(0, done(3))
        display.event(0, Completed())
    assert "\x1b" not in out.getvalue()
    assert out.getvalue().count("\n") == 1
    monkeypatch.setattr(out, "isatty", lambda: True, raising=False)
    assert (console.is_terminal, progress.screen().is_terminal) == (False, True)


def test_on_a_terminal_a_retried_replicate_has_one_row():
    console = Console(file=io.StringIO(), force_terminal=True, width=100)
    with Display([4], 3, console) as display:
        for _ in range(2):
            display.event(4, Begun((0, 1, 2, 3)))
            display.event(4, evaluation(0, 50))
            display.event(4, Retried("killed"))
        rows = [task.fields["name"] for task in display._live.tasks]
        assert rows == ["all", "seed 4"]
        display.event(4, Completed())
        assert [task.fields["name"] for task in display._live.tasks] == ["all"]


def test_time_left_counts_only_what_was_computed_here(monkeypatch):
    now = iter((100.0, 110.0))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(now))
    clock = progress._Clock([0], 9)
    assert clock.time_left() == "starting"
    clock.begin(0, 10)
    clock.reached(0, 5.0, computed=False)  # found on disk
    clock.reached(0, 5.9)  # a round that a killed process had nearly finished
    clock.reached(0, 6.9)  # one round in ten seconds
    assert clock.share() == pytest.approx(0.69)
    assert clock.time_left() == "0:31 left"


def table(folder, seeds=(0, 1)):
    out = io.StringIO()
    Console(file=out, width=120).print(progress.summary(Run(folder), list(seeds)))
    return [line.split() for line in out.getvalue().splitlines()]


def test_the_closing_table_has_intervals_from_three_seeds_on(tmp_path):
    run = write_run(tmp_path / "tickets", seeds=3)
    rows = {line[0]: line for line in table(run, range(3)) if line}
    # early stops 100, 200, 300 and accuracies .91, .911, .912: t(.975, 2) = 4.303 times sd / √3
    assert rows["0"][3:10] == ["200", "±", "248", "0.9110", "±", "0.0025", "0.9000"]
    assert " ".join(rows["mean"]).startswith("mean ± half of the 95 % interval over the seeds")
    few = {line[0]: line for line in table(run) if line}
    assert few["0"][2:] == ["2", "150", "0.9105", "0.9000"], "two seeds have a mean alone"
    assert "mean" not in few, "and nothing to explain"


def test_the_closing_table_says_iterations_where_rounds_have_them(tmp_path):
    training = table(write_training(tmp_path / "training", seeds=2, rounds=3))
    assert ["round", "iteration", "density", "seeds"] in [line[:4] for line in training]
    assert [line[:2] for line in training if line[:1] in (["1"], ["2"])] == [["1", "10"], ["2", "20"]]
    assert "iteration" not in [line[1:2] for line in table(write_run(tmp_path / "tickets", seeds=2))]


def test_the_closing_table_of_a_long_training_fits_80_columns(tmp_path):
    def later(attributes):
        return {"iteration": 20_000 + attributes["round"], "early_stop_iteration": 20_000 + 1_000 * attributes["seed"]}

    run = write_training(tmp_path / "long", seeds=3, change=later)
    out = io.StringIO()
    Console(file=out, width=80).print(progress.summary(Run(run), [0, 1, 2]))
    assert "21000 ± 2484" in out.getvalue()
    assert "…" not in out.getvalue()


def test_of_a_regression_it_is_r_squared_that_is_told(tmp_path):
    facts = {**ROUND, "task": "regression"}
    assert "test R² there 0.9809, at the end 0.9800" in progress.round_line(facts)
    assert progress.evaluation_line(evaluation(3, 50, "regression")).endswith("validation R² 0.9000")
    assert progress.evaluation_line(evaluation(3, 50)).endswith("validation 0.9000")
    run = write_run(tmp_path / "numbers", seeds=2, change=lambda attributes: {"task": "regression"})
    headings = [" ".join(line) for line in table(run)[:2]]
    assert headings == ["early-stop test R² test R²", "round density seeds iteration there at the end"]


def test_the_data_set_is_told_once_nothing_is_refused_any_more():
    out = io.StringIO()
    with Display([0, 1], 1, Console(file=out, width=60), opening="digits: [small] images") as display:
        display.event(0, Retried("killed"))
        assert out.getvalue() == ""
        display.event(0, Begun((0, 1)))
        display.event(1, Begun((0, 1)))
    assert out.getvalue() == "digits: [small] images\n"
