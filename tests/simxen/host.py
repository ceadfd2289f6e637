# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated host for a test, and daemons of Debian that run on it."""

import os
import shutil
import subprocess
import tempfile
import time

from tests.lib import xswire
from tests.lib.daemon import ROOT, SANITIZER_REPORTS, clean_environment, die_with_parent, tool
from tests.peers import peer

SIMXEN = os.environ.get("SIMXEN_BINARY", str(ROOT / "build" / "simxen"))
XENLIBS = str(ROOT / "tests" / "simxen" / "xenlibs.py")
PYTHON = "/usr/bin/python3"
DEADLINE = 60.0


class Host:
    """A host in a directory of its own, which ends with the test."""

    def __init__(self, *options, program=SIMXEN, env=None):
        self.base = tempfile.mkdtemp(prefix="sx-")
        self.dir = os.path.join(self.base, "h")
        self.env = clean_environment(SIMXEN_DIR=self.dir)
        self.processes = []
        self.expected_exit = 0
        self.log = os.path.join(self.base, "printed")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen([program, "start", "--foreground", *options],
                                            env={**self.env, **(env or {})}, stderr=log,
                                            stdin=subprocess.DEVNULL, preexec_fn=die_with_parent)
        self.wait(lambda: self.run("list", check=False).returncode == 0, "the host to come up")

    # -- commands --------------------------------------------------------------------------

    def run(self, *arguments, check=True, env=None, **options):
        """Runs one command of simxen; returns the CompletedProcess."""
        options.setdefault("timeout", DEADLINE)
        done = subprocess.run([SIMXEN, *map(str, arguments)], env=dict(self.env, **(env or {})),
                              stdin=subprocess.DEVNULL, capture_output=True, text=True,
                              check=False, **options)
        if check:
            assert done.returncode == 0, f"simxen {arguments}: {done.stdout}{done.stderr}"
        return done

    def create(self, *arguments):
        """The domid of a new domain."""
        return int(self.run("create", *arguments).stdout)

    def domains(self):
        """{domid: (state, unique id, name)}"""
        lines = [line.split(None, 4) for line in self.run("list").stdout.splitlines()]
        return {int(domid): (state, int(unique, 16), name) for domid, state, unique, _, name in lines}

    def guest(self, domid, *command, **options):
        """Runs a client as a guest; returns the CompletedProcess."""
        return self.run("guest", domid, "--", *command, **options)

    def misbehave(self, domid, *words, **options):
        return self.run("misbehave", domid, *words, **options)

    def python(self, code, check=True, domid=None):
        """Runs code in a process of the host that has the libraries' functions (xenlibs.py)."""
        options = ["--domain", domid] if domid is not None else []
        return self.run("exec", *options, "--", PYTHON, "-c",
                        f"import sys; sys.path.insert(0, {os.path.dirname(XENLIBS)!r})\n"
                        f"from xenlibs import *\n{code}", check=check)

    def popen(self, *arguments, **options):
        """Starts one command of simxen, to be killed with the host."""
        process = subprocess.Popen([SIMXEN, *map(str, arguments)], env=self.env, text=True,
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   preexec_fn=die_with_parent, **options)
        self.processes.append(process)
        return process

    def guest_client(self, domid):
        """A connection to the store whose other end is the guest's ring."""
        process = self.popen("guest", domid, "--", "sh", "-c",
                             'echo "$XENSTORED_PATH"; exec sleep 1000')
        client = xswire.Client(process.stdout.readline().strip(), timeout=DEADLINE)
        client.bridge = process
        return client

    def update(self, program=SIMXEN, *options, **more):
        """Updates the hypervisor, with the domains' memory compared."""
        return self.run("live-update", "--hash", "--xen", program, *options, **more)

    def pid(self):
        """Of the process that is the host now."""
        with open(os.path.join(self.dir, "pid"), encoding="ascii") as file:
            return int(file.read())

    def printed(self):
        """What the host's process has said."""
        with open(self.log, encoding="utf-8", errors="replace") as log:
            return log.read()

    # -- waiting ---------------------------------------------------------------------------

    @staticmethod
    def wait(condition, what):
        deadline = time.monotonic() + DEADLINE
        while not condition():
            assert time.monotonic() < deadline, f"waited too long for {what}"
            time.sleep(0.01)

    def wait_introduced(self, *domids):
        self.wait(lambda: all("i" in self.domains()[d][0].split(":")[0] for d in domids),
                  "an introduction")

    # -- life ------------------------------------------------------------------------------

    def close(self):
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
        self.run("stop", check=False)
        try:
            self.process.wait(DEADLINE)
            printed = self.printed()
        finally:
            self.process.kill()
            shutil.rmtree(self.base, ignore_errors=True)
        assert self.process.returncode == self.expected_exit, f"the host did not end well: {printed}"
        for report in SANITIZER_REPORTS:
            assert report not in printed, printed

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()


