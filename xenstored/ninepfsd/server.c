/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests. Each handler reads all of its arguments before it does anything; a request that is
 * shorter than it should be is refused and has no effect.
 */
#include "ninepfsd/server.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "ninepfsd/request.h"

#define OPEN_APPEND 0x80U
#define OPEN_MODES  (P9_ORDWR | P9_OWRITE | P9_OTRUNC | P9_ORCLOSE | OPEN_APPEND)

/* Kinds of files that may not be created: links, devices, pipes, sockets, set-id and the like. */
#define SPECIAL_FILES (~(P9_DMDIR | 0777U))

/* ---- fids ---- */

static int handle_version(struct request *request)
{
	uint32_t msize = p9_get_u32(&request->body);
	size_t length;
	const char *version = p9_get_string(&request->body, &length);

	if (request->body.failed)
		return -EPROTO;
	if (msize < P9_MSIZE_MIN)
		return -EMSGSIZE;
	if (length != strlen(P9_VERSION) || memcmp(version, P9_VERSION, length) != 0) {
		version = "unknown";
	} else {
		version = P9_VERSION;
		if (msize < request->server->msize)
			request->server->msize = msize;
	}
	p9_put_u32(&request->answer, request->server->msize);
	p9_put_text(&request->answer, version);
	return 0;
}

static int handle_attach(struct request *request)
{
	struct p9_server *server = request->server;
	uint32_t number = p9_get_u32(&request->body);
	struct fid *fid = fid_free(&server->fids);
	struct stat root;
	size_t length;
	int found;

	p9_get_u32(&request->body);
	p9_get_string(&request->body, &length);
	p9_get_string(&request->body, &length);
	if (request->body.failed)
		return -EPROTO;
	if (fid_find(&server->fids, number) || number == P9_NOFID)
		return -EBADF;
	if (!fid)
		return -EMFILE;
	found = share_find(&server->share, "", &root);
	if (found < 0)
		return found;
	close(found);
	fid_take(fid, number, "");
	put_qid(&request->answer, &root);
	return 0;
}

/* Appends a component to a path. False: the result names nothing that can exist. */
static bool join(char *path, const char *name, size_t length)
{
	size_t end = strlen(path), depth = 1;

	if (!share_name_ok(name, length))
		return false;
	for (size_t i = 0; i < end; i++)
		depth += path[i] == '/';
	if (end + 1 + length > SHARE_PATH_MAX || depth >= SHARE_DEPTH_MAX)
		return false;
	if (end)
		path[end++] = '/';
	memcpy(path + end, name, length);
	path[end + length] = '\0';
	return true;
}

/* Walks over as many names as exist; their number, or the error of the first. */
static int walk_names(struct request *request, char *path, unsigned int count)
{
	struct share *share = &request->server->share;
	unsigned int done;

	for (done = 0; done < count; done++) {
		size_t length;
		const char *name = p9_get_string(&request->body, &length);
		struct stat file;
		int found = -ENOENT;

		if (join(path, name, length))
			found = share_find(share, path, &file);
		if (found < 0)
			return done ? (int)done : found;
		close(found);
		put_qid(&request->answer, &file);
	}
	return (int)done;
}

static int handle_walk(struct request *request)
{
	struct fid_table *fids = &request->server->fids;
	struct fid *fid = fid_find(fids, p9_get_u32(&request->body)), *target;
	uint32_t number = p9_get_u32(&request->body);
	unsigned int count = p9_get_u16(&request->body);
	struct p9_writer counter = {.start = request->answer.start + P9_HEADER, .room = 2};
	struct p9_reader names = request->body;
	char path[SHARE_PATH_MAX + 1];
	size_t length;
	int done;

	for (unsigned int i = 0; i < count && !names.failed; i++)
		p9_get_string(&names, &length);
	if (request->body.failed || names.failed || count > P9_WALK_MAX)
		return -EPROTO;
	if (!fid)
		return -EBADF;
	if (fid->fd >= 0)
		return -EINVAL;
	target = number == fid->number ? fid : fid_free(fids);
	if (number == P9_NOFID || (target != fid && fid_find(fids, number)))
		return -EBADF;
	if (!target)
		return -EMFILE;
	memcpy(path, fid->path, sizeof(path));
	p9_put_u16(&request->answer, 0);
	done = walk_names(request, path, count);
	if (done < 0)
		return done;
	p9_put_u16(&counter, (uint16_t)done);
	if ((unsigned int)done == count)
		fid_take(target, number, path);
	return 0;
}

