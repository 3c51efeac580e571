# Calls that are ended at every one of the named fault points, in every way, and what must hold after each.

package FaultWalk;

use strict;
use warnings FATAL => 'all';

use Exporter 'import';
use PostgreSQL::Test::Utils;
use SnapbackTest;
use Test::More;
use Time::HiRes qw(time usleep);

our @EXPORT = qw(prepare walk points_of cases);

# Each case: the call, then the points at which it is ended. A mark behind a point says what may be different there:
#   late      a backup that is whole may stay when the process dies, for its file has its name already
#   swallowed the call goes on after an error: what failed there is not what the caller asked for
#   held      no interrupt is looked at there, for the transaction is ending; an error cannot stop it either
#   done      what was asked for has happened when the process dies there
my @table = (
	create => [
		qw(backup.swept backup.selected backup.locked backup.snapshot_taken backup.described backup.file_created backup.table_scanned backup.table_read
		  backup.file_written backup.file_synced backup.file_proven writer.begun writer.table_begun writer.frame_accepted writer.table_ended
		  writer.document_ended writer.manifest_written storage.prepared storage.create storage.created storage.append storage.appended
		  storage.sync storage.synced storage.reopened storage.publish storage.swept),
		map { "$_ late" } qw(storage.renamed storage.published backup.published storage.small_created storage.small_written storage.small_synced
		  storage.small_renamed storage.small_published backup.sidecar_written) ],
	create_content => [qw(check.content reader.frame verify.table_converted check.table reader.opened backup.content_checked)],
	create_restore => [ map { "$_ late" } qw(storage.open restore.tables_created restore.before_proof restore.proven backup.restore_verified) ],
	verify => [
		qw(storage.list storage.open verify.started reader.opened verify.opened check.files verify.files_checked check.content reader.frame
		  verify.table_converted check.table verify.content_checked verify.done verify.result_stored),
		map { "$_ swallowed" } qw(storage.small_created storage.small_written storage.small_synced storage.small_renamed storage.small_published) ],
	compare => [qw(storage.list storage.open reader.opened compare.selected)],
	delete => [
		qw(storage.list delete.found delete.registered),
		map { "$_ held" } qw(remove.started storage.remove storage.unlinked storage.removed remove.sidecar_removed remove.finished) ],
	pin => [
		qw(pin.registered pin.commit storage.small_created storage.small_written storage.small_synced),
		map { "$_ done" } qw(storage.small_renamed storage.small_published pin.written) ],
	restore => [
		qw(storage.list storage.open restore.planned restore.locked backup.described backup.file_created writer.frame_accepted backup.file_synced storage.publish),
		map { "$_ late" } qw(storage.renamed storage.small_renamed restore.safety_registered restore.safety_taken restore.tables_created
		  restore.table_compared restore.table_emptied restore.table_loaded restore.indexes_built restore.surplus_emptied restore.constraints_created
		  restore.foreign_keys_created restore.foreign_key_checked restore.foreign_keys_checked restore.analyzed restore.sequences_advanced
		  restore.before_proof restore.table_proven restore.proven) ],
	restore_difference => [
		qw(restore.roads_chosen),
		map { "$_ late" } qw(restore.difference_found restore.table_loaded restore.foreign_keys_checked restore.table_proven restore.proven) ],
	restore_missing => [ map { "$_ late" } qw(restore.table_loaded restore.foreign_keys_checked restore.table_proven) ],
	restore_alone => [qw(reader.frame restore.table_emptied restore.proven)],
	rehearse => [qw(restore.table_loaded restore.proven)],
	restore_undone => [ map { "$_ held late" } qw(remove.started storage.unlinked remove.sidecar_removed remove.finished) ]);

