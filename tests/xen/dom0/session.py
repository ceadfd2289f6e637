# SPDX-License-Identifier: GPL-2.0-or-later
"""A run of all registered checks from the first message on the serial line to the last."""

import glob
import json
import os

from framework import Reporter, run_all


def xen_version():
    base = "/sys/hypervisor/version/"
    return tuple(int(open(base + part).read()) for part in ("major", "minor"))


def session(make_host, before=lambda _settings, _host: None):
    """make_host: of the settings and the version of Xen; before: what comes before all checks."""
    reporter = Reporter()
    settings = json.load(open("/checks/settings.json"))
    version = xen_version()
    host = make_host(settings, version)
    reporter.send("xen", version="%d.%d" % version)
    host.report = lambda text: reporter.send("report", text=text)
    before(settings, host)
    try:
        run_all(reporter, settings, version, host)
    finally:
        reporter.send("log", title="system log", text=host.log.text())
        for path in glob.glob("/var/log/xen/**/*", recursive=True):
            if os.path.isfile(path):
                with open(path, "rb") as stream:
                    reporter.send("log", title=path, text=stream.read()[-20000:].decode("latin-1"))
    reporter.send("end")
