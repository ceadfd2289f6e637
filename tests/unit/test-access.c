/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Access: which guest may do what with a node, and what it learns about nodes
 * that it may not see (spec: protocol.md section 5). Targets are in
 * test-target.c.
 */
#include "guests.h"

static void test_letters_of_an_entry(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/n", "n0 n5");
	node(h, "/r", "n0 r5");
	node(h, "/w", "n0 w5");
	node(h, "/b", "n0 b5");
	fails(EACCES, peer_read(five, 0, "/n", NULL));
	fails(EACCES, peer_write(five, 0, "/n", "x"));
	ok(peer_read(five, 0, "/r", NULL));
	ok(peer_directory(five, 0, "/r", NULL));
	fails(EACCES, peer_write(five, 0, "/r", "x"));
	fails(EACCES, peer_mkdir(five, 0, "/r"));
	fails(EACCES, peer_read(five, 0, "/w", NULL));
	fails(EACCES, peer_get_perms(five, 0, "/w", NULL));
	ok(peer_write(five, 0, "/w", "x"));
	ok(peer_mkdir(five, 0, "/w"));
	ok(peer_read(five, 0, "/b", NULL));
	ok(peer_write(five, 0, "/b", "x"));
	ok(peer_get_perms(five, 0, "/b", NULL));
	ok(peer_rm(five, 0, "/w"));
	fails(EACCES, peer_rm(five, 0, "/r"));
}

static void test_default_letter_is_for_all_without_an_entry(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	node(h, "/x", "r0 n5");
	fails(EACCES, peer_read(five, 0, "/x", NULL));
	ok(peer_read(six, 0, "/x", NULL));
	fails(EACCES, peer_write(six, 0, "/x", ""));
	node(h, "/x", "b0");
	ok(peer_write(five, 0, "/x", ""));
}

static void test_the_first_entry_decides_alone(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "n0 n5 b5");
	fails(EACCES, peer_read(five, 0, "/x", NULL));
	node(h, "/x", "n0 r5 w5");
	ok(peer_read(five, 0, "/x", NULL));
	fails(EACCES, peer_write(five, 0, "/x", ""));
}

static void test_the_owner_has_everything_whatever_its_letter(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "n5 n5");
	ok(peer_read(five, 0, "/x", NULL));
	ok(peer_write(five, 0, "/x", "1"));
	ok(peer_set_perms(five, 0, "/x", "r5"));
	perms_are(h->dom0, 0, "/x", "r5");
}

static void test_setting_permissions_needs_the_owner(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/x", "b0 b5");
	fails(EACCES, peer_set_perms(five, 0, "/x", "n5"));
	fails(EACCES, peer_set_perms(five, 0, "/x", "b0 b5"));
	perms_are(h->dom0, 0, "/x", "b0 b5");
}

static void test_any_domain(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5), *six = guest(h, 6);

	node(h, "/r", "n0 r32757");
	ok(peer_read(five, 0, "/r", NULL));
	fails(EACCES, peer_write(five, 0, "/r", ""));
	/* Whichever comes first counts. */
	node(h, "/but-5", "n0 n5 r32757");
	fails(EACCES, peer_read(five, 0, "/but-5", NULL));
	ok(peer_read(six, 0, "/but-5", NULL));
	node(h, "/first", "n0 r32757 n5");
	ok(peer_read(five, 0, "/first", NULL));
	/* As the owner, it makes everybody one. */
	node(h, "/all", "n32757");
	perms_are(five, 0, "/all", "n32757");
	ok(peer_write(five, 0, "/all", "5"));
	ok(peer_set_perms(six, 0, "/all", "n32757 r6"));
	fails(EPERM, peer_set_perms(six, 0, "/all", "n6"));
}

static void test_any_domain_is_a_feature(void **state)
{
	struct harness *h = *state;
	struct peer *five, *six;

	harness_create(h, 5);
	ok(peer_ask(h->dom0, XS_SET_FEATURE, 0, "5 6", NULL));
	five = guest(h, 5);
	six = guest(h, 6);
	/* To a domain that does not know it, it is a domain that does not exist. */
	ok(peer_write(five, 0, "x", ""));
	ok(peer_set_perms(five, 0, "x", "n5 r32757"));
	perms_are(five, 0, "x", "n5 r32757");
	fails(EACCES, peer_read(six, 0, "/local/domain/5/x", NULL));
	fails(ENOENT, peer_set_perms(five, 0, "x", "n32757"));
	ok(peer_write(six, 0, "x", ""));
	ok(peer_set_perms(six, 0, "x", "n6 r32757"));
	ok(peer_read(five, 0, "/local/domain/6/x", NULL));
}

