/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What processes say to the simulated host. A real process talks to the
 * hypervisor through hypercalls and to the kernel through device files; here both
 * are sockets in the directory SIMXEN_DIR:
 *
 *   control   SOCK_SEQPACKET. One record is one request, and each is answered by
 *             one record, in order. This is the hypercall.
 *   evtchn    SOCK_STREAM. One connection is one open /dev/xen/evtchn. The host
 *             sends 4-byte port numbers, as the device does; a port that was sent
 *             stays masked until it comes back. The process sends 4-byte words:
 *             a bare port number unmasks it, one with SIMXEN_EVTCHN_NOTIFY raises
 *             its other end. Both are never answered. Ports bound to the
 *             connection are closed with it.
 *   memory    not a socket but a link to the file of all guests' pages: page D is
 *             the Xenstore ring page of domain D.
 *
 * Requests about an evtchn connection (binding has an answer, so it goes over
 * "control") name it by the kernel's cookie of the process' socket. The cookie is
 * a property of the socket, not of the process: whoever inherits the descriptor
 * through exec can name it too, without any help from the one who opened it.
 */
#ifndef HYPERVISOR_HOST_PROTOCOL_H
#define HYPERVISOR_HOST_PROTOCOL_H

#include <stdint.h>

#define SIMXEN_CONTROL_SOCKET "control"
#define SIMXEN_EVTCHN_SOCKET  "evtchn"
#define SIMXEN_MEMORY	      "memory"

/*
 * Changes when two builds can no longer talk to each other; then one cannot replace the other,
 * since processes keep their libraries. Requests are added at the end only.
 */
#define SIMXEN_PROTOCOL 1U

#define SIMXEN_PAGE_SIZE 4096U

/* Longest data behind a message. */
#define SIMXEN_DATA_MAX 65536U

#define SIMXEN_NAME_MAX 64U

/* "Any free domid" in SIMXEN_DOMAIN_CREATE, and "no domid". */
#define SIMXEN_DOMID_ANY 0x7FF4U

/* Set in a word sent on an evtchn connection: notify instead of unmask. */
#define SIMXEN_EVTCHN_NOTIFY 0x80000000U

/* In SIMXEN_DOMAIN_CREATE. */
#define SIMXEN_CREATE_XENSTORE	1U /* a domain that may run a xenstored */
#define SIMXEN_CREATE_BOOT_RING 2U /* the ring page tells the port, as for dom0less domains */
#define SIMXEN_CREATE_BARE	4U /* no toolstack introduces it later */

/*
 * The requests. Each line tells the meaning of arg[0], arg[1]... and, behind the
 * arrow, of the result that is not negative, of arg[] in the answer, and of the data.
 */
