/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rules of whole images, each one broken once. */
#include "liveupdate/test-sample.h"

static void test_samples_are_consistent(void **state)
{
	const struct stream_dialect *dialect;

	(void)state;
	for (size_t i = 0; (dialect = stream_dialect_at(i)); i++) {
		struct stream_report report;
		struct stream_buffer buffer;

		sample_image(&buffer, dialect->name, 0);
		if (sample_check(buffer.data, buffer.len, &report))
			fail_msg("%s: %zu: %s", dialect->name, report.problem[0].offset,
				 report.problem[0].text);
		assert_int_equal(report.warnings, 0);
		assert_int_equal(report.connections, 3);
		assert_int_equal(report.watches, 4);
		assert_int_equal(report.nodes, 8);
		assert_int_equal(report.transactions, dialect->own);
		assert_int_equal(report.own, dialect->own);
		stream_buffer_deinit(&buffer);
	}
}

/* In steps, at another address each time, it is the same. */
static void test_steps(void **state)
{
	struct stream_problem problem[4];
	struct stream_report report = {.problem = problem, .room = 4};
	struct stream_checker *checker = stream_checker_new(&sample_secret, &report);
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;
	struct stream_buffer buffer;

	(void)state;
	assert_non_null(checker);
	sample_image(&buffer, "own", 0);
	assert_int_equal(stream_reader_init(&reader, buffer.data, buffer.len, &error), 0);
	while (stream_next(&reader, &record, &error) == STREAM_RECORD) {
		uint8_t *part = malloc(reader.at);

		assert_non_null(part);
		memcpy(part, buffer.data, reader.at);
		assert_int_equal(stream_check_step(checker, part, reader.at), 0);
		free(part);
	}
	assert_int_equal(stream_check_finish(checker, buffer.data, buffer.len), 0);
	assert_int_equal(report.nodes, 8);
	stream_checker_free(checker);
	stream_buffer_deinit(&buffer);
}

/* Finish an image and expect the first error to have @text in it. */
static void expect(struct stream_writer *writer, struct stream_buffer *buffer, const char *text)
{
	struct stream_report report;

	assert_int_equal(stream_put_end(writer), 0);
	if (!sample_check(buffer->data, buffer->len, &report))
		fail_msg("accepted; expected: %s", text);
	if (!strstr(report.problem[0].text, text))
		fail_msg("\"%s\" instead of \"%s\"", report.problem[0].text, text);
	assert_true(report.problem[0].offset <= buffer->len);
	stream_buffer_deinit(buffer);
}

