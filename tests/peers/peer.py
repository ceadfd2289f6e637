# SPDX-License-Identifier: GPL-2.0-or-later
"""Starts a xenstored, ours or another one, in a directory of its own.

Debian's daemons come from packages that `make deps` has unpacked into the user's
cache. They run on a preloaded stand-in for Xen (xen-standin.c), serve nothing but
their Unix socket, and touch no file outside the given directory. Ours needs no
stand-in. All of them look the same to the caller:

    with peer.start("debian-c", rundir) as daemon:
        subprocess.run(["xenstore-ls"], env=daemon.environment())

A daemon dies with the process that started it, whatever becomes of that one.

From a shell: `python3 tests/peers/peer.py debian-c DIR [-- option...]` stays in
the foreground until it is interrupted.
"""

import ctypes
import functools
import os
import shlex
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

TOP = Path(__file__).resolve().parents[2]
STANDIN = TOP / "build" / "tests" / "peers" / "xen-standin.so"
START_DEADLINE = 20.0
PR_SET_PDEATHSIG = 1
LONGEST_SOCKET_PATH = 107

_libc = ctypes.CDLL(None)

# oxenstored has no built-in place for the first two and does not start without them.
OXENSTORED_CONFIG = """\
xenstored-kva = /proc/xen/xsd_kva
xenstored-port = /proc/xen/xsd_port
pid-file = /var/run/xen/oxenstored.pid
"""


@functools.lru_cache(maxsize=None)
def extracted():
    """The paths that `deps.sh --print-env` prints, by name; an absent one is ''."""
    output = subprocess.run(["sh", str(TOP / "tests" / "deps.sh"), "--print-env"],
                            check=True, capture_output=True, text=True).stdout
    words = shlex.split(output)
    return dict(word.split("=", 1) for word in words)


def binary(name):
    """The program of the named daemon, '' when there is none."""
    if name == "debian-c":
        return extracted()["DEBIAN_XENSTORED"]
    if name == "debian-ocaml":
        return extracted()["DEBIAN_OXENSTORED"]
    if name == "ours":
        return os.environ.get("XENSTORED_BINARY") or str(TOP / "build" / "xenstored")
    raise ValueError(f"no xenstored is called {name!r}")


def unavailable(name):
    """Why the named daemon cannot be started here, None when it can."""
    program = binary(name)
    if program and os.access(program, os.X_OK):
        return None
    if name == "ours":
        return f"{program} is not built"
    reasons = extracted()["PEER_MISSING"]
    if reasons:
        return "not to be had from Debian: " + "; ".join(Path(reasons).read_text().splitlines())
    return "not fetched (make deps)"


def version(name):
    """The Debian version of a peer, '' for ours."""
    versions = extracted()["PEER_VERSIONS"]
    if name == "ours" or not versions:
        return ""
    return dict(line.split() for line in Path(versions).read_text().splitlines())["xen-utils-4.17"]


def client_environment(socket_path):
    """An environment in which extracted clients run and talk to this socket."""
    environment = dict(os.environ, XENSTORED_PATH=str(socket_path))
    libraries = extracted()["PEER_LIBS"]
    if libraries:
        environment["LD_LIBRARY_PATH"] = libraries
        environment["PATH"] = extracted()["PEER_CLIENTS"] + ":" + environment.get("PATH", "")
    return environment


class Peer:
    """A running daemon: its name, process, directory and socket."""

    def __init__(self, name, process, rundir):
        self.name = name
        self.process = process
        self.rundir = Path(rundir)
        self.socket = self.rundir / "socket"

    @property
    def pid(self):
        return self.process.pid

    def environment(self):
        """The environment for clients of this daemon."""
        return client_environment(self.socket)

    def log(self):
        """What the daemon has printed so far."""
        return (self.rundir / "output").read_text(errors="replace")

    def alive(self):
        return self.process.poll() is None

    def stop(self):
        """Ends the daemon; harmless when it has ended already."""
        if self.alive():
            self.process.kill()
        self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.stop()


def _die_with_parent():
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def _wait_for_socket(daemon):
    deadline = time.monotonic() + START_DEADLINE
    while time.monotonic() < deadline:
        if not daemon.alive():
            break
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            try:
                probe.connect(str(daemon.socket))
                return
            except OSError:
                time.sleep(0.01)
    daemon.stop()
    raise RuntimeError(f"{daemon.name} does not serve {daemon.socket}, "
                       f"exit status {daemon.process.returncode}:\n{daemon.log()}")


def start(name, rundir, options=(), program=None):
    """Starts the named daemon ("ours", "debian-c", "debian-ocaml") and waits for its socket.

    rundir is created if need be and should belong to this daemon alone; options are
    added to its command line; program replaces the usual binary. Raises RuntimeError
    when the daemon is not to be had or does not come up.
    """
    if program is None:
        reason = unavailable(name)
        if reason:
            raise RuntimeError(f"{name}: {reason}")
        program = binary(name)
    rundir = Path(rundir).resolve()
    rundir.mkdir(parents=True, exist_ok=True)
    if len(str(rundir / "socket")) > LONGEST_SOCKET_PATH:
        raise ValueError(f"{rundir} is too long for the address of a socket")

    environment = {key: value for key, value in os.environ.items()
                   if not key.startswith("XENSTORED_") and key != "NOTIFY_SOCKET"}
    if name == "ours":
        command = [program, "-N", "--rundir", str(rundir), "--domstate", "none"]
    else:
        if not STANDIN.exists():
            subprocess.run([str(TOP / "tests" / "peers" / "build.sh")], check=True)
        environment["LD_PRELOAD"] = str(STANDIN)
        environment["LD_LIBRARY_PATH"] = extracted()["PEER_LIBS"]
        environment["XEN_STANDIN_DIR"] = str(rundir)
        environment["XENSTORED_RUNDIR"] = str(rundir)
        if name == "debian-c":
            command = [program, "-N"]
        else:
            config = rundir / "oxenstored.conf"
            config.write_text(OXENSTORED_CONFIG)
            command = [program, "--no-fork", "--config-file", str(config)]

    with open(rundir / "output", "wb") as output:
        process = subprocess.Popen(command + list(options), env=environment, cwd=rundir,
                                   stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT, preexec_fn=_die_with_parent)
    daemon = Peer(name, process, rundir)
    _wait_for_socket(daemon)
    return daemon


def main():
    if len(sys.argv) < 3:
        sys.exit("usage: peer.py ours|debian-c|debian-ocaml DIR [-- option...]")
    options = sys.argv[3:]
    if options[:1] == ["--"]:
        del options[0]
    with start(sys.argv[1], sys.argv[2], options) as daemon:
        print(f"export XENSTORED_PATH={shlex.quote(str(daemon.socket))} # pid {daemon.pid}",
              flush=True)
        try:
            daemon.process.wait()
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
