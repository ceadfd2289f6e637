# SPDX-License-Identifier: GPL-2.0-or-later
"""dom0 whose xenstored is another domain: there is no process, no socket, only the kernel's ring."""

import time

from host import Host, RingClient, command
from reuse import Control

DOMID = 1  # the first domain after dom0

IMAGE = "/stub/xenstored-stubdom"
MEMORY_MB = 16
MAX_MEMORY_MB = 64


class StubHost(Host):
    """What the checks of tests/xen expect of a host, by means of the domain."""

    def __init__(self, settings, version):
        super().__init__(settings, version)
        self.hypervisor = Control()
        self.domid = None
        self.start_seconds = 0

    def start(self, *options):
        """Starts the domain as a distribution does, and waits until it has answered."""
        start = time.monotonic()
        self.start_it(*options)
        self.start_seconds = time.monotonic() - start

    def start_it(self, *options):
        if self.settings["xenstored"] == "daemon":  # to compare with
            self.start_xenstored()
            self.client = RingClient()
            return
        command("init-xenstore-domain", "--kernel", IMAGE, "--memory", str(MEMORY_MB),
                "--maxmem", str(MAX_MEMORY_MB), *options, timeout=60)
        self.domid = DOMID
        self.client = RingClient()

    def gone(self):
        if self.domid is None:
            return super().gone()
        info = self.hypervisor.info(self.domid)
        if not info:
            return f"the Xenstore domain {self.domid} is gone"
        dying, crashed, down, reason = info
        if dying or crashed or down:
            return f"the Xenstore domain {self.domid} has ended (reason {reason})"
        return None

    def stop(self):
        if self.domid is None:
            super().stop()
        else:
            self.hypervisor.pause(self.domid)

    def go_on(self):
        if self.domid is None:
            super().go_on()
        else:
            self.hypervisor.unpause(self.domid)

    def new_client(self):
        return RingClient()

    def mapped_rings(self):
        return 0  # which is not to be seen from here

    def memory_pages(self):
        """(pages that the domain has now, limit in kB)"""
        return self.hypervisor.memory(self.domid)

    def memory_kb(self):
        return 4 * self.memory_pages()[0]
