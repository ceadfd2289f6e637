# SPDX-License-Identifier: GPL-2.0-or-later
"""Updates that go wrong: somebody serves all clients afterwards, and nothing is lost."""

import fcntl
import os
import random
import re
import select
import shutil
import signal
import subprocess
import time

import pytest

from tests.lib import xswire

from tests.lib.daemon import binary
from tests.lib.xswire import Type, message, strings
from tests.update.fake import CHECKS, SOURCE, build
from tests.update.held import Held
from tests.update.lease import Lease, with_loader
from tests.update.live import (DEADLINE, Live, children_of, exec_time, running, servers, tree,
                               wait_for)
from tests.update.onhost import HostLive


COUNT = int(os.environ.get("COUNT", "1"))


@pytest.fixture(scope="module")
def programs(tmp_path_factory):
    return tmp_path_factory.mktemp("programs")


class Work:
    """Clients in the middle of everything, who look afterwards whether all is as it should be."""

    def __init__(self, daemon):
        self.daemon = daemon
        self.plain, self.watcher, self.half, self.tx, self.slow = \
            (daemon.connect(DEADLINE) for _ in range(5))
        for i in range(20):
            self.plain.write(f"/w/{i}", b"v%d" % i)
        self.plain.set_perms("/w/3", ["n0", "r0"])
        self.watcher.watch("/w", "all")
        self.watcher.watch("/w", "near", depth=1)
        self.id = self.tx.transaction_start()
        self.tx.write("/w/tx", b"1", self.id)
        self.conflict = self.tx.transaction_start()
        self.tx.read("/w/1", self.conflict)
        self.plain.write("/w/1", b"changed")
        self.request = message(Type.WRITE, b"/w/half\0sent", 0, 99)
        self.half.send_raw(self.request[:19])
        self.slow_ids = [self.slow.send(Type.READ, b"/w/%d\0" % i) for i in range(20)]
        self.before = tree(self.plain)
        self.count = 0

    def check(self):
        self.count += 1
        assert tree(self.plain) == self.before
        events = self.watcher.drain_events()
        assert events == ([("/w/1", "all"), ("/w/1", "near")] if self.count == 1 else [])
        assert self.tx.read("/w/tx", self.id) == b"1"
        assert self.tx.read("/w/1", self.conflict) == b"v1"

    def finish(self):
        self.half.send_raw(self.request[19:])
        assert self.half.recv_reply() == (Type.WRITE, 99, 0, b"OK\0")
        assert self.plain.read("/w/half") == b"sent"
        assert [self.slow.recv_reply().req_id for _ in self.slow_ids] == self.slow_ids
        assert self.tx.commit(self.id)
        self.tx.write("/w/x", b"", self.conflict)
        assert not self.tx.commit(self.conflict)
        assert self.plain.read("/w/tx") == b"1"
        assert set(self.watcher.drain_events()) == {
            (path, token) for path in ("/w/half", "/w/tx") for token in ("all", "near")}
        new = self.daemon.connect(DEADLINE)
        assert new.read("/w/2") == b"v2"


@pytest.fixture
def work(daemon):
    return Work(daemon)


def refused(daemon, work, **how):
    """The same process, which has never stopped to be this program, answers with a reason."""
    pid, before = daemon.current(), exec_time(daemon.current())
    text = daemon.update(**how)
    assert text != "OK" and text
    assert daemon.current() == pid and exec_time(pid) == before
    work.check()
    daemon.updated()
    work.check()
    work.finish()
    return text


def test_a_file_that_goes_away_after_it_was_named(daemon, work, tmp_path):
    file = tmp_path / "xenstored"
    shutil.copy2(binary(), file)
    client = daemon.connect(DEADLINE)
    assert client.control("live-update", "-f", str(file)) == "OK"
    file.unlink()
    assert client.control("live-update", "-s") == "File not accessible."
    work.check()
    daemon.updated()
    work.finish()


CONTENTS = {
    "text": b"no program\n",
    "empty": b"",
    "script": b"#!/bin/sh\nexit 0\n",
    "script without interpreter": b"exit 0\n",
    "ELF header only": open("/bin/true", "rb").read(64),
    "half of an ELF header": open("/bin/true", "rb").read(40),
}


