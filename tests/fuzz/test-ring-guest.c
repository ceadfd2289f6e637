/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A fuzzer that plays guest: what a domain can do to the page that it shares with the daemon.
 *
 * Domains 3 to 5 and their memory are in the hands of the input: garbage,
 * indices that jump, words that belong to the daemon, half messages,
 * notifications for nothing. Whoever breaks the rules has to find the
 * documented word in the page (spec: rings-and-domains.md section 1), whoever
 * does not must go on being served, and neither may be noticed by the honest
 * domains or by domain 0. A ring that is ignored is not touched again until
 * somebody introduces it anew. Then the same with a thread that writes into the
 * pages all the time.
 *
 * FUZZ_SECONDS= how long; SEED= of the first input; INPUTS= how many at most;
 * COUNT= how many times the usual time.
 */
#define FUZZ_SECONDS_USUAL 5

#include "ring-world.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>

#define INPUT_MAX 6000u
#define STEPS_MAX 300u

struct counts {
	struct random_inputs inputs;
	unsigned long steps, ring_errors, protocol_errors, served, raced;
};

static struct counts *counts;

/* ---- hostile guests ---- */

static unsigned int roll(struct fuzz *fuzz, unsigned int sides)
{
	return hostile_roll(&fuzz->from, sides);
}

static uint32_t wild(struct fuzz *fuzz, uint32_t now)
{
	static const uint32_t jumps[] = {
		1,	    0u - 1, RING_SIZE, RING_SIZE + 1, 0u - RING_SIZE, 0x80000000,
		0x7fffffff, 4096,   17};

	switch (roll(fuzz, 4)) {
	case 0:
		return roll(fuzz, 256) << 24 | roll(fuzz, 256) << 16 | roll(fuzz, 65536);
	case 1:
		return roll(fuzz, 2049);
	default:
		return now + jumps[roll(fuzz, sizeof(jumps) / sizeof(jumps[0]))];
	}
}

static void put_message(struct fuzz *fuzz, struct guest_end *end)
{
	struct bytes message = {0};
	size_t done = 0;

	hostile_message(&fuzz->from, &message);
	if (end->page->req_prod - end->page->req_cons <= RING_SIZE)
		ring_put(end->page, message.data, message.len, &done);
	bytes_forget(&message);
}

static void put_long_header(struct guest_end *end)
{
	struct wire_header header = {.type = XS_READ, .len = WIRE_PAYLOAD_MAX + 1};
	size_t done = 0;

	if (end->page->req_prod - end->page->req_cons <= RING_SIZE)
		ring_put(end->page, (const char *)&header, sizeof(header), &done);
}

static void scribble(struct fuzz *fuzz, struct guest_end *end)
{
	unsigned char *bytes = (unsigned char *)end->page;
	size_t at = roll(fuzz, sizeof(*end->page)), len = 1 + roll(fuzz, 64);

	for (; len-- && at < sizeof(*end->page); at++)
		bytes[at] = (unsigned char)roll(fuzz, 256);
}

/* What the hostile guest does to its page. */
static void misbehave(struct fuzz *fuzz, struct guest_end *end)
{
	uint32_t *words[] = {&end->page->req_cons, &end->page->req_prod, &end->page->rsp_cons,
			     &end->page->rsp_prod};
	uint32_t *word = words[roll(fuzz, 4)];
	struct bytes taken = {0};

	switch (roll(fuzz, 14)) {
	case 0:
		*word = wild(fuzz, *word);
		break;
	case 1:
		scribble(fuzz, end);
		break;
	case 2:
		put_long_header(end);
		break;
	case 3:
		end->page->connection = roll(fuzz, 3);
		end->page->evtchn_port = roll(fuzz, 65536);
		end->page->server_features = roll(fuzz, 65536);
		break;
	case 4:
	case 5:
		if (end->page->rsp_prod - end->page->rsp_cons <= RING_SIZE)
			ring_take(end->page, &taken, roll(fuzz, RING_SIZE + 1));
		bytes_forget(&taken);
		break;
	case 6: /* more than there is: what the ring holds from before */
		end->page->req_prod = end->page->req_cons + roll(fuzz, RING_SIZE + 1);
		break;
	default:
		put_message(fuzz, end);
	}
}

/* Whether the daemon was right to complain about a header. */
static bool has_long_header(const struct bytes *stream)
{
	struct wire_header header;

	for (size_t at = 0; stream->len - at >= sizeof(header);) {
		memcpy(&header, stream->data + at, sizeof(header));
		if (header.len > WIRE_PAYLOAD_MAX)
			return true;
		if (stream->len - at < sizeof(header) + header.len)
			return false;
		at += sizeof(header) + header.len;
	}
	return false;
}

