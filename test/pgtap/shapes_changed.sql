-- Tables of every shape, changed and restored: as a reload, by difference, and made anew after they were dropped. Rows, and what the server
-- keeps beside them, are then as they were.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
LOAD 'pg_snapback';
SELECT no_plan();
CREATE EXTENSION btree_gist;
CREATE SCHEMA s;

-- the rows of tables, each by itself without its children
CREATE FUNCTION rows_of(tables text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  wanted text; found text; result text := '';
BEGIN
  FOREACH wanted IN ARRAY tables LOOP
    EXECUTE format('SELECT count(*) || coalesce(string_agg(t::text, E''\n'' ORDER BY t::text COLLATE "C"), '''') FROM %s %s t',
                   CASE WHEN (SELECT relkind FROM pg_class WHERE oid = wanted::regclass) = 'p' THEN '' ELSE 'ONLY' END, wanted) INTO found;
    result := result || wanted || ': ' || found || E'\n';
  END LOOP;
  RETURN result;
END $$;

-- Backs the tables up, changes them and restores them: reloaded, by difference, and (unless nothing is to be dropped) made anew.
CREATE FUNCTION comes_back(what text, tables text[], change text, dropped text DEFAULT NULL) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  taken text; before text := rows_of(tables); proven boolean; road text; set_threshold text;
BEGIN
  SELECT id INTO taken FROM backup_create(tables);
  FOREACH road IN ARRAY ARRAY['reloaded', 'by difference', 'made anew'] LOOP
    CONTINUE WHEN road = 'made anew' AND dropped IS NULL;
    PERFORM set_config('pg_snapback.reload_threshold', CASE road WHEN 'reloaded' THEN '0' ELSE '1' END, true);
    EXECUTE CASE road WHEN 'made anew' THEN dropped ELSE change END;
    IF road <> 'made anew' AND rows_of(tables) = before THEN
      RETURN NEXT fail(what || ': the change changes something');
    END IF;
    SELECT bool_and(b.proven) INTO proven FROM backup_restore(taken, tables, safety_backup => false) b WHERE action <> 'through partitions';
    RETURN NEXT is(proven::text || ' ' || rows_of(tables), 'true ' || before, what || ': ' || road);
    RETURN NEXT is((SELECT string_agg(name, ', ') FROM backup_compare(taken) WHERE equal IS NOT TRUE), NULL, what || ': the comparison agrees');
  END LOOP;
END $$;

-- ---- partitions ---------------------------------------------------------------------------------------------------------------
CREATE TABLE s.ev (id integer, at integer, twice integer GENERATED ALWAYS AS (at * 2) STORED, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE s.ev_1 PARTITION OF s.ev FOR VALUES FROM (0) TO (100);
CREATE TABLE s.ev_2 PARTITION OF s.ev FOR VALUES FROM (100) TO (200) PARTITION BY HASH (id);
CREATE TABLE s.ev_2a PARTITION OF s.ev_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE s.ev_2b PARTITION OF s.ev_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
-- one with columns in another order
CREATE TABLE s.ev_3 (v text, dropped integer, twice integer GENERATED ALWAYS AS (at * 2) STORED, at integer NOT NULL, id integer NOT NULL);
ALTER TABLE s.ev_3 DROP COLUMN dropped;
ALTER TABLE s.ev ATTACH PARTITION s.ev_3 FOR VALUES FROM (200) TO (300);
INSERT INTO s.ev (id, at, v) SELECT g, g % 300, 'v' || g FROM generate_series(1, 600) g;
SELECT comes_back('partitions', '{s.ev}', 'UPDATE s.ev SET at = (at + 100) % 300 WHERE id % 3 = 0; DELETE FROM s.ev WHERE id > 500', 'DROP TABLE s.ev');
SELECT is((SELECT count(*) FROM s.ev WHERE twice IS DISTINCT FROM at * 2), 0::bigint, 'generated columns are computed in every partition');
SELECT comes_back('a partition by itself', '{s.ev_2}', 'DELETE FROM s.ev_2 WHERE id % 2 = 0');
SELECT comes_back('a leaf by itself', '{s.ev_2b}', 'UPDATE s.ev_2b SET v = ''x''');
SELECT throws_ok('CREATE TABLE s.by_generated (a integer, b integer GENERATED ALWAYS AS (a) STORED) PARTITION BY RANGE (b)', '42P17', NULL, 'no generated column decides about a partition');

-- ---- inheritance ---------------------------------------------------------------------------------------------------------------
CREATE TABLE s.parent (id integer PRIMARY KEY, name text, CHECK (id > 0));
CREATE TABLE s.child (extra text DEFAULT 'e', PRIMARY KEY (id)) INHERITS (s.parent);
INSERT INTO s.parent SELECT g, 'p' || g FROM generate_series(1, 20) g;
INSERT INTO s.child SELECT g, 'c' || g, 'x' FROM generate_series(11, 40) g;
SELECT comes_back('parent and child', '{s.parent,s.child}', 'UPDATE s.parent SET name = ''y'' WHERE id < 15', 'DROP TABLE s.parent CASCADE');
UPDATE s.child SET extra = 'kept' WHERE id = 11;
SELECT comes_back('a parent by itself', '{s.parent}', 'DELETE FROM ONLY s.parent WHERE id < 5; UPDATE ONLY s.parent SET name = ''z'' WHERE id = 15');
SELECT is((SELECT extra FROM s.child WHERE id = 11), 'kept', 'its child keeps its rows');
SELECT comes_back('a child by itself', '{s.child}', 'DELETE FROM s.child WHERE id < 15', 'DROP TABLE s.child');
SELECT is((SELECT inhparent::regclass::text FROM pg_inherits WHERE inhrelid = 's.child'::regclass), 's.parent', 'it inherits as before');
SELECT is((SELECT count(*) FROM ONLY s.parent), 20::bigint, 'and its parent has its own rows still');

-- ---- identity, serials, sequences ------------------------------------------------------------------------------------------------
CREATE TABLE s.always (id integer GENERATED ALWAYS AS IDENTITY (START 7 INCREMENT 7) PRIMARY KEY, v text);
INSERT INTO s.always (v) SELECT 'a' || g FROM generate_series(1, 20) g;
SELECT comes_back('identity ALWAYS', '{s.always}', 'DELETE FROM s.always WHERE id < 50; UPDATE s.always SET v = ''x''; ALTER TABLE s.always ALTER id RESTART', 'DROP TABLE s.always');
INSERT INTO s.always (v) VALUES ('next') RETURNING id AS next_id \gset
SELECT is(:next_id, 147, 'the next identity follows the last');
SELECT throws_ok('INSERT INTO s.always VALUES (1, ''x'')', '428C9', NULL, 'and is ALWAYS still');
CREATE SEQUENCE s.down INCREMENT -3 MINVALUE -100 MAXVALUE 100 START 50;
CREATE SEQUENCE s.round INCREMENT 4 MINVALUE 1 MAXVALUE 10 CYCLE;
CREATE SEQUENCE s.cached CACHE 20;
CREATE SEQUENCE s.shared;
CREATE TABLE s.counted (id integer DEFAULT nextval('s.down') PRIMARY KEY, turn integer DEFAULT nextval('s.round'), far bigint DEFAULT nextval('s.cached'), v text);
ALTER SEQUENCE s.down OWNED BY s.counted.id;
CREATE TABLE s.left_user (id integer PRIMARY KEY DEFAULT nextval('s.shared'), v text);
CREATE TABLE s.right_user (id integer PRIMARY KEY DEFAULT nextval('s.shared'), v text);
INSERT INTO s.counted (v) SELECT 'c' || g FROM generate_series(1, 8) g;
INSERT INTO s.left_user (v) SELECT 'l' || g FROM generate_series(1, 5) g;
INSERT INTO s.right_user (v) SELECT 'r' || g FROM generate_series(1, 5) g;
SELECT last_value AS round_at FROM s.round \gset
SELECT id AS counted FROM backup_create('{s.counted,s.left_user,s.right_user}') \gset
SELECT comes_back('sequences that go down, round and far', '{s.counted,s.left_user,s.right_user}',
                  'DELETE FROM s.counted; DELETE FROM s.left_user WHERE id < 3; UPDATE s.right_user SET v = ''x''; ALTER SEQUENCE s.down RESTART; ALTER SEQUENCE s.shared RESTART',
                  'DROP TABLE s.counted, s.left_user, s.right_user; DROP SEQUENCE s.round, s.cached, s.shared');
SELECT results_eq($$SELECT format('%s', sequencename) COLLATE "C", increment_by, min_value, max_value, cycle, cache_size FROM pg_sequences WHERE schemaname = 's' AND sequencename IN ('down', 'round', 'cached', 'shared') ORDER BY 1$$,
  $$VALUES ('cached' COLLATE "C", 1::bigint, 1::bigint, 9223372036854775807, false, 20::bigint), ('down', -3, -100, 100, false, 1), ('round', 4, 1, 10, true, 1), ('shared', 1, 1, 9223372036854775807, false, 1)$$,
  'the sequences are made as they were');
SELECT is(nextval('s.down'), 26::bigint, 'going down it goes on below');
SELECT is(nextval('s.shared'), 11::bigint, 'two tables go on with one sequence');
SELECT is((SELECT last_value FROM s.round), :round_at::bigint, 'one that goes round stands where it stood');
SELECT is(pg_get_serial_sequence('s.counted', 'id'), 's.down', 'one is owned');
SELECT is(pg_get_serial_sequence('s.left_user', 'id'), NULL, 'the other is not');
SELECT setval('s.down', -70) AS moved \gset
DELETE FROM s.counted;
SELECT is((SELECT proven FROM backup_restore(:'counted', '{s.counted}')), true, 'a sequence that is further down');
SELECT is(nextval('s.down'), -73::bigint, 'never hands out a number twice');

-- ---- no key, only computed columns, dropped columns --------------------------------------------------------------------------------
CREATE TABLE s.no_key (a integer, b text);
INSERT INTO s.no_key SELECT g % 5, nullif('b' || g % 3, 'b1') FROM generate_series(1, 50) g;
SELECT comes_back('rows that are alike', '{s.no_key}', 'DELETE FROM s.no_key WHERE ctid IN (SELECT ctid FROM s.no_key LIMIT 20); INSERT INTO s.no_key VALUES (NULL, NULL)', 'DROP TABLE s.no_key');
CREATE TABLE s.computed (a integer GENERATED ALWAYS AS (1 + 1) STORED, b text GENERATED ALWAYS AS ('x') STORED);
INSERT INTO s.computed DEFAULT VALUES; INSERT INTO s.computed DEFAULT VALUES;
SELECT comes_back('only generated columns', '{s.computed}', 'INSERT INTO s.computed DEFAULT VALUES', 'DROP TABLE s.computed');
CREATE TABLE s.gaps (first text, id integer PRIMARY KEY, middle integer, v text, last text, doubled integer GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE s.gaps DROP COLUMN first, DROP COLUMN middle, DROP COLUMN last;
ALTER TABLE s.gaps ADD COLUMN late numeric DEFAULT 1.50;
INSERT INTO s.gaps (id, v) SELECT g, 'g' || g FROM generate_series(1, 30) g;
SELECT comes_back('dropped columns', '{s.gaps}', 'UPDATE s.gaps SET v = NULL, late = 2 WHERE id < 10; DELETE FROM s.gaps WHERE id > 25', 'DROP TABLE s.gaps');

-- ---- unlogged and temporary ---------------------------------------------------------------------------------------------------------
CREATE UNLOGGED TABLE s.unlogged (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, v text);
INSERT INTO s.unlogged (v) SELECT 'u' || g FROM generate_series(1, 20) g;
SELECT comes_back('an unlogged table', '{s.unlogged}', 'UPDATE s.unlogged SET v = ''x'' WHERE id < 5; DELETE FROM s.unlogged WHERE id > 15', 'DROP TABLE s.unlogged');
SELECT is((SELECT relpersistence::text FROM pg_class WHERE oid = 's.unlogged'::regclass), 'u', 'is unlogged again');
CREATE TEMPORARY TABLE fleeting (id integer PRIMARY KEY, v text);
INSERT INTO fleeting SELECT g, 't' || g FROM generate_series(1, 20) g;
SELECT comes_back('a temporary table, named', '{fleeting}', 'UPDATE fleeting SET v = ''x'' WHERE id < 5; DELETE FROM fleeting WHERE id > 15');
SELECT id AS wide FROM backup_create() \gset
SELECT is((SELECT count(*) FROM backup_show(:'wide') WHERE name = 'fleeting'), 0::bigint, 'which all tables do not include');

-- ---- views and foreign tables -----------------------------------------------------------------------------------------------------------
CREATE VIEW s.seen AS SELECT id, name FROM s.parent WHERE id > 5;
CREATE MATERIALIZED VIEW s.kept AS SELECT id, v FROM s.gaps;
CREATE EXTENSION file_fdw;
CREATE SERVER files FOREIGN DATA WRAPPER file_fdw;
CREATE FOREIGN TABLE s.far (a integer, b text) SERVER files OPTIONS (program 'printf "1,a\n2,\"b\"\n3,\n"', format 'csv');
SELECT is((SELECT count(*) FROM backup_show(:'wide') WHERE schema = 's' AND name IN ('seen', 'kept', 'far')), 0::bigint, 'all tables include no views');
SELECT id AS looked FROM backup_create('{s.seen,s.kept,s.far,s.gaps}', verify => 'content') \gset
SELECT results_eq(format('SELECT kind, name, rows FROM backup_show(%L) WHERE kind <> ''sequence'' ORDER BY name', :'looked'),
  $$SELECT * FROM (VALUES ('foreign table', 'far', 3::bigint), ('table', 'gaps', 30), ('materialized view', 'kept', 30), ('view', 'seen', (SELECT count(*) FROM s.seen))) v (kind, name, rows)$$, 'named, their rows are taken');
SELECT results_eq(format('SELECT name, equal FROM backup_compare(%L) ORDER BY name', :'looked'), $$VALUES ('far', true), ('gaps', true), ('kept', true), ('seen', true)$$, 'they compare');
UPDATE s.gaps SET v = 'other' WHERE id = 1;
DELETE FROM s.parent WHERE id = 6;
REFRESH MATERIALIZED VIEW s.kept;
SELECT results_eq(format('SELECT name, equal FROM backup_compare(%L) ORDER BY name', :'looked'), $$VALUES ('far', true), ('gaps', false), ('kept', false), ('seen', false)$$, 'and changes show');
SELECT results_eq(format('SELECT name, action, note FROM backup_restore(%L) ORDER BY name', :'looked'),
  $$VALUES ('far', 'skipped', 'it was a foreign table'), ('gaps', 'by difference', NULL), ('kept', 'skipped', 'it was a materialized view'), ('seen', 'skipped', 'it was a view')$$, 'a restore brings back tables only, and says so');
SELECT throws_ok(format('SELECT * FROM backup_restore(%L, ARRAY[%L])', :'looked', 's.' || name), '42809', NULL, 'nor is a ' || name || ' by name') FROM (VALUES ('seen'), ('kept'), ('far')) v (name);
DROP MATERIALIZED VIEW s.kept;

-- ---- toast --------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE s.packed (id integer PRIMARY KEY, a text COMPRESSION lz4, b text COMPRESSION pglz, c text, d bytea COMPRESSION lz4);
ALTER TABLE s.packed ALTER c SET STORAGE EXTERNAL, ALTER d SET STORAGE MAIN;
INSERT INTO s.packed SELECT g, repeat('lz4 ' || g, 2000), repeat('pglz ' || g, 2000), repeat('none ' || g, 2000), convert_to(repeat('main' || g, 500), 'UTF8') FROM generate_series(1, 20) g;
SELECT comes_back('compressed values', '{s.packed}', 'UPDATE s.packed SET a = reverse(a), d = NULL WHERE id < 10; DELETE FROM s.packed WHERE id > 15', 'DROP TABLE s.packed');
SELECT is((SELECT not_captured - 'views of the database' FROM backup_create('{s.packed}')), '{}'::jsonb, 'made anew they are stored as is usual');
ALTER TABLE s.packed ALTER a SET COMPRESSION lz4;
SELECT is((SELECT count(*) FROM s.packed WHERE pg_column_compression(a) = 'lz4'), 0::bigint, 'values of before keep their form');
SELECT id AS squeezed FROM backup_create('{s.packed}') \gset
UPDATE s.packed SET b = a;
SET pg_snapback.reload_threshold = 0;
SELECT is((SELECT action FROM backup_restore(:'squeezed', '{s.packed}')), 'reloaded', 'over a table that compresses with lz4');
RESET pg_snapback.reload_threshold;
SELECT is((SELECT count(*) FROM s.packed WHERE pg_column_compression(a) = 'lz4'), 20::bigint, 'they are written as it says');
CREATE TABLE s.laden (id integer PRIMARY KEY, v text, g integer GENERATED ALWAYS AS (id) STORED) WITH (fillfactor = 70);
CREATE FUNCTION s.fire() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TRIGGER one BEFORE INSERT ON s.laden FOR EACH ROW EXECUTE FUNCTION s.fire();
CREATE POLICY two ON s.laden USING (true);
CREATE RULE three AS ON DELETE TO s.laden DO INSTEAD NOTHING;
GRANT SELECT ON s.laden TO PUBLIC;
COMMENT ON TABLE s.laden IS 'four';
CREATE STATISTICS s.five ON id, v FROM s.laden;
SELECT is((SELECT not_captured - 'views of the database' FROM backup_create('{s.laden}')),
          '{"triggers": 1, "row security policies": 1, "rules": 1, "privileges": 1, "comments": 1, "extended statistics": 1, "generated columns (recomputed by a restore)": 1, "storage settings": 1}'::jsonb,
          'what is not in a backup is counted in its result');

-- ---- names ----------------------------------------------------------------------------------------------------------------------------------
CREATE SCHEMA "S. ""q""";
CREATE TABLE "S. ""q"""."Table, 'x'" ("ID" integer PRIMARY KEY, "Select" text, "a""b" text, "é, {}" text, "$1" text);
INSERT INTO "S. ""q"""."Table, 'x'" SELECT g, 'n' || g, 'q"', '{', '$' FROM generate_series(1, 20) g;
CREATE INDEX "An ""index""" ON "S. ""q"""."Table, 'x'" ("a""b") WHERE "Select" <> '''';
SELECT comes_back('odd names', ARRAY[$$"S. ""q"""."Table, 'x'"$$], $$UPDATE "S. ""q"""."Table, 'x'" SET "é, {}" = NULL WHERE "ID" < 5$$, $$DROP TABLE "S. ""q"""."Table, 'x'"$$);

-- ---- operators of a schema that is in no search path -------------------------------------------------------------------------------------------
CREATE FUNCTION s.alike(integer, integer) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT $1 % 100 = $2 % 100';
CREATE OPERATOR s.~=~ (LEFTARG = integer, RIGHTARG = integer, FUNCTION = s.alike, COMMUTATOR = OPERATOR(s.~=~));
CREATE FUNCTION s.backwards(integer, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT btint4cmp($2, $1)';
CREATE OPERATOR CLASS s.backwards FOR TYPE integer USING btree AS OPERATOR 1 >, OPERATOR 2 >=, OPERATOR 3 =, OPERATOR 4 <=, OPERATOR 5 <, FUNCTION 1 s.backwards(integer, integer);
CREATE TABLE s.operated (id integer PRIMARY KEY, a integer, b integer GENERATED ALWAYS AS ((a OPERATOR(s.~=~) 5)::integer) STORED, CHECK (NOT a OPERATOR(s.~=~) 99), CHECK (id OPERATOR(pg_catalog.>) 0));
CREATE INDEX operated_a ON s.operated (a s.backwards) WHERE a OPERATOR(s.~=~) 5;
CREATE UNIQUE INDEX operated_u ON s.operated ((a OPERATOR(pg_catalog.+) id) s.backwards);
INSERT INTO s.operated SELECT g, g % 50 FROM generate_series(1, 49) g;
SELECT pg_get_indexdef('s.operated_a'::regclass) AS operated_index \gset
SELECT comes_back('operators by their schema', '{s.operated}', 'UPDATE s.operated SET a = 5 WHERE id = 40; DELETE FROM s.operated WHERE id < 10', 'DROP TABLE s.operated');
SELECT is(pg_get_indexdef('s.operated_a'::regclass), :'operated_index', 'the index has its operator class');
SELECT throws_ok('INSERT INTO s.operated VALUES (60, 199)', '23514', NULL, 'and the check its operator');

-- ---- rules and triggers, event triggers ---------------------------------------------------------------------------------------------------------
CREATE TABLE s.ruled (id integer PRIMARY KEY, v text);
INSERT INTO s.ruled SELECT g, 'r' || g FROM generate_series(1, 20) g;
CREATE RULE no_insert AS ON INSERT TO s.ruled DO INSTEAD NOTHING;
CREATE RULE no_delete AS ON DELETE TO s.ruled DO INSTEAD NOTHING;
CREATE RULE no_update AS ON UPDATE TO s.ruled WHERE OLD.v <> 'x' DO INSTEAD SELECT 1 / 0;
SELECT comes_back('rules', '{s.ruled}', 'ALTER TABLE s.ruled DISABLE RULE no_delete, DISABLE RULE no_update; UPDATE s.ruled SET v = ''x'' WHERE id < 3; DELETE FROM s.ruled WHERE id > 18; ALTER TABLE s.ruled ENABLE RULE no_delete, ENABLE RULE no_update');
SELECT is((SELECT string_agg(rulename, ',' ORDER BY rulename) FROM pg_rules WHERE schemaname = 's' AND tablename = 'ruled'), 'no_delete,no_insert,no_update', 'they are still there');
CREATE TABLE fired (tag text);
CREATE FUNCTION note_event() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO public.fired VALUES (tg_event || ' ' || tg_tag); END $$;
CREATE EVENT TRIGGER noting_start ON ddl_command_start EXECUTE FUNCTION note_event();
CREATE EVENT TRIGGER noting_rewrite ON table_rewrite EXECUTE FUNCTION note_event();
CREATE EVENT TRIGGER noting_drop ON sql_drop EXECUTE FUNCTION note_event();
SELECT id AS watched FROM backup_create('{s.gaps,s.no_key}') \gset
UPDATE s.gaps SET v = 'y'; DELETE FROM s.no_key WHERE a = 1;
SELECT is((SELECT string_agg(name || ' ' || action, ', ' ORDER BY name) FROM backup_restore(:'watched')), 'gaps reloaded, no_key reloaded', 'a reload under event triggers');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'is no command for them');
DROP TABLE s.no_key;
TRUNCATE fired;
SELECT is((SELECT action FROM backup_restore(:'watched', '{s.no_key}')), 'created', 'a table that is made anew');
SELECT is((SELECT string_agg(DISTINCT tag, ', ') FROM fired WHERE tag NOT LIKE 'ddl_command_start CREATE %'), NULL, 'is a CREATE for them and nothing else');
CREATE FUNCTION refuse_event() RETURNS event_trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'no more tables' USING ERRCODE = 'P0007'; END $$;
CREATE EVENT TRIGGER refusing ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION refuse_event();
DROP TABLE s.no_key;
UPDATE s.gaps SET v = 'z';
SELECT throws_ok(format('SELECT * FROM backup_restore(%L)', :'watched'), 'P0007', NULL, 'one that refuses ends the restore');
SELECT is((SELECT count(*) FROM s.gaps WHERE v = 'z'), 30::bigint, 'and nothing is changed');
DROP EVENT TRIGGER refusing; DROP EVENT TRIGGER noting_start; DROP EVENT TRIGGER noting_rewrite; DROP EVENT TRIGGER noting_drop;

-- ---- constraints ----------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE s.booked (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, room integer, during int4range, code text UNIQUE DEFERRABLE, EXCLUDE USING gist (room WITH =, during WITH &&) DEFERRABLE INITIALLY DEFERRED,
                       EXCLUDE (code WITH =) WHERE (code <> 'c1'));
INSERT INTO s.booked SELECT g, g % 5, int4range(g * 10, g * 10 + 10), 'c' || g FROM generate_series(1, 50) g;
SELECT comes_back('deferrable and exclusion constraints', '{s.booked}', 'UPDATE s.booked SET during = int4range(5000 + id, 5001 + id), id = id + 100 WHERE id < 20; DELETE FROM s.booked WHERE id BETWEEN 40 AND 50', 'DROP TABLE s.booked');
CREATE TABLE s.tree (id integer PRIMARY KEY, parent integer REFERENCES s.tree ON DELETE CASCADE, name text);
INSERT INTO s.tree SELECT g, nullif(g / 2, 0), 'n' || g FROM generate_series(1, 63) g;
SELECT comes_back('a table that points at itself', '{s.tree}', 'DELETE FROM s.tree WHERE id = 3; UPDATE s.tree SET parent = 1 WHERE id > 50', 'DROP TABLE s.tree');
CREATE TABLE s.hen (id integer PRIMARY KEY, egg integer);
CREATE TABLE s.egg (id integer PRIMARY KEY, hen integer NOT NULL REFERENCES s.hen DEFERRABLE);
ALTER TABLE s.hen ADD FOREIGN KEY (egg) REFERENCES s.egg DEFERRABLE INITIALLY DEFERRED;
BEGIN;
INSERT INTO s.hen SELECT g, g FROM generate_series(1, 20) g; INSERT INTO s.egg SELECT g, g FROM generate_series(1, 20) g;
COMMIT;
SELECT comes_back('two tables that point at each other', '{s.hen,s.egg}', 'UPDATE s.hen SET egg = NULL WHERE id < 5; DELETE FROM s.egg WHERE id < 5; SET CONSTRAINTS ALL IMMEDIATE', 'DROP TABLE s.hen, s.egg CASCADE');
CREATE TABLE s.pairs (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE s.uses (id integer PRIMARY KEY, a integer, b integer, FOREIGN KEY (a, b) REFERENCES s.pairs MATCH FULL ON UPDATE CASCADE);
INSERT INTO s.pairs SELECT g, g + 1 FROM generate_series(1, 20) g;
INSERT INTO s.uses SELECT g, nullif(g % 21, 0), nullif(g % 21, 0) + 1 FROM generate_series(1, 60) g;
SELECT comes_back('MATCH FULL', '{s.pairs,s.uses}', 'UPDATE s.uses SET a = NULL, b = NULL WHERE id < 10; DELETE FROM s.uses WHERE a > 15; DELETE FROM s.pairs WHERE a > 15', 'DROP TABLE s.uses, s.pairs');
SELECT throws_ok('INSERT INTO s.uses VALUES (100, 1, NULL)', '23503', NULL, 'is full still');
-- a key that is MATCH FULL since the backup was taken: rows whose reference is NULL in part break it
CREATE TABLE s.wholes (a integer, b integer, PRIMARY KEY (a, b));
CREATE TABLE s.halves (id integer PRIMARY KEY, a integer, b integer, v text);
INSERT INTO s.wholes SELECT g, g FROM generate_series(1, 10) g;
INSERT INTO s.halves SELECT g, CASE WHEN g <> 7 THEN g END, CASE WHEN g % 5 <> 0 AND g <> 7 THEN g END, 'h' || g FROM generate_series(1, 10) g;
SELECT id AS halves FROM backup_create('{s.halves}') \gset
UPDATE s.halves SET b = a WHERE b IS NULL;
UPDATE s.halves SET v = 'x' WHERE id < 3;
ALTER TABLE s.halves ADD CONSTRAINT now_full FOREIGN KEY (a, b) REFERENCES s.wholes MATCH FULL;
DELETE FROM s.halves WHERE id IN (5, 6, 7);
CREATE FUNCTION breaks_key(taken text, mode text, threshold text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  before text := rows_of('{s.halves,s.wholes}');
BEGIN
  PERFORM set_config('pg_snapback.reload_threshold', threshold, true);
  RETURN NEXT throws_ok(format('SELECT * FROM backup_restore(%L, ''{s.halves}'', mode => %L)', taken, mode), '23503', 'the restore would violate foreign key "now_full" of table "s.halves"',
                        'references that are NULL in part, mode ' || mode || ', threshold ' || threshold);
  RETURN NEXT is(rows_of('{s.halves,s.wholes}'), before, 'nothing is changed');
END $$;
SELECT breaks_key(:'halves', mode, threshold) FROM (VALUES ('replace', '0'), ('replace', '1'), ('missing', '1'), ('upsert', '1')) v (mode, threshold);
SELECT is(action || ': ' || split_part(note, '; ', 2), 'refused: the restore would fail with 23503: 2 rows would violate foreign key "now_full" of table "s.halves"', 'the dry run says how many') FROM backup_restore(:'halves', '{s.halves}', dry_run => true);
INSERT INTO s.halves VALUES (5, 5, 5, 'stays');
SELECT results_eq(format('SELECT action, inserted, proven FROM backup_restore(%L, ''{s.halves}'', mode => ''missing'')', :'halves'), $$VALUES ('merged', 2::bigint, true)$$, 'missing rows whose references are whole, or NULL as a whole, come back');
SELECT breaks_key(:'halves', 'upsert', '1');
-- keys that the rows of the backup break, and are not yet proven to hold
CREATE TABLE s.old_parent (id integer PRIMARY KEY);
CREATE TABLE s.old_child (id integer PRIMARY KEY, parent integer, v text);
INSERT INTO s.old_parent SELECT generate_series(1, 5);
INSERT INTO s.old_child SELECT g, g, 'o' || g FROM generate_series(1, 10) g;
ALTER TABLE s.old_child ADD CONSTRAINT unproven FOREIGN KEY (parent) REFERENCES s.old_parent NOT VALID;
SELECT comes_back('a key that is NOT VALID', '{s.old_parent,s.old_child}', 'UPDATE s.old_child SET v = ''x'' WHERE id < 5', 'DROP TABLE s.old_child, s.old_parent');
SELECT is((SELECT convalidated FROM pg_constraint WHERE conname = 'unproven'), false, 'is NOT VALID still');
SELECT throws_ok('INSERT INTO s.old_child VALUES (100, 100)', '23503', NULL, 'and holds for new rows');

-- ---- values that name tables ---------------------------------------------------------------------------------------------------------------------
CREATE TYPE s.remark AS (note text, about regclass);
CREATE TABLE s.named (id integer PRIMARY KEY, r regclass, ra regclass[], c s.remark[]);
CREATE TABLE s.pointed_at ();
INSERT INTO s.named VALUES (1, 's.pointed_at', '{s.pointed_at,NULL}', ARRAY[('n', 's.pointed_at')::s.remark]), (2, 'pg_class', NULL, NULL);
SELECT id AS named FROM backup_create('{s.named}') \gset
DELETE FROM s.named WHERE id = 1;
DROP TABLE s.pointed_at;
SELECT is((SELECT ok FROM backup_verify(:'named')), true, 'that a table is gone which a value names is no damage');
SELECT alike((SELECT action || ': ' || note FROM backup_restore(:'named', dry_run => true)), 'refused: the restore would fail with 42P01: invalid value for column "r" in row 0 of the backup%', 'the dry run says that the value is refused');
SELECT throws_ok(format('SELECT * FROM backup_restore(%L)', :'named'), '42P01', 'invalid value for column "r" in row 0 of the backup', 'as the restore does');
CREATE TABLE s.pointed_at ();
SELECT is((SELECT proven FROM backup_restore(:'named')), true, 'with a table of that name it comes back');
SELECT is((SELECT string_agg(id::text || r::text || coalesce(c[1].about::text, ''), ',' ORDER BY id) FROM s.named), '1s.pointed_ats.pointed_at,2pg_class', 'and names it');

-- ---- rows whose values make no tuple together: a tuple then has pointers to them -------------------------------------------------------------------
CREATE TABLE s.heavy (id integer PRIMARY KEY, a text, b bytea, c text, p text, n jsonb, short text, empty text, begins text GENERATED ALWAYS AS (left(a, 5)) STORED, CHECK (length(a) > 100));
ALTER TABLE s.heavy ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE MAIN, ALTER p SET STORAGE PLAIN;
CREATE FUNCTION heavy(from_id integer, to_id integer) RETURNS TABLE (id integer, a text, b bytea, c text, p text, n jsonb, short text) LANGUAGE sql AS $$
  SELECT g, (SELECT string_agg(md5(g || 'a' || i), '') FROM generate_series(1, 700) i), (SELECT decode(string_agg(md5(g || 'b' || i), ''), 'hex') FROM generate_series(1, 2000) i), repeat('c' || g, 3000),
         repeat('p', 700), jsonb_build_object('k', repeat(md5(g::text), 200)), 's'
    FROM generate_series(from_id, to_id) g $$;
INSERT INTO s.heavy SELECT * FROM heavy(1, 20);
SET pg_snapback.test_largest_row = 2048;
SELECT comes_back('rows with pointers', '{s.heavy}', 'UPDATE s.heavy SET a = a || ''x'', b = b || b WHERE id < 5; DELETE FROM s.heavy WHERE id > 15; UPDATE s.heavy SET short = ''t'' WHERE id = 7', 'DROP TABLE s.heavy');
SELECT id AS heavy FROM backup_create('{s.heavy}') \gset
SELECT rows_of('{s.heavy}') AS before \gset
UPDATE s.heavy SET a = reverse(a), n = NULL WHERE id < 5;
DELETE FROM s.heavy WHERE id > 15;
SELECT results_eq(format('SELECT action, inserted, updated FROM backup_restore(%L, mode => %L, safety_backup => false)', :'heavy', 'missing'), $$VALUES ('merged', 5::bigint, 0::bigint)$$, 'missing rows with pointers');
SELECT results_eq(format('SELECT action, inserted, updated FROM backup_restore(%L, mode => %L, safety_backup => false)', :'heavy', 'upsert'), $$VALUES ('merged', 0::bigint, 4::bigint)$$, 'and differing ones');
SELECT is(rows_of('{s.heavy}'), :'before', 'all is as it was');
SELECT is((SELECT count(*) FROM s.heavy WHERE begins = left(a, 5) AND length(p) = 700), 20::bigint, 'with generated and plain columns');
RESET pg_snapback.test_largest_row;

SELECT * FROM finish();
