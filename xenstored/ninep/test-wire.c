/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages as bytes. */
#include "ninep/wire.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_bytes_on_the_wire(void **state)
{
	static const unsigned char expected[] = {21, 0, 0,   0,	  100, 0xff, 0xff, 0,	0x20, 0,  0,
						 8,  0, '9', 'P', '2', '0',  '0',  '0', '.',  'u'};
	unsigned char bytes[64];
	struct p9_writer writer = p9_begin(bytes, sizeof(bytes), P9_TVERSION, P9_NOTAG);
	struct p9_header header;

	(void)state;
	p9_put_u32(&writer, 8192);
	p9_put_text(&writer, P9_VERSION);
	assert_int_equal(p9_end(&writer), sizeof(expected));
	assert_memory_equal(bytes, expected, sizeof(expected));
	header = p9_header(bytes);
	assert_int_equal(header.size, 21);
	assert_int_equal(header.type, P9_TVERSION);
	assert_int_equal(header.tag, P9_NOTAG);
}

static void test_there_and_back(void **state)
{
	unsigned char bytes[64];
	struct p9_writer writer = p9_begin(bytes, sizeof(bytes), 1, 2);
	struct p9_reader reader;
	const char *text;
	size_t length;

	(void)state;
	p9_put_u8(&writer, 0xfe);
	p9_put_u16(&writer, 0xfedc);
	p9_put_u32(&writer, 0xfedcba98);
	p9_put_u64(&writer, UINT64_C(0xfedcba9876543210));
	p9_put_string(&writer, "a\0b", 3);
	length = p9_end(&writer);
	reader = p9_reader(bytes + P9_HEADER, length - P9_HEADER);
	assert_int_equal(p9_get_u8(&reader), 0xfe);
	assert_int_equal(p9_get_u16(&reader), 0xfedc);
	assert_int_equal(p9_get_u32(&reader), 0xfedcba98);
	assert_true(p9_get_u64(&reader) == UINT64_C(0xfedcba9876543210));
	text = p9_get_string(&reader, &length);
	assert_int_equal(length, 3);
	assert_memory_equal(text, "a\0b", 3);
	assert_false(reader.failed);
	assert_int_equal(reader.left, 0);
}

static void test_too_short(void **state)
{
	static const unsigned char bytes[] = {5, 0, 'a', 'b', 'c'};
	struct p9_reader reader = p9_reader(bytes, sizeof(bytes));
	size_t length;

	(void)state;
	assert_string_equal(p9_get_string(&reader, &length), "");
	assert_int_equal(length, 0);
	assert_true(reader.failed);
	/* From then on there is nothing. */
	assert_int_equal(p9_get_u8(&reader), 0);
	assert_null(p9_get_bytes(&reader, 0));
}

static void test_too_long(void **state)
{
	unsigned char bytes[16 + 4];
	size_t room;

	(void)state;
	memset(bytes, 0xee, sizeof(bytes));
	for (size_t length = 0; length < 12; length++) {
		struct p9_writer writer = p9_begin(bytes, 16, 1, 1);

		p9_put_bytes(&writer, "0123456789abcdef", length);
		assert_int_equal(p9_end(&writer), length <= 9 ? 7 + length : 0);
		p9_put_u32(&writer, 0xdddddddd);
		if (length > 5)
			assert_int_equal(p9_end(&writer), 0);
		p9_space(&writer, &room);
		if (length > 5)
			assert_int_equal(room, 0);
		assert_int_equal(bytes[16], 0xee);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_on_the_wire),
		cmocka_unit_test(test_there_and_back),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
