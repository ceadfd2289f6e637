/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server as a client sees it that does not behave: ways out of the directory, limits, nonsense.
 */
#include "ninepfsd/server.h"

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
#include "ninepfsd/share.h"

#define MSIZE 8192U

static char base[64], root[80];
static struct p9_server *server;
static unsigned char request[65536], reply[MSIZE];
static struct p9_writer out;
static struct p9_reader in;

static void serve(const struct share_limits *limits)
{
	if (server)
		p9_server_free(server);
	assert_int_equal(p9_server_new(root, limits, MSIZE, &server), 0);
}

static int setup(void **state)
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

static int teardown(void **state)
{
	char command[128];

	(void)state;
	p9_server_free(server);
	server = NULL;
	snprintf(command, sizeof(command), "rm -rf %s", base);
	return system(command);
}

/* ---- files as the administrator sees them ---- */

static const char *path_of(const char *name)
{
	static char path[256];

	snprintf(path, sizeof(path), "%s/%s", root, name);
	return path;
}

static void put_file(const char *name, const char *content)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), strlen(content));
	close(fd);
}

static const char *content_of(const char *name)
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

static bool exists(const char *name)
{
	struct stat stat;

	return lstat(path_of(name), &stat) == 0;
}

/* ---- requests ---- */

static void begin(uint8_t type)
{
	out = p9_begin(request, sizeof(request), type, 7);
}

/* Sends it: 0, or the error's number. */
static int done(void)
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

static int attach(uint32_t fid)
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
static int walk(uint32_t from, uint32_t to, const char *names)
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
static int find(uint32_t to, const char *names)
{
	uint16_t wanted = *names ? 1 : 0;
	int error = walk(0, to, names);

	for (const char *at = names; *at; at++)
		wanted = (uint16_t)(wanted + (*at == '|'));
	if (error)
		return error;
	return p9_get_u16(&in) == wanted ? 0 : ENOENT;
}

static int open_fid(uint32_t fid, uint8_t mode)
{
	begin(P9_TOPEN);
	p9_put_u32(&out, fid);
	p9_put_u8(&out, mode);
	return done();
}

static int create(uint32_t fid, const char *name, uint32_t perm, uint8_t mode)
{
	begin(P9_TCREATE);
	p9_put_u32(&out, fid);
	p9_put_text(&out, name);
	p9_put_u32(&out, perm);
	p9_put_u8(&out, mode);
	p9_put_text(&out, "");
	return done();
}

static int simple(uint8_t type, uint32_t fid)
{
	begin(type);
	p9_put_u32(&out, fid);
	return done();
}

static int clunk(uint32_t fid)
{
	return simple(P9_TCLUNK, fid);
}

static int write_at(uint32_t fid, uint64_t offset, const void *bytes, uint32_t length)
{
	begin(P9_TWRITE);
	p9_put_u32(&out, fid);
	p9_put_u64(&out, offset);
	p9_put_u32(&out, length);
	p9_put_bytes(&out, bytes, length);
	return done();
}

static int read_at(uint32_t fid, uint64_t offset, uint32_t count)
{
	begin(P9_TREAD);
	p9_put_u32(&out, fid);
	p9_put_u64(&out, offset);
	p9_put_u32(&out, count);
	return done();
}

/* A new file with a content, by fid 1. */
static int make(const char *name, const void *bytes, uint32_t length)
{
	int error = walk(0, 1, "");

	if (!error)
		error = create(1, name, 0600, P9_OWRITE);
	if (!error)
		error = write_at(1, 0, bytes, length);
	clunk(1);
	return error;
}

/* ---- the beginning ---- */

