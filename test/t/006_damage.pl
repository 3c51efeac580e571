# Whatever happens to a stored backup - cut, a flipped byte, forged values or rows, a newer format, a lost sidecar - is found by a
# verification of level content, with the sidecar and without; nothing damaged is ever restored.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

# an independent reader and writer of the format
my $forge = PostgreSQL::Test::Utils::tempdir_short() . '/forge';
command_ok([ 'g++', '-std=c++20', '-O0', '-o', $forge, 'test/tools/forge.cpp', '-lzstd', '-lcrypto' ], 'the forger builds');

# the storage is where a link points, so that one statement can look at many
my $copies = PostgreSQL::Test::Utils::tempdir_short();
my $base = PostgreSQL::Test::Utils::tempdir_short();
my ($link, $storage) = ("$base/storage", "$base/main");
mkdir $storage or die "$storage: $!";
my $node = new_server('damage', conf => "pg_snapback.storage_location = '$link'\n");

# look(DIRECTORY): from now on, this is the storage
sub look
{
	unlink $link;
	symlink($_[0] // $storage, $link) or die "$link: $!";
	return;
}
look();
$node->safe_psql('postgres', <<"END");
CREATE FUNCTION look(directory text) RETURNS void LANGUAGE plpgsql AS \$\$
BEGIN
  EXECUTE format('COPY (SELECT) TO PROGRAM %L', 'cat >/dev/null && ln -sfn ' || directory || ' $link');
END\$\$;
END
$node->safe_psql('postgres', <<'END');
CREATE TABLE people (id integer PRIMARY KEY, name text, born date, n bigint);
INSERT INTO people SELECT g, 'person ' || g, DATE '2024-01-10' + g, g FROM generate_series(1, 5) g;
CREATE TABLE empty (id integer PRIMARY KEY);
CREATE TABLE letters (id integer PRIMARY KEY, person integer REFERENCES people, body text);
INSERT INTO letters SELECT g, g, md5(g::text) FROM generate_series(1, 3) g;

-- What a verification says of the backup in a directory: ok, found (it returns problems), or the SQLSTATE of the error it raises.
CREATE FUNCTION verdict(directory text, id text, level text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
  answer record;
BEGIN
  PERFORM look(directory);
  SELECT * INTO answer FROM backup_verify(id, level);
  RETURN CASE WHEN answer.ok AND answer.problem_count = 0 THEN 'ok' WHEN NOT answer.ok AND answer.problem_count > 0 AND jsonb_array_length(answer.problems) > 0 THEN 'found' ELSE 'odd' END;
EXCEPTION WHEN OTHERS THEN
  RETURN SQLSTATE;
END$$;
CREATE FUNCTION listed(directory text, id text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
  PERFORM look(directory);
  RETURN (SELECT l.state FROM backup_list() l WHERE l.id = listed.id);
END$$;
END
my $id = value($node, 'SELECT id FROM backup_create()');
my $whole = slurp_file("$storage/$id.json.zst");
my $sidecar = slurp_file("$storage/$id.state.json");
my $size = length $whole;
my @borders = split ' ', `$forge frames $storage/$id.json.zst`;
cmp_ok(scalar(@borders), '>', 5, 'the backup has several frames: ' . join(' ', @borders));
is($borders[-1], $size, 'the forger has read all of it');

# make(NAME, CONTENTS, WITH_SIDECAR): a copy of the backup in a directory of its own, which it returns
my %made;

sub make
{
	my ($name, $contents, $with_sidecar) = @_;
	my $new = sprintf('%08d', 1 + keys %made);
	$made{$new} = $name;
	mkdir "$copies/$new" or die "$copies/$new: $!";
	append_to_file("$copies/$new/$id.json.zst", $contents);
	append_to_file("$copies/$new/$id.state.json", $sidecar) if $with_sidecar;
	return "$copies/$new";
}

sub clear
{
	foreach my $new (keys %made)
	{
		unlink("$copies/$new/$id.json.zst", "$copies/$new/$id.state.json");
		rmdir "$copies/$new" or die "$copies/$new: $!";
	}
	%made = ();
	look();
	return;
}

# of all that make() made: how many have another state in the list than one of these
sub listed_otherwise { return value($node, "SELECT count(*) FROM pg_ls_dir('$copies') d WHERE coalesce(listed('$copies/' || d, '$id'), 'not at all') NOT IN ($_[0])") }

# everything that make() made has this verdict
sub verdicts
{
	my ($level, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my (@others, $seen);
	foreach my $line (split /\n/, value($node, "SELECT d, verdict('$copies/' || d, '$id', '$level') FROM pg_ls_dir('$copies') d"))
	{
		my ($which, $verdict) = split /\|/, $line;
		my $right = ref $expected ? $expected->($made{$which}) : $expected;
		push @others, "$made{$which}: $verdict" if $verdict !~ /^(?:$right)$/;
		++$seen;
	}
	is($seen, scalar(keys %made), "$name: all were looked at");
	is(join(', ', @others[ 0 .. ($#others < 9 ? $#others : 9) ]), '', $name);
	return;
}

# ---- the way of this test, with nothing damaged ----------------------------------------------------------------------------

make('a copy', $whole, 1);
make('a copy without sidecar', $whole, 0);
verdicts('files', 'ok', 'whole copies');
verdicts('content', 'ok', 'whole copies');
verdicts('restore', 'ok', 'whole copies');
clear();

# ---- cut -------------------------------------------------------------------------------------------------------------------

foreach my $with_sidecar (1, 0)
{
	my $how = $with_sidecar ? 'with the sidecar' : 'without';
	my %cuts = map { $_ => 1 } 0, 1, $size - 1, map { ($_ - 1, $_, $_ + 1) } @borders;
	make("cut at $_", substr($whole, 0, $_), $with_sidecar) foreach grep { $_ >= 0 && $_ < $size } sort { $a <=> $b } keys %cuts;
	make('a byte more', $whole . 'x', $with_sidecar);
	make('twice', $whole . $whole, $with_sidecar);
	is(listed_otherwise("'damaged', 'unreadable'"), 0, "cut at every border, $how: the list says so") if $with_sidecar;
	verdicts('content', 'found', "cut at every border, $how");
	# not one whose end alone is missing: that has all of its rows (012_damaged_tables.pl)
	foreach my $which ((sort keys %made)[ 0, 4, 8 ])
	{
		look("$copies/$which");
		is_outcome(attempt($node, "SELECT * FROM backup_restore('$id')"), 'XX001', "$made{$which}, $how: a restore is refused");
	}
	clear();
}

# a part from the middle gone, two frames swapped
make('without frame ' . $_, substr($whole, 0, $borders[$_]) . substr($whole, $borders[ $_ + 1 ]), 0) foreach 0 .. $#borders - 1;
make('frames swapped', substr($whole, 0, $borders[1]) . substr($whole, $borders[2], $borders[3] - $borders[2]) . substr($whole, $borders[1], $borders[2] - $borders[1]) . substr($whole, $borders[3]), 0);
make('zeros at ' . $_, substr($whole, 0, $borders[$_]) . "\0" x ($borders[ $_ + 1 ] - $borders[$_]) . substr($whole, $borders[ $_ + 1 ]), 0) foreach 0 .. $#borders - 1;
make('not a backup', 'text', 0);
make('random', join('', map { chr int rand 256 } 1 .. 2000), 0);
verdicts('content', 'found', 'frames removed, swapped or zeroed');
clear();

# ---- flipped bytes ------------------------------------------------------------------------------------------------------------

# in the manifest's header the version may become a higher one, which is refused as such
my $version_at = $borders[-3] + 16;
my $expected = sub {
	my ($at) = $_[0] =~ /byte (\d+)/;
	return $at >= $version_at && $at < $version_at + 4 ? 'found|0A000' : 'found';
};
# the unit tests take every byte; here every one where frames meet, and a sample of the rest
my %borders = map { $_ => 1 } map { ($_ - 2 .. $_ + 8) } @borders;
for my $at (grep { $borders{$_} || $_ % 11 == 0 } 0 .. $size - 1)
{
	my $bytes = $whole;
	substr($bytes, $at, 1) ^= chr(1 << $at % 8);
	make("byte $at", $bytes, 0);
}
verdicts('content', $expected, 'flipped bytes');
clear();
my %sample = map { $_ => 1 } (grep { $_ % 37 == 0 } 0 .. $size - 1), (map { ($_ - 1, $_) } @borders);
foreach my $at (grep { $_ >= 0 && $_ < $size } keys %sample)
{
	my $bytes = $whole;
	substr($bytes, $at, 1) ^= "\xff";
	make("byte $at", $bytes, 1);
}
is(listed_otherwise("'good'"), 0, 'a flipped byte does not show in a list');
verdicts('files', $expected, 'with the sidecar they are found by level files');
is(value($node, "SELECT count(*) FROM pg_ls_dir('$copies') d WHERE listed('$copies/' || d, '$id') <> 'damaged' AND verdict('$copies/' || d, '$id', 'files') <> '0A000'"), 0, 'and then listed as damaged');
verdicts('content', $expected, 'and by level content');
clear();

# ---- forged ----------------------------------------------------------------------------------------------------------------

my $forged = PostgreSQL::Test::Utils::tempdir_short() . '/forged';

sub forge
{
	my ($command, @arguments) = @_;
	system_or_bail($forge, $command, "$storage/$id.json.zst", $forged, @arguments);
	return slurp_file($forged);
}

foreach my $level ('sha256', 'rows', 'all')
{
	make("a date no calendar has, $level", forge('edit', $level, '2024-01-13', '2024-13-45'), 0);
	make("a number out of range, $level", forge('edit', $level, '"n":3', '"n":99999999999999999999'), 0);
	make("a value of another type, $level", forge('edit', $level, '"n":3', '"n":"three"'), 0);
	make("broken JSON, $level", forge('edit', $level, '"n":3', '"n":3,'), 0);
	make("an unknown column, $level", forge('edit', $level, '"n":3', '"m":3'), 0);
	make("a byte that is no UTF-8, $level", forge('edit', $level, 'person 3', "person \xff"), 0);
}
verdicts('content', 'found', 'values that their types refuse');
my ($which) = grep { $made{$_} eq 'a date no calendar has, all' } keys %made;
is(value($node, "SELECT verdict('$copies/$which', '$id', 'files')"), 'ok', 'all digests of the file are right');
look("$copies/$which");
like(value($node, "SELECT problems->0->>'code', problems->0->>'table', problems->0->>'first_row' FROM backup_verify('$id')"), qr/^value\|public\.people\|2$/, 'the problem says where');
unlike(value($node, "SELECT problems FROM backup_verify('$id')"), qr/2024-13-45/, 'without the value');
$node->safe_psql('postgres', 'DELETE FROM letters; DELETE FROM people');
my $outcome = attempt($node, "SELECT * FROM backup_restore('$id')");
is_outcome($outcome, '22008', 'its restore is refused');
is(value($node, 'SELECT count(*) FROM people'), 0, 'whole');
clear();
make("a row removed, $_", forge('remove', $_, 2), 0) foreach 'sha256', 'rows';
make("a value changed, $_", forge('edit', $_, 'person 3', 'person 4'), 0) foreach 'sha256', 'rows';
verdicts('content', 'found', 'a row removed or changed with every SHA-256 recomputed');
foreach my $copy (grep { $made{$_} =~ /sha256/ } sort keys %made)
{
	look("$copies/$copy");
	is_outcome(attempt($node, "SELECT * FROM backup_restore('$id')"), 'XX001', "$made{$copy}: its restore is refused");
}
is(value($node, 'SELECT count(*) FROM people'), 0, 'nothing was restored');
clear();
# who recomputes everything makes another valid backup: only the sidecar knows that it is not the one that was taken
make('a row removed, all', forge('remove', 'all', 2), 0);
verdicts('content', 'ok', 'a backup that was written anew as a whole, without its sidecar');
clear();
make('a row removed, all', forge('remove', 'all', 2), 1);
verdicts('files', 'found', 'is found with it');
clear();
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$id')"), 't', 'the real one restores');

# ---- a newer format --------------------------------------------------------------------------------------------------------

look(make('newer', forge('version', '2'), 0));
foreach my $call (map { "$_('$id')" } qw(backup_verify backup_show backup_compare backup_restore))
{
	$outcome = attempt($node, "SELECT * FROM $call");
	is_outcome($outcome, '0A000', "$call of a newer format");
	like($outcome->{message} . $outcome->{detail}, qr/format version 2/, 'names the version');
	like($outcome->{hint}, qr/[Uu]pgrade/, 'and says what to do');
}
is_outcome(attempt($node, "SELECT * FROM backup_verify('$id', 'files')"), '0A000', 'level files says it too');
like(value($node, "SELECT state || ' ' || problem FROM backup_list()"), qr/^unreadable .*version 2/, 'the list says so');
is_outcome(attempt($node, 'SELECT backup_id FROM backup_verify()'), '42704', 'latest passes over it');
clear();

# ---- another backup than it says ----------------------------------------------------------------------------------------------

# by its name, by its sidecar, of the same length or not
my $other = value($node, "SELECT id FROM backup_create('{letters}')");
my $other_file = slurp_file("$storage/$other.json.zst");
my $other_sidecar = slurp_file("$storage/$other.state.json");
my %pretenders = (
	'another file, alone' => make('another file, alone', $other_file, 0),
	'another file beside the sidecar' => make('another file beside the sidecar', $other_file, 1));
foreach my $name (sort keys %pretenders)
{
	look($pretenders{$name});
	foreach my $call ("backup_show('$id')", "backup_compare('$id')", "backup_restore('$id')", "backup_restore('$id', '{letters}')", "backup_restore('$id', dry_run => true)")
	{
		$outcome = attempt($node, "SELECT * FROM $call");
		is_outcome($outcome, 'XX001', "$name: $call");
		like($outcome->{detail}, qr/the file holds backup "\Q$other\E"/, 'says whose file it is');
	}
	like(value($node, "SELECT ok || ' ' || (problems->0->>'message') FROM backup_verify('$id')"), qr/^false the file holds backup "\Q$other\E"/, "$name: its verification says so");
	like(value($node, 'SELECT state FROM backup_list()'), qr/^(?:damaged|unreadable)$/, "$name: the list does");
}
clear();
look(make('another sidecar', $whole, 0));
append_to_file("$copies/00000001/$id.state.json", $other_sidecar =~ s/\Q$other\E/$id/gr =~ s/("size": *)\d+/$1$size/r =~ s/("database_oid": *)\d+/${1}1/r);
$outcome = attempt($node, "SELECT * FROM backup_restore('$id', from_database => 'postgres')");
is_outcome($outcome, 'XX001', 'a sidecar of another database');
like($outcome->{detail}, qr/sidecar tells of another database/, 'is seen');
clear();
$node->safe_psql('postgres', "SELECT backup_delete('$other')");

# ---- sidecars --------------------------------------------------------------------------------------------------------------

unlink "$storage/$id.state.json" or die;
is(value($node, "SELECT state, verified, tables, rows FROM backup_list() WHERE id = '$id'"), 'good|none|3|8', 'without its sidecar a backup is good and not verified');
is(value($node, "SELECT verdict('$storage', '$id', 'content')"), 'ok', 'it verifies');
is(value($node, "SELECT bool_and(equal) FROM backup_compare('$id')"), 't', 'compares');
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$id', safety_backup => false)"), 't', 'restores');
foreach my $broken ('', '{', 'text', '[]', '{"id":1}', substr($sidecar, 0, 100), "\0" x 500, $sidecar =~ s/\Q$id\E/backup_20200101T000000Z_00000000/r)
{
	unlink "$storage/$id.state.json";
	append_to_file("$storage/$id.state.json", $broken);
	is(value($node, "SELECT state, verified FROM backup_list() WHERE id = '$id'"), 'good|none', 'a sidecar that is none counts as missing: ' . substr($broken, 0, 20) =~ s/[^ -~]/./gr);
	is(value($node, "SELECT verdict('$storage', '$id', 'content')"), 'ok', 'and the backup verifies');
}
unlink "$storage/$id.state.json";
append_to_file("$storage/$id.state.json", $sidecar);
is(value($node, "SELECT state, verified FROM backup_list() WHERE id = '$id'"), 'good|files', 'with its sidecar back all is as it was');

# ---- from another database -------------------------------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE elsewhere');
$node->safe_psql('elsewhere', "CREATE EXTENSION pg_snapback; CREATE TABLE guests (id integer PRIMARY KEY, name text); INSERT INTO guests VALUES (1, 'guest')");
my $foreign = $node->safe_psql('elsewhere', 'SELECT id FROM backup_create()');
is(value($node, "SELECT state, database FROM backup_list() WHERE id = '$foreign'"), 'foreign|elsewhere', 'a backup of another database is listed as foreign');
is(value($node, "SELECT verdict('$storage', '$foreign', 'content')"), 'ok', 'it is verified up to content');
is(value($node, 'SELECT backup_id FROM backup_verify()'), $id, 'latest passes over it');
$outcome = attempt($node, "SELECT * FROM backup_restore('$foreign')");
is_outcome($outcome, '22023', 'its restore needs from_database');
like($outcome->{hint}, qr/from_database => 'elsewhere'/, 'as the hint has it');
is_outcome(attempt($node, "SELECT * FROM backup_restore('$foreign', from_database => 'postgres')"), '22023', 'the wrong name is refused');
is_outcome(attempt($node, "SELECT * FROM backup_restore('$foreign', dry_run => true)"), '22023', 'a dry run too');
is(value($node, "SELECT to_regclass('guests') IS NULL"), 't', 'nothing was made');
is_outcome(attempt($node, "SELECT * FROM backup_restore('$foreign', from_database => 'elsewhere')"), '', 'with it the restore works');
is(value($node, 'SELECT name FROM guests'), 'guest', 'and brings the table');
is($node->safe_psql('elsewhere', "SELECT string_agg(DISTINCT state, ',') FROM backup_list() WHERE database = 'postgres'"), 'foreign', 'and the other way round');

check_log($node, [qw(XX001 0A000 22008 22023 42704)], 'the log has only the errors that were made');

done_testing();
