/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The wire: message header, request types, symbolic error names.
 *
 * A message is a 16-byte header of four words in host byte order and at most
 * 4096 bytes of payload, in both directions (spec: protocol.md section 1).
 * Nothing here knows what a request means.
 */
#ifndef XENSTORED_BYTES_WIRE_H
#define XENSTORED_BYTES_WIRE_H

#include <stddef.h>
#include <stdint.h>

#define WIRE_PAYLOAD_MAX 4096u
#define WIRE_HEADER_SIZE 16u
#define WIRE_MESSAGE_MAX (WIRE_HEADER_SIZE + WIRE_PAYLOAD_MAX)

enum wire_type {
	XS_CONTROL = 0,
	XS_DIRECTORY = 1,
	XS_READ = 2,
	XS_GET_PERMS = 3,
	XS_WATCH = 4,
	XS_UNWATCH = 5,
	XS_TRANSACTION_START = 6,
	XS_TRANSACTION_END = 7,
	XS_INTRODUCE = 8,
	XS_RELEASE = 9,
	XS_GET_DOMAIN_PATH = 10,
	XS_WRITE = 11,
	XS_MKDIR = 12,
	XS_RM = 13,
	XS_SET_PERMS = 14,
	XS_WATCH_EVENT = 15,
	XS_ERROR = 16,
	XS_IS_DOMAIN_INTRODUCED = 17,
	XS_RESUME = 18,
	XS_SET_TARGET = 19,
	XS_RESTRICT = 20, /* removed from the protocol */
	XS_RESET_WATCHES = 21,
	XS_DIRECTORY_PART = 22,
	XS_GET_FEATURE = 23,
	XS_SET_FEATURE = 24,
	XS_GET_QUOTA = 25,
	XS_SET_QUOTA = 26,
	XS_TYPE_COUNT = 27,
	XS_INVALID = 0xffff,
};

/* Feature bits of GET_FEATURE and of the ring page (spec: protocol.md section 8). */
#define XS_FEATURE_RECONNECT 1u
#define XS_FEATURE_ERROR     2u
#define XS_FEATURE_DEPTH     4u
#define XS_FEATURE_ANY	     8u
#define XS_FEATURES_DEFAULT  (XS_FEATURE_ERROR | XS_FEATURE_DEPTH | XS_FEATURE_ANY)

/* Reserved domain ids (Xen's public interface, whose headers may have defined them already). */
#ifndef DOMID_FIRST_RESERVED
#define DOMID_FIRST_RESERVED 0x7ff0u
#define DOMID_SELF	     0x7ff0u
#define DOMID_INVALID	     0x7ff4u
#endif
#define DOMID_ANY 0x7ff5u

struct wire_header {
	uint32_t type;
	uint32_t req_id;
	uint32_t tx_id;
	uint32_t len;
};

/**
 * Name of a message type as the trace prints it, "WATCH_EVENT" for example.
 * Returns NULL for a number that has none.
 */
const char *wire_type_name(uint32_t type);

/**
 * Symbolic name of @error (a positive errno value) for an ERROR reply. Numbers
 * that the protocol has no name for are sent as "EINVAL".
 */
const char *wire_error_name(int error);

#endif
