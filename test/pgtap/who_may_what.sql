-- Rights: as superuser, database owner, table owner, plain roles and roles of every level; whose code runs as whom; backups of other databases.
\ir lib/attempt.psql
CALL tests.new_roles('who_dbo', 'who_owner', 'who_heir', 'who_watch', 'who_operate', 'who_restore', 'who_plain', 'who_native', 'who_bypass', 'who_evil');
ALTER ROLE who_bypass BYPASSRLS;

-- another database, whose backups are foreign here
\set home :DBNAME
\set other :DBNAME _other
SET client_min_messages = error;
DROP DATABASE IF EXISTS :other WITH (FORCE);
RESET client_min_messages;
CREATE DATABASE :other;
\connect :other
CREATE EXTENSION pg_snapback;
CREATE TABLE mine (id integer PRIMARY KEY, note text);
INSERT INTO mine SELECT n, 'de outro banco ' || n FROM generate_series(1, 7) AS n;
SELECT id AS foreign_id FROM backup_create() \gset
\connect :home

SELECT no_plan();
ALTER DATABASE :home OWNER TO who_dbo;
CREATE EXTENSION pg_snapback;

CREATE TABLE mine (id integer PRIMARY KEY, note text);
CREATE TABLE theirs (id integer PRIMARY KEY, note text);
CREATE TABLE secrets (id integer PRIMARY KEY, note text);
INSERT INTO mine SELECT n, 'nota ' || n FROM generate_series(1, 10) AS n;
INSERT INTO theirs SELECT n, 'nota ' || n FROM generate_series(1, 10) AS n;
INSERT INTO secrets SELECT n, 'segredo ' || n FROM generate_series(1, 10) AS n;
ALTER TABLE mine OWNER TO who_owner;
CREATE SCHEMA staging;

SELECT isnt(backup_grant('who_watch', 'watch'), NULL, 'watch');
SELECT isnt(backup_grant('who_owner', 'watch'), NULL, 'the table owner may watch');
SELECT isnt(backup_grant('who_heir', 'watch'), NULL, 'another too');
SELECT isnt(backup_grant('who_dbo', 'watch'), NULL, 'the database owner too');
SELECT isnt(backup_grant('who_operate', 'operate'), NULL, 'operate');
SELECT isnt(backup_grant('who_bypass', 'operate'), NULL, 'operate, with BYPASSRLS');
SELECT isnt(backup_grant('who_restore', 'restore'), NULL, 'restore');
GRANT EXECUTE ON FUNCTION backup_create(text[], text, text, text[], boolean, text, integer), backup_delete(text), backup_pin(text), backup_list()
TO who_native;

SELECT id AS all_tables FROM backup_create() \gset
SELECT id AS only_mine FROM backup_create('{mine}') \gset

-- ---- no rights, no call -----------------------------------------------------------------------------------------------------
SELECT is(tests.attempt('who_plain', 'SELECT * FROM ' || call), '42501 permission denied for function ' || split_part(call, '(', 1), 'a plain role: ' || call)
FROM unnest(ARRAY['backup_create()', $$backup_before('x')$$, 'backup_list()', 'backup_show()', 'backup_verify()', 'backup_compare()',
                  $$backup_restore('latest')$$, $$backup_delete('backup_2')$$, $$backup_pin('backup_2')$$, $$backup_unpin('backup_2')$$,
                  $$backup_download('latest')$$]) AS call;
SELECT is(tests.attempt('who_watch', 'SELECT * FROM ' || call), '42501 permission denied for function ' || split_part(call, '(', 1), 'watch: ' || call)
FROM unnest(ARRAY['backup_create()', $$backup_before('x')$$, $$backup_delete('backup_2')$$, $$backup_pin('backup_2')$$, $$backup_unpin('backup_2')$$]) AS call;

