/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Starting an image in this process' place. It is the last step of an update, and the
 * way back.
 */
#ifndef HYPERVISOR_HOST_BOOT_H
#define HYPERVISOR_HOST_BOOT_H

#define BOOT_COMMAND_LINE_MAX 256

struct boot {
	int image;				  /* a program */
	int hand_over;				  /* the file for it */
	char command_line[BOOT_COMMAND_LINE_MAX]; /* of the hypervisor: "liveupdate=16M@0x..." */
};

/* Executes. Returns only if that is impossible: a negative errno. */
int boot_exec(const struct boot *boot);

#endif
