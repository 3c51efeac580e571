-- Tables of many types, shapes and names, of which test/data/backup_20261122T064747Z_2ce7feec.json.zst is a backup that PostgreSQL 15 took. The test makes them with
-- this file on the server under test, and compares them with what it restores.
CREATE SCHEMA kept;
SET search_path = kept, public;
CREATE TYPE kept.mood AS ENUM ('sad', 'so "so"', 'ünï');
CREATE DOMAIN kept.percent AS numeric(5, 2) CHECK (VALUE BETWEEN 0 AND 100);
CREATE TYPE kept.place AS (street text, number integer, mood kept.mood);
CREATE DOMAIN kept.places AS kept.place[] CHECK (cardinality(VALUE) < 5);
CREATE TABLE kept.scalars (id integer PRIMARY KEY, b boolean, i2 smallint, i8 bigint, f4 real, f8 double precision, n numeric, m money, t text, c char(5), v varchar(10), ch "char", na name, by bytea,
  u uuid, j json, jb jsonb, jp jsonpath, x xml, bi bit(5), vb bit varying(9), l pg_lsn, x8 xid8, ti tid, o oid, rc regclass, rt regtype);
INSERT INTO kept.scalars VALUES
  (1, true, -32768, 9223372036854775807, 'NaN', '-Infinity', 'NaN', '-92233720368547758.08', E'a\tb\n"\\é😀\x01', 'ab', 'ab  ', 'x', 'Name "q"', '\x00ff5c27', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
   E'{"a" : 1,\n "a":  2 }', '{"b": [1.50, null, {"c": "é"}], "$hex": "00"}', '$.a[*] ? (@.b > 1)', '<a b="c">&amp;é</a>', '10101', '101', '16/B374D848', '18446744073709551615', '(4294967295,65535)', 4294967295, 'pg_class', 'integer'),
  (2, false, 32767, -9007199254740992, '-0', '5e-324', repeat('9', 300)::numeric + 0.5, '0.01', '', '', '', '', '', '', '00000000-0000-0000-0000-000000000000', 'null', 'null', '$', '', '00000', '', '0/0', '0', '(0,0)', 0, 'kept.scalars', 'kept.mood'),
  (4, NULL, 0, 0, 1e-45, 0.30000000000000004, 1.500, '1234567.89', repeat('long é ', 500), 'ééééé', 'é', E'\x7f', repeat('n', 63), decode(repeat('00ff', 200), 'hex'), NULL, '{}', '[]', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO kept.scalars (id) VALUES (3);
CREATE TABLE kept.times (id integer PRIMARY KEY, d date, ti time, tz timetz, ts timestamp, tsz timestamptz, iv interval, dr daterange, tr tstzrange, mr datemultirange);
INSERT INTO kept.times VALUES (1, '0044-03-15 BC', '24:00', '23:59:59.999999-15:59', '294276-12-31 23:59:59.999999', '2026-11-22 01:02:03.456789+05:45', '1 year 2 mons -3 days 04:05:06.789', '[2000-01-01,2000-02-01)', '["2026-01-01 00:00+00",)',
  '{[2000-01-01,2000-02-01),[2001-01-01,)}'), (2, 'infinity', '00:00', '00:00+00', '-infinity', 'infinity', '-178000000 years', 'empty', '(,)', '{}');
INSERT INTO kept.times (id) VALUES (3);
CREATE TABLE kept.compounds (id bigint GENERATED ALWAYS AS IDENTITY (START 5 INCREMENT 5) PRIMARY KEY, a integer[], g integer[][], low text[], m kept.mood, ms kept.mood[], p kept.place, ps kept.places, pc kept.percent, twice numeric GENERATED ALWAYS AS (pc * 2) STORED,
  tv tsvector, tq tsquery, ip inet, ci cidr, ma macaddr, m8 macaddr8, pt point, bo box, po polygon, ci2 circle);
INSERT INTO kept.compounds (a, g, low, m, ms, p, ps, pc, tv, tq, ip, ci, ma, m8, pt, bo, po, ci2) VALUES
  ('{1,NULL,3}', '{{1,2},{3,NULL}}', '[-3:-1]={a,"b c",NULL}', 'ünï', '{sad,"so \"so\"",NULL}', ROW('"Rua, 1"', 1, 'sad'), ARRAY[ROW('x', NULL, NULL), NULL]::kept.place[], 99.5, '''a'':1A ''b c'':2,3B', '''a'' & !''b''', '192.168.0.1/24', '10.0.0.0/8',
   '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05', '(NaN,Infinity)', '(0.3,Infinity),(0.1,-0)', '((0,0),(1,1),(2,0.1))', '<(0.1,-1),1e10>'),
  ('{}', '{}', '{}', NULL, '{}', ROW(NULL, NULL, NULL), '{}', NULL, '', '', '::1', '::/0', NULL, NULL, NULL, NULL, NULL, NULL);
CREATE TABLE kept."Odd ""name""" ("select" integer PRIMARY KEY, "é, {}" text UNIQUE, scalar integer REFERENCES kept.scalars ON DELETE CASCADE, CHECK ("select" > 0));
INSERT INTO kept."Odd ""name""" SELECT g, 'n' || g, g FROM generate_series(1, 4) g;
CREATE INDEX "odd index" ON kept."Odd ""name""" (lower("é, {}")) WHERE "select" > 1;
CREATE TABLE kept.parts (id integer, at date NOT NULL, v text, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE kept.parts_2025 PARTITION OF kept.parts FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE kept.parts_rest PARTITION OF kept.parts DEFAULT;
INSERT INTO kept.parts SELECT g, date '2025-11-01' + g * 7, 'v' || g FROM generate_series(1, 20) g;
CREATE TABLE kept.no_key (a text, b integer);
INSERT INTO kept.no_key VALUES ('x', 1), ('x', 1), (NULL, NULL);
CREATE TABLE kept.no_columns ();
INSERT INTO kept.no_columns DEFAULT VALUES;
RESET search_path;
