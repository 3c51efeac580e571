-- Attacks: a table's owner lays traps for the superuser who backs up, verifies, compares or restores. A trap that runs with the superuser's
-- rights is recorded in a sequence, because a rollback does not take that back. Each attack is tried by every call; none may strike.
\ir lib/attempt.psql
CALL tests.new_roles('hostile_evil', 'hostile_restore', 'hostile_watch');
SELECT no_plan();
SET client_min_messages = error;
CREATE EXTENSION pg_snapback;
LOAD 'pg_snapback';
SELECT isnt(backup_grant('hostile_restore', 'restore'), NULL, 'a role that restores');
SELECT isnt(backup_grant('hostile_watch', 'watch'), NULL, 'a role that watches');

CREATE TABLE secrets (id integer PRIMARY KEY, note text);
INSERT INTO secrets VALUES (1, 'segredo');
CREATE SCHEMA evil AUTHORIZATION hostile_evil;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
GRANT CREATE ON SCHEMA public TO hostile_evil;  -- as it was before PostgreSQL 15
SET ROLE hostile_evil;
CREATE SEQUENCE evil.struck;
CREATE FUNCTION evil.strike(reason text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  IF (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user) THEN
    PERFORM nextval('evil.struck');
  END IF;
  RETURN true;
END $$;
CREATE FUNCTION evil.number(n integer) RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('expression'); RETURN n; END $$;
CREATE FUNCTION evil.ranged(n integer) RETURNS int4range LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM evil.strike('exclusion'); RETURN int4range(n, n + 1); END $$;
CREATE FUNCTION evil.fire() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('trigger'); RETURN NEW; END $$;
RESET ROLE;

CREATE FUNCTION tests.struck() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
  hit boolean;
BEGIN
  SELECT is_called INTO hit FROM evil.struck;
  PERFORM setval('evil.struck', 1, false);
  RETURN hit;
END $$;
SELECT is(tests.attempt('SELECT evil.strike(NULL)') || tests.struck(), 'oktrue', 'the trap works');

-- Every call a superuser can make of a table, over all its states: taken, verified at every level, compared, restored over nothing, over less, over other rows,
-- in every mode, dry, rehearsed, beside, and made anew. Returns those after which the trap had struck, and those that failed in an unexpected way.
CREATE FUNCTION tests.besiege(table_name text, spoil text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  taken text; call text; answer text;
  wrong text := '';
BEGIN
  PERFORM tests.struck();
  EXECUTE 'SELECT id FROM backup_create(ARRAY[$1], verify => ''content'')' INTO taken USING table_name;
  IF tests.struck() THEN wrong := wrong || 'backup_create; '; END IF;
  FOREACH call IN ARRAY ARRAY['verify:backup_verify(%L, ''content'')', 'verify:backup_verify(%L, ''restore'')', 'backup_compare(%L)', 'backup_restore(%L)',
      'spoil', 'backup_compare(%L)', 'backup_restore(%L, dry_run => true)', 'backup_restore(%L, dry_run => true, rehearse => true)', 'backup_restore(%L, mode => ''missing'', dry_run => true)',
      'backup_restore(%L, mode => ''missing'')', 'spoil', 'backup_restore(%L, mode => ''upsert'')', 'spoil', 'backup_restore(%L)', 'backup_restore(%L, into_schema => ''aside'')',
      'drop', 'backup_restore(%L)', 'backup_compare(%L)'] LOOP
    IF call = 'spoil' THEN
      -- as its owner would: these are not ours
      PERFORM set_config('role', 'hostile_evil', true);
      EXECUTE spoil;
      PERFORM set_config('role', 'none', true);
      PERFORM tests.struck();
      CONTINUE;
    ELSIF call = 'drop' THEN
      EXECUTE 'DROP TABLE ' || table_name || ' CASCADE';
      EXECUTE 'DROP SCHEMA IF EXISTS aside CASCADE';
      PERFORM tests.struck();
      CONTINUE;
    END IF;
    answer := CASE WHEN call LIKE 'verify:%' THEN tests.attempt(format('SELECT 1 / ok::integer FROM ' || substr(call, 8), taken)) ELSE tests.attempt(format('SELECT * FROM ' || call, taken)) END;
    IF tests.struck() THEN wrong := wrong || call || ' struck; '; END IF;
    IF answer <> 'ok' THEN wrong := wrong || call || ': ' || answer || ' ' || tests.detail() || '; '; END IF;
  END LOOP;
  RETURN wrong;
END $$;

-- ---- code that a table carries ----------------------------------------------------------------------------------------------
SET ROLE hostile_evil;
CREATE TABLE evil.stats (id integer PRIMARY KEY, n integer);
CREATE STATISTICS evil.of_expressions ON (evil.number(n)), (evil.number(id)) FROM evil.stats;
INSERT INTO evil.stats SELECT g, g % 3 FROM generate_series(1, 50) g;
CREATE TABLE evil.excluded (id integer PRIMARY KEY, n integer, EXCLUDE USING gist (evil.ranged(n) WITH &&));
INSERT INTO evil.excluded SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE evil.policed (id integer PRIMARY KEY, n integer);
INSERT INTO evil.policed SELECT g, g FROM generate_series(1, 20) g;
ALTER TABLE evil.policed ENABLE ROW LEVEL SECURITY;
CREATE POLICY hidden ON evil.policed USING (evil.strike('policy')) WITH CHECK (evil.strike('policy'));
CREATE TABLE evil.ruled (id integer PRIMARY KEY, n integer);
INSERT INTO evil.ruled SELECT g, g FROM generate_series(1, 20) g;
CREATE RULE also AS ON INSERT TO evil.ruled DO ALSO SELECT evil.strike('rule');
CREATE RULE too AS ON DELETE TO evil.ruled DO ALSO SELECT evil.strike('rule');
CREATE RULE three AS ON UPDATE TO evil.ruled DO ALSO SELECT evil.strike('rule');
CREATE TABLE evil.fired (id integer PRIMARY KEY, n integer);
INSERT INTO evil.fired SELECT g, g FROM generate_series(1, 20) g;
CREATE TRIGGER every_row BEFORE INSERT OR UPDATE OR DELETE ON evil.fired FOR EACH ROW EXECUTE FUNCTION evil.fire();
CREATE TRIGGER always AFTER INSERT OR UPDATE OR DELETE ON evil.fired FOR EACH ROW EXECUTE FUNCTION evil.fire();
ALTER TABLE evil.fired ENABLE ALWAYS TRIGGER every_row;
ALTER TABLE evil.fired ENABLE ALWAYS TRIGGER always;
CREATE CONSTRAINT TRIGGER later AFTER INSERT OR UPDATE OR DELETE ON evil.fired INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION evil.fire();
CREATE TABLE evil.parted (id integer, n integer, PRIMARY KEY (id)) PARTITION BY RANGE (id);
CREATE TABLE evil.part_low PARTITION OF evil.parted (CHECK (evil.strike('check of a partition'))) FOR VALUES FROM (0) TO (10);
CREATE TABLE evil.part_rest PARTITION OF evil.parted DEFAULT;
CREATE INDEX ON evil.parted (evil.number(n));
INSERT INTO evil.parted SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE evil.by_key (id integer, n integer) PARTITION BY RANGE (evil.number(n));
CREATE TABLE evil.by_key_low PARTITION OF evil.by_key FOR VALUES FROM (0) TO (10);
CREATE TABLE evil.by_key_rest PARTITION OF evil.by_key DEFAULT;
INSERT INTO evil.by_key SELECT g, g FROM generate_series(1, 20) g;
CREATE DOMAIN evil.word AS text CHECK (evil.strike('domain'));
CREATE DOMAIN evil.words AS text[] CHECK (evil.strike('domain over an array'));
CREATE TYPE evil.pair AS (first evil.word, second integer, third evil.words);
CREATE TYPE evil.span AS RANGE (subtype = evil.word);
CREATE DOMAIN evil.pairs AS evil.pair[] CHECK (evil.strike('domain over composites'));
CREATE TABLE evil.domains (id integer PRIMARY KEY, a evil.word, b evil.words, c evil.pair, d evil.pairs, e evil.span, f evil.word[]);
INSERT INTO evil.domains SELECT g, 'a', '{a,b}', ROW('x', 1, '{y}')::evil.pair, ARRAY[ROW('x', 1, '{y}')::evil.pair]::evil.pairs, evil.span('a', 'b'), '{q}' FROM generate_series(1, 5) g;
RESET ROLE;

SELECT is(tests.besiege('evil.' || name, format('DELETE FROM evil.%I WHERE id > 3', name)), '', 'code of ' || what)
FROM (VALUES ('stats', 'statistics on expressions'), ('excluded', 'an exclusion constraint'), ('policed', 'row security policies'), ('ruled', 'rules'), ('fired', 'triggers, also those that always fire'),
             ('domains', 'domains inside arrays, composites and ranges')) AS attack (name, what);
SELECT is(tests.besiege('evil.parted', 'DELETE FROM evil.parted WHERE id > 3'), '', 'code of partitions');

-- Rows of by_key cannot be found by a key, so only what replaces is tried.
SELECT id AS by_key FROM backup_create('{evil.by_key}', verify => 'content') \gset
DELETE FROM evil.by_key WHERE id > 3;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'by_key')) || tests.struck(), 'okfalse', 'code of a partition key');

