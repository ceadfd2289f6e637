/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domain's command line as words. There is no quoting; blanks and tabs part
 * words, whoever wrote the line (spec: stubdom.md section 1 "Command line").
 */
#ifndef XENSTORED_STUBDOM_RING0_ARGUMENTS_H
#define XENSTORED_STUBDOM_RING0_ARGUMENTS_H

#include <stddef.h>

/**
 * Split @text in place. Fills @words with at most @max - 1 pointers into it, and NULL behind the
 * last one; what is beyond is left out. Returns the number of words.
 */
size_t arguments_split(char *text, char **words, size_t max);

#endif
