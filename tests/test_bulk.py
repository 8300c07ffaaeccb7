"""Bulk: every page has one row, whatever is killed; what is finished is not read again; bad input is an error row."""

from __future__ import annotations

import errno
import io
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="parquet files: pip install 'quantvietocr[bulk]'")
pytest.importorskip("fsspec", reason="files elsewhere: pip install 'quantvietocr[bulk]'")

import pyarrow.parquet as pq
from bulk_readers import ScriptedReader, broken_reader, dying_reader, rows_of, run, settings, write_documents

from quantvietocr.bulk import places
from quantvietocr.bulk.documents import Shard
from quantvietocr.bulk.folder import FolderError, JobFolder
from quantvietocr.bulk.parquet_rows import Columns
from quantvietocr.bulk.pool import Pool, PoolError, grouped
from quantvietocr.bulk.running import running
from quantvietocr.bulk.schema import FINGERPRINT_KEY, SCHEMA_VERSION, VERSION_KEY, schema
from quantvietocr.bulk.sources import documents_of, find_sources
from quantvietocr.errors import UserError

TESTS = Path(__file__).resolve().parent


def tar_of(path: Path, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".gz" else "w") as tar:
        for name, content in members.items():
            about = tarfile.TarInfo(name)
            about.size = len(content)
            tar.addfile(about, io.BytesIO(content))


def test_every_kind_of_source_gives_its_pages(tmp_path):
    data = tmp_path / "data"
    write_documents(data / "below", ["text=a", "pages=3 text=b"])
    (data / "notes.txt").write_text("no picture")
    pq.write_table(pa.table({"image": [b"text=c", b"pages=2", None], "label": ["x", "y", "z"]}), data / "rows.parquet")
    hugging = [{"bytes": b"text=d", "path": "d.jpg"}]
    pq.write_table(pa.table({"image": hugging, "key": ["first"]}), tmp_path / "named.parquet")
    tar_of(data / "shard.tar", {"1.jpg": b"text=e", "1.json": b"{}", "in/2.jpg": b"pages=2"})
    tar_of(data / "shard.tar.gz", {"1.jpg": b"text=f"})
    used = settings(tmp_path)
    tally = run([data, tmp_path / "data" / "below" / "*.png"], tmp_path / "out", used)
    found = {row["id"].removeprefix(f"{data}/"): row["text"] for row in rows_of(tmp_path / "out")}
    assert found == {
        "below/0000.png#1": "a",
        "below/0001.png#1": "b",
        "below/0001.png#2": "b",
        "below/0001.png#3": "b",
        "rows.parquet#row=0#1": "c",
        "rows.parquet#row=1#1": "",
        "rows.parquet#row=1#2": "",
        "rows.parquet#row=2#0": None,  # an error row
        "shard.tar#1.jpg#1": "e",
        "shard.tar#in/2.jpg#1": "",
        "shard.tar#in/2.jpg#2": "",
        "shard.tar.gz#1.jpg#1": "f",
    }
    assert (tally.pages, tally.failed, tally.documents) == (12, 1, 8)
    named = settings(tmp_path, columns=Columns(name="key"))
    run([tmp_path / "named.parquet"], tmp_path / "named", named)
    (row,) = rows_of(tmp_path / "named")
    assert row["uri"] == f"{tmp_path}/named.parquet#id=first" and row["text"] == "d"


def test_the_parts_say_what_they_are(tmp_path):
    run(write_documents(tmp_path / "data", ["text=a"] * 5), tmp_path / "out", settings(tmp_path), part_rows=2)
    parts = sorted((tmp_path / "out").glob("part-0-of-1-*.parquet"))
    assert len(parts) == 3 and sorted(path.name for path in (tmp_path / "out").iterdir())[0] == "_job.json"
    for part in parts:
        found = pq.read_schema(part)
        assert found.remove_metadata().equals(schema())
        assert found.metadata[VERSION_KEY] == str(SCHEMA_VERSION).encode() and found.metadata[FINGERPRINT_KEY]
        assert pq.ParquetFile(part).metadata.row_group(0).column(0).compression == "ZSTD"


def test_what_is_finished_is_not_read_again(tmp_path):
    used, out = settings(tmp_path), tmp_path / "out"
    paths = write_documents(tmp_path / "data", ["pages=2", "fail=1", "text=x"])
    run(paths[:2], out, used)
    again = run(paths, out, used)
    assert (again.pages, again.kept, again.kept_errors) == (1, 3, 1)
    assert len(rows_of(out)) == 4
    assert run(paths, out, used).pages == 0