/* The daemon gave up: for what is in the page, with the word that says so, and for good. */
static void check_given_up(struct guest_end *end, bool bad_indices)
{
	if (end->failed == TRANSPORT_RINGIDX
		    ? !bad_indices
		    : end->failed != TRANSPORT_PROTO || !has_long_header(&end->taken))
		fail_msg("domain %u is given up with %d for nothing", end->domid, end->failed);
	if (end->page->error != (uint32_t)end->failed)
		fail_msg("domain %u finds %u instead of %d", end->domid, end->page->error,
			 end->failed);
	if (end->failed == TRANSPORT_RINGIDX)
		counts->ring_errors++;
	else
		counts->protocol_errors++;
}

/* The hostile guest wakes the daemon; everything about the page that the daemon may do is known. */
static void strike(struct guest_end *end)
{
	const struct client *client = client_of(end);
	const struct ring_page *page = end->page;
	struct ring_page before = *page;
	unsigned int notifications = end->notified;
	bool given_up = end->failed, idle = client && client->wait == WAIT_NOT;
	bool bad_request = false, bad_response = false;
	uint32_t answered = 0;

	if (end->ring) {
		const struct ring *ring = &end->ring->ring;

		answered = ring->rsp_prod;
		bad_request = page->req_prod - ring->req_cons > RING_SIZE ||
			      page->req_cons != ring->req_cons;
		bad_response = ring->rsp_prod - page->rsp_cons > RING_SIZE ||
			       page->rsp_prod != ring->rsp_prod;
	}
	fire(end);
	harness_run(end->fuzz->harness);
	if (!end->ring || given_up) {
		if (memcmp(page, &before, sizeof(before)) != 0 || end->notified != notifications)
			fail_msg("domain %u is given up and its page used", end->domid);
		return;
	}
	if (end->failed)
		check_given_up(end, bad_request || bad_response);
	else if ((bad_request && idle) || (bad_response && end->ring->ring.rsp_prod != answered))
		fail_msg("domain %u has impossible indices and is served", end->domid);
	if (page->connection != before.connection ||
	    page->server_features != before.server_features ||
	    page->evtchn_port != before.evtchn_port || page->req_prod != before.req_prod ||
	    page->rsp_cons != before.rsp_cons ||
	    memcmp(page->request, before.request, RING_SIZE) != 0)
		fail_msg("what belongs to domain %u was written by the daemon", end->domid);
}

