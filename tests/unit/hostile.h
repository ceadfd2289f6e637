/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hostile messages: requests made from a fuzzer's input, nearly right or quite wrong.
 *
 * Most are well formed and name the same few paths, so that they meet each
 * other; some are cut, filled up, doubled, or have bytes changed.
 */
#ifndef TESTS_UNIT_HOSTILE_H
#define TESTS_UNIT_HOSTILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A growing byte string. */
struct bytes {
	char *data;
	size_t len, room;
};

/* What is left of the input. */
struct hostile {
	const uint8_t *input;
	size_t left;
	uint32_t req_id; /* of the last message */
};

/** Append to a byte string; free it. */
void bytes_add(struct bytes *bytes, const void *data, size_t len);
void bytes_forget(struct bytes *bytes);

/** A number below @sides from the input; 0 when it is used up. */
unsigned int hostile_roll(struct hostile *from, unsigned int sides);

/** Append @len bytes, from the input or all the same. */
void hostile_fill(struct hostile *from, struct bytes *out, size_t len, bool random);

/** Append one message, header and payload. */
void hostile_message(struct hostile *from, struct bytes *out);

#endif
