/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command xenstore-control as a script uses it: output, messages and exit status. The program
 * itself is included with its main() under another name and runs in a child process; another one
 * plays the daemon on a real socket.
 */
#define main xenstore_control_main
#include "control-client/xenstore-control.c"
#undef main

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bytes/wire.h"

#define WORDS_MAX 8

static char directory[] = "/tmp/test-xenstore-control.XXXXXX";
static char path[64];

/* What the user gets from one call. */
static int status;
static char output[8192], messages[8192];

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(path, sizeof(path), "%s/socket", directory);
	return setenv("XENSTORED_RUNDIR", directory, 1) | unsetenv("XENSTORED_PATH");
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(directory);
}

static int listen_at(const char *name)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(address.sun_path, sizeof(address.sun_path), "%s", name);
	assert_int_equal(bind(fd, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

/*
 * The daemon: "echo" answers with its words joined by '+', "quiet" with nothing, "fail" with
 * EACCES, "help" with a list; anything else is EINVAL.
 */
static void answer(int fd, const struct wire_header *request, char *payload)
{
	struct wire_header reply = *request;
	const char *text = "EINVAL";
	uint32_t length;

	reply.type = XS_CONTROL;
	if (strcmp(payload, "echo") == 0) {
		for (uint32_t i = 0; i + 1 < request->len; i++)
			payload[i] = payload[i] ? payload[i] : '+';
		text = payload;
	} else if (strcmp(payload, "quiet") == 0) {
		text = "";
	} else if (strcmp(payload, "help") == 0) {
		text = "echo\nquiet";
	} else {
		reply.type = XS_ERROR;
		if (strcmp(payload, "fail") == 0)
			text = "EACCES";
	}
	length = (uint32_t)strlen(text) + 1;
	reply.len = length;
	if (write(fd, &reply, sizeof(reply)) < 0 || write(fd, text, length) < 0)
		_exit(1);
}

static pid_t start_daemon(const char *name)
{
	int server = listen_at(name), fd;
	char payload[WIRE_PAYLOAD_MAX];
	struct wire_header header;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid > 0) {
		close(server);
		return pid;
	}
	for (;;) {
		fd = accept(server, NULL, NULL);
		while (recv(fd, &header, sizeof(header), MSG_WAITALL) == sizeof(header)) {
			if (recv(fd, payload, header.len, MSG_WAITALL) != header.len)
				break;
			answer(fd, &header, payload);
		}
		close(fd);
	}
}

static void stop_daemon(pid_t pid, const char *name)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	unlink(name);
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

/* Runs "xenstore-control" with the words up to NULL. */
static void run(const char *first, ...)
{
	char *argv[WORDS_MAX + 2] = {(char[]){"xenstore-control"}};
	int argc = 1, out[2], err[2], wait_status;
	va_list args;
	pid_t pid;

	va_start(args, first);
	for (const char *word = first; word; word = va_arg(args, const char *)) {
		assert_true(argc <= WORDS_MAX);
		argv[argc++] = strdup(word);
	}
	va_end(args);

	assert_int_equal(pipe(out), 0);
	assert_int_equal(pipe(err), 0);
	fflush(NULL);
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		dup2(err[1], STDERR_FILENO);
		alarm(60);
		exit(xenstore_control_main(argc, argv));
	}
	close(out[1]);
	close(err[1]);
	read_to_end(out[0], output, sizeof(output));
	read_to_end(err[0], messages, sizeof(messages));
	assert_int_equal(waitpid(pid, &wait_status, 0), pid);
	assert_true(WIFEXITED(wait_status));
	status = WEXITSTATUS(wait_status);
	while (argc > 1)
		free(argv[--argc]);
}

static void test_answers(void **state)
{
	pid_t pid = start_daemon(path);

	(void)state;
	run("echo", "a b", "", "-c", NULL);
	assert_int_equal(status, 0);
	assert_string_equal(output, "echo+a b++-c\n");
	assert_string_equal(messages, "");

	run("quiet", NULL);
	assert_int_equal(status, 0);
	assert_string_equal(output, "");
	stop_daemon(pid, path);
}

static void test_failures(void **state)
{
	static char endless[5000];
	pid_t pid = start_daemon(path);

	(void)state;
	run("frobnicate", "x", NULL);
	assert_int_equal(status, 3);
	assert_string_equal(output, "");
	assert_string_equal(messages, "Command not supported. Valid commands are:\necho\nquiet\n");

	run("fail", NULL);
	assert_int_equal(status, 3);
	assert_string_equal(messages, "Error 13 when trying to execute command.\n");

	memset(endless, 'x', sizeof(endless) - 1);
	run("echo", endless, NULL);
	assert_int_equal(status, 3);
	assert_string_equal(messages, "Error 7 when trying to execute command.\n");
	stop_daemon(pid, path);
}

static void test_path_overrides_directory(void **state)
{
	char other[80];
	pid_t pid;

	(void)state;
	snprintf(other, sizeof(other), "%s/other", directory);
	pid = start_daemon(other);
	setenv("XENSTORED_PATH", other, 1);
	run("echo", "x", NULL);
	assert_int_equal(status, 0);
	assert_string_equal(output, "echo+x\n");
	unsetenv("XENSTORED_PATH");
	stop_daemon(pid, other);
}

static void test_no_daemon(void **state)
{
	(void)state;
	/* With a path of its own: a kernel device of the machine is not to be found. */
	setenv("XENSTORED_PATH", path, 1);
	run("echo", NULL);
	assert_int_equal(status, 1);
	assert_non_null(strstr(messages, "Failed to contact xenstored"));
	run("live-update", "/x", NULL);
	assert_int_equal(status, 1);
	unsetenv("XENSTORED_PATH");
}

/* None of these needs a daemon, so none may ask for one. */
static void test_usage(void **state)
{
	(void)state;
	run(NULL, NULL);
	assert_int_equal(status, 2);
	assert_non_null(strstr(messages, "Usage: xenstore-control <command>"));

	run("--help", NULL);
	assert_int_equal(status, 0);
	assert_non_null(strstr(output, "Usage: xenstore-control <command>"));
	assert_string_equal(messages, "");

	run("live-update", NULL);
	assert_int_equal(status, 2);
	assert_non_null(strstr(messages, "Missing file name"));
	run("live-update", "-F", NULL);
	assert_int_equal(status, 2);
	run("live-update", "/x", "-c", NULL);
	assert_int_equal(status, 2);
	assert_non_null(strstr(messages, "Missing value for option -c"));
	run("live-update", "-t", NULL);
	assert_int_equal(status, 2);
	run("live-update", "-t", "soon", "/x", NULL);
	assert_int_equal(status, 2);
	assert_non_null(strstr(messages, "Bad timeout: soon"));
	run("live-update", "-v", "2x", "/x", NULL);
	assert_int_equal(status, 2);
	run("live-update", "-z", "/x", NULL);
	assert_int_equal(status, 2);
	assert_non_null(strstr(messages, "Unknown option of live-update: -z\n"));
	run("live-update", "-Fz", "/x", NULL);
	assert_non_null(strstr(messages, "Unknown option of live-update: -z\n"));
}

static void test_failed_live_update(void **state)
{
	pid_t pid = start_daemon(path);

	(void)state;
	run("live-update", "-t", "0", "/x", NULL);
	assert_int_equal(status, 3);
	assert_non_null(strstr(messages, "Setting update binary failed:"));
	stop_daemon(pid, path);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_path_overrides_directory),
		cmocka_unit_test(test_no_daemon),
		cmocka_unit_test(test_usage),
		cmocka_unit_test(test_failed_live_update),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
