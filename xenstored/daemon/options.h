/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line.
 *
 * Launch scripts and configuration files written for many versions of xenstored end up here, so
 * the rules are forgiving where a mistake is harmless (an unknown or a removed option is noted
 * and start-up continues) and strict where it is not (a number, a quota name or a stray word that
 * is not understood ends the start). Parsing only fills a struct; nothing is opened, set or
 * printed except the messages about unknown options and the usage.
 *
 *	struct options options;
 *
 *	options_init(&options);
 *	options.known_quota = ...;
 *	switch (options_parse(&options, argc, argv, stderr)) {
 *	case OPTIONS_RUN:     break;
 *	case OPTIONS_HELP:    exit(0);                               (usage was printed)
 *	case OPTIONS_VERSION: options_version(stdout); exit(0);
 *	case OPTIONS_FATAL:   fatal("%s", options.error);
 *	default:              fatal_errno(-ret, "reading options");
 *	}
 *	if (*options.notes)
 *		log_message(LOG_NOTICE, "%s", options.notes);
 */
#ifndef XENSTORED_DAEMON_OPTIONS_H
#define XENSTORED_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#ifndef XENSTORED_VERSION
#define XENSTORED_VERSION "0.1"
#endif

/* Seconds that an event may wait for an unprivileged ring connection to take it. */
#define OPTIONS_WATCH_EVENT_TIMEOUT 20

/* What options_parse() found; anything below 0 is a negative errno. */
enum options_result {
	OPTIONS_RUN = 0, /* start the daemon */
	OPTIONS_HELP,	 /* usage has been printed, exit with status 0 */
	OPTIONS_VERSION, /* print options_version(), exit with status 0 */
	OPTIONS_FATAL,	 /* options.error says why; exit with status 1 */
};

/* The back-end that answers "which domains live?". */
enum options_domstate {
	OPTIONS_DOMSTATE_AUTO,
	OPTIONS_DOMSTATE_HYPERCALL,
	OPTIONS_DOMSTATE_XENCTRL,
	OPTIONS_DOMSTATE_NONE,
};

/* One quota setting, in the order of the command line (a later one wins). */
struct options_quota {
	char *name;	    /* as in the quota table; soft quotas without "soft-" */
	unsigned int value; /* 0 = unlimited */
	bool soft;
};

struct options {
	/*
	 * Questions that parsing asks its caller; set them between options_init() and
	 * options_parse(). NULL means that every name is known. known_trace_switch gets the whole
	 * argument, e.g. "+io".
	 */
	bool (*known_quota)(void *context, const char *name, bool soft);
	bool (*known_trace_switch)(void *context, const char *argument);
	void *context;

	/* Strings of the command line; they belong to argv. NULL = not given. */
	const char *pid_file;
	const char *trace_file; /* relative: below the library directory */
	const char *rundir;

	bool foreground;   /* -N */
	bool keep_orphans; /* -K */
	bool live_update;  /* -U */
	enum options_domstate domstate;

	/* Numbers that may be absent: -1 = not given. */
	int master_domid;
	int priv_domid;
	int event_port;

	/* Seconds, 0 = events never time out. */
	unsigned int watch_event_timeout;

	struct options_quota *quotas;
	size_t n_quotas;

	/* Arguments of --trace-control in order; the strings belong to argv. */
	const char **trace_switches;
	size_t n_trace_switches;

	/* One line about options that were ignored, for the log; "" if there were none. */
	char notes[512];
	/* The text of a fatal error, without "FATAL: ". */
	char error[512];
};

/** Sets @options to what an empty command line means. Nothing is allocated. */
void options_init(struct options *options);

/** Frees what options_parse() allocated. Strings of argv are not touched. */
void options_deinit(struct options *options);

/**
 * Parses @argv (permuting it as getopt does; NULL-terminated, argv[0] is the program) into
 * @options. Messages about unknown options, and the usage if asked for, go to @err. May be called
 * again for another options_init()ed struct: getopt's state is reset first.
 *
 * Returns an enum options_result or a negative errno (-ENOMEM). On any result @options is to be
 * deinitialized.
 */
int options_parse(struct options *options, int argc, char **argv, FILE *err);

/** Prints the usage. */
void options_usage(FILE *out);

/** Prints the name and version of the program. */
void options_version(FILE *out);

/**
 * How many words at @argv, which ends with NULL, are an option that no other xenstored has: it
 * would take its value for a stray argument and not start. 0: it is another word.
 */
size_t options_own_words(char *const *argv);

/** The name of a back-end as --domstate takes it. */
const char *options_domstate_name(enum options_domstate domstate);

#endif
