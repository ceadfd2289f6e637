/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Not there yet: every request is refused. */
#include "stubdom/update.h"

void stubdom_update_init(struct stubdom_update *update, struct core *core)
{
	update->core = core;
}

static int control(void *data, struct request *request, const struct arg *args, size_t count,
		   struct control_text *out)
{
	(void)data;
	(void)request;
	(void)args;
	(void)count;
	control_print(out, "Live update is not supported by this stub domain.");
	return 0;
}

static void client_gone(void *data, const struct client *client)
{
	(void)data;
	(void)client;
}

const struct administration_update stubdom_update_administration = {
	.control = control,
	.client_gone = client_gone,
};
