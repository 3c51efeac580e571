-- Restoring by difference: only rows that differ are written, whatever the edits were and whatever constraints the table has.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
SELECT no_plan();

-- what a restore says of one table
CREATE FUNCTION restored(id text, wanted text, dry boolean DEFAULT false) RETURNS text LANGUAGE sql AS $$
  SELECT format('%s +%s ~%s -%s =%s', action, inserted, updated, deleted, unchanged)
    FROM backup_restore(id, ARRAY[wanted], safety_backup => false, dry_run => dry)
$$;
-- rows and their physical places, so that a row which is written shows
CREATE FUNCTION places(wanted regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
  RETURN QUERY EXECUTE format('SELECT ctid::text || t::text FROM %s t', wanted);
END $$;

CREATE TABLE topics (id integer PRIMARY KEY, title text, weight numeric, tags text[]);
INSERT INTO topics SELECT g, 'topic ' || g, g / 7.0, ARRAY['a' || g, NULL] FROM generate_series(1, 3000) g;
SELECT id AS first FROM backup_create() \gset

-- ---- the ordinary case ----------------------------------------------------------------------------------------------------------
SELECT is(restored(:'first', 'topics'), 'unchanged +0 ~0 -0 =3000', 'nothing to do');
DELETE FROM topics WHERE id <= 10;
UPDATE topics SET title = 'changed' WHERE id BETWEEN 11 AND 30;
INSERT INTO topics SELECT g, 'new' FROM generate_series(5001, 5005) g;
CREATE TABLE untouched AS SELECT ctid AS place, id FROM topics WHERE id BETWEEN 31 AND 3000;
SELECT is(restored(:'first', 'topics', true), 'by difference +10 ~20 -5 =2970', 'the dry run counts');
SELECT is((SELECT count(*) FROM topics WHERE id > 5000), 5::bigint, 'and writes nothing');
SELECT is(restored(:'first', 'topics'), 'by difference +10 ~20 -5 =2970', 'the restore does that');
SELECT is((SELECT equal FROM backup_compare(:'first', '{topics}')), true, 'the table equals the backup');
SELECT is((SELECT count(*) FROM topics t JOIN untouched u ON t.id = u.id AND t.ctid = u.place), 2970::bigint, 'rows that were equal stayed where they were');
SELECT is((SELECT count(*) FROM topics WHERE id BETWEEN 1 AND 30 AND title = 'topic ' || id), 30::bigint, 'index lookups find the written rows');

-- ---- the threshold -------------------------------------------------------------------------------------------------------------
UPDATE topics SET title = 'x' WHERE id <= 1000;
SELECT is(restored(:'first', 'topics', true), 'reload +3000 ~0 -3000 =0', 'a third is too much by default');
SET pg_snapback.reload_threshold = 0.4;
SELECT is(restored(:'first', 'topics', true), 'by difference +0 ~1000 -0 =2000', 'but not when more is allowed');
RESET pg_snapback.reload_threshold;
CREATE TABLE every_other (id integer PRIMARY KEY, title text);
INSERT INTO every_other SELECT g, 'row ' || g FROM generate_series(1, 40000) g;
SELECT id AS even FROM backup_create('{every_other}') \gset
DELETE FROM every_other WHERE id % 2 = 0;
SELECT is(restored(:'even', 'every_other', true), 'reload +40000 ~0 -20000 =0', 'half of the rows is too much, also when it is every second one');
SET pg_snapback.reload_threshold = 0;
UPDATE topics SET title = 'topic ' || id WHERE id BETWEEN 2 AND 1000;
SELECT is(restored(:'first', 'topics'), 'reloaded +3000 ~0 -3000 =0', 'zero reloads for one row');
SELECT is(restored(:'first', 'topics'), 'unchanged +0 ~0 -0 =3000', 'but not for none');
SET pg_snapback.reload_threshold = 1;
UPDATE topics SET id = id + 10000;
SELECT is(restored(:'first', 'topics', true), 'by difference +3000 ~0 -3000 =0', 'one never reloads, as far as the estimate goes');
SELECT is(restored(:'first', 'topics'), 'by difference +3000 ~0 -3000 =0', 'all keys changed');
SELECT is((SELECT equal FROM backup_compare(:'first', '{topics}')), true, 'all is back');
SELECT throws_ok('SET pg_snapback.reload_threshold = 1.5', '22023', NULL, 'a share is at most 1');
TRUNCATE topics;
SELECT is(restored(:'first', 'topics'), 'by difference +3000 ~0 -0 =0', 'into an empty table');

-- ---- unique values that swap, deferrable and exclusion constraints ----------------------------------------------------------------
CREATE EXTENSION btree_gist;
CREATE TABLE seats (id integer PRIMARY KEY, seat integer NOT NULL UNIQUE, code text UNIQUE DEFERRABLE INITIALLY DEFERRED, during int4range,
                    lower_code text GENERATED ALWAYS AS (lower(code)) STORED, EXCLUDE USING gist (during WITH &&) DEFERRABLE);
CREATE UNIQUE INDEX ON seats ((seat * 10));
CREATE UNIQUE INDEX ON seats (lower_code) WHERE id > 5;
INSERT INTO seats SELECT g, g, 'C' || g, int4range(g * 10, g * 10 + 10) FROM generate_series(1, 200) g;
CREATE TABLE ring (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, n integer, next integer);
INSERT INTO ring SELECT g, g, g % 100 + 1 FROM generate_series(1, 100) g;
CREATE TABLE tree (id integer PRIMARY KEY, parent integer REFERENCES tree ON DELETE CASCADE, name text);
INSERT INTO tree SELECT g, nullif(g / 2, 0), 'n' || g FROM generate_series(1, 127) g;
SELECT id AS second FROM backup_create() \gset
BEGIN;
UPDATE seats SET seat = -seat WHERE id IN (1, 2, 3);
UPDATE seats SET seat = CASE id WHEN 1 THEN 2 WHEN 2 THEN 3 ELSE 1 END, code = CASE id WHEN 1 THEN 'C2' WHEN 2 THEN 'C3' ELSE 'C1' END WHERE id IN (1, 2, 3);
SET CONSTRAINTS ALL DEFERRED;
UPDATE seats SET during = CASE id WHEN 8 THEN int4range(90, 100) ELSE int4range(80, 90) END WHERE id IN (8, 9);
DELETE FROM seats WHERE id = 20;
UPDATE seats SET id = 20, seat = 20, code = 'C20', during = '[200,210)' WHERE id = 21;
INSERT INTO seats VALUES (300, 21, 'C21', '[210,220)');
COMMIT;
CREATE TABLE was AS SELECT * FROM seats;
SELECT is(restored(:'second', 'seats', true), 'by difference +1 ~5 -1 =194', 'swapped unique values: what is to do');
SELECT is(restored(:'second', 'seats'), 'by difference +1 ~5 -1 =194', 'no order of writing makes them collide');
SELECT is((SELECT equal FROM backup_compare(:'second', '{seats}')), true, 'they are as they were');
SELECT is((SELECT count(*) FROM seats WHERE lower_code = lower(code)), 200::bigint, 'generated columns are computed anew');
SET enable_seqscan = off;
SELECT is((SELECT string_agg(id::text, ',' ORDER BY id) FROM seats WHERE seat IN (1, 2, 3) AND during && int4range(10, 40)), '1,2,3', 'through their indexes too');
RESET enable_seqscan;

-- a conflict with what the backup has is an error, not a surprise at commit
SELECT throws_ok($$INSERT INTO seats VALUES (400, 5, 'x', '[9000,9001)')$$, '23505', NULL, 'constraints hold as before');
ALTER TABLE seats DROP CONSTRAINT seats_code_key;
UPDATE seats SET code = 'same' WHERE id IN (1, 2);
SELECT id AS doubled FROM backup_create('{seats}') \gset
UPDATE seats SET code = 'C' || id WHERE id IN (1, 2);
ALTER TABLE seats ADD UNIQUE (code) DEFERRABLE INITIALLY DEFERRED;
SELECT throws_ok(format('SELECT restored(%L, %L)', :'doubled', 'seats'), '23505', 'duplicate key value violates unique constraint "seats_code_key"',
                 'a deferrable constraint that the backup breaks is 23505');
ALTER TABLE seats DROP CONSTRAINT seats_during_excl;
UPDATE seats SET during = '[1000,1010)' WHERE id IN (8, 9);
SELECT id AS overlapping FROM backup_create('{seats}') \gset
UPDATE seats SET during = int4range(id * 10, id * 10 + 10) WHERE id IN (8, 9, 100);
DELETE FROM seats WHERE id >= 100;
ALTER TABLE seats ADD EXCLUDE USING gist (during WITH &&) DEFERRABLE;
SELECT throws_ok(format('SELECT restored(%L, %L)', :'overlapping', 'seats'), '23P01', 'conflicting key value violates exclusion constraint "seats_during_excl"',
                 'so is an exclusion constraint 23P01');
SELECT is((SELECT count(*) FROM seats), 99::bigint, 'and nothing is changed');

-- deferrable keys, self-references
UPDATE ring SET id = 101 - id, next = 101 - next;
UPDATE ring SET n = -n WHERE id < 50;
SELECT is(restored(:'second', 'ring'), 'by difference +0 ~100 -0 =0', 'a deferrable primary key');
SELECT is((SELECT equal FROM backup_compare(:'second', '{ring}')), true, 'is proven all the same');
DELETE FROM tree WHERE id = 40;
UPDATE tree SET parent = 1 WHERE id > 120;
SELECT is(restored(:'second', 'tree'), 'by difference +3 ~7 -0 =117', 'rows that point at rows that come back with them');
INSERT INTO tree VALUES (200, 3, 'x'), (201, 200, 'y');
CREATE TABLE leaf (tree_id integer REFERENCES tree);
INSERT INTO leaf VALUES (201);
SELECT throws_ok(format('SELECT restored(%L, %L)', :'second', 'tree'), '23503', NULL, 'a row that others point at cannot go');
DELETE FROM leaf;
SELECT is(restored(:'second', 'tree'), 'by difference +0 ~0 -2 =127', 'cascades never run, rows that go may point at each other');

-- ---- keys that are no primary key; keys equal in another text form ---------------------------------------------------------------
CREATE TABLE loose (a numeric NOT NULL, b text COLLATE "C", extra text, CONSTRAINT loose_a UNIQUE (a));
INSERT INTO loose SELECT g::numeric(10,2), 'b' || g, repeat('long ', 2000) || g FROM generate_series(1, 200) g;
SELECT id AS third FROM backup_create('{loose}') \gset
UPDATE loose SET a = a::numeric(10,1) WHERE a <= 20;
UPDATE loose SET extra = 'short' WHERE a > 195;
SELECT is(restored(:'third', 'loose'), 'by difference +20 ~5 -20 =175', 'a unique NOT NULL key; another form of a number counts as another key and ends the same');
SELECT is((SELECT equal FROM backup_compare(:'third', '{loose}')), true, 'equal');
ALTER TABLE loose ALTER COLUMN a DROP NOT NULL;
UPDATE loose SET b = 'x' WHERE a = 1;
SELECT is(restored(:'third', 'loose'), 'reloaded +200 ~0 -200 =0', 'without NOT NULL it is no key');
CREATE TABLE wide_key (k text PRIMARY KEY, v integer);
INSERT INTO wide_key SELECT repeat(md5(g::text), 30) || g, g FROM generate_series(1, 100) g;
SELECT id AS fourth FROM backup_create('{wide_key}') \gset
UPDATE wide_key SET v = -v WHERE v <= 10;
SELECT is(restored(:'fourth', 'wide_key'), 'by difference +10 ~0 -10 =90', 'keys of a kilobyte');
SELECT is((SELECT equal FROM backup_compare(:'fourth', '{wide_key}')), true, 'equal');

-- ---- columns that came and went --------------------------------------------------------------------------------------------------
ALTER TABLE topics ADD COLUMN note text DEFAULT 'fresh', DROP COLUMN weight, ALTER COLUMN id TYPE bigint;
UPDATE topics SET note = 'mine ' || id;
UPDATE topics SET title = 'y' WHERE id <= 5;
DELETE FROM topics WHERE id = 6;
SELECT throws_ok(format('SELECT restored(%L, %L)', :'first', 'topics'), '42804', NULL, 'values of a dropped column are not lost without a word');
SELECT is((SELECT format('%s +%s ~%s -%s =%s', action, inserted, updated, deleted, unchanged) FROM backup_restore(:'first', '{topics}', allow_loss => true)),
          'by difference +1 ~5 -0 =2994', 'rows are compared by the columns that are on both sides, in the types of today');
SELECT is((SELECT string_agg(note, ',' ORDER BY id) FROM topics WHERE id BETWEEN 4 AND 7), 'mine 4,mine 5,fresh,mine 7', 'what the backup does not have stays; new rows get the default');
SELECT is((SELECT count(*) FROM topics WHERE title = 'topic ' || id), 3000::bigint, 'the rest is back');
-- also where the row has to be written anew
ALTER TABLE topics ADD UNIQUE (title);
UPDATE topics SET title = CASE id WHEN 1 THEN 'topic 2' ELSE 'topic 1' END WHERE id IN (1, 2) AND false;
BEGIN;
UPDATE topics SET title = 'z' WHERE id = 1;
UPDATE topics SET title = 'topic 1', note = repeat('kept ', 5000) WHERE id = 2;
COMMIT;
SELECT is((SELECT format('%s +%s ~%s -%s =%s', action, inserted, updated, deleted, unchanged) FROM backup_restore(:'first', '{topics}', allow_loss => true)),
          'by difference +0 ~2 -0 =2998', 'with a second unique column');
SELECT is((SELECT note = repeat('kept ', 5000) FROM topics WHERE id = 2), true, 'a long value that the backup does not have stays too');

-- ---- triggers and rules do not fire ----------------------------------------------------------------------------------------------
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'fired'; END$$;
CREATE TRIGGER rows_always BEFORE INSERT OR UPDATE OR DELETE ON tree FOR EACH ROW EXECUTE FUNCTION refuse();
ALTER TABLE tree ENABLE ALWAYS TRIGGER rows_always;
CREATE TRIGGER statements_after AFTER INSERT OR UPDATE OR DELETE ON tree FOR EACH STATEMENT EXECUTE FUNCTION refuse();
CREATE RULE nothing AS ON DELETE TO tree DO INSTEAD NOTHING;
ALTER TABLE tree DISABLE TRIGGER USER;
UPDATE tree SET name = 'x' WHERE id < 10;
INSERT INTO tree VALUES (300, 1, 'y');
ALTER TABLE tree ENABLE TRIGGER USER;
SELECT is(restored(:'second', 'tree'), 'by difference +0 ~9 -1 =118', 'triggers and rules do not fire');
SELECT is((SELECT equal FROM backup_compare(:'second', '{tree}')), true, 'equal');

-- ---- partitions ------------------------------------------------------------------------------------------------------------------
CREATE TABLE ev (id integer, at integer, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE ev_1 PARTITION OF ev FOR VALUES FROM (0) TO (100);
CREATE TABLE ev_2 (v text, at integer NOT NULL, gone text, id integer NOT NULL);
ALTER TABLE ev_2 DROP COLUMN gone;
ALTER TABLE ev ATTACH PARTITION ev_2 FOR VALUES FROM (100) TO (200);
INSERT INTO ev SELECT g, g % 200, 'v' || g FROM generate_series(1, 1000) g;
SELECT id AS fifth FROM backup_create('{ev}') \gset
UPDATE ev SET at = at + 100 WHERE at < 10;
UPDATE ev SET v = 'x' WHERE at = 150;
SELECT results_eq(format($$SELECT name, action, inserted, updated, deleted, unchanged FROM backup_restore(%L, '{ev}') ORDER BY name$$, :'fifth'),
  $$VALUES ('ev', 'through partitions', 0::bigint, 0::bigint, 0::bigint, 0::bigint), ('ev_1', 'by difference', 50, 0, 0, 450), ('ev_2', 'by difference', 0, 5, 50, 495)$$,
  'rows that moved to another partition move back');
SELECT is((SELECT equal FROM backup_compare(:'fifth', '{ev}')), true, 'equal as a whole');

-- ---- random tables, random edits -------------------------------------------------------------------------------------------------
-- Every round makes a table with random columns and constraints, backs it up, edits it at random, and restores it; then its rows must be those of before,
-- and the index must find each of them.
CREATE FUNCTION random_round(round integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  kinds text[] := ARRAY['integer', 'text', 'numeric', 'jsonb', 'timestamptz', 'text[]', 'double precision', 'varchar(40)', 'bytea', 'boolean', 'json'];
  makers text[] := ARRAY['(random() * 5)::int', 'repeat(chr(65 + (random() * 300)::int), (random() * 30)::int)', '(random() * 100)::numeric(10,4)', 'jsonb_build_object(''a'', (random() * 3)::int)',
    'timestamptz ''2026-01-01'' + random() * interval ''1 day''', 'ARRAY[(random() * 3)::int::text, NULL]', 'random()', '(random() * 9)::int::text', 'decode(md5(random()::text), ''hex'')',
    'random() < 0.5', '''{"b": 1,  "b":2}''::json'];
  columns text := ''; insert_list text := ''; values_list text := ''; assign text := ''; id text; before text; after text; summary record;
  rows integer := (random() * 300)::int; kind integer; two_keys boolean := random() < 0.3; has_unique boolean := random() < 0.5;
BEGIN
  FOR c IN 1 .. 1 + (random() * 5)::int LOOP
    kind := 1 + (random() * 10)::int;
    columns := columns || format(', c%s %s', c, kinds[kind]);
    values_list := values_list || format(', CASE WHEN random() < 0.8 THEN %s END', makers[kind]);
    assign := assign || format(', c%s = CASE WHEN random() < 0.5 THEN c%s ELSE %s END', c, c, makers[kind]);
  END LOOP;
  IF has_unique THEN columns := columns || ', u integer UNIQUE' || CASE WHEN random() < 0.5 THEN ' DEFERRABLE' ELSE '' END; END IF;
  EXECUTE format('CREATE TABLE random_table (k1 integer, k2 text COLLATE "C"%s, PRIMARY KEY (%s)%s)', columns, CASE WHEN two_keys THEN 'k2, k1' ELSE 'k1' END,
    CASE WHEN random() < 0.2 THEN ' DEFERRABLE' ELSE '' END);
  insert_list := format('INSERT INTO random_table SELECT g, ''k'' || g %% 7%s%s FROM ', values_list, CASE WHEN has_unique THEN ', g' ELSE '' END);
  EXECUTE insert_list || format('generate_series(1, %s) g', rows);
  IF random() < 0.5 THEN DELETE FROM random_table WHERE random() < 0.3; END IF;
  SELECT b.id INTO id FROM backup_create('{random_table}') b;
  SELECT md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C"), '')) INTO before FROM random_table t;
  -- edits
  FOR edit IN 1 .. (random() * 6)::int LOOP
    CASE (random() * 5)::int
      WHEN 0 THEN EXECUTE format('UPDATE random_table SET k2 = k2%s WHERE random() < %s', assign, random());
      WHEN 1 THEN EXECUTE format('DELETE FROM random_table WHERE random() < %s', random() * 0.7);
      WHEN 2 THEN EXECUTE insert_list || format('generate_series(%s, %s) g', edit * 1000, edit * 1000 + (random() * 100)::int);
      WHEN 3 THEN UPDATE random_table SET k2 = 'moved' || k1 WHERE random() < 0.2;
      WHEN 4 THEN
        IF has_unique THEN
          -- a rotation of unique values
          UPDATE random_table SET u = -u;
          UPDATE random_table t SET u = o.next FROM (SELECT k1, k2, -lead(u, 1, (SELECT max(u) FROM random_table)) OVER (ORDER BY u DESC) AS next FROM random_table) o WHERE o.k1 = t.k1 AND o.k2 = t.k2;
        END IF;
      ELSE UPDATE random_table SET k1 = k1 + 100000 WHERE random() < 0.3;
    END CASE;
  END LOOP;
  PERFORM set_config('pg_snapback.reload_threshold', CASE WHEN random() < 0.8 THEN '1' ELSE '0.3' END, true);
  SELECT * INTO summary FROM backup_restore(id, '{random_table}', safety_backup => false);
  SELECT md5(coalesce(string_agg(t::text, E'\n' ORDER BY t::text COLLATE "C"), '')) INTO after FROM random_table t;
  IF before <> after THEN RETURN format('round %s: rows differ (%s)', round, columns); END IF;
  IF summary.proven IS NOT TRUE THEN RETURN format('round %s: not proven', round); END IF;
  SET LOCAL enable_seqscan = off;
  SET LOCAL enable_bitmapscan = off;
  PERFORM 1 FROM random_table t WHERE NOT EXISTS (SELECT FROM random_table i WHERE i.k1 = t.k1 AND i.k2 = t.k2);
  IF FOUND THEN RETURN format('round %s: a row is not in the index', round); END IF;
  SET LOCAL enable_seqscan = on;
  SET LOCAL enable_bitmapscan = on;
  PERFORM backup_delete(id);
  DROP TABLE random_table;
  RETURN NULL;
END $$;
SELECT setseed(0.20261122);
CREATE TABLE failures (message text);
DO $$
DECLARE message text;
BEGIN
  FOR round IN 1 .. coalesce(nullif(current_setting('tests.rounds', true), '')::integer, 60) LOOP
    message := random_round(round);
    IF message IS NOT NULL THEN
      INSERT INTO failures VALUES (message);
      EXIT;
    END IF;
    COMMIT;
  END LOOP;
END $$;
SELECT is((SELECT string_agg(message, '; ') FROM failures), NULL, 'random edits of random tables are undone exactly');
SELECT is(to_regclass('random_table'), NULL, 'all rounds were run');

SELECT * FROM finish();
