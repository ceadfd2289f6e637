# SPDX-License-Identifier: GPL-2.0-or-later
"""Live update: the longest gap that a reading client sees, the time that it takes, and memory.

Each program updates to itself, on a simulated host of its own, several times, the programs in turn;
the tables give medians and ranges.  Where a peer would need minutes to be filled, it is measured
with fewer nodes, and the row says so.  As root, everything that is measured runs with real-time
priority, so that other people's time slices are not counted; the same for all programs.

Memory is measured in updates of its own, since looking at it takes time: all processes that take
part, pages that they share counted once, and the image in its memory file.

    python3 -m tests.bench.update [--nodes N,N...] [--rounds N]
"""

import argparse
import contextlib
import itertools
import json
import os
import statistics
import subprocess
import threading
import time
from pathlib import Path

from tests.lib.xswire import Client, Timeout, Type
from tests.peers import peer
from tests.simxen.host import Host, Store

ROOT = Path(__file__).resolve().parents[2]
READER = ROOT / "build" / "tests" / "bench" / "reader"
PROGRAMS = ("ours", "debian-c", "debian-ocaml")
# Filling the C daemon's data base is quadratic; the other one takes a quarter of an hour for more.
MOST = {"debian-c": 20000, "debian-ocaml": 100000}
BATCH = 100
UPDATE_DEADLINE = 120


