-- How long backups are kept: expiry, reasons, what is never deleted, and that it happens by itself after each good backup.
\ir lib/attempt.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
SET TimeZone = 'UTC';
CREATE TABLE courses (id int PRIMARY KEY);
INSERT INTO courses VALUES (1);
CREATE TABLE topics (id int PRIMARY KEY);

-- the storage as the server sees it; a backup grows old by an edit of its sidecar
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
CREATE FUNCTION tests.age(backup text, age interval, changes jsonb DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  b jsonb := pg_read_file(tests.storage() || backup || '.state.json')::jsonb -> 'backup';
  shifted jsonb := '{}';
  member text;
BEGIN
  FOREACH member IN ARRAY '{created_at,expires_at}'::text[] LOOP
    IF b ? member THEN
      shifted := shifted || jsonb_build_object(member, to_char((b ->> member)::timestamptz - age, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'));
    END IF;
  END LOOP;
  RETURN tests.edit(backup, jsonb_build_object('backup', shifted || changes));
END $$;
-- what this database's backups are decided to be, by label
CREATE FUNCTION tests.decided() RETURNS TABLE (label text, action text, reason text) LANGUAGE sql AS $$
  SELECT l.label, p.action, p.reason FROM backup_prune() AS p JOIN backup_list() AS l ON l.id = p.backup_id WHERE l.database = current_database()
$$;
CREATE FUNCTION tests.labels() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(label, ' ' ORDER BY label) FROM backup_list() WHERE database = current_database() AND state <> 'foreign' $$;

-- when a backup expires
SELECT is(expires_at - created_at, interval '30 days', 'a backup taken by hand is kept for 30 days') FROM backup_create(label => 'a');
SELECT is(expires_at - created_at, interval '7 days', 'or for as long as it is told') FROM backup_create(label => 'b', keep => '7 days');
SELECT is((SELECT string_agg(expires_at - created_at || '', ',' ORDER BY label) FROM backup_list() WHERE database = current_database()), '30 days,7 days', 'the list knows');
SELECT ok(pinned AND expires_at IS NULL, 'forever') FROM backup_create(label => 'c', keep => 'forever');
SET pg_snapback.keep_manual = '2 weeks';
SELECT is(expires_at - created_at, interval '14 days', 'keep_manual') FROM backup_before('d');
SET pg_snapback.keep_manual = 'forever';
SELECT ok(NOT pinned AND expires_at IS NULL, 'keep_manual forever pins nothing') FROM backup_create(label => 'e');
RESET pg_snapback.keep_manual;
SELECT is(tests.attempt(format('SELECT backup_create(keep => %L)', k)), format('22023 invalid keep "%s"', k), 'keep => ' || k) FROM unnest('{soon,-1 day,0 days,"",30}'::text[]) AS k;
SELECT is(tests.attempt($$SET pg_snapback.keep_manual = 'a while'$$), '22023 invalid value for parameter "pg_snapback.keep_manual": "a while"', 'keep_manual is checked');

-- reasons
SELECT count(tests.age(id, interval '8 days')) FROM backup_list() WHERE label IN ('a', 'b', 'c', 'before d', 'e') AND database = current_database() \g /dev/null
SELECT set_eq('SELECT label, action FROM tests.decided()', $$VALUES ('a', 'keep'), ('b', 'delete'), ('c', 'keep'), ('before d', 'keep'), ('e', 'keep')$$, 'after eight days');
SELECT is((SELECT reason FROM tests.decided() WHERE label = 'b'), 'expired ' || (now() AT TIME ZONE 'UTC' - interval '1 day')::date, 'why it goes');
SELECT is((SELECT reason FROM tests.decided() WHERE label = 'c'), 'pinned', 'pinned');
SELECT is((SELECT reason FROM tests.decided() WHERE label = 'a'), 'until ' || (now() AT TIME ZONE 'UTC' + interval '22 days')::date, 'why it stays');
SELECT is((SELECT reason FROM tests.decided() WHERE label = 'e'), 'last good one', 'the newest of all');
SELECT is(tests.labels(), 'a b before d c e', 'a dry run deletes nothing');

-- the real thing, at commit
BEGIN;
SELECT is((SELECT count(*) FROM backup_prune(dry_run => false) WHERE applied), 1::bigint, 'one is deleted');
ROLLBACK;
SELECT is(tests.labels(), 'a b before d c e', 'not when the transaction is rolled back');
SELECT is((SELECT string_agg(action || ' ' || applied, ',' ORDER BY action) FROM backup_prune(dry_run => false) WHERE action = 'delete'), 'delete true', 'deleted');
SELECT is(tests.labels(), 'a before d c e', 'at commit');

-- by itself, after a good backup
SELECT count(tests.age(id, interval '60 days')) FROM backup_list() WHERE label IN ('a', 'c') AND database = current_database() \g /dev/null
BEGIN;
SELECT backup_create(label => 'rolled back') \g /dev/null
ROLLBACK;
SELECT is(tests.labels(), 'a before d c e rolled back', 'not when that transaction is rolled back');
BEGIN;
INSERT INTO courses VALUES (2);
SELECT backup_create(label => 'uncommitted') \g /dev/null
COMMIT;
SELECT is(tests.labels(), 'a before d c e rolled back uncommitted', 'nor for the sake of an uncommitted one');
SELECT backup_create(label => 'f') \g /dev/null
SELECT is(tests.labels(), 'before d c e f rolled back uncommitted', 'expired backups go after the next good one');

-- the newest good ones stay, however old: of anything, and of all tables
SELECT count(backup_delete(id)) FROM backup_list() WHERE label IN ('e', 'before d', 'rolled back', 'uncommitted') AND database = current_database() \g /dev/null
SELECT backup_create('{courses}', label => 'narrow') \g /dev/null
SELECT count(tests.age(id, interval '60 days')) FROM backup_list() WHERE label IN ('f', 'narrow') AND database = current_database() \g /dev/null
SELECT results_eq($$SELECT label, action, reason FROM tests.decided() WHERE label IN ('f', 'narrow') ORDER BY label$$,
                  $$VALUES ('f', 'keep', 'last good one of all tables'), ('narrow', 'keep', 'last good one')$$, 'the last good ones stay');
BEGIN;
INSERT INTO courses VALUES (3);
SELECT backup_create(label => 'uncommitted') \g /dev/null
COMMIT;
SELECT is((SELECT reason FROM tests.decided() WHERE label = 'f'), 'last good one of all tables', 'an uncommitted one does not take their place');
SELECT tests.edit(id, '{"size": 1}') FROM backup_list() WHERE label = 'narrow' AND database = current_database() \g /dev/null
SELECT results_eq($$SELECT label, action, reason FROM tests.decided() WHERE label IN ('f', 'narrow') ORDER BY label$$,
                  $$VALUES ('f', 'keep', 'last good one'), ('narrow', 'keep', 'not good: look at it, then delete it')$$, 'nor a damaged one');
SELECT count(backup_unpin(id)) FROM backup_list() WHERE label = 'c' AND database = current_database() \g /dev/null
SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \g /dev/null
SELECT is(tests.labels(), NULL, 'nothing left');

-- the rules of a plan
SELECT backup_schedule('rules', '0 2 * * *', keep_last => 2, keep_monthly => 2, keep_days => 0, timezone => 'UTC') \g /dev/null
SELECT count(backup_create(label => n::text, keep => 'forever')) FROM generate_series(1, 6) AS n \g /dev/null
SELECT count(tests.age(id, (label::int - 1) * interval '40 days', '{"plan": "rules", "keep": {"last": 2, "monthly": 2, "timezone": "UTC"}}'::jsonb)) FROM backup_list()
WHERE database = current_database() \g /dev/null
SELECT count(tests.edit(id, '{"pinned": false}')) FROM backup_list() WHERE database = current_database() \g /dev/null
SELECT results_eq('SELECT label, action, reason FROM tests.decided() ORDER BY label',
                  $$VALUES ('1', 'keep', 'last good one, last 1 of 2, monthly 1 of 2'), ('2', 'keep', 'last 2 of 2, monthly 2 of 2'),
                           ('3', 'delete', 'no rule of its plan keeps it'), ('4', 'delete', 'no rule of its plan keeps it'),
                           ('5', 'delete', 'no rule of its plan keeps it'), ('6', 'delete', 'no rule of its plan keeps it')$$, 'rules are joined by or');
SELECT backup_schedule('rules', keep_yearly => 1, keep_days => 100) \g /dev/null
SELECT is((SELECT string_agg(label || ': ' || reason, '; ' ORDER BY label) FROM tests.decided() WHERE action = 'keep'),
          '1: last good one, last 1 of 2, monthly 1 of 2, yearly 1 of 1, day 1 of 100; 2: last 2 of 2, monthly 2 of 2, day 41 of 100; 3: day 81 of 100', 'a changed plan decides anew');
SELECT backup_schedule('rules', keep_last => 0, keep_monthly => 0, keep_yearly => 0) \g /dev/null
SELECT is((SELECT string_agg(label || ' ' || (expires_at - created_at), ',' ORDER BY label) FROM backup_list() WHERE database = current_database() AND label < '3'),
          '1 100 days,2 100 days', 'the list shows when the plan lets them go');
SELECT is((SELECT count(*) FROM backup_prune('rules')), 6::bigint, 'prune of one plan');
SELECT backup_schedule('other', '@daily') \g /dev/null
SELECT is((SELECT count(*) FROM backup_prune('other')), 0::bigint, 'prune of another');
SELECT is(tests.attempt($$SELECT backup_prune('nothing')$$), '42704 plan "nothing" does not exist', 'prune of none');

-- a plan that is gone leaves its rules with its backups
SELECT backup_unschedule('rules') \g /dev/null
SELECT is((SELECT string_agg(label, '' ORDER BY label) FROM tests.decided() WHERE action = 'keep'), '12', 'the rules they were made with');

-- files that came from elsewhere
SELECT tests.edit(id, '{"backup": {"database_oid": 1}}') FROM backup_list() WHERE label = '6' AND database = current_database() \g /dev/null
SELECT is((SELECT reason FROM tests.decided() WHERE label = '6'), 'not taken by this database', 'what another database took is not ours to delete');
SELECT tests.edit(id, '{"id": "backup_20200101T000000Z_00000000"}') FROM backup_list() WHERE label = '5' AND database = current_database() \g /dev/null
SELECT is((SELECT reason FROM tests.decided() WHERE label = '5'), 'not verified: backup_verify() makes it count', 'what was never verified is not deleted');

-- who may
CALL tests.new_roles('retention_one', 'retention_two', 'retention_watch');
SELECT isnt(backup_grant(r, 'operate'), NULL, r) FROM unnest('{retention_one,retention_two}'::text[]) AS r;
SELECT isnt(backup_grant('retention_watch'), NULL, 'watch');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO retention_one;
SELECT is(tests.attempt('retention_one', $$SELECT backup_schedule('mine', '@daily', '{courses}')$$), 'ok', 'a plan of an ordinary role');
SELECT is(tests.attempt('retention_two', $$SELECT backup_prune('mine')$$), '42501 permission denied to prune plan "mine"', 'others do not prune it');
SELECT is(tests.attempt('retention_one', $$SELECT backup_prune('mine', dry_run => false)$$), 'ok', 'its owner does');
SELECT is(tests.attempt('retention_watch', 'SELECT backup_prune()'), '42501 permission denied for function backup_prune', 'level watch does not');
GRANT EXECUTE ON FUNCTION backup_prune(text, boolean) TO retention_watch;
SELECT matches(tests.attempt('retention_watch', 'SELECT backup_prune(dry_run => false)'), '^42501 permission denied to delete backup "backup_', 'nor by one function alone');

-- by a gateway
\set role retention_two
\set method GET
\set function backup_prune
\set args '{}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET prune shows' || :'why');
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS b WHERE b ->> 'action' = 'delete' AND NOT (b ->> 'applied')::boolean), 2::bigint, 'what would go');
\set args '{"dry_run": false}'
\ir lib/call.psql
SELECT is(:'state'::text, '25006', 'GET prune deletes nothing');
\set method POST
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST prune deletes' || :'why');
SELECT is((SELECT count(*) FROM json_array_elements(:'body'::json) AS b WHERE (b ->> 'applied')::boolean), 2::bigint, 'and says so');
SELECT is((SELECT string_agg(label, '' ORDER BY label) FROM backup_list() WHERE database = current_database()), '1256', 'it is gone');

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \g /dev/null
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM retention_one;
SELECT count(backup_revoke(r)) FROM unnest('{retention_one,retention_two,retention_watch}'::text[]) AS r \g /dev/null
DROP EXTENSION pg_snapback;
DROP ROLE retention_one, retention_two, retention_watch;
SELECT * FROM finish();
