/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values and names for both ends of a benchmark, see wire.h.
 */
#define _GNU_SOURCE 1
#include "wire.h"
#include "fail.h"

static const char text[] = "0123456789abcdefghijklmnopqrstuv"
			   "ABCDEFGHIJKLMNOPQRSTUVWXYZ-+*/=.";

const char *value_text(size_t size)
{
	if (size > sizeof(text) - 1)
		fail("a value of %zu bytes was asked for", size);
	return text;
}

const char *wire_name(uint32_t type)
{
	switch (type) {
	case XS_CONTROL:
		return "CONTROL";
	case XS_DIRECTORY:
		return "DIRECTORY";
	case XS_INTRODUCE:
		return "INTRODUCE";
	case XS_READ:
		return "READ";
	case XS_WATCH:
		return "WATCH";
	case XS_UNWATCH:
		return "UNWATCH";
	case XS_TRANSACTION_START:
		return "TRANSACTION_START";
	case XS_TRANSACTION_END:
		return "TRANSACTION_END";
	case XS_WRITE:
		return "WRITE";
	case XS_MKDIR:
		return "MKDIR";
	case XS_RM:
		return "RM";
	case XS_SET_PERMS:
		return "SET_PERMS";
	case XS_WATCH_EVENT:
		return "WATCH_EVENT";
	case XS_ERROR:
		return "ERROR";
	default:
		return "a type unknown here";
	}
}
