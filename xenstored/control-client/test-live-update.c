/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The conversation of a live update, seen from the daemon: a fake one in a child process answers
 * from a script and writes down what it was asked.
 */
#include "control-client/live-update.h"

#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bytes/wire.h"

/* Replies; one that begins with '!' is an ERROR reply, NULL ends the script and the connection. */
typedef const char *const script[];

struct talk {
	int ret;
	char asked[16384]; /* one line for each request, NUL shown as '|' */
	char said[4096];   /* stderr of the client */
};

static char directory[] = "/tmp/test-live-update.XXXXXX";
static char kernel[64];

static int setup(void **state)
{
	FILE *file;

	(void)state;
	if (!mkdtemp(directory) || chdir(directory) < 0)
		return -1;
	snprintf(kernel, sizeof(kernel), "%s/kernel", directory);
	file = fopen(kernel, "w");
	if (!file)
		return -1;
	fputs("\177ELF", file);
	for (int i = 0; i < 3000; i++)
		fputc('a' + i % 26, file);
	return fclose(file);
}

static int teardown(void **state)
{
	(void)state;
	unlink(kernel);
	return rmdir(directory);
}

static void send_message(int fd, uint32_t type, uint32_t id, const char *payload, size_t length)
{
	struct wire_header header = {.type = type, .req_id = id, .len = (uint32_t)length};

	if (send(fd, &header, sizeof(header), MSG_NOSIGNAL) < 0 ||
	    send(fd, payload, length, MSG_NOSIGNAL) < 0)
		_exit(0);
}

/* The daemon: answers as scripted. An event goes before each reply, as it may in life. */
static void serve(int fd, int record, const char *const *replies)
{
	struct wire_header header;
	char payload[WIRE_PAYLOAD_MAX];

	while (recv(fd, &header, sizeof(header), MSG_WAITALL) == sizeof(header)) {
		if (header.len && recv(fd, payload, header.len, MSG_WAITALL) != header.len)
			break;
		for (uint32_t i = 0; i < header.len; i++)
			payload[i] = payload[i] ? payload[i] : '|';
		dprintf(record, "%s %.*s\n", wire_type_name(header.type), (int)header.len, payload);
		if (!*replies)
			break;
		send_message(fd, XS_WATCH_EVENT, 0, "/x\0t", 5);
		if (**replies == '!')
			send_message(fd, XS_ERROR, header.req_id, *replies + 1, strlen(*replies));
		else
			send_message(fd, header.type, header.req_id, *replies,
				     strlen(*replies) + (header.type == XS_READ ? 0 : 1));
		replies++;
	}
	_exit(0);
}

static void read_to_end(int fd, char *text, size_t size)
{
	size_t used = 0;
	ssize_t length;

	while (used < size - 1 && (length = read(fd, text + used, size - 1 - used)) > 0)
		used += (size_t)length;
	text[used] = '\0';
	close(fd);
}

static struct talk *talk(const struct live_update *update, const char *const *replies)
{
	static struct talk talk;
	struct connection connection = {.request_id = 0};
	int pair[2], record[2], err[2], saved;
	pid_t pid;

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_int_equal(pipe(record), 0);
	assert_int_equal(pipe(err), 0);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		close(pair[0]);
		serve(pair[1], record[1], replies);
	}
	close(pair[1]);
	close(record[1]);

	saved = dup(STDERR_FILENO);
	dup2(err[1], STDERR_FILENO);
	close(err[1]);
	connection.fd = pair[0];
	alarm(60);
	talk.ret = live_update_run(update, &connection);
	alarm(0);
	connection_close(&connection);
	dup2(saved, STDERR_FILENO);
	close(saved);

	read_to_end(record[0], talk.asked, sizeof(talk.asked));
	read_to_end(err[0], talk.said, sizeof(talk.said));
	assert_int_equal(waitpid(pid, NULL, 0), pid);
	return &talk;
}

#define ASK_DOMID "READ /tool/xenstored/domid|\n"

static void test_daemon(void **state)
{
	const struct live_update update = {.file = "/new/xenstored", .timeout = 60};
	script replies = {"!ENOENT", "OK", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_int_equal(t->ret, 0);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/new/xenstored|\n"
						"CONTROL live-update|-s|-t|60|\n");
	assert_string_equal(t->said, "");
}

static void test_all_options(void **state)
{
	const struct live_update update = {.file = "/x",
					   .command_line = "-N -T /t",
					   .version = "1",
					   .serve = "9",
					   .timeout = 5,
					   .force = true};
	script replies = {"!ENOENT", "OK", "OK", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_int_equal(t->ret, 0);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/x|\n"
						"CONTROL live-update|-c|-N -T /t|\n"
						"CONTROL live-update|-s|-t|5|-F|-v|1|-w|9|\n");
}

/* The daemon's directory is not the user's. */
static void test_relative_file_name(void **state)
{
	const struct live_update update = {.file = "bin/xenstored", .timeout = 1};
	script replies = {"!ENOENT", "OK", "OK", NULL};
	struct talk *t = talk(&update, replies);
	char expected[256], cwd[128];

	(void)state;
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "live-update|-f|%s/bin/xenstored|\n", cwd);
	assert_non_null(strstr(t->asked, expected));
}

