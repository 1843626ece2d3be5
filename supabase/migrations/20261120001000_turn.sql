-- One turn of an orchestrator: commit what is done, keep what is out, claim what is due, in one
-- round trip and one transaction.

-- The scopes of jobs that run a branch, and those around them. Wide columns are read last, and only
-- of scopes that the caller does not have.
create function millrace.scopes_of(p_job_ids uuid[], p_known jsonb) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return (
    with recursive scope as (
      select j.parent_job_id as job_id, j.parent_step_id as step_id, j.parent_visit as visit,
        j.run_number as run
      from public.jobs j where j.id = any (p_job_ids) and j.branch is not null
      union
      select p.parent_job_id, p.parent_step_id, p.parent_visit, p.run_number
      from scope join public.jobs p on p.id = scope.job_id
      where p.branch is not null
    )
    select json_agg(json_build_object('key', wanted.key,
        'parent', case when p.branch is not null then
          millrace.scope_key(p.parent_job_id, p.parent_step_id, p.parent_visit, p.run_number) end,
        'job_id', p.id, 'workflow_id', p.workflow_id, 'workflow_version', p.workflow_version,
        'user_id', p.user_id, 'created_at', p.created_at, 'started_at', p.started_at,
        'input_data', p.input_data, 'step_data', p.step_data, 'item', p.item,
        'item_index', case when p.branch is not null and p.item is not null then p.item_index end,
        'previous_step', p.state ->> 'previous_step') order by p.depth)
    from (
      select scope.job_id, millrace.scope_key(scope.job_id, scope.step_id, scope.visit, scope.run) as key
      from scope
    ) as wanted
    cross join lateral (select * from public.jobs where jobs.id = wanted.job_id offset 0) as p
    where not coalesce(p_known, '[]') ? wanted.key);
end;
$$;
comment on function millrace.scopes_of(uuid[], jsonb) is
  'What branches see of their parents: the scopes of these jobs that are not known yet, outer before inner.';

create function millrace.definitions_of(p_job_ids uuid[], p_known jsonb) returns json
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return (
    select json_agg(json_build_object('workflow_id', v.workflow_id, 'version', v.version,
      'definition', v.definition))
    from (
      select distinct j.workflow_id as id, j.workflow_version as version
      from public.jobs j where j.id = any (p_job_ids)
    ) as needed
    join public.workflow_versions v on v.workflow_id = needed.id and v.version = needed.version
    where not coalesce(p_known, '[]') ? (needed.id || '@' || needed.version));
end;
$$;
comment on function millrace.definitions_of(uuid[], jsonb) is
  'The definitions that these jobs are pinned to, without those that are known.';

revoke execute on function millrace.scopes_of(uuid[], jsonb), millrace.definitions_of(uuid[], jsonb)
  from public;
grant execute on function millrace.scopes_of(uuid[], jsonb), millrace.definitions_of(uuid[], jsonb)
  to service_role;

create function millrace.next_due_at() returns timestamptz
language plpgsql set search_path = '' set plan_cache_mode = force_generic_plan
set enable_seqscan = off
as $$
begin
  return (
    select min(due.next_run_at)
    from generate_series(0, 9) as level (priority)
    cross join lateral (
      (select j.next_run_at from public.jobs j
        where j.priority = level.priority and j.next_run_at is not null and j.queue_place is null
        order by j.next_run_at limit 1)
      union all
      (select j.next_run_at from public.jobs j
        where j.priority = level.priority and j.queue_place is not null
        order by j.queue_place limit 1)
    ) as due);
end;
$$;
comment on function millrace.next_due_at() is 'When the next job falls due, or has.';
revoke execute on function millrace.next_due_at() from public;
grant execute on function millrace.next_due_at() to service_role;

create function public.turn(p_turn jsonb) returns json
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
  v_token uuid := (p_turn ->> 'lease_token')::uuid;
  v_lease_seconds integer := (p_turn ->> 'lease_seconds')::integer;
  v_limit integer := (p_turn ->> 'claim')::integer;
  v_commit jsonb := p_turn -> 'commit';
  v_lease jsonb := jsonb_build_object('lease_token', v_token, 'lease_seconds', v_lease_seconds);
  v_done record;
  v_spawned json;
  v_results json;
  v_woken json;
  v_extended json;
  v_leased uuid[] := '{}';
  v_claimed_count integer;
  v_claimed json;
  v_definitions json;
  v_scopes json;
  v_events_left boolean := false;
  v_catalog bigint;
  v_transformers json;
  v_next_run_at timestamptz;
