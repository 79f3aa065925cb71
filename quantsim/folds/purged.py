"""Combinatorial purged cross-validation (López de Prado 2018, *Advances in Financial Machine Learning*, ch. 7 and 12)."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

from quantsim.errors import ConfigError
from quantsim.limits import MOST_FOLDS

__all__ = ["Block", "Combinatorial", "PurgedSplit", "combinatorial"]

Block = tuple[int, int]
"""First observation, and the observation after the last one."""


@dataclass(frozen=True)
class PurgedSplit:
    """One way to choose the test groups.

    Attributes:
        position: index of the split, from 0.
        test_groups: indices of the test groups, in order.
        test: one block per test group.
        train: blocks of training data between them, in order; adjacent groups are one block.
    """

    position: int
    test_groups: tuple[int, ...]
    test: tuple[Block, ...]
    train: tuple[Block, ...]


@dataclass(frozen=True)
class Combinatorial:
    """All splits of a combinatorial cross-validation, and the paths that their test groups form.

    Attributes:
        groups: the ``N`` groups, as blocks.
        splits: the ``C(N, k)`` splits, in lexicographic order of their test groups.
        paths: for each of the ``φ = k/N · C(N, k)`` paths, the split whose test data each group is taken from, (φ, N). Every
            test group of every split is in one path.
    """

    groups: tuple[Block, ...]
    splits: tuple[PurgedSplit, ...]
    paths: tuple[tuple[int, ...], ...]


def combinatorial(
    n_observations: int, n_groups: int, n_test_groups: int, *, purge: int = 0, embargo: int = 0
) -> Combinatorial:
    """Returns the splits of combinatorial purged cross-validation.

    The observations are cut into ``n_groups`` groups of equal size; the last one has the rest, too. Every choice of
    ``n_test_groups`` of them is a split. Of the other groups, ``purge`` observations before a test group, and
    ``purge + embargo`` after it, are left out of the training data.

    Args:
        n_observations: number of observations.
        n_groups: number of groups, ``N``.
        n_test_groups: number of test groups in each split, ``k``.
        purge: number of observations next to a test group that may overlap it.
        embargo: number of observations after a test group that it still influences.

    Raises:
        ConfigError: a number is out of range, or a split is left without training data.

    Example:
        >>> splits = combinatorial(6, 3, 1, embargo=1).splits
        >>> [(split.test, split.train) for split in splits]
        [(((0, 2),), ((3, 6),)), (((2, 4),), ((0, 2), (5, 6))), (((4, 6),), ((0, 4),))]
    """
    if not 1 <= n_test_groups < n_groups:
        raise ConfigError(f"n_test_groups = {n_test_groups} must be at least 1 and less than n_groups = {n_groups}")
    if purge < 0 or embargo < 0:
        raise ConfigError(f"purge = {purge} and embargo = {embargo} must not be negative")
    size = n_observations // n_groups
    if size < 1:
        raise ConfigError(f"n_groups = {n_groups} of {n_observations} observations leave none to a group: take fewer")
    if math.comb(n_groups, n_test_groups) > MOST_FOLDS:
        raise ConfigError(
            f"n_groups = {n_groups} and n_test_groups = {n_test_groups} make more splits than {MOST_FOLDS:,}: take fewer groups"
        )
    bounds = [*(group * size for group in range(n_groups)), n_observations]
    groups = tuple(itertools.pairwise(bounds))
    splits = tuple(
        _split(position, chosen, groups, purge, embargo)
        for position, chosen in enumerate(itertools.combinations(range(n_groups), n_test_groups))
    )
    sources = [[split.position for split in splits if group in split.test_groups] for group in range(n_groups)]
    return Combinatorial(groups, splits, tuple(zip(*sources, strict=True)))


def _split(position: int, chosen: tuple[int, ...], groups: tuple[Block, ...], purge: int, embargo: int) -> PurgedSplit:
    test = tuple(groups[group] for group in chosen)
    train, begin, whole = [], 0, groups[-1][1]
    for first, end in (*test, (whole + purge, whole)):  # the end of the data, before which nothing is purged
        if begin < first - purge:
            train.append((begin, min(first - purge, whole)))
        begin = end + purge + embargo
    if not train:
        raise ConfigError(
            f"purge = {purge} and embargo = {embargo} leave no training data where groups {', '.join(map(str, chosen))} of "
            f"{len(groups)} are test data, {groups[0][1]} observations each: shorten them, or take longer or fewer test groups"
        )
    return PurgedSplit(position, chosen, test, tuple(train))
