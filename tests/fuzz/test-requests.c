/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer of requests: hostile bytes from guests and sockets, in a world that changes.
 *
 * Some kilobytes of random input decide what happens: which client sends which
 * message, how it is spoilt, where the stream is cut, how much the peer takes
 * of what it is sent, who dies and who is introduced. After each step the core
 * must come to rest, its accounts must be equal to a recount, and the replies
 * so far must be those to the requests, in order. At the end everybody drains
 * his queue, all domains die, and nothing of theirs may be left.
 *
 * The same function takes its input from libFuzzer (LLVMFuzzerTestOneInput).
 *
 * FUZZ_SECONDS= how long; SEED= of the first input; INPUTS= how many at most;
 * COUNT= how many times the usual time.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "compare.h"
#include "control/control.h"
#include "harness.h"
#include "hostile.h"
#include "random-inputs.h"

#define INPUT_MAX 20000u
#define SECONDS	  8
#define CLIENTS	  8u /* 0 to 3: sockets; 4 to 7: domains 1 to 4 */
#define SOCKETS	  4u
#define STEPS_MAX 400u

struct client_end {
	struct peer *peer;
	unsigned int resets;
	struct bytes pending; /* of its stream, not yet sent */
	struct bytes sent;    /* since the connection's (re)start */
	struct bytes received;
};

struct fuzz {
	struct hostile from;
	struct harness *harness;
	struct client_end end[CLIENTS];
};

struct fuzz_counts {
	struct random_inputs inputs;
	unsigned long steps, replies, events;
};

static struct fuzz_counts *counts;

/* Send the first @len bytes of what is pending. */
static void push(struct client_end *end, size_t len)
{
	if (len > end->pending.len)
		len = end->pending.len;
	if (!len)
		return;
	peer_push(end->peer, end->pending.data, len);
	bytes_add(&end->sent, end->pending.data, len);
	memmove(end->pending.data, end->pending.data + len, end->pending.len - len);
	end->pending.len -= len;
}

static void start_end(struct client_end *end, struct peer *peer)
{
	bytes_forget(&end->pending);
	bytes_forget(&end->sent);
	bytes_forget(&end->received);
	end->peer = peer;
	end->resets = peer ? peer->resets : 0;
}

static void step_send(struct fuzz *fuzz, struct client_end *end)
{
	unsigned int count = hostile_roll(&fuzz->from, 10) ? 1 + hostile_roll(&fuzz->from, 2)
							   : hostile_roll(&fuzz->from, 40);

	if (!end->peer)
		return;
	if (hostile_roll(&fuzz->from, 200) == 0)
		hostile_fill(&fuzz->from, &end->pending, hostile_roll(&fuzz->from, 64), true);
	while (count--)
		hostile_message(&fuzz->from, &end->pending);
	if (hostile_roll(&fuzz->from, 5) == 0)
		push(end, hostile_roll(&fuzz->from, (unsigned int)end->pending.len + 1));
	else
		push(end, end->pending.len);
}

static void step_domain(struct fuzz *fuzz)
{
	struct harness *harness = fuzz->harness;
	unsigned int domid = 1 + hostile_roll(&fuzz->from, CLIENTS - SOCKETS);

	switch (hostile_roll(&fuzz->from, 8)) {
	case 0:
		harness_destroy(harness, domid);
		return;
	case 1:
		harness_destroy_silently(harness, domid);
		return;
	case 2:
		harness_destroy_silently(harness, domid);
		harness_create(harness, domid);
		return;
	case 3:
		harness_shutdown(harness, domid);
		return;
	case 4:
		harness_tell(harness);
		return;
	case 5:
		harness->domain[domid].connect_error = hostile_roll(&fuzz->from, 3) ? 0 : EIO;
		harness->domain[domid].bind_error = hostile_roll(&fuzz->from, 3) ? 0 : EBUSY;
		return;
	default:
		harness_guest(harness, domid);
		return;
	}
}

static void step_socket(struct fuzz *fuzz)
{
	struct client_end *end = &fuzz->end[hostile_roll(&fuzz->from, SOCKETS)];

	if (!end->peer)
		start_end(end, harness_socket(fuzz->harness));
	else
		end->peer->hung_up = true;
}

/* What has come back: keep replies, count events. */
static void drain(struct client_end *end)
{
	struct peer *peer = end->peer;

	bytes_add(&end->received, peer->from_core, peer->from_len);
	peer->from_len = peer->from_at = 0;
}

