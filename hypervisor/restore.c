/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The machine as a whole: before the passes, what the stream says of it; after
 * them, what becomes of it.
 */
#include "hypervisor/restore.h"

#include <string.h>

#include "hypervisor/restore-internal.h"

struct hv_restore_domain *hv_restore_find(struct hv_restore *restore, uint32_t domid)
{
	uint32_t number = domid < HV_DOMID_FIRST_RESERVED ? restore->index[domid] : 0;

	return number ? &restore->domains[number - 1] : NULL;
}

/* All that hv_restore_begin() reads before it makes anything. */
struct machine_records {
	struct hv_stream_header header;
	struct hv_read_record records[HV_RECORD_DOMAIN];
	struct hv_reader sections;
};

static const struct hv_read_record *record_of(const struct machine_records *machine,
					      enum hv_record_type type)
{
	return &machine->records[type];
}

/* Read the machine's records, up to the first section or the end. */
static const char *read_machine(const void *stream, size_t size, struct machine_records *machine,
				bool *unsupported)
{
	const char *reason = hv_read_header(stream, size, &machine->header, &machine->sections,
					    unsupported);
	const uint8_t *begin = machine->sections.at;
	struct hv_reader *reader = &machine->sections;
	struct hv_read_record record;
	uint32_t latest = 0;
	uint64_t checksum;

	if (reason)
		return reason;
	*unsupported = (HV_STREAM_REQUIRED & ~machine->header.types) != 0;
	if (*unsupported)
		return "the stream lacks records that are required";
	for (;;) {
		struct hv_reader ahead = *reader;

		reason = hv_read_record(&ahead, &record);
		if (reason)
			return reason;
		if (record.type == HV_RECORD_DOMAIN || record.type == HV_RECORD_END)
			break;
		*reader = ahead;
		if (!hv_record_name(record.type))
			continue;
		if (record.type <= latest || record.type > HV_RECORD_DOMAIN)
			return "the machine's records are not in order";
		latest = record.type;
		machine->records[latest] = record;
	}
	checksum = hv_read_checksum(0, stream, offsetof(struct hv_stream_header, size));
	checksum = hv_read_checksum(checksum, begin, (uint64_t)(reader->at - begin));
	checksum = hv_checksum(checksum, machine->header.size);
	return checksum == machine->header.checksum ? NULL : "the machine's records have changed";
}

/* Find the sections. */
static const char *find_sections(struct hv_restore *restore, struct machine_records *machine)
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

/* More boot memory: free, and to be kept free of what must survive. */
static const char *restore_regions(struct hv_restore *restore, const struct hv_read_record *record,
				   int *error)
{
	const struct hv_stream_region *regions = record->data;
	struct hv_memory *memory = restore->hv->memory;

	if (record->count && !memory)
		return "there are regions without memory";
	for (uint64_t i = 0; i < record->count; i++) {
		struct hv_bootmem *bootmem = &memory->bootmem;

		if (bootmem->region_count == HV_BOOTMEM_REGIONS)
			return "there are too many regions";
		*error = hv_frames_change(&memory->table, regions[i].first, regions[i].count,
					  HV_DOMID_INVALID, HV_FRAME_FREE, HV_FRAME_BOOTMEM);
		if (*error)
			return "a region is not free";
		bootmem->regions[bootmem->region_count++] = (struct hv_frame_span){
			regions[i].first, regions[i].count};
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

static const char *begin(struct hv_restore *restore, struct machine_records *machine, int *error)
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
		reason = fixed->count == 1 ? restore_machine(restore, fixed->data)
					   : "the machine's record is missing";
	if (!reason)
		reason = restore_virqs(restore, record_of(machine, HV_RECORD_VIRQS));
	if (!reason)
		reason = restore_regions(restore, record_of(machine, HV_RECORD_REGIONS), error);
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
	struct machine_records machine;
	bool unsupported;
	int error = 0;

	memset(restore, 0, sizeof(*restore));
	memset(&machine, 0, sizeof(machine));
	restore->hv = hv;
	restore->allocator = config->allocator;
	hv_init(hv, config);
	restore->reason = read_machine(stream, size, &machine, &unsupported);
	if (restore->reason)
		return unsupported ? -XEN_EOPNOTSUPP : -XEN_EINVAL;
	restore->version = machine.header.version;
	if (machine.header.domains >= HV_DOMID_FIRST_RESERVED ||
	    record_of(&machine, HV_RECORD_DOMAINS)->count != machine.header.domains) {
		restore->reason = "the list of domains is wrong";
		return -XEN_EINVAL;
	}
	restore->domain_count = machine.header.domains;
	restore->reason = begin(restore, &machine, &error);
	if (!restore->reason)
		return 0;
	hv_deinit(hv);
	hv_restore_end(restore);
	return error == -XEN_ENOMEM ? error : -XEN_EINVAL;
}

void hv_restore_domain(struct hv_restore *restore, enum hv_restore_pass pass, uint32_t index)
{
	struct hv_restore_domain *work = &restore->domains[index];

	if (work->error || hv_restore_failed(work, pass))
		return;
	switch (pass) {
	case HV_PASS_CREATE:
		work->reason[pass] = hv_restore_create(restore, work);
		break;
	case HV_PASS_PAGES:
		work->reason[pass] = hv_restore_pages(restore, work);
		break;
	case HV_PASS_REST:
		work->reason[pass] = hv_restore_rest(restore, work);
		break;
	case HV_PASS_MATCH:
		work->reason[pass] = hv_restore_match(restore, work);
		break;
	case HV_RESTORE_PASSES:
		break;
	}
}

void hv_restore_all(struct hv_restore *restore)
{
	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		for (uint32_t i = 0; i < restore->domain_count; i++)
			hv_restore_domain(restore, (enum hv_restore_pass)pass, i);
	}
}

