/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Playing scripts, comparing what comes back and what the state is. */
#include "play.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/control.h"
#include "picture.h"

#define STEPS_MAX 256

/* Rounds of trying again before a step counts as stuck. */
#define ROUNDS_MAX 2000

/* Time that passes in a round: more than the daemon waits before it tries again. */
#define ROUND_MS 25

struct step {
	struct text said;  /* reply and events */
	struct text state; /* afterwards */
};

struct play {
	const char *name;
	struct harness *harness;
	struct peer *peer[ACTORS];
	bool recording;
	struct step steps[STEPS_MAX + 1]; /* of the recorded play; [0]: the start */
	unsigned int step, last_step;
	unsigned int mark; /* the step before the transaction */
	bool spoilt;	   /* a request of the transaction got ENOMEM: so may its end */
	bool again;	   /* a step since the mark is repeated: the states in between are others */
	bool unordered;	   /* a fault may have changed the order of what was said */
	struct text said, state, tree;
	bool enomem;
	unsigned int replies;
};

struct harness *play_world(struct play *play)
{
	return play->harness;
}

struct peer *play_peer(struct play *play, enum actor who)
{
	return play->peer[who];
}

static void complain(struct play *play, const char *what, const struct text *expected,
		     const struct text *got)
{
	/* The message of a failure is cut off by the library, the texts are not. */
	if (expected)
		print_error("--- expected\n");
	if (expected)
		fputs(expected->data, stderr);
	print_error("--- got\n");
	if (got)
		fputs(got->data, stderr);
	fail_msg("%s, allocation %lu (%lu of them), step %u: %s", play->name, faults.first,
		 faults.burst, play->step, what);
}

/* Take what came for everybody. */
static void listen(struct play *play, enum actor who)
{
	struct answer answer;

	for (int i = 0; i < ACTORS; i++) {
		if (!play->peer[i])
			continue;
		while (peer_receive(play->peer[i], &answer)) {
			char *payload = answer.payload;
			size_t len = answer.header.len;

			if (answer.header.type == XS_WATCH_EVENT) {
				text_print(&play->said, "%d: event %s %s\n", i, payload,
					   payload + strlen(payload) + 1);
				continue;
			}
			if (i != (int)who)
				complain(play, "a reply to the wrong client", NULL, &play->said);
			play->replies++;
			if (answer.header.type == XS_ERROR && !strcmp(payload, "ENOMEM")) {
				play->enomem = true;
				continue;
			}
			if (answer.header.type == XS_TRANSACTION_START)
				len = 0; /* another number each time */
			if (answer.header.type == XS_DIRECTORY_PART) {
				payload += strlen(payload) + 1; /* a generation */
				len -= (size_t)(payload - answer.payload);
			}
			for (size_t k = 0; k < len; k++)
				if (!payload[k])
					payload[k] = '|';
			text_print(&play->said, "%d: reply %u %.*s\n", i, answer.header.type,
				   (int)len, payload);
		}
	}
}

static bool at_rest(struct play *play)
{
	struct core *core = play->harness->core;

	return TAILQ_EMPTY(&core->state.releases) && TAILQ_EMPTY(&core->deaths) &&
	       TAILQ_EMPTY(&core->waiting) && !core->owed;
}

/* Run until all is done and @replies have come. */
static void run(struct play *play, enum actor who, unsigned int replies)
{
	text_clear(&play->said);
	play->replies = 0;
	play->enomem = false;
	for (int i = 0; i < ROUNDS_MAX; i++) {
		harness_run(play->harness);
		listen(play, who);
		if (play->replies >= replies && at_rest(play))
			break;
		play->harness->now += ROUND_MS;
	}
	if (play->replies != replies || !at_rest(play))
		complain(play, "not one reply for each request, or never at rest", NULL,
			 &play->said);
}

static void expect(struct play *play, const char *what, const struct text *expected,
		   const struct text *got)
{
	struct text a = {0}, b = {0};
	bool equal = text_equal(expected, got);

	if (!equal && play->unordered) {
		text_sort_lines(expected, &a);
		text_sort_lines(got, &b);
		equal = text_equal(&a, &b);
		text_free(&a);
		text_free(&b);
	}
	if (!equal)
		complain(play, what, expected, got);
}

