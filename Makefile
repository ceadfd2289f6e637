# SPDX-License-Identifier: GPL-2.0-or-later
#
# One build for all of it, without recursion. Everything that is made is below build/.
#
#   make                  the programs (VARIANT=release, the default)
#   make VARIANT=debug    not optimized, below build/debug
#   make VARIANT=asan     with ASan and UBSan, below build/asan
#   make run | check | bench | fuzz | soak | deps | install | clean
#   make V=1              shows the commands

VARIANT ?= release
PYTHON  ?= /usr/bin/python3
prefix  ?= /usr/local
VERSION := 0.1

ifeq ($(VARIANT),release)
OUT := build
VARIANT_FLAGS := -O2
else ifeq ($(VARIANT),debug)
OUT := build/debug
VARIANT_FLAGS := -O0
else ifeq ($(VARIANT),asan)
OUT := build/asan
VARIANT_FLAGS := -O1 -fsanitize=address,undefined -fno-sanitize-recover=undefined \
	-fno-omit-frame-pointer
else
$(error VARIANT is release, debug or asan)
endif

OBJ := $(OUT)/obj

V ?= 0
Q := $(if $(filter 1,$(V)),,@)
say = @$(if $(filter 1,$(V)),:,echo '  $(1)  $@')

CC     ?= gcc
CFLAGS ?= -g
ALL_CFLAGS := -std=gnu11 $(CFLAGS) $(VARIANT_FLAGS) -Wall -Wextra -Wshadow -Wconversion -Werror \
	-fno-common -D_GNU_SOURCE -I. -Ixenstored -Itests/unit -DXENSTORED_VERSION='"$(VERSION)"' \
	-DDOMSTATE_PLUGIN_DIR='"$(prefix)/lib/xenstored"'
ALL_LDFLAGS := $(LDFLAGS) $(VARIANT_FLAGS)

# Below these directories, test-*.c are programs of their own, everything else belongs to the part.
CORE_DIRS := xenstored/bytes xenstored/store xenstored/state xenstored/client xenstored/verbs \
	xenstored/core xenstored/control domstate
