/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The order in which domains are stopped, and the stopping.
 *
 * An HVM guest must be stopped before those that emulate for it. Levels are found
 * by peeling: first, again and again, the guests that serve nobody who is not
 * placed; then, from the other end, those whom nobody serves who is not placed.
 * What is left between the two are circles (and what lies between circles).
 */
#include "hypervisor/quiesce.h"

#include <stddef.h>
#include <string.h>

#include "hypervisor/hypervisor.h"

#define DOMIDS	   (HV_TABLE_LEAF * HV_TABLE_LEAVES)
#define BITMAP	   (DOMIDS / 8)
#define BIT(domid) (uint8_t)(1u << ((domid) % 8u))

bool hv_domain_runs(const struct hv_domain *domain)
{
	return domain->life == HV_ALIVE && !domain->pause_count && !domain->shut_down &&
	       domain->stop != HV_STOPPED;
}

/* Sets of domids, and the order that is being made. */
struct plan {
	struct hypervisor *hv;
	struct hv_quiesce *quiesce;
	uint8_t left[BITMAP];	 /* guests that are not placed */
	uint8_t waiting[BITMAP]; /* those of them who wait for another, in the present round */
	uint32_t begin, end;	 /* the part of the order that is not filled */
	uint16_t level;
};

static bool is_left(const struct plan *plan, const struct hv_domain *domain)
{
	return domain && plan->left[domain->domid / 8] & BIT(domain->domid);
}

/* Of the guests that are left: the next from @domid on. */
static struct hv_domain *next_left(const struct plan *plan, unsigned int domid)
{
	struct hv_domain *domain = hv_domain_next(plan->hv, domid);

	while (domain && !is_left(plan, domain))
		domain = hv_domain_next(plan->hv, domain->domid + 1u);
	return domain;
}

/*
 * @emulator serves @served, and both are left: the one has to wait for the other to be placed,
 * the emulator when the order is filled from its beginning, the served one from its end.
 */
static void note_wait(struct plan *plan, const struct hv_domain *served,
		      const struct hv_domain *emulator, bool from_end)
{
	const struct hv_domain *waits = from_end ? served : emulator;

	if (is_left(plan, served) && is_left(plan, emulator))
		plan->waiting[waits->domid / 8] |= BIT(waits->domid);
}

static void find_waiting(struct plan *plan, bool from_end)
{
	const struct hv_domain *domain = next_left(plan, 0);

	memset(plan->waiting, 0, sizeof(plan->waiting));
	for (; domain; domain = next_left(plan, domain->domid + 1u)) {
		if (domain->target)
			note_wait(plan, domain->target, domain, from_end);
		for (uint32_t id = 0; domain->ioreq && id < HV_IOREQ_SERVERS; id++) {
			if (domain->ioreq[id].used)
				note_wait(plan, domain,
					  hv_domain_find(plan->hv, domain->ioreq[id].emulator),
					  from_end);
		}
	}
}

static void place(struct plan *plan, const struct hv_domain *domain, bool from_end)
{
	uint32_t index = from_end ? --plan->end : plan->begin++;

	plan->quiesce->order[index] = (struct hv_quiesce_entry){domain->domid, plan->level};
	plan->left[domain->domid / 8] &= (uint8_t)~BIT(domain->domid);
}

/* Place those who wait for nobody. Levels from the end count down. Returns whether there was one.
 */
static bool place_round(struct plan *plan, bool from_end)
{
	uint32_t before = plan->end - plan->begin;
	const struct hv_domain *domain;

	find_waiting(plan, from_end);
	for (domain = next_left(plan, 0); domain; domain = next_left(plan, domain->domid + 1u)) {
		if (!(plan->waiting[domain->domid / 8] & BIT(domain->domid)))
			place(plan, domain, from_end);
	}
	plan->level = (uint16_t)(from_end ? plan->level - 1 : plan->level + 1);
	return plan->end - plan->begin < before;
}

static void make_order(struct plan *plan)
{
	const struct hv_domain *domain;
	uint16_t circle;

	while (place_round(plan, false))
		;
	circle = plan->level;
	plan->level = HV_NO_LEVEL - 1;
	while (place_round(plan, true))
		;
	plan->level = circle;
	plan->quiesce->circle = plan->begin < plan->end ? circle : HV_NO_LEVEL;
	while ((domain = next_left(plan, 0)))
		place(plan, domain, false);
}

