# Names, labels and definitions beyond ASCII: whole backups in databases of every kind of encoding, under clients of other encodings, and from one encoding to another. What cannot be
# converted is refused by name, and nothing is changed.

use strict;
use warnings FATAL => 'all';

use Encode ();
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

my $node = new_server('encodings', bare => 1);

# What pg_dump says of a database's schema, or another's, in UTF-8.
sub dumped
{
	my ($database, $schema) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir_short() . '/dump';
	my @command = ('pg_dump', qq(--schema="$schema"), '-f', $file, '-d', $node->connstr($database));
	push @command, '-E', 'UTF8' if $database ne 'ascii';
	push @command, '--restrict-key=values' if `pg_dump --help` =~ /--restrict-key/;
	local %ENV = $node->_get_env;
	system_or_bail(@command);
	return join "\n", grep { !/^--|^$|^SET client_encoding/ } split /\n/, slurp_file($file);
}

sub differing
{
	my ($before, $after) = @_;
	my (%before, %after);
	$before{$_}++ for split /\n/, $before;
	$after{$_}++ for split /\n/, $after;
	return join "\n", (map { "was: $_" } grep { !$after{$_} } sort keys %before), (map { "is:  $_" } grep { !$before{$_} } sort keys %after);
}

# Tables whose every name and definition has the word in it. As UTF-8.
sub tables
{
	my ($word) = @_;
	return <<END;
CREATE SCHEMA "$word";
CREATE TYPE "$word"."$word enum" AS ENUM ('$word', 'a', '$word''"');
CREATE SEQUENCE "$word"."$word counter";
CREATE TABLE "$word"."$word" ("$word id" serial PRIMARY KEY, "$word" text DEFAULT '$word\\' NOT NULL CHECK ("$word" <> '$word$word'), m "$word"."$word enum" DEFAULT '$word', ms "$word"."$word enum"[],
  n bigint DEFAULT nextval('"$word"."$word counter"'), "$word gen" text GENERATED ALWAYS AS ("$word" || '$word') STORED, j jsonb, CONSTRAINT "$word unique" UNIQUE ("$word", n));
CREATE INDEX "$word index" ON "$word"."$word" (("$word" || '$word')) WHERE "$word" <> '$word-';
CREATE TABLE "$word"."$word child" (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "$word up" integer CONSTRAINT "$word key" REFERENCES "$word"."$word");
CREATE TABLE "$word"."$word parts" (id integer, "$word" text) PARTITION BY LIST ("$word");
CREATE TABLE "$word"."$word part" PARTITION OF "$word"."$word parts" FOR VALUES IN ('$word', 'b');
CREATE TABLE "$word"."$word base" ("$word up" integer);
CREATE TABLE "$word".heirs ("$word up" integer, "$word more" text) INHERITS ("$word"."$word base");
INSERT INTO "$word"."$word" ("$word", ms, j) SELECT '$word ' || g, ARRAY['a', '$word']::"$word"."$word enum"[], jsonb_build_object('$word', '$word', 'a', g, 'bcd', NULL, 'cdefg', '$word') FROM generate_series(1, 40) g;
INSERT INTO "$word"."$word child" ("$word up") SELECT generate_series(1, 40);
INSERT INTO "$word"."$word parts" VALUES (1, '$word'), (2, 'b');
INSERT INTO "$word".heirs VALUES (99, '$word');
END
}

# Until a run has ended; its state.
sub ended
{
	my ($database, $run) = @_;
	for (1 .. 1200)
	{
		my $state = $node->safe_psql($database, "SELECT state FROM backup_runs WHERE run_id = $run");
		return $state if $state ne 'queued' && $state ne 'running';
		usleep(50_000);
	}
	return 'still going';
}

