-- course_export: what is in the document and what never is, one course in two naming styles, row security, references that lead out.
\ir lib/attempt.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('course_author', 'course_teacher', 'course_nobody', 'course_web');
\ir lib/course_tables.psql

CREATE FUNCTION tests.rows_of(doc json, name text) RETURNS json LANGUAGE sql AS
$$ SELECT t -> 'rows' FROM json_array_elements(doc -> 'tables') AS t WHERE t ->> 'name' = rows_of.name $$;
CREATE FUNCTION tests.row_count(doc json, name text) RETURNS integer LANGUAGE sql AS $$ SELECT json_array_length(tests.rows_of(doc, name)) $$;
CREATE FUNCTION tests.fingerprints() RETURNS text LANGUAGE sql AS
$$ SELECT string_agg(md5(query_to_xml(format('SELECT * FROM %s ORDER BY 1, 2', c.oid::regclass), true, false, '')::text), ' ' ORDER BY c.relname)
     FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'S') $$;

SELECT tests.fingerprints() AS before \gset
SELECT course_export(1) AS doc \gset

-- the whole course and nothing of others
SELECT is(:'doc'::json ->> 'format', 'pg_snapback_graph', 'the format');
SELECT is(:'doc'::json ->> 'version', '1', 'the version');
SELECT is(:'doc'::json -> 'root' ->> 'key', '[1]', 'the root');
SELECT is((:'doc'::json -> 'report' -> 'counts')::jsonb,
          '{"courses": 1, "modules": 4, "lessons": 40, "quizzes": 2, "questions": 2, "options": 3, "competencies": 2, "lesson_competencies": 3, "bank_questions": 2, "bank_options": 2,
            "course_faqs": 1}', 'every row that belongs to it is counted');
SELECT is((SELECT sum(tests.row_count(:'doc'::json, key)) FROM json_object_keys(:'doc'::json -> 'report' -> 'counts') AS key), 62::bigint, 'and is there');
SELECT is((SELECT count(*) FROM json_array_elements(:'doc'::json -> 'tables') AS t, json_array_elements(t -> 'rows') AS r WHERE r::text LIKE '%ther%'), 0::bigint,
          'nothing of another course');
SELECT ok(:'doc' NOT LIKE '%MARKER%', 'nothing of what users did, and none of their data');
SELECT is((:'doc'::json -> 'report' -> 'excluded')::jsonb, '{"user_progress": 40, "quiz_attempts": 1, "certificates": 1}', 'which is counted');
SELECT is((:'doc'::json -> 'report' -> 'filtered')::jsonb, '{"lessons": 1}', 'the deleted lesson is left out and counted');
SELECT ok(tests.rows_of(:'doc'::json, 'courses')::text NOT LIKE '%author%', 'who made it is not exported');
SELECT is(tests.rows_of(:'doc'::json, 'courses') -> 0 ->> 'view_count', '0', 'what users left in a counter is not exported');
SELECT ok(tests.rows_of(:'doc'::json, 'courses') -> 0 ->> 'title_length' IS NULL, 'nor what is computed');

-- values
SELECT is(tests.rows_of(:'doc'::json, 'lessons') -> 0 ->> 'id', '9007199254740991', 'a number where every reader holds it');
SELECT is(json_typeof(tests.rows_of(:'doc'::json, 'lessons') -> 0 -> 'id'), 'number', 'is a number');
SELECT is(json_typeof(tests.rows_of(:'doc'::json, 'lessons') -> 1 -> 'id'), 'string', 'one more is a string');
SELECT is(json_typeof(tests.rows_of(:'doc'::json, 'lessons') -> 1 -> 'related_ids' -> 0), 'string', 'in an array, too');
SELECT is(tests.rows_of(:'doc'::json, 'courses') -> 0 ->> 'price', '49.90', 'numeric keeps its scale');
SELECT is(tests.rows_of(:'doc'::json, 'courses') -> 0 -> 'settings' ->> '$json', '{"theme": "dark", "weight": 1.10}', 'jsonb that doubles would change is wrapped');
SELECT ok(NOT (tests.rows_of(:'doc'::json, 'quizzes') -> 0)::jsonb ? 'module_id', 'NULL is an absent member');
SELECT results_eq($$SELECT m ->> 'title' FROM json_array_elements(tests.rows_of(course_export(1), 'modules')) WITH ORDINALITY AS x (m, n) ORDER BY n$$,
                  $$VALUES ('Module 4'), ('Module 3'), ('Module 2'), ('Module 1')$$, 'rows come in the profile''s order');
