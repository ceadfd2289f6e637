/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The watchdog's patience ends while the one that it watches is about to tell that all is
 * well: either goes on, never both and never none.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/host/boot.h"
#include "hypervisor/host/watchdog.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_time),
		cmocka_unit_test(test_too_late),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
