/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The command line, as one getopt_long table and one switch.
 *
 * getopt's own messages are off, because they go to a fixed stream; the ones printed here have
 * the same form. Removed options stay in the table under their old letters, so that they are
 * consumed together with their attached arguments.
 */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/wire.h"

/* What the protocol allows for a path; -M may only lower it. */
#define PATH_MAX_LIMIT 2048

/* Codes of options without a letter: outside of what a char can be. */
enum {
	OPT_EVENT = 256,
	OPT_PRIV_DOMID,
	OPT_TRACE_CONTROL,
	OPT_RUNDIR,
	OPT_DOMSTATE,
	OPT_VERSION,
};

static const char short_options[] = ":A:E:F:HKM:NQ:S:T:UW:m:q:t:w:DPRVI::";

static const struct option long_options[] = {
	{"pid-file", required_argument, NULL, 'F'},
	{"help", no_argument, NULL, 'H'},
	{"version", no_argument, NULL, OPT_VERSION},
	{"no-fork", no_argument, NULL, 'N'},
	{"rundir", required_argument, NULL, OPT_RUNDIR},
	{"domstate", required_argument, NULL, OPT_DOMSTATE},
	{"trace-file", required_argument, NULL, 'T'},
	{"trace-control", required_argument, NULL, OPT_TRACE_CONTROL},
	{"entry-nb", required_argument, NULL, 'E'},
	{"entry-size", required_argument, NULL, 'S'},
	{"watch-nb", required_argument, NULL, 'W'},
	{"transaction", required_argument, NULL, 't'},
	{"perm-nb", required_argument, NULL, 'A'},
	{"path-max", required_argument, NULL, 'M'},
	{"quota", required_argument, NULL, 'Q'},
	{"quota-soft", required_argument, NULL, 'q'},
	{"timeout", required_argument, NULL, 'w'},
	{"keep-orphans", no_argument, NULL, 'K'},
	{"live-update", no_argument, NULL, 'U'},
	{"event", required_argument, NULL, OPT_EVENT},
	{"master-domid", required_argument, NULL, 'm'},
	{"priv-domid", required_argument, NULL, OPT_PRIV_DOMID},
	/* Removed; still in init scripts and in the command lines of running daemons. */
	{"no-domain-init", no_argument, NULL, 'D'},
	{"output-pid", no_argument, NULL, 'P'},
	{"no-recovery", no_argument, NULL, 'R'},
	{"verbose", no_argument, NULL, 'V'},
	{"internal-db", optional_argument, NULL, 'I'},
	{NULL, 0, NULL, 0},
};

static const char *const domstate_names[] = {
	[OPTIONS_DOMSTATE_AUTO] = "auto",
	[OPTIONS_DOMSTATE_HYPERCALL] = "hypercall",
	[OPTIONS_DOMSTATE_XENCTRL] = "xenctrl",
	[OPTIONS_DOMSTATE_NONE] = "none",
};

#define N_DOMSTATES (sizeof(domstate_names) / sizeof(domstate_names[0]))

const char *options_domstate_name(enum options_domstate domstate)
{
	return (size_t)domstate < N_DOMSTATES ? domstate_names[domstate] : "?";
}

void options_usage(FILE *out)
{
	static const char text[] =
		"Usage: xenstored [option]...\n"
		"\n"
		"Process:\n"
		"  -F, --pid-file FILE        write the process id to FILE and keep it locked\n"
		"  -N, --no-fork              stay in the foreground\n"
		"      --rundir DIR           directory of the socket\n"
		"  -U, --live-update          take over the state of the running process image\n"
		"  -H, --help                 print this text and exit\n"
		"      --version              print the version and exit\n"
		"\n"
		"Domains:\n"
		"      --domstate NAME        how to learn of domains: auto, hypercall, xenctrl, "
		"none\n"
		"  -m, --master-domid DOMID   domain that xenstored runs in\n"
		"      --priv-domid DOMID     domain that may do everything\n"
		"      --event PORT           (stub domain) event channel of domain 0\n"
		"  -K, --keep-orphans         keep the nodes of dead domains\n"
		"\n"
		"Trace:\n"
		"  -T, --trace-file FILE      append a trace log to FILE\n"
		"      --trace-control +SW    switch a trace class on; -SW: off\n"
		"                             (obj, io, wrl, acc, tdb)\n"
		"\n"
		"Quotas of a domain (0 = unlimited):\n"
		"  -E, --entry-nb NB          nodes\n"
		"  -S, --entry-size SIZE      bytes in a node\n"
		"  -W, --watch-nb NB          watches\n"
		"  -t, --transaction NB       open transactions\n"
		"  -A, --perm-nb NB           permissions of a node\n"
		"  -M, --path-max SIZE        bytes in a path, at most 2048\n"
		"  -Q, --quota WHAT=NB        any of: nodes, watches, outstanding, memory,\n"
		"                             transactions, transaction-nodes, node-permissions,\n"
		"                             path-max, node-size\n"
		"  -q, --quota-soft WHAT=NB   only warn above NB: memory\n"
		"  -w, --timeout WHAT=SECS    watch-event: seconds until an event that a domain\n"
		"                             does not take is dropped (default 20, 0 = never)\n"
		"\n"
		"Accepted without effect: -D, -P, -R, -V, -I[on|off].\n";

	fputs(text, out);
}

