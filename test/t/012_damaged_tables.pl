# A backup of which some places are damaged: the restore changes nothing and says which rows of which tables are lost; the statement of its
# hint brings back all others, proven, and their result says that the backup is damaged; the damaged table stays as it is.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $forge = PostgreSQL::Test::Utils::tempdir_short() . '/forge';
command_ok([ 'g++', '-std=c++20', '-O0', '-o', $forge, 'test/tools/forge.cpp', '-lzstd', '-lcrypto' ], 'the forger builds');

my $node = new_server('damaged_tables');
my $storage = storage($node);
# two frames and more for letters
$node->safe_psql('postgres', <<'END');
CREATE TABLE people (id integer PRIMARY KEY, name text);
INSERT INTO people SELECT g, md5(g::text) FROM generate_series(1, 500) g;
CREATE TABLE letters (id integer PRIMARY KEY, body text);
INSERT INTO letters SELECT g, md5(g::text) || md5('a' || g) || md5('b' || g) FROM generate_series(1, 80000) g;
CREATE TABLE "The ""Others""" (id integer PRIMARY KEY, note text);
INSERT INTO "The ""Others""" SELECT g, md5(g::text) FROM generate_series(1, 500) g;
CREATE FUNCTION live_state() RETURNS text LANGUAGE sql AS $$
  SELECT (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM people t) || ' ' || (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM letters t) || ' ' ||
         (SELECT md5(string_agg(t::text, ',' ORDER BY id)) FROM "The ""Others""" t) $$;
END
my $id = value($node, 'SELECT id FROM backup_create()');
my @backed_up = split / /, value($node, 'SELECT live_state()');
my $whole = slurp_file("$storage/$id.json.zst");
my $sidecar = slurp_file("$storage/$id.state.json");
my @borders = split ' ', `$forge frames $storage/$id.json.zst`;

# the frames of letters are the large ones
my @large = grep { $borders[ $_ + 1 ] - $borders[$_] > 500_000 } 0 .. $#borders - 1;
cmp_ok(scalar(@large), '>=', 2, 'letters has several frames');

sub write_over
{
	my ($file, $contents) = @_;
	unlink $file;
	append_to_file($file, $contents);
	return;
}

# damaged(FRAMES): the backup with a byte flipped in each, its sidecar as it was
sub damaged
{
	my $bytes = $whole;
	substr($bytes, $borders[$_] + int(rand($borders[ $_ + 1 ] - $borders[$_])), 1) ^= "\x10" foreach @_;
	write_over("$storage/$id.json.zst", $bytes);
	write_over("$storage/$id.state.json", $sidecar);
	return;
}

my ($last_letters) = $large[-1];
my %damages = (
	'the first frame of letters' => [ $large[0] ],
	'the last frame of letters' => [$last_letters],
	'two frames of letters' => [ @large[ 0, -1 ] ]);
