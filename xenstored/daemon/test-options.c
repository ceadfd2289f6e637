/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line as launch scripts of all ages use it: what is understood, what is passed over,
 * what ends the start and with which words.
 */
#include "daemon/options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define WORDS_MAX 32

/* One parse of one command line, with everything it said. */
struct run {
	struct options options;
	int result;
	char *messages;
	size_t messages_size;
	char *argv[WORDS_MAX + 1];
};

/* The caller's side of the two questions, with a context to be handed through. */
static int answers;

static bool known_quota(void *context, const char *name, bool soft)
{
	static const char *const hard[] = {"nodes", "transaction-nodes", "path-max"};

	assert_ptr_equal(context, &answers);
	if (soft)
		return strcmp(name, "memory") == 0;
	for (size_t i = 0; i < sizeof(hard) / sizeof(hard[0]); i++) {
		if (strcmp(name, hard[i]) == 0)
			return true;
	}
	return false;
}

static bool known_switch(void *context, const char *argument)
{
	(void)context;
	return strcmp(argument, "+wrl") == 0 || strcmp(argument, "-io") == 0;
}

/* Parses @line, split at blanks. run_end() is to follow. */
static struct run *run(const char *line)
{
	struct run *run = calloc(1, sizeof(*run));
	char *copy = strdup(line), *word, *rest = copy;
	FILE *err;
	int argc = 0;

	assert_non_null(run);
	assert_non_null(copy);
	run->argv[argc++] = strdup("xenstored");
	while ((word = strsep(&rest, " ")) != NULL) {
		if (!*word)
			continue;
		assert_true(argc < WORDS_MAX);
		run->argv[argc++] = strdup(word);
	}
	free(copy);

	err = open_memstream(&run->messages, &run->messages_size);
	assert_non_null(err);
	options_init(&run->options);
	run->options.known_quota = known_quota;
	run->options.known_trace_switch = known_switch;
	run->options.context = &answers;
	run->result = options_parse(&run->options, argc, run->argv, err);
	fclose(err);
	return run;
}

static void run_end(struct run *run)
{
	options_deinit(&run->options);
	free(run->messages);
	for (size_t i = 0; run->argv[i]; i++)
		free(run->argv[i]);
	free(run);
}

static void assert_fatal(const char *line, const char *text)
{
	struct run *r = run(line);

	assert_int_equal(r->result, OPTIONS_FATAL);
	assert_string_equal(r->options.error, text);
	run_end(r);
}

static void assert_quota(const char *line, const char *name, unsigned int value, bool soft)
{
	struct run *r = run(line);

	assert_int_equal(r->result, OPTIONS_RUN);
	assert_int_equal(r->options.n_quotas, 1);
	assert_string_equal(r->options.quotas[0].name, name);
	assert_int_equal(r->options.quotas[0].value, value);
	assert_int_equal(r->options.quotas[0].soft, soft);
	run_end(r);
}

static void test_defaults(void **state)
{
	struct run *r = run("");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_null(r->options.pid_file);
	assert_null(r->options.trace_file);
	assert_null(r->options.rundir);
	assert_false(r->options.foreground);
	assert_false(r->options.keep_orphans);
	assert_false(r->options.live_update);
	assert_int_equal(r->options.domstate, OPTIONS_DOMSTATE_AUTO);
	assert_int_equal(r->options.master_domid, -1);
	assert_int_equal(r->options.priv_domid, -1);
	assert_int_equal(r->options.event_port, -1);
	assert_int_equal(r->options.watch_event_timeout, 20);
	assert_int_equal(r->options.n_quotas, 0);
	assert_int_equal(r->options.n_trace_switches, 0);
	assert_string_equal(r->options.notes, "");
	assert_string_equal(r->messages, "");
	run_end(r);
}

static void test_short_options(void **state)
{
	struct run *r = run("-F /run/x.pid -N -T trace.log -K -U -m 3 -w watch-event=7");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_string_equal(r->options.pid_file, "/run/x.pid");
	assert_true(r->options.foreground);
	assert_string_equal(r->options.trace_file, "trace.log");
	assert_true(r->options.keep_orphans);
	assert_true(r->options.live_update);
	assert_int_equal(r->options.master_domid, 3);
	assert_int_equal(r->options.watch_event_timeout, 7);
	run_end(r);
}

