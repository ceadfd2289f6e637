/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and printing scripts. */
#include "script.h"

#include <string.h>

unsigned int dice_roll(struct dice *dice, unsigned int sides)
{
	/* A 64-bit linear congruential step, of which the upper half is used. */
	dice->state = dice->state * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned int)((dice->state >> 33) % sides);
}

/* A few names, so that steps meet each other; sometimes a directory with many children. */
static void roll_path(struct dice *dice, bool wide, char *path, size_t size)
{
	char *at = path;
	unsigned int depth = dice_roll(dice, 16);

	if (wide && dice_roll(dice, 2)) {
		snprintf(path, size, "/w/n%02u", dice_roll(dice, 40));
		return;
	}
	if (depth == 0) {
		snprintf(path, size, "/");
		return;
	}
	if (depth == 1) {
		snprintf(path, size, "/local/domain/%u/%c", 1 + dice_roll(dice, MODEL_DOMAINS - 1),
			 "ab"[dice_roll(dice, 2)]);
		return;
	}
	depth = depth < 6 ? 1 : depth < 12 ? 2 : depth < 15 ? 3 : 4;
	for (unsigned int i = 0; i < depth; i++)
		at += snprintf(at, size - (size_t)(at - path), "/%c",
			       "abc"[dice_roll(dice, i ? 2 : 3)]);
}

static unsigned int roll_domid(struct dice *dice)
{
	unsigned int roll = dice_roll(dice, 24);

	if (roll == 0)
		return MODEL_ANY;
	if (roll == 1)
		return 77; /* exists nowhere */
	return dice_roll(dice, MODEL_DOMAINS);
}

static void roll_perms(struct dice *dice, struct model_perms *perms)
{
	perms->count = 1 + dice_roll(dice, 3);
	if (dice_roll(dice, 20) == 0)
		perms->count = 4 + dice_roll(dice, 3);
	for (unsigned int i = 0; i < perms->count; i++) {
		perms->entry[i].letter = "nrwbbb"[dice_roll(dice, 6)];
		perms->entry[i].domid = roll_domid(dice);
		perms->entry[i].life = 0;
	}
}

static void roll_request(struct dice *dice, bool wide, struct model_request *request)
{
	static const enum model_verb verbs[] = {
		MODEL_READ,  MODEL_READ,  MODEL_DIRECTORY, MODEL_GET_PERMS, MODEL_WRITE,
		MODEL_WRITE, MODEL_WRITE, MODEL_MKDIR,	   MODEL_RM,	    MODEL_SET_PERMS,
	};

	request->verb = verbs[dice_roll(dice, sizeof(verbs) / sizeof(verbs[0]))];
	roll_path(dice, wide, request->path, sizeof(request->path));
	if (request->verb == MODEL_WRITE) {
		unsigned int value = dice_roll(dice, 5);

		request->value_len = value == 4 ? 1 + dice_roll(dice, MODEL_VALUE_MAX) : value;
		memset(request->value, (int)('0' + value), request->value_len);
	}
	if (request->verb == MODEL_SET_PERMS)
		roll_perms(dice, &request->perms);
	if ((request->verb == MODEL_SET_PERMS || request->verb == MODEL_GET_PERMS) &&
	    dice_roll(dice, 12) == 0)
		strcpy(request->path, (const char *[]){"@releaseDomain", "@introduceDomain",
						       "@nothing"}[dice_roll(dice, 3)]);
}

static enum step_kind roll_world(struct dice *dice)
{
	static const enum step_kind kinds[] = {
		STEP_CREATE,  STEP_INTRODUCE, STEP_INTRODUCE, STEP_INTRODUCE, STEP_INTRODUCE,
		STEP_RELEASE, STEP_DESTROY,   STEP_VANISH,    STEP_REPLACE,   STEP_TELL,
		STEP_TARGET,  STEP_TARGET,    STEP_QUOTA,     STEP_QUOTA,
	};

	return kinds[dice_roll(dice, sizeof(kinds) / sizeof(kinds[0]))];
}

static void roll_step(struct dice *dice, bool wide, struct step *step)
{
	unsigned int roll = dice_roll(dice, 100);

	memset(step, 0, sizeof(*step));
	step->client = dice_roll(dice, SCRIPT_CLIENTS);
	step->slot = 1 + dice_roll(dice, SCRIPT_SLOTS);
	step->domid = 1 + dice_roll(dice, MODEL_DOMAINS - 1);
	step->other = 1 + dice_roll(dice, MODEL_DOMAINS - 1);
	step->number = dice_roll(dice, 12);
	step->commit = dice_roll(dice, 8) != 0;
	if (roll < 70) {
		step->kind = STEP_REQUEST;
		if (dice_roll(dice, 4) == 0)
			step->slot = 0;
		roll_request(dice, wide, &step->request);
	} else if (roll < 82) {
		step->kind = STEP_START;
	} else if (roll < 91) {
		step->kind = STEP_END;
	} else if (roll < 93) {
		step->kind = dice_roll(dice, 3) ? STEP_WATCH : STEP_UNWATCH;
	} else if (roll == 93) {
		step->kind = dice_roll(dice, 3) ? STEP_READ_ALL : STEP_RESET_WATCHES;
	} else if (roll == 94) {
		step->kind = dice_roll(dice, 3) ? STEP_SNAPSHOT : STEP_UPDATE;
	} else {
		step->kind = roll_world(dice);
	}
}