-- ---- watching ---------------------------------------------------------------------------------------------------------------
SELECT is(tests.attempt('who_watch', call), 'ok', 'watch: ' || call)
FROM unnest(ARRAY['SELECT * FROM backup_list()', 'TABLE backups', 'TABLE backup_progress', 'SELECT * FROM backup_show()',
                  'SELECT * FROM backup_verify()', $$SELECT * FROM backup_verify('latest', 'files')$$]) AS call;

-- ---- rows leave a backup only as they should --------------------------------------------------------------------------------
SELECT is(tests.attempt(who, format(call, :'all_tables')), '42501 permission denied to ' || verb || ' backup "' || :'all_tables' || '"', who || ': ' || call)
FROM unnest('{who_watch,who_dbo,who_operate,who_owner}'::text[]) AS who
CROSS JOIN (VALUES ('SELECT * FROM backup_restore(%L)', 'restore from'), ('SELECT * FROM backup_restore(%L, dry_run => true)', 'restore from'),
                   ('SELECT * FROM backup_restore(%L, rehearse => true)', 'restore from'),
                   ('SELECT * FROM backup_restore(%L, into_schema => ''staging'')', 'restore from'),
                   ('SELECT * FROM backup_compare(%L)', 'compare'), ('SELECT backup_download(%L)', 'download')) AS c (call, verb);
SELECT is(tests.attempt('who_owner', format('SELECT * FROM backup_restore(%L)', :'all_tables')), '42501 permission denied to restore from backup "' || :'all_tables' || '"',
          'an owner of one table of three');
SELECT alike(tests.detail(), '%: public.theirs, public.secrets.', 'is told of all the others');
SELECT unalike(tests.detail(), '%mine%', 'and not of his own');
SELECT alike(tests.hint(), '%backup_grant(%', 'and what a superuser could do');
SELECT is((SELECT count(*) FROM mine) + (SELECT count(*) FROM theirs) + (SELECT count(*) FROM secrets), 30::bigint, 'nothing was changed by all this');

-- the owner of a live table
DELETE FROM mine WHERE id > 5;
SELECT is(tests.attempt('who_owner', format('SELECT * FROM backup_compare(%L, %L)', :'all_tables', '{mine}')), 'ok', 'the owner compares his own table');
SELECT is(tests.attempt('who_owner', format('SELECT * FROM backup_restore(%L, %L, dry_run => true)', :'all_tables', '{mine}')), 'ok', 'tries it dry');
SELECT is(tests.attempt('who_owner', format('SELECT * FROM backup_restore(%L, %L)', :'all_tables', '{mine}')), 'ok', 'and restores it');
SELECT is((SELECT count(*) FROM mine), 10::bigint, 'his rows are back');
SELECT is(tests.attempt('who_owner', format('SELECT backup_download(%L)', :'only_mine')), 'ok', 'he downloads a backup of nothing but his');
SELECT matches(tests.attempt('who_owner', format('SELECT * FROM backup_restore(%L, %L, into_schema => %L)', :'only_mine', '{mine}', 'staging')), '^42501 ',
               'he cannot write into a schema that is not his');
ALTER TABLE mine OWNER TO who_heir;
SELECT matches(tests.attempt('who_owner', format('SELECT * FROM backup_compare(%L, %L)', :'all_tables', '{mine}')), '^42501 ', 'the former owner has no right left');
SELECT is(tests.attempt('who_heir', format('SELECT * FROM backup_compare(%L, %L)', :'all_tables', '{mine}')), 'ok', 'the current one has it');
ALTER TABLE mine OWNER TO who_owner;
GRANT who_owner TO who_heir;
SELECT is(tests.attempt('who_heir', format('SELECT * FROM backup_compare(%L, %L)', :'all_tables', '{mine}')), 'ok', 'so has a member of the owner');
REVOKE who_owner FROM who_heir;

