-- The road of a course through a REST gateway over SQL: export, analyse, read the report, apply, find the draft, undo.
\ir lib/attempt.psql
\ir lib/document.psql
\ir lib/gateway.psql
SET client_min_messages = warning;
\ir ../data/course_snake.sql
\set VERBOSITY terse
CREATE EXTENSION IF NOT EXISTS pgtap;
SELECT no_plan();
CREATE EXTENSION pg_snapback;
CALL tests.new_roles('gateway_manager', 'gateway_student');
SELECT course_profile(fixture_profile()) ->> 'root' AS root \gset
SELECT isnt(backup_grant('gateway_manager', 'course'), NULL, 'the role of the managers');
GRANT SELECT, INSERT, DELETE ON ALL TABLES IN SCHEMA public TO gateway_manager;
REVOKE INSERT, DELETE ON users FROM gateway_manager;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO gateway_manager;
GRANT USAGE ON SCHEMA tests TO gateway_manager;
\set role gateway_manager

-- GET export
\set method GET
\set function graph_export
\set args '{"profile": "course", "id": "40"}'
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET export' || :'why');
SELECT json_build_object('doc', :'body'::json -> 0 -> 'call', 'context', tests.context()) AS args,
       json_build_object('doc', :'body'::json -> 0 -> 'call', 'context', tests.context(), 'dry_run', false) AS apply_args \gset

-- GET analyse
\set function course_import
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET import is a dry run' || :'why');
SELECT is(:'body'::json -> 0 -> 'call' ->> 'error_count', '0', 'without errors');
SELECT json_build_object('report', :'body'::json -> 0 -> 'call') AS report_args \gset
SELECT :'args' AS analyse_args \gset
\set args :report_args
\set function course_report
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'GET report' || :'why');
SELECT ok((SELECT bool_and(r ->> 'severity' IS NOT NULL AND r ->> 'code' IS NOT NULL AND (r ->> 'count')::integer > 0) FROM json_array_elements(:'body'::json) AS r), 'the report as rows');

-- POST apply; a GET does not
\set args :apply_args
\set function course_import
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '25006 cannot execute course_import() in a read-only transaction', 'GET import with dry_run false');
\set method POST
\ir lib/call.psql
SELECT is(:'state'::text, '00000', 'POST import' || :'why');
SELECT is(:'body'::json -> 0 -> 'call' ->> 'applied', 'true', 'applied');
SELECT :'body'::json -> 0 -> 'call' ->> 'root_key' AS new_id, :'body'::json -> 0 -> 'call' ->> 'batch_id' AS batch \gset
SELECT is((SELECT status::text FROM courses WHERE id = :'new_id'), 'draft', 'the new course is a draft');

-- undo
SELECT json_build_object('batch', :'batch') AS args, json_build_object('batch', :'batch', 'dry_run', false) AS apply_args \gset
\set method GET
\set function course_undo
\ir lib/call.psql
SELECT is(:'body'::json -> 0 -> 'call' ->> 'applied', 'false', 'GET undo is a dry run');
\set args :apply_args
\set method POST
\set function graph_undo
\ir lib/call.psql
SELECT is(:'body'::json -> 0 -> 'call' ->> 'applied', 'true', 'POST undo' || :'why');

-- somebody else, and a body that is none
\set role gateway_student
\set function course_import
\set args :analyse_args
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '42501 permission denied for function course_import', 'who may not');
\set role gateway_manager
\set args '{"doc": {"format": "other"}}'
\ir lib/call.psql
SELECT is(:'state' || ' ' || :'why', '22023 the document is not an export of this extension', 'a body that is no document');
SELECT * FROM finish();