/* Some domains and directories to begin with, or little would be possible. */
static unsigned int opening(struct dice *dice, bool wide, struct step *step)
{
	unsigned int at = 0;

	for (unsigned int domid = 1; domid < MODEL_DOMAINS; domid++) {
		step[at].kind = STEP_CREATE;
		step[at++].domid = domid;
		step[at].kind = STEP_INTRODUCE;
		step[at++].domid = domid;
	}
	step[at].request.verb = MODEL_SET_PERMS;
	strcpy(step[at].request.path, "/");
	step[at].request.perms.count = 1;
	step[at++].request.perms.entry[0].letter = "nrbbb"[dice_roll(dice, 5)];
	step[at].request.verb = MODEL_MKDIR;
	strcpy(step[at++].request.path, wide ? "/w" : "/a");
	step[at].request.verb = MODEL_SET_PERMS;
	strcpy(step[at].request.path, wide ? "/w" : "/a");
	step[at].request.perms.count = 1;
	step[at].request.perms.entry[0].domid = dice_roll(dice, 3);
	step[at++].request.perms.entry[0].letter = 'b';
	return at;
}

void script_make(struct dice *dice, struct step *step, unsigned int count)
{
	bool wide = dice_roll(dice, 5) == 0;
	unsigned int at;

	memset(step, 0, count * sizeof(*step));
	at = opening(dice, wide, step);
	for (; at < count; at++)
		roll_step(dice, wide, &step[at]);
}

static void print_request(FILE *out, const struct model_request *request)
{
	static const char *const names[MODEL_VERBS] = {"READ",	"DIRECTORY", "GET_PERMS", "WRITE",
						       "MKDIR", "RM",	     "SET_PERMS"};

	fprintf(out, "%s %s", names[request->verb], request->path);
	if (request->verb == MODEL_WRITE)
		fprintf(out, " \"%.*s\"", (int)request->value_len, request->value);
	for (unsigned int i = 0; request->verb == MODEL_SET_PERMS && i < request->perms.count; i++)
		fprintf(out, " %c%u", request->perms.entry[i].letter,
			request->perms.entry[i].domid);
	fputc('\n', out);
}

static void print_client(FILE *out, unsigned int client)
{
	if (client < SCRIPT_SOCKETS)
		fprintf(out, "socket %u: ", client);
	else
		fprintf(out, "domain %u: ", script_domid(client));
}

void script_print(FILE *out, const struct step *step)
{
	switch (step->kind) {
	case STEP_REQUEST:
		if (step->slot)
			fprintf(out, "in transaction %u: ", step->slot);
		else
			print_client(out, step->client);
		print_request(out, &step->request);
		return;
	case STEP_START:
		print_client(out, step->client);
		fprintf(out, "start transaction %u\n", step->slot);
		return;
	case STEP_END:
		fprintf(out, "%s transaction %u\n", step->commit ? "commit" : "abort", step->slot);
		return;
	case STEP_WATCH:
	case STEP_UNWATCH:
		print_client(out, step->client);
		fprintf(out, "%s with token %u\n", step->kind == STEP_WATCH ? "WATCH" : "UNWATCH",
			step->number % 6);
		return;
	case STEP_RESET_WATCHES:
		print_client(out, step->client);
		fprintf(out, "RESET_WATCHES\n");
		return;
	case STEP_CREATE:
		fprintf(out, "create domain %u\n", step->domid);
		return;
	case STEP_INTRODUCE:
		fprintf(out, "INTRODUCE %u\n", step->domid);
		return;
	case STEP_RELEASE:
		fprintf(out, "RELEASE %u\n", step->domid);
		return;
	case STEP_DESTROY:
		fprintf(out, "domain %u dies\n", step->domid);
		return;
	case STEP_VANISH:
		fprintf(out, "domain %u dies, not told\n", step->domid);
		return;
	case STEP_REPLACE:
		fprintf(out, "domain %u dies and another gets its domid, not told\n", step->domid);
		return;
	case STEP_TELL:
		fprintf(out, "tell the store about domains\n");
		return;
	case STEP_TARGET:
		fprintf(out, "SET_TARGET %u %u\n", step->domid, step->other);
		return;
	case STEP_QUOTA:
		fprintf(out, "SET_QUOTA %u nodes %u\n", step->domid, step->number);
		return;
	case STEP_SNAPSHOT:
		fprintf(out, "begin a live update\n");
		return;
	case STEP_UPDATE:
		fprintf(out, "live update\n");
		return;
	case STEP_READ_ALL:
		fprintf(out, "read everything\n");
		return;
	}
}
