-- The structural part of the definition check, for every way a definition can come in. Paths,
-- templates and expressions are parsed by the engine, which fails a job with definition_invalid
-- where this check could not see the fault.

-- Targets that are no steps, as rows (place, fault).
create function millrace.target_problems(p_steps jsonb, p_place text, p_target jsonb)
returns table (place text, fault text)
language plpgsql immutable set search_path = ''
as $$
begin
  return query
    select p_place, 'must be the id of a step'
    where jsonb_typeof(p_target) is distinct from 'string'
    union all
    select p_place, format('no step ''%s''', p_target #>> '{}')
    where jsonb_typeof(p_target) = 'string' and not p_steps ? (p_target #>> '{}');
end;
$$;
comment on function millrace.target_problems(jsonb, text, jsonb) is
  'What is wrong with a reference to a step: (place, fault) rows.';
revoke execute on function millrace.target_problems(jsonb, text, jsonb) from public;

-- A transformer, a workflow or a version that is named and does not exist, as rows (place, fault).
create function millrace.reference_problems(p_workflow_id text, p_place text, p_step jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    with named (place, kind, reference) as (
      select p_place || '.transformer_id', 'transformer', p_step -> 'transformer_id'
      where coalesce(p_step ->> 'type', 'task') in ('task', 'map')
      union all
      select p_place || '.validate.transformer_id', 'transformer', p_step -> 'validate' -> 'transformer_id'
      where coalesce(p_step ->> 'type', 'task') = 'task'
        and p_step -> 'validate' ->> 'type' = 'function'
      union all
      select p_place || '.workflow_id', 'workflow', p_step -> 'workflow_id'
      where p_step ->> 'type' in ('workflow', 'map')
    )
    select named.place, format('must be the id of a %s', named.kind)
    from named where jsonb_typeof(named.reference) <> 'string'
    union all
    select named.place, format('no %s ''%s''', named.kind, named.reference #>> '{}')
    from named
    where jsonb_typeof(named.reference) = 'string' and case named.kind
      when 'transformer' then not exists (
        select from public.transformers as t where t.id = named.reference #>> '{}')
      -- A workflow may start itself.
      else named.reference #>> '{}' is distinct from p_workflow_id and not exists (
        select from public.workflows as w where w.id = named.reference #>> '{}')
    end
    union all
    select p_place || '.version',
      format('no version %s of workflow ''%s''', p_step ->> 'version', w.id)
    from public.workflows as w
    where p_step ->> 'type' in ('workflow', 'map') and w.id = p_step ->> 'workflow_id'
      and w.id is distinct from p_workflow_id and p_step ? 'version'
      and not exists (select from public.workflow_versions as v
        where v.workflow_id = w.id and v.version::text = p_step ->> 'version');
end;
$$;
comment on function millrace.reference_problems(text, text, jsonb) is
  'Transformers, workflows and versions that a step names and that do not exist: (place, fault) rows.';
revoke execute on function millrace.reference_problems(text, text, jsonb) from public;

-- What is wrong within a choice, a wait or a map beyond its keys, as rows (place, fault).
create function millrace.form_problems(p_place text, p_step jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select p_place || '.choices', 'must be a list of 1 to 100 choices'
    where p_step ->> 'type' = 'choice' and p_step ? 'choices'
      and case when jsonb_typeof(p_step -> 'choices') = 'array'
        then jsonb_array_length(p_step -> 'choices') not between 1 and 100 else true end
    union all
    select problem.place, problem.fault
    from jsonb_array_elements(case when p_step ->> 'type' = 'choice'
      and jsonb_typeof(p_step -> 'choices') = 'array' then p_step -> 'choices' end)
      with ordinality as choice (value, position)
    cross join lateral (
      select format('%s.choices[%s]', p_place, choice.position - 1) as place
    ) as choice_place
    cross join lateral (
      select choice_place.place, 'must be an object' as fault
      where jsonb_typeof(choice.value) <> 'object'
      union all
      select keys.place, keys.fault
      from millrace.key_problems('choice', choice_place.place,
        case when jsonb_typeof(choice.value) = 'object' then choice.value end) as keys
      where jsonb_typeof(choice.value) = 'object'
    ) as problem
    union all
    select p_place, 'must have one of ''seconds'' and ''until'''
    where p_step ->> 'type' = 'wait' and (p_step ? 'seconds') = (p_step ? 'until')
    union all
    select p_place, 'must have exactly one of ''transformer_id'', ''branch'' and ''workflow_id'''
    where p_step ->> 'type' = 'map'
      and (select count(*) from unnest('{transformer_id,branch,workflow_id}'::text[]) as key
        where p_step ? key) <> 1
    union all
    select millrace.place_within(p_place, needs.key), 'needs ' || needs.bodies_text
    from (
      values
        ('input_map', '{transformer_id,workflow_id}'::text[], '''transformer_id'' or ''workflow_id'''),
        ('config', '{transformer_id}', '''transformer_id'''),
        ('retry', '{transformer_id}', '''transformer_id'''),
        ('item_timeout_seconds', '{transformer_id}', '''transformer_id'''),
        ('version', '{workflow_id}', '''workflow_id''')
    ) as needs (key, bodies, bodies_text)
    where p_step ->> 'type' = 'map' and p_step ? needs.key and not p_step ?| needs.bodies;
end;
$$;
comment on function millrace.form_problems(text, jsonb) is
  'Keys of a choice, a wait or a map that do not go together: (place, fault) rows.';
revoke execute on function millrace.form_problems(text, jsonb) from public;

-- What is wrong with the validate of a task and the branches of a parallel, as rows (place, fault).
create function millrace.part_problems(p_place text, p_step jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select validate.place, 'must be an object'
    from (select p_place || '.validate' as place) as validate
    where coalesce(p_step ->> 'type', 'task') = 'task' and jsonb_typeof(p_step -> 'validate') <> 'object'
    union all
    select p_place || '.validate.type', case when p_step -> 'validate' ? 'type'
      then format('''%s'' is not a type of validate', p_step -> 'validate' ->> 'type')
      else 'is required' end
    where coalesce(p_step ->> 'type', 'task') = 'task' and jsonb_typeof(p_step -> 'validate') = 'object'
      and not exists (select from millrace.object_keys() as keys
        where keys.kind = 'validate ' || (p_step -> 'validate' ->> 'type'))
    union all
    select problem.place, problem.fault
    from millrace.key_problems('validate ' || (p_step -> 'validate' ->> 'type'),
      p_place || '.validate',
      case when jsonb_typeof(p_step -> 'validate') = 'object' then p_step -> 'validate' end) as problem
    where coalesce(p_step ->> 'type', 'task') = 'task'
    union all
    select p_place || '.branches', 'must be an object of 1 to 100 branches'
    where p_step ->> 'type' = 'parallel' and p_step ? 'branches'
      and case when jsonb_typeof(p_step -> 'branches') = 'object'
        then (select count(*) from jsonb_object_keys(p_step -> 'branches')) not between 1 and 100
        else true end
    union all
    select millrace.place_within(p_place || '.branches', name),
      'a branch name must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    from jsonb_object_keys(case when p_step ->> 'type' = 'parallel'
      and jsonb_typeof(p_step -> 'branches') = 'object' then p_step -> 'branches' end) as name
    where name !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$';
end;
$$;
comment on function millrace.part_problems(text, jsonb) is
  'What is structurally wrong with a validate and with the names of branches: (place, fault) rows.';
revoke execute on function millrace.part_problems(text, jsonb) from public;

-- What is wrong with one step, as rows (place, fault).
create function millrace.step_problems(
  p_workflow_id text, p_steps jsonb, p_place text, p_step_id text, p_step jsonb
)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
declare
  v_kind text := 'step ' || coalesce(p_step ->> 'type', case when p_step ? 'type' then 'null' else 'task' end);
begin
  return query
    select p_place, 'a step id must match ^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    where p_step_id !~ '^[A-Za-z][A-Za-z0-9_-]{0,63}$'
    union all
    select p_place, format('''%s'' is reserved in the job document', p_step_id)
    where p_step_id in ('job_input', 'job', 'item', 'index');
  if jsonb_typeof(p_step) <> 'object' then
    return query select p_place, 'a step must be an object';
    return;
  end if;
  if not exists (select from millrace.object_keys() as keys where keys.kind = v_kind) then
    return query select p_place || '.type', format('''%s'' is not a step type', p_step ->> 'type');
    return;
  end if;
  return query
    select problem.place, problem.fault from millrace.key_problems(v_kind, p_place, p_step) as problem
    union all
    select problem.place, problem.fault from millrace.form_problems(p_place, p_step) as problem
    union all
    select problem.place, problem.fault from millrace.part_problems(p_place, p_step) as problem
    union all
    select problem.place, problem.fault
    from millrace.reference_problems(p_workflow_id, p_place, p_step) as problem
    union all
    select problem.place, problem.fault
    from millrace.step_targets(p_place, p_step) as target
    cross join lateral millrace.target_problems(p_steps, target.place, target.target) as problem;
end;
$$;
comment on function millrace.step_problems(text, jsonb, text, text, jsonb) is
  'What is structurally wrong with one step of a definition or a branch: (place, fault) rows.';
revoke execute on function millrace.step_problems(text, jsonb, text, text, jsonb) from public;

-- What is wrong with a definition or a branch as a graph of steps, as rows (place, fault).
create function millrace.graph_problems(
  p_workflow_id text, p_place text, p_depth integer, p_graph jsonb
)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
declare
  v_steps jsonb := p_graph -> 'steps';
  v_steps_place text := millrace.place_within(p_place, 'steps');
  v_start_place text := millrace.place_within(p_place, 'start_step');
begin
  if jsonb_typeof(p_graph) <> 'object' then
    return query select p_place, 'must be an object';
    return;
  end if;
  return query
    select problem.place, problem.fault
    from millrace.key_problems(case p_depth when 0 then 'definition' else 'branch' end, p_place,
      p_graph) as problem;
  if jsonb_typeof(v_steps) is distinct from 'object' or v_steps = '{}' then
    return query select v_steps_place, 'must be an object with at least one step';
    return;
  end if;
  return query
    select problem.place, problem.fault
    from millrace.target_problems(v_steps, v_start_place, p_graph -> 'start_step') as problem
    union all
    select problem.place, problem.fault
    from millrace.on_error_targets('on_error', p_graph -> 'on_error') as handler
    cross join lateral millrace.target_problems(v_steps, handler.place, handler.target) as problem
    where p_depth = 0;
  return query
    select problem.place, problem.fault
    from jsonb_each(v_steps) as step
    cross join lateral millrace.step_problems(p_workflow_id, v_steps,
      millrace.place_within(v_steps_place, step.key), step.key, step.value) as problem
    union all
    select millrace.place_within(v_steps_place, step.key),
      'must not start jobs of its own: branches nest at most 10 deep'
    from jsonb_each(v_steps) as step
    where p_depth >= 10 and (step.value ->> 'type' in ('parallel', 'map')
      or (step.value ->> 'type' = 'workflow' and step.value -> 'detached' is distinct from 'true'))
    union all
    select millrace.place_within(v_steps_place, id), 'no step leads here'
    from millrace.unreachable_steps(p_graph) as id
    where v_steps ? (p_graph ->> 'start_step')
    union all
    select millrace.place_within(v_steps_place, id),
      'must lead to a wait, a task or an end: it goes in circles'
    from millrace.restless_steps(p_graph) as id;
end;
$$;
comment on function millrace.graph_problems(text, text, integer, jsonb) is
  'What is structurally wrong with the steps of a definition or a branch: (place, fault) rows.';
revoke execute on function millrace.graph_problems(text, text, integer, jsonb) from public;

-- What is wrong with concurrency and rate_limit, as rows (place, fault).
create function millrace.limit_problems(p_definition jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    select key, 'must be an object'
    from unnest('{concurrency,rate_limit}'::text[]) as key
    where jsonb_typeof(p_definition -> key) <> 'object'
    union all
    select problem.place, problem.fault
    from unnest('{concurrency,rate_limit}'::text[]) as key
    cross join lateral millrace.key_problems(key, key,
      case when jsonb_typeof(p_definition -> key) = 'object' then p_definition -> key end) as problem
    where p_definition ? key
    union all
    select format('%s.%s', bound.outer_key, bound.key),
      format('must be %s from 1 to %s', case when bound.whole then 'an integer' else 'a number' end,
        bound.most)
    from (
      values ('concurrency', 'max_running', true, 100000), ('rate_limit', 'max_starts', true, 10000),
        ('rate_limit', 'per_seconds', false, 2678400)
    ) as bound (outer_key, key, whole, most)
    cross join lateral (select p_definition -> bound.outer_key -> bound.key as given) as value
    where value.given is not null and case when jsonb_typeof(value.given) = 'number'
      then value.given::numeric not between 1 and bound.most
        or (bound.whole and value.given::numeric <> trunc(value.given::numeric))
      else true end;
end;
$$;
comment on function millrace.limit_problems(jsonb) is
  'What is wrong with the limits of a definition: (place, fault) rows.';
revoke execute on function millrace.limit_problems(jsonb) from public;

create function millrace.definition_problems(p_workflow_id text, p_definition jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  if jsonb_typeof(p_definition) <> 'object' then
    return query select 'definition', 'must be an object';
    return;
  end if;
  if millrace.json_bytes(p_definition) > 1048576 then
    return query select 'definition', 'must be at most 1 MiB';
    return;
  end if;
  if (
    select count(*)
    from millrace.definition_graphs(p_definition) as source
    cross join lateral jsonb_object_keys(case when jsonb_typeof(source.graph -> 'steps') = 'object'
      then source.graph -> 'steps' end)
  ) > 500 then
    return query select 'steps', 'must be at most 500 steps, those of branches included';
    return;
  end if;
  return query select problem.place, problem.fault
    from millrace.limit_problems(p_definition) as problem;
  return query
    select problem.place, problem.fault
    from millrace.definition_graphs(p_definition) as source
    cross join lateral millrace.graph_problems(p_workflow_id, source.place, source.depth,
      source.graph) as problem;
end;
$$;
comment on function millrace.definition_problems(text, jsonb) is
  'What is structurally wrong with a definition that is to be registered under an id: (place, fault) rows; none when it may be.';
revoke execute on function millrace.definition_problems(text, jsonb) from public;

create function millrace.check_workflow_definition() returns trigger
language plpgsql set search_path = ''
as $$
declare
  v_problems text;
begin
  select string_agg(problem.place || ': ' || problem.fault, '; ')
  into v_problems
  from (
    select place, fault from millrace.definition_problems(new.id, new.definition)
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
grant execute on function millrace.target_problems(jsonb, text, jsonb),
  millrace.reference_problems(text, text, jsonb), millrace.form_problems(text, jsonb),
  millrace.part_problems(text, jsonb), millrace.step_problems(text, jsonb, text, text, jsonb),
  millrace.graph_problems(text, text, integer, jsonb), millrace.limit_problems(jsonb),
  millrace.definition_problems(text, jsonb) to service_role;

create trigger workflows_check_definition
  before insert or update of definition on public.workflows
  for each row execute function millrace.check_workflow_definition();
