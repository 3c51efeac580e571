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

