# SPDX-License-Identifier: GPL-2.0-or-later
"""The commands of simxen, without any xenstored."""

import os
import subprocess

from tests.lib.daemon import clean_environment
from tests.simxen.host import SIMXEN, Host


def simxen(directory, *arguments):
    return subprocess.run([SIMXEN, *arguments], env=clean_environment(SIMXEN_DIR=directory),
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=60,
                          check=False)


def test_start_returns_when_the_host_can_be_used_and_stop_when_it_is_gone(tmp_path):
    directory = tmp_path / "host"
    assert simxen(directory, "start").returncode == 0
    try:
        pid = int((directory / "pid").read_text())
        assert simxen(directory, "list").stdout.split()[-1] == "Domain-0"
        again = simxen(directory, "start")
        assert again.returncode == 1 and "already" in again.stderr
    finally:
        assert simxen(directory, "stop").returncode == 0
    assert simxen(directory, "list").returncode == 1
    assert not os.path.exists(f"/proc/{pid}") or \
        open(f"/proc/{pid}/stat", encoding="ascii").read().rpartition(")")[2].split()[0] == "Z"
    # And again in the same place.
    assert simxen(directory, "start").returncode == 0
    assert simxen(directory, "stop").returncode == 0


def test_without_a_host_commands_say_so(tmp_path):
    for command in (["list"], ["create"], ["destroy", "1"], ["exec", "--", "true"],
                    ["guest", "1", "--", "true"], ["stop"]):
        done = simxen(tmp_path / "none", *command)
        assert done.returncode == 1 and "there is no host" in done.stderr, command


def test_every_command_has_help_and_refuses_nonsense(tmp_path):
    overview = simxen(tmp_path, "--help")
    assert overview.returncode == 0
    commands = [line.split()[1] for line in overview.stdout.splitlines()
                if line.startswith("  simxen ")]
    assert {"start", "stop", "list", "create", "destroy", "exec", "guest"} <= set(commands)
    for command in commands:
        done = simxen(tmp_path, command, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"usage: simxen {command}")
        assert simxen(tmp_path, command, "--nonsense", "x", "y", "z").returncode == 2, command
    assert simxen(tmp_path, "nonsense").returncode == 2


def test_create_prints_the_domid_and_nothing_else(host):
    assert host.run("create").stdout == "1\n"
    assert host.run("create", "--name", "web").stdout == "2\n"
    assert host.run("create", "77").stdout == "77\n"
    assert host.run("create", "--count", "3").stdout == "3\n4\n5\n"
    domains = host.domains()
    assert [domains[d][2] for d in (1, 2, 77)] == ["guest-1", "web", "guest-77"]


def test_a_domain_lives_and_dies(host):
    domid = host.create()
    assert host.domains()[domid][0].startswith("p")
    host.run("unpause", domid)
    assert host.domains()[domid][0].startswith("r")
    host.run("shutdown", domid, "crash")
    assert host.domains()[domid][0].endswith(":crash")
    host.run("destroy", domid)
    assert domid not in host.domains()
    assert host.run("destroy", domid, check=False).returncode == 1


def test_a_suspended_domain_resumes(host):
    domid = host.create()
    host.run("unpause", domid)
    host.run("shutdown", domid, "suspend")
    assert host.domains()[domid][0].endswith(":suspend")
    host.run("resume", domid)
    assert host.domains()[domid][0].startswith("r")


def test_a_domid_in_use_is_refused_and_one_that_was_used_gets_a_new_unique_id(host):
    host.create(5)
    first = host.domains()[5][1]
    assert host.run("create", 5, check=False).returncode == 1
    host.run("destroy", 5)
    assert host.create(5) == 5
    assert host.domains()[5][1] not in (0, first)


def test_unique_ids_can_be_a_sequence():
    with Host("--ids", "sequence") as host:
        host.run("create", "--count", "3")
        assert [host.domains()[d][1] for d in range(4)] == [1, 2, 3, 4]


def test_two_hosts_know_nothing_of_each_other(host):
    with Host() as other:
        host.create()
        assert set(other.domains()) == {0}
        assert set(host.domains()) == {0, 1}


def test_a_guest_that_does_not_exist_cannot_be_played(host):
    done = host.guest(9, "true", check=False)
    assert done.returncode == 1 and "no domain 9" in done.stderr
