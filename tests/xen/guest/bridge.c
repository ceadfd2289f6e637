/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The guest as a remote arm. Commands come as lines on the console, numbers are hexadecimal:
 *
 *   > BYTES        append these to the requests and notify
 *   + BYTES        append these without notifying
 *   n              notify
 *   w OFFSET VALUE write a word of the ring page
 *   r OFFSET       read a word of the ring page
 *   h              hold: leave what is in the response ring alone from now on
 *   s REASON       shut down
 *
 * Each is answered by a line: "." when done, "= VALUE" for a word, "?" when not understood, "!"
 * when the bytes find no room within the ring. Bytes from xenstored are passed on as lines "<
 * BYTES".
 */
#include "roles.h"
#include "xen.h"

/* A command with a full ring of bytes. */
#define LINE_MAX (2 * STORE_BYTES + 16)

/* Bytes on one output line. */
#define CHUNK 64u

static char line[LINE_MAX];
static size_t line_length;
static bool hold;

static int digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static void write_hex(char *out, uint32_t value, unsigned int digits)
{
	while (digits--) {
		out[digits] = "0123456789abcdef"[value & 15];
		value >>= 4;
	}
}

static bool parse_word(const char **text, uint32_t *value)
{
	unsigned int digits = 0;

	while (**text == ' ')
		(*text)++;
	for (*value = 0; digit(**text) >= 0; digits++, (*text)++)
		*value = *value << 4 | (uint32_t)digit(**text);
	return digits > 0;
}

static const char *append(const char *text, bool and_notify)
{
	volatile struct store_page *page = xen_store();
	uint32_t prod = page->req_prod;

	while (*text == ' ')
		text++;
	for (; digit(text[0]) >= 0 && digit(text[1]) >= 0; text += 2) {
		if (prod - page->req_cons >= STORE_BYTES)
			return "!\r\n";
		page->req[prod++ % STORE_BYTES] = (uint8_t)(digit(text[0]) << 4 | digit(text[1]));
	}
	if (*text)
		return "?\r\n";
	barrier();
	page->req_prod = prod;
	if (and_notify)
		xen_store_notify();
	return ".\r\n";
}

static volatile uint32_t *word_at(uint32_t offset)
{
	volatile uint8_t *page = (volatile uint8_t *)xen_store();

	return (volatile uint32_t *)(page + (offset & 0xffcu));
}

static const char *obey(void)
{
	static char answer[] = "= 00000000\r\n";
	const char *text = line + 1;
	uint32_t offset, value;

	switch (line[0]) {
	case '>':
		return append(text, true);
	case '+':
		return append(text, false);
	case 'n':
		xen_store_notify();
		return ".\r\n";
	case 'w':
		if (!parse_word(&text, &offset) || !parse_word(&text, &value))
			return "?\r\n";
		*word_at(offset) = value;
		barrier();
		return ".\r\n";
	case 'r':
		if (!parse_word(&text, &offset))
			return "?\r\n";
		write_hex(answer + 2, *word_at(offset), 8);
		return answer;
	case 'h':
		hold = true;
		return ".\r\n";
	case 's':
		if (!parse_word(&text, &value))
			return "?\r\n";
		xen_shutdown((enum shutdown_reason)value);
	}
	return "?\r\n";
}

static bool take_commands(void)
{
	bool any = false;
	int c;

	while ((c = console_getc()) >= 0) {
		any = true;
		if (c == '\r')
			continue;
		if (c != '\n' && line_length < LINE_MAX - 1) {
			line[line_length++] = (char)c;
			continue;
		}
		line[line_length] = 0;
		line_length = 0;
		if (line[0])
			console_write(obey());
	}
	return any;
}

static bool pass_on_responses(void)
{
	volatile struct store_page *page = xen_store();
	uint32_t cons = page->rsp_cons;
	uint32_t there = page->rsp_prod - cons;
	char text[2 + 2 * CHUNK + 3] = "< ";
	char *out = text + 2;

	if (hold || !there || there > STORE_BYTES)
		return false;
	barrier();
	for (uint32_t i = 0; i < CHUNK && i < there; i++, out += 2)
		write_hex(out, page->rsp[cons++ % STORE_BYTES], 2);
	*out++ = '\r';
	*out++ = '\n';
	*out = 0;
	barrier();
	page->rsp_cons = cons;
	xen_store_notify();
	console_write(text);
	return true;
}

_Noreturn void bridge_role(void)
{
	console_write("bridge\r\n");
	for (;;) {
		bool busy;

		xen_events_clear();
		busy = take_commands();
		busy |= pass_on_responses();
		if (!busy)
			xen_events_wait();
	}
}
