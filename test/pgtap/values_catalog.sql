-- Every type of the server, taken from the catalog: written to JSON and read back, it is the same value; a type that cannot come back is refused by name.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();

-- ---- types whose input refuses its own output --------------------------------------------------------------------------------------------------

CREATE FUNCTION input_refuses(type regtype) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT ''''::%s', type);
    RETURN false;
EXCEPTION
    WHEN feature_not_supported THEN RETURN true;
    WHEN OTHERS THEN RETURN false;
END $$;

CREATE FUNCTION form_or_error(type regtype) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    RETURN snapback_value_form(type);
EXCEPTION
    WHEN feature_not_supported THEN RETURN 'refused: ' || SQLERRM;
END $$;

CREATE TABLE base_types AS
SELECT t.oid::regtype AS type, input_refuses(t.oid::regtype) AS refused
FROM pg_type t JOIN pg_proc p ON p.oid = t.typinput
WHERE t.typtype IN ('b', 'r', 'm') AND p.proname <> 'array_in' AND t.typnamespace = 'pg_catalog'::regnamespace;

SELECT is(form_or_error(type) LIKE 'refused: %', refused, format('%s is %s', type, CASE WHEN refused THEN 'refused' ELSE 'taken' END))
FROM base_types;
SELECT is(form_or_error('pg_mcv_list'), 'refused: cannot back up a column of type pg_mcv_list', 'a refusal names the type');
SELECT ok(form_or_error(oid::regtype) LIKE 'refused: %', format('the pseudo-type %s is refused', typname))
FROM pg_type WHERE typtype = 'p' AND typname <> 'record';
CREATE TYPE holds_refused AS (a integer, b pg_node_tree);
SELECT ok(form_or_error('holds_refused[]') LIKE 'refused: %pg_node_tree', 'a composite that holds a refused type is refused');

-- ---- samples: each type has some -----------------------------------------------------------------------------------------------------------------

CREATE TABLE samples (type regtype NOT NULL, value text);
INSERT INTO samples
SELECT s.type::regtype, v FROM (VALUES
    ('boolean', ARRAY['t', 'f']),
    ('bytea', ARRAY['', '\x00', '\xdeadbeef', '\x5c78', '\x225c2f']),
    ('"char"', ARRAY['', 'a', '"', '\', ' ', E'\x01', E'\x7f']),
    ('bigint', ARRAY['0', '-1', '9007199254740991', '-9007199254740991', '9007199254740992', '-9007199254740992', '9223372036854775807', '-9223372036854775808']),
    ('smallint', ARRAY['0', '32767', '-32768']),
    ('integer', ARRAY['0', '2147483647', '-2147483648']),
    ('int2vector', ARRAY['', '1', '1 -2 3']),
    ('oidvector', ARRAY['', '0', '4294967295 1']),
    ('regproc', ARRAY['-', 'now', '1397', '987654321']),
    ('regprocedure', ARRAY['-', 'abs(integer)', '987654321']),
    ('regoper', ARRAY['0', '551', '||/', '987654321']),
    ('regoperator', ARRAY['0', '+(integer,integer)', '-(NONE,integer)', '987654321']),
    ('regclass', ARRAY['-', 'pg_class', 'public.samples', '987654321']),
    ('regcollation', ARRAY['-', '"C"', '987654321']),
    ('regtype', ARRAY['-', 'integer', 'timestamp with time zone', '987654321']),
    ('regrole', ARRAY['-', 'pg_monitor', '987654321']),
    ('regnamespace', ARRAY['-', 'public', '987654321']),
    ('regconfig', ARRAY['-', 'simple', '987654321']),
    ('regdictionary', ARRAY['-', 'simple', '987654321']),
    ('text', ARRAY['', ' ', 'null', 'NULL', '""', E'\\', E'\\"', E'a\tb\nc\rd\be\ff', E'\x01\x02\x1f\x7f', '{"a":1}', '/', '</script>', repeat('x', 15), repeat('x', 16),
                   repeat('x', 17), repeat('é"', 40), repeat('abc"', 5000), repeat(E'\n', 20000), repeat('é', 20000), repeat('x', 100000) || 'é']),
    ('name', ARRAY['', 'a', '"', 'ünï', repeat('n', 63)]),
    ('character varying', ARRAY['', 'a ', 'ä']),
    ('character', ARRAY['', 'a', ' ']),
    ('oid', ARRAY['0', '1', '4294967295']),
    ('tid', ARRAY['(0,0)', '(4294967295,65535)']),
    ('xid', ARRAY['0', '4294967295']),
    ('cid', ARRAY['0', '4294967295']),
    ('xid8', ARRAY['0', '18446744073709551615']),
    ('json', ARRAY['{}', ' { "a" : 1 , "a" : 2 } ', 'null', E'[1 ,\n 2]', '"\u00e9\ud83d\ude00\u0000"', '1e400', '"x"', '-0.0', '{"$hex": "00"}']),
    ('jsonb', ARRAY['{}', '[]', 'null', '"x"', '""', 'true', 'false', '0', '-1.50', '1e400', '1e-400', '{"a": null}', '[null]', '[[]]', '{"": ""}', '{"a": {"b": [1, {"c": "d"}]}}',
                    '"\u0001\u001f\u007f\"\\/"', '"é😀"', '{"$hex": "00"}', '{"$hex": 1}', '{"$hex": "00", "b": 1}', '[{"$hex": "00"}]', '"{\"$hex\":\"00\"}"', '[1, 2, 3]',
                    '12345678901234567890.123456789012345678901234567890']),
    ('jsonpath', ARRAY['$', '$.a[*] ? (@.b > 1)', 'lax $."a b"']),
    ('xml', ARRAY['', 'text', '<a/>', '<a b="c">&amp;</a>', '<a/><b/>', '<?xml version="1.0" encoding="UTF-8"?><a/>', '<?xml version="1.0" encoding="ISO-8859-1" standalone="yes"?><a>é</a>',
                  '<!DOCTYPE a><a/>', '<![CDATA[ "x" ]]>', E'<a>\n</a>']),
    ('point', ARRAY['(0,0)', '(-0,1e-300)', '(NaN,Infinity)', '(0.1,-123456789.123456789)']),
    ('lseg', ARRAY['[(0,0),(1,0.1)]', '[(-Infinity,NaN),(1e300,1)]']),
    ('path', ARRAY['((0,0),(1,1))', '[(0,0),(1,1),(2,0.1)]']),
    ('box', ARRAY['(1,1),(0,0)', '(0.3,Infinity),(0.1,-0)']),
    ('polygon', ARRAY['((0,0))', '((0,0),(1,1),(2,0.1))']),
    ('line', ARRAY['{1,-1,0}', '{0.1,0.2,0.3}']),
    ('circle', ARRAY['<(0,0),0>', '<(0.1,-1),1e10>']),
    ('real', ARRAY['0', '-0', '1', '1.1', '-1.5', 'NaN', 'Infinity', '-Infinity', '3.4028235e38', '1.17549435e-38', '1e-45', '1.4e-45', '1e20', '1e-5', '1e15', '123456.7', '16777217', '0.3', '9.99999e9']),
    ('double precision', ARRAY['0', '-0', '1', '0.1', '-1.5', 'NaN', 'Infinity', '-Infinity', '1.7976931348623157e308', '2.2250738585072014e-308', '5e-324', '4.9406564584124654e-324', '1e20', '1e15',
                               '1e16', '123456789012345678', '1e-5', '0.0001', '9007199254740993', '0.30000000000000004', '2.225073858507201e-308', '1e22', '1e23']),
    ('numeric', ARRAY['0', '0.00', '-0', '1', '-1', '1.50', '0.0001', '0.00010', '0.000000001', '10000', '9999', '10000.0001', '100000000', '123456789.987654321', '-0.5', '-1234.5678', '0.00000000000000000001230',
                      'NaN', 'Infinity', '-Infinity', '1e100', '1e-100', '1e131071', '1e-16383', '-9.99e1000', repeat('9', 1000) || '.' || repeat('1', 1000), '1e63', '1e64', '12e255', '12e256',
                      '0.' || repeat('0', 63) || '1', '1000000000000.0', '1e-64']),
    ('money', ARRAY['0', '-0.01', '92233720368547758.07', '-92233720368547758.08', '1234567.89']),
    ('macaddr', ARRAY['08:00:2b:01:02:03', 'ff:ff:ff:ff:ff:ff']),
    ('macaddr8', ARRAY['08:00:2b:01:02:03:04:05', '00:00:00:00:00:00:00:00']),
    ('inet', ARRAY['0.0.0.0', '192.168.0.1/24', '::1', '::ffff:1.2.3.4/128', '2001:db8::/32']),
    ('cidr', ARRAY['0.0.0.0/0', '10.0.0.0/8', '::/0', '2001:db8::/32']),
    ('aclitem', ARRAY['=r/pg_monitor', 'pg_monitor=arwdDxt/pg_monitor', 'pg_monitor=r*/pg_read_all_data']),
    ('date', ARRAY['2000-01-01', '1999-12-31', '0001-01-01', '0001-12-31 BC', '4713-01-01 BC', '9999-12-31', '10000-01-01', '5874897-12-31', 'infinity', '-infinity', '2024-02-29', '1900-02-28', '2100-03-01']),
    ('time without time zone', ARRAY['00:00:00', '23:59:59.999999', '24:00:00', '12:34:56.1', '12:34:56.000001']),
    ('time with time zone', ARRAY['00:00:00+00', '23:59:59.999999-15:59:59', '24:00:00+15:59', '12:34:56.1+05:30']),
    ('timestamp without time zone', ARRAY['2000-01-01 00:00:00', '1999-12-31 23:59:59.999999', '0001-01-01 00:00:00', '0001-12-31 23:59:59.9 BC', '4713-01-01 00:00:00 BC', '9999-12-31 23:59:59.999999',
                                          '10000-01-01 00:00:00', '294276-12-31 23:59:59.999999', 'infinity', '-infinity', '2024-02-29 12:00:00.1']),
    ('timestamp with time zone', ARRAY['2000-01-01 00:00:00+00', '1999-12-31 23:59:59.999999+00', '0001-01-01 00:00:00+00', '0001-12-31 23:59:59.9+00 BC', '4713-01-02 00:00:00+00 BC',
                                       '9999-12-31 23:59:59.999999+00', '10000-01-01 00:00:00+00', '294276-12-31 23:59:59.999999+00', 'infinity', '-infinity', '2024-06-30 12:00:00.1+02']),
    ('interval', ARRAY['0', '1 year 2 mons 3 days 04:05:06.789', '-1 days +02:03:00', '-178000000 years', '178000000 years', '00:00:00.000001', '-00:00:00.000001', '1 mon -1 days']),
    ('bit', ARRAY['0', '1']),
    ('bit varying', ARRAY['', '0', '10101', repeat('10', 100)]),
    ('refcursor', ARRAY['', 'cursor "x"']),
    ('uuid', ARRAY['00000000-0000-0000-0000-000000000000', 'ffffffff-ffff-ffff-ffff-ffffffffffff', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11']),
    ('pg_lsn', ARRAY['0/0', 'FFFFFFFF/FFFFFFFF', '16/B374D848']),
    ('tsvector', ARRAY['', '''a'':1A ''b c'':2,3B ''d''', '''it''''s'' ''\\'' ''"''']),
    ('tsquery', ARRAY['', '''a'' & !''b c'' | ''d'':*AB', '''a'' <2> ''it''''s''']),
    ('txid_snapshot', ARRAY['1:1:', '10:20:10,14,15']),
    ('pg_snapshot', ARRAY['1:1:', '10:20:10,14,15']),
    ('int4range', ARRAY['empty', '[1,5)', '(,)', '[,5)', '[1,)', '[-2147483648,2147483647)']),
    ('int8range', ARRAY['empty', '[-9223372036854775808,9223372036854775807)', '(,)']),
    ('numrange', ARRAY['empty', '[1.50,2.500]', '(0.10,Infinity)', '(,NaN]']),
    ('daterange', ARRAY['empty', '[2000-01-01,2000-02-01)', '["0044-03-15 BC",infinity)']),
    ('tsrange', ARRAY['empty', '["2000-01-01 00:00:00","2000-01-01 00:00:00.5"]', '(,infinity)']),
    ('tstzrange', ARRAY['empty', '["2000-01-01 00:00:00+00","2000-01-01 00:00:00.5+00"]', '["0044-03-15 00:00:00+00 BC",]']),
    ('int4multirange', ARRAY['{}', '{[1,5),[7,9)}']),
    ('int8multirange', ARRAY['{}', '{[1,5),[7,)}']),
    ('nummultirange', ARRAY['{}', '{[1.50,2.500],(3.0,)}']),
    ('datemultirange', ARRAY['{}', '{[2000-01-01,2000-02-01)}']),
    ('tsmultirange', ARRAY['{}', '{["2000-01-01 00:00:00","2000-01-01 00:00:00.5"]}']),
    ('tstzmultirange', ARRAY['{}', '{["2000-01-01 00:00:00+00",infinity)}'])
) AS s (type, texts), unnest(s.texts) AS v;

