-- backup_grant and backup_revoke: what each level holds, and that a role ends with exactly the level named.
\ir lib/attempt.psql
SELECT no_plan();
CREATE EXTENSION pg_snapback;

CALL tests.new_roles('levels_app', 'levels_other', 'Levels Odd"Name', 'levels_boss');
ALTER ROLE levels_boss SUPERUSER;

CREATE FUNCTION tests.reached(role_name text) RETURNS SETOF text
LANGUAGE sql AS $$
  SELECT p.proname::text
  FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_snapback' AND d.deptype = 'e'
  JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid
  WHERE has_function_privilege(role_name, p.oid, 'EXECUTE')
  UNION ALL
  SELECT 'view ' || c.relname
  FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND e.extname = 'pg_snapback' AND d.deptype = 'e'
  JOIN pg_class c ON d.classid = 'pg_class'::regclass AND c.oid = d.objid AND c.relkind = 'v'
  WHERE has_table_privilege(role_name, c.oid, 'SELECT')
  ORDER BY 1
$$;

CREATE TEMPORARY TABLE watch AS
SELECT unnest('{backup_cancel,backup_compare,backup_download,backup_list,backup_restore,backup_show,backup_start,backup_verify,progress_of_all,
                history,run_crashed,backup_health,backup_checklist,current_alerts,current_metrics,last_good_backups,view backup_alerts,view backup_metrics,view backup_plans,view backup_progress,view backup_runs,view backup_slots,view backups}'::text[]) AS name;
-- course_export takes three types of ids
CREATE TEMPORARY TABLE course AS
SELECT unnest('{course_export,course_export,course_export,course_import,course_undo,course_report,course_profile_check,course_profile_suggest,graph_export,graph_import,graph_undo,graph_profile_check,
               graph_profile_suggest,view course_batches,view course_batch_rows}'::text[]) AS name;
CREATE TEMPORARY TABLE operate AS
SELECT name FROM watch
UNION ALL SELECT name FROM course
UNION ALL SELECT unnest('{backup_before,backup_create,backup_delete,backup_pin,backup_unpin,backup_schedule,backup_unschedule,backup_prune,backup_run,backup_run_due,may_operate}'::text[]);
CREATE TEMPORARY TABLE restore AS
SELECT name FROM operate UNION ALL SELECT 'may_restore';

SELECT is_empty($$SELECT * FROM tests.reached('levels_app')$$, 'nothing to begin with');

SELECT is(backup_grant('levels_app') @> '{EXECUTE ON FUNCTION public.backup_list(),SELECT ON TABLE public.backups}', true,
          'the result names what was granted');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM watch', 'watch is the default');
SELECT is(array_length(backup_grant('levels_app', 'operate'), 1), (SELECT count(*)::integer FROM operate), 'operate grants as much as it holds');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM operate', 'operate is watch and more');
SELECT ok(NOT has_schema_privilege('levels_app', 'snapback', 'USAGE'), 'without the internal schema');
SELECT is(array_length(backup_grant('levels_app', level => 'restore'), 1), (SELECT count(*)::integer FROM restore), 'restore grants as much as it holds');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM restore', 'restore is operate and more');
SELECT set_eq($$SELECT unnest(backup_grant('levels_app', 'restore'))$$, $$SELECT unnest(backup_grant('levels_app', 'restore'))$$,
              'granting twice is granting once');
SELECT is(array_length(backup_grant('levels_app', 'course'), 1), (SELECT count(*)::integer FROM course), 'course grants as much as it holds');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM course', 'course is about courses only');
SELECT is(array_length(backup_grant('levels_app', 'watch'), 1), (SELECT count(*)::integer FROM watch), 'a lower level');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM watch', 'takes the difference away');
SELECT is_empty($$SELECT * FROM tests.reached('levels_other')$$, 'another role has nothing of it');

SELECT is(array_length(backup_revoke('levels_app'), 1), (SELECT count(*)::integer FROM watch), 'revoke names what it took');
SELECT is_empty($$SELECT * FROM tests.reached('levels_app')$$, 'and took all of it');
SELECT is(backup_revoke('levels_app'), '{}', 'revoking from a role that has nothing is no error');

SELECT is(backup_grant('levels_other', 'restore') IS NOT NULL, true, 'from level restore');
SELECT is(array_length(backup_revoke('levels_other'), 1), (SELECT count(*)::integer FROM restore), 'everything goes at once');
SELECT is_empty($$SELECT * FROM tests.reached('levels_other')$$, 'nothing is left');

-- what somebody granted by hand goes as well
GRANT EXECUTE ON FUNCTION backup_pin(text) TO levels_other;
GRANT SELECT (id) ON backups TO levels_other;
GRANT USAGE ON SCHEMA snapback TO levels_other;
SELECT set_eq($$SELECT unnest(backup_revoke('levels_other'))$$,
              ARRAY['EXECUTE ON FUNCTION public.backup_pin(text)', 'SELECT ON TABLE public.backups', 'USAGE ON SCHEMA snapback'],
              'grants made by hand are found');
