/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state as a text, so that two states can be compared and a difference be read.
 */
#ifndef TESTS_UNIT_PICTURE_H
#define TESTS_UNIT_PICTURE_H

#include "core/core.h"
#include "text.h"

/** Make @out the live tree: names, values, permissions, and whether its bytes are counted rightly.
 */
void picture_tree(const struct core *core, struct text *out);

/** The same, with all domains, their accounts and where they own nodes, and how much else there is.
 */
void picture_state(const struct core *core, struct text *out);

#endif