static bool has_open(const struct fid *fid, ino_t inode)
{
	return fid->used && fid->fd >= 0 && fid->inode == inode;
}

/* There is one file system, so the number says which file it is. */
static bool is_open(void *context, const struct stat *file)
{
	const struct p9_server *server = context;

	for (unsigned int i = 0; i < server->fids.size; i++)
		if (has_open(&server->fids.fids[i], file->st_ino))
			return true;
	return false;
}

/* Closes its file. One that has no name any more takes no space from then on. */
static void release(struct p9_server *server, struct fid *fid)
{
	struct stat file;
	bool unnamed = fid->fd >= 0 && fstat(fid->fd, &file) == 0 && S_ISREG(file.st_mode) &&
		       file.st_nlink == 0;

	fid_release(fid);
	if (unnamed && !is_open(server, &file))
		share_freed(&server->share, (uint64_t)file.st_size);
}

/* Forgets the fid, and removes its file if that was asked for. */
static int clunk(struct p9_server *server, struct fid *fid, bool remove)
{
	char path[SHARE_PATH_MAX + 1];
	struct stat file;
	int found = fid->fd, error = 0;

	memcpy(path, fid->path, sizeof(path));
	if (remove) {
		/* What was opened is removed, not what has taken its name since. */
		if (fid->fd < 0)
			found = share_find(&server->share, path, &file);
		else if (fstat(fid->fd, &file) < 0)
			found = -errno;
		if (found >= 0 && fid->fd < 0)
			close(found);
		error = found < 0 ? found : 0;
	}
	release(server, fid);
	if (remove && !error)
		error = share_remove(&server->share, path, &file);
	return error;
}

static int handle_clunk(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));

	if (request->body.failed)
		return -EPROTO;
	return fid ? clunk(request->server, fid, fid->remove) : -EBADF;
}

static int handle_remove(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));

	if (request->body.failed)
		return -EPROTO;
	return fid ? clunk(request->server, fid, true) : -EBADF;
}

/* Requests are answered one after another, so there is never one to be given up. */
static int handle_flush(struct request *request)
{
	p9_get_u16(&request->body);
	return request->body.failed ? -EPROTO : 0;
}

/* ---- open files ---- */

static int flags_of(uint8_t mode)
{
	static const int access[] = {O_RDONLY, O_WRONLY, O_RDWR};

	if (mode & (uint8_t)~OPEN_MODES || (mode & 3U) == 3U)
		return -EINVAL;
	return access[mode & 3U] | (mode & OPEN_APPEND ? O_APPEND : 0);
}

/* The fid stands for the open file from now on; the answer tells of it. */
static int opened(struct request *request, struct fid *fid, int fd, uint8_t mode)
{
	struct stat file;

	if (fstat(fd, &file) < 0) {
		close(fd);
		return -errno;
	}
	if (S_ISDIR(file.st_mode)) {
		fid->listing = fdopendir(fd);
		if (!fid->listing) {
			close(fd);
			return -ENOMEM;
		}
	}
	fid->fd = fd;
	fid->inode = file.st_ino;
	fid->readable = (mode & 3U) != P9_OWRITE;
	fid->writable = (mode & 3U) != P9_OREAD;
	fid->append = (mode & OPEN_APPEND) != 0;
	fid->remove = (mode & P9_ORCLOSE) != 0;
	put_qid(&request->answer, &file);
	p9_put_u32(&request->answer, request->server->msize - P9_WRITE_HEADER);
	return 0;
}

