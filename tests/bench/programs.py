# SPDX-License-Identifier: GPL-2.0-or-later
"""The programs that are compared: ours, the floor, and what Debian has.

Each instance is a fresh process with a directory of its own, pinned to the servers' CPU.
A program that cannot be run here is not an error: it has a reason instead of instances.
"""

import os
import pathlib
import resource
import shutil
import socket
import subprocess
import tempfile
import time

from tests.peers import peer

ROOT = pathlib.Path(__file__).resolve().parents[2]
XSBENCH = ROOT / "build" / "tests" / "bench" / "xsbench"
SIMXEN = ROOT / "build" / "simxen"

OURS, FLOOR = "ours", "floor"
PEERS = ("debian-c", "debian-ocaml")
ALL = (OURS, FLOOR) + PEERS

# Limits of oxenstored are not what is measured.
NO_QUOTA = "quota-activate = false\n"

DESCRIPTORS = 65536
DEADLINE = 20.0


def raise_descriptor_limit():
    """Thousands of connections on both sides; children inherit the limit."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    for wanted in (max(hard, DESCRIPTORS), hard):
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, max(hard, wanted)))
            return
        except (ValueError, OSError):
            continue


def cpus():
    """(load generator's CPU, servers' CPU), or (None, None) on a machine with one."""
    usable = sorted(os.sched_getaffinity(0))
    return (usable[0], usable[1]) if len(usable) > 1 else (None, None)


def unavailable(name):
    """Why the program cannot be run, or None."""
    if name == FLOOR:
        return None
    return peer.unavailable(name)


class Awake:
    """Keeps both CPUs from sleeping; a context manager.

    Meant for what is measured in wall-clock time.  CPU time is measured without it, because
    switching from the task that keeps a CPU awake is charged to the server.
    """

    def __init__(self, wanted):
        self._cpus = [cpu for cpu in cpus() if cpu is not None] if wanted else []
        self._running = []

    def __enter__(self):
        for cpu in self._cpus:
            self._running.append(subprocess.Popen([str(XSBENCH), "awake", str(cpu)]))
        return self

    def __exit__(self, *exception):
        for process in self._running:
            process.kill()
            process.wait()


class Floor:
    """The echo server, with the same face as a daemon of tests/peers."""

    def __init__(self, rundir):
        self.socket = pathlib.Path(rundir) / "socket"
        self.socket.parent.mkdir(parents=True, exist_ok=True)
        self.process = subprocess.Popen([str(XSBENCH), "echo", str(self.socket)])
        self.pid = self.process.pid
        deadline = time.monotonic() + DEADLINE
        while True:
            with socket.socket(socket.AF_UNIX) as probe:
                try:
                    probe.connect(str(self.socket))
                    return
                except OSError:
                    if self.process.poll() is not None or time.monotonic() > deadline:
                        self.stop()
                        raise RuntimeError("the echo server does not serve")
                    time.sleep(0.01)

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        if self.alive():
            self.process.kill()
        self.process.wait()

    def log(self):
        return ""


class Hosted:
    """A daemon on a simulated host of its own: DIR/host, and DIR/run for the daemon.

    The host belongs to the load generator: it runs on that CPU and is not measured.
    """

    def __init__(self, name, directory, options=()):
        run = directory / "run"
        run.mkdir(parents=True)
        self.socket = run / "socket"
        self._log = run / "output"
        self._environment = {key: value for key, value in os.environ.items()
                             if not key.startswith("XENSTORED_") and key != "NOTIFY_SOCKET"}
        self._environment["SIMXEN_DIR"] = str(directory / "host")
        subprocess.run([str(SIMXEN), "start"], env=self._environment, check=True,
                       stdin=subprocess.DEVNULL, timeout=DEADLINE, preexec_fn=_on_load_cpu)
        command = [str(SIMXEN), "exec", "--rundir", str(run), "--", peer.binary(name)]
        if name == "debian-ocaml":
            config = run / "oxenstored.conf"
            config.write_text(peer.OXENSTORED_CONFIG + NO_QUOTA)
            command += ["--no-fork", "--config-file", str(config)]
        else:
            command += ["-N"]
        environment = dict(self._environment)
        if name == OURS:
            command += ["--rundir", str(run), *(options or ("--domstate", "hypercall"))]
        else:
            environment["LD_LIBRARY_PATH"] = peer.extracted()["PEER_LIBS"]
        with open(self._log, "wb") as output:
            self.process = subprocess.Popen(command, env=environment, cwd=run, stdout=output,
                                            stdin=subprocess.DEVNULL, stderr=subprocess.STDOUT)
        self.pid = self.process.pid
        deadline = time.monotonic() + DEADLINE
        while not self._serves():
            if not self.alive() or time.monotonic() > deadline:
                log = self.log()
                self.stop()
                raise RuntimeError(f"{name} does not serve on a simulated host:\n{log}")
            time.sleep(0.01)

    def _serves(self):
        with socket.socket(socket.AF_UNIX) as probe:
            try:
                probe.connect(str(self.socket))
                return True
            except OSError:
                return False

    def alive(self):
        return self.process.poll() is None

    def log(self):
        return self._log.read_text(errors="replace")

    def stop(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        subprocess.run([str(SIMXEN), "stop"], env=self._environment, check=False,
                       stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE)


def _on_load_cpu():
    load_cpu = cpus()[0]
    if load_cpu is not None:
        os.sched_setaffinity(0, {load_cpu})


class Instances:
    """The running servers of one run; a context manager that ends them all."""

    def __init__(self):
        # In /tmp whatever TMPDIR says: addresses of sockets are short.
        self._directory = pathlib.Path(tempfile.mkdtemp(prefix="xsbench-", dir="/tmp"))
        self._running = []

    def start(self, name, hosted=False, options=()):
        """Start one more instance of the program, on a simulated host or without one."""
        rundir = self._directory / f"{name}-{len(self._running)}"
        if name == FLOOR:
            instance = Floor(rundir)
        elif hosted:
            instance = Hosted(name, rundir, options)
        else:
            instance = peer.start(name, rundir)
        self._running.append(instance)
        server_cpu = cpus()[1]
        if server_cpu is not None:
            for thread in os.listdir(f"/proc/{instance.pid}/task"):
                os.sched_setaffinity(int(thread), {server_cpu})
        return instance

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        for instance in self._running:
            instance.stop()
        shutil.rmtree(self._directory, ignore_errors=True)
