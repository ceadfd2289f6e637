/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client of the server for its tests: a directory of its own for each test, requests one at a
 * time, and the files as the administrator sees them.
 */
#ifndef XENSTORED_NINEPFSD_CLIENT_FOR_TESTS_H
#define XENSTORED_NINEPFSD_CLIENT_FOR_TESTS_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ninep/wire.h"
#include "ninepfsd/request.h"
#include "ninepfsd/server.h"
#include "ninepfsd/share.h"

#define MSIZE 8192U

static char base[64], root[80];
static struct p9_server *server;
static unsigned char request[65536], reply[MSIZE];
static struct p9_writer out;
static struct p9_reader in;

static inline void serve(const struct share_limits *limits)
{
	if (server)
		p9_server_free(server);
	assert_int_equal(p9_server_new(root, limits, MSIZE, &server), 0);
}

static inline int setup(void **state)
{
	static const struct share_limits none;

	(void)state;
	strcpy(base, "/tmp/test-server.XXXXXX");
	if (!mkdtemp(base))
		return -1;
	snprintf(root, sizeof(root), "%s/share", base);
	serve(&none);
	return 0;
}

static inline int teardown(void **state)
{
	char command[128];

	(void)state;
	p9_server_free(server);
	server = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

/* ---- files as the administrator sees them ---- */

static inline const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static inline void put_file(const char *name, const char *content)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static inline const char *content_of(const char *name)
{
	static char content[1024];
	int fd = open(path_of(name), O_RDONLY);
	ssize_t length;

	if (fd < 0)
		return "(none)";
	length = read(fd, content, sizeof(content) - 1);
	close(fd);
	assert_true(length >= 0);
	content[length] = '\0';
	return content;
}

static inline bool exists(const char *name)
{
	struct stat stat;

	return lstat(path_of(name), &stat) == 0;
}

/* ---- requests ---- */

static inline void begin(uint8_t type)
{
	out = p9_begin(request, sizeof(request), type, 7);
}

/* Sends it: 0, or the error's number. */
static inline int done(void)
{
	size_t length = p9_end(&out);
	struct p9_header header;
	size_t text;

	assert_true(length > 0);
	length = p9_server_answer(server, request, length, reply);
	header = p9_header(reply);
	assert_int_equal(header.size, length);
	assert_true(length <= MSIZE);
	assert_int_equal(header.tag, 7);
	in = p9_reader(reply + P9_HEADER, length - P9_HEADER);
	if (header.type != P9_RERROR) {
		assert_int_equal(header.type, request[4] + 1);
		return 0;
	}
	p9_get_string(&in, &text);
	assert_true(text > 0);
	return (int)p9_get_u32(&in);
}

static inline int attach(uint32_t fid)
{
	begin(P9_TATTACH);
	p9_put_u32(&out, fid);
	p9_put_u32(&out, P9_NOFID);
	p9_put_text(&out, "root");
	p9_put_text(&out, "");
	p9_put_u32(&out, 0);
	return done();
}

/* @names separated by '|'; "": none. */
static inline int walk(uint32_t from, uint32_t to, const char *names)
{
	char copy[4096], *rest = copy, *name;
	struct p9_writer count;
	uint16_t number = 0;

	snprintf(copy, sizeof(copy), "%s", names);
	begin(P9_TWALK);
	p9_put_u32(&out, from);
	p9_put_u32(&out, to);
	count = (struct p9_writer){.start = out.start + out.length, .room = 2};
	p9_put_u16(&out, 0);
	while (*names && (name = strsep(&rest, "|"))) {
		p9_put_text(&out, name);
		number++;
	}
	p9_put_u16(&count, number);
	return done();
}

/* Walks all the way: 0, ENOENT for less, or the error. */
static inline int find(uint32_t to, const char *names)
{
	uint16_t wanted = *names ? 1 : 0;
	int error = walk(0, to, names);

	for (const char *at = names; *at; at++)
		wanted = (uint16_t)(wanted + (*at == '|'));
	if (error)
		return error;
	return p9_get_u16(&in) == wanted ? 0 : ENOENT;
}

static inline int open_fid(uint32_t fid, uint8_t mode)
{
	begin(P9_TOPEN);
	p9_put_u32(&out, fid);
	p9_put_u8(&out, mode);
	return done();
}

static inline int create(uint32_t fid, const char *name, uint32_t perm, uint8_t mode)
{
	begin(P9_TCREATE);
	p9_put_u32(&out, fid);
	p9_put_text(&out, name);
	p9_put_u32(&out, perm);
	p9_put_u8(&out, mode);
	p9_put_text(&out, "");
	return done();
}

static inline int simple(uint8_t type, uint32_t fid)
{
	begin(type);
	p9_put_u32(&out, fid);
	return done();
}

static inline int clunk(uint32_t fid)
{
	return simple(P9_TCLUNK, fid);
}

static inline int write_at(uint32_t fid, uint64_t offset, const void *bytes, uint32_t length)
{
	begin(P9_TWRITE);
	p9_put_u32(&out, fid);
	p9_put_u64(&out, offset);
	p9_put_u32(&out, length);
	p9_put_bytes(&out, bytes, length);
	return done();
}

static inline int read_at(uint32_t fid, uint64_t offset, uint32_t count)
{
	begin(P9_TREAD);
	p9_put_u32(&out, fid);
	p9_put_u64(&out, offset);
	p9_put_u32(&out, count);
	return done();
}

/* A new file with a content, by fid 1. */
static inline int make(const char *name, const void *bytes, uint32_t length)
{
	int error = walk(0, 1, "");

	if (!error)
		error = create(1, name, 0600, P9_OWRITE);
	if (!error)
		error = write_at(1, 0, bytes, length);
	clunk(1);
	return error;
}

static inline int wstat(uint32_t fid, uint32_t mode, uint64_t length, const char *name,
			uint32_t uid)
{
	static const unsigned char ones[64] = {
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
		255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255,
	};

	begin(P9_TWSTAT);
	p9_put_u32(&out, fid);
	p9_put_u16(&out, 0);
	p9_put_u16(&out, 0);
	p9_put_bytes(&out, ones, 2 + 4 + P9_QID);
	p9_put_u32(&out, mode);
	p9_put_bytes(&out, ones, 8);
	p9_put_u64(&out, length);
	p9_put_text(&out, name);
	for (unsigned int i = 0; i < 4; i++)
		p9_put_text(&out, "");
	p9_put_u32(&out, uid);
	p9_put_u32(&out, UINT32_MAX);
	p9_put_u32(&out, UINT32_MAX);
	return done();
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

#endif
