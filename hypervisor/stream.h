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

#define HV_STREAM_OLDEST (HV_STREAM_VERSION > 1u ? HV_STREAM_VERSION - 1u : 1u)

#define HV_STREAM_HAS_COUNTS   2u /* first version with counts to be compared */
#define HV_STREAM_HAS_SOFTWARE 3u /* first version that says who wrote it */

/* In a stream, types of records ascend. None occurs twice, but for DOMAIN with what follows it. */
enum hv_record_type {
	/* Of the machine. */
	HV_RECORD_MACHINE = 1,
	HV_RECORD_DOMAINS = 2,
	HV_RECORD_VIRQS = 3,
	HV_RECORD_CHANGED = 4,
	HV_RECORD_REGIONS = 5,
	HV_RECORD_M2P = 6,
	HV_RECORD_SOFTWARE = 7,

	/* Begins a section. */
	HV_RECORD_DOMAIN = 16,

	/* In a section. */
	HV_RECORD_GENERAL = 17,
	HV_RECORD_VCPUS = 18,
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
};

#define HV_RECORD_BIT(type) (UINT64_C(1) << (type))

/* Flags of a record. */
#define HV_RECORD_OPTIONAL 1u /* whoever does not know the type may skip it */

/* At the beginning of the first page. */
struct hv_stream_header {
	uint64_t magic;
	uint32_t version;
	uint32_t domains;
	uint64_t types;	   /* HV_RECORD_BIT() of all that may occur */
	uint64_t size;	   /* of the stream with this header, bytes */
	uint64_t checksum; /* of the words above (size last) and the machine's records */
};

/* Before each record; what follows has a multiple of 8 bytes. */
struct hv_record {
	uint32_t type;
	uint32_t flags;
	uint64_t size; /* bytes that follow */
};

/* MACHINE */
struct hv_stream_machine {
	char ids[16]; /* kind of the generator of unique ids, filled up with zeroes */
	uint64_t id_state;
	uint64_t frames;   /* of the frame table, 0: memory is not modelled */
	uint32_t latest;   /* domid that was chosen last */
	uint32_t hardware; /* domid of the hardware domain */
};

/* DOMAINS: one of these for each section, in their order, which is that of domids. */
struct hv_stream_identity {
	uint64_t unique_id;
	uint32_t domid;
	uint32_t reserved; /* 0, as everywhere */
};

/* VIRQS: global ones with a handler other than the hardware domain. Who has bound them says his
 * port. */
struct hv_stream_virq {
	uint32_t virq;
	uint32_t handler;
};

/* CHANGED: HV_CHANGED_BYTES; there while HV_VIRQ_DOM_EXC is bound. */

/* REGIONS: boot memory besides that below the image, which may be used at once. */
struct hv_stream_region {
	uint64_t first; /* frame */
	uint64_t count;
};

/* M2P (optional): of all frames in address spaces, ascending by mfn. */
struct hv_stream_m2p {
	uint64_t mfn;
	uint64_t gfn;
	uint64_t count;
	uint64_t domid;
};

/* SOFTWARE (optional): text, filled up with zeroes. */

/* DOMAIN */
struct hv_stream_domain {
	uint64_t size;	   /* of the section's records behind this one */
	uint64_t checksum; /* of the word below and the section's records, then size */
	uint32_t domid;
	uint32_t reserved;
};

#define HV_STREAM_HVM	    1u
#define HV_STREAM_SHUT_DOWN 2u
#define HV_STREAM_FIFO	    4u

/* GENERAL. Counts are 0 before version HV_STREAM_HAS_COUNTS, but for vcpus. */
struct hv_stream_general {
	uint16_t caps;
	uint8_t life; /* enum hv_life */
	uint8_t flags;
	uint8_t shutdown_code;
	uint8_t pause_count;
	uint16_t target; /* HV_DOMID_INVALID: none */
	uint32_t suspend_port;
	uint32_t max_port;
	uint32_t max_grants;
	uint32_t max_mappings;
	uint64_t pages;
	uint8_t handle[16];
	uint32_t vcpus;
	uint32_t references;
	uint32_t grants; /* entries, ports, ... in the records that follow */
	uint32_t ports;
	uint32_t mappings;
	uint32_t foreign;
	uint32_t servers;
	uint32_t reserved;
};

/* VCPUS: in the order of their numbers. All are at a boundary. */
struct hv_stream_vcpu {
	uint64_t ip;
	uint64_t hypercall;
	uint64_t left;
	uint64_t done;
	uint8_t state[64];
	uint32_t run; /* enum hv_vcpu_run */
	uint32_t reserved;
};