class Store:
    """A daemon on a host: one of Debian's, unmodified, or "ours"."""

    def __init__(self, host, name, program=None, more_options=()):
        self.host = host
        self.name = name
        self.program = program or peer.binary(name)
        self.rundir = os.path.join(host.base, "run")
        os.makedirs(self.rundir, exist_ok=True)
        options = ["-N"]
        if name == "ours":
            options += ["--rundir", self.rundir]
        if name == "debian-ocaml":
            config = os.path.join(self.rundir, "oxenstored.conf")
            with open(config, "w", encoding="ascii") as file:
                file.write(peer.OXENSTORED_CONFIG)
            options = ["--no-fork", "--config-file", config]
        libraries = "" if name == "ours" else peer.extracted()["PEER_LIBS"]
        self.output = open(os.path.join(self.rundir, "output"), "wb")
        self.process = subprocess.Popen(
            [SIMXEN, "exec", "--rundir", self.rundir, "--", self.program, *options, *more_options],
            env=dict(host.env, LD_LIBRARY_PATH=libraries), cwd=self.rundir,
            stdin=subprocess.DEVNULL, stdout=self.output, stderr=subprocess.STDOUT,
            preexec_fn=die_with_parent)
        host.env["XENSTORED_RUNDIR"] = self.rundir
        self.socket = os.path.join(self.rundir, "socket")
        host.wait(lambda: self.run("xenstore-exists", "/").returncode == 0 or not self.alive(),
                  "the daemon")
        assert self.alive(), self.log()

    def run(self, *command):
        """A client on the daemon's socket."""
        return subprocess.run(command, env=peer.client_environment(self.socket), text=True,
                              stdin=subprocess.DEVNULL, capture_output=True, timeout=DEADLINE,
                              check=False)

    def succeed(self, *command):
        done = self.run(*command)
        assert done.returncode == 0, f"{command}: {done.stderr}{self.log()}"
        return done.stdout

    def watch(self, count, *paths):
        """A client that waits for so many events, the initial ones included."""
        process = subprocess.Popen(["xenstore-watch", "-n", str(count), *paths], text=True,
                                   env=peer.client_environment(self.socket),
                                   stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   preexec_fn=die_with_parent)
        self.host.processes.append(process)
        for path in paths:
            assert process.stdout.readline() == path + "\n"
        return process

    def connect(self):
        """A client of the wire protocol."""
        return xswire.Client(self.socket, timeout=DEADLINE)

    def live_update(self):
        control = peer.extracted()["DEBIAN_XENSTORE_CONTROL"]
        if self.name == "ours":
            control = tool("xenstore-control")
        return self.succeed(control, "live-update", self.program)

    def command_line(self):
        with open(f"/proc/{self.process.pid}/cmdline", encoding="utf-8") as file:
            return file.read().split("\0")[:-1]

    def alive(self):
        return self.process.poll() is None

    def log(self):
        with open(self.output.name, encoding="utf-8", errors="replace") as file:
            return file.read()

    def close(self):
        if self.alive():
            self.process.kill()
        self.process.wait()
        self.output.close()
