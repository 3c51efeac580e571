/* pg_snapback--1.0.0.sql: everything of version 1.0.0 */

-- complain if script is sourced in psql, rather than via CREATE EXTENSION
\echo Use "CREATE EXTENSION pg_snapback" to load this file. \quit

-- What users call lies in the schema they install the extension in (@extschema@); what only the extension needs lies in schema
-- "snapback". Nobody needs USAGE on "snapback": views find its functions by OID, and the C code asks for privileges by OID.

CREATE SCHEMA snapback;
COMMENT ON SCHEMA snapback IS 'internals of the extension pg_snapback; nothing here is meant to be called directly';