static void test_version(void **state)
{
	size_t length;
	const char *text;

	(void)state;
	begin(P9_TVERSION);
	p9_put_u32(&out, 1000000);
	p9_put_text(&out, P9_VERSION);
	assert_int_equal(done(), 0);
	assert_int_equal(p9_get_u32(&in), MSIZE);
	text = p9_get_string(&in, &length);
	assert_int_equal(length, strlen(P9_VERSION));
	assert_memory_equal(text, P9_VERSION, length);

	begin(P9_TVERSION);
	p9_put_u32(&out, 4096);
	p9_put_text(&out, "9P2000.L");
	assert_int_equal(done(), 0);
	p9_get_u32(&in);
	text = p9_get_string(&in, &length);
	assert_memory_equal(text, "unknown", 7);

	begin(P9_TVERSION);
	p9_put_u32(&out, 2047);
	p9_put_text(&out, P9_VERSION);
	assert_int_equal(done(), EMSGSIZE);

	/* It shrinks and does not grow again. */
	for (unsigned int i = 0; i < 2; i++) {
		begin(P9_TVERSION);
		p9_put_u32(&out, i ? 8192 : 4096);
		p9_put_text(&out, P9_VERSION);
		assert_int_equal(done(), 0);
		assert_int_equal(p9_get_u32(&in), 4096);
	}
}

static void test_version_leaves_fids(void **state)
{
	(void)state;
	assert_int_equal(attach(0), 0);
	begin(P9_TVERSION);
	p9_put_u32(&out, 4096);
	p9_put_text(&out, P9_VERSION);
	assert_int_equal(done(), 0);
	assert_int_equal(attach(0), EBADF);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(clunk(0), 0);
	assert_int_equal(attach(0), 0);
}

static void test_five_files(void **state)
{
	(void)state;
	assert_int_equal(attach(0), 0);
	for (uint32_t fid = 1; fid < 5; fid++)
		assert_int_equal(walk(0, fid, ""), 0);
	assert_int_equal(walk(0, 5, ""), EMFILE);
	assert_int_equal(attach(5), EMFILE);
	assert_int_equal(walk(0, 4, ""), EBADF);
	assert_int_equal(clunk(4), 0);
	assert_int_equal(walk(0, 5, ""), 0);
	assert_int_equal(clunk(77), EBADF);
}

static void test_as_many_files_as_allowed(void **state)
{
	struct share_limits limits = {.max_open = 20};

	(void)state;
	serve(&limits);
	assert_int_equal(attach(0), 0);
	for (uint32_t fid = 1; fid < 20; fid++)
		assert_int_equal(walk(0, fid, ""), 0);
	assert_int_equal(walk(0, 20, ""), EMFILE);
}

/* ---- ways out ---- */

static void test_names_that_do_not_exist(void **state)
{
	static const char *const names[] = {"..", ".", "/", "/etc", "d/f", "../share", "d/..", ""};

	(void)state;
	attach(0);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/f", "x");
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		char inner[32];

		begin(P9_TWALK);
		p9_put_u32(&out, 0);
		p9_put_u32(&out, 1);
		p9_put_u16(&out, 1);
		p9_put_text(&out, names[i]);
		assert_int_equal(done(), ENOENT);
		snprintf(inner, sizeof(inner), "d|%s", names[i]);
		if (*names[i])
			assert_int_equal(find(1, inner), ENOENT);
		assert_int_equal(walk(0, 1, ""), 0);
		assert_true(create(1, names[i], 0600, P9_OWRITE) != 0);
		assert_true(create(1, names[i], 0700 | P9_DMDIR, P9_OREAD) != 0);
		assert_int_equal(clunk(1), 0);
	}
	begin(P9_TWALK);
	p9_put_u32(&out, 0);
	p9_put_u32(&out, 1);
	p9_put_u16(&out, 1);
	p9_put_string(&out, "d\0x", 3);
	assert_int_equal(done(), ENOENT);
	assert_int_equal(find(1, "d|f"), 0);
}

