# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark works: it runs whole, it notices wrong replies, its statistics are right.

Nothing here looks at how long anything takes.
"""

import json
import random
import subprocess
import sys

import pytest

from tests.bench import interval, measure, programs, report, scenarios

DEADLINE = 600


def test_quick_run_measures_every_row(tmp_path):
    result = tmp_path / "bench.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench", "--quick", "--json", str(result)],
        cwd=programs.ROOT,
        capture_output=True,
        text=True,
        timeout=DEADLINE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "all replies right" in done.stdout
    everything = json.loads(result.read_text())
    assert everything["failed"] == []
    no_peers = set(programs.PEERS) <= set(everything["not_installed"])
    rows = everything["rows"]
    assert len(rows) == len(scenarios.CHECKS)
    for row in rows:
        if row["kind"] != "peer" or not no_peers:
            assert row["result"] is not None, row["scenario"]


def test_a_wrong_value_ends_the_load_generator():
    # The echo server answers with values of one size; the VM pattern has others.
    with programs.Instances() as instances:
        floor = instances.start(programs.FLOOR)
        done = subprocess.run(
            [str(programs.XSBENCH), "run", "vm", f"floor,one,0,{floor.pid},{floor.socket}"],
            capture_output=True,
            text=True,
            timeout=DEADLINE,
        )
    assert done.returncode == 1
    assert "wrong reply to READ" in done.stderr


@pytest.mark.parametrize("count, k", [(5, 1), (6, 1), (8, 1), (9, 2), (40, 14), (60, 22)])
def test_rank_of_the_interval(count, k):
    # The usual table of the sign test.
    assert interval.rank(count) == k


def test_interval_holds_the_true_median_as_often_as_it_says():
    source = random.Random(7)
    hits = 0
    for _ in range(1000):
        e = interval.estimate([source.lognormvariate(0, 1) for _ in range(20)])
        hits += e.low <= 1.0 <= e.high
    # 95.9% for 20 samples; the seed is fixed.
    assert hits > 940


def test_ratio_takes_only_blocks_that_both_have():
    e = interval.paired_ratio({0: 2.0, 1: 6.0, 2: 9.0}, {1: 3.0, 2: 3.0, 3: 1.0})
    assert (e.median, e.samples) == (2.5, 2)
    assert interval.paired_ratio({0: 1.0}, {1: 1.0}) is None


def _samples(ours, floor):
    samples = measure.Samples()
    for name, values in (("ours", ours), ("floor", floor)):
        for block, value in enumerate(values):
            samples.add("read", name, "one", "us", block, value)
    return samples


def test_a_target_is_met_only_by_the_bad_end():
    check = scenarios.CHECKS[0]
    assert (check.run, check.kind, check.limit) == ("read", "floor", 1.25)
    floor = [1.0] * 9
    good = report.rows([check], _samples([1.2] * 9, floor), {})[0]
    assert good.met is True
    # The median meets it, the interval's bad end (the second largest of nine) does not.
    doubtful = report.rows([check], _samples([1.2] * 7 + [1.3] * 2, floor), {})[0]
    assert doubtful.result.median == 1.2
    assert doubtful.met is False


def test_the_best_of_the_views_counts_for_stalls():
    check = next(c for c in scenarios.CHECKS if c.kind == "best")
    samples = measure.Samples()
    for block, value in enumerate([3.0, 0.5, 2.0]):
        samples.add(check.run, "ours", "one", check.metric, block, value)
    assert report.rows([check], samples, {})[0].met is True
    # The daemon's own word replaces the views.
    samples.add(check.run, "ours", "one", check.prefer, 0, 4.0)
    row = report.rows([check], samples, {})[0]
    assert row.met is False and row.result.median == 4.0


def test_absent_program_is_reported():
    row = report.rows([scenarios.CHECKS[0]], measure.Samples(), {"debian-c": "not fetched"})[0]
    assert row.cells["debian-c"] == "not installed"
    assert row.met is None


def test_every_check_belongs_to_a_run_that_can_answer_it():
    runs = {}
    for run in scenarios.RUNS:
        runs.setdefault(run.key, set()).update(run.programs)
    for check in scenarios.CHECKS:
        assert "ours" in runs[check.run]
        if check.kind == "floor":
            assert "floor" in runs[check.run]
        if check.kind == "peer":
            assert runs[check.run] & set(programs.PEERS)
