/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A random machine: domains with fragmented memory, vCPUs that make hypercalls and
 * access emulated devices, channels, grants, mappings, devices; and domains that are
 * half dead, since others map their memory.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_WORLD_H
#define HYPERVISOR_TEST_WORLD_H

#include "hypervisor/test-invariants.h"

#define WORLD_DOMAINS 12 /* domids, which are reused all the time */
#define WORLD_SMALL   12 /* ports, entries, handles */
#define WORLD_VCPUS   3
#define WORLD_FRAMES  4096u
#define WORLD_BOOTMEM 256u /* frames of them, at the beginning */

/* A hypervisor and the machine it runs on. */
struct world_host {
	struct machine *machine;
	struct hv_memory memory;
	struct hv_allocator allocator;
};

struct world {
	struct world_host *host;
	struct hypervisor *hv; /* of host */
	uint64_t random;
	uint64_t issued[WORLD_DOMAINS][WORLD_VCPUS]; /* units of work of hypercalls so far */
};

static unsigned int world_pick(struct world *world, unsigned int below)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned int)(world->random >> 33) % below;
}

/* The hardware with a hypervisor that has just booted: memory, but no domains. */
static inline struct world_host *world_host_new(void)
{
	struct world_host *host = calloc(1, sizeof(*host));
	struct hv_memory *memory = &host->memory;

	assert_non_null(host);
	host->machine = calloc(1, sizeof(*host->machine));
	assert_non_null(host->machine);
	host->machine->hidden = HV_DOMID_INVALID;
	host->allocator = (struct hv_allocator){machine_allocate, machine_release, host->machine};
	assert_int_equal(hv_memory_init(memory, &host->allocator, WORLD_FRAMES), 0);
	assert_int_equal(
		hv_frames_set(&memory->table, 0, WORLD_BOOTMEM, HV_DOMID_INVALID, HV_FRAME_BOOTMEM),
		0);
	assert_int_equal(hv_frames_set(&memory->table, WORLD_BOOTMEM, WORLD_FRAMES - WORLD_BOOTMEM,
				       HV_DOMID_INVALID, HV_FRAME_FREE),
			 0);
	memory->bootmem.regions[0] = (struct hv_frame_span){0, WORLD_BOOTMEM};
	memory->bootmem.region_count = 1;
	hv_heap_scatter(&memory->heap, 3, 1);
	return host;
}

static inline struct hv_config world_config(struct world_host *host)
{
	return (struct hv_config){
		.allocator = host->allocator,
		.callbacks = {machine_upcall, machine_freed, machine_hides, host->machine},
		.memory = &host->memory,
		.seed = 1,
	};
}

/* Its end; not a byte may be left. The hypervisor need not have been set up. */
static inline void world_host_free(struct world_host *host)
{
	hv_deinit(&host->machine->hv);
	hv_memory_deinit(&host->memory);
	assert_int_equal(host->machine->blocks, 0);
	assert_int_equal(host->machine->bytes, 0);
	free(host->machine);
	free(host);
}

static int world_create(struct world *world, unsigned int domid)
{
	struct hypervisor *hv = world->hv;
	struct hv_domain_config config = {
		.domid = (uint16_t)domid,
		.hvm = world_pick(world, 2),
		.caps = world_pick(world, 8) ? 0 : HV_CAP_XENSTORE,
		.max_port = world_pick(world, 3) ? 0 : 9,
		.max_grants = WORLD_SMALL,
		.max_mappings = WORLD_SMALL,
		.handle = {(uint8_t)domid, (uint8_t)world->random},
	};
	uint32_t vcpus = 1 + world_pick(world, WORLD_VCPUS);
	uint8_t state[HV_VCPU_STATE] = {0};
	uint64_t frame;
	int error;

	if (!domid) {
		config.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE;
		config.evtchn_abi = HV_EVTCHN_FIFO;
	}
	error = hv_domain_create(hv, domid ? 0 : HV_DOMID_XEN, &config, &domid);
	if (error)
		return error;
	memset(world->issued[domid], 0, sizeof(world->issued[domid]));
	if (hv_vcpus_create(hv, 0, domid, vcpus))
		return -XEN_ENOMEM;
	for (uint32_t vcpu = 0; vcpu < vcpus; vcpu++) {
		state[vcpu] = (uint8_t)world->random;
		(void)hv_vcpu_set(hv, 0, domid, vcpu, world->random, state,
				  world_pick(world, 5) ? HV_VCPU_RUNNABLE : HV_VCPU_BLOCKED);
	}
	(void)hv_populate(hv, 0, domid, world_pick(world, 2) * 1000, 1 + world_pick(world, 40));
	if (world_pick(world, 2))
		(void)hv_allocate_special(hv, hv_domain_find(hv, domid), HV_FRAME_SHARED_INFO, 1,
					  &frame);
	if (world_pick(world, 4))
		(void)hv_domain_unpause(hv, domid ? 0 : HV_DOMID_XEN, domid);
	return 0;
}