static void test_links_are_not_followed(void **state)
{
	static const char *const links[] = {"inside", "file", "outside", "absolute", "magic"};

	(void)state;
	attach(0);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/passwd", "inside");
	assert_int_equal(symlink("d", path_of("inside")), 0);
	assert_int_equal(symlink("d/passwd", path_of("file")), 0);
	assert_int_equal(symlink("..", path_of("outside")), 0);
	assert_int_equal(symlink("/etc", path_of("absolute")), 0);
	assert_int_equal(symlink("/proc/self/root/etc", path_of("magic")), 0);
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++) {
		char inner[64];

		assert_int_equal(find(1, links[i]), ELOOP);
		snprintf(inner, sizeof(inner), "%s|passwd", links[i]);
		assert_true(find(1, inner) != 0);
		/* Nor is what they point to created, opened or removed. */
		assert_int_equal(walk(0, 1, ""), 0);
		assert_int_equal(create(1, links[i], 0600, P9_OWRITE), EEXIST);
		assert_int_equal(clunk(1), 0);
	}
	assert_string_equal(content_of("d/passwd"), "inside");
}

static void test_directory_replaced_by_a_link(void **state)
{
	char secret[128];

	(void)state;
	attach(0);
	snprintf(secret, sizeof(secret), "%s/secret", base);
	assert_int_equal(mkdir(secret, 0700), 0);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/f", "inside");
	assert_int_equal(find(1, "d|f"), 0);
	assert_int_equal(find(2, "d"), 0);
	assert_int_equal(find(3, "d"), 0);
	/* Meanwhile, in the shared directory: */
	assert_int_equal(unlink(path_of("d/f")), 0);
	assert_int_equal(rmdir(path_of("d")), 0);
	assert_int_equal(symlink(secret, path_of("d")), 0);
	put_file("d/f", "outside");

	assert_true(open_fid(1, P9_ORDWR) != 0);
	assert_true(simple(P9_TSTAT, 1) != 0);
	assert_true(create(2, "g", 0600, P9_OWRITE) != 0);
	assert_true(walk(3, 4, "f") != 0);
	assert_true(simple(P9_TREMOVE, 1) != 0);
	assert_string_equal(content_of("d/f"), "outside");
	assert_false(exists("d/g"));
}

static void test_directory_moved_out(void **state)
{
	char away[128];

	(void)state;
	attach(0);
	snprintf(away, sizeof(away), "%s/away", base);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/f", "content");
	assert_int_equal(find(1, "d"), 0);
	assert_int_equal(find(2, "d|f"), 0);
	char from[256];

	snprintf(from, sizeof(from), "%s", path_of("d"));
	assert_int_equal(rename(from, away), 0);
	assert_int_equal(walk(1, 3, "f"), ENOENT);
	assert_int_equal(create(1, "g", 0600, P9_OWRITE), ENOENT);
	assert_int_equal(open_fid(2, P9_OREAD), ENOENT);
}

static void test_special_files_do_not_exist(void **state)
{
	(void)state;
	attach(0);
	assert_int_equal(mkfifo(path_of("pipe"), 0600), 0);
	assert_int_equal(find(1, "pipe"), EACCES);
	if (mknod(path_of("null"), S_IFCHR | 0600, 0x103) == 0)
		assert_int_equal(find(1, "null"), EACCES);
	/* A link, a device, a pipe, a socket, set-user-id. */
	for (unsigned int bit = 9; bit < 31; bit++) {
		assert_int_equal(walk(0, 1, ""), 0);
		assert_int_equal(create(1, "special", 0600 | 1U << bit, P9_OWRITE), EPERM);
		assert_int_equal(clunk(1), 0);
	}
	assert_false(exists("special"));
}

static void test_very_deep(void **state)
{
	char names[64] = "";

	(void)state;
	attach(0);
	for (unsigned int depth = 0; depth < SHARE_DEPTH_MAX + 4; depth++) {
		int error;

		if (find(1, names) != 0)
			break;
		error = create(1, "d", 0700 | P9_DMDIR, P9_OREAD);
		assert_int_equal(clunk(1), 0);
		if (error)
			break;
		strcat(names, depth ? "|d" : "d");
	}
	assert_int_equal(strlen(names), 2 * SHARE_DEPTH_MAX - 1);
}

