/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Giving up what a daemon does not need. What it keeps is what its user may do with its own files:
 * no capability, not even root's, and no way to get one by running another program.
 *
 * Root without capabilities is a user like any other that happens to own the Xen devices, the
 * Xenstore's socket and the directories of the system; so it can use these and nothing that is
 * others'.
 */
#ifndef XENSTORED_DAEMON_PRIVILEGES_H
#define XENSTORED_DAEMON_PRIVILEGES_H

/**
 * Become @user, with that user's groups (NULL: stay who we are), and give up all capabilities and
 * the way back. To be called while there is one thread. Returns 0 or a negative errno: -ENOENT
 * when there is no such user, -EPERM when we may not become that user; the process should end then.
 */
int privileges_drop(const char *user);

#endif
