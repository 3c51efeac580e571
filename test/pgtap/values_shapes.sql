-- Arrays, composites, domains, enums, typed lengths, odd names, wide tables and the caller's settings.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();

CREATE FUNCTION comes_back(source regclass) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip(source) WHERE NOT ok), NULL, source || ' comes back')
    UNION ALL
    SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip(source, false) WHERE NOT ok), NULL, source || ' comes back without domain checks');
$$;

-- ---- the form that the column header states --------------------------------------------------------------------------------------------------------

CREATE TYPE mood AS ENUM ('sad', 'so "so"', 'ha''ppy', 'ünï, {}', '');
CREATE DOMAIN small_text AS varchar(5) CHECK (VALUE <> 'bad');
CREATE DOMAIN strict_small AS small_text NOT NULL;
CREATE DOMAIN pair AS integer[] CHECK (cardinality(VALUE) = 2);
CREATE DOMAIN document AS jsonb;
CREATE TYPE inner_part AS ("a b" integer, "q""uote" text, m mood, d small_text);
CREATE TYPE outer_part AS (p inner_part, ps inner_part[], dp pair, dps pair[], n numeric(6, 2));
CREATE DOMAIN checked_part AS inner_part CHECK ((VALUE)."a b" > 0);
CREATE TYPE with_json AS (a integer, j json);
CREATE TYPE deep_json AS (w with_json[], t text);
CREATE TYPE nothing AS ();
CREATE TYPE text_span AS RANGE (subtype = text);
CREATE TYPE domain_span AS RANGE (subtype = small_text);

SELECT is(snapback_value_form('int4'), '{"form":"number"}', 'form of integer');
SELECT is(snapback_value_form('bool'), '{"form":"boolean"}', 'form of boolean');
SELECT is(snapback_value_form('numeric'), '{"form":"string"}', 'form of numeric');
SELECT is(snapback_value_form('json'), '{"form":"json_text"}', 'form of json');
SELECT is(snapback_value_form('document'), '{"form":"json"}', 'form of a domain over jsonb');
SELECT is(snapback_value_form('strict_small'), '{"form":"string"}', 'form of a domain over a domain');
SELECT is(snapback_value_form('pair'), '{"form":"array","element":{"form":"number"}}', 'form of a domain over an array');
SELECT is(snapback_value_form('pair[]'), '{"form":"array","element":{"form":"array","element":{"form":"number"}}}', 'form of an array of domains over arrays');
SELECT is(snapback_value_form('jsonb[]'), '{"form":"string"}', 'an array of jsonb is its text');
SELECT is(snapback_value_form('with_json'), '{"form":"string"}', 'a composite that holds json is its text');
SELECT is(snapback_value_form('deep_json[]'), '{"form":"string"}', 'so is an array of composites that hold arrays of such');
SELECT is(snapback_value_form('document[]'), '{"form":"string"}', 'an array of domains over jsonb is its text');
SELECT is(snapback_value_form('nothing'), '{"form":"object","fields":[]}', 'form of a composite without fields');
SELECT is(snapback_value_form('int2vector'), '{"form":"string"}', 'int2vector is no array here');
SELECT is(snapback_value_form('inner_part'),
          '{"form":"object","fields":[{"name":"a b","type":"integer","form":"number"},{"name":"q\"uote","type":"text","form":"string"},'
          '{"name":"m","type":"public.mood","form":"string"},{"name":"d","type":"public.small_text","form":"string"}]}', 'form of a composite');
SELECT matches(snapback_value_form('outer_part'), '"name":"n","type":"numeric\(6,2\)"', 'types of fields stand with their modifiers');

-- ---- composites, domains, arrays ------------------------------------------------------------------------------------------------------------------

CREATE TABLE nested (m mood, ms mood[], p inner_part, ps inner_part[], cp checked_part, cps checked_part[], o outer_part, os outer_part[], w with_json, ws with_json[], dj deep_json,
                     doc document, docs document[], d small_text, ds small_text[], pr pair, prs pair[], n nothing, span text_span, spans text_span[]);
