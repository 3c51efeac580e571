-- Codes of docs/course.md that the other files do not reach: each is made the way a user would meet it.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('codes_editor', 'codes_owner');

CREATE TABLE categories (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE tags (id serial PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE enrollments (id serial PRIMARY KEY);
CREATE TABLE courses (id serial PRIMARY KEY, title text NOT NULL, slug text UNIQUE, category_id integer REFERENCES categories, published boolean NOT NULL DEFAULT false, views integer, settings jsonb, author_id uuid);
CREATE TABLE modules (id serial PRIMARY KEY, course_id integer NOT NULL REFERENCES courses, title text NOT NULL);
CREATE TABLE lessons (id serial PRIMARY KEY, module_id integer NOT NULL REFERENCES modules, body text, enrollment_id integer REFERENCES enrollments);
CREATE TABLE lesson_tags (lesson_id integer NOT NULL REFERENCES lessons, tag_id integer NOT NULL REFERENCES tags, PRIMARY KEY (lesson_id, tag_id));
CREATE TABLE quizzes (id serial PRIMARY KEY, lesson_id integer NOT NULL REFERENCES lessons, passing_score integer);
CREATE TABLE questions (id serial PRIMARY KEY, quiz_id integer NOT NULL REFERENCES quizzes, type text);
CREATE TABLE options (id serial PRIMARY KEY, question_id integer NOT NULL REFERENCES questions, is_correct boolean NOT NULL);
SELECT course_profile('{"extends": "course", "tables": {
  "tags": {"class": "ref", "natural_key": [["name"]], "missing": "skip_row"},
  "lesson_tags": {"class": "link"},
  "lessons": {"references": [{"kind": "text", "column": "body", "pattern": "/lessons/{id}", "table": "lessons"}]}}}') ->> 'root' AS root \gset

-- A document of one course and what the test adds: tables in the order given, each an array of its name, class, rows and key; the key is id when it is not said.
CREATE FUNCTION tests.small(course jsonb DEFAULT '{}', VARIADIC more jsonb[] DEFAULT '{}') RETURNS json LANGUAGE sql AS $$
  SELECT json_build_object('format', 'pg_snapback_graph', 'version', 1, 'profile', 'course', 'source', json_build_object('system', 'sys-5'), 'tables',
    (SELECT json_agg(json_build_object('name', t ->> 0, 'class', t ->> 1, 'key', coalesce(t -> 3, '["id"]'),
                                       'columns', (SELECT coalesce(json_agg(DISTINCT jsonb_build_object('name', k)), '[{"name": "id"}]') FROM jsonb_array_elements(t -> 2) AS r, jsonb_object_keys(r) AS k),
                                       'references', '[]'::json, 'rows', t -> 2) ORDER BY n)
     FROM unnest(array_prepend(jsonb_build_array('courses', 'root', jsonb_build_array('{"id": 5, "title": "T"}'::jsonb || course)), more)) WITH ORDINALITY AS x (t, n)))
$$;
CREATE FUNCTION tests.lesson(lesson jsonb DEFAULT '{}', VARIADIC more jsonb[] DEFAULT '{}') RETURNS json LANGUAGE sql AS $$
  SELECT tests.small('{}', VARIADIC ARRAY['["modules", "own", [{"id": 31, "course_id": 5, "title": "M"}]]'::jsonb, jsonb_build_array('lessons', 'own', jsonb_build_array('{"id": 60, "module_id": 31}'::jsonb || lesson))] || more)
$$;
-- "errors | warnings | notes" of a dry run, notes of columns left out
CREATE FUNCTION tests.all_codes(doc json, context jsonb DEFAULT '{"author_id": "00000000-0000-4000-8000-000000000002"}') RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' | ', nullif(tests.codes(r), ''), nullif(tests.codes(r, 'warning'), ''), nullif((SELECT string_agg(DISTINCT p ->> 'code', ', ') FROM jsonb_array_elements(r -> 'problems') AS p
                                                                                               WHERE p ->> 'severity' = 'note' AND p ->> 'code' <> 'column_new'), ''))
  FROM course_import(doc, context => context) AS r
$$;
CREATE FUNCTION tests.message(doc json, wanted text) RETURNS text LANGUAGE sql AS $$
  SELECT concat_ws(' -- ', severity, table_name, place, message, nullif(hint, '')) FROM course_report(course_import(doc, context => '{"author_id": "00000000-0000-4000-8000-000000000002"}')) WHERE code = wanted
$$;
SELECT is(tests.all_codes(tests.small()), '', 'the course by itself has none');

