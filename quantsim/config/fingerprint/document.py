"""Writes a translated fingerprint as a study file, with comments on keys whose meaning differs."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from quantsim.config.fingerprint.translate import Translation
from quantsim.config.toml_text import toml_text

if TYPE_CHECKING:
    from quantsim.config import Experiment

__all__ = ["study_file", "study_json"]

_WIDTH = 118


def study_file(translation: Translation, experiment: Experiment) -> str:
    """Returns the text of a study file (TOML) that loads as this experiment. Defaults are left out.

    Args:
        translation: translation of the fingerprint, with its source and notes.
        experiment: experiment made from the translation.
    """
    notes = [f"{path}: {text}." for path, text in translation.notes]
    remarks = [f"Translated from {translation.source}, a configuration of quantammsim.", *notes]
    comments = [f"# {line}\n" for remark in remarks for line in _wrapped(remark)]
    return "".join(comments) + "\n" + toml_text(experiment.model_dump(mode="json", exclude_defaults=True))


def study_json(translation: Translation, experiment: Experiment) -> dict[str, Any]:
    """Returns the tables of that file as JSON values, and what the comments say of keys; arguments as above."""
    return {
        "source": translation.source,
        "study": experiment.model_dump(mode="json", exclude_defaults=True),
        "notes": [{"key": path, "note": text} for path, text in translation.notes],
    }


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
