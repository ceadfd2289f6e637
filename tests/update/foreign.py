# SPDX-License-Identifier: GPL-2.0-or-later
"""Programs that look like another xenstored from outside: the texts that it has, no note of ours.

What they do with the state that they are given is up to their bodies.
"""

import pathlib
import subprocess

SOURCE = r"""
#include <dlfcn.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

%(texts)s

static struct { uint32_t listen, evtchn; } global;

/* The descriptors of the state file's first record, as any xenstored reads them. */
static void read_state(void)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%%s/state_dump", getenv("XENSTORED_RUNDIR"));
	file = fopen(path, "r");
	if (!file || fseek(file, 24, SEEK_SET) || fread(&global, sizeof(global), 1, file) != 1)
		exit(9);
	fclose(file);
}

/* Answer whoever comes with this listing of "/". */
static void serve(const char *listing, unsigned int len)
{
	for (;;) {
		int fd = accept(global.listen, NULL, NULL);
		uint32_t header[4];

		if (fd < 0) {
			poll(&(struct pollfd){.fd = global.listen, .events = POLLIN}, 1, 1000);
			continue;
		}
		fcntl(fd, F_SETFL, 0);
		if (read(fd, header, 16) == 16) {
			header[3] = len;
			/* The guard may have seen enough by then. */
			send(fd, header, 16, MSG_NOSIGNAL);
			send(fd, listing, len, MSG_NOSIGNAL);
		}
		poll(NULL, 0, 50);
		close(fd);
	}
}

/* Bind the virq, as every xenstored does, by the library that is there. */
static void bind_virq(void)
{
	void *library = dlopen("libxenevtchn.so.1", RTLD_NOW);
	void *(*open_fd)(void *, int, unsigned int) = dlsym(library, "xenevtchn_fdopen");
	int (*bind)(void *, unsigned int) = dlsym(library, "xenevtchn_bind_virq");

	if (bind(open_fd(NULL, global.evtchn, 0), 3) < 0)
		exit(7);
}

/* Take events and never give them back. */
static void take_events(void)
{
	uint32_t port;

	for (int i = 0; i < 3; i++)
		if (poll(&(struct pollfd){.fd = global.evtchn, .events = POLLIN}, 1, 500) == 1)
			if (read(global.evtchn, &port, sizeof(port)) < 0)
				exit(6);
}

int main(void)
{
	struct rlimit none = {0, 0};

	setrlimit(RLIMIT_CORE, &none);
	(void)texts;
	read_state();
	%(body)s
}
"""

TEXTS = 'static const char *volatile texts[] = {"@releaseDomain", "%s/state_dump"};'

BODIES = {
    "ends at once": "return 1;",
    "ends well at once": "return 0;",
    "crashes": "abort();",
    "hangs": "for (;;) pause();",
    "spins": "for (;;) ;",
    "is stopped": "kill(getpid(), SIGSTOP);",
    "closes everything and hangs": "for (int i = 3; i < 1024; i++) close(i); for (;;) pause();",
    "closes its clients and hangs":
        "for (;;) { int fd = accept(global.listen, NULL, NULL); if (fd >= 0) close(fd); "
        "else poll(NULL, 0, 5); }",
    "serves an empty store": 'serve("", 0);',
    "serves": 'serve("tool\\0local", 11);',
    "binds the virq and ends": "bind_virq(); return 1;",
    "takes events and hangs": "bind_virq(); take_events(); for (;;) pause();",
}


def build(directory, name, release=None, texts=TEXTS):
    """The path of the program; with a release it needs that release's library."""
    program = pathlib.Path(directory) / (name.replace(" ", "-") + str(release or ""))
    if not program.exists():
        source = program.with_suffix(".c")
        source.write_text(SOURCE % {"texts": texts, "body": BODIES[name]})
        libraries = []
        if release:
            stub = pathlib.Path(directory) / f"libxenctrl.so.{release}"
            subprocess.run(["gcc", "-shared", f"-Wl,-soname,{stub.name}", "-o", stub, "-x", "c",
                            "/dev/null"], check=True)
            libraries = ["-Wl,--no-as-needed", stub, f"-Wl,-rpath,{directory}"]
        subprocess.run(["gcc", "-std=gnu11", "-o", program, source, *libraries, "-ldl"],
                       check=True)
    return str(program)
