# SPDX-License-Identifier: GPL-2.0-or-later
"""Being a daemon: options, environment, pid file, readiness, signals, trace file.

spec: cli-and-control.md sections 1 to 5, limits-and-bugs.md D26.
"""

import fcntl
import os
import re
import signal
import socket
import stat
import struct
import subprocess
import time

import pytest

from tests.lib import xswire
from tests.lib.daemon import SANITIZER_REPORTS, Daemon, binary, clean_environment
from tests.lib.xswire import Client, Type, strings

DEADLINE = 60


def run(*args, env=None, cwd="/", timeout=DEADLINE):
    """Run the daemon's program until it ends by itself (or its first process does)."""
    with open(os.devnull, "rb") as null:
        done = subprocess.run(
            [binary(), *args],
            stdin=null,
            capture_output=True,
            text=True,
            env=clean_environment(**(env or {})),
            cwd=cwd,
            timeout=timeout,
            check=False,
        )
    for report in SANITIZER_REPORTS:
        assert report not in done.stderr, done.stderr
    return done


def fatal(tmp_path, *args):
    """Options that must end the start: returns the text behind "FATAL: "."""
    done = run("-N", "--rundir", str(tmp_path), "--domstate", "none", *args)
    assert done.returncode == 1, done
    match = re.search(r"^FATAL: (.*)$", done.stderr, re.M)
    assert match, done.stderr
    assert not os.path.exists(tmp_path / "socket")
    return match[1].strip()


