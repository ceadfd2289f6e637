/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Event channels: one bit from one domain to another.
 *
 * A port is free, unbound (waits for one named domain to bind to it), bound to a
 * port of a domain, or bound to a virq. An event makes the port pending; if it is
 * not masked, that is an upcall. A pending port swallows further events. Whoever
 * serves the domain takes an event with hv_evtchn_take(), and unmasking a port
 * that is pending raises its upcall again, so that no event is lost.
 *
 * A new port is masked. That gives the host time to note whose port it is: it
 * unmasks when it is ready, and an event that is there already (binding to a
 * domain makes the new port pending at once) comes then.
 *
 * When one end of a channel is closed, or its domain dies, the other end becomes
 * unbound, and sending on it is harmless.
 *
 * A domain's ports are one array that grows as ports are needed, up to the limit
 * of its ABI (2-level: 4096, FIFO: 131072 ports, port 0 not usable) or to its
 * quota (the highest port it may have).
 */
#ifndef HYPERVISOR_EVTCHN_H
#define HYPERVISOR_EVTCHN_H

#include <stdbool.h>
#include <stdint.h>

struct hypervisor;
struct hv_domain;

enum hv_evtchn_abi { HV_EVTCHN_2LEVEL, HV_EVTCHN_FIFO };

#define HV_EVTCHN_2LEVEL_PORTS 4096u
#define HV_EVTCHN_FIFO_PORTS   131072u

/* Values as in the interface's status operation. */
enum hv_evtchn_state {
	HV_EVTCHN_CLOSED = 0,
	HV_EVTCHN_UNBOUND = 1,
	HV_EVTCHN_INTERDOMAIN = 2,
	HV_EVTCHN_VIRQ = 4,
};

struct hv_evtchn {
	uint8_t state; /* enum hv_evtchn_state */
	bool pending : 1;
	bool masked : 1;
	uint16_t remote; /* unbound: who may bind; interdomain: the domain of the other end */
	uint32_t number; /* interdomain: the other end's port; virq: the virq */
};

/* A domain's ports. */
struct hv_evtchn_table {
	struct hv_evtchn *ports;
	uint32_t capacity;   /* elements of ports */
	uint32_t first_free; /* no port below is free */
	uint32_t limit;	     /* first port number that the ABI does not have */
	uint32_t max_port;   /* quota: the highest port */
	uint32_t bound_virqs;
};

struct hv_evtchn_status {
	enum hv_evtchn_state state;
	bool pending;
	bool masked;
	unsigned int remote; /* unbound, interdomain */
	uint32_t number;     /* interdomain: remote port; virq: the virq */
};

/*
 * Every operation is done by the domain @caller on its own ports, if nothing else is said;
 * HV_DOMID_SELF stands for the caller. Common errors: -ESRCH for a domain that does not exist,
 * -EINVAL for a port that is none or is in the wrong state, -ENOSPC when there are as many ports as
 * may be, -ENOMEM.
 */

/**
 * Allocate a port of @domid to which @remote (which need not exist) may bind, for oneself or, as a
 * control or device-model domain, for another domain (else -EPERM). Fills @port.
 */
int hv_evtchn_alloc_unbound(struct hypervisor *hv, unsigned int caller, unsigned int domid,
			    unsigned int remote, uint32_t *port);

/**
 * Bind to @remote_port of @remote, which must be unbound and made for the caller (else -EINVAL).
 * Fills @port; that port is pending (and, as every new port, masked).
 */
int hv_evtchn_bind_interdomain(struct hypervisor *hv, unsigned int caller, unsigned int remote,
			       uint32_t remote_port, uint32_t *port);

/**
 * Bind a virq. A global one can be bound by its handler only (else -EBUSY), on vCPU 0 (else
 * -EINVAL), and once (else -EEXIST). Binding HV_VIRQ_DOM_EXC starts the record of changed domains,
 * with all existing domains in it. Fills @port.
 */
int hv_evtchn_bind_virq(struct hypervisor *hv, unsigned int caller, unsigned int virq,
			unsigned int vcpu, uint32_t *port);

/** Close a port; the other end becomes unbound. */
int hv_evtchn_close(struct hypervisor *hv, unsigned int caller, uint32_t port);

/** Notify the other end. On an unbound port that is no error and does nothing. */
int hv_evtchn_send(struct hypervisor *hv, unsigned int caller, uint32_t port);

/** From now on an event makes the port pending without an upcall. */
int hv_evtchn_mask(struct hypervisor *hv, unsigned int caller, uint32_t port);

/** Unmask; if an event is pending, its upcall comes now. */
int hv_evtchn_unmask(struct hypervisor *hv, unsigned int caller, uint32_t port);

/** Take the event: the port is not pending any more. Returns 1 if it was, 0 if not, or an error. */
int hv_evtchn_take(struct hypervisor *hv, unsigned int caller, uint32_t port);

/** What a port of @domid is. For another domain's, one must be control or its device model. */
int hv_evtchn_status(struct hypervisor *hv, unsigned int caller, unsigned int domid, uint32_t port,
		     struct hv_evtchn_status *status);

/** Close all ports of @domid (one's own, or as a control or device-model domain another's). */
int hv_evtchn_reset(struct hypervisor *hv, unsigned int caller, unsigned int domid);

/** The caller changes to the FIFO ABI, as a guest's kernel does early. */
int hv_evtchn_use_fifo(struct hypervisor *hv, unsigned int caller);

/* For the mechanism's other parts. */

/** @max_port 0: no quota. */
void hv_evtchn_table_init(struct hv_evtchn_table *table, enum hv_evtchn_abi abi, uint32_t max_port);

/** Close all ports of @domain, which is dying. Its array stays until it is freed. */
void hv_evtchn_close_all(struct hypervisor *hv, struct hv_domain *domain);

/** Free the array. */
void hv_evtchn_table_deinit(struct hypervisor *hv, struct hv_evtchn_table *table);

/** An event for @port of @domain, which is in use: make it pending, with an upcall if it is due. */
void hv_evtchn_raise(struct hypervisor *hv, struct hv_domain *domain, uint32_t port);

#endif
