/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The option liveupdate=<size>[@<base>] of the hypervisor's command line.
 *
 * With a size alone it asks for boot memory, at the first boot. With a base it states
 * where boot memory is, at an update. Who loads the next hypervisor appends the second
 * form to a command line that may have the first one already: the last one counts.
 *
 * As everywhere on that command line, a size without a unit is in KiB; units are B, K,
 * M, G and T. A base without a unit is in bytes, because that is how kexec-tools
 * writes it ("liveupdate=64M@0x12345000").
 */
#ifndef HYPERVISOR_LIVEUPDATE_OPTION_H
#define HYPERVISOR_LIVEUPDATE_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct hv_liveupdate_option {
	uint64_t size; /* bytes, 0: there is no such option */
	uint64_t base; /* a machine address */
	bool has_base;
};

/**
 * Read the option from a command line of @length bytes. Returns 0, or -EINVAL when an option is
 * there that is not well-formed: an unknown unit, nothing behind '@', a size of 0, or more than
 * 64 bits hold.
 */
int hv_liveupdate_option_parse(const char *command_line, size_t length,
			       struct hv_liveupdate_option *option);

/**
 * Write the option of an update, as kexec-tools does, with a final NUL; at most @room bytes.
 * Returns the length without the NUL, or -ENOSPC.
 */
int hv_liveupdate_option_format(uint64_t size, uint64_t base, char *text, size_t room);

#endif
