/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The file that crosses an update: what is written is read, and a damaged one is
 * refused or read as something else, but never harms.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "hypervisor/host/hand-over.h"
#include "tests/unit/setting.h"

/* Connections are numbers here; nobody reads from them. */
#define FIRST_FD 1000

static struct host writer, reader;
static struct host_domain writer_domains[HV_DOMID_FIRST_RESERVED],
	reader_domains[HV_DOMID_FIRST_RESERVED];

static void ignore_upcall(void *data, unsigned int domid, uint32_t port)
{
	(void)data;
	(void)domid;
	(void)port;
}

/* A machine of two domains, whose mechanism both hosts use. */
static void make_machine(struct host *host)
{
	struct hv_domain_config config = {.caps = HV_CAP_CONTROL | HV_CAP_HARDWARE};
	struct hv_config hv_config = {.allocator = host_allocator,
				      .callbacks = {.upcall = ignore_upcall}};
	unsigned int domid;

	memset(host, 0, sizeof(*host));
	strcpy(host->directory, "/somewhere");
	strcpy(host->store_rundir, "/run");
	host->xen_version = 0x40015;
	hv_init(&host->hv, &hv_config);
	host->domains = writer_domains;
	assert_int_equal(hv_domain_create(&host->hv, HV_DOMID_XEN, &config, &domid), 0);
	config = (struct hv_domain_config){.domid = 1};
	assert_int_equal(hv_domain_create(&host->hv, HV_DOMID_XEN, &config, &domid), 0);
	assert_int_equal(hv_grant_access(&host->hv, HV_DOMID_XEN, 1, 1, 0, 77, false), 0);
}

static void add_mapping(struct host *host, struct control *control)
{
	uint32_t mapping;
	uint64_t frame;

	assert_int_equal(hv_grant_map(&host->hv, 0, 1, 1, false, &mapping, &frame), 0);
	assert_true(mappings_add(host, control, mapping) >= 0);
}

static void fill(struct host *host)
{
	struct handle *handle = handle_new(host, FIRST_FD);
	struct control *control = control_new(host, FIRST_FD + 1);
	uint32_t port;

	assert_non_null(handle);
	assert_non_null(control);
	handle->greeted = handle->had_dom_exc = true;
	handle->cookie = 4711;
	handle->partial_length = 3;
	memcpy(handle->partial, "abc", 3);
	handle->sent_bytes = 2;
	for (uint32_t i = 0; i < 20; i++)
		assert_int_equal(handle_queue(handle, 100 + i), 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(hv_evtchn_alloc_unbound(&host->hv, 0, 0, 1, &port), 0);
		assert_int_equal(handle_own(host, handle, port, i == 1), 0);
	}
	control->greeted = true;
	strcpy(control->rundir, "/run/xenstored");
	for (int i = 0; i < 5; i++)
		add_mapping(host, control);
	assert_int_equal(mappings_remove(host, 2), 0);
	assert_int_equal(shares_put(host, control, 40), 0);
	assert_non_null(handle_new(host, FIRST_FD + 2));
	strcpy(host->domains[0].name, "Domain-0");
	strcpy(host->domains[1].name, "guest");
	host->domains[1].store_port = 9;
	host->domains[1].introduced = true;
}

/* Frees what a host has besides its mechanism, and closes nothing. */
static void empty(struct host *host)
{
	while (host->handles) {
		struct handle *handle = host->handles;

		host->handles = handle->next;
		free(handle->queue);
		free(handle);
	}
	while (host->controls) {
		struct control *control = host->controls;

		host->controls = control->next;
		free(control);
	}
	for (uint32_t domid = 0; domid < HV_DOMID_FIRST_RESERVED; domid++) {
		struct host_domain *domain = &host->domains[domid];

		if (!domain->ports && !domain->shares && !domain->name[0])
			continue;
		free(domain->ports);
		free(domain->shares);
		*domain = (struct host_domain){.store_port = 0};
	}
	free(host->mappings);
	free(host->sources);
	*host = (struct host){.directory = ""};
}

/* Reads a file into a host that has the writer's mechanism. */
static int read_into(int fd, unsigned int *odd)
{
	memset(&reader, 0, sizeof(reader));
	reader.hv = writer.hv;
	reader.domains = reader_domains;
	*odd = 0;
	return hand_over_read(fd, &reader, odd);
}

static int setup(void **state)
{
	(void)state;
	make_machine(&writer);
	fill(&writer);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	hv_deinit(&writer.hv);
	empty(&writer);
	return 0;
}

