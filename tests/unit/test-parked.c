/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Transactions that may not begin for a while (spec: protocol.md sections 9 and 13). */
#include "guests.h"
#include "migrate.h"

/* A TRANSACTION_START with a number of its own, which is not answered at once. */
static void ask(struct peer *peer, uint32_t req_id)
{
	struct wire_header header = {.type = XS_TRANSACTION_START, .req_id = req_id, .len = 1};

	peer_push(peer, &header, sizeof(header));
	peer_push(peer, "", 1);
	harness_run(peer->harness);
}

static void next_is(struct peer *peer, uint32_t type, uint32_t req_id)
{
	struct answer answer;

	assert_true(peer_receive(peer, &answer));
	assert_int_equal(answer.header.type, type);
	assert_int_equal(answer.header.req_id, req_id);
}

static void test_who_has_none_gets_none(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6), *socket = harness_socket(h);
	uint32_t tx, second;

	node(h, "/r", "n0 r6");
	ok(peer_start(five, &tx));
	core_hold_transactions(h->core, true);
	/* Whoever is in the middle of something goes on. */
	ok(peer_start(five, &second));
	ok(peer_write(five, tx, "data", "x"));
	ask(six, 1);
	ask(h->dom0, 2);
	ask(h->dom0, 3);
	ask(socket, 4);
	no_answer(six);
	no_answer(h->dom0);
	no_answer(socket);
	/* All else is answered. */
	fails(ENOENT, peer_read(six, 0, "data", NULL));
	value_is(h->dom0, 0, "/", "");
	fails(ENOENT, peer_request(h->dom0, XS_TRANSACTION_START, 77, "", 1, NULL));
	/* Another one holds a guest up, but not the toolstack. */
	peer_send(six, XS_READ, 0, "/r", 3);
	ask(six, 5);
	next_is(six, XS_READ, 7);
	peer_send(six, XS_READ, 0, "/r", 3);
	harness_run(h);
	no_answer(six);
	ok(peer_end(five, tx, true));
	ok(peer_end(five, second, false));
	assert_int_equal(h->core->transaction_count, 0);
	/* The one that ended its last is as all the others now. */
	ask(five, 6);
	no_answer(five);
	core_hold_transactions(h->core, false);
	harness_run(h);
	next_is(h->dom0, XS_TRANSACTION_START, 2);
	next_is(h->dom0, XS_TRANSACTION_START, 3);
	next_is(socket, XS_TRANSACTION_START, 4);
	next_is(five, XS_TRANSACTION_START, 6);
	next_is(six, XS_TRANSACTION_START, 1);
	next_is(six, XS_TRANSACTION_START, 5);
	next_is(six, XS_READ, 7);
	assert_int_equal(h->core->transaction_count, 6);
}

/* More than an image can say stay unread. */
static void test_how_many_are_kept(void **state)
{
	struct harness *h = *state;
	struct answer answer;

	core_hold_transactions(h->core, true);
	for (uint32_t i = 0; i < 2 * CLIENT_PARKED_MAX; i++)
		ask(h->dom0, i);
	assert_int_equal(h->dom0->client->parked_count, CLIENT_PARKED_MAX);
	core_hold_transactions(h->core, false);
	harness_run(h);
	for (uint32_t i = 0; i < 2 * CLIENT_PARKED_MAX; i++) {
		assert_true(peer_receive(h->dom0, &answer));
		assert_int_equal(answer.header.req_id, i);
	}
}

static void test_ends_while_held_back(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *socket = harness_socket(h), *gone = harness_socket(h);

	core_hold_transactions(h->core, true);
	ask(five, 1);
	ask(socket, 2);
	ask(gone, 3);
	/* Having sent all there is to send is not having gone. */
	socket->hung_up = true;
	harness_run(h);
	assert_false(socket->closed);
	harness_destroy(h, 5);
	core_hold_transactions(h->core, false);
	harness_run(h);
	next_is(socket, XS_TRANSACTION_START, 2);
	assert_true(socket->closed);
	next_is(gone, XS_TRANSACTION_START, 3);
	core_hold_transactions(h->core, true);
	ask(guest(h, 6), 4); /* and the core ends */
}

/* In an image they are input, in front of all that came behind them. */
static void test_in_an_image(void **state)
{
	struct harness *h = *state;
	struct peer *six = guest(h, 6);
	struct migration migration = {0};
	char why[512] = "";

	node(h, "/r", "n0 r6");
	core_hold_transactions(h->core, true);
	ask(h->dom0, 1);
	value_is(h->dom0, 0, "/", "");
	ask(h->dom0, 2);
	ask(six, 3);
	ask(six, 4);
	peer_push(six, "\2\0\0", 3); /* the start of another request */
	harness_run(h);
	migration_begin(&migration, h);
	/* Saved again they are begun, which the comparison is told of. */
	assert_false(migration_finish(&migration, why, sizeof(why)));
	assert_non_null(strstr(why, "saved again, the image differs"));
	harness_run(h);
	next_is(h->dom0, XS_TRANSACTION_START, 1);
	next_is(h->dom0, XS_TRANSACTION_START, 2);
	next_is(six, XS_TRANSACTION_START, 3);
	next_is(six, XS_TRANSACTION_START, 4);
	no_answer(six);
	peer_push(six, "\0\0\0\0\0\0\0\0\0\3\0\0\0/r", 16);
	harness_run(h);
	answered(six);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_who_has_none_gets_none),
		world_test(test_how_many_are_kept),
		world_test(test_ends_while_held_back),
		world_test(test_in_an_image),
	};

	return run_group(tests);
}
