-- Watching: alerts that open and close by themselves, metrics, health, checklist, and who sees what.
\ir lib/attempt.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
SET TimeZone = 'UTC';
CREATE TABLE courses (id int PRIMARY KEY);
INSERT INTO courses SELECT generate_series(1, 100);
CREATE TABLE grades (id int PRIMARY KEY);

CREATE FUNCTION tests.storage() RETURNS text LANGUAGE sql AS
$$ SELECT coalesce(nullif(current_setting('pg_snapback.storage_location'), ''), current_setting('data_directory') || '-snapback') || '/' $$;
CREATE FUNCTION tests.edit(backup text, changes jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  path text := tests.storage() || backup || '.state.json';
  state jsonb := pg_read_file(path)::jsonb;
BEGIN
  state := state || (changes - 'backup') || jsonb_build_object('backup', state -> 'backup' || coalesce(changes -> 'backup', '{}'));
  EXECUTE format('COPY (SELECT %L::jsonb) TO %L', state, path);
  RETURN backup;
END $$;
-- the alerts of this test: neither those of the disk the tests happen to run on, nor of backups that other tests left
CREATE FUNCTION tests.alerts() RETURNS text LANGUAGE sql AS $$
  SELECT string_agg(concat_ws(' ', severity, code, plan), ', ' ORDER BY code, plan) FROM backup_alerts
  WHERE code NOT IN ('same_disk', 'inside_data_directory', 'space_low') AND (backup_id IS NULL OR EXISTS (SELECT FROM backup_list() WHERE id = backup_id AND database = current_database()))
$$;

SELECT is(tests.alerts(), NULL, 'nothing is wrong');
SELECT is((SELECT status || ': ' || message FROM backup_health()), 'critical: there is no good backup', 'but there is no backup') WHERE NOT EXISTS (SELECT FROM backup_alerts WHERE severity <> 'info');
SELECT is((SELECT ok FROM backup_health()), false, 'so it is not well');
SELECT is((SELECT string_agg(item, ', ') FROM backup_checklist() WHERE NOT ok AND item NOT LIKE 'no alert%' AND item NOT LIKE 'space%'),
          'a fresh verified backup of all tables, the newest backup is proven restorable, plans are running', 'the checklist says what is missing');
SELECT is((SELECT count(*) FROM backup_metrics WHERE name = 'pg_snapback_last_good_backup_age_seconds'), 0::bigint, 'an age of nothing is no figure');

-- a plan without a backup, in time and late
SELECT backup_schedule('nightly', '0 2 * * *') \g /dev/null
SELECT is(tests.alerts(), NULL, 'a new plan has time');
UPDATE snapback.plan SET created_at = now() - interval '49 hours 1 minute' WHERE plan = 'nightly';
SELECT is(tests.alerts(), 'critical too_old nightly', 'then it is an alert');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'too_old'), 'plan "nightly" has no good backup', 'that says what is wrong');
SELECT is((SELECT since FROM backup_alerts WHERE code = 'too_old'), (SELECT date_trunc('second', created_at) + interval '25 hours' FROM snapback.plan), 'since 25 hours after it was made');
SELECT is((SELECT hint FROM backup_alerts WHERE code = 'too_old'), $$Look at backup_runs for what failed, or take one now: SELECT backup_run('nightly').$$, 'and what to do');
SELECT is((SELECT status FROM backup_health()), 'critical', 'health is critical');
SELECT is((SELECT value FROM backup_metrics WHERE name = 'pg_snapback_open_alerts' AND labels ->> 'severity' = 'critical') >= 1, true, 'and counted');

