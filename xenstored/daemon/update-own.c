/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To a program of our own kind: it tries the image, a guard stands by, exec. */
#include "daemon/update-parts.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* How long a new program may take to try an image, and how soon it is looked at again. */
#define CHECK_MS       60000u
#define CHECK_AGAIN_MS 2

/* How soon a guard that ends is looked at again. */
#define REAP_MS 20

/*
 * Have the new program try an image while everybody is served. Returns true when it has, or when
 * @why says why not; to be called again otherwise.
 */
static bool check_done(struct update *update, const char **why)
{
	int image_fd, status = 0;
	pid_t ended;

	if (update->checked)
		return true;
	if (!update->checker) {
		image_fd = memfd_create("xenstored-trial", MFD_CLOEXEC);
		if (image_fd < 0 || update_write_image(update, "own", 0, image_fd)) {
			*why = "Dump write error";
		} else {
			update->checker = checker_start(update->file, image_fd);
			if (update->checker < 0)
				*why = "Error activating new binary.";
		}
		if (image_fd >= 0)
			close(image_fd);
		return *why;
	}
	ended = waitpid(update->checker, &status, WNOHANG);
	if (!ended && update->core->now - update->session.since < CHECK_MS)
		return false;
	if (!ended) {
		*why = "The new program did not finish to check the state.";
		return true;
	}
	update->checker = 0;
	update->checked = true;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		*why = "The new program does not accept the state.";
	return true;
}

/* For one of our own kind: image in memory, guard, exec. Returns why it did not happen. */
static const char *replace_own(struct update *update, char **argv)
{
	const char *why = NULL;
	int image_fd, status_fd = -1, error;

	image_fd = memfd_create("xenstored-image", 0);
	if (image_fd < 0)
		return "Dump state open error";
	error = update_write_image(update, "own", 0, image_fd);
	if (error) {
		close(image_fd);
		return "Dump write error";
	}
	update_let_cross(update, true);
	/* The virq stays bound: a guard could not know the port that a program has bound it to. */
	error = guard_start(update->argv, image_fd, update->host->virq_port, &status_fd);
	if (!error)
		error = guard_export(image_fd, status_fd, update->host->virq_port);
	if (error) {
		why = "Could not start the guard.";
	} else {
		execv(update->file, argv);
		why = "Error activating new binary.";
	}
	guard_unexport();
	guard_cancel(status_fd);
	update->guard_left = true;
	update_let_cross(update, false);
	close(image_fd);
	return why;
}

/* The guard is a child of this process, whatever program that has become. */
int update_reap_guard(struct update *update)
{
	if (update->guard_left && !update->checker && waitpid(-1, NULL, WNOHANG) < 0)
		update->guard_left = false;
	return update->guard_left ? REAP_MS : -1;
}

void update_own_cancel(struct update *update)
{
	if (update->checker > 0) {
		kill(update->checker, SIGKILL);
		waitpid(update->checker, NULL, 0);
	}
	update->checker = 0;
	update->checked = false;
}

int update_own_run(struct update *update, const char **why)
{
	char **argv;

	if (!check_done(update, why))
		return CHECK_AGAIN_MS;
	if (*why)
		return 0;
	argv = update_arguments(update, false);
	*why = argv ? replace_own(update, argv) : "Allocation failure.";
	free(argv);
	return 0;
}
