-- After CREATE EXTENSION nobody but the owner reaches anything, whatever default privileges were set before.
\ir lib/attempt.psql
SELECT no_plan();

CALL tests.new_roles('anon', 'authenticated', 'service_role', 'rights_nobody', 'rights_member');
GRANT authenticated TO rights_member;

-- as Supabase does, and more of the kind
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON FUNCTIONS TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON SEQUENCES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TYPES TO anon, authenticated, service_role;
ALTER DEFAULT PRIVILEGES GRANT ALL ON FUNCTIONS TO anon WITH GRANT OPTION;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO authenticated;

CREATE EXTENSION pg_snapback;

-- that the defaults were in force at all
CREATE FUNCTION public.bystander() RETURNS integer LANGUAGE sql AS 'SELECT 1';
SELECT ok(has_function_privilege('anon', 'public.bystander()', 'EXECUTE'), 'a function of somebody else is open to anon');

CREATE TEMPORARY TABLE role_names AS
SELECT * FROM unnest('{anon,authenticated,service_role,rights_nobody,rights_member}'::text[]) AS role_name;

CREATE TEMPORARY TABLE members AS
SELECT d.classid::regclass::text AS catalog, d.objid
FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
WHERE e.extname = 'pg_snapback' AND d.deptype = 'e';

SELECT cmp_ok((SELECT count(*) FROM members WHERE catalog = 'pg_proc'), '>=', 15::bigint, 'the extension has functions');
SELECT is_empty($$
  SELECT catalog, objid FROM members WHERE catalog NOT IN ('pg_proc', 'pg_class', 'pg_type', 'pg_namespace')
$$, 'every member is of a kind that is looked at here');

SELECT is_empty($$
  SELECT r.role_name, m.objid::regprocedure FROM role_names r CROSS JOIN members m
  WHERE m.catalog = 'pg_proc' AND has_function_privilege(r.role_name, m.objid, 'EXECUTE')
$$, 'no function can be executed');
SELECT is_empty($$
  SELECT r.role_name, c.oid::regclass, p.privilege
  FROM role_names r CROSS JOIN members m JOIN pg_class c ON m.catalog = 'pg_class' AND c.oid = m.objid
  CROSS JOIN unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) AS p (privilege)
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_table_privilege(r.role_name, c.oid, p.privilege)
$$, 'no table or view can be read or written');
SELECT is_empty($$
  SELECT r.role_name, c.oid::regclass, p.privilege
  FROM role_names r CROSS JOIN members m JOIN pg_class c ON m.catalog = 'pg_class' AND c.oid = m.objid
  CROSS JOIN unnest('{SELECT,INSERT,UPDATE,REFERENCES}'::text[]) AS p (privilege)
  WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND has_any_column_privilege(r.role_name, c.oid, p.privilege)
$$, 'nor any column of one');
SELECT is_empty($$
  SELECT r.role_name, c.oid::regclass, p.privilege
  FROM role_names r CROSS JOIN members m JOIN pg_class c ON m.catalog = 'pg_class' AND c.oid = m.objid AND c.relkind = 'S'
  CROSS JOIN unnest('{USAGE,SELECT,UPDATE}'::text[]) AS p (privilege)
  WHERE has_sequence_privilege(r.role_name, c.oid, p.privilege)
$$, 'no sequence can be used');
SELECT is_empty($$
  SELECT r.role_name, t.oid::regtype FROM role_names r CROSS JOIN pg_type t
  WHERE t.oid IN (SELECT objid FROM members WHERE catalog = 'pg_type'
                  UNION ALL SELECT c.reltype FROM members m JOIN pg_class c ON m.catalog = 'pg_class' AND c.oid = m.objid)
    AND t.typcategory <> 'A'
    AND EXISTS (SELECT 1 FROM aclexplode(t.typacl) g WHERE g.grantee = r.role_name::regrole)
$$, 'no type is granted to them: the USAGE that PUBLIC has on every type opens nothing');
SELECT is_empty($$
  SELECT r.role_name, m.objid::regnamespace, p.privilege FROM role_names r CROSS JOIN members m
  CROSS JOIN unnest('{USAGE,CREATE}'::text[]) AS p (privilege)
  WHERE m.catalog = 'pg_namespace' AND has_schema_privilege(r.role_name, m.objid, p.privilege)
$$, 'the internal schema cannot be used');

