-- backup_start and backup_cancel: wrong arguments, who may, and as a REST gateway calls them.
\ir lib/attempt.psql
\ir lib/platform.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('runs_admin', 'runs_watch', 'runs_nobody');
SELECT isnt(backup_grant('runs_admin', 'restore'), NULL, 'a role that may do all');
SELECT isnt(backup_grant('runs_watch'), NULL, 'and one that may look');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO runs_admin;

-- wrong arguments are errors of the call, not of the run
SELECT is(tests.attempt($$SELECT backup_start(NULL)$$), '22023 argument "action" must not be null', 'no action');
SELECT is(tests.attempt($$SELECT backup_start('explode')$$), '22023 unknown action "explode"', 'an unknown action');
SELECT is(tests.hint(), 'The actions are create, verify, restore, prune and delete.', 'the hint has those there are');
SELECT is(tests.attempt($$SELECT backup_start('create', NULL)$$), '22023 argument "args" must not be null', 'no object');
SELECT is(tests.attempt($$SELECT backup_start('create', '[1]')$$), '22023 argument "args" must be a JSON object', 'a list');
SELECT is(tests.attempt($$SELECT backup_start('create', '{"table": "x"}')$$), '22023 action "create" has no argument "table"', 'an unknown argument');
SELECT matches(tests.detail(), '^It takes: tables, label, ', 'the detail has those there are');
SELECT is(tests.attempt($$SELECT backup_start('create', '{"tables": [1]}')$$), '22023 argument "tables" must be a list of texts', 'a list of numbers');
SELECT is(tests.attempt($$SELECT backup_start('restore', '{}')$$), '22023 action "restore" needs the argument "backup_id"', 'an argument is missing');
SELECT matches(tests.attempt($$SELECT backup_start('restore', '{"backup_id": "latest", "dry_run": "perhaps"}')$$), '^22P02 ', 'a value of another type');
SELECT is(tests.attempt($$SELECT backup_cancel(NULL)$$), '22023 argument "run_id" must not be null', 'no run');
SELECT is(tests.attempt($$SELECT backup_cancel(4711)$$), '42704 run 4711 does not exist', 'an unknown run');
SELECT is_empty('SELECT * FROM backup_runs', 'none of these is a run');

-- who may
SELECT is(tests.attempt('runs_watch', $$SELECT backup_start('create')$$), '42501 permission denied for function backup_create', 'who may not create may not start it');
SELECT is(tests.attempt('runs_nobody', $$SELECT backup_start('verify')$$), '42501 permission denied for function backup_start', 'who may nothing');
CREATE FUNCTION tests.start() RETURNS text LANGUAGE sql AS $$ SELECT (public.backup_start('create')).state $$;
CREATE TABLE tests.trap (id integer);
INSERT INTO tests.trap VALUES (1);
CREATE FUNCTION tests.trap(integer) RETURNS integer IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM tests.start(); RETURN 1; END $$;
SELECT is(tests.attempt('CREATE INDEX ON tests.trap (tests.trap(id))'), '42501 cannot start a run within a security-restricted operation', 'not out of an index');
DROP TABLE tests.trap;

-- by a gateway
\set role runs_admin
\set method POST
\set function backup_start
\set args '{"action": "create", "args": {"label": "by a gateway"}}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST start' || :'why');
SELECT is(:'body'::json -> 0 ->> 'state', 'queued', 'returns the run at once');
SELECT :'body'::json -> 0 ->> 'run_id' AS run \gset
DO $$ BEGIN
  FOR i IN 1 .. 600 LOOP
    EXIT WHEN NOT EXISTS (SELECT FROM backup_runs WHERE state IN ('queued', 'running'));
    PERFORM pg_sleep(0.05);
  END LOOP;
END $$;
SET ROLE runs_admin;
SELECT state, role_name, result ->> 'label' AS label, result ->> 'tables' AS tables FROM backup_runs WHERE run_id = :run \gset run_
RESET ROLE;
SELECT is(:'run_state' || ' ' || :'run_role_name' || ' ' || :'run_label' || ' ' || :'run_tables', 'succeeded runs_admin by a gateway 12', 'and it is done');
\set function backup_cancel
SELECT json_build_object('run_id', :run) AS args \gset
\ir lib/call.psql
SELECT is(:'body'::json -> 0 ->> 'state', 'succeeded', 'POST cancel of a run that has ended leaves it');
\set method GET
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_cancel() in a read-only transaction', 'GET cancel');
\set function backup_start
\set args '{"action": "verify"}'
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute backup_start() in a read-only transaction', 'GET start');

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \gset
SELECT * FROM finish();
