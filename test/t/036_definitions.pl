# Definitions through whole backups: what makes up a table (defaults, checks, generated columns, predicates, bounds of partitions, names) is written down under one session's settings and
# made anew under another's; what pg_dump says of the schema before and after is the same, byte for byte.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('definitions');

# Settings that the server writes or reads definitions by, as two sessions may have them. standard_conforming_strings comes beside, in every pair.
my @sessions = (
	"SET DateStyle = 'German, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; SET extra_float_digits = -15; SET search_path = odd, public;"
	  . 'SET quote_all_identifiers = on; SET backslash_quote = off; SET xmloption = document; SET array_nulls = off; SET transform_null_equals = on; SET escape_string_warning = on; SET check_function_bodies = off;'
	  . "SET default_toast_compression = 'lz4'; SET session_replication_role = replica; SET row_security = off; SET client_encoding = 'LATIN1'; SET default_table_access_method = other_heap;",
	"SET DateStyle = 'SQL, MDY'; SET TimeZone = 'America/St_Johns'; SET IntervalStyle = 'iso_8601'; SET extra_float_digits = 3; SET search_path = public; SET backslash_quote = on; SET xmlbinary = hex;"
	  . "SET escape_string_warning = off; SET client_encoding = 'SQL_ASCII'; SET row_security = on;");

