/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer of the 9pfs server: a hostile client.
 *
 * It sends requests that are right, nearly right, or bytes, over a ring whose indices and contents
 * it changes at will, to a directory with links that lead outside, while others rename what is in
 * it. Whatever happens: every request has exactly one answer of the right shape, nothing outside
 * of the directory is created, changed or read, and the limits hold.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "ninep-input.h"
#include "ninep/wire.h"
#include "ninepfsd/link.h"
#include "ninepfsd/server.h"
#include "ninepfsd/share.h"

#define SECONDS	  4
#define STEPS	  400U
#define ORDER_MAX 7U
#define MAX_SPACE 100000U
#define MAX_FILES 12U
#define SECRET	  "what nobody may read"

static char base[64];
static union {
	struct p9_interface page;
	unsigned char bytes[4096];
} interface;
static unsigned char data[4096U << ORDER_MAX];
static unsigned int order;
static struct p9_producer out;
static struct p9_consumer in;
static struct p9_server *server;
static struct p9_link link_;
static unsigned long long answered, good;

static const char *path_of(const char *name)
{
	static char path[2][128];
	static unsigned int turn;

	turn ^= 1;
	snprintf(path[turn], sizeof(path[turn]), "%s/%s", base, name);
	return path[turn];
}

static void write_file(const char *name, const char *text)
{
	int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text));
	close(fd);
}

static void begin_share(void)
{
	struct share_limits limits = {
		.max_space = MAX_SPACE, .max_files = MAX_FILES, .max_open = 4 + roll(4)};

	/* Where room is made there must be little of it. */
	limits.auto_delete = one_in(3);
	if (limits.auto_delete || one_in(4)) {
		limits.max_files = one_in(4) ? 0 : 3 + roll(5);
		limits.max_space = 8000 + roll(MAX_SPACE - 8000);
	}
	order = one_in(4) ? ORDER_MAX : 2 + roll(2);
	strcpy(base, "/tmp/fuzz-ninep.XXXXXX");
	assert_non_null(mkdtemp(base));
	mkdir(path_of("outside"), 0700);
	write_file("outside/secret", SECRET);
	mkdir(path_of("share"), 0700);
	mkdir(path_of("share/d"), 0700);
	write_file("share/a", "content");
	assert_int_equal(symlink("../outside", path_of("share/l")), 0);
	assert_int_equal(symlink("../../outside/secret", path_of("share/d/m")), 0);
	memset(&interface, 0, sizeof(interface));
	interface.page.ring_order = order;
	in = (struct p9_consumer){&interface.page.in_prod, &interface.page.in_cons, data,
				  P9_RING_SIZE(order), 0};
	out = (struct p9_producer){&interface.page.out_prod, &interface.page.out_cons,
				   data + P9_RING_SIZE(order), P9_RING_SIZE(order), 0};
	assert_int_equal(p9_server_new(path_of("share"), &limits, p9_link_msize(order), &server),
			 0);
	assert_int_equal(p9_link_init(&link_, &interface.page, data, order), 0);
}

static void end_share(void)
{
	char command[128];

	p9_link_deinit(&link_);
	p9_server_free(server);
	snprintf(command, sizeof(command), "rm -rf %s", base);
	assert_int_equal(system(command), 0);
}

/* ---- requests ---- */

static const char *const names[] = {"a", "b", "d", "l", "m",  "..",    "../outside/secret",
				    ".", "",  "/", "e", "a/", "secret"};

static void put_name(struct p9_writer *writer)
{
	p9_put_text(writer, names[roll(one_in(3) ? 13 : 6)]);
}

static uint32_t fid(void)
{
	return one_in(30) ? roll(UINT32_MAX) : roll(5);
}

static uint64_t offset(void)
{
	static const uint64_t offsets[] = {0, 1, 100, 99999, 100000, INT64_MAX, UINT64_MAX};

	return offsets[roll(one_in(4) ? 7 : 4)];
}

