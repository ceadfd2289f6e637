# SPDX-License-Identifier: GPL-2.0-or-later
"""Real clients: Debian's xenstore-* tools, its test-xenstore, and pyxs.

They find the daemon by XENSTORED_PATH alone.  What is not installed or fetched on this machine
is skipped with its reason; tests/deps.sh says where things are.
"""

import contextlib
import os
import re
import shlex
import subprocess
import threading

import pytest

from tests.lib.daemon import ROOT, clean_environment, tool
from tests.lib.xswire import Type, strings


def peer_paths():
    """What tests/deps.sh knows: name -> path (empty for what is missing)."""
    script = ROOT / "tests" / "deps.sh"
    if not script.exists():
        return {}
    done = subprocess.run(
        ["sh", str(script), "--print-env"], capture_output=True, text=True, timeout=60, check=False
    )
    words = shlex.split(done.stdout)
    return dict(word.split("=", 1) for word in words if "=" in word)


PEERS = peer_paths()


class Tools:
    """Runs Debian's tools against one daemon."""

    def __init__(self, daemon, directory, libraries):
        self.daemon = daemon
        self.directory = directory
        self.env = {"LD_LIBRARY_PATH": libraries} if libraries else {}

    def command(self, name, *args):
        return [os.path.join(self.directory, name), *args]

    def run(self, name, *args):
        return self.daemon.run(*self.command(name, *args), env=self.env)

    def ok(self, name, *args):
        done = self.run(name, *args)
        assert done.returncode == 0, done
        return done.stdout

    @contextlib.contextmanager
    def start(self, name, *args):
        """A tool that goes on; it is killed at the end, or when it takes too long.

        A killed one ends its output, so a test that waits for a line sees an empty one.
        """
        process = subprocess.Popen(
            self.command(name, *args),
            env=clean_environment(XENSTORED_PATH=self.daemon.socket, **self.env),
            stdout=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            text=True,
        )
        deadline = threading.Timer(30, process.kill)
        deadline.start()
        try:
            yield process
        finally:
            deadline.cancel()
            process.kill()
            process.wait()
            process.stdout.close()


def tool_directory():
    """(directory of xenstore-read and the others, directory of their libraries)."""
    directory = PEERS.get("PEER_CLIENTS")
    if directory and os.path.exists(os.path.join(directory, "xenstore-read")):
        return directory, PEERS.get("PEER_LIBS")
    if os.path.exists("/usr/bin/xenstore-read"):
        return "/usr/bin", None
    return None, None


@pytest.fixture
def tools(daemon):
    directory, libraries = tool_directory()
    if directory is None:
        pytest.skip("Debian's xenstore-utils are neither installed nor fetched (tests/deps.sh)")
    return Tools(daemon, directory, libraries)


def test_write_and_read(tools, client):
    tools.ok("xenstore-write", "/t/a", "hello world", "/t/b", "2")
    assert client.read("/t/a") == b"hello world"
    assert client.read("/t/b") == b"2"
    assert tools.ok("xenstore-read", "/t/a") == "hello world\n"
    assert tools.ok("xenstore-read", "/t/a", "/t/b") == "hello world\n2\n"
    assert tools.ok("xenstore-read", "-p", "/t/b") == "/t/b: 2\n"
    tools.ok("xenstore-write", "/t/empty", "")
    assert tools.ok("xenstore-read", "/t/empty") == "\n"
    tools.ok("xenstore-write", "relative", "r")
    assert client.read("/local/domain/0/relative") == b"r"


def test_read_of_what_is_missing(tools):
    done = tools.run("xenstore-read", "/missing")
    assert done.returncode == 1
    assert "xenstore-read: couldn't read path /missing" in done.stderr


def test_escaped_values(tools, client):
    value = bytes(range(1, 256)) + b"\\"
    client.write("/t", value)
    assert tools.ok("xenstore-read", "/t")
    tools.ok("xenstore-write", "/u", "\\x01\\t\\n\\x00end")
    assert client.read("/u") == b"\x01\t\n\0end"


def test_exists(tools, client):
    client.mkdir("/there")
    assert tools.run("xenstore-exists", "/there").returncode == 0
    assert tools.run("xenstore-exists", "/there", "/not-there").returncode == 1
    assert tools.run("xenstore-exists", "/not-there").returncode == 1


def test_list(tools, client):
    for name in ("zeta", "alpha", "10", "9"):
        client.write(f"/dir/{name}", b"x")
    assert tools.ok("xenstore-list", "/dir").split() == ["zeta", "alpha", "10", "9"]
    assert tools.ok("xenstore-list", "-p", "/dir").split()[0] == "/dir/zeta"
    assert tools.run("xenstore-list", "/missing").returncode == 1


def test_list_of_a_large_directory(tools, client):
    # libxenstore goes on with DIRECTORY_PART when DIRECTORY does not fit.
    names = [f"child-{n}" for n in range(3000)]
    for name in names:
        client.send(Type.WRITE, strings(f"/dir/{name}"))
    for _ in names:
        assert client.recv_reply().payload == b"OK\0"
    assert tools.ok("xenstore-list", "/dir").split() == names


def test_ls_with_permissions(tools, client):
    client.write("/vm/one", b"1")
    client.write("/vm/two/deep", b"2")
    client.set_perms("/vm/one", ["b0", "r5"])
    lines = tools.ok("xenstore-ls", "-p", "/vm").splitlines()
    squeezed = [re.sub(r"\s*\.+\s*|\s{2,}(?=\()", " ", line).rstrip() for line in lines]
    assert squeezed[0].startswith('one = "1"') and squeezed[0].endswith("(b0,r5)")
    assert squeezed[1].startswith('two = ""') and squeezed[1].endswith("(n0)")
    assert squeezed[2].startswith(' deep = "2"') and squeezed[2].endswith("(n0)")
    assert tools.ok("xenstore-ls", "-f", "/vm").splitlines() == [
        '/vm/one = "1"',
        '/vm/two = ""',
        '/vm/two/deep = "2"',
    ]
    assert 'tool = ""' in tools.ok("xenstore-ls")