static void test_long_options(void **state)
{
	struct run *r = run("--pid-file=/p --no-fork --trace-file t --keep-orphans --live-update "
			    "--event 12 --master-domid 0 --priv-domid=5 --timeout watch-event=0 "
			    "--rundir /r --trace-control +wrl --trace-control=-io");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_string_equal(r->options.pid_file, "/p");
	assert_true(r->options.foreground);
	assert_string_equal(r->options.trace_file, "t");
	assert_true(r->options.keep_orphans);
	assert_true(r->options.live_update);
	assert_int_equal(r->options.event_port, 12);
	assert_int_equal(r->options.master_domid, 0);
	assert_int_equal(r->options.priv_domid, 5);
	assert_int_equal(r->options.watch_event_timeout, 0);
	assert_string_equal(r->options.rundir, "/r");
	assert_int_equal(r->options.n_trace_switches, 2);
	assert_string_equal(r->options.trace_switches[0], "+wrl");
	assert_string_equal(r->options.trace_switches[1], "-io");
	run_end(r);
}

static void test_abbreviated_long_options(void **state)
{
	struct run *r = run("--pid=/p --no-f --keep --trace-c -io --entry-n 5 --master 1");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_string_equal(r->options.pid_file, "/p");
	assert_true(r->options.foreground);
	assert_true(r->options.keep_orphans);
	assert_string_equal(r->options.trace_switches[0], "-io");
	assert_string_equal(r->options.quotas[0].name, "nodes");
	assert_int_equal(r->options.master_domid, 1);
	run_end(r);
}

static void test_domstate_names(void **state)
{
	static const enum options_domstate all[] = {
		OPTIONS_DOMSTATE_AUTO, OPTIONS_DOMSTATE_HYPERCALL, OPTIONS_DOMSTATE_XENCTRL,
		OPTIONS_DOMSTATE_NONE};
	char line[64];

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct run *r;

		snprintf(line, sizeof(line), "--domstate %s", options_domstate_name(all[i]));
		r = run(line);
		assert_int_equal(r->result, OPTIONS_RUN);
		assert_int_equal(r->options.domstate, all[i]);
		run_end(r);
	}
	assert_fatal("--domstate=xen", "unknown domain state back-end \"xen\"");
}

static void test_quota_letters(void **state)
{
	(void)state;
	assert_quota("-E 1", "nodes", 1, false);
	assert_quota("-S 2", "node-size", 2, false);
	assert_quota("-W 3", "watches", 3, false);
	assert_quota("-t 4", "transactions", 4, false);
	assert_quota("-A 5", "node-permissions", 5, false);
	assert_quota("-M 6", "path-max", 6, false);
	assert_quota("--entry-nb=1", "nodes", 1, false);
	assert_quota("--entry-size=2", "node-size", 2, false);
	assert_quota("--watch-nb=3", "watches", 3, false);
	assert_quota("--transaction=4", "transactions", 4, false);
	assert_quota("--perm-nb=5", "node-permissions", 5, false);
	assert_quota("--path-max=6", "path-max", 6, false);
}

/* D25: the name of the path quota is path-max, whatever older usage texts say. */
static void test_named_quotas(void **state)
{
	(void)state;
	assert_quota("-Q nodes=17", "nodes", 17, false);
	assert_quota("--quota=transaction-nodes=0", "transaction-nodes", 0, false);
	assert_quota("-Q path-max=100", "path-max", 100, false);
	assert_quota("-q memory=2147483647", "memory", 2147483647, true);
	assert_quota("--quota-soft memory=5", "memory", 5, true);
	assert_fatal("-Q path-length=100", "unknown quota \"path-length=100\"");
	assert_fatal("-Q foo=1", "unknown quota \"foo=1\"");
	assert_fatal("-q nodes=1", "unknown quota \"nodes=1\"");
	assert_fatal("-Q =1", "unknown quota \"=1\"");
	assert_fatal("-Q nodes", "quotas must be specified via <what>=<nb>");
	assert_fatal("-q memory", "quotas must be specified via <what>=<nb>");
}