SELECT is((SELECT json_array_length(t -> 'hashes') FROM json_array_elements(:'doc'::json -> 'tables') AS t WHERE t ->> 'name' = 'bank_questions'), 2, 'a bank has its content hashes');

-- references that lead out
SELECT is((:'doc'::json -> 'report' -> 'warnings')::jsonb #- '{0,message}', '[{"code": "reference_outside", "table": "lessons", "column": "next_lesson_id", "count": 1}]',
          'the lesson of another course is a warning');
SELECT ok(NOT (tests.rows_of(:'doc'::json, 'lessons') -> 39)::jsonb ? 'next_lesson_id', 'and its id is left out');
CREATE TABLE lesson_resources (id int PRIMARY KEY, lesson_id bigint NOT NULL REFERENCES lessons, quiz_id bigint NOT NULL REFERENCES quizzes, url text);
INSERT INTO lesson_resources VALUES (1, 9007199254740991, 3, 'x');
SELECT is(tests.attempt('SELECT course_export(1)'), '23503 1 rows of lesson_resources must point at quizzes by quiz_id, and that is outside', 'where it must point outside, it is an error');
SELECT is(tests.hint(), 'Make the other table ref or own in the profile, or correct the rows.', 'with a hint');
DROP TABLE lesson_resources;

-- what an import would not read
SELECT is(tests.attempt($$DO $do$ BEGIN UPDATE courses SET title = repeat('x', 260 * 1024 * 1024) WHERE id = 1; PERFORM course_export(1); END $do$ $$), '54000 the document would be too large to be imported', 'an export of 260 MB');

-- equal data, equal bytes, whatever the search path, the time zone and the physical order
SELECT md5(:'doc') AS sum \gset
UPDATE modules SET title = title WHERE id = 4; UPDATE lessons SET title = title WHERE id = 9007199254740991; UPDATE options SET text = text WHERE id = 1;
SET search_path = public, pg_temp; SET TimeZone = 'Asia/Tokyo'; SET DateStyle = 'German'; SET enable_hashjoin = off; SET enable_indexscan = off;
SELECT is(md5(course_export(1)::text), :'sum', 'equal data gives equal bytes');
RESET ALL;
SELECT is(md5(course_export('1')::text), :'sum', 'the id as text');
SELECT is(md5(graph_export('course', '1')::text), :'sum', 'by the general function');
SELECT is((SELECT md5(course_export(id)::text) FROM courses WHERE id = 1), :'sum', 'out of a query');
SELECT is(tests.fingerprints(), :'before', 'nothing in the source has changed');

-- what is not there, and bad input
SELECT is(tests.attempt('SELECT course_export(99)'), '42704 no row of "public.courses" has the key 99, or it is not visible to you', 'no such course');
SELECT is(tests.attempt('SELECT course_export(NULL::bigint)'), '22023 argument "id" must not be null', 'null');
SELECT is(tests.attempt($$SELECT course_export('1; DROP TABLE courses')$$), '22P02 invalid input syntax for type bigint: "1; DROP TABLE courses"', 'a key that is none');
SELECT is(tests.attempt($$SELECT course_export('')$$), '22P02 invalid input syntax for type bigint: ""', 'an empty one');
SELECT is(tests.attempt($$SELECT course_export(gen_random_uuid())$$) LIKE '22P02%', true, 'an id of another type');
SELECT is(tests.attempt($$SELECT graph_export('nothing', '1')$$), '42704 profile "nothing" does not exist', 'no such profile');
SELECT is(tests.attempt($$SELECT graph_export(NULL, '1')$$), '22023 argument "profile" must not be null', 'null profile');

