/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Making and spoiling messages. */
#include "hostile.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bytes/wire.h"
#include "state/quota.h"

void bytes_add(struct bytes *bytes, const void *data, size_t len)
{
	if (bytes->len + len > bytes->room) {
		bytes->room = 2 * (bytes->len + len);
		bytes->data = realloc(bytes->data, bytes->room);
		if (!bytes->data)
			abort();
	}
	if (len)
		memcpy(bytes->data + bytes->len, data, len);
	bytes->len += len;
}

void bytes_forget(struct bytes *bytes)
{
	free(bytes->data);
	memset(bytes, 0, sizeof(*bytes));
}

unsigned int hostile_roll(struct hostile *from, unsigned int sides)
{
	unsigned int value = 0;

	for (unsigned int range = 1; range < sides && from->left; range *= 256) {
		value = value << 8 | *from->input++;
		from->left--;
	}
	return value % sides;
}

static void add_text(struct bytes *out, const char *text)
{
	bytes_add(out, text, strlen(text) + 1);
}

void hostile_fill(struct hostile *from, struct bytes *out, size_t len, bool random)
{
	for (size_t i = 0; i < len; i++) {
		char c = random ? (char)hostile_roll(from, 256) : 'x';

		bytes_add(out, &c, 1);
	}
}

static void add_path(struct hostile *from, struct bytes *out)
{
	static const char *const paths[] = {
		"/",
		"/a",
		"/a/b",
		"/a/b/c",
		"/b",
		"/b/a",
		"data",
		"data/x",
		"/local/domain/1/data",
		"/local/domain/2/data",
		"/local/domain/3",
		"/tool/xenstored",
		"@releaseDomain",
		"@introduceDomain",
		"@releaseDomain/2",
		"@nothing",
		"",
		"//",
		"/a/",
		"a//b",
		"@",
		"/local/domain/",
		"/bad path",
		"/tool",
	};
	unsigned int which = hostile_roll(from, 64);
	size_t len;

	if (which < 48) {
		add_text(out, paths[which % (sizeof(paths) / sizeof(paths[0]))]);
		return;
	}
	if (which < 58) {
		char text[16];

		snprintf(text, sizeof(text), "/a/n%u", hostile_roll(from, 60));
		add_text(out, text);
		return;
	}
	if (which < 61) { /* deep */
		len = 1 + hostile_roll(from, which == 60 ? 2048 : 30);
		for (size_t i = 0; i < len; i++)
			bytes_add(out, "/d", 2);
	} else { /* long */
		len = (const size_t[]){
			2040, 2046, 2047, 2048, 3072, 4094, 4095, 4096}[hostile_roll(from, 8)];
		bytes_add(out, "/", 1);
		hostile_fill(from, out, len - 1, false);
	}
	bytes_add(out, "", 1);
}

static void add_number(struct hostile *from, struct bytes *out)
{
	static const char *const odd[] = {
		"",   "-1", "65535", "65536", "99999999999999999999", "0x1",
		" 1", "1x", "32752", "32757", "4294967295",	      "0"};
	char text[16];

	if (hostile_roll(from, 6) == 0) {
		add_text(out, odd[hostile_roll(from, sizeof(odd) / sizeof(odd[0]))]);
		return;
	}
	snprintf(text, sizeof(text), "%u", hostile_roll(from, 6));
	add_text(out, text);
}

static void add_perms(struct hostile *from, struct bytes *out)
{
	unsigned int count = hostile_roll(from, 8) ? 1 + hostile_roll(from, 4)
						   : hostile_roll(from, 700);

	for (unsigned int i = 0; i < count; i++) {
		bytes_add(out, &"nrwbx"[hostile_roll(from, 16) ? hostile_roll(from, 4) : 4], 1);
		add_number(from, out);
	}
}

static void add_command(struct hostile *from, struct bytes *out)
{
	static const char *const commands[] = {"check", "quota",   "quota-soft", "help",    "log",
					       "print", "logfile", "memreport",	 "nonsense"};

	add_text(out, commands[hostile_roll(from, sizeof(commands) / sizeof(commands[0]))]);
	if (hostile_roll(from, 2))
		add_text(out, (const char *[]){"max", "set", "1", "-r"}[hostile_roll(from, 4)]);
	if (hostile_roll(from, 3) == 0)
		add_number(from, out);
}

static void add_quota(struct hostile *from, struct bytes *out)
{
	enum quota quota = (enum quota)hostile_roll(from, QUOTA_COUNT);
	unsigned int value = hostile_roll(from, 40);

	if (hostile_roll(from, 2))
		add_number(from, out);
	add_text(out, hostile_roll(from, 8) ? quota_name(quota) : "soft-memory");
	if (quota == QUOTA_MEMORY)
		value *= 3000;
	if (value) {
		char text[16];

		snprintf(text, sizeof(text), "%u", value);
		add_text(out, text);
	} else {
		add_number(from, out);
	}
}

