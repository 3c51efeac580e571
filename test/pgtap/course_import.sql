-- Importing the copy of a course: preview, rehearsal, import, proof.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('import_editor', 'import_outsider', 'import_blind');
CREATE TABLE tests.doc AS SELECT tests.course() AS doc;
CREATE TABLE tests.before AS SELECT tests.content() AS line;

-- the preview
CREATE TABLE tests.preview AS SELECT course_import(doc, context => tests.context()) AS report FROM tests.doc;
SELECT set_eq('SELECT tests.content()', 'SELECT line FROM tests.before', 'a dry run changes no row and no sequence');
SELECT is((SELECT (report ->> 'applied')::boolean FROM tests.preview), false, 'a dry run is the default');
SELECT is((SELECT key FROM tests.preview, jsonb_object_keys(report) WITH ORDINALITY AS k(key, n) ORDER BY n LIMIT 1), 'applied', '"applied" comes first');
SELECT is((SELECT tests.codes(report) FROM tests.preview), '', 'no errors');
SELECT is((SELECT report -> 'row_counts' -> 'options' FROM tests.preview), '{"create": 72, "reuse": 0, "skip": 0}'::jsonb, 'counts per table');
SELECT is((SELECT report -> 'row_counts' -> 'competencies' FROM tests.preview), '{"create": 0, "reuse": 2, "skip": 0}'::jsonb, 'shared rows are matched');
SELECT is((SELECT report -> 'row_counts' -> 'bank_options' FROM tests.preview), '{"create": 0, "reuse": 12, "skip": 0}'::jsonb, 'banks are found by their content');
SELECT is((SELECT report -> 'excluded' FROM tests.preview), '{"user_progress": 7}'::jsonb, 'what the export left out is told');
SELECT is((SELECT count(*)::integer FROM tests.preview, course_report(report)), (SELECT jsonb_array_length(report -> 'problems') FROM tests.preview), 'course_report() makes rows of it');
SELECT is((SELECT string_agg(code || ' ' || count, ', ' ORDER BY code) FROM tests.preview, course_report(report) WHERE severity = 'warning'), 'id_left 12, id_left 12, unique_changed 1', 'warnings are folded and counted');
SELECT is((SELECT report -> 'ids_left' ->> 'summary' FROM tests.preview), '24 of 114', 'ids left in texts that the profile says nothing of are told');
BEGIN READ ONLY;
SELECT course_import(tests.course(), context => tests.context()) ->> 'plan_hash' AS hash \gset
COMMIT;
SELECT is(:'hash', (SELECT report ->> 'plan_hash' FROM tests.preview), 'a dry run works in a read-only transaction, and an unchanged plan has the same hash');

-- context
SELECT is(tests.codes(course_import(doc)), 'context_missing, context_missing', 'values of class context have to come') FROM tests.doc;
SELECT is(tests.codes(course_import(doc, context => tests.context() || '{"other": 1}'), 'warning'), 'context_unused, unique_changed, id_left 12, id_left 12', 'what nobody uses is told') FROM tests.doc;

-- the rehearsal
CREATE TABLE tests.rows_before AS SELECT line FROM tests.before WHERE line !~ '_id_seq ';
SELECT is((SELECT course_import(doc, rehearse => true, context => tests.context()) -> 'evidence' ->> 'rows_written' FROM tests.doc), '135', 'a rehearsal inserts every row');
SELECT set_eq($$SELECT l FROM tests.content() AS l WHERE l !~ '_id_seq '$$, 'SELECT line FROM tests.rows_before', 'and takes them back');
ALTER TABLE quizzes ADD CONSTRAINT quizzes_score CHECK (passing_score < 70) NOT VALID;
SELECT is(tests.codes(course_import(doc, context => tests.context())), '', 'a plan does not run the table''s checks') FROM tests.doc;
SELECT is(tests.codes(course_import(doc, rehearse => true, context => tests.context())), 'rehearsal_failed', 'a rehearsal does') FROM tests.doc;
SELECT matches(tests.attempt('SELECT course_import(doc, dry_run => false, context => tests.context()) FROM tests.doc'), '^23514 .*quizzes_score', 'the import raises what the check raises');
SELECT set_eq($$SELECT l FROM tests.content() AS l WHERE l !~ '_id_seq '$$, 'SELECT line FROM tests.rows_before', 'and nothing is left of it');
ALTER TABLE quizzes DROP CONSTRAINT quizzes_score;

