#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs all tests that need no root, and ends in one line of counts.

Each step is a program of its own; what it printed about passed, failed and skipped tests is added
up. A step that ends badly without having counted a failure is one failure.
"""

import argparse
import concurrent.futures
import itertools
import os
import pathlib
import re
import subprocess
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PYTHON = "/usr/bin/python3"
ASAN = ROOT / "build" / "asan"
SANITIZERS = {"ASAN_OPTIONS": "detect_leaks=1:abort_on_error=0",
              "UBSAN_OPTIONS": "print_stacktrace=1:halt_on_error=1"}


def count_cmocka(text):
    passed = sum(int(n) for n in re.findall(r"^\[  PASSED  \] (\d+) test", text, re.M))
    failed = len(re.findall(r"^\[  FAILED  \] (?!\d)(?!.*tests?:)", text, re.M))
    skipped = sum(int(n) for n in re.findall(r"^\[  SKIPPED \] (\d+) test", text, re.M))
    failures = re.findall(r"^\[  FAILED  \] .*?: (\d+) test", text, re.M)
    if failures:
        failed = sum(int(n) for n in failures)
    return passed, failed, skipped


def count_pytest(text):
    lines = [line for line in text.splitlines() if re.search(r"\d+ (passed|failed|skipped|error)", line)]
    last = lines[-1] if lines else ""

    def number(word):
        found = re.search(r"(\d+) " + word, last)
        return int(found.group(1)) if found else 0

    return number("passed"), number("failed") + number("error"), number("skipped")


def count_exit(_text):
    """A program that only says by its exit status whether all is well."""
    return 1, 0, 0


def unit_tests(objects):
    """{name: program} of those that were built and whose source is still there."""
    programs = {str(path.relative_to(objects)): path for path in sorted(objects.rglob("test-*"))
                if path.suffix == "" and os.access(path, os.X_OK)}
    return {name: path for name, path in programs.items() if (ROOT / f"{name}.c").exists()}


def steps():
    sanitized, plain = unit_tests(ASAN / "obj"), unit_tests(ROOT / "build" / "obj")
    for name, program in sanitized.items():
        yield name, [str(program)], SANITIZERS, count_cmocka
    # Where the sanitizers' memory is in the way.
    for name in sorted(plain.keys() - sanitized.keys()):
        yield name, [str(plain[name])], {}, count_cmocka
    asan = dict(SANITIZERS, XENSTORED_BINARY=str(ASAN / "xenstored"),
                XENSTORE_CONTROL_BINARY=str(ASAN / "xenstore-control"),
                XENSTORE_IMAGE_BINARY=str(ASAN / "xenstore-image"))
    pytest = [PYTHON, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider"]
    yield "hypervisor/check-freestanding", ["sh", "hypervisor/check-freestanding.sh"], {}, count_exit
    yield "hypervisor/check-threads", ["sh", "hypervisor/check-threads.sh"], {}, count_cmocka
    yield "xenstored/stubdom/check-image", ["sh", "xenstored/stubdom/check-image.sh"], {}, count_exit
    if int(os.environ["COUNT"]) > 1:
        yield ("hypervisor updates, sanitized", pytest + ["-k", "live_update", "tests/simxen"],
               dict(SANITIZERS, SIMXEN_BINARY=str(ASAN / "simxen")), count_pytest)
    for directory, environment in (("tests/system", asan), ("tests/simxen", {}), ("tests/ninep", asan),
                                   ("tests/image", asan), ("tests/update", {}),
                                   ("tests/scale", {}), ("tests/peers", {}),
                                   ("tests/differential", {}), ("tests/bench", {})):
        if (ROOT / directory).is_dir():
            yield directory, pytest + [directory], environment, count_pytest


def run(step):
    """Runs one step; returns its counts and its lines about skipped tests."""
    name, command, environment, count = step
    start = time.monotonic()
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **environment}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, errors="replace",
                          stdin=subprocess.DEVNULL)
    counts = list(count(done.stdout))
    if done.returncode != 0 and counts[1] == 0 and not (done.returncode == 5 and sum(counts)):
        counts[1] = 1
    output = done.stdout if counts[1] else ""
    print(f"{output}{name}: {counts[0]} passed, {counts[1]} failed, {counts[2]} skipped "
          f"({time.monotonic() - start:.1f} s)", flush=True)
    return counts, [line for line in done.stdout.splitlines() if line.startswith("SKIPPED")]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="steps whose name contains this")
    parser.add_argument("--count", type=int, default=1, help="how much longer the loops are")
    options = parser.parse_args()
    os.environ["COUNT"] = str(options.count)
    totals = [0, 0, 0]
    skips = []
    chosen = [step for step in steps() if options.only in step[0]]
    # Programs that count for themselves may run side by side; what starts daemons and measures
    # deadlines comes behind them, alone.
    small = [step for step in chosen if step[3] is not count_pytest]
    large = [step for step in chosen if step[3] is count_pytest]
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        results = list(pool.map(run, small))
    for result in itertools.chain(results, map(run, large)):
        totals = [a + b for a, b in zip(totals, result[0])]
        skips += result[1]
    for line in skips:
        print(line)
    tail = f", {totals[2]} skipped" if totals[2] else ""
    print(f"{totals[0]} passed, {totals[1]} failed{tail}")
    return 1 if totals[1] or not totals[0] else 0


sys.exit(main())
