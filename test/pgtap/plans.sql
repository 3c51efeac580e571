-- Plans: what backup_schedule makes, changes, shows and refuses, and who may.
\ir lib/attempt.psql
\ir lib/platform.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
SET TimeZone = 'America/Sao_Paulo';

-- the two plans of everyday life
SELECT * FROM backup_schedule() \gset daily_
SELECT is(:'daily_plan' || ' ' || :'daily_schedule', 'daily 0 2 * * *', 'without arguments: daily at 02:00');
SELECT is(:daily_keep_days, 30, 'kept for 30 days');
SELECT is(:'daily_timezone'::text, 'America/Sao_Paulo', 'in the zone of the session, by name');
SELECT is((:'daily_next_due'::timestamptz[])[n], date_trunc('day', now()) + interval '2 hours' + (n - 1 + CASE WHEN EXTRACT(hour FROM now()) >= 2 THEN 1 ELSE 0 END) * interval '1 day',
          'due time ' || n) FROM generate_series(1, 3) AS n;
SELECT is((SELECT tables FROM backup_plans WHERE plan = 'daily'), NULL, 'of all tables');
SELECT ok(EXISTS (SELECT FROM unnest(:'daily_warnings'::text[]) AS w WHERE w LIKE '%shared_preload_libraries%') OR current_setting('shared_preload_libraries') LIKE '%pg_snapback%',
          'says when no worker is there to run it');
CREATE TEMPORARY TABLE weekly AS SELECT * FROM backup_schedule('weekly', '0 3 * * 0', keep_last => 4);
SELECT is((SELECT ROW(keep_last, keep_days)::text FROM weekly), '(4,)', 'the weekly plan keeps four and nothing else');
SELECT ok(bool_and(EXTRACT(isodow FROM d) = 7 AND d::time = time '03:00'), 'on Sundays at 03:00') FROM weekly, unnest(next_due) AS d;
SELECT is((SELECT count(*) FROM backup_plans WHERE enabled AND NOT suspended AND next_due > now()), 2::bigint, 'both are in the view');

-- changes
SELECT is((SELECT ROW(next_due, keep_last)::text FROM backup_plans WHERE plan = 'weekly'), (SELECT ROW(next_due[1], keep_last)::text FROM backup_schedule('weekly', verify => 'content')), 'null leaves everything else');
SELECT is((SELECT ROW(keep_last, keep_daily)::text FROM backup_schedule('weekly', keep_last => 0, keep_daily => 7)), ROW(NULL::int, 7)::text, '0 takes a limit away');
SELECT is(tests.attempt($$SELECT backup_schedule('weekly', keep_daily => 0)$$), '22023 plan "weekly" would keep no backup', 'not the last one');
SELECT is((SELECT keep_daily FROM backup_plans WHERE plan = 'weekly'), 7, 'and nothing has changed');
SELECT is((SELECT next_due FROM backup_schedule('weekly', enabled => false)), '{}', 'a disabled plan has no due times');
SELECT is((SELECT next_due FROM backup_plans WHERE plan = 'weekly'), NULL, 'nor in the view');
SELECT is((SELECT array_length(next_due, 1) FROM backup_schedule('weekly', enabled => true)), 3, 'until it is enabled');
SELECT is((SELECT timezone FROM backup_schedule('weekly', timezone => 'europe/lisbon')), 'Europe/Lisbon', 'zones are spelled as the server does');
SELECT is((SELECT (next_due[1] AT TIME ZONE 'Europe/Lisbon')::time FROM backup_schedule('weekly')), time '03:00', 'and count');
SELECT is((SELECT reverify FROM backup_plans WHERE plan = 'weekly'), 'files @weekly', 'kept backups are read again every week');
SELECT is((SELECT reverify FROM backup_schedule('weekly', reverify => 'restore')), 'restore @weekly', 'or proven by a restore');
SELECT is((SELECT reverify FROM backup_schedule('weekly', reverify => '0 4 * * 6')), 'files 0 4 * * 6', 'at a time of their own');
SELECT is((SELECT reverify FROM backup_schedule('weekly', reverify => 'never')), 'never', 'or never');
SELECT is((SELECT max_age FROM backup_schedule('weekly', max_age => '8 days')), '8 days', 'max_age');
SELECT is((SELECT max_age FROM backup_schedule('weekly', max_age => 'default')), NULL, 'and its default');

-- tables are looked up now
CREATE SCHEMA "Aulas";
CREATE TABLE "Aulas"."Notas.2026" (id int);
SET search_path = public, "Aulas";
SELECT is((SELECT tables FROM backup_schedule('some', '@hourly', '{subjects,TOPICS,quiz_*,"\"Notas.2026\"",public.audio_*}')),
          '{public.subjects,public.topics,public.quiz_*,"\"Aulas\".\"Notas.2026\"",public.audio_*}', 'names are stored with their schemas');
