-- The main job from end to end: take, list, show, verify, lose data, compare, dry run, restore, prove; the other modes; the way back; keeping and removing.
\ir lib/attempt.psql
\ir lib/platform.psql
SELECT no_plan();
CREATE EXTENSION pg_snapback;

CREATE TEMPORARY TABLE before AS SELECT * FROM tests.state();
SELECT is((SELECT count(*) FROM before), 12::bigint, 'the platform has twelve tables');
SELECT sum(split_part(state, ':', 1)::bigint) AS all_rows FROM before \gset

-- taking
SELECT * FROM backup_create() \gset taken_
SELECT matches(:'taken_id'::text, '^backup_[0-9]{8}T[0-9]{6}Z_[0-9a-f]{8}$', 'a backup has an id');
SELECT is(:'taken_state'::text, 'good', 'it is good');
SELECT is(:taken_tables, 12, 'it holds all tables');
SELECT is(:taken_rows::bigint, :all_rows::bigint, 'and all rows');
SELECT is(:'taken_verified'::text, 'files', 'it was read back');
SELECT ok(NOT :'taken_uncommitted'::boolean, 'it is committed data');
SELECT ok(NOT :'taken_pinned'::boolean AND NOT :'taken_encrypted'::boolean, 'neither pinned nor encrypted');
SELECT is(:'taken_database'::text, current_database()::text, 'it names its database');
SELECT cmp_ok(:taken_logical_bytes::bigint, '>', :taken_stored_bytes::bigint, 'it is compressed');
SELECT cmp_ok(:taken_seconds::float8, '>', 0::float8, 'it took its time');
SELECT is((SELECT problem FROM backup_list() WHERE id = :'taken_id'), NULL, 'there is no problem');

-- listing
SELECT is((SELECT count(*) FROM backup_list() WHERE id = :'taken_id' AND state = 'good' AND rows = :taken_rows), 1::bigint, 'it is listed');
SELECT is((SELECT (id, state, tables, rows, verified)::text FROM backups WHERE id = :'taken_id'),
          ROW(:'taken_id', 'good', 12, :taken_rows::bigint, 'files')::text, 'the view shows it for people');
SELECT is((SELECT count(*) FROM backup_show(:'taken_id') WHERE kind = 'table'), 12::bigint, 'its tables are shown');
SELECT set_eq($$SELECT name || ' ' || rows FROM backup_show() WHERE kind = 'table'$$, $$SELECT relation || ' ' || split_part(state, ':', 1) FROM before$$,
              'with their rows; the latest backup is the default');
SELECT is((SELECT count(*) FROM backup_show(left(:'taken_id', 30)) WHERE kind = 'table'), 12::bigint, 'a beginning of the id is enough');

-- verifying
SELECT * FROM backup_verify() \gset verify_
SELECT is(:'verify_backup_id'::text, :'taken_id', 'verify takes the latest and says which');
SELECT is(:'verify_ok'::text, 't', 'it is all right');
SELECT is(:'verify_level'::text, 'content', 'up to its content');
SELECT is(ROW(:verify_tables, :verify_rows, :verify_problem_count)::text, ROW(12, :all_rows, 0)::text, 'all tables and rows, no problem');
SELECT is(:'verify_problems'::text, '[]', 'an empty list of problems');
SELECT is((SELECT verified FROM backups WHERE id = :'taken_id'), 'content', 'the list knows');
SELECT is((SELECT ok FROM backup_verify(:'taken_id', 'files')), true, 'level files');
SELECT is((SELECT verified FROM backups WHERE id = :'taken_id'), 'content', 'a lower level does not lower what was proven');
SELECT is((SELECT ok FROM backup_verify(:'taken_id', 'restore')), true, 'level restore');
SELECT is((SELECT verified FROM backups WHERE id = :'taken_id'), 'restore', 'is the highest');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'verifying changes nothing');

-- comparing
SELECT is((SELECT array_agg(DISTINCT equal) FROM backup_compare()), ARRAY[true], 'every table is equal');
SELECT is((SELECT count(*) FROM backup_compare(:'taken_id', '{flashcards,quiz_*}')), 3::bigint, 'some tables, by names and patterns');

