/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pid file as its readers and as a second daemon see it. */
#include "daemon/pidfile.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-pidfile.XXXXXX";
static char path[64];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/pid", directory);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return rmdir(directory);
}

static void assert_content(const char *expected)
{
	char text[64];
	int fd = open(path, O_RDONLY);
	ssize_t length = read(fd, text, sizeof(text) - 1);

	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, expected);
	close(fd);
}

static char *own_pid(void)
{
	static char text[32];

	snprintf(text, sizeof(text), "%ld\n", (long)getpid());
	return text;
}

/* A second daemon: tries the pid file and says what it got, as an exit status. */
static int in_other_process(pid_t expected_holder)
{
	struct pidfile other = PIDFILE_INIT;
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		int ret = pidfile_open(&other, path);

		if (ret == PIDFILE_LOCKED && other.holder != expected_holder)
			_exit(99);
		_exit(ret < 0 ? 98 : ret);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void test_content_and_mode(void **state)
{
	struct pidfile pidfile = PIDFILE_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(pidfile_open(&pidfile, path), PIDFILE_OK);
	assert_content(own_pid());
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(pidfile.fd, F_GETFD) & FD_CLOEXEC);
	pidfile_close(&pidfile);
	assert_int_equal(pidfile.fd, -1);
	assert_int_equal(access(path, F_OK), 0);
}

static void test_longer_old_content_is_replaced(void **state)
{
	struct pidfile pidfile = PIDFILE_INIT;
	FILE *file = fopen(path, "w");

	(void)state;
	fputs("123456789012\nand more\n", file);
	fclose(file);
	assert_int_equal(pidfile_open(&pidfile, path), PIDFILE_OK);
	assert_content(own_pid());
	pidfile_close(&pidfile);
}

/* D26: the lock protects as long as the daemon lives. */
static void test_second_daemon_is_told(void **state)
{
	struct pidfile pidfile = PIDFILE_INIT;

	(void)state;
	assert_int_equal(pidfile_open(&pidfile, path), PIDFILE_OK);
	assert_int_equal(in_other_process(getpid()), PIDFILE_LOCKED);
	assert_content(own_pid());
	pidfile_close(&pidfile);
	assert_int_equal(in_other_process(0), PIDFILE_OK);
}

static void test_lock_ends_with_the_process(void **state)
{
	struct pidfile pidfile = PIDFILE_INIT;
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		struct pidfile theirs = PIDFILE_INIT;

		if (pidfile_open(&theirs, path) != PIDFILE_OK || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(pidfile_open(&pidfile, path), PIDFILE_LOCKED);
	assert_int_equal(pidfile.holder, pid);
	assert_int_equal(pidfile.fd, -1);

	kill(pid, SIGKILL);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(pidfile_open(&pidfile, path), PIDFILE_OK);
	assert_content(own_pid());
	pidfile_close(&pidfile);
	close(ready[0]);
}

static void test_adopted_descriptor_keeps_the_lock(void **state)
{
	struct pidfile before = PIDFILE_INIT, after = PIDFILE_INIT;

	(void)state;
	assert_int_equal(pidfile_open(&before, path), PIDFILE_OK);
	assert_int_equal(fcntl(before.fd, F_SETFD, 0), 0);
	assert_int_equal(pidfile_adopt(&after, before.fd), PIDFILE_OK);
	assert_true(fcntl(after.fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(in_other_process(getpid()), PIDFILE_LOCKED);
	pidfile_close(&after);
}

static void test_errors(void **state)
{
	struct pidfile pidfile = PIDFILE_INIT;

	(void)state;
	assert_int_equal(pidfile_open(&pidfile, "/nowhere/at/all"), -ENOENT);
	assert_int_equal(pidfile_open(&pidfile, directory), -EISDIR);
	assert_int_equal(pidfile.fd, -1);
	assert_int_equal(pidfile_open(&pidfile, "/dev/full"), -ENOSPC);
	assert_int_equal(pidfile.fd, -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_content_and_mode),
		cmocka_unit_test(test_longer_old_content_is_replaced),
		cmocka_unit_test(test_second_daemon_is_told),
		cmocka_unit_test(test_lock_ends_with_the_process),
		cmocka_unit_test(test_adopted_descriptor_keeps_the_lock),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
