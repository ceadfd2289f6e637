/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A world whose guests sit on real ring pages, for fuzzers of the ring.
 *
 * The core of the harness, but with the daemon's own ring code as the transport
 * of each guest. Domains 1 and 2 are honest, and as sparing with notifications
 * as Linux is: behind a request only when the daemon has taken all that was
 * there before, behind a reply only when the ring was full.
 *
 * Included by test programs.
 */
#ifndef TESTS_FUZZ_RING_WORLD_H
#define TESTS_FUZZ_RING_WORLD_H

#include <stdint.h>
#include <time.h>
#include <unistd.h>

#include "guests.h"

#include "client/ring.h"
#include "compare.h"
#include "hostile.h"
#include "script.h"
#include "random-inputs.h"

#define HONEST 2u /* domains 1 and 2 */
#define GUESTS 5u

/* The daemon's end of a page. */
struct page_ring {
	struct ring ring; /* first */
	struct guest_end *guest;
};

/* The guest's end; the page is memory of its own, so that nothing outside of it can be touched. */
struct guest_end {
	struct fuzz *fuzz;
	unsigned int domid;
	struct ring_page *page;
	struct page_ring *ring; /* NULL: not connected */
	struct bytes taken;	/* by the daemon, since the last reset */
	unsigned int notified;	/* by the daemon */
	int wake;		/* eventfd, or -1 */
	int failed;		/* what the daemon gave up for; 0 = it did not */
	uint32_t value;		/* of an honest guest's node */
};

struct fuzz {
	struct hostile from;
	struct harness *harness;
	struct rings rings;
	struct guest_end end[GUESTS + 1]; /* by domid */
};

/* ---- the daemon's side ---- */

static inline struct page_ring *of_transport(struct transport *transport)
{
	return (struct page_ring *)(void *)transport;
}

static inline void notified(struct ring *ring)
{
	struct guest_end *end = ((struct page_ring *)(void *)ring)->guest;
	uint64_t one = 1;

	end->notified++;
	if (end->wake >= 0 && write(end->wake, &one, sizeof(one)) != sizeof(one))
		abort();
}

static inline ssize_t page_receive(struct transport *transport, void *data, size_t len)
{
	struct page_ring *ring = of_transport(transport);
	ssize_t n = ring_receive(&ring->ring, data, len);

	if (n > (ssize_t)len)
		abort();
	if (n > 0)
		bytes_add(&ring->guest->taken, data, (size_t)n);
	return n;
}

static inline ssize_t page_send(struct transport *transport, const void *data, size_t len)
{
	return ring_send(&of_transport(transport)->ring, data, len);
}

static inline void page_fail(struct transport *transport, int error)
{
	of_transport(transport)->guest->failed = error;
	ring_fail(&of_transport(transport)->ring, (uint32_t)error);
}

static inline void page_close(struct transport *transport)
{
	of_transport(transport)->guest->ring = NULL;
	free(transport);
}

static const struct transport_ops page_ops = {
	.receive = page_receive,
	.send = page_send,
	.fail = page_fail,
	.close = page_close,
};

static inline struct fuzz *of_rings(struct rings *rings)
{
	return (struct fuzz *)(void *)((char *)rings - offsetof(struct fuzz, rings));
}

static inline int page_connect(struct rings *rings, unsigned int domid, unsigned int port,
			       unsigned int features, struct transport **out)
{
	struct guest_end *end = &of_rings(rings)->end[domid];
	struct page_ring *ring = calloc(1, sizeof(*ring));

	(void)port;
	if (!ring)
		return -ENOMEM;
	ring->ring.transport.ops = &page_ops;
	ring->ring.notify = notified;
	ring->guest = end;
	end->ring = ring;
	end->failed = 0;
	ring_attach(&ring->ring, end->page);
	end->page->server_features = features;
	*out = &ring->ring.transport;
	return 0;
}

static inline int page_rebind(struct rings *rings, struct transport *transport, unsigned int port)
{
	(void)rings;
	(void)transport;
	(void)port;
	return 0;
}

static inline void page_reset(struct rings *rings, struct transport *transport)
{
	struct guest_end *end = of_transport(transport)->guest;

	(void)rings;
	ring_reset(&of_transport(transport)->ring);
	bytes_forget(&end->taken);
	end->failed = 0;
}

static inline void page_connected(struct rings *rings, struct transport *transport)
{
	(void)rings;
	ring_connected(&of_transport(transport)->ring);
}

/* ---- the world ---- */

static inline struct client *client_of(const struct guest_end *end)
{
	struct domain *domain = domain_find(&end->fuzz->harness->core->state.domains, end->domid);

	return domain ? domain->client : NULL;
}

/* The event channel fires at the daemon. */
static inline void fire(struct guest_end *end)
{
	struct client *client = client_of(end);

	if (client)
		core_ready(end->fuzz->harness->core, client, true, true, false);
}

static inline int introduce_again(struct fuzz *fuzz, unsigned int domid)
{
	fire(&fuzz->end[domid]); /* as binding its port does */
	return introduce(fuzz->harness, domid);
}

static inline void make_home(struct fuzz *fuzz, unsigned int domid)
{
	char path[64], perms[16];

	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	snprintf(perms, sizeof(perms), "n%u", domid);
	node(fuzz->harness, path, perms);
}

