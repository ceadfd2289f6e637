# SPDX-License-Identifier: GPL-2.0-or-later
"""DIRECTORY and DIRECTORY_PART: order of creation, limits, and the exact bytes of a part.

spec: protocol.md section 8.
"""

import pytest

from tests.lib.xswire import Type, strings


def part(client, path, offset, tx=0):
    return client.request(Type.DIRECTORY_PART, strings(path, offset), tx).payload


def expected_part(generation, listing, offset):
    """The reply by the words of the protocol, kept as plain as they are."""
    head = generation + b"\0"
    if offset >= len(listing):
        return head + b"\0"
    room = 4095 - len(head)
    pos = offset
    while pos < len(listing):
        end = listing.index(b"\0", pos) + 1
        if end - offset > room:
            break
        pos = end
    data = listing[offset:pos]
    return head + data + (b"\0" if pos == len(listing) else b"")


def fill(client, path, names):
    client.pipeline_ok((Type.WRITE, strings(f"{path}/{name}")) for name in names)


def test_order_of_creation(client):
    names = ["zebra", "apple", "10", "9", "B", "a", "_", "-", "@x"]
    fill(client, "/dir", names)
    assert client.ls("/dir") == names
    assert client.ls_parts("/dir") == names


def test_order_after_removals_and_additions(client):
    names = [str(n) for n in range(20)]
    fill(client, "/dir", names)
    for gone in ("0", "7", "19"):
        client.rm(f"/dir/{gone}")
        names.remove(gone)
    assert client.ls("/dir") == names
    fill(client, "/dir", ["7", "new", "0"])
    assert client.ls("/dir") == names + ["7", "new", "0"]
    assert client.ls_parts("/dir") == names + ["7", "new", "0"]


def test_overwriting_a_child_does_not_move_it(client):
    fill(client, "/dir", ["a", "b", "c"])
    client.write("/dir/a", b"again")
    client.mkdir("/dir/b")
    client.set_perms("/dir/a", ["r0"])
    client.write("/dir/a/below", b"x")
    assert client.ls("/dir") == ["a", "b", "c"]


def test_order_within_and_after_a_transaction(client, other):
    fill(client, "/dir", ["c", "b"])
    tx = client.transaction_start()
    client.write("/dir/z", b"", tx)
    client.write("/dir/a", b"", tx)
    assert client.ls("/dir", tx) == ["c", "b", "z", "a"]
    assert other.ls("/dir") == ["c", "b"]
    client.transaction_end(tx)
    assert other.ls("/dir") == ["c", "b", "z", "a"]


def test_leaf_is_empty(client):
    client.mkdir("/leaf")
    assert client.request(Type.DIRECTORY, b"/leaf\0").payload == b""


def test_special_nodes_are_not_listed(client):
    assert client.ls("/") == ["tool"]


def test_raw_listing(client):
    fill(client, "/dir", ["a", "bb", "ccc"])
    assert client.request(Type.DIRECTORY, b"/dir\0").payload == b"a\0bb\0ccc\0"


def test_e2big_starts_at_4097_bytes(client):
    # XSA-72: the connection stays usable.
    names = [f"{n:07d}" for n in range(512)]
    fill(client, "/dir", names)
    assert client.ls("/dir") == names
    client.write("/dir/x", b"")
    assert client.error_of(Type.DIRECTORY, b"/dir\0") == "E2BIG"
    assert client.ls_parts("/dir") == names + ["x"]
    client.rm("/dir/x")
    assert client.ls("/dir") == names
    client.sync()


def test_e2big_in_a_transaction(client):
    names = [f"{n:07d}" for n in range(513)]
    fill(client, "/dir", names)
    tx = client.transaction_start()
    assert client.error_of(Type.DIRECTORY, b"/dir\0", tx) == "E2BIG"
    assert client.ls_parts("/dir", tx) == names
    client.transaction_end(tx)


def test_part_of_a_small_directory(client):
    fill(client, "/dir", ["a", "bb", "ccc"])
    answer = part(client, "/dir", 0)
    generation, _, rest = answer.partition(b"\0")
    assert generation.isdigit()
    assert rest == b"a\0bb\0ccc\0\0"


def test_part_of_a_leaf(client):
    client.mkdir("/leaf")
    for offset in (0, 1, 4096):
        generation, _, rest = part(client, "/leaf", offset).partition(b"\0")
        assert generation.isdigit() and rest == b"\0"


def test_part_behind_the_end(client):
    fill(client, "/dir", ["a", "bb"])
    generation = part(client, "/dir", 0).partition(b"\0")[0]
    for offset in (5, 6, 1000, 4294967295):
        assert part(client, "/dir", offset) == generation + b"\0\0"


@pytest.mark.parametrize("offset,rest", [(1, b"\0bb\0\0"), (2, b"bb\0\0"), (3, b"b\0\0"), (4, b"\0\0")])
def test_part_from_the_middle_of_a_name(client, offset, rest):
    fill(client, "/dir", ["a", "bb"])
    generation = part(client, "/dir", 0).partition(b"\0")[0]
    assert part(client, "/dir", offset) == generation + b"\0" + rest


@pytest.mark.parametrize("offset", ["", "x", "0x1", "  0", "+0", "0abc", "-0"])
def test_part_offset_is_read_leniently(client, offset):
    fill(client, "/dir", ["a", "bb"])
    assert part(client, "/dir", offset) == part(client, "/dir", "0")


def test_part_negative_offset_is_huge(client):
    fill(client, "/dir", ["a", "bb"])
    generation = part(client, "/dir", 0).partition(b"\0")[0]
    assert part(client, "/dir", "-1") == generation + b"\0\0"


