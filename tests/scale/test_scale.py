# SPDX-License-Identifier: GPL-2.0-or-later
"""A host full of guests works; `make soak` fills it with all domains there can be.

Nothing here looks at how long anything takes.
"""

import os
import subprocess

from tests.bench import programs
from tests.scale import run

FEW = 500


def domains():
    """500 for each unit of COUNT, up to all."""
    count = int(os.environ.get("COUNT", "1"))
    return min(FEW * count, run.MOST) if count < 20 else run.MOST


def test_a_host_full_of_guests():
    result = run.run(domains())
    print(result.table())
    assert set(result.phases) == set(run.PHASES)
    # Whatever the number is, a quarter of a megabyte for 50 nodes would be a leak.
    own = result.bytes_per_domain("homes", "introduce", "nodes", "reads", "watches", "events")
    assert 0 < own < 250000


def test_a_wrong_reply_ends_the_run():
    # A daemon with quotas too small for the guests refuses what the run relies on.
    with programs.Instances() as instances:
        server = instances.start(
            programs.OURS, hosted=True,
            options=("--domstate", "hypercall", "--quota", "nodes=10"))
        done = subprocess.run(
            [str(programs.XSBENCH), "run", "scale", "-b", "0",
             f"ours,all,20,{server.pid},{server.socket}"],
            capture_output=True, text=True, timeout=600, check=False)
    assert done.returncode == 1
    assert "wrong reply to WRITE" in done.stderr and "ENOSPC" in done.stderr
