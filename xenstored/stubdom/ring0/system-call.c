/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One function for each call that does something (spec: stubdom.md section 2). */
#include "stubdom/ring0/system-call.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>

#include "stubdom/ring0/clock.h"
#include "stubdom/ring0/console.h"
#include "stubdom/ring0/hypercall.h"
#include "stubdom/ring0/memory.h"
#include "stubdom/ring0/processor.h"
#include "stubdom/ring0/random.h"
#include "stubdom/ring0/ring0.h"

#include <xen/sched.h>

#define NS_PER_S       1000000000ull
#define ARCH_SET_FS    0x1002u
#define RESOURCE_STACK 3u
#define OUR_ID	       1 /* of process and thread */

static const struct system_files *files;

void system_set_files(const struct system_files *new_files)
{
	files = new_files;
}

static long map(const uint64_t *argument)
{
	uint64_t flags = argument[3];
	uintptr_t address;

	if (!(flags & MAP_ANONYMOUS) || (flags & MAP_FIXED))
		return -EINVAL;
	address = memory_map(&ring0_memory, argument[1]);
	return address ? (long)address : -ENOMEM;
}

static long write_bytes(int fd, const void *data, size_t len)
{
	if (fd < 0)
		return -EBADF;
	if (fd >= SYSTEM_FIRST_FILE)
		return files ? files->write(fd, data, len) : -EBADF;
	console_write(data, len);
	return (long)len;
}

static long write_vector(int fd, const struct iovec *vector, size_t count)
{
	long done = 0;

	for (size_t i = 0; i < count; i++) {
		long written = write_bytes(fd, vector[i].iov_base, vector[i].iov_len);

		if (written < 0)
			return done ? done : written;
		done += written;
		if ((size_t)written < vector[i].iov_len)
			break;
	}
	return done;
}

static long get_time(uint64_t which, struct timespec *out)
{
	bool wall = which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE;
	uint64_t now = wall ? clock_wall_ns() : clock_monotonic_ns();

	out->tv_sec = (time_t)(now / NS_PER_S);
	out->tv_nsec = (long)(now % NS_PER_S);
	return 0;
}

static long get_seconds(time_t *out)
{
	time_t now = (time_t)(clock_wall_ns() / NS_PER_S);

	if (out)
		*out = now;
	return now;
}

static long get_limit(uint64_t resource, struct rlimit *old)
{
	if (!old)
		return 0;
	old->rlim_cur = old->rlim_max = RLIM_INFINITY;
	if (resource == RESOURCE_STACK)
		old->rlim_cur = LAYOUT_STACK_END - LAYOUT_STACK;
	return 0;
}

_Noreturn static void end(uint64_t status)
{
	if (status)
		ring0_panic("the program has ended with status %u", (unsigned int)status);
	ring0_shutdown(SHUTDOWN_poweroff);
}

/* A file that is open for appending says so to fdopen(). */
static long file_control(int fd, uint64_t command)
{
	if (!files || fd < SYSTEM_FIRST_FILE)
		return -EBADF;
	return command == F_GETFL ? O_WRONLY | O_APPEND : 0;
}

long system_call(uint64_t number, const uint64_t *argument)
{
	int fd = (int)argument[0];

	switch (number) {
	case SYS_brk:
		return (long)memory_brk(&ring0_memory, argument[0]);
	case SYS_mmap:
		return map(argument);
	case SYS_munmap:
		return memory_unmap(&ring0_memory, argument[0], argument[1]);
	case SYS_write:
		return write_bytes(fd, (const void *)argument[1], argument[2]);
	case SYS_writev:
		return write_vector(fd, (const struct iovec *)argument[1], argument[2]);
	case SYS_openat:
		return files ? files->open((const char *)argument[1], (int)argument[2]) : -ENOENT;
	case SYS_close:
		return files && fd >= SYSTEM_FIRST_FILE ? files->close(fd) : -EBADF;
	case SYS_fcntl:
		return file_control(fd, argument[1]);
	case SYS_clock_gettime:
		return get_time(argument[0], (struct timespec *)argument[1]);
	case SYS_time:
		return get_seconds((time_t *)argument[0]);
	case SYS_getrandom:
		random_fill((void *)argument[0], argument[1]);
		return (long)argument[1];
	case SYS_arch_prctl:
		if (argument[0] != ARCH_SET_FS)
			return -EINVAL;
		write_msr(MSR_FS_BASE, argument[1]);
		return 0;
	case SYS_prlimit64:
		return get_limit(argument[1], (struct rlimit *)argument[3]);
	case SYS_set_tid_address:
	case SYS_gettid:
	case SYS_getpid:
		return OUR_ID;
	case SYS_exit:
	case SYS_exit_group:
		end(argument[0]);
	case SYS_tgkill:
	case SYS_tkill:
	case SYS_kill:
		ring0_panic("the program has aborted (signal %u)",
			    (unsigned int)argument[number == SYS_tgkill ? 2 : 1]);
	case SYS_set_robust_list:
	case SYS_mprotect:
	case SYS_madvise:
	case SYS_rt_sigprocmask:
	case SYS_rt_sigaction:
	case SYS_sched_yield:
		return 0;
	case SYS_readlink:
		return -ENOENT;
	case SYS_newfstatat:
	case SYS_fstat:
	case SYS_read:
		return -EBADF;
	case SYS_lseek:
		return -ESPIPE;
	case SYS_ioctl:
		return -ENOTTY;
	default:
		return -ENOSYS; /* rseq, mremap, sockets: the library does without */
	}
}
