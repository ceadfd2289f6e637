/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Comparing what is seen with what was known. */
#include "domstate/evidence.h"

#include <string.h>

static unsigned int state_of(uint32_t flags)
{
	unsigned int state = DOMSTATE_EXIST;

	if (flags & EVIDENCE_SHUTDOWN)
		state |= DOMSTATE_SHUTDOWN;
	if (flags & EVIDENCE_DYING)
		state |= DOMSTATE_DEAD;
	return state;
}

/* FNV-1a: a handle that differs and is not noticed is one in four thousand million. */
static uint32_t hash_of(const uint8_t *handle)
{
	uint32_t hash = 2166136261u;

	for (unsigned int i = 0; i < EVIDENCE_HANDLE; i++)
		hash = (hash ^ handle[i]) * 16777619u;
	return hash;
}

void evidence_learn(struct evidence *evidence, unsigned int domid, const struct evidence_look *look)
{
	struct evidence_seen *seen = &evidence->seen[domid];
	uint32_t handle = hash_of(look->handle);
	unsigned int state = state_of(look->flags);
	bool other = seen->handle != handle || look->cpu_time < seen->cpu_time ||
		     ((seen->state & DOMSTATE_DEAD) && !(state & DOMSTATE_DEAD));

	if (!seen->state || other)
		seen->life++;
	seen->changed |= other || seen->state != state;
	seen->state = state & 0xf;
	seen->cpu_time = look->cpu_time;
	seen->handle = handle;
}

void evidence_gone(struct evidence *evidence, unsigned int domid)
{
	struct evidence_seen *seen = &evidence->seen[domid];

	seen->changed |= seen->state != 0;
	seen->state = 0;
}

void evidence_state(const struct evidence *evidence, unsigned int domid, struct domain_state *out)
{
	const struct evidence_seen *seen = &evidence->seen[domid];

	memset(out, 0, sizeof(*out));
	out->domid = domid;
	if (!seen->state)
		return;
	out->state = seen->state;
	out->caps = domid ? 0 : DOMSTATE_CAP_CONTROL | DOMSTATE_CAP_HARDWARE;
	/* Not the hypervisor's, but different for each life that was noticed. */
	out->unique_id = ((uint64_t)seen->life << 16) | domid;
}

bool evidence_changed(struct evidence *evidence, struct domain_state *out)
{
	while (evidence->next < EVIDENCE_DOMIDS) {
		unsigned int domid = evidence->next++;

		if (!evidence->seen[domid].changed)
			continue;
		evidence->seen[domid].changed = false;
		evidence_state(evidence, domid, out);
		return true;
	}
	evidence->next = 0;
	return false;
}