/* Connections come and go by other means than this client's. */
static void follow_connections(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < CLIENTS; i++) {
		struct client_end *end = &fuzz->end[i];
		struct peer *now = i < SOCKETS ? end->peer
					       : harness_find_guest(fuzz->harness, i - SOCKETS + 1);

		if (i < SOCKETS && now && now->closed)
			now = NULL;
		if (now != end->peer || (now && now->resets != end->resets))
			start_end(end, now);
		if (now)
			drain(end);
		if (now && now->failed)
			start_end(end,
				  now); /* not served any more; what it had got does not matter */
	}
}

/* The next message of a stream that is not an event. */
static bool next_reply(const struct bytes *stream, size_t *at, struct wire_header *header,
		       unsigned long *events)
{
	while (stream->len - *at >= sizeof(*header)) {
		memcpy(header, stream->data + *at, sizeof(*header));
		if (header->len > WIRE_PAYLOAD_MAX ||
		    stream->len - *at < sizeof(*header) + header->len)
			return false;
		*at += sizeof(*header) + header->len;
		if (header->type != XS_WATCH_EVENT || header->req_id || header->tx_id)
			return true;
		++*events;
	}
	return false;
}

/* Replies are to the requests, one each, in order. @all: none may be missing. */
static void check_replies(const struct client_end *end, bool all)
{
	struct wire_header asked, replied;
	size_t at_sent = 0, at_received = 0;
	unsigned long replies = 0, events = 0, unused = 0;

	while (next_reply(&end->received, &at_received, &replied, &events)) {
		/* A request may look like an event; then it is one of type 15, which has a reply.
		 */
		if (!next_reply(&end->sent, &at_sent, &asked, &unused) && !unused)
			fail_msg("%s: a reply of type %u (\"%.10s\") to request %u, without one: "
				 "%zu of %zu bytes sent",
				 end->peer->is_guest ? "domain" : "socket", replied.type,
				 end->received.data + at_received - replied.len, replied.req_id,
				 at_sent, end->sent.len);
		if (!unused && (replied.req_id != asked.req_id || replied.tx_id != asked.tx_id ||
				(replied.type != asked.type && replied.type != XS_ERROR)))
			fail_msg("reply of type %u to request %u of type %u", replied.type,
				 asked.req_id, asked.type);
		replies++;
	}
	if (all && !unused && next_reply(&end->sent, &at_sent, &asked, &unused) && !unused)
		fail_msg("request %u of type %u has no reply", asked.req_id, asked.type);
	if (counts && all) {
		counts->replies += replies;
		counts->events += events;
	}
}

static void check(struct fuzz *fuzz, bool thoroughly)
{
	struct harness *harness = fuzz->harness;
	char why[256];

	if (core_has_releases(harness->core))
		fail_msg("at rest with releases pending");
	if (!compare_recounts(harness->core, why, sizeof(why)))
		fail_msg("%s", why);
	if (thoroughly)
		assert_int_equal(peer_request(harness->dom0, XS_CONTROL, 0, "check", 6, NULL), 0);
	if (harness_logged(harness, "Correct accounting") ||
	    harness_logged(harness, "unknown domain"))
		fail_msg("%s", harness->log);
	harness->log_len = 0;
	harness->log[0] = 0;
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (fuzz->end[i].peer)
			check_replies(&fuzz->end[i], false);
}

static void step(struct fuzz *fuzz)
{
	static const size_t takes[] = {0, 1, 16, 17, 100, 4112, SIZE_MAX, SIZE_MAX};
	struct client_end *end = &fuzz->end[hostile_roll(&fuzz->from, CLIENTS)];
	unsigned int what = hostile_roll(&fuzz->from, 100);

	if (what < 78)
		step_send(fuzz, end);
	else if (what < 84)
		step_domain(fuzz);
	else if (what < 87)
		step_socket(fuzz);
	else if (what < 92 && end->peer)
		end->peer->take_max =
			takes[hostile_roll(&fuzz->from, sizeof(takes) / sizeof(takes[0]))];
	else
		fuzz->harness->now += (const uint64_t[]){1, 50, 1000,
							 25000}[hostile_roll(&fuzz->from, 4)];
	/* Sometimes several things come at once. */
	if (hostile_roll(&fuzz->from, 6))
		harness_run(fuzz->harness);
	follow_connections(fuzz);
}

