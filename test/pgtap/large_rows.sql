-- Rows that are larger than what is kept in memory of one: their values wait in a temporary file and are written one after the other. The setting makes small rows large ones.
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback;
LOAD 'pg_snapback';
SELECT no_plan();
CREATE EXTENSION amcheck;
CREATE EXTENSION btree_gist;
CREATE EXTENSION pgstattuple;
CREATE SCHEMA s;
SET pg_snapback.test_largest_row = 2048;

CREATE FUNCTION rows_of(wanted regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
  EXECUTE format('SELECT count(*) || coalesce(string_agg(md5(t::text), '','' ORDER BY md5(t::text) COLLATE "C"), '''') FROM %s t', wanted) INTO result;
  RETURN result;
END $$;

-- What is wrong with a table, its leaves, indexes and toast table: '' for nothing.
CREATE FUNCTION faults_of(wanted regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE leaf regclass; index regclass; result text := '';
BEGIN
  FOR leaf IN SELECT relid FROM pg_partition_tree(wanted) WHERE isleaf UNION SELECT wanted WHERE (SELECT relkind FROM pg_class WHERE oid = wanted) = 'r' LOOP
    SELECT result || coalesce(string_agg(msg, ' '), '') FROM verify_heapam(leaf) INTO result;
    FOR index IN SELECT i.indexrelid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam WHERE i.indrelid = leaf AND a.amname = 'btree' LOOP
      BEGIN
        PERFORM bt_index_check(index, true);
      EXCEPTION WHEN others THEN
        result := result || sqlerrm;
      END;
    END LOOP;
    SELECT result || coalesce(string_agg(format('%s cannot be used', indexrelid::regclass), ' '), '') FROM pg_index WHERE indrelid = leaf AND (NOT indisvalid OR indcheckxmin) INTO result;
  END LOOP;
  RETURN result;
END $$;

-- Rows that a condition finds by an index, and without.
CREATE FUNCTION found_by(wanted regclass, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE by_index bigint; by_scan bigint; plan text; line text;
BEGIN
  SET LOCAL enable_seqscan = off;
  plan := '';
  FOR line IN EXECUTE format('EXPLAIN (COSTS off) SELECT count(*) FROM %s WHERE %s', wanted, condition) LOOP
    plan := plan || line;
  END LOOP;
  EXECUTE format('SELECT count(*) FROM %s WHERE %s', wanted, condition) INTO by_index;
  SET LOCAL enable_seqscan = on; SET LOCAL enable_indexscan = off; SET LOCAL enable_indexonlyscan = off; SET LOCAL enable_bitmapscan = off;
  EXECUTE format('SELECT count(*) FROM %s WHERE %s', wanted, condition) INTO by_scan;
  SET LOCAL enable_indexscan = on; SET LOCAL enable_indexonlyscan = on; SET LOCAL enable_bitmapscan = on;
  RETURN format('%s %s%s', by_index, by_scan, CASE WHEN plan !~ 'Index' THEN ' without an index' END);
END $$;

-- Backs a table up, changes it and restores it on every road. The condition is one that an index answers, and one row meets it.
CREATE FUNCTION comes_back(what text, wanted text, change text, condition text DEFAULT NULL, roads text[] DEFAULT '{reloaded,by difference,merged,created}') RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
  taken text; before text := rows_of(wanted::regclass); proven boolean; actions text; road text;
  kind char := (SELECT relkind FROM pg_class WHERE oid = wanted::regclass); keyed boolean := EXISTS (SELECT FROM pg_index WHERE indrelid = wanted::regclass AND indisprimary AND indimmediate);
BEGIN
  SELECT id INTO taken FROM backup_create(ARRAY[wanted]);
  FOREACH road IN ARRAY roads LOOP
    CONTINUE WHEN road IN ('merged', 'by difference') AND NOT keyed;
    PERFORM set_config('pg_snapback.reload_threshold', CASE road WHEN 'reloaded' THEN '0' ELSE '1' END, true);
    EXECUTE CASE road WHEN 'created' THEN 'DROP TABLE ' || wanted ELSE change END;
    IF road <> 'created' AND rows_of(wanted::regclass) = before THEN
      RETURN NEXT fail(what || ': the change changes something');
    END IF;
    SELECT bool_and(b.proven), string_agg(DISTINCT action, ',') INTO proven, actions
      FROM backup_restore(taken, ARRAY[wanted], mode => CASE road WHEN 'merged' THEN 'upsert' ELSE 'replace' END, safety_backup => false) b WHERE action NOT IN ('through partitions', 'unchanged');
    RETURN NEXT is(actions, road, what || ': ' || road);
    RETURN NEXT is(proven::text || ' ' || rows_of(wanted::regclass), 'true ' || before, what || ': ' || road || ', rows');
    RETURN NEXT is(faults_of(wanted::regclass), '', what || ': ' || road || ', heap and indexes');
    IF condition IS NOT NULL THEN
      RETURN NEXT is(found_by(wanted::regclass, condition), '1 1', what || ': ' || road || ', found by its index');
    END IF;
  END LOOP;
END $$;

-- text that compresses to about half of itself
CREATE FUNCTION body(seed text, parts integer) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT string_agg(md5(seed || i), '') FROM generate_series(1, parts) i $$;

-- ---- columns of every storage ------------------------------------------------------------------------------------------------------
CREATE TABLE s.heavy (id integer PRIMARY KEY, x text, e text NOT NULL, m text, p text, b bytea, n jsonb, a text[], k numeric, v varchar(9000), short text, empty text,
  begins text GENERATED ALWAYS AS (left(e, 5)) STORED, whole text GENERATED ALWAYS AS (e || 'w') STORED, CHECK (length(x) > 100));
ALTER TABLE s.heavy ALTER e SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER m SET STORAGE MAIN, ALTER p SET STORAGE PLAIN;
CREATE FUNCTION fill_heavy() RETURNS void LANGUAGE sql AS $$
  INSERT INTO s.heavy SELECT g, body('x' || g, 700), body('e' || g, 200), repeat('m' || g, 3000), repeat('p', 700), decode(body('b' || g, 500), 'hex'), jsonb_build_object('k', body(g::text, 200)),
    ARRAY[body('a' || g, 50), NULL, 'z'], (3 ^ (g * 20)::numeric), body('v' || g, 200), 's' FROM generate_series(1, 20) g $$;
SELECT fill_heavy() \g /dev/null
SELECT comes_back('every storage', 's.heavy', 'UPDATE s.heavy SET x = x || ''x'', b = b || b, e = ''e'' WHERE id < 5; DELETE FROM s.heavy WHERE id > 15; UPDATE s.heavy SET short = ''t'' WHERE id = 7', 'id = 3');
CREATE TABLE s.same AS SELECT id, ctid AS place FROM s.heavy;
SELECT id AS heavy FROM backup_create('{s.heavy}') \gset
SELECT results_eq(format('SELECT action, inserted, updated, unchanged FROM backup_restore(%L, mode => %L, safety_backup => false)', :'heavy', 'upsert'), $$VALUES ('merged', 0::bigint, 0::bigint, 20::bigint)$$, 'a row that is there already is no change');
SELECT is((SELECT count(*) FROM s.heavy NATURAL JOIN s.same WHERE heavy.ctid = place), 20::bigint, 'and stays where it is');
SELECT is((SELECT count(*) FROM s.heavy WHERE begins = left(e, 5) AND whole = e || 'w' AND length(p) = 700), 20::bigint, 'generated columns are those of the complete row');
SELECT is((SELECT ok FROM backup_verify(:'heavy', 'restore')), true, 'a verification restores it');

-- ---- what is written is one row ----------------------------------------------------------------------------------------------------
CREATE TABLE s.out (id integer PRIMARY KEY, a text, b bytea, c text);
ALTER TABLE s.out ALTER a SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL, ALTER c SET STORAGE EXTERNAL;
ALTER TABLE s.out SET (autovacuum_enabled = off);
INSERT INTO s.out SELECT g, body('a' || g, 100), decode(body('b' || g, 300), 'hex'), body('c' || g, 100) FROM generate_series(1, 10) g;
SELECT comes_back('out of line', 's.out', 'UPDATE s.out SET a = body(a, 100), c = NULL WHERE id < 4; DELETE FROM s.out WHERE id > 7', 'id = 2');
SELECT id AS out FROM backup_create('{s.out}') \gset
UPDATE s.out SET a = body(a, 90), c = NULL WHERE id < 4; DELETE FROM s.out WHERE id > 7;
SET pg_snapback.reload_threshold = 1;
SELECT is((SELECT action FROM backup_restore(:'out', safety_backup => false)), 'by difference', 'once more');
SELECT is((SELECT dead_tuple_count > 3 * 6 FROM pgstattuple('s.out')), current_setting('wal_level') <> 'logical', 'each value made a version, unless subscribers would meet them');
VACUUM s.out;
SELECT is((SELECT tuple_count || ' ' || dead_tuple_count FROM pgstattuple('s.out')), '10 0', 'a vacuum leaves the rows alone');
SELECT reltoastrelid::regclass AS toast FROM pg_class WHERE oid = 's.out'::regclass \gset
SELECT is((SELECT count(DISTINCT chunk_id) FROM :toast), 30::bigint, 'and each value once in the toast table');
RESET pg_snapback.reload_threshold;

-- ---- large values in indexes ---------------------------------------------------------------------------------------------------------
CREATE TABLE s.indexed (id integer PRIMARY KEY, a text, b text, c text, d text);
CREATE INDEX ON s.indexed (md5(a));
CREATE INDEX ON s.indexed USING hash (b);
CREATE INDEX ON s.indexed USING brin (c);
CREATE INDEX ON s.indexed (id) WHERE length(a) > 10;
INSERT INTO s.indexed SELECT g, body('a' || g, 90), body('b' || g, 90), body('c' || g, 90), body('d' || g, 90) FROM generate_series(1, 30) g;
\set change 'UPDATE s.indexed SET a = ''x'' || id, b = ''y'' || id WHERE id < 5; UPDATE s.indexed SET d = ''z'' WHERE id = 6; UPDATE s.indexed SET c = ''z'' WHERE id = 8; DELETE FROM s.indexed WHERE id > 25'
SELECT comes_back('an index over an expression', 's.indexed', :'change', 'md5(a) = md5(body(''a3'', 90))');
SELECT comes_back('a hash index', 's.indexed', :'change', 'b = body(''b3'', 90)');
SELECT is(found_by('s.indexed', 'c = body(''c28'', 90)'), '1 1', 'a BRIN index finds a row that came back');
SELECT is(found_by('s.indexed', 'md5(a) = md5(''x3'')'), '0 0', 'and nothing of what was there before');
CREATE TABLE s.summary (id integer PRIMARY KEY, c text, d text);
CREATE INDEX ON s.summary USING brin (c) WITH (pages_per_range = 1);
INSERT INTO s.summary SELECT g, body('c' || g, 90), body('d' || g, 90) FROM generate_series(1, 30) g;
SELECT comes_back('a summarizing index', 's.summary', 'UPDATE s.summary SET c = ''a'', d = ''z'' WHERE id < 7; DELETE FROM s.summary WHERE id > 25', 'c = body(''c28'', 90)');
CREATE TABLE s.no_index (id integer, a text, b text);
INSERT INTO s.no_index SELECT g % 5, body('a' || g % 5, 90), body('b' || g, 90) FROM generate_series(1, 10) g;
SELECT comes_back('no index at all', 's.no_index', 'UPDATE s.no_index SET a = ''z'' WHERE id < 3');

-- ---- keys --------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE s.long_key (id text PRIMARY KEY, a text, b text UNIQUE, c integer);
INSERT INTO s.long_key SELECT body('k' || g, 20), body('a' || g, 90), body('b' || g, 20), g FROM generate_series(1, 20) g;
SELECT comes_back('a large key', 's.long_key', 'UPDATE s.long_key SET a = ''x'' WHERE c < 5; DELETE FROM s.long_key WHERE c > 15', 'id = body(''k3'', 20)');
SELECT comes_back('a large unique value', 's.long_key', 'UPDATE s.long_key SET b = c::text WHERE c < 5', 'b = body(''b3'', 20)');
SELECT comes_back('values that go round', 's.long_key', 'UPDATE s.long_key SET b = ''free'' WHERE c = 1; UPDATE s.long_key SET b = body(''b1'', 20) WHERE c = 2; UPDATE s.long_key SET b = body(''b2'', 20) WHERE c = 1', 'b = body(''b2'', 20)', '{reloaded,by difference}');
SELECT id AS long_key FROM backup_create('{s.long_key}') \gset
UPDATE s.long_key SET id = 'taken' WHERE c = 3;
SELECT throws_ok(format('SELECT * FROM backup_restore(%L, mode => ''missing'', safety_backup => false)', :'long_key'), '23505', 'duplicate key value violates unique constraint "long_key_b_key"', 'a unique value that is taken is refused');
SELECT is((SELECT count(*) FROM s.long_key) || faults_of('s.long_key'), '20', 'and nothing is changed');
CREATE TABLE s.later (id integer PRIMARY KEY DEFERRABLE INITIALLY DEFERRED, b text UNIQUE DEFERRABLE, a text, EXCLUDE USING gist (id WITH =), EXCLUDE USING hash (a WITH =));
INSERT INTO s.later SELECT g, body('b' || g, 20), body('a' || g, 90) FROM generate_series(1, 20) g;
SELECT comes_back('deferrable and exclusion constraints', 's.later', 'UPDATE s.later SET a = id::text, b = id::text WHERE id < 5; DELETE FROM s.later WHERE id > 15', 'b = body(''b3'', 20)');
CREATE TABLE s.excluded (id integer PRIMARY KEY, r int4range, a text, b text, EXCLUDE USING gist (r WITH &&));
INSERT INTO s.excluded SELECT g, int4range(g * 10, g * 10 + 5), body('a' || g, 90), body('b' || g, 90) FROM generate_series(1, 20) g;
SELECT comes_back('an exclusion constraint beside large values', 's.excluded', 'UPDATE s.excluded SET a = ''x'' WHERE id < 5; DELETE FROM s.excluded WHERE id > 15', 'r && int4range(31, 32)');
CREATE TABLE s.full_pages (id integer PRIMARY KEY, a text, b text, c text) WITH (fillfactor = 100);
ALTER TABLE s.full_pages ALTER a SET STORAGE PLAIN, ALTER b SET STORAGE PLAIN;
CREATE INDEX ON s.full_pages (length(c));
INSERT INTO s.full_pages SELECT g, repeat('a', 2000), repeat('b', 2000), body('c' || g, 90) FROM generate_series(1, 30) g;
SELECT comes_back('versions that do not fit their pages', 's.full_pages', 'UPDATE s.full_pages SET a = ''x'' WHERE id < 9; DELETE FROM s.full_pages WHERE id > 20', 'id = 3');

-- ---- partitions ------------------------------------------------------------------------------------------------------------------------------
CREATE TABLE s.parted (id integer, at integer, a text NOT NULL, b text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE s.parted_1 PARTITION OF s.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE s.parted_2 (b text, dropped integer, a text NOT NULL, at integer NOT NULL, id integer NOT NULL);
ALTER TABLE s.parted_2 DROP COLUMN dropped;
ALTER TABLE s.parted ATTACH PARTITION s.parted_2 FOR VALUES FROM (10) TO (20);
INSERT INTO s.parted SELECT g, g % 20, body('a' || g, 90), body('b' || g, 90) FROM generate_series(1, 40) g;
SELECT comes_back('partitions', 's.parted', 'UPDATE s.parted SET at = (at + 10) % 20 WHERE id % 3 = 0; UPDATE s.parted SET a = ''x'' WHERE id < 5; DELETE FROM s.parted WHERE id > 30', 'id = 4', '{reloaded,by difference,created}');
CREATE TABLE s.by_text (a text, b text, PRIMARY KEY (a)) PARTITION BY HASH (a);
CREATE TABLE s.by_text_1 PARTITION OF s.by_text FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE s.by_text_2 PARTITION OF s.by_text FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO s.by_text SELECT body('a' || g, 20), body('b' || g, 90) FROM generate_series(1, 40) g;
SELECT comes_back('partitions by a large value', 's.by_text', 'UPDATE s.by_text SET b = ''x'' WHERE a < ''5''; DELETE FROM s.by_text WHERE a > ''9''', 'a = body(''a3'', 20)');

-- ---- columns that changed since the backup -----------------------------------------------------------------------------------------------------
CREATE TABLE s.altered (id integer PRIMARY KEY, gone text, a text, b text);
INSERT INTO s.altered SELECT g, 'g', body('a' || g, 90), body('b' || g, 90) FROM generate_series(1, 20) g;
SELECT id AS altered FROM backup_create('{s.altered}') \gset
ALTER TABLE s.altered DROP COLUMN gone;
ALTER TABLE s.altered ALTER b TYPE varchar(5000), ADD COLUMN late text DEFAULT 'd';
SELECT rows_of('s.altered') AS before \gset
UPDATE s.altered SET late = body('l' || id, 200), a = 'x' WHERE id < 4;
DELETE FROM s.altered WHERE id > 15;
CREATE TABLE s.late AS SELECT id, late FROM s.altered;
SET pg_snapback.reload_threshold = 1;
SELECT is((SELECT string_agg(action || proven, '') FROM backup_restore(:'altered', allow_loss => true, safety_backup => false)), 'by differencetrue', 'a table with other columns');
SELECT is((SELECT count(*) FROM s.altered t WHERE t.a = body('a' || id, 90) AND b = body('b' || id, 90)) || faults_of('s.altered'), '20', 'has the values of the backup');
SELECT is((SELECT count(*) FROM s.altered NATURAL JOIN s.late), 15::bigint, 'and keeps those that the backup does not have');
RESET pg_snapback.reload_threshold;

-- ---- types whose functions take their bytes as they stand -----------------------------------------------------------------------------------
CREATE TABLE s.vectors (id integer PRIMARY KEY, a text, v oidvector CHECK (v::text <> ''), w int2vector CHECK (w[0] = 11), b text);
INSERT INTO s.vectors SELECT g, body('a' || g, 90), (SELECT string_agg((11 + i)::text, ' ') FROM generate_series(0, 89) i)::oidvector, (SELECT string_agg((11 + i)::text, ' ') FROM generate_series(0, 89) i)::int2vector,
  body('b' || g, 90) FROM generate_series(1, 4) g;
SELECT comes_back('vectors', 's.vectors', 'UPDATE s.vectors SET a = ''x'' WHERE id < 3', 'id = 2');

-- ---- code of the table keeps a value past its row ---------------------------------------------------------------------------------------------
-- a generic plan, because others take parameters apart
CREATE FUNCTION keeps(a text) RETURNS boolean LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE c refcursor := 'kept';
BEGIN
  IF NOT EXISTS (SELECT FROM pg_cursors WHERE name = 'kept') AND length(a) > 2000 THEN
    OPEN c FOR SELECT a FROM generate_series(1, 1000);
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION kept_value() RETURNS text LANGUAGE plpgsql AS $$
DECLARE c refcursor := 'kept'; found text;
BEGIN
  FETCH c INTO found;
  RETURN found;
END $$;
CREATE FUNCTION looks(id integer) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF id > 1 AND EXISTS (SELECT FROM pg_cursors WHERE name = 'kept') THEN
    PERFORM length(public.kept_value());
  END IF;
  RETURN true;
END $$;
CREATE TABLE s.kept (id integer PRIMARY KEY, a text CHECK (keeps(a)), b text, c text);
INSERT INTO s.kept SELECT g, body('a' || g, CASE g WHEN 1 THEN 90 ELSE 1 END), body('b' || g, CASE g WHEN 1 THEN 90 ELSE 1 END), 'c' FROM generate_series(1, 5) g;
SELECT id AS kept FROM backup_create('{s.kept}') \gset
UPDATE s.kept SET c = 'changed';
CREATE FUNCTION kept_after(id text, threshold text, what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE proven boolean;
BEGIN
  PERFORM set_config('pg_snapback.reload_threshold', threshold, true);
  UPDATE s.kept SET c = 'changed';
  EXECUTE 'CLOSE ALL';
  SELECT b.proven INTO proven FROM backup_restore(id, safety_backup => false) b;
  RETURN NEXT is(proven, true, what || ': a cursor that a check opens over a large value does not stop the restore');
  RETURN NEXT throws_ok('SELECT length(kept_value())', '55000', 'a value of a restored row was kept after the row was written', what || ': nor does it see what is not there any more');
  EXECUTE 'CLOSE ALL';
END $$;
SELECT kept_after(:'kept', '0', 'reloaded');
SELECT kept_after(:'kept', '1', 'by difference');
-- other rows are written while it looks
UPDATE s.kept SET c = 'changed';
ALTER TABLE s.kept ADD CONSTRAINT looks CHECK (looks(id)) NOT VALID;
SELECT throws_ok(format('SELECT * FROM backup_restore(%L, safety_backup => false)', :'kept'), '55000', NULL, 'a check that looks at a value of another row ends the restore');
SELECT is((SELECT count(*) FROM s.kept WHERE c = 'changed'), 5::bigint, 'and nothing is changed');

-- ---- what fails leaves nothing behind --------------------------------------------------------------------------------------------------------------
CREATE FUNCTION unchanged_after(id text, state text, what text, dry boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE before text := rows_of('s.heavy');
BEGIN
  RETURN NEXT throws_ok(format('SELECT * FROM backup_restore(%L, safety_backup => false)', id), state, NULL, what);
  RETURN NEXT is(rows_of('s.heavy') || faults_of('s.heavy'), before, what || ': nothing is changed');
  RETURN NEXT is((SELECT count(*) FROM pg_ls_tmpdir() WHERE name ~ ('^pgsql_tmp' || pg_backend_pid() || '\.')), 0::bigint, what || ': and no file is left');
END $$;
UPDATE s.heavy SET x = x || 'x' WHERE id IN (3, 9);
DELETE FROM s.heavy WHERE id = 18;
ALTER TABLE s.heavy ADD CONSTRAINT last_row CHECK (id <> 18 OR e = '') NOT VALID;
SET pg_snapback.reload_threshold = 0;
SELECT unchanged_after(:'heavy', '23514', 'a CHECK over the row, as a reload');
SET pg_snapback.reload_threshold = 1;
SELECT unchanged_after(:'heavy', '23514', 'a CHECK over the row, by difference');
ALTER TABLE s.heavy DROP CONSTRAINT last_row;
UPDATE s.heavy SET empty = ''; ALTER TABLE s.heavy ALTER empty SET NOT NULL;
SELECT unchanged_after(:'heavy', '23502', 'NOT NULL');
ALTER TABLE s.heavy ALTER empty DROP NOT NULL;
SET temp_file_limit = '1kB';
SELECT unchanged_after(:'heavy', '53400', 'too little room for temporary files');
RESET temp_file_limit;
RESET pg_snapback.reload_threshold;
SELECT is((SELECT proven FROM backup_restore(:'heavy', safety_backup => false)), true, 'then it comes back');
SELECT is((SELECT count(*) FROM pg_ls_tmpdir() WHERE name ~ ('^pgsql_tmp' || pg_backend_pid() || '\.')), 0::bigint, 'and leaves no file');

SELECT * FROM finish();
