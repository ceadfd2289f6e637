/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Comparing the core with the naive model, and with a recount of itself.
 */
#ifndef TESTS_UNIT_COMPARE_H
#define TESTS_UNIT_COMPARE_H

#include "core/core.h"
#include "model.h"

/* What a domain's clients hold besides nodes. */
struct compare_use {
	unsigned int watches, transactions;
};

/** True when two model stores have the same content. */
bool compare_models(const struct model_node *a, const struct model_node *b);

/**
 * Compare the core's accounts and sums of memory with a recount. No release is pending. Returns
 * false with the first difference in @why.
 */
bool compare_recounts(const struct core *core, char *why, size_t size);

/**
 * Compare the live store (names in order, values, permissions) and all accounts with the model, and
 * with a recount. The core is at rest and nothing is queued. Returns as compare_recounts().
 */
bool compare_core(const struct core *core, const struct model *model, const struct compare_use *use,
		  char *why, size_t size);

/** Memory of all nodes and pages below @node, counted one by one. */
size_t compare_recount(struct node *node);

#endif
