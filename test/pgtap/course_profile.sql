-- Profiles: what is stored, refused, suggested and found to have changed; a second profile for another root; ownership of every kind.
\ir lib/attempt.psql
\ir lib/gateway.psql
\set VERBOSITY terse
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('profile_user', 'profile_web');
GRANT pg_read_all_data TO profile_user;
SELECT isnt(backup_grant('profile_user', 'course'), NULL, 'level course');
CREATE FUNCTION tests.rows_of(doc json, name text) RETURNS json LANGUAGE sql AS
$$ SELECT t -> 'rows' FROM json_array_elements(doc -> 'tables') AS t WHERE t ->> 'name' = rows_of.name $$;

-- the music library: artist, its albums, their tracks; genres and media types shared
\ir ../data/music_library.sql
SELECT graph_profile_suggest('artist') AS draft \gset
SELECT is((SELECT jsonb_object_agg(key, value ->> 'class') FROM jsonb_each(:'draft'::jsonb -> 'tables')),
          '{"artist": "root", "album": "own", "track": "own", "genre": "ref", "media_type": "ref", "invoice_line": "exclude", "playlist_track": "link", "playlist": "ref"}',
          'the draft of a profile');
SELECT is((SELECT count(*) FROM jsonb_each(:'draft'::jsonb -> 'tables') WHERE value ->> 'reason' IS NULL), 0::bigint, 'gives a reason for every table');
SELECT is(:'draft'::jsonb -> 'tables' -> 'track' ->> 'reason', 'its album_id points at album', 'such as this');
SELECT is(tests.attempt($$SELECT graph_export('artist', '1')$$), '42704 profile "artist" does not exist', 'no profile yet');
-- playlists are what listeners made
SELECT is(graph_profile('artist', :'draft'::jsonb #- '{tables,playlist}' || jsonb_build_object('tables', :'draft'::jsonb -> 'tables' || '{"playlist_track": {"class": "exclude"}, "playlist": {"class": "exclude"}}'))
            ->> 'name', 'artist', 'the corrected draft is stored');
SELECT graph_export('artist', '1') AS doc \gset
SELECT is((:'doc'::json -> 'report' -> 'counts')::jsonb, '{"artist": 1, "album": 2, "track": 3, "genre": 2, "media_type": 2}', 'an artist with albums and tracks and what these share');
SELECT is((:'doc'::json -> 'report' -> 'excluded')::jsonb, '{"invoice_line": 2, "playlist_track": 1, "playlist": 0}', 'without what customers did');
SELECT is(tests.rows_of(:'doc'::json, 'genre')::jsonb, '[{"genre_id": 1, "name": "Rock"}, {"genre_id": 2, "name": "Fado"}]', 'only the genres that are used');
SELECT is(tests.rows_of(:'doc'::json, 'track') -> 2 ->> 'unit_price', '1.10', 'values as in a course');
SELECT is_empty($$SELECT * FROM graph_profile_check('artist') WHERE severity <> 'note'$$, 'the check finds nothing');
SELECT is(tests.attempt('profile_user', $$SELECT graph_export('artist', '1')$$), 'ok', 'for ordinary roles, too');
SELECT is(tests.attempt('profile_user', $$SELECT graph_profile('artist', '{}')$$), '42501 permission denied for function graph_profile', 'who define nothing');
SELECT is(tests.attempt('profile_web', $$SELECT * FROM snapback.profile$$) LIKE '42501%', true, 'and do not see the table');

-- what came since
ALTER TABLE track ADD lyrics text;
ALTER TABLE album ALTER title TYPE text;
CREATE TYPE mood AS ENUM ('calm', 'wild');
ALTER TABLE album ADD mood mood;
CREATE TABLE cover (cover_id int PRIMARY KEY, album_id int NOT NULL REFERENCES album, image text);
SELECT results_eq($$SELECT severity, code, table_name, column_name FROM graph_profile_check('artist') ORDER BY 2, 3, 4$$,
                  $$VALUES ('note', 'column_added', 'album', 'mood'), ('note', 'column_added', 'track', 'lyrics'), ('note', 'reference_added', NULL, NULL),
                           ('note', 'type_changed', 'album', 'title'), ('error', 'unknown_table', 'public.cover', NULL)$$, 'the check names every change');
SELECT is((SELECT count(*) FROM graph_profile_check('artist') WHERE message IS NULL), 0::bigint, 'and says what it is');
SELECT is((SELECT hint FROM graph_profile_check('artist') WHERE code = 'unknown_table'),
          $$Give it a class: SELECT graph_profile('artist', '{"extends": "artist", "tables": {"cover": {"class": "exclude", "names": ["public.cover"]}}}')$$, 'and what to do');
SELECT is(tests.attempt($$SELECT graph_export('artist', '1')$$), '55000 profile "artist" has no class for 1 references of other tables', 'and exports are strict');
SELECT isnt(graph_profile('artist', '{"extends": "artist", "tables": {"cover": {"class": "own"}}}'), NULL, 'an extension');
SELECT is_empty($$SELECT * FROM graph_profile_check('artist')$$, 'is checked against the tables of now');
ALTER TYPE mood ADD VALUE 'sad';
ALTER TABLE track DROP lyrics;
DROP TABLE cover;
SELECT results_eq($$SELECT severity, code, table_name, column_name FROM graph_profile_check('artist') ORDER BY 2, 3, 4$$,
                  $$VALUES ('warning', 'column_removed', 'track', 'lyrics'), ('note', 'label_added', NULL, NULL), ('warning', 'reference_removed', NULL, NULL),
                           ('note', 'table_absent', 'cover', NULL), ('warning', 'table_removed', 'cover', NULL)$$, 'labels, and what is gone');

-- what is refused
SELECT is(tests.attempt($$SELECT graph_profile('x', '{"root": "artist", "tables": {"artist": {"klass": "root"}}}')$$), '22023 profile "x" is not valid', 'a member nobody knows');
SELECT is(tests.detail(), E'$.tables.artist: unknown member "klass"\n$.tables.artist: needs "class"\n$.tables.artist: must be of class root', 'is named with its place, as all problems');
SELECT is(tests.attempt($$SELECT graph_profile('x', '[]')$$), '22023 profile "x" is not valid', 'no object');
SELECT is(tests.attempt($$SELECT graph_profile('x', (repeat('[', 1000) || repeat(']', 1000))::jsonb)$$), '22023 profile "x" is not valid', 'far too deep');
SELECT is(tests.attempt($$SELECT graph_profile('x', '{"extends": 1}')$$), '22023 profile "x" is not valid', 'extends something odd');
SELECT is(tests.attempt($$SELECT graph_profile('x', '{"extends": "y"}')$$), '42704 profile "y" does not exist', 'extends nothing');
SELECT is(tests.attempt($$SELECT graph_profile('', '{}')$$), '22023 the name of a profile has 1 to 63 bytes', 'no name');
SELECT is(tests.attempt($$SELECT graph_profile(NULL, '{}')$$), '22023 argument "profile" must not be null', 'null');
SELECT is(tests.attempt($$SELECT graph_profile('x', '{"root": "a", "tables": {"a": {"class": "root", "names": ["pg_class", "artist\"; DROP TABLE artist; --"]}}}')$$),
          '42P01 no table of this database is the root "a" of profile "x"', 'SQL for a name');
SELECT is(tests.attempt($$SELECT graph_profile('x', '{"root": "artist", "tables": {"artist": {"class": "root", "key": ["nothing"]}}}')$$),
          '22023 table "public.artist" has no columns (nothing)', 'a key that does not exist');
SELECT is(tests.attempt($$DO $do$ BEGIN PERFORM graph_profile('x', '{"root": "artist", "tables": {"artist": {"class": "root", "key": ["name"]}}}'); ALTER TABLE artist RENAME name TO title;
                           PERFORM graph_import('x', '{"format": "pg_snapback_graph", "version": 1, "profile": "x", "tables": []}'); END $do$ $$),
          '22023 table "public.artist" has no columns (name)', 'one that does not exist any more');
SELECT is(tests.attempt($$SELECT course_profile_suggest(NULL)$$), '22023 argument "root" must not be null', 'null');
SELECT is(tests.attempt($$SELECT course_profile_suggest('pg_class')$$), '42809 the root of a profile must be a table of the user''s', 'no table of the user''s');
SELECT is(tests.attempt($$SELECT course_export(1)$$), '42P01 no table of this database is the root "courses" of profile "course"', 'no course here');
CREATE TABLE bare (name text);
SELECT isnt(graph_profile('bare', '{"root": "bare", "tables": {"bare": {"class": "root"}}}'), NULL, 'a root without a key');
SELECT is(tests.attempt($$SELECT graph_export('bare', 'x')$$), '55000 table "public.bare" has no key', 'cannot be asked for');
BEGIN TRANSACTION READ ONLY;
SELECT is(tests.attempt($$SELECT graph_profile('bare', '{}')$$) LIKE '25006%', true, 'nothing is stored in a read-only transaction');
ROLLBACK;

-- ownership of every kind, in one tree: composite key, self reference, cycle, a table behind a join table, a polymorphic pair, several nullable owners
CREATE SCHEMA tree; SET search_path = tree, public;
CREATE TABLE site (country text, code int, name text, PRIMARY KEY (country, code));
CREATE TABLE folder (id int PRIMARY KEY, country text, code int, parent_id int REFERENCES folder, name text, FOREIGN KEY (country, code) REFERENCES site);
CREATE TABLE chapter (id int PRIMARY KEY, name text);
CREATE TABLE site_chapter (country text, code int, chapter_id int REFERENCES chapter, FOREIGN KEY (country, code) REFERENCES site);
CREATE TABLE run (id int PRIMARY KEY, chapter_id int NOT NULL REFERENCES chapter, active_block_id int NOT NULL);
CREATE TABLE block (id int PRIMARY KEY, run_id int NOT NULL REFERENCES run);
ALTER TABLE run ADD FOREIGN KEY (active_block_id) REFERENCES block;
CREATE TABLE file (id int PRIMARY KEY, owner_type text NOT NULL, owner_id text NOT NULL, name text);
CREATE TABLE page (id int PRIMARY KEY, folder_id int REFERENCES folder, chapter_id int REFERENCES chapter, name text, kind text, content jsonb, body text);
INSERT INTO site VALUES ('pt', 1, 'Lisboa'), ('pt', 2, 'Porto'), ('br', 1, 'Recife');
INSERT INTO folder VALUES (1, 'pt', 1, NULL, 'top'), (2, NULL, NULL, 1, 'below'), (3, NULL, NULL, 2, 'lowest'), (4, 'br', 1, NULL, 'elsewhere'), (5, NULL, NULL, 4, 'elsewhere');
INSERT INTO chapter VALUES (1, 'shared'), (2, 'of Recife');
INSERT INTO site_chapter VALUES ('pt', 1, 1), ('br', 1, 1), ('br', 1, 2);
ALTER TABLE run DISABLE TRIGGER ALL;
INSERT INTO run VALUES (1, 1, 1), (2, 2, 3);
INSERT INTO block VALUES (1, 1), (2, 1), (3, 2);
ALTER TABLE run ENABLE TRIGGER ALL;
INSERT INTO file VALUES (1, 'Chapter', '1', 'a'), (2, 'Page', '1', 'b'), (3, 'Chapter', '2', 'elsewhere'), (4, 'Person', '1', 'elsewhere');
INSERT INTO page VALUES (1, 3, NULL, 'in the lowest folder', 'text', '{"see": [{"page": 1}]}', 'go to /pages/1 or (/pages/2)'), (2, NULL, 1, 'in the chapter', NULL, NULL, NULL), (3, 5, 2, 'elsewhere', 'text', NULL, NULL),
  (4, 1, NULL, 'draft', 'draft', NULL, NULL);
SELECT isnt(graph_profile('site', '{"root": "site", "tables": {
  "site": {"class": "root"}, "folder": {"class": "own"}, "chapter": {"class": "own"}, "site_chapter": {"class": "link"}, "run": {"class": "own"}, "block": {"class": "own"},
  "page": {"class": "own", "filter": {"kind": ["text", null]}, "references": [{"kind": "json", "column": "content", "path": "$.see[*].page", "table": "page"},
                                                                                {"kind": "text", "column": "body", "pattern": "/pages/{id}", "table": "page"}]},
  "file": {"class": "own", "references": [{"kind": "polymorphic", "type_column": "owner_type", "column": "owner_id", "types": {"Chapter": "chapter", "Page": "page"}}]}}}'), NULL, 'stored');
SELECT graph_export('site', '["pt", 1]') AS doc \gset
SELECT is((:'doc'::json -> 'report' -> 'counts')::jsonb, '{"site": 1, "folder": 3, "chapter": 1, "site_chapter": 1, "run": 1, "block": 2, "page": 2, "file": 2}', 'each row once, whatever leads to it');
SELECT ok(:'doc' NOT LIKE '%elsewhere%', 'nothing of others');
SELECT is((:'doc'::json -> 'report' -> 'filtered')::jsonb, '{"page": 1}', 'a filter with NULL in it');
SELECT is(:'doc'::json -> 'root' ->> 'key', '["pt",1]', 'a composite key');
SELECT is((SELECT (t -> 'references')::jsonb FROM json_array_elements(:'doc'::json -> 'tables') AS t WHERE t ->> 'name' = 'file'),
          '[{"kind": "polymorphic", "column": "owner_id", "type_column": "owner_type", "types": {"Chapter": "chapter", "Page": "page"}}]', 'a polymorphic pair is in the head');
SELECT is((SELECT (t -> 'references' -> 2)::jsonb FROM json_array_elements(:'doc'::json -> 'tables') AS t WHERE t ->> 'name' = 'page'),
          '{"kind": "json", "column": "content", "table": "page", "to": ["id"], "path": "$.see[*].page"}', 'so are ids inside JSON');
SELECT is((SELECT t -> 'references' -> 3 ->> 'pattern' FROM json_array_elements(:'doc'::json -> 'tables') AS t WHERE t ->> 'name' = 'page'), '/pages/{id}', 'and in text');
SELECT is(tests.attempt($$SELECT graph_export('site', 'pt')$$), '22023 the key of "tree.site" has 2 parts', 'a key with too few parts');
SELECT is(tests.attempt($$SELECT graph_export('site', '["pt"]')$$), '22023 the key of "tree.site" has 2 parts', 'also as JSON');
SELECT is(tests.attempt($$SELECT graph_export('site', '["pt", 3]')$$), '42704 no row of "tree.site" has the key ["pt", 3], or it is not visible to you', 'one that is not there');
-- a join row with one end outside
CREATE TABLE page_link (page_id int NOT NULL REFERENCES page, other_id int NOT NULL REFERENCES page);
INSERT INTO page_link VALUES (1, 2), (1, 3), (3, 3);
SELECT isnt(graph_profile('site', '{"extends": "site", "tables": {"page_link": {"class": "link"}}}'), NULL, 'stored');
SELECT graph_export('site', '["pt", 1]') AS doc \gset
SELECT is(tests.rows_of(:'doc'::json, 'page_link')::jsonb, '[{"page_id": 1, "other_id": 2}]', 'is left out');
SELECT is((SELECT w ->> 'count' FROM json_array_elements(:'doc'::json -> 'report' -> 'warnings') AS w WHERE w ->> 'code' = 'link_outside' AND w ->> 'column' = 'other_id'), '1', 'with a warning and a count');
-- without its table in the profile, what hangs on it is not reached
SELECT isnt(graph_profile('site', '{"extends": "site", "strict": false, "tables": {"site_chapter": {"class": "exclude"}}}'), NULL, 'stored');
SELECT is((SELECT count(*) FROM json_array_elements(graph_export('site', '["pt", 1]') -> 'report' -> 'warnings') AS w WHERE w ->> 'code' = 'table_not_reached' AND w ->> 'table' = 'chapter'), 1::bigint,
          'which is a warning');
SELECT is((SELECT count(*) FROM graph_profile_check('site') WHERE code = 'table_not_reached'), 1::bigint, 'of the check, too');
RESET search_path;

-- a key whose index has a further column
CREATE TABLE tag (code text NOT NULL, name text);
CREATE UNIQUE INDEX ON tag (code) INCLUDE (name);
INSERT INTO tag VALUES ('x', NULL);
SELECT isnt(graph_profile('tag', '{"root": "tag", "tables": {"tag": {"class": "root"}}}'), NULL, 'stored');
SELECT is(graph_export('tag', 'x') -> 'report' ->> 'counts', '{"tag":1}', 'that may be null, which is no part of the key');

-- partitions through their parent, as row security lets them be seen
CREATE TABLE unit (id int PRIMARY KEY, name text);
CREATE TABLE step (id int, unit_id int NOT NULL REFERENCES unit, half int, note text, PRIMARY KEY (id, half)) PARTITION BY LIST (half);
CREATE TABLE step_1 PARTITION OF step FOR VALUES IN (1);
CREATE TABLE step_2 (note text, half int NOT NULL, dropped int, id int NOT NULL, unit_id int NOT NULL);
ALTER TABLE step_2 DROP dropped;
ALTER TABLE step ATTACH PARTITION step_2 FOR VALUES IN (2);
INSERT INTO unit VALUES (1, 'a'), (2, 'b');
INSERT INTO step SELECT n, 1 + n % 2, 1 + n / 6, 'step ' || n FROM generate_series(1, 10) AS n;
SELECT isnt(graph_profile('unit', '{"root": "unit", "tables": {"unit": {"class": "root"}, "step": {"class": "own"}}}'), NULL, 'stored');
SELECT is(graph_export('unit', '1') -> 'report' ->> 'counts', '{"unit":1,"step":5}', 'rows of every partition');
ALTER TABLE step ENABLE ROW LEVEL SECURITY;
CREATE POLICY most ON step TO profile_user USING (id NOT IN (2, 8));
SELECT is(tests.attempt('profile_user', $$SELECT graph_export('unit', '1')$$), '42501 2 of 5 step are hidden from you', 'hidden rows of partitions are counted');
SELECT is(tests.attempt('profile_user', $$SELECT graph_export('unit', '2')$$), 'ok', 'where none is hidden, all is well');

-- names that are no names
CREATE TABLE "Odd ""Name'; --" ("i""d" int PRIMARY KEY, "va'lue" text, "Ünïcode" text);
INSERT INTO "Odd ""Name'; --" VALUES (1, 'x''); DROP TABLE unit; --', 'ü');
SELECT isnt(graph_profile('odd', '{"root": "odd", "tables": {"odd": {"class": "root", "names": ["Odd \"Name''; --"]}}}'), NULL, 'stored');
SELECT is(tests.rows_of(graph_export('odd', '1'), 'odd')::jsonb, '[{"i\"d": 1, "va''lue": "x''); DROP TABLE unit; --", "Ünïcode": "ü"}]', 'are quoted');
SELECT is(tests.attempt($$SELECT graph_export('odd', '1) OR true; --')$$) LIKE '22P02%', true, 'and keys are parameters');

-- the profile survives a dump
SELECT is((SELECT extconfig @> ARRAY['snapback.profile'::regclass::oid] FROM pg_extension WHERE extname = 'pg_snapback'), true, 'profiles are dumped by pg_dump');

-- a gateway
\set role profile_user
\set method GET
\set function graph_profile_check
\set args '{"profile": "artist"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET graph_profile_check' || :'why');
SELECT is(json_typeof(:'body'::json), 'array', 'is rows');
\set function graph_profile_suggest
\set args '{"root": "artist"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET graph_profile_suggest' || :'why');
\set function course_profile_suggest
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET course_profile_suggest' || :'why');
\set function course_profile_check
\set args '{}'
\ir lib/call.psql
SELECT is(:'state'::text, '42P01', 'GET course_profile_check, without a course');
\set method POST
\set function course_profile
\ir lib/call.psql
SELECT is(:'state'::text, '42501', 'POST course_profile is not for level course');

SELECT * FROM finish();
