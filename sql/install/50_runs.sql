-- ---------------------------------------------------------------------------------------------------------------------------
-- Runs: what is done by workers of the server, and what became of it
-- ---------------------------------------------------------------------------------------------------------------------------

-- One row for each attempt made by a worker. A worker that is alive holds a lock on its row's number (pg_locks: locktype "object",
-- classid this table): a row that is queued or running without one belongs to a worker that died, and becomes "crashed".
CREATE TABLE snapback.run (
  run_id      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  kind        text NOT NULL CHECK (kind IN ('create', 'verify', 'restore', 'prune', 'delete')),
  plan        text,
  due         timestamp with time zone,
  attempt     integer NOT NULL DEFAULT 1,
  role_name   name NOT NULL,
  state       text NOT NULL DEFAULT 'queued'
              CHECK (state IN ('queued', 'running', 'succeeded', 'failed', 'cancelled', 'crashed', 'gave_way')),
  queued_at   timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  started_at  timestamp with time zone,
  finished_at timestamp with time zone,
  pid         integer,
  rows        bigint,
  bytes       bigint,
  backup_id   text,
  sqlstate    text,
  message     text,
  result      jsonb,
  arguments   jsonb NOT NULL DEFAULT '{}',
  search_path text
);
CREATE INDEX run_plan ON snapback.run (plan, due);
CREATE INDEX run_open ON snapback.run (run_id) WHERE state IN ('queued', 'running');
COMMENT ON SEQUENCE snapback.run_run_id_seq IS 'the numbers of runs';
COMMENT ON TABLE snapback.run IS 'runs of workers; read the view backup_runs';
COMMENT ON COLUMN snapback.run.search_path IS 'of the caller: names of tables in the arguments are looked up by it';

CREATE TYPE @extschema@.backup_run_info AS (
  run_id      bigint,
  kind        text,
  state       text,
  plan        text,
  due         timestamp with time zone,
  attempt     integer,
  role_name   text,
  queued_at   timestamp with time zone,
  started_at  timestamp with time zone,
  finished_at timestamp with time zone,
  seconds     double precision,
  rows        bigint,
  bytes       bigint,
  backup_id   text,
  sqlstate    text,
  message     text,
  result      jsonb,
  arguments   jsonb
);
COMMENT ON TYPE @extschema@.backup_run_info IS 'one run: what backup_start(), backup_cancel() and the view backup_runs return';
COMMENT ON COLUMN @extschema@.backup_run_info.state IS
'queued, running, succeeded, failed, cancelled, crashed (its process is gone) or gave_way (to a change of a table''s definition)';
COMMENT ON COLUMN @extschema@.backup_run_info.due IS 'the time of the plan that the run is for; null when it was started by hand';
COMMENT ON COLUMN @extschema@.backup_run_info.result IS 'what the function returned, as JSON';

CREATE FUNCTION @extschema@.backup_start(
  action text,
  args   jsonb DEFAULT '{}'
) RETURNS @extschema@.backup_run_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_start';
COMMENT ON FUNCTION @extschema@.backup_start(text, jsonb) IS
'starts create, verify, restore, prune or delete in a process of its own, with the arguments of that function, when the transaction
commits; for callers whose calls are cut after seconds. What becomes of it is in backup_runs:
SELECT run_id FROM backup_start(''create'', ''{"label": "from the console"}'');  SELECT state, message FROM backup_runs WHERE run_id = 7';

CREATE FUNCTION @extschema@.backup_run(plan text) RETURNS @extschema@.backup_run_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_run';
COMMENT ON FUNCTION @extschema@.backup_run(text) IS
'runs a plan now, in a process of its own that starts when the transaction commits; its due times stay as they are:
SELECT run_id FROM backup_run(''daily'')';

CREATE FUNCTION @extschema@.backup_run_due(raise boolean DEFAULT false) RETURNS SETOF @extschema@.backup_run_info
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'snapback_backup_run_due';
COMMENT ON FUNCTION @extschema@.backup_run_due(boolean) IS
'for servers without the background worker: runs what is due in this database and returns when it is done; with raise a run that did not
succeed is an error. With pg_cron: SELECT cron.schedule(''* * * * *'', ''SELECT backup_run_due(true)'')';

CREATE FUNCTION @extschema@.backup_cancel(run_id bigint) RETURNS @extschema@.backup_run_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_cancel';
COMMENT ON FUNCTION @extschema@.backup_cancel(bigint) IS
'cancels a run that is queued or running and returns it as it is now; it ends soon after: SELECT state FROM backup_cancel(7)';

CREATE FUNCTION snapback.run_crashed(run_id bigint) RETURNS boolean
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_run_crashed';
COMMENT ON FUNCTION snapback.run_crashed(bigint) IS
'whether a run that had not ended when its row was read has lost its process';

