/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A guest without an operating system, which lives for its Xenstore ring alone. It starts within
 * a fraction of a second also on an emulated machine, and it can break every rule of the ring.
 */
#include "roles.h"
#include "xen.h"

void guest_main(const void *start_info);

/* The compiler makes calls to these. */
void *memcpy(void *to, const void *from, size_t size)
{
	uint8_t *out = to;
	const uint8_t *in = from;

	while (size--)
		*out++ = *in++;
	return to;
}

void *memset(void *to, int value, size_t size)
{
	uint8_t *out = to;

	while (size--)
		*out++ = (uint8_t)value;
	return to;
}

static bool has_word(const char *text, const char *word)
{
	for (; *text; text++) {
		const char *t = text, *w = word;

		while (*w && *t == *w) {
			t++;
			w++;
		}
		if (!*w)
			return true;
	}
	return false;
}

void guest_main(const void *start_info)
{
	const char *command_line = xen_init(start_info);

	if (has_word(command_line, "role=bridge"))
		bridge_role();
	if (has_word(command_line, "role=writer"))
		writer_role();
	client_role();
}
