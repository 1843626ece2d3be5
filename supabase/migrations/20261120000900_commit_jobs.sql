-- The commit: what an orchestrator decided for a batch of jobs, in one transaction and a fixed
-- number of statements. Lock order, here and everywhere: jobs in the order of their ids, then slots in
-- the order of their keys, then nothing that has to be waited for. So no two commits can deadlock.

-- Whether a commit may be written is decided by the update itself: the lease is still the caller's and
-- nobody has moved the job since it was read.
create function millrace.write_jobs(
  p_commits millrace.job_commit[], p_token uuid, p_lease interval, p_consumed bigint[],
  p_now timestamptz,
  out applied uuid[], out woken uuid[], out missed uuid[], out freeing uuid[], out limited uuid[]
)
language plpgsql
set search_path = ''
as $$
begin
  with written as (
    update public.jobs j
    set status = c.status,
        current_step_id = c.current_step_id,
        state = c.state,
        step_data = case when c.step_data = '{}' then j.step_data else j.step_data || c.step_data end,
        lease_token = case when c.status = 'running' then j.lease_token end,
        next_run_at = case
          -- Left alone while more than half of the lease remains: the row then stays on its page.
          when c.status = 'running' then
            case when j.next_run_at > p_now + p_lease / 2 then j.next_run_at else p_now + p_lease end
          when c.status in ('completed', 'failed', 'cancelled') then null
          -- A message came in that this commit does not know of. The rows were locked by a
          -- statement of its own, so this one sees all that senders have committed before it.
          when j.wake_requested and exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (p_consumed))
            then p_now
          -- Nobody is left to wake it: its last child ended while the lease was held.
          when c.awaits_children and c.status = 'waiting' and (
            j.open_children + coalesce(c.spawned, c.reopened, 0) = 0
            or (coalesce(c.spawned, c.reopened) is null
              and j.failed_children > c.max_failed_children)) then p_now
          else c.next_run_at
        end,
        -- Parking answers the request. Otherwise it stands until the last message is consumed, and
        -- not only until it was told: the answer that tells may be lost.
        wake_requested = case
          when not j.wake_requested or c.status in ('pending', 'awaiting_retry', 'waiting', 'paused')
            then false
          else exists (
            select from public.job_inbox m where m.job_id = j.id and m.id <> all (p_consumed))
        end,
        open_children = j.open_children + coalesce(c.spawned, c.reopened, 0),
        failed_children = case when coalesce(c.spawned, c.reopened) is null
          then j.failed_children else 0 end,
        max_failed_children = c.max_failed_children,
        wanted_slot = c.wanted_slot,
        held_slots = case when c.granted_slot is null then j.held_slots
          else array_append(j.held_slots, c.granted_slot) end,
        -- One that was not given what it needs to begin has not begun, nor one whose time has not come.
        started_at = case when c.status = 'pending' and j.run_number = 1
            and (c.admission is not null or j.run_at > p_now)
          then null else j.started_at end,
        next_retry_at = c.next_retry_at,
        retry_count = c.retry_count,
        redeliveries = c.redeliveries,
        final_result = c.final_result,
        error = c.error,
        error_message = c.error ->> 'message',
        -- Not before it started, should the server's clock have been set back.
        completed_at = case when c.status in ('completed', 'failed', 'cancelled')
          then greatest(p_now, j.started_at) end,
        version = j.version + 1,
        last_updated_at = p_now
    from unnest(p_commits) as c
    where j.id = c.job_id and j.lease_token = p_token and j.version = c.version
    returning j.id, j.status, j.wake_requested, j.held_slots,
      j.status in ('completed', 'failed', 'cancelled') and j.state ? 'not_before' as was_limited
  )
  select coalesce(array_agg(w.id), '{}'),
    coalesce(array_agg(w.id) filter (where w.wake_requested and w.status = 'running'), '{}'),
    coalesce(array_agg(w.id) filter (where w.wake_requested and w.status <> 'running'), '{}'),
    coalesce(array_agg(w.id) filter (where w.held_slots is not null
      and w.status in ('completed', 'failed', 'cancelled')), '{}'),
    coalesce(array_agg(w.id) filter (where w.was_limited), '{}')
  into applied, woken, missed, freeing, limited
  from written w;
