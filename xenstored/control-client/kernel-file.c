/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file of a store domain's kernel. Compressed ones pass through "gzip -dc", which reads the
 * descriptor that is already open here, so its name never gets near a command line.
 */
#include "control-client/kernel-file.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* Far more than any store domain has memory for; the size is sent as a decimal int. */
#define SIZE_LIMIT (512UL << 20)

extern char **environ;

__attribute__((format(printf, 3, 4))) static int fail(struct kernel_file *kernel, int ret,
						      const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(kernel->error, sizeof(kernel->error), format, args);
	va_end(args);
	return ret;
}

/* Reads @fd to its end into kernel->bytes. */
static int slurp(struct kernel_file *kernel, int fd)
{
	size_t room = 0;

	for (;;) {
		ssize_t done;

		if (kernel->size == room) {
			unsigned char *bytes;

			if (room >= SIZE_LIMIT)
				return -EFBIG;
			room = room ? room * 2 : 1UL << 20;
			bytes = realloc(kernel->bytes, room);
			if (!bytes)
				return -ENOMEM;
			kernel->bytes = bytes;
		}
		done = read(fd, kernel->bytes + kernel->size, room - kernel->size);
		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			return 0;
		kernel->size += (size_t)done;
	}
}

static int spawn_gzip(int input, int output, pid_t *pid)
{
	char *argv[] = {(char[]){"gzip"}, (char[]){"-dc"}, NULL};
	posix_spawn_file_actions_t actions;
	int err = posix_spawn_file_actions_init(&actions);

	if (err)
		return -err;
	err = posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
	if (!err)
		err = posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	if (!err)
		err = posix_spawnp(pid, "gzip", &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return -err;
}

static int slurp_compressed(struct kernel_file *kernel, int fd, const char *name)
{
	int ends[2], status = 0, ret;
	pid_t pid;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return -errno;
	ret = spawn_gzip(fd, ends[1], &pid);
	close(ends[1]);
	if (ret) {
		close(ends[0]);
		return fail(kernel, ret, "cannot run gzip: %s", strerror(-ret));
	}
	ret = slurp(kernel, ends[0]);
	close(ends[0]); /* a gzip that was not read to its end is ended by this */
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	if (!ret && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
		return fail(kernel, -EIO, "%s: gzip could not decompress it", name);
	return ret;
}

static int load(struct kernel_file *kernel, int fd, const char *name)
{
	static const unsigned char gzip_magic[] = {0x1f, 0x8b};
	static const unsigned char elf_magic[] = {0x7f, 'E', 'L', 'F'};
	unsigned char magic[2];
	ssize_t length = pread(fd, magic, sizeof(magic), 0);
	int ret;

	if (length < 0)
		return -errno;
	if (length == (ssize_t)sizeof(magic) && memcmp(magic, gzip_magic, sizeof(magic)) == 0)
		ret = slurp_compressed(kernel, fd, name);
	else
		ret = slurp(kernel, fd);
	if (ret)
		return ret;
	if (kernel->size < sizeof(elf_magic) ||
	    memcmp(kernel->bytes, elf_magic, sizeof(elf_magic)) != 0)
		return fail(kernel, -ENOEXEC, "%s: not an ELF image", name);
	return 0;
}

int kernel_file_load(struct kernel_file *kernel, const char *name)
{
	int fd, ret;

	*kernel = (struct kernel_file){.bytes = NULL};
	fd = open(name, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail(kernel, -errno, "%s: %s", name, strerror(errno));
	ret = load(kernel, fd, name);
	close(fd);
	if (ret) {
		kernel_file_deinit(kernel);
		if (!kernel->error[0])
			fail(kernel, ret, "%s: %s", name, strerror(-ret));
	}
	return ret;
}

void kernel_file_deinit(struct kernel_file *kernel)
{
	free(kernel->bytes);
	kernel->bytes = NULL;
	kernel->size = 0;
}
