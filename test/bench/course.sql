-- A course of 200 modules, 4,000 lessons, 1,000 quizzes, 20,000 questions and 80,000 options (and a second one beside it): course_export() and a straightforward loop in PL/pgSQL that
-- builds the same rows as JSON. Prints a line each: what, seconds, bytes.
\set QUIET on
\set ON_ERROR_STOP on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE SCHEMA course_bench;
SET search_path = course_bench, public;
CREATE TABLE courses (id bigint PRIMARY KEY, title text NOT NULL, status text NOT NULL);
CREATE TABLE modules (id bigint PRIMARY KEY, course_id bigint NOT NULL REFERENCES courses, title text NOT NULL, position integer NOT NULL);
CREATE TABLE lessons (id bigint PRIMARY KEY, module_id bigint NOT NULL REFERENCES modules, title text NOT NULL, position integer NOT NULL, body text);
CREATE TABLE quizzes (id bigint PRIMARY KEY, lesson_id bigint NOT NULL REFERENCES lessons, passing_score integer NOT NULL);
CREATE TABLE questions (id bigint PRIMARY KEY, quiz_id bigint NOT NULL REFERENCES quizzes, text text NOT NULL, position integer NOT NULL);
CREATE TABLE options (id bigint PRIMARY KEY, question_id bigint NOT NULL REFERENCES questions, text text NOT NULL, correct boolean NOT NULL);
INSERT INTO courses SELECT c, 'Course ' || c, 'PUBLISHED' FROM generate_series(1, 2) AS c;
INSERT INTO modules SELECT (c.id - 1) * 200 + m, c.id, 'Module ' || m, m FROM courses AS c, generate_series(1, 200) AS m;
INSERT INTO lessons SELECT (m.id - 1) * 20 + l, m.id, 'Lesson ' || l, l, repeat('Text of the lesson. ', 20) FROM modules AS m, generate_series(1, 20) AS l;
INSERT INTO quizzes SELECT row_number() OVER (), l.id, 70 FROM lessons AS l WHERE l.id % 4 = 0;
INSERT INTO questions SELECT row_number() OVER (), q.id, 'Question ' || n, n FROM quizzes AS q, generate_series(1, 20) AS n;
INSERT INTO options SELECT row_number() OVER (), q.id, 'Option ' || n, n = 1 FROM questions AS q, generate_series(1, 4) AS n;
CREATE INDEX ON modules (course_id);
CREATE INDEX ON lessons (module_id);
CREATE INDEX ON quizzes (lesson_id);
CREATE INDEX ON questions (quiz_id);
CREATE INDEX ON options (question_id);
ANALYZE;

CREATE FUNCTION export_by_loop(course bigint) RETURNS json LANGUAGE plpgsql STABLE AS $$
DECLARE
  m modules; l lessons; z quizzes; q questions; o options;
  all_modules json[] := '{}'; all_lessons json[] := '{}'; all_quizzes json[] := '{}'; all_questions json[] := '{}'; all_options json[] := '{}';
BEGIN
  FOR m IN SELECT * FROM modules WHERE course_id = course ORDER BY position LOOP
    all_modules := all_modules || to_json(m);
    FOR l IN SELECT * FROM lessons WHERE module_id = m.id ORDER BY position LOOP
      all_lessons := all_lessons || to_json(l);
      FOR z IN SELECT * FROM quizzes WHERE lesson_id = l.id LOOP
        all_quizzes := all_quizzes || to_json(z);
        FOR q IN SELECT * FROM questions WHERE quiz_id = z.id ORDER BY position LOOP
          all_questions := all_questions || to_json(q);
          FOR o IN SELECT * FROM options WHERE question_id = q.id ORDER BY id LOOP
            all_options := all_options || to_json(o);
          END LOOP;
        END LOOP;
      END LOOP;
    END LOOP;
  END LOOP;
  RETURN json_build_object('course', (SELECT to_json(c) FROM courses AS c WHERE id = course), 'modules', all_modules, 'lessons', all_lessons, 'quizzes', all_quizzes, 'questions', all_questions,
                           'options', all_options);
END $$;

SELECT clock_timestamp() AS begun \gset
SELECT length(course_export(1)::text) AS bytes \gset
SELECT 'course_export ' || round(extract(epoch FROM clock_timestamp() - :'begun'), 2) || ' ' || :bytes;
SELECT clock_timestamp() AS begun \gset
SELECT length(export_by_loop(1)::text) AS bytes \gset
SELECT 'export_by_loop ' || round(extract(epoch FROM clock_timestamp() - :'begun'), 2) || ' ' || :bytes;
DROP SCHEMA course_bench CASCADE;
