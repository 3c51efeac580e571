# What the tests of server life share: servers, statements with their SQLSTATE, statements that run while the test goes on.
package SnapbackTest;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(init_data_directory new_server storage stored unfinished attempt start finish backend wait_asleep wait_blocked held let_go wait_up fault value
  check_log log_text is_outcome make_due patience prepare_cancels cancelled_quickly);

my $cancel_function = <<'SQL';
-- Waits until the call with this name is in the phase, a further condition holds (SQL, about the row a of pg_stat_activity) and it has
-- worked a little, cancels it and returns the seconds until it was over. All in the server, so that starting programs is not measured.
-- NULL when the moment was never seen.
CREATE FUNCTION cancel_in(application text, wanted_phase text, wanted_table text, delay double precision, moment text) RETURNS double precision LANGUAGE plpgsql AS $$
DECLARE
  victim integer;
  cancelled timestamptz;
  begun timestamptz := clock_timestamp();
BEGIN
  LOOP
    PERFORM pg_stat_clear_snapshot();
    SELECT a.pid INTO victim FROM pg_stat_activity a LEFT JOIN backup_progress p USING (pid) LEFT JOIN pg_stat_progress_create_index i USING (pid)
     WHERE a.application_name = application AND CASE wanted_phase WHEN 'CREATE INDEX' THEN i.pid IS NOT NULL
                                                    ELSE p.phase = wanted_phase AND p.table_name IS NOT DISTINCT FROM coalesce(wanted_table, p.table_name) END;
    IF victim IS NOT NULL THEN
      EXECUTE 'SELECT a.pid FROM pg_stat_activity a WHERE a.pid = $1 AND (' || moment || ')' INTO victim USING victim;
    END IF;
    EXIT WHEN victim IS NOT NULL;
    IF clock_timestamp() > begun + '300 s' OR clock_timestamp() > begun + '3 s' AND NOT EXISTS (SELECT FROM pg_stat_activity WHERE application_name = application) THEN RETURN NULL; END IF;
    PERFORM pg_sleep(0.005);
  END LOOP;
  PERFORM pg_sleep(delay);
  cancelled := clock_timestamp();
  PERFORM pg_cancel_backend(victim);
  LOOP
    PERFORM pg_stat_clear_snapshot();
    EXIT WHEN NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE pid = victim AND state = 'active');
    PERFORM pg_sleep(0.002);
  END LOOP;
  RETURN extract(epoch FROM clock_timestamp() - cancelled);
END$$;
SQL

# make_due(NODE, [PLANS]): the plans whose names are like PLANS are due, each time for another slot.
my $slot = 0;