-- Partitions that are others by now: bounds are looked at, rows are routed, and the default partition is searched for rows of one that is missing.
SELECT id AS parted FROM backup_create('{evil.parted,evil.by_key}') \gset
SELECT tests.struck() AS ours \gset
SET ROLE hostile_evil;
DROP TABLE evil.part_low;
CREATE TABLE evil.part_low PARTITION OF evil.parted (CHECK (evil.strike('check of a partition')), n DEFAULT evil.number(1)) FOR VALUES FROM (0) TO (5);
DROP TABLE evil.by_key_low;
INSERT INTO evil.by_key SELECT g, g FROM generate_series(1, 5) g;
CREATE TABLE evil.by_key_high PARTITION OF evil.by_key FOR VALUES FROM (115) TO (116);
RESET ROLE;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{evil.parted,evil.by_key}'', dry_run => true)', :'parted')) || tests.struck(), 'okfalse', 'code of other partitions, dry run');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{evil.parted}'', mode => ''upsert'')', :'parted')) || tests.struck(), 'okfalse', 'upsert');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{evil.parted,evil.by_key}'')', :'parted')) || tests.struck(), 'okfalse', 'replace');
SELECT is((SELECT count(*) FROM evil.by_key_rest) || ' ' || (SELECT count(*) FROM evil.part_low), '20 4', 'and the rows are where they belong');

