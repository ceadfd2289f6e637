/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requests that a toolstack and a back-end driver make to create one VM with one network
 * and one block device, as a table.
 */
#ifndef BENCH_VM_PATTERN_H
#define BENCH_VM_PATTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum vm_connection {
	VM_TOOL, /* the toolstack's process for this VM */
	VM_BACK, /* the back-end driver, one for all VMs */
};

/* '#' stands for the domid in all texts. */
struct vm_request {
	enum vm_connection connection;
	uint32_t type;
	bool in_transaction;
	const char *path;
	const char *more;  /* SET_PERMS: entries with blanks between; WATCH: token */
	unsigned int size; /* WRITE: of the value to write; READ: of the value expected */
};

/* Sent once, before the first VM. */
extern const struct vm_request vm_once[];
extern const size_t vm_once_count;

/* Sent for each VM. */
extern const struct vm_request vm_pattern[];
extern const size_t vm_pattern_count;

#endif
