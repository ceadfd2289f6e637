/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Open addressing with linear probing. An entry that is removed leaves no mark:
 * those behind it that were pushed aside by it move up.
 */
#include "mapping-table.h"

#include <errno.h>
#include <stdlib.h>

#define SMALLEST 64U

static size_t home(const struct mapping_table *table, uintptr_t address)
{
	return (size_t)(((uint64_t)address >> 12) * 0x9e3779b97f4a7c15U >> 20) & (table->room - 1);
}

static void put(struct mapping_table *table, uintptr_t address, uint64_t id)
{
	size_t place = home(table, address);

	while (table->slots[place].address)
		place = (place + 1) & (table->room - 1);
	table->slots[place] = (struct mapping_slot){address, id};
}

void mapping_table_deinit(struct mapping_table *table)
{
	free(table->slots);
	*table = (struct mapping_table){0};
}

static int grow(struct mapping_table *table)
{
	struct mapping_table grown = {.room = table->room ? table->room * 2 : SMALLEST,
				      .used = table->used};

	grown.slots = calloc(grown.room, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (size_t i = 0; i < table->room; i++)
		if (table->slots[i].address)
			put(&grown, table->slots[i].address, table->slots[i].id);
	free(table->slots);
	*table = grown;
	return 0;
}

int mapping_table_add(struct mapping_table *table, uintptr_t address, uint64_t id)
{
	if (table->used * 2 >= table->room && grow(table) < 0)
		return -ENOMEM;
	put(table, address, id);
	table->used++;
	return 0;
}

bool mapping_table_take(struct mapping_table *table, uintptr_t address, uint64_t *id)
{
	size_t mask = table->room - 1, place, next;

	if (!table->room)
		return false;
	place = home(table, address);
	while (table->slots[place].address != address) {
		if (!table->slots[place].address)
			return false;
		place = (place + 1) & mask;
	}
	*id = table->slots[place].id;
	table->used--;
	for (next = (place + 1) & mask; table->slots[next].address; next = (next + 1) & mask) {
		size_t wanted = home(table, table->slots[next].address);

		/* Movable unless its home lies between the hole and itself. */
		if (((next - wanted) & mask) >= ((next - place) & mask)) {
			table->slots[place] = table->slots[next];
			place = next;
		}
	}
	table->slots[place].address = 0;
	return true;
}