void options_version(FILE *out)
{
	fputs("xenstored " XENSTORED_VERSION "\n", out);
}

void options_init(struct options *options)
{
	*options = (struct options){
		.domstate = OPTIONS_DOMSTATE_AUTO,
		.master_domid = -1,
		.priv_domid = -1,
		.event_port = -1,
		.watch_event_timeout = OPTIONS_WATCH_EVENT_TIMEOUT,
	};
}

void options_deinit(struct options *options)
{
	for (size_t i = 0; i < options->n_quotas; i++)
		free(options->quotas[i].name);
	free(options->quotas);
	free(options->trace_switches);
	options_init(options);
}

__attribute__((format(printf, 2, 3))) static int reject(struct options *options, const char *format,
							...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(options->error, sizeof(options->error), format, args);
	va_end(args);
	return OPTIONS_FATAL;
}

/* Adds to the note about ignored options. One that no longer fits is not worth a failure. */
static void note(struct options *options, const char *what)
{
	size_t used = strlen(options->notes);

	snprintf(options->notes + used, sizeof(options->notes) - used, "%s %s",
		 used ? "," : "options without effect:", what);
}

static int parse_number(struct options *options, const char *text, unsigned int *value)
{
	unsigned long long number = 0;
	const char *c = text;

	*value = 0;
	do {
		if (*c < '0' || *c > '9')
			return reject(options, "invalid parameter value \"%s\"", text);
		number = number * 10 + (unsigned long long)(*c - '0');
		if (number > INT_MAX)
			return reject(options, "invalid parameter value \"%s\"", text);
	} while (*++c);
	*value = (unsigned int)number;
	return OPTIONS_RUN;
}

static int parse_domid(struct options *options, const char *text, int *domid)
{
	unsigned int number;
	int ret = parse_number(options, text, &number);

	if (ret)
		return ret;
	if (number >= DOMID_FIRST_RESERVED)
		return reject(options, "invalid parameter value \"%s\"", text);
	*domid = (int)number;
	return OPTIONS_RUN;
}

static int parse_port(struct options *options, const char *text, int *port)
{
	unsigned int number;
	int ret = parse_number(options, text, &number);

	if (!ret)
		*port = (int)number;
	return ret;
}

static int add_quota(struct options *options, const char *name, size_t length, unsigned int value,
		     bool soft)
{
	struct options_quota *quota = &options->quotas[options->n_quotas];

	quota->name = strndup(name, length);
	if (!quota->name)
		return -ENOMEM;
	quota->value = value;
	quota->soft = soft;
	options->n_quotas++;
	return OPTIONS_RUN;
}

static int parse_named_quota(struct options *options, const char *text, bool soft)
{
	const char *equals = strchr(text, '=');
	const char *name;
	unsigned int value;
	int ret;

	if (!equals)
		return reject(options, "quotas must be specified via <what>=<nb>");
	ret = parse_number(options, equals + 1, &value);
	if (ret)
		return ret;
	ret = add_quota(options, text, (size_t)(equals - text), value, soft);
	if (ret)
		return ret;
	name = options->quotas[options->n_quotas - 1].name;
	if (options->known_quota && !options->known_quota(options->context, name, soft))
		return reject(options, "unknown quota \"%s\"", text);
	return OPTIONS_RUN;
}

static int parse_plain_quota(struct options *options, const char *name, const char *text)
{
	unsigned int value;
	int ret = parse_number(options, text, &value);

	return ret ? ret : add_quota(options, name, strlen(name), value, false);
}

static int parse_path_max(struct options *options, const char *text)
{
	unsigned int value;
	int ret = parse_number(options, text, &value);

	if (ret)
		return ret;
	if (value > PATH_MAX_LIMIT)
		value = PATH_MAX_LIMIT;
	return add_quota(options, "path-max", strlen("path-max"), value, false);
}

static int parse_timeout(struct options *options, const char *text)
{
	const char *equals = strchr(text, '=');
	unsigned int value;
	int ret;

	if (!equals)
		return reject(options, "timeouts must be specified via <what>=<seconds>");
	ret = parse_number(options, equals + 1, &value);
	if (ret)
		return ret;
	if ((size_t)(equals - text) != strlen("watch-event") ||
	    strncmp(text, "watch-event", strlen("watch-event")) != 0)
		return reject(options, "unknown timeout \"%s\"", text);
	options->watch_event_timeout = value;
	return OPTIONS_RUN;
}