@pytest.mark.parametrize("kind", sorted(CONTENTS))
def test_files_that_are_no_programs(daemon, work, tmp_path, kind):
    file = tmp_path / "xenstored"
    file.write_bytes(CONTENTS[kind])
    file.chmod(0o755)
    assert "no program for this machine" in refused(daemon, work, file=str(file))


def test_a_directory(daemon, work, tmp_path):
    refused(daemon, work, file=str(tmp_path))


def test_a_pipe(daemon, work, tmp_path):
    """Nobody is at its other end, and the clients do not wait for anybody."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o755)
    assert "no program for this machine" in refused(daemon, work, file=str(pipe))


def test_a_file_without_an_end(daemon, work, tmp_path):
    """A program, as its first bytes say, and then nothing for a long time."""
    large = tmp_path / "large"
    shutil.copy2("/bin/true", large)
    os.truncate(large, 1 << 40)
    assert "no xenstored" in refused(daemon, work, file=str(large))


@pytest.mark.parametrize("offset, value", [(4, 1), (18, 8), (18, 40), (16, 1)])
def test_elf_files_of_other_machines(daemon, work, tmp_path, offset, value):
    """Class, machine, kind of object."""
    data = bytearray(open(binary(), "rb").read())
    data[offset] = value
    file = tmp_path / "xenstored"
    file.write_bytes(data)
    file.chmod(0o755)
    refused(daemon, work, file=str(file))


@pytest.mark.parametrize("part", [0.001, 0.02, 0.08])
def test_a_truncated_copy_of_the_program(daemon, work, tmp_path, part):
    data = open(binary(), "rb").read()
    file = tmp_path / "xenstored"
    file.write_bytes(data[:int(len(data) * part)])
    file.chmod(0o755)
    refused(daemon, work, file=str(file))


def test_a_missing_dynamic_loader(daemon, work, tmp_path):
    data = open(binary(), "rb").read()
    loader = b"/lib64/ld-linux-x86-64.so.2\0"
    assert loader in data
    file = tmp_path / "xenstored"
    file.write_bytes(data.replace(loader, b"/lib64/none" + b"\0" * (len(loader) - 11)))
    file.chmod(0o755)
    refused(daemon, work, file=str(file))


@pytest.mark.parametrize("name", sorted(set(CHECKS) - {"is replaced on the disk"}))
def test_a_program_that_does_not_take_the_state(daemon, work, programs, name):
    text = refused(daemon, work, file=build(programs, name))
    assert "state" in text
    assert ("too old" in text) == (name == "refuses the state")


def test_a_file_that_is_replaced_after_it_has_checked(daemon, work, tmp_path):
    assert "activating" in refused(daemon, work, file=build(tmp_path, "is replaced on the disk"))


# -- helpers that are killed, at every step --------------------------------------------------------

def helpers(pid):
    """{"check" or "guard": pid} of the daemon's helpers that have been executed."""
    found = {}
    for child in children_of(pid).split():
        try:
            with open(f"/proc/{child}/environ", "rb") as file:
                role = re.search(rb"XENSTORED_INHERITANCE=(\w+)", file.read())
        except (FileNotFoundError, ProcessLookupError):
            continue
        if role and running(child):
            found[role.group(1).decode()] = int(child)
    return found


