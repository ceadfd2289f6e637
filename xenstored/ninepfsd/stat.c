/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is told about files, and the little of it that can be changed: length, permissions, times.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "ninepfsd/request.h"

/* Everything in front of the name, without the size itself. */
#define STAT_FIXED (2U + 4U + P9_QID + 4U + 4U + 4U + 8U)

/* Size, fixed part, five strings' lengths, three numbers; the name comes on top. */
#define STAT_LENGTH(name_length) (2U + STAT_FIXED + 10U + (name_length) + 12U)

#define DO_NOT_TOUCH32 UINT32_MAX
#define DO_NOT_TOUCH64 UINT64_MAX

void put_qid(struct p9_writer *answer, const struct stat *file)
{
	p9_put_u8(answer, S_ISDIR(file->st_mode) ? P9_QTDIR : 0);
	p9_put_u32(answer, (uint32_t)file->st_mtim.tv_sec ^ (uint32_t)file->st_mtim.tv_nsec ^
				   (uint32_t)file->st_size);
	p9_put_u64(answer, file->st_ino);
}

static void put_stat(struct p9_writer *answer, const struct stat *file, const char *name)
{
	size_t length = strlen(name);
	bool directory = S_ISDIR(file->st_mode);

	p9_put_u16(answer, (uint16_t)(STAT_LENGTH(length) - 2));
	p9_put_u16(answer, 0);
	p9_put_u32(answer, 0);
	put_qid(answer, file);
	p9_put_u32(answer, (file->st_mode & 0777U) | (directory ? P9_DMDIR : 0));
	p9_put_u32(answer, (uint32_t)file->st_atim.tv_sec);
	p9_put_u32(answer, (uint32_t)file->st_mtim.tv_sec);
	p9_put_u64(answer, directory ? 0 : (uint64_t)file->st_size);
	p9_put_string(answer, name, length);
	p9_put_text(answer, "");
	p9_put_text(answer, "");
	p9_put_text(answer, "");
	p9_put_text(answer, "");
	p9_put_u32(answer, file->st_uid);
	p9_put_u32(answer, file->st_gid);
	p9_put_u32(answer, DO_NOT_TOUCH32);
}

static const char *name_of(const struct fid *fid)
{
	const char *slash = strrchr(fid->path, '/');

	if (!*fid->path)
		return "/";
	return slash ? slash + 1 : fid->path;
}

/* The file itself: the open one, else the one at the path. */
static int stat_of(struct request *request, const struct fid *fid, struct stat *file)
{
	int found;

	if (fid->fd >= 0)
		return fstat(fid->fd, file) < 0 ? -errno : 0;
	found = share_find(&request->server->share, fid->path, file);
	if (found < 0)
		return found;
	close(found);
	return 0;
}

int handle_stat(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	struct stat file;
	int error;

	if (request->body.failed)
		return -EPROTO;
	if (!fid)
		return -EBADF;
	error = stat_of(request, fid, &file);
	if (error < 0)
		return error;
	p9_put_u16(&request->answer, (uint16_t)STAT_LENGTH(strlen(name_of(fid))));
	put_stat(&request->answer, &file, name_of(fid));
	return 0;
}

static int set_times(int fd, uint32_t atime, uint32_t mtime)
{
	struct timespec times[2] = {{.tv_sec = atime}, {.tv_sec = mtime}};

	if (atime == DO_NOT_TOUCH32)
		times[0].tv_nsec = UTIME_OMIT;
	if (mtime == DO_NOT_TOUCH32)
		times[1].tv_nsec = UTIME_OMIT;
	return futimens(fd, times) < 0 ? -errno : 0;
}

struct wanted {
	uint32_t mode, atime, mtime, uid, gid;
	uint64_t length;
	bool rename;
};

