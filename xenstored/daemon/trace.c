/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The trace log.
 *
 * A line is composed in a buffer whose first byte is a newline that is normally left out. Only
 * when the line before could not be written whole (disk full, signal) it goes along, so that the
 * remains of that one do not run into this one.
 *
 * Payloads come from guests. Escaping what could move a terminal's cursor or begin a line of its
 * own keeps "one message, one line" true and makes forged lines impossible.
 */
#include "daemon/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bytes/wire.h"
#include "daemon/paths.h"

/* What a line can need besides the payload. */
#define LINE_EXTRA 256

/* Each payload byte takes up to four ("\xHH"). */
#define LINE_MAX_BYTES (4 * WIRE_PAYLOAD_MAX + LINE_EXTRA)

#define DEFAULT_SWITCHES (TRACE_ANY | 1U << TRACE_OBJ | 1U << TRACE_IO)

static const char *const class_names[TRACE_CLASSES] = {
	[TRACE_OBJ] = "obj", [TRACE_IO] = "io",	  [TRACE_WRL] = "wrl",
	[TRACE_ACC] = "acc", [TRACE_TDB] = "tdb",
};

static const char *const direction_names[] = {
	[TRACE_IN] = "IN",
	[TRACE_OUT] = "OUT",
	[TRACE_OUT_START] = "OUT(START)",
	[TRACE_OUT_END] = "OUT(END)",
	[TRACE_OUT_ERR] = "OUT(ERR)",
};

/* A line in the making. Room for the closing newline is always left. */
struct line {
	size_t length;
	char bytes[1 + LINE_MAX_BYTES + 1];
};

static void line_begin(struct line *line)
{
	line->bytes[0] = '\n';
	line->length = 1;
}

__attribute__((format(printf, 2, 0))) static void line_vprintf(struct line *line,
							       const char *format, va_list args)
{
	size_t room = 1 + LINE_MAX_BYTES - line->length;
	int length = vsnprintf(line->bytes + line->length, room, format, args);

	if (length <= 0)
		return;
	for (char *c = line->bytes + line->length; *c; c++) {
		/* Texts quote paths and tokens of guests. */
		if ((unsigned char)*c < ' ' || *c == 0x7f)
			*c = ' ';
	}
	line->length += (size_t)length < room ? (size_t)length : room - 1;
}

__attribute__((format(printf, 2, 3))) static void line_printf(struct line *line, const char *format,
							      ...)
{
	va_list args;

	va_start(args, format);
	line_vprintf(line, format, args);
	va_end(args);
}

static void line_payload(struct line *line, const unsigned char *payload, size_t length)
{
	static const char digits[] = "0123456789abcdef";
	char *to = line->bytes + line->length;

	for (size_t i = 0; i < length; i++) {
		unsigned char byte = payload[i];

		if (byte == '\0') {
			*to++ = ' ';
		} else if (byte >= ' ' && byte != 0x7f) {
			*to++ = (char)byte;
		} else if (byte == '\n') {
			*to++ = '\\';
			*to++ = 'n';
		} else {
			*to++ = '\\';
			*to++ = 'x';
			*to++ = digits[byte >> 4];
			*to++ = digits[byte & 0xf];
		}
	}
	line->length = (size_t)(to - line->bytes);
}

static void line_write(struct line *line, struct trace *trace)
{
	const char *from = line->bytes + (trace->torn ? 0 : 1);
	size_t length;
	ssize_t written;

	line->bytes[line->length++] = '\n';
	length = line->length - (trace->torn ? 0 : 1);

	do {
		written = write(trace->fd, from, length);
	} while (written < 0 && errno == EINTR);
	if (written == (ssize_t)length) {
		trace->torn = false;
		return;
	}
	trace->lost++;
	if (written > 0)
		trace->torn = true;
}

static void update_active(struct trace *trace)
{
	trace->active = trace->fd >= 0 ? trace->switches : 0;
}

int trace_init(struct trace *trace, const char *libdir)
{
	*trace = (struct trace){.fd = -1, .switches = DEFAULT_SWITCHES};
	trace->libdir = strdup(libdir);
	return trace->libdir ? 0 : -ENOMEM;
}

void trace_deinit(struct trace *trace)
{
	trace_close(trace);
	free(trace->libdir);
	free(trace->name);
	trace->libdir = NULL;
	trace->name = NULL;
}

void trace_close(struct trace *trace)
{
	if (trace->fd >= 0)
		close(trace->fd);
	trace->fd = -1;
	trace->torn = false;
	update_active(trace);
}

