/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is known about streams without looking into one: names and sizes of records,
 * and whether two builds can talk to each other.
 */
#include "hypervisor/stream.h"

#include "hypervisor/domain-state.h"
#include "hypervisor/vcpu.h"
#include "hypervisor/xen-errno.h"

_Static_assert(sizeof(((struct hv_stream_vcpu *)0)->state) == HV_VCPU_STATE, "stream");

static const struct {
	const char *name;
	uint32_t element;
} known[HV_RECORD_END + 1] = {
	[HV_RECORD_MACHINE] = {"MACHINE", sizeof(struct hv_stream_machine)},
	[HV_RECORD_DOMAINS] = {"DOMAINS", sizeof(struct hv_stream_identity)},
	[HV_RECORD_VIRQS] = {"VIRQS", sizeof(struct hv_stream_virq)},
	[HV_RECORD_CHANGED] = {"CHANGED", HV_CHANGED_BYTES},
	[HV_RECORD_REGIONS] = {"REGIONS", sizeof(struct hv_stream_region)},
	[HV_RECORD_M2P] = {"M2P", sizeof(struct hv_stream_m2p)},
	[HV_RECORD_SOFTWARE] = {"SOFTWARE", 1},
	[HV_RECORD_DOMAIN] = {"DOMAIN", sizeof(struct hv_stream_domain)},
	[HV_RECORD_GENERAL] = {"GENERAL", sizeof(struct hv_stream_general)},
	[HV_RECORD_VCPUS] = {"VCPUS", sizeof(struct hv_stream_vcpu)},
	[HV_RECORD_P2M] = {"P2M", sizeof(struct hv_stream_extent)},
	[HV_RECORD_PAGES] = {"PAGES", sizeof(struct hv_stream_pages)},
	[HV_RECORD_GRANTS] = {"GRANTS", sizeof(struct hv_stream_grant)},
	[HV_RECORD_EVTCHN_2LEVEL] = {"EVTCHN_2LEVEL", sizeof(struct hv_stream_port)},
	[HV_RECORD_EVTCHN_FIFO] = {"EVTCHN_FIFO", sizeof(struct hv_stream_port)},
	[HV_RECORD_MAPPINGS] = {"MAPPINGS", sizeof(struct hv_stream_mapping)},
	[HV_RECORD_FOREIGN] = {"FOREIGN", sizeof(struct hv_stream_mapping)},
	[HV_RECORD_IOREQ] = {"IOREQ", sizeof(struct hv_stream_server)},
	[HV_RECORD_IOMMU] = {"IOMMU", sizeof(struct hv_stream_extent)},
	[HV_RECORD_END] = {"END", 1},
};

const char *hv_record_name(uint32_t type)
{
	return type <= HV_RECORD_END ? known[type].name : NULL;
}

size_t hv_record_element(uint32_t type)
{
	return type <= HV_RECORD_END ? known[type].element : 0;
}

int hv_stream_agree(const struct hv_stream_abilities *now, const struct hv_stream_abilities *next,
		    const char **reason)
{
	uint32_t version = now->newest < next->newest ? now->newest : next->newest;

	*reason = NULL;
	if (now->magic != HV_STREAM_MAGIC || next->magic != HV_STREAM_MAGIC)
		*reason = "it does not say what it knows about live update";
	else if (version < now->oldest)
		*reason = "it is too old: it reads none of the stream versions written here";
	else if (version < next->oldest)
		*reason = "it is too new: the stream versions written here are not read any more";
	else if (next->requires & ~now->writes)
		*reason = "it requires a record that is not written here";
	else if (now->requires & ~next->reads)
		*reason = "it would not read a record without which a machine is not complete";
	return *reason ? -XEN_EOPNOTSUPP : (int)version;
}
