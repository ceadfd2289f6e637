/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving what belongs to the machine, and the frame around all sections.
 */
#include "hypervisor/save.h"

#include <string.h>

#include "hypervisor/hypervisor.h"
#include "hypervisor/save-domain.h"

_Static_assert(sizeof(struct hv_m2p_extent) == sizeof(struct hv_stream_m2p) &&
		       offsetof(struct hv_m2p_extent, domid) ==
			       offsetof(struct hv_stream_m2p, domid),
	       "the M2P is written as it is");

#define SOFTWARE "model hypervisor" /* padded to a multiple of 8 below */

static void save_machine(const struct hypervisor *hv, struct hv_writer *writer)
{
	struct hv_stream_machine machine = {
		.id_state = hv->ids.state,
		.frames = hv->memory ? hv->memory->table.frames : 0,
		.latest = hv->domains.latest,
		.hardware = hv->hardware ? hv->hardware->domid : HV_DOMID_INVALID,
	};

	for (size_t i = 0; i < sizeof(machine.ids) - 1 && hv->ids.kind->name[i]; i++)
		machine.ids[i] = hv->ids.kind->name[i];
	hv_writer_record(writer, HV_RECORD_MACHINE, 0, sizeof(machine));
	hv_writer_words(writer, &machine, sizeof(machine));
}

static void save_identities(const struct hypervisor *hv, struct hv_writer *writer)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	struct hv_stream_identity identity = {0};

	hv_writer_record(writer, HV_RECORD_DOMAINS, 0, hv->domains.count * sizeof(identity));
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		identity.unique_id = domain->unique_id;
		identity.domid = domain->domid;
		hv_writer_words(writer, &identity, sizeof(identity));
	}
}

static void save_virqs(const struct hypervisor *hv, struct hv_writer *writer)
{
	struct hv_stream_virq virqs[HV_VIRQ_COUNT] = {0};
	uint32_t count = 0;

	for (uint32_t virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (hv->virqs[virq].handler) {
			virqs[count].virq = virq;
			virqs[count++].handler = hv->virqs[virq].handler->domid;
		}
	}
	hv_writer_record(writer, HV_RECORD_VIRQS, 0, count * sizeof(virqs[0]));
	hv_writer_words(writer, virqs, count * sizeof(virqs[0]));
}

static void save_changed(const struct hypervisor *hv, struct hv_writer *writer)
{
	if (!hv->changes.bits)
		return;
	hv_writer_record(writer, HV_RECORD_CHANGED, 0, HV_CHANGED_BYTES);
	hv_writer_words(writer, hv->changes.bits, HV_CHANGED_BYTES);
}

/* The region below the image is known from the command line; the others only from here. */
static void save_regions(const struct hypervisor *hv, struct hv_writer *writer)
{
	const struct hv_bootmem *bootmem = hv->memory ? &hv->memory->bootmem : NULL;
	struct hv_stream_region region;

	if (!bootmem || bootmem->region_count < 2)
		return;
	hv_writer_record(writer, HV_RECORD_REGIONS, HV_RECORD_OPTIONAL,
			 (bootmem->region_count - 1u) * sizeof(region));
	for (uint32_t i = 1; i < bootmem->region_count; i++) {
		region.first = bootmem->regions[i].first;
		region.count = bootmem->regions[i].count;
		hv_writer_words(writer, &region, sizeof(region));
	}
}

/* What has been sorted need not be sorted again. */
static void save_m2p(const struct hypervisor *hv, struct hv_writer *writer)
{
	if (!hv->m2p.extents)
		return;
	hv_writer_record(writer, HV_RECORD_M2P, HV_RECORD_OPTIONAL,
			 hv->m2p.count * sizeof(*hv->m2p.extents));
	hv_writer_words(writer, hv->m2p.extents, hv->m2p.count * sizeof(*hv->m2p.extents));
}

static void save_software(struct hv_writer *writer)
{
	char text[(sizeof(SOFTWARE) + 7) / 8 * 8] = SOFTWARE;

	if (writer->version < HV_STREAM_HAS_SOFTWARE)
		return;
	hv_writer_record(writer, HV_RECORD_SOFTWARE, HV_RECORD_OPTIONAL, sizeof(text));
	hv_writer_words(writer, text, sizeof(text));
}

int hv_save(struct hypervisor *hv, struct hv_writer *writer)
{
	struct hv_stream_header header = {
		.magic = HV_STREAM_MAGIC,
		.version = writer->version,
		.domains = hv->domains.count,
		.types = HV_STREAM_KNOWN,
	};
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	uint64_t *size, *checksum, sum;

	/* It stops last. The others are looked at when it is their turn. */
	if (hv->hardware && hv->hardware->stop != HV_STOPPED)
		return -XEN_EBUSY;
	if (writer->version < HV_STREAM_HAS_SOFTWARE)
		header.types &= ~HV_RECORD_BIT(HV_RECORD_SOFTWARE);
	writer->checksum = 0;
	hv_writer_words(writer, &header, offsetof(struct hv_stream_header, size));
	size = hv_writer_later(writer);
	checksum = hv_writer_later(writer);
	save_machine(hv, writer);
	save_identities(hv, writer);
	save_virqs(hv, writer);
	save_changed(hv, writer);
	save_regions(hv, writer);
	save_m2p(hv, writer);
	save_software(writer);
	sum = writer->checksum;

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u))
		hv_save_domain(domain, writer);
	hv_writer_record(writer, HV_RECORD_END, 0, 0);
	hv_writer_end(writer);
	if (writer->error)
		return writer->error;
	*size = writer->size;
	*checksum = hv_checksum(sum, writer->size);
	return 0;
}
