# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs the load generator and keeps its samples.

A wrong reply ends the load generator.  If it came from ours or the floor, so ends the
benchmark; another daemon is left out of that run with the reason, and the run starts again.
"""

import collections
import subprocess

from tests.bench import programs

RUN_DEADLINE = 300
QUICK_DEADLINE = 120


class Failed(Exception):
    """Our daemon (or the floor) gave a wrong answer, or none."""


class Samples:
    """All numbers: samples[key][program][variant][metric][block]."""

    def __init__(self):
        def nest(depth):
            return collections.defaultdict(lambda: nest(depth - 1)) if depth else {}

        self._values = nest(4)
        self.scales = {}
        self.missing = {}  # (key, program): reason

    def add(self, key, program, variant, metric, block, value):
        self._values[key][program][variant][metric][block] = value

    def get(self, key, program, variant, metric):
        """{block: value}, empty if there is none."""
        variants = self._values.get(key, {}).get(program, {})
        return dict(variants.get(variant, {}).get(metric, {}))

    def variants(self, key, program):
        return list(self._values.get(key, {}).get(program, {}))

    def flat(self, keys):
        """Everything: (key, program, variant, metric, {block: value})."""
        for key in sorted(keys):
            for program, variants in self._values[key].items():
                for variant, metrics in variants.items():
                    for metric, values in metrics.items():
                        if values:
                            yield key, program, variant, metric, values


def _execute(run, names, quick):
    """One start of the load generator with fresh servers; returns (lines, error or None)."""
    with programs.Instances() as instances:
        subjects = []
        for name in names:
            for variant in run.variants:
                scale = variant.scale_for(name, quick)
                try:
                    server = instances.start(name, run.hosted, variant.options)
                except RuntimeError as error:
                    return [], f"start: {name}: {error}"
                subjects.append(f"{name},{variant.name},{scale},{server.pid},{server.socket}")
        command = [str(programs.XSBENCH), "run", run.scenario]
        command += ["-b", str(run.blocks), "-n", str(run.operations), "-t", str(run.limit_ms)]
        load_cpu = programs.cpus()[0]
        if load_cpu is not None:
            command += ["-c", str(load_cpu)]
        deadline = QUICK_DEADLINE if quick else RUN_DEADLINE
        try:
            with programs.Awake(run.awake):
                done = subprocess.run(
                    command + subjects, capture_output=True, text=True, timeout=deadline
                )
        except subprocess.TimeoutExpired:
            raise Failed(f"{run.scenario}: not finished after {deadline} s")
        if done.returncode:
            return [], done.stderr.strip() or f"{run.scenario}: exit status {done.returncode}"
        return done.stdout.splitlines(), None


def _start_again_without(names, error):
    """The other daemon that the load generator's message blames, or None."""
    for name in names:
        if name in programs.PEERS and f": {name}: " in error:
            return name
    return None


def perform(run, names, samples, quick):
    """Do a run with those of the programs that take part in it."""
    names = [name for name in names if name in run.programs]
    if quick:
        run = run.reduced()
    repeat = 0
    while names and repeat < run.repeats:
        lines, error = _execute(run, names, quick)
        if error:
            blamed = _start_again_without(names, error)
            if blamed is None:
                raise Failed(error)
            names.remove(blamed)
            samples.missing[run.key, blamed] = error
            continue
        for line in lines:
            word, program, variant, block, metric, value = line.split("\t")
            assert word == "sample"
            number = repeat * run.blocks + int(block)
            samples.add(run.key, program, variant, metric, number, float(value))
        repeat += 1
    for name in names:
        for variant in run.variants:
            smaller = variant.smaller.get(name)
            if smaller and not quick:
                samples.scales[run.key, name] = smaller
