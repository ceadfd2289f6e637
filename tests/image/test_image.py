# SPDX-License-Identifier: GPL-2.0-or-later
"""xenstore-image as its users see it."""

import json
import subprocess

import pytest

from tests.image import image

PROGRAM = image.PROGRAM


def run(*args, status=0, stdin=b""):
    done = subprocess.run([PROGRAM, *map(str, args)], input=stdin, capture_output=True,
                          timeout=60, check=False)
    assert done.returncode == status, (done.stdout, done.stderr)
    return done


@pytest.fixture
def current(tmp_path):
    path = tmp_path / "current"
    path.write_bytes(image.CURRENT)
    return path


def records(path):
    return json.loads(run("show", "--json", path).stdout)["records"]


def kinds(path):
    return [r["type"] for r in records(path)]


def test_help_names_every_command():
    text = run("--help").stdout.decode()
    for command in ("check", "show", "convert", "extract", "diff"):
        assert f"  {command} " in text


@pytest.mark.parametrize("args", [(), ("nonsense",), ("check",), ("check", "a", "b"),
                                  ("show", "/no/such/file"), ("check", "-v", "3", "x"),
                                  ("convert", "--to", "2.0", "-")])
def test_trouble_is_status_2(args):
    assert run(*args, status=2, stdin=image.CURRENT).stderr


def test_check_accepts(current):
    text = run("check", current).stdout.decode()
    assert "consistent: 3 connections, 4 watches, 9 nodes, 1 domains" in text


def test_check_reads_standard_input():
    assert b"-: consistent" in run("check", "-", stdin=image.CURRENT).stdout


def test_check_says_where(tmp_path):
    start = image.PREAMBLE + image.global_() + image.node(b"/")
    bad = tmp_path / "bad"
    bad.write_bytes(start + image.node(b"/a/b") + image.SPECIAL + image.END)
    text = run("check", bad, status=1).stdout.decode()
    assert f"offset {len(start)}: node \"/a/b\" without its parent" in text
    report = json.loads(run("check", "--json", bad, status=1).stdout)
    assert not report["consistent"]
    assert report["problems"][0]["offset"] == len(start)


@pytest.mark.parametrize("cut", [0, 8, 15, 16, 100, len(image.CURRENT) - 8])
def test_check_refuses_what_is_cut_off(tmp_path, cut):
    bad = tmp_path / "cut"
    bad.write_bytes(image.CURRENT[:cut])
    assert b"inconsistent" in run("check", bad, status=1).stdout


def test_check_prints_only_so_many_problems(tmp_path):
    bad = tmp_path / "bad"
    bad.write_bytes(image.PREAMBLE + image.global_() +
                    b"".join(image.node(b"/a/%d" % i) for i in range(30)) + image.END)
    text = run("check", "-n", 5, bad, status=1).stdout.decode()
    assert text.count("without its parent") == 5
    assert "more problems" in text


def test_show_is_a_line_for_each_record(current):
    lines = run("show", current).stdout.decode().splitlines()
    assert lines[0] == f"version 2, {len(image.CURRENT)} bytes"
    assert len(lines) == 1 + len(records(current))
    assert any('NODE path="/local" perms=n0 value="v\\x00\\xff\\""' in line for line in lines)
    assert any('NODE path="/local/domain/5/data" perms=n5,r0 value="hello"' in line
               for line in lines)


def test_show_json(current):
    all_ = records(current)
    local = next(r for r in all_ if r.get("path") == "/local" and r["type"] == "NODE")
    assert local["value"] == "v\x00\xff\""
    assert local["perms"] == ["n0"]
    deep = next(r for r in all_ if r["type"] == "WATCH_EXTENDED")
    assert (deep["connection"], deep["token"], deep["depth"]) == (3, "deep", 1)
    assert next(r for r in all_ if r["type"] == "DOMAIN")["quotas"] == {"nodes": 10}
    assert all_[0]["offset"] == 16
    assert all_[-1]["type"] == "END"


def test_show_prints_what_can_be_read(tmp_path):
    cut = tmp_path / "cut"
    cut.write_bytes(image.CURRENT[:-8])
    done = run("show", cut, status=1)
    assert b"DOMAIN domid=5" in done.stdout
    assert b"ends without an END record" in done.stderr


def test_convert_for_the_oldest(current, tmp_path):
    out = tmp_path / "old"
    lost = run("convert", "--to", "4.17", "-o", out, current).stderr.decode()
    assert "the depth of 1 watches" in lost
    assert "1 records of domains" in lost
    data = out.read_bytes()
    assert data[8:16] == bytes((0, 0, 0, 1, 0, 0, 0, 0))
    assert set(kinds(out)) == {"GLOBAL", "CONNECTION", "WATCH", "NODE", "END"}
    nodes = [r["path"] for r in records(out) if r["type"] == "NODE"]
    assert nodes[:3] == ["@releaseDomain", "@introduceDomain", "/"]
    assert not any("unique_id" in r for r in records(out))


def test_convert_by_hand_and_by_tool_are_the_same_bytes(current, tmp_path):
    """Written for the version that it is for, an image without depths stays as it is."""
    plain = tmp_path / "plain"
    plain.write_bytes(image.CURRENT.replace(image.deep_watch(3, b"/local", b"deep", 1), b""))
    out = tmp_path / "out"
    run("convert", "--to", "4.22", "-o", out, plain)
    assert out.read_bytes() == plain.read_bytes()
    run("convert", "--to", "own", "-o", out, current)
    assert out.read_bytes() == current.read_bytes()


