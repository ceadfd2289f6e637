/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A VM, as far as a xenstored sees one: the requests of its creation and of its removal.
 */
#ifndef BENCH_VM_H
#define BENCH_VM_H

#include <stdbool.h>
#include <stddef.h>

#include "client.h"

struct vm_house {
	struct client *back;
	bool guests_own; /* the server lets a domid that no domain has own a node */
	bool nodes_only; /* only what creates nodes */
};

/* Connect the back-end driver, send what comes once, find out about guests_own. */
void vm_house_open(struct vm_house *house, const struct subject *subject, bool nodes_only);

/* Create the VM with this domid, one round trip after the other. */
void vm_create(struct vm_house *house, struct client *tool, unsigned int domid);

/* Remove its nodes and the back-end's watches; its tool's watches end with that connection. */
void vm_remove(struct vm_house *house, unsigned int domid);

/* The number of nodes that one VM more makes. */
size_t vm_node_count(void);

#endif
