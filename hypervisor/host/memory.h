/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The memory of the machine: one file, whose byte 4096 * N is where frame N begins.
 * Processes that may map a page get it from this file, and the host has all of it in
 * its address space. It is sparse, so a machine of 1 GiB costs what is written to.
 *
 *	frame 0	      the store's ring page of domain 0, that of domain 1 behind it, and so on;
 *		      these frames belong to their domain, or are not there
 *	32768	      the heap
 *	at the top    live update boot memory, then the image
 *
 * The file stays where it is when the hypervisor is updated.
 */
#ifndef HYPERVISOR_HOST_MEMORY_H
#define HYPERVISOR_HOST_MEMORY_H

#include <stdint.h>

#include "hypervisor/mapper.h"
#include "hypervisor/memory.h"

struct host;

#define MEMORY_FRAMES	  UINT64_C(262144) /* 1 GiB */
#define MEMORY_HEAP_FIRST UINT64_C(32768)

/* The file, new and empty, or inherited (fd >= 0), and the link to it in the host's directory. */
int memory_open(struct host *host, int fd);

void memory_close(struct host *host);

/* Where a frame is in this process. */
void *memory_frame(const struct host *host, uint64_t frame);

/* How the mechanism sees frames. */
struct hv_mapper memory_mapper(struct host *host);

/*
 * Says to the frame table that ring pages nobody has are not there, lest the heap give them to
 * somebody. For all of them, and for one that may have been freed.
 */
int memory_hide_rings(struct host *host);
void memory_hide_ring(struct host *host, uint32_t domid);

/* Gives a new domain its ring page, which is empty. */
int memory_give_ring(struct host *host, uint32_t domid);

/* Where in a domain's own memory its parts are, besides the ring page (gfn D of domain D). */
#define MEMORY_PRIVATE_GFN UINT64_C(0x10000)
#define MEMORY_SHARES_GFN  UINT64_C(0x200000)

/* Gives a new domain so many pages of its own, from all over the heap, and fills them. */
int memory_give_private(struct host *host, uint32_t domid, uint64_t pages);

/*
 * A number that depends on where each page of the domains is and on every byte in it, but for what
 * processes write whenever they like, since pausing a domain does not stop those that play it: the
 * rings, at the beginning of the ring pages, and shared pages.
 */
uint64_t memory_hash(struct host *host);

#endif