/* The step is through: write down or compare what was said, and what the state is now. */
static void finish_step(struct play *play, bool disturbed)
{
	struct step *step;

	play->step++;
	assert_true(play->step <= STEPS_MAX);
	step = &play->steps[play->step];
	if (play->recording) {
		play->last_step = play->step;
		text_add(&step->said, play->said.data, play->said.len);
		picture_state(play->harness->core, &step->state);
		return;
	}
	expect(play, "said", &step->said, &play->said);
	if (disturbed && !play->spoilt && !play->again) {
		picture_state(play->harness->core, &play->state);
		expect(play, "state afterwards", &step->state, &play->state);
	}
}

/* A request got ENOMEM: nothing may have happened. */
static void check_nothing_happened(struct play *play)
{
	struct text nothing = {0};

	text_clear(&nothing);
	expect(play, "said besides ENOMEM", &nothing, &play->said);
	text_free(&nothing);
	if (play->spoilt || play->again)
		return;
	picture_state(play->harness->core, &play->state);
	expect(play, "state after ENOMEM", &play->steps[play->step].state, &play->state);
}

static size_t make_payload(char *out, const char *text, bool terminate)
{
	size_t len = strlen(text);

	assert_true(len + 1 <= WIRE_PAYLOAD_MAX);
	for (size_t i = 0; i < len; i++)
		out[i] = (char)(text[i] == '|' ? 0 : text[i]);
	out[len] = 0;
	return terminate ? len + 1 : len;
}

static void request(struct play *play, enum actor who, uint32_t type, uint32_t tx, const char *text,
		    bool terminate, bool loose)
{
	char payload[WIRE_PAYLOAD_MAX + 1];
	size_t len = make_payload(payload, text, terminate);
	unsigned long fired = faults.fired;

	for (int i = 0;; i++) {
		peer_send(play->peer[who], type, tx, payload, len);
		run(play, who, 1);
		if (!play->enomem)
			break;
		if (tx)
			play->spoilt = true;
		if (play->recording || i == ROUNDS_MAX || fired == faults.fired)
			complain(play, "ENOMEM without a reason", NULL, &play->said);
		if (!loose)
			check_nothing_happened(play);
	}
	if (loose) {
		if (strstr(play->said.data, "reply 16"))
			complain(play, "an error", NULL, &play->said);
		text_clear(&play->said);
	}
	finish_step(play, fired != faults.fired);
}

void play_request(struct play *play, enum actor who, uint32_t type, uint32_t tx,
		  const char *payload)
{
	request(play, who, type, tx, payload, true, false);
}

void play_write(struct play *play, enum actor who, uint32_t tx, const char *payload)
{
	request(play, who, XS_WRITE, tx, payload, false, false);
}

void play_ask(struct play *play, enum actor who, uint32_t type, const char *payload)
{
	request(play, who, type, 0, payload, true, true);
}

void play_introduce(struct play *play, unsigned int domid)
{
	char text[64];

	if (!play->harness->domain[domid].state)
		harness_create(play->harness, domid);
	snprintf(text, sizeof(text), "%u|1|%u", domid, domid + 100);
	request(play, DOM0, XS_INTRODUCE, 0, text, true, false);
	play->peer[GUEST_1 + domid - 1] = harness_find_guest(play->harness, domid);
	assert_non_null(play->peer[GUEST_1 + domid - 1]);
}

void play_domains_changed(struct play *play)
{
	unsigned long fired = faults.fired;

	core_domains_changed(play->harness->core);
	run(play, DOM0, 0);
	play->unordered = fired != faults.fired;
	finish_step(play, fired != faults.fired);
	play->unordered = false;
}

void play_push(struct play *play, enum actor who, const void *data, size_t len)
{
	peer_push(play->peer[who], data, len);
}

void play_send(struct play *play, enum actor who, uint32_t type, const char *text)
{
	char payload[WIRE_PAYLOAD_MAX + 1];
	size_t len = make_payload(payload, text, true);

	peer_send(play->peer[who], type, 0, payload, len);
}

void play_settle(struct play *play, enum actor who, unsigned int replies)
{
	unsigned long fired = faults.fired;

	run(play, who, replies);
	if (play->enomem && fired == faults.fired)
		complain(play, "ENOMEM without a reason", NULL, &play->said);
	if (!play->enomem) {
		finish_step(play, fired != faults.fired);
		return;
	}
	/* Some of several requests have failed; they are such that the state is the same. */
	play->step++;
	picture_state(play->harness->core, &play->state);
	expect(play, "state afterwards", &play->steps[play->step].state, &play->state);
}

void play_mark(struct play *play)
{
	play->mark = play->step;
}

uint32_t play_begin(struct play *play, enum actor who)
{
	request(play, who, XS_TRANSACTION_START, 0, "", true, false);
	return play->peer[who]->client->last_transaction;
}