INSERT INTO nested (m) SELECT unnest(enum_range(NULL::mood));
INSERT INTO nested (ms) VALUES (enum_range(NULL::mood)), (ARRAY[NULL, 'sad']::mood[]);
INSERT INTO nested (p) VALUES (ROW(NULL, NULL, NULL, NULL)), (ROW(1, 'x"y\z', 'so "so"', 'abc')), (ROW(1, '', '', ''));
INSERT INTO nested (ps) SELECT array_agg(p) FROM nested WHERE p IS DISTINCT FROM NULL UNION ALL SELECT ARRAY[NULL, ROW(1, NULL, NULL, NULL)]::inner_part[];
INSERT INTO nested (cp, cps) VALUES (ROW(1, 'a', 'sad', 'b'), ARRAY[ROW(2, NULL, NULL, NULL)::inner_part, NULL]::checked_part[]);
INSERT INTO nested (o) SELECT ROW(ROW(1, '', NULL, NULL)::inner_part, (SELECT array_agg(p) FROM nested WHERE p IS NOT NULL), '{1,2}', ARRAY['{1,2}', '{3,NULL}']::pair[], 1.5)::outer_part;
INSERT INTO nested (os) SELECT array_agg(o) FROM nested;
INSERT INTO nested (w, ws, dj) VALUES (ROW(1, ' {"a" : 1, "a":null} '), ARRAY[ROW(1, 'null'), ROW(2, NULL), NULL]::with_json[], ROW(ARRAY[ROW(1, 'null')]::with_json[], 'x'));
INSERT INTO nested (doc, docs) VALUES ('null', ARRAY['null', NULL, '{"a": 1}']::document[]);
INSERT INTO nested (d, ds) VALUES ('abc  ', ARRAY['a', NULL, '']::small_text[]);
INSERT INTO nested (pr, prs) VALUES ('{1,2}', ARRAY['{1,2}', NULL]::pair[]), ('[3:4]={1,2}', ARRAY['[0:1]={1,2}']::pair[]);
INSERT INTO nested (n) VALUES (ROW());
INSERT INTO nested (span, spans) VALUES ('["a, b","c""d")', ARRAY['empty', '(,)', '[a,a]']::text_span[]);
SELECT comes_back('nested');
SELECT is((SELECT count(*) FROM nested), (SELECT count(*) FROM snapback_row_json('nested') AS line WHERE line::jsonb IS NOT NULL), 'every line is JSON');
SELECT is((SELECT json_agg(line::json ->> 'p' ORDER BY line) FROM snapback_row_json('nested') AS line WHERE line::jsonb ? 'p')::text,
          '["{\"a b\":1,\"q\\\"uote\":\"\",\"m\":\"\",\"d\":\"\"}", "{\"a b\":1,\"q\\\"uote\":\"x\\\"y\\\\z\",\"m\":\"so \\\"so\\\"\",\"d\":\"abc\"}", "{}"]', 'composites are objects, absent is NULL');
SELECT ok((SELECT bool_and(line::jsonb ->> 'w' = '(1," {""a"" : 1, ""a"":null} ")') FROM snapback_row_json('nested') AS line WHERE line::jsonb ? 'w'), 'a composite with json is its text form');
SELECT ok((SELECT bool_and(line::jsonb -> 'doc' = 'null') FROM snapback_row_json('nested') AS line WHERE line::jsonb ? 'doc'), 'jsonb null is JSON null');

-- a domain's NOT NULL and CHECK are looked at when wanted
CREATE TABLE plain_text (a text, b text);
CREATE TABLE domain_text (a small_text, b strict_small);
SELECT throws_ok($$SELECT snapback_row_read('plain_text', 'domain_text', '{"a":"bad","b":"x"}')$$, '23514', 'invalid value for column "a" in row 0 of the backup', 'a CHECK of a domain refuses');
SELECT throws_ok($$SELECT snapback_row_read('plain_text', 'domain_text', '{"a":"x"}')$$, '23502', 'invalid value for column "b" in row 0 of the backup', 'NOT NULL of a domain refuses an absent key');
SELECT throws_ok($$SELECT snapback_row_read('plain_text', 'domain_text', '{"a":"abcdef","b":"x"}')$$, '22001', 'invalid value for column "a" in row 0 of the backup', 'the length of a domain refuses');
SELECT is(snapback_row_read('plain_text', 'domain_text', '{"a":"bad"}', false), '(bad,)', 'without checks both are taken');
SELECT throws_ok($$SELECT snapback_row_read('plain_text', 'domain_text', '{"a":"abcdef"}', false)$$, '22001', NULL, 'the length holds in any case');

