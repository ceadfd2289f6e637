/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What is true of a machine between any two operations: everything that is stored
 * twice agrees, and counts are what counting gives. Also a digest of the whole
 * state, by which a test sees that an operation has done nothing.
 *
 * Included by test programs.
 */
#ifndef HYPERVISOR_TEST_INVARIANTS_H
#define HYPERVISOR_TEST_INVARIANTS_H

#include "hypervisor/test-machine.h"

static void check_ports(struct hypervisor *hv, const struct hv_domain *domain)
{
	const struct hv_evtchn_table *table = &domain->evtchns;
	uint32_t virqs = 0;

	assert_true(table->capacity <= table->limit);
	if (table->capacity)
		assert_int_equal(table->ports[0].state, HV_EVTCHN_CLOSED);
	for (uint32_t port = 1; port < table->capacity; port++) {
		const struct hv_evtchn *evtchn = &table->ports[port];

		if (evtchn->state != HV_EVTCHN_CLOSED)
			assert_int_equal(domain->life, HV_ALIVE);
		else
			assert_true(port >= table->first_free);
		if (evtchn->state == HV_EVTCHN_INTERDOMAIN) {
			const struct hv_domain *other = hv_domain_find(hv, evtchn->remote);
			const struct hv_evtchn *there;

			assert_non_null(other);
			assert_true(evtchn->number < other->evtchns.capacity);
			there = &other->evtchns.ports[evtchn->number];
			assert_int_equal(there->state, HV_EVTCHN_INTERDOMAIN);
			assert_int_equal(there->remote, domain->domid);
			assert_int_equal(there->number, port);
		}
		if (evtchn->state == HV_EVTCHN_VIRQ) {
			assert_false(virqs >> evtchn->number & 1);
			virqs |= 1u << evtchn->number;
			if (hv_virq_is_global(evtchn->number)) {
				assert_ptr_equal(hv_virq_handler(hv, evtchn->number), domain);
				assert_int_equal(hv->virqs[evtchn->number].port, port);
			}
		}
	}
	assert_int_equal(virqs, table->bound_virqs);
}

/* How often @domain is mapped: by entry @ref, or (ref UINT32_MAX) at all; by everybody. */
static uint32_t count_mappings(struct hypervisor *hv, const struct hv_domain *domain, uint32_t ref)
{
	const struct hv_domain *mapper = hv_table_next(&hv->domains, 0);
	uint32_t count = 0;

	for (; mapper; mapper = hv_table_next(&hv->domains, mapper->domid + 1u)) {
		for (uint32_t handle = 0; handle < mapper->mappings.high; handle++) {
			const struct hv_mapping *mapping = &mapper->mappings.mappings[handle];

			if (mapping->used && mapping->from == domain->domid &&
			    (ref == UINT32_MAX || (!mapping->foreign && mapping->ref == ref)))
				count++;
		}
	}
	return count;
}

static void check_grants(struct hypervisor *hv, const struct hv_domain *domain)
{
	const struct hv_mapping_table *table = &domain->mappings;
	uint32_t used = 0, unused = 0;

	for (uint32_t ref = 0; ref < domain->grants.capacity; ref++)
		assert_int_equal(domain->grants.entries[ref].mappings,
				 count_mappings(hv, domain, ref));
	assert_true(table->high <= table->capacity && table->capacity <= table->limit);
	for (uint32_t handle = 0; handle < table->high; handle++)
		used += table->mappings[handle].used;
	for (uint32_t next = table->free; next; next = table->mappings[next - 1].ref) {
		assert_true(next <= table->high);
		assert_false(table->mappings[next - 1].used);
		unused++;
		assert_true(unused <= table->high);
	}
	assert_int_equal(used, table->count);
	assert_int_equal(used + unused, table->high);
	if (domain->life != HV_ALIVE)
		assert_int_equal(used, 0);
}

static void check_references(struct hypervisor *hv, const struct hv_domain *domain)
{
	const struct hv_domain *other = hv_table_next(&hv->domains, 0);
	uint32_t refs = count_mappings(hv, domain, UINT32_MAX);

	for (; other; other = hv_table_next(&hv->domains, other->domid + 1u))
		refs += other->target == domain;
	if (domain->life < HV_DEAD)
		refs++;
	assert_int_equal(domain->refs, refs);
	assert_int_equal(domain->life == HV_REMOVED, refs == 0);
}

static void check_emulation(struct hypervisor *hv, const struct hv_domain *domain)
{
	const struct hv_domain *served = hv_table_next(&hv->domains, 0);
	uint32_t emulates = 0;

	for (; served; served = hv_table_next(&hv->domains, served->domid + 1u)) {
		for (uint32_t id = 0; served->ioreq && id < HV_IOREQ_SERVERS; id++)
			emulates += served->ioreq[id].used &&
				    served->ioreq[id].emulator == domain->domid;
	}
	assert_int_equal(domain->emulates, emulates);
	assert_true(domain->life == HV_ALIVE || !emulates);
	for (uint32_t i = 0; i < domain->vcpus.count; i++) {
		const struct hv_vcpu *vcpu = &domain->vcpus.vcpus[i];

		assert_true(vcpu->progress <= vcpu->left);
		if (vcpu->emulation)
			assert_true(domain->ioreq[vcpu->emulation - 1].used);
	}
}

/* All these frames are of one type and the domain's. */
static void check_owned(struct hypervisor *hv, const struct hv_domain *domain, uint64_t first,
			uint64_t count, enum hv_frame_type type)
{
	struct hv_frames frames;
	uint64_t position = first;

	while (position < first + count) {
		assert_true(hv_frames_walk(&hv->memory->table, &position, &frames));
		assert_int_equal(frames.owner, domain->domid);
		assert_int_equal(frames.type, type);
	}
}

