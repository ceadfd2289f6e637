# SPDX-License-Identifier: GPL-2.0-or-later
"""The benchmark: our daemon, the floor, and Debian's daemons side by side in one run.

    python3 -m tests.bench [--quick] [--only KEY,KEY...] [--json FILE]

Prints a table and writes the same, with all samples, as JSON.  The exit status is 0 when
everything was measured and every reply was right, whether targets are met or not.  --quick
does all of it with so few and small blocks that the numbers mean nothing: it tests the
benchmark.
"""

import argparse
import json
import os
import pathlib
import platform
import signal
import sys
import time

from tests.bench import measure, programs, report, scenarios
from tests.peers import peer


def options():
    parser = argparse.ArgumentParser(prog="tests.bench", description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="a smoke test, not a measurement")
    parser.add_argument("--only", help="these runs, separated by commas")
    parser.add_argument("--programs", help="these programs, separated by commas")
    parser.add_argument("--json", type=pathlib.Path, help="default: build/bench.json")
    return parser.parse_args()


def chosen(text, known, what):
    """The names in the text, all known, or everything."""
    if text is None:
        return list(known)
    names = text.split(",")
    for name in names:
        if name not in known:
            sys.exit(f"no {what} is called {name}; there are: {', '.join(known)}")
    return names


def machine():
    return {
        "kernel": platform.release(),
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": os.getloadavg(),
    }


def main():
    arguments = options()
    keys = chosen(arguments.only, list(dict.fromkeys(r.key for r in scenarios.RUNS)), "run")
    names = chosen(arguments.programs, programs.ALL, "program")
    if not programs.XSBENCH.exists():
        sys.exit(f"{programs.XSBENCH} is not built")
    # Ended from outside, the servers and their directories go as well.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    programs.raise_descriptor_limit()
    absent = {name: programs.unavailable(name) for name in names}
    absent = {name: reason for name, reason in absent.items() if reason}
    present = [name for name in names if name not in absent]
    samples = measure.Samples()
    runs = [run for run in scenarios.RUNS if run.key in keys]
    began = time.monotonic()
    for number, run in enumerate(runs, 1):
        start = time.monotonic()
        try:
            measure.perform(run, present, samples, arguments.quick)
        except measure.Failed as failure:
            sys.exit(f"bench: {run.key}: {failure}")
        took = time.monotonic() - start
        print(f"[{number}/{len(runs)}] {run.key}: {took:.1f} s", file=sys.stderr, flush=True)
    checks = [check for check in scenarios.CHECKS if check.run in keys]
    finished = report.rows(checks, samples, absent)
    write_json(arguments, finished, samples, absent, runs)
    print(report.table(finished))
    conclude(arguments, finished, absent, present, samples, time.monotonic() - began)
    return 1 if programs.OURS in absent and programs.OURS in names else 0


def conclude(arguments, finished, absent, present, samples, seconds):
    """What the table cannot say."""
    for name, reason in absent.items():
        print(f"{name}: not installed: {reason}")
    for (key, name), reason in samples.missing.items():
        print(f"{name}: failed in {key}: {reason}")
    for name in programs.PEERS:
        if name in present:
            print(f"{name}: version {peer.version(name)}")
    if programs.cpus()[0] is None:
        print("one CPU only: load generator and servers share it")
    met = sum(row.met is True for row in finished)
    unmeasured = sum(row.met is None for row in finished)
    if arguments.quick:
        print(f"bench: quick, {len(finished)} rows, {unmeasured} not measured, "
              f"all replies right, {seconds:.0f} s")
    else:
        print(f"bench: {met} of {len(finished)} targets met, {len(finished) - met - unmeasured} "
              f"not met, {unmeasured} not measured, {seconds:.0f} s")


def write_json(arguments, finished, samples, absent, runs):
    path = arguments.json or programs.ROOT / "build" / "bench.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    everything = {
        "quick": arguments.quick,
        "machine": machine(),
        "not_installed": absent,
        "failed": [[key, name, why] for (key, name), why in samples.missing.items()],
        "rows": report.plain(finished),
        "samples": [
            [run, program, variant, metric, list(values.values())]
            for run, program, variant, metric, values in samples.flat({r.key for r in runs})
        ],
    }
    path.write_text(json.dumps(everything, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(main())
