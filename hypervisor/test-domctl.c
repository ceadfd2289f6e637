/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The older information, and the hypercall's versions: what clients probe for. */
#include "hypervisor/test-machine.h"

/* The toolstack's own declaration of the operation is the measure of ours. */
#define __XEN_TOOLS__ 1
#include <xen/xen.h>
#include <xen/domctl.h>

#define SAME(ours, theirs)                                                                         \
	_Static_assert(offsetof(struct hv_getdomaininfo, ours) ==                                  \
			       offsetof(struct xen_domctl, u.getdomaininfo.theirs),                \
		       "ABI")

SAME(domain_again, domain);
SAME(flags, flags);
SAME(pages, tot_pages);
SAME(max_pages, max_pages);
SAME(outstanding_pages, outstanding_pages);
SAME(shared_pages, shr_pages);
SAME(paged_pages, paged_pages);
SAME(shared_info_frame, shared_info_frame);
SAME(cpu_time, cpu_time);
SAME(vcpus, nr_online_vcpus);
SAME(max_vcpu_id, max_vcpu_id);
SAME(ssidref, ssidref);
SAME(handle, handle);
SAME(cpupool, cpupool);
SAME(gpaddr_bits, gpaddr_bits);
_Static_assert(sizeof(struct xen_domctl) == HV_DOMCTL_SIZE, "ABI");
_Static_assert(XEN_DOMCTL_getdomaininfo == HV_DOMCTL_GETDOMAININFO, "ABI");
_Static_assert(XEN_DOMINF_dying == HV_INFO_DYING, "ABI");
_Static_assert(XEN_DOMINF_hvm_guest == HV_INFO_HVM, "ABI");
_Static_assert(XEN_DOMINF_shutdown == HV_INFO_SHUTDOWN, "ABI");
_Static_assert(XEN_DOMINF_paused == HV_INFO_PAUSED, "ABI");
_Static_assert(XEN_DOMINF_blocked == HV_INFO_BLOCKED, "ABI");
_Static_assert(XEN_DOMINF_running == HV_INFO_RUNNING, "ABI");
_Static_assert(XEN_DOMINF_xs_domain == HV_INFO_XENSTORE, "ABI");
_Static_assert(XEN_DOMINF_hap == HV_INFO_HAP, "ABI");
_Static_assert(XEN_DOMINF_shutdownshift == HV_INFO_SHUTDOWN_SHIFT, "ABI");
_Static_assert(DOMID_FIRST_RESERVED == HV_DOMID_FIRST_RESERVED, "ABI");
_Static_assert(DOMID_SELF == HV_DOMID_SELF, "ABI");
_Static_assert(DOMID_XEN == HV_DOMID_XEN, "ABI");
_Static_assert(DOMID_INVALID == HV_DOMID_INVALID, "ABI");
_Static_assert(VIRQ_DOM_EXC == HV_VIRQ_DOM_EXC, "ABI");
_Static_assert(NR_VIRQS == HV_VIRQ_COUNT, "ABI");

static uint32_t flags(struct machine *machine, unsigned int caller, unsigned int domid)
{
	struct hv_getdomaininfo info;

	memset(&info, 0xff, sizeof(info));
	assert_int_equal(hv_getdomaininfo(&machine->hv, caller, domid, &info), 0);
	assert_int_equal(info.domain, domid);
	assert_int_equal(info.domain_again, domid);
	return info.flags;
}