-- no code of a domain's owner runs without checks
CREATE FUNCTION spy(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE 'the domain''s code ran'; END $$;
CREATE DOMAIN spied AS text CHECK (spy(VALUE));
ALTER DOMAIN spied DROP CONSTRAINT spied_check;
CREATE TYPE holds_spied AS (a spied, j json);
CREATE TABLE with_spied (d spied, ds spied[], c holds_spied, cs holds_spied[]);
INSERT INTO with_spied (d, ds) VALUES ('a', '{a,b}'), ('b', '{{a,b}}');
INSERT INTO with_spied (c, cs) VALUES (NULL, NULL);
ALTER DOMAIN spied ADD CHECK (spy(VALUE)) NOT VALID;
SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip('with_spied', false) WHERE NOT ok), NULL, 'no check runs, not even for the text form of an array');
SELECT is(snapback_row_read('with_spied', 'with_spied', '{"c":"(a,)","d":"x","cs":"{\"(a,)\"}"}', false), '(x,,,)', 'a text form that would run one is passed over');

-- a composite that lost and gained fields since rows were stored
CREATE TYPE evolving AS (a integer, b text, c numeric);
CREATE TABLE holds_evolving (e evolving, es evolving[]);
INSERT INTO holds_evolving VALUES (ROW(1, 'b', 2.50), ARRAY[ROW(1, 'b', 2.50)::evolving]);
CREATE TABLE evolving_table (a integer, b text);
CREATE TABLE holds_row (r evolving_table, rs evolving_table[]);
INSERT INTO holds_row VALUES (ROW(1, 'x'), ARRAY[ROW(1, 'x')::evolving_table]);
ALTER TABLE evolving_table ADD c integer;
ALTER TABLE evolving_table DROP a;
INSERT INTO holds_row VALUES (ROW('y', 3), ARRAY[ROW('y', 3)::evolving_table]);
SELECT is(string_agg(line, ' '), '{"r":{"b":"x"},"rs":[{"b":"x"}]} {"r":{"b":"y","c":3},"rs":[{"b":"y","c":3}]}', 'dropped and added fields of a table''s row type') FROM snapback_row_json('holds_row') AS line;

-- ---- typed lengths and scales -------------------------------------------------------------------------------------------------------------------------

CREATE TABLE lengths (c char(5), v varchar(5), b bit(4), vb bit varying(6), n numeric(6, 2), i interval(2), ts timestamp(0), t time(3), tz timestamptz(1), ttz timetz(0), iy interval year to month,
                      cs char(5)[], vs varchar(5)[], ns numeric(6, 2)[], f float(10), x numeric(3, 0));
INSERT INTO lengths VALUES ('ab', 'ab  ', '1010', '101', 1.5, '1.239 s', '2000-01-01 00:00:01', '00:00:01.125', '2000-01-01 00:00:01.5+00', '00:00:01+05', '1 year 2 mons',
                            '{ab,"",abcde,NULL}', '{"ab ",abcde}', '{1.5,0,-1234.56,NULL}', 1.5, 123),
                           ('ééééé', 'ééééé', '0000', '', 9999.99, NULL, 'infinity', '24:00:00', '-infinity', '24:00:00+00', '-1 years', '{}', '{}', '{NaN}', 'NaN', 'NaN'),
                           ('', '', NULL, NULL, 0, '0', '0001-01-01 00:00:00 BC', '00:00:00', '9999-12-31 23:59:59.9+00', NULL, NULL, NULL, NULL, '{0}', 0, 0);
