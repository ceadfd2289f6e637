# SPDX-License-Identifier: GPL-2.0-or-later
"""Live update: the longest gap that a reading client sees, and the time that the tool takes.

Each program updates to itself, on fresh instances, in turn, several times; the table gives medians.
Where a peer would need minutes to be filled, it is measured with fewer nodes, and the row says so.

    python3 -m tests.bench.update [--nodes N,N...] [--rounds N]
"""

import argparse
import itertools
import json
import os
import statistics
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from tests.lib.xswire import Client, Timeout, Type
from tests.peers import peer

ROOT = Path(__file__).resolve().parents[2]
PROGRAMS = ("ours", "debian-c", "debian-ocaml")
# Filling the C daemon's data base is quadratic.
MOST = {"debian-c": 20000, "debian-ocaml": 100000}
BATCH = 100


def fill(client, nodes):
    requests = ((Type.WRITE, b"/t/%d/%d/%d\0value-%d" % (i // 1000, i // 30 % 34, i, i))
                for i in range(nodes))
    while batch := list(itertools.islice(requests, BATCH)):
        client.pipeline_ok(batch)


class Reader(threading.Thread):
    """Reads in a loop and keeps the longest time between two replies."""

    def __init__(self, path):
        super().__init__()
        self.client = Client(path, timeout=30)
        self.longest = 0.0
        self.done = threading.Event()

    def run(self):
        last = time.monotonic()
        while not self.done.is_set():
            try:
                self.client.read("/t/0/0/0")
            except Exception:  # the main thread reports what became of the update
                return
            now = time.monotonic()
            self.longest = max(self.longest, now - last)
            last = now


def memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        for line in status:
            if line.startswith("VmHWM:"):
                return int(line.split()[1])
    return 0


def measure(name, nodes):
    """One update: (longest gap in ms, time of the tool in ms, peak memory in KiB)."""
    with tempfile.TemporaryDirectory(prefix="lu") as directory, \
            peer.start(name, directory) as daemon:
        fill(Client(daemon.socket, timeout=30), nodes)
        reader = Reader(daemon.socket)
        reader.start()
        time.sleep(0.3)
        control = (str(ROOT / "build" / "xenstore-control") if name == "ours"
                   else peer.extracted()["DEBIAN_XENSTORE_CONTROL"])
        environment = {**os.environ, "XENSTORED_PATH": str(daemon.socket),
                       "LD_LIBRARY_PATH": "" if name == "ours" else peer.extracted()["PEER_LIBS"]}
        start = time.monotonic()
        done = subprocess.run([control, "live-update", "-t", "60", os.path.abspath(peer.binary(name))],
                              env=environment, capture_output=True, text=True, check=False,
                              timeout=60)
        took = time.monotonic() - start
        time.sleep(0.3)
        reader.done.set()
        reader.join()
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr.strip()}")
        return reader.longest * 1000, took * 1000, memory(daemon.pid)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--nodes", default="1000,100000,1000000")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, default=ROOT / "build" / "bench-update.json")
    options = parser.parse_args()
    rows = []
    print(f"{'live update':24} | {'program':12} | longest gap |    tool   | peak memory")
    for nodes in map(int, options.nodes.split(",")):
        for name in PROGRAMS:
            reason = None if name == "ours" else peer.unavailable(name)
            count = min(nodes, MOST.get(name, nodes))
            if not count:
                continue
            if reason or (count < nodes and nodes > 100000):
                print(f"{nodes:>9,} nodes          | {name:12} | not measured: "
                      f"{reason or 'it would take minutes to fill'}")
                continue
            try:
                results = [measure(name, count) for _ in range(options.rounds)]
            except (Timeout, RuntimeError, subprocess.TimeoutExpired) as failure:
                if name == "ours":
                    raise
                print(f"{count:>9,} nodes          | {name:12} | not measured: {failure}",
                      flush=True)
                MOST[name] = 0
                continue
            gap, took, peak = (statistics.median(column) for column in zip(*results))
            rows.append({"nodes": count, "program": name, "gap_ms": gap, "tool_ms": took,
                         "peak_kib": peak})
            print(f"{count:>9,} nodes          | {name:12} | {gap:8.1f} ms | {took:6.0f} ms | "
                  f"{peak:8.0f} KiB", flush=True)
    options.json.parent.mkdir(exist_ok=True)
    options.json.write_text(json.dumps(rows, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
