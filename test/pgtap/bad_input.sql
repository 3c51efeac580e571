-- Bad input is a clear error with its SQLSTATE, and changes nothing: neither the database nor the storage.
\ir lib/attempt.psql
\ir lib/platform.psql
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('bad_reader');

-- nothing taken yet
SELECT is(tests.attempt('SELECT * FROM backup_show()'), '42704 there is no good backup of database "' || current_database() || '"', 'latest of nothing');
SELECT alike(tests.hint(), '%backup_create()%', 'says what to do');
SELECT is(tests.attempt(call), '42704 there is no good backup of database "' || current_database() || '"', call)
FROM unnest(ARRAY['SELECT * FROM backup_verify()', 'SELECT * FROM backup_compare()', $$SELECT * FROM backup_restore('latest')$$,
                  $$SELECT * FROM backup_restore('latest', dry_run => true)$$]) AS call;

SELECT id AS good FROM backup_create() \gset
SELECT id AS part FROM backup_create('{subjects,topics}') \gset
CREATE TEMPORARY TABLE before AS SELECT * FROM tests.state();
CREATE TEMPORARY TABLE stored AS SELECT id, state, pinned, verified FROM backup_list() WHERE database = current_database();

-- every function that takes an id
CREATE TEMPORARY TABLE calls (call text);
INSERT INTO calls VALUES ('SELECT * FROM backup_show(%L)'), ('SELECT * FROM backup_verify(%L)'), ('SELECT * FROM backup_compare(%L)'),
  ('SELECT * FROM backup_restore(%L)'), ('SELECT * FROM backup_restore(%L, dry_run => true)'), ('SELECT * FROM backup_delete(%L)'),
  ('SELECT * FROM backup_pin(%L)'), ('SELECT * FROM backup_unpin(%L)'), ('SELECT backup_download(%L)');

SELECT is(tests.attempt(format(call, 'backup_20010101T000000Z_00000000')), '42704 backup "backup_20010101T000000Z_00000000" does not exist', 'unknown: ' || call) FROM calls;
SELECT alike(tests.hint(), '%backup_list()%', 'the hint says where ids are found');
SELECT is(tests.attempt(format(call, 'backup_')), '22023 backup id "backup_" is ambiguous', 'ambiguous: ' || call) FROM calls;
SELECT alike(tests.detail(), '%' || :'good' || '%', 'the candidates are named');
SELECT is(tests.attempt(format(call, NULL)), '22023 argument "backup_id" must not be null', 'null: ' || call) FROM calls;
SELECT is(tests.attempt(format(call, '')), '22023 invalid backup id ""', 'empty: ' || call) FROM calls;
SELECT is(tests.attempt(format('SELECT * FROM backup_show(%L)', id)), '22023 invalid backup id "' || shown || '"', 'no id: ' || shown)
FROM (VALUES ('../' , '../'), ('..', '..'), ('/etc/passwd', '/etc/passwd'), ('backup_2026/../..', 'backup_2026/../..'),
             (E'backup_\n', 'backup_\x0A'), (E'backup_\x01', 'backup_\x01'), (E'\x1b[31m', '\x1B[31m'), ('Backup_2026', 'Backup_2026'),
             ('latest ', 'latest '), (' ', ' '), ('*', '*'), ('%', '%'), ('backup_20261121T020000Z_9f3c01ab.json.zst', 'backup_20261121T020000Z_9f3c01ab.json.zst'),
             ($$'; DROP TABLE x; --$$, $$'; DROP TABLE x; --$$)) AS v (id, shown);
SELECT matches(tests.attempt(format('SELECT * FROM backup_show(%L)', repeat('x', 100000))), '^22023 invalid backup id "x{1,90}\.\.\."?', 'a long one is cut');
SELECT matches(tests.attempt(format(call, 'latest')), '^22023 ', 'latest is too vague: ' || call)
FROM calls WHERE call ~ 'delete|unpin';

-- levels and modes
SELECT is(tests.attempt(call), '22023 invalid verification level "deep"', call)
FROM unnest(ARRAY[$$SELECT * FROM backup_verify('latest', 'deep')$$, $$SELECT * FROM backup_create(verify => 'deep')$$]) AS call;
SELECT is(tests.hint(), 'The levels are files, content and restore.', 'with the levels in the hint');
SELECT is(tests.attempt($$SELECT * FROM backup_verify('latest', NULL)$$), '22023 argument "level" must not be null', 'no level');
SELECT matches(tests.attempt($$SELECT * FROM backup_restore('latest', mode => 'overwrite')$$), '^22023 .*"overwrite"', 'unknown mode');
SELECT alike(tests.hint(), '%replace%missing%upsert%', 'with the modes in the hint');
SELECT matches(tests.attempt($$SELECT * FROM backup_restore('latest', mode => NULL)$$), '^22023 ', 'no mode');