-- ---- code that the server evaluates before any row is looked at ---------------------------------------------------------------
-- functions of constants are evaluated when an expression is planned, literals when it is parsed
SET ROLE hostile_evil;
CREATE TABLE evil.folded (id integer PRIMARY KEY, n integer CHECK (n > evil.number(0) - 1), g integer GENERATED ALWAYS AS (n + evil.number(1)) STORED);
CREATE INDEX ON evil.folded ((n + evil.number(1)));
CREATE UNIQUE INDEX ON evil.folded (id) WHERE n < evil.number(1000000);
CREATE STATISTICS evil.of_constants ON (n + evil.number(1)), (id + evil.number(1)) FROM evil.folded;
INSERT INTO evil.folded SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE evil.folded_parts (id integer, n integer) PARTITION BY RANGE ((n + evil.number(1)));
CREATE TABLE evil.folded_low PARTITION OF evil.folded_parts FOR VALUES FROM (0) TO (10);
CREATE TABLE evil.folded_rest PARTITION OF evil.folded_parts DEFAULT;
INSERT INTO evil.folded_parts SELECT g, g FROM generate_series(1, 20) g;
CREATE TABLE evil.literals (id integer PRIMARY KEY, n integer DEFAULT cardinality('{a}'::evil.word[]), words evil.word[] DEFAULT '{a,b}',
  CHECK (words <> '{}'::evil.word[]), EXCLUDE (id WITH =) WHERE (words <> '{z}'::evil.word[]));
