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

/* As many as take some ten seconds with sanitizers. */
#define SCRIPTS_DEFAULT 400
#define STEPS_DEFAULT 400

static struct replay_counts *counts; /* shared with the children */
static unsigned long scripts, failures;
static uint64_t first_seed;

static unsigned long setting(const char *name, unsigned long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoul(text, NULL, 0) : otherwise;
}

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
	counts = mmap(NULL, sizeof(*counts), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
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
	printf("property: %lu steps, %lu requests (%lu in transactions); %lu commits (%lu after others' "
	       "commits), %lu read-only; %lu refused: %lu a reply differs, %lu a dependency changed, "
	       "%lu identity; quota: %lu requests, %lu commits; %lu deaths\n",
	       counts->steps, counts->requests, counts->in_transaction, counts->commits,
	       counts->over_others, counts->read_only, counts->refused, counts->refused_reply,
	       counts->refused_dependency, counts->refused_identity, counts->quota_hits,
	       counts->quota_commits, counts->deaths);
}

static void test_serializable(void **state)
{
	(void)state;
	if (failures)
		fail_msg("seed %llu and %lu following scripts: core and model disagree",
			 (unsigned long long)first_seed, scripts - 1);
}

/* That the scripts meet what they are meant to meet. */
static void test_scripts_are_worth_it(void **state)
{
	(void)state;
	if (failures || scripts < 20)
		skip();
	assert_true(counts->commits > scripts);
	assert_true(counts->over_others > scripts / 2);
	assert_true(counts->refused_reply && counts->refused_dependency);
	assert_true(counts->quota_hits && counts->quota_commits);
	assert_true(counts->deaths > scripts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_serializable),
		cmocka_unit_test(test_scripts_are_worth_it),
	};

	run_scripts();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
