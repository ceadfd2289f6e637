/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front-end with a back-end that lies once, in each way that matters, and then behaves. Its
 * user sees an error, exactly once; the connection is made anew; nothing that waited to be written
 * is lost.
 */
#include "ninep/frontend.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ninep-world.h"
#include "ninep/wire.h"
#include "ninepfsd/server.h"

#define FILE_LENGTH 100000U

/* An answer as the server has written it, to be spoilt; the rest of the buffer is free. */
struct answer {
	unsigned char bytes[65536];
	size_t length;
	unsigned int times;
};

struct lie {
	const char *what;
	uint8_t type; /* of the request that is answered so */
	void (*spoil)(struct answer *answer);
	int expected; /* what the job ends with; 0: it does not mind */
};

static struct ninep_world w;
static const struct lie *lie;
static unsigned int told;

static void set_length(struct answer *answer, size_t length)
{
	uint32_t size = (uint32_t)length;

	memcpy(answer->bytes, &size, sizeof(size));
	answer->length = length;
}

static void twice(struct answer *answer)
{
	answer->times = 2;
}

static void never(struct answer *answer)
{
	answer->times = 0;
}

static void other_tag(struct answer *answer)
{
	answer->bytes[5] ^= 1;
}

static void other_type(struct answer *answer)
{
	answer->bytes[4] = P9_TFLUSH + 1;
}

static void type_of_a_request(struct answer *answer)
{
	answer->bytes[4]--;
}

static void nothing_but_a_header(struct answer *answer)
{
	set_length(answer, P9_HEADER);
}

static void size_below_a_header(struct answer *answer)
{
	uint32_t size = 3;

	memcpy(answer->bytes, &size, sizeof(size));
}

static void size_beyond_the_ring(struct answer *answer)
{
	uint32_t size = UINT32_MAX;

	memcpy(answer->bytes, &size, sizeof(size));
}

static void longer_than_agreed(struct answer *answer)
{
	uint32_t size = P9_RING_SIZE(w.memory.order) + 1;

	memcpy(answer->bytes, &size, sizeof(size));
}

static void count_of_more(struct answer *answer)
{
	answer->bytes[P9_HEADER + 3] = 0x7f;
}

/* A count of 1 more than was asked for, with a message that has as much. */
static void one_byte_more(struct answer *answer)
{
	uint32_t count;

	memcpy(&count, answer->bytes + P9_HEADER, sizeof(count));
	count++;
	memcpy(answer->bytes + P9_HEADER, &count, sizeof(count));
	set_length(answer, answer->length + 1);
}

static void more_names_than_asked(struct answer *answer)
{
	answer->bytes[P9_HEADER] = 9;
	set_length(answer, P9_HEADER + 2 + 9 * P9_QID);
}

static void error_without_a_number(struct answer *answer)
{
	answer->bytes[4] = P9_RERROR;
	set_length(answer, P9_HEADER);
}

static void error_0(struct answer *answer)
{
	struct p9_writer writer = {.start = answer->bytes, .length = P9_HEADER, .room = 100};

	answer->bytes[4] = P9_RERROR;
	p9_put_text(&writer, "");
	p9_put_u32(&writer, 0);
	set_length(answer, writer.length);
}

static void error_that_is_none_of_linux(struct answer *answer)
{
	error_0(answer);
	memset(answer->bytes + answer->length - 4, 0xff, 4);
}

static void messages_too_small(struct answer *answer)
{
	memset(answer->bytes + P9_HEADER, 0, 4);
	answer->bytes[P9_HEADER] = 24;
}

static void messages_too_large(struct answer *answer)
{
	memset(answer->bytes + P9_HEADER, 0xff, 4);
}

static void another_version(struct answer *answer)
{
	answer->bytes[answer->length - 1] = 'L';
}

/* The beginning of an answer, and then nothing for ever; the program behind it dies. */
static void half(struct answer *answer)
{
	answer->length /= 2;
}

