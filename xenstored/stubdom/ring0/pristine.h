/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * This image as the file that it was loaded from.
 *
 * A live update whose new image fails goes back to the old one, for which that one's file is
 * needed. It does not have to be kept or asked for: code and constants are in memory as they were
 * loaded, and of the writable part, which is small, a copy is made before anything is written.
 */
#ifndef XENSTORED_STUBDOM_RING0_PRISTINE_H
#define XENSTORED_STUBDOM_RING0_PRISTINE_H

#include <stdbool.h>
#include <stddef.h>

/** Make the copy. The very first thing, before any variable that was loaded is changed. */
void pristine_keep(void);

/** Size of the file in bytes, 0: it cannot be made since its writable part is too large. */
size_t pristine_size(void);

/** Write the file, as far as it was loaded. @file: pristine_size() bytes */
void pristine_write(void *file);

#endif