static void test_plain_rules(void **state)
{
	struct stream_global global = {-1, -1};
	struct stream_connection socket = {.id = 9, .type = STREAM_SOCKET, .fd = 30};
	struct stream_connection ring = {.id = 10, .domid = 9, .target = STREAM_NO_TARGET};
	struct stream_perm perm = {.letter = 'n'};
	struct stream_node node = {
		.path = "/x", .path_len = 2, .perms = &perm, .perm_count = 1, .tx_id = 1};
	struct stream_domain domain = {.domid = 5};
	struct stream_quotas quotas = {.count = 2, .entry = {{"a", 1}, {"a", 2}}};
	struct stream_writer writer;
	struct stream_buffer buffer;

	(void)state;
#define START	     sample_start(&writer, &buffer, "4.22", 0)
#define EXPECT(text) expect(&writer, &buffer, text)
	START;
	stream_put_global(&writer, &global);
	EXPECT("second GLOBAL");
	START;
	socket.id = 4;
	stream_put_connection(&writer, &socket);
	EXPECT("second connection with the number 4");
	START;
	socket.id = 9;
	socket.fd = 8;
	stream_put_connection(&writer, &socket);
	EXPECT("file descriptor 8 is also used");
	START;
	socket.fd = -2;
	stream_put_connection(&writer, &socket);
	EXPECT("no file descriptor");
	START;
	socket.fd = 30;
	socket.output = (const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\0\0\5\0\0\0abcd";
	socket.output_len = 20;
	stream_put_connection(&writer, &socket);
	EXPECT("not made of whole messages");
	START;
	ring.domid = 5;
	stream_put_connection(&writer, &ring);
	EXPECT("second connection of domain 5");
	START;
	ring.domid = 0x7ff1;
	stream_put_connection(&writer, &ring);
	EXPECT("impossible domain");
	START;
	ring.domid = 9;
	ring.target = 0x7ff1;
	stream_put_connection(&writer, &ring);
	EXPECT("impossible target");
	START;
	ring.target = STREAM_NO_TARGET;
	ring.port = 21;
	stream_put_connection(&writer, &ring);
	EXPECT("event channel 21 is also used");
	START;
	sample_watch(&writer, 77, "/", "t", STREAM_NO_DEPTH);
	EXPECT("no connection 77");
	START;
	sample_watch(&writer, 4, "/a//b", "t", STREAM_NO_DEPTH);
	EXPECT("impossible path");
	START;
	sample_node(&writer, "/local", "", 0);
	EXPECT("second node \"/local\"");
	START;
	sample_node(&writer, "/local/none/x", "", 0);
	EXPECT("without its parent");
	START;
	sample_node(&writer, "relative", "", 0);
	EXPECT("not absolute");
	START;
	sample_node(&writer, "/local/", "", 0);
	EXPECT("not a legal one");
	START;
	stream_put_node(&writer, &node);
	EXPECT("belongs to a transaction");
	START;
	stream_put_domain(&writer, &domain);
	EXPECT("second record of domain 5");
	START;
	stream_put_global_quota(&writer, &quotas);
	EXPECT("second GLOBAL_QUOTA");
	START;
	domain.domid = 0x7ff0;
	stream_put_domain(&writer, &domain);
	EXPECT("impossible domain");
	START;
	domain.domid = 7;
	domain.quotas = quotas;
	stream_put_domain(&writer, &domain);
	EXPECT("second quota");
#undef START
	/* Without GLOBAL, and without a root. */
	memset(&buffer, 0, sizeof(buffer));
	stream_writer_init(&writer, stream_dialect_find("4.22"), 0, stream_buffer_put, &buffer);
	sample_node(&writer, "/", "", 0);
	EXPECT("first record is not GLOBAL");
	stream_writer_init(&writer, stream_dialect_find("4.22"), 0, stream_buffer_put, &buffer);
	stream_put_global(&writer, &global);
	EXPECT("no node \"/\"");
}

static void test_bytes_behind_the_end(void **state)
{
	struct stream_report report;
	struct stream_buffer buffer;

	(void)state;
	sample_image(&buffer, "4.22", 0);
	assert_int_equal(stream_buffer_put(&buffer, "12345678", 8), 0);
	assert_int_equal(sample_check(buffer.data, buffer.len, &report), 1);
	assert_non_null(strstr(report.problem[0].text, "8 bytes behind"));
	stream_buffer_deinit(&buffer);
}

/* What a restore can cope with is a warning in a foreign image, and an error in ours. */
static void test_warnings(void **state)
{
	struct stream_writer writer;
	struct stream_buffer buffer;
	struct stream_report report;

	(void)state;
	sample_start(&writer, &buffer, "4.22", 0);
	sample_node(&writer, "/foreign", "", 77);
	stream_put_end(&writer);
	assert_int_equal(sample_check(buffer.data, buffer.len, &report), 0);
	assert_int_equal(report.warnings, 1);
	assert_non_null(strstr(report.problem[0].text, "domain 77"));
	stream_buffer_deinit(&buffer);
}

/* Whatever a guest sends, an image of ours with it is consistent. */
static void test_guests_cannot_spoil_an_image(void **state)
{
	static const struct stream_serial serial[] = {{16}, {0}};
	struct stream_perms records = {0, COUNTED(serial)};
	struct stream_connection ring = {.id = 9,
					 .domid = 9,
					 .target = STREAM_NO_TARGET,
					 .input = (const uint8_t *)"0123456789abcdefghij",
					 .input_len = 20};
	struct stream_domain_state domain = {
		.domid = 9, .record = 18, .target_domid = STREAM_NO_TARGET};
	struct stream_domain_state zero = {.record = 16, .target_domid = STREAM_NO_TARGET};
	struct stream_perm perms[] = {{.letter = 'n'},
				      {.letter = 'r', .flags = 1, .domid = 0xffff}};
	struct stream_counters counters = {.last_record = 18, .last_client = 9};
	struct stream_image image = {.format = 1};
	struct stream_global global = {3, 6};
	struct stream_node node = {.path = "/", .path_len = 1, .perms = perms, .perm_count = 2};
	struct stream_buffer buffer = {0};
	struct stream_writer writer;
	struct stream_report report;

	(void)state;
	stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, &buffer);
	stream_put_global(&writer, &global);
	stream_put_own(&writer, STREAM_IMAGE, &image);
	stream_put_own(&writer, STREAM_COUNTERS, &counters);
	stream_put_connection(&writer, &ring);
	stream_put_own(&writer, STREAM_DOMAIN_STATE, &zero);
	stream_put_own(&writer, STREAM_DOMAIN_STATE, &domain);
	stream_put_node(&writer, &node);
	stream_put_own(&writer, STREAM_PERMS, &records);
	sample_node(&writer, "@introduceDomain", "", 0);
	sample_node(&writer, "@releaseDomain", "", 0);
	stream_put_end(&writer);
	assert_int_equal(sample_check(buffer.data, buffer.len, &report), 0);
	assert_int_equal(report.warnings, 2);
	stream_buffer_deinit(&buffer);
}

