# Due times against croniter and Python's zoneinfo: random schedules in zones of every kind, half of the moments around clock changes. The cases come from
# test/tools/cron_cases.py, which also says for each in what croniter's own answer may differ and why.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $cases = $ENV{SNAPBACK_BRIEF} ? 2_000 : 10_000;
my $seed = 20261122;

# scripts/test installs it: without it nothing would be compared
system('/usr/bin/python3 -c "import croniter, zoneinfo"') == 0 or die 'python3-croniter is not installed';

my $folder = PostgreSQL::Test::Utils::tempdir();
my @halves = map { "$folder/cases_$_.tsv" } 0, 1;
my @pids;
for my $half (0, 1)
{
	my $pid = fork // die "fork: $!";
	if ($pid == 0)
	{
		exec '/bin/sh', '-c', 'exec "$@" > ' . $halves[$half], 'sh', '/usr/bin/python3', 'test/tools/cron_cases.py', $seed + $half, $cases / 2 or die "python3: $!";
	}
	push @pids, $pid;
}
my $node = new_server('cron');
for my $pid (@pids)
{
	waitpid $pid, 0;
	is($?, 0, 'cases made');
}

$node->safe_psql('postgres', <<END);
CREATE EXTENSION pg_snapback_test;
CREATE TABLE cases (schedule text, zone text, moment text, expected text, croniter text, kind text);
@{[map { "COPY cases FROM '$_';" } @halves]}
CREATE TABLE answers AS SELECT *, snapback_cron_due(schedule, zone, moment, 2) AS due FROM cases;
END
is(value($node, 'SELECT count(*) FROM answers'), $cases, 'all cases');
is(value($node, q{SELECT string_agg(format('%s in %s after %s: %s instead of %s', schedule, zone, to_timestamp(moment::float8), due, expected), E'\n')
                  FROM (SELECT * FROM answers WHERE due <> expected LIMIT 10) AS a}), '', 'every due time is the one expected');

# croniter as it stands differs for the known reasons only, and each of them occurs
is(value($node, q{SELECT string_agg(format('%s in %s after %s: %s, croniter %s', schedule, zone, to_timestamp(moment::float8), due, croniter), E'\n')
                  FROM (SELECT * FROM answers WHERE due <> croniter AND kind = '' LIMIT 10) AS a}), '', 'croniter says the same where no difference is known');
my ($croniter) = `/usr/bin/python3 -c "from importlib.metadata import version; print(version('croniter'))"` =~ /^(\d+)/;
for my $kind ('clock change', 'day fields', $croniter >= 2 ? 'one value' : (), $croniter < 6 ? 'all days' : ())
{
	cmp_ok(value($node, "SELECT count(*) FROM answers WHERE due <> croniter AND kind LIKE '%$kind%'"), '>', $cases / 1000, "croniter differs: $kind");
}
cmp_ok(value($node, q{SELECT count(*) FROM answers WHERE kind = ''}), '>', $cases / 4, 'many cases are compared with croniter as it stands');

$node->stop;
done_testing();