-- losing
DELETE FROM quiz_attempts WHERE id % 3 = 0;
UPDATE flashcards SET answer = 'apagado' WHERE id BETWEEN 5 AND 9;
INSERT INTO subjects (name) VALUES ('Filosofia');
DROP TABLE audio_lessons;
DELETE FROM member_classes;
CREATE TEMPORARY TABLE lost AS SELECT * FROM tests.state();
SELECT set_eq('SELECT name FROM backup_compare() WHERE equal IS NOT TRUE',
              ARRAY['quiz_attempts', 'flashcards', 'subjects', 'audio_lessons', 'member_classes'], 'compare finds what differs');
SELECT is((SELECT (backup_rows, live_rows)::text FROM backup_compare() WHERE name = 'quiz_attempts'), '(900,600)', 'with the rows of both sides');
SELECT is((SELECT (backup_rows, live_rows)::text FROM backup_compare() WHERE name = 'audio_lessons'), '(25,)', 'and the table that is gone');

-- the dry run
CREATE TEMPORARY TABLE dry AS SELECT * FROM backup_restore('latest', dry_run => true);
SELECT is((SELECT count(*) FROM dry), 12::bigint, 'the dry run tells of every table');
SELECT is((SELECT array_agg(DISTINCT applied) FROM dry), ARRAY[false], 'applied is false');
SELECT is((SELECT array_agg(DISTINCT backup_id) FROM dry), ARRAY[:'taken_id'], 'with the id it took');
SELECT is((SELECT array_agg(DISTINCT safety_backup_id) FROM dry), ARRAY[NULL::text], 'and no safety backup');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM lost', 'nothing was written');
SELECT hasnt_table('public'::name, 'audio_lessons'::name, 'no table was made');

-- the rehearsal
CREATE TEMPORARY TABLE rehearsed AS SELECT * FROM backup_restore('latest', rehearse => true);
SELECT is((SELECT array_agg(DISTINCT applied) FROM rehearsed), ARRAY[false], 'the rehearsal applies nothing');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM lost', 'everything was rolled back');

-- the restore
SELECT count(*) AS backups_before FROM backup_list() WHERE database = current_database() \gset
CREATE TABLE tests.restored AS SELECT * FROM backup_restore(:'taken_id');
SELECT is((SELECT count(*) FROM tests.restored), 12::bigint, 'the restore tells of every table');
SELECT is((SELECT array_agg(DISTINCT applied) FROM tests.restored), ARRAY[true], 'applied');
SELECT is((SELECT array_agg(DISTINCT proven) FROM tests.restored), ARRAY[true], 'and proven');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'everything is as it was');
SELECT is((SELECT array_agg(DISTINCT equal) FROM backup_compare(:'taken_id')), ARRAY[true], 'compare says so too');
SELECT DISTINCT safety_backup_id AS safety FROM tests.restored \gset
SELECT is((SELECT state FROM backup_list() WHERE id = :'safety'), 'good', 'a safety backup was taken');
SELECT is((SELECT count(*) FROM backup_show() WHERE kind = 'table'), 12::bigint, 'which latest passes over');
SELECT isnt((SELECT backup_id FROM backup_verify()), :'safety', 'so that latest stays what it was');
SELECT is((SELECT count(*) FROM backup_list() WHERE database = current_database()), :backups_before::bigint + 1, 'one backup more than before');

-- what the dropped table had is back
SELECT col_is_pk('public'::name, 'audio_lessons'::name, 'id'::name, 'the primary key');
SELECT col_is_unique('public'::name, 'audio_lessons'::name, ARRAY['course_id', 'title']::name[], 'the unique constraint');
SELECT fk_ok('public'::name, 'audio_lessons'::name, 'course_id'::name, 'public'::name, 'audio_courses'::name, 'id'::name, 'the foreign key');
SELECT is((SELECT attidentity::text FROM pg_attribute WHERE attrelid = 'audio_lessons'::regclass AND attname = 'id'), 'a', 'the identity');
INSERT INTO audio_lessons (course_id, title, seconds) VALUES (1, 'depois da restauração', 1);
SELECT is((SELECT max(id) FROM audio_lessons), 26, 'its sequence goes on where it was');
DELETE FROM audio_lessons WHERE id = 26;
INSERT INTO subjects (name) VALUES ('Sociologia') RETURNING id AS next_subject \gset
SELECT cmp_ok(:next_subject, '>', 6, 'sequences never go back below what was handed out');
DELETE FROM subjects WHERE id = :next_subject;
SELECT throws_ok($$INSERT INTO audio_lessons (course_id, title, seconds) VALUES (999, 'x', 1)$$, '23503', NULL, 'foreign keys hold');
SELECT throws_ok($$DELETE FROM user_profiles WHERE email = 'aluno1@exemplo.br'$$, '23503', NULL, 'in both directions');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgenabled <> 'O'), 0::bigint, 'every trigger is enabled');
SELECT is((SELECT count(*) FROM pg_constraint WHERE NOT convalidated), 0::bigint, 'every constraint is validated');

