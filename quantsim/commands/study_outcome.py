"""Shows what a study came to: the front of several objectives, what mattered, and pages that the browser opens."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from quantsim.commands.session import note, say, show

if TYPE_CHECKING:
    from optuna.study import Study

    from quantsim.config import Experiment
    from quantsim.drivers.search import SearchRun
    from quantsim.drivers.search.storage import Location
    from quantsim.prices import Prices

__all__ = ["attach_pictures", "show_study"]

_MOST_ROWS = 20


def show_study(experiment: Experiment, run: SearchRun, storage: Location, pages: Path | None) -> None:
    """Shows the front, where there are several objectives, and importances; writes pages where a folder is given."""
    from quantsim.drivers.search.storage import opened_storage
    from quantsim.drivers.search.study import load_study, quiet_optuna
    from quantsim.drivers.search.values import objective_names
    from quantsim.report.study_pages import importances, write_study_pages

    names = objective_names(experiment)
    with quiet_optuna(), opened_storage(storage) as opened:
        study = load_study(opened, run.study_name)
        if len(names) > 1:
            _show_front(study, run, names)
        for index, name in enumerate(names):
            found = importances(study, index)
            if len(found) > 1:
                shares = ", ".join(f"{parameter} {100 * share:.0f} %" for parameter, share in found.items())
                say(f"What mattered for {name}: {shares}.")
        if pages is not None:
            written = write_study_pages(study, pages, names)
            say(f"Pages: {', '.join(str(path) for path in written)}")


def attach_pictures(
    experiment: Experiment, prices: Prices, run: SearchRun, storage: Location, store_location: str
) -> None:
    """Gives the best trials a picture and a study file, for the dashboard to show; passes over those that have them."""
    from quantsim.drivers.search.artifacts import artifact_folder, attach_artifacts
    from quantsim.drivers.search.dashboard import best_trials
    from quantsim.drivers.search.storage import opened_storage
    from quantsim.drivers.search.study import load_study, quiet_optuna

    folder = artifact_folder(storage, store_location)
    if folder is None:
        return
    with quiet_optuna(), opened_storage(storage) as opened:
        study = load_study(opened, run.study_name)
        attach_artifacts(study, best_trials(study, experiment), experiment, prices, folder)


def _show_front(study: Study, run: SearchRun, names: tuple[str, ...]) -> None:
    from quantsim.report import front_table

    trials = {trial.number: trial for trial in study.get_trials(deepcopy=False)}
    shown = run.front[:_MOST_ROWS]
    rows = [(number, trials[number].values) for number in shown]
    show(front_table(rows, names, run.best_trial))
    if len(run.front) > len(shown):
        note(f"Note: {len(run.front) - len(shown)} more on the front; the dashboard and the pages show them all.")
    say(
        f"Front: {len(run.front)} trials, hypervolume {run.hypervolume:.3f} of 1. Balanced, nearest to the best of each: trial "
        f"{run.best_trial}."
    )
