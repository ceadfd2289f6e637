/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How a file is opened: walk to it; if it is not there, walk to its directory and create it. After
 * a failed creation some back-ends have moved the fid to the child and some have not, so it is
 * given up and all begins anew.
 *
 * Spec: stubdom.md section 5 (behaviour of xen-9pfsd).
 */
#include <errno.h>
#include <string.h>

#include "ninep/session.h"

/* Others may create and remove the file while we look, but not for ever. */
#define TRIES_MAX 3U

#define CREATE_MODE 0600U

/* Calls for each component; returns their number, 0 when the name is not acceptable. */
static unsigned int components(const char *name, struct p9_writer *writer, unsigned int most)
{
	unsigned int count = 0;

	while (count < P9_WALK_MAX) {
		size_t length = strcspn(name, "/");

		if (length == 0 || (length == 1 && name[0] == '.') ||
		    (length == 2 && name[0] == '.' && name[1] == '.'))
			return 0;
		if (writer && count < most)
			p9_put_string(writer, name, length);
		count++;
		if (!name[length])
			return count;
		name += length + 1;
	}
	return 0;
}

bool file_name_ok(const char *name)
{
	return strlen(name) <= NINEP_NAME_MAX && components(name, NULL, 0) > 0;
}

void file_open(struct file *file, const char *name, uint8_t mode, bool create, bool measure)
{
	*file = (struct file){.fid = file->fid,
			      .mode = mode,
			      .create = create,
			      .measure = measure,
			      .state = FILE_WALK};
	memcpy(file->name, name, strlen(name));
}

void file_close(struct file *file, int error)
{
	file->error = error;
	file->again = false;
	file->state = FILE_CLUNK;
}

bool file_ask(struct ninep *fe, struct file *file, struct task *task)
{
	unsigned int depth = components(file->name, NULL, 0);
	struct p9_writer request;
	const char *last;

	switch (file->state) {
	case FILE_WALK:
	case FILE_CLONE:
		file->names = file->state == FILE_WALK ? depth : depth - 1;
		fe->fids |= 1U << file->fid;
		request = session_begin(fe, P9_TWALK);
		p9_put_u32(&request, FID_ROOT);
		p9_put_u32(&request, file->fid);
		p9_put_u16(&request, (uint16_t)file->names);
		components(file->name, &request, file->names);
		break;
	case FILE_OPEN:
		request = session_begin(fe, P9_TOPEN);
		p9_put_u32(&request, file->fid);
		p9_put_u8(&request, file->mode);
		break;
	case FILE_CREATE:
		last = strrchr(file->name, '/');
		request = session_begin(fe, P9_TCREATE);
		p9_put_u32(&request, file->fid);
		p9_put_text(&request, last ? last + 1 : file->name);
		p9_put_u32(&request, CREATE_MODE);
		p9_put_u8(&request, file->mode & (uint8_t)~P9_OTRUNC);
		p9_put_text(&request, "");
		break;
	case FILE_STAT:
		request = session_begin(fe, P9_TSTAT);
		p9_put_u32(&request, file->fid);
		break;
	case FILE_CLUNK:
		request = session_begin(fe, P9_TCLUNK);
		p9_put_u32(&request, file->fid);
		break;
	default:
		return false;
	}
	return session_send(fe, task, &request);
}

/* Gives the fid up; then begins again, or stays closed for the reason @error. */
static bool give_up(struct file *file, int error, bool again)
{
	file->error = error;
	file->again = again && ++file->tries < TRIES_MAX;
	file->state = FILE_CLUNK;
	return true;
}

/* Without a fid there is nothing to be given up. */
static bool fail(struct ninep *fe, struct file *file, int error)
{
	fe->fids &= ~(1U << file->fid);
	file->error = error;
	file->state = FILE_CLOSED;
	return true;
}

static bool walk_answer(struct ninep *fe, struct file *file, int error, struct p9_reader *body)
{
	unsigned int count = error ? 0 : p9_get_u16(body);
	uint8_t type = P9_QTDIR;

	if (count > file->names)
		return false;
	for (unsigned int i = 0; i < count; i++) {
		type = p9_get_u8(body);
		p9_get_bytes(body, P9_QID - 1);
	}
	if (body->failed && !error)
		return false;
	if (error == 0 && count < file->names)
		error = -ENOENT;
	if (error == -ENOENT && file->state == FILE_WALK && file->create) {
		fe->fids &= ~(1U << file->fid);
		file->state = FILE_CLONE;
		return true;
	}
	if (error)
		return fail(fe, file, error);
	if (file->state == FILE_CLONE) {
		file->state = FILE_CREATE;
		return true;
	}
	if (type & P9_QTDIR)
		return give_up(file, -EISDIR, false);
	file->state = FILE_OPEN;
	return true;
}

static bool stat_answer(struct file *file, struct p9_reader *body)
{
	p9_get_u16(body);
	p9_get_u16(body); /* the inner size: wrong in some versions */
	p9_get_u16(body);
	p9_get_u32(body);
	p9_get_bytes(body, P9_QID);
	p9_get_u32(body);
	p9_get_u32(body);
	p9_get_u32(body);
	file->length = p9_get_u64(body);
	file->state = FILE_READY;
	return !body->failed;
}

bool file_answer(struct ninep *fe, struct file *file, int error, struct p9_reader *body)
{
	switch (file->state) {
	case FILE_WALK:
	case FILE_CLONE:
		return walk_answer(fe, file, error, body);
	case FILE_OPEN:
	case FILE_CREATE:
		if (error)
			return give_up(file, error,
				       file->create && (error == -EEXIST || error == -ENOENT));
		file->state = file->measure ? FILE_STAT : FILE_READY;
		return true;
	case FILE_STAT:
		return error ? give_up(file, error, false) : stat_answer(file, body);
	case FILE_CLUNK:
		fe->fids &= ~(1U << file->fid);
		if (error && !file->error)
			file->error = error;
		file->state = file->again ? FILE_WALK : FILE_CLOSED;
		if (file->again)
			file->error = 0;
		file->again = false;
		return true;
	default:
		return false;
	}
}