/* Never 0: there is an array even for nobody. */
static size_t order_size(const struct hv_quiesce *quiesce)
{
	return (quiesce->count + 1u) * sizeof(*quiesce->order);
}

int hv_quiesce_begin(struct hypervisor *hv, struct hv_quiesce *quiesce, uint64_t deadline)
{
	struct plan *plan = hv_allocate(&hv->allocator, sizeof(*plan));
	struct hv_domain *domain;

	memset(quiesce, 0, sizeof(*quiesce));
	quiesce->deadline = deadline;
	quiesce->awaited = HV_DOMID_INVALID;
	if (!plan)
		return -XEN_ENOMEM;
	plan->hv = hv;
	plan->quiesce = quiesce;
	for (domain = hv_domain_next(hv, 0); domain;
	     domain = hv_domain_next(hv, domain->domid + 1u)) {
		if (domain->hvm && domain->life == HV_ALIVE) {
			plan->left[domain->domid / 8] |= BIT(domain->domid);
			quiesce->count++;
		}
	}
	quiesce->order = hv_allocate(&hv->allocator, order_size(quiesce));
	if (quiesce->order) {
		plan->end = quiesce->count;
		make_order(plan);
		hv->stopping = true;
	}
	hv_release(&hv->allocator, plan, sizeof(*plan));
	return quiesce->order ? 0 : -XEN_ENOMEM;
}

/* Ask the guest to stop. Returns whether it stands at a boundary now. */
static bool ask(struct hv_quiesce *quiesce, struct hv_domain *domain)
{
	if (domain->stop == HV_STOP_NOT)
		domain->stop = HV_STOP_ASKED;
	if (hv_vcpus_leave(domain))
		return true;
	quiesce->awaited = domain->domid;
	return false;
}

/* Stop who can be stopped of the present level. Returns whether that is all of it. */
static bool stop_level(struct hypervisor *hv, struct hv_quiesce *quiesce)
{
	uint16_t level = quiesce->order[quiesce->next].level;
	uint32_t end = quiesce->next;
	bool all = true;

	for (; end < quiesce->count && quiesce->order[end].level == level; end++) {
		struct hv_domain *domain = hv_domain_find(hv, quiesce->order[end].domid);

		if (domain && !ask(quiesce, domain))
			all = false;
		else if (domain && level != quiesce->circle)
			domain->stop = HV_STOPPED;
	}
	for (; all && quiesce->next < end; quiesce->next++) {
		struct hv_domain *domain = hv_domain_find(hv, quiesce->order[quiesce->next].domid);

		if (domain)
			domain->stop = HV_STOPPED;
	}
	return all;
}

/* Stop everybody else. Who is no HVM guest never has to be waited for. */
static bool stop_rest(struct hypervisor *hv, struct hv_quiesce *quiesce)
{
	struct hv_domain *domain = hv_table_next(&hv->domains, 0);

	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		if (domain->hvm && domain->stop != HV_STOPPED && !ask(quiesce, domain))
			return false;
	}
	domain = hv_table_next(&hv->domains, 0);
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u)) {
		if (domain == hv->hardware || domain->stop == HV_STOPPED)
			continue;
		(void)hv_vcpus_leave(domain);
		domain->stop = HV_STOPPED;
	}
	if (hv->hardware) {
		(void)hv_vcpus_leave(hv->hardware);
		hv->hardware->stop = HV_STOPPED;
	}
	return true;
}

int hv_quiesce_step(struct hypervisor *hv, struct hv_quiesce *quiesce, uint64_t now)
{
	bool all = true;

	while (all && quiesce->next < quiesce->count)
		all = stop_level(hv, quiesce);
	if (all)
		all = stop_rest(hv, quiesce);
	if (all)
		return 0;
	if (now < quiesce->deadline)
		return -XEN_EAGAIN;
	hv_quiesce_undo(hv, quiesce);
	return -XEN_ETIMEDOUT;
}

void hv_quiesce_undo(struct hypervisor *hv, struct hv_quiesce *quiesce)
{
	struct hv_domain *domain = hv_table_next(&hv->domains, 0);

	if (!quiesce->order)
		return;
	for (; domain; domain = hv_table_next(&hv->domains, domain->domid + 1u))
		domain->stop = HV_STOP_NOT;
	hv_release(&hv->allocator, quiesce->order, order_size(quiesce));
	quiesce->order = NULL;
	hv->stopping = false;
}