/* Domain 0 and nobody else. */
static inline struct world *world_new(uint64_t seed)
{
	struct world *world = calloc(1, sizeof(*world));
	struct hv_config config;

	assert_non_null(world);
	world->random = seed;
	world->host = world_host_new();
	world->hv = &world->host->machine->hv;
	config = world_config(world->host);
	hv_init(world->hv, &config);
	assert_int_equal(world_create(world, 0), 0);
	return world;
}

static inline void world_free(struct world *world)
{
	world_host_free(world->host);
	free(world);
}

/* A frame of the domain, or any number. */
static uint64_t world_frame(struct world *world, unsigned int domid)
{
	const struct hv_domain *domain = hv_domain_find(world->hv, domid);
	const struct hv_extent *extent;

	if (!domain || !domain->p2m.count || !world_pick(world, 10))
		return world_pick(world, WORLD_FRAMES + 10);
	extent = &domain->p2m.extents[world_pick(world, domain->p2m.count)];
	return extent->mfn + world_pick(world, (unsigned int)extent->count);
}

static int world_life(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = world->hv;

	switch (world_pick(world, 14)) {
	case 0:
	case 1:
	case 2:
		return domid ? world_create(world, domid) : 0;
	case 3:
		return world_pick(world, 3) ? 0 : hv_domain_destroy(hv, caller, domid);
	case 4:
		return world_pick(world, 3) ? 0 : hv_domain_kill(hv, caller, domid);
	case 5:
		return hv_domain_shutdown(hv, caller, domid, world_pick(world, 7));
	case 6:
		return hv_domain_resume(hv, caller, domid);
	case 7:
		return hv_domain_subscribe_suspend(hv, caller, domid,
						   world_pick(world, WORLD_SMALL));
	case 8:
		/* Seldom: each ties the life of two domains together. */
		if (world_pick(world, 4))
			return 0;
		return hv_domain_set_target(hv, caller, domid, world_pick(world, WORLD_DOMAINS));
	case 9:
		return hv_domain_pause(hv, caller, domid);
	case 10:
	case 11:
		return hv_domain_unpause(hv, caller, domid);
	default:
		hv_reclaim(hv);
		return 0;
	}
}

static int world_memory(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = world->hv;
	uint64_t gfn = world_pick(world, 60), count = 1 + world_pick(world, 8);

	switch (world_pick(world, 5)) {
	case 0:
		return (int)hv_populate(hv, caller, domid, gfn, count);
	case 1:
		return (int)hv_depopulate(hv, caller, domid, gfn, count);
	case 2:
		return hv_iommu_map(hv, caller, domid, world_pick(world, 60), gfn, count);
	case 3:
		return hv_m2p_find(hv, gfn, &domid, &gfn);
	default:
		return hv_iommu_unmap(hv, caller, domid, gfn, count);
	}
}

/* Bind to a port of @domid that waits for somebody, as him. */
static int world_bind(struct world *world, unsigned int domid)
{
	const struct hv_domain *domain = hv_domain_find(world->hv, domid);
	uint32_t port = world_pick(world, WORLD_SMALL);

	while (domain && port < domain->evtchns.capacity &&
	       domain->evtchns.ports[port].state != HV_EVTCHN_UNBOUND)
		port++;
	if (!domain || port >= domain->evtchns.capacity)
		return -XEN_EINVAL;
	return hv_evtchn_bind_interdomain(world->hv, domain->evtchns.ports[port].remote, domid,
					  port, &port);
}

/* Map something that @domid grants, as him whom it is granted to. */
static int world_map(struct world *world, unsigned int domid)
{
	const struct hv_domain *domain = hv_domain_find(world->hv, domid);
	uint32_t ref = world_pick(world, WORLD_SMALL), handle;
	uint64_t frame;

	while (domain && ref < domain->grants.capacity && !domain->grants.entries[ref].granted)
		ref++;
	if (!domain || ref >= domain->grants.capacity)
		return -XEN_EINVAL;
	return hv_grant_map(world->hv, domain->grants.entries[ref].to, domid, ref,
			    world_pick(world, 2), &handle, &frame);
}

