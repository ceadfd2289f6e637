# SPDX-License-Identifier: GPL-2.0-or-later
"""What many domains cost, counted in requests to the Xenstore and in wake-ups, not in time."""

import glob
import os
import time

import pytest

from tests.ninep.files import XENSTORED

DEVICES = 200  # beside the ones that a test looks at
BASE = "/local/domain/0/backend/xen_9pfs"
CONTROL = os.path.join(os.path.dirname(XENSTORED), "xenstore-control")


class Trace:
    """The Xenstore's log of messages, in which the daemon's requests are counted."""

    def __init__(self, site):
        self.site = site
        self.path = os.path.join(site.base, "trace")
        done = site.run(CONTROL, "logfile", self.path)
        assert done.returncode == 0, done.stderr

    def lines(self):
        with open(self.path, encoding="utf-8", errors="replace") as file:
            return [line.split(None, 6) for line in file if line.startswith("io: IN ")]

    def count(self):
        """Requests of the connection that watches the devices."""
        lines = self.lines()
        ours = {line[2] for line in lines if len(line) > 6 and line[6].startswith("WATCH (backend/xen_9pfs root")}
        assert len(ours) == 1, ours
        return sum(line[2] in ours for line in lines)

    def settled(self):
        """The same when it has not grown for a while."""
        count, since = self.count(), time.monotonic()
        while time.monotonic() - since < 0.3:
            time.sleep(0.05)
            if self.count() != count:
                count, since = self.count(), time.monotonic()
        return count


def describe_many(site, count):
    """Devices of domains that do not come."""
    words = []
    for domid in range(10000, 10000 + count):
        words += [f"{BASE}/{domid}/0/frontend", f"/local/domain/{domid}/device/9pfs/0",
                  f"{BASE}/{domid}/0/path", "/nowhere", f"{BASE}/{domid}/0/state", "1"]
    for start in range(0, len(words), 600):
        assert site.succeeds("xenstore-write", *words[start:start + 600])


@pytest.fixture
def crowd(site):
    """A daemon that has many devices, and the trace."""
    trace = Trace(site)
    describe_many(site, DEVICES)
    site.daemon()
    site.wait(lambda: site.read(f"{BASE}/{10000 + DEVICES - 1}/0/state") == "2", "the last offer")
    return site, trace


def test_start(crowd):
    """So and so many requests for each device, not more with more devices."""
    _, trace = crowd
    assert trace.settled() < 25 * DEVICES


def test_attach_one_of_many(crowd):
    site, trace = crowd
    before = trace.settled()
    guest, _ = site.connected()
    assert guest.ask("write file 1000") == "ok"
    assert trace.settled() - before < 100


def test_detach_one_of_many(crowd):
    site, trace = crowd
    guest, _ = site.connected()
    before = trace.settled()
    guest.put("gone 60000")
    assert site.control("detach", str(guest.domid)).returncode == 0
    assert guest.get() == "yes"
    assert trace.settled() - before < 60


def test_a_state_that_changes_concerns_one(crowd):
    site, trace = crowd
    before = trace.settled()
    for state in "565656":
        site.write("/local/domain/10000/device/9pfs/0/state", state)
    assert trace.settled() - before < 60


def test_other_domains_end(crowd):
    """Each end is looked at once for each connected device, however fast domains come and go."""
    site, trace = crowd
    guests = [site.connected()[0] for _ in range(4)]
    others = [site.create() for _ in range(6)]
    before = trace.settled()
    for domid in others:
        site.host.run("destroy", domid)
    assert trace.settled() - before < len(others) * (len(guests) + 20)
    for guest in guests:
        assert guest.ask("write file 1000") == "ok"


def wakeups(process):
    """How often its threads have waited."""
    count = 0
    for path in glob.glob(f"/proc/{process.pid}/task/*/status"):
        with open(path, encoding="ascii") as file:
            count += sum(int(line.split()[1]) for line in file
                         if line.startswith("voluntary_ctxt_switches"))
    return count


def test_idle_devices_do_not_wake_up(site):
    daemon = site.daemon()
    for _ in range(3):
        guest, _ = site.connected()
        assert guest.ask("write file 1000") == "ok"
    time.sleep(0.5)
    before = wakeups(daemon.process)
    time.sleep(2)
    assert wakeups(daemon.process) - before <= 2


def test_a_request_is_one_wakeup_or_two(site):
    daemon = site.daemon()
    guest, _ = site.connected()
    assert guest.ask("write file 100000") == "ok"
    time.sleep(0.5)
    before = wakeups(daemon.process)
    # 31 pieces of 32 KiB, and what opens and closes a file.
    assert guest.ask("write file 1000000") == "ok"
    assert wakeups(daemon.process) - before < 2 * 40


def test_a_front_end_that_takes_no_answers_is_not_polled_for_ever(site):
    daemon = site.daemon()
    guest, _ = site.connected()
    other, _ = site.connected()
    assert guest.ask("clog") == "ok"
    time.sleep(2)
    before = wakeups(daemon.process)
    time.sleep(2)
    assert wakeups(daemon.process) - before < 30
    assert other.ask("write file 1000") == "ok"
    # It ends like any other.
    guest.put("gone 60000")
    assert site.control("detach", str(guest.domid), "--wait", "20").returncode == 0
    assert guest.get() == "yes"


def test_a_storm_of_connections(site):
    """It is slowed down, and neither the log nor the others suffer."""
    daemon = site.daemon()
    guest, _ = site.connected()
    other, _ = site.connected()
    guest.put("storm 4000")
    for _ in range(20):
        assert other.ask("write file 1000") == "ok"
    assert int(guest.get()) < 12
    assert daemon.log().count("disconnected") < 12
    assert other.ask("write file 1000") == "ok"
    assert daemon.process.poll() is None


def test_a_flood_of_states(site):
    """What a domain writes does not cost the Xenstore a multiple of it."""
    trace = Trace(site)
    site.daemon()
    guest, _ = site.connected()
    other, _ = site.connected()
    before = trace.settled()
    guest.put("flood 2000")
    assert other.ask("write file 1000") == "ok"
    writes = int(guest.get())
    asked = trace.settled() - before
    assert asked < 2500, writes
    # It is not forgotten.
    site.wait(lambda: guest.ask("work 50") == "ok" and guest.ask("write file 1000") == "ok",
              "the next connection")
