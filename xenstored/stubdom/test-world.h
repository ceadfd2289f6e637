/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The stub domain's platform layer in an ordinary process: hypercalls go to the
 * model of the hypervisor, and the fixed places of layout.h are mappings at these
 * very addresses.
 *
 * Guests, domain 0 among them, are ring pages that the test writes into. Event
 * words are set as the hypervisor sets them, with its queue.
 *
 * Included by test programs, before anything else.
 */
#ifndef STUBDOM_TEST_WORLD_H
#define STUBDOM_TEST_WORLD_H

#include "hypervisor/test-machine.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "control/control.h"
#include "core/domains.h"
#include "daemon/log.h"
#include "stubdom/host.h"
#include "stubdom/layout.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/events.h"
#include "stubdom/ring0/grants.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/ring0.h"
#include "stubdom/ring0/state.h"

#include <xen/event_channel.h>
#include <xen/grant_table.h>
#include <xen/memory.h>

#define STUB	  1u /* our own domid */
#define QUEUE	  7u /* the priority that all ports have */
#define FRAMES	  DOMID_FIRST_RESERVED
#define PORTS_MAX (1u << 17)

/* A domain on its ring. */
struct world_guest {
	volatile struct ring_page *page;
	uint32_t port; /* its own end */
};

struct test_world {
	struct machine *machine;
	bool has_fifo;	  /* as the hypervisor is to be */
	bool fifo;	  /* switched to */
	uint32_t tail;	  /* last port of the queue */
	uint32_t *raised; /* ports with an upcall that is not shown yet */
	size_t raised_count;
	unsigned long hypercalls, maps; /* made by the stub domain */
	int memory_fd;
	char *memory;		   /* all frames, as the guests see them */
	struct world_guest *guest; /* by domid */
	struct options options;
	struct world world;
	struct logger log;
	struct stubdom_host host;
	struct core *core;
	uint64_t now;
};

static struct test_world *the_world;
struct ring0 ring0;

/* ---- what of the ring-0 layer needs ring 0 ---- */

void console_drain(void)
{
}

void events_sleep(void)
{
}

/* ---- events, as the hypervisor shows them ---- */

static event_word_t *world_word(uint32_t port)
{
	return (event_word_t *)(uintptr_t)LAYOUT_FIFO_ARRAY + port;
}

static struct shared_info *world_shared(void)
{
	return (struct shared_info *)(uintptr_t)LAYOUT_SHARED_INFO;
}

/* Both return whether there is an upcall. */
static bool show_fifo(struct test_world *world, uint32_t port)
{
	struct evtchn_fifo_control_block *control = (struct evtchn_fifo_control_block *)(uintptr_t)
		LAYOUT_FIFO_CONTROL;
	const event_word_t linked = 1u << EVTCHN_FIFO_LINKED;
	bool told = true;

	assert_true(port < ring0_state()->fifo_pages * 1024);
	*world_word(port) |= 1u << EVTCHN_FIFO_PENDING;
	if (*world_word(port) & linked)
		return false;
	*world_word(port) |= linked;
	if (world->tail && world->tail != port && (*world_word(world->tail) & linked)) {
		*world_word(world->tail) |= port;
	} else {
		control->head[QUEUE] = port;
		told = control->ready & 1u << QUEUE;
		control->ready |= 1u << QUEUE;
	}
	world->tail = port;
	return !told;
}

static bool show_2level(uint32_t port)
{
	struct shared_info *shared = world_shared();

	bool told;

	if (shared->evtchn_pending[port / 64] >> port % 64 & 1)
		return false;
	shared->evtchn_pending[port / 64] |= 1ul << port % 64;
	if (shared->evtchn_mask[port / 64] >> port % 64 & 1)
		return false;
	told = shared->vcpu_info[0].evtchn_pending_sel >> port / 64 & 1;
	shared->vcpu_info[0].evtchn_pending_sel |= 1ul << port / 64;
	return !told;
}

static void world_raised(void *data, unsigned int domid, uint32_t port)
{
	struct test_world *world = the_world;

	(void)data;
	if (domid == STUB && world->raised_count < PORTS_MAX)
		world->raised[world->raised_count++] = port;
}

/* Let the stub domain see what the mechanism has raised since the last time. */
static void world_show(struct test_world *world)
{
	for (size_t i = 0; i < world->raised_count; i++) {
		uint32_t port = world->raised[i];

		if (hv_evtchn_take(&world->machine->hv, STUB, port) <= 0)
			continue;
		if (world->fifo ? show_fifo(world, port) : show_2level(port))
			world_shared()->vcpu_info[0].evtchn_upcall_pending = 1;
	}
	world->raised_count = 0;
}

/* ---- hypercalls ---- */

