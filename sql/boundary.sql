-- Every kind of error crosses the boundary between C++ and the server, outwards and through a callback, and leaves no object, no
-- captured error and no active exception behind.
CREATE EXTENSION pg_snapback_test;
\set SHOW_CONTEXT never
SELECT snapback_boundary_left();
SELECT snapback_boundary_raise('ereport');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('ereport', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('spi');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('spi', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('out of memory');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('cancel');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('cancel', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('error');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('error', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('log detail');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('bad_alloc');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('bad_alloc', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('exception');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('integer');
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_raise('integer', true);
\echo :LAST_ERROR_SQLSTATE
SELECT snapback_boundary_left();
-- swallowed where that is allowed, over and over
SELECT snapback_boundary_swallow('ereport', 2000);
SELECT snapback_boundary_swallow('error', 2000);
SELECT snapback_boundary_swallow('exception');
-- a cancel is never swallowed
SELECT snapback_boundary_swallow('cancel');
\echo :LAST_ERROR_SQLSTATE
-- inside PL/pgSQL's own exception blocks
DO $$
DECLARE
  kind text;
  caught int := 0;
BEGIN
  FOREACH kind IN ARRAY ARRAY['ereport', 'spi', 'out of memory', 'error', 'bad_alloc', 'exception', 'integer'] LOOP
    FOR i IN 1 .. 500 LOOP
      BEGIN
        PERFORM snapback_boundary_raise(kind, i % 2 = 0);
      EXCEPTION WHEN OTHERS THEN
        caught := caught + 1;
      END;
    END LOOP;
  END LOOP;
  RAISE NOTICE 'caught %', caught;
END
$$;
SELECT snapback_boundary_left();
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'pg_snapback captured error';
