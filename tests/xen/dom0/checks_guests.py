# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests of the toolstack: what they may, what the others learn of their lives."""

import os
import time

import xswire
from framework import check, equal, wait_until
from guests import Bridge, Guest
from host import command


class Lives:
    """Counts the events by which xenstored tells of the lives of domains."""

    def __init__(self, host, domid=None):
        self.client = host.new_client()
        self.names = ["@introduceDomain", "@releaseDomain"]
        for name in self.names:
            self.client.watch(name, "lives")

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.client.close()

    def counts(self):
        """How often each bare name was told since the last call."""
        events = [event.path for event in self.client.drain_events()]
        return tuple(events.count(name) for name in self.names)

    def expect(self, introduced, released, seconds=20):
        """Waits for these counts, and that they stay."""
        total = [0, 0]

        def reached():
            for i, count in enumerate(self.counts()):
                total[i] += count
            return total[0] >= introduced and total[1] >= released

        try:
            wait_until(reached, "events", seconds)
        except AssertionError:
            pass
        time.sleep(0.3)
        reached()
        equal(tuple(total), (introduced, released), "introductions and releases told")


@check("xl create starts a guest, which reads its domid and writes to its part of the store")
def create(host):
    with Lives(host) as lives:
        with Guest(host, "tiny") as guest:
            equal(guest.wait_hello(), str(guest.domid))
            lives.expect(1, 0)
            assert host.client.is_introduced(guest.domid)
            equal(guest.read("name"), "tiny")
            assert "tiny" in command("xl", "list").output
        lives.expect(0, 1)
        assert not host.client.is_introduced(guest.domid)


@check("what a guest writes is its own, and dom0's part of the store is refused to it")
def own_part(host):
    with Guest(host, "tiny") as guest:
        guest.wait_hello()
        equal(guest.read("data/refused"), "EACCES")
        assert not host.client.exists("/local/domain/0/data")
        equal(host.client.get_perms(f"{guest.home}/data/hello")[0], f"n{guest.domid}")


@check("a guest's watch fires each time, also for values larger than its ring")
def pings(host):
    with Guest(host, "tiny") as guest:
        guest.wait_hello()
        for i in range(30):
            guest.ping(f"value {i}")
        for size in (1008, 1024, 1500, 1900):  # a node's quota is 2048
            guest.ping("".join(chr(97 + (i + size) % 26) for i in range(size)))


@check("what a guest says on its console is in xenconsoled's log")
def console_log(host):
    with Guest(host, "speaker") as guest:
        guest.wait_hello()
        path = "/var/log/xen/guest-speaker.log"
        wait_until(lambda: os.path.exists(path) and "client starts" in open(path).read(), path)


@check("xl shutdown: the guest obeys, its release is told at shutdown and at its end")
def shutdown(host):
    with Guest(host, "tiny") as guest, Lives(host) as lives:
        guest.wait_hello()
        command("xl", "shutdown", "tiny")
        guest.wait_gone()
        lives.expect(0, 2)
        assert not host.client.is_introduced(guest.domid)


@check("a guest that crashes is told of twice as well")
def crash(host):
    with Guest(host, "tiny") as guest, Lives(host) as lives:
        guest.wait_hello()
        host.client.write(f"{guest.home}/control/shutdown", b"crash")
        guest.wait_gone()
        lives.expect(0, 2)


@check("xl destroy of a running guest: its release is told once, its part of the store goes")
def destroy(host):
    with Guest(host, "tiny") as guest, Lives(host) as lives:
        guest.wait_hello()
        host.client.mkdir("/left-by-guest")
        host.client.set_perms("/left-by-guest", [f"n{guest.domid}"])
        command("xl", "destroy", "tiny")
        lives.expect(0, 1)
        guest.wait_gone()
        assert not host.client.exists("/left-by-guest"), "a node that the guest owned"


