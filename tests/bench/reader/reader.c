/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A client that reads one node in a loop, until its standard input ends, and then says how many
 * replies it got and what the longest times between two of them were, in microseconds, longest
 * first.
 *
 *      reader SOCKET PATH
 */
#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#define KEPT 5
#define READ 2u

struct header {
	uint32_t type, req_id, tx_id, len;
};

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (double)time.tv_sec * 1e6 + (double)time.tv_nsec / 1e3;
}

static int connect_to(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(address.sun_path))
		return -1;
	strcpy(address.sun_path, path);
	return connect(fd, (struct sockaddr *)&address, sizeof(address)) ? -1 : fd;
}

static int whole(int fd, void *data, size_t len)
{
	char *at = data;

	while (len) {
		ssize_t got = recv(fd, at, len, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return -1;
		at += got;
		len -= (size_t)got;
	}
	return 0;
}

static int ask(int fd, const char *path)
{
	struct header header = {READ, 1, 0, (uint32_t)strlen(path) + 1};
	char message[sizeof(header) + 256], value[4096];

	if (header.len > 256)
		return -1;
	memcpy(message, &header, sizeof(header));
	memcpy(message + sizeof(header), path, header.len);
	if (send(fd, message, sizeof(header) + header.len, MSG_NOSIGNAL) < 0 ||
	    whole(fd, &header, sizeof(header)) || header.len > sizeof(value) || header.type != READ)
		return -1;
	return whole(fd, value, header.len);
}

static void keep(double *longest, double gap)
{
	for (int i = 0; i < KEPT; i++)
		if (gap > longest[i]) {
			memmove(&longest[i + 1], &longest[i],
				(size_t)(KEPT - 1 - i) * sizeof(*longest));
			longest[i] = gap;
			return;
		}
}

int main(int argc, char **argv)
{
	struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
	double longest[KEPT] = {0}, last, time;
	unsigned long count = 0;
	int fd = argc == 3 ? connect_to(argv[1]) : -1;

	if (fd < 0 || ask(fd, argv[2])) {
		fprintf(stderr, "reader: cannot read %s at %s\n", argc == 3 ? argv[2] : "",
			argc == 3 ? argv[1] : "");
		return 1;
	}
	puts("reading");
	fflush(stdout);
	for (last = now(); count % 64 || !poll(&input, 1, 0); last = time) {
		if (ask(fd, argv[2])) {
			fprintf(stderr, "reader: lost its connection\n");
			return 1;
		}
		time = now();
		keep(longest, time - last);
		count++;
	}
	printf("%lu", count);
	for (int i = 0; i < KEPT; i++)
		printf(" %.0f", longest[i]);
	putchar('\n');
	return 0;
}