sources = $(filter-out $(1)/test-%.c,$(wildcard $(1)/*.c))
objects = $(patsubst %.c,$(OBJ)/%.o,$(1))

CORE_OBJECTS   := $(call objects,$(filter-out domstate/open.c domstate/hypercall.c, \
	$(foreach d,$(CORE_DIRS),$(call sources,$(d)))))
DAEMON_OBJECTS := $(call objects,$(filter-out %/main.c,$(call sources,xenstored/daemon)) \
	$(call sources,xenstored/xen) $(call sources,liveupdate) domstate/open.c \
	domstate/hypercall.c)
CLIENT_OBJECTS := $(call objects,$(filter-out %/xenstore-control.c,$(call sources,xenstored/control-client)))
# What of the stub domain runs in an ordinary process too: into the unit tests.
UPDATE_OBJECTS := $(call objects,$(call sources,xenstored/stubdom/update))
PLATFORM_OBJECTS := $(call objects,$(addprefix xenstored/stubdom/,host.c own-client.c update-adopt.c update-file.c update-start.c $(addprefix ring0/, \
	arguments.c clock.c events.c events-exchange.c grants.c memory.c memory-map.c state.c watch.c)))
# 9pfs: both ends' protocol; the front-end; the server.
NINEP_OBJECTS := $(call objects,$(call sources,xenstored/ninep) \
	$(filter-out %/main.c,$(call sources,xenstored/ninepfsd)))
BENCH_OBJECTS  := $(call objects,$(wildcard tests/bench/*.c))
HVBENCH_OBJECTS := $(call objects,$(wildcard tests/bench/hvbench/*.c))

HARNESS_OBJECTS := $(call objects,$(call sources,tests/unit))
UNIT_DIRS  := $(CORE_DIRS) liveupdate hypervisor hypervisor/host hypervisor/libs xenstored/daemon xenstored/control-client tests/unit tests/fuzz \
	xenstored/ninep xenstored/ninepfsd xenstored/stubdom xenstored/stubdom/ring0 xenstored/stubdom/update
UNIT_TESTS := $(patsubst %.c,$(OBJ)/%,$(foreach d,$(UNIT_DIRS),$(wildcard $(d)/test-*.c)))
# Need the stub domain's fixed addresses, where the sanitizers have their own memory. So "check" runs
# these without, and all others with sanitizers.
CHECKED_TESTS := $(filter %/stubdom/test-host %/stubdom/test-update-start \
	%/stubdom/test-update-adopt %/stubdom/test-events %/ring0/test-watch,$(UNIT_TESTS))
ifeq ($(VARIANT),asan)
UNIT_TESTS := $(filter-out $(CHECKED_TESTS),$(UNIT_TESTS))
CHECKED_TESTS := $(UNIT_TESTS)
endif

# The stub domain: the layer below the C library is compiled for ring 0, all else as it is.
RING0_DIR     := xenstored/stubdom/ring0
RING0_SOURCES := $(call sources,$(RING0_DIR))
RING0_OBJECTS := $(patsubst %.c,$(OBJ)/stubdom/%.o,$(RING0_SOURCES)) \
	$(patsubst %.S,$(OBJ)/stubdom/%.o,$(wildcard $(RING0_DIR)/*.S))
STUBDOM_OBJECTS := $(call objects,$(call sources,xenstored/stubdom))

# The simulated host: the mechanism, the process around it, and look-alikes of Xen's libraries.
HYPERVISOR_OBJECTS := $(call objects,$(call sources,hypervisor) hypervisor/libs/mapping-table.c \
	$(filter-out %/simxen.c,$(call sources,hypervisor/host)) hypervisor/libs/client.c \
	liveupdate/elf-note.c liveupdate/read-at.c)
SIMXEN_LIBS := $(addprefix build/simxen-lib/,libsimxen.so.0 libxenevtchn.so.1 libxengnttab.so.1 \
	libxencall.so.1 libxenmanage.so.1 libxenctrl.so.4.17 libxenguest.so.4.17 simxen-preload.so)

IMAGE_OBJECTS := $(call objects,$(wildcard liveupdate/tool/*.c))

PROGRAMS := $(OUT)/xenstored $(OUT)/xenstore-image $(OUT)/xenstore-control $(OUT)/domstate-xenctrl.so \
	$(OUT)/xenstore-9pfsd $(OUT)/simxen $(SIMXEN_LIBS)
ifeq ($(VARIANT),release)
PROGRAMS += $(OUT)/xenstored-stubdom
endif
ALL_OBJECTS := $(CORE_OBJECTS) $(IMAGE_OBJECTS) $(DAEMON_OBJECTS) $(CLIENT_OBJECTS) \
	$(HYPERVISOR_OBJECTS) $(OBJ)/hypervisor/host/simxen.o \
	$(NINEP_OBJECTS) $(OBJ)/xenstored/ninepfsd/main.o $(OBJ)/tests/ninep/guest.o \
	$(UPDATE_OBJECTS) $(PLATFORM_OBJECTS) $(STUBDOM_OBJECTS) \
	$(BENCH_OBJECTS) $(HVBENCH_OBJECTS) $(HARNESS_OBJECTS) $(addsuffix .o,$(UNIT_TESTS)) \
	$(OBJ)/tests/update/other/extra.o \
	$(OBJ)/xenstored/daemon/main.o $(OBJ)/xenstored/control-client/xenstore-control.o

.PHONY: all
all: $(PROGRAMS) compile_commands.json

$(OBJ)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(ALL_CFLAGS) -MMD -MP -c -o $@ $<

-include $(ALL_OBJECTS:.o=.d)

$(OUT)/libcore.a: $(CORE_OBJECTS)
$(OUT)/libdaemon.a: $(DAEMON_OBJECTS)
$(OUT)/libclient.a: $(CLIENT_OBJECTS)
$(OUT)/libupdate.a: $(UPDATE_OBJECTS)
$(OUT)/libplatform.a: $(PLATFORM_OBJECTS)
$(OUT)/libninep.a: $(NINEP_OBJECTS)
$(OUT)/lib%.a:
	$(call say,AR)
	$(Q)rm -f $@
	$(Q)$(AR) rcs $@ $^

$(OUT)/xenstored: $(OBJ)/xenstored/daemon/main.o $(OUT)/libdaemon.a $(OUT)/libcore.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxenevtchn -lxengnttab -lxencall -ldl

# The only user of a library without a stable interface.
$(OUT)/domstate-xenctrl.so: domstate/plugin/xenctrl.c domstate/evidence.c
	@mkdir -p $(OBJ)/domstate/plugin
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) -fPIC -shared -MMD -MP -MF $(OBJ)/domstate/plugin/xenctrl.d -o $@ $^ \
		-lxenctrl

# No register of the library's, no stack that an event could overwrite, no function of the library.
RING0_CFLAGS := -std=gnu11 $(CFLAGS) -O2 -Wall -Wextra -Wshadow -Wconversion -Werror -fno-common \
	-D_GNU_SOURCE -I. -Ixenstored -ffreestanding -fno-pic -mgeneral-regs-only -mno-red-zone \
	-fcf-protection=none -fno-stack-protector -fno-asynchronous-unwind-tables \
	-include $(RING0_DIR)/freestanding.h

$(OBJ)/stubdom/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) $(RING0_CFLAGS) -MMD -MP -c -o $@ $<

$(OBJ)/stubdom/%.o: %.S Makefile
	@mkdir -p $(@D)
	$(call say,CC)
	$(Q)$(CC) -I. -MMD -MP -c -o $@ $<

-include $(RING0_OBJECTS:.o=.d)

# A static program that is started by a hypervisor; it is an unstripped one that shows addresses.
STUBDOM_LDFLAGS := -static -no-pie -Wl,-z,noseparate-code -Wl,--no-warn-rwx-segments \
	-Wl,--build-id=none -Wl,-u,stubdom_start
$(OUT)/xenstored-stubdom.debug: $(STUBDOM_OBJECTS) $(RING0_OBJECTS) $(OUT)/libupdate.a $(OUT)/libninep.a \
		$(OUT)/libdaemon.a $(OUT)/libcore.a
	$(call say,LD)
	$(Q)$(CC) $(LDFLAGS) $(STUBDOM_LDFLAGS) -o $@ $^

$(OUT)/xenstored-stubdom: $(OUT)/xenstored-stubdom.debug
	$(call say,STRIP)
	$(Q)strip -o $@ $<

.PHONY: stubdom
stubdom: $(OUT)/xenstored-stubdom

$(OUT)/xenstore-control: $(OBJ)/xenstored/control-client/xenstore-control.o $(OUT)/libclient.a \
		$(OUT)/libdaemon.a $(OUT)/libcore.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(OUT)/xenstore-9pfsd: $(OBJ)/xenstored/ninepfsd/main.o $(OUT)/libninep.a $(OUT)/libdaemon.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxenstore -lxenevtchn -lxengnttab -lpthread

$(OUT)/libharness.a: $(HARNESS_OBJECTS)

$(UNIT_TESTS): $(OBJ)/%: $(OBJ)/%.o $(OUT)/libharness.a $(OUT)/libplatform.a $(OUT)/libupdate.a $(OUT)/libninep.a $(OUT)/libclient.a $(OUT)/libdaemon.a $(OUT)/libcore.a \
		$(OUT)/libhypervisor.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) $(LDFLAGS_EXTRA) -o $@ $^ -lcmocka -lxenstore -lxenevtchn -lxengnttab -lxencall -ldl

# Tests that make allocations fail.
$(addprefix $(OBJ)/,tests/unit/test-faults tests/unit/test-make-room hypervisor/host/test-settle \
		liveupdate/test-update-session liveupdate/test-owed): LDFLAGS_EXTRA := \
	-Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=free

$(OUT)/xenstore-image: $(IMAGE_OBJECTS) $(OUT)/libclient.a $(OUT)/libdaemon.a $(OUT)/libcore.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(OUT)/libhypervisor.a: $(HYPERVISOR_OBJECTS)

$(OUT)/simxen: $(OBJ)/hypervisor/host/simxen.o $(OUT)/libhypervisor.a
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^
	$(if $(filter-out build,$(OUT)),$(Q)ln -sfn $(CURDIR)/build/simxen-lib $(OUT)/simxen-lib)

# Builds of another stream version, to be updated from and to: two files know it.
VERSIONED := hypervisor/stream-reader hypervisor/host/release
OTHER_SIMXENS := $(addprefix $(OUT)/tests/simxen/,older newer)
$(OUT)/tests/simxen/older: OTHER_VERSION := 1
$(OUT)/tests/simxen/newer: OTHER_VERSION := 3
$(OTHER_SIMXENS): $(VERSIONED:=.c) $(OBJ)/hypervisor/host/simxen.o $(OUT)/libhypervisor.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_CFLAGS) -DHV_STREAM_VERSION=$(OTHER_VERSION)u -DRELEASE_NAME='"simxen-$(@F)"' \
		$(ALL_LDFLAGS) -o $@ $^

# Loaded into foreign programs, so never with sanitizers: one build for all variants.
LIBS := hypervisor/libs
SIMXEN_LIB_FLAGS := -std=gnu11 -O2 -g -Wall -Wextra -Wshadow -Wconversion -Werror -fno-common \
	-D_GNU_SOURCE -I. -fPIC -shared -Wl,-z,defs '-Wl,-rpath,$$ORIGIN'
SIMXEN_HEADERS := $(wildcard $(LIBS)/*.h hypervisor/host/protocol.h hypervisor/*.h)
simxen_library = @mkdir -p $(@D); $(if $(filter 1,$(V)),set -x;,echo '  LD  $@';) \
	$(CC) $(SIMXEN_LIB_FLAGS) -Wl,-soname,$(@F) $(if $(1),-Wl$(comma)--version-script=$(LIBS)/versions/$(1).map) \
	-o $@.new $(filter %.c,$^) $(filter build/%.so.0,$^) && mv $@.new $@
comma := ,

build/simxen-lib/libsimxen.so.0: $(addprefix $(LIBS)/,client.c foreign.c mapping-table.c) $(SIMXEN_HEADERS)
	$(call simxen_library,libsimxen)
build/simxen-lib/libxenevtchn.so.1: $(LIBS)/xenevtchn.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,libxenevtchn)
build/simxen-lib/libxengnttab.so.1: $(LIBS)/xengnttab.c $(LIBS)/mapping-table.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,libxengnttab)
build/simxen-lib/libxencall.so.1: $(LIBS)/xencall.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,libxencall)
build/simxen-lib/libxenmanage.so.1: $(LIBS)/xenmanage.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,libxenmanage)
build/simxen-lib/libxenctrl.so.4.17: $(LIBS)/xenctrl.c $(LIBS)/xenctrl-absent.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,libxenctrl)
build/simxen-lib/libxenguest.so.4.17: $(LIBS)/xenguest.c
	$(call simxen_library,libxenguest)
build/simxen-lib/simxen-preload.so: $(LIBS)/interposer.c build/simxen-lib/libsimxen.so.0
	$(call simxen_library,)

# A xenstored of another version, for tests of updates: one object more, and wrapped functions.
$(OUT)/tests/xenstored-other: $(OBJ)/tests/update/other/extra.o $(OBJ)/xenstored/daemon/main.o \
		$(OUT)/libdaemon.a $(OUT)/libcore.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) \
		-Wl,--wrap=stream_own_find,--wrap=stream_put_end,--wrap=image_restore \
		-o $@ $^ -lxenevtchn -lxengnttab -lxencall -ldl

# A Linux process that plays a domain with our 9pfs front-end.
$(OUT)/tests/ninep-guest: $(OBJ)/tests/ninep/guest.o $(OUT)/libninep.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lxenstore -lxenevtchn -lxengnttab

$(OUT)/tests/bench/reader: $(OBJ)/tests/bench/reader/reader.o
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^

$(OUT)/tests/bench/xsbench: $(BENCH_OBJECTS)
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lm

$(OUT)/tests/bench/hvbench: $(HVBENCH_OBJECTS) $(OUT)/libhypervisor.a
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) $(ALL_LDFLAGS) -o $@ $^ -lpthread

# Preloaded into foreign programs, so never with sanitizers.
STANDIN := build/tests/peers/xen-standin.so
$(STANDIN): tests/peers/xen-standin.c
	@mkdir -p $(@D)
	$(call say,LD)
	$(Q)$(CC) -std=c11 -O2 -g -Wall -Wextra -Wshadow -Wconversion -Werror -fPIC -shared \
		-Wl,-soname,xen-standin.so -o $@ $< -ldl

compile_commands.json: Makefile
	$(Q)$(PYTHON) tests/compile-commands.py $@ '$(CC) $(ALL_CFLAGS)' \
		$(patsubst $(OBJ)/%.o,%.c,$(ALL_OBJECTS)) 2>/dev/null || :

.PHONY: deps
deps:
	sh tests/deps.sh

.PHONY: run
run: deps
	$(Q)$(MAKE) --no-print-directory all
	$(Q)sh tests/run.sh

.PHONY: unit
unit: $(UNIT_TESTS)

# Programs for the tests of a variant.
.PHONY: test-programs
test-programs: all $(CHECKED_TESTS) $(OUT)/tests/ninep-guest $(OUT)/tests/bench/xsbench $(OUT)/tests/bench/reader \
		$(OUT)/tests/bench/hvbench $(OUT)/tests/xenstored-other $(STANDIN) $(OTHER_SIMXENS)

.PHONY: check
check: deps
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)$(MAKE) --no-print-directory VARIANT=asan test-programs
	$(Q)$(PYTHON) tests/check.py

# The daemon on Debian's Xen in QEMU; XEN_ELF= and XEN_TOOLS= name another Xen.
.PHONY: check-xen
check-xen:
	sh tests/deps.sh --xen
	$(Q)$(MAKE) --no-print-directory all build/tests/ninep-guest
	$(Q)$(PYTHON) tests/xen/check.py $(XEN_ARGS)

# The same with the stub domain in the daemon's place.
.PHONY: check-stubdom
check-stubdom:
	sh tests/deps.sh --xen
	$(Q)$(MAKE) --no-print-directory all stubdom
	$(Q)$(PYTHON) tests/stubdom/check.py $(STUBDOM_ARGS)

# Longer runs of what check runs short; COUNT= multiplies their length.
COUNT ?= 20
.PHONY: fuzz
fuzz: deps
	$(Q)$(MAKE) --no-print-directory VARIANT=asan unit
	$(Q)$(PYTHON) tests/check.py --only fuzz --count $(COUNT)

.PHONY: soak
soak: deps
	$(Q)$(MAKE) --no-print-directory test-programs
	$(Q)$(MAKE) --no-print-directory VARIANT=asan test-programs
	$(Q)$(PYTHON) tests/check.py --count $(COUNT)

.PHONY: bench
bench: deps
	$(Q)$(MAKE) --no-print-directory all build/tests/bench/xsbench build/tests/bench/hvbench \
		build/tests/bench/reader $(STANDIN)
	$(Q)$(PYTHON) -m tests.bench
	$(Q)$(PYTHON) -m tests.bench.update
	$(Q)$(PYTHON) -m tests.bench.hypervisor
	$(Q)$(MAKE) --no-print-directory bench-stubdom

# Draws what "make bench" measured, into docs/.
.PHONY: bench-plots
bench-plots:
	sh tests/deps.sh --plots
	$(Q)[ -e build/bench-hypervisor.json ] || { \
		$(MAKE) --no-print-directory build/tests/bench/hvbench && \
		$(PYTHON) -m tests.bench.hypervisor; }
	$(Q)$(PYTHON) -m tests.bench.hypervisor --plots docs

# On real Xen in QEMU: the stub domain, and our daemon on the same machine, to compare with.
.PHONY: bench-stubdom
bench-stubdom:
	sh tests/deps.sh --xen
	$(Q)$(MAKE) --no-print-directory all stubdom
	$(Q)$(PYTHON) tests/stubdom/check.py --bench
	$(Q)$(PYTHON) tests/stubdom/check.py --bench --daemon

UNITS = $(DESTDIR)$(prefix)/lib/systemd/system
install_unit = install -d $(UNITS) && \
	sed 's,@sbindir@,$(prefix)/sbin,' xenstored/systemd/$(1).in >$(UNITS)/$(1)

.PHONY: install
install: all
	install -d $(DESTDIR)$(prefix)/sbin $(DESTDIR)$(prefix)/share/man/man8
	install -m 755 build/xenstored build/xenstore-control build/xenstore-image build/xenstore-9pfsd \
		$(DESTDIR)$(prefix)/sbin
	install -d $(DESTDIR)$(prefix)/lib/xenstored
	install -m 755 liveupdate/tool/from-oxenstored.sh \
		$(DESTDIR)$(prefix)/lib/xenstored/from-oxenstored
	install -m 755 build/domstate-xenctrl.so $(DESTDIR)$(prefix)/lib/xenstored
	install -m 644 build/xenstored-stubdom $(DESTDIR)$(prefix)/lib/xenstored
	install -m 644 docs/man/xenstored.8 docs/man/xenstore-control.8 docs/man/xenstore-image.8 \
		docs/man/xenstore-9pfsd.8 \
		$(DESTDIR)$(prefix)/share/man/man8
	$(call install_unit,xenstore-9pfsd.service)

# Apart, since it takes the place of the host's own unit at the next boot.
.PHONY: install-unit
install-unit: install
	$(call install_unit,xenstored.service)

.PHONY: format
format:
	clang-format -i $$(git ls-files '*.c' '*.h')

.PHONY: clean
clean:
	rm -rf build compile_commands.json
