# SPDX-License-Identifier: GPL-2.0-or-later
"""Linux as a guest: its kernel's use of the store, and its programs' through the kernel."""

from framework import check, equal
from guests import linux
from host import command

# Not in the order of their names, nor of their numbers.
PROBES = ["3", "20", "1", "100", "0"]


def live(host, kind):
    with linux(host, f"linux-{kind}", kind, paused=True) as guest:
        home = guest.home
        for number in PROBES:
            # A device without a driver, which the guest's kernel finds when it looks.
            tx = host.client.transaction_start()
            for path, value in ((f"{home}/device/probe/{number}", b""),
                                (f"{home}/device/probe/{number}/backend-id", b"0"),
                                (f"{home}/device/probe/{number}/backend", b"/local/domain/0/none"),
                                (f"{home}/device/probe/{number}/state", b"1")):
                host.client.write(path, value, tx)
            assert host.client.commit(tx)
        command("xl", "unpause", guest.name)
        guest.wait_hello(120)
        equal(guest.read("data/domid"), str(guest.domid))
        equal(guest.read("data/name"), guest.name)
        assert "could not write" in guest.read("data/refused"), guest.read("data/refused")
        assert not host.client.exists("/local/domain/0/data/stolen")
        equal(guest.read("data/probed").split(), PROBES, "devices in the order of creation")
        for i in range(3):
            guest.ping(f"number {i}")
        command("xl", "shutdown", guest.name)
        guest.wait_gone(60)
        assert not host.client.is_introduced(guest.domid)


@check("a PV Linux guest boots, uses the store, finds devices in order, shuts down when asked",
       deadline=240, linux=True)
def pv_linux(host):
    live(host, "pv")


@check("a PVH Linux guest does the same", deadline=400, linux=True, long=True)
def pvh_linux(host):
    live(host, "pvh")
