# SPDX-License-Identifier: GPL-2.0-or-later
"""CONTROL live-update: its sub-commands, their texts, and to whom a session belongs."""

import os

import pytest

from tests.lib.daemon import binary
from tests.lib.xswire import Type, strings
from tests.update.live import control_tool, exec_time

NO_SESSION = "Not in live-update session."


def lu(client, *words):
    return client.control("live-update", *words)


def test_update_through_the_sub_commands(daemon, client, other):
    other.write("/a", b"1")
    before = exec_time(daemon.pid)
    assert lu(client, "-f", binary()) == "OK"
    assert exec_time(daemon.pid) == before
    assert lu(client, "-s") == "OK"
    assert exec_time(daemon.pid) != before
    assert other.read("/a") == b"1"
    # The session is over with its update.
    assert lu(other, "-a") == "No live-update session active."
    assert lu(other, "-f", binary()) == "OK"
    assert lu(other, "-s", "-t", "5", "-F", "-v", "2", "-m", "memory", "-w", "30") == "OK"


def test_files_that_are_refused(daemon, client, tmp_path):
    assert lu(client, "-f", str(tmp_path / "none")) == "File not accessible."
    plain = tmp_path / "plain"
    plain.write_bytes(b"x")
    plain.chmod(0o644)
    assert lu(client, "-f", str(plain)) == "File not executable."
    assert lu(client, "-f", "/" + "x" * 4000) == "File not accessible."
    # None of these has opened a session.
    assert lu(client, "-a") == "No live-update session active."
    assert lu(client, "-s") == NO_SESSION


def test_one_session_at_a_time(daemon, client, other):
    assert lu(client, "-f", binary()) == "OK"
    assert lu(other, "-f", binary()) == "live-update session already active."
    assert lu(client, "-f", binary()) == "live-update session already active."
    for words in (("-c", "-N"), ("-s",), ("-s", "-t", "1")):
        assert lu(other, *words) == NO_SESSION, words
    assert lu(client, "-a") == "OK"
    assert lu(client, "-s") == NO_SESSION
    assert lu(client, "-c", "x") == NO_SESSION


def test_anybody_may_abort(daemon, client, other):
    assert lu(client, "-f", binary()) == "OK"
    assert lu(other, "-a") == "OK"
    assert lu(client, "-a") == "No live-update session active."
    daemon.updated()


def test_a_session_ends_with_its_connection(daemon, client, other):
    assert lu(client, "-f", binary()) == "OK"
    assert lu(client, "-c", "--nonsense-that-must-not-stay") == "OK"
    client.close()
    while lu(other, "-f", binary()) != "OK":
        other.sync()
    assert lu(other, "-s") == "OK"


def test_closing_another_connection_changes_nothing(daemon, client, other):
    assert lu(client, "-f", binary()) == "OK"
    other.close()
    daemon.connect().sync()
    assert lu(client, "-s") == "OK"


def test_without_a_session(daemon, client):
    assert lu(client, "-s") == NO_SESSION
    assert lu(client, "-c", "-N") == NO_SESSION
    assert lu(client, "-a") == "No live-update session active."


@pytest.mark.parametrize("version", ["0", "3", "-1", "x"])
def test_a_refused_version_ends_the_session(daemon, client, other, version):
    before = exec_time(daemon.pid)
    assert lu(client, "-f", binary()) == "OK"
    assert lu(client, "-s", "-v", version) == "Migration stream version not supported."
    assert exec_time(daemon.pid) == before
    assert lu(client, "-s") == NO_SESSION
    assert lu(other, "-f", binary()) == "OK"
    assert lu(other, "-s") == "OK"


@pytest.mark.parametrize("words", [
    (), ("-x",), ("live",), ("-f",), ("-f", "/a", "/b"), ("-c",), ("-c", "a", "b"), ("-a", "x"),
    ("-s", "x"), ("-s", "-t"), ("-s", "-v"), ("-s", "-F", "-t"), ("-s", "-w"), ("-s", "-w", "0"),
    ("-s", "-w", "x"), ("-s", "-w", "86401"), ("-s", "-m", "paper"), ("-b", "100"),
    ("-d", "1", "x")])
def test_malformed_ones(daemon, client, words):
    assert client.error_of(Type.CONTROL, strings("live-update", *words)) == "EINVAL"
    # Nothing was begun and nothing was ended by it.
    assert lu(client, "-f", binary()) == "OK"
    assert client.error_of(Type.CONTROL, strings("live-update", *words)) == "EINVAL"
    assert lu(client, "-s") == "OK"


