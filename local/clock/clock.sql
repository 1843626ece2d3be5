-- A clock for the engine that can be moved. It lives in the local stack's database alone: the
-- function millrace.now() of the migrations is replaced by one that adds what a table says.
-- Runs at each start, so everything here may be there already.
create schema if not exists millrace_local;

create table if not exists millrace_local.clock (
  id boolean primary key default true constraint clock_one_row check (id),
  -- In ms, as an interval of days would depend on the session's time zone. At most 100 years.
  ahead_ms bigint not null default 0
    constraint clock_ahead_range check (ahead_ms between 0 and 3155760000000),
  real_clock text not null
);
comment on table millrace_local.clock is
  'How far the engine''s clock is ahead of real time, and the function that it stands in for.';
insert into millrace_local.clock (real_clock)
values (pg_get_functiondef('millrace.now()'::regprocedure)) on conflict do nothing;

-- Whoever reads the clock holds it until the end of the transaction, so that none decides by a time
-- from before a move and writes after it: a lease taken so would have run out when it begins.
create or replace function millrace.now() returns timestamptz
language plpgsql volatile security definer set search_path = ''
as $$
declare
  v_ahead_ms bigint;
begin
  perform pg_advisory_xact_lock_shared(7310845622);
  select c.ahead_ms into strict v_ahead_ms from millrace_local.clock c;
  return clock_timestamp() + v_ahead_ms * interval '1 millisecond';
end;
$$;

create or replace function millrace_local.now_ms() returns double precision
language sql volatile set search_path = ''
as $$ select extract(epoch from millrace.now())::double precision * 1000 $$;
comment on function millrace_local.now_ms() is 'The engine''s time in ms since 1970.';

-- What is under way: leased, or due and about to be.
create or replace function millrace_local.busy_jobs(p_now timestamptz) returns setof public.jobs
language sql volatile set search_path = ''
as $$
  select j.* from public.jobs j
  where j.next_run_at is not null and (j.lease_token is not null or j.next_run_at <= p_now)
$$;

-- An event that is still to be delivered may end a wait that the move would let time out.
create or replace function millrace_local.events_wait() returns boolean
language sql volatile set search_path = ''
as $$ select exists (select from public.events e where e.delivered_at is null) $$;

create or replace function millrace_local.is_busy(p_now timestamptz) returns boolean
language sql volatile set search_path = ''
as $$
  select millrace_local.events_wait() or exists (select from millrace_local.busy_jobs(p_now))
$$;

create or replace function millrace_local.describe_jobs(p_jobs public.jobs[]) returns jsonb
language sql volatile set search_path = ''
as $$
  select coalesce(jsonb_agg(jsonb_build_object('job_id', j.id, 'workflow_id', j.workflow_id,
    'status', j.status, 'step_id', j.current_step_id, 'due_at', j.next_run_at,
    'retry', j.retry_count, 'error_code', j.error ->> 'code',
    'waiting', j.state #>> '{waiting,kind}', 'event', j.state #>> '{waiting,event}',
    'is_deadline', coalesce(j.next_run_at >= j.deadline_at, false)) order by j.next_run_at), '[]')
  from unnest(p_jobs) as j
$$;
comment on function millrace_local.describe_jobs(public.jobs[]) is
  'What a person needs to know of jobs that fall due, earliest first.';

create or replace function millrace_local.describe_busy() returns jsonb
language sql volatile set search_path = ''
as $$
  select jsonb_build_object('outcome', 'busy', 'events', millrace_local.events_wait(),
    'jobs', millrace_local.describe_jobs(array(
      select j from millrace_local.busy_jobs(millrace.now()) j order by j.next_run_at limit 20)))
$$;

-- Moves the clock, unless something is under way: to p_to; to the next moment when a job falls due,
-- when p_to is null; to whichever of the two comes first with p_step.
create or replace function millrace_local.move_clock(
  p_to timestamptz, p_step boolean, p_force boolean
) returns jsonb
language plpgsql volatile set search_path = '' set lock_timeout = '5s'
as $$
declare
  v_now timestamptz;
  v_next timestamptz;
  v_to timestamptz;
  v_ahead_ms bigint;
  v_jobs public.jobs[];
  v_count bigint;
begin
  -- First alone, so that a busy stack is not held up by every look at it.
  if not p_force and millrace_local.is_busy(clock_timestamp()
    + (select c.ahead_ms from millrace_local.clock c) * interval '1 millisecond') then
    return millrace_local.describe_busy();
  end if;
  -- Before the clock is read: two that hold it would wait for each other.
  perform pg_advisory_xact_lock(7310845622);
  v_now := millrace.now();
  if not p_force and millrace_local.is_busy(v_now) then
    return millrace_local.describe_busy();
  end if;
  select min(j.next_run_at) into v_next from public.jobs j
  where j.next_run_at > v_now and isfinite(j.next_run_at);
  v_to := case when p_to is null or (p_step and v_next < p_to) then v_next else p_to end;
  if v_to is null then
    return jsonb_build_object('outcome', 'nothing');
  end if;

  v_ahead_ms := ceil(extract(epoch from v_to - clock_timestamp()) * 1000);
  if v_ahead_ms > 3155760000000 then
    return jsonb_build_object('outcome', 'too_far', 'to', v_to);
  end if;
  update millrace_local.clock set ahead_ms = greatest(ahead_ms, v_ahead_ms);
  v_to := millrace.now();
  select count(*) into v_count
  from public.jobs j where j.next_run_at > v_now and j.next_run_at <= v_to;
  v_jobs := array(select j from public.jobs j
    where j.next_run_at > v_now and j.next_run_at <= v_to order by j.next_run_at limit 20);
  perform public.tick();
  return jsonb_build_object('outcome', 'moved', 'from', v_now, 'to', v_to, 'due', v_count,
    'jobs', millrace_local.describe_jobs(v_jobs));
end;
$$;
comment on function millrace_local.move_clock(timestamptz, boolean, boolean) is
  'Moves the clock forward and has an orchestrator look. Answers {outcome: moved, from, to, due (how many jobs became due), jobs (the first 20)} or {outcome: nothing | busy | too_far}.';
