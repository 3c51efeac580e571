\echo Use "CREATE EXTENSION pg_snapback_test" to load this file. \quit

-- the row writer and reader (src/sql/testing_values.cpp)

CREATE FUNCTION snapback_row_json(source regclass) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_row_json';

CREATE FUNCTION snapback_row_keys(source regclass, key smallint[]) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_row_keys';

CREATE FUNCTION snapback_value_form(type regtype) RETURNS text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_value_form';

CREATE FUNCTION snapback_row_roundtrip(source regclass, check_domains boolean DEFAULT true,
                                       OUT row_number bigint, OUT ok boolean, OUT problem text) RETURNS SETOF record
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_row_roundtrip';

CREATE FUNCTION snapback_row_read(source regclass, target regclass, lines text, check_domains boolean DEFAULT true) RETURNS SETOF text
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_row_read';

CREATE FUNCTION snapback_row_bench(source regclass, what text) RETURNS double precision
    LANGUAGE c STRICT AS 'MODULE_PATHNAME', 'snapback_row_bench';

-- the error boundary (src/sql/testing_boundary.cpp)

CREATE FUNCTION snapback_boundary_raise(kind text, nested boolean DEFAULT false) RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_boundary_raise';

CREATE FUNCTION snapback_boundary_swallow(kind text, times integer DEFAULT 1) RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_boundary_swallow';

CREATE FUNCTION snapback_boundary_left() RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_boundary_left';

-- due times of schedules (src/sql/testing_plans.cpp)

CREATE FUNCTION snapback_cron_due(schedule text, timezone text, after text, count integer) RETURNS text
    LANGUAGE c AS 'MODULE_PATHNAME', 'snapback_cron_due';