SELECT is_empty('SELECT type FROM base_types WHERE NOT refused EXCEPT SELECT type FROM samples', 'every type of the server has samples');

-- ---- alone, in arrays, in composites, in domains ----------------------------------------------------------------------------------------------------

CREATE PROCEDURE make(type regtype) LANGUAGE plpgsql AS $$
DECLARE
    -- char and bit without a length mean length 1
    n text := CASE type WHEN 'character'::regtype THEN 'bpchar' WHEN 'bit'::regtype THEN '"bit"' ELSE type::text END;
    o oid := type;
    sample text;
BEGIN
    EXECUTE format('CREATE DOMAIN d_%s AS %s', o, n);
    EXECUTE format('CREATE TYPE c_%s AS (a %s, b text, c d_%s)', o, n, o);
    EXECUTE format('CREATE TABLE t_%1$s (v %2$s, d d_%1$s, c c_%1$s, a %2$s[], ad d_%1$s[], ac c_%1$s[])', o, n);
    FOR sample IN SELECT value FROM samples WHERE samples.type = make.type LOOP
        EXECUTE format('INSERT INTO t_%1$s (v, d, c) VALUES (%3$L::%2$s, %3$L::%2$s, ROW(%3$L::%2$s, NULL, %3$L::%2$s))', o, n, sample);
    END LOOP;
    EXECUTE format('INSERT INTO t_%1$s DEFAULT VALUES', o);
    -- array_agg() and ARRAY[] would make int2[] of int2vectors
    EXECUTE format('INSERT INTO t_%1$s (a, ad, ac) SELECT ' || CASE WHEN n LIKE '%%vector' THEN 'array_agg(v::text)::%2$s[], array_agg(d::text)::d_%1$s[]' ELSE 'array_agg(v), array_agg(d)' END
                   || ', array_agg(c) FROM t_%1$s', o, n);
    EXECUTE format('INSERT INTO t_%1$s (a, ad, ac) VALUES (''{}'', ''{}'', ''{}''), (''{NULL}'', ''{NULL}'', ''{NULL}'')', o);
    -- two dimensions; a lower bound of 0; the bare name of an overloaded function is no input
    IF n IN ('regproc', 'regoper') THEN RETURN; END IF;
    EXECUTE format('INSERT INTO t_%1$s (a) SELECT concat(''{'', a, (SELECT typdelim FROM pg_type WHERE oid = %1$s), a, ''}'')::%2$s[] FROM t_%1$s WHERE cardinality(a) > 2', o, n);
    EXECUTE format('INSERT INTO t_%1$s (a) SELECT concat(''[0:'', cardinality(a) - 1, '']='', a)::%2$s[] FROM t_%1$s WHERE cardinality(a) > 2 AND array_ndims(a) = 1', o, n);
