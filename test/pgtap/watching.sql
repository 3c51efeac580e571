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
          'a fresh verified backup of all tables, the tables of the course profile are in the newest backup, the newest backup is proven restorable, plans are running', 'the checklist says what is missing');
SELECT is((SELECT count(*) FROM backup_metrics WHERE name = 'pg_snapback_last_good_backup_age_seconds'), 0::bigint, 'an age of nothing is no figure');

-- a plan without a backup, in time and late
SELECT backup_schedule('nightly', '0 2 * * *') \g /dev/null
SELECT is((SELECT ROW(last_run_at, last_run_state, last_good_backup, last_good_at)::text FROM backup_plans), '(,,,)', 'a new plan has no last run and no backup');
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
SELECT is((SELECT ROW(last_good_backup, last_good_at)::text FROM backup_plans), (SELECT ROW(id, created_at)::text FROM backup_list() WHERE label = 'w' AND database = current_database()),
          'the plan shows its last good backup');
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
SELECT is((SELECT last_good_backup FROM backup_plans), NULL, 'a damaged backup is no good one');
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
SELECT is((SELECT ROW(last_run_at, last_run_state)::text FROM backup_plans), (SELECT ROW(started_at, 'failed')::text FROM snapback.run WHERE message = 'disk full'), 'the plan shows it');
SELECT is((SELECT round(value::numeric, 2) FROM backup_metrics WHERE name = 'pg_snapback_success_ratio' AND labels ->> 'days' = '7'), 0.33, 'the success rate over 7 days');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at) VALUES ('create', 'nightly', current_user, 'succeeded', now());
SELECT is(tests.alerts(), NULL, 'a good run closes it');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, attempt) VALUES ('create', 'nightly', current_user, 'gave_way', now(), 1);
SELECT is(tests.alerts(), NULL, 'giving way once is none');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, attempt) VALUES ('create', 'nightly', current_user, 'gave_way', now(), 4);
SELECT is(tests.alerts(), 'warning run_failed nightly', 'giving way at every attempt is');
DELETE FROM snapback.run WHERE plan = 'nightly';

-- verifications of the plan that ended in an error, as long as nobody has verified the backup since
SELECT tests.edit(id, '{"backup": {"plan": "nightly"}, "verified_at": "2026-01-01T00:00:00.000000Z"}') AS unverified FROM backup_create(label => 'unverified') \gset
SELECT tests.edit(id, '{"backup": {"plan": "nightly"}, "verified_at": "2026-01-01T00:00:00.000000Z"}') AS other FROM backup_create(label => 'other') \gset
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, message, arguments) VALUES
  ('verify', 'nightly', current_user, 'failed', now() - interval '2 days', 'permission denied', jsonb_build_object('backup_id', :'unverified')),
  ('verify', 'nightly', current_user, 'crashed', now() - interval '1 days', 'its process ended', jsonb_build_object('backup_id', :'other')),
  ('verify', 'nightly', current_user, 'failed', now() - interval '3 days', 'not there', '{"backup_id": "backup_20200101T000000Z_00000001"}');
SELECT is(tests.alerts(), 'warning verify_failed nightly', 'verifications that failed are one alert');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'verify_failed'), format('backup "%s" of plan "nightly" could not be verified: its process ended', :'other'), 'the last one speaks');
SELECT is((SELECT since FROM backup_alerts WHERE code = 'verify_failed'), (SELECT date_trunc('second', finished_at) FROM snapback.run WHERE message = 'permission denied'), 'since the first, of backups that are there');
SELECT is((SELECT hint FROM backup_alerts WHERE code = 'verify_failed'),
          format('Nothing is known to be wrong with it. Mend the cause and verify it: SELECT * FROM backup_verify(%L).', :'other'), 'and what to do');
SELECT is((SELECT ok FROM backup_verify(:'other')), true, 'verified by hand');
SELECT is((SELECT message FROM backup_alerts WHERE code = 'verify_failed'), format('backup "%s" of plan "nightly" could not be verified: permission denied', :'unverified'), 'the other one is left');
INSERT INTO snapback.run (kind, plan, role_name, state, finished_at, arguments) VALUES ('verify', 'nightly', current_user, 'succeeded', now(), jsonb_build_object('backup_id', :'unverified'));
SELECT is(tests.alerts(), NULL, 'a verification by the plan closes it');
UPDATE snapback.run SET state = 'gave_way' WHERE kind = 'verify' AND state = 'succeeded';
SELECT is(tests.alerts(), 'warning verify_failed nightly', 'one that gave way opens it');
SELECT is((SELECT since FROM backup_alerts WHERE code = 'verify_failed'), (SELECT date_trunc('second', finished_at) FROM snapback.run WHERE message = 'permission denied'),
          'since the first of those that no good one came after');
