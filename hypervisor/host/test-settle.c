/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the mechanism tells the host while there is no memory: the host goes on, and nothing is
 * lost. Each event reaches its process once, and what belonged to a domain is forgotten, when there
 * is memory again.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/host/host.h"
#include "tests/unit/faults.h"

#define PORTS 100 /* more than there is room for at first */

static struct host host;
static struct handle *handle;
static int process; /* the other end of the handle */
static uint32_t ports[PORTS], guest_ports[PORTS];

static int setup(void **state)
{
	struct hv_domain_config config = {.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE};
	struct hv_config hv_config = {.allocator = host_allocator};
	unsigned int domid;
	int ends[2];

	(void)state;
	host = (struct host){.directory = "/somewhere", .epoll = epoll_create1(0)};
	hv_config.callbacks = host_config(&host).callbacks;
	hv_init(&host.hv, &hv_config);
	assert_int_equal(hv_memory_init(&host.machine, &host_allocator, 1), 0);
	host.domains = calloc(HV_DOMID_FIRST_RESERVED, sizeof(*host.domains));
	assert_non_null(host.domains);
	assert_int_equal(hv_domain_create(&host.hv, HV_DOMID_XEN, &config, &domid), 0);
	config = (struct hv_domain_config){.domid = 1};
	assert_int_equal(hv_domain_create(&host.hv, HV_DOMID_XEN, &config, &domid), 0);
	strcpy(host.domains[1].name, "guest");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	process = ends[1];
	handle = handle_new(&host, ends[0]);
	assert_non_null(handle);
	handle->greeted = true;
	for (int i = 0; i < PORTS; i++) {
		assert_int_equal(hv_evtchn_alloc_unbound(&host.hv, 0, 0, 1, &ports[i]), 0);
		assert_int_equal(
			hv_evtchn_bind_interdomain(&host.hv, 1, 0, ports[i], &guest_ports[i]), 0);
		assert_int_equal(handle_attach(&host, handle, ports[i], false), 0);
	}
	host_settle(&host);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	faults_disarm();
	handle_close(&host, handle);
	close(process);
	hv_deinit(&host.hv);
	hv_memory_deinit(&host.machine);
	domains_free(&host);
	free(host.sources);
	free(host.events);
	free(host.freed);
	close(host.epoll);
	return 0;
}

/* How many events the process gets; each port at most once. */
static int events(void)
{
	bool seen[PORTS + 1] = {false};
	uint32_t port;
	int count = 0;

	handle_flush_dirty(&host);
	while (read(process, &port, sizeof(port)) == (ssize_t)sizeof(port)) {
		assert_true(port <= PORTS && !seen[port]);
		seen[port] = true;
		count++;
	}
	return count;
}

/* Each port's event, with allocation number @first and all behind it failing. */
static void send_all(unsigned long first)
{
	faults_arm(first, ~0UL - first);
	for (int i = 0; i < PORTS; i++)
		assert_int_equal(hv_evtchn_send(&host.hv, 1, guest_ports[i]), 0);
	host_settle(&host);
}

static void test_events(void **state)
{
	int early;

	(void)state;
	for (unsigned long first = 1;; first++) {
		send_all(first);
		early = events();
		if (!faults.fired)
			break;
		assert_true(early < PORTS && host.missed);
		/* There may be room by now, but no memory. */
		host_settle(&host);
		early += events();
		faults_disarm();
		host_settle(&host);
		assert_false(host.missed);
		assert_int_equal(early + events(), PORTS);
		assert_int_equal(events(), 0);
		for (int i = 0; i < PORTS; i++)
			assert_int_equal(hv_evtchn_unmask(&host.hv, 0, ports[i]), 0);
		/* The next time, too, there is as little room as at first. */
		free(handle->queue);
		free(host.events);
		handle->queue = NULL;
		host.events = NULL;
		handle->queue_room = handle->queue_start = host.event_room = 0;
	}
	assert_int_equal(early, PORTS);
}

static void test_freed_domain(void **state)
{
	(void)state;
	assert_int_equal(hv_domain_destroy(&host.hv, HV_DOMID_XEN, 1), 0);
	faults_arm(1, 1);
	assert_int_equal(hv_reclaim(&host.hv), 1);
	assert_int_equal(faults.fired, 1);
	assert_string_equal(host.domains[1].name, "guest");
	faults_disarm();
	host_settle(&host);
	assert_string_equal(host.domains[1].name, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_events, setup, teardown),
		cmocka_unit_test_setup_teardown(test_freed_domain, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
