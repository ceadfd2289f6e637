/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer of the 9pfs front-end: a hostile back-end.
 *
 * It answers sometimes as it should, with the real server, and sometimes with spoilt, invented, cut
 * or doubled messages; it moves the indices, writes into the pages, changes its nodes, dies and
 * comes back. The front-end's user meanwhile logs, reads and writes files, changes programs.
 * Whatever happens: no access outside of its memory (the sanitizers see to that), every job ends
 * exactly once, no turn is endless, the messages are bounded; and when the back-end behaves again,
 * everything works.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "ninep-input.h"
#include "ninep-world.h"
#include "ninep/session.h"
#include "ninep/wire.h"
#include "ninepfsd/server.h"

#define SECONDS 4
#define STEPS	300U
#define JOBS	4U

struct job {
	struct ninep_job job;
	unsigned int submitted, ended;
	uint64_t length;
};

static struct ninep_world w;
static struct job jobs[JOBS];
static unsigned long long steps, connected_steps;

/* ---- the user ---- */

static ssize_t fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	uint64_t left = ((struct job *)job)->length - offset;
	size_t length = left < room ? (size_t)left : room;

	assert_true(offset <= ((struct job *)job)->length);
	memset(piece, 'j', length);
	return (ssize_t)length;
}

static int take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	volatile unsigned char sum = 0;

	(void)job;
	assert_true(length > 0);
	for (size_t i = 0; i < length; i++)
		sum = (unsigned char)(sum + ((const unsigned char *)piece)[i]);
	/* A file without an end has one for us. */
	return offset > 1000000 ? -EFBIG : 0;
}

static void ended(struct ninep_job *job, int error)
{
	assert_true(error <= 0 && error >= -4095);
	((struct job *)job)->ended++;
}

static void submit(struct job *job)
{
	static const char *const names[] = {"state_dump", "a", "dir/b"};

	if (job->job.queued)
		return;
	job->job = (struct ninep_job){.kind = (enum ninep_job_kind)roll(3),
				      .name = names[roll(3)],
				      .fill = fill,
				      .take = take,
				      .done = ended};
	job->length = roll(100000);
	assert_int_equal(ninep_submit(w.fe, &job->job), 0);
	job->submitted++;
}

static void cancel(struct job *job)
{
	if (!job->job.queued)
		return;
	ninep_cancel(w.fe, &job->job);
	job->job.name = NULL;
	job->ended++;
}

static void use(void)
{
	char line[2000];
	size_t length = 1 + roll(sizeof(line) - 1);

	memset(line, 'l', length);
	switch (roll(12)) {
	case 0:
	case 1:
	case 2:
		submit(&jobs[roll(JOBS)]);
		break;
	case 3:
		cancel(&jobs[roll(JOBS)]);
		break;
	case 4:
		ninep_append_open(w.fe, (enum ninep_slot)roll(2),
				  one_in(3)   ? NULL
				  : one_in(2) ? "log"
					      : "dir/log");
		break;
	case 5:
		ninep_flush(w.fe, w.now + roll(50));
		break;
	case 6:
		w.now += roll(3000);
		break;
	default:
		ninep_append(w.fe, (enum ninep_slot)roll(2), line, length);
	}
}

/* ---- the back-end ---- */

/* Spoils bytes of a message, mostly in its header and fixed fields. */
static void spoil(unsigned char *message, size_t length)
{
	for (unsigned int i = 0; i < 1 + roll(3); i++)
		message[roll(one_in(3) ? (uint32_t)length
				       : (uint32_t)(length < 24 ? length : 24))] =
			(unsigned char)(one_in(2)   ? roll(256)
					: one_in(2) ? 0
						    : 255);
}

/* Puts bytes as far as they fit. */
static void put(struct p9_link *link, const void *bytes, size_t length)
{
	ssize_t room = p9_room(&link->in);

	if (room > 0)
		p9_produce(&link->in, bytes, (size_t)room < length ? (size_t)room : length);
}

static void answer(struct p9_link *link, bool honest)
{
	static unsigned char request[65536], reply[65536];
	ssize_t there = p9_available(&link->out);
	struct p9_header header;
	size_t length;

	if (there < 0)
		link->out.own = *link->out.prod;
	if (there < (ssize_t)P9_HEADER)
		return;
	p9_peek(&link->out, request, P9_HEADER);
	header = p9_header(request);
	/* Rings that were spoilt, or a new connection that this end has not heard of. */
	if (header.size < P9_HEADER || header.size > link->out.size ||
	    header.size > (size_t)there) {
		p9_consume(&link->out, (size_t)there);
		return;
	}
	p9_peek(&link->out, request, header.size);
	p9_consume(&link->out, header.size);
	length = p9_server_answer(w.server, request, header.size, reply);
	if (honest) {
		put(link, reply, length);
		return;
	}
	switch (roll(6)) {
	case 0: /* random bytes behind a right header */
		length = P9_HEADER + roll(600);
		for (size_t i = P9_HEADER; i < length; i++)
			reply[i] = (unsigned char)roll(256);
		memcpy(reply, &(uint32_t){(uint32_t)length}, 4);
		break;
	case 1: /* cut, with a header that agrees */
		length = P9_HEADER + roll((uint32_t)(length - P9_HEADER + 1));
		memcpy(reply, &(uint32_t){(uint32_t)length}, 4);
		break;
	case 2: /* an error, perhaps without its text */
		reply[4] = P9_RERROR;
		break;
	case 3:
		put(link, reply, length);
		break;
	default:
		spoil(reply, length);
	}
	put(link, reply, length);
}