-- logged once, notified, recorded
LISTEN pg_snapback;
SELECT snapback.refresh_alerts() \g /dev/null
SELECT snapback.refresh_alerts() \g /dev/null
SELECT is((SELECT string_agg(concat_ws(' ', severity, code, plan), ',') FROM snapback.alert WHERE plan <> '' AND closed_at IS NULL), 'critical too_old nightly', 'recorded once');
SELECT is((SELECT array_length(regexp_split_to_array(pg_read_file(pg_current_logfile()), 'pg_snapback: alert=opened severity=critical code=too_old plan="nightly"'), 1) - 1), 1, 'and logged once')
WHERE pg_current_logfile() IS NOT NULL;

-- a backup of the plan closes it
SELECT tests.edit(id, '{"backup": {"plan": "nightly"}}') FROM backup_create(label => 'w') \g /dev/null
SELECT is(tests.alerts(), NULL, 'a good backup closes it');
SELECT snapback.refresh_alerts() \g /dev/null
SELECT is((SELECT count(*) FROM snapback.alert WHERE code = 'too_old' AND closed_at IS NOT NULL), 1::bigint, 'in the record as well');
SELECT ok((SELECT value BETWEEN 0 AND 3600 FROM backup_metrics WHERE name = 'pg_snapback_plan_last_good_backup_age_seconds' AND labels = '{"plan": "nightly"}'), 'its age is a figure');
SELECT is((SELECT count(*) FROM backup_metrics WHERE name IN ('pg_snapback_last_good_backup_age_seconds', 'pg_snapback_last_backup_stored_bytes', 'pg_snapback_last_backup_logical_bytes',
          'pg_snapback_last_backup_seconds', 'pg_snapback_storage_free_bytes', 'pg_snapback_storage_used_bytes')), 6::bigint, 'as are the others');
SELECT is((SELECT string_agg(DISTINCT name, ',') FROM backup_metrics WHERE name !~ '^[a-z_]+$' OR labels IS NULL OR help IS NULL OR value IS NULL), NULL, 'all fit for an exporter');

