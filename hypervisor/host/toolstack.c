/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The nodes of a domain are made in one transaction, with the permissions that
 * toolstacks give: the home and what describes the domain can be read by it, some
 * places below are its own.
 */
#include "toolstack.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "hypervisor/libs/client.h"
#include "store-client.h"

/* Transactions may meet others; after so many times something is wrong. */
#define TRIES 100

/* So many domains are dealt with at a time, to save waiting for the store. */
#define CHUNK 32U

#define LIST_MAX (SIMXEN_DATA_MAX / sizeof(struct simxen_domain))

/* A NUL in a payload, for store_put(). */
#define NUL "\377"

const char *toolstack_socket(struct simxen_client *client, char *path, size_t size)
{
	struct simxen_message message = {.op = SIMXEN_STATUS};
	const char *environment = getenv("XENSTORED_PATH");
	char rundir[256], directory[64];
	size_t length = sizeof(rundir) - 1;

	if (environment && *environment) {
		snprintf(path, size, "%s", environment);
		return path;
	}
	environment = getenv("XENSTORED_RUNDIR");
	if (environment && *environment) {
		snprintf(path, size, "%s/socket", environment);
	} else if (client && simxen_client_call(client, &message, NULL, 0, rundir, &length) >= 0 &&
		   length) {
		rundir[length] = '\0';
		snprintf(path, size, "%s/socket", rundir);
	} else {
		snprintf(path, size, "%s/xenstored/socket",
			 simxen_directory(directory, sizeof(directory)));
	}
	return path;
}

int toolstack_lock(void)
{
	char buffer[64], path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/toolstack.lock", simxen_directory(buffer, sizeof(buffer)));
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd >= 0)
		flock(fd, LOCK_EX);
	return fd;
}

static void put_nodes(struct store *store, uint32_t tx, const struct simxen_domain *domain)
{
	static const char *const own[] = {
		"data",	   "control/shutdown", "device/suspend/event-channel",
		"drivers", "feature",	       "attr",
		"error"};
	static const char *const readable[] = {"device", "control", "memory", "cpu"};
	unsigned int domid = domain->domid;
	char home[64];

	snprintf(home, sizeof(home), "/local/domain/%u", domid);
	store_put(store, STORE_MKDIR, tx, "%s" NUL, home);
	store_put(store, STORE_SET_PERMS, tx, "%s" NUL "n0" NUL "r%u" NUL, home, domid);
	store_put(store, STORE_WRITE, tx, "%s/domid" NUL "%u", home, domid);
	if (domain->name[0])
		store_put(store, STORE_WRITE, tx, "%s/name" NUL "%s", home, domain->name);
	for (size_t i = 0; i < sizeof(readable) / sizeof(*readable); i++)
		store_put(store, STORE_MKDIR, tx, "%s/%s" NUL, home, readable[i]);
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++) {
		store_put(store, STORE_MKDIR, tx, "%s/%s" NUL, home, own[i]);
		store_put(store, STORE_SET_PERMS, tx, "%s/%s" NUL "n%u" NUL, home, own[i], domid);
	}
}

/* The nodes of some domains, in one transaction. */
static int make_nodes(struct store *store, const struct simxen_domain *const *domains, size_t count)
{
	int error = -EAGAIN;

	for (int i = 0; i < TRIES && error == -EAGAIN; i++) {
		uint32_t tx;

		store_put(store, STORE_TRANSACTION_START, 0, NUL);
		error = store_flush(store);
		if (error)
			return error;
		tx = (uint32_t)strtoul(store->answer, NULL, 10);
		for (size_t d = 0; d < count; d++)
			put_nodes(store, tx, domains[d]);
		error = store_flush(store);
		store_put(store, STORE_TRANSACTION_END, tx, error ? "F" NUL : "T" NUL);
		if (error)
			store_flush(store);
		else
			error = store_flush(store);
	}
	return error;
}

