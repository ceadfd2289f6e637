/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server as a client sees it that does not behave: ways out of the directory, limits, nonsense.
 */
#include "ninepfsd/client-for-tests.h"

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
	assert_int_equal(stat.st_mode & 07777, 0640);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX, "g", UINT32_MAX), EOPNOTSUPP);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX, "", 0), EPERM);
	assert_int_equal(wstat(1, UINT32_MAX, UINT64_MAX - 1, "", UINT32_MAX), EFBIG);
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
		TEST(test_every_short_message),
		TEST(test_counts_that_lie),
	};

	umask(027);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
