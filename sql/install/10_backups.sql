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

