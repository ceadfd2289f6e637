/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A domain and its life.
 *
 *	create -> alive -> dying -> dead -> removed -> freed
 *	            |^
 *	   shutdown v| resume
 *	         shut down
 *
 * A domain is created paused. Shutting down is something that happens to a living
 * domain and can be undone; destroying it cannot. While dying it loses its event
 * channels, its mappings and its memory. Dead, it only waits for the references
 * that others hold to it, mappings of its frames above all. With the last one it
 * is removed: nobody finds it any more. A while later, when the host calls
 * hv_reclaim(), it is freed, and only then its domid can be used for another
 * domain (creating one earlier fails with EEXIST, as on the real hypervisor).
 *
 * Which of these steps is announced, and how, is said in domain-state.h.
 */
#ifndef HYPERVISOR_DOMAIN_H
#define HYPERVISOR_DOMAIN_H

#include <stdbool.h>
#include <stdint.h>

#include "hypervisor/domain-table.h"
#include "hypervisor/evtchn.h"
#include "hypervisor/grant.h"
#include "hypervisor/iommu.h"
#include "hypervisor/ioreq.h"
#include "hypervisor/p2m.h"
#include "hypervisor/quiesce.h"
#include "hypervisor/vcpu.h"

/* Domids: real ones are below HV_DOMID_FIRST_RESERVED. */
#define HV_DOMID_FIRST_RESERVED 0x7ff0u
#define HV_DOMID_SELF		0x7ff0u
#define HV_DOMID_XEN		0x7ff2u /* as a caller: the hypervisor itself, who may do all */
#define HV_DOMID_INVALID	0x7ff4u
#define HV_DOMID_ANY		HV_DOMID_INVALID

/* Capabilities, with the values of the get-domain-state operation. */
#define HV_CAP_CONTROL	1u
#define HV_CAP_HARDWARE 2u
#define HV_CAP_XENSTORE 4u

enum hv_life { HV_ALIVE, HV_DYING, HV_DEAD, HV_REMOVED };

/* Reasons of a shutdown, values of the interface. */
enum hv_shutdown {
	HV_SHUTDOWN_POWEROFF,
	HV_SHUTDOWN_REBOOT,
	HV_SHUTDOWN_SUSPEND,
	HV_SHUTDOWN_CRASH,
	HV_SHUTDOWN_WATCHDOG,
	HV_SHUTDOWN_SOFT_RESET,
};
#define HV_SHUTDOWN_NONE 0xffu /* not shut down */

struct hv_domain {
	uint16_t domid;
	uint16_t caps;
	uint8_t life; /* enum hv_life */
	bool hvm : 1;
	bool shut_down : 1;
	uint8_t shutdown_code; /* enum hv_shutdown, or HV_SHUTDOWN_NONE */
	uint8_t pause_count;   /* by control domains; runs at 0 */
	uint32_t refs;	       /* 1 for being not dead, and others */
	uint64_t unique_id;
	uint32_t suspend_port; /* to be notified of a suspend, 0: none */
	uint8_t handle[16];    /* the toolstack's name for it, no identity */
	uint64_t pages;
	struct hv_domain *target; /* the domain that this one is the device model of, referenced */
	struct hv_evtchn_table evtchns;
	struct hv_grant_table grants;
	struct hv_mapping_table mappings;
	struct hv_vcpus vcpus;
	struct hv_ioreq_server *ioreq;	/* HV_IOREQ_SERVERS that serve it; NULL: never had one */
	uint32_t emulates;		/* servers of others that it is the emulator of */
	uint8_t stop;			/* enum hv_stop */
	struct hv_p2m p2m;		/* with modelled memory only */
	struct hv_special_list special; /* frames outside of the address space */
	struct hv_p2m iommu;		/* what its devices reach, by the numbers that they use */
	struct hv_domain *next;		/* among the removed */
};

