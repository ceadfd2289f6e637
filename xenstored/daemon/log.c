/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon says to the administrator: one formatted text, two places.
 *
 * A line is written to stderr with one write(), so that the lines of several processes that share
 * a terminal or a journal stream (daemon, its guard) do not mix.
 */
#include "daemon/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static struct {
	bool open;
	bool foreground;
	bool journal; /* stderr ends in the journal, which has what syslog has */
	bool redirected;
	void (*line)(void *context, const char *text);
	void *context;
} logger;

/* The service manager says which file is its journal; stderr may have been redirected since. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char ours[64];
	struct stat stat;

	if (!stream || fstat(STDERR_FILENO, &stat) < 0)
		return false;
	snprintf(ours, sizeof(ours), "%llu:%llu", (unsigned long long)stat.st_dev,
		 (unsigned long long)stat.st_ino);
	return strcmp(stream, ours) == 0;
}

void log_open(const char *ident, bool foreground)
{
	openlog(ident, LOG_PID, LOG_DAEMON);
	logger.open = true;
	logger.foreground = foreground;
	logger.journal = stderr_is_journal();
}

void log_redirect(void (*line)(void *context, const char *text), void *context)
{
	if (logger.foreground)
		return;
	logger.redirected = true;
	logger.line = line;
	logger.context = context;
}

static void to_stderr(const char *text)
{
	char line[LOG_TEXT_MAX + 1];
	size_t length = strnlen(text, LOG_TEXT_MAX);
	ssize_t written;

	memcpy(line, text, length);
	line[length] = '\n';
	do {
		written = write(STDERR_FILENO, line, length + 1);
	} while (written < 0 && errno == EINTR);
	/* Nowhere to complain about a stderr that takes no more; syslog has the text. */
}

static void to_the_watching(const char *text)
{
	if (!logger.redirected)
		to_stderr(text);
	else if (logger.line)
		logger.line(logger.context, text);
}

static void chomp(char *text)
{
	size_t length = strlen(text);

	while (length > 0 && text[length - 1] == '\n')
		text[--length] = '\0';
}

static void format_text(char *text, size_t size, const char *format, va_list args)
{
	/* A text that cannot be formatted is still worth its template. */
	if (vsnprintf(text, size, format, args) < 0)
		snprintf(text, size, "%s", format);
	chomp(text);
}

void log_message(int priority, const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	int err = errno;
	va_list args;

	va_start(args, format);
	format_text(text, sizeof(text), format, args);
	va_end(args);
	if (logger.open)
		syslog(priority, "%s", text);
	if (!logger.journal || logger.redirected)
		to_the_watching(text);
	errno = err;
}

void log_print(const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	format_text(text, sizeof(text), format, args);
	va_end(args);
	to_the_watching(text);
}

__attribute__((noreturn)) static void die(const char *text)
{
	char line[LOG_TEXT_MAX + sizeof("FATAL: ")];

	if (logger.open)
		syslog(LOG_CRIT, "%s", text);
	snprintf(line, sizeof(line), "FATAL: %s", text);
	to_the_watching(line);
	exit(1);
}

void fatal(const char *format, ...)
{
	char text[LOG_TEXT_MAX];
	va_list args;

	va_start(args, format);
	format_text(text, sizeof(text), format, args);
	va_end(args);
	die(text);
}

void fatal_errno(int err, const char *format, ...)
{
	char text[LOG_TEXT_MAX], message[LOG_TEXT_MAX / 2];
	va_list args;

	va_start(args, format);
	format_text(message, sizeof(message), format, args);
	va_end(args);
	snprintf(text, sizeof(text), "%s: %s", message, strerror(abs(err)));
	die(text);
}
