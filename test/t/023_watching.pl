# What a plan's worker does besides backups: they carry the plan and go by its rules, kept ones are read again, and alerts are logged and notified once.
# Not under the sanitizers: it waits for due times.

use strict;
use warnings FATAL => 'all';

use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = new_server('watching', conf => "max_worker_processes = 20\nlog_min_messages = log\n");
$node->safe_psql('postgres', <<'END');
CREATE TABLE courses (id integer PRIMARY KEY);
INSERT INTO courses SELECT generate_series(1, 100);
CREATE ROLE keeper;
GRANT SELECT ON courses TO keeper;
SELECT backup_grant('keeper', 'operate');
SET ROLE keeper;
SELECT backup_schedule('nightly', '0 2 * * *', '{courses}', keep_last => 2, retries => 0);
END

# the plan is due now, each time for another slot; what came of it
sub run_due
{
	make_due($node);
	return $node->safe_psql('postgres', 'SELECT backup_run_due()');
}
sub wait_until
{
	my ($query, $what) = @_;
	ok($node->poll_query_until('postgres', $query), $what);
}
sub logged { my ($text) = @_; my $count = () = log_text($node) =~ /\Q$text\E/g; return $count }

run_due() for 1 .. 3;
is(value($node, q{SELECT string_agg(state, ',') FROM backup_runs WHERE plan = 'nightly'}), 'succeeded,succeeded,succeeded', 'three runs');
is(value($node, 'SELECT count(*) FROM backup_list()'), '2', 'two of their backups are kept');
is(value($node, q{SELECT string_agg(reason, '; ' ORDER BY reason) FROM backup_prune('nightly')}) =~ s/last good one, //r, 'last 2 of 2; last 1 of 2', 'by the plan');

# kept backups are read again when their time has come
my ($id) = split /\n/, value($node, 'SELECT id FROM backup_list() ORDER BY created_at LIMIT 1');
my $sidecar = storage($node) . "/$id.state.json";
my $state = slurp_file($sidecar);
$state =~ s/("verified_at": *")[^"]*"/${1}2020-01-01T00:00:00.000000Z"/;
{
	open my $handle, '>', $sidecar or die "$sidecar: $!";
	print $handle $state;
	close $handle;
}
is(value($node, "SELECT verified_at < '2021-01-01' FROM backup_list() WHERE id = '$id'"), 't', 'a backup that was not looked at for long');
$node->safe_psql('postgres', q{UPDATE snapback.plan SET next_reverify = now() - interval '1 minute'});
$node->safe_psql('postgres', 'SELECT backup_run_due()');
wait_until("SELECT verified_at > now() - interval '1 hour' FROM backup_list() WHERE id = '$id'", 'is looked at');
wait_until(q{SELECT next_reverify > now() FROM snapback.plan}, 'and the next time is set');
is(value($node, q{SELECT count(*) FROM backup_runs WHERE kind = 'verify'}), '1', 'once, and only that one');

# damage is found, and alerted about
my $file = storage($node) . "/$id.json.zst";
{
	open my $handle, '+<', $file or die "$file: $!";
	seek $handle, 100, 0;
	print $handle 'XXXX';
	close $handle;
}
open my $handle, '>', $sidecar or die "$sidecar: $!";
print $handle $state;
close $handle;
my $heard = $node->safe_psql('postgres', <<'END');
LISTEN pg_snapback;
SELECT pg_sleep(1.1);
UPDATE snapback.plan SET next_reverify = clock_timestamp();
SELECT backup_run_due();
DO $$
BEGIN
  FOR i IN 1 .. 1800 LOOP
    EXIT WHEN EXISTS (SELECT FROM snapback.alert WHERE code = 'damaged' AND closed_at IS NULL);
    PERFORM pg_sleep(0.1);
  END LOOP;
END $$;
SELECT 'heard';
END
is(value($node, q{SELECT count(*) FROM backup_alerts WHERE code = 'damaged'}), '1', 'damage is an alert');
is(logged('alert=opened severity=critical code=damaged plan="nightly" backup=' . $id), 1, 'in the log, once');
like($heard, qr/"event":"opened","severity":"critical","code":"damaged","plan":"nightly"/, 'and as a notification');
$node->safe_psql('postgres', "SELECT backup_delete('$id')");

# a failed run, until the next good one
$node->safe_psql('postgres', 'REVOKE SELECT ON courses FROM keeper');
run_due() for 1 .. 2;
is(value($node, q{SELECT count(*) FROM backup_alerts WHERE code = 'run_failed' AND plan = 'nightly'}), '1', 'a failed run is an alert');
wait_until(q{SELECT count(*) = 1 FROM snapback.alert WHERE code = 'run_failed'}, 'that is announced');
$node->safe_psql('postgres', 'GRANT SELECT ON courses TO keeper');
run_due();
wait_until(q{SELECT count(*) = 0 FROM snapback.alert WHERE code IN ('run_failed', 'damaged') AND closed_at IS NULL}, 'and closed by a good run');
is(logged('alert=opened severity=warning code=run_failed plan="nightly"'), 1, 'two failures are logged as one alert');
is(logged('alert=closed severity=warning code=run_failed plan="nightly"'), 1, 'and its end');
is(logged('alert=closed severity=critical code=damaged plan="nightly"'), 1, 'as is that of the damage');

# a verification that ends in an error, until one works
my ($kept) = split /\n/, value($node, q{SELECT id FROM backup_list() WHERE state = 'good' ORDER BY created_at LIMIT 1});
my $old = slurp_file(storage($node) . "/$kept.state.json");
$old =~ s/("verified_at": *")[^"]*"/${1}2020-01-01T00:00:00.000000Z"/;
open $handle, '>', storage($node) . "/$kept.state.json" or die $!;
print $handle $old;
close $handle;
$node->safe_psql('postgres', 'REVOKE EXECUTE ON FUNCTION backup_verify(text, text) FROM keeper; UPDATE snapback.plan SET next_reverify = clock_timestamp()');
$node->safe_psql('postgres', 'SELECT backup_run_due()');
wait_until(q{SELECT count(*) = 1 FROM snapback.alert WHERE code = 'verify_failed' AND plan = 'nightly'}, 'a verification that fails is announced');
is(value($node, qq{SELECT state || ' ' || sqlstate FROM backup_runs WHERE kind = 'verify' AND arguments ->> 'backup_id' = '$kept' ORDER BY run_id DESC LIMIT 1}), 'failed 42501', 'it ended in an error');
like(value($node, q{SELECT message FROM backup_alerts WHERE code = 'verify_failed'}), qr/^backup "$kept" of plan "nightly" could not be verified: permission denied/, 'the alert says of what, and why');
$node->safe_psql('postgres', 'GRANT EXECUTE ON FUNCTION backup_verify(text, text) TO keeper; SELECT pg_sleep(1.1); UPDATE snapback.plan SET next_reverify = clock_timestamp()');
$node->safe_psql('postgres', 'SELECT backup_run_due()');
wait_until(q{SELECT count(*) = 0 FROM snapback.alert WHERE code = 'verify_failed' AND closed_at IS NULL}, 'and closed by one that works');
is(logged('alert=opened severity=warning code=verify_failed plan="nightly"') . logged('alert=closed severity=warning code=verify_failed plan="nightly"'), '11', 'each is logged once');

# where nothing drives plans, work that was started announces what it changes
$node->safe_psql('postgres', "LOAD 'pg_snapback'; ALTER DATABASE postgres SET pg_snapback.min_free_space = '2000TB'");
$node->safe_psql('postgres', q{SELECT backup_start('create')});
wait_until(q{SELECT count(*) = 1 FROM snapback.alert WHERE code = 'space_low' AND closed_at IS NULL}, 'a backup by backup_start() announces an alert');

$node->stop;
done_testing();
