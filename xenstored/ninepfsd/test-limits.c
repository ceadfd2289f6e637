/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a domain may fill, and the ways around it that are none. */
#include "ninepfsd/client-for-tests.h"

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

/* What the lengths of all files really add up to. */
static uint64_t real_space(void)
{
	char command[256];
	unsigned long long sum = 0;
	FILE *pipe;

	snprintf(command, sizeof(command), "find %s -type f -printf '%%s\\n'", root);
	pipe = popen(command, "r");
	assert_non_null(pipe);
	for (unsigned long long size; fscanf(pipe, "%llu", &size) == 1;)
		sum += size;
	pclose(pipe);
	return sum;
}

/* A limit of space alone is one of files, too: names and inodes are taken from the same disk. */
static void test_space_limits_the_number_of_files(void **state)
{
	struct share_limits limits = {.max_space = 1 << 20};
	unsigned int made = 0;
	char name[16];
	int error = 0;

	(void)state;
	serve(&limits);
	attach(0);
	for (; error == 0 && made < 2000; made++) {
		snprintf(name, sizeof(name), "%c%u", made % 2 ? 'f' : 'd', made);
		error = walk(0, 1, "");
		if (!error)
			error = made % 2 ? create(1, name, 0600, P9_OWRITE)
					 : create(1, name, 0700 | P9_DMDIR, P9_OREAD);
		clunk(1);
	}
	assert_int_equal(error, ENOSPC);
	assert_in_range(made, 256, 300);
}

/* However often it is done: what is counted is what is there. */
static void test_counts_stay_right(void **state)
{
	struct share_limits limits = {.max_space = 100000, .max_files = 20};
	static char bytes[5000];

	(void)state;
	serve(&limits);
	attach(0);
	for (unsigned int i = 0; i < 300; i++) {
		assert_int_equal(make("a", bytes, i % 7 * 700), 0);
		assert_int_equal(find(1, "a"), 0);
		assert_int_equal(open_fid(1, P9_OWRITE | P9_OTRUNC), 0);
		assert_int_equal(write_at(1, i % 5 * 1000, bytes, i % 3 * 1000), 0);
		assert_int_equal(wstat(1, UINT32_MAX, i % 4 * 900, "", UINT32_MAX), 0);
		assert_int_equal(write_at(1, 3000, bytes, 10), 0);
		/* Removed by one fid while another has it open, grows, is closed. */
		assert_int_equal(find(2, "a"), 0);
		assert_int_equal(simple(P9_TREMOVE, 2), 0);
		assert_int_equal(write_at(1, 0, bytes, 5000), 0);
		assert_int_equal(clunk(1), 0);
		assert_int_equal(make("keep", bytes, 0), i ? EEXIST : 0);
		assert_int_equal(find(1, "keep"), 0);
		assert_int_equal(open_fid(1, P9_OWRITE | P9_OTRUNC | P9_ORCLOSE), 0);
		assert_int_equal(clunk(1), 0);
		assert_int_equal(make("keep", bytes, 100), 0);
	}
	assert_int_equal(real_space(), 100);
	assert_int_equal(server->share.space, 100);
	assert_int_equal(server->share.files, 1);
}

/* Two devices with one directory may have together what each may have, not more. */
static void test_two_devices_with_one_directory(void **state)
{
	struct share_limits limits = {.max_space = 10000};
	struct p9_server *servers[2];
	static char bytes[5000];
	char name[16];

	(void)state;
	serve(&limits);
	attach(0);
	servers[0] = server;
	assert_int_equal(p9_server_new(root, &limits, MSIZE, &server), 0);
	attach(0);
	servers[1] = server;
	for (unsigned int i = 0; i < 80; i++) {
		server = servers[i % 2];
		snprintf(name, sizeof(name), "f%u", i);
		make(name, bytes, 1000 + i * 13 % 4000);
		/* Each removes what the other wrote. */
		if (i % 3 == 0) {
			snprintf(name, sizeof(name), "f%u", i - 1);
			if (find(2, name) == 0)
				simple(P9_TREMOVE, 2);
		}
		assert_true(real_space() <= 2 * limits.max_space);
	}
	server = servers[0];
	p9_server_free(servers[1]);
}

/* The daemon has no right to look into what its own user may not, so nothing is ever like that. */
static void test_no_directory_is_hidden(void **state)
{
	struct stat stat;

	(void)state;
	attach(0);
	assert_int_equal(walk(0, 1, ""), 0);
	assert_int_equal(create(1, "d", P9_DMDIR, P9_OREAD), 0);
	assert_int_equal(clunk(1), 0);
	assert_int_equal(lstat(path_of("d"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0700);
	assert_int_equal(find(1, "d"), 0);
	assert_int_equal(wstat(1, 0, UINT64_MAX, "", UINT32_MAX), 0);
	assert_int_equal(lstat(path_of("d"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0700);
}

/* Others than owner and group get nothing, and the directory itself is the administrator's. */
static void test_nothing_for_others(void **state)
{
	struct stat before, stat;

	(void)state;
	attach(0);
	assert_int_equal(make("f", "x", 1), 0);
	assert_int_equal(find(1, "f"), 0);
	assert_int_equal(wstat(1, 07777, UINT64_MAX, "", UINT32_MAX), 0);
	assert_int_equal(lstat(path_of("f"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0640);
	assert_int_equal(mkdir(path_of("d"), 0700), 0);
	assert_int_equal(find(2, "d"), 0);
	assert_int_equal(wstat(2, 07777, UINT64_MAX, "", UINT32_MAX), 0);
	assert_int_equal(lstat(path_of("d"), &stat), 0);
	assert_int_equal(stat.st_mode & 07777, 0750);

	assert_int_equal(lstat(root, &before), 0);
	assert_int_equal(walk(0, 3, ""), 0);
	assert_int_equal(wstat(3, 0777, UINT64_MAX, "", UINT32_MAX), EPERM);
	assert_int_equal(lstat(root, &stat), 0);
	assert_int_equal(stat.st_mode, before.st_mode);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
		TEST(test_space_limits_the_number_of_files),
		TEST(test_counts_stay_right),
		TEST(test_two_devices_with_one_directory),
		TEST(test_no_directory_is_hidden),
		TEST(test_nothing_for_others),
	};

	umask(027);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
