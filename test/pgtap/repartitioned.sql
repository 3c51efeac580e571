-- Partitioned tables whose partitions are others by now: every row goes where it belongs today, whatever the layout was.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
LOAD 'pg_snapback';
SELECT no_plan();
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

-- A partitioned table with keys from and to it, as the backup has it. One partition has its columns in another order.
CREATE FUNCTION lay_out() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  DROP TABLE IF EXISTS s.rp_uses, s.rp, s.rp_owner CASCADE;
  CREATE TABLE s.rp_owner (id integer PRIMARY KEY);
  CREATE TABLE s.rp (id integer, at integer, owner integer REFERENCES s.rp_owner, twice integer GENERATED ALWAYS AS (at * 2) STORED, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
  CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (100);
  CREATE TABLE s.rp_2 PARTITION OF s.rp FOR VALUES FROM (100) TO (200) PARTITION BY HASH (id);
  CREATE TABLE s.rp_2a PARTITION OF s.rp_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0);
  CREATE TABLE s.rp_2b PARTITION OF s.rp_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1);
  CREATE TABLE s.rp_3 (v text, dropped integer, twice integer GENERATED ALWAYS AS (at * 2) STORED, at integer NOT NULL, id integer NOT NULL, owner integer);
  ALTER TABLE s.rp_3 DROP COLUMN dropped;
  ALTER TABLE s.rp ATTACH PARTITION s.rp_3 FOR VALUES FROM (200) TO (300);
  CREATE TABLE s.rp_rest PARTITION OF s.rp DEFAULT;
  CREATE TABLE s.rp_uses (id integer PRIMARY KEY, rp integer, at integer, FOREIGN KEY (rp, at) REFERENCES s.rp (id, at));
  INSERT INTO s.rp_owner SELECT generate_series(0, 9);
  INSERT INTO s.rp (id, at, owner, v) SELECT g, g % 320, g % 10, 'v' || g FROM generate_series(1, 640) g;
  INSERT INTO s.rp_uses SELECT g, g, g % 320 FROM generate_series(1, 640, 7) g;
END $$;
-- Whether every row lies in a partition that takes it, is found by its key, and has its generated value; and what the table holds.
CREATE FUNCTION state_of_rp() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  leaf regclass; outside bigint; found bigint; total text := '';
BEGIN
  FOR leaf IN SELECT relid FROM pg_partition_tree('s.rp') WHERE isleaf LOOP
    EXECUTE format('SELECT count(*) FROM %s WHERE NOT coalesce((%s), false)', leaf, coalesce(pg_get_partition_constraintdef(leaf), 'true')) INTO outside;
    IF outside > 0 THEN total := total || leaf || ' holds rows of others '; END IF;
  END LOOP;
  SET LOCAL enable_seqscan = off; SET LOCAL enable_bitmapscan = off; SET LOCAL enable_hashjoin = off; SET LOCAL enable_mergejoin = off;
  SELECT count(*) INTO found FROM was w WHERE EXISTS (SELECT 1 FROM s.rp r WHERE r.id = w.id AND r.at = w.at);
  SET LOCAL enable_seqscan = on; SET LOCAL enable_bitmapscan = on; SET LOCAL enable_hashjoin = on; SET LOCAL enable_mergejoin = on;
  RETURN total || (SELECT format('%s missing, %s too many, %s wrongly computed', (SELECT count(*) FROM was) - found, (SELECT count(*) FROM s.rp) - (SELECT count(*) FROM (TABLE was INTERSECT SELECT id, at, owner, v FROM s.rp) i),
                                  (SELECT count(*) FROM s.rp WHERE twice IS DISTINCT FROM at * 2)));