/* Everybody takes all that there is. */
static void settle(struct fuzz *fuzz)
{
	for (unsigned int i = 0; i < CLIENTS; i++)
		if (fuzz->end[i].peer) {
			fuzz->end[i].peer->take_max = SIZE_MAX;
			push(&fuzz->end[i], fuzz->end[i].pending.len);
		}
	/* Write credit comes with time. */
	for (unsigned int i = 0; i < 300; i++) {
		fuzz->harness->now += 1000;
		harness_run(fuzz->harness);
		follow_connections(fuzz);
	}
	check(fuzz, true);
	for (unsigned int i = 0; i < CLIENTS; i++) {
		const struct peer *peer = fuzz->end[i].peer;

		/* Who holds too much memory is not served until somebody helps. */
		if (peer && peer->client && !peer->hung_up && peer->client->wait == WAIT_NOT)
			check_replies(&fuzz->end[i], true);
	}
}

static void finish(struct fuzz *fuzz)
{
	struct harness *harness = fuzz->harness;
	struct domain *domain, *next;
	const struct client *client;
	char why[256];

	for (unsigned int domid = 1; domid <= 5; domid++)
		harness_destroy_silently(harness, domid);
	for (unsigned int i = 0; i < SOCKETS; i++)
		if (fuzz->end[i].peer)
			fuzz->end[i].peer->hung_up = true;
	harness_tell(harness);
	harness_run(harness);
	for (domain = TAILQ_FIRST(&harness->core->state.domains.list); domain; domain = next) {
		next = TAILQ_NEXT(domain, link);
		if (domain->domid)
			fail_msg("domain %u is dead and still known", domain->domid);
	}
	TAILQ_FOREACH(client, &harness->core->clients, link)
		if (client != harness->dom0->client &&
		    (client->is_socket || client->identity.domid))
			fail_msg("a client of domain %u is left", client->identity.domid);
	if (!compare_recounts(harness->core, why, sizeof(why)))
		fail_msg("in the end: %s", why);
}

static int say_no(void *data, const char *text)
{
	(void)data;
	(void)text;
	return EINVAL;
}

static void settings(void *data, struct control_text *out)
{
	(void)data;
	control_print(out, "none\n");
}

static void print(void *data, const char *text)
{
	(void)data;
	(void)text;
}

static int no_update(void *data, struct request *request, const struct arg *args, size_t count,
		     struct control_text *out)
{
	(void)data;
	(void)request;
	(void)args;
	(void)count;
	(void)out;
	return EINVAL;
}

static void client_gone(void *data, const struct client *client)
{
	(void)data;
	(void)client;
}

static const struct control_ops process = {
	.live_update = no_update,
	.client_gone = client_gone,
	.log_switch = say_no,
	.log_settings = settings,
	.logfile = say_no,
	.memreport = say_no,
	.print = print,
};

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {.from = {.input = data, .left = size}};

	fuzz.harness = harness_new();
	fuzz.harness->core->control = &process;
	for (unsigned int i = 0; i < SOCKETS; i++)
		start_end(&fuzz.end[i], harness_socket(fuzz.harness));
	peer_set_perms(fuzz.harness->dom0, 0, "/", "b0");
	for (unsigned int domid = 1; domid <= CLIENTS - SOCKETS; domid++)
		harness_guest(fuzz.harness, domid);
	follow_connections(&fuzz);
	for (unsigned int i = 0; i < STEPS_MAX && fuzz.from.left; i++) {
		step(&fuzz);
		if (i % 4 == 0) {
			harness_run(fuzz.harness);
			follow_connections(&fuzz);
			check(&fuzz, i % 32 == 0);
		}
		if (counts)
			counts->steps++;
	}
	settle(&fuzz);
	finish(&fuzz);
	for (unsigned int i = 0; i < CLIENTS; i++)
		start_end(&fuzz.end[i], NULL);
	harness_free(fuzz.harness);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

static unsigned long long failed_seed;

static void run(void)
{
	uint64_t seed = first_seed();
	time_t end = time(NULL) + (time_t)setting("FUZZ_SECONDS", SECONDS * setting("COUNT", 1));

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (counts == MAP_FAILED)
		abort();
	printf("requests: seed %llu\n", (unsigned long long)seed);
	failed_seed = run_random_inputs(&counts->inputs, seed, INPUT_MAX, end);
	printf("requests: %lu inputs, %lu steps, %lu replies, %lu events\n", counts->inputs.done,
	       counts->steps, counts->replies, counts->events);
}

static void test_hostile_requests(void **state)
{
	(void)state;
	if (failed_seed)
		fail_msg(
			"the input of SEED=%llu INPUTS=1 fails (or leaks, with up to %u before it)",
			failed_seed, INPUTS_A_CHILD);
	assert_true(counts->inputs.done && counts->replies && counts->events);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_hostile_requests)};

	run();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
