/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every allocation fails once: nothing may be half done, and everything works afterwards. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "play.h"

/* Two guests with homes of their own. */
static void two_guests(struct play *play)
{
	play_introduce(play, 1);
	play_introduce(play, 2);
	play_write(play, DOM0, 0, "/local/domain/1/data|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/1/data|n1|r2");
	play_write(play, DOM0, 0, "/local/domain/2/data|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/2/data|n2");
}

static void watched_homes(struct play *play)
{
	two_guests(play);
	play_request(play, DOM0, XS_WATCH, 0, "/|all");
	play_request(play, GUEST_1, XS_WATCH, 0, "data|relative");
	play_request(play, GUEST_2, XS_WATCH, 0, "/local/domain/1|other");
	play_request(play, OTHER, XS_WATCH, 0, "/local/domain/1/data/a|deep|2");
}

static void nodes(struct play *play)
{
	play_write(play, GUEST_1, 0, "data/a/b/c/d|value");
	play_write(play, GUEST_1, 0, "data/a/b/c/d|a value that is longer than its place is now");
	play_write(play, GUEST_1, 0, "data/a/b|short");
	play_write(play, GUEST_2, 0, "/local/domain/1/data/a|not allowed");
	play_request(play, GUEST_1, XS_READ, 0, "data/a/b/c/d");
	play_request(play, GUEST_2, XS_READ, 0, "/local/domain/1/data/a/b");
	play_request(play, GUEST_2, XS_READ, 0, "/tool/hidden");
	play_request(play, GUEST_1, XS_DIRECTORY, 0, "data/a");
	play_request(play, OTHER, XS_DIRECTORY_PART, 0, "/local/domain/1/data|0");
	play_request(play, GUEST_1, XS_GET_PERMS, 0, "data/a");
	play_request(play, GUEST_1, XS_MKDIR, 0, "data/a/b");
	play_request(play, GUEST_1, XS_MKDIR, 0, "data/x/y");
	play_request(play, GUEST_1, XS_SET_PERMS, 0, "data/a/b|n1|b2|r7|r32757");
	play_write(play, GUEST_2, 0, "/local/domain/1/data/a/b/of2|mine");
	play_request(play, DOM0, XS_RM, 0, "/local/domain/1/data/nothing");
	play_request(play, GUEST_1, XS_WATCH, 0, "data/a/b/c|below");
	play_request(play, THIRD, XS_WATCH, 0, "/local/domain/1/data/a/b/of2|foreign");
	play_request(play, THIRD, XS_WATCH, 0, "/local/domain/1/data/a/b/c/d|foreign");
	play_request(play, GUEST_1, XS_RM, 0, "data/a");
	play_write(play, GUEST_1, 0, "data/a|again");
	play_request(play, GUEST_1, XS_RM, 0, "data/x/y");
	play_request(play, GUEST_1, XS_RM, 0, "data");
}

/* Nodes change hands, with others' nodes below. */
static void owners(struct play *play)
{
	harness_create(play_world(play), 7);
	play_write(play, GUEST_1, 0, "data/a/b/c|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/1/data/a|n2|r1");
	play_write(play, GUEST_2, 0, "/local/domain/1/data/a/x|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/1/data/a/b/c|b7|r1");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/1/data/a|n1");
	play_request(play, DOM0, XS_SET_PERMS, 0, "@releaseDomain|n2|r1");
	play_request(play, DOM0, XS_SET_PERMS, 0, "@releaseDomain|n0|r32757");
	play_request(play, GUEST_1, XS_SET_PERMS, 0, "data/a|n2");
	play_request(play, DOM0, XS_RM, 0, "/local/domain/1/data/a/b");
	play_request(play, DOM0, XS_RM, 0, "/local/domain/1");
}

static void watches(struct play *play)
{
	char text[64];

	for (int i = 0; i < 20; i++) {
		snprintf(text, sizeof(text), "/fan/out|%d", i);
		play_request(play, i % 2 ? OTHER : THIRD, XS_WATCH, 0, text);
	}
	play_request(play, GUEST_1, XS_WATCH, 0, "/fan|unseen");
	play_request(play, GUEST_1, XS_WATCH, 0, "/fan|unseen");
	play_write(play, DOM0, 0, "/fan/out/far/below|1");
	play_request(play, DOM0, XS_RM, 0, "/fan");
	play_request(play, OTHER, XS_UNWATCH, 0, "/fan/out|1");
	play_request(play, OTHER, XS_RESET_WATCHES, 0, "");
	play_write(play, DOM0, 0, "/fan/out|2");
	play_request(play, GUEST_1, XS_RESET_WATCHES, 0, "");
}

