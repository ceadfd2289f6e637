# SPDX-License-Identifier: GPL-2.0-or-later
"""Booting a machine for checks, and counting what they report."""

import fcntl
import os
import time

import images
from machine import Machine


class Tally:
    """Counts, and what is to be said at the end."""

    def __init__(self, quiet=False):
        self.outcomes = {"passed": 0, "failed": 0, "skipped": 0}
        self.titles = {}
        self.skips = []
        self.logs = []
        self.running = None
        self.quiet = quiet

    def say(self, text):
        if not self.quiet:
            print(text, flush=True)

    def count(self, title, outcome, text="", seconds=None, quiet=False):
        self.outcomes[outcome] += 1
        self.titles[title] = (outcome, text)
        if outcome == "skipped":
            self.skips.append(f"SKIPPED {title}: {text}")
            return
        if quiet and outcome == "passed":
            return
        took = f" ({seconds:.1f} s)" if seconds is not None else ""
        self.say(f"{outcome:7} {title}{took}")
        if outcome == "failed":
            self.say("        " + text.strip().replace("\n", "\n        "))

    def take(self, message):
        kind = message.pop("kind")
        if kind == "start":
            self.running = message["title"]
        elif kind == "result":
            self.running = None
            self.count(**message)
        elif kind == "log":
            self.logs.append((message["title"], message["text"]))
        elif kind == "report":
            self.say("        " + message["text"])
        elif kind == "xen":
            self.say(f"booted: Xen {message['version']}")
        else:
            self.say(f"unexpected on the serial line: {message}")


def run_machine(tally, directory, hypervisor, kernel, dom0, silence, limit, **machine):
    """Boots, takes the messages, leaves logs and console in the directory.

    What keeps the machine from its end is counted as a failure of its own. Returns the machine.
    """
    directory.mkdir(exist_ok=True)
    machine = Machine(directory, hypervisor, kernel, dom0, **machine)
    wrong = machine.run(tally.take, silence, limit)
    with open(directory / "logs", "w", encoding="latin-1", errors="replace") as stream:
        for title, text in tally.logs:
            stream.write(f"--- {title}\n{text}\n")
    if wrong:
        where = f" (during: {tally.running})" if tally.running else ""
        tally.count("the machine", "failed",
                    f"{wrong}{where}\nconsole:\n{machine.console_tail()}")
    tally.say(f"logs: {directory / 'logs'}, console: {machine.console}")
    return machine


def run(name, boot):
    """Lets boot(tally, ingredients) run its machines, when no other run does.

    Says what was skipped, and the counts. Returns the exit status.
    """
    start = time.monotonic()
    images.OUT.mkdir(parents=True, exist_ok=True)
    lock = open(images.OUT / "lock", "w")
    fcntl.flock(lock, fcntl.LOCK_EX)  # the files of a run have fixed names
    tally = Tally()
    try:
        boot(tally, images.Ingredients(os.environ.get("XEN_ELF"), os.environ.get("XEN_TOOLS")))
    except (images.Missing, FileNotFoundError) as what:
        print(f"{name}: {what}")
        print("0 passed, 1 failed, 0 skipped")
        return 1
    for line in tally.skips:
        print(line)
    counts = tally.outcomes
    print(f"{time.monotonic() - start:.0f} s")
    print(f"{counts['passed']} passed, {counts['failed']} failed, {counts['skipped']} skipped")
    return 1 if counts["failed"] or not counts["passed"] else 0
