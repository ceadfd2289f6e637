# SPDX-License-Identifier: GPL-2.0-or-later
"""What deps.sh fetches: repeated, interrupted, and with packages that are gone.

The real package manager is replaced by a script that makes tiny packages, keeps a record
of its calls, and fails as told by its environment.
"""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

DEPS = Path(__file__).resolve().parents[1] / "deps.sh"
FAKE_APT_GET = """\
echo "$*" >>"$RECORD"
case " $* " in *" download "*) ;; *) exit 0 ;; esac
for package; do :; done
case " $GONE " in *" $package "*)
	echo "E: Unable to locate package $package" >&2
	exit 100 ;;
esac
case " $BROKEN " in *" $package "*)
	echo "half a pack" >"${package}_1.0_all.deb"
	exit 100 ;;
esac
mkdir -p tree/DEBIAN tree/usr/share/$package
printf 'Package: %s\\nVersion: 1.0\\nArchitecture: all\\nMaintainer: x <x@x>\\nDescription: x\\n' \\
	"$package" >tree/DEBIAN/control
echo content >tree/usr/share/$package/file
dpkg-deb --build tree "${package}_1.0_all.deb" >/dev/null
rm -r tree
"""


class Machine:
    """A cache directory and a package manager of its own."""

    def __init__(self, directory):
        self.cache = directory / "xenstored-tests"
        self.record = directory / "record"
        self.programs = directory / "bin"
        self.programs.mkdir()
        self.pretend("apt-get", FAKE_APT_GET)
        self.environment = dict(os.environ, XDG_CACHE_HOME=str(directory), RECORD=str(self.record),
                                PATH=f"{self.programs}:{os.environ['PATH']}")

    def pretend(self, program, script):
        """Puts a script in the place of a program."""
        (self.programs / program).write_text("#!/bin/sh\n" + script)
        (self.programs / program).chmod(0o755)

    def run(self, *arguments, gone="", broken=""):
        self.record.write_text("")
        return subprocess.run(["sh", str(DEPS), *arguments], capture_output=True, text=True,
                              env=dict(self.environment, GONE=gone, BROKEN=broken), timeout=300)

    def fetch(self, **how):
        result = self.run("--fetch", **how)
        assert result.returncode == 0, result.stderr
        return result.stdout

    def asked_for(self):
        return {line.split()[-1] for line in self.record.read_text().splitlines()
                if " download " in line}

    def versions(self):
        return dict(line.split() for line in (self.cache / "versions").read_text().splitlines())

    def has(self, package):
        return (self.cache / "root" / "usr" / "share" / package / "file").exists()


@pytest.fixture
def machine(tmp_path):
    if not shutil.which("dpkg-deb"):
        pytest.skip("no dpkg-deb")
    return Machine(tmp_path)


def test_all_is_fetched_and_recorded_and_then_left_alone(machine):
    machine.fetch()
    packages = machine.asked_for()
    assert "xen-utils-4.17" in packages
    assert machine.versions() == {package: "1.0" for package in packages}
    assert all(machine.has(package) for package in packages)
    assert machine.fetch() == ""
    assert machine.record.read_text() == ""


def test_a_vanished_package_is_recorded_and_no_error(machine):
    output = machine.fetch(gone="libyajl2")
    assert "libyajl2: Unable to locate package libyajl2" in output
    missing = (machine.cache / "missing").read_text()
    assert missing == "libyajl2: Unable to locate package libyajl2\n"
    assert "libyajl2" not in machine.versions()
    assert machine.has("xen-utils-4.17")
    machine.fetch()
    assert machine.record.read_text() == "", "it is not asked for again at once"


def test_a_package_that_comes_back_is_fetched(machine):
    machine.fetch(gone="libyajl2")
    os.utime(machine.cache / "missing", (0, 0))
    machine.fetch()
    assert machine.asked_for() == {"libyajl2"}
    assert machine.has("libyajl2") and machine.has("xen-utils-4.17")
    assert not (machine.cache / "missing").exists()


def test_a_broken_download_does_not_count(machine):
    machine.fetch(broken="libxenstore4")
    assert "libxenstore4" not in machine.versions()
    assert "libxenstore4: " in (machine.cache / "missing").read_text()
    assert not list((machine.cache / "debs").glob("libxenstore4_*"))


def test_an_interrupted_run_is_done_again(machine):
    machine.fetch()
    (machine.cache / "versions").unlink()
    (machine.cache / "debs" / "libyajl2_1.0_all.deb").write_bytes(b"half a pack")
    machine.fetch()
    assert "libyajl2" in machine.asked_for()
    assert machine.has("libyajl2")
    assert not list(machine.cache.glob("scratch.*"))
    assert not list(machine.cache.glob("root.*"))


def test_a_lost_tree_is_restored(machine):
    machine.fetch()
    shutil.rmtree(machine.cache / "root")
    machine.fetch()
    assert machine.has("xen-utils-4.17")


def test_the_environment_names_what_is_there_and_only_that(machine):
    machine.fetch()
    output = machine.run("--print-env").stdout
    assert f"PEER_ROOT='{machine.cache}/root'\n" in output
    assert "DEBIAN_XENSTORED=\n" in output, "the tiny packages hold no daemon"
    assert machine.record.read_text() == ""


@pytest.mark.parametrize("arguments", [[], ["--check"]])
def test_without_privilege_what_is_missing_is_named(machine, arguments):
    machine.pretend("id", "echo 1000")
    machine.pretend("dpkg-query", "echo installed make")
    result = machine.run(*arguments)
    assert result.returncode == 1
    assert "missing packages: gcc libc6-dev" in result.stderr
    assert machine.record.read_text() == ""


@pytest.mark.skipif(os.path.exists("/proc/xen/capabilities"), reason="this is a dom0")
def test_root_sees_the_command_that_is_run(machine):
    machine.pretend("id", "echo 0")
    machine.pretend("dpkg-query", "echo installed make")
    result = machine.run()
    assert result.returncode == 0, result.stderr
    command = next(line for line in result.stdout.splitlines() if "apt-get install" in line)
    assert "--no-install-recommends" in command and " make" not in command
    assert command.partition("apt-get ")[2] in machine.record.read_text().splitlines()


def test_nothing_is_installed_when_nothing_is_missing(machine):
    machine.pretend("dpkg-query", 'for package; do echo "installed $package"; done')
    assert machine.run().returncode == 0
    assert "install" not in machine.record.read_text()