/* ---- walking ---- */

static void test_walk(void **state)
{
	(void)state;
	attach(0);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/f", "x");
	/* As far as it goes; the new fid exists only when all was found. */
	assert_int_equal(walk(0, 1, "d|missing|f"), 0);
	assert_int_equal(p9_get_u16(&in), 1);
	assert_int_equal(clunk(1), EBADF);
	assert_int_equal(walk(0, 1, "missing"), ENOENT);
	assert_int_equal(walk(9, 1, "d"), EBADF);
	/* In place. */
	assert_int_equal(find(1, "d"), 0);
	assert_int_equal(walk(1, 1, "f"), 0);
	assert_int_equal(open_fid(1, P9_OREAD), 0);
	assert_int_equal(walk(1, 2, ""), EINVAL);
	assert_int_equal(open_fid(1, P9_OREAD), EINVAL);
	/* More names than may be in one message. */
	assert_int_equal(walk(0, 2, "a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a|a"), EPROTO);
}

/* ---- files ---- */

static void test_create(void **state)
{
	struct stat stat;

	(void)state;
	attach(0);
	assert_int_equal(make("f", "content", 7), 0);
	assert_string_equal(content_of("f"), "content");
	assert_int_equal(lstat(path_of("f"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0600);
	/* A second time: it is not opened, and the fid is still the directory. */
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(create(1, "f", 0600, P9_OWRITE), EEXIST);
	assert_int_equal(write_at(1, 0, "x", 1), EBADF);
	assert_int_equal(create(1, "g", 0777, P9_OWRITE), 0);
	assert_int_equal(lstat(path_of("g"), &stat), 0);
	assert_int_equal(stat.st_mode & 07077, 0);
	assert_string_equal(content_of("f"), "content");
}

static void test_open_modes(void **state)
{
	(void)state;
	attach(0);
	put_file("f", "0123456789");
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(open_fid(1, 3), EINVAL);
	assert_int_equal(open_fid(1, 0x20), EINVAL);
	assert_int_equal(open_fid(1, P9_OREAD), 0);
	assert_int_equal(write_at(1, 0, "x", 1), EBADF);
	assert_int_equal(clunk(1), 0);
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(open_fid(1, P9_OWRITE), 0);
	assert_int_equal(read_at(1, 0, 10), EBADF);
	assert_int_equal(write_at(1, 2, "xx", 2), 0);
	assert_int_equal(clunk(1), 0);
	assert_string_equal(content_of("f"), "01xx456789");
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(open_fid(1, P9_OWRITE | 0x80), 0);
	assert_int_equal(write_at(1, 0, "end", 3), 0);
	assert_int_equal(clunk(1), 0);
	assert_string_equal(content_of("f"), "01xx456789end");
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(open_fid(1, P9_OWRITE | P9_OTRUNC), 0);
	assert_int_equal(clunk(1), 0);
	assert_string_equal(content_of("f"), "");
	assert_int_equal(find(1, ""), 0);
	assert_int_equal(open_fid(1, P9_OWRITE), EISDIR);
	assert_int_equal(open_fid(1, P9_OREAD | P9_ORCLOSE), EISDIR);
}

static void test_read(void **state)
{
	(void)state;
	attach(0);
	put_file("f", "0123456789");
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(open_fid(1, P9_OREAD), 0);
	assert_int_equal(read_at(1, 3, 4), 0);
	assert_int_equal(p9_get_u32(&in), 4);
	assert_memory_equal(p9_get_bytes(&in, 4), "3456", 4);
	/* Never more than a message holds, whatever is asked. */
	assert_int_equal(truncate(path_of("f"), 100000), 0);
	assert_int_equal(read_at(1, 0, UINT32_MAX), 0);
	assert_int_equal(p9_get_u32(&in), MSIZE - 11);
	assert_int_equal(read_at(1, 100000, 10), 0);
	assert_int_equal(p9_get_u32(&in), 0);
	assert_int_equal(read_at(1, UINT64_MAX, 10), EINVAL);
}

static void test_remove(void **state)
{
	(void)state;
	attach(0);
	put_file("a", "");
	put_file("b", "");
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	put_file("d/f", "");
	assert_int_equal(find(1, "a"), 0);
	assert_int_equal(open_fid(1, P9_OREAD | P9_ORCLOSE), 0);
	assert_true(exists("a"));
	assert_int_equal(clunk(1), 0);
	assert_false(exists("a"));
	assert_int_equal(find(1, "b"), 0);
	assert_int_equal(simple(P9_TREMOVE, 1), 0);
	assert_false(exists("b"));
	assert_int_equal(find(1, "d"), 0);
	assert_int_equal(simple(P9_TREMOVE, 1), ENOTEMPTY);
	assert_int_equal(clunk(1), EBADF);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(simple(P9_TREMOVE, 1), EBUSY);
	/* A file that took the name since is not the one that was opened. */
	put_file("c", "old");
	assert_int_equal(find(1, "c"), 0);
	assert_int_equal(open_fid(1, P9_OREAD | P9_ORCLOSE), 0);
	assert_int_equal(unlink(path_of("c")), 0);
	put_file("c2", "");
	put_file("c", "new");
	assert_int_equal(clunk(1), ENOENT);
	assert_string_equal(content_of("c"), "new");
}

/* Entries of the listing through fid 1: how many, and each must be named as the test names them. */
static unsigned int list_all(uint32_t count)
{
	uint64_t offset = 0;
	unsigned int entries = 0;

	for (;;) {
		uint32_t length;

		assert_int_equal(read_at(1, offset, count), 0);
		length = p9_get_u32(&in);
		if (length == 0)
			return entries;
		offset += length;
		while (in.left && !in.failed) {
			size_t name;
			uint16_t size = p9_get_u16(&in);
			size_t before = in.left;

			p9_get_bytes(&in, 2 + 4 + P9_QID + 4 + 4 + 4 + 8);
			assert_true(p9_get_string(&in, &name)[0] == 'f');
			p9_get_bytes(&in, size - (before - in.left));
			entries++;
		}
		assert_false(in.failed);
	}
}

static void test_listing(void **state)
{
	char name[16];

	(void)state;
	attach(0);
	for (unsigned int i = 0; i < 300; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		put_file(name, "");
	}
	assert_int_equal(symlink("/", path_of("link")), 0);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(open_fid(1, P9_OREAD), 0);
	assert_int_equal(list_all(200), 300);
	assert_int_equal(list_all(UINT32_MAX), 300);
	assert_int_equal(read_at(1, 0, 10), EMSGSIZE);
	assert_int_equal(read_at(1, 12345, 1000), EINVAL);
}

static void test_stat(void **state)
{
	size_t length;

	(void)state;
	attach(0);
	put_file("name", "0123456789");
	assert_int_equal(find(1, "name"), 0);
	assert_int_equal(simple(P9_TSTAT, 1), 0);
	for (unsigned int i = 0; i < 2; i++) {
		uint16_t size = p9_get_u16(&in);

		assert_int_equal(size, in.left);
	}
	p9_get_bytes(&in, 2 + 4);
	assert_int_equal(p9_get_u8(&in), 0);
	p9_get_bytes(&in, P9_QID - 1);
	assert_int_equal(p9_get_u32(&in), 0600);
	p9_get_bytes(&in, 8);
	assert_int_equal(p9_get_u64(&in), 10);
	assert_memory_equal(p9_get_string(&in, &length), "name", 4);
}

static int wstat(uint32_t fid, uint32_t mode, uint64_t length, const char *name, uint32_t uid)
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

static void test_wstat(void **state)
{
	struct stat stat;

	(void)state;
	attach(0);
	put_file("f", "0123456789");
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(wstat(1, UINT32_MAX, 4, "", UINT32_MAX), 0);
	assert_string_equal(content_of("f"), "0123");
	assert_int_equal(wstat(1, 07777, UINT64_MAX, "f", UINT32_MAX), 0);
	assert_int_equal(lstat(path_of("f"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0666);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX, "g", UINT32_MAX), EOPNOTSUPP);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX, "", 0), EPERM);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX - 1, "", UINT32_MAX), EFBIG);
}