def test_chmod(tools, client):
    client.write("/c/d/e", b"")
    tools.ok("xenstore-chmod", "/c/d", "n0", "r3", "b4")
    assert client.get_perms("/c/d") == ["n0", "r3", "b4"]
    assert client.get_perms("/c/d/e") == ["n0"]
    tools.ok("xenstore-chmod", "-r", "/c", "r0")
    assert client.get_perms("/c/d/e") == ["r0"]
    # D3: this once ended the daemon.
    tools.ok("xenstore-chmod", "/c", "n0", "r32757")
    assert client.get_perms("/c") == ["n0", "r32757"]
    assert tools.run("xenstore-chmod", "/c", "n5").returncode != 0
    assert tools.run("xenstore-chmod", "/missing", "n0").returncode != 0


def test_rm(tools, client):
    client.write("/r/a/b", b"")
    tools.ok("xenstore-rm", "/r/a/b")
    assert client.ls("/r/a") == []
    client.write("/r/a/b", b"")
    tools.ok("xenstore-rm", "-t", "/r/a/b")
    # -t tidies up: empty ancestors go as well.
    assert not client.exists("/r")
    assert tools.run("xenstore-rm", "/none/none").returncode != 0


def test_watch(tools, client):
    client.mkdir("/w")
    with tools.start("xenstore-watch", "-n", "4", "/w") as watcher:
        assert watcher.stdout.readline() == "/w\n"
        client.write("/w/a", b"1")
        client.write("/w/b/c", b"1")
        client.rm("/w/b")
        assert [watcher.stdout.readline() for _ in range(3)] == ["/w/a\n", "/w/b/c\n", "/w/b\n"]
        assert watcher.wait() == 0


def test_watch_of_several_paths(tools, client):
    with tools.start("xenstore-watch", "-n", "4", "/one", "@releaseDomain") as watcher:
        assert {watcher.stdout.readline() for _ in range(2)} == {"/one\n", "@releaseDomain\n"}
        client.write("/one", b"")
        client.set_perms("@releaseDomain", ["n0"])
        assert watcher.stdout.readline() == "/one\n"
        assert watcher.stdout.readline() == "@releaseDomain\n"
        assert watcher.wait() == 0


def test_tools_without_a_daemon(tools, tmp_path):
    tools.daemon.socket = str(tmp_path / "none")
    assert tools.run("xenstore-read", "/").returncode != 0


def test_debians_xenstore_control(daemon, client):
    path = PEERS.get("DEBIAN_XENSTORE_CONTROL")
    if not path or not os.path.exists(path):
        pytest.skip("Debian's xenstore-control is not fetched (tests/deps.sh)")
    env = {"LD_LIBRARY_PATH": PEERS.get("PEER_LIBS", "")}
    theirs = daemon.run(path, "quota", env=env)
    if theirs.returncode == 127:
        pytest.skip(f"Debian's xenstore-control does not start: {theirs.stderr.strip()}")
    ours = daemon.run(tool("xenstore-control"), "quota")
    assert theirs.returncode == ours.returncode == 0
    assert theirs.stdout == ours.stdout
    for args in (["check"], ["log"], ["quota", "0"], ["help"]):
        theirs = daemon.run(path, *args, env=env)
        ours = daemon.run(tool("xenstore-control"), *args)
        assert (theirs.returncode, theirs.stdout) == (ours.returncode, ours.stdout), args


def test_debians_test_xenstore(daemon):
    path = PEERS.get("TEST_XENSTORE")
    if not path or not os.path.exists(path):
        pytest.skip("Debian's test-xenstore is not fetched (tests/deps.sh)")
    done = daemon.run(path, "-i", "100", env={"LD_LIBRARY_PATH": PEERS.get("PEER_LIBS", "")}, timeout=80)
    if done.returncode == 127:
        pytest.skip(f"test-xenstore does not start: {done.stderr.strip()}")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test skipped" not in done.stdout


def test_pyxs(daemon, client):
    pyxs = pytest.importorskip("pyxs", reason="python3-pyxs is not installed")
    with pyxs.Client(unix_socket_path=daemon.socket) as other:
        other.write(b"/py/a", b"1")
        assert client.read("/py/a") == b"1"
        assert other.read(b"/py/a") == b"1"
        assert other.list(b"/py") == [b"a"]
        assert other.exists(b"/py/a") and not other.exists(b"/py/b")
        other.set_perms(b"/py/a", [b"b0", b"r7"])
        assert other.get_perms(b"/py/a") == [b"b0", b"r7"]
        assert other.get_domain_path(3) == b"/local/domain/3"
        monitor = other.monitor()
        monitor.watch(b"/py", b"token")
        events = monitor.wait()
        assert next(events) == (b"/py", b"token")
        client.write("/py/c", b"")
        assert next(events) == (b"/py/c", b"token")
        monitor.unwatch(b"/py", b"token")
        other.transaction()
        other.write(b"/py/tx", b"1")
        assert not client.exists("/py/tx")
        assert other.commit()
        assert client.read("/py/tx") == b"1"
        other.delete(b"/py")
        assert not client.exists("/py")
        with pytest.raises(pyxs.PyXSError):
            other.read(b"/py/a")
