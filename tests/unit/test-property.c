/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Transactions are serializable: random scripts, checked against the naive model.
 *
 * Each script runs in a process of its own, so that a crash is a failure like
 * any other. A script that fails is shortened as far as it still fails, printed,
 * and run once more with all messages shown.
 *
 * COUNT=  how many times the usual number of scripts; SCRIPTS= their number;
 * SEED=   the first one's seed (each has the next one); STEPS= steps of a script.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "replay.h"
#include "skip.h"
#include "tests/unit/setting.h"

/* As many as take some ten seconds with sanitizers. */
#define SCRIPTS_DEFAULT 400
#define STEPS_DEFAULT	400

static struct replay_counts *counts; /* shared with the children */
static unsigned long scripts, failures;
static uint64_t first_seed;

/* Run a script in a child. Returns true when it failed. */
static bool fails(const struct step *step, unsigned int count, bool quiet)
{
	int status;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid < 0)
		abort();
	if (!pid) {
		struct replay_counts unused = {0};
		char why[4096] = "";
		int at;

		if (quiet) {
			int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

			dup2(null, 1);
			dup2(null, 2);
		}
		at = replay(step, count, counts ? counts : &unused, why, sizeof(why));
		if (at >= 0) {
			fprintf(stderr, "at step %d: %s\n", at, why);
			fflush(NULL);
			_exit(1);
		}
		exit(0); /* not _exit(): leaks are looked for */
	}
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	return !WIFEXITED(status) || WEXITSTATUS(status);
}

/* Leave out steps as long as the script still fails. Returns how many are left. */
static unsigned int shrink(struct step *step, unsigned int count)
{
	struct step *part = calloc(count, sizeof(*part));
	unsigned int chunk = count / 2;

	if (!part)
		abort();
	while (chunk) {
		bool shorter = false;

		for (unsigned int at = 0; at < count;) {
			unsigned int end = at + chunk < count ? at + chunk : count;

			memcpy(part, step, at * sizeof(*part));
			memcpy(part + at, step + end, (count - end) * sizeof(*part));
			if (count - (end - at) && fails(part, count - (end - at), true)) {
				count -= end - at;
				memcpy(step, part, count * sizeof(*part));
				shorter = true;
			} else {
				at = end;
			}
		}
		if (!shorter || chunk > 1)
			chunk /= 2;
	}
	free(part);
	return count;
}

static void explain(struct step *step, unsigned int count, uint64_t seed)
{
	struct replay_counts *keep = counts;

	counts = NULL;
	fprintf(stderr, "seed %llu fails; shortening its script...\n", (unsigned long long)seed);
	count = shrink(step, count);
	for (unsigned int i = 0; i < count; i++) {
		fprintf(stderr, "%4u  ", i);
		script_print(stderr, &step[i]);
	}
	fails(step, count, false);
	counts = keep;
}

static void run_scripts(void)
{
	unsigned int steps = (unsigned int)setting("STEPS", STEPS_DEFAULT);
	struct step *step;

	if (steps < 30)
		steps = 30; /* the opening alone has some */
	step = calloc(steps, sizeof(*step));
	scripts = setting("SCRIPTS", SCRIPTS_DEFAULT * setting("COUNT", 1));
	first_seed = setting("SEED", (unsigned long)time(NULL) * 1000003);
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1,
		      0);
	if (!step || counts == MAP_FAILED)
		abort();
	printf("property: seed %llu, %lu scripts of %u steps\n", (unsigned long long)first_seed,
	       scripts, steps);
	for (unsigned long i = 0; i < scripts && !failures; i++) {
		struct dice dice = {first_seed + i};

		script_make(&dice, step, steps);
		if (fails(step, steps, true)) {
			failures++;
			explain(step, steps, first_seed + i);
		}
	}
	free(step);
	printf("property: %lu steps, %lu requests (%lu in transactions); %lu commits (%lu after "
	       "others' "
	       "commits), %lu read-only; %lu refused: %lu a reply differs, %lu a dependency "
	       "changed, "
	       "%lu identity; quota: %lu requests, %lu commits; %lu deaths, %lu live updates\n",
	       counts->steps, counts->requests, counts->in_transaction, counts->commits,
	       counts->over_others, counts->read_only, counts->refused, counts->refused_reply,
	       counts->refused_dependency, counts->refused_identity, counts->quota_hits,
	       counts->quota_commits, counts->deaths, counts->updates);
}

static void test_serializable(void **state)
{
	(void)state;
	if (failures)
		fail_msg("seed %llu and %lu following scripts: core and model disagree",
			 (unsigned long long)first_seed, scripts - 1);
}

#define REQUEST(slot_, verb_, path_)                                                               \
	.kind = STEP_REQUEST, .slot = slot_, .request.verb = verb_, .request.path = path_
#define VALUE(text)	       .request.value = text, .request.value_len = sizeof(text) - 1
#define OWNER(letter_, domid_) .request.perms = {.count = 1, .entry = {{letter_, domid_, 0}}}
#define IN_TRANSACTION	       1

