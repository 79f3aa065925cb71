"""Searches a pool with fees, then goes on by gradients from the three best trials."""

from __future__ import annotations

import tempfile

import quantsim


def main() -> None:
    settings = [
        "data.bar_minutes=60",
        "search.n_startup_trials=5",
        "sgd.steps=20",
        "sgd.report_every=5",
        "sgd.batch_size=4",
    ]
    study = quantsim.Experiment.load("momentum_fees", settings)
    with tempfile.TemporaryDirectory() as folder, quantsim.CheckpointStore(f"{folder}/checkpoints.db") as store:
        found = quantsim.search(study, store=store, trials=15)
        print(found)
        best = quantsim.top(store.checkpoints(run_id=found.run_id), 3, split="train")
        trained = quantsim.train(study, found.prices, store=store, start=best)
        print(trained)


if __name__ == "__main__":
    main()
