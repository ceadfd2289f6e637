/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Sessions, and the replacement of the program. */
#include "daemon/update.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <signal.h>
#include <unistd.h>

#include "daemon/log.h"
#include "daemon/paths.h"
#include "liveupdate/abilities.h"
#include "liveupdate/dry-run.h"

/* How long a new program may take to try an image. */
#define CHECK_MS 60000u

/* How soon a guard that ends is looked at again. */
#define REAP_MS 20

static struct client *adopt_socket(void *data, int fd)
{
	struct update *update = data;

	return sockets_adopt(update->sockets, fd);
}

static int adopt_ring(void *data, unsigned int domid, uint32_t port, struct transport **transport)
{
	struct update *update = data;

	if (!update->host->has_rings)
		return -ENODEV;
	return xen_rings_adopt(&update->host->rings, domid, port, transport);
}

static void get_log(void *data, struct stream_log *log)
{
	const struct update *update = data;
	const char *name = update->trace->name ? update->trace->name : "";

	log->flags = update->trace->fd >= 0 ? STREAM_LOG_ON : 0;
	log->switches = update->trace->switches;
	log->file = (struct stream_text){name, (uint32_t)strlen(name)};
}

static void set_log(void *data, const struct stream_log *log)
{
	struct update *update = data;
	struct trace *trace = update->trace;
	bool same = trace->name && !strcmp(trace->name, log->file.data);

	/* A command line that names another file means it. */
	if (trace->name && !same)
		return;
	for (enum trace_class i = 0; i < TRACE_CLASSES; i++) {
		char text[16];

		snprintf(text, sizeof(text), "%c%s", log->switches & (1u << i) ? '+' : '-',
			 trace_class_name(i));
		trace_switch(trace, text);
	}
	if (!(log->flags & STREAM_LOG_ON))
		trace_close(trace);
	else if ((!same || trace->fd < 0) && trace_open(trace, log->file.data))
		log_message(LOG_WARNING, "Could not open trace file %s: %s", log->file.data,
			    strerror(errno));
}

void update_init(struct update *update, struct core *core, struct host *host,
		 struct listener *listener, struct sockets *sockets, struct signals *signals,
		 struct trace *trace, char **argv, const char *rundir)
{
	memset(update, 0, sizeof(*update));
	update->core = core;
	update->host = host;
	update->listener = listener;
	update->sockets = sockets;
	update->signals = signals;
	update->trace = trace;
	update->argv = argv;
	update->rundir = rundir;
	update->process.data = update;
	update->process.adopt_socket = adopt_socket;
	update->process.adopt_ring = adopt_ring;
	update->process.get_log = get_log;
	update->process.set_log = set_log;
}

static void end_session(struct update *update)
{
	if (update->checker > 0) {
		kill(update->checker, SIGKILL);
		waitpid(update->checker, NULL, 0);
	}
	update->checker = 0;
	update->checked = false;
	free(update->cmdline);
	update->cmdline = NULL;
	update->owner = NULL;
	update->started = false;
}

/* Answer the request that waits, and end the session. */
static void answer(struct update *update, const char *text)
{
	struct client *client = update->requester.client;
	size_t len = strlen(text) + 1;
	struct message *message;

	log_message(LOG_INFO, "live-update: %s", text);
	if (client) {
		message = message_new(XS_CONTROL, update->requester.req_id, update->requester.tx_id,
				      len);
		if (message) {
			message_set(message, text, len);
			client_queue(update->core, client, message);
		}
	}
	memset(&update->requester, 0, sizeof(update->requester));
	end_session(update);
}

static void client_gone(void *data, const struct client *client)
{
	struct update *update = data;

	if (update->requester.client == client)
		memset(&update->requester, 0, sizeof(update->requester));
	if (update->owner == client)
		end_session(update);
}

static int control_file(struct update *update, struct request *request, const struct arg *file,
			struct control_text *out)
{
	struct stat stat_now;

	if (update->owner) {
		control_print(out, "live-update session already active.");
		return 0;
	}
	if (file->len >= sizeof(update->file) || stat(file->text, &stat_now)) {
		control_print(out, "File not accessible.");
		return 0;
	}
	if (!(stat_now.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH))) {
		control_print(out, "File not executable.");
		return 0;
	}
	memcpy(update->file, file->text, file->len + 1);
	update->owner = request->client;
	update->started = false;
	log_message(LOG_INFO, "live-update: binary %s", update->file);
	return 0;
}