static int set_name(struct trace *trace, const char *name)
{
	char path[PATH_MAX];
	char *copy;
	int ret = paths_below_libdir(path, sizeof(path), trace->libdir, name);

	if (ret < 0)
		return ret;
	copy = strdup(path);
	if (!copy)
		return -ENOMEM;
	free(trace->name);
	trace->name = copy;
	return 0;
}

int trace_reopen(struct trace *trace)
{
	static const char mark[] = "\n***\n";

	trace_close(trace);
	if (!trace->name)
		return 0;
	/* Non-blocking matters for a pipe only: one that nobody reads must not stop the daemon. */
	trace->fd = open(trace->name,
			 O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0600);
	if (trace->fd < 0)
		return -errno;
	if (write(trace->fd, mark, sizeof(mark) - 1) != (ssize_t)sizeof(mark) - 1)
		trace->lost++;
	update_active(trace);
	return 0;
}

int trace_open(struct trace *trace, const char *name)
{
	int ret;

	trace_close(trace);
	ret = set_name(trace, name);
	return ret ? ret : trace_reopen(trace);
}

/* The bit of the class that @argument ("+obj") names, 0 if there is none. */
static unsigned int argument_bit(const char *argument)
{
	if (*argument != '+' && *argument != '-')
		return 0;
	for (unsigned int i = 0; i < TRACE_CLASSES; i++) {
		if (strcmp(argument + 1, class_names[i]) == 0)
			return 1U << i;
	}
	return 0;
}

int trace_switch(struct trace *trace, const char *argument)
{
	unsigned int bit = argument_bit(argument);

	if (!bit)
		return -EINVAL;
	if (*argument == '+')
		trace->switches |= bit;
	else
		trace->switches &= ~bit;
	update_active(trace);
	return 0;
}

bool trace_switch_known(void *context, const char *argument)
{
	(void)context;
	return argument_bit(argument) != 0;
}

const char *trace_class_name(enum trace_class trace_class)
{
	return class_names[trace_class];
}

bool trace_class_is_on(const struct trace *trace, enum trace_class trace_class)
{
	return trace->switches & (1U << trace_class);
}

/* Local time as text; converting it once a second keeps it out of the cost of a message. */
static const char *stamp(struct trace *trace)
{
	time_t now = time(NULL);
	struct tm tm;

	if (now != trace->stamp_second || !trace->stamp[0]) {
		if (!localtime_r(&now, &tm) ||
		    strftime(trace->stamp, sizeof(trace->stamp), "%Y%m%d %H:%M:%S", &tm) == 0)
			snprintf(trace->stamp, sizeof(trace->stamp), "00000000 00:00:00");
		trace->stamp_second = now;
	}
	return trace->stamp;
}

void trace_write_io(struct trace *trace, enum trace_direction direction, uint64_t connection,
		    unsigned int domid, uint32_t type, const void *payload, size_t length)
{
	const char *name = wire_type_name(type);
	struct line line;

	line_begin(&line);
	line_printf(&line, "io: %s 0x%" PRIx64 " (d%u) %s %s (", direction_names[direction],
		    connection, domid, stamp(trace), name ? name : "**UNKNOWN**");
	line_payload(&line, payload, length < WIRE_PAYLOAD_MAX ? length : WIRE_PAYLOAD_MAX);
	line_printf(&line, ")");
	line_write(&line, trace);
}

void trace_write_object(struct trace *trace, const char *verb, const char *type, uint64_t id)
{
	struct line line;

	line_begin(&line);
	line_printf(&line, "obj: %s %s 0x%" PRIx64, verb, type, id);
	line_write(&line, trace);
}

void trace_class(struct trace *trace, enum trace_class trace_class, const char *format, ...)
{
	struct line line;
	va_list args;

	if (!trace_enabled(trace, trace_class))
		return;
	line_begin(&line);
	line_printf(&line, "%s: ", class_names[trace_class]);
	va_start(args, format);
	line_vprintf(&line, format, args);
	va_end(args);
	line_write(&line, trace);
}

void trace_line(struct trace *trace, const char *format, ...)
{
	struct line line;
	va_list args;

	if (!(trace->active & TRACE_ANY))
		return;
	line_begin(&line);
	va_start(args, format);
	line_vprintf(&line, format, args);
	va_end(args);
	line_write(&line, trace);
}

void trace_text(void *trace, const char *text)
{
	trace_line(trace, "%s", text);
}
