-- The direct writers and readers against the server's own functions, over many values.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();
SELECT setseed(0.1234);
SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET extra_float_digits = 1;

-- all rows come back, and each column `v` is written as its output function shows it
CREATE FUNCTION agrees(source regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    wrong text;
    problems text;
BEGIN
    SELECT string_agg(problem, E'\n') INTO problems FROM (SELECT problem FROM snapback_row_roundtrip(source) WHERE NOT ok LIMIT 3) AS p;
    RETURN NEXT is(problems, NULL, source || ' comes back');
    EXECUTE format($q$
        SELECT string_agg(concat(written, ' instead of ', shown), E'\n')
        FROM (SELECT written, shown FROM ROWS FROM (snapback_row_json(%1$L), all_shown(%1$L)) AS b (line, shown), LATERAL (SELECT line::json ->> 'v' AS written) AS w
              WHERE written IS DISTINCT FROM shown LIMIT 3) AS differing $q$, source) INTO wrong;
    RETURN NEXT is(wrong, NULL, source || ' is written as the server shows it');
END $$;
CREATE FUNCTION all_shown(source regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT format(''%%s'', v) FROM %s', source);
END $$;

CREATE TABLE dates AS SELECT '0001-12-01 BC'::date + n * 11 AS v FROM generate_series(0, 340000) AS n;
INSERT INTO dates SELECT make_date(y, m, d) FROM generate_series(1, 9999, 37) AS y, (VALUES (1, 1), (2, 28), (3, 1), (12, 31)) AS md (m, d);
INSERT INTO dates SELECT make_date(y, 2, 29) FROM generate_series(4, 9996, 4) AS y WHERE y % 100 <> 0 OR y % 400 = 0;
SELECT agrees('dates');

CREATE TABLE timestamps AS SELECT '0001-12-31 BC'::timestamp + (random() * 3660000) * interval '1 day' AS v FROM generate_series(1, 50000);
INSERT INTO timestamps SELECT '1999-12-31 23:59:50'::timestamp + n * interval '0.0003 s' FROM generate_series(1, 50000) AS n;
INSERT INTO timestamps SELECT '2024-01-01'::timestamp + n * interval '1 hour 1 min 1.01 s' FROM generate_series(1, 10000) AS n;
SELECT agrees('timestamps');
CREATE TABLE timestamps_with_zone AS SELECT v::timestamptz FROM timestamps;
SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip('timestamps_with_zone') WHERE NOT ok), NULL, 'timestamps with time zone come back');
SELECT agrees('timestamps_with_zone');
CREATE TABLE times AS SELECT '00:00:00'::time + random() * interval '1 day' AS v FROM generate_series(1, 20000);
SELECT agrees('times');

CREATE TABLE doubles AS SELECT ((random() - 0.5) * 10.0::float8 ^ floor(random() * 600 - 300)) AS v FROM generate_series(1, 50000);
INSERT INTO doubles SELECT 2::float8 ^ n FROM generate_series(-1022, 1023) AS n;
INSERT INTO doubles SELECT n / 100.0 FROM generate_series(-5000, 5000) AS n;
INSERT INTO doubles SELECT ('4.9406564584124654e-324'::float8) * n FROM generate_series(0, 1000) AS n;
SELECT agrees('doubles');
CREATE TABLE reals AS SELECT ((random() - 0.5) * 10.0::float8 ^ floor(random() * 70 - 35))::real AS v FROM generate_series(1, 50000);
INSERT INTO reals SELECT (2::float8 ^ n)::real FROM generate_series(-126, 127) AS n;
INSERT INTO reals SELECT '1.4e-45'::real * n FROM generate_series(0, 1000) AS n;
SELECT agrees('reals');

CREATE TABLE numerics AS
SELECT (CASE WHEN random() < 0.5 THEN '-' ELSE '' END || left(translate((random()::numeric * random()::numeric * random()::numeric)::text, '.', ''), 1 + floor(random() * 60)::int)
        || CASE WHEN random() < 0.7 THEN '.' || left(translate((random()::numeric * random()::numeric * random()::numeric)::text, '.', ''), 1 + floor(random() * 60)::int) ELSE '' END)::numeric AS v
FROM generate_series(1, 50000);
INSERT INTO numerics SELECT 10::numeric ^ n FROM generate_series(-70, 70) AS n;
INSERT INTO numerics SELECT -(10::numeric ^ n) + 1 FROM generate_series(-70, 70) AS n;
INSERT INTO numerics SELECT round(random()::numeric * 10000, n % 10) FROM generate_series(1, 5000) AS n;
INSERT INTO numerics SELECT round(0, n) FROM generate_series(0, 80) AS n;
SELECT agrees('numerics');
CREATE TABLE money_like (v numeric(12, 2), w numeric(5, 5), x numeric(3, 0));
INSERT INTO money_like SELECT (random() - 0.5) * 10 ^ (n % 11), random() * 0.99, n % 1000 FROM generate_series(1, 20000) AS n;
SELECT agrees('money_like');

CREATE TABLE integers AS SELECT n AS v FROM generate_series(-70000, 70000) AS n;
INSERT INTO integers SELECT (2::numeric ^ n)::bigint::integer FROM generate_series(0, 30) AS n;
INSERT INTO integers SELECT -(10 ^ n)::integer + 1 FROM generate_series(0, 9) AS n;
SELECT agrees('integers');
CREATE TABLE bigints AS SELECT ((random() - 0.5) * 2 ^ (n % 63))::bigint AS v FROM generate_series(1, 50000) AS n;
INSERT INTO bigints SELECT 9007199254740991 + n FROM generate_series(-5, 5) AS n UNION ALL SELECT -9007199254740991 + n FROM generate_series(-5, 5) AS n;
SELECT agrees('bigints');
SELECT is((SELECT count(*) FROM snapback_row_json('bigints') AS line WHERE (line ~ '"v":"') <> (abs((line::json ->> 'v')::bigint) > 9007199254740991)), 0::bigint, 'beyond 2^53-1 a string');
CREATE TABLE uuids AS SELECT gen_random_uuid() AS v FROM generate_series(1, 20000);
SELECT agrees('uuids');
CREATE TABLE byteas AS SELECT decode(md5(n::text) || md5((-n)::text), 'hex') AS v FROM generate_series(1, 5000) AS n;
INSERT INTO byteas SELECT substring(v FOR n % 32) FROM byteas, generate_series(0, 31) AS n;
SELECT agrees('byteas');
-- every length, with something to escape at every place
CREATE TABLE texts AS SELECT overlay(repeat('x', length) PLACING c FROM place FOR 1) AS v FROM generate_series(1, 70) AS length, generate_series(1, 70) AS place, unnest(ARRAY['"', E'\n', 'é', '日', E'\x1f', E'\x7f']) AS c
WHERE place <= length;
SELECT agrees('texts');
SELECT finish();