-- tables, for a backup
SELECT is(tests.attempt(format('SELECT * FROM backup_create(%L)', tables)), expected, 'create ' || tables)
FROM (VALUES ('{nothing}', '42P01 table "nothing" does not exist'),
             ('{subjects,nothing}', '42P01 table "nothing" does not exist'),
             ('{nowhere.subjects}', '42P01 table "nowhere.subjects" does not exist'),
             ('{"\"Subjects\""}', '42P01 table ""Subjects"" does not exist'),
             ('{nothing_*}', '22023 no table matches the pattern "nothing_*"'),
             ('{nowhere.*}', '22023 no table matches the pattern "nowhere.*"'),
             ('{}', '22023 the list of tables is empty'),
             ('{NULL}', '22023 argument "tables" must not hold nulls'),
             ('{subjects,NULL}', '22023 argument "tables" must not hold nulls'),
             ('{{subjects},{topics}}', '22023 argument "tables" must be a list, not an array of more dimensions'),
             ('{""}', '22023 invalid table name or pattern ""'),
             ('{a.b.c}', '22023 invalid table name or pattern "a.b.c"'),
             ('{.subjects}', '22023 invalid table name or pattern ".subjects"'),
             ('{"\"subjects"}', '22023 invalid table name or pattern ""subjects"'),
             ('{"subjects; DROP TABLE subjects"}', '42P01 table "subjects; DROP TABLE subjects" does not exist'),
             ('{topics_id_seq}', '42809 "public.topics_id_seq" is not a table'),
             ('{topics_pkey}', '42P01 table "topics_pkey" does not exist')) AS v (tables, expected);
SELECT matches(tests.attempt($$SELECT * FROM backup_create('{pg_catalog.pg_class}')$$), '^(42P01|42809|42501) ', 'system catalogs are no tables to back up');
SELECT is(tests.attempt($$SELECT * FROM backup_create(exclude => '{nothing}')$$), '42P01 table "nothing" does not exist', 'excluding what is not there');
SELECT is(tests.attempt($$SELECT * FROM backup_create('{subjects}', exclude => '{subjects}')$$), '22023 no table is left to back up', 'excluding everything');
SELECT is(tests.attempt($$SELECT * FROM backup_before(NULL)$$), '22023 argument "operation" must not be null', 'before what');
SELECT is(tests.attempt($$SELECT * FROM backup_before('')$$), '22023 argument "operation" must not be empty', 'before nothing');
SELECT is(tests.attempt(format('SELECT * FROM backup_create(label => %L)', repeat('l', 201))), '22023 argument "label" is too long', 'a long label');
SELECT is(tests.attempt($$SELECT * FROM backup_create(workers => -1)$$), '22023 argument "workers" must not be negative', 'workers');
SET pg_snapback.tables = 'subjects, nothing';
SELECT is(tests.attempt('SELECT * FROM backup_create()'), '42P01 table "nothing" does not exist', 'a setting that names what is not there');
RESET pg_snapback.tables;

-- tables, of a backup
SELECT is(tests.attempt(format(call, :'part', tables)), replace(expected, '%', :'part'), replace(call, '%L', '%') || ' ' || tables)
FROM (VALUES ('SELECT * FROM backup_restore(%L, %L)'), ('SELECT * FROM backup_restore(%L, %L, dry_run => true)'), ('SELECT * FROM backup_compare(%L, %L)')) AS c (call)
CROSS JOIN (VALUES ('{flashcards}', '42P01 table "flashcards" does not exist in backup "%"'),
                   ('{subjects,nothing}', '42P01 table "nothing" does not exist in backup "%"'),
                   ('{quiz_*}', '22023 no table matches the pattern "quiz_*" in backup "%"'),
                   ('{}', '22023 the list of tables is empty'),
                   ('{NULL}', '22023 argument "tables" must not hold nulls'),
                   ('{""}', '22023 invalid table name or pattern ""')) AS v (tables, expected);