my %statement = (
	create => 'SELECT backup_create()',
	create_content => "SELECT backup_create(verify => 'content')",
	create_restore => "SELECT backup_create('{subjects,topics}', verify => 'restore')",
	verify => "SELECT * FROM backup_verify('GOOD')",
	compare => "SELECT * FROM backup_compare('GOOD')",
	delete => "SELECT backup_delete('VICTIM')",
	pin => "SELECT backup_pin('VICTIM')",
	restore => "SET pg_snapback.reload_threshold = 0;\nSELECT * FROM backup_restore('GOOD')",
	restore_difference => "SET pg_snapback.reload_threshold = 1;\nSELECT * FROM backup_restore('GOOD')",
	restore_missing => "SELECT * FROM backup_restore('GOOD', '{subjects,topics}', 'missing')",
	restore_alone => "SET pg_snapback.reload_threshold = 0;\nSELECT * FROM backup_restore('GOOD', safety_backup => false)",
	rehearse => "SELECT * FROM backup_restore('GOOD', dry_run => true, rehearse => true)",
	# one that is rolled back by its caller, so that the removal of the safety backup is what is ended
	restore_undone => "BEGIN;\nSELECT * FROM backup_restore('GOOD');\nROLLBACK");

my ($node, $storage, $good, $live);

# cases(CALLS...): one hash for each pair of call and point.
sub cases
{
	my %wanted = map { $_ => 1 } @_;
	my @cases;
	for (my $i = 0; $i < @table; $i += 2)
	{
		next unless $wanted{ $table[$i] };
		foreach my $entry (@{ $table[ $i + 1 ] })
		{
			my ($point, @marks) = split / /, $entry;
			push @cases, { call => $table[$i], point => $point, map { $_ => 1 } @marks };
		}
	}
	return @cases;
}

# Every point of the tables.
sub points_of
{
	my %points = map { $_->{point} => 1 } cases(keys %statement);
	return sort keys %points;
}

# A server whose tables differ from its only backup in every way that a restore puts right. Returns it.
sub prepare
{
	my ($name) = @_;
	$node = new_server($name);
	$storage = storage($node);
	my $schema = <<'END';
CREATE TABLE subjects (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, name text NOT NULL UNIQUE);
CREATE TABLE topics (id bigint PRIMARY KEY, subject_id bigint NOT NULL REFERENCES subjects, title text, score numeric CHECK (score >= 0));
CREATE INDEX ON topics (subject_id);
CREATE TABLE gone (id integer PRIMARY KEY, topic_id bigint REFERENCES topics, note text UNIQUE);
CREATE TABLE marks (id integer, year integer, mark text) PARTITION BY LIST (year);
CREATE TABLE marks_2025 PARTITION OF marks FOR VALUES IN (2025);
INSERT INTO subjects (name) SELECT 'subject ' || g FROM generate_series(1, 20) g;
INSERT INTO topics SELECT g, 1 + g % 20, 'topic ' || g, g / 7.0 FROM generate_series(1, 300) g;
INSERT INTO gone SELECT g, g, 'note ' || g FROM generate_series(1, 20) g;
INSERT INTO marks SELECT g, 2025, 'mark ' || g FROM generate_series(1, 20) g;
CREATE FUNCTION live_state() RETURNS text LANGUAGE sql AS $$
  SELECT md5(string_agg(line, E'\n' ORDER BY line)) FROM (
    SELECT 'subject ' || s::text AS line FROM subjects s UNION ALL SELECT 'topic ' || t::text FROM topics t UNION ALL SELECT 'mark ' || m::text FROM marks m
    UNION ALL SELECT format('sequence %s %s', last_value, is_called) FROM subjects_id_seq
    UNION ALL SELECT format('relation %s %s %s %s', relname, relkind, relfilenode, relhasindex) FROM pg_class WHERE relnamespace = 'public'::regnamespace
    UNION ALL SELECT 'constraint ' || conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace
    UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE nspname !~ '^pg_') everything $$;
-- What is wrong with what is listed: nothing but whole and good backups may be.
CREATE FUNCTION listing() RETURNS text LANGUAGE sql AS $$
  SELECT coalesce(string_agg(b.id || ' ' || b.state || ' ' || v.problems, ', '), 'whole') FROM backup_list() b, backup_verify(b.id, 'files') v WHERE b.state <> 'good' OR NOT v.ok $$;
-- What lies in the storage: rests of unfinished files, sidecars without their backup, the number of backups.
CREATE FUNCTION stored(OUT rests text, OUT widows text, OUT backups bigint) LANGUAGE sql AS $$
  WITH files AS (SELECT name FROM pg_ls_dir('STORAGE') name)
  SELECT coalesce(string_agg(name, ' ') FILTER (WHERE name !~ '^backup_\d{8}T\d{6}Z_[0-9a-f]{8}\.(json\.zst|state\.json)$'), ''),
         coalesce(string_agg(name, ' ') FILTER (WHERE name ~ '\.state\.json$' AND replace(name, '.state.json', '.json.zst') NOT IN (SELECT name FROM files)), ''),
         count(*) FILTER (WHERE name ~ '\.json\.zst$') FROM files $$;
END
	$schema =~ s/STORAGE/$storage/;
	$node->safe_psql('postgres', $schema);
	$good = value($node, 'SELECT id FROM backup_create()');
	$node->safe_psql('postgres', <<'END');
DROP TABLE gone;
DELETE FROM topics WHERE id % 3 = 0;
UPDATE topics SET title = 'changed' WHERE id % 5 = 0;
INSERT INTO subjects (id, name) VALUES (1000, 'new');
ALTER SEQUENCE subjects_id_seq RESTART;
CREATE TABLE marks_2026 PARTITION OF marks FOR VALUES IN (2026);
INSERT INTO marks VALUES (1000, 2026, 'new');
END
	$live = value($node, 'SELECT live_state()');
	return $node;
}

