/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The platform layer against the model of the hypervisor: as many domains as
 * there can be, their coming and going, and both interfaces to everything that
 * has two.
 */
#include "stubdom/test-world.h"
#include "tests/unit/setting.h"

/* Domains in the short run; COUNT multiplies them, up to all there can be. */
#define DOMAINS 2500u

static const struct hv_config with_state = {.seed = 1};
static const struct hv_config as_4_17 = {
	.seed = 1,
	.lacks_domain_state = true,
	.domctl_version = 0x15,
};
static const struct hv_config as_4_19 = {
	.seed = 1,
	.lacks_domain_state = true,
	.domctl_version = 0x17,
};

static unsigned int domains_to_make(void)
{
	unsigned long domains = DOMAINS * setting("COUNT", 1);

	/* All but domain 0 and our own. */
	return domains && domains < DOMID_FIRST_RESERVED - 2u ? (unsigned int)domains
							      : DOMID_FIRST_RESERVED - 2u;
}

static void expect_answer(struct test_world *world, unsigned int domid)
{
	char answer[RING_SIZE];
	uint32_t type;

	world_ask(world, domid, XS_GET_DOMAIN_PATH, "0", 2, &type, answer);
	assert_int_equal(type, XS_GET_DOMAIN_PATH);
	assert_string_equal(answer, "/local/domain/0");
}

/* Write by domain 0 what only @domid may read, and have it read. */
static void give_home(struct test_world *world, unsigned int domid)
{
	char payload[128], answer[RING_SIZE];
	uint32_t type;
	int len = snprintf(payload, sizeof(payload), "/local/domain/%u/name%cguest-%u", domid, 0,
			   domid);

	world_ask(world, 0, XS_WRITE, payload, (size_t)len, &type, answer);
	assert_int_equal(type, XS_WRITE);
	len = snprintf(payload, sizeof(payload), "/local/domain/%u/name%cn0%cr%u%c", domid, 0, 0,
		       domid, 0);
	world_ask(world, 0, XS_SET_PERMS, payload, (size_t)len, &type, answer);
	assert_int_equal(type, XS_SET_PERMS);
}

static void expect_name(struct test_world *world, unsigned int domid)
{
	char answer[RING_SIZE], name[32];
	uint32_t type;

	snprintf(name, sizeof(name), "guest-%u", domid);
	world_ask(world, domid, XS_READ, "name", 5, &type, answer);
	assert_int_equal(type, XS_READ);
	assert_string_equal(answer, name);
}

static uint32_t handle_of(unsigned int domid)
{
	return ((const uint32_t *)(uintptr_t)LAYOUT_RING_HANDLES)[domid];
}

static void add(struct test_world *world, unsigned int domid)
{
	char answer[RING_SIZE];

	world_create(world, domid);
	assert_int_equal(world_introduce(world, domid, answer), XS_INTRODUCE);
	give_home(world, domid);
	expect_name(world, domid);
}

static void destroy(struct test_world *world, unsigned int domid)
{
	assert_int_equal(hv_domain_destroy(&world->machine->hv, 0, domid), 0);
	world_run(world);
	hv_reclaim(&world->machine->hv);
	world_run(world);
}

static void test_serves_as_many_domains_as_there_can_be(void **state)
{
	struct test_world *world = world_new(with_state, true);
	unsigned int count = domains_to_make();

	(void)state;
	world_start(world);
	assert_int_equal(events_abi(), EVENTS_FIFO);
	for (unsigned int domid = 2; domid < count + 2; domid++)
		add(world, domid);
	printf("%u domains besides domain 0, %u array pages\n", count, ring0_state()->fifo_pages);
	/* All of them are still served by their own ring and channel. */
	for (unsigned int domid = 2; domid < count + 2; domid++)
		expect_name(world, domid);
	for (unsigned int domid = 2; domid < count + 2; domid++) {
		destroy(world, domid);
		assert_int_equal(handle_of(domid), UINT32_MAX);
	}
	expect_answer(world, 0);
	world_free(world);
}

