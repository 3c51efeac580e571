-- ---------------------------------------------------------------------------------------------------------------------------
-- Watching: plans, metrics, alerts, health
-- ---------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION snapback.last_good_backups(
  OUT plan       text,
  OUT backup_id  text,
  OUT created_at timestamp with time zone
) RETURNS SETOF record
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'snapback_last_good_backups';
COMMENT ON FUNCTION snapback.last_good_backups() IS
'the newest good backup of each plan that has one, as the storage has them; nothing when it cannot be read; read the view backup_plans';

-- Tables are read with the view owner's rights, while current_user stays who asks: ordinary roles see the plans they may act for.
CREATE VIEW @extschema@.backup_plans WITH (security_barrier = true) AS
SELECT p.plan,
       p.schedule,
       p.timezone,
       CASE WHEN NOT own.suspended THEN p.next_due END AS next_due,
       p.enabled,
       own.suspended,
       p.tables,
       p.keep_days,
       p.keep_last,
       p.keep_daily,
       p.keep_weekly,
       p.keep_monthly,
       p.keep_yearly,
       p.verify,
       p.reverify,
       p.max_age,
       p.lock_budget,
       p.catch_up,
       p.overlap,
       p.retries,
       p.encrypt,
       p.location,
       p.owner::text AS owner,
       p.last_due,
       run.at AS last_run_at,
       run.state AS last_run_state,
       good.backup_id AS last_good_backup,
       good.created_at AS last_good_at,
       p.created_at,
       p.changed_at
FROM snapback.plan AS p
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = p.owner
LEFT JOIN LATERAL (
  SELECT coalesce(n.started_at, n.queued_at), n.state_now
  FROM snapback.run_now AS n
  WHERE n.plan = p.plan AND n.kind = 'create'
  ORDER BY n.run_id DESC
  LIMIT 1
) AS run (at, state) ON true
LEFT JOIN snapback.last_good_backups() AS good ON good.plan = p.plan
CROSS JOIN LATERAL (
  SELECT p.system_identifier IS DISTINCT FROM c.system_identifier::text
         OR p.database_oid IS DISTINCT FROM (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
  FROM pg_catalog.pg_control_system() AS c
) AS own (suspended)
WHERE pg_catalog.pg_has_role(coalesce(r.oid, 10), 'USAGE')
ORDER BY p.plan;
COMMENT ON VIEW @extschema@.backup_plans IS
'the plans with their settings, next due times, last runs and last good backups; ordinary roles see those of the roles they belong to:
TABLE backup_plans';

-- What is or was wrong. Whether an alert is open is computed at every look; the rows keep since when, and what was announced.
CREATE TABLE snapback.alert (
  alert_id  bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  severity  text NOT NULL,
  code      text NOT NULL,
  plan      text NOT NULL,             -- empty: none
  subject   text NOT NULL,             -- the damaged backup; empty: none
  since     timestamp with time zone NOT NULL,
  closed_at timestamp with time zone,  -- null: it was open at the last look of a worker
  message   text NOT NULL,
  hint      text NOT NULL
);
CREATE UNIQUE INDEX alert_open ON snapback.alert (code, plan, subject) WHERE closed_at IS NULL;
COMMENT ON TABLE snapback.alert IS 'alerts that were announced; what is open now is in the view backup_alerts';
COMMENT ON SEQUENCE snapback.alert_alert_id_seq IS 'the numbers of alerts';

CREATE FUNCTION snapback.current_alerts(
  OUT severity  text,
  OUT code      text,
  OUT plan      text,
  OUT since     timestamp with time zone,
  OUT message   text,
  OUT hint      text,
  OUT backup_id text
) RETURNS SETOF record
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'snapback_current_alerts';
COMMENT ON FUNCTION snapback.current_alerts() IS 'what is wrong now; read the view backup_alerts';

CREATE FUNCTION snapback.refresh_alerts() RETURNS text
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_refresh_alerts';
COMMENT ON FUNCTION snapback.refresh_alerts() IS
'records, logs and notifies what has opened and closed since the last time; workers do it after each run. Returns when to look again';

CREATE VIEW @extschema@.backup_alerts WITH (security_invoker = true) AS
SELECT a.severity, a.code, a.plan, a.since, a.message, a.hint, a.backup_id
FROM snapback.current_alerts() AS a;
COMMENT ON VIEW @extschema@.backup_alerts IS
'what is wrong now, since when, and what to do, worst first; alerts of plans are for who may see the plan, superusers and members of
pg_read_all_stats: TABLE backup_alerts';

CREATE FUNCTION snapback.current_metrics(
  OUT name   text,
  OUT labels jsonb,
  OUT value  double precision,
  OUT help   text
) RETURNS SETOF record
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 30
AS 'MODULE_PATHNAME', 'snapback_current_metrics';
COMMENT ON FUNCTION snapback.current_metrics() IS 'figures for monitoring; read the view backup_metrics';

CREATE VIEW @extschema@.backup_metrics WITH (security_invoker = true) AS
SELECT m.name, m.labels, m.value, m.help
FROM snapback.current_metrics() AS m;
COMMENT ON VIEW @extschema@.backup_metrics IS
'figures for monitoring in the shape a Prometheus exporter for SQL wants: SELECT name, labels, value FROM backup_metrics';

-- Over all plans, whoever asks, for it names none: an uptime check is to see that somebody else's plan is late.
CREATE FUNCTION @extschema@.backup_health(
  OUT ok                 boolean,
  OUT status             text,
  OUT message            text,
  OUT last_good_at       timestamp with time zone,
  OUT seconds_since_good double precision,
  OUT open_alerts        integer,
  OUT critical_alerts    integer,
  OUT active_plans       integer
) RETURNS record
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_health';
COMMENT ON FUNCTION @extschema@.backup_health() IS
'one row for uptime checks, status ok, warning or critical over all plans: SELECT * FROM backup_health();  SELECT ok FROM backup_health()';

CREATE FUNCTION @extschema@.backup_checklist()
RETURNS TABLE (
  item   text,
  ok     boolean,
  reason text
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 6
AS 'MODULE_PATHNAME', 'snapback_backup_checklist';
COMMENT ON FUNCTION @extschema@.backup_checklist() IS
'what should be in order before a release, an import or a migration: SELECT * FROM backup_checklist();
SELECT bool_and(ok) FROM backup_checklist()';
