/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Creating a VM, request by request, see vm-pattern.h.
 *
 * Three transactions (the domain's home, one for each device) and what follows each: watches,
 * and the first steps of the front-end and back-end state machines.  Without a hypervisor there
 * is nothing to introduce, so INTRODUCE is the only request of the original that is missing.
 */
#define _GNU_SOURCE 1
#include "vm-pattern.h"
#include "wire.h"

#define HOME	     "/local/domain/#"
#define FRONT(kind)  HOME "/device/" kind "/0"
#define BACK(kind)   "/local/domain/0/backend/" kind "/#/0"
#define FRONT_VALUE  16
#define BACK_VALUE   16
#define HOME_VALUE   12
#define PARENT_VALUE 30

#define START                                                                                      \
	{                                                                                          \
		VM_TOOL, XS_TRANSACTION_START, false, NULL, NULL, 0                                \
	}
#define END                                                                                        \
	{                                                                                          \
		VM_TOOL, XS_TRANSACTION_END, true, NULL, NULL, 0                                   \
	}
#define TX_WRITE(path, bytes)                                                                      \
	{                                                                                          \
		VM_TOOL, XS_WRITE, true, path, NULL, bytes                                         \
	}
#define TX_DIRECTORY(path, permissions)                                                            \
	{VM_TOOL, XS_MKDIR, true, path, NULL, 0},                                                  \
	{                                                                                          \
		VM_TOOL, XS_SET_PERMS, true, path, permissions, 0                                  \
	}
#define PLAIN_WRITE(who, path, bytes)                                                              \
	{                                                                                          \
		who, XS_WRITE, false, path, NULL, bytes                                            \
	}
#define PLAIN_READ(who, path, bytes)                                                               \
	{                                                                                          \
		who, XS_READ, false, path, NULL, bytes                                             \
	}
#define ADD_WATCH(who, path, token)                                                                \
	{                                                                                          \
		who, XS_WATCH, false, path, token, 0                                               \
	}

/* A directory that the guest may read, and one that is its own. */
#define SHOWN(path) TX_DIRECTORY(path, "n0 r#")
#define OWNED(path) TX_DIRECTORY(path, "n#")

#define IN_HOME(name)	     TX_WRITE(HOME "/" name, HOME_VALUE)
#define IN_FRONT(kind, name) TX_WRITE(FRONT(kind) "/" name, FRONT_VALUE)
#define IN_BACK(kind, name)  TX_WRITE(BACK(kind) "/" name, BACK_VALUE)

/* One device: both halves in a transaction, then the two drivers meet. */
#define DEVICE(kind, number)                                                                       \
	START, OWNED(FRONT(kind)), IN_FRONT(kind, "backend"), IN_FRONT(kind, "backend-id"),        \
		IN_FRONT(kind, "state"), IN_FRONT(kind, "handle"), IN_FRONT(kind, "mac"),          \
		IN_FRONT(kind, "mtu"), SHOWN(BACK(kind)), IN_BACK(kind, "frontend"),               \
		IN_BACK(kind, "frontend-id"), IN_BACK(kind, "online"), IN_BACK(kind, "state"),     \
		IN_BACK(kind, "script"), IN_BACK(kind, "mac"), IN_BACK(kind, "bridge"),            \
		IN_BACK(kind, "handle"), IN_BACK(kind, "type"), IN_BACK(kind, "hotplug-status"),   \
		TX_WRITE("/libxl/#/device/" kind "/0/frontend", PARENT_VALUE), END,                \
		ADD_WATCH(VM_TOOL, BACK(kind) "/state", "w#-" number),                             \
		PLAIN_READ(VM_TOOL, BACK(kind) "/state", BACK_VALUE),                              \
		ADD_WATCH(VM_BACK, FRONT(kind) "/state", "b#-" number),                            \
		ADD_WATCH(VM_BACK, BACK(kind) "/hotplug-status", "b#-" number),                    \
		PLAIN_READ(VM_BACK, BACK(kind) "/state", BACK_VALUE),                              \
		PLAIN_WRITE(VM_BACK, BACK(kind) "/state", 1),                                      \
		PLAIN_WRITE(VM_BACK, BACK(kind) "/hotplug-status", 9),                             \
		PLAIN_READ(VM_BACK, FRONT(kind) "/state", FRONT_VALUE),                            \
		PLAIN_WRITE(VM_TOOL, FRONT(kind) "/state", 1)

const struct vm_request vm_once[] = {
	ADD_WATCH(VM_BACK, "/local/domain/0/backend", "beroot"),
	ADD_WATCH(VM_BACK, "@introduceDomain", "intro"),
	ADD_WATCH(VM_BACK, "@releaseDomain", "rel"),
};
const size_t vm_once_count = sizeof(vm_once) / sizeof(vm_once[0]);

const struct vm_request vm_pattern[] = {
	START,
	SHOWN(HOME),
	SHOWN(HOME "/cpu"),
	SHOWN(HOME "/memory"),
	SHOWN(HOME "/device"),
	SHOWN(HOME "/control"),
	OWNED(HOME "/data"),
	OWNED(HOME "/attr"),
	OWNED(HOME "/error"),
	OWNED(HOME "/drivers"),
	OWNED(HOME "/feature"),
	IN_HOME("vm"),
	IN_HOME("name"),
	IN_HOME("domid"),
	IN_HOME("cpu/0/availability"),
	IN_HOME("memory/static-max"),
	IN_HOME("memory/target"),
	IN_HOME("memory/videoram"),
	IN_HOME("control/platform-feature-multiprocessor-suspend"),
	IN_HOME("control/platform-feature-xs_reset_watches"),
	IN_HOME("store/port"),
	IN_HOME("store/ring-ref"),
	IN_HOME("console/backend"),
	IN_HOME("console/backend-id"),
	IN_HOME("console/limit"),
	IN_HOME("console/type"),
	IN_HOME("console/output"),
	IN_HOME("console/tty"),
	IN_HOME("console/port"),
	IN_HOME("console/ring-ref"),
	IN_HOME("image/device-model-pid"),
	TX_WRITE("/vm/00000000-0000-0000-0000-000000000001/name", HOME_VALUE),
	TX_WRITE("/libxl/#/type", 4),
	END,
	ADD_WATCH(VM_TOOL, "@releaseDomain", "xl#"),
	ADD_WATCH(VM_TOOL, HOME "/device", "xl#"),
	DEVICE("vif", "0"),
	DEVICE("vbd", "1"),
	PLAIN_READ(VM_TOOL, HOME "/console/port", HOME_VALUE),
	PLAIN_READ(VM_TOOL, HOME "/name", HOME_VALUE),
};
const size_t vm_pattern_count = sizeof(vm_pattern) / sizeof(vm_pattern[0]);