CREATE INDEX literal_index ON evil.literals (id) WHERE words <> '{y}'::evil.word[];
INSERT INTO evil.literals (id) SELECT g FROM generate_series(1, 20) g;
RESET ROLE;
SET constraint_exclusion = on;
SELECT is(tests.besiege('evil.folded', 'DELETE FROM evil.folded WHERE id > 3'), '', 'functions of constants');
SELECT is(tests.besiege('evil.literals', 'DELETE FROM evil.literals WHERE id > 3'), '', 'literals of types with domains in them');
SELECT id AS folded_parts FROM backup_create('{evil.folded_parts}', verify => 'restore') \gset
DELETE FROM evil.folded_parts WHERE id > 3;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'folded_parts')) || tests.struck(), 'okfalse', 'a partition key with a function of a constant');
DROP TABLE evil.folded_rest;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'folded_parts')) || tests.struck(), 'okfalse', 'one partition of it made anew');
RESET constraint_exclusion;

-- ---- foreign keys -----------------------------------------------------------------------------------------------------------
-- keys of different types are compared through an implicit cast, which is code
CREATE TABLE known_words (word text PRIMARY KEY);
INSERT INTO known_words VALUES ('bom'), ('mau');
GRANT SELECT, REFERENCES ON known_words TO hostile_evil;
SET ROLE hostile_evil;
CREATE TYPE evil.humour AS ENUM ('bom', 'mau');
-- (18 asks that both columns have a collation, or neither)
CREATE FUNCTION evil.humour_number(h evil.humour) RETURNS integer LANGUAGE plpgsql STABLE AS $$ BEGIN PERFORM evil.strike('cast'); RETURN ascii(textin(enum_out(h))); END $$;
CREATE CAST (evil.humour AS integer) WITH FUNCTION evil.humour_number(evil.humour) AS IMPLICIT;
CREATE TABLE evil.words_known (word integer PRIMARY KEY);
INSERT INTO evil.words_known VALUES (ascii('bom')), (ascii('mau'));
CREATE TABLE evil.humours (id integer PRIMARY KEY, humour evil.humour REFERENCES evil.words_known);
INSERT INTO evil.humours SELECT g, CASE WHEN g % 2 = 0 THEN 'bom' ELSE 'mau' END::evil.humour FROM generate_series(1, 20) g;
RESET ROLE;
SELECT is(tests.besiege('evil.humours', 'DELETE FROM evil.humours WHERE id > 3'), '', 'an implicit cast between the columns of a foreign key');
SELECT id AS both FROM backup_create('{evil.humours,evil.words_known}', verify => 'restore') \gset
SELECT ok(NOT tests.struck(), 'of two new tables');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, into_schema => ''aside'')', :'both')) || tests.struck(), 'okfalse', 'beside them');
DROP SCHEMA aside CASCADE;
DROP TABLE evil.humours, evil.words_known;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'both')) || tests.struck(), 'okfalse', 'and anew');
SELECT is((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'evil.humours'::regclass AND contype = 'f'), 'FOREIGN KEY (humour) REFERENCES evil.words_known(word)',
          'the key is there, and validated');
-- a superuser's table points at the attacker's: the server checks it as the owner of the table pointed at
CREATE TABLE public.trusting (id integer PRIMARY KEY, word integer REFERENCES evil.words_known);
INSERT INTO public.trusting SELECT g, ascii('bom') FROM generate_series(1, 20) g;
GRANT SELECT ON public.trusting TO hostile_evil;
SET ROLE hostile_evil;
CREATE INDEX ON evil.words_known ((word + evil.number(1)));
RESET ROLE;
SELECT is(tests.besiege('public.trusting', 'SET LOCAL ROLE NONE; DELETE FROM public.trusting WHERE id > 3'), '', 'a superuser''s table that points at the attacker''s');
ALTER TABLE public.trusting ADD CONSTRAINT trusting_word_fkey FOREIGN KEY (word) REFERENCES evil.words_known;
SELECT id AS trusting FROM backup_create('{public.trusting}') \gset
DROP TABLE public.trusting;
SELECT tests.struck() AS ours \gset
SELECT alike((SELECT note FROM backup_restore(:'trusting')), '%foreign key "trusting_word_fkey" left out: checking it would run code%', 'whose key is left out when it is made anew, and that is said');
SELECT ok(NOT tests.struck(), 'by a superuser');
DROP TABLE public.trusting;

