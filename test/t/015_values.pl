# Values through whole backups: taken under one set of the settings that change text forms, restored under another, in both directions, in databases of every
# kind of encoding; what pg_dump says of the rows and of the schema before and after is the same, byte for byte. Names and labels beyond ASCII are in 037_encodings.pl.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# money is written otherwise where R$ is the currency: a locale of our own making
my $locales = PostgreSQL::Test::Utils::tempdir_short();
system("localedef -i pt_BR -f UTF-8 $locales/pt_BR.UTF-8") == 0 or die 'localedef cannot make a locale: is Debian\'s package "locales" installed?';
$ENV{LOCPATH} = $locales;
my $node = new_server('values', bare => 1);

# two sessions that agree in nothing; each has a client encoding of its own, too
my $here = "SET DateStyle = 'German, DMY'; SET TimeZone = 'Asia/Kathmandu'; SET IntervalStyle = 'sql_standard'; SET bytea_output = 'escape'; SET extra_float_digits = -15;"
  . "SET lc_monetary = 'C'; SET search_path = odd, public; SET quote_all_identifiers = on; SET standard_conforming_strings = off; SET backslash_quote = on; SET xmloption = document; SET array_nulls = off;";
my $there = "SET DateStyle = 'SQL, MDY'; SET TimeZone = 'America/St_Johns'; SET IntervalStyle = 'iso_8601'; SET bytea_output = 'hex'; SET extra_float_digits = 3;"
  . "SET lc_monetary = 'pt_BR.UTF-8'; SET search_path = public; SET quote_all_identifiers = off; SET xmloption = content; SET xmlbinary = hex;";

