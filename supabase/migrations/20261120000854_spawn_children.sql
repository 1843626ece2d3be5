-- Children: started by the commit of their parent, told what it was told, opened again with it.

-- A spawn that cannot be is refused by a message, and not by an error: that would fail the commit,
-- and its whole batch, each time that it is tried.
create function millrace.spawn_problems(p_spawns millrace.spawn[]) returns text[]
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return array(
    select case
        when p.depth >= 10 and not s.detached then
          'Cannot start children as jobs may be nested 10 deep: the parent is at 10'
        when s.workflow_id is null then null
        when v.version is null and s.workflow_version is null then
          format('Cannot start job as there is no workflow ''%s''', s.workflow_id)
        when v.version is null then
          format('Cannot start job as there is no version %s of workflow ''%s''', s.workflow_version,
            s.workflow_id)
        when input.bytes > 4194304 then
          format('Cannot start job as its input_data must be <= 4194304 bytes: current size is %s',
            input.bytes)
      end
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    cross join lateral (select j.depth from public.jobs j where j.id = s.job_id offset 0) as p
    left join lateral (
      select w.version from public.workflow_versions w
      where w.workflow_id = s.workflow_id and w.version = coalesce(s.workflow_version, (
        select c.version from public.workflows c where c.id = s.workflow_id))
      offset 0
    ) as v on true
    left join lateral (
      select max(millrace.json_bytes(child.value -> 'input')) as bytes
      from jsonb_array_elements(s.children) as child where s.workflow_id is not null
    ) as input on true
    order by s.position);
end;
$$;
comment on function millrace.spawn_problems(millrace.spawn[]) is
  'Why the children of each of these spawns cannot be started, as a sentence; null when they can.';

create function millrace.refuse_spawns(p_spawns millrace.spawn[], p_problems text[])
returns uuid[]
language plpgsql set search_path = ''
as $$
declare
  v_refused uuid[];
begin
  update public.jobs p set open_children = p.open_children - refused.number
  from (
    select s.job_id, sum(jsonb_array_length(s.children)) as number
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    where not s.detached and p_problems[s.position] is not null group by s.job_id
  ) as refused
  where p.id = refused.job_id;
  perform set_config('millrace.wake', 'sender', true);
  with sent as (
    insert into public.job_inbox (job_id, kind, step_id, visit, payload)
    select s.job_id, 'spawn_refused', s.step_id, s.visit,
      jsonb_build_object('message', p_problems[s.position])
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    where p_problems[s.position] is not null
    returning job_inbox.job_id
  )
  select array_agg(sent.job_id) into v_refused from sent;
  perform set_config('millrace.wake', '', true);
  perform millrace.wake_jobs(v_refused);
  return v_refused;
end;
$$;
comment on function millrace.refuse_spawns(millrace.spawn[], text[]) is
  'Tells parents why their children were not started, does not count those, and answers the parents.';

create function millrace.map_slot(p_job_id uuid, p_step_id text, p_visit integer) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return 'map:' || p_job_id || ':' || p_step_id || ':' || p_visit;
end;
$$;
comment on function millrace.map_slot(uuid, text, integer) is
  'The key of the slots of a map with max_concurrency.';