bool play_end(struct play *play, enum actor who, uint32_t tx, const char *how)
{
	unsigned long fired = faults.fired;
	unsigned int open = play->harness->core->transaction_count;

	picture_tree(play->harness->core, &play->tree);
	peer_send(play->peer[who], XS_TRANSACTION_END, tx, how, 2);
	run(play, who, 1);
	if (play->harness->core->transaction_count != open - 1)
		complain(play, "the transaction is not gone", NULL, &play->said);
	if (!play->enomem) {
		bool disturbed = fired != faults.fired || play->spoilt || play->again;

		play->spoilt = play->again = false;
		finish_step(play, disturbed);
		return true;
	}
	if (play->recording || (fired == faults.fired && !play->spoilt))
		complain(play, "ENOMEM without a reason", NULL, &play->said);
	picture_tree(play->harness->core, &play->state);
	expect(play, "tree after a failed commit", &play->tree, &play->state);
	if (play->said.len)
		complain(play, "said besides ENOMEM", NULL, &play->said);
	play->spoilt = false;
	play->again = true;
	play->step = play->mark;
	return false;
}

static int no_switch(void *data, const char *how)
{
	(void)data;
	(void)how;
	return 0;
}

static void no_settings(void *data, struct control_text *out)
{
	(void)data;
	control_print(out, "none");
}

static void no_print(void *data, const char *text)
{
	(void)data;
	(void)text;
}

static const struct control_ops control = {
	.log_switch = no_switch,
	.log_settings = no_settings,
	.logfile = no_switch,
	.memreport = no_switch,
	.print = no_print,
};

/* One performance. Returns whether the allocation that was to fail was reached. */
static bool perform(struct play *play, const struct core_config *config, play_script *setup,
		    play_script *script, unsigned long first, unsigned long burst)
{
	long balance = faults.balance;
	bool reached;

	faults_disarm(); /* an earlier test may have failed in the middle */
	play->harness = config ? harness_new_with(config) : harness_new();
	assert_non_null(play->harness);
	play->harness->core->control = &control;
	memset(play->peer, 0, sizeof(play->peer));
	play->peer[DOM0] = play->harness->dom0;
	play->peer[OTHER] = harness_socket(play->harness);
	play->peer[THIRD] = harness_socket(play->harness);
	harness_tell(play->harness);
	play->step = 0;
	play->spoilt = play->again = false;
	if (play->recording)
		picture_state(play->harness->core, &play->steps[0].state);
	faults.first = faults.fired = 0;
	if (setup)
		setup(play);
	faults_arm(first, burst);
	script(play);
	reached = faults.fired != 0;
	faults_disarm();
	if (!play->recording) {
		picture_state(play->harness->core, &play->state);
		assert_int_equal(play->step, play->last_step);
		expect(play, "last state", &play->steps[play->step].state, &play->state);
	}
	/* What the accounts say is what there is. */
	play_ask(play, DOM0, XS_CONTROL, "check");
	if (harness_logged(play->harness, "Correct accounting data") ||
	    harness_logged(play->harness, "owned by unknown domain"))
		fail_msg("%s, allocation %lu (%lu of them): %s", play->name, first, burst,
			 play->harness->log);
	harness_free(play->harness);
	if (faults.balance != balance)
		complain(play, "memory is lost", NULL, NULL);
	return reached;
}

void play_all(const char *name, const struct core_config *config, play_script *setup,
	      play_script *script)
{
	static const struct {
		unsigned long burst, step;
	} modes[] = {{1, 1}, {3, 1}, {40, 9}};
	static struct play play;
	unsigned long allocations;

	memset(&play, 0, sizeof(play));
	play.name = name;
	play.recording = true;
	text_clear(&play.said);
	perform(&play, config, setup, script, 0, 0);
	allocations = faults.count;
	play.recording = false;
	play.last_step--; /* without the check at the end */
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		unsigned long k = 1;

		while (perform(&play, config, setup, script, k, modes[i].burst))
			k += modes[i].step;
		/* It ends behind the last allocation, not before. */
		assert_true(k > allocations);
	}
	for (unsigned int i = 0; i <= STEPS_MAX; i++) {
		text_free(&play.steps[i].said);
		text_free(&play.steps[i].state);
	}
	text_free(&play.said);
	text_free(&play.state);
	text_free(&play.tree);
	print_message("%s: %u steps, %lu allocations\n", name, play.last_step, allocations);
}
