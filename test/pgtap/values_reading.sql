-- Reading lines that are not what this database wrote: other types, damaged rows, values that types refuse. No error shows a value.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();

CREATE TYPE part AS (a integer, b text);
CREATE TYPE part_text AS (b varchar, a bigint, c boolean);
CREATE TYPE mood AS ENUM ('sad', 'happy');
CREATE TABLE source (i integer, b bigint, f double precision, t text, o boolean, j json, jb jsonb, a integer[], p part, n numeric, ts timestamp, by bytea, m mood, ap part[]);

-- one column `i` to `ap` of another type
CREATE FUNCTION reads(line text, name text, type text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
    state text; message text; more text; hint text; context text;
BEGIN
    EXECUTE format('CREATE TABLE target (%I %s)', name, type);
    result := snapback_row_read('source', 'target', line);
    DROP TABLE target;
    RETURN result;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    IF message || more || hint || context ~ 'zzsecret|4242424242' THEN RETURN 'the value shows: ' || message || more || hint || context; END IF;
    RETURN state || ': ' || message || CASE WHEN more <> '' THEN ' / ' || more ELSE '' END;
END $$;

-- ---- foreign types -------------------------------------------------------------------------------------------------------------------------------

SELECT is(reads('{"i":12}', 'i', 'text'), '(12)', 'a number as text');
SELECT is(reads('{"i":12}', 'i', 'varchar(2)'), '(12)', 'a number as varchar');
SELECT is(reads('{"i":12}', 'i', 'bigint'), '(12)', 'a wider integer');
SELECT is(reads('{"i":12}', 'i', 'numeric(4,1)'), '(12.0)', 'a number as numeric');
SELECT is(reads('{"i":12}', 'i', 'double precision'), '(12)', 'an integer as float');
SELECT is(reads('{"i":12}', 'i', 'jsonb'), '(12)', 'a number as jsonb');
SELECT is(reads('{"i":1}', 'i', 'boolean'), '(t)', 'a number as boolean: by the input function');
SELECT matches(reads('{"i":40000}', 'i', 'smallint'), '^22003: invalid value for column "i" in row 0 of the backup / The type of the column is smallint.', 'a narrower integer that does not fit');
SELECT matches(reads('{"f":1.5}', 'f', 'integer'), '^22P02: ', 'a fraction as integer');
SELECT matches(reads('{"f":1e+20}', 'f', 'bigint'), '^22P02: ', 'an exponent as integer');
SELECT is(reads('{"f":1.5}', 'f', 'real'), '(1.5)', 'a narrower float');
SELECT is(reads('{"f":"NaN"}', 'f', 'numeric'), '(NaN)', 'NaN as numeric');
SELECT is(reads('{"f":1e+300}', 'f', 'numeric'), '(1' || repeat('0', 300) || ')', 'an exponent as numeric');
SELECT matches(reads('{"f":1e+300}', 'f', 'real'), '^22003: ', 'a float that does not fit');
SELECT is(reads('{"b":"9223372036854775807"}', 'b', 'text'), '(9223372036854775807)', 'a large bigint as text');
SELECT matches(reads('{"b":"9223372036854775807"}', 'b', 'integer'), '^22003: ', 'a large bigint as integer');
SELECT is(reads('{"o":true}', 'o', 'text'), '(true)', 'a boolean as text');
SELECT matches(reads('{"o":true}', 'o', 'integer'), '^22P02: ', 'a boolean as integer');
SELECT is(reads('{"t":"12"}', 't', 'integer'), '(12)', 'a text as integer');
SELECT is(reads('{"t":"true"}', 't', 'boolean'), '(t)', 'a text as boolean');
SELECT is(reads('{"t":"{1,2}"}', 't', 'integer[]'), '("{1,2}")', 'a text as array');
SELECT is(reads('{"t":"(1,x)"}', 't', 'part'), '("(1,x)")', 'a text as composite');
SELECT is(reads('{"t":"2026-01-01 1:02"}', 't', 'timestamp'), '("2026-01-01 01:02:00")', 'a text as timestamp in another shape');
SELECT is(reads('{"t":"{\"a\":1}"}', 't', 'jsonb'), '("{""a"": 1}")', 'a text as jsonb is parsed');
SELECT is(reads('{"j":" {\"a\" :1} "}', 'j', 'jsonb'), '("{""a"": 1}")', 'json as jsonb');
SELECT is(reads('{"j":" {\"a\" :1} "}', 'j', 'text'), '(" {""a"" :1} ")', 'json as text');
SELECT is(reads('{"jb":{"a": 1}}', 'jb', 'json'), '("{""a"": 1}")', 'jsonb as json');
SELECT is(reads('{"jb":{"a": 1}}', 'jb', 'text'), '("{""a"": 1}")', 'jsonb as text');
SELECT is(reads('{"jb":12}', 'jb', 'integer'), '(12)', 'a jsonb number as integer');
SELECT matches(reads('{"jb":{"a": 1}}', 'jb', 'integer'), '^22P02: ', 'a jsonb object as integer');
SELECT is(reads('{"jb":null}', 'jb', 'jsonb'), '(null)', 'jsonb null');
SELECT is(reads('{"jb":{"$hex":"7b7d"}}', 'jb', 'jsonb'), '({})', 'jsonb in hexadecimal');
SELECT is(reads('{"a":[1,null,2]}', 'a', 'text[]'), '("{1,NULL,2}")', 'an array of another type');
SELECT is(reads('{"a":[1,null,2]}', 'a', 'jsonb'), '("[1, null, 2]")', 'an array as jsonb');
SELECT is(reads('{"a":"[0:1]={1,2}"}', 'a', 'bigint[]'), '("[0:1]={1,2}")', 'the text form of an array as another array');
SELECT is(reads('{"a":[1,2]}', 'a', 'text'), '42804: invalid value for column "a" in row 0 of the backup / The backup holds an array, which has no way to type text.', 'an array as text');
SELECT is(reads('{"p":{"a":1,"b":"x"}}', 'p', 'part_text'), '("(x,1,)")', 'a composite of other fields and order');
SELECT is(reads('{"p":{"a":1,"b":"x"}}', 'p', 'json'), '("{""a"":1,""b"":""x""}")', 'a composite as json');
SELECT matches(reads('{"p":{"a":1,"b":"x"}}', 'p', 'integer'), '^42804: ', 'a composite as integer');
SELECT matches(reads('{"p":{"a":1,"b":"x"}}', 'p', 'integer[]'), '^42804: ', 'a composite as array');
SELECT is(reads('{"ap":[{"a":1},null,{}]}', 'ap', 'part_text[]'), '("{""(,1,)"",NULL,""(,,)""}")', 'an array of composites of other fields');
CREATE TYPE part_small AS (b text);
SELECT is(reads('{"p":{"b":"x"}}', 'p', 'part_small'), '("(x)")', 'a field that is gone and was NULL');
SELECT matches(reads('{"p":{"a":1,"b":"x"}}', 'p', 'part_small'), '^42804: .*a field that is gone', 'a field that is gone and had a value');
SELECT is(reads('{"n":"1.50"}', 'n', 'numeric(6,1)'), '(1.5)', 'a zero too many is no loss');
SELECT is(reads('{"n":"1.25"}', 'n', 'numeric(6,1)'), '22003: invalid value for column "n" in row 0 of the backup / The type of the column is numeric(6,1).', 'numeric is never rounded');
SELECT is(reads('{"n":"NaN"}', 'n', 'numeric(6,1)'), '(NaN)', 'NaN has no digits to lose');
SELECT matches(reads('{"n":"100000.0"}', 'n', 'numeric(6,1)'), '^22003', 'numeric that does not fit');
SELECT is(reads('{"ts":"2026-01-01 00:00:00"}', 'ts', 'timestamp(0)'), '("2026-01-01 00:00:00")', 'a timestamp that fits');
SELECT matches(reads('{"ts":"2026-01-01 00:00:00.25"}', 'ts', 'timestamp(1)'), '^22008', 'a timestamp is never rounded');
SELECT is(reads('{"ts":"2026-01-01 00:00:00"}', 'ts', 'date'), '(2026-01-01)', 'a timestamp as date: by the input function');
SELECT matches(reads('{"ts":"2026-01-01 10:00:00"}', 'ts', 'date'), '^22008', 'a time of the day is not dropped');
SELECT is(reads('{"t":"2026-01-01 10:00:00+00"}', 't', 'timestamp'), '("2026-01-01 10:00:00")', 'a timestamp of UTC without its zone');
SELECT matches(reads('{"t":"2026-01-01 10:00:00+05"}', 't', 'timestamp'), '^22008', 'another zone is not dropped');
SELECT matches(reads('{"ts":"2026-01-01 10:00:00"}', 'ts', 'time'), '^22008', 'a date is not dropped');
SELECT is(reads('{"t":"10:00"}', 't', 'time'), '(10:00:00)', 'a time');
SELECT matches(reads('{"t":"' || repeat('n', 64) || '"}', 't', 'name'), '^22001', 'a name is not cut');
SELECT matches(reads('{"t":"ab"}', 't', '"char"'), '^22001', '"char" is not cut');
SELECT is(reads('{"t":"ab   "}', 't', 'varchar(2)'), '(ab)', 'blanks beyond the length go, as in SQL');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'varchar(2)'), '^22001', 'text beyond the length');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'char(2)'), '^22001', 'text beyond char(n)');
SELECT is(reads('{"t":"a"}', 't', 'char(3)'), '("a  ")', 'char(n) is padded');
SELECT is(reads('{"i":1,"b":2,"f":3,"t":"x","j":"{}","jb":{"q":[1,{"r":"\\\\"}]},"a":[1,[2]],"p":{"a":{}},"n":4}', 'i', 'integer'), '(1)', 'columns that nobody wants are passed over');