/* Fragments: of one domain, with its connection and quotas and no others'. */
static void fragment(struct stream_buffer *buffer, unsigned int states, unsigned int ring_domid,
		     unsigned int quota_domid)
{
	struct stream_image image = {.format = 1, .flags = STREAM_IMAGE_FRAGMENT};
	struct stream_domain_state state = {
		.domid = 5, .record = 16, .target_domid = STREAM_NO_TARGET};
	struct stream_connection ring = {
		.id = 1, .domid = (uint16_t)ring_domid, .target = STREAM_NO_TARGET};
	struct stream_domain domain = {.domid = (uint16_t)quota_domid};
	struct stream_writer writer;

	memset(buffer, 0, sizeof(*buffer));
	sample_quotas(&domain.quotas);
	stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put, buffer);
	stream_put_own(&writer, STREAM_IMAGE, &image);
	for (; states; states--, state.domid++, state.record++)
		stream_put_own(&writer, STREAM_DOMAIN_STATE, &state);
	stream_put_domain(&writer, &domain);
	stream_put_connection(&writer, &ring);
	sample_node(&writer, "/local/domain/5/data", "", 5);
	assert_int_equal(stream_put_end(&writer), 0);
}

static void test_fragments(void **state)
{
	static const struct {
		unsigned int states, ring, quota;
		bool wrong;
	} cases[] = {{1, 5, 5, false},
		     {0, 5, 5, true},
		     {2, 5, 5, true},
		     {1, 6, 5, true},
		     {1, 5, 6, true}};
	struct stream_report report;
	struct stream_buffer buffer;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		fragment(&buffer, cases[i].states, cases[i].ring, cases[i].quota);
		if (!sample_check(buffer.data, buffer.len, &report) != !cases[i].wrong)
			fail_msg("case %zu: %zu errors, %s", i, report.errors,
				 report.problem[0].text);
		stream_buffer_deinit(&buffer);
	}
}

/* A transaction outlives a domain whose nodes it has seen; the live tree has none of them. */
static void test_transaction_with_nodes_of_the_dead(void **state)
{
	static const struct stream_own_perm perms[] = {{.letter = 'n', .domid = 66, .record = 3}};
	struct stream_tx tx = {.conn_id = 2, .tx_id = 9, .differences = 1};
	struct stream_tx_difference difference = {
		2, 9, STREAM_SET, COUNTED(perms), TEXT("/local/66"), {0}};
	struct stream_writer writer;
	struct stream_buffer buffer;
	struct stream_report report;

	(void)state;
	sample_start(&writer, &buffer, "own", 0);
	stream_put_own(&writer, STREAM_TX, &tx);
	stream_put_own(&writer, STREAM_TX_DIFFERENCE, &difference);
	stream_put_end(&writer);
	assert_int_equal(sample_check(buffer.data, buffer.len, &report), 0);
	stream_buffer_deinit(&buffer);
}