-- the import
CREATE TABLE tests.done AS SELECT course_import(doc, dry_run => false, context => tests.context(), expect_plan => (SELECT report ->> 'plan_hash' FROM tests.preview)) AS report FROM tests.doc;
SELECT is((SELECT (report ->> 'applied')::boolean FROM tests.done), true, 'applied');
SELECT is((SELECT report - '{applied,batch_id,root_key,evidence}'::text[] FROM tests.done), (SELECT report - 'applied' FROM tests.preview), 'the preview said exactly what the import did');
SELECT is((SELECT report -> 'evidence' FROM tests.done), '{"rows_written": 135, "rows_read_back": 135, "values_changed": 0, "old_ids_left": "24 of 114"}'::jsonb, 'read back row by row');
SELECT (report ->> 'root_key')::bigint AS new_id, report ->> 'batch_id' AS batch FROM tests.done \gset
SELECT results_eq(format($$SELECT tenant_id, author_id, title, slug, status::text, enrollment_count, settings::text, external_id, import_batch_id::text FROM courses WHERE id = %s$$, :new_id),
                  format($$VALUES (2, '00000000-0000-4000-8000-000000000002'::uuid, 'Anatomia'::text, 'anatomia-2'::varchar, 'draft'::text, 0, '{"scale": 1.10, "theme": "dark"}'::text, 'sys-1/courses/40'::text, %L::text)$$, :'batch'),
                  'the new course is a draft with its context, tracking and reset counters, its values as they were');
SELECT is((SELECT count(*)::integer FROM modules WHERE course_id = :new_id AND external_id = 'sys-1/modules/' || position AND import_batch_id = :'batch'), 3, 'rows below are tracked as well');
SELECT results_eq(format($$SELECT m.position, l.position, l.title, l.price, l.big, l.duration, l.practical_summary FROM lessons l JOIN modules m ON m.id = l.module_id WHERE m.course_id = %s ORDER BY 1, 2$$, :new_id),
                  $$SELECT m.position, l.position, l.title, l.price, l.big, l.duration, l.practical_summary FROM lessons l JOIN modules m ON m.id = l.module_id WHERE m.course_id = 40 ORDER BY 1, 2$$,
                  'lessons have the values of the old ones, beyond what doubles hold');
SELECT is((SELECT count(*)::integer FROM options o JOIN questions q ON q.id = o.question_id JOIN quizzes z ON z.id = q.quiz_id JOIN lessons l ON l.id = z.lesson_id JOIN modules m ON m.id = l.module_id
           WHERE m.course_id = :new_id AND o.times_chosen = 0), 72, 'what hangs on it hangs on the new rows');
