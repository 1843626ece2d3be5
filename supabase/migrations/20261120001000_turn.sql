-- One turn of an orchestrator: commit what is done, keep what is out, claim what is due, in one
-- round trip and one transaction.
create function public.turn(p_turn jsonb) returns json
language plpgsql
set search_path = ''
set plan_cache_mode = force_generic_plan
set enable_seqscan = off
set jit = off
as $$
declare
  v_now timestamptz := millrace.now();
  v_token uuid := (p_turn ->> 'lease_token')::uuid;
  v_lease_seconds integer := (p_turn ->> 'lease_seconds')::integer;
  v_limit integer := (p_turn ->> 'claim')::integer;
  v_commit jsonb := p_turn -> 'commit';
  v_committed json;
  v_extended json;
  v_claimed json := '[]'::json;
  v_claimed_count integer := 0;
  v_definitions json;
  v_catalog bigint;
  v_transformers json;
  v_next_run_at timestamptz;
begin
  if v_token is null or v_lease_seconds is null or v_limit is null then
    raise exception 'Cannot take a turn as lease_token, lease_seconds and claim are required'
      using errcode = 'MR008';
  end if;
  if jsonb_typeof(v_commit) = 'object' then
    v_committed := public.commit_jobs(v_commit || jsonb_build_object(
      'lease_token', v_token, 'lease_seconds', v_lease_seconds));
  end if;
  if p_turn -> 'extend' <> '[]' then
    v_extended := public.extend_leases(v_token,
      array(select id::uuid from jsonb_array_elements_text(p_turn -> 'extend') as id),
      v_lease_seconds);
  end if;
  if v_limit > 0 then
    v_claimed := public.claim_jobs(v_token, v_limit, v_lease_seconds);
    v_claimed_count := json_array_length(v_claimed);
  end if;

  if v_claimed_count > 0 then
    select json_agg(json_build_object('workflow_id', v.workflow_id, 'version', v.version,
      'definition', v.definition))
    into v_definitions
    from (
      select distinct job ->> 'workflow_id' as id, (job ->> 'workflow_version')::integer as version
      from json_array_elements(v_claimed) as job
    ) as needed
    join public.workflow_versions v on v.workflow_id = needed.id and v.version = needed.version
    where not coalesce(p_turn -> 'known_definitions', '[]') ? (needed.id || '@' || needed.version);
  end if;
  select c.revision into v_catalog from millrace.catalog c;
  if v_catalog is distinct from (p_turn ->> 'catalog_revision')::bigint then
    select coalesce(json_agg(json_build_object('id', t.id, 'type', t.type, 'config', t.config,
      'target_function', t.target_function, 'batch_size', t.batch_size, 'retry', t.retry)), '[]')
    into v_transformers from public.transformers t;
  end if;
  if v_claimed_count = 0 and (p_turn ->> 'look_ahead')::boolean then
    select min(due.next_run_at) into v_next_run_at
    from generate_series(0, 9) as level (priority)
    cross join lateral (
      select j.next_run_at from public.jobs j
      where j.priority = level.priority and j.next_run_at is not null
      order by j.next_run_at limit 1
    ) as due;
  end if;

  if (p_turn ->> 'leaving')::boolean and v_claimed_count = 0 then
    delete from public.orchestrators where lease_token = v_token;
  else
    insert into public.orchestrators as o (lease_token, started_at, last_turn_at, in_flight,
      free_slots, last_batch)
    values (v_token, v_now, v_now, (p_turn ->> 'in_flight')::integer + v_claimed_count,
      v_limit - v_claimed_count,
      v_claimed_count + coalesce(jsonb_array_length(v_commit -> 'jobs'), 0))
    on conflict (lease_token) do update
    set last_turn_at = excluded.last_turn_at, in_flight = excluded.in_flight,
        free_slots = excluded.free_slots, last_batch = excluded.last_batch;
  end if;

  return json_build_object(
    -- Not v_now: what the caller goes on to do must not be older than what is written above.
    'now', millrace.now(),
    'results', coalesce(v_committed -> 'results', '[]'::json),
    'woken', coalesce(v_committed -> 'woken', '[]'::json),
    'extended', coalesce(v_extended, '{"lost": [], "woken": []}'::json),
    'claimed', v_claimed,
    'definitions', coalesce(v_definitions, '[]'::json),
    'catalog_revision', v_catalog,
    'transformers', v_transformers,
    'callback_secret', case when v_transformers is not null then
      (select s.callback_secret from millrace.settings s) end,
    'next_run_at', v_next_run_at);
end;
$$;
comment on function public.turn(jsonb) is
  'One turn of an orchestrator run: {lease_token, lease_seconds, claim, in_flight, commit?, extend?, known_definitions?, catalog_revision?, look_ahead?, leaving?}. Answers {now, results, woken, extended, claimed, definitions, catalog_revision, transformers (null when unchanged), callback_secret, next_run_at}. Raises MR008 (missing argument).';
revoke execute on function public.turn(jsonb) from public, anon, authenticated;
grant execute on function public.turn(jsonb) to service_role;
grant select on millrace.catalog, millrace.settings to service_role;
create policy catalog_select_service on millrace.catalog for select to service_role using (true);
create policy settings_select_service on millrace.settings for select to service_role using (true);
