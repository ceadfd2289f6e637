/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What watchers are owed when an image is written is in it: no event is lost between two programs,
 * whichever the other one is.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "core/domains.h"
#include "faults.h"
#include "guests.h"
#include "liveupdate/image.h"

#define DOMAINS 200u

static int save(struct harness *h, const char *dialect, struct stream_buffer *image)
{
	struct image_process process = {.listen_fd = -1, .evtchn_fd = -1};
	struct image_requester nobody = {0};
	struct stream_writer writer;

	int error = stream_writer_init(&writer, stream_dialect_find(dialect), 0, stream_buffer_put,
				       image);

	return error ? error : image_save(h->core, &process, &nobody, &writer);
}

/* How many events "@releaseDomain" with @token are in the output of an image's connections. */
static unsigned int events_in(const struct stream_buffer *image, const char *token)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	unsigned int count = 0;
	char text[64];
	int len = snprintf(text, sizeof(text), "@releaseDomain%c%s", 0, token) + 1;

	assert_int_equal(stream_reader_init(&reader, image->data, image->len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		const struct stream_connection *in = &record.connection;

		if (record.type != STREAM_CONNECTION || !in->output_len)
			continue;
		for (const uint8_t *at = in->output;
		     (at = memmem(at, (size_t)(in->output + in->output_len - at), text,
				  (size_t)len));
		     at++)
			count++;
	}
	return count;
}

static void watched_host(struct harness *h)
{
	for (unsigned int domid = 1; domid <= DOMAINS; domid++)
		assert_non_null(harness_guest(h, domid));
	ok(peer_watch(h->dom0, "@releaseDomain", "bare"));
	peer_forget_events(h->dom0);
}

/* All domains are asked for in slices; those that were are told together, behind the last slice. */
static void in_the_middle(void **state, const char *dialect)
{
	struct harness *h = *state;
	struct stream_buffer image = {0};

	watched_host(h);
	h->domain[1].state |= DOMSTATE_SHUTDOWN;
	core_recheck_domains(h->core);
	core_turn(h->core);
	assert_true(h->core->rechecking);
	assert_true(domain_find(&h->core->state.domains, 1)->shutdown_reported);
	assert_int_equal(save(h, dialect, &image), 0);
	assert_int_equal(events_in(&image, "bare"), 1);
	stream_buffer_deinit(&image);
	/* Nor is it told again by the one that goes on after all. */
	harness_run(h);
	assert_string_equal(peer_event(h->dom0), "@releaseDomain bare");
	assert_string_equal(peer_event(h->dom0), "");
}

static void test_in_the_middle_of_asking(void **state)
{
	in_the_middle(state, "own");
}

static void test_in_the_middle_for_others(void **state)
{
	in_the_middle(state, "4.17");
}

/* Something could not be told for lack of memory, at any place. */
static void test_what_memory_was_missing_for(void **state)
{
	unsigned long fired = 1;

	(void)state;
	for (unsigned long i = 1; fired; i++) {
		struct harness *h = new_world(NULL);
		struct stream_buffer image = {0};

		watched_host(h);
		h->domain[1].state |= DOMSTATE_SHUTDOWN;
		h->domain[1].changed = true;
		faults_arm(i, 1000);
		core_domains_changed(h->core);
		fired = faults.fired;
		faults_disarm();
		assert_int_equal(save(h, "own", &image), 0);
		assert_int_equal(events_in(&image, "bare"), 1);
		stream_buffer_deinit(&image);
		harness_run(h);
		assert_string_equal(peer_event(h->dom0), "@releaseDomain bare");
		assert_string_equal(peer_event(h->dom0), "");
		harness_free(h);
	}
}

/* As long as memory is missing there is no image, rather than one that lacks an event. */
static void test_without_memory(void **state)
{
	struct harness *h = *state;
	unsigned long fired = 1;

	watched_host(h);
	for (unsigned long i = 1; fired; i++) {
		struct stream_buffer image = {0};
		int error;

		h->core->owed = h->core->owed_bare = true;
		faults_arm(i, 1);
		error = save(h, "own", &image);
		fired = faults.fired;
		faults_disarm();
		assert_int_equal(error, fired ? ENOMEM : 0);
		if (!error)
			assert_true(events_in(&image, "bare") > 0);
		stream_buffer_deinit(&image);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_in_the_middle_of_asking),
		world_test(test_in_the_middle_for_others),
		cmocka_unit_test(test_what_memory_was_missing_for),
		world_test(test_without_memory),
	};

	return run_group(tests);
}
