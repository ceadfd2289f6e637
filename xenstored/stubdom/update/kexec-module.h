/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Pages that stay where they are while upstream's stub domain is replaced by another image: the
 * module of its start information by which it finds its 9pfs device again, and by which we
 * exchange places with it.
 *
 *	| ... | interface page | 16 pages of ring data | what is what |
 *
 * The last page describes the others: a table of records, and for each page the record that it
 * belongs to. All offsets are from the beginning of the last page, in host byte order. There is one
 * kind of record, for 9pfs. The ring's order and the references of its data pages are on the
 * interface page, where the pages themselves are is in the grant table.
 *
 * The pages are shared with the back-end and come from another program: every number is checked.
 * (spec: stubdom.md section 6 "Upstream Mini-OS")
 */
#ifndef STUBDOM_UPDATE_KEXEC_MODULE_H
#define STUBDOM_UPDATE_KEXEC_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ninep/frontend.h"
#include "stubdom/layout.h"

/* What the last page begins with. A program that reads such modules has this text in it. */
#define KEXEC_MODULE_MAGIC "KexecMem"

/* The module that we make, in bytes. */
#define KEXEC_MODULE_SIZE ((uint64_t)LAYOUT_FILES_PAGES * LAYOUT_PAGE)

/* What the record of a 9pfs device says. */
struct kexec_module_files {
	uint32_t ring_ref; /* of the interface page */
	uint32_t port;
	uint32_t out_prod, in_cons; /* the front-end's own indices */
};

/* What is asked of the own grant table. */
struct kexec_module_grants {
	/* The page that entry @ref gives to @domid. Returns false: it gives none. */
	bool (*find)(void *data, uint32_t ref, unsigned int *domid, uint64_t *address);
	void *data;
};

/** Whether a module is one of this kind, by its first words and its size alone. */
bool kexec_module_is(const void *module, uint64_t size);

/**
 * The device of a module, in the form in which the front-end takes connections over.
 * @module: @size bytes, at the physical address @address; a multiple of pages
 * @interface: filled with the physical address of the interface page; the ring's data follow it,
 *	and the module ends with the page behind the largest ring
 * @why: filled with a reason when the module cannot be believed
 * Returns whether @saved and @interface are filled.
 */
bool kexec_module_read(const void *module, uint64_t size, uint64_t address,
		       const struct kexec_module_grants *grants, struct ninep_saved *saved,
		       uint64_t *interface, const char **why);

/**
 * Describe the device in the last page of a module that is laid out as in layout.h.
 * @last: LAYOUT_PAGE bytes
 */
void kexec_module_write(void *last, const struct kexec_module_files *files);

#endif
