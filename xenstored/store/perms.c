/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interned permission lists. */
#include "store/perms.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

void perms_table_init(struct perms_table *table, const struct hash_secret *secret)
{
	hash_init(&table->lists);
	table->secret = secret;
	table->bytes = 0;
}

void perms_table_deinit(struct perms_table *table)
{
	hash_deinit(&table->lists);
}

static size_t list_size(size_t count)
{
	return sizeof(struct perms) + count * sizeof(struct perm);
}

struct perms *perms_get(struct perms_table *table, const struct perm *entry, size_t count)
{
	uint64_t hash = hash_bytes(table->secret, 0, entry, count * sizeof(*entry));
	struct hash_link *link = NULL;
	struct perms *perms;

	while ((link = hash_find(&table->lists, hash, link))) {
		perms = hash_entry(link, struct perms, link);
		if (perms->count == count && !memcmp(perms->entry, entry, count * sizeof(*entry)))
			return perms_ref(perms);
	}
	perms = malloc(list_size(count));
	if (!perms)
		return NULL;
	perms->refs = 1;
	perms->count = (uint32_t)count;
	memcpy(perms->entry, entry, count * sizeof(*entry));
	hash_insert(&table->lists, &perms->link, hash);
	table->bytes += list_size(count);
	return perms;
}

void perms_unref(struct perms_table *table, struct perms *perms)
{
	if (!perms || --perms->refs)
		return;
	hash_remove(&table->lists, &perms->link);
	table->bytes -= list_size(perms->count);
	free(perms);
}

struct perm perm_make(unsigned int domid, unsigned int letter, uint64_t record)
{
	struct perm perm;

	memset(&perm, 0, sizeof(perm));
	perm.domid = (uint16_t)domid;
	perm.letter = (uint8_t)letter;
	perm.record = record;
	return perm;
}

int perm_parse(const char *text, size_t len, unsigned int *letter, unsigned int *domid)
{
	char *end;
	long value;

	switch (text[0]) {
	case 'n':
		*letter = PERM_NONE;
		break;
	case 'r':
		*letter = PERM_READ;
		break;
	case 'w':
		*letter = PERM_WRITE;
		break;
	case 'b':
		*letter = PERM_READ | PERM_WRITE;
		break;
	default:
		return EINVAL;
	}
	value = strtol(text + 1, &end, 0);
	/* A number that is no domain id is refused: cut to 16 bits it would name somebody else. */
	if (len < 2 || end != text + len || value < 0 || value > 65535)
		return EINVAL;
	*domid = (unsigned int)value;
	return 0;
}

char perm_char(unsigned int letter)
{
	return "nrwb"[letter & (PERM_READ | PERM_WRITE)];
}
