# A disk that fails or hesitates at one call, at each call that a backup makes: full at the first byte, in the middle, at write-back, at
# fsync, at rename, and an fsync that fails once only. The call says so, nothing is left or listed, nothing is tried twice that would
# only seem to work, and the next call works.
# Not under the sanitizers: the disk is a library that a server loads before libc, as is the sanitizers'.

use strict;
use warnings FATAL => 'all';

use Errno qw(ENOSPC EIO EDQUOT);
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $folder = PostgreSQL::Test::Utils::tempdir_short();
command_ok([ 'g++', '-std=c++20', '-O1', '-shared', '-fPIC', '-o', "$folder/disk.so", 'test/tools/failing_disk.cpp', '-ldl' ], 'the failing disk builds');
my ($order, $log, $storage) = ("$folder/order", "$folder/log", "$folder/backups");
my $node;
{
	local %ENV = (%ENV, LD_PRELOAD => "$folder/disk.so", FAILING_DISK_DIRECTORY => $storage, FAILING_DISK_ORDER => $order, FAILING_DISK_LOG => $log);
	$node = new_server('failing_disk', conf => "pg_snapback.storage_location = '$storage'\n");
}
# 20 MB of text, of which half is left when it is compressed: more than one window of what is written back early
$node->safe_psql('postgres', <<'END');
CREATE TABLE notes (id integer PRIMARY KEY, body text);
INSERT INTO notes SELECT g, md5(g::text) FROM generate_series(1, 300) g;
CREATE TABLE large (id integer PRIMARY KEY, body text);
INSERT INTO large SELECT g, string_agg(md5(g || ' ' || i), '') FROM generate_series(1, 1000) g, generate_series(1, 1200) i GROUP BY g;
END
prepare_cancels($node);

sub set_order
{
	my ($line) = @_;
	unlink $order;
	append_to_file($order, $line);
	return;
}

# The calls of one statement: lines of call and name.
sub calls_of
{
	my ($statement) = @_;
	unlink $log;
	# rolled back, a safety backup goes again
	is_outcome(attempt($node, "BEGIN;\n$statement;\n\\! cp $log $log.seen\nROLLBACK"), '', "$statement on a disk that works");
	return split /\n/, slurp_file("$log.seen");
}

my $good = value($node, 'SELECT id FROM backup_create()');
my $removals = "SELECT backup_delete(id) FROM backup_list() WHERE id <> '$good'";

# The call fails at that place with that state, and changes nothing.
sub breaks
{
	my ($statement, $call, $nth, $number, $state, $what) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	unlink $log;
	set_order("$call $nth $number 0");
	my $outcome = attempt($node, $statement);
	set_order('');
	my ($unchanged, $listed) = split /\|/, value($node, "SELECT (SELECT count(*) FROM notes WHERE body = 'changed') = 19, (SELECT string_agg(id || ' ' || state, ', ') FROM backup_list())");
	my @wrong;
	push @wrong, "ended as '$outcome->{state}': $outcome->{err}" if $outcome->{state} ne $state;
	push @wrong, "no hint: $outcome->{err}" if $state eq '53100' && $outcome->{hint} eq '';
	push @wrong, 'the rows have changed' if $unchanged ne 't';
	push @wrong, "listed: $listed" if $listed ne "$good good";
	push @wrong, 'stored: ' . join ' ', stored($storage) if join(' ', stored($storage)) ne "$good.json.zst $good.state.json";
	is(join('; ', @wrong), '', $what);
	return;
}

# ---- every call of a backup, and of a restore with its safety backup ------------------------------------------------------------

$node->safe_psql('postgres', "UPDATE notes SET body = 'changed' WHERE id < 20");
my %statements = (
	'a backup' => "SELECT backup_create('{notes}')",
	'a restore' => "SELECT * FROM backup_restore('$good', '{notes}')");