static void put_body(struct p9_writer *writer, uint8_t type)
{
	static const unsigned char bytes[3000];
	uint32_t count;

	switch (type) {
	case P9_TVERSION:
		p9_put_u32(writer, 2000 + roll(10000));
		p9_put_text(writer, one_in(4) ? "9P2000" : P9_VERSION);
		break;
	case P9_TATTACH:
		p9_put_u32(writer, fid());
		p9_put_u32(writer, P9_NOFID);
		p9_put_text(writer, "u");
		p9_put_text(writer, "");
		p9_put_u32(writer, 0);
		break;
	case P9_TWALK:
		p9_put_u32(writer, fid());
		p9_put_u32(writer, fid());
		count = roll(one_in(10) ? 20 : 3);
		p9_put_u16(writer, (uint16_t)count);
		while (count--)
			put_name(writer);
		break;
	case P9_TOPEN:
		p9_put_u32(writer, fid());
		p9_put_u8(writer, (uint8_t)(one_in(5) ? roll(256) : roll(3)));
		break;
	case P9_TCREATE:
		p9_put_u32(writer, fid());
		put_name(writer);
		p9_put_u32(writer,
			   one_in(4) ? P9_DMDIR | 0700 : (one_in(8) ? roll(UINT32_MAX) : 0600));
		p9_put_u8(writer, (uint8_t)(one_in(5) ? roll(256) : roll(3)));
		p9_put_text(writer, one_in(2) ? "" : "../outside/secret");
		break;
	case P9_TREAD:
		p9_put_u32(writer, fid());
		p9_put_u64(writer, offset());
		p9_put_u32(writer, one_in(4) ? UINT32_MAX : roll(5000));
		break;
	case P9_TWRITE:
		count = roll(sizeof(bytes));
		p9_put_u32(writer, fid());
		p9_put_u64(writer, offset());
		p9_put_u32(writer, one_in(20) ? roll(UINT32_MAX) : count);
		p9_put_bytes(writer, bytes, count);
		break;
	case P9_TWSTAT:
		p9_put_u32(writer, fid());
		p9_put_u16(writer, 0);
		p9_put_u16(writer, 0);
		p9_put_bytes(writer, bytes, 2 + 4 + P9_QID);
		p9_put_u32(writer, one_in(2) ? UINT32_MAX : roll(07777));
		p9_put_u64(writer, UINT64_MAX);
		p9_put_u64(writer, one_in(2) ? UINT64_MAX : offset());
		for (unsigned int i = 0; i < 5; i++)
			p9_put_text(writer, "");
		p9_put_u64(writer, UINT64_MAX);
		p9_put_u32(writer, UINT32_MAX);
		break;
	default:
		p9_put_u32(writer, fid());
	}
}

/* A request of at most 8192 bytes; its length. */
static size_t make_request(unsigned char *bytes, uint16_t tag)
{
	static const uint8_t types[] = {P9_TVERSION, P9_TATTACH, P9_TWALK,  P9_TOPEN,	P9_TCREATE,
					P9_TREAD,    P9_TWRITE,	 P9_TCLUNK, P9_TSTAT,	P9_TREMOVE,
					P9_TWSTAT,   P9_TFLUSH,	 P9_TWALK,  P9_TCREATE, P9_TWRITE};
	uint8_t type = one_in(50) ? (uint8_t)roll(256) : types[one_in(5) ? roll(2) : 2 + roll(13)];
	struct p9_writer writer = p9_begin(bytes, 8192, type, tag);
	size_t length;

	put_body(&writer, type);
	length = p9_end(&writer);
	assert_true(length > 0);
	if (one_in(10)) { /* cut */
		length = P9_HEADER + roll((uint32_t)(length - P9_HEADER + 1));
		memcpy(bytes, &(uint32_t){(uint32_t)length}, 4);
	}
	if (one_in(10))
		for (unsigned int i = 0; i < 3 && length > P9_HEADER; i++)
			bytes[P9_HEADER + roll((uint32_t)(length - P9_HEADER))] = (unsigned char)
				roll(256);
	return length;
}

/* The answer to the request with that tag. */
static void check_answer(uint16_t tag)
{
	static unsigned char bytes[P9_RING_SIZE(ORDER_MAX) + 1];
	ssize_t there = p9_available(&in);
	struct p9_header header;

	assert_true(there >= (ssize_t)P9_HEADER);
	p9_peek(&in, bytes, P9_HEADER);
	header = p9_header(bytes);
	assert_true(header.size >= P9_HEADER && (ssize_t)header.size <= there);
	p9_peek(&in, bytes, header.size);
	p9_consume(&in, header.size);
	assert_int_equal(header.tag, tag);
	assert_null(memmem(bytes, header.size, SECRET, strlen(SECRET)));
	answered++;
	good += header.type != P9_RERROR;
}

