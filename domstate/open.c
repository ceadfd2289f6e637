/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Probing back-ends, and loading the one that needs an unstable library. */
#include "domstate/open.h"

#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#ifndef DOMSTATE_PLUGIN_DIR
#define DOMSTATE_PLUGIN_DIR "/usr/local/lib/xenstored"
#endif
#define PLUGIN "domstate-xenctrl.so"

/* The plug-in beside the program, as in a build directory, or where it is installed. */
static void *load_plugin(char *why, size_t size)
{
	char path[PATH_MAX];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - sizeof(PLUGIN) - 1);
	char *slash;
	void *plugin;

	if (len > 0) {
		path[len] = 0;
		slash = strrchr(path, '/');
		strcpy(slash + 1, PLUGIN);
		if (!access(path, R_OK)) {
			plugin = dlopen(path, RTLD_NOW | RTLD_LOCAL);
			if (plugin)
				return plugin;
		}
	}
	plugin = dlopen(DOMSTATE_PLUGIN_DIR "/" PLUGIN, RTLD_NOW | RTLD_LOCAL);
	if (!plugin)
		snprintf(why, size, "%s", dlerror());
	return plugin;
}

int domstate_xenctrl(struct domstate **out, char *why, size_t size)
{
	void *plugin = load_plugin(why, size);
	domstate_plugin *open_plugin;
	int error;

	if (!plugin)
		return -ENOENT;
	*(void **)&open_plugin = dlsym(plugin, DOMSTATE_PLUGIN_SYMBOL);
	error = open_plugin ? open_plugin(out) : -ENOEXEC;
	if (error) {
		snprintf(why, size, "%s", strerror(-error));
		dlclose(plugin);
	}
	return error;
}

static int open_none(unsigned int own_domid, struct domstate **out)
{
	*out = domstate_none(own_domid);
	return *out ? 0 : -ENOMEM;
}

int domstate_open(const char *name, unsigned int own_domid, struct domstate **out, char *why,
		  size_t size)
{
	char reason[256] = "";
	int error, older;

	if (!strcmp(name, "none")) {
		snprintf(why, size, "none, as asked for: sockets only");
		return open_none(own_domid, out);
	}
	if (!strcmp(name, "xenctrl")) {
		error = domstate_xenctrl(out, reason, sizeof(reason));
		snprintf(why, size, error ? "xenctrl: %s" : "xenctrl, as asked for%s", reason);
		return error;
	}
	error = domstate_hypercall(own_domid, out);
	if (!strcmp(name, "hypercall") || !error) {
		snprintf(why, size, error ? "hypercall: %s" : "hypercall (get-domain-state)%s",
			 error ? strerror(-error) : "");
		return error;
	}
	older = domstate_xenctrl(out, reason, sizeof(reason));
	if (!older) {
		snprintf(why, size, "xenctrl, since the hypervisor has no get-domain-state (%s)",
			 strerror(-error));
		return 0;
	}
	snprintf(why, size, "none, since there is no hypervisor (hypercall: %s; xenctrl: %s)",
		 strerror(-error), reason);
	return open_none(own_domid, out);
}
