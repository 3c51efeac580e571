-- Tables of extreme shapes: as wide as a table can be, without columns, without rows, and many at once. SNAPBACK_NIGHTLY makes it ten thousand tables.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
SELECT no_plan();
\set nightly `echo "${SNAPBACK_NIGHTLY:-}"`
SELECT CASE WHEN :'nightly' <> '' THEN 10000 ELSE 800 END AS many \gset

CREATE FUNCTION restored(id text, wanted text) RETURNS text LANGUAGE sql AS $$
  SELECT format('%s +%s ~%s -%s =%s %s', action, inserted, updated, deleted, unchanged, proven) FROM backup_restore(id, ARRAY[wanted], safety_backup => false)
$$;

-- ---- 1,600 columns -----------------------------------------------------------------------------------------------------------------
SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s %s', n, CASE WHEN n = 1 THEN 'integer PRIMARY KEY' WHEN n % 2 = 0 THEN 'boolean' ELSE 'integer' END), ', '))
  FROM generate_series(1, 1600) n \gexec
SELECT format('INSERT INTO wide SELECT %s FROM generate_series(1, 50) g', string_agg(CASE WHEN n = 1 THEN 'g' WHEN n % 2 = 0 THEN format('(g + %s) %% 3 = 0', n) ELSE format('nullif((g * %s) %% 11, 0)', n) END, ', '))
  FROM generate_series(1, 1600) n \gexec
CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES; INSERT INTO no_columns DEFAULT VALUES;
CREATE TABLE no_columns_no_rows ();
CREATE TABLE no_rows (id integer PRIMARY KEY, what text);
SELECT id AS taken FROM backup_create() \gset
SELECT is((SELECT ok FROM backup_verify(:'taken', 'content')), true, 'they are verified');
SELECT is((SELECT ok FROM backup_verify(:'taken', 'restore')), true, 'and restore');
SELECT is((SELECT sum(rows) FROM backup_show(:'taken') WHERE kind = 'table'), 53::numeric, 'with all rows');
SELECT md5(string_agg(w::text, '|' ORDER BY c1)) AS was FROM wide w \gset
UPDATE wide SET c1600 = NOT coalesce(c1600, false), c2 = NULL WHERE c1 = 3;
DELETE FROM wide WHERE c1 = 4;
SELECT is(restored(:'taken', 'wide'), 'by difference +1 ~1 -0 =48 t', '1,600 columns by difference');
TRUNCATE wide;
SELECT is(restored(:'taken', 'wide'), 'reloaded +50 ~0 -0 =0 t', 'and reloaded');
SELECT is((SELECT md5(string_agg(w::text, '|' ORDER BY c1)) FROM wide w), :'was', 'each value in its column');
DROP TABLE wide;
SELECT is(restored(:'taken', 'wide'), 'created +50 ~0 -0 =0 t', 'and made anew');
SELECT is((SELECT md5(string_agg(w::text, '|' ORDER BY c1)) FROM wide w), :'was', 'as it was');

-- ---- no columns, no rows -------------------------------------------------------------------------------------------------------------
SELECT is(restored(:'taken', 'no_columns'), 'unchanged +0 ~0 -0 =3 t', 'rows without columns');
DELETE FROM no_columns;
INSERT INTO no_columns DEFAULT VALUES;
SELECT is(restored(:'taken', 'no_columns'), 'reloaded +3 ~0 -1 =0 t', 'come back in number');
SELECT is((SELECT count(*) FROM no_columns), 3::bigint, 'three of them');
SELECT is(restored(:'taken', 'no_columns_no_rows'), 'unchanged +0 ~0 -0 =0 t', 'neither columns nor rows');
SELECT is(restored(:'taken', 'no_rows'), 'unchanged +0 ~0 -0 =0 t', 'no rows');
INSERT INTO no_rows VALUES (1, 'x');
SELECT is(restored(:'taken', 'no_rows'), 'reloaded +0 ~0 -1 =0 t', 'a table that was empty is emptied');
INSERT INTO no_rows VALUES (1, 'x');
SET pg_snapback.reload_threshold = 1;
SELECT is(restored(:'taken', 'no_rows'), 'by difference +0 ~0 -1 =0 t', 'row by row as well');
RESET pg_snapback.reload_threshold;
DROP TABLE no_columns, no_rows;
SELECT is((SELECT string_agg(name || ' ' || action, ', ' ORDER BY name) FROM backup_restore(:'taken', '{no_columns,no_rows}')), 'no_columns created, no_rows created', 'dropped ones are made anew');
SELECT is((SELECT count(*) FROM no_columns), 3::bigint, 'with their rows');

-- ---- many tables ---------------------------------------------------------------------------------------------------------------------
CREATE SCHEMA many;
CREATE PROCEDURE make_many(wanted integer) LANGUAGE plpgsql AS $$
BEGIN
  FOR n IN 1 .. wanted LOOP
    EXECUTE format('CREATE TABLE many.t%s (id integer PRIMARY KEY, what text)', n);
    EXECUTE format('INSERT INTO many.t%s SELECT g, %L || g FROM generate_series(1, 10) g', n, 't' || n || ' ');
    IF n % 500 = 0 THEN COMMIT; END IF;
  END LOOP;
END $$;
CALL make_many(:many);
SELECT id AS all_of_them FROM backup_create('{many.*}') \gset
SELECT is((SELECT count(*) FROM backup_show(:'all_of_them') WHERE kind = 'table'), :many::bigint, 'a backup of many tables');
UPDATE many.t1 SET what = 'x' WHERE id = 1;
DELETE FROM many.t2 WHERE id = 2;
SELECT is((SELECT count(*) FROM backup_compare(:'all_of_them') WHERE NOT equal), 2::bigint, 'is compared');
SELECT is((SELECT string_agg(name || ' ' || action, ', ' ORDER BY name) FROM backup_restore(:'all_of_them') WHERE action <> 'unchanged'), 't1 by difference, t2 by difference', 'and restored');
SELECT is((SELECT bool_and(equal) FROM backup_compare(:'all_of_them')), true, 'all is equal');
SELECT cmp_ok((SELECT sum(used_bytes) FROM pg_backend_memory_contexts WHERE name IN ('CacheMemoryContext', 'index info')), '<', 5000000::numeric,
              'what the server remembers of them does not grow with their number');

SELECT * FROM finish();
