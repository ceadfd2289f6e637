# SPDX-License-Identifier: GPL-2.0-or-later
"""Random requests of clients of which half are guests, so that access and quotas matter.

Every domain has a home of its own, and the shared directories are open to some of them. Who
may do what changes all the time: owners, entries of other domains, targets. Quotas are small,
so that guests meet them; domain 0, which has none, clears up.
"""

from tests.lib.xswire import Type, strings
import generate
from generate import SHARED, Generator, home

# The domain of each connection.
DOMIDS = (0, 0, 0, 1, 2, 3)
GUESTS = tuple(sorted(set(DOMIDS) - {0}))
HOMES = {domid: home(domid)[:-1] for domid in (0,) + GUESTS}
# No domain has this id, and none ever had.
NOBODY = [7, 9, 32751]

NODES, WATCHES, TRANSACTIONS, PERMISSIONS, SIZE = 60, 12, 3, 4, 1000
WATCHED_AT_MOST = WATCHES + 3

ROOT_PERMISSIONS = {
    "/": ["r0"], "/a": ["b0"], "/b": ["r0", "b1", "n2"], "/s": ["b0"], "/big": ["r0"],
    "/p0": ["b0"], "/p1": ["b0"], "/p2": ["b0", "n1"], "/p3": ["r0", "b2"], "/p4": ["n0", "b3"],
    "/p5": ["n0"],
}


def refill(client):
    """Makes the tree with which every session begins."""
    for name in client.ls_parts("/"):
        client.rm("/" + name)
    client.write("/", b"")
    for domid, path in HOMES.items():
        client.mkdir(path)
        client.set_perms(path, [f"n{domid}"])
    for path, permissions in ROOT_PERMISSIONS.items():
        if path != "/":
            client.mkdir(path)
        client.set_perms(path, permissions)
    for name in generate.BIG_NAMES:
        client.write(f"{generate.BIG}/{name}", name[:3].encode())


class GuestGenerator(Generator):
    """Yields the steps of domain 0's clients and of guests."""

    def __init__(self, seed, conflicts=0.3):
        super().__init__(seed, len(DOMIDS), conflicts)
        more = [(0.1, self._set_target, None), (1.5, self._clear_up, None)]
        self._verbs += more
        self._weights += [weight for weight, _, _ in more]

    def _turn(self):
        connection = super()._turn()
        self._domid = DOMIDS[connection]
        return connection

    def _root(self):
        chance = self._random.random()
        if self._domid and chance < 0.35:
            return HOMES[self._domid]
        if chance < 0.5:
            return HOMES[self._random.choice(GUESTS)]
        return super()._root()

    def _value(self):
        if self._random.random() < 0.03:
            # About as much as a node of a guest may hold.
            return b"v" * (SIZE - self._random.randrange(60))
        return super()._value()

    def _permission_list(self):
        """An owner, mostly one whom the caller may name, and who else has access."""
        letters = "nrwb"
        owner = self._domid
        if self._random.random() < (0.25 if self._domid else 0.4):
            owner = self._random.choice(DOMIDS)
        result = [self._random.choice(letters) + str(owner)]
        for _ in range(self._random.choice([0, 0, 1, 1, 2, PERMISSIONS - 1, PERMISSIONS])):
            result.append(self._random.choice(letters) + str(self._random.choice(DOMIDS)))
        if self._random.random() < 0.1:
            result.append(self._random.choice(generate.ENTRIES))
        if self._random.random() < 0.02:
            result[0] = f"n{self._random.choice(NOBODY)}"
        return result

    def _set_perms(self, connection, root=None, **more):
        path = self._path(root)
        if path in generate.ROOTS + list(HOMES.values()) and self._random.random() < 0.8:
            path += "/" + self._random.choice(generate.NAMES)
        payload = strings(path, *self._permission_list())
        return self._request(connection, Type.SET_PERMS, payload, **more)

    def _path_request(self, connection, type_, root=None, **more):
        step = super()._path_request(connection, type_, root, **more)
        path = step.payload[:-1].decode()
        if type_ == Type.RM and path in HOMES.values() and self._random.random() < 0.9:
            return self._request(connection, type_, strings(path + "/a"), **more)
        return step

    def _watch(self, connection):
        if self._domid and len(self._watches[connection]) >= WATCHED_AT_MOST:
            return self._unwatch(connection)
        return super()._watch(connection)

    def _domain_request(self, connection):
        type_ = self._random.choice([Type.GET_DOMAIN_PATH, Type.IS_DOMAIN_INTRODUCED, Type.RELEASE,
                                     Type.RESUME, Type.SET_TARGET, Type.INTRODUCE, Type.CONTROL])
        nobody = self._random.choice(NOBODY)
        somebody = self._random.choice(DOMIDS)
        payload = {
            Type.GET_DOMAIN_PATH: strings(self._random.choice([nobody, somebody, 65535])),
            Type.IS_DOMAIN_INTRODUCED: strings(self._random.choice([nobody, somebody, 32752])),
            Type.RELEASE: strings(self._random.choice([0, nobody])),
            Type.RESUME: strings(self._random.choice([nobody, somebody])),
            Type.SET_TARGET: strings(nobody, self._random.choice([0, 9])),
            Type.INTRODUCE: strings(nobody, 0, self._random.choice([0, 5])),
            Type.CONTROL: strings(self._random.choice(["", "nonsense", "chec", "HELP"])),
        }[type_]
        return self._request(connection, type_, payload)

    def _set_target(self, connection):
        one, other = self._random.sample(GUESTS, 2)
        return self._request(connection, Type.SET_TARGET, strings(one, other))

    def _clear_up(self, connection):
        """Domain 0 removes what guests have made, so that they may make more."""
        if self._domid:
            return self._path_request(connection, Type.RM)
        path = self._random.choice(SHARED + [HOMES[domid] for domid in GUESTS])
        path += "/" + self._random.choice(generate.NAMES)
        return self._request(connection, Type.RM, strings(path))

    def _broken_message(self, connection):
        return super()._broken_message(connection) if not self._domid else self._reopen(connection)
