/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request at a time. The answer must have the request's tag and its type plus one, or be an
 * error, and it must be as long as it says and no longer than agreed. It is copied out of
 * the ring as a whole before anything in it is looked at, so that the back-end can change its mind
 * as often as it likes.
 */
#include <errno.h>

#include "ninep/session.h"

struct p9_writer session_begin(struct ninep *fe, uint8_t type)
{
	fe->asked = type;
	fe->tag = type == P9_TVERSION ? P9_NOTAG : (uint16_t)((fe->tag + 1U) % P9_NOTAG);
	return p9_begin(fe->message, fe->msize ? fe->msize : P9_MSIZE_MIN, type, fe->tag);
}

bool session_send(struct ninep *fe, struct task *task, struct p9_writer *request)
{
	size_t length = p9_end(request);
	ssize_t room = p9_room(&fe->out);

	/* The answer to the last request was complete, so that request must have been taken. */
	if (room < 0 || (size_t)room < length || length == 0) {
		device_break(fe, "9pfs: the back-end does not take requests off the ring");
	} else if (p9_available(&fe->in) != 0) {
		device_break(fe, "9pfs: the back-end answers without having been asked");
	} else {
		fe->asker = task;
		p9_produce(&fe->out, fe->message, length);
		if (fe->sent)
			fe->sent(fe->sent_data);
		fe->platform->ops->notify(fe->platform, fe->port);
	}
	return true;
}

/* ---- the beginning of a session ---- */

static bool session_ask(struct ninep *fe, struct task *task)
{
	struct p9_writer request;

	if (fe->session == SESSION_CLEAN && !fe->fids)
		fe->session = SESSION_VERSION;
	switch (fe->session) {
	case SESSION_CLEAN:
		request = session_begin(fe, P9_TCLUNK);
		p9_put_u32(&request, (uint32_t)__builtin_ctz(fe->fids));
		break;
	case SESSION_VERSION:
		request = session_begin(fe, P9_TVERSION);
		p9_put_u32(&request, fe->out.size);
		p9_put_text(&request, P9_VERSION);
		break;
	case SESSION_ATTACH:
		fe->fids |= 1U << FID_ROOT;
		request = session_begin(fe, P9_TATTACH);
		p9_put_u32(&request, FID_ROOT);
		p9_put_u32(&request, P9_NOFID);
		p9_put_text(&request, "root");
		p9_put_text(&request, "");
		p9_put_u32(&request, 0);
		break;
	default:
		return false;
	}
	return session_send(fe, task, &request);
}

static bool version_answer(struct ninep *fe, struct p9_reader *body)
{
	uint32_t msize = p9_get_u32(body);
	size_t length;
	const char *version = p9_get_string(body, &length);

	if (body->failed || msize < P9_MSIZE_MIN || msize > fe->out.size ||
	    length != sizeof(P9_VERSION) - 1 ||
	    __builtin_memcmp(version, P9_VERSION, sizeof(P9_VERSION) - 1) != 0)
		return false;
	fe->msize = msize;
	fe->session = SESSION_ATTACH;
	return true;
}

static bool session_answer(struct ninep *fe, struct task *task, int error, struct p9_reader *body)
{
	(void)task;
	switch (fe->session) {
	case SESSION_CLEAN:
		/* Whether it was known or not, it is not known now. */
		fe->fids &= fe->fids - 1;
		return true;
	case SESSION_VERSION:
		return error == 0 && version_answer(fe, body);
	case SESSION_ATTACH:
		if (error < 0 || !p9_get_bytes(body, P9_QID))
			return false;
		fe->session = SESSION_READY;
		return true;
	default:
		return false;
	}
}

static void session_task_lost(struct ninep *fe, struct task *task, int error)
{
	(void)fe;
	(void)task;
	(void)error;
}

static const struct task_ops session_ops = {session_ask, session_answer, session_task_lost};

void session_init(struct ninep *fe)
{
	fe->session_task.ops = &session_ops;
}

void session_start(struct ninep *fe)
{
	fe->session = SESSION_CLEAN;
	fe->fids = 0;
	fe->msize = 0;
	fe->asked = 0;
	fe->asker = NULL;
}

/* ---- turns ---- */

/* The tasks that share a session, in the order of their turns. */
static struct task *task_at(struct ninep *fe, unsigned int nr)
{
	return nr == 0 ? &fe->jobs.task : &fe->slots[nr - 1].task;
}

#define TASKS (1U + NINEP_SLOTS)

void session_lost(struct ninep *fe, int error)
{
	session_start(fe);
	for (unsigned int nr = 0; nr < TASKS; nr++)
		task_at(fe, nr)->ops->lost(fe, task_at(fe, nr), error);
}

/* The body of an error: what Linux calls it, or EIO for what Linux does not know. */
static int error_of(struct p9_reader *body)
{
	size_t length;
	uint32_t number;

	p9_get_string(body, &length);
	number = p9_get_u32(body);
	return number == 0 || number > 4095 ? -EIO : -(int)number;
}

static bool receive(struct ninep *fe)
{
	ssize_t there = p9_available(&fe->in);
	uint32_t most = fe->msize ? fe->msize : P9_MSIZE_MIN;
	struct task *asker = fe->asker;
	struct p9_header header;
	struct p9_reader body;
	uint8_t asked = fe->asked;
	int error = 0;

	if (there < 0) {
		device_break(fe, "9pfs: the back-end's index is impossible");
		return true;
	}
	if (there < (ssize_t)P9_HEADER)
		return false;
	p9_peek(&fe->in, fe->message, P9_HEADER);
	header = p9_header(fe->message);
	if (header.size < P9_HEADER || header.size > most) {
		device_break(fe, "9pfs: the back-end's answer has an impossible size");
		return true;
	}
	if ((size_t)there < header.size)
		return false;
	p9_peek(&fe->in, fe->message, header.size);
	header = (struct p9_header){header.size, p9_header(fe->message).type,
				    p9_header(fe->message).tag};
	p9_consume(&fe->in, header.size);

	if (header.tag != fe->tag ||
	    (asker && header.type != asked + 1U && header.type != P9_RERROR)) {
		device_break(fe, "9pfs: the back-end answers something else than was asked");
		return true;
	}
	fe->asked = 0;
	fe->asker = NULL;
	if (!asker)
		return true;
	body = p9_reader(fe->message + P9_HEADER, header.size - P9_HEADER);
	if (header.type == P9_RERROR)
		error = error_of(&body);
	if (!asker->ops->answer(fe, asker, error, &body))
		device_break(fe, "9pfs: the back-end's answer makes no sense");
	return true;
}

bool session_turn(struct ninep *fe)
{
	if (fe->asked)
		return receive(fe);
	if (fe->session != SESSION_READY)
		return session_ask(fe, &fe->session_task);
	for (unsigned int i = 0; i < TASKS; i++) {
		struct task *task = task_at(fe, fe->turn);

		fe->turn = (fe->turn + 1) % TASKS;
		if (task->ops->ask(fe, task))
			return true;
	}
	return false;
}