static const struct lie lies[] = {
	{"twice", P9_TWALK, twice, -EPROTO},
	{"twice", P9_TWRITE, twice, -EPROTO},
	{"twice", P9_TCLUNK, twice, 0},
	{"never", P9_TWRITE, never, -ETIMEDOUT},
	{"half", P9_TWRITE, half, -ETIMEDOUT},
	{"half", P9_TREAD, half, -ETIMEDOUT},
	{"another tag", P9_TWALK, other_tag, -EPROTO},
	{"another tag", P9_TWRITE, other_tag, -EPROTO},
	{"another type", P9_TWRITE, other_type, -EPROTO},
	{"another type", P9_TREAD, other_type, -EPROTO},
	{"a request", P9_TWRITE, type_of_a_request, -EPROTO},
	{"a header", P9_TWALK, nothing_but_a_header, -EPROTO},
	{"a header", P9_TWRITE, nothing_but_a_header, -EPROTO},
	{"a header", P9_TREAD, nothing_but_a_header, -EPROTO},
	{"3 bytes", P9_TWRITE, size_below_a_header, -EPROTO},
	{"4 GiB", P9_TWRITE, size_beyond_the_ring, -EPROTO},
	{"more than agreed", P9_TWRITE, longer_than_agreed, -EPROTO},
	{"more written than sent", P9_TWRITE, one_byte_more, -EPROTO},
	{"a count without the bytes", P9_TREAD, count_of_more, -EPROTO},
	{"more than agreed", P9_TREAD, longer_than_agreed, -EPROTO},
	{"more names", P9_TWALK, more_names_than_asked, -EPROTO},
	{"an error without a number", P9_TWRITE, error_without_a_number, -EIO},
	{"error 0", P9_TWRITE, error_0, -EIO},
	{"error 2^32", P9_TREAD, error_that_is_none_of_linux, -EIO},
	{"tiny messages", P9_TVERSION, messages_too_small, -ENOTCONN},
	{"huge messages", P9_TVERSION, messages_too_large, -ENOTCONN},
	{"another version", P9_TVERSION, another_version, -ENOTCONN},
	{"no root", P9_TATTACH, nothing_but_a_header, -ENOTCONN},
};

/* The back-end: honest but for one answer. */
static void answer_with_a_lie(struct ninep_world *world)
{
	static unsigned char request[65536];
	static struct answer answer;
	struct p9_link *link = &world->link;
	ssize_t there = world->linked ? p9_available(&link->out) : 0;
	struct p9_header header;

	world->now++;
	if (there < (ssize_t)P9_HEADER)
		return;
	p9_peek(&link->out, request, P9_HEADER);
	header = p9_header(request);
	assert_true((ssize_t)header.size <= there);
	p9_peek(&link->out, request, header.size);
	p9_consume(&link->out, header.size);
	answer.length = p9_server_answer(world->server, request, header.size, answer.bytes);
	answer.times = 1;
	if (answer.bytes[4] == lie->type + 1U && told++ == 0)
		lie->spoil(&answer);
	while (answer.times-- > 0 && p9_room(&link->in) >= (ssize_t)answer.length)
		p9_produce(&link->in, answer.bytes, answer.length);
}

struct job {
	struct ninep_job job;
	unsigned int ended;
	uint64_t taken;
};

static ssize_t fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	size_t length = FILE_LENGTH - offset < room ? FILE_LENGTH - offset : room;

	(void)job;
	memset(piece, 'x', length);
	return (ssize_t)length;
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	assert_true(offset + length <= FILE_LENGTH);
	for (size_t i = 0; i < length; i++)
		assert_int_equal(((const char *)piece)[i], 'x');
	((struct job *)job)->taken += length;
	return 0;
}

static void done(struct ninep_job *job, int error)
{
	(void)error;
	((struct job *)job)->ended++;
}