/* Asks one question about each domain; answers[] gets what came, as far as it goes. */
static int ask_each(struct store *store, const struct simxen_domain *domains, size_t count,
		    uint32_t type, const char *format, bool *yes)
{
	for (size_t i = 0; i < count; i++)
		store_put(store, type, 0, format, domains[i].domid);
	for (size_t i = 0; i < count && !store->failed; i++) {
		int error = store_next(store);

		yes[i] = type == STORE_READ ? error == 0 : strcmp(store->answer, "T") == 0;
	}
	return store->failed;
}

static int introduce_some(struct simxen_client *client, struct store *store,
			  const struct simxen_domain *domains, size_t count)
{
	const struct simxen_domain *bare[CHUNK];
	struct simxen_message message = {.op = SIMXEN_DOMAIN_INTRODUCED, .arg = {1}};
	uint16_t done[CHUNK];
	bool yes[CHUNK];
	size_t bare_count = 0, asked = 0, done_count = 0;
	int error, first = 0;

	error = ask_each(store, domains, count, STORE_READ, "/local/domain/%u/domid" NUL, yes);
	for (size_t i = 0; i < count; i++)
		if (!yes[i])
			bare[bare_count++] = &domains[i];
	if (!error && bare_count)
		error = make_nodes(store, bare, bare_count);
	if (!error)
		error = ask_each(store, domains, count, STORE_IS_DOMAIN_INTRODUCED, "%u" NUL, yes);
	if (error)
		return error;
	for (size_t i = 0; i < count; i++) {
		if (yes[i]) {
			done[done_count++] = domains[i].domid;
			continue;
		}
		bare[asked++] = &domains[i];
		store_put(store, STORE_INTRODUCE, 0, "%u" NUL "%u" NUL "%u" NUL, domains[i].domid,
			  domains[i].domid, domains[i].port);
	}
	for (size_t i = 0; i < asked && !store->failed; i++) {
		error = store_next(store);
		if (error == 0)
			done[done_count++] = bare[i]->domid;
		else if (!first)
			first = error;
	}
	simxen_client_call(client, &message, done, done_count * sizeof(*done), NULL, NULL);
	return store->failed ? store->failed : first;
}

int toolstack_introduce(struct simxen_client *client, struct store *store,
			const struct simxen_domain *domains, size_t count)
{
	int first = 0;

	for (size_t done = 0; done < count && !store->failed; done += CHUNK) {
		size_t some = count - done < CHUNK ? count - done : CHUNK;
		int error = introduce_some(client, store, domains + done, some);

		if (!first)
			first = error;
	}
	return first;
}

int toolstack_remove(struct store *store, unsigned int domid)
{
	store_put(store, STORE_RM, 0, "/local/domain/%u" NUL, domid);
	return store_flush(store);
}

int toolstack_introduce_all(struct simxen_client *client, struct store *store)
{
	struct simxen_domain *domains = malloc(LIST_MAX * sizeof(*domains));
	int done = 0, count = 0;
	uint32_t first = 1;

	while (domains && !store->failed) {
		const unsigned int skip = SIMXEN_STATE_INTRODUCED | SIMXEN_STATE_DYING |
					  SIMXEN_STATE_DEAD | SIMXEN_STATE_XENSTORE |
					  SIMXEN_STATE_BARE;
		struct simxen_message message = {.op = SIMXEN_DOMAIN_LIST,
						 .arg = {first, LIST_MAX}};
		size_t length = LIST_MAX * sizeof(*domains), wanted = 0;

		count = simxen_client_call(client, &message, NULL, 0, domains, &length);
		if (count <= 0)
			break;
		first = domains[count - 1].domid + 1U;
		for (int i = 0; i < count; i++)
			if (!(domains[i].state & skip))
				domains[wanted++] = domains[i];
		/* Domains may die meanwhile; the others do not care. */
		toolstack_introduce(client, store, domains, wanted);
		done += (int)wanted;
	}
	free(domains);
	if (store->failed)
		return store->failed;
	return count < 0 ? count : done;
}
