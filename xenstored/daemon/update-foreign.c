/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * To any other xenstored: a complete plain image in the file where it looks, and exec, with a guard
 * that finds out by itself whether the other one serves. Open transactions cannot cross, so the
 * update waits for them, or is told not to; whoever has none cannot begin one meanwhile.
 */
#include "daemon/update-parts.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/domains.h"
#include "daemon/paths.h"
#include "liveupdate/foreign.h"
#include "liveupdate/stream-check.h"

/* Whether the file holds an image that a receiver can rely on. */
static bool image_is_sound(const struct update *update, int fd)
{
	struct stream_report report = {0};
	struct stat stat;
	void *image;
	int error;

	if (fstat(fd, &stat) || stat.st_size <= 0)
		return false;
	image = mmap(NULL, (size_t)stat.st_size, PROT_READ, MAP_SHARED, fd, 0);
	if (image == MAP_FAILED)
		return false;
	error = stream_check(image, (size_t)stat.st_size, &update->core->state.secret, &report);
	munmap(image, (size_t)stat.st_size);
	return !error;
}

/* Write the file where the receiver looks. Returns why that could not be done, or NULL. */
static const char *write_state(struct update *update, const struct foreign *foreign,
			       const char *path)
{
	const char *why = NULL;
	int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600), error;

	if (fd < 0)
		return "Dump state open error";
	/* One that was there already may be for others to read, which the store is not. */
	if (fchmod(fd, 0600)) {
		close(fd);
		return "Dump state open error";
	}
	error = update_write_image(update, foreign->dialect, update->session.version, fd);
	if (error == EBUSY)
		why = "A domain is under construction, which that xenstored would not survive.";
	else if (error || fsync(fd))
		why = "Dump write error";
	else if (!image_is_sound(update, fd))
		why = "The state cannot be written for that xenstored.";
	/* What a full disk has swallowed shows here at the latest. */
	if (close(fd) && !why)
		why = "Dump write error";
	if (why)
		unlink(path);
	return why;
}

/* The image for the guard, who is of our own kind. Returns a descriptor or a negative errno. */
static int write_own_image(struct update *update)
{
	int fd = memfd_create("xenstored-image", 0), error;

	if (fd < 0)
		return -errno;
	error = update_write_image(update, "own", 0, fd);
	if (!error)
		return fd;
	close(fd);
	return -error;
}

/* The guard stands by, the receiver's image is written: replace the program. */
static const char *execute(struct update *update, char **argv)
{
	const char *rundir = getenv("XENSTORED_RUNDIR");
	char *old = rundir ? strdup(rundir) : NULL;
	const char *why = "Error activating new binary.";

	/* It knows no other way to be told where its file is. */
	if ((rundir && !old) || setenv("XENSTORED_RUNDIR", paths_rundir(update->rundir), 1)) {
		free(old);
		return "Allocation failure.";
	}
	host_release_virq(update->host);
	signals_prepare_exec(update->signals);
	execv(update->file, argv);
	signals_resume(update->signals);
	host_bind_virq(update->host);
	/* What happened to domains in between has told nobody. */
	core_recheck_domains(update->core);
	if (old)
		setenv("XENSTORED_RUNDIR", old, 1);
	else
		unsetenv("XENSTORED_RUNDIR");
	free(old);
	return why;
}

/* What is to be undone if the process is ended before it is another program. */
static struct {
	int status_fd; /* of the guard */
	char path[PATH_MAX];
} undone;

static void undo(void)
{
	guard_cancel(undone.status_fd);
	unlink(undone.path);
}

/*
 * With the guard standing by. Until the program is replaced, what ends it ends the guard as well;
 * then it is the other program's to be ended, and its guard's to notice.
 */
static const char *execute_guarded(struct update *update, char **argv, int status_fd)
{
	const char *why;

	undone.status_fd = status_fd;
	signals_before_end(undo);
	signals_let_end(update->signals);
	why = execute(update, argv);
	signals_hold_end(update->signals);
	signals_before_end(NULL);
	guard_cancel(status_fd);
	return why;
}

/* For any other xenstored: a plain image in the file where it looks, and a guard. */
static const char *replace_foreign(struct update *update, const struct foreign *foreign,
				   char **argv)
{
	const struct core *core = update->core;
	unsigned int seconds = guard_seconds((unsigned int)(core->state.store.nodes / 1000));
	const struct node *root = tree_find(&core->state.live, "/", 1);
	const char *why;
	int image_fd, status_fd = -1;

	if (update_state_file(update->rundir, undone.path, sizeof(undone.path)))
		return "Dump state open error";
	why = write_state(update, foreign, undone.path);
	if (why)
		return why;
	image_fd = write_own_image(update);
	if (image_fd < 0) {
		unlink(undone.path);
		return "Dump write error";
	}
	update_let_cross(update, true);
	if (guard_start_foreign(update->argv, image_fd, update->listener->fd, seconds,
				node_child_count(root) > 0, &status_fd)) {
		why = "Could not start the guard.";
	} else {
		/* The image is the guard's alone. */
		fcntl(image_fd, F_SETFD, FD_CLOEXEC);
		why = execute_guarded(update, argv, status_fd);
	}
	update_let_cross(update, false);
	close(image_fd);
	unlink(undone.path);
	return why;
}

/* What is it, and in what form can it be told the state? Returns why it cannot, or NULL. */
static const char *look_at_program(struct update *update, struct foreign *foreign)
{
	if (foreign_read(update->file, foreign))
		return "File not accessible.";
	switch (foreign->kind) {
	case FOREIGN_NO_XENSTORED:
		return "File is no xenstored that can be updated to.";
	case FOREIGN_OXENSTORED:
		return "File is an oxenstored, which cannot read the state.";
	case FOREIGN_XENSTORED:
		break;
	}
	if (update->session.version <= foreign->version_max)
		return NULL;
	if (update->session.version_said)
		return "That xenstored reads version 1 of the migration stream only.";
	update->session.version = foreign->version_max;
	return NULL;
}

int update_foreign_run(struct update *update, const char **why)
{
	struct foreign foreign;
	char **argv;
	int wait;

	*why = look_at_program(update, &foreign);
	if (*why)
		return 0;
	wait = update_session_become_quiet(&update->session, why);
	if (wait || *why)
		return wait;
	argv = update_arguments(update, true);
	signals_hold_end(update->signals);
	*why = argv ? replace_foreign(update, &foreign, argv) : "Allocation failure.";
	signals_let_end(update->signals);
	free(argv);
	return 0;
}
