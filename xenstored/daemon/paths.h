/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the daemon's files live.
 *
 * Two directories matter: the run directory, which holds the server socket and vanishes at boot,
 * and the library directory, below which relative names of trace and report files are meant.
 * Both are compiled in (override with -D) because clients must find the socket without being
 * told; the environment and --rundir move the run directory, e.g. for a second store beside the
 * system's.
 */
#ifndef XENSTORED_DAEMON_PATHS_H
#define XENSTORED_DAEMON_PATHS_H

#include <stddef.h>

#ifndef XENSTORED_RUNDIR_DEFAULT
#define XENSTORED_RUNDIR_DEFAULT "/run/xenstored"
#endif

#ifndef XENSTORED_LIBDIR
#define XENSTORED_LIBDIR "/var/lib/xen/xenstore"
#endif

/**
 * The run directory: @option (the value of --rundir, or NULL) if given, else XENSTORED_RUNDIR
 * from the environment if set and not empty, else the compiled-in default. The result belongs to
 * the argument, the environment or the program; nothing is to be freed.
 */
const char *paths_rundir(const char *option);

/**
 * Writes the path of the server socket to @path (@size bytes): XENSTORED_PATH from the
 * environment, else "socket" in paths_rundir(@option). Returns 0, or -ENAMETOOLONG when it does
 * not fit (@path then holds the beginning, for a message).
 */
int paths_socket(char *path, size_t size, const char *option);

/**
 * Writes to @path (@size bytes) where the file @name is meant: an absolute name as it is, a
 * relative one below @libdir. Returns 0 or -ENAMETOOLONG.
 */
int paths_below_libdir(char *path, size_t size, const char *libdir, const char *name);

/**
 * Makes directory @path with mode 0755, its missing parents too. One that exists is left as it
 * is. Returns 0 or a negative errno.
 */
int paths_make_directory(const char *path);

#endif