-- a table nobody classified
CREATE TABLE grades (id int PRIMARY KEY, lesson_id bigint REFERENCES lessons, note text);
CREATE TABLE studios (id int PRIMARY KEY);
ALTER TABLE modules ADD studio_id int REFERENCES studios;
SELECT is(tests.attempt('SELECT course_export(1)'), '55000 profile "course" has no class for 2 references of other tables', 'strict about tables it does not know');
SELECT is(tests.detail(), E'unknown_table: public.grades, by public.grades (lesson_id) -> public.lessons\nunknown_table: public.studios, by public.modules (studio_id) -> public.studios',
          'all are named, with how they are reached');
SELECT is(tests.hint(), $$Give each a class, as in: SELECT course_profile('{"extends": "course", "tables": {"grades": {"class": "exclude", "names": ["public.grades"]}}}')$$, 'and what to do');
SELECT isnt(course_profile('{"extends": "course", "strict": false}'), NULL, 'a profile that is not strict');
SELECT results_eq($$SELECT w ->> 'code', w ->> 'table' FROM json_array_elements(course_export(1) -> 'report' -> 'warnings') AS w WHERE w ->> 'code' = 'unknown_table'$$,
                  $$VALUES ('unknown_table', 'public.grades'), ('unknown_table', 'public.studios')$$, 'makes warnings of them');
SELECT isnt(course_profile('{"extends": "course"}'), NULL, 'back to the one that ships');
DROP TABLE grades; ALTER TABLE modules DROP studio_id; DROP TABLE studios;

-- rights: all that are missing at once
SELECT isnt(backup_grant('course_author', 'course'), NULL, 'level course');
SELECT isnt(backup_grant('course_teacher', 'course'), NULL, 'level course');
SELECT isnt(backup_grant('course_nobody', 'course'), NULL, 'level course');
SELECT is(tests.attempt('course_web', 'SELECT course_export(1)'), '42501 permission denied for function course_export', 'without the level');
GRANT SELECT ON courses, modules, lessons, quizzes, questions, options, competencies, lesson_competencies TO course_nobody;
SELECT is(tests.attempt('course_nobody', 'SELECT course_export(1)'), '42501 permission denied for 3 tables of profile "course"', 'rights on tables');
SELECT is(tests.detail(), E'no_right: SELECT on public.course_faqs\nno_right: SELECT on public.bank_questions\nno_right: SELECT on public.bank_options', 'all at once');
GRANT SELECT ON bank_questions, bank_options, course_faqs TO course_nobody;
SELECT is(tests.attempt('course_nobody', 'SELECT course_export(1)'), 'ok', 'content is enough');
SET ROLE course_nobody;
SELECT course_export(1) AS doc \gset
RESET ROLE;
SELECT is((:'doc'::json -> 'report' -> 'excluded')::jsonb, '{"user_progress": null, "quiz_attempts": null, "certificates": null}', 'what may not be read is not counted');
SELECT is((SELECT count(*) FROM json_array_elements(:'doc'::json -> 'report' -> 'warnings') AS w WHERE w ->> 'code' = 'not_counted'), 3::bigint, 'and that is said');

