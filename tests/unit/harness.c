/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The world in memory. */
#include "harness.h"

#include <errno.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Turns after which a core that still has something to do is taken to be running in circles. */
#define TURNS_MAX 10000000

static struct harness *of_domstate(struct domstate *ds)
{
	return (struct harness *)(void *)((char *)ds - offsetof(struct harness, domstate));
}

static struct harness *of_rings(struct rings *rings)
{
	return (struct harness *)(void *)((char *)rings - offsetof(struct harness, rings));
}

static struct harness *of_logger(struct logger *logger)
{
	return (struct harness *)(void *)((char *)logger - offsetof(struct harness, logger));
}

static void log_message(struct logger *logger, int priority, const char *text)
{
	struct harness *harness = of_logger(logger);
	size_t len = strlen(text);

	(void)priority;
	if (harness->log_len + len + 2 > sizeof(harness->log))
		return;
	memcpy(harness->log + harness->log_len, text, len);
	harness->log_len += len;
	harness->log[harness->log_len++] = '\n';
	harness->log[harness->log_len] = 0;
}

static bool log_enabled(struct logger *logger, enum log_class class)
{
	(void)logger;
	(void)class;
	return true;
}

static void log_trace(struct logger *logger, enum log_class class, const char *text)
{
	(void)logger;
	(void)class;
	(void)text;
}

static void log_io(struct logger *logger, enum log_direction direction, uint64_t client,
		   unsigned int domid, uint32_t type, const void *payload, size_t len)
{
	(void)logger;
	(void)direction;
	(void)client;
	(void)domid;
	(void)type;
	(void)payload;
	(void)len;
}

static uint64_t now(struct world *world)
{
	return ((struct harness *)(void *)world)->now; /* its first member */
}

static void fill_state(const struct harness *harness, unsigned int domid, struct domain_state *out)
{
	const struct fake_domain *domain = &harness->domain[domid];

	out->domid = domid;
	out->state = domain->state;
	out->caps = domid ? 0 : DOMSTATE_CAP_CONTROL | DOMSTATE_CAP_HARDWARE;
	out->unique_id = domain->state && !harness->identities_unknown ? domain->unique_id : 0;
}

static int state_get(struct domstate *ds, unsigned int domid, struct domain_state *out)
{
	fill_state(of_domstate(ds), domid, out);
	return 0;
}

static int state_changed(struct domstate *ds, struct domain_state *out)
{
	struct harness *harness = of_domstate(ds);

	for (unsigned int domid = 0; domid < DOMID_FIRST_RESERVED; domid++)
		if (harness->domain[domid].changed) {
			harness->domain[domid].changed = false;
			fill_state(harness, domid, out);
			return 0;
		}
	return -ENOENT;
}

static void state_close(struct domstate *ds)
{
	(void)ds;
}

static const struct domstate_ops state_ops = {
	.name = "fake",
	.exact = true,
	.get = state_get,
	.changed = state_changed,
	.close = state_close,
};

static ssize_t peer_core_receives(struct transport *transport, void *data, size_t len)
{
	struct peer *peer = (struct peer *)(void *)transport;

	if (!peer->to_len)
		return peer->hung_up ? 0 : -EAGAIN;
	if (len > peer->to_len)
		len = peer->to_len;
	memcpy(data, peer->to_core, len);
	memmove(peer->to_core, peer->to_core + len, peer->to_len - len);
	peer->to_len -= len;
	return (ssize_t)len;
}

static ssize_t peer_core_sends(struct transport *transport, const void *data, size_t len)
{
	struct peer *peer = (struct peer *)(void *)transport;
	size_t waiting = peer->from_len - peer->from_at;
	size_t room = peer->take_max > waiting ? peer->take_max - waiting : 0;

	if (len > room)
		len = room;
	if (!len)
		return -EAGAIN;
	/* The test's own memory is not what is being tested. */
	peer->from_core = test_realloc(peer->from_core, peer->from_len + len);
	memcpy(peer->from_core + peer->from_len, data, len);
	peer->from_len += len;
	return (ssize_t)len;
}

static void peer_core_fails(struct transport *transport, int error)
{
	((struct peer *)(void *)transport)->failed = error;
}

static void peer_core_closes(struct transport *transport)
{
	struct peer *peer = (struct peer *)(void *)transport;

	peer->closed = true;
	peer->client = NULL;
}

static void peer_place(struct transport *transport, struct transport_place *place)
{
	const struct peer *peer = (struct peer *)(void *)transport;

	place->fd = peer->is_guest ? -1 : peer->number;
	place->port = peer->is_guest ? peer->port : 0;
}

