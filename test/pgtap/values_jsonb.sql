-- jsonb built here is bit for bit what the server's own input makes, and what is out of the ordinary goes to that.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();
SELECT setseed(0.4711);

CREATE FUNCTION blanks() RETURNS text LANGUAGE sql VOLATILE AS $$SELECT (ARRAY['', '', '', '', ' ', E'\n', E'\t ', E'\r\n'])[1 + floor(random() * 8)::int]$$;
CREATE FUNCTION random_string() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT '"' || coalesce((SELECT string_agg((ARRAY['a', 'b', 'aa', 'é', '日', '😀', '\"', '\\', '\/', '\b', '\f', '\n', '\r', '\t', '\u0001', '\u00e9', '\u65E5', '\ud83d\ude00', ' ', 'xyz', 'key', '$hex'])
                                               [1 + floor(random() * 22)::int], '') FROM generate_series(1, floor(random() * 4)::int)), '') || '"';
$$;
CREATE FUNCTION random_number() RETURNS text LANGUAGE sql VOLATILE AS $$
    SELECT (ARRAY['0', '-0', '1', '-1', '10', '100', '1000', '9999', '10000', '12345678', '0.0', '0.1', '-0.00010', '1.50', '10000.00001', '123456789.123456789', '1e5', '1E-7', '-2.5e+3', '0.00000000000000000001',
                  '99999999999999999999999999999999', repeat('7', 62), repeat('8', 63), repeat('9', 64), '1' || repeat('0', 60), '0.' || repeat('0', 59) || '1', '100.000', '0.5000'])[1 + floor(random() * 28)::int];
$$;
CREATE FUNCTION random_json(depth integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    kind integer := floor(random() * CASE WHEN depth > 0 THEN 9 ELSE 5 END);
    many integer := floor(random() * CASE WHEN random() < 0.02 THEN 120 ELSE 6 END);
    result text;
BEGIN
    CASE
        WHEN kind = 0 THEN result := (ARRAY['true', 'false', 'null'])[1 + floor(random() * 3)::int];
        WHEN kind <= 2 THEN result := random_string();
        WHEN kind <= 4 THEN result := random_number();
        WHEN kind <= 6 THEN
            result := '[' || blanks() || coalesce((SELECT string_agg(random_json(depth - 1), blanks() || ',' || blanks()) FROM generate_series(1, many)), '') || blanks() || ']';
        ELSE
            result := '{' || blanks() || coalesce((SELECT string_agg(random_string() || blanks() || ':' || random_json(depth - 1), blanks() || ',' || blanks()) FROM generate_series(1, many)), '') || '}';
    END CASE;
    RETURN blanks() || result || blanks();
END $$;

CREATE TABLE documents (j json, jb jsonb);
INSERT INTO documents SELECT text::json, text::jsonb FROM (SELECT random_json(5) AS text FROM generate_series(1, 3000)) AS texts;
INSERT INTO documents SELECT text::json, text::jsonb FROM unnest(ARRAY[
    '[]', '{}', '[[]]', '{"":{}}', '{"a":1,"a":2,"b":3,"a":{"c":4}}', '{"bb":1,"a":2,"ccc":3,"":0}', '[1,"x",2.5,null,true,[],{}]', '"\u0000"', '{"\u0000":1}',
    repeat('[', 100) || repeat(']', 100), repeat('[', 101) || repeat(']', 101), repeat('[', 1000) || repeat(']', 1000), repeat('{"a":', 99) || '1' || repeat('}', 99)]) AS text WHERE text !~ '\\u0000';
INSERT INTO documents SELECT j, j::jsonb FROM (
    SELECT json_object_agg(format('key %s', n), n) FROM generate_series(1, 1000) AS n
    UNION ALL SELECT json_agg(repeat('x', n)) FROM generate_series(1, 200) AS n
    UNION ALL SELECT json_agg(n * 1.5) FROM generate_series(1, 5000) AS n
    UNION ALL SELECT json_agg(repeat('long', 1000)) FROM generate_series(1, 300) AS n) AS made (j);

SELECT is((SELECT string_agg(left(problem, 500), E'\n') FROM snapback_row_roundtrip('documents') WHERE NOT ok), NULL, 'jsonb comes back bit for bit');
SELECT cmp_ok(count(*), '>', 3000::bigint, 'thousands of documents') FROM documents;

-- text that is not jsonb's own: blanks, keys in any order and twice, escapes
CREATE TABLE json_only (n integer, j json);
INSERT INTO json_only SELECT row_number() OVER (), j FROM documents;
CREATE TABLE jsonb_only (n integer, j jsonb);
SELECT is_empty($$
    SELECT ROW(n, j::jsonb)::text FROM json_only
    EXCEPT SELECT snapback_row_read('json_only', 'jsonb_only', (SELECT string_agg(line, E',\n') FROM snapback_row_json('json_only') AS line))
$$, 'json becomes the jsonb that the server makes of it');

CREATE FUNCTION outcome(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE query INTO result;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT is(outcome(format('SELECT snapback_row_read(''json_only'', ''jsonb_only'', %L)', '{"j":' || to_json(text)::text || '}')), outcome(format('SELECT ROW(NULL, %L::jsonb)::text', text)), 'as the server: ' || left(to_json(text)::text, 40))
FROM unnest(ARRAY['', ' ', '{', '}', '[', ']', '[1', '[1,', '[,1]', '[1,]', '{"a"}', '{"a":}', '{"a":1,}', '{a:1}', '{1:2}', '{"a" 1}', '"', '"a', '"\x"', '"\u00"', '"\u00zz"', '"\ud800"', '"\ud800\u0041"', '"\udc00"',
                  '"\ud83dx"', '01', '-01', '1.', '.1', '-', '+1', '1e', '1e+', '--1', '1-1', '1.2.3', 'nul', 'nulll', 'True', 'truefalse', '1 2', '"a" "b"', '[] []', 'NaN', 'Infinity', '1e400000', E'"\x01"', E'"a\nb"',
                  '-0', '-0.0', '0.00', '1E400', '[1]x', '/**/1', repeat('[', 20000)]) AS text;
SELECT finish();
