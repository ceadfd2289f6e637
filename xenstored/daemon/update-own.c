/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To a program of our own kind.
 *
 *      between turns, in slices        then, at once: the pause
 *      ------------------------        ------------------------
 *      the store, from a snapshot      what is different now, everything else
 *      the checker reads along         the checker's last word
 *      a guard is started              descriptors to the guard
 *                                      exec
 *
 * Whatever goes wrong before the exec ends the update, and everybody is served as if there had been
 * none.
 */
#include "daemon/update-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "daemon/checker.h"
#include "daemon/log.h"

/* A slice of the store's part, looked at after so many nodes. */
#define SLICE_NS    500000
#define SLICE_NODES 32u

/* How much of the image may have been written before the checker is told. */
#define TELL_BYTES (1u << 20)

/* How often checker and guard are asked whether they are ready, while everybody is served. */
#define ASK_MS 1

/* How long the checker may take for its last word, and deaths of domains to be through. */
#define VERDICT_MS 2000
#define DEATHS_MS  1000u

/* How soon a helper that ends is looked at again. */
#define REAP_MS 20

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* Image, snapshot and helpers. Returns why that cannot be, or NULL. */
static const char *begin(struct update *update)
{
	struct update_own *own = &update->own;

	memset(own, 0, sizeof(*own));
	own->step = OWN_WRITING;
	own->image_fd = memfd_create("xenstored-image", MFD_CLOEXEC);
	if (own->image_fd < 0)
		return "Dump state open error";
	own->sink = malloc(sizeof(*own->sink));
	if (!own->sink)
		return "Allocation failure.";
	own->sink->fd = own->image_fd;
	own->sink->len = 0;
	update->helpers_left = true;
	if (checker_start(&own->checker, update->file, own->image_fd))
		return "Error activating new binary.";
	update_describe_process(update);
	if (stream_writer_init(&own->writer, stream_dialect_find("own"), 0, update_sink_put,
			       own->sink))
		return "Dump write error";
	own->writer.receiver = &update->abilities;
	if (image_base_start(&own->base, update->core, &update->process, &own->writer))
		return "Dump write error";
	return NULL;
}

/* The store is written: its size is filled in where the image begins. */
static int end_of_store(struct update_own *own)
{
	off_t at = (off_t)(own->base.snapshot_at + STREAM_SNAPSHOT_SIZE_AT);
	ssize_t done = pwrite(own->image_fd, &own->base.size, sizeof(own->base.size), at);

	return done == sizeof(own->base.size) ? 0 : done < 0 ? errno : EIO;
}

static const char *write_slice(struct update_own *own)
{
	uint64_t until = now_ns() + SLICE_NS;
	int error;

	do {
		error = image_base_some(&own->base, SLICE_NODES);
	} while (!error && !own->base.done && now_ns() < until);
	if (!error && !own->base.done && own->writer.offset - own->told < TELL_BYTES)
		return NULL;
	if (!error)
		error = update_sink_flush(own->sink);
	if (!error && own->base.done)
		error = end_of_store(own);
	if (error)
		return "Dump write error";
	own->told = own->writer.offset;
	error = checker_tell(&own->checker, own->told,
			     own->base.done ? CHECKER_STORE : CHECKER_PART);
	/* One that has not read for long is not waited for while nobody is served. */
	if (error == -EAGAIN)
		return "The new program did not finish to check the state.";
	/* What it has to say, it has said: the end of its socket comes behind that. */
	if (error)
		return checker_answer(&own->checker, VERDICT_MS, own->why, sizeof(own->why)) < 0
			       ? own->why
			       : "The new program does not accept the state.";
	if (own->base.done)
		own->step = OWN_CHECKING;
	return NULL;
}

/* Sets @ready when the pause may begin. Returns why there is nothing to wait for, or NULL. */
static const char *ask_helpers(struct update *update, bool *ready)
{
	struct update_own *own = &update->own;
	uint64_t now = update->core->now;
	int result;

	if (!own->checked) {
		result = checker_answer(&own->checker, 0, own->why, sizeof(own->why));
		if (result < 0)
			return own->why;
		own->checked = result;
	}
	/*
	 * Not before the checker is through, so that never both take processors from the clients.
	 * The virq stays bound: a guard could not know the port that a program has bound it to.
	 */
	if (own->checked && !own->guard.pid &&
	    guard_start(&own->guard, update->argv, own->image_fd, update->host->virq_port))
		return "Could not start the guard.";
	if (own->guard.pid && !own->guarded) {
		result = guard_ready(&own->guard);
		if (result < 0)
			return "Could not start the guard.";
		own->guarded = result;
	}
	if (!own->checked || !own->guarded) {
		if (now - update->session.since < guard_seconds(0) * (uint64_t)1000)
			return NULL;
		return own->guarded ? "The new program did not finish to check the state."
				    : "Could not start the guard.";
	}
	if (!own->ready)
		own->ready = now;
	*ready = TAILQ_EMPTY(&update->core->deaths) || now - own->ready >= DEATHS_MS;
	return NULL;
}