def test_a_command_line_replaces_the_old_one(daemon, client, tmp_path):
    trace = tmp_path / "trace"
    line = f"-N --rundir {daemon.rundir}\t--domstate none --pid-file {daemon.pid_file}  -T {trace}"
    daemon.updated(cmdline=line)
    with open(f"/proc/{daemon.pid}/cmdline", encoding="ascii") as file:
        arguments = file.read().split("\0")[:-1]
    assert arguments == [binary(), *line.split(), "-U"]
    client.write("/seen", b"1")
    assert "/seen" in trace.read_text()
    # Without -c the command line stays as it is now.
    daemon.updated()
    with open(f"/proc/{daemon.pid}/cmdline", encoding="ascii") as file:
        assert file.read().split("\0")[:-1] == arguments
    assert client.read("/seen") == b"1"


def test_update_flag_is_not_doubled(daemon):
    daemon.updated(cmdline=f"-U -N --rundir {daemon.rundir} --domstate none "
                           f"--pid-file {daemon.pid_file}")
    with open(f"/proc/{daemon.pid}/cmdline", encoding="ascii") as file:
        assert file.read().split("\0").count("-U") == 1


def test_replies_keep_their_order_around_the_start(daemon, client):
    """What was sent behind -s is answered behind it."""
    client.write("/a", b"1")
    assert lu(client, "-f", binary()) == "OK"
    replies = client.pipeline([(Type.CONTROL, strings("live-update", "-s")),
                               (Type.READ, b"/a\0"), (Type.READ, b"/none\0"),
                               (Type.GET_DOMAIN_PATH, b"0\0")])
    assert [reply.payload for reply in replies] == \
        [b"OK\0", b"1", b"ENOENT\0", b"/local/domain/0\0"]


def test_a_second_start_behind_the_first(daemon, client):
    assert lu(client, "-f", binary()) == "OK"
    start = (Type.CONTROL, strings("live-update", "-s"))
    replies = client.pipeline([start, start])
    assert [reply.payload for reply in replies] == [b"OK\0", NO_SESSION.encode() + b"\0"]


def test_ids_of_the_request_are_in_the_answer(daemon, client):
    assert lu(client, "-f", binary()) == "OK"
    reply = client.exchange(Type.CONTROL, strings("live-update", "-s"), req=0xfedcba98)
    assert reply.payload == b"OK\0"


def test_the_requester_may_go_at_once(daemon, client, other):
    before = exec_time(daemon.pid)
    assert lu(client, "-f", binary()) == "OK"
    client.send(Type.CONTROL, strings("live-update", "-s"))
    client.close()
    other.write("/a", b"1")
    assert other.read("/a") == b"1"
    assert lu(other, "-a") == "No live-update session active."
    assert os.path.exists(f"/proc/{daemon.pid}")
    assert before  # whether the update was done or given up, the daemon serves


def test_help_names_it(daemon, client):
    assert "live-update" in client.control("help")
    assert "live-update" in client.control("help", "live-update") \
        if client.error_of(Type.CONTROL, strings("help", "live-update")) is None else True


def test_only_privileged_connections_may(daemon, client):
    """Sockets are all privileged; an unknown sub-command of CONTROL is no way around."""
    assert client.error_of(Type.CONTROL, strings("live-updat", "-f", binary())) == "EINVAL"
    assert client.error_of(Type.CONTROL, b"live-update") == "EINVAL"


def test_xenstore_control(daemon, client):
    client.write("/a", b"1")
    before = exec_time(daemon.pid)
    done = control_tool(daemon.socket, "live-update", binary())
    assert (done.returncode, done.stderr) == (0, "")
    assert exec_time(daemon.pid) != before
    done = control_tool(daemon.socket, "live-update", "-F", "-t", "3", "-v", "1", binary())
    assert done.returncode == 0, done.stderr
    assert client.read("/a") == b"1"
    done = control_tool(daemon.socket, "live-update", "/none")
    assert done.returncode == 3
    assert "Setting update binary failed:" in done.stderr + done.stdout
    assert "File not accessible." in done.stderr + done.stdout
    done = control_tool(daemon.socket, "live-update", "-v", "9", binary())
    assert done.returncode == 3
    assert "Starting live update failed:" in done.stderr + done.stdout
    assert "Migration stream version not supported." in done.stderr + done.stdout
    assert control_tool(daemon.socket, "live-update", binary()).returncode == 0
