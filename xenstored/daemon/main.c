/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The xenstored daemon: options, process, and the core with its loop.
 *
 * The order of the start is such that whoever waits for the daemon never waits
 * for nothing: the original process ends, and readiness is told, only when the
 * pid file is locked and the socket listens.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "core/core.h"
#include "daemon/administration.h"
#include "daemon/checker.h"
#include "daemon/daemonize.h"
#include "daemon/host.h"
#include "daemon/limits.h"
#include "daemon/listener.h"
#include "daemon/log.h"
#include "daemon/loop.h"
#include "daemon/notify.h"
#include "daemon/options.h"
#include "daemon/paths.h"
#include "daemon/pidfile.h"
#include "daemon/settings.h"
#include "daemon/signals.h"
#include "daemon/sockets.h"
#include "daemon/trace.h"
#include "daemon/update.h"

/* How long a lock on the pid file is waited for in an update: a second. */
#define PID_FILE_ATTEMPTS    50
#define PID_FILE_INTERVAL_NS 20000000

struct daemon {
	struct options options;
	struct daemonize daemonize;
	struct pidfile pidfile;
	struct listener listener;
	struct signals signals;
	struct loop_source signal_source;
	struct notify notify;
	struct administration administration;
	struct world world;
	struct host host;
	struct loop loop;
	struct sockets sockets;
	struct core *core;
	struct update update;
	struct inheritance inheritance;
	struct update_image image; /* to be restored, with -U */
};

