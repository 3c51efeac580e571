-- Databases of other encodings: the text in a backup is UTF-8 or, where it cannot be that exactly, {"$hex":"..."}.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();
SELECT current_database() AS home
\gset
SELECT :'home' || '_latin1' AS latin1, :'home' || '_euc_jp' AS euc_jp, :'home' || '_ascii' AS ascii, :'home' || '_win1252' AS win1252
\gset
CREATE DATABASE :"latin1" TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C';
CREATE DATABASE :"euc_jp" TEMPLATE template0 ENCODING 'EUC_JP' LOCALE 'C';
CREATE DATABASE :"ascii" TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C';
CREATE DATABASE :"win1252" TEMPLATE template0 ENCODING 'WIN1252' LOCALE 'C';

\c :"latin1"
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_snapback_test;
CREATE TYPE "möod" AS ENUM ('größe', 'b');
CREATE TYPE "täg" AS ("fäld" text, m "möod");
CREATE TABLE "tablé" ("späte" text, v varchar(5), c char(3), n name, j json, jb jsonb, m "möod", p "täg", a text[], ps "täg"[], x xml, s tsvector, r regclass, cs "char", lj jsonb);
INSERT INTO "tablé" VALUES ('é"ÿ' || repeat('x', 40), 'ééééé', 'ä', 'ö', '{"é": "ü"}', '{"é": "ü", "$hex": 1}', 'größe', ROW('ß', 'größe'), '{é,NULL,"{"}', ARRAY[ROW('ß', 'größe')::"täg"],
                            '<a>é</a>', 'é', '"tablé"', 'a', '{"$hex": "é"}'),
                           (repeat('é', 30000), '', NULL, '', NULL, to_jsonb(repeat('é', 30000)), 'b', NULL, '{{é,é}}', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO "tablé" ("späte") SELECT string_agg(chr(c), '') FROM generate_series(1, 255) AS c;
INSERT INTO "tablé" ("späte") SELECT chr(c) FROM generate_series(1, 255) AS c;
SELECT coalesce(string_agg(problem, E'\n'), 'none') AS latin1_problems FROM snapback_row_roundtrip('"tablé"') WHERE NOT ok
\gset
-- what is read as jsonb was UTF-8 and stays it
SELECT line AS latin1_line FROM snapback_row_json('"tablé"') AS line LIMIT 1
\gset

\c :"win1252"
CREATE EXTENSION pg_snapback_test;
CREATE TABLE t (a text);
-- the five bytes that WIN1252 does not define
INSERT INTO t SELECT convert_from(set_byte('\x00', 0, c), 'WIN1252') FROM generate_series(1, 255) AS c WHERE c NOT IN (129, 141, 143, 144, 157);
SELECT coalesce(string_agg(problem, E'\n'), 'none') AS win1252_problems FROM snapback_row_roundtrip('t') WHERE NOT ok
\gset

\c :"euc_jp"
SET client_encoding = 'UTF8';
CREATE EXTENSION pg_snapback_test;
CREATE TABLE t (a text, j jsonb, js json, v varchar(2), c char(2), k text[]);
INSERT INTO t VALUES ('日本語 "x"', '{"日": "本"}', '{"日" : "本"}', '日本', '語', '{日,本}'), (repeat('日本語', 10000), NULL, NULL, NULL, NULL, NULL);
-- every pair of bytes that the encoding allows, also those without a character in UTF-8
DO $$
BEGIN
    FOR high IN 161..254 LOOP
        FOR low IN 161..254 LOOP
            BEGIN
                INSERT INTO t (a) VALUES (convert_from(set_byte(set_byte('\x0000', 0, high), 1, low), 'EUC_JP'));
            EXCEPTION WHEN character_not_in_repertoire OR untranslatable_character THEN NULL;
            END;
        END LOOP;
    END LOOP;
END $$;
SELECT coalesce(string_agg(problem, E'\n'), 'none') AS euc_jp_problems FROM snapback_row_roundtrip('t') WHERE NOT ok
\gset
SELECT count(*) > 6000 AS euc_jp_many, bool_and(line::json IS NOT NULL) AS euc_jp_json FROM snapback_row_json('t') AS line
\gset

\c :"ascii"
SET client_encoding = 'SQL_ASCII';
CREATE EXTENSION pg_snapback_test;
CREATE TYPE mood AS ENUM (E'\xff', 'é');
CREATE TYPE part AS (a text, b integer);
CREATE TABLE t (a text, v varchar(3), c char(4), n name, j json, jb jsonb, m mood, p part, ar text[], x text, ch "char");
INSERT INTO t VALUES (E'\xff"', E'\xe9', E'\xe9', E'n\xe9', E'{"\xe9" : 1}', E'{"\xe9": "\xff"}', E'\xff', ROW(E'\xff', 1), ARRAY[E'\xff', 'a', NULL], repeat(E'\xe9', 40000), E'\xe9'),
                     ('é', 'é', 'é', 'é', '{"é":1}', '{"é": 1}', 'é', ROW('é', 2), ARRAY['é'], repeat('é', 40000), 'a'),
                     (NULL, NULL, NULL, NULL, NULL, '{"$hex": "00"}', NULL, NULL, ARRAY[ARRAY[E'\xff']], repeat('é', 20000) || E'\xff', NULL);
SELECT coalesce(string_agg(problem, E'\n'), 'none') AS ascii_problems FROM snapback_row_roundtrip('t') WHERE NOT ok
\gset
SELECT encode(line::bytea, 'hex') AS ascii_line FROM (SELECT replace(line, '\', '\\') AS line FROM (SELECT (line::json ->> 'a') || (line::json ->> 'm') || (line::json ->> 'p') || (line::json ->> 'ar') AS line
    FROM snapback_row_json('t') AS line LIMIT 1) AS l) AS l
\gset
-- whatever is written is UTF-8
SELECT count(*) = 3 AND bool_and(convert_from(convert_to(line, 'SQL_ASCII'), 'SQL_ASCII') IS NOT NULL) AS ascii_valid FROM snapback_row_json('t') AS line
\gset

\c :"home"
SELECT no_plan();
SELECT is(:'latin1_problems'::text, 'none', 'LATIN1 comes back');
SELECT is(:'win1252_problems'::text, 'none', 'WIN1252 comes back');
SELECT is(:'euc_jp_problems'::text, 'none', 'EUC_JP comes back');
SELECT ok(:'euc_jp_many', 'with some thousand characters');
SELECT ok(:'euc_jp_json', 'every line of EUC_JP is JSON');
SELECT is(:'ascii_problems'::text, 'none', 'SQL_ASCII comes back');
SELECT ok(:'ascii_valid', 'SQL_ASCII is written');
SELECT is(convert_from(decode(:'ascii_line', 'hex'), 'UTF8'), '{"$hex":"ff22"}{"$hex":"ff"}{"a":{"$hex":"ff"},"b":1}[{"$hex":"ff"},"a",null]', 'bytes that are no UTF-8 are hexadecimal');
SELECT matches(:'latin1_line'::text, '^{"späte":"é\\"ÿx+","v":"ééééé","c":"ä  ","n":"ö","j":"{\\"é\\": \\"ü\\"}","jb":{"é": "ü", "\$hex": 1},"m":"größe","p":{"fäld":"ß","m":"größe"},"a":\["é",null,"{"],', 'LATIN1 becomes UTF-8');

DROP DATABASE :"latin1";
DROP DATABASE :"euc_jp";
DROP DATABASE :"ascii";
DROP DATABASE :"win1252";
SELECT finish();