static void test_own_rules(void **state)
{
	static const struct stream_own_perm perms[] = {{.letter = 'n', .domid = 5, .record = 17}};
	static const struct stream_serial order[] = {{8}, {7}};
	static const struct stream_event events[] = {{2, 0, 0, 0, 0, 0}};
	struct stream_counters counters = {.last_record = 17};
	struct stream_domain_state domain = {
		.domid = 6, .record = 17, .target_domid = STREAM_NO_TARGET};
	struct stream_connection socket = {.id = 9, .type = STREAM_SOCKET, .fd = 30};
	struct stream_client client = {.conn_id = 4, .client = 44};
	struct stream_watch_order watches = {2, COUNTED(order)};
	struct stream_events late = {1, COUNTED(events)};
	struct stream_tx tx = {.conn_id = 2, .tx_id = 9, .changes = 1};
	struct stream_tx_change change = {2, 9, STREAM_CHANGE_WRITE, {0}, TEXT("/no"), BYTES("x")};
	struct stream_tx_touch touch = {2, 9, 1, 0, 0, 0, TEXT("/")};
	struct stream_delta delta = {STREAM_SET, COUNTED(perms), TEXT("/z"), {0}};
	struct stream_perms records = {0, {NULL, 0}};
	struct stream_credit credit = {.domid = 99};
	struct stream_statistics statistics = {5, 0, COUNTED(order), BYTES("one\0")};
	struct stream_migration migration = {1, 2, BYTES("xen")};
	struct stream_writer writer;
	struct stream_buffer buffer;

	(void)state;
#define START sample_start(&writer, &buffer, "own", 0)
	START;
	stream_put_own(&writer, STREAM_COUNTERS, &counters);
	EXPECT("second COUNTERS");
	START;
	stream_put_own(&writer, STREAM_DOMAIN_STATE, &domain);
	EXPECT("domain record 17 is also used");
	START;
	domain.record = 18;
	stream_put_own(&writer, STREAM_DOMAIN_STATE, &domain);
	EXPECT("above the last one");
	START;
	domain.record = 3;
	stream_put_own(&writer, STREAM_DOMAIN_STATE, &domain);
	EXPECT("impossible record 3");
	START;
	stream_put_connection(&writer, &socket);
	EXPECT("connection 9 has no CLIENT");
	START;
	stream_put_own(&writer, STREAM_CLIENT, &client);
	EXPECT("second CLIENT");
	START;
	stream_put_own(&writer, STREAM_WATCH_ORDER, &watches);
	EXPECT("watches out of their order");
	START;
	stream_put_own(&writer, STREAM_EVENTS, &late);
	EXPECT("message 2 of connection 1");
	START;
	stream_put_own(&writer, STREAM_TX, &tx);
	EXPECT("lacks 0 differences, 0 touches and 1 changes");
	START;
	stream_put_own(&writer, STREAM_TX, &tx);
	stream_put_own(&writer, STREAM_TX_CHANGE, &change);
	EXPECT("\"/no\", which is not there");
	START;
	stream_put_own(&writer, STREAM_TX_CHANGE, &change);
	EXPECT("out of place");
	START;
	stream_put_own(&writer, STREAM_TX_TOUCH, &touch);
	EXPECT("out of place");
	START;
	tx.tx_id = 3;
	tx.changes = 0;
	stream_put_own(&writer, STREAM_TX, &tx);
	EXPECT("connection and transaction");
	START;
	stream_put_own(&writer, STREAM_DELTA, &delta);
	EXPECT("DELTA behind a transaction");
	START;
	sample_node(&writer, "/z", "", 0);
	EXPECT("NODE behind");
	START;
	stream_put_own(&writer, STREAM_PERMS, &records);
	EXPECT("PERMS is not behind");
	START;
	stream_put_own(&writer, STREAM_CREDIT, &credit);
	EXPECT("domain 99");
	START;
	stream_put_own(&writer, STREAM_STATISTICS, &statistics);
	EXPECT("2 values with 1 names");
	START;
	stream_put_own(&writer, STREAM_MIGRATION, &migration);
	EXPECT("migration of 2 bytes with 3");
	START;
	migration.expected = 3;
	migration.conn_id = 77;
	stream_put_own(&writer, STREAM_MIGRATION, &migration);
	EXPECT("connection 77");
	START;
	migration.conn_id = 1;
	stream_put_own(&writer, STREAM_MIGRATION, &migration);
	EXPECT("second MIGRATION");
#undef START
}

