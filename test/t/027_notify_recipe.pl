# The recipe of docs/operations.md that passes alerts on to a webhook: the script as it stands there, against a web server.
# Not under the sanitizers: it is about a shell script.

use strict;
use warnings FATAL => 'all';

use IO::Socket::INET;
use IPC::Run ();
use SnapbackTest;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my ($script) = slurp_file('docs/operations.md') =~ m{```sh\n(#!/bin/sh\n# snapback-notify.*?)```}s;
isnt($script, undef, 'the document has the script') or BAIL_OUT('no script');
my $folder = PostgreSQL::Test::Utils::tempdir_short();
append_to_file("$folder/snapback-notify", $script);
chmod 0755, "$folder/snapback-notify" or die;

my $node = new_server('recipe', conf => "max_worker_processes = 20\n");
$node->safe_psql('postgres', <<'END');
CREATE ROLE monitoring LOGIN;
SELECT FROM backup_grant('monitoring');
GRANT pg_monitor TO monitoring;
CREATE TABLE courses AS SELECT g AS id FROM generate_series(1, 10) g;
CREATE ROLE keeper;
GRANT SELECT ON courses TO keeper;
SELECT FROM backup_grant('keeper', 'operate');
SET ROLE keeper;
SELECT FROM backup_schedule('of "keeper"', '0 0 1 1 *', '{courses}', retries => 0);
SELECT FROM backup_schedule('late', '@daily', '{courses}', retries => 0);
RESET ROLE;
UPDATE snapback.plan SET created_at = now() - interval '3 days' WHERE plan = 'late';
END

my $web = IO::Socket::INET->new(LocalAddr => '127.0.0.1', Proto => 'tcp', Listen => 5) or die "no web server: $!";

# The body of the next request; undef when none comes.
sub next_request
{
	local $SIG{ALRM} = sub { die "timeout\n" };
	return eval {
		alarm(120);
		my $client = $web->accept;
		my ($length, $type) = (0, '');
		while (my $line = <$client>)
		{
			$length = $1 if $line =~ /^Content-Length: (\d+)/i;
			$type = $1 if $line =~ /^Content-Type: (\S+)/i;
			last if $line =~ /^\r?\n$/;
		}
		read($client, my $body, $length);
		print $client "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok";
		close $client;
		alarm(0);
		die "$type: $body\n" if $type ne 'application/json';
		chomp $body;
		$body;
	} // do { alarm(0); diag($@); undef };
}

my ($out, $err) = ('', '');
my $recipe;
{
	local %ENV = ($node->_get_env, PGDATABASE => 'postgres', PGUSER => 'monitoring', WEBHOOK => 'http://127.0.0.1:' . $web->sockport . '/hook', no_proxy => '*');
	$recipe = IPC::Run::start([ 'setsid', "$folder/snapback-notify" ], '<', \undef, '>', \$out, '2>', \$err);
}
is(next_request(), '{"event":"open","severity":"critical","code":"too_old","plan":"late","text":"backups of postgres: open critical too_old late"}', 'what is open when it starts');

sub run_due
{
	make_due($node, 'of%');
	$node->safe_psql('postgres', 'SELECT backup_run_due()');
	return;
}
$node->safe_psql('postgres', 'REVOKE SELECT ON courses FROM keeper');
run_due();
my @opened = sort map { next_request() // '' } 1 .. 2;
is($opened[0], '{"event":"opened","severity":"critical","code":"too_old","plan":"late","text":"backups of postgres: opened critical too_old late"}', 'what is announced');
is($opened[1], '{"event":"opened","severity":"warning","code":"run_failed","plan":"of \"keeper\"","text":"backups of postgres: opened warning run_failed of \"keeper\""}', 'with its plan, whatever its name');
$node->safe_psql('postgres', 'GRANT SELECT ON courses TO keeper');
run_due();
is(next_request(), '{"event":"closed","severity":"warning","code":"run_failed","plan":"of \"keeper\"","text":"backups of postgres: closed warning run_failed of \"keeper\""}', 'and its end');

# without its server it ends, for whoever watches over it to start it again
$node->stop('fast');
my $ended = eval { local $SIG{ALRM} = sub { die "timeout\n" }; alarm(60); $recipe->finish; alarm(0); 1 };
alarm(0);
ok($ended, 'it ends when the server does');
$recipe->kill_kill unless $ended;
unlike($err, qr/\b(?:jq|curl|sed): /, 'nothing in it complained') or diag($err);
done_testing();
