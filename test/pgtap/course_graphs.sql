-- Five hundred graphs over twenty schemas made at random: keys of four kinds, composite keys, self references, circles of NOT NULL
-- keys, many-to-many tables. For each the dry run changes nothing and says exactly what the import then does.
\ir lib/attempt.psql
\ir lib/document.psql
SET client_min_messages = warning;
SELECT no_plan();
CREATE EXTENSION pg_snapback;

CREATE FUNCTION tests.id(kind text, scope text, n integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT quote_literal(CASE kind WHEN 'uuid' THEN md5(scope || n)::uuid::text WHEN 'text' THEN 'c' || substr(md5(scope || n), 1, 24) ELSE n::text END)
$$;
CREATE FUNCTION tests.key(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
  SELECT CASE kind WHEN 'always' THEN 'bigint GENERATED ALWAYS AS IDENTITY' WHEN 'uuid' THEN 'uuid DEFAULT gen_random_uuid()' WHEN 'serial' THEN 'serial' ELSE 'text' END || ' PRIMARY KEY'
$$;
CREATE FUNCTION tests.type(kind text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT CASE kind WHEN 'always' THEN 'bigint' WHEN 'serial' THEN 'integer' ELSE kind END $$;

CREATE PROCEDURE tests.make(s text) LANGUAGE plpgsql AS $$
DECLARE
  kinds text[] := '{always,serial,uuid,text}';
  r text := kinds[1 + floor(random() * 4)]; a text := kinds[1 + floor(random() * 4)]; b text := kinds[1 + floor(random() * 4)];
  x text := kinds[1 + floor(random() * 4)]; y text := kinds[1 + floor(random() * 4)];
  optional text := CASE WHEN random() < 0.5 THEN '' ELSE ' NOT NULL' END;
  an integer := 0; bn integer := 0; xn integer := 0; first_b integer; first_a integer;
BEGIN
  EXECUTE format('CREATE SCHEMA %1$I; SET LOCAL search_path = %1$I, public', s);
  EXECUTE format('CREATE TABLE r (id %s, name text NOT NULL, data jsonb)', tests.key(r));
  EXECUTE format('CREATE TABLE a (id %s, r_id %s NOT NULL REFERENCES r, next_id %s REFERENCES a, name text, UNIQUE (r_id, name))', tests.key(a), tests.type(r), tests.type(a));
  EXECUTE format('CREATE TABLE b (id %s, a_id %s NOT NULL REFERENCES a, parent_id %s REFERENCES b, amount numeric)', tests.key(b), tests.type(a), tests.type(b));
  EXECUTE format('CREATE TABLE c (a_id %s NOT NULL REFERENCES a, n integer NOT NULL, note text, PRIMARY KEY (a_id, n))', tests.type(a));
  EXECUTE format('CREATE TABLE d (id serial PRIMARY KEY, a_id %s NOT NULL, n integer NOT NULL, FOREIGN KEY (a_id, n) REFERENCES c)', tests.type(a));
  EXECUTE format('CREATE TABLE ab (a_id %s NOT NULL REFERENCES a, b_id %s NOT NULL REFERENCES b, PRIMARY KEY (a_id, b_id))', tests.type(a), tests.type(b));
  EXECUTE format('CREATE TABLE x (id %s, r_id %s NOT NULL REFERENCES r, y_id %s%s)', tests.key(x), tests.type(r), tests.type(y), optional);
  EXECUTE format('CREATE TABLE y (id %s, x_id %s NOT NULL REFERENCES x, word text)', tests.key(y), tests.type(x));
  ALTER TABLE x ADD FOREIGN KEY (y_id) REFERENCES y;
  FOR k IN 1..25 LOOP
    EXECUTE format('INSERT INTO r OVERRIDING SYSTEM VALUE VALUES (%s, %L, %L)', tests.id(r, s || 'r', k), 'raiz ' || k, json_build_object('k', k));
    first_a := an + 1; first_b := bn + 1;
    FOR i IN 1..floor(random() * 4) LOOP
      an := an + 1;
      EXECUTE format('INSERT INTO a OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %L)', tests.id(a, s || 'a', an), tests.id(r, s || 'r', k),
                     CASE WHEN random() < 0.5 AND an > first_a THEN tests.id(a, s || 'a', first_a) WHEN random() < 0.3 THEN tests.id(a, s || 'a', an) ELSE 'NULL' END, 'a' || i);
      FOR j IN 1..floor(random() * 4) LOOP
        bn := bn + 1;
        EXECUTE format('INSERT INTO b OVERRIDING SYSTEM VALUE VALUES (%s, %s, %s, %s)', tests.id(b, s || 'b', bn), tests.id(a, s || 'a', an),
                       CASE WHEN bn > first_b AND random() < 0.7 THEN tests.id(b, s || 'b', first_b + floor(random() * (bn - first_b))::integer) ELSE 'NULL' END, round(random()::numeric * 1000, 4));
        EXECUTE format('INSERT INTO ab VALUES (%s, %s)', tests.id(a, s || 'a', first_a + floor(random() * (an - first_a + 1))::integer), tests.id(b, s || 'b', bn));
      END LOOP;
      FOR j IN 1..floor(random() * 3) LOOP
        EXECUTE format('INSERT INTO c VALUES (%s, %s, %L)', tests.id(a, s || 'a', an), j, 'nota');
        EXECUTE format('INSERT INTO d (a_id, n) VALUES (%s, %s)', tests.id(a, s || 'a', an), j);
      END LOOP;
    END LOOP;
    FOR i IN 1..floor(random() * 3) LOOP
      xn := xn + 1;
      EXECUTE format('WITH one AS (INSERT INTO x OVERRIDING SYSTEM VALUE VALUES (%1$s, %2$s, %3$s)) INSERT INTO y OVERRIDING SYSTEM VALUE VALUES (%3$s, %1$s, %4$L)',
                     tests.id(x, s || 'x', xn), tests.id(r, s || 'r', k), tests.id(y, s || 'y', xn), 'palavra');
    END LOOP;
  END LOOP;
  -- sequences stand behind the rows
  PERFORM setval(c.oid::regclass, 1000) FROM pg_class AS c WHERE c.relnamespace = s::regnamespace AND c.relkind = 'S' AND c.relname <> 'd_id_seq';
  PERFORM graph_profile(s, format('{"root": "r", "tables": {"r": {"class": "root", "names": ["%1$s.r"]}, "a": {"class": "own", "names": ["%1$s.a"], "owned_by": [["r_id"]]},
    "b": {"class": "own", "names": ["%1$s.b"], "owned_by": [["a_id"]]}, "c": {"class": "own", "names": ["%1$s.c"]}, "d": {"class": "own", "names": ["%1$s.d"]},
    "ab": {"class": "link", "names": ["%1$s.ab"]}, "x": {"class": "own", "names": ["%1$s.x"], "owned_by": [["r_id"]]}, "y": {"class": "own", "names": ["%1$s.y"], "owned_by": [["x_id"]]}}}', s)::jsonb);
END $$;

-- Everything in a schema, sequences too.
CREATE FUNCTION tests.state(s text, OUT counts jsonb, OUT fingerprint text) LANGUAGE plpgsql AS $$
DECLARE
  t record; n bigint; h text;
BEGIN
  counts := '{}'; fingerprint := '';
  FOR t IN SELECT relname, relkind FROM pg_class WHERE relnamespace = s::regnamespace AND relkind IN ('r', 'S') ORDER BY relname LOOP
    EXECUTE format('SELECT count(*), md5(string_agg(row::text, ''|'' ORDER BY row::text)) FROM (SELECT ROW(t.*)::text FROM %I.%I AS t) AS x(row)', s, t.relname) INTO n, h;
    fingerprint := fingerprint || t.relname || coalesce(h, '');
    IF t.relkind = 'r' THEN counts := counts || jsonb_build_object(t.relname, n); END IF;
  END LOOP;
END $$;

CREATE TABLE tests.results (schema text, root integer, changed boolean, errors text, foretold boolean, counted boolean, proven boolean);
CREATE PROCEDURE tests.run(s text) LANGUAGE plpgsql AS $$
DECLARE
  id text; k integer := 0; doc json; was record; now record; preview jsonb; done jsonb; changed boolean;
BEGIN
  FOR id IN EXECUTE format('SELECT id::text FROM %I.r ORDER BY name', s) LOOP
    k := k + 1;
    doc := graph_export(s, id);
    was := tests.state(s);
    preview := graph_import(s, doc);
    changed := tests.state(s) IS DISTINCT FROM was;
    done := graph_import(s, doc, dry_run => false);
    now := tests.state(s);
    INSERT INTO tests.results SELECT s, k, changed, tests.codes(preview), done - '{applied,batch_id,root_key,evidence}'::text[] = preview - 'applied',
      (SELECT bool_and((now.counts ->> t.key)::integer - (was.counts ->> t.key)::integer = (t.value ->> 'create')::integer) FROM jsonb_each(preview -> 'row_counts') AS t),
      done #>> '{evidence,rows_written}' = done #>> '{evidence,rows_read_back}' AND done #>> '{evidence,values_changed}' = '0' AND (done -> 'ids_left' ->> 'found') = '0';
  END LOOP;
END $$;

-- five hundred graphs, or a hundred with SNAPBACK_BRIEF
\set brief `echo "${SNAPBACK_BRIEF:-}"`
SELECT CASE WHEN :'brief' <> '' THEN 4 ELSE 20 END AS groups \gset
SELECT setseed(0.42) \gset
SELECT format('CALL tests.make(%L)', 'g' || n) FROM generate_series(1, :groups) AS n \gexec
SELECT format('CALL tests.run(%L)', 'g' || n) FROM generate_series(1, :groups) AS n \gexec
SELECT is((SELECT count(*)::integer FROM tests.results), 25 * :groups, 'all of the graphs');
SELECT is_empty('SELECT schema, root FROM tests.results WHERE changed', 'no dry run changes a row or a sequence');
SELECT is_empty($$SELECT schema, root, errors FROM tests.results WHERE errors <> ''$$, 'none has errors');
SELECT is_empty('SELECT schema, root FROM tests.results WHERE foretold IS NOT TRUE', 'each report is the one that was foretold');
SELECT is_empty('SELECT schema, root FROM tests.results WHERE counted IS NOT TRUE', 'each table has as many new rows as foretold');
SELECT is_empty('SELECT schema, root FROM tests.results WHERE proven IS NOT TRUE', 'each was read back');
SELECT is((SELECT bool_and((report ->> 'applied')::boolean) FROM (SELECT course_undo(batch, dry_run => false) AS report FROM (SELECT batch FROM course_batches ORDER BY batch LIMIT 20) AS x) AS y), true, 'and can be undone');
SELECT * FROM finish();
