/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The shared memory of a 9pfs device: an interface page and a data area, half of which is a ring
 * from the back-end to the front-end ("in"), half one in the other direction ("out").
 *
 * A ring has two indices that run freely modulo 2^32; each end moves one of them and keeps a copy
 * of its own, which is the truth for it. The other end's index is read once for each decision and
 * must lie within the ring's size, else the other end is broken or hostile.
 *
 * Both ends use this. Spec: stubdom.md section 5.
 */
#ifndef XENSTORED_NINEP_RING_H
#define XENSTORED_NINEP_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define P9_PAGE_SIZE 4096U

/* As on the interface page of Xen's headers. */
struct p9_interface {
	uint32_t in_cons, in_prod;
	uint8_t pad1[56];
	uint32_t out_cons, out_prod;
	uint8_t pad2[56];
	uint32_t ring_order;
	uint32_t ref[]; /* 1 << ring_order */
};

/* Bytes in each direction. */
#define P9_RING_SIZE(order) (P9_PAGE_SIZE << (order) >> 1)

/* The end that puts bytes into a ring. */
struct p9_producer {
	uint32_t *prod;
	const uint32_t *cons;
	unsigned char *data;
	uint32_t size; /* a power of two */
	uint32_t own;  /* what *prod ought to be */
};

/* The end that takes bytes out of a ring. */
struct p9_consumer {
	const uint32_t *prod;
	uint32_t *cons;
	const unsigned char *data;
	uint32_t size;
	uint32_t own; /* what *cons ought to be */
};

/** Bytes that can be put, or -EPROTO for an impossible index. */
ssize_t p9_room(const struct p9_producer *ring);

/** Put @length bytes, no more than p9_room() allowed. The other end sees them at once. */
void p9_produce(struct p9_producer *ring, const void *bytes, size_t length);

/** Bytes that can be taken, or -EPROTO for an impossible index. */
ssize_t p9_available(const struct p9_consumer *ring);

/** Copy @length bytes, no more than p9_available() allowed, and leave them in the ring. */
void p9_peek(const struct p9_consumer *ring, void *bytes, size_t length);

/** Take @length bytes off the ring. */
void p9_consume(struct p9_consumer *ring, size_t length);

#endif
