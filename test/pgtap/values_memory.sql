-- Nothing is left behind, by errors or by rows.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();

CREATE TYPE part AS (a integer, b text);
CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
CREATE TABLE t (i integer, t text, p part, ps part[], n numeric, j jsonb, x xml, d positive, h text[]);
INSERT INTO t SELECT n, repeat('x', n % 3000), ROW(n, 'b')::part, ARRAY[ROW(n, NULL)::part], n / 7.0, jsonb_build_object('a', n), '<a/>', n, ARRAY[n::text, NULL] FROM generate_series(1, 20000) AS n;

CREATE FUNCTION fails(line text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    PERFORM snapback_row_read('t', 't', line);
    RETURN false;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END $$;
CREATE FUNCTION used() RETURNS bigint LANGUAGE sql AS 'SELECT sum(used_bytes)::bigint FROM pg_backend_memory_contexts';
CREATE FUNCTION all_fail() RETURNS boolean LANGUAGE sql AS $$
    SELECT bool_and(fails(line)) FROM unnest(ARRAY['{"i":"x"}', '{"t":1}', '{"p":{"a":"x"}}', '{"ps":[{"a":1},{"b":1}]}', '{"n":"1e"}', '{"j":{"a":}}', '{"x":"<a"}', '{"d":-1}', '{"h":[1]}', '{"zz":1}', '{"i":1']) AS line;
$$;
SELECT ok(all_fail(), 'every kind of bad line fails');
SELECT used() AS before
\gset
SELECT count(*) FILTER (WHERE all_fail()) = 300 AS failed FROM generate_series(1, 300)
\gset
SELECT ok(:'failed', 'three thousand times');
SELECT cmp_ok(used() - :before, '<', 200000::bigint, 'errors leave no memory behind');

SELECT count(*) AS warm FROM snapback_row_roundtrip('t') WHERE NOT ok
\gset
SELECT used() AS before
\gset
SELECT is((SELECT count(*) FROM snapback_row_roundtrip('t') WHERE NOT ok), 0::bigint, 'all rows come back');
SELECT is((SELECT count(*) FROM snapback_row_json('t')), 20000::bigint, 'all rows are written');
SELECT cmp_ok(used() - :before, '<', 200000::bigint, 'rows leave no memory behind');

-- a cancel passes through as such
CREATE FUNCTION canceled(query text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE query;
    RETURN false;
EXCEPTION WHEN query_canceled THEN
    RETURN true;
END $$;
SET statement_timeout = 50;
SELECT ok(canceled($$SELECT count(*) FROM generate_series(1, 1000) AS n, LATERAL (SELECT count(*) FROM snapback_row_json('t') WHERE n > 0) AS c$$), 'a cancel passes through the writer');
SELECT ok(canceled($$SELECT count(*) FROM generate_series(1, 1000) AS n, LATERAL (SELECT count(*) FROM snapback_row_roundtrip('t') WHERE n > 0) AS c$$), 'and through the reader');
RESET statement_timeout;
SELECT is((SELECT count(*) FROM snapback_row_roundtrip('t') WHERE NOT ok), 0::bigint, 'all goes on after that');
SELECT finish();