/* ---- limits ---- */

static void test_space(void **state)
{
	struct share_limits limits = {.max_space = 1000};
	static char bytes[1001];

	(void)state;
	put_file("older", "0123456789");
	serve(&limits);
	attach(0);
	assert_int_equal(make("a", bytes, 900), 0);
	assert_int_equal(make("b", bytes, 91), ENOSPC);
	assert_string_equal(content_of("b"), "");
	/* Neither a hole nor a truncation to more is a way around. */
	assert_int_equal(find(1, "b"), 0);
	assert_int_equal(open_fid(1, P9_OWRITE), 0);
	assert_int_equal(write_at(1, 1000000, "x", 1), ENOSPC);
	assert_int_equal(write_at(1, UINT64_MAX - 4, "01234567", 8), EFBIG);
	assert_int_equal(write_at(1, INT64_MAX, "x", 1), EFBIG);
	assert_int_equal(wstat(1, UINT32_MAX, 91, "", UINT32_MAX), ENOSPC);
	assert_int_equal(write_at(1, 0, bytes, 90), 0);
	assert_int_equal(write_at(1, 90, bytes, 1), ENOSPC);
	/* Overwriting costs nothing; shrinking and removing give back. */
	assert_int_equal(write_at(1, 0, bytes, 90), 0);
	assert_int_equal(wstat(1, UINT32_MAX, 40, "", UINT32_MAX), 0);
	assert_int_equal(write_at(1, 0, bytes, 90), 0);
	assert_int_equal(find(2, "a"), 0);
	assert_int_equal(simple(P9_TREMOVE, 2), 0);
	assert_int_equal(write_at(1, 90, bytes, 900), 0);
}