static const struct transport_ops peer_ops = {
	.receive = peer_core_receives,
	.send = peer_core_sends,
	.fail = peer_core_fails,
	.close = peer_core_closes,
	.describe = peer_place,
};

static struct peer *new_peer(struct harness *harness)
{
	struct peer *peer = test_calloc(1, sizeof(*peer));

	peer->transport.ops = &peer_ops;
	peer->harness = harness;
	peer->take_max = SIZE_MAX;
	peer->number = harness->peers ? harness->peers->number + 1 : 1;
	peer->next = harness->peers;
	harness->peers = peer;
	return peer;
}

static int rings_connect(struct rings *rings, unsigned int domid, unsigned int port,
			 unsigned int features, struct transport **out)
{
	struct harness *harness = of_rings(rings);
	struct peer *peer;

	if (!harness->domain[domid].state)
		return -ESRCH;
	if (harness->domain[domid].connect_error)
		return -harness->domain[domid].connect_error;
	peer = new_peer(harness);
	peer->is_guest = true;
	peer->domid = domid;
	peer->port = port;
	peer->features = features;
	*out = &peer->transport;
	return 0;
}

static int rings_rebind(struct rings *rings, struct transport *transport, unsigned int port)
{
	struct peer *peer = (struct peer *)(void *)transport;

	if (of_rings(rings)->domain[peer->domid].bind_error)
		return -of_rings(rings)->domain[peer->domid].bind_error;
	peer->port = port;
	return 0;
}

static void rings_reset(struct rings *rings, struct transport *transport)
{
	struct peer *peer = (struct peer *)(void *)transport;

	(void)rings;
	peer->resets++;
	peer->failed = 0;
	peer->to_len = 0;
	peer->from_len = peer->from_at = 0;
}

static void rings_connected(struct rings *rings, struct transport *transport)
{
	(void)rings;
	(void)transport;
}

struct core_config harness_config(void)
{
	struct core_config config;

	core_config_defaults(&config);
	config.generation = 1000;
	config.secret.k0 = 0x0123456789abcdefULL;
	config.secret.k1 = 0xfedcba9876543210ULL;
	return config;
}

struct harness *harness_new_with(const struct core_config *config)
{
	struct harness *harness = test_calloc(1, sizeof(*harness));

	harness->config = *config;
	harness->now = 1000000;
	harness->next_unique_id = 0x1000;
	harness->logger.message = log_message;
	harness->logger.enabled = log_enabled;
	harness->logger.trace = log_trace;
	harness->logger.io = log_io;
	harness->domstate.ops = &state_ops;
	harness->rings.connect = rings_connect;
	harness->rings.rebind = rings_rebind;
	harness->rings.reset = rings_reset;
	harness->rings.connected = rings_connected;
	harness->world.log = &harness->logger;
	harness->world.domstate = &harness->domstate;
	harness->world.rings = &harness->rings;
	harness->world.now = now;
	harness_create(harness, 0);
	harness->core = core_new(&harness->world, &harness->config);
	if (!harness->core) {
		test_free(harness);
		return NULL;
	}
	harness->dom0 = harness_socket(harness);
	return harness;
}

struct harness *harness_new(void)
{
	struct core_config config = harness_config();

	return harness_new_with(&config);
}

void harness_free(struct harness *harness)
{
	struct peer *peer;

	core_free(harness->core);
	while ((peer = harness->peers)) {
		harness->peers = peer->next;
		test_free(peer->to_core);
		test_free(peer->from_core);
		test_free(peer);
	}
	test_free(harness);
}

void harness_run(struct harness *harness)
{
	for (struct peer *peer = harness->peers; peer; peer = peer->next)
		if (peer->client)
			core_ready(harness->core, peer->client, true, true, peer->hung_up);
	harness_run_untold(harness);
}

void harness_run_untold(struct harness *harness)
{
	for (int i = 0; i < TURNS_MAX; i++)
		if (core_turn(harness->core))
			return;
	fail_msg("the core never comes to rest");
}

struct peer *harness_socket(struct harness *harness)
{
	struct peer *peer = new_peer(harness);

	peer->client = core_accept(harness->core, &peer->transport);
	return peer;
}

void harness_create(struct harness *harness, unsigned int domid)
{
	harness->domain[domid].state = DOMSTATE_EXIST;
	harness->domain[domid].unique_id = harness->next_unique_id += 0x10;
	harness->domain[domid].changed = true;
}

