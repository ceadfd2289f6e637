# SPDX-License-Identifier: GPL-2.0-or-later
"""Checks: functions with a title, run in the order in which they are written.

A check passes when it returns, fails when it raises, and is skipped with a reason when the world it
needs is not there. Each has a deadline, by a signal, so that one that waits for ever does not take
the others with it; what must be known outside is written to the serial line at once, not at the
end.
"""

import json
import signal
import time
import traceback

CHECKS = []


class Skip(Exception):
    """This check does not apply here; the text says why."""


class Late(Exception):
    """The deadline of a check has passed."""


def check(title, deadline=60, since=None, ours=False, long=False, linux=False, boot=""):
    """Registers a check. since: a version of Xen; ours: says something about our daemon only;
    boot: it belongs to a machine of its own, which has this name."""

    def register(function):
        function.boot = boot
        CHECKS.append((title, deadline, since, ours, long, linux, function))
        return function

    return register


class Reporter:
    """The serial line to the harness."""

    def __init__(self, path="/dev/ttyS1"):
        self.line = open(path, "wb", buffering=0)

    def send(self, kind, **what):
        data = json.dumps({"kind": kind, **what}).encode() + b"\n"
        while data:
            data = data[self.line.write(data) :]


def reason_to_skip(settings, version, since, ours, long, linux):
    if since and version < since:
        return "needs Xen %d.%d or later, this is %d.%d" % (*since, *version)
    if ours and settings["xenstored"] == "debian":
        return "is about our own xenstored"
    if long and not settings["long"]:
        return "belongs to the long run (--long)"
    if linux and not settings["linux"]:
        return "without Linux guests (--no-linux)"
    return None


def on_alarm(_number, _frame):
    raise Late("the deadline has passed")


def run_all(reporter, settings, version, host):
    signal.signal(signal.SIGALRM, on_alarm)
    for title, deadline, since, ours, long, linux, function in CHECKS:
        always = getattr(function, "start", False)  # in every machine, whatever it is for
        if not always and (settings["only"] not in title or settings["boot"] != function.boot):
            continue
        reason = reason_to_skip(settings, version, since, ours, long, linux)
        if not reason and host.gone():
            reporter.send("result", title=title, outcome="failed", text=host.gone())
            continue
        if reason:
            reporter.send("result", title=title, outcome="skipped", text=reason)
            continue
        reporter.send("start", title=title)
        start = time.monotonic()
        outcome, text = "passed", ""
        try:
            signal.alarm(deadline)
            try:
                function(host)
            finally:
                signal.alarm(0)
            if host.gone():
                outcome, text = "failed", host.gone()
        except Skip as why:
            outcome, text = "skipped", str(why)
        except Exception:  # whatever it is, it is the result of this check
            outcome, text = "failed", traceback.format_exc(limit=-6)
        reporter.send("result", title=title, outcome=outcome, text=text,
                      seconds=round(time.monotonic() - start, 2),
                      quiet=getattr(function, "quiet", False))


def wait_until(condition, what, seconds=30, step=0.05):
    """The first true value of condition(); raises after so many seconds."""
    end = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"not within {seconds} s: {what}")
        time.sleep(step)


def equal(found, expected, what=""):
    if found != expected:
        raise AssertionError(f"{what + ': ' if what else ''}{found!r} instead of {expected!r}")
