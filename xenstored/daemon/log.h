/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the daemon says to the administrator.
 *
 * Every message goes to syslog. It also goes to where the administrator may be looking: stderr in
 * the foreground and during the start, the trace log once the daemon is in the background
 * (log_redirect()). Like syslog itself the log belongs to the process, so this module is the one
 * place of the daemon with state of its own; the core reports through its interfaces instead of
 * calling this.
 */
#ifndef XENSTORED_DAEMON_LOG_H
#define XENSTORED_DAEMON_LOG_H

#include <stdbool.h>
#include <syslog.h> /* LOG_ERR and its like, for the callers */

/* Longer messages are cut off. */
#define LOG_TEXT_MAX 4096

/**
 * Opens syslog with facility DAEMON under @ident (which must stay valid). @foreground: messages
 * are copied to stderr for good. Otherwise they are copied there until log_redirect(). Before
 * log_open() messages go to stderr only. A stderr that is the service manager's journal
 * (JOURNAL_STREAM) gets no copy: it would stand there twice.
 */
void log_open(const char *ident, bool foreground);

/**
 * From now on calls @line(@context, text) for each message instead of writing it to stderr;
 * text is one line without its newline. NULL: syslog alone. In the foreground this changes
 * nothing. @line must not log.
 */
void log_redirect(void (*line)(void *context, const char *text), void *context);

/** Logs one message of @priority (LOG_CRIT .. LOG_DEBUG). A trailing newline is not needed. */
__attribute__((format(printf, 2, 3))) void log_message(int priority, const char *format, ...);

/**
 * Writes one line of the daemon's own output, e.g. for CONTROL "print", to stderr or wherever
 * log_redirect() points, but not to syslog.
 */
__attribute__((format(printf, 1, 2))) void log_print(const char *format, ...);

/**
 * For trouble that the daemon cannot start or go on with: prints "FATAL: <text>", logs <text> with
 * LOG_CRIT and exits with status 1.
 */
__attribute__((noreturn, format(printf, 1, 2))) void fatal(const char *format, ...);

/** The same; the text is followed by ": " and the description of @err (an errno, either sign). */
__attribute__((noreturn, format(printf, 2, 3))) void fatal_errno(int err, const char *format, ...);

#endif
