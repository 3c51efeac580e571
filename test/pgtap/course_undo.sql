-- Taking an import back: exactly its rows, and only while nothing else depends on them.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('undo_editor', 'undo_other');
CREATE TABLE tests.doc AS SELECT tests.course() AS doc;
CREATE TABLE tests.before AS SELECT line FROM tests.content() AS line WHERE line !~ '_id_seq ';
CREATE FUNCTION tests.import() RETURNS uuid LANGUAGE sql AS $$
  SELECT (course_import(doc, dry_run => false, context => tests.context()) ->> 'batch_id')::uuid FROM tests.doc
$$;

SELECT tests.import() AS batch \gset
SELECT is(course_undo(:'batch') -> 'row_counts' -> 'options', '{"gone": 0, "delete": 72}'::jsonb, 'a dry run counts');
SELECT is((SELECT count(*) FROM courses), 3::bigint, 'and deletes nothing');
BEGIN READ ONLY;
SELECT is(course_undo(:'batch') -> 'applied', 'false', 'it works in a read-only transaction');
COMMIT;
SELECT is(course_undo(:'batch', dry_run => false) -> 'applied', 'true', 'undone');
SELECT set_eq($$SELECT l FROM tests.content() AS l WHERE l !~ '_id_seq '$$, 'SELECT line FROM tests.before', 'everything is as it was before the import');
SELECT is((SELECT state || ' ' || undone_by FROM course_batches WHERE batch = :'batch'), 'undone ' || current_user, 'the record says so');
SELECT is(tests.attempt(format('SELECT course_undo(%L, dry_run => false)', :'batch')), format('55000 import "%s" was undone already', :'batch'), 'twice is once');
SELECT is(tests.attempt($$SELECT course_undo('00000000-0000-4000-8000-00000000000f')$$), '42704 import "00000000-0000-4000-8000-00000000000f" does not exist, or another role made it', 'an import that never was');
SELECT is(tests.attempt('SELECT course_undo(NULL)'), '22023 argument "batch" must not be null', 'null is none');

-- an enrolment, whatever its foreign key would do
SELECT tests.import() AS batch \gset
SELECT root_key AS new_id FROM course_batches WHERE batch = :'batch' \gset
INSERT INTO enrollments (user_id, course_id) VALUES ('00000000-0000-4000-8000-000000000001', :new_id);
SELECT is(tests.codes(course_undo(:'batch')), 'row_referenced', 'a row that came since and points at it stands against it');
SELECT matches((SELECT place FROM course_report(course_undo(:'batch')) WHERE code = 'row_referenced'), '^enrollments [0-9]+$', 'the row is named');
SELECT matches(tests.attempt(format('SELECT course_undo(%L, dry_run => false)', :'batch')), '^55000 import ".*" cannot be undone', 'refused');
SELECT matches(tests.detail(), 'row_referenced \(1\): rows of table "enrollments"', 'with the reason');
DELETE FROM enrollments WHERE course_id = :new_id;
-- an edit
UPDATE lessons SET title = 'Outra' WHERE module_id IN (SELECT id FROM modules WHERE course_id = :new_id) AND position = 1;
SELECT is(tests.codes(course_undo(:'batch')), 'row_changed 3', 'rows that were changed since stand against it');
SELECT matches(tests.attempt(format('SELECT course_undo(%L, dry_run => false)', :'batch')), '^55000 ', 'refused');
UPDATE lessons SET title = 'Aula 1' WHERE title = 'Outra';
-- a row deleted, a row added
DELETE FROM course_faqs WHERE course_id = :new_id AND position = 1;
SELECT is(tests.codes(course_undo(:'batch'), 'warning'), 'row_gone', 'a row that is gone is told');
INSERT INTO modules (course_id, title, position) VALUES (:new_id, 'Novo', 9);
SELECT is(tests.codes(course_undo(:'batch')), 'row_referenced', 'a row added below stands against it');
DELETE FROM modules WHERE course_id = :new_id AND position = 9;
-- a trigger that keeps rows
CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER keep BEFORE DELETE ON course_faqs FOR EACH ROW EXECUTE FUNCTION keep();
SELECT is(tests.attempt(format('SELECT course_undo(%L, dry_run => false)', :'batch')), '09000 1 rows of table "course_faqs" could not be deleted', 'rows that stay are an error');
SELECT is((SELECT count(*) FROM courses), 3::bigint, 'and nothing is gone');
DROP TRIGGER keep ON course_faqs;

-- roles
GRANT EXECUTE ON FUNCTION course_import(json, boolean, boolean, jsonb, jsonb, text, text), course_undo(uuid, boolean) TO undo_editor, undo_other;
GRANT SELECT ON course_batches, course_batch_rows TO undo_editor, undo_other;
GRANT USAGE ON SCHEMA public TO undo_editor, undo_other;
GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO undo_other;
GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO undo_editor;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO undo_editor;
GRANT SELECT ON tests.doc TO undo_editor;
SELECT matches(tests.attempt('undo_other', format('SELECT course_undo(%L)', :'batch')), '^42704 ', 'another role''s import is not there');
SELECT is(tests.attempt('undo_editor', 'SELECT tests.import()'), 'ok', 'a role imports');
SELECT batch FROM course_batches WHERE imported_by = 'undo_editor' \gset
SELECT is((SELECT count(*) FROM course_batches), 3::bigint, 'a superuser sees all imports');
SET ROLE undo_other;
SELECT count(*) AS seen FROM course_batches \gset
RESET ROLE;
SELECT is(:seen, 0, 'others see theirs');
SELECT is(tests.attempt('undo_editor', format('SELECT course_undo(%L, dry_run => false)', :'batch')), format('42501 import "%s" cannot be undone', :'batch'), 'it takes the right to delete');
GRANT DELETE ON ALL TABLES IN SCHEMA public TO undo_editor;
SELECT is(tests.attempt('undo_editor', format('SELECT course_undo(%L, dry_run => false)', :'batch')), 'ok', 'with it the import is undone');
SELECT is((SELECT undone_by FROM course_batches WHERE batch = :'batch'), 'undo_editor', 'by that role');

-- what a table lost
SELECT tests.import() AS batch \gset
ALTER TABLE course_faqs DROP COLUMN answer;
SELECT is(tests.codes(course_undo(:'batch')), 'table_changed, row_referenced 2', 'rows that cannot be recognised stand against it');
DROP TABLE course_faqs;
SELECT is(tests.codes(course_undo(:'batch'), 'warning'), 'table_gone', 'a table that is gone does not');
SELECT is(course_undo(:'batch', dry_run => false) -> 'applied', 'true', 'the rest is undone');
SELECT * FROM finish();
