# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's xenstoreds on the stand-in: real clients can work with them.

What is compared against these daemons elsewhere is worth no more than they are,
so this asks for the whole way: client library, socket, daemon, and back.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parent))
import peer  # noqa: E402

NAMES = ["debian-c", "debian-ocaml"]
DEADLINE = 60


@pytest.fixture(params=NAMES)
def daemon(request, tmp_path):
    reason = peer.unavailable(request.param)
    if reason:
        pytest.skip(reason)
    with peer.start(request.param, tmp_path / "run") as running:
        yield running


def run(daemon, *command):
    return subprocess.run(command, env=daemon.environment(), timeout=DEADLINE,
                          capture_output=True, text=True)


def succeed(daemon, *command):
    result = run(daemon, *command)
    assert result.returncode == 0, result.stderr
    return result.stdout


def test_a_value_can_be_written_read_listed_and_removed(daemon):
    succeed(daemon, "xenstore-write", "/a/b", "first", "/a/c", "second")
    assert succeed(daemon, "xenstore-read", "/a/b", "/a/c") == "first\nsecond\n"
    assert succeed(daemon, "xenstore-ls", "-f", "/a") == '/a/b = "first"\n/a/c = "second"\n'
    assert succeed(daemon, "xenstore-list", "/a") == "b\nc\n"
    succeed(daemon, "xenstore-rm", "/a/b")
    assert run(daemon, "xenstore-exists", "/a/b").returncode != 0
    assert run(daemon, "xenstore-exists", "/a/c").returncode == 0


def test_permissions_can_be_set_and_listed(daemon):
    succeed(daemon, "xenstore-write", "/a", "value")
    succeed(daemon, "xenstore-chmod", "/a", "r0", "b3")
    assert "(r0,b3)" in succeed(daemon, "xenstore-ls", "-p", "/")


def test_a_watch_sees_a_change(daemon):
    watcher = subprocess.Popen(["xenstore-watch", "-n", "2", "/watched"], text=True,
                               env=daemon.environment(), stdout=subprocess.PIPE)
    try:
        assert watcher.stdout.readline() == "/watched\n"
        succeed(daemon, "xenstore-write", "/watched/below", "x")
        assert watcher.stdout.readline() == "/watched/below\n"
        assert watcher.wait(DEADLINE) == 0
    finally:
        watcher.kill()
        watcher.stdout.close()
        watcher.wait()


def test_debians_own_test_program_passes(daemon):
    program = peer.extracted()["TEST_XENSTORE"]
    if not program:
        pytest.skip("test-xenstore is not to be had from Debian")
    result = run(daemon, program)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "rm dir" in result.stdout


def test_pyxs_can_work_with_it(daemon):
    pyxs = pytest.importorskip("pyxs")
    with pyxs.Client(unix_socket_path=str(daemon.socket)) as client:
        client.write(b"/from/pyxs", b"value")
        assert client.read(b"/from/pyxs") == b"value"
        assert client.list(b"/from") == [b"pyxs"]


def test_domain_zero_exists_and_no_other(daemon):
    pyxs = pytest.importorskip("pyxs")
    with pyxs.Client(unix_socket_path=str(daemon.socket)) as client:
        assert client.is_domain_introduced(0)
        assert not client.is_domain_introduced(1)


def test_two_of_a_kind_do_not_share_a_store(daemon, tmp_path):
    with peer.start(daemon.name, tmp_path / "other") as other:
        succeed(daemon, "xenstore-write", "/here", "1")
        assert run(other, "xenstore-exists", "/here").returncode != 0
        assert daemon.alive()


def test_nothing_outside_its_directory_is_touched(daemon):
    """The compiled-in directories of the daemons are those of a real host's."""
    succeed(daemon, "xenstore-write", "/a", "value")
    for path in ("/run/xenstored", "/run/xen", "/var/log/xen"):
        for entry in Path(path).glob("*"):
            age = time.time() - entry.lstat().st_mtime
            assert age > DEADLINE, f"{entry} was changed {age:.0f} s ago"
    opened = {os.readlink(link) for link in Path(f"/proc/{daemon.pid}/fd").iterdir()}
    outside = {path for path in opened
               if path.startswith("/") and not path.startswith((str(daemon.rundir), "/dev/"))}
    assert {path for path in outside if "memfd:" not in path} == set()


def test_it_dies_with_the_process_that_started_it(daemon, tmp_path):
    script = (f"import sys, time; sys.path.insert(0, {str(Path(__file__).parent)!r}); import peer\n"
              f"print(peer.start({daemon.name!r}, {str(tmp_path / 'child')!r}).pid, flush=True)\n"
              "time.sleep(600)")
    starter = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pid = int(starter.stdout.readline())
    assert os.path.exists(f"/proc/{pid}")
    starter.send_signal(signal.SIGKILL)
    starter.wait()
    starter.stdout.close()
    deadline = time.monotonic() + DEADLINE
    while _runs(pid):
        assert time.monotonic() < deadline, "the daemon outlives its starter"
        time.sleep(0.01)


def _runs(pid):
    """Is there a process with this id that is more than a zombie?"""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"
