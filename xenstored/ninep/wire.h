/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Messages of 9P2000.u as bytes: little endian, packed, a header of size, type and tag.
 *
 * Both ends of a connection use this. A reader never goes beyond its bytes and remembers that it
 * wanted to, a writer likewise; so a message is taken apart in one go and checked once at the end.
 *
 * Spec: stubdom.md section 5.
 */
#ifndef XENSTORED_NINEP_WIRE_H
#define XENSTORED_NINEP_WIRE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define P9_VERSION "9P2000.u"

/* Types of requests; the answer's is one more. */
enum p9_type {
	P9_TVERSION = 100,
	P9_TAUTH = 102,
	P9_TATTACH = 104,
	P9_RERROR = 107,
	P9_TFLUSH = 108,
	P9_TWALK = 110,
	P9_TOPEN = 112,
	P9_TCREATE = 114,
	P9_TREAD = 116,
	P9_TWRITE = 118,
	P9_TCLUNK = 120,
	P9_TREMOVE = 122,
	P9_TSTAT = 124,
	P9_TWSTAT = 126,
};

#define P9_HEADER	7U  /* size, type, tag */
#define P9_QID		13U /* type, version, path */
#define P9_READ_HEADER	11U /* of an answer with data */
#define P9_WRITE_HEADER 23U /* of a request with data */
#define P9_MSIZE_MIN	2048U
#define P9_WALK_MAX	16U
#define P9_NOTAG	0xffffU
#define P9_NOFID	0xffffffffU

/* Modes of open and create. */
#define P9_OREAD   0U
#define P9_OWRITE  1U
#define P9_ORDWR   2U
#define P9_OTRUNC  0x10U
#define P9_ORCLOSE 0x40U

#define P9_QTDIR 0x80U
#define P9_DMDIR 0x80000000U

struct p9_reader {
	const unsigned char *at;
	size_t left;
	bool failed; /* more was wanted than there is; what was read since is 0 */
};

struct p9_writer {
	unsigned char *start;
	size_t length;
	size_t room;
	bool failed; /* more was put than there is room for */
};

struct p9_header {
	uint32_t size; /* of the whole message */
	uint8_t type;
	uint16_t tag;
};

/** Read @length bytes at @bytes, which stay the caller's. */
struct p9_reader p9_reader(const void *bytes, size_t length);

/** The header at the beginning of a message of which at least P9_HEADER bytes are there. */
struct p9_header p9_header(const void *bytes);

uint8_t p9_get_u8(struct p9_reader *reader);
uint16_t p9_get_u16(struct p9_reader *reader);
uint32_t p9_get_u32(struct p9_reader *reader);
uint64_t p9_get_u64(struct p9_reader *reader);

/** @length bytes where they are; NULL when there are not as many. */
const void *p9_get_bytes(struct p9_reader *reader, size_t length);

/** A string where it is, not terminated: its bytes and their number. "" when it does not fit. */
const char *p9_get_string(struct p9_reader *reader, size_t *length);

/** Begin a message of at most @room bytes (at least P9_HEADER) at @bytes. */
struct p9_writer p9_begin(void *bytes, size_t room, uint8_t type, uint16_t tag);

void p9_put_u8(struct p9_writer *writer, uint8_t value);
void p9_put_u16(struct p9_writer *writer, uint16_t value);
void p9_put_u32(struct p9_writer *writer, uint32_t value);
void p9_put_u64(struct p9_writer *writer, uint64_t value);
void p9_put_bytes(struct p9_writer *writer, const void *bytes, size_t length);

/** A string of at most 65535 bytes. */
void p9_put_string(struct p9_writer *writer, const char *text, size_t length);
void p9_put_text(struct p9_writer *writer, const char *text);

/** Where the next bytes go, to be filled by others and then counted with p9_skip(). */
void *p9_space(struct p9_writer *writer, size_t *room);
void p9_skip(struct p9_writer *writer, size_t length);

/** Put the size into the header. Returns it, or 0 when the message did not fit. */
size_t p9_end(struct p9_writer *writer);

#endif
