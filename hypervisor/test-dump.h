/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * All that is of a machine, as text: what must be the same before and after an
 * update. It reads the hypervisor's structures field by field and knows nothing of
 * streams.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_DUMP_H
#define HYPERVISOR_TEST_DUMP_H

#include "hypervisor/test-machine.h"

static void dump_extents(FILE *out, const char *name, const struct hv_p2m *p2m)
{
	for (uint32_t i = 0; i < p2m->count; i++)
		fprintf(out, "  %s %#llx: %#llx + %#llx\n", name,
			(unsigned long long)p2m->extents[i].gfn,
			(unsigned long long)p2m->extents[i].mfn,
			(unsigned long long)p2m->extents[i].count);
}

static void dump_vcpus(FILE *out, const struct hv_domain *domain)
{
	for (uint32_t i = 0; i < domain->vcpus.count; i++) {
		const struct hv_vcpu *vcpu = &domain->vcpus.vcpus[i];

		fprintf(out, "  vcpu %u: ip %llu call %llu left %llu done %llu run %u state", i,
			(unsigned long long)vcpu->ip, (unsigned long long)vcpu->hypercall,
			(unsigned long long)vcpu->left, (unsigned long long)vcpu->done, vcpu->run);
		for (unsigned int byte = 0; byte < HV_VCPU_STATE; byte++)
			fprintf(out, " %x", vcpu->state[byte]);
		fprintf(out, " progress %llu emulation %u\n", (unsigned long long)vcpu->progress,
			vcpu->emulation);
	}
}

static void dump_ports(FILE *out, const struct hv_domain *domain, bool updated)
{
	const struct hv_evtchn_table *table = &domain->evtchns;

	fprintf(out, "  ports: limit %u max %u virqs %#x\n", table->limit, table->max_port,
		table->bound_virqs);
	for (uint32_t port = 0; port < table->capacity; port++) {
		const struct hv_evtchn *evtchn = &table->ports[port];
		bool raised = updated && evtchn->state == HV_EVTCHN_VIRQ &&
			      evtchn->number == HV_VIRQ_DOM_EXC;

		if (evtchn->state != HV_EVTCHN_CLOSED)
			fprintf(out, "  port %u: state %u pending %d masked %d remote %u.%u\n",
				port, evtchn->state, evtchn->pending || raised, evtchn->masked,
				evtchn->remote, evtchn->number);
	}
}

static void dump_grants(FILE *out, const struct hv_domain *domain)
{
	fprintf(out, "  grants: limit %u\n", domain->grants.limit);
	for (uint32_t ref = 0; ref < domain->grants.capacity; ref++) {
		const struct hv_grant *entry = &domain->grants.entries[ref];

		if (entry->granted || entry->mappings)
			fprintf(out, "  grant %u: frame %#llx to %u mapped %u granted %d ro %d\n",
				ref, (unsigned long long)entry->frame, entry->to, entry->mappings,
				entry->granted, entry->readonly);
	}
	fprintf(out, "  mappings: limit %u count %u\n", domain->mappings.limit,
		domain->mappings.count);
	for (uint32_t handle = 0; handle < domain->mappings.high; handle++) {
		const struct hv_mapping *mapping = &domain->mappings.mappings[handle];

		if (mapping->used)
			fprintf(out, "  mapping %u: %u.%u frame %#llx foreign %d ro %d\n", handle,
				mapping->from, mapping->ref, (unsigned long long)mapping->frame,
				mapping->foreign, mapping->readonly);
	}
}

static void dump_domain(FILE *out, const struct hv_domain *domain, bool updated)
{
	fprintf(out,
		"domain %u id %#llx caps %u life %u hvm %d shut down %d code %u paused %u refs %u\n"
		"  suspend %u pages %llu target %d emulates %u handle",
		domain->domid, (unsigned long long)domain->unique_id, domain->caps, domain->life,
		domain->hvm, domain->shut_down, domain->shutdown_code, domain->pause_count,
		domain->refs, domain->suspend_port, (unsigned long long)domain->pages,
		domain->target ? domain->target->domid : -1, domain->emulates);
	for (unsigned int i = 0; i < sizeof(domain->handle); i++)
		fprintf(out, " %x", domain->handle[i]);
	fprintf(out, "\n");
	dump_vcpus(out, domain);
	for (uint32_t id = 0; domain->ioreq && id < HV_IOREQ_SERVERS; id++) {
		if (domain->ioreq[id].used)
			fprintf(out, "  server %u: by %u frame %#llx\n", id,
				domain->ioreq[id].emulator,
				(unsigned long long)domain->ioreq[id].frame);
	}
	dump_ports(out, domain, updated);
	dump_grants(out, domain);
	dump_extents(out, "p2m", &domain->p2m);
	dump_extents(out, "iommu", &domain->iommu);
	for (uint32_t i = 0; i < domain->special.count; i++)
		fprintf(out, "  special %u: %#llx + %u type %u\n", i,
			(unsigned long long)domain->special.list[i].mfn,
			domain->special.list[i].count, domain->special.list[i].type);
}

static void dump_frames(FILE *out, struct hv_frame_table *table)
{
	struct hv_frames frames;
	uint64_t position = 0;

	while (hv_frames_walk(table, &position, &frames))
		fprintf(out, "frames %#llx + %#llx: owner %u type %u references %u\n",
			(unsigned long long)frames.first, (unsigned long long)frames.count,
			frames.owner, frames.type, frames.references);
}

/*
 * The text, to be freed by the caller. @updated: as an update should leave this machine: domains
 * that exist are changed, and whoever watches them is told so.
 */
static inline char *dump_machine(struct hypervisor *hv, bool updated)
{
	const struct hv_domain *domain;
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	assert_non_null(out);
	fprintf(out, "ids %s %#llx latest %u hardware %d domains %u\n", hv->ids.kind->name,
		(unsigned long long)hv->ids.state, hv->domains.latest,
		hv->hardware ? hv->hardware->domid : -1, hv->domains.count);
	for (unsigned int virq = 0; virq < HV_VIRQ_COUNT; virq++) {
		if (hv->virqs[virq].handler || hv->virqs[virq].port)
			fprintf(out, "virq %u: handler %d port %u\n", virq,
				hv->virqs[virq].handler ? hv->virqs[virq].handler->domid : -1,
				hv->virqs[virq].port);
	}
	for (unsigned int domid = 0; hv->changes.bits && domid < HV_CHANGED_BYTES * 8; domid++) {
		if (hv->changes.bits[domid / 64] >> domid % 64 & 1 ||
		    (updated && hv_table_get(&hv->domains, domid)))
			fprintf(out, "changed %u\n", domid);
	}
	domain = hv_table_next(&hv->domains, 0);
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u))
		dump_domain(out, domain, updated);
	if (hv->memory)
		dump_frames(out, &hv->memory->table);
	fclose(out);
	return text;
}

/* Fail with the first line that differs. */
static inline void dump_compare(const char *before, const char *after)
{
	const char *line = before;

	if (strcmp(before, after) == 0)
		return;
	while (*before && *before == *after) {
		if (*before == '\n')
			line = before + 1;
		before++;
		after++;
	}
	fail_msg("differs: before \"%.*s\", after \"...%.60s\"", (int)strcspn(line, "\n"), line,
		 after);
}

#endif
