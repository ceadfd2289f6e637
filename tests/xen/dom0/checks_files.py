# SPDX-License-Identifier: GPL-2.0-or-later
"""xenstore-9pfsd on a real host: dom0 is both ends. Our front-end runs as a process of dom0, and
Linux's own front-end is mounted there."""

import hashlib
import os
import subprocess

from framework import Skip, check, equal
from host import command

DAEMON = "/sbin/xenstore-9pfsd"
GUEST = "/sbin/ninep-guest"
SHARE = "/var/log/shared"
MOUNTED = "/mnt/9p"


def need(*paths):
    for path in paths:
        if not os.path.exists(path):
            raise Skip(f"there is no {os.path.basename(path)}")


def state(host, end):
    return host.client.read(f"/local/domain/0/{end}/0/state")


def start_daemon():
    if not os.path.exists("/run/xen/xenstore-9pfsd.pid"):
        command(DAEMON)


def rights():
    """What the daemon may do beyond what its user may: nothing."""
    with open("/run/xen/xenstore-9pfsd.pid", encoding="ascii") as file:
        pid = int(file.read())
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        status = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: status[name] for name in ("CapPrm", "CapEff", "CapBnd", "NoNewPrivs")}


class Frontend:
    """tests/ninep/guest.c: says what to do, line by line."""

    def __enter__(self):
        self.process = subprocess.Popen([GUEST, "0"], stdin=subprocess.PIPE, text=True,
                                        stdout=subprocess.PIPE, bufsize=1)
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        return self.process.stdout.readline().rstrip("\n")


@check("xenstore-9pfsd serves our 9pfs front-end: lines, files, a change of programs, a new device",
       deadline=120, ours=True)
def our_front_end(host):
    need(DAEMON, GUEST)
    start_daemon()
    equal(host.client.read("/local/domain/0/libxl/xen-9pfs/state"), b"running")
    equal(rights(), {"CapPrm": "0" * 16, "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"})
    with Frontend() as frontend:
        equal(frontend.ask("log before the device"), "ok")
        command(DAEMON, "attach", "0", "--path", SHARE)
        equal(frontend.ask("connected 30000"), "yes")
        equal(state(host, "backend/xen_9pfs/0"), b"4")
        equal(frontend.ask("write state_dump 3000000"), "ok")
        equal(os.path.getsize(f"{SHARE}/state_dump"), 3000000)
        equal(frontend.ask("read state_dump"), "3000000")
        equal(frontend.ask("reload"), "ok")
        equal(frontend.ask("log after the reload"), "ok")
        equal(frontend.ask("flush 30000"), "ok")
        equal(frontend.ask("remove state_dump"), "ok")
        with open(f"{SHARE}/log", encoding="ascii") as log:
            equal(log.read(), "before the device\nafter the reload\n")
        frontend.process.stdin.write("work 5000\n")
        command(DAEMON, "detach", "0")
        equal(frontend.process.stdout.readline(), "ok\n")
        assert not host.client.exists("/local/domain/0/device/9pfs/0")


@check("Linux's own 9pfs front-end mounts what xenstore-9pfsd serves", deadline=120, ours=True)
def linux_front_end(host):
    need(DAEMON)
    modules = ("netfs", "fscache", "9pnet", "9p", "9pnet_xen")
    need(*(f"/modules/{module}.ko" for module in modules))
    start_daemon()
    for module in modules:
        command("insmod", f"/modules/{module}.ko")
    command(DAEMON, "attach", "0", "--path", SHARE, "--max-open-files", "500", "--max-space", "8",
            "--wait", "30", timeout=60)
    os.makedirs(MOUNTED, exist_ok=True)
    command("mount", "-t", "9p", "-o", "trans=xen,version=9p2000.u,cache=none", "Xen", MOUNTED)
    try:
        use_like_any_file_system()
    finally:
        command("umount", MOUNTED)
    equal(state(host, "backend/xen_9pfs/0"), b"4")
    command(DAEMON, "detach", "0")
    assert not host.client.exists("/local/domain/0/backend/xen_9pfs/0/0")


def use_like_any_file_system():
    data = os.urandom(2000000)
    with open(f"{MOUNTED}/data", "wb") as file:
        file.write(data)
    with open(f"{SHARE}/data", "rb") as file:
        equal(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
    with open(f"{MOUNTED}/data", "rb") as file:
        equal(hashlib.sha256(file.read()).digest(), hashlib.sha256(data).digest())
    with open(f"{MOUNTED}/log.txt", "a", encoding="ascii") as file:
        file.write("one\n")
    with open(f"{MOUNTED}/log.txt", "a", encoding="ascii") as file:
        file.write("two\n")
    with open(f"{SHARE}/log.txt", encoding="ascii") as file:
        equal(file.read(), "one\ntwo\n")
    os.mkdir(f"{MOUNTED}/sub")
    for number in range(100):
        with open(f"{MOUNTED}/sub/file{number}", "wb") as file:
            file.write(b"x" * number)
    equal(sorted(os.listdir(f"{MOUNTED}/sub")), sorted(f"file{n}" for n in range(100)))
    equal(os.stat(f"{MOUNTED}/sub/file77").st_size, 77)
    os.truncate(f"{MOUNTED}/data", 1000)
    equal(os.path.getsize(f"{SHARE}/data"), 1000)
    os.chmod(f"{MOUNTED}/data", 0o640)
    equal(os.stat(f"{SHARE}/data").st_mode & 0o777, 0o640)
    for number in range(100):
        os.unlink(f"{MOUNTED}/sub/file{number}")
    os.rmdir(f"{MOUNTED}/sub")
    equal(sorted(os.listdir(SHARE)), ["data", "log", "log.txt"])
    # Neither out nor beyond the limit.
    os.symlink("/etc", f"{SHARE}/link")
    assert not os.path.exists(f"{MOUNTED}/link/xen")
    os.unlink(f"{SHARE}/link")
    try:
        with open(f"{MOUNTED}/large", "wb") as file:
            file.write(bytes(9 << 20))
        raise AssertionError("more than the limit was written")
    except OSError as error:
        equal(error.errno, 28)
    os.unlink(f"{MOUNTED}/large")