static inline void start(struct fuzz *fuzz)
{
	fuzz->harness = new_world(NULL);
	fuzz->rings = (struct rings){.connect = page_connect,
				     .rebind = page_rebind,
				     .reset = page_reset,
				     .connected = page_connected};
	fuzz->harness->world.rings = &fuzz->rings;
	for (unsigned int domid = 1; domid <= GUESTS; domid++) {
		struct guest_end *end = &fuzz->end[domid];

		end->fuzz = fuzz;
		end->domid = domid;
		end->wake = -1;
		end->page = calloc(1, sizeof(*end->page));
		if (!end->page)
			abort();
		harness_create(fuzz->harness, domid);
		ok(introduce(fuzz->harness, domid));
		make_home(fuzz, domid);
	}
	node(fuzz->harness, "/local/domain/1/data", "n1");
	node(fuzz->harness, "/local/domain/2/data", "n2");
}

static inline void finish(struct fuzz *fuzz)
{
	char why[256];

	for (unsigned int domid = 1; domid <= GUESTS; domid++)
		harness_destroy_silently(fuzz->harness, domid);
	harness_tell(fuzz->harness);
	harness_run(fuzz->harness);
	for (unsigned int domid = 1; domid <= GUESTS; domid++)
		if (fuzz->end[domid].ring)
			fail_msg("domain %u is dead and its page still mapped", domid);
	if (!compare_recounts(fuzz->harness->core, why, sizeof(why)))
		fail_msg("in the end: %s", why);
	harness_free(fuzz->harness);
	for (unsigned int domid = 1; domid <= GUESTS; domid++) {
		bytes_forget(&fuzz->end[domid].taken);
		free(fuzz->end[domid].page);
	}
}

/* ---- honest guests ---- */

static inline uint32_t load(const volatile uint32_t *word)
{
	return __atomic_load_n(word, __ATOMIC_SEQ_CST);
}

static inline void store(volatile uint32_t *word, uint32_t value)
{
	__atomic_store_n(word, value, __ATOMIC_SEQ_CST);
}

/* As Linux: what there is room for; true when the daemon has to be woken. */
static inline bool ring_put(struct ring_page *page, const char *data, size_t len, size_t *done)
{
	uint32_t prod = page->req_prod, room = RING_SIZE - (prod - load(&page->req_cons));
	size_t n = len - *done < room ? len - *done : room;

	for (size_t i = 0; i < n; i++)
		page->request[(prod + i) % RING_SIZE] = data[*done + i];
	*done += n;
	store(&page->req_prod, prod + (uint32_t)n);
	return n && load(&page->req_cons) == prod;
}

static inline bool ring_take(struct ring_page *page, struct bytes *into, size_t most)
{
	uint32_t cons = page->rsp_cons, n = load(&page->rsp_prod) - cons;

	if (n > most)
		n = (uint32_t)most;
	for (uint32_t i = 0; i < n; i++)
		bytes_add(into, &page->response[(cons + i) % RING_SIZE], 1);
	store(&page->rsp_cons, cons + n);
	return n && load(&page->rsp_prod) - cons >= RING_SIZE;
}

static inline bool is_whole(const struct bytes *bytes)
{
	struct wire_header header;

	if (bytes->len < sizeof(header))
		return false;
	memcpy(&header, bytes->data, sizeof(header));
	return bytes->len >= sizeof(header) + header.len;
}

/* One request of an honest guest and its answer's payload, which the caller forgets. */
static inline struct bytes ask(struct guest_end *end, uint32_t type, const void *payload,
			       size_t len)
{
	struct wire_header header = {.type = type, .req_id = end->value, .len = (uint32_t)len};
	struct bytes request = {0}, answer = {0};
	size_t sent = 0;

	bytes_add(&request, &header, sizeof(header));
	bytes_add(&request, payload, len);
	/* Somebody else's open transaction may cost an honest writer some time. */
	for (unsigned int i = 0; i < 1000 && !is_whole(&answer); i++) {
		if (ring_put(end->page, request.data, request.len, &sent))
			fire(end);
		harness_run(end->fuzz->harness);
		if (ring_take(end->page, &answer, RING_SIZE))
			fire(end);
		if (i)
			end->fuzz->harness->now += 20;
	}
	if (!is_whole(&answer))
		fail_msg("domain %u is not served", end->domid);
	memcpy(&header, answer.data, sizeof(header));
	if (header.type != type || header.req_id != end->value ||
	    answer.len != sizeof(header) + header.len)
		fail_msg("domain %u: type %u, id %u, %zu bytes for a request of type %u, id %u",
			 end->domid, header.type, header.req_id, answer.len, type, end->value);
	bytes_forget(&request);
	return answer;
}

static inline void check_honest(struct guest_end *end)
{
	char payload[64], value[16];
	struct bytes answer;
	int len;

	snprintf(value, sizeof(value), "%u", ++end->value);
	len = snprintf(payload, sizeof(payload), "data/x%c%s", 0, value);
	answer = ask(end, XS_WRITE, payload, (size_t)len);
	bytes_forget(&answer);
	answer = ask(end, XS_READ, "data/x", 7);
	if (answer.len != sizeof(struct wire_header) + strlen(value) ||
	    memcmp(answer.data + sizeof(struct wire_header), value, strlen(value)) != 0)
		fail_msg("domain %u reads something else than it wrote", end->domid);
	bytes_forget(&answer);
	if (end->page->error || end->failed)
		fail_msg("domain %u is honest and was given up", end->domid);
}

static inline void check_dom0(struct fuzz *fuzz)
{
	char value[16];

	snprintf(value, sizeof(value), "%u", fuzz->end[1].value);
	ok(peer_write(fuzz->harness->dom0, 0, "/tool/x", value));
	value_is(fuzz->harness->dom0, 0, "/tool/x", value);
}

/* ---- settings ---- */

static inline unsigned long seconds(void)
{
	return setting("FUZZ_SECONDS", FUZZ_SECONDS_USUAL * setting("COUNT", 1));
}

#endif