static void test_refused_file(void **state)
{
	const struct live_update update = {.file = "/x", .timeout = 1};
	script replies = {"!ENOENT", "File not executable.", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_true(t->ret < 0);
	/* There is no session to abort; one that is open would be somebody else's. */
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/x|\n");
	assert_string_equal(t->said, "Setting update binary failed:\nFile not executable.\n");
}

static void test_refused_start_is_aborted(void **state)
{
	const struct live_update update = {.file = "/x", .timeout = 1};
	script replies = {"!ENOENT", "OK", "Overlapping transactions", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_true(t->ret < 0);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/x|\n"
						"CONTROL live-update|-s|-t|1|\n"
						"CONTROL live-update|-a|\n");
	assert_string_equal(t->said, "Starting live update failed:\nOverlapping transactions\n");
}

static void test_refused_command_line_is_aborted(void **state)
{
	const struct live_update update = {.file = "/x", .command_line = "-N", .timeout = 1};
	script replies = {"!ENOENT", "OK", "!EINVAL", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_true(t->ret < 0);
	assert_non_null(strstr(t->asked, "-c|-N|\nCONTROL live-update|-a|\n"));
	assert_non_null(strstr(t->said, "Invalid argument"));
}

static void test_busy_daemon_is_asked_again(void **state)
{
	const struct live_update update = {.file = "/x", .timeout = 50};
	script replies = {"!ENOENT", "OK", "BUSY", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_int_equal(t->ret, 0);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/x|\n"
						"CONTROL live-update|-s|-t|50|\n"
						"CONTROL live-update|-s|-t|50|\n");
}

/* A timeout of 0 means not to wait; it does not mean not to try. */
static void test_no_timeout(void **state)
{
	const struct live_update update = {.file = "/x", .timeout = 0};
	script good = {"!ENOENT", "OK", "OK", NULL};
	script busy = {"!ENOENT", "OK", "BUSY", "OK", NULL};
	struct talk *t = talk(&update, good);

	(void)state;
	assert_int_equal(t->ret, 0);
	assert_non_null(strstr(t->asked, "-s|-t|0|\n"));

	t = talk(&update, busy);
	assert_true(t->ret < 0);
	assert_string_equal(t->said, "Starting live update failed:\nBUSY\n");
	assert_non_null(strstr(t->asked, "-s|-t|0|\nCONTROL live-update|-a|\n"));
}

static void test_store_domain(void **state)
{
	const struct live_update update = {.file = "kernel", .timeout = 60};
	script replies = {"7", "OK", "OK", "OK", "OK", NULL};
	struct talk *t = talk(&update, replies);
	const char *second;

	(void)state;
	assert_int_equal(t->ret, 0);
	assert_non_null(strstr(t->asked, ASK_DOMID "CONTROL live-update|-b|3004|\n"
						   "CONTROL live-update|-d|2000|\177ELFabc"));
	/* 1996 letters, the end of the word; then the rest. */
	second = strstr(t->asked, "|\nCONTROL live-update|-d|1004|");
	assert_non_null(second);
	assert_int_equal(second[-1], 'a' + 1995 % 26);
	assert_int_equal(second[strlen("|\nCONTROL live-update|-d|1004|")], 'a' + 1996 % 26);
	assert_non_null(strstr(t->asked, "|\nCONTROL live-update|-s|-t|60|\n"));
}

static void test_store_domain_refuses(void **state)
{
	const struct live_update update = {.file = "kernel", .timeout = 60};
	script replies = {"7", "live-update session already active.", "OK", NULL};
	struct talk *t = talk(&update, replies);

	(void)state;
	assert_true(t->ret < 0);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-b|3004|\n"
						"CONTROL live-update|-a|\n");
	assert_non_null(strstr(t->said, "session already active."));
}

static void test_daemon_that_goes_away(void **state)
{
	const struct live_update update = {.file = "/x", .timeout = 60};
	script at_once = {NULL};
	script at_start = {"!ENOENT", "OK", NULL};
	struct talk *t = talk(&update, at_once);

	(void)state;
	assert_int_equal(t->ret, -EPIPE);
	assert_non_null(strstr(t->said, "Cannot talk to xenstored"));

	t = talk(&update, at_start);
	assert_int_equal(t->ret, -EPIPE);
	assert_non_null(strstr(t->said, "Starting live update failed"));
}

static void test_endless_command_line(void **state)
{
	static char line[5000];
	const struct live_update update = {.file = "/x", .command_line = line, .timeout = 60};
	script replies = {"!ENOENT", "OK", "OK", NULL};
	struct talk *t;

	(void)state;
	memset(line, 'x', sizeof(line) - 1);
	t = talk(&update, replies);
	assert_int_equal(t->ret, -E2BIG);
	assert_string_equal(t->asked, ASK_DOMID "CONTROL live-update|-f|/x|\n"
						"CONTROL live-update|-a|\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_daemon),
		cmocka_unit_test(test_all_options),
		cmocka_unit_test(test_relative_file_name),
		cmocka_unit_test(test_refused_file),
		cmocka_unit_test(test_refused_start_is_aborted),
		cmocka_unit_test(test_refused_command_line_is_aborted),
		cmocka_unit_test(test_busy_daemon_is_asked_again),
		cmocka_unit_test(test_no_timeout),
		cmocka_unit_test(test_store_domain),
		cmocka_unit_test(test_store_domain_refuses),
		cmocka_unit_test(test_daemon_that_goes_away),
		cmocka_unit_test(test_endless_command_line),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, setup, teardown);
}