# The part of a script that ends the call at the point. Errors do not stop it; it prints the SQLSTATE of the call.
sub ending
{
	my ($case, $action) = @_;
	my $statement = $statement{ $case->{call} };
	$statement =~ s/GOOD/$good/;
	my $script = "\\set ON_ERROR_STOP off\n";
	$script .= "SELECT id AS victim FROM backup_create('{subjects}') \\gset\n" if $statement =~ s/'VICTIM'/:'victim'/;
	# the rest of a crash, for the sweep to find
	$script .= "COPY (SELECT 1) TO '$storage/backup_20200101T000000Z_00000000.json.zst.partial';\n" if $case->{point} eq 'storage.swept';
	return $script . "\\o /dev/null\n" . fault("$case->{point}=$action") . "$statement;\n\\set state :SQLSTATE\n\\o\n\\echo state|:state\nSET pg_snapback.test_fault = '';\n";
}

# The part that looks at what is there then.
my $looking = "SELECT 'facts', live_state(), listing(), rests, widows, backups, (SELECT count(*) FROM backup_list() WHERE pinned) FROM stored();\n";

# Only the good backup stays. Two transactions: a pin goes at the commit, and what is pinned cannot be deleted before.
sub tidying { return "SELECT count(backup_unpin(id)) FROM backup_list() WHERE pinned;\nSELECT count(backup_delete(id)) FROM backup_list() WHERE id <> '$good';\n" }

# What is wrong with what it printed; `died` says that the process did not live to clear up.
sub complaints
{
	my ($case, $out, $died) = @_;
	my ($state, $listing, $rests, $widows, $backups, $pinned) = $out =~ /^facts\|(.*?)\|(.*)\|(.*?)\|(.*?)\|(\d+)\|(\d+)$/m or return "no answer: $out";
	my @wrong;
	push @wrong, 'the live tables have changed' if $state ne $live;
	push @wrong, "listed: $listing" if $listing ne 'whole';
	push @wrong, "left: $rests" if $rests ne '' && !$died;
	push @wrong, "sidecars alone: $widows" if $widows ne '';
	my $more = $backups - ($case->{call} =~ /^(?:delete|pin)$/ ? 2 : 1);
	my $may_stay = $case->{late} && ($died || $case->{held});
	push @wrong, "$more more backups" if $more > ($may_stay ? 1 : 0);
	push @wrong, "$more backups" if $more < ($case->{call} eq 'delete' && $case->{held} ? -1 : 0);
	push @wrong, 'pinned' if $pinned && !$case->{done};
	return @wrong;
}