def test_convert_to_version_1(current, tmp_path):
    out = tmp_path / "v1"
    run("convert", "--to", "4.22", "--version", 1, "-o", out, current)
    assert next(r for r in records(out) if r["type"] == "DOMAIN")["features"] == 0
    assert b"no version 2" in run("convert", "--to", "4.17", "-v", 2, current, status=2).stderr


def test_convert_puts_targets_in_front(tmp_path):
    source, out = tmp_path / "in", tmp_path / "out"
    source.write_bytes(image.PREAMBLE + image.global_() + image.ring(1, 7, 30, target=5) +
                       image.watch(1, b"a", b"1") + image.ring(2, 5, 31) + image.TREE +
                       image.SPECIAL + image.END)
    run("convert", "-o", out, source)
    order = [r.get("domid") for r in records(out) if r["type"] == "CONNECTION"]
    assert order == [5, 7]
    assert "comes before that of its target" not in run("check", out).stdout.decode()


def test_convert_leaves_a_file_alone_when_it_fails(tmp_path):
    bad, out = tmp_path / "bad", tmp_path / "out"
    bad.write_bytes(image.CURRENT[:-8])
    out.write_bytes(b"precious")
    run("convert", "-o", out, bad, status=1)
    assert out.read_bytes() == b"precious"
    assert sorted(p.name for p in tmp_path.iterdir()) == ["bad", "out"]


def test_extract(current, tmp_path):
    out = tmp_path / "five"
    run("extract", "-o", out, 5, current)
    all_ = records(out)
    assert [r["path"] for r in all_ if r["type"] == "NODE"] == [
        "/local/domain/5", "/local/domain/5/data", "/tool/5"]
    assert [r["token"] for r in all_ if r["type"] == "WATCH"] == ["tok", ""]
    connection, = [r for r in all_ if r["type"] == "CONNECTION"]
    assert (connection["domid"], connection["unique_id"]) == (5, 77)
    assert "consistent" in run("check", out).stdout.decode()
    run("extract", "-o", out, 6, current, status=1)
    run("extract", "-o", out, "x", current, status=2)


def test_diff(current, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(image.CURRENT.replace(b"hello", b"HELLO").replace(
        image.node(b"/tool/5", b"", (("b", 5), ("w", 7))), image.node(b"/tool/6"))
        .replace(image.watch(2, b"/x", b""), b""))
    assert run("diff", current, current).stdout == b""
    lines = run("diff", current, other, status=1).stdout.decode().splitlines()
    assert sorted(lines) == sorted([
        '- WATCH connection=2 path="/x" token=""',
        '- NODE path="/local/domain/5/data" perms=n5,r0 value="hello"',
        '+ NODE path="/local/domain/5/data" perms=n5,r0 value="HELLO"',
        '- NODE path="/tool/5" perms=b5,w7 value=""',
        '+ NODE path="/tool/6" perms=n0 value=""'])


def test_diff_sees_the_order_of_children(current, tmp_path):
    other = tmp_path / "other"
    first, second = image.node(b"/local", b"v\x00\xff\""), image.node(b"/tool")
    moved = image.CURRENT.replace(second, b"", 1).replace(first, second + first, 1)
    other.write_bytes(moved)
    assert run("diff", current, other, status=1).stdout.decode() == \
        "! children of / are in another order\n"


def text(data):
    return data.hex()


DUMP = "\n".join([
    "$xenstored-dump-format",
    "global,4",
    "evtchn-dev,7,3",
    "socket,11",
    "dom,0,0,1,20",
    "dom,5,1234,2,21",
    f"watch,5,{text(b'data')},{text(b'tok,en')}",
    f"watch,-11,{text(b'/local')},{text(b's')}",
    f"store,{text(b'/')},{text(b'n0')},",
    f"store,{text(b'//local')},{text(b'n0')},{text(b'v' + bytes(2))}",
    f"store,{text(b'/local/x')},{text(b'b5' + bytes(1) + b'r0')},{text(b'1')}",
    "future,1", ""])


def test_convert_from_oxenstored(tmp_path):
    dump, out = tmp_path / "db", tmp_path / "out"
    dump.write_text(DUMP)
    lost = run("convert", "--to", "own", "-o", out, dump).stderr.decode()
    assert 'line 12: lost: "future"' in lost
    all_ = records(out)
    assert (all_[0]["listen_fd"], all_[0]["evtchn_fd"]) == (4, 7)
    assert [(r["kind"], r.get("domid", r.get("fd")), r.get("port")) for r in all_
            if r["type"] == "CONNECTION"] == [("socket", 11, None), ("ring", 0, 20), ("ring", 5, 21)]
    assert sorted((r["connection"], r["path"], r["token"]) for r in all_
                  if r["type"] == "WATCH") == [(1, "/local", "s"), (3, "data", "tok,en")]
    assert [(r["path"], r["perms"], r["value"]) for r in all_ if r["type"] == "NODE"] == [
        ("/", ["n0"], ""), ("/local", ["n0"], "v\0\0"), ("/local/x", ["b5", "r0"], "1"),
        ("@introduceDomain", ["n0"], ""), ("@releaseDomain", ["n0"], "")]
    assert "consistent" in run("check", out).stdout.decode()


@pytest.mark.parametrize("line", ["store,2f,6e30", "store,2,6e30,", "store,zz,6e30,",
                                  "store,2f2f612f,6e30,", "store,2f,,", "store,2f,7830,",
                                  "dom,5,1,2", "dom,70000,1,2,3", "dom,x,1,2,3", "socket,-4"])
def test_broken_dumps_are_refused_or_reported(tmp_path, line):
    dump, out = tmp_path / "db", tmp_path / "out"
    dump.write_text("$xenstored-dump-format\nglobal,4\n" + line + "\n")
    assert f"line 3" in run("convert", "-o", out, dump, status=1).stderr.decode()
    assert not out.exists()
