/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The front-end as its user sees it.
 */
#include "ninep/frontend.h"

#include <errno.h>
#include <stdlib.h>

#include "ninep/session.h"

/* Requests and answers in one turn, so that a fast back-end does not keep us. */
#define TURN_STEPS 32U

/* ---- a connection that survives its program ---- */

static bool saved_fits(const struct ninep *fe, const struct ninep_saved *saved)
{
	return saved->version == NINEP_SAVED_VERSION && saved->order >= 1 &&
	       saved->order <= fe->memory.order && saved->granted <= 1 + (1U << fe->memory.order);
}

/* Whether files can go on over this connection. */
static bool connection_fits(const struct ninep *fe, const struct ninep_saved *saved)
{
	return saved->connected && saved->port && saved->granted >= 1 + (1U << saved->order) &&
	       saved->msize <= P9_RING_SIZE(saved->order) && saved->tag <= P9_NOTAG &&
	       p9_room(&fe->out) >= 0 && p9_available(&fe->in) >= 0;
}

static void restore(struct ninep *fe, const struct ninep_saved *saved)
{
	fe->backend_id = saved->backend_id;
	fe->order = saved->order;
	fe->port = saved->port;
	fe->granted = saved->granted;
	for (uint32_t i = 0; i < saved->granted; i++)
		fe->refs[i] = saved->refs[i];
	for (unsigned int i = 0; i < NINEP_SLOTS; i++) {
		fe->slots[i].dropped = saved->dropped[i];
		fe->slots[i].dropped_lines = saved->dropped_lines[i];
	}
	device_rings(fe, saved->out_prod, saved->in_cons);
	if (!connection_fits(fe, saved)) {
		if (saved->connected)
			device_break(fe, "9pfs: the connection cannot be taken over");
		else if (fe->port)
			fe->device = DEVICE_BROKEN;
		return;
	}
	fe->device = DEVICE_CONNECTED;
	session_start(fe);
	fe->fids = saved->fids;
	fe->tag = (uint16_t)saved->tag;
	/* The answer to somebody else's question may be as long as was agreed then. */
	fe->msize = saved->msize;
	fe->asked = saved->awaited ? P9_TVERSION : 0;
	fe->more = true;
}

void ninep_save(const struct ninep *fe, struct ninep_saved *saved)
{
	*saved = (struct ninep_saved){
		.version = NINEP_SAVED_VERSION,
		.connected = fe->device == DEVICE_CONNECTED,
		.backend_id = fe->backend_id,
		.order = fe->order,
		.port = fe->port,
		.granted = fe->granted,
		.out_prod = fe->out.own,
		.in_cons = fe->in.own,
		.msize = fe->msize,
		.tag = fe->tag,
		.awaited = fe->asked != 0,
		.fids = fe->fids,
	};
	for (uint32_t i = 0; i < fe->granted; i++)
		saved->refs[i] = fe->refs[i];
	for (unsigned int i = 0; i < NINEP_SLOTS; i++) {
		const struct slot *slot = &fe->slots[i];

		saved->dropped[i] = slot->dropped + slot->count;
		saved->dropped_lines[i] = slot->dropped_lines;
		for (size_t k = 0; k < slot->count; k++)
			saved->dropped_lines[i] += slot->queue[(slot->start + k) % SLOT_QUEUE] ==
						   '\n';
	}
}

void ninep_on_send(struct ninep *fe, void (*sent)(void *data), void *data)
{
	fe->sent = sent;
	fe->sent_data = data;
}

struct ninep *ninep_new(struct ninep_platform *platform, const struct ninep_memory *memory,
			const struct ninep_saved *saved)
{
	struct ninep *fe;
	unsigned char *queues;

	if (memory->order < 1 || memory->order > NINEP_ORDER_MAX)
		return NULL;
	fe = calloc(1, sizeof(*fe));
	queues = malloc((size_t)NINEP_SLOTS * SLOT_QUEUE);
	if (fe)
		fe->message = malloc(P9_RING_SIZE(memory->order));
	if (!fe || !queues || !fe->message) {
		if (fe)
			free(fe->message);
		free(fe);
		free(queues);
		return NULL;
	}
	fe->platform = platform;
	fe->memory = *memory;
	fe->order = memory->order;
	device_rings(fe, 0, 0);
	session_init(fe);
	jobs_init(&fe->jobs);
	for (unsigned int i = 0; i < NINEP_SLOTS; i++)
		slot_init(&fe->slots[i], FID_SLOT(i), queues + (size_t)i * SLOT_QUEUE);
	if (saved && saved_fits(fe, saved))
		restore(fe, saved);
	return fe;
}

void ninep_free(struct ninep *fe)
{
	if (!fe)
		return;
	free(fe->slots[0].queue);
	free(fe->message);
	free(fe);
}

void ninep_close(struct ninep *fe)
{
	device_close(fe);
	device_ungrant(fe);
}

/* ---- turns ---- */

void ninep_changed(struct ninep *fe)
{
	if (!fe->waiting)
		device_look(fe);
}

