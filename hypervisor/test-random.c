/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Anything in any order: random operations by random domains, among them refused
 * allocations. After each the machine must be consistent, a failed one must have
 * done nothing, and a client that polls when it is told must know who lives.
 *
 * The seed is printed; SEED= chooses another, COUNT= makes it so many times as long.
 */
#include "hypervisor/test-invariants.h"
#include "tests/unit/setting.h"

#define DOMAINS 6  /* domids 0 to 5, so that they are reused all the time */
#define SMALL	12 /* ports, entries, handles */

struct world {
	struct machine *machine;
	uint64_t random;
	unsigned long done, failed;
	uint64_t known[DOMAINS]; /* what a client of domain state believes: unique ids */
	unsigned long reused;	 /* how often it found another domain under a known domid */
};

static unsigned int pick(struct world *world, unsigned int below)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (unsigned int)(world->random >> 33) % below;
}

static int life_step(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = &world->machine->hv;
	struct hv_domain_config config = {
		.domid = (uint16_t)domid, .max_port = 9, .max_grants = SMALL, .max_mappings = 9};

	switch (pick(world, 10)) {
	case 0:
	case 1:
	case 2:
		return hv_domain_create(hv, caller, &config, &domid);
	case 3:
		return hv_domain_destroy(hv, caller, domid);
	case 4:
		return hv_domain_kill(hv, caller, domid);
	case 5:
		return hv_domain_shutdown(hv, caller, domid, pick(world, 7));
	case 6:
		return hv_domain_resume(hv, caller, domid);
	case 7:
		return hv_domain_subscribe_suspend(hv, caller, domid, pick(world, SMALL));
	case 8:
		/* Seldom: each ties the life of two domains together. */
		if (pick(world, 4))
			return 0;
		return hv_domain_set_target(hv, caller, domid, pick(world, DOMAINS));
	default:
		hv_reclaim(hv);
		return 0;
	}
}

static int evtchn_step(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = &world->machine->hv;
	uint32_t port = pick(world, SMALL);
	int taken;

	switch (pick(world, 10)) {
	case 0:
	case 1:
		return hv_evtchn_alloc_unbound(hv, caller, domid, pick(world, DOMAINS), &port);
	case 2:
	case 3:
		return hv_evtchn_bind_interdomain(hv, caller, domid, port, &port);
	case 4:
		return hv_evtchn_close(hv, caller, port);
	case 5:
		return hv_evtchn_send(hv, caller, port);
	case 6:
		return hv_evtchn_unmask(hv, caller, port);
	case 7:
		taken = hv_evtchn_take(hv, caller, port);
		return taken < 0 ? taken : 0;
	case 8:
		/* Seldom, or nothing would ever be bound for long. */
		return pick(world, 20) ? 0 : hv_evtchn_reset(hv, caller, domid);
	default:
		if (pick(world, 4) == 0)
			return hv_virq_set_handler(hv, caller, domid, pick(world, 5));
		return hv_evtchn_bind_virq(hv, caller, pick(world, 5), 0, &port);
	}
}

static int grant_step(struct world *world, unsigned int caller, unsigned int domid)
{
	struct hypervisor *hv = &world->machine->hv;
	uint32_t ref = pick(world, SMALL), handle;
	uint64_t frame;

	switch (pick(world, 6)) {
	case 0:
		return hv_grant_access(hv, caller, domid, ref, pick(world, DOMAINS), ref,
				       pick(world, 3) == 0);
	case 1:
		return hv_grant_map(hv, caller, domid, ref, pick(world, 2), &handle, &frame);
	case 2:
	case 3:
		return hv_unmap(hv, caller, ref);
	case 4:
		return hv_foreign_map(hv, caller, domid, ref, &handle);
	default:
		hv_grant_end_access(hv, caller, domid, ref); /* EBUSY is half a success */
		return 0;
	}
}

static int step(struct world *world)
{
	/* Domain 0 is the one that may do most. */
	unsigned int caller = pick(world, 2) ? 0 : pick(world, DOMAINS + 1);
	unsigned int domid = pick(world, DOMAINS + 1);

	switch (pick(world, 5)) {
	case 0:
		return life_step(world, caller, domid);
	case 1:
	case 2:
		return evtchn_step(world, caller, domid);
	default:
		return grant_step(world, caller, domid);
	}
}

/* Ask as the handler of the virq does, and compare with the truth what one then believes. */
static void poll_changes(struct world *world)
{
	struct hypervisor *hv = &world->machine->hv;
	struct hv_get_domain_state op;

	if (!hv->changes.bits || hv_virq_handler(hv, HV_VIRQ_DOM_EXC) != hv->hardware)
		return;
	for (;;) {
		memset(&op, 0, sizeof(op));
		op.domain = HV_DOMID_INVALID;
		if (hv_get_domain_state(hv, 0, &op) != 0)
			break;
		assert_true(op.domain < DOMAINS + 1);
		if (op.domain >= DOMAINS)
			continue;
		if (world->known[op.domain] && op.unique_id &&
		    world->known[op.domain] != op.unique_id)
			world->reused++;
		world->known[op.domain] = op.unique_id;
	}
	for (unsigned int domid = 0; domid < DOMAINS; domid++) {
		const struct hv_domain *domain = hv_domain_find(hv, domid);

		assert_true(world->known[domid] == (domain ? domain->unique_id : 0));
	}
}

static void test_random(void **state)
{
	unsigned long count = 50000 * setting("COUNT", 1);
	struct world world = {.machine = machine_new(), .random = setting("SEED", 20240229)};
	struct machine *machine = world.machine;

	(void)state;
	print_message("seed %llu, %lu operations\n", (unsigned long long)world.random, count);
	while (world.done < count) {
		uint64_t before = digest_machine(&machine->hv);
		bool was_bound = machine->hv.changes.bits;
		int error;

		machine_refuse(machine, pick(&world, 10) ? 0 : 1);
		error = step(&world);
		world.done++;
		if (error) {
			world.failed++;
			assert_true(digest_machine(&machine->hv) == before);
		}
		if (error == -XEN_ENOMEM)
			assert_true(machine->refuse && machine->asked >= machine->refuse);
		check_invariants(&machine->hv);
		/* Who binds anew learns who lives, and must forget those it does not hear of. */
		if (!was_bound && machine->hv.changes.bits)
			memset(world.known, 0, sizeof(world.known));
		if (pick(&world, 256) == 0)
			poll_changes(&world);
	}
	print_message("%lu failed, %u domains freed, %lu domids seen reused\n", world.failed,
		      machine->freed, world.reused);
	/* Else it was a test of errors only. */
	assert_true(world.failed < world.done * 9 / 10);
	assert_true(world.reused > 0);
	assert_true(machine->freed > 100);
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
