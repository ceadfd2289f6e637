/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The domains that are there before the store is (spec: rings-and-domains.md section 4). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "core/domains.h"

int core_introduce_existing(struct core *core, unsigned int first, unsigned int port)
{
	unsigned int own = core->config.own_domid, introduced = 0;
	unsigned char *exists = calloc(DOMID_FIRST_RESERVED, 1);
	struct domain_state state;
	int error;

	if (!exists)
		return ENOMEM;
	while (!domstate_changed(core->world->domstate, &state))
		if (state.domid < DOMID_FIRST_RESERVED)
			exists[state.domid] = (state.state & DOMSTATE_EXIST) &&
					      !(state.state & DOMSTATE_DEAD);
	error = core_introduce(core, first, port, INTRODUCE_START);
	for (unsigned int domid = 0; !error && domid < DOMID_FIRST_RESERVED; domid++) {
		int result;

		if (!exists[domid] || domid == first || domid == own)
			continue;
		/* Without a port in its ring page a domain waits for the toolstack's INTRODUCE. */
		result = core_introduce(core, domid, 0, INTRODUCE_START);
		if (!result)
			introduced++;
		else
			core_log(core, LOG_INFO, "domain %u is not introduced yet: %s", domid,
				 strerror(result < 0 ? EAGAIN : result));
	}
	if (introduced)
		core_log(core, LOG_NOTICE, "introduced %u domains that were there at the start",
			 introduced);
	free(exists);
	return error;
}