static void test_a_removed_file_that_is_open_takes_space(void **state)
{
	struct share_limits limits = {.max_space = 1000};
	static char bytes[1000];
	int error = ENOSPC;

	(void)state;
	serve(&limits);
	attach(0);
	assert_int_equal(make("a", bytes, 900), 0);
	assert_int_equal(find(2, "a"), 0);
	assert_int_equal(open_fid(2, P9_OWRITE), 0);
	assert_int_equal(find(3, "a"), 0);
	assert_int_equal(simple(P9_TREMOVE, 3), 0);
	assert_false(exists("a"));
	assert_int_equal(make("b", bytes, 101), ENOSPC);
	/* Nor is it forgotten when everything is counted anew. */
	usleep(1100000);
	assert_int_equal(make("c", bytes, 101), ENOSPC);
	assert_int_equal(write_at(2, 900, bytes, 101), ENOSPC);
	assert_int_equal(make("d", bytes, 100), 0);
	assert_int_equal(clunk(2), 0);
	/* It is noticed, if not at once. */
	for (char name[] = "e"; error == ENOSPC && *name <= 'z'; ++*name) {
		usleep(500000);
		error = make(name, bytes, 900);
	}
	assert_int_equal(error, 0);
}

static void test_number_of_files(void **state)
{
	struct share_limits limits = {.max_files = 3};

	(void)state;
	put_file("one", "");
	serve(&limits);
	attach(0);
	assert_int_equal(make("two", "", 0), 0);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(create(1, "d", 0700 | P9_DMDIR, P9_OREAD), 0);
	assert_int_equal(clunk(1), 0);
	assert_int_equal(make("four", "", 0), ENOSPC);
	assert_false(exists("four"));
	assert_int_equal(find(1, "two"), 0);
	assert_int_equal(simple(P9_TREMOVE, 1), 0);
	assert_int_equal(make("four", "", 0), 0);
}

