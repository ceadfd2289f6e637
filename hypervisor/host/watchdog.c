/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A child that waits at a pipe. The end of the other side without a word is xen#2's
 * end.
 */
#include "watchdog.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "boot.h"
#include "hand-over.h"

static int patience_ms(void)
{
	const char *text = getenv(WATCHDOG_SECONDS_VARIABLE);
	int seconds = text ? atoi(text) : 0;

	return (seconds > 0 && seconds < 3600 ? seconds : WATCHDOG_SECONDS) * 1000;
}

/*
 * One of the two processes has the lock on the file, and is or will be the host. A lock like this
 * belongs to a process, also over an exec.
 */
static bool claim(int hand_over)
{
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	return fcntl(hand_over, F_SETLK, &lock) == 0 || (errno != EAGAIN && errno != EACCES);
}

void watchdog_claim(int hand_over)
{
	while (!claim(hand_over))
		pause();
}

/* The process that is watched. By its pid, another one might be meant before long. */
struct watched {
	int process; /* a pidfd */
	int status;  /* its file in /proc, -ESRCH when it is gone for good */
};

static void unwatch(const struct watched *host)
{
	if (host->process >= 0)
		close(host->process);
	if (host->status >= 0)
		close(host->status);
}

/* The caller as one that is watched. Returns 0 or a negative errno. */
static int watch_self(struct watched *host)
{
	int error = 0;

	host->process = pidfd_open(getpid(), 0);
	host->status = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	if (host->process < 0 || host->status < 0)
		error = -errno;
	if (error)
		unwatch(host);
	return error;
}

/*
 * Who ends a host sends its process a signal, which that blocks until it has taken over. What waits
 * there is for the host, whoever it is then.
 */
static void inherit_signals(const struct watched *host)
{
	static const int signals[] = {SIGTERM, SIGINT};
	static const char name[] = "\nShdPnd:";
	char text[8192];
	ssize_t length = pread(host->status, text, sizeof(text) - 1, 0);
	unsigned long long pending;
	const char *at;

	text[length > 0 ? length : 0] = '\0';
	at = strstr(text, name);
	pending = at ? strtoull(at + sizeof(name) - 1, NULL, 16) : 0;
	for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++)
		if (pending >> (signals[i] - 1) & 1)
			kill(getpid(), signals[i]);
}

/* Ends the process that did not answer, which may have ended already. */
static void end_process(const struct watched *host)
{
	struct pollfd wait = {.fd = host->process, .events = POLLIN};

	inherit_signals(host);
	pidfd_send_signal(host->process, SIGKILL, NULL, 0);
	while (poll(&wait, 1, -1) < 0 && errno == EINTR)
		;
	/* One that came meanwhile is still known until its parent has asked for its end. */
	inherit_signals(host);
	unwatch(host);
}

/* Waits for a word, so long (-1: for ever). Returns what poll() does. */
static int await_word(int fd, int patience)
{
	struct pollfd wait = {.fd = fd, .events = POLLIN};
	int ready;

	do
		ready = poll(&wait, 1, patience);
	while (ready < 0 && errno == EINTR);
	return ready;
}

static _Noreturn void watch(int fd, const struct watched *host, const struct boot *boot)
{
	struct hand_over head;
	char word;
	int ready = await_word(fd, patience_ms()), error;

	/* At the same moment it may have taken over. */
	if (ready == 0 && !claim(boot->hand_over))
		ready = await_word(fd, -1);
	if (ready > 0 && read(fd, &word, 1) == 1)
		_exit(0);
	end_process(host);
	close(fd);
	error = hand_over_read_head(boot->hand_over, &head);
	if (!error) {
		snprintf(head.report.refusal, sizeof(head.report.refusal),
			 "xen#2 %s before it had taken over", ready > 0 ? "died" : "fell silent");
		fprintf(stderr, "simxen: %s\n", head.report.refusal);
		head.watchdog = -1; /* nobody watches over the one that comes now */
		error = hand_over_turn_back(boot->hand_over, &head);
	}
	if (!error)
		error = boot_exec(boot);
	fprintf(stderr, "simxen: the former program does not start: %s\n", strerror(-error));
	_exit(1);
}

int watchdog_start(const struct boot *boot)
{
	struct watched host;
	int ends[2], error = watch_self(&host);
	pid_t pid;

	if (error)
		return error;
	if (pipe2(ends, 0) < 0) {
		error = -errno;
		unwatch(&host);
		return error;
	}
	pid = fork();
	if (pid == 0) {
		close(ends[1]);
		watch(ends[0], &host, boot);
	}
	if (pid < 0)
		error = -errno;
	unwatch(&host);
	close(ends[0]);
	if (error)
		close(ends[1]);
	return error ? error : ends[1];
}

void watchdog_end(int fd)
{
	if (fd < 0)
		return;
	/* One that has gone already needs no word. */
	if (write(fd, "", 1) < 0)
		errno = 0;
	close(fd);
}
