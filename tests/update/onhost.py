# SPDX-License-Identifier: GPL-2.0-or-later
"""A daemon on a simulated host, with guests on rings, that is updated while it is used."""

import os
import subprocess

from tests.lib import xswire
from tests.lib.daemon import binary
from tests.peers import peer
from tests.simxen.host import SIMXEN, Host
from tests.update.live import DEADLINE, Live


class HostLive(Live):
    """One of our daemons, or one of Debian's (program=), on a host of its own."""

    def __init__(self, *options, program=None, host_options=(), env=None):
        self.host = Host(*host_options)
        rundir = os.path.join(self.host.base, "run")
        os.makedirs(rundir, exist_ok=True)
        self.program = program or binary()
        more = ["-N", "--pid-file", os.path.join(rundir, "pid"), *options]
        if not program:
            more += ["--rundir", rundir]
        environment = {"SIMXEN_DIR": self.host.dir, "LD_LIBRARY_PATH": peer.extracted()["PEER_LIBS"]}
        super().__init__(rundir=rundir, env={**environment, **(env or {})},
                         command=[SIMXEN, "exec", "--rundir", rundir, "--", self.program, *more])
        self.host.env["XENSTORED_RUNDIR"] = rundir

    def start(self, wait=True):
        try:
            return super().start(wait)
        except BaseException:
            self.host.close()
            raise

    def guest(self, domid):
        """A connection whose other end is the guest's ring."""
        return self.crowd([domid])[0]

    def crowd(self, domids, timeout=DEADLINE):
        """guest() for many.  The command only starts the bridge, which ends with the connection."""
        clients = []
        for domid in domids:
            with subprocess.Popen([SIMXEN, "guest", str(domid), "--", "sh", "-c",
                                   'echo "$XENSTORED_PATH"; read line'], env=self.host.env,
                                  text=True, stdin=subprocess.PIPE,
                                  stdout=subprocess.PIPE) as process:
                path = process.stdout.readline().strip()
                clients.append(xswire.Client(path, timeout=timeout))
                process.stdin.write("\n")
        self.clients += clients
        return clients

    def stop(self):
        try:
            super().stop()
        finally:
            self.host.close()
