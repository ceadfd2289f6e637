/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The work on one domain, as the passes of a restore hand it on.
 *
 * Who may write what while several CPUs work: a domain's entry and the domain itself
 * belong to the CPU that does its pass. Of others only what an earlier pass wrote is
 * read, which is why each pass has its own place for what it found wrong. The
 * exceptions are counts of others' references, which are added to atomically, the
 * frame table, which has locks, and two flags.
 */
#ifndef HYPERVISOR_RESTORE_INTERNAL_H
#define HYPERVISOR_RESTORE_INTERNAL_H

#include "hypervisor/restore.h"
#include "hypervisor/stream-reader.h"

#define HV_SECTION_TYPES (HV_RECORD_IOMMU - HV_RECORD_GENERAL + 1)

struct hv_restore_domain {
	uint64_t unique_id;
	const uint8_t *section; /* what is in the DOMAIN record, and the section's records */
	uint64_t size;		/* of them */
	struct hv_domain *domain;
	struct hv_stream_general general;
	struct hv_read_record records[HV_SECTION_TYPES];
	const char *reason[HV_RESTORE_PASSES]; /* what each pass found wrong first */
	const char *shared_reason;	       /* what somebody found wrong in his share */
	uint16_t domid;
	bool shared;	/* all units of work have a share in its mappings and ports */
	bool contested; /* somebody else claims a frame of it; set by him */
	bool one_sided; /* a port's other end says something else */
	bool orphans;	/* it maps frames of a domain that failed before it claimed them */
	bool pending;	/* events wait on ports that are not masked */
};

/** A record of the section; it has no elements if it is not there. */
static inline const struct hv_read_record *hv_restore_record(const struct hv_restore_domain *work,
							     enum hv_record_type type)
{
	return &work->records[type - HV_RECORD_GENERAL];
}

/** Did the domain fail in a pass before @pass? */
static inline bool hv_restore_failed(const struct hv_restore_domain *work,
				     enum hv_restore_pass pass)
{
	for (unsigned int i = 0; i < (unsigned int)pass; i++) {
		if (work->reason[i])
			return true;
	}
	return false;
}

/** The work on @domid; NULL: the stream has no such domain. */
struct hv_restore_domain *hv_restore_find(struct hv_restore *restore, uint32_t domid);

/** An allocation failed, so that the restore has to end. Returns the sentence that says so. */
const char *hv_restore_no_memory(struct hv_restore *restore);

#define HV_RESTORE_SLICE 64u

/**
 * What unit of work number @index does of @count things that are shared out: those from *@first up
 * to
 * *@end. One unit in 64 does the share of all of them, because a long loop waits for many cache
 * lines at the same time.
 */
static inline void hv_restore_slice(const struct hv_restore *restore, uint32_t index,
				    uint64_t count, uint64_t *first, uint64_t *end)
{
	uint64_t next = (uint64_t)index + HV_RESTORE_SLICE;

	if (index % HV_RESTORE_SLICE)
		next = index;
	else if (next > restore->domain_count)
		next = restore->domain_count;
	*first = count * index / restore->domain_count;
	*end = count * next / restore->domain_count;
}

/* The passes, on one domain. They return what is wrong, or NULL. */

const char *hv_restore_create(struct hv_restore *restore, struct hv_restore_domain *work);
const char *hv_restore_pages(struct hv_restore *restore, struct hv_restore_domain *work);
const char *hv_restore_rest(struct hv_restore *restore, struct hv_restore_domain *work);
const char *hv_restore_match(struct hv_restore *restore, struct hv_restore_domain *work);

/** Number @index's share in the mappings of those that have very many. */
void hv_restore_share(struct hv_restore *restore, uint32_t index);

/* Parts of these. */

/** Make room for the domain's mappings, and see whether they are to be shared out. */
const char *hv_restore_room(struct hv_restore *restore, struct hv_restore_domain *work);

/** Fill @p2m, which is empty, from a record of extents. Returns NULL or what is wrong. */
const char *hv_restore_extents(struct hv_restore *restore, const struct hv_read_record *record,
			       struct hv_p2m *p2m);

const char *hv_restore_ports(struct hv_restore *restore, struct hv_restore_domain *work);
const char *hv_restore_mappings(struct hv_restore *restore, struct hv_restore_domain *work);

/** Forget ports that hv_restore_ports() made. */
void hv_restore_undo_ports(struct hv_restore *restore, struct hv_restore_domain *work);

/** Give up all that the domain holds of others. */
void hv_restore_undo_mappings(struct hv_restore *restore, struct hv_restore_domain *work);

/** See whether a port's other end says something else, if that is not shared out. */
void hv_restore_match_ports(struct hv_restore *restore, struct hv_restore_domain *work);

/** The same for the share that unit of work number @index has in large domains' ports. */
void hv_restore_match_share(struct hv_restore *restore, uint32_t index);

/* Parts of hv_restore_finish(), with all passes done. */

/** Make ports whose other end says something else unbound. */
void hv_restore_unbind(struct hv_restore *restore, struct hv_restore_domain *work);

/** Give frames that are mapped to the domain that should own them. */
const char *hv_restore_adopt(struct hv_restore *restore, struct hv_restore_domain *work);

/**
 * A domain that failed stays until the toolstack destroys it: one that is dead or removed gets the
 * reference of a life again. Before anybody gives up references (hv_restore_bury()).
 */
void hv_restore_revive(struct hv_domain *domain);

/** The end of a domain that failed. */
void hv_restore_bury(struct hv_restore *restore, struct hv_restore_domain *work);

#endif