/* The mechanism's ports have no end below that of the larger interface; the real ones do. */
#define PORTS_LOOKED_AT 4200u

static long evtchn_status(struct test_world *world, struct evtchn_status *out)
{
	struct hv_evtchn_status status;
	int error = out->port < PORTS_LOOKED_AT
			    ? hv_evtchn_status(&world->machine->hv, STUB, STUB, out->port, &status)
			    : -EINVAL;

	if (error)
		return error;
	out->status = EVTCHNSTAT_closed;
	if (status.state == HV_EVTCHN_UNBOUND) {
		out->status = EVTCHNSTAT_unbound;
		out->u.unbound.dom = (domid_t)status.remote;
	} else if (status.state == HV_EVTCHN_INTERDOMAIN) {
		out->status = EVTCHNSTAT_interdomain;
		out->u.interdomain.dom = (domid_t)status.remote;
		out->u.interdomain.port = status.number;
	} else if (status.state == HV_EVTCHN_VIRQ) {
		out->status = EVTCHNSTAT_virq;
		out->u.virq = status.number;
	}
	return 0;
}

static long evtchn_op(struct test_world *world, unsigned int op, void *argument)
{
	struct hypervisor *hv = &world->machine->hv;
	uint32_t port = 0;
	int error;

	switch (op) {
	case EVTCHNOP_init_control:
		if (!world->has_fifo)
			return -ENOSYS;
		if (world->fifo)
			return -EINVAL;
		world->fifo = true;
		return hv_evtchn_use_fifo(hv, STUB);
	case EVTCHNOP_expand_array: {
		struct evtchn_expand_array *expand = argument;

		/* The pages must come in order, one behind the other, and be clear. */
		assert_int_equal(expand->array_gfn, (LAYOUT_FIFO_ARRAY >> LAYOUT_PAGE_SHIFT) +
							    ring0_state()->fifo_pages);
		return 0;
	}
	case EVTCHNOP_status:
		return evtchn_status(world, argument);
	case EVTCHNOP_reset:
		/* The event words of the larger interface are forgotten. */
		world->fifo = false;
		world->tail = 0;
		return hv_evtchn_reset(hv, STUB, STUB);
	case EVTCHNOP_alloc_unbound: {
		struct evtchn_alloc_unbound *alloc = argument;

		error = hv_evtchn_alloc_unbound(hv, STUB, STUB, hv_domid(STUB, alloc->remote_dom),
						&port);
		alloc->port = port;
		return error;
	}
	case EVTCHNOP_bind_interdomain: {
		struct evtchn_bind_interdomain *bind = argument;

		error = hv_evtchn_bind_interdomain(hv, STUB, bind->remote_dom, bind->remote_port,
						   &port);
		bind->local_port = port;
		return error;
	}
	case EVTCHNOP_bind_virq: {
		struct evtchn_bind_virq *bind = argument;

		error = hv_evtchn_bind_virq(hv, STUB, bind->virq, bind->vcpu, &port);
		bind->port = port;
		return error;
	}
	case EVTCHNOP_unmask: {
		struct evtchn_unmask *unmask = argument;

		if (!world->fifo)
			world_shared()->evtchn_mask[unmask->port / 64] &= ~(1ul
									    << unmask->port % 64);
		return hv_evtchn_unmask(hv, STUB, unmask->port);
	}
	case EVTCHNOP_close:
		return hv_evtchn_close(hv, STUB, ((struct evtchn_close *)argument)->port);
	case EVTCHNOP_send:
		return hv_evtchn_send(hv, STUB, ((struct evtchn_send *)argument)->port);
	default:
		return -ENOSYS;
	}
}

static int16_t map_status(int error)
{
	switch (error) {
	case 0:
		return GNTST_okay;
	case -XEN_ESRCH:
		return GNTST_bad_domain;
	case -XEN_EPERM:
		return GNTST_permission_denied;
	case -XEN_ENOSPC:
		return GNTST_no_device_space;
	default:
		return GNTST_general_error;
	}
}

static void map_page(struct test_world *world, uintptr_t address, uint64_t frame)
{
	void *page = mmap((void *)address, LAYOUT_PAGE, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_FIXED, world->memory_fd, (off_t)(frame * LAYOUT_PAGE));

	assert_ptr_equal(page, (void *)address);
}

