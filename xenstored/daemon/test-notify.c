/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Readiness as a service manager receives it. */
#include "daemon/notify.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char directory[] = "/tmp/test-notify.XXXXXX";

static int setup(void **state)
{
	(void)state;
	return mkdtemp(directory) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

/* The service manager's end, bound to @name; '@' at its beginning means abstract. */
static int manager(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	socklen_t length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name));
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

	memcpy(address.sun_path, name, strlen(name));
	if (*name == '@')
		address.sun_path[0] = '\0';
	else
		length++;
	assert_int_equal(bind(fd, (struct sockaddr *)&address, length), 0);
	return fd;
}

static void assert_received(int fd, const char *expected)
{
	char text[256];
	ssize_t length = recv(fd, text, sizeof(text) - 1, 0);

	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, expected);
}

/* Runs notify_ready() with stderr caught; the line must be there in any case. */
static int ready(const struct notify *notify, pid_t main_pid)
{
	char text[256];
	int saved = dup(STDERR_FILENO), ends[2], ret;
	ssize_t length;

	assert_int_equal(pipe(ends), 0);
	dup2(ends[1], STDERR_FILENO);
	ret = notify_ready(notify, "xenstored", main_pid);
	dup2(saved, STDERR_FILENO);
	close(saved);
	close(ends[1]);
	length = read(ends[0], text, sizeof(text) - 1);
	close(ends[0]);
	assert_true(length >= 0);
	text[length] = '\0';
	assert_string_equal(text, "xenstored is ready\n");
	return ret;
}

static void test_path(void **state)
{
	struct notify notify;
	char path[64];
	int fd;

	(void)state;
	snprintf(path, sizeof(path), "%s/notify", directory);
	fd = manager(path);
	setenv("NOTIFY_SOCKET", path, 1);
	assert_int_equal(notify_init(&notify), 0);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(ready(&notify, 4711), 0);
	assert_received(fd, "READY=1\nMAINPID=4711");
	assert_int_equal(notify_main_pid(&notify, 4712), 0);
	assert_received(fd, "MAINPID=4712");
	assert_int_equal(recv(fd, path, 1, 0), -1);
	close(fd);
	unlink(path);
}

static void test_abstract_name(void **state)
{
	struct notify notify;
	char name[64];
	int fd;

	(void)state;
	snprintf(name, sizeof(name), "@test-notify-%ld", (long)getpid());
	fd = manager(name);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_init(&notify), 0);
	assert_int_equal(ready(&notify, 0), 0);
	assert_received(fd, "READY=1");
	close(fd);
}

static void test_nobody_wants_to_know(void **state)
{
	struct notify notify;

	(void)state;
	unsetenv("NOTIFY_SOCKET");
	assert_int_equal(notify_init(&notify), 0);
	assert_int_equal(ready(&notify, 1), 0);
	assert_int_equal(notify_main_pid(&notify, 1), 0);
}

static void test_bad_addresses(void **state)
{
	char name[200] = "/";
	struct notify notify;

	(void)state;
	setenv("NOTIFY_SOCKET", "vsock:2:1234", 1);
	assert_int_equal(notify_init(&notify), -EAFNOSUPPORT);
	assert_null(getenv("NOTIFY_SOCKET"));
	assert_int_equal(ready(&notify, 1), 0);

	memset(name + 1, 'x', sizeof(name) - 2);
	setenv("NOTIFY_SOCKET", name, 1);
	assert_int_equal(notify_init(&notify), -ENAMETOOLONG);
	assert_int_equal(ready(&notify, 1), 0);

	setenv("NOTIFY_SOCKET", "/nowhere/at/all", 1);
	assert_int_equal(notify_init(&notify), 0);
	assert_int_equal(ready(&notify, 1), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_path),
		cmocka_unit_test(test_abstract_name),
		cmocka_unit_test(test_nobody_wants_to_know),
		cmocka_unit_test(test_bad_addresses),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