-- max_age
SELECT backup_schedule('nightly', max_age => '1 hour') \g /dev/null
SELECT tests.edit(id, jsonb_build_object('backup', jsonb_build_object('created_at', to_char(now() - interval '2 hours', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'))))
FROM backup_list() WHERE label = 'w' AND database = current_database() \g /dev/null
SELECT is(tests.alerts(), 'critical too_old nightly', 'max_age');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'too_old'), 'the newest good backup of plan "nightly" is 2 hours old', 'with the age');
SELECT backup_schedule('nightly', max_age => '0') \g /dev/null
SELECT is(tests.alerts(), NULL, 'no limit');
SELECT backup_schedule('nightly', max_age => '1 hour', enabled => false) \g /dev/null
SELECT is(tests.alerts(), NULL, 'a disabled plan is silent');
SELECT backup_schedule('nightly', max_age => 'default', enabled => true) \g /dev/null

UPDATE snapback.plan SET created_at = now() WHERE plan = 'nightly';

-- damage
SELECT tests.edit(id, '{"size": 1}') FROM backup_list() WHERE label = 'w' AND database = current_database() \g /dev/null
SELECT is(tests.alerts(), 'critical damaged nightly', 'damage');
SELECT ok((SELECT backup_id = (SELECT id FROM backup_list() WHERE label = 'w' AND database = current_database()) AND hint LIKE '%backup_delete%' FROM backup_alerts WHERE code = 'damaged' AND plan = 'nightly'),
          'names the backup and what to do');
SELECT count(backup_delete(id)) FROM backup_list() WHERE label = 'w' AND database = current_database() \g /dev/null
SELECT is(tests.alerts(), NULL, 'gone with the backup');

-- a plan that somebody broke
UPDATE snapback.plan SET schedule = 'broken' WHERE plan = 'nightly';
SELECT is(tests.alerts(), 'warning run_failed nightly', 'a broken row is an alert and no error');
UPDATE snapback.plan SET schedule = '@daily', max_age = 'broken', created_at = now() - interval '60 hours' WHERE plan = 'nightly';
SELECT is(tests.alerts(), 'critical too_old nightly', 'a broken max_age is the default');
UPDATE snapback.plan SET max_age = NULL, created_at = now() WHERE plan = 'nightly';

-- runs of the plan, as the history has them
CREATE FUNCTION tests.slot(due timestamptz, state text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE 'INSERT INTO snapback.slot (plan, due, state) VALUES (''nightly'', $1, $2)' USING due, state;
END $$;
SELECT to_regclass('snapback.run') IS NOT NULL AND to_regclass('snapback.slot') IS NOT NULL AS has_runs \gset
\if :has_runs
INSERT INTO snapback.run (kind, plan, role_name, state, started_at, finished_at, message) VALUES
  ('create', 'nightly', current_user, 'succeeded', now() - interval '3 days', now() - interval '3 days', NULL),
  ('create', 'nightly', current_user, 'failed', now() - interval '2 days', now() - interval '2 days', 'first trouble'),
  ('create', 'nightly', current_user, 'failed', now() - interval '1 days', now() - interval '1 days', 'disk full');
SELECT is(tests.alerts(), 'warning run_failed nightly', 'a failed run');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'run_failed'), 'the last run of plan "nightly" failed: disk full', 'the last one speaks');
SELECT is((SELECT since FROM backup_alerts WHERE code = 'run_failed'), (SELECT date_trunc('second', finished_at) FROM snapback.run WHERE message = 'first trouble'), 'since the first');
SELECT is((SELECT round(value::numeric, 2) FROM backup_metrics WHERE name = 'pg_snapback_success_ratio' AND labels ->> 'days' = '7'), 0.33, 'the success rate over 7 days');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at) VALUES ('create', 'nightly', current_user, 'succeeded', now());
SELECT is(tests.alerts(), NULL, 'a good run closes it');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, attempt) VALUES ('create', 'nightly', current_user, 'gave_way', now(), 1);
SELECT is(tests.alerts(), NULL, 'giving way once is none');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, attempt) VALUES ('create', 'nightly', current_user, 'gave_way', now(), 4);
SELECT is(tests.alerts(), 'warning run_failed nightly', 'giving way at every attempt is');
DELETE FROM snapback.run WHERE plan = 'nightly';
SELECT tests.slot(now() - interval '3 days', 'missed'), tests.slot(now() - interval '2 days', 'ran'), tests.slot(now() - interval '1 day', 'missed'), tests.slot(now() - interval '1 hour', 'late') \g /dev/null
SELECT is(tests.alerts(), 'warning slot_missed nightly', 'a missed slot');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'slot_missed'), 'plan "nightly" missed 1 due time', 'since the last that ran in time');
SELECT is((SELECT value FROM backup_metrics WHERE name = 'pg_snapback_missed_slots'), 1::float8, 'counted');
SELECT tests.slot(now(), 'ran') \g /dev/null
SELECT is(tests.alerts(), NULL, 'until one runs in time');
DELETE FROM snapback.slot WHERE plan = 'nightly';
\endif

-- the checklist, all in order
SELECT backup_create(verify => 'restore', label => 'proven') \g /dev/null
SELECT is((SELECT reason FROM backup_checklist() WHERE NOT ok AND item = 'plans are running'),
          'nothing has run a plan so far: add pg_snapback to shared_preload_libraries, or let pg_cron call backup_run_due() every minute', 'a plan that nobody runs is no running plan');
UPDATE snapback.plan SET last_due = now() - interval '1 day';
SELECT is((SELECT string_agg(item, ', ') FROM backup_checklist() WHERE NOT ok AND item NOT LIKE 'no alert%' AND item NOT LIKE 'space%'), NULL, 'everything is in order');
SELECT is((SELECT ok AND status = 'ok' FROM backup_health()), true, 'and well') WHERE NOT EXISTS (SELECT FROM backup_alerts WHERE severity <> 'info');
SELECT is((SELECT active_plans FROM backup_health()), 1, 'with one plan');
SELECT backup_create('{courses}', label => 'narrow') \g /dev/null
SELECT is((SELECT ok FROM backup_checklist() WHERE item LIKE 'a fresh%'), true, 'a backup of one table does not stand for all');

