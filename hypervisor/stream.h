/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The live update stream: what one hypervisor tells the next (docs/hypervisor-stream.md).
 *
 * A header, records about the machine, then one section for each domain, then an
 * end record. A record says its type and size; everything is little-endian and
 * begins at a multiple of 8 bytes. No structure of the hypervisor's own is in it,
 * only facts from which they can be made again; where counting would give a
 * number, the number is there to be compared.
 *
 * Each section has a checksum, and the header with the machine's records has one,
 * so a byte that changed on the way is noticed wherever it is. That a stream is as
 * it was written does not mean that it is right: it is checked as if anybody could
 * have written it.
 */
#ifndef HYPERVISOR_STREAM_H
#define HYPERVISOR_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HV_STREAM_MAGIC UINT64_C(0x6d61657274735658) /* "XVstream" */
#define HV_STREAM_PAGE	4096u

/* The version that this build calls its own; it reads and writes the one before as well. */
#ifndef HV_STREAM_VERSION
#define HV_STREAM_VERSION 2u
#endif

#define HV_STREAM_HAS_COUNTS   2u /* first version with counts to be compared */
#define HV_STREAM_HAS_SOFTWARE 3u /* first version that says who wrote it */

enum hv_record_type {
	/* Of the machine. */
	HV_RECORD_MACHINE = 1,
	HV_RECORD_VIRQS = 2,
	HV_RECORD_CHANGED = 3,
	HV_RECORD_REMOVED = 4,
	HV_RECORD_REGIONS = 5,
	HV_RECORD_M2P = 6,
	HV_RECORD_SOFTWARE = 7,

	/* Begins a section. */
	HV_RECORD_DOMAIN = 16,

	/* In a section, in this order. */
	HV_RECORD_GENERAL = 17,
	HV_RECORD_VCPU = 18,
	HV_RECORD_P2M = 19,
	HV_RECORD_PAGES = 20,
	HV_RECORD_GRANTS = 21,
	HV_RECORD_EVTCHN_2LEVEL = 22,
	HV_RECORD_EVTCHN_FIFO = 23,
	HV_RECORD_MAPPINGS = 24,
	HV_RECORD_FOREIGN = 25,
	HV_RECORD_IOREQ = 26,
	HV_RECORD_IOMMU = 27,

	HV_RECORD_END = 32,
	HV_RECORD_TYPES = 64, /* types are below */
};

#define HV_RECORD_BIT(type) (UINT64_C(1) << (type))

/* Flags of a record. */
#define HV_RECORD_OPTIONAL 1u /* whoever does not know the type may skip it */

struct hv_stream_header {
	uint64_t magic;
	uint32_t version;
	uint32_t domains;  /* sections */
	uint64_t size;	   /* of the stream with this header, bytes */
	uint64_t types;	   /* HV_RECORD_BIT() of the types that may occur in it */
	uint64_t checksum; /* of this header (this field being 0) and the machine's records */
};

struct hv_record {
	uint32_t type;
	uint32_t flags;
	uint64_t size; /* bytes that follow, without those that fill up to a multiple of 8 */
};

/*
 * What a build of the hypervisor can do with streams. It stands in its image, so that whoever loads
 * the next hypervisor can compare before anything is stopped.
 */
struct hv_stream_abilities {
	uint64_t magic; /* HV_STREAM_MAGIC */
	uint32_t oldest;
	uint32_t newest; /* versions that are read and written */
	uint64_t writes; /* HV_RECORD_BIT() of types */
	uint64_t reads;
	uint64_t requires; /* types without which it cannot restore a machine */
};

/** Those of this build. */
struct hv_stream_abilities hv_stream_abilities(void);

/**
 * The dry run: could @next take over from @now, by what both say? Returns the version of the stream
 * to be written, or -EOPNOTSUPP, with a sentence in @reason (a constant) that says why.
 */
int hv_stream_agree(const struct hv_stream_abilities *now, const struct hv_stream_abilities *next,
		    const char **reason);

#endif