static void test_path_max_is_capped(void **state)
{
	(void)state;
	assert_quota("-M 2048", "path-max", 2048, false);
	assert_quota("-M 2049", "path-max", 2048, false);
	assert_quota("-M 2147483647", "path-max", 2048, false);
}

static void test_numbers(void **state)
{
	static const char *const bad[] = {"2147483648",		  "-1", "1x", "0x10",
					  "99999999999999999999", "+1"};
	static const char *const takers[] = {"-E %s",
					     "-S %s",
					     "-W %s",
					     "-t %s",
					     "-A %s",
					     "-M %s",
					     "-Q nodes=%s",
					     "-q memory=%s",
					     "-w watch-event=%s",
					     "--event=%s",
					     "--master-domid=%s",
					     "--priv-domid=%s"};
	char line[64], text[64];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(text, sizeof(text), "invalid parameter value \"%s\"", bad[i]);
		for (size_t j = 0; j < sizeof(takers) / sizeof(takers[0]); j++) {
			snprintf(line, sizeof(line), takers[j], bad[i]);
			assert_fatal(line, text);
		}
	}
	assert_fatal("-Q nodes=", "invalid parameter value \"\"");
	assert_quota("-E 0", "nodes", 0, false);
	assert_quota("-E 2147483647", "nodes", 2147483647, false);
}

static void test_domids_are_domids(void **state)
{
	struct run *r = run("--priv-domid 32751");

	(void)state;
	assert_int_equal(r->options.priv_domid, 32751);
	run_end(r);
	assert_fatal("--priv-domid 32752", "invalid parameter value \"32752\"");
	assert_fatal("-m 65536", "invalid parameter value \"65536\"");
}

static void test_timeouts(void **state)
{
	(void)state;
	assert_fatal("-w reply=5", "unknown timeout \"reply=5\"");
	assert_fatal("-w watch-events=5", "unknown timeout \"watch-events=5\"");
	assert_fatal("-w watch=5", "unknown timeout \"watch=5\"");
	assert_fatal("-w 5", "timeouts must be specified via <what>=<seconds>");
}

static void test_illegal_trace_switch(void **state)
{
	(void)state;
	assert_fatal("--trace-control io", "Illegal trace switch \"io\"");
	assert_fatal("--trace-control +foo", "Illegal trace switch \"+foo\"");
}

static void test_order_is_kept(void **state)
{
	struct run *r = run("-E 1 -Q nodes=2 -q memory=3 -E 4");

	(void)state;
	assert_int_equal(r->options.n_quotas, 4);
	assert_int_equal(r->options.quotas[0].value, 1);
	assert_int_equal(r->options.quotas[1].value, 2);
	assert_int_equal(r->options.quotas[2].value, 3);
	assert_true(r->options.quotas[2].soft);
	assert_int_equal(r->options.quotas[3].value, 4);
	run_end(r);
}

static void test_many_settings(void **state)
{
	struct run *r = run("-NKE1 -S2 -W3 -t4 -A5 -M6 -Qnodes=7 -qmemory=8 -DE9 --trace-c=-io");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_int_equal(r->options.n_quotas, 9);
	assert_int_equal(r->options.quotas[8].value, 9);
	assert_true(r->options.foreground);
	run_end(r);
}

static void test_removed_options(void **state)
{
	static const char *const lines[] = {"-D -P -R -V -I -Ioff -Ion -N",
					    "--no-domain-init --output-pid --no-recovery --verbose "
					    "--internal-db --internal-db=off -N",
					    "-DPRVN -I"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct run *r = run(lines[i]);

		assert_int_equal(r->result, OPTIONS_RUN);
		assert_true(r->options.foreground);
		assert_string_equal(r->messages, "");
		assert_non_null(strstr(r->options.notes, "options without effect: "));
		assert_non_null(strstr(r->options.notes, "-D"));
		assert_non_null(strstr(r->options.notes, "-P"));
		assert_non_null(strstr(r->options.notes, "-R"));
		assert_non_null(strstr(r->options.notes, "-V"));
		assert_non_null(strstr(r->options.notes, "-I"));
		run_end(r);
	}
	/* The argument of -I is attached or none; a separate word is a stray one. */
	assert_fatal("-I off", "xenstored: No arguments desired");
}