static void settings(struct play *play)
{
	harness_create(play_world(play), 8);
	play_request(play, DOM0, XS_GET_DOMAIN_PATH, 0, "1");
	play_request(play, DOM0, XS_IS_DOMAIN_INTRODUCED, 0, "1");
	play_request(play, DOM0, XS_GET_FEATURE, 0, "8");
	play_request(play, DOM0, XS_SET_FEATURE, 0, "8|2");
	play_request(play, DOM0, XS_GET_QUOTA, 0, "nodes");
	play_request(play, DOM0, XS_SET_QUOTA, 0, "1|nodes|900");
	play_request(play, DOM0, XS_GET_QUOTA, 0, "1|nodes");
	play_write(play, GUEST_1, 0, "data/x|");
	play_request(play, DOM0, XS_SET_QUOTA, 0, "nodes|900");
	play_request(play, DOM0, XS_SET_TARGET, 0, "2|1");
	play_write(play, GUEST_2, 0, "/local/domain/1/data/y/z|");
	play_request(play, DOM0, XS_RESUME, 0, "1");
	play_request(play, DOM0, XS_CONTROL, 0, "help");
	play_request(play, DOM0, XS_CONTROL, 0, "quota");
	play_request(play, DOM0, XS_CONTROL, 0, "quota|set|nodes|1001");
	play_ask(play, DOM0, XS_CONTROL, "quota|1");
	play_ask(play, DOM0, XS_CONTROL, "quota|max|-r");
	play_request(play, DOM0, XS_CONTROL, 0, "check");
}

static void stored(struct play *play)
{
	watched_homes(play);
	play_write(play, DOM0, 0, "/t/one|1");
	play_write(play, DOM0, 0, "/t/two/below|2");
	play_write(play, DOM0, 0, "/t/two/beside|2");
	play_request(play, THIRD, XS_WATCH, 0, "/t/two/below|removed");
	play_request(play, THIRD, XS_WATCH, 0, "/t/new|made");
}

/* What happens between START and END: nothing else, something unrelated, or a conflict. */
static void transactions(struct play *play)
{
	uint32_t tx;

	for (int rival = 0; rival < 3; rival++) {
		do {
			play_mark(play);
			tx = play_begin(play, DOM0);
			play_request(play, DOM0, XS_READ, tx, "/t/one");
			play_request(play, DOM0, XS_DIRECTORY, tx, "/t");
			play_write(play, DOM0, tx, "/t/new/deep/node|x");
			play_write(play, DOM0, tx, "/t/one|a longer value");
			play_write(play, DOM0, tx, "/t/one|another value, which is longer still");
			play_request(play, DOM0, XS_SET_PERMS, tx, "/t/one|n1|r2");
			play_request(play, DOM0, XS_RM, tx, "/t/two");
			play_request(play, DOM0, XS_MKDIR, tx, "/t/two/other");
			play_request(play, DOM0, XS_READ, tx, "/t/two/below");
			if (rival)
				play_write(play, OTHER, 0, rival == 1 ? "/beside|y" : "/t/two|y");
		} while (!play_end(play, DOM0, tx, "T"));
		do {
			play_mark(play);
			tx = play_begin(play, DOM0);
			play_request(play, DOM0, XS_RM, tx, "/t/new");
			play_write(play, DOM0, tx, "/t/two/below|2");
			play_request(play, DOM0, XS_SET_PERMS, tx, "/t/one|n0");
		} while (!play_end(play, DOM0, tx, "T"));
	}
	/* A value that was read has changed. */
	do {
		play_mark(play);
		play_write(play, OTHER, 0, "/beside|before");
		tx = play_begin(play, DOM0);
		play_request(play, DOM0, XS_READ, tx, "/beside");
		play_write(play, DOM0, tx, "/t/one|never seen");
		play_write(play, OTHER, 0, "/beside|after");
	} while (!play_end(play, DOM0, tx, "T"));
	do {
		play_mark(play);
		tx = play_begin(play, DOM0);
		play_request(play, DOM0, XS_RM, tx, "/t");
	} while (!play_end(play, DOM0, tx, "F"));
}

/* A guest at its limit of nodes, which makes room in the transaction itself. */
static void guest_transactions(struct play *play)
{
	uint32_t tx;

	do {
		play_mark(play);
		tx = play_begin(play, GUEST_1);
		play_request(play, GUEST_1, XS_RM, tx, "data/old");
		play_write(play, GUEST_1, tx, "data/a/b/c|x");
		play_request(play, GUEST_1, XS_READ, tx, "data/a");
		play_write(play, GUEST_2, 0, "data/z|y");
	} while (!play_end(play, GUEST_1, tx, "T"));
	tx = play_begin(play, GUEST_1);
	play_request(play, GUEST_1, XS_RESET_WATCHES, tx, "");
}