static void test_missing_nodes_are_disclosed_to_readers_of_the_ancestor(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/hidden", "n0");
	node(h, "/readable", "n0 r5");
	node(h, "/writable", "n0 w5");
	fails(EACCES, peer_read(five, 0, "/hidden/none", NULL));
	fails(EACCES, peer_read(five, 0, "/none", NULL));
	fails(ENOENT, peer_read(five, 0, "/readable/none", NULL));
	fails(ENOENT, peer_read(five, 0, "/readable/none/deep/down", NULL));
	fails(ENOENT, peer_directory(five, 0, "/readable/none", NULL));
	fails(ENOENT, peer_get_perms(five, 0, "/readable/none", NULL));
	fails(EACCES, peer_read(five, 0, "/writable/none", NULL));
	/* What counts is the right that the request needs. */
	fails(EACCES, peer_write(five, 0, "/readable/none", ""));
	fails(EACCES, peer_mkdir(five, 0, "/readable/none"));
	fails(EACCES, peer_rm(five, 0, "/readable/none"));
	fails(EACCES, peer_rm(five, 0, "/hidden/none"));
	ok(peer_rm(five, 0, "/writable/none"));
	fails(ENOENT, peer_rm(five, 0, "/writable/none/deep"));
	fails(EACCES, peer_set_perms(five, 0, "/readable/none", "n5"));
	fails(ENOENT, peer_set_perms(five, 0, "/writable/none", "n5"));
	fails(ENOENT, peer_set_perms(five, 0, "none", "n5"));
	assert_false(exists(h, "/readable/none"));
}

static void test_special_nodes(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	perms_are(five, 0, "@releaseDomain", "n0 r32757");
	fails(EACCES, peer_get_perms(five, 0, "@introduceDomain", NULL));
	fails(EACCES, peer_get_perms(five, 0, "@nothing", NULL));
	fails(EACCES, peer_set_perms(five, 0, "@releaseDomain", "n0 r5"));
	fails(EACCES, peer_set_perms(five, 0, "@introduceDomain", "n5"));
	fails(EACCES, peer_set_perms(five, 0, "@nothing", "n5"));
	ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n0 r5"));
	perms_are(five, 0, "@introduceDomain", "n0 r5");
	fails(EINVAL, peer_read(five, 0, "@releaseDomain", NULL));
	fails(EINVAL, peer_write(five, 0, "@releaseDomain", ""));
}

static void test_stale_entries_are_shown_and_give_nothing(void **state)
{
	struct harness *h = *state;
	struct peer *seven;

	node(h, "/x", "n0 r77 b78");
	perms_are(h->dom0, 0, "/x", "n0 r77 b78");
	seven = guest(h, 77);
	fails(EACCES, peer_read(seven, 0, "/x", NULL));
	perms_are(h->dom0, 0, "/x", "n0 r77 b78");
	/* They do not stand in the way of a living one. */
	node(h, "/x", "n0 r78 w77");
	ok(peer_write(seven, 0, "/x", ""));
	/* Inherited with the rest. */
	node(h, "/y", "n0 r76");
	ok(peer_write(h->dom0, 0, "/y/z", ""));
	perms_are(h->dom0, 0, "/y/z", "n0 r76");
	fails(ENOENT, peer_set_perms(h->dom0, 0, "/x", "n76"));
	perms_are(h->dom0, 0, "/x", "n0 r78 w77");
}

static void test_entries_go_with_the_domain(void **state)
{
	struct harness *h = *state;
	struct peer *six;

	guest(h, 5);
	six = guest(h, 6);
	node(h, "/x", "n0 n5 r6 b5");
	node(h, "/only", "r0 n5");
	ok(peer_set_perms(h->dom0, 0, "@introduceDomain", "n0 r5 r6"));
	harness_destroy(h, 5);
	perms_are(h->dom0, 0, "/x", "n0 r6");
	perms_are(h->dom0, 0, "/only", "r0");
	perms_are(h->dom0, 0, "@introduceDomain", "n0 r6");
	ok(peer_read(six, 0, "/x", NULL));
	/* A child inherits what is there still. */
	ok(peer_write(h->dom0, 0, "/x/y", ""));
	perms_are(h->dom0, 0, "/x/y", "n0 r6");
}

static void test_a_domain_that_exists_can_be_named_before_its_introduction(void **state)
{
	struct harness *h = *state;
	struct peer *five;

	harness_create(h, 5);
	node(h, "/acl", "n0 r5");
	node(h, "/own", "n5");
	five = harness_guest(h, 5);
	ok(peer_read(five, 0, "/acl", NULL));
	ok(peer_write(five, 0, "/own/x", ""));
}

static void test_new_nodes_inherit_from_the_nearest_ancestor(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 6);
	node(h, "/x", "r0 w5 r6");
	ok(peer_write(five, 0, "/x/a/b", "value"));
	perms_are(h->dom0, 0, "/x/a", "r5 w5 r6");
	perms_are(h->dom0, 0, "/x/a/b", "r5 w5 r6");
	value_is(h->dom0, 0, "/x/a", "");
	value_is(five, 0, "/x/a/b", "value");
	/* dom0 keeps the owner, who pays. */
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 3);
	ok(peer_write(h->dom0, 0, "/x/a/c/d", ""));
	perms_are(h->dom0, 0, "/x/a/c/d", "r5 w5 r6");
	assert_int_equal(quota_now(h, 5, "nodes", NULL), 5);
}