def wait_until(condition, what):
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def process_gone(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii") as file:
            return file.read().rsplit(")", 1)[1].split()[0] in "ZX"
    except FileNotFoundError:
        return True


class Background:
    """A daemon that went to the background, ended by the pid in its pid file."""

    def __init__(self, tmp_path, *options, env=None, cwd="/"):
        self.pidfile = tmp_path / "pid"
        self.socket = tmp_path / "socket"
        self.done = run(
            "--rundir", str(tmp_path), "--domstate", "none", "--pid-file", str(self.pidfile), *options,
            env=env, cwd=cwd,
        )
        self.pid = int(self.pidfile.read_text()) if self.done.returncode == 0 else None

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        if self.pid is not None and not process_gone(self.pid):
            os.kill(self.pid, signal.SIGTERM)
            wait_until(lambda: process_gone(self.pid), "SIGTERM does not end it")


# -- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize("option", ["-H", "--help", "--hel"])
def test_help(option):
    done = run(option)
    assert done.returncode == 0
    for word in ("--pid-file", "--no-fork", "--trace-file", "--quota", "--rundir", "--domstate"):
        assert word in done.stderr
    # What upstream's text has wrong must be right here.
    assert "path-max" in done.stderr and "path-length" not in done.stderr


def test_version():
    done = run("--version")
    assert done.returncode == 0
    assert re.search(r"xenstored.*\d", done.stdout)


def test_stray_argument(tmp_path):
    assert fatal(tmp_path, "stray") == f"{binary()}: No arguments desired"
    assert "No arguments desired" in fatal(tmp_path, "--", "stray")


@pytest.mark.parametrize("option", ["-E", "-S", "-W", "-t", "-A", "-M", "--entry-nb", "--watch-nb"])
@pytest.mark.parametrize("value", ["", "x", "12x", "-1", "2147483648", "0x10", "99999999999999999999"])
def test_bad_numbers(tmp_path, option, value):
    assert fatal(tmp_path, option, value) == f'invalid parameter value "{value}"'


def test_bad_quotas(tmp_path):
    for option in ("-Q", "--quota", "-q", "--quota-soft"):
        assert fatal(tmp_path, option, "nodes") == "quotas must be specified via <what>=<nb>"
        assert re.fullmatch(r'unknown quota "nonsense(=5)?"', fatal(tmp_path, option, "nonsense=5"))
        assert re.fullmatch(r'invalid parameter value "(memory=)?x"', fatal(tmp_path, option, "memory=x"))
    assert "unknown quota" in fatal(tmp_path, "-q", "nodes=5")
    assert "unknown quota" in fatal(tmp_path, "-Q", "path-length=5")


def test_bad_timeouts(tmp_path):
    assert re.fullmatch(r'unknown timeout "nonsense(=5)?"', fatal(tmp_path, "-w", "nonsense=5"))
    assert "invalid parameter value" in fatal(tmp_path, "-w", "watch-event=x")
    fatal(tmp_path, "-w", "watch-event")


def test_bad_trace_switch(tmp_path):
    for value in ("+nonsense", "obj", "-", ""):
        assert fatal(tmp_path, f"--trace-control={value}") == f'Illegal trace switch "{value}"'


def test_bad_domstate(tmp_path):
    done = run("-N", "--rundir", str(tmp_path), "--domstate", "nonsense")
    assert done.returncode == 1
    assert "FATAL: " in done.stderr


@pytest.mark.parametrize(
    "options",
    [
        ["-D"],
        ["-P"],
        ["-R"],
        ["-V"],
        ["-I"],
        ["-Ioff"],
        ["-Ion"],
        ["--no-domain-init"],
        ["--output-pid"],
        ["--no-recovery"],
        ["--verbose"],
        ["--internal-db"],
        ["--internal-db=off"],
        ["-D", "-P", "-R", "-V", "-Ioff"],
    ],
)
def test_removed_options_are_noted_and_ignored(options):
    with Daemon(*options) as daemon:
        client = daemon.connect()
        client.write("/a", b"1")
        assert client.read("/a") == b"1"


@pytest.mark.parametrize("options", [["--frobnicate"], ["-z"], ["--frobnicate=5"], ["-z", "-K"]])
def test_unknown_options_are_not_fatal(options):
    with Daemon(*options) as daemon:
        daemon.connect().sync()
        assert "option" in daemon.stderr()


def test_abbreviated_options(tmp_path):
    command = [binary(), "--no-f", "--rund", str(tmp_path), "--domst=none", "--watch=77"]
    with Daemon(command=command, rundir=tmp_path) as daemon:
        assert daemon.connect().get_quota("watches") == 77


@pytest.mark.parametrize(
    "options,name,value",
    [
        (["-E", "11"], "nodes", 11),
        (["-S", "12"], "node-size", 12),
        (["-W13"], "watches", 13),
        (["-t", "14"], "transactions", 14),
        (["-A", "15"], "node-permissions", 15),
        (["-M", "16"], "path-max", 16),
        (["-M", "3000"], "path-max", 2048),
        (["--entry-nb=17"], "nodes", 17),
        (["--entry-size", "18"], "node-size", 18),
        (["--watch-nb", "19"], "watches", 19),
        (["--transaction", "20"], "transactions", 20),
        (["--perm-nb", "21"], "node-permissions", 21),
        (["--path-max", "22"], "path-max", 22),
        (["-Q", "path-max=3000"], "path-max", 3000),
        (["-Q", "memory=23"], "memory", 23),
        (["--quota=outstanding=24"], "outstanding", 24),
        (["-Q", "transaction-nodes=25"], "transaction-nodes", 25),
        (["-Q", "nodes=0"], "nodes", 0),
        (["-E", "0"], "nodes", 0),
        (["-E", "2147483647"], "nodes", 2147483647),
        (["-q", "memory=26"], "soft-memory", 26),
        (["--quota-soft", "memory=0"], "soft-memory", 0),
        (["-E", "5", "-Q", "nodes=6"], "nodes", 6),
        (["-Q", "nodes=6", "-E", "5"], "nodes", 5),
    ],
)
def test_quota_options(options, name, value):
    with Daemon(*options) as daemon:
        assert daemon.connect().get_quota(name) == value


def test_timeout_and_other_options_are_accepted():
    with Daemon("-w", "watch-event=5", "-K", "--master-domid", "0", "--priv-domid", "0") as daemon:
        daemon.connect().sync()


# -- where the socket is ---------------------------------------------------------------------


def serve(tmp_path, options, env, socket_path):
    command = [binary(), "-N", "--domstate", "none", *options]
    with Daemon(command=command, env=env, rundir=tmp_path, socket_path=socket_path) as daemon:
        daemon.connect().sync()
        mode = os.stat(socket_path).st_mode
        assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600


def test_rundir_option_makes_the_directory(tmp_path):
    serve(tmp_path, ["--rundir", str(tmp_path / "new")], {}, tmp_path / "new" / "socket")


def test_rundir_from_the_environment(tmp_path):
    serve(tmp_path, [], {"XENSTORED_RUNDIR": tmp_path / "env"}, tmp_path / "env" / "socket")


def test_rundir_option_wins_over_the_environment(tmp_path):
    env = {"XENSTORED_RUNDIR": tmp_path / "env"}
    serve(tmp_path, ["--rundir", str(tmp_path / "option")], env, tmp_path / "option" / "socket")
    assert not (tmp_path / "env").exists()


def test_path_from_the_environment_wins_over_the_run_directory(tmp_path):
    env = {"XENSTORED_RUNDIR": tmp_path / "env", "XENSTORED_PATH": tmp_path / "special"}
    serve(tmp_path, [], env, tmp_path / "special")


def test_rootdir_has_no_effect(tmp_path):
    env = {"XENSTORED_ROOTDIR": tmp_path / "root", "XENSTORED_RUNDIR": tmp_path / "env"}
    serve(tmp_path, [], env, tmp_path / "env" / "socket")


def test_rundir_that_cannot_be_made(tmp_path):
    (tmp_path / "file").write_text("")
    for foreground in (["-N"], []):
        done = run(*foreground, "--rundir", str(tmp_path / "file" / "x"), "--domstate", "none")
        assert done.returncode == 1
        assert "FATAL: " in done.stderr


def test_socket_path_that_is_too_long(tmp_path):
    long = tmp_path / ("x" * 120)
    done = run("-N", "--rundir", str(long), "--domstate", "none")
    assert done.returncode == 1
    assert "FATAL: " in done.stderr


def test_stale_socket_is_replaced(tmp_path):
    with Daemon(rundir=tmp_path) as first:
        first.process.kill()
        first.process.wait()
        first.expected_exit = -signal.SIGKILL
    before = os.stat(tmp_path / "socket")
    with Daemon(rundir=tmp_path) as second:
        second.connect().sync()
        after = os.stat(tmp_path / "socket")
        assert (before.st_ino, before.st_ctime_ns) != (after.st_ino, after.st_ctime_ns)


def test_what_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "socket").write_text("precious")
    done = run("-N", "--rundir", str(tmp_path), "--domstate", "none")
    assert done.returncode == 1
    assert (tmp_path / "socket").read_text() == "precious"


