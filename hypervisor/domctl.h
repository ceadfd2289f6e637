/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The domctl hypercall, as far as somebody who watches domains needs it: the
 * stable get-domain-state operation, and the information that older clients use,
 * whose interface version belongs to a release of the hypervisor.
 */
#ifndef HYPERVISOR_DOMCTL_H
#define HYPERVISOR_DOMCTL_H

#include <stddef.h>
#include <stdint.h>

struct hypervisor;

#define HV_DOMCTL_SIZE 144u

#define HV_DOMCTL_GETDOMAININFO 5u

/* Flags of the information. */
#define HV_INFO_DYING	 (1u << 0) /* dead in fact: not yet while dying */
#define HV_INFO_HVM	 (1u << 1)
#define HV_INFO_SHUTDOWN (1u << 2)
#define HV_INFO_PAUSED	 (1u << 3)
#define HV_INFO_BLOCKED	 (1u << 4)
#define HV_INFO_RUNNING	 (1u << 5)
#define HV_INFO_DEBUGGED (1u << 6)
#define HV_INFO_XENSTORE (1u << 7)
#define HV_INFO_HAP	 (1u << 8)

#define HV_INFO_SHUTDOWN_SHIFT 16
#define HV_INFO_SHUTDOWN_MASK  0xffu

/* The operation in the caller's memory. */
struct hv_getdomaininfo {
	uint32_t cmd; /* HV_DOMCTL_GETDOMAININFO */
	uint32_t interface_version;
	uint16_t domain;
	uint16_t pad[3];
	uint16_t domain_again;
	uint16_t pad1;
	uint32_t flags;
	uint64_t pages;
	uint64_t max_pages;
	uint64_t outstanding_pages;
	uint64_t shared_pages;
	uint64_t paged_pages;
	uint64_t shared_info_frame;
	uint64_t cpu_time;
	uint32_t vcpus;
	uint32_t max_vcpu_id;
	uint32_t ssidref;
	uint8_t handle[16];
	uint32_t cpupool;
	uint8_t gpaddr_bits;
	uint8_t rest[31];
};

_Static_assert(sizeof(struct hv_getdomaininfo) == HV_DOMCTL_SIZE, "a domctl has 144 bytes");
_Static_assert(offsetof(struct hv_getdomaininfo, domain_again) == 16, "ABI");
_Static_assert(offsetof(struct hv_getdomaininfo, flags) == 20, "ABI");
_Static_assert(offsetof(struct hv_getdomaininfo, handle) == 92, "ABI");

/**
 * Information about exactly this domain. -EPERM unless the caller may control it or is the Xenstore
 * domain, -ESRCH without such a domain. The version is not looked at, cmd and padding are left
 * alone.
 */
int hv_getdomaininfo(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		     struct hv_getdomaininfo *info);

/**
 * The same about the first domain with this domid or a higher one (that the caller may ask about):
 * listing is asking again with one more than what came. -ESRCH behind the last one.
 */
int hv_getdomaininfo_next(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			  struct hv_getdomaininfo *info);

/**
 * The hypercall. @op: a copy of the caller's memory, of which @size bytes could be read, aligned
 * for 64-bit numbers; it is bytes could be read; it is changed only on success and is then to be
 * copied back. Errors: -EFAULT (less than a domctl could be read), -EACCES (wrong interface
 * version: the stable operations have 0, others that of the configuration), -ENOSYS (not one of
 * ours), and those of the operation.
 */
int hv_domctl(struct hypervisor *hv, unsigned int caller, void *op, size_t size);

#endif