/* Longer than any message may be, on rings that have room for it. */
static size_t make_long_request(unsigned char *bytes, uint16_t tag)
{
	uint32_t length = p9_link_msize(order) + 1 +
			  roll(P9_RING_SIZE(order) - p9_link_msize(order));

	make_request(bytes, tag);
	memcpy(bytes, &length, 4);
	return length;
}

/* One request, or several under way at a time; the answers come in their order. */
static void send_requests(void)
{
	static uint16_t tag;
	static unsigned char bytes[P9_RING_SIZE(ORDER_MAX)];
	unsigned int count = 0, wanted = one_in(5) ? 2 + roll(4) : 1;
	int events;

	while (count < wanted && (count == 0 || p9_room(&out) >= 8192)) {
		bool longer = count == 0 && order == ORDER_MAX && one_in(20);
		size_t length = longer ? make_long_request(bytes, (uint16_t)(tag + 1))
				       : make_request(bytes, (uint16_t)(tag + 1));

		p9_produce(&out, bytes, length);
		tag++;
		count++;
	}
	for (unsigned int i = 0; i < count; i++) {
		events = p9_link_turn(&link_, server, 1);
		assert_true(events > 0);
		check_answer((uint16_t)(tag - count + 1 + i));
	}
	assert_int_equal(p9_available(&in), 0);
}

/* ---- others in the directory ---- */

static void interfere(void)
{
	switch (roll(6)) {
	case 0:
		rename(path_of("share/d"), path_of("share/e"));
		break;
	case 1:
		rename(path_of("share/e"), path_of("share/d"));
		break;
	case 2:
		rename(path_of("share/a"), path_of("share/b"));
		break;
	case 3:
		if (rename(path_of("share/d"), path_of("away")) == 0 &&
		    symlink("../outside", path_of("share/d")) < 0)
			fail();
		break;
	case 4:
		unlink(path_of("share/d"));
		rename(path_of("away"), path_of("share/d"));
		break;
	default:
		unlink(path_of("share/a"));
	}
}

static void check_outside(void)
{
	char text[64] = "", command[256];
	int fd = open(path_of("outside/secret"), O_RDONLY);
	struct stat stat;

	assert_true(fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0);
	assert_int_equal(fstat(fd, &stat), 0);
	close(fd);
	assert_string_equal(text, SECRET);
	assert_int_equal(stat.st_mode & 07777, 0600);
	/* Nothing else is there, and nothing is beside the share. */
	snprintf(command, sizeof(command),
		 "test \"$(ls -A %s/outside)\" = secret && "
		 "test -z \"$(ls -A %s | grep -vxE 'outside|share|away')\"",
		 base, base);
	assert_int_equal(system(command), 0);
}

static void check_space(void)
{
	char command[256];

	/* The link's own length does not count; others put back up to one directory's files. */
	snprintf(command, sizeof(command),
		 "test $(find %s/share -type f -printf '%%s\\n' | awk '{s+=$1} END {print s+0}') "
		 "-le %u",
		 base, 2 * MAX_SPACE);
	assert_int_equal(system(command), 0);
}

/* Whatever modes were asked for, others have no access, and everything can be counted. */
static void check_modes(void)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "test -z \"$(find %s/share ! -type l -perm /027)\" && "
		 "test -z \"$(find %s/share -type d ! -perm -700)\"",
		 base, base);
	assert_int_equal(system(command), 0);
}

static void spoil_ring(void)
{
	uint32_t *indices[] = {&interface.page.out_prod, &interface.page.in_cons,
			       &interface.page.in_prod, &interface.page.out_cons};

	for (unsigned int i = 0; i < 20; i++) {
		if (one_in(2))
			*indices[roll(4)] += one_in(2) ? roll(200) : roll(UINT32_MAX);
		for (unsigned int k = 0; k < 30; k++)
			data[roll(sizeof(data))] = (unsigned char)(one_in(3) ? roll(256) : 0);
		if (p9_link_turn(&link_, server, 10) < 0)
			break;
	}
}

static void fuzz(void)
{
	begin_share();
	for (unsigned int i = 0; i < STEPS; i++) {
		send_requests();
		if (one_in(20))
			interfere();
	}
	check_outside();
	check_space();
	check_modes();
	spoil_ring();
	check_outside();
	end_share();
}

static void test_hostile_client(void **state)
{
	(void)state;
	run_rounds(SECONDS, fuzz);
	print_message("%llu answers, %llu of them good\n", answered, good);
	/* Else nothing was ever opened. */
	assert_true(good > answered / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile_client)};

	umask(027);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
