# SPDX-License-Identifier: GPL-2.0-or-later
"""What is booted: hypervisor, kernel, and the file systems of dom0 and of a Linux guest.

Nothing is installed anywhere. Hypervisor, kernel and tools come out of packages that were only
unpacked, or out of another tree (XEN_ELF, XEN_TOOLS); libraries are found by following what each
program says it needs, first among those packages, then on this machine, where our own daemon was
linked. Python, in which the checks are written, is this machine's, with the modules that they
import.
"""

import glob
import gzip
import json
import lzma
import os
import pathlib
import re
import struct
import subprocess

from archive import Archive

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parents[1]
OUT = TOP / "build" / "tests" / "xen"

MODULES = ("xen-privcmd", "xen-evtchn", "xen-gntdev", "xen-gntalloc", "xenfs")
FILE_SYSTEM_MODULES = ("fscache", "netfs", "9pnet", "9p", "9pnet_xen")  # loaded by a check
PROGRAMS = ("xl", "xen-init-dom0", "xenconsoled", "test-xenstore", "xenstore", "xenstored")
CLIENTS = ("chmod", "exists", "list", "ls", "read", "rm", "watch", "write")
# Loaded at run time, so no program says that it needs them.
EXTRA_LIBRARIES = ("libgcc_s.so.1", "libxenctrl.so.4.*")
LIBRARY_DIRS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64", "usr/lib64", "usr/lib",
                "usr/local/lib", "usr/local/lib/x86_64-linux-gnu", "lib")
CFLAGS = ("-m32 -std=gnu11 -O2 -ffreestanding -fno-pic -fno-stack-protector -fcf-protection=none "
          "-fno-asynchronous-unwind-tables -mgeneral-regs-only -Wall -Wextra -Wshadow -Wconversion "
          "-Werror -nostdlib -static -no-pie -Wl,--build-id=none "
          "-Wl,--no-warn-rwx-segments").split()


class Missing(Exception):
    """Something that cannot be had here; the text says what and how to get it."""


def packages():
    """The paths that deps.sh knows."""
    text = subprocess.run(["sh", str(TOP / "tests" / "deps.sh"), "--print-env"], check=True,
                          capture_output=True, text=True).stdout
    return dict(re.findall(r"^(\w+)='?([^'\n]*)'?$", text, re.M))


def newer(target, *sources):
    """Whether target is there and as new as its sources."""
    return target.exists() and all(target.stat().st_mtime >= os.stat(s).st_mtime for s in sources)


class Ingredients:
    """Where everything is taken from."""

    def __init__(self, xen_elf=None, xen_tools=None):
        paths = packages()
        self.xen_root = pathlib.Path(paths.get("XEN_ROOT") or "/nonexistent")
        if not self.xen_root.is_dir():
            raise Missing("hypervisor and kernel are not here; run: sh tests/deps.sh --xen")
        self.foreign_elf = xen_elf
        trees = [xen_tools] if xen_tools else [paths["PEER_ROOT"]]
        if xen_elf and not xen_tools:
            print("XEN_ELF without XEN_TOOLS: Debian's tools will not fit another version")
        self.trees = [pathlib.Path(tree) for tree in trees]
        self.all_trees = self.trees + [self.xen_root, pathlib.Path("/")]

    def one(self, pattern, trees=None):
        """The first file that matches the pattern in one of the trees."""
        for tree in trees or self.all_trees:
            for path in sorted(tree.glob(pattern)):
                if path.is_file():
                    return path
        return None

    def need(self, pattern, trees=None):
        path = self.one(pattern, trees)
        if not path:
            raise Missing(f"{pattern} is in none of {', '.join(map(str, trees or self.all_trees))}")
        return path

    def program(self, name):
        """A program of the Xen tools; a directory bin or sbin holds it in every layout."""
        for where in ("usr/lib/xen-*/bin", "usr/lib/xen/bin", "usr/local/lib/xen/bin",
                      "usr/local/libexec/xen/bin", "usr/libexec/xen/bin", "usr/local/lib/xen/tests",
                      "usr/sbin", "usr/bin", "usr/local/sbin", "usr/local/bin"):
            path = self.one(f"{where}/{name}", self.trees)
            if path:
                return path
        return None

    def place_of(self, path):
        """Where this file of the tools would be if they were installed."""
        return next(str(path.relative_to(tree)) for tree in self.trees if tree in path.parents)

    def library(self, name):
        for tree in self.all_trees:
            for where in LIBRARY_DIRS:
                path = self.one(f"{where}/{name}", [tree])
                if path:
                    return path
        raise Missing(f"the library {name} is neither in the packages nor on this machine")

    # -- hypervisor and kernel --------------------------------------------------------------

    def hypervisor(self):
        if self.foreign_elf:
            return pathlib.Path(self.foreign_elf)
        packed = self.need("boot/xen-4.17-amd64.gz", [self.xen_root])
        target = OUT / "xen.elf"
        if not newer(target, packed):
            target.write_bytes(gzip.decompress(packed.read_bytes()))
        return target

    def kernel_version(self):
        return self.need("boot/vmlinuz-*", [self.xen_root]).name.partition("-")[2]

    def kernel(self):
        """The kernel's ELF file, for dom0 and for guests; unpacking it in emulation takes long."""
        image = self.need("boot/vmlinuz-*", [self.xen_root])
        target = OUT / "vmlinux"
        if not newer(target, image):
            data = image.read_bytes()
            start = (data[0x1F1] + 1) * 512 + struct.unpack_from("<I", data, 0x248)[0]
            length = struct.unpack_from("<I", data, 0x24C)[0]
            # The last four bytes are the unpacked size, behind the end of the stream.
            target.write_bytes(lzma.LZMADecompressor().decompress(data[start : start + length]))
        return target

    def module(self, name):
        return self.need(f"lib/modules/{self.kernel_version()}/kernel/**/{name}.ko",
                         [self.xen_root])


