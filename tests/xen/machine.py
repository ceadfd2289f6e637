# SPDX-License-Identifier: GPL-2.0-or-later
"""The emulated machine: QEMU without hardware help, and two serial lines.

The first line is the console of hypervisor and dom0, a text for people. The second belongs to the
checks alone: one JSON object a line. The machine is watched from outside, because nothing inside
can be trusted to report that it hangs: a panic, an end without the last message, silence for too
long and a total limit each have their own outcome.
"""

import json
import os
import re
import shutil
import subprocess
import time

from keys import Keys

XEN_OPTIONS = "console=com1 com1=115200,8n1 noreboot=1 guest_loglvl=all"
# Most of these save seconds of emulated work that has nothing to do with the store.
KERNEL_OPTIONS = ("console=hvc0 panic=1 quiet rodata=off mitigations=off cryptomgr.notests "
                  "zswap.enabled=0 apparmor=0 lsm=landlock audit=0 nokaslr noreplace-smp")
# rdrand: without it each xl waits seconds for the random pool. svm, npt: PVH guests.
CPU = "qemu64,+svm,+npt,+rdrand"
PANIC = re.compile(rb"^.*(?:Panic on CPU|Kernel panic|FATAL TRAP|Not enough RAM).*$", re.M)


class Machine:
    """One run from power-on to the last message."""

    def __init__(self, directory, hypervisor, kernel, dom0, memory=1024, dom0_memory=512):
        self.console = directory / "console.log"
        self.results = directory / "results"
        for path in (self.console, self.results):
            path.write_bytes(b"")
        self.keys = Keys()
        program = shutil.which("qemu-system-x86_64")
        if not program:
            raise FileNotFoundError("no qemu-system-x86_64 here; run: sh tests/deps.sh --xen")
        self.command = [
            program, "-accel", "tcg", "-cpu", CPU, "-m", str(memory), "-smp", "1",
            "-display", "none", "-monitor", "none", "-no-reboot", "-nodefaults",
            "-chardev", f"socket,id=console,path={self.keys.path},server=on,wait=off,"
                        f"logfile={self.console}",
            "-serial", "chardev:console", "-serial", f"file:{self.results}",
            "-kernel", str(hypervisor),
            "-append", f"{XEN_OPTIONS} dom0_mem={dom0_memory}M,max:{dom0_memory}M",
            "-initrd", f"{kernel} {KERNEL_OPTIONS},{dom0}",
        ]
        self.up = False
        self.position = 0
        self.rest = b""

    def _messages(self):
        """What has come in since the last call."""
        with open(self.results, "rb") as stream:
            stream.seek(self.position)
            data = stream.read()
        self.position += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        for line in lines:
            try:
                yield json.loads(line)
            except ValueError:
                yield {"kind": "noise", "text": line.decode("latin-1")}

    def _panic(self):
        found = PANIC.search(self.console.read_bytes())
        return found and found.group(0).decode("latin-1").strip()

    def _is_up(self):
        """Whether the hypervisor has said that the console is dom0's now; it takes keys then."""
        self.up = self.up or b"Serial input to DOM0" in self.console.read_bytes()
        return self.up

    def _ask_hypervisor(self):
        """A machine that is silent: have the hypervisor print what it knows into the console.

        Run queues, domains with their event channels, and the registers of dom0 are what tells a
        lost event from a busy loop.
        """
        for key in b"r", b"q", b"e", b"0", b"d":
            self.keys.press(key)
            for _ in range(20):
                time.sleep(0.1)
                self.keys.turn(False)

    def run(self, take, silence, limit):
        """Boots, passes each message to take(). Returns None at its end, or what is wrong."""
        start = last = time.monotonic()
        process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                   stderr=subprocess.STDOUT, preexec_fn=lambda: os.nice(5))
        try:
            while True:
                gone = process.poll() is not None
                for message in self._messages():
                    last = time.monotonic()
                    if message["kind"] == "end":
                        return message.get("text")
                    take(message)
                now = time.monotonic()
                self.keys.turn(self._is_up())
                if self._panic():
                    return f"it panicked: {self._panic()}"
                if gone:
                    said = process.stdout.read().decode("latin-1").strip()
                    return f"it stopped before the end of the checks; qemu: {said or 'silent'}"
                if now - last > silence:
                    self._ask_hypervisor()
                    return f"it hangs: nothing was heard for {silence} s"
                if now - start > limit:
                    return f"it was not finished after {limit} s"
                time.sleep(0.1)
        finally:
            if process.poll() is None:
                process.kill()
            process.wait()
            process.stdout.close()
            self.keys.close()

    def console_tail(self, lines=40):
        text = self.console.read_bytes().decode("latin-1").replace("\r", "")
        return "\n".join(text.splitlines()[-lines:])
