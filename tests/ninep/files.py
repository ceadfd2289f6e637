# SPDX-License-Identifier: GPL-2.0-or-later
"""A simulated host with our xenstored, xenstore-9pfsd, and domains that log to it."""

import os
import subprocess

from tests.lib.daemon import ROOT, SANITIZER_REPORTS, die_with_parent
from tests.simxen.host import SIMXEN, Host

BUILD = os.path.dirname(os.environ.get("XENSTORED_BINARY", str(ROOT / "build" / "xenstored")))
DAEMON = os.path.join(BUILD, "xenstore-9pfsd")
GUEST = os.path.join(BUILD, "tests", "ninep-guest")
XENSTORED = str(ROOT / "build" / "xenstored")  # not what is tested here
DEADLINE = 60.0


class Process:
    """A process of the host whose output is kept and searched for sanitizers' reports."""

    def __init__(self, site, name, command, **options):
        self.name = name
        self.path = os.path.join(site.base, name)
        self.output = open(self.path, "ab")
        self.process = subprocess.Popen(command, env=site.env, stderr=self.output,
                                        preexec_fn=die_with_parent, **options)

    def log(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        self.process.kill()
        self.process.wait()

    def end(self):
        """SIGTERM, and it must end well."""
        self.process.terminate()
        status = self.process.wait(DEADLINE)
        assert status == 0, self.log()

    def close(self):
        if self.process.poll() is None:
            self.kill()
        self.output.close()
        for report in SANITIZER_REPORTS:
            assert report not in self.log(), self.log()


class Guest(Process):
    """tests/ninep/guest.c, played as a domain."""

    def __init__(self, site, domid, backend=0):
        super().__init__(site, f"guest-{domid}",
                         [SIMXEN, "guest", str(domid), "--", SIMXEN, "exec", "--domain", str(domid),
                          "--", GUEST, str(backend)],
                         stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1)
        self.domid = domid

    def put(self, line):
        self.process.stdin.write(line + "\n")

    def get(self):
        answer = self.process.stdout.readline().rstrip("\n")
        assert answer, self.log()
        return answer

    def ask(self, line):
        self.put(line)
        return self.get()

    def connect(self):
        assert self.ask("connected 60000") == "yes", self.log()

    def log_line(self, text):
        return self.ask(f"log {text}")

    def flush(self):
        return self.ask("flush 60000")

    def close(self):
        self.process.stdin.close()
        self.process.stdout.close()
        super().close()


class Site:
    """The host and everything on it."""

    def __init__(self):
        self.host = Host()
        self.base = self.host.base
        self.env = self.host.env
        self.wait = self.host.wait
        # The simulated host's libraries are loaded before a sanitizer's.
        self.env["ASAN_OPTIONS"] = os.environ.get("ASAN_OPTIONS", "") + ":verify_asan_link_order=0"
        self.processes = []
        self.store = self.start("xenstored", [XENSTORED, "-N"])
        self.wait(lambda: self.succeeds("xenstore-exists", "/"), "xenstored")

    # -- processes of dom0 -----------------------------------------------------------------

    def start(self, name, command):
        process = Process(self, name, [SIMXEN, "exec", "--", *command], stdin=subprocess.DEVNULL,
                          stdout=subprocess.DEVNULL)
        self.processes.append(process)
        return process

    def daemon(self, *options, running=True):
        process = self.start("9pfsd", [DAEMON, "-F", "--pid-file",
                                       os.path.join(self.base, "9pfsd.pid"), *options])
        if running:
            self.wait(lambda: self.read("/local/domain/0/libxl/xen-9pfs/state") == "running",
                      "xenstore-9pfsd")
        return process

    def run(self, *command):
        return self.host.run("exec", "--", *command, check=False)

    def succeeds(self, *command):
        return self.run(*command).returncode == 0

    def control(self, *arguments):
        """A subcommand of the daemon's program."""
        done = self.run(DAEMON, *arguments)
        for report in SANITIZER_REPORTS:
            assert report not in done.stderr, done.stderr
        return done

    # -- nodes -----------------------------------------------------------------------------

    def read(self, path):
        done = self.run("xenstore-read", path)
        return done.stdout.rstrip("\n") if done.returncode == 0 else None

    def write(self, path, value):
        assert self.succeeds("xenstore-write", path, str(value))

    def back(self, domid, node, backend=0):
        return self.read(f"/local/domain/{backend}/backend/xen_9pfs/{domid}/0/{node}")

    def front(self, domid, node):
        return self.read(f"/local/domain/{domid}/device/9pfs/0/{node}")

    # -- domains ---------------------------------------------------------------------------

    def create(self):
        domid = self.host.create()
        self.host.wait_introduced(domid)
        return domid

    def attach(self, domid, *options):
        directory = os.path.join(self.base, f"share-{domid}")
        done = self.control("attach", str(domid), "--path", directory, *options)
        assert done.returncode == 0, done.stderr
        return directory

    def guest(self, domid, backend=0):
        process = Guest(self, domid, backend)
        self.processes.append(process)
        return process

    def connected(self, *options):
        """A domain with its device, and the directory."""
        domid = self.create()
        directory = self.attach(domid, *options)
        guest = self.guest(domid)
        guest.connect()
        return guest, directory

    # -- life ------------------------------------------------------------------------------

    def close(self):
        try:
            for process in reversed(self.processes):
                process.close()
        finally:
            self.host.close()


def content(directory, name):
    with open(os.path.join(directory, name), encoding="utf-8") as file:
        return file.read()