END $$;

SELECT format('CALL make(%L)', type::oid) FROM base_types WHERE NOT refused ORDER BY type::oid
\gexec

SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip(format('t_%s', type::oid)::regclass) WHERE NOT ok), NULL, format('%s comes back', type))
FROM base_types WHERE NOT refused ORDER BY type::oid;
SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip(format('t_%s', type::oid)::regclass, false) WHERE NOT ok), NULL, format('%s comes back without domain checks', type))
FROM base_types WHERE NOT refused AND type NOT IN ('json', 'jsonb') ORDER BY type::oid;
-- every line is one JSON object whose keys are the columns that are not NULL
SELECT is((SELECT count(*) FROM snapback_row_json(format('t_%s', type::oid)::regclass) AS line WHERE line::json IS NULL), 0::bigint, format('%s is valid JSON', type))
FROM base_types WHERE NOT refused ORDER BY type::oid;

-- ---- the text is PostgreSQL's own -------------------------------------------------------------------------------------------------------------------

SET timezone = 'UTC';
SET datestyle = 'ISO, MDY';
SET intervalstyle = postgres;
SET extra_float_digits = 1;
SET bytea_output = hex;
CREATE FUNCTION shown(source regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    -- not a cast: those of inet and character are no output functions
    RETURN QUERY EXECUTE format('SELECT CASE WHEN v IS NOT NULL THEN format(''%%s'', v) END FROM %s', source);
END $$;
SELECT is(
    (SELECT string_agg(format('%s instead of %s', line::json ->> 'v', v), E'\n')
     FROM ROWS FROM (snapback_row_json(format('t_%s', type::oid)::regclass), shown(format('t_%s', type::oid)::regclass)) AS both_texts (line, v)
     WHERE (line::json -> 'v')::text NOT IN ('true', 'false') AND line::json ->> 'v' IS DISTINCT FROM v),
    NULL, format('%s is written as the server shows it', type))
FROM base_types
-- written otherwise on purpose: xml with its encoding, money and names under the fixed settings, json with \u0000
WHERE NOT refused AND type::text NOT IN ('xml', 'regproc', 'regoper', 'json', 'jsonb', 'money') AND type::text NOT LIKE 'reg%'
ORDER BY type::oid;

SELECT finish();