begin
  if v_token is null or v_lease_seconds is null or v_limit is null then
    raise exception 'Cannot take a turn as lease_token, lease_seconds and claim are required'
      using errcode = 'MR008';
  end if;
  if jsonb_typeof(p_turn -> 'spawning') = 'object' and jsonb_typeof(v_commit) = 'object' then
    perform millrace.lock_jobs_of(array[p_turn -> 'spawning', v_commit]);
  end if;
  -- First, as what follows may be of the children that are started by it.
  if jsonb_typeof(p_turn -> 'spawning') = 'object' then
    v_done := millrace.commit((p_turn -> 'spawning') || v_lease);
    v_spawned := v_done.results;
    v_woken := v_done.woken;
  end if;
  if jsonb_typeof(v_commit) = 'object' then
    v_done := millrace.commit(v_commit || v_lease);
    v_results := v_done.results;
    v_woken := case when v_woken is null then v_done.woken
      else (v_woken::jsonb || v_done.woken::jsonb)::json end;
    v_leased := v_done.leased;
  end if;
  if p_turn -> 'extend' <> '[]' then
    v_extended := public.extend_leases(v_token,
      array(select id::uuid from jsonb_array_elements_text(p_turn -> 'extend') as id),
      v_lease_seconds);
  end if;
  if exists (select from public.events e where e.delivered_at is null) then
    -- Whatever is wrong with an event must not keep jobs from being committed.
    begin
      v_events_left := millrace.deliver_events();
    exception when others then
      v_events_left := true;
      raise warning 'Millrace could not deliver events: %', sqlerrm;
    end;
  end if;
  if v_limit > 0 then
    v_leased := v_leased || millrace.lease_jobs(v_token, v_limit, v_lease_seconds);
  end if;
  v_claimed_count := cardinality(v_leased);
  if v_claimed_count > 0 then
    v_claimed := millrace.claimed_jobs(v_leased);
    v_definitions := millrace.definitions_of(v_leased, p_turn -> 'known_definitions');
    if exists (select from public.jobs j where j.id = any (v_leased) and j.branch is not null) then
      v_scopes := millrace.scopes_of(v_leased, p_turn -> 'known_scopes');
    end if;
  end if;
  select c.revision into v_catalog from millrace.catalog c;
  if v_catalog is distinct from (p_turn ->> 'catalog_revision')::bigint then
    select coalesce(json_agg(json_build_object('id', t.id, 'type', t.type, 'config', t.config,
      'target_function', t.target_function, 'batch_size', t.batch_size, 'retry', t.retry)), '[]')
    into v_transformers from public.transformers t;
  end if;
  if v_claimed_count = 0 and (p_turn ->> 'look_ahead')::boolean then
    v_next_run_at := millrace.next_due_at();
  end if;

  if (p_turn ->> 'leaving')::boolean and v_claimed_count = 0 then
    delete from public.orchestrators where lease_token = v_token;
  else
    insert into public.orchestrators as o (lease_token, started_at, last_turn_at, in_flight,
      free_slots, last_batch)
    values (v_token, v_now, v_now, (p_turn ->> 'in_flight')::integer + v_claimed_count,
      greatest(v_limit - v_claimed_count, 0),
      v_claimed_count + coalesce(jsonb_array_length(v_commit -> 'jobs'), 0))
    on conflict (lease_token) do update
    set last_turn_at = excluded.last_turn_at, in_flight = excluded.in_flight,
        free_slots = excluded.free_slots, last_batch = excluded.last_batch;
  end if;

  return json_build_object(
    -- Not v_now: what the caller goes on to do must not be older than what is written above.
    'now', millrace.now(),
    'results', coalesce(v_results, '[]'::json),
    'spawned', coalesce(v_spawned, '[]'::json),
    'woken', coalesce(v_woken, '[]'::json),
    'extended', coalesce(v_extended, '{"lost": [], "woken": []}'::json),
    'claimed', coalesce(v_claimed, '[]'::json),
    'scopes', coalesce(v_scopes, '[]'::json),
    'definitions', coalesce(v_definitions, '[]'::json),
    'catalog_revision', v_catalog,
    'transformers', v_transformers,
    'callback_secret', case when v_transformers is not null then
      (select s.callback_secret from millrace.settings s) end,
    'next_run_at', v_next_run_at,
    'events_left', v_events_left);
end;
$$;
comment on function public.turn(jsonb) is
  'One turn of an orchestrator run: {lease_token, lease_seconds, claim, in_flight, spawning?, commit?, extend?, known_definitions?, known_scopes?, catalog_revision?, look_ahead?, leaving?}. spawning is a commit of jobs that start children, whose ids it gives; it is written before commit, which may hold ends of these children. Answers {now, results, spawned, woken, extended, claimed, scopes, definitions, catalog_revision, transformers (null when unchanged), callback_secret, next_run_at, events_left}. Raises MR008 (missing argument).';
revoke execute on function public.turn(jsonb) from public, anon, authenticated;
grant execute on function public.turn(jsonb) to service_role;
grant select on millrace.catalog, millrace.settings to service_role;
create policy catalog_select_service on millrace.catalog for select to service_role using (true);
create policy settings_select_service on millrace.settings for select to service_role using (true);
