/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the system allows the process. */
#ifndef XENSTORED_DAEMON_LIMITS_H
#define XENSTORED_DAEMON_LIMITS_H

/** Have as many descriptors as the hard limit allows. If that cannot be, it stays as it is. */
void limits_raise_descriptors(void);

#endif