CREATE FUNCTION snapback.history() RETURNS SETOF @extschema@.backup_run_info
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_history';
COMMENT ON FUNCTION snapback.history() IS
'calls that no worker made, of this database, as far as the caller may see them: they are kept in a file of the data directory, because a
failed call leaves no row behind; read the view backup_runs';

-- A run whose worker is gone reads "crashed" at once, also before anything has written that into its row; one that ends meanwhile
-- still reads "running", as the rest of its row does.
CREATE VIEW snapback.run_now AS
SELECT CASE WHEN r.state IN ('queued', 'running') AND snapback.run_crashed(r.run_id) THEN 'crashed' ELSE r.state END AS state_now, r.*
FROM snapback.run AS r;
COMMENT ON VIEW snapback.run_now IS
'the runs of workers, with their states as they are now';

-- The owner's rights read the table; the condition is about who asks.
CREATE VIEW @extschema@.backup_runs WITH (security_barrier = true) AS
SELECT r.run_id,
       r.kind,
       r.state_now AS state,
       r.plan,
       r.due,
       r.attempt,
       r.role_name::text COLLATE pg_catalog."default" AS role_name,
       r.queued_at,
       r.started_at,
       r.finished_at,
       pg_catalog.date_part('epoch', COALESCE(r.finished_at, pg_catalog.clock_timestamp()) - r.started_at) AS seconds,
       r.rows,
       r.bytes,
       r.backup_id,
       r.sqlstate,
       r.message,
       r.result,
       r.arguments
FROM snapback.run_now AS r
WHERE (SELECT u.rolsuper FROM pg_catalog.pg_roles AS u WHERE u.rolname = CURRENT_USER)
   OR (SELECT pg_catalog.has_function_privilege(CURRENT_USER, p.oid, 'EXECUTE')
       FROM pg_catalog.pg_proc AS p
       JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
       WHERE n.nspname = 'snapback' AND p.proname = 'may_operate')
   OR EXISTS (SELECT FROM pg_catalog.pg_roles AS u WHERE u.rolname = r.role_name AND pg_catalog.pg_has_role(u.oid, 'USAGE'))
UNION ALL
SELECT h.run_id, h.kind, h.state, h.plan, h.due, h.attempt, h.role_name, h.queued_at, h.started_at, h.finished_at, h.seconds, h.rows,
       h.bytes, h.backup_id, h.sqlstate, h.message, h.result, h.arguments
FROM snapback.history() AS h;
COMMENT ON VIEW @extschema@.backup_runs IS
'what was done and is being done: runs of plans and of backup_start(), and, with numbers below 0, calls by hand that have ended; every role
sees its own, superusers and level operate see all: SELECT run_id, kind, plan, state, seconds, message FROM backup_runs ORDER BY started_at DESC';

-- One row for each due time of a plan that was decided, by whoever was first: it is inserted before its run is queued.
CREATE TABLE snapback.slot (
  plan       text NOT NULL,
  due        timestamp with time zone NOT NULL,
  state      text NOT NULL CHECK (state IN ('running', 'ran', 'late', 'skipped', 'missed')),
  reason     text,
  run_id     bigint,      -- the newest attempt
  late       boolean NOT NULL DEFAULT false,
  decided_at timestamp with time zone NOT NULL DEFAULT pg_catalog.clock_timestamp(),
  PRIMARY KEY (plan, due)
);
COMMENT ON TABLE snapback.slot IS 'due times of plans and what became of them; read the view backup_slots';

CREATE VIEW @extschema@.backup_slots WITH (security_barrier = true) AS
SELECT s.plan,
       s.due,
       s.state,
       s.reason,
       s.run_id,
       s.decided_at
FROM snapback.slot AS s
WHERE (SELECT u.rolsuper FROM pg_catalog.pg_roles AS u WHERE u.rolname = CURRENT_USER)
   OR (SELECT pg_catalog.has_function_privilege(CURRENT_USER, p.oid, 'EXECUTE')
       FROM pg_catalog.pg_proc AS p
       JOIN pg_catalog.pg_namespace AS n ON n.oid = p.pronamespace
       WHERE n.nspname = 'snapback' AND p.proname = 'may_operate')
   OR EXISTS (SELECT FROM snapback.plan AS p
              JOIN pg_catalog.pg_roles AS u ON u.rolname = p.owner
              WHERE p.plan = s.plan AND pg_catalog.pg_has_role(u.oid, 'USAGE'));
COMMENT ON VIEW @extschema@.backup_slots IS
'what became of every due time of every plan: ran, late, skipped or missed, with the reason; running while its run or a retry is awaited:
SELECT * FROM backup_slots WHERE state IN (''skipped'', ''missed'') ORDER BY due DESC';
