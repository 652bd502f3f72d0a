"""What happens to rows that cannot be served, come twice or come out of order: each is counted."""

from pathlib import Path

import pytest

from scenarios.arrivals.replay import Replay
from scenarios.readers.traces.reading import read, sentences
from sim.errors import Note, UnreadableError

COLUMNS = {"arrival_s": "t", "input_tokens": "p", "output_tokens": "c"}


def table(folder: Path, *rows: str) -> str:
    path = folder / "mine.csv"
    path.write_text("\n".join(["t,p,c", *rows]) + "\n")
    return str(path)


def test_each_rule_counts_what_it_drops(tmp_path: Path) -> None:
    path = table(tmp_path, "0,10,1", "1,0,1", "2,10,0", "3,,1", ",10,1", "4,10,1")
    trace = read(path, COLUMNS).trace
    assert trace.frame["arrival_s"].tolist() == [0, 4]
    assert trace.n_read == 6
    assert trace.dropped == {"without a time or a token count": 2, "without an input or an output token": 2}


def test_rows_out_of_order_are_sorted_and_those_of_one_time_stay_as_they_are(tmp_path: Path) -> None:
    trace = read(table(tmp_path, "5,10,1", "2,20,1", "5,30,1", "2,40,1"), COLUMNS).trace
    assert trace.frame["input_tokens"].tolist() == [20, 40, 10, 30]
    assert trace.n_unsorted == 2
    assert trace.frame["arrival_s"].tolist() == [0, 0, 3, 3]


def test_equal_rows_are_counted_and_kept_or_dropped(tmp_path: Path) -> None:
    path = table(tmp_path, "0,10,1", "1,10,1", "1,10,1", "1,10,2")
    kept, dropped = (read(path, COLUMNS, duplicates=word).trace for word in ("keep", "drop"))
    assert (len(kept.frame), kept.n_alike) == (4, 1)
    assert (len(dropped.frame), dropped.n_alike) == (3, 0)
    assert dropped.dropped == {"equal to an earlier one in every column": 1}
    with pytest.raises(UnreadableError, match="duplicates is 'some'; it must be one of keep, drop"):
        read(path, COLUMNS, duplicates="some")


def test_a_trace_in_epoch_seconds_begins_at_its_first_request_and_says_so(tmp_path: Path) -> None:
    trace = read(table(tmp_path, "1700000001.5,10,1", "1700000003.5,10,1"), COLUMNS).trace
    assert trace.frame["arrival_s"].tolist() == [0, 2]
    assert trace.begins == "2023-11-14 22:13:21.500000+00:00"
    assert "times begin with the first of them, at 2023-11-14 22:13:21.500000+00:00" in sentences(trace)


def test_our_own_form_in_epoch_seconds_is_replayed_and_says_so_too(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("arrival_s\n1700000001.5\n1700000003.5\n")
    with pytest.warns(Note, match="are since 1970; a run begins with the first of them, at 2023-11-14 22:13:21.5"):
        Replay(str(tmp_path / "own.csv"))


def test_dates_and_their_offsets_are_times_too(tmp_path: Path) -> None:
    trace = read(table(tmp_path, "2024-05-10T00:00:00+02:00,10,1", "2024-05-09T22:00:03Z,10,1"), COLUMNS).trace
    assert trace.frame["arrival_s"].tolist() == [0, 3]


def test_the_first_failed_request_does_not_begin_the_trace(tmp_path: Path) -> None:
    trace = read(table(tmp_path, "0,0,1", "10,10,1", "12,10,1"), COLUMNS).trace
    assert trace.frame["arrival_s"].tolist() == [0, 2]
    assert trace.begins == "10 s"


def test_prefix_blocks_come_as_lists_or_as_the_json_text_of_one(tmp_path: Path) -> None:
    (tmp_path / "mine.csv").write_text(
        'arrival_s,input_tokens,output_tokens,prefix_blocks\n0,10,1,"[1, 2]"\n1,10,1,[]\n'
    )
    assert read(str(tmp_path / "mine.csv")).trace.frame["prefix_blocks"].tolist() == [[1, 2], []]
    (tmp_path / "mine.csv").write_text('arrival_s,input_tokens,output_tokens,prefix_blocks\n0,10,1,"1 2"\n')
    with pytest.raises(UnreadableError, match=r"'prefix_blocks' is '1 2' in row 0; it must be a list of whole numbers"):
        read(str(tmp_path / "mine.csv"))


def test_measured_times_lose_what_arrivals_lose(tmp_path: Path) -> None:
    head = "arrival_s,input_tokens,output_tokens,first_token_s,last_token_s"
    (tmp_path / "mine.csv").write_text(f"{head}\n1700000001.5,10,1,1700000002,1700000002.5\n1700000003,1,1,,\n")
    frame = read(str(tmp_path / "mine.csv")).trace.frame
    assert frame["arrival_s"].tolist() == [0, 1.5]
    assert frame["first_token_s"].iloc[0] == 0.5
    assert frame["last_token_s"].iloc[0] == 1.0


def test_columns_are_named_by_what_they_are_here(tmp_path: Path) -> None:
    path = table(tmp_path, "0,10,1")
    with pytest.raises(UnreadableError, match="unknown column of a trace 'arival_s'; did you mean 'arrival_s'"):
        read(path, {"arival_s": "t"})
    with pytest.raises(UnreadableError, match="unknown column 'tt'; did you mean 't'"):
        read(path, {**COLUMNS, "arrival_s": "tt"})


def test_nothing_left_is_an_error_that_says_why(tmp_path: Path) -> None:
    with pytest.raises(UnreadableError, match=r"no request is left of 2 \(2 without an input or an output token\)"):
        read(table(tmp_path, "0,0,1", "1,0,1"), COLUMNS)
