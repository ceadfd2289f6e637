/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Scripts of what a guest must not do to its ring. The words are carried out one
 * after another; each does one small thing to the page or the port, without any
 * of the care that a well-behaved guest takes, so that hostile behaviour of any
 * kind can be put together from them.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "command.h"
#include "hypervisor/libs/client.h"
#include "ring.h"
#include "store-client.h"

struct player {
	struct ring ring;
	uint32_t domid;
	uint64_t random;
};

struct word {
	const char *name;
	const char *help;
	/* value: what follows the colon, "" when nothing does. 0 or a negative errno. */
	int (*run)(struct player *player, const char *value);
};

/* Quality does not matter, being the same in each run does. */
static uint32_t random_word(struct player *player)
{
	player->random ^= player->random << 13;
	player->random ^= player->random >> 7;
	player->random ^= player->random << 17;
	return (uint32_t)(player->random >> 16);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

static bool number(const char *text, unsigned long *value)
{
	char *end;

	errno = 0;
	*value = strtoul(text, &end, 0);
	return *text && !*end && !errno;
}

/* ---- the control words of the page ---- */

static volatile uint32_t *control_word(struct player *player, const char *name, size_t length)
{
	volatile struct ring_page *page = player->ring.page;
	const struct {
		const char *name;
		volatile uint32_t *word;
	} words[] = {
		{"req_cons", &page->req_cons},
		{"req_prod", &page->req_prod},
		{"rsp_cons", &page->rsp_cons},
		{"rsp_prod", &page->rsp_prod},
		{"features", &page->server_features},
		{"connection", &page->connection},
		{"error", &page->error},
		{"evtchn_port", &page->evtchn_port},
	};

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		if (strncmp(words[i].name, name, length) == 0 && !words[i].name[length])
			return words[i].word;
	return NULL;
}

/* set:NAME=VALUE, VALUE being absolute, or relative with a sign. */
static int set(struct player *player, const char *value)
{
	const char *equals = strchr(value, '=');
	volatile uint32_t *target;
	unsigned long amount;
	const char *digits;

	if (!equals)
		return -EINVAL;
	target = control_word(player, value, (size_t)(equals - value));
	digits = equals + 1 + (equals[1] == '+' || equals[1] == '-');
	if (!target || !number(digits, &amount))
		return -EINVAL;
	if (equals[1] == '+')
		*target = *target + (uint32_t)amount;
	else if (equals[1] == '-')
		*target = *target - (uint32_t)amount;
	else
		*target = (uint32_t)amount;
	return 0;
}

static int show(struct player *player, const char *value)
{
	volatile struct ring_page *page = player->ring.page;

	(void)value;
	printf("req_cons=%" PRIu32 " req_prod=%" PRIu32 " rsp_cons=%" PRIu32 " rsp_prod=%" PRIu32
	       " features=%" PRIu32 " connection=%" PRIu32 " error=%" PRIu32 "\n",
	       page->req_cons, page->req_prod, page->rsp_cons, page->rsp_prod,
	       page->server_features, page->connection, page->error);
	return 0;
}

/* ---- data ---- */

/* Puts bytes into the ring whether there is room or not. */
static void push(struct player *player, const void *bytes, size_t length)
{
	volatile struct ring_page *page = player->ring.page;
	const unsigned char *from = bytes;
	uint32_t prod = page->req_prod;

	for (size_t i = 0; i < length; i++)
		page->req[prod++ % RING_SIZE] = from[i];
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	page->req_prod = prod;
}

static int hex(struct player *player, const char *value)
{
	unsigned char bytes[STORE_PAYLOAD_MAX];
	size_t length = strlen(value) / 2;

	if (length > sizeof(bytes))
		return -E2BIG;
	for (size_t i = 0; i < length; i++) {
		unsigned int byte;

		if (sscanf(value + 2 * i, "%2x", &byte) != 1)
			return -EINVAL;
		bytes[i] = (unsigned char)byte;
	}
	push(player, bytes, length);
	return 0;
}

static int random_bytes(struct player *player, const char *value)
{
	unsigned long count;

	if (!number(value, &count))
		return -EINVAL;
	while (count--) {
		unsigned char byte = (unsigned char)random_word(player);

		push(player, &byte, 1);
	}
	return 0;
}

/* header:TYPE,REQ,TX,LENGTH */
static int header(struct player *player, const char *value)
{
	struct store_header bytes;

	if (sscanf(value, "%" SCNi32 ",%" SCNi32 ",%" SCNi32 ",%" SCNi32, &bytes.type,
		   &bytes.req_id, &bytes.tx_id, &bytes.length) != 4)
		return -EINVAL;
	push(player, &bytes, sizeof(bytes));
	return 0;
}

static int notify(struct player *player, const char *value);

/* request:TYPE,TEXT; commas in the text are NUL bytes. */
static size_t make_request(const char *value, unsigned char *bytes)
{
	struct store_header head = {0};
	const char *comma = strchr(value, ',');
	size_t length = comma ? strlen(comma + 1) : 0;

	if (length > STORE_PAYLOAD_MAX)
		return 0;
	head.type = (uint32_t)strtoul(value, NULL, 0);
	head.length = (uint32_t)length;
	memcpy(bytes, &head, sizeof(head));
	for (size_t i = 0; i < length; i++)
		bytes[sizeof(head) + i] = comma[1 + i] == ',' ? '\0' : (unsigned char)comma[1 + i];
	return sizeof(head) + length;
}

static int request(struct player *player, const char *value)
{
	unsigned char bytes[sizeof(struct store_header) + STORE_PAYLOAD_MAX];
	size_t length = make_request(value, bytes);

	if (!length)
		return -E2BIG;
	push(player, bytes, length);
	return notify(player, "");
}

static int dribble(struct player *player, const char *value)
{
	unsigned char bytes[sizeof(struct store_header) + STORE_PAYLOAD_MAX];
	size_t length = make_request(value, bytes);

	for (size_t i = 0; i < length; i++) {
		push(player, &bytes[i], 1);
		notify(player, "");
		pause_ms(1);
	}
	return length ? 0 : -E2BIG;
}

/* flood:N,REQUEST: as many as fit, never reading an answer. */
static int flood(struct player *player, const char *value)
{
	unsigned char bytes[sizeof(struct store_header) + STORE_PAYLOAD_MAX];
	volatile struct ring_page *page = player->ring.page;
	unsigned long count = strtoul(value, NULL, 0);
	const char *comma = strchr(value, ',');
	size_t length = comma ? make_request(comma + 1, bytes) : 0;

	if (!length || length > RING_SIZE)
		return -EINVAL;
	for (int waits = 0; count && waits < 100;) {
		if (RING_SIZE - (page->req_prod - page->req_cons) < length) {
			pause_ms(1);
			waits++;
			continue;
		}
		push(player, bytes, length);
		notify(player, "");
		count--;
		waits = 0;
	}
	return 0;
}

/* ---- the page as a whole, as a migration of the guest moves it ---- */

static int save_page(struct player *player, const char *value)
{
	FILE *file = fopen(value, "we");
	size_t done;

	if (!file)
		return -errno;
	done = fwrite((const void *)(uintptr_t)player->ring.page, SIMXEN_PAGE_SIZE, 1, file);
	return fclose(file) || !done ? -EIO : 0;
}

static int load_page(struct player *player, const char *value)
{
	FILE *file = fopen(value, "re");
	size_t done;

	if (!file)
		return -errno;
	done = fread((void *)(uintptr_t)player->ring.page, SIMXEN_PAGE_SIZE, 1, file);
	fclose(file);
	return done ? 0 : -EIO;
}

/* ---- events ---- */

static int notify(struct player *player, const char *value)
{
	unsigned long count = 1;

	if (*value && !number(value, &count))
		return -EINVAL;
	while (count--) {
		int error = ring_notify(&player->ring);

		if (error < 0)
			return error;
	}
	return 0;
}

static int close_port(struct player *player, const char *value)
{
	(void)value;
	return simxen_client_ask(player->ring.client, SIMXEN_EVTCHN_CLOSE, player->domid,
				 player->ring.port, 0);
}

static int revoke(struct player *player, const char *value)
{
	int error = simxen_client_ask(player->ring.client, SIMXEN_GRANT_END, player->domid, 1, 0);

	(void)value;
	return error == -EBUSY ? 0 : error; /* revoked, and still mapped by somebody */
}

/* ---- time ---- */

static int wait_ms(struct player *player, const char *value)
{
	unsigned long ms;

	(void)player;
	if (!number(value, &ms))
		return -EINVAL;
	pause_ms((long)ms);
	return 0;
}

/* await:NAME=VALUE, up to ten seconds. */
static int await(struct player *player, const char *value)
{
	const char *equals = strchr(value, '=');
	volatile uint32_t *target;
	unsigned long wanted;

	if (!equals || !number(equals + 1, &wanted))
		return -EINVAL;
	target = control_word(player, value, (size_t)(equals - value));
	if (!target)
		return -EINVAL;
	for (int i = 0; i < 10000; i++) {
		if (*target == (uint32_t)wanted)
			return 0;
		pause_ms(1);
	}
	return -ETIMEDOUT;
}

/* Prints and takes what the server has answered, in hexadecimal digits. */
static int take(struct player *player, const char *value)
{
	unsigned char bytes[RING_SIZE];
	int length = ring_read(&player->ring, bytes, sizeof(bytes));

	(void)value;
	for (int i = 0; i < length; i++)
		printf("%02x", bytes[i]);
	printf("\n");
	return length < 0 ? length : notify(player, "");
}

/* scribble:MS: anything anywhere in the page, as fast as possible. */
static int scribble(struct player *player, const char *value)
{
	volatile uint32_t *words = (volatile uint32_t *)player->ring.page;
	struct timespec now, end;
	unsigned long ms;

	if (!number(value, &ms))
		return -EINVAL;
	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_sec += (time_t)(ms / 1000);
	end.tv_nsec += (long)(ms % 1000) * 1000000;
	if (end.tv_nsec >= 1000000000) {
		end.tv_sec++;
		end.tv_nsec -= 1000000000;
	}
	do {
		/* Indices more often than data, and near to valid ones as often as wild. */
		for (int i = 0; i < 64; i++) {
			uint32_t what = random_word(player);
			uint32_t place = what & 1 ? 512 + (what >> 8) % 4 : (what >> 8) % 520;

			words[place] = what & 2 ? random_word(player)
						: words[place] + (what >> 20) % 2048;
		}
		ring_notify(&player->ring);
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec ||
		 (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
	return 0;
}

static int seed(struct player *player, const char *value)
{
	unsigned long start;

	if (!number(value, &start))
		return -EINVAL;
	player->random = start * 2 + 1;
	return 0;
}

static const struct word words[] = {
	{"set",
	 "NAME=[+|-]VALUE       write req_cons, req_prod, rsp_cons, rsp_prod, features,\n"
	 "                               connection, error or evtchn_port",
	 set},
	{"show", "                     print these words", show},
	{"hex", "DIGITS                put bytes into the ring, room or not", hex},
	{"random", "COUNT              put random bytes into the ring", random_bytes},
	{"header", "TYPE,REQ,TX,LENGTH put the header of a message", header},
	{"request", "TYPE,TEXT         put a request (a comma in TEXT is a NUL) and notify",
	 request},
	{"dribble", "TYPE,TEXT         the same byte by byte, each with a notification", dribble},
	{"flood", "COUNT,TYPE,TEXT     the request many times, reading no answer", flood},
	{"take", "                     take and print answers", take},
	{"notify", "[COUNT]            send events", notify},
	{"close", "                    close the port", close_port},
	{"revoke", "                   revoke the grant of the ring page", revoke},
	{"scribble", "MS               write anything anywhere in the page, with events", scribble},
	{"save", "FILE                 write the page to a file", save_page},
	{"load", "FILE                 fill the page from a file", load_page},
	{"seed", "NUMBER               of what is random", seed},
	{"await", "NAME=VALUE          wait until a word has a value, 10 s at most", await},
	{"wait", "MS                   wait", wait_ms},
};

#define WORDS (sizeof(words) / sizeof(*words))

static int print_words(void)
{
	for (size_t i = 0; i < WORDS; i++)
		printf("  %s:%s\n", words[i].name, words[i].help);
	return 0;
}

static int run_word(struct player *player, const char *text)
{
	size_t length = strcspn(text, ":");

	for (size_t i = 0; i < WORDS; i++)
		if (strncmp(words[i].name, text, length) == 0 && !words[i].name[length])
			return words[i].run(player, text + length + (text[length] == ':'));
	return -ENOENT;
}

int command_misbehave(const struct command *command, int argc, char **argv)
{
	struct player player = {.random = 0x9e3779b97f4a7c15U};
	int error;

	if (argc == 2 && strcmp(argv[1], "words") == 0)
		return print_words();
	if (argc < 3 || !command_domid(argv[1], &player.domid))
		return command_usage(command);
	error = ring_open(&player.ring, player.domid);
	if (error < 0)
		return command_failed(command, argv[1], error);
	setvbuf(stdout, NULL, _IOLBF, 0);
	for (int i = 2; i < argc; i++) {
		error = run_word(&player, argv[i]);
		if (error < 0) {
			command_failed(command, argv[i], error);
			break;
		}
	}
	ring_close(&player.ring);
	return error < 0 ? 1 : 0;
}
