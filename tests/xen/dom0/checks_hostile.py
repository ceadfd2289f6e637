# SPDX-License-Identifier: GPL-2.0-or-later
"""Rings of real guests that follow the rules badly, or not at all.

After each, whatever it was: a well-behaved guest is served, the guilty one can be destroyed and
leaves nothing, the daemon lives.
"""

import contextlib

import xswire
from framework import Skip, check, equal, wait_until
from guests import CONNECTION, ERROR, REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, Bridge, Guest
from host import command

READ = xswire.Type.READ


def read_domid(req):
    return xswire.message(READ, b"domid\0", req=req)


def expect_answer(bridge, req):
    reply = bridge.client.recv_reply()
    equal((reply.type, reply.req_id, reply.payload),
          (READ, req, str(bridge.guest.domid).encode()))


@contextlib.contextmanager
def guilty(host, name):
    if not host.bystander:
        host.bystander = Guest(host, "bystander")
        host.bystander.wait_hello()
    with Bridge(host, name) as bridge:
        yield bridge
        host.bystander.ping(f"beside {name}")
    host.bystander.ping(f"without {name}")
    assert not host.client.exists(bridge.guest.home)


def expect_cut_off(bridge, error):
    """The connection is given up: the page says why, if that was promised, and nothing is read."""
    host = bridge.guest.host
    if not host.ours or bridge.features & 2:
        wait_until(lambda: bridge.word(ERROR) == error, f"error {error} in the ring page")
    bridge.client._replies.clear()


@check("the ring page tells a guest the features that xenstored has")
def features(host):
    with Bridge(host, "features") as bridge:
        equal(bridge.features, 14 if host.ours or host.version >= (4, 22) else
              2 if host.version == (4, 21) else 0)
        equal(bridge.word(ERROR), 0)
        equal(bridge.word(CONNECTION), 0)


@check("requests in pieces and several in one are answered, in order")
def fragments(host):
    with guilty(host, "fragments") as bridge:
        data = read_domid(1)
        bridge.put(data[:7])
        bridge.put(data[7:18])
        assert bridge.silent(0.5)
        bridge.put(data[18:])
        expect_answer(bridge, 1)
        for byte in read_domid(2):
            bridge.put(bytes([byte]))
        expect_answer(bridge, 2)
        bridge.put(read_domid(3) + read_domid(4) + read_domid(5))
        for req in (3, 4, 5):
            expect_answer(bridge, req)
        bridge.put(read_domid(6), notify=False)
        bridge.notify()
        expect_answer(bridge, 6)


@check("indices of a ring may wrap at 2^32 and messages at the ring's end")
def wrap(host):
    with guilty(host, "wrap") as bridge:
        for req in range(1, 120):
            bridge.put(read_domid(req))
            expect_answer(bridge, req)
        assert bridge.word(REQ_PROD) > 2 * 1024
        equal(bridge.word(REQ_CONS), bridge.word(REQ_PROD))


@check("an unknown request is answered with ENOSYS")
def unknown(host):
    with guilty(host, "unknown") as bridge:
        equal(bridge.client.error_of(99, b"x\0"), "ENOSYS")
        equal(bridge.client.read("domid"), str(bridge.guest.domid).encode())


@check("a payload that is too long ends the connection, not the daemon")
def oversize(host):
    with guilty(host, "oversize") as bridge:
        bridge.put(xswire.message(READ, b"", req=1, length=5000))
        expect_cut_off(bridge, 3)
        bridge.put(read_domid(2))
        assert bridge.silent()


@check("a producer index out of range ends the connection, and nothing is consumed")
def producer(host):
    with guilty(host, "producer") as bridge:
        consumed = bridge.word(REQ_CONS)
        bridge.set_word(REQ_PROD, bridge.word(REQ_PROD) + 0xFFFF)
        bridge.notify()
        expect_cut_off(bridge, 2)
        equal(bridge.word(REQ_CONS), consumed)
        bridge.set_word(REQ_PROD, consumed)
        bridge.put(read_domid(1))
        assert bridge.silent()


@check("a consumer index that is ahead of the producer ends the connection")
def consumer(host):
    with guilty(host, "consumer") as bridge:
        bridge.hold()
        bridge.set_word(RSP_CONS, bridge.word(RSP_PROD) + 100)
        bridge.put(read_domid(1))
        expect_cut_off(bridge, 2)


@check("a guest that overwrites the indices of xenstored harms itself at most")
def overwritten(host):
    with guilty(host, "req-cons") as bridge:
        bridge.set_word(REQ_CONS, bridge.word(REQ_CONS) - 700)
        bridge.put(read_domid(1))
        bridge.silent()
    with guilty(host, "rsp-prod") as bridge:
        bridge.hold()
        bridge.set_word(RSP_PROD, bridge.word(RSP_PROD) + 500)
        bridge.put(read_domid(1))
        bridge.silent()


@check("the connection word has no effect on a healthy ring")
def connection_word(host):
    with guilty(host, "connection") as bridge:
        bridge.set_word(CONNECTION, 1)
        bridge.notify()
        bridge.put(read_domid(1))
        expect_answer(bridge, 1)


@check("the connection word does not revive a ring that was given up")
def no_revival(host):
    with guilty(host, "revival") as bridge:
        bridge.put(xswire.message(READ, b"", req=1, length=5000))
        expect_cut_off(bridge, 3)
        bridge.set_word(CONNECTION, 1)
        bridge.notify()
        bridge.put(read_domid(2))
        assert bridge.silent()


@check("a guest that takes no responses holds up nobody")
def not_reading(host):
    with guilty(host, "glutton") as bridge:
        bridge.hold()
        host.client.write(f"{bridge.guest.home}/data/big", b"x" * 900)
        request = xswire.message(READ, b"data/big\0", req=1)
        for _ in range(10):
            if bridge.tell("> " + request.hex()) == "!":
                break
        for i in range(5):
            host.client.write("/served", str(i))
            equal(host.client.read("/served"), str(i).encode())
        host.client.rm("/served")


@check("a ring that was given up still ends with its domain, and that is told")
def cut_off_and_gone(host):
    watcher = host.new_client()
    with Bridge(host, "lost") as bridge:
        bridge.put(xswire.message(READ, b"", req=1, length=5000))
        expect_cut_off(bridge, 3)
        assert host.client.is_introduced(bridge.guest.domid)
        watcher.watch("@releaseDomain", "r")
        bridge.shut_down(3)
        equal(watcher.wait_event().path, "@releaseDomain")
        bridge.guest.wait_gone()
    assert not host.client.is_introduced(bridge.guest.domid)
    watcher.close()


@check("a well-behaved guest that was there all the time ends as any other")
def end(host):
    if not host.bystander:
        raise Skip("none of those checks has run")
    bystander, host.bystander = host.bystander, None
    bystander.ping("the last")
    command("xl", "shutdown", bystander.name)
    bystander.wait_gone()