-- All children of all spawns in one statement. Those that may start at once are leased to the caller
-- or queued, as if their user had started them one after the other; the rest wait for a slot.
create function millrace.insert_children(
  p_spawns millrace.spawn[], p_token uuid, p_lease interval, p_now timestamptz
) returns void
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  insert into public.jobs (id, user_id, workflow_id, workflow_version, current_step_id, input_data,
    max_retries, priority, trace_id, deadline_at, parent_job_id, parent_step_id, parent_visit,
    root_job_id, depth, branch, item, item_index, slot_key, wanted_slot, held_slots,
    inherited_slots, queue_place, next_run_at, status, lease_token, version, created_at,
    started_at, last_updated_at, state_history)
  with family as materialized (
    select s.position, s.max_running, s.lease, s.workflow_id is not null as is_whole, p.*,
      -- Where the caller has begun with them before this commit, which is never after it.
      least(s.at, p_now) as at,
      case when not s.detached then s.job_id end as parent_id,
      case when not s.detached then s.step_id end as step_id,
      case when not s.detached then s.visit end as visit,
      coalesce(v.workflow_id, p.own_workflow_id) as workflow_id,
      coalesce(v.version, p.own_version) as workflow_version, v.start_step,
      p_now + make_interval(secs => v.timeout_seconds) as deadline_at,
      case when s.max_running > 0 and s.max_running < jsonb_array_length(s.children)
        then millrace.map_slot(s.job_id, s.step_id, s.visit) end as slot_key,
      -- As next_queue_place() says.
      case when not s.lease then coalesce(
          (select j.queue_place from public.jobs j
            where j.user_id = p.user_id and j.priority = p.priority and j.queue_place is not null
            order by j.queue_place desc limit 1) + 1,
          (select j.queue_place from public.jobs j
            where j.priority = p.priority and j.queue_place is not null
            order by j.queue_place limit 1), 0)
        + coalesce(sum(jsonb_array_length(s.children)) over (partition by p.user_id, p.priority
          order by s.position rows between unbounded preceding and 1 preceding), 0) end as place
    from unnest(p_spawns) with ordinality as s (job_id, step_id, visit, max_running, lease, detached,
      workflow_id, workflow_version, at, children, position)
    cross join lateral (
      select j.user_id, j.priority, j.max_retries, j.trace_id, j.workflow_id as own_workflow_id,
        j.workflow_version as own_version,
        case when not s.detached then coalesce(j.root_job_id, j.id) end as root_id,
        case when s.detached then 0 else j.depth + 1 end as depth,
        case when not s.detached then
          nullif(coalesce(j.held_slots, '{}') || coalesce(j.inherited_slots, '{}'), '{}')
        end as slots
      from public.jobs j where j.id = s.job_id offset 0
    ) as p
    left join lateral (
      select w.workflow_id, w.version, w.start_step,
        millrace.timeout_of(w.definition) as timeout_seconds
      from public.workflow_versions w
      where w.workflow_id = s.workflow_id and w.version = coalesce(s.workflow_version, (
        select c.version from public.workflows c where c.id = s.workflow_id))
      offset 0
    ) as v on true
  )
  select coalesce((c.value ->> 'id')::uuid, gen_random_uuid()), f.user_id, f.workflow_id,
    f.workflow_version, coalesce(c.value ->> 'start_step', f.start_step),
    case when f.is_whole then c.value -> 'input' end, f.max_retries, f.priority, f.trace_id,
    f.deadline_at, f.parent_id, f.step_id, f.visit, f.root_id, f.depth, c.value ->> 'branch',
    c.value -> 'item', case when f.parent_id is not null then (c.value ->> 'index')::integer end,
    f.slot_key, case when c.number > f.max_running then f.slot_key end,
    case when f.slot_key is not null and c.number <= f.max_running then array[f.slot_key] end,
    f.slots,
    case when f.slot_key is null or c.number <= f.max_running then f.place + c.number - 1 end,
    case when f.lease then p_now + p_lease
      when f.slot_key is null or c.number <= f.max_running then p_now else f.deadline_at end,
    case when f.lease then 'running' else 'pending' end, case when f.lease then p_token end,
    -- As a claim counts.
    case when f.lease then 2 else 0 end, f.at, case when f.lease then f.at end, p_now,
    jsonb_build_array(jsonb_build_object('from', null, 'to', 'pending', 'at', f.at))
      || case when f.lease then jsonb_build_array(
        jsonb_build_object('from', 'pending', 'to', 'running', 'at', f.at)) else '[]' end
  from family f
  cross join lateral jsonb_array_elements((p_spawns[f.position]).children)
    with ordinality as c (value, number)
  -- What nobody waits for has been started before where there is such a job. Any other child is
  -- counted, so that an id that is taken must fail the commit, by the primary key.
  where f.parent_id is not null or c.value -> 'id' is null
    -- Without offset 0 the planner might read all jobs for a hash table.
    or not exists (select from public.jobs j where j.id = (c.value ->> 'id')::uuid offset 0);
end;
$$;
comment on function millrace.insert_children(millrace.spawn[], uuid, interval, timestamptz) is
  'Inserts the children of spawns that nothing speaks against; a detached one that exists already was started before.';

create function millrace.spawn_children(
  p_spawns jsonb, p_applied uuid[], p_token uuid, p_lease interval, p_now timestamptz,
  out leased uuid[], out refused uuid[]
)
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
declare
  v_spawns millrace.spawn[] := array(
    select s from jsonb_populate_recordset(null::millrace.spawn, p_spawns) as s
    where s.job_id = any (p_applied));
  v_problems text[] := millrace.spawn_problems(v_spawns);
begin
  leased := '{}';
  refused := '{}';
  if array_remove(v_problems, null) <> '{}' then
    refused := millrace.refuse_spawns(v_spawns, v_problems);
    v_spawns := array(
      select v_spawns[i] from generate_subscripts(v_spawns, 1) as i where v_problems[i] is null);
  end if;
  if cardinality(v_spawns) = 0 then
    return;
  end if;
  insert into millrace.slots (key, capacity, in_use, job_id)
  select millrace.map_slot(s.job_id, s.step_id, s.visit), s.max_running, s.max_running, s.job_id
  from unnest(v_spawns) as s
  where s.max_running > 0 and s.max_running < jsonb_array_length(s.children);
  perform millrace.insert_children(v_spawns, p_token, p_lease, p_now);
  leased := array(
    select j.id from unnest(v_spawns) as s
    cross join lateral (
      select jobs.id, jobs.item_index from public.jobs
      where jobs.parent_job_id = s.job_id and jobs.parent_step_id = s.step_id
        and jobs.parent_visit = s.visit
      order by jobs.item_index offset 0
    ) as j
    -- Whoever gave them their ids knows them.
    where s.lease and s.children -> 0 -> 'id' is null);
end;
$$;
comment on function millrace.spawn_children(jsonb, uuid[], uuid, interval, timestamptz) is
  'Starts the children of the jobs that were committed, and answers those that are leased to the caller and the parents whose children were refused.';

revoke execute on function millrace.spawn_problems(millrace.spawn[]),
  millrace.refuse_spawns(millrace.spawn[], text[]), millrace.map_slot(uuid, text, integer),
  millrace.insert_children(millrace.spawn[], uuid, interval, timestamptz),
  millrace.spawn_children(jsonb, uuid[], uuid, interval, timestamptz) from public;
grant execute on function millrace.spawn_problems(millrace.spawn[]),
  millrace.refuse_spawns(millrace.spawn[], text[]), millrace.map_slot(uuid, text, integer),
  millrace.insert_children(millrace.spawn[], uuid, interval, timestamptz),
  millrace.spawn_children(jsonb, uuid[], uuid, interval, timestamptz) to service_role;
