# SPDX-License-Identifier: GPL-2.0-or-later
"""dom0 as the checks see it: its daemons, its log, its clients of the store."""

import errno
import os
import re
import select
import signal
import socket
import subprocess
import threading
import time

import xswire
from framework import wait_until

SOCKET = "/run/xenstored/socket"
PID_FILE = "/run/xenstore.pid"
RING = "/dev/xen/xenbus"


class Ran:
    """What became of a command."""

    def __init__(self, status, output):
        self.status = status
        self.output = output


def command(*arguments, timeout=40, ok=True):
    """Runs a program with a deadline that also holds when it cannot be killed."""
    with open("/tmp/output", "w+b") as output:
        process = subprocess.Popen(arguments, stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=subprocess.STDOUT)
        end = time.monotonic() + timeout
        while process.poll() is None and time.monotonic() < end:
            time.sleep(0.02)
        status = process.poll()
        if status is None:
            process.kill()
        output.seek(0)
        text = output.read().decode("latin-1")
    if ok and status != 0:
        how = "did not end" if status is None else f"ended with {status}"
        raise AssertionError(f"{' '.join(arguments)} {how}: {text.strip()[-600:]}")
    return Ran(status, text)


class SystemLog(threading.Thread):
    """What a system log daemon would collect."""

    def __init__(self):
        super().__init__(daemon=True)
        self.lines = []
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind("/dev/log")

    def run(self):
        while True:
            data = self.socket.recv(65536).decode("latin-1").rstrip("\0\n")
            text = re.sub(r"^<\d+>\w+ +\d+ [\d:]+ ", "", data)
            self.lines.append(f"{time.monotonic():6.1f} {text}")

    def text(self):
        return "\n".join(self.lines)


class Refused(Exception):
    """A message that dom0's kernel does not pass on, though the protocol allows to ask."""


class KernelDevice:
    """The kernel's door to its own ring, with what a client needs of a socket."""

    LONGEST = 4096  # with its header, a message that the kernel takes

    def __init__(self):
        self.fd = os.open(RING, os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)

    def fileno(self):
        return self.fd

    def setblocking(self, _blocking):
        pass

    def recv(self, size):
        # The device's read blocks in spite of O_NONBLOCK on some kernels.
        if not select.select([self.fd], [], [], 0)[0]:
            raise BlockingIOError
        return os.read(self.fd, size)

    def send(self, data, _flags=0):
        try:
            return os.write(self.fd, data)
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            raise Refused("dom0's kernel refuses a message itself") from error

    def close(self):
        os.close(self.fd)


class RingClient(xswire.Client):
    """A client whose requests go through the dom0 kernel's ring."""

    def __init__(self, timeout=20):
        self.begun = b""  # of a message, which the kernel has
        self.asked = self.answered = 0
        super().__init__(sock=KernelDevice(), timeout=timeout)

    def _take(self, msg):
        # The kernel leaves the ids of an event as they happen to be.
        if msg.is_event:
            msg = msg._replace(req_id=0, tx_id=0)
        else:
            self.answered += 1
        super()._take(msg)

    def send_raw(self, data, timeout=None, read=True):
        """One request after the other: the kernel sends from the buffer into which it reads."""
        data = self.begun + xswire.raw(data)
        sent = len(self.begun)
        while len(data) > sent:
            deadline = self._deadline(timeout)
            while self.asked > self.answered:
                self._fill(deadline, "reply")
            size = len(data) + 1
            if len(data) >= xswire.HEADER_SIZE:
                size = xswire.HEADER_SIZE + xswire.HEADER.unpack_from(data)[3]
                if size > KernelDevice.LONGEST:
                    raise Refused("has a message longer than dom0's kernel passes on")
            super().send_raw(data[sent:size], timeout)
            if len(data) < size:
                break
            self.asked += 1
            data, sent = data[size:], 0
        self.begun = data


class Host:
    """The state that the checks share."""

    def __init__(self, settings, version):
        self.settings = settings
        self.version = version
        self.log = SystemLog()
        self.log.start()
        self.pid = None
        self.client = None
        self.bystander = None
        self.early = None
        self.kill_after_start = False
        self.client_after_start = None
        self.files_at_start = []
        self.ours = settings["xenstored"] != "debian"

    # -- daemons ------------------------------------------------------------------------------

    def start_xenstored(self):
        ran = command("/sbin/xenstored", "--pid-file", PID_FILE, ok=False, timeout=30)
        if ran.status != 0:
            raise AssertionError(f"xenstored ended with {ran.status}: {ran.output}\n"
                                 f"{self.log.text()}")
        if self.ours:
            self.client_after_start = xswire.Client(SOCKET)
        wait_until(lambda: os.path.exists(PID_FILE) and open(PID_FILE).read().strip(), "a pid file")
        wait_until(lambda: os.path.exists(SOCKET), "a socket")
        self.pid = int(open(PID_FILE).read())
        self.client = wait_until(self._try_client, "an answer on the socket")
        self.files_at_start = self.open_files()

    @staticmethod
    def _try_client():
        try:
            client = xswire.Client(SOCKET, timeout=20)
            client.exists("/tool")
            return client
        except (OSError, xswire.Timeout):
            return None

    def gone(self):
        """Why nothing can be expected from xenstored any more, or None."""
        if self.pid is None:
            return None
        try:
            with open(f"/proc/{self.pid}/stat") as stream:
                state = stream.read().rpartition(")")[2].split()[0]
        except FileNotFoundError:
            state = "X"
        return f"xenstored (pid {self.pid}) has ended" if state in "XZ" else None

    def stop(self):
        """Lets xenstored sleep, until go_on()."""
        os.kill(self.pid, signal.SIGSTOP)

    def go_on(self):
        os.kill(self.pid, signal.SIGCONT)

    def new_client(self):
        return xswire.Client(SOCKET, timeout=20)

    def open_files(self):
        """What xenstored has open, without what comes and goes with its clients."""
        directory = f"/proc/{self.pid}/fd"
        names = [os.readlink(f"{directory}/{fd}") for fd in os.listdir(directory)]
        return sorted(name for name in names if not name.startswith("socket:"))

    def mapped_rings(self):
        with open(f"/proc/{self.pid}/maps") as stream:
            return sum("gntdev" in line for line in stream)

    def memory_kb(self):
        with open(f"/proc/{self.pid}/status") as stream:
            return int(re.search(r"VmRSS:\s+(\d+)", stream.read()).group(1))