-- ---- values that types refuse: same SQLSTATE, and never the value ---------------------------------------------------------------------------------

SELECT is(reads('{"t":"zzsecret"}', 't', 'integer'), '22P02: invalid value for column "t" in row 0 of the backup / The type of the column is integer.', 'integer');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'uuid'), '^22P02: ', 'uuid');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'timestamptz'), '^22007: ', 'timestamptz');
SELECT matches(reads('{"t":"2026-13-45"}', 't', 'date'), '^22008: ', 'date out of range');
SELECT matches(reads('{"t":"2023-02-29"}', 't', 'date'), '^22008: ', 'no leap year');
SELECT matches(reads('{"t":"1900-02-29 00:00:00"}', 't', 'timestamp'), '^22008: ', 'no leap year in a century');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'mood'), '^22P02: ', 'enum');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'bytea'), 'x7a7a', 'bytea takes its escape form');
SELECT matches(reads('{"by":"\\xzz"}', 'by', 'bytea'), '^22023: ', 'bytea of bad digits');
SELECT matches(reads('{"by":"\\x0"}', 'by', 'bytea'), '^22023: ', 'bytea of odd digits');
SELECT matches(reads('{"j":"{zzsecret"}', 'j', 'json'), '^22P02: ', 'json');
SELECT matches(reads('{"jb":"zzsecret"}', 'jb', 'integer'), '^22P02: ', 'jsonb as integer');
SELECT matches(reads('{"t":"<zzsecret"}', 't', 'xml'), '^2200N: ', 'xml');
SELECT matches(reads('{"t":"(zzsecret"}', 't', 'point'), '^22P02: ', 'point');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'regclass'), '^42P01: ', 'regclass');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'regtype'), '^42704: ', 'regtype');
SELECT matches(reads('{"t":"zzsecret("}', 't', 'tsquery'), '^42601: ', 'tsquery');
SELECT matches(reads('{"t":"{zzsecret"}', 't', 'text[]'), '^22P02: ', 'array');
SELECT matches(reads('{"t":"[4242424242,1]"}', 't', 'int4range'), '^22003: ', 'range');
SELECT matches(reads('{"a":[4242424242]}', 'a', 'integer[]'), '^22003: ', 'an element');
SELECT matches(reads('{"p":{"a":4242424242}}', 'p', 'part'), '^22003: ', 'a field');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'inet'), '^22P02: ', 'inet');
SELECT matches(reads('{"t":"zzs"}', 't', 'bit(3)'), '^22P02: ', 'bit');
SELECT matches(reads('{"t":"1010"}', 't', 'bit(3)'), '^22026: ', 'bit of another length');
SELECT matches(reads('{"t":"zzsecret"}', 't', 'jsonpath[]'), '^22P02: ', 'array of jsonpath');
CREATE FUNCTION shouts(text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION 'got %', $1 USING DETAIL = $1, HINT = $1, ERRCODE = 'P0042'; END $$;
CREATE DOMAIN shouting AS text CHECK (shouts(VALUE));
SELECT matches(reads('{"t":"zzsecret"}', 't', 'shouting'), '^P0042: invalid value for column "t"', 'the check of a domain tells nothing');
SELECT matches(reads('{"t":"' || repeat('[', 100000) || '"}', 't', 'jsonb'), '^54001: ', 'depth is limited by the stack');
SELECT matches(reads('{"jb":' || repeat('[', 100000) || repeat(']', 100000) || '}', 'jb', 'jsonb'), '^54001: ', 'depth of raw jsonb too');

-- ---- damaged rows -------------------------------------------------------------------------------------------------------------------------------------

SELECT matches(reads(line, 'i', 'integer'), '^XX001: row [01] of the backup is malformed: ', 'damaged: ' || left(line, 60))
FROM unnest(ARRAY[
    '{"zzsecret":1}', '{"i":1,"i":2}', '{"i":1,"t":"x","i":2}', '{"i":null}', '{"i":true}', '{"i":[1]}', '{"i":{}}', '{"i":{"$hex":"00"}}', '{"i":}', '{"i":1', '{"i":01}', '{"i":1,}', '{i:1}',
    '{"i" :1}', '{"i": 1}', ' {"i":1}', '[1]', '{"i":1}}', '{"i":1}{"i":2}', '{"i":1} ', '{"i":"1}', '{"i":+1}', '{"i":.5}', '{"i":NaN}']) AS line;
SELECT matches(reads('{"o":' || value || '}', 'o', 'boolean'), '^XX001: ', 'a boolean that is ' || value) FROM unnest(ARRAY['1', '"true"', 'null', '{}', '[]', 'tru']) AS value;
SELECT matches(reads('{"t":' || value || '}', 't', 'text'), '^XX001: ', 'a text that is ' || value)
FROM unnest(ARRAY['1', 'true', 'null', '{}', '[]', '{"a":"00"}', '{"$hex":"0"}', '{"$hex":"zz"}', '{"$hex":1}', '{"$hex":"00","a":1}', '"\u0000"', '"\ud800"', '"\x"', E'"\x01"']) AS value;
SELECT matches(reads('{"t":{"$hex":"ff"}}', 't', 'text'), '^22021: ', 'bytes that this encoding does not have');
SELECT is(reads('{"t":{"$hex":"c3a9"}}', 't', 'text'), '(é)', 'bytes that it has');
SELECT matches(reads('{"t":{"$hex":"610062"}}', 't', 'text'), '^22021: ', 'a zero byte');
SELECT matches(reads('{"a":' || value || '}', 'a', 'integer[]'), '^XX001: ', 'an array that is ' || value) FROM unnest(ARRAY['1', 'null', 'true', '[1,]', '[,1]', '[1 ,2]', '["1"', '[true]', '[[1]]', '{"a":1}']) AS value;
SELECT matches(reads('{"p":' || value || '}', 'p', 'part'), '^XX001: ', 'a composite that is ' || value)
FROM unnest(ARRAY['1', 'null', '"(1,x)"', '[]', '{"a":1,"a":2}', '{"zz":1}', '{"a":null}', '{"b":1}', '{"a":1']) AS value;
SELECT matches(reads('{"jb":' || value || '}', 'jb', 'jsonb'), '^(XX001|22P02): ', 'a jsonb that is ' || value) FROM unnest(ARRAY['{', '{"a"}', 'nul', '[1,]', '01', '"\u0000"']) AS value;

-- rows are numbered from 0, also in errors
CREATE TABLE only_i (i integer);
SELECT is(count(*), 3::bigint, 'three rows') FROM snapback_row_read('only_i', 'only_i', E'{"i":1},\n{},\n{"i":3}');
SELECT throws_ok($$SELECT snapback_row_read('only_i', 'only_i', E'{"i":1},\n{},\n{"i":"x"}')$$, '22P02', 'invalid value for column "i" in row 2 of the backup', 'the row''s number');
SELECT throws_ok($$SELECT snapback_row_read('only_i', 'only_i', E'{"i":1},\n{},\n{"j":"x"}')$$, 'XX001', NULL, 'the row''s number in a malformed row');
-- any order of keys
SELECT is(snapback_row_read('source', 'source', '{"n":"1","t":"x","o":true,"i":5}'), '(5,,,x,t,,,,,1,,,,)', 'keys in another order');

SELECT finish();
