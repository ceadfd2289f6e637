/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What tests about guests have in common: a world for each test, guests with a
 * home, and what an administrator would ask for. Everything goes over the wire.
 *
 * Included by test programs, after <cmocka.h>'s headers.
 */
#ifndef TESTS_UNIT_GUESTS_H
#define TESTS_UNIT_GUESTS_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "control/control.h"
#include "harness.h"

/* There is no process around this core that CONTROL could change. */
static inline int no_process(void *data, const char *text)
{
	(void)data;
	(void)text;
	return EINVAL;
}

static inline void no_settings(void *data, struct control_text *out)
{
	(void)data;
	(void)out;
}

static inline void no_print(void *data, const char *text)
{
	(void)data;
	(void)text;
}

static const struct control_ops no_control = {
	.log_switch = no_process,
	.log_settings = no_settings,
	.logfile = no_process,
	.memreport = no_process,
	.print = no_print,
};

/** A world whose CONTROL answers as far as the core alone can. NULL in @config: the defaults. */
static inline struct harness *new_world(const struct core_config *config)
{
	struct harness *harness = config ? harness_new_with(config) : harness_new();

	assert_non_null(harness);
	harness->core->control = &no_control;
	return harness;
}

/** Run a test in a world of its own. A failed test leaves its world as it is. */
static inline void run_in_world(void **state)
{
	CMUnitTestFunction test = (CMUnitTestFunction)*state;
	struct harness *harness = new_world(NULL);
	void *world = harness;

	test(&world);
	harness_free(harness);
}

/** A test that gets a fresh world as *state. */
#define world_test(f)                                                                              \
	{                                                                                          \
#f, run_in_world, NULL, NULL, (void *)(f)                                          \
	}

#define run_group(tests) cmocka_run_group_tests(tests, NULL, NULL)

/* Assertions that name the place; each request is also a statement of what it answers. */
#define ok(request)	      assert_int_equal(request, 0)
#define fails(error, request) assert_int_equal(request, error)

/** A node of dom0's making with these permissions. */
static inline void node(struct harness *h, const char *path, const char *perms)
{
	ok(peer_mkdir(h->dom0, 0, path));
	ok(peer_set_perms(h->dom0, 0, path, perms));
}

/** An introduced guest that owns its home. Two of its nodes' accounts: just the home. */
static inline struct peer *guest(struct harness *h, unsigned int domid)
{
	struct peer *peer = harness_guest(h, domid);
	char path[64], perms[16];

	assert_non_null(peer);
	snprintf(path, sizeof(path), "/local/domain/%u", domid);
	snprintf(perms, sizeof(perms), "n%u", domid);
	node(h, path, perms);
	return peer;
}

static inline void set_quota(struct harness *h, unsigned int domid, const char *name,
			     unsigned int value)
{
	char text[128];

	snprintf(text, sizeof(text), "%u %s %u", domid, name, value);
	ok(peer_ask(h->dom0, XS_SET_QUOTA, 0, text, NULL));
}

/** The current value in CONTROL quota <domid>, and the maximum seen if @max is not NULL. */
static inline unsigned int quota_now(struct harness *h, unsigned int domid, const char *name,
				     unsigned int *max)
{
	struct answer answer;
	char text[64];
	const char *at;
	unsigned int now, most;

	snprintf(text, sizeof(text), "quota %u", domid);
	ok(peer_ask(h->dom0, XS_CONTROL, 0, text, &answer));
	snprintf(text, sizeof(text), "\n%s ", name);
	at = strstr(answer.payload, text);
	assert_non_null(at);
	at = strchr(at, ':');
	assert_non_null(at);
	assert_int_equal(sscanf(at, ": %u (max %u)", &now, &most), 2);
	if (max)
		*max = most;
	return now;
}

static inline void perms_are(struct peer *peer, uint32_t tx, const char *path, const char *perms)
{
	struct answer answer;

	ok(peer_get_perms(peer, tx, path, &answer));
	assert_string_equal(answer.payload, perms);
}

static inline void value_is(struct peer *peer, uint32_t tx, const char *path, const char *value)
{
	struct answer answer;

	ok(peer_read(peer, tx, path, &answer));
	assert_string_equal(answer.payload, value);
}

/** Whether the node exists, as dom0 sees it. */
static inline bool exists(struct harness *h, const char *path)
{
	int error = peer_read(h->dom0, 0, path, NULL);

	assert_true(error == 0 || error == ENOENT);
	return !error;
}

static inline void is_introduced(struct harness *h, const char *domid, const char *answer_wanted)
{
	struct answer answer;

	ok(peer_ask(h->dom0, XS_IS_DOMAIN_INTRODUCED, 0, domid, &answer));
	assert_string_equal(answer.payload, answer_wanted);
}

/** Watches of dom0 without their initial events. */
static inline void watch(struct peer *peer, const char *path, const char *token)
{
	char text[64];

	ok(peer_watch(peer, path, token));
	snprintf(text, sizeof(text), "%s %s", path, token);
	assert_string_equal(peer_event(peer), text);
}

static inline void watch_depth(struct peer *peer, const char *path, const char *token, int depth)
{
	char text[64];

	snprintf(text, sizeof(text), "%s %s %d", path, token, depth);
	ok(peer_ask(peer, XS_WATCH, 0, text, NULL));
	peer_forget_events(peer);
}

#define event_is(peer, text) assert_string_equal(peer_event(peer), text)
#define no_event(peer)	     assert_string_equal(peer_event(peer), "")

/** A request is in; nothing came back. */
static inline void no_answer(struct peer *peer)
{
	struct answer answer;

	assert_false(peer_receive(peer, &answer));
}

/** The next message is a reply without an error. */
static inline void answered(struct peer *peer)
{
	struct answer answer;

	assert_true(peer_receive(peer, &answer));
	assert_int_not_equal(answer.header.type, XS_WATCH_EVENT);
	assert_int_not_equal(answer.header.type, XS_ERROR);
}

/** INTRODUCE as the toolstack sends it. */
static inline int introduce(struct harness *h, unsigned int domid)
{
	char text[64];

	snprintf(text, sizeof(text), "%u 1 %u", domid, domid + 100);
	return peer_ask(h->dom0, XS_INTRODUCE, 0, text, NULL);
}

static inline int release(struct harness *h, const char *domid)
{
	return peer_ask(h->dom0, XS_RELEASE, 0, domid, NULL);
}

static inline int set_target(struct harness *h, const char *text)
{
	return peer_ask(h->dom0, XS_SET_TARGET, 0, text, NULL);
}

#endif
