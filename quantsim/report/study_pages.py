"""HTML pages of a study, drawn by ``optuna.visualization`` (needs the extra ``plots``)."""

from __future__ import annotations

import io
import math
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from quantsim.errors import ConfigError, reason_of
from quantsim.ranking import stand_ins
from quantsim.report.comparison_tables import beaten_text, comparison_notes, comparison_table

if TYPE_CHECKING:
    from optuna.study import Study
    from optuna.trial import FrozenTrial

    from quantsim.report.comparison import Comparison

__all__ = ["check_pages", "check_plotly", "importances", "write_study_pages"]

Target = Callable[["FrozenTrial"], float]

_SEEKS_LOW = "PedAnovaImportanceEvaluator computes the importances"
_TELLS_NOTHING = "The number of trials is too small|Target and region quantiles select the same"
_MOST_DRAWN = 3  # objectives of a Pareto plot
_PAGE_WIDTH = 120


def check_plotly() -> None:
    """Raises ConfigError if plotly is not installed."""
    try:
        import plotly  # noqa: F401
    except ImportError as error:
        raise ConfigError("pages of a study need plotly: pip install 'quantsim[plots]'") from error


def check_pages(folder: Path) -> None:
    """Makes the folder for pages if it does not exist.

    Raises:
        ConfigError: plotly is not installed, or the folder cannot be made or written to.
    """
    check_plotly()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise _unwritable(folder, error) from error


def importances(study: Study, objective: int = 0) -> dict[str, float]:
    """Returns trial parameter → importance (PED-ANOVA), the largest first.

    Empty if there are too few trials, or if most have the same objective. Optuna leaves out trials with an infinite value,
    which may be the best ones, so infinite values are replaced by :func:`quantsim.ranking.stand_ins`.

    Args:
        study: study with completed trials.
        objective: index of the objective.
    """
    from optuna.importance import get_param_importances

    if len(_completed(study)) < 2:
        return {}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", _SEEKS_LOW)
        warnings.filterwarnings("error", _TELLS_NOTHING)
        try:
            found = get_param_importances(study, target=_sought(study, objective))
        except UserWarning:
            return {}
    return dict(sorted(found.items(), key=lambda item: -item[1]))


def write_study_pages(
    study: Study,
    folder: Path,
    objectives: Sequence[str],
    cautions: Sequence[str] = (),
    result: Comparison | None = None,
) -> list[Path]:
    """Writes history, importances, parallel coordinates and, for two or three objectives, the Pareto front.

    Args:
        study: study with completed trials.
        folder: output folder, made if it does not exist; pages of the same names are replaced.
        objectives: names of the study's values.
        cautions: notes below the title of each page.
        result: the selected set beside the baselines, for the page ``result.html``.

    Returns:
        The paths of the files.

    Raises:
        ConfigError: plotly is not installed, or the folder cannot be written.
    """
    check_pages(folder)
    written = []
    try:
        for name, figure in _figures(study, objectives):
            path = folder / f"{name}.html"
            if cautions:
                figure.update_layout(title_subtitle_text="; ".join(cautions))
            figure.write_html(path, include_plotlyjs="directory")
            written.append(path)
        if result is not None:
            (folder / "result.html").write_text(_result_page(result, cautions), encoding="utf-8")
            written.append(folder / "result.html")
    except OSError as error:
        raise _unwritable(folder, error) from error
    return written


def _result_page(result: Comparison, cautions: Sequence[str]) -> str:
    """Returns the table that the terminal shows, as HTML."""
    console = Console(record=True, file=io.StringIO(), width=_PAGE_WIDTH, highlight=False, markup=False)
    for text in (beaten_text(result), *(f"Caution: {caution}." for caution in cautions)):
        if text is not None:
            console.print(text, style="bold")
    console.print(comparison_table(result))
    for line in comparison_notes(result):
        console.print(line)
    return console.export_html()


def _unwritable(folder: Path, error: OSError) -> ConfigError:
    return ConfigError(f"pages cannot be written to {folder}: {reason_of(error)}; name another folder")


def _figures(study: Study, objectives: Sequence[str]) -> Iterator[tuple[str, Any]]:
    from optuna import visualization

    several = len(objectives) > 1
    for index, name in enumerate(objectives):
        given = several or _has_infinite(study)
        named: dict[str, Any] = {"target": _finite(study, index) if given else None, "target_name": name}
        suffix = f"_{index + 1}" if several else ""
        yield f"history{suffix}", visualization.plot_optimization_history(study, **named)
        yield f"parallel_coordinates{suffix}", visualization.plot_parallel_coordinate(study, **named)
        if len(importances(study, index)) > 1:
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", _SEEKS_LOW)
                page = visualization.plot_param_importances(study, target=_sought(study, index), target_name=name)
            yield f"importances{suffix}", page
    if 1 < len(objectives) <= _MOST_DRAWN:
        columns = [_finite(study, index) for index in range(len(objectives))]
        targets = (lambda trial: [column(trial) for column in columns]) if _has_infinite(study) else None
        yield "pareto_front", visualization.plot_pareto_front(study, target_names=list(objectives), targets=targets)


def _completed(study: Study) -> list[FrozenTrial]:
    from optuna.trial import TrialState

    return study.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))


def _has_infinite(study: Study) -> bool:
    return any(math.isinf(value) for trial in _completed(study) for value in trial.values)


def _finite(study: Study, index: int) -> Target:
    """Returns a function from a trial to an objective; infinite values are replaced by finite ones."""
    completed = _completed(study)
    values = stand_ins([trial.values[index] for trial in completed]).tolist()
    by_number = {trial.number: value for trial, value in zip(completed, values, strict=True)}
    return lambda trial: by_number[trial.number]


def _sought(study: Study, index: int) -> Target | None:
    """Returns the target of the importances; None for a single objective. Optuna minimises a given target."""
    if len(study.directions) == 1 and not _has_infinite(study):
        return None
    finite = _finite(study, index)
    return lambda trial: -finite(trial)