struct peer *harness_find_guest(struct harness *harness, unsigned int domid)
{
	struct domain *domain = domain_find(&harness->core->state.domains, domid);
	struct peer *peer;

	if (!domain || !domain->client)
		return NULL;
	peer = (struct peer *)(void *)domain->client->transport;
	peer->client = domain->client;
	return peer;
}

struct peer *harness_guest(struct harness *harness, unsigned int domid)
{
	char payload[64];
	int len;

	if (!harness->domain[domid].state)
		harness_create(harness, domid);
	len = snprintf(payload, sizeof(payload), "%u%c1%c%u", domid, 0, 0, domid + 100) + 1;
	if (peer_request(harness->dom0, XS_INTRODUCE, 0, payload, (size_t)len, NULL))
		return NULL;
	return harness_find_guest(harness, domid);
}

void harness_tell(struct harness *harness)
{
	core_domains_changed(harness->core);
	harness_run(harness);
}

void harness_shutdown(struct harness *harness, unsigned int domid)
{
	harness->domain[domid].state |= DOMSTATE_SHUTDOWN;
	harness->domain[domid].changed = true;
	harness_tell(harness);
}

void harness_destroy_silently(struct harness *harness, unsigned int domid)
{
	harness->domain[domid].state = 0;
	harness->domain[domid].changed = true;
}

void harness_destroy(struct harness *harness, unsigned int domid)
{
	harness_destroy_silently(harness, domid);
	harness_tell(harness);
}

void peer_push(struct peer *peer, const void *data, size_t len)
{
	peer->to_core = test_realloc(peer->to_core, peer->to_len + len + 1);
	memcpy(peer->to_core + peer->to_len, data, len);
	peer->to_len += len;
}

void peer_send(struct peer *peer, uint32_t type, uint32_t tx_id, const void *payload, size_t len)
{
	struct wire_header header = {
		.type = type, .req_id = 7, .tx_id = tx_id, .len = (uint32_t)len};

	peer_push(peer, &header, sizeof(header));
	if (len)
		peer_push(peer, payload, len);
}

/* Take the message at offset @at out of what the core has sent. */
static bool take(struct peer *peer, size_t at, struct answer *answer)
{
	size_t whole;

	if (peer->from_len - at < sizeof(answer->header))
		return false;
	memcpy(&answer->header, peer->from_core + at, sizeof(answer->header));
	assert_true(answer->header.len <= WIRE_PAYLOAD_MAX);
	whole = sizeof(answer->header) + answer->header.len;
	if (peer->from_len - at < whole)
		return false;
	memcpy(answer->payload, peer->from_core + at + sizeof(answer->header), answer->header.len);
	answer->payload[answer->header.len] = 0;
	memmove(peer->from_core + at, peer->from_core + at + whole, peer->from_len - at - whole);
	peer->from_len -= whole;
	return true;
}

bool peer_receive(struct peer *peer, struct answer *answer)
{
	return take(peer, 0, answer);
}

/* The first message that is an event, or is not one. */
static bool take_kind(struct peer *peer, bool event, struct answer *answer)
{
	struct wire_header header;

	for (size_t at = 0; peer->from_len - at >= sizeof(header);
	     at += sizeof(header) + header.len) {
		memcpy(&header, peer->from_core + at, sizeof(header));
		if ((header.type == XS_WATCH_EVENT) == event)
			return take(peer, at, answer);
	}
	return false;
}

static int error_number(const char *name)
{
	static const int errors[] = {EINVAL, EACCES,  EEXIST,	 EISDIR, ENOENT, ENOMEM,
				     ENOSPC, EIO,     ENOTEMPTY, ENOSYS, EROFS,	 EBUSY,
				     EAGAIN, EISCONN, E2BIG,	 EPERM};

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		if (!strcmp(wire_error_name(errors[i]), name))
			return errors[i];
	fail_msg("unknown error %s", name);
	return -1;
}

int peer_request(struct peer *peer, uint32_t type, uint32_t tx_id, const void *payload, size_t len,
		 struct answer *answer)
{
	struct answer unused;

	if (!answer)
		answer = &unused;
	peer_send(peer, type, tx_id, payload, len);
	harness_run(peer->harness);
	if (!take_kind(peer, false, answer))
		fail_msg("no reply to request type %u", type);
	if (answer->header.type == XS_ERROR)
		return error_number(answer->payload);
	assert_int_equal(answer->header.type, type);
	return 0;
}

