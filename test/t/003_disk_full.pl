# The storage directory is missing, closed, no directory, or full: a clear error, and nothing is left behind.

use strict;
use warnings FATAL => 'all';

use File::Path qw(make_path);
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('disk_full');
my $root = PostgreSQL::Test::Utils::tempdir_short();
$node->safe_psql('postgres', <<'END');
CREATE TABLE notes (id integer PRIMARY KEY, body text);
INSERT INTO notes SELECT g, string_agg(md5(g || ' ' || i), '') FROM generate_series(1, 200) g, generate_series(1, 10) i GROUP BY g;
END

sub set_location
{
	my ($path) = @_;
	$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER SYSTEM SET pg_snapback.storage_location = '$path'");
	$node->reload;
	$node->poll_query_until('postgres', "SELECT current_setting('pg_snapback.storage_location', true) = '$path'") or die;
}

# ---- a directory that cannot be used ---------------------------------------------------------------------------------------

my $anything = "SELECT id FROM backup_create()";

set_location("$root/missing/deeper");
my $outcome = attempt($node, $anything);
is_outcome($outcome, '58P01', 'a directory whose parent is missing');
like($outcome->{message}, qr{"$root/missing/deeper": No such file}, 'the message names the path');
like($outcome->{hint}, qr/pg_snapback\.storage_location/, 'the hint names the setting');
is_outcome(attempt($node, 'SELECT * FROM backup_list()'), '58P01', 'listing says so as well: an empty list would look like lost backups');
is_outcome(attempt($node, "SELECT * FROM backup_verify('backup_2026')"), '58P01', 'and so does verifying');

set_location("$root/made");
is_outcome(attempt($node, $anything), '', 'a missing directory is made when its parent is there');
is(sprintf('%04o', (stat "$root/made")[2] & 07777), '0700', 'closed to others');
is(value($node, 'SELECT count(*) FROM backup_list()'), 1, 'and used');
my ($file) = grep { /zst$/ } stored("$root/made");
is(sprintf('%04o', (stat "$root/made/$file")[2] & 07777), '0600', 'backups are closed to others');

SKIP:
{
	skip 'root may write everywhere', 6 if $> == 0;
	chmod 0500, "$root/made" or die;
	$outcome = attempt($node, $anything);
	is_outcome($outcome, '42501', 'a directory that may not be written');
	like($outcome->{message}, qr{"$root/made"}, 'the message names the path');
	like($outcome->{hint}, qr/operating system user/, 'the hint says who needs access');
	is(value($node, 'SELECT count(*) FROM backup_list() WHERE state = $$good$$'), 1, 'but read');
	chmod 0000, "$root/made" or die;
	is_outcome(attempt($node, 'SELECT * FROM backup_list()'), '42501', 'a directory that may not be read');
	chmod 0700, "$root/made" or die;
	is_outcome(attempt($node, $anything), '', 'with the right to write the next backup works');
}

chmod 0777, "$root/made" or die;
$outcome = attempt($node, $anything);
is_outcome($outcome, '55000', 'a directory that everybody may write');
chmod 0700, "$root/made" or die;

append_to_file("$root/file", 'text');
set_location("$root/file");
$outcome = attempt($node, $anything);
is_outcome($outcome, '42809', 'a file in its place');
like($outcome->{message}, qr{Not a directory}, 'is named so');
is_outcome(attempt($node, 'SELECT * FROM backup_list()'), '42809', 'for lists too');
is(slurp_file("$root/file"), 'text', 'and left alone');
symlink "$root/nowhere", "$root/link" or die;
set_location("$root/link");
is_outcome(attempt($node, $anything), '58P01', 'a link to nowhere');
set_location('/dev/null');
is_outcome(attempt($node, $anything), '42809', 'a device');

# ---- a full disk -----------------------------------------------------------------------------------------------------------

