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