my $faults = 0;
foreach my $who (sort keys %statements)
{
	my $statement = $statements{$who};
	my @calls = calls_of($statement);
	$node->safe_psql('postgres', $removals);
	my %seen;
	$seen{ (split / /, $_)[0] }++ foreach @calls;
	note("$who: " . join ', ', map { "$seen{$_} $_" } sort keys %seen);
	foreach my $call (qw(create write fsync rename))
	{
		cmp_ok($seen{$call}, '>=', 2, "$who has calls of $call, for the file and its sidecar");
		foreach my $nth (1 .. $seen{$call})
		{
			# the first, the last and some between them
			next if $nth > 3 && $nth < $seen{$call} - 1;
			foreach my $fault ([ ENOSPC, '53100', 'a full disk' ], [ EIO, '58030', 'a disk that breaks' ])
			{
				$faults++;
				breaks($statement, $call, $nth, $fault->[0], $fault->[1], "$who: $fault->[2] at $call number $nth");
			}
		}
	}
}
breaks($statements{'a backup'}, 'write', 1, EDQUOT, '53100', 'a quota that is used up');
note("$faults faults");

# ---- in the middle, at write-back, at the read-back ------------------------------------------------------------------------------

my $large = "SELECT backup_create('{large}')";
my @calls = calls_of($large);
$node->safe_psql('postgres', $removals);
my @writes = grep { /^write \S+partial$/ } @calls;
my @windows = grep { /^sync_file_range / } @calls;
my @reads = grep { /^read \S+partial$/ } @calls;
cmp_ok(scalar(@writes), '>=', 4, scalar(@writes) . ' writes of a larger backup');
cmp_ok(scalar(@windows), '>=', 2, scalar(@windows) . ' windows of it are written back early');
cmp_ok(scalar(@reads), '>=', 2, scalar(@reads) . ' reads of what was written');
breaks($large, 'write', int(@writes / 2), ENOSPC, '53100', 'a full disk in the middle');
breaks($large, 'sync_file_range', $_, ENOSPC, '53100', "a full disk at write-back $_") foreach 1, scalar @windows;
breaks($large, 'sync_file_range', 1, EIO, '58030', 'a lost window');
breaks($large, 'read', int(@reads / 2), EIO, '58030', 'a backup that does not read back');

# ---- fsync fails once: asked again it would say that all is well ----------------------------------------------------------------

breaks($large, 'fsync', 1, EIO, '58030', 'fsync fails once');
@calls = split /\n/, slurp_file($log);
is(scalar(grep { /^fsync \S+\.json\.zst\.partial$/ } @calls), 1, 'it is not asked again');
is(scalar(grep { /^rename/ } @calls), 0, 'and the file gets no name');
is_outcome(attempt($node, $large), '', 'the next backup works');
is(value($node, 'SELECT bool_and(v.ok) FROM backup_list() b, backup_verify(b.id) v'), 't', 'all are whole');
$node->safe_psql('postgres', $removals);

# ---- a cancel while the disk takes its time ---------------------------------------------------------------------------------------

# In the end two windows are left, and the file: waiting for both windows is too long, and so are all files' fsyncs together.
set_order('sync_file_range 0 0 900');
cancelled_quickly($node, 'while the last windows are written back', $large, 'syncing file', storage => $storage);
set_order('fsync 0 0 800');
cancelled_quickly($node, 'while the file is made durable', $large, 'syncing file', storage => $storage);
# Before that each window of a larger file is begun, and the one before it waited for.
set_order('');
$node->safe_psql('postgres', 'INSERT INTO large SELECT id + 1000, body FROM large');
@calls = calls_of($large);
$node->safe_psql('postgres', $removals);
my ($written) = grep { $calls[$_] =~ /^fsync/ } 0 .. $#calls;
my $early = grep { /^sync_file_range/ } @calls[ 0 .. $written ];
cmp_ok($early, '>=', 8, "$early calls for windows of 40 MB before the fsync");
set_order('sync_file_range 0 0 500');
unlink $log;
append_to_file($log, '');
chmod 0666, $log;
cancelled_quickly($node, 'while windows are written back', $large, 'reading tables', storage => $storage, moment => "pg_read_file('$log') ~ 'sync_file_range'");
set_order('');
is(join(' ', stored($storage)), "$good.json.zst $good.state.json", 'nothing is left');

is(value($node, "SELECT bool_and(proven) FROM backup_restore('$good', '{notes}')"), 't', 'after all this the restore works');
check_log($node, [qw(53100 58030 57014)], 'the log has only the errors that were made');
done_testing();