/* P2M (by gfn), IOMMU (by dfn) */
struct hv_stream_extent {
	uint64_t gfn;
	uint64_t mfn;
	uint64_t count;
};

/* PAGES: frames of the domain outside of its address space, in its list's order. */
struct hv_stream_pages {
	uint64_t mfn;
	uint32_t count;
	uint32_t type; /* enum hv_frame_type */
};

#define HV_STREAM_READONLY 1u
#define HV_STREAM_GRANTED  2u

/* GRANTS: by ref. */
struct hv_stream_grant {
	uint64_t frame;
	uint32_t ref;
	uint32_t mappings; /* 0 before version HV_STREAM_HAS_COUNTS */
	uint32_t to;
	uint32_t flags;
};

#define HV_STREAM_PENDING 1u
#define HV_STREAM_MASKED  2u

/* EVTCHN_2LEVEL, EVTCHN_FIFO: by port. */
struct hv_stream_port {
	uint32_t port;
	uint32_t number;
	uint16_t remote;
	uint8_t state; /* enum hv_evtchn_state */
	uint8_t flags;
	uint32_t reserved;
};

/* MAPPINGS (by grant), FOREIGN (ref being 0): by handle. */
struct hv_stream_mapping {
	uint64_t frame;
	uint32_t handle;
	uint32_t ref;
	uint32_t from;
	uint32_t flags;
};

/* IOREQ: servers that serve the domain, by id. */
struct hv_stream_server {
	uint64_t frame;
	uint32_t id;
	uint32_t emulator;
};

_Static_assert(sizeof(struct hv_stream_header) == 40, "stream");
_Static_assert(sizeof(struct hv_record) == 16, "stream");
_Static_assert(sizeof(struct hv_stream_machine) == 40, "stream");
_Static_assert(sizeof(struct hv_stream_domain) == 24, "stream");
_Static_assert(sizeof(struct hv_stream_general) == 80, "stream");
_Static_assert(sizeof(struct hv_stream_vcpu) == 104, "stream");
_Static_assert(sizeof(struct hv_stream_grant) == 24, "stream");
_Static_assert(sizeof(struct hv_stream_port) == 16, "stream");
_Static_assert(sizeof(struct hv_stream_mapping) == 24, "stream");
_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
	       "the stream is read and written in place");

/** The name of a type, for messages and dumps; NULL for what is none. */
const char *hv_record_name(uint32_t type);

/** Bytes of an element of this type's array, 1 for what is not an array; 0 for no known type. */
size_t hv_record_element(uint32_t type);

/** @checksum, which begins as 0, with one word more. A word that differs always shows. */
static inline uint64_t hv_checksum(uint64_t checksum, uint64_t word)
{
	checksum = (checksum ^ word) * UINT64_C(0x9e3779b97f4a7c15);
	return checksum << 29 | checksum >> 35;
}

/* Sets of types. */
#define HV_STREAM_MAY_LACK                                                                         \
	(HV_RECORD_BIT(HV_RECORD_REGIONS) | HV_RECORD_BIT(HV_RECORD_M2P) |                         \
	 HV_RECORD_BIT(HV_RECORD_SOFTWARE))
#define HV_STREAM_REQUIRED                                                                         \
	(HV_RECORD_BIT(HV_RECORD_MACHINE) | HV_RECORD_BIT(HV_RECORD_DOMAINS) |                     \
	 HV_RECORD_BIT(HV_RECORD_VIRQS) | HV_RECORD_BIT(HV_RECORD_CHANGED) |                       \
	 (HV_RECORD_BIT(HV_RECORD_IOMMU + 1) - HV_RECORD_BIT(HV_RECORD_DOMAIN)) |                  \
	 HV_RECORD_BIT(HV_RECORD_END))
#define HV_STREAM_KNOWN (HV_STREAM_REQUIRED | HV_STREAM_MAY_LACK)

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

/* Those of this build, as an initializer. */
#define HV_STREAM_ABILITIES                                                                        \
	{                                                                                          \
		HV_STREAM_MAGIC, HV_STREAM_OLDEST, HV_STREAM_VERSION, HV_STREAM_KNOWN,             \
			HV_STREAM_KNOWN, HV_STREAM_REQUIRED                                        \
	}

/**
 * The dry run: could @next take over from @now, by what both say? Returns the version of the stream
 * to be written, or -EOPNOTSUPP, with a sentence in @reason (a constant) that says why.
 */
int hv_stream_agree(const struct hv_stream_abilities *now, const struct hv_stream_abilities *next,
		    const char **reason);

#endif