-- another table of the same name is another table
ALTER TABLE theirs RENAME TO theirs_for_real;
GRANT CREATE ON SCHEMA public TO who_owner;
SELECT is(tests.attempt('who_owner', 'CREATE TABLE theirs (id integer PRIMARY KEY, note text)'), 'ok', 'a table with the name of somebody else''s');
REVOKE CREATE ON SCHEMA public FROM who_owner;
SELECT matches(tests.attempt('who_owner', format(call, :'all_tables', '{theirs}')), '^42501 ', 'gets nothing out: ' || call)
FROM unnest('{SELECT * FROM backup_restore(%L\, %L),"SELECT * FROM backup_restore(%L, %L, mode => ''missing'')","SELECT * FROM backup_compare(%L, %L)"}'::text[]) AS call;
SELECT is((SELECT count(*) FROM theirs), 0::bigint, 'it stays empty');
DROP TABLE theirs;
ALTER TABLE theirs_for_real RENAME TO theirs;

-- ---- taking needs SELECT on each table --------------------------------------------------------------------------------------
SELECT is(tests.attempt('who_operate', 'SELECT * FROM backup_create()'), '42501 permission denied for 3 tables', 'operate alone reads nothing');
SELECT alike(tests.detail(), '%public.mine, public.theirs, public.secrets%', 'all missing ones are named in one error');
GRANT SELECT ON mine, theirs TO who_operate, who_native;
SELECT is(tests.attempt('who_operate', 'SELECT * FROM backup_create()'), '42501 permission denied for table "public.secrets"', 'one that is missing is enough');
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{mine,secrets}')$$), '42501 permission denied for table "public.secrets"', 'named or not');
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_before('x', '{secrets}')$$), '42501 permission denied for table "public.secrets"',
          'before an operation as well');
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create(exclude => '{secrets}')$$), 'ok', 'what may be read may be taken');
SELECT id AS operated FROM backup_list() WHERE database = current_database() LIMIT 1 \gset
SELECT is((SELECT tables FROM backup_list() WHERE id = :'operated'), 2, 'two tables');
SELECT matches(tests.attempt('who_operate', format('SELECT * FROM backup_restore(%L)', :'operated')), '^42501 ', 'who took it does not restore it by that');
SELECT matches(tests.attempt('who_operate', format('SELECT backup_download(%L)', :'operated')), '^42501 ', 'nor downloads it');
GRANT SELECT (id) ON secrets TO who_operate;
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{secrets}')$$), '42501 permission denied for table "public.secrets"',
          'the right on one column is not enough');
GRANT SELECT (note) ON secrets TO who_operate;
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{secrets}')$$), 'ok', 'on all columns it is');

-- ---- deleting and pinning ---------------------------------------------------------------------------------------------------
SELECT is(tests.attempt('who_native', $$SELECT * FROM backup_create('{mine}', label => 'meu')$$), 'ok', 'a role with single privileges takes a backup');
SELECT id AS natives FROM backup_list() WHERE label = 'meu' AND database = current_database() \gset
SELECT matches(tests.attempt('who_native', format('SELECT * FROM backup_pin(%L)', :'all_tables')), '^42501 ', 'it does not pin what others took');
SELECT matches(tests.attempt('who_native', format('SELECT * FROM backup_delete(%L)', :'all_tables')), '^42501 ', 'nor delete it');
SELECT is((SELECT state FROM backup_list() WHERE id = :'all_tables'), 'good', 'which is still there');
SELECT is(tests.attempt('who_native', format('SELECT * FROM backup_delete(%L)', :'natives')), 'ok', 'but what it took itself');
SELECT is(tests.attempt('who_operate', format('SELECT * FROM backup_pin(%L)', :'only_mine')), 'ok', 'operate pins what others took');
SELECT is(tests.attempt('who_operate', format('SELECT * FROM backup_unpin(%L)', :'only_mine')), 'ok', 'takes the pin off');
SELECT is(tests.attempt('who_operate', format('SELECT * FROM backup_delete(%L)', :'only_mine')), 'ok', 'and deletes it');
SELECT is(tests.attempt(format('SELECT * FROM backup_delete(%L)', :'operated')), 'ok', 'a superuser deletes what anybody took');
SELECT matches(tests.attempt('who_operate', format('SELECT * FROM backup_delete(%L)', :'foreign_id')), '^42501 ', 'operate in one database does not delete backups of another');

