# Values and tables at the limits of what PostgreSQL holds, and the memory that they take: 700 MB of bytea, 1,000 MB of control characters,
# a row of four values of 600 MB, ten million rows, ten thousand tables. Backed up, verified, changed, restored, compared.
# Takes half an hour and 20 GB of disk, so only with SNAPBACK_NIGHTLY=1.
# Not under the sanitizers: it measures memory.

use strict;
use warnings FATAL => 'all';

use IPC::Run ();
# seconds that one call may take
BEGIN { $ENV{PG_TEST_TIMEOUT_DEFAULT} = 3600 }

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

plan skip_all => 'takes half an hour and 20 GB of disk: set SNAPBACK_NIGHTLY=1 to run it' unless $ENV{SNAPBACK_NIGHTLY};

my %wanted = map { $_ => 1 } split /,/, $ENV{SNAPBACK_SIZES} // 'bytea,text,row,rows,tables';
my $node = new_server('sizes', conf => "fsync = off\nmax_wal_size = 20GB\nwal_level = minimal\nmax_wal_senders = 0\nmaintenance_work_mem = 64MB\nautovacuum = off\n");
my $mb = 1 << 20;

# Kilobytes of memory that a process has for itself; 0 when it is gone.
sub anonymous
{
	my ($pid) = @_;
	open(my $status, '<', "/proc/$pid/status") or return 0;
	while (my $line = <$status>)
	{
		return $1 if $line =~ /^RssAnon:\s+(\d+) kB/;
	}
	return 0;
}

# Runs a statement and watches the process that serves it, and its parallel workers. Returns the outcome and the most memory that they had together.
sub watched
{
	my ($statement) = @_;
	my $job = start($node, $statement);
	my ($pid, $peak, $children, $looked) = ('', 0, '', 0);
	while ($job->{handle}->pumpable)
	{
		$pid ||= backend($job);
		if ($pid)
		{
			if (time - $looked > 0.5)
			{
				$children = $node->safe_psql('postgres', "SELECT string_agg(pid::text, ' ') FROM pg_stat_activity WHERE leader_pid = $pid AND pid <> $pid");
				$looked = time;
			}
			my $now = 0;
			$now += anonymous($_) foreach $pid, split / /, $children;
			$peak = $now if $now > $peak;
			last if !-d "/proc/$pid";
		}
		usleep(5_000);
		$job->{handle}->pump_nb;
	}
	return (finish($job), $peak);
}

# Each step, its time and its memory: at most 64 MB, three times the largest value, and 5 kB for each table.
sub step
{
	my ($what, $statement, $expected, $largest, $tables) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($outcome, $peak) = watched($statement);
	is_outcome($outcome, '', $what) or return '';
	is($outcome->{out}, $expected, "$what: as expected") if defined $expected;
	my $bound = 64 * 1024 + 3 * $largest / 1024 + 5 * $tables;
	cmp_ok($peak, '<=', $bound, sprintf('%s: %.0f MB of %.0f MB', $what, $peak / 1024, $bound / 1024));
	note(sprintf '%s: %.1f s, peak %.0f MB, bound %.0f MB', $what, $outcome->{seconds}, $peak / 1024, $bound / 1024);
	return $outcome->{out};
}

# The whole way of one table, whose change leaves nothing of its values.
sub life_of
{
	my ($table, $largest, $change, $digest) = @_;
	my $before = value($node, $digest);
	my $id = step("$table: backup", "SELECT id FROM backup_create('{$table}', verify => 'files')", undef, $largest, 1);
	step("$table: verified", "SELECT ok FROM backup_verify('$id', 'content')", 't', $largest, 1);
	$node->safe_psql('postgres', $change);
	step("$table: dry run", "SELECT action <> 'unchanged' FROM backup_restore('$id', '{$table}', dry_run => true)", 't', $largest, 1);
	step("$table: restored", "SELECT proven FROM backup_restore('$id', '{$table}', safety_backup => false)", 't', $largest, 1);
	is(value($node, $digest), $before, "$table: as it was");
	step("$table: compared", "SELECT equal FROM backup_compare('$id')", 't', $largest, 1);
	$node->safe_psql('postgres', "DROP TABLE $table; SELECT backup_delete('$id')");
	return;
}