def test_pages_that_failed_are_read_again_on_demand(tmp_path):
    used, out = settings(tmp_path), tmp_path / "out"
    paths = write_documents(tmp_path / "data", ["pages=3 fail=2", "text=x", "nonsense"])
    run(paths, out, used)
    Path(paths[0]).write_text("pages=3 text=mended")
    tally = run(paths, out, used, retry_errors=True)
    assert (tally.pages, tally.failed, tally.kept) == (2, 1, 3)
    assert [(row["page"], row["ok"], row["text"]) for row in rows_of(out)] == [
        (1, True, ""),
        (2, True, "mended"),
        (3, True, ""),
        (1, True, "x"),
        (0, False, None),
    ]


def test_killed_workers_lose_and_double_nothing(tmp_path):
    paths = write_documents(tmp_path / "data", ["pages=4 seconds=0.01"] * 40)
    tasks = grouped(documents_of(find_sources(paths, Columns()).found, Columns(), Shard(), 10_000), 1)
    rows, killed = [], 0
    with Pool(ScriptedReader, 2) as pool:
        for some in pool.read(tasks):
            rows += some
            if len(rows) in (5, 50, 100):
                os.kill(pool.processes[killed % 2], signal.SIGKILL)
                killed += 1
        assert pool.deaths == killed == 3
    assert len(rows) == 160 == len({row["id"] for row in rows}) and all(row["ok"] for row in rows)


def test_a_page_that_kills_its_workers_is_marked_and_the_others_are_read(tmp_path):
    scripts = ["text=a", "pages=3 die=2", "text=b", f"die=1 once={tmp_path / 'died'}"]
    tally = run(write_documents(tmp_path / "data", scripts), tmp_path / "out", settings(tmp_path))
    rows = rows_of(tmp_path / "out")
    assert [(row["page"], row["pages"]) for row in rows if not row["ok"]] == [(2, 3)] and len(rows) == 6
    (error,) = [row["error"] for row in rows if not row["ok"]]
    assert "page 2: 2 workers ended while they read it (signal 9 (out of memory?))" in error
    assert tally.deaths == 3  # twice for the second document, once for the fourth


def test_a_batch_of_lines_that_kills_its_worker_is_read_one_by_one(tmp_path):
    paths = write_documents(tmp_path / "data", ["text=a", "die=1", "text=b", "text=c"])
    documents = documents_of(find_sources(paths, Columns()).found, Columns(), Shard(), 10_000)
    with Pool(ScriptedReader, 1) as pool:
        rows = [row for some in pool.read(grouped(documents, 4)) for row in some]
    assert sorted((row["uri"], row["ok"]) for row in rows) == [(path, path != paths[1]) for path in paths]


def test_a_page_that_takes_too_long_is_marked(tmp_path):
    paths = write_documents(tmp_path / "data", ["seconds=60", "text=a"])
    run(paths, tmp_path / "out", settings(tmp_path), page_seconds=3)
    stuck, other = rows_of(tmp_path / "out")
    assert other["ok"] and "it took longer than 3 s" in stuck["error"]


@pytest.mark.parametrize(
    "opens, said", [(broken_reader, "nothing reads here"), (dying_reader, "end while they start (signal 9")]
)
def test_workers_that_cannot_work_are_one_sentence(opens, said, tmp_path):
    paths = write_documents(tmp_path / "data", ["text=a"])
    with pytest.raises(PoolError, match=r"\.$|\?$") as caught:
        run(paths, tmp_path / "out", settings(tmp_path), open_reader=opens)
    assert said in str(caught.value) and not rows_of(tmp_path / "out")


def driver(tmp_path: Path) -> subprocess.Popen:
    paths = [str(tmp_path / name) for name in ("data", "out")] + [str(tmp_path)]
    script = tmp_path / "driver.py"
    script.write_text(
        f"import sys; sys.path[:0] = [{str(TESTS)!r}, {str(TESTS.parent)!r}]\n"
        "from pathlib import Path\nfrom bulk_readers import drive\n"
        f"if __name__ == '__main__':\n    drive(*map(Path, {paths}), part_rows=10)\n"
    )
    return subprocess.Popen([sys.executable, script], stderr=subprocess.PIPE, text=True)