SELECT count(backup_delete(id)) FROM backup_list() WHERE label IN ('unverified', 'other') AND database = current_database() \g /dev/null
SELECT is(tests.alerts(), NULL, 'it goes with the backup');
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

-- the course's tables: courses is one, grades is none
CREATE FUNCTION tests.course_item() RETURNS text LANGUAGE sql AS $$ SELECT ok || ' ' || reason FROM public.backup_checklist() WHERE item LIKE 'the tables of the course%' $$;
CREATE FUNCTION tests.labelled(wanted text) RETURNS text LANGUAGE sql AS $$ SELECT id FROM public.backup_list() WHERE label = wanted AND database = current_database() $$;
SELECT is(tests.course_item(), format('true %s has all 1', tests.labelled('proven')), 'the course''s table is in the newest backup of all tables');
CREATE SCHEMA teaching;
CREATE TABLE teaching."Lesson" (id int PRIMARY KEY);
CREATE TABLE modules (id int PRIMARY KEY);
SET search_path = public, teaching;
SELECT is(tests.course_item(), format('false %s lacks public.modules, teaching.Lesson; look at pg_snapback.tables and take one that has them: SELECT backup_create()', tests.labelled('proven')),
          'tables that were made since are missing');
SET pg_snapback.tables = 'courses, modules';
SELECT id FROM backup_create(label => 'fewer') \gset
SELECT is(split_part(tests.course_item(), ';', 1), format('false %s lacks teaching.Lesson', :'id'), 'a backup of fewer tables');
RESET pg_snapback.tables;
SELECT id FROM backup_create(label => 'all of them') \gset
SELECT is(tests.course_item(), format('true %s has all 3', :'id'), 'one of all tables has them');
SET search_path = teaching;
DROP TABLE "Lesson";
SELECT tests.course_item() AS course_item \gset
RESET search_path;
SELECT is(:'course_item', 'true this database has no such table in the search path'::text, 'without such tables there is nothing to miss');
INSERT INTO snapback.profile (name, definition, catalog, changed_by) VALUES ('course', '{}', '{}', 'somebody');
SELECT is(tests.course_item(), 'false profile "course" is not valid', 'a profile that somebody broke');
DELETE FROM snapback.profile;

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
SELECT string_agg(concat_ws(' ', plan, last_run_state, last_good_backup), ',') AS owner_plans FROM backup_plans \gset
RESET ROLE;
SELECT is(:web_alerts + :web_metrics, 0, 'others do not see the plan');
SELECT is(:'web_health', 'critical'::text, 'but that something is wrong');
SELECT is(:monitor_alerts || ' ' || :'monitor_metrics', '1 t', 'members of pg_monitor see it');
SELECT is(:'owner_alerts', 'private'::text, 'its owner sees it, and no other');
SELECT is(:'owner_plans', 'private'::text, 'and its last run and backup, of which there are none');
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
SELECT is(json_array_length(:'body'::json), 6, 'has its items');
BEGIN READ ONLY;
SELECT is(tests.attempt('watching_web', 'TABLE backup_alerts'), 'ok', 'alerts can be read in a read-only transaction');
SELECT is(tests.attempt('watching_web', 'TABLE backup_metrics'), 'ok', 'and metrics');
SELECT is(tests.attempt('watching_web', 'TABLE backup_plans'), 'ok', 'and plans');
SELECT is(tests.attempt('SELECT snapback.refresh_alerts()'), '25006 cannot execute snapback.refresh_alerts() in a read-only transaction', 'they are not announced there');
COMMIT;

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \g /dev/null
SELECT count(backup_unschedule(plan)) FROM backup_plans \g /dev/null
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM watching_owner;
SELECT count(backup_revoke(r)) FROM unnest('{watching_owner,watching_web,watching_monitor}'::text[]) AS r \g /dev/null
DROP EXTENSION pg_snapback;
DROP ROLE watching_owner, watching_web, watching_monitor;
SELECT * FROM finish();
