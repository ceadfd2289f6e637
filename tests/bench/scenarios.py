# SPDX-License-Identifier: GPL-2.0-or-later
"""What is measured, and what is aimed at.

A Run is one start of the load generator: a scenario, the programs that take part, and one
instance of each program for every Variant.  A Check is a row of the table: which numbers of
which run are compared, and the target.

Where another daemon would need minutes to be loaded to our scale, it is measured at a smaller
one, and its cell says so.
"""

import dataclasses

from tests.bench.programs import ALL, OURS, PEERS

STORES = (OURS,) + PEERS


@dataclasses.dataclass(frozen=True)
class Variant:
    """One instance of each program, with the scale that the scenario gives a meaning to."""

    name: str
    scale: int = 0
    quick: int = 0
    smaller: dict = dataclasses.field(default_factory=dict)
    options: tuple = ()  # of our daemon

    def scale_for(self, program, quick):
        scale = self.smaller.get(program, self.scale)
        return min(scale, self.quick) if quick else scale


@dataclasses.dataclass(frozen=True)
class Run:
    """One start of the load generator, or `repeats` of them with fresh servers."""

    key: str
    scenario: str
    variants: tuple
    programs: tuple = ALL
    blocks: int = 40
    operations: int = 300
    limit_ms: int = 60
    repeats: int = 1
    hosted: bool = False  # each server on a simulated host of its own, with guests
    awake: bool = True  # keep the CPUs from sleeping: for wall-clock time, not for CPU time

    def reduced(self):
        """The same, as short as it can be without leaving anything out."""
        return dataclasses.replace(
            self,
            blocks=min(self.blocks, 2),
            operations=min(self.operations, 64),
            limit_ms=min(self.limit_ms, 20),
            repeats=1,
        )


@dataclasses.dataclass(frozen=True)
class Check:
    """A row: `kind` says what is compared with what.

    floor     ours over the floor, block by block
    peer      ours over the best peer, block by block
    variants  one variant of ours over another, block by block
    value     ours as it is
    best      the smallest of ours over all blocks
    zero      the sum of ours over all blocks
    """

    title: str
    run: str
    metric: str
    unit: str
    kind: str
    target: str
    limit: float
    at_least: bool = False
    variants: tuple = ()
    prefer: str = ""  # a metric that replaces `metric` where the daemon provides it


ONE = (Variant("one"),)
C, OCAML = PEERS
GUESTS_MAX = 0x7FF0 - 1  # all domids but domain 0's

# Many short blocks rather than few long ones where a rate is measured: a time slice that goes to
# somebody else's job then spoils some blocks, which the median ignores, and not a part of each.
RUNS = (
    Run("read", "read", ONE, blocks=60),
    Run("write", "write", ONE, blocks=60),
    Run("clients", "clients", (Variant("one", 64, 64),), blocks=150, operations=1024),
    Run("flight", "flight", (Variant("one", 64, 64),), operations=6400, awake=False),
    Run("idle", "read", (Variant("none"), Variant("idle", 4000, 40)), blocks=30),
    Run(
        "watch",
        "watch",
        (Variant("none"), Variant("watches", 50000, 500)),
        programs=STORES,
        blocks=30,
    ),
    Run(
        "fanout",
        "fanout",
        (Variant("one", 1000, 100),),
        blocks=60,
        operations=3,
    ),
    Run("beside-flight", "beside-flight", ONE, blocks=30),
    Run(
        "beside-removal",
        "beside-removal",
        (Variant("one", 100, 10, {C: 10, OCAML: 10}),),
        programs=STORES,
        blocks=16,
        limit_ms=200,
    ),
    Run(
        "child",
        "child",
        (Variant("small", 100, 10), Variant("large", 100000, 1000, {C: 10000})),
        programs=STORES,
        blocks=30,
    ),
    Run(
        "store",
        "store",
        (
            Variant("small", 1000, 100),
            Variant("large", 1000000, 10000, {C: 20000, OCAML: 20000}),
        ),
        programs=STORES,
        blocks=40,
        limit_ms=80,
    ),
    Run(
        "removal",
        "removal",
        (Variant("one", 100000, 2000),),
        programs=(OURS,),
        blocks=10,
        awake=False,
        limit_ms=200,
    ),
    Run(
        "removal",
        "removal",
        (Variant("one", 100000, 2000),),
        programs=PEERS,
        blocks=1,
        limit_ms=200,
        awake=False,
    ),
    Run("disjoint", "disjoint", (Variant("one", 8, 8),), blocks=120, operations=64),
    Run(
        "directories",
        "directories",
        (Variant("one", 8, 8),),
        programs=STORES,
        blocks=20,
        operations=200,
    ),
    Run(
        "vm",
        "vm",
        (Variant("first", 0), Variant("last", 999, 20, {C: 99, OCAML: 99})),
        programs=STORES,
        blocks=30,
        awake=False,
    ),
    Run(
        "memory",
        "memory",
        (Variant("one", 100000, 1000),),
        programs=(OURS,),
        blocks=1,
        repeats=6,
        awake=False,
    ),
    Run(
        "memory",
        "memory",
        (Variant("one", 100000, 1000),),
        programs=PEERS,
        blocks=1,
        awake=False,
    ),
    Run(
        "ring-write",
        "ring-write",
        (Variant("few", 10, 10), Variant("many", GUESTS_MAX, 100)),
        programs=(OURS,),
        hosted=True,
        blocks=60,
    ),
    Run(
        "ring-read",
        "ring-read",
        (Variant("one", 1000, 50),),
        programs=STORES,
        hosted=True,
        operations=4096,
        limit_ms=200,
        awake=False,
    ),
    Run(
        "ring-flood",
        "ring-flood",
        (Variant("one", 1000, 50),),
        programs=(OURS,),
        hosted=True,
        blocks=60,
    ),
    Run(
        "ring-death",
        "ring-death",
        (
            Variant("few", 10, 10),
            Variant("many", GUESTS_MAX, 100),
            Variant("listing", GUESTS_MAX, 100, options=("--domstate", "xenctrl")),
        ),
        programs=(OURS,),
        hosted=True,
        operations=5,
        limit_ms=500,
        awake=False,
    ),
)

