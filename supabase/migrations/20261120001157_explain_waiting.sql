-- What the step of a waiting job waits for. A job that waits for children is explained by its
-- oldest open child, and that one by its own, down to where nothing moves.

create function millrace.explain_children(p_job public.jobs, p_level integer)
returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_child_id uuid;
  v_index integer;
  v_child jsonb;
  v_leaf jsonb;
  v_total integer := coalesce((p_job.state #>> '{waiting,total}')::integer, p_job.open_children);
  v_wait text := format('%s of %s of step ''%s''', p_job.open_children,
    millrace.say_count(v_total, 'child', 'children'), p_job.current_step_id);
  v_details jsonb;
begin
  v_wait := case when p_job.state ? 'ending'
    then format('Job ends as %s after the end of %s', p_job.state #>> '{ending,status}', v_wait)
    else 'Job waits for ' || v_wait end;
  v_details := jsonb_build_object('open_children', p_job.open_children, 'children', v_total,
    'failed_children', p_job.failed_children);
  select c.id, c.item_index into v_child_id, v_index from public.jobs c
  where c.parent_job_id = p_job.id and c.status not in ('completed', 'failed', 'cancelled')
  order by c.created_at, c.item_index, c.id limit 1;
  if v_child_id is null or p_level >= 10 then
    return millrace.explained('waits_for_children', v_wait,
      format('Look at its children at GET /jobs/%s/children', p_job.id), v_details);
  end if;
  v_child := millrace.explain_level(v_child_id, p_level + 1);
  v_leaf := coalesce(v_child #> '{details,leaf}',
    v_child || jsonb_build_object('item_index', v_index));
  return millrace.explained('waits_for_children',
    format('%s; of the oldest open one, %s%s: %s', v_wait, v_leaf ->> 'job_id',
      coalesce(' (item ' || (v_leaf ->> 'item_index') || ')', ''), v_leaf ->> 'explanation'),
    v_leaf ->> 'action',
    v_details || jsonb_build_object('child', v_child,
      'leaf', v_leaf - 'details'));
end;
$$;
comment on function millrace.explain_children(public.jobs, integer) is
  'waits_for_children: how many, and why the oldest open one (details.child), or the job at the end of that chain (details.leaf), does not move.';
revoke execute on function millrace.explain_children(public.jobs, integer) from public;
grant execute on function millrace.explain_children(public.jobs, integer) to authenticated, service_role;

create function millrace.explain_event(p_job public.jobs, p_until text) returns millrace.explanation
language sql immutable set search_path = ''
as $$
  select millrace.explained('waits_for_event',
    format('Step ''%s'' waits for the event ''%s''%s %s', p_job.current_step_id, w ->> 'event',
      coalesce(' with the key ''' || (w ->> 'key') || '''', ''), p_until),
    format('Emit it at POST /events, or for this job alone at POST /jobs/%s/signal', p_job.id),
    jsonb_build_object('event', w -> 'event', 'key', w -> 'key', 'until', w -> 'until'))
  from (select p_job.state -> 'waiting' as w) as waiting
$$;
comment on function millrace.explain_event(public.jobs, text) is 'waits_for_event.';
revoke execute on function millrace.explain_event(public.jobs, text) from public;
grant execute on function millrace.explain_event(public.jobs, text) to authenticated, service_role;

create function millrace.explain_waiting(p_job public.jobs, p_level integer)
returns millrace.explanation
language plpgsql stable set search_path = ''
as $$
declare
  v_now timestamptz := millrace.now();
  v_waiting jsonb := p_job.state -> 'waiting';
  v_until timestamptz := (v_waiting ->> 'until')::timestamptz;
  v_until_text text := coalesce('until ' || millrace.say_time(v_until, v_now),
    'for as long as it takes');
begin
  if p_job.next_run_at <= v_now then
    return millrace.explain_due(p_job);
  end if;
  case v_waiting ->> 'kind'
    when 'timer' then
      return millrace.explained('waits_for_timer',
        format('Step ''%s'' waits %s', p_job.current_step_id, v_until_text),
        'Nothing to do: it goes on by itself', jsonb_build_object('until', v_until));
    when 'callback' then
      return millrace.explained('waits_for_callback',
        format('Step ''%s'' (attempt %s) was accepted by its executor and waits for its callback %s',
          p_job.current_step_id, coalesce(p_job.state ->> 'attempt', '1'), v_until_text),
        'Finish it with the token of its task: complete_step() or fail_step()',
        jsonb_build_object('until', v_until));
    when 'event' then
      return millrace.explain_event(p_job, v_until_text);
    when 'approval' then
      return millrace.explain_approval(p_job, v_until_text);
    when 'children' then
      return millrace.explain_children(p_job, p_level);
    else
      return millrace.explained('waits_for_start',
        format('Step ''%s'' starts a job of its own', p_job.current_step_id),
        'Nothing to do: an orchestrator takes it up within moments', '{}'::jsonb);
  end case;
end;
$$;
comment on function millrace.explain_waiting(public.jobs, integer) is
  'waits_for_timer, waits_for_callback, waits_for_event, waits_for_approval or waits_for_children.';
revoke execute on function millrace.explain_waiting(public.jobs, integer) from public;
grant execute on function millrace.explain_waiting(public.jobs, integer) to authenticated, service_role;
