
-- Nobody but the owner starts with anything: neither PUBLIC, nor the roles that default privileges name (Supabase: anon, authenticated,
-- service_role), which REVOKE FROM PUBLIC alone would leave in.
DO $$ BEGIN PERFORM snapback.revoke_all(NULL); END $$;
