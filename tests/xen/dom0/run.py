# SPDX-License-Identifier: GPL-2.0-or-later
"""The program that dom0's first process starts: runs the checks, then hands out the logs."""

import glob
import json
import os
import time

# Each registers its checks, in this order.
import checks_start  # noqa: F401
import checks_store  # noqa: F401
import checks_guests  # noqa: F401
import checks_reuse  # noqa: F401
import checks_hostile  # noqa: F401
import checks_linux  # noqa: F401
import checks_update  # noqa: F401
import checks_end  # noqa: F401
from framework import Reporter, run_all
from host import Host


def xen_version():
    base = "/sys/hypervisor/version/"
    return tuple(int(open(base + part).read()) for part in ("major", "minor"))


def misbehave(how, host):
    """What a test of the harness asks for."""
    if how == "panic":
        with open("/proc/sysrq-trigger", "w") as trigger:
            trigger.write("c")
    elif how == "hang":
        time.sleep(3600)
    elif how == "kill":
        host.kill_after_start = True


def main():
    reporter = Reporter()
    settings = json.load(open("/checks/settings.json"))
    version = xen_version()
    host = Host(settings, version)
    reporter.send("xen", version="%d.%d" % version)
    misbehave(settings["misbehave"], host)
    try:
        run_all(reporter, settings, version, host)
    finally:
        reporter.send("log", title="system log", text=host.log.text())
        for path in glob.glob("/var/log/xen/**/*", recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    reporter.send("log", title=path, text=stream.read()[-20000:].decode("latin-1"))
    reporter.send("end")


if __name__ == "__main__":
    main()
