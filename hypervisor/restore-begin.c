/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a restore: the records about the machine, and where the sections
 * of the domains are.
 */
#include "hypervisor/restore-internal.h"
#include "hypervisor/stream-machine.h"

#include <string.h>

static const struct hv_read_record *record_of(const struct hv_machine_records *machine,
					      enum hv_record_type type)
{
	return &machine->records[type];
}

/* Find the sections. */
static const char *find_sections(struct hv_restore *restore, struct hv_machine_records *machine)
{
	const struct hv_stream_identity *identities = record_of(machine, HV_RECORD_DOMAINS)->data;
	struct hv_reader *reader = &machine->sections;
	struct hv_read_record record;
	const char *reason;
	uint32_t last = 0;

	for (uint32_t i = 0; i < restore->domain_count; i++) {
		struct hv_restore_domain *work = &restore->domains[i];
		const struct hv_stream_domain *section;

		if (identities[i].domid >= HV_DOMID_FIRST_RESERVED ||
		    (i && identities[i].domid <= last) || !identities[i].unique_id ||
		    identities[i].reserved)
			return "the list of domains is wrong";
		last = identities[i].domid;
		work->domid = (uint16_t)last;
		work->unique_id = identities[i].unique_id;
		restore->index[last] = (uint16_t)(i + 1);

		reason = hv_read_record(reader, &record);
		if (reason)
			return reason;
		if (record.type != HV_RECORD_DOMAIN || record.count != 1)
			return "a domain's section is missing";
		section = record.data;
		if (section->size % 8 || section->size > reader->left)
			return "a domain's section has a wrong size";
		work->section = record.data;
		work->size = sizeof(*section) + section->size;
		reader->at += section->size;
		reader->left -= section->size;
	}
	reason = hv_read_record(reader, &record);
	if (reason)
		return reason;
	return record.type == HV_RECORD_END && !record.count && !reader->left
		       ? NULL
		       : "something follows the last domain";
}

/* Twice as many as there are domids, and a power of 2. */
#define ID_SLOTS 65536u

/* Does no domain have the unique id of another one? For whoever watches they would be the same. */
static bool ids_differ(const struct hv_restore *restore, uint16_t *slots)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		const uint64_t id = restore->domains[i].unique_id;
		uint32_t at = (uint32_t)(hv_checksum(0, id) % ID_SLOTS);

		for (; slots[at]; at = (at + 1) % ID_SLOTS) {
			if (restore->domains[slots[at] - 1].unique_id == id)
				return false;
		}
		slots[at] = (uint16_t)(i + 1);
	}
	return true;
}

static const char *check_ids(struct hv_restore *restore, int *error)
{
	uint16_t *slots = hv_allocate(&restore->allocator, ID_SLOTS * sizeof(*slots));
	bool differ;

	if (!slots) {
		*error = -XEN_ENOMEM;
		return "there is not enough memory";
	}
	differ = ids_differ(restore, slots);
	hv_release(&restore->allocator, slots, ID_SLOTS * sizeof(*slots));
	return differ ? NULL : "two domains have the same unique id";
}

/* The generator of ids and what else is said once. */
static const char *restore_machine(struct hv_restore *restore,
				   const struct hv_stream_machine *machine)
{
	struct hypervisor *hv = restore->hv;
	const struct hv_id_kind *kind;

	if (machine->ids[sizeof(machine->ids) - 1])
		return "the kind of unique ids is not known";
	kind = hv_id_kind_by_name(machine->ids);
	if (!kind || (kind == &hv_id_random && !machine->id_state))
		return "the kind of unique ids is not known";
	hv->ids.kind = kind;
	hv->ids.state = machine->id_state;
	if (machine->latest >= HV_DOMID_FIRST_RESERVED)
		return "the latest domid is none";
	hv->domains.latest = (uint16_t)machine->latest;
	if (machine->hardware != HV_DOMID_INVALID && !hv_restore_find(restore, machine->hardware))
		return "there is no hardware domain";
	restore->hardware = machine->hardware;
	if (machine->frames != (hv->memory ? hv->memory->table.frames : 0))
		return "the machine has a different amount of memory";
	return NULL;
}

