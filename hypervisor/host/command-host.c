/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about the host as a whole: start, stop, list.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/pidfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "command.h"
#include "host.h"
#include "hypervisor/libs/client.h"

#define LIST_MAX (SIMXEN_DATA_MAX / sizeof(struct simxen_domain))

static bool parse_version(const char *text, uint32_t *version)
{
	unsigned int major, minor;
	char end;

	if (sscanf(text, "%u.%u%c", &major, &minor, &end) != 2 || major > 255 || minor > 255)
		return false;
	*version = major << 16 | minor;
	return true;
}

static bool parse_start(int argc, char **argv, struct host_options *options, bool *foreground)
{
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--foreground") == 0) {
			*foreground = true;
			continue;
		}
		if (strncmp(argv[i], "liveupdate=", 11) == 0) {
			options->command_line = argv[i];
			continue;
		}
		if (!value)
			return false;
		if (strcmp(argv[i], "--hand-over") == 0)
			options->hand_over = atoi(value);
		else if (strcmp(argv[i], "--ids") == 0)
			options->ids = hv_id_kind_by_name(value);
		else if (strcmp(argv[i], "--xen") != 0 ||
			 !parse_version(value, &options->xen_version))
			return false;
		if (!options->ids)
			return false;
		i++;
	}
	return true;
}

/*
 * Takes the directory's lock, which the host holds as long as it lives; it also is the file that
 * tells its pid.
 */
static int lock_directory(const char *directory)
{
	char path[4096];
	int fd;

	if (mkdir(directory, 0700) < 0 && errno != EEXIST)
		return -errno;
	if (snprintf(path, sizeof(path), "%s/pid", directory) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CREAT, 0600);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0) {
		close(fd);
		return -EBUSY;
	}
	return fd;
}

/* What the host prints from now on goes to a file. */
static void detach(const char *directory)
{
	char path[4096];
	int null = open("/dev/null", O_RDWR), log;

	snprintf(path, sizeof(path), "%s/log", directory);
	log = open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(log >= 0 ? log : null, STDERR_FILENO);
	}
	if (null > STDERR_FILENO)
		close(null);
	if (log > STDERR_FILENO)
		close(log);
	setsid();
	if (chdir("/") < 0)
		perror("simxen: /");
}

int command_start(const struct command *command, int argc, char **argv)
{
	char buffer[64], directory[PATH_MAX];
	struct host_options options = {.ids = &hv_id_random,
				       .xen_version = (4U << 16) | 21U,
				       .hand_over = -1,
				       .command_line = "liveupdate=16M"};
	bool foreground = false;
	int ready[2], lock;
	pid_t pid = 0;
	char byte;

	if (!parse_start(argc, argv, &options, &foreground))
		return command_usage(command);
	options.directory = simxen_directory(buffer, sizeof(buffer));
	/* The next hypervisor is started by the one before, in the place where that was. */
	if (options.hand_over >= 0)
		return host_run(&options, -1) < 0 ? 1 : 0;
	lock = lock_directory(options.directory);
	if (lock == -EBUSY) {
		fprintf(stderr, "simxen start: a host runs in %s already\n", options.directory);
		return 1;
	}
	if (lock < 0)
		return command_failed(command, options.directory, lock);
	/* The host's process does not stay in the caller's directory. */
	options.directory = realpath(options.directory, directory);
	if (!options.directory || pipe2(ready, O_CLOEXEC) < 0)
		return command_failed(command, "start", -errno);
	if (!foreground)
		pid = fork();
	if (pid < 0)
		return command_failed(command, "fork", -errno);
	if (pid == 0) {
		host_write_pid(lock);
		options.lock = lock;
		if (!foreground) {
			close(ready[0]);
			detach(options.directory);
		}
		return host_run(&options, ready[1]) < 0 ? 1 : 0;
	}
	close(ready[1]);
	if (read(ready[0], &byte, 1) == 1)
		return 0;
	fprintf(stderr, "simxen start: the host did not come up, see %s/log\n", options.directory);
	return 1;
}

/* The process of the host as a descriptor, which outlives its pid; -1 if that is not known. */
static int host_process(const char *directory)
{
	char path[PATH_MAX];
	int pid = 0;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/pid", directory) >= (int)sizeof(path))
		return -1;
	file = fopen(path, "re");
	if (!file)
		return -1;
	if (fscanf(file, "%d", &pid) != 1)
		pid = 0;
	fclose(file);
	return pid > 0 ? pidfd_open(pid, 0) : -1;
}

int command_stop(const struct command *command, int argc, char **argv)
{
	struct simxen_client *client;
	char buffer[PATH_MAX];
	struct pollfd wait;

	(void)argv;
	if (argc != 1)
		return command_usage(command);
	client = command_client(command);
	wait = (struct pollfd){.fd = host_process(simxen_directory(buffer, sizeof(buffer))),
			       .events = POLLIN};
	simxen_client_ask(client, SIMXEN_STOP, 0, 0, 0);
	if (wait.fd >= 0) {
		poll(&wait, 1, 10000);
		close(wait.fd);
	}
	simxen_client_free(client);
	return 0;
}

static void print_domain(const struct simxen_domain *domain)
{
	static const char *const reasons[] = {"poweroff", "reboot",   "suspend",
					      "crash",	  "watchdog", "soft-reset"};
	const char *reason = "";
	char state[8] = "------";

	if (domain->state & SIMXEN_STATE_PAUSED)
		state[0] = 'p';
	else if (!(domain->state &
		   (SIMXEN_STATE_SHUTDOWN | SIMXEN_STATE_DYING | SIMXEN_STATE_DEAD)))
		state[0] = 'r';
	if (domain->state & SIMXEN_STATE_SHUTDOWN) {
		state[1] = 's';
		if (domain->reason < sizeof(reasons) / sizeof(*reasons))
			reason = reasons[domain->reason];
	}
	if (domain->state & (SIMXEN_STATE_DYING | SIMXEN_STATE_DEAD))
		state[2] = 'd';
	if (domain->state & SIMXEN_STATE_INTRODUCED)
		state[3] = 'i';
	if (domain->state & SIMXEN_STATE_XENSTORE)
		state[4] = 'x';
	state[5] = '\0';
	printf("%5u %s%s%s %016" PRIx64 " %u %s\n", domain->domid, state, *reason ? ":" : "",
	       reason, domain->unique_id, domain->port, domain->name);
}

int command_list(const struct command *command, int argc, char **argv)
{
	static struct simxen_domain domains[LIST_MAX];
	struct simxen_client *client;
	uint32_t first = 0;
	int count = 0;

	(void)argv;
	if (argc != 1)
		return command_usage(command);
	client = command_client(command);
	for (;;) {
		struct simxen_message message = {.op = SIMXEN_DOMAIN_LIST,
						 .arg = {first, LIST_MAX}};
		size_t length = sizeof(domains);

		count = simxen_client_call(client, &message, NULL, 0, domains, &length);
		if (count <= 0)
			break;
		for (int i = 0; i < count; i++)
			print_domain(&domains[i]);
		first = domains[count - 1].domid + 1U;
	}
	simxen_client_free(client);
	return count < 0 ? command_failed(command, "list", count) : 0;
}
