/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which of option, environment and default decides where files live. */
#include "daemon/paths.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static int setup(void **state)
{
	(void)state;
	unsetenv("XENSTORED_PATH");
	unsetenv("XENSTORED_RUNDIR");
	return 0;
}

static void assert_socket(const char *option, const char *expected)
{
	char path[PATH_MAX];

	assert_int_equal(paths_socket(path, sizeof(path), option), 0);
	assert_string_equal(path, expected);
}

static void test_precedence(void **state)
{
	(void)state;
	assert_string_equal(paths_rundir(NULL), XENSTORED_RUNDIR_DEFAULT);
	assert_socket(NULL, XENSTORED_RUNDIR_DEFAULT "/socket");
	setenv("XENSTORED_RUNDIR", "/env", 1);
	assert_string_equal(paths_rundir(NULL), "/env");
	assert_socket(NULL, "/env/socket");
	assert_string_equal(paths_rundir("/opt"), "/opt");
	assert_socket("/opt", "/opt/socket");
	setenv("XENSTORED_PATH", "/some/where", 1);
	assert_socket("/opt", "/some/where");
	assert_string_equal(paths_rundir("/opt"), "/opt");
	/* Set to nothing is not set. */
	setenv("XENSTORED_PATH", "", 1);
	setenv("XENSTORED_RUNDIR", "", 1);
	assert_socket(NULL, XENSTORED_RUNDIR_DEFAULT "/socket");
}

static void test_sizes(void **state)
{
	char path[12];

	(void)state;
	assert_int_equal(paths_socket(path, sizeof(path), "/1234"), -ENAMETOOLONG);
	assert_int_equal(paths_socket(path, sizeof(path), "/123"), 0);
	assert_string_equal(path, "/123/socket");
}

static void test_below_libdir(void **state)
{
	char path[16];

	(void)state;
	assert_int_equal(paths_below_libdir(path, sizeof(path), "/lib", "name"), 0);
	assert_string_equal(path, "/lib/name");
	assert_int_equal(paths_below_libdir(path, sizeof(path), "/lib", "/name"), 0);
	assert_string_equal(path, "/name");
	assert_int_equal(paths_below_libdir(path, sizeof(path), "/lib", "a-long-name"),
			 -ENAMETOOLONG);
}

static void test_make_directory(void **state)
{
	char base[] = "/tmp/test-paths.XXXXXX", path[64];
	mode_t mask = umask(022);
	struct stat st;

	(void)state;
	assert_non_null(mkdtemp(base));
	snprintf(path, sizeof(path), "%s/a/b", base);
	assert_int_equal(paths_make_directory(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_true(S_ISDIR(st.st_mode));
	assert_int_equal(st.st_mode & 07777, 0755);

	assert_int_equal(chmod(path, 0700), 0);
	assert_int_equal(paths_make_directory(path), 0);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
	assert_int_equal(rmdir(path), 0);

	assert_int_equal(close(creat(path, 0600)), 0);
	assert_int_equal(paths_make_directory(path), -ENOTDIR);
	unlink(path);
	snprintf(path, sizeof(path), "%s/a", base);
	rmdir(path);
	rmdir(base);
	assert_int_equal(paths_make_directory(""), -ENOENT);
	umask(mask);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_precedence, setup),
		cmocka_unit_test_setup(test_sizes, setup),
		cmocka_unit_test(test_below_libdir),
		cmocka_unit_test(test_make_directory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
