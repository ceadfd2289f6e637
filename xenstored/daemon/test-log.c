/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the daemon says, as far as it can be seen without a syslog daemon. */
#include "daemon/log.h"

#include <errno.h>
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

/* Everything that @speak wrote to stderr in a process of its own, and that one's exit status. */
static int listen_to(void (*speak)(void), char *text, size_t size)
{
	int ends[2], status;
	size_t used = 0;
	ssize_t length;
	pid_t pid;

	assert_int_equal(pipe(ends), 0);
	pid = fork();
	if (pid == 0) {
		dup2(ends[1], STDERR_FILENO);
		speak();
		_exit(0);
	}
	close(ends[1]);
	while (used < size - 1 && (length = read(ends[0], text + used, size - 1 - used)) > 0)
		used += (size_t)length;
	text[used] = '\0';
	close(ends[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

static void sink(void *context, const char *text)
{
	dprintf(STDERR_FILENO, "%s<%s>", (const char *)context, text);
}

static void speak_foreground(void)
{
	log_open("test-log", true);
	log_redirect(sink, NULL);
	log_message(LOG_NOTICE, "domain %d\n", 5);
	log_print("control: %s", "hello");
}

/* As under a service manager whose journal takes both syslog and stderr. */
static void speak_to_a_journal(void)
{
	char stream[64];
	struct stat stat;

	fstat(STDERR_FILENO, &stat);
	snprintf(stream, sizeof(stream), "%lu:%lu", (unsigned long)stat.st_dev,
		 (unsigned long)stat.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open("test-log", true);
	log_message(LOG_NOTICE, "once");
	log_print("not for syslog");
	/* That of another process, which we inherited. */
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open("test-log", true);
	log_message(LOG_NOTICE, "twice");
}

static void speak_background(void)
{
	log_open("test-log", false);
	log_message(LOG_NOTICE, "early");
	log_redirect(sink, (void *)(uintptr_t) "trace");
	log_message(LOG_NOTICE, "late\n");
	log_redirect(NULL, NULL);
	log_message(LOG_NOTICE, "syslog alone");
}

static void speak_fatal(void)
{
	log_open("test-log", true);
	fatal("no such %s", "thing");
}

static void speak_fatal_errno(void)
{
	fatal_errno(-ENOENT, "opening %s", "/x");
}

static void speak_fatal_background(void)
{
	log_open("test-log", false);
	log_redirect(sink, (void *)(uintptr_t) "trace");
	fatal("gone");
}

static void speak_endlessly(void)
{
	static char text[3 * LOG_TEXT_MAX];

	memset(text, 'x', sizeof(text) - 1);
	log_open("test-log", true);
	log_print("%s", text);
	log_print("next");
}

static void test_foreground(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(listen_to(speak_foreground, text, sizeof(text)), 0);
	assert_string_equal(text, "domain 5\ncontrol: hello\n");
}

static void test_journal(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(listen_to(speak_to_a_journal, text, sizeof(text)), 0);
	assert_string_equal(text, "not for syslog\ntwice\n");
}

static void test_background(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(listen_to(speak_background, text, sizeof(text)), 0);
	assert_string_equal(text, "early\ntrace<late>");
}

static void test_fatal(void **state)
{
	char text[256];

	(void)state;
	assert_int_equal(listen_to(speak_fatal, text, sizeof(text)), 1);
	assert_string_equal(text, "FATAL: no such thing\n");
	assert_int_equal(listen_to(speak_fatal_errno, text, sizeof(text)), 1);
	assert_string_equal(text, "FATAL: opening /x: No such file or directory\n");
	assert_int_equal(listen_to(speak_fatal_background, text, sizeof(text)), 1);
	assert_string_equal(text, "trace<FATAL: gone>");
}

static void test_long_text_is_cut(void **state)
{
	static char text[4 * LOG_TEXT_MAX];

	(void)state;
	assert_int_equal(listen_to(speak_endlessly, text, sizeof(text)), 0);
	assert_int_equal(strlen(text), LOG_TEXT_MAX + strlen("next\n"));
	assert_string_equal(text + LOG_TEXT_MAX - 3, "xx\nnext\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_foreground),	 cmocka_unit_test(test_journal),
		cmocka_unit_test(test_background),	 cmocka_unit_test(test_fatal),
		cmocka_unit_test(test_long_text_is_cut),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
