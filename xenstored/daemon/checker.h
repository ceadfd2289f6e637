/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The checker: the new program, reading along while the old one writes the image.
 *
 *      old program                         checker
 *      -----------                         -------
 *      a part is written      --->         checks it
 *      the store is complete  --->         checks it; "so far it is right"
 *      (pause) all is there   --->         checks the rest; "it is right"
 *
 * So that a program that does not take the state is found while everybody is served, and little is
 * left to be checked in the pause. What is wrong is said as text.
 */
#ifndef XENSTORED_DAEMON_CHECKER_H
#define XENSTORED_DAEMON_CHECKER_H

#include <stdint.h>

#include "daemon/guard.h"
#include "daemon/helper.h"

/* How far the image has come; a checker answers all but the first. */
enum checker_progress { CHECKER_PART, CHECKER_STORE, CHECKER_ALL };

/* The first byte of an answer; a refusal's text follows. */
#define CHECKER_RIGHT	'r'
#define CHECKER_REFUSED 'n'

/** Start the program @file as the checker of @image_fd. Returns 0 or a negative errno. */
int checker_start(struct helper *checker, const char *file, int image_fd);

/** Tell it that @size bytes, whole records, are written. Returns 0 or a negative errno. */
int checker_tell(struct helper *checker, uint64_t size, enum checker_progress progress);

/**
 * Its answer, within @ms (0 = only what is there).
 * Returns 1: right; 0: no answer yet; negative: refused, or it has ended, with a text in @why.
 */
int checker_answer(struct helper *checker, int ms, char *why, size_t size);

/** As the checker: until all is checked. Returns the exit status. */
int checker_run(const struct inheritance *inheritance);

#endif
