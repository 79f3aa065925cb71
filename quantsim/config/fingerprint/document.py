"""A translated dictionary as a study file, with comments for what means something else."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from quantsim.config.fingerprint.translate import Translation
from quantsim.config.toml_text import toml_text

if TYPE_CHECKING:
    from quantsim.config import Experiment

__all__ = ["study_file"]

_WIDTH = 118


def study_file(translation: Translation, experiment: Experiment) -> str:
    """The text of a study file (TOML) that loads as the experiment does: all that differs from a study's defaults.

    Args:
        translation: says where the experiment is from, and what is to be said of it.
        experiment: that it was made into.
    """
    notes = [f"{path}: {text}." for path, text in translation.notes]
    remarks = [f"Translated from {translation.source}, a configuration of quantammsim.", *notes]
    comments = [f"# {line}\n" for remark in remarks for line in _wrapped(remark)]
    return "".join(comments) + "\n" + toml_text(experiment.model_dump(mode="json", exclude_defaults=True))


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(" ".join(text.split()), _WIDTH, subsequent_indent="  ", break_on_hyphens=False)