def catch(pid, role, asker):
    """Its pid as soon as it is there; None when the update was over before."""
    while not select.select([asker], [], [], 0)[0]:
        if role in helpers(pid):
            return helpers(pid).get(role)
    return None


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGSTOP])
@pytest.mark.parametrize("role", ["check", "guard"])
def test_a_helper_that_fails(role, signal_number):
    """At moments from its start to the end of the update; nobody notices, but for the asker."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Work(daemon)
        answers, hit = [], 0
        for i in range(COUNT * 8):
            pid, asker = daemon.current(), daemon.connect(DEADLINE)
            req = daemon.request_update(asker)
            victim = catch(pid, role, asker)
            time.sleep(i % 8 * 0.0003)
            try:
                os.kill(victim, signal_number)
                hit += 1
            except (ProcessLookupError, TypeError):
                victim = None
            reply = asker.recv_reply(DEADLINE)
            assert reply.req_id == req
            answers.append(reply.payload)
            if victim and running(victim):
                os.kill(victim, signal.SIGKILL)
            assert daemon.current() == pid
            work.check()
        assert hit, answers
        daemon.updated()
        work.check()
        work.finish()


TAKEN_OVER = ["ends at once", "ends well at once", "crashes", "is killed", "hangs", "is stopped",
              "closes everything and hangs"]


def taken_over(daemon, work, **how):
    """A guard serves, under another pid, and says why."""
    pid = daemon.current()
    text = daemon.update(**how)
    assert "the old one goes on" in text
    assert daemon.current() != pid
    assert not running(pid)
    work.check()
    return text


@pytest.mark.parametrize("name", TAKEN_OVER)
def test_programs_that_do_not_come_to_serve(programs, name):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Work(daemon)
        text = taken_over(daemon, work, file=build(programs, name))
        assert ("in time" in text) == (name in ("hangs", "is stopped"))
        # What took over is a daemon as any other: it can be updated, well and badly.
        daemon.updated()
        work.check()
        taken_over(daemon, work, file=build(programs, "ends at once"))
        daemon.updated(times=2)
        work.finish()


@pytest.mark.parametrize("line", [
    "-N --rundir {rundir} --domstate none --pid-file {pid_file} stray",
    "-N --rundir {rundir} --domstate nonsense --pid-file {pid_file}",
    "-N --rundir {rundir} --domstate none --pid-file /none/pid",
    "-N --rundir {rundir} --domstate none --pid-file {pid_file} --priv-domid 1",
    "-N --rundir {rundir} --domstate none --pid-file {pid_file} --master-domid 1 --priv-domid 0",
    "--help", "--version"])
def test_command_lines_that_do_not_work(daemon, work, line):
    line = line.format(rundir=daemon.rundir, pid_file=daemon.pid_file)
    pid = daemon.current()
    text = daemon.update(cmdline=line)
    assert text != "OK"
    work.check()
    assert not running(pid) or daemon.current() == pid
    daemon.updated()
    work.check()
    work.finish()


def test_no_room_for_another_process(daemon, work):
    """Neither checker nor guard can be started."""
    subprocess.run(["prlimit", "--pid", str(daemon.pid), "--nofile=12:"], check=True)
    text = daemon.update(client=work.plain)
    assert text != "OK"
    subprocess.run(["prlimit", "--pid", str(daemon.pid), "--nofile=1024:"], check=True)
    work.check()
    daemon.updated()
    work.finish()


HALF_WAY = r"""
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

static int left = -1;

__attribute__((constructor)) static void look(void)
{
	const char *role = getenv("XENSTORED_INHERITANCE");

	if (role && !strncmp(role, "update", 6))
		left = atoi(getenv("CRASH_AFTER"));
}

