/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Building the machine. Nothing here is measured.
 */
#include "machine.h"

#include <err.h>
#include <stdlib.h>
#include <string.h>

#include "hypervisor/grant.h"
#include "hypervisor/vcpu.h"

#define MIB   (UINT64_C(1) << 20)
#define GIB   (UINT64_C(1) << 30)
#define VCPUS 2

static void must(int64_t result, const char *what)
{
	if (result < 0)
		errx(1, "%s: error %lld", what, (long long)-result);
}

static void upcall(void *data, unsigned int domid, uint32_t port)
{
	(void)data;
	(void)domid;
	(void)port;
}

struct hv_config world_config(struct world *world)
{
	return (struct hv_config){.allocator = {arena_allocate, arena_release, &world->arena},
				  .callbacks = {.upcall = upcall},
				  .memory = &world->memory,
				  .seed = 1};
}

struct world *world_new(size_t expected)
{
	struct world *world = calloc(1, sizeof(*world));

	if (!world)
		err(1, "memory");
	arena_init(&world->arena, expected);
	return world;
}

void world_free(struct world *world)
{
	arena_deinit(&world->arena);
	free(world);
}

/* RAM, with the hole that PCs have below 4 GiB. */
static void lay_out(struct machine *machine)
{
	const uint64_t frames = machine->shape.memory >> HV_PAGE_SHIFT;
	const uint64_t low = 3 * GIB >> HV_PAGE_SHIFT, high = 4 * GIB >> HV_PAGE_SHIFT;

	machine->ram[0] = (struct hv_frame_span){0, frames < low ? frames : low};
	machine->ram[1] = (struct hv_frame_span){high, frames < low ? 0 : frames - low};
	machine->frames = frames < low ? frames : high + frames - low;
}

static void boot(struct machine *machine)
{
	const struct hv_liveupdate_option option = {.size = 32 * MIB};
	struct world *world = machine->world;
	struct hv_config config = world_config(world);

	hv_init(&world->hv, &config);
	must(hv_memory_init(&world->memory, &world->hv.allocator, machine->frames), "frame table");
	for (unsigned int i = 0; i < 2 && machine->ram[i].count; i++)
		must(hv_frames_set(&world->memory.table, machine->ram[i].first,
				   machine->ram[i].count, HV_DOMID_INVALID, HV_FRAME_FREE),
		     "frames");
	must(hv_boot_first(&world->memory, &machine->note.memory, &option), "boot");
	hv_boot_free_init(&world->memory, &machine->note.memory);
	hv_kexec_init(&world->kexec, &world->hv, &machine->physical.mapper, &machine->note);
}

static void add_vcpus(struct hypervisor *hv, unsigned int domid)
{
	const uint8_t registers[HV_VCPU_STATE] = {1, 2, 3};

	must(hv_vcpus_create(hv, 0, domid, VCPUS), "vCPUs");
	for (uint32_t vcpu = 0; vcpu < VCPUS; vcpu++)
		must(hv_vcpu_set(hv, 0, domid, vcpu, 4096, registers, HV_VCPU_RUNNABLE), "vCPU");
}

static void add_rings(struct hypervisor *hv, unsigned int domid)
{
	const struct hv_domain *domain = hv_domain_find(hv, domid);
	uint32_t port, handle;
	uint64_t frame;

	for (uint32_t ref = 0; ref < 2; ref++) {
		must(hv_grant_access(hv, 0, domid, ref, 0, hv_p2m_mfn(&domain->p2m, ref), false),
		     "grant");
		must(hv_grant_map(hv, 0, domid, ref, false, &handle, &frame), "mapping");
		must(hv_evtchn_alloc_unbound(hv, 0, domid, 0, &port), "port");
		must(hv_evtchn_bind_interdomain(hv, 0, domid, port, &port), "event channel");
	}
}

