/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One domain's section. What is in arrays with gaps is written without them, each
 * element with its number; so a record says how long it is before its elements
 * follow, and they are counted first.
 */
#include "hypervisor/save-domain.h"

#include <string.h>

#include "hypervisor/hypervisor.h"

static uint32_t count_grants(const struct hv_grant_table *table)
{
	uint32_t count = 0;

	for (uint32_t ref = 0; ref < table->capacity; ref++)
		count += table->entries[ref].granted || table->entries[ref].mappings;
	return count;
}

static uint32_t count_ports(const struct hv_evtchn_table *table)
{
	uint32_t count = 0;

	for (uint32_t port = 0; port < table->capacity; port++)
		count += table->ports[port].state != HV_EVTCHN_CLOSED;
	return count;
}

static uint32_t count_foreign(const struct hv_mapping_table *table)
{
	uint32_t count = 0;

	for (uint32_t handle = 0; handle < table->high; handle++)
		count += table->mappings[handle].used && table->mappings[handle].foreign;
	return count;
}

static uint32_t count_servers(const struct hv_domain *domain)
{
	uint32_t count = 0;

	for (uint32_t id = 0; domain->ioreq && id < HV_IOREQ_SERVERS; id++)
		count += domain->ioreq[id].used;
	return count;
}

/* Fill in what is written, counts in any case: the other records need them. */
static void describe(const struct hv_domain *domain, struct hv_stream_general *general)
{
	memset(general, 0, sizeof(*general));
	general->caps = domain->caps;
	general->life = domain->life;
	if (domain->hvm)
		general->flags |= HV_STREAM_HVM;
	if (domain->shut_down)
		general->flags |= HV_STREAM_SHUT_DOWN;
	if (domain->evtchns.limit == HV_EVTCHN_FIFO_PORTS)
		general->flags |= HV_STREAM_FIFO;
	general->shutdown_code = domain->shutdown_code;
	general->pause_count = domain->pause_count;
	general->target = domain->target ? domain->target->domid : HV_DOMID_INVALID;
	general->suspend_port = domain->suspend_port;
	general->max_port = domain->evtchns.max_port;
	general->max_grants = domain->grants.limit;
	general->max_mappings = domain->mappings.limit;
	general->pages = domain->pages;
	memcpy(general->handle, domain->handle, sizeof(general->handle));
	general->vcpus = domain->vcpus.count;
	general->references = domain->refs;
	general->grants = count_grants(&domain->grants);
	general->ports = count_ports(&domain->evtchns);
	general->foreign = count_foreign(&domain->mappings);
	general->mappings = domain->mappings.count - general->foreign;
	general->servers = count_servers(domain);
}

static void save_general(const struct hv_stream_general *counted, struct hv_writer *writer)
{
	struct hv_stream_general general = *counted;

	if (writer->version < HV_STREAM_HAS_COUNTS) {
		general.references = 0;
		general.grants = 0;
		general.ports = 0;
		general.mappings = 0;
		general.foreign = 0;
		general.servers = 0;
	}
	hv_writer_record(writer, HV_RECORD_GENERAL, 0, sizeof(general));
	hv_writer_words(writer, &general, sizeof(general));
}

/* The header of an array's record. Returns false for an empty one, which has no record. */
static bool begin_array(struct hv_writer *writer, enum hv_record_type type, uint64_t count)
{
	if (count)
		hv_writer_record(writer, type, 0, count * hv_record_element(type));
	return count;
}

