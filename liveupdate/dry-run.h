/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Trying an image: a complete restore into a core that nobody is connected to. */
#ifndef LIVEUPDATE_DRY_RUN_H
#define LIVEUPDATE_DRY_RUN_H

#include "liveupdate/image.h"

/**
 * Check an image by all rules and restore it, without touching any descriptor that it names.
 * Returns 0 or an errno value with report->error filled.
 */
int image_try(const void *image, size_t size, struct image_report *report);

#endif