-- ---- level restore ----------------------------------------------------------------------------------------------------------
SELECT is(tests.attempt('who_restore', format('SELECT * FROM backup_compare(%L)', :'all_tables')), 'ok', 'restore compares everything');
SELECT is(tests.attempt('who_restore', format('SELECT backup_download(%L)', :'all_tables')), 'ok', 'downloads everything');
UPDATE secrets SET note = 'x';
SELECT is(tests.attempt('who_restore', format('SELECT * FROM backup_restore(%L)', :'all_tables')), 'ok', 'restores everything');
SELECT is((SELECT count(*) FROM secrets WHERE note LIKE 'segredo %'), 10::bigint, 'as it was');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'mine'::regclass), 'who_owner', 'tables keep their owners');
SELECT matches(tests.attempt('who_restore', format('SELECT * FROM backup_restore(%L, into_schema => %L)', :'all_tables', 'staging')), '^42501 ',
               'it writes into no schema that is not its own');
GRANT CREATE, USAGE ON SCHEMA staging TO who_restore;
SELECT is(tests.attempt('who_restore', format('SELECT * FROM backup_restore(%L, into_schema => %L)', :'all_tables', 'staging')), 'ok', 'into one where it may create');
SELECT is((SELECT count(*) FROM staging.secrets), 10::bigint, 'are the rows');
DROP TABLE staging.mine, staging.theirs, staging.secrets;
DROP SCHEMA staging;

-- ---- row security -----------------------------------------------------------------------------------------------------------
ALTER TABLE theirs ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON theirs USING (id < 5);
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{theirs}')$$), '42501 row security would hide rows of table "public.theirs"',
          'rows that would be hidden are an error');
SELECT alike(tests.hint(), '%BYPASSRLS%', 'and the hint says what helps');
GRANT SELECT ON theirs TO who_bypass;
SELECT is(tests.attempt('who_bypass', $$SELECT * FROM backup_create('{theirs}', label => 'bypass')$$), 'ok', 'BYPASSRLS');
SELECT is((SELECT rows FROM backup_list() WHERE label = 'bypass' AND database = current_database()), 10::bigint, 'takes all rows');
ALTER TABLE theirs OWNER TO who_operate;
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{theirs}')$$), 'ok', 'the owner, to whom policies do not apply');
ALTER TABLE theirs FORCE ROW LEVEL SECURITY;
SELECT is(tests.attempt('who_operate', $$SELECT * FROM backup_create('{theirs}')$$), '42501 row security would hide rows of table "public.theirs"',
          'unless they are forced on him');
SELECT is(tests.attempt($$SELECT * FROM backup_create('{theirs}')$$), 'ok', 'a superuser is exempt');
ALTER TABLE theirs OWNER TO who_restore;
SELECT matches(tests.attempt('who_restore', format('SELECT * FROM backup_restore(%L, %L)', :'all_tables', '{theirs}')), '^(42501 .*row security|ok)',
               'a restore over rows that policies hide replaces them or says why not');
SELECT is((SELECT count(*) FROM theirs), 10::bigint, 'and never leaves half');
ALTER TABLE theirs NO FORCE ROW LEVEL SECURITY;
ALTER TABLE theirs DISABLE ROW LEVEL SECURITY;

