/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The arguments are those of the command that starts a host, so that a list of processes looks the
 * same.
 */
#include "boot.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

int boot_exec(const struct boot *boot)
{
	char hand_over[16];
	char command_line[BOOT_COMMAND_LINE_MAX];
	char *arguments[] = {"simxen", "start", "--hand-over", hand_over, command_line, NULL};

	snprintf(hand_over, sizeof(hand_over), "%d", boot->hand_over);
	snprintf(command_line, sizeof(command_line), "%s", boot->command_line);
	execveat(boot->image, "", arguments, environ, AT_EMPTY_PATH);
	return -errno;
}
