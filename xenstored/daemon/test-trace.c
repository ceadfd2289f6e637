/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The trace log as its reader finds it in the file. */
#include "daemon/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "bytes/wire.h"

#define MARK "\n***\n"

static char directory[] = "/tmp/test-trace.XXXXXX";
static char path[64];
static struct trace trace;

static int group_setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/trace.log", directory);
	return 0;
}

static int group_teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int setup(void **state)
{
	(void)state;
	return trace_init(&trace, directory);
}

static int teardown(void **state)
{
	(void)state;
	trace_deinit(&trace);
	unlink(path);
	return 0;
}

/* The whole file; valid until the next call. */
static const char *content(void)
{
	static char text[65536];
	int fd = open(path, O_RDONLY);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	assert_true(length >= 0);
	close(fd);
	text[length] = '\0';
	return text;
}

static void test_open(void **state)
{
	struct stat st;

	(void)state;
	assert_int_equal(trace_open(&trace, path), 0);
	assert_string_equal(content(), MARK);
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
	assert_true(fcntl(trace.fd, F_GETFD) & FD_CLOEXEC);
	assert_true(fcntl(trace.fd, F_GETFL) & O_APPEND);
}

static void test_relative_name_is_below_libdir(void **state)
{
	(void)state;
	assert_int_equal(trace_open(&trace, "trace.log"), 0);
	assert_string_equal(trace.name, path);
	assert_string_equal(content(), MARK);
}

static void test_reopen(void **state)
{
	char rotated[80];

	(void)state;
	snprintf(rotated, sizeof(rotated), "%s.1", path);
	assert_int_equal(trace_reopen(&trace), 0);
	assert_int_equal(trace.fd, -1);

	assert_int_equal(trace_open(&trace, path), 0);
	trace_line(&trace, "one");
	assert_int_equal(rename(path, rotated), 0);
	trace_line(&trace, "two");
	assert_int_equal(trace_reopen(&trace), 0);
	trace_line(&trace, "three");
	assert_string_equal(content(), MARK "three\n");

	assert_int_equal(rename(rotated, path), 0);
	assert_string_equal(content(), MARK "one\ntwo\n");

	trace_close(&trace);
	trace_line(&trace, "unheard");
	assert_int_equal(trace_reopen(&trace), 0);
	assert_string_equal(content(), MARK "one\ntwo\n" MARK);
}

static void test_failed_open(void **state)
{
	char long_name[PATH_MAX + 1];

	(void)state;
	assert_int_equal(trace_open(&trace, path), 0);
	assert_int_equal(trace_open(&trace, "/nowhere/at/all"), -ENOENT);
	assert_int_equal(trace.fd, -1);
	assert_false(trace_enabled(&trace, TRACE_IO));
	trace_line(&trace, "unheard");
	assert_string_equal(content(), MARK);

	memset(long_name, 'x', sizeof(long_name) - 1);
	long_name[sizeof(long_name) - 1] = '\0';
	assert_int_equal(trace_open(&trace, long_name), -ENAMETOOLONG);
	assert_string_equal(trace.name, "/nowhere/at/all");
}

static void test_switches(void **state)
{
	static const struct {
		const char *name;
		bool on;
	} expected[] = {
		{"obj", true}, {"io", true}, {"wrl", false}, {"acc", false}, {"tdb", false}};

	(void)state;
	assert_int_equal(TRACE_CLASSES, sizeof(expected) / sizeof(expected[0]));
	for (unsigned int i = 0; i < TRACE_CLASSES; i++) {
		char on[8], off[8];

		assert_string_equal(trace_class_name(i), expected[i].name);
		assert_int_equal(trace_class_is_on(&trace, i), expected[i].on);
		snprintf(on, sizeof(on), "+%s", expected[i].name);
		snprintf(off, sizeof(off), "-%s", expected[i].name);
		assert_int_equal(trace_switch(&trace, off), 0);
		assert_false(trace_class_is_on(&trace, i));
		assert_int_equal(trace_switch(&trace, on), 0);
		assert_true(trace_class_is_on(&trace, i));
		assert_true(trace_switch_known(NULL, on));
	}
}

static void test_unknown_switches(void **state)
{
	static const char *const bad[] = {"", "+", "-", "io", "+i", "+iox", "*io", "+IO", "++io"};
	unsigned int before = trace.switches;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(trace_switch(&trace, bad[i]), -EINVAL);
		assert_false(trace_switch_known(NULL, bad[i]));
	}
	assert_int_equal(trace.switches, before);
}

