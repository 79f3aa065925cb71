"""Pages with the curves of gradient training, beside Optuna's dashboard: ``/training`` and ``/training/RUN``."""

from __future__ import annotations

import html
import re
import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from quantsim.checkpoints.checkpoint import Run
from quantsim.checkpoints.training import TrainingCurves, gradient_runs, training_curves
from quantsim.errors import ConfigError, QuantsimError
from quantsim.report.training_plot import training_svg

if TYPE_CHECKING:
    from quantsim.checkpoints import CheckpointStore

__all__ = ["TrainingPages", "trained_runs"]

Application = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]

_PATH = re.compile(r"/training(?:/([0-9a-f]{1,32}))?/?")
_REFRESH_S = 5
_DRAWING = threading.Lock()  # matplotlib is not safe in several threads
_PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
{refresh}<title>{title}</title><style>
body {{ font: 16px/1.5 system-ui, sans-serif; color: #1f2933; margin: 1.5rem auto; max-width: 1200px; padding: 0 1rem; }}
table {{ border-collapse: collapse; }} td, th {{ padding: .25rem .75rem; border-bottom: 1px solid #e4e7eb; text-align: left; }}
td.number {{ text-align: right; font-variant-numeric: tabular-nums; }}
h1 {{ font-size: 1.5rem; }} h2 {{ font-size: 1.2rem; }} svg {{ width: 100%; min-width: 640px; height: auto; }}
.wide {{ overflow-x: auto; }}
</style></head><body>{body}</body></html>
"""
_LINK = (
    b'<a href="/training" style="position:fixed;right:12px;bottom:12px;z-index:2000;padding:4px 12px;border-radius:4px;'
    b'background:#1b6ca8;color:#fff;font:14px sans-serif;text-decoration:none">Gradient training</a></body>'
)


class TrainingPages:
    """A WSGI application that answers requests for the pages of gradient training, and forwards all others.

    The pages of Optuna's dashboard get a link to them, if the store has gradient runs.
    """

    def __init__(self, application: Application, store: CheckpointStore) -> None:
        """Wraps the dashboard; the runs are those of a store."""
        self._application, self._store = application, store

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Answers one request."""
        path = environ.get("PATH_INFO", "")
        found = _PATH.fullmatch(path)
        if environ.get("REQUEST_METHOD") != "GET":
            return self._application(environ, start_response)
        if found is not None:
            return self._answer(found[1], start_response)
        if path.startswith("/dashboard") and self._store.find_runs(driver="sgd"):
            return _with_link(self._application, environ, start_response)
        return self._application(environ, start_response)

    def _answer(self, run_id: str | None, start_response: Callable[..., Any]) -> list[bytes]:
        status = "200 OK"
        try:
            page = _list_page(trained_runs(self._store)) if run_id is None else _run_page(self._store, run_id)
        except QuantsimError as error:
            status = "501 Not Implemented" if isinstance(error, ConfigError) else "404 Not Found"
            page = _page("No curves", f'<p>{html.escape(str(error))}</p><p><a href="/training">All runs</a></p>')
        body = page.encode()
        start_response(status, [("Content-Type", "text/html; charset=utf-8"), ("Content-Length", str(len(body)))])
        return [body]


def trained_runs(store: CheckpointStore) -> list[Run]:
    """Returns the runs that have pages, the newest first: gradient runs of their own, and searches of hybrid runs."""
    hybrid = {run.run_id: gradient_runs(store, run) for run in store.find_runs(driver="search")}
    parts = {part.run_id for found in hybrid.values() for part in found}
    runs = [
        run for run in store.find_runs() if hybrid.get(run.run_id) or (run.driver == "sgd" and run.run_id not in parts)
    ]
    return sorted(runs, key=lambda run: run.started_at, reverse=True)


def _list_page(runs: list[Run]) -> str:
    rows = "".join(
        f'<tr><td><a href="/training/{html.escape(run.run_id)}">{html.escape(run.key)}</a></td>'
        f"<td>{html.escape(run.name)}</td><td>{'hybrid' if run.driver == 'search' else run.driver}</td>"
        f"<td>{html.escape(run.status)}</td>"
        f"<td>{run.started_at:%Y-%m-%d %H:%M}</td></tr>"
        for run in runs
    )
    head = "<tr><th>run</th><th>study</th><th>driver</th><th>status</th><th>started (UTC)</th></tr>"
    table = f'<div class="wide"><table>{head}{rows}</table></div>' if runs else "<p>There is no gradient run yet.</p>"
    return _page("Gradient training", f'<h1>Gradient training</h1>{table}<p><a href="/dashboard">Studies</a></p>')


def _run_page(store: CheckpointStore, run_id: str) -> str:
    curves = training_curves(store, run_id)
    run = curves.run
    running = "running" in {run.status, *(phase.run.status for phase in curves.phases)}
    title = f"{run.name}, run {run.key}"
    with _DRAWING:
        picture = training_svg(curves)
    body = (
        f'<p><a href="/training">All runs</a></p><h1>{html.escape(title)}</h1>'
        f"<p>{html.escape(run.status)}{', updates every ' + str(_REFRESH_S) + ' seconds' if running else ''}</p>"
        f'<div class="wide">{picture}</div>{_last_report(curves)}'
    )
    return _page(title, body, refresh=running)


def _last_report(curves: TrainingCurves) -> str:
    """Returns a table of the objective at the last report."""
    last = curves.phases[-1]
    splits = list(last.objective)
    head = "".join(f"<th>{html.escape(split)}</th>" for split in splits)
    rows = "".join(
        f"<tr><td>{index}</td>"
        + "".join(f'<td class="number">{last.objective[split][-1, index]:.4g}</td>' for split in splits)
        + f'<td class="number">{int(last.per_step["rejected"][:, index].sum())}</td></tr>'
        for index in range(last.n_sets)
    )
    title = f"Objective ({html.escape(curves.metric)}) at step {int(last.reports[-1])}"
    title += f" of round {last.round}" if last.round else ""
    table = f"<table><tr><th>set</th>{head}<th>rejected updates</th></tr>{rows}</table>"
    return f'<h2>{title}</h2><div class="wide">{table}</div>'


def _page(title: str, body: str, *, refresh: bool = False) -> str:
    reload = f'<meta http-equiv="refresh" content="{_REFRESH_S}">\n' if refresh else ""
    return _PAGE.format(refresh=reload, title=html.escape(title), body=body)


def _with_link(application: Application, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """Returns a page of Optuna's dashboard with a link to the pages of gradient training."""
    begun: list[tuple[str, list[tuple[str, str]]]] = []
    parts = application(environ, lambda status, headers, exc_info=None: begun.append((status, headers)))
    try:
        body = b"".join(parts)
    finally:
        getattr(parts, "close", lambda: None)()
    status, headers = begun[-1]
    if any(name.lower() == "content-type" and "html" in text for name, text in headers):
        body = body.replace(b"</body>", _LINK)
        headers = [(name, text) for name, text in headers if name.lower() != "content-length"]
        headers.append(("Content-Length", str(len(body))))
    start_response(status, headers)
    return [body]
