# SPDX-License-Identifier: GPL-2.0-or-later
"""Keys for the console of the emulated machine. They go to the hypervisor, not to dom0.

They also keep the machine awake. When QEMU's processor leaves a guest, it changes its word of
pending interrupts without a lock, and what the thread of the devices sets at that moment is lost
(seen with 7.2). If that was the interrupt of the timer, all domains sleep until some other
interrupt comes; then they go on as if nothing had been. So one comes each second: a key that means
nothing.
"""

import os
import shutil
import socket
import tempfile
import time


class Keys:
    """The line, held open for the whole run."""

    TO_XEN = b"\x01\x01\x01"
    NOTHING = b"\0"
    INTERVAL = 1  # seconds

    def __init__(self):
        self.path = os.path.join(tempfile.mkdtemp(prefix="xen-console-"), "keys")
        self.line = None
        self.next = 0

    def _connect(self):
        line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            line.connect(self.path)
        except OSError:  # QEMU has only just been started
            line.close()
            return False
        line.setblocking(False)
        self.line = line
        return True

    def press(self, keys):
        """Nobody waits for the machine: what it does not take is lost."""
        try:
            if self.line:
                self.line.send(keys)
        except OSError:
            pass

    def turn(self, listening):
        """To be called often. The hypervisor is listening from the end of its own start on."""
        try:
            while self.line and self.line.recv(65536):  # it is in the log as well
                pass
        except OSError:
            pass
        if not listening or time.monotonic() < self.next:
            return
        if self.line:
            self.press(self.NOTHING)
        elif self._connect():
            self.press(self.TO_XEN)
        self.next = time.monotonic() + self.INTERVAL

    def close(self):
        if self.line:
            self.line.close()
        shutil.rmtree(os.path.dirname(self.path), ignore_errors=True)