static void test_flags(void **state)
{
	const uint32_t none = 0xffu << HV_INFO_SHUTDOWN_SHIFT;
	struct hv_domain_config config = {
		.domid = 2, .hvm = true, .caps = HV_CAP_XENSTORE, .handle = "0123456789abcde"};
	struct machine *machine = machine_new();
	struct hypervisor *hv = &machine->hv;
	struct hv_getdomaininfo info;
	unsigned int domid;

	(void)state;
	machine_create(machine, 1);
	assert_int_equal(hv_domain_unpause(hv, HV_DOMID_XEN, 0), 0);
	assert_int_equal(flags(machine, 0, 0), none | HV_INFO_RUNNING);
	assert_int_equal(flags(machine, 0, 1), none | HV_INFO_PAUSED);
	assert_int_equal(hv_domain_unpause(hv, 0, 1), 0);
	assert_int_equal(flags(machine, 0, 1), none | HV_INFO_BLOCKED);
	assert_int_equal(hv_domain_shutdown(hv, 1, 1, HV_SHUTDOWN_CRASH), 0);
	assert_int_equal(flags(machine, 0, 1), HV_INFO_SHUTDOWN | 3u << HV_INFO_SHUTDOWN_SHIFT);
	hv_domain_ref(hv_domain_find(hv, 1));
	/* Dying is not told, only dead. */
	assert_int_equal(hv_domain_kill(hv, 0, 1), 0);
	assert_int_equal(flags(machine, 0, 1), HV_INFO_SHUTDOWN | 3u << HV_INFO_SHUTDOWN_SHIFT);
	assert_int_equal(hv_domain_destroy(hv, 0, 1), 0);
	assert_int_equal(flags(machine, 0, 1),
			 HV_INFO_DYING | HV_INFO_SHUTDOWN | 3u << HV_INFO_SHUTDOWN_SHIFT);

	assert_int_equal(hv_domain_create(hv, 0, &config, &domid), 0);
	assert_int_equal(flags(machine, 0, 2),
			 none | HV_INFO_PAUSED | HV_INFO_HVM | HV_INFO_HAP | HV_INFO_XENSTORE);
	assert_int_equal(hv_getdomaininfo(hv, 0, 2, &info), 0);
	assert_memory_equal(info.handle, config.handle, 16);
	machine_free(machine);
}

static void test_permission(void **state)
{
	struct hv_domain_config config = {.domid = 3, .caps = HV_CAP_XENSTORE};
	struct machine *machine = machine_new();
	struct hv_getdomaininfo info;
	unsigned int domid;

	(void)state;
	machine_create(machine, 1);
	machine_create(machine, 2);
	assert_int_equal(hv_domain_create(&machine->hv, 0, &config, &domid), 0);
	assert_int_equal(hv_getdomaininfo(&machine->hv, 1, 1, &info), -XEN_EPERM);
	assert_int_equal(hv_getdomaininfo(&machine->hv, 1, 2, &info), -XEN_EPERM);
	assert_int_equal(hv_getdomaininfo(&machine->hv, 3, 2, &info), 0);
	assert_int_equal(hv_getdomaininfo(&machine->hv, 0, 9, &info), -XEN_ESRCH);
	assert_int_equal(hv_getdomaininfo_next(&machine->hv, 1, 0, &info), -XEN_ESRCH);
	assert_int_equal(hv_domain_set_target(&machine->hv, 0, 2, 1), 0);
	assert_int_equal(hv_getdomaininfo_next(&machine->hv, 2, 0, &info), 0);
	assert_int_equal(info.domain, 1);
	machine_free(machine);
}

static int ask(struct machine *machine, uint32_t cmd, uint32_t version, unsigned int domid)
{
	struct hv_getdomaininfo op;
	int error;

	memset(&op, 0, sizeof(op));
	op.cmd = cmd;
	op.interface_version = version;
	op.domain = (uint16_t)domid;
	error = hv_domctl(&machine->hv, 0, &op, sizeof(op));
	return error ? error : op.domain;
}

static void test_versions(void **state)
{
	struct machine *machine = machine_new();
	struct machine *old = machine_new_as(
		(struct hv_config){.domctl_version = 0x15, .lacks_domain_state = true});

	(void)state;
	machine_create(machine, 7);
	machine_create(old, 7);
	assert_int_equal(ask(machine, 90, 0, 7), 7);
	assert_int_equal(ask(machine, 90, 0x17, 7), -XEN_EACCES);
	assert_int_equal(ask(machine, 5, 0, 7), -XEN_EACCES);
	assert_int_equal(ask(machine, 5, 0x15, 7), -XEN_EACCES);
	assert_int_equal(ask(machine, 5, 0x17, 7), 7);
	assert_int_equal(ask(machine, 5, 0x17, 3), -XEN_ESRCH);
	assert_int_equal(ask(machine, 1234, 0x17, 7), -XEN_ENOSYS);

	/* The older one does not know the stable operation, and finds the next domain. */
	assert_int_equal(ask(old, 90, 0, 7), -XEN_EACCES);
	assert_int_equal(ask(old, 90, 0x15, 7), -XEN_ENOSYS);
	assert_int_equal(ask(old, 5, 0x17, 7), -XEN_EACCES);
	assert_int_equal(ask(old, 5, 0x15, 7), 7);
	assert_int_equal(ask(old, 5, 0x15, 3), 7);
	assert_int_equal(ask(old, 5, 0x15, 8), -XEN_ESRCH);
	machine_free(machine);
	machine_free(old);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_permission),
		cmocka_unit_test(test_versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