static int world_evtchn(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = world->hv;
	uint32_t port = world_pick(world, WORLD_SMALL);

	switch (world_pick(world, 12)) {
	case 0:
	case 1:
		return hv_evtchn_alloc_unbound(hv, caller, domid, world_pick(world, WORLD_DOMAINS),
					       &port);
	case 2:
	case 3:
		return world_bind(world, domid);
	case 4:
		return world_pick(world, 2) ? 0 : hv_evtchn_close(hv, caller, port);
	case 5:
	case 6:
		return hv_evtchn_send(hv, caller, port);
	case 7:
		return hv_evtchn_unmask(hv, caller, port);
	case 8:
		return hv_evtchn_mask(hv, caller, port);
	case 9:
		return hv_evtchn_take(hv, caller, port);
	case 10:
		if (world_pick(world, 20) == 0)
			return hv_evtchn_reset(hv, caller, domid);
		return world_pick(world, 10) ? 0 : hv_evtchn_use_fifo(hv, caller);
	default:
		if (world_pick(world, 4) == 0)
			return hv_virq_set_handler(hv, caller, domid, world_pick(world, 5));
		return hv_evtchn_bind_virq(hv, caller, world_pick(world, 5), 0, &port);
	}
}

static int world_grant(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = world->hv;
	uint32_t ref = world_pick(world, WORLD_SMALL), handle;
	uint64_t frame = world_frame(world, domid);

	switch (world_pick(world, 7)) {
	case 0:
	case 1:
		return hv_grant_access(hv, caller, domid, ref, world_pick(world, WORLD_DOMAINS),
				       frame, world_pick(world, 3) == 0);
	case 2:
	case 3:
		return world_map(world, domid);
	case 4:
		return hv_unmap(hv, world_pick(world, WORLD_DOMAINS), ref);
	case 5:
		return hv_foreign_map(hv, caller, domid, frame, &handle);
	default:
		return hv_grant_end_access(hv, caller, domid, ref);
	}
}

/* What vCPUs and device models do; also while the machine is being stopped. */
static int world_guest(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = world->hv;
	uint32_t vcpu = world_pick(world, WORLD_VCPUS), id = world_pick(world, 3);
	uint64_t units = world_pick(world, 50);
	int error;

	switch (world_pick(world, 8)) {
	case 0:
	case 1:
		error = hv_vcpu_hypercall(hv, domid, vcpu, 1 + world_pick(world, 60), units);
		if (!error)
			world->issued[domid][vcpu] += units;
		return error;
	case 2:
	case 3:
		return hv_vcpu_run(hv, domid, vcpu);
	case 4:
		return hv_ioreq_send(hv, domid, vcpu, id);
	case 5:
		if (world_pick(world, 3))
			return hv_ioreq_destroy(hv, caller, domid, id);
		return hv_ioreq_create(hv, caller, domid, world_frame(world, domid), &id);
	default:
		return hv_ioreq_answer(hv, caller, domid, vcpu);
	}
}

/* Something happens. Returns what the operation returned. */
static inline int world_step(struct world *world)
{
	/* Domain 0 is the one that may do most. */
	unsigned int caller = world_pick(world, 2) ? 0 : world_pick(world, WORLD_DOMAINS);
	unsigned int domid = world_pick(world, WORLD_DOMAINS);

	switch (world_pick(world, 8)) {
	case 0:
		return world_life(world, caller, domid);
	case 1:
		return world_memory(world, caller, domid);
	case 2:
	case 3:
		return world_evtchn(world, caller, domid);
	case 4:
	case 5:
		return world_grant(world, caller, domid);
	default:
		return world_guest(world, caller, domid);
	}
}

/* Each unit of work of each hypercall is done once: so many are done as are not left to do. */
static inline void world_check_work(struct world *world)
{
	struct hv_domain *domain = hv_domain_next(world->hv, 0);

	for (; domain; domain = hv_domain_next(world->hv, domain->domid + 1u)) {
		for (uint32_t i = 0; i < domain->vcpus.count; i++) {
			const struct hv_vcpu *vcpu = &domain->vcpus.vcpus[i];

			assert_true(vcpu->done + vcpu->left - vcpu->progress ==
				    world->issued[domain->domid][i]);
		}
	}
}

/*
 * Stop all domains, while what can still happen happens. Returns whether that succeeded before the
 * deadline; if not, all go on.
 */
static inline bool world_stop(struct world *world, struct hv_quiesce *quiesce)
{
	uint64_t now = 0;
	int error;

	assert_int_equal(hv_quiesce_begin(world->hv, quiesce, 2000), 0);
	for (;;) {
		error = hv_quiesce_step(world->hv, quiesce, now++);
		if (error != -XEN_EAGAIN)
			break;
		(void)world_guest(world, world_pick(world, WORLD_DOMAINS),
				  world_pick(world, WORLD_DOMAINS));
	}
	return !error;
}

#endif