SELECT comes_back('lengths');
SELECT is(line::jsonb ->> 'c', 'ab   ', 'char(5) keeps its blanks') FROM snapback_row_json('lengths') AS line LIMIT 1;

-- ---- names ----------------------------------------------------------------------------------------------------------------------------------------------

CREATE TABLE "odd ""names""" ("a ""q"" b" integer, "line
break" text, "tab	" text, "ünï😀" text, "back\slash" text, "$hex" text, " " text, ".,:{}[]'" text, "a" integer, "A" integer, dropped integer, "ctrl" text);
ALTER TABLE "odd ""names""" DROP dropped;
DO $$ BEGIN EXECUTE format('ALTER TABLE "odd ""names""" RENAME ctrl TO %I', E'\x01\x1f'); END $$;
INSERT INTO "odd ""names""" VALUES (1, '2', '3', '4', '5', '6', '7', '8', 9, 10, '11');
INSERT INTO "odd ""names""" ("A") VALUES (NULL), (5);
SELECT comes_back('"odd ""names"""');
SELECT is(string_agg(line, E'\n'), E'{"a \\"q\\" b":1,"line\\nbreak":"2","tab\\t":"3","ünï😀":"4","back\\\\slash":"5","$hex":"6"," ":"7",".,:{}[]''":"8","a":9,"A":10,"\\u0001\\u001f":"11"}\n{}\n{"A":5}', 'names are escaped')
FROM snapback_row_json('"odd ""names"""') AS line;

SELECT format('CREATE TABLE wide (%s)', string_agg(format('c%s %s', n, (ARRAY['integer', 'smallint', 'boolean', 'text'])[n % 4 + 1]), ', ')) FROM generate_series(1, 1600) AS n
\gexec
INSERT INTO wide DEFAULT VALUES;
INSERT INTO wide (c1, c1600) VALUES (1, 1600);
DO $$
BEGIN
    EXECUTE (SELECT format('INSERT INTO wide VALUES (%s)', string_agg(CASE n % 4 WHEN 0 THEN n::text WHEN 1 THEN n::text WHEN 2 THEN 'true' ELSE '''x''' END, ', ' ORDER BY n)) FROM generate_series(1, 1600) AS n);
END $$;
SELECT comes_back('wide');
SELECT is((SELECT count(*) FROM jsonb_object_keys(line::jsonb)), 1600::bigint, '1,600 columns') FROM snapback_row_json('wide') AS line ORDER BY length(line) DESC LIMIT 1;

CREATE TABLE no_columns ();
INSERT INTO no_columns DEFAULT VALUES;
SELECT comes_back('no_columns');
SELECT is(line, '{}', 'a table without columns') FROM snapback_row_json('no_columns') AS line;

-- ---- the key of a row -----------------------------------------------------------------------------------------------------------------------------------

CREATE TABLE keyed (a integer, b text, c uuid, big bigint);
INSERT INTO keyed VALUES (1, 'x"y', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 9223372036854775807), (2, repeat('y', 600), NULL, 1);
SELECT is(array_agg(k), ARRAY['["x\"y",1]', NULL]::text[], 'the key in its own order, empty when long') FROM (SELECT nullif(k, '') AS k FROM snapback_row_keys('keyed', '{2,1}') AS k) AS keys;
SELECT is(array_agg(k), ARRAY['["9223372036854775807","a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"]', '[1,null]'], 'lexemes as they stand in the line') FROM snapback_row_keys('keyed', '{4,3}') AS k;
SELECT is(array_agg(k), ARRAY['', ''], 'no key') FROM snapback_row_keys('keyed', '{}') AS k;

-- ---- all of Unicode -----------------------------------------------------------------------------------------------------------------------------------------

CREATE TABLE unicode (t text, v varchar, c char(1), n name, a text[], j json, jb jsonb);
INSERT INTO unicode
SELECT chr(c), chr(c), chr(c), chr(c)::name, ARRAY[chr(c), 'x' || chr(c)], to_json(chr(c)), to_jsonb(chr(c))
FROM generate_series(1, 1114111) AS c WHERE c NOT BETWEEN 55296 AND 57343 AND (c < 2500 OR c % 97 = 0 OR c % 65536 IN (0, 1, 65534, 65535) OR c BETWEEN 57344 AND 57400);
SELECT comes_back('unicode');
SELECT is((SELECT count(*) FROM unicode), (SELECT count(*) FROM snapback_row_json('unicode') AS line WHERE line::json IS NOT NULL), 'every character makes valid JSON');

-- "char" is any byte
CREATE TABLE bytes_of_char AS SELECT n::"char" AS c, ARRAY[n::"char", NULL] AS a, ARRAY[[n::"char"]] AS aa FROM generate_series(-128, 127) AS n;
SELECT comes_back('bytes_of_char');
SELECT is(min(line::json ->> 'c') FILTER (WHERE line LIKE '%200%'), '\200', 'in octal digits above 0x7f') FROM snapback_row_json('bytes_of_char') AS line;

-- ---- large values ----------------------------------------------------------------------------------------------------------------------------------------------

CREATE TABLE large (t text, b bytea, j jsonb, js json, a integer[], ta text[]);
ALTER TABLE large ALTER t SET STORAGE EXTERNAL, ALTER b SET STORAGE EXTERNAL;
INSERT INTO large VALUES (repeat(E'a"é\n', 1000000), decode(repeat('00ff', 1500000), 'hex'),
                          (SELECT jsonb_object_agg(n, repeat('é"', n % 50)) FROM generate_series(1, 20000) AS n), (SELECT json_agg(n) FROM generate_series(1, 100000) AS n),
                          (SELECT array_agg(n) FROM generate_series(1, 300000) AS n), (SELECT array_agg(repeat('x', n % 1000)) FROM generate_series(1, 3000) AS n));
INSERT INTO large (j) VALUES ((repeat('[', 1000) || repeat(']', 1000))::jsonb), ('[1e10000]'), (to_jsonb(repeat('é"', 100000)));
SELECT comes_back('large');

-- ---- what the caller has set does not matter -------------------------------------------------------------------------------------------------------------------

CREATE TABLE forms (d date, ts timestamp, tz timestamptz, i interval, f4 real, f8 double precision, m money, b bytea, x xml, a integer[], ta text[], r regclass, rt regtype, tr tstzrange, cl circle, bd public.mood);
INSERT INTO forms VALUES ('2026-02-01', '2026-02-01 10:00', '2026-02-01 10:00+01', '1 year -2 days 00:00:01.5', 0.1, 0.1, 12.34, '\x5c00ff', '<a/>', '{1,NULL}', '{NULL,"null"}', 'forms', 'public.mood',
                          '[2026-02-01 10:00+01,)', '<(0.1,0.2),0.3>', 'sad');
CREATE TABLE reference AS SELECT * FROM snapback_row_json('forms') AS line;
SET datestyle = 'German';
SET intervalstyle = iso_8601;
SET timezone = 'Asia/Kathmandu';
SET extra_float_digits = -15;
SET bytea_output = escape;
SET xmloption = document;
SET xmlbinary = hex;
SET array_nulls = off;
SET quote_all_identifiers = on;
SET search_path = public, pg_temp;
SELECT is(line, (SELECT r.line FROM reference AS r), 'the same line under other settings') FROM snapback_row_json('forms') AS line;
SELECT comes_back('forms');
SELECT is(current_setting('datestyle') || current_setting('extra_float_digits'), 'German, DMY-15', 'the settings are as they were');
RESET ALL;
SELECT is(line, '{"d":"2026-02-01","ts":"2026-02-01 10:00:00","tz":"2026-02-01 09:00:00+00","i":"1 year -2 days +00:00:01.5","f4":0.1,"f8":0.1,"m":"$12.34","b":"\\x5c00ff","x":"<a/>","a":[1,null],'
                '"ta":[null,"null"],"r":"public.forms","rt":"public.mood","tr":"[\"2026-02-01 09:00:00+00\",)","cl":"<(0.1,0.2),0.3>","bd":"sad"}', 'the fixed forms')
FROM snapback_row_json('forms') AS line;

SELECT finish();