def parts_in(out: Path) -> int:
    return len(list(out.glob("part-*.parquet")))


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_driver_loses_and_doubles_nothing(how, tmp_path):
    paths = write_documents(tmp_path / "data", ["pages=2 seconds=0.02"] * 40)
    process = driver(tmp_path)
    began = time.monotonic()
    while parts_in(tmp_path / "out") < 2:
        assert process.poll() is None and time.monotonic() - began < 60, process.stderr.read()
        time.sleep(0.01)
    process.send_signal(how)
    _, said = process.communicate(timeout=60)
    kept = len(rows_of(tmp_path / "out"))
    assert 20 <= kept < 80
    if how is signal.SIGINT:
        assert f"{kept} pages read so far" in said
    tally = run(paths, tmp_path / "out", settings(tmp_path))  # at once: the lock went with the process
    assert (tally.kept, tally.pages) == (kept, 80 - kept) and len(rows_of(tmp_path / "out")) == 80
    left = subprocess.run(["pgrep", "-f", str(tmp_path / "driver.py")], capture_output=True, text=True)
    assert not left.stdout  # the workers went with their driver


def test_shards_are_disjoint_and_together_everything(tmp_path):
    write_documents(tmp_path / "data", ["text=a"] * 30)
    content = {"image": [b"text=b"] * 12}
    pq.write_table(pa.table(content), tmp_path / "data" / "few.parquet")
    pq.write_table(pa.table(content), tmp_path / "data" / "many.parquet", row_group_size=2)
    tar_of(tmp_path / "data" / "a.tar", {f"{index}.jpg": b"text=c" for index in range(12)})
    pages = [
        run([tmp_path / "data"], tmp_path / "out", settings(tmp_path), shard=Shard(index, 3)).pages
        for index in range(3)
    ]
    assert sum(pages) == 66 == len(rows_of(tmp_path / "out")) and min(pages) > 5
    assert run([tmp_path / "data"], tmp_path / "out", settings(tmp_path)).pages == 0


@pytest.mark.parametrize("text", ["2/2", "a/b", "1", "-1/2", "1/0"])
def test_a_senseless_shard_is_refused(text):
    with pytest.raises(UserError, match="give I/N"):
        Shard.of(text)


def test_two_runs_do_not_share_a_folder(tmp_path):
    folder = JobFolder(str(tmp_path / "out"), settings(tmp_path))
    paths = write_documents(tmp_path / "data", ["text=a"])
    with running(folder.place, Shard()), pytest.raises(FolderError, match="another run is writing"):
        run(paths, tmp_path / "out", settings(tmp_path))
    with running(folder.place, Shard(0, 2)):
        with pytest.raises(FolderError, match="--shard 0/2 is at work there, and this one divides the job by 3"):
            run(paths, tmp_path / "out", settings(tmp_path), shard=Shard(1, 3))
        run(paths, tmp_path / "out", settings(tmp_path), shard=Shard(1, 2))
    run(paths, tmp_path / "out", settings(tmp_path))


def test_two_jobs_do_not_share_a_folder(tmp_path):
    paths = write_documents(tmp_path / "data", ["text=a"])
    run(paths, tmp_path / "out", settings(tmp_path))
    for changes in ({"lines": True}, {"runtime": "onnxruntime"}):
        with pytest.raises(FolderError, match="pages of another job"):
            run(paths, tmp_path / "out", settings(tmp_path, **changes))
    (tmp_path / "weights.bin").write_bytes(b"others")
    with pytest.raises(FolderError, match="weights_sha256"):
        run(paths, tmp_path / "out", settings(tmp_path))


def test_rows_of_another_schema_or_unknown_origin_are_refused(tmp_path):
    paths, out = write_documents(tmp_path / "data", ["text=a"]), tmp_path / "out"
    run(paths, out, settings(tmp_path))
    (part,) = out.glob("part-*")
    table = pq.read_table(part)
    pq.write_table(table.replace_schema_metadata({**table.schema.metadata, VERSION_KEY: b"0"}), part)
    with pytest.raises(FolderError, match="schema version 0, and this program writes version 1"):
        run(paths, out, settings(tmp_path))
    part.write_bytes(b"PAR1 and no more")
    with pytest.raises(FolderError, match="damaged .* remove it"):
        run(paths, out, settings(tmp_path))
    (out / "_job.json").unlink()
    with pytest.raises(FolderError, match="not known what made it"):
        run(paths, out, settings(tmp_path))