/* The toolstack's part. */
static void rule(struct fuzz *fuzz, struct guest_end *end)
{
	char text[16];

	snprintf(text, sizeof(text), "%u", end->domid);
	switch (roll(fuzz, 3)) {
	case 0: /* a ring that was given up works again */
		if (!client_of(end))
			break;
		ok(introduce_again(fuzz, end->domid));
		if (end->page->error || end->page->connection || end->failed)
			fail_msg("domain %u does not begin anew", end->domid);
		break;
	case 1:
		if (!client_of(end))
			break;
		ok(release(fuzz->harness, text));
		if (end->ring)
			fail_msg("the page of domain %u is still mapped", end->domid);
		ok(introduce(fuzz->harness, end->domid));
		break;
	default:
		harness_destroy(fuzz->harness, end->domid);
		harness_run(fuzz->harness);
		if (end->ring)
			fail_msg("domain %u is dead and its page still mapped", end->domid);
		harness_create(fuzz->harness, end->domid);
		ok(introduce(fuzz->harness, end->domid));
		make_home(fuzz, end->domid);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = {.from = {.input = data, .left = size}};
	char why[256];

	start(&fuzz);
	for (unsigned int i = 0; i < STEPS_MAX && fuzz.from.left; i++) {
		struct guest_end *end = &fuzz.end[HONEST + 1 + roll(&fuzz, GUESTS - HONEST)];

		for (unsigned int tricks = roll(&fuzz, 4); tricks; tricks--)
			misbehave(&fuzz, end);
		strike(end);
		if (!roll(&fuzz, end->failed ? 4 : 24))
			rule(&fuzz, end);
		if (i % 4 == 0) {
			check_honest(&fuzz.end[1 + roll(&fuzz, HONEST)]);
			counts->served++;
			check_dom0(&fuzz);
			if (!compare_recounts(fuzz.harness->core, why, sizeof(why)))
				fail_msg("%s", why);
		}
		fuzz.harness->log_len = 0;
		fuzz.harness->log[0] = 0;
		counts->steps++;
	}
	finish(&fuzz);
	return 0;
}

#ifndef FUZZ_LIBFUZZER

/* ---- with threads ---- */

struct racer {
	struct fuzz *fuzz;
	atomic_bool stop;
	uint64_t seed;
};

/* Writes into the pages of the hostile guests as fast as it can. */
static void *race(void *data)
{
	struct racer *racer = data;
	struct dice dice = {racer->seed};

	while (!atomic_load(&racer->stop)) {
		struct ring_page *page =
			racer->fuzz->end[HONEST + 1 + dice_roll(&dice, GUESTS - HONEST)].page;
		volatile uint32_t *words[] = {&page->req_prod,	 &page->rsp_cons,   &page->req_prod,
					      &page->rsp_cons,	 &page->req_cons,   &page->rsp_prod,
					      &page->connection, &page->evtchn_port};
		volatile uint32_t *word = words[dice_roll(&dice, dice_roll(&dice, 40) ? 4 : 8)];
		volatile char *byte = &page->request[dice_roll(&dice, RING_SIZE)];
		uint32_t now = load(word);

		/* Mostly such that the daemon goes on. */
		if (dice_roll(&dice, 200))
			now = load(&page->req_cons) + dice_roll(&dice, RING_SIZE + 1);
		else
			now += dice_roll(&dice, UINT32_MAX);
		store(word, now);
		*byte = (char)(dice_roll(&dice, 8) ? 0 : dice_roll(&dice, 256));
	}
	return NULL;
}

static void race_for(uint64_t seed, unsigned long ms)
{
	struct fuzz fuzz = {0};
	struct racer racer = {.fuzz = &fuzz, .seed = seed};
	struct timespec begin, now;
	pthread_t thread;

	start(&fuzz);
	if (pthread_create(&thread, NULL, race, &racer))
		abort();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		for (unsigned int domid = HONEST + 1; domid <= GUESTS; domid++) {
			struct guest_end *end = &fuzz.end[domid];

			fire(end);
			harness_run(fuzz.harness);
			counts->raced++;
			if (!end->failed)
				continue;
			/* The indices may be right again by now. */
			check_given_up(end, true);
			ok(introduce_again(&fuzz, domid));
		}
		check_honest(&fuzz.end[1]);
		counts->served++;
		check_dom0(&fuzz);
		fuzz.harness->log_len = 0;
		fuzz.harness->log[0] = 0;
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((unsigned long)((now.tv_sec - begin.tv_sec) * 1000 +
				 (now.tv_nsec - begin.tv_nsec) / 1000000) < ms);
	atomic_store(&racer.stop, true);
	pthread_join(thread, NULL);
	finish(&fuzz);
}

static unsigned long long failed_seed;

static void run_all(void)
{
	uint64_t seed = first_seed();
	time_t end = time(NULL) + (time_t)(seconds() * 4 / 5);

	printf("ring guests: seed %llu\n", (unsigned long long)seed);
	failed_seed = run_random_inputs(&counts->inputs, seed, INPUT_MAX, end);
	printf("ring guests: %lu inputs, %lu steps, given up for indices %lu, for lengths %lu; "
	       "%lu honest requests\n",
	       counts->inputs.done, counts->steps, counts->ring_errors, counts->protocol_errors,
	       counts->served);
}

static void test_hostile_pages(void **state)
{
	(void)state;
	if (failed_seed)
		fail_msg(
			"the input of SEED=%llu INPUTS=1 fails (or leaks, with up to %u before it)",
			failed_seed, INPUTS_A_CHILD);
	assert_true(counts->inputs.done && counts->served);
	if (counts->inputs.done >= INPUTS_A_CHILD)
		assert_true(counts->ring_errors && counts->protocol_errors);
}

static void test_pages_that_change_meanwhile(void **state)
{
	unsigned long before = counts->served;

	(void)state;
	race_for(first_seed(), seconds() * 1000 / 5);
	print_message("ring guests: %lu raced turns, %lu honest requests\n", counts->raced,
		      counts->served - before);
	assert_true(counts->raced && counts->served > before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hostile_pages),
		cmocka_unit_test(test_pages_that_change_meanwhile),
	};

	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (counts == MAP_FAILED)
		abort();
	run_all();
	return cmocka_run_group_tests(tests, NULL, NULL);
}

#endif
