/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which page of this process shows which mapping of the host. A process of a big
 * host has tens of thousands of them, and a table that is sorted by address would
 * be moved about for each; so it is a hash table with open addressing.
 *
 * A table of zeros is empty.
 */
#ifndef HYPERVISOR_LIBS_MAPPING_TABLE_H
#define HYPERVISOR_LIBS_MAPPING_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct mapping_slot {
	uintptr_t address; /* 0: free */
	uint64_t id;
};

struct mapping_table {
	struct mapping_slot *slots;
	size_t room, used; /* room is a power of two, at least twice what is used */
};

void mapping_table_deinit(struct mapping_table *table);

/* Adds a page that is not in the table. 0 or -ENOMEM. */
int mapping_table_add(struct mapping_table *table, uintptr_t address, uint64_t id);

/* Removes a page and tells its mapping; false when it is not in the table. */
bool mapping_table_take(struct mapping_table *table, uintptr_t address, uint64_t *id);

#endif
