/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server socket: who gets it, and who is refused. */
#include "daemon/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define STARTERS 16

static char directory[] = "/tmp/test-listener.XXXXXX";
static char path[64];

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int teardown(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* A client's attempt: 0 or an errno. */
static int try_connect(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);
	int err = 0;

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		err = errno;
	close(fd);
	return err;
}

static void test_open(void **state)
{
	struct listener listener = LISTENER_INIT;
	struct stat st;

	(void)state;
	assert_int_equal(listener_open(&listener, path), LISTENER_OK);
	assert_string_equal(listener.error, "");
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISSOCK(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(listener.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(listener.fd, F_GETFL) & O_NONBLOCK);
	assert_int_equal(accept(listener.fd, NULL, NULL), -1);
	assert_int_equal(errno, EAGAIN);
	assert_int_equal(try_connect(path), 0);
	listener_close(&listener);
	assert_int_equal(listener.fd, -1);
	assert_int_equal(try_connect(path), ECONNREFUSED);
}

static void test_many_clients_fit_the_queue(void **state)
{
	struct listener listener = LISTENER_INIT;

	(void)state;
	assert_int_equal(listener_open(&listener, path), LISTENER_OK);
	alarm(60);
	for (int i = 0; i < 100; i++)
		assert_int_equal(try_connect(path), 0);
	alarm(0);
	listener_close(&listener);
}

static void test_leftover_is_replaced(void **state)
{
	struct listener old = LISTENER_INIT, new = LISTENER_INIT;

	(void)state;
	assert_int_equal(listener_open(&old, path), LISTENER_OK);
	listener_close(&old);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(listener_open(&new, path), LISTENER_OK);
	assert_int_equal(try_connect(path), 0);
	listener_close(&new);
}

/* D26: the socket of a daemon that lives is not stolen. */
static void test_running_daemon_keeps_its_socket(void **state)
{
	struct listener first = LISTENER_INIT, second = LISTENER_INIT;
	struct stat before, after;

	(void)state;
	assert_int_equal(listener_open(&first, path), LISTENER_OK);
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(listener_open(&second, path), LISTENER_RUNNING);
	assert_int_equal(second.fd, -1);
	assert_non_null(strstr(second.error, path));
	assert_non_null(strstr(second.error, "already serves"));
	assert_int_equal(stat(path, &after), 0);
	assert_int_equal(before.st_ino, after.st_ino);
	assert_int_equal(try_connect(path), 0);
	listener_close(&first);
}

/* One that accepts nothing (busy, stopped) and has a full queue lives as well. */
static void test_busy_daemon_keeps_its_socket(void **state)
{
	struct listener listener = LISTENER_INIT;
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int server = socket(AF_UNIX, SOCK_STREAM, 0);
	int clients[8], n = 0;

	(void)state;
	snprintf(address.sun_path, sizeof(address.sun_path), "%s", path);
	assert_int_equal(bind(server, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(server, 0), 0);
	for (; n < 8; n++) {
		clients[n] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		if (connect(clients[n], (struct sockaddr *)&address, sizeof(address)) < 0)
			break;
	}
	assert_in_range(n, 1, 7);
	assert_int_equal(errno, EAGAIN);

	assert_int_equal(listener_open(&listener, path), LISTENER_RUNNING);
	for (int i = 0; i <= n; i++)
		close(clients[i]);
	close(server);
}

static void test_other_files_are_not_removed(void **state)
{
	struct listener listener = LISTENER_INIT;
	int fd = open(path, O_CREAT | O_WRONLY, 0644);

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(listener_open(&listener, path), -EEXIST);
	assert_non_null(strstr(listener.error, "not a socket"));
	assert_int_equal(access(path, F_OK), 0);
}

static void test_long_path(void **state)
{
	struct listener listener = LISTENER_INIT;
	char name[sizeof(((struct sockaddr_un *)0)->sun_path) + 1];

	(void)state;
	memset(name, 'x', sizeof(name) - 1);
	name[0] = '/';
	name[sizeof(name) - 1] = '\0';
	assert_int_equal(listener_open(&listener, name), -ENAMETOOLONG);
	assert_non_null(strstr(listener.error, "108 bytes is too long (at most 107)"));

	/* The longest possible one works, up to the directory that is not there. */
	name[sizeof(name) - 2] = '\0';
	memcpy(name, "/nowhere/", 9);
	assert_int_equal(listener_open(&listener, name), -ENOENT);
	assert_non_null(strstr(listener.error, "cannot open directory /nowhere"));

	assert_int_equal(listener_open(&listener, ""), -ENOENT);
}

/* Of many daemons that start at once over a leftover, exactly one serves, and on that path. */
static void test_race(void **state)
{
	struct listener old = LISTENER_INIT;
	int go[2], stay[2], report[2], served = 0, refused = 0, status;
	pid_t pids[STARTERS];
	char results[STARTERS];

	(void)state;
	assert_int_equal(listener_open(&old, path), LISTENER_OK);
	listener_close(&old);

	alarm(60);
	assert_int_equal(pipe(go), 0);
	assert_int_equal(pipe(stay), 0);
	assert_int_equal(pipe(report), 0);
	for (int i = 0; i < STARTERS; i++) {
		pids[i] = fork();
		assert_true(pids[i] >= 0);
		if (pids[i] == 0) {
			struct listener listener = LISTENER_INIT;
			char byte;
			int ret;

			close(go[1]);
			close(stay[1]);
			if (read(go[0], &byte, 1) != 0)
				_exit(1);
			ret = listener_open(&listener, path);
			byte = ret == LISTENER_OK ? 's' : ret == LISTENER_RUNNING ? 'r' : 'e';
			if (write(report[1], &byte, 1) != 1 || read(stay[0], &byte, 1) != 0)
				_exit(1);
			_exit(0);
		}
	}
	close(go[1]);
	for (int i = 0; i < STARTERS; i++)
		assert_int_equal(read(report[0], &results[i], 1), 1);
	for (int i = 0; i < STARTERS; i++) {
		served += results[i] == 's';
		refused += results[i] == 'r';
	}
	assert_int_equal(served, 1);
	assert_int_equal(refused, STARTERS - 1);
	assert_int_equal(try_connect(path), 0);
	close(stay[1]);
	for (int i = 0; i < STARTERS; i++) {
		assert_int_equal(waitpid(pids[i], &status, 0), pids[i]);
		assert_int_equal(status, 0);
	}
	assert_int_equal(try_connect(path), ECONNREFUSED);
	close(go[0]);
	close(stay[0]);
	close(report[0]);
	close(report[1]);
	alarm(0);
}

/* A lock that is given up in time is waited for. */
static void test_waits_for_the_lock(void **state)
{
	struct listener listener = LISTENER_INIT;
	int ready[2], status;
	char byte;
	pid_t pid;

	(void)state;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		int fd = open(directory, O_RDONLY);

		if (flock(fd, LOCK_EX) < 0 || write(ready[1], "x", 1) != 1)
			_exit(1);
		usleep(50000);
		_exit(0);
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(listener_open(&listener, path), LISTENER_OK);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	listener_close(&listener);
	close(ready[0]);
	close(ready[1]);
}

static void test_adopt(void **state)
{
	struct listener before = LISTENER_INIT, after = LISTENER_INIT;
	int other = socket(AF_UNIX, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(listener_open(&before, path), LISTENER_OK);
	assert_int_equal(fcntl(before.fd, F_SETFD, 0), 0);
	assert_int_equal(fcntl(before.fd, F_SETFL, 0), 0);
	assert_int_equal(listener_adopt(&after, before.fd), LISTENER_OK);
	assert_true(fcntl(after.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(after.fd, F_GETFL) & O_NONBLOCK);
	listener_close(&after);

	assert_int_equal(listener_adopt(&after, other), -EINVAL);
	assert_int_equal(listener_adopt(&after, STDIN_FILENO), -ENOTSOCK);
	assert_int_equal(after.fd, -1);
	close(other);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_teardown(f, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_many_clients_fit_the_queue),
		TEST(test_leftover_is_replaced),
		TEST(test_running_daemon_keeps_its_socket),
		TEST(test_busy_daemon_keeps_its_socket),
		TEST(test_other_files_are_not_removed),
		TEST(test_long_path),
		TEST(test_race),
		TEST(test_waits_for_the_lock),
		TEST(test_adopt),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
