-- A store as the program of schema version 1 wrote it: one run, two checkpoints, a state.
BEGIN TRANSACTION;
CREATE TABLE checkpoint_schema (
  version INTEGER NOT NULL,
  PRIMARY KEY (version)
);
INSERT INTO "checkpoint_schema" VALUES(1);
CREATE TABLE checkpoints (
  id INTEGER NOT NULL,
  run_id VARCHAR(32) NOT NULL,
  step BIGINT NOT NULL,
  parameter_set BIGINT NOT NULL,
  driver VARCHAR(16) NOT NULL,
  raw JSON NOT NULL,
  human JSON NOT NULL,
  objective DOUBLE,
  objective_non_finite VARCHAR(4),
  created_at VARCHAR(27) NOT NULL,
  PRIMARY KEY (id),
  UNIQUE (run_id, step, parameter_set),
  CONSTRAINT objective_is_one_number CHECK (objective IS NULL OR objective_non_finite IS NULL),
  FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
INSERT INTO "checkpoints" VALUES(1,'dab5d0e8fd284e0b8f1482ede5c13b4f',0,0,'sgd','{"logit_lamb": [0.0, "nan"]}','{"memory_days": [10.0, 12.0]}',0.25,NULL,'2026-11-21T11:24:45.032591Z');
INSERT INTO "checkpoints" VALUES(2,'dab5d0e8fd284e0b8f1482ede5c13b4f',1,0,'sgd','{"logit_lamb": [0.1, "nan"]}','{"memory_days": [10.0, 12.0]}',1.25,NULL,'2026-11-21T11:24:45.040601Z');
CREATE TABLE metrics (
  checkpoint_id INTEGER NOT NULL,
  split VARCHAR(10) NOT NULL,
  name VARCHAR(200) NOT NULL,
  value DOUBLE,
  non_finite VARCHAR(4),
  PRIMARY KEY (checkpoint_id, split, name),
  CONSTRAINT value_is_one_number CHECK ((value IS NULL) <> (non_finite IS NULL)),
  FOREIGN KEY(checkpoint_id) REFERENCES checkpoints (id) ON DELETE CASCADE
)
 WITHOUT ROWID
;
INSERT INTO "metrics" VALUES(1,'train','returns',0.25,NULL);
INSERT INTO "metrics" VALUES(1,'train','sharpe',NULL,'inf');
INSERT INTO "metrics" VALUES(2,'train','returns',1.25,NULL);
INSERT INTO "metrics" VALUES(2,'train','sharpe',NULL,'inf');
CREATE TABLE runs (
  run_id VARCHAR(32) NOT NULL,
  experiment_id VARCHAR(128) NOT NULL,
  data_id VARCHAR(128) NOT NULL,
  name TEXT NOT NULL,
  driver VARCHAR(16) NOT NULL,
  config JSON NOT NULL,
  seed BIGINT,
  status VARCHAR(16) NOT NULL,
  reason TEXT,
  started_at VARCHAR(27) NOT NULL,
  updated_at VARCHAR(27) NOT NULL,
  finished_at VARCHAR(27),
  version VARCHAR(64) NOT NULL,
  notes JSON NOT NULL,
  PRIMARY KEY (run_id)
);
INSERT INTO "runs" VALUES('dab5d0e8fd284e0b8f1482ede5c13b4f','5d41','9a0b','first try','sgd','{"rule": "momentum"}',0,'running',NULL,'2026-11-21T11:24:45.024399Z','2026-11-21T11:24:45.040804Z',NULL,'0.1.0','{}');
CREATE TABLE states (
  run_id VARCHAR(32) NOT NULL,
  step BIGINT NOT NULL,
  blob BLOB NOT NULL,
  created_at VARCHAR(27) NOT NULL,
  PRIMARY KEY (run_id),
  FOREIGN KEY(run_id) REFERENCES runs (run_id) ON DELETE CASCADE
);
INSERT INTO "states" VALUES('dab5d0e8fd284e0b8f1482ede5c13b4f',1,X'007374617465','2026-11-21T11:24:45.040804Z');
CREATE INDEX ix_runs_experiment_id ON runs (experiment_id);
COMMIT;