my $drop = sub { my ($word) = @_; qq(SET client_min_messages = error; DROP SCHEMA "$word" CASCADE) };
my $half = sub { my ($word) = @_; qq(DELETE FROM "$word".heirs; DELETE FROM "$word"."$word child" WHERE id % 2 = 0; UPDATE "$word"."$word" SET "$word" = 'x' || "$word" WHERE "$word id" % 3 = 0; DELETE FROM "$word"."$word parts" WHERE id = 1) };

my %client = (utf8 => 'UTF8', latin1 => 'UTF8', euc_jp => 'UTF8', ascii => 'SQL_ASCII');
my %backup;
foreach my $database (
	[ 'utf8', 'UTF8', "Gr\xc3\xb6\xc3\x9fe", 'LATIN1', 'iso-8859-1' ],
	[ 'utf8_jp', 'UTF8', "\xe8\xa1\xa8\xe8\x83\xbd", 'SJIS', 'shiftjis' ],    # the second byte of either is a backslash in SJIS
	[ 'latin1', 'LATIN1', "Gr\xc3\xb6\xc3\x9fe", 'UTF8', 'utf-8' ],
	[ 'euc_jp', 'EUC_JP', "\xe8\xa1\xa8\xe8\x83\xbd", 'SJIS', 'shiftjis' ],
	[ 'ascii', 'SQL_ASCII', "Gr\xc3\xb6\xc3\x9fe", 'SQL_ASCII', 'utf-8' ])
{
	my ($name, $encoding, $word, $other, $perl_encoding) = @$database;
	$client{$name} //= 'UTF8';
	my $as = "SET client_encoding = '$client{$name}';";
	my $there = sub { Encode::encode($perl_encoding, Encode::decode('utf-8', $_[0])) };
	$node->safe_psql('postgres', "CREATE DATABASE $name TEMPLATE template0 ENCODING '$encoding' LOCALE 'C'");
	is_outcome(attempt($node, "$as CREATE EXTENSION pg_snapback;\n" . tables($word), database => $name), '', "$name: tables with names beyond ASCII") or next;
	my $before = dumped($name, $word);

	# the call comes from a client of one encoding, the restore from one of another
	my $taken = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT id FROM backup_create(ARRAY['"$word".*'], label => '$word', verify => 'restore'))), database => $name);
	is_outcome($taken, '', "$name: backed up by a client of encoding $other") or next;
	my $id = $backup{$name} = $taken->{out};
	my $document = `zstd -dc '${\ storage($node)}/$id.json.zst'`;
	ok(eval { Encode::decode('utf-8', my $copy = $document, Encode::FB_CROAK); 1 }, 'the file is UTF-8');
	like($document, qr/"name":"\Q$word\E child"/, 'and has the names');
	my $shown = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT label, state FROM backup_list() WHERE id = '$id'; SELECT schema, name FROM backup_show('$id') WHERE name LIKE '%child')), database => $name);
	is($shown->{out}, $there->("$word|good\n$word|$word child"), 'label and names are shown in the encoding of the client');
	is($node->safe_psql($name, "SELECT count(*) FROM backup_compare('$id') WHERE equal IS NOT TRUE"), 0, 'equal to the live tables');
	is($node->safe_psql($name, "SELECT ok FROM backup_verify('$id')"), 't', 'verified');
	my $error = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT backup_restore('$id', ARRAY['"$word"."$word lost"']))), database => $name);
	is_outcome($error, '42P01', 'a table that is not in it');
	is($error->{message}, $there->(qq(table ""$word"."$word lost"" does not exist in backup "$id")), 'its name is in the message, in the encoding of the client');

	# texts of the caller's are cut, here in the middle of a character
	my $cut = 'a' . ($word =~ /G/ ? "\xc3\xa4" : "\xe6\x9c\xac") x 100;
	$error = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT backup_restore('$id', ARRAY['$cut']))), database => $name);
	is_outcome($error, '42P01', 'a name that is cut');

	is_outcome(attempt($node, $as . $half->($word), database => $name), '', 'rows change');
	my $previewed = attempt($node, "$as SELECT DISTINCT note FROM backup_restore('$id', dry_run => true) WHERE note <> ''", database => $name);
	is_outcome($previewed, '', 'a dry run') and unlike($previewed->{out}, qr/changed|gone|new|another|labels/, 'sees no drift');
	is_outcome(attempt($node, "$as SELECT count(*) FROM backup_restore('$id')", database => $name), '', 'restored');
	my $after = dumped($name, $word);
	ok($after eq $before, 'pg_dump says the same') or diag(differing($before, $after));
	is_outcome(attempt($node, $as . $drop->($word), database => $name), '', 'dropped');
	is_outcome(attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT count(*) FROM backup_restore('$id', ARRAY['"$word".*']))), database => $name), '', 'made anew');
	$after = dumped($name, $word);
	ok($after eq $before, 'pg_dump says the same') or diag(differing($before, $after));

	# partitions that are others by now
	my $moved = attempt($node, qq($as BEGIN; DROP TABLE "$word"."$word part"; CREATE TABLE "$word".one PARTITION OF "$word"."$word parts" FOR VALUES IN ('$word'); CREATE TABLE "$word".two PARTITION OF "$word"."$word parts" FOR VALUES IN ('b');
		SELECT backup_restore('$id', ARRAY['"$word"."$word parts"']) IS NULL; SELECT tableoid::regclass, id FROM "$word"."$word parts" ORDER BY 2;), database => $name);
	is_outcome($moved, '', 'restored into other partitions') and like($moved->{out}, qr/\.one\|1\n.*\.two\|2$/, 'every row into its own');

	# by runs and a plan with such a name
	my $json = sub { my ($text) = @_; return qq('{"tables": ["\\"$word\\".\\"$text\\""], "label": "$word $word"}') };
	my $runs = attempt($node, $there->(qq(SET client_encoding = '$other'; SET standard_conforming_strings = on; SELECT run_id FROM backup_start('create', ${\ $json->("$word child")});
		SELECT run_id FROM backup_start('create', ${\ $json->("$word lost")}); SELECT plan FROM backup_schedule('$word', '0 2 * * *', tables => ARRAY['"$word".*']); SELECT run_id FROM backup_run('$word'))), database => $name);
	is_outcome($runs, '', 'runs are started') or next;
	my ($good, $bad, undef, $planned) = split /\n/, $runs->{out};
	is(ended($name, $good), 'succeeded', 'with a label and a table');
	is(ended($name, $bad), 'failed', 'and with a table that is not there');
	is(ended($name, $planned), 'succeeded', 'and for the plan');
	$shown = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT result ->> 'label' FROM backup_runs WHERE run_id = $good; SELECT message FROM backup_runs WHERE run_id = $bad; SELECT label FROM backup_list() WHERE id = (SELECT backup_id FROM backup_runs WHERE run_id = $planned);
		SELECT action FROM backup_prune('$word') WHERE backup_id = (SELECT backup_id FROM backup_runs WHERE run_id = $planned))), database => $name);
	is($shown->{out}, $there->(qq($word $word\ntable ""$word"."$word lost"" does not exist\n$word\nkeep)), 'labels, messages and the plan of a backup are theirs');

	# what watches them
	$shown = attempt($node, $there->(qq(SET client_encoding = '$other'; CREATE ROLE "$name $word" LOGIN; SELECT count(backup_grant('$name $word', 'operate')); SELECT count(*) > 0 FROM backup_metrics WHERE labels ->> 'plan' = '$word';
		SELECT count(*) FROM backup_plans WHERE plan = '$word'; SELECT count(*) >= 0 FROM backup_alerts; SELECT count(*) > 0 FROM backup_checklist();
		SET ROLE "$name $word"; SELECT backup_create(ARRAY['"$word lost"']))), database => $name);
	is_outcome($shown, '42P01', 'a call by a role with such a name fails');
	is($shown->{out}, "1\nt\n1\nt\nt", 'metrics, plans, alerts and the checklist name the plan');
	$shown = attempt($node, $there->(qq(SET client_encoding = '$other'; SELECT role_name, message FROM backup_runs WHERE state = 'failed' AND role_name <> 'postgres';
		DROP OWNED BY "$name $word"; DROP ROLE "$name $word")), database => $name);    # names of roles are read in all databases, whatever their encoding
	is($shown->{out}, $there->(qq($name $word|table ""$word lost"" does not exist)), 'and the history remembers who failed with what');

	# a dropped column with values is named
	my $lost = attempt($node, qq($as BEGIN; ALTER TABLE "$word"."$word child" DROP COLUMN "$word up"; SELECT backup_restore('$id');), database => $name);
	is_outcome($lost, '42804', 'a column that is gone');
	like($lost->{detail}, qr/"\Q$word\E up"/, 'is named');
}

