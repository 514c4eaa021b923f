"""A map of many digits: a layer's outputs seen from the side where they spread most.

Principal component analysis (Pearson 1901; Hotelling 1933): the directions along which the outputs
vary most are the eigenvectors of their covariance with the largest eigenvalues,

    covariance = (x - mean)^T @ (x - mean) / (n - 1),    covariance @ axis = variance * axis

and the map is (x - mean) @ axes. An eigenvector is as good with the other sign, and two of nearly
the same variance may trade places, so that two maps of nearly the same outputs can look different.
`turned` removes what is arbitrary: it turns and mirrors a map within its plane (orthogonal
Procrustes, Schoenemann 1966) until it lies as close to another one as it can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

CARRIED = 8
"""Directions that are iterated to find the first two."""

MOST_ROUNDS = 300
PRECISION = 1e-11
"""Of an eigenvector, in parts of the largest variance; reached in some 30 rounds on digits."""

Points = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Projection:
    """A plane through a layer's outputs.

    Attributes:
        mean: (units,), the point that is the map's origin.
        axes: (units, 2), two directions of length one at right angles.
        explained: (2,), the share of all variance that lies along each principal component,
            0 to 1; `turned` keeps their sum.
    """

    mean: npt.NDArray[np.float64]
    axes: npt.NDArray[np.float64]
    explained: npt.NDArray[np.float64]

    def map(self, x: npt.ArrayLike) -> Points:
        """Return where outputs (n, units) lie on the map, (n, 2)."""
        outputs = np.asarray(x, np.float64)
        with np.errstate(all="ignore"):  # a network that has diverged gives what is not a number
            return np.asarray((outputs - self.mean) @ self.axes)

    def turned(self, x: npt.ArrayLike, towards: Points) -> Projection:
        """Return the same plane, turned and mirrored so that its map comes close to another.

        Args:
            x: (n, units), outputs.
            towards: (n, 2), where the same examples lie on the other map.
        """
        points = self.map(x)
        if not np.isfinite(points).all():
            return self
        u, _, vt = np.linalg.svd(points.T @ (towards - towards.mean(axis=0)))
        return replace(self, axes=self.axes @ (u @ vt))


def principal_plane(x: npt.ArrayLike) -> Projection:
    """Fit the plane of the first two principal components.

    The sign of each is chosen so that its largest entry is positive.

    Args:
        x: (n, units), at least two outputs, of one or more units. Of what is not a number, and
            where there is no second direction, an axis of zeros is left.
    """
    outputs = np.asarray(x, np.float64)
    n, units = outputs.shape
    axes, explained = np.zeros((units, 2)), np.zeros(2)
    if not np.isfinite(outputs).all():
        return Projection(np.zeros(units), axes, explained)
    mean = outputs.mean(axis=0)
    centred = outputs - mean
    covariance = centred.T @ centred / max(n - 1, 1)
    variance, directions = _leading_directions(covariance)
    total = float(np.trace(covariance))
    for axis, size in enumerate(variance.tolist()):
        if size > total * np.finfo(np.float64).eps:
            direction = directions[:, axis]
            axes[:, axis] = direction * np.sign(direction[np.abs(direction).argmax()])
            explained[axis] = size / total
    return Projection(mean, axes, explained)


def _leading_directions(covariance: Points) -> tuple[npt.NDArray[np.float64], Points]:
    """Return the two largest eigenvalues and their eigenvectors, (2,) and (units, 2).

    Orthogonal iteration (Golub and Van Loan, Matrix Computations, 7.3.2): multiplying directions by
    the covariance again and again turns them towards those of the largest variance. For two of a
    thousand this takes a hundredth of the time of computing all of them. A few more than two are
    carried along, so that the next ones, which may be nearly as large, do not slow it down.
    """
    units = len(covariance)
    block = np.random.default_rng(0).normal(size=(units, min(units, CARRIED)))
    for _ in range(MOST_ROUNDS):
        block, _ = np.linalg.qr(covariance @ block)
        variance, turn = np.linalg.eigh(block.T @ covariance @ block)  # the smallest first
        variance, axes = variance[::-1][:2], (block @ turn)[:, ::-1][:, :2]
        if np.linalg.norm(covariance @ axes - axes * variance) <= PRECISION * variance[0]:
            break
    return variance, axes


def sample(n: int, most: int, seed: int = 0) -> npt.NDArray[np.int64]:
    """Return `most` of n positions, drawn at random with a fixed seed, in ascending order.

    A larger sample holds the smaller one, so that asking for more adds to what is there.
    """
    return np.sort(np.random.default_rng(seed).permutation(n)[:most])


def reach(points: Points, *, margin: float = 0.05) -> tuple[tuple[float, float], ...]:
    """Return from where to where points (n, 2) reach along each axis, and a bit more.

    What is not a number is left out; axes have some length in any case.
    """
    limits = []
    for column in np.asarray(points, np.float64).T:
        finite = column[np.isfinite(column)]
        low, high = (float(finite.min()), float(finite.max())) if len(finite) else (0.0, 0.0)
        pad = margin * (high - low) or 1.0
        limits.append((low - pad, high + pad))
    return tuple(limits)
