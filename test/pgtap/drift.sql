-- A schema that has changed under the backup: the dry run names every difference and says what the restore would refuse; nothing is lost without being told to.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
SELECT no_plan();

CREATE FUNCTION dry(id text, wanted text, loss boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
  SELECT action || ': ' || coalesce(note, '') FROM backup_restore(id, ARRAY[wanted], dry_run => true, allow_loss => loss)
$$;
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE state text; message text;
BEGIN
  EXECUTE statement;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT;
  RETURN state || ': ' || message;
END $$;
-- the dry run refuses what the restore refuses, with the same words
CREATE FUNCTION same_refusal(id text, wanted text, loss boolean DEFAULT false) RETURNS boolean LANGUAGE sql AS $$
  SELECT strpos(dry(id, wanted, loss), 'refused: ') = 1
     AND strpos(dry(id, wanted, loss), 'the restore would fail with ' || attempt(format('SELECT * FROM backup_restore(%L, ARRAY[%L], allow_loss => %L, safety_backup => false)', id, wanted, loss))) > 0
$$;

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE subjects (id integer PRIMARY KEY, name text);
CREATE TABLE lessons (id integer PRIMARY KEY, subject_id integer, title text, minutes integer, state mood, extra text);
CREATE TABLE loose (a integer, b text);
CREATE TABLE _prisma_migrations (id text PRIMARY KEY, name text);
INSERT INTO subjects SELECT g, 's' || g FROM generate_series(1, 10) g;
INSERT INTO lessons SELECT g, g % 10 + 1, 'lesson ' || g, g, CASE WHEN g < 50 THEN 'sad' ELSE 'ok' END::mood, CASE WHEN g = 7 THEN 'seven' END FROM generate_series(1, 100) g;
INSERT INTO loose SELECT g, 'b' || g FROM generate_series(1, 10) g;
INSERT INTO _prisma_migrations VALUES ('1', 'init');
SELECT id AS old FROM backup_create() \gset
SELECT is(dry(:'old', 'lessons'), 'unchanged: ', 'no difference, no note');

-- ---- columns --------------------------------------------------------------------------------------------------------------------
BEGIN;
ALTER TABLE lessons DROP COLUMN extra;
SELECT alike(dry(:'old', 'lessons'), 'refused: the restore would fail with 42804: table "public.lessons" no longer has all columns of the backup (The backup has values in "extra"%', 'a dropped column');
SELECT ok(same_refusal(:'old', 'lessons'), 'as the restore does');
SELECT is(dry(:'old', 'lessons', true), 'unchanged: not restored, for the table no longer has them: "extra"', 'told to, it goes on');
ROLLBACK;
BEGIN;
UPDATE lessons SET extra = NULL WHERE id = 7;
SELECT id AS without FROM backup_create('{lessons}') \gset
ALTER TABLE lessons DROP COLUMN extra;
SELECT is(dry(:'without', 'lessons'), 'unchanged: not restored, for the table no longer has them: "extra"', 'a dropped column that has no values');
ROLLBACK;
BEGIN;
ALTER TABLE lessons ADD COLUMN author text DEFAULT 'nobody';
UPDATE lessons SET author = 'me' WHERE id = 3;
SELECT is(dry(:'old', 'lessons'), 'unchanged: column "author" is not in the backup: it gets its default', 'an added column');
ROLLBACK;
BEGIN;
ALTER TABLE lessons RENAME COLUMN minutes TO duration;
SELECT alike(dry(:'old', 'lessons'), 'refused: %column "duration" is not in the backup%column "minutes" looks renamed to "duration"%42804%"minutes"%', 'a renamed column is a dropped and an added one, with a hint');
SELECT ok(same_refusal(:'old', 'lessons'), 'which the restore refuses');
ROLLBACK;
BEGIN;
ALTER TABLE lessons ALTER COLUMN minutes TYPE numeric(10,1), ALTER COLUMN id TYPE bigint;
UPDATE lessons SET minutes = 0.5 WHERE id = 2;
SELECT is(dry(:'old', 'lessons'), 'by difference: column "id" changed its type from integer to bigint: values are converted; column "minutes" changed its type from integer to numeric(10,1): values are converted',
          'retyped columns');
SELECT is((SELECT format('%s %s %s', action, updated, unchanged) FROM backup_restore(:'old', '{lessons}', safety_backup => false)), 'by difference 1 99', 'are restored in the types of today');
ROLLBACK;
BEGIN;
ALTER TABLE lessons ALTER COLUMN title TYPE integer USING 1;
SELECT alike(dry(:'old', 'lessons'), 'refused: %the restore would fail with 22P02: %', 'a type that refuses the values');
SELECT unalike(dry(:'old', 'lessons'), '%lesson 1%', 'without quoting one');
SELECT ok(same_refusal(:'old', 'lessons'), 'as the restore does');
ROLLBACK;
BEGIN;
UPDATE lessons SET title = 'abc';
ALTER TABLE lessons ALTER COLUMN title TYPE varchar(3);
SELECT alike(dry(:'old', 'lessons'), 'refused: %the restore would fail with 22001: %', 'a type that is too short');
SELECT alike(dry(:'old', 'lessons', true), 'refused: %the restore would fail with 22001: %', 'allow_loss gives up columns that are gone, and cuts no value');
SELECT ok(same_refusal(:'old', 'lessons', true), 'nor does the restore');
ROLLBACK;
BEGIN;
CREATE TABLE other (title text, id integer PRIMARY KEY, extra text, state mood, minutes integer, subject_id integer);
INSERT INTO other SELECT title, id, extra, state, minutes, subject_id FROM lessons;
DROP TABLE lessons;
ALTER TABLE other RENAME TO lessons;
ALTER INDEX other_pkey RENAME TO lessons_pkey;
SELECT is(dry(:'old', 'lessons'), 'unchanged: the columns are in another order now: they are matched by name', 'reordered columns');
UPDATE lessons SET title = 'x', extra = 'y' WHERE id = 7;
SELECT is((SELECT format('%s %s', action, updated) FROM backup_restore(:'old', '{lessons}', safety_backup => false)), 'by difference 1', 'are matched by name');
SELECT is((SELECT row(title, extra)::text FROM lessons WHERE id = 7), '("lesson 7",seven)', 'each in its place');
ROLLBACK;
BEGIN;
ALTER TABLE lessons DROP COLUMN minutes;
ALTER TABLE lessons ADD COLUMN minutes integer GENERATED ALWAYS AS (id * 2) STORED;
SELECT alike(dry(:'old', 'lessons'), 'refused: %42804%computes itself now%', 'a column that is computed now');
ROLLBACK;

-- ---- NOT NULL, constraints, keys ------------------------------------------------------------------------------------------------
BEGIN;
UPDATE lessons SET extra = 'z' WHERE extra IS NULL;
ALTER TABLE lessons ALTER COLUMN extra SET NOT NULL;
SELECT alike(dry(:'old', 'lessons'), 'refused: column "extra" is NOT NULL now; the restore would fail with 23502: %"extra"%', 'a new NOT NULL that rows of the backup break');
SELECT ok(same_refusal(:'old', 'lessons'), 'as the restore does');
ROLLBACK;
BEGIN;
ALTER TABLE lessons ALTER COLUMN title SET NOT NULL;
SELECT is(dry(:'old', 'lessons'), 'unchanged: column "title" is NOT NULL now', 'one that they keep');
ROLLBACK;
BEGIN;
UPDATE lessons SET minutes = 1 WHERE minutes > 10;
ALTER TABLE lessons ADD CONSTRAINT short CHECK (minutes <= 10);
SELECT alike(dry(:'old', 'lessons'), 'refused: constraint "short" is new: CHECK ((minutes <= 10)); the restore would fail with 23514: %"short"%', 'a new check, on the road of a reload');
SELECT ok(same_refusal(:'old', 'lessons'), 'as the restore does');
SET pg_snapback.reload_threshold = 1;
SELECT ok(same_refusal(:'old', 'lessons'), 'and by difference');
RESET pg_snapback.reload_threshold;
ROLLBACK;
BEGIN;
ALTER TABLE loose ADD CONSTRAINT small CHECK (a < 5) NOT VALID;
UPDATE loose SET b = 'x' WHERE a = 10 AND false;
DELETE FROM loose WHERE a = 9;
SELECT alike(dry(:'old', 'loose'), 'refused: %"small"%23514%', 'a table without a key');
SELECT ok(same_refusal(:'old', 'loose'), 'as the restore does');
ROLLBACK;
BEGIN;
ALTER TABLE lessons ADD UNIQUE (title);
CREATE UNIQUE INDEX by_minutes ON lessons (minutes);
ALTER TABLE lessons ADD FOREIGN KEY (subject_id) REFERENCES subjects;
SELECT is(dry(:'old', 'lessons'), 'unchanged: constraint "lessons_title_key" is new: UNIQUE (title); foreign key "lessons_subject_id_fkey" is new: it points at "public.subjects"; unique index "by_minutes" is new',
          'new constraints, keys and unique indexes are named');
ROLLBACK;
BEGIN;
ALTER TABLE lessons DROP CONSTRAINT lessons_pkey;
SELECT is(dry(:'old', 'lessons'), 'unchanged: constraint "lessons_pkey" of the backup is gone', 'and those that are gone');
ROLLBACK;

-- ---- enum labels ----------------------------------------------------------------------------------------------------------------
BEGIN;
ALTER TYPE mood RENAME VALUE 'sad' TO 'gloomy';
SELECT alike(dry(:'old', 'lessons'), 'refused: type public.mood no longer has the labels "sad"; the restore would fail with 22P02: %', 'a missing enum label');
SELECT ok(same_refusal(:'old', 'lessons'), 'as the restore does');
ROLLBACK;
BEGIN;
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad';
SELECT is(dry(:'old', 'lessons'), 'unchanged: type public.mood no longer has the labels "happy"', 'one that no row uses');
ROLLBACK;

-- ---- what would be refused hides nothing; books of migrations --------------------------------------------------------------------
ALTER TABLE lessons DROP COLUMN extra;
UPDATE subjects SET name = 'x' WHERE id = 1;
INSERT INTO _prisma_migrations VALUES ('2', 'drop extra');
SELECT results_eq(format($$SELECT name, action, updated, applied FROM backup_restore(%L, dry_run => true) ORDER BY name$$, :'old'),
  $$VALUES ('_prisma_migrations', 'skipped', 0::bigint, false), ('lessons', 'refused', 0, false), ('loose', 'unchanged', 0, false), ('subjects', 'by difference', 1, false)$$,
  'one table that would be refused does not hide the others');
SELECT alike((SELECT note FROM backup_restore(:'old', dry_run => true) WHERE name = '_prisma_migrations'),
             'it describes the live schema; name it to restore it; it is not as in the backup (1 rows then, 2 now): the schema may have been migrated since', 'migrations that were run since are told of');
SELECT alike(attempt(format('SELECT * FROM backup_restore(%L)', :'old')), '42804: %', 'the restore refuses');
SELECT is((SELECT name FROM subjects WHERE id = 1), 'x', 'and changes nothing');
SELECT is((SELECT string_agg(name || ' ' || action, ', ' ORDER BY name) FROM backup_restore(:'old', allow_loss => true)),
          '_prisma_migrations skipped, lessons unchanged, loose unchanged, subjects by difference', 'told to, it goes on');
SELECT is((SELECT count(*) FROM _prisma_migrations), 2::bigint, 'the book of migrations is left alone');

-- ---- foreign keys as they would stand ---------------------------------------------------------------------------------------------
CREATE TABLE schools (id bigint PRIMARY KEY, code varchar(10) UNIQUE);
CREATE TABLE classes (id integer PRIMARY KEY, school_id integer REFERENCES schools ON DELETE CASCADE, code text REFERENCES schools (code));
CREATE TABLE pupils (id integer PRIMARY KEY, class_id integer NOT NULL REFERENCES classes, friend integer REFERENCES pupils);
CREATE TABLE pairs (a integer, b integer, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
CREATE TABLE pairs_1 PARTITION OF pairs FOR VALUES FROM (0) TO (10);
CREATE TABLE pairs_2 PARTITION OF pairs FOR VALUES FROM (10) TO (20);
CREATE TABLE uses_pairs (id integer PRIMARY KEY, a integer, b integer, FOREIGN KEY (a, b) REFERENCES pairs MATCH FULL);
INSERT INTO schools SELECT g, 's' || g FROM generate_series(1, 10) g;
INSERT INTO classes SELECT g, g % 10 + 1, CASE WHEN g % 2 = 0 THEN 's' || g % 10 + 1 END FROM generate_series(1, 40) g;
INSERT INTO pupils SELECT g, g % 40 + 1, nullif(g - 1, 0) FROM generate_series(1, 200) g;
INSERT INTO pairs SELECT g, g FROM generate_series(0, 19) g;
INSERT INTO uses_pairs SELECT g, nullif(g % 20, 7), nullif(g % 20, 7) FROM generate_series(1, 60) g;
SELECT id AS linked FROM backup_create('{schools,classes,pupils,pairs,uses_pairs}') \gset
CREATE FUNCTION outcomes(id text, VARIADIC wanted text[]) RETURNS text LANGUAGE sql AS $$
  SELECT (SELECT string_agg(DISTINCT action, ',' ORDER BY action) FROM backup_restore(id, wanted, dry_run => true)) || ' / '
         || left(attempt(format('SELECT * FROM backup_restore(%L, %L, rehearse => true)', id, wanted)), 5)
$$;
BEGIN;
DELETE FROM pupils; DELETE FROM classes WHERE id > 20;
SELECT is(outcomes(:'linked', 'pupils'), 'refused / 23503', 'children whose parents are gone are refused by both');
SELECT is((SELECT note FROM backup_restore(:'linked', '{pupils}', dry_run => true)),
          'the restore would fail with 23503: 100 rows would violate foreign key "pupils_class_id_fkey" of table "public.pupils"; restore "public.classes" along with it', 'with their number and what must come along');
SELECT is(outcomes(:'linked', 'pupils', 'classes'), 'reload / ok', 'together they come');
DELETE FROM classes; DELETE FROM schools WHERE id = 1;
SELECT is(outcomes(:'linked', 'pupils', 'classes'), 'refused,reload / 23503', 'one step further');
SELECT is(outcomes(:'linked', 'pupils', 'classes', 'schools'), 'by difference,reload / ok', 'all of them');
ROLLBACK;
BEGIN;
INSERT INTO schools VALUES (11, 'new');
INSERT INTO classes VALUES (100, 11, NULL);
SELECT is(outcomes(:'linked', 'schools'), 'refused / 23503', 'a parent that goes while others point at it');
SELECT is(outcomes(:'linked', 'schools', 'classes'), 'by difference / ok', 'they go together');
ROLLBACK;
BEGIN;
UPDATE pupils SET friend = NULL; DELETE FROM pupils WHERE id < 50; UPDATE pupils SET id = id + 1000;
SELECT is(outcomes(:'linked', 'pupils'), 'reload / ok', 'rows that point at their own table');
ROLLBACK;
BEGIN;
DELETE FROM uses_pairs; DELETE FROM pairs WHERE a IN (3, 13);
SELECT is(outcomes(:'linked', 'uses_pairs'), 'refused / 23503', 'a partitioned table at the other end');
SELECT is(outcomes(:'linked', 'uses_pairs', 'pairs_1'), 'by difference,refused / 23503', 'half of it is not enough');
SELECT is(outcomes(:'linked', 'uses_pairs', 'pairs'), 'by difference,reload,through partitions / ok', 'the whole is');
ROLLBACK;
CREATE TABLE weights (w numeric PRIMARY KEY);
CREATE TABLE weighed (id integer PRIMARY KEY, w numeric REFERENCES weights);
INSERT INTO weights VALUES (1.0), (2.0);
INSERT INTO weighed VALUES (1, 1.00), (2, 2);
SELECT id AS heavy FROM backup_create('{weights,weighed}') \gset
DELETE FROM weighed WHERE id = 1;
SELECT is((SELECT action || ': ' || note FROM backup_restore(:'heavy', '{weighed}', dry_run => true)),
          'reload: foreign key "weighed_w_fkey" of table "public.weighed" is not checked by a dry run; rehearse => true does it', 'keys that are equal in several text forms are left to a rehearsal');

SELECT * FROM finish();
