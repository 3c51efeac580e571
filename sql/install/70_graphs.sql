-- ---------------------------------------------------------------------------------------------------------------------------
-- Courses, and other graphs of rows: profiles and export
-- ---------------------------------------------------------------------------------------------------------------------------

-- The profiles that users define; the one that ships is in the module until somebody stores another under its name. `catalog` is
-- what the tables looked like then, for the check of what changed since.
CREATE TABLE snapback.profile (
  name       text                     PRIMARY KEY,
  definition json                     NOT NULL,
  catalog    jsonb                    NOT NULL,
  changed_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
  changed_by text                     NOT NULL
);
COMMENT ON TABLE snapback.profile IS 'profiles that course_profile() and graph_profile() stored';
SELECT pg_catalog.pg_extension_config_dump('snapback.profile', '');

CREATE FUNCTION @extschema@.course_export(id text) RETURNS json
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_export';
COMMENT ON FUNCTION @extschema@.course_export(text) IS
'returns a course and everything that belongs to it as one JSON document, for course_import(): SELECT course_export(''42'')';

CREATE FUNCTION @extschema@.course_export(course_id bigint) RETURNS json
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_export';
COMMENT ON FUNCTION @extschema@.course_export(bigint) IS
'returns a course and everything that belongs to it as one JSON document, for course_import(): SELECT course_export(42)';

CREATE FUNCTION @extschema@.course_export(course_uuid uuid) RETURNS json
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_export';
COMMENT ON FUNCTION @extschema@.course_export(uuid) IS
'returns a course and everything that belongs to it as one JSON document, for course_import():
SELECT course_export(c.id) FROM courses AS c WHERE c.title = ''Anatomia''';

CREATE FUNCTION @extschema@.graph_export(
  profile text,
  id      text
) RETURNS json
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_graph_export';
COMMENT ON FUNCTION @extschema@.graph_export(text, text) IS
'returns the row with this key of a profile''s root table, and everything that belongs to it, as one JSON document; a key of several
columns is a JSON array: SELECT graph_export(''artist'', ''7'')';

CREATE FUNCTION @extschema@.course_profile(definition jsonb DEFAULT NULL) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_profile';
COMMENT ON FUNCTION @extschema@.course_profile(jsonb) IS
'shows what makes up a course, or replaces it; with "extends": "course" the definition goes over the one that ships:
SELECT course_profile(''{"extends": "course", "tables": {"grades": {"class": "exclude"}}}'')';

CREATE FUNCTION @extschema@.graph_profile(
  profile    text,
  definition jsonb DEFAULT NULL
) RETURNS jsonb
LANGUAGE C VOLATILE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_graph_profile';
COMMENT ON FUNCTION @extschema@.graph_profile(text, jsonb) IS
'shows a profile, or stores one under this name: SELECT graph_profile(''artist'', graph_profile_suggest(''artist''))';

CREATE FUNCTION @extschema@.course_profile_suggest(root regclass) RETURNS jsonb
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_course_profile_suggest';
COMMENT ON FUNCTION @extschema@.course_profile_suggest(regclass) IS
'drafts a profile for the table of courses from the catalog, with a reason for every table, for you to correct:
SELECT jsonb_pretty(course_profile_suggest(''courses''))';

CREATE FUNCTION @extschema@.graph_profile_suggest(root regclass) RETURNS jsonb
LANGUAGE C STABLE PARALLEL UNSAFE
AS 'MODULE_PATHNAME', 'snapback_graph_profile_suggest';
COMMENT ON FUNCTION @extschema@.graph_profile_suggest(regclass) IS
'drafts a profile for any root table from the catalog, with a reason for every table, for you to correct:
SELECT jsonb_pretty(graph_profile_suggest(''artist''))';

CREATE FUNCTION @extschema@.course_profile_check()
RETURNS TABLE (
  severity    text,
  code        text,
  table_name  text,
  column_name text,
  message     text,
  hint        text
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'snapback_course_profile_check';
COMMENT ON FUNCTION @extschema@.course_profile_check() IS
'says where the profile of courses does not fit the tables, and what changed in them since it was stored:
SELECT * FROM course_profile_check() WHERE severity <> ''note''';

CREATE FUNCTION @extschema@.graph_profile_check(profile text)
RETURNS TABLE (
  severity    text,
  code        text,
  table_name  text,
  column_name text,
  message     text,
  hint        text
)
LANGUAGE C STABLE PARALLEL UNSAFE ROWS 20
AS 'MODULE_PATHNAME', 'snapback_graph_profile_check';
COMMENT ON FUNCTION @extschema@.graph_profile_check(text) IS
'says where a profile does not fit the tables, and what changed in them since it was stored: SELECT * FROM graph_profile_check(''artist'')';

