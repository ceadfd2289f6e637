# SPDX-License-Identifier: GPL-2.0-or-later
"""An exec that is held up in its middle: by the program's dynamic loader, which nobody can open."""

import fcntl
import signal
import subprocess


class Lease:
    """A file that cannot be opened by others until it is let go; whoever tries waits."""

    def __init__(self, path):
        self.wanted = False
        self.before = signal.signal(signal.SIGIO, self.arrived)
        self.file = open(path, "rb")
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_WRLCK)

    def arrived(self, *_):
        self.wanted = True

    def let_go(self):
        fcntl.fcntl(self.file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        self.file.close()
        signal.signal(signal.SIGIO, self.before)


def with_loader(directory, source):
    """(program, its dynamic loader, which is none): whoever executes it opens the loader first."""
    loader = directory / "loader"
    loader.write_bytes(b"no loader" * 100)
    loader.chmod(0o755)
    program = directory / "program"
    subprocess.run(["gcc", "-std=gnu11", f"-Wl,--dynamic-linker={loader}", "-o", program, source,
                    "-ldl"], check=True)
    return str(program), loader