# -- only one --------------------------------------------------------------------------------


def test_d26_a_running_daemons_socket_is_not_stolen(tmp_path):
    with Daemon(rundir=tmp_path) as first:
        client = first.connect()
        client.write("/mine", b"1")
        before = os.stat(first.socket).st_ino
        for options in (["-N"], [], ["-N", "--pid-file", str(tmp_path / "second.pid")]):
            done = run("--rundir", str(tmp_path), "--domstate", "none", *options)
            assert done.returncode != 0, options
            assert done.stderr
        assert os.stat(first.socket).st_ino == before
        assert first.connect().read("/mine") == b"1"
        assert client.read("/mine") == b"1"


def test_d26_a_busy_daemons_socket_is_not_stolen(tmp_path):
    # A daemon that does not answer at once is not dead.
    with Daemon(rundir=tmp_path) as first:
        first.connect().write("/mine", b"1")
        os.kill(first.pid, signal.SIGSTOP)
        try:
            done = run("-N", "--rundir", str(tmp_path), "--domstate", "none")
            assert done.returncode != 0
        finally:
            os.kill(first.pid, signal.SIGCONT)
        assert first.connect().read("/mine") == b"1"


def lock_holder(path):
    """The process that holds a POSIX lock on the file, None if nobody does."""
    with open(path, "r+b") as file:
        request = struct.pack("hhqqi4x", fcntl.F_WRLCK, os.SEEK_SET, 0, 0, 0)
        answer = struct.unpack("hhqqi4x", fcntl.fcntl(file, fcntl.F_GETLK, request))
    return None if answer[0] == fcntl.F_UNLCK else answer[4]


