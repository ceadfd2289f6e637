/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The record of changed domains, and the operation that reads it. The lowest
 * changed domid is found by walking words of 64 domids from the first that may
 * have a bit, so that draining all of them walks the record once.
 */
#include "hypervisor/domain-state.h"

#include "hypervisor/hypervisor.h"

_Static_assert(HV_CHANGED_BYTES * 8 >= HV_DOMID_FIRST_RESERVED, "a bit for each domid");

int hv_changes_start(struct hypervisor *hv)
{
	const struct hv_domain *domain;

	hv->changes.bits = hv_allocate(&hv->allocator, HV_CHANGED_BYTES);
	if (!hv->changes.bits)
		return -XEN_ENOMEM;
	hv->changes.first_word = 0;
	/*
	 * Removed ones too: the virq of their last step is still to come, and whoever asks then
	 * should find something.
	 */
	domain = hv_table_next(&hv->domains, 0);
	while (domain) {
		hv_changes_add(hv, domain);
		domain = hv_table_next(&hv->domains, domain->domid + 1u);
	}
	return 0;
}

void hv_changes_stop(struct hypervisor *hv)
{
	hv_release(&hv->allocator, hv->changes.bits, HV_CHANGED_BYTES);
	hv->changes.bits = NULL;
}

void hv_changes_add(struct hypervisor *hv, const struct hv_domain *domain)
{
	uint32_t word = domain->domid / 64u;

	if (!hv->changes.bits)
		return;
	hv->changes.bits[word] |= UINT64_C(1) << domain->domid % 64;
	if (word < hv->changes.first_word)
		hv->changes.first_word = word;
}

/* May @caller know about @domain? NULL: about domains at all. */
static bool may_know(struct hypervisor *hv, unsigned int caller, const struct hv_domain *domain)
{
	const struct hv_domain *self = hv_domain_find(hv, caller);

	if (!hv_is_control(hv, caller) && !(self && self->caps & HV_CAP_XENSTORE) &&
	    !(domain && self && self->target == domain))
		return false;
	return !domain || !hv->callbacks.hides ||
	       !hv->callbacks.hides(hv->callbacks.data, caller, domain->domid);
}

/* Take the lowest changed domid that @caller may know of. Returns false when there is none. */
static bool take_changed(struct hypervisor *hv, unsigned int caller, unsigned int *domid)
{
	struct hv_domain_changes *changes = &hv->changes;

	if (!changes->bits)
		return false;
	for (uint32_t word = changes->first_word; word < HV_CHANGED_WORDS; word++) {
		uint64_t left = changes->bits[word];

		if (!left && word == changes->first_word)
			changes->first_word++;
		while (left) {
			unsigned int bit = (unsigned int)__builtin_ctzll(left);
			const struct hv_domain *domain = hv_domain_find(hv, word * 64 + bit);

			left &= left - 1;
			if (domain && !may_know(hv, caller, domain))
				continue;
			changes->bits[word] &= ~(UINT64_C(1) << bit);
			*domid = word * 64 + bit;
			return true;
		}
	}
	return false;
}

static unsigned int state_bits(const struct hv_domain *domain)
{
	unsigned int state = HV_STATE_EXIST;

	if (domain->shut_down)
		state |= HV_STATE_SHUTDOWN;
	if (domain->life == HV_DYING)
		state |= HV_STATE_DYING;
	if (domain->life == HV_DEAD)
		state |= HV_STATE_DEAD;
	return state;
}

/* The answer about @domain; all 0 without one. */
static void answer(struct hv_get_domain_state *op, const struct hv_domain *domain)
{
	op->state = domain ? (uint16_t)state_bits(domain) : 0;
	op->caps = domain ? domain->caps : 0;
	op->unique_id = domain ? domain->unique_id : 0;
}

int hv_get_domain_state(struct hypervisor *hv, unsigned int caller, struct hv_get_domain_state *op)
{
	const struct hv_domain *domain = NULL, *handler;
	unsigned int changed;

	if (op->interface_version != 0)
		return -XEN_EACCES;
	if (op->domain != HV_DOMID_INVALID) {
		domain = hv_domain_find(hv, op->domain);
		if (!domain)
			return hv_is_control(hv, caller) ? -XEN_ESRCH : -XEN_EPERM;
	}
	if (!may_know(hv, caller, domain))
		return -XEN_EPERM;
	if (op->pad0 != 0)
		return -XEN_EINVAL;
	if (domain) {
		answer(op, domain);
		return 0;
	}

	handler = hv_virq_handler(hv, HV_VIRQ_DOM_EXC);
	if (!handler || handler->domid != caller)
		return -XEN_EACCES;
	if (!take_changed(hv, caller, &changed))
		return -XEN_ENOENT;
	op->domain = (uint16_t)changed;
	answer(op, hv_domain_find(hv, changed));
	return 0;
}
