/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A ring with a front-end that does not behave: halves, floods, lies, and silence. */
#include "ninepfsd/link.h"

#include <errno.h>

#include "ninepfsd/client-for-tests.h"

#define ORDER_MAX 9U

static union {
	struct p9_interface page;
	unsigned char bytes[P9_PAGE_SIZE];
} interface;
static unsigned char data[P9_PAGE_SIZE << ORDER_MAX];
static struct p9_link ring;
static struct p9_producer requests;
static struct p9_consumer answers;

/* The front-end's end of a ring of that order, and the server's. */
static void connect(unsigned int order)
{
	static const struct share_limits none;
	uint32_t size = P9_RING_SIZE(order);

	memset(&interface, 0, sizeof(interface));
	interface.page.ring_order = order;
	answers = (struct p9_consumer){&interface.page.in_prod, &interface.page.in_cons, data, size,
				       0};
	requests = (struct p9_producer){&interface.page.out_prod, &interface.page.out_cons,
					data + size, size, 0};
	p9_server_free(server);
	assert_int_equal(p9_server_new(root, &none, p9_link_msize(order), &server), 0);
	assert_int_equal(p9_link_init(&ring, &interface.page, data, order), 0);
}

static int disconnect(void **state)
{
	p9_link_deinit(&ring);
	return teardown(state);
}

static size_t make_version(uint32_t msize, uint16_t tag)
{
	out = p9_begin(request, sizeof(request), P9_TVERSION, tag);
	p9_put_u32(&out, msize);
	p9_put_text(&out, P9_VERSION);
	return p9_end(&out);
}

/* Takes an answer off; false: there is none. */
static bool take(struct p9_header *header, uint32_t *first)
{
	unsigned char bytes[4096];

	if (p9_available(&answers) < (ssize_t)P9_HEADER)
		return false;
	p9_peek(&answers, bytes, P9_HEADER);
	*header = p9_header(bytes);
	assert_in_range(header->size, P9_HEADER, sizeof(bytes));
	assert_true(p9_available(&answers) >= (ssize_t)header->size);
	p9_peek(&answers, bytes, header->size);
	p9_consume(&answers, header->size);
	in = p9_reader(bytes + P9_HEADER, header->size - P9_HEADER);
	*first = p9_get_u32(&in);
	return true;
}

static void assert_served(uint16_t tag)
{
	struct p9_header header;
	uint32_t msize;

	p9_produce(&requests, request, make_version(8192, tag));
	assert_true(p9_link_turn(&ring, server, 1) > 0);
	assert_true(take(&header, &msize));
	assert_int_equal(header.type, P9_TVERSION + 1);
	assert_int_equal(header.tag, tag);
}

/* Byte by byte: it is answered when it is complete, once. */
static void test_a_request_in_pieces(void **state)
{
	struct p9_header header;
	uint32_t msize;
	size_t length = make_version(8192, 5);

	(void)state;
	connect(1);
	for (size_t i = 0; i < length; i++) {
		assert_false(p9_link_ready(&ring));
		assert_int_equal(p9_link_turn(&ring, server, 10), 0);
		p9_produce(&requests, request + i, 1);
	}
	assert_true(p9_link_ready(&ring));
	assert_true(p9_link_turn(&ring, server, 10) > 0);
	assert_true(take(&header, &msize));
	assert_int_equal(header.tag, 5);
	assert_int_equal(p9_link_turn(&ring, server, 10), 0);
	assert_false(take(&header, &msize));
}

/* A connection that ends in the middle of a request, or of an answer, leaves nothing behind. */
static void test_the_end_in_the_middle(void **state)
{
	(void)state;
	connect(1);
	p9_produce(&requests, request, make_version(8192, 5) / 2);
	assert_int_equal(p9_link_turn(&ring, server, 10), 0);
	p9_link_deinit(&ring);
	connect(1);
	assert_served(1);
}

/* A full ring of requests: all are answered, in their order, and not all in one turn. */
static void test_many_at_a_time(void **state)
{
	struct p9_header header;
	uint32_t msize;
	uint16_t sent = 0, answered = 0;

	(void)state;
	connect(2);
	for (; p9_room(&requests) >= (ssize_t)make_version(8192, sent); sent++)
		p9_produce(&requests, request, make_version(8192, sent));
	assert_true(sent > 300);
	while (answered < sent) {
		assert_true(p9_link_turn(&ring, server, 32) > 0);
		for (unsigned int i = 0; take(&header, &msize); i++) {
			assert_int_equal(header.tag, answered++);
			assert_true(i < 32);
		}
	}
	assert_false(p9_link_ready(&ring));
}

/* Who does not take answers is not read from; when he does, nothing is missing. */
static void test_answers_are_not_taken(void **state)
{
	struct p9_header header;
	uint32_t error;
	uint16_t sent = 0, answered = 0;

	(void)state;
	connect(1);
	for (; p9_room(&requests) >= (ssize_t)P9_HEADER; sent++) {
		out = p9_begin(request, sizeof(request), 200, sent);
		p9_produce(&requests, request, p9_end(&out));
	}
	for (unsigned int i = 0; i < 1000; i++)
		p9_link_turn(&ring, server, 32);
	assert_true(p9_link_stuck(&ring));
	assert_false(p9_link_ready(&ring));
	assert_int_equal(p9_link_turn(&ring, server, 32), 0);
	assert_true(p9_available(&answers) <= (ssize_t)answers.size);
	while (answered < sent) {
		/* The last one is there in part as long as there was no room for it. */
		while (p9_link_turn(&ring, server, 32) > 0)
			;
		while (p9_available(&answers) > 100 || !p9_link_stuck(&ring)) {
			if (!take(&header, &error))
				break;
			assert_int_equal(header.type, P9_RERROR);
			assert_int_equal(header.tag, answered++);
		}
	}
	assert_int_equal(answered, sent);
}

