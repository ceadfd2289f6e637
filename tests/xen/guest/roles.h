/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the guest can be, chosen on its command line. */
#ifndef GUEST_ROLES_H
#define GUEST_ROLES_H

/** A Xenstore client: says hello, answers pings, obeys control/shutdown. */
_Noreturn void client_role(void);

/** A client that writes numbers without end and watches over their order. */
_Noreturn void writer_role(void);

/** The arm of a program in dom0: puts bytes and words into the ring as told on the console. */
_Noreturn void bridge_role(void);

#endif
