/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Loaded into a xenstored, this makes a broken one of it: it cannot bind the event channel of any
 * ring. With it the harness shows that it fails when it should.
 */
#include <errno.h>
#include <stdint.h>

struct xenevtchn_handle;

int xenevtchn_bind_interdomain(struct xenevtchn_handle *handle, uint32_t domid, uint32_t port);

int xenevtchn_bind_interdomain(struct xenevtchn_handle *handle, uint32_t domid, uint32_t port)
{
	(void)handle;
	(void)domid;
	(void)port;
	errno = EINVAL;
	return -1;
}