foreach my $what (sort keys %damages)
{
	damaged(@{ $damages{$what} });
	$node->safe_psql('postgres', q(UPDATE people SET name = 'x'; UPDATE letters SET body = 'x' WHERE id < 10; UPDATE "The ""Others""" SET note = 'x'));
	my $before = value($node, 'SELECT live_state()');
	my $backups = value($node, 'SELECT count(*) FROM backup_list()');
	my $outcome;
	foreach my $options ('', ', dry_run => true, rehearse => true', ", mode => 'upsert'", ", mode => 'missing', dry_run => true", ', safety_backup => false')
	{
		$outcome = attempt($node, "SELECT * FROM backup_restore('$id'$options)");
		is_outcome($outcome, 'XX001', "$what, restore$options");
		is($outcome->{message}, "backup \"$id\" is damaged", 'the message names the backup');
		like($outcome->{detail}, qr/^Lost: "public\.letters" rows? \d+ to \d+[,.]/, 'the detail the table and its rows');
		unlike($outcome->{detail}, qr/people|Others/, 'and no other');
	}
	is(value($node, 'SELECT live_state()'), $before, "$what: nothing is changed");
	is(value($node, 'SELECT count(*) FROM backup_list()'), $backups, 'and no safety backup is left');
	my ($statement) = $outcome->{hint} =~ /(SELECT \* FROM .*?\]\))/;
	ok($statement, 'the hint has a statement') or diag($outcome->{err});

	# the verification says the same, and marks the backup
	is(value($node, "SELECT DISTINCT p->>'table' FROM backup_verify('$id', 'files'), jsonb_array_elements(problems) p WHERE p->>'table' IS NOT NULL"), 'public.letters', 'files names the table');
	is(value($node, "SELECT count(DISTINCT p->>'frame') FROM backup_verify('$id', 'content'), jsonb_array_elements(problems) p WHERE p->>'frame' IS NOT NULL"), scalar(@{ $damages{$what} }), 'content names every frame');
	my ($first, $last) = $outcome->{detail} =~ /rows (\d+) to (\d+)/;
	is(value($node, "SELECT (p->>'first_row')::int, (p->>'last_row')::int FROM backup_verify('$id', 'files'), jsonb_array_elements(problems) p WHERE p->>'table' = 'public.letters' LIMIT 1"),
		join('|', $first, $last), 'with the same rows');
	is(value($node, "SELECT state FROM backup_list() WHERE id = '$id'"), 'damaged', 'the list says so');

	$outcome = attempt($node, $statement);
	is_outcome($outcome, '', 'the statement of the hint works');
	is(value($node, "SELECT count(*) FROM (SELECT 1) x WHERE '$outcome->{out}' LIKE '%the backup is damaged elsewhere%'"), 1, 'its result says that the backup is damaged');
	my @now = split / /, value($node, 'SELECT live_state()');
	is("$now[0] $now[2]", "$backed_up[0] $backed_up[2]", 'the other tables are as they were backed up');
	is($now[1], (split / /, $before)[1], 'the damaged one is as it was');
	$node->safe_psql('postgres', "SELECT backup_delete(id) FROM backup_list() WHERE id <> '$id'");
}

# without its sidecar nothing but the file itself can tell
damaged($large[0]);
unlink "$storage/$id.state.json";
my $alone = attempt($node, "SELECT * FROM backup_restore('$id')");
is_outcome($alone, 'XX001', 'without its sidecar');
like($alone->{detail}, qr/^Lost: "public\.letters" rows? \d+ to \d+[,.]/, 'the same rows are named');
is(value($node, "SELECT string_agg(DISTINCT p->>'table', ',') FROM backup_verify('$id', 'content'), jsonb_array_elements(problems) p WHERE p->>'table' IS NOT NULL"), 'public.letters', 'and by content');
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$id', '{people}', safety_backup => false)"), 't', 'the others restore');

