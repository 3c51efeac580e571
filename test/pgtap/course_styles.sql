-- From snake_case into Prisma's tables and back: names, kinds of keys, labels and shared rows of two databases that do not know each other.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
CREATE SCHEMA prisma;
SET search_path = prisma;
\ir ../data/course_prisma.sql
RESET search_path;
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CREATE TABLE tests.doc AS SELECT tests.course() AS doc;
CREATE FUNCTION tests.into_prisma(doc json, dry_run boolean DEFAULT true, context jsonb DEFAULT '{"author_id": "clu0000000000000000000ana"}') RETURNS jsonb LANGUAGE plpgsql SET search_path = prisma AS $$
BEGIN
  RETURN public.course_import(doc, dry_run, context => context);
END $$;
CREATE FUNCTION tests.from_prisma(id text) RETURNS json LANGUAGE plpgsql SET search_path = prisma AS $$ BEGIN RETURN public.course_export(id); END $$;

SELECT is(tests.codes(tests.into_prisma(doc)), '', 'no errors') FROM tests.doc;
CREATE TABLE tests.done AS SELECT tests.into_prisma(doc, false) AS report FROM tests.doc;
SELECT report ->> 'root_key' AS new_id FROM tests.done \gset
SELECT matches(:'new_id'::text, '^c[0-9a-z]{24}$', 'a key as the application makes it');
SELECT results_eq(format($$SELECT title, status::text, "authorId", "externalId", "importBatchId" FROM prisma."Course" WHERE id = %L$$, :'new_id'),
                  format($$SELECT 'Anatomia'::text, 'DRAFT'::text, 'clu0000000000000000000ana'::text, 'sys-1/courses/40'::text, report ->> 'batch_id' FROM tests.done$$), 'a draft with its tracking, in the other style');
SELECT is((SELECT "updatedAt" FROM prisma."Course" WHERE id = :'new_id'), '2026-03-01 12:00'::timestamp, 'a time keeps its moment');
SELECT is((SELECT count(*)::integer FROM prisma."Option" AS o JOIN prisma."Question" AS q ON q.id = o."questionId" JOIN prisma."Quiz" AS z ON z.id = q."quizId"), 72, 'everything came along');
SELECT is((SELECT string_agg(DISTINCT k.code, ' ') FROM prisma."_CompetencyToLesson" AS j JOIN prisma."Competency" AS k ON k.id = j."A"), 'C1 C2', 'a join table without a key');
SELECT is((SELECT array_agg(code ORDER BY code) FROM prisma."Competency"), '{C1,C2}', 'one competency was there, one was created');
SELECT is((SELECT array_agg(big ORDER BY position) FROM prisma."Lesson" WHERE "moduleId" IN (SELECT id FROM prisma."Module" WHERE "courseId" = :'new_id' AND position = 1)),
          '{9007199254740994,9007199254740995,9007199254740996,9007199254740997}', 'numbers that no double holds');

-- and back: Prisma's own course into the tables in snake_case
CREATE TABLE tests.back AS SELECT tests.from_prisma('clc0000000000000000000bio') AS doc;
SELECT ok((SELECT doc::text FROM tests.back) NOT LIKE '%MARCA SECRETA%', 'user data stays behind');
CREATE TABLE tests.imported AS SELECT course_import(doc, dry_run => false, context => tests.context()) AS report FROM tests.back;
SELECT is((SELECT status::text || ' ' || title FROM courses WHERE id = (SELECT (report ->> 'root_key')::bigint FROM tests.imported)), 'draft Biologia', 'a draft with a number for its key');
SELECT is((SELECT l.price || ' ' || l.big FROM lessons AS l JOIN modules AS m ON m.id = l.module_id WHERE m.course_id = (SELECT (report ->> 'root_key')::bigint FROM tests.imported)), '12.50 9007199254740993'::text, 'numbers to the digit');
SELECT is((SELECT report #> '{row_counts,competencies}' FROM tests.imported), '{"create": 0, "reuse": 1, "skip": 0}', 'the shared competency is found');
SELECT is((SELECT count(*)::integer FROM bank_questions WHERE stem = 'O que é uma célula?' AND competency_id = 1), 1, 'and gets a bank question more');
SELECT is(course_undo((report ->> 'batch_id')::uuid, dry_run => false) -> 'applied', 'true', 'undone') FROM tests.imported;
SELECT is(course_undo((report ->> 'batch_id')::uuid, dry_run => false) -> 'applied', 'true', 'undone there too') FROM tests.done;
SELECT is((SELECT count(*)::integer FROM prisma."Lesson"), 1, 'only its own is left');

-- export and import tell columns and rows apart by the same rules
CREATE TABLE styled ("courseId" text, course_id text, a text NOT NULL, b text NOT NULL UNIQUE, UNIQUE (a, b));
INSERT INTO styled VALUES ('camel', 'snake', 'x', 'y');
SELECT graph_profile('styled', '{"root": "styled", "tables": {"styled": {"class": "root"}}}') ->> 'root' AS root \gset
CREATE TABLE tests.styled AS SELECT graph_import('styled', graph_export('styled', 'y'), dry_run => false) AS report;
SELECT is((SELECT tests.codes(report, 'warning') FROM tests.styled), '', 'nothing is lost of names that differ in style only');
SELECT is((SELECT count(*)::integer FROM styled WHERE "courseId" = 'camel' AND course_id = 'snake' AND a = 'x'), 2, 'each column keeps its values');
SELECT is((SELECT count(DISTINCT b)::integer FROM styled), 2, 'the shortest unique key is the one that new rows get anew');
SELECT * FROM finish();