/* Zeroed, apart from the domid, it describes an ordinary PV guest. */
struct hv_domain_config {
	uint16_t domid; /* or HV_DOMID_ANY: the next free one */
	uint16_t caps;	/* control and hardware are given by HV_DOMID_XEN only */
	bool hvm;
	enum hv_evtchn_abi evtchn_abi;
	uint32_t max_port;     /* highest event channel port, 0: no quota */
	uint32_t max_grants;   /* entries of the grant table, 0: default; HV_GRANT_MAX_ENTRIES */
	uint32_t max_mappings; /* 0: default; HV_GRANT_MAX_MAPPINGS */
	uint64_t pages;	       /* what it says it has; ignored where memory is modelled */
	uint8_t handle[16];
};

/*
 * Operations by a domain @caller. Common errors: -EPERM when the caller is no control domain (where
 * not said otherwise), -ESRCH when there is no such domain. HV_DOMID_SELF stands for the caller.
 */

/**
 * Create a domain, paused once. Fills @domid. Errors: -EINVAL (no real domid, or capabilities
 * that the caller cannot give), -EEXIST (domid in use, even if by one that is not freed yet),
 * -ENOMEM (also when no domid is free).
 */
int hv_domain_create(struct hypervisor *hv, unsigned int caller,
		     const struct hv_domain_config *config, unsigned int *domid);

/** Pause once more. -EUSERS after 255 times, -EINVAL for the caller itself. */
int hv_domain_pause(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/** Undo one pause. -EINVAL when it is not paused. */
int hv_domain_unpause(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/**
 * Shut a domain down, by itself or by a control domain. A domain that is shut down keeps its first
 * reason and nothing happens. -EINVAL for an unknown reason, and for the hardware domain, whose
 * end would be the machine's.
 */
int hv_domain_shutdown(struct hypervisor *hv, unsigned int caller, unsigned int domid,
		       unsigned int reason);

/** Let a domain that was shut down (to suspend) go on. -EINVAL for the caller itself. */
int hv_domain_resume(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/** A suspend is announced by an event on @port of @domid instead of the virq; 0 ends that. */
int hv_domain_subscribe_suspend(struct hypervisor *hv, unsigned int caller, unsigned int domid,
				uint32_t port);

/** Make @domid the device model of @target. -EINVAL if it has a target, or is it, or is dying. */
int hv_domain_set_target(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			 unsigned int target);

/**
 * Begin to destroy a domain: alive -> dying. Nothing happens to one that is dying or dead already.
 * -EINVAL for the caller itself and for the hardware domain.
 */
int hv_domain_kill(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/** Destroy a domain: kill it if need be, then finish: dying -> dead, or removed at once. */
int hv_domain_destroy(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/** Free all removed domains: their domids can be used again. Returns how many there were. */
unsigned int hv_reclaim(struct hypervisor *hv);

/* What the host and the mechanism's other parts ask. */

/** Hold a domain (as somebody who still maps its memory would): it is not removed meanwhile. */
void hv_domain_ref(struct hv_domain *domain);

/** Let go of it. With the last reference a dead domain is removed. */
void hv_domain_unref(struct hypervisor *hv, struct hv_domain *domain);

/** Nobody holds it: from now on it is not found, and waits to be freed. */
void hv_domain_remove(struct hypervisor *hv, struct hv_domain *domain);

/** Is @caller a control domain, or the hypervisor itself? */
bool hv_is_control(struct hypervisor *hv, unsigned int caller);

/** Is @caller a control domain or the device model of @domain? */
bool hv_is_control_of(struct hypervisor *hv, unsigned int caller, const struct hv_domain *domain);

/** The domid that HV_DOMID_SELF, or any other, means when @caller says it. */
unsigned int hv_domid(unsigned int caller, unsigned int domid);

/** Free all domains, whatever state they are in, without telling anybody. */
void hv_domains_deinit(struct hypervisor *hv);

#endif
