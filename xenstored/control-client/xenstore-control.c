/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore-control: send a command to a running xenstored and print its answer.
 *
 * The tool knows one command, live-update, because that is a conversation; all others are handed
 * on word by word, so that it need not be changed when the daemon learns a new one.
 */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control-client/connection.h"
#include "control-client/control.h"
#include "control-client/live-update.h"

enum {
	STATUS_OK = 0,
	STATUS_NO_CONNECTION = 1,
	STATUS_USAGE = 2,
	STATUS_FAILED = 3,
};

static void usage(FILE *out)
{
	fputs("Usage: xenstore-control <command> [<argument>...]\n"
	      "       xenstore-control live-update [-c <cmdline>] [-F] [-m <way>] "
	      "[-t <timeout>] [-v <version>] [-w <seconds>] <file>\n"
	      "       xenstore-control --help\n"
	      "\n"
	      "Sends <command> to xenstored and prints the answer; the command \"help\" lists\n"
	      "what the running xenstored knows. live-update replaces xenstored by <file>:\n"
	      "  -c <cmdline>  command line of the new xenstored (default: the present one)\n"
	      "  -F            after the timeout go on in spite of open transactions\n"
	      "  -m <way>      of the state in a stub domain: memory or file\n"
	      "  -t <timeout>  seconds to wait for open transactions (default 60)\n"
	      "  -v <version>  version of the migration stream\n"
	      "  -w <seconds>  that the new image in a stub domain may take until it serves\n"
	      "\n"
	      "Exit status: 0 done, 1 no connection, 2 usage, 3 the command failed.\n",
	      out);
}

/* Decimal, 0 .. INT_MAX. */
static int parse_number(const char *text, unsigned int *value)
{
	unsigned long long number = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		number = number * 10 + (unsigned long long)(*text - '0');
		if (number > INT_MAX)
			return -ERANGE;
	}
	*value = (unsigned int)number;
	return 0;
}

/* @argv[0] is the word "live-update". Returns 0 or STATUS_USAGE after a message. */
static int parse_live_update(struct live_update *update, int argc, char **argv)
{
	unsigned int version, seconds;
	int option;

	*update = (struct live_update){.timeout = LIVE_UPDATE_TIMEOUT};
	opterr = 0;
	while ((option = getopt(argc, argv, ":c:Fm:t:v:w:")) != -1) {
		switch (option) {
		case 'c':
			update->command_line = optarg;
			break;
		case 'F':
			update->force = true;
			break;
		case 'm':
			if (strcmp(optarg, "memory") != 0 && strcmp(optarg, "file") != 0) {
				fprintf(stderr, "Neither memory nor file: %s\n", optarg);
				return STATUS_USAGE;
			}
			update->way = optarg;
			break;
		case 't':
			if (parse_number(optarg, &update->timeout) < 0) {
				fprintf(stderr, "Bad timeout: %s\n", optarg);
				return STATUS_USAGE;
			}
			break;
		case 'v':
			if (parse_number(optarg, &version) < 0) {
				fprintf(stderr, "Bad version: %s\n", optarg);
				return STATUS_USAGE;
			}
			update->version = optarg;
			break;
		case 'w':
			if (parse_number(optarg, &seconds) < 0 || !seconds) {
				fprintf(stderr, "Bad number of seconds: %s\n", optarg);
				return STATUS_USAGE;
			}
			update->serve = optarg;
			break;
		case ':':
			fprintf(stderr, "Missing value for option -%c\n", optopt);
			return STATUS_USAGE;
		default:
			fprintf(stderr, "Unknown option of live-update: -%c\n", optopt);
			return STATUS_USAGE;
		}
	}
	if (optind >= argc || !*argv[argc - 1]) {
		fprintf(stderr, "Missing file name\n");
		return STATUS_USAGE;
	}
	/* Of several words the last one, as ever. */
	update->file = argv[argc - 1];
	return 0;
}

/* The daemon does not know the command, or not with these arguments: show what it knows. */
static void print_valid_commands(struct connection *connection)
{
	struct control control;
	char *reply;

	fprintf(stderr, "Command not supported. Valid commands are:\n");
	control_init(&control, "help");
	if (control_send(&control, connection, &reply) == 0) {
		fprintf(stderr, "%s\n", reply);
		free(reply);
	}
}

static int run_command(struct connection *connection, char **words)
{
	struct control control;
	char *reply;
	int ret;

	control_init(&control, words[0]);
	for (size_t i = 1; words[i]; i++)
		control_add(&control, words[i]);
	ret = control_send(&control, connection, &reply);
	if (ret == EINVAL) {
		print_valid_commands(connection);
		return STATUS_FAILED;
	}
	if (ret) {
		fprintf(stderr, "Error %d when trying to execute command.\n", abs(ret));
		return STATUS_FAILED;
	}
	if (*reply)
		printf("%s\n", reply);
	free(reply);
	return STATUS_OK;
}

int main(int argc, char **argv)
{
	struct live_update update;
	struct connection connection;
	bool is_update;
	int ret;

	if (argc < 2) {
		usage(stderr);
		return STATUS_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0) {
		usage(stdout);
		return STATUS_OK;
	}
	is_update = strcmp(argv[1], "live-update") == 0;
	if (is_update) {
		ret = parse_live_update(&update, argc - 1, argv + 1);
		if (ret) {
			usage(stderr);
			return ret;
		}
	}

	/* A daemon that closes the connection is reported, not died of. */
	signal(SIGPIPE, SIG_IGN);
	ret = connection_open(&connection);
	if (ret) {
		fprintf(stderr, "Failed to contact xenstored: %s\n", strerror(-ret));
		return STATUS_NO_CONNECTION;
	}
	if (is_update)
		ret = live_update_run(&update, &connection) ? STATUS_FAILED : STATUS_OK;
	else
		ret = run_command(&connection, argv + 1);
	connection_close(&connection);

	/* An answer that did not reach its reader is not a success. */
	if (fflush(stdout) != 0 && ret == STATUS_OK) {
		fprintf(stderr, "Cannot write the answer: %s\n", strerror(errno));
		ret = STATUS_FAILED;
	}
	return ret;
}
