#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Differential test: random requests to our xenstored and to Debian's, replies compared.

    python3 tests/differential/run.py --requests 20000 --seed 1 [--ours PATH] [--guests]

A run is fixed by its seed. When the daemons differ without a rule that explains it
(rules.py), the steps that led there are made as few as possible and printed.
"""

import argparse
import itertools
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent / "peers"), str(HERE.parent.parent)]

import peer  # noqa: E402
import common_requests as common  # noqa: E402
from generate import Generator  # noqa: E402
from guest_requests import (  # noqa: E402
    DOMIDS, GUESTS, NODES, PERMISSIONS, SIZE, TRANSACTIONS, WATCHES, GuestGenerator, refill)
from guest_rules import known_with_guests  # noqa: E402
from guests import GuestSide, HostedDaemon  # noqa: E402
from rules import Rules, known  # noqa: E402
from session import DaemonLost, Difference, Session  # noqa: E402
from side import Side  # noqa: E402
from tests.lib.daemon import SANITIZER_REPORTS  # noqa: E402

# Whole stores are compared after this many steps, and at the end.
STORE_INTERVAL = 2000
# After so many differences a run ends: more of the same would tell nothing.
ENOUGH = 5
SHOWN_STEPS = 25
MINIMIZING_SECONDS = 60


class Setting:
    """The two kinds of daemon to be compared, and how to start a session with them."""

    def __init__(self, ours="ours", theirs="debian-c", program=None, rules=known, our_side=Side):
        self.ours = ours
        self.theirs = theirs
        self.program = program
        self.rules = rules
        self.our_side = our_side

    def start(self, name, directory, program=None):
        """Starts one of the daemons in this directory."""
        return peer.start(name, directory, program=program)

    def session(self, theirs, ours, rules):
        return Session(theirs, ours, rules, our_side=self.our_side)

    @staticmethod
    def generator(seed):
        return Generator(seed)

    def unavailable(self):
        """Why the comparison cannot be made here, None when it can."""
        for name, program in ((self.theirs, None), (self.ours, self.program)):
            reason = None if program else peer.unavailable(name)
            if reason:
                return f"{name}: {reason}"
        return None


class GuestSetting(Setting):
    """The same with half of the clients in guests, each daemon on a simulated host."""

    # For each daemon the options that allow the same number of everything. 4.17 allows one
    # more watch and transaction than it is told, one byte of a node less, and its nodes have a
    # header of 24 bytes instead of 16.
    OPTIONS = {
        "ours": ["-E", NODES, "-W", WATCHES, "-t", TRANSACTIONS, "-A", PERMISSIONS, "-S", SIZE],
        "debian-c": ["-E", NODES, "-W", WATCHES - 1, "-t", TRANSACTIONS - 1, "-A", PERMISSIONS,
                     "-S", SIZE + 9],
        "debian-ocaml": [],
    }

    def __init__(self, rules=known_with_guests, our_side=GuestSide, **more):
        super().__init__(rules=rules, our_side=our_side, **more)

    def start(self, name, directory, program=None):
        return HostedDaemon(name, GUESTS, program, map(str, self.OPTIONS[name]))

    def session(self, theirs, ours, rules):
        return Session(theirs, ours, rules, DOMIDS, our_side=self.our_side, side=GuestSide,
                       refill=refill)

    @staticmethod
    def generator(seed):
        return GuestGenerator(seed)


class CommonSetting(GuestSetting):
    """For oxenstored: only what all xenstoreds have in common."""

    OPTIONS = {"ours": [], "debian-c": [], "debian-ocaml": []}

    def __init__(self, theirs="debian-ocaml", rules=common.known_of_oxenstored,
                 our_side=common.CommonSide, **more):
        super().__init__(theirs=theirs, rules=rules, our_side=our_side, **more)

    def session(self, theirs, ours, rules):
        return Session(theirs, ours, rules, DOMIDS, our_side=self.our_side,
                       side=common.CommonSide, refill=common.refill)

    @staticmethod
    def generator(seed):
        return common.CommonGenerator(seed)


class Run:
    """Fresh daemons and a session with them, in a directory that vanishes with it."""

    def __init__(self, setting):
        self._directory = tempfile.TemporaryDirectory(prefix="xs-differential-")
        self._daemons = []
        self._setting = setting
        try:
            self.theirs = self._start(setting.theirs, "theirs")
            self.ours = self._start(setting.ours, "ours", setting.program)
            self.rules = Rules(setting.rules())
            self.session = setting.session(self.theirs, self.ours, self.rules)
        except BaseException:
            self._clean_up()
            raise

    def _start(self, name, directory, program=None):
        daemon = self._setting.start(name, Path(self._directory.name) / directory, program)
        self._daemons.append(daemon)
        return daemon

    def _clean_up(self):
        for daemon in self._daemons:
            daemon.stop()
        self._directory.cleanup()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.session.close()
        self._clean_up()

    def sanitizer_report(self):
        """What a sanitizer in our daemon has printed, None when nothing."""
        log = self.ours.log()
        return log if any(mark in log for mark in SANITIZER_REPORTS) else None


def fails(setting, steps):
    """The difference to which these steps lead, if it is the last one that leads to it."""
    number = 0
    with Run(setting) as run:
        try:
            for number, step in enumerate(steps, 1):
                run.session.take(step)
            run.session.compare_stores()
        except (Difference, DaemonLost) as problem:
            return str(problem) if number == len(steps) else None
    return None


def minimize(setting, steps):
    """The fewest steps found that still lead to a difference, and that difference.

    The last step stays: without it, what is found may be another difference. Returns
    (None, None) when the difference does not show again.
    """
    deadline = time.monotonic() + MINIMIZING_SECONDS
    problem = None
    for size in (20, 100, 500, len(steps)):
        problem = fails(setting, steps[-size:])
        if problem or size >= len(steps):
            steps = steps[-size:]
            break
    if not problem:
        return None, None
    chunk = len(steps) // 2
    while chunk and time.monotonic() < deadline:
        start = 0
        while start < len(steps) - 1 and time.monotonic() < deadline:
            fewer = steps[:start] + steps[min(start + chunk, len(steps) - 1):]
            found = fails(setting, fewer)
            if found:
                steps, problem = fewer, found
            else:
                start += chunk
        chunk //= 2
    return steps, problem


class Outcome:
    """What a run has found."""

    def __init__(self):
        self.compared = 0
        self.replayed = 0
        self.differences = []
        self.rules = None

    @property
    def failed(self):
        limit = self.rules is not None and not self.rules.within_limit(self.compared)
        return len(self.differences) + int(limit)

    def explained(self):
        """Which rules were needed, how often, and how many transactions were replayed."""
        if self.rules is None:
            return ""
        return (f"{self.rules.report(self.compared)}\n"
                f"{self.replayed:6}  refused transactions were replayed")

    def report(self):
        lines = [self.explained()]
        if self.rules is not None and not self.rules.within_limit(self.compared):
            lines.append("too many replies were explained by rules")
        lines += self.differences
        lines.append(f"{self.compared - len(self.differences)} passed, {self.failed} failed")
        return "\n".join(lines)


def compare(setting, requests, seed, shrink=True, enough=ENOUGH):
    """Compares until so many requests were made or enough differences were found."""
    outcome = Outcome()
    generator = setting.generator(seed)
    steps = []
    with Run(setting) as run:
        outcome.rules = run.rules
        for number in itertools.count(1):
            step = None
            if run.session.compared < requests:
                step = next(generator)
                steps.append(step)
            try:
                if step is None or number % STORE_INTERVAL == 0:
                    run.session.compare_stores()
                if step is None:
                    break
                run.session.take(step)
            except (Difference, DaemonLost) as problem:
                outcome.differences.append(describe(setting, seed, steps, problem, shrink))
                if isinstance(problem, DaemonLost) or len(outcome.differences) >= enough:
                    break
                try:
                    run.session.reset()
                except (Difference, DaemonLost) as beyond_repair:
                    outcome.differences.append(f"\nDIFFERENCE after a reset: {beyond_repair}")
                    break
                steps = []
        outcome.compared = run.session.compared
        outcome.replayed = run.session.replayed
        report = run.sanitizer_report()
        if report:
            outcome.differences.append(f"a sanitizer says:\n{report}")
    return outcome


def describe(setting, seed, steps, problem, shrink):
    """The text of one difference, with the steps that lead to it."""
    text = f"\nDIFFERENCE, seed {seed}: {problem}\n"
    fewest, same = minimize(setting, steps) if shrink else (None, None)
    if fewest:
        text += f"with these {len(fewest)} steps alone: {same}\n"
        shown = fewest
    else:
        text += f"the last of {len(steps)} steps:\n"
        shown = steps
    return text + "\n".join(f"  {step}" for step in shown[-SHOWN_STEPS:])


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--requests", type=int, default=20000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--ours", metavar="PATH", help="our xenstored (default: build/xenstored)")
    parser.add_argument("--against", default="debian-c", metavar="NAME",
                        help="a name that peer.py knows (default: debian-c)")
    parser.add_argument("--self", action="store_true",
                        help="compare the other daemon with itself: nothing may differ")
    parser.add_argument("--guests", action="store_true",
                        help="half of the clients are guests of simulated hosts")
    arguments = parser.parse_args()

    kind = GuestSetting if arguments.guests else Setting
    if arguments.guests and arguments.against == "debian-ocaml":
        kind = CommonSetting
    setting = kind(theirs=arguments.against, program=arguments.ours)
    if arguments.self:
        setting = kind(ours=arguments.against, theirs=arguments.against)
    reason = setting.unavailable()
    if reason:
        print(f"skipped: {reason}\n0 passed, 0 failed")
        return 0
    print(f"{setting.ours} and {setting.theirs} {peer.version(setting.theirs)}, "
          f"seed {arguments.seed}", flush=True)
    started = time.monotonic()
    outcome = compare(setting, arguments.requests, arguments.seed)
    print(f"{outcome.compared} requests in {time.monotonic() - started:.1f} s")
    print(outcome.report())
    return 1 if outcome.failed else 0


if __name__ == "__main__":
    sys.exit(main())
