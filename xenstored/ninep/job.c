/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Whole files, one after another. A job's pieces go straight into or come straight out of the
 * message, so a job of any length needs no memory here.
 */
#include <errno.h>

#include "ninep/session.h"

static void begin(struct jobs *jobs)
{
	static const struct {
		uint8_t mode;
		bool create;
	} how[] = {
		[NINEP_WRITE] = {P9_OWRITE | P9_OTRUNC, true},
		[NINEP_READ] = {P9_OREAD, false},
		[NINEP_REMOVE] = {P9_OREAD | P9_ORCLOSE, false},
	};
	struct ninep_job *job = jobs->first;

	jobs->first = job->next;
	if (!jobs->first)
		jobs->last = &jobs->first;
	jobs->current = job;
	jobs->offset = 0;
	file_open(&jobs->file, job->name, how[job->kind].mode, how[job->kind].create, false);
}

/* The file is closed again. */
static void finish(struct jobs *jobs, int error)
{
	struct ninep_job *job = jobs->current;

	jobs->current = NULL;
	if (!job)
		return;
	if (job->kind == NINEP_REMOVE && error == -ENOENT)
		error = 0;
	job->queued = false;
	if (job->done)
		job->done(job, error);
}

static bool send_piece(struct ninep *fe, struct jobs *jobs)
{
	struct p9_writer request = session_begin(fe, P9_TWRITE);
	size_t room;
	ssize_t length;
	char *piece;

	p9_put_u32(&request, jobs->file.fid);
	p9_put_u64(&request, jobs->offset);
	p9_put_u32(&request, 0);
	piece = p9_space(&request, &room);
	length = jobs->current->fill(jobs->current, jobs->offset, piece, room);
	if (length > 0 && (size_t)length <= room) {
		struct p9_writer count = {.start = (unsigned char *)piece - 4, .room = 4};

		p9_put_u32(&count, (uint32_t)length);
		p9_skip(&request, (size_t)length);
		jobs->asked = (size_t)length;
		return session_send(fe, &jobs->task, &request);
	}
	fe->asked = 0;
	file_close(&jobs->file, length > 0 ? -EINVAL : (int)length);
	return file_ask(fe, &jobs->file, &jobs->task);
}

static bool send_read(struct ninep *fe, struct jobs *jobs)
{
	struct p9_writer request = session_begin(fe, P9_TREAD);

	jobs->asked = fe->msize - P9_READ_HEADER;
	p9_put_u32(&request, jobs->file.fid);
	p9_put_u64(&request, jobs->offset);
	p9_put_u32(&request, (uint32_t)jobs->asked);
	return session_send(fe, &jobs->task, &request);
}

/* A cancelled job's file, with no request under way: gives up the fid, if there is one. */
static void abandon(struct file *file)
{
	if (file->state == FILE_WALK || file->state == FILE_CLONE)
		file->state = FILE_CLOSED;
	else
		file_close(file, 0);
}

static bool jobs_ask(struct ninep *fe, struct task *task)
{
	struct jobs *jobs = (struct jobs *)task;

	if (!jobs->current && jobs->file.state != FILE_CLOSED)
		abandon(&jobs->file);
	if (jobs->file.state == FILE_CLOSED) {
		if (!jobs->first)
			return false;
		begin(jobs);
	} else if (jobs->file.state == FILE_READY) {
		if (jobs->current->kind == NINEP_WRITE)
			return send_piece(fe, jobs);
		if (jobs->current->kind == NINEP_READ)
			return send_read(fe, jobs);
		file_close(&jobs->file, 0);
	}
	return file_ask(fe, &jobs->file, task);
}

static bool piece_answer(struct jobs *jobs, int error, struct p9_reader *body)
{
	struct ninep_job *job = jobs->current;
	bool reading = job && job->kind == NINEP_READ;
	uint32_t length = error ? 0 : p9_get_u32(body);
	const void *piece = reading && !error ? p9_get_bytes(body, length) : NULL;

	if (length > jobs->asked || (body->failed && !error))
		return false;
	if (!error && reading && length)
		error = job->take(job, jobs->offset, piece, length);
	/*
	 * What was written in part only is filled in again from the new offset; nothing at all
	 * would go on for ever.
	 */
	if (!error && !reading && length == 0)
		error = -EIO;
	if (error || length == 0)
		file_close(&jobs->file, error);
	jobs->offset += length;
	return true;
}

static bool jobs_answer(struct ninep *fe, struct task *task, int error, struct p9_reader *body)
{
	struct jobs *jobs = (struct jobs *)task;
	bool fine;

	if (jobs->file.state == FILE_READY && jobs->current)
		return piece_answer(jobs, error, body);
	if (jobs->file.state == FILE_READY) {
		file_close(&jobs->file, 0);
		return true;
	}
	fine = file_answer(fe, &jobs->file, error, body);
	if (fine && jobs->file.state == FILE_CLOSED)
		finish(jobs, jobs->file.error);
	return fine;
}

static void jobs_lost(struct ninep *fe, struct task *task, int error)
{
	struct jobs *jobs = (struct jobs *)task;

	(void)fe;
	jobs->file.state = FILE_CLOSED;
	finish(jobs, error);
}

static const struct task_ops jobs_ops = {jobs_ask, jobs_answer, jobs_lost};

void jobs_init(struct jobs *jobs)
{
	jobs->task.ops = &jobs_ops;
	jobs->file.fid = FID_JOB;
	jobs->last = &jobs->first;
}

int ninep_submit(struct ninep *fe, struct ninep_job *job)
{
	if (!file_name_ok(job->name))
		return -EINVAL;
	if (job->queued)
		return -EBUSY;
	job->queued = true;
	job->next = NULL;
	*fe->jobs.last = job;
	fe->jobs.last = &job->next;
	fe->more = true;
	return 0;
}

void ninep_cancel(struct ninep *fe, struct ninep_job *job)
{
	struct jobs *jobs = &fe->jobs;

	job->queued = false;
	if (jobs->current == job) {
		jobs->current = NULL;
		return;
	}
	for (struct ninep_job **link = &jobs->first; *link; link = &(*link)->next) {
		if (*link != job)
			continue;
		*link = job->next;
		if (!*link)
			jobs->last = link;
		return;
	}
}
