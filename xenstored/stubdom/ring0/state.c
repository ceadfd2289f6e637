/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding the state of an earlier image. */
#include "stubdom/ring0/state.h"

#include <string.h>

bool ring0_updated;

void ring0_state_adopt(void)
{
	struct ring0_state *state = ring0_state();

	ring0_updated = state->magic == RING0_STATE_MAGIC && state->layout == LAYOUT_VERSION &&
			state->armed == 1;
	if (ring0_updated) {
		state->armed = 0;
		state->updates++;
		return;
	}
	memset(state, 0, sizeof(*state));
	state->magic = RING0_STATE_MAGIC;
	state->layout = LAYOUT_VERSION;
}
