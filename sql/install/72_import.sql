-- ---------------------------------------------------------------------------------------------------------------------------
-- Importing copies of courses and other graphs, and undoing it
-- ---------------------------------------------------------------------------------------------------------------------------

-- One import. Roles by name and tables by name, so that both survive a dump.
CREATE TABLE snapback.batch (
  batch           uuid PRIMARY KEY,
  profile         text NOT NULL,
  imported_by     name NOT NULL,
  imported_at     timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
  root_key        text,
  document_digest text NOT NULL,
  plan_hash       text NOT NULL,
  source          jsonb,
  source_root     jsonb,
  tables          jsonb NOT NULL,
  row_counts      jsonb NOT NULL,
  undone_at       timestamp with time zone,
  undone_by       name
);
CREATE INDEX batch_document ON snapback.batch (document_digest);
COMMENT ON TABLE snapback.batch IS 'imports of courses and other graphs; read the view course_batches';
COMMENT ON COLUMN snapback.batch.tables IS 'the tables it wrote to, in order: schema, name, table (logical), key, columns of the fingerprint, group (inserted by one statement)';

CREATE TABLE snapback.batch_row (
  batch        uuid NOT NULL REFERENCES snapback.batch ON DELETE CASCADE,
  table_number integer NOT NULL,
  row_number   integer NOT NULL,
  action       text NOT NULL CHECK (action IN ('created', 'reused')),
  source_key   text,
  key          jsonb NOT NULL,
  fingerprint  text,
  PRIMARY KEY (batch, table_number, action, row_number)
);
COMMENT ON TABLE snapback.batch_row IS 'the rows that each import created or used again; read the view course_batch_rows';

SELECT pg_catalog.pg_extension_config_dump('snapback.batch', '');
SELECT pg_catalog.pg_extension_config_dump('snapback.batch_row', '');

-- With the owner's rights, so that who may read the view needs none on the tables: everybody sees the imports of their own roles.
CREATE VIEW @extschema@.course_batches WITH (security_barrier = true) AS
SELECT b.batch,
       b.profile,
       CASE WHEN b.undone_at IS NULL THEN 'applied' ELSE 'undone' END AS state,
       b.root_key,
       b.imported_at,
       b.imported_by::text AS imported_by,
       b.row_counts,
       b.source ->> 'database' AS source_database,
       b.source ->> 'system' AS source_system,
       b.source_root,
       b.undone_at,
       b.undone_by::text AS undone_by,
       b.document_digest,
       b.plan_hash
FROM snapback.batch AS b
WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user AND r.rolsuper)
   OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = b.imported_by AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER'))
ORDER BY b.imported_at DESC, b.batch;
COMMENT ON VIEW @extschema@.course_batches IS
'the imports that you, or a role you are a member of, made: TABLE course_batches; course_undo(batch) takes one back';

CREATE VIEW @extschema@.course_batch_rows WITH (security_barrier = true) AS
SELECT w.batch,
       t.item ->> 'table' AS table_name,
       pg_catalog.format('%I.%I', t.item ->> 'schema', t.item ->> 'name') AS relation,
       w.action,
       w.source_key,
       w.key,
       b.source ->> 'system' || '/' || (t.item ->> 'table') || '/' || w.source_key AS external_id
FROM snapback.batch_row AS w
JOIN snapback.batch AS b ON b.batch = w.batch
CROSS JOIN LATERAL (SELECT b.tables -> w.table_number AS item) AS t
WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = current_user AND r.rolsuper)
   OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.rolname = b.imported_by AND pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER'))
ORDER BY w.batch, w.table_number, w.action, w.row_number;
COMMENT ON VIEW @extschema@.course_batch_rows IS
'every row that an import created, or found and used again, with the key it had where it came from:
SELECT * FROM course_batch_rows WHERE batch = ''...''';

CREATE FUNCTION @extschema@.course_import(
  doc         json,
  dry_run     boolean DEFAULT true,
  rehearse    boolean DEFAULT false,
  mapping     jsonb   DEFAULT NULL,
  context     jsonb   DEFAULT NULL,
  expect_plan text    DEFAULT NULL,
  on_repeat   text    DEFAULT 'copy'
) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_import';
COMMENT ON FUNCTION @extschema@.course_import(json, boolean, boolean, jsonb, jsonb, text, text) IS
'analyses the document of a course and says what importing it would do; with dry_run => false imports it as a new draft, all or nothing:
SELECT * FROM course_report(course_import(:''doc''));  SELECT course_import(:''doc'', dry_run => false)';

CREATE FUNCTION @extschema@.course_undo(
  batch   uuid,
  dry_run boolean DEFAULT true
) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_undo';
COMMENT ON FUNCTION @extschema@.course_undo(uuid, boolean) IS
'says whether an import can be taken back; with dry_run => false deletes exactly the rows it created:
SELECT * FROM course_report(course_undo(''...''));  SELECT course_undo(''...'', dry_run => false)';

CREATE FUNCTION @extschema@.course_report(report jsonb)
RETURNS TABLE (
  severity   text,
  code       text,
  table_name text,
  count      bigint,
  place      text,
  message    text,
  hint       text
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'snapback_course_report';
COMMENT ON FUNCTION @extschema@.course_report(jsonb) IS
'the errors, warnings and notes of a report as rows, errors first: SELECT * FROM course_report(course_import(:''doc''))';

CREATE FUNCTION @extschema@.graph_import(
  profile     text,
  doc         json,
  dry_run     boolean DEFAULT true,
  rehearse    boolean DEFAULT false,
  mapping     jsonb   DEFAULT NULL,
  context     jsonb   DEFAULT NULL,
  expect_plan text    DEFAULT NULL,
  on_repeat   text    DEFAULT 'copy'
) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_graph_import';
COMMENT ON FUNCTION @extschema@.graph_import(text, json, boolean, boolean, jsonb, jsonb, text, text) IS
'course_import() for a profile of another root: SELECT graph_import(''artist'', :''doc'', dry_run => false)';

CREATE FUNCTION @extschema@.graph_undo(
  batch   uuid,
  dry_run boolean DEFAULT true
) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_undo';
COMMENT ON FUNCTION @extschema@.graph_undo(uuid, boolean) IS
'course_undo() under the name that goes with graph_import(): SELECT graph_undo(''...'', dry_run => false)';