-- the lists of privileges themselves: a null one would mean the built-in default, which lets PUBLIC in
SELECT is_empty($$
  SELECT m.catalog, m.objid, x.grantee, x.privilege_type
  FROM members m
  CROSS JOIN LATERAL (
    SELECT coalesce(p.proacl, acldefault('f', p.proowner)) AS acl, p.proowner AS owner FROM pg_proc p WHERE m.catalog = 'pg_proc' AND p.oid = m.objid
    UNION ALL
    SELECT coalesce(c.relacl, acldefault('r', c.relowner)), c.relowner FROM pg_class c WHERE m.catalog = 'pg_class' AND c.oid = m.objid
    UNION ALL
    SELECT t.typacl, t.typowner FROM pg_type t WHERE m.catalog = 'pg_type' AND t.oid = m.objid AND t.typcategory <> 'A'
    UNION ALL
    SELECT coalesce(n.nspacl, acldefault('n', n.nspowner)), n.nspowner FROM pg_namespace n WHERE m.catalog = 'pg_namespace' AND n.oid = m.objid
  ) a
  CROSS JOIN LATERAL aclexplode(a.acl) x
  WHERE x.grantee <> a.owner
$$, 'no privilege of a member names anybody but its owner');

-- what a person would try
SELECT is(tests.attempt('anon', 'SELECT * FROM backup_list()'), '42501 permission denied for function backup_list', 'anon cannot list');
SELECT is(tests.attempt('anon', 'SELECT * FROM backups'), '42501 permission denied for view backups', 'nor read the view');
SELECT is(tests.attempt('service_role', 'SELECT * FROM backup_create()'), '42501 permission denied for function backup_create',
          'service_role cannot create');
SELECT is(tests.attempt('authenticated', $$SELECT * FROM backup_restore('latest')$$), '42501 permission denied for function backup_restore',
          'authenticated cannot restore');
SELECT is(tests.attempt('rights_member', $$SELECT backup_grant('rights_member', 'restore')$$),
          '42501 permission denied for function backup_grant', 'nobody gives himself rights');
SELECT is(tests.attempt('rights_nobody', 'SELECT snapback.may_restore()'), '42501 permission denied for schema snapback',
          'the internal schema is closed');
SELECT is(tests.attempt('rights_nobody', 'TABLE backup_progress'), '42501 permission denied for view backup_progress', 'so is the progress');

-- every function, view and type says what it is for
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM members m JOIN pg_proc p ON m.catalog = 'pg_proc' AND p.oid = m.objid
  WHERE coalesce(obj_description(p.oid, 'pg_proc'), '') = ''
$$, 'every function has a comment');
SELECT is_empty($$
  SELECT c.oid::regclass FROM members m JOIN pg_class c ON m.catalog = 'pg_class' AND c.oid = m.objid
  WHERE c.relkind <> 'c' AND coalesce(obj_description(c.oid, 'pg_class'), '') = ''
$$, 'every view has a comment');
SELECT is_empty($$
  SELECT t.oid::regtype FROM members m JOIN pg_type t ON m.catalog = 'pg_type' AND t.oid = m.objid
  LEFT JOIN pg_class c ON c.oid = t.typrelid
  WHERE t.typcategory <> 'A' AND (c.oid IS NULL OR c.relkind = 'c') -- from 17 on the row types of tables and views are members too
    AND coalesce(obj_description(t.oid, 'pg_type'), '') = ''
$$, 'every type has a comment');

