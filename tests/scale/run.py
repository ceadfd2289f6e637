# SPDX-License-Identifier: GPL-2.0-or-later
"""One run with as many domains as there can be: memory and time of each phase.

The load generator of the benchmark plays all guests (scenario "scale"); it ends with an error
at the first reply or event that is not what it must be.  Nothing is compared with a target
here: the table is to be read.
"""

import dataclasses
import subprocess

from tests.bench import programs

# All domids below the reserved ones, without domain 0.
MOST = 0x7FF0 - 1
NODES, WATCHES = 50, 10
DEADLINE = 3600

PHASES = {
    "create": "domains come into being",
    "homes": "domain 0 makes a home for each",
    "introduce": "domain 0 introduces them",
    "nodes": f"each guest makes its other {NODES - 1} nodes, through its ring",
    "reads": "each guest reads them",
    "watches": f"each guest sets {WATCHES} watches and gets their first events",
    "events": "domain 0 writes one watched node of each guest, which is told",
    "death": "one domain dies, domain 0 is told, its nodes are gone",
    "reuse": "its domid is used again, nothing is inherited",
    "deaths": "all die",
}
# What the memory of a domain is made of.  The page of its ring is the guest's, not counted.
SHARES = (("home", "homes"), ("introduction", "introduce"), (f"{NODES - 1} nodes", "nodes"),
          (f"{WATCHES} watches", "watches"))


class Failed(Exception):
    """A wrong reply, or none."""


@dataclasses.dataclass(frozen=True)
class Phase:
    seconds: float
    cpu: float
    grown: int  # its own memory, without the pages of guests
    memory: int  # resident in the end, with them


@dataclasses.dataclass(frozen=True)
class Result:
    domains: int
    phases: dict
    longest_turn: float  # in microseconds

    def bytes_per_domain(self, *phases):
        return sum(self.phases[name].grown for name in phases) / self.domains

    def table(self):
        """The phases as text."""
        lines = [f"{self.domains:,} domains, each with {NODES} nodes and {WATCHES} watches",
                 f"{'phase':10} {'time':>9} {'daemon CPU':>11} {'for each':>10} {'memory':>10}"]
        for name, phase in self.phases.items():
            number = 1 if name in ("death", "reuse") else self.domains
            lines.append(f"{name:10} {phase.seconds:7.2f} s {phase.cpu:9.2f} s "
                         f"{phase.cpu / number * 1e6:7.1f} us {phase.memory / 1e6:7.1f} MB"
                         f"   {PHASES[name]}")
        shares = ", ".join(f"{what} {self.bytes_per_domain(phase):,.0f} B"
                           for what, phase in SHARES)
        whole = self.bytes_per_domain(*(phase for _, phase in SHARES))
        lines.append(f"memory for a domain: {whole:,.0f} B ({shares})")
        if self.longest_turn >= 0:
            lines.append(f"longest turn of the daemon: {self.longest_turn / 1000:.2f} ms CPU")
        return "\n".join(lines)


def parse(domains, text):
    """The Result from the load generator's lines."""
    values = {}
    for line in text.splitlines():
        word, _, phase, _, metric, value = line.split("\t")
        assert word == "sample"
        values[phase, metric] = float(value)
    turn = values.pop(("whole", "turn_us"), -1.0)
    phases = {name: Phase(values[name, "s"], values[name, "cpu_s"],
                          int(values[name, "grown"]), int(values[name, "bytes"]))
              for name in PHASES}
    return Result(domains, phases, turn)


def run(domains, name=programs.OURS, scenario="scale"):
    """Fill a host with so many domains and empty it again."""
    programs.raise_descriptor_limit()
    with programs.Instances() as instances:
        server = instances.start(name, hosted=True)
        command = [str(programs.XSBENCH), "run", scenario, "-b", "0"]
        load_cpu = programs.cpus()[0]
        if load_cpu is not None:
            command += ["-c", str(load_cpu)]
        command.append(f"{name},all,{domains},{server.pid},{server.socket}")
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE,
                                  check=False)
        except subprocess.TimeoutExpired as expired:
            raise Failed(f"not finished after {DEADLINE} s; so far:\n{expired.stdout}")
        if done.returncode or not server.alive():
            raise Failed(f"{done.stdout}{done.stderr}exit status {done.returncode}; "
                         f"the daemon says:\n{server.log()[-4000:]}")
        return parse(domains, done.stdout)
