/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rings of bytes between two ends that do not trust each other.
 */
#include "ninep/ring.h"

#include <errno.h>
#include <string.h>

ssize_t p9_room(const struct p9_producer *ring)
{
	uint32_t used = ring->own - __atomic_load_n(ring->cons, __ATOMIC_ACQUIRE);

	return used > ring->size ? -EPROTO : (ssize_t)(ring->size - used);
}

/* Bytes from an index to the end of the data area. */
static size_t straight(uint32_t index, uint32_t size, size_t length)
{
	size_t part = size - (index & (size - 1));

	return part < length ? part : length;
}

void p9_produce(struct p9_producer *ring, const void *bytes, size_t length)
{
	size_t part = straight(ring->own, ring->size, length);

	memcpy(ring->data + (ring->own & (ring->size - 1)), bytes, part);
	memcpy(ring->data, (const unsigned char *)bytes + part, length - part);
	ring->own += (uint32_t)length;
	__atomic_store_n(ring->prod, ring->own, __ATOMIC_SEQ_CST);
}

ssize_t p9_available(const struct p9_consumer *ring)
{
	uint32_t there = __atomic_load_n(ring->prod, __ATOMIC_ACQUIRE) - ring->own;

	return there > ring->size ? -EPROTO : (ssize_t)there;
}

void p9_peek(const struct p9_consumer *ring, void *bytes, size_t length)
{
	size_t part = straight(ring->own, ring->size, length);

	memcpy(bytes, ring->data + (ring->own & (ring->size - 1)), part);
	memcpy((unsigned char *)bytes + part, ring->data, length - part);
}

void p9_consume(struct p9_consumer *ring, size_t length)
{
	ring->own += (uint32_t)length;
	__atomic_store_n(ring->cons, ring->own, __ATOMIC_SEQ_CST);
}
