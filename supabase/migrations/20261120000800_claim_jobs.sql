-- The claim: due jobs to one orchestrator run, each to one only.

-- The scope in which a child runs: what it sees of its parent never changes while it lives, so this
-- key never means anything else.
create function millrace.scope_key(
  p_job_id uuid, p_step_id text, p_visit integer, p_run integer
) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return p_job_id || ':' || p_step_id || ':' || p_visit || ':' || p_run;
end;
$$;
comment on function millrace.scope_key(uuid, text, integer, integer) is
  'The key of what children in some run of theirs see of their parent in some visit of a step.';
revoke execute on function millrace.scope_key(uuid, text, integer, integer) from public;
grant execute on function millrace.scope_key(uuid, text, integer, integer) to service_role;

-- How large the results of a job's children are as text; more than 16 MiB is said without counting
-- on. Looked at one by one only where they might be large: repetition takes little room on disk.
create function millrace.child_results_bytes(p_job_id uuid, p_step_id text, p_visit integer)
returns bigint
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_stored bigint;
  v_bytes bigint := 0;
  v_next bigint;
begin
  select coalesce(sum(pg_column_size(j.final_result)), 0) + coalesce(sum(pg_column_size(j.error)), 0)
  into v_stored from public.jobs j
  where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit;
  if v_stored <= 4096 or v_stored > 16777216 then
    return v_stored;
  end if;
  for v_next in
    select coalesce(octet_length(j.final_result::text), 0) + coalesce(octet_length(j.error::text), 0)
    from public.jobs j
    where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit
  loop
    v_bytes := v_bytes + v_next;
    exit when v_bytes > 16777216;
  end loop;
  return v_bytes;
end;
$$;
comment on function millrace.child_results_bytes(uuid, text, integer) is
  'About how many bytes of text the results of the children of one visit are; counted up to 16 MiB.';

create function millrace.child_ends(
  p_job_id uuid, p_step_id text, p_visit integer, p_open integer
) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  if p_open = 0 and millrace.child_results_bytes(p_job_id, p_step_id, p_visit) > 16777216 then
    return null;
  end if;
  return (
    select coalesce(json_agg(json_build_object('job_id', c.id, 'index', c.item_index,
      'status', c.status, 'result', c.final_result, 'error', c.error) order by c.item_index), '[]')
    from (
      select j.id, j.item_index, j.status, j.final_result, j.error from public.jobs j
      where j.parent_job_id = p_job_id and j.parent_step_id = p_step_id and j.parent_visit = p_visit
        and (p_open = 0 or j.status in ('failed', 'cancelled'))
      order by j.item_index
      limit case when p_open > 0 then 20 end
    ) as c);
end;
$$;
comment on function millrace.child_ends(uuid, text, integer, integer) is
  'How the children of one visit ended, by index: all when p_open is 0, else at most 20 that failed; null when the results are more than 16 MiB.';
revoke execute on function millrace.child_results_bytes(uuid, text, integer),
  millrace.child_ends(uuid, text, integer, integer) from public;
grant execute on function millrace.child_results_bytes(uuid, text, integer),
  millrace.child_ends(uuid, text, integer, integer) to service_role;

-- How far the mailboxes of these jobs are read at once: to the end, where cut_at is null, else those
-- of the jobs before cut_at, and of that one the messages up to last_id. 16 MiB, one message at least.
create function millrace.look_at_mail(
  p_job_ids uuid[], out is_empty boolean, out cut_at bigint, out last_id bigint
)
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_bytes bigint := 0;
  v_message record;
begin
  is_empty := true;
  for v_message in
    select listed.position, m.id, m.bytes
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (
      select i.id, octet_length(i.payload::text) as bytes from public.job_inbox i
      where i.job_id = listed.id order by i.id offset 0
    ) as m
  loop
    v_bytes := v_bytes + v_message.bytes;
    if v_bytes > 16777216 and not is_empty then
      cut_at := v_message.position;
      return;
    end if;
    is_empty := false;
    last_id := v_message.id;
  end loop;
end;
$$;
comment on function millrace.look_at_mail(uuid[]) is
  'How much of the mailboxes of these jobs goes into one answer: about 16 MiB.';