-- row security: author, another teacher, anonymous
GRANT SELECT ON ALL TABLES IN SCHEMA public TO course_author, course_teacher;
ALTER TABLE courses ENABLE ROW LEVEL SECURITY;
ALTER TABLE lessons ENABLE ROW LEVEL SECURITY;
CREATE FUNCTION is_author() RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN (SELECT count(*) FROM users) > 0 AND current_user = 'course_author'; END $$;
CREATE POLICY author ON courses FOR SELECT TO course_author, course_teacher USING (true);
CREATE POLICY author ON lessons FOR SELECT TO course_author USING (is_author());
CREATE POLICY teacher ON lessons FOR SELECT TO course_teacher USING (title NOT IN ('Lesson 7', 'Lesson 8', 'Lesson 25'));
SET ROLE course_author;
SELECT course_export(1) AS doc \gset
RESET ROLE;
SELECT is(tests.row_count(:'doc'::json, 'lessons'), 40, 'the author gets the whole course');
SELECT is(tests.attempt('course_teacher', 'SELECT course_export(1)'), '42501 3 of 40 lessons are hidden from you', 'another teacher gets none of it rather than a part');
SELECT matches(tests.detail(), 'rows_hidden: 3 of 40 lessons are hidden from you', 'with the code');
SELECT is(tests.attempt('course_nobody', 'SELECT course_export(1)'), '42704 no row of "public.courses" has the key 1, or it is not visible to you', 'who sees no course gets nothing');
-- hidden modules hide what hangs below them
ALTER TABLE modules ENABLE ROW LEVEL SECURITY;
CREATE POLICY teacher ON modules FOR SELECT TO course_teacher USING (id <> 1);
SELECT is(tests.attempt('course_teacher', 'SELECT course_export(1)'), '42501 1 of 4 modules is hidden from you', 'a hidden module');
SELECT matches(tests.detail(), '11 of 40 lessons are hidden from you', 'hides its lessons, too');
SELECT matches(tests.detail(), '1 of 2 quizzes is hidden from you', 'and what hangs on them');
DROP POLICY teacher ON lessons; DROP POLICY teacher ON modules; ALTER TABLE modules DISABLE ROW LEVEL SECURITY; ALTER TABLE lessons DISABLE ROW LEVEL SECURITY;
ALTER TABLE competencies ENABLE ROW LEVEL SECURITY;
CREATE POLICY teacher ON competencies FOR SELECT TO course_teacher USING (code = 'OSS');
SELECT is(tests.attempt('course_teacher', 'SELECT course_export(1)'), '42501 1 competencies that belong to it are hidden from you', 'a hidden shared row');
ALTER TABLE competencies DISABLE ROW LEVEL SECURITY;

-- a superuser is not harmed by what owners planted
GRANT CREATE ON SCHEMA public TO course_author;
CREATE TABLE loot (who text); GRANT INSERT ON loot TO PUBLIC;
ALTER TABLE course_faqs OWNER TO course_author;
SET ROLE course_author;
CREATE FUNCTION note_taker() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.loot VALUES (current_user); END $$;
CREATE FUNCTION take(text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM public.note_taker(); RETURN $1; EXCEPTION WHEN OTHERS THEN RETURN $1; END $$;
CREATE INDEX ON course_faqs (question) WHERE take('x') = 'x';
RESET ROLE;
TRUNCATE loot;
SELECT isnt(course_export(1)::text, NULL, 'a superuser exports a table with a planted index');
SELECT results_eq('SELECT DISTINCT who FROM loot', ARRAY['course_author'], 'whose code ran with nobody else''s rights');

-- even where the owner's policies are forced on the owner
ALTER TABLE course_faqs ENABLE ROW LEVEL SECURITY;
ALTER TABLE course_faqs FORCE ROW LEVEL SECURITY;
CREATE POLICY own ON course_faqs TO course_author USING (true);
TRUNCATE loot;
SELECT isnt(course_export(1)::text, NULL, 'a superuser reads such a table as its owner');
SELECT results_eq('SELECT DISTINCT who FROM loot', ARRAY['course_author'], 'rather than lending its rights');
DROP POLICY own ON course_faqs;
SELECT is(tests.attempt('SELECT course_export(1)'), '42501 1 of 1 course_faqs is hidden from you', 'and where the owner sees less, nothing is silently less');
DROP INDEX course_faqs_question_idx;
SELECT is(tests.attempt('SELECT course_export(1)'), 'ok', 'without the planted code the superuser sees all');
ALTER TABLE course_faqs DISABLE ROW LEVEL SECURITY;
ALTER TABLE course_faqs NO FORCE ROW LEVEL SECURITY;

-- a gateway
\set role course_author
\set method GET
\set function course_export
\set args '{"course_id": 1}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET course_export' || :'why');
SELECT is(:'body'::json -> 0 -> 'call' -> 'root' ->> 'table', 'courses', 'is the document');
\set args '{"id": "1"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'with the id as text' || :'why');
\set args '{"course_id": 12345}'
\ir lib/call.psql
SELECT is(:'state'::text, '42704', 'no such course');
\set function graph_export
\set args '{"profile": "course", "id": "1"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET graph_export' || :'why');
\set role course_web
\ir lib/call.psql
SELECT is(:'state'::text, '42501', 'not for everybody');