-- ---- backups of another database --------------------------------------------------------------------------------------------
SELECT is((SELECT state FROM backup_list() WHERE id = :'foreign_id'), 'foreign', 'a backup that this database did not take is foreign');
SELECT is(tests.attempt(format('SELECT * FROM backup_verify(%L)', :'foreign_id')), 'ok', 'it can be verified');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'foreign_id')), '^22023 .* was not taken by this database$', 'restoring it has to be said');
SELECT alike(tests.hint(), '%from_database => ''' || :'other' || '''%', 'the hint says how');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, from_database => %L)', :'foreign_id', 'loja')), '^22023 ', 'by the right name');
SELECT matches(tests.attempt('who_owner', format('SELECT * FROM backup_restore(%L, %L, from_database => %L)', :'foreign_id', '{mine}', :'other')), '^42501 ',
               'owning the live table is not enough');
SELECT matches(tests.attempt('who_owner', format('SELECT backup_download(%L)', :'foreign_id')), '^42501 ', 'nor to download it');
SELECT matches(tests.attempt('who_owner', format('SELECT * FROM backup_compare(%L)', :'foreign_id')), '^(42501|22023) ', 'nor to compare it');
SELECT is(tests.attempt('who_restore', format('SELECT * FROM backup_restore(%L, from_database => %L)', :'foreign_id', :'other')), 'ok', 'level restore may');
SELECT is((SELECT count(*) FROM mine WHERE note LIKE 'de outro banco %'), 7::bigint, 'and has the rows of the other database');
SELECT is((SELECT DISTINCT backup_id FROM backup_restore('latest', dry_run => true)), :'all_tables', 'latest is never foreign');

-- ---- a table runs its owner's code, never with the caller's rights ----------------------------------------------------------
-- what the trap does as a superuser is recorded in a sequence, because a rollback does not take that back
CREATE SCHEMA evil AUTHORIZATION who_evil;
SET ROLE who_evil;
CREATE SEQUENCE evil.struck;
CREATE FUNCTION evil.strike(reason text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    PERFORM nextval('evil.struck');
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil.key(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('index expression'); RETURN n; END $$;
CREATE FUNCTION evil.twice(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('generated column'); RETURN n * 2; END $$;
CREATE FUNCTION evil.initial() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('default'); RETURN 3; END $$;
CREATE FUNCTION evil.trigger() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('trigger'); RETURN NEW; END $$;
CREATE DOMAIN evil.word AS text CHECK (evil.strike('domain'));
CREATE TABLE evil.trap (
  id    integer PRIMARY KEY CHECK (evil.strike('check')),
  word  evil.word DEFAULT 'w',
  twice integer GENERATED ALWAYS AS (evil.twice(id)) STORED,
  other integer DEFAULT evil.initial()
);
CREATE INDEX trap_key ON evil.trap (evil.key(id));
CREATE UNIQUE INDEX trap_part ON evil.trap (other, id) WHERE evil.key(id) > 0;
CREATE TRIGGER trap_each BEFORE INSERT OR UPDATE OR DELETE ON evil.trap FOR EACH ROW EXECUTE FUNCTION evil.trigger();
CREATE TRIGGER trap_all AFTER TRUNCATE ON evil.trap EXECUTE FUNCTION evil.trigger();
INSERT INTO evil.trap (id) SELECT generate_series(1, 20);
CREATE VIEW evil.shown AS SELECT id, evil.strike('view') AS struck FROM evil.trap;
CREATE TYPE evil.mood AS ENUM ('bom', 'mau');
CREATE FUNCTION evil.mood_number(mood evil.mood) RETURNS integer LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('cast'); RETURN ascii(textin(enum_out(mood))); END $$;
CREATE CAST (evil.mood AS integer) WITH FUNCTION evil.mood_number(evil.mood) AS IMPLICIT;
CREATE TABLE evil.moods (mood integer PRIMARY KEY);
CREATE TABLE evil.days (id integer PRIMARY KEY, mood evil.mood REFERENCES evil.moods);
CREATE INDEX days_folded ON evil.days ((id + evil.key(1)));
INSERT INTO evil.moods VALUES (ascii('bom')), (ascii('mau'));
INSERT INTO evil.days SELECT n, CASE WHEN n % 2 = 0 THEN 'bom' ELSE 'mau' END::evil.mood FROM generate_series(1, 20) AS n;
RESET ROLE;
SET client_min_messages = error;
ALTER TABLE evil.trap DISABLE TRIGGER USER;  -- the test's own DELETEs are a superuser's

CREATE FUNCTION tests.struck() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  hit boolean;
BEGIN
  SELECT is_called INTO hit FROM evil.struck;
  PERFORM setval('evil.struck', 1, false);
  RETURN hit;
END $$;
SELECT is(tests.attempt('SELECT evil.strike(NULL)') || tests.struck(), 'oktrue', 'the trap works');

SELECT id AS trapped FROM backup_create('{evil.trap}', verify => 'content') \gset
SELECT ok(NOT tests.struck(), 'a superuser takes a backup and checks its content');
SELECT tests.attempt($$SELECT * FROM backup_create('{evil.shown}')$$) AS view_taken \gset
SELECT ok(NOT tests.struck(), 'of a view as well (' || :'view_taken' || ')');
SELECT is((SELECT problems FROM backup_verify(:'trapped', 'content')), '[]', 'verified');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is((SELECT problems FROM backup_verify(:'trapped', 'restore')), '[]', 'verified by restoring');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is((SELECT equal FROM backup_compare(:'trapped')), true, 'compared');
SELECT ok(NOT tests.struck(), 'by a superuser');
DELETE FROM evil.trap WHERE id > 10;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, dry_run => true)', :'trapped')), 'ok', 'restored dry');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, mode => %L)', :'trapped', 'upsert')), 'ok', 'the missing rows');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'trapped')), 'ok', 'nothing left to do');
SELECT ok(NOT tests.struck(), 'by a superuser');
DELETE FROM evil.trap WHERE id > 10;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'trapped')), 'ok', 'the whole table');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is((SELECT count(*) FROM evil.trap), 20::bigint, 'with all rows');
DROP VIEW evil.shown;
DROP TABLE evil.trap;
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'trapped')), 'ok', 'made anew');
SELECT ok(NOT tests.struck(), 'by a superuser');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'evil.trap'::regclass), 'who_evil', 'it is its owner''s again');

-- foreign keys are checked by queries over both tables
SELECT id AS days FROM backup_create('{evil.days}') \gset
SELECT ok(NOT tests.struck(), 'a table with a foreign key');
DELETE FROM evil.days WHERE mood::text = 'mau';
DELETE FROM evil.moods WHERE mood = ascii('mau');
SELECT tests.struck() AS ours \gset
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'days')), '^23503 ', 'the keys that would dangle are listed');
SELECT ok(NOT tests.struck(), 'by no code of the table''s owner with the caller''s rights');
INSERT INTO evil.moods VALUES (ascii('mau'));
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'days')), 'ok', 'with its parents there it is restored');
SELECT ok(NOT tests.struck(), 'by a superuser');

-- a copy beside the tables
CREATE SCHEMA aside;
SELECT tests.attempt(format('SELECT * FROM backup_restore(%L, into_schema => %L)', :'trapped', 'aside')) AS aside_restored \gset
SELECT ok(NOT tests.struck(), 'beside the table, by a superuser (' || :'aside_restored' || ')');
SELECT tests.attempt('ANALYZE aside.trap') AS analyzed \gset
SELECT ok(NOT tests.struck(), 'nor later, when autovacuum analyzes the copy (' || :'analyzed' || ')');
RESET client_min_messages;

-- ---- the way out ------------------------------------------------------------------------------------------------------------
SELECT count(backup_delete(id)) FROM backup_list() WHERE database IN (current_database(), :'other') AND NOT pinned \gset
DROP DATABASE :other WITH (FORCE);
SELECT * FROM finish();
