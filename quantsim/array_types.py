"""Types of NumPy arrays in annotations. Docstrings say the shapes."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

__all__ = ["Bars", "FloatArray"]

FloatArray: TypeAlias = NDArray[np.float64]
"""An array of numbers."""

Bars: TypeAlias = NDArray[np.int64]
"""Indices of bars."""
