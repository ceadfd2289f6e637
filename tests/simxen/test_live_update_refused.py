# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates of the hypervisor that do not happen: the reason is said, and nobody else notices."""

import os
import signal

import pytest

from tests.simxen import images
from tests.simxen.host import SIMXEN, Host
from tests.simxen.images import CRASHES, EXITS, HANGS, NEWER, OLDER, does, says

machine_code = pytest.mark.skipif(images.OTHER_MACHINE is not None, reason=str(images.OTHER_MACHINE))


class Life:
    """What a store, a guest and the hypervisor's identities were before, to be compared."""

    def __init__(self, host, start_store):
        self.host = host
        self.store = start_store("ours")
        self.domid = host.create()
        self.guest = host.guest_client(self.domid)
        self.client = self.store.connect()
        self.guest.watch("data", "mine")
        self.client.watch("@releaseDomain", "out")
        self.identities = self._identities()
        self.pid = host.pid()

    def _identities(self):
        return {domid: unique for domid, (_, unique, _) in self.host.domains().items()}

    def goes_on(self, same_process=True):
        assert self._identities() == self.identities
        assert (self.host.pid() == self.pid) == same_process
        self.client.write(f"/local/domain/{self.domid}/data/x", b"1")
        assert self.guest.wait_event() == ("data/x", "mine")
        self.guest.write("data/y", b"2")
        assert self.guest.wait_event() == ("data/y", "mine")
        assert self.client.read(f"/local/domain/{self.domid}/data/y") == b"2"
        assert not self.client.drain_events() and not self.guest.drain_events()
        # The same host can still be updated.
        first, second = self.host.update().stdout.splitlines()[1].split()[4:7:2]
        assert first == second and self._identities() == self.identities
        self.host.run("destroy", self.domid)
        assert self.client.wait_event() == ("@releaseDomain", "out")


@pytest.fixture
def life(host, start_store):
    return Life(host, start_store)


def refusal(host, program):
    done = host.update(program, check=False)
    assert done.returncode == 1 and done.stdout == ""
    return done.stderr


# ---- before anything is stopped --------------------------------------------------------------


def test_what_is_no_hypervisor(life, host, tmp_path):
    (tmp_path / "text").write_text("#!/bin/sh\nexec sleep 1\n" * 1000)
    (tmp_path / "empty").write_bytes(b"")
    for program, reason in (("/bin/true", "it cannot take over"),
                            (tmp_path / "text", "it cannot take over"),
                            (tmp_path / "empty", "refused: "),
                            (tmp_path / "none", "No such file"),
                            (tmp_path, "")):
        assert reason in refusal(host, program), program
    life.goes_on()


def test_what_cannot_be_a_program(life, host, tmp_path):
    with open(SIMXEN, "rb") as file:
        image = bytearray(file.read())
    image[18] ^= 0x55  # the machine
    other = images.write_program(tmp_path / "other", image)
    assert "no program for this machine" in refusal(host, other)
    life.goes_on()


def test_versions_that_do_not_meet(life, host, tmp_path):
    new = says(tmp_path / "new", oldest=3, newest=4)
    assert "too new" in refusal(host, new)
    old = says(tmp_path / "old", oldest=0, newest=0)
    assert "too old" in refusal(host, old)
    needs = says(tmp_path / "needs", requires=1 << 63)
    assert "requires a record that is not written here" in refusal(host, needs)
    reads = says(tmp_path / "reads", reads=0)
    assert "would not read a record" in refusal(host, reads)
    cables = says(tmp_path / "cables", hand_over=77)
    assert "hand-over file has version 77" in refusal(host, cables)
    speaks = says(tmp_path / "speaks", protocol=2)
    assert "speaks version 2 of the protocol" in refusal(host, speaks)
    life.goes_on()


def test_two_versions_apart(host):
    host.update(NEWER)
    assert "too old" in refusal(host, OLDER)
    host.update(SIMXEN)
    host.update(OLDER)
    assert "too new" in refusal(host, NEWER)


def test_boot_memory_that_is_too_small(life, host, tmp_path):
    large = says(tmp_path / "large", image_size=200 << 20)
    said = refusal(host, large)
    # 192 MiB more than the image that runs, and 2 MiB to boot in.
    assert "boot memory of 16384K is too small" in said and "liveupdate=198656K" in said
    life.goes_on()


def test_the_size_that_is_named_is_enough(tmp_path):
    large = says(tmp_path / "large", image_size=200 << 20)
    with Host("liveupdate=198656K") as host:
        domid = host.create()
        unique = host.domains()[domid][1]
        host.update(large)
        assert host.domains()[domid][1] == unique
        # Smaller again; the room below the image is boot memory as before.
        host.update()
        host.update(large)
        assert host.domains()[domid][1] == unique


def test_without_boot_memory(tmp_path):
    with Host("liveupdate=2M") as host:
        assert host.create() == 1
        said = refusal(host, says(tmp_path / "larger", image_size=10 << 20))
        assert "boot memory of 2048K is too small" in said
        host.update()


def test_only_domain_0_may(host):
    domid = host.create("--bare")
    host.python("""
import socket, struct
s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
s.connect(os.environ["SIMXEN_DIR"] + "/control")
message = struct.Struct("=Ii4Q")
s.send(message.pack(0, 0, 1, %d, 0, 0))
assert message.unpack_from(s.recv(65536))[1] == 0
import re
names = re.findall(r"^\\t(SIMXEN_\\w+),", open(%r).read(), re.M)
for command in (0, 3, 4, 5, 6):
    s.send(message.pack(names.index("SIMXEN_KEXEC"), 0, command, 0, 0, 0))
    assert message.unpack_from(s.recv(65536))[1] == -errno.EPERM, command
""" % (domid, str(images.ROOT / "hypervisor" / "host" / "protocol.h")))


