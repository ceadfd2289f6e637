/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Both ends of the checker's socket. */
#include "daemon/checker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "liveupdate/stream-check.h"

struct progress {
	uint64_t size;
	uint32_t progress; /* enum checker_progress */
	uint32_t pad;
};

int checker_start(struct helper *checker, const char *file, int image_fd)
{
	/* A word that any other xenstored refuses to start with. */
	char *argv[] = {(char *)(uintptr_t)file, (char *)(uintptr_t) "check-image", NULL};

	return helper_start(checker, file, argv, "check", image_fd, 0);
}

int checker_tell(struct helper *checker, uint64_t size, enum checker_progress progress)
{
	const struct progress message = {.size = size, .progress = progress};
	int error = helper_say(checker->fd, &message, sizeof(message));

	/* How far the image is, one that is behind learns from a later message. */
	return error == -EAGAIN && progress == CHECKER_PART ? 0 : error;
}

int checker_answer(struct helper *checker, int ms, char *why, size_t size)
{
	char text[HELPER_TEXT_MAX + 1];
	ssize_t len = helper_hear(checker->fd, text, sizeof(text) - 1, ms);

	if (len == -EAGAIN)
		return 0;
	if (len > 0 && text[0] == CHECKER_RIGHT)
		return 1;
	if (len > 1 && text[0] == CHECKER_REFUSED) {
		text[len] = 0;
		snprintf(why, size, "The new program does not accept the state: %s", text + 1);
	} else {
		snprintf(why, size, "The new program does not accept the state.");
	}
	return -ECHILD;
}

/* The image, as far as it is mapped. */
struct mapping {
	int fd;
	void *data;
	size_t size;
};

/* Have @size bytes mapped. Returns 0 or a negative errno. */
static int extend(struct mapping *mapping, uint64_t size)
{
	struct stat now;
	void *data;

	if (fstat(mapping->fd, &now))
		return -errno;
	if (size < mapping->size || size > (uint64_t)now.st_size || !size)
		return -EINVAL;
	if (size == mapping->size)
		return 0;
	data = mapping->size ? mremap(mapping->data, mapping->size, size, MREMAP_MAYMOVE)
			     : mmap(NULL, size, PROT_READ, MAP_SHARED, mapping->fd, 0);
	if (data == MAP_FAILED)
		return -errno;
	mapping->data = data;
	mapping->size = size;
	return 0;
}

static int refuse(int fd, size_t offset, const char *what)
{
	char text[HELPER_TEXT_MAX];
	int len = snprintf(text, sizeof(text), "%cat offset %zu: %s", CHECKER_REFUSED, offset,
			   what);

	if (len > 0)
		helper_say(fd, text, (size_t)len < sizeof(text) ? (size_t)len : sizeof(text) - 1);
	return 1;
}

static int check_parts(int fd, struct mapping *mapping, struct stream_checker *checker,
		       const struct stream_report *report)
{
	const char right = CHECKER_RIGHT;
	struct progress message;
	int error;

	for (;;) {
		if (helper_hear(fd, &message, sizeof(message), -1) != sizeof(message))
			return 1; /* nobody wants to know any more */
		error = -extend(mapping, message.size);
		if (!error)
			error = message.progress == CHECKER_ALL
					? stream_check_finish(checker, mapping->data, mapping->size)
					: stream_check_step(checker, mapping->data, mapping->size);
		if (error)
			return refuse(fd, report->errors ? report->problem->offset : 0,
				      report->errors ? report->problem->text : strerror(error));
		if (message.progress != CHECKER_PART && helper_say(fd, &right, 1))
			return 1;
		if (message.progress == CHECKER_ALL)
			return 0;
	}
}

int checker_run(const struct inheritance *inheritance)
{
	struct mapping mapping = {.fd = inheritance->image_fd};
	struct stream_problem problem;
	struct stream_report report = {.problem = &problem, .room = 1};
	struct stream_checker *checker = NULL;
	struct hash_secret secret;
	int result;

	if (getrandom(&secret, sizeof(secret), 0) == sizeof(secret))
		checker = stream_checker_new(&secret, &report);
	if (!checker)
		return refuse(inheritance->status_fd, 0, strerror(ENOMEM));
	result = check_parts(inheritance->status_fd, &mapping, checker, &report);
	stream_checker_free(checker);
	return result;
}
