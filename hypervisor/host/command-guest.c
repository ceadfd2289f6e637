/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Playing a guest: a command whose XENSTORED_PATH leads to the guest's ring. The
 * bridge is a process of its own, which several commands can use at a time: the
 * first starts it, and it ends after the last. Each holds a connection to it for
 * as long as its command runs; a lock settles who is first or last.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bridge.h"
#include "command.h"
#include "hypervisor/libs/client.h"
#include "ring.h"

struct meeting {
	struct sockaddr_un address;
	int lock;
	int listener;
};

static int meet(struct meeting *meeting, uint32_t domid)
{
	char buffer[64], path[4096], directory[4096];

	if (!realpath(simxen_directory(buffer, sizeof(buffer)), directory))
		return -errno;
	meeting->address = (struct sockaddr_un){.sun_family = AF_UNIX};
	meeting->listener = -1;
	if (snprintf(path, sizeof(path), "%s/guest-%u", directory, domid) >=
	    (int)sizeof(meeting->address.sun_path))
		return -ENAMETOOLONG;
	strcpy(meeting->address.sun_path, path);
	strcat(path, ".lock");
	meeting->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (meeting->lock < 0)
		return -errno;
	return flock(meeting->lock, LOCK_EX) < 0 ? -errno : 0;
}

/* A connection to the bridge, or a negative errno. */
static int join(const struct meeting *meeting)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int error;

	if (fd >= 0 &&
	    connect(fd, (const struct sockaddr *)&meeting->address, sizeof(meeting->address)) == 0)
		return fd;
	error = -errno;
	if (fd >= 0)
		close(fd);
	return error;
}

static int listen_for_clients(struct meeting *meeting)
{
	unlink(meeting->address.sun_path);
	meeting->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (meeting->listener < 0 ||
	    bind(meeting->listener, (struct sockaddr *)&meeting->address,
		 sizeof(meeting->address)) < 0 ||
	    listen(meeting->listener, 1024) < 0)
		return -errno;
	return 0;
}

/* In the bridge without clients: true unless somebody has come meanwhile. */
static bool may_end(void *data)
{
	struct meeting *meeting = data;
	struct pollfd wait = {.fd = meeting->listener, .events = POLLIN};
	static bool begun;

	/* The first client is the command that is being started. */
	if (!begun) {
		begun = true;
		return false;
	}
	flock(meeting->lock, LOCK_EX);
	if (poll(&wait, 1, 0) == 0)
		return true;
	flock(meeting->lock, LOCK_UN);
	return false;
}

/* The bridge's process; it has the lock when it ends. */
static int play(struct ring *ring, struct meeting *meeting)
{
	char path[sizeof(meeting->address.sun_path) + 8];
	int error, null = open("/dev/null", O_RDWR | O_CLOEXEC), log;

	/* Its own description of the lock's file, for the parent's is locked by the parent. */
	snprintf(path, sizeof(path), "%s.lock", meeting->address.sun_path);
	meeting->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	/* Whoever reads what the command prints must not wait for the bridge. */
	strcpy(strrchr(path, '/'), "/log");
	log = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (null >= 0) {
		dup2(null, STDIN_FILENO);
		dup2(null, STDOUT_FILENO);
		dup2(log >= 0 ? log : null, STDERR_FILENO);
	}
	setsid();
	error = bridge_run(ring, meeting->listener, may_end, meeting);
	unlink(meeting->address.sun_path);
	if (error < 0)
		fprintf(stderr, "simxen guest: %s: %s\n", meeting->address.sun_path,
			strerror(-error));
	return error < 0 ? 1 : 0;
}

/* Connects to the guest's bridge, starting one if need be. */
static int enter(const struct command *command, struct meeting *meeting, uint32_t domid)
{
	struct ring ring;
	int error, fd = join(meeting);
	pid_t pid;

	if (fd >= 0)
		return fd;
	error = ring_open(&ring, domid);
	if (error == -ESRCH) {
		fprintf(stderr, "simxen %s: there is no domain %u\n", command->name, domid);
		exit(1);
	}
	if (error == 0)
		error = listen_for_clients(meeting);
	if (error < 0)
		return error;
	/* Twice, so that it is nobody's child to wait for. */
	pid = fork();
	if (pid == 0) {
		close(meeting->lock);
		if (fork() == 0)
			_exit(play(&ring, meeting));
		_exit(0);
	}
	if (pid < 0)
		return -errno;
	waitpid(pid, NULL, 0);
	close(meeting->listener);
	ring_close(&ring);
	return join(meeting);
}

/*
 * Waits for the command, or for the end of the guest: then the command ends too, as a process of a
 * machine that is switched off. Returns the exit status.
 */
static int wait_for(const struct command *command, pid_t pid, int connection)
{
	struct pollfd ends[2] = {{.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN},
				 {.fd = connection, .events = POLLIN}};
	int status;

	while (poll(ends, 2, -1) < 0 && errno == EINTR)
		;
	if (!ends[0].revents && ends[1].revents) {
		fprintf(stderr, "simxen %s: the guest has ended\n", command->name);
		kill(pid, SIGKILL);
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int command_guest(const struct command *command, int argc, char **argv)
{
	struct meeting meeting;
	uint32_t domid;
	int connection, status;
	pid_t pid;

	if (argc < 4 || !command_domid(argv[1], &domid) || strcmp(argv[2], "--") != 0)
		return command_usage(command);
	simxen_client_free(command_client(command));
	status = meet(&meeting, domid);
	connection = status < 0 ? status : enter(command, &meeting, domid);
	if (connection < 0)
		return command_failed(command, argv[1], connection);
	close(meeting.lock);
	setenv("XENSTORED_PATH", meeting.address.sun_path, 1);
	setenv("SIMXEN_DOMID", argv[1], 1);
	pid = fork();
	if (pid == 0) {
		execvp(argv[3], argv + 3);
		command_failed(command, argv[3], -errno);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (pid < 0)
		return command_failed(command, "fork", -errno);
	signal(SIGINT, SIG_IGN);
	return wait_for(command, pid, connection);
}