/* The rest of the image, for the checker. Returns why it cannot be used, or NULL. */
static const char *complete(struct update *update)
{
	struct update_own *own = &update->own;

	if (image_finish(&own->base, &update->process, &update->session.requester) ||
	    update_sink_flush(own->sink))
		return "Dump write error";
	if (own->writer.lost.undeclared) {
		log_message(LOG_WARNING, "live-update: the new program does not understand %s",
			    stream_type_name(own->writer.lost.undeclared_type));
		return "The new program does not understand a part of the state.";
	}
	/* If it is gone, it has said why. */
	checker_tell(&own->checker, own->writer.offset, CHECKER_ALL);
	return NULL;
}

/* The checker's last word. Returns why the image must not be used, or NULL. */
static const char *verdict(struct update_own *own)
{
	int result = checker_answer(&own->checker, VERDICT_MS, own->why, sizeof(own->why));

	if (result > 0)
		return NULL;
	return result ? own->why : "The new program did not finish to check the state.";
}

static int hand_over(struct update *update)
{
	int *list;
	ssize_t count = update_crossing(update, &list);
	int error;

	if (count < 0)
		return (int)count;
	error = guard_hand_over(&update->own.guard, list, (size_t)count);
	free(list);
	return error;
}

/*
 * Under a limit of address space the new program may have no room for what this one holds and for
 * the image beside it; nor would the guard, which has the same limit.
 */
static bool has_room(const struct update *update)
{
	struct rlimit limit;
	unsigned long long pages = 0;
	FILE *statm;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY)
		return true;
	statm = fopen("/proc/self/statm", "re");
	if (statm) {
		if (fscanf(statm, "%llu", &pages) != 1)
			pages = 0;
		fclose(statm);
	}
	return pages * (unsigned long long)sysconf(_SC_PAGESIZE) + update->own.writer.offset <=
	       limit.rlim_cur;
}

/* What the new program and the guard need, while the checker reads the rest. */
static const char *prepare_exec(struct update *update)
{
	struct update_own *own = &update->own;

	update_let_cross(update, true);
	signals_hold_end(update->signals);
	fcntl(own->image_fd, F_SETFD, 0);
	fcntl(own->guard.fd, F_SETFD, 0);
	if (hand_over(update) || inheritance_export("update", own->image_fd, own->guard.fd, -1, 0,
						    update->host->virq_port))
		return "Could not start the guard.";
	return NULL;
}

/* The pause. Returns why it has not led to the new program. */
static const char *replace(struct update *update, char **argv)
{
	const char *why = complete(update);

	if (why)
		return why;
	if (!has_room(update))
		return "Not enough memory for the new program.";
	why = prepare_exec(update);
	if (!why)
		why = verdict(&update->own);
	if (!why && guard_watch(&update->own.guard))
		why = "Could not start the guard.";
	if (!why) {
		signals_prepare_exec(update->signals);
		execv(update->file, argv);
		signals_resume(update->signals);
		why = "Error activating new binary.";
	}
	inheritance_unexport();
	update_let_cross(update, false);
	/* It must not make up for this process if that is to end. */
	helper_kill(&update->own.guard);
	signals_let_end(update->signals);
	return why;
}

int update_reap_helpers(struct update *update)
{
	if (update->own.step != OWN_NONE || !update->helpers_left)
		return -1;
	if (waitpid(-1, NULL, WNOHANG) < 0)
		update->helpers_left = false;
	return update->helpers_left ? REAP_MS : -1;
}

void update_own_cancel(struct update *update)
{
	struct update_own *own = &update->own;

	if (own->step == OWN_NONE)
		return;
	own->step = OWN_NONE;
	helper_kill(&own->checker);
	helper_kill(&own->guard);
	image_base_drop(&own->base);
	free(own->sink);
	if (own->image_fd >= 0)
		close(own->image_fd);
}

int update_own_run(struct update *update, const char **why)
{
	struct update_own *own = &update->own;
	bool ready = false;
	char **argv;

	switch (own->step) {
	case OWN_NONE:
		*why = begin(update);
		return 0;
	case OWN_WRITING:
		*why = write_slice(own);
		return 0;
	case OWN_CHECKING:
		break;
	}
	*why = ask_helpers(update, &ready);
	if (*why || !ready)
		return ASK_MS;
	argv = update_arguments(update, false);
	*why = argv ? replace(update, argv) : "Allocation failure.";
	free(argv);
	return 0;
}