def test_pid_file_and_its_lock(tmp_path):
    path = tmp_path / "pid"
    path.write_text("a longer old content that must not stay\n")
    with Daemon("--pid-file", str(path)) as daemon:
        client = daemon.connect()
        assert path.read_text() == f"{daemon.pid}\n"
        assert lock_holder(path) == daemon.pid
        # For life: not only at start.
        client.control("logfile", tmp_path / "trace")
        client.control("check")
        os.kill(daemon.pid, signal.SIGHUP)
        client.sync()
        assert lock_holder(path) == daemon.pid
    assert lock_holder(path) is None


def test_pid_file_is_private(tmp_path):
    with Daemon("-F", str(tmp_path / "pid")):
        assert stat.S_IMODE(os.stat(tmp_path / "pid").st_mode) == 0o600


def test_d26_a_second_daemon_with_the_same_pid_file_refuses(tmp_path):
    path = tmp_path / "pid"
    with Daemon("--pid-file", str(path)) as daemon:
        for options in (["-N"], []):
            done = run("--rundir", str(tmp_path / "second"), "--domstate", "none", "-F", str(path), *options)
            assert done.returncode is not None
            with pytest.raises(OSError):
                Client(tmp_path / "second" / "socket")
            assert path.read_text() == f"{daemon.pid}\n"
            assert lock_holder(path) == daemon.pid
        daemon.connect().sync()


def test_pid_file_that_cannot_be_made(tmp_path):
    done = run("-N", "--rundir", str(tmp_path), "--domstate", "none", "-F", str(tmp_path / "none" / "pid"))
    assert done.returncode == 1
    assert "FATAL: " in done.stderr


# -- going to the background -----------------------------------------------------------------


def test_parent_exits_only_when_the_socket_listens(tmp_path):
    for n in range(5):
        directory = tmp_path / str(n)
        with Background(directory if directory.mkdir() is None else directory) as daemon:
            assert daemon.done.returncode == 0
            # No second try: the first connection must succeed, and the pid file be complete.
            with Client(daemon.socket) as client:
                client.write("/a", b"1")
            assert lock_holder(daemon.pidfile) == daemon.pid
            assert not process_gone(daemon.pid)