int epoll_ctl(int epfd, int op, int fd, struct epoll_event *event)
{
	if (!left--)
		_exit(1);
	return (int)syscall(SYS_epoll_ctl, epfd, op, fd, event);
}
"""


@pytest.mark.parametrize("after", [0, 1, 2, 4, 7])
def test_a_new_program_that_ends_half_way_through_its_restore(tmp_path, after):
    """The real one, in the middle of its connections."""
    library, source = tmp_path / "half.so", tmp_path / "half.c"
    source.write_text(HALF_WAY)
    subprocess.run(["gcc", "-shared", "-fPIC", "-o", library, source], check=True)
    with Live(env={"LD_PRELOAD": str(library), "CRASH_AFTER": str(after)}) as daemon:
        work = Work(daemon)
        taken_over(daemon, work)
        taken_over(daemon, work)
        work.finish()


# -- the new program is killed at any moment -------------------------------------------------------

def kill_new_program(daemon, delay):
    """Update to the same program and kill it so long after its exec. Returns the answer of whoever
    serves then, None when nobody does."""
    pid, asker = daemon.current(), daemon.connect(DEADLINE)
    before = exec_time(pid)
    req = daemon.request_update(asker)
    while exec_time(pid) == before:
        pass
    end = time.monotonic() + delay
    while time.monotonic() < end:
        pass
    os.kill(pid, signal.SIGKILL)
    try:
        reply = asker.recv_reply(DEADLINE)
        assert reply.req_id == req
        if reply.payload != b"OK\0":
            return reply.payload.decode()
    except xswire.ConnectionClosed:
        pass
    # It has served already: that is a crash as any other, and nobody makes up for it.
    daemon.expected_exit = -signal.SIGKILL
    wait_for(lambda: not servers(daemon) and nobody_serves(daemon.socket), "the end of the guard")
    return None


class Moments:
    """Delays over the time that a program takes from its exec to its answer, and some more."""

    def __init__(self, daemon):
        pid, asker = daemon.current(), daemon.connect(DEADLINE)
        before = exec_time(pid)
        daemon.request_update(asker)
        while exec_time(pid) == before:
            pass
        start = time.monotonic()
        assert asker.recv_reply(DEADLINE).payload == b"OK\0"
        self.span = 1.3 * (time.monotonic() - start)
        asker.close()

    def random(self):
        return random.random() * self.span


class Guests:
    """Guests of a host, each with a request of which half was sent before the new program died."""

    def __init__(self, daemon):
        self.guests = [daemon.guest(daemon.host.create()) for _ in range(3)]
        self.count = 0
        for guest in self.guests:
            guest.watch("data", "t")
            guest.write("data/x")
            guest.drain_events()
        self.send_half()

    def send_half(self):
        self.request = message(Type.WRITE, b"data/x\0%d" % self.count, 0, 9)
        for guest in self.guests:
            guest.send_raw(self.request[:20])

    def check(self):
        for guest in self.guests:
            guest.send_raw(self.request[20:])
            assert guest.recv_reply(DEADLINE) == (Type.WRITE, 9, 0, b"OK\0")
            assert guest.read("data/x") == b"%d" % self.count
            assert guest.drain_events() == [("data/x", "t")]
        self.count += 1
        self.send_half()


def killed_at_any_moment(start, wanted):
    """Until it has been killed so often before it served; in between it is when it did."""
    taken = 0
    for _ in range(20 * wanted):
        with start() as daemon:
            client = daemon.connect(DEADLINE)
            client.pipeline_ok((Type.WRITE, b"/many/%d/%d\0%d" % (i % 30, i, i))
                               for i in range(1500))
            client.close()
            guests = Guests(daemon) if start is HostLive else None
            work = Work(daemon)
            moments = Moments(daemon)
            work.check()
            while taken < wanted:
                pid = daemon.current()
                text = kill_new_program(daemon, moments.random())
                if text is None:
                    break
                taken += 1
                assert "ended before it served; the old one goes on" in text
                assert daemon.current() != pid
                if guests:
                    guests.check()
                    work.before = tree(work.plain)
                work.check()
            else:
                daemon.updated()
                work.finish()
                return
    raise AssertionError("it was never killed before it served")


def test_a_new_program_that_is_killed_at_any_moment():
    killed_at_any_moment(Live, 6 * COUNT)


def test_a_new_program_that_is_killed_on_a_host():
    killed_at_any_moment(HostLive, 4 * COUNT)


def test_a_new_program_that_dies_when_it_serves(daemon, work):
    """It has said so: what comes then is an ordinary crash."""
    pid = daemon.current()
    assert daemon.update() == "OK"
    daemon.expected_exit = -signal.SIGKILL
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not servers(daemon) and nobody_serves(daemon.socket), "the end of the daemon")


def test_a_guard_with_many_clients(programs):
    """More descriptors than one message can carry."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Work(daemon)
        many = [daemon.connect(DEADLINE) for _ in range(450)]
        for i, client in enumerate(many):
            client.write(f"/many/{i}", b"%d" % i)
        work.before = tree(work.plain)
        taken_over(daemon, work, file=build(programs, "hangs"))
        for i, client in enumerate(many):
            assert client.read(f"/many/{i}") == b"%d" % i
        work.finish()


# -- no room ------------------------------------------------------------------------------------

def limit(pid, what):
    subprocess.run(["prlimit", "--pid", str(pid), what], check=True)


