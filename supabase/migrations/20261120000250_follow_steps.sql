-- Where the steps of a definition lead: the graphs in it (that of the definition and one for each
-- branch, at any depth), the targets of each step, and what can be come to from where.

-- Of a graph that is no object, or whose steps are none, there are no rows of what is in it.
create function millrace.definition_graphs(p_definition jsonb)
returns table (place text, depth integer, graph jsonb)
language sql immutable set search_path = ''
as $$
  with recursive graphs (place, depth, graph) as (
    select '', 0, p_definition
    union all
    select inside.place, graphs.depth + 1, inside.graph
    from graphs
    cross join lateral jsonb_each(case when jsonb_typeof(graphs.graph -> 'steps') = 'object'
      then graphs.graph -> 'steps' end) as step
    cross join lateral (
      select millrace.place_within(millrace.place_within(graphs.place, 'steps'), step.key) as place
    ) as step_place
    cross join lateral (
      select millrace.place_within(step_place.place || '.branches', branch.key) as place,
        branch.value as graph
      from jsonb_each(case when step.value ->> 'type' = 'parallel'
        and jsonb_typeof(step.value -> 'branches') = 'object'
        then step.value -> 'branches' end) as branch
      union all
      select step_place.place || '.branch', step.value -> 'branch'
      where step.value ->> 'type' = 'map' and step.value ? 'branch'
    ) as inside
    -- Deeper ones are refused at the step that holds them.
    where graphs.depth < 10
  )
  select graphs.place, graphs.depth, graphs.graph from graphs
$$;
comment on function millrace.definition_graphs(jsonb) is
  'The definition itself (at place '''', depth 0) and all branches in it, down to a depth of 10.';
revoke execute on function millrace.definition_graphs(jsonb) from public;

-- Where an on_error leads: a step id, or a list of {errors, next_step}. As rows (place, target).
create function millrace.on_error_targets(p_place text, p_on_error jsonb)
returns table (place text, target jsonb)
language plpgsql immutable set search_path = ''
as $$
begin
  return query
    select p_place, p_on_error
    where p_on_error is not null and jsonb_typeof(p_on_error) <> 'array'
    union all
    select format('%s[%s].next_step', p_place, entry.position - 1), entry.value -> 'next_step'
    from jsonb_array_elements(case when jsonb_typeof(p_on_error) = 'array' then p_on_error end)
      with ordinality as entry (value, position);
end;
$$;
comment on function millrace.on_error_targets(text, jsonb) is 'The targets of an on_error: (place, target) rows.';
revoke execute on function millrace.on_error_targets(text, jsonb) from public;

create function millrace.step_targets(p_place text, p_step jsonb)
returns table (place text, target jsonb)
language plpgsql immutable set search_path = ''
as $$
begin
  return query
    select p_place || '.next_step', p_step -> 'next_step'
    where coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') <> 'null'
    union all
    select handler.place, handler.target
    from millrace.on_error_targets(p_place || '.on_error', p_step -> 'on_error') as handler
    union all
    select p_place || '.' || key, p_step -> key
    from unnest(case p_step ->> 'type'
      when 'choice' then '{default}'::text[]
      when 'wait_for_event' then '{on_timeout}'
      when 'approval' then '{on_reject,on_timeout}'
    end) as key
    where p_step ? key
    union all
    select p_place || '.validate.' || key, p_step -> 'validate' -> key
    from unnest('{next_step_on_pass,next_step_on_fail}'::text[]) as key
    where coalesce(p_step ->> 'type', 'task') = 'task' and p_step -> 'validate' ? key
    union all
    select format('%s.choices[%s].next_step', p_place, choice.position - 1),
      choice.value -> 'next_step'
    from jsonb_array_elements(case when p_step ->> 'type' = 'choice'
      and jsonb_typeof(p_step -> 'choices') = 'array' then p_step -> 'choices' end)
      with ordinality as choice (value, position)
    where choice.value ? 'next_step';
end;
$$;
comment on function millrace.step_targets(text, jsonb) is
  'The steps that a step may lead to, and what stands in place of one: (place, target) rows.';
revoke execute on function millrace.step_targets(text, jsonb) from public;

-- Of a graph: its start, its error handler, and where they lead.
create function millrace.unreachable_steps(p_graph jsonb) returns setof text
language plpgsql stable set search_path = ''
as $$
begin
  return query
    with recursive reached (step_id) as (
      select entry.step_id
      from (
        select p_graph ->> 'start_step' as step_id
        union all
        select target #>> '{}' from millrace.on_error_targets('', p_graph -> 'on_error')
      ) as entry
      where p_graph -> 'steps' ? entry.step_id
      union
      select target.target #>> '{}'
      from reached
      cross join lateral millrace.step_targets('', p_graph -> 'steps' -> reached.step_id) as target
      where p_graph -> 'steps' ? (target.target #>> '{}')
    )
    select id from jsonb_object_keys(p_graph -> 'steps') as id
    except
    select step_id from reached;
end;
$$;
comment on function millrace.unreachable_steps(jsonb) is
  'Ids of the steps of a definition or a branch that nothing leads to.';
revoke execute on function millrace.unreachable_steps(jsonb) from public;

-- A step rests when it takes time, may end the job, or is not understood.
create function millrace.rests(p_step jsonb) returns boolean
language plpgsql immutable set search_path = ''
as $$
declare
  v_ends_here boolean := coalesce(jsonb_typeof(p_step -> 'next_step'), 'null') = 'null';
begin
  return case coalesce(p_step ->> 'type', 'task')
    when 'transform' then v_ends_here
    -- Without a default it may fail; its next_step counts only where `when` skips it.
    when 'choice' then not p_step ? 'default' or (p_step ? 'when' and v_ends_here)
    else true
  end;
end;
$$;
comment on function millrace.rests(jsonb) is
  'Whether a job that comes to this step may take a rest there, or end.';
revoke execute on function millrace.rests(jsonb) from public;

create function millrace.restless_steps(p_graph jsonb) returns setof text
language plpgsql stable set search_path = ''
as $$
begin
  return query
    with recursive ways as materialized (
      select step.key as source, way.target #>> '{}' as target
      from jsonb_each(p_graph -> 'steps') as step
      cross join lateral millrace.step_targets('', step.value) as way
    ),
    restful (step_id) as (
      (
        select step.key from jsonb_each(p_graph -> 'steps') as step where millrace.rests(step.value)
        union all
        -- A target that does not exist is a fault of its own.
        select source from ways where target is null or not p_graph -> 'steps' ? target
      )
      union
      select ways.source from restful join ways on ways.target = restful.step_id
    )
    select id from jsonb_object_keys(p_graph -> 'steps') as id
    except
    select step_id from restful;
end;
$$;
comment on function millrace.restless_steps(jsonb) is
  'Ids of the steps from which a job would go around for ever: no wait, task or end can be come to.';
revoke execute on function millrace.restless_steps(jsonb) from public;

grant execute on function millrace.definition_graphs(jsonb), millrace.on_error_targets(text, jsonb),
  millrace.step_targets(text, jsonb), millrace.unreachable_steps(jsonb), millrace.rests(jsonb),
  millrace.restless_steps(jsonb) to service_role;