static int control_start(struct update *update, struct request *request, const struct arg *args,
			 size_t count, struct control_text *out)
{
	update->force = false;
	update->timeout = 0;
	update->version = 2;
	for (size_t i = 0; i < count; i++) {
		if (arg_is(&args[i], "-F"))
			update->force = true;
		else if (arg_is(&args[i], "-t") && i + 1 < count)
			update->timeout = (unsigned int)args_int(&args[++i]);
		else if (arg_is(&args[i], "-v") && i + 1 < count)
			update->version = (unsigned int)args_int(&args[++i]);
		else
			return EINVAL;
	}
	if (update->owner != request->client) {
		control_print(out, "Not in live-update session.");
		return 0;
	}
	if (update->version < 1 || update->version > 2) {
		/* A refused start ends the session, so that the next one can begin. */
		control_print(out, "Migration stream version not supported.");
		end_session(update);
		return 0;
	}
	log_message(LOG_INFO, "live-update: start, force=%d, to=%u", update->force,
		    update->timeout);
	update->started = true;
	update->since = request->core->now;
	update->requester.client = request->client;
	update->requester.req_id = request->header.req_id;
	update->requester.tx_id = request->header.tx_id;
	return REQUEST_SILENT;
}

static int control_update(void *data, struct request *request, const struct arg *args, size_t count,
			  struct control_text *out)
{
	struct update *update = data;

	if (count == 2 && arg_is(&args[0], "-f"))
		return control_file(update, request, &args[1], out);
	if (count == 2 && arg_is(&args[0], "-c")) {
		if (update->owner != request->client) {
			control_print(out, "Not in live-update session.");
			return 0;
		}
		free(update->cmdline);
		update->cmdline = strdup(args[1].text);
		if (!update->cmdline)
			return ENOMEM;
		log_message(LOG_INFO, "live-update: cmdline %s", update->cmdline);
		return 0;
	}
	if (count == 1 && arg_is(&args[0], "-a")) {
		if (!update->owner) {
			control_print(out, "No live-update session active.");
			return 0;
		}
		log_message(LOG_INFO, "live-update: abort");
		if (update->started)
			answer(update, "Cancellation was requested");
		else
			end_session(update);
		return 0;
	}
	if (count >= 1 && arg_is(&args[0], "-s"))
		return control_start(update, request, args + 1, count - 1, out);
	return EINVAL;
}

const struct administration_update update_administration = {
	.control = control_update,
	.client_gone = client_gone,
};

/* The arguments of the new program: as told, or as ours; -U is among them. */
static char **new_arguments(const struct update *update, char *words)
{
	size_t count = 0, room = 4;
	char **argv, *save = NULL;
	bool has_update = false;

	while (update->argv[count])
		count++;
	room += count + (words ? strlen(words) / 2 + 1 : 0);
	argv = calloc(room, sizeof(*argv));
	if (!argv)
		return NULL;
	argv[0] = (char *)(uintptr_t)update->file;
	count = 1;
	if (words) {
		for (char *word = strtok_r(words, " \t", &save); word;
		     word = strtok_r(NULL, " \t", &save))
			argv[count++] = word;
	} else {
		for (size_t i = 1; update->argv[i]; i++)
			argv[count++] = update->argv[i];
	}
	for (size_t i = 1; i < count; i++)
		has_update |= !strcmp(argv[i], "-U") || !strcmp(argv[i], "--live-update");
	if (!has_update)
		argv[count++] = (char *)(uintptr_t) "-U";
	return argv;
}

/* Let exactly those descriptors cross the exec that the image names, or none of them again. */
static void let_cross(struct update *update, bool cross)
{
	int flags = cross ? 0 : FD_CLOEXEC;
	struct client *client;

	if (cross)
		signals_prepare_exec(update->signals);
	else
		signals_resume(update->signals);

	fcntl(update->listener->fd, F_SETFD, flags);
	if (update->host->has_rings)
		fcntl(update->host->device.source.fd, F_SETFD, flags);
	TAILQ_FOREACH(client, &update->core->clients, link) {
		struct transport_place place = {.fd = -1};

		client->transport->ops->describe(client->transport, &place);
		if (place.fd >= 0)
			fcntl(place.fd, F_SETFD, client->image_id ? flags : FD_CLOEXEC);
	}
}

static int write_all(int fd, const void *data, size_t len)
{
	const char *at = data;

	while (len) {
		ssize_t done = write(fd, at, len);

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return errno;
		at += done;
		len -= (size_t)done;
	}
	return 0;
}

/* A file that an image goes to, by way of a buffer. */
struct sink {
	int fd;
	size_t len;
	char data[1 << 18];
};

static int sink_flush(struct sink *sink)
{
	int error = write_all(sink->fd, sink->data, sink->len);

	sink->len = 0;
	return error;
}

static int sink_put(void *data, const void *bytes, size_t len)
{
	struct sink *sink = data;
	int error = 0;

	if (len > sizeof(sink->data) - sink->len)
		error = sink_flush(sink);
	if (!error && len > sizeof(sink->data))
		return write_all(sink->fd, bytes, len);
	if (!error) {
		memcpy(sink->data + sink->len, bytes, len);
		sink->len += len;
	}
	return error;
}

