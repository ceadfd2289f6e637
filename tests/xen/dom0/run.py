# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that dom0's first process starts: runs the checks, then hands out the logs."""

import time

# Each registers its checks, in this order.
import checks_start  # noqa: F401
import checks_store  # noqa: F401
import checks_files  # noqa: F401
import checks_guests  # noqa: F401
import checks_reuse  # noqa: F401
import checks_hostile  # noqa: F401
import checks_linux  # noqa: F401
import checks_update  # noqa: F401
import checks_end  # noqa: F401
from host import Host
from session import session


def misbehave(settings, host):
    """What a test of the harness asks for."""
    how = settings["misbehave"]
    if how == "panic":
        with open("/proc/sysrq-trigger", "w") as trigger:
            trigger.write("c")
    elif how == "hang":
        time.sleep(3600)
    elif how == "kill":
        host.kill_after_start = True


if __name__ == "__main__":
    session(Host, misbehave)
