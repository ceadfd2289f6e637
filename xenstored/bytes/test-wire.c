/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of types and errors (spec: protocol.md sections 3 and 7). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bytes/wire.h"

static void test_header_layout(void **state)
{
	(void)state;
	assert_int_equal(sizeof(struct wire_header), WIRE_HEADER_SIZE);
	assert_int_equal(offsetof(struct wire_header, type), 0);
	assert_int_equal(offsetof(struct wire_header, req_id), 4);
	assert_int_equal(offsetof(struct wire_header, tx_id), 8);
	assert_int_equal(offsetof(struct wire_header, len), 12);
}

static void test_type_names(void **state)
{
	(void)state;
	assert_string_equal(wire_type_name(0), "CONTROL");
	assert_string_equal(wire_type_name(15), "WATCH_EVENT");
	assert_string_equal(wire_type_name(22), "DIRECTORY_PART");
	assert_string_equal(wire_type_name(26), "SET_QUOTA");
	assert_null(wire_type_name(20));
	assert_null(wire_type_name(27));
	assert_null(wire_type_name(XS_INVALID));
	assert_null(wire_type_name(UINT32_MAX));
	for (uint32_t type = 0; type < XS_TYPE_COUNT; type++)
		if (type != XS_RESTRICT)
			assert_non_null(wire_type_name(type));
}

static void test_error_names(void **state)
{
	(void)state;
	assert_string_equal(wire_error_name(ENOENT), "ENOENT");
	assert_string_equal(wire_error_name(EACCES), "EACCES");
	assert_string_equal(wire_error_name(EPERM), "EPERM");
	assert_string_equal(wire_error_name(E2BIG), "E2BIG");
	assert_string_equal(wire_error_name(EISCONN), "EISCONN");
	/* What the protocol has no name for. */
	assert_string_equal(wire_error_name(ESRCH), "EINVAL");
	assert_string_equal(wire_error_name(-1), "EINVAL");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_header_layout),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_error_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
