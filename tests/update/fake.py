# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that pretend to be a xenstored to update to: our ELF note, and another behaviour.

The state is checked by a first run of the program (its only argument is "check-image"), which is
told over a socket how far the image has come.  All of these say that it is right, unless they are
told to fail there.
"""

import pathlib
import subprocess

SOURCE = r"""
#include <stdint.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

static const struct {
	uint32_t name_len, desc_len, type;
	char name[12];
	uint32_t abilities[4];
} note __attribute__((section(".note.xenstored"), used, aligned(4))) = {
	10, 16, 1, "xenstored", {6, 7, %(records)d, 0},
};

static int image, talk;

/* Whether the next message came; how far the image is: 0 a part, 1 the store, 2 all of it. */
static int hear(int *progress)
{
	struct { uint64_t size; uint32_t progress, pad; } message;

	if (recv(talk, &message, sizeof(message), 0) != sizeof(message))
		return 0;
	*progress = (int)message.progress;
	return 1;
}

/* Say that all is right, until it has been said of so much. */
static void check_until(int end)
{
	int progress;

	while (hear(&progress)) {
		if (progress)
			send(talk, "r", 1, 0);
		if (progress >= end)
			return;
	}
}

/* The file is something else from now on. */
static void replace_file(const char *name)
{
	char other[4096];
	FILE *file;

	snprintf(other, sizeof(other), "%%s.new", name);
	file = fopen(other, "w");
	fputs("no program\n", file);
	fchmod(fileno(file), 0755);
	fclose(file);
	rename(other, name);
}

int main(int argc, char **argv)
{
	struct rlimit none = {0, 0};
	int checking = argc == 2 && !strcmp(argv[1], "check-image");

	setrlimit(RLIMIT_CORE, &none);
	if (checking && sscanf(getenv("XENSTORED_INHERITANCE"), "check image=%%d status=%%d",
			       &image, &talk) != 2)
		return 1;
	%(before)s
	if (checking) {
		check_until(2);
		return 0;
	}
	%(body)s
}
"""

# What the program does when it is to take over.
BODIES = {
    "ends at once": "return 1;",
    "ends well at once": "return 0;",
    "crashes": "abort();",
    "is killed": "kill(getpid(), SIGKILL);",
    "hangs": "for (;;) pause();",
    "is stopped": "kill(getpid(), SIGSTOP); for (;;) pause();",
    "closes everything and hangs": "for (int i = 3; i < 1024; i++) close(i); for (;;) pause();",
}

# What it does when it is to check; it would be a good one otherwise.
CHECKS = {
    "refuses the state": 'send(talk, "nit is too old", 14, 0);',
    "refuses the state without a word": "return 1;",
    "refuses the rest": 'check_until(1); hear(&talk); send(talk, "nthe rest", 9, 0);',
    "crashes in the check": "abort();",
    "crashes when it has seen the store": "check_until(1); abort();",
    "crashes at the end": "check_until(1); hear(&image); abort();",
    "says nonsense": 'send(talk, "\\0\\1\\2", 3, 0);',
    "hangs at the end": "check_until(1); hear(&image); for (;;) pause();",
    "ends well without checking": "return 0;",
    "is replaced on the disk": 'check_until(1); hear(&image); replace_file(argv[0]);'
                               ' send(talk, "r", 1, 0); return 0;',
}


def build(directory, name, records=1):
    """The path of the program with this behaviour."""
    stem = name.replace(" ", "-")
    program = pathlib.Path(directory) / stem
    if not program.exists():
        source = program.with_suffix(".c")
        source.write_text(SOURCE % {
            "records": records, "body": BODIES.get(name, "return 0;"),
            "before": f"if (checking) {{ {CHECKS[name]} }}" if name in CHECKS else ""})
        subprocess.run(["gcc", "-std=gnu11", "-o", program, source], check=True)
    return str(program)