SELECT is(tests.attempt(format('SELECT * FROM %s(''latest'', %L)', verb, tables)), expected, verb || ' latest ' || tables)
FROM unnest('{backup_restore,backup_compare}'::text[]) AS verb
CROSS JOIN (VALUES ('{}', '22023 the list of tables is empty'), ('{""}', '22023 invalid table name or pattern ""'),
                   ('{NULL}', '22023 argument "tables" must not hold nulls')) AS v (tables, expected);
SELECT matches(tests.attempt($$SELECT * FROM backup_restore('latest', '{nothing}')$$), '^(42P01|42704) ', 'latest with an unknown table');
SELECT matches(tests.attempt($$SELECT * FROM backup_compare('latest', '{nothing}')$$), '^(42P01|42704) ', 'here too');

-- arguments that go together, or do not
CREATE SCHEMA beside;
CREATE TABLE beside.subjects (id integer);
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, %L, into_schema => %L)', :'good', '{subjects}', 'beside')), '^42P07 ',
               'a table that is there already is not replaced beside');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = 'beside'::regnamespace), 1::bigint, 'nothing was made');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, into_schema => %L)', :'good', schema)), '^(22023|42501|42P07|42939) ', 'not into ' || schema)
FROM unnest('{pg_catalog,information_schema,pg_toast,snapback}'::text[]) AS schema;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, into_schema => %L)', :'good', '')), '^(22023|3F000|42704) ', 'into a schema without a name');
SELECT is((SELECT bool_or(applied) FROM backup_restore(:'good', dry_run => true, rehearse => true)), false, 'a dry run that is rehearsed applies nothing');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, from_database => %L)', :'good', 'elsewhere')), '^22023 ', 'a database it is not from');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, dry_run => true, from_database => %L)', :'good', current_database())), 'ok', 'its own may be named');
SELECT matches(tests.attempt(format('SELECT backup_download(%L, %s)', :'good', part)), '^22023 argument "part" must be 1 or more', 'part ' || part)
FROM unnest('{0,-1,"NULL"}'::text[]) AS part;
SELECT is(backup_download(:'good', 2147483647), NULL, 'a part far behind the last');

-- what is not there yet says so, and is never passed over
SELECT matches(tests.attempt(call), '^0A000 argument "' || argument || '" of backup_[a-z]+\(\) is not supported yet', argument || ': ' || call)
FROM (VALUES ('encrypt', 'SELECT * FROM backup_create(encrypt => true)'), ('encrypt', $$SELECT * FROM backup_before('x', encrypt => true)$$),
             ('workers', 'SELECT * FROM backup_create(workers => 4)'),
             ('clean', $$SELECT * FROM backup_restore('latest', clean => true)$$), ('owner', $$SELECT * FROM backup_restore('latest', owner => true)$$),
             ('privileges', $$SELECT * FROM backup_restore('latest', privileges => true)$$),
             ('schema_only', $$SELECT * FROM backup_restore('latest', schema_only => true)$$),
             ('data_only', $$SELECT * FROM backup_restore('latest', data_only => true)$$),
             ('rename', $$SELECT * FROM backup_restore('latest', rename => '{"a": "b"}')$$)) AS v (argument, call);

-- rows that cannot be read are an error, never a smaller backup
SELECT isnt(backup_grant('bad_reader', 'operate'), NULL, 'a role with operate');
GRANT SELECT ON ALL TABLES IN SCHEMA public TO bad_reader;
REVOKE SELECT ON subjects, topics FROM bad_reader;
DROP TABLE beside.subjects;
SELECT is(tests.attempt('bad_reader', 'SELECT * FROM backup_create()'), '42501 permission denied for 2 tables', 'tables without SELECT');
GRANT SELECT ON subjects, topics TO bad_reader;
ALTER TABLE topics ENABLE ROW LEVEL SECURITY;
SELECT is(tests.attempt('bad_reader', 'SELECT * FROM backup_create()'), '42501 row security would hide rows of table "public.topics"', 'a table with row security');
ALTER TABLE topics DISABLE ROW LEVEL SECURITY;

