# SPDX-License-Identifier: GPL-2.0-or-later
"""The service manager's units, as "make install" and "make install-unit" put them."""

import os
import subprocess

import pytest

from tests.lib.daemon import ROOT

UNITS = ("xenstored.service", "xenstore-9pfsd.service")


@pytest.fixture(scope="module")
def prefix(tmp_path_factory):
    path = tmp_path_factory.mktemp("prefix")
    install(path, "install")
    assert not os.path.exists(unit(path, "xenstored.service")), "it was not asked for"
    install(path, "install-unit")
    return path


def install(prefix, target):
    done = subprocess.run(["make", "-o", "all", target, f"prefix={prefix}"], cwd=ROOT,
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def unit(prefix, name):
    return str(prefix / "lib/systemd/system" / name)


def settings(prefix, name):
    """All values of each setting."""
    found = {}
    with open(unit(prefix, name), encoding="ascii") as file:
        for line in file:
            if "=" in line and not line.startswith("#"):
                key, value = line.rstrip("\n").split("=", 1)
                found.setdefault(key, []).append(value)
    return found


@pytest.mark.parametrize("name", UNITS)
def test_the_service_manager_understands_it(prefix, name):
    done = subprocess.run(["systemd-analyze", "--man=no", "verify", unit(prefix, name)],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    complaints = [line for line in done.stderr.splitlines() if name in line]
    assert not complaints


@pytest.mark.parametrize("name", UNITS)
def test_its_program_is_installed(prefix, name):
    found = settings(prefix, name)
    program = found["ExecStart"][0].split()[0]
    assert program == str(prefix / "sbin" / name.removesuffix(".service"))
    assert os.access(program, os.X_OK)
    done = subprocess.run([program, "--help"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL)
    assert done.returncode == 0
    page = found["Documentation"][0].removeprefix("man:").replace("(", ".").rstrip(")")
    assert (prefix / "share/man/man8" / page).exists()


def test_files_are_served_with_few_rights(prefix):
    """No more exposed than 2 of 10 by systemd's own measure; but what is needed is there."""
    done = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=20",
                           unit(prefix, "xenstore-9pfsd.service")],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    found = settings(prefix, "xenstore-9pfsd.service")
    assert found["CapabilityBoundingSet"] == [""]
    assert found["DeviceAllow"] == [f"/dev/xen/{name} rw" for name in ("evtchn", "gntdev", "xenbus")]
    assert "PrivateDevices" not in found
    places = found["ReadWritePaths"][0].replace("-", "").split()
    for path in ("/run/xen", "/var/log/xen", "/var/lib/xen"):
        assert path in places


def test_the_store_is_not_stopped(prefix):
    found = settings(prefix, "xenstored.service")
    assert found["RefuseManualStop"] == ["true"]
    assert found["OOMScoreAdjust"] == ["-1000"]
    assert "Restart" not in found