static const char *restore_virqs(struct hv_restore *restore, const struct hv_read_record *record)
{
	const struct hv_stream_virq *virqs = record->data;

	for (uint32_t virq = 0; virq < HV_VIRQ_COUNT; virq++)
		restore->virq_handlers[virq] = HV_DOMID_INVALID;
	for (uint64_t i = 0; i < record->count; i++) {
		if (!hv_virq_is_global(virqs[i].virq) ||
		    (i && virqs[i].virq <= virqs[i - 1].virq) ||
		    !hv_restore_find(restore, virqs[i].handler))
			return "the handler of a virq is wrong";
		restore->virq_handlers[virqs[i].virq] = (uint16_t)virqs[i].handler;
	}
	return NULL;
}

static const char *restore_changed(struct hv_restore *restore, const struct hv_read_record *record,
				   int *error)
{
	struct hv_domain_changes *changes = &restore->hv->changes;

	if (!record->count)
		return NULL;
	if (record->count > 1)
		return "the bitmap of changed domids is too long";
	changes->bits = hv_allocate(&restore->allocator, HV_CHANGED_BYTES);
	if (!changes->bits) {
		*error = -XEN_ENOMEM;
		return "there is not enough memory";
	}
	memcpy(changes->bits, record->data, HV_CHANGED_BYTES);
	changes->first_word = 0;
	/* Bits that stand for no domid would be reported as such. */
	for (uint32_t domid = HV_DOMID_FIRST_RESERVED; domid < HV_CHANGED_BYTES * 8; domid++)
		changes->bits[domid / 64] &= ~(UINT64_C(1) << domid % 64);
	return NULL;
}

/* All domids are taken, so that the passes need no more room in the table. */
static int reserve_domids(struct hv_restore *restore)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		int error = hv_table_reserve(restore->hv, restore->domains[i].domid);

		if (!error)
			continue;
		while (i--)
			hv_table_cancel(restore->hv, restore->domains[i].domid);
		return error;
	}
	return 0;
}

static const char *begin(struct hv_restore *restore, struct hv_machine_records *machine, int *error)
{
	const struct hv_read_record *fixed = record_of(machine, HV_RECORD_MACHINE);
	const char *reason;

	restore->domains = hv_allocate(&restore->allocator,
				       (restore->domain_count + 1u) * sizeof(*restore->domains));
	restore->index = hv_allocate(&restore->allocator,
				     HV_DOMID_FIRST_RESERVED * sizeof(*restore->index));
	*error = -XEN_ENOMEM;
	if (!restore->domains || !restore->index)
		return "there is not enough memory";
	*error = -XEN_EINVAL;
	reason = find_sections(restore, machine);
	if (!reason)
		reason = check_ids(restore, error);
	if (!reason)
		reason = fixed->count == 1 ? restore_machine(restore, fixed->data)
					   : "the machine's record is missing";
	if (!reason)
		reason = restore_virqs(restore, record_of(machine, HV_RECORD_VIRQS));
	if (!reason)
		reason = restore_changed(restore, record_of(machine, HV_RECORD_CHANGED), error);
	if (reason)
		return reason;
	*error = reserve_domids(restore);
	return *error ? "there is not enough memory" : NULL;
}

int hv_restore_begin(struct hv_restore *restore, struct hypervisor *hv,
		     const struct hv_config *config, const void *stream, size_t size)
{
	struct hv_machine_records machine;
	bool unsupported;
	int error = 0;

	memset(restore, 0, sizeof(*restore));
	restore->hv = hv;
	restore->allocator = config->allocator;
	hv_init(hv, config);
	restore->reason = hv_read_machine(stream, size, &machine, &unsupported);
	if (restore->reason)
		return unsupported ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
	restore->version = machine.header.version;
	if (machine.header.domains > HV_DOMID_FIRST_RESERVED ||
	    record_of(&machine, HV_RECORD_DOMAINS)->count != machine.header.domains) {
		restore->reason = "the list of domains is wrong";
		return -XEN_EINVAL;
	}
	restore->domain_count = machine.header.domains;
	restore->m2p = record_of(&machine, HV_RECORD_M2P)->data;
	restore->m2p_count = record_of(&machine, HV_RECORD_M2P)->count;
	restore->reason = begin(restore, &machine, &error);
	if (!restore->reason)
		return 0;
	hv_deinit(hv);
	hv_restore_end(restore);
	return error == -XEN_ENOMEM ? error : -XEN_EINVAL;
}
