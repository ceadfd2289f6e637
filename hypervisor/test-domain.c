/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Domains: creation, life, end, and what keeps them from being gone. */
#include "hypervisor/test-machine.h"

static struct hv_domain *find(struct machine *machine, unsigned int domid)
{
	struct hv_domain *domain = hv_domain_find(&machine->hv, domid);

	assert_non_null(domain);
	return domain;
}

static void test_create(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	unsigned int first = machine_create(machine, HV_DOMID_ANY);
	unsigned int second = machine_create(machine, HV_DOMID_ANY);

	(void)state;
	assert_int_equal(first, 1);
	assert_int_equal(second, 2);
	assert_int_equal(machine_create(machine, 0x7fef), 0x7fef);
	assert_int_equal(find(machine, first)->pause_count, 1);
	assert_int_equal(find(machine, first)->life, HV_ALIVE);
	assert_true(find(machine, first)->unique_id != find(machine, second)->unique_id);
	assert_ptr_equal(hv_domain_next(hv, 0), find(machine, 0));
	assert_ptr_equal(hv_domain_next(hv, 2), find(machine, 2));
	assert_ptr_equal(hv_domain_next(hv, 3), find(machine, 0x7fef));
	assert_null(hv_domain_next(hv, 0x7ff0));
	assert_null(hv_domain_find(hv, 3));
	assert_null(hv_domain_find(hv, HV_DOMID_INVALID));
	assert_null(hv_domain_find(hv, 0xffff));
	machine_free(machine);
}

static int create(struct machine *machine, unsigned int caller, unsigned int domid,
		  unsigned int caps)
{
	struct hv_domain_config config = {.domid = (uint16_t)domid, .caps = (uint16_t)caps};

	return hv_domain_create(&machine->hv, caller, &config, &domid);
}

static void test_create_errors(void **state)
{
	struct machine *machine = machine_new();

	(void)state;
	machine_create(machine, 5);
	assert_int_equal(create(machine, 5, 6, 0), -XEN_EPERM);
	assert_int_equal(create(machine, 99, 6, 0), -XEN_EPERM);
	assert_int_equal(create(machine, 0, 5, 0), -XEN_EEXIST);
	assert_int_equal(create(machine, 0, 0, 0), -XEN_EEXIST);
	assert_int_equal(create(machine, 0, 0x7ff0, 0), -XEN_EINVAL);
	assert_int_equal(create(machine, 0, 0xffff, 0), -XEN_EINVAL);
	assert_int_equal(create(machine, 0, 6, HV_CAP_CONTROL), -XEN_EINVAL);
	assert_int_equal(create(machine, 0, 6, HV_CAP_HARDWARE), -XEN_EINVAL);
	assert_int_equal(create(machine, HV_DOMID_XEN, 6, HV_CAP_HARDWARE), -XEN_EINVAL);
	assert_null(hv_domain_find(&machine->hv, 6));
	assert_int_equal(create(machine, 0, 6, HV_CAP_XENSTORE), 0);
	assert_int_equal(create(machine, HV_DOMID_XEN, 7, HV_CAP_CONTROL), 0);
	assert_int_equal(create(machine, 7, 8, 0), 0);
	machine_free(machine);
}