static void test_creation_needs_write_on_the_nearest_ancestor_alone(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	node(h, "/closed", "n0");
	node(h, "/closed/open", "n0 w5");
	ok(peer_write(five, 0, "/closed/open/a/b", ""));
	fails(EACCES, peer_write(five, 0, "/closed/other", ""));
	fails(EACCES, peer_mkdir(five, 0, "/other"));
}

static void test_removal_needs_write_on_the_node_alone(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 6);
	node(h, "/p", "n0");
	node(h, "/p/x", "n0 w5");
	node(h, "/p/x/sixth", "n6");
	node(h, "/p/x/sixth/zeroth", "n0");
	node(h, "/p/y", "n0");
	fails(EACCES, peer_rm(five, 0, "/p/x/sixth"));
	fails(EACCES, peer_rm(five, 0, "/p/y"));
	ok(peer_rm(five, 0, "/p/x"));
	assert_false(exists(h, "/p/x/sixth/zeroth"));
	assert_false(exists(h, "/p/x"));
	assert_true(exists(h, "/p/y"));
	assert_int_equal(quota_now(h, 6, "nodes", NULL), 1);
}

static void test_order_of_the_checks_of_set_perms(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	guest(h, 6);
	node(h, "/closed", "n0");
	fails(EINVAL, peer_request(five, XS_SET_PERMS, 0, "/closed", 8, NULL));
	fails(ENOSPC, peer_set_perms(five, 0, "//", "n5 n5 n5 n5 n5 x"));
	fails(EINVAL, peer_set_perms(five, 0, "//", "n77 x"));
	fails(ENOENT, peer_set_perms(five, 0, "//", "n77"));
	fails(EINVAL, peer_set_perms(five, 0, "//", "n6"));
	fails(EACCES, peer_set_perms(five, 0, "/closed", "n6"));
	fails(ENOENT, peer_set_perms(five, 0, "none", "n6"));
	fails(EPERM, peer_set_perms(five, 0, "/local/domain/5", "n6"));
	fails(EPERM, peer_set_perms(five, 0, "/local/domain/5", "n0 b5"));
	perms_are(h->dom0, 0, "/local/domain/5", "n5");
}

static void test_privileged_requests_are_refused(void **state)
{
	static const uint32_t types[] = {
		XS_CONTROL,   XS_INTRODUCE,  XS_RELEASE,     XS_IS_DOMAIN_INTRODUCED,
		XS_RESUME,    XS_SET_TARGET, XS_GET_FEATURE, XS_SET_FEATURE,
		XS_GET_QUOTA, XS_SET_QUOTA};
	struct harness *h = *state;
	struct peer *five = guest(h, 5);
	struct answer answer;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		fails(EACCES, peer_ask(five, types[i], 0, "5 6 7", NULL));
		/* Before the transaction is looked at; one question is for everybody without
		 * arguments. */
		if (types[i] != XS_GET_FEATURE)
			fails(EACCES, peer_ask(five, types[i], 99, "5", NULL));
	}
	ok(peer_request(five, XS_GET_FEATURE, 0, "", 0, &answer));
	assert_string_equal(answer.payload, "14");
	ok(peer_ask(five, XS_GET_DOMAIN_PATH, 0, "6", &answer));
	assert_string_equal(answer.payload, "/local/domain/6");
	fails(ENOSYS, peer_ask(five, 20, 0, "5", NULL));
}

static void test_relative_paths_are_below_the_home(void **state)
{
	struct harness *h = *state;
	struct peer *five = guest(h, 5);

	ok(peer_write(five, 0, "a/b", "1"));
	value_is(h->dom0, 0, "/local/domain/5/a/b", "1");
	fails(EINVAL, peer_read(five, 0, "", NULL));
	fails(EINVAL, peer_read(five, 0, "a/", NULL));
	fails(EINVAL, peer_read(five, 0, "/local/domain/", NULL));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		world_test(test_letters_of_an_entry),
		world_test(test_default_letter_is_for_all_without_an_entry),
		world_test(test_the_first_entry_decides_alone),
		world_test(test_the_owner_has_everything_whatever_its_letter),
		world_test(test_setting_permissions_needs_the_owner),
		world_test(test_any_domain),
		world_test(test_any_domain_is_a_feature),
		world_test(test_missing_nodes_are_disclosed_to_readers_of_the_ancestor),
		world_test(test_special_nodes),
		world_test(test_stale_entries_are_shown_and_give_nothing),
		world_test(test_entries_go_with_the_domain),
		world_test(test_a_domain_that_exists_can_be_named_before_its_introduction),
		world_test(test_new_nodes_inherit_from_the_nearest_ancestor),
		world_test(test_creation_needs_write_on_the_nearest_ancestor_alone),
		world_test(test_removal_needs_write_on_the_node_alone),
		world_test(test_order_of_the_checks_of_set_perms),
		world_test(test_privileged_requests_are_refused),
		world_test(test_relative_paths_are_below_the_home),
	};

	return run_group(tests);
}
