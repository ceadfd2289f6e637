/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Going to the background as the caller of the command sees it: when it ends, with which status,
 * what is on its stderr; and in which surroundings the daemon finds itself.
 */
#include "daemon/daemonize.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

/* What the command left behind. */
struct outcome {
	int status; /* exit status of the command */
	char stderr_text[512];
	char report[512]; /* what the daemon wrote to its report pipe until it ended */
};

static void read_to_end(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t length;

	while (used < size - 1 && (length = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)length;
	text[used] = '\0';
	close(fd);
}

/*
 * Runs a command that daemonizes; @daemon is what the daemon does, with a descriptor to report to.
 * Returns when the command has ended and the daemon too.
 */
static struct outcome run(void (*daemon)(struct daemonize *daemonize, int report))
{
	struct outcome outcome;
	int err[2], report[2], status;
	pid_t pid;

	assert_int_equal(pipe(err), 0);
	assert_int_equal(pipe(report), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		struct daemonize daemonize = DAEMONIZE_INIT;

		alarm(60);
		close(err[0]);
		close(report[0]);
		dup2(err[1], STDERR_FILENO);
		close(err[1]);
		if (daemonize_start(&daemonize) < 0)
			_exit(120);
		alarm(60);
		daemon(&daemonize, report[1]);
		_exit(121);
	}
	close(err[1]);
	close(report[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	outcome.status = WEXITSTATUS(status);
	read_to_end(err[0], outcome.stderr_text, sizeof(outcome.stderr_text));
	read_to_end(report[0], outcome.report, sizeof(outcome.report));
	return outcome;
}

static bool same_as_null(int fd)
{
	struct stat null, st;

	return stat("/dev/null", &null) == 0 && fstat(fd, &st) == 0 && st.st_rdev == null.st_rdev &&
	       S_ISCHR(st.st_mode);
}

static void daemon_reports(struct daemonize *daemonize, int report)
{
	char cwd[64];
	mode_t mask = umask(0);

	if (!getcwd(cwd, sizeof(cwd)))
		_exit(1);
	dprintf(report, "cwd=%s umask=%03o in-own-session=%d leader=%d ", cwd, (unsigned int)mask,
		getsid(0) == getpgid(0), getsid(0) == getpid());
	dprintf(STDERR_FILENO, "starting\n");
	if (daemonize_ready(daemonize) < 0)
		_exit(1);
	dprintf(STDERR_FILENO, "not to be seen\n");
	dprintf(report, "null=%d%d%d again=%d", same_as_null(0), same_as_null(1), same_as_null(2),
		daemonize_ready(daemonize));
	_exit(0);
}

static void test_ready(void **state)
{
	struct outcome outcome = run(daemon_reports);

	(void)state;
	assert_int_equal(outcome.status, 0);
	assert_string_equal(outcome.stderr_text, "starting\n");
	assert_string_equal(outcome.report,
			    "cwd=/ umask=022 in-own-session=1 leader=0 null=111 again=0");
}

/* D26: the command has not ended before the daemon is ready. */
static int gate[2];

static void daemon_waits_for_the_gate(struct daemonize *daemonize, int report)
{
	char byte;

	close(gate[1]);
	if (read(gate[0], &byte, 1) != 1)
		_exit(1);
	daemonize_ready(daemonize);
	dprintf(report, "served");
	_exit(0);
}

static void test_the_command_waits(void **state)
{
	struct outcome outcome;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(gate), 0);
	pid = fork();
	if (pid == 0) {
		outcome = run(daemon_waits_for_the_gate);
		_exit(outcome.status == 0 && strcmp(outcome.report, "served") == 0 ? 42 : 1);
	}
	close(gate[0]);
	/* Nothing can be over while the gate is closed, however long one looks. */
	for (int i = 0; i < 20; i++) {
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
		usleep(5000);
	}
	assert_int_equal(write(gate[1], "x", 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 42);
	close(gate[1]);
}

static void daemon_fails(struct daemonize *daemonize, int report)
{
	(void)daemonize;
	(void)report;
	fprintf(stderr, "FATAL: no socket\n");
	exit(3);
}

static void test_failed_start(void **state)
{
	struct outcome outcome = run(daemon_fails);

	(void)state;
	assert_int_equal(outcome.status, 3);
	assert_string_equal(outcome.stderr_text, "FATAL: no socket\n");
}

static void daemon_ends_silently(struct daemonize *daemonize, int report)
{
	(void)daemonize;
	(void)report;
	_exit(0);
}

static void test_end_without_ready_is_a_failure(void **state)
{
	struct outcome outcome = run(daemon_ends_silently);

	(void)state;
	assert_int_equal(outcome.status, 1);
	assert_non_null(strstr(outcome.stderr_text, "ended before it was ready"));
}

static void daemon_is_killed(struct daemonize *daemonize, int report)
{
	(void)daemonize;
	(void)report;
	raise(SIGKILL);
}

static void test_killed_start(void **state)
{
	struct outcome outcome = run(daemon_is_killed);

	(void)state;
	assert_int_equal(outcome.status, 128 + SIGKILL);
	assert_non_null(strstr(outcome.stderr_text, "killed by signal 9"));
}

static void test_ignored_sigchld_does_not_hide_the_status(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		struct daemonize daemonize = DAEMONIZE_INIT;

		signal(SIGCHLD, SIG_IGN);
		if (daemonize_start(&daemonize) < 0)
			_exit(120);
		_exit(7);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 7);
}

static void test_foreground_keeps_its_stderr(void **state)
{
	struct daemonize daemonize = DAEMONIZE_INIT;
	struct stat before, after;

	(void)state;
	assert_int_equal(fstat(STDERR_FILENO, &before), 0);
	assert_int_equal(daemonize_ready(&daemonize), 0);
	assert_int_equal(fstat(STDERR_FILENO, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(before.st_dev, after.st_dev);
}

static void test_closed_standard_descriptors_are_filled(void **state)
{
	int status;
	pid_t pid = fork();

	(void)state;
	if (pid == 0) {
		close(STDIN_FILENO);
		close(STDERR_FILENO);
		if (daemonize_standard_fds() < 0)
			_exit(1);
		if (!same_as_null(STDIN_FILENO) || !same_as_null(STDERR_FILENO))
			_exit(2);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ready),
		cmocka_unit_test(test_the_command_waits),
		cmocka_unit_test(test_failed_start),
		cmocka_unit_test(test_end_without_ready_is_a_failure),
		cmocka_unit_test(test_killed_start),
		cmocka_unit_test(test_ignored_sigchld_does_not_hide_the_status),
		cmocka_unit_test(test_foreground_keeps_its_stderr),
		cmocka_unit_test(test_closed_standard_descriptors_are_filled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