END $$;
SELECT lay_out();
CREATE TABLE was AS SELECT id, at, owner, v FROM s.rp;
-- Takes a backup, lays the table out in another way and changes rows, and restores it by every road.
CREATE FUNCTION finds_its_place(what text, roads text[], layout text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  taken text; road text; mode text; planned text; done text; before text;
  summary text := $q$SELECT string_agg(concat_ws(' ', name, replace(replace(replace(replace(action, 'reloaded', 'reload'), 'emptied', 'empty'), 'merged', 'merge'), 'created', 'create'), inserted, updated, deleted), ', ' ORDER BY name) || CASE WHEN bool_and(proven OR action LIKE 'through%%') THEN ' proven' ELSE '' END
                            FROM backup_restore(%L, '{s.rp}', mode => %L, safety_backup => %L, dry_run => %L)$q$;
BEGIN
  FOREACH road IN ARRAY roads LOOP
    PERFORM lay_out();
    SELECT id INTO taken FROM backup_create('{s.rp}');
    EXECUTE layout;
    UPDATE s.rp SET v = 'other' WHERE id % 5 = 0;
    DELETE FROM s.rp WHERE id % 7 = 3;
    IF road IN ('reload', 'by difference') THEN
      UPDATE s.rp SET at = (at + 150) % 320 WHERE id % 7 = 2;
      INSERT INTO s.rp (id, at, v) SELECT g, g % 320, 'new' FROM generate_series(1001, 1050) g;
    END IF;
    IF road = 'missing' THEN UPDATE s.rp SET v = 'v' || id; END IF;
    mode := CASE road WHEN 'upsert' THEN 'upsert' WHEN 'missing' THEN 'missing' ELSE 'replace' END;
    PERFORM set_config('pg_snapback.reload_threshold', CASE road WHEN 'reload' THEN '0' ELSE '1' END, true);
    before := rows_of('{s.rp,s.rp_owner,s.rp_uses}');
    EXECUTE format(summary, taken, mode, false, true) INTO planned;
    RETURN NEXT is(rows_of('{s.rp,s.rp_owner,s.rp_uses}'), before, what || ': the dry run writes nothing, ' || road);
    EXECUTE format(summary, taken, mode, road = 'reload', false) INTO done;
    RETURN NEXT is(done, replace(planned, ' proven', '') || ' proven', what || ': as the dry run said, ' || road);
    RETURN NEXT is(state_of_rp(), '0 missing, 0 too many, 0 wrongly computed', what || ': every row is back in its place, ' || road);
    -- rows of columns in another order are not known to be the same without being converted
    RETURN NEXT is((SELECT string_agg(name || ' ' || action, ', ') FROM backup_restore(taken, '{s.rp}', mode => mode, safety_backup => false) WHERE (action NOT IN ('through partitions', 'through root', 'unchanged', 'merged') OR inserted + updated + deleted > 0) AND (name, action) <> ('rp', 'reloaded')),
                   NULL, what || ': there is nothing left to do, ' || road);
    RETURN NEXT throws_ok('INSERT INTO s.rp_uses VALUES (9999, 9999, 1)', '23503', NULL, what || ': keys to it hold, ' || road);
    RETURN NEXT throws_ok('INSERT INTO s.rp (id, at, owner) VALUES (9999, 1, 99)', '23503', NULL, what || ': and keys from it, ' || road);
  END LOOP;
END $$;
CREATE FUNCTION move_rows(of_leaf text, make text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('CREATE TEMPORARY TABLE moving ON COMMIT DROP AS SELECT id, at, owner, v FROM %s', of_leaf);
  ALTER TABLE s.rp_uses DROP CONSTRAINT IF EXISTS rp_uses_rp_at_fkey;
  EXECUTE make;
  INSERT INTO s.rp (id, at, owner, v) SELECT * FROM moving;
  DROP TABLE moving;
  ALTER TABLE s.rp_uses ADD CONSTRAINT rp_uses_rp_at_fkey FOREIGN KEY (rp, at) REFERENCES s.rp (id, at);
END $$;
SELECT finds_its_place('a range that was split', '{reload,by difference,upsert,missing}', $$SELECT move_rows('s.rp_1', 'DROP TABLE s.rp_1; CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (50); CREATE TABLE s.rp_1b PARTITION OF s.rp FOR VALUES FROM (50) TO (100)')$$);
SELECT finds_its_place('ranges that were merged', '{reload,missing}', $$SELECT move_rows('s.rp WHERE at BETWEEN 0 AND 199', 'DROP TABLE s.rp_1, s.rp_2; CREATE TABLE s.rp_12 PARTITION OF s.rp FOR VALUES FROM (0) TO (200)')$$);
SELECT finds_its_place('bounds that were shifted', '{by difference,upsert}', $$SELECT move_rows('s.rp WHERE at < 200', 'DROP TABLE s.rp_1, s.rp_2; CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (-10) TO (120); CREATE TABLE s.rp_2 PARTITION OF s.rp FOR VALUES FROM (120) TO (200) PARTITION BY HASH (id); CREATE TABLE s.rp_2a PARTITION OF s.rp_2 FOR VALUES WITH (MODULUS 2, REMAINDER 1); CREATE TABLE s.rp_2b PARTITION OF s.rp_2 FOR VALUES WITH (MODULUS 2, REMAINDER 0)')$$);
SELECT finds_its_place('partitions that were renamed', '{reload,by difference}', 'ALTER TABLE s.rp_1 RENAME TO rp_first; ALTER TABLE s.rp_2 RENAME TO rp_second; ALTER TABLE s.rp_2b RENAME TO rp_1');
SELECT finds_its_place('a partition that has partitions now', '{by difference,upsert}', $$SELECT move_rows('s.rp_3', 'DROP TABLE s.rp_3; CREATE TABLE s.rp_3 PARTITION OF s.rp FOR VALUES FROM (200) TO (300) PARTITION BY LIST (at); CREATE TABLE s.rp_3_even PARTITION OF s.rp_3 FOR VALUES IN (250); CREATE TABLE s.rp_3_rest PARTITION OF s.rp_3 DEFAULT')$$);
SELECT finds_its_place('another partition key', '{reload,by difference,upsert,missing}', $$SELECT move_rows('s.rp', 'DROP TABLE s.rp; CREATE TABLE s.rp (v text, id integer, owner integer REFERENCES s.rp_owner, at integer, twice integer GENERATED ALWAYS AS (at * 2) STORED, PRIMARY KEY (at, id)) PARTITION BY HASH (id); CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES WITH (MODULUS 3, REMAINDER 0); CREATE TABLE s.rp_2 PARTITION OF s.rp FOR VALUES WITH (MODULUS 3, REMAINDER 1); CREATE TABLE s.rp_z PARTITION OF s.rp FOR VALUES WITH (MODULUS 3, REMAINDER 2)')$$);
SELECT finds_its_place('a partition that left its rows to the default one', '{by difference,missing}', $$SELECT move_rows('s.rp_3', 'DROP TABLE s.rp_3')$$);
SELECT finds_its_place('a partition that was taken out of the default one', '{reload,upsert}', $$SELECT move_rows('s.rp_rest', 'TRUNCATE s.rp_rest; CREATE TABLE s.rp_4 PARTITION OF s.rp FOR VALUES FROM (300) TO (400)')$$);

-- ---- what cannot be in its place is refused before anything is written ------------------------------------------------------------
SELECT lay_out();
SELECT id AS taken FROM backup_create('{s.rp}') \gset
CREATE FUNCTION attempt(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  code text; told text; detail text; hint text;
BEGIN
  EXECUTE statement;
  RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
  GET STACKED DIAGNOSTICS code = RETURNED_SQLSTATE, told = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
  RETURN concat_ws(' | ', code, told, detail, hint);
END $$;
SELECT move_rows('s.rp_1', 'DROP TABLE s.rp_1; CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (50); CREATE TABLE s.rp_1b PARTITION OF s.rp FOR VALUES FROM (50) TO (100)');
SELECT rows_of('{s.rp}') AS before \gset
SELECT is(attempt(format('SELECT * FROM backup_restore(%L, ''{s.rp_1}'', mode => %L)', :'taken', mode)),
  '23514 | partition "s.rp_1" no longer takes all of its rows | 100 of its 200 rows in the backup are outside of the bound that it has now, FOR VALUES FROM (0) TO (50). | '
  || 'Restore "s.rp" as a whole: every row goes where it belongs now. Or restore the partition with into_schema.', 'a partition by itself whose bound has shrunk, ' || mode)
FROM unnest('{replace,missing,upsert}'::text[]) mode;
SELECT is(action || ': ' || split_part(note, ' (', 1), 'refused: the restore would fail with 23514: partition "s.rp_1" no longer takes all of its rows', 'the dry run says so') FROM backup_restore(:'taken', '{s.rp_1}', dry_run => true);
SELECT is(rows_of('{s.rp}'), :'before', 'and nothing is changed');
DROP TABLE s.rp_uses;
SELECT is(proven, true, 'one whose rows fit is restored') FROM backup_restore(:'taken', '{s.rp_3}', safety_backup => false);
DROP TABLE s.rp_1, s.rp_1b;
CREATE TABLE s.rp_wide PARTITION OF s.rp FOR VALUES FROM (-5) TO (100);
SELECT is(attempt(format('SELECT * FROM backup_restore(%L, ''{s.rp_1}'', dry_run => %L)', :'taken', dry)),
  '23514 | cannot make partition "s.rp_1" again | Its rows belong into other partitions of "s.rp" now; in the backup it is the partition FOR VALUES FROM (0) TO (100). | '
  || 'Restore "s.rp" as a whole: every row goes where it belongs now. Or restore the partition with into_schema.', 'one that is gone while another has its place') FROM unnest('{t,f}'::boolean[]) dry;
DROP TABLE s.rp_rest, s.rp_wide;
CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (50);
SELECT alike(attempt(format('SELECT * FROM backup_restore(%L, ''{s.rp}'', mode => %L)', :'taken', mode)),
  '23514 | no partition of table "s.rp" takes a row of the backup''s table "s.rp_1" | It is row % of that table in the backup, counted from 0. Values are not shown. | Make a partition for it, or restore with into_schema.',
  'rows that no partition takes, ' || mode) FROM unnest('{replace,missing,upsert}'::text[]) mode;
SELECT is(action, 'refused', 'in the dry run too') FROM backup_restore(:'taken', '{s.rp}', dry_run => true) WHERE name = 'rp';
SELECT is(count(*), 0::bigint, 'nothing came back') FROM s.rp WHERE at < 100;

-- ---- partitions that the backup does not have ----------------------------------------------------------------------------------------
SELECT lay_out();
DROP TABLE s.rp_uses;
DELETE FROM s.rp WHERE at >= 300;
DROP TABLE s.rp_rest CASCADE;
SELECT id AS taken FROM backup_create('{s.rp}') \gset
DROP TABLE s.rp_1;
CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (50);
CREATE TABLE s.rp_1b PARTITION OF s.rp FOR VALUES FROM (50) TO (100);
CREATE TABLE s.rp_later PARTITION OF s.rp FOR VALUES FROM (1000) TO (2000);
INSERT INTO s.rp (id, at) SELECT g, 1000 + g FROM generate_series(1, 30) g;
SET pg_snapback.reload_threshold = 1;
SELECT results_eq(format('SELECT name, action, inserted, deleted, unchanged, proven FROM backup_restore(%L, ''{s.rp}'', dry_run => true) ORDER BY name', :'taken'),
  $$VALUES ('rp', 'by difference', 200::bigint, 0::bigint, 0::bigint, NULL::boolean), ('rp_1', 'through root', 0, 0, 0, NULL), ('rp_2', 'through partitions', 0, 0, 0, NULL), ('rp_2a', 'unchanged', 0, 0, (SELECT count(*) FROM s.rp_2a), NULL),
           ('rp_2b', 'unchanged', 0, 0, (SELECT count(*) FROM s.rp_2b), NULL), ('rp_3', 'unchanged', 0, 0, 200, NULL), ('rp_later', 'empty', 0, 30, 0, false)$$, 'the dry run tells of each');
BEGIN;
SELECT results_eq(format('SELECT name, action, inserted, deleted, proven FROM backup_restore(%L, ''{s.rp}'') WHERE name IN (''rp'', ''rp_later'') ORDER BY name', :'taken'),
  $$VALUES ('rp', 'by difference', 200::bigint, 0::bigint, true), ('rp_later', 'emptied', 0, 30, true)$$, 'one is emptied');
SELECT is(count(*), 0::bigint, 'by difference nobody who reads has to wait') FROM pg_locks WHERE pid = pg_backend_pid() AND mode = 'AccessExclusiveLock' AND relation::regclass::text LIKE 's.rp%';
SELECT is(count(*), 0::bigint, 'its rows are gone') FROM s.rp_later;
ROLLBACK;
SET pg_snapback.reload_threshold = 0;
SELECT results_eq(format('SELECT name, action, inserted, deleted, proven FROM backup_restore(%L, ''{s.rp}'') WHERE name IN (''rp'', ''rp_later'') ORDER BY name', :'taken'),
  $$VALUES ('rp', 'reloaded', 200::bigint, 0::bigint, true), ('rp_later', 'emptied', 0, 30, true)$$, 'as by a reload');
SELECT is((SELECT equal FROM backup_compare(:'taken', '{s.rp}') WHERE name = 'rp'), true, 'the whole compares as equal');

-- ---- columns, large values ---------------------------------------------------------------------------------------------------------------
SELECT lay_out();
SELECT id AS taken FROM backup_create('{s.rp}') \gset
ALTER TABLE s.rp ADD COLUMN mark text DEFAULT 'fresh', DROP COLUMN owner;
DROP TABLE s.rp_uses;
DROP TABLE s.rp_1;
CREATE TABLE s.rp_0 PARTITION OF s.rp (mark DEFAULT 'of the partition') FOR VALUES FROM (0) TO (50);
CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (50) TO (100);
INSERT INTO s.rp (id, at, v, mark) SELECT id, at, CASE WHEN id % 2 = 0 THEN v ELSE 'other' END, 'kept' FROM was WHERE at BETWEEN 0 AND 79;
SELECT alike(attempt(format('SELECT * FROM backup_restore(%L, ''{s.rp}'')', :'taken')), '42804 | table "s.rp_%" no longer has all columns of the backup%', 'values that would be lost are refused');
SELECT results_eq(format('SELECT action, updated > 70, unchanged > 70, proven FROM backup_restore(%L, ''{s.rp}'', allow_loss => true) WHERE name = ''rp''', :'taken'),
  $$VALUES ('by difference', true, true, true)$$, 'columns that the backup does not have: by difference');
SELECT results_eq('SELECT mark, count(*) FROM s.rp WHERE at < 100 GROUP BY mark ORDER BY mark', $$SELECT CASE WHEN at < 80 THEN 'kept' ELSE 'fresh' END, count(*) FROM was WHERE at < 100 GROUP BY 1 ORDER BY 1$$,
  'their values stay, or are the default of the partitioned table');
SELECT is((SELECT count(*) FROM s.rp JOIN was USING (id, at, v)), 640::bigint, 'the rows are as they were');
SET pg_snapback.test_largest_row = 2048;
SELECT lay_out();
UPDATE s.rp SET v = (SELECT string_agg(md5(id || 'v' || i), '') FROM generate_series(1, 200) i) WHERE at < 100 AND id % 10 = 0;
CREATE TABLE large AS SELECT id, at, owner, v FROM s.rp;
SELECT id AS taken FROM backup_create('{s.rp}') \gset
DROP TABLE s.rp_uses;
DROP TABLE s.rp_1;
CREATE TABLE s.rp_1 PARTITION OF s.rp FOR VALUES FROM (0) TO (50);
CREATE TABLE s.rp_1b PARTITION OF s.rp FOR VALUES FROM (50) TO (100);
SELECT is(attempt(format('SELECT * FROM backup_restore(%L, ''{s.rp}'', mode => %L)', :'taken', 'missing')), 'ok', 'large values, missing');
UPDATE s.rp SET v = reverse(v);
SELECT is((SELECT proven FROM backup_restore(:'taken', '{s.rp}', mode => 'upsert') WHERE name = 'rp'), true, 'and overwritten');
SELECT is((SELECT count(*) FROM (TABLE large EXCEPT SELECT id, at, owner, v FROM s.rp) d), 0::bigint, 'they are as they were');
UPDATE s.rp SET v = 'x' WHERE at < 100;
SET pg_snapback.reload_threshold = 1;
SELECT is((SELECT proven FROM backup_restore(:'taken', '{s.rp}') WHERE name = 'rp'), true, 'by difference');
SELECT is((SELECT count(*) FROM (TABLE large EXCEPT SELECT id, at, owner, v FROM s.rp) d), 0::bigint, 'they are as they were');
SET pg_snapback.reload_threshold = 0;
UPDATE s.rp SET v = 'y' WHERE at < 100;
SELECT is((SELECT proven FROM backup_restore(:'taken', '{s.rp}') WHERE name = 'rp'), true, 'reloaded');
SELECT is((SELECT count(*) FROM (TABLE large EXCEPT SELECT id, at, owner, v FROM s.rp) d), 0::bigint, 'they are as they were');
RESET pg_snapback.test_largest_row;
RESET pg_snapback.reload_threshold;

SELECT * FROM finish();