# The SQLSTATEs that the caller may get. An interrupt where none is looked at comes later or too late.
sub states
{
	my ($case, $action) = @_;
	return '00000' if $action eq 'error' && ($case->{swallowed} || $case->{held});
	return '00000|57014' if $action eq 'cancel' && $case->{held};
	return '57P01|' if $action eq 'terminate' && $case->{held};
	return { error => 'XX000', cancel => '57014', terminate => '57P01', kill => 'lost' }->{$action};
}

sub judge
{
	my ($case, $action, @wrong) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	is(join('; ', @wrong), '', "$case->{call}, $action at $case->{point}");
	return;
}

# All in one session, which goes on after each.
sub stay_alive
{
	my ($action, @cases) = @_;
	my $script = '';
	$script .= ending($_, $action) . $looking . tidying() . "\\echo next case\n" foreach @cases;
	my $outcome = attempt($node, $script);
	my @outs = split /^next case\n?/m, $outcome->{out};
	foreach my $case (@cases)
	{
		my $out = shift @outs // '';
		my ($state) = $out =~ /^state\|(\w+)$/m;
		$state //= $outcome->{err};
		my $expected = states($case, $action);
		judge($case, $action, $state =~ /^(?:$expected)$/ ? () : "SQLSTATE $state", complaints($case, $out, 0));
	}
	return;
}

# The first session that comes through afterwards looks, makes the next backup and tidies up.
sub look_again
{
	my ($case) = @_;
	my $outcome;
	foreach (1 .. 600)
	{
		$outcome = attempt($node, "${looking}SELECT 'next', state, verified FROM backup_create(verify => 'content');\nSELECT 'rests', rests FROM stored();\n" . tidying());
		# a connection may be made before the server has noticed the crash, and refused or ended then
		last if $outcome->{err} !~ /connection to server .* failed|57P02|server closed the connection/;
		usleep(50_000);
	}
	my @wrong = complaints($case, $outcome->{out}, 1);
	push @wrong, "the next call: $outcome->{out} $outcome->{err}" if $outcome->{out} !~ /^next\|good\|content$/m;
	push @wrong, "not swept: $1" if $outcome->{out} =~ /^rests\|(.+)$/m;
	return @wrong;
}

sub die_there
{
	my ($action, @cases) = @_;
	foreach my $case (@cases)
	{
		my $outcome = attempt($node, ending($case, $action));
		# the locks of a terminated process may outlive its client by a moment
		$node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE application_name LIKE 'job%'") if $action eq 'terminate' && $outcome->{state} eq '57P01';
		my $expected = states($case, $action);
		judge($case, $action, $outcome->{state} =~ /^(?:$expected)$/ ? () : "ended as '$outcome->{state}' $outcome->{err}", look_again($case));
	}
	return;
}

# The server itself goes down while the call stands at the point, without any cleaning up.
sub server_stops
{
	my ($action, @cases) = @_;
	foreach my $case (@cases)
	{
		my $job = start($node, ending($case, 'sleep:600000'));
		wait_asleep($job);
		$node->stop('immediate');
		finish($job);
		$node->start;
		judge($case, $action, look_again($case));
	}
	return;
}

# walk(ACTION, CASES...): one test for each.
sub walk
{
	my ($action, @cases) = @_;
	local $Test::Builder::Level = $Test::Builder::Level + 1;
	my $started = time;
	($action eq 'stop' ? \&server_stops : $action =~ /^(?:error|cancel)$/ ? \&stay_alive : \&die_there)->($action, @cases);
	note(sprintf '%s at %d points: %.1f s', $action, scalar(@cases), time - $started);
	return;
}

1;
