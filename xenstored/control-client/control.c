/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The CONTROL request as a list of words. */
#include "control-client/control.h"

#include <errno.h>
#include <string.h>

#include "bytes/wire.h"

_Static_assert(sizeof(((struct control *)0)->payload) == WIRE_PAYLOAD_MAX, "one full payload");

void control_init(struct control *control, const char *command)
{
	control->length = 0;
	control->error = 0;
	control_add(control, command);
}

void control_add(struct control *control, const char *word)
{
	control_add_bytes(control, word, strlen(word));
}

void control_add_bytes(struct control *control, const void *bytes, size_t length)
{
	if (control->error || length >= sizeof(control->payload) - control->length) {
		control->error = -E2BIG;
		return;
	}
	memcpy(control->payload + control->length, bytes, length);
	control->payload[control->length + length] = '\0';
	control->length += length + 1;
}

int control_send(const struct control *control, struct connection *connection, char **reply)
{
	*reply = NULL;
	if (control->error)
		return control->error;
	return connection_request(connection, XS_CONTROL, control->payload, control->length, reply,
				  NULL);
}