static int parse_domstate(struct options *options, const char *text)
{
	for (size_t i = 0; i < N_DOMSTATES; i++) {
		if (strcmp(text, domstate_names[i]) == 0) {
			options->domstate = (enum options_domstate)i;
			return OPTIONS_RUN;
		}
	}
	return reject(options, "unknown domain state back-end \"%s\"", text);
}

static int parse_trace_switch(struct options *options, const char *text)
{
	if (options->known_trace_switch && !options->known_trace_switch(options->context, text))
		return reject(options, "Illegal trace switch \"%s\"", text);
	options->trace_switches[options->n_trace_switches++] = text;
	return OPTIONS_RUN;
}

static int ignore_removed(struct options *options, int letter)
{
	char name[] = {'-', (char)letter, '\0'};

	note(options, name);
	return OPTIONS_RUN;
}

/*
 * An unknown option, an ambiguous abbreviation or a missing argument: said, noted, and passed
 * over. getopt leaves a bad letter in optopt; for a long option that is 0 or its code, and the
 * word itself stands just before optind.
 */
static int ignore_unknown(struct options *options, char **argv, int code, FILE *err)
{
	const char *word = argv[optind - 1];
	bool is_letter = optopt > 0 && optopt < 256 && strncmp(word, "--", 2) != 0;
	char letter[] = {'-', (char)optopt, '\0'};
	const char *what = is_letter ? letter : word;

	if (code == ':')
		fprintf(err, "%s: option '%s' requires an argument\n", argv[0], what);
	else
		fprintf(err, "%s: unrecognized option '%s'\n", argv[0], what);
	note(options, what);
	return OPTIONS_RUN;
}

static int parse_one(struct options *options, int code, char **argv, FILE *err)
{
	switch (code) {
	case 'A':
		return parse_plain_quota(options, "node-permissions", optarg);
	case 'E':
		return parse_plain_quota(options, "nodes", optarg);
	case 'F':
		options->pid_file = optarg;
		return OPTIONS_RUN;
	case 'H':
		options_usage(err);
		return OPTIONS_HELP;
	case 'K':
		options->keep_orphans = true;
		return OPTIONS_RUN;
	case 'M':
		return parse_path_max(options, optarg);
	case 'N':
		options->foreground = true;
		return OPTIONS_RUN;
	case 'Q':
		return parse_named_quota(options, optarg, false);
	case 'S':
		return parse_plain_quota(options, "node-size", optarg);
	case 'T':
		options->trace_file = optarg;
		return OPTIONS_RUN;
	case 'U':
		options->live_update = true;
		return OPTIONS_RUN;
	case 'W':
		return parse_plain_quota(options, "watches", optarg);
	case 'm':
		return parse_domid(options, optarg, &options->master_domid);
	case 'q':
		return parse_named_quota(options, optarg, true);
	case 't':
		return parse_plain_quota(options, "transactions", optarg);
	case 'w':
		return parse_timeout(options, optarg);
	case 'D':
	case 'P':
	case 'R':
	case 'V':
	case 'I':
		return ignore_removed(options, code);
	case OPT_EVENT:
		return parse_port(options, optarg, &options->event_port);
	case OPT_PRIV_DOMID:
		return parse_domid(options, optarg, &options->priv_domid);
	case OPT_TRACE_CONTROL:
		return parse_trace_switch(options, optarg);
	case OPT_RUNDIR:
		options->rundir = optarg;
		return OPTIONS_RUN;
	case OPT_DOMSTATE:
		return parse_domstate(options, optarg);
	case OPT_VERSION:
		return OPTIONS_VERSION;
	default:
		return ignore_unknown(options, argv, code, err);
	}
}

int options_parse(struct options *options, int argc, char **argv, FILE *err)
{
	/* An option with an argument ends its word, so no word holds two settings. */
	size_t most = argc > 0 ? (size_t)argc : 1;
	int code, ret;

	options->quotas = calloc(most, sizeof(*options->quotas));
	options->trace_switches = calloc(most, sizeof(*options->trace_switches));
	if (!options->quotas || !options->trace_switches)
		return -ENOMEM;

	opterr = 0;
	optind = 0; /* GNU: also forgets the position inside a group of letters */
	while ((code = getopt_long(argc, argv, short_options, long_options, NULL)) != -1) {
		ret = parse_one(options, code, argv, err);
		if (ret)
			return ret;
	}
	if (optind < argc)
		return reject(options, "%s: No arguments desired", argv[0]);
	return OPTIONS_RUN;
}

size_t options_own_words(char *const *argv)
{
	static const char *const names[] = {"--rundir", "--domstate"};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		size_t len = strcspn(argv[0], "=");

		/* Names may be abbreviated as far as they are still ours alone. */
		if (len < 3 || len > strlen(names[i]) || strncmp(argv[0], names[i], len) != 0)
			continue;
		return argv[0][len] || !argv[1] ? 1 : 2;
	}
	return 0;
}