-- shapes that gateways and Prisma need
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM members m JOIN pg_proc p ON m.catalog = 'pg_proc' AND p.oid = m.objid
  WHERE p.pronamespace = 'public'::regnamespace
    AND (p.prokind <> 'f' OR p.prorettype IN ('void'::regtype, 'interval'::regtype) OR 'interval'::regtype = ANY (p.proallargtypes)
         OR p.proparallel <> 'u' OR p.proisstrict)
$$, 'functions, no void and no interval, parallel unsafe, called with nulls too');
SELECT is_empty($$
  SELECT p.oid::regprocedure, a.name FROM members m JOIN pg_proc p ON m.catalog = 'pg_proc' AND p.oid = m.objid
  CROSS JOIN LATERAL unnest(p.proargnames) AS a (name)
  WHERE p.pronamespace = 'public'::regnamespace AND a.name IN ('select', 'order', 'limit', 'offset', 'columns', 'and', 'or', 'not')
$$, 'no argument is called like a word of a gateway''s query');
SELECT set_eq($$
  SELECT p.proname::text FROM members m JOIN pg_proc p ON m.catalog = 'pg_proc' AND p.oid = m.objid
  WHERE p.pronamespace = 'public'::regnamespace AND p.provolatile = 's'
$$, ARRAY['backup_checklist', 'backup_compare', 'backup_download', 'backup_health', 'backup_list', 'backup_show', 'course_export', 'course_profile_check', 'course_profile_suggest', 'course_report', 'graph_export', 'graph_profile_check',
         'graph_profile_suggest'], 'these are stable, so that a GET reaches them');
SELECT is_empty($$
  SELECT p.oid::regprocedure FROM members m JOIN pg_proc p ON m.catalog = 'pg_proc' AND p.oid = m.objid
  WHERE p.prosecdef AND NOT coalesce(p.proconfig @> '{"search_path=pg_catalog, pg_temp"}', false)
$$, 'what runs with the definer''s rights has a fixed search_path');
SELECT is_empty($$
  SELECT c.oid::regclass FROM pg_class c JOIN members m ON m.catalog = 'pg_class' AND m.objid = c.oid
  WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace
$$, 'no table is made in the user''s schema');

-- another schema, and away again without a trace
DROP EXTENSION pg_snapback;
SELECT hasnt_schema('snapback', 'DROP EXTENSION takes the internal schema along');
CREATE SCHEMA "Odd name";
CREATE EXTENSION pg_snapback SCHEMA "Odd name";
SELECT has_function('Odd name'::name, 'backup_list'::name, 'it can be installed in a schema with an odd name');
SELECT ok(NOT has_function_privilege('anon', '"Odd name".backup_list()', 'EXECUTE'), 'where anon reaches nothing either');
SELECT is(tests.attempt($$SELECT "Odd name".backup_grant('rights_nobody')$$),
          '55000 role "rights_nobody" may not use schema "Odd name", in which the functions are', 'a right that would be of no use is refused');
SELECT is(tests.hint(), 'First: GRANT USAGE ON SCHEMA "Odd name" TO rights_nobody', 'and the hint says what to do');
GRANT USAGE ON SCHEMA "Odd name" TO rights_nobody;
SELECT is(tests.attempt($$SELECT "Odd name".backup_grant('rights_nobody')$$), 'ok', 'rights are given in that schema');
SELECT ok(has_function_privilege('rights_nobody', '"Odd name".backup_list()', 'EXECUTE'), 'and are there');
DROP EXTENSION pg_snapback;

-- somebody who may create schemas does not lay hands on the internals beforehand
CREATE SCHEMA snapback AUTHORIZATION rights_nobody;
SELECT is(tests.attempt('CREATE EXTENSION pg_snapback'), '42P06 schema "snapback" already exists', 'a schema that is there is not taken over');
DROP SCHEMA snapback;

SELECT * FROM finish();
