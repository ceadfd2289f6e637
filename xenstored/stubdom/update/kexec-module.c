/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Nothing of the module is used before it was copied and compared. */
#include "stubdom/update/kexec-module.h"

#include <string.h>

#include "ninep/ring.h"

#define PAGE LAYOUT_PAGE

/* Pages of a module that we look at, the last one included. */
#define PAGES_MAX 257u

#define RECORD_NONE 0u
#define RECORD_9PFS 1u

/* Records in the table that other programs find room for their own in. */
#define RECORDS 16u

/* File handles that another front-end may have left open; back-ends allow few. */
#define FIDS_LEFT 0xffu

struct header {
	char magic[8];
	uint16_t pages;	  /* besides the last one */
	uint16_t records; /* of the table */
	uint16_t table;	  /* offset of it */
} __attribute__((packed));

struct record {
	uint16_t offset;
	uint8_t type, size;
};

_Static_assert(sizeof(struct header) == 14 && sizeof(struct record) == 4, "ABI");
_Static_assert(sizeof(struct kexec_module_files) == 16, "ABI");

bool kexec_module_is(const void *module, uint64_t size)
{
	return size % PAGE == 0 && size >= 2 * PAGE && size <= PAGES_MAX * PAGE &&
	       !memcmp((const char *)module + size - PAGE, KEXEC_MODULE_MAGIC, 8);
}

/* The record of the device. Returns its number, or -1. */
static int find_record(const uint8_t *last, const struct header *header,
		       struct kexec_module_files *files)
{
	size_t end = header->table + header->records * sizeof(struct record);

	for (unsigned int i = 0; i < header->records; i++) {
		struct record record;

		memcpy(&record, last + header->table + i * sizeof(record), sizeof(record));
		if (record.type != RECORD_9PFS)
			continue;
		if (record.size != sizeof(*files) || record.offset < end ||
		    record.offset > PAGE - sizeof(*files))
			return -1;
		memcpy(files, last + record.offset, sizeof(*files));
		return (int)i;
	}
	return -1;
}

/* The device as the last page describes it; *@first is the number of its first page. */
static const char *read_last(const uint8_t *last, uint64_t size, struct kexec_module_files *files,
			     uint32_t *first)
{
	struct header header;
	const uint8_t *owner = last + sizeof(header);
	uint32_t pages = (uint32_t)(size / PAGE) - 1;
	int number;

	memcpy(&header, last, sizeof(header));
	if (header.pages != pages)
		return "its size is another one";
	if (header.table < sizeof(header) + pages ||
	    header.table + header.records * sizeof(struct record) > PAGE)
		return "its table of records is somewhere else";
	number = find_record(last, &header, files);
	if (number < 0)
		return "it has no 9pfs device";
	for (*first = 0; *first < pages && owner[*first] != number; ++*first)
		;
	/* Where the page behind the largest ring is the last one, all can be handed on. */
	if (*first + LAYOUT_FILES_PAGES - 1 != pages)
		return "its pages are in another order";
	return NULL;
}

struct lookup {
	const struct kexec_module_grants *grants;
	unsigned int domid; /* the back-end's */
};

/* Whether entry @ref gives the page at @address to the back-end. */
static bool gives(struct lookup *lookup, uint32_t ref, uint64_t address, bool first)
{
	unsigned int domid;
	uint64_t page;

	if (!lookup->grants->find(lookup->grants->data, ref, &domid, &page) || page != address)
		return false;
	if (first)
		lookup->domid = domid;
	return domid == lookup->domid;
}

static const char *read_interface(const uint8_t *page, uint64_t address, struct lookup *lookup,
				  struct ninep_saved *saved)
{
	const struct p9_interface *interface = (const void *)page;
	/* The back-end may write there at any time. */
	uint32_t order = __atomic_load_n(&interface->ring_order, __ATOMIC_RELAXED);

	if (order < 1 || order > LAYOUT_FILES_ORDER)
		return "the size of its ring is impossible";
	saved->order = order;
	saved->granted = 1 + (1u << order);
	saved->msize = P9_RING_SIZE(order);
	for (uint32_t i = 0; i < 1u << order; i++) {
		saved->refs[1 + i] = __atomic_load_n(&interface->ref[i], __ATOMIC_RELAXED);
		if (!gives(lookup, saved->refs[1 + i], address + (1 + (uint64_t)i) * PAGE, false))
			return "a page of its ring is not granted";
	}
	return NULL;
}

bool kexec_module_read(const void *module, uint64_t size, uint64_t address,
		       const struct kexec_module_grants *grants, struct ninep_saved *saved,
		       uint64_t *interface, const char **why)
{
	const uint8_t *bytes = module;
	struct lookup lookup = {.grants = grants};
	struct kexec_module_files files;
	uint32_t first;

	if (!kexec_module_is(module, size) || address % PAGE) {
		*why = "it is none";
		return false;
	}
	*why = read_last(bytes + size - PAGE, size, &files, &first);
	if (*why)
		return false;
	*interface = address + (uint64_t)first * PAGE;
	memset(saved, 0, sizeof(*saved));
	if (!files.port || !gives(&lookup, files.ring_ref, *interface, true)) {
		*why = "its interface page is not granted";
		return false;
	}
	*why = read_interface(bytes + (size_t)first * PAGE, *interface, &lookup, saved);
	if (*why)
		return false;
	saved->version = NINEP_SAVED_VERSION;
	saved->connected = 1;
	saved->backend_id = lookup.domid;
	saved->port = files.port;
	saved->refs[0] = files.ring_ref;
	saved->out_prod = files.out_prod;
	saved->in_cons = files.in_cons;
	saved->fids = FIDS_LEFT;
	return true;
}

void kexec_module_write(void *last, const struct kexec_module_files *files)
{
	uint8_t *bytes = last, *owner = bytes + sizeof(struct header);
	struct header header = {
		.magic = KEXEC_MODULE_MAGIC,
		.pages = LAYOUT_FILES_PAGES - 1,
		.records = RECORDS,
		.table = (sizeof(header) + LAYOUT_FILES_PAGES) & ~1u,
	};
	struct record record = {
		.offset = (uint16_t)(header.table + RECORDS * sizeof(record)),
		.type = RECORD_9PFS,
		.size = sizeof(*files),
	};

	memset(bytes, RECORD_NONE, PAGE);
	memcpy(bytes, &header, sizeof(header));
	/* All pages are those of record 0. */
	memset(owner, 0, LAYOUT_FILES_PAGES - 1);
	memcpy(bytes + header.table, &record, sizeof(record));
	memcpy(bytes + record.offset, files, sizeof(*files));
}