static void test_events_of_many_domains_at_once(void **state)
{
	struct test_world *world = world_new(with_state, true);
	const char request[] = "\2\0\0\0\7\0\0\0\0\0\0\0\5\0\0\0name";
	unsigned int count = 1500;

	(void)state;
	world_start(world);
	for (unsigned int domid = 2; domid < count; domid++)
		add(world, domid);
	for (unsigned int domid = 2; domid < count; domid++) {
		volatile struct ring_page *page = world->guest[domid].page;

		for (size_t i = 0; i < sizeof(request); i++)
			page->request[page->req_prod++ % RING_SIZE] = request[i];
		/* Twice: a port that is pending swallows the second. */
		for (int i = 0; i < 2; i++)
			assert_int_equal(hv_evtchn_send(&world->machine->hv, domid,
							world->guest[domid].port),
					 0);
	}
	world_run(world);
	for (unsigned int domid = 2; domid < count; domid++) {
		volatile struct ring_page *page = world->guest[domid].page;

		assert_int_equal(page->req_cons, page->req_prod);
		assert_true(page->rsp_prod - page->rsp_cons > 16);
	}
	world_free(world);
}

static void test_a_domid_is_used_again(void **state, struct hv_config config)
{
	struct test_world *world = world_new(config, true);
	char answer[RING_SIZE];
	uint32_t type;

	(void)state;
	world_start(world);
	for (int round = 0; round < 20; round++) {
		add(world, 5);
		add(world, 6);
		destroy(world, 5);
		assert_int_equal(handle_of(5), UINT32_MAX);
		expect_name(world, 6);
		/* What the dead one could read is not its successor's. */
		assert_int_equal(machine_create(world->machine, 5), 5);
		world_prepare(world, 5);
		assert_int_equal(world_introduce(world, 5, answer), XS_INTRODUCE);
		world_ask(world, 5, XS_READ, "name", 5, &type, answer);
		assert_int_equal(type, XS_ERROR);
		assert_string_equal(answer, "EACCES");
		destroy(world, 5);
		destroy(world, 6);
	}
	world_free(world);
}

static void test_reuse_with_domain_state(void **state)
{
	test_a_domid_is_used_again(state, with_state);
}

static void test_reuse_with_a_list(void **state)
{
	test_a_domid_is_used_again(state, as_4_17);
}

static void test_reuse_without_a_list(void **state)
{
	test_a_domid_is_used_again(state, as_4_19);
}

static void expect_backend(struct hv_config config, const char *name, bool exact)
{
	struct test_world *world = world_new(config, true);

	world_start(world);
	assert_string_equal(world->host.domstate->ops->name, name);
	assert_int_equal(world->host.domstate->ops->exact, exact);
	assert_int_equal(world->core->config.own_domid, STUB);
	assert_int_equal(world->core->config.priv_domid, 0);
	world_free(world);
}

static void test_takes_the_interface_that_there_is(void **state)
{
	(void)state;
	expect_backend(with_state, "hypercall", true);
	expect_backend(as_4_17, "getdomaininfo", false);
	expect_backend(as_4_19, "getdomaininfo", false);
}

static void test_2level_ends_at_4096_ports(void **state)
{
	struct test_world *world = world_new(with_state, false);
	char answer[RING_SIZE];
	unsigned int domid = 2;

	(void)state;
	world_start(world);
	assert_int_equal(events_abi(), EVENTS_2LEVEL);
	for (;; domid++) {
		world_create(world, domid);
		if (world_introduce(world, domid, answer) != XS_INTRODUCE)
			break;
		if (domid % 500 == 0)
			expect_answer(world, domid);
	}
	assert_true(domid > 4000 && domid < 4100);
	assert_string_equal(answer, "ENOSPC");
	/* Nothing is left of the one that could not be served, and the others are. */
	assert_int_equal(handle_of(domid), UINT32_MAX);
	expect_answer(world, 2);
	expect_answer(world, domid - 1);
	destroy(world, 100);
	assert_int_equal(world_introduce(world, domid, answer), XS_INTRODUCE);
	expect_answer(world, domid);
	world_free(world);
}

