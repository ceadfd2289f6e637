/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * xenstore-9pfsd: the command line.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/daemonize.h"
#include "ninepfsd/attach.h"
#include "ninepfsd/service.h"

#define PID_FILE "/run/xen/xenstore-9pfsd.pid"

static const char usage_text[] =
	"usage: xenstore-9pfsd [-F] [--pid-file FILE] [--user NAME]\n"
	"       xenstore-9pfsd attach DOMAIN [OPTION...]\n"
	"       xenstore-9pfsd detach DOMAIN [OPTION...]\n"
	"\n"
	"Serves directories to other domains as 9pfs devices; without a command, as a daemon.\n"
	"\n"
	"  -F, --foreground      stay in the foreground and log to the standard error\n"
	"      --pid-file FILE   default: " PID_FILE "\n"
	"      --user NAME       become this user, who must have access to the Xen devices\n"
	"\n"
	"attach gives a device to a domain that was built without one, detach takes it away;\n"
	"DOMAIN is its number or its name:\n"
	"\n"
	"      --path DIR        the directory; default: /var/lib/xen/xenstore for the Xenstore\n"
	"                        domain, else /var/log/xen/9pfs/NAME\n"
	"      --backend DOMID   the domain in which xenstore-9pfsd runs; default: 0\n"
	"      --device N        number of the device; default: 0\n"
	"      --tag TAG         name of the share for the domain; default: Xen\n"
	"      --max-space MIB   most that the files may hold together\n"
	"      --max-files N     most files and directories\n"
	"      --max-open-files N  most files open at a time; default: 5\n"
	"      --auto-delete     remove the oldest files when there is no space left\n"
	"      --wait SECONDS    wait until the device is connected, or gone\n"
	"\n"
	"  -h, --help            this text\n";

enum {
	OPTION_PID_FILE = 256,
	OPTION_USER,
	OPTION_PATH,
	OPTION_BACKEND,
	OPTION_DEVICE,
	OPTION_TAG,
	OPTION_SPACE,
	OPTION_FILES,
	OPTION_OPEN,
	OPTION_DELETE,
	OPTION_WAIT
};

__attribute__((noreturn)) static void wrong(const char *what)
{
	fprintf(stderr, "xenstore-9pfsd: %s\n%s", what, usage_text);
	exit(2);
}

static uint64_t number(const char *text, uint64_t most)
{
	char *end;
	unsigned long long value = strtoull(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || value > most)
		wrong("a number is not acceptable");
	return value;
}

static unsigned int domid(const char *text)
{
	return (unsigned int)number(text, 0x7FEF);
}

static int serve(int argc, char **argv)
{
	static const struct option options[] = {
		{"foreground", no_argument, NULL, 'F'},
		{"pid-file", required_argument, NULL, OPTION_PID_FILE},
		{"user", required_argument, NULL, OPTION_USER},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct service_options service = {.pid_file = PID_FILE};
	int option;

	while ((option = getopt_long(argc, argv, "Fh", options, NULL)) != -1) {
		switch (option) {
		case 'F':
			service.foreground = true;
			break;
		case OPTION_PID_FILE:
			service.pid_file = optarg;
			break;
		case OPTION_USER:
			service.user = optarg;
			break;
		case 'h':
			fputs(usage_text, stdout);
			return 0;
		default:
			wrong("unknown option");
		}
	}
	if (optind < argc)
		wrong("unknown command");
	return service_run(&service);
}

static void attach_option(struct attach_options *attach, int option)
{
	switch (option) {
	case OPTION_PATH:
		attach->path = optarg;
		break;
	case OPTION_BACKEND:
		attach->backend = domid(optarg);
		break;
	case OPTION_DEVICE:
		attach->number = (unsigned int)number(optarg, UINT16_MAX);
		break;
	case OPTION_TAG:
		attach->tag = optarg;
		break;
	case OPTION_SPACE:
		attach->max_space = number(optarg, UINT32_MAX);
		break;
	case OPTION_FILES:
		attach->max_files = number(optarg, UINT32_MAX);
		break;
	case OPTION_OPEN:
		attach->max_open_files = number(optarg, UINT32_MAX);
		break;
	case OPTION_DELETE:
		attach->auto_delete = true;
		break;
	case OPTION_WAIT:
		attach->wait = (unsigned int)number(optarg, 3600);
		break;
	case 'h':
		fputs(usage_text, stdout);
		exit(0);
	default:
		wrong("unknown option");
	}
}

/* @argv begins with the command. */
static int change(int argc, char **argv, int (*work)(const struct attach_options *options))
{
	static const struct option options[] = {
		{"path", required_argument, NULL, OPTION_PATH},
		{"backend", required_argument, NULL, OPTION_BACKEND},
		{"device", required_argument, NULL, OPTION_DEVICE},
		{"tag", required_argument, NULL, OPTION_TAG},
		{"max-space", required_argument, NULL, OPTION_SPACE},
		{"max-files", required_argument, NULL, OPTION_FILES},
		{"max-open-files", required_argument, NULL, OPTION_OPEN},
		{"auto-delete", no_argument, NULL, OPTION_DELETE},
		{"wait", required_argument, NULL, OPTION_WAIT},
		{"help", no_argument, NULL, 'h'},
		{0},
	};
	struct attach_options attach = {.tag = "Xen"};
	int option;

	while ((option = getopt_long(argc, argv, "h", options, NULL)) != -1)
		attach_option(&attach, option);
	if (optind + 1 != argc || !argv[optind][0])
		wrong("one domain is to be named");
	attach.domain = argv[optind];
	return work(&attach);
}

int main(int argc, char **argv)
{
	daemonize_standard_fds();
	if (argc > 1 && strcmp(argv[1], "attach") == 0)
		return change(argc - 1, argv + 1, attach);
	if (argc > 1 && strcmp(argv[1], "detach") == 0)
		return change(argc - 1, argv + 1, detach);
	return serve(argc, argv);
}