def fill(client, nodes):
    requests = ((Type.WRITE, b"/t/%d/%d/%d\0value-%d" % (i // 1000, i // 30 % 34, i, i))
                for i in range(nodes))
    while batch := list(itertools.islice(requests, BATCH)):
        client.pipeline_ok(batch)


class Reader:
    """Reads in a loop; at the end it tells the longest gap in ms."""

    def __init__(self, socket):
        self.process = subprocess.Popen([READER, str(socket), "/t/0/0/0"], text=True,
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.process.stdout.readline()

    def longest(self):
        words = self.process.communicate()[0].split()
        return float(words[1]) / 1000


def pages(pid):
    """(KiB of a process, shared pages in part; of these, of memory files)."""
    total = files = 0
    with contextlib.suppress(OSError), open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as rollup:
        for line in rollup:
            if line.startswith("Pss:"):
                total = int(line.split()[1])
            elif line.startswith("Pss_Shmem:"):
                files = int(line.split()[1])
    return total, files


def family(pid):
    """The process and its children: checker and guard."""
    with contextlib.suppress(OSError), \
            open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        return [pid, *map(int, children.read().split())]
    return [pid]


def image(pids):
    """KiB of memory files that these have open or mapped, each once."""
    found = {}
    for pid in pids:
        for kind in ("fd", "map_files"):
            with contextlib.suppress(OSError):
                for name in os.listdir(f"/proc/{pid}/{kind}"):
                    path = f"/proc/{pid}/{kind}/{name}"
                    with contextlib.suppress(OSError):
                        if os.readlink(path).startswith("/memfd:"):
                            state = os.stat(path)
                            found[state.st_ino] = state.st_blocks // 2
    return sum(found.values())


class Memory(threading.Thread):
    """Looks again and again; keeps the peak of everything, and the size of the image."""

    def __init__(self, pid):
        super().__init__()
        self.pid = pid
        self.done = threading.Event()
        self.peak = self.image = 0

    def run(self):
        while not self.done.is_set():
            pids = family(self.pid)
            memfds = image(pids)
            held = [pages(pid) for pid in pids]
            total = sum(whole - files for whole, files in held) + memfds
            self.image = max(self.image, memfds)
            self.peak = max(self.peak, total)
            time.sleep(0.001)


def update(store):
    """The update as an administrator asks for it; returns the seconds it took."""
    control = (str(ROOT / "build" / "xenstore-control") if store.name == "ours"
               else peer.extracted()["DEBIAN_XENSTORE_CONTROL"])
    start = time.monotonic()
    done = subprocess.run([control, "live-update", "-t", "60", os.path.abspath(store.program)],
                          env=peer.client_environment(store.socket), capture_output=True, text=True,
                          check=False, timeout=UPDATE_DEADLINE)
    took = time.monotonic() - start
    if done.returncode or not store.alive():
        raise RuntimeError((done.stderr or done.stdout or store.log()).strip())
    time.sleep(0.3)
    return took


@contextlib.contextmanager
def started(name, nodes):
    with Host() as host:
        store = Store(host, name)
        try:
            fill(Client(store.socket, timeout=30), nodes)
            yield store
        finally:
            store.close()


def measure(name, nodes, rounds):
    """Gaps and times in ms of so many updates, and (steady, peak, image) in KiB of another one."""
    gaps, times = [], []
    with started(name, nodes) as store:
        for _ in range(rounds):
            reader = Reader(store.socket)
            time.sleep(0.2)
            took = update(store)
            gaps.append(reader.longest())
            times.append(took * 1000)
        steady = sum(pages(pid)[0] for pid in family(store.process.pid))
        memory = Memory(store.process.pid)
        memory.start()
        try:
            update(store)
        finally:
            memory.done.set()
            memory.join()
    return gaps, times, (steady, memory.peak, memory.image)


def row(name, nodes, gaps, times, memory):
    steady, peak, file = memory
    return {"program": name, "nodes": nodes, "gap_ms": statistics.median(gaps), "gaps_ms": gaps,
            "total_ms": statistics.median(times), "totals_ms": times, "steady_kib": steady,
            "peak_kib": peak, "image_kib": file}


def show(result):
    gaps = result["gaps_ms"]
    print(f"{result['nodes']:>9,} nodes | {result['program']:12} | {result['gap_ms']:8.1f} ms "
          f"({min(gaps):.1f} to {max(gaps):.1f}) | {result['total_ms']:7.0f} ms | "
          f"{result['steady_kib'] / 1024:6.1f} MiB | {result['peak_kib'] / 1024:6.1f} MiB | "
          f"{result['image_kib'] / 1024:5.1f} MiB", flush=True)


def targets(rows):
    """(what, measured, wanted at most) for each target that could be measured."""
    gap = {(result["program"], result["nodes"]): result["gap_ms"] for result in rows}
    peers = [value for (name, nodes), value in gap.items() if name != "ours" and nodes == 1000]
    if ("ours", 1000) in gap and peers:
        yield "gap at 1,000 nodes: half of the best peer's", gap["ours", 1000], min(peers) / 2
    if ("ours", 100000) in gap and ("debian-ocaml", 100000) in gap:
        yield ("gap at 100,000 nodes: a 40th of oxenstored's", gap["ours", 100000],
               gap["debian-ocaml", 100000] / 40)
    if ("ours", 1000000) in gap and ("ours", 100000) in gap:
        yield ("gap at 1,000,000 nodes: ten times that at 100,000", gap["ours", 1000000],
               gap["ours", 100000] * 10)
    for result in rows:
        if result["program"] == "ours":
            yield (f"peak at {result['nodes']:,} nodes: 1.6 times the steady state, and the image",
                   result["peak_kib"] / 1024,
                   (1.6 * result["steady_kib"] + result["image_kib"]) / 1024)


def prefer():
    """Real-time priority for this process and what it starts. Returns whether it has it."""
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
    except OSError:
        return False
    return True


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="1000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--programs", default=",".join(PROGRAMS))
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-update.json")
    options = parser.parse_args()
    rows = []
    if not prefer():
        print("without real-time priority: other programs' time slices are counted")
    print("live update     | program      | longest gap (of the updates) |    total   | steady     "
          "| peak       | image")
    for nodes in map(int, options.nodes.split(",")):
        for name in options.programs.split(","):
            reason = None if name == "ours" else peer.unavailable(name)
            count = min(nodes, MOST.get(name, nodes))
            if reason or (count < nodes and nodes > 100000):
                print(f"{nodes:>9,} nodes | {name:12} | not measured: "
                      f"{reason or 'it would take minutes to fill'}")
                continue
            try:
                rows.append(row(name, count, *measure(name, count, options.rounds)))
            except (Timeout, RuntimeError, subprocess.TimeoutExpired, OSError) as failure:
                if name == "ours":
                    raise
                print(f"{count:>9,} nodes | {name:12} | not measured: {failure}", flush=True)
                continue
            show(rows[-1])
    results = list(targets(rows))
    for what, measured, wanted in results:
        print(f"{what}: {measured:.1f}, at most {wanted:.1f}: "
              f"{'met' if measured <= wanted else 'NOT MET'}")
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps({"rows": rows, "targets": results}, indent=1),
                            encoding="utf-8")


if __name__ == "__main__":
    main()