static int run_job(enum ninep_job_kind kind, struct job *job)
{
	*job = (struct job){
		.job = {.kind = kind, .name = "file", .fill = fill, .take = take, .done = done}};
	return ninep_finish(w.fe, &job->job, w.now + 10000);
}

/* The back-end behaves again, its program perhaps another one; everything works. */
static void assert_all_is_well(void)
{
	struct job job;

	w.peer = NULL;
	if (lie->expected == -ETIMEDOUT) {
		world_backend_dies(&w);
		world_backend_begins(&w);
	}
	for (unsigned int i = 0; i < 4; i++) {
		world_run(&w);
		w.now += 70000;
	}
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	assert_int_equal(__builtin_popcount(w.ports), 1);
	assert_int_equal(run_job(NINEP_WRITE, &job), 0);
	assert_int_equal(run_job(NINEP_READ, &job), 0);
	assert_int_equal(job.taken, FILE_LENGTH);
	world_run(&w);
	assert_non_null(strstr(world_file(&w, "log", NULL), "a line that waits\n"));
	assert_int_equal(ninep_dropped_lines(w.fe, NINEP_LOG), 0);
}

static void connect_and_put_a_file(void)
{
	struct job job;

	world_init(&w, 4);
	world_offer(&w);
	told = 0;
	if (lie->type == P9_TVERSION || lie->type == P9_TATTACH)
		return;
	world_run(&w);
	assert_true(ninep_connected(w.fe));
	if (lie->type == P9_TREAD)
		assert_int_equal(run_job(NINEP_WRITE, &job), 0);
}

static void test_each_lie(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct job job;
		int result;

		lie = &lies[i];
		print_message("%s to %u\n", lie->what, lie->type);
		connect_and_put_a_file();
		w.peer = answer_with_a_lie;
		/* The session that begins with a lie has no time to begin again. */
		if (!ninep_connected(w.fe))
			for (unsigned int k = 0; k < 10 && !told; k++)
				world_run(&w);
		result = run_job(lie->type == P9_TREAD ? NINEP_READ : NINEP_WRITE, &job);
		assert_int_equal(result, lie->expected);
		assert_int_equal(job.ended, result == -ETIMEDOUT || result == -ENOTCONN ? 0 : 1);
		assert_true(told > 0);
		/* No turn is endless, and not every one has something to say. */
		for (unsigned int k = 0; k < 50; k++)
			ninep_turn(w.fe);
		assert_true(w.messages < 4);
		assert_int_equal(ninep_append_open(w.fe, NINEP_LOG, "log"), 0);
		assert_true(ninep_append(w.fe, NINEP_LOG, "a line that waits\n", 18));
		assert_all_is_well();
		world_deinit(&w);
	}
}

/* States that a back-end is stuck in for ever: no time is spent, and no node written, over it. */
static void test_a_state_that_never_changes(void **state)
{
	static const char *const states[] = {"0", "1", "3", "5", "6", "7", "77", "-4", "", "x"};
	static const struct lie none;

	(void)state;
	lie = &none;
	for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
		unsigned int writes;

		world_init(&w, 4);
		world_offer(&w);
		w.dead = true;
		world_set(&w, BACK "/state", states[i]);
		for (unsigned int k = 0; k < 100; k++) {
			ninep_changed(w.fe);
			ninep_turn(w.fe);
			w.now += 60000;
		}
		writes = w.writes;
		assert_true(writes < 300);
		assert_false(ninep_connected(w.fe));
		assert_int_equal(w.ports, 0);
		assert_true(w.messages < 3);
		w.dead = false;
		world_backend_begins(&w);
		lie = &none;
		for (unsigned int k = 0; k < 4; k++) {
			world_run(&w);
			w.now += 70000;
		}
		world_run(&w);
		assert_true(ninep_connected(w.fe));
		world_deinit(&w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_lie),
		cmocka_unit_test(test_a_state_that_never_changes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
