/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The values that the authors of SipHash have published, whole and in pieces. */
#include "bytes/siphash.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* The key 00 01 .. 0f. */
#define K0 0x0706050403020100ULL
#define K1 0x0f0e0d0c0b0a0908ULL

/* Of the first n bytes of 00 01 02 ..; the one of 15 bytes is in the paper itself (appendix A). */
static const uint64_t published[16] = {
	0x726fdb47dd0e0e31, 0x74f839c593dc67fd, 0x0d6c8009d9a94f5a, 0x85676696d7fb7e2d,
	0xcf2794e0277187b7, 0x18765564cd99a68d, 0xcbc9466e58fee3ce, 0xab0200f58b01d137,
	0x93f5f5799a932462, 0x9e0082df0ba9e4b0, 0x7a5dbbc594ddb9f3, 0xf4b32f46226bada7,
	0x751e8fbc860ee5fb, 0x14ea5627c0843d90, 0xf723ca908e7af2ee, 0xa129ca6149be45e5,
};

static void bytes_of(unsigned char *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		bytes[i] = (unsigned char)i;
}

static void test_published_values(void **state)
{
	unsigned char bytes[16];

	(void)state;
	bytes_of(bytes, sizeof(bytes));
	for (size_t size = 0; size < 16; size++) {
		struct siphash sum;

		siphash_init(&sum, K0, K1);
		siphash_add(&sum, bytes, size);
		assert_true(siphash_end(&sum) == published[size]);
	}
}

static void test_pieces_do_not_matter(void **state)
{
	unsigned char bytes[15];

	(void)state;
	bytes_of(bytes, sizeof(bytes));
	for (size_t first = 0; first <= 15; first++)
		for (size_t second = first; second <= 15; second++) {
			struct siphash sum;

			siphash_init(&sum, K0, K1);
			siphash_add(&sum, bytes, first);
			siphash_add(&sum, bytes + first, second - first);
			siphash_end(&sum);
			siphash_add(&sum, bytes + second, 15 - second);
			assert_true(siphash_end(&sum) == published[15]);
		}
}

static void test_the_key_matters(void **state)
{
	struct siphash sum;

	(void)state;
	for (unsigned int bit = 0; bit < 128; bit++) {
		siphash_init(&sum, bit < 64 ? K0 ^ 1ULL << bit : K0,
			     bit < 64 ? K1 : K1 ^ 1ULL << (bit - 64));
		assert_true(siphash_end(&sum) != published[0]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_published_values),
		cmocka_unit_test(test_pieces_do_not_matter),
		cmocka_unit_test(test_the_key_matters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