enum simxen_op {
	SIMXEN_HELLO,		   /* protocol, domid; data: directory of the xenstored -> 0 */
	SIMXEN_MEMORY_FILE,	   /* -> 0; with it comes a descriptor */
	SIMXEN_STOP,		   /* -> 0; the host ends */
	SIMXEN_STATUS,		   /* -> 0; pid, domains, evtchn handles, mappings; data: the
				      directory of the xenstored */
	SIMXEN_DOMAIN_CREATE,	   /* domid or any, flags, how many, pages of memory; data: name ->
				      how many were created; data: struct simxen_domain[] */
	SIMXEN_DOMAIN_UNPAUSE,	   /* domid -> 0 */
	SIMXEN_DOMAIN_PAUSE,	   /* domid -> 0 */
	SIMXEN_DOMAIN_SHUTDOWN,	   /* domid, reason -> 0 */
	SIMXEN_DOMAIN_RESUME,	   /* domid -> 0 */
	SIMXEN_DOMAIN_DESTROY,	   /* domid -> 0 */
	SIMXEN_DOMAIN_LIST,	   /* first domid, most -> number; data: struct simxen_domain[] */
	SIMXEN_DOMAIN_INTRODUCED,  /* 0 or 1: does the xenstored know them; data: uint16_t
				      domids[] -> 0 */
	SIMXEN_DOMCTL,		   /* data: struct xen_domctl -> 0; data: the same, changed */
	SIMXEN_XEN_VERSION,	   /* -> major << 16 | minor */
	SIMXEN_EVTCHN_VIRQ,	   /* cookie, virq -> port */
	SIMXEN_EVTCHN_INTERDOMAIN, /* cookie, domid, remote port -> port */
	SIMXEN_EVTCHN_UNBOUND,	   /* cookie, domid -> port */
	SIMXEN_EVTCHN_ATTACH,	   /* cookie, own port that no handle has -> port */
	SIMXEN_EVTCHN_DETACH,	   /* cookie, port: leaves it open without a handle -> 0 */
	SIMXEN_EVTCHN_UNBIND,	   /* cookie, port -> 0 */
	SIMXEN_EVTCHN_ALLOC,	   /* domid, remote domid: no handle -> port */
	SIMXEN_EVTCHN_CLOSE,	   /* domid, port: closed from outside -> 0 */
	SIMXEN_GRANT_MAP,	   /* domid, reference, writable -> 0; mapping, page */
	SIMXEN_GRANT_UNMAP,	   /* mapping -> 0 */
	SIMXEN_FOREIGN_MAP,	   /* domid, frame -> 0; mapping, page */
	SIMXEN_VIRQ_HANDLER,	   /* domid, virq -> 0 */
	SIMXEN_GRANT_END,	   /* domid, reference: revoked -> 0 */
	SIMXEN_STORE_PORT,	   /* domid -> its port for the store */
	SIMXEN_KEXEC,		   /* command, address, flags, milliseconds for domains to stop;
				      with a descriptor -> its result; data: why it was refused,
				      or of exec struct simxen_update */
	SIMXEN_SHARE_ADD,	   /* domid, writable: a new page of the caller's -> reference;
				      page */
	SIMXEN_SHARE_END,	   /* reference -> 0 */
	SIMXEN_DEVICE,		   /* enum simxen_device, argument -> 0, or of serve the server */
	SIMXEN_OPS
};

/*
 * SIMXEN_KEXEC is the kexec hypercall (hypervisor/kexec.h). What would be the caller's memory is
 * the file whose descriptor comes with the request: the address of a structure or of a buffer is
 * where it stands in the file. An exec is answered when the update is over, by the one that
 * runs then.
 */

/* What a device model and its guest do. */
enum simxen_device {
	SIMXEN_DEVICE_SERVE,  /* domid: be a device model of this guest */
	SIMXEN_DEVICE_ACCESS, /* server: the caller's vCPU accesses its device, and waits */
	SIMXEN_DEVICE_ANSWER, /* domid: its vCPU goes on */
};

/* Flag of an exec: compare the domains' memory before and after. */
#define SIMXEN_KEXEC_HASH 1U

/* Request and answer; at most SIMXEN_DATA_MAX bytes of data follow in the same record. */
struct simxen_message {
	uint32_t op;
	int32_t result; /* 0 or more, or a negative errno; 0 in a request */
	uint64_t arg[4];
};

/* What an evtchn connection begins with; it is answered by one word of 0. */
struct simxen_evtchn_hello {
	uint32_t protocol;
	uint32_t domid;
	uint64_t cookie;
};

/* States of a domain as SIMXEN_DOMAIN_LIST tells them, more than one at a time. */
#define SIMXEN_STATE_PAUSED	1U
#define SIMXEN_STATE_SHUTDOWN	2U
#define SIMXEN_STATE_DYING	4U
#define SIMXEN_STATE_DEAD	8U
#define SIMXEN_STATE_INTRODUCED 16U
#define SIMXEN_STATE_XENSTORE	32U
#define SIMXEN_STATE_BARE	64U

/* An update of the hypervisor, as the one tells it that runs afterwards. Times in nanoseconds. */
struct simxen_update {
	char from[32], to[32];
	char refusal[256]; /* why it was refused, or empty */
	uint32_t version;  /* of the stream */
	uint32_t domains;
	uint32_t failed; /* of them */
	uint32_t cpus;
	uint64_t stream_bytes;
	uint64_t hash_before, hash_after;
	int64_t pause, save, boot, restore;
};

struct simxen_domain {
	uint16_t domid;
	uint8_t reason; /* of the shutdown */
	uint8_t pad;
	uint32_t state;
	uint32_t port; /* of the store, in this domain */
	uint32_t pad1;
	uint64_t unique_id;
	char name[SIMXEN_NAME_MAX];
};

#endif