-- the way back through the safety backup: the state before the restore, without the table that had been dropped
CREATE TABLE tests.back AS SELECT * FROM backup_restore(:'safety');
SELECT set_eq($$SELECT relation, state FROM tests.state() WHERE relation <> 'audio_lessons'$$, 'SELECT relation, state FROM lost', 'the way back');
CREATE TABLE tests.again AS SELECT * FROM backup_restore(:'taken_id');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'and forth again');

-- some tables only
UPDATE topics SET name = 'x';
UPDATE calendar_events SET title = 'y';
SELECT is((SELECT array_agg(name) FROM backup_restore(:'taken_id', '{topics}', safety_backup => false)), '{topics}', 'one table alone');
SELECT is((SELECT array_agg(name) FROM backup_compare(:'taken_id') WHERE NOT equal), '{calendar_events}', 'the others are left alone');
SELECT is((SELECT array_agg(safety_backup_id) FROM backup_restore(:'taken_id', '{calendar_*}', safety_backup => false)), ARRAY[NULL::text],
          'no safety backup where none is wanted');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'everything is equal again');

-- missing: only rows that are gone
DELETE FROM quiz_attempts WHERE id <= 100;
UPDATE quiz_attempts SET chosen = 4 WHERE id BETWEEN 101 AND 110;
INSERT INTO quiz_attempts (user_id, question_id, at) SELECT id, 1, now() FROM user_profiles LIMIT 3;
SELECT is((SELECT (inserted, updated, deleted, applied, proven)::text FROM backup_restore(:'taken_id', '{quiz_attempts}', mode => 'missing')),
          '(100,0,0,t,t)', 'missing inserts what is gone');
SELECT is((SELECT count(*) FROM quiz_attempts), 903::bigint, 'and deletes nothing');
SELECT is((SELECT count(*) FROM quiz_attempts WHERE id BETWEEN 101 AND 110 AND chosen = 4), 10::bigint, 'and overwrites nothing');
SELECT is((SELECT (inserted, updated, deleted)::text FROM backup_restore(:'taken_id', '{quiz_attempts}', mode => 'missing')), '(0,0,0)',
          'a second time there is nothing to do');
-- upsert: those and the changed ones
DELETE FROM quiz_attempts WHERE id <= 50;
SELECT is((SELECT (inserted, updated, deleted, applied, proven)::text FROM backup_restore(:'taken_id', '{quiz_attempts}', mode => 'upsert')),
          (SELECT format('(50,%s,0,t,t)', count(*)) FROM generate_series(101, 110) AS id WHERE id % 6 <> 4), 'upsert inserts and overwrites');
SELECT is((SELECT count(*) FROM quiz_attempts), 903::bigint, 'and deletes nothing either');
SELECT is((SELECT (live_rows, equal)::text FROM backup_compare(:'taken_id', '{quiz_attempts}')), '(903,f)', 'three rows are new');
SELECT is((SELECT array_agg(proven) FROM backup_restore(:'taken_id', '{quiz_attempts}')), '{t}', 'replace makes it exactly the backup');
SELECT is((SELECT equal FROM backup_compare(:'taken_id', '{quiz_attempts}')), true, 'as compare says');

-- beside the live tables
CREATE SCHEMA beside;
SELECT is((SELECT array_agg(applied) FROM backup_restore(:'taken_id', '{subjects,topics,member_classes}', into_schema => 'beside')), '{t,t,t}', 'into a schema');
SELECT is(tests.state_of('beside.topics'), tests.state_of('public.topics'), 'the copies are equal');
SELECT is(tests.state_of('beside.member_classes'), tests.state_of('public.member_classes'), 'without a key as well');
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'the live tables were not touched');