/* Give up the machine made so far. */
static int give_up(struct hv_restore *restore, int error, const char *reason)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		if (!restore->domains[i].domain)
			hv_table_cancel(restore->hv, restore->domains[i].domid);
	}
	hv_deinit(restore->hv);
	restore->reason = reason;
	return error;
}

/* What the two sides of a fact did not agree in. */
static void settle(struct hv_restore *restore)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		struct hv_restore_domain *work = &restore->domains[i];

		if (work->one_sided)
			hv_restore_unbind(restore, work);
		if (work->orphans && !hv_restore_failed(work, HV_RESTORE_PASSES))
			work->reason[HV_PASS_MATCH] = hv_restore_adopt(restore, work);
	}
}

/* Can there be a machine at all? Returns NULL or why not. */
static const char *hopeless(const struct hv_restore *restore, int *error)
{
	*error = -XEN_ENOMEM;
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		const struct hv_restore_domain *work = &restore->domains[i];

		if (work->error)
			return "there is not enough memory";
		if (work->domid == restore->hardware &&
		    hv_restore_failed(work, HV_RESTORE_PASSES)) {
			*error = -XEN_EINVAL;
			return "the hardware domain cannot be restored";
		}
	}
	return NULL;
}

/* First those nobody holds are queued to be freed; then, as some end, others may join them. */
static void end_lives(struct hv_restore *restore)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		const struct hv_restore_domain *work = &restore->domains[i];

		if (work->domain->life >= HV_DEAD && !work->domain->refs &&
		    !hv_restore_failed(work, HV_RESTORE_PASSES))
			hv_domain_remove(restore->hv, work->domain);
	}
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		if (!hv_restore_failed(&restore->domains[i], HV_RESTORE_PASSES))
			continue;
		hv_restore_bury(restore, &restore->domains[i]);
		restore->failed++;
	}
}

/*
 * What had changed and was not asked for stays changed, and so does everybody who is there, since
 * whoever watches domains cannot know what this hypervisor made of them.
 */
static void tell_of_changes(struct hv_restore *restore)
{
	struct hypervisor *hv = restore->hv;

	if (!hv->virqs[HV_VIRQ_DOM_EXC].port)
		hv_changes_stop(hv);
	for (uint32_t i = 0; i < restore->domain_count; i++)
		hv_changes_add(hv, restore->domains[i].domain);
	hv_virq_raise(hv, HV_VIRQ_DOM_EXC);
}

/* An upcall that was made and not acted upon is lost with the hypervisor that made it. */
static void repeat_upcalls(struct hv_restore *restore)
{
	const struct hv_callbacks *callbacks = &restore->hv->callbacks;

	for (uint32_t i = 0; i < restore->domain_count; i++) {
		const struct hv_evtchn_table *table = &restore->domains[i].domain->evtchns;

		for (uint32_t port = 1; restore->domains[i].pending && port < table->capacity;
		     port++) {
			if (table->ports[port].pending && !table->ports[port].masked)
				callbacks->upcall(callbacks->data, restore->domains[i].domid, port);
		}
	}
}

int hv_restore_finish(struct hv_restore *restore)
{
	const char *reason;
	int error;

	reason = hopeless(restore, &error);
	if (!reason) {
		settle(restore);
		reason = hopeless(restore, &error);
	}
	if (reason)
		return give_up(restore, error, reason);
	end_lives(restore);
	repeat_upcalls(restore);
	tell_of_changes(restore);
	for (uint32_t i = 0; i < restore->domain_count; i++)
		restore->domains[i].domain->stop = HV_STOP_NOT;
	return 0;
}

const char *hv_restore_verdict(const struct hv_restore *restore, uint32_t index,
			       unsigned int *domid)
{
	const struct hv_restore_domain *work = &restore->domains[index];

	*domid = work->domid;
	for (unsigned int pass = 0; pass < HV_RESTORE_PASSES; pass++) {
		if (work->reason[pass])
			return work->reason[pass];
	}
	return NULL;
}

void hv_restore_end(struct hv_restore *restore)
{
	hv_release(&restore->allocator, restore->domains,
		   (restore->domain_count + 1u) * sizeof(*restore->domains));
	hv_release(&restore->allocator, restore->index,
		   HV_DOMID_FIRST_RESERVED * sizeof(*restore->index));
	restore->domains = NULL;
	restore->index = NULL;
}
