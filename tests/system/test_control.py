# SPDX-License-Identifier: GPL-2.0-or-later
"""CONTROL commands and their exact texts, and build/xenstore-control as their client.

spec: cli-and-control.md sections 6 and 8.
"""

import os
import re
import subprocess

import pytest

from tests.lib.daemon import clean_environment, tool
from tests.lib.xswire import Type, strings

# name, value, description; in the order of every listing.
QUOTAS = [
    ("nodes", 1000, "Nodes per domain"),
    ("watches", 128, "Watches per domain"),
    ("outstanding", 20, "Outstanding requests per domain"),
    ("memory", 2621440, "Total Xenstore memory per domain"),
    ("transactions", 10, "Active transactions per domain"),
    ("transaction-nodes", 1024, "Max. number of accessed nodes per transaction"),
    ("node-permissions", 5, "Max. number of permissions per node"),
    ("path-max", 2048, "Max. length of a node path"),
    ("node-size", 2048, "Max. size of a node"),
]

HELP = [
    ("check", ""),
    ("log", "[on|off|+<switch>|-<switch>]"),
    (
        "live-update",
        "[-c <cmdline>] [-F] [-t <timeout>] [-v <version>] <file>\n"
        "    Default timeout is 60 seconds, default version is 2.",
    ),
    ("logfile", "<file>"),
    ("memreport", "[<file>]"),
    (
        "migrate",
        "[-x <domid>|-r <offset>|-b <size>|-d <size> <bytes>|-i <domid> [<port>]|-a]",
    ),
    ("print", "<string>"),
    ("quota", "[set <name> <val>|<domid>|max [-r]]"),
    ("quota-soft", "[set <name> <val>]"),
    ("help", ""),
]


def control_error(client, *args):
    return client.error_of(Type.CONTROL, strings(*args))


def has_live_update(client):
    return control_error(client, "live-update", "-a") != "EINVAL"


def content_with(path, text):
    """The file's content, in which `text` must be: a request is traced before its answer."""
    with open(path, encoding="latin-1") as file:
        content = file.read()
    assert text in content
    return content


# -- the requests ----------------------------------------------------------------------------


def test_unknown_commands(sc):
    for args in (["nonsense"], [""], ["Check"], ["check "], ["help", "x"], ["check", "x"]):
        assert control_error(sc, *args) == "EINVAL", args
    for payload in (b"", b"check", b"help"):
        assert sc.error_of(Type.CONTROL, payload) == "EINVAL"


def test_unterminated_rest_is_ignored(sc):
    assert sc.request(Type.CONTROL, b"check\0rest").payload == b"OK\0"


def test_help(sc):
    # Exactly the commands that exist are listed: live update is not part of every build.
    known = [line for line in HELP if line[0] != "live-update" or has_live_update(sc)]
    assert sc.control("help") == "".join("%-15s %s\n" % line for line in known)


def test_check(client):
    client.write("/a/b/c", b"x")
    assert client.control("check") == "OK"
    assert client.read("/a/b/c") == b"x"


def test_log_settings(client):
    expected = {"obj": "on", "io": "on", "wrl": "off", "acc": "off", "tdb": "off"}

    def shown():
        return "Log switch settings:\n" + "".join("%-8s: %s\n" % i for i in expected.items())

    assert client.control("log") == shown()
    for switch in expected:
        for sign, state in (("+", "on"), ("-", "off"), ("-", "off"), ("+", "on")):
            assert client.control("log", sign + switch) == "OK"
            expected[switch] = state
            assert client.control("log") == shown()


def test_log_errors(sc):
    for args in (["+nonsense"], ["-"], ["+"], ["obj"], [""], ["ON"], ["on", "off"], ["+obj", "x"]):
        assert control_error(sc, "log", *args) == "EINVAL", args


def test_log_on_and_off_without_a_file(sc):
    assert sc.control("log", "on") == "OK"
    assert sc.control("log", "off") == "OK"


def test_logfile(client, tmp_path):
    path = tmp_path / "trace"
    assert client.control("logfile", path) == "OK"
    client.write("/traced", b"value")
    assert path.read_text().startswith("\n***\n")
    assert "WRITE (/traced value)" in content_with(path, "/traced")
    assert client.control("log", "off") == "OK"
    client.write("/untraced", b"value")
    assert "/untraced" not in path.read_text()
    assert client.control("log", "on") == "OK"
    client.write("/traced-again", b"value")
    content = content_with(path, "/traced-again")
    assert content.count("\n***\n") == 2
    second = tmp_path / "second"
    assert client.control("logfile", second) == "OK"
    client.write("/elsewhere", b"")
    content_with(second, "/elsewhere")
    assert "/elsewhere" not in path.read_text()