static void move_an_index(void)
{
	struct p9_interface *page = w.memory.interface;
	uint32_t *indices[] = {&page->in_prod, &page->in_cons, &page->out_prod, &page->out_cons,
			       &page->ring_order};

	*indices[roll(5)] += one_in(2) ? roll(100) : roll(UINT32_MAX);
}

static void change_nodes(void)
{
	static const char *const paths[] = {
		BACK "/state",	BACK "/versions", BACK "/max-rings", BACK "/max-ring-page-order",
		BACK "/online", FRONT "/state",	  FRONT "/backend",  FRONT "/backend-id"};
	static const char *const values[] = {"0", "1", "2",  "3",	   "4",	 "5",
					     "6", "7", "-1", "4294967296", "1x", ""};
	const char *path = paths[roll(8)];

	if (one_in(4))
		world_unset(&w, path);
	else
		world_set(&w, path, values[roll(12)]);
}

/* Between the front-end's steps, and while it waits. */
static void misbehave(struct ninep_world *world)
{
	(void)world;
	if (w.linked && !one_in(4))
		answer(&w.link, roll(100) < 97);
	if (one_in(1500))
		move_an_index();
	if (one_in(1500))
		for (unsigned int i = 0; i < 50; i++)
			((unsigned char *)w.memory.data)[roll(4096U << w.memory.order)] =
				(unsigned char)roll(256);
	w.now += roll(3);
}

/* ---- rounds ---- */

/* Ports and grants that a damaged state did not tell of: nobody will ever give them back. */
static void forget_what_is_lost(void)
{
	w.ports &= ninep_port(w.fe) ? 1U << ninep_port(w.fe) : 0;
	for (uint32_t ref = 0; ref < 32; ref++) {
		bool known = false;

		for (uint32_t i = 0; i < w.fe->granted; i++)
			known |= w.fe->refs[i] == ref;
		if (!known)
			w.grants[ref].page = NULL;
	}
}

static void change_program(void)
{
	for (unsigned int i = 0; i < JOBS; i++)
		cancel(&jobs[i]);
	world_kexec(&w);
	if (one_in(5)) {
		/* A state that was damaged on the way. */
		unsigned char *bytes = (unsigned char *)&w.saved;

		bytes[roll(sizeof(w.saved))] = (unsigned char)roll(256);
		w.saved.port = w.ports ? (uint32_t)__builtin_ctz(w.ports) : 0;
		for (unsigned int i = 0; i < sizeof(w.saved.refs) / sizeof(*w.saved.refs); i++)
			w.saved.refs[i] = 8 + i;
		if (w.saved.granted > 17)
			w.saved.granted = 18;
		for (uint32_t i = 0; i < w.saved.granted && i < 17; i++)
			if (!w.grants[8 + i].page)
				w.saved.granted = i;
		ninep_free(w.fe);
		w.fe = ninep_new(&w.platform, &w.memory, &w.saved);
		assert_non_null(w.fe);
		forget_what_is_lost();
	}
}

static void step(void)
{
	unsigned int before = w.messages;

	steps++;
	connected_steps += ninep_connected(w.fe);

	use();
	if (one_in(40))
		change_nodes();
	if (one_in(60)) {
		world_backend_dies(&w);
		world_backend_begins(&w);
	}
	if (one_in(40))
		change_program();
	if (one_in(3))
		ninep_changed(w.fe);
	ninep_turn(w.fe);
	misbehave(&w);
	assert_true(w.messages - before <= 4);
}

/* The back-end keeps the rules from now on. */
static void reform(void)
{
	struct job last = {.length = 50000};
	int error;

	w.peer = NULL;
	world_backend_dies(&w);
	world_offer(&w);
	for (unsigned int i = 0; i < 6; i++) {
		world_run(&w);
		w.now += 70000;
	}
	assert_true(ninep_connected(w.fe));
	assert_int_equal(__builtin_popcount(w.ports), 1);
	ninep_flush(w.fe, w.now + 100000);
	for (unsigned int i = 0; i < JOBS; i++)
		assert_int_equal(jobs[i].submitted, jobs[i].ended);
	last.job = (struct ninep_job){.kind = NINEP_WRITE, .name = "state_dump", .fill = fill};
	error = ninep_finish(w.fe, &last.job, w.now + 100000);
	assert_int_equal(error, 0);
}

static void fuzz(void)
{
	memset(jobs, 0, sizeof(jobs));
	world_init(&w, 1 + roll(4));
	world_offer(&w);
	w.peer = misbehave;
	for (unsigned int i = 0; i < STEPS; i++) {
		/* Its nodes are kept by the world, which follows the rules there. */
		if (one_in(20))
			world_run(&w);
		step();
	}
	reform();
	world_deinit(&w);
}

static void test_hostile_back_end(void **state)
{
	(void)state;
	run_rounds(SECONDS, fuzz);
	print_message("%llu steps, %llu of them connected\n", steps, connected_steps);
	/* Else it would have tested the beginning only. */
	assert_true(connected_steps > steps / 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile_back_end)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