static void test_unknown_options_are_passed_over(void **state)
{
	static const char *const words[] = {"--frobnicate", "-z", "--frobnicate=5", "--t",
					    "--no-fork=yes"};
	char line[64];

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct run *r;

		snprintf(line, sizeof(line), "%s -K", words[i]);
		r = run(line);
		assert_int_equal(r->result, OPTIONS_RUN);
		assert_true(r->options.keep_orphans);
		assert_non_null(strstr(r->messages, words[i]));
		assert_non_null(strstr(r->options.notes, words[i]));
		run_end(r);
	}
}

static void test_unknown_letter_in_a_group(void **state)
{
	struct run *r = run("-Nz -K");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_true(r->options.foreground);
	assert_true(r->options.keep_orphans);
	assert_string_equal(r->messages, "xenstored: unrecognized option '-z'\n");
	run_end(r);
}

static void test_missing_argument_is_passed_over(void **state)
{
	struct run *r = run("-N -E");

	(void)state;
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_int_equal(r->options.n_quotas, 0);
	assert_string_equal(r->messages, "xenstored: option '-E' requires an argument\n");
	run_end(r);

	r = run("-N --pid-file");
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_null(r->options.pid_file);
	assert_non_null(strstr(r->messages, "--pid-file"));
	run_end(r);
}

static void test_stray_words(void **state)
{
	(void)state;
	assert_fatal("foo", "xenstored: No arguments desired");
	assert_fatal("-N foo -K", "xenstored: No arguments desired");
	assert_fatal("-- -N", "xenstored: No arguments desired");
}

/* D25: the usage names the options and quotas that exist. */
static void test_help(void **state)
{
	static const char *const names[] = {
		"-F, --pid-file", "-N, --no-fork",	"--rundir",	      "-U, --live-update",
		"--version",	  "--domstate",		"-m, --master-domid", "--priv-domid",
		"--event",	  "-K, --keep-orphans", "-T, --trace-file",   "--trace-control",
		"-E, --entry-nb", "-S, --entry-size",	"-W, --watch-nb",     "-t, --transaction",
		"-A, --perm-nb",  "-M, --path-max",	"-Q, --quota",	      "-q, --quota-soft",
		"-w, --timeout",  "node-permissions",	"transaction-nodes",
	};
	static const char *const lines[] = {"-H", "--help", "--he -N"};

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct run *r = run(lines[i]);

		assert_int_equal(r->result, OPTIONS_HELP);
		for (size_t j = 0; j < sizeof(names) / sizeof(names[0]); j++)
			assert_non_null(strstr(r->messages, names[j]));
		assert_null(strstr(r->messages, "path-length"));
		run_end(r);
	}
}

static void test_version(void **state)
{
	struct run *r = run("--version");
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	(void)state;
	assert_int_equal(r->result, OPTIONS_VERSION);
	run_end(r);
	options_version(out);
	fclose(out);
	assert_string_equal(text, "xenstored " XENSTORED_VERSION "\n");
	free(text);
}

static void test_notes_overflow(void **state)
{
	char line[3000] = "";
	struct run *r;

	(void)state;
	for (int i = 0; i < 20; i++)
		snprintf(line + strlen(line), sizeof(line) - strlen(line), "--%0100d ", i);
	r = run(line);
	assert_int_equal(r->result, OPTIONS_RUN);
	assert_int_equal(strlen(r->options.notes), sizeof(r->options.notes) - 1);
	run_end(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_short_options),
		cmocka_unit_test(test_long_options),
		cmocka_unit_test(test_abbreviated_long_options),
		cmocka_unit_test(test_domstate_names),
		cmocka_unit_test(test_quota_letters),
		cmocka_unit_test(test_named_quotas),
		cmocka_unit_test(test_path_max_is_capped),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_domids_are_domids),
		cmocka_unit_test(test_timeouts),
		cmocka_unit_test(test_illegal_trace_switch),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_many_settings),
		cmocka_unit_test(test_removed_options),
		cmocka_unit_test(test_unknown_options_are_passed_over),
		cmocka_unit_test(test_unknown_letter_in_a_group),
		cmocka_unit_test(test_missing_argument_is_passed_over),
		cmocka_unit_test(test_stray_words),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_version),
		cmocka_unit_test(test_notes_overflow),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
