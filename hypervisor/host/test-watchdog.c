/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog's patience ends while the one that it watches is about to tell that all is
 * well: either goes on, never both and never none. And nobody else is ever hit.
 */
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/host/boot.h"
#include "hypervisor/host/watchdog.h"
#include "skip.h"

/* The file's contents are of no matter: without a head nobody is booted. */
static int start(const struct boot *boot)
{
	assert_int_equal(setenv(WATCHDOG_SECONDS_VARIABLE, "1", 1), 0);
	return watchdog_start(boot);
}

/* Waits until the watchdog has run out of patience. */
static void await_decision(int hand_over)
{
	struct flock lock;

	do {
		lock = (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
		usleep(1000);
	} while (fcntl(hand_over, F_GETLK, &lock) == 0 && lock.l_type == F_UNLCK);
}

/* The status of a process that has taken over, or (@in_time false) is too late for that. */
static int run(bool in_time)
{
	struct boot boot = {.image = -1, .hand_over = memfd_create("test", 0)};
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		int fd = start(&boot);

		if (fd < 0)
			_exit(1);
		if (!in_time)
			await_decision(boot.hand_over);
		watchdog_claim(boot.hand_over);
		sleep(2);
		watchdog_end(fd);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(boot.hand_over);
	return status;
}

static void test_in_time(void **state)
{
	(void)state;
	assert_int_equal(run(true), 0);
}

static void test_too_late(void **state)
{
	int status = run(false);

	(void)state;
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), 9);
}

/* ---- a pid that is used again ---- */

#define CANNOT 77 /* this machine does not let us choose a pid */

/* A host that ends while its watchdog does not notice: the pipe to it is still open. */
static _Noreturn void vanish(void)
{
	struct boot boot = {.image = -1, .hand_over = memfd_create("test", 0)};

	if (start(&boot) < 0)
		_exit(1);
	if (fork() == 0)
		pause();
	_exit(0);
}

/* A process that has this pid, and does nothing. Negative: it cannot be had. */
static pid_t process_with_pid(pid_t pid)
{
	struct clone_args args = {
		.exit_signal = SIGCHLD, .set_tid = (uint64_t)(uintptr_t)&pid, .set_tid_size = 1};
	pid_t made = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (made == 0)
		for (;;)
			pause();
	return made;
}

/* The first process of a world of its own, to which orphans fall and with which all end. */
static int reuse_the_pid(void)
{
	pid_t host = fork(), ended;
	int status;

	if (host == 0)
		vanish();
	if (waitpid(host, &status, 0) != host || status)
		return 1;
	if (process_with_pid(host) != host)
		return CANNOT;
	/* The watchdog has done what it does when it ends: it has nobody to boot. */
	ended = waitpid(-1, &status, 0);
	return ended > 0 && ended != host && WIFEXITED(status) &&
			       waitpid(host, &status, WNOHANG) == 0
		       ? 0
		       : 1;
}

static void test_pid_used_again(void **state)
{
	pid_t pid = fork();
	int status;

	(void)state;
	if (pid == 0) {
		if (unshare(CLONE_NEWUSER | CLONE_NEWPID) < 0 && unshare(CLONE_NEWPID) < 0)
			_exit(CANNOT);
		pid = fork();
		if (pid == 0)
			_exit(reuse_the_pid());
		_exit(waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status)
									   : 1);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == CANNOT)
		skip_because("no process ids of its own");
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_too_late),
		cmocka_unit_test(test_pid_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
