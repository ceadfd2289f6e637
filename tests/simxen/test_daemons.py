# SPDX-License-Identifier: GPL-2.0-or-later
"""Debian's xenstoreds, as they are, on the simulated host, with guests on rings."""

import pytest

NAMES = ["debian-c", "debian-ocaml"]


@pytest.fixture(params=NAMES)
def store(request, start_store):
    return start_store(request.param)


def lines(text):
    return sorted(line.split("=")[0].strip() for line in text.splitlines())


def test_a_guest_talks_through_its_ring(host, store):
    domid = host.create("--name", "first")
    assert host.guest(domid, "xenstore-read", "domid", "name").stdout == f"{domid}\nfirst\n"
    host.guest(domid, "xenstore-write", "data/hello", "world")
    assert store.succeed("xenstore-read", f"/local/domain/{domid}/data/hello") == "world\n"
    listed = host.guest(domid, "xenstore-ls", f"/local/domain/{domid}").stdout
    assert {"data", "control", "device", "domid", "hello"} <= set(lines(listed))


def test_more_than_a_ring_full_in_both_directions(host, store):
    domid = host.create()
    value = "x" * 2000
    host.guest(domid, "xenstore-write", *[w for i in range(5) for w in (f"data/{i}", value)])
    assert host.guest(domid, "xenstore-read", *[f"data/{i}" for i in range(5)]).stdout == \
        5 * (value + "\n")


def test_permissions_hold_for_guests(host, store):
    first, second = host.create(), host.create()
    store.succeed("xenstore-write", "/private", "1")
    host.guest(first, "xenstore-write", "data/own", "1")
    for path in ("/private", f"/local/domain/{first}/data/own", f"/local/domain/{first}"):
        done = host.guest(second, "xenstore-read", path, check=False)
        assert done.returncode == 1 and done.stdout == "", path
    for path in ("/x", "domid", f"/local/domain/{first}/data/x"):
        assert host.guest(second, "xenstore-write", path, "1", check=False).returncode == 1, path
    assert host.guest(first, "xenstore-read", "data/own").stdout == "1\n"


def test_domain_0_has_a_ring_too(host, store):
    host.guest(0, "xenstore-write", "/written/through/the/ring", "1")
    assert store.succeed("xenstore-read", "/written/through/the/ring") == "1\n"


def test_domains_that_were_there_first_are_introduced(host, start_store, request):
    domids = [host.create(), host.create()]
    for name in NAMES:
        store = start_store(name)
        host.wait_introduced(*domids)
        for domid in domids:
            assert host.guest(domid, "xenstore-read", "domid").stdout == f"{domid}\n"
        store.close()


def test_death_is_announced(host, store):
    watch = store.watch(5, "@introduceDomain", "@releaseDomain")
    domid = host.create()
    assert watch.stdout.readline() == "@introduceDomain\n"
    host.run("unpause", domid)
    host.run("shutdown", domid)
    assert watch.stdout.readline() == "@releaseDomain\n"
    host.run("destroy", domid)
    assert watch.stdout.readline() == "@releaseDomain\n"
    host.wait(lambda: domid not in host.domains(), "the daemon to let the domain go")
    assert store.run("xenstore-exists", f"/local/domain/{domid}").returncode == 1


def test_a_watch_of_a_guest_survives_live_updates(host, store):
    domid = host.create()
    watch = host.popen("guest", domid, "--", "xenstore-watch", "-n", "4", "data")
    assert watch.stdout.readline() == "data\n"
    for value in ("1", "2"):
        store.live_update()
        assert store.alive() and any(w in store.command_line() for w in ("-U", "--live"))
        store.succeed("xenstore-write", f"/local/domain/{domid}/data/x", value)
        assert watch.stdout.readline() == "data/x\n"
        assert host.guest(domid, "xenstore-read", "data/x").stdout == value + "\n"
    release = store.watch(2, "@releaseDomain")
    host.run("destroy", domid)
    assert release.stdout.readline() == "@releaseDomain\n"


def test_a_domid_is_used_again(host, store):
    host.create(9)
    host.guest(9, "xenstore-write", "data/x", "old")
    host.run("destroy", 9)
    host.create(9)
    assert host.guest(9, "xenstore-read", "data/x", check=False).returncode == 1
    host.guest(9, "xenstore-write", "data/x", "new")
    assert host.guest(9, "xenstore-read", "data/x").stdout == "new\n"


def test_the_processes_of_a_guest_end_with_it(host, store):
    domid = host.create()
    watch = host.popen("guest", domid, "--", "xenstore-watch", "data")
    assert watch.stdout.readline() == "data\n"
    host.run("destroy", domid)
    watch.wait(60)