static void save_vcpus(const struct hv_vcpus *vcpus, struct hv_writer *writer)
{
	if (!begin_array(writer, HV_RECORD_VCPUS, vcpus->count))
		return;
	for (uint32_t i = 0; i < vcpus->count; i++) {
		const struct hv_vcpu *vcpu = &vcpus->vcpus[i];
		struct hv_stream_vcpu out = {
			.ip = vcpu->ip,
			.hypercall = vcpu->hypercall,
			.left = vcpu->left,
			.done = vcpu->done,
			.run = vcpu->run,
		};

		memcpy(out.state, vcpu->state, sizeof(out.state));
		hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_extents(const struct hv_p2m *p2m, enum hv_record_type type,
			 struct hv_writer *writer)
{
	if (!begin_array(writer, type, p2m->count))
		return;
	for (uint32_t i = 0; i < p2m->count; i++) {
		const struct hv_extent *extent = &p2m->extents[i];
		struct hv_stream_extent out = {extent->gfn, extent->mfn, extent->count};

		hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_pages(const struct hv_special_list *special, struct hv_writer *writer)
{
	if (!begin_array(writer, HV_RECORD_PAGES, special->count))
		return;
	for (uint32_t i = 0; i < special->count; i++) {
		const struct hv_special *entry = &special->list[i];
		struct hv_stream_pages out = {entry->mfn, entry->count, entry->type};

		hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_grants(const struct hv_grant_table *table, uint32_t count,
			struct hv_writer *writer)
{
	if (!begin_array(writer, HV_RECORD_GRANTS, count))
		return;
	for (uint32_t ref = 0; ref < table->capacity; ref++) {
		const struct hv_grant *entry = &table->entries[ref];
		struct hv_stream_grant out = {.frame = entry->frame, .ref = ref, .to = entry->to};

		if (!entry->granted && !entry->mappings)
			continue;
		if (writer->version >= HV_STREAM_HAS_COUNTS)
			out.mappings = entry->mappings;
		out.flags = (entry->readonly ? HV_STREAM_READONLY : 0) |
			    (entry->granted ? HV_STREAM_GRANTED : 0);
		hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_ports(const struct hv_evtchn_table *table, uint32_t count,
		       struct hv_writer *writer)
{
	if (!begin_array(writer,
			 table->limit == HV_EVTCHN_FIFO_PORTS ? HV_RECORD_EVTCHN_FIFO
							      : HV_RECORD_EVTCHN_2LEVEL,
			 count))
		return;
	for (uint32_t port = 0; port < table->capacity; port++) {
		const struct hv_evtchn *evtchn = &table->ports[port];
		struct hv_stream_port out = {
			.port = port,
			.number = evtchn->number,
			.remote = evtchn->remote,
			.state = evtchn->state,
		};

		if (evtchn->state == HV_EVTCHN_CLOSED)
			continue;
		if (evtchn->pending)
			out.flags |= HV_STREAM_PENDING;
		if (evtchn->masked)
			out.flags |= HV_STREAM_MASKED;
		hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_mappings(const struct hv_mapping_table *table, bool foreign, uint32_t count,
			  struct hv_writer *writer)
{
	if (!begin_array(writer, foreign ? HV_RECORD_FOREIGN : HV_RECORD_MAPPINGS, count))
		return;
	for (uint32_t handle = 0; handle < table->high; handle++) {
		const struct hv_mapping *mapping = &table->mappings[handle];
		struct hv_stream_mapping out = {
			.frame = mapping->frame,
			.handle = handle,
			.ref = mapping->ref,
			.from = mapping->from,
			.flags = mapping->readonly ? HV_STREAM_READONLY : 0,
		};

		if (mapping->used && mapping->foreign == foreign)
			hv_writer_words(writer, &out, sizeof(out));
	}
}

static void save_servers(const struct hv_domain *domain, uint32_t count, struct hv_writer *writer)
{
	if (!begin_array(writer, HV_RECORD_IOREQ, count))
		return;
	for (uint32_t id = 0; id < HV_IOREQ_SERVERS; id++) {
		struct hv_stream_server out = {domain->ioreq[id].frame, id,
					       domain->ioreq[id].emulator};

		if (domain->ioreq[id].used)
			hv_writer_words(writer, &out, sizeof(out));
	}
}

void hv_save_domain(const struct hv_domain *domain, struct hv_writer *writer)
{
	const uint64_t domid = domain->domid;
	struct hv_stream_general general;
	uint64_t *size, *checksum, begin;

	/* It must stand still where nothing of it is inside the hypervisor. */
	if (domain->stop != HV_STOPPED || !hv_vcpus_at_boundary(domain)) {
		if (!writer->error)
			writer->error = -XEN_EBUSY;
		return;
	}
	hv_writer_record(writer, HV_RECORD_DOMAIN, 0, sizeof(struct hv_stream_domain));
	size = hv_writer_later(writer);
	checksum = hv_writer_later(writer);
	writer->checksum = 0;
	hv_writer_words(writer, &domid, sizeof(domid));
	begin = writer->size;

	describe(domain, &general);
	save_general(&general, writer);
	save_vcpus(&domain->vcpus, writer);
	save_extents(&domain->p2m, HV_RECORD_P2M, writer);
	save_pages(&domain->special, writer);
	save_grants(&domain->grants, general.grants, writer);
	save_ports(&domain->evtchns, general.ports, writer);
	save_mappings(&domain->mappings, false, general.mappings, writer);
	save_mappings(&domain->mappings, true, general.foreign, writer);
	save_servers(domain, general.servers, writer);
	save_extents(&domain->iommu, HV_RECORD_IOMMU, writer);
	if (writer->error)
		return;
	*size = writer->size - begin;
	*checksum = hv_checksum(writer->checksum, *size);
}