static int string_request(struct peer *peer, uint32_t type, uint32_t tx, const char *text,
			  struct answer *answer)
{
	return peer_request(peer, type, tx, text, strlen(text) + 1, answer);
}

/* Two strings; the second one without its NUL if @open. */
static int pair_request(struct peer *peer, uint32_t type, uint32_t tx, const char *a, const char *b,
			bool open)
{
	char payload[2 * WIRE_PAYLOAD_MAX];
	size_t alen = strlen(a) + 1, blen = strlen(b) + (open ? 0 : 1);

	assert_true(alen + blen <= WIRE_PAYLOAD_MAX);
	memcpy(payload, a, alen);
	memcpy(payload + alen, b, blen);
	return peer_request(peer, type, tx, payload, alen + blen, NULL);
}

int peer_write(struct peer *peer, uint32_t tx, const char *path, const char *value)
{
	return pair_request(peer, XS_WRITE, tx, path, value, true);
}

int peer_read(struct peer *peer, uint32_t tx, const char *path, struct answer *answer)
{
	return string_request(peer, XS_READ, tx, path, answer);
}

int peer_mkdir(struct peer *peer, uint32_t tx, const char *path)
{
	return string_request(peer, XS_MKDIR, tx, path, NULL);
}

int peer_rm(struct peer *peer, uint32_t tx, const char *path)
{
	return string_request(peer, XS_RM, tx, path, NULL);
}

int peer_directory(struct peer *peer, uint32_t tx, const char *path, struct answer *answer)
{
	return string_request(peer, XS_DIRECTORY, tx, path, answer);
}

int peer_ask(struct peer *peer, uint32_t type, uint32_t tx_id, const char *text,
	     struct answer *answer)
{
	char payload[WIRE_PAYLOAD_MAX];
	size_t len = (size_t)snprintf(payload, sizeof(payload), "%s", text) + 1;

	assert_true(len <= sizeof(payload));
	for (size_t i = 0; i < len; i++)
		if (payload[i] == ' ')
			payload[i] = 0;
	return peer_request(peer, type, tx_id, payload, len, answer);
}

int peer_set_perms(struct peer *peer, uint32_t tx, const char *path, const char *perms)
{
	char payload[WIRE_PAYLOAD_MAX];
	size_t len = (size_t)snprintf(payload, sizeof(payload), "%s%c%s", path, 0, perms) + 1;

	for (size_t i = strlen(path); i < len; i++)
		if (payload[i] == ' ')
			payload[i] = 0;
	return peer_request(peer, XS_SET_PERMS, tx, payload, len, NULL);
}

int peer_get_perms(struct peer *peer, uint32_t tx, const char *path, struct answer *answer)
{
	struct answer unused;
	int error;

	if (!answer)
		answer = &unused;
	error = string_request(peer, XS_GET_PERMS, tx, path, answer);
	for (uint32_t i = 0; !error && i + 1 < answer->header.len; i++)
		if (!answer->payload[i])
			answer->payload[i] = ' ';
	return error;
}

int peer_watch(struct peer *peer, const char *path, const char *token)
{
	return pair_request(peer, XS_WATCH, 0, path, token, false);
}

int peer_unwatch(struct peer *peer, const char *path, const char *token)
{
	return pair_request(peer, XS_UNWATCH, 0, path, token, false);
}

int peer_start(struct peer *peer, uint32_t *tx)
{
	struct answer answer;
	int error = peer_request(peer, XS_TRANSACTION_START, 0, "", 1, &answer);

	*tx = error ? 0 : (uint32_t)strtoul(answer.payload, NULL, 10);
	return error;
}

int peer_end(struct peer *peer, uint32_t tx, bool commit)
{
	return peer_request(peer, XS_TRANSACTION_END, tx, commit ? "T" : "F", 2, NULL);
}

const char *peer_event(struct peer *peer)
{
	static char text[2 * WIRE_PAYLOAD_MAX];
	struct answer answer;

	if (!take_kind(peer, true, &answer))
		return "";
	snprintf(text, sizeof(text), "%s %s", answer.payload,
		 answer.payload + strlen(answer.payload) + 1);
	return text;
}

void peer_forget_events(struct peer *peer)
{
	struct answer answer;

	while (take_kind(peer, true, &answer))
		;
}

unsigned int harness_log_count(const struct harness *harness, const char *text)
{
	unsigned int count = 0;

	for (const char *at = harness->log; (at = strstr(at, text)); at += strlen(text))
		count++;
	return count;
}

bool harness_logged(const struct harness *harness, const char *text)
{
	return strstr(harness->log, text) != NULL;
}