SELECT is((SELECT array_agg(DISTINCT lc.competency_id) FROM lesson_competencies lc JOIN lessons l ON l.id = lc.lesson_id JOIN modules m ON m.id = l.module_id WHERE m.course_id = :new_id), '{1,2}', 'competencies are shared');
SELECT is((SELECT count(*) FROM bank_questions), 9::bigint, 'banks too');
SELECT set_eq($$SELECT l FROM tests.content('{"courses": "id NOT IN (40, 41)", "modules": "course_id NOT IN (40, 41)", "lessons": "module_id > 6", "quizzes": "id > 12", "questions": "id > 36", "options": "id > 144",
                "lesson_competencies": "lesson_id IN (SELECT id FROM lessons WHERE module_id > 6)", "course_faqs": "id > 4"}') AS l WHERE l !~ '_id_seq '$$, 'SELECT line FROM tests.rows_before', 'no earlier row was touched');
SELECT is((SELECT count(*)::integer FROM course_batch_rows WHERE batch = :'batch' AND action = 'created'), 135, 'every new row is on record');
SELECT is((SELECT count(*)::integer FROM course_batch_rows WHERE batch = :'batch' AND action = 'reused'), 20, 'and every shared one');
SELECT is((SELECT external_id FROM course_batch_rows WHERE batch = :'batch' AND table_name = 'courses'), 'sys-1/courses/40', 'with where it came from');

-- once more
SELECT matches(tests.attempt(format('SELECT course_import(doc, dry_run => false, context => tests.context(), expect_plan => %L) FROM tests.doc', :'hash')), '^55000 the plan is not the expected one', 'a plan is only good while nothing changed');
SELECT is(tests.codes(course_import(doc, context => tests.context()), 'warning'), 'repeated, unique_changed, unique_changed 3, id_left 12, id_left 12', 'the same document again is told') FROM tests.doc;
SELECT is(course_import(doc, dry_run => false, context => tests.context(), on_repeat => 'skip') -> 'applied', 'false', 'or passed over') FROM tests.doc;
SELECT is(course_import(doc, dry_run => false, context => tests.context(), on_repeat => 'skip') ->> 'skipped_for', :'batch', 'naming the import there is') FROM tests.doc;
SELECT matches(tests.attempt($$SELECT course_import(doc, dry_run => false, context => tests.context(), on_repeat => 'error') FROM tests.doc$$), '^22023 the import is refused', 'or refused');
SELECT is(course_import(doc::jsonb::json, context => tests.context(), on_repeat => 'error') ->> 'error_count', '1', 'also when it was kept as jsonb meanwhile') FROM tests.doc;
SELECT is(course_import(doc, dry_run => false, context => tests.context()) -> 'applied', 'true', 'or copied again') FROM tests.doc;
SELECT is((SELECT array_agg(slug ORDER BY id) FROM courses), '{anatomia,física,anatomia-2,anatomia-3}', 'with unique values of its own');

-- shared rows: by name, nearly, twice, and as the caller says
UPDATE competencies SET code = ' c1' WHERE id = 1;
SELECT is(tests.codes(course_import(replace(doc::text, '"code":" c1"', '"code":"C1"')::json, context => tests.context()), 'warning'), 'repeated, near_match, unique_changed, unique_changed 3, id_left 12, id_left 12', 'nearly equal is not equal')
FROM tests.doc;
SELECT is(course_import(doc, context => tests.context()) -> 'row_counts' -> 'competencies' ->> 'create', '1', 'it would be created') FROM tests.doc;
SELECT is(course_import(doc, context => tests.context(), mapping => '{"competencies": {"1": "1"}}') -> 'row_counts' -> 'competencies' ->> 'reuse', '2', 'unless the caller says which it is') FROM tests.doc;
SELECT is(tests.codes(course_import(doc, context => tests.context(), mapping => '{"competencies": {"1": "77", "99": "1"}, "modules": {"1": "2"}}')), 'mapping_invalid, mapping_unknown, mapping_unknown, reference_unmatched 12', 'and says something that is so') FROM tests.doc;
ALTER TABLE competencies DROP CONSTRAINT competencies_code_key;
UPDATE competencies SET code = 'C2' WHERE id IN (2, 3);
SELECT is(tests.codes(course_import(doc, context => tests.context())), 'match_ambiguous', 'two candidates are none') FROM tests.doc;
SELECT matches((SELECT hint FROM tests.doc, course_report(course_import(doc, context => tests.context())) WHERE code = 'match_ambiguous'), 'Candidates: 2, 3', 'they are named');
UPDATE competencies SET code = 'C' || id;
ALTER TABLE competencies ADD UNIQUE (code);
UPDATE bank_options SET text = 'Outra' WHERE id = 1;
SELECT is(course_import(doc, context => tests.context()) #>> '{row_counts,bank_questions}', '{"skip": 0, "reuse": 5, "create": 1}', 'a bank question whose option differs is another one') FROM tests.doc;

-- triggers
CREATE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF NEW.position = 2 THEN RETURN NULL; END IF; RETURN NEW; END $$;
CREATE TRIGGER suppress BEFORE INSERT ON course_faqs FOR EACH ROW EXECUTE FUNCTION suppress();
SELECT is(course_import(doc, context => tests.context()) -> 'triggers', '{"course_faqs": ["suppress"]}'::jsonb, 'triggers that will fire are listed') FROM tests.doc;
SELECT matches(tests.attempt('SELECT course_import(doc, dry_run => false, context => tests.context()) FROM tests.doc'), '^09000 1 of 2 rows of table "course_faqs"', 'a row that a trigger suppresses is an error');
SELECT matches(tests.detail(), 'suppress', 'with the triggers'' names');
CREATE OR REPLACE FUNCTION suppress() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.answer := 'outra'; RETURN NEW; END $$;
SELECT is((SELECT string_agg(code || ' ' || message, '') FROM tests.doc, course_report(course_import(doc, dry_run => false, context => tests.context())) WHERE code = 'value_changed'),
          'value_changed 2 values of column "answer" were changed by a trigger or default of the table', 'a value that a trigger changes is told');
DROP TRIGGER suppress ON course_faqs;

-- roles
GRANT EXECUTE ON FUNCTION course_import(json, boolean, boolean, jsonb, jsonb, text, text) TO import_editor, import_outsider, import_blind;
GRANT USAGE ON SCHEMA public TO import_editor, import_outsider, import_blind;
GRANT SELECT ON tests.doc TO import_editor, import_outsider, import_blind;
SELECT is(tests.attempt('import_outsider', 'SELECT course_import(doc, dry_run => false, context => tests.context()) FROM tests.doc'), '42501 the import is refused: its plan has 21 errors', 'missing rights are told all at once');
GRANT INSERT, SELECT ON ALL TABLES IN SCHEMA public TO import_editor;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO import_editor;
SELECT is(tests.attempt('import_editor', 'SELECT course_import(doc, dry_run => false, context => tests.context()) FROM tests.doc'), 'ok', 'INSERT, and SELECT on shared tables, is enough');
-- INSERT without a policy that lets rows be seen
GRANT INSERT ON ALL TABLES IN SCHEMA public TO import_blind;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO import_blind;
GRANT SELECT ON competencies, bank_questions, bank_options TO import_blind;
ALTER TABLE courses ENABLE ROW LEVEL SECURITY;
CREATE POLICY courses_insert ON courses FOR INSERT TO import_blind WITH CHECK (tenant_id = 2);
ALTER TABLE lessons ENABLE ROW LEVEL SECURITY;
CREATE POLICY lessons_insert ON lessons FOR INSERT TO import_blind WITH CHECK (true);
SELECT is(tests.attempt('import_blind', $$SELECT course_import(replace(replace(doc::text, '"anatomia"', '"anatomia-9"'), 'sys-1', 'sys-9')::json, dry_run => false, context => tests.context()) FROM tests.doc$$), 'ok', 'a role that may insert and see nothing imports');
SELECT matches(tests.attempt('import_blind', $$SELECT course_import(replace(replace(doc::text, '"anatomia"', '"anatomia-8"'), 'sys-1', 'sys-8')::json, dry_run => false, context => tests.context() || '{"tenant_id": 1}') FROM tests.doc$$), '^42501 new row violates row-level security',
               'and is held by its policies');
SELECT * FROM finish();
