/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A second process with its own load, see neighbour.h.
 */
#define _GNU_SOURCE 1
#include "neighbour.h"
#include "fail.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

static bool raise_priority(void)
{
	struct sched_param param = {.sched_priority = 1};

	return sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) == 0;
}

static _Noreturn void child(const struct subject *subject, neighbour_work *work,
			    struct neighbour_shared *shared, int go, int done)
{
	struct client *client = client_new(subject);
	char byte;

	while (read(go, &byte, 1) == 1) {
		work(client, shared);
		atomic_store(&shared->running, false);
		if (write(done, &byte, 1) != 1)
			break;
	}
	_exit(0);
}

struct neighbour *neighbour_new(const struct subject *subject, neighbour_work *work)
{
	struct neighbour *neighbour = malloc(sizeof(*neighbour));
	bool raised = raise_priority();
	pid_t parent = getpid();
	int go[2], done[2];

	if (!neighbour || pipe2(go, O_CLOEXEC) < 0 || pipe2(done, O_CLOEXEC) < 0)
		fail("out of memory or descriptors");
	neighbour->shared = mmap(NULL, sizeof(*neighbour->shared), PROT_READ | PROT_WRITE,
				 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (neighbour->shared == MAP_FAILED)
		fail("out of memory");
	fflush(stdout);
	neighbour->pid = fork();
	if (neighbour->pid < 0)
		fail("fork: %s", strerror(errno));
	if (neighbour->pid == 0) {
		struct sched_param param = {.sched_priority = 0};

		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (getppid() != parent)
			_exit(0);
		if (!raised)
			sched_setscheduler(0, SCHED_IDLE, &param);
		close(go[1]);
		close(done[0]);
		child(subject, work, neighbour->shared, go[0], done[1]);
	}
	close(go[0]);
	close(done[1]);
	neighbour->go = go[1];
	neighbour->done = done[0];
	return neighbour;
}

void neighbour_go(struct neighbour *neighbour, unsigned int amount)
{
	struct neighbour_shared *shared = neighbour->shared;

	shared->amount = amount;
	atomic_store(&shared->stop, false);
	atomic_store(&shared->running, true);
	atomic_store(&shared->done, 0);
	if (write(neighbour->go, "", 1) != 1)
		fail("the neighbour has gone");
	while (atomic_load(&shared->done) == 0 && atomic_load(&shared->running))
		usleep(10);
}

unsigned int neighbour_stop(struct neighbour *neighbour)
{
	char byte;

	atomic_store(&neighbour->shared->stop, true);
	/* End of file here means that the neighbour has failed and said why. */
	if (read(neighbour->done, &byte, 1) != 1)
		fail("the neighbour has failed");
	return atomic_load(&neighbour->shared->done);
}
