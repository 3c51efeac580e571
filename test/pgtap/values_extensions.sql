-- Types of extensions: those that read what they write come back, the others are found out and refused by name.
SET client_min_messages = warning;
CREATE EXTENSION pg_snapback_test;
SELECT no_plan();

SELECT format('CREATE EXTENSION %I', name) FROM pg_available_extensions
WHERE name IN ('btree_gist', 'citext', 'cube', 'hstore', 'intarray', 'isn', 'ltree', 'pg_trgm', 'seg') ORDER BY name
\gexec
SELECT count(*) = 9 AS contrib FROM pg_extension WHERE extname IN ('btree_gist', 'citext', 'cube', 'hstore', 'intarray', 'isn', 'ltree', 'pg_trgm', 'seg')
\gset
\if :contrib

CREATE TABLE kept (c citext, ca citext[], h hstore, ha hstore[], l ltree, q lquery, tq ltxtquery, cu cube, s seg, qi query_int, i isbn13, e ean13, cd citext);
INSERT INTO kept VALUES ('Abc "x"', '{A,NULL,"b c"}', '"a b"=>"c\"d", n=>NULL', ARRAY['a=>1'::hstore, NULL], 'Top.Sub_1', '*.a{1,2}', 'a & !b', '(1,2),(3,0.1)', '1.5 .. 2.50', '1&!(2|3)', '978-0-393-04002-9',
                         '978-0-11-000533-1', ''), (repeat('É', 30000), '[0:0]={x}', '', '{}', '', '*', NULL, '(NaN)', '<1', NULL, NULL, NULL, NULL);
SELECT is((SELECT string_agg(problem, E'\n') FROM snapback_row_roundtrip('kept') WHERE NOT ok), NULL, 'types of contrib come back');
SELECT is(snapback_value_form('hstore[]'), '{"form":"array","element":{"form":"string"}}', 'form of an array of an extension''s type');

CREATE FUNCTION refusal(type regtype) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM snapback_value_form(type);
    RETURN NULL;
EXCEPTION WHEN feature_not_supported THEN
    RETURN SQLERRM;
END $$;
SELECT is(refusal(t.oid::regtype), 'cannot back up a column of type public.' || t.typname, t.typname || ' is refused')
FROM pg_type t WHERE t.typname IN ('gbtreekey4', 'gbtreekey8', 'gbtreekey16', 'gbtreekey32', 'gbtreekey_var', 'ghstore', 'gtrgm', 'ltree_gist', 'intbig_gkey');
SELECT is(refusal('gtrgm[]'), 'cannot back up a column of type public.gtrgm', 'arrays of them too');
CREATE TYPE holds_gtrgm AS (a integer, g gtrgm);
SELECT is(refusal('holds_gtrgm'), 'cannot back up a column of type public.gtrgm', 'and composites');
-- trying a type out leaves nothing behind
CREATE TABLE before_and_after (i integer);
BEGIN;
INSERT INTO before_and_after VALUES (1);
SELECT is(refusal('gtrgm'), 'cannot back up a column of type public.gtrgm', 'within a transaction');
SELECT ok(snapback_value_form('hstore') IS NOT NULL, 'hstore is tried out and taken');
INSERT INTO before_and_after VALUES (2);
COMMIT;
SELECT is(array_agg(i), '{1,2}', 'the transaction goes on') FROM before_and_after;

\else
SELECT pass('contrib is not installed');
\endif
SELECT finish();