static long grant_op(struct test_world *world, unsigned int op, void *argument)
{
	struct hypervisor *hv = &world->machine->hv;

	if (op == GNTTABOP_map_grant_ref) {
		struct gnttab_map_grant_ref *map = argument;
		uint64_t frame = 0;

		world->maps++;
		map->status = map_status(
			hv_grant_map(hv, STUB, map->dom, map->ref, false, &map->handle, &frame));
		if (!map->status)
			map_page(world, map->host_addr, frame);
		return 0;
	}
	if (op == GNTTABOP_unmap_grant_ref) {
		struct gnttab_unmap_grant_ref *unmap = argument;

		unmap->status = (int16_t)hv_unmap(hv, STUB, unmap->handle);
		assert_int_equal(unmap->status, 0);
		/* Whoever touches it from now on dies. */
		assert_ptr_not_equal(mmap((void *)unmap->host_addr, LAYOUT_PAGE, PROT_NONE,
					  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE,
					  -1, 0),
				     MAP_FAILED);
		return 0;
	}
	return -ENOSYS;
}

long hypercall(unsigned int number, uint64_t first, uint64_t second, uint64_t third)
{
	struct test_world *world = the_world;
	long result = 0;

	(void)third;
	world->hypercalls++;
	switch (number) {
	case __HYPERVISOR_event_channel_op:
		result = evtchn_op(world, (unsigned int)first, (void *)second);
		break;
	case __HYPERVISOR_grant_table_op:
		result = grant_op(world, (unsigned int)first, (void *)second);
		break;
	case __HYPERVISOR_domctl:
		result = hv_domctl(&world->machine->hv, STUB, (void *)first, HV_DOMCTL_SIZE);
		break;
	case __HYPERVISOR_memory_op: /* add_to_physmap: the pages are there */
	case __HYPERVISOR_hvm_op:    /* the upcall's vector */
		break;
	default:
		return -ENOSYS;
	}
	world_show(world);
	return result;
}

/* ---- the world itself ---- */

static void reserve(uintptr_t start, uintptr_t end, int protection)
{
	void *got = mmap((void *)start, end - start, protection,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_NORESERVE, -1, 0);

	if (got != (void *)start) {
		printf("the place at %#lx is taken in this process: %s\n", (unsigned long)start,
		       strerror(errno));
		exit(1);
	}
}

static void log_text(struct logger *log, int priority, const char *text)
{
	(void)log;
	(void)priority;
	(void)text;
}

static bool log_enabled(struct logger *log, enum log_class class)
{
	(void)log;
	(void)class;
	return false;
}

static uint64_t world_now(struct world *world)
{
	(void)world;
	return the_world->now;
}

/* A machine with domain 0 and the stub domain, which has its event channel and its virq. */
static inline struct test_world *world_new(struct hv_config config, bool has_fifo)
{
	struct hv_domain_config stub = {
		.domid = STUB,
		.caps = HV_CAP_XENSTORE,
		.evtchn_abi = HV_EVTCHN_2LEVEL,
		.max_mappings = DOMID_FIRST_RESERVED,
		.pages = 2048,
	};
	struct test_world *world = calloc(1, sizeof(*world));
	unsigned int domid;

	assert_non_null(world);
	the_world = world;
	world->has_fifo = has_fifo;
	world->raised = calloc(PORTS_MAX, sizeof(*world->raised));
	world->guest = calloc(DOMID_FIRST_RESERVED, sizeof(*world->guest));
	assert_non_null(world->raised);
	assert_non_null(world->guest);
	reserve(LAYOUT_HANDOVER, LAYOUT_RING_HANDLES_END, PROT_READ | PROT_WRITE);
	reserve(LAYOUT_RINGS, LAYOUT_RINGS_END, PROT_NONE);
	reserve(LAYOUT_SHARED_INFO, LAYOUT_GRANT_TABLE_END, PROT_READ | PROT_WRITE);
	world->memory_fd = memfd_create("guests", MFD_CLOEXEC);
	assert_true(world->memory_fd >= 0);
	assert_int_equal(ftruncate(world->memory_fd, (off_t)FRAMES * LAYOUT_PAGE), 0);
	world->memory = mmap(NULL, (size_t)FRAMES * LAYOUT_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			     world->memory_fd, 0);
	assert_ptr_not_equal(world->memory, MAP_FAILED);

	world->machine = machine_new_as(config);
	world->machine->hv.callbacks.upcall = world_raised;
	assert_int_equal(hv_domain_create(&world->machine->hv, HV_DOMID_XEN, &stub, &domid), 0);
	assert_int_equal(hv_virq_set_handler(&world->machine->hv, 0, STUB, HV_VIRQ_DOM_EXC), 0);
	world->log.message = log_text;
	world->log.enabled = log_enabled;
	world->world.log = &world->log;
	world->world.now = world_now;
	world->now = 1000;
	return world;
}

