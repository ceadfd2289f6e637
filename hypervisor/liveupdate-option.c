/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parsing with a pointer and an end: the command line comes from whoever loaded the
 * hypervisor.
 */
#include "hypervisor/liveupdate-option.h"

#include <string.h>

#include "hypervisor/xen-errno.h"

static const char option_name[] = "liveupdate=";

static int digit_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return 16;
}

/* A decimal number, or one in base 16 behind "0x". Moves *@at behind it; false if there is none. */
static bool parse_number(const char **at, const char *end, uint64_t *number)
{
	uint64_t base = 10;
	const char *start;

	if (end - *at > 2 && (*at)[0] == '0' && ((*at)[1] == 'x' || (*at)[1] == 'X')) {
		base = 16;
		*at += 2;
	}
	start = *at;
	for (*number = 0; *at < end && (uint64_t)digit_value(**at) < base; (*at)++) {
		const uint64_t digit = (uint64_t)digit_value(**at);

		if (*number > (UINT64_MAX - digit) / base)
			return false;
		*number = *number * base + digit;
	}
	return *at > start;
}

/* How far to shift for a unit, or @without when there is none. */
static unsigned int parse_unit(const char **at, const char *end, unsigned int without)
{
	static const char units[] = "bBkKmMgGtT";

	if (*at < end) {
		for (unsigned int i = 0; i < sizeof(units) - 1; i++) {
			if (**at == units[i]) {
				(*at)++;
				return i / 2 * 10;
			}
		}
	}
	return without;
}

static bool parse_bytes(const char **at, const char *end, unsigned int without_unit,
			uint64_t *bytes)
{
	unsigned int shift;

	if (!parse_number(at, end, bytes))
		return false;
	shift = parse_unit(at, end, without_unit);
	if (*bytes > UINT64_MAX >> shift)
		return false;
	*bytes <<= shift;
	return true;
}

static int parse_value(const char *at, const char *end, struct hv_liveupdate_option *option)
{
	*option = (struct hv_liveupdate_option){0};
	if (!parse_bytes(&at, end, 10, &option->size) || !option->size)
		return -XEN_EINVAL;
	if (at < end && *at == '@') {
		at++;
		if (!parse_bytes(&at, end, 0, &option->base) ||
		    option->base > UINT64_MAX - option->size)
			return -XEN_EINVAL;
		option->has_base = true;
	}
	return at == end ? 0 : -XEN_EINVAL;
}

int hv_liveupdate_option_parse(const char *command_line, size_t length,
			       struct hv_liveupdate_option *option)
{
	const size_t name = sizeof(option_name) - 1;
	const char *at = command_line, *end = command_line + length;
	int error = 0;

	*option = (struct hv_liveupdate_option){0};
	while (at < end && !error) {
		const char *word = at;

		while (at < end && *at != ' ')
			at++;
		if ((size_t)(at - word) >= name && !memcmp(word, option_name, name))
			error = parse_value(word + name, at, option);
		if (at < end)
			at++;
	}
	return error;
}

int hv_liveupdate_option_format(uint64_t size, uint64_t base, char *text, size_t room)
{
	static const char digits[] = "0123456789abcdef";
	char reversed[64];
	size_t length = 0, count = 0;

	/* Backwards, then turned round. */
	do
		reversed[count++] = digits[base % 16];
	while (base /= 16);
	memcpy(reversed + count, "x0@K", 4);
	count += 4;
	size = size / 1024 + (size % 1024 != 0);
	do
		reversed[count++] = digits[size % 10];
	while (size /= 10);
	if (sizeof(option_name) + count > room)
		return -XEN_ENOSPC;
	memcpy(text, option_name, sizeof(option_name) - 1);
	length = sizeof(option_name) - 1;
	while (count)
		text[length++] = reversed[--count];
	text[length] = '\0';
	return (int)length;
}
