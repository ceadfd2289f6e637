/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a confined thread can still reach, and that others are not concerned. */
#include "ninepfsd/confine.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "skip.h"

static char base[64], share[256], outside[256];

struct result {
	int confined;
	bool inside, directory, removed, grown;
	bool leaked, made_outside, truncated, link;
};

static bool can_open(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static const char *below(const char *directory, const char *name)
{
	static _Thread_local char path[512];

	snprintf(path, sizeof(path), "%s/%s", directory, name);
	return path;
}

static void *try_all(void *argument)
{
	struct result *result = argument;
	int root = open(share, O_PATH | O_DIRECTORY | O_CLOEXEC);

	result->confined = confine_thread(root);
	close(root);
	result->inside = can_open(below(share, "f"), O_RDWR | O_CREAT);
	result->grown = truncate(below(share, "f"), 100) == 0;
	result->directory = mkdir(below(share, "d"), 0700) == 0 &&
			    can_open(below(share, "d/f"), O_WRONLY | O_CREAT) &&
			    can_open(below(share, "d"), O_RDONLY | O_DIRECTORY);
	result->removed = unlink(below(share, "d/f")) == 0 && rmdir(below(share, "d")) == 0;
	result->leaked = can_open(outside, O_RDONLY) || can_open("/etc/passwd", O_RDONLY);
	result->made_outside = can_open(below(base, "new"), O_WRONLY | O_CREAT);
	result->truncated = truncate(outside, 0) == 0;
	result->link = symlink("/", below(share, "link")) == 0;
	return NULL;
}

static void test_a_thread_is_confined(void **state)
{
	struct result result = {0};
	struct stat stat;
	pthread_t thread;
	int fd;

	(void)state;
	strcpy(base, "/tmp/test-confine.XXXXXX");
	assert_non_null(mkdtemp(base));
	snprintf(share, sizeof(share), "%s/share", base);
	snprintf(outside, sizeof(outside), "%s/outside", base);
	assert_int_equal(mkdir(share, 0700), 0);
	fd = open(outside, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	assert_int_equal(write(fd, "secret", 6), 6);
	close(fd);
	assert_int_equal(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), 0);
	assert_int_equal(pthread_create(&thread, NULL, try_all, &result), 0);
	assert_int_equal(pthread_join(thread, NULL), 0);
	assert_int_equal(result.confined == 0, confine_possible());
	if (result.confined == -ENOSYS || result.confined == -EOPNOTSUPP)
		skip_because("this kernel cannot confine threads");
	assert_int_equal(result.confined, 0);
	assert_true(result.inside && result.grown && result.directory && result.removed);
	assert_false(result.leaked);
	assert_false(result.made_outside);
	assert_false(result.link);
	/* The second version of the interface leaves this to the file's permissions. */
	if (result.truncated)
		print_message("this kernel does not confine truncate()\n");
	/* The thread that started it can do all it could before. */
	assert_true(can_open(outside, O_RDONLY));
	assert_true(can_open(below(base, "new"), O_WRONLY | O_CREAT));
	assert_int_equal(lstat(below(share, "link"), &stat), -1);
	unlink(below(base, "new"));
	unlink(outside);
	unlink(below(share, "f"));
	rmdir(share);
	rmdir(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_thread_is_confined)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
