# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs one xenstored in a private directory for a test, and judges how it ended.

A daemon that died, left a sanitizer's report, or had to be killed fails the test that used
it, whatever the test itself found.  Processes are ended by their pid only.
"""

import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

from . import xswire

ROOT = pathlib.Path(__file__).resolve().parents[2]
START_DEADLINE = 30.0
STOP_DEADLINE = 30.0
SANITIZER_REPORTS = (
    "ERROR: AddressSanitizer",
    "ERROR: LeakSanitizer",
    "ERROR: UndefinedBehaviorSanitizer",
    "WARNING: ThreadSanitizer",
    "runtime error:",
)


def binary():
    """The xenstored under test."""
    return os.environ.get("XENSTORED_BINARY", str(ROOT / "build" / "xenstored"))


def tool(name):
    """A program of the same build, xenstore-control for example."""
    return str(pathlib.Path(binary()).with_name(name))


def clean_environment(**extra):
    """The caller's environment without what would lead a daemon or client elsewhere."""
    drop = ("XENSTORED_PATH", "XENSTORED_RUNDIR", "XENSTORED_ROOTDIR", "NOTIFY_SOCKET")
    env = {k: v for k, v in os.environ.items() if k not in drop}
    env.update({k: str(v) for k, v in extra.items()})
    return env


_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


def die_with_parent():
    """In a child before exec: no daemon outlives an interrupted test run."""
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class DaemonFailed(AssertionError):
    pass


class Daemon:
    """A daemon in the foreground.  `command` replaces program and options altogether."""

    def __init__(self, *options, env=None, command=None, rundir=None, socket_path=None):
        self._temporary = None
        if rundir is None:
            self._temporary = tempfile.mkdtemp(prefix="xenstored-test-")
            rundir = os.path.join(self._temporary, "run")
            os.mkdir(rundir)
        self.rundir = os.fspath(rundir)
        self.socket = os.fspath(socket_path or os.path.join(self.rundir, "socket"))
        self.options = list(options)
        self.command = command or (
            [binary(), "-N", "--rundir", self.rundir, "--domstate", "none"] + self.options
        )
        self.env = clean_environment(**(env or {}))
        self.clients = []
        self.process = None
        self._stderr = None
        self.expected_exit = None

    # -- life -----------------------------------------------------------------------------

    def start(self, wait=True):
        self._stderr = tempfile.TemporaryFile("w+b", prefix="xenstored-stderr-")
        self.process = subprocess.Popen(
            self.command,
            env=self.env,
            stdin=subprocess.DEVNULL,
            stdout=self._stderr,
            stderr=self._stderr,
            cwd="/",
            preexec_fn=die_with_parent,
        )
        if wait:
            try:
                self.wait_ready()
            except BaseException:
                self.kill()
                raise
        return self

    def wait_ready(self):
        """Wait until the socket answers a request."""
        deadline = time.monotonic() + START_DEADLINE
        while True:
            if self.process.poll() is not None:
                raise DaemonFailed(f"{self.command} ended at once: {self.ending()}")
            try:
                with xswire.Client(self.socket, timeout=START_DEADLINE) as client:
                    client.sync()
                return
            except (OSError, xswire.ConnectionClosed):
                if time.monotonic() > deadline:
                    raise DaemonFailed(f"{self.command} does not listen: {self.ending()}")
                time.sleep(0.002)

    @property
    def pid(self):
        return self.process.pid

    def stderr(self):
        if self._stderr is None:
            return ""
        size = os.fstat(self._stderr.fileno()).st_size
        return os.pread(self._stderr.fileno(), size, 0).decode("utf-8", "replace")

    def ending(self):
        status = self.process.returncode if self.process else None
        return f"exit status {status}, output:\n{self.stderr()[-20000:]}"

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()

    def stop(self):
        """End the daemon and raise DaemonFailed if anything about it was not clean."""
        try:
            for client in self.clients:
                client.close()
            self.clients.clear()
            if self.process is None:
                return
            early = self.process.poll()
            if early is None:
                self.process.send_signal(signal.SIGTERM)
                try:
                    self.process.wait(STOP_DEADLINE)
                except subprocess.TimeoutExpired:
                    self.kill()
                    raise DaemonFailed(f"SIGTERM does not end the daemon: {self.ending()}")
                allowed = (0, -signal.SIGTERM)
            else:
                allowed = (self.expected_exit,)
            output = self.stderr()
            for report in SANITIZER_REPORTS:
                if report in output:
                    raise DaemonFailed(f"a sanitizer reports: {self.ending()}")
            if self.process.returncode not in allowed:
                raise DaemonFailed(f"the daemon died: {self.ending()}")
        finally:
            self.kill()
            self.cleanup()

    def cleanup(self):
        if self._stderr:
            self._stderr.close()
            self._stderr = None
        if self._temporary:
            shutil.rmtree(self._temporary, ignore_errors=True)
            self._temporary = None

    def __enter__(self):
        return self.start()

    def __exit__(self, exc_type, exc, tb):
        if exc_type is None:
            self.stop()
            return
        try:
            self.stop()
        except DaemonFailed as failure:
            raise failure from exc

    # -- use ------------------------------------------------------------------------------

    def connect(self, timeout=xswire.DEFAULT_TIMEOUT):
        """A new connection, closed with the daemon at the latest."""
        client = xswire.Client(self.socket, timeout=timeout)
        self.clients.append(client)
        return client

    def status(self, key):
        """A number of /proc/PID/status, VmRSS in kB for example."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            for line in status:
                name, _, value = line.partition(":")
                if name == key:
                    return int(value.split()[0])
        raise KeyError(key)

    def open_files(self):
        return len(os.listdir(f"/proc/{self.pid}/fd"))

    def run(self, *argv, **kwargs):
        """Run a client program against this daemon; returns the CompletedProcess."""
        env = dict(self.env, XENSTORED_PATH=self.socket)
        env.update(kwargs.pop("env", {}))
        kwargs.setdefault("timeout", 60)
        return subprocess.run(argv, env=env, capture_output=True, text=True, check=False, **kwargs)
