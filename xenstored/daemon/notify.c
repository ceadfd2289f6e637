/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Telling the service manager that the daemon serves: the few lines of the protocol that are
 * needed, written out so that no library has to be linked for one datagram.
 */
#include "daemon/notify.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

int notify_init(struct notify *notify)
{
	const char *name = getenv("NOTIFY_SOCKET");
	size_t length;
	int ret = 0;

	memset(notify, 0, sizeof(*notify));
	if (!name)
		return 0;

	length = strlen(name);
	if (*name != '/' && *name != '@') {
		ret = *name ? -EAFNOSUPPORT : 0;
	} else if (length >= sizeof(notify->address.sun_path)) {
		ret = -ENAMETOOLONG;
	} else {
		notify->address.sun_family = AF_UNIX;
		memcpy(notify->address.sun_path, name, length);
		/* An abstract name is exactly its bytes after a NUL; a NUL at its end would count.
		 */
		if (*name == '@')
			notify->address.sun_path[0] = '\0';
		notify->address_length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) +
						     length + (*name == '/' ? 1 : 0));
	}
	unsetenv("NOTIFY_SOCKET");
	return ret;
}

static int send_text(const struct notify *notify, const char *text)
{
	ssize_t sent;
	int fd, ret = 0;

	if (!notify->address_length)
		return 0;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	do {
		sent = sendto(fd, text, strlen(text), MSG_NOSIGNAL,
			      (const struct sockaddr *)&notify->address, notify->address_length);
	} while (sent < 0 && errno == EINTR);
	if (sent < 0)
		ret = -errno;
	close(fd);
	return ret;
}

int notify_ready(const struct notify *notify, const char *program, pid_t main_pid)
{
	char text[64] = "READY=1";
	int ret;

	if (main_pid)
		snprintf(text, sizeof(text), "READY=1\nMAINPID=%ld", (long)main_pid);
	ret = send_text(notify, text);
	fprintf(stderr, "%s is ready\n", program);
	return ret;
}

int notify_main_pid(const struct notify *notify, pid_t main_pid)
{
	char text[64];

	snprintf(text, sizeof(text), "MAINPID=%ld", (long)main_pid);
	return send_text(notify, text);
}
