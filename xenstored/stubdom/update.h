/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Live update inside the domain: CONTROL live-update with a kernel that comes over the ring. */
#ifndef XENSTORED_STUBDOM_UPDATE_H
#define XENSTORED_STUBDOM_UPDATE_H

#include "daemon/administration.h"

struct stubdom_update {
	struct core *core;
};

/** Connect @update with the core. */
void stubdom_update_init(struct stubdom_update *update, struct core *core);

/* CONTROL live-update, and the end of sessions with their clients, of a struct stubdom_update. */
extern const struct administration_update stubdom_update_administration;

#endif