static void test_others_make_room(void **state)
{
	struct share_limits limits = {.max_space = 1000};
	static char bytes[1000];
	int error = ENOSPC;

	(void)state;
	serve(&limits);
	attach(0);
	assert_int_equal(make("a", bytes, 1000), 0);
	assert_int_equal(make("b", bytes, 500), ENOSPC);
	assert_int_equal(unlink(path_of("a")), 0);
	/* It is noticed, if not at once. */
	for (unsigned int i = 0; error == ENOSPC && i < 300; i++) {
		usleep(50000);
		error = make(i & 1 ? "c" : "d", bytes, 500);
		unlink(path_of(i & 1 ? "d" : "c"));
	}
	assert_int_equal(error, 0);
}

static void test_oldest_files_make_room(void **state)
{
	struct share_limits limits = {.max_space = 1000, .auto_delete = true};
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	static char bytes[1000];

	(void)state;
	serve(&limits);
	attach(0);
	for (char name[] = "a"; *name < 'e'; ++*name) {
		assert_int_equal(make(name, bytes, 250), 0);
		times[0].tv_sec = times[1].tv_sec += 10;
		assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
	}
	/* The oldest is open and stays. */
	assert_int_equal(find(2, "a"), 0);
	assert_int_equal(open_fid(2, P9_OREAD), 0);
	assert_int_equal(make("new", bytes, 300), 0);
	assert_true(exists("a") && exists("d") && exists("new"));
	assert_false(exists("b") || exists("c"));
	/* Nothing is removed when even that would not be enough. */
	assert_int_equal(make("huge", bytes, 1000), ENOSPC);
	assert_true(exists("a") && exists("d") && exists("new"));
}

/* Files whose names begin with a letter, each older than the next. */
static void put_old_files(char letter, unsigned int count)
{
	struct timespec times[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
	char name[16];

	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "%c%u", letter, i);
		put_file(name, "0123456789");
		times[0].tv_sec = times[1].tv_sec = 1000 + i;
		assert_int_equal(utimensat(AT_FDCWD, path_of(name), times, 0), 0);
	}
}

/* The work is that of a few scans, not of one for each file that is removed. */
static void test_making_room_costs_what_it_frees(void **state)
{
	struct share_limits limits = {.max_files = 3000, .auto_delete = true};
	char name[16];

	(void)state;
	put_old_files('f', 3000);
	serve(&limits);
	attach(0);
	for (unsigned int i = 0; i < 500; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		assert_int_equal(make(name, "x", 1), 0);
		snprintf(name, sizeof(name), "f%u", i);
		assert_false(exists(name));
	}
	assert_true(exists("f500"));
	/* One scan at the beginning, and one a second at most; the time it takes is not known. */
	assert_true(server->share.looked < 100 * 3000);
}

/* One request may remove many files, and they are found in one scan. */
static void test_much_room_at_once(void **state)
{
	struct share_limits limits = {.max_space = 30000, .max_files = 4000, .auto_delete = true};
	static char bytes[8000];

	(void)state;
	put_old_files('f', 3000);
	serve(&limits);
	attach(0);
	assert_int_equal(make("new", bytes, 7990), 0);
	assert_false(exists("f798"));
	assert_true(exists("f799"));
	assert_true(server->share.looked <= 3 * 3001);
}

/* A domain that can have nothing removed does not make the disk busy. */
static void test_full_of_directories(void **state)
{
	struct share_limits limits = {.max_files = 1000, .auto_delete = true};
	char name[16];

	(void)state;
	for (unsigned int i = 0; i < 999; i++) {
		snprintf(name, sizeof(name), "d%u", i);
		assert_int_equal(mkdir(path_of(name), 0700), 0);
	}
	serve(&limits);
	attach(0);
	/* Each takes the place of the one before, which is all that can be removed. */
	for (unsigned int i = 0; i < 2000; i++) {
		snprintf(name, sizeof(name), "n%u", i);
		make(name, "x", 1);
	}
	assert_true(server->share.looked < 2000 * 1000 / 2);
	assert_true(exists("d0") && exists("d998"));
}