static void test_refuses_what_cannot_be_mapped_or_bound(void **state)
{
	struct test_world *world = world_new(with_state, true);
	char answer[RING_SIZE];

	(void)state;
	world_start(world);
	assert_int_equal(machine_create(world->machine, 9), 9);
	assert_int_equal(
		hv_evtchn_alloc_unbound(&world->machine->hv, 0, 9, STUB, &world->guest[9].port), 0);
	/* No grant. */
	assert_int_equal(world_introduce(world, 9, answer), XS_ERROR);
	assert_int_equal(handle_of(9), UINT32_MAX);
	/* No such port. */
	world_prepare(world, 9);
	world->guest[9].port += 50;
	assert_int_equal(world_introduce(world, 9, answer), XS_ERROR);
	assert_int_equal(handle_of(9), UINT32_MAX);
	/* Not there at all. */
	world->guest[10].port = 1;
	assert_int_equal(world_introduce(world, 10, answer), XS_ERROR);
	assert_string_equal(answer, "ENOENT");
	expect_answer(world, 0);
	world_free(world);
}

/* The next image finds mappings and ports where they were. */
static void test_an_update_maps_and_binds_nothing_anew(void **state)
{
	struct test_world *world = world_new(with_state, true);
	unsigned long maps;
	void *page;

	(void)state;
	world_start(world);
	add(world, 7);
	maps = world->maps;
	ring0_state_arm(true);
	ring0_state_adopt();
	assert_true(ring0_updated);
	assert_int_equal(grants_init(), 0);
	assert_int_equal(events_init(), 0);
	assert_int_equal(grants_map_ring(7, &page), 0);
	assert_ptr_equal(page, (void *)(uintptr_t)(LAYOUT_RINGS + 7 * LAYOUT_PAGE));
	assert_int_equal(world->maps, maps);
	assert_int_equal(events_abi(), EVENTS_FIFO);
	expect_name(world, 7);
	/* A start that nobody armed is none. */
	ring0_state_adopt();
	assert_false(ring0_updated);
	world_free(world);
}

static uint32_t port_of(struct test_world *world, unsigned int domid)
{
	const struct client *client = domain_find(&world->core->state.domains, domid)->client;
	struct transport_place place;

	client->transport->ops->describe(client->transport, &place);
	return place.port;
}

static uint32_t status_of(uint32_t port)
{
	struct evtchn_status status = {.dom = DOMID_SELF, .port = port};

	assert_int_equal(hypercall_op(__HYPERVISOR_event_channel_op, EVTCHNOP_status, &status), 0);
	return status.status;
}

/* What is ours alone is forgotten, as when a program of another kind had been here. */
static void forget(struct test_world *world)
{
	memset((void *)(uintptr_t)LAYOUT_HANDOVER, 0x5a, LAYOUT_RING_HANDLES_END - LAYOUT_HANDOVER);
	(void)world;
}

/*
 * To a program that knows the older interface only, and from one: every channel keeps its number,
 * and what guests do meanwhile is not missed.
 */
