/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The program: which command is it, and what is common to all of them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "hypervisor/libs/client.h"

static const struct command commands[] = {
	{"start", "[--ids random|sequence] [--xen 4.N] [--foreground]", "start a host",
	 "Starts the host of SIMXEN_DIR and returns when it can be used.\n"
	 "  --ids KIND     how unique ids of domains are made (default: random)\n"
	 "  --xen 4.N      behave as this release: before 4.21 there is no operation\n"
	 "                 that tells domain states (default: 4.21)\n"
	 "  --foreground   stay; end with the terminal or a signal\n",
	 command_start},
	{"stop", "", "stop the host", "Ends the host; its processes find their devices gone.\n",
	 command_stop},
	{"live-update", "[--xen PROGRAM] [--hash] [--patience MS] [--quiet]",
	 "update the hypervisor",
	 "Lets another build of simxen go on as this host, while domains and their processes\n"
	 "stay. Says how long they were stopped.\n"
	 "  --xen PROGRAM  the next hypervisor (default: this program)\n"
	 "  --hash         compare the domains' memory before and after\n"
	 "  --patience MS  how long domains may take to stop (default: 5000)\n"
	 "  --quiet        print nothing but errors\n",
	 command_live_update},
	{"list", "", "list domains",
	 "One line for each domain: domid, state, unique id, port of the store, name.\n"
	 "State: r running, p paused, s shut down (with its reason), d dying or dead,\n"
	 "i introduced to the store, x may run a xenstored.\n",
	 command_list},
	{"create", "[--name NAME] [--count N] [--memory PAGES] [--bare] [--xenstore] [DOMID]",
	 "create a domain",
	 "Creates a domain and prints its domid. As a toolstack would, makes its nodes in\n"
	 "the store and introduces it; without a xenstored that is done when one starts.\n"
	 "  --name NAME    what it is called (default: guest-DOMID)\n"
	 "  --count N      create N of them, one line each\n"
	 "  --memory PAGES so much memory beside the ring page, filled with something\n"
	 "  --bare         nothing is done in the store, now or later\n"
	 "  --xenstore     it may run a xenstored\n"
	 "A domid that was just in use is waited for.\n",
	 command_create},
	{"introduce", "", "tell the xenstored of domains it was not told of",
	 "Waits for the xenstored to answer, then introduces what was not introduced.\n"
	 "The host runs this by itself when a xenstored starts.\n",
	 command_introduce},
	{"unpause", "DOMID", "let a domain run", "Domains are created paused.\n", command_unpause},
	{"resume", "DOMID", "undo a shutdown", "For a domain that was suspended.\n",
	 command_resume},
	{"shutdown", "DOMID [poweroff|reboot|suspend|crash]", "a domain shuts itself down",
	 "The domain stays until it is destroyed (or resumed).\n", command_shutdown},
	{"destroy", "[--bare] DOMID", "destroy a domain",
	 "Removes its nodes in the store, then destroys it.\n"
	 "  --bare         nothing is done in the store\n",
	 command_destroy},
	{"exec", "[--domain DOMID] [--rundir DIR] -- COMMAND...", "run a process of the host",
	 "Runs a command as a process of domain 0: it finds the libraries and files of Xen.\n"
	 "XENSTORED_RUNDIR is set to a directory in SIMXEN_DIR unless it is set already.\n"
	 "  --domain DOMID be a process of this domain\n"
	 "  --rundir DIR   replaces /run/xen, /run/xenstored and /var/log/xen, for daemons\n"
	 "                 in which these paths are compiled in; also sets XENSTORED_RUNDIR\n",
	 command_exec},
	{"guest", "DOMID -- COMMAND...", "run a client of the store in a guest",
	 "Runs a command whose XENSTORED_PATH is a socket that leads to the guest's ring.\n",
	 command_guest},
	{"stream", "show|check FILE", "look at a live update stream",
	 "  show   prints a stream of a hypervisor's live update, record by record\n"
	 "  check  restores it without running it, and says which domains would fail\n",
	 command_stream},
	{"misbehave", "words | DOMID WORD[:VALUE]...", "let a guest do what it must not",
	 "Does to the guest's ring what the words say, one after another; for example\n"
	 "  simxen misbehave 1 set:req_prod=+5000 notify await:error=2\n"
	 "simxen misbehave words lists them.\n",
	 command_misbehave},
};

#define COMMANDS (sizeof(commands) / sizeof(*commands))

int command_usage(const struct command *command)
{
	fprintf(stderr, "usage: simxen %s %s\n", command->name, command->arguments);
	return EXIT_USAGE;
}

int command_failed(const struct command *command, const char *what, int error)
{
	fprintf(stderr, "simxen %s: %s: %s\n", command->name, what, strerror(-error));
	return 1;
}

struct simxen_client *command_client(const struct command *command)
{
	struct simxen_client *client;
	char buffer[64];
	const char *directory = simxen_directory(buffer, sizeof(buffer));
	int error = simxen_client_new(directory, 0, &client);

	if (error == 0)
		return client;
	if (error == -ENOENT || error == -ECONNREFUSED)
		fprintf(stderr, "simxen %s: there is no host in %s (simxen start)\n", command->name,
			directory);
	else
		command_failed(command, directory, error);
	exit(1);
}

bool command_domid(const char *text, uint32_t *domid)
{
	char *end;
	unsigned long value;

	if (!*text || strspn(text, "0123456789") != strlen(text))
		return false;
	value = strtoul(text, &end, 10);
	if (value >= 0x7ff0)
		return false;
	*domid = (uint32_t)value;
	return true;
}

static int print_help(FILE *file)
{
	fprintf(file, "simxen: a simulated Xen host for xenstoreds and their clients\n\n");
	for (size_t i = 0; i < COMMANDS; i++)
		fprintf(file, "  simxen %-12s %s\n", commands[i].name, commands[i].summary);
	fprintf(file, "\nSIMXEN_DIR names the host's directory (default: /tmp/simxen-UID).\n"
		      "simxen COMMAND --help tells more.\n");
	return file == stdout ? 0 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	if (argc < 2)
		return print_help(stderr);
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
		return print_help(stdout);
	for (size_t i = 0; i < COMMANDS; i++) {
		if (strcmp(argv[1], commands[i].name) != 0)
			continue;
		if (argc > 2 && strcmp(argv[2], "--help") == 0) {
			printf("usage: simxen %s %s\n\n%s", commands[i].name, commands[i].arguments,
			       commands[i].help);
			return 0;
		}
		return commands[i].run(&commands[i], argc - 1, argv + 1);
	}
	fprintf(stderr, "simxen: there is no command %s\n", argv[1]);
	return print_help(stderr);
}
