-- The structural part of the definition check, for every way a definition can come in. Paths,
-- templates and expressions are parsed by the engine, which fails a job with definition_invalid
-- where this check could not see the fault.

-- Where an on_error leads: a step id, or a list of {errors, next_step}. As rows (place, target).
create function millrace.on_error_targets(p_place text, p_on_error jsonb)
returns table (place text, target jsonb)
language sql immutable set search_path = ''
as $$
  select p_place, p_on_error
  where p_on_error is not null and jsonb_typeof(p_on_error) <> 'array'
  union all
  select format('%s[%s].next_step', p_place, entry.position - 1), entry.value -> 'next_step'
  from jsonb_array_elements(case when jsonb_typeof(p_on_error) = 'array' then p_on_error end)
    with ordinality as entry (value, position)
$$;
comment on function millrace.on_error_targets(text, jsonb) is 'The targets of an on_error: (place, target) rows.';
revoke execute on function millrace.on_error_targets(text, jsonb) from public;

-- Targets that are no steps, as rows (place, fault).
create function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb)
returns table (place text, fault text)
language sql immutable set search_path = ''
as $$
  select p_place, 'must be the id of a step'
  where jsonb_typeof(p_target) is distinct from 'string'
  union all
  select p_place, format('no step ''%s''', p_target #>> '{}')
  where jsonb_typeof(p_target) = 'string' and not p_steps ? (p_target #>> '{}')
$$;
comment on function millrace.target_problems(jsonb, text, jsonb) is
  'What is wrong with a reference to a step: (place, fault) rows.';
revoke execute on function millrace.target_problems(jsonb, text, jsonb) from public;

-- What is wrong with one step, as rows (place, fault).
create function millrace.step_problems(p_steps jsonb, p_step_id text, p_step jsonb)
returns table (place text, fault text)
language sql stable set search_path = ''
as $$
  with targets as (
    select format('steps.%s.next_step', p_step_id) as place, p_step -> 'next_step' as target
    where coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') <> 'null'
    union all
    select handler.place, handler.target
    from millrace.on_error_targets(format('steps.%s.on_error', p_step_id), p_step -> 'on_error') as handler
  )
  select 'steps.' || p_step_id, 'a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
  where p_step_id !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'
  union all
  select 'steps.' || p_step_id, format('''%s'' is reserved in the job document', p_step_id)
  where p_step_id in ('job_input', 'job', 'item', 'index')
  union all
  select 'steps.' || p_step_id, 'a step must be an object'
  where jsonb_typeof(p_step) <> 'object'
  union all
  select format('steps.%s.type', p_step_id),
    format('''%s'' is not a step type', p_step ->> 'type')
  where jsonb_typeof(p_step) = 'object' and coalesce(p_step -> 'type', '"task"') <> '"task"'
  union all
  select format('steps.%s.%s', p_step_id, key), 'unknown key'
  from jsonb_object_keys(case when jsonb_typeof(p_step) = 'object' then p_step end) as key
  where key <> all (array['type', 'title', 'description', 'when', 'next_step', 'transformer_id',
    'input_map', 'config', 'retry', 'timeout_seconds', 'on_error', 'callback'])
  union all
  select format('steps.%s.transformer_id', p_step_id), 'a task needs the id of a transformer'
  where jsonb_typeof(p_step) = 'object'
    and jsonb_typeof(p_step -> 'transformer_id') is distinct from 'string'
  union all
  select format('steps.%s.transformer_id', p_step_id),
    format('no transformer ''%s''', p_step ->> 'transformer_id')
  where jsonb_typeof(p_step -> 'transformer_id') = 'string'
    and not exists (select from public.transformers t where t.id = p_step ->> 'transformer_id')
  union all
  select problem.place, problem.fault
  from targets
  cross join lateral millrace.target_problems(p_steps, targets.place, targets.target) as problem
$$;
comment on function millrace.step_problems(jsonb, text, jsonb) is
  'What is structurally wrong with one step of a definition: (place, fault) rows.';
revoke execute on function millrace.step_problems(jsonb, text, jsonb) from public;

-- The steps that no path from the start (or the definition's error handler) leads to.
create function millrace.unreachable_steps(p_definition jsonb) returns setof text
language sql stable set search_path = ''
as $$
  with recursive reached (step_id) as (
    select start.step_id
    from (
      select p_definition ->> 'start_step' as step_id
      union all
      select target #>> '{}' from millrace.on_error_targets('', p_definition -> 'on_error')
    ) as start
    where p_definition -> 'steps' ? start.step_id
    union
    select target.step_id
    from reached
    cross join lateral (
      select p_definition -> 'steps' -> reached.step_id as step
    ) as from_step
    cross join lateral (
      select from_step.step ->> 'next_step' as step_id
      union all
      select target #>> '{}' from millrace.on_error_targets('', from_step.step -> 'on_error')
    ) as target
    where p_definition -> 'steps' ? target.step_id
  )
  select id from jsonb_object_keys(p_definition -> 'steps') as id
  except
  select step_id from reached
$$;
comment on function millrace.unreachable_steps(jsonb) is 'Ids of the steps that nothing leads to.';
revoke execute on function millrace.unreachable_steps(jsonb) from public;

create function millrace.definition_problems(p_definition jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
declare
  v_steps jsonb := p_definition -> 'steps';
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'definition', 'must be an object';
    return;
  end if;
  return query
    select key, 'unknown key' from jsonb_object_keys(p_definition) as key
    where key <> all (array['title', 'description', 'start_step', 'steps', 'output_map',
      'input_schema', 'retry', 'on_error', 'max_step_visits', 'timeout_seconds', 'metadata']);
  if octet_length(p_definition::text) > 1048576 then
    return query select 'definition', 'must be at most 1 MiB';
    return;
  end if;
  if jsonb_typeof(v_steps) is distinct from 'object' or v_steps = '{}' then
    return query select 'steps', 'must be an object with at least one step';
    return;
  end if;
  if (select count(*) from jsonb_object_keys(v_steps)) > 500 then
    return query select 'steps', 'must be at most 500 steps';
    return;
  end if;
  if jsonb_typeof(p_definition -> 'start_step') is distinct from 'string' then
    return query select 'start_step', 'must be the id of a step';
  elsif not v_steps ? (p_definition ->> 'start_step') then
    return query select 'start_step', format('no step ''%s''', p_definition ->> 'start_step');
  end if;
  return query
    select problem.place, problem.fault
    from millrace.on_error_targets('on_error', p_definition -> 'on_error') as handler
    cross join lateral millrace.target_problems(v_steps, handler.place, handler.target) as problem;
  return query
    select problem.place, problem.fault
    from jsonb_each(v_steps) as step
    cross join lateral millrace.step_problems(v_steps, step.key, step.value) as problem;
  return query
    select 'steps.' || id, 'no step leads here'
    from millrace.unreachable_steps(p_definition) as id
    where v_steps ? (p_definition ->> 'start_step');
end;
$$;
comment on function millrace.definition_problems(jsonb) is
  'What is structurally wrong with a definition: (place, fault) rows; none when it may be registered.';
revoke execute on function millrace.definition_problems(jsonb) from public;

create function millrace.check_workflow_definition() returns trigger
language plpgsql set search_path = ''
as $$
declare
  v_problems text;
begin
  select string_agg(problem.place || ': ' || problem.fault, '; ')
  into v_problems
  from (
    select place, fault from millrace.definition_problems(new.definition)
    order by place, fault limit 20
  ) as problem;
  if v_problems is not null then
    raise exception 'Cannot register workflow ''%'' as its definition is invalid: %', new.id, v_problems
      using errcode = 'MR004';
  end if;
  return new;
end;
$$;
comment on function millrace.check_workflow_definition() is
  'Refuses a definition that is structurally wrong with MR004, naming every place (at most 20).';
revoke execute on function millrace.check_workflow_definition() from public;
grant execute on function millrace.on_error_targets(text, jsonb),
  millrace.target_problems(jsonb, text, jsonb), millrace.step_problems(jsonb, text, jsonb),
  millrace.unreachable_steps(jsonb), millrace.definition_problems(jsonb) to service_role;

create trigger workflows_check_definition
  before insert or update of definition on public.workflows
  for each row execute function millrace.check_workflow_definition();
