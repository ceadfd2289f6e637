/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parts of a program's file. They are read, not mapped: a file that is being replaced may become
 * shorter at any moment, and touching what is mapped behind its new end kills the process.
 */
#ifndef LIVEUPDATE_READ_AT_H
#define LIVEUPDATE_READ_AT_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/**
 * Read @len bytes at @offset of an open file. Returns how many there were, which is less at its
 * end, or a negative errno.
 */
ssize_t read_at(int fd, void *to, size_t len, uint64_t offset);

#endif
