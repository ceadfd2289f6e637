/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions as the core sees them: what they cost their domain, and the limit on snapshots. */
#ifndef XENSTORED_VERBS_TRANSACTION_H
#define XENSTORED_VERBS_TRANSACTION_H

#include "core/core.h"

/** Bring the memory on the client's account in line with what the transaction takes now. */
void transaction_recharge(struct core *core, struct client *client, struct transaction *tx);

/** Bytes that only snapshots keep alive. An upper bound while removed nodes are being freed. */
size_t transaction_held_bytes(const struct core *core);

/** Take snapshots away, oldest unprivileged first, while they hold more than they may. */
void transaction_limit_held(struct core *core);

#endif