static void add_payload(struct hostile *from, uint32_t type, struct bytes *out)
{
	switch (type) {
	case XS_CONTROL:
		add_command(from, out);
		return;
	case XS_WRITE:
		add_path(from, out);
		hostile_fill(from, out,
			     hostile_roll(from, 20) ? hostile_roll(from, 40)
						    : hostile_roll(from, 4090),
			     false);
		return;
	case XS_SET_PERMS:
		add_path(from, out);
		add_perms(from, out);
		return;
	case XS_WATCH:
	case XS_UNWATCH:
		add_path(from, out);
		add_text(out, (const char *[]){"t", "u", "", "token"}[hostile_roll(from, 4)]);
		if (hostile_roll(from, 5) == 0)
			add_number(from, out);
		return;
	case XS_TRANSACTION_START:
		bytes_add(out, "", 1);
		return;
	case XS_TRANSACTION_END:
		add_text(out, hostile_roll(from, 6) ? "T" : "F");
		return;
	case XS_GET_QUOTA:
	case XS_SET_QUOTA:
		add_quota(from, out);
		return;
	case XS_INTRODUCE:
		add_number(from, out);
		add_text(out, "1");
		add_number(from, out);
		return;
	case XS_SET_TARGET:
	case XS_SET_FEATURE:
		add_number(from, out);
		add_number(from, out);
		return;
	case XS_RELEASE:
	case XS_GET_DOMAIN_PATH:
	case XS_IS_DOMAIN_INTRODUCED:
	case XS_RESUME:
	case XS_GET_FEATURE:
		add_number(from, out);
		return;
	case XS_DIRECTORY_PART:
		add_path(from, out);
		add_number(from, out);
		return;
	default:
		add_path(from, out);
		return;
	}
}

static void spoil_payload(struct hostile *from, struct bytes *payload)
{
	size_t len;

	switch (hostile_roll(from, 8)) {
	case 0: /* cut, perhaps so that the last NUL is lost */
		payload->len = payload->len ? hostile_roll(from, (unsigned int)payload->len) : 0;
		return;
	case 1: /* no NUL at all */
		for (size_t i = 0; i < payload->len; i++)
			if (!payload->data[i])
				payload->data[i] = '1';
		return;
	case 2: /* many NULs */
		payload->len = 0;
		len = hostile_roll(from, 4097);
		for (size_t i = 0; i < len; i++)
			bytes_add(payload, "", 1);
		return;
	case 3:
		payload->len = 0;
		return;
	case 4: /* as large as possible */
		if (payload->len < WIRE_PAYLOAD_MAX)
			hostile_fill(from, payload, WIRE_PAYLOAD_MAX - payload->len, false);
		return;
	case 5: /* twice */
		len = payload->len;
		for (size_t i = 0; i < len; i++) {
			char c = payload->data[i];

			bytes_add(payload, &c, 1);
		}
		return;
	default:
		for (unsigned int n = 1 + hostile_roll(from, 4); n && payload->len; n--)
			payload->data[hostile_roll(from, (unsigned int)payload->len)] = (char)
				hostile_roll(from, 256);
		return;
	}
}

void hostile_message(struct hostile *from, struct bytes *out)
{
	static const uint32_t often[] = {XS_WRITE,
					 XS_WRITE,
					 XS_MKDIR,
					 XS_RM,
					 XS_SET_PERMS,
					 XS_READ,
					 XS_DIRECTORY,
					 XS_WATCH,
					 XS_TRANSACTION_START,
					 XS_TRANSACTION_START,
					 XS_TRANSACTION_END,
					 XS_DIRECTORY_PART};
	struct wire_header header = {.req_id = ++from->req_id};
	struct bytes payload = {0};

	header.type = hostile_roll(from, 3)
			      ? often[hostile_roll(from, sizeof(often) / sizeof(often[0]))]
			      : hostile_roll(from, XS_TYPE_COUNT + 2);
	if (hostile_roll(from, 100) == 0)
		header.type = hostile_roll(from, 0xffffff);
	if (header.type == XS_TRANSACTION_END || hostile_roll(from, 2))
		header.tx_id = hostile_roll(from, 8) ? 1 + hostile_roll(from, 4)
						     : hostile_roll(from, 0xffffff);
	if (header.type == XS_TRANSACTION_START && hostile_roll(from, 8))
		header.tx_id = 0;
	add_payload(from, header.type, &payload);
	if (hostile_roll(from, 10) == 0)
		spoil_payload(from, &payload);
	if (payload.len > WIRE_PAYLOAD_MAX)
		payload.len = WIRE_PAYLOAD_MAX;
	header.len = (uint32_t)payload.len;
	if (hostile_roll(from, 400) == 0)
		header.len = WIRE_PAYLOAD_MAX + 1 + hostile_roll(from, 0xffffff);
	bytes_add(out, &header, sizeof(header));
	bytes_add(out, payload.data, payload.len);
	bytes_forget(&payload);
}
