# SPDX-License-Identifier: GPL-2.0-or-later
"""The pause of an update of the hypervisor, in the model.

How it depends on the number of domains, on the size of memory, and on its fragmentation; boot
memory against a list of ranges in use; one CPU against two.  Times are those of CPUs (hvbench says
how), in rounds in which every configuration is measured once.

    python3 -m tests.bench.hypervisor [--quick] [--rounds N] [--json FILE] [--plots DIRECTORY]

--plots draws what the JSON file holds, measured before, instead of measuring, and puts the table
into hypervisor-live-update.md in the same directory.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.bench import interval

ROOT = Path(__file__).resolve().parents[2]
HVBENCH = ROOT / "build" / "tests" / "bench" / "hvbench"
GIB = 1024  # in MiB

# Domains beside domain 0: with it, the last number is all the domids there are.
DOMAINS = (1, 10, 100, 1000, 10000, 32751)
MEMORY = (1, 8, 64, 1024, 4096, 16384)
FRAGMENTS = (1, 8, 64, 512, 4096, 16384)
FASTER = 1.7  # two CPUs than one, at least


@dataclasses.dataclass(frozen=True)
class Machine:
    domains: int
    gib: int
    fragments: int  # of each domain
    cpus: int = 1
    method: str = "region"

    def argument(self):
        return f"{self.domains},{self.gib * GIB},{self.fragments},{self.cpus},{self.method}"


def axes(quick):
    """The machines of each series: {name: [(what the axis says, Machine)]}."""
    few = slice(0, 3) if quick else slice(None)
    series = {
        "domains": [(n, Machine(n, 256, 4)) for n in DOMAINS[few]],
        "memory": [(n, Machine(64, n, 64)) for n in MEMORY[few]],
        "fragments": [(n * 64, Machine(64, 256, n)) for n in FRAGMENTS[few]],
        "list": [(n * 64, Machine(64, 256, n, 1, "list")) for n in FRAGMENTS[few]],
    }
    crowd = Machine(100 if quick else DOMAINS[-1], 512, 16)
    series["cpus"] = [(n, dataclasses.replace(crowd, cpus=n)) for n in (1, 2)]
    return series


# Measured side by side, since they are compared; and how many times as often as others.
GROUPS = ((("domains",), 1), (("memory",), 1), (("fragments", "list"), 1), (("cpus",), 3))


def measure(machines, rounds):
    """The records of hvbench: {Machine: [record of each round]}."""
    done = subprocess.run([str(HVBENCH), str(rounds), *(m.argument() for m in machines)],
                          stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"hvbench ended with status {done.returncode}")
    records = {machine: [] for machine in machines}
    for line in done.stdout.splitlines():
        record = json.loads(line)
        # The first round finds nothing in any cache, and memory as it was when the machine was
        # built.
        if record["round"]:
            records[machines[record["configuration"]]].append(record)
    return records


def milliseconds(records, part="pause"):
    return interval.estimate([record[part] / 1e6 for record in records])


def rows_of(series, records):
    rows = []
    for name, machines in series.items():
        for at, machine in machines:
            samples = records[machine]
            restore = interval.estimate([(r["begin"] + r["passes"] + r["finish"]) / 1e6
                                         for r in samples])
            rows.append({
                "series": name, "at": at, **dataclasses.asdict(machine),
                "pieces": samples[0]["fragments"], "stream_pages": samples[0]["stream_pages"],
                "boots": samples[0]["boots"],
                "pause": dataclasses.astuple(milliseconds(samples)),
                "save": milliseconds(samples, "save").median,
                "reserve": milliseconds(samples, "reserve").median,
                "restore": restore.median,
                "passes": [r["passes"] for r in samples],
                "each_pause": [r["pause"] for r in samples],
            })
    return rows


def ratio(rows, top, bottom, key):
    """The Estimate of the ratio of two rows, round by round."""
    return interval.paired_ratio(dict(enumerate(top[key])), dict(enumerate(bottom[key])))


def select(rows, series):
    return [row for row in rows if row["series"] == series]


LABELS = {"domains": "guests", "memory": "GiB", "fragments": "fragments, boot memory",
          "list": "fragments, range list", "cpus": "CPUs"}


def table(rows):
    """The table, as lines of Markdown."""
    yield ("| | machine | fragments | stream | pause (95% interval) | save | reserve | restore |")
    yield "|---|---|---|---|---|---|---|---|"
    for row in rows:
        median, low, high, _ = row["pause"]
        note = "" if row["boots"] else " (no boot: more than 512 ranges)"
        yield (f"| {LABELS[row['series']]}: {row['at']:,} "
               f"| {row['domains']:,} guests, {row['gib']:,} GiB | {row['pieces']:,} "
               f"| {row['stream_pages'] * 4:,} KiB "
               f"| {median:.3g} ms ({low:.3g} to {high:.3g}){note} | {row['save']:.3g} "
               f"| {row['reserve']:.3g} | {row['restore']:.3g} |")


def verdicts(rows):
    """What the numbers say about the targets, as sentences."""
    domains, memory = select(rows, "domains"), select(rows, "memory")
    lists, regions = select(rows, "list"), select(rows, "fragments")
    one, two = select(rows, "cpus")
    growth = ratio(rows, memory[-1], memory[0], "each_pause")
    yield (f"memory from {memory[0]['gib']} GiB to {memory[-1]['gib']:,} GiB, with as many "
           f"domains and fragments: pause x {growth.median:.2f} "
           f"({growth.low:.2f} to {growth.high:.2f}), bytes "
           f"x {memory[-1]['gib'] // memory[0]['gib']:,}")
    each = 1000 * domains[-1]["pause"][0] / domains[-1]["at"]
    yield f"each guest adds about {each:.1f} us ({domains[-1]['at']:,} guests)"
    slower = ratio(rows, lists[-1], regions[-1], "each_pause")
    boots = [row["pieces"] for row in lists if row["boots"]]
    yield (f"a range list, were its table long enough: pause x {slower.median:.2f} "
           f"({slower.low:.2f} to {slower.high:.2f}) with {lists[-1]['pieces']:,} fragments; "
           f"it boots with {max(boots, default=0):,} fragments of these machines at most")
    faster = ratio(rows, one, two, "passes")
    met = "met" if faster.low >= FASTER else "not met"
    yield (f"restore of {one['domains']:,} guests with 2 CPUs: {faster.median:.2f} times as fast "
           f"({faster.low:.2f} to {faster.high:.2f}); target {FASTER}: {met}")


TABLE_BEGINS, TABLE_ENDS = "<!-- table -->", "<!-- end of table -->"

PLOT = """set terminal svg size 640,400 font "sans,12" background "white"
set output "{output}"
set logscale xy
set grid
set key left top
set title "{title}"
set xlabel "{xlabel}"
set ylabel "pause, milliseconds of CPU time"
plot {curves}
"""

# File, title, label of the axis, series.
PLOTS = (
    ("hypervisor-update-domains", "Pause and number of guests (256 GiB, 4 fragments each)",
     "guests", ("domains",)),
    ("hypervisor-update-memory", "Pause and memory (64 guests, 4,096 fragments in all)",
     "GiB", ("memory",)),
    ("hypervisor-update-fragments", "Pause and fragments (64 guests, 256 GiB)",
     "fragments of memory", ("fragments", "list")),
)
CURVES = {"domains": "boot memory", "memory": "boot memory", "fragments": "boot memory",
          "list": "list of ranges (more than 512 do not boot)"}


def plot(rows, directory):
    for name, title, xlabel, series in PLOTS:
        with tempfile.TemporaryDirectory(prefix="hvplot") as scratch:
            curves = []
            for one in series:
                data = Path(scratch) / one
                data.write_text("".join(
                    f"{row['at']} {row['pause'][0]} {row['pause'][1]} {row['pause'][2]}\n"
                    for row in select(rows, one)), encoding="ascii")
                curves.append(f'"{data}" using 1:2:3:4 with yerrorlines title "{CURVES[one]}"')
            script = PLOT.format(output=directory / f"{name}.svg", title=title, xlabel=xlabel,
                                 curves=", ".join(curves))
            subprocess.run(["gnuplot"], input=script, text=True, check=True)
        print(directory / f"{name}.svg")


def fill_in(document, lines):
    """Put the lines between the marks in a document."""
    before, _, rest = document.read_text(encoding="utf-8").partition(TABLE_BEGINS)
    _, end, after = rest.partition(TABLE_ENDS)
    if not end:
        raise SystemExit(f"{document}: no place for the table")
    document.write_text("\n".join([before + TABLE_BEGINS, *lines, end + after]), encoding="utf-8")


def report(rows):
    yield from table(rows)
    yield ""
    for sentence in verdicts(rows):
        yield f"- {sentence}"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="small machines, few rounds")
    parser.add_argument("--rounds", type=int, default=12, help="how often each is measured")
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-hypervisor.json")
    parser.add_argument("--plots", type=Path, help="draw what was measured")
    options = parser.parse_args()
    if options.plots:
        rows = json.loads(options.json.read_text(encoding="utf-8"))
        plot(rows, options.plots)
        fill_in(options.plots / "hypervisor-live-update.md", report(rows))
    else:
        series = axes(options.quick)
        records = {}
        for group, times in GROUPS:
            machines = list(dict.fromkeys(m for name in group for _, m in series[name]))
            records.update(measure(machines, (2 if options.quick else options.rounds * times) + 1))
        rows = rows_of(series, records)
        options.json.parent.mkdir(exist_ok=True)
        options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")
    print("\n".join(report(rows)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