def test_no_memory_for_a_new_program(daemon, work):
    with open(f"/proc/{daemon.pid}/statm", encoding="ascii") as statm:
        size = int(statm.read().split()[0]) * os.sysconf("SC_PAGESIZE")
    asker = daemon.connect(DEADLINE)
    limit(daemon.pid, f"--as={size + 4096}:")
    text = daemon.update(client=asker)
    assert text != "OK"
    limit(daemon.pid, "--as=unlimited:")
    work.check()
    daemon.updated()
    work.check()
    work.finish()


def test_no_room_in_memory_files(daemon, work):
    limit(daemon.pid, "--fsize=100:")
    assert daemon.update() == "Dump write error"
    limit(daemon.pid, "--fsize=unlimited:")
    work.check()
    daemon.updated()
    work.finish()


# -- the pid file -------------------------------------------------------------------------------

class Lock:
    """Somebody else has the pid file, as a second daemon that was started by mistake for a moment."""

    def __init__(self, path):
        self.file = open(path, "r+b")
        fcntl.lockf(self.file, fcntl.LOCK_EX | fcntl.LOCK_NB)

    def let_go(self):
        self.file.close()


def update_beside_another(daemon, tmp_path):
    """The new program finds the pid file locked. Returns who asked, the old pid, and the lock."""
    held = Held(tmp_path, binary())
    asker, pid = daemon.connect(DEADLINE), daemon.current()
    daemon.request_update(asker, held.path)
    held.wait()
    lock = Lock(daemon.pid_file)
    held.let_go()
    return asker, pid, lock


def test_another_has_the_pid_file_for_a_moment(daemon, work, tmp_path):
    asker, pid, lock = update_beside_another(daemon, tmp_path)
    assert not select.select([asker], [], [], 0.2)[0]
    lock.let_go()
    assert asker.recv_reply(DEADLINE).payload == b"OK\0"
    assert daemon.current() == pid
    work.check()
    daemon.updated()
    work.finish()


def test_another_keeps_the_pid_file(daemon, work, tmp_path):
    """The new program gives up, and the old one does not end for that."""
    asker, pid, lock = update_beside_another(daemon, tmp_path)
    assert b"the old one goes on" in asker.recv_reply(DEADLINE).payload
    work.check()
    lock.let_go()
    assert daemon.current() == pid, "it is not the other one's to say"
    [now] = servers(daemon)
    with open(daemon.pid_file, "w", encoding="ascii") as file:
        print(now, file=file)
    daemon.updated()
    work.finish()


@pytest.mark.parametrize("name", ["ends at once", None])
def test_there_is_no_pid_file_any_more(daemon, work, programs, name):
    """Nor can there be one, neither for the new program nor for the guard."""
    os.unlink(daemon.pid_file)
    os.mkdir(daemon.pid_file)
    assert "the old one goes on" in daemon.update(file=build(programs, name) if name else None)
    work.check()
    os.rmdir(daemon.pid_file)
    [now] = servers(daemon)
    with open(daemon.pid_file, "w", encoding="ascii") as file:
        print(now, file=file)
    daemon.updated()
    work.finish()


# -- the daemon is to end -----------------------------------------------------------------------

def nobody_serves(socket):
    try:
        xswire.Client(socket).close()
    except OSError:
        return True
    return False


