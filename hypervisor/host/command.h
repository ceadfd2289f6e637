/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The commands of simxen: each gets its arguments (its own name first) and
 * returns the exit status of the program.
 */
#ifndef HYPERVISOR_HOST_COMMAND_H
#define HYPERVISOR_HOST_COMMAND_H

#include <stdbool.h>
#include <stdint.h>

struct simxen_client;

/* Exit status for wrong usage; everything else that fails is 1. */
#define EXIT_USAGE 2

struct command {
	const char *name;
	const char *arguments; /* for the usage line */
	const char *summary;
	const char *help;
	int (*run)(const struct command *command, int argc, char **argv);
};

/* Prints how the command is used, to stderr, and returns EXIT_USAGE. */
int command_usage(const struct command *command);

/* Prints "simxen COMMAND: WHAT: reason" and returns 1. error is a negative errno. */
int command_failed(const struct command *command, const char *what, int error);

/* Connects to the host as domain 0; when there is none, says so and ends the program. */
struct simxen_client *command_client(const struct command *command);

/* Reads a domid; false when the text is none. */
bool command_domid(const char *text, uint32_t *domid);

int command_start(const struct command *command, int argc, char **argv);
int command_stop(const struct command *command, int argc, char **argv);
int command_live_update(const struct command *command, int argc, char **argv);
int command_list(const struct command *command, int argc, char **argv);
int command_create(const struct command *command, int argc, char **argv);
int command_introduce(const struct command *command, int argc, char **argv);
int command_unpause(const struct command *command, int argc, char **argv);
int command_resume(const struct command *command, int argc, char **argv);
int command_shutdown(const struct command *command, int argc, char **argv);
int command_destroy(const struct command *command, int argc, char **argv);
int command_exec(const struct command *command, int argc, char **argv);
int command_guest(const struct command *command, int argc, char **argv);
int command_stream(const struct command *command, int argc, char **argv);
int command_misbehave(const struct command *command, int argc, char **argv);

#endif