-- the same course as Prisma names things: text ids, camelCase, an implicit join table
CREATE SCHEMA prisma;
SET search_path = prisma, public;
CREATE TYPE prisma."CourseStatus" AS ENUM ('DRAFT', 'PUBLISHED');
CREATE TABLE prisma."Course" (id text PRIMARY KEY, title text NOT NULL, status "CourseStatus" NOT NULL, "updatedAt" timestamp(3) NOT NULL);
CREATE TABLE prisma."Module" (id text PRIMARY KEY, "courseId" text NOT NULL REFERENCES "Course", title text NOT NULL, "order" int NOT NULL);
CREATE TABLE prisma."Lesson" (id text PRIMARY KEY, "moduleId" text NOT NULL REFERENCES "Module", title text NOT NULL, "videoUrl" text);
CREATE TABLE prisma."Competency" (id text PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE prisma."_CompetencyToLesson" ("A" text NOT NULL REFERENCES "Competency", "B" text NOT NULL REFERENCES "Lesson");
CREATE TABLE prisma."UserProgress" (id text PRIMARY KEY, "lessonId" text NOT NULL REFERENCES "Lesson", note text);
INSERT INTO "Course" VALUES ('clx1', 'Fisiologia', 'PUBLISHED', '2026-01-01');
INSERT INTO "Module" VALUES ('clm1', 'clx1', 'Um', 2), ('clm2', 'clx1', 'Dois', 1);
INSERT INTO "Lesson" VALUES ('cll1', 'clm1', 'Aula', 'https://x');
INSERT INTO "Competency" VALUES ('clc1', 'Ossos');
INSERT INTO "_CompetencyToLesson" VALUES ('clc1', 'cll1');
INSERT INTO "UserProgress" VALUES ('u1', 'cll1', 'MARKER');
SET search_path = prisma;
SELECT public.course_export('clx1') AS doc \gset
SET search_path = public;
SELECT is((:'doc'::json -> 'report' -> 'counts')::jsonb, '{"courses": 1, "modules": 2, "lessons": 1, "competencies": 1, "lesson_competencies": 1}', 'the camelCase tables of a course');
SELECT is(tests.rows_of(:'doc'::json, 'modules')::jsonb, '[{"id": "clm2", "course_id": "clx1", "title": "Dois", "order": 1}, {"id": "clm1", "course_id": "clx1", "title": "Um", "order": 2}]',
          'under the names of the profile');
SELECT is(tests.rows_of(:'doc'::json, 'lesson_competencies')::jsonb, '[{"competency_id": "clc1", "lesson_id": "cll1"}]', 'the join table without a key');
SELECT is((:'doc'::json -> 'report' -> 'excluded')::jsonb, '{"user_progress": 1}', 'progress is counted');
SELECT ok(:'doc' NOT LIKE '%MARKER%', 'and not exported');
SET search_path = pg_catalog;
SELECT tests.attempt('SELECT public.course_export(1)') AS said \gset
RESET search_path;
SELECT is(:'said'::text, '42P01 no table of this database is the root "courses" of profile "course"', 'no tables at all');
SELECT matches(tests.detail(), 'Looked for in the search path: courses, course, Course, Courses. Missing, too: courses, modules, lessons', 'says what it looked for');

SELECT * FROM finish();
