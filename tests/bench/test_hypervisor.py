# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark of the hypervisor's update runs whole, and its statements follow from its rows.

Nothing here looks at how long anything takes.
"""

import json
import subprocess
import sys

import pytest

from tests.bench import hypervisor

DEADLINE = 600


def test_quick_run_measures_every_row(tmp_path):
    result = tmp_path / "rows.json"
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.hypervisor", "--quick", "--json", str(result)],
        cwd=hypervisor.ROOT, capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    rows = json.loads(result.read_text())
    assert len(rows) == sum(map(len, hypervisor.axes(quick=True).values()))
    assert all(row["pause"][0] > 0 for row in rows)
    # Boot memory does not mind in how many pieces memory is; a list of ranges does.
    assert all(row["boots"] for row in rows if row["method"] == "region")
    assert {row["boots"] for row in rows if row["method"] == "list"} == {True, False}
    assert all(row["boots"] == (row["pieces"] < 510) for row in rows if row["method"] == "list")


@pytest.mark.parametrize("arguments", [[], ["1"], ["1", "0,1024,1,1,region"], ["1", "nonsense"],
                                       ["1", "1,1024,0,1,region"], ["1", "1,1,1,1,region"]])
def test_wrong_arguments_are_refused(arguments):
    done = subprocess.run([str(hypervisor.HVBENCH), *arguments], capture_output=True, timeout=60,
                          check=False)
    assert done.returncode == 2


def row(series, at, pauses, passes=(1, 1, 1, 1, 1, 1), **more):
    return {"series": series, "at": at, "domains": 4, "gib": 1, "pieces": at, "stream_pages": 1,
            "boots": True, "pause": (pauses[0] / 1e6, 0, 0, len(pauses)), "save": 0, "reserve": 0,
            "restore": 0, "each_pause": pauses, "passes": passes, **more}


def rows(faster):
    same = [1000000] * 6
    return [row("domains", 10, same),
            row("memory", 1, same), row("memory", 16, [1100000] * 6, gib=16),
            row("fragments", 64, same),
            row("list", 64, [2500000] * 6), row("list", 700, [2500000] * 6, boots=False),
            row("cpus", 1, same, faster), row("cpus", 2, same, [100] * 6)]


def test_statements():
    memory, each, ranges, cpus = hypervisor.verdicts(rows([200] * 6))
    assert "pause x 1.10" in memory and "bytes x 16" in memory
    assert "100.0 us (10 guests)" in each
    assert "pause x 2.50" in ranges and "boots with 64 fragments" in ranges
    assert "2.00 times" in cpus and cpus.endswith(": met")


def test_the_bad_end_of_the_interval_decides():
    assert list(hypervisor.verdicts(rows([160, 200, 200, 200, 200, 200])))[3].endswith("not met")


def test_the_table_goes_between_its_marks(tmp_path):
    document = tmp_path / "document.md"
    document.write_text("above\n<!-- table -->\nold\n<!-- end of table -->\nbelow\n")
    for lines in (["new"], ["new", "newer"]):
        hypervisor.fill_in(document, lines)
        text = "\n".join(lines)
        assert document.read_text() == (
            f"above\n<!-- table -->\n{text}\n<!-- end of table -->\nbelow\n")
    document.write_text("nothing\n")
    with pytest.raises(SystemExit):
        hypervisor.fill_in(document, ["new"])