-- where the owner may not create, nobody else runs what its literals run
CREATE SCHEMA walled;
GRANT USAGE ON SCHEMA walled TO hostile_evil;
CREATE TABLE walled.plain (id integer PRIMARY KEY, n integer DEFAULT 3, word text DEFAULT 'it''s', mood evil.humour DEFAULT 'bom');
CREATE TABLE walled.literal (id integer PRIMARY KEY, words evil.word[]);
CREATE INDEX literal_index ON walled.literal (id) WHERE words <> '{y}'::evil.word[];
CREATE TABLE walled.literal_default (id integer PRIMARY KEY, words evil.word[] DEFAULT '{a}');
ALTER TABLE walled.plain OWNER TO hostile_evil;
ALTER TABLE walled.literal OWNER TO hostile_evil;
ALTER TABLE walled.literal_default OWNER TO hostile_evil;
SELECT id AS walled FROM backup_create('{walled.*}') \gset
DROP TABLE walled.plain, walled.literal, walled.literal_default;
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{walled.plain}'')', :'walled')), 'ok', 'a table in a schema where its owner may not create');
SELECT is((SELECT pg_get_userbyid(relowner) || (SELECT count(*) FROM pg_attrdef WHERE adrelid = c.oid) FROM pg_class c WHERE oid = 'walled.plain'::regclass), 'hostile_evil3', 'comes back with its defaults and owner');
SELECT alike((SELECT note FROM backup_restore(:'walled', '{walled.literal}')), '%index "literal_index" left out: it is code of role hostile_evil, which may not create it in schema walled%',
             'an index with a literal that runs code is left out, and that is said');
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{walled.literal_default}'')', :'walled')), '42501 cannot recreate table "walled.literal_default" for its owner',
          'a table with such a default is refused');
SELECT ok(NOT tests.struck(), 'none of it ran as the superuser');
GRANT CREATE ON SCHEMA walled TO hostile_evil;
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{walled.literal_default}'')', :'walled')), 'ok', 'the hint of the error helps');
SELECT ok(NOT tests.struck(), 'and nothing ran as the superuser');
DROP SCHEMA walled CASCADE;

