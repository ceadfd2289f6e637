/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The kexec commands: arguments are copied from the caller once, checked, and done.
 */
#include "hypervisor/kexec.h"

#include "hypervisor/hypervisor.h"
#include "hypervisor/kexec-image.h"

void hv_kexec_init(struct hv_kexec *kexec, struct hypervisor *hv, const struct hv_mapper *mapper,
		   const struct hv_image_note *self)
{
	*kexec = (struct hv_kexec){.hv = hv,
				   .mapper = mapper,
				   .self = *self,
				   .own_regions = hv->memory->bootmem.region_count};
}

void hv_kexec_deinit(struct hv_kexec *kexec)
{
	hv_kexec_image_free(kexec, kexec->image);
	kexec->image = NULL;
	kexec->requested = false;
}

void hv_kexec_cancel(struct hv_kexec *kexec)
{
	kexec->requested = false;
}

static int get_range(const struct hv_kexec *kexec, struct hv_kexec_range *range)
{
	const struct hv_bootmem *bootmem = &kexec->hv->memory->bootmem;
	struct hv_frame_span span = {0, 0};

	switch (range->range) {
	case HV_KEXEC_RANGE_MA_CRASH: /* none is reserved */
		break;
	case HV_KEXEC_RANGE_MA_XEN:
		span = bootmem->image;
		break;
	case HV_KEXEC_RANGE_MA_LIVEUPDATE:
		if (bootmem->region_count)
			span = bootmem->regions[0];
		break;
	default:
		return -XEN_EINVAL;
	}
	range->start = span.first << HV_PAGE_SHIFT;
	range->size = span.count << HV_PAGE_SHIFT;
	return 0;
}

static int load_image(struct hv_kexec *kexec, const struct hv_kexec_load *load,
		      const struct hv_guest_memory *memory)
{
	struct hv_kexec_segment segments[HV_KEXEC_SEGMENTS];
	struct hv_kexec_image *image, *before = kexec->image;
	int error;

	kexec->message[0] = '\0';
	if (kexec->requested)
		return -XEN_EBUSY;
	if (load->type != HV_KEXEC_TYPE_LIVE_UPDATE)
		return load->type <= HV_KEXEC_TYPE_CRASH ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
	if (load->arch != HV_KEXEC_ARCH_X86_64 || load->pad || !load->nr_segments ||
	    load->nr_segments > HV_KEXEC_SEGMENTS)
		return -XEN_EINVAL;
	error = memory->read(memory->data, segments, load->segments,
			     load->nr_segments * sizeof(*segments));
	if (error)
		return error;
	error = hv_kexec_image_load(kexec, load, segments, memory, &image);
	if (error)
		return error;
	kexec->image = image;
	hv_kexec_image_free(kexec, before);
	return 0;
}

static int unload(struct hv_kexec *kexec, unsigned int type)
{
	if (type > HV_KEXEC_TYPE_LIVE_UPDATE)
		return -XEN_EINVAL;
	if (type != HV_KEXEC_TYPE_LIVE_UPDATE)
		return 0;
	if (kexec->requested)
		return -XEN_EBUSY;
	hv_kexec_image_free(kexec, kexec->image);
	kexec->image = NULL;
	return 0;
}

static int exec(struct hv_kexec *kexec, int type)
{
	if (type < 0 || type > HV_KEXEC_TYPE_LIVE_UPDATE)
		return -XEN_EINVAL;
	if (type != HV_KEXEC_TYPE_LIVE_UPDATE || !kexec->image)
		return -XEN_ENOENT;
	if (kexec->requested)
		return -XEN_EBUSY;
	kexec->requested = true;
	return 0;
}

int hv_kexec_op(struct hv_kexec *kexec, unsigned int caller, unsigned int cmd, uint64_t address,
		const struct hv_guest_memory *memory)
{
	union {
		struct hv_kexec_exec exec;
		struct hv_kexec_range range;
		struct hv_kexec_load load;
		struct hv_kexec_type type;
	} argument;
	uint64_t size;
	int error;

	switch (cmd) {
	case HV_KEXEC_CMD_EXEC:
		size = sizeof(argument.exec);
		break;
	case HV_KEXEC_CMD_GET_RANGE:
		size = sizeof(argument.range);
		break;
	case HV_KEXEC_CMD_LOAD:
		size = sizeof(argument.load);
		break;
	case HV_KEXEC_CMD_UNLOAD:
	case HV_KEXEC_CMD_STATUS:
		size = sizeof(argument.type);
		break;
	default:
		return -XEN_ENOSYS;
	}
	if (!hv_is_control(kexec->hv, caller))
		return -XEN_EPERM;
	error = memory->read(memory->data, &argument, address, size);
	if (error)
		return error;
	switch (cmd) {
	case HV_KEXEC_CMD_EXEC:
		return exec(kexec, argument.exec.type);
	case HV_KEXEC_CMD_GET_RANGE:
		error = get_range(kexec, &argument.range);
		return error ? error : memory->write(memory->data, address, &argument, size);
	case HV_KEXEC_CMD_LOAD:
		return load_image(kexec, &argument.load, memory);
	case HV_KEXEC_CMD_UNLOAD:
		return unload(kexec, argument.type.type);
	default:
		if (argument.type.type > HV_KEXEC_TYPE_LIVE_UPDATE)
			return -XEN_EINVAL;
		return argument.type.type == HV_KEXEC_TYPE_LIVE_UPDATE && kexec->image;
	}
}