end;
$$;
comment on function millrace.write_jobs(millrace.job_commit[], uuid, interval, bigint[], timestamptz) is
  'Writes the jobs whose lease and version still hold, and answers them; of those, the ones that go on with messages, and the ended ones with messages, with slots or with a start under a rate limit.';

-- What a commit leaves behind: attempts that ended, events of the history, messages read.
create function millrace.write_records(p_commit jsonb, p_applied uuid[], p_now timestamptz)
returns void
language plpgsql set search_path = ''
as $$
begin
  insert into public.job_steps (job_id, step_id, visit, attempt, status, transformer_id, input,
    output, error, redeliveries, started_at, ended_at)
  select s.job_id, s.step_id, s.visit, s.attempt, s.status, s.transformer_id, s.input,
    s.output, s.error, s.redeliveries, s.started_at, s.ended_at
  from jsonb_to_recordset(p_commit -> 'steps') as s (job_id uuid, step_id text, visit integer,
    attempt integer, status text, transformer_id text, input jsonb, output jsonb, error jsonb,
    redeliveries smallint, started_at timestamptz, ended_at timestamptz)
  where s.job_id = any (p_applied);

  if p_commit -> 'events' <> '[]' then
    insert into public.job_events (job_id, type, step_id, data, created_at)
    select e.job_id, e.type, e.step_id, e.data, p_now
    from jsonb_to_recordset(p_commit -> 'events') as e (job_id uuid, type text, step_id text, data jsonb)
    where e.job_id = any (p_applied);
  end if;
  if p_commit -> 'consumed' <> '[]' then
    delete from public.job_inbox m
    using jsonb_to_recordset(p_commit -> 'consumed') as c (job_id uuid, id bigint)
    where m.id = c.id and m.job_id = c.job_id and m.job_id = any (p_applied);
  end if;
  if p_commit -> 'unsubscribed' <> '[]' then
    delete from public.event_waits w
    using jsonb_array_elements_text(p_commit -> 'unsubscribed') as u (job_id)
    where w.job_id = u.job_id::uuid and w.job_id = any (p_applied);
  end if;
  if p_commit -> 'approvals' <> '[]' then
    insert into public.approvals (job_id, step_id, visit, attempt, user_id, title, details, assignees,
      form, allow_self, status, created_at, expires_at)
    select a.job_id, a.step_id, a.visit, a.attempt, j.user_id, a.title, a.details, a.assignees,
      a.form, a.allow_self, 'open', p_now, a.expires_at
    from jsonb_to_recordset(p_commit -> 'approvals') as a (job_id uuid, step_id text, visit integer,
      attempt integer, title text, details jsonb, assignees text[], form jsonb, allow_self boolean,
      expires_at timestamptz)
    join public.jobs j on j.id = a.job_id
    where a.job_id = any (p_applied);
  end if;
  if p_commit -> 'closed_approvals' <> '[]' then
    update public.approvals a set status = c.status, decided_at = p_now
    from jsonb_to_recordset(p_commit -> 'closed_approvals') as c (job_id uuid, status text)
    where a.job_id = c.job_id and a.status = 'open' and a.job_id = any (p_applied);
  end if;
end;
$$;
comment on function millrace.write_records(jsonb, uuid[], timestamptz) is
  'Writes what goes with the jobs that were committed.';

-- A commit whose answer was lost is sent again: its version is then one ahead, under the same lease,
-- and it must be reported as what it is.
create function millrace.commit_results(
  p_commits millrace.job_commit[], p_applied uuid[], p_token uuid
) returns json
language plpgsql set search_path = ''
as $$
begin
  return (
    select coalesce(json_agg(case when c.admission is null
        then json_build_object('job_id', c.job_id, 'committed', done.it)
        else json_build_object('job_id', c.job_id, 'committed', done.it,
          'admitted', done.it and j.lease_token is not null)
      end), '[]')
    from unnest(p_commits) as c
    left join lateral (
      select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
    ) as j on true
    cross join lateral (select c.job_id = any (p_applied)
      or (j.lease_token = p_token and j.version = c.version + 1) is true as it) as done);
end;
$$;
comment on function millrace.commit_results(millrace.job_commit[], uuid[], uuid) is
  'Whether each commit was written, and whether what it asked for was given.';

