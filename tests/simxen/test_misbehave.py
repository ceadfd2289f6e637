# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests that do what they must not: the words of `simxen misbehave`, shown on Debian's C daemon.

What a real guest saw there (in the notes on real Xen) is what comes out here.
"""

import pytest


@pytest.fixture
def store(start_store):
    return start_store("debian-c")


@pytest.fixture
def others(host, store):
    """Checks that everybody else is served as before."""
    domid = host.create()

    def check():
        assert host.guest(domid, "xenstore-read", "domid").stdout == f"{domid}\n"
        assert store.succeed("xenstore-read", f"/local/domain/{domid}/domid") == f"{domid}\n"

    yield check
    assert store.alive(), store.log()


def show(text):
    return dict(pair.split("=") for pair in text.splitlines()[-1].split())


def test_a_request_that_is_made_by_hand_is_answered(host, others):
    domid = host.create()
    done = host.misbehave(domid, "request:2,domid,", "await:req_cons=22", "await:rsp_prod=17",
                          "take", "show")
    answer = bytes.fromhex(done.stdout.splitlines()[0])
    assert answer[:4] == b"\2\0\0\0" and answer[16:] == str(domid).encode()
    others()


def test_a_request_in_single_bytes_is_answered(host, others):
    domid = host.create()
    done = host.misbehave(domid, "dribble:2,domid,", "await:rsp_prod=17", "show")
    assert show(done.stdout)["error"] == "0"
    others()


@pytest.mark.parametrize("words", [
    ["set:req_prod=+5000", "notify"],
    ["set:req_prod=0xffff0000", "notify"],
    ["set:rsp_cons=+7", "request:2,domid,"],
])
def test_wild_indices(host, others, words):
    domid = host.create()
    done = host.misbehave(domid, *words, "await:error=2", "show")
    assert show(done.stdout)["error"] == "2"
    others()


def test_a_message_that_is_too_long(host, others):
    domid = host.create()
    done = host.misbehave(domid, "header:2,1,0,5000", "notify", "await:error=3", "show")
    assert show(done.stdout)["rsp_prod"] == "0"
    others()


def test_floods_of_events_requests_and_garbage(host, others):
    host.misbehave(host.create(), "notify:20000")
    host.misbehave(host.create(), "flood:200,2,domid,")
    host.misbehave(host.create(), "random:900", "notify")
    others()


def test_a_page_that_changes_under_the_daemons_hands(host, others):
    for seed in (1, 2):
        host.misbehave(host.create(), f"seed:{seed}", "scribble:300")
    others()


def test_a_closed_port_and_a_revoked_grant(host, others):
    host.misbehave(host.create(), "request:2,domid,", "close")
    host.misbehave(host.create(), "revoke", "request:2,domid,", "await:rsp_prod=17")
    others()


def test_a_script_with_a_mistake_fails(host):
    domid = host.create()
    for words in (["nonsense"], ["set:nothing=1"], ["set:error"], ["hex:zz"], ["wait:soon"]):
        done = host.misbehave(domid, *words, check=False)
        assert done.returncode == 1 and words[0] in done.stderr
    assert "scribble" in host.run("misbehave", "words").stdout
