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
  views     text[] := '{backups,backup_alerts,backup_metrics,backup_plans,backup_progress,backup_runs,backup_slots}';
  -- these read and write tables with the caller's own rights
  courses   text[] := '{course_export,course_import,course_undo,course_report,course_profile_check,course_profile_suggest,
                        graph_export,graph_import,graph_undo,graph_profile_check,graph_profile_suggest}';
  member    record;
  granted   text[] := '{}';
BEGIN
  IF level IS NULL THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = 'argument "level" must not be null',
      HINT = 'Levels are watch, operate, restore and course.';
  END IF;
  IF level NOT IN ('watch', 'operate', 'restore', 'course') THEN
    RAISE EXCEPTION USING
      ERRCODE = 'invalid_parameter_value',
      MESSAGE = format('unknown level "%s"', level),
      HINT = 'Levels are watch, operate, restore and course.';
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

  -- restore, compare and download are in watch: they let rows out only to superusers, level restore, and owners of the live tables;
  -- backup_start is there because what it starts is checked against the same role's rights again
  functions := '{backup_list,backup_show,backup_verify,backup_compare,backup_restore,backup_download,progress_of_all,
                 backup_start,backup_cancel,run_crashed,history,backup_health,backup_checklist,current_alerts,current_metrics,
                 last_good_backups}';
  IF level IN ('operate', 'restore') THEN
    functions := functions || '{backup_create,backup_before,backup_delete,backup_pin,backup_unpin,backup_schedule,backup_unschedule,backup_prune,backup_run,backup_run_due,may_operate}'::text[] || courses;
    views := views || '{course_batches,course_batch_rows}'::text[];
  END IF;
  IF level = 'restore' THEN
    functions := functions || '{may_restore}'::text[];
  END IF;
  IF level = 'course' THEN
    functions := courses;
    views := '{course_batches,course_batch_rows}';
  END IF;

  -- the role ends with exactly the level named, so a lower one than it had takes the difference away
  PERFORM snapback.revoke_all(role_id);
  FOR member IN
    SELECT m.kind, m.object, CASE m.kind WHEN 'FUNCTION' THEN 'EXECUTE' ELSE 'SELECT' END AS privilege
    FROM snapback.members() AS m
    WHERE (m.kind = 'FUNCTION' AND m.name = ANY (functions)) OR (m.kind = 'TABLE' AND m.name = ANY (views))
    ORDER BY m.kind, m.object
  LOOP
    EXECUTE format('GRANT %s ON %s %s TO %I', member.privilege, member.kind, member.object, role_name);
    granted := granted || format('%s ON %s %s', member.privilege, member.kind, member.object);
  END LOOP;
  RETURN granted;
END
$$;
COMMENT ON FUNCTION @extschema@.backup_grant(text, text) IS
'gives a role a level of rights, watch (look, verify), operate (watch, and create, delete, pin, and copy courses), restore (operate, and get
rows out of backups of tables that others own) or course (copy courses and nothing else), instead of the level it had; returns the privileges
granted. For superusers:
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
