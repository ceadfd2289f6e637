/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The front-end with a back-end that keeps the rules, dies, comes back, and is slow. */
#include "ninep/frontend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ninep-world.h"

static struct ninep_world w;

static int setup(void **state)
{
	(void)state;
	world_init(&w, 4);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_deinit(&w);
	return 0;
}

static void connect(void)
{
	world_offer(&w);
	world_run(&w);
	assert_true(ninep_connected(w.fe));
}

static void append(const char *text)
{
	assert_true(ninep_append(w.fe, NINEP_LOG, text, strlen(text)));
}

/* ---- life cycle ---- */

static void test_without_a_device_nothing_happens(void **state)
{
	(void)state;
	world_run(&w);
	assert_false(ninep_connected(w.fe));
	assert_int_equal(w.writes, 0);
	assert_int_equal(ninep_port(w.fe), 0);
	assert_true(ninep_timeout(w.fe) == NINEP_NEVER);
}

static void test_connection(void **state)
{
	(void)state;
	connect();
	assert_string_equal(world_node(&w, FRONT "/version"), "1");
	assert_string_equal(world_node(&w, FRONT "/num-rings"), "1");
	assert_string_equal(world_node(&w, FRONT "/state"), "4");
	assert_int_equal(atoi(world_node(&w, FRONT "/event-channel-0")), ninep_port(w.fe));
	assert_true(ninep_timeout(w.fe) == NINEP_NEVER);
}

static void test_a_back_end_that_never_connects_costs_no_time(void **state)
{
	(void)state;
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("waits for the back-end\n");
	world_offer(&w);
	w.dead = true;
	world_run(&w);
	assert_string_equal(world_node(&w, FRONT "/state"), "3");
	/* Only an event can bring something: a time in the past would be asked for for ever. */
	assert_true(ninep_timeout(w.fe) == NINEP_NEVER);
	w.dead = false;
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "waits for the back-end\n");
}

