/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaded into a xenstored, this makes a broken one of it: it never tells the other side of a ring
 * that there is an answer. Its socket works, so that only checks with rings can notice. With it the
 * harness shows that it fails when it should.
 */
#include <stdint.h>

struct xenevtchn_handle;

int xenevtchn_notify(struct xenevtchn_handle *handle, uint32_t port);

int xenevtchn_notify(struct xenevtchn_handle *handle, uint32_t port)
{
	(void)handle;
	(void)port;
	return 0;
}
