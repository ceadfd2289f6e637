# SPDX-License-Identifier: GPL-2.0-or-later
"""A running host goes over from Debian's xenstored to this one and back, told step by step.

    /usr/bin/python3 -m tests.update.takeover

Guests and clients stay connected.  While nobody serves, because the new program is held up, a
domain dies, one shuts down, one is replaced by another with its number, and one appears.  What is told
here is checked; the first thing that is not so ends it.
"""

import os
import shutil
import sys
import tempfile

from tests.lib.daemon import binary
from tests.lib.xswire import Type, message
from tests.peers import peer
from tests.update.held import Held
from tests.update.live import DEADLINE, exec_time, tree, wait_for
from tests.update.onhost import HostLive


class Takeover:
    """One host, and what is connected to its store."""

    def __init__(self, program, say=print):
        self.say = say
        self.directory = tempfile.mkdtemp(prefix="takeover-")
        self.count = 0
        self.daemon = HostLive(program=program)
        self.host = self.daemon.host

    def __enter__(self):
        self.daemon.__enter__()
        self.client = self.daemon.connect(DEADLINE)
        self.half = self.daemon.connect(DEADLINE)
        self.client.write("/kept", bytes(range(1, 255)))
        self.domids = [self.create() for _ in range(2)]
        self.guests = self.daemon.crowd(self.domids)
        for guest in self.guests:
            guest.write("data/x", b"0")
            guest.watch("data", "token")
        self.client.watch("@releaseDomain", "ends")
        self.client.watch("@introduceDomain", "comes")
        self.client.watch("/local/domain", "store")
        self.say(f"host: {self.who()} serves domains {self.domids}, sockets and rings")
        return self

    def __exit__(self, *exception):
        try:
            self.daemon.__exit__(*exception)
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)

    def create(self, *options):
        domid = self.host.create(*options)
        if "--bare" not in options:
            self.host.run("unpause", domid)
        return domid

    def who(self):
        path = os.readlink(f"/proc/{self.daemon.pid}/exe")
        return "this xenstored" if path == binary() else "Debian's xenstored"

    def nodes(self):
        return [entry for path in ["/kept"] + [f"/local/domain/{d}" for d in self.domids]
                for entry in tree(self.client, path)]

    def go(self, program, *options):
        """One update to `program`, with all that can happen on the way."""
        self.count += 1
        # Only the newer stream says which life of a domid is meant.
        self.exact = self.who() == "this xenstored" and program == binary()
        dying, stopping = self.create(), self.create()
        changed = self.create() if self.exact else None
        if changed:
            old = self.host.domains()[changed][1]
            self.daemon.crowd([changed])[0].write("data/secret", b"of the old one")
            # With a depth the events say which domain it is.
            self.client.watch("@releaseDomain", "each", depth=1, take_initial=False)
        request = message(Type.WRITE, b"/half\0sent", 0, 77)
        self.half.send_raw(request[:20])
        self.client.drain_events()
        before = self.nodes()
        held = Held(os.path.join(self.directory, str(self.count)), program)
        pid, time = self.daemon.pid, exec_time(self.daemon.pid)
        asker = self.daemon.connect(DEADLINE)
        self.say(f"update from {self.who()}: xenstore-control live-update {' '.join(options)}")
        req = self.daemon.request_update(asker, held.path, options=options)
        held.wait()
        self.say("  the old program is gone, the new one does not serve yet; meanwhile")
        appeared = self.meanwhile(dying, stopping, changed)
        self.guests[0].send_raw(message(Type.WRITE, b"data/while\0nobody serves", 0, 99))
        held.let_go()
        reply = asker.recv_reply(DEADLINE)
        assert (reply.req_id, reply.payload) == (req, b"OK\0"), (reply, self.daemon.stderr())
        assert self.daemon.pid == pid and exec_time(pid) != time
        asker.close()
        self.say(f"  now {self.who()} serves, in the same process")
        self.look_at_clients(before, request)
        self.look_at_ends(dying, stopping, changed)
        if changed:
            assert self.host.domains()[changed][1] != old
            self.look_at_successor(changed)
        self.look_at_new(appeared)
        self.look_at_rest([d for d in (stopping, changed, appeared) if d])

    def meanwhile(self, dying, stopping, changed):
        self.host.run("destroy", "--bare", dying)
        self.say(f"    domain {dying} dies")
        self.host.run("shutdown", stopping)
        self.say(f"    domain {stopping} shuts down")
        if changed:
            self.host.run("destroy", "--bare", changed)
            wait_for(lambda: changed not in self.host.domains(), "the number to be free")
            assert self.host.create("--bare", changed) == changed
            self.say(f"    domain {changed} dies, and another with its number is created")
        appeared = self.host.create("--bare")
        self.say(f"    domain {appeared} is created")
        return appeared

    def events(self, path):
        """How often this was told since the last look; events of the store are not counted."""
        self.client.sync()
        self.told = [tuple(event) for event in self.client.drain_events()]
        return self.told.count((path, "ends" if path == "@releaseDomain" else "comes"))

    def look_at_clients(self, before, request):
        guest = self.guests[0]
        assert guest.recv_reply().req_id == 99
        assert guest.drain_events() == [("data/while", "token")]
        guest.rm("data/while")
        guest.drain_events()
        self.say("  a request that a guest sent meanwhile is answered, its watch has seen it")
        self.half.send_raw(request[20:])
        assert self.half.recv_reply() == (Type.WRITE, 77, 0, b"OK\0")
        self.say("  a request of which half was sent before is complete")
        assert before == self.nodes()
        self.say(f"  {len(before)} nodes, permissions and orders of children are as before")

    def look_at_ends(self, dying, stopping, changed):
        client = self.client
        wait_for(lambda: not client.exists(f"/local/domain/{dying}/data"), "its nodes to go")
        if changed:
            wait_for(lambda: not client.exists(f"/local/domain/{changed}/data"), "its nodes to go")
        times, ends = self.events("@releaseDomain"), [d for d in (dying, stopping, changed) if d]
        # Several ends that are found together may be told together.
        assert 1 <= times <= len(ends)
        assert not client.is_introduced(dying) and client.is_introduced(stopping)
        if changed:
            each = [path for path, token in self.told if token == "each"]
            assert sorted(each) == [f"@releaseDomain/{domid}" for domid in sorted(ends)]
            client.unwatch("@releaseDomain", "each")
        self.say(f"  the ends of domains {ends} are told ({times} times @releaseDomain"
                 f"{', each once by its number' if changed else ''})")

    def look_at_successor(self, changed):
        client = self.client
        assert not client.is_introduced(changed)
        client.rm(f"/local/domain/{changed}")
        client.introduce(changed, 1, 1)
        client.mkdir(f"/local/domain/{changed}/data")
        client.set_perms(f"/local/domain/{changed}/data", [f"n{changed}"])
        assert self.daemon.crowd([changed])[0].ls("data") == []
        assert self.events("@introduceDomain") == 1
        self.say(f"  the new domain {changed} is another one, and has inherited nothing")

    def look_at_new(self, appeared):
        assert not self.client.is_introduced(appeared)
        self.client.introduce(appeared, 1, 1)
        assert self.events("@introduceDomain") == 1
        self.say(f"  domain {appeared} can be introduced")

    def look_at_rest(self, domids):
        assert self.events("@releaseDomain") == 0, "told twice"
        for domid in domids:
            self.host.run("destroy", domid)
        wait_for(lambda: not any(self.client.is_introduced(d) for d in domids), "their ends")
        assert 1 <= self.events("@releaseDomain") <= len(domids)
        self.say(f"  domains {domids} end, and that is noticed")


def main():
    reason = peer.unavailable("debian-c")
    if reason:
        sys.exit(f"takeover: {reason}")
    with Takeover(peer.binary("debian-c")) as takeover:
        takeover.go(binary())
        takeover.go(binary())
        takeover.go(peer.binary("debian-c"))
        takeover.go(binary())
    print("takeover: there, on, back, and there again; nothing was lost")


if __name__ == "__main__":
    main()