static void guest_at_limit(struct play *play)
{
	watched_homes(play);
	play_write(play, GUEST_1, 0, "data/old/1/2|x");
	play_write(play, GUEST_2, 0, "data/z|x");
	play_request(play, DOM0, XS_SET_QUOTA, 0, "1|nodes|4");
}

static void domains_watched(struct play *play)
{
	play_request(play, DOM0, XS_WATCH, 0, "@introduceDomain|i");
	play_request(play, DOM0, XS_WATCH, 0, "@releaseDomain|r");
	play_request(play, OTHER, XS_WATCH, 0, "@introduceDomain|i|1");
	play_request(play, OTHER, XS_WATCH, 0, "@releaseDomain|r|1");
	play_request(play, THIRD, XS_WATCH, 0, "/local/domain|nodes");
}

/* Each guest owns nodes in several places, some of them below others'. */
static void settle_down(struct play *play)
{
	char text[64];

	play_write(play, DOM0, 0, "/shared|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/shared|n0|b1|b2|b3");
	for (unsigned int domid = 1; domid <= 3; domid++) {
		snprintf(text, sizeof(text), "/local/domain/%u/data|", domid);
		play_write(play, DOM0, 0, text);
		snprintf(text, sizeof(text), "/local/domain/%u/data|n%u", domid, domid);
		play_request(play, DOM0, XS_SET_PERMS, 0, text);
		snprintf(text, sizeof(text), "data/a/%u|x", domid);
		play_write(play, GUEST_1 + domid - 1, 0, text);
		snprintf(text, sizeof(text), "/shared/%u/a/b|x", domid);
		play_write(play, GUEST_1 + domid - 1, 0, text);
	}
	/* Domain 2 gives a node away and keeps what is below; domain 3 gets what is below 1's. */
	play_request(play, DOM0, XS_SET_PERMS, 0, "/shared/2/a|n0");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/shared/2|n0");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/shared/1/a/b|n3");
	play_request(play, DOM0, XS_SET_PERMS, 0, "@releaseDomain|n2|r32757");
}

static void lives(struct play *play)
{
	for (unsigned int domid = 1; domid <= 3; domid++)
		play_introduce(play, domid);
	settle_down(play);
	play_introduce(play, 1); /* once more */
	play_request(play, GUEST_1, XS_WATCH, 0, "data|x");
	play_world(play)->domain[1].state |= DOMSTATE_SHUTDOWN;
	play_world(play)->domain[2].state |= DOMSTATE_SHUTDOWN;
	play_world(play)->domain[1].changed = play_world(play)->domain[2].changed = true;
	play_domains_changed(play);
	play_world(play)->domain[3].state |= DOMSTATE_SHUTDOWN;
	play_world(play)->domain[3].changed = true;
	play_domains_changed(play);
	play_request(play, DOM0, XS_RESUME, 0, "1");
	harness_destroy_silently(play_world(play), 2);
	harness_destroy_silently(play_world(play), 3);
	play_domains_changed(play);
	play_request(play, DOM0, XS_RELEASE, 0, "1");
	play_introduce(play, 3);
	play_write(play, DOM0, 0, "/local/domain/3/data|");
	play_request(play, DOM0, XS_SET_PERMS, 0, "/local/domain/3/data|n3");
	harness_destroy_silently(play_world(play), 3);
	harness_create(play_world(play), 3);
	/* What the dead one had sent still counts; its death is noticed when others name it. */
	play_request(play, GUEST_3, XS_SET_PERMS, 0, "data|n3|r1");
	play_ask(play, DOM0, XS_GET_FEATURE, "3");
}

static void settled(struct play *play)
{
	domains_watched(play);
	for (unsigned int domid = 1; domid <= 3; domid++)
		play_introduce(play, domid);
	settle_down(play);
}

/* Nothing is removed: what the dead owned goes to domain 0. */
static void deaths_with_orphans(struct play *play)
{
	harness_destroy_silently(play_world(play), 2);
	play_domains_changed(play);
	harness_destroy_silently(play_world(play), 1);
	harness_destroy_silently(play_world(play), 3);
	play_domains_changed(play);
}

static void fill(struct play *play, const char *directory, unsigned int from, unsigned int to)
{
	char text[64];

	for (unsigned int i = from; i < to; i++) {
		snprintf(text, sizeof(text), "%s/child-%u|", directory, i);
		play_write(play, DOM0, 0, text);
	}
}

static void large_directories(struct play *play)
{
	fill(play, "/index", 0, 21);
	fill(play, "/page", 0, 31);
	fill(play, "/branch", 0, 31);
	fill(play, "/shrink", 0, 24);
	for (unsigned int i = 0; i < 11; i++) {
		char text[64];

		snprintf(text, sizeof(text), "/shrink/child-%u", i);
		play_request(play, DOM0, XS_RM, 0, text);
	}
}

