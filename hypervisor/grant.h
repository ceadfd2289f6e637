/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Grants: one domain lets another map a page of its memory.
 *
 * Each domain has a table of entries; an entry names a frame, who may map it, and
 * whether only for reading. The domain that maps gets a handle, which stands in
 * its own table of mappings. A frame is a number that means something to the host
 * only; on a machine with modelled memory it is one of the frame table, where mappings
 * are counted as references.
 *
 * What is mapped stays valid until it is unmapped, whatever the granting domain
 * does. If it revokes the entry meanwhile, nobody can map it any more, and the
 * entry is busy until the last mapping is gone. If it dies, each mapping holds a
 * reference: the domain stays dead but not gone, its domid is not reused, and so
 * its frames are not either. A domain that dies loses what it has mapped.
 *
 * Control domains can also map frames without a grant (foreign mappings); these
 * stand in the same table and hold the domain in the same way.
 */
#ifndef HYPERVISOR_GRANT_H
#define HYPERVISOR_GRANT_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

/* Entries with a fixed meaning, filled in by whoever builds the domain. */
#define HV_GRANT_CONSOLE  0u
#define HV_GRANT_XENSTORE 1u

#define HV_GRANT_DEFAULT_ENTRIES  32768u
#define HV_GRANT_DEFAULT_MAPPINGS 524288u
#define HV_GRANT_MAX_ENTRIES	  (1u << 22)
#define HV_GRANT_MAX_MAPPINGS	  (1u << 22)

#define HV_NO_HANDLE UINT32_MAX

struct hv_grant {
	uint64_t frame;
	uint32_t mappings; /* how many there are at the moment */
	uint16_t to;	   /* who may map */
	bool granted : 1;  /* may be mapped; unset with mappings: revoked, busy */
	bool readonly : 1;
};

/* A domain's entries. */
struct hv_grant_table {
	struct hv_grant *entries;
	uint32_t capacity;
	uint32_t limit;
};

struct hv_mapping {
	uint64_t frame;
	uint32_t ref;  /* of the entry; or, in a free mapping, the next free one + 1 */
	uint16_t from; /* whose frame; that domain exists as long as the mapping */
	bool used : 1;
	bool foreign : 1; /* mapped without a grant */
	bool readonly : 1;
};

/* What a domain has mapped. */
struct hv_mapping_table {
	struct hv_mapping *mappings; /* by handle */
	uint32_t capacity;
	uint32_t limit;
	uint32_t free; /* handle + 1 of a free one below high, 0: none */
	uint32_t high; /* handles from here on were never used */
	uint32_t count;
};

/**
 * Let @to map @frame of @domid by entry @ref. Done by the domain itself or a control domain for it
 * (else -EPERM). Errors: -ESRCH (no such domain, or dying), -EINVAL (beyond the table's limit),
 * -EBUSY (the entry is mapped, or revoked and still mapped), -ENOMEM. An entry that is not mapped
 * is overwritten.
 */
int hv_grant_access(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t ref,
		    unsigned int to, uint64_t frame, bool readonly);

/**
 * Revoke an entry: nobody can map it any more. Returns 0 when it is free again, -EBUSY when it is
 * still mapped; then it gets free with the last unmapping. Also -EPERM, -ESRCH, -EINVAL (no entry).
 */
int hv_grant_end_access(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			uint32_t ref);

/**
 * Map entry @ref of @domid. Fills @handle and @frame. Errors: -ESRCH (no such domain, or dying),
 * -EINVAL (nothing granted there, or a frame that is not its own), -EPERM (granted to somebody
 * else, or only for reading), -ENOSPC (no more handles), -ENOMEM.
 */
int hv_grant_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t ref,
		 bool readonly, uint32_t *handle, uint64_t *frame);

/** Map @frame of @domid without a grant, as a control or device-model domain (else -EPERM). */
int hv_foreign_map(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint64_t frame,
		   uint32_t *handle);

/** Give up a mapping of either kind. -EINVAL for what is no handle of the caller. */
int hv_unmap(struct hypervisor *hv, unsigned int caller, uint32_t handle);

/* For the mechanism's other parts. 0 as a limit means the default. */

void hv_grant_table_init(struct hv_grant_table *table, uint32_t limit);
void hv_mapping_table_init(struct hv_mapping_table *table, uint32_t limit);

/** Unmap all that @domain, which is dying, has mapped. */
void hv_unmap_all(struct hypervisor *hv, struct hv_domain *domain);

void hv_grant_table_deinit(struct hypervisor *hv, struct hv_grant_table *table);
void hv_mapping_table_deinit(struct hypervisor *hv, struct hv_mapping_table *table);

#endif