static void test_switches_need_a_file(void **state)
{
	(void)state;
	assert_int_equal(trace_switch(&trace, "+acc"), 0);
	assert_false(trace_enabled(&trace, TRACE_ACC));
	assert_int_equal(trace_open(&trace, path), 0);
	assert_true(trace_enabled(&trace, TRACE_ACC));
	assert_false(trace_enabled(&trace, TRACE_TDB));
	trace_class(&trace, TRACE_ACC, "domain %d", 7);
	trace_class(&trace, TRACE_TDB, "read /x");
	assert_string_equal(content(), MARK "acc: domain 7\n");
}

static void test_objects(void **state)
{
	(void)state;
	assert_int_equal(trace_open(&trace, path), 0);
	trace_create(&trace, "connection", 1);
	trace_create(&trace, "watch", 0xabc);
	trace_destroy(&trace, "transaction", 18446744073709551615ULL);
	assert_int_equal(trace_switch(&trace, "-obj"), 0);
	trace_destroy(&trace, "connection", 1);
	assert_string_equal(content(), MARK "obj: CREATE connection 0x1\n"
					    "obj: CREATE watch 0xabc\n"
					    "obj: DESTROY transaction 0xffffffffffffffff\n");
}

/* Replaces date and time in the only io line of the file, after checking their form. */
static char *io_line(void)
{
	static char text[32768];
	const char *line = content() + strlen(MARK);
	const char *stamp = strstr(line, "(d5) ");
	static const char form[] = "00000000 00:00:00 ";

	assert_non_null(stamp);
	stamp += strlen("(d5) ");
	for (size_t i = 0; i < strlen(form); i++) {
		if (form[i] == '0')
			assert_in_range(stamp[i], '0', '9');
		else
			assert_int_equal(stamp[i], form[i]);
	}
	snprintf(text, sizeof(text), "%.*s@ %s", (int)(stamp - line), line, stamp + strlen(form));
	return text;
}

static void assert_io(enum trace_direction direction, uint32_t type, const char *payload,
		      size_t length, const char *expected)
{
	assert_int_equal(trace_open(&trace, path), 0);
	trace_io(&trace, direction, 0x1f, 5, type, payload, length);
	assert_string_equal(io_line(), expected);
	trace_close(&trace);
	unlink(path);
}

static void test_io_lines(void **state)
{
	(void)state;
	assert_io(TRACE_IN, XS_WRITE, "/a\0value", 8, "io: IN 0x1f (d5) @ WRITE (/a value)\n");
	assert_io(TRACE_OUT, XS_WRITE, "OK", 3, "io: OUT 0x1f (d5) @ WRITE (OK )\n");
	assert_io(TRACE_OUT_START, XS_READ, "v", 1, "io: OUT(START) 0x1f (d5) @ READ (v)\n");
	assert_io(TRACE_OUT_END, XS_READ, "v", 1, "io: OUT(END) 0x1f (d5) @ READ (v)\n");
	assert_io(TRACE_OUT_ERR, XS_READ, "v", 1, "io: OUT(ERR) 0x1f (d5) @ READ (v)\n");
	assert_io(TRACE_IN, XS_WATCH_EVENT, NULL, 0, "io: IN 0x1f (d5) @ WATCH_EVENT ()\n");
	assert_io(TRACE_IN, 12345, "", 1, "io: IN 0x1f (d5) @ **UNKNOWN** ( )\n");
}

static void test_the_time_is_local_time(void **state)
{
	char expected[32];
	struct tm tm;
	time_t now;

	(void)state;
	setenv("TZ", "XXX-11", 1);
	tzset();
	assert_int_equal(trace_open(&trace, path), 0);
	now = time(NULL);
	trace_io(&trace, TRACE_IN, 1, 0, XS_READ, "", 0);
	now += 11 * 3600;
	gmtime_r(&now, &tm);
	/* To the hour: the minute may just have changed. */
	strftime(expected, sizeof(expected), "(d0) %Y%m%d %H:", &tm);
	if (tm.tm_min < 59)
		assert_non_null(strstr(content(), expected));
	unsetenv("TZ");
	tzset();
}

