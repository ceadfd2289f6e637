/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a guest had waiting for it when it was cut out is in its fragment, and the fragment is
 * right. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "guests.h"
#include "liveupdate/fragment.h"
#include "liveupdate/image.h"
#include "liveupdate/stream-check.h"

static void cut_out(struct harness *h, unsigned int domid)
{
	static const struct hash_secret secret = {3, 4};
	struct stream_problem problem;
	struct stream_report report = {.problem = &problem, .room = 1};
	struct stream_buffer fragment = {0};
	struct stream_writer writer;

	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, &fragment),
			 0);
	assert_int_equal(fragment_save(h->core, domid, &writer), 0);
	if (stream_check(fragment.data, fragment.len, &secret, &report))
		fail_msg("at %zu: %s", problem.offset, problem.text);
	assert_true(report.fragment);
	stream_buffer_deinit(&fragment);
}

static void save_image(struct harness *h)
{
	struct image_process process = {.listen_fd = -1, .evtchn_fd = -1};
	struct image_requester nobody = {0};
	struct stream_buffer image = {0};
	struct stream_writer writer;

	assert_int_equal(stream_writer_init(&writer, stream_dialect_find("own"), 0,
					    stream_buffer_put, &image),
			 0);
	assert_int_equal(image_save(h->core, &process, &nobody, &writer), 0);
	stream_buffer_deinit(&image);
}

/* Events that other guests have caused, before and after images of all were written. */
static void test_events(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6), *seven = guest(h, 7);

	node(h, "/x", "n0 b5 r6 r7");
	ok(peer_watch(six, "/x", "t"));
	ok(peer_watch(seven, "/x", "t"));
	peer_forget_events(six);
	peer_forget_events(seven);
	six->take_max = seven->take_max = 0;
	for (int i = 0; i < 3; i++) {
		ok(peer_write(five, 0, "/x/a", ""));
		ok(peer_write(five, 0, "/x/b", ""));
		cut_out(h, 6);
		cut_out(h, 7);
		cut_out(h, 6);
		save_image(h);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_events),
	};

	return run_group(tests);
}