# Members of jsonb stand in another order in each encoding; pg_dump shows them as they stand.
sub ordered
{
	my ($dump) = @_;
	$dump =~ s/\{("[^{}]*)\}$/'{' . join(', ', sort split \/, \/, $1) . '}'/gem;
	return $dump;
}

# From one encoding to another, and back.
foreach my $way ([ 'latin1', 'utf8', "Gr\xc3\xb6\xc3\x9fe" ], [ 'utf8', 'latin1', "Gr\xc3\xb6\xc3\x9fe" ], [ 'euc_jp', 'utf8_jp', "\xe8\xa1\xa8\xe8\x83\xbd" ], [ 'utf8_jp', 'euc_jp', "\xe8\xa1\xa8\xe8\x83\xbd" ],
	[ 'ascii', 'latin1', "Gr\xc3\xb6\xc3\x9fe" ], [ 'latin1', 'ascii', "Gr\xc3\xb6\xc3\x9fe" ])
{
	my ($from, $to, $word) = @$way;
	next unless $backup{$from};
	my $as = "SET client_encoding = '$client{$to}';";
	my $before = ordered(dumped($from, $word));
	$node->safe_psql($to, $as . $drop->($word));
	is_outcome(attempt($node, "$as SELECT count(*) FROM backup_restore('$backup{$from}', from_database => '$from')", database => $to), '', "a backup of $from made anew in $to");
	my $after = ordered(dumped($to, $word));
	ok($after eq $before, 'pg_dump says the same') or diag(differing($before, $after));
	is_outcome(attempt($node, $as . $half->($word), database => $to), '', 'rows change');
	is_outcome(attempt($node, "$as SELECT count(*) FROM backup_restore('$backup{$from}', from_database => '$from')", database => $to), '', 'restored');
	$after = ordered(dumped($to, $word));
	ok($after eq $before, 'pg_dump says the same') or diag(differing($before, $after));
	is($node->safe_psql($to, "SELECT count(*) FROM backup_compare('$backup{$from}') WHERE equal IS NOT TRUE"), 0, 'equal');
	is($node->safe_psql($to, "SELECT label = convert_from(decode('" . unpack('H*', $word) . "', 'hex'), '" . ($to eq 'ascii' ? 'SQL_ASCII' : 'UTF8') . "') FROM backup_list() WHERE id = '$backup{$from}'"), 't', 'and its label is shown');
}

# Characters that the database lacks
my $foreign = "from_database => 'utf8_jp'";
my $listed = $node->safe_psql('latin1', "SELECT DISTINCT schema FROM backup_show('$backup{utf8_jp}')");
is($listed, '\u8868\u80fd', 'names that the encoding lacks are shown by their code points');
is($node->safe_psql('latin1', "SELECT count(*) FROM backup_compare('$backup{utf8_jp}') WHERE live_rows IS NOT NULL"), 0, 'and are no live tables');
is($node->safe_psql('latin1', "SELECT ok FROM backup_verify('$backup{utf8_jp}', 'files')"), 't', 'files can be verified');
foreach my $call ('', ', dry_run => true')
{
	my $refused = attempt($node, "SELECT backup_restore('$backup{utf8_jp}', $foreign$call)", database => 'latin1');
	is_outcome($refused, '22P05', "they are refused$call");
	like($refused->{message}, qr/cannot create table "\\u8868\\u80fd\.\\u8868.*": a name or definition of it has no equal in encoding LATIN1/, 'by name');
}
$node->safe_psql('utf8', qq(CREATE TABLE plain (id integer, word text DEFAULT U&'\\8868', CHECK (word <> U&'\\80fd')); INSERT INTO plain VALUES (1, 'a')));
my $plain = $node->safe_psql('utf8', "SELECT id FROM backup_create('{plain}')");
my $refused = attempt($node, "SELECT backup_restore('$plain', from_database => 'utf8')", database => 'latin1');
is_outcome($refused, '22P05', 'so is a definition');
like($refused->{detail}, qr/\\u8868/, 'which is shown');
is($node->safe_psql('latin1', "SELECT to_regclass('public.plain') IS NULL"), 't', 'nothing is made');
is($node->safe_psql('latin1', "SELECT action FROM backup_restore('$plain', dry_run => true, from_database => 'utf8')"), 'refused', 'as a dry run says');
is($node->safe_psql('latin1', "CREATE TABLE plain (id integer, word text); SELECT word FROM plain WHERE false; SELECT action, inserted FROM backup_restore('$plain', from_database => 'utf8')"), 'reloaded|1', 'but its rows go into a table that is there');
# a name that gets longer
my $long = "\xc3\xa4" x 40;
is_outcome(attempt($node, qq(SET client_encoding = 'UTF8'; CREATE TABLE long ("$long" integer)), database => 'latin1'), '', 'a column with a name of 40 characters');
my $longest = $node->safe_psql('latin1', "SELECT id FROM backup_create('{long}')");
$refused = attempt($node, "SELECT backup_restore('$longest', from_database => 'latin1')", database => 'utf8');
is_outcome($refused, '42622', 'a name of 80 bytes is refused');
like($refused->{message}, qr/cannot create table "public.long": a name of it is too long in encoding UTF8/, 'by name');

# What is no text cannot become UTF-8.
foreach my $case ([ 'ascii', 'SQL_ASCII', "\xe9" ], [ 'euc_jp', 'EUC_JP', "\xa9\xa1" ])
{
	my ($name, $encoding, $bytes) = @$case;
	my $as = "SET client_encoding = '$encoding';";
	my $escaped = join '', map { sprintf '\\x%02x', ord } split //, $bytes;
	is_outcome(attempt($node, qq($as CREATE TABLE "no$bytes" (id integer); CREATE TABLE definition (id text DEFAULT '$bytes'); CREATE TYPE kind AS ENUM ('$bytes'); CREATE TABLE labelled (k kind)), database => $name), '', "$name: bytes that have no equal in UTF-8");
	my @files = stored(storage($node));
	foreach my $table (qq("no$bytes"), 'definition', 'labelled')
	{
		$refused = attempt($node, "$as SELECT backup_create(ARRAY['$table'])", database => $name);
		is_outcome($refused, '0A000', 'are refused');
		like($refused->{message}, qr/cannot back up (?:table "public.(?:no.+|definition)"|type "public.kind"): a name or definition of it has no equal in UTF-8/, 'by the name of what has them');
		like($refused->{detail}, qr/\Q$escaped\E/, 'and shown');
	}
	is_deeply([ stored(storage($node)) ], \@files, 'before anything is written');
	is_outcome(attempt($node, "SELECT backup_create(exclude => ARRAY['no*', 'definition', 'labelled'])", database => $name), '', 'the other tables are backed up');
}

done_testing();
