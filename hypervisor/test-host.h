/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A whole machine for tests of the update: physical memory, a hypervisor that has
 * booted on it with boot memory, domain 0, and a toolstack that loads images.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_HOST_H
#define HYPERVISOR_TEST_HOST_H

#include "hypervisor/boot.h"
#include "hypervisor/kexec.h"
#include "hypervisor/test-physical.h"

#define MIB		 (UINT64_C(1) << 20)
#define GIB		 (UINT64_C(1) << 30)
#define FRAMES_OF(bytes) ((uint64_t)(bytes) >> HV_PAGE_SHIFT)

#define HOST_RAM 3

struct host {
	struct machine *machine;
	struct hv_memory memory;
	struct physical *physical;
	struct hv_kexec kexec;
	struct hv_frame_span ram[HOST_RAM];
};

/* The note of an image of so many MiB, with its init part in the middle. */
static inline struct hv_image_note host_note(uint64_t mib)
{
	return (struct hv_image_note){
		.magic = HV_IMAGE_NOTE_MAGIC,
		.memory = {.image_size = mib * MIB,
			   .init_offset = mib * MIB / 2,
			   .init_size = MIB / 2,
			   .boot_size = 3 * MIB,
			   .frame_info_size = 32},
		.stream = HV_STREAM_ABILITIES,
	};
}

/* RAM of a PC: a hole below 1 MiB and one below 4 GiB. */
static inline void host_ram(struct host *host, uint64_t frames)
{
	host->ram[0] = (struct hv_frame_span){0, 160};
	host->ram[1] = (struct hv_frame_span){256, FRAMES_OF(3 * GIB) - 256};
	host->ram[2] = (struct hv_frame_span){FRAMES_OF(4 * GIB), 0};
	if (frames <= FRAMES_OF(3 * GIB))
		host->ram[1].count = frames - 256;
	else
		host->ram[2].count = frames - FRAMES_OF(4 * GIB);
}

/* A machine of @frames frames (not between 3 and 4 GiB) that has booted @note's hypervisor. */
static inline struct host *host_new(uint64_t frames, uint64_t liveupdate,
				    const struct hv_image_note *note)
{
	struct hv_liveupdate_option option = {.size = liveupdate};
	struct host *host = calloc(1, sizeof(*host));

	assert_non_null(host);
	host->machine = machine_new_as((struct hv_config){.seed = 1, .memory = &host->memory});
	host->physical = physical_new(frames);
	host_ram(host, frames);
	assert_int_equal(hv_memory_init(&host->memory, &host->machine->hv.allocator, frames), 0);
	for (unsigned int i = 0; i < HOST_RAM && host->ram[i].count; i++)
		assert_int_equal(hv_frames_set(&host->memory.table, host->ram[i].first,
					       host->ram[i].count, HV_DOMID_INVALID, HV_FRAME_FREE),
				 0);
	assert_int_equal(hv_boot_first(&host->memory, &note->memory, &option), 0);
	hv_boot_free_init(&host->memory, &note->memory);
	hv_kexec_init(&host->kexec, &host->machine->hv, &host->physical->mapper, note);
	return host;
}

static inline void host_free(struct host *host)
{
	hv_kexec_deinit(&host->kexec);
	/* Domains give nothing back at the end of the world. */
	hv_memory_deinit(&host->memory);
	host->machine->hv.memory = NULL;
	machine_free(host->machine);
	physical_free(host->physical);
	free(host);
}

/* Memory of domain 0, in which addresses are those of this process. */
static int dom0_read(void *data, void *to, uint64_t address, uint64_t size)
{
	(void)data;
	if (address < 4096)
		return -XEN_EFAULT;
	memcpy(to, (const void *)(uintptr_t)address, size);
	return 0;
}

static int dom0_write(void *data, uint64_t address, const void *from, uint64_t size)
{
	(void)data;
	if (address < 4096)
		return -XEN_EFAULT;
	memcpy((void *)(uintptr_t)address, from, size);
	return 0;
}

static inline int host_kexec(struct host *host, unsigned int cmd, void *argument)
{
	const struct hv_guest_memory memory = {dom0_read, dom0_write, NULL};

	return hv_kexec_op(&host->kexec, 0, cmd, (uintptr_t)argument, &memory);
}

static inline struct hv_kexec_range host_range(struct host *host, int which)
{
	struct hv_kexec_range range = {.range = which};

	assert_int_equal(host_kexec(host, HV_KEXEC_CMD_GET_RANGE, &range), 0);
	return range;
}

/*
 * What a loader does: the image to the top of the span of image and boot memory, @modules bytes
 * behind the breadcrumb's page. The file has the note in it and is otherwise filled with @filling.
 */
static inline int host_load(struct host *host, const struct hv_image_note *note,
			    unsigned char filling, uint64_t modules)
{
	const struct hv_kexec_range xen = host_range(host, HV_KEXEC_RANGE_MA_XEN);
	const struct hv_kexec_range boot = host_range(host, HV_KEXEC_RANGE_MA_LIVEUPDATE);
	const uint64_t size = hv_image_frames(&note->memory) << HV_PAGE_SHIFT;
	const uint64_t file = 64 * HV_PAGE_SIZE + 100;
	struct hv_kexec_segment segments[2] = {0};
	struct hv_kexec_load load = {.type = HV_KEXEC_TYPE_LIVE_UPDATE,
				     .arch = HV_KEXEC_ARCH_X86_64,
				     .nr_segments = modules ? 2 : 1,
				     .segments = (uintptr_t)segments};
	unsigned char *bytes = malloc(file);
	int error;

	assert_non_null(bytes);
	memset(bytes, filling, file);
	memcpy(bytes + 4088, note, sizeof(*note)); /* across two pages */
	segments[0] = (struct hv_kexec_segment){.buf = (uintptr_t)bytes,
						.buf_size = file,
						.dest_maddr = xen.start + xen.size - size,
						.dest_size = size};
	segments[1] = (struct hv_kexec_segment){.buf = (uintptr_t)bytes,
						.buf_size = modules < file ? modules : file,
						.dest_maddr = boot.start + HV_PAGE_SIZE,
						.dest_size = modules};
	load.entry_maddr = segments[0].dest_maddr + 16;
	error = host_kexec(host, HV_KEXEC_CMD_LOAD, &load);
	free(bytes);
	return error;
}

/* The frames of a type in the whole machine. */
static inline uint64_t host_count(struct host *host, enum hv_frame_type type)
{
	uint64_t position = 0, count = 0;
	struct hv_frames frames;

	while (hv_frames_walk(&host->memory.table, &position, &frames))
		count += frames.type == type ? frames.count : 0;
	return count;
}

/* A digest of the frame table. */
static inline uint64_t host_digest(struct host *host)
{
	uint64_t position = 0, digest = UINT64_C(0xcbf29ce484222325);
	struct hv_frames frames;

	while (hv_frames_walk(&host->memory.table, &position, &frames)) {
		const uint64_t words[] = {frames.first, frames.count, frames.references,
					  frames.owner, frames.type};

		for (unsigned int i = 0; i < 5; i++)
			digest = (digest ^ words[i]) * UINT64_C(0x100000001b3);
	}
	return digest;
}

#endif
