/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Looks like libxenguest.so.4.17: what oxenstored was linked to of it, and never
 * calls.
 */
#include "absent.h"

ABSENT(xc_domain_resume)
ABSENT(xc_get_cpu_featureset)
