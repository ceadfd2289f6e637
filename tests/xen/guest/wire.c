/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes through the ring, as many at a time as there is room for. */
#include "wire.h"

#include "xen.h"

struct header reply;
char payload[PAYLOAD_MAX + 1];

size_t length(const char *text)
{
	size_t n = 0;

	while (text[n])
		n++;
	return n;
}

bool equal(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

static void send_bytes(const void *data, size_t size)
{
	volatile struct store_page *page = xen_store();
	const uint8_t *in = data;

	while (size) {
		uint32_t prod = page->req_prod;

		xen_events_clear();
		while (size && prod - page->req_cons < STORE_BYTES) {
			page->req[prod++ % STORE_BYTES] = *in++;
			size--;
		}
		barrier();
		page->req_prod = prod;
		xen_store_notify();
		if (size)
			xen_events_wait();
	}
}

static void receive_bytes(void *data, size_t size)
{
	volatile struct store_page *page = xen_store();
	uint8_t *out = data;

	while (size) {
		uint32_t cons = page->rsp_cons;

		xen_events_clear();
		if (cons == page->rsp_prod) {
			xen_events_wait();
			continue;
		}
		barrier();
		while (size && cons != page->rsp_prod) {
			*out++ = page->rsp[cons++ % STORE_BYTES];
			size--;
		}
		barrier();
		page->rsp_cons = cons;
		xen_store_notify();
	}
}

void send_request(enum message_type type, uint32_t req_id, const char *path, const char *value,
		  size_t size)
{
	struct header header = {.type = type, .req_id = req_id};

	header.length = (uint32_t)(length(path) + 1 + size);
	send_bytes(&header, sizeof(header));
	send_bytes(path, length(path) + 1);
	send_bytes(value, size);
}

void receive_message(void)
{
	receive_bytes(&reply, sizeof(reply));
	if (reply.length > PAYLOAD_MAX)
		xen_shutdown(SHUTDOWN_CRASH);
	receive_bytes(payload, reply.length);
	payload[reply.length] = 0;
}