sub make_due
{
	my ($node, $plans) = @_;
	$slot++;
	$node->safe_psql('postgres', "UPDATE snapback.plan SET next_due = date_trunc('second', clock_timestamp()) - interval '200 seconds' + $slot * interval '20 seconds' WHERE plan LIKE '" . ($plans // '%') . "'");
	return;
}

# Seconds that something may take at most which is given one second; servers under the sanitizers are slow.
sub patience { return $ENV{SNAPBACK_SANITIZE} ? 6 : 1.5 }

# What cancelled_quickly() needs in the server.
sub prepare_cancels { $_[0]->safe_psql('postgres', $cancel_function); return }

# cancelled_quickly(NODE, WHAT, STATEMENT, PHASE, [table => NAME], [delay => SECONDS], [before => SQL], [storage => DIRECTORY], [fault => SETTING], [moment => SQL], [limit => SECONDS]): a call that is cancelled in this phase
# ends within a second, or the limit, and leaves nothing unfinished. With `fault`, a point that pauses, it is cancelled in a pause; with `moment`, when this holds too.
sub cancelled_quickly
{
	my ($node, $what, $statement, $phase, %options) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my ($outcome, $seconds, $late);
	my $listed = value($node, 'SELECT array_agg(id) FROM backup_list()') || '{}';
	# a phase may be over before the cancel arrives: on a fast machine it is caught earlier in the next try
	my $delay = $options{delay} // 0;
	my $moment = $options{moment} // ($options{fault} ? "a.wait_event_type = 'Extension'" : 'true');
	foreach my $try (1 .. 12)
	{
		# a restore that was over has left nothing for the next one to do
		$node->safe_psql('postgres', $options{before}) if $options{before};
		my $job = start($node, ($options{fault} ? fault($options{fault}) : '') . $statement);
		my $table = $options{table} ? "'$options{table}'" : 'NULL';
		$seconds = value($node, "SELECT cancel_in('$job->{name}', '$phase', $table, $delay, \$\$$moment\$\$)");
		$outcome = finish($job);
		# a backup that has its name stays, though the call may be cancelled before its transaction has ended
		$late = value($node, "SELECT count(backup_delete(id)) FROM backup_list() WHERE id <> ALL ('$listed')");
		last if $outcome->{state} ne '' && $late == 0;
		$delay = $try < 4 ? $delay / 2 : 0;
	}
	is_outcome($outcome, '57014', "$what: cancelled");
	is($late, 0, "$what: leaves no backup");
	my $limit = $options{limit} // patience();
	ok($seconds ne '' && $seconds < $limit, "$what: within " . ($options{limit} ? 'one pause' : 'a second')) or diag("$seconds s");
	note("$what: $seconds s");
	is(join(' ', unfinished($options{storage} // storage($node))), '', "$what: nothing is left in the storage");
	return;
}

# The superuser is called postgres, whoever runs the tests.
$ENV{PGUSER} = 'postgres';

# init_data_directory(NODE, OPTIONS): those of Cluster::init.
sub init_data_directory
{
	my ($node, %options) = @_;
	$node->init(%options, extra => [ '--username=postgres', @{ $options{extra} // [] } ]);
	return;
}

# new_server(NAME, OPTIONS): a running server with the extension. Options: conf (lines), init (of Cluster::init, a hash), bare
# (the extension is not created). The log has the SQLSTATE of every line.
sub new_server
{
	my ($name, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	init_data_directory($node, %{ $options{init} // {} });
	$node->append_conf('postgresql.conf', <<END);
autovacuum = off
log_statement = none
log_line_prefix = '%m [%p] %q%a %e '
restart_after_crash = on
max_wal_size = 4GB
END
	$node->append_conf('postgresql.conf', $options{conf}) if $options{conf};
	$node->start;
	$node->safe_psql('postgres', 'CREATE EXTENSION pg_snapback') unless $options{bare};
	return $node;
}

# Where a server keeps its backups when nothing is set.
sub storage { return $_[0]->data_dir . '-snapback' }

# Names of the files in a directory.
sub stored
{
	my ($directory) = @_;
	return () unless -d $directory;
	opendir(my $handle, $directory) or die "$directory: $!";
	my @names = sort grep { !/^\.\.?$/ } readdir $handle;
	closedir $handle;
	return @names;
}

# Those that are neither a backup nor a sidecar.
sub unfinished
{
	return grep { !/^backup_\d{8}T\d{6}Z_[0-9a-f]{8}\.(json\.zst|state\.json)$/ } stored($_[0]);
}

# A statement that makes the next call misbehave at a point: fault('backup.table_read=kill').
sub fault
{
	my ($setting) = @_;
	$setting =~ s/'/''/g;
	return "LOAD 'pg_snapback'; SET pg_snapback.test_fault = '$setting';\n";
}

my $jobs = 0;
my $folder;    # of the scripts that psql reads

# start(NODE, SQL, OPTIONS): psql runs the statements while the test goes on. Options: database, user.
sub start
{
	my ($node, $sql, %options) = @_;
	my %job = (node => $node, out => '', err => '', started => time, name => 'job_' . ++$jobs);
	local %ENV = ($node->_get_env, PGAPPNAME => $job{name});
	$folder //= PostgreSQL::Test::Utils::tempdir_short();
	my $file = "$folder/$job{name}.sql";
	append_to_file($file, $sql);
	my @command = ('psql', '-XAtq', '-v', 'ON_ERROR_STOP=1', '-v', 'VERBOSITY=verbose', '-v', 'SHOW_CONTEXT=never',
		'-d', $options{database} // 'postgres');
	push @command, '-U', $options{user} if $options{user};
	$job{handle} = IPC::Run::start([ @command, '-f', $file ], '<', \undef, '>', \$job{out}, '2>', \$job{err},
		IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default));
	return \%job;
}

# Waits for its end; returns state ('' when all went well, 'lost' when the connection broke), message, detail, hint, out.
sub finish
{
	my ($job) = @_;
	$job->{handle}->finish;
	my %outcome = (out => $job->{out}, err => $job->{err}, seconds => time - $job->{started}, state => '', message => '', detail => '', hint => '');
	chomp $outcome{out};
	if ($job->{err} =~ /^(?:psql:\S+ )?(?:ERROR|FATAL):  (\w{5}): (.*)$/m)
	{
		@outcome{qw(state message)} = ($1, $2);
		$outcome{detail} = $1 if $job->{err} =~ /^DETAIL:  (.*)$/m;
		$outcome{hint} = $1 if $job->{err} =~ /^HINT:  (.*)$/m;
	}
	elsif ($job->{err} =~ /server closed the connection|connection to server was lost/)
	{
		$outcome{state} = 'lost';
	}
	elsif ($job->{handle}->result(0) != 0)
	{
		$outcome{state} = 'psql: ' . $job->{err};
	}
	return \%outcome;
}

sub attempt
{
	return finish(start(@_));
}

# One value, for comparing; dies when the statement fails.
sub value { return $_[0]->safe_psql('postgres', $_[1]) }

sub is_outcome
{
	my ($outcome, $state, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is($outcome->{state}, $state, $name) or diag($outcome->{err});
	return $outcome->{state} eq $state;
}

# The process that serves a started job.
sub backend
{
	my ($job) = @_;
	return value($job->{node}, "SELECT pid FROM pg_stat_activity WHERE application_name = '$job->{name}'");
}

sub wait_until
{
	my ($job, $condition, $what) = @_;
	for (1 .. 600)
	{
		return 1 if value($job->{node}, "SELECT count(*) FROM pg_stat_activity WHERE application_name = '$job->{name}' AND $condition");
		$job->{handle}->pump_nb;
		usleep(50_000);
	}
	die "$job->{name} is not $what: $job->{err}";
}

# Until it sleeps at its fault point.
sub wait_asleep { return wait_until($_[0], "wait_event_type = 'Extension'", 'asleep') }

# Until it waits for a lock.
sub wait_blocked { return wait_until($_[0], "wait_event_type = 'Lock'", 'blocked') }

# held(NODE, POINT, STATEMENT): a job that waits at this point until let_go(). One at a time.
my $gate;

sub held
{
	my ($node, $point, $statement) = @_;
	$gate = $node->background_psql('postgres');
	$gate->query_safe('SELECT pg_advisory_lock(1)');
	my $job = start($node, fault("$point=sql:SELECT pg_catalog.pg_advisory_lock(1)") . $statement);
	wait_blocked($job);
	return $job;
}

sub let_go { $gate->quit; return }

# Until the server has recovered from one more crash by SIGKILL. Its log tells: a connection may be made before the server has noticed the crash.
my %crashes;

sub wait_up
{
	my ($node) = @_;
	my $known = $crashes{ $node->name } // 0;
	for (1 .. 1200)
	{
		my $log = log_text($node);
		my $found = () = $log =~ /was terminated by signal 9/g;
		if ($found > $known && substr($log, rindex($log, 'was terminated by signal 9')) =~ /database system is ready to accept connections/)
		{
			$crashes{ $node->name } = $found;
			return;
		}
		usleep(50_000);
	}
	die "the server did not come up again";
}

sub log_text { return slurp_file($_[0]->logfile) }

# check_log(NODE, STATES, NAME): the server has reported nothing worse than errors of these SQLSTATEs.
sub check_log
{
	my ($node, $expected, $name) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my %expected = map { $_ => 1 } @$expected;
	my @others;
	foreach my $line (split /\n/, log_text($node))
	{
		next unless $line =~ /^\d{4}-\S+ \S+ \S+ \[\d+\] (?:.*? )?(\w{5}) (PANIC|FATAL|ERROR|WARNING):  /;
		push @others, $line if $2 eq 'PANIC' || !$expected{$1};
	}
	my @crashes = grep { /was terminated by signal/ && !/signal 9/ } split /\n/, log_text($node);
	is(join("\n", @others, @crashes), '', $name);
	return;
}

1;
