/* SPDX-License-Identifier: GPL-2.0-or-later */
/* xenstore-image: command line. */
#include "liveupdate/tool/tool.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

struct command {
	const char *name;
	int least, most; /* arguments */
	int (*run)(const struct tool_options *options, char **args);
	const char *synopsis, *help;
};

static const struct command commands[] = {
	{"check", 1, 1, command_check, "check FILE", "check an image by all rules"},
	{"show", 1, 1, command_show, "show [--json] FILE",
	 "print an image, a line for each record"},
	{"convert", 1, 1, command_convert, "convert [--to NAME] [--version N] [-o OUT] FILE",
	 "rewrite an image for another xenstored"},
	{"extract", 1, 2, command_extract, "extract [--version N] [-o OUT] DOMID [FILE]",
	 "cut out what belongs to one domain, of an image or of the running daemon's store"},
	{"insert", 2, 2, command_insert, "insert [--port N] DOMID FILE",
	 "put what extract has cut out into the running daemon's store"},
	{"diff", 2, 2, command_diff, "diff FILE FILE", "print how two images differ"},
};

static void help(FILE *out)
{
	const struct stream_dialect *dialect;

	fprintf(out, "Usage: xenstore-image COMMAND [OPTION]... ARGUMENT...\n"
		     "Examine and convert images of a xenstored's state.\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++)
		fprintf(out, "  %s\n        %s\n", commands[i].synopsis, commands[i].help);
	fprintf(out, "\n  -j, --json         print JSON\n"
		     "  -n, --problems N   print at most N problems (20)\n"
		     "  -o, --output OUT   write there instead of to standard output\n"
		     "  -p, --port N       introduce the domain, with this event channel\n"
		     "  -t, --to NAME      for this xenstored:");
	for (size_t i = 0; (dialect = stream_dialect_at(i)); i++)
		fprintf(out, " %s", dialect->name);
	fprintf(out,
		"\n  -v, --version N    write this version of the format (1 or 2)\n"
		"  -h, --help         print this and exit\n\n"
		"FILE is a state file, or - for standard input; convert also reads the dump of\n"
		"an oxenstored. Exit status: 0 all right, 1 wrong or different, 2 trouble.\n");
}

static int number(const char *text, const char *what, unsigned long max, unsigned long *value)
{
	char *end;

	*value = strtoul(text, &end, 10);
	if (*end || end == text || *value > max || *text == '-') {
		fprintf(stderr, "xenstore-image: %s is not a %s\n", text, what);
		return -1;
	}
	return 0;
}

static int parse(struct tool_options *options, int argc, char **argv)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"output", required_argument, NULL, 'o'},
		{"port", required_argument, NULL, 'p'},
		{"to", required_argument, NULL, 't'},
		{"version", required_argument, NULL, 'v'},
		{"help", no_argument, NULL, 'h'},
		{"problems", required_argument, NULL, 'n'},
		{NULL, 0, NULL, 0},
	};
	unsigned long value;
	int option;

	while ((option = getopt_long(argc, argv, "jo:p:t:v:hn:", longs, NULL)) != -1) {
		switch (option) {
		case 'j':
			options->json = true;
			break;
		case 'o':
			options->output = optarg;
			break;
		case 't':
			options->dialect = optarg;
			break;
		case 'v':
			if (number(optarg, "version", STREAM_VERSION_MAX, &value) || !value)
				return -1;
			options->version = (unsigned int)value;
			break;
		case 'n':
			if (number(optarg, "number", 1000000, &value))
				return -1;
			options->problems = value;
			break;
		case 'p':
			if (number(optarg, "port", INT32_MAX, &value) || !value)
				return -1;
			options->port = (unsigned int)value;
			break;
		case 'h':
			help(stdout);
			exit(fflush(stdout) ? EXIT_TROUBLE : EXIT_FINE);
		default:
			return -1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	struct tool_options options = {.problems = 20};
	int status = EXIT_TROUBLE;

	if (parse(&options, argc, argv) || optind >= argc) {
		help(stderr);
		return EXIT_TROUBLE;
	}
	for (size_t i = 0; i < sizeof(commands) / sizeof(*commands); i++) {
		if (strcmp(commands[i].name, argv[optind]) != 0)
			continue;
		if (argc - optind - 1 < commands[i].least || argc - optind - 1 > commands[i].most) {
			fprintf(stderr, "Usage: xenstore-image %s\n", commands[i].synopsis);
			return EXIT_TROUBLE;
		}
		status = commands[i].run(&options, argv + optind + 1);
		if (fflush(stdout) || ferror(stdout))
			tool_fail("standard output: write error");
		tool_free_all();
		return status;
	}
	fprintf(stderr, "xenstore-image: no command \"%s\"; see --help\n", argv[optind]);
	return EXIT_TROUBLE;
}