def test_logfile_switches(client, tmp_path):
    path = tmp_path / "trace"
    client.control("logfile", path)
    client.control("log", "-io")
    client.write("/silent", b"")
    client.watch("/silent", "t")
    content = path.read_text()
    assert "/silent" not in content
    assert re.search(r"^obj: CREATE watch ", content, re.M)
    client.control("log", "+io")
    client.control("log", "-obj")
    client.unwatch("/silent", "t")
    content = path.read_text()
    assert "UNWATCH (/silent t )" in content
    assert "obj: DESTROY watch" not in content


def test_logfile_that_cannot_be_opened(client, tmp_path):
    assert client.control("logfile", tmp_path / "none" / "trace") == "OK"
    client.write("/a", b"1")
    assert client.read("/a") == b"1"


def test_logfile_arguments(sc, tmp_path):
    assert control_error(sc, "logfile") == "EINVAL"
    path = tmp_path / "trace"
    assert control_error(sc, "logfile", path, "more") == "EINVAL"
    assert not path.exists()


def test_print(daemon, client):
    assert client.control("print", "a text for the log") == "OK"
    assert "control: a text for the log" in daemon.stderr()
    assert control_error(client, "print") == "EINVAL"
    assert control_error(client, "print", "a", "b") == "EINVAL"


def test_memreport(client, tmp_path):
    assert control_error(client, "memreport") == "EINVAL"
    path = tmp_path / "report"
    path.write_text("kept\n")
    assert client.control("memreport", path) == "OK"
    first = path.read_text()
    assert first.startswith("kept\n") and len(first) > 50
    assert client.control("memreport", path) == "OK"
    assert len(path.read_text()) > len(first)
    assert control_error(client, "memreport", tmp_path / "none" / "report") == "EINVAL"
    assert control_error(client, "memreport", path, "x") == "EINVAL"


def test_memreport_into_the_trace_file(client, tmp_path):
    path = tmp_path / "trace"
    client.control("logfile", path)
    before = len(path.read_text())
    assert client.control("memreport") == "OK"
    assert len(path.read_text()) > before + 50


def quota_settings(changed=()):
    values = {name: value for name, value, _ in QUOTAS}
    values.update(changed)
    return "Quota settings:\n" + "".join(
        "%-17s: %8d %s\n" % (name, values[name], text) for name, _, text in QUOTAS
    )


def test_quota(sc):
    assert sc.control("quota") == quota_settings()


def test_quota_set(client):
    changed = {}
    for number, (name, _, _) in enumerate(QUOTAS):
        changed[name] = 3 + number
        assert client.control("quota", "set", name, changed[name]) == "OK"
        assert client.control("quota") == quota_settings(changed)
        assert client.get_quota(name) == changed[name]
    client.control("quota", "set", "nodes", "123456789")
    assert "nodes            : 123456789 Nodes per domain\n" in client.control("quota")
    client.control("quota", "set", "nodes", "12tail")
    assert client.get_quota("nodes") == 12


def test_quota_errors(sc):
    for args in (
        ["set"],
        ["set", "nodes"],
        ["set", "nodes", "0"],
        ["set", "nodes", "-1"],
        ["set", "nodes", "x"],
        ["set", "nodes", ""],
        ["set", "nonsense", "5"],
        ["set", "permissions", "5"],
        ["set", "soft-memory", "5"],
        ["set", "nodes", "5", "6"],
        ["max", "-x"],
        ["max", "-r", "x"],
        ["0", "x"],
    ):
        assert control_error(sc, "quota", *args) == "EINVAL", args
    assert sc.control("quota") == quota_settings()


def test_quota_of_a_domain(client):
    client.write("/a", b"")
    client.watch("/a", "t")
    text = client.control("quota", "0")
    lines = text.splitlines()
    assert lines[0] == "Domain 0:"
    values = {}
    for line, (name, _, _) in zip(lines[1:], QUOTAS):
        match = re.fullmatch(r"(.{17}): +(\d+) \(max +(\d+)\)", line)
        assert match and match[1].strip() == name, line
        values[name] = (int(match[2]), int(match[3]))
        assert line == "%-17s: %8u (max %8u)" % (name, *values[name])
    assert len(lines) == 1 + len(QUOTAS)
    assert text.endswith("\n")
    assert values["nodes"] == (6, 6)
    assert values["watches"] == (1, 1)
    client.unwatch("/a", "t")
    client.rm("/a")
    lines = client.control("quota", "0").splitlines()
    assert lines[1] == "nodes            :        5 (max        6)"
    assert lines[2] == "watches          :        0 (max        1)"