# Every type of the catalog that a column can have and whose input takes some text of ours: alone, in an array, in a domain, in a composite and in an array of those.
my $tables = <<'END';
SET client_min_messages = error;
CREATE SCHEMA odd;
CREATE TABLE samples (value text);
INSERT INTO samples SELECT v FROM unnest(ARRAY['', ' ', '0', '1', '-1', '-0', 't', 'f', 'NaN', 'Infinity', '-Infinity', '0.1', '1.5', '-1.50', '3.4028235e38', '1e-45', '5e-324', '1.7976931348623157e308', '0.30000000000000004',
  '32767', '-32768', '2147483647', '-2147483648', '9223372036854775807', '-9223372036854775808', '9007199254740993', '18446744073709551615', repeat('9', 1000) || '.' || repeat('1', 1000), '0.' || repeat('0', 1000) || '1',
  '92233720368547758.07', '-92233720368547758.08', '2024-02-29', '0044-03-15 BC', '5874897-12-31', 'infinity', '-infinity', '2026-11-22 01:02:03.456789', '2026-11-22 01:02:03.456789+05:45', '0001-12-31 23:59:59.9+00 BC',
  '24:00:00', '23:59:59.999999-15:59', '1 year 2 mons -3 days 04:05:06.789', '-178000000 years', '\x00ff5c27', '{}', '[]', 'null', '{"a": 1, "a":  2}', E'[1 ,\n 2]', '1e400', '{"b": [1, {"c": null}], "$hex": "00"}',
  '$.a[*] ? (@.b > 1)', '<a b="c">&amp;</a>', '(0,0)', '(NaN,Infinity)', '[(0,0),(1,0.1)]', '((0,0),(1,1))', '(0.3,Infinity),(0.1,-0)', '{1,-1,0}', '<(0.1,-1),1e10>', '08:00:2b:01:02:03', '08:00:2b:01:02:03:04:05',
  '192.168.0.1/24', '10.0.0.0/8', '2001:db8::/32', '10101', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', '16/B374D848', '(4294967295,65535)', '''a'':1A ''b c'':2,3B', '''a'' & !''b c'' | ''d'':*AB', '10:20:10,14,15', 'empty', '[1,5)',
  '(,)', '[1.50,2.500]', '["0044-03-15 BC",infinity)', '{[1,5),[7,9)}', '{[2000-01-01,2000-02-01)}', '1 -2 3', 'pg_class', 'integer', 'now', 'abs(integer)', '+(integer,integer)', 'public', 'simple', '-', '=r/pg_monitor',
  E'a\tb\nc\rd\be\f\x01\x1f\x7f', E'\\', E'\\N', '"', '''', 'Zé']) AS v;
CREATE FUNCTION takes(type oid, value text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
  EXECUTE format('SELECT $1::%s', type::regtype) USING value;
  RETURN true;
EXCEPTION WHEN OTHERS THEN
  RETURN false;
END $$;
DO $$
DECLARE
  type record; n text;
BEGIN
  FOR type IN SELECT t.oid, t.typname FROM pg_type t JOIN pg_proc p ON p.oid = t.typinput
               WHERE t.typtype IN ('b', 'r', 'm') AND p.proname <> 'array_in' AND t.typnamespace = 'pg_catalog'::regnamespace AND t.typname NOT IN ('pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', 'gtsvector', 'unknown')
                 AND t.oid < 16384 LOOP
    -- char and bit without a length mean length 1
    n := CASE type.typname WHEN 'bpchar' THEN 'character(7)' WHEN 'bit' THEN 'bit(5)' ELSE type.oid::regtype::text END;
    EXECUTE format('CREATE DOMAIN odd.%I AS %s', 'd_' || type.typname, n);
    EXECUTE format('CREATE TYPE odd.%I AS (a %s, b text, c odd.%I)', 'c_' || type.typname, n, 'd_' || type.typname);
    EXECUTE format('CREATE DOMAIN odd.%I AS odd.%I[] CHECK (cardinality(VALUE) < 9)', 'dc_' || type.typname, 'c_' || type.typname);
    EXECUTE format('CREATE TABLE odd.%I (id integer PRIMARY KEY, v %s, d odd.%3$I, a %2$s[], c odd.%4$I, ac odd.%4$I[], dc odd.%5$I)', 'T ' || type.typname, n, 'd_' || type.typname, 'c_' || type.typname, 'dc_' || type.typname);
    EXECUTE format('INSERT INTO odd.%1$I SELECT row_number() OVER (), value::%2$s, value::%2$s, CASE WHEN %3$L NOT LIKE ''%%vector'' THEN ARRAY[value::%2$s, NULL] END, ROW(value::%2$s, NULL, value::%2$s)::odd.%4$I, ARRAY[ROW(value::%2$s, ''"'', NULL), NULL]::odd.%4$I[],
                           ARRAY[ROW(value::%2$s, ''{}'', value::%2$s)]::odd.%4$I[] FROM public.samples WHERE public.takes(%5$s, value)',
      'T ' || type.typname, n, type.typname, 'c_' || type.typname, type.oid);
    EXECUTE format('INSERT INTO odd.%I (id) VALUES (0)', 'T ' || type.typname);
  END LOOP;
END $$;
CREATE TYPE odd.mood AS ENUM ('ok', 'it''s', '"q"', 'a,b', ' ', 'Ä');
CREATE TABLE odd.more (id integer PRIMARY KEY, mood odd.mood, moods odd.mood[], grid integer[][], low integer[], n numeric(20, 7), vc varchar(3), ts timestamptz(2), iv interval day to second(1), note text COLLATE "C");
INSERT INTO odd.more VALUES (1, 'it''s', '{"\"q\"","a,b",NULL," "}', '{{1,2},{3,NULL}}', '[-3:-1]={1,2,3}', 1.5, 'abc', '2026-01-01 00:00:00.129', '1 2:03:04.56', E'\x01'), (2, NULL, '{}', '{}', '{NULL}', -0.0000001, '', '-infinity', '0', ''),
  (3, 'Ä', NULL, NULL, NULL, 'NaN', NULL, NULL, NULL, NULL);
INSERT INTO odd.more (id, n) SELECT 1000 + g, (random() * 1e12)::numeric(20, 7) FROM generate_series(1, 500) g;
-- values that nobody thought of
CREATE TABLE odd.random AS SELECT g AS id, (random() * 65535 - 32768)::int::smallint AS i2, ((random() - 0.5) * 2.0 ^ (g % 31))::int AS i4, ((random() - 0.5) * 2.0 ^ (g % 63))::bigint AS i8,
  ((random() - 0.5) * 10.0 ^ (g % 70 - 35))::real AS f4, ((random() - 0.5) * 10.0 ^ (g % 600 - 300)) AS f8, round((random()::numeric - 0.5) * 10::numeric ^ (g % 40), g % 30) AS n, random() < 0.5 AS b,
  (random() * 1e9)::bigint::money AS m, (SELECT string_agg(chr(1 + (random() * 126)::int), '') FROM generate_series(1, g % 40 + (random() * 3)::int)) AS t, decode(md5(random()::text), 'hex') AS by,
  date '2000-01-01' + ((random() - 0.5) * 1400000)::int AS d, timestamp '2000-01-01' + (random() - 0.5) * 1e10 * interval '1 s' AS ts, timestamptz '2000-01-01 00:00+00' + (random() - 0.5) * 1e11 * interval '1 s' AS tz,
  time '00:00' + random() * interval '1 day' AS ti, timetz '00:00+00' + random() * interval '1 day' AS ttz, make_interval((random() * 100 - 50)::int, (random() * 40 - 20)::int, 0, (random() * 99 - 50)::int, (random() * 50 - 25)::int, 0, random() * 100 - 50) AS iv,
  md5(random()::text)::uuid AS u, set_masklen(inet '0.0.0.0' + (random() * 4294967295)::bigint, g % 33) AS ip, int8range((random() * 1e9)::bigint - 1000000000, (random() * 1e9)::bigint, '[]') AS r, nummultirange(numrange(0, random()::numeric), numrange(2, 2 + random()::numeric)) AS mr,
  point(random() * 10.0 ^ (g % 200 - 100), -random()) AS p, ((random() * 2147483647)::int::bit(32))::bit varying AS vb, jsonb_build_object('a', random(), 'b', ARRAY[md5(random()::text), NULL], 'c', (random() - 0.5)::numeric * 10::numeric ^ (g % 100)) AS j,
  to_tsvector('simple', md5(random()::text) || ' ' || md5(random()::text)) AS tv, ('0/' || to_hex((random() * 2147483647)::int))::pg_lsn AS lsn, ((random() * 2147483647)::bigint::text)::xid8 AS x8, ARRAY[random()::real, NULL, -random()::real] AS fa, ((random() * 255 - 128)::int)::"char" AS c
  FROM generate_series(1, 400) g;
ALTER TABLE odd.random ADD PRIMARY KEY (id);
CREATE TABLE odd.documents (id integer PRIMARY KEY, j json, jb jsonb);
INSERT INTO odd.documents VALUES (1, E'{\n  "a" : 1,\n\t"a" : 2 ,"": [ ]}\n\n', '{"a": 2, "": []}'), (2, NULL, NULL), (3, 'null', 'null'), (4, (repeat('[', 500) || repeat(']', 500))::json, (repeat('{"k":', 500) || 'null' || repeat('}', 500))::jsonb),
  (5, '1e400', '1e400'), (6, '"\u0000\ud83d"', '"\u007f\u001f"'), (7, '-0', '-0.00'), (8, '[1E5, 0.10 ]', '[1E5, 0.10, 12345678901234567890123456789012345678901234567890.5]');
CREATE TABLE odd.floats (id integer PRIMARY KEY, f double precision, r real);
INSERT INTO odd.floats SELECT g, (random() - 0.5) * 10.0 ^ (random() * 600 - 300), ((random() - 0.5) * 10.0 ^ (random() * 60 - 30))::real FROM generate_series(1, 2000) g;
END

# What pg_dump says of a database: the schema, and the rows sorted, without comments and what differs from call to call.
sub dumped
{
	my ($database) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/dump';
	my @command = ('pg_dump', '--schema=odd', '-f', $file, '-d', $node->connstr($database));
	my $help = `pg_dump --help`;
	push @command, '--restrict-key=values' if $help =~ /--restrict-key/;
	local %ENV = $node->_get_env;
	system_or_bail(@command);
	# one line for each row, beside the name of its table
	my ($table, @rows) = ('');
	foreach my $line (split /\n/, slurp_file($file))
	{
		next if $line =~ /^--|^$|^SET |^SELECT pg_catalog.set_config|^\\(?:un)?restrict/;
		$table = $1 if $line =~ /^COPY (\S+|\S*"[^"]*") /;
		push @rows, "$table $line";
	}
	return join "\n", sort @rows;
}

my $contrib = $node->safe_psql('postgres', "SELECT count(*) = 3 FROM pg_available_extensions WHERE name IN ('hstore', 'citext', 'ltree')") eq 't';
my @databases = (
	[ 'utf8', 'UTF8', [ 'LATIN1', 'SJIS' ], "INSERT INTO odd.more (id, note) SELECT 5000 + g, chr(g * 97 + 1) FROM generate_series(0, 500) g; INSERT INTO odd.more (id, note) VALUES (9000, U&'\\+01F600\\+0E0001\\+10FFFF');"
	  . 'INSERT INTO odd.more (id, note) SELECT 10000 + plane * 10 + nth, chr(plane * 65536 + at) FROM generate_series(0, 16) plane, unnest(ARRAY[9, 4660, 65533, 65535]) WITH ORDINALITY a (at, nth)' ],
	[ 'latin1', 'LATIN1', [ 'UTF8', 'SQL_ASCII' ], q(INSERT INTO odd.more (id, note) SELECT 5000 + g, chr(g) FROM generate_series(1, 255) g) ],
	[ 'euc_jp', 'EUC_JP', [ 'SJIS', 'UTF8' ], q(INSERT INTO odd.more (id, note) SELECT 5000 + g, convert_from(set_byte(set_byte('\x0000', 0, 176 + g / 94), 1, 161 + g % 94), 'EUC_JP') FROM generate_series(0, 900) g) ],
	[ 'ascii', 'SQL_ASCII', [ 'LATIN1', 'UTF8' ], q(INSERT INTO odd.more (id, note) SELECT 5000 + g, convert_from(set_byte('\x41', 0, g), 'SQL_ASCII') FROM generate_series(1, 255) g) ]);
foreach my $database (@databases)
{
	my ($name, $encoding, $clients, $more) = @$database;
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	# what has no character in an encoding is left out of it
	my $statements = $encoding eq 'EUC_JP' ? $tables =~ s/Zé/Ze/r : $tables;
	$statements =~ s/Ä/表/g if $encoding eq 'EUC_JP';
	my $client = $encoding eq 'SQL_ASCII' ? 'SQL_ASCII' : 'UTF8';
	my $made = attempt($node, "SET client_encoding = '$client'; CREATE EXTENSION pg_snapback;\n$statements$more;", database => $name);
	is_outcome($made, '', "$name: every type has its tables") or next;
	# types of extensions, where those are installed
	$node->safe_psql($name, <<'END') if $contrib;
SET client_min_messages = error;
CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE EXTENSION ltree;
CREATE DOMAIN odd.labels AS citext[];
CREATE TABLE odd.contrib (id integer PRIMARY KEY, h hstore, ha hstore[], c citext, ca odd.labels, l ltree, la ltree[], q lquery);
INSERT INTO odd.contrib SELECT g, hstore(ARRAY[ARRAY['a' || g, md5(g::text)], ARRAY['b "c"', NULL], ARRAY['', E'\\"\n']]), ARRAY[hstore('k', g::text), NULL], 'MiXed ' || g, ARRAY['A', NULL, 'b c'], ('Top.n' || g || '.x')::ltree, ARRAY['a.b'::ltree, ''], '*.a{1,2}' FROM generate_series(1, 50) g;
INSERT INTO odd.contrib VALUES (0, '', '{}', '', '{}', '', '{}', '*');
END
	my $before = dumped($name);
	cmp_ok(scalar(split /\n/, $before), '>', 1200, "$name: " . scalar(my @rows = split /\n/, $before) . ' rows of ' . $node->safe_psql($name, "SELECT count(*) FROM pg_tables WHERE schemaname = 'odd'") . ' tables');
	is($node->safe_psql($name, q(SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'odd'::regnamespace AND relkind = 'r' AND relname LIKE 'T %'
		AND NOT coalesce((xpath('/row/n/text()', query_to_xml(format('SELECT count(v) > 0 AS n FROM odd.%I', relname), false, true, '')))[1]::text = 'true', false))), '', "$name: every type has a sample");
	# what cannot come back is refused by name, and nothing is written
	if ($name eq 'utf8')
	{
		my @files = stored(storage($node));
		my @refused = split /\n/, $node->safe_psql($name, "SELECT t.oid::regtype FROM pg_type t WHERE t.typnamespace = 'pg_catalog'::regnamespace AND t.typname IN ('pg_node_tree', 'pg_ndistinct', 'pg_dependencies', 'pg_mcv_list', 'pg_brin_bloom_summary', 'pg_brin_minmax_multi_summary', 'gtsvector')");
		cmp_ok(scalar(@refused), '>=', 7, 'types that cannot come back');
		foreach my $type (@refused)
		{
			$node->safe_psql($name, "CREATE TABLE public.no_way (id integer, held $type)");
			my $refusal = attempt($node, "SELECT backup_create('{public.no_way}')", database => $name);
			is_outcome($refusal, '0A000', "$type is refused");
			like($refusal->{message}, qr/cannot back up .*\Q$type\E/, 'by name');
			$node->safe_psql($name, 'DROP TABLE public.no_way');
		}
		is_deeply([ stored(storage($node)) ], \@files, 'before anything is written');
	}

	# in both directions: over other rows, and made anew
	foreach my $direction ([ $here, $there, $clients->[0], $clients->[1] ], [ $there, $here, $clients->[1], $clients->[0] ])
	{
		my ($then, $now) = map { "$direction->[$_] SET client_encoding = '$direction->[$_ + 2]';" } 0, 1;
		my $what = "$name, $direction->[2] to $direction->[3]";
		my $taken = attempt($node, "$then\nSELECT id FROM public.backup_create('{odd.*}', verify => 'content')", database => $name);
		is_outcome($taken, '', "$what: backed up under one set of settings") or next;
		my $id = $taken->{out};
		is($node->safe_psql($name, "$now SELECT count(*) FROM public.backup_compare('$id') WHERE equal IS NOT TRUE"), 0, 'equal under another');
		$node->safe_psql($name, q(DO $$DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'odd'::regnamespace AND relkind = 'r' LOOP EXECUTE format('DELETE FROM %s WHERE id %% 2 = 0', t); END LOOP; END$$));
		is_outcome(attempt($node, "$now\nSELECT count(*) FROM public.backup_restore('$id', safety_backup => false)", database => $name), '', 'restored under another');
		ok(dumped($name) eq $before, 'pg_dump says the same');
		$node->safe_psql($name, q(DO $$DECLARE t regclass; BEGIN FOR t IN SELECT oid FROM pg_class WHERE relnamespace = 'odd'::regnamespace AND relkind = 'r' LOOP EXECUTE format('DROP TABLE %s', t); END LOOP; END$$));
		is_outcome(attempt($node, "$now\nSELECT count(*) FROM public.backup_restore('$id')", database => $name), '', 'dropped tables made anew');
		ok(dumped($name) eq $before, 'pg_dump says the same');
		is($node->safe_psql($name, "$then SELECT count(*) FROM public.backup_compare('$id') WHERE equal IS NOT TRUE"), 0, 'and so does the comparison');
	}
}

done_testing();