CHECKS = (
    Check("one client, READ", "read", "us", "us", "floor", "<= 1.25 floor", 1.25),
    Check("one client, WRITE", "write", "us", "us", "floor", "<= 1.25 floor", 1.25),
    Check(
        "64 clients, READ",
        "clients",
        "per_s",
        "/s",
        "floor",
        ">= 0.75 floor",
        0.75,
        at_least=True,
    ),
    Check("64 READs in flight, CPU", "flight", "cpu_us", "us", "floor", "<= 4 floor", 4),
    Check(
        "64 READs in flight, CPU", "flight", "cpu_us", "us", "peer", "<= 1/15 best peer", 1 / 15
    ),
    Check(
        "READ, 4,000 idle connections : none",
        "idle",
        "us",
        "us",
        "variants",
        "<= 1.2",
        1.2,
        variants=("idle", "none"),
    ),
    Check(
        "WRITE, 50,000 watches : none",
        "watch",
        "us",
        "us",
        "variants",
        "<= 1.2",
        1.2,
        variants=("watches", "none"),
    ),
    Check("last of 1,000 events", "fanout", "us", "us", "peer", "<= 1/3 best peer", 1 / 3),
    Check(
        "READ beside 64 in flight : alone",
        "beside-flight",
        "us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("beside", "alone"),
    ),
    Check(
        "READ beside RM of trees : alone",
        "beside-removal",
        "us",
        "us",
        "variants",
        "<= 3",
        3,
        variants=("beside", "alone"),
    ),
    Check(
        "new child, 100,000 children : 100",
        "child",
        "us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("large", "small"),
    ),
    Check(
        "READ, 1,000,000 nodes : 1,000",
        "store",
        "read_us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("large", "small"),
    ),
    Check(
        "WRITE, 1,000,000 nodes : 1,000",
        "store",
        "write_us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("large", "small"),
    ),
    Check(
        "RM of 100,000 nodes, longest turn",
        "removal",
        "stall_cpu_ms",
        "ms",
        "best",
        "<= 1 ms CPU",
        1,
        prefer="turn_ms",
    ),
    Check(
        "8 clients, disjoint transactions",
        "disjoint",
        "per_s",
        "/s",
        "floor",
        ">= 0.7 floor",
        0.7,
        at_least=True,
    ),
    Check("the same, EAGAIN", "disjoint", "eagain", "", "zero", "0", 0),
    Check("8 clients, one parent, EAGAIN", "directories", "eagain", "", "zero", "0", 0),
    Check(
        "1,000th VM : 1st, CPU",
        "vm",
        "cpu_ms",
        "ms",
        "variants",
        "<= 1.3",
        1.3,
        variants=("last", "first"),
    ),
    Check("memory for a node", "memory", "bytes", "B", "value", "<= 200 B", 200),
    Check(
        "a guest's WRITE, 32,751 guests : 10",
        "ring-write",
        "us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("many", "few"),
    ),
    Check(
        "the same, CPU",
        "ring-write",
        "cpu_us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("many", "few"),
    ),
    Check(
        "1,000 guests, READ, CPU", "ring-read", "cpu_us", "us", "peer", "<= 0.6 best peer", 0.6
    ),
    Check(
        "READ of 990 guests beside 10 that flood : alone",
        "ring-flood",
        "us",
        "us",
        "variants",
        "<= 3",
        3,
        variants=("beside", "alone"),
    ),
    Check(
        "a death, 32,751 guests : 10, CPU",
        "ring-death",
        "cpu_us",
        "us",
        "variants",
        "<= 1.5",
        1.5,
        variants=("many", "few"),
    ),
    Check(
        "a death, hypercall : xenctrl, 32,751 guests, CPU",
        "ring-death",
        "cpu_us",
        "us",
        "variants",
        "<= 1/10",
        1 / 10,
        variants=("many", "listing"),
    ),
)
