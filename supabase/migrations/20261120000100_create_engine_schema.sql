-- The schema of what is the engine's own and not for the Data API: the clock, the settings, the
-- trigger functions. Everything that users and executors call lives in public.

create extension if not exists "uuid-ossp" with schema extensions;
create extension if not exists pgcrypto with schema extensions;
create extension if not exists pg_cron with schema pg_catalog;
create extension if not exists pg_net with schema extensions;

create schema if not exists millrace;
revoke all on schema millrace from public;
grant usage on schema millrace to authenticated, service_role;

-- The one clock: every timestamp and every comparison with "now" in this engine goes through it,
-- so that a test can move time for its whole database by replacing this function.
create function millrace.now() returns timestamptz
language plpgsql volatile set search_path = ''
as $$
begin
  return clock_timestamp();
end;
$$;
comment on function millrace.now() is
  'The current time for the whole engine. Tests replace it to move the clock of their database.';
revoke execute on function millrace.now() from public;
grant execute on function millrace.now() to authenticated, service_role;

-- A number such as 1e131071 takes ten bytes in jsonb and 131,072 as text: a job of 5 kB on disk
-- could make the answer of every claim too large for Postgres. Such numbers are looked for first,
-- so that finding out does not take the memory either.
create function millrace.json_bytes(p_value jsonb) returns integer
language plpgsql immutable set search_path = ''
as $$
begin
  if pg_column_size(p_value) > 512 and jsonb_path_exists(p_value,
    'strict $.** ? (@.type() == "number" && (@ >= 1e309 || @ <= -1e309
      || (@ > -1e-400 && @ < 1e-400 && @ != 0)))') then
    return 2147483647;
  end if;
  return octet_length(p_value::text);
end;
$$;
comment on function millrace.json_bytes(jsonb) is
  'The size of a value as text, in bytes; 2147483647 for one with numbers that are hundreds of digits long.';
revoke execute on function millrace.json_bytes(jsonb) from public;
grant execute on function millrace.json_bytes(jsonb) to authenticated, service_role;

-- What an operator may turn, in one row.
create table millrace.settings (
  id boolean primary key default true constraint settings_one_row check (id),
  max_orchestrators integer not null default 4
    constraint settings_max_orchestrators check (max_orchestrators between 1 and 100),
  jobs_per_orchestrator integer not null default 100
    constraint settings_jobs_per_orchestrator check (jobs_per_orchestrator between 1 and 10000),
  retention_days integer not null default 30
    constraint settings_retention_days check (retention_days >= 1),
  -- Signs callback tokens: whoever holds a token may finish the step that it names.
  callback_secret text not null
    default encode(extensions.gen_random_bytes(32), 'hex')
    constraint settings_callback_secret check (length(callback_secret) >= 32)
);
comment on table millrace.settings is 'Limits of the engine, one row; change them with an update.';
alter table millrace.settings enable row level security;
insert into millrace.settings default values;

-- Signs of life, lost in a crash on purpose (unlogged): nothing depends on them but alerts and
-- the coalescing of kicks.
create unlogged table millrace.pulse (
  id boolean primary key default true constraint pulse_one_row check (id),
  last_tick_at timestamptz,
  last_kick_at timestamptz,
  watched_kick_at timestamptz,
  watched_kick_ids bigint[] not null default '{}'
);
comment on table millrace.pulse is
  'When tick() last ran and when the database last kicked an orchestrator, one row.';
comment on column millrace.pulse.watched_kick_ids is
  'pg_net ids of two kicks at least 15 seconds apart, the newer first: the older has an answer, or has run into its time limit.';
alter table millrace.pulse enable row level security;
insert into millrace.pulse default values;

create function millrace.touch_updated_at() returns trigger
language plpgsql set search_path = ''
as $$
begin
  new.updated_at := millrace.now();
  return new;
end;
$$;
comment on function millrace.touch_updated_at() is 'Sets updated_at on every update.';
revoke execute on function millrace.touch_updated_at() from public;