/* Rings do not shrink or grow: what the page says was read once. */
static void test_the_order_changes(void **state)
{
	(void)state;
	connect(2);
	for (uint32_t order = 0; order < 33; order++) {
		interface.page.ring_order = order;
		interface.page.ref[0] = order;
		for (uint16_t i = 0; i < 400; i++)
			assert_served(i);
	}
}

static void test_impossible_indices(void **state)
{
	uint32_t *const indices[] = {&interface.page.out_prod, &interface.page.in_cons};
	uint32_t size = P9_RING_SIZE(1);
	const uint32_t wrong[] = {size + 1, 1U << 31, UINT32_MAX};

	(void)state;
	for (unsigned int i = 0; i < 2; i++) {
		for (unsigned int k = 0; k < 3; k++) {
			connect(1);
			assert_served(1);
			*indices[i] += i ? 1 + wrong[k] % (UINT32_MAX / 2) : wrong[k];
			if (i)
				p9_produce(&requests, request, make_version(8192, 2));
			assert_int_equal(p9_link_turn(&ring, server, 1), -EPROTO);
			p9_link_deinit(&ring);
		}
	}
	/* Nor does it begin with them. */
	connect(1);
	p9_link_deinit(&ring);
	interface.page.in_prod = 7;
	interface.page.in_cons = 8;
	assert_int_equal(p9_link_init(&ring, &interface.page, data, 1), -EPROTO);
}

static void test_impossible_lengths(void **state)
{
	const uint32_t wrong[] = {0, 6, P9_RING_SIZE(1) + 1, 1U << 31, UINT32_MAX};

	(void)state;
	for (unsigned int i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		connect(1);
		make_version(8192, 1);
		memcpy(request, &wrong[i], 4);
		p9_produce(&requests, request, P9_HEADER);
		assert_int_equal(p9_link_turn(&ring, server, 1), -EPROTO);
		p9_link_deinit(&ring);
	}
	connect(1);
}

/* The same pages as the rings of two links, and as ring and interface: it harms the domain alone.
 */
static void test_pages_that_overlap(void **state)
{
	static unsigned char pages[P9_PAGE_SIZE << 1];
	struct p9_link links[2];
	int results[2] = {0};

	(void)state;
	connect(1);
	for (unsigned int round = 0; round < 2; round++) {
		bool itself = round == 1;
		struct p9_interface *page = itself ? (struct p9_interface *)(void *)pages
						   : &interface.page;

		memset(pages, 0, sizeof(pages));
		memset(&interface, 0, sizeof(interface));
		for (unsigned int i = 0; i < 2; i++)
			assert_int_equal(p9_link_init(&links[i], page, pages, 1), 0);
		for (unsigned int i = 0; i < 200; i++) {
			size_t length = make_version(8192, (uint16_t)i);

			memcpy(pages + P9_RING_SIZE(1) + (page->out_prod & (P9_RING_SIZE(1) - 64)),
			       request, length);
			page->out_prod += (uint32_t)length + (i % 50 == 0);
			for (unsigned int k = 0; k < 2 && results[k] >= 0; k++)
				results[k] = p9_link_turn(&links[k], server, 4);
		}
		results[0] = results[1] = 0;
		p9_link_deinit(&links[0]);
		p9_link_deinit(&links[1]);
	}
	p9_link_deinit(&ring);
	connect(1);
	assert_served(1);
}

/*
 * Memory for a domain does not grow with its rings: messages have a length that is enough for
 * everybody. A longer one is refused, and what follows it is served.
 */
static void test_a_request_longer_than_agreed(void **state)
{
	static unsigned char huge[1U << 20];
	struct p9_header header;
	uint32_t value;

	(void)state;
	assert_int_equal(p9_link_msize(1), 4096);
	assert_int_equal(p9_link_msize(4), 32768);
	connect(ORDER_MAX);
	p9_produce(&requests, request, make_version(UINT32_MAX, 1));
	assert_true(p9_link_turn(&ring, server, 1) > 0);
	assert_true(take(&header, &value));
	assert_in_range(value, 64 << 10, 256 << 10);

	for (uint32_t length = value + 1; length <= sizeof(huge); length += length) {
		memcpy(huge, &length, 4);
		huge[4] = P9_TWRITE;
		huge[5] = 9;
		p9_produce(&requests, huge, length);
		assert_true(p9_link_turn(&ring, server, 1) > 0);
		assert_true(take(&header, &value));
		assert_int_equal(header.type, P9_RERROR);
		assert_int_equal(header.tag, 9);
		value = length;
		assert_served(3);
	}
}

#define LINK_TEST(name) cmocka_unit_test_setup_teardown(name, setup, disconnect)

int main(void)
{
	const struct CMUnitTest tests[] = {
		LINK_TEST(test_a_request_in_pieces),
		LINK_TEST(test_the_end_in_the_middle),
		LINK_TEST(test_many_at_a_time),
		LINK_TEST(test_answers_are_not_taken),
		LINK_TEST(test_the_order_changes),
		LINK_TEST(test_impossible_indices),
		LINK_TEST(test_impossible_lengths),
		LINK_TEST(test_pages_that_overlap),
		LINK_TEST(test_a_request_longer_than_agreed),
	};

	umask(027);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
