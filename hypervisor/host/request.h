/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * One request on a control connection.
 */
#ifndef HYPERVISOR_HOST_REQUEST_H
#define HYPERVISOR_HOST_REQUEST_H

#include "hypervisor/host/host.h"

struct request {
	struct host *host;
	struct control *control;
	struct simxen_message *message; /* becomes the answer */
	unsigned char *data;		/* SIMXEN_DATA_MAX bytes; becomes the answer's */
	size_t length;			/* of the request's data */
	size_t answer_length;
	int descriptor; /* to go with the answer, or -1 */
	int received;	/* came with the request, or -1; whoever keeps it says so by -1 */
	bool later;	/* it is answered by control_answer() some time */
};

/* Carries the request out and prepares its answer; returns the result. */
int request_run(struct request *request);

#endif
