/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Lines that wait to be written to the end of a file. The queue is bounded; what finds no room is
 * counted, and as soon as there is room again a line in the file says so. What was sent but not
 * answered stays in the queue, so it is written twice rather than never when a
 * connection breaks at that moment.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "ninep/session.h"

/* After an error of the file: milliseconds until the next attempt. */
#define DELAY_FIRST 1000U
#define DELAY_MAX   30000U

/* A file may be rotated or truncated by others: milliseconds until it is opened anew by its name.
 */
#define OPEN_TIME 60000U

#define NOTICE_MAX 128U

static void put_off(struct ninep *fe, struct slot *slot)
{
	slot->delay = slot->delay ? slot->delay * 2 : DELAY_FIRST;
	if (slot->delay > DELAY_MAX)
		slot->delay = DELAY_MAX;
	slot->retry_at = fe->platform->ops->now(fe->platform) + slot->delay;
}

static bool send_write(struct ninep *fe, struct slot *slot)
{
	size_t length = fe->msize - P9_WRITE_HEADER, part = SLOT_QUEUE - slot->start;
	struct p9_writer request = session_begin(fe, P9_TWRITE);

	if (length > slot->count)
		length = slot->count;
	if (part > length)
		part = length;
	slot->asked = slot->sent = length;
	p9_put_u32(&request, slot->file.fid);
	p9_put_u64(&request, slot->offset);
	p9_put_u32(&request, (uint32_t)length);
	p9_put_bytes(&request, slot->queue + slot->start, part);
	p9_put_bytes(&request, slot->queue, length - part);
	return session_send(fe, &slot->task, &request);
}

static bool slot_ask(struct ninep *fe, struct task *task)
{
	struct slot *slot = (struct slot *)task;
	uint64_t now = fe->platform->ops->now(fe->platform);

	if (slot->file.state == FILE_CLOSED) {
		if (!slot->name[0] || !slot->count || now < slot->retry_at)
			return false;
		slot->reopen = false;
		slot->opened_at = now;
		file_open(&slot->file, slot->name, P9_OWRITE, true, true);
	} else if (slot->file.state == FILE_READY) {
		if (!slot->reopen && !slot->count)
			return false;
		if (!slot->reopen && now - slot->opened_at < OPEN_TIME)
			return send_write(fe, slot);
		file_close(&slot->file, 0);
	}
	return file_ask(fe, &slot->file, task);
}

static bool write_answer(struct ninep *fe, struct slot *slot, int error, struct p9_reader *body)
{
	uint32_t written = error ? 0 : p9_get_u32(body);

	if (written > slot->asked || (!error && body->failed))
		return false;
	if (written == 0) {
		put_off(fe, slot);
		file_close(&slot->file, error ? error : -EIO);
		return true;
	}
	slot->offset += written;
	if (written > slot->sent)
		written = (uint32_t)slot->sent;
	slot->start = (slot->start + written) % SLOT_QUEUE;
	slot->count -= written;
	slot->delay = 0;
	return true;
}

static bool slot_answer(struct ninep *fe, struct task *task, int error, struct p9_reader *body)
{
	struct slot *slot = (struct slot *)task;
	bool fine;

	if (slot->file.state == FILE_READY)
		return write_answer(fe, slot, error, body);
	fine = file_answer(fe, &slot->file, error, body);
	if (slot->file.state == FILE_READY)
		slot->offset = slot->file.length;
	else if (slot->file.state == FILE_CLOSED && slot->file.error)
		put_off(fe, slot);
	return fine;
}

static void slot_lost(struct ninep *fe, struct task *task, int error)
{
	struct slot *slot = (struct slot *)task;

	(void)fe;
	(void)error;
	slot->file.state = FILE_CLOSED;
	slot->retry_at = 0;
	slot->delay = 0;
}

static const struct task_ops slot_ops = {slot_ask, slot_answer, slot_lost};

void slot_init(struct slot *slot, uint32_t fid, unsigned char *queue)
{
	slot->task.ops = &slot_ops;
	slot->file.fid = fid;
	slot->queue = queue;
}

int ninep_append_open(struct ninep *fe, enum ninep_slot nr, const char *name)
{
	struct slot *slot = &fe->slots[nr];

	if (name && !file_name_ok(name))
		return -EINVAL;
	slot->reopen = true;
	slot->retry_at = 0;
	slot->delay = 0;
	memset(slot->name, 0, sizeof(slot->name));
	if (name)
		memcpy(slot->name, name, strlen(name));
	else
		slot->count = slot->sent = 0;
	return 0;
}

static void enqueue(struct slot *slot, const void *text, size_t length)
{
	size_t end = (slot->start + slot->count) % SLOT_QUEUE, part = SLOT_QUEUE - end;

	if (part > length)
		part = length;
	memcpy(slot->queue + end, text, part);
	memcpy(slot->queue, (const char *)text + part, length - part);
	slot->count += length;
}

static uint64_t lines_in(const char *text, size_t length)
{
	uint64_t lines = 0;

	for (size_t i = 0; i < length; i++)
		lines += text[i] == '\n';
	return lines ? lines : 1;
}

bool ninep_append(struct ninep *fe, enum ninep_slot nr, const void *text, size_t length)
{
	struct slot *slot = &fe->slots[nr];
	char notice[NOTICE_MAX];
	size_t more = 0;

	if (!slot->name[0] || !length)
		return true;
	if (slot->untold_lines)
		more = (size_t)snprintf(
			notice, sizeof(notice), "[%llu lines with %llu bytes were lost here]\n",
			(unsigned long long)slot->untold_lines, (unsigned long long)slot->untold);
	if (length > SLOT_QUEUE - slot->count || more > SLOT_QUEUE - slot->count - length) {
		uint64_t lines = lines_in(text, length);

		slot->dropped += length;
		slot->dropped_lines += lines;
		slot->untold += length;
		slot->untold_lines += lines;
		return false;
	}
	if (more)
		enqueue(slot, notice, more);
	slot->untold = slot->untold_lines = 0;
	enqueue(slot, text, length);
	fe->more = true;
	return true;
}

uint64_t ninep_dropped_lines(const struct ninep *fe, enum ninep_slot slot)
{
	return fe->slots[slot].dropped_lines;
}
