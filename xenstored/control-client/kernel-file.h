/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of a store domain's kernel, in memory, ready to be sent: an ELF image, decompressed if
 * it was compressed with gzip.
 */
#ifndef XENSTORED_CONTROL_CLIENT_KERNEL_FILE_H
#define XENSTORED_CONTROL_CLIENT_KERNEL_FILE_H

#include <stddef.h>

struct kernel_file {
	unsigned char *bytes;
	size_t size;
	char error[256]; /* after a failure: what is wrong, for a message */
};

/**
 * Loads the file @name. Returns 0 or a negative errno (-ENOEXEC: no ELF image); @kernel needs no
 * deinit after a failure.
 */
int kernel_file_load(struct kernel_file *kernel, const char *name);

void kernel_file_deinit(struct kernel_file *kernel);

#endif