static void test_round_trip(void **state)
{
	static struct hand_over head, read;
	const struct handle *handle;
	unsigned int odd;
	int fd;

	(void)state;
	head = (struct hand_over){.previous = 5, .watchdog = -1, .requester = FIRST_FD + 1};
	fd = hand_over_write(&writer, &head);
	assert_true(fd >= 0);
	assert_int_equal(hand_over_read_head(fd, &read), 0);
	assert_string_equal(read.directory, "/somewhere");
	assert_int_equal(read.requester, FIRST_FD + 1);
	assert_int_equal(read_into(fd, &odd), 0);
	assert_int_equal(odd, 0);

	assert_int_equal(reader.handle_count, 2);
	handle = handle_by_cookie(&reader, 4711);
	assert_non_null(handle);
	assert_int_equal(handle->source.fd, FIRST_FD);
	assert_true(handle->had_dom_exc && !handle->blocked);
	assert_int_equal(handle->queue_count, 20);
	assert_int_equal(handle->queue[handle->queue_start], 100);
	assert_int_equal(handle->sent_bytes, 2);
	assert_memory_equal(handle->partial, "abc", 3);
	for (uint32_t port = 1; port < 4; port++) {
		assert_ptr_equal(handle_of_port(&reader, 0, port), handle);
		assert_int_equal(reader.domains[0].ports[port].keeps_open, port == 2);
	}
	assert_int_equal(reader.mapping_used, 4);
	assert_null(reader.mappings[2].owner);
	/* The free id is given away next, as before. */
	add_mapping(&reader, reader.controls);
	assert_ptr_equal(reader.mappings[2].owner, reader.controls);
	assert_ptr_equal(reader.domains[0].shares[40], reader.controls);
	assert_string_equal(reader.controls->rundir, "/run/xenstored");
	assert_string_equal(reader.domains[1].name, "guest");
	assert_true(reader.domains[1].introduced && !reader.domains[1].bare);
	empty(&reader);
	close(fd);
}

static void test_the_mechanism_wins(void **state)
{
	struct hand_over head = {.watchdog = -1};
	unsigned int odd;
	int fd = hand_over_write(&writer, &head);

	(void)state;
	assert_true(fd >= 0);
	/* A port and a mapping that are not there any more. */
	assert_int_equal(hv_evtchn_close(&writer.hv, 0, 1), 0);
	assert_int_equal(hv_unmap(&writer.hv, 0, writer.mappings[0].handle), 0);
	assert_int_equal(read_into(fd, &odd), 0);
	assert_int_equal(odd, 2);
	assert_null(handle_of_port(&reader, 0, 1));
	assert_int_equal(reader.mapping_used, 3);
	empty(&reader);
	close(fd);
}

static void test_every_length(void **state)
{
	struct hand_over head = {.watchdog = -1};
	unsigned int odd;
	int fd = hand_over_write(&writer, &head);

	(void)state;
	assert_true(fd >= 0);
	for (uint64_t size = head.size; size-- > sizeof(head);) {
		/* Shorter than it says, and as short as it says. */
		assert_int_equal(ftruncate(fd, (off_t)size), 0);
		assert_int_equal(hand_over_read(fd, &reader, &odd), -EINVAL);
		head.size = size;
		assert_int_equal(hand_over_write_head(fd, &head), 0);
		assert_int_equal(read_into(fd, &odd), -EINVAL);
		empty(&reader);
	}
	close(fd);
}

static void test_every_byte(void **state)
{
	struct hand_over head = {.watchdog = -1};
	int fd = hand_over_write(&writer, &head);
	unsigned int rounds = (unsigned int)setting("COUNT", 1), odd;

	(void)state;
	assert_true(fd >= 0);
	for (uint64_t at = 0; at < head.size * rounds; at++) {
		off_t offset = (off_t)(at % head.size);
		unsigned char byte, other;

		/* The long texts of the head are all alike. */
		if (offset > 700 && offset < (off_t)sizeof(head) - 8)
			continue;
		assert_int_equal(pread(fd, &byte, 1, offset), 1);
		other = (unsigned char)(byte ^ (at < head.size ? 0xff : 1 + rand() % 255));
		assert_int_equal(pwrite(fd, &other, 1, offset), 1);
		read_into(fd, &odd);
		empty(&reader);
		assert_int_equal(pwrite(fd, &byte, 1, offset), 1);
	}
	close(fd);
}