-- ---- names that are statements ----------------------------------------------------------------------------------------------
SET ROLE hostile_evil;
CREATE TYPE evil."mood'); DROP TABLE public.secrets; --" AS ENUM ('good', '''); DROP TABLE public.secrets; --', '\);');
CREATE TABLE evil."x""; DROP TABLE public.secrets; --" (
  "id"" integer); SELECT evil.strike('column'); --" integer GENERATED BY DEFAULT AS IDENTITY CONSTRAINT "pk"") ; DROP TABLE public.secrets; --" PRIMARY KEY,
  "$1 %s %I '); SELECT evil.strike('n'); --" text DEFAULT '''); SELECT evil.strike(''default''); --' COLLATE "C",
  mood evil."mood'); DROP TABLE public.secrets; --" DEFAULT '''); DROP TABLE public.secrets; --',
  CONSTRAINT "chk"" CHECK (true); DROP TABLE public.secrets; --" CHECK (mood IS NOT NULL));
CREATE INDEX "idx"" ; DROP TABLE public.secrets; --" ON evil."x""; DROP TABLE public.secrets; --" ("$1 %s %I '); SELECT evil.strike('n'); --") WHERE mood <> '\);';
RESET ROLE;
INSERT INTO evil."x""; DROP TABLE public.secrets; --" (mood) VALUES ('good'), (DEFAULT), ('\);');
SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) AS named FROM evil."x""; DROP TABLE public.secrets; --" x \gset
SELECT id AS names FROM backup_create(verify => 'restore') \gset
DROP TABLE evil."x""; DROP TABLE public.secrets; --";
DROP TYPE evil."mood'); DROP TABLE public.secrets; --";
SELECT tests.struck() AS ours \gset
SELECT is(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'names')), 'ok', 'names that are statements: restored');
SELECT ok(NOT tests.struck(), 'nothing in a name or a label was run');
SELECT is((SELECT md5(string_agg(x::text, ',' ORDER BY x::text)) FROM evil."x""; DROP TABLE public.secrets; --" x), :'named', 'they come back as they were');
SELECT is((SELECT count(*) FROM secrets), 1::bigint, 'and no table was dropped');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, ARRAY[%L])', :'names', 'secrets; DROP TABLE public.secrets; --')), '^(22023|42P01|42704|42602) ',
               'a name in an argument is no statement either');
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L, ''{secrets}'', into_schema => %L)', :'names', 'x"; DROP TABLE public.secrets; --')), '^(ok|0A000|42)', 'nor is a schema''s');
SELECT is((SELECT count(*) FROM secrets), 1::bigint, 'the table is still there');
DROP SCHEMA IF EXISTS "x""; DROP TABLE public.secrets; --" CASCADE;

-- ---- the search path --------------------------------------------------------------------------------------------------------
-- the caller's own path puts the attacker's schema before the system's
SET ROLE hostile_evil;
CREATE FUNCTION evil.op(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.op);
CREATE FUNCTION evil.op(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR evil.= (LEFTARG = oid, RIGHTARG = oid, FUNCTION = evil.op);
CREATE FUNCTION evil.op(integer, integer) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('operator'); RETURN $1 OPERATOR(pg_catalog.=) $2; END $$;
CREATE OPERATOR evil.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = evil.op);
CREATE FUNCTION evil.format_type(oid, integer) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function'); RETURN 'x'; END $$;
CREATE FUNCTION evil.quote_ident(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function'); RETURN 'x'; END $$;
CREATE FUNCTION evil.now() RETURNS timestamptz LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function'); RETURN '2000-01-01'; END $$;
CREATE FUNCTION evil.count(anyelement) RETURNS bigint LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function'); RETURN 0; END $$;
CREATE FUNCTION evil.to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.strike('function'); RETURN '{}'; END $$;
CREATE VIEW evil.pg_namespace AS SELECT *, evil.strike('view') AS struck FROM pg_catalog.pg_namespace;
CREATE VIEW evil.pg_class AS SELECT *, evil.strike('view') AS struck FROM pg_catalog.pg_class;
CREATE TABLE evil.pathed (id integer PRIMARY KEY, n integer, body text, born date, tags text[]);
INSERT INTO evil.pathed SELECT g, g, 'b', '2026-01-01', '{a}' FROM pg_catalog.generate_series(1, 20) g;
RESET ROLE;
SELECT id AS pathed FROM backup_create('{evil.pathed}') \gset
DELETE FROM evil.pathed WHERE id > 3;
SELECT tests.struck() AS ours \gset
SET search_path = evil, pg_catalog, public;
SELECT public.backup_create('{evil.pathed}', verify => 'restore') AS made \gset
SELECT equal FROM public.backup_compare(:'pathed') \gset seen_
SELECT ok FROM public.backup_verify(:'pathed', 'restore') \gset seen_
SELECT pg_catalog.min(action) AS dry FROM public.backup_restore(:'pathed', dry_run => true) \gset seen_
SELECT inserted FROM public.backup_restore(:'pathed', mode => 'missing', dry_run => true) \gset seen_
SELECT proven FROM public.backup_restore(:'pathed') \gset seen_
SELECT proven AS again FROM public.backup_restore(:'pathed', into_schema => 'aside') \gset seen_
SELECT pg_catalog.jsonb_agg(b) AS seen FROM public.backup_list() b \gset
SELECT pg_catalog.jsonb_agg(b) AS seen FROM public.backups b \gset
SELECT pg_catalog.jsonb_agg(b) AS seen FROM public.backup_progress b \gset
SELECT pg_catalog.jsonb_agg(b) AS seen FROM public.backup_show(:'names') b \gset
SELECT public.backup_pin(:'names') AS pinned \gset
SELECT public.backup_unpin(:'names') AS unpinned \gset
SELECT public.backup_grant('hostile_watch', 'watch') AS granted \gset
SELECT public.backup_revoke('hostile_watch') AS revoked \gset
RESET search_path;
SELECT ok(NOT tests.struck(), 'the attacker''s schema at the head of a superuser''s search path');
SELECT is(:'seen_equal' || :'seen_ok' || :'seen_dry' || :'seen_inserted' || :'seen_proven' || :'seen_again', 'ftreload17tt', 'changes no answer');
DROP VIEW evil.pg_namespace, evil.pg_class;
DROP SCHEMA aside CASCADE;

-- ---- code that comes while the call waits for its lock ------------------------------------------------------------------------
-- (relations that become others meanwhile: test/t/035_swaps.pl)
SET ROLE hostile_evil;
CREATE TABLE evil.bait (id integer PRIMARY KEY, n integer);
INSERT INTO evil.bait SELECT g, g FROM generate_series(1, 20) g;
RESET ROLE;
SELECT id AS baited FROM backup_create('{evil.bait}') \gset
DELETE FROM evil.bait WHERE id > 10;
SELECT tests.struck() AS ours \gset
SELECT set_config('pg_snapback.test_fault', 'restore.planned=sql:DO $do$BEGIN IF to_regclass(''evil.sudden'') IS NULL THEN SET LOCAL ROLE hostile_evil; CREATE INDEX sudden ON evil.bait (evil.number(n)); '
  'ALTER TABLE evil.bait ADD CHECK (evil.strike($x$late check$x$)); CREATE TRIGGER sudden BEFORE INSERT ON evil.bait FOR EACH ROW EXECUTE FUNCTION evil.fire(); RESET ROLE; END IF; END$do$', false) AS set \gset
DELETE FROM evil.bait WHERE id > 5;
SELECT matches(tests.attempt(format('SELECT * FROM backup_restore(%L)', :'baited')), '^(ok|55006|40001)', 'an index, a check and a trigger come while a restore waits');
RESET pg_snapback.test_fault;
SELECT ok(NOT tests.struck(), 'none of them runs as the superuser');

-- ---- rows that a role may not read ------------------------------------------------------------------------------------------
SELECT isnt(backup_grant('hostile_watch', 'watch'), NULL, 'a role that watches again');
SELECT is(tests.attempt('hostile_watch', 'SELECT * FROM ' || format(call, :'names')), '42501 permission denied to ' || verb || ' backup "' || :'names' || '"', 'watch does not read rows by ' || call)
FROM (VALUES ('backup_compare(%L, ''{secrets}'')', 'compare'), ('backup_restore(%L, ''{secrets}'', dry_run => true)', 'restore from'), ('backup_restore(%L, ''{secrets}'', into_schema => ''evil'')', 'restore from'),
             ('backup_download(%L)', 'download')) AS attack (call, verb);
SELECT is(tests.attempt('hostile_evil', 'SELECT * FROM backup_list()'), '42501 permission denied for function backup_list', 'who was granted nothing lists nothing');
SELECT is(left(tests.attempt('hostile_restore', 'SET pg_snapback.storage_location = ''/tmp'''), 5), '55P02', 'the place of the files is nobody''s to set in a session');
-- what a role restores beside is no way to own what is there
GRANT CREATE ON DATABASE :DBNAME TO hostile_restore;
SELECT is(tests.attempt('hostile_restore', format('SELECT * FROM backup_restore(%L, ''{secrets}'', into_schema => ''beside'')', :'names')), 'ok', 'level restore reads rows: that is its right');
SELECT is((SELECT count(*) FROM pg_class WHERE relowner = 'hostile_restore'::regrole AND relnamespace = 'public'::regnamespace), 0::bigint, 'but it owns nothing of the original schema');

SELECT count(backup_delete(id)) AS deleted FROM backup_list() WHERE database = current_database() \gset
DROP OWNED BY hostile_evil, hostile_restore, hostile_watch CASCADE;
SELECT * FROM finish();
