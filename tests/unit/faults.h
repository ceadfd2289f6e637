/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Allocations that fail when a test wants it.
 *
 * The program is linked with wrappers around malloc(), calloc(), realloc() and
 * free(), so what is tested knows nothing of this. Libraries are not affected,
 * nor is test_malloc(), which is in one.
 */
#ifndef TESTS_UNIT_FAULTS_H
#define TESTS_UNIT_FAULTS_H

#include <stdbool.h>

/* What was counted, and made to fail, since the last call of faults_arm(). */
struct faults {
	bool armed;
	unsigned long count;	    /* allocations since */
	unsigned long first, burst; /* those that fail; 0: none */
	unsigned long fired;
	long balance; /* blocks that are allocated at the moment */
};

extern struct faults faults;

/** Count from now on; let @burst allocations fail from number @first on (1 is the next; 0: none).
 */
void faults_arm(unsigned long first, unsigned long burst);

/** Let all succeed again. */
void faults_disarm(void);

#endif