static uint64_t monotonic_ms(struct world *world)
{
	struct timespec now;

	(void)world;
	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Above all that an earlier daemon on this host can have given out. */
static uint64_t first_generation(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000;
}

/*
 * The lock is lost by an exec, and a daemon that is started by mistake may have it until it sees
 * that somebody listens already.
 */
static int open_pid_file(struct daemon *daemon)
{
	const struct timespec interval = {.tv_nsec = PID_FILE_INTERVAL_NS};
	int result = pidfile_open(&daemon->pidfile, daemon->options.pid_file);

	for (int i = 0; i < PID_FILE_ATTEMPTS; i++) {
		if (!daemon->options.live_update || result != PIDFILE_LOCKED)
			break;
		nanosleep(&interval, NULL);
		result = pidfile_open(&daemon->pidfile, daemon->options.pid_file);
	}
	return result;
}

static void lock_pid_file(struct daemon *daemon)
{
	int result;

	if (!daemon->options.pid_file)
		return;
	result = open_pid_file(daemon);
	/* Without the one that makes up for a program that has failed there would be none. */
	if (result && daemon->inheritance.failure[0]) {
		log_message(LOG_ERR, "going on without the pid file %s: %s",
			    daemon->options.pid_file,
			    result == PIDFILE_LOCKED ? "it is locked" : strerror(-result));
		return;
	}
	if (result == PIDFILE_LOCKED)
		fatal("another xenstored (pid %d) holds %s", (int)daemon->pidfile.holder,
		      daemon->options.pid_file);
	if (result)
		fatal_errno(-result, "pid file %s", daemon->options.pid_file);
}

static void listen_for_clients(struct daemon *daemon)
{
	char path[PATH_SIZE];
	int result = paths_socket(path, sizeof(path), daemon->options.rundir);

	if (result)
		fatal_errno(-result, "socket path");
	if (listener_open(&daemon->listener, path))
		fatal("%s", daemon->listener.error);
}

/* Whether the event channel device comes from a program that was not of our kind. */
static bool used_by_others(const struct daemon *daemon)
{
	return daemon->options.live_update &&
	       (daemon->inheritance.foreign || daemon->image.from_file);
}

static void make_core(struct daemon *daemon, char **argv)
{
	const struct options *options = &daemon->options;
	int evtchn_fd = options->live_update ? daemon->image.global.evtchn_fd : -1;
	struct core_config config;

	core_config_defaults(&config);
	host_open(&daemon->host, options, evtchn_fd, daemon->inheritance.virq_port,
		  used_by_others(daemon), &config);
	settings_fill(options, &config);
	config.generation = first_generation();
	if (getrandom(&config.secret, sizeof(config.secret), 0) != sizeof(config.secret))
		fatal_errno(errno, "random numbers");
	daemon->world.log = &daemon->administration.logger;
	daemon->world.now = monotonic_ms;
	host_fill_world(&daemon->host, &daemon->world);
	daemon->core = core_new(&daemon->world, &config);
	if (!daemon->core)
		fatal("out of memory");
	update_init(&daemon->update, daemon->core, &daemon->host, &daemon->listener,
		    &daemon->sockets, &daemon->signals, &daemon->administration.trace, argv,
		    options->rundir);
	daemon->update.process.migration = &daemon->administration.migration;
	administration_attach(&daemon->administration, daemon->core, &update_administration,
			      &daemon->update);
}

static int between_turns(void *data)
{
	struct daemon *daemon = data;
	int accept = sockets_retry(&daemon->sockets), update = update_run(&daemon->update);

	return accept < 0 || (update >= 0 && update < accept) ? update : accept;
}

/* What an earlier process image left us: the listening socket, and the state. */
static void open_image(struct daemon *daemon)
{
	int error = update_open_image(&daemon->image, &daemon->inheritance, daemon->options.rundir);

	if (error)
		fatal_errno(-error, "No state file found");
	error = listener_adopt(&daemon->listener, daemon->image.global.listen_fd);
	if (error)
		fatal_errno(-error, "listening socket of the state file");
}

static void signal_ready(struct loop *loop, struct loop_source *source, uint32_t events)
{
	struct daemon *daemon = source->data;

	(void)loop;
	(void)events;
	if (signals_read(&daemon->signals) > 0)
		trace_reopen(&daemon->administration.trace);
}

static void start_loop(struct daemon *daemon)
{
	int error = loop_open(&daemon->loop, daemon->core);

	daemon->signal_source.fd = daemon->signals.fd;
	daemon->signal_source.ready = signal_ready;
	daemon->signal_source.data = daemon;
	if (!error)
		error = loop_add(&daemon->loop, &daemon->signal_source, false);
	if (!error)
		error = sockets_open(&daemon->sockets, &daemon->loop, daemon->listener.fd);
	if (error)
		fatal_errno(-error, "event loop");
	daemon->loop.between = between_turns;
	daemon->loop.data = daemon;
	host_start(&daemon->host, daemon->core, &daemon->loop, !daemon->options.live_update);
	if (daemon->options.live_update) {
		update_restore(&daemon->update, &daemon->image, &daemon->inheritance);
		if (used_by_others(daemon))
			host_reclaim(&daemon->host);
		core_recheck_domains(daemon->core);
	}
}

int main(int argc, char **argv)
{
	static struct daemon daemon = {
		.daemonize = DAEMONIZE_INIT,
		.pidfile = PIDFILE_INIT,
		.listener = LISTENER_INIT,
		.signals = SIGNALS_INIT,
	};
	int error;

	daemonize_standard_fds();
	inheritance_read(&daemon.inheritance);
	if (daemon.inheritance.check)
		return checker_run(&daemon.inheritance);
	settings_read(&daemon.options, argc, argv);
	log_open("xenstored", daemon.options.foreground);
	if (daemon.options.notes[0])
		log_message(LOG_NOTICE, "%s", daemon.options.notes);
	if (daemon.inheritance.guard)
		guard_wait(&daemon.inheritance);
	/* A guard has the arguments of the program it guards, and starts from the same image. */
	daemon.options.live_update |= daemon.inheritance.update;
	if (!daemon.options.foreground && !daemon.options.live_update) {
		error = daemonize_start(&daemon.daemonize);
		if (error)
			fatal_errno(-error, "going into the background");
	}
	/* An earlier process image had them. */
	if (!daemon.options.live_update) {
		paths_make_directory(paths_rundir(daemon.options.rundir));
		paths_make_directory(XENSTORED_LIBDIR);
	}
	administration_init(&daemon.administration);
	settings_open_trace(&daemon.options, &daemon.administration.trace);
	lock_pid_file(&daemon);
	if (daemon.options.live_update)
		open_image(&daemon);
	else
		listen_for_clients(&daemon);
	error = signals_open(&daemon.signals);
	if (error)
		fatal_errno(-error, "signals");
	limits_raise_descriptors(); /* as many connections as the system lets us have */
	make_core(&daemon, argv);
	start_loop(&daemon);

	notify_init(&daemon.notify);
	if (!daemon.options.live_update)
		notify_ready(&daemon.notify, "xenstored", getpid());
	else if (daemon.inheritance.failure[0])
		notify_main_pid(&daemon.notify, getpid());
	daemonize_ready(&daemon.daemonize);
	log_redirect(trace_text, &daemon.administration.trace);
	error = loop_run(&daemon.loop);
	if (!error)
		fatal("the host is gone");
	fatal_errno(-error, "waiting for events");
}
