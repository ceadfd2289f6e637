# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon that is updated while it is used.

The daemon's process may end and another one take over (a guard): it is followed through the
pid file.  The test process adopts what its children leave behind, so that such a daemon is
ended with its test, and its exit status is seen.
"""

import ctypes
import os
import signal
import subprocess
import time

from tests.lib import xswire
from tests.lib.daemon import (SANITIZER_REPORTS, STOP_DEADLINE, Daemon, DaemonFailed, binary,
                              clean_environment, tool)
from tests.lib.xswire import Type, strings

PR_SET_CHILD_SUBREAPER = 36
DEADLINE = 20.0


def adopt_orphans():
    """What a dying child leaves behind becomes a child of this process."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def running(pid):
    """Whether a process with this id is there and no zombie."""
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_for(condition, what):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"waited too long for {what}"
        time.sleep(0.005)


def children_of(pid):
    """The children of a process, '' when it has none or is gone."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return file.read().strip()
    except (FileNotFoundError, ProcessLookupError):
        return ""


class Live(Daemon):
    """A daemon with a pid file; the process behind it may change."""

    def __init__(self, *options, **more):
        super().__init__(*options, **more)
        self.pid_file = os.path.join(self.rundir, "pid")
        if "command" not in more:
            self.command += ["--pid-file", self.pid_file]
        self.replaced = 0

    def start(self, wait=True):
        adopt_orphans()
        return super().start(wait)

    def current(self):
        """The pid of the process that serves now."""
        with open(self.pid_file, encoding="ascii") as file:
            return int(file.read())

    # -- updating --------------------------------------------------------------------------

    def request_update(self, client, file=None, cmdline=None, options=()):
        """Ask for an update on this connection; its answer stays to be read."""
        assert client.control("live-update", "-f", file or binary()) == "OK"
        if cmdline is not None:
            assert client.control("live-update", "-c", cmdline) == "OK"
        return client.send(Type.CONTROL, strings("live-update", "-s", *options))

    def update(self, file=None, cmdline=None, options=(), client=None):
        """Update; returns the answer's text."""
        mine = client or xswire.Client(self.socket, timeout=DEADLINE)
        try:
            req = self.request_update(mine, file, cmdline, options)
            reply = mine.recv_reply(DEADLINE)
            assert (reply.type, reply.req_id, reply.tx_id) == (Type.CONTROL, req, 0), reply
            assert reply.payload.endswith(b"\0")
            return xswire.text(reply.payload[:-1])
        finally:
            if not client:
                mine.close()

    def updated(self, times=1, **how):
        """Update with success, and make sure that it was one."""
        for _ in range(times):
            before = exec_time(self.current())
            pid = self.current()
            assert self.update(**how) == "OK", self.stderr()
            assert self.current() == pid, "the process has changed"
            assert exec_time(pid) != before, "nothing was executed"

    # -- the end ---------------------------------------------------------------------------

    def stop(self):
        # An update under way is over when neither checker nor guard is left: a guard would take
        # over from a program that is ended now.
        wait_for(lambda: not children_of(self.process.pid), "the end of an update")
        pid = self.current() if os.path.exists(self.pid_file) else None
        if pid is None or pid == self.process.pid:
            super().stop()
            return
        # A guard has taken over.
        self.process.wait(STOP_DEADLINE)
        for client in self.clients:
            client.close()
        self.clients.clear()
        try:
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: os.waitpid(pid, os.WNOHANG)[0] == pid, "the daemon to end")
            output = self.stderr()
            for report in SANITIZER_REPORTS:
                if report in output:
                    raise DaemonFailed(f"a sanitizer reports: {output}")
        except ProcessLookupError as gone:
            raise DaemonFailed(f"the daemon has ended: {self.stderr()}") from gone
        finally:
            self.cleanup()


def exec_time(pid):
    """Something that every exec changes: where the process has its environment."""
    with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as stat:
        fields = stat.read().rpartition(")")[2].split()
    return tuple(fields[45:49])


def servers(daemon):
    """The processes of this daemon: it, and its helpers."""
    found = []
    for process in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as line:
                if daemon.rundir.encode() in line.read() and running(process):
                    found.append(int(process))
        except OSError:
            pass
    return found


def descriptors(pid):
    """{number: what it leads to} of a process."""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            found[int(number)] = os.readlink(f"/proc/{pid}/fd/{number}")
        except FileNotFoundError:
            pass
    return found


def control_tool(socket, *arguments):
    """Runs xenstore-control; returns the CompletedProcess."""
    return subprocess.run([tool("xenstore-control"), *arguments], text=True,
                          env=clean_environment(XENSTORED_PATH=socket), timeout=DEADLINE,
                          stdin=subprocess.DEVNULL, capture_output=True, check=False)


def tree(client, path="/"):
    """Everything below a path: [(path, value, permissions)], in DIRECTORY order."""
    found = [(path, client.read(path), tuple(client.get_perms(path)))]
    for name in client.ls(path):
        found += tree(client, (path if path != "/" else "") + "/" + name)
    return found