RESET search_path;
SELECT is((SELECT tables FROM backup_schedule('some', keep_days => 3)), '{public.subjects,public.topics,public.quiz_*,"\"Aulas\".\"Notas.2026\"",public.audio_*}', 'and stay so');
SELECT is((SELECT tables FROM backup_schedule('some', tables => '{*}')), '{*}', '{*} means all tables');
SELECT is(tests.attempt($$SELECT backup_schedule('some', tables => '{nothing}')$$), '42P01 table "nothing" does not exist', 'a table that is not there');
CREATE TEMPORARY TABLE passing (id int);
SELECT is(tests.attempt($$SELECT backup_schedule('some', tables => '{passing}')$$), '42809 table "passing" is temporary', 'a temporary table');

-- what is refused
SELECT is(tests.attempt(c.call), c.outcome, c.call) FROM (VALUES
  ($$SELECT backup_schedule('x')$$, '42704 plan "x" does not exist'),
  ($$SELECT backup_schedule('', '@daily')$$, '22023 invalid plan name ""'),
  ($$SELECT backup_schedule(E'a\nb', '@daily')$$, '22023 invalid plan name "a\x0Ab"'),
  ($$SELECT backup_schedule(repeat('x', 64), '@daily')$$, '22023 invalid plan name "' || repeat('x', 64) || '"'),
  ($$SELECT backup_schedule(NULL)$$, '22023 argument "plan" must not be null'),
  ($$SELECT backup_schedule('daily', '0 25 * * *')$$, '22023 invalid hour "25" in the schedule'),
  ($$SELECT backup_schedule('daily', '0 2 30 2 *')$$, '22023 schedule "0 2 30 2 *" never comes'),
  ($$SELECT backup_schedule('daily', 'daily')$$, '22023 invalid schedule "daily"'),
  ($$SELECT backup_schedule(timezone => 'Brasil')$$, '22023 time zone "Brasil" does not exist'),
  ($$SELECT backup_schedule(keep_days => -1)$$, '22023 argument "keep_days" must be 0 to 100000'),
  ($$SELECT backup_schedule(verify => 'all')$$, '22023 invalid verification level "all"'),
  ($$SELECT backup_schedule(catch_up => 'twice')$$, '22023 invalid catch_up "twice"'),
  ($$SELECT backup_schedule(overlap => 'run')$$, '22023 invalid overlap "run"'),
  ($$SELECT backup_schedule(max_age => 'soon')$$, '22023 invalid max_age "soon"'),
  ($$SELECT backup_schedule(max_age => '-1 day')$$, '22023 invalid max_age "-1 day"'),
  ($$SELECT backup_schedule(lock_budget => 'x')$$, '22023 invalid lock_budget "x"'),
  ($$SELECT backup_schedule(retries => 101)$$, '22023 argument "retries" must be 0 to 100'),
  ($$SELECT backup_schedule(reverify => 'often')$$, '22023 invalid reverify "often"'),
  ($$SELECT backup_schedule(location => 's3')$$, '42704 location "s3" does not exist'),
  ($$SELECT backup_schedule(tables => '{}')$$, '22023 the list of tables is empty'),
  ($$SELECT backup_unschedule('x')$$, '42704 plan "x" does not exist'),
  ($$SELECT backup_unschedule(NULL)$$, '22023 argument "plan" must not be null')) AS c (call, outcome);
SELECT is(tests.attempt($$SELECT backup_schedule('daily', '0 2 * * 8')$$), '22023 invalid day of week "8" in the schedule', 'a wrong field');
SELECT is(tests.detail(), 'The day of week is the fifth of five fields; it takes 0 to 7 (0 and 7 are Sunday) or sun to sat, *, ranges (a-b), steps (*/2, a-b/2), and lists of these with commas.',
          'says what it takes');
BEGIN READ ONLY;
SELECT is(tests.attempt('SELECT backup_schedule()'), '25006 cannot execute backup_schedule() in a read-only transaction', 'read only');
SELECT is(tests.attempt($$SELECT backup_unschedule('daily')$$), '25006 cannot execute backup_unschedule() in a read-only transaction', 'read only');
ROLLBACK;

