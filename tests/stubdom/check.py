#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Boots a real Xen whose xenstored is a domain of its own: our stub domain.

The machine, dom0 and its checks are those of tests/xen, as far as they do not need a process in
dom0; those that are about the domain alone are in dom0/.
"""

import argparse
import json
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
sys.path.insert(0, str(TOP / "tests" / "xen"))

import images  # noqa: E402
from tally import run, run_machine  # noqa: E402

SILENCE = 150
LIMIT = 900
MEMORY = 1280  # of the machine, in MB

IMAGE_BASE = 0x400000  # the image's file begins with what is loaded to there
# The program's start in the C library; what gets a piece of the state file; what makes a store of a
# state that was read and checked.
BROKEN = ("_start", "waited_take", "image_restore")


def places(stub):
    """A file that tells where in the image functions begin, for checks that break one of them."""
    listing = subprocess.run(["nm", "--defined-only", f"{stub}.debug"], stdout=subprocess.PIPE,
                             text=True, check=True).stdout
    symbols = {words[2]: int(words[0], 16) for words in map(str.split, listing.splitlines())}
    target = images.OUT / "places.json"
    target.write_text(json.dumps({name: symbols[name] - IMAGE_BASE for name in BROKEN}))
    return target


def stub_files(ingredients, options):
    """(programs, other files) for dom0, each with its path there."""
    stub = pathlib.Path(options.stubdom).resolve()
    if not stub.exists() and not options.daemon:
        raise images.Missing(f"{stub} is not there; run: make stubdom")
    if not ingredients.program("init-xenstore-domain"):
        raise images.Missing("the Xen tools have no init-xenstore-domain")
    build = pathlib.Path(options.control).resolve().parent
    programs = images.program(build / "xenstored", "sbin", build / "xenstore-control")
    files_daemon = build / "xenstore-9pfsd"
    if files_daemon.exists():
        programs.append(("sbin/xenstore-9pfsd", files_daemon))
    files = []
    if stub.exists():
        files.append(("stub/xenstored-stubdom", stub))
    if pathlib.Path(f"{stub}.debug").exists():
        files.append(("stub/places.json", places(stub)))
    return programs, files


def boot(tally, ingredients, options, settings):
    programs, files = stub_files(ingredients, options)
    dom0 = images.dom0("stubdom.cpio", ingredients, settings, programs,
                       checks=(HERE / "dom0", images.HERE / "dom0", TOP / "tests" / "system"),
                       programs=(*images.PROGRAMS, "init-xenstore-domain"), files=files)
    directory = images.OUT.parent / "stubdom"
    machine = run_machine(tally, directory, ingredients.hypervisor(), ingredients.kernel(), dom0,
                          options.limit if options.bench else SILENCE, options.limit,
                          memory=MEMORY)
    if tally.outcomes["failed"]:
        lines = [line for line in machine.console_tail(2000).splitlines() if "HVM" not in line]
        print("the console:\n    " + "\n    ".join(lines[-60:]))


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--stubdom", default="build/xenstored-stubdom", help="the domain's image")
    parser.add_argument("--control", default="build/xenstore-control",
                        help="our tools are taken from beside this one")
    parser.add_argument("--only", default="", help="checks whose title contains this")
    parser.add_argument("--daemon", action="store_true",
                        help="the same machine with our daemon in dom0, to compare with")
    parser.add_argument("--bench", action="store_true", help="measure instead of checking")
    parser.add_argument("--long", action="store_true", help="more rounds")
    parser.add_argument("--limit", type=int, default=LIMIT, help="seconds for the whole run")
    options = parser.parse_args()

    settings = {"xenstored": "daemon" if options.daemon else "ours", "only": options.only,
                "long": options.long, "linux": False, "misbehave": "",
                "boot": "bench" if options.bench else ""}
    return run("check-stubdom",
               lambda tally, ingredients: boot(tally, ingredients, options, settings))


if __name__ == "__main__":
    sys.exit(main())