def test_bad_documents_are_error_rows(tmp_path):
    data = tmp_path / "data"
    paths = write_documents(data, ["", "x" * 20_000, "text=a"])
    tar_of(data / "cut.tar", {f"{index}.jpg": b"text=b" + bytes(6000) for index in range(3)})
    whole = (data / "cut.tar").read_bytes()
    (data / "cut.tar").write_bytes(whole[: len(whole) // 2])
    tar_of(data / "large.tar", {"1.jpg": bytes(20_000), "2.jpg": b"text=c"})
    (data / "no.tar").write_bytes(b"no tar at all" * 100)
    tally = run([data, *paths, tmp_path / "absent.png"], tmp_path / "out", settings(tmp_path))
    errors = {
        row["uri"].removeprefix(f"{tmp_path}/"): row["error"] for row in rows_of(tmp_path / "out") if not row["ok"]
    }
    for name, said in {
        "data/0000.png": "empty",
        "data/0001.png": "more than 0 MB; split it, or raise --max-mb",
        "data/cut.tar": "damaged or cut short after",
        "data/large.tar#1.jpg": "more than",
        "data/no.tar": "damaged or cut short after its beginning",
        "absent.png": "no such file",
    }.items():
        assert said in errors.pop(name)
    assert all("cut.tar" in name for name in errors) and tally.failed >= 6
    assert {row["text"][0] for row in rows_of(tmp_path / "out") if row["ok"]} == {"a", "b", "c"}


def test_bad_parquet_files_are_named(tmp_path):
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 no more")
    assert "damaged" in find_sources([str(tmp_path / "bad.parquet")], Columns()).problems[0]
    pq.write_table(pa.table({"a": [b"1"], "b": [b"2"], "c": [3]}), tmp_path / "two.parquet")
    for columns, said in (
        (Columns(), "--column; those that hold bytes: a, b"),
        (Columns("c"), "a, b"),
        (Columns("a", "id"), "has no column id"),
    ):
        with pytest.raises(UserError, match=said):
            find_sources([str(tmp_path / "two.parquet")], columns)


def test_an_object_store_is_written_and_resumed(tmp_path, monkeypatch):
    out = f"memory://{tmp_path.name}/out"
    paths = write_documents(tmp_path / "data", ["text=a"] * 3)
    run(paths[:2], out, settings(tmp_path))
    assert run(paths, out, settings(tmp_path)).kept == 2 and len(rows_of(out)) == 3
    held = running(places.open_place(out), Shard())
    with held, pytest.raises(FolderError, match="counts as ended after 120 s"):
        run(paths, out, settings(tmp_path))
    assert not [name for name in places.open_place(out).names() if name.startswith("_running")]


def test_folders_and_patterns_of_an_object_store_are_listed(tmp_path):
    address = f"memory:///{tmp_path.name}-in"
    for name in ("b.jpg", "below/a.PDF", "c.txt", "_hidden.jpg"):
        (places.open_place(address) / name).write(b"x")
    found = find_sources([address, f"{address}/*.jpg", f"{address}/absent/*.jpg"], Columns())
    assert [source.uri for source in found.found][:2] == [f"{address}/b.jpg", f"{address}/below/a.PDF"]
    assert any("2 others ignored" in note for note in found.notes) and "no file matches" in found.problems[0]
    assert found.count == 3


def test_a_bucket_without_rights_is_one_sentence(tmp_path, monkeypatch):
    import fsspec

    paths = write_documents(tmp_path / "data", ["text=a"])

    def refuse(self, *arguments, **more):
        raise PermissionError("Access Denied")

    monkeypatch.setattr(fsspec.get_filesystem_class("memory"), "pipe_file", refuse)
    with pytest.raises(places.PlaceError, match=r"memory://\S+: cannot be written \(Access Denied\); check .* rights"):
        run(paths, f"memory://{tmp_path.name}/denied", settings(tmp_path))
    for address, said in (("nope://a/b", "no such kind of address"), ("gs://a/b", "need another package")):
        with pytest.raises(UserError, match=said):
            places.open_place(address)


def test_a_full_disk_leaves_nothing_half_written(tmp_path, monkeypatch):
    paths, out = write_documents(tmp_path / "data", ["text=a"] * 3), tmp_path / "out"
    write_bytes = places.write_bytes

    def full(path, content):
        if "part-" in os.fspath(path):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        write_bytes(path, content)

    monkeypatch.setattr(places, "write_bytes", full)
    with pytest.raises(OSError, match="No space left") as caught:
        run(paths, out, settings(tmp_path))
    assert "part-" in caught.value.filename and [path.name for path in out.iterdir()] == ["_job.json"]
    monkeypatch.undo()
    assert run(paths, out, settings(tmp_path)).pages == 3 and len(rows_of(out)) == 3