/* The ring and the channel of a domain that exists. Returns its own port. */
static inline uint32_t world_prepare(struct test_world *world, unsigned int domid)
{
	struct world_guest *guest = &world->guest[domid];

	guest->page = (struct ring_page *)(void *)(world->memory + (size_t)domid * LAYOUT_PAGE);
	memset((void *)(uintptr_t)guest->page, 0, LAYOUT_PAGE);
	assert_int_equal(hv_grant_access(&world->machine->hv, 0, domid, HV_GRANT_XENSTORE, STUB,
					 domid, false),
			 0);
	assert_int_equal(hv_evtchn_alloc_unbound(&world->machine->hv, 0, domid, STUB, &guest->port),
			 0);
	return guest->port;
}

/* Start the stub domain, as its main() does. */
static inline void world_start(struct test_world *world)
{
	struct core_config config;

	ring0_state_adopt();
	assert_int_equal(grants_init(), 0);
	assert_int_equal(events_init(), 0);
	ring0.hypervisor.domid = STUB;
	options_init(&world->options);
	core_config_defaults(&config);
	stubdom_host_open(&world->host, &world->options, 0, &config, &world->world);
	world->core = core_new(&world->world, &config);
	assert_non_null(world->core);
	stubdom_host_attach(&world->host, world->core);
	stubdom_host_introduce(&world->host, world_prepare(world, 0));
}

/* Let the stub domain run until it would sleep for good. */
static inline void world_run(struct test_world *world)
{
	for (int i = 0; i < 1000000; i++) {
		world_show(world);
		stubdom_host_events(&world->host);
		if (core_turn(world->core) < 0 && !world->raised_count &&
		    !world_shared()->vcpu_info[0].evtchn_upcall_pending && !events_came)
			return;
		world->now++;
	}
	fail_msg("it never came to rest");
}

static inline void world_free(struct test_world *world)
{
	core_free(world->core);
	domstate_close(world->host.domstate);
	evtchn_deinit(&world->host.evtchn);
	machine_free(world->machine);
	munmap((void *)(uintptr_t)LAYOUT_HANDOVER, LAYOUT_RING_HANDLES_END - LAYOUT_HANDOVER);
	munmap((void *)(uintptr_t)LAYOUT_RINGS, LAYOUT_RINGS_END - LAYOUT_RINGS);
	munmap((void *)(uintptr_t)LAYOUT_SHARED_INFO, LAYOUT_GRANT_TABLE_END - LAYOUT_SHARED_INFO);
	munmap(world->memory, (size_t)FRAMES * LAYOUT_PAGE);
	close(world->memory_fd);
	options_deinit(&world->options);
	free(world->raised);
	free(world->guest);
	free(world);
}

/* ---- a guest's side ---- */

/* Send a request and let it be served. Returns the length of the answer's payload and its type. */
static inline size_t world_ask(struct test_world *world, unsigned int domid, uint32_t type,
			       const void *payload, size_t len, uint32_t *answer_type, char *answer)
{
	struct world_guest *guest = &world->guest[domid];
	volatile struct ring_page *page = guest->page;
	struct wire_header header = {.type = type, .req_id = 7, .len = (uint32_t)len};
	const char *parts[2] = {(const char *)&header, payload};
	size_t sizes[2] = {sizeof(header), len};

	assert_true(sizeof(header) + len <= RING_SIZE);
	for (int part = 0; part < 2; part++)
		for (size_t i = 0; i < sizes[part]; i++)
			page->request[page->req_prod++ % RING_SIZE] = parts[part][i];
	assert_int_equal(hv_evtchn_send(&world->machine->hv, domid, guest->port), 0);
	world_run(world);
	do {
		assert_true(page->rsp_prod - page->rsp_cons >= sizeof(header));
		for (size_t i = 0; i < sizeof(header); i++)
			((char *)&header)[i] = page->response[page->rsp_cons++ % RING_SIZE];
		assert_true(header.len < RING_SIZE);
		for (size_t i = 0; i < header.len; i++)
			answer[i] = page->response[page->rsp_cons++ % RING_SIZE];
		answer[header.len] = 0;
	} while (header.type == XS_WATCH_EVENT && type != XS_WATCH_EVENT);
	*answer_type = header.type;
	return header.len;
}

/* A domain that a toolstack has made. */
static inline void world_create(struct test_world *world, unsigned int domid)
{
	assert_int_equal(machine_create(world->machine, domid), domid);
	world_prepare(world, domid);
}

/* INTRODUCE by domain 0's ring. Returns the type of the answer; an error's name is in @answer. */
static inline uint32_t world_introduce(struct test_world *world, unsigned int domid, char *answer)
{
	char payload[64];
	uint32_t type;
	int len = snprintf(payload, sizeof(payload), "%u%c1%c%u%c", domid, 0, 0,
			   world->guest[domid].port, 0);

	world_ask(world, 0, XS_INTRODUCE, payload, (size_t)len, &type, answer);
	return type;
}

#endif
