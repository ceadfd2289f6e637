/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Saving a machine: all that is needed to make it again, while every domain is
 * stopped. Each domain is written by itself.
 */
#ifndef HYPERVISOR_SAVE_H
#define HYPERVISOR_SAVE_H

#include "hypervisor/stream-writer.h"

struct hypervisor;

/**
 * Write the machine to @writer. All domains must be stopped (hv_quiesce_step(); else -EBUSY).
 * -ENOMEM: there was no page. Nothing of the machine changes, whatever happens, so after an error
 * hv_quiesce_undo() lets it go on.
 */
int hv_save(struct hypervisor *hv, struct hv_writer *writer);

#endif