/* Two connections of one descriptor, and a page that is shared twice. */
static void test_twice(void **state)
{
	struct hand_over head = {.watchdog = -1};
	struct control *other;
	struct handle *handle;
	unsigned int odd;
	int fd;

	(void)state;
	handle = handle_new(&writer, FIRST_FD);
	assert_non_null(handle);
	fd = hand_over_write(&writer, &head);
	assert_int_equal(read_into(fd, &odd), -EINVAL);
	empty(&reader);
	close(fd);
	handle->source.fd = FIRST_FD + 3;
	other = control_new(&writer, FIRST_FD);
	assert_non_null(other);
	fd = hand_over_write(&writer, &head);
	assert_int_equal(read_into(fd, &odd), -EINVAL);
	empty(&reader);
	close(fd);
	other->source.fd = FIRST_FD + 4;
	fd = hand_over_write(&writer, &head);
	assert_int_equal(read_into(fd, &odd), 0);
	assert_int_equal(shares_put(&reader, reader.controls, 40), -EINVAL);
	empty(&reader);
	close(fd);
}

/* The writer's file, with something changed at @offset, is read. Returns what reading does. */
static int read_changed(uint64_t offset, const void *bytes, size_t size)
{
	struct hand_over head = {.previous = 5, .watchdog = -1};
	int fd = hand_over_write(&writer, &head), error;
	unsigned int odd;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)offset), size);
	error = read_into(fd, &odd);
	empty(&reader);
	close(fd);
	return error;
}

/* As the writer is. */
static int read_back(void)
{
	return read_changed(0, "", 0);
}

/* Two who both believe that it is theirs would give it back twice, the second time somebody else's.
 */
static void test_mappings_with_two_owners(void **state)
{
	struct control *other = control_new(&writer, FIRST_FD + 5);
	const uint32_t handle = writer.mappings[0].handle;

	(void)state;
	assert_non_null(other);
	add_mapping(&writer, other);
	assert_int_equal(read_back(), 0);
	writer.mappings[1].handle = handle; /* one process, two numbers of its own */
	assert_int_equal(read_back(), -EINVAL);
	writer.mappings[1].handle = 1;
	assert_int_equal(read_back(), 0);
	writer.mappings[other->first_mapping - 1].handle = handle; /* two processes */
	assert_int_equal(read_back(), -EINVAL);
}

/* What the host itself has open is no connection's. */
static void test_descriptors_of_the_host(void **state)
{
	const int32_t fd = FIRST_FD + 1;
	const size_t own[] = {
		offsetof(struct hand_over, memory),
		offsetof(struct hand_over, lock),
		offsetof(struct hand_over, epoll),
		offsetof(struct hand_over, previous),
		offsetof(struct hand_over, control_listener),
		offsetof(struct hand_over, watchdog),
		offsetof(struct hand_over, evtchn_listener),
	};

	(void)state;
	for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
		assert_int_equal(read_changed(own[i], &fd, sizeof(fd)), -EINVAL);
	assert_int_equal(read_back(), 0);
}

/* Ports and domains stand at the end of the file: (port, handle, open) and then the next domain. */
static void test_ports_and_domains_twice(void **state)
{
	struct hand_over head = {.watchdog = -1};
	int fd = hand_over_write(&writer, &head);
	const uint64_t entry = 8 + 8 + SIMXEN_NAME_MAX, last = head.size - entry;
	uint32_t number;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(pread(fd, &number, sizeof(number), (off_t)last), sizeof(number));
	assert_int_equal(number, 1); /* the domain */
	number = 0;
	assert_int_equal(read_changed(last, &number, sizeof(number)), -EINVAL);
	assert_int_equal(pread(fd, &number, sizeof(number), (off_t)last - 12), sizeof(number));
	assert_int_equal(number, 3); /* the port */
	number = 2;
	assert_int_equal(read_changed(last - 12, &number, sizeof(number)), -EINVAL);
	close(fd);
}

static void test_versions(void **state)
{
	struct hand_over head = {.watchdog = -1};
	int fd = hand_over_write(&writer, &head);

	(void)state;
	assert_true(fd >= 0);
	head.version++;
	assert_int_equal(hand_over_write_head(fd, &head), 0);
	assert_int_equal(hand_over_read_head(fd, &head), -EPROTO);
	head.version--;
	head.magic++;
	assert_int_equal(hand_over_write_head(fd, &head), 0);
	assert_int_equal(hand_over_read_head(fd, &head), -EINVAL);
	close(fd);
	assert_int_equal(hand_over_read_head(-1, &head), -EIO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_round_trip, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_mechanism_wins, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_length, setup, teardown),
		cmocka_unit_test_setup_teardown(test_every_byte, setup, teardown),
		cmocka_unit_test_setup_teardown(test_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_mappings_with_two_owners, setup, teardown),
		cmocka_unit_test_setup_teardown(test_descriptors_of_the_host, setup, teardown),
		cmocka_unit_test_setup_teardown(test_ports_and_domains_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_versions, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
