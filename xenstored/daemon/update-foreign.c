/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To any other xenstored: a complete plain image in the file where it looks, and exec. Open
 * transactions cannot cross, so the update waits for them, or is told not to.
 */
#include "daemon/update-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* How soon open transactions are looked at again. */
#define WAIT_MS 100

/* For any other xenstored: a plain image in the file where it looks. */
static const char *replace_foreign(struct update *update, char **argv)
{
	char path[PATH_MAX];
	const char *why = NULL;
	int fd, error;

	if (update_state_file(update->rundir, path, sizeof(path)))
		return "Dump state open error";
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return "Dump state open error";
	error = update_write_image(update, update->version == 1 ? "4.17" : "4.21", update->version,
				   fd);
	if (!error && fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (error) {
		unlink(path);
		return error == EBUSY ? "A domain is under construction, which that xenstored "
					"would not survive."
				      : "Dump write error";
	}
	update_let_cross(update, true);
	host_release_virq(update->host);
	execv(update->file, argv);
	why = "Error activating new binary.";
	host_bind_virq(update->host);
	update_let_cross(update, false);
	unlink(path);
	return why;
}

/* Another xenstored cannot take open transactions over: wait, or let force decide. */
static bool may_lose_transactions(struct update *update, const char **why)
{
	static char text[WIRE_PAYLOAD_MAX - 64];
	uint64_t waited = update->core->now - update->since;
	const struct transaction *tx;
	size_t used;

	*why = NULL;
	if (!update->core->transaction_count)
		return true;
	if (waited < (uint64_t)update->timeout * 1000)
		return false;
	if (update->force)
		return true;
	used = (size_t)snprintf(text, sizeof(text), "Domains with long running transactions:");
	TAILQ_FOREACH(tx, &update->core->transactions, age)
		if (used < sizeof(text) - 64)
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "\nDomain %u: %llu s",
				tx->client->identity.domid,
				(unsigned long long)((update->core->now - tx->started) / 1000));
	*why = text;
	return false;
}

int update_foreign_run(struct update *update, const char **why)
{
	char **argv;

	if (!may_lose_transactions(update, why))
		return WAIT_MS;
	argv = update_arguments(update);
	*why = argv ? replace_foreign(update, argv) : "Allocation failure.";
	free(argv);
	return 0;
}
