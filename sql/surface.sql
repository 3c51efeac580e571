-- Everything that CREATE EXTENSION makes, with its arguments and results: what callers and gateways rely on by name.
CREATE EXTENSION pg_snapback;
SELECT p.pronamespace::regnamespace AS schema, p.proname AS function, pg_get_function_arguments(p.oid) AS arguments,
       pg_get_function_result(p.oid) AS result,
       CASE p.provolatile WHEN 's' THEN 'stable' WHEN 'v' THEN 'volatile' ELSE 'immutable' END AS volatility,
       CASE p.proparallel WHEN 'u' THEN 'unsafe' ELSE 'other' END AS parallel, p.prosecdef AS definer
  FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_snapback') AND d.deptype = 'e'
 ORDER BY 1, 2, 3 \gx
SELECT c.oid::regclass AS relation, a.attname AS column, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_depend d JOIN pg_class c ON c.oid = d.objid JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
 WHERE d.classid = 'pg_class'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_snapback') AND d.deptype = 'e'
 ORDER BY c.relname, a.attnum;
SELECT a.attname AS backup_info, format_type(a.atttypid, a.atttypmod) AS type
  FROM pg_attribute a WHERE attrelid = 'backup_info'::regclass AND attnum > 0 ORDER BY attnum;
-- nothing without a comment, no result that a gateway's client cannot read
SELECT p.oid::regprocedure AS without_comment FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_snapback') AND d.deptype = 'e'
   AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT p.oid::regprocedure AS unreadable FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid
 WHERE d.classid = 'pg_proc'::regclass AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'pg_snapback') AND d.deptype = 'e'
   AND (p.prorettype IN ('void'::regtype, 'interval'::regtype) OR 'interval'::regtype = ANY (p.proallargtypes));
-- what the settings are, and who may change them
SELECT name, setting, unit, context, boot_val FROM pg_settings WHERE name LIKE 'pg\_snapback.%' AND name NOT LIKE '%test%' ORDER BY name;
DROP EXTENSION pg_snapback;
SELECT count(*) AS left_behind FROM pg_namespace WHERE nspname = 'snapback';