my $disk = $ENV{SNAPBACK_SMALL_DISK};
if (!$disk)
{
	# said loudly, because a promise goes unproven
	diag('SNAPBACK_SMALL_DISK is not set: run scripts/test as root or with sudo to test a full disk');
}
SKIP:
{
	skip 'no small disk', 1 unless $disk;
	my $location = "$disk/003_disk_full";
	mkdir $location, 0700 or die "$location: $!";
	set_location($location);
	$node->safe_psql('postgres', <<'END');
CREATE TABLE small (id integer PRIMARY KEY);
INSERT INTO small SELECT generate_series(1, 100);
CREATE TABLE big (id integer PRIMARY KEY, body text);
INSERT INTO big SELECT g, (SELECT string_agg(md5(g || ' ' || i), '') FROM generate_series(1, 1000) i) FROM generate_series(1, 2000) g;
END
	my $first = value($node, "SELECT id FROM backup_create('{small,notes}')");
	my @before = stored($location);

	# more than the disk has, found in the middle of the table
	$outcome = attempt($node, "SELECT backup_create('{big}')");
	is_outcome($outcome, '53100', 'the disk becomes full in the middle of a backup') or diag(`df -k $disk` . `ls -la $location`);
	like($outcome->{message}, qr/No space left on device/, 'the message says so');
	isnt($outcome->{hint}, '', 'the hint says what to do') or diag($outcome->{err});
	is_deeply([ stored($location) ], \@before, 'nothing of it is left, so that the room is free again');
	is(value($node, "SELECT string_agg(id || ' ' || state, ',') FROM backup_list()"), "$first good", 'the earlier backup is still there');
	is(value($node, "SELECT ok FROM backup_verify('$first')"), 't', 'and good');
	is_outcome(attempt($node, "SELECT id FROM backup_create('{small}')"), '', 'a backup that fits works');

	# nothing but some pages is left: even the smallest backup finds no room, somewhere between its first byte and its sidecar
	my ($size, $failed, $worked) = (0, 0, 0);
	open(my $filler, '>', "$disk/filler") or die;
	$filler->autoflush(1);
	1 while syswrite $filler, 'x' x 65536;
	1 while syswrite $filler, 'x' x 512;
	close $filler;
	@before = stored($location);
	$outcome = attempt($node, "SELECT backup_create('{small}')");
	is_outcome($outcome, '53100', 'no room at all');
	is_deeply([ stored($location) ], \@before, 'nothing is left');
	foreach my $step (1 .. 12)
	{
		truncate "$disk/filler", (-s "$disk/filler") - 4096 or die $!;
		@before = stored($location);
		$outcome = attempt($node, "SELECT backup_create('{notes}', verify => 'content')");
		if ($outcome->{state} eq '')
		{
			$worked++;
			last if $worked == 2;
			next;
		}
		$failed++;
		is_outcome($outcome, '53100', "$step free pages: full");
		is_deeply([ stored($location) ], \@before, "$step free pages: nothing is left") or diag($outcome->{err});
	}
	is(value($node, "SELECT string_agg(b.id || ' ' || b.state || ' ' || v.problems, ', ') FROM backup_list() b, backup_verify(b.id) v WHERE b.state <> 'good' OR NOT v.ok"), '', 'all that is listed is whole');

	# a restore whose safety backup finds no room changes nothing
	open($filler, '>>', "$disk/filler") or die;
	1 while syswrite $filler, 'x' x 512;
	close $filler;
	$node->safe_psql('postgres', 'DELETE FROM notes WHERE id <= 100');
	$outcome = attempt($node, "SELECT * FROM backup_restore('$first', '{notes}')");
	is_outcome($outcome, '53100', 'a restore without room for its safety backup');
	is(value($node, 'SELECT count(*) FROM notes'), 100, 'changes nothing');
	is_outcome(attempt($node, "SELECT * FROM backup_pin('$first')"), '53100', 'a pin without room');
	is(value($node, "SELECT pinned FROM backup_list() WHERE id = '$first'"), 'f', 'leaves the backup as it was');
	is_outcome(attempt($node, "SELECT * FROM backup_restore('$first', '{notes}', safety_backup => false)"), '', 'without one it works on a full disk');
	is(value($node, 'SELECT count(*) FROM notes'), 200, 'and the rows are back');
	is(value($node, "SELECT ok FROM backup_verify('$first')"), 't', 'verifying works on a full disk');

	unlink "$disk/filler" or die;
	is_outcome(attempt($node, "SELECT backup_create('{small,notes}')"), '', 'with room the next backup works');
	is(join(' ', unfinished($location)), '', 'no leftovers');

	# ---- a plan's run finds no room; the next one does ----
	$node->append_conf('postgresql.conf', "shared_preload_libraries = 'pg_snapback'\npg_snapback.min_free_space = '1MB'\n");
	$node->restart;
	$node->safe_psql('postgres', <<'END');
SELECT count(backup_delete(id)) FROM backup_list();
CREATE TABLE medium AS SELECT * FROM big WHERE id <= 200;
SELECT FROM backup_schedule('nightly', '0 0 1 1 *', tables => '{medium}', retries => 0);
END
	$node->safe_psql('postgres', "SELECT backup_create('{small}')");
	@before = stored($location);
	# all but 768 kB
	my $fill_disk = sub {
		open(my $file, '>', "$disk/filler") or die;
		1 while syswrite $file, 'x' x 65536;
		close $file;
		truncate "$disk/filler", (-s "$disk/filler") - (768 << 10) or die $!;
	};
	$fill_disk->();

	# the worker looks at once when a plan changes
	my $run_plan = sub { make_due($node); return $node->safe_psql('postgres', "SELECT FROM backup_schedule('nightly')") };
	# a state that a worker will have written down
	my $comes = sub {
		my ($query, $name) = @_;
		ok($node->poll_query_until('postgres', $query), $name)
			or diag(value($node, "SELECT string_agg(r::text, chr(10)) FROM backup_runs r WHERE plan = 'nightly'"), value($node, 'SELECT string_agg(a::text, chr(10)) FROM snapback.alert a'));
	};
	$run_plan->();
	$comes->("SELECT count(*) = 1 FROM backup_runs WHERE plan = 'nightly' AND state = 'failed' AND sqlstate = '53100' AND message LIKE '%No space left on device%' AND backup_id IS NULL AND finished_at IS NOT NULL",
		'a plan\'s run on a full disk has failed');
	is_deeply([ stored($location) ], \@before, 'and left nothing behind');
	$comes->("SELECT state = 'ran' AND reason LIKE 'failed: %No space left on device%' FROM backup_slots", 'its slot says why');
	is(value($node, "SELECT last_run_state || ' ' || (last_good_backup IS NULL) FROM backup_plans"), 'failed true', 'and the plan');
	$comes->("SELECT count(*) = 2 FROM snapback.alert WHERE code IN ('run_failed', 'space_low') AND closed_at IS NULL", 'two alerts are announced');
	is(value($node, "SELECT string_agg(code, ' ' ORDER BY code) FROM backup_alerts WHERE severity = 'warning'"), 'run_failed space_low', 'and open');
	my $log = log_text($node);
	like($log, qr/pg_snapback: event=end operation=create role="postgres" run=\d+ plan="nightly" outcome=failed seconds=[\d.]+ sqlstate=53100$/m, 'the log tells of the run');
	like($log, qr/pg_snapback: alert=opened severity=warning code=run_failed plan="nightly"$/m, 'and of the alert');
	unlink "$disk/filler" or die;
	$run_plan->();
	$comes->("SELECT count(*) = 1 FROM backup_runs WHERE plan = 'nightly' AND state = 'succeeded'", 'once there is room the next slot runs');
	is(value($node, "SELECT ok FROM backup_plans p, backup_verify(p.last_good_backup)"), 't', 'with a good backup');
	$comes->("SELECT count(*) = 0 FROM snapback.alert WHERE code IN ('run_failed', 'space_low') AND closed_at IS NULL", 'and both alerts close');

	# a call by hand wakes the worker too
	$fill_disk->();
	is_outcome(attempt($node, "SELECT backup_create('{small}')"), '', 'a small backup by hand');
	$comes->("SELECT count(*) = 1 FROM snapback.alert WHERE code = 'space_low' AND closed_at IS NULL", 'announces that room is low');
}

check_log($node, [qw(57P01 58P01 42501 55000 42809 53100)], 'the log has only the errors that were made');

done_testing();
