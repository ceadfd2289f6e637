# SPDX-License-Identifier: GPL-2.0-or-later
"""A domid that comes back: the new domain is nobody's heir."""

import contextlib

import xswire
from checks_guests import Lives
from framework import check, equal, wait_until
from reuse import ChosenGuest, Control

DOMID = 700
UUID = "11111111-2222-3333-4444-555555555555"


def leave_traces(host):
    host.client.write("/for-the-first", b"secret")
    host.client.set_perms("/for-the-first", ["n0", f"b{DOMID}"])
    host.client.write("/of-the-first", b"")
    host.client.set_perms("/of-the-first", [f"n{DOMID}"])
    assert host.client.exists("/of-the-first")


def expect_none(host):
    assert not host.client.exists("/of-the-first"), "a node of the first domain"
    host.client.rm("/for-the-first")


@check("a domid that is used again at once belongs to the new domain alone", deadline=120)
def reuse(host):
    with Lives(host) as lives:
        first = ChosenGuest(host, "first", DOMID)
        with first:
            equal(first.wait_hello(), str(DOMID))
            host.client.write(f"{first.home}/data/of-the-first", b"")
            leave_traces(host)
        with ChosenGuest(host, "second", DOMID) as second:
            equal(second.wait_hello(), str(DOMID))
            second.ping("second")
            assert not host.client.exists(f"{second.home}/data/of-the-first")
            expect_none(host)
        lives.expect(2, 2)


@check("also one with the same UUID, again and again", deadline=240)
def same_uuid(host):
    with Lives(host) as lives:
        rounds = 10 if host.settings["long"] else 3
        for i in range(rounds):
            with ChosenGuest(host, f"round-{i}", DOMID, UUID) as guest:
                equal(guest.wait_hello(), str(DOMID))
                guest.ping(f"round {i}")
        lives.expect(rounds, rounds)


@contextlib.contextmanager
def asleep(host):
    host.stop()
    try:
        yield
    finally:
        host.go_on()


def expect_forgotten(host, lives):
    lives.expect(0, 1)
    wait_until(lambda: not host.client.is_introduced(DOMID), "the end of its introduction")
    assert not host.client.exists("/of-the-first"), "a node of the first domain"
    host.client.rm("/for-the-first")


@check("the end of a guest while xenstored sleeps is noticed when it wakes")
def slept(host):
    with ChosenGuest(host, "slept", DOMID) as guest, Control() as control:
        guest.wait_hello()
        leave_traces(host)
        with Lives(host) as lives:
            with asleep(host):
                control.destroy(DOMID)
            expect_forgotten(host, lives)
        # What a toolstack would have removed.
        vm = guest.read("vm")
        for path in (guest.home, f"/libxl/{DOMID}", vm):
            host.client.rm(path)


def replaced(host, uuid):
    """Puts another domain in the place of one that was never introduced, unseen by xenstored.

    An introduced one cannot be replaced unseen: xenstored's mapping of its ring keeps its domid
    taken until xenstored has let go.
    """
    with Control() as control:
        control.create(DOMID, UUID)
        try:
            leave_traces(host)
            with asleep(host):
                control.destroy(DOMID)
                control.create(DOMID, uuid)
            wait_until(lambda: not host.client.exists("/of-the-first"), "the end of its nodes")
            host.client.rm("/for-the-first")
        finally:
            control.destroy(DOMID)


@check("a domain that was replaced by another while xenstored slept leaves nothing to it",
       ours=True)
def replaced_by_other(host):
    replaced(host, "99999999-2222-3333-4444-555555555555")


@check("the same, when the other has the same UUID and has not run either", since=(4, 21))
def replaced_by_twin(host):
    replaced(host, UUID)


@check("each of many short-lived domains is noticed, though their domid is the same", ours=True,
       since=(4, 21))
def many_twins(host):
    with Control() as control:
        for _ in range(20):
            control.create(DOMID, UUID)
            leave_traces(host)
            with asleep(host):
                control.destroy(DOMID)
                control.create(DOMID, UUID)
            equal(host.client.error_of(xswire.Type.SET_PERMS,
                                       xswire.strings("/for-the-first", "n0", f"r{DOMID}")), None)
            wait_until(lambda: not host.client.exists("/of-the-first"), "the end of its nodes")
            control.destroy(DOMID)
    host.client.rm("/for-the-first")
