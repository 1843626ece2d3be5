-- Admission: a job that asks for a slot or a start goes on with it, or parks until it is its turn.
-- Decided before the jobs are written, as changes to what their commits say.

create function millrace.admit_to_slots(p_commits millrace.job_commit[]) returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_changes jsonb;
begin
  update millrace.slots s set capacity = said.capacity
  from (
    select c.admission ->> 'key' as key, max((c.admission ->> 'capacity')::integer) as capacity
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'slot' group by 1
  ) as said
  where s.key = said.key and s.capacity <> said.capacity;

  select jsonb_object_agg(asking.job_id, case
      when asking.has_it then '{}'
      when asking.place <= asking.free then jsonb_build_object('granted_slot', asking.key)
      -- Its time limit goes on while it waits.
      else jsonb_build_object('status', 'pending', 'next_run_at', asking.deadline_at,
        'wanted_slot', asking.key)
    end)
  into v_changes
  from (
    select c.job_id, c.admission ->> 'key' as key, j.deadline_at, has.it as has_it,
      s.capacity - s.in_use as free,
      row_number() over (partition by c.admission ->> 'key', has.it
        order by j.priority desc, j.created_at, c.job_id) as place
    from unnest(p_commits) as c
    cross join lateral (
      select jobs.priority, jobs.created_at, jobs.deadline_at, jobs.held_slots, jobs.inherited_slots
      from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    cross join lateral (
      select slots.capacity, slots.in_use from millrace.slots
      where slots.key = c.admission ->> 'key' offset 0
    ) as s
    cross join lateral (select c.admission ->> 'key' = any (
      coalesce(j.held_slots, '{}') || coalesce(j.inherited_slots, '{}')) as it offset 0) as has
    where c.admission ->> 'kind' = 'slot'
  ) as asking;

  update millrace.slots s set in_use = s.in_use + granted.number
  from (
    select change.value ->> 'granted_slot' as key, count(*) as number
    from jsonb_each(v_changes) as change where change.value ? 'granted_slot' group by 1
  ) as granted
  where s.key = granted.key;
  return v_changes;
end;
$$;
comment on function millrace.admit_to_slots(millrace.job_commit[]) is
  'Gives the slots that jobs ask for, as far as there are any: {job_id: changes to its commit}. Holds the locks on the slots.';

-- No more than max_starts in any stretch of per_seconds: each start is at least per_seconds after
-- the one max_starts before it, be that given away earlier or in this batch.
create function millrace.admit_to_start(p_commits millrace.job_commit[], p_now timestamptz)
returns jsonb
language plpgsql set search_path = ''
as $$
declare
  v_changes jsonb;
begin
  with rule as (
    select c.admission ->> 'key' as key, max((c.admission ->> 'max_starts')::integer) as max_starts,
      make_interval(secs => max((c.admission ->> 'per_seconds')::double precision)) as period
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'start' group by 1
  ), given as (
    select r.*, array(
      select s.starts_at from millrace.rate_starts s
      where s.key = r.key order by s.starts_at desc limit r.max_starts) as latest
    from rule r
  ), asking as (
    select c.job_id, c.state, c.admission ->> 'key' as key,
      (row_number() over (partition by c.admission ->> 'key'
        order by j.priority desc, j.created_at, c.job_id) - 1)::integer as place
    from unnest(p_commits) as c
    cross join lateral (
      select jobs.priority, jobs.created_at from public.jobs where jobs.id = c.job_id offset 0
    ) as j
    where c.admission ->> 'kind' = 'start'
  ), start as (
    select a.job_id, a.state, a.key,
      greatest(p_now, g.latest[g.max_starts - a.place % g.max_starts] + g.period)
        + (a.place / g.max_starts) * g.period as at
    from asking a join given g on g.key = a.key
  )
  select jsonb_object_agg(start.job_id,
    jsonb_build_object('state', start.state || jsonb_build_object('not_before', start.at))
    || case when start.at <= p_now then '{}'
        else jsonb_build_object('status', 'pending', 'next_run_at', start.at) end)
  into v_changes from start;

  delete from millrace.rate_starts s
  using (
    select c.admission ->> 'key' as key,
      make_interval(secs => max((c.admission ->> 'per_seconds')::double precision)) as period
    from unnest(p_commits) as c where c.admission ->> 'kind' = 'start' group by 1
  ) as rule
  where s.key = rule.key and s.starts_at <= p_now - rule.period;
  insert into millrace.rate_starts (key, job_id, starts_at)
  select c.admission ->> 'key', c.job_id,
    (v_changes #>> array[c.job_id::text, 'state', 'not_before'])::timestamptz
  from unnest(p_commits) as c where c.admission ->> 'kind' = 'start';
  return v_changes;
end;
$$;
comment on function millrace.admit_to_start(millrace.job_commit[], timestamptz) is
  'Gives each job that asks for a start the earliest time that its rate limit allows: {job_id: changes to its commit}. Holds the locks on the keys.';

-- All locks on slots that a commit with admissions or reopenings needs, at once: those asked for,
-- those that its ended jobs free, those of the children that it opens again.
create function millrace.lock_slots_of_commit(
  p_commits millrace.job_commit[], p_reopened uuid[]
) returns void
language plpgsql set search_path = ''
as $$
begin
  -- What is there is locked by the conflict, though not written: to look for it before would be to
  -- look for what somebody may just be deleting.
  insert into millrace.slots (key, capacity)
  select touched.key, coalesce(max(touched.capacity), 1)
  from (
    select c.admission ->> 'key' as key, (c.admission ->> 'capacity')::integer as capacity
    from unnest(p_commits) as c where c.admission is not null
    union all
    select s.key, s.capacity from millrace.slots s
    where s.key = any (array(
      select held.key from unnest(p_commits) as c
      cross join lateral (
        select jobs.held_slots from public.jobs where jobs.id = c.job_id offset 0
      ) as j
      cross join unnest(j.held_slots) as held (key)
      where c.status in ('completed', 'failed', 'cancelled')
      union
      select j.slot_key from public.jobs j
      where j.id = any (p_reopened) and j.slot_key is not null))
  ) as touched
  group by touched.key order by touched.key
  on conflict (key) do update set capacity = excluded.capacity where false;
end;
$$;
comment on function millrace.lock_slots_of_commit(millrace.job_commit[], uuid[]) is
  'Makes the slots that are asked for and locks all that a commit touches.';

create function millrace.admit_jobs(p_commits millrace.job_commit[], p_now timestamptz)
returns millrace.job_commit[]
language plpgsql set search_path = ''
as $$
declare
  v_changes jsonb := coalesce(millrace.admit_to_slots(p_commits), '{}')
    || coalesce(millrace.admit_to_start(p_commits, p_now), '{}');
begin
  return array(
    select jsonb_populate_record(c, v_changes -> c.job_id::text) from unnest(p_commits) as c);
end;
$$;
comment on function millrace.admit_jobs(millrace.job_commit[], timestamptz) is
  'The commits with the answers to what they ask for: they go on, or park as pending.';

revoke execute on function millrace.admit_to_slots(millrace.job_commit[]),
  millrace.admit_to_start(millrace.job_commit[], timestamptz),
  millrace.lock_slots_of_commit(millrace.job_commit[], uuid[]),
  millrace.admit_jobs(millrace.job_commit[], timestamptz) from public;
grant execute on function millrace.admit_to_slots(millrace.job_commit[]),
  millrace.admit_to_start(millrace.job_commit[], timestamptz),
  millrace.lock_slots_of_commit(millrace.job_commit[], uuid[]),
  millrace.admit_jobs(millrace.job_commit[], timestamptz) to service_role;
