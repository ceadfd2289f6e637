/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals as input of the event loop: a signalfd, and care for what an exec inherits. */
#include "daemon/signals.h"

#include <errno.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void hangup_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGHUP);
}

int signals_open(struct signals *signals)
{
	sigset_t hangup;

	hangup_set(&hangup);
	signals->fd = signalfd(-1, &hangup, SFD_NONBLOCK | SFD_CLOEXEC);
	if (signals->fd < 0)
		return -errno;
	/* Blocked first: between the two steps the default action would end the process. */
	if (sigprocmask(SIG_BLOCK, &hangup, &signals->mask_before) < 0) {
		int err = errno;

		close(signals->fd);
		signals->fd = -1;
		return -err;
	}
	/* A guard was started with it blocked, which is nothing for others to find. */
	sigdelset(&signals->mask_before, SIGHUP);
	/* Started by nohup or by the exec of a live update it is ignored, i.e. never delivered. */
	signal(SIGHUP, SIG_DFL);
	signal(SIGPIPE, SIG_IGN);
	/* A limit on file sizes is an error of one write, not the end of the store. */
	signal(SIGXFSZ, SIG_IGN);
	return 0;
}

void signals_close(struct signals *signals)
{
	if (signals->fd < 0)
		return;
	/* One that is still pending would be deadly once it is not blocked any more. */
	while (signals_read(signals) > 0)
		;
	close(signals->fd);
	signals->fd = -1;
	sigprocmask(SIG_SETMASK, &signals->mask_before, NULL);
}

int signals_read(struct signals *signals)
{
	struct signalfd_siginfo info;
	int arrived = 0;
	ssize_t length;

	for (;;) {
		length = read(signals->fd, &info, sizeof(info));
		if (length == (ssize_t)sizeof(info))
			arrived = 1;
		else if (length >= 0)
			return arrived;
		else if (errno == EAGAIN)
			return arrived;
		else if (errno != EINTR)
			return -errno;
	}
}

void signals_prepare_exec(struct signals *signals)
{
	sigset_t hangup;

	if (signals->fd < 0)
		return;
	signal(SIGHUP, SIG_IGN);
	hangup_set(&hangup);
	sigprocmask(SIG_UNBLOCK, &hangup, NULL);
}

int signals_resume(struct signals *signals)
{
	sigset_t hangup;

	if (signals->fd < 0)
		return 0;
	hangup_set(&hangup);
	if (sigprocmask(SIG_BLOCK, &hangup, NULL) < 0)
		return -errno;
	signal(SIGHUP, SIG_DFL);
	return 0;
}

static void end_set(sigset_t *set)
{
	sigemptyset(set);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGINT);
}

void signals_hold_end(struct signals *signals)
{
	sigset_t end;

	(void)signals;
	end_set(&end);
	sigprocmask(SIG_BLOCK, &end, NULL);
}

void signals_let_end(struct signals *signals)
{
	sigset_t end;

	/* What this program found when it started is how it was left for it. */
	sigdelset(&signals->mask_before, SIGTERM);
	sigdelset(&signals->mask_before, SIGINT);
	end_set(&end);
	sigprocmask(SIG_UNBLOCK, &end, NULL);
}

static void (*before_end)(void);

static void end(int number)
{
	before_end();
	/* Comes when this returns, and has its default action by then. */
	raise(number);
}

void signals_before_end(void (*first)(void))
{
	struct sigaction action = {.sa_flags = (int)SA_RESETHAND};

	before_end = first;
	action.sa_handler = first ? end : SIG_DFL;
	end_set(&action.sa_mask);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
}

void signals_mask_for_helper(sigset_t *set)
{
	sigprocmask(SIG_BLOCK, NULL, set);
	sigdelset(set, SIGTERM);
	sigdelset(set, SIGINT);
}
