/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is left of a process's rights, as the kernel tells it. */
#include "daemon/privileges.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
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

#include "skip.h"

#define USER "nobody"

/* The number, in base 16, behind @name in /proc/self/status. */
static unsigned long long status_of(const char *name)
{
	unsigned long long value = 77;
	char line[256];
	FILE *file = fopen("/proc/self/status", "re");

	while (file && fgets(line, sizeof(line), file))
		if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			value = strtoull(line + strlen(name) + 1, NULL, 16);
	if (file)
		fclose(file);
	return value;
}

/* Does it in a process of its own, whose exit status says which check failed. */
static int in_a_process(int (*check)(void))
{
	int status;
	pid_t pid = fork();

	if (pid == 0)
		_exit(check());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static int nothing_is_left(const char *user)
{
	static const char *const sets[] = {"CapInh", "CapPrm", "CapEff", "CapAmb"};

	if (privileges_drop(user) != 0)
		return 1;
	for (size_t i = 0; i < sizeof(sets) / sizeof(*sets); i++)
		if (status_of(sets[i]) != 0)
			return 2;
	return status_of("NoNewPrivs") == 1 ? 0 : 3;
}

static int drop_all(void)
{
	return nothing_is_left(NULL);
}

static void test_no_capability_is_left(void **state)
{
	(void)state;
	assert_int_equal(in_a_process(drop_all), 0);
}

/* Root is a user like any other then: it may not touch others' files, nor become another. */
static int use_roots_rights(void)
{
	char path[] = "/tmp/test-privileges.XXXXXX";
	int fd = mkstemp(path), status = 0;

	if (fd < 0 || fchown(fd, 1, 1) < 0)
		return 1;
	if (privileges_drop(NULL) != 0 || status_of("CapBnd") != 0 || geteuid() != 0)
		status = 2;
	if (open(path, O_WRONLY | O_CLOEXEC) >= 0 || chown(path, 0, 0) == 0 || setuid(1) == 0)
		status = 3;
	unlink(path);
	return status;
}

static int become_user(void)
{
	int status = nothing_is_left(USER);

	if (status)
		return status;
	if (getuid() == 0 || geteuid() == 0 || getgid() == 0 || getegid() == 0)
		return 4;
	/* Root's groups are gone as well. */
	for (int i = 0, count = getgroups(0, NULL); i < count; i++) {
		gid_t groups[64];

		if (getgroups(64, groups) != count || groups[i] == 0)
			return 5;
	}
	return setuid(0) == 0 || open("/etc/shadow", O_RDONLY | O_CLOEXEC) >= 0 ? 6 : 0;
}

static int become_nobody_known(void)
{
	return privileges_drop("no-such-user-here") == -ENOENT ? 0 : 1;
}

static void test_roots_rights_are_gone(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root has rights to give up");
	assert_int_equal(in_a_process(use_roots_rights), 0);
}

static void test_another_user(void **state)
{
	(void)state;
	if (geteuid() != 0)
		skip_because("only root has rights to give up");
	assert_int_equal(in_a_process(become_user), 0);
}

static void test_unknown_user(void **state)
{
	(void)state;
	assert_int_equal(in_a_process(become_nobody_known), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_no_capability_is_left),
		cmocka_unit_test(test_roots_rights_are_gone),
		cmocka_unit_test(test_another_user),
		cmocka_unit_test(test_unknown_user),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