static int handle_open(struct request *request)
{
	struct share *share = &request->server->share;
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	uint8_t mode = p9_get_u8(&request->body);
	int flags = flags_of(mode), found, fd, error;
	struct stat file;

	if (request->body.failed)
		return -EPROTO;
	if (!fid)
		return -EBADF;
	if (fid->fd >= 0 || flags < 0)
		return -EINVAL;
	found = share_find(share, fid->path, &file);
	if (found < 0)
		return found;
	if (S_ISDIR(file.st_mode) && mode != P9_OREAD)
		fd = -EISDIR;
	else
		fd = share_reopen(found, flags);
	close(found);
	if (fd < 0)
		return fd;
	error = mode & P9_OTRUNC && (mode & 3U) != P9_OREAD ? share_truncate(share, fd, 0) : 0;
	if (error < 0) {
		close(fd);
		return error;
	}
	return opened(request, fid, fd, mode);
}

static int handle_create(struct request *request)
{
	struct share *share = &request->server->share;
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	size_t length, extension;
	const char *name = p9_get_string(&request->body, &length);
	uint32_t perm = p9_get_u32(&request->body);
	uint8_t mode = p9_get_u8(&request->body);
	int flags = flags_of(mode), fd, error;
	char path[SHARE_PATH_MAX + 1], child[SHARE_NAME_MAX + 1];

	p9_get_string(&request->body, &extension);
	if (request->body.failed)
		return -EPROTO;
	if (!fid)
		return -EBADF;
	if (fid->fd >= 0 || flags < 0)
		return -EINVAL;
	if (perm & SPECIAL_FILES)
		return -EPERM;
	memcpy(path, fid->path, sizeof(path));
	if (!join(path, name, length))
		return -EINVAL;
	memcpy(child, name, length);
	child[length] = '\0';
	if (!(perm & P9_DMDIR))
		fd = share_create(share, fid->path, child, flags, perm);
	else if (mode != P9_OREAD)
		fd = -EISDIR;
	else
		fd = share_mkdir(share, fid->path, child, perm);
	if (fd < 0)
		return fd;
	error = opened(request, fid, fd, mode);
	if (error == 0)
		memcpy(fid->path, path, sizeof(path));
	return error;
}

static int handle_read(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	uint64_t offset = p9_get_u64(&request->body);
	uint32_t count = p9_get_u32(&request->body);
	struct p9_writer size = {.start = request->answer.start + P9_HEADER, .room = 4};
	size_t room;
	ssize_t done;
	void *to;

	if (request->body.failed)
		return -EPROTO;
	if (!fid || fid->fd < 0 || !fid->readable)
		return -EBADF;
	if (count > request->server->msize - P9_READ_HEADER)
		count = request->server->msize - P9_READ_HEADER;
	if (fid->listing)
		return read_listing(request, fid, offset, count);
	if (offset > INT64_MAX)
		return -EINVAL;
	p9_put_u32(&request->answer, 0);
	to = p9_space(&request->answer, &room);
	do {
		done = pread(fid->fd, to, count < room ? count : room, (off_t)offset);
	} while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	p9_put_u32(&size, (uint32_t)done);
	p9_skip(&request->answer, (size_t)done);
	return 0;
}

static int handle_write(struct request *request)
{
	struct fid *fid = fid_find(&request->server->fids, p9_get_u32(&request->body));
	uint64_t offset = p9_get_u64(&request->body);
	uint32_t count = p9_get_u32(&request->body);
	const void *bytes = p9_get_bytes(&request->body, count);
	ssize_t done;

	if (request->body.failed)
		return -EPROTO;
	if (!fid || fid->fd < 0 || !fid->writable)
		return -EBADF;
	done = share_write(&request->server->share, fid->fd, bytes, count, offset, fid->append);
	if (done < 0)
		return (int)done;
	p9_put_u32(&request->answer, (uint32_t)done);
	return 0;
}