def test_part_offset_with_blank_or_sign(client):
    fill(client, "/dir", ["a", "bb"])
    assert part(client, "/dir", " 2") == part(client, "/dir", "2")
    assert part(client, "/dir", "+2") == part(client, "/dir", "2")
    assert part(client, "/dir", "2tail") == part(client, "/dir", "2")


def test_part_argument_count(client):
    for payload in (b"", b"/", b"/\0", b"/\0" + b"0", b"/\0" + b"0\0\0", b"/\0" + b"0\0x\0"):
        assert client.error_of(Type.DIRECTORY_PART, payload) == "EINVAL", payload
    for payload, error in ((b"/q\0" + b"0\0", "ENOENT"), (b"/q/\0" + b"0\0", "EINVAL")):
        assert client.error_of(Type.DIRECTORY_PART, payload) == error


@pytest.mark.parametrize("lengths", [(1,), (8,), (2, 5, 11), (100,), (1000, 3), (4000, 1)])
def test_part_cuts_between_names_exactly(client, lengths):
    """Every offset at a boundary, and some inside names, against the words of the protocol."""
    names = []
    total = 0
    while total < 12000:
        length = lengths[len(names) % len(lengths)]
        index = str(len(names))
        name = index + "n" * (length - len(index)) if length > len(index) else index
        names.append(name)
        total += len(name) + 1
    fill(client, "/dir", names)
    listing = strings(*names)
    generation = part(client, "/dir", 0).partition(b"\0")[0]
    offsets = {0, 1, 2, len(listing) - 1, len(listing) - 2, len(listing) - 4096, len(listing)}
    pos = 0
    for name in names:
        offsets.add(pos)
        offsets.add(pos + len(name))
        pos += len(name) + 1
    ordered = sorted(offsets)[:: max(1, len(offsets) // 1500)] + sorted(offsets)[-1500:]
    replies = client.pipeline_ok((Type.DIRECTORY_PART, strings("/dir", o)) for o in ordered)
    for offset, reply in zip(ordered, replies):
        assert reply.payload == expected_part(generation, listing, offset), offset
        assert len(reply.payload) <= 4096


def test_part_at_the_edge_of_a_reply(client):
    """Lists that just fit, just do not fit, and fit but for the byte that marks the end."""
    sizes = range(4060, 4100)
    for size in sizes:
        fill(client, f"/edge/{size}", [f"{n:09d}" for n in range(400)] + ["z" * (size - 4001)])
    for size in sizes:
        path = f"/edge/{size}"
        listing = strings(*[f"{n:09d}" for n in range(400)], "z" * (size - 4001))
        answer = part(client, path, 0)
        assert len(answer) <= 4096, size
        assert answer == expected_part(answer.partition(b"\0")[0], listing, 0), size
        assert strings(*client.ls_parts(path)) == listing


def test_generation_changes_with_value_permissions_and_children_only(client):
    fill(client, "/dir", ["a"])

    def generation():
        return client.directory_part("/dir")[0]

    seen = [generation()]

    def changed():
        seen.append(generation())
        return seen[-1] not in seen[:-1]

    assert not changed()
    client.read("/dir")
    client.mkdir("/dir/a")
    client.write("/dir/a", b"value")
    client.write("/dir/a/deeper", b"value")
    client.set_perms("/dir/a", ["r0"])
    client.rm("/dir/a/deeper")
    client.rm("/dir/missing")
    assert not changed()
    client.write("/dir", b"value")
    assert changed()
    client.write("/dir", b"value")
    assert changed()
    client.set_perms("/dir", ["r0"])
    assert changed()
    client.write("/dir/b", b"")
    assert changed()
    client.rm("/dir/b")
    assert changed()
    client.rm("/dir")
    client.write("/dir/a", b"")
    assert changed()


def test_generation_changes_when_a_transaction_changes_the_node(client, other):
    fill(client, "/dir", ["a"])
    before = client.directory_part("/dir")[0]
    tx = client.transaction_start()
    client.write("/dir/b", b"", tx)
    assert other.directory_part("/dir")[0] == before
    client.transaction_end(tx)
    assert other.directory_part("/dir")[0] != before


def test_a_hundred_thousand_children(client):
    names = [f"child-{n:06d}" for n in range(100000)]
    fill(client, "/huge", names)
    assert client.ls_parts("/huge") == names
    assert client.error_of(Type.DIRECTORY, b"/huge\0") == "E2BIG"
    # Remove some at both ends and in the middle, add, and walk again.
    gone = set(names[:10] + names[-10:] + names[50000:50010])
    client.pipeline_ok((Type.RM, strings(f"/huge/{name}")) for name in gone)
    fill(client, "/huge", ["late"])
    assert client.ls_parts("/huge") == [n for n in names if n not in gone] + ["late"]
    client.rm("/huge")
    assert client.ls("/") == ["tool"]


def test_a_change_during_a_walk_shows_in_the_generation(client, other):
    names = [f"{n:07d}" for n in range(2000)]
    fill(client, "/dir", names)
    first, data, end = client.directory_part("/dir", 0)
    assert not end
    other.write("/dir/new", b"")
    second, _, _ = client.directory_part("/dir", len(data))
    assert second != first
    assert client.ls_parts("/dir") == names + ["new"]


def test_walk_in_a_transaction_is_not_disturbed(client, other):
    names = [f"{n:07d}" for n in range(2000)]
    fill(client, "/dir", names)
    tx = client.transaction_start()
    _, data, _ = client.directory_part("/dir", 0, tx)
    other.write("/dir/new", b"")
    assert client.ls_parts("/dir", tx) == names
    assert data.startswith(b"0000000\0")
    client.transaction_end(tx, commit=False)