@check("xl reboot brings the guest back under another domid")
def reboot(host):
    with Guest(host, "again", more='on_reboot="restart"') as guest:
        guest.wait_hello()
        before = guest.domid
        command("xl", "reboot", "again")

        def other():
            ran = command("xl", "domid", "again", ok=False)
            return ran.status == 0 and int(ran.output) != before and int(ran.output)

        guest.domid = wait_until(other, "another domain", 40)
        equal(guest.wait_hello(), str(guest.domid))
        assert not host.client.exists(f"/local/domain/{before}")


@check("a guest is suspended for a checkpoint, goes on in its domain, and its end is still told")
def checkpoint(host):
    with Guest(host, "saved") as guest, Lives(host) as lives:
        guest.wait_hello()
        host.client.rm(f"{guest.home}/data/hello")
        command("xl", "save", "-c", "saved", "/tmp/image")
        lives.expect(0, 1)
        equal(guest.wait_hello(), str(guest.domid))
        guest.ping("as before")
        # A second time, since it was resumed; xl itself has stopped looking after the guest.
        command("xl", "shutdown", "saved")
        lives.expect(0, 1)
        guest.destroy()
        lives.expect(0, 1)


@check("a guest is saved, and restored as another domain with a ring of its own")
def restore(host):
    with Guest(host, "saved") as guest:
        guest.wait_hello()
        command("xl", "save", "saved", "/tmp/image")
        guest.wait_gone()
        before = guest.domid
        command("xl", "restore", "/tmp/image")
        guest.domid = int(command("xl", "domid", "saved").output)
        assert guest.domid != before
        equal(guest.wait_hello(), str(guest.domid))
        guest.ping("restored")


@check("several guests at a time are each served, and all go", deadline=120)
def several(host):
    guests = []
    try:
        for i in range(6):
            guests.append(Guest(host, f"many-{i}"))
        for guest in guests:
            equal(guest.wait_hello(), str(guest.domid))
        for guest in guests:
            guest.ping(f"to {guest.name}")
        with Lives(host) as lives:
            for guest in guests:
                guest.destroy()
            lives.expect(0, len(guests))
    finally:
        for guest in guests:
            if guest.exists():
                guest.destroy()


@check("a guest is refused what belongs to others, and requests that only dom0 may make")
def refusals(host):
    with Guest(host, "victim") as victim, Bridge(host, "intruder") as bridge:
        victim.wait_hello()
        client = bridge.client
        kind = xswire.Type
        equal(client.error_of(kind.READ, xswire.strings(f"{victim.home}/data/hello")), "EACCES")
        equal(client.error_of(kind.WRITE, xswire.strings(f"{victim.home}/data/ping")), "EACCES")
        equal(client.error_of(kind.RM, xswire.strings(victim.home)), "EACCES")
        equal(client.error_of(kind.MKDIR, xswire.strings("/mine")), "EACCES")
        equal(client.error_of(kind.SET_PERMS, xswire.strings("/local", "b0")), "EACCES")
        equal(client.error_of(kind.INTRODUCE, xswire.strings(victim.domid, 1, 1)), "EACCES")
        equal(client.error_of(kind.RELEASE, xswire.strings(victim.domid)), "EACCES")
        equal(client.error_of(kind.CONTROL, xswire.strings("help")), "EACCES")
        client.write("data/own", b"fine")
        equal(client.read("data/own"), b"fine")
        equal(client.get_domain_path(0), "/local/domain/0")
        victim.ping("still here")


@check("a guest that watches @releaseDomain is told, with and without the domid", ours=True)
def watch_release(host):
    with Bridge(host, "watcher") as bridge:
        with Guest(host, "tiny") as other:
            bridge.client.watch("@releaseDomain", "any")
            bridge.client.watch(f"@releaseDomain/{other.domid}", "this")
            bridge.client.watch("@releaseDomain/32000", "none")
        tokens = []
        wait_until(lambda: tokens.append(bridge.client.wait_event().token) or "this" in tokens,
                   "the event of the domain")
        bridge.client.sync()
        tokens += [event.token for event in bridge.client.events]
        assert "any" in tokens and "none" not in tokens, tokens