def test_quota_counts_what_a_closed_connection_held(daemon, client):
    victim = daemon.connect()
    for n in range(10):
        victim.watch(f"/{n}", "t")
        victim.transaction_start()
    lines = client.control("quota", "0").splitlines()
    assert lines[2] == "watches          :       10 (max       10)"
    assert lines[5] == "transactions     :       10 (max       10)"
    victim.reset_watches()
    lines = client.control("quota", "0").splitlines()
    assert lines[2] == "watches          :        0 (max       10)"
    assert lines[5] == "transactions     :        0 (max       10)"


def test_quota_argument_is_read_leniently(client):
    client.control("quota", "0")  # its own answer is the largest thing counted as memory so far
    assert client.control("quota", "foo") == client.control("quota", "0")
    assert control_error(client, "quota", "5") == "ENOENT"


def test_quota_max(client):
    expected = "Max. seen accounting values:\n" + "".join("%-17s: %8u\n" % (q[0], 0) for q in QUOTAS)
    client.write("/a/b/c", b"x" * 1000)
    # Only unprivileged domains are looked at, and there is none.
    assert client.control("quota", "max") == expected
    assert client.control("quota", "max", "-r") == expected


def test_quota_max_reset_takes_the_current_values(client):
    client.write("/a", b"")
    client.rm("/a")
    assert "nodes            :        5 (max        6)" in client.control("quota", "0")
    client.control("quota", "max", "-r")
    assert "nodes            :        5 (max        5)" in client.control("quota", "0")


def test_quota_soft(client):
    def settings(value):
        return "Quota settings:\n%-17s: %8d %s\n" % ("memory", value, QUOTAS[3][2])

    assert client.control("quota-soft") == settings(2097152)
    assert client.control("quota-soft", "set", "memory", "1000") == "OK"
    assert client.control("quota-soft") == settings(1000)
    assert client.get_quota("soft-memory") == 1000
    for args in (
        ["0"],
        ["max"],
        ["set"],
        ["set", "memory"],
        ["set", "memory", "0"],
        ["set", "nodes", "5"],
        ["set", "soft-memory", "5"],
        ["set", "memory", "1", "2"],
    ):
        assert control_error(client, "quota-soft", *args) == "EINVAL", args
    assert client.control("quota-soft") == settings(1000)


# -- the client program ----------------------------------------------------------------------


@pytest.fixture
def xc():
    path = tool("xenstore-control")
    if not os.path.exists(path):
        pytest.fail(f"{path} is missing; run make")
    return path


def test_program_prints_the_answer(daemon, client, xc):
    done = daemon.run(xc, "check")
    assert (done.returncode, done.stdout, done.stderr) == (0, "OK\n", "")
    done = daemon.run(xc, "quota")
    assert done.returncode == 0
    assert done.stdout.rstrip("\n") == client.control("quota").rstrip("\n")
    done = daemon.run(xc, "quota", "set", "nodes", "77")
    assert (done.returncode, done.stdout) == (0, "OK\n")
    assert client.get_quota("nodes") == 77
    done = daemon.run(xc, "help")
    assert done.returncode == 0 and "quota-soft" in done.stdout


def test_program_with_an_invalid_command(daemon, client, xc):
    for args in (["nonsense"], ["quota", "set", "nodes", "0"]):
        done = daemon.run(xc, *args)
        assert done.returncode == 3
        assert done.stdout == ""
        assert done.stderr.startswith("Command not supported. Valid commands are:\n")
        assert client.control("help").rstrip("\n") in done.stderr


def test_program_with_another_error(daemon, xc):
    done = daemon.run(xc, "quota", "5")
    assert done.returncode == 3
    assert "Error 2 when trying to execute command." in done.stdout + done.stderr


def test_program_usage(daemon, xc):
    assert daemon.run(xc).returncode == 2
    for args in (["live-update"], ["live-update", "-t"], ["live-update", "-c"], ["live-update", "-t", "5"]):
        assert daemon.run(xc, *args).returncode == 2, args


def test_program_without_a_daemon(daemon, xc, tmp_path):
    done = daemon.run(xc, "check", env={"XENSTORED_PATH": str(tmp_path / "none")})
    assert done.returncode == 1
    assert done.stderr


def test_program_finds_the_daemon_by_its_run_directory(daemon, xc):
    done = subprocess.run(
        [xc, "check"],
        env=clean_environment(XENSTORED_RUNDIR=daemon.rundir),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "OK\n")
