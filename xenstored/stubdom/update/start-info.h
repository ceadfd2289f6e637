/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What an image is started with: the structure that a domain's builder makes, made by the image
 * before it. (spec: stubdom.md section 2 "Entry state")
 */
#ifndef STUBDOM_UPDATE_START_INFO_H
#define STUBDOM_UPDATE_START_INFO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct start_module {
	uint64_t start, size;
	const char *text; /* its command line */
};

/**
 * Make it, with modules and command line behind it.
 * @place: @room bytes of memory, which will be found at the physical address @address
 * Returns false when they are not enough.
 */
bool start_info_make(void *place, size_t room, uint32_t address, const struct start_module *module,
		     unsigned int modules, const char *command_line);

#endif
