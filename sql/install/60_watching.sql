-- ---------------------------------------------------------------------------------------------------------------------------
-- Watching: plans, metrics, alerts, health
-- ---------------------------------------------------------------------------------------------------------------------------

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
       p.created_at,
       p.changed_at
FROM snapback.plan AS p
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = p.owner
CROSS JOIN LATERAL (
  SELECT p.system_identifier IS DISTINCT FROM c.system_identifier::text
         OR p.database_oid IS DISTINCT FROM (SELECT d.oid FROM pg_catalog.pg_database AS d WHERE d.datname = pg_catalog.current_database())
  FROM pg_catalog.pg_control_system() AS c
) AS own (suspended)
WHERE pg_catalog.pg_has_role(coalesce(r.oid, 10), 'USAGE')
ORDER BY p.plan;
COMMENT ON VIEW @extschema@.backup_plans IS
'the plans with their settings and next due times; ordinary roles see those of the roles they belong to: TABLE backup_plans';
