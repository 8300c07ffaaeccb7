"""Bulk on Ray: a cluster of two machines on this one, of which one is killed half-way; no page is lost or doubled."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

import pytest

pa = pytest.importorskip("pyarrow", reason="parquet files: pip install 'quantvietocr[bulk]'")
ray = pytest.importorskip("ray", reason="Ray: pip install 'quantvietocr[ray]'")
pytest.importorskip("ray.data", reason="Ray Data: pip install 'quantvietocr[ray]'")

import pyarrow.parquet as pq
from bulk_readers import rows_of, run, settings, write_documents
from ray.cluster_utils import Cluster

from quantvietocr.bulk.documents import digest_of
from quantvietocr.bulk.progress import Tally
from quantvietocr.bulk.ray_engine import Listing, RayError, _once, read_on_ray
from quantvietocr.bulk.schema import error_row

TESTS = Path(__file__).resolve().parent


def started() -> Cluster:
    """A head and another machine, of a core each. Ray gives a machine 30 s to start, which a busy one may need more
    than once."""
    small = {"object_store_memory": 80 * 2**20, "include_log_monitor": False, "num_cpus": 1}
    for last in (False, False, True):
        cluster = Cluster()
        try:
            cluster.add_node(include_dashboard=False, **small)
            cluster.other = cluster.add_node(**small)
            return cluster
        except Exception as error:  # that is the class which Ray raises
            cluster.shutdown()
            if last:
                pytest.skip(f"no Ray cluster starts here: {str(error).splitlines()[0]}")
    raise AssertionError


@pytest.fixture(scope="module")
def cluster():
    """A head and another machine, of a core each."""
    with pytest.MonkeyPatch.context() as patch:
        paths = (str(TESTS.parent), str(TESTS), os.environ.get("PYTHONPATH", ""))
        patch.setenv("PYTHONPATH", os.pathsep.join(paths))
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_register_timeout_seconds", "600")  # a busy machine takes its time
        patch.setattr(sys, "path", [str(TESTS), str(TESTS.parent), *sys.path])
        cluster = started()
        ray.init(address=cluster.address, log_to_driver=False, logging_level="warning")
        yield cluster
        ray.shutdown()
        cluster.shutdown()


def test_a_killed_machine_loses_and_doubles_nothing(cluster, tmp_path):
    data = tmp_path / "data"
    paths = write_documents(data, ["pages=2 seconds=0.05"] * 48 + ["die=1", "nonsense"])
    pq.write_table(pa.table({"image": [b"text=b", b"pages=3"] * 4}), data / "rows.parquet")
    rows_come = 0

    def engine(*arguments):
        nonlocal rows_come
        for rows in read_on_ray(*arguments):
            yield rows
            rows_come += len(rows)
            if rows_come >= 30 and cluster.other is not None:
                cluster.remove_node(cluster.other, allow_graceful=False)
                cluster.other = None

    tally = run([data], tmp_path / "out", settings(tmp_path), engine)
    assert cluster.other is None  # it was killed
    rows = rows_of(tmp_path / "out")  # each id once
    assert tally.pages == len(rows) == 48 * 2 + 2 + 16
    assert {row["uri"] for row in rows if not row["ok"]} == set(paths[-2:])
    assert tally.documents == 58
    again = run([data], tmp_path / "out", settings(tmp_path), read_on_ray)
    assert (again.pages, again.kept, again.documents) == (0, len(rows), 58)


def test_what_comes_twice_is_taken_once_and_what_is_missing_is_known():
    rows = {name: error_row(name, "x") for name in "abc"}
    listing = Listing("t.tar", frozenset({digest_of("b"), digest_of("c")}), 3, 1)
    missing, tally = {digest_of("a"), digest_of("t.tar")}, Tally()
    answers = [[rows["a"]], [rows["b"]], listing, [rows["a"], rows["b"]], listing]
    assert [[row["uri"] for row in some] for some in _once(answers, missing, tally)] == [["a"], ["b"]]
    assert missing == {digest_of("c")} and (tally.documents, tally.twice) == (3, 1)


def test_documents_that_do_not_come_back_are_an_error(cluster, tmp_path, monkeypatch):
    from quantvietocr.bulk import ray_engine

    monkeypatch.setattr(ray_engine, "_once", lambda answers, missing, tally: iter([]))
    with pytest.raises(RayError, match="1 documents have not come back"):
        run(write_documents(tmp_path / "data", ["text=a"]), tmp_path / "out", settings(tmp_path), read_on_ray)


def test_a_cluster_that_is_not_there_is_one_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(ray, "is_initialized", lambda: False)

    def refuse(**how):
        raise ConnectionError("no")

    monkeypatch.setattr(ray, "init", refuse)
    engine = partial(read_on_ray, address="127.0.0.1:1")
    with pytest.raises(RayError, match="no cluster can be reached there"):
        run(write_documents(tmp_path / "data", ["text=a"]), tmp_path / "out", settings(tmp_path), engine)
