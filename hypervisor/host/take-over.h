/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The beginning of a host that takes over a running machine: what host_init() is when
 * the machine is switched on.
 */
#ifndef HYPERVISOR_HOST_TAKE_OVER_H
#define HYPERVISOR_HOST_TAKE_OVER_H

#include "hypervisor/host/host.h"

/*
 * Takes over, with the file that the former hypervisor left and the command line that came with
 * the image. When the stream cannot be read, the former hypervisor's program is executed once
 * more, with the same file; if that has happened already, or is not possible, it returns a negative
 * errno and the process has to end.
 */
int take_over(struct host *host, int hand_over, const char *command_line);

#endif