-- Only those of the commits whose lease and version hold; their rows are locked.
create function millrace.valid_commits(p_commits millrace.job_commit[], p_token uuid)
returns millrace.job_commit[]
language plpgsql set search_path = '' set enable_hashjoin = on
as $$
declare
  v_valid millrace.job_commit[] := array(
    select c from unnest(p_commits) as c
    cross join lateral (
      select jobs.lease_token, jobs.version from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    where j.lease_token = p_token and j.version = c.version);
  v_kept millrace.job_commit[];
begin
  -- A join that was decided ahead stands and falls with the ends that it was made of, which may be
  -- such joins themselves: once more for each level of which one has fallen.
  while exists (select from unnest(v_valid) as c where c.joined_failures is not null) loop
    v_kept := array(
      with ended as materialized (
        select child.parent_job_id as id, count(*) as number,
          count(*) filter (where c.status <> 'completed') as failed
        from unnest(v_valid) as c
        cross join lateral (
          select jobs.parent_job_id from public.jobs where jobs.id = c.job_id offset 0
        ) as child
        where c.status in ('completed', 'failed', 'cancelled')
        group by child.parent_job_id
      )
      select c from unnest(v_valid) as c
      cross join lateral (
        select jobs.open_children, jobs.failed_children from public.jobs
        where jobs.id = c.job_id offset 0
      ) as j
      left join ended on ended.id = c.job_id
      where c.joined_failures is null or (j.open_children = coalesce(ended.number, 0)
        and j.failed_children + coalesce(ended.failed, 0) = c.joined_failures));
    exit when cardinality(v_kept) = cardinality(v_valid);
    v_valid := v_kept;
  end loop;
  return v_valid;
end;
$$;
comment on function millrace.valid_commits(millrace.job_commit[], uuid) is
  'The commits that may be written: those of jobs that the caller owns as he read them, and whose children have ended as he says.';

-- The last resort of an orchestrator is to fail a job, which must not be refused for ever. What has
-- open children, be they to end with this very commit, ends as soon as it has been woken by the last.
create function millrace.hold_failures_back(p_commits millrace.job_commit[])
returns millrace.job_commit[]
language plpgsql set search_path = ''
as $$
begin
  return array(
    select case when c.force and c.status = 'failed' and j.open_children > 0
        then jsonb_populate_record(c, jsonb_build_object('status', 'waiting',
          'awaits_children', true, 'next_run_at', null, 'error', null,
          'state', c.state || jsonb_build_object('ending',
            jsonb_build_object('status', c.status, 'error', c.error))))
        else c end
    from unnest(p_commits) as c
    left join lateral (
      select jobs.open_children from public.jobs where jobs.id = c.job_id offset 0
    ) as j on true);
end;
$$;
comment on function millrace.hold_failures_back(millrace.job_commit[]) is
  'The commits, in which forced failures of jobs with open children wait for these.';

-- What reaches beyond the jobs themselves, before they are written: parents that wait for them,
-- children that are opened again, slots and starts that are asked for.
create function millrace.prepare_commits(
  p_commits millrace.job_commit[], p_reopenings jsonb, p_token uuid, p_now timestamptz
) returns millrace.job_commit[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_commits millrace.job_commit[] := millrace.valid_commits(
    millrace.hold_failures_back(p_commits), p_token);
  v_asking boolean := exists (select from unnest(v_commits) as c where c.admission is not null);
  v_reopenings jsonb;
  v_reopened uuid[] := '{}';
  v_parents uuid[] := '{}';
begin
  perform millrace.count_down(v_commits, p_now);
  if p_reopenings <> '[]' then
    select coalesce(jsonb_agg(r.value), '[]'), coalesce(array_agg(c.job_id), '{}')
    into v_reopenings, v_parents
    from jsonb_array_elements(p_reopenings) as r
    join unnest(v_commits) as c on c.job_id = (r.value ->> 'job_id')::uuid;
    v_reopened := millrace.addressed_children(jsonb_build_object('reopenings', v_reopenings));
  end if;
  if v_asking or v_reopened <> '{}' then
    perform millrace.lock_slots_of_commit(v_commits, v_reopened);
  end if;
  if v_parents <> '{}' then
    v_commits := millrace.reopen_children(v_commits, v_parents, v_reopened, p_now);
  end if;
  return case when v_asking then millrace.admit_jobs(v_commits, p_now) else v_commits end;
end;
$$;
comment on function millrace.prepare_commits(millrace.job_commit[], jsonb, uuid, timestamptz) is
  'Does what has to be done before the jobs are written, and answers those commits that may be, with what they asked for.';

create function millrace.with_forced_cancels(p_commit jsonb) returns jsonb
language plpgsql immutable set search_path = ''
as $$
begin
  return p_commit || jsonb_build_object('child_messages',
    coalesce(p_commit -> 'child_messages', '[]') || (
      select coalesce(jsonb_agg(jsonb_build_object('job_id', c.value -> 'job_id', 'kind', 'cancel',
        'reason', c.value #> '{error,message}')), '[]')
      from jsonb_array_elements(p_commit -> 'jobs') as c where c.value -> 'force' = 'true'));
end;
$$;
comment on function millrace.with_forced_cancels(jsonb) is
  'The commit, with a cancel for the children of each job that it forces to fail.';

-- Two commits of one transaction lock what they touch in two statements, which must not be out of
-- order to each other: all of it is locked before.
create function millrace.lock_jobs_of(p_commits jsonb[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off set enable_hashjoin = off set enable_mergejoin = off
as $$
declare
  v_ids uuid[] := array(
    select (c.value ->> 'job_id')::uuid
    from unnest(p_commits) as listed (value)
    cross join jsonb_array_elements(listed.value -> 'jobs') as c);
  v_parents uuid[];
  v_children uuid[] := array(
    select child.id from unnest(p_commits) as listed (value)
    cross join unnest(millrace.addressed_children(millrace.with_forced_cancels(listed.value)))
      as child (id));
begin
  v_parents := array(
    select j.parent_job_id from public.jobs j
    where j.id = any (v_ids) and j.parent_job_id is not null);
  perform from public.jobs j where j.id = any (v_ids || v_parents || v_children)
  order by j.id for update;
end;
$$;
comment on function millrace.lock_jobs_of(jsonb[]) is
  'Locks the jobs of these commits, their parents and the children that are addressed, in order.';

create function millrace.commit(
  p_commit jsonb, out results json, out woken json, out leased uuid[]
)
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_token uuid := (p_commit ->> 'lease_token')::uuid;
  v_lease interval := make_interval(secs => (p_commit ->> 'lease_seconds')::integer);
  v_kick text := coalesce(current_setting('millrace.kick', true), '');
  v_commits millrace.job_commit[];
  v_asked millrace.job_commit[];
  v_ids uuid[];
  v_asking boolean;
  v_joining boolean;
  v_forcing boolean;
  v_parents uuid[];
  v_done record;
  v_spawned record;
  v_told uuid[] := '{}';
begin
  v_asked := array(
    select c from jsonb_populate_recordset(null::millrace.job_commit, p_commit -> 'jobs') as c);
  v_commits := v_asked;
  select coalesce(array_agg(c.job_id), '{}'), bool_or(c.admission is not null),
    bool_or(c.joined_failures is not null), bool_or(c.force),
    coalesce(array_agg(j.parent_job_id) filter (where j.parent_job_id is not null), '{}')
  into v_ids, v_asking, v_joining, v_forcing, v_parents
  from unnest(v_asked) as c
  left join lateral (
    select jobs.parent_job_id from public.jobs
    where jobs.id = c.job_id and c.status in ('completed', 'failed', 'cancelled') offset 0
  ) as j on true;
  if v_forcing then
    p_commit := millrace.with_forced_cancels(p_commit);
  end if;
  if p_commit -> 'child_messages' <> '[]' or p_commit -> 'reopenings' <> '[]' then
    v_ids := v_ids || millrace.addressed_children(p_commit);
  end if;
  perform from public.jobs j where j.id = any (v_ids || v_parents) order by j.id for update;

  if v_parents <> '{}' or v_asking or v_joining or v_forcing or p_commit -> 'reopenings' <> '[]' then
    v_commits := millrace.prepare_commits(v_asked, p_commit -> 'reopenings', v_token, v_now);
  end if;
  v_done := millrace.write_jobs(v_commits, v_token, v_lease,
    array(select (c ->> 'id')::bigint from jsonb_array_elements(p_commit -> 'consumed') as c), v_now);
  if v_done.freeing <> '{}' then
    perform millrace.free_slots(v_done.freeing);
  end if;
  if v_done.limited <> '{}' then
    delete from millrace.rate_starts s where s.job_id = any (v_done.limited) and s.starts_at > v_now;
  end if;
  perform millrace.write_records(p_commit, v_done.applied, v_now);

  leased := '{}';
  if p_commit -> 'spawns' <> '[]' or p_commit -> 'child_messages' <> '[]'
    or p_commit -> 'subscriptions' <> '[]' then
    -- Whoever commits looks for what is due himself.
    perform set_config('millrace.kick', 'caller', true);
    if p_commit -> 'spawns' <> '[]' then
      v_spawned := millrace.spawn_children(p_commit -> 'spawns', v_done.applied, v_token, v_lease, v_now);
      leased := v_spawned.leased;
      -- The news for those that go on; the others are due by it.
      v_done.woken := v_done.woken || array(
        select j.id from public.jobs j
        where j.id = any (v_spawned.refused) and j.lease_token = v_token and j.id <> all (v_done.woken));
    end if;
    if p_commit -> 'child_messages' <> '[]' then
      v_told := millrace.tell_children(p_commit -> 'child_messages', v_done.applied, v_token);
    end if;
    if p_commit -> 'subscriptions' <> '[]' then
      perform millrace.subscribe(p_commit -> 'subscriptions', v_done.applied);
    end if;
    perform set_config('millrace.kick', v_kick, true);
  end if;
  if v_done.missed <> '{}' then
    perform millrace.drop_messages(v_done.missed);
  end if;
  results := millrace.commit_results(v_asked, v_done.applied, v_token);
  woken := millrace.unread_messages(v_done.woken || v_told);
end;
$$;
comment on function millrace.commit(jsonb) is
  'commit_jobs without reading the children that are leased to the caller: their ids.';

create function public.commit_jobs(p_commit jsonb) returns json
language plpgsql set search_path = ''
as $$
declare
  v_done record := millrace.commit(p_commit);
begin
  return json_build_object('results', v_done.results, 'woken', v_done.woken,
    'claimed', millrace.claimed_jobs(v_done.leased));
end;
$$;
comment on function public.commit_jobs(jsonb) is
  'Writes the decisions for a batch of leased jobs: {lease_token, lease_seconds, jobs: [job_commit], steps, events, consumed: [{job_id, id}], spawns, child_messages, reopenings, subscriptions, unsubscribed: [job_id], approvals, closed_approvals: [{job_id, status}]}, any list absent for none. Answers {results: [{job_id, committed, admitted?}], woken: [{job_id, messages}], claimed: children that are leased to the caller}; a job that the caller no longer owns is not committed and nothing of it is written.';

-- Messages for jobs that are going on: told with each answer until a commit has consumed them.
create function millrace.unread_messages(p_job_ids uuid[]) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_mail record;
begin
  if p_job_ids = '{}' then
    return '[]'::json;
  end if;
  p_job_ids := array(select distinct id from unnest(p_job_ids) as id);
  v_mail := millrace.look_at_mail(p_job_ids);
  return (
    select coalesce(json_agg(json_build_object('job_id', woken.id, 'messages', woken.messages)), '[]')
    from (
      select m.job_id as id, json_agg(json_build_object('id', m.id, 'kind', m.kind,
        'step_id', m.step_id, 'visit', m.visit, 'attempt', m.attempt, 'payload', m.payload)
        order by m.id) as messages
      from unnest(p_job_ids) with ordinality as listed (id, position)
      join public.job_inbox m on m.job_id = listed.id
      where v_mail.cut_at is null or listed.position < v_mail.cut_at
        or (listed.position = v_mail.cut_at and m.id <= v_mail.last_id)
      group by m.job_id
    ) as woken);
end;
$$;
comment on function millrace.unread_messages(uuid[]) is
  'The mailboxes of jobs: [{job_id, messages}], the first 16 MiB of them.';
revoke execute on function millrace.unread_messages(uuid[]) from public;
grant execute on function millrace.unread_messages(uuid[]) to service_role;

-- Messages that came while their jobs ended: nobody will read them any more.
create function millrace.drop_messages(p_job_ids uuid[]) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  update public.jobs set wake_requested = false where id = any (p_job_ids);
  with dropped as (
    delete from public.job_inbox m where m.job_id = any (p_job_ids)
    returning m.job_id, m.kind, m.step_id, m.visit, m.attempt
  )
  insert into public.job_events (job_id, type, step_id, data)
  select d.job_id, 'late_' || case d.kind when 'step_result' then 'result' else d.kind end || '_dropped',
    d.step_id, jsonb_strip_nulls(jsonb_build_object('visit', d.visit, 'attempt', d.attempt))
  from dropped d;
end;
$$;
comment on function millrace.drop_messages(uuid[]) is
  'Deletes the unread messages of jobs that have ended and records that they came too late.';
revoke execute on function millrace.drop_messages(uuid[]) from public;
grant execute on function millrace.drop_messages(uuid[]) to service_role;

-- Keeps leases while tasks are out, and brings the messages that came in meanwhile.
create function public.extend_leases(
  p_lease_token uuid, p_job_ids uuid[], p_lease_seconds integer default 30
) returns json
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set enable_hashjoin = off
set enable_mergejoin = off
set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_locked uuid[];
  v_kept uuid[];
  v_woken uuid[];
begin
  -- Passed over where somebody holds them, as to wait for him could be a deadlock: he may want what
  -- the same turn has committed. Such a lease is kept as it is until the next time.
  v_locked := array(
    select j.id from public.jobs j where j.id = any (p_job_ids) for update skip locked);
  with kept as (
    update public.jobs j
    set next_run_at = v_now + make_interval(secs => p_lease_seconds), last_updated_at = v_now
    where j.id = any (v_locked) and j.lease_token = p_lease_token
    returning j.id, j.wake_requested
  )
  select coalesce(array_agg(k.id), '{}'), coalesce(array_agg(k.id) filter (where k.wake_requested), '{}')
  into v_kept, v_woken
  from kept k;
  if cardinality(v_locked) < cardinality(p_job_ids) then
    v_kept := v_kept || array(
      select held.id from (select unnest(p_job_ids) as id except select unnest(v_locked)) as held
      cross join lateral (
        select jobs.lease_token from public.jobs where jobs.id = held.id offset 0
      ) as j
      where j.lease_token = p_lease_token);
  end if;
  return json_build_object(
    'lost', array_to_json(array(select unnest(p_job_ids) except select unnest(v_kept))),
    'woken', millrace.unread_messages(v_woken));
end;
$$;
comment on function public.extend_leases(uuid, uuid[], integer) is
  'Extends the leases that p_lease_token still holds to p_lease_seconds from now, but for those of jobs that somebody has locked at this moment. Answers {lost: [job_id], woken: [{job_id, messages}]}.';

revoke execute on function public.commit_jobs(jsonb), public.extend_leases(uuid, uuid[], integer)
  from public, anon, authenticated;
grant execute on function public.commit_jobs(jsonb), public.extend_leases(uuid, uuid[], integer)
  to service_role;
revoke execute on function millrace.commit(jsonb), millrace.commit_results(millrace.job_commit[], uuid[], uuid),
  millrace.prepare_commits(millrace.job_commit[], jsonb, uuid, timestamptz),
  millrace.valid_commits(millrace.job_commit[], uuid),
  millrace.hold_failures_back(millrace.job_commit[]), millrace.with_forced_cancels(jsonb),
  millrace.lock_jobs_of(jsonb[]),
  millrace.write_jobs(millrace.job_commit[], uuid, interval, bigint[], timestamptz),
  millrace.write_records(jsonb, uuid[], timestamptz) from public;
grant execute on function millrace.commit(jsonb), millrace.commit_results(millrace.job_commit[], uuid[], uuid),
  millrace.prepare_commits(millrace.job_commit[], jsonb, uuid, timestamptz),
  millrace.valid_commits(millrace.job_commit[], uuid),
  millrace.hold_failures_back(millrace.job_commit[]), millrace.with_forced_cancels(jsonb),
  millrace.lock_jobs_of(jsonb[]),
  millrace.write_jobs(millrace.job_commit[], uuid, interval, bigint[], timestamptz),
  millrace.write_records(jsonb, uuid[], timestamptz) to service_role;