/* Around the sizes at which an index is made and dropped, and pages are split. */
static void directories(struct play *play)
{
	uint32_t tx;

	fill(play, "/index", 21, 26);
	fill(play, "/page", 31, 35);
	do {
		play_mark(play);
		tx = play_begin(play, DOM0);
		play_write(play, DOM0, tx, "/branch/child-31|");
		play_write(play, DOM0, tx, "/branch/child-32|");
		play_request(play, DOM0, XS_RM, tx, "/branch/child-3");
		play_write(play, DOM0, tx, "/index/child-7|x");
		play_request(play, DOM0, XS_RM, 0, "/page/none");
		play_write(play, OTHER, 0, "/page/child-1|x");
	} while (!play_end(play, DOM0, tx, "T"));
	play_request(play, DOM0, XS_RM, 0, "/shrink/child-20");
	play_request(play, DOM0, XS_RM, 0, "/shrink/child-21");
	play_request(play, DOM0, XS_DIRECTORY, 0, "/page");
	play_request(play, DOM0, XS_DIRECTORY_PART, 0, "/page|100");
	play_request(play, DOM0, XS_RM, 0, "/page");
}

/* Bytes in pieces, many requests at once, and a client that does not read for a while. */
static void streams(struct play *play)
{
	struct wire_header header = {.type = XS_READ, .req_id = 1, .len = 6};

	play_push(play, OTHER, &header, 10);
	play_settle(play, OTHER, 0);
	play_push(play, OTHER, (const char *)&header + 10, 6);
	play_push(play, OTHER, "/to", 3);
	play_settle(play, OTHER, 0);
	play_push(play, OTHER, "ol", 3);
	play_settle(play, OTHER, 1);
	for (int i = 0; i < 50; i++)
		play_send(play, OTHER, i % 3 ? XS_READ : XS_MKDIR, "/tool/xenstored");
	play_settle(play, OTHER, 50);

	play_peer(play, THIRD)->take_max = 0;
	fill(play, "/index", 0, 10);
	play_send(play, THIRD, XS_READ, "/index/child-1");
	play_send(play, THIRD, XS_READ, "/index/child-2");
	play_settle(play, THIRD, 0);
	play_peer(play, THIRD)->take_max = 50;
	play_settle(play, THIRD, 0);
	play_peer(play, THIRD)->take_max = SIZE_MAX;
	play_settle(play, THIRD, 2);
}

static void streams_watched(struct play *play)
{
	play_request(play, THIRD, XS_WATCH, 0, "/index|full");
}

static void test_nodes(void **state)
{
	(void)state;
	play_all("nodes", NULL, watched_homes, nodes);
}

static void test_owners(void **state)
{
	(void)state;
	play_all("owners", NULL, watched_homes, owners);
}

static void test_watches(void **state)
{
	(void)state;
	play_all("watches", NULL, two_guests, watches);
}

static void test_settings(void **state)
{
	(void)state;
	play_all("settings", NULL, two_guests, settings);
}

static void test_transactions(void **state)
{
	(void)state;
	play_all("transactions", NULL, stored, transactions);
	play_all("a guest's transactions", NULL, guest_at_limit, guest_transactions);
}

static void test_lives(void **state)
{
	(void)state;
	play_all("lives of domains", NULL, domains_watched, lives);
}

static void test_orphans(void **state)
{
	struct core_config config = harness_config();

	(void)state;
	config.keep_orphans = true;
	play_all("orphans", &config, settled, deaths_with_orphans);
}

static void test_directories(void **state)
{
	(void)state;
	play_all("directories", NULL, large_directories, directories);
}

static void test_streams(void **state)
{
	(void)state;
	play_all("streams", NULL, streams_watched, streams);
}

/* A core that cannot be made leaves nothing behind, and a client that cannot be is turned away. */
static void test_start(void **state)
{
	long balance = faults.balance;
	struct harness *harness;
	unsigned long refused = 0;

	(void)state;
	for (unsigned long k = 1;; k++) {
		faults_arm(k, 1);
		harness = harness_new();
		faults_disarm();
		if (harness && harness->dom0->client)
			break;
		refused++;
		if (harness) {
			struct peer *peer = harness_socket(harness);
			struct answer answer;

			assert_true(harness->dom0->closed);
			assert_int_equal(peer_read(peer, 0, "/tool", &answer), 0);
			harness_free(harness);
		}
		assert_int_equal(faults.balance, balance);
	}
	assert_true(refused > 5);
	harness_free(harness);
	assert_int_equal(faults.balance, balance);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_start),	    cmocka_unit_test(test_nodes),
		cmocka_unit_test(test_owners),	    cmocka_unit_test(test_watches),
		cmocka_unit_test(test_settings),    cmocka_unit_test(test_transactions),
		cmocka_unit_test(test_lives),	    cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_directories), cmocka_unit_test(test_streams),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
