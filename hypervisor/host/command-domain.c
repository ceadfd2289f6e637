/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Commands about domains: their life, and the store's knowledge of it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "command.h"
#include "hypervisor/libs/client.h"
#include "store-client.h"
#include "toolstack.h"

#define WAIT_STEP_NS 10000000L
#define DOMID_TRIES  500 /* 5 s for a domid to become free */
#define STORE_TRIES  3000
#define CREATE_MAX   256U /* in one request */

static void wait_a_step(void)
{
	nanosleep(&(struct timespec){.tv_nsec = WAIT_STEP_NS}, NULL);
}

struct create_options {
	const char *name;
	uint32_t domid, count, flags;
	uint32_t pages; /* of memory */
};

static bool parse_create(int argc, char **argv, struct create_options *options)
{
	*options = (struct create_options){.domid = SIMXEN_DOMID_ANY, .count = 1};
	for (int i = 1; i < argc; i++) {
		const char *value = i + 1 < argc ? argv[i + 1] : NULL;

		if (strcmp(argv[i], "--bare") == 0) {
			options->flags |= SIMXEN_CREATE_BARE;
		} else if (strcmp(argv[i], "--xenstore") == 0) {
			options->flags |= SIMXEN_CREATE_XENSTORE;
		} else if (value && strcmp(argv[i], "--name") == 0) {
			options->name = argv[++i];
		} else if (value && strcmp(argv[i], "--memory") == 0) {
			options->pages = (uint32_t)strtoul(argv[++i], NULL, 10);
		} else if (value && strcmp(argv[i], "--count") == 0) {
			if (!command_domid(argv[++i], &options->count))
				return false;
		} else if (!command_domid(argv[i], &options->domid)) {
			return false;
		}
	}
	return options->count == 1 || options->domid == SIMXEN_DOMID_ANY;
}

/* Is there a domain of this id that is on its way out, or was until now? */
static bool is_leaving(struct simxen_client *client, uint32_t domid)
{
	struct simxen_message message = {.op = SIMXEN_DOMAIN_LIST, .arg = {domid, 1}};
	struct simxen_domain domain;
	size_t length = sizeof(domain);
	int count = simxen_client_call(client, &message, NULL, 0, &domain, &length);

	return count == 0 ||
	       (count == 1 &&
		(domain.domid != domid || domain.state & (SIMXEN_STATE_DYING | SIMXEN_STATE_DEAD)));
}

/*
 * Creates some domains at once, and describes them. Returns how many there are, at least one, or a
 * negative errno.
 */
static int create(struct simxen_client *client, const struct create_options *options, uint32_t most,
		  struct simxen_domain *domains)
{
	int result = -EEXIST;

	for (int i = 0; i < DOMID_TRIES && result == -EEXIST; i++) {
		struct simxen_message message = {
			.op = SIMXEN_DOMAIN_CREATE,
			.arg = {options->domid, options->flags, most, options->pages}};
		const char *name = options->name ? options->name : "";
		size_t length = CREATE_MAX * sizeof(*domains);

		if (i > 0 && !is_leaving(client, options->domid))
			break;
		if (i > 0)
			wait_a_step();
		result = simxen_client_call(client, &message, name, strlen(name), domains, &length);
	}
	return result == 0 ? -ENOMEM : result;
}

/* Creates all, with the store's help if there is one. Returns the exit status. */
static int create_all(const struct command *command, struct simxen_client *client,
		      const struct create_options *options, struct store *store)
{
	static struct simxen_domain domains[CREATE_MAX];
	int error = 0;

	for (uint32_t left = options->count; left && !error;) {
		int count = create(client, options, left < CREATE_MAX ? left : CREATE_MAX, domains);

		if (count < 0)
			return command_failed(command, "create", count);
		if (store)
			error = toolstack_introduce(client, store, domains, (size_t)count);
		for (int i = 0; i < count; i++)
			printf("%u\n", domains[i].domid);
		left -= (uint32_t)count;
	}
	return error ? command_failed(command, "introduce", error) : 0;
}

