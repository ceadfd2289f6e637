# SPDX-License-Identifier: GPL-2.0-or-later
"""Guests, made and ended by the toolstack, and the arm that one of them can be."""

import os
import re
import select
import termios
import time
import tty

import xswire
from framework import wait_until
from host import command

TINY = "/guest/tiny.elf"
LINUX = "/guest/vmlinux"
LINUX_FILES = "/guest/linux.cpio"

# Offsets of the words in the ring page (spec: rings-and-domains.md section 1).
REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, FEATURES, CONNECTION, ERROR = range(2048, 2076, 4)


class Guest:
    """A domain, from xl create to xl destroy; leaving the with statement destroys it."""

    def __init__(self, host, name, kind="pvh", kernel=TINY, memory=8, ramdisk=None, extra="",
                 paused=False, more=""):
        self.host = host
        self.name = name
        self.config = f"/tmp/{name}.cfg"
        lines = [f'name="{name}"', f'type="{kind}"', f'kernel="{kernel}"', f"memory={memory}",
                 "vcpus=1", f'extra="{extra}"']
        if ramdisk:
            lines.append(f'ramdisk="{ramdisk}"')
        for what in ("poweroff", "reboot", "crash"):
            if f"on_{what}" not in more:
                lines.append(f'on_{what}="destroy"')
        with open(self.config, "w") as stream:
            stream.write("\n".join(lines + [more]) + "\n")
        self.domid = self.start(paused)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        try:
            self.destroy()
        except AssertionError:
            if not exc[0]:
                raise

    def start(self, paused):
        command("xl", "create", *(["-p"] if paused else []), self.config)
        return int(command("xl", "domid", self.name).output)

    @property
    def home(self):
        return f"/local/domain/{self.domid}"

    def read(self, name):
        """A value in the guest's part of the store, or None."""
        try:
            return self.host.client.read(f"{self.home}/{name}").decode("latin-1")
        except xswire.XsError as error:
            if error.name != "ENOENT":
                raise
            return None

    def wait_hello(self, seconds=30):
        return wait_until(lambda: self.read("data/hello"), f"hello from {self.name}", seconds)

    def ping(self, value, seconds=30):
        """Lets the guest copy a value, through its watch."""
        self.host.client.write(f"{self.home}/data/ping", value)
        wait_until(lambda: self.read("data/pong") == value, f"pong of {self.name}", seconds)

    def exists(self):
        return command("xl", "domname", str(self.domid), ok=False).status == 0

    def wait_gone(self, seconds=30):
        wait_until(lambda: not self.host.client.exists(self.home) and not self.exists(),
                   f"the end of {self.name}", seconds)

    def destroy(self):
        if self.exists():
            command("xl", "destroy", str(self.domid), ok=False)
        self.wait_gone()


def linux(host, name, kind, **more):
    """A Linux guest; its kernel is dom0's."""
    return Guest(host, name, kind, LINUX, 128, LINUX_FILES,
                 extra="console=hvc0 quiet panic=1 mitigations=off cryptomgr.notests audit=0",
                 **more)


class BridgeSocket:
    """What a client needs of a socket, by way of a guest that moves the bytes."""

    def __init__(self, bridge):
        self.bridge = bridge

    def fileno(self):
        return self.bridge.fd

    def setblocking(self, _blocking):
        pass

    def recv(self, _size):
        self.bridge.pump(0)
        if not self.bridge.bytes:
            raise BlockingIOError
        data = bytes(self.bridge.bytes)
        self.bridge.bytes.clear()
        return data

    def send(self, data, _flags=0):
        self.bridge.put(bytes(data[:256]))
        return min(len(data), 256)

    def close(self):
        pass


class Bridge:
    """A guest that puts into its ring what it is told on its console."""

    def __init__(self, host, name):
        self.guest = Guest(host, name, extra="role=bridge")
        self.lines = []  # answers to commands
        self.bytes = bytearray()  # from xenstored
        self.text = b""
        path = wait_until(lambda: self.guest.read("console/tty"), "the console's terminal")
        self.fd = os.open(path, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK | os.O_CLOEXEC)
        tty.setraw(self.fd, termios.TCSANOW)
        self.client = xswire.Client(sock=BridgeSocket(self), timeout=20)
        self.features = self.word(FEATURES)

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        os.close(self.fd)
        self.guest.__exit__(*exc)

    def pump(self, seconds):
        """Takes in what the guest says; returns whether there was anything."""
        if not select.select([self.fd], [], [], seconds)[0]:
            return False
        try:
            self.text += os.read(self.fd, 65536)
        except BlockingIOError:
            return False
        *lines, self.text = self.text.split(b"\n")
        for line in lines:
            line = line.strip(b"\r").decode("latin-1")
            if line.startswith("< "):
                self.bytes += bytes.fromhex(line[2:])
            elif re.match(r"[.?!]$|= ", line):
                self.lines.append(line)
        return True

    def tell(self, line):
        """One command; returns its answer."""
        data = line.encode() + b"\n"
        end = time.monotonic() + 20
        # A terminal takes about 4 kB at a time, the ring behind it 1 kB.
        while data:
            try:
                data = data[os.write(self.fd, data[:512]) :]
            except BlockingIOError:
                self.pump(0.05)
            if time.monotonic() > end:
                raise AssertionError("the bridge does not take commands")
        while not self.lines:
            self.pump(0.5)
            if time.monotonic() > end:
                raise AssertionError(f"the bridge does not answer {line[:40]!r}")
        return self.lines.pop(0)

    def order(self, line):
        answer = self.tell(line)
        if answer != ".":
            raise AssertionError(f"the bridge says {answer!r} to {line[:40]!r}")

    def put(self, data, notify=True):
        """Bytes into the ring of requests."""
        self.order((">" if notify else "+") + " " + data.hex())

    def notify(self):
        self.order("n")

    def word(self, offset):
        answer = self.tell(f"r {offset:x}")
        if not answer.startswith("= "):
            raise AssertionError(f"the bridge says {answer!r}")
        return int(answer[2:], 16)

    def set_word(self, offset, value):
        self.order(f"w {offset:x} {value & 0xffffffff:x}")

    def hold(self):
        """From now on the guest does not take anything out of its ring of responses."""
        self.order("h")

    def shut_down(self, reason):
        os.write(self.fd, b"s %x\n" % reason)

    def silent(self, seconds=1.5):
        """Whether nothing comes from xenstored for a while."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.pump(0.2)
        return not self.bytes