# ---- behind the point of no return -----------------------------------------------------------


def test_one_that_promised_too_much(host, start_store, tmp_path):
    """It says that it reads this stream, and does not: the former one goes on with it."""
    host.update(NEWER)
    life = Life(host, start_store)
    liar = says(tmp_path / "liar", oldest=3, newest=3)
    said = refusal(host, liar)
    assert "simxen does not boot" in said or "simxen cannot restore the machine" in said
    life.goes_on()


@machine_code
@pytest.mark.parametrize("function", ["main", "hv_boot_update", "hv_restore_begin",
                                      "hv_restore_domain", "hv_restore_finish", "hand_over_read",
                                      "host_listen"])
def test_one_that_crashes(host, start_store, tmp_path, function):
    life = Life(host, start_store)
    host.expected_exit = -signal.SIGILL
    broken = does(tmp_path / "broken", function, CRASHES)
    assert "xen#2 died before it had taken over" in refusal(host, broken)
    life.goes_on(same_process=False)


@machine_code
def test_one_that_ends(host, start_store, tmp_path):
    life = Life(host, start_store)
    broken = does(tmp_path / "broken", "hv_restore_begin", EXITS)
    assert "xen#2 died before it had taken over" in refusal(host, broken)
    life.goes_on(same_process=False)


@machine_code
def test_one_that_hangs(tmp_path):
    broken = does(tmp_path / "broken", "hv_restore_finish", HANGS)
    with Host(env={"SIMXEN_WATCHDOG_SECONDS": "1"}) as host:
        host.expected_exit = -signal.SIGKILL
        domid, pid = host.create(), host.pid()
        unique = host.domains()[domid][1]
        assert "xen#2 fell silent before it had taken over" in refusal(host, broken)
        assert host.pid() != pid and host.domains()[domid][1] == unique
        # Once more, now that the watchdog's own successor is watched over.
        assert "fell silent" in refusal(host, broken)
        host.update()
        assert host.domains()[domid][1] == unique


@machine_code
@pytest.mark.parametrize("end", ["silent", "dead"])
def test_a_signal_that_nobody_had_time_for(tmp_path, end):
    """It came when the next one had not taken over, and is for the host that comes back."""
    patience = "1" if end == "silent" else "60"
    with Host(env={"SIMXEN_WATCHDOG_SECONDS": patience}) as host:
        host.expected_exit = -signal.SIGKILL
        update = images.Interrupted(host, tmp_path)
        os.kill(update.pid, signal.SIGTERM)
        if end == "dead":
            os.kill(update.pid, signal.SIGKILL)
        _, said = update.updater.communicate(timeout=60)
        assert "before it had taken over" in said
        host.wait(lambda: not os.path.exists(os.path.join(host.dir, "pid")), "the host to end")


def test_one_that_does_not_start(life, host, tmp_path):
    with open(SIMXEN, "rb") as file:
        image = file.read()
    assert image.count(b".so.2\0") >= 1
    start = image.index(b"ld-linux")  # the loader, which is not there under another name
    other = image[:start] + b"no" + image[start + 2:]
    said = refusal(host, images.write_program(tmp_path / "other", other))
    assert "the next hypervisor does not start" in said
    life.goes_on()


@machine_code
def test_when_both_fail_the_host_is_lost(tmp_path):
    """Nothing is left to go on. Who asked is told that there is no host."""
    first = does(tmp_path / "first", "hv_restore_begin", CRASHES)
    with Host(program=first) as host:
        host.expected_exit = -signal.SIGILL
        host.create("--bare")
        said = refusal(host, does(tmp_path / "second", "hv_restore_finish", CRASHES))
        assert "No such device" in said
        host.process.wait(60)
        host.wait(lambda: host.run("list", check=False).returncode == 1, "the watchdog to end")


# ---- streams that changed on the way -----------------------------------------------------------


@machine_code
def test_a_bad_domain_is_lost_alone(host, start_store, tmp_path):
    life = Life(host, start_store)
    host.expected_exit = -signal.SIGKILL
    bad = host.create()
    process = host.popen("guest", bad, "--", "sleep", "1000")
    host.guest(bad, "xenstore-write", "data/x", "1")
    update = images.Interrupted(host, tmp_path)
    update.flip(update.section(bad) + 20)
    assert "xen#2 died" in update.goes_back()
    assert f"domain {bad} is lost: " in host.printed()
    # It is as after a crash of the guest; its processes end, the store is told, as is the toolstack.
    process.wait(60)
    assert host.domains()[bad][0].startswith("-s")
    assert life.client.wait_event() == ("@releaseDomain", "out")
    host.run("destroy", bad)
    assert life.client.wait_event() == ("@releaseDomain", "out")
    host.wait(lambda: bad not in host.domains(), "the domain to go")
    life.goes_on(same_process=False)


@machine_code
def test_a_bad_machine_stops_cleanly(tmp_path):
    with Host() as host:
        host.expected_exit = -signal.SIGKILL
        host.create("--bare")
        update = images.Interrupted(host, tmp_path)
        kind, position, _ = next(update.records())
        assert kind == 1
        update.flip(position)
        assert "No such device" in update.goes_back()
        host.wait(lambda: "nothing of the machine's memory was changed" in host.printed(),
                  "the last words")
        host.wait(lambda: host.run("list", check=False).returncode == 1, "the host to end")


@machine_code
def test_nothing_changed_on_the_way(host, start_store, tmp_path):
    """What the tests above do, without the change."""
    life = Life(host, start_store)
    host.expected_exit = -signal.SIGKILL
    update = images.Interrupted(host, tmp_path)
    assert "xen#2 died" in update.goes_back()
    life.goes_on(same_process=False)