static void test_pause(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	assert_int_equal(hv_domain_unpause(hv, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_domain_unpause(hv, 0, 3), -XEN_ESRCH);
	assert_int_equal(hv_domain_unpause(hv, 0, 1), 0);
	assert_int_equal(hv_domain_unpause(hv, 0, 1), -XEN_EINVAL);
	for (int i = 0; i < 255; i++)
		assert_int_equal(hv_domain_pause(hv, 0, 1), 0);
	assert_int_equal(hv_domain_pause(hv, 0, 1), -XEN_EUSERS);
	assert_int_equal(hv_domain_pause(hv, 0, 0), -XEN_EINVAL);
	assert_int_equal(hv_domain_pause(hv, 1, 2), -XEN_EPERM);
	machine_free(machine);
}

static void test_shutdown(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_domain *domain;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	domain = find(machine, 1);
	assert_int_equal(hv_domain_shutdown(hv, 2, 1, HV_SHUTDOWN_CRASH), -XEN_EPERM);
	assert_int_equal(hv_domain_shutdown(hv, 0, 3, HV_SHUTDOWN_CRASH), -XEN_ESRCH);
	assert_int_equal(hv_domain_shutdown(hv, 1, HV_DOMID_SELF, 6), -XEN_EINVAL);
	assert_int_equal(hv_domain_shutdown(hv, 0, 0, HV_SHUTDOWN_POWEROFF), -XEN_EINVAL);
	assert_false(domain->shut_down);
	assert_int_equal(hv_domain_shutdown(hv, 1, HV_DOMID_SELF, HV_SHUTDOWN_REBOOT), 0);
	assert_int_equal(hv_domain_shutdown(hv, 0, 1, HV_SHUTDOWN_CRASH), 0);
	assert_true(domain->shut_down);
	assert_int_equal(domain->shutdown_code, HV_SHUTDOWN_REBOOT);
	assert_int_equal(hv_domain_resume(hv, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_domain_resume(hv, 0, 0), -XEN_EINVAL);
	assert_int_equal(hv_domain_resume(hv, 0, 1), 0);
	assert_false(domain->shut_down);
	assert_int_equal(domain->shutdown_code, HV_SHUTDOWN_NONE);
	machine_free(machine);
}

/* The domid is in use until the domain is freed, and then it belongs to another one. */
static void test_destroy_and_reuse(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint64_t id;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	id = find(machine, 1)->unique_id;
	assert_int_equal(hv_domain_destroy(hv, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_domain_destroy(hv, 0, 0), -XEN_EINVAL);
	assert_int_equal(hv_domain_destroy(hv, HV_DOMID_XEN, 0), -XEN_EINVAL);
	assert_int_equal(hv_reclaim(hv), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), -XEN_ESRCH);
	assert_null(hv_domain_find(hv, 1));
	assert_int_equal(hv_domain_next(hv, 1)->domid, 2);
	assert_int_equal(create(machine, 0, 1, 0), -XEN_EEXIST);
	assert_int_equal(machine_create(machine, HV_DOMID_ANY), 3);
	assert_int_equal(machine->freed, 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(machine->freed, 1);
	assert_int_equal(machine->freed_domid, 1);
	assert_int_equal(create(machine, 0, 1, 0), 0);
	assert_true(find(machine, 1)->unique_id != id);
	machine_free(machine);
}

static void test_kill_and_finish(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(hv_domain_kill(hv, 1, 1), -XEN_EPERM);
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	assert_int_equal(find(machine, 1)->life, HV_DYING);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_null(hv_domain_find(hv, 1));
	assert_int_equal(hv_reclaim(hv), 1);
	machine_free(machine);
}

static void test_reference_holds_dead(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_domain *domain;

	(void)state;
	machine_create(machine, 1);
	domain = find(machine, 1);
	hv_domain_ref(domain);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(domain->life, HV_DEAD);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_ptr_equal(find(machine, 1), domain);
	assert_int_equal(hv_reclaim(hv), 0);
	assert_int_equal(create(machine, 0, 1, 0), -XEN_EEXIST);
	hv_domain_unref(hv, domain);
	assert_null(hv_domain_find(hv, 1));
	assert_int_equal(hv_reclaim(hv), 1);
	machine_free(machine);
}

/* A device model holds its target, and may do to it what it may not do to others. */
static void test_target(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	uint32_t port;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	machine_create(machine, 3);
	assert_int_equal(hv_domain_set_target(hv, 2, 2, 1), -XEN_EPERM);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 9), -XEN_ESRCH);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 2), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 2, 1, 2, &port), -XEN_EPERM);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 1), 0);
	assert_int_equal(hv_domain_set_target(hv, 0, 2, 3), -XEN_EINVAL);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 2, 1, 2, &port), 0);
	assert_int_equal(hv_evtchn_alloc_unbound(hv, 2, 3, 2, &port), -XEN_EPERM);

	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(find(machine, 1)->life, HV_DEAD);
	assert_int_equal(hv_domain_destroy(hv, 0, 2), 0);
	assert_int_equal(hv_reclaim(hv), 2);
	assert_null(hv_domain_find(hv, 1));
	machine_free(machine);
}

/* The whole space of domids, in memory that follows what exists. */
static void test_all_domids(void **state)
{
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	size_t alone = machine->bytes;
	unsigned int domid;

	(void)state;
	for (domid = 1; domid < HV_DOMID_FIRST_RESERVED; domid++) {
		uint32_t port, there, handle;
		uint64_t frame;

		assert_int_equal(machine_create(machine, HV_DOMID_ANY), domid);
		/* Each with a channel to domain 0 and its ring mapped there. */
		assert_int_equal(hv_evtchn_alloc_unbound(hv, 0, domid, 0, &there), 0);
		assert_int_equal(hv_evtchn_bind_interdomain(hv, 0, domid, there, &port), 0);
		assert_int_equal(port, domid);
		assert_int_equal(hv_grant_access(hv, 0, domid, HV_GRANT_XENSTORE, 0, domid, false),
				 0);
		assert_int_equal(
			hv_grant_map(hv, 0, domid, HV_GRANT_XENSTORE, false, &handle, &frame), 0);
		assert_true(frame == domid);
	}
	assert_int_equal(hv->domains.count, 32752);
	assert_int_equal(create(machine, 0, HV_DOMID_ANY, 0), -XEN_ENOMEM);
	assert_true(machine->bytes / hv->domains.count < 512);

	/* One goes in the middle: its number, and only it, is free, once its ring is unmapped. */
	assert_int_equal(hv_domain_destroy(hv, 0, 12345), 0);
	assert_int_equal(create(machine, 0, HV_DOMID_ANY, 0), -XEN_ENOMEM);
	assert_int_equal(hv_unmap(hv, 0, 12344), 0);
	assert_int_equal(hv_reclaim(hv), 1);
	assert_int_equal(machine_create(machine, HV_DOMID_ANY), 12345);

	for (domid = 1; domid < HV_DOMID_FIRST_RESERVED; domid++) {
		assert_int_equal(hv_domain_destroy(hv, 0, domid), 0);
		if (domid != 12345)
			assert_int_equal(hv_unmap(hv, 0, domid - 1), 0);
	}
	assert_int_equal(hv_reclaim(hv), 32751);
	/* What is left besides domain 0 are its own tables. */
	assert_int_equal(machine->bytes,
			 alone + 32768 * (sizeof(struct hv_evtchn) + sizeof(struct hv_mapping)));
	machine_free(machine);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_create_errors),
		cmocka_unit_test(test_pause),
		cmocka_unit_test(test_shutdown),
		cmocka_unit_test(test_destroy_and_reuse),
		cmocka_unit_test(test_kill_and_finish),
		cmocka_unit_test(test_reference_holds_dead),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_all_domids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