/* The tree after so many changes. */
static void test_deltas(void **state)
{
	static const struct stream_own_perm perms[] = {{.letter = 'n', .record = 16}};
#define SET(path)                                                                                  \
	{                                                                                          \
		STREAM_SET, COUNTED(perms), TEXT(path),                                            \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
#define REMOVE(path)                                                                               \
	{                                                                                          \
		STREAM_REMOVE, {0}, TEXT(path),                                                    \
		{                                                                                  \
			0                                                                          \
		}                                                                                  \
	}
	static const struct {
		struct stream_delta delta[4];
		const char *error; /* NULL: none */
	} cases[] = {
		{{SET("/a"), SET("/a/b"), REMOVE("/a"), SET("/a")}, NULL},
		{{SET("/a"), SET("/a/b"), REMOVE("/a"), SET("/a/b")}, "without its parent"},
		{{SET("/a"), REMOVE("/a"), SET("/a"), REMOVE("/a")}, NULL},
		{{SET("/a"), SET("/a/b"), REMOVE("/a"), REMOVE("/a/b")}, "no node \"/a/b\""},
		{{REMOVE("/local"), SET("/local"), SET("/local/domain"), SET("/x")}, NULL},
		{{REMOVE("/local"), SET("/local"), SET("/local/domain/5"), SET("/x")},
		 "without its parent"},
		{{REMOVE("/"), SET("/a"), SET("/a"), SET("/a")}, "removal of \"/\""},
		{{REMOVE("/b"), SET("/a"), SET("/a"), SET("/a")}, "no node \"/b\""},
		{{SET("/a"), SET("/a"), SET("/a"), SET("no")}, "not absolute"},
		{{{9, {0}, TEXT("/"), {0}}, SET("/a"), SET("/a"), SET("/a")}, "unknown operation"},
	};
	struct stream_image image = {.format = 1};
	struct stream_global global = {3, 6};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stream_buffer buffer = {0};
		struct stream_writer writer;
		struct stream_report report;

		stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put,
				   &buffer);
		stream_put_global(&writer, &global);
		stream_put_own(&writer, STREAM_IMAGE, &image);
		sample_node(&writer, "/", "", 0);
		sample_node(&writer, "/local", "", 0);
		sample_node(&writer, "/local/domain", "", 0);
		sample_node(&writer, "@introduceDomain", "", 0);
		sample_node(&writer, "@releaseDomain", "", 0);
		for (size_t k = 0; k < 4; k++)
			stream_put_own(&writer, STREAM_DELTA, &cases[i].delta[k]);
		if (cases[i].error) {
			EXPECT(cases[i].error);
			continue;
		}
		stream_put_end(&writer);
		if (sample_check(buffer.data, buffer.len, &report))
			fail_msg("case %zu: %s", i, report.problem[0].text);
		stream_buffer_deinit(&buffer);
	}
}

/* Nodes that were written ahead, and what may follow them. */
static void test_snapshot(void **state)
{
	static const struct {
		struct stream_owner owner[2];
		uint64_t size;
		const char *error; /* NULL: none */
	} cases[] = {
		{{{0, 0, 0, 16}, {7, 0, 0, 20}}, 0, NULL},
		{{{0, 0, 0, 16}, {7, 0, 0, 20}}, 120, NULL},
		{{{0, 0, 0, 16}, {7, 0, 0, 20}}, 80, "end here and not"},
		{{{0, 0, 0, 16}, {8, 0, 0, 20}}, 0, "which the SNAPSHOT does not have"},
		{{{7, 0, 0, 16}, {7, 0, 0, 20}}, 0, "twice"},
		{{{0, 0, 0, 16}, {7, 0, 0, 15}}, 0, "impossible domain 7"},
		{{{0, 0, 0, 16}, {0x7ff1, 0, 0, 20}}, 0, "impossible domain"},
	};
	struct stream_image image = {.format = 1};
	struct stream_global global = {3, 6};
	struct stream_delta delta = {STREAM_REMOVE, {0}, TEXT("/a"), {0}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stream_snapshot snapshot = {.size = cases[i].size,
						   .owners = COUNTED(cases[i].owner)};
		struct stream_buffer buffer = {0};
		struct stream_writer writer;
		struct stream_report report;

		stream_writer_init(&writer, stream_dialect_find("own"), 0, stream_buffer_put,
				   &buffer);
		stream_put_global(&writer, &global);
		stream_put_own(&writer, STREAM_IMAGE, &image);
		stream_put_own(&writer, STREAM_SNAPSHOT, &snapshot);
		sample_node(&writer, "/", "", 0);
		sample_node(&writer, "/a", "", 7); /* dead when the rest is written */
		sample_node(&writer, "@releaseDomain", "", 0);
		stream_put_own(&writer, STREAM_DELTA, &delta);
		if (cases[i].error) {
			EXPECT(cases[i].error);
			continue;
		}
		stream_put_end(&writer);
		/* A special node is missing, and nothing else. */
		if (sample_check(buffer.data, buffer.len, &report) > 1)
			fail_msg("case %zu: %s", i, report.problem[0].text);
		stream_buffer_deinit(&buffer);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples_are_consistent),
		cmocka_unit_test(test_steps),
		cmocka_unit_test(test_plain_rules),
		cmocka_unit_test(test_bytes_behind_the_end),
		cmocka_unit_test(test_warnings),
		cmocka_unit_test(test_guests_cannot_spoil_an_image),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_transaction_with_nodes_of_the_dead),
		cmocka_unit_test(test_own_rules),
		cmocka_unit_test(test_deltas),
		cmocka_unit_test(test_snapshot),
	};

	return cmocka_run_group_tests_name("stream-check", tests, NULL, NULL);
}
