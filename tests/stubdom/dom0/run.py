# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that dom0's first process starts, when the xenstored is a domain."""

# Each registers its checks, in this order. Protocol tests come last: they leave nodes behind.
import checks_stub_start  # noqa: F401
import checks_start  # noqa: F401
import checks_stub_dom0  # noqa: F401
import checks_stub_files  # noqa: F401
import checks_store  # noqa: F401
import checks_guests  # noqa: F401
import checks_reuse  # noqa: F401
import checks_hostile  # noqa: F401
import checks_stub_update  # noqa: F401
import checks_stub_bench  # noqa: F401
import checks_stub_end  # noqa: F401
import checks_stub_system  # noqa: F401
import chosen
from framework import CHECKS
from session import session
from stub_host import StubHost

if __name__ == "__main__":
    CHECKS[:] = [entry for entry in CHECKS if chosen.is_chosen(entry)]
    session(StubHost)
