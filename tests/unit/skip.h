/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Skipping a test: what this machine lacks stands in the list at the end of the
 * run (tests/check.py), since a skip without its reason looks like a success.
 *
 * Included by test programs, after <cmocka.h>.
 */
#ifndef TESTS_UNIT_SKIP_H
#define TESTS_UNIT_SKIP_H

/* Ends the test. */
#define skip_because(reason)                                                                       \
	do {                                                                                       \
		print_message("SKIPPED %s: %s: %s\n", __FILE__, __func__, reason);                 \
		skip();                                                                            \
	} while (0)

#endif