def test_background_process(tmp_path):
    with Background(tmp_path) as daemon:
        for fd in (0, 1, 2):
            assert os.readlink(f"/proc/{daemon.pid}/fd/{fd}") == "/dev/null"
        assert os.readlink(f"/proc/{daemon.pid}/cwd") == "/"
        assert os.getsid(daemon.pid) != os.getsid(0)
        with open(f"/proc/{daemon.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        assert int(fields[1]) != os.getpid()  # not our child
        assert fields[4] == "0"  # no terminal
        assert stat.S_IMODE(os.stat(daemon.socket).st_mode) == 0o600


def test_background_start_that_fails_is_reported(tmp_path):
    done = run("--rundir", str(tmp_path), "--domstate", "none", "-F", str(tmp_path / "none" / "pid"))
    assert done.returncode == 1
    assert "FATAL: " in done.stderr
    done = run("--rundir", str(tmp_path), "--domstate", "none", "-E", "x")
    assert done.returncode == 1
    assert 'FATAL: invalid parameter value "x"' in done.stderr


def test_descriptors_of_the_caller_are_not_needed(tmp_path):
    # Closed standard descriptors must not be reused for the socket or the pid file.
    command = 'exec "$0" "$@" <&- >&- 2>&-'
    done = subprocess.run(
        ["sh", "-c", command, binary(), "--rundir", str(tmp_path), "--domstate", "none", "-F", str(tmp_path / "pid")],
        env=clean_environment(),
        timeout=DEADLINE,
        check=False,
    )
    assert done.returncode == 0
    pid = int((tmp_path / "pid").read_text())
    try:
        with Client(tmp_path / "socket") as client:
            client.sync()
        assert {os.readlink(f"/proc/{pid}/fd/{fd}") for fd in (0, 1, 2)} == {"/dev/null"}
    finally:
        os.kill(pid, signal.SIGTERM)
        wait_until(lambda: process_gone(pid), "SIGTERM does not end it")


def notify_socket(address):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(address)
    sock.settimeout(DEADLINE)
    return sock


@pytest.mark.parametrize("kind", ["path", "abstract"])
@pytest.mark.parametrize("background", [False, True])
def test_readiness_is_announced(tmp_path, kind, background):
    name = f"xenstored-test-{os.getpid()}-{background}"
    path = str(tmp_path / "notify")
    with notify_socket(path if kind == "path" else "\0" + name) as sock:
        env = {"NOTIFY_SOCKET": path if kind == "path" else "@" + name}
        if background:
            with Background(tmp_path, env=env) as daemon:
                assert daemon.done.returncode == 0
                assert "READY=1" in sock.recv(4096).decode().split("\n")
        else:
            with Daemon(env=env) as daemon:
                assert "READY=1" in sock.recv(4096).decode().split("\n")
                assert "xenstored is ready" in daemon.stderr()


def test_readiness_is_announced_after_the_socket_listens(tmp_path):
    path = str(tmp_path / "notify")
    with notify_socket(path) as sock:
        daemon = Daemon(env={"NOTIFY_SOCKET": path}).start(wait=False)
        try:
            assert "READY=1" in sock.recv(4096).decode().split("\n")
            daemon.connect().sync()
        finally:
            daemon.stop()


def test_a_notify_socket_that_is_not_there_does_no_harm(tmp_path):
    for value in (str(tmp_path / "none"), "@", "relative", "/" + "x" * 200):
        with Daemon(env={"NOTIFY_SOCKET": value}) as daemon:
            daemon.connect().sync()


# -- signals ---------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGPIPE, signal.SIGHUP])
def test_survived_signals(daemon, client, number):
    for _ in range(20):
        os.kill(daemon.pid, number)
        client.sync()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_ending_signals(number):
    with Daemon() as daemon:
        daemon.connect().sync()
        daemon.expected_exit = -number
        os.kill(daemon.pid, number)
        status = daemon.process.wait(DEADLINE)
        assert status in (0, -number)
        daemon.expected_exit = status


def test_sighup_reopens_the_trace_file(tmp_path):
    path = tmp_path / "trace"
    with Daemon("-T", str(path)) as daemon:
        client = daemon.connect()
        client.write("/first", b"1")
        path.rename(tmp_path / "old")
        client.write("/second", b"1")
        os.kill(daemon.pid, signal.SIGHUP)

        def reopened():
            client.sync()
            return path.exists()

        wait_until(reopened, "the trace file is not opened again")
        client.write("/third", b"1")
        old, new = (tmp_path / "old").read_text(), path.read_text()
        assert "/first" in old and "/second" in old and "/third" not in old
        assert new.startswith("\n***\n") and "/third" in new and "/first" not in new


# -- the trace file --------------------------------------------------------------------------

IO_LINE = r"io: (IN|OUT) (\S+) \(d(\d+)\) \d{8} \d\d:\d\d:\d\d (\S+) \((.*)\)"


def io_lines(text):
    return [re.fullmatch(IO_LINE, line).groups() for line in text.splitlines() if line.startswith("io: ")]


def test_trace_file(tmp_path):
    path = tmp_path / "trace"
    with Daemon("-T", str(path)) as daemon:
        assert stat.S_IMODE(os.stat(path).st_mode) == 0o600
        text = path.read_text()
        assert text.startswith("\n***\n")
        client = daemon.connect()
        client.write("/a/b", b"value")
        client.watch("/a", "tok")
        tx = client.transaction_start()
        client.read("/a/b", tx)
        client.error_of(Type.READ, b"/none\0")
        client.error_of(99, b"what")
        client.transaction_end(tx)
        client.unwatch("/a", "tok")
        client.set_perms("/a", ["n0", "r5"])
        client.sync()
        text = path.read_text()
        lines = io_lines(text)
        assert all(domid == "0" for _, _, domid, _, _ in lines)
        ours = [(way, kind, payload.rstrip(" ")) for way, _, _, kind, payload in lines]
        for expected in (
            ("IN", "WRITE", "/a/b value"),
            ("OUT", "WRITE", "OK"),
            ("IN", "WATCH", "/a tok"),
            ("OUT", "WATCH_EVENT", "/a tok"),
            ("OUT", "TRANSACTION_START", "1"),
            ("IN", "READ", "/a/b"),
            ("OUT", "READ", "value"),
            ("OUT", "ERROR", "ENOENT"),
            ("IN", "**UNKNOWN**", "what"),
            ("OUT", "ERROR", "ENOSYS"),
            ("IN", "TRANSACTION_END", "T"),
            ("IN", "UNWATCH", "/a tok"),
            ("IN", "SET_PERMS", "/a n0 r5"),
            ("IN", "GET_DOMAIN_PATH", "0"),
        ):
            assert expected in ours, expected
        assert ours.index(("IN", "WRITE", "/a/b value")) < ours.index(("IN", "WATCH", "/a tok"))
        for kind in ("connection", "watch", "transaction"):
            assert re.search(rf"^obj: CREATE {kind} \S+$", text, re.M), kind
        for kind in ("watch", "transaction"):
            assert re.search(rf"^obj: DESTROY {kind} \S+$", text, re.M), kind
        created = re.findall(r"^obj: CREATE watch (\S+)$", text, re.M)
        assert re.findall(r"^obj: DESTROY watch (\S+)$", text, re.M) == created
        client.close()

        def destroyed():
            return len(re.findall(r"^obj: DESTROY connection", path.read_text(), re.M)) >= 2

        wait_until(destroyed, "the end of the connection is not traced")


def test_trace_file_is_appended_to(tmp_path):
    path = tmp_path / "trace"
    path.write_text("kept\n")
    with Daemon("--trace-file", str(path)) as daemon:
        daemon.connect().write("/a", b"")
        assert path.read_text().startswith("kept\n\n***\n")


def test_trace_control(tmp_path):
    path = tmp_path / "trace"
    with Daemon("-T", str(path), "--trace-control=-io", "--trace-control=+acc") as daemon:
        client = daemon.connect()
        client.write("/a", b"")
        client.watch("/a", "t")
        text = path.read_text()
        assert "io: " not in text
        assert "obj: CREATE watch" in text
        settings = client.control("log")
        assert "io      : off\n" in settings and "acc     : on\n" in settings


def test_trace_of_every_payload_byte(tmp_path):
    # A value must not be able to break the lines of the log apart from newlines of its own.
    path = tmp_path / "trace"
    with Daemon("-T", str(path)) as daemon:
        client = daemon.connect()
        client.write("/bytes", bytes(range(256)) * 15)
        client.write("/large", b"x" * 4000)
        client.write("/after", b"1")
        assert b"WRITE (/after 1)" in path.read_bytes()


def test_print_goes_to_stderr_in_the_foreground_and_to_the_trace_file_behind(tmp_path):
    with Daemon("-T", str(tmp_path / "front")) as daemon:
        daemon.connect().control("print", "in front")
        assert "control: in front" in daemon.stderr()
    with Background(tmp_path, "-T", str(tmp_path / "behind")) as daemon:
        with Client(daemon.socket) as client:
            client.control("print", "behind")
        assert "control: behind" in (tmp_path / "behind").read_text()


def test_large_requests_do_not_depend_on_tracing(tmp_path):
    with Daemon("-T", "/dev/full") as daemon:
        client = daemon.connect()
        client.write("/a", b"x" * 3000)
        assert client.read("/a") == b"x" * 3000
        assert xswire.text(client.request(Type.READ, strings("/a")).payload) == "x" * 3000
