/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest as a client that always writes, and that notices if one of its requests is lost, done
 * twice or done out of turn.
 *
 * It writes the numbers 1, 2, 3 ... to data/number, some requests ahead of the replies, so that
 * there are always some in the ring; each eighth request reads the node back, which must hold the
 * number before. It rests for some milliseconds now and then, with requests in the ring, so that
 * others find time as well. Replies must come in the order of the requests. At the first that is
 * wrong it writes what it saw to data/failed and stops.
 */
#include "roles.h"
#include "wire.h"
#include "xen.h"

#define AHEAD 6u
#define REST  5u
#define EACH  8u

static void print_number(char *text, uint32_t number)
{
	char digits[10];
	size_t count = 0;

	do {
		digits[count++] = (char)('0' + number % 10);
		number /= 10;
	} while (number);
	while (count)
		*text++ = digits[--count];
	*text = 0;
}

static bool is_read(uint32_t number)
{
	return number % EACH == 0;
}

static void send_number(uint32_t number)
{
	char text[12];

	print_number(text, number);
	if (is_read(number))
		send_request(XS_READ, number, "data/number", "", 0);
	else
		send_request(XS_WRITE, number, "data/number", text, length(text));
}

/* Whether the message that has come is the reply to this request. */
static bool is_reply_to(uint32_t number)
{
	char text[12];

	if (reply.req_id != number || reply.type != (is_read(number) ? XS_READ : XS_WRITE))
		return false;
	print_number(text, number - 1);
	return !is_read(number) || equal(payload, text);
}

static _Noreturn void fail(uint32_t number)
{
	char text[12];

	print_number(text, number);
	send_request(XS_WRITE, 0, "data/failed", text, length(text));
	send_request(XS_WRITE, 0, "data/failed-reply", payload, length(payload));
	for (;;)
		receive_message();
}

_Noreturn void writer_role(void)
{
	uint32_t sent = 0;

	for (uint32_t due = 1;; due++) {
		while (sent < due + AHEAD)
			send_number(++sent);
		if (due % EACH == REST)
			xen_sleep(30);
		receive_message();
		if (!is_reply_to(due))
			fail(due);
	}
}
