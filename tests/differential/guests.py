# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon on a simulated host, and connections to it through the rings of guests.

Both daemons of a comparison get a host of their own with the same domains. A guest's ring is
driven from here, as the driver in a guest would do it: the page is mapped from the file of
the host's memory, the event channel is a connection to the host. There is no process in
between, so that many requests can be made in little time.
"""

import mmap
import os
import re
import socket
import struct
import time
from pathlib import Path

from tests.lib.xswire import Client
from tests.simxen.host import Host, Store
from side import TIMEOUT, Side

HEADER = Path(__file__).resolve().parents[2] / "hypervisor" / "host" / "protocol.h"
OPERATIONS = re.findall(r"^\t(SIMXEN_\w+),", HEADER.read_text(encoding="ascii"), re.MULTILINE)
PROTOCOL = 1
NOTIFY = 0x80000000
SO_COOKIE = 57
MESSAGE = struct.Struct("=Ii4Q")

PAGE = 4096
RING = 1024
# Words of the ring page.
REQ_CONS, REQ_PROD, RSP_CONS, RSP_PROD, ERROR = 512, 513, 514, 515, 518


class Ring:
    """A guest's end of its ring, with those methods of a socket that a Client uses."""

    def __init__(self, directory, domid):
        self._control = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._control.connect(os.path.join(directory, "control"))
        self._ask("SIMXEN_HELLO", PROTOCOL, domid)
        self._events = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._events.connect(os.path.join(directory, "evtchn"))
        cookie, = struct.unpack("=Q", self._events.getsockopt(socket.SOL_SOCKET, SO_COOKIE, 8))
        self._events.sendall(struct.pack("=IIQ", PROTOCOL, domid, cookie))
        assert self._events.recv(4, socket.MSG_WAITALL) == b"\0\0\0\0"
        self.port = self._ask("SIMXEN_STORE_PORT", domid)
        self._ask("SIMXEN_EVTCHN_ATTACH", cookie, self.port)
        self._events.setblocking(False)
        self._notification = struct.pack("=I", self.port | NOTIFY)
        with open(os.path.join(directory, "memory"), "r+b") as memory:
            self._page = mmap.mmap(memory.fileno(), PAGE, offset=domid * PAGE)
        # Indices are written as whole words.
        self._words = memoryview(self._page).cast("I")
        self._taken = 0

    def _ask(self, operation, *arguments):
        arguments += (0,) * (4 - len(arguments))
        self._control.sendall(MESSAGE.pack(OPERATIONS.index(operation), 0, *arguments))
        _, result, *_ = MESSAGE.unpack_from(self._control.recv(65536))
        if result < 0:
            raise OSError(-result, f"{operation}: {os.strerror(-result)}")
        return result

    def error(self):
        """The word in which the server says what was wrong."""
        return self._words[ERROR]

    def setblocking(self, blocking):
        """It never blocks."""

    def fileno(self):
        return self._events.fileno()

    def close(self):
        self._words.release()
        self._page.close()
        self._events.close()
        self._control.close()

    def _notify(self):
        self._events.send(self._notification)

    def send(self, data, _flags=0):
        prod, cons = self._words[REQ_PROD], self._words[REQ_CONS]
        room = RING - ((prod - cons) & 0xFFFFFFFF)
        if room <= 0:
            time.sleep(0.0002)
            raise BlockingIOError
        start = prod % RING
        count = min(len(data), room, RING - start)
        self._page[start:start + count] = bytes(data[:count])
        self._words[REQ_PROD] = (prod + count) & 0xFFFFFFFF
        self._notify()
        return count

    def recv(self, _size):
        # First the events, then the ring: what comes after this look makes a new event.
        try:
            words = self._events.recv(4096)
            if not words:
                raise ConnectionResetError("the host is gone, or the guest")
            self._events.send(words)
        except BlockingIOError:
            pass
        cons, prod = self._words[RSP_CONS], self._words[RSP_PROD]
        count = (prod - cons) & 0xFFFFFFFF
        if count > RING:
            raise ConnectionResetError(f"indices {cons} and {prod} of the ring")
        if not count:
            raise BlockingIOError
        start = RING + cons % RING
        first = min(count, 2 * RING - start)
        data = self._page[start:start + first] + self._page[RING:RING + count - first]
        self._words[RSP_CONS] = prod
        # A server that waits for room has filled the ring: it is told in time.
        self._taken += count
        if self._taken >= RING // 2:
            self._taken = 0
            self._notify()
        return data


class HostedDaemon(Store):
    """A daemon, ours or another one, on a simulated host with these domains."""

    process = None

    def __init__(self, name, domids, program=None, options=()):
        self.host = Host()
        try:
            super().__init__(self.host, name, program, options)
            for domid in domids:
                self.host.create(domid)
            self.host.wait_introduced(*domids)
            self.rings = {domid: Ring(self.host.dir, domid) for domid in domids}
        except BaseException:
            self.stop()
            raise

    def stop(self):
        """Ends the daemon and its host."""
        if self.process:
            self.close()
        self.host.close()


class GuestSide(Side):
    """Connections of several domains: sockets for domain 0, rings for the others."""

    def __init__(self, daemon, domids):
        self.domids = domids
        super().__init__(daemon, len(domids))
        for domid in self._guests():
            self._introduce(domid)

    def _guests(self):
        return sorted(set(self.domids) - {0})

    def _client(self, index):
        domid = self.domids[index]
        if not domid:
            return super()._client(index)
        return Client(sock=self.daemon.rings[domid], timeout=TIMEOUT)

    def _introduce(self, domid):
        """A guest's connection begins afresh when it is introduced again."""
        self.observer.introduce(domid, domid, self.daemon.rings[domid].port)

    def close(self):
        """The rings stay: there is one for each guest, for the daemon's life."""
        for domid, client in zip(self.domids, self.clients):
            if not domid:
                client.close()
        self.observer.close()

    def reopen(self, index):
        domid = self.domids[index]
        if not domid:
            super().reopen(index)
            return
        self._introduce(domid)
        self.clients[index] = self._client(index)
        self.forget_transactions(index)
        # Whether ids begin anew is left open.
        self._next_id[index] = None
