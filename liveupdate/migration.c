/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The session, and the words of the command. */
#include "liveupdate/migration.h"

#include <errno.h>
#include <string.h>

#include "liveupdate/fragment.h"

static void end(struct migration *migration)
{
	stream_buffer_deinit(&migration->fragment);
	memset(migration, 0, sizeof(*migration));
}

void migration_client_gone(struct migration *migration, const struct client *client)
{
	if (migration->owner == client)
		end(migration);
}

int migration_save(const struct migration *migration, struct stream_writer *writer)
{
	struct stream_migration out = {
		.expected = (uint32_t)migration->expected,
		.fragment = {migration->fragment.data, (uint32_t)migration->fragment.len},
	};

	if (!migration->owner || !migration->owner->image_id)
		return 0;
	out.conn_id = migration->owner->image_id;
	return stream_put_own(writer, STREAM_MIGRATION, &out);
}

int migration_restore(struct migration *migration, const struct client *client,
		      const struct stream_migration *in)
{
	int error = 0;

	end(migration);
	if (in->expected > FRAGMENT_MAX || in->fragment.count > FRAGMENT_MAX ||
	    (in->expected && in->fragment.count > in->expected))
		return 0;
	if (in->fragment.count)
		error = stream_buffer_put(&migration->fragment, in->fragment.data,
					  in->fragment.count);
	if (error) {
		end(migration);
		return error;
	}
	migration->owner = client;
	migration->expected = in->expected;
	return 0;
}

/* A number in an argument. Returns 0 or EINVAL. */
static int number(const struct arg *arg, size_t *value)
{
	*value = 0;
	if (!arg->len || arg->len > 9)
		return EINVAL;
	for (size_t i = 0; i < arg->len; i++) {
		if (arg->text[i] < '0' || arg->text[i] > '9')
			return EINVAL;
		*value = *value * 10 + (size_t)(arg->text[i] - '0');
	}
	return 0;
}

/* Bytes go into the buffer until they are more than a fragment can have. */
static int put(void *data, const void *bytes, size_t len)
{
	struct stream_buffer *buffer = data;

	if (len > FRAGMENT_MAX - buffer->len)
		return EFBIG;
	return stream_buffer_put(buffer, bytes, len);
}

/* Whether a session of @request's sender may begin; says why not. */
static bool begin(struct migration *migration, struct request *request, struct control_text *out)
{
	if (migration->owner && migration->owner != request->client) {
		control_print(out, "migrate session already active.");
		return false;
	}
	end(migration);
	migration->owner = request->client;
	return true;
}

static int cut_out(struct migration *migration, struct request *request, const struct arg *arg,
		   struct control_text *out)
{
	struct stream_writer writer;
	unsigned int domid;
	int error;

	if (args_domid(arg, &domid))
		return EINVAL;
	if (!begin(migration, request, out))
		return 0;
	error = stream_writer_init(&writer, stream_dialect_find("own"), 0, put,
				   &migration->fragment);
	if (!error)
		error = fragment_save(request->core, domid, &writer);
	if (!error) {
		control_print(out, "%zu", migration->fragment.len);
		return 0;
	}
	end(migration);
	if (error == ENOENT)
		control_print(out, "There is no domain %u.", domid);
	else if (error == EFBIG)
		control_print(out, "Domain %u has too much.", domid);
	else
		return error;
	return 0;
}

static int read_piece(const struct migration *migration, const struct arg *arg,
		      struct control_text *out)
{
	size_t offset, len;

	if (number(arg, &offset) || offset >= migration->fragment.len || migration->expected)
		return EINVAL;
	len = migration->fragment.len - offset;
	if (len > MIGRATION_PIECE)
		len = MIGRATION_PIECE;
	memcpy(out->text, migration->fragment.data + offset, len);
	out->len = len;
	return 0;
}

static int announce(struct migration *migration, struct request *request, const struct arg *arg,
		    struct control_text *out)
{
	size_t size;

	if (number(arg, &size) || !size)
		return EINVAL;
	if (!begin(migration, request, out))
		return 0;
	if (size > FRAGMENT_MAX) {
		end(migration);
		control_print(out, "A fragment has at most %u bytes.", FRAGMENT_MAX);
		return 0;
	}
	migration->expected = size;
	return 0;
}

/* The piece is whatever stands behind the size, and is as long as that says. */
static int take_piece(struct migration *migration, const struct request *request,
		      const struct arg *args)
{
	const char *bytes = args[1].text, *payload_end = request->payload + request->len;
	size_t size;

	if (number(&args[0], &size) || !migration->expected ||
	    size + 1 != (size_t)(payload_end - bytes) ||
	    size > migration->expected - migration->fragment.len)
		return EINVAL;
	return stream_buffer_put(&migration->fragment, bytes, size);
}

static int put_in(struct migration *migration, struct request *request, const struct arg *args,
		  size_t count, struct control_text *out)
{
	struct fragment_report report;
	unsigned int domid;
	int port = count == 2 ? args_int(&args[1]) : 0, error;

	if (args_domid(&args[0], &domid) || port < (count == 2))
		return EINVAL;
	if (!migration->expected || migration->fragment.len != migration->expected) {
		control_print(out, "The fragment is not complete.");
		return 0;
	}
	error = fragment_insert(request, domid, (unsigned int)port, migration->fragment.data,
				migration->fragment.len, &report);
	if (error == REQUEST_LATER)
		return error;
	end(migration);
	if (error)
		return error;
	if (report.why[0])
		control_print(out, "%s", report.why);
	core_log(request->core, LOG_INFO, "migrate: domain %u: %s%u nodes, %u watches", domid,
		 report.why[0] ? "refused: " : "inserted: ", report.nodes, report.watches);
	return 0;
}

int migration_control(struct migration *migration, struct request *request, const struct arg *args,
		      size_t count, struct control_text *out)
{
	if (!count || request->tx)
		return EINVAL;
	if (count == 2 && arg_is(&args[0], "-x"))
		return cut_out(migration, request, &args[1], out);
	if (count == 2 && arg_is(&args[0], "-b"))
		return announce(migration, request, &args[1], out);
	if (count == 1 && arg_is(&args[0], "-a")) {
		end(migration);
		return 0;
	}
	if (!(count == 2 && arg_is(&args[0], "-r")) && !(count >= 3 && arg_is(&args[0], "-d")) &&
	    !((count == 2 || count == 3) && arg_is(&args[0], "-i")))
		return EINVAL;
	if (migration->owner != request->client && arg_is(&args[0], "-r"))
		return ENOENT;
	if (migration->owner != request->client) {
		control_print(out, "Not in migrate session.");
		return 0;
	}
	if (arg_is(&args[0], "-r"))
		return read_piece(migration, &args[1], out);
	if (arg_is(&args[0], "-d"))
		return take_piece(migration, request, &args[1]);
	return put_in(migration, request, args + 1, count - 1, out);
}
