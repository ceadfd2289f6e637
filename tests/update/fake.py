# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that pretend to be a xenstored to update to: our ELF note, and another behaviour.

The state is checked by a first run of the program (its only argument is "check-image"), which
all of these pass unless they are told to fail there.
"""

import pathlib
import subprocess

SOURCE = r"""
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

static const struct {
	uint32_t name_len, desc_len, type;
	char name[12];
	uint32_t abilities[4];
} note __attribute__((section(".note.xenstored"), used, aligned(4))) = {
	10, 16, 1, "xenstored", {6, 7, %(records)d, 0},
};

int main(int argc, char **argv)
{
	struct rlimit none = {0, 0};
	int checking = argc == 2 && !strcmp(argv[1], "check-image");

	setrlimit(RLIMIT_CORE, &none);
	(void)checking;
	%(body)s
}
"""

BODIES = {
    "ends at once": "return checking ? 0 : 1;",
    "ends well at once": "return 0;",
    "crashes": "if (!checking) abort(); return 0;",
    "is killed": "if (!checking) kill(getpid(), SIGKILL); return 0;",
    "hangs": "while (!checking) pause(); return 0;",
    "is stopped": "if (!checking) kill(getpid(), SIGSTOP); while (!checking) pause(); return 0;",
    "closes everything and hangs":
        "if (!checking) { for (int i = 3; i < 1024; i++) close(i); for (;;) pause(); } return 0;",
    "refuses the state": "return 1;",
    "crashes in the check": "abort();",
}


def build(directory, name, records=1):
    """The path of the program with this behaviour."""
    stem = name.replace(" ", "-")
    program = pathlib.Path(directory) / stem
    if not program.exists():
        source = program.with_suffix(".c")
        source.write_text(SOURCE % {"body": BODIES[name], "records": records})
        subprocess.run(["gcc", "-std=gnu11", "-o", program, source], check=True)
    return str(program)