$node->safe_psql('postgres', <<'END');
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE SCHEMA odd;
CREATE TYPE odd."m\d" AS ENUM ('a\b', 'c''\', '"');
CREATE SEQUENCE odd."s\q";
CREATE FUNCTION odd.slashes(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$SELECT pg_catalog.replace($1, chr(92), '/')$$;
CREATE TABLE odd.texts (
  id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  v text DEFAULT 'a\b' NOT NULL CHECK (v <> '\'),
  w text DEFAULT E'\\''\n\t' CONSTRAINT "w\'c" CHECK (w !~ '^\d+\\$' AND w <> ALL (ARRAY['\', '''', 'x\\y'])),
  g text GENERATED ALWAYS AS (odd.slashes(v || '\''')) STORED,
  "c\o'l" text DEFAULT '\\server\share',
  m odd."m\d" DEFAULT 'a\b',
  n integer DEFAULT nextval('odd."s\q"'),
  EXCLUDE USING btree (v WITH =) WHERE (w = 'only\this'));
CREATE INDEX "i\x" ON odd.texts (odd.slashes(w)) WHERE v <> '\' AND m <> 'c''\';
CREATE UNIQUE INDEX ON odd.texts (("c\o'l" || '\')) WHERE w LIKE '%\\%';
INSERT INTO odd.texts (v, w) SELECT 'r\' || g, NULL FROM generate_series(1, 20) g;
CREATE TABLE odd."p\t" (k text, day date, note text DEFAULT '\') PARTITION BY LIST (k);
CREATE TABLE odd.p1 PARTITION OF odd."p\t" FOR VALUES IN ('a\b', '\', 'c''\');
CREATE TABLE odd.p2 PARTITION OF odd."p\t" FOR VALUES IN ('\\', NULL);
INSERT INTO odd."p\t" VALUES ('a\b'), ('\'), ('c''\'), ('\\'), (NULL);
CREATE TABLE odd.ranges (at timestamptz, day date, f double precision) PARTITION BY RANGE (at, day);
CREATE TABLE odd.ranges_1 PARTITION OF odd.ranges FOR VALUES FROM ('2024-02-03 04:05:06.7+00', '2024-03-02') TO ('2026-10-11 12:13:14+05:45', MAXVALUE);
INSERT INTO odd.ranges VALUES ('2025-01-01 00:00+00', '2025-12-01', 0.1);
CREATE TABLE odd.others (
  id integer PRIMARY KEY,
  d date DEFAULT '2024-02-03', z timestamptz DEFAULT '2024-02-03 04:05:06.789+00', t time with time zone DEFAULT '04:05:06+05:45', i interval DEFAULT '1 year -2 days 03:04:05.6',
  f double precision DEFAULT 0.30000000000000004, r real DEFAULT '1e-45', b bytea DEFAULT '\x00ff5c27', bs bytea DEFAULT 'a\\b', a text[] DEFAULT '{NULL,"NULL","a\\b"}', x xml DEFAULT 'a<b/>c', m money DEFAULT '12.34',
  j jsonb DEFAULT '{"a\\b": "\\u0001"}', c "char" DEFAULT '\', dr daterange DEFAULT '[2024-02-03,2025-03-02)', rx regclass DEFAULT 'odd.texts', tx text COLLATE "C" DEFAULT 'ä\',
  CHECK (d > '0044-03-15 BC'), CHECK (z < 'infinity' AND i > '-178000000 years'), CHECK (f <> 1.7976931348623157e308), CHECK ((tx = NULL) IS NOT TRUE),
  CHECK (b <> '\x5c'::bytea AND a <> ARRAY[NULL, 'x\']), g text GENERATED ALWAYS AS ((id || E'\r\\') || '\') STORED);
CREATE INDEX ON odd.others (d) WHERE d > '2024-02-03' AND z < '2026-02-03 00:00+00' AND i < '1 day 02:00:00';
INSERT INTO odd.others (id) SELECT generate_series(1, 10);
END

# The schema as pg_dump shows it, without comments.
sub schema_of
{
	my ($schema) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/dump';
	my @command = ('pg_dump', '--schema-only', "--schema=$schema", '-f', $file, '-d', $node->connstr('postgres'));
	push @command, '--restrict-key=values' if `pg_dump --help` =~ /--restrict-key/;
	local %ENV = $node->_get_env;
	system_or_bail(@command);
	return join "\n", grep { !/^--|^$/ } split /\n/, slurp_file($file);
}

# The lines that differ, for a look at a failure.
sub differing
{
	my ($before, $after) = @_;
	my (%before, %after);
	$before{$_}++ for split /\n/, $before;
	$after{$_}++ for split /\n/, $after;
	return join "\n", (map { "was: $_" } grep { !$after{$_} } sort keys %before), (map { "is:  $_" } grep { !$before{$_} } sort keys %after);
}

my $rows = q(SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM odd.texts t UNION ALL SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM odd.others t UNION ALL SELECT md5(string_agg(tableoid::regclass::text || t::text, '|' ORDER BY t::text)) FROM odd."p\t" t);
my $before = schema_of('odd');
my $values = $node->safe_psql('postgres', $rows);
like($before, qr/'\\\\server\\share'/, 'pg_dump writes backslashes as they are');
my %definitions;
foreach my $backing (0, 1)
{
	foreach my $pair ([ 'on', 'on' ], [ 'on', 'off' ], [ 'off', 'on' ], [ 'off', 'off' ])
	{
		my ($then, $now) = @$pair;
		my $what = "backed up by session $backing with standard_conforming_strings $then, restored by the other with $now";
		my $taken = attempt($node, "$sessions[$backing] SET standard_conforming_strings = $then; SELECT id FROM public.backup_create('{odd.*}')");
		is_outcome($taken, '', $what) or next;
		my $id = $taken->{out};
		my $file = storage($node) . "/$id.json.zst";
		my ($schema) = grep { /^"schema":/ } split /\n/, `zstd -dc '$file' | head -n 5`;
		# tables stand in the order of their OIDs, which is another one when they are made anew
		$schema =~ s/"last_value":\d+,"is_called":\w+//g;
		$definitions{ join "\n", sort map { s/,$//r } split /(?=[{])/, $schema }++;
		# a dry run finds nothing that has changed
		my $notes = attempt($node, "$sessions[1 - $backing] SET standard_conforming_strings = $now; SELECT DISTINCT note FROM public.backup_restore('$id', dry_run => true) WHERE note <> ''");
		is_outcome($notes, '', 'a dry run under the other settings') and is($notes->{out}, '', 'sees no drift');
		$node->safe_psql('postgres', q(DROP TABLE odd.texts, odd."p\t", odd.ranges, odd.others; DROP SEQUENCE odd."s\q"; DROP TYPE odd."m\d"));
		is_outcome(attempt($node, "$sessions[1 - $backing] SET standard_conforming_strings = $now; SELECT count(*) FROM public.backup_restore('$id')"), '', 'made anew') or last;
		my $after = schema_of('odd');
		ok($after eq $before, 'pg_dump says the same of the schema') or diag(differing($before, $after));
		is($node->safe_psql('postgres', $rows), $values, 'and the rows are the same');
	}
}
is(scalar(keys %definitions), 1, 'every session wrote the same definitions into its backup') or diag(differing((sort keys %definitions)[ 0, 1 ]));

# beside the live tables: defaults use the copy's sequences, also those with a backslash in their names
$node->safe_psql('postgres', q(ALTER SEQUENCE odd."s\q" OWNED BY odd.texts.n));
my $copied = attempt($node, q(SET standard_conforming_strings = off; SELECT count(*) FROM backup_restore((backup_create('{odd.texts}')).id, into_schema => 'copy')));
is_outcome($copied, '', 'restored into another schema');
is($node->safe_psql('postgres', q(SELECT pg_get_expr(adbin, adrelid) FROM pg_attrdef d JOIN pg_attribute a ON attrelid = adrelid AND attnum = adnum WHERE adrelid = 'copy.texts'::regclass AND attname = 'n')),
	q(nextval('copy."s\q"'::regclass)), 'a default uses the sequence of the copy');

done_testing();