static void test_channels_leave_and_come_back(void **state)
{
	struct test_world *world = world_new(with_state, true);
	const unsigned int first = 5, last = 40, ended = 11, dies = 12;
	uint32_t ports[41], waiting, free_one, own_end;
	volatile struct ring_page *page;
	void *ring;

	(void)state;
	world_start(world);
	for (unsigned int domid = first; domid <= last; domid++)
		add(world, domid);
	/* Numbers that are free in between, one that waits for its other end, and virqs. */
	free_one = port_of(world, ended);
	destroy(world, ended);
	waiting = (uint32_t)events_alloc(7);
	assert_int_equal(waiting, free_one);
	free_one = (uint32_t)events_alloc(8);
	assert_true(free_one > port_of(world, last));
	/* A channel of ours to ourselves. */
	own_end = (uint32_t)events_bind(STUB, (uint32_t)events_alloc(STUB));
	events_close(port_of(world, 20));
	for (unsigned int domid = first; domid <= last; domid++)
		ports[domid] = domid == ended ? 0 : port_of(world, domid);
	assert_int_equal(events_can_leave(), 0);
	grants_unmap_all();
	for (unsigned int domid = 0; domid <= last; domid++)
		assert_int_equal(handle_of(domid), UINT32_MAX);
	/* The other end is gone, which nobody here has looked at yet. */
	assert_int_equal(hv_domain_destroy(&world->machine->hv, 0, dies), 0);
	assert_int_equal(events_leave(), 0);
	assert_false(world->fifo);
	for (unsigned int domid = first; domid <= last; domid++)
		if (domid != ended)
			assert_int_equal(status_of(ports[domid]), domid == 20 ? EVTCHNSTAT_closed
								  : domid == dies
									  ? EVTCHNSTAT_unbound
									  : EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(waiting), EVTCHNSTAT_unbound);
	assert_int_equal(status_of(own_end), EVTCHNSTAT_interdomain);
	assert_int_equal(status_of(own_end - 1), EVTCHNSTAT_interdomain);
	assert_int_equal(events_find_virq(VIRQ_DOM_EXC), -ENOENT);
	assert_int_equal(events_find_virq(VIRQ_TIMER), -ENOENT);

	/* Another program is here, and a guest asks for something. */
	forget(world);
	page = world->guest[30].page;
	for (size_t i = 0; i < 20; i++)
		page->request[page->req_prod++ % RING_SIZE] =
			"\2\0\0\0\7\0\0\0\0\0\0\0\5\0\0\0name"[i];
	page->request[page->req_prod++ % RING_SIZE] = 0;
	assert_int_equal(hv_evtchn_send(&world->machine->hv, 30, world->guest[30].port), 0);

	ring0_state_adopt();
	assert_false(ring0_updated);
	assert_int_equal(grants_init(), 0);
	assert_int_equal(events_init(), 0);
	assert_int_equal(events_abi(), EVENTS_FIFO);
	assert_int_equal(events_take_over(), 0);
	for (unsigned int domid = 0; domid <= last; domid++)
		if (domid == 0 || (domid >= first && domid != ended && domid != dies))
			assert_int_equal(grants_map_ring(domid, &ring), 0);
	world_run(world);
	assert_int_equal(page->req_cons, page->req_prod);
	page->rsp_cons = page->rsp_prod;
	for (unsigned int domid = first; domid <= last; domid++)
		if (domid != ended && domid != dies && domid != 20)
			expect_name(world, domid);
	expect_answer(world, 0);
	world_free(world);
}

/* A virq that the program before has left bound is found. */
static void test_a_virq_that_is_bound_is_found(void **state)
{
	struct test_world *world = world_new(with_state, true);
	int port;

	(void)state;
	world_start(world);
	port = events_find_virq(VIRQ_DOM_EXC);
	assert_true(port > 0);
	assert_int_equal(events_bind_virq(VIRQ_DOM_EXC), port);
	world_free(world);
}

static void test_too_many_channels_do_not_leave(void **state)
{
	struct test_world *world = world_new(with_state, true);
	uint32_t port;

	(void)state;
	world_start(world);
	do
		port = (uint32_t)events_alloc(0);
	while (port < 4095);
	assert_int_equal(events_can_leave(), 0);
	events_alloc(0);
	assert_int_equal(events_can_leave(), -ENOSPC);
	assert_int_equal(events_leave(), -ENOSPC);
	assert_true(world->fifo);
	expect_answer(world, 0);
	world_free(world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serves_as_many_domains_as_there_can_be),
		cmocka_unit_test(test_events_of_many_domains_at_once),
		cmocka_unit_test(test_reuse_with_domain_state),
		cmocka_unit_test(test_reuse_with_a_list),
		cmocka_unit_test(test_reuse_without_a_list),
		cmocka_unit_test(test_takes_the_interface_that_there_is),
		cmocka_unit_test(test_2level_ends_at_4096_ports),
		cmocka_unit_test(test_refuses_what_cannot_be_mapped_or_bound),
		cmocka_unit_test(test_an_update_maps_and_binds_nothing_anew),
		cmocka_unit_test(test_channels_leave_and_come_back),
		cmocka_unit_test(test_a_virq_that_is_bound_is_found),
		cmocka_unit_test(test_too_many_channels_do_not_leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