/* Guests choose payloads; they must not be able to write lines of their own. */
static void test_payload_stays_on_its_line(void **state)
{
	static const char hostile[] = "a\nio: IN 0x1\r\x1b[2J\x7f\xff\t";

	(void)state;
	assert_io(TRACE_IN, XS_WRITE, hostile, sizeof(hostile) - 1,
		  "io: IN 0x1f (d5) @ WRITE (a\\nio: IN 0x1\\x0d\\x1b[2J\\x7f\xff\\x09)\n");
	assert_int_equal(trace_open(&trace, path), 0);
	trace_line(&trace, "token %s\x1b of domain", "x\ny");
	assert_string_equal(content(), MARK "token x y  of domain\n");
}

static void test_largest_payload(void **state)
{
	static char payload[2 * WIRE_PAYLOAD_MAX];
	const char *text;
	size_t prefix;

	(void)state;
	memset(payload, 1, sizeof(payload));
	assert_int_equal(trace_open(&trace, path), 0);
	trace_io(&trace, TRACE_OUT_START, UINT64_MAX, UINT32_MAX, XS_TRANSACTION_START, payload,
		 sizeof(payload));
	text = content() + strlen(MARK);
	prefix = (size_t)(strchr(strstr(text, "TRANSACTION_START"), '(') - text) + 1;
	assert_int_equal(strlen(text), prefix + 4 * WIRE_PAYLOAD_MAX + 2);
	assert_string_equal(text + strlen(text) - 6, "\\x01)\n");
}

static void test_long_lines_are_cut(void **state)
{
	static char text[100000];

	(void)state;
	memset(text, 'x', sizeof(text) - 1);
	assert_int_equal(trace_open(&trace, path), 0);
	trace_line(&trace, "%s", text);
	trace_line(&trace, "next");
	assert_non_null(strstr(content(), "xxx\nnext\n"));
	trace_line(&trace, "%s", "");
	trace_text(&trace, "100%s");
	assert_non_null(strstr(content(), "next\n\n100%s\n"));
}

static void test_failing_writes_switch_nothing_off(void **state)
{
	(void)state;
	assert_int_equal(trace_open(&trace, "/dev/full"), 0);
	assert_int_equal(trace.lost, 1);
	trace_line(&trace, "lost");
	trace_create(&trace, "watch", 1);
	assert_int_equal(trace.lost, 3);
	assert_true(trace_enabled(&trace, TRACE_IO));
	assert_int_equal(trace_open(&trace, path), 0);
	trace_line(&trace, "found");
	assert_string_equal(content(), MARK "found\n");
}

static void test_a_torn_line_does_not_spoil_the_next(void **state)
{
	struct rlimit before, small;

	(void)state;
	assert_int_equal(trace_open(&trace, path), 0);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	signal(SIGXFSZ, SIG_IGN);
	small = before;
	small.rlim_cur = strlen(MARK) + 4;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	trace_line(&trace, "torn apart");
	trace_line(&trace, "wholly lost");
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	trace_line(&trace, "whole");
	trace_line(&trace, "again");
	assert_string_equal(content(), MARK "torn\nwhole\nagain\n");
	assert_int_equal(trace.lost, 2);
}

static void test_a_pipe_without_reader_does_not_block(void **state)
{
	char line[1000];
	int fd;

	(void)state;
	alarm(60);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(trace_open(&trace, path), -ENXIO);

	fd = open(path, O_RDONLY | O_NONBLOCK);
	assert_int_equal(trace_reopen(&trace), 0);
	memset(line, 'x', sizeof(line) - 1);
	line[sizeof(line) - 1] = '\0';
	for (int i = 0; i < 1000; i++)
		trace_line(&trace, "%s", line);
	assert_true(trace.lost > 0);
	close(fd);
	alarm(0);
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_open),
		TEST(test_relative_name_is_below_libdir),
		TEST(test_reopen),
		TEST(test_failed_open),
		TEST(test_switches),
		TEST(test_unknown_switches),
		TEST(test_switches_need_a_file),
		TEST(test_objects),
		TEST(test_io_lines),
		TEST(test_the_time_is_local_time),
		TEST(test_payload_stays_on_its_line),
		TEST(test_largest_payload),
		TEST(test_long_lines_are_cut),
		TEST(test_failing_writes_switch_nothing_off),
		TEST(test_a_torn_line_does_not_spoil_the_next),
		TEST(test_a_pipe_without_reader_does_not_block),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