if ($wanted{bytea})
{
	$node->safe_psql('postgres', 'CREATE TABLE bytes (id integer PRIMARY KEY, b bytea); ALTER TABLE bytes ALTER b SET STORAGE EXTERNAL');
	$node->safe_psql('postgres', "INSERT INTO bytes SELECT 1, convert_to(repeat(md5('x') || E'\\x01\"', 21588480), 'SQL_ASCII')");
	is(value($node, 'SELECT length(b) FROM bytes') > 700 * $mb, 1, 'more than 700 MB of bytea');
	life_of('bytes', 700 * $mb, "UPDATE bytes SET b = ''", 'SELECT md5(b) FROM bytes');
}
if ($wanted{text})
{
	$node->safe_psql('postgres', 'CREATE TABLE controls (id integer PRIMARY KEY, t text); ALTER TABLE controls ALTER t SET STORAGE EXTERNAL');
	$node->safe_psql('postgres', "INSERT INTO controls SELECT 1, repeat(E'\\x01', 1000 * $mb)");
	life_of('controls', 1000 * $mb, "UPDATE controls SET t = ''", 'SELECT md5(t) FROM controls');
}
if ($wanted{row})
{
	$node->safe_psql('postgres', 'CREATE TABLE four (id integer PRIMARY KEY, a text, b text, c bytea, d text); ' . join '; ', map { "ALTER TABLE four ALTER $_ SET STORAGE EXTERNAL" } qw(a b c d));
	$node->safe_psql('postgres', 'INSERT INTO four VALUES (1)');
	# one at a time, because no statement can hold them all
	$node->safe_psql('postgres', "UPDATE four SET $_ = repeat(md5('$_') || 'é', 18504084)") foreach qw(a b d);
	$node->safe_psql('postgres', "UPDATE four SET c = convert_to(repeat(md5('c') || 'é', 18504084), 'SQL_ASCII')");
	is(value($node, 'SELECT octet_length(a) > 599 * 1048576 AND octet_length(c) > 599 * 1048576 FROM four'), 't', 'four values of 600 MB');
	# one value at a time, in whatever row
	life_of('four', 600 * $mb, "UPDATE four SET a = '', b = '', c = '', d = ''", 'SELECT md5(a), md5(b), md5(c), md5(d) FROM four');
}
if ($wanted{rows})
{
	$node->safe_psql('postgres', "CREATE TABLE many (id integer PRIMARY KEY, n integer, t text); INSERT INTO many SELECT g, g % 1000, 'row ' || g FROM generate_series(1, 10000000) g");
	life_of('many', 0, 'UPDATE many SET n = -1 WHERE id % 1000 = 0; DELETE FROM many WHERE id % 5000 = 1', 'SELECT count(*), sum(n), sum(hashtext(t)::bigint * id) FROM many');
}
if ($wanted{tables})
{
	$node->safe_psql('postgres', 'CREATE SCHEMA s');
	$node->safe_psql('postgres', join "\n", map { "CREATE TABLE s.t$_ (id integer PRIMARY KEY, x text); INSERT INTO s.t$_ VALUES (1, 'a');" } $_ * 500 + 1 .. $_ * 500 + 500) foreach 0 .. 19;
	my $id = step('10,000 tables: backup', "SELECT id FROM backup_create('{s.*}')", undef, 0, 10_000);
	step('10,000 tables: verified', "SELECT tables FROM backup_verify('$id', 'content')", 10_000, 0, 10_000);
	$node->safe_psql('postgres', "UPDATE s.t5 SET x = 'b'; DELETE FROM s.t6");
	step('10,000 tables: restored', "SELECT count(*) FROM backup_restore('$id') WHERE action <> 'unchanged'", 2, 0, 10_000);
	step('10,000 tables: compared', "SELECT count(*) FROM backup_compare('$id') WHERE equal", 10_000, 0, 10_000);
}

check_log($node, [], 'nothing is in the log');
done_testing();
