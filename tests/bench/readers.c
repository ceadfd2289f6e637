/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See readers.h. */
#define _GNU_SOURCE 1
#include "readers.h"

#include <stdlib.h>

#include "client.h"
#include "fail.h"
#include "sample.h"

struct readers {
	struct crowd *crowd;
	const char *path;
	uint32_t *ids; /* of the request that each member has in flight */
	const struct plan *plan;
	uint64_t begin;
	size_t done;
	bool ended;
};

struct readers *readers_new(struct crowd *crowd, const char *path)
{
	struct readers *readers = calloc(1, sizeof(*readers));

	if (!readers)
		fail("out of memory");
	readers->crowd = crowd;
	readers->path = path;
	readers->ids = calloc(crowd->count, sizeof(*readers->ids));
	if (!readers->ids)
		fail("out of memory");
	return readers;
}

static bool step(void *context, size_t member, struct client *client, const struct reply *reply)
{
	struct readers *readers = context;

	if (reply) {
		client_check(client, reply, XS_READ, readers->ids[member], 0,
			     value_text(VALUE_SIZE), VALUE_SIZE);
		readers->done++;
		/* The clock is looked at now and then only: it would be part of the load. */
		if (readers->done % 64 == 0)
			readers->ended = !plan_more(readers->plan, readers->done, readers->begin);
		if (readers->ended)
			return false;
	}
	readers->ids[member] = client_put_path(client, XS_READ, 0, readers->path, NULL, 0);
	return true;
}

void readers_block(struct readers *readers, struct subject *subject, const struct plan *plan,
		   int block)
{
	uint64_t cpu = subject_settle(subject), ns;

	readers->plan = plan;
	readers->done = 0;
	readers->ended = false;
	readers->begin = now_ns();
	crowd_run(readers->crowd, step, readers);
	ns = now_ns() - readers->begin;
	cpu = subject_settle(subject) - cpu;
	sample_print(subject, NULL, block, "per_s", (double)readers->done * 1e9 / (double)ns);
	sample_print(subject, NULL, block, "cpu_us", (double)cpu / 1000.0 / (double)readers->done);
}