-- a schema that has changed under the backup: every difference is named, nothing is lost without being told to
CREATE TABLE changing (id integer PRIMARY KEY, kept text, gone text);
INSERT INTO changing VALUES (1, 'a', 'b'), (2, 'c', NULL);
SELECT id AS old_shape FROM backup_create('{changing}') \gset
ALTER TABLE changing DROP COLUMN gone;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'old_shape')), '^42804 ', 'values that have no column any more');
SELECT alike(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'old_shape')) || ' ' || tests.detail() || ' ' || tests.hint(), '%gone%', 'the column is named');
SELECT is((SELECT count(*) FROM changing), 2::bigint, 'nothing was changed');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, allow_loss => true)', :'old_shape')), 'ok', 'allow_loss drops them');
ALTER TABLE changing ADD COLUMN needed integer NOT NULL DEFAULT 7;
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, allow_loss => true)', :'old_shape')), 'ok', 'a new column gets its default');
SELECT is((SELECT array_agg(needed) FROM changing), '{7,7}', 'in every row');
ALTER TABLE changing ALTER COLUMN needed DROP DEFAULT;
DELETE FROM changing WHERE id = 2;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, allow_loss => true)', :'old_shape')), '^(23502|22023|55000) ', 'one without a default does not');
SELECT is((SELECT array_agg(id) FROM changing), '{1}', 'nothing was changed');
ALTER TABLE changing DROP COLUMN needed, ALTER COLUMN kept TYPE integer USING 1;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, allow_loss => true)', :'old_shape')), '^(22P02|42804) ', 'values that the new type refuses');
SELECT is((SELECT array_agg(kept) FROM changing), '{1}', 'nothing was changed');
SELECT unalike(tests.attempt(format('SELECT * FROM backup_restore(%L, allow_loss => true)', :'old_shape')) || tests.detail(), '%"a"%', 'no value is quoted in the message');
DROP TABLE changing;
CREATE VIEW changing AS SELECT 1 AS id, 'x'::text AS kept;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'old_shape')), '^(42809|42P07) ', 'a view in the place of the table');
DROP VIEW changing;

-- rows that live constraints refuse
CREATE TABLE checked (id integer PRIMARY KEY, n integer);
INSERT INTO checked SELECT g, g FROM generate_series(1, 10) AS g;
SELECT id AS checked_backup FROM backup_create('{checked}') \gset
DELETE FROM checked WHERE n > 5;
ALTER TABLE checked ADD CONSTRAINT small CHECK (n <= 5);
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'checked_backup')), '^23514 ', 'a check');
ALTER TABLE checked DROP CONSTRAINT small;
ALTER TABLE checked ALTER COLUMN n TYPE boolean USING true;
UPDATE checked SET n = true;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'checked_backup')), '^(22P02|42804) ', 'another type');
ALTER TABLE checked ALTER COLUMN n TYPE integer USING id / 10;
CREATE UNIQUE INDEX checked_half ON checked ((id / 3)) WHERE id > 100;
ALTER TABLE checked ADD COLUMN half integer GENERATED ALWAYS AS (id / 100) STORED;
DELETE FROM checked;
CREATE UNIQUE INDEX checked_one ON checked (half);
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'checked_backup')), '^23505 ', 'a unique index over a generated column');
SELECT is((SELECT count(*) FROM checked), 0::bigint, 'nothing was changed by all this');
DROP TABLE checked;

-- foreign keys in both directions
DELETE FROM topics WHERE id = 20;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, %L)', :'good', '{flashcards}')), '^23503 ', 'children without their parents');
SELECT alike(tests.detail(), '%topics%', 'the parents'' table is named');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'good')), 'ok', 'the whole backup brings them back');
INSERT INTO subjects (name) VALUES ('Artes') RETURNING id AS arts \gset
INSERT INTO topics (subject_id, name) VALUES (:arts, 'Barroco');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, %L)', :'good', '{subjects}')), '^23503 ', 'parents without their children');
DELETE FROM subjects WHERE id = :arts;

-- who may call what over the wrong road
SELECT matches(tests.attempt('bad_reader', 'SELECT * FROM snapback.progress()'), '^42501 ', 'internal functions are closed');

-- after all these errors
SELECT set_eq('SELECT relation, state FROM tests.state()', 'SELECT relation, state FROM before', 'the tables are as they were');
SELECT set_eq($$SELECT id, state, pinned, verified FROM backup_list() WHERE id IN (SELECT id FROM stored)$$, 'SELECT * FROM stored', 'so are the backups');
SELECT is_empty($$SELECT name FROM pg_ls_dir(current_setting('data_directory') || '-snapback') AS name WHERE name LIKE '%partial%' OR name LIKE '%tmp%'$$,
                'nothing half-written lies about');
SELECT is((SELECT ok FROM backup_verify(:'good')), true, 'and they verify');

SELECT count(backup_delete(id)) FROM backup_list() WHERE database = current_database() \gset
SELECT * FROM finish();