/* ---- the server ---- */

typedef int handler(struct request *request);

static handler *handler_of(uint8_t type)
{
	static handler *const handlers[P9_TWSTAT + 1] = {
		[P9_TVERSION] = handle_version, [P9_TATTACH] = handle_attach,
		[P9_TFLUSH] = handle_flush,	[P9_TWALK] = handle_walk,
		[P9_TOPEN] = handle_open,	[P9_TCREATE] = handle_create,
		[P9_TREAD] = handle_read,	[P9_TWRITE] = handle_write,
		[P9_TCLUNK] = handle_clunk,	[P9_TREMOVE] = handle_remove,
		[P9_TSTAT] = handle_stat,	[P9_TWSTAT] = handle_wstat,
	};

	return type <= P9_TWSTAT ? handlers[type] : NULL;
}

size_t p9_server_answer(struct p9_server *server, const void *bytes, size_t length, void *reply)
{
	struct p9_header header = p9_header(bytes);
	handler *handle = handler_of(header.type);
	struct request request = {
		.server = server,
		.body = p9_reader((const char *)bytes + P9_HEADER, length - P9_HEADER),
		.answer = p9_begin(reply, server->msize, (uint8_t)(header.type + 1U), header.tag),
	};
	int error = -EOPNOTSUPP;
	size_t size = 0;

	if (length > server->msize)
		error = -EMSGSIZE;
	else if (handle)
		error = handle(&request);
	if (error == 0)
		size = p9_end(&request.answer);
	if (size)
		return size;
	if (error == 0)
		error = -EMSGSIZE;
	request.answer = p9_begin(reply, server->msize, P9_RERROR, header.tag);
	p9_put_text(&request.answer, strerrordesc_np(-error) ? strerrordesc_np(-error) : "");
	p9_put_u32(&request.answer, (uint32_t)-error);
	return p9_end(&request.answer);
}

/* Whether a fid before this one has the same file open. */
static bool met_before(const struct fid_table *fids, unsigned int number)
{
	for (unsigned int i = 0; i < number; i++)
		if (has_open(&fids->fids[i], fids->fids[number].inode))
			return true;
	return false;
}

static void held(void *context, struct share_held *held)
{
	const struct p9_server *server = context;
	struct stat file;

	*held = (struct share_held){0};
	for (unsigned int i = 0; i < server->fids.size; i++) {
		const struct fid *fid = &server->fids.fids[i];

		if (!fid->used || fid->fd < 0 || met_before(&server->fids, i) ||
		    fstat(fid->fd, &file) < 0 || !S_ISREG(file.st_mode))
			continue;
		held->space += (uint64_t)file.st_size;
		if (file.st_nlink == 0)
			held->unnamed += (uint64_t)file.st_size;
		else
			held->files++;
	}
}

int p9_server_new(const char *directory, const struct share_limits *limits, uint32_t msize,
		  struct p9_server **result)
{
	struct p9_server *server = calloc(1, sizeof(*server));
	int error;

	if (!server)
		return -ENOMEM;
	server->msize = msize;
	error = share_init(&server->share, directory, limits);
	if (error == 0)
		error = fid_table_init(&server->fids, server->share.limits.max_open);
	if (error < 0) {
		p9_server_free(server);
		return error;
	}
	server->share.is_open = is_open;
	server->share.held = held;
	server->share.context = server;
	*result = server;
	return 0;
}

bool p9_server_has_directory(const struct p9_server *server)
{
	struct stat root;

	return fstat(server->share.root, &root) == 0 && root.st_nlink > 0;
}

int p9_server_root(const struct p9_server *server)
{
	return server->share.root;
}

void p9_server_free(struct p9_server *server)
{
	fid_table_deinit(&server->fids);
	share_deinit(&server->share);
	free(server);
}