def tiny_guest():
    """The guest of our own, compiled."""
    directory = HERE / "guest"
    sources = sorted(directory.glob("*.c")) + [directory / "start.S"]
    target = OUT / "guest.elf"
    if not newer(target, *directory.iterdir()):
        subprocess.run(["gcc", *CFLAGS, f"-Wl,-T,{directory / 'guest.ld'}", "-o", str(target),
                        *map(str, sources)], check=True)
    return target


def dynamic(path):
    """(libraries that it needs, its program interpreter)"""
    text = subprocess.run(["readelf", "-d", "-l", str(path)], check=True, capture_output=True,
                          text=True).stdout
    interpreter = re.search(r"Requesting program interpreter: ([^\]]+)", text)
    return (re.findall(r"\(NEEDED\).*\[([^\]]+)\]", text), interpreter and interpreter.group(1))


class FileSystem:
    """An archive that brings along what the programs in it need."""

    def __init__(self, archive, ingredients):
        self.archive = archive
        self.ingredients = ingredients
        archive.link("var/run", "/run")
        for path in ("proc", "sys", "dev", "run", "tmp"):
            archive.directory(path)
        busybox = ingredients.need("bin/busybox", [ingredients.xen_root])
        archive.file("bin/busybox", busybox, 0o755)
        archive.link("bin/sh", "busybox")
        for name in MODULES:
            archive.file(f"modules/{name}.ko", ingredients.module(name))

    def program(self, path, source):
        self.archive.file(path, source, 0o755)
        self.libraries_of(source)

    def libraries_of(self, source):
        needed, interpreter = dynamic(source)
        if interpreter:
            self.archive.file(interpreter, os.path.realpath(interpreter), 0o755)
        for name in needed:
            self.library(name)

    def library(self, name):
        source = self.ingredients.library(name)
        path = f"usr/lib/x86_64-linux-gnu/{source.name}"
        if path not in self.archive:
            self.archive.link("lib/x86_64-linux-gnu", "../usr/lib/x86_64-linux-gnu")
            self.archive.file(path, source, 0o755)
            self.libraries_of(source)


def python_modules(entry, directories):
    """The files of all modules of this machine's Python that the given program imports."""
    script = ("import json, sys; sys.path[:0] = sys.argv[2:]; before = set(sys.modules); "
              "__import__(sys.argv[1]); "
              "print(json.dumps([m.__spec__.origin for m in list(sys.modules.values()) "
              "if getattr(m, '__spec__', None) and m.__spec__.has_location]))")
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-B", "-c", script, entry,
                           *map(str, directories)], check=True, capture_output=True, text=True)
    return [path for path in json.loads(done.stdout) if path.startswith("/usr/lib/python3")]


