import numpy as np
import pytest
from sklearn.decomposition import PCA

from neuralscope.analysis import principal_plane, reach, sample


@pytest.fixture
def x() -> np.ndarray:
    rng = np.random.default_rng(0)
    return rng.normal(size=(300, 12)) @ rng.normal(size=(12, 12)) + 5


def test_the_plane_is_the_one_of_scikit_learn_up_to_sign(x: np.ndarray) -> None:
    plane, reference = principal_plane(x), PCA(2, svd_solver="full").fit(x)
    np.testing.assert_allclose(np.abs(plane.map(x)), np.abs(reference.transform(x)), atol=1e-9)
    np.testing.assert_allclose(plane.explained, reference.explained_variance_ratio_)
    np.testing.assert_allclose(plane.mean, reference.mean_)


def test_the_sign_does_not_depend_on_the_order_of_the_examples(x: np.ndarray) -> None:
    axes = principal_plane(x).axes
    np.testing.assert_allclose(principal_plane(x[::-1]).axes, axes, atol=1e-9)
    assert (axes[np.abs(axes).argmax(axis=0), [0, 1]] > 0).all()


def test_a_map_that_was_mirrored_and_turned_is_turned_back(x: np.ndarray) -> None:
    plane = principal_plane(x)
    angle = 1.1
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    for motion in (turn, turn @ np.diag([1, -1])):
        wanted = plane.map(x) @ motion
        np.testing.assert_allclose(plane.turned(x, wanted).map(x), wanted, atol=1e-9)


def test_turning_keeps_all_distances(x: np.ndarray) -> None:
    plane = principal_plane(x)
    towards = np.random.default_rng(1).normal(size=(300, 2))
    points, turned = plane.map(x), plane.turned(x, towards).map(x)
    np.testing.assert_allclose(
        np.linalg.norm(points[1:] - points[:-1], axis=1),
        np.linalg.norm(turned[1:] - turned[:-1], axis=1),
    )


def test_no_other_turn_comes_closer(x: np.ndarray) -> None:
    plane = principal_plane(x)
    towards = np.random.default_rng(1).normal(size=(300, 2))
    towards -= towards.mean(axis=0)
    best = ((plane.turned(x, towards).map(x) - towards) ** 2).sum()
    for angle in np.linspace(0, 2 * np.pi, 90):
        turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        for motion in (turn, turn @ np.diag([1, -1])):
            assert ((plane.map(x) @ motion - towards) ** 2).sum() >= best - 1e-9


def test_one_unit_is_a_line() -> None:
    plane = principal_plane([[1.0], [2.0], [4.0]])
    assert plane.explained.tolist() == [1, 0]
    assert plane.map([[1.0], [4.0]])[:, 1].tolist() == [0, 0]


def test_outputs_that_never_vary_are_one_point() -> None:
    plane = principal_plane(np.full((20, 4), 3.0))
    assert plane.map(np.full((20, 4), 3.0)).tolist() == [[0, 0]] * 20
    assert plane.explained.tolist() == [0, 0]


def test_what_diverged_is_a_map_without_axes() -> None:
    x = np.full((20, 4), np.nan)
    plane = principal_plane(x)
    assert plane.explained.tolist() == [0, 0]
    assert plane.turned(x, np.zeros((20, 2))) is plane


def test_a_larger_sample_holds_the_smaller_one() -> None:
    few, many = sample(10_000, 2_000), sample(10_000, 5_000)
    assert len(set(few.tolist())) == 2_000
    assert set(few.tolist()) <= set(many.tolist())
    assert few.tolist() == sorted(few.tolist()) == sample(10_000, 2_000).tolist()
    assert sample(7, 100).tolist() == list(range(7))


def test_axes_reach_a_bit_beyond_the_points() -> None:
    assert reach([[0.0, 5.0], [10.0, 5.0], [np.nan, np.inf]]) == ((-0.5, 10.5), (4.0, 6.0))
    assert reach(np.full((3, 2), np.nan)) == ((-1.0, 1.0), (-1.0, 1.0))
