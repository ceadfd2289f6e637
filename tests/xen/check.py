#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots a real Xen in an emulated machine and lets our xenstored serve it.

The checks themselves run in dom0 (dom0/checks_*.py). Another hypervisor is booted by XEN_ELF=, the
multiboot file of the hypervisor, and XEN_TOOLS=, the tree into which its tools were installed; with
--xenstored debian the xenstored of those tools takes the place of ours, which shows whether a
failure is ours.
"""

import argparse
import pathlib
import sys
import time

import images
from tally import Tally, run, run_machine

SILENCE = 150  # no check takes that long without a word
LIMIT = 900
TAKE_OVER = "take-over"  # a second machine, and in the titles of its checks


def file_programs(control):
    """The 9pfs back-end and a front-end, from beside xenstore-control, if they are there."""
    programs = (("sbin/xenstore-9pfsd", control.parent / "xenstore-9pfsd"),
                ("sbin/ninep-guest", control.parent / "tests" / "ninep-guest"))
    return [(path, source) for path, source in programs if source.exists()]


def boot(ingredients, limit, silence, settings, daemon, control, quiet=False,
         tally=None, beside=None):
    """One run; returns its tally. beside: a daemon to which the one that runs can be updated."""
    tally = tally or Tally(quiet)
    ours = images.program(daemon, "sbin", control) + images.program(beside, "ours", control)
    dom0 = images.dom0("dom0.cpio", ingredients, settings, ours + file_programs(control),
                       files=[(f"modules/{name}.ko", ingredients.module(name))
                              for name in images.FILE_SYSTEM_MODULES])
    directory = images.OUT / "self-test" if quiet else images.OUT / settings["boot"]
    run_machine(tally, directory, ingredients.hypervisor(), ingredients.kernel(), dom0, silence,
                limit)
    if tally.outcomes["failed"] and not quiet:
        for title, text in tally.logs:
            if title == "system log":
                print("the daemon's messages:\n    " + text[-6000:].replace("\n", "\n    "))
    return tally


def take_over(tally, ingredients, limit, settings, daemon, control):
    """A machine whose daemon is the one of the Xen tools, to be replaced by ours."""
    if not ingredients.program("xenstored"):
        tally.count(TAKE_OVER, "skipped", "the Xen tools have no xenstored")
        return
    print("the xenstored of the Xen tools starts:", flush=True)
    settings = {**settings, "xenstored": "debian", "boot": TAKE_OVER, "linux": False}
    boot(ingredients, limit, SILENCE, settings, None, control, tally=tally, beside=daemon)


def self_test(tally, ingredients, settings, daemon, control):
    """Whether the harness sees what it is for: machines on which not all is well."""

    def expect(title, expected, silence=SILENCE, **how):
        """Boots and compares the outcomes of some titles; others do not matter."""
        start = time.monotonic()
        seen = boot(ingredients, LIMIT, silence, {**settings, "linux": False, **how}, daemon,
                    control, quiet=True)
        wrong = ""
        for name, (outcome, said) in expected.items():
            found, text = seen.titles.get(name, ("absent", ""))
            if found != outcome or said not in text:
                wrong += f"{name!r} is {found}: {text}\n"
        tally.count(title, "failed" if wrong else "passed", wrong, time.monotonic() - start)

    started = "xenstored starts, as init starts it, and answers"
    ring = "the dom0 kernel's ring reads and writes what the socket sees"
    expect("a xenstored that dies is a failure of all that follows",
           {started: ("passed", ""), ring: ("failed", "has ended")}, only=ring, misbehave="kill")
    expect("a kernel that panics is a failure", {"the machine": ("failed", "it panicked")},
           misbehave="panic")
    expect("a machine that falls silent is a failure", {"the machine": ("failed", "it hangs")},
           silence=20, misbehave="hang")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--xenstored", choices=("ours", "debian"), default="ours",
                        help="whose daemon; debian: the one of the Xen tools")
    parser.add_argument("--daemon", default="build/xenstored", help="our daemon's file")
    parser.add_argument("--control", default="build/xenstore-control")
    parser.add_argument("--only", default="", help="checks whose title contains this")
    parser.add_argument("--long", action="store_true",
                        help="also a PVH Linux guest and more rounds")
    parser.add_argument("--no-linux", action="store_true", help="without Linux guests")
    parser.add_argument("--no-self-test", action="store_true",
                        help="without the boots that show that the harness notices failures")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for the whole run")
    options = parser.parse_args()

    settings = {"xenstored": options.xenstored, "only": options.only, "long": options.long,
                "linux": not options.no_linux, "misbehave": "", "boot": ""}
    ours = options.xenstored == "ours"
    daemon = pathlib.Path(options.daemon).resolve() if ours else None
    control = pathlib.Path(options.control).resolve()

    def machines(tally, ingredients):
        if TAKE_OVER not in options.only:
            boot(ingredients, options.limit, SILENCE, settings, daemon, control, tally=tally)
        if ours and (not options.only or TAKE_OVER in options.only):
            take_over(tally, ingredients, options.limit, settings, daemon, control)
        if not options.only and not options.no_self_test:
            self_test(tally, ingredients, settings, daemon, control)

    return run("check-xen", machines)


if __name__ == "__main__":
    sys.exit(main())
