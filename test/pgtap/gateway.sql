-- Every function as a REST gateway over SQL calls it, with the walk of the first seed: list, verify, create, restore.
\ir lib/attempt.psql
\ir lib/platform.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('gateway_admin', 'gateway_web');
SELECT isnt(backup_grant('gateway_admin', 'restore'), NULL, 'the role of the administrators');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO gateway_admin;
CREATE TEMPORARY TABLE before AS SELECT * FROM tests.state();
\set role gateway_admin
\set method GET
\set args '{}'

-- an empty storage is an empty list
\set function backup_list
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET list');
SELECT is(json_typeof(:'body'::json), 'array', 'is one JSON array');

-- POST {"action": "create"}
\set method POST
\set function backup_create
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST create' || :'why');
SELECT :'body'::json -> 0 ->> 'id' AS id \gset
SELECT is(:'body'::json -> 0 ->> 'state', 'good', 'returns the backup');
SELECT is((:'body'::json -> 0 ->> 'uncommitted')::boolean, false, 'of committed data, though the gateway set its own settings before');
SELECT is((:'body'::json -> 0 ->> 'tables')::integer, 12, 'of all tables');
SELECT is(json_typeof(:'body'::json -> 0 -> 'warnings'), 'array', 'with its warnings in the result');

-- GET ?action=list
\set method GET
\set function backup_list
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET list');
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS b WHERE b ->> 'id' = :'id'), 1::bigint, 'has it');
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS b WHERE (b ->> 'created_at')::timestamptz IS NULL AND b ->> 'state' = 'good'), 0::bigint,
          'times are times');

-- GET ?action=verify&backupId=...
\set function backup_verify
SELECT json_build_object('backup_id', :'id') AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET verify' || :'why');
SELECT is((:'body'::json -> 0 ->> 'ok')::boolean, true, 'ok');
SELECT is(json_typeof(:'body'::json -> 0 -> 'problems'), 'array', 'problems is a list');
SELECT json_build_object('backup_id', :'id', 'level', 'files') AS args \gset
\ir lib/call.psql
SELECT is(:'body'::json -> 0 ->> 'level', 'files', 'with a level');

-- an accident, and POST {"action": "restore", "backupId": ...}
DELETE FROM quiz_attempts;
DROP TABLE audio_lessons;
\set function backup_compare
SELECT json_build_object('backup_id', :'id') AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET compare' || :'why');
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS t WHERE NOT (t ->> 'equal')::boolean), 2::bigint, 'finds two tables');
\set function backup_restore
SELECT json_build_object('backup_id', :'id', 'dry_run', true) AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET restore with dry_run' || :'why');
SELECT is((SELECT bool_or((t ->> 'applied')::boolean) FROM json_array_elements(:'body'::json) AS t), false, 'applies nothing');
\set method POST
GRANT CREATE ON SCHEMA public TO gateway_admin;
GRANT REFERENCES ON ALL TABLES IN SCHEMA public TO gateway_admin;
SELECT json_build_object('backup_id', :'id', 'tables', '{quiz_attempts,audio_lessons}'::text[]) AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST restore' || :'why');
SELECT is((SELECT bool_and((t ->> 'applied')::boolean AND (t ->> 'proven')::boolean) FROM json_array_elements(:'body'::json) AS t), true, 'applied and proven');
SELECT is((SELECT count(DISTINCT t ->> 'safety_backup_id') FROM json_array_elements(:'body'::json) AS t), 1::bigint, 'with the id of the safety backup');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'everything is as it was');
SELECT json_build_object('backup_id', :'id', 'mode', 'upsert', 'safety_backup', false, 'tables', '{subjects}'::text[]) AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST restore with a mode' || :'why');
SELECT is((:'body'::json -> 0 ->> 'unchanged')::integer, 5, 'nothing to do');

