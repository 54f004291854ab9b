"""A batch on Spark, where pyspark and Java are: neither is in the lock."""

import shutil
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from retinaface_tf.batch.run import run_batch


@pytest.mark.slow
def test_spark_gives_the_rows_of_this_process(drawn, onnx_file, tmp_path, monkeypatch):
    pytest.importorskip("pyspark")
    if shutil.which("java") is None:
        pytest.skip("needs Java")
    monkeypatch.setenv("SPARK_LOCAL_IP", "127.0.0.1")
    tables = []
    for engine in ("local", "spark"):
        run_batch([str(drawn)], tmp_path / engine, str(onnx_file), engine=engine)
        tables.append(pq.read_table(tmp_path / engine / "detections").sort_by("path"))
    assert tables[0].equals(tables[1])
    assert len(tables[0]) == len(list(Path(drawn).rglob("*.jpg")))