int command_create(const struct command *command, int argc, char **argv)
{
	struct create_options options;
	struct simxen_client *client;
	char path[4096];
	struct store store;
	bool has_store;
	int lock, status;

	if (!parse_create(argc, argv, &options))
		return command_usage(command);
	client = command_client(command);
	lock = toolstack_lock();
	if (options.flags & SIMXEN_CREATE_BARE) {
		status = create_all(command, client, &options, NULL);
	} else {
		has_store = store_init(&store, toolstack_socket(client, path, sizeof(path))) == 0;
		if (!has_store)
			options.flags |= SIMXEN_CREATE_BOOT_RING;
		status = create_all(command, client, &options, has_store ? &store : NULL);
		store_deinit(&store);
	}
	simxen_client_free(client);
	if (lock >= 0)
		close(lock);
	return status;
}

int command_introduce(const struct command *command, int argc, char **argv)
{
	struct simxen_client *client;
	char path[4096];
	struct store store;
	int error = -ENOENT, lock;

	(void)argv;
	if (argc != 1)
		return command_usage(command);
	client = command_client(command);
	toolstack_socket(client, path, sizeof(path));
	for (int i = 0; i < STORE_TRIES; i++) {
		if (i > 0)
			wait_a_step();
		error = store_init(&store, path);
		if (error == 0)
			break;
		store_deinit(&store);
		/* Without the host there is nothing to do any more. */
		if (simxen_client_ask(client, SIMXEN_XEN_VERSION, 0, 0, 0) < 0)
			return 1;
	}
	if (error)
		return command_failed(command, path, error);
	lock = toolstack_lock();
	error = toolstack_introduce_all(client, &store);
	if (lock >= 0)
		close(lock);
	store_deinit(&store);
	simxen_client_free(client);
	return error < 0 ? command_failed(command, path, error) : 0;
}

/* Commands that are one request about one domain. */
static int simple(const struct command *command, const char *domain, uint32_t op, uint64_t arg)
{
	struct simxen_client *client;
	uint32_t domid;
	int error;

	if (!command_domid(domain, &domid))
		return command_usage(command);
	client = command_client(command);
	error = simxen_client_ask(client, op, domid, arg, 0);
	simxen_client_free(client);
	return error < 0 ? command_failed(command, domain, error) : 0;
}

int command_unpause(const struct command *command, int argc, char **argv)
{
	if (argc != 2)
		return command_usage(command);
	return simple(command, argv[1], SIMXEN_DOMAIN_UNPAUSE, 0);
}

int command_resume(const struct command *command, int argc, char **argv)
{
	if (argc != 2)
		return command_usage(command);
	return simple(command, argv[1], SIMXEN_DOMAIN_RESUME, 0);
}

int command_shutdown(const struct command *command, int argc, char **argv)
{
	static const char *const reasons[] = {"poweroff", "reboot", "suspend", "crash"};
	uint64_t reason = 0;

	if (argc != 2 && argc != 3)
		return command_usage(command);
	while (argc == 3 && strcmp(argv[2], reasons[reason]) != 0)
		if (++reason == sizeof(reasons) / sizeof(*reasons))
			return command_usage(command);
	return simple(command, argv[1], SIMXEN_DOMAIN_SHUTDOWN, reason);
}

int command_destroy(const struct command *command, int argc, char **argv)
{
	struct simxen_client *client;
	char path[4096];
	struct store store;
	uint32_t domid;
	int lock;

	if (argc == 3 && strcmp(argv[1], "--bare") == 0)
		return simple(command, argv[2], SIMXEN_DOMAIN_DESTROY, 0);
	if (argc != 2 || !command_domid(argv[1], &domid))
		return command_usage(command);
	client = command_client(command);
	lock = toolstack_lock();
	/* A store that is not there, or has no such nodes, does not keep a domain alive. */
	if (domid != 0 && store_init(&store, toolstack_socket(client, path, sizeof(path))) == 0) {
		toolstack_remove(&store, domid);
		store_deinit(&store);
	}
	simxen_client_free(client);
	if (lock >= 0)
		close(lock);
	return simple(command, argv[1], SIMXEN_DOMAIN_DESTROY, 0);
}
