/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who gets which answer about an update, and that none is lost for lack of memory. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "faults.h"
#include "guests.h"
#include "liveupdate/update-session.h"

static struct update_session session;
static unsigned int ended;

static int control(void *data, struct request *request, const struct arg *args, size_t count,
		   struct control_text *out)
{
	(void)data;
	if (arg_is(&args[0], "-f")) {
		update_session_open(&session, request, out);
		return 0;
	}
	return update_session_control(&session, request, args, count, out);
}

static void client_gone(void *data, const struct client *client)
{
	(void)data;
	update_session_client_gone(&session, client);
}

static void session_ended(void *data)
{
	(void)data;
	ended++;
}

static const struct control_ops ops = {
	.live_update = control,
	.client_gone = client_gone,
};

static void open_session(struct harness *h)
{
	struct answer answer;

	h->core->control = &ops;
	ended = 0;
	update_session_init(&session, h->core, session_ended, NULL);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, "live-update -f file", &answer));
	assert_string_equal(answer.payload, "OK");
}

static void ask_to_start(struct harness *h)
{
	static const char words[] = "live-update\0-s";

	peer_send(h->dom0, XS_CONTROL, 0, words, sizeof(words));
	harness_run(h);
}

static void next_answer_is(struct peer *peer, uint32_t type, const char *text)
{
	struct answer answer;

	assert_true(peer_receive(peer, &answer));
	assert_int_equal(answer.header.type, type);
	assert_string_equal(answer.payload, text);
}

/* Once a start is accepted, its answer needs no memory any more. */
static void test_no_memory_for_an_answer(void **state)
{
	static char text[WIRE_PAYLOAD_MAX + 100];
	struct harness *h = *state;
	struct answer answer;

	open_session(h);
	ask_to_start(h);
	assert_true(session.started);
	no_answer(h->dom0);
	memset(text, 'x', sizeof(text) - 1);
	faults_arm(1, 1000);
	update_session_answer(&session, text);
	harness_run(h);
	faults_disarm();
	assert_int_equal(ended, 1);
	/* As much of it as goes into a message. */
	assert_true(peer_receive(h->dom0, &answer));
	assert_int_equal(answer.header.len, WIRE_PAYLOAD_MAX);
	assert_int_equal(strlen(answer.payload), WIRE_PAYLOAD_MAX - 1);
	/* The connection goes on. */
	value_is(h->dom0, 0, "/", "");
}

/* Every allocation of a start fails once: it is refused, and can be asked for again. */
static void test_no_memory_for_a_start(void **state)
{
	struct harness *h = *state;
	unsigned long fired = 1;

	open_session(h);
	for (unsigned long i = 1; fired; i++) {
		struct answer answer;

		faults_arm(i, 1);
		ask_to_start(h);
		fired = faults.fired;
		faults_disarm();
		/* Where not even an error could be said, it is tried again soon. */
		h->now += 1000;
		harness_run(h);
		if (session.started) {
			update_session_answer(&session, "no");
			harness_run(h);
			next_answer_is(h->dom0, XS_CONTROL, "no");
			ok(peer_ask(h->dom0, XS_CONTROL, 0, "live-update -f file", &answer));
			continue;
		}
		next_answer_is(h->dom0, XS_ERROR, "ENOMEM");
	}
	assert_true(ended > 1);
}

static void test_the_requester_goes(void **state)
{
	struct harness *h = *state;
	struct peer *peer = harness_socket(h);
	struct answer answer;

	open_session(h);
	ask_to_start(h);
	h->dom0->hung_up = true;
	harness_run(h);
	assert_true(h->dom0->closed);
	assert_int_equal(ended, 1);
	assert_null(session.owner);
	ok(peer_ask(peer, XS_CONTROL, 0, "live-update -a", &answer));
	assert_string_equal(answer.payload, "No live-update session active.");
}

static void test_a_core_that_ends(void **state)
{
	open_session(*state);
	ask_to_start(*state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_no_memory_for_an_answer),
		world_test(test_no_memory_for_a_start),
		world_test(test_the_requester_goes),
		world_test(test_a_core_that_ends),
	};

	return run_group(tests);
}