-- what the profile sets and the table cannot hold
ALTER TABLE courses ALTER COLUMN views TYPE text;
SELECT is(tests.all_codes(tests.small()), 'reset_unfit', 'a counter that is a text');
ALTER TABLE courses ALTER COLUMN views TYPE integer USING 0;
ALTER TABLE courses ALTER COLUMN published DROP DEFAULT, ALTER COLUMN published TYPE text, ALTER COLUMN published SET DEFAULT 'no';
SELECT is(tests.all_codes(tests.small()), 'force_unfit, no_status', 'a mark of drafts that is a text, and so none');
ALTER TABLE courses DROP COLUMN published;
SELECT is(tests.message(tests.small(), 'no_status'), 'warning -- courses -- table "courses" has no column that marks the copy as a draft -- The copy is as visible as the original was. Tell the profile which column it is ("force").', 'no mark at all');
CREATE TYPE course_state AS ENUM ('open', 'closed');
ALTER TABLE courses ADD COLUMN status course_state NOT NULL DEFAULT 'open';
SELECT is(tests.all_codes(tests.small()), 'label_missing | no_status', 'an enum without a draft');
SELECT matches(tests.message(tests.small(), 'label_missing'), 'knows no label "DRAFT", which the profile sets -- Its labels are: open, closed\.', 'its labels are named');
ALTER TABLE courses DROP COLUMN status, ADD COLUMN published boolean NOT NULL DEFAULT true;
ALTER TABLE courses ADD COLUMN external_id bigint, ADD COLUMN import_batch_id integer;
SELECT is(tests.all_codes(tests.small()), 'external_id_type, batch_id_type', 'columns that cannot hold where it came from');
SELECT is((SELECT course_import(tests.small(), dry_run => false, context => '{"author_id": "00000000-0000-4000-8000-000000000002"}') ->> 'applied'), 'true', 'stay empty');
SELECT results_eq('SELECT external_id, import_batch_id, published FROM courses', 'VALUES (NULL::bigint, NULL::integer, false)', 'and the course is a draft');
SELECT course_undo(batch, dry_run => false) ->> 'applied' AS undone FROM course_batches \gset
ALTER TABLE courses DROP COLUMN external_id, DROP COLUMN import_batch_id;
SELECT is(tests.all_codes(tests.small(), '{}'), 'context_empty', 'who made it is not said, and need not be');

-- keys
SELECT is(tests.all_codes(tests.small('{}', '["modules", "own", [{"course_id": 5, "title": "M"}, {"id": 1, "course_id": 5, "title": "M"}]]')), 'key_null', 'a row without a key');
SELECT matches(tests.message(tests.small('{}', '["modules", "own", [{"id": 1, "course_id": 5, "title": "M"}, {"course_id": 5, "title": "M"}]]'), 'key_null'), '^error -- modules -- tables\[1\]\.rows\[1\] -- ', 'has a place all the same');
ALTER TABLE modules ALTER COLUMN id DROP DEFAULT;
SELECT is(tests.all_codes(tests.small('{}', '["modules", "own", [{"id": 1, "course_id": 5, "title": "M"}]]')), 'no_generator', 'a key that nothing makes');
ALTER TABLE modules ALTER COLUMN id SET DEFAULT nextval('modules_id_seq');

