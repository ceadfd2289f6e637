/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signals as the event loop and as a newly executed program meet them. */
#include "daemon/signals.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static bool readable(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

	return poll(&poll_fd, 1, 0) == 1;
}

static void test_hangup_is_input(void **state)
{
	struct signals signals = SIGNALS_INIT;

	(void)state;
	assert_int_equal(signals_open(&signals), 0);
	assert_true(fcntl(signals.fd, F_GETFD) & FD_CLOEXEC);
	assert_false(readable(signals.fd));
	assert_int_equal(signals_read(&signals), 0);
	kill(getpid(), SIGHUP);
	kill(getpid(), SIGHUP);
	assert_true(readable(signals.fd));
	assert_int_equal(signals_read(&signals), 1);
	assert_int_equal(signals_read(&signals), 0);
	kill(getpid(), SIGHUP);
	assert_int_equal(signals_read(&signals), 1);
	signals_close(&signals);
}

/* As after "nohup" or the exec of a live update. */
static void test_inherited_ignore_is_undone(void **state)
{
	struct signals signals = SIGNALS_INIT;

	(void)state;
	signal(SIGHUP, SIG_IGN);
	assert_int_equal(signals_open(&signals), 0);
	kill(getpid(), SIGHUP);
	assert_int_equal(signals_read(&signals), 1);
	signals_close(&signals);
}

static void test_broken_pipe_is_an_error_code(void **state)
{
	struct signals signals = SIGNALS_INIT;
	int ends[2];

	(void)state;
	assert_int_equal(signals_open(&signals), 0);
	assert_int_equal(pipe(ends), 0);
	close(ends[0]);
	assert_int_equal(write(ends[1], "x", 1), -1);
	close(ends[1]);
	signals_close(&signals);
}

/* What a program executed by the daemon finds: nothing blocked, and a hangup does not kill it. */
static void test_exec(void **state)
{
	struct signals signals = SIGNALS_INIT;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		if (signals_open(&signals) < 0)
			_exit(1);
		signals_prepare_exec(&signals);
		/* SigBlk and the bit of SIGHUP (1) in SigIgn, as the kernel shows them. */
		execl("/bin/sh", "sh", "-c",
		      "kill -HUP $$; grep -q '^SigBlk:.*0000000000000000' /proc/self/status &&"
		      "grep -q '^SigIgn:.*[13579bdf]$' /proc/self/status && exit 42; exit 2",
		      (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 42);
}

/*
 * As a guard that takes over: it was started by a daemon, which has its own signals blocked. What
 * it executes must get them all the same, whoever it is.
 */
static void test_exec_of_one_started_with_it_blocked(void **state)
{
	struct signals signals = SIGNALS_INIT;
	sigset_t hangup;
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		sigemptyset(&hangup);
		sigaddset(&hangup, SIGHUP);
		sigprocmask(SIG_BLOCK, &hangup, NULL);
		if (signals_open(&signals) < 0)
			_exit(3);
		signals_prepare_exec(&signals);
		/* No shell between, since some unblock everything. */
		execlp("grep", "grep", "-q", "^SigBlk:.*0000000000000000", "/proc/self/status",
		       (char *)NULL);
		_exit(3);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_failed_exec(void **state)
{
	struct signals signals = SIGNALS_INIT;

	(void)state;
	assert_int_equal(signals_open(&signals), 0);
	signals_prepare_exec(&signals);
	assert_int_equal(signals_resume(&signals), 0);
	kill(getpid(), SIGHUP);
	assert_int_equal(signals_read(&signals), 1);
	/* A pending one must not kill at the end. */
	kill(getpid(), SIGHUP);
	signals_close(&signals);
}

static int told;

static void tell(void)
{
	told = write(told, "x", 1) == 1;
}

/* What was held comes, says so first, and ends the process all the same. */
static void test_something_is_done_before_the_end(void **state)
{
	struct signals signals = SIGNALS_INIT;
	static const int numbers[] = {SIGTERM, SIGINT};
	int ends[2], status;
	char byte;

	(void)state;
	for (int i = 0; i < 2; i++) {
		pid_t pid;

		assert_int_equal(pipe(ends), 0);
		pid = fork();
		if (pid == 0) {
			told = ends[1];
			signals_hold_end(&signals);
			kill(getpid(), numbers[i]);
			signals_before_end(tell);
			signals_let_end(&signals);
			_exit(1);
		}
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), numbers[i]);
		assert_int_equal(read(ends[0], &byte, 1), 1);
		close(ends[0]);
		close(ends[1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hangup_is_input),
		cmocka_unit_test(test_inherited_ignore_is_undone),
		cmocka_unit_test(test_broken_pipe_is_an_error_code),
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_of_one_started_with_it_blocked),
		cmocka_unit_test(test_failed_exec),
		cmocka_unit_test(test_something_is_done_before_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