static void add_domain(struct machine *machine, unsigned int number, uint64_t pages)
{
	struct hypervisor *hv = &machine->world->hv;
	struct hv_domain_config config = {.domid = (uint16_t)number, .hvm = true};
	struct hv_memory *memory = &machine->world->memory;
	unsigned int domid;
	uint64_t frame;

	must(hv_domain_create(hv, 0, &config, &domid), "domain");
	for (uint64_t gfn = 0, piece; gfn < pages; gfn += piece) {
		piece = pages / machine->shape.fragments;
		if (piece > pages - gfn)
			piece = pages - gfn;
		if (hv_populate(hv, 0, domid, gfn, piece) != (int64_t)piece)
			errx(1, "not enough memory for domain %u", number);
		/* Something else in between, or the pieces would be one. */
		if (machine->shape.fragments > 1 &&
		    hv_heap_allocate(&memory->heap, 1, HV_DOMID_XEN, HV_FRAME_KEXEC, &frame) != 1)
			errx(1, "not enough memory");
	}
	must(hv_allocate_special(hv, hv_domain_find(hv, domid), HV_FRAME_SHARED_INFO, 1, &frame),
	     "shared info");
	must(hv_allocate_special(hv, hv_domain_find(hv, domid), HV_FRAME_GRANT_TABLE, 1, &frame),
	     "grant table");
	add_vcpus(hv, domid);
	add_rings(hv, domid);
	must(hv_domain_unpause(hv, 0, domid), "unpause");
}

static void add_domain0(struct machine *machine)
{
	struct hv_domain_config config = {.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE,
					  .evtchn_abi = HV_EVTCHN_FIFO};
	struct hypervisor *hv = &machine->world->hv;
	unsigned int domid;

	must(hv_domain_create(hv, HV_DOMID_XEN, &config, &domid), "domain 0");
	add_vcpus(hv, domid);
	must(hv_domain_unpause(hv, HV_DOMID_XEN, domid), "unpause");
}

struct machine *machine_new(const struct shape *shape)
{
	struct machine *machine = calloc(1, sizeof(*machine));
	/* A tenth and 128 MiB are left for the hypervisor, its stream, and the image that is
	 * loaded. */
	uint64_t pages = (shape->memory - 128 * MIB) / 10 * 9 / HV_PAGE_SIZE;

	if (!machine)
		err(1, "memory");
	machine->shape = *shape;
	machine->note = (struct hv_image_note){
		.magic = HV_IMAGE_NOTE_MAGIC,
		.memory = {.image_size = 4 * MIB,
			   .init_offset = 2 * MIB,
			   .init_size = MIB / 2,
			   .boot_size = 8 * MIB,
			   .frame_info_size = 32},
		.stream = HV_STREAM_ABILITIES,
	};
	machine->world = world_new(0);
	lay_out(machine);
	physical_init(&machine->physical, machine->frames);
	boot(machine);
	add_domain0(machine);
	pages /= shape->domains ? shape->domains : 1;
	for (unsigned int i = 1; i <= shape->domains; i++)
		add_domain(machine, i, pages);
	return machine;
}

void machine_free(struct machine *machine)
{
	world_free(machine->world);
	physical_deinit(&machine->physical);
	free(machine);
}

static int read_own(void *data, void *to, uint64_t address, uint64_t size)
{
	(void)data;
	memcpy(to, (const void *)(uintptr_t)address, size);
	return 0;
}

static int write_own(void *data, uint64_t address, const void *from, uint64_t size)
{
	(void)data;
	memcpy((void *)(uintptr_t)address, from, size);
	return 0;
}

void machine_load(struct machine *machine)
{
	const struct hv_guest_memory memory = {read_own, write_own, NULL};
	const struct hv_frame_span *image = &machine->world->memory.bootmem.image;
	const uint64_t size = hv_image_frames(&machine->note.memory) << HV_PAGE_SHIFT;
	const uint64_t top = (image->first + image->count) << HV_PAGE_SHIFT;
	unsigned char *bytes = calloc(1, size);
	struct hv_kexec_segment segment = {.buf = (uintptr_t)bytes,
					   .buf_size = size,
					   .dest_maddr = top - size,
					   .dest_size = size};
	struct hv_kexec_load load = {.type = HV_KEXEC_TYPE_LIVE_UPDATE,
				     .arch = HV_KEXEC_ARCH_X86_64,
				     .nr_segments = 1,
				     .segments = (uintptr_t)&segment,
				     .entry_maddr = top - size};

	if (!bytes)
		err(1, "memory");
	memcpy(bytes, &machine->note, sizeof(machine->note));
	if (hv_kexec_op(&machine->world->kexec, 0, HV_KEXEC_CMD_LOAD, (uintptr_t)&load, &memory))
		errx(1, "load: %s", machine->world->kexec.message);
	free(bytes);
}

uint64_t machine_fragments(const struct machine *machine)
{
	struct hypervisor *hv = &machine->world->hv;
	struct hv_domain *domain = hv_domain_next(hv, 0);
	uint64_t count = 0;

	for (; domain; domain = hv_domain_next(hv, domain->domid + 1u))
		count += domain->p2m.count;
	return count;
}