-- the others
\set function backup_before
\set args '{"operation": "delete_user_data", "tables": ["user_profiles", "study_sessions"]}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST before' || :'why');
SELECT is(:'body'::json -> 0 ->> 'label', 'before delete_user_data', 'labelled');
SELECT :'body'::json -> 0 ->> 'id' AS second \gset
\set function backup_pin
SELECT json_build_object('backup_id', :'second') AS args \gset
\ir lib/call.psql
SELECT is((:'body'::json -> 0 ->> 'pinned')::boolean, true, 'POST pin');
\set function backup_unpin
\ir lib/call.psql
SELECT is((:'body'::json -> 0 ->> 'pinned')::boolean, false, 'POST unpin');
\set method GET
\set function backup_show
\ir lib/call.psql
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS t WHERE t ->> 'kind' = 'table'), 2::bigint, 'GET show');
\set args '{}'
\ir lib/call.psql
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS t WHERE t ->> 'kind' = 'table'), 12::bigint, 'GET show of the latest');
\set function backup_download
SELECT json_build_object('backup_id', :'second', 'part', 1) AS args \gset
\ir lib/call.psql
SELECT is(octet_length((:'body'::json -> 0 ->> 'call')::bytea)::bigint, (SELECT stored_bytes FROM backup_list() WHERE id = :'second'), 'GET download');

-- what makes, changes or removes something refuses a GET
SELECT json_build_object('backup_id', :'id') AS by_id \gset
\set function backup_create
\set args '{}'
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_create() in a read-only transaction', 'GET create');
\set function backup_before
\set args '{"operation": "x"}'
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_before() in a read-only transaction', 'GET before');
\set args :by_id
\set function backup_delete
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_delete() in a read-only transaction', 'GET delete');
\set function backup_pin
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_pin() in a read-only transaction', 'GET pin');
\set function backup_unpin
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_unpin() in a read-only transaction', 'GET unpin');
\set function backup_restore
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_restore() in a read-only transaction', 'GET restore');
SELECT json_build_object('backup_id', :'id', 'rehearse', true) AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '25006', 'GET restore with rehearse');
\set function backup_verify
SELECT json_build_object('backup_id', :'id', 'level', 'restore') AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '25006', 'GET verify at level restore');
SELECT is((SELECT count(*) FROM backup_list() WHERE database = current_database() AND label IS NOT DISTINCT FROM 'before x'), 0::bigint, 'no backup came of it');
SELECT is((SELECT count(*) FROM backup_list() WHERE id = :'id' AND state = 'good' AND NOT pinned), 1::bigint, 'and none went');

-- errors
\set method POST
\set function backup_restore
\set args '{"backup_id": "backup_1234567890"}'
\ir lib/call.psql
SELECT is(:'state'::text, '22023', 'an id of another system is no beginning of one of ours');
\set args '{"backup_id": "../../etc/passwd"}'
\ir lib/call.psql
SELECT is(:'state'::text, '22023', 'a path is no id');
\set function backup_create
\set args '{"tables": ["user_profiles", "nothing"]}'
\ir lib/call.psql
SELECT is(:'state'::text, '42P01', 'an unknown table');
\set role gateway_web
\ir lib/call.psql
SELECT is(:'state'::text, '42501', 'a role without rights');
\set method GET
\set function backup_list
\set args '{}'
\ir lib/call.psql
SELECT is(:'state'::text, '42501', 'cannot even list');
\set role gateway_admin

-- the last one: POST delete
\set method POST
\set function backup_delete
SELECT json_build_object('backup_id', :'second') AS args \gset
\ir lib/call.psql
SELECT is(:'body'::json -> 0 ->> 'id', :'second', 'POST delete');
SELECT is_empty(format('SELECT * FROM backup_list() WHERE id = %L', :'second'), 'gone');

-- no result has a type that gateways or Prisma cannot read
SELECT is_empty($$
  SELECT p.oid::regprocedure, t.type::regtype
  FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_snapback' AND d.deptype = 'e'
  JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid AND p.pronamespace = 'public'::regnamespace
  CROSS JOIN LATERAL (
    SELECT p.prorettype UNION ALL SELECT unnest(p.proallargtypes)
    UNION ALL SELECT a.atttypid FROM pg_type r JOIN pg_attribute a ON a.attrelid = r.typrelid AND a.attnum > 0 WHERE r.oid = p.prorettype
  ) AS t (type)
  WHERE t.type IN ('void'::regtype, 'interval'::regtype)
$$, 'no void and no interval');

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \gset
SELECT * FROM finish();