revoke execute on function millrace.look_at_mail(uuid[]) from public;
grant execute on function millrace.look_at_mail(uuid[]) to service_role;

-- A job as its new owner needs it, with its mailbox. Read after the lease is taken: a message is
-- either in here, or its sender saw the lease and has set wake_requested.
create function millrace.claimed_jobs(p_job_ids uuid[]) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_mail record := millrace.look_at_mail(p_job_ids);
begin
  if v_mail.cut_at is not null then
    -- What is not handed over keeps its job awake.
    update public.jobs j set wake_requested = true
    where j.id = any (p_job_ids[v_mail.cut_at:])
      and exists (select from public.job_inbox m where m.job_id = j.id);
  end if;
  return (
    select coalesce(json_agg(json_build_object(
        'job_id', j.id, 'user_id', j.user_id, 'workflow_id', j.workflow_id,
        'workflow_version', j.workflow_version, 'current_step_id', j.current_step_id,
        'input_data', j.input_data, 'step_data', j.step_data, 'state', j.state,
        'version', j.version, 'redeliveries', j.redeliveries, 'retry_count', j.retry_count,
        'max_retries', j.max_retries, 'created_at', j.created_at, 'started_at', j.started_at,
        'run_at', j.run_at, 'deadline_at', j.deadline_at, 'trace_id', j.trace_id,
        'priority', j.priority,
        'parent_job_id', j.parent_job_id, 'parent_step_id', j.parent_step_id,
        'parent_visit', j.parent_visit, 'item_index', j.item_index, 'depth', j.depth,
        'branch', j.branch, 'item', j.item,
        'scope', case when j.branch is not null then
          millrace.scope_key(j.parent_job_id, j.parent_step_id, j.parent_visit, j.run_number)
          end,
        'open_children', j.open_children, 'failed_children', j.failed_children,
        'slot_key', j.slot_key, 'held_slots', coalesce(j.held_slots, '{}'),
        'inherited_slots', coalesce(j.inherited_slots, '{}'),
        'children', case when j.state #>> '{waiting,kind}' = 'children' then
          millrace.child_ends(j.id, j.current_step_id, coalesce((j.state ->> 'visit')::integer, 1),
            j.open_children) end,
        'retry', case when j.next_retry_at is not null then
          json_build_object('at', j.next_retry_at, 'error', j.error) end,
        'messages', case when v_mail.is_empty then '[]'::json else coalesce((
          select json_agg(json_build_object('id', m.id, 'kind', m.kind, 'step_id', m.step_id,
            'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload) order by m.id)
          from public.job_inbox m
          where m.job_id = j.id and (v_mail.cut_at is null or listed.position < v_mail.cut_at
            or (listed.position = v_mail.cut_at and m.id <= v_mail.last_id))), '[]'::json) end
      ) order by listed.position), '[]'::json)
    from unnest(p_job_ids) with ordinality as listed (id, position)
    cross join lateral (select * from public.jobs where jobs.id = listed.id offset 0) as j);
end;
$$;

comment on function millrace.claimed_jobs(uuid[]) is
  'Jobs as their new owner needs them, with their messages: the oldest 16 MiB of them.';
revoke execute on function millrace.claimed_jobs(uuid[]) from public;
grant execute on function millrace.claimed_jobs(uuid[]) to service_role;

create function millrace.mailbox_bytes(p_job_id uuid) returns bigint
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_bytes bigint := 0;
  v_next bigint;
begin
  for v_next in
    select octet_length(m.payload::text) from public.job_inbox m where m.job_id = p_job_id
  loop
    v_bytes := v_bytes + v_next;
    exit when v_bytes > 16777216;
  end loop;
  return v_bytes;
end;
$$;
comment on function millrace.mailbox_bytes(uuid) is
  'How many bytes of text the messages to a job are; counted up to 16 MiB.';
revoke execute on function millrace.mailbox_bytes(uuid) from public;
grant execute on function millrace.mailbox_bytes(uuid) to service_role;

-- How many of these jobs fit into one answer: at least one, and no more than 16 MiB of text. What is
-- beyond is left to the next claim. Measured as text, since what takes little room on disk
-- (repetition, long numbers) may be very large in an answer; row by row, so that it stops in time.
create function millrace.fitting_jobs(p_job_ids uuid[]) returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_fitting uuid[] := '{}';
  v_parents uuid[] := '{}';
  v_bytes bigint := 0;
  v_job record;
begin
  if cardinality(p_job_ids) = 1 then
    return p_job_ids;
  end if;
  for v_job in
    select listed.id, j.parent_id,
      coalesce(octet_length(j.input_data::text), 0) + octet_length(j.step_data::text)
        + coalesce(octet_length(j.item::text), 0)
        -- Whoever was never claimed has been sent wishes at most.
        + case when j.version > 0
            and exists (select from public.job_inbox m where m.job_id = listed.id)
          then millrace.mailbox_bytes(listed.id) else 0 end
        + case when j.open_children = 0 and j.state #>> '{waiting,kind}' = 'children' then
            millrace.child_results_bytes(listed.id, j.current_step_id,
              coalesce((j.state ->> 'visit')::integer, 1))
          else 0 end as bytes
    from unnest(p_job_ids) as listed (id)
    cross join lateral (
      select jobs.input_data, jobs.step_data, jobs.item, jobs.state, jobs.open_children,
        jobs.version, jobs.current_step_id, case when jobs.branch is not null then jobs.parent_job_id end as parent_id
      from public.jobs where jobs.id = listed.id offset 0
    ) as j
  loop
    -- With a branch comes its scope, once for all siblings.
    if v_job.parent_id is not null and v_job.parent_id <> all (v_parents) then
      v_parents := v_parents || v_job.parent_id;
      v_bytes := v_bytes + (
        select coalesce(octet_length(p.input_data::text), 0) + octet_length(p.step_data::text)
        from public.jobs p where p.id = v_job.parent_id);
    end if;
    v_bytes := v_bytes + v_job.bytes;
    exit when v_bytes > 16777216 and v_fitting <> '{}';
    v_fitting := v_fitting || v_job.id;
  end loop;
  return v_fitting;
end;
$$;
comment on function millrace.fitting_jobs(uuid[]) is
  'The first of these jobs that together are at most about 16 MiB as text, at least one.';
revoke execute on function millrace.fitting_jobs(uuid[]) from public;
grant execute on function millrace.fitting_jobs(uuid[]) to service_role;

-- Priorities are few, so each is looked up by itself: an index then never walks over the future
-- entries (timers, leases) of a higher priority to reach the due ones of a lower. Within a priority
-- come first the jobs that were begun, up to half of the limit, then those to be started, then the
-- rest of those begun: neither can hold up the other. Rows are looked up as the outer limit asks for
-- them, so that nearly none is locked that is not taken.
create function millrace.due_jobs(p_limit integer, p_now timestamptz) returns uuid[]
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
as $$
declare
  v_half integer := (p_limit + 1) / 2;
begin
  return array(
    select due.id
    from generate_series(9, 0, -1) as level (priority)
    cross join lateral (
      with begun as (
        select j.id from public.jobs j
        where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
        order by j.next_run_at
        limit v_half
        for update skip locked
      )
      select begun.id from begun
      union all
      select queued.id from (
        select j.id from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
          -- Not one that was made after this claim began: it would start before it was there.
          and j.next_run_at <= p_now
        order by j.queue_place, j.next_run_at
        limit p_limit
        for update skip locked
      ) as queued
      union all
      select rest.id from (
        select j.id from public.jobs j
        where j.priority = level.priority and j.next_run_at <= p_now and j.queue_place is null
          and (select count(*) from begun) = v_half
          and j.id <> all (array(select begun.id from begun))
        order by j.next_run_at
        limit p_limit
        for update skip locked
      ) as rest
    ) as due
    limit p_limit);
end;
$$;
comment on function millrace.due_jobs(integer, timestamptz) is
  'Locks up to p_limit due jobs that nobody else has locked, in the order in which they are to be claimed.';
revoke execute on function millrace.due_jobs(integer, timestamptz) from public;
grant execute on function millrace.due_jobs(integer, timestamptz) to service_role;

-- What falls due at its run_at takes its place in the start queue like what is started now, so that
-- many such jobs of one user do not come before those of others. Where something has happened to it
-- already, it does not wait there.
create function millrace.queue_due_jobs(p_now timestamptz) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_ids uuid[] := array(
    select j.id from public.jobs j
    -- Nothing of it has begun: it has no slot, nor a start within its rate.
    where j.run_at is not null and j.started_at is null and j.queue_place is null
      and j.held_slots is null and j.state = '{}'
      and j.next_run_at <= p_now and j.status = 'pending' and j.wanted_slot is null
      and not j.wake_requested
    order by j.next_run_at limit 1000
    for update skip locked);
begin
  if v_ids = '{}' then
    return;
  end if;
  with due as materialized (
    select j.id, j.user_id, j.priority, row_number() over (
      partition by j.user_id, j.priority order by j.next_run_at, j.created_at, j.id) as position
    from public.jobs j where j.id = any (v_ids)
  ), places as materialized (
    select o.user_id, o.priority, millrace.next_queue_place(o.user_id, o.priority) as first
    from (select distinct due.user_id, due.priority from due) as o
  )
  update public.jobs j set queue_place = p.first + due.position - 1
  from due join places p on p.user_id = due.user_id and p.priority = due.priority
  where j.id = due.id;
end;
$$;
comment on function millrace.queue_due_jobs(timestamptz) is
  'Puts up to 1,000 jobs whose run_at has come into the start queue.';
revoke execute on function millrace.queue_due_jobs(timestamptz) from public;
grant execute on function millrace.queue_due_jobs(timestamptz) to service_role;

create function millrace.lease_jobs(p_lease_token uuid, p_limit integer, p_lease_seconds integer)
returns uuid[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_ids uuid[];
begin
  perform millrace.queue_due_jobs(v_now);
  v_ids := millrace.due_jobs(p_limit, v_now);
  if v_ids = '{}' then
    return v_ids;
  end if;
  v_ids := millrace.fitting_jobs(v_ids);

  update public.jobs j
  set status = 'running',
      lease_token = p_lease_token,
      next_run_at = v_now + make_interval(secs => p_lease_seconds),
      queue_place = null,
      -- Whoever still needs it asks again.
      wanted_slot = null,
      wake_requested = false,
      -- A commit counts one: the two cannot be mistaken for each other by a run that claims again
      -- what it has lost, and then sends what it had decided before.
      version = j.version + 2,
      -- Running and due means that a lease ran out: what its owner had started starts again.
      -- Bounded, as an overflow would fail the claim of every other job with it.
      redeliveries = case when j.status = 'running'
        then least(j.redeliveries + 1, 32767) else j.redeliveries end,
      started_at = coalesce(j.started_at, v_now),
      -- Still to come: a message has woken the job, and its retry is not to be made early for it.
      next_retry_at = case when j.next_retry_at > v_now then j.next_retry_at end,
      current_step_id = coalesce(j.current_step_id, (
        select v.start_step from public.workflow_versions v
        where v.workflow_id = j.workflow_id and v.version = j.workflow_version)),
      last_updated_at = v_now
  where j.id = any (v_ids);
  return v_ids;
end;
$$;
comment on function millrace.lease_jobs(uuid, integer, integer) is
  'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds.';
revoke execute on function millrace.lease_jobs(uuid, integer, integer) from public;
grant execute on function millrace.lease_jobs(uuid, integer, integer) to service_role;

create function public.claim_jobs(
  p_lease_token uuid, p_limit integer, p_lease_seconds integer default 30
) returns json
language plpgsql set search_path = ''
as $$
begin
  if p_limit is null or p_limit < 0 or p_limit > 10000 then
    raise exception 'Cannot claim jobs as p_limit must be between 0 and 10000: current value is %', p_limit
      using errcode = 'MR008';
  end if;
  return millrace.claimed_jobs(millrace.lease_jobs(p_lease_token, p_limit, p_lease_seconds));
end;
$$;
comment on function public.claim_jobs(uuid, integer, integer) is
  'Leases up to p_limit due jobs, and no more than 16 MiB of them, to p_lease_token for p_lease_seconds, by priority, and answers them with their mailbox. Of one priority, jobs that were begun (by due time) and jobs to be started (round-robin over users) are each sure of half. Raises MR008 (limit out of range).';
revoke execute on function public.claim_jobs(uuid, integer, integer) from public, anon, authenticated;
grant execute on function public.claim_jobs(uuid, integer, integer) to service_role;
