/* pg_snapback--1.0.0.sql: everything of version 1.0.0 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_snapback" to load this file. \quit

-- What users call lies in the schema they install the extension in (@extschema@); what only the extension needs lies in schema
-- "snapback". Nobody needs USAGE on "snapback": views find its functions by OID, and the C code asks for privileges by OID.

CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'internals of the extension pg_snapback; nothing here is meant to be called directly';

-- ---------------------------------------------------------------------------------------------------------------------------
-- Taking, listing, verifying and comparing
-- ---------------------------------------------------------------------------------------------------------------------------

CREATE TYPE @extschema@.backup_info AS (
  id            text,
  state         text,
  created_at    timestamp with time zone,
  tables        integer,
  rows          bigint,
  stored_bytes  bigint,
  verified      text,
  label         text,
  database      text,
  logical_bytes bigint,
  seconds       double precision,
  verified_at   timestamp with time zone,
  expires_at    timestamp with time zone,
  pinned        boolean,
  uncommitted   boolean,
  encrypted     boolean,
  location      text,
  not_captured  jsonb,
  warnings      text[],
  problem       text
);
COMMENT ON TYPE @extschema@.backup_info IS
'one backup: what backup_create(), backup_before(), backup_list(), backup_delete(), backup_pin() and backup_unpin() return';
COMMENT ON COLUMN @extschema@.backup_info.id IS 'backup_<UTC time>_<8 hex>; any unambiguous beginning of it is accepted by the functions';
COMMENT ON COLUMN @extschema@.backup_info.state IS 'good, damaged, unreadable, foreign (not taken by this database) or writing';
COMMENT ON COLUMN @extschema@.backup_info.created_at IS 'the one moment whose data the backup holds';
COMMENT ON COLUMN @extschema@.backup_info.stored_bytes IS 'size of the file';
COMMENT ON COLUMN @extschema@.backup_info.verified IS 'none, files, content or restore: the highest level that was proven';
COMMENT ON COLUMN @extschema@.backup_info.logical_bytes IS 'size of the JSON document before compression';
COMMENT ON COLUMN @extschema@.backup_info.uncommitted IS
'the transaction that took it had changed data before: the backup holds changes that may never have been committed';
COMMENT ON COLUMN @extschema@.backup_info.not_captured IS 'what belongs to the tables and is not in the backup';
COMMENT ON COLUMN @extschema@.backup_info.warnings IS 'what its reader should know; nothing that matters is said in a NOTICE only';
COMMENT ON COLUMN @extschema@.backup_info.problem IS 'what is wrong with it, where state is not good';

CREATE FUNCTION @extschema@.backup_create(
  tables  text[]  DEFAULT NULL,
  label   text    DEFAULT NULL,
  verify  text    DEFAULT 'files',
  exclude text[]  DEFAULT NULL,
  encrypt boolean DEFAULT NULL,
  keep    text    DEFAULT NULL,
  workers integer DEFAULT NULL
) RETURNS @extschema@.backup_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_create';
COMMENT ON FUNCTION @extschema@.backup_create(text[], text, text, text[], boolean, text, integer) IS
'takes a backup of the named tables, or of all user tables, at one moment, and proves that it can be read back:
SELECT * FROM backup_create();  SELECT * FROM backup_create(''{courses,modules}'', label => ''before the import'')';

CREATE FUNCTION @extschema@.backup_before(
  operation text,
  tables    text[]  DEFAULT NULL,
  encrypt   boolean DEFAULT NULL
) RETURNS @extschema@.backup_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_before';
COMMENT ON FUNCTION @extschema@.backup_before(text, text[], boolean) IS
'takes a backup before a risky operation and labels it with the operation''s name: SELECT id FROM backup_before(''delete_user_data'')';

CREATE FUNCTION @extschema@.backup_list() RETURNS SETOF @extschema@.backup_info
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_backup_list';
COMMENT ON FUNCTION @extschema@.backup_list() IS
'lists the backups in the storage, newest first: SELECT * FROM backup_list() WHERE state = ''good''; the view "backups" is its short form';

CREATE FUNCTION @extschema@.backup_show(backup_id text DEFAULT 'latest')
RETURNS TABLE (
  kind          text,
  schema        text,
  name          text,
  rows          bigint,
  logical_bytes bigint,
  stored_bytes  bigint,
  fingerprint   text,
  note          text
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_backup_show';
COMMENT ON FUNCTION @extschema@.backup_show(text) IS
'shows what one backup holds, table by table: SELECT * FROM backup_show();  SELECT * FROM backup_show(''backup_20261121T02'')';

CREATE FUNCTION @extschema@.backup_verify(
  backup_id         text DEFAULT 'latest',
  level             text DEFAULT 'content',
  OUT backup_id     text,
  OUT ok            boolean,
  OUT level         text,
  OUT tables        integer,
  OUT rows          bigint,
  OUT seconds       double precision,
  OUT problem_count integer,
  OUT problems      jsonb
) RETURNS record
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_verify';
COMMENT ON FUNCTION @extschema@.backup_verify(text, text) IS
'checks a stored backup: level files (every digest), content (every row is read and converted) or restore (it is restored beside the
tables and rolled back): SELECT * FROM backup_verify();  SELECT ok FROM backup_verify(''backup_20261121T02'', ''files'')';

CREATE FUNCTION @extschema@.backup_compare(
  backup_id text   DEFAULT 'latest',
  tables    text[] DEFAULT NULL
) RETURNS TABLE (
  schema      text,
  name        text,
  backup_rows bigint,
  live_rows   bigint,
  equal       boolean
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_backup_compare';
COMMENT ON FUNCTION @extschema@.backup_compare(text, text[]) IS
'compares a backup with the live tables, every value of every row: SELECT * FROM backup_compare();
SELECT * FROM backup_compare() WHERE equal IS NOT TRUE';

-- ---------------------------------------------------------------------------------------------------------------------------
-- Restoring and keeping
-- ---------------------------------------------------------------------------------------------------------------------------

CREATE FUNCTION @extschema@.backup_restore(
  backup_id     text,
  tables        text[]  DEFAULT NULL,
  mode          text    DEFAULT 'replace',
  into_schema   text    DEFAULT NULL,
  dry_run       boolean DEFAULT false,
  rehearse      boolean DEFAULT false,
  safety_backup boolean DEFAULT true,
  clean         boolean DEFAULT false,
  from_database text    DEFAULT NULL,
  allow_loss    boolean DEFAULT false,
  owner         boolean DEFAULT false,
  privileges    boolean DEFAULT false,
  schema_only   boolean DEFAULT false,
  data_only     boolean DEFAULT false,
  rename        jsonb   DEFAULT NULL
) RETURNS TABLE (
  schema           text,
  name             text,
  action           text,
  inserted         bigint,
  updated          bigint,
  deleted          bigint,
  unchanged        bigint,
  proven           boolean,
  note             text,
  applied          boolean,
  backup_id        text,
  safety_backup_id text
)
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 50
AS 'MODULE_PATHNAME', 'snapback_backup_restore';
COMMENT ON FUNCTION @extschema@.backup_restore(text, text[], text, text, boolean, boolean, boolean, boolean, text, boolean, boolean, boolean,
  boolean, boolean, jsonb) IS
'restores a backup, or some of its tables, all or nothing, after taking a safety backup of what is there; mode replace makes the tables
exactly the backup, missing only brings back rows that are gone, upsert also overwrites:
SELECT * FROM backup_restore(''latest'', dry_run => true);  SELECT * FROM backup_restore(''backup_20261121T02'', ''{courses}'')';

CREATE FUNCTION @extschema@.backup_delete(backup_id text) RETURNS @extschema@.backup_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_delete';
COMMENT ON FUNCTION @extschema@.backup_delete(text) IS
'deletes a backup that is not pinned; its files go when the transaction commits: SELECT id, state FROM backup_delete(''backup_20261121T02'')';

CREATE FUNCTION @extschema@.backup_pin(backup_id text) RETURNS @extschema@.backup_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_pin';
COMMENT ON FUNCTION @extschema@.backup_pin(text) IS
'pins a backup, so that it is neither deleted nor pruned until it is unpinned: SELECT id, pinned FROM backup_pin(''backup_20261121T02'')';

CREATE FUNCTION @extschema@.backup_unpin(backup_id text) RETURNS @extschema@.backup_info
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_unpin';
COMMENT ON FUNCTION @extschema@.backup_unpin(text) IS
'takes the pin off a backup: SELECT id, pinned FROM backup_unpin(''backup_20261121T02'')';

CREATE FUNCTION @extschema@.backup_download(
  backup_id text,
  part      integer DEFAULT 1
) RETURNS bytea
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_backup_download';
COMMENT ON FUNCTION @extschema@.backup_download(text, integer) IS
'returns one part (16 MiB) of a backup''s file, counted from 1, and NULL after the last; the parts joined are the file:
SELECT backup_download(''backup_20261121T02'', part => 2)';

-- ---------------------------------------------------------------------------------------------------------------------------
-- Looking on
-- ---------------------------------------------------------------------------------------------------------------------------

CREATE VIEW @extschema@.backups WITH (security_invoker = true) AS
SELECT b.id,
       b.state,
       b.created_at,
       b.tables,
       b.rows,
       pg_catalog.pg_size_pretty(b.stored_bytes) AS size,
       b.verified,
       b.label
FROM @extschema@.backup_list() AS b
ORDER BY b.created_at DESC NULLS LAST, b.id DESC;
COMMENT ON VIEW @extschema@.backups IS
'the backups in the storage, newest first, for people: TABLE backups; backup_list() says more about each';

-- What runs now, in every database of the server, as the processes themselves report it.
CREATE FUNCTION snapback.progress(
  OUT pid             integer,
  OUT operation       text,
  OUT phase           text,
  OUT schema_name     text,
  OUT table_name      text,
  OUT rows_done       bigint,
  OUT rows_estimated  bigint,
  OUT bytes_done      bigint,
  OUT bytes_estimated bigint
) RETURNS SETOF record
LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5
AS 'MODULE_PATHNAME', 'snapback_progress';
COMMENT ON FUNCTION snapback.progress() IS 'what the running operations report; read the view backup_progress';

-- The same with who, where and since when. The definer's rights make the start visible to everybody who may read the view; the
-- text of the statement is not shown.
CREATE FUNCTION snapback.progress_of_all(
  OUT pid             integer,
  OUT database        text,
  OUT role            text,
  OUT operation       text,
  OUT phase           text,
  OUT table_name      text,
  OUT rows_done       bigint,
  OUT rows_estimated  bigint,
  OUT bytes_done      bigint,
  OUT bytes_estimated bigint,
  OUT started_at      timestamp with time zone
) RETURNS SETOF record
LANGUAGE sql VOLATILE PARALLEL UNSAFE SECURITY DEFINER ROWS 5
SET search_path = pg_catalog, pg_temp
AS $$
  SELECT p.pid,
         a.datname::text,
         a.usename::text,
         p.operation,
         p.phase,
         CASE WHEN p.schema_name IS NULL THEN p.table_name ELSE p.schema_name || '.' || p.table_name END,
         p.rows_done,
         p.rows_estimated,
         p.bytes_done,
         p.bytes_estimated,
         a.query_start
  FROM snapback.progress() AS p
  LEFT JOIN pg_catalog.pg_stat_activity AS a ON a.pid = p.pid
  ORDER BY a.query_start, p.pid
$$;
COMMENT ON FUNCTION snapback.progress_of_all() IS 'what the view backup_progress shows';

CREATE VIEW @extschema@.backup_progress WITH (security_invoker = true) AS
SELECT p.pid,
       p.database,
       p.role,
       p.operation,
       p.phase,
       p.table_name,
       p.rows_done,
       p.rows_estimated,
       p.bytes_done,
       p.bytes_estimated,
       p.started_at
FROM snapback.progress_of_all() AS p;
COMMENT ON VIEW @extschema@.backup_progress IS
'the backups, restores and verifications that are running now, in every database of this server: TABLE backup_progress';

-- ---------------------------------------------------------------------------------------------------------------------------
-- Rights: the privileges on our functions and views are the truth; there is no list of roles of our own
-- ---------------------------------------------------------------------------------------------------------------------------

-- EXECUTE on these two is never used to call them: having it is the right itself, and the C code asks for it.
CREATE FUNCTION snapback.may_operate() RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT true';
COMMENT ON FUNCTION snapback.may_operate() IS 'who may execute this may delete and pin backups that others took (level operate)';

CREATE FUNCTION snapback.may_restore() RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT true';
COMMENT ON FUNCTION snapback.may_restore() IS 'who may execute this may get rows out of backups of tables that others own (level restore)';

-- Every member of the extension with its owner and privileges; built-in defaults are written out, a null list of them is not "none".
CREATE FUNCTION snapback.members(
  OUT kind   text,
  OUT object text,
  OUT name   text,
  OUT owner  oid,
  OUT acl    aclitem[]
) RETURNS SETOF record
LANGUAGE sql STABLE PARALLEL SAFE ROWS 50
SET search_path = pg_catalog, pg_temp
AS $$
  WITH member AS (
    SELECT d.classid, d.objid
    FROM pg_catalog.pg_depend AS d
    JOIN pg_catalog.pg_extension AS e ON d.refclassid = 'pg_catalog.pg_extension'::regclass AND d.refobjid = e.oid
    WHERE e.extname = 'pg_snapback' AND d.deptype = 'e'
  ), relation AS (
    SELECT c.*
    FROM pg_catalog.pg_class AS c
    JOIN member AS m ON m.classid = 'pg_catalog.pg_class'::regclass AND m.objid = c.oid
  )
  SELECT 'FUNCTION', p.oid::regprocedure::text, p.proname::text, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner))
  FROM pg_catalog.pg_proc AS p
  JOIN member AS m ON m.classid = 'pg_catalog.pg_proc'::regclass AND m.objid = p.oid
  UNION ALL
  SELECT CASE r.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END, r.oid::regclass::text, r.relname::text, r.relowner,
         coalesce(r.relacl, acldefault(CASE r.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char", r.relowner))
  FROM relation AS r
  WHERE r.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
  UNION ALL
  SELECT 'TABLE', r.oid::regclass::text, r.relname::text, r.relowner, a.attacl
  FROM relation AS r
  JOIN pg_catalog.pg_attribute AS a ON a.attrelid = r.oid AND a.attacl IS NOT NULL
  UNION ALL
  -- only what was granted on a type: PUBLIC's own USAGE opens nothing, and taking it away makes pg_dump warn at every run.
  -- row types of our tables and views are members through them; arrays have no privileges of their own
  SELECT 'TYPE', t.oid::regtype::text, t.typname::text, t.typowner, t.typacl
  FROM pg_catalog.pg_type AS t
  WHERE (t.oid IN (SELECT m.objid FROM member AS m WHERE m.classid = 'pg_catalog.pg_type'::regclass)
         OR t.oid IN (SELECT r.reltype FROM relation AS r))
    AND t.typcategory <> 'A'
  UNION ALL
  SELECT 'SCHEMA', quote_ident(n.nspname), n.nspname::text, n.nspowner, coalesce(n.nspacl, acldefault('n', n.nspowner))
  FROM pg_catalog.pg_namespace AS n
  JOIN member AS m ON m.classid = 'pg_catalog.pg_namespace'::regclass AND m.objid = n.oid
$$;
COMMENT ON FUNCTION snapback.members() IS 'the members of the extension with their privileges';

-- Takes every privilege on every member from one role (0: PUBLIC; null: from everybody but the owner) and says which they were.
CREATE FUNCTION snapback.revoke_all(role_id oid) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  held    record;
  revoked text[] := '{}';
BEGIN
  FOR held IN
    SELECT DISTINCT m.kind, m.object, x.grantee, x.privilege_type
    FROM snapback.members() AS m
    CROSS JOIN LATERAL pg_catalog.aclexplode(m.acl) AS x
    WHERE x.grantee <> m.owner AND (role_id IS NULL OR x.grantee = role_id)
    ORDER BY m.kind, m.object, x.grantee, x.privilege_type
  LOOP
    EXECUTE format('REVOKE ALL ON %s %s FROM %s CASCADE', held.kind, held.object,
                   CASE held.grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(pg_get_userbyid(held.grantee)) END);
    revoked := revoked || format('%s ON %s %s', held.privilege_type, held.kind, held.object);
  END LOOP;
  -- REVOKE by a superuser takes back what the owner gave; what somebody with a grant option gave may be left
  FOR held IN
    SELECT m.kind, m.object, x.grantor, x.grantee, x.privilege_type
    FROM snapback.members() AS m
    CROSS JOIN LATERAL pg_catalog.aclexplode(m.acl) AS x
    WHERE x.grantee <> m.owner AND (role_id IS NULL OR x.grantee = role_id)
  LOOP
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('%s on %s %s was granted to %s by another role', held.privilege_type, lower(held.kind), held.object,
                       CASE held.grantee WHEN 0 THEN 'PUBLIC' ELSE format('role "%s"', pg_get_userbyid(held.grantee)) END),
      DETAIL = format('It was granted by role "%s".', pg_get_userbyid(held.grantor)),
      HINT = 'Revoke it as that role first.';
  END LOOP;
  RETURN revoked;
END
$$;
COMMENT ON FUNCTION snapback.revoke_all(oid) IS 'what backup_revoke() and the installation do';

-- The checks that backup_grant() and backup_revoke() share; returns the role's OID.
CREATE FUNCTION snapback.check_role(role_name text) RETURNS oid
LANGUAGE plpgsql STABLE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  found_id oid;
BEGIN
  IF NOT (SELECT r.rolsuper FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user) THEN
    RAISE EXCEPTION USING
      ERRCODE = 'insufficient_privilege',
      MESSAGE = 'permission denied to grant or revoke rights on backups',
      DETAIL = 'Only roles with the SUPERUSER attribute may do this.',
      HINT = 'Ask a superuser to call the function.';
  END IF;
  IF role_name IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'argument "role_name" must not be null';
  END IF;
  SELECT r.oid INTO found_id FROM pg_catalog.pg_roles AS r WHERE r.rolname = role_name;
  IF found_id IS NULL THEN
    IF lower(role_name) = 'public' THEN
      RAISE EXCEPTION USING
        ERRCODE = 'invalid_parameter_value',
        MESSAGE = 'rights on backups are not granted to PUBLIC',
        HINT = 'Name a role; every member of it has its rights.';
    END IF;
    RAISE EXCEPTION USING
      ERRCODE = 'undefined_object',
      MESSAGE = format('role "%s" does not exist', role_name),
      HINT = CASE WHEN EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE lower(r.rolname) = lower(role_name))
                  THEN 'Names of roles are taken as written, upper and lower case apart.'
                  ELSE 'The roles of this server are listed by: SELECT rolname FROM pg_roles' END;
  END IF;
  RETURN found_id;
END
$$;
COMMENT ON FUNCTION snapback.check_role(text) IS 'the checks that backup_grant() and backup_revoke() share';

CREATE FUNCTION @extschema@.backup_grant(
  role_name text,
  level     text DEFAULT 'watch'
) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
  role_id   oid := snapback.check_role(role_name);
  home      text;
  functions text[];
  member    record;
  granted   text[] := '{}';
BEGIN
  IF level IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'argument "level" must not be null',
      HINT = 'Levels are watch, operate and restore.';
  END IF;
  IF level NOT IN ('watch', 'operate', 'restore') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown level "%s"', level),
      HINT = 'Levels are watch, operate and restore.';
  END IF;
  SELECT n.nspname INTO home
  FROM pg_catalog.pg_extension AS e
  JOIN pg_catalog.pg_namespace AS n ON n.oid = e.extnamespace
  WHERE e.extname = 'pg_snapback';
  IF NOT has_schema_privilege(role_id, home, 'USAGE') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'object_not_in_prerequisite_state',
      MESSAGE = format('role "%s" may not use schema "%s", in which the functions are', role_name, home),
      HINT = format('First: GRANT USAGE ON SCHEMA %s TO %s', quote_ident(home), quote_ident(role_name));
  END IF;

  -- restore, compare and download are in watch: they let rows out only to superusers, level restore, and owners of the live tables
  functions := '{backup_list,backup_show,backup_verify,backup_compare,backup_restore,backup_download,progress_of_all}';
  IF level IN ('operate', 'restore') THEN
    functions := functions || '{backup_create,backup_before,backup_delete,backup_pin,backup_unpin,may_operate}'::text[];
  END IF;
  IF level = 'restore' THEN
    functions := functions || '{may_restore}'::text[];
  END IF;

  -- the role ends with exactly the level named, so a lower one than it had takes the difference away
  PERFORM snapback.revoke_all(role_id);
  FOR member IN
    SELECT m.kind, m.object, CASE m.kind WHEN 'FUNCTION' THEN 'EXECUTE' ELSE 'SELECT' END AS privilege
    FROM snapback.members() AS m
    WHERE (m.kind = 'FUNCTION' AND m.name = ANY (functions)) OR (m.kind = 'TABLE' AND m.name IN ('backups', 'backup_progress'))
    ORDER BY m.kind, m.object
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %I', member.privilege, member.kind, member.object, role_name);
    granted := granted || format('%s ON %s %s', member.privilege, member.kind, member.object);
  END LOOP;
  RETURN granted;
END
$$;
COMMENT ON FUNCTION @extschema@.backup_grant(text, text) IS
'gives a role a level of rights, watch (look, verify), operate (watch, and create, delete, pin) or restore (operate, and get rows out of
backups of tables that others own), instead of the level it had; returns the privileges granted. For superusers:
SELECT backup_grant(''app_admin'', ''operate'')';

CREATE FUNCTION @extschema@.backup_revoke(role_name text) RETURNS text[]
LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
  RETURN snapback.revoke_all(snapback.check_role(role_name));
END
$$;
COMMENT ON FUNCTION @extschema@.backup_revoke(text) IS
'takes every right on backups back from a role, whatever its level was; returns the privileges revoked. For superusers:
SELECT backup_revoke(''app_admin'')';

-- Nobody but the owner starts with anything: neither PUBLIC, nor the roles that default privileges name (Supabase: anon, authenticated,
-- service_role), which REVOKE FROM PUBLIC alone would leave in.
DO $$ BEGIN PERFORM snapback.revoke_all(NULL); END $$;