@pytest.mark.parametrize("name", ["hangs", "is stopped"])
def test_an_end_that_is_asked_for_while_nobody_serves(programs, name):
    """It is not the new program's failure, and no guard makes up for it."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        asker, pid = daemon.connect(DEADLINE), daemon.pid
        daemon.request_update(asker, build(programs, name))
        wait_for(lambda: open(f"/proc/{pid}/cmdline", "rb").read().startswith(
            str(programs).encode()), "the new program")
        daemon.expected_exit = -signal.SIGKILL
        os.kill(pid, signal.SIGTERM)
        wait_for(lambda: not running(pid), "the end of the new program")
        wait_for(lambda: nobody_serves(daemon.socket), "the end of the guard")
        time.sleep(0.2)
        assert nobody_serves(daemon.socket)


def test_an_end_that_is_asked_for_at_any_moment():
    for i in range(COUNT * 12):
        with Live() as daemon:
            asker, pid = daemon.connect(DEADLINE), daemon.pid
            daemon.request_update(asker)
            time.sleep(i * 0.0007)
            daemon.expected_exit = -signal.SIGTERM
            os.kill(pid, signal.SIGTERM)
            wait_for(lambda: not running(pid), "the end of the daemon")
            wait_for(lambda: nobody_serves(daemon.socket), "the end of its guard")
            time.sleep(0.02)
            assert nobody_serves(daemon.socket)


def test_an_end_that_is_asked_for_in_an_exec_that_fails(tmp_path):
    """The guard stands by for the new program, not for the old one."""
    other = tmp_path / "other.c"
    other.write_text("int main(void) { return 0; }")
    other, loader = with_loader(tmp_path, other)
    source, program = tmp_path / "new.c", tmp_path / "new"
    # When all is right, the file becomes another one.
    source.write_text(SOURCE % {"records": 1, "body": "return 0;", "before": f"""
        if (checking) {{
            check_until(1);
            hear(&image);
            rename("{other}", argv[0]);
            send(talk, "r", 1, 0);
            return 0;
        }}"""})
    subprocess.run(["gcc", "-std=gnu11", "-o", program, source], check=True)
    with Live() as daemon:
        asker = daemon.connect(DEADLINE)
        lease = Lease(loader)
        daemon.request_update(asker, str(program))
        wait_for(lambda: lease.wanted, "the exec")
        daemon.expected_exit = -signal.SIGTERM
        os.kill(daemon.pid, signal.SIGTERM)
        lease.let_go()
        wait_for(lambda: not servers(daemon) and nobody_serves(daemon.socket),
                 "the end of the daemon and of its guard")


def test_the_requester_is_gone_when_the_guard_takes_over(programs):
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        work = Work(daemon)
        pid = daemon.pid
        client = daemon.connect(DEADLINE)
        daemon.request_update(client, build(programs, "hangs"))
        wait_for(lambda: open(f"/proc/{pid}/cmdline", "rb").read().startswith(
            str(programs).encode()), "the new program")
        client.close()
        wait_for(lambda: daemon.current() != pid, "the guard")
        work.check()
        work.finish()


def test_requests_sent_while_nobody_serves(programs):
    """They are answered by whoever takes over, in order."""
    with Live(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        client, asker = daemon.connect(DEADLINE), daemon.connect(DEADLINE)
        pid = daemon.pid
        req = daemon.request_update(asker, build(programs, "hangs"))
        wait_for(lambda: open(f"/proc/{pid}/cmdline", "rb").read().startswith(
            str(programs).encode()), "the new program")
        late = daemon.connect(DEADLINE)
        late.send(Type.WRITE, strings("/late") + b"1")
        replies = client.pipeline([(Type.WRITE, strings(f"/p/{i}")) for i in range(100)])
        assert all(reply.payload == b"OK\0" for reply in replies)
        assert late.recv_reply().payload == b"OK\0"
        assert asker.recv_reply().req_id == req
        assert client.ls("/p") == [str(i) for i in range(100)]


# -- with guests --------------------------------------------------------------------------------

@pytest.mark.parametrize("name", ["ends at once", "is stopped"])
def test_guests_are_served_by_the_guard(programs, name):
    with HostLive(env={"XENSTORED_UPDATE_SECONDS": "1"}) as daemon:
        client = daemon.connect(DEADLINE)
        domid = daemon.host.create()
        guest = daemon.guest(domid)
        guest.watch("data", "t")
        client.watch("@releaseDomain", "end")
        tx = guest.transaction_start()
        guest.write("data/x", b"1", tx)
        guest.send_raw(message(Type.WRITE, b"data/half\0x", 0, 7)[:20])
        pid = daemon.current()
        assert "the old one goes on" in daemon.update(file=build(programs, name))
        assert daemon.current() != pid
        assert client.get_domain_path(domid) == f"/local/domain/{domid}"
        guest.send_raw(message(Type.WRITE, b"data/half\0x", 0, 7)[20:])
        assert guest.recv_reply().req_id == 7
        assert guest.commit(tx)
        assert guest.drain_events() == [("data/half", "t"), ("data/x", "t")]
        daemon.updated()
        assert guest.read("data/x") == b"1"
        assert not client.drain_events()
        daemon.host.run("destroy", domid)
        assert client.wait_event() == ("@releaseDomain", "end")
