"""The result of training on one fold: the selected set, and its test metrics."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from quantsim.checkpoints import Checkpoint
from quantsim.folds import Fold, PurgedSplit

__all__ = ["FoldResult", "FoldT"]

FoldT = TypeVar("FoldT", Fold, PurgedSplit)


@dataclass(frozen=True)
class FoldResult(Generic[FoldT]):
    """The result of one fold: the parameter set that was selected without test data.

    Attributes:
        fold: the fold.
        run_id: id of its run in the store.
        checkpoint: the selected set, with metrics and daily returns on "train", "validation" (if there is any) and "test". Each
            split starts with a new pool.
    """

    fold: FoldT
    run_id: str
    checkpoint: Checkpoint

    @property
    def params(self) -> dict[str, NDArray[np.float64]]:
        """The raw parameters, name → (k,), for the simulator."""
        return self.checkpoint.params

    def in_sample(self, metric: str) -> float:
        """Returns a metric on the training data; nan if it is not stored."""
        return self._value("train", metric)

    def out_of_sample(self, metric: str) -> float:
        """Returns a metric on the test data, of a new pool; nan if it is not stored."""
        return self._value("test", metric)

    def _value(self, split: str, metric: str) -> float:
        value = self.checkpoint.value(split, metric)
        return float("nan") if value is None else value