static void check_domain_memory(struct hypervisor *hv, const struct hv_domain *domain)
{
	assert_int_equal(domain->pages, domain->p2m.frames);
	for (uint32_t i = 0; i < domain->p2m.count; i++)
		check_owned(hv, domain, domain->p2m.extents[i].mfn, domain->p2m.extents[i].count,
			    HV_FRAME_RAM);
	for (uint32_t i = 0; i < domain->special.count; i++)
		check_owned(hv, domain, domain->special.list[i].mfn, domain->special.list[i].count,
			    domain->special.list[i].type);
	for (uint32_t i = 0; i < domain->iommu.count; i++)
		check_owned(hv, domain, domain->iommu.extents[i].mfn,
			    domain->iommu.extents[i].count, HV_FRAME_RAM);
	assert_true(domain->life == HV_ALIVE || !domain->iommu.count);
}

/* What domains have is all that is owned by domains, and mappings are all references. */
static void check_memory(struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	uint64_t owned = 0, references = 0, position = 0;
	struct hv_frames frames;

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		check_domain_memory(hv, domain);
		owned += domain->p2m.frames;
		for (uint32_t i = 0; i < domain->special.count; i++)
			owned += domain->special.list[i].count;
		for (uint32_t i = 0; domain->ioreq && i < HV_IOREQ_SERVERS; i++)
			references += domain->ioreq[i].used;
		references += domain->mappings.count;
		for (uint32_t i = 0; i < domain->mappings.high; i++) {
			const struct hv_mapping *mapping = &domain->mappings.mappings[i];

			if (!mapping->used)
				continue;
			assert_true(hv_frames_find(&hv->memory->table, mapping->frame, &frames));
			assert_int_equal(frames.owner, mapping->from);
			assert_true(frames.references > 0);
		}
	}
	while (hv_frames_walk(&hv->memory->table, &position, &frames)) {
		if (frames.owner < HV_DOMID_FIRST_RESERVED)
			owned -= frames.count;
		references -= frames.count * frames.references;
	}
	assert_int_equal(owned, 0);
	assert_int_equal(references, 0);
	/* The rule of boot memory: nothing that must survive is in it. */
	assert_true(hv_bootmem_check(&hv->memory->bootmem, &hv->memory->table, &frames));
}

static void check_changes(const struct hypervisor *hv)
{
	assert_int_equal(hv->changes.bits != NULL, hv->virqs[HV_VIRQ_DOM_EXC].port != 0);
	if (!hv->changes.bits)
		return;
	for (uint32_t word = 0; word < hv->changes.first_word; word++)
		assert_true(hv->changes.bits[word] == 0);
}

/** Check all that must hold. */
static void check_invariants(struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	unsigned int count = 0, removed = 0;

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		check_ports(hv, domain);
		check_grants(hv, domain);
		check_references(hv, domain);
		check_emulation(hv, domain);
		removed += domain->life == HV_REMOVED;
		count++;
	}
	assert_int_equal(count, hv->domains.count);
	for (domain = hv->domains.removed; domain; domain = domain->next)
		removed--;
	assert_int_equal(removed, 0);
	check_changes(hv);
	if (hv->memory)
		check_memory(hv);
}

static uint64_t digest_bytes(uint64_t digest, const void *data, size_t size)
{
	const unsigned char *bytes = data;

	for (size_t i = 0; i < size; i++)
		digest = (digest ^ bytes[i]) * UINT64_C(0x100000001b3);
	return digest;
}

/** Everything that anybody could notice of a machine, in one number. Spare room is not part of it.
 */
static inline uint64_t digest_machine(const struct hypervisor *hv)
{
	const struct hv_domain *domain = hv_table_next(&hv->domains, 0);
	uint64_t digest = digest_bytes(UINT64_C(0xcbf29ce484222325), &hv->ids.state, 8);

	digest = digest_bytes(digest, hv->virqs, sizeof(hv->virqs));
	digest = digest_bytes(digest, &hv->domains.latest, sizeof(hv->domains.latest));
	if (hv->changes.bits)
		digest = digest_bytes(digest, hv->changes.bits, HV_CHANGED_BYTES);
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		digest = digest_bytes(digest, &domain->domid, sizeof(domain->domid));
		digest = digest_bytes(digest, &domain->unique_id, sizeof(domain->unique_id));
		digest = digest_bytes(digest, &domain->refs, sizeof(domain->refs));
		digest = digest_bytes(digest, &domain->evtchns.bound_virqs, 4);
		digest = digest_bytes(digest, &domain->mappings.count, 4);
		for (uint32_t i = 0; i < domain->evtchns.capacity; i++) {
			if (domain->evtchns.ports[i].state != HV_EVTCHN_CLOSED)
				digest = digest_bytes(digest + i, &domain->evtchns.ports[i],
						      sizeof(domain->evtchns.ports[i]));
		}
		for (uint32_t i = 0; i < domain->grants.capacity; i++) {
			const struct hv_grant *entry = &domain->grants.entries[i];

			if (!entry->granted && !entry->mappings)
				continue;
			digest = digest_bytes(digest + i, &entry->frame, sizeof(entry->frame));
			digest = digest_bytes(digest, &entry->mappings, sizeof(entry->mappings));
			digest = digest_bytes(digest, &entry->to, sizeof(entry->to));
		}
	}
	return digest;
}

#endif