static void test_a_small_back_end_gets_a_small_ring(void **state)
{
	(void)state;
	world_offer(&w);
	world_set(&w, BACK "/max-ring-page-order", "1");
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("line\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "line\n");
}

static void test_foreign_versions_are_not_connected_to(void **state)
{
	(void)state;
	world_offer(&w);
	world_set(&w, BACK "/versions", "2,11");
	world_run(&w);
	assert_string_equal(world_node(&w, FRONT "/state"), "1");
	assert_int_equal(w.messages, 1);
	world_set(&w, BACK "/versions", "2,1");
	w.now += 60000;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
}

static void test_removed_device(void **state)
{
	(void)state;
	connect();
	world_unset(&w, FRONT "/state");
	w.writes = 0;
	world_run(&w);
	assert_false(ninep_connected(w.fe));
	assert_int_equal(w.writes, 0);
	assert_null(world_node(&w, FRONT "/state"));
	assert_int_equal(w.ports, 0);
}

static void test_device_replaced_unnoticed(void **state)
{
	(void)state;
	connect();
	world_backend_dies(&w);
	world_offer(&w);
	w.now += 2000;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(__builtin_popcount(w.ports), 1);
}

static void test_back_end_that_ends_for_good(void **state)
{
	(void)state;
	connect();
	world_set(&w, BACK "/online", "0");
	world_set(&w, BACK "/state", "5");
	world_run(&w);
	w.now += 60000;
	world_run(&w);
	assert_false(ninep_connected(w.fe));
	assert_string_equal(world_node(&w, FRONT "/state"), "6");
	assert_string_equal(world_node(&w, BACK "/state"), "6");
}

static void test_close_takes_all_back(void **state)
{
	(void)state;
	connect();
	ninep_close(w.fe);
	assert_string_equal(world_node(&w, FRONT "/state"), "6");
	assert_int_equal(w.ports, 0);
	/* Still mapped; a second attempt finds it free. */
	world_run(&w);
	ninep_close(w.fe);
	for (unsigned int i = 0; i < 32; i++)
		assert_null(w.grants[i].page);
}

static void test_failed_grants_are_tried_again(void **state)
{
	(void)state;
	w.fail_grants = true;
	world_offer(&w);
	world_run(&w);
	assert_false(ninep_connected(w.fe));
	assert_int_equal(w.ports, 0);
	w.fail_grants = false;
	assert_true(ninep_timeout(w.fe) > w.now);
	w.now = ninep_timeout(w.fe);
	world_run(&w);
	assert_true(ninep_connected(w.fe));
}

static void test_pages_show_nothing_old(void **state)
{
	(void)state;
	world_offer(&w);
	w.dead = true;
	ninep_changed(w.fe);
	for (size_t i = 0; i < 16 * 4096; i++)
		assert_int_equal(((char *)w.memory.data)[i], 0);
	for (size_t i = 256; i < 4096; i++)
		assert_int_equal(((char *)w.memory.interface)[i], 0);
}

static void test_another_back_end_gets_new_grants(void **state)
{
	(void)state;
	connect();
	unsigned int first = w.grants[8].domid;

	world_set(&w, FRONT "/backend-id", "3");
	ninep_changed(w.fe); /* the old one still has the pages mapped */
	assert_false(ninep_connected(w.fe));
	assert_int_equal(w.grants[8].domid, first);
	world_backend_dies(&w);
	world_backend_begins(&w);
	w.now += 60000;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	for (unsigned int i = 0; i < 32; i++)
		if (w.grants[i].page)
			assert_int_equal(w.grants[i].domid, 3);
}

/* ---- appending ---- */

static void test_lines_before_there_is_a_back_end(void **state)
{
	struct stat stat;
	char path[128];

	(void)state;
	assert_int_equal(ninep_append_open(w.fe, NINEP_LOG, "xenstored.log"), 0);
	append("first\n");
	world_run(&w);
	append("second\n");
	connect();
	append("third\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "xenstored.log", NULL), "first\nsecond\nthird\n");
	snprintf(path, sizeof(path), "%s/xenstored.log", w.directory);
	assert_int_equal(lstat(path, &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	assert_true(ninep_timeout(w.fe) == NINEP_NEVER);
}

static void test_appends_to_what_is_there(void **state)
{
	(void)state;
	world_put_file(&w, "log", "old\n", 4);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	connect();
	append("new\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "old\nnew\n");
}

static void test_more_than_a_message_and_than_the_ring(void **state)
{
	char *line = malloc(10001), *all = calloc(1, 300001);
	size_t length;

	(void)state;
	assert_true(line && all);
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	for (unsigned int i = 0; i < 30; i++) {
		memset(line, 'a' + (int)(i % 26), 9999);
		memcpy(line + 9999, "\n", 2);
		strcat(all, line);
		append(line);
		world_run(&w);
	}
	assert_string_equal(world_file(&w, "log", &length), all);
	assert_int_equal(length, 300000);
	free(line);
	free(all);
}

static void test_two_files_at_a_time(void **state)
{
	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	ninep_append_open(w.fe, NINEP_TRACE, "trace");
	append("l1\n");
	ninep_append(w.fe, NINEP_TRACE, "t1\n", 3);
	append("l2\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "l1\nl2\n");
	assert_string_equal(world_file(&w, "trace", NULL), "t1\n");
}

static void test_another_name_and_the_same_again(void **state)
{
	char from[128], to[128];

	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "a");
	append("1\n");
	world_run(&w);
	ninep_append_open(w.fe, NINEP_LOG, "b");
	append("2\n");
	world_run(&w);
	snprintf(from, sizeof(from), "%s/b", w.directory);
	snprintf(to, sizeof(to), "%s/b.1", w.directory);
	assert_int_equal(rename(from, to), 0);
	append("3\n");
	world_run(&w);
	ninep_append_open(w.fe, NINEP_LOG, "b");
	append("4\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "a", NULL), "1\n");
	assert_string_equal(world_file(&w, "b.1", NULL), "2\n3\n");
	assert_string_equal(world_file(&w, "b", NULL), "4\n");
	ninep_append_open(w.fe, NINEP_LOG, NULL);
	append("5\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "b", NULL), "4\n");
}

static void test_rotation(void **state)
{
	char from[128], to[128];

	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("1\n");
	world_run(&w);
	snprintf(from, sizeof(from), "%s/log", w.directory);
	snprintf(to, sizeof(to), "%s/log.1", w.directory);
	assert_int_equal(rename(from, to), 0);
	w.now += 60000;
	append("2\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log.1", NULL), "1\n");
	assert_string_equal(world_file(&w, "log", NULL), "2\n");
	/* Or by truncating what was copied. */
	assert_int_equal(truncate(from, 0), 0);
	w.now += 60000;
	append("3\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "3\n");
	assert_true(ninep_timeout(w.fe) == NINEP_NEVER);
}

static void test_end_of_logging_in_the_middle_of_a_write(void **state)
{
	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("1\n");
	world_run(&w);
	w.silent = true;
	append("2\n");
	ninep_turn(w.fe);
	ninep_append_open(w.fe, NINEP_LOG, NULL);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("3\n");
	w.silent = false;
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "1\n2\n3\n");
}

static void test_names_that_are_refused(void **state)
{
	static const char *const names[] = {"",	   "/etc/passwd", "..",	 "a/../b", "a//b",
					    "a/.", "a/",	  "./a", "/"};
	char longest[NINEP_NAME_MAX + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		assert_int_equal(ninep_append_open(w.fe, NINEP_LOG, names[i]), -EINVAL);
	memset(longest, 'x', sizeof(longest));
	longest[NINEP_NAME_MAX + 1] = '\0';
	assert_int_equal(ninep_append_open(w.fe, NINEP_LOG, longest), -EINVAL);
	longest[NINEP_NAME_MAX] = '\0';
	assert_int_equal(ninep_append_open(w.fe, NINEP_LOG, longest), 0);
}

static void test_file_in_a_directory(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/logs", w.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "logs/log");
	append("x\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "logs/log", NULL), "x\n");
}

static void test_directory_in_place_of_the_file(void **state)
{
	char path[128];

	(void)state;
	snprintf(path, sizeof(path), "%s/log", w.directory);
	assert_int_equal(mkdir(path, 0700), 0);
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("x\n");
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(rmdir(path), 0);
	assert_true(ninep_timeout(w.fe) > w.now && ninep_timeout(w.fe) < w.now + 60000);
	w.now = ninep_timeout(w.fe);
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "x\n");
}

static void test_lost_lines_are_counted_and_told(void **state)
{
	char line[1000];
	unsigned int lost = 0;

	(void)state;
	memset(line, 'x', sizeof(line));
	line[sizeof(line) - 1] = '\n';
	ninep_append_open(w.fe, NINEP_LOG, "log");
	for (unsigned int i = 0; i < 100; i++)
		lost += !ninep_append(w.fe, NINEP_LOG, line, sizeof(line));
	assert_true(lost > 20 && lost < 60);
	assert_int_equal(ninep_dropped_lines(w.fe, NINEP_LOG), lost);
	connect();
	append("after\n");
	world_run(&w);
	snprintf(line, sizeof(line), "[%u lines with %u bytes were lost here]\nafter\n", lost,
		 lost * 1000);
	assert_non_null(strstr(world_file(&w, "log", NULL), line));
	assert_int_equal(ninep_dropped_lines(w.fe, NINEP_LOG), lost);
}

static void test_full_disk(void **state)
{
	(void)state;
	w.limits.max_space = 100;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	world_put_file(&w, "other", "0123456789", 10);
	for (unsigned int i = 0; i < 20; i++)
		append("0123456789\n");
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	w.limits.max_space = 0;
	world_backend_dies(&w);
	world_backend_begins(&w);
	w.now += 60000;
	world_run(&w);
	assert_int_equal(strlen(world_file(&w, "log", NULL)), 220);
}

/* ---- back-ends that die ---- */

static void test_silent_back_end(void **state)
{
	char line[1000];

	(void)state;
	memset(line, '\n', sizeof(line));
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	w.silent = true;
	for (unsigned int i = 0; i < 1000; i++) {
		ninep_append(w.fe, NINEP_LOG, line, sizeof(line));
		ninep_turn(w.fe);
	}
	assert_true(ninep_dropped_lines(w.fe, NINEP_LOG) > 900000);
	w.silent = false;
	world_run(&w);
	append("alive\n");
	world_run(&w);
	assert_non_null(strstr(world_file(&w, "log", NULL), "alive"));
}

static void test_back_end_restarts(void **state)
{
	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("1\n");
	world_run(&w);
	for (unsigned int i = 0; i < 3; i++) {
		world_backend_dies(&w);
		append("while it is dead\n");
		world_run(&w);
		world_backend_begins(&w);
		world_run(&w);
		w.now += 2000;
		world_run(&w);
		assert_true(ninep_connected(w.fe));
		append("2\n");
		world_run(&w);
	}
	assert_string_equal(world_file(&w, "log", NULL),
			    "1\nwhile it is dead\n2\nwhile it is dead\n2\nwhile it is dead\n2\n");
	assert_int_equal(__builtin_popcount(w.ports), 1);
}

static void test_back_end_dies_in_the_middle(void **state)
{
	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	w.silent = true;
	append("sent but not answered\n");
	world_run(&w);
	world_backend_dies(&w);
	w.silent = false;
	world_backend_begins(&w);
	w.now += 2000;
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "sent but not answered\n");
}

/* ---- whole files ---- */

struct file_job {
	struct ninep_job job;
	char *bytes;
	size_t length, limit;
	int result, calls;
};

static ssize_t fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	struct file_job *file = (struct file_job *)job;
	size_t length = file->length - offset;

	if (length > room)
		length = room;
	if (file->limit && offset >= file->limit)
		return -ECANCELED;
	memcpy(piece, file->bytes + offset, length);
	return (ssize_t)length;
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct file_job *file = (struct file_job *)job;

	if (offset + length > file->limit)
		return -EFBIG;
	memcpy(file->bytes + offset, piece, length);
	file->length = offset + length;
	return 0;
}

static void done(struct ninep_job *job, int error)
{
	struct file_job *file = (struct file_job *)job;

	file->result = error;
	file->calls++;
}

static struct file_job job_of(enum ninep_job_kind kind, const char *name)
{
	return (struct file_job){
		.job = {.kind = kind, .name = name, .fill = fill, .take = take, .done = done}};
}

static char *pattern(size_t length)
{
	char *bytes = malloc(length);

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = (char)(i * 31 + i / 256);
	return bytes;
}

static void test_write_and_read_whole_files(void **state)
{
	static const size_t lengths[] = {0, 1, 4096, 32745, 32746, 1000000};

	(void)state;
	connect();
	for (size_t i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		struct file_job out = job_of(NINEP_WRITE, "state_dump");
		struct file_job in = job_of(NINEP_READ, "state_dump");
		struct file_job gone = job_of(NINEP_REMOVE, "state_dump");
		const char *content;
		size_t length;

		world_put_file(&w, "state_dump", "something longer that was there", 31);
		out.bytes = pattern(lengths[i] + 1);
		out.length = lengths[i];
		assert_int_equal(ninep_finish(w.fe, &out.job, w.now + 100000), 0);
		assert_int_equal(out.calls, 1);
		content = world_file(&w, "state_dump", &length);
		assert_int_equal(length, lengths[i]);
		assert_memory_equal(content, out.bytes, length);

		in.bytes = malloc(lengths[i] + 1);
		in.limit = lengths[i];
		assert_int_equal(ninep_finish(w.fe, &in.job, w.now + 100000), 0);
		assert_int_equal(in.length, lengths[i]);
		assert_memory_equal(in.bytes, out.bytes, in.length);

		assert_int_equal(ninep_finish(w.fe, &gone.job, w.now + 100000), 0);
		assert_null(world_file(&w, "state_dump", NULL));
		assert_int_equal(ninep_finish(w.fe, &gone.job, w.now + 100000), 0);
		free(out.bytes);
		free(in.bytes);
	}
}

static void test_jobs_end_with_the_reason(void **state)
{
	struct file_job missing = job_of(NINEP_READ, "missing");
	struct file_job broken = job_of(NINEP_WRITE, "broken");
	struct file_job deep = job_of(NINEP_WRITE, "no/such/directory");
	struct file_job bad = job_of(NINEP_WRITE, "../x");

	(void)state;
	assert_int_equal(ninep_finish(w.fe, &missing.job, w.now + 1000), -ENOTCONN);
	connect();
	assert_int_equal(ninep_finish(w.fe, &missing.job, w.now + 1000), -ENOENT);
	assert_int_equal(ninep_finish(w.fe, &deep.job, w.now + 1000), -ENOENT);
	assert_int_equal(ninep_finish(w.fe, &bad.job, w.now + 1000), -EINVAL);
	broken.bytes = pattern(100000);
	broken.length = 100000;
	broken.limit = 50000;
	assert_int_equal(ninep_finish(w.fe, &broken.job, w.now + 1000), -ECANCELED);
	free(broken.bytes);
	/* All fids were given back. */
	for (unsigned int i = 0; i < 10; i++)
		assert_int_equal(ninep_finish(w.fe, &missing.job, w.now + 1000), -ENOENT);
}

static void test_jobs_without_waiting(void **state)
{
	struct file_job one = job_of(NINEP_WRITE, "one"), two = job_of(NINEP_WRITE, "two");

	(void)state;
	one.bytes = two.bytes = "content";
	one.length = two.length = 7;
	assert_int_equal(ninep_submit(w.fe, &one.job), 0);
	assert_int_equal(ninep_submit(w.fe, &one.job), -EBUSY);
	assert_int_equal(ninep_submit(w.fe, &two.job), 0);
	connect();
	assert_int_equal(one.calls + two.calls, 2);
	assert_int_equal(one.result, 0);
	assert_string_equal(world_file(&w, "two", NULL), "content");
}

static void test_time_runs_out(void **state)
{
	struct file_job slow = job_of(NINEP_WRITE, "slow"), next = job_of(NINEP_WRITE, "next");

	(void)state;
	slow.bytes = next.bytes = "content";
	slow.length = next.length = 7;
	connect();
	w.silent = true;
	assert_int_equal(ninep_finish(w.fe, &slow.job, w.now + 1000), -ETIMEDOUT);
	assert_int_equal(slow.calls, 0);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("x\n");
	assert_int_equal(ninep_flush(w.fe, w.now + 1000), -ETIMEDOUT);
	w.silent = false;
	assert_int_equal(ninep_finish(w.fe, &next.job, w.now + 1000), 0);
	assert_int_equal(ninep_flush(w.fe, w.now + 1000), 0);
	assert_string_equal(world_file(&w, "log", NULL), "x\n");
	assert_null(world_file(&w, "slow", NULL));
}

static void test_cancel_at_every_step(void **state)
{
	(void)state;
	connect();
	w.silent = true;
	for (unsigned int steps = 0; steps < 20; steps++) {
		struct file_job job = job_of(steps & 1 ? NINEP_WRITE : NINEP_READ, "file");
		struct file_job last = job_of(NINEP_REMOVE, "file");

		job.bytes = pattern(100000);
		job.length = job.limit = 100000;
		world_put_file(&w, "file", job.bytes, 100000);
		assert_int_equal(ninep_submit(w.fe, &job.job), 0);
		for (unsigned int i = 0; i < steps; i++) {
			ninep_turn(w.fe);
			if (w.linked)
				p9_link_turn(&w.link, w.server, 1);
		}
		ninep_cancel(w.fe, &job.job);
		job.job.name = NULL;
		w.silent = false;
		world_run(&w);
		assert_int_equal(job.calls, job.calls != 0);
		assert_int_equal(ninep_finish(w.fe, &last.job, w.now + 1000), 0);
		w.silent = true;
		free(job.bytes);
	}
	assert_true(ninep_connected(w.fe));
	assert_int_equal(w.messages, 0);
}

static void test_no_node_is_touched_while_waiting(void **state)
{
	struct file_job job = job_of(NINEP_WRITE, "file");

	(void)state;
	job.bytes = "x";
	job.length = 1;
	connect();
	((struct p9_interface *)w.memory.interface)->in_prod = 0x77777777;
	w.silent = true;
	w.writes = 0;
	assert_int_equal(ninep_finish(w.fe, &job.job, w.now + 1000), -EPROTO);
	assert_int_equal(w.writes, 0);
	assert_string_equal(world_node(&w, FRONT "/state"), "4");
	ninep_turn(w.fe);
	assert_string_equal(world_node(&w, FRONT "/state"), "6");
}

/* ---- another program ---- */

static void test_kexec(void **state)
{
	(void)state;
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	for (unsigned int i = 0; i < 10; i++) {
		char line[32];
		uint32_t port = ninep_port(w.fe);

		snprintf(line, sizeof(line), "line %u\n", i);
		append(line);
		assert_int_equal(ninep_flush(w.fe, w.now + 1000), 0);
		w.writes = 0;
		world_kexec(&w);
		assert_int_equal(ninep_port(w.fe), port);
		ninep_append_open(w.fe, NINEP_LOG, "log");
		world_run(&w);
		assert_true(ninep_connected(w.fe));
		assert_int_equal(w.writes, 0);
	}
	append("end\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL),
			    "line 0\nline 1\nline 2\nline 3\nline 4\nline 5\nline 6\nline 7\n"
			    "line 8\nline 9\nend\n");
	assert_int_equal(w.messages, 0);
}

/* At each step of a conversation, and with the answer still to come. */
static void test_kexec_at_every_step(void **state)
{
	(void)state;
	connect();
	for (unsigned int steps = 0; steps < 40; steps++) {
		struct file_job job = job_of(NINEP_WRITE, "file");

		job.bytes = "content";
		job.length = 7;
		assert_int_equal(ninep_submit(w.fe, &job.job), 0);
		w.silent = true;
		for (unsigned int i = 0; i < steps; i++) {
			ninep_turn(w.fe);
			p9_link_turn(&w.link, w.server, 1);
		}
		ninep_turn(w.fe);
		world_kexec(&w);
		job.job.queued = false;
		w.silent = false;
		world_run(&w);
		assert_true(ninep_connected(w.fe));
		assert_int_equal(ninep_finish(w.fe, &job.job, w.now + 1000), 0);
	}
	assert_int_equal(w.messages, 0);
}

/*
 * To a front-end of another kind, which counts on the root and on nothing else; and from one, which
 * has left files open that nobody knows of.
 */
static void test_leaving_and_coming_back(void **state)
{
	uint32_t port;

	(void)state;
	connect();
	port = ninep_port(w.fe);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	ninep_append_open(w.fe, NINEP_TRACE, "trace");
	append("before\n");
	assert_true(ninep_append(w.fe, NINEP_TRACE, "traced\n", 7));
	assert_int_equal(ninep_leave(w.fe, w.now + 1000), 0);
	assert_string_equal(world_file(&w, "log", NULL), "before\n");
	assert_string_equal(world_file(&w, "trace", NULL), "traced\n");
	ninep_save(w.fe, &w.saved);
	assert_int_equal(w.saved.fids, 1);
	assert_int_equal(w.saved.awaited, 0);
	/* Nothing is written any more. */
	append("lost\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "before\n");
	/* Unless we stay. */
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("still here\n");
	world_run(&w);
	assert_string_equal(world_file(&w, "log", NULL), "before\nstill here\n");

	/* The log is open; whoever comes knows the pages, and that anything may be open. */
	ninep_save(w.fe, &w.saved);
	assert_true(w.saved.fids > 1);
	w.saved.fids = 0xff;
	w.saved.tag = 0;
	w.saved.msize = 32768;
	ninep_free(w.fe);
	w.fe = ninep_new(&w.platform, &w.memory, &w.saved);
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("after\n");
	w.writes = 0;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(ninep_port(w.fe), port);
	assert_int_equal(w.writes, 0);
	assert_int_equal(w.messages, 0);
	assert_string_equal(world_file(&w, "log", NULL), "before\nstill here\nafter\n");
}

static void test_leaving_needs_an_answer(void **state)
{
	(void)state;
	assert_int_equal(ninep_leave(w.fe, w.now + 1000), -ENOTCONN);
	connect();
	ninep_append_open(w.fe, NINEP_LOG, "log");
	append("line\n");
	world_run(&w);
	w.silent = true;
	assert_int_equal(ninep_leave(w.fe, w.now + 1000), -ETIMEDOUT);
	w.silent = false;
	assert_int_equal(ninep_leave(w.fe, w.now + 1000), 0);
}

static void test_kexec_without_a_connection(void **state)
{
	(void)state;
	world_kexec(&w);
	connect();
	world_backend_dies(&w);
	world_set(&w, BACK "/state", "6");
	world_run(&w);
	world_kexec(&w);
	world_backend_begins(&w);
	w.now += 60000;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(__builtin_popcount(w.ports), 1);
}

static void test_kexec_while_offered(void **state)
{
	(void)state;
	world_offer(&w);
	w.dead = true;
	world_run(&w);
	assert_string_equal(world_node(&w, FRONT "/state"), "3");
	world_kexec(&w);
	w.dead = false;
	world_run(&w);
	w.now += 60000;
	world_run(&w);
	w.now += 60000;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(__builtin_popcount(w.ports), 1);
}

static void test_impossible_saved_state(void **state)
{
	(void)state;
	for (unsigned int kind = 0; kind < 7; kind++) {
		connect();
		ninep_save(w.fe, &w.saved);
		switch (kind) {
		case 0:
			w.saved.version = 77;
			break;
		case 1:
			w.saved.order = 5;
			break;
		case 2:
			w.saved.granted = 18;
			break;
		case 3:
			w.saved.in_cons += 1;
			break;
		case 4:
			w.saved.out_prod -= 1;
			break;
		case 5:
			w.saved.msize = 1000000;
			break;
		case 6:
			w.saved.fids = 0xffffffff;
			break;
		}
		ninep_free(w.fe);
		w.fe = ninep_new(&w.platform, &w.memory, &w.saved);
		assert_non_null(w.fe);
		for (unsigned int i = 0; i < 5; i++) {
			world_run(&w);
			w.now += 60000;
		}
		assert_true(ninep_connected(w.fe));
		world_deinit(&w);
		world_init(&w, 4);
	}
}

static void test_dropped_lines_survive(void **state)
{
	char line[1000];
	uint64_t before;

	(void)state;
	memset(line, '\n', sizeof(line));
	ninep_append_open(w.fe, NINEP_LOG, "log");
	for (unsigned int i = 0; i < 100; i++)
		ninep_append(w.fe, NINEP_LOG, line, sizeof(line));
	before = ninep_dropped_lines(w.fe, NINEP_LOG);
	world_kexec(&w);
	/* What was queued is lost with the program. */
	assert_int_equal(ninep_dropped_lines(w.fe, NINEP_LOG), 100000);
	assert_true(before > 0 && before < 100000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_a_device_nothing_happens),
		TEST(test_connection),
		TEST(test_a_back_end_that_never_connects_costs_no_time),
		TEST(test_a_small_back_end_gets_a_small_ring),
		TEST(test_foreign_versions_are_not_connected_to),
		TEST(test_removed_device),
		TEST(test_device_replaced_unnoticed),
		TEST(test_back_end_that_ends_for_good),
		TEST(test_close_takes_all_back),
		TEST(test_failed_grants_are_tried_again),
		TEST(test_pages_show_nothing_old),
		TEST(test_another_back_end_gets_new_grants),
		TEST(test_lines_before_there_is_a_back_end),
		TEST(test_appends_to_what_is_there),
		TEST(test_more_than_a_message_and_than_the_ring),
		TEST(test_two_files_at_a_time),
		TEST(test_another_name_and_the_same_again),
		TEST(test_rotation),
		TEST(test_end_of_logging_in_the_middle_of_a_write),
		TEST(test_names_that_are_refused),
		TEST(test_file_in_a_directory),
		TEST(test_directory_in_place_of_the_file),
		TEST(test_lost_lines_are_counted_and_told),
		TEST(test_full_disk),
		TEST(test_silent_back_end),
		TEST(test_back_end_restarts),
		TEST(test_back_end_dies_in_the_middle),
		TEST(test_write_and_read_whole_files),
		TEST(test_jobs_end_with_the_reason),
		TEST(test_jobs_without_waiting),
		TEST(test_time_runs_out),
		TEST(test_cancel_at_every_step),
		TEST(test_no_node_is_touched_while_waiting),
		TEST(test_kexec),
		TEST(test_kexec_at_every_step),
		TEST(test_leaving_and_coming_back),
		TEST(test_leaving_needs_an_answer),
		TEST(test_kexec_without_a_connection),
		TEST(test_kexec_while_offered),
		TEST(test_impossible_saved_state),
		TEST(test_dropped_lines_survive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