/* A file that was written to since the scan is not among the oldest any more. */
static void test_what_was_used_since_stays(void **state)
{
	struct share_limits limits = {.max_files = 4, .auto_delete = true};

	(void)state;
	put_old_files('f', 4);
	serve(&limits);
	attach(0);
	assert_int_equal(make("n0", "x", 1), 0);
	assert_false(exists("f0"));
	put_file("f1", "news");
	assert_int_equal(make("n1", "x", 1), 0);
	assert_true(exists("f1"));
	assert_false(exists("f2"));
	assert_string_equal(content_of("f1"), "news");
}

static void test_creating_what_exists_removes_nothing(void **state)
{
	struct share_limits limits = {.max_files = 2, .auto_delete = true};

	(void)state;
	put_old_files('f', 2);
	serve(&limits);
	attach(0);
	assert_int_equal(make("f1", "x", 1), EEXIST);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(create(1, "f1", 0700 | P9_DMDIR, P9_OREAD), EEXIST);
	assert_true(exists("f0") && exists("f1"));
}

/* ---- nonsense ---- */

static void test_every_short_message(void **state)
{
	(void)state;
	attach(0);
	put_file("f", "x");
	find(1, "f");
	for (unsigned int type = 0; type < 256; type++) {
		for (unsigned int length = 0; length < 80; length++) {
			begin((uint8_t)type);
			for (unsigned int i = 0; i < length; i++)
				p9_put_u8(&out, (uint8_t)(type == P9_TWALK && i < 8 ? 0 : 255));
			if (type % 2 == 1 || type < P9_TVERSION || type > P9_TWSTAT ||
			    type == P9_TAUTH || type == 106)
				assert_int_equal(done(), EOPNOTSUPP);
			else if (type != P9_TFLUSH)
				assert_true(done() != 0);
		}
	}
	assert_string_equal(content_of("f"), "x");
	assert_int_equal(clunk(0), 0);
}

static void test_counts_that_lie(void **state)
{
	(void)state;
	attach(0);
	put_file("f", "x");
	find(1, "f");
	open_fid(1, P9_ORDWR);
	begin(P9_TWRITE);
	p9_put_u32(&out, 1);
	p9_put_u64(&out, 0);
	p9_put_u32(&out, 1000);
	p9_put_bytes(&out, "short", 5);
	assert_int_equal(done(), EPROTO);
	assert_string_equal(content_of("f"), "x");
	/* Longer than agreed. */
	begin(P9_TWRITE);
	p9_put_u32(&out, 1);
	p9_put_u64(&out, 0);
	p9_put_u32(&out, 20000);
	for (unsigned int i = 0; i < 20000; i++)
		p9_put_u8(&out, 0);
	assert_int_equal(done(), EMSGSIZE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_version),
		TEST(test_version_leaves_fids),
		TEST(test_five_files),
		TEST(test_as_many_files_as_allowed),
		TEST(test_names_that_do_not_exist),
		TEST(test_links_are_not_followed),
		TEST(test_directory_replaced_by_a_link),
		TEST(test_directory_moved_out),
		TEST(test_special_files_do_not_exist),
		TEST(test_very_deep),
		TEST(test_walk),
		TEST(test_create),
		TEST(test_open_modes),
		TEST(test_read),
		TEST(test_remove),
		TEST(test_listing),
		TEST(test_stat),
		TEST(test_wstat),
		TEST(test_space),
		TEST(test_a_removed_file_that_is_open_takes_space),
		TEST(test_number_of_files),
		TEST(test_others_make_room),
		TEST(test_oldest_files_make_room),
		TEST(test_making_room_costs_what_it_frees),
		TEST(test_much_room_at_once),
		TEST(test_full_of_directories),
		TEST(test_what_was_used_since_stays),
		TEST(test_creating_what_exists_removes_nothing),
		TEST(test_every_short_message),
		TEST(test_counts_that_lie),
	};

	umask(027);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