-- shared rows
SELECT is(tests.all_codes(tests.small('{"category_id": 8}', '["categories", "ref", [{"id": 8}]]')), 'no_natural_key, reference_unmatched', 'a shared row that has no name');
INSERT INTO tags (name) VALUES ('osso');
CREATE TABLE tests.tagged AS SELECT tests.lesson('{}', '["tags", "ref", [{"id": 1, "name": "osso"}, {"id": 2, "name": "pele"}]]', '["lesson_tags", "link", [{"lesson_id": 60, "tag_id": 1}, {"lesson_id": 60, "tag_id": 2}], ["lesson_id", "tag_id"]]') AS doc;
SELECT is(tests.codes(course_import(doc, context => '{"author_id": null}')), '', 'a tag that is not here') FROM tests.tagged;
SELECT matches(tests.codes(course_import(doc, context => '{"author_id": null}'), 'warning'), 'row_skipped', 'leaves out the row that needs it') FROM tests.tagged;
SELECT is(course_import(doc, context => '{"author_id": null}') #> '{row_counts,lesson_tags}', '{"create": 1, "reuse": 0, "skip": 1}', 'and that row only') FROM tests.tagged;

-- references
INSERT INTO enrollments DEFAULT VALUES;
SELECT is(tests.all_codes(tests.lesson('{"enrollment_id": 1}')), 'reference_excluded', 'what points at what users did');
SELECT matches(tests.message(tests.lesson('{"enrollment_id": 1}'), 'reference_excluded'), '^warning -- lessons -- .* becomes empty', 'is emptied');
ALTER TABLE lessons ALTER COLUMN enrollment_id SET NOT NULL;
SELECT matches(tests.message(tests.lesson('{"enrollment_id": 1}'), 'reference_excluded'), '^error -- lessons -- tables\[2\]\.rows\[0\]\.enrollment_id -- column "enrollment_id" must point', 'or refused where it must not be empty');
ALTER TABLE lessons ALTER COLUMN enrollment_id DROP NOT NULL;
SELECT is(tests.all_codes(tests.lesson('{"body": "ver /lessons/60 e /lessons/61."}')), 'embedded_unmatched', 'a link to a lesson that is not in the document');
SELECT is(tests.all_codes(tests.small('{"settings": {"moduleId": 31}}', '["modules", "own", [{"id": 31, "course_id": 5, "title": "M"}]]')), 'id_possible', 'a number in JSON that is named like an id');

-- values and content
CREATE DOMAIN percent AS integer CHECK (VALUE <= 1000);
ALTER TABLE quizzes ALTER COLUMN passing_score TYPE percent;
SELECT is(tests.all_codes(tests.lesson('{}', '["quizzes", "own", [{"id": 1, "lesson_id": 60, "passing_score": 70}, {"id": 2, "lesson_id": 60, "passing_score": 2000}]]', '["questions", "own", [{"id": 1, "quiz_id": 1, "type": "single_choice"}]]',
                                       '["options", "own", [{"id": 1, "question_id": 1, "is_correct": true}, {"id": 2, "question_id": 1, "is_correct": true}]]')),
          'check_failed | passing_score, quiz_empty, single_choice', 'a score its type refuses and no quiz has, a quiz without questions, two right options');

-- a unique index that carries a column along
ALTER TABLE modules ADD COLUMN code text;
CREATE UNIQUE INDEX modules_code ON modules (code) INCLUDE (title);
INSERT INTO courses (title) VALUES ('x');
INSERT INTO modules (course_id, title, code) SELECT id, 'other', 'taken' FROM courses WHERE title = 'x';
SELECT is(tests.all_codes(tests.small('{}', '["modules", "own", [{"id": 31, "course_id": 5, "title": "M", "code": "taken"}]]')), 'unique_taken', 'only its key has to be unique');
DELETE FROM modules;
DELETE FROM courses;
ALTER TABLE modules DROP COLUMN code;

-- rights: all that are missing, each with its GRANT
SELECT isnt(backup_grant('codes_editor', 'course'), NULL, 'level course');
GRANT USAGE ON SCHEMA tests TO codes_editor;
CREATE TABLE tests.refused (line text);
GRANT ALL ON tests.refused TO codes_editor;
SET ROLE codes_editor;
INSERT INTO tests.refused SELECT tests.codes(course_import(tests.lesson())) UNION ALL SELECT hint FROM course_report(course_import(tests.lesson())) WHERE code = 'permission_missing';
RESET ROLE;
SELECT set_eq('SELECT line FROM tests.refused WHERE line ~ ''GRANT''',
              $$SELECT format('Ask its owner: GRANT INSERT ON public.%s TO codes_editor.', t) FROM unnest('{courses,modules,lessons}'::text[]) AS t
                UNION ALL SELECT format('Ask its owner: GRANT USAGE ON SEQUENCE public.%s_id_seq TO codes_editor.', t) FROM unnest('{courses,modules,lessons}'::text[]) AS t$$, 'the rights it takes, all at once');
SELECT matches(tests.attempt('codes_editor', 'SELECT course_import(tests.lesson(), dry_run => false)'), '^42501 the import is refused: its plan has 6 errors', 'an import without them');
GRANT INSERT ON courses, modules, lessons TO codes_editor;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO codes_editor;
TRUNCATE tests.refused;
SET ROLE codes_editor;
INSERT INTO tests.refused SELECT tests.all_codes(tests.small('{"slug": "t"}'));
RESET ROLE;
SELECT is((SELECT line FROM tests.refused), 'unique_unchecked', 'with INSERT only, unique values are compared when the rows go in');

-- rows that not even the table's owner may read
ALTER TABLE modules OWNER TO codes_owner;
GRANT USAGE ON SCHEMA public TO codes_owner;
GRANT REFERENCES, SELECT ON courses TO codes_owner;
ALTER TABLE modules ENABLE ROW LEVEL SECURITY;
ALTER TABLE modules FORCE ROW LEVEL SECURITY;
CREATE POLICY insert_only ON modules FOR INSERT WITH CHECK (true);
SELECT is(tests.codes(course_import(tests.small('{}', '["modules", "own", [{"id": 31, "course_id": 5, "title": "M"}]]'), dry_run => false, context => '{"author_id": null}'), 'warning'), 'proof_hidden', 'an import that cannot be read back');
SELECT is((SELECT count(*) FROM modules), 1::bigint, 'is there all the same');

-- the schema since the profile was stored
CREATE TYPE mood AS ENUM ('glad', 'sad');
ALTER TABLE courses ADD COLUMN mood mood;
SELECT course_profile('{"extends": "course", "tables": {"tags": {"class": "exclude"}, "lesson_tags": {"class": "exclude"}}}') ->> 'root' AS root \gset
SELECT is((SELECT count(*) FROM course_profile_check() WHERE severity <> 'note'), 0::bigint, 'a profile that was just stored');
CREATE TABLE course_faqs (id serial PRIMARY KEY, course_id integer NOT NULL REFERENCES courses);
ALTER TYPE mood RENAME TO old_mood;
CREATE TYPE mood AS ENUM ('glad');
ALTER TABLE courses ALTER COLUMN mood TYPE mood USING mood::text::mood;
DROP TYPE old_mood;
SELECT set_has($$SELECT severity, code FROM course_profile_check()$$, $$VALUES ('note', 'table_added'), ('warning', 'label_removed')$$, 'a table more and a label less');
SELECT * FROM finish();
