"""The record joined to the table that it came from: rows of the file, sources, and figures of each source."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sim.cli.main import main
from sim.study.experiment import runs
from sim.study.metrics.sources import by_source
from sim.study.oracles import Oracle
from sim.study.output.archive import Archive
from tests.records import record, refused, served
from tests.scripted import Scripted, run
from tests.worlds import tiny_rows, tiny_scenario, tiny_workload

MODEL = ["fleet=instant", "budget=unlimited", "policy=random", "arrivals=deterministic", "metric=[]"]
TABLE = """prompt,source,split,a,a|total_cost,b,b|total_cost
p0,law,test,0.0,0.1,0.5,0.1
p1,law,history,0.0,0.1,0.5,0.1
p2,NA,test,0.1,0.1,0.6,0.1
p3,law,history,0.0,0.1,0.5,0.1
p4,,test,0.2,0.1,0.7,0.1
p5,art,test,0.3,0.1,0.8,0.1
"""


@pytest.fixture
def table(tmp_path: Path) -> list[str]:
    """A table of six rows, four of them of the test split, and the words that choose it."""
    (tmp_path / "table.csv").write_text(TABLE)
    np.save(tmp_path / "table.npy", np.eye(6, 3, dtype=np.float32))
    return [
        "workload=table", f"workload.path={tmp_path / 'table.csv'}", f"workload.embeddings={tmp_path / 'table.npy'}"
    ]  # fmt: skip


def test_a_record_is_joined_to_its_file_by_the_row(table: list[str], tmp_path: Path) -> None:
    assert main(["run", *table, *MODEL, f"out={tmp_path / 'o'}", "--no-report"]) == 0
    requests = pd.read_parquet(tmp_path / "o" / "requests.parquet")
    assert sorted(requests["row"]) == [0, 2, 4, 5]
    file = pd.read_csv(tmp_path / "table.csv", keep_default_na=False)
    joined = requests.join(file.rename(columns={"source": "source_of_file"}), on="row")
    assert joined["source"].astype(object).fillna("").tolist() == joined["source_of_file"].tolist()
    scores = [row[row["deployment"]] for _, row in joined.iterrows()]
    assert requests["quality"].tolist() == pytest.approx(scores)


def test_without_a_file_the_row_is_the_place_among_the_test_queries() -> None:
    requests = run(Scripted([0, 0, 0]), [0.0, 1.0, 2.0])
    assert requests["row"].tolist() == [0, 1, 2]


def test_a_workload_without_sources_has_none_in_its_record_and_no_table_of_them(tmp_path: Path) -> None:
    scenario = tiny_scenario(tiny_workload(tiny_rows([[0.5]] * 3, [[1.0]] * 3)))
    with Archive(tmp_path) as archive:
        for done in runs(scenario, {"first": Scripted([0] * 3)}, 0, 1, Oracle(()), {}):
            assert done.requests["source"].isna().all()
            archive.add(done)
        archive.finish()
    assert pd.read_parquet(tmp_path / "requests.parquet")["source"].isna().all()
    assert not (tmp_path / "sources.csv").exists()


def test_figures_of_a_source_are_over_all_of_its_arrivals() -> None:
    requests = record(
        served(0, 0.0, 0.0, 0.0, 1.0, quality=0.8, cost_usd=2.0),
        refused(1, 1.0, "rejected"),
        served(2, 2.0, 2.0, 2.0, 3.0, quality=0.4, cost_usd=1.0),
        served(3, 3.0, 3.0, 3.0, 4.0, quality=0.6, cost_usd=1.0),
    ).assign(source=pd.Categorical(["law", "law", None, "law"]))
    law, none = by_source(requests).to_dict("records")
    assert law == {
        "source": "law", "arrived": 3, "served": 2, "served_share": pytest.approx(2 / 3),
        "quality": pytest.approx(1.4), "quality_per_query": pytest.approx(1.4 / 3), "cost_usd": 3.0,
    }  # fmt: skip
    assert (none["arrived"], none["served_share"], none["quality"]) == (1, 1.0, 0.4)


def test_sources_add_up_to_the_summary_and_stand_in_the_page(table: list[str], tmp_path: Path) -> None:
    words = ["policy=[random,round_robin]", "replications=2", "oracle.names=[]", f"out={tmp_path / 'o'}"]
    assert main(["compare", *table, *MODEL[:2], *MODEL[3:], *words]) == 0
    sources = pd.read_csv(tmp_path / "o" / "sources.csv", keep_default_na=False)
    assert sources["source"].unique().tolist() == ["", "NA", "art", "law"]  # one each
    summed = sources.groupby(["policy", "replication"])[["arrived", "served", "quality", "cost_usd"]].sum()
    summary = pd.read_csv(tmp_path / "o" / "summary.csv").set_index(["policy", "replication"])
    pd.testing.assert_frame_equal(summed, summary.loc[summed.index, summed.columns.tolist()])
    page = (tmp_path / "o" / "report.html").read_text()
    assert "Quality per arrival on each source, mean of 2 replications" in page
    assert "Of 4 sources, " in page