/* Write the image to @fd. Returns 0 or an errno value. */
static int write_image(struct update *update, const char *dialect, uint32_t version, int fd)
{
	struct sink *sink = malloc(sizeof(*sink));
	struct stream_writer writer;
	int error;

	if (!sink)
		return ENOMEM;
	sink->fd = fd;
	sink->len = 0;
	update->process.listen_fd = update->listener->fd;
	update->process.evtchn_fd = update->host->has_rings ? update->host->device.source.fd : -1;
	error = stream_writer_init(&writer, stream_dialect_find(dialect), version, sink_put, sink);
	if (!error)
		error = image_save(update->core, &update->process, &update->requester, &writer);
	if (!error)
		error = sink_flush(sink);
	free(sink);
	return error;
}

/*
 * Have the new program try an image while everybody is served. Returns true when it has, or when
 * @why says why not; to be called again otherwise.
 */
static bool check_done(struct update *update, const char **why)
{
	int image_fd, status = 0;
	pid_t ended;

	if (update->checked)
		return true;
	if (!update->checker) {
		image_fd = memfd_create("xenstored-trial", MFD_CLOEXEC);
		if (image_fd < 0 || write_image(update, "own", 0, image_fd)) {
			*why = "Dump write error";
		} else {
			update->checker = checker_start(update->file, image_fd);
			if (update->checker < 0)
				*why = "Error activating new binary.";
		}
		if (image_fd >= 0)
			close(image_fd);
		return *why;
	}
	ended = waitpid(update->checker, &status, WNOHANG);
	if (!ended && update->core->now - update->since < CHECK_MS)
		return false;
	if (!ended) {
		*why = "The new program did not finish to check the state.";
		return true;
	}
	update->checker = 0;
	update->checked = true;
	if (!WIFEXITED(status) || WEXITSTATUS(status))
		*why = "The new program does not accept the state.";
	return true;
}

/* For one of our own kind: image in memory, guard, exec. Returns why it did not happen. */
static const char *replace_own(struct update *update, char **argv)
{
	const char *why = NULL;
	int image_fd, status_fd = -1, error;

	image_fd = memfd_create("xenstored-image", 0);
	if (image_fd < 0)
		return "Dump state open error";
	error = write_image(update, "own", 0, image_fd);
	if (error) {
		close(image_fd);
		return "Dump write error";
	}
	let_cross(update, true);
	/* The virq stays bound: a guard could not know the port that a program has bound it to. */
	error = guard_start(update->argv, image_fd, update->host->virq_port, &status_fd);
	if (!error)
		error = guard_export(image_fd, status_fd, update->host->virq_port);
	if (error) {
		why = "Could not start the guard.";
	} else {
		execv(update->file, argv);
		why = "Error activating new binary.";
	}
	guard_unexport();
	guard_cancel(status_fd);
	update->guard_left = true;
	let_cross(update, false);
	close(image_fd);
	return why;
}

static int state_file(const struct update *update, char *path, size_t size)
{
	int len = snprintf(path, size, "%s/state_dump", paths_rundir(update->rundir));

	return len < 0 || (size_t)len >= size ? ENAMETOOLONG : 0;
}

/* For any other xenstored: a plain image in the file where it looks. */
static const char *replace_foreign(struct update *update, char **argv)
{
	char path[PATH_MAX];
	const char *why = NULL;
	int fd, error;

	if (state_file(update, path, sizeof(path)))
		return "Dump state open error";
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return "Dump state open error";
	error = write_image(update, update->version == 1 ? "4.17" : "4.21", update->version, fd);
	if (!error && fsync(fd))
		error = errno;
	if (close(fd) && !error)
		error = errno;
	if (error) {
		unlink(path);
		return error == EBUSY ? "A domain is under construction, which that xenstored "
					"would not survive."
				      : "Dump write error";
	}
	let_cross(update, true);
	host_release_virq(update->host);
	execv(update->file, argv);
	why = "Error activating new binary.";
	host_bind_virq(update->host);
	let_cross(update, false);
	unlink(path);
	return why;
}

/* Another xenstored cannot take open transactions over: wait, or let force decide. */
static bool may_lose_transactions(struct update *update, const char **why)
{
	static char text[WIRE_PAYLOAD_MAX - 64];
	uint64_t waited = update->core->now - update->since;
	const struct transaction *tx;
	size_t used;

	*why = NULL;
	if (!update->core->transaction_count)
		return true;
	if (waited < (uint64_t)update->timeout * 1000)
		return false;
	if (update->force)
		return true;
	used = (size_t)snprintf(text, sizeof(text), "Domains with long running transactions:");
	TAILQ_FOREACH(tx, &update->core->transactions, age)
		if (used < sizeof(text) - 64)
			used += (size_t)snprintf(
				text + used, sizeof(text) - used, "\nDomain %u: %llu s",
				tx->client->identity.domid,
				(unsigned long long)((update->core->now - tx->started) / 1000));
	*why = text;
	return false;
}

