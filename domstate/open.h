/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Choosing a domain-state back-end. */
#ifndef DOMSTATE_OPEN_H
#define DOMSTATE_OPEN_H

#include <stddef.h>

#include "domstate/domstate.h"

/** The stable hypercall. @probe_domid: a domain to try it on. Returns 0 or -errno (EACCES: too
 * old). */
int domstate_hypercall(unsigned int probe_domid, struct domstate **out);

/** The unstable interface of older hypervisors, from a plug-in. Returns 0 or -errno. */
int domstate_xenctrl(struct domstate **out, char *why, size_t size);

/**
 * Open a back-end.
 * @name: "hypercall", "xenctrl", "none", or "auto": the first of them that works
 * @own_domid: the daemon's own domain
 * @why: filled with a sentence about the choice, or about the failure
 * Returns 0 or -errno.
 */
int domstate_open(const char *name, unsigned int own_domid, struct domstate **out, char *why,
		  size_t size);

/* What the plug-in exports: the name of a function of this type is DOMSTATE_PLUGIN_SYMBOL. */
typedef int domstate_plugin(struct domstate **out);
#define DOMSTATE_PLUGIN_SYMBOL "domstate_xenctrl_open"

#endif
