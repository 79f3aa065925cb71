"""``quantsim convert``: a fingerprint as a study file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from quantsim.commands.options import Json, Quiet, Settings, Verbose
from quantsim.commands.output import print_json

__all__ = ["convert"]


def convert(
    file: Annotated[
        Path, typer.Argument(metavar="FILE", show_default=False, help="A fingerprint of quantammsim (JSON).")
    ],
    settings: Settings = None,
    as_json: Json = False,
    quiet: Quiet = False,
    verbose: Verbose = False,
) -> None:
    """Prints a fingerprint of quantammsim as a study file.

    Comments name the keys that have another meaning here, or no effect. The study is the same as with --study FILE.json:
    `quantsim convert FILE.json > study.toml`.
    """
    from quantsim.config import Experiment
    from quantsim.config.fingerprint import read_fingerprint, translate
    from quantsim.config.fingerprint.document import study_file, study_json
    from quantsim.config.overrides import assigned

    translation = translate(read_fingerprint(file), file.name)
    tables = assigned({"name": file.stem, **translation.tables}, settings or ())
    experiment = Experiment.from_translation(translation, tables)
    if as_json:
        print_json(study_json(translation, experiment))
        return
    typer.echo(study_file(translation, experiment).rstrip())