-- a table that came after the backup is left alone
CREATE TABLE newcomer (id integer PRIMARY KEY);
INSERT INTO newcomer SELECT generate_series(1, 3);
SELECT is((SELECT count(*) FROM backup_restore(:'taken_id')), 12::bigint, 'a restore deals with the tables of the backup');
SELECT is((SELECT count(*) FROM newcomer), 3::bigint, 'and leaves others alone');
DROP TABLE newcomer;

-- a restore that would break a foreign key changes nothing
CREATE TABLE homework (id integer PRIMARY KEY, topic_id integer NOT NULL REFERENCES topics);
INSERT INTO topics (subject_id, name) VALUES (1, 'novo') RETURNING id AS new_topic \gset
INSERT INTO homework VALUES (1, :new_topic);
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, %L)', :'taken_id', '{topics}')), '^23503 ', 'rows that others need are not taken away');
SELECT is((SELECT count(*) FROM topics WHERE id = :new_topic), 1::bigint, 'nothing was changed');
DROP TABLE homework;
DELETE FROM topics WHERE id = :new_topic;

DROP TABLE tests.restored, tests.back, tests.again;
DROP TABLE beside.subjects, beside.topics, beside.member_classes;
DROP SCHEMA beside;

-- labels, the backup before an operation, and what latest means
SELECT id AS labelled FROM backup_create('{subjects,topics}', label => 'antes da importação') \gset
SELECT is((SELECT (tables, label)::text FROM backup_list() WHERE id = :'labelled'), '(2,"antes da importação")', 'a label, two tables');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', dry_run => true)), :'taken_id', 'latest without tables is a wide backup');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', '{topics}', dry_run => true)), :'labelled', 'with tables, one that holds them');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', '{topics,flashcards}', dry_run => true)), :'taken_id', 'all of them');
SELECT * FROM backup_before('delete_user_data', '{user_profiles}') \gset op_
SELECT is(ROW(:'op_state', :op_tables)::text, '(good,1)', 'a backup before an operation');
SELECT is((SELECT label FROM backup_list() WHERE id = :'op_id'), 'before delete_user_data', 'is labelled with the operation');
SELECT * FROM backup_create(exclude => '{quiz_*}') \gset without_
SELECT is(:without_tables, 10, 'exclude');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', dry_run => true)), :'taken_id', 'makes no wide backup');
BEGIN;
DELETE FROM subjects WHERE id = 5;
SELECT id AS own, uncommitted AS own_uncommitted, rows AS own_rows FROM backup_create('{subjects,topics}') \gset
ROLLBACK;
SELECT ok(:'own_uncommitted'::boolean, 'a backup that holds uncommitted changes says so');
SELECT is(:own_rows::bigint, (SELECT (SELECT count(*) FROM subjects) + (SELECT count(*) FROM topics)) - 5, 'it holds the transaction''s own changes');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', '{topics}', dry_run => true)), :'without_id', 'and latest passes over it');
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT count(*) AS seen FROM subjects \gset
SELECT id AS frozen, rows AS frozen_rows FROM backup_create('{subjects}') \gset
COMMIT;
SELECT is(:frozen_rows::bigint, :seen::bigint, 'in REPEATABLE READ the transaction''s own snapshot is the moment');
SET pg_snapback.tables = 'subjects, topics';
SELECT tables AS set_tables, id AS set_id FROM backup_create() \gset
RESET pg_snapback.tables;
SELECT is(:set_tables, 2, 'pg_snapback.tables says which tables are taken');
SELECT is((SELECT id FROM backup_delete(:'set_id')), :'set_id', 'which can be deleted');

