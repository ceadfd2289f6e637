# SPDX-License-Identifier: GPL-2.0-or-later
"""Live update of the domain, within the domain.

Who is served goes on as if nothing had happened: clients of dom0's ring with watches and open
transactions, guests that ping, guests that write numbers without end and watch over their order.
"""

import os

import xswire
from checks_guests import Lives
from checks_update import Pinging, Served
from framework import check, equal, wait_until
from guests import Guest
from host import command
from stub_host import IMAGE


def live_update(*words, ok=True):
    return command("xenstore-control", "live-update", *words, ok=ok, timeout=60)


def boots(host):
    """How often the console tells of an image's start."""
    with open("/var/log/xen/guest-Xenstore.log") as log:
        return log.read().count(" as domain ")


def update(host, *words):
    """An update that must succeed."""
    before = boots(host)
    live_update(*words, IMAGE)
    assert not host.gone(), host.gone()
    wait_until(lambda: boots(host) == before + 1, "the start of an image on the console")


class Writer(Guest):
    """A guest that writes numbers and stops at the first request that is not done in its turn."""

    def __init__(self, host, name):
        super().__init__(host, name, extra="role=writer")

    def number(self):
        return int(self.read("data/number") or 0)

    def more(self):
        """Waits until there are more numbers, all of them right."""
        before = self.number()
        wait_until(lambda: self.number() >= before + 50 or self.read("data/failed"), "numbers")
        equal(self.read("data/failed"), None, "the number at which the order was wrong")


@check("live update: an image takes the place of itself, twice", deadline=120)
def to_itself(host):
    host.client.write("/before", b"value")
    update(host)
    equal(host.client.read("/before"), b"value")
    update(host)
    equal(host.client.read("/before"), b"value")
    host.client.rm("/before")
    command("xenstore-control", "check")


@check("live update: everybody is served on, a guest pings and two write without end",
       deadline=140)
def everybody(host):
    with Guest(host, "tiny") as tiny, Guest(host, "pinged") as pinged, \
            Writer(host, "writer-1") as one, Writer(host, "writer-2") as two:
        for guest in tiny, pinged:
            guest.wait_hello()
        for writer in one, two:
            writer.more()
        with Served(host, [tiny]) as served, Pinging(host, pinged) as pings:
            for _ in range(3):
                update(host)
                pings.more()
                served.check()
                for writer in one, two:
                    writer.more()