# Random damage behind the head of a backup, half the time without its sidecar: whatever a restore is asked for, of each table in each mode, it brings back every table
# that was not hit, nothing from bytes that are not as they were written, and refuses without a change.
{
	$node->safe_psql('postgres', <<'END');
CREATE SCHEMA small;
CREATE TABLE small.a (id integer PRIMARY KEY, body text);
CREATE TABLE small.b (id integer PRIMARY KEY, body text);
CREATE TABLE small.c (id integer PRIMARY KEY, body text);
INSERT INTO small.a SELECT g, md5('a' || g) FROM generate_series(1, 300) g;
INSERT INTO small.b SELECT g, md5('b' || g) FROM generate_series(1, 300) g;
INSERT INTO small.c SELECT g, md5('c' || g) FROM generate_series(1, 300) g;
CREATE FUNCTION small.digest(wanted text, OUT digest text) LANGUAGE plpgsql AS $$BEGIN EXECUTE format('SELECT md5(string_agg(t::text, '','' ORDER BY id)) FROM %s t', wanted) INTO digest; END$$;
-- Restores from one copy, and from the good backup where that is refused. Returns what is wrong, and how many restores were made and refused.
CREATE FUNCTION small.restores(copy text, good text, OUT wrong text, OUT restored text, OUT made integer, OUT refused integer) LANGUAGE plpgsql AS $$
DECLARE
  wanted text; option text; backed_up text; spoilt text; answer text;
BEGIN
  wrong := ''; restored := ''; made := 0; refused := 0;
  FOREACH wanted IN ARRAY ARRAY['small.a', 'small.b', 'small.c'] LOOP
    backed_up := small.digest(wanted);
    FOREACH option IN ARRAY ARRAY['replace', 'upsert', 'missing'] LOOP
      EXECUTE format('DELETE FROM %s WHERE id %% 3 = 0', wanted);
      spoilt := small.digest(wanted);
      BEGIN
        SELECT bool_and(proven)::text INTO answer FROM backup_restore(copy, ARRAY[wanted], option, safety_backup => false);
      EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE;
      END;
      IF answer = 'true' THEN
        made := made + 1;
        IF option = 'replace' THEN restored := restored || CASE WHEN restored = '' THEN '' ELSE ',' END || wanted; END IF;
        IF small.digest(wanted) <> backed_up THEN wrong := wrong || wanted || ' ' || option || ' restored other rows; '; END IF;
      ELSE
        refused := refused + 1;
        IF answer IS DISTINCT FROM 'XX001' THEN wrong := wrong || wanted || ' ' || option || ' ended as ' || coalesce(answer, 'nothing') || '; '; END IF;
        IF small.digest(wanted) <> spoilt THEN wrong := wrong || wanted || ' ' || option || ' has changed; '; END IF;
        PERFORM backup_restore(good, ARRAY[wanted], safety_backup => false);
      END IF;
    END LOOP;
  END LOOP;
END $$;
END
	my $good = value($node, "SELECT id FROM backup_create('{small.*}')");
	my $small = value($node, "SELECT id FROM backup_create('{small.*}')");
	my ($bytes, $beside) = (slurp_file("$storage/$small.json.zst"), slurp_file("$storage/$small.state.json"));
	my @frames = split ' ', `$forge frames $storage/$small.json.zst`;
	is(scalar(@frames), 10, 'the head, three tables with what stands between them, the end, the manifest, the seek table');
	my %frame_of = ('small.a' => 1, 'small.b' => 3, 'small.c' => 5);
	my ($made, $refused) = (0, 0);
	my $copies = $ENV{SNAPBACK_BRIEF} || $ENV{SNAPBACK_SANITIZE} ? 15 : 60;
	foreach my $copy (1 .. $copies)
	{
		my $kind = ('a bit', 'a byte', 'a doubled range', 'a cut', 'a swap', 'the end cut off')[ $copy % 6 ];
		my ($spoilt, $at, $length) = ($bytes, $frames[1] + int rand($frames[-1] - $frames[1] - 100), 1);
		substr($spoilt, $at, 1) ^= chr(1 << int rand 8) if $kind eq 'a bit';
		substr($spoilt, $at, 1) ^= chr(1 + int rand 255) if $kind eq 'a byte';
		substr($spoilt, $at, 0) = substr($bytes, $at, 50) if $kind eq 'a doubled range';
		substr($spoilt, $at, $length = 1 + int rand 99) = '' if $kind eq 'a cut';
		substr($spoilt, $at, $length = 40) = reverse substr($bytes, $at, 40) if $kind eq 'a swap';
		$spoilt = substr($bytes, 0, $at), $length = length($bytes) - $at if $kind eq 'the end cut off';
		write_over("$storage/$small.json.zst", $spoilt);
		unlink "$storage/$small.state.json";
		append_to_file("$storage/$small.state.json", $beside) if $copy & 1;

		# a table is lost when bytes of its rows were hit; where the manifest is gone, also when the line behind them was, or the one before
		# a range that stands twice has done no harm where a border of the frame lies in it
		my $hit = sub { my ($frame) = @_; my ($begin, $end) = @frames[ $frame, $frame + 1 ]; return $kind eq 'a doubled range' ? $at > $begin && $at + 50 < $end : $at < $end && $at + $length > $begin };
		my %lost = map { $_ => 1 } grep { $hit->($frame_of{$_}) || ($hit->(7) && ($hit->($frame_of{$_} - 1) || $hit->($frame_of{$_} + 1))) } keys %frame_of;
		my $wanted = join ',', sort grep { !$lost{$_} } keys %frame_of;
		my ($wrong, $restored, @counts) = split /\|/, value($node, "SELECT * FROM small.restores('$small', '$good')");
		is($wrong, '', "$kind at $at: nothing comes from damaged bytes");
		is($restored, $wanted, "$kind at $at: every other table is restored");
		$made += $counts[0];
		$refused += $counts[1];
	}
	cmp_ok($made, '>', $copies, "$made restores of tables that the damage had not hit");
	cmp_ok($refused, '>', $copies / 2, "$refused refused");

	# a file whose end is missing, from the middle of small.b on: as an interrupted copy leaves it
	my $rest = substr($bytes, 0, int(($frames[3] + $frames[4]) / 2));
	foreach my $with_sidecar (1, 0)
	{
		my $how = $with_sidecar ? 'with the sidecar' : 'without';
		write_over("$storage/$small.json.zst", $rest);
		unlink "$storage/$small.state.json";
		append_to_file("$storage/$small.state.json", $beside) if $with_sidecar;
		is(value($node, "SELECT string_agg(name || ' ' || coalesce(note, ''), ', ' ORDER BY name) FROM backup_show('$small')"),
			'a , b its rows are no longer all in the file, c its rows are no longer all in the file', "an interrupted copy, $how, shows what is left");
		$node->safe_psql('postgres', 'DELETE FROM small.a WHERE id < 100');
		my $before = value($node, "SELECT small.digest('small.a') || small.digest('small.b') || small.digest('small.c')");
		foreach my $call ("backup_restore('$small')", "backup_restore('$small', dry_run => true)", "backup_restore('$small', '{small.b}')")
		{
			my $outcome = attempt($node, "SELECT * FROM $call");
			is_outcome($outcome, 'XX001', "$how: $call");
			is($outcome->{message}, "backup \"$small\" is damaged", 'is refused');
			like($outcome->{detail}, qr/^Lost: "small\.b"; "small\.c"\. rows of table "small\.b" are no longer in the backup's file/, 'and names what is lost');
			like($outcome->{hint}, qr/tables => ARRAY\['small\.a'\]/, 'and what is not');
		}
		is_outcome(attempt($node, "SELECT * FROM backup_compare('$small')"), 'XX001', 'there is nothing to compare them with');
		is(value($node, "SELECT small.digest('small.a') || small.digest('small.b') || small.digest('small.c')"), $before, 'nothing was changed');
		is(value($node, "SELECT equal FROM backup_compare('$small', '{small.a}')"), 'f', 'the table that is left can be compared');
		like(value($node, "SELECT proven || ' ' || note FROM backup_restore('$small', '{small.a}', safety_backup => false)"), qr/^true .*the backup is damaged elsewhere: /, 'and restored, and that says so');
		is(value($node, "SELECT equal FROM backup_compare('$small', '{small.a}')"), 't', 'as it was');
		is(value($node, "SELECT string_agg(p ->> 'table', ',' ORDER BY p ->> 'table') FROM backup_verify('$small'), jsonb_array_elements(problems) p WHERE p ->> 'table' IS NOT NULL"), 'small.b,small.c', 'the verification names the others');
	}
	$node->safe_psql('postgres', "DROP SCHEMA small CASCADE; SELECT backup_delete('$small'); SELECT backup_delete('$good')");
}

# where no table is whole there is nothing to offer
damaged(grep { $borders[ $_ + 1 ] - $borders[$_] > 5_000 } 0 .. $#borders - 1);
$node->safe_psql('postgres', q(UPDATE people SET name = 'y'));
my $outcome = attempt($node, "SELECT * FROM backup_restore('$id', '{people}')");
is_outcome($outcome, 'XX001', 'all damaged');
like($outcome->{detail}, qr/"public\.people"/, 'people is lost too');

write_over("$storage/$id.json.zst", $whole);
is(value($node, "SELECT ok FROM backup_verify('$id')"), 't', 'the whole file is good again');
is(value($node, "SELECT bool_and(proven) FROM backup_restore('$id')"), 't', 'and restores');
is(value($node, 'SELECT live_state()'), join(' ', @backed_up), 'all of it');
check_log($node, ['XX001'], 'the log has only the errors that were made');

done_testing();
