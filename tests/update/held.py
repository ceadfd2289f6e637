# SPDX-License-Identifier: GPL-2.0-or-later
"""A program that takes over later: held up behind its exec until it is let go.

It looks like the program that it will become, to whoever looks at its file: with our note, or
with the texts of another xenstored.  What happens to domains meanwhile happens while nobody serves.
"""

import os
import pathlib
import subprocess

from tests.lib.daemon import binary
from tests.update import fake, foreign
from tests.update.live import wait_for

WAIT = """
	while (access("%(directory)s/go", F_OK)) {
		FILE *here = fopen("%(directory)s/here", "w");

		if (here)
			fclose(here);
		usleep(1000);
	}
"""
EXECUTE = """
	argv[0] = (char *)"%(program)s";
	execv(argv[0], argv);
	return 1;
"""


class Held:
    """The path of such a program in .path; daemon: a Live that is updated to it."""

    def __init__(self, directory, program):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(exist_ok=True)
        values = {"directory": self.directory, "program": program}
        self.path = str(self.directory / "program")
        source = self.directory / "program.c"
        if program == binary():
            # Checking the image is not held up.
            text = fake.SOURCE % {"records": 1, "before": f"if (checking) {{ {EXECUTE % values} }}",
                                  "body": WAIT % values + EXECUTE % values}
        else:
            text = foreign.SOURCE.replace("int main(void)", "int main(int argc, char **argv)") % {
                "texts": foreign.TEXTS, "body": "(void)argc;" + WAIT % values + EXECUTE % values}
        source.write_text("#include <stdio.h>\n" + text)
        libraries = []
        if program != binary():
            stub = self.directory / "libxenctrl.so.4.17"
            if b"libxenctrl.so.4.17" in open(program, "rb").read():
                subprocess.run(["gcc", "-shared", f"-Wl,-soname,{stub.name}", "-o", stub, "-x",
                                "c", "/dev/null"], check=True)
                # Found by the library path of the host's own, whichever that is.
                libraries = ["-Wl,--no-as-needed", str(stub), "-Wl,--allow-shlib-undefined"]
        subprocess.run(["gcc", "-std=gnu11", "-w", "-o", self.path, source, *libraries, "-ldl"],
                       check=True)
        if libraries:
            stub.unlink()

    def wait(self):
        """Until it is there, and nobody serves."""
        wait_for(lambda: os.path.exists(self.directory / "here"), "the new program")

    def let_go(self):
        (self.directory / "go").touch()
