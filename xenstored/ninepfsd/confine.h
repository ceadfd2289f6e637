/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The thread that reads what a domain sends shall be able to open files of that domain's directory
 * and nothing else, whatever it can be made to do. This is a second wall behind share.h, and the
 * kernel's (Landlock), not ours.
 */
#ifndef XENSTORED_NINEPFSD_CONFINE_H
#define XENSTORED_NINEPFSD_CONFINE_H

#include <stdbool.h>

/** Whether this kernel can do it. */
bool confine_possible(void);

/**
 * Take from the calling thread, and from no other, the right to open, make or remove files that are
 * not below @directory (a descriptor), to run programs, and to make anything but files and
 * directories there. What is open stays usable. The process must not be able to get new privileges
 * any more (privileges_drop()). Returns 0, or a negative errno; -ENOSYS or -EOPNOTSUPP: this kernel
 * does not have it, and nothing has changed.
 */
int confine_thread(int directory);

#endif
