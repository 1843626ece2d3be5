-- The roles and schemas that a Supabase project has before its first migration. Run once, by the
-- superuser `supabase_admin`, when the template of the data folder is made.
--
-- As on Supabase, `postgres` is not a superuser: a migration that needs more than a hosted project
-- grants fails here too.
create role postgres login createdb createrole replication bypassrls password 'postgres';
alter role supabase_admin password 'postgres';

create role anon nologin noinherit;
create role authenticated nologin noinherit;
create role service_role nologin noinherit bypassrls;
create role authenticator login noinherit password 'postgres';
create role supabase_auth_admin nologin noinherit;
grant anon, authenticated, service_role to authenticator;
grant anon, authenticated, service_role, authenticator to postgres with admin option;
grant pg_monitor, pg_read_all_data, pg_signal_backend to postgres;

alter role anon set statement_timeout = '3s';
alter role authenticated set statement_timeout = '8s';
alter role authenticator set statement_timeout = '8s';
alter role postgres set search_path = "$user", public, extensions;
alter role supabase_admin set search_path = "$user", public, extensions;

alter database postgres owner to postgres;
grant usage on schema public to anon, authenticated, service_role;

create schema extensions authorization postgres;
grant usage on schema extensions to anon, authenticated, service_role;
create extension pgcrypto with schema extensions;
create extension "uuid-ossp" with schema extensions;
create extension supabase_vault;

-- Every DDL statement makes the Data API read the schema anew, as on Supabase.
create function extensions.pgrst_ddl_watch() returns event_trigger language plpgsql as $$
begin
  -- Temporary tables are made at run time, and a notification makes commits wait for each other.
  if exists (select from pg_event_trigger_ddl_commands() where schema_name is distinct from 'pg_temp')
  then
    notify pgrst, 'reload schema';
  end if;
end $$;
create function extensions.pgrst_drop_watch() returns event_trigger language plpgsql as $$
begin
  if exists (select from pg_event_trigger_dropped_objects() where not is_temporary) then
    notify pgrst, 'reload schema';
  end if;
end $$;
create event trigger pgrst_ddl_watch on ddl_command_end
  execute function extensions.pgrst_ddl_watch();
create event trigger pgrst_drop_watch on sql_drop
  execute function extensions.pgrst_drop_watch();

-- Broadcasts are kept and sent to nobody: Realtime does not run locally.
create schema realtime;
create table realtime.messages (
  id uuid not null default gen_random_uuid(),
  topic text not null,
  extension text not null,
  payload jsonb,
  event text,
  private boolean default false,
  updated_at timestamp not null default now(),
  inserted_at timestamp not null default now(),
  primary key (id, inserted_at)
);
alter table realtime.messages owner to postgres;
alter table realtime.messages enable row level security;
create function realtime.send(payload jsonb, event text, topic text, private boolean default true)
returns void language sql security definer set search_path = '' as $$
  insert into realtime.messages (payload, event, topic, private, extension)
  values ($1, $2, $3, $4, 'broadcast')
$$;
create function realtime.topic() returns text language sql stable set search_path = '' as $$
  select nullif(pg_catalog.current_setting('realtime.topic', true), '')
$$;
grant usage on schema realtime to postgres, anon, authenticated, service_role;
grant select, insert on realtime.messages to anon, authenticated, service_role;