static int get_wanted(struct request *request, const struct fid *fid, struct wanted *wanted)
{
	struct p9_reader *body = &request->body;
	const char *name;
	size_t length, other;

	p9_get_u16(body);
	p9_get_u16(body);
	p9_get_u16(body);
	p9_get_u32(body);
	p9_get_bytes(body, P9_QID);
	wanted->mode = p9_get_u32(body);
	wanted->atime = p9_get_u32(body);
	wanted->mtime = p9_get_u32(body);
	wanted->length = p9_get_u64(body);
	name = p9_get_string(body, &length);
	wanted->rename = length && (length != strlen(name_of(fid)) ||
				    memcmp(name, name_of(fid), length) != 0);
	p9_get_string(body, &other);
	p9_get_string(body, &other);
	p9_get_string(body, &other);
	p9_get_string(body, &other);
	wanted->uid = p9_get_u32(body);
	wanted->gid = p9_get_u32(body);
	p9_get_u32(body);
	return body->failed ? -EPROTO : 0;
}

/* What can be done with the file itself, open for writing or (a directory) for reading. */
static int apply(struct request *request, const struct wanted *wanted, const struct stat *file,
		 int fd)
{
	int error = 0;

	if (wanted->length != DO_NOT_TOUCH64)
		error = S_ISREG(file->st_mode)
				? share_truncate(&request->server->share, fd, wanted->length)
				: -EISDIR;
	if (!error && wanted->mode != DO_NOT_TOUCH32 &&
	    fchmod(fd, share_mode(wanted->mode, S_ISDIR(file->st_mode))) < 0)
		error = -errno;
	if (!error && (wanted->atime != DO_NOT_TOUCH32 || wanted->mtime != DO_NOT_TOUCH32))
		error = set_times(fd, wanted->atime, wanted->mtime);
	return error;
}

int handle_wstat(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	struct wanted wanted;
	struct stat file;
	int found, fd, error;

	if (request->body.failed)
		return -EPROTO;
	if (!fid)
		return -EBADF;
	error = get_wanted(request, fid, &wanted);
	if (error < 0)
		return error;
	if (wanted.rename)
		return -EOPNOTSUPP;
	if (wanted.uid != DO_NOT_TOUCH32 || wanted.gid != DO_NOT_TOUCH32)
		return -EPERM;
	/* Who may look into the directory itself is not the domain's business. */
	if (!*fid->path && wanted.mode != DO_NOT_TOUCH32)
		return -EPERM;
	found = share_find(&request->server->share, fid->path, &file);
	if (found < 0)
		return found;
	fd = share_reopen(found, S_ISDIR(file.st_mode) ? O_RDONLY | O_DIRECTORY : O_WRONLY);
	close(found);
	if (fd < 0)
		return fd;
	error = apply(request, &wanted, &file, fd);
	close(fd);
	return error;
}

/* Puts one entry; false: it has no room any more and is to come next time. */
static bool put_entry(struct request *request, struct fid *fid, const char *name, size_t *room)
{
	struct stat file;
	size_t length = STAT_LENGTH(strlen(name));

	if (!share_name_ok(name, strlen(name)) ||
	    fstatat(fid->fd, name, &file, AT_SYMLINK_NOFOLLOW) < 0 ||
	    !(S_ISREG(file.st_mode) || S_ISDIR(file.st_mode)))
		return true;
	if (length > *room)
		return false;
	put_stat(&request->answer, &file, name);
	*room -= length;
	return true;
}

int read_listing(struct request *request, struct fid *fid, uint64_t offset, uint32_t count)
{
	struct p9_writer *answer = &request->answer;
	struct p9_writer size = {.start = answer->start + answer->length, .room = 4};
	size_t room = count, before;
	struct dirent *entry;

	if (offset == 0)
		rewinddir(fid->listing);
	else if (offset != fid->next)
		return -EINVAL;
	p9_put_u32(answer, 0);
	before = answer->length;
	for (;;) {
		long here = telldir(fid->listing);

		entry = readdir(fid->listing);
		if (!entry)
			break;
		if (!put_entry(request, fid, entry->d_name, &room)) {
			seekdir(fid->listing, here);
			break;
		}
	}
	/* An empty piece would mean the end. */
	if (entry && answer->length == before)
		return -EMSGSIZE;
	p9_put_u32(&size, (uint32_t)(answer->length - before));
	fid->next = offset + (answer->length - before);
	return 0;
}
