-- A course is exported, imported and exported again: circles, self references, composite keys, many-to-many, polymorphic pairs, ids in
-- arrays, JSON and texts. The second document equals the first when new ids are read as the old ones they stand for.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
SELECT course_profile(fixture_profile()) ->> 'root' AS root \gset
CREATE TABLE tests.doc AS SELECT course_export(40) AS doc;
SELECT ok((SELECT doc::text FROM tests.doc) NOT LIKE '%MARCA SECRETA%', 'nothing of what belongs to people is in the document');

-- Rows of a document without what an import sets; where it is the copy's, new ids are read as the old ones.
CREATE FUNCTION tests.masked(doc json, batch_id uuid DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql AS $$
DECLARE
  t json; r jsonb; reference json; name text; old_key text; line text; long_ids jsonb;
BEGIN
  CREATE TEMPORARY TABLE IF NOT EXISTS ids (table_name text, new_key text, old_key text);
  TRUNCATE ids;
  INSERT INTO ids SELECT w.table_name, (SELECT v FROM jsonb_each_text(w.key) AS x(k, v)), w.source_key FROM course_batch_rows AS w
  WHERE w.batch = batch_id AND (SELECT count(*) FROM jsonb_object_keys(w.key)) = 1;
  SELECT jsonb_object_agg(i.new_key, i.old_key) INTO long_ids FROM ids AS i WHERE length(i.new_key) > 16;
  FOR t IN SELECT * FROM json_array_elements(doc -> 'tables') LOOP
    FOR r IN SELECT * FROM json_array_elements(t -> 'rows') LOOP
      r := r - '{external_id,import_batch_id,status,slug,hashes}'::text[];
      FOR reference IN SELECT * FROM json_array_elements(t -> 'references') UNION ALL
                       SELECT json_build_object('kind', 'foreign_key', 'columns', t -> 'key', 'table', t -> 'name') WHERE json_array_length(t -> 'key') = 1 LOOP
        CONTINUE WHEN reference ->> 'kind' <> 'foreign_key' OR json_array_length(reference -> 'columns') <> 1;
        name := reference -> 'columns' ->> 0;
        SELECT i.old_key INTO old_key FROM ids AS i WHERE i.table_name = reference ->> 'table' AND i.new_key = r ->> name;
        r := CASE WHEN r ? name THEN jsonb_set(r, ARRAY[name], to_jsonb(coalesce(old_key, r ->> name))) ELSE r END;
      END LOOP;
      IF r ->> 'owner_type' = 'Module' THEN
        r := jsonb_set(r, '{owner_id}', to_jsonb(coalesce((SELECT i.old_key FROM ids AS i WHERE i.table_name = 'modules' AND i.new_key = r ->> 'owner_id'), r ->> 'owner_id')));
      END IF;
      line := (t ->> 'name') || ' ' || r;
      FOR name, old_key IN SELECT k, v FROM jsonb_each_text(coalesce(long_ids, '{}')) AS x(k, v) LOOP
        line := replace(line, name, old_key);
      END LOOP;
      RETURN NEXT line;
    END LOOP;
  END LOOP;
END $$;

CREATE TABLE tests.preview AS SELECT course_import(doc, context => tests.context()) AS report FROM tests.doc;
SELECT is((SELECT tests.codes(report) FROM tests.preview), '', 'no errors');
SELECT is((SELECT report -> 'ids_left' ->> 'summary' FROM tests.preview), '0 of 134', 'no old id will be left');
CREATE TABLE tests.done AS SELECT course_import(doc, dry_run => false, context => tests.context()) AS report FROM tests.doc;
SELECT is((SELECT report - '{applied,batch_id,root_key,evidence}'::text[] FROM tests.done), (SELECT report - 'applied' FROM tests.preview), 'the preview said what the import did');
SELECT (report ->> 'root_key')::bigint AS new_id, report ->> 'batch_id' AS batch FROM tests.done \gset
SELECT bag_eq(format('SELECT tests.masked(course_export(%s), %L)', :new_id, :'batch'), 'SELECT tests.masked(doc) FROM tests.doc', 'the copy''s document is the first one''s');
SELECT is((SELECT count(*)::integer FROM (SELECT course_export(:new_id)::text AS text) AS copy, course_batch_rows AS w WHERE w.batch = :'batch' AND w.action = 'created' AND length(w.source_key) BETWEEN 20 AND 40 AND position(w.source_key IN copy.text) > 0
           AND w.table_name IN ('lessons', 'part_notes')), 0, 'no old id stands anywhere in it');
SELECT is((SELECT s.id = b.session_id AND s.id NOT IN (1, 2) FROM live_sessions AS s JOIN live_blocks AS b ON b.id = s.active_block_id WHERE s.course_id = :new_id), true, 'a circle of NOT NULL keys is closed among the new rows');
SELECT is((SELECT p.name FROM folders AS f JOIN folders AS p ON p.id = f.parent_id WHERE f.course_id = :new_id AND p.course_id = :new_id), 'raiz', 'a folder lies in its new folder');
SELECT is((SELECT count(*)::integer FROM lesson_prerequisites AS p JOIN lessons AS a ON a.id = p.lesson_id JOIN lessons AS b ON b.id = p.requires_id JOIN modules AS m ON m.id = a.module_id AND m.id = b.module_id
           WHERE m.course_id = :new_id), 3, 'pairs of lessons are of the new lessons');
SELECT is((SELECT count(*)::integer FROM lessons AS l JOIN modules AS m ON m.id = l.module_id WHERE m.course_id = :new_id
           AND l.related_ids <@ ARRAY(SELECT x.id FROM lessons AS x WHERE x.module_id = m.id) AND EXISTS (SELECT FROM lessons AS x WHERE x.module_id = m.id AND x.id::text = l.checklist #>> '{items,0,lessonId}')
           AND l.body ~ ('/lessons/' || l.related_ids[1] || '\) e depois /lessons/' || l.related_ids[2] || '\.')), 12, 'ids in arrays, JSON and Markdown are the new ones');
SELECT ok((SELECT bool_and(id ~ '^c[0-9a-z]{24}$') FROM part_notes WHERE lesson_id IN (SELECT l.id FROM lessons AS l JOIN modules AS m ON m.id = l.module_id WHERE m.course_id = :new_id)), 'text keys are made as the profile says');
SELECT is(course_undo(:'batch', dry_run => false) -> 'applied', 'true', 'and all of it can be undone');
SELECT bag_eq('SELECT tests.masked(course_export(40))', 'SELECT tests.masked(doc) FROM tests.doc', 'the source is what it was');


-- into an empty project: shared rows are created
CREATE TEMPORARY TABLE everything AS SELECT DISTINCT quote_ident(relname) AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND relname NOT IN ('users', 'tenants');
SELECT 'TRUNCATE ' || string_agg(name, ', ') || ' RESTART IDENTITY' AS truncate FROM everything \gset
:truncate;
SELECT is(course_import(doc, dry_run => false, context => tests.context()) -> 'applied', 'true', 'a first import into empty tables') FROM tests.doc;
SELECT is((SELECT array_agg(code ORDER BY code) FROM competencies), '{C1,C2}', 'creates the competencies');
SELECT is((SELECT count(*)::integer FROM bank_options AS o JOIN bank_questions AS q ON q.id = o.bank_question_id JOIN competencies AS c ON c.id = q.competency_id), 12, 'with their banks');
SELECT is(course_import(doc, context => tests.context()) -> 'row_counts' -> 'bank_options', '{"create": 0, "reuse": 12, "skip": 0}', 'which a second import uses') FROM tests.doc;
SELECT * FROM finish();