SELECT ok(NOT has_any_column_privilege('levels_other', 'backups', 'SELECT') AND NOT has_schema_privilege('levels_other', 'snapback', 'USAGE'),
          'and taken back');

-- a grant of somebody else's is not passed over in silence
GRANT EXECUTE ON FUNCTION backup_list() TO levels_app WITH GRANT OPTION;
SET ROLE levels_app;
GRANT EXECUTE ON FUNCTION backup_list() TO levels_other;
RESET ROLE;
SELECT is(tests.attempt($$SELECT backup_revoke('levels_other')$$),
          '55000 EXECUTE on function public.backup_list() was granted to role "levels_other" by another role', 'a grant by another role is named');
SELECT is(tests.detail(), 'It was granted by role "levels_app".', 'with who gave it');
SELECT is(backup_revoke('levels_app'), '{EXECUTE ON FUNCTION public.backup_list()}', 'taking it from who gave it');
SELECT is(backup_revoke('levels_other'), '{}', 'takes it from all');

SELECT is(array_length(backup_grant('Levels Odd"Name', 'operate'), 1), (SELECT count(*)::integer FROM operate), 'names of roles are quoted');
SELECT is(array_length(backup_revoke('Levels Odd"Name'), 1), (SELECT count(*)::integer FROM operate), 'both ways');

-- the owner of the extension never loses anything
SELECT isnt(backup_grant(current_user::text), NULL, 'granting to the owner is harmless');
SELECT is(backup_revoke(current_user::text), '{}', 'nothing is revoked from the owner');
SELECT ok((SELECT proacl @> ARRAY[makeaclitem(proowner, proowner, 'EXECUTE', false)] FROM pg_proc WHERE oid = 'backup_list()'::regprocedure),
          'who keeps his own privileges');

-- members have what their group has
GRANT levels_app TO levels_other;
SELECT isnt(backup_grant('levels_app', 'operate'), NULL, 'a group is granted operate');
SELECT set_eq($$SELECT * FROM tests.reached('levels_other')$$, 'SELECT name FROM operate', 'its members have it');

-- who may
SELECT is(tests.attempt('levels_app', $$SELECT backup_grant('levels_app', 'restore')$$), '42501 permission denied for function backup_grant',
          'operate does not grant');
GRANT EXECUTE ON FUNCTION backup_grant(text, text), backup_revoke(text) TO levels_other;
SELECT is(tests.attempt('levels_other', $$SELECT backup_grant('levels_other', 'restore')$$), '42501 permission denied for schema snapback',
          'nor does EXECUTE alone');
GRANT EXECUTE ON FUNCTION snapback.check_role(text), snapback.revoke_all(oid), snapback.members() TO levels_other;
GRANT USAGE ON SCHEMA snapback TO levels_other;
SELECT is(tests.attempt('levels_other', $$SELECT backup_grant('levels_other', 'restore')$$),
          '42501 permission denied to grant or revoke rights on backups', 'nor with everything at hand');
SELECT is(tests.hint(), 'Ask a superuser to call the function.', 'the hint says who can');
SELECT is(tests.attempt('levels_boss', $$SELECT backup_grant('levels_other', 'watch')$$), 'ok', 'another superuser may');

-- bad input
SELECT is(tests.attempt($$SELECT backup_grant('levels_missing')$$), '42704 role "levels_missing" does not exist', 'unknown role');
SELECT is(tests.attempt($$SELECT backup_revoke('levels_missing')$$), '42704 role "levels_missing" does not exist', 'unknown role to revoke from');
SELECT is(tests.attempt($$SELECT backup_grant('LEVELS_APP')$$), '42704 role "LEVELS_APP" does not exist', 'names of roles are not folded');
SELECT is(tests.hint(), 'Names of roles are taken as written, upper and lower case apart.', 'and the hint says so');
SELECT is(tests.attempt($$SELECT backup_grant('levels_app', 'admin')$$), '22023 unknown level "admin"', 'unknown level');
SELECT is(tests.hint(), 'Levels are watch, operate, restore and course.', 'with the levels in the hint');
SELECT is(tests.attempt($$SELECT backup_grant('public')$$), '22023 rights on backups are not granted to PUBLIC', 'not to PUBLIC');
SELECT is(tests.attempt($$SELECT backup_grant(NULL)$$), '22023 argument "role_name" must not be null', 'null role');
SELECT is(tests.attempt($$SELECT backup_grant('levels_app', NULL)$$), '22023 argument "level" must not be null', 'null level');
SELECT is(tests.attempt($$SELECT backup_revoke(NULL)$$), '22023 argument "role_name" must not be null', 'null role to revoke from');
SELECT set_eq($$SELECT * FROM tests.reached('levels_app')$$, 'SELECT name FROM operate', 'after all these errors the level is as it was');

BEGIN READ ONLY;
SELECT is(tests.attempt($$SELECT backup_grant('levels_app', 'watch')$$), '25006 cannot execute REVOKE in a read-only transaction',
          'a read-only transaction grants nothing');
COMMIT;

SELECT * FROM finish();