-- who may
CALL tests.new_roles('plans_one', 'plans_two', 'plans_watch', 'plans_nobody');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO plans_one, plans_two;
SELECT isnt(backup_grant(role_name, level), NULL, role_name) FROM (VALUES ('plans_one', 'operate'), ('plans_two', 'operate'), ('plans_watch', 'watch')) AS r (role_name, level);
SELECT is(tests.attempt('plans_one', $$SELECT backup_schedule('one', '@daily', '{subjects}')$$), 'ok', 'level operate makes a plan');
SELECT is((SELECT owner FROM backup_plans WHERE plan = 'one'), 'plans_one', 'which it owns');
SELECT is(tests.attempt('plans_two', $$SELECT backup_schedule('one', '@hourly')$$), '42501 permission denied to change plan "one"', 'others cannot change it');
SELECT is(tests.attempt('plans_two', $$SELECT backup_unschedule('one')$$), '42501 permission denied to remove plan "one"', 'or remove it');
SELECT is(tests.attempt('plans_one', $$SELECT backup_schedule('daily', '@hourly')$$), '42501 permission denied to change plan "daily"', 'nor those of superusers');
SELECT is(tests.attempt('plans_watch', $$SELECT backup_schedule('two', '@daily')$$), '42501 permission denied for function backup_schedule', 'level watch makes none');
SELECT is(tests.attempt('plans_nobody', 'TABLE backup_plans'), '42501 permission denied for view backup_plans', 'without a level there is no view');
SELECT is(tests.attempt('plans_one', $$SELECT backup_schedule('mine', '@daily')$$), '42501 permission denied for table "Aulas.Notas.2026"', 'a plan needs the right to read its tables');
SET ROLE plans_one;
SELECT array_agg(plan ORDER BY plan) AS one FROM backup_plans \gset
SET ROLE plans_two;
SELECT count(*) AS two FROM backup_plans \gset
SET ROLE plans_watch;
SELECT count(*) AS watch FROM backup_plans \gset
RESET ROLE;
SELECT is(:'one' || ' ' || :two || ' ' || :watch, '{one} 0 0', 'each sees its own plans');
GRANT plans_one TO plans_two;
SELECT is(tests.attempt('plans_two', $$SELECT backup_schedule('one', keep_days => 3)$$), 'ok', 'members of the owner may change it');
SELECT is((SELECT owner FROM backup_plans WHERE plan = 'one'), 'plans_one', 'and the owner stays');
REVOKE plans_one FROM plans_two;
SELECT is((SELECT enabled FROM backup_schedule('one', enabled => false)), false, 'superusers may change every plan');

-- a role that is gone, a row that is broken
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM plans_one;
SELECT isnt(backup_revoke('plans_one'), NULL, 'no rights');
DROP ROLE plans_one;
SELECT is((SELECT owner FROM backup_plans WHERE plan = 'one'), 'plans_one', 'superusers still see the plan of a dropped role');
SELECT ok((SELECT warnings FROM backup_schedule('one')) @> '{"its owner, role \"plans_one\", does not exist any more"}', 'and are told');
SELECT is((SELECT plan FROM backup_unschedule('one')), 'one', 'and can remove it');
UPDATE snapback.plan SET schedule = 'broken' WHERE plan = 'some';
SELECT is(tests.attempt($$SELECT backup_schedule('some', keep_days => 3)$$), '22023 invalid schedule "broken"', 'a broken row is an error of its plan');
SELECT is((SELECT schedule FROM backup_schedule('some', '@hourly')), '@hourly', 'that can be mended');

-- a copy of the database has its plans suspended
UPDATE snapback.plan SET database_oid = 1 WHERE plan = 'daily';
SELECT is((SELECT ROW(suspended, next_due)::text FROM backup_plans WHERE plan = 'daily'), ROW(true, NULL::timestamptz)::text, 'the plan of another database is suspended');
SELECT is((SELECT ROW(suspended, next_due)::text FROM backup_schedule('daily', keep_days => 3)), ROW(true, '{}'::timestamptz[])::text, 'and stays so when it is changed');
SELECT is((SELECT suspended FROM backup_schedule('daily', enabled => true)), false, 'until it is enabled here');
SELECT ok((SELECT next_due > now() FROM backup_plans WHERE plan = 'daily'), 'then it is due again');

-- two sessions at once, a rollback
BEGIN;
SELECT is((SELECT plan FROM backup_unschedule('daily')), 'daily', 'removed');
ROLLBACK;
SELECT is((SELECT count(*) FROM backup_plans WHERE plan = 'daily'), 1::bigint, 'a rollback brings it back');

-- by a gateway
\set role plans_two
\set method POST
\set function backup_schedule
SELECT json_build_object('plan', 'web', 'schedule', '0 4 * * *', 'tables', '{subjects}'::text[], 'keep_days', 7) AS args \gset
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST schedule' || :'why');
SELECT is(json_array_length(:'body'::json -> 0 -> 'next_due'), 3, 'returns the due times');
SELECT is((:'body'::json -> 0 -> 'tables')::text, '["public.subjects"]', 'and the tables');
\set method GET
\ir lib/call.psql
SELECT is(:'state'::text, '25006', 'GET schedule is refused');
\set method POST
\set function backup_unschedule
\set args '{"plan": "web"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST unschedule' || :'why');
SELECT is(:'body'::json -> 0 ->> 'plan', 'web', 'returns the plan');

SELECT is((SELECT count(*) FROM backup_unschedule('some')) + (SELECT count(*) FROM backup_unschedule('weekly')), 2::bigint, 'plans are removed');
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM plans_two;
SELECT count(backup_revoke(r)) > 0 FROM unnest('{plans_two,plans_watch}'::text[]) AS r \g /dev/null
DROP EXTENSION pg_snapback;
DROP ROLE plans_two, plans_watch, plans_nobody;
SELECT * FROM finish();
