"""The note of a study for Optuna's dashboard.

It is written to the attributes that the dashboard (0.21) reads. Its own functions would load all of the dashboard, and with it
packages that a search does not use, which takes as long as fifty trials.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
from collections.abc import Mapping
from typing import Any

from optuna.study import Study

from quantsim.optuna_private import set_study_attribute, study_attributes, writing_together

__all__ = ["write_note"]

logger = logging.getLogger(__name__)

_VERSION = "dashboard:note_ver"
_PART = "dashboard:note_str:{}"
_LONGEST_PART = 2045  # characters
_DIGEST = "quantsim:note"


def write_note(study: Study, text: str) -> None:
    """Stores a text as the note of a study. A note that a user has changed is kept."""
    attributes = study_attributes(study)
    present, written = _present(attributes), attributes.get(_DIGEST)
    if present not in ("", text) and written != _digest(present):
        logger.debug("kept the note of study %s, which a user has changed", study.study_name)
        return
    if present == text and written == _digest(text):
        return
    parts = [text[first : first + _LONGEST_PART] for first in range(0, len(text), _LONGEST_PART)]
    n_before = sum(_PART.format(index) in attributes for index in range(len(attributes)))
    parts += [""] * (n_before - len(parts))
    changed = {_VERSION: attributes.get(_VERSION, 0) + 1, _DIGEST: _digest(text)}
    changed |= {_PART.format(index): part for index, part in enumerate(parts)}
    with writing_together(study):
        for key, value in changed.items():
            set_study_attribute(study, key, value)


def _present(attributes: Mapping[str, Any]) -> str:
    keys = map(_PART.format, itertools.count())
    return "".join(attributes[key] for key in itertools.takewhile(attributes.__contains__, keys))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
