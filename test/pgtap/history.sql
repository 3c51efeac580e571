-- Calls by hand in backup_runs: successes and failures, what a rollback makes of them, and that the record changes nothing about the work.
\ir lib/attempt.psql
\ir lib/platform.psql
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('history_keeper', 'history_other');
SELECT isnt(backup_grant('history_keeper', 'operate'), NULL, 'a role that may take backups');
SELECT isnt(backup_grant('history_other'), NULL, 'and one that may look');
GRANT SELECT ON subjects TO history_keeper;

SELECT is_empty('SELECT * FROM backup_runs', 'nothing at first');
SELECT id FROM backup_create() \gset
SELECT results_eq($$SELECT kind, state, role_name, rows > 0, bytes > 0, seconds >= 0, backup_id FROM backup_runs$$,
                  format($$VALUES ('create', 'succeeded', %L, true, true, true, %L)$$, current_user, :'id'), 'a backup is remembered');
SELECT cmp_ok((SELECT run_id FROM backup_runs), '<', 0::bigint, 'with a number below 0');

-- the record of one backup makes no other one uncommitted
BEGIN;
SELECT uncommitted AS first FROM backup_create() \gset
SELECT uncommitted AS second FROM backup_create() \gset
SELECT pg_current_xact_id_if_assigned() IS NULL AS clean \gset
SELECT is(:'first' || :'second', 'ff', 'two backups in one transaction');
SELECT is(:'clean'::boolean, true, 'and nothing was written to a table');
COMMIT;
SELECT is((SELECT count(*) FROM backup_runs), 3::bigint, 'both are remembered');

-- failures, though their transaction leaves nothing behind
\set ON_ERROR_STOP off
\set VERBOSITY terse
BEGIN;
CREATE TABLE gone (id integer);
SELECT backup_create('{missing_table}');
ROLLBACK;
BEGIN READ ONLY;
SELECT backup_verify('backup_20200101T00');
COMMIT;
\set ON_ERROR_STOP on
SELECT results_eq($$SELECT kind, state, sqlstate, message FROM backup_runs WHERE state = 'failed' ORDER BY run_id DESC$$,
                  $$VALUES ('create', 'failed', '42P01', 'table "missing_table" does not exist'), ('verify', 'failed', '42704', 'backup "backup_20200101T00" does not exist')$$,
                  'failed calls are remembered with their SQLSTATE');
SELECT tests.attempt($$SELECT backup_create('{missing_table}')$$) AS caught \gset
SELECT is((SELECT count(*) FROM backup_runs WHERE state = 'failed'), 3::bigint, 'also those that somebody caught');

-- what the caller rolls back
BEGIN;
SELECT id AS kept FROM backup_create(label => 'rolled back') \gset
SELECT count(*) FROM backup_restore(:'id', '{subjects}', safety_backup => false) \gset restored_
ROLLBACK;
SELECT results_eq(format($$SELECT state FROM backup_runs WHERE backup_id = %L$$, :'kept'), $$VALUES ('succeeded')$$, 'a backup is there all the same');
SELECT results_eq($$SELECT state, message FROM backup_runs WHERE kind = 'restore'$$, $$VALUES ('failed', 'rolled back by its caller')$$, 'a restore is not');
BEGIN;
SAVEPOINT s;
SELECT count(*) FROM backup_restore(:'id', '{subjects}', safety_backup => false) \gset restored_
ROLLBACK TO s;
SELECT count(*) FROM backup_restore(:'id', '{topics}', safety_backup => false) \gset restored_
COMMIT;
SELECT is((SELECT string_agg(state, ' ' ORDER BY run_id DESC) FROM backup_runs WHERE kind = 'restore'), 'failed failed succeeded', 'nor one that is rolled back to a savepoint');
SELECT count(*) FROM backup_restore(:'id', dry_run => true) \gset restored_
SELECT is((SELECT count(*) FROM backup_runs WHERE kind = 'restore'), 3::bigint, 'a dry run restores nothing');

-- who sees what
SELECT is(tests.attempt('history_keeper', $$SELECT backup_create('{subjects}')$$), 'ok', 'another role takes one');
SET ROLE history_other;
SELECT count(*) AS seen FROM backup_runs \gset
RESET ROLE;
SELECT is(:seen, 0, 'who only looks sees no calls of others');
SET ROLE history_keeper;
SELECT count(*) AS seen FROM backup_runs \gset
RESET ROLE;
SELECT cmp_ok(:seen, '>', 5, 'level operate sees all');
SELECT is((SELECT count(DISTINCT run_id) = count(*) FROM backup_runs), true, 'every number is there once');
SELECT is((SELECT bool_and(queued_at <= finished_at AND started_at > now() - interval '1 hour') FROM backup_runs), true, 'times are times');

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \gset
SELECT * FROM finish();
