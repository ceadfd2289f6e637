/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Restoring a machine from a stream that nobody vouches for.
 *
 * hv_restore_begin() reads what is said about the machine as a whole and finds the
 * domains' sections. Then come passes over the domains. Within a pass no domain
 * depends on another, so any number of CPUs can work on different domains; between
 * two passes all of them wait for each other.
 *
 *	pass	what is made of a domain	    needs of others
 *	CREATE	itself, its vCPUs, P2M		    nothing
 *	PAGES	owners of frames, grant table	    nothing
 *	SHARE	mappings of domains with very	    what they own and grant
 *		many, a share in each piece of
 *		work
 *	REST	vCPU state, event channels,	    the same
 *		mappings, I/O request servers,
 *		IOMMU
 *	MATCH	nothing: what is said twice	    all
 *		is compared
 *
 * hv_restore_finish() puts right what the comparison found, and lets the machine go.
 *
 * Whatever is wrong in one domain's section is that domain's end, and nobody else's.
 * It comes out shut down by a crash and dying, without ports and mappings; it owns
 * what it is known to own, because others may have that mapped. The toolstack is told
 * as of any crash, and destroys it. What is wrong with the machine's records, or a
 * lack of memory, ends the restore: the machine made so far is given up, and the
 * stream, which is only read, is there for another try.
 */
#ifndef HYPERVISOR_RESTORE_H
#define HYPERVISOR_RESTORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "hypervisor/hypervisor.h"
#include "hypervisor/stream.h"

enum hv_restore_pass {
	HV_PASS_CREATE,
	HV_PASS_PAGES,
	HV_PASS_SHARE,
	HV_PASS_REST,
	HV_PASS_MATCH,
	HV_RESTORE_PASSES,
};

struct hv_restore_domain; /* the work on one domain, restore-internal.h */

#define HV_RESTORE_SHARED_FROM 1024u /* mappings that are shared out */
#define HV_RESTORE_LARGE       8u    /* domains whose are */

struct hv_restore {
	struct hypervisor *hv;
	struct hv_allocator allocator;
	uint32_t version;
	uint32_t domain_count; /* pieces of work of each pass */
	struct hv_restore_domain *domains;
	uint16_t *index;   /* domid -> number of its piece of work, plus 1 */
	uint32_t hardware; /* domid of the hardware domain */
	uint16_t virq_handlers[HV_VIRQ_COUNT];
	const struct hv_m2p_extent *m2p; /* as the stream has it, if it does */
	uint64_t m2p_count;
	struct hv_restore_domain *large[HV_RESTORE_LARGE];
	uint32_t large_count; /* may be more than there is room for */
	bool no_memory;	      /* an allocation failed in a pass */

	/* Results. */
	uint32_t failed;    /* domains, after hv_restore_finish() */
	const char *reason; /* why begin or finish failed: a constant sentence */
};

/**
 * Begin to restore into @hv, which is set up by @config (the kind and state of ids come from the
 * stream). @stream: the stream, mapped contiguously, aligned to 8 bytes and at least @size bytes
 * long; what follows the stream in its last page must be 0. Memory, if it is modelled, is that of
 * hv_boot_finish(): what is not known to be used is free, and the heap is closed until
 * hv_restore_finish() is through. The allocator in @config must bear to be called by all CPUs that
 * take part.
 *
 * Errors: -EINVAL (the stream is wrong), -EOPNOTSUPP (it is of another version, or lacks records
 * that are required), -ENOMEM; then nothing is left of the attempt, and @restore->reason says why.
 */
int hv_restore_begin(struct hv_restore *restore, struct hypervisor *hv,
		     const struct hv_config *config, const void *stream, size_t size);

/**
 * Do @pass for the domain number @index (below domain_count). Each pair exactly once; all of a pass
 * are done before one of the next begins. Errors are kept for hv_restore_finish().
 */
void hv_restore_domain(struct hv_restore *restore, enum hv_restore_pass pass, uint32_t index);

/**
 * All passes are done: the domains that failed are brought to their end, HV_VIRQ_DOM_EXC is raised
 * for its handler to look at every domain there is, and domains that ran run again. Returns 0
 * with the number of those that failed in @restore->failed; or -ENOMEM or -EINVAL, after which
 * nothing is left but frames' owners in the frame table, which the next attempt makes anew.
 * hv_restore_verdict() tells about domains until hv_restore_end().
 */
int hv_restore_finish(struct hv_restore *restore);

/** The verdict on domain number @index: NULL if it was restored, or a sentence. Fills @domid. */
const char *hv_restore_verdict(const struct hv_restore *restore, uint32_t index,
			       unsigned int *domid);

/** Free what the work needed; after success and after failure. The machine stays. */
void hv_restore_end(struct hv_restore *restore);

/** All passes one after another on this CPU, between begin and finish. */
void hv_restore_all(struct hv_restore *restore);

#endif