-- room: never enough
SET pg_snapback.min_free_space = '2000TB';
SELECT is((SELECT count(*) FROM backup_alerts WHERE code = 'space_low' AND severity = 'warning'), 1::bigint, 'too little room is an alert');
SELECT is((SELECT ok FROM backup_checklist() WHERE item LIKE 'space%'), false, 'and not in order');
RESET pg_snapback.min_free_space;

-- who sees what
CALL tests.new_roles('watching_owner', 'watching_web', 'watching_monitor');
SELECT isnt(backup_grant('watching_owner', 'operate'), NULL, 'an owner of plans');
SELECT isnt(backup_grant(r), NULL, r) FROM unnest('{watching_web,watching_monitor}'::text[]) AS r;
GRANT pg_monitor TO watching_monitor;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO watching_owner;
SELECT is(tests.attempt('watching_owner', $$SELECT backup_schedule('private', '@daily', '{courses}')$$), 'ok', 'a plan of an ordinary role');
UPDATE snapback.plan SET created_at = now() - interval '60 days' WHERE plan = 'private';
SET ROLE watching_web;
SELECT count(*) AS web_alerts FROM backup_alerts WHERE plan = 'private' \gset
SELECT count(*) AS web_metrics FROM backup_metrics WHERE labels ->> 'plan' IS NOT NULL \gset
SELECT status AS web_health FROM backup_health() \gset
SET ROLE watching_monitor;
SELECT count(*) AS monitor_alerts FROM backup_alerts WHERE plan = 'private' \gset
SELECT count(*) > 0 AS monitor_metrics FROM backup_metrics WHERE labels ->> 'plan' = 'private' \gset
SET ROLE watching_owner;
SELECT string_agg(DISTINCT plan, ',') AS owner_alerts FROM backup_alerts WHERE plan IS NOT NULL \gset
RESET ROLE;
SELECT is(:web_alerts + :web_metrics, 0, 'others do not see the plan');
SELECT is(:'web_health', 'critical'::text, 'but that something is wrong');
SELECT is(:monitor_alerts || ' ' || :'monitor_metrics', '1 t', 'members of pg_monitor see it');
SELECT is(:'owner_alerts', 'private'::text, 'its owner sees it, and no other');
SELECT is(tests.attempt('watching_owner', 'SELECT snapback.refresh_alerts()'), '42501 permission denied for schema snapback', 'ordinary roles announce nothing');

-- by a gateway
\set role watching_web
\set method GET
\set args '{}'
\set function backup_health
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET health' || :'why');
SELECT is(json_array_length(:'body'::json), 1, 'is one row');
\set function backup_checklist
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET checklist' || :'why');
SELECT cmp_ok(json_array_length(:'body'::json), '>=', 5, 'has its items');
BEGIN READ ONLY;
SELECT is(tests.attempt('watching_web', 'TABLE backup_alerts'), 'ok', 'alerts can be read in a read-only transaction');
SELECT is(tests.attempt('watching_web', 'TABLE backup_metrics'), 'ok', 'and metrics');
SELECT is(tests.attempt('SELECT snapback.refresh_alerts()'), '25006 cannot execute snapback.refresh_alerts() in a read-only transaction', 'they are not announced there');
COMMIT;

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \g /dev/null
SELECT count(backup_unschedule(plan)) FROM backup_plans \g /dev/null
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM watching_owner;
SELECT count(backup_revoke(r)) FROM unnest('{watching_owner,watching_web,watching_monitor}'::text[]) AS r \g /dev/null
DROP EXTENSION pg_snapback;
DROP ROLE watching_owner, watching_web, watching_monitor;
SELECT * FROM finish();
