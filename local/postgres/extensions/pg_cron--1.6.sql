-- The SQL surface of pg_cron 1.6. The local stack plays the background worker: it listens on
-- `millrace_cron`, which every change of cron.job notifies.
create schema cron;

create sequence cron.jobid_seq;
create sequence cron.runid_seq;

create table cron.job (
  jobid bigint primary key default nextval('cron.jobid_seq'),
  schedule text not null,
  command text not null,
  nodename text not null default 'localhost',
  nodeport integer not null default inet_server_port(),
  database text not null default current_database(),
  username text not null default current_user,
  active boolean not null default true,
  jobname text,
  constraint jobname_username_uniq unique (jobname, username)
);

create table cron.job_run_details (
  jobid bigint,
  runid bigint primary key default nextval('cron.runid_seq'),
  job_pid integer,
  database text,
  username text,
  command text,
  status text,
  return_message text,
  start_time timestamptz,
  end_time timestamptz
);

alter table cron.job enable row level security;
create policy cron_job_policy on cron.job using (username = current_user);
alter table cron.job_run_details enable row level security;
create policy cron_job_run_details_policy on cron.job_run_details using (username = current_user);

create function cron._notify() returns trigger language plpgsql set search_path = '' as $$
begin
  perform pg_catalog.pg_notify('millrace_cron', '');
  return null;
end $$;
create trigger notify_worker after insert or update or delete or truncate on cron.job
  for each statement execute function cron._notify();

create function cron._check_schedule(p_schedule text) returns text
language plpgsql immutable set search_path = '' as $$
begin
  if p_schedule !~* '^\s*([1-9]|[1-5][0-9])\s+seconds?\s*$'
    and p_schedule !~* '^\s*@(yearly|annually|monthly|weekly|daily|midnight|hourly)\s*$'
    and p_schedule !~* '^\s*[0-9*/,\-a-z$]+(\s+[0-9*/,\-a-z$]+){4}\s*$'
  then
    raise exception 'invalid schedule: %', p_schedule using
      errcode = 'invalid_parameter_value',
      hint = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
  end if;
  return p_schedule;
end $$;

-- Security definer, as nobody but this extension may write cron.job; so the caller is session_user.
create function cron.schedule_in_database(
  job_name text, schedule text, command text, database text,
  username text default null, active boolean default true
) returns bigint language sql security definer set search_path = '' as $$
  insert into cron.job (jobname, schedule, command, database, username, active)
  values ($1, cron._check_schedule($2), $3, $4, coalesce($5, session_user), $6)
  on conflict on constraint jobname_username_uniq do update
    set schedule = excluded.schedule, command = excluded.command,
      database = excluded.database, active = excluded.active
  returning jobid
$$;

create function cron.schedule(job_name text, schedule text, command text)
returns bigint language sql set search_path = '' as $$
  select cron.schedule_in_database($1, $2, $3, pg_catalog.current_database())
$$;

create function cron.schedule(schedule text, command text)
returns bigint language sql set search_path = '' as $$
  select cron.schedule_in_database(null, $1, $2, pg_catalog.current_database())
$$;

create function cron.unschedule(job_id bigint)
returns boolean language plpgsql security definer set search_path = '' as $$
begin
  delete from cron.job j where j.jobid = job_id and j.username = session_user;
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_id;
  end if;
  return true;
end $$;

create function cron.unschedule(job_name text)
returns boolean language plpgsql security definer set search_path = '' as $$
begin
  delete from cron.job j where j.jobname = job_name and j.username = session_user;
  if not found then
    raise exception 'could not find valid entry for job ''%''', job_name;
  end if;
  return true;
end $$;

create function cron.alter_job(
  job_id bigint, schedule text default null, command text default null,
  database text default null, username text default null, active boolean default null
) returns void language plpgsql security definer set search_path = '' as $$
begin
  update cron.job j set
    schedule = coalesce(cron._check_schedule($2), j.schedule),
    command = coalesce($3, j.command),
    database = coalesce($4, j.database),
    username = coalesce($5, j.username),
    active = coalesce($6, j.active)
  where j.jobid = $1 and j.username = session_user;
  if not found then
    raise exception 'Job % does not exist or you don''t own it', job_id;
  end if;
end $$;

revoke all on all functions in schema cron from public;
grant usage on schema cron to postgres with grant option;
grant execute on all functions in schema cron to postgres with grant option;
grant all on cron.job_run_details to postgres with grant option;
grant select on cron.job to postgres with grant option;
grant usage, select on all sequences in schema cron to postgres with grant option;