void ninep_turn(struct ninep *fe)
{
	bool look = fe->device == DEVICE_BROKEN ||
		    (fe->look_again && fe->platform->ops->now(fe->platform) >= fe->retry_at);

	if (look && !fe->waiting)
		device_look(fe);
	fe->more = true;
	for (unsigned int i = 0; i < TURN_STEPS && fe->more; i++)
		fe->more = fe->device == DEVICE_CONNECTED && session_turn(fe);
	/* A back-end with a delay of its own has shown that it works. */
	if (fe->session == SESSION_READY)
		fe->delay = 0;
}

uint64_t ninep_timeout(const struct ninep *fe)
{
	uint64_t timeout = NINEP_NEVER;

	if (fe->device == DEVICE_BROKEN || (fe->more && fe->device == DEVICE_CONNECTED))
		return 0;
	if (fe->device == DEVICE_IDLE)
		return fe->look_again ? fe->retry_at : NINEP_NEVER;
	/* Nothing can be written yet, however long the back-end takes to answer. */
	if (fe->device == DEVICE_OFFERED)
		return NINEP_NEVER;
	for (unsigned int i = 0; i < NINEP_SLOTS && !fe->asked; i++)
		if (fe->slots[i].count && fe->slots[i].retry_at < timeout)
			timeout = fe->slots[i].retry_at;
	return timeout;
}

uint32_t ninep_port(const struct ninep *fe)
{
	return fe->port;
}

bool ninep_connected(const struct ninep *fe)
{
	return fe->device == DEVICE_CONNECTED && fe->session == SESSION_READY;
}

/* ---- waiting ---- */

/* One round of a wait. False: it is over, for lack of time or of a connection. */
static bool wait_round(struct ninep *fe, uint64_t deadline)
{
	uint64_t until = ninep_timeout(fe);

	if (fe->device != DEVICE_CONNECTED || fe->platform->ops->now(fe->platform) >= deadline)
		return false;
	if (until > 0)
		fe->platform->ops->wait(fe->platform, fe->port,
					until < deadline ? until : deadline);
	return true;
}

static int why_not(const struct ninep *fe)
{
	return fe->device == DEVICE_CONNECTED ? -ETIMEDOUT : -ENOTCONN;
}

static bool flushed(const struct ninep *fe)
{
	for (unsigned int i = 0; i < NINEP_SLOTS; i++)
		if (fe->slots[i].count)
			return false;
	return true;
}

int ninep_flush(struct ninep *fe, uint64_t deadline)
{
	bool more = true;

	fe->waiting = true;
	while (!flushed(fe) && more) {
		ninep_turn(fe);
		more = flushed(fe) || wait_round(fe, deadline);
	}
	fe->waiting = false;
	return flushed(fe) ? 0 : why_not(fe);
}

/* Whether nothing is under way, and no file is open. */
static bool only_root(const struct ninep *fe)
{
	return ninep_connected(fe) && !fe->asked && fe->fids == 1U << FID_ROOT;
}

int ninep_leave(struct ninep *fe, uint64_t deadline)
{
	int error = ninep_flush(fe, deadline);
	bool more = true;

	for (unsigned int i = 0; i < NINEP_SLOTS; i++)
		ninep_append_open(fe, (enum ninep_slot)i, NULL);
	fe->waiting = true;
	while (!only_root(fe) && more) {
		ninep_turn(fe);
		more = only_root(fe) || wait_round(fe, deadline);
	}
	fe->waiting = false;
	if (!error && !only_root(fe))
		error = why_not(fe);
	return error;
}

/* Stands in front of the caller's done(). */
struct waited {
	struct ninep_job job;
	struct ninep_job *real;
	bool over;
	int error;
};

static ssize_t waited_fill(struct ninep_job *job, uint64_t offset, void *piece, size_t room)
{
	struct ninep_job *real = ((struct waited *)job)->real;

	return real->fill(real, offset, piece, room);
}

static int waited_take(struct ninep_job *job, uint64_t offset, const void *piece, size_t length)
{
	struct ninep_job *real = ((struct waited *)job)->real;

	return real->take(real, offset, piece, length);
}

static void waited_done(struct ninep_job *job, int error)
{
	struct waited *waited = (struct waited *)job;

	waited->over = true;
	waited->error = error;
}

int ninep_finish(struct ninep *fe, struct ninep_job *job, uint64_t deadline)
{
	struct waited waited = {.real = job};
	int error;

	if (fe->device != DEVICE_CONNECTED)
		return -ENOTCONN;
	if (job->queued)
		return -EBUSY;
	waited.job = (struct ninep_job){.kind = job->kind,
					.name = job->name,
					.fill = waited_fill,
					.take = waited_take,
					.done = waited_done};
	error = ninep_submit(fe, &waited.job);
	if (error)
		return error;
	fe->waiting = true;
	do {
		ninep_turn(fe);
	} while (!waited.over && wait_round(fe, deadline));
	fe->waiting = false;
	if (!waited.over) {
		ninep_cancel(fe, &waited.job);
		return why_not(fe);
	}
	if (job->done)
		job->done(job, waited.error);
	return waited.error;
}
