-- The keys of the definition language, for the structural check: what every type of step, every
-- kind of validate and every other object of a definition must and may have.

-- The functions of the check are plpgsql where one query would do, as they are called for each
-- step: plpgsql keeps its plans, and a definition of 500 steps is checked ten times as fast.

create function millrace.place_within(p_place text, p_key text) returns text
language plpgsql immutable set search_path = ''
as $$
begin
  return case
    when p_key !~ '^[A-Za-z_$][A-Za-z0-9_$-]*$' then format('%s[%s]', p_place, to_json(p_key))
    when p_place = '' then p_key
    else p_place || '.' || p_key
  end;
end;
$$;
comment on function millrace.place_within(text, text) is
  'The place of a key within a place, as users read it: steps.charge. The empty text is the whole.';
revoke execute on function millrace.place_within(text, text) from public;

create function millrace.object_keys()
returns table (kind text, required text[], optional text[])
language plpgsql immutable set search_path = ''
as $$
begin
  return query
    values
      ('definition', '{}'::text[], '{title,description,start_step,steps,output_map,input_schema,retry,
        on_error,max_step_visits,timeout_seconds,concurrency,rate_limit,metadata}'::text[]),
      ('branch', '{}', '{start_step,steps,output_map}'),
      ('concurrency', '{max_running}', '{key}'),
      ('rate_limit', '{max_starts,per_seconds}', '{}'),
      ('choice', '{when,next_step}', '{}'),
      ('validate regex', '{pattern}', '{value}'),
      ('validate json_schema', '{schema}', '{}'),
      ('validate expression', '{expression}', '{}'),
      ('validate function', '{transformer_id}', '{input_map}'),
      ('validate manual', '{}', '{title,details,assignees,form,allow_self,timeout_seconds}'),
      ('step task', '{transformer_id}',
        '{on_error,input_map,config,retry,timeout_seconds,validate,callback}'),
      ('step choice', '{choices}', '{on_error,default}'),
      ('step wait', '{}', '{on_error,seconds,until}'),
      ('step parallel', '{branches}', '{on_error,timeout_seconds}'),
      ('step map', '{items}', '{on_error,transformer_id,branch,workflow_id,version,input_map,config,
        retry,item_timeout_seconds,max_concurrency,tolerated_failures,timeout_seconds}'),
      ('step workflow', '{workflow_id}', '{on_error,version,input_map,detached,timeout_seconds}'),
      ('step wait_for_event', '{event}', '{on_error,key,match,timeout_seconds,on_timeout}'),
      ('step approval', '{}', '{on_error,details,assignees,form,allow_self,timeout_seconds,on_reject,
        on_timeout}'),
      ('step transform', '{output}', '{on_error}'),
      ('step succeed', '{}', '{output}'),
      ('step fail', '{}', '{code,message}');
end;
$$;
comment on function millrace.object_keys() is
  'The keys that each kind of object in a definition must and may have, beside those that all steps or all rules of validate share.';
revoke execute on function millrace.object_keys() from public;

-- What is wrong with the keys of one object, as rows (place, fault).
create function millrace.key_problems(p_kind text, p_place text, p_object jsonb)
returns table (place text, fault text)
language plpgsql stable set search_path = ''
as $$
begin
  return query
    with known as (
      select keys.required, keys.required || keys.optional || case
        when p_kind like 'step %' then '{type,title,description,when,next_step}'::text[]
        when p_kind like 'validate %' then '{type,next_step_on_pass,next_step_on_fail}'
        else '{}'
      end as allowed
      from millrace.object_keys() as keys
      where keys.kind = p_kind
    )
    select millrace.place_within(p_place, key), 'unknown key'
    from known
    cross join lateral jsonb_object_keys(p_object) as key
    where key <> all (known.allowed)
    union all
    select millrace.place_within(p_place, key), 'is required'
    from known
    cross join lateral unnest(known.required) as key
    where not p_object ? key;
end;
$$;
comment on function millrace.key_problems(text, text, jsonb) is
  'Keys that an object of a definition lacks or must not have: (place, fault) rows.';
revoke execute on function millrace.key_problems(text, text, jsonb) from public;

grant execute on function millrace.place_within(text, text), millrace.object_keys(),
  millrace.key_problems(text, text, jsonb) to service_role;
