-- ---------------------------------------------------------------------------------------------------------------------------
-- Plans: which tables are backed up when, and how long the backups are kept
-- ---------------------------------------------------------------------------------------------------------------------------

-- One row per plan. Roles are named, not numbered, so that a dump of the database carries them; a plan whose system_identifier or
-- database_oid is not this database's came with a copy of it and is suspended until somebody enables it here.
CREATE TABLE snapback.plan (
  plan              text PRIMARY KEY,
  owner             name NOT NULL,
  schedule          text NOT NULL,
  timezone          text NOT NULL,
  tables            text[],                     -- qualified names and patterns; null: what backup_create() takes
  keep_days         integer,
  keep_last         integer,
  keep_daily        integer,
  keep_weekly       integer,
  keep_monthly      integer,
  keep_yearly       integer,
  verify            text NOT NULL,              -- files, content or restore
  reverify          text NOT NULL,              -- "files" or "restore" and a schedule, or "never"
  max_age           text,                       -- an interval; null: the time between two due times and one hour; 0: no limit
  lock_budget       text NOT NULL,              -- an interval; 0: no limit
  catch_up          text NOT NULL,              -- once or skip
  overlap           text NOT NULL,              -- skip or wait
  retries           integer NOT NULL,
  encrypt           boolean,
  location          text,
  enabled           boolean NOT NULL,
  system_identifier text NOT NULL,
  database_oid      oid NOT NULL,
  next_due          timestamp with time zone,   -- null while the plan is not enabled
  last_due          timestamp with time zone,   -- the last slot that was decided
  next_reverify     timestamp with time zone,   -- when kept backups are to be read again; null: never
  created_at        timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
  changed_at        timestamp with time zone NOT NULL DEFAULT pg_catalog.now()
);
COMMENT ON TABLE snapback.plan IS 'the plans; read the view backup_plans, change them with backup_schedule() and backup_unschedule()';
SELECT pg_catalog.pg_extension_config_dump('snapback.plan', '');

CREATE TYPE @extschema@.backup_plan_info AS (
  plan         text,
  schedule     text,
  timezone     text,
  next_due     timestamp with time zone[],
  tables       text[],
  keep_days    integer,
  keep_last    integer,
  keep_daily   integer,
  keep_weekly  integer,
  keep_monthly integer,
  keep_yearly  integer,
  verify       text,
  reverify     text,
  max_age      text,
  lock_budget  text,
  catch_up     text,
  overlap      text,
  retries      integer,
  encrypt      boolean,
  location     text,
  enabled      boolean,
  suspended    boolean,
  owner        text,
  created_at   timestamp with time zone,
  changed_at   timestamp with time zone,
  warnings     text[]
);
COMMENT ON TYPE @extschema@.backup_plan_info IS 'one plan: what backup_schedule() and backup_unschedule() return';
COMMENT ON COLUMN @extschema@.backup_plan_info.next_due IS 'the next three due times';
COMMENT ON COLUMN @extschema@.backup_plan_info.tables IS 'names and patterns with their schemas; null: what backup_create() takes when it is not told';
COMMENT ON COLUMN @extschema@.backup_plan_info.suspended IS
'the plan was made in another database, of which this one is a copy; backup_schedule(plan, enabled => true) takes it over';

CREATE FUNCTION @extschema@.backup_schedule(
  plan         text    DEFAULT 'daily',
  schedule     text    DEFAULT NULL,
  tables       text[]  DEFAULT NULL,
  timezone     text    DEFAULT NULL,
  keep_days    integer DEFAULT NULL,
  keep_last    integer DEFAULT NULL,
  keep_daily   integer DEFAULT NULL,
  keep_weekly  integer DEFAULT NULL,
  keep_monthly integer DEFAULT NULL,
  keep_yearly  integer DEFAULT NULL,
  verify       text    DEFAULT NULL,
  reverify     text    DEFAULT NULL,
  max_age      text    DEFAULT NULL,
  lock_budget  text    DEFAULT NULL,
  catch_up     text    DEFAULT NULL,
  overlap      text    DEFAULT NULL,
  retries      integer DEFAULT NULL,
  encrypt      boolean DEFAULT NULL,
  location     text    DEFAULT NULL,
  enabled      boolean DEFAULT NULL
) RETURNS @extschema@.backup_plan_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_schedule';
COMMENT ON FUNCTION @extschema@.backup_schedule(text, text, text[], text, integer, integer, integer, integer, integer, integer, text, text, text,
  text, text, text, integer, boolean, text, boolean) IS
'makes a plan or changes one (null leaves a setting as it was, 0 takes a limit away) and returns it with its next three due times; without
arguments every day at 02:00, kept for 30 days: SELECT * FROM backup_schedule();
SELECT * FROM backup_schedule(''weekly'', ''0 3 * * 0'', keep_last => 4)';

CREATE FUNCTION @extschema@.backup_unschedule(plan text) RETURNS @extschema@.backup_plan_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_unschedule';
COMMENT ON FUNCTION @extschema@.backup_unschedule(text) IS
'removes a plan; its backups stay as long as they were to be kept: SELECT plan FROM backup_unschedule(''weekly'')';

CREATE FUNCTION @extschema@.backup_prune(
  plan    text    DEFAULT NULL,
  dry_run boolean DEFAULT true
) RETURNS TABLE (
  backup_id text,
  action    text,
  reason    text,
  applied   boolean
)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_backup_prune';
COMMENT ON FUNCTION @extschema@.backup_prune(text, boolean) IS
'shows for every backup, or those of one plan, whether it is kept and why, and with dry_run => false deletes, at commit, what is not kept, as
happens after every good backup: SELECT * FROM backup_prune();  SELECT * FROM backup_prune(dry_run => false)';
