-- Documents that are none, or lie: each is a clear error, and nothing is changed.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CREATE TABLE tests.doc AS SELECT tests.course() AS doc;
CREATE TABLE tests.before AS SELECT tests.content() AS line;
CREATE FUNCTION tests.try(doc text) RETURNS text LANGUAGE sql AS $$ SELECT tests.attempt(format('SELECT course_import(%L, context => tests.context())', doc)) $$;
-- The errors of a dry run of the document with one text in it replaced; the import itself has to refuse it as well.
CREATE FUNCTION tests.errors(find text, instead text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  bad json; found text;
BEGIN
  SELECT replace(doc::text, find, instead)::json INTO bad FROM tests.doc;
  IF bad::text = (SELECT doc::text FROM tests.doc) THEN RETURN 'nothing replaced'; END IF;
  found := tests.codes(course_import(bad, context => tests.context()));
  IF tests.attempt(format('SELECT course_import(%L, dry_run => false, context => tests.context())', bad)) !~ '^22023 the import is refused' THEN RETURN 'not refused: ' || found; END IF;
  RETURN found;
END $$;

-- no document at all
SELECT matches(tests.try('not json'), '^22P02 ', 'no JSON');
SELECT matches(tests.try(left((SELECT doc::text FROM tests.doc), 5000)), '^22P02 ', 'cut off');
SELECT matches(tests.try(repeat('[', 100000) || repeat(']', 100000)), '^54001 ', '100,000 levels deep');
SELECT is(tests.attempt('SELECT course_import(NULL)'), '22023 argument "doc" must not be null', 'null');
SELECT is(tests.try('[]'), '22023 the document is not an export of this extension', 'a list');
SELECT is(tests.try('7'), '22023 the document is not an export of this extension', 'a number');
SELECT is(tests.try('{}'), '22023 the document is not an export of this extension', 'an empty object');
SELECT is(tests.try('{"format": "something", "version": 1, "tables": []}'), '22023 the document is not an export of this extension', 'another format');
SELECT is(tests.try('{"format": "pg_snapback_graph", "version": "one", "tables": []}'), '22023 the document is not an export of this extension', 'a version that is none');
SELECT is(tests.try('{"format": "pg_snapback_graph", "version": 2, "tables": []}'), '0A000 the document has version 2 of the format, which is newer than this extension knows', 'a newer version');
SELECT is(tests.try('{"format": "pg_snapback_graph", "version": 1, "tables": {}}'), '22023 the document is not an export of this extension', 'tables that are no list');
SELECT is(tests.try('{"format": "pg_snapback_graph", "version": 1, "tables": [{"name": "modules"}, {"name": "modules"}]}'), '22023 the document is not an export of this extension', 'a table twice');
SELECT matches(tests.detail(), 'stands in it twice', 'DETAIL says what');
SELECT is(tests.try(replace((SELECT doc::text FROM tests.doc), '"dark"', repeat('[', 300) || repeat(']', 300))), '54000 the document is too large to be imported', 'a value 300 levels deep');
SELECT is(tests.codes(course_import('{"format": "pg_snapback_graph", "version": 1, "profile": "course", "tables": []}')), 'root_count', 'no tables: no course');

-- hundreds of MB
SELECT is(tests.attempt($$SELECT course_import(('{"format": "pg_snapback_graph", "x": "' || repeat('x', 300 * 1024 * 1024) || '"}')::json)$$), '54000 the document is too large to be imported', '300 MB');

-- another profile, tables and columns nobody knows
SELECT is(tests.errors('"profile":"course"', '"profile":"other"'), 'profile_other', 'another profile');
SELECT matches(tests.attempt($$SELECT graph_import('nobody', doc) FROM tests.doc$$), '^42704 profile "nobody" does not exist', 'a profile that is not there');
SELECT is(tests.errors('{"name":"course_faqs"', '{"name":"pg_authid"'), 'table_unknown', 'a table that is not in the profile');
SELECT is(tests.errors('{"name":"course_faqs"', '{"name":"x\"; DROP TABLE users; --"'), 'table_unknown', 'SQL as a table''s name');
SELECT is(tests.errors('{"name":"course_faqs"', '{"name":"user_progress"'), 'table_not_importable', 'a table that is never written');
SELECT is(tests.codes(course_import(replace(doc::text, '"video_url"', '"x\" text); DROP TABLE users; --"')::json, context => tests.context()), 'error'), '', 'SQL as a column''s name is a column that is not here') FROM tests.doc;
SELECT matches(tests.codes(course_import(replace(doc::text, '"video_url"', '"x\" text); DROP TABLE users; --"')::json, context => tests.context()), 'warning'), 'column_missing', 'and told') FROM tests.doc;
SELECT is(tests.errors('"key":["id"],"columns":[{"name" : "id", "type" : "integer"},{"name" : "course_id", "type" : "bigint"},{"name" : "question"', '"key":["nummer"],"columns":[{"name" : "id", "type" : "integer"},{"name" : "course_id", "type" : "bigint"},{"name" : "question"'),
          'key_missing', 'a key that is no column');
-- SQL as values is text
SELECT is((SELECT tests.attempt(format('SELECT course_import(%L, dry_run => false, context => tests.context())', replace(replace(doc::text, 'Como começo?', $q$'); DROP TABLE users; --$q$), 'sys-1', $q$x'); DROP TABLE users; --$q$))) FROM tests.doc), 'ok', 'SQL as values');
SELECT is((SELECT count(*)::integer FROM course_faqs WHERE question = $q$'); DROP TABLE users; --$q$), 2, 'is stored as it is');
SELECT course_undo(batch, dry_run => false) -> 'applied' FROM course_batches;

-- rows
SELECT is(tests.errors('{"id":2,"course_id":40,', '{"id":1,"course_id":40,'), 'duplicate_row, duplicate_row, reference_missing 4', 'a row twice');
SELECT is(tests.errors('"rows":[{"id":1,"course_id":40,"title"', '"rows":[7,{"id":1,"course_id":40,"title"'), 'row_not_object', 'a row that is none');
SELECT is(tests.errors('{"id":1,"course_id":40,"title"', '{"id":1,"id":1,"course_id":40,"title"'), 'duplicate_column', 'a column twice');
SELECT is(tests.errors('{"id":1,"course_id":40,"title"', '{"id":1,"course_id":777,"title"'), 'reference_missing', 'a reference to a row that is not there');
SELECT is(tests.errors('"duration":"00:10:00"', '"duration":"ten"'), 'value_invalid 3', 'a value that is none of its type');
SELECT is(tests.errors('"passing_score":70', '"passing_score":"70; DROP TABLE users"'), 'value_invalid 6', 'SQL where a number is wanted');
SELECT is(tests.errors('"slug":"anatomia"', format('"slug":"%s"', repeat('a', 61))), 'value_too_long', 'a text that is too long');
SELECT is(tests.errors('"title":"Aula 2"', '"title":null'), 'null_not_allowed 3', 'NULL where NOT NULL');
SELECT is(tests.errors('"Aula 2"', '"Aula \u00002"'), 'invalid_text 3, null_not_allowed 3', 'a character that no text holds');
SELECT is((SELECT place FROM tests.doc, course_report(course_import(replace(doc::text, '"duration":"00:20:00"', '"duration":"ten"')::json, context => tests.context())) WHERE code = 'value_invalid'), 'tables[3].rows[1].duration', 'the place is named');

-- labels, unique values
CREATE TABLE tests.detail AS SELECT '{"format":"pg_snapback_graph","version":1,"profile":"course","root":{},"source":{"system":"s"},"tables":[{"name":"courses","class":"root","key":["id"],"columns":[],"rows":[{"id":1,"title":"T","slug":"t","updated_at":"2026-01-01","status":"published"}]},
 {"name":"modules","class":"own","key":["id"],"columns":[],"rows":[{"id":1,"course_id":1,"title":"M","position":1},{"id":2,"course_id":1,"title":"M","position":1}]}]}'::json AS doc;
SELECT matches(tests.attempt('SELECT course_import(doc, dry_run => false, context => tests.context()) FROM tests.detail'), '^23505 ', 'a key that holds a new id is checked when it is inserted');
ALTER TABLE modules ADD COLUMN kind course_status, ADD COLUMN code text UNIQUE;
INSERT INTO modules (course_id, title, position, code) VALUES (41, 'x', 50, 'taken');
SELECT is(tests.codes(course_import(replace(doc::text, '"title":"M"', '"title":"M","kind":"secret"')::json, context => tests.context())), 'label_unknown 2', 'a label that is none') FROM tests.detail;
SELECT matches((SELECT hint FROM tests.detail, course_report(course_import(replace(doc::text, '"title":"M"', '"title":"M","kind":"secret"')::json, context => tests.context())) WHERE code = 'label_unknown'), 'draft, published, archived', 'the labels are named');
SELECT is(tests.codes(course_import(replace(doc::text, '"title":"M"', '"title":"M","code":"same"')::json, context => tests.context())), 'unique_in_document', 'two equal values') FROM tests.detail;
SELECT is(tests.codes(course_import(replace(doc::text, '"position":1}]', '"position":2,"code":"taken"}]')::json, context => tests.context())), 'unique_taken', 'a value that is taken') FROM tests.detail;
ALTER TABLE modules DROP COLUMN kind, DROP COLUMN code;
DELETE FROM modules WHERE position = 50;

-- a schema that has moved on
ALTER TABLE course_faqs ADD COLUMN author text NOT NULL DEFAULT 'x', ADD COLUMN hint text;
ALTER TABLE course_faqs ALTER COLUMN author DROP DEFAULT;
SELECT is(tests.codes(course_import(doc, context => tests.context())), 'column_required', 'a column that needs a value and has none') FROM tests.doc;
ALTER TABLE course_faqs DROP COLUMN author, DROP COLUMN hint;
ALTER TABLE lessons RENAME COLUMN video_url TO film;
SELECT is((SELECT message FROM tests.doc, course_report(course_import(doc, context => tests.context())) WHERE code = 'column_missing'), 'column "video_url" of the document does not exist in table "lessons"; 12 values are not imported', 'a column that is gone');
ALTER TABLE lessons RENAME COLUMN film TO video_url;
ALTER TABLE course_faqs RENAME TO away;
SELECT is(tests.codes(course_import(doc, context => tests.context())), 'table_missing', 'a table that is gone') FROM tests.doc;
ALTER TABLE away RENAME TO course_faqs;

-- arguments
SELECT is(tests.attempt('SELECT course_import(doc, on_repeat => ''never'') FROM tests.doc'), '22023 argument "on_repeat" must be copy, skip or error, not "never"', 'on_repeat');
SELECT is(tests.attempt('SELECT course_import(doc, mapping => ''[]'') FROM tests.doc'), '22023 argument "mapping" must be a JSON object', 'mapping');
SELECT is(tests.attempt('SELECT course_import(doc, context => ''7'') FROM tests.doc'), '22023 argument "context" must be a JSON object', 'context');
SELECT is(tests.codes(course_import(doc, context => '{"tenant_id": {}, "author_id": []}')), 'context_invalid, context_invalid, column_required, column_required', 'values of context') FROM tests.doc;
SELECT is(tests.attempt('SELECT course_import(doc, rehearse => true, dry_run => false) FROM tests.doc'), '22023 argument "rehearse" is for a dry run', 'rehearse');
SELECT is(tests.attempt('SELECT course_import(doc, dry_run => NULL) FROM tests.doc'), '22023 argument "dry_run" must not be null', 'null flags');
SELECT is(tests.attempt('SELECT * FROM course_report(''{}'')'), '22023 argument "report" is not a report', 'a report that is none');
SELECT is(tests.attempt('SELECT * FROM course_report(NULL)'), '22023 argument "report" must not be null', 'no report');
BEGIN READ ONLY;
SELECT is(tests.attempt('SELECT course_import(doc, dry_run => false) FROM tests.doc'), '25006 cannot execute course_import() in a read-only transaction', 'an import in a read-only transaction');
SELECT is(tests.attempt('SELECT course_undo(''00000000-0000-4000-8000-00000000000f'', dry_run => false)'), '25006 cannot execute course_undo() in a read-only transaction', 'an undo');
COMMIT;

SELECT set_eq($$SELECT l FROM tests.content() AS l WHERE l !~ '_id_seq '$$, $$SELECT line FROM tests.before WHERE line !~ '_id_seq '$$, 'nothing was changed by any of it');
SELECT * FROM finish();
