/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Permission lists, shared between the many nodes that have the same one.
 *
 * Lists are interned: equal lists are one object, so comparing two nodes'
 * permissions is comparing two pointers, and a node pays eight bytes for them.
 *
 * An entry is bound to the *record* of the domain it was made for (a serial
 * number that is never used twice, see state/domain.h). When the domain dies
 * the record goes, and the entry is dead by comparison: no walk over the store
 * is needed, and a later domain with the same domid cannot inherit it.
 */
#ifndef XENSTORED_STORE_PERMS_H
#define XENSTORED_STORE_PERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bytes/hash.h"

#define PERM_NONE  0u
#define PERM_READ  1u
#define PERM_WRITE 2u
#define PERM_OWNER 4u /* asked for by SET_PERMS, never stored */

/*
 * Entry 0: the owner, and the letter for domains without an entry of their own.
 * The others: one domain each. record 0 means stale: no such domain existed.
 */
struct perm {
	uint64_t record;
	uint16_t domid;
	uint8_t letter; /* PERM_READ | PERM_WRITE */
	uint8_t pad[5]; /* zero: lists are hashed and compared as bytes */
};

/* Serials with a meaning of their own. */
#define PERM_RECORD_STALE 0u
#define PERM_RECORD_ANY	  1u /* DOMID_ANY: valid for ever */

struct perms {
	struct hash_link link;
	uint32_t refs;
	uint32_t count; /* at least 1 */
	struct perm entry[];
};

/* The table of all lists of a store. */
struct perms_table {
	struct hash lists;
	const struct hash_secret *secret;
	size_t bytes; /* memory of all lists */
};

void perms_table_init(struct perms_table *table, const struct hash_secret *secret);
void perms_table_deinit(struct perms_table *table);

/** The list with @count entries @entry, with a reference for the caller. NULL: no memory. */
struct perms *perms_get(struct perms_table *table, const struct perm *entry, size_t count);

static inline struct perms *perms_ref(struct perms *perms)
{
	perms->refs++;
	return perms;
}

/** Give a reference back; the last one frees the list. @perms may be NULL. */
void perms_unref(struct perms_table *table, struct perms *perms);

/** Build an entry with clean padding. */
struct perm perm_make(unsigned int domid, unsigned int letter, uint64_t record);

/**
 * Parse "<letter><number>" as in SET_PERMS: the number as strtol() base 0 reads it, whole string.
 * Returns 0 or EINVAL. @len is without the NUL that must stand at text[len].
 */
int perm_parse(const char *text, size_t len, unsigned int *letter, unsigned int *domid);

/** The letter as a character: n, r, w or b. */
char perm_char(unsigned int letter);

#endif