/* The guard is a child of this process, whatever program that has become. */
static void reap_guard(struct update *update)
{
	if (update->guard_left && !update->checker && waitpid(-1, NULL, WNOHANG) < 0)
		update->guard_left = false;
}

int update_run(struct update *update)
{
	struct abilities abilities;
	const char *why = NULL;
	char **argv, *words;
	int kind;

	reap_guard(update);
	if (!update->started)
		return update->guard_left ? REAP_MS : -1;
	kind = abilities_read(update->file, &abilities);
	if (kind < 0) {
		answer(update, "File not accessible.");
		return 0;
	}
	if (kind == ABILITIES_INVALID) {
		answer(update, "File is no program for this machine.");
		return 0;
	}
	if (kind == ABILITIES_OWN && abilities.records != ABILITIES_RECORDS)
		kind = ABILITIES_FOREIGN;
	if (kind == ABILITIES_FOREIGN && !may_lose_transactions(update, &why)) {
		if (why)
			answer(update, why);
		return why ? 0 : 100;
	}
	if (kind == ABILITIES_OWN && !check_done(update, &why))
		return 2;
	if (why) {
		answer(update, why);
		return 0;
	}
	words = update->cmdline ? strdup(update->cmdline) : NULL;
	argv = new_arguments(update, words);
	if (!argv)
		why = "Allocation failure.";
	else if (kind == ABILITIES_OWN)
		why = replace_own(update, argv);
	else
		why = replace_foreign(update, argv);
	free(argv);
	free(words);
	answer(update, why);
	return 0;
}

/* The first record says which descriptors are meant. */
static int read_global(struct update_image *image)
{
	struct stream_reader reader;
	struct stream_record record;
	struct stream_error error;

	image->global.listen_fd = image->global.evtchn_fd = -1;
	if (stream_reader_init(&reader, image->data, image->size, &error) ||
	    stream_next(&reader, &record, &error) != STREAM_RECORD)
		return -EINVAL;
	if (record.type == STREAM_GLOBAL && record.understood)
		image->global = record.global;
	return 0;
}

int update_try_image(const struct inheritance *inheritance)
{
	struct update_image image;
	struct image_report report;
	int error;

	log_open("xenstored-check", true);
	error = update_open_image(&image, inheritance, NULL);
	if (error) {
		log_message(LOG_ERR, "live-update: image: %s", strerror(-error));
		return 1;
	}
	error = image_try(image.data, image.size, &report);
	if (error)
		log_message(LOG_ERR, "live-update: image refused %s", report.error);
	return error ? 1 : 0;
}

int update_open_image(struct update_image *image, const struct inheritance *inheritance,
		      const char *rundir)
{
	struct stat stat_now;
	int fd = inheritance->image_fd;

	memset(image, 0, sizeof(*image));
	if (!inheritance->update && !inheritance->check) {
		snprintf(image->path, sizeof(image->path), "%s/state_dump", paths_rundir(rundir));
		image->from_file = true;
		fd = open(image->path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return -errno;
	}
	if (fstat(fd, &stat_now) || stat_now.st_size <= 0)
		return -EINVAL;
	image->size = (size_t)stat_now.st_size;
	image->data = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	close(fd);
	if (image->data == MAP_FAILED)
		return -errno;
	return read_global(image);
}

void update_restore(struct update *update, struct update_image *image,
		    const struct inheritance *inheritance)
{
	struct image_report report;
	int error;

	log_message(LOG_INFO, "live-update: read state");
	update->process.failure = inheritance->failure[0] ? inheritance->failure : NULL;
	error = image_restore(update->core, &update->process, image->data, image->size, &report);
	if (error)
		fatal("live-update: inconsistent state data %s", report.error);
	if (report.dropped_clients || report.dropped_nodes || report.dropped_watches)
		log_message(
			LOG_WARNING,
			"live-update: %u connections, %u nodes, %u watches could not be restored",
			report.dropped_clients, report.dropped_nodes, report.dropped_watches);
	munmap(image->data, image->size);
	if (image->from_file)
		unlink(image->path);
	fcntl(update->listener->fd, F_SETFD, FD_CLOEXEC);
	if (update->host->has_rings)
		fcntl(update->host->device.source.fd, F_SETFD, FD_CLOEXEC);
	guard_serving(inheritance->status_fd);
	update->guard_left = inheritance->status_fd >= 0;
}
