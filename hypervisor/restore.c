/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The passes, and what becomes of the machine after them.
 */
#include "hypervisor/restore.h"

#include <string.h>

#include "hypervisor/restore-internal.h"

struct hv_restore_domain *hv_restore_find(struct hv_restore *restore, uint32_t domid)
{
	uint32_t number = domid < HV_DOMID_FIRST_RESERVED ? restore->index[domid] : 0;

	return number ? &restore->domains[number - 1] : NULL;
}

const char *hv_restore_no_memory(struct hv_restore *restore)
{
	__atomic_store_n(&restore->no_memory, true, __ATOMIC_RELAXED);
	return "there is not enough memory";
}

void hv_restore_domain(struct hv_restore *restore, enum hv_restore_pass pass, uint32_t index)
{
	struct hv_restore_domain *work = &restore->domains[index];

	if (__atomic_load_n(&restore->no_memory, __ATOMIC_RELAXED))
		return;
	if (pass == HV_PASS_SHARE)
		hv_restore_share(restore, index);
	if (pass == HV_PASS_MATCH)
		hv_restore_match_share(restore, index);
	if (pass == HV_PASS_SHARE || hv_restore_failed(work, pass))
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
	case HV_PASS_SHARE:
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
		const char *reason = NULL;

		if (work->one_sided)
			hv_restore_unbind(restore, work);
		/* Who failed in the last pass still has mappings, which end with it. */
		if (work->orphans && !hv_restore_failed(work, HV_PASS_MATCH))
			reason = hv_restore_adopt(restore, work);
		if (!work->reason[HV_PASS_MATCH])
			work->reason[HV_PASS_MATCH] = reason;
	}
}

/* Can there be a machine at all? Returns 0, or the error with its reason. */
static int hopeless(struct hv_restore *restore)
{
	const struct hv_restore_domain *hardware = hv_restore_find(restore, restore->hardware);

	if (restore->no_memory)
		return give_up(restore, -XEN_ENOMEM, hv_restore_no_memory(restore));
	if (hardware && hv_restore_failed(hardware, HV_RESTORE_PASSES))
		return give_up(restore, -XEN_EINVAL, "the hardware domain cannot be restored");
	return 0;
}

/*
 * First it is settled who stays: one that failed is there again as one that dies, however far it
 * was, and those nobody holds are queued to be freed. Then those that failed let go of what they
 * hold, and others may join the queue.
 */
static void end_lives(struct hv_restore *restore)
{
	for (uint32_t i = 0; i < restore->domain_count; i++) {
		struct hv_domain *domain = restore->domains[i].domain;

		if (hv_restore_failed(&restore->domains[i], HV_RESTORE_PASSES))
			hv_restore_revive(domain);
		else if (domain->life >= HV_DEAD && !domain->refs)
			hv_domain_remove(restore->hv, domain);
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
	int error = hopeless(restore);

	if (error)
		return error;
	settle(restore);
	error = hopeless(restore);
	if (error)
		return error;
	end_lives(restore);
	(void)hv_m2p_adopt(restore->hv, restore->m2p, restore->m2p_count);
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