def add_python(system, directories):
    """The interpreter and its modules, compiled ones where there are any: that saves seconds."""
    program = os.path.realpath("/usr/bin/python3")
    system.program("usr/bin/python3", program)
    library = f"/usr/lib/{os.path.basename(program)}"
    # The interpreter looks for these when it starts, before anything is imported by name.
    landmarks = [f"{library}/os.py"] + [f"{library}/encodings/{name}.py" for name in
                                        ("__init__", "aliases", "utf_8", "latin_1", "ascii")]
    system.archive.directory(f"{library}/lib-dynload")
    for path in landmarks + python_modules("run", directories):
        directory, name = os.path.split(path)
        compiled = glob.glob(f"{directory}/__pycache__/{name.removesuffix('.py')}.cpython-3??.pyc")
        if name.endswith(".so"):
            system.program(path, path)
        elif compiled:
            # In the place of the source, so that no time stamps are compared.
            system.archive.file(f"{directory}/{name}c", compiled[0])
        else:
            system.archive.file(path, path)


def linux_guest(ingredients):
    """The file system of a Linux guest: the clients of the store and a script."""
    target = OUT / "linux-guest.cpio"
    with Archive(target) as archive:
        system = FileSystem(archive, ingredients)
        archive.file("init", HERE / "guest" / "linux-init", 0o755)
        archive.data("sbin/poweroff", b"#!/bin/sh\nexec busybox poweroff -f\n", 0o755)
        xenstore = ingredients.program("xenstore") or ingredients.need("usr/bin/xenstore-read")
        system.program("bin/xenstore", xenstore)
        for name in CLIENTS:
            archive.link(f"bin/xenstore-{name}", "xenstore")
    return target


def program(daemon, where, control):
    """A daemon of ours with what belongs to it, as pairs for dom0(); none if there is none."""
    if not daemon:
        return []
    plugin = daemon.parent / "domstate-xenctrl.so"
    files = [(f"{where}/xenstored", daemon), ("bin/xenstore-control", control)]
    return files + ([(f"{where}/domstate-xenctrl.so", plugin)] if plugin.exists() else [])


def dom0(name, ingredients, settings, ours, checks=(HERE / "dom0",), programs=PROGRAMS, files=()):
    """dom0's file system.

    ours: programs of our own, each with its path in there, which come before those of the Xen
    tools; checks: directories with the checks, the first that has a file wins; files: further
    ones, each with its path.
    """
    target = OUT / name
    with Archive(target) as archive:
        system = FileSystem(archive, ingredients)
        for path in ("run/xenstored", "run/xen", "var/lib/xen", "var/lib/xenstored",
                     "var/log/xen", "dev/pts", "etc/xen", "mnt"):
            archive.directory(path)
        archive.data("etc/xen/xl.conf", b'autoballoon="off"\n')
        archive.file("init", HERE / "dom0" / "init", 0o755)
        for directory in checks:
            for source in sorted(directory.glob("*.py")):
                archive.file(f"checks/{source.name}", source)
        archive.file("checks/xswire.py", TOP / "tests" / "lib" / "xswire.py")
        archive.data("checks/settings.json", json.dumps(settings).encode())
        for path, source in ours:
            system.program(path, source)
        for path, source in files:
            archive.file(path, source)
        for tool in programs:
            source = ingredients.program(tool)
            if source and f"sbin/{tool}" not in archive:
                system.program(f"sbin/{tool}", source)
        # The toolstack calls this one by the path at which it was installed.
        helper = ingredients.program("libxl-save-helper")
        if helper:
            system.program(ingredients.place_of(helper), helper)
        for client in CLIENTS:
            archive.link(f"bin/xenstore-{client}", "/sbin/xenstore")
        for tool in ("xl", "xen-init-dom0", "xenconsoled", "xenstore"):
            if f"sbin/{tool}" not in archive:
                raise Missing(f"the Xen tools have no {tool}")
        for library in EXTRA_LIBRARIES:
            system.library(library)
        add_python(system, [*checks, TOP / "tests" / "lib"])
        archive.file("guest/tiny.elf", tiny_guest())
        if settings["linux"]:
            archive.file("guest/vmlinux", ingredients.kernel())
            archive.file("guest/linux.cpio", linux_guest(ingredients))
    return target