-- pin, unpin, delete
SELECT is((SELECT (id, pinned)::text FROM backup_pin(:'labelled')), ROW(:'labelled', true)::text, 'pin returns the backup');
SELECT is((SELECT pinned FROM backup_list() WHERE id = :'labelled'), true, 'the list knows');
SELECT is((SELECT pinned FROM backup_pin(:'labelled')), true, 'pinning twice is pinning once');
SELECT matches(tests.attempt(format('SELECT * FROM backup_delete(%L)', :'labelled')), '^55006 ', 'a pinned backup is not deleted');
SELECT is((SELECT pinned FROM backup_unpin(:'labelled')), false, 'unpin');
BEGIN;
SELECT is((SELECT id FROM backup_delete(:'labelled')), :'labelled', 'delete returns the backup');
ROLLBACK;
SELECT is((SELECT state FROM backup_list() WHERE id = :'labelled'), 'good', 'rolled back, nothing is gone');
BEGIN;
SELECT is((SELECT pinned FROM backup_pin(:'labelled')), true, 'a pin');
ROLLBACK;
SELECT is((SELECT pinned FROM backup_list() WHERE id = :'labelled'), false, 'that is rolled back is none');
SELECT is((SELECT id FROM backup_delete(left(:'labelled', 31))), :'labelled', 'delete by a beginning of the id');
SELECT is_empty(format('SELECT * FROM backup_list() WHERE id = %L', :'labelled'), 'gone');
SELECT matches(tests.attempt(format('SELECT * FROM backup_delete(%L)', :'labelled')), '^42704 ', 'and unknown');

-- downloading: more than two parts
CREATE TABLE large AS
SELECT n AS id, (SELECT string_agg(md5(n || ':' || k), '') FROM generate_series(1, 100) AS k) AS noise FROM generate_series(1, 12000) AS n;
SELECT id AS big, stored_bytes AS big_bytes FROM backup_create('{large}') \gset
SELECT cmp_ok(:big_bytes::bigint, '>', 16777216::bigint, 'the file has more than one part');
SELECT ceil(:big_bytes / 16777216.0)::integer AS parts \gset
SELECT is((SELECT array_agg(octet_length(backup_download(:'big', n))::bigint ORDER BY n) FROM generate_series(1, :parts) AS n),
          (SELECT array_agg(least(16777216, :big_bytes - (n - 1) * 16777216::bigint) ORDER BY n) FROM generate_series(1, :parts) AS n),
          'parts are of 16 MiB, the last of what is left');
SELECT is(backup_download(:'big', :parts + 1), NULL, 'NULL after the last');
CREATE FUNCTION tests.stored(file text) RETURNS bytea LANGUAGE sql AS $$
  SELECT pg_read_binary_file(current_setting('data_directory') || '-snapback/' || file)
$$;
SELECT is((SELECT sha256(string_agg(backup_download(:'big', n), '' ORDER BY n)) FROM generate_series(1, :parts) AS n),
          sha256(tests.stored(:'big' || '.json.zst')), 'joined they are the file');
SELECT is(encode(sha256(tests.stored(:'big' || '.json.zst')), 'hex'), convert_from(tests.stored(:'big' || '.state.json'), 'UTF8')::jsonb ->> 'sha256',
          'whose SHA-256 the sidecar holds');
SELECT is((SELECT ok FROM backup_verify(:'big')), true, 'it verifies');
DROP TABLE large;
SELECT is((SELECT (action IS NOT NULL, proven)::text FROM backup_restore(:'big')), '(t,t)', 'a table that is gone is made anew');
SELECT is((SELECT count(DISTINCT noise) FROM large), 12000::bigint, 'with its rows');

-- what a file in the storage means
SELECT lives_ok(format('COPY (SELECT 1) TO %L', current_setting('data_directory') || '-snapback/notes.txt'), 'a stray file');
SELECT is_empty($$SELECT * FROM backup_list() WHERE id LIKE 'notes%'$$, 'is not listed');
SELECT lives_ok(format('COPY (SELECT 1) TO %L', current_setting('data_directory') || '-snapback/backup_20200101T000000Z_00000000.json.zst'),
                'a file that has only the name of a backup');
SELECT is((SELECT state FROM backup_list() WHERE id = 'backup_20200101T000000Z_00000000'), 'unreadable', 'is unreadable');
SELECT isnt((SELECT problem FROM backup_list() WHERE id = 'backup_20200101T000000Z_00000000'), NULL, 'and the list says why');
SELECT is((SELECT id FROM backup_delete('backup_2020')), 'backup_20200101T000000Z_00000000', 'it can be deleted');

-- who watches sees
SELECT is((SELECT count(*) FROM backup_progress), 0::bigint, 'nothing is running');

-- all of ours away
SELECT count(backup_delete(id)) AS deleted FROM backup_list() WHERE database = current_database() AND NOT pinned \gset
SELECT is((SELECT count(*) FROM backup_list() WHERE database = current_database()), 0::bigint, 'the storage holds none of this database any more');
SELECT * FROM finish();
