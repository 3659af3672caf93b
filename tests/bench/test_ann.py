"""What the vector benchmark's numbers rest on: exact distances, recall, filters, and the choice of points."""

import pathlib
import sys

import numpy as np
import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))

import ann_data  # noqa: E402
import ann_report  # noqa: E402


def brute_force(base, query, metric):
    base, query = base.astype(np.float64), query.astype(np.float64)
    if metric == "l2":
        return ((base - query) ** 2).sum(1)
    if metric == "cosine":
        return 1 - base @ query / np.linalg.norm(base, axis=1) / np.linalg.norm(query)
    return -(base @ query)


@pytest.mark.parametrize("metric", ["l2", "cosine", "dot"])
def test_the_exact_kth_distance_is_brute_forces_over_blocks_and_masks(metric):
    rng = np.random.default_rng(1)
    base, queries = rng.standard_normal((500, 12)).astype(np.float32), rng.standard_normal((7, 12)).astype(np.float32)
    mask = rng.random(500) < 0.2
    for kept in (None, mask):
        kth = ann_data.exact_kth(base, queries, metric, mask=kept, block_rows=64, spare=4)
        rows = slice(None) if kept is None else kept
        assert kth == pytest.approx([np.sort(brute_force(base, q, metric)[rows])[9] for q in queries], rel=1e-12)


def test_fewer_matches_than_k_make_the_kth_distance_infinite():
    base = np.eye(20, dtype=np.float32)
    assert np.isinf(ann_data.exact_kth(base, base[:2], "l2", mask=np.arange(20) < 3)).all()


def test_ties_at_the_kth_distance_are_hits_and_farther_rows_are_not():
    kth = np.array([5.0, 5.0])
    found = np.array([[1.0, 5.0, 5.0, 5.0], [1.0, 5.0, 6.0, np.inf]])
    assert ann_data.recall(found, kth, k=4, integers=True) == pytest.approx((4 + 2) / 8)


def test_recall_is_of_the_rows_that_are_there_when_fewer_than_k_match():
    found = np.array([[1.0, 2.0, np.inf, np.inf], [1.0, np.inf, np.inf, np.inf]])
    assert ann_data.recall(found, np.full(2, np.inf), k=4, matches=2) == pytest.approx(0.75)


def test_a_row_returned_twice_counts_once():
    assert ann_data.without_repeats(np.array([[3, 1, 3, -1], [2, 2, 2, 0]])).tolist() == [[3, 1, -1, -1], [2, -1, -1, 0]]


def test_an_answer_outside_the_filter_or_the_table_is_a_miss(tmp_path):
    base = np.arange(40, dtype=np.float32).reshape(40, 1) * [[1.0, 0.0]]
    ann_data._save_vectors(tmp_path, base.astype(np.uint8), base[:1])
    data = ann_data.DataSet("small", "Small", "l2", tmp_path)
    odd = ann_data.Filter("odd", "n", "=", 1, np.arange(40) % 2 == 1)
    judge = ann_data.Judge(data, odd)
    assert judge.recall([[1, 3, 5, 7, 9, 11, 13, 15, 17, 19]]) == 1
    assert judge.recall([[1, 3, 5, 7, 9, 0, 2, 4, -1, 999]]) == 0.5


def test_a_filter_is_sql_with_quoted_text_and_bare_numbers():
    assert ann_data.Filter("", "section", "=", "libs").sql == "section = 'libs'"
    assert ann_data.Filter("", "r", "<", 10).sql == "r < 10"


def test_the_mixture_is_the_same_for_the_same_seed_and_differs_between_streams():
    first, second = ann_data.Mixture(32, centers=10), ann_data.Mixture(32, centers=10)
    assert np.array_equal(first.block(0, 3, 50), second.block(0, 3, 50))
    assert not np.array_equal(first.block(0, 3, 50), first.block(1, 3, 50))


def points(*pairs):
    return [{"recall": r, "qps": q, "p50_us": 1.0, "p99_us": 2.0, "setting": f"ef {i}"} for i, (r, q) in enumerate(pairs)]


def test_merging_takes_medians_setting_by_setting():
    merged = ann_report.merge([points((0.9, 100)), points((0.9, 300)), points((0.9, 200))])
    assert [(p["recall"], p["qps"], p["spread"]) for p in merged] == [(0.9, 200, 3)]


def test_the_point_reported_is_the_fastest_that_reaches_the_recall():
    swept = points((0.9, 900), (0.96, 500), (0.97, 600), (0.99, 100))
    assert ann_report.reaching(swept, 0.95)["qps"] == 600
    assert ann_report.reaching(swept, 0.999) is None


def test_the_frontier_has_no_point_that_another_beats():
    assert [p["qps"] for p in ann_report.frontier(points((0.9, 900), (0.96, 500), (0.97, 600), (0.99, 100)))] == [900, 600, 100]


def test_an_engine_that_failed_is_in_the_table_with_its_reason():
    table = ann_report.speed_table([{"title": "hnswlib", "points": points((0.96, 500))}, {"title": "broken", "failure": "exit -11"}])
    assert "| hnswlib | 500 (ef 0) | - (best 0.960) |" in table
    assert "| broken | left out: exit -11 |" in table


def test_labels_of_a_plot_are_kept_apart_in_their_order():
    ann_plot = pytest.importorskip("ann_plot", reason="matplotlib is in the benchmarks' own environment")
    placed = ann_plot.spread_out([1.0, 1.01, 3.0, 1.02], 0.2)
    assert np.diff(np.sort(placed)).min() >= 0.2 - 1e-6
    assert np.argsort(placed).tolist() == [0, 1, 3, 2]


def test_a_plot_names_every_line(tmp_path):
    ann_plot = pytest.importorskip("ann_plot", reason="matplotlib is in the benchmarks' own environment")
    ann_plot.plot([{"title": name, "points": points((0.9, 900), (0.99, 100))} for name in ("Firn graph", "hnswlib")], "Small", tmp_path / "plot.svg")
    text = (tmp_path / "plot.svg").read_text()
    assert "Firn graph" in text and "hnswlib" in text