static void agree(const struct step *step, unsigned int count)
{
	struct replay_counts unused = {0};
	char why[4096] = "";
	int at = replay(step, count, &unused, why, sizeof(why));

	if (at >= 0)
		fail_msg("at step %d: %s", at, why);
}

/* Scripts that once failed. */
static void test_rights_that_were_lent(void **state)
{
	static const struct step script[] = {
		{.kind = STEP_CREATE, .domid = 1},
		{.kind = STEP_INTRODUCE, .domid = 1},
		{.kind = STEP_CREATE, .domid = 3},
		{.kind = STEP_INTRODUCE, .domid = 3},
		{REQUEST(0, MODEL_SET_PERMS, "/"), OWNER('b', 0)},
		{.client = 4, REQUEST(0, MODEL_MKDIR, "/c")},
		{REQUEST(0, MODEL_SET_PERMS, "/c"), OWNER('n', 3)},
		{.kind = STEP_START, .client = 2, .slot = IN_TRANSACTION},
		{REQUEST(IN_TRANSACTION, MODEL_READ, "/c")},
		{REQUEST(IN_TRANSACTION, MODEL_WRITE, "/a"), VALUE("x")},
		{.kind = STEP_TARGET, .domid = 1, .other = 3},
		{.kind = STEP_END, .slot = IN_TRANSACTION, .commit = true},
	};

	(void)state;
	agree(script, sizeof(script) / sizeof(script[0]));
}

static void test_owner_dies_during_a_transaction(void **state)
{
	static const struct step script[] = {
		{.kind = STEP_CREATE, .domid = 2},
		{REQUEST(0, MODEL_MKDIR, "/a")},
		{REQUEST(0, MODEL_SET_PERMS, "/a"), OWNER('b', 2)},
		{.kind = STEP_START, .slot = IN_TRANSACTION},
		{.kind = STEP_DESTROY, .domid = 2},
		{REQUEST(IN_TRANSACTION, MODEL_WRITE, "/a/b"), VALUE("x")},
		{.kind = STEP_END, .slot = IN_TRANSACTION, .commit = true},
		{.kind = STEP_READ_ALL},
	};

	(void)state;
	agree(script, sizeof(script) / sizeof(script[0]));
}

/* A refused listing depends on the permissions only. */
static void test_refused_answers_conflict_with_little(void **state)
{
	static const struct step script[] = {
		{.kind = STEP_CREATE, .domid = 2},
		{.kind = STEP_INTRODUCE, .domid = 2},
		{REQUEST(0, MODEL_MKDIR, "/w")},
		{REQUEST(0, MODEL_SET_PERMS, "/w"), OWNER('b', 0)},
		{.kind = STEP_START, .client = 3, .slot = IN_TRANSACTION},
		{REQUEST(IN_TRANSACTION, MODEL_WRITE, "/w/n"), VALUE("x")},
		{REQUEST(IN_TRANSACTION, MODEL_DIRECTORY, "/")},
		{REQUEST(0, MODEL_MKDIR, "/b")},
		{.kind = STEP_END, .slot = IN_TRANSACTION, .commit = true},
	};

	(void)state;
	agree(script, sizeof(script) / sizeof(script[0]));
}

/* A value before and one after the node got another owner: each on its account. */
static void test_value_after_a_new_owner(void **state)
{
	static const struct step script[] = {
		{.kind = STEP_CREATE, .domid = 2},
		{REQUEST(0, MODEL_MKDIR, "/a")},
		{.kind = STEP_START, .slot = IN_TRANSACTION},
		{REQUEST(IN_TRANSACTION, MODEL_WRITE, "/a"), VALUE("first")},
		{REQUEST(IN_TRANSACTION, MODEL_SET_PERMS, "/a"), OWNER('n', 2)},
		{REQUEST(IN_TRANSACTION, MODEL_WRITE, "/a"), VALUE("second value")},
		{.kind = STEP_END, .slot = IN_TRANSACTION, .commit = true},
	};

	(void)state;
	agree(script, sizeof(script) / sizeof(script[0]));
}

/* That the scripts meet what they are meant to meet. */
static void test_scripts_are_worth_it(void **state)
{
	(void)state;
	if (failures || scripts < 20)
		skip_because("only after twenty scripts without a failure");
	assert_true(counts->commits > scripts);
	assert_true(counts->over_others > scripts / 2);
	assert_true(counts->refused_reply && counts->refused_dependency);
	assert_true(counts->quota_hits > 0);
	assert_true(counts->deaths > scripts);
	assert_true(counts->updates > scripts / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serializable),
		cmocka_unit_test(test_scripts_are_worth_it),
		cmocka_unit_test(test_rights_that_were_lent),
		cmocka_unit_test(test_owner_dies_during_a_transaction),
		cmocka_unit_test(test_refused_answers_conflict_with_little),
		cmocka_unit_test(test_value_after_a_new_owner),
	};

	run_scripts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
