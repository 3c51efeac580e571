# The real pg_cron drives backup_run_due() beside the launcher: it sees failures, and no slot runs twice.
# Not under the sanitizers: pg_cron is not ours.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(usleep);

# pg_cron is among the packages that scripts/test installs; without it the server does not start
my $node = PostgreSQL::Test::Cluster->new('pg_cron');
init_data_directory($node);
$node->append_conf('postgresql.conf', <<END);
shared_preload_libraries = 'pg_cron'
cron.database_name = 'postgres'
cron.use_background_workers = on
max_worker_processes = 20
autovacuum = off
log_line_prefix = '%m [%p] %q%a %e '
END
$node->start;
$node->safe_psql('postgres', <<'END');
CREATE EXTENSION pg_cron;
CREATE EXTENSION pg_snapback;
CREATE TABLE courses AS SELECT g AS id FROM generate_series(1, 100) g;
SELECT FROM backup_schedule('good', '0 0 1 1 *', tables => '{courses}');
CREATE TABLE gone (id integer);
SELECT FROM backup_schedule('bad', '0 0 1 1 *', tables => '{gone}', retries => 0);
DROP TABLE gone;
END

# Jobs of schedule @reboot run as soon as pg_cron is there: nobody waits for a full minute.
sub run_jobs
{
	my ($libraries, @jobs) = @_;
	$node->safe_psql('postgres', 'DELETE FROM cron.job; DELETE FROM cron.job_run_details; DELETE FROM snapback.slot');
	$node->safe_psql('postgres', "SELECT cron.schedule('job $_', '\@reboot', '$jobs[$_]')") foreach 0 .. $#jobs;
	$node->append_conf('postgresql.conf', "shared_preload_libraries = '$libraries'");
	$node->restart;
	for (1 .. 600)
	{
		last if $node->safe_psql('postgres', "SELECT count(*) FROM cron.job_run_details WHERE status IN ('succeeded', 'failed')") == @jobs;
		usleep(50_000);
	}
	return $node->safe_psql('postgres', "SELECT string_agg(status, ' ' ORDER BY runid) FROM cron.job_run_details");
}

my $due = "UPDATE snapback.plan SET next_due = date_trunc('minute', now()) WHERE plan = ";
$node->safe_psql('postgres', "$due 'good'");
is(run_jobs('pg_cron', 'SELECT backup_run_due(true)'), 'succeeded', 'pg_cron alone runs a plan');
is($node->safe_psql('postgres', "SELECT s.state || ' ' || r.state FROM backup_slots s JOIN backup_runs r USING (run_id)"), 'ran succeeded', 'in its slot');

$node->safe_psql('postgres', "$due 'bad'");
is(run_jobs('pg_cron', 'SELECT backup_run_due(true)'), 'failed', 'it sees a plan that fails');
like($node->safe_psql('postgres', 'SELECT return_message FROM cron.job_run_details'), qr/run \d+ of plan "bad" failed: .*gone/, 'and why');

my $before = $node->safe_psql('postgres', 'SELECT max(run_id) FROM backup_runs');
$node->safe_psql('postgres', "$due 'good'");
is(run_jobs('pg_cron,pg_snapback', ('SELECT backup_run_due(true)') x 3), 'succeeded succeeded succeeded', 'three jobs beside the launcher');
for (1 .. 600)
{
	last if $node->safe_psql('postgres', "SELECT state FROM backup_slots WHERE plan = 'good'") eq 'ran';
	usleep(50_000);
}
is($node->safe_psql('postgres', "SELECT count(*) || ' ' || string_agg(state, ' ') FROM backup_runs WHERE run_id > $before AND plan = 'good'"), '1 succeeded', 'run the slot once');
$node->stop('fast');
done_testing();
